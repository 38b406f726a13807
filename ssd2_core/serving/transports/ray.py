"""A worker as an actor of Ray, on this machine or on a cluster.

Training stays on the page's machine; a visitor's own model is sent to the actor that needs it. Whoever reaches a Ray can run
code on it, so it must be as closed as this machine is.
"""

import contextlib
import importlib.util
import logging
import os
import pickle
import re
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from ...config import ROOT, Settings, check_int
from ...errors import VisitorError, reason
from ...protocol.messages import Request, Unload, is_private
from .ray_actor import Actor, Files, drained

LOCAL, HERE = ("ray", "ray://local"), "ray://auto"
ADDRESS = re.compile(r"ray://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
STORE_BYTES = 100_000_000       # of a Ray that is started here: messages are small
CONNECT_SECONDS, END_SECONDS = 5.0, 0.3
UPLOADED = ("ssd2_core", "assets")      # of this repository, to the machines of a cluster


class RayTransport:
    """create: makes a handle of an ``Actor`` for settings. is_local: it finds visitors' models in the page's folder."""

    def __init__(self, create: Callable[[Settings], object], is_local: bool, settings: Settings):
        self._create, self._is_local, self._settings = create, is_local, settings
        self._outbox: SimpleQueue = SimpleQueue()
        self._sent: set[str] = set()            # ids of visitors' models whose files it has
        self._actor = None
        self._lock = threading.Lock()
        self._ended = False
        self._cause = "it was asked to"

    @property
    def pid(self) -> int:
        """Of the actor's process, on its machine."""
        import ray
        return ray.get(self._actor.pid.remote())

    def send(self, message: object) -> None:
        """See Transport."""
        if isinstance(message, Unload):
            self._sent.difference_update(message.model_ids)
        if isinstance(message, Request) and not self._is_local:
            for model_id in filter(is_private, message.users):
                self._send_files(model_id)
        self._outbox.put(message)

    def _send_files(self, model_id: str) -> None:
        """A visitor's own model, of at most ``max_model_bytes``, to an actor on another machine."""
        if model_id in self._sent:
            return
        with contextlib.suppress(OSError):      # deleted just now: the actor says that it is not there
            files = [file for file in Path(self._settings.visitors_folder, model_id).iterdir() if file.is_file()]
            self._outbox.put(Files(model_id, {file.name: file.read_bytes() for file in files}))
            self._sent.add(model_id)

    def messages(self) -> Iterator[object]:
        """See Transport."""
        import ray
        try:
            with self._lock:
                if self._ended:
                    return
                self._actor = self._create(self._settings)
            threading.Thread(target=self._write, name="to-actor", daemon=True).start()
            while True:
                yield from pickle.loads(ray.get(self._actor.take.remote()))
        except Exception as error:          # the actor is gone, or its machine, or all of Ray
            self._cause = f"{type(error).__name__}: {error}"

    def _write(self) -> None:
        """Send what is put into the outbox until None comes or the actor is gone. One call at a time: Ray keeps no order."""
        import ray
        with contextlib.suppress(Exception):            # ``messages`` tells that it is gone
            while True:
                batch = [self._outbox.get(), *drained(self._outbox)]
                if None in batch:
                    return
                ray.get(self._actor.put.remote(pickle.dumps(batch)))

    def end(self) -> str:
        """See Transport."""
        import ray
        self._outbox.put(None)
        with self._lock:
            self._ended = True
        if self._actor is not None:
            with contextlib.suppress(Exception):        # it is gone already
                ray.get(self._actor.clean.remote(), timeout=END_SECONDS)
            with contextlib.suppress(Exception):
                ray.kill(self._actor)
        return self._cause


class Connection:
    """This process's Ray, started or reached as ``address`` says. count: of its actors.

    Raises VisitorError when it cannot be reached or has fewer devices than ``actors``.
    """

    def __init__(self, address: str, actors: int | None):
        self.is_local = address in LOCAL
        self._is_ours = connect(address, actors)
        try:
            self.count, self._options, self._share = devices(address, actors)
        except BaseException:
            self.close()
            raise

    def create(self, target: str, settings: Settings) -> object:
        """A handle of a new actor. On other machines there is no folder of visitors' models, and modules lie elsewhere."""
        import ray
        settings = settings if self.is_local else replace(settings, visitors_folder="")
        # Calls at once: one that waits for events, one that brings messages, one that cleans up, and one to spare.
        remote = ray.remote(Actor).options(max_concurrency=4, max_restarts=0, scheduling_strategy="SPREAD", **self._options)
        return remote.remote(target, settings, list(sys.path) if self.is_local else [], self._share)

    def close(self) -> None:
        """Leave the Ray, unless this process had one before."""
        if self._is_ours:
            import ray
            self._is_ours = False
            with contextlib.suppress(Exception):        # a Ray that is gone already
                ray.shutdown()


def check_address(address: str, actors: int | None) -> None:
    """Raise VisitorError unless ``connect`` can make sense of it, with what is installed here."""
    if address not in (*LOCAL, HERE) and not ADDRESS.fullmatch(address):
        raise VisitorError(f"--engine must be process, zero, ray, {HERE} or ray://HOST:PORT, not {address!r}.")
    if actors is not None:
        check_int("--actors", actors, 1, 1000)
    if importlib.util.find_spec("ray") is None:
        raise VisitorError("--engine ray needs a package that is not here: pip install -r requirements-ray.txt")


def connect(address: str, actors: int | None) -> bool:
    """Start a Ray here, or connect to one. False: this process has one already. Raises VisitorError in one sentence."""
    check_address(address, actors)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_AUTO_CONNECT": "0"}      # no new Ray when this one is gone
    import ray
    if ray.is_initialized():
        return False
    found = ADDRESS.fullmatch(address)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    stays = ["__pycache__", *(f"/{path.name}" for path in ROOT.iterdir() if path.name not in UPLOADED)]
    code = {"working_dir": str(ROOT), "excludes": stays}
    try:
        if found:
            socket.create_connection((found[1].strip("[]"), int(found[2])), CONNECT_SECONDS).close()
            ray.init(address, runtime_env=code, **quiet)
        elif address == HERE:
            ray.init("auto", runtime_env=code, **quiet)
        else:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))         # for its ports; else Ray keeps one in $HOME
            os.environ.setdefault("RAY_worker_niceness", "0")      # else a busy machine lets actors stand behind all else (15)
            path = os.pathsep.join([str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
            ray.init("local", num_cpus=max(actors or 1, os.cpu_count() or 1), include_dashboard=False,
                     object_store_memory=STORE_BYTES, runtime_env={"env_vars": {"PYTHONPATH": path}}, **quiet)
        ray.get(ray.put(None))              # imports what is imported at the first use, before the page's threads import, too
    except Exception as error:              # whatever a network, another version or a full disk makes Ray say
        raise VisitorError(f"The Ray of --engine {address} cannot be used: {reason(error)}; check the address, and that it "
                           f"has Ray {ray.__version__} and this Python.") from None
    return True


def devices(address: str, actors: int | None) -> tuple[int, dict, int]:
    """How many actors there will be, Ray's options for each, and how many share the processor of a machine (0 with GPUs)."""
    import ray
    have = ray.cluster_resources()
    gpus, machines = int(have.get("GPU", 0)), max(1, sum(node["Alive"] for node in ray.nodes()))
    kind, most = ("GPU", gpus) if gpus else ("CPU", int(have.get("CPU", 0)))
    count = actors or gpus or machines
    if count > most:
        raise VisitorError(f"--actors asks for {count}, and the Ray of --engine {address} has {most} {kind}s.")
    keep_threads = gpus or (address in LOCAL and "OMP_NUM_THREADS" in os.environ)
    return count, {"num_cpus": 1, "num_gpus": 1 if gpus else 0}, 0 if keep_threads else -(-count // machines)
