"""Models from a name to a network that can be asked. Imports torch only to load.

Nothing is ever unpickled and no code of a model is ever run. What is known without loading stands in ``cards.py``.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from ..config import CORE, Settings, knobs
from ..errors import ModelError, is_out_of_memory, reason
from ..registry.base_models import Progress, find_base
from ..registry.cards import here, is_gguf, list_models, locate, read_card, resolve, tokenizer_hash
from ..registry.kinds import MASKED, NEXT_TOKEN, SIMPLEX, UNIFORM, kind_of
from ..registry.model_card import ModelCard, check_compatible, control_apart
from ..registry.vocabulary import vocabulary_of
from .device_map import (
    Plan,
    check_max_memory,
    count_parameters,
    has_bfloat16_units,
    load_arguments,
    load_weights,
    make_plan,
    parse_device_map,
    parse_max_memory,
)

__all__ = ["Expert", "ModelCard", "check_compatible", "list_models", "load", "locate", "plan_for", "read_card", "resolve"]
log = logging.getLogger(__name__)
LARGE = 50_000_000              # parameters from which bfloat16 pays on a CPU: below, a step is not made of arithmetic


@dataclass
class Expert:
    """A loaded model with its tokenizer and card."""

    model: object
    tokenizer: Tokenizer
    card: ModelCard

    @property
    def config(self):
        """The network's SSD2Config."""
        return self.model.config

    def config_as(self, name: str):
        """The config for a part in an ensemble: a causal LM that is no core reads documents as a reader does."""
        is_reader = self.card.kind != SIMPLEX and name != CORE and self.config.role == "core"
        return replace(self.config, role="reader") if is_reader else self.config

    def only_reads(self, name: str) -> bool:
        """Whether this expert has nothing to say where it has nothing to read."""
        return self.card.kind != SIMPLEX and self.config_as(name).role == "reader" and not self.config.memorised

    def bind(self, prompt: str, documents: list[str] | None = None):
        """This expert after a question, and after documents if it reads them: a Denoiser."""
        from ..text.documents import passages
        from ..text.prompts import contexts
        pieces = [piece for text in documents or [] for piece in passages(text)]
        context = contexts(self.tokenizer, self.model.config, prompt, (), pieces)
        return self.model.bind(context.ids, context.bare_ids)

    def text(self, token_ids) -> str:
        """Text of token ids (a list or a tensor) up to the end-of-text token."""
        from ..text.prompts import answer_text
        return answer_text(self.tokenizer, [int(i) for i in token_ids], self.config.ends)


def never_said(experts: Mapping[str, Expert]) -> tuple[int, ...]:
    """Ids that an ensemble may not say: control tokens that mean other things to its experts. Raises ModelError.

    experts: by name, the core first. What ends an answer for all of them means the same, however each of them writes it.
    """
    core, *users = experts.values()
    same = set(core.config.ends).intersection(*(user.config.ends for user in users))
    apart = {*control_apart(core.card, [user.card for user in users])} - same
    if core.config.eos_token_id in apart:
        raise ModelError(f"{core.card.id} ends its answers with a token (id {core.config.eos_token_id}) that is another one "
                         "for a small model; choose models of one family.")
    return tuple(sorted({*apart, *getattr(core.config, "never", ())}))


def load(model_id: str, device_map: str | dict | None = None, dtype: str = "auto", progress: Progress | None = None, *,
         max_memory: str | None = None, offload_folder: str | None = None, quantize: str | None = None,
         max_context: int = Settings.max_context, prefix_cache: str = Settings.prefix_cache,
         folder: Path | None = None) -> Expert:
    """Load a model for sampling: on the GPU if there is one, or as ``device_map`` says. Raises ModelError in one sentence.

    dtype: "auto" is bfloat16 on a GPU and, for a large network, on a CPU that computes in it; else float32.
    progress: told the plan, and how far a base is fetched that is not here yet.
    device_map, max_memory ("0=20GB,cpu=60GB"), offload_folder: of accelerate. quantize: "8bit" or "4bit".
    max_context: tokens that a causal LM reads at most. prefix_cache: "on" for an approximation, see MaskedConfig.keeps_prefix.
    folder: where the model lies, whatever its id: a visitor's own.
    """
    if folder is None and is_gguf(model_id):
        read_card(Path(model_id), model_id, "folder")               # a damaged file says so before it is converted
        from .load_next_token import folder_of
        folder, source = folder_of(model_id, progress), "folder"
    else:
        folder, source = (folder, "visitor") if folder else locate(model_id, progress)
    card = read_card(folder, model_id, source)
    lies = folder
    if card.kind == NEXT_TOKEN:
        from .load_next_token import base_of
        lies = base_of(folder, progress)
    plan = plan_for(lies, model_id, device_map, dtype, max_memory, quantize)
    log.info("%s", plan.words())
    if progress:
        progress(plan.words() + ".", 0.0)
    plan.check()
    where = load_arguments(plan, parse_max_memory(max_memory), offload_folder)
    try:
        tokenizer = Tokenizer.from_file(str(lies / "tokenizer.json"))
    except Exception:                       # the tokenizers library raises plain Exception
        raise ModelError(f"The tokenizer.json of {model_id} is damaged; fetch or save it again.") from None
    if card.kind != SIMPLEX:
        model = _load_lm(card.kind, folder, model_id, tokenizer, lies, plan.dtype, where)
        if max_context != Settings.max_context:
            model.config = replace(model.config, max_context=min(max_context, model.positions))
        if knobs(Settings)["prefix_cache"].check(prefix_cache) == "on" and card.kind == MASKED:
            model.config = replace(model.config, keeps_prefix=True)
        card = replace(card, tokenizer_hash=tokenizer_hash(lies / "tokenizer.json"),
                       vocabulary=vocabulary_of(lies / "tokenizer.json"), tokens=str(lies / "tokenizer.json"))
    else:
        model = _load_model(folder, model_id, plan.dtype, where, progress)
    size = model.config.vocab_size
    if card.kind == SIMPLEX and tokenizer.get_vocab_size() > size:
        raise ModelError(f"The tokenizer of {model_id} has {tokenizer.get_vocab_size()} tokens, its network only {size}; "
                         "they do not belong together.")
    model.config.tokenizer_hash = card.tokenizer_hash       # of the file itself, whatever config.json claims
    return Expert(model, tokenizer, card)


def plan_for(folder: Path, model_id: str, device_map: str | dict | None = None, dtype: str = "auto",
             max_memory: str | None = None, quantize: str | None = None) -> Plan:
    """Where the weights of the model in ``folder`` would lie. Raises ModelError."""
    dtypes = knobs(Settings)["dtype"].choices
    if dtype not in dtypes:
        raise ModelError(f"dtype must be {', '.join(dtypes)}, not {dtype!r}.")
    import torch

    from .load_masked import network_config
    from .load_next_token import lm_config
    from .ssd2 import SSD2Config
    placed, limits = parse_device_map(device_map), parse_max_memory(max_memory)
    check_max_memory(device_map, max_memory)
    on_gpu = torch.cuda.is_available() and placed != "cpu"
    try:
        kind = kind_of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        readers = {SIMPLEX: lambda: SSD2Config.from_pretrained(folder), MASKED: lambda: network_config(folder, model_id)[-1],
                   NEXT_TOKEN: lambda: lm_config(folder, model_id)}
        if kind == UNIFORM:                     # its modules are of no use to others
            from .load_uniform import uniform_config
            readers[UNIFORM] = lambda: uniform_config(folder, model_id)
        config = readers[kind]()
        if dtype == "auto":
            half = on_gpu or (count_parameters(config) >= LARGE and has_bfloat16_units())
            dtype = "bfloat16" if half else "float32"
        return make_plan(model_id, config, getattr(torch, dtype), placed, limits, quantize)
    except ModelError:
        raise
    except Exception as error:              # whatever a broken config makes transformers say
        raise _not_loaded(model_id, error) from None


def _not_loaded(model_id: str, error: Exception) -> ModelError:
    log.info("loading %s failed", model_id, exc_info=error)
    if is_out_of_memory(error):
        return ModelError(f"{model_id} could not be loaded: this service has not enough memory for it now; try again later.")
    if isinstance(error, FileNotFoundError) and str(error).endswith(".safetensors"):
        return ModelError(f"{model_id} lacks a part of its weights, {Path(str(error)).name}; fetch it again.")
    return ModelError(f"{model_id} could not be loaded: {reason(error)}.")


def _load_model(folder: Path, model_id: str, dtype: str, where: dict, progress: Progress | None = None):
    """The network. Weights that are missing or of another size are refused: transformers would make them up."""

    from .ssd2 import SSD2Config, SSD2Model
    try:
        config = SSD2Config.from_pretrained(folder)
        source = {"pretrained_model_name_or_path": folder}
        if config.base:
            source = {"pretrained_model_name_or_path": None, "state_dict": _with_base(folder, config, progress)}
        return load_weights(SSD2Model, model_id, config, dtype, where, **source)
    except ModelError:
        raise
    except Exception as error:              # a corrupt file, an unknown device, too little memory
        raise _not_loaded(model_id, error) from None


def _load_lm(kind: str, folder: Path, model_id: str, tokenizer: Tokenizer, lies: Path, dtype: str, where: dict):
    from .load_masked import load_masked
    from .load_next_token import load_next_token
    try:
        if kind == UNIFORM:
            from .load_uniform import load_uniform
            return load_uniform(folder, model_id, tokenizer, dtype, where)
        if kind == MASKED:
            return load_masked(folder, model_id, tokenizer, dtype, where)
        return load_next_token(folder, model_id, tokenizer, lies, dtype, where)
    except ModelError:
        raise
    except Exception as error:              # a corrupt file, an unknown device, too little memory
        raise _not_loaded(model_id, error) from None


def _with_base(folder: Path, config, progress: Progress | None) -> dict:
    """State dict of the adapted expert in ``folder``, whose base is bundled, found or fetched."""
    import torch

    from .checkpoints import base_folder, base_tensors, joined
    from .ssd2 import SSD2Model
    found = here(config.base)
    lies = found[0] if found and found[1] == "bundled" else base_folder(find_base(config.base, progress), progress)
    with torch.device("meta"):
        wanted = set(SSD2Model(config).state_dict())
    return joined(config, base_tensors(folder), base_tensors(lies), wanted)
