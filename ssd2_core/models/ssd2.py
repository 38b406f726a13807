"""SSD2Model: any transformers backbone as a simplex denoiser, noisy blocks in and logits out. Knows nothing of text.

A block position enters as softmax(x_t) · E_sum + timestep_embedding(t/T) + W · (softmax(previous prediction) · E_sum); clean
context tokens enter as ordinary embeddings on its left (SSD-LM, arXiv 2210.17432; self-conditioning as in its successors).

How context is read (``context_mode``):
  "causal"    each clean token sees the clean tokens before it, as an autoregressive base does; cached once.
  "segments"  clean tokens see each other in both directions within a segment (a document, a question) and all earlier segments;
              cached once. A segment begins at a token of ``segment_token_ids``; each generated block is one more segment.
  "full"      everything sees everything, so the context is encoded again at every step (SSD-LM's own way).
In all modes the noisy block sees the context and itself in both directions.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, Cache, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from ..errors import LimitError, ModelError
from .context import BoundExpert, bind_rows
from .lora import switch_lora, with_lora

CAUSAL_BACKBONES = ("llama", "mistral", "qwen2", "qwen3", "opt")
MASKED_BACKBONES = ("roberta", "bert")
TABLE_OF_POSITIONS = ("opt", "roberta", "bert")
CONTEXT_MODES = ("causal", "segments", "full")


class SSD2Config(PreTrainedConfig):
    """Sizes and manners of one expert.

    backbone: a transformers config as a dict with its ``model_type``. simplex_value: K. block_length: L it was trained with.
    role: "core", "reader" or "specialist". max_context: tokens. history_turns: earlier messages it was trained to read.
    tie_simplex_embedding: E_sum is the word embedding itself rather than a matrix of its own.
    base: the causal LM this was adapted from; its tensors are the ones that the weights file lacks. base_layers: which of its
    layers this network has, in order; None for all. lora: {"r", "lora_alpha", "target_modules"} of peft's LoraConfig.
    lora_noisy_only: clean tokens pass without the adapter, so that the base reads its context as it always did.
    label_shift: the prediction of a position is read one position before it, as an autoregressive base does.
    self_conditioning_mix: "" adds W · (softmax(previous prediction) · E_sum); "mean" and "addition" mix the probabilities
    themselves before they are embedded (TESS-2). time_bias: the time embedding has a bias. prompt_style: see prompts.py.
    """

    model_type = "ssd2"

    def __init__(self, backbone: dict | None = None, simplex_value: float = 5.0, block_length: int = 16,
                 self_conditioning: bool = True, context_mode: str = "causal", tie_simplex_embedding: bool = True,
                 segment_token_ids: list[int] | None = None, role: str = "core", title: str = "", summary: str = "",
                 max_context: int = 512, history_turns: int = 0, tokenizer_hash: str = "", license: str = "apache-2.0",
                 num_parameters: int = 0, eos_token_id: int | None = None, pad_token_id: int | None = None, base: str = "",
                 base_layers: list[int] | None = None, lora: dict | None = None, lora_noisy_only: bool = True,
                 label_shift: bool = False, self_conditioning_mix: str = "", time_bias: bool = True, prompt_style: str = "auto",
                 **kwargs):
        backbone = dict(backbone or {"model_type": "llama"})
        if backbone.get("model_type") not in CAUSAL_BACKBONES + MASKED_BACKBONES:
            raise ModelError(f"The backbone must be one of {', '.join(CAUSAL_BACKBONES + MASKED_BACKBONES)}, "
                             f"not {backbone.get('model_type')!r}.")
        if context_mode not in CONTEXT_MODES:
            raise ModelError(f"context_mode must be one of {', '.join(CONTEXT_MODES)}, not {context_mode!r}.")
        self.backbone = backbone
        self.simplex_value, self.block_length, self.self_conditioning = simplex_value, block_length, self_conditioning
        self.context_mode, self.tie_simplex_embedding = context_mode, tie_simplex_embedding
        self.segment_token_ids = list(segment_token_ids or [])
        self.role, self.title, self.summary, self.license = role, title, summary, license
        self.max_context, self.history_turns, self.tokenizer_hash = max_context, history_turns, tokenizer_hash
        self.num_parameters, self.eos_token_id, self.pad_token_id = num_parameters, eos_token_id, pad_token_id
        self.base, self.base_layers, self.lora, self.lora_noisy_only = base, base_layers, lora, lora_noisy_only
        self.label_shift, self.self_conditioning_mix, self.time_bias = label_shift, self_conditioning_mix, time_bias
        self.prompt_style = prompt_style
        if self_conditioning_mix not in ("", "mean", "addition"):
            raise ModelError(f"self_conditioning_mix must be empty, mean or addition, not {self_conditioning_mix!r}.")
        kwargs.setdefault("tie_word_embeddings", bool(backbone.get("tie_word_embeddings", True)))
        super().__init__(**kwargs)
        self.vocab_size = backbone.get("vocab_size", getattr(self, "vocab_size", 0))

    def backbone_config(self) -> PreTrainedConfig:
        """The transformers config of the backbone."""
        values = {k: v for k, v in self.backbone.items() if k != "model_type"}
        return CONFIG_MAPPING[self.backbone["model_type"]](**values)

    @property
    def ends(self) -> tuple[int, ...]:
        """Ids that end an answer."""
        return () if self.eos_token_id is None else (self.eos_token_id,)

    @property
    def max_positions(self) -> int | None:
        """Positions of context and answer together, where the backbone has a table of them; None where they are computed."""
        kind = self.backbone["model_type"]
        if kind not in TABLE_OF_POSITIONS:
            return None
        backbone = self.backbone_config()
        return backbone.max_position_embeddings - (backbone.pad_token_id + 1 if kind == "roberta" else 0)


class SSD2Model(PreTrainedModel):
    """A denoiser over the simplex of one vocabulary. ``bind`` gives it a context and makes it a Denoiser."""

    config_class = SSD2Config
    base_model_prefix = "ssd2"
    _supports_sdpa = True

    def __init__(self, config: SSD2Config):
        super().__init__(config)
        self.is_masked = config.backbone["model_type"] in MASKED_BACKBONES
        if self.is_masked and config.context_mode != "full":
            kind, mode = config.backbone["model_type"], config.context_mode
            raise ModelError(f"context_mode must be full with a {kind} backbone, which keeps no cache, not {mode}.")
        self.max_positions = config.max_positions
        auto = AutoModelForMaskedLM if self.is_masked else AutoModelForCausalLM
        self.lm = auto.from_config(config.backbone_config())
        self._no_split_modules = self.lm._no_split_modules
        hidden, vocab = self.lm.get_input_embeddings().embedding_dim, self.lm.config.vocab_size
        self.timestep_embedding = nn.Linear(1, hidden, bias=config.time_bias)
        if not config.tie_simplex_embedding:
            self.embed_sum = nn.Linear(vocab, hidden, bias=False)
        if config.self_conditioning and not config.self_conditioning_mix:
            self.self_condition = nn.Linear(hidden, hidden, bias=False)
        if config.label_shift and self.is_masked:
            raise ModelError("label_shift needs a causal backbone.")
        if config.lora:
            self.lm = with_lora(self.lm, config.lora)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.lm.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        return self.lm.get_output_embeddings()

    def simplex_embed(self, probs: Tensor) -> Tensor:
        """probs · E_sum, (B, L, V) -> (B, L, H)."""
        if self.config.tie_simplex_embedding:
            weight = self.lm.get_input_embeddings().weight
            return probs.to(weight.dtype) @ weight
        return self.embed_sum(probs.to(self.embed_sum.weight.dtype))

    def embed_block(self, x_t: Tensor, u: Tensor, previous: Tensor | None) -> Tensor:
        """Network input of noisy positions: x_t (B, L, V), u = t/T (B, L), previous logits (B, L, V) or None -> (B, L, H)."""
        probs = x_t.softmax(-1)
        if self.config.self_conditioning and self.config.self_conditioning_mix:
            before = torch.zeros_like(probs) if previous is None else previous
            probs = probs + before.softmax(-1)
            probs = probs / 2 if self.config.self_conditioning_mix == "mean" else probs
        hidden = self.simplex_embed(probs)
        hidden = hidden + self.timestep_embedding(u.unsqueeze(-1).to(hidden.dtype))
        if previous is not None and self.config.self_conditioning and not self.config.self_conditioning_mix:
            hidden = hidden + self.self_condition(self.simplex_embed(previous.softmax(-1)))
        return hidden

    def encode(self, ids: Tensor, mask: Tensor | None, position_ids: Tensor, cache: Cache) -> None:
        """Append clean tokens (B, Q) to ``cache``."""
        if self.config.lora and self.config.lora_noisy_only:
            with self.plain_base(), torch.no_grad():
                self.trunk(self.get_input_embeddings()(ids), mask, position_ids, cache)
        else:
            self.trunk(self.get_input_embeddings()(ids), mask, position_ids, cache)

    @contextmanager
    def plain_base(self) -> Iterator[None]:
        """The backbone without its adapter."""
        switch_lora(self.lm, False)
        try:
            yield
        finally:
            switch_lora(self.lm, True)

    def trunk(self, hidden: Tensor, mask: Tensor | None, position_ids: Tensor, cache: Cache | None = None) -> Tensor:
        """Backbone without its head, (B, Q, H) -> (B, Q, H'); grows ``cache`` by Q positions."""
        body, most = self.lm.base_model, self.max_positions
        if most and hidden.shape[1] + (cache.get_seq_length() if cache else 0) > most and position_ids.max() >= most:
            raise LimitError(f"{self.config.title or 'This model'} has {most} positions for context and answer together, and "
                             f"{int(position_ids.max()) + 1} are needed; shorten one of them.")
        if self.is_masked:
            if self.config.backbone["model_type"] == "roberta":
                position_ids = position_ids + body.config.pad_token_id + 1
            return body(inputs_embeds=hidden, attention_mask=mask, position_ids=position_ids).last_hidden_state
        return body(inputs_embeds=hidden, attention_mask=mask, position_ids=position_ids, past_key_values=cache,
                    use_cache=cache is not None).last_hidden_state

    def head(self, hidden: Tensor) -> Tensor:
        """Logits of hidden states, (B, L, H') -> (B, L, V) in fp32."""
        if self.is_masked:
            head = self.lm.lm_head if hasattr(self.lm, "lm_head") else self.lm.cls
            return head(hidden).float()
        return self.lm.get_output_embeddings()(hidden).float()

    def segments(self, ids: Tensor) -> Tensor:
        """Number of the segment of each clean context token, (B, C) -> (B, C)."""
        if self.config.context_mode == "causal":
            return torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        if self.config.context_mode == "full":
            return torch.zeros_like(ids)
        starts = torch.isin(ids, torch.tensor(self.config.segment_token_ids, device=ids.device))
        return starts.long().cumsum(-1)

    def bind(self, context_ids: list[int], bare_context_ids: list[int] | None = None) -> BoundExpert:
        """This network with one row's context, as a Denoiser; the bare context (no documents) serves contrast."""
        return self.bind_rows([context_ids], None if bare_context_ids is None else [bare_context_ids])

    def bind_rows(self, rows: list[list[int]], bare_rows: list[list[int]] | None = None) -> BoundExpert:
        """This network with B contexts of any lengths as one Denoiser over B rows."""
        return bind_rows(self, rows, bare_rows)
