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
from ..diffusion.step import Step
from ..models.attribute_model import guide_for
from ..models.loading import Expert
from ..models.next_token import side_by_side
from ..text.documents import passages
from ..text.prompts import answer_text, contexts
from .metrics import scores
from .questions import Question

BATCH = 64


def answer_all(experts: dict[str, Expert], questions: list[Question], ensemble: EnsembleParams, sampling: SamplingParams,
               bar: tqdm) -> Iterator[tuple[list[str], int, int, float, dict[str, float]]]:
    """Batch by batch: answers, number of their tokens, how many ended by EOS, steps a block, each expert's summed share.

    A block ends early only when all of its rows rest, so with an early exit each question is a batch of its own.
    """
    first = next(iter(experts.values()))
    eos, size = first.model.config.eos_token_id, BATCH if sampling.early_exit == "off" else 1
    for start in range(0, len(questions), size):
        rows = questions[start:start + size]
        bound = {}
        for name, expert in experts.items():
            given = [contexts(expert.tokenizer, expert.config_as(name), q.question, (), passages(q.document),
                              sampling.answer_length) for q in rows]
            bare = [c.bare_ids or c.ids for c in given] if any(c.bare_ids for c in given) else None
            bound[name] = expert.model.bind_rows([c.ids for c in given], bare)
        fused = Ensemble(side_by_side(bound), ensemble, guide_for(first.card.tokenizer_hash))
        rng = torch.Generator(device=fused.device).manual_seed(sampling.seed)
        ends, decided, steps = [], {}, 0
        for step in generate(fused, sampling, rng, noise=_same_for_all(rng)):
            decided[step.block] = _decided(decided.get(step.block), step, experts)
            ends += [step] if step.finished else []
            steps += 1
        ids = torch.cat([s.token_ids for s in ends], 1)[:, :sampling.max_new_tokens]
        inside = (ids == eos).long().cumsum(-1) == 0
        shares = {n: (torch.cat([d[n] for d in decided.values()], 1)[:, :ids.shape[1]] * inside).sum().item() for n in experts}
        bar.update(len(rows))
        ended = int((ids == eos).any(-1).sum())
        yield [answer_text(first.tokenizer, row) for row in ids.tolist()], int(inside.sum()), ended, steps / len(ends), shares


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
            sampling: SamplingParams, judge: Callable | None = None) -> dict:
    """One row of the table."""
    said, tokens, ended, made, shares = [], 0, 0, 0.0, Counter()
    start = time.monotonic()
    with tqdm(total=len(questions), desc=name, leave=False) as bar:
        for answers, count, whole, steps, share in answer_all(experts, questions, ensemble, sampling, bar):
            said += answers
            tokens += count
            ended += whole
            made += steps * len(answers)
            shares.update(share)
    row = scores(name, said, questions, tokens, ended, time.monotonic() - start, judge)
    share = {k: round(v / max(tokens, 1), 4) for k, v in shares.items()}
    return row | {"steps_per_block": round(made / len(questions), 2), "share": share}


def evaluate(core: Expert, users: dict[str, Expert], questions: list[Question], ensemble: EnsembleParams,
             sampling: SamplingParams, judge: Callable | None = None) -> list[dict]:
    """Rows for the core alone, each user alone and, when there are users, the ensemble."""
    rows = [measure("core", {CORE: core}, questions, EnsembleParams(), sampling, judge)]
    for name, user in users.items():
        alone = EnsembleParams(lam={name: 1.0}, alpha=ensemble.alpha)
        rows.append(measure(f"user:{name}", {name: user}, questions, alone, sampling, judge))
    if users:
        rows.append(measure("ensemble", {CORE: core, **users}, questions, ensemble, sampling, judge))
    return rows
