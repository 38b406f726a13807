"""How a model's public sampler goes: the settings that stand for its core where nobody has set them. Imports no torch.

Sources: the public samplers of LLaDA, Dream, dllm and SDAR, and DiffusionGemma's own files.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..config import Limits, SamplingParams, knobs
from .kinds import MASKED, SIMPLEX, UNIFORM, kind_of, trained_on_blocks

KNOBS = knobs(SamplingParams)
NAMES = ("num_steps", "block_length", "projection", "top_p", "early_exit")
BLOCKS = {"llada": 32, "sdar": 4}               # positions by model_type, where config.json has no block_size
TRAINED, WHOLE = 32, SamplingParams.max_new_tokens      # of what was trained block after block, and of what has no blocks
CANVAS, STEPS = 256, 48                         # of DiffusionGemma


def own_sampling(config: Mapping, folder: Path, model_id: str) -> dict[str, object]:
    """SamplingParams by name, of a model with this config.json in ``folder``. Nothing of a causal LM: it has no blocks."""
    kind, model_type = kind_of(config), config.get("model_type")
    if kind == SIMPLEX:
        return {"block_length": _count("block_length", config.get("block_length"), SamplingParams.block_length)}
    if kind == UNIFORM:
        said = {}
        with contextlib.suppress(ValueError, OSError):
            said = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
        return {"block_length": _count("block_length", config.get("canvas_length"), CANVAS),
                "num_steps": _count("num_steps", said.get("max_denoising_steps"), STEPS),
                "projection": "sampling", "top_p": 1.0, "early_exit": "patience"}
    if kind != MASKED:
        return {}
    usual = TRAINED if trained_on_blocks(f"{model_id} {folder.resolve().name}") else BLOCKS.get(model_type, WHOLE)
    length = _count("block_length", config.get("block_size"), usual)
    return {"block_length": length, "num_steps": length}                # a position in each step


def _count(name: str, value: object, usual: int) -> int:
    """A number of a file, where it is one that the setting may be."""
    fits = isinstance(value, int) and not isinstance(value, bool) and KNOBS[name].low <= value <= KNOBS[name].high
    return value if fits else usual


def usual(own: Mapping[str, object], limits: Limits | None = None) -> dict[str, object]:
    """The settings of NAMES that stand where nobody has set them: a model's own as far as the limits go, or the same for all.

    A block that must be shorter than the model's own has no more steps than positions.
    """
    found = {name: KNOBS[name].default for name in NAMES} | dict(own)
    found |= {name: min(value, KNOBS[name].bounds(limits)[1]) for name, value in found.items() if not KNOBS[name].choices}
    if "num_steps" in own:
        found["num_steps"] = min(found["num_steps"], found["block_length"])
    return found
