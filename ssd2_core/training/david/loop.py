"""The training loop of David and of drafts: checkpoints that go on exactly where they stopped. Knows nothing of texts."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from .model import trained
from .rows import Batch

SAVE_SECONDS = 180


@dataclass(frozen=True)
class TrainParams:
    """learning_rate: after ``warmup`` steps, falling linearly to zero over the last ``decay`` of the run. minutes: of training,
    resumed parts included; or a number of ``steps``. silent_weight: of the loss on what the document does not answer."""

    learning_rate: float = 6e-4
    warmup: int = 30
    decay: float = 0.6
    minutes: float = 90.0
    steps: int | None = None
    silent_weight: float = 1.0
    watch_minutes: float = 15.0
    seed: int = 0


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """What each token sees, (B, S, S), as the (B, 1, S, S) numbers that are added to attention scores."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)[:, None]


def silent_kl(logits: Tensor, top_ids: Tensor, top_logs: Tensor) -> Tensor:
    """Mean forward KL from the base's prediction to ``logits`` (N, V), over its K likeliest tokens and all others as one.

    top_ids, top_logs: (N, K).
    """
    logs = logits.log_softmax(-1).gather(-1, top_ids)
    rest = lambda given: torch.log1p(-given.exp().sum(-1).clamp(max=1 - 1e-4))  # noqa: E731
    right = torch.cat([top_logs, rest(top_logs)[:, None]], -1)
    return F.kl_div(torch.cat([logs, rest(logs)[:, None]], -1), right, reduction="batchmean", log_target=True)


def losses(lm: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """(cross-entropy of the answers, KL of the silent ones). The head is computed only where there is a loss."""
    mask = additive(batch.mask, lm.get_input_embeddings().weight.dtype)
    embedded = lm.get_input_embeddings()(batch.ids).requires_grad_()    # as any later layer gets: compiled once for all
    hidden = lm.model(inputs_embeds=embedded, attention_mask=mask, position_ids=batch.positions, use_cache=False)[0]
    at = torch.cat([batch.read_at, batch.silent_at])
    logits = lm.lm_head(hidden[at[:, 0], at[:, 1]]).float()
    read, silent = logits.split([len(batch.read_at), len(batch.silent_at)])
    zero = logits.new_zeros(())
    return (F.cross_entropy(read, batch.read_ids) if len(read) else zero,
            silent_kl(silent, batch.silent_ids, batch.silent_logs) if len(silent) else zero)


class Training:
    """A run: the model, its optimizer, and how far it is: it goes on where a checkpoint in ``folder`` stopped.

    TOLD: what the two figures of a step are called.
    """

    TOLD = ("reading", "silent")

    def __init__(self, lm: nn.Module, params: TrainParams, folder: Path):
        self.lm, self.params, self.folder = lm, params, folder
        self.weights = trained(lm)
        self.optimizer = torch.optim.AdamW(self.weights.values(), betas=(0.9, 0.98), weight_decay=0.01)
        self.step, self.seconds, self.curve = 0, 0.0, []
        self._resume()

    def done(self) -> float:
        """Which part of the run is done, 0..1."""
        if self.params.steps:
            return self.step / self.params.steps
        return self.seconds / (60 * self.params.minutes)

    def rate(self) -> float:
        """The learning rate of the next step."""
        p = self.params
        return p.learning_rate * min(1.0, (self.step + 1) / p.warmup, max(0.0, (1 - self.done()) / p.decay))

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is made small, and the two figures that are told, (2,)."""
        read, silent = losses(self.lm, batch)
        return read + self.params.silent_weight * silent, torch.stack([read.detach(), silent.detach()])

    def train_step(self, batches: list[Batch]) -> tuple[float, float]:
        """One step on the mean of these batches -> the two figures before it. A gradient that is not finite changes nothing."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        told = torch.zeros(2)
        for batch in batches:
            loss, figures = self.loss(batch)
            (loss / len(batches)).backward()
            told += figures / len(batches)
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), 1.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return tuple(told.tolist())

    def run(self, batches_of: Callable[[int], list[Batch]], watch: Callable[[], str] | None = None, log=print) -> None:
        """Train until the minutes or the steps are over; save every few minutes, ``watch`` now and then and at the end."""
        began, before = time.monotonic(), self.seconds
        saved, watched, recent = began, before, []
        while self.done() < 1:
            batches = batches_of(self.step)
            recent.append((*self.train_step(batches), sum(batch.ids.numel() for batch in batches)))
            self.seconds = before + time.monotonic() - began
            if self.step % 20 == 0 or self.done() >= 1:
                *told, tokens = (sum(column) for column in zip(*recent, strict=True))
                row = {"step": self.step, "minutes": round(self.seconds / 60, 2),
                       **{name: round(value / len(recent), 4) for name, value in zip(self.TOLD, told, strict=True)},
                       "rate": round(self.rate(), 6), "tokens": tokens}
                self.curve.append(row)
                log(json.dumps(row))
                recent = []
            if time.monotonic() - saved > SAVE_SECONDS or self.done() >= 1:
                self.save()
                saved = time.monotonic()
            if watch and (self.seconds - watched > 60 * self.params.watch_minutes or self.done() >= 1):
                log(watch())
                watched = self.seconds

    def save(self) -> None:
        """Write a checkpoint; one that is there is replaced only when the new one is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {name: p.detach().clone() for name, p in self.weights.items()}
        for name, p in self.weights.items():
            state |= {f"{name}|{key}": value.clone() for key, value in self.optimizer.state.get(p, {}).items()}
        told = {"progress": json.dumps({"step": self.step, "seconds": self.seconds, "curve": self.curve})}
        save_file(state, self.folder / "checkpoint.part", metadata=told)
        (self.folder / "checkpoint.part").replace(self.folder / "checkpoint.safetensors")

    def _resume(self) -> None:
        from safetensors import safe_open
        file = self.folder / "checkpoint.safetensors"
        if not file.is_file():
            return
        with safe_open(file, "pt") as opened:
            progress = json.loads(opened.metadata()["progress"])
        self.step, self.seconds, self.curve = progress["step"], progress["seconds"], progress["curve"]
        state = load_file(file)
        with torch.no_grad():
            for name, p in self.weights.items():
                p.copy_(state[name])
                moments = {key.split("|")[1]: value for key, value in state.items() if key.startswith(f"{name}|")}
                if moments:
                    self.optimizer.state[p] = moments
