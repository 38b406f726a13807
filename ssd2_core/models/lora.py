"""Low-rank adapters on a backbone, by peft."""

from torch import nn

from ..errors import ModelError

LORA_KEYS = ("r", "lora_alpha", "target_modules")

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def with_lora(lm: nn.Module, settings: dict) -> nn.Module:
    """``lm`` with LoRA matrices in its linear layers (arXiv 2106.09685). The second ones begin at zero: nothing changes yet."""
    from peft import LoraConfig, inject_adapter_in_model
    if set(settings) - set(LORA_KEYS) or not all(key in settings for key in ("r", "lora_alpha")):
        raise ModelError(f"lora must have {', '.join(LORA_KEYS)}, not {', '.join(sorted(settings))}.")
    config = LoraConfig(r=int(settings["r"]), lora_alpha=float(settings["lora_alpha"]), lora_dropout=0.0,
                        target_modules=list(settings.get("target_modules") or TARGETS))
    return inject_adapter_in_model(config, lm)


def switch_lora(lm: nn.Module, on: bool) -> None:
    """Let the adapters act, or pass them by. Whether they are trained stays as it is."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    for module in lm.modules():
        if isinstance(module, BaseTunerLayer):
            module._disable_adapters = not on       # enable_adapters would also switch requires_grad, in the midst of a step
