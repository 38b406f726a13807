"""Adapts an autoregressive base to simplex diffusion, on any number of devices through accelerate. Knows nothing of recipes.

Clean tokens keep the base's causal attention; noisy blocks are denoised beside them (``sequences.py``).
"""

import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn
from tqdm import tqdm

from ...errors import ModelError
from ...models.checkpoints import base_folder, base_tensors, joined, save_tensors
from ...models.ssd2 import SSD2Config, SSD2Model
from ...registry.base_models import find_base
from ..batch import Batch
from ..loop import trapezoid
from ..losses import diffusion_loss
from .batch import Sequence, make_batch

ALIKE, AHEAD = 8, 4             # batches that share out their sequences by length; batches that are made beforehand
MOST_LOST = 20                  # steps in a row without a finite gradient


@dataclass(frozen=True)
class AdaptParams:
    """steps: optimizer steps, each of ``accumulate`` x ``batch`` sequences on every device. minutes: stop and save then.

    by_time: the learning rate ends with the minutes of this leg, however many steps they hold; else with the steps.
    """

    steps: int
    batch: int = 16
    accumulate: int = 1
    learning_rate: float = 3e-4
    warmup: int = 100
    decay: float = 0.5
    minutes: float | None = None
    by_time: bool = False
    save_every: int = 500
    watch_every: int = 100
    seed: int = 0
    precision: str = "no"

    def rate(self, step: int, seconds: float) -> float:
        """Learning rate at ``step``, which begins after so many seconds of the leg."""
        if not (self.by_time and self.minutes):
            return self.learning_rate * trapezoid(step, self.steps, self.warmup, self.decay)
        left = max(0.0, 1 - seconds / (60 * self.minutes)) / self.decay
        return self.learning_rate * min(1.0, (step + 1) / self.warmup, left)


class DenoisingLoss(nn.Module):
    """The loss as one forward, which is what data-parallel wrappers expect."""

    def __init__(self, model: SSD2Model):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, seed: int, self_condition: bool) -> tuple[Tensor, Tensor]:
        """-> (loss, accuracy over the learnt tokens)."""
        rng = torch.Generator(device=batch.targets.device).manual_seed(seed)
        return diffusion_loss(self.model, batch, rng, self_condition)


def make_model(config: SSD2Config, start: Path | None) -> SSD2Model:
    """A network whose tensors come from ``start`` (an expert's folder) where it has them and from config.base elsewhere.

    What neither has, the input of noisy positions and fresh adapters, keeps its initial values.
    """
    model = SSD2Model(config)
    mine = model.state_dict()
    own = base_tensors(start) if start else {}
    fresh = {n: t for n, t in mine.items() if n not in own and ("lora_" in n or not n.startswith("lm."))}
    if not start and "self_condition.weight" in fresh:
        fresh["self_condition.weight"] = torch.zeros_like(fresh["self_condition.weight"])
    base = base_tensors(base_folder(find_base(config.base)))
    state = joined(config, {**fresh, **own}, base, set(mine))
    model.load_state_dict({n: t.to(torch.float32) for n, t in state.items()}, strict=False)
    return model


def choose_trained(model: SSD2Model) -> int:
    """Train the adapters, or where there are none all layers, and the input of noisy positions. Returns how many numbers."""
    for name, parameter in model.named_parameters():
        inner = "lora_" in name if model.config.lora else ".layers." in name or name.endswith("norm.weight")
        parameter.requires_grad_(inner or not name.startswith("lm."))
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def adapt(model: SSD2Model, draw: Callable[[random.Random], Sequence], heldout: list[Sequence], params: AdaptParams,
          folder: Path) -> tuple[dict, bool]:
    """Train ``model`` in place; checkpoints and curve lie in ``folder``, from which a run that was cut off goes on.

    -> (record {"steps", "left_out", "processes", "distributed", "curve": [{"step", "loss", "accuracy", "heldout", "minutes"}]},
    whether all steps are done). A step whose gradient is not finite is left out. Raises ModelError when that goes on, or when
    the checkpoint is another model's.
    """
    accelerator = Accelerator(mixed_precision=params.precision, gradient_accumulation_steps=params.accumulate,
                              kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=params.learning_rate,
                                  weight_decay=0.01, betas=(0.9, 0.98))
    loss_of, optimizer = accelerator.prepare(DenoisingLoss(model).train(), optimizer)
    first, curve = _resume(accelerator, folder, model.config)
    began = time.monotonic() - (60 * curve[-1]["minutes"] if curve else 0)
    leg, step = time.monotonic(), first - 1
    shown, lost = {"loss": 0.0, "accuracy": 0.0}, []
    bar = tqdm(range(first, params.steps), initial=first, total=params.steps, disable=not accelerator.is_main_process,
               mininterval=5)
    batches = _ahead(_batches(draw, params, accelerator.process_index, model.config, first * params.accumulate))
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = params.rate(step, time.monotonic() - leg)
        for part in range(params.accumulate):
            seed = ((params.seed * 1_000_003 + step) * 64 + part) * 64 + accelerator.process_index
            batch = next(batches).to(accelerator.device)
            half = random.Random(params.seed * 7 + step).random() < 0.5 and model.config.self_conditioning
            with accelerator.accumulate(loss_of):
                loss, accuracy = loss_of(batch, seed, half)
                accelerator.backward(loss)
                if accelerator.sync_gradients and not accelerator.clip_grad_norm_(loss_of.parameters(), 1.0).isfinite():
                    lost.append(step)
                    optimizer.zero_grad()                   # without gradients the step below changes nothing
                optimizer.step()
                optimizer.zero_grad()
        _check_lost(lost, step, params.learning_rate)
        if lost[-1:] != [step]:
            share = 1 / min(step - first - len(lost) + 1, 50)
            shown = {k: v + share * (n.item() - v) for (k, v), n in zip(shown.items(), (loss.detach(), accuracy), strict=True)}
        bar.set_postfix({k: f"{v:.3f}" for k, v in shown.items()}, refresh=False)
        over = params.minutes is not None and time.monotonic() - leg > 60 * params.minutes
        if (step + 1) % params.watch_every == 0 or step + 1 == params.steps or over:
            curve.append({"step": step + 1, **{k: round(v, 4) for k, v in shown.items()},
                          "heldout": heldout_loss(loss_of, heldout, params.batch, model.config, accelerator.device),
                          "minutes": round((time.monotonic() - began) / 60, 2)})
        if (step + 1) % params.save_every == 0 or step + 1 == params.steps or over:
            _save(accelerator, folder, step + 1, curve, model.config)
        if over:
            break
    state = accelerator.get_state_dict(loss_of)
    if accelerator.is_main_process:
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        names = {n.removeprefix("model."): t for n, t in state.items()}
        save_tensors({n: t for n, t in names.items() if n in trained}, model.config, folder.parent)
    record = {"steps": step + 1, "left_out": len(lost), "processes": accelerator.num_processes,
              "distributed": str(accelerator.distributed_type).removeprefix("DistributedType."), "curve": curve}
    return record, step + 1 >= params.steps


def _batches(draw: Callable[[random.Random], Sequence], params: AdaptParams, process: int, config: SSD2Config,
             first: int) -> Iterator[Batch]:
    """The batches from number ``first`` on, without end. ``ALIKE`` share out their sequences by length: little is padded."""
    begin, skipped = divmod(first, ALIKE)
    for drawn in count(begin):
        rng = random.Random((params.seed * 1_000_003 + drawn) * 64 + process)
        sequences = sorted((draw(rng) for _ in range(params.batch * ALIKE)), key=lambda s: len(s.ids))
        for which in rng.sample(range(ALIKE), ALIKE)[skipped:]:
            chosen = sequences[which * params.batch:(which + 1) * params.batch]
            yield make_batch(chosen, config.block_length, config.eos_token_id, config.pad_token_id or 0)
        skipped = 0


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, made by a thread while the ones before are learnt."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, batches) for _ in range(AHEAD))
        while True:
            yield waiting.popleft().result()
            waiting.append(pool.submit(next, batches))


@torch.no_grad()
def heldout_loss(loss_of: nn.Module, sequences: list[Sequence], size: int, config: SSD2Config, device) -> float | None:
    """Mean loss over held-out sequences, the same noise every time."""
    if not sequences:
        return None
    loss_of.eval()
    losses = []
    for at in range(0, len(sequences), size):
        batch = make_batch(sequences[at:at + size], config.block_length, config.eos_token_id, config.pad_token_id or 0)
        losses.append(loss_of(batch.to(device), at, False)[0].item())
    loss_of.train()
    return round(sum(losses) / len(losses), 4)


def _check_lost(lost: list[int], step: int, rate: float) -> None:
    """Raise ModelError when each of the last ``MOST_LOST`` steps had gradients that were not finite."""
    since = step - MOST_LOST + 1
    if lost[-MOST_LOST:] == list(range(since, step + 1)):
        raise ModelError(f"The gradients are not finite since step {since}; lower --learning-rate, now {rate:g}, and give the "
                         "same command: it goes on from the last checkpoint.")


def _identity(config: SSD2Config) -> dict:
    """What a checkpoint's config must share with the run that goes on from it: all but its words and counts."""
    said = json.loads(config.to_json_string(use_diff=False))
    return {k: v for k, v in said.items() if k not in ("title", "summary", "num_parameters", "transformers_version")}


def _save(accelerator: Accelerator, folder: Path, step: int, curve: list[dict], config: SSD2Config) -> None:
    accelerator.save_state(str(folder))
    if accelerator.is_main_process:
        progress = {"step": step, "curve": curve, "config": _identity(config)}
        (folder / "progress.json").write_text(json.dumps(progress))
    accelerator.wait_for_everyone()


def _resume(accelerator: Accelerator, folder: Path, config: SSD2Config) -> tuple[int, list[dict]]:
    if not (folder / "progress.json").exists():
        return 0, []
    progress = json.loads((folder / "progress.json").read_text())
    saved, mine = progress.get("config", {}), _identity(config)
    for name in mine:
        if saved.get(name) != mine[name]:
            raise ModelError(f"The checkpoint in {folder} has {name} {saved.get(name)!r}, this run has {mine[name]!r}; choose "
                             f"another --out.")
    try:
        accelerator.load_state(str(folder))
    except (RuntimeError, OSError, ValueError) as error:
        raise ModelError(f"The checkpoint in {folder} belongs to another model ({error}); choose another --out.") from None
    return progress["step"], progress["curve"]
