"""The sampler against golden vectors of the public SSD-LM decoder on tiny random RoBERTa models."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.simplex import add_noise, alpha_bar, clean
from ssd2_core.models.context import bind_rows
from ssd2_core.models.ssd2 import SSD2Config, SSD2Model
from tests.support.tiny import start

DATA = Path(__file__).parent / "data" / "ssdlm_reference"


def reference(name: str) -> tuple[dict, dict]:
    with safe_open(DATA / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in list(file.keys())}
        return json.loads(file.metadata()["config"]), tensors


def expert(sizes: dict, data: dict):
    keys = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
            "max_position_embeddings")
    backbone = {"model_type": "roberta", "type_vocab_size": 2, **{key: sizes[key] for key in keys}}
    config = SSD2Config(backbone, context_mode="full", tie_simplex_embedding=False, self_conditioning=False)
    model = SSD2Model(config).eval()
    weights = {"lm." + key.removeprefix("model."): value for key, value in data.items() if key.startswith("model.")}
    weights |= {"embed_sum.weight": data["embed_sum.weight"], "timestep_embedding.weight": data["timestep.weight"],
                "timestep_embedding.bias": data["timestep.bias"]}
    assert not model.load_state_dict(weights, strict=False).unexpected_keys
    return bind_rows(model, data["input_ids"][:, :sizes["context_size"]].tolist())


@pytest.mark.parametrize("name", ["greedy", "multihot"])
def test_same_tokens_and_logits_as_ssdlm(name):
    sizes, data = reference(name)
    draws = iter(data["noise"])
    params = SamplingParams(num_steps=sizes["num_steps"], block_length=sizes["block_size"], projection="multihot",
                            max_new_tokens=sizes["block_size"] * sizes["num_blocks"], top_p=sizes["top_p"])
    tokens = []
    steps = list(generate(expert(sizes, data), params, torch.Generator(), noise=lambda shape: next(draws)))
    assert len(steps) == len(data["logits"])
    for step, logits, projected in zip(steps, data["logits"], data["projected"], strict=True):
        assert (step.prediction.logits - logits).abs().max() <= 1e-4
        assert torch.equal(clean(step.after.chosen, logits.shape[-1], sizes["simplex_value"]), projected)
        if step.finished:
            tokens.append(step.token_ids)
    assert torch.equal(torch.cat(tokens, 1), data["output_ids"])


def test_each_step_agrees_given_the_stored_sample():
    sizes, data = reference("sampling")
    bound, T, L = expert(sizes, data), sizes["num_steps"], sizes["block_size"]
    draws, index = list(data["noise"]), 0
    ids = torch.zeros((2, 0), dtype=torch.long)
    for _ in range(sizes["num_blocks"]):
        x_t = sizes["simplex_value"] * draws.pop(0)
        for t in range(T, 0, -1):
            z = sizes["simplex_value"] * draws.pop(0)
            logits = bound(ids, start(x_t, t / T)).logits
            assert (logits - data["logits"][index]).abs().max() <= 1e-4
            x_t = add_noise(data["projected"][index], alpha_bar((t - 1) / T), z)
            index += 1
        ids = torch.cat([ids, logits.argmax(-1)], 1)
        assert ids.shape[1] % L == 0
    assert torch.equal(ids, data["output_ids"])


@pytest.mark.parametrize("T", [10, 100, 1000, 5000])
def test_schedule(T):
    stored = load_file(DATA / "schedule.safetensors")
    ours = torch.tensor([alpha_bar(t / T) for t in range(T + 1)])
    assert (ours[1:] - stored[f"alpha_bar.{T}"]).abs().max() <= 1e-6
    assert (ours[:-1] - stored[f"alpha_bar_prev.{T}"]).abs().max() <= 1e-6
