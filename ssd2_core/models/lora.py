"""Low-rank adapters on a backbone (arXiv 2106.09685): by peft for training, by rows for experts that share a base."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from weakref import WeakValueDictionary, finalize

import torch
from torch import Tensor, nn

from ..errors import ModelError

LORA_KEYS = ("r", "lora_alpha", "target_modules")

DRAFTS = "drafts"               # the adapter that acts on draft masks alone, whatever a row's own is
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


class Gate(threading.local):
    """Which adapter acts where in the pass that a thread is making: on rows, and the one named DRAFTS on places of its own.

    places: of all rows' tokens in a row, (N,); None for none.
    """

    rows: tuple[tuple[str, slice], ...] = ()
    places: Tensor | None = None


class GatedLora(nn.Module):
    """A linear layer with adapters by name, each added to the rows that ask for it: W x + scale · B A x."""

    def __init__(self, linear: nn.Module, gate: Gate):
        super().__init__()
        self.linear, self.gate = linear, gate
        self.adapters: dict[str, tuple[Tensor, Tensor, float]] = {}         # A (r, H), B (H', r), scale

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, H) -> (B, L, H')."""
        out = self.linear(x)
        for name, rows in self.gate.rows:
            if name in self.adapters:
                down, up, scale = self.adapters[name]
                low = nn.functional.linear(x[rows].flatten(0, -2).to(down.dtype), down)
                out[rows].view(-1, out.shape[-1]).add_(nn.functional.linear(low, up), alpha=scale)
        if self.gate.places is not None and DRAFTS in self.adapters:
            down, up, scale = self.adapters[DRAFTS]
            low = nn.functional.linear(x.flatten(0, -2)[self.gate.places].to(down.dtype), down)
            out.view(-1, out.shape[-1]).index_add_(0, self.gate.places, (scale * nn.functional.linear(low, up)).to(out.dtype))
        return out

    @staticmethod
    @contextmanager
    def rows(lm: nn.Module, adapters: Sequence[str | None], places: Tensor | None = None) -> Iterator[None]:
        """Within it, row i of each pass of ``lm`` has the adapter ``adapters[i]``; those of one adapter are neighbours.

        places: see Gate.
        """
        gate = getattr(lm, "lora_gate", None)
        if gate is None:
            yield
            return
        first, found = 0, []
        for name, group in groupby(adapters):
            last = first + len(list(group))
            found += [(name, slice(first, last))] if name is not None else []
            first = last
        gate.rows, gate.places = tuple(found), places
        try:
            yield
        finally:
            gate.rows, gate.places = (), None


def add_adapter(lm: nn.Module, name: str, settings: dict, tensors: dict[str, Tensor]) -> None:
    """Give ``lm`` one more low-rank adapter. settings: r, lora_alpha, target_modules. tensors: by peft's names, A and B.

    Raises ModelError that names the tensor that does not fit.
    """
    if not hasattr(lm, "lora_gate"):
        lm.lora_gate = Gate()
    targets, left = tuple(settings.get("target_modules") or TARGETS), dict(tensors)
    for path, module in list(lm.named_modules()):
        if path.rpartition(".")[2] not in targets:
            continue
        linear = module.linear if isinstance(module, GatedLora) else module
        found = {part: left.pop(f"{path}.lora_{part}.weight", None) for part in "AB"}
        wanted = {"A": (settings["r"], linear.in_features), "B": (linear.out_features, settings["r"])}
        for part, tensor in found.items():
            if tensor is None or tuple(tensor.shape) != wanted[part]:
                shown = "missing" if tensor is None else f"of size {list(tensor.shape)}"
                raise ModelError(f"{path}.lora_{part}.weight is {shown}; expected is {list(wanted[part])}.")
        if not isinstance(module, GatedLora):
            module = GatedLora(linear, lm.lora_gate)
            lm.set_submodule(path, module)
        device = linear.weight.device           # a CPU starts so small a product in bfloat16 five times as slowly as in float32
        at = {"dtype": torch.float32 if device.type == "cpu" else linear.weight.dtype, "device": device}
        module.adapters[name] = found["A"].to(**at), found["B"].to(**at), settings["lora_alpha"] / settings["r"]
    if left:
        raise ModelError(f"The adapter has a tensor {sorted(left)[0]}, which its base has no place for.")


def adapter_tensors(lm: nn.Module, name: str) -> dict[str, Tensor]:
    """The two matrices of an adapter in every layer that has it; {} where there is none of this name."""
    return {f"{path}.lora_{part}": tensor for path, module in lm.named_modules()
            if isinstance(module, GatedLora) and name in module.adapters
            for part, tensor in zip("AB", module.adapters[name][:2], strict=True)}


def remove_adapter(lm: nn.Module, name: str) -> None:
    """Let go of an adapter; the others and the base stay."""
    for module in lm.modules():
        if isinstance(module, GatedLora):
            module.adapters.pop(name, None)


class HeldAdapter:
    """An adapter on an LM that others share: each expert with it holds this, and with the last of them it leaves the LM."""

    def __init__(self, lm: nn.Module, name: str):
        finalize(self, remove_adapter, lm, name).atexit = False


def hold_adapter(lm: nn.Module, name: str, settings: dict, tensors_of: Callable[[], dict[str, Tensor]]) -> HeldAdapter:
    """The adapter of this name on ``lm``, as ``add_adapter`` puts it there unless somebody holds it already.

    Raises ModelError; nothing of an adapter that does not fit stays.
    """
    if not hasattr(lm, "held_adapters"):
        lm.held_adapters = WeakValueDictionary()
    held = lm.held_adapters.get(name)
    if held is None:
        try:
            add_adapter(lm, name, settings, tensors_of())
        except Exception:                       # others share this LM, and the next try must not find half an adapter
            remove_adapter(lm, name)
            raise
        held = lm.held_adapters[name] = HeldAdapter(lm, name)
    return held
