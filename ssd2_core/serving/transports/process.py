"""A child process at the other end of a pipe: pickled messages over its stdin and stdout. Knows nothing of what they mean.

A plain subprocess rather than multiprocessing: a spawned process would import the parent's main module, and so the whole page.
The child ends when its parent does: at the end of its stdin, or when it finds itself adopted.
"""

import importlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from ...config import ROOT

log = logging.getLogger(__name__)
START = "from ssd2_core.serving.transports.process import child_main; child_main()"
PARENT_CHECK_SECONDS = 0.5


class ProcessTransport:
    """A process that runs ``target`` ("module:function", called with inbox, send, argument)."""

    def __init__(self, target: str, argument: object):
        path = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        self.process = subprocess.Popen([sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)})
        self._outbox: SimpleQueue = SimpleQueue()
        self._hello = (target, argument, list(sys.path))
        threading.Thread(target=self._write, name="to-worker", daemon=True).start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, message: object) -> None:
        """See Transport."""
        self._outbox.put(message)

    def _write(self) -> None:
        """Send what is put into the outbox until None comes or the child is gone."""
        message = self._hello
        try:
            while message is not None:
                pickle.dump(message, self.process.stdin)
                self.process.stdin.flush()
                message = self._outbox.get()
            self.process.stdin.close()
        except (OSError, ValueError):
            pass

    def messages(self) -> Iterator[object]:
        """See Transport."""
        with self.process.stdout:
            while True:
                try:
                    yield pickle.load(self.process.stdout)
                except EOFError:
                    return
                except Exception:           # a torn message, when the process was killed as it wrote
                    log.exception("a message of the worker could not be read")
                    return

    def end(self) -> str:
        """Make sure that the process is gone, in about a second at most, and tell its exit code."""
        self._outbox.put(None)
        for stronger in (self.process.terminate, self.process.kill):
            try:
                return f"exit code {self.process.wait(0.3)}"
            except subprocess.TimeoutExpired:
                stronger()
        return f"exit code {self.process.wait()}"


def child_main() -> None:
    """What the child process runs: take over stdin and stdout, watch the parent, then call the target."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    target, argument, path = pickle.load(source)
    sys.path[:] = path
    inbox: SimpleQueue = SimpleQueue()
    threading.Thread(target=watch, args=(parent,), name="parent-watch", daemon=True).start()
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    # Only now: to read a message imports its module, and two threads that import at once may meet a module half made.
    threading.Thread(target=_read, args=(source, inbox), name="from-page", daemon=True).start()
    function(inbox, _sender(sink), argument)


def _read(source, inbox: SimpleQueue) -> None:
    """Pass messages on; the end of the pipe is the end of this process."""
    try:
        while True:
            inbox.put(pickle.load(source))
    except EOFError:
        os._exit(0)
    except BaseException:
        log.exception("a message of the page could not be read")
        os._exit(1)


def watch(parent: int) -> None:
    """End this process when its parent is gone, even where a copy of the pipe keeps it open."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(0)


def _sender(sink) -> Callable[[object], None]:
    """A thread-safe send over ``sink``; a parent that is gone ends this process."""
    lock = threading.Lock()

    def send(message: object) -> None:
        data = pickle.dumps(message)
        try:
            with lock:
                sink.write(data)
                sink.flush()
        except OSError:
            os._exit(0)

    return send
