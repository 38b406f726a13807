"""Published checkpoint layouts become model folders that sample as the originals do; pickled code is refused, not run."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import MistralConfig, MistralForCausalLM, RobertaConfig, RobertaForMaskedLM

from ssd2_core.__main__ import main
from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.sampling import generate
from ssd2_core.errors import ModelError
from ssd2_core.models import loading
from ssd2_core.models.context import bind_rows
from ssd2_core.models.convert_ssdlm import convert_ssdlm
from ssd2_core.models.convert_tess2 import convert_tess2
from tests.support.tiny import endless, start
from tests.test_conformance import reference


def tokenizer(path, size):
    """A tokenizer of ``size`` entries with the two marks of a text."""
    vocab = {"<s>": 0, "<pad>": 1, "</s>": 2, **{f"w{n}": n for n in range(3, size)}}
    made = Tokenizer(models.WordLevel(vocab, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens([AddedToken(t, special=True) for t in ("<s>", "<pad>", "</s>")])
    made.save(str(path / "tokenizer.json"))


def linear(weight, bias=None):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight.data = weight.clone()
    if bias is not None:
        layer.bias.data = bias.clone()
    return layer


@pytest.fixture
def published(tmp_path):
    """The golden weights in the layout of the published SSD-LM, pickles included."""
    sizes, data = reference("multihot")
    keys = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
            "max_position_embeddings")
    folder = tmp_path / "published"
    config = RobertaConfig(type_vocab_size=2, pad_token_id=1, bos_token_id=0, eos_token_id=2, **{k: sizes[k] for k in keys})
    lm = RobertaForMaskedLM(config)
    lm.load_state_dict({k.removeprefix("model."): v for k, v in data.items() if k.startswith("model.")}, strict=False)
    folder.mkdir()
    config.save_pretrained(folder)
    torch.save({k: v for k, v in lm.state_dict().items() if "position_ids" not in k}, folder / "pytorch_model.bin")
    torch.save(linear(data["embed_sum.weight"]), folder / "embed_sum_layer.pt")
    torch.save(linear(data["timestep.weight"], data["timestep.bias"]), folder / "timestep_layer.pt")
    tokenizer(folder, sizes["vocab_size"])
    return sizes, data, folder


def test_a_converted_ssdlm_samples_as_the_golden_vectors_do(published, tmp_path, capsys):
    sizes, data, folder = published
    assert main(["convert", "ssdlm", str(folder), str(tmp_path / "ours")]) == 0
    assert "SSD-LM" in capsys.readouterr().out
    expert = loading.load(str(tmp_path / "ours"))
    params = SamplingParams(num_steps=sizes["num_steps"], block_length=sizes["block_size"], projection="multihot",
                            max_new_tokens=sizes["block_size"] * sizes["num_blocks"], top_p=sizes["top_p"])
    draws = iter(data["noise"])
    bound = bind_rows(expert.model, data["input_ids"][:, :sizes["context_size"]].tolist())
    steps = list(generate(endless(bound), params, torch.Generator(), noise=lambda shape: next(draws)))
    assert torch.equal(torch.cat([s.token_ids for s in steps if s.finished], 1), data["output_ids"])
    assert max((s.prediction.logits - g).abs().max() for s, g in zip(steps, data["logits"], strict=True)) <= 1e-4
    words = expert.bind("w5 w6")
    assert words.context.first_ids.tolist() == [[0, 5, 6]]


class Bad:
    def __reduce__(self):
        return os.system, (f"touch {os.environ['BAD_FILE']}",)


@pytest.mark.parametrize("kind", ["code", "torn", "text", "other"])
def test_side_files_that_are_not_layers_are_refused_and_never_run(published, tmp_path, monkeypatch, kind):
    _, _, folder = published
    touched = tmp_path / "touched"
    monkeypatch.setenv("BAD_FILE", str(touched))
    file = folder / "embed_sum_layer.pt"
    if kind == "code":
        file.write_bytes(pickle.dumps(Bad()))
    elif kind == "torn":
        file.write_bytes(file.read_bytes()[:300])
    elif kind == "text":
        file.write_text("hello")
    else:
        torch.save([1, 2], file)
    with pytest.raises(ModelError, match="cannot be read safely|must hold a linear layer"):
        convert_ssdlm(folder, tmp_path / "ours")
    assert not touched.exists() and not (tmp_path / "ours").exists()


def test_folders_of_another_kind_are_one_sentence(published, tmp_path):
    _, _, folder = published
    with pytest.raises(ModelError, match="a mistral of class"):
        convert_tess2(folder, tmp_path / "x")
    with pytest.raises(ModelError, match="no config.json"):
        convert_ssdlm(tmp_path / "nothing", tmp_path / "x")
    (folder / "timestep_layer.pt").unlink()
    with pytest.raises(ModelError, match="no timestep_layer.pt"):
        convert_ssdlm(folder, tmp_path / "x")


TESS = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 128, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


@pytest.fixture
def tess(tmp_path):
    """A tiny random network in TESS-2's layout, and the folder that it would be published as."""
    torch.manual_seed(0)
    lm = MistralForCausalLM(MistralConfig(**TESS, tie_word_embeddings=False, sliding_window=None)).eval()
    with torch.no_grad():
        for parameter in lm.parameters():
            parameter.mul_(6.0 if parameter.ndim > 1 else 1.0)
    time, folder = nn.Linear(1, 32, bias=False), tmp_path / "tess"
    folder.mkdir()
    state = {**{k: v.clone() for k, v in lm.state_dict().items()}, "timestep_embed.weight": time.weight.data}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = {**TESS, "model_type": "mistral", "architectures": ["MistralForDiffusionLM"], "self_condition": "logits_mean",
              "self_condition_mix_before_weights": True, "is_causal": False, "disable_timestep_embed": False,
              "sliding_window": 4096}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer(folder, 60)
    return lm, time, folder


@torch.no_grad()
def tess_logits(lm, time, clean, x_t, u, previous):
    """A forward of TESS-2 written out: mixed probabilities, everything sees everything, predictions read one earlier."""
    table = lm.model.embed_tokens.weight
    before = torch.zeros_like(x_t) if previous is None else previous
    block = ((x_t.softmax(-1) + before.softmax(-1)) / 2) @ table + time(torch.full((*x_t.shape[:2], 1), u))
    hidden = torch.cat([lm.model.embed_tokens(torch.tensor([clean])), block], 1)
    n = hidden.shape[1]
    out = lm.model(inputs_embeds=hidden, attention_mask=torch.zeros(1, 1, n, n), position_ids=torch.arange(n)[None])
    return lm.lm_head(out.last_hidden_state)[:, len(clean) - 1:-1]


def test_a_converted_tess2_predicts_as_its_own_forward(tess, tmp_path):
    lm, time, folder = tess
    assert main(["convert", "tess2", str(folder), str(tmp_path / "ours")]) == 0
    expert = loading.load(str(tmp_path / "ours"))
    bound = bind_rows(expert.model, [[0, 5, 6, 7]])
    noise = torch.randn(2, 1, 6, 60, generator=torch.Generator().manual_seed(0)) * 5
    none, previous = torch.zeros((1, 0), dtype=torch.long), None
    for x_t, u in ((noise[0], 1.0), (noise[1], 0.5)):
        logits = bound(none, start(x_t, u, previous)).logits
        assert (logits - tess_logits(lm, time, [0, 5, 6, 7], x_t, u, previous)).abs().max() <= 1e-4
        previous = logits
    assert bound(torch.tensor([[9, 9]]), start(noise[0])).logits.shape == (1, 6, 60)
    assert expert.config.prompt_style == "tulu"


def test_tess2_without_what_it_needs_is_one_sentence(tess, tmp_path):
    _, _, folder = tess
    config = json.loads((folder / "config.json").read_text())
    for change, words in (({"self_condition": "logits_max"}, "self_condition must be one of"),
                          ({"disable_timestep_embed": True}, "no time embedding"), ({"hidden_size": 48}, "do not fit")):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(ModelError, match=words):
            convert_tess2(folder, tmp_path / "x")
