"""Questions asked of the engine one by one, as a visitor's own, and scored as the command line scores them. No components.

An answer does not depend on the other questions, here as there.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from ...config import EnsembleParams, Limits
from ...errors import BusyError, VisitorError
from ...evaluation.metrics import correction_and_resistance, exact, per_token, scores
from ...evaluation.questions import Question, questions_of
from ...protocol.frames import Frame
from ...protocol.messages import Document, Done, Failed, Request, is_private
from ...protocol.options import as_json
from ...protocol.validation import check_text
from .. import strings as words

MAX_QUESTIONS, MAX_BYTES = 200, 2_000_000
AT_ONCE, AT_ONCE_OF_ALL = 2, 4      # of one visitor, and of all: places of the engine stay free for those who ask
BUSY_SECONDS, BUSY_TRIES = 1.0, 120


@dataclass(frozen=True)
class Contender:
    """Who is measured: a name as the command line gives it, the users and how they are fused."""

    name: str
    users: tuple[str, ...]
    ensemble: EnsembleParams


def contenders(chosen: list[str], users: tuple[str, ...], ensemble: EnsembleParams) -> list[Contender]:
    """The ones of ``chosen`` ("core", "users", "ensemble") in the order of the table.

    A visitor's own model never answers alone: nobody has seen what it says. Raises VisitorError when nobody is left.
    """
    found = [Contender("core", (), EnsembleParams())] if "core" in chosen else []
    if "users" in chosen:
        found += [Contender(f"user:{user}", (user,), EnsembleParams(lam={user: 1.0}, alpha=ensemble.alpha))
                  for user in users if not is_private(user)]
    if "ensemble" in chosen and users:
        found.append(Contender("ensemble", users, ensemble))
    if not found:
        raise VisitorError(words.NO_CONTENDER)
    return found


def read_manifest(name: str, data: bytes, limits: Limits) -> list[Question]:
    """The questions of a file that a visitor sent. Raises VisitorError."""
    if len(data) > MAX_BYTES:
        raise VisitorError(f"{name} may have at most {MAX_BYTES / 1e6:g} MB; send fewer questions.")
    try:
        questions = questions_of(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError:
        raise VisitorError(f"{name} is not UTF-8 text; save it as UTF-8 and try again.") from None
    if len(questions) > MAX_QUESTIONS:
        raise VisitorError(f"{name} may have at most {MAX_QUESTIONS} questions, not {len(questions)}; send fewer.")
    for number, question in enumerate(questions, 1):
        check_text(f"Question {number}", question.question, limits.max_prompt_chars)
        check_text(f"The answer to question {number}", question.answer, limits.max_document_chars)
        check_text(f"The document of question {number}", question.document, limits.max_document_chars)
    return questions


class EvaluationJob:
    """One evaluation under way. ``stop`` ends it within a step; rows that were finished stay.

    places: of all evaluations together. model: a Request with everything but prompt, users, weights and documents.
    """

    def __init__(self, engine, places: asyncio.Semaphore, model: Request, questions: list[Question]):
        self.engine, self.places, self.model, self.questions = engine, places, model, questions
        self.mine = asyncio.Semaphore(AT_ONCE)
        self.stopped = False
        self._running: set[str] = set()
        self._right: dict[str, list[bool]] = {}

    def stop(self) -> None:
        """End it."""
        self.stopped = True
        for run_id in list(self._running):
            self.engine.cancel(run_id)

    async def row(self, contender: Contender) -> AsyncIterator[int | dict]:
        """How many questions are answered, as it grows, and at the end the row of the table. Raises VisitorError."""
        start = time.monotonic()
        tasks = [asyncio.create_task(self._answer(contender, question)) for question in self.questions]
        try:
            for count, task in enumerate(asyncio.as_completed(tasks), 1):
                await task
                yield count
            found = [task.result() for task in tasks]
            self._right[contender.name] = [exact(done.answer, question.answer)
                                           for (done, _), question in zip(found, self.questions, strict=True)]
            yield row_of(contender, self.questions, found, time.monotonic() - start) | correction_and_resistance(self._right)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, contender: Contender, question: Question) -> tuple[Done, int]:
        """One answer, and how many blocks it took."""
        documents = (Document("document", question.document),) if question.document else ()
        asked = replace(self.model, prompt=question.question, users=contender.users, ensemble=contender.ensemble,
                        documents=documents)
        async with self.mine, self.places:
            run_id = await self._submit(asked)
            self._running.add(run_id)
            blocks, end = 0, None
            try:
                async for event in self.engine.astream(run_id):
                    blocks = event.block + 1 if isinstance(event, Frame) else blocks
                    end = event if isinstance(event, Done | Failed) else end
            finally:
                self._running.discard(run_id)
                self.engine.cancel(run_id)
                self.engine.delete(run_id)
        if self.stopped:
            raise VisitorError(words.EVALUATION_STOPPED)
        if not isinstance(end, Done):
            raise VisitorError(end.message if end else words.EVALUATION_STOPPED)
        return end, blocks

    async def _submit(self, asked: Request) -> str:
        """The run's id; waits while all places are taken."""
        for _ in range(BUSY_TRIES):
            if self.stopped:
                raise VisitorError(words.EVALUATION_STOPPED)
            try:
                return self.engine.submit(asked)
            except BusyError:
                await asyncio.sleep(BUSY_SECONDS)
        return self.engine.submit(asked)


def row_of(contender: Contender, questions: list[Question], found: list[tuple[Done, int]], seconds: float) -> dict:
    """One row, as the command line has it. An expert without a weight has no share."""
    ends = [done for done, _ in found]
    tokens, shares = sum(done.tokens for done in ends), Counter()
    for done in ends:
        shares.update({name: share * done.tokens for name, share in done.shares.items()})
    silent = {"core"} if contender.name.startswith("user:") else set()
    row = scores(contender.name, [done.answer for done in ends], questions, tokens,
                 sum(done.finish_reason == "eos" for done in ends), seconds)
    made = sum(done.steps / max(1, blocks) for done, blocks in found)
    return row | {"steps_per_block": round(made / len(questions), 2),
                  "steps_per_token": per_token(sum(done.steps for done in ends), tokens),
                  "share": {name: round(total / max(tokens, 1), 4) for name, total in shares.items() if name not in silent}}


def settings_of(model: Request, ensemble: EnsembleParams, name: str, public: Callable[[str], str]) -> dict:
    """The settings as ``evaluate --json`` gives them. name: of the file. public: an expert's name as others may know it."""
    shown = replace(ensemble, lam={public(user): weight for user, weight in ensemble.lam.items()})
    return as_json(model.core, shown, model.sampling, base=None, data=[name])
