"""Tiny random masked LMs in public layouts, as folders with a tokenizer that has the mask token."""

import json

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer

from ssd2_core.models.device_map import network_of
from ssd2_core.models.public_layouts import LAYOUTS
from tests.test_library import TOKENIZER

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-6}
LLADA = {"block_type": "llama", "activation_type": "silu", "layer_norm_type": "rms", "rope": True, "alibi": False,
         "d_model": 32, "mlp_hidden_size": 48, "n_layers": 2, "n_heads": 4, "n_kv_heads": 4, "rms_norm_eps": 1e-5,
         "rope_theta": 500000.0,
         "max_sequence_length": 256, "weight_tying": False, "include_qkv_bias": False}
QWEN = {**SIZES, "tie_word_embeddings": True, "head_dim": 8, "rope_theta": 1e6}
RAW = {"llada": LLADA, "Dream": SIZES | {"tie_word_embeddings": False, "rope_theta": 1e6}, "a2d-qwen3": QWEN,
       "sdar": QWEN | {"tie_word_embeddings": False},
       "modernbert": SIZES | {"local_attention": 16, "global_attn_every_n_layers": 3}}
BACK = {
    "model.embed_tokens": "model.transformer.wte", "model.norm": "model.transformer.ln_f",
    "lm_head": "model.transformer.ff_out",
    "input_layernorm": "attn_norm", "self_attn.q_proj": "q_proj", "self_attn.k_proj": "k_proj", "self_attn.v_proj": "v_proj",
    "self_attn.o_proj": "attn_out", "post_attention_layernorm": "ff_norm", "mlp.gate_proj": "ff_proj",
    "mlp.up_proj": "up_proj", "mlp.down_proj": "ff_out", "model.layers.": "model.transformer.blocks."}
TIED = ("lm_head.weight", "decoder.weight")


def tokenizer() -> Tokenizer:
    """The tests' tokenizer with a mask token of every layout."""
    found = Tokenizer.from_str(TOKENIZER.to_str())
    found.add_special_tokens([AddedToken(word, special=True) for layout in LAYOUTS.values() for word in layout.masks])
    return found


MASKING = tokenizer()


def masked_folder(path, model_type: str, scale: float = 6.0, **more):
    """A tiny checkpoint of this model_type, by its public names, with weights that say something."""
    torch.manual_seed(0)
    layout, size = LAYOUTS[model_type], MASKING.get_vocab_size()
    ids = {"eos_token_id": MASKING.token_to_id("<eos>"), "pad_token_id": MASKING.token_to_id("<eos>")}
    raw = RAW[model_type] | ids | {"model_type": model_type, "vocab_size": size, "auto_map": {"AutoModel": "gone.Gone"}} | more
    network = network_of(layout.config(raw))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.mul_(scale)
    tied = TIED if raw.get("tie_word_embeddings", model_type == "modernbert") else ()
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items() if name not in tied}
    if model_type == "llada":
        for new, old in BACK.items():
            tensors = {name.replace(new, old): tensor for name, tensor in tensors.items()}
    path.mkdir(exist_ok=True)
    save_file(tensors, path / "model.safetensors", {"format": "pt"})
    (path / "config.json").write_text(json.dumps(raw))
    MASKING.save(str(path / "tokenizer.json"))
    return path
