"""The page's end of the work: submit, stream, control, cancel. Knows messages and limits; never imports torch itself.

One engine over all transports: engines.py says which there are.
"""

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..config import EnsembleParams, Settings
from ..errors import BusyError, ModelError
from ..protocol.messages import Control, Event, Pace, Pin, Request, is_private
from ..protocol.validation import check_own_weights, check_pace, check_pin, check_places, check_request, check_weights
from ..registry.cards import list_models, offered_models
from .dispatcher import Dispatcher
from .event_log import RunStore
from .finetune_jobs import FinetuneJobs
from .stats import Counters
from .transport import Transport
from .visitor_models import UserModels
from .wait_queue import stopped_before
from .worker_handle import CLOSED, GAVE_UP, WorkerState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """How the service is. ready: what must be in memory from the start is there. fraction: 0..1 of what is being loaded.

    active: requests being answered; waiting: requests in the queue or whose models load. device: of the worker, "" at first.
    loaded: ids of the models in memory after the last preload.
    """

    ready: bool
    message: str
    fraction: float
    restarts: int
    active: int
    waiting: int
    device: str
    loaded: tuple[str, ...] = ()


def status_of(workers: Sequence[WorkerState], active: int, waiting: int) -> Status:
    """Ready as soon as one worker is. loaded: what all that are ready have. message: of one that is not, if there is one."""
    ready = [worker for worker in workers if worker.ready]
    loaded = tuple(i for i in ready[0].loaded if all(i in worker.loaded for worker in ready)) if ready else ()
    message = next((worker.message for worker in workers if not worker.ready), workers[0].message)
    return Status(bool(ready), message, sum(worker.fraction for worker in workers) / len(workers),
                  sum(worker.restarts for worker in workers), active, waiting,
                  ", ".join(dict.fromkeys(worker.device for worker in workers if worker.device)), loaded)


class Engine:
    """Answers requests. It starts at ``start`` or its first request and ends at ``close``; also as ``with``.

    starts: for each worker, what makes the transport to it out of the settings. preload: models that each worker loads first;
    None: the core. only_known: requests may name only listed models, and the core and the users of the settings.
    """

    def __init__(self, settings: Settings, starts: Sequence[Callable[[Settings], Transport]], *,
                 preload: tuple[str, ...] | None, only_known: bool):
        first = (settings.core,) if preload is None else tuple(preload)
        self.user_models = UserModels(settings.limits, self.models)
        self.settings = settings = replace(settings, visitors_folder=str(self.user_models.folder))
        self.finetune_jobs = FinetuneJobs(settings, self.user_models)
        self.only_known = only_known
        self.counters = Counters()
        self.runs = RunStore(settings.limits.keep_runs_seconds)
        self.dispatcher = Dispatcher([partial(start, settings) for start in starts], settings.limits.max_active,
                                     first, {settings.core} & set(first), self._receive)
        self._lock = self.dispatcher.lock
        self._state = "new"

    def __enter__(self) -> "Engine":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the workers; returns at once, but for one that has its models in this process. Again has no effect."""
        with self._lock:
            if self._state == "new":
                self._state = "open"
                self.dispatcher.start()

    def close(self) -> None:
        """End the workers and every run, within about a second."""
        with self._lock:
            self._state = "closed"
        self.dispatcher.close()
        self.finetune_jobs.close()
        self.user_models.close()

    def submit(self, request: Request) -> str:
        """Ask for an answer and return the run's id: the request's own, or an unguessable one when that is empty.

        Raises a VisitorError when anything about the request is outside the limits, BusyError when the queue is full.
        """
        limits = self.settings.limits
        request = check_request(request, limits)
        self._check_models(request)
        for ensemble in (request.ensemble, *(change.ensemble for change in request.plan if change.ensemble)):
            check_own_weights(ensemble, limits)
        request = replace(request, request_id=request.request_id or secrets.token_urlsafe(18))
        self.start()
        with self._lock:
            self._check_open()
            live = [run.request.owner for run in self.runs.live()]
            check_places(live, request.owner, limits, self.dispatcher.capacity())
            self.runs.open(request)
            self.counters.asked(request)
            self.dispatcher.submit(request)
        return request.request_id

    def stream(self, request_id: str, since: int = 0) -> Iterator[Event]:
        """Events of a run from number ``since`` on, as they come, to its Done or Failed. Any number of readers, also later."""
        return self.runs.get(request_id).stream(since)

    def astream(self, request_id: str, since: int = 0) -> AsyncIterator[Event]:
        """The same for asyncio. A reader that goes away changes nothing for the run: ``cancel`` does."""
        return self.runs.get(request_id).astream(since)

    def events(self, request_id: str, since: int = 0) -> list[Event]:
        """Events of a run so far, from number ``since`` on."""
        return self.runs.get(request_id).since(since)[0]

    def control(self, request_id: str, ensemble: EnsembleParams) -> bool:
        """New ensemble settings for a run, from its next step on. False when it has ended or is unknown."""
        run = self.runs.find(request_id)
        if run is None or run.ended:
            return False
        check_own_weights(check_weights(ensemble, run.request.users), self.settings.limits)
        self.dispatcher.control(Control(request_id, ensemble))
        return True

    def pin(self, request_id: str, pin: Pin) -> bool:
        """Give a run a token or a word, from its next step on. False when it has ended or is unknown."""
        run = self.runs.find(request_id)
        if run is None or run.ended:
            return False
        self.dispatcher.control(Control(request_id, pin=check_pin(pin, self.settings.limits)))
        return True

    def pace(self, request_id: str, pace: Pace) -> bool:
        """Pause a run, make single steps of it, let it go on, or slow it down. False when it has ended or is unknown.

        A paused run keeps its place for ``max_pause_seconds`` at most, then it goes on; others are not slowed.
        """
        run = self.runs.find(request_id)
        if run is None or run.ended:
            return False
        self.dispatcher.control(Control(request_id, pace=check_pace(pace, self.settings.limits)))
        return True

    def keeps(self, request_id: str) -> bool:
        """Whether a run is under way, or ended not too long ago and not before too many others."""
        return self.runs.find(request_id) is not None

    def cancel(self, request_id: str) -> bool:
        """Stop a run within one step; what it wrote stays. False when it has ended or is unknown.

        One that has not begun ends at once, whatever the worker is busy with.
        """
        run = self.runs.find(request_id)
        if run is None or run.ended:
            return False
        self.dispatcher.cancel(request_id)
        if not run.started:
            self._receive(stopped_before(request_id, self.status().device))
        return True

    def delete(self, request_id: str) -> None:
        """Stop a run and drop everything it holds."""
        self.cancel(request_id)
        self.runs.delete(request_id)
        self.counters.deleted(request_id)

    def drop(self, owner: str, model_id: str) -> None:
        """Delete one of a visitor's own models."""
        if self.user_models.remove(owner, model_id):
            self._unload((model_id,))

    def disconnect(self, owner: str) -> None:
        """A visitor is gone: everything of theirs is deleted."""
        self.finetune_jobs.disconnect(owner)
        self._unload(self.user_models.disconnect(owner))

    def still_here(self, owner: str) -> None:
        """A visitor's page is open. What belongs to those whose pages have been silent for too long is deleted."""
        self.user_models.cards(owner)
        self._unload(self.user_models.sweep())

    def _unload(self, model_ids: tuple[str, ...]) -> None:
        if model_ids:
            self.dispatcher.unload(model_ids)

    def preload(self, *model_ids: str) -> None:
        """Load these models ahead of the first request that needs them."""
        self.dispatcher.preload(model_ids)

    def models(self) -> list:
        """The cards of the models that are here, as cards.list_models gives them, and of the settings' core and users."""
        return offered_models((self.settings.core, *self.settings.users))

    def status(self) -> Status:
        """How the service is now."""
        live = self.runs.live()
        active = sum(run.started for run in live)
        return status_of(self.dispatcher.states, active, len(live) - active)

    def health(self) -> dict:
        """How the service is, for whoever watches over it: plain numbers."""
        now, counters = self.status(), self.counters
        return {"ready": now.ready, "active": now.active, "queued": now.waiting, "restarts": now.restarts, "device": now.device,
                "steps": counters.steps, "steps_per_second": counters.steps_per_second(), "ended": dict(counters.ends),
                "up_s": round(time.monotonic() - counters.born)}

    def _check_models(self, request: Request) -> None:
        """Refuse models that this server does not offer, and other visitors' own, in the same words."""
        own = {i for i in request.users if is_private(i) and self.user_models.owns(request.owner, i)}
        asked, offered = {request.core, *request.users} - own, {self.settings.core, *self.settings.users}
        unknown = {i for i in asked if is_private(i)}
        if self.only_known and not asked <= offered:
            unknown |= asked - offered - {card.id for card in list_models()}
        for model_id in (request.core, *request.users):
            if model_id in unknown:
                raise ModelError(f"The model {model_id!r} is not known here; choose one from the list.")

    def _check_open(self) -> None:
        if self._state == "closed":
            raise BusyError(CLOSED)
        if not self.dispatcher.capacity():
            raise BusyError(GAVE_UP)

    def _receive(self, event: Event) -> None:
        """An event for the run it names; runs that were deleted get none."""
        run = self.runs.find(event.request_id)
        if run is None:
            return
        with self._lock:                    # a run may end here and in the worker at once; it is counted once
            if not run.ended:
                self.counters.noted(run.request, event)
                run.append(event)
