"""An engine whose every token is known: frames at a fixed rate, no models. The interface of ssd2_core.serving.engine.Engine."""

import asyncio
import json
import math
import random
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ssd2_core.config import TOGETHER, EnsembleParams, Settings
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Done, Event, Failed, Loading, Pace, Paced, Pin, Queued, Request, Started
from ssd2_core.protocol.validation import check_pace, check_pin, check_request, check_weights
from ssd2_core.registry.cards import BUNDLED, tokenizer_hash
from ssd2_core.serving.engine import Status
from ssd2_core.serving.finetune_jobs import FinetuneJobs
from ssd2_core.serving.visitor_models import UserModels

ANSWER = ("The dog in your letter is called Biscuit, and on <b>Sundays</b> the two of them walk along the river "
          "to the market and buy ${bread}.")
WAITS = re.compile(r"\((ensemble )?waits at (\d+)\)")
NOISE = (" river", " the", "ing", " 7", " of", "\n", " blue", " where", "er", " moon", " &", " ${x}")


@dataclass(frozen=True)
class FakeCard:
    """What the page reads of a library.ModelCard."""

    id: str
    role: str
    title: str
    summary: str
    parameters: int
    tokenizer_hash: str = tokenizer_hash(BUNDLED / "compact-reader" / "tokenizer.json")
    simplex_value: float = 5.0
    license: str = "apache-2.0"
    measured: dict = field(default_factory=dict)
    source: str = "bundled"
    kind: str = "simplex"
    vocabulary: str = ""
    own: dict = field(default_factory=dict)


CARDS = [FakeCard("compact-core", "core", "Compact core", "Knows general facts; never sees a document.", 4_700_000),
         FakeCard("compact-reader", "reader", "Reader", "Answers from a document.", 1_400_000),
         FakeCard("compact-islander", "specialist", "Islander", "Knows an invented island.", 1_100_000)]
PAIR = [FakeCard("goliath", "core", "Goliath", "Follows instructions.", 135_000_000, "two"),
        FakeCard("david", "reader", "David", "Reads your documents.", 20_000_000, "two")]


def answer_tokens() -> list[str]:
    """The answer cut into tokens as a byte-level tokenizer would: a space belongs to the word after it."""
    words = ANSWER.split(" ")
    return [words[0], *(" " + word for word in words[1:])]


class FakeEngine:
    """One frame each ``seconds_per_step``. What it is asked goes to ``log`` as one JSON object a line.

    With ``settings.preferred`` there is a second pair, in memory once ``pair_is_here``.
    """

    def __init__(self, settings: Settings, seconds_per_step: float = 0.04, log: str | None = None):
        self.settings, self.seconds_per_step, self.log = settings, seconds_per_step, log
        self.pair_is_here = lambda: True
        self.user_models = UserModels(settings.limits)
        self.finetune_jobs = FinetuneJobs(settings, self.user_models, "tests.support.fake_trainer:main")
        self.requests: dict[str, Request] = {}
        self.ensembles: dict[str, EnsembleParams] = {}
        self.cancelled: set[str] = set()
        self.paces: dict[str, Pace] = {}
        self.revisions: dict[str, int] = {}
        self.born, self.kept, self.active = time.monotonic(), 200, 0

    def note(self, kind: str, request_id: str, data: dict) -> None:
        """Add a line to the log."""
        if self.log:
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, "id": request_id, **data}) + "\n")

    def health(self) -> dict:
        """Ready when the status says so."""
        return {"ready": self.status().ready, "active": 0}

    def start(self) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to close."""

    def disconnect(self, owner: str) -> None:
        """As the real one."""
        self.finetune_jobs.disconnect(owner)
        self.note("leave", owner, {"gone": list(self.user_models.disconnect(owner))})

    def still_here(self, owner: str) -> None:
        """Nobody is idle for too long here."""

    def drop(self, owner: str, model_id: str) -> None:
        """As the real one."""
        self.user_models.remove(owner, model_id)

    def delete(self, request_id: str) -> None:
        """Nothing is kept."""

    def keeps(self, request_id: str) -> bool:
        """Every run, until the last one that may be."""
        return request_id in list(self.requests)[max(0, len(self.requests) - self.kept):]

    def models(self) -> list[FakeCard]:
        """The cards."""
        return CARDS + PAIR if self.settings.preferred else CARDS

    def status(self) -> Status:
        """Loading for a second, then ready."""
        part = min(1.0, time.monotonic() - self.born)
        if part >= 1 and self.settings.preferred:
            here = self.pair_is_here()
            return Status(True, "Ready." if here else "Fetching a base.", 1.0 if here else 0.25, 0, 0, 0, "cpu",
                          ("compact-core", "compact-reader", *(self.settings.preferred if here else ())))
        return Status(part >= 1, "Ready." if part >= 1 else "Loading compact-core.", part, 0, self.active, 0, "cpu")

    def submit(self, request: Request) -> str:
        """As the real one: checked, then accepted."""
        request = check_request(request, self.settings.limits)
        request = replace(request, request_id=request.request_id or f"run-{len(self.requests)}")
        self.requests[request.request_id], self.ensembles[request.request_id] = request, request.ensemble
        self.note("submit", request.request_id, {"request": asdict(request)})
        return request.request_id

    def control(self, request_id: str, ensemble: EnsembleParams) -> bool:
        """Act at the next frame."""
        self.revisions[request_id] = self.revisions.get(request_id, 0) + 1
        self.ensembles[request_id] = check_weights(ensemble, self.requests[request_id].users)
        self.note("control", request_id, {"ensemble": asdict(ensemble)})
        return True

    def pin(self, request_id: str, pin: Pin) -> bool:
        """Noted; the tokens stay what they are."""
        self.note("pin", request_id, asdict(check_pin(pin, self.settings.limits)))
        return True

    def pace(self, request_id: str, pace: Pace) -> bool:
        """Act before the next frame."""
        self.paces[request_id] = check_pace(pace, self.settings.limits)
        self.note("pace", request_id, asdict(pace))
        return True

    def events(self, request_id: str, since: int = 0) -> list[Event]:
        """The whole run."""
        return list(self.script(request_id))

    def cancel(self, request_id: str) -> bool:
        """Stop before the next frame."""
        self.cancelled.add(request_id)
        self.note("cancel", request_id, {})
        return True

    def stream(self, request_id: str, since: int = 0) -> Iterator[Event]:
        """All events at once, without waiting."""
        return iter(self.script(request_id))

    async def astream(self, request_id: str, since: int = 0) -> AsyncIterator[Event]:
        """Events at the fixed rate. "(waits at 5)" in a prompt: the run stands there until it is cancelled or let go.

        "(ensemble waits at 5)": only one that has users.
        """
        prompt = self.requests[request_id].prompt
        waits, shown = WAITS.search(prompt), 0
        stand = int(waits[2]) if waits and (self.requests[request_id].users or not waits[1]) else 0
        if self.requests[request_id].core in self.settings.preferred and not self.pair_is_here():
            yield Loading(request_id, "Fetching a base, about 7 s left.", 0.25)
            while not self.pair_is_here() and request_id not in self.cancelled:
                await asyncio.sleep(0.05)
        self.paces.setdefault(request_id, self.requests[request_id].pace)
        told = None
        events, event = self.script(request_id), None
        while not isinstance(event, Done | Failed):
            if isinstance(event, Started | Frame):
                while (pace := self.paces[request_id]).per_second == 0 and not pace.steps and request_id not in self.cancelled:
                    if pace != told:
                        yield Paced(request_id, told := pace)
                    await asyncio.sleep(0.02)
                self.paces[request_id] = replace(pace, steps=max(0, pace.steps - 1))
                if pace.per_second != (told or Pace()).per_second:
                    yield Paced(request_id, told := pace)
            event = next(events)
            yield event
            if isinstance(event, Frame):
                shown += 1
                await asyncio.sleep(1 / pace.per_second if pace.per_second else self.seconds_per_step)
                while shown == stand and request_id not in self.cancelled and prompt not in self.let_go():
                    await asyncio.sleep(0.02)

    def let_go(self) -> list[str]:
        """Prompts whose runs need not stand any more, see tests.support.browser.let_go."""
        path = Path(f"{self.log}.go")
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def script(self, request_id: str) -> Iterator[Event]:
        """The whole run."""
        request = self.requests[request_id]
        names = ("core", *request.users)
        yield Queued(request_id, 1)
        yield Loading(request_id, "Loading compact-reader.", 0.5)
        read = tuple(document.text for document in request.documents)
        yield Started(request_id, names, dict.fromkeys(names, 12), read, ("The rest",) if read else ())
        if "fail" in request.prompt:
            yield Failed(request_id, "The worker stopped and starts again; please ask again.")
            return
        length, steps = request.sampling.block_length, request.sampling.num_steps
        again = 8 if "at length" in request.prompt else 1
        tokens = (again * answer_tokens() + ["<eos>"])[:request.sampling.max_new_tokens]
        said, count = "", 0
        for block in range(math.ceil(len(tokens) / length)):
            part = tokens[block * length:(block + 1) * length]
            part += ["<eos>"] * (length - len(part))
            for frame in self.frames(request, names, block, part, steps):
                if request_id in self.cancelled:
                    yield self.done(request, said, "stopped", count, names)
                    return
                shown = frame.texts[:frame.is_eos.index(True)] if True in frame.is_eos else frame.texts
                partial, count = said + "".join(shown), count + 1
                yield frame
            said = partial
        yield self.done(request, said.strip(), "length" if "cut short" in request.prompt else "eos", count, names)

    def frames(self, request: Request, names: tuple[str, ...], block: int, part: list[str],
               steps: int) -> Iterator[Frame]:
        """One block: each position settles at its own step."""
        rng = random.Random(block)
        settle = [rng.randint(max(1, steps // 4), steps) for _ in part]
        before = [""] * len(part)
        for step in range(1, steps + 1):
            lam = self.ensembles[request.request_id].lam
            texts = [word if step >= at or step == steps else rng.choice(NOISE)
                     for word, at in zip(part, settle, strict=True)]
            sure = [min(1.0, 0.15 + 0.8 * min(1, step / at)) for at in settle]
            share = {name: [self.share(name, lam, i) for i in range(len(part))] for name in names}
            yield Frame(request.request_id, block, step, steps, math.cos(math.pi / 2 * (1 - (step - 1) / steps)) ** 2,
                        list(range(len(part))), texts, [round(c, 3) for c in sure], [round(3 - 3 * c, 3) for c in sure],
                        share, share, [a != b for a, b in zip(texts, before, strict=True)], [" cat"] * len(part),
                        [text == "<eos>" for text in texts], 40.0 * step, self.candidates(names, texts, sure),
                        [round(0.6 - 0.5 * c, 3) for c in sure], [False] * len(part), self.revisions.get(request.request_id, 0),
                        before if step > 1 else [""] * len(part), [round(c * (step > 1), 3) for c in sure],
                        [step >= at for at in settle])
            before = texts

    def candidates(self, names: tuple[str, ...], texts: list[str], sure: list[float]) -> dict:
        """Three for each position: the token that is shown, and two that always stand behind it."""
        rows = [[(text, round(c, 3)), (" cat", round((1 - c) / 2, 3)), (" dog", round((1 - c) / 4, 3))]
                for text, c in zip(texts, sure, strict=True)]
        return {TOGETHER: rows, **dict.fromkeys(names, rows)}

    def share(self, name: str, lam: dict[str, float], i: int) -> float:
        """A user decides more at every third position; the core has the rest."""
        shares = {user: weight * (1.0 if i % 3 == 1 else 0.4) for user, weight in lam.items()}
        return round(shares[name] if name != "core" else 1 - sum(shares.values()), 4)

    def done(self, request: Request, answer: str, reason: str, steps: int, names: tuple[str, ...]) -> Done:
        """The end of a run."""
        return Done(request.request_id, answer.strip(), reason, steps, 2 * steps, len(answer.split()), 1.5, 12.25,
                    {name: 1 / len(names) for name in names}, "cpu", "float32")
