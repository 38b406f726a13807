"""DiffusionGemma as a denoiser, on the network that transformers has: a canvas of random tokens that is read both ways.

The same layers encode what stands before the canvas, causally, and keep its keys and values; the canvas reads them and writes
none. What it predicted at the step before comes back through a trained gate. Source: transformers' DiffusionGemma.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from transformers import DiffusionGemmaForBlockDiffusion, DynamicCache, Gemma4VisionConfig

from ..diffusion.simplex import FLOOR
from ..diffusion.step import BlockState, Denoiser
from .causal_rows import LAYERS
from .context import blocked
from .language_model import LanguageExpert, LanguageModel
from .next_token import NextTokenConfig

NO_EYES = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
           "num_key_value_heads": 1, "head_dim": 8}


@dataclass(kw_only=True)
class UniformConfig(NextTokenConfig):
    """NextTokenConfig, and ``own``: settings of its public sampler, see Uniform. never: ids that are no text, as of images."""

    own: Mapping[str, float] = field(default_factory=dict)
    never: Sequence[int] = ()


class TextDiffusionGemma(DiffusionGemmaForBlockDiffusion):
    """DiffusionGemma without its vision tower, which is neither built nor loaded."""

    _keys_to_ignore_on_load_unexpected = [r"encoder\.vision_tower", r"encoder\.embed_vision"]

    def __init__(self, config):
        config = deepcopy(config)
        config.vision_config = Gemma4VisionConfig(**NO_EYES)
        super().__init__(config)
        del self.model.encoder.vision_tower, self.model.encoder.embed_vision


@dataclass(eq=False)
class Prefix:
    """What stands before a canvas in one row. read: tokens whose keys and values lie in ``cache``, as encoded alone.

    joined: the last pass that this row was the first one of: its rows, and what ``gathered`` made of them.
    """

    context: list[int]
    read: list[int] = field(default_factory=list)
    cache: DynamicCache | None = None
    joined: tuple | None = None

    @torch.no_grad()
    def follow(self, lm: nn.Module, text: list[int]) -> None:
        """Encode what is new of a text."""
        if self.cache is None or self.read != text[:len(self.read)]:
            self.read, self.cache = [], DynamicCache(config=lm.config.get_text_config(decoder=True))
        new = text[len(self.read):]
        if new:
            at = torch.arange(len(self.read), len(text), device=lm.device).unsqueeze(0)
            lm.model.encoder(input_ids=torch.tensor([new], device=lm.device), position_ids=at, past_key_values=self.cache)
            self.read = text


class UniformExpert(LanguageExpert):
    """Rows of DiffusionGemma as a Denoiser that reads random tokens."""

    reads = "uniform"

    def __init__(self, model: "UniformModel", rows: list, bare: "UniformExpert | None" = None):
        super().__init__(model, [Prefix(row.context) for row in rows], bare)
        self.own = model.config.own

    @staticmethod
    @torch.no_grad()
    def together(questions: Sequence[tuple["UniformExpert", Tensor, BlockState]]) -> dict[Denoiser, Tensor]:
        """Logits (B, L, V) of experts over one network, whatever answers they belong to: blocks of one length share a pass."""
        found, groups = {}, {}
        for question in questions:
            groups.setdefault(question[2].noisy_ids.shape[1], []).append(question)
        for group in groups.values():
            logits = iter(one_pass(group[0][0].network, group))
            for expert, ids, _ in group:
                rows = torch.stack([next(logits) for _ in expert.rows])
                found[expert] = rows[..., :expert.vocab_size].to(ids.device)
        return found


class UniformModel(LanguageModel):
    """DiffusionGemma."""

    expert = UniformExpert


def one_pass(lm: nn.Module, questions: Sequence[tuple[UniformExpert, Tensor, BlockState]]) -> Tensor:
    """Logits (rows, L, V) of canvases of one length."""
    rows, canvases, before = [], [], []
    for expert, ids, state in questions:
        for row, said, canvas in zip(expert.rows, ids.tolist(), state.noisy_ids, strict=True):
            row.follow(lm, [*row.context, *said])
            rows.append(row)
            canvases.append(canvas.to(lm.device))
        before += [None] * len(expert.rows) if state.previous is None else list(state.previous)
    canvas = torch.stack(canvases)                                                             # (rows, L)
    first = torch.tensor([len(row.read) for row in rows], device=lm.device).unsqueeze(-1)
    prefix, mask = gathered(lm, rows, canvas.shape[1])
    return lm(decoder_input_ids=canvas, past_key_values=prefix, decoder_attention_mask=mask,
              decoder_position_ids=first + torch.arange(canvas.shape[1], device=lm.device), **recalled(lm, before)).logits


def recalled(lm: nn.Module, before: Sequence[Tensor | None]) -> dict[str, Tensor | None]:
    """The predictions of the step before, (L, V) by row, as the network takes them; None in rows that have none yet."""
    known = next((each for each in before if each is not None), None)
    if known is None:
        return {}
    weight = lm.model.decoder.embed_tokens.weight
    logits = torch.stack([torch.zeros_like(known) if each is None else each for each in before]).to(weight)
    logits = nn.functional.pad(logits, (0, len(weight) - logits.shape[-1]), value=FLOOR)      # rows beyond the tokenizer
    here = torch.tensor([each is not None for each in before], device=lm.device)
    return {"self_conditioning_logits": logits, "self_conditioning_mask": None if bool(here.all()) else here}


def gathered(lm: nn.Module, rows: Sequence[Prefix], length: int) -> tuple[object, dict[str, Tensor] | None]:
    """Keys and values of all rows by layer, padded on the left, and what of them a canvas sees, by kind of layer.

    A row alone is given as it is. What was made for several is kept until another row or another text comes.
    """
    if len(rows) == 1:
        return rows[0].cache, None
    key = [(row, len(row.read), length) for row in rows]
    if rows[0].joined is None or rows[0].joined[0] != key:
        rows[0].joined = (key, padded(rows), masks(lm, rows, length))
    return rows[0].joined[1:]


def padded(rows: Sequence[Prefix]) -> SimpleNamespace:
    """What a decoder reads of a cache of transformers, for rows of different lengths."""
    layers = []
    for each in zip(*(row.cache.layers for row in rows), strict=True):
        width = max(layer.keys.shape[-2] for layer in each)
        keys, values = (torch.cat([nn.functional.pad(held, (0, 0, width - held.shape[-2], 0)) for held in part])
                        for part in ([layer.keys for layer in each], [layer.values for layer in each]))
        layers.append(SimpleNamespace(keys=keys, values=values))
    return SimpleNamespace(layers=layers, is_compileable=False, get_seq_length=lambda layer_idx=0: width)


def masks(lm: nn.Module, rows: Sequence[Prefix], length: int) -> dict[str, Tensor]:
    """What the positions of a canvas see, (rows, 1, L, width + L) by kind of layer: what is there, and all of the canvas."""
    kinds, found = lm.config.get_text_config().layer_types, {}
    for kind in LAYERS:
        held = [row.cache.layers[kinds.index(kind)].keys.shape[-2] for row in rows] if kind in kinds else []
        if held:
            column = torch.arange(max(held) + length, device=lm.device)
            seen = column >= max(held) - torch.tensor(held, device=lm.device).unsqueeze(-1)
            found[kind] = blocked(seen.unsqueeze(1).expand(-1, length, -1), lm.dtype)
    return found
