"""The shapes of public diffusion LMs with random weights, through the real way of loading: for one large GPU."""

import itertools
import json
import re
import tempfile
import time
from pathlib import Path

import torch
from huggingface_hub import save_torch_state_dict
from torch import nn

from ..config import SamplingParams
from ..diffusion.sampling import generate
from ..models import loading
from ..models.device_map import make_plan, network_of
from ..models.language_model import LanguageModel
from ..models.load_masked import network_config
from ..models.load_uniform import uniform_config
from ..models.public_layouts import LLADA
from .large import add_tokenizer, random_network
from .measure import Figure, medians

SHAPES = {  # as their public configs and pages say: LLaDA-8B, DiffusionGemma-26B-A4B
    "llada": {"model_type": "llada", "d_model": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 32,
              "mlp_hidden_size": 12_288, "vocab_size": 126_464, "embedding_size": 126_464, "max_sequence_length": 4096,
              "rms_norm_eps": 1e-5, "rope_theta": 500_000.0, "mask_token_id": 126_336,
              "eos_token_id": 126_081, "pad_token_id": 126_081},
    "diffusiongemma": {"model_type": "diffusion_gemma", "canvas_length": 256, "text_config": {
        "vocab_size": 262_144, "hidden_size": 2816, "intermediate_size": 2112, "num_hidden_layers": 30,
        "num_attention_heads": 16, "num_key_value_heads": 8, "num_global_key_value_heads": 2, "head_dim": 256,
        "global_head_dim": 512, "sliding_window": 1024, "num_experts": 128, "top_k_experts": 8, "moe_intermediate_size": 704}}}
LENGTH = {"llada": 128, "diffusiongemma": 256}
C, ROWS = 512, (1, 8)           # tokens of context, visitors
SHARD = "4GB"


def public_name(name: str) -> str:
    """The name in LLaDA's layout of a tensor that Llama names so."""
    for pattern, ours in LLADA.items():
        found, old = re.escape(ours).replace(r"\\1", r"(\d+)"), pattern[1:].replace(r"(\d+)", r"\1").replace(r"\.", ".")
        if re.match(found + r"\.", name):
            return re.sub("^" + found, old, name)
    return name


def write_random(name: str, folder: Path, device: str) -> None:
    """A folder in the public layout with random bfloat16 weights in shards, and any tokenizer."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SHAPES[name]), encoding="utf-8")
    add_tokenizer(folder)
    config = uniform_config(folder, name) if name == "diffusiongemma" else network_config(folder, name)[-1]
    make_plan(name, config, torch.bfloat16, "auto" if device == "cuda" else None).check()
    network = random_network(lambda: network_of(config), device)
    if name == "llada":
        save_torch_state_dict({public_name(key): tensor for key, tensor in network.state_dict().items()}, folder,
                              max_shard_size=SHARD)
    else:
        network.save_pretrained(folder, max_shard_size=SHARD)
        (folder / "config.json").write_text(json.dumps(SHAPES[name]), encoding="utf-8")


def public_figures(device: str) -> list[Figure]:
    """Loading, memory, and steps a second of one and of several visitors, against the bare network. One shape after another."""
    out = []
    for name in SHAPES:
        with tempfile.TemporaryDirectory() as home:
            write_random(name, Path(home) / name, device)
            if device == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            model = loading.load(str(Path(home) / name), "auto" if device == "cuda" else None, "bfloat16").model
            count = sum(parameter.numel() for parameter in model.lm.parameters())
            out.append(Figure(f"load_{name}_s", time.perf_counter() - start, "s", f"{count:,} parameters, bfloat16"))
        for rows in ROWS:
            out += step_figures(name, model, rows)
        if device == "cuda":
            out.append(Figure(f"peak_gpu_gb_{name}", torch.cuda.max_memory_allocated() / 1e9, "GB", "weights and all of these"))
        del model
    return out


@torch.no_grad()
def step_figures(name: str, model: LanguageModel, rows: int) -> list[Figure]:
    """A step of ``rows`` answers after C tokens each: how many a second, and its time over that of the network's own pass."""
    length, asked = LENGTH[name], []
    bound = model.bind_rows([list(range(5, 5 + C))] * rows)
    params = SamplingParams(num_steps=length, block_length=length, max_new_tokens=length)
    runs = (generate(bound, params, torch.Generator(device=bound.device).manual_seed(0)) for _ in itertools.count())
    steps = itertools.chain.from_iterable(runs)                 # one answer after another, without an end

    def step() -> None:
        next(steps)
    hook = model.lm.register_forward_pre_hook(lambda _, __, given: asked.append(given), with_kwargs=True)
    step()
    step()
    hook.remove()
    found = medians({"step": step, "forward": lambda: bare(model.lm, asked[-1])})
    what = f"L {length}, C {C}, {rows} row{'s' if rows > 1 else ''}"
    return [Figure(f"steps_per_second_{name}_B{rows}", 1 / found["step"], "steps/s", what),
            Figure(f"step_over_forward_{name}_B{rows}", found["step"] / found["forward"], "ratio", what)]


def bare(lm: nn.Module, given: dict) -> object:
    """The network's pass of a step, alone."""
    return lm(**given).logits
