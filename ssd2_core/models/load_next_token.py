"""Loads next-token experts: any causal LM of transformers with a cache, and adapters on one, which share its weights in memory.

Nothing is ever unpickled and no code of a model is ever run: safetensors, or GGUF that is converted once.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from ..errors import ModelError
from ..registry.base_models import Base, Progress, find_base
from ..registry.cards import is_gguf, read_card
from ..registry.kinds import NEXT_TOKEN
from ..registry.vocabulary import count, table_of
from ..text.chat_template import ChatTemplate, read_chat_template
from ..text.ends import ends_of
from ..text.prompts import prompt_format
from .causal_rows import LAYERS
from .checkpoints import base_folder, base_tensors
from .device_map import load_weights
from .drafts import load_drafts
from .lora import hold_adapter
from .next_token import NextTokenConfig, NextTokenModel

ALIBI = ("bloom", "mpt")              # they make positions of a mask of their own; falcon says so in its config
PEFT = "base_model.model."              # peft's names begin so
_lms: WeakValueDictionary[tuple, torch.nn.Module] = WeakValueDictionary()
TEMPLATE = "template"                   # a prompt_style: as the chat template says
OPTIONAL = ("max_context", "history_turns", "title", "summary", "license", "prompt_style", "num_parameters", "memorised")


def folder_of(model_id: str, progress: Progress | None = None) -> Path:
    """The folder with config.json, safetensors and tokenizer.json of a .gguf file, converted once."""
    file = Path(model_id)
    return base_folder(Base(model_id, file.parent, file.name, "folder"), progress)


def base_of(folder: Path, progress: Progress | None = None) -> Path:
    """Where the weights of the LM lie: in the folder itself, or in that of the base it names, which is fetched if it must."""
    base = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("base", "")
    if not base:
        return folder
    return folder_of(base, progress) if is_gguf(base) else base_folder(find_base(base, progress), progress)


def lm_config(folder: Path, model_id: str) -> PreTrainedConfig:
    """The transformers config of a causal LM that keeps keys and values. Raises ModelError."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, KeyError):
        raise ModelError(f"{model_id} is of a kind that transformers does not know; choose a causal LM that it has.") from None
    found = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    found = found[0] if isinstance(found, tuple) else found
    if found is None or config.is_encoder_decoder:
        raise ModelError(f"{model_id} ({config.model_type}) is no causal LM; choose one that predicts the next token.")
    if getattr(found, "_is_stateful", False):
        raise ModelError(f"{model_id} ({config.model_type}) keeps no keys and values of what it has read, which a block needs; "
                         "choose a causal LM with attention in all layers.")
    shape = config.get_text_config()
    kinds = set(getattr(shape, "layer_types", None) or ()) - set(LAYERS)
    if kinds or getattr(shape, "alibi", config.model_type in ALIBI):
        raise ModelError(f"{model_id} ({config.model_type}) has {', '.join(sorted(kinds)) or 'positions'} that rows of a pass "
                         "cannot have; choose a causal LM with full or sliding attention and position ids.")
    return config


def load_next_token(folder: Path, model_id: str, tokenizer: Tokenizer, lies: Path, dtype: str, where: dict) -> NextTokenModel:
    """The expert in ``folder``, whose LM is in ``lies``. dtype, where: as for ``from_pretrained``. Raises ModelError."""
    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = lm_config(lies, model_id)
    lm = _lm(lies, config, dtype, where, fresh=bool(about.get("lora")) and bool(where.get("quantization_config")))
    size, rows = count(table_of(lies / "tokenizer.json")), lm.config.get_text_config().vocab_size
    if size > rows:
        raise ModelError(f"The tokenizer of {model_id} has {size} tokens, its network only {rows}; they do not belong "
                         "together.")
    card, ours = read_card(folder, model_id, "folder"), about.get("kind") == NEXT_TOKEN
    settings = {name: about[name] for name in OPTIONAL if ours and name in about}
    shape = config.get_text_config()
    positions = getattr(shape, "max_position_embeddings", None)
    most = positions or NextTokenConfig.max_context
    settings["max_positions"] = None if getattr(shape, "rope_parameters", None) else positions      # GPT-2 and OPT have a table
    settings["max_context"] = min(int(settings.get("max_context", NextTokenConfig.max_context)), most)
    ends = ends_of(lies, tokenizer)
    template = _template(about, lies, tokenizer, model_id, ends)
    made = NextTokenConfig(card.role, size, template.eos if template else prompt_format(tokenizer).eos, chat_template=template,
                           more_ends=ends, base=about.get("base", ""), lora=about.get("lora"),
                           tokenizer_hash=card.tokenizer_hash,
                           **{"title": card.title, "num_parameters": card.parameters, **settings})
    if not about.get("lora"):
        load_drafts(lm, folder, about.get("base", ""))
        return NextTokenModel(lm, made)
    held = hold_adapter(lm, model_id, about["lora"], lambda: {
        name.removeprefix(PEFT): tensor for name, tensor in base_tensors(folder).items()})
    return NextTokenModel(lm, made, model_id, held)


def _template(about: dict, lies: Path, tokenizer: Tokenizer, model_id: str, ends: Sequence[int]) -> ChatTemplate | None:
    """The chat template of a causal LM as it is, and of an expert whose config.json asks for its base's by its prompt_style.

    What a visitor sends never does: its config.json is written here, after its base's card.
    """
    if about.get("kind") == NEXT_TOKEN and about.get("prompt_style") != TEMPLATE:
        return None
    template = read_chat_template(lies, tokenizer, model_id, next(iter(ends), None))
    if template is None and about.get("prompt_style") == TEMPLATE:
        raise ModelError(f"{about['base']} has no chat template, which the prompt_style of {model_id} asks for.")
    return template


def _lm(folder: Path, config: PreTrainedConfig, dtype: str, where: dict, fresh: bool) -> torch.nn.Module:
    """The LM in ``folder``, the one in memory if it was loaded alike."""
    key = (str(folder.resolve()), dtype, repr(sorted(where.items(), key=str)))
    found = None if fresh else _lms.get(key)
    if found is None:
        found = load_weights(AutoModelForCausalLM, folder, config, dtype, where, pretrained_model_name_or_path=folder,
                             trust_remote_code=False).requires_grad_(False)
        _lms[key] = found
    return found
