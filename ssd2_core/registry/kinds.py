"""What kind of denoiser a model is, as its config.json tells, and which kinds write one answer together. Imports no torch."""

from collections.abc import Mapping

SIMPLEX, NEXT_TOKEN, MASKED, UNIFORM = "simplex", "next-token", "masked", "uniform"
MASKED_TYPES = ("llada", "Dream", "a2d-qwen3", "a2d-qwen2", "sdar", "modernbert")      # see models/public_layouts.py
UNIFORM_TYPES = ("diffusion_gemma",)
BLOCKS = ("bd3lm", "a2d-init")


def kind_of(config: Mapping) -> str:
    """The kind of a model with this config.json: our own network, a public masked diffusion LM, or a causal LM as it is."""
    if config.get("model_type") == "ssd2":
        return SIMPLEX
    if config.get("model_type") in UNIFORM_TYPES:
        return UNIFORM
    return MASKED if config.get("model_type") in MASKED_TYPES else NEXT_TOKEN


def trained_on_blocks(name: str) -> bool:
    """Whether a name says that a masked model was trained block after block: A2D's config.json does not tell."""
    return any(part in name.lower() for part in BLOCKS)


def go_together(one: str, other: str) -> bool:
    """Whether experts of these kinds read blocks that are settled in the same way: all but the simplex kind read tokens."""
    return one == other or SIMPLEX not in (one, other)
