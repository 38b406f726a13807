"""Where a model's weights will lie, before any is loaded: a plan by accelerate, a refusal with figures when it cannot fit."""

import argparse
import json
import os
from dataclasses import dataclass

from ..config import Settings
from ..errors import ModelError
from ..protocol.options import add_knobs, chosen
from ..registry.kinds import UNIFORM_TYPES

STRATEGIES = ("auto", "balanced", "balanced_low_0", "sequential")
BITS = {"8bit": 1.0, "4bit": 0.5}       # bytes of a quantized weight
UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Plan:
    """parameters: of the network. dtype: of its weights. bytes: by device ("cuda:0", "cpu", "disk"). free: bytes by device.

    device_map: as transformers takes it. quantize: "8bit", "4bit" or None.
    """

    model_id: str
    parameters: int
    dtype: str
    bytes: dict[str, int]
    free: dict[str, int]
    device_map: dict | str | None
    quantize: str | None = None

    @property
    def offloaded(self) -> int:
        """Bytes that do not lie on the device that computes: on the disk, or beside a GPU in main memory."""
        has_gpu = any(device.startswith("cuda") for device in self.bytes)
        return self.bytes.get("disk", 0) + (self.bytes.get("cpu", 0) if has_gpu else 0)

    def words(self) -> str:
        """The plan in one line."""
        kind = self.quantize or self.dtype
        where = ", ".join(f"{size(n)} on {device}" for device, n in self.bytes.items())
        away = f"; {size(self.offloaded)} offloaded" if self.offloaded else ""
        return f"{self.model_id}: {self.parameters:,} parameters in {kind}, {where}{away}"

    def check(self) -> None:
        """Raise ModelError with the figures if a device has not enough free memory."""
        for device, needed in self.bytes.items():
            if device in self.free and needed > self.free[device]:
                raise ModelError(f"{self.model_id} needs {size(needed)} on {device}, where {size(self.free[device])} are free; "
                                 "choose --device-map auto, a smaller --dtype, --max-memory or a smaller model.")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Command line options on where weights go, the same for every command."""
    add_knobs(parser, Settings)


def options_of(args: argparse.Namespace) -> dict[str, str | None]:
    """The values of ``add_options`` as ``loading.load`` and ``Settings`` take them. Raises VisitorError."""
    found = chosen(args, Settings)
    check_max_memory(found["device_map"], found["max_memory"])
    return found


def size(number: float) -> str:
    """Bytes in words: 1.5 GB."""
    for unit in UNITS:
        if number < 1000 or unit == UNITS[-1]:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


def parse_device_map(text: str | dict | None) -> str | dict | None:
    """None, a strategy of accelerate, one device, or JSON {module: device}. Raises ModelError for anything else."""
    if not isinstance(text, str):
        return text
    if text in STRATEGIES or text in ("cpu", "cuda", "mps") or (text.startswith("cuda:") and text[5:].isdigit()):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, (str, int)) for v in found.values()):
        raise ModelError(f"device_map must be {', '.join(STRATEGIES)}, cpu, cuda, cuda:N or JSON such as "
                         f'{{"": "cpu"}}, not {text!r}.')
    return found


def parse_max_memory(text: str | None) -> dict | None:
    """ "0=20GB,cpu=60GB" as accelerate takes it; None stays None."""
    if not text:
        return None
    from accelerate.utils.modeling import convert_file_size_to_int
    out = {}
    for part in text.split(","):
        device, _, amount = part.strip().partition("=")
        try:
            out[int(device) if device.isdigit() else device] = convert_file_size_to_int(amount.strip())
        except ValueError:
            amount = ""
        if not amount or not (device.isdigit() or device in ("cpu", "disk", "mps")):
            raise ModelError(f"max_memory must be like 0=20GB,cpu=60GB, not {text!r}.")
    return out


def check_max_memory(device_map: str | dict | None, max_memory: str | dict | None) -> None:
    """Raise ModelError for an amount that nothing would keep to: only a strategy spreads weights by what devices may take."""
    if max_memory and device_map not in STRATEGIES:
        raise ModelError(f"--max-memory {max_memory} is kept to only with --device-map {' or '.join(STRATEGIES)}; add one of "
                         "them, or leave --max-memory out.")


def memory_free() -> dict[str, int]:
    """Bytes that each device can still take."""
    import psutil
    import torch
    free = {f"cuda:{i}": torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count())}
    return {**free, "cpu": psutil.virtual_memory().available}


def has_bfloat16_units() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself (AVX-512 BF16 or AMX); others are slower in it than in fp32."""
    import torch
    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}      # not in every torch
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def make_plan(model_id: str, config, dtype, device_map: str | dict | None, max_memory: dict | None = None,
              quantize: str | None = None) -> Plan:
    """Count a network's weights by device without making them. config: SSD2Config or a causal LM's. Raises ModelError."""
    import torch
    from accelerate import init_empty_weights
    from accelerate.utils import compute_module_sizes, get_balanced_memory

    check_quantize(quantize)
    with init_empty_weights():
        model = network_of(config)
    model.tie_weights()
    factor = BITS.get(quantize, 0) / torch.empty((), dtype=dtype).element_size() if quantize else 1.0
    sizes = {name: int(n * factor) for name, n in compute_module_sizes(model, dtype=dtype).items()}
    placed = device_map
    if isinstance(device_map, str) and device_map in STRATEGIES:
        limits = max_memory
        if device_map.startswith("balanced"):
            limits = get_balanced_memory(model, max_memory, model._no_split_modules, dtype,
                                         low_zero=device_map == "balanced_low_0")
        device_map = placed = _spread(model, limits, dtype, sizes)
    elif not isinstance(device_map, dict):
        alone = "cuda:0" if torch.cuda.is_available() else "cpu"
        placed = {"": alone if device_map is None else "cuda:0" if device_map == "cuda" else device_map}
    by_device: dict[str, int] = {}
    modules = {name for name, _ in model.named_modules()} | {name for name, _ in model.named_parameters()}
    for module, device in placed.items():
        if module not in modules:
            raise ModelError(f"The device map names {module!r}, which {model_id} does not have.")
        name = f"cuda:{device}" if isinstance(device, int) else str(device)
        if name.startswith("cuda") and int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
            raise ModelError(f"There is no device {name} here, only {', '.join(memory_free())}; choose another --device-map.")
        by_device[name] = by_device.get(name, 0) + sizes.get(module, 0)          # 0: tied to one that is counted
    count = sum(p.numel() for p in model.parameters())
    return Plan(model_id, count, str(dtype).removeprefix("torch."), by_device, memory_free(), device_map, quantize)


def network_of(config):
    """The network of an SSD2Config or of an LM's config, without weights under ``init_empty_weights``."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    from .ssd2 import SSD2Config, SSD2Model
    if isinstance(config, SSD2Config):
        return SSD2Model(config)
    if config.model_type in UNIFORM_TYPES:
        from .uniform import TextDiffusionGemma
        return TextDiffusionGemma(config)
    return (AutoModelForCausalLM if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING else AutoModelForMaskedLM).from_config(config)


def count_parameters(config) -> int:
    """Parameters of a network: as an SSD2Config says, else counted."""
    from accelerate import init_empty_weights
    said = int(getattr(config, "num_parameters", 0) or 0)
    if not said:
        with init_empty_weights():
            said = sum(parameter.numel() for parameter in network_of(config).parameters())
    return said


def _spread(model, limits: dict | None, dtype, sizes: dict[str, int]) -> dict:
    """Devices by module, layer after layer; what every step needs outside the layers stays where it is computed."""
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_max_memory
    limits = get_max_memory(limits)
    main = next(iter(limits))
    names = {module: name for name, module in model.named_modules()}
    ends = [names[m] for m in (model.get_input_embeddings(), model.get_output_embeddings()) if m is not None]
    fixed = [*ends, *(name for name, _ in model.named_children() if not any(f"{end}.".startswith(f"{name}.") for end in ends))]
    room = limits[main] - sum(sizes.get(name, 0) for name in fixed)
    limits = {**limits, main: max(0, room)}
    placed = dict(infer_auto_device_map(model, limits, model._no_split_modules, dtype))
    for name in fixed:
        while name not in placed:                   # an entry that covers more than this module gives way to its parts
            above = max((n for n in placed if f"{name}.".startswith(f"{n}." if n else "")), key=len)
            if placed[above] == main:
                break
            device, module = placed.pop(above), model.get_submodule(above)
            parts = [n for n, _ in (*module.named_children(), *module.named_parameters(recurse=False))]
            placed.update({f"{above}.{n}".lstrip("."): device for n in parts})
        else:
            placed[name] = main
    return placed


def check_quantize(quantize: str | None) -> None:
    """Raise ModelError unless weights can be quantized like that here."""
    if quantize is None:
        return
    if quantize not in BITS:
        raise ModelError(f"quantize must be {' or '.join(BITS)}, not {quantize!r}.")
    import importlib.util

    import torch
    if not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(f"{quantize} weights need a CUDA device and the package bitsandbytes; leave --quantize out here.")


def load_arguments(plan: Plan, max_memory: dict | None, offload_folder: str | None) -> dict:
    """What ``from_pretrained`` is told about devices."""
    out = {"device_map": plan.device_map, "max_memory": max_memory}
    if plan.bytes.get("disk"):
        if not offload_folder:
            raise ModelError(f"{plan.model_id} would keep {size(plan.bytes['disk'])} on the disk; name a folder with "
                             "--offload-folder, or give it more with --max-memory.")
        os.makedirs(offload_folder, exist_ok=True)
        out["offload_folder"] = offload_folder
    if plan.quantize:
        from transformers import BitsAndBytesConfig
        out["quantization_config"] = BitsAndBytesConfig(**{f"load_in_{plan.quantize}": True})
    return out


def load_weights(kind, name: object, config, dtype: str, where: dict, **source):
    """A network with its weights from safetensors, to be used: on the GPU if there is one and nobody chose a place.

    kind: has ``from_pretrained``. where: of ``load_arguments``. source: what else it is given, as where the weights lie. Raises
    ModelError for weights that are missing or of another size, which transformers would make up.
    """
    import torch
    model, info = kind.from_pretrained(config=config, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True,
                                       ignore_mismatched_sizes=True, output_loading_info=True, **source, **where)
    wrong = sorted([*info["missing_keys"], *(entry[0] for entry in info["mismatched_keys"])])
    if wrong:
        raise ModelError(f"The weights of {name} do not fit its config.json: {len(wrong)} are missing or of another size, "
                         f"{wrong[0]} first.")
    alone = where["device_map"] is None and "quantization_config" not in where
    return (model.to("cuda") if alone and torch.cuda.is_available() else model).eval()
