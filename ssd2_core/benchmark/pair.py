"""The pair that talks, over one causal LM: against transformers.generate on the same weights, and in the whole product."""

import statistics
import time
from collections.abc import Callable

import torch

from ..config import CORE, EnsembleParams, SamplingParams
from ..diffusion.describe import describe
from ..diffusion.ensemble import Ensemble
from ..diffusion.sampling import generate
from ..models.loading import Expert, load
from ..serving.batching import Batcher
from ..text.documents import passages
from ..text.prompts import contexts
from .measure import Figure, medians
from .serving import Peak, Visitor, opened_app

GOLIATH, DAVID, TOKENS, PAINTED, VISITORS = "goliath", "david", 64, 5, 4
QUESTION = "Why is the sky blue? Explain it in several sentences."
DOCUMENT = (           # about 300 tokens
    "Hello everybody, here is how the next two weeks at the house will go. The plumber comes on Friday at nine in the "
    "morning to look at the boiler, so please leave the cellar door open and keep the hall free of shoes. His name is "
    "Marek Dolan and he has the spare key already. On Saturday the bins are collected earlier than usual, at half past "
    "six, because of the holiday on Monday. Please put the green bin out on Friday night. Aunt Rosalind arrives on Sunday"
    " with the afternoon train from Leeds, platform four, and she would like to be met because she brings two suitcases "
    "and her old spaniel, Biscuit. Biscuit eats twice a day, one cup of the dry food in the blue tin, and must not have "
    "cheese. The Wi-Fi has a new password since yesterday: it is written on the card behind the clock in the kitchen. If "
    "the alarm goes off by mistake, type 4417 and press the star. The garden hose leaks, so use the watering can for the "
    "tomatoes, in the evening and never at noon. Next Wednesday Tobias has his piano exam at the music school in Harrow "
    "Lane, room 12, at a quarter past three, and somebody has to drive him there.")


class Answers:
    """Answers of TOKENS tokens by goliath alone, by both, and by transformers.generate: the end of text does not end one."""

    def __init__(self, goliath: Expert, david: Expert):
        self.experts, self.forwards = {CORE: goliath, DAVID: david}, {}
        given = {name: contexts(expert.tokenizer, expert.config_as(name), QUESTION, (), passages(DOCUMENT), TOKENS)
                 for name, expert in self.experts.items()}
        self.ids = {name: context.ids for name, context in given.items()}

    def run(self, *names: str) -> tuple[Ensemble, object]:
        """A fresh answer of these experts: its ensemble and its steps."""
        ensemble = Ensemble({name: self.experts[name].model.bind(self.ids[name]) for name in names},
                            EnsembleParams({name: 0.5 for name in names if name != CORE}))
        ensemble.ends = ()
        params = SamplingParams(block_length=16, max_new_tokens=TOKENS)
        return ensemble, generate(ensemble, params, torch.Generator(device=ensemble.device))

    def ours(self, *names: str) -> Callable[[], None]:
        """A call that writes an answer, with all that is described of its steps; counts the steps."""
        def answer() -> None:
            count = 0
            for step in self.run(*names)[1]:
                describe(step)
                count += 1
            self.forwards[names] = count
        return answer

    def plain(self) -> None:
        """transformers.generate, greedily, of the core's context."""
        lm = self.experts[CORE].model.lm
        ids = torch.tensor([self.ids[CORE]], device=lm.device)
        lm.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=False)

    def steps(self, *names: str) -> Callable[[], None]:
        """A call that makes the next step of an answer, or of the next one at its end; contexts were read before."""
        course = [None]

        def step() -> None:
            made = next(course[0], None) if course[0] is not None else None
            if made is None:
                course[0] = self.run(*names)[1]
                next(course[0])
                made = next(course[0])
            describe(made)
        step()
        return step

    def visitors(self, count: int) -> None:
        """Answers of both for several visitors at once, in shared passes."""
        batcher, runs = Batcher(), [self.run(*self.experts) for _ in range(count)]
        while runs:
            known = batcher.logits(runs)
            runs = [(ensemble, steps) for ensemble, steps in runs if steps.make_step(known=known) and steps.state is not None]


def pair_figures() -> list[Figure]:
    """Speed of the networks in this process, then first painting and memory of the product in processes of its own."""
    goliath, david = load(GOLIATH), load(DAVID)
    answers, names = Answers(goliath, david), (CORE, DAVID)
    step = medians({"one": answers.steps(CORE), "pair": answers.steps(*names)}, 40)
    found = medians({"generate": answers.plain, "one": answers.ours(CORE), "pair": answers.ours(*names),
                     "one visitor": lambda: answers.visitors(1), "visitors": lambda: answers.visitors(VISITORS)}, 5)
    rate = {name: TOKENS / found[name] for name in ("generate", "one", "pair")}
    what = f"{GOLIATH} + {DAVID}, {TOKENS} tokens, a document of about 300"
    alone = f"{GOLIATH} alone, look-ahead {SamplingParams().lookahead}"
    return [
        Figure("generate_over_ours", rate["generate"] / rate["one"], "ratio",
               f"of transformers.generate over {alone}, tokens a second"),
        Figure("pair_over_one", step["pair"] / step["one"], "ratio", f"a step of {GOLIATH} + {DAVID} over one of {alone}"),
        Figure("step_one_ms", 1000 * step["one"], "ms", alone), Figure("step_pair_ms", 1000 * step["pair"], "ms", what),
        *(Figure(f"tokens_per_second_{name}", value, "tokens/s", what if name == "pair" else "without the document")
          for name, value in rate.items()),
        Figure("forwards_per_token_one", answers.forwards[CORE,] / TOKENS, "passes", alone),
        Figure("forwards_per_token_pair", answers.forwards[names] / TOKENS, "passes", what),
        Figure("pair_answer_s", found["pair"], "s", f"{what}, its reading with it"),
        Figure(f"pair_visitors_{VISITORS}_over_1", VISITORS * found["one visitor"] / found["visitors"], "ratio",
               f"tokens a second of {VISITORS} visitors together over those of one, {what}"), *product_figures()]


def product_figures() -> list[Figure]:
    """Page and worker with the pair: seconds from Send to the first step that the page is sent, and all memory."""
    with opened_app("--core", GOLIATH, "--user", DAVID) as (address, app, _):
        peak = Peak(app.pid)
        peak.start()
        first = []
        for number in range(PAINTED + 1):                   # another document each time, so nothing was read before
            visitor = Visitor(address, prompt=f"When does the plumber come? ({number})", pasted=f"Note {number}. {DOCUMENT}")
            began = time.perf_counter()
            visitor.ask()
            first.append(visitor.first_step - began)
        peak.over.set()
    return [Figure("first_paint_s", statistics.median(first[1:]), "s",
                   "Send pressed, first step sent to the page; a new document"),
            Figure("pair_peak_memory_mb", peak.most / 1e6, "MB", f"page and worker together with {GOLIATH} + {DAVID}")]
