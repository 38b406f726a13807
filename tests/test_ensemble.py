"""Identities of the ensemble and of the sampler, on tiny random models and on fakes whose answer is known."""

import math

import pytest
import torch

from ssd2_core.config import EnsembleParams, SamplingParams, knobs
from ssd2_core.diffusion.describe import shares
from ssd2_core.diffusion.ensemble import Ensemble, combine
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.simplex import add_noise, alpha_bar, choose, clean, log_probs, nucleus, to_simplex
from ssd2_core.diffusion.step import Prediction
from ssd2_core.diffusion.weights import RULES, adapt, base_weights, divergence, jensen_shannon, margin
from ssd2_core.errors import LimitError, ModelError
from tests.support.tiny import Fake, endless, tiny

CORE, USER, OTHER = tiny(1), tiny(2), tiny(3)
CONTEXT, DOCUMENTS = [3, 30, 31, 4], [2, 20, 21, 22, 3, 30, 31, 4]


def run(experts, settings=None, **sampling):
    """All tokens (R,) and steps of one run; experts by name -> model."""
    sampling = {"num_steps": 5, "block_length": 6, "max_new_tokens": 12, "seed": 7, **sampling}
    params = SamplingParams(**sampling)
    bound = {n: m.bind(CONTEXT if n == "core" else DOCUMENTS, CONTEXT if n != "core" else None) for n, m in experts.items()}
    ensemble = Ensemble(bound, EnsembleParams(**(settings or {})))
    steps = list(generate(endless(ensemble), params, torch.Generator().manual_seed(params.seed)))
    return torch.cat([s.token_ids[0] for s in steps if s.finished]).tolist(), steps


PAIR = {"core": CORE, "me": USER}


@pytest.mark.attack(20)
@pytest.mark.parametrize("weights", knobs(EnsembleParams)["weights"].choices)
def test_weight_zero_is_the_core_alone_and_weight_one_the_user_alone(weights):
    core_alone, _ = run({"core": CORE})
    assert run(PAIR, {"lam": {"me": 0.0}, "weights": weights})[0] == core_alone
    user_alone, _ = run({"me": USER}, {"lam": {"me": 1.0}})
    settings = {"lam": {"me": 1.0}, "weights": weights, "schedule_end": 1.0}
    assert run(PAIR, settings)[0] == user_alone != core_alone


@pytest.mark.attack(20)
@pytest.mark.parametrize("weights", knobs(EnsembleParams)["weights"].choices)
def test_two_equal_experts_are_one(weights):
    class Same(Fake):
        def __init__(self, seed):
            self.table = torch.randn(97, 97, generator=torch.Generator().manual_seed(seed))

        def __call__(self, ids, state):
            return Prediction(state.x_t.softmax(-1) @ self.table * 6)

    def tokens(ensemble):
        params = SamplingParams(num_steps=4, block_length=6, max_new_tokens=6)
        return [s.token_ids.tolist() for s in generate(ensemble, params, torch.Generator().manual_seed(1))]

    one = tokens(Ensemble({"core": Same(5)}, EnsembleParams()))
    assert tokens(Ensemble({"core": Same(5), "me": Same(5)}, EnsembleParams(lam={"me": 0.4}, weights=weights))) == one
    assert tokens(Ensemble({"core": Same(5), "me": Same(6)}, EnsembleParams(lam={"me": 0.4}, weights=weights))) != one


@pytest.mark.attack(20)
def test_order_of_experts_does_not_matter():
    lam = {"me": 0.3, "you": 0.4}
    one, _ = run({"core": CORE, "me": USER, "you": OTHER}, {"lam": lam})
    other, _ = run({"you": OTHER, "me": USER, "core": CORE}, {"lam": dict(reversed(lam.items()))})
    assert one == other


@pytest.mark.attack(20)
@pytest.mark.parametrize("projection", ["greedy", "sampling", "multihot"])
def test_same_seed_same_tokens_other_seed_others(projection):
    first = run(PAIR, {"lam": {"me": 0.5}}, projection=projection)[0]
    assert run(PAIR, {"lam": {"me": 0.5}}, projection=projection)[0] == first
    assert run(PAIR, {"lam": {"me": 0.5}}, projection=projection, seed=8)[0] != first


@pytest.mark.parametrize("projection", ["greedy", "sampling", "multihot"])
def test_noise_made_in_place_is_the_noise_of_the_same_seed(projection):
    params = SamplingParams(num_steps=6, block_length=6, max_new_tokens=12, projection=projection)
    def trail(**how):
        rng = torch.Generator().manual_seed(3)
        noise = (lambda shape: torch.randn(shape, generator=rng)) if how else None
        steps = generate(endless(CORE.bind(CONTEXT)), params, rng, noise=noise)
        return [(s.token_ids, s.prediction.logits) for s in steps]
    for (one, logits), (other, more) in zip(trail(), trail(given=True), strict=True):
        assert torch.equal(one, other) and (logits - more).abs().max() < 1e-3


def test_every_setting_changes_something():
    base = {"lam": {"me": 0.5}, "weights": "adaptive", "tau": 0.5, "alpha": 0.0, "schedule_end": 0.0}
    def trail(sampling=None, **change):
        _, steps = run(PAIR, {**base, **change}, **(sampling or {}))
        return torch.cat([s.prediction.logits.flatten()[:4000] for s in steps])
    def differ(a, b):
        return a.shape != b.shape or not torch.allclose(a, b)
    start = trail()
    changes = [{"lam": {"me": 0.7}}, {"weights": "constant"}, {"weights": "schedule"}, {"tau": 0.1}, {"alpha": 1.0},
               {"weights": "margin"}, {"weights": "divergence"}]
    changes += [{"sampling": {name: value}} for name, value in (
        ("num_steps", 7), ("block_length", 4), ("max_new_tokens", 18), ("projection", "sampling"), ("projection", "multihot"),
        ("seed", 9))]
    for change in changes:
        assert differ(start, trail(**change)), change
    assert differ(trail(weights="schedule"), trail(weights="schedule", schedule_end=0.8))
    for projection in ("sampling", "multihot"):
        for name, values in (("top_p", (0.05, 0.99)), ("temperature", (0.2, 3.0))):
            low, high = (trail(sampling={"projection": projection, name: value}) for value in values)
            assert differ(low, high), name


def test_shares_and_weights_sum_to_one():
    _, steps = run({"core": CORE, "me": USER, "you": OTHER}, {"lam": {"me": 0.3, "you": 0.2}})
    for step in steps:
        for table in (shares(step.prediction, step.token_ids), step.prediction.weights):
            assert set(table) == {"core", "me", "you"}
            total = sum(table.values())
            assert torch.allclose(total, torch.ones_like(total), atol=1e-5)
            assert all((v >= 0).all() and (v <= 1).all() for v in table.values())


def test_combination_is_the_written_formula():
    a, b = torch.randn(1, 2, 5), torch.randn(1, 2, 5)
    parts = {"core": log_probs(a), "me": log_probs(b)}
    weights = {"core": torch.full((1, 2), 0.7), "me": torch.full((1, 2), 0.3)}
    fused = combine(parts, weights)
    assert torch.allclose(fused, 0.7 * a.log_softmax(-1) + 0.3 * b.log_softmax(-1), atol=1e-5)
    y = torch.tensor([[1, 4]])
    expected = 0.3 * b.softmax(-1)[0, 0, 1] / (0.3 * b.softmax(-1)[0, 0, 1] + 0.7 * a.softmax(-1)[0, 0, 1])
    assert math.isclose(shares(Prediction(fused, parts, weights), y)["me"][0, 0], expected, rel_tol=1e-4)


def test_adaptive_weight_is_a_sigmoid_of_the_entropy_difference():
    _, steps = run(PAIR, {"lam": {"me": 0.3}, "weights": "adaptive", "tau": 0.5})
    parts = steps[0].prediction.parts
    entropy = {n: -(p.exp() * p).sum(-1) for n, p in parts.items()}
    expected = torch.sigmoid(math.log(0.3 / 0.7) + (entropy["core"] - entropy["me"]) / 0.5)
    assert torch.allclose(steps[0].prediction.weights["me"], expected, atol=1e-5)


def log_of(*probabilities):
    return torch.tensor([[probabilities]]).log()                                # (1, 1, V)


HALF, SURE = log_of(0.5, 0.5, 0.0).clamp_min(-1e4), log_of(0.1, 0.8, 0.1)


@pytest.mark.parametrize("rule,core,me", [
    ("adaptive", -math.log(2), 0.8 * math.log(0.8) + 0.2 * math.log(0.1)), ("margin", 0.0, 0.7),
    ("divergence", 0.0, 0.3 * -math.log2(0.3) + 0.65 * -math.log2(0.65) + 0.05 * -math.log2(0.05)      # m = (0.3, 0.65, 0.05)
     - (1 + 0.8 * -math.log2(0.8) + 0.2 * -math.log2(0.1)) / 2)])
def test_each_rule_as_calculated_by_hand(rule, core, me):
    parts = {"core": HALF, "me": SURE}
    assert {n: score.item() for n, score in RULES[rule](parts).items()} == pytest.approx({"core": core, "me": me}, abs=1e-5)
    found = adapt(parts, {"core": 0.7, "me": 0.3}, 0.4, rule)
    assert found["me"].item() == pytest.approx(1 / (1 + math.exp(-math.log(0.3 / 0.7) - (me - core) / 0.4)), abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_leaves_equal_experts_their_prior_and_sums_to_one(rule):
    prior = {"core": 0.5, "me": 0.3, "you": 0.2}
    one, other, third = (log_probs(torch.randn(2, 3, 97, generator=torch.Generator().manual_seed(i)) * 4) for i in range(3))
    for name, weight in adapt(dict.fromkeys(prior, one), prior, 0.1, rule).items():
        assert torch.allclose(weight, torch.full((2, 3), prior[name]), atol=1e-5)
    found = adapt({"core": one, "me": other, "you": third}, prior, 0.1, rule)
    assert torch.allclose(sum(found.values()), torch.ones(2, 3), atol=1e-6) and not torch.allclose(
        found["me"], torch.full((2, 3), 0.3), atol=1e-2)
    wide = adapt({"core": one, "me": other, "you": third}, prior, 1e6, rule)
    assert all(torch.allclose(wide[name], torch.full((2, 3), weight), atol=1e-4) for name, weight in prior.items())


def test_divergence_and_margin_at_their_ends():
    one, other = log_of(1.0, 0.0).clamp_min(-1e4), log_of(0.0, 1.0).clamp_min(-1e4)
    assert jensen_shannon(one, other).item() == pytest.approx(1) and jensen_shannon(one, one).item() == 0
    assert jensen_shannon(SURE, HALF).item() == pytest.approx(jensen_shannon(HALF, SURE).item())
    assert divergence({"me": one, "you": other})["you"].item() == 0             # without a core
    assert margin({"me": one, "you": HALF})["me"].item() == 1


def test_schedule_goes_from_lam_to_its_end():
    params = EnsembleParams(lam={"me": 0.8}, weights="schedule", schedule_end=0.25)
    assert base_weights(["core", "me"], params, 1.0)["me"] == pytest.approx(0.8)
    assert base_weights(["core", "me"], params, 0.0)["me"] == pytest.approx(0.2)


def test_new_settings_act_at_the_next_step():
    before = EnsembleParams(lam={"me": 0.2}, weights="constant")
    ensemble = Ensemble({"core": CORE.bind(CONTEXT), "me": USER.bind(DOCUMENTS)}, before)
    steps = generate(ensemble, SamplingParams(num_steps=6, block_length=6, max_new_tokens=6), torch.Generator().manual_seed(0))
    assert next(steps).prediction.weights["me"][0, 0] == pytest.approx(0.2)
    ensemble.params = EnsembleParams(lam={"me": 0.9}, weights="constant")
    assert next(steps).prediction.weights["me"][0, 0] == pytest.approx(0.9)


@pytest.mark.attack(8)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_an_expert_that_is_not_finite_is_dropped_and_the_core_goes_on(bad):
    class Broken(Fake):
        def __call__(self, ids, state):
            return Prediction(torch.full_like(state.x_t, bad))

    core_alone, _ = run({"core": CORE})
    ensemble = Ensemble({"core": CORE.bind(CONTEXT), "bad": Broken()}, EnsembleParams(lam={"bad": 0.9}))
    steps = list(generate(endless(ensemble), SamplingParams(num_steps=5, block_length=6, max_new_tokens=12, seed=7),
                          torch.Generator().manual_seed(7)))
    assert torch.cat([s.token_ids[0] for s in steps if s.finished]).tolist() == core_alone
    assert ensemble.dropped == ["bad"]


@pytest.mark.attack(8)
def test_huge_logits_stay_finite():
    class Huge(Fake):
        def __call__(self, ids, state):
            return Prediction(torch.where(torch.arange(97) == 5, 1e38, -1e38).expand_as(state.x_t))

    ensemble = Ensemble({"core": CORE.bind(CONTEXT), "huge": Huge()}, EnsembleParams(lam={"huge": 0.5}))
    for step in generate(ensemble, SamplingParams(num_steps=3, block_length=4, max_new_tokens=4), torch.Generator()):
        assert step.prediction.logits.isfinite().all() and step.after.entropy.isfinite().all()


def test_blocks_follow_until_eos_or_the_limit():
    class Writes(Fake):
        vocab_size, ends = 20, (1,)

        def __init__(self, stop, rows=1):
            self.stop, self.batch_size = stop, rows

        def __call__(self, ids, state):
            position = ids.shape[1] + torch.arange(state.x_t.shape[1])
            token = torch.where(position >= self.stop, 1, 10)
            return Prediction(to_simplex(token.expand(self.batch_size, -1), 20))

    params = SamplingParams(num_steps=2, block_length=4, max_new_tokens=12)
    assert [s.block for s in generate(Writes(5), params, torch.Generator())] == [0, 0, 1, 1]
    assert [s.block for s in generate(Writes(99), params, torch.Generator())] == [0, 0, 1, 1, 2, 2]
    rows = list(generate(Writes(99, 3), params, torch.Generator()))
    assert rows[0].token_ids.shape == (3, 4) and rows[-1].ids.shape == (3, 8)


@pytest.mark.attack(9)
def test_experts_of_different_vocabularies_are_refused():
    from tests.support.tiny import LLAMA
    small = tiny(backbone={**LLAMA, "vocab_size": 61})
    with pytest.raises(ModelError, match="share one vocabulary.*97.*61"):
        Ensemble({"core": CORE.bind(CONTEXT), "me": small.bind(CONTEXT)}, EnsembleParams(lam={"me": 0.5}))
    with pytest.raises(ModelError, match="'ghost'"):
        Ensemble({"core": CORE.bind(CONTEXT)}, EnsembleParams(lam={"ghost": 0.5}))


@pytest.mark.attack(14)
@pytest.mark.parametrize("settings", [{"lam": {"a": 1.2}}, {"lam": {"a": float("nan")}}, {"lam": {"a": True}},
                                      {"weights": "magic"}, {"lam": {"a": 0.6, "b": 0.6}}, {"tau": 0}, {"alpha": -1},
                                      {"alpha": 1e9}])
def test_bad_ensemble_settings_are_refused(settings):
    with pytest.raises(LimitError):
        EnsembleParams(**settings)


@pytest.mark.attack(14)
@pytest.mark.parametrize("settings", [{"num_steps": 0}, {"num_steps": True}, {"num_steps": float("nan")},
                                      {"num_steps": 1e9}, {"num_steps": [4]}, {"block_length": -1}, {"seed": 1.5},
                                      {"top_p": 2.0}, {"projection": "x"}, {"num_steps": float("inf")},
                                      {"max_new_tokens": "10"}])
def test_bad_sampling_settings_are_refused(settings):
    with pytest.raises(LimitError):
        SamplingParams(**settings)


def test_projections():
    logits = torch.tensor([[[2.0, 1.0, 0.0, -9.0]]])
    project = lambda kind, top_p: clean(choose(logits, kind, top_p), 4, 5.0).tolist()  # noqa: E731
    assert project("greedy", 0.9) == [[[5, -5, -5, -5]]]
    assert project("multihot", 0.8) == [[[5, 5, -5, -5]]]
    assert project("multihot", 0.0) == [[[5, -5, -5, -5]]]
    drawn = {choose(logits, "sampling", 0.8, torch.Generator().manual_seed(i)).item() for i in range(40)}
    assert drawn == {0, 1}


def test_nucleus_prefix_equals_the_full_sort():
    for scale in (0.1, 1.0, 5.0):                                # nearly flat ones do not fit the prefix
        logits = torch.randn(3, 4, 1000, generator=torch.Generator().manual_seed(4)) * scale
        probs, index = logits.softmax(-1).sort(dim=-1, descending=True)
        keep = probs.cumsum(-1) - probs <= 0.9
        full = torch.zeros_like(keep).scatter_(-1, index, keep)
        assert torch.equal(nucleus(logits, 0.9), full)


def test_forward_noise():
    x_0 = to_simplex(torch.tensor([[1, 0]]), 3)
    assert x_0.tolist() == [[[-5, 5, -5], [5, -5, -5]]]
    noise = torch.ones_like(x_0)
    assert torch.allclose(add_noise(x_0, 0.36, noise), 0.6 * x_0 + 0.8)
    assert alpha_bar(0.0) == pytest.approx(1.0) and alpha_bar(1.0) == pytest.approx(0.0, abs=1e-9)
