"""The process that teaches small experts visitors' texts, one at a time, beside the worker and never in its way.

It is a process of its own: sampling keeps its memory and its turn, and a training that fails takes nothing else with it.
"""

import logging
import os
import random
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from ..errors import DISK_FULL, VisitorError, is_disk_full
from ..protocol.messages import Failed, FinetuneProgress, FinetuneRequest, FinetuneResult, StopFinetune

log = logging.getLogger(__name__)
NICE, TELL_EVERY, ASKED = 5, 2, 24
BROKEN = "Something went wrong while training; the cause is in the server's log."


def main(inbox: SimpleQueue, send: Callable[[object], None], settings: object) -> None:
    """Take jobs until the engine ends this process."""
    os.nice(NICE)
    import torch
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    stops: set[str] = set()
    while True:
        job = inbox.get()
        if isinstance(job, StopFinetune):
            stops.add(job.request_id)
        elif isinstance(job, FinetuneRequest):
            try:
                send(teach(job, send, lambda job=job: _stopped(inbox, stops, job.request_id)))
            except VisitorError as error:
                send(Failed(job.request_id, str(error)))
            except Exception as error:
                log.exception("a training failed")
                send(Failed(job.request_id, DISK_FULL if is_disk_full(error) else BROKEN))


def _stopped(inbox: SimpleQueue, stops: set[str], request_id: str) -> bool:
    """Whether this job shall stop. Other jobs that came meanwhile keep their places."""
    waiting = []
    try:
        while True:
            message = inbox.get(block=False)
            if isinstance(message, StopFinetune):
                stops.add(message.request_id)
            else:
                waiting.append(message)
    except Empty:
        pass
    for message in waiting:
        inbox.put(message)
    return request_id in stops


def teach(job: FinetuneRequest, send: Callable[[object], None], stopped: Callable[[], bool]) -> FinetuneResult:
    """Train one expert, write its folder, and say what it answered before and after."""
    from ..training.finetune.learner import load_learner
    from ..training.finetune.question_generation import check_sheet
    if stopped():
        raise VisitorError("The training was stopped before it began.")
    learner = load_learner(job.user)
    texts = [document.text for document in job.documents]
    asked = random.Random(7).choice(check_sheet(texts, ASKED) or [None])
    says = lambda: learner.answers([(asked.question, "")])[0]  # noqa: E731
    before = says() if asked else ""

    def tell(step: int, loss: float, left: float) -> None:
        if step % TELL_EVERY == 0:
            send(FinetuneProgress(job.request_id, step, loss, max(0.0, left)))

    curve = learner.learn(texts, job.seconds, tell=tell, stopped=stopped)
    learner.save(Path(job.folder), job.title, "Has memorised your documents.")
    best = max(row["right"] for row in curve)
    return FinetuneResult(job.request_id, curve[-1]["step"], curve[-1]["loss"], best, asked.question, before, says())
