"""Tiny real models for tests: random weights, made in milliseconds."""

import torch

from ssd2_core.diffusion.step import BlockState
from ssd2_core.models.ssd2 import SSD2Config, SSD2Model

LLAMA = {"model_type": "llama", "vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "tie_word_embeddings": True,
         "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1}
ROBERTA = {"model_type": "roberta", "vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
           "intermediate_size": 64, "max_position_embeddings": 256, "type_vocab_size": 1}
BERT = {**ROBERTA, "model_type": "bert"}
MISTRAL = {**LLAMA, "model_type": "mistral", "sliding_window": None}
QWEN2 = {**LLAMA, "model_type": "qwen2", "use_sliding_window": False}
QWEN3 = {**LLAMA, "model_type": "qwen3", "head_dim": 8, "use_sliding_window": False}
OPT = {"model_type": "opt", "vocab_size": 97, "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2,
       "num_attention_heads": 4, "max_position_embeddings": 256, "word_embed_proj_dim": 32, "dropout": 0.0,
       "tie_word_embeddings": True, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1}
OPT_PROJECTED = {**OPT, "word_embed_proj_dim": 16, "do_layer_norm_before": False}       # as in OPT-350M
CAUSAL = {"llama": LLAMA, "mistral": MISTRAL, "qwen2": QWEN2, "qwen3": QWEN3, "opt": OPT, "opt-projected": OPT_PROJECTED}
MASKED = {"roberta": ROBERTA, "bert": BERT}


def tiny(seed: int = 0, backbone: dict = LLAMA, eos: int | None = 1, sharp: float = 8.0, **settings) -> SSD2Model:
    """A random model whose predictions are sharp enough to differ from one another."""
    torch.manual_seed(seed)
    defaults = {"context_mode": "causal", "segment_token_ids": [2, 3, 4], "eos_token_id": eos}
    model = SSD2Model(SSD2Config(dict(backbone), **{**defaults, **settings})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(sharp if parameter.ndim > 1 else 1.0)
    return model


def endless(denoiser):
    """The denoiser without an end of text, so that every block is written."""
    denoiser.ends = ()
    return denoiser


class Fake:
    """What every Denoiser has; a test's own ``__call__(ids, state)`` says what it predicts."""

    reads, vocab_size, ends, simplex_value = "simplex", 97, (), 5.0
    device, batch_size, bare, canvas, mask_token_id, own = torch.device("cpu"), 1, None, False, None, {}
    draft_masks = 0

    def lead(self, length):
        """Nothing of a block is the prompt's."""
        return 0


def start(x_t, u=1.0, previous=None):
    """A block that begins with this x_t (B, L, V) at time u."""
    settled = torch.zeros(x_t.shape[:2], dtype=torch.bool)
    return BlockState(x_t, torch.empty_like(x_t), torch.full(x_t.shape[:2], u), settled, 1, 1, previous)
