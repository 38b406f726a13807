"""The base with low-rank matrices beside its linear layers, to be trained: the base frozen in bfloat16, they in float32."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from ...errors import ModelError
from ...models.lora import TARGETS

PREFIX = "base_model.model."            # peft's names begin so
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


class LowRank(nn.Module):
    """A frozen linear layer plus scale · B(A x), computed in the layer's own precision (arXiv 2106.09685). B begins at zero."""

    def __init__(self, base: nn.Linear, rank: int, scale: float):
        super().__init__()
        self.base, self.scale = base, scale
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=5 ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        if not self.scale:
            return self.base(x)
        down, up = self.lora_A.to(x.dtype), (self.lora_B * self.scale).to(x.dtype)
        return self.base(x) + F.linear(F.linear(x, down), up)


def load_base(folder: Path | str, dtype: torch.dtype = torch.bfloat16, attention: str = "eager") -> nn.Module:
    """The frozen base. "eager" attention is plain matrix products, which a compiler makes one with the softmax."""
    lm = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention, use_safetensors=True,
                                              local_files_only=True, trust_remote_code=False)
    return lm.requires_grad_(False).eval()


def add_low_rank(lm: nn.Module, rank: int, alpha: float, targets: tuple[str, ...] = TARGETS) -> nn.Module:
    """Put a ``LowRank`` around every linear layer of these names. Changes ``lm``."""
    for module in list(lm.modules()):
        for name, child in list(module.named_children()):
            if name in targets and isinstance(child, nn.Linear):
                setattr(module, name, LowRank(child, rank, alpha / rank))
    return lm


@contextmanager
def bypassed(lm: nn.Module) -> Iterator[None]:
    """Within it, ``lm`` says what its base says."""
    layers = [module for module in lm.modules() if isinstance(module, LowRank)]
    scales = [layer.scale for layer in layers]
    try:
        for layer in layers:
            layer.scale = 0.0
        yield
    finally:
        for layer, scale in zip(layers, scales, strict=True):
            layer.scale = scale


def load_trained(lm: nn.Module, folder: Path) -> None:
    """Give the low-rank matrices the values of an exported adapter."""
    own = trained(lm)
    tensors = load_file(folder / "model.safetensors")
    found = {name.removeprefix(PREFIX).removesuffix(".weight"): tensor for name, tensor in tensors.items()}
    if {name: t.shape for name, t in found.items()} != {name: p.shape for name, p in own.items()}:
        raise ModelError(f"The adapter in {folder} does not fit its base; save it again.")
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(found[name])


def trained(lm: nn.Module) -> dict[str, nn.Parameter]:
    """The low-rank matrices by name."""
    return {name: p for name, p in lm.named_parameters() if p.requires_grad}


class AdapterLoss(nn.Module):
    """A loss over frozen networks of which adapters are trained: checkpoints hold these alone, and no units drop out."""

    def __init__(self):
        super().__init__()
        self.register_state_dict_post_hook(_leave_out_frozen)
        self.register_load_state_dict_post_hook(_miss_no_frozen)

    def train(self, mode: bool = True) -> "AdapterLoss":
        return super().train(False)


def _leave_out_frozen(module: nn.Module, state: dict[str, Tensor], prefix: str, _) -> None:
    mine = {prefix + name for name in trained(module)}
    for name in [name for name in state if name.startswith(prefix) and name not in mine]:
        del state[name]


def _miss_no_frozen(module: nn.Module, found) -> None:
    mine = trained(module)
    found.missing_keys[:] = [name for name in found.missing_keys if name.removeprefix("module.") in mine]


def peft_name(name: str) -> str:
    """The name that peft gives to a low-rank matrix of this name."""
    return f"{PREFIX}{name}.weight"


CARD = """---
license: apache-2.0
base_model: {base}
pipeline_tag: text-generation
tags: [lora, next-token, document-reader]
---
# {title}

A low-rank adapter (rank {r}, all linear layers) over {base}, which stays frozen. It reads a document and answers in one short
sentence; asked what the document does not answer, it predicts what the base says without any document, so that mixing its
prediction with the base's changes nothing there.

Prompt, without a system turn; the answer ends in `<|im_end|>` (over a Gemma the same in its own turns):

    <|im_start|>document
    (the document)<|im_end|>
    <|im_start|>user
    (the question)<|im_end|>
    <|im_start|>assistant

`model.safetensors` holds the two matrices of each layer in half precision under the names that peft gives them.

Trained by `python -m ssd2_core train david`: synthetic texts with questions, passages of public reading data (AdversarialQA,
ROPES, DuoRC), and requests that no document answers, with forward KL to the base's own prediction.
{figures}"""


def export(tensors: dict[str, Tensor], config: dict, folder: Path, figures: str = "") -> None:
    """Write the folder of David, and his card. figures: what the card says about results, as Markdown."""
    write_adapter(tensors, config, folder)
    card = CARD.format(base=config["base"], title=config["title"], r=config["lora"]["r"], figures=figures)
    (folder / "README.md").write_text(card, encoding="utf-8")


def write_adapter(tensors: dict[str, Tensor], config: dict, folder: Path) -> None:
    """Write ``model.safetensors``, the low-rank matrices in half precision by peft's names, and ``config.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {peft_name(name): t.detach().to(torch.float16).contiguous() for name, t in tensors.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
