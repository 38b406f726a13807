"""Converts a TESS-2 checkpoint (MistralForDiffusionLM, safetensors) to a model folder of ours; nothing of it is executed.

Its network is a Mistral whose attention sees everything in both directions, with a linear time embedding, the probabilities of
the last prediction mixed into the input, and predictions read one position earlier. Layout: TESS-2 (arXiv 2502.13917) and its
public code.
"""

import json
from pathlib import Path

from safetensors.torch import load_file

from ..errors import ModelError
from .checkpoints import shape_of
from .convert_ssdlm import write_folder
from .ssd2 import SSD2Config

MIXES = {"logits_mean": "mean", "logits_addition": "addition"}
CLASS = "MistralForDiffusionLM"


def convert_tess2(folder: Path, out: Path) -> SSD2Config:
    """Write ``folder`` as config.json, safetensors and tokenizer.json into ``out``. Raises ModelError in one sentence."""
    try:
        given = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ModelError(f"{folder} has no config.json that can be read; a TESS-2 folder was expected.") from None
    known = isinstance(given, dict) and given.get("model_type") == "mistral"
    if not known or CLASS not in (given.get("architectures") or [CLASS]):
        raise ModelError(f"{folder} is not a TESS-2 folder: a mistral of class {CLASS} was expected.")
    if given.get("disable_timestep_embed"):
        raise ModelError(f"{folder} has no time embedding, which this network cannot do without.")
    how = given.get("self_condition")
    if how is not None and how not in MIXES:
        raise ModelError(f"self_condition must be one of {', '.join(MIXES)} or null, not {how!r}.")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder} has no .safetensors file; save it in that format first.")
    state = {}
    for file in files:
        for name, tensor in load_file(file).items():
            ours = name.startswith("timestep_embed.")
            state[name.replace("timestep_embed.", "timestep_embedding.") if ours else f"lm.{name}"] = tensor
    theirs = ("self_condition", "self_condition_mix_before_weights", "self_condition_mix_logits_before_weights", "is_causal",
              "disable_timestep_embed", "mask_padding_in_loss", "empty_token_be_mask", "is_diffusion", "classifier_dropout")
    backbone = {key: value for key, value in shape_of(given).items() if key not in theirs}
    backbone["sliding_window"] = None
    config = SSD2Config(backbone, simplex_value=5.0, block_length=32, context_mode="full", label_shift=True,
                        self_conditioning=how is not None, self_conditioning_mix=MIXES.get(how, ""),
                        time_bias="timestep_embedding.bias" in state, tie_simplex_embedding=True, role="core", title="TESS-2",
                        summary="Answers instructions.", prompt_style="tulu", license="apache-2.0", max_context=480,
                        history_turns=1, eos_token_id=given.get("eos_token_id"), pad_token_id=given.get("pad_token_id"),
                        tie_word_embeddings=bool(given.get("tie_word_embeddings", False)))
    return write_folder(config, state, folder, out)
