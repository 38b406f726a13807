"""A causal LM as a denoiser: its fixed point is its own autoregressive answer, fused or alone, greedy or sampled."""

from collections import Counter

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from ssd2_core.config import EnsembleParams, SamplingParams
from ssd2_core.diffusion.ensemble import Ensemble, combine
from ssd2_core.diffusion.pins import Pins
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.simplex import log_probs
from ssd2_core.diffusion.weights import RULES, adapt, base_weights
from ssd2_core.errors import ModelError
from ssd2_core.models.lora import add_adapter, remove_adapter
from ssd2_core.models.next_token import NextTokenConfig, NextTokenModel
from tests.support.tiny import tiny

V, EOS = 61, 1
SMALL = {"vocab_size": V, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": None,
         "eos_token_id": EOS}
FAMILIES = {
    "llama": {}, "mistral": {"sliding_window": 16}, "qwen2": {}, "qwen3": {}, "phi3": {}, "granite": {}, "olmo2": {},
    "smollm3": {}, "gemma2": {"sliding_window": 16, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 16, "query_pre_attn_scalar": 8},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32}, "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "gpt_neox": {}}
ROWS = [[5, 6, 7, 8, 9], [10, 11], [20, 21, 22, 23, 24, 25, 26]]


def lm_of(family="llama", seed=0):
    torch.manual_seed(seed)
    lm = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SMALL | FAMILIES[family])).eval()
    with torch.no_grad():
        for parameter in lm.parameters():                       # random answers that do not repeat one token
            if parameter.dim() > 1:
                parameter.mul_(6)
    lm.generation_config.eos_token_id, lm.generation_config.pad_token_id = EOS, 0
    return lm


def model_of(lm, adapter=None, role="core"):
    return NextTokenModel(lm, NextTokenConfig(role, V, EOS), adapter)


def plain(lm, row, count):
    """What ``transformers.generate`` writes greedily, without what follows the end."""
    out = lm.generate(torch.tensor([row]), attention_mask=torch.ones(1, len(row), dtype=torch.long), max_new_tokens=count,
                      do_sample=False)[0, len(row):].tolist()
    return out[:out.index(EOS)] if EOS in out else out


def written(denoiser, seed=0, pins=None, **more):
    """Tokens of each row up to its end, and the steps."""
    params = SamplingParams(**{"block_length": 6, "max_new_tokens": 18, **more})
    steps = list(generate(denoiser, params, torch.Generator().manual_seed(seed), pins=pins))
    rows = torch.cat([s.token_ids for s in steps if s.finished], 1).tolist()
    return [row[:row.index(EOS)] if EOS in row else row for row in rows], steps


@pytest.mark.parametrize("family,lookahead", [*((family, 4) for family in FAMILIES), ("llama", 1), ("gemma2", 9)])
def test_the_fixed_point_is_what_transformers_generates(family, lookahead):
    lm = lm_of(family)
    expected = [plain(lm, row, 18) for row in ROWS]
    assert [written(model_of(lm).bind(row), lookahead=lookahead)[0][0] for row in ROWS] == expected
    together, steps = written(model_of(lm).bind_rows(ROWS), lookahead=lookahead)
    assert together == expected and len(set(map(len, ROWS))) == 3          # left-padded, of uneven lengths
    assert max(s.step for s in steps) <= 6 and len({tuple(row) for row in expected}) > 1


def test_a_step_settles_at_least_one_position_and_settled_ones_never_move():
    _, steps = written(model_of(lm_of()).bind_rows(ROWS), lookahead=6)
    for one, other in zip(steps, steps[1:], strict=False):
        if one.block == other.block:
            assert (other.token_ids == one.token_ids)[one.after.settled].all()
            assert (other.after.settled.sum(-1) > one.after.settled.sum(-1))[~one.after.settled.all(-1)].all()


def test_history_of_blocks_is_read_once():
    lm, count = lm_of(), []
    forward = lm.forward
    lm.forward = lambda **kw: (count.append(kw["input_ids"].shape[1]), forward(**kw))[1]
    written(model_of(lm).bind(ROWS[0]), lookahead=3)
    assert count[0] == len(ROWS[0]) + 2 and max(count[1:]) <= 4


@pytest.mark.parametrize("weights,alpha", [("constant", 0.0), ("adaptive", 0.0), ("adaptive", 0.5), ("margin", 0.0),
                                           ("divergence", 0.0), ("divergence", 0.5)])
def test_the_fused_fixed_point_is_the_fused_answer_token_by_token(weights, alpha):
    core, user = lm_of(seed=1), lm_of(seed=2)
    params = EnsembleParams({"me": 0.4}, weights=weights, tau=0.7, alpha=alpha)
    row, document = ROWS[0], [*ROWS[2], *ROWS[0]]

    def logits(lm, ids):
        return lm(torch.tensor([ids])).logits[:, -1:].float()
    said = []
    with torch.no_grad():
        while len(said) < 18:
            mine = log_probs(logits(user, document + said))
            if alpha:
                mine = log_probs((1 + alpha) * mine - alpha * log_probs(logits(user, row + said)))
            parts = {"core": log_probs(logits(core, row + said)), "me": mine}
            base = base_weights(list(parts), params, 1.0)
            shared = {n: torch.full((1, 1), w) for n, w in base.items()}
            shared = adapt(parts, base, params.tau, weights) if weights in RULES else shared
            said.append(int(combine(parts, shared).argmax()))
            if said[-1] == EOS:
                break
    ensemble = Ensemble({"core": model_of(core).bind(row), "me": model_of(user).bind(document, row)}, params)
    assert written(ensemble)[0] == [said[:-1] if said[-1] == EOS else said]


def test_a_row_that_has_ended_stays_as_it_is_and_widens_no_pass():
    lm = lm_of(seed=1)
    answers = [plain(lm, row, 18) for row in ROWS]
    eos = next(token for token in answers[0][:6] if not any(token in answer for answer in answers[1:]))
    _, steps = written(NextTokenModel(lm, NextTokenConfig("core", V, eos)).bind_rows(ROWS), lookahead=2)
    rows = torch.cat([step.token_ids for step in steps if step.finished], 1).tolist()
    assert rows[1:] == answers[1:] and rows[0] == [*answers[0][:answers[0].index(eos)], *[eos] * (18 - answers[0].index(eos))]
    later = [step for step in steps if step.block > 0]
    assert all(step.state.settled[0].all() and not step.changed[0].any() for step in later)
    assert max(step.prediction.logits.shape[1] for step in later) <= 3          # the rows that go on are never far apart


def adapter(lm, seed, r=4):
    """Random tensors of an adapter on every attention and MLP layer, by peft's names."""
    rng, out = torch.Generator().manual_seed(seed), {}
    for path, module in lm.named_modules():
        if path.rpartition(".")[2] in ("q_proj", "v_proj", "down_proj"):
            linear = getattr(module, "linear", module)
            out[f"{path}.lora_A.weight"] = torch.randn(r, linear.in_features, generator=rng)
            out[f"{path}.lora_B.weight"] = torch.randn(linear.out_features, r, generator=rng)
    return out


SETTINGS = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"]}


def test_experts_over_one_base_are_rows_of_one_pass_and_each_is_itself():
    lm = lm_of()
    alone = plain(lm, ROWS[0], 18)
    add_adapter(lm, "david", SETTINGS, adapter(lm, 3))
    add_adapter(lm, "other", SETTINGS, adapter(lm, 4))
    bound = {"core": model_of(lm).bind(ROWS[0]), "david": model_of(lm, "david").bind(ROWS[2]),
             "other": model_of(lm, "other").bind(ROWS[1])}
    apart = {name: written(expert)[0][0] for name, expert in bound.items()}
    assert apart["core"] == alone and len({tuple(row) for row in apart.values()}) == 3
    params = EnsembleParams({"david": 0.3, "other": 0.3})
    count, forward = [], lm.forward
    one = written(Ensemble(bound, params))
    lm.forward = lambda **kw: (count.append(kw["input_ids"].shape[0]), forward(**kw))[1]
    other = written(Ensemble(bound, params))
    assert one[0] == other[0] and set(count) == {3} and len(count) == len(other[1])
    merged = lm_of()
    with torch.no_grad():
        for name, tensor in adapter(merged, 3).items():
            if name.endswith("lora_B.weight"):
                down = adapter(merged, 3)[name.replace("lora_B", "lora_A")]
                merged.get_submodule(name.removesuffix(".lora_B.weight")).weight += 2 * tensor @ down
    assert plain(merged, ROWS[2], 18) == apart["david"]
    remove_adapter(lm, "david")
    lm.forward = forward
    assert written(model_of(lm).bind(ROWS[0]))[0][0] == alone


def test_an_adapter_that_does_not_fit_names_its_tensor():
    lm, tensors = lm_of(), adapter(lm_of(), 3)
    short = {name: tensor for name, tensor in tensors.items() if "layers.1.mlp" not in name}
    with pytest.raises(ModelError, match=r"layers\.1\.mlp\.down_proj\.lora_A\.weight is missing; expected is \[4, 48\]"):
        add_adapter(lm, "a", SETTINGS, short)
    with pytest.raises(ModelError, match="no place for"):
        add_adapter(lm_of(), "a", SETTINGS, tensors | {"model.nowhere.lora_A.weight": torch.zeros(4, 4)})


def test_a_sample_is_decided_by_the_seed_and_is_exact():
    lm, how = lm_of(), {"projection": "sampling", "temperature": 1.3, "top_p": 1.0}
    bound = model_of(lm).bind(ROWS[0])
    first = written(bound, seed=3, **how)[0]
    assert written(bound, seed=3, **how)[0] == first != written(bound, seed=4, **how)[0]
    with torch.no_grad():
        expected = (lm(torch.tensor([ROWS[0]])).logits[0, -1] / 1.3).softmax(-1)
    many = 4000
    drawn = Counter(row[0] if row else EOS for row in written(model_of(lm).bind_rows([ROWS[0]] * many), block_length=1,
                                                               max_new_tokens=1, **how)[0])
    likely = [token for token in range(V) if expected[token] * many >= 5]
    chi = sum((drawn[token] - many * expected[token]) ** 2 / (many * expected[token]) for token in likely)
    assert len(likely) > 5 and chi < 2.5 * len(likely)                      # far beyond the 0.1 % point of chi-square
    assert set(drawn) <= {token for token in range(V) if expected[token] > 1e-5}
    sharp = written(bound, seed=3, projection="sampling", top_p=0.0)[0]
    assert sharp == written(bound)[0]                                       # a nucleus of one token is the greedy choice


def test_the_same_seed_gives_the_same_sample_however_far_one_looks_ahead():
    bound, how = model_of(lm_of()).bind(ROWS[0]), {"projection": "sampling", "seed": 5}
    assert len({tuple(written(bound, **how, lookahead=n)[0][0]) for n in (1, 2, 6)}) == 1


def test_a_pin_holds_and_what_follows_is_written_after_it():
    lm = lm_of()
    pins = Pins()
    pins.put(0, 2, [33])
    found = written(model_of(lm).bind(ROWS[0]), pins=pins, max_new_tokens=6)[0][0]
    free = plain(lm, ROWS[0], 6)
    assert found[:2] == free[:2] and found[2] == 33 and found[3:] == plain(lm, [*ROWS[0], *found[:3]], 3)
    late, steps = Pins(), []
    params = SamplingParams(block_length=6, max_new_tokens=6)
    course = generate(model_of(lm).bind(ROWS[0]), params, torch.Generator(), pins=late)
    for step in course:
        steps.append(step)
        if len(steps) == 4:
            late.put(0, 1, [34])
    assert steps[-1].token_ids[0].tolist()[:2] == [free[0], 34]
    assert steps[-1].token_ids[0, 2:].tolist() == plain(lm, [*ROWS[0], free[0], 34], 4)


def test_kinds_that_read_other_things_are_not_mixed():
    with pytest.raises(ModelError, match="cannot write one answer together"):
        Ensemble({"core": tiny().bind([3, 4]), "me": NextTokenModel(lm_of(), NextTokenConfig("core", 97, EOS)).bind([3])},
                 EnsembleParams({"me": 0.5}))
