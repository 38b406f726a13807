"""Public masked diffusion LMs as the networks that transformers has: which, with which config, and under which tensor names.

A checkpoint says what it is by ``model_type`` in its config.json; the code that its ``auto_map`` names is never fetched and
never run. Renaming happens while the weights are read. Sources: the public configs and model files of these models.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transformers import LlamaConfig, ModernBertConfig, PreTrainedConfig, Qwen2Config, Qwen3Config

from ..errors import ModelError
from ..registry.kinds import trained_on_blocks

LLADA = {r"^model\.transformer\.wte": "model.embed_tokens", r"^model\.transformer\.ln_f": "model.norm",
         r"^model\.transformer\.ff_out": "lm_head",
         **{rf"^model\.transformer\.blocks\.(\d+)\.{old}": rf"model.layers.\1.{new}" for old, new in {
             "attn_norm": "input_layernorm", "q_proj": "self_attn.q_proj", "k_proj": "self_attn.k_proj",
             "v_proj": "self_attn.v_proj", "attn_out": "self_attn.o_proj", "ff_norm": "post_attention_layernorm",
             "ff_proj": "mlp.gate_proj", "up_proj": "mlp.up_proj", "ff_out": "mlp.down_proj"}.items()}}

LLADA_SAMPLER = {"mask_schedule": "even", "mask_order": "probability"}
SDAR_SAMPLER = {"mask_schedule": "block", "mask_order": "probability"}
DLLM_SAMPLER = {"mask_schedule": "linear", "mask_order": "probability"}


@dataclass(frozen=True)
class PublicLayout:
    """How a public checkpoint is read. config: of the network, from the checkpoint's. names: tensor names, pattern to new name.

    masks: words that its mask token may be. shift, caches, own: see MaskedConfig. blocks: whether it always sees blocks only;
    None where checkpoints of this kind differ, see ``sees_blocks``. from_prompt: see MaskedConfig.
    """

    title: str
    config: Callable[[dict], PreTrainedConfig]
    masks: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)
    shift: bool = False
    caches: bool = True
    blocks: bool | None = False
    from_prompt: bool = False
    own: Mapping[str, str] = field(default_factory=lambda: LLADA_SAMPLER)


def llada_config(raw: dict) -> LlamaConfig:
    """LLaDA's sizes under Llama's names. Raises ModelError where the network is another one."""
    wrong = [name for name, wanted in (("block_type", "llama"), ("activation_type", "silu"), ("layer_norm_type", "rms"),
                                       ("rope", True), ("alibi", False), ("attention_layer_norm", False))
             if raw.get(name, wanted) != wanted]
    if wrong:
        raise ModelError(f"This LLaDA checkpoint has {wrong[0]} {raw[wrong[0]]!r}, which LLaDA-8B has not; it cannot be read.")
    heads = raw["n_heads"]
    return LlamaConfig(
        vocab_size=raw.get("embedding_size") or raw["vocab_size"], hidden_size=raw["d_model"],
        intermediate_size=raw["mlp_hidden_size"], num_hidden_layers=raw["n_layers"], num_attention_heads=heads,
        num_key_value_heads=raw.get("n_kv_heads") or heads, rms_norm_eps=raw["rms_norm_eps"],
        rope_parameters={"rope_type": "default", "rope_theta": raw["rope_theta"]},
        max_position_embeddings=raw["max_sequence_length"], tie_word_embeddings=bool(raw.get("weight_tying")),
        attention_bias=bool(raw.get("include_qkv_bias")), **ids_of(raw))


def like(kind: type[PreTrainedConfig]) -> Callable[[dict], PreTrainedConfig]:
    """A config whose values have the names that ``kind`` gives them."""
    def made(raw: dict) -> PreTrainedConfig:
        return kind.from_dict({name: value for name, value in raw.items() if name not in ("model_type", "auto_map")})
    return made


def ids_of(raw: dict) -> dict[str, int]:
    """The special ids that a config names."""
    return {name: raw[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id") if raw.get(name) is not None}


QWEN_MASKS = ("<|mask|>", "<|MASK|>")
LAYOUTS: Mapping[str, PublicLayout] = {
    "llada": PublicLayout("LLaDA", llada_config, ("<|mdm_mask|>",), LLADA),
    "Dream": PublicLayout("Dream", like(Qwen2Config), ("<|mask|>",), shift=True,
                          own={"mask_schedule": "dream", "mask_order": "entropy"}),
    "a2d-qwen3": PublicLayout("A2D (Qwen3)", like(Qwen3Config), QWEN_MASKS, blocks=None, own=DLLM_SAMPLER),
    "a2d-qwen2": PublicLayout("A2D (Qwen2)", like(Qwen2Config), QWEN_MASKS, blocks=None, own=DLLM_SAMPLER),
    "sdar": PublicLayout("SDAR", like(Qwen3Config), QWEN_MASKS, blocks=True, from_prompt=True, own=SDAR_SAMPLER),
    "modernbert": PublicLayout("ModernBERT", like(ModernBertConfig), ("[MASK]",), caches=False,
                               own=DLLM_SAMPLER),
}


def sees_blocks(layout: PublicLayout, model_id: str) -> bool:
    """Whether a token sees its own and earlier blocks only. A2D checkpoints of both kinds have one config: the name tells."""
    return trained_on_blocks(model_id) if layout.blocks is None else layout.blocks
