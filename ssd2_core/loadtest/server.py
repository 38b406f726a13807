"""The server under test: app.py in a process of its own on a free port, its worker, its health, its memory."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from ..config import ROOT

START_SECONDS, END_SECONDS = 180.0, 15.0
TORN = "a message of the worker could not be read"     # what the page notes when the worker was killed as it wrote


@dataclass(frozen=True)
class Sample:
    """Memory at one moment. at: seconds since the server was ready. worker: its process id. page_mb, worker_mb: resident."""

    at: float
    page_mb: float
    worker: int
    worker_mb: float


class Server:
    """The studio with the bundled compact models. ``folder`` takes its log and its files. As ``async with``."""

    def __init__(self, folder: Path, **environment: str):
        self.folder, self.environment, self.address = folder, environment, ""
        # A connection is not used again after the server may have closed it, which is after 5 seconds.
        self.http = httpx.AsyncClient(timeout=60.0, limits=httpx.Limits(max_connections=None, keepalive_expiry=2.0))
        self.samples: list[Sample] = []
        self.ready_s = 0.0

    async def __aenter__(self) -> "Server":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(self.folder), "TMPDIR": str(self.folder)}
        self.began = time.monotonic()
        with open(self.folder / "app.log", "w") as log:
            self.app = subprocess.Popen([sys.executable, "app.py", "--port", str(port), "--core", "compact-core"], cwd=ROOT,
                                        env=environment | self.environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            self.ready_s = await self.until_ready(START_SECONDS)
        except BaseException:
            await self.__aexit__()
            raise
        self.began = time.monotonic()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        self.app.terminate()
        try:
            await asyncio.to_thread(self.app.wait, END_SECONDS)
        except subprocess.TimeoutExpired:
            self.app.kill()
            self.app.wait()

    async def health(self) -> dict:
        """What /health says; {} while nobody answers there."""
        try:
            return (await self.http.get(f"{self.address}/health", timeout=5.0)).json()
        except httpx.HTTPError:
            return {}

    async def until(self, wanted, seconds: float, every: float = 0.01) -> float:
        """Seconds until ``wanted(health)`` is true, looked at ``every`` so many seconds. Raises TimeoutError."""
        began = time.monotonic()
        while not wanted(await self.health()):
            if self.app.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self.log()[-2000:]}")
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"it did not happen within {seconds:g} s")
            await asyncio.sleep(every)
        return time.monotonic() - began

    async def until_ready(self, seconds: float) -> float:
        """Seconds until the worker takes questions."""
        return await self.until(lambda health: health.get("ready"), seconds)

    async def until_idle(self, seconds: float = 60.0) -> float:
        """Seconds until nobody is answered and nobody waits."""
        return await self.until(lambda health: health and not health["active"] and not health["queued"], seconds)

    def worker(self) -> psutil.Process | None:
        """The worker's process, if there is one just now."""
        try:
            found = [child for child in psutil.Process(self.app.pid).children()
                     if "ssd2_core.serving.transports.process" in " ".join(child.cmdline())
                     and child.status() != psutil.STATUS_ZOMBIE]
        except psutil.Error:
            return None
        return found[0] if found else None

    def kill_worker(self) -> bool:
        """End the worker as the kernel would when memory is out. False when there is none just now."""
        worker = self.worker()
        if worker is not None:
            worker.send_signal(signal.SIGKILL)
        return worker is not None

    def sample(self) -> None:
        """Note the memory of page and worker."""
        worker = self.worker()
        try:
            page = psutil.Process(self.app.pid).memory_info().rss / 1e6
            rss = worker.memory_info().rss / 1e6 if worker else 0.0
        except psutil.Error:
            return
        self.samples.append(Sample(time.monotonic() - self.began, page, worker.pid if worker else 0, rss))

    def log(self) -> str:
        """What the server has written so far."""
        return (self.folder / "app.log").read_text(encoding="utf-8", errors="replace")

    def tracebacks(self) -> list[str]:
        """The last line of each traceback in the log, but for messages that a killed worker left half written."""
        lines, out = self.log().splitlines(), []
        for number, line in enumerate(lines):
            if line.startswith("Traceback") and TORN not in lines[max(0, number - 1)]:
                out.append(next((found for found in lines[number + 1:] if found and not found.startswith((" ", "\t"))), line))
        return out
