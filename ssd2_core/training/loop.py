"""The training loop: deterministic, resumable, one process. Knows nothing of what the batches say."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from ..models.ssd2 import SSD2Model
from .batch import Batch
from .losses import diffusion_loss
from .muon import Muon


def trapezoid(step: int, steps: int, warmup: int, decay: float, lowest: float = 0.0) -> float:
    """A linear rise over ``warmup`` steps, a plateau at 1, a linear fall over the last ``decay`` of the steps to ``lowest``."""
    left = (steps - step) / max(1, decay * steps)
    return min(1.0, (step + 1) / warmup, max(lowest, left))


@dataclass(frozen=True)
class FitParams:
    """steps: optimizer steps. The learning rate warms up, stays, and falls linearly over the last ``decay`` of the steps."""

    steps: int
    learning_rate: float
    weight_decay: float = 0.05
    warmup: int = 200
    decay: float = 0.5
    seed: int = 0
    save_every: int = 500
    bf16: bool = False

    def rate(self, step: int) -> float:
        """Learning rate at ``step``."""
        return self.learning_rate * trapezoid(step, self.steps, self.warmup, self.decay, 0.01)


def fit(model: SSD2Model, batch_of: Callable[[int], Batch], params: FitParams, folder: Path,
        watch: Callable[[int], str] | None = None, loss_of: Callable = diffusion_loss) -> list[dict]:
    """Train ``model`` in place and return the loss curve as rows {"step", "loss", "accuracy", "minutes"}.

    batch_of: step -> Batch, the same for the same step, so that a resumed run sees what an unbroken one sees.
    folder: checkpoints (safetensors and JSON); a run that was cut off goes on from the last. watch: called every 1000 steps.
    loss_of: (model, batch, rng, self_condition) -> (loss, accuracy).
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimizers = make_optimizers(model, params)
    start, curve = _resume(model, optimizers, folder)
    began = time.monotonic() - (60 * curve[-1]["minutes"] if curve else 0)
    model.train()
    average = {"loss": 0.0, "accuracy": 0.0, "weight": 0.0}
    bar = tqdm(range(start, params.steps), initial=start, total=params.steps, mininterval=5, dynamic_ncols=True)
    for step in bar:
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = params.rate(step)
        rng = torch.Generator().manual_seed(params.seed * 1_000_003 + step)
        half = random.Random(params.seed * 7 + step).random() < 0.5
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=params.bf16):
            loss, accuracy = loss_of(model, batch_of(step), rng, half and model.config.self_conditioning)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        for name, value in (("loss", loss.item()), ("accuracy", accuracy.item()), ("weight", 1.0)):
            average[name] = 0.99 * average[name] + 0.01 * value
        now = {name: average[name] / average["weight"] for name in ("loss", "accuracy")}
        bar.set_postfix({k: f"{v:.3f}" for k, v in now.items()}, refresh=False)
        if (step + 1) % 100 == 0 or step + 1 == params.steps:
            minutes = round((time.monotonic() - began) / 60, 2)
            curve.append({"step": step + 1, **{k: round(v, 4) for k, v in now.items()}, "minutes": minutes})
        if (step + 1) % params.save_every == 0 or step + 1 == params.steps:
            _checkpoint(model, optimizers, folder, step + 1, curve)
        if watch and (step + 1) % 1000 == 0:
            model.eval()
            tqdm.write(f"step {step + 1}: {watch(step + 1)}")
            model.train()
    model.eval()
    return curve


def make_optimizers(model: SSD2Model, params: FitParams) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embedding and head, at AdamW's scale of steps, and AdamW for all else."""
    embedding = model.get_input_embeddings().weight
    inner = [p for p in model.parameters() if p.ndim == 2 and min(p.shape) > 1 and p is not embedding]
    other = [p for p in model.parameters() if not any(p is q for q in inner)]
    return [Muon(inner, lr=params.learning_rate, weight_decay=params.weight_decay),
            torch.optim.AdamW(other, lr=params.learning_rate, weight_decay=0.0, betas=(0.9, 0.98))]


def _named_state(model: SSD2Model, optimizers: list[torch.optim.Optimizer]) -> dict[str, torch.Tensor]:
    """The optimizers' moments by parameter name."""
    out = {}
    for name, parameter in model.named_parameters():
        for optimizer in optimizers:
            for key, value in optimizer.state.get(parameter, {}).items():
                out[f"{name}|{key}"] = value.clone().contiguous()
    return out


def _checkpoint(model: SSD2Model, optimizers: list[torch.optim.Optimizer], folder: Path, step: int, curve: list[dict]) -> None:
    weights = {name: p.detach().clone().contiguous() for name, p in model.named_parameters()}
    for name, tensors in (("weights", weights), ("optimizer", _named_state(model, optimizers))):
        save_file(tensors, folder / f"{name}.tmp")
        (folder / f"{name}.tmp").replace(folder / f"{name}.safetensors")
    (folder / "progress.json").write_text(json.dumps({"step": step, "curve": curve}))


def _resume(model: SSD2Model, optimizers: list[torch.optim.Optimizer], folder: Path) -> tuple[int, list[dict]]:
    """Load the last checkpoint of ``folder``, if any. -> (first step to run, curve so far)."""
    if not (folder / "progress.json").exists():
        return 0, []
    progress = json.loads((folder / "progress.json").read_text())
    weights, moments = load_file(folder / "weights.safetensors"), load_file(folder / "optimizer.safetensors")
    owner = {id(p): o for o in optimizers for group in o.param_groups for p in group["params"]}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
            state = {key.split("|")[1]: value for key, value in moments.items() if key.split("|")[0] == name}
            if state:
                owner[id(parameter)].state[parameter] = state
    return progress["step"], progress["curve"]
