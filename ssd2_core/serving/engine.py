"""The page's end of the work: submit, stream, control, cancel. Knows messages and limits; never imports torch itself.

``ProcessEngine`` has a worker process, which it restarts when it dies; inline.py has one that runs the same worker on a thread,
zero.py one whose answers are GPU calls of ZeroGPU, ray_engine.py one with a worker on each device of a Ray.
"""

import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

from ..config import EnsembleParams, Settings
from ..errors import BusyError, ModelError
from ..protocol.messages import Cancel, Control, Event, Failed, Pin, Preload, Request, Unload, is_private
from ..protocol.validation import check_own_weights, check_pin, check_places, check_request, check_weights
from .event_log import RunStore
from .finetune_jobs import FinetuneJobs
from .stats import Counters
from .supervisor import CLOSED
from .visitor_models import UserModels
from .wait_queue import stopped_before

log = logging.getLogger(__name__)
WORKER_LOST = "The worker stopped unexpectedly; it is starting again, please ask once more."


@dataclass(frozen=True)
class Status:
    """How the service is. ready: models asked for at the start are in memory. fraction: 0..1 of them.

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


class Engine:
    """What the engines share. An engine starts at ``start`` or its first request and ends at ``close``; also as ``with``.

    only_known: requests may name only listed models, ``settings.core`` and what ``allow`` was told.
    """

    def __init__(self, settings: Settings, only_known: bool):
        self.user_models = UserModels(settings.limits)
        self.settings = settings = replace(settings, visitors_folder=str(self.user_models.folder))
        self.finetune_jobs = FinetuneJobs(settings, self.user_models)
        self.only_known = only_known
        self.counters = Counters()
        self.runs = RunStore(settings.limits.keep_runs_seconds)
        self._allowed = {settings.core, *settings.users}
        self._lock = threading.RLock()
        self._state = "new"

    def __enter__(self) -> "Engine":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the worker; returns at once. Again has no effect."""
        with self._lock:
            if self._state == "new":
                self._state = "open"
                self._start()

    def close(self) -> None:
        """End the worker and every run, within about a second."""
        with self._lock:
            was_open, self._state = self._state == "open", "closed"
            self._fail_all(CLOSED)
        if was_open:
            self._close()
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
            check_places([run.request.owner for run in self.runs.live()], request.owner, limits, self._places())
            self.runs.open(request)
            self.counters.asked(request)
            self._send(request)
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
        self._send(Control(request_id, ensemble))
        return True

    def pin(self, request_id: str, pin: Pin) -> bool:
        """Give a run a token or a word, from its next step on. False when it has ended or is unknown."""
        run = self.runs.find(request_id)
        if run is None or run.ended:
            return False
        self._send(Control(request_id, pin=check_pin(pin, self.settings.limits)))
        return True

    def cancel(self, request_id: str) -> bool:
        """Stop a run within one step; what it wrote stays. False when it has ended or is unknown.

        One that has not begun ends at once, whatever the worker is busy with.
        """
        run = self.runs.find(request_id)
        if run is None or run.ended:
            return False
        self._send(Cancel(request_id))
        if not run.started:
            self._receive(stopped_before(request_id, self._health()[4]))
        return True

    def forget(self, request_id: str) -> None:
        """Stop a run and drop everything it holds."""
        self.cancel(request_id)
        self.runs.forget(request_id)
        self.counters.forgotten(request_id)

    def allow(self, *model_ids: str) -> None:
        """Let requests name these models, too."""
        self._allowed.update(model_ids)

    def disallow(self, *model_ids: str) -> None:
        """Take back what ``allow`` was told."""
        self._allowed.difference_update(model_ids)

    def drop(self, owner: str, model_id: str) -> None:
        """Delete one of a visitor's own models."""
        if self.user_models.remove(owner, model_id):
            self._forget_models((model_id,))

    def disconnect(self, owner: str) -> None:
        """A visitor is gone: everything of theirs is deleted."""
        self.finetune_jobs.disconnect(owner)
        self._forget_models(self.user_models.disconnect(owner))

    def transfer_owner(self, owner: str, new_owner: str) -> None:
        """A visitor whose connection broke is back under a new name: what was theirs is theirs again."""
        with self._lock:
            self.user_models.transfer_owner(owner, new_owner)
            self.finetune_jobs.transfer_owner(owner, new_owner)

    def still_here(self, owner: str) -> None:
        """A visitor's page is open. What belongs to those whose pages have been silent for too long is deleted."""
        self.user_models.cards(owner)
        self._forget_models(self.user_models.sweep())

    def _forget_models(self, model_ids: tuple[str, ...]) -> None:
        if model_ids:
            self._send(Unload(model_ids))

    def preload(self, *model_ids: str) -> None:
        """Load these models ahead of the first request that needs them."""
        self._send(Preload(model_ids))

    def models(self) -> list:
        """The cards of the models that are here, as cards.list_models gives them, and of the settings' core and users."""
        from ..registry.cards import list_models, local_card
        cards = list_models()
        known = {card.id for card in cards}
        named = dict.fromkeys((self.settings.core, *self.settings.users))
        more = [card for card in map(local_card, (i for i in named if i not in known)) if card]
        return [*(c for c in more if c.role == "core"), *cards, *(c for c in more if c.role != "core")]

    def status(self) -> Status:
        """How the service is now."""
        live = self.runs.live()
        active = sum(run.started for run in live)
        ready, message, fraction, restarts, device, loaded = self._health()
        return Status(ready, message, fraction, restarts, active, len(live) - active, device, loaded)

    def health(self) -> dict:
        """How the service is, for whoever watches over it: plain numbers."""
        now, counters = self.status(), self.counters
        return {"ready": now.ready, "active": now.active, "queued": now.waiting, "restarts": now.restarts, "device": now.device,
                "steps": counters.steps, "steps_per_second": counters.steps_per_second(), "ended": dict(counters.ends),
                "up_s": round(time.monotonic() - counters.born)}

    def _check_models(self, request: Request) -> None:
        """Refuse models that this server does not offer, and other visitors' own, in the same words."""
        from ..registry.cards import list_models
        own = {i for i in request.users if is_private(i) and self.user_models.owns(request.owner, i)}
        asked = {request.core, *request.users} - own
        unknown = {i for i in asked if is_private(i)}
        if self.only_known and not asked <= self._allowed:
            unknown |= asked - self._allowed - {card.id for card in list_models()}
        for model_id in (request.core, *request.users):
            if model_id in unknown:
                raise ModelError(f"The model {model_id!r} is not known here; choose one from the list.")

    def _places(self) -> int:
        """How many requests can be answered at once."""
        return self.settings.limits.max_active

    def _check_open(self) -> None:
        if self._state == "closed":
            raise BusyError(CLOSED)

    def _receive(self, event: Event) -> None:
        """An event from the worker, for the run it names; runs that were forgotten get none."""
        run = self.runs.find(event.request_id)
        if run is None:
            return
        with self._lock:                    # a run may end here and in the worker at once; it is counted once
            if not run.ended:
                self.counters.noted(run.request, event)
                run.append(event)

    def _fail_all(self, message: str) -> None:
        for run in self.runs.live():
            self._receive(Failed(run.request.request_id, message))

    def _start(self) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError

    def _send(self, message: object) -> None:
        raise NotImplementedError

    def _health(self) -> tuple[bool, str, float, int, str, tuple[str, ...]]:
        """ready, message, fraction, restarts, device, loaded."""
        raise NotImplementedError
