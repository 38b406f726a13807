"""A tiny random DiffusionGemma, as a folder with the tests' tokenizer."""

import torch
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion, DiffusionGemmaTextConfig, Gemma4VisionConfig
from transformers.models.diffusion_gemma.generation_diffusion_gemma import EntropyBoundSamplerConfig

from ssd2_core.models.uniform import NO_EYES
from tests.support.masked import MASKING

V = MASKING.get_vocab_size()
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
         "head_dim": 16, "global_head_dim": 16, "num_experts": 2, "top_k_experts": 1, "moe_intermediate_size": 16,
         "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8, "max_position_embeddings": 256}
SAMPLER = {"max_denoising_steps": 6, "t_min": 0.4, "t_max": 0.8, "stability_threshold": 1, "confidence_threshold": 0.005,
           "sampler_config": EntropyBoundSamplerConfig(0.1)}


def uniform_network(canvas_length: int = 6, scale: float = 6.0) -> DiffusionGemmaForBlockDiffusion:
    """With weights that say something."""
    torch.manual_seed(0)
    eos = MASKING.token_to_id("<eos>")
    text = DiffusionGemmaTextConfig(vocab_size=V, pad_token_id=eos, eos_token_id=eos, bos_token_id=None, **SIZES)
    lm = DiffusionGemmaForBlockDiffusion(DiffusionGemmaConfig(
        text_config=text, vision_config=Gemma4VisionConfig(**NO_EYES), canvas_length=canvas_length, image_token_id=V - 1,
        boi_token_id=V - 2, eoi_token_id=V - 3))
    with torch.no_grad():
        for name, parameter in lm.named_parameters():
            if parameter.dim() > 1 and "vision" not in name:
                parameter.mul_(scale)
    return lm.eval()


def uniform_folder(path, sampler: dict | None = None, **more):
    """The checkpoint of one. sampler: settings of its own sampler that are not those of SAMPLER."""
    lm = uniform_network(**more)
    path.mkdir(exist_ok=True)
    eos = MASKING.token_to_id("<eos>")
    lm.generation_config.update(**SAMPLER | (sampler or {}), eos_token_id=eos, pad_token_id=eos)
    lm.save_pretrained(path)
    MASKING.save(str(path / "tokenizer.json"))
    return path
