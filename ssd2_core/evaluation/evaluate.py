"""Measures answers: core alone, each user alone, ensemble, on JSONL files of questions. Knows the library, not the worker."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import torch
from tqdm import tqdm

from ..config import CORE, EnsembleParams, SamplingParams
from ..diffusion.describe import shares
from ..diffusion.ensemble import Ensemble
from ..diffusion.sampling import Noise, generate
from ..diffusion.settling import is_end
from ..diffusion.step import Step
from ..models.attribute_model import guide_for
from ..models.loading import Expert, never_said
from ..registry.kinds import SIMPLEX
from ..text.documents import passages
from ..text.prompts import contexts
from .metrics import correction_and_resistance, exact, per_token, scores
from .questions import Question

BATCH, BATCH_ON_TOKENS = 64, 16          # of causal LMs fewer: what they predict is large
Answer = tuple[str, int, bool, int, int]        # text, tokens, whether it ended by EOS, steps and blocks that it took


def batches(questions: list[Question], sampling: SamplingParams, on_tokens: bool) -> Iterator[list[int]]:
    """Places of questions that are answered together; each gets the answer and the steps that it would get alone.

    A block on the simplex ends early only when all of its rows rest, so with an early exit each question is a batch of its own.
    A block of causal LMs rests row by row, at the same tokens; only samples differ by the row. Those with a document and those
    without are kept apart, for an expert that has nothing to read is silent.
    """
    alone = sampling.projection == "sampling" if on_tokens else sampling.early_exit != "off"
    size = 1 if alone else BATCH_ON_TOKENS if on_tokens else BATCH
    groups = [list(range(len(questions)))]
    if on_tokens:
        by_length = sorted(groups[0], key=lambda i: len(questions[i].document))     # so that little is padded
        groups = [[i for i in by_length if bool(questions[i].document) == has_one] for has_one in (True, False)]
    for group in groups:
        yield from (group[at:at + size] for at in range(0, len(group), size))


def answer_batch(experts: dict[str, Expert], rows: list[Question], ensemble: EnsembleParams,
                 sampling: SamplingParams) -> tuple[list[Answer], dict[str, float]]:
    """Answers to questions, and each expert's share summed over their tokens."""
    first = next(iter(experts.values()))
    fused = _bind(experts, rows, ensemble, sampling)
    rng = torch.Generator(device=fused.device).manual_seed(sampling.seed)
    ends, decided = [], {}
    steps, blocks = torch.zeros(2, len(rows), dtype=torch.long, device=fused.device)
    for step in generate(fused, sampling, rng, noise=_same_for_all(rng)):
        decided[step.block] = _decided(decided.get(step.block), step, experts)
        going = ~(ends[-1].ended if ends else torch.zeros_like(step.ended))
        steps += going & ~step.state.settled.all(-1)                # a row that rests has ended its block
        if step.finished:
            ends.append(step)
            blocks += going
    ids = torch.cat([s.token_ids for s in ends], 1)[:, :sampling.max_new_tokens]
    at_end = is_end(ids, first.config.ends)
    inside = at_end.long().cumsum(-1) == 0
    share = {n: (torch.cat([d[n] for d in decided.values()], 1)[:, :ids.shape[1]] * inside).sum().item() for n in experts}
    return list(zip([first.text(row) for row in ids.tolist()], inside.sum(-1).tolist(),
                    at_end.any(-1).tolist(), steps.tolist(), blocks.tolist(), strict=True)), share


def _bind(experts: dict[str, Expert], rows: list[Question], ensemble: EnsembleParams, sampling: SamplingParams) -> Ensemble:
    """The experts after the contexts of questions, all with a document or none, as one denoiser."""
    bound = {}
    for name, expert in experts.items():
        given = [contexts(expert.tokenizer, expert.config_as(name), q.question, (), passages(q.document),
                          sampling.answer_length) for q in rows]
        bare = [c.bare_ids or c.ids for c in given] if any(c.bare_ids for c in given) else None
        bound[name] = expert.model.bind_rows([c.ids for c in given], bare)
    silent = [name for name, expert in experts.items() if len(experts) > 1 and expert.only_reads(name) and not rows[0].document]
    return Ensemble(bound, ensemble, guide_for(next(iter(experts.values())).card.tokenizer_hash), silent, never_said(experts))


def _same_for_all(rng: torch.Generator) -> Noise:
    """Noise that every row of a batch gets, the one that it would get alone: so no answer depends on the other questions."""
    return lambda shape: torch.empty((1, *shape[1:]), device=rng.device).normal_(generator=rng)


def _decided(before: dict[str, torch.Tensor] | None, step: Step, names: Iterable[str]) -> dict[str, torch.Tensor]:
    """Each expert's share (B, L) in a block's tokens, each at the step that set it; 0 where it had no weight or was dropped."""
    at, nothing = step.state.window, torch.zeros_like(step.after.confidence)
    share = shares(step.prediction, step.token_ids[:, at])
    now = {name: nothing.clone() for name in names}
    for name in share:
        now[name][:, at] = share[name]
    return {name: torch.where(step.changed, share, before[name]) for name, share in now.items()} if before else now


def measure(name: str, experts: dict[str, Expert], questions: list[Question], ensemble: EnsembleParams,
            sampling: SamplingParams, judge: Callable | None = None) -> tuple[dict, list[str]]:
    """One row of the table, and the answers that it counts."""
    found: dict[int, Answer] = {}
    shares, start = Counter(), time.monotonic()
    on_tokens = next(iter(experts.values())).card.kind != SIMPLEX
    with tqdm(total=len(questions), desc=name, leave=False) as bar:
        for places in batches(questions, sampling, on_tokens):
            answers, share = answer_batch(experts, [questions[i] for i in places], ensemble, sampling)
            found |= zip(places, answers, strict=True)
            shares.update(share)
            bar.update(len(places))
    said, tokens, ended, steps, blocks = zip(*(found[i] for i in range(len(questions))), strict=True)
    row = scores(name, list(said), questions, sum(tokens), sum(ended), time.monotonic() - start, judge)
    each = sum(made / max(1, count) for made, count in zip(steps, blocks, strict=True)) / len(questions)
    return row | {"steps_per_block": round(each, 2), "steps_per_token": per_token(sum(steps), sum(tokens)),
                  "share": {k: round(v / max(sum(tokens), 1), 4) for k, v in shares.items()}}, list(said)


def evaluate(core: Expert, users: dict[str, Expert], questions: list[Question], ensemble: EnsembleParams,
             sampling: SamplingParams, judge: Callable | None = None) -> list[dict]:
    """Rows for the core alone, each user alone and, when there are users, the ensemble with its correction and resistance."""
    rows, right = [], {}

    def add(name: str, experts: dict[str, Expert], params: EnsembleParams) -> None:
        row, said = measure(name, experts, questions, params, sampling, judge)
        rows.append(row)
        right[name] = [exact(text, question.answer) for text, question in zip(said, questions, strict=True)]
    add(CORE, {CORE: core}, EnsembleParams())
    for name, user in users.items():
        add(f"user:{name}", {name: user}, EnsembleParams(lam={name: 1.0}, alpha=ensemble.alpha))
    if users:
        add("ensemble", {CORE: core, **users}, ensemble)
        rows[-1] |= correction_and_resistance(right)
    return rows
