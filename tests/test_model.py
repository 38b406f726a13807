"""SSD2Model at tiny size: cache against recomputation, padding, saving, devices, bad input."""

import pytest
import torch

from ssd2_core.config import EnsembleParams, SamplingParams
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.simplex import alpha_bar
from ssd2_core.errors import LimitError, ModelError
from ssd2_core.models.context import bind_rows
from ssd2_core.models.ssd2 import SSD2Config, SSD2Model
from tests.support.tiny import BERT, LLAMA, OPT, ROBERTA, endless, start, tiny

CONTEXTS = [[2, 20, 21, 22, 3, 30, 31, 4], [3, 40, 41, 4]]
PARAMS = SamplingParams(num_steps=4, block_length=6, max_new_tokens=12, seed=3)


def tokens(denoiser, params=PARAMS):
    steps = generate(endless(denoiser), params, torch.Generator().manual_seed(params.seed))
    return torch.cat([s.token_ids for s in steps if s.finished], 1)


def direct_logits(model, context, ids, x_t, u, previous=None):
    """One plain forward over everything, without a cache: the rule of the module's docstring written out."""
    clean = torch.tensor([context + ids]) if isinstance(context, list) else context        # (B, C)
    C, L = clean.shape[1], x_t.shape[1]
    if model.config.context_mode == "full":
        level = torch.zeros(C + L)
    else:
        causal = model.config.context_mode == "causal"
        first = torch.arange(C - len(ids)) if causal else model.segments(clean[:, :C - len(ids)])[0]
        later = torch.arange(len(ids)) if causal else torch.arange(len(ids)) // L      # each block is a segment
        level = torch.cat([first, 1000 + later, torch.full((L,), 9999)])
    allowed = (level.unsqueeze(0) <= level.unsqueeze(1)).unsqueeze(0)
    mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min).unsqueeze(1)
    block = model.embed_block(x_t, torch.full((len(clean), L), u), previous)
    hidden = torch.cat([model.get_input_embeddings()(clean), block], 1)
    return model.head(model.trunk(hidden, mask, torch.arange(C + L).unsqueeze(0))[:, -L:])


def test_a_segment_is_read_in_both_directions_and_never_sees_a_later_one():
    def keys(model, ids):
        layer = bind_rows(model, [ids]).context.cache.layers[-1]
        return layer.keys[0]
    model = tiny(context_mode="segments")
    one, other = keys(model, [2, 20, 21, 3, 30, 4]), keys(model, [2, 20, 22, 3, 30, 4])
    assert (one[:, 1] - other[:, 1]).abs().max() > 1e-5          # token 1 knows token 2 of its own segment
    changed_question = keys(model, [2, 20, 21, 3, 31, 4])
    assert torch.allclose(one[:, :3], changed_question[:, :3])
    causal = tiny(context_mode="causal")
    assert torch.allclose(keys(causal, [2, 20, 21])[:, 1], keys(causal, [2, 20, 22])[:, 1])


def test_self_conditioning_and_time_are_inputs():
    model = tiny()
    x_t = torch.randn(1, 6, 97, generator=torch.Generator().manual_seed(2)) * 5
    ids = torch.zeros((1, 0), dtype=torch.long)
    bound = model.bind(CONTEXTS[0])
    first = bound(ids, start(x_t)).logits
    assert (first - bound(ids, start(x_t, previous=first)).logits).abs().max() > 1e-4
    assert torch.equal(first, bound(ids, start(x_t)).logits)     # nothing is remembered
    assert not torch.equal(first, bound(ids, start(x_t, 0.2)).logits)


@torch.no_grad()
def plain_decoder(model, context, params, draws, K=5.0):
    """The method without any shortcut: everything again at every step, noise added to a whole x̂_0, the vocabulary sorted."""
    draws, ids, rng = iter(draws), [], torch.Generator().manual_seed(params.seed)
    while len(ids) < params.max_new_tokens:
        x_t, previous, T = K * next(draws), None, params.num_steps
        for t in range(T, 0, -1):
            noise = K * next(draws)
            previous = direct_logits(model, context, ids, x_t, t / T, previous)
            probs = previous.softmax(-1)
            best, index = probs.sort(-1, descending=True)
            keep = torch.zeros_like(probs, dtype=torch.bool).scatter(-1, index, best.cumsum(-1) - best <= params.top_p)
            if params.projection == "greedy":
                keep = torch.nn.functional.one_hot(previous.argmax(-1), probs.shape[-1]).bool()
            elif params.projection == "sampling":
                drawn = torch.multinomial((probs * keep)[0], 1, generator=rng).T
                keep = torch.nn.functional.one_hot(drawn, probs.shape[-1]).bool()
            signal = alpha_bar((t - 1) / T)
            x_t = signal**0.5 * torch.where(keep, K, -K) + max(0, 1 - signal)**0.5 * noise
        ids = ids + previous.argmax(-1)[0].tolist()
    return ids


@pytest.mark.parametrize("projection", ["greedy", "sampling", "multihot"])
@pytest.mark.parametrize("mode", ["causal", "segments", "full"])
def test_fast_steps_say_what_a_plain_decoder_says(mode, projection):
    model = tiny(context_mode=mode)
    params = SamplingParams(num_steps=5, block_length=6, max_new_tokens=18, projection=projection, seed=7)
    draws = torch.randn(3 * 6, 1, 6, 97, generator=torch.Generator().manual_seed(8))
    feed = iter(draws)
    steps = generate(endless(model.bind(CONTEXTS[0])), params, torch.Generator().manual_seed(7),
                     noise=lambda shape: next(feed))
    said = torch.cat([s.token_ids for s in steps if s.finished], 1)[0].tolist()
    assert said == plain_decoder(model, CONTEXTS[0], params, draws) and len(set(said)) > 6


def test_a_block_is_put_behind_the_cached_context_without_a_copy_of_it():
    bound = tiny().bind(list(range(2, 40)))
    layer, x_t = bound.context.cache.layers[0], torch.zeros(1, 6, 97)
    place, before = layer.buffers[0].data_ptr(), layer.keys.clone()
    for u in (1.0, 0.5):
        bound(torch.zeros((1, 0), dtype=torch.long), start(x_t, u))
        assert layer.keys.data_ptr() == place and torch.equal(layer.keys, before)
    bound(torch.arange(50, 50 + 300).remainder(90).unsqueeze(0), start(x_t))         # more than the room behind it
    assert layer.keys.shape[-2] == 38 + 300 and torch.equal(layer.keys[:, :, :38], before)


def test_a_bound_expert_can_be_used_twice():
    bound = tiny().bind(CONTEXTS[0])
    assert torch.equal(tokens(bound), tokens(bound))


@pytest.mark.parametrize("backbone", [LLAMA, ROBERTA, BERT])
@pytest.mark.parametrize("device_map", [None, "cpu", "auto"])
def test_save_and_load(tmp_path, backbone, device_map):
    mode = "causal" if backbone is LLAMA else "full"
    model = tiny(backbone=backbone, context_mode=mode, role="reader", title="T", tokenizer_hash="abc")
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    loaded = SSD2Model.from_pretrained(tmp_path, device_map=device_map, dtype=torch.float32).eval()
    assert (loaded.config.role, loaded.config.title, loaded.config.tokenizer_hash) == ("reader", "T", "abc")
    assert torch.equal(tokens(model.bind(CONTEXTS[0])), tokens(loaded.bind(CONTEXTS[0])))
    half = SSD2Model.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16
    assert tokens(half.bind(CONTEXTS[0])).shape == (1, 12)


def test_contrast_needs_documents_and_changes_the_answer():
    model, core = tiny(1), tiny(2)
    with_documents, bare = [2, 20, 21, 22, 3, 30, 31, 4], [3, 30, 31, 4]
    def run(alpha):
        params = EnsembleParams(lam={"me": 0.7}, weights="constant", alpha=alpha)
        return tokens(Ensemble({"core": core.bind(bare), "me": model.bind(with_documents, bare)}, params))
    assert not torch.equal(run(0.0), run(2.0))


def test_bad_config_is_one_sentence():
    with pytest.raises(ModelError, match="backbone must be one of.*'gpt9'"):
        SSD2Config({"model_type": "gpt9"})
    with pytest.raises(ModelError, match="context_mode"):
        SSD2Config(dict(LLAMA), context_mode="sideways")


@pytest.mark.parametrize("mode", ["causal", "segments"])
@pytest.mark.parametrize("backbone", [BERT, ROBERTA])
def test_a_masked_backbone_without_full_context_is_refused_at_load(backbone, mode):
    with pytest.raises(ModelError, match=f"context_mode must be full with a {backbone['model_type']} backbone.*not {mode}"):
        tiny(backbone=backbone, context_mode=mode)


@pytest.mark.parametrize("backbone,most", [(OPT, 40), (ROBERTA, 38), (BERT, 40)])
def test_context_and_answer_may_fill_a_table_of_positions_and_no_more(backbone, most):
    mode = "causal" if backbone is OPT else "full"
    model = tiny(backbone={**backbone, "max_position_embeddings": 40}, context_mode=mode, eos=None)
    assert model.config.max_positions == most and tiny(backbone=LLAMA).config.max_positions is None
    params = SamplingParams(num_steps=2, block_length=6, max_new_tokens=12)
    def run(context):
        return list(generate(model.bind([2] * context), params, torch.Generator().manual_seed(0)))[-1]
    assert run(most - 12).block == 1
    with pytest.raises(LimitError, match=f"has {most} positions for context and answer together, and {most + 1} are needed"):
        run(most - 11)
    padded = bind_rows(model, [[2] * (most - 12), [3] * 5])
    assert list(generate(padded, params, torch.Generator().manual_seed(0)))[-1].block == 1
