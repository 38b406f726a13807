"""Trainings of small experts for visitors: one after the other, in a process of their own, each for its owner. No torch."""

import asyncio
import logging
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from ..config import Settings
from ..errors import BusyError, DocumentError, ModelError, VisitorError
from ..protocol.messages import Document, Failed, FinetuneProgress, FinetuneRequest, FinetuneResult, Queued, StopFinetune
from ..protocol.validation import check_documents, check_text
from ..registry.cards import ModelCard
from ..registry.kinds import NEXT_TOKEN
from ..registry.uploads import adapter_config
from .transports.process import ProcessTransport
from .visitor_models import UserModels

log = logging.getLogger(__name__)
LOST = "The training stopped unexpectedly; please start it again."
LOOK_SECONDS = 0.25
KEEP_SECONDS = 600.0


@dataclass
class Job:
    """One training. latest: the last thing known of it. card: what came out of it."""

    owner: str
    message: FinetuneRequest
    latest: Queued | FinetuneProgress | FinetuneResult | Failed
    card: ModelCard | None = None
    ended_at: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return isinstance(self.latest, (FinetuneResult, Failed))


class FinetuneJobs:
    """Takes trainings and watches the process that makes them. Every method may be called from any thread."""

    def __init__(self, settings: Settings, user_models: UserModels, target: str = "ssd2_core.serving.finetune_worker:main"):
        self.settings, self.user_models, self.target = settings, user_models, target
        self._jobs: dict[str, Job] = {}
        self._taken: dict[str, int] = {}
        self._trainer: ProcessTransport | None = None
        self._lock = threading.RLock()
        self._closed = False

    def teach(self, owner: str, user: str, documents: tuple[Document, ...], title: str) -> str:
        """Begin, or queue, a training of a copy of ``user``. -> its id. Raises a VisitorError when it cannot be."""
        limits = self.settings.limits
        documents = check_documents(documents, limits)
        if not any(document.text.strip() for document in documents):
            raise DocumentError("There is nothing to learn yet; paste a text or drop a file first.")
        title = check_text("The title", title, 60, ModelError).strip() or "Mine"
        _check_user(user, self.user_models.offered())
        with self._lock:
            self._delete_old()
            if self._closed:
                raise BusyError("The service is closed.")
            if any(job.owner == owner and not job.ended for job in self._jobs.values()):
                raise BusyError("Your last training is not finished; wait for it or stop it.")
            if self._taken.get(owner, 0) >= limits.max_trainings:
                raise BusyError(f"You have trained {limits.max_trainings} times on this visit, which is the most.")
            if sum(not job.ended for job in self._jobs.values()) > limits.max_waiting_trainings:
                raise BusyError("Too many trainings wait already; try again in some minutes.")
            self.user_models.check_room(owner)
            job_id = secrets.token_urlsafe(18)
            message = FinetuneRequest(job_id, user, documents, str(self._folder(job_id)), title, limits.training_seconds)
            self._jobs[job_id] = Job(owner, message, Queued(job_id, 0))
            self._taken[owner] = self._taken.get(owner, 0) + 1
            self._number()
            self._start()
            self._trainer.send(message)
        return job_id

    def job(self, owner: str, job_id: str) -> Job:
        """A training of ``owner``. Raises VisitorError for any other id."""
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise VisitorError("This training is not known here any more.")
        return job

    async def astream(self, owner: str, job_id: str) -> AsyncIterator[Queued | FinetuneProgress | FinetuneResult | Failed]:
        """What becomes of a training, to its FinetuneResult or Failed; only the latest news are told."""
        job, seen = self.job(owner, job_id), None
        while True:
            latest = job.latest
            if latest is not seen:
                seen = latest
                yield latest
            if isinstance(seen, (FinetuneResult, Failed)):
                return
            await asyncio.sleep(LOOK_SECONDS)

    def stop(self, owner: str, job_id: str) -> None:
        """End a training; what it has learned by then is kept."""
        if not self.job(owner, job_id).ended:
            self._send_stop(job_id)

    def under_way(self, owner: str) -> str | None:
        """The id of the owner's training that is not finished; None when there is none."""
        return next((i for i, job in self._jobs.items() if job.owner == owner and not job.ended), None)

    def disconnect(self, owner: str) -> None:
        """The owner is gone: trainings end, and nothing of them stays."""
        with self._lock:
            self._taken.pop(owner, None)
            for job_id, job in list(self._jobs.items()):
                if job.owner == owner:
                    self._send_stop(job_id)
                    del self._jobs[job_id]

    def close(self) -> None:
        """End the process and every training."""
        with self._lock:
            self._closed, trainer, self._trainer = True, self._trainer, None
        if trainer is not None:
            trainer.end()

    def _start(self) -> None:
        if self._trainer is None:
            self._trainer = ProcessTransport(self.target, self.settings)
            threading.Thread(target=self._listen, args=(self._trainer,), name="from-trainer", daemon=True).start()

    def _send_stop(self, job_id: str) -> None:
        with self._lock:
            if self._trainer is not None:
                self._trainer.send(StopFinetune(job_id))

    def _listen(self, trainer: ProcessTransport) -> None:
        for message in trainer.messages():
            with self._lock:
                self._take(message)
        with self._lock:
            if self._trainer is trainer:
                self._trainer = None
                for job in self._jobs.values():
                    if not job.ended:
                        self._end(job, Failed(job.message.request_id, LOST))
        trainer.end()

    def _take(self, message: object) -> None:
        job = self._jobs.get(getattr(message, "request_id", ""))
        if isinstance(message, FinetuneResult):
            if job is None:                     # its owner has left
                self._clean(message.request_id)
                return
            try:
                job.card = self.user_models.keep(job.owner, Path(job.message.folder))
            except VisitorError as error:
                message = Failed(message.request_id, str(error))
            self._end(job, message)
        elif job is not None and isinstance(message, Failed):
            self._end(job, message)
        elif job is not None and isinstance(message, FinetuneProgress):
            job.latest = message

    def _end(self, job: Job, message: FinetuneResult | Failed) -> None:
        job.latest, job.ended_at = message, time.monotonic()
        if isinstance(message, Failed):
            self._clean(job.message.request_id)
        self._number()

    def _clean(self, job_id: str) -> None:
        shutil.rmtree(self._folder(job_id), ignore_errors=True)

    def _folder(self, job_id: str) -> Path:
        return self.user_models.folder / f"work-{job_id}"

    def _number(self) -> None:
        """Tell those who wait where they stand."""
        waiting = [job for job in self._jobs.values() if isinstance(job.latest, Queued)]
        for position, job in enumerate(waiting, 0 if self._is_idle() else 1):
            job.latest = Queued(job.message.request_id, position)

    def _is_idle(self) -> bool:
        return not any(isinstance(job.latest, FinetuneProgress) for job in self._jobs.values())

    def _delete_old(self) -> None:
        oldest = time.monotonic() - KEEP_SECONDS
        for job_id, job in list(self._jobs.items()):
            if job.ended and job.ended_at < oldest:
                del self._jobs[job_id]


def _check_user(user: str, offered: list[ModelCard]) -> None:
    """Raise ModelError unless ``user`` is a small expert that can be trained here: a bundled one, or an offered adapter."""
    known = [card.id for card in offered if card.role == "reader" and (
        adapter_config(card) if card.kind == NEXT_TOKEN else card.source == "bundled")]
    if user not in known:
        raise ModelError(f"{user!r} cannot be taught here; choose one of {', '.join(known)}.")
