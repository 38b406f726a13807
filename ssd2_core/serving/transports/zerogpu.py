"""A worker whose answers are GPU calls of ZeroGPU: a Space has a GPU only inside functions that the package ``spaces`` runs
in forked processes. Models are loaded here, in the page's process; each request is one GPU call (zerogpu_call.py).
"""

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue

from ...config import Settings
from ...errors import BusyError
from ...protocol.messages import Cancel, Control, Done, Failed, Loading, Preload, Request
from ..wait_queue import stopped_before
from ..worker import preloaded
from .zerogpu_call import CHANNELS, FORKED, NO_GPU, SLOTS, answer, sentence

log = logging.getLogger(__name__)
MAX_HELD = 64                           # changes of one request that wait until it has a GPU
TELL_SECONDS, END_SECONDS = 1.0, 0.5
WAITING = "Waiting for a GPU."
TOO_MANY = "Too many changes at once; wait a moment."


@dataclass
class Call:
    """One request on its way. slot: of its channel. begun: a fork reads the channel. held: changes until then.

    over: all is said, only the GPU is not given back yet.
    """

    request: Request
    slot: int = -1
    begun: bool = False
    over: bool = False
    held: list[Control] = field(default_factory=list)


class ZeroTransport:
    """Make it in the main thread, before the page is launched; one in a process. At most SLOTS requests at once.

    prepare: makes a worker.Prepare; None: the real models'. Preloads are done when they are sent, in the sender's thread.
    """

    def __init__(self, prepare: Callable[[Settings], object] | None, settings: Settings):
        if prepare is None:
            from ..model_runner import ModelRuns as prepare
        FORKED.prepare, FORKED.max_pause = prepare(settings), settings.limits.max_pause_seconds
        self._outbox: SimpleQueue = SimpleQueue()
        self._calls: dict[str, Call] = {}
        self._free: SimpleQueue = SimpleQueue()
        for slot in range(SLOTS):
            self._free.put(slot)
        self._pumps: set[threading.Thread] = set()
        self._forks: set[int] = set()
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """See Transport. Unload has no effect: no fork keeps a visitor's model."""
        with self._lock:
            match message:
                case Request():
                    self._call(message)
                case Control():
                    self._control(message)
                case Cancel():
                    self._cancel(self._calls.get(message.request_id))
                case Preload():
                    self._outbox.put(preloaded(FORKED.prepare, message, lambda text, part: log.info("%s", text)))

    def messages(self) -> Iterator[object]:
        """See Transport."""
        return iter(self._outbox.get, None)

    def end(self) -> str:
        """See Transport."""
        with self._lock:
            for call in self._calls.values():
                self._cancel(call)
            pumps, end = list(self._pumps), time.monotonic() + END_SECONDS
        for pump in pumps:
            pump.join(max(0.0, end - time.monotonic()))
        for fork in multiprocessing.active_children():
            if fork.pid in self._forks:
                fork.kill()
                fork.join(END_SECONDS)
        for pump in pumps:
            pump.join(END_SECONDS)
        self._outbox.put(None)
        return "it was asked to"

    def _call(self, request: Request) -> None:
        """Begin a GPU call, on a thread of its own and in the visitor's context, so that it is the visitor's quota."""
        call = self._calls[request.request_id] = Call(request)
        pump = threading.Thread(target=copy_context().run, args=(self._pump, call), name="gpu-call", daemon=True)
        self._pumps.add(pump)
        pump.start()

    def _control(self, control: Control) -> None:
        call = self._calls.get(control.request_id)
        if call is None:
            return
        if call.begun:
            if not CHANNELS[call.slot].send(control):
                raise BusyError(TOO_MANY)
            return
        if control.ensemble is not None:            # only the newest settings matter, and all else
            call.held = [each for each in call.held if each.ensemble is None]
        if len(call.held) >= MAX_HELD:
            raise BusyError(TOO_MANY)
        call.held.append(control)

    def _cancel(self, call: Call | None) -> None:
        """Whoever still waits for a GPU is done; the call ends as soon as it has one."""
        if call is None or call.over:
            return
        if call.begun:
            CHANNELS[call.slot].send(Cancel(call.request.request_id))
            return
        call.over = True
        self._outbox.put(stopped_before(call.request.request_id, FORKED.prepare.device))

    def _pump(self, call: Call) -> None:
        request_id = call.request.request_id
        call.slot = self._free.get()                # there is one as soon as an earlier call has given its GPU back
        batches = answer(call.request, call.slot)
        late = threading.Timer(TELL_SECONDS, self._outbox.put, (Loading(request_id, WAITING, 0.0),))
        late.start()
        try:
            for batch in batches:
                late.cancel()
                if isinstance(batch, int):
                    if not self._begin(call, batch):
                        break
                    continue
                call.over = isinstance(batch[-1], Done | Failed)
                for event in batch:
                    self._outbox.put(event)
        except Exception as error:
            log.warning("a GPU call failed: %s", getattr(error, "message", error), exc_info=not hasattr(error, "title"))
            self._fail(call, sentence(error))
        finally:
            late.cancel()
            batches.close()
            self._fail(call, NO_GPU)
            self._end(call)

    def _begin(self, call: Call, pid: int) -> bool:
        """The fork reads the channel now: it gets what was held. False when the request was cancelled meanwhile."""
        with self._lock:
            self._forks.add(pid)
            if call.over:
                return False
            call.begun = True
            for control in call.held:
                CHANNELS[call.slot].send(control)
            return True

    def _fail(self, call: Call, message: str) -> None:
        """The end of a call that has said nothing of its end."""
        if not call.over:
            call.over = True
            self._outbox.put(Failed(call.request.request_id, message))

    def _end(self, call: Call) -> None:
        with self._lock:
            if self._calls.get(call.request.request_id) is call:
                del self._calls[call.request.request_id]
            CHANNELS[call.slot].clear()
            self._free.put(call.slot)
            self._pumps.discard(threading.current_thread())
