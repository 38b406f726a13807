"""The engine on ZeroGPU, where a Space has a GPU only inside functions that the package ``spaces`` runs in forked processes.

Models are loaded here, in the page's process and before the page is launched; each request is one GPU call (gpucall.py).
"""

import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from ..config import Settings
from ..errors import BusyError, ModelError
from ..protocol.messages import Cancel, Control, Done, Event, Failed, Loading, Preload, Request
from .engine import Engine
from .wait_queue import WaitQueue
from .zerogpu_call import CHANNELS, FORKED, NO_GPU, SLOTS, answer, sentence

log = logging.getLogger(__name__)
MAX_HELD = 64                           # changes of one request that wait until it has a GPU
TELL_SECONDS, END_SECONDS = 1.0, 0.5
WAITING = "Waiting for a GPU."
ONE_GPU = "ZeroGPU lends one GPU and every model lies on it whole; leave --{} out."
TOO_MANY = "Too many changes at once; wait a moment."


@dataclass
class Call:
    """One request on its way. context: the visitor's, whose quota it is. slot: of its channel, None while it waits for one.

    begun: a fork reads the channel. held: changes until then. over: all is said, only the
    GPU is not given back yet.
    """

    request: Request
    context: Context
    slot: int | None = None
    begun: bool = False
    over: bool = False
    held: list[Control] = field(default_factory=list)


class ZeroEngine(Engine):
    """The engine of a page on ZeroGPU, one in a process. Make it in the main thread, before the page is launched.

    preload: models that are on the GPU in every fork, by default the core; others are loaded there, when they are asked for.
    prepare: makes a worker.Prepare; by default the real models'. Raises ModelError for settings that place weights elsewhere.
    """

    def __init__(self, settings: Settings, *, preload: tuple[str, ...] | None = None, only_known: bool = True,
                 prepare: Callable[[Settings], object] | None = None):
        for name in ("device_map", "max_memory", "offload_folder", "quantize"):
            if getattr(settings, name) is not None:
                raise ModelError(ONE_GPU.format(name.replace("_", "-")))
        super().__init__(settings, only_known)
        if prepare is None:
            from .model_runner import ModelRuns as prepare
        FORKED.prepare, FORKED.limits = prepare(self.settings), self.settings.limits
        self._message = "Ready."
        self._calls: dict[str, Call] = {}
        self._free = deque(range(SLOTS))
        self._line = WaitQueue(self._receive, self._places)
        self._pumps: set[threading.Thread] = set()
        self._forks: set[int] = set()
        self._send(Preload((settings.core,) if preload is None else tuple(preload)))

    def _start(self) -> None:
        """Nothing: a process starts with the first request."""

    def _close(self) -> None:
        with self._lock:
            for call in self._calls.values():
                if call.begun:
                    CHANNELS[call.slot].send(Cancel(call.request.request_id))
            pumps, end = list(self._pumps), time.monotonic() + END_SECONDS
        for pump in pumps:
            pump.join(max(0.0, end - time.monotonic()))
        for fork in multiprocessing.active_children():
            if fork.pid in self._forks:
                fork.kill()
                fork.join(END_SECONDS)
        for pump in pumps:
            pump.join(END_SECONDS)

    def _send(self, message: object) -> None:
        """Give a message its way. Forget has none: no fork keeps a visitor's model."""
        with self._lock:
            match message:
                case Request():
                    self._calls[message.request_id] = Call(message, copy_context())
                    self._line.add(message)
                    self._admit()
                case Control():
                    self._control(message)
                case Cancel():
                    self._cancel(message.request_id)
                case Preload():
                    tell = lambda text, part: log.info("%s", text)
                    self._message = FORKED.prepare.preload(message.model_ids, tell) or "Ready."

    def _admit(self) -> None:
        """With the lock held: give free channels to those who wait longest, and tell the others where they stand."""
        places = self._places() - sum(call.slot is not None and not call.over for call in self._calls.values())
        while places > 0 and self._free and self._state != "closed" and (request := self._line.first()) is not None:
            places -= 1
            self._line.disconnect(request.request_id)
            call = self._calls[request.request_id]
            call.slot = self._free.popleft()
            pump = threading.Thread(target=call.context.run, args=(self._pump, call), name="gpu-call", daemon=True)
            self._pumps.add(pump)
            pump.start()
        self._line.tell()

    def _control(self, control: Control) -> None:
        call = self._calls.get(control.request_id)
        if call is None:
            return
        if call.begun:
            if not CHANNELS[call.slot].send(control):
                raise BusyError(TOO_MANY)
            return
        if control.ensemble is not None:            # only the newest settings matter, and every pin
            call.held = [each for each in call.held if each.pin is not None]
        if len(call.held) >= MAX_HELD:
            raise BusyError(TOO_MANY)
        call.held.append(control)

    def _cancel(self, request_id: str) -> None:
        call = self._calls.get(request_id)
        if call is None:
            return
        if call.begun:
            CHANNELS[call.slot].send(Cancel(request_id))
            return
        call.over = True
        if self._line.disconnect(request_id):
            del self._calls[request_id]
        self._admit()

    def _pump(self, call: Call) -> None:
        """One GPU call, on a thread of its own and in the visitor's context, so that it is the visitor's quota that is used."""
        request_id = call.request.request_id
        batches = answer(call.request, call.slot)
        late = threading.Timer(TELL_SECONDS, self._receive, (Loading(request_id, WAITING, 0.0),))
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
                    self._receive(event)
                if call.over:
                    with self._lock:
                        self._admit()
        except Exception as error:
            log.warning("a GPU call failed: %s", getattr(error, "message", error), exc_info=not hasattr(error, "title"))
            self._receive(Failed(request_id, sentence(error)))
        finally:
            late.cancel()
            batches.close()
            self._receive(Failed(request_id, NO_GPU))           # no effect on a run that has ended
            self._end(call)

    def _begin(self, call: Call, pid: int) -> bool:
        """The fork reads the channel now: it gets what was held. False when the request was cancelled meanwhile."""
        with self._lock:
            run = self.runs.find(call.request.request_id)
            if run is None or run.ended:
                return False
            self._forks.add(pid)
            call.begun = True
            for control in call.held:
                CHANNELS[call.slot].send(control)
            return True

    def _end(self, call: Call) -> None:
        with self._lock:
            if self._calls.get(call.request.request_id) is call:
                del self._calls[call.request.request_id]
            CHANNELS[call.slot].clear()
            self._free.append(call.slot)
            self._pumps.discard(threading.current_thread())
            self._admit()

    def _receive(self, event: Event) -> None:
        if isinstance(event, Done):
            self._line.note(event)
        super()._receive(event)

    def _health(self) -> tuple[bool, str, float, int, str, tuple[str, ...]]:
        prepare = FORKED.prepare
        return self._state == "open", self._message, 1.0, 0, prepare.device, prepare.loaded()
