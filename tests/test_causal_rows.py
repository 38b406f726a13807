"""Visitors over one causal LM are rows of its passes: each gets what it gets alone, and what it held is let go with it."""

import gc
import weakref

import pytest
import torch

from ssd2_core.config import EnsembleParams, SamplingParams
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.pins import Pins
from ssd2_core.diffusion.sampling import generate
from ssd2_core.models.causal_rows import Ask, Row, grouped, read
from ssd2_core.models.lora import add_adapter
from ssd2_core.serving.batching import Batcher
from tests.test_next_token import ROWS, SETTINGS, adapter, lm_of, model_of

DOCUMENT = [*range(10, 55), *ROWS[2]]
RUNS = [  # own context, block, tokens, lookahead, seed, lam, alpha, projection
    (ROWS[0], 6, 12, 4, 1, 0.5, 0.0, "greedy"), (ROWS[1], 5, 15, 2, 2, 0.3, 0.5, "sampling"),
    (DOCUMENT, 8, 16, 8, 3, 0.7, 0.0, "greedy"),
    (ROWS[2], 4, 8, 1, 4, 0.0, 0.0, "greedy"), (ROWS[0], 6, 12, 3, 5, 1.0, 0.0, "sampling")]


def two_adapters(family="llama"):
    lm = lm_of(family)
    add_adapter(lm, "david", SETTINGS, adapter(lm, 3))
    add_adapter(lm, "other", SETTINGS, adapter(lm, 4))
    return lm


def made(lm, number):
    """Run ``number`` of the RUNS: its ensemble, its steps and its pins."""
    own, block, tokens, lookahead, seed, lam, alpha, projection = RUNS[number]
    bound = {"core": model_of(lm).bind(ROWS[0]), "me": model_of(lm, ("david", "other")[number % 2]).bind(own, ROWS[1])}
    pins = Pins()
    params = SamplingParams(block_length=block, max_new_tokens=tokens, lookahead=lookahead, projection=projection)
    ensemble = Ensemble(bound, EnsembleParams({"me": lam}, alpha=alpha))
    return ensemble, generate(ensemble, params, torch.Generator().manual_seed(seed), pins=pins), pins


def steer(number, step, ensemble, pins):
    """What the visitor of a run does before its step: moves a weight, pins a token that stands already."""
    if step == 3 and number in (0, 2):
        ensemble.params = EnsembleParams({"me": (0.0, 0, 0.2)[number]})
    if step == 5 and number == 2:
        ensemble.params = EnsembleParams({"me": 0.9})
    if step == 2 and number in (0, 1):
        pins.put(0, 0, [33])


def alone(lm, number):
    ensemble, steps, pins = made(lm, number)
    out = []
    while True:
        steer(number, len(out), ensemble, pins)
        step = steps.make_step()
        if step is None:
            return out
        out.append(said(step))


def said(step):
    """Tokens and confidences of a step as they are when it is made."""
    return step.token_ids[0].tolist(), step.after.confidence[0].clone()


def together(lm, begin):
    """Every step of each run in shared passes; run i joins at round ``begin[i]``."""
    batcher, active, out, at = Batcher(), {}, {i: [] for i in range(len(begin))}, 0
    while active or at <= max(begin):
        active |= {i: made(lm, i) for i, first in enumerate(begin) if first == at}
        for i, (ensemble, _, pins) in active.items():
            steer(i, len(out[i]), ensemble, pins)
        known = batcher.logits((ensemble, steps) for ensemble, steps, _ in active.values())
        for i, (_, steps, _) in list(active.items()):
            step = steps.make_step(known=known)
            if step is None:
                del active[i]
            else:
                out[i].append(said(step))
        at += 1
    return out


@pytest.mark.parametrize("family", ["llama", "gemma2", "opt"])
@pytest.mark.parametrize("begin", [(0, 0, 0, 0, 0), (0, 2, 3, 5, 9)])
def test_each_run_gets_what_it_gets_alone(family, begin):
    lm = two_adapters(family)
    shared = together(lm, begin)
    for i in range(len(RUNS)):
        one = alone(lm, i)
        assert i > 1 or one[2][0][0] == 33 != one[1][0][0]                      # a pin reopened what stood behind it
        assert [tokens for tokens, _ in shared[i]] == [tokens for tokens, _ in one]
        assert all((a - b).abs().max() < 1e-3 for (_, a), (_, b) in zip(one, shared[i], strict=True))


def memory_of(shelf) -> int:
    """Bytes that its keys and values take."""
    return sum(each.nbytes for layer in shelf.buffers for each in layer)


def counted(lm):
    """Rows and tokens of each pass that it makes from now on."""
    seen, forward = [], lm.forward
    lm.forward = lambda **kw: (seen.append(tuple(kw["input_ids"].shape)), forward(**kw))[1]
    return seen


def test_one_pass_serves_all_and_a_long_context_is_read_alone():
    lm = two_adapters()
    seen = counted(lm)
    runs = [made(lm, i)[:2] for i in (0, 2)]
    batcher = Batcher()
    for _ in range(3):
        known = batcher.logits(runs)
        for _, steps in runs:
            steps.make_step(known=known)
    assert seen[0][0] == 3 and seen[1] == (1, len(DOCUMENT) + 7)        # three short rows, then the one with the document
    assert [rows for rows, _ in seen[2:]] == [4, 4] and all(tokens <= 16 for _, tokens in seen[2:])


def test_what_rows_hold_moves_with_them_and_goes_with_them():
    lm = two_adapters()
    runs, shelves = {i: made(lm, i)[:2] for i in range(3)}, []

    def step():
        known = Batcher().logits(runs.values())
        for _, steps in runs.values():
            steps.make_step(known=known)
        live = {id(row.shelf): row.shelf for ensemble, _ in runs.values() for e in ensemble.experts.values() for row in e.rows}
        shelves.extend(weakref.ref(each) for each in live.values())
        return live
    step(), step()
    [one] = step().values()
    rows, full = one.count, memory_of(one)
    del one
    seen = counted(lm)
    runs.pop(2)
    [rest] = step().values()
    assert rest.count == rows - 2 and memory_of(rest) < full and seen[-1][1] <= 8     # nothing was read again
    del rest
    runs.clear()
    gc.collect()
    assert not [each for each in shelves if each() is not None]


def test_a_pass_that_fails_leaves_nothing_half_read():
    lm, row = lm_of(), Row(ROWS[0], None)
    expected = read(lm, [Ask(Row([], None), ROWS[0], 2)])[0]
    read(lm, [Ask(row, [*ROWS[0][:3], 40, 41], 2)])
    last = lm.model.layers[-1]
    forward, last.forward = last.forward, lambda *a, **kw: 1 / 0
    with pytest.raises(ZeroDivisionError):
        read(lm, [Ask(row, ROWS[0], 2)])
    last.forward = forward
    assert row.read == ROWS[0][:3] and torch.allclose(read(lm, [Ask(row, ROWS[0], 2)])[0], expected, atol=1e-5)


def test_short_rows_do_not_wait_for_a_long_one():
    def asks(*lengths):
        return [Ask(Row([], None), [9] * n, 1) for n in lengths]
    def lengths(groups):
        return [[len(ask.text) for ask in group] for group in groups]
    assert lengths(grouped(asks(300, 40, 41, 500))) == [[40, 41], [300, 500]]
    assert lengths(grouped(asks(3, 30, 5))) == [[3, 30, 5]]


