"""A worker at the other end of Ray: what an actor runs there, as process.py's child does on this machine.

Messages are pickled by us and cross Ray as bytes, many at once where many wait.
"""

import contextlib
import importlib
import logging
import os
import pickle
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from ...config import Settings
from ...protocol.frames import Frame
from ...protocol.messages import Unload

log = logging.getLogger(__name__)
FRAME_SECONDS = 0.03            # a page paints about as often; a call for each step makes the worker a tenth slower
FOLDER = "ssd2-actor-"


@dataclass(frozen=True)
class Files:
    """A visitor's own model for a machine that does not have it: its files by name."""

    model_id: str
    files: dict[str, bytes] = field(repr=False)


class Actor:
    """Runs ``target`` ("module:function", called with inbox, send, settings) on a thread. Ray calls the methods.

    path: where modules are found here, where it is the page's own machine. share: actors that share this machine's processor;
    0: threads are left as they are.
    """

    def __init__(self, target: str, settings: Settings, path: list[str], share: int):
        sys.path.extend(folder for folder in path if folder not in sys.path)
        if share:                           # Ray allows one thread for each actor, and has not loaded torch yet
            os.environ["OMP_NUM_THREADS"] = str(threads(len(os.sched_getaffinity(0)), share))
        self._folder = own_folder()
        settings = replace(settings, visitors_folder=settings.visitors_folder or str(self._folder))
        self._inbox: SimpleQueue = SimpleQueue()
        self._events: SimpleQueue = SimpleQueue()
        module, _, name = target.partition(":")
        work = getattr(importlib.import_module(module), name)
        threading.Thread(target=self._run, args=(work, settings), name="worker", daemon=True).start()

    def _run(self, work: Callable, settings: Settings) -> None:
        """The end of the worker is the end of this process."""
        try:
            work(self._inbox, self._events.put, settings)
        except BaseException:
            log.exception("the worker of an actor ended")
        os._exit(1)

    def pid(self) -> int:
        """Of this process, on its machine."""
        return os.getpid()

    def put(self, messages: bytes) -> None:
        """Messages of the page."""
        for message in pickle.loads(messages):
            if isinstance(message, Files):
                folder = self._folder / message.model_id
                folder.mkdir(exist_ok=True)
                for name, data in message.files.items():
                    (folder / name).write_bytes(data)
                continue
            if isinstance(message, Unload):
                for model_id in message.model_ids:
                    shutil.rmtree(self._folder / model_id, ignore_errors=True)
            self._inbox.put(message)

    def take(self) -> bytes:
        """What the worker sends, as soon as there is something; frames wait FRAME_SECONDS for more, or for what is none."""
        out, until = [self._events.get()], time.monotonic() + FRAME_SECONDS
        with contextlib.suppress(Empty):
            while isinstance(out[-1], Frame):
                out.append(self._events.get(timeout=max(0.0, until - time.monotonic())))
        return pickle.dumps([*out, *drained(self._events)])

    def clean(self) -> None:
        """Delete the files of visitors: the end is near."""
        shutil.rmtree(self._folder, ignore_errors=True)


def threads(cores: int, share: int) -> int:
    """For each of ``share`` actors. A core is left to Ray: on 2 cores, 2 threads made 51 steps a second and one made 76."""
    return max(1, (cores - 1) // share)


def drained(queue: SimpleQueue) -> list:
    """All that is in a queue now."""
    out = []
    with contextlib.suppress(Empty):
        while True:
            out.append(queue.get_nowait())
    return out


def own_folder() -> Path:
    """A new folder for this process. Those of processes that were killed on this machine are deleted."""
    import psutil
    for old in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        pid = old.name.removeprefix(FOLDER).partition("-")[0]
        if not (pid.isdigit() and psutil.pid_exists(int(pid))):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
