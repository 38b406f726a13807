"""The training loop: limits, schedule, precision, clipping, checkpoints and reports, on any number of devices by accelerate.

A recipe gives a loss over a batch, its optimizers and a stream of batches. The loop does not know what the batches say.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast, send_to_device
from torch import nn
from tqdm import tqdm

from ..errors import ModelError

MOST_LOST = 20                  # steps in a row without a finite gradient
SMOOTH = 50                     # steps that a reported loss is a mean of, about


class Moment(NamedTuple):
    """Where in the training a batch is learnt: what a loss draws its noise from. part: which of the accumulated batches."""

    step: int
    part: int = 0
    process: int = 0


Stream = Callable[[int, int], Iterator[Any]]            # number of the first batch, that of the process -> batches without end
Check = Callable[[int, nn.Module], dict[str, Any]]      # steps done, the prepared loss -> more columns of a row of the curve
Tell = Callable[[int, dict[str, float], float | None], None]    # steps done, means of what the loss gives, seconds left


@dataclass(frozen=True)
class LoopParams:
    """Limits and schedule of one run.

    steps, seconds: training ends with whichever comes first; a run takes at least one step, so that a command given again goes
    on. The learning rate rises over ``warmup`` steps, stays, and falls over the last ``decay`` of the run to ``lowest`` of it.
    pace: which limit that fall follows, "steps", "time" or "either", the one that is nearer. whole: ``seconds`` count for the
    whole run, with its parts before it was cut off. accumulate: batches of a step.
    clip: largest norm of a gradient. precision: "no" or "bf16". cpu: not on a GPU even if there is one.
    save_every, report_every: steps between checkpoints and between rows of the curve.
    """

    steps: int
    learning_rate: float
    warmup: int = 200
    decay: float = 0.5
    lowest: float = 0.01
    seconds: float | None = None
    pace: str = "steps"
    whole: bool = False
    accumulate: int = 1
    clip: float = 1.0
    precision: str = "no"
    cpu: bool = False
    save_every: int = 500
    report_every: int = 100

    def rate(self, step: int, spent: float = 0.0) -> float:
        """Learning rate of ``step``, which begins ``spent`` seconds after the run did."""
        done = float(step)
        if self.seconds and self.pace != "steps":
            by_time = spent / self.seconds * self.steps
            done = by_time if self.pace == "time" else max(done, by_time)
        left = (self.steps - done) / max(1, self.decay * self.steps)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup, max(self.lowest, left))


@dataclass(frozen=True)
class Outcome:
    """What a run came to. steps: done so far, those of earlier runs included. lost: left out for want of a finite gradient.

    curve: rows {"step", "loss" and what else the loss and the check gave, "minutes"}. accelerator, loss_of: as prepared.
    """

    steps: int
    lost: int
    curve: list[dict]
    accelerator: Accelerator
    loss_of: nn.Module


def train(loss_of: nn.Module, optimizers: list[torch.optim.Optimizer], stream: Stream, params: LoopParams, *,
          folder: Path | None = None, identity: dict | None = None, check: Check | None = None, tell: Tell | None = None,
          stopped: Callable[[], bool] = lambda: False) -> Outcome:
    """Train what ``loss_of`` holds, in place.

    loss_of: (batch, Moment) -> {"loss": Tensor, ...}, all scalars. folder: checkpoints; a run that was cut off goes on from the
    last one, if that has the same ``identity``. check: asked for every row of the curve. tell: called after each step, instead
    of a progress bar. stopped: asked before each step. A step whose gradient is not finite is left out.
    Raises ModelError when that goes on, or when the checkpoint is another model's.
    """
    accelerator = _accelerator(params)
    loss_of, *optimizers = accelerator.prepare(loss_of.train(), *optimizers)
    first, curve = _resume(accelerator, folder, identity or {}) if folder else (0, [])
    before, began, done, lost = 60 * curve[-1]["minutes"] if curve else 0.0, time.monotonic(), first, []
    shown: dict[str, float] = {"loss": 0.0}
    batches = stream(first * params.accumulate, accelerator.process_index)
    since = began - before if params.whole else began

    def report() -> None:
        more = _checked(check, done, loss_of) if check else {}
        minutes = round((before + time.monotonic() - began) / 60, 2)
        curve.append({"step": done, **{name: round(value, 4) for name, value in shown.items()}, **more, "minutes": minutes})

    bar = tqdm(range(first, params.steps), initial=first, total=float("inf") if params.pace == "time" else params.steps,
               mininterval=5, dynamic_ncols=True,
               disable=tell is not None or not accelerator.is_main_process)
    for step in bar:
        spent, stop = _clock(accelerator, since, stopped)
        if stop or (step > first and params.seconds is not None and spent >= params.seconds):
            break
        rate = params.rate(step, spent)
        found = _step(accelerator, loss_of, optimizers, batches, step, rate, params)
        if found is None:
            lost.append(step)
            _check_lost(lost, step, params.learning_rate)
        else:
            share = 1 / min(step - first - len(lost) + 1, SMOOTH)
            shown = {name: shown.get(name, 0.0) * (1 - share) + share * value for name, value in found.items()}
        done = step + 1
        bar.set_postfix({name: f"{value:.3f}" for name, value in shown.items()}, refresh=False)
        if tell:
            tell(done, shown, None if params.seconds is None else params.seconds - spent)
        if done % params.report_every == 0:
            report()
        if folder and done % params.save_every == 0 and done < params.steps:
            _save(accelerator, folder, done, curve, identity or {})
    if not curve or curve[-1]["step"] != done:
        report()
    if folder and done > first:
        _save(accelerator, folder, done, curve, identity or {})
    loss_of.eval()
    return Outcome(done, len(lost), curve, accelerator, loss_of)


def _accelerator(params: LoopParams) -> Accelerator:
    """One for this run: a process that trains twice, alone, may choose its device and precision each time."""
    if AcceleratorState._shared_state and AcceleratorState().num_processes == 1:
        AcceleratorState._reset_state(True)
    return Accelerator(cpu=params.cpu, mixed_precision=params.precision, gradient_accumulation_steps=params.accumulate,
                       kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])


def _clock(accelerator: Accelerator, began: float, stopped: Callable[[], bool]) -> tuple[float, bool]:
    """Seconds since ``began``, and whether to stop; the first process decides for all, or they would wait for each other."""
    spent, stop = time.monotonic() - began, stopped()
    if accelerator.num_processes > 1:
        spent, stop = broadcast(torch.tensor([spent, float(stop)], device=accelerator.device)).tolist()
    return spent, bool(stop)


def _step(accelerator: Accelerator, loss_of: nn.Module, optimizers: list, batches: Iterator, step: int, rate: float,
          params: LoopParams) -> dict[str, float] | None:
    """One optimizer step. -> what the loss gave, mean of its batches; None if a gradient was not finite and nothing changed."""
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = rate
    finite, told = True, {}
    for part in range(params.accumulate):
        batch = send_to_device(next(batches), accelerator.device)
        with accelerator.accumulate(loss_of):
            found = loss_of(batch, Moment(step, part, accelerator.process_index))
            accelerator.backward(found["loss"])
            told = {name: told.get(name, 0.0) + value.item() / params.accumulate for name, value in found.items()}
            if accelerator.sync_gradients:
                finite = bool(accelerator.clip_grad_norm_(loss_of.parameters(), params.clip).isfinite())
            for optimizer in optimizers:
                if not finite:
                    optimizer.zero_grad()                   # without gradients the step below changes nothing
                optimizer.step()
                optimizer.zero_grad()
    return told if finite else None


@torch.no_grad()
def _checked(check: Check, step: int, loss_of: nn.Module) -> dict[str, Any]:
    loss_of.eval()
    found = check(step, loss_of)
    loss_of.train()
    return found


def _check_lost(lost: list[int], step: int, rate: float) -> None:
    """Raise ModelError when each of the last ``MOST_LOST`` steps had gradients that were not finite."""
    since = step - MOST_LOST + 1
    if lost[-MOST_LOST:] == list(range(since, step + 1)):
        raise ModelError(f"The gradients are not finite since step {since}; lower the learning rate, now {rate:g}. What was "
                         "saved before is kept.")


def _save(accelerator: Accelerator, folder: Path, step: int, curve: list[dict], identity: dict) -> None:
    """A checkpoint that counts once progress.json names it: a run that is cut off meanwhile has the one before."""
    state = f"step-{step}"
    accelerator.save_state(str(folder / state))
    if accelerator.is_main_process:
        progress = {"step": step, "state": state, "curve": curve, "identity": identity}
        (folder / "progress.tmp").write_text(json.dumps(progress))
        (folder / "progress.tmp").replace(folder / "progress.json")
        for earlier in folder.glob("step-*"):
            if earlier.name != state:
                shutil.rmtree(earlier)
    accelerator.wait_for_everyone()


def _resume(accelerator: Accelerator, folder: Path, identity: dict) -> tuple[int, list[dict]]:
    """Load the last checkpoint of ``folder``, if any. -> (steps done, curve so far)."""
    if not (folder / "progress.json").exists():
        return 0, []
    progress = json.loads((folder / "progress.json").read_text())
    saved = progress.get("identity", {})
    for name, mine in identity.items():
        if saved.get(name) != mine:
            raise ModelError(f"The checkpoint in {folder} has {name} {saved.get(name)!r}, this run has {mine!r}; choose "
                             "another --out.")
    try:
        accelerator.load_state(str(folder / progress["state"]))
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise ModelError(f"The checkpoint in {folder} belongs to another model ({error}); choose another --out.") from None
    return progress["step"], progress["curve"]
