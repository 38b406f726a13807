"""Adapts an autoregressive base to simplex diffusion, on any number of devices. Knows nothing of recipes.

Clean tokens keep the base's causal attention; noisy blocks are denoised beside them (``batch.py``).
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import torch
from torch import nn

from ...models.checkpoints import base_folder, base_tensors, joined, save_tensors
from ...models.ssd2 import SSD2Config, SSD2Model
from ...registry.base_models import find_base
from ..batch import Batch, make_batch
from ..folders import identity
from ..loop import LoopParams, Moment, train
from ..losses import BatchLoss, diffusion_loss
from .batch import Sequence, lay_out

ALIKE, AHEAD = 8, 4             # batches that share out their sequences by length; batches that are made beforehand
Draw = Callable[[random.Random], Sequence]


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


def adapt(model: SSD2Model, draw: Draw, heldout: list[Sequence], params: LoopParams, size: int, seed: int,
          folder: Path) -> dict:
    """Train ``model`` in place on batches of ``size`` sequences on every device, and save what was trained beside ``folder``.

    Checkpoints lie in ``folder``, from which a run that was cut off goes on. -> record {"steps", "left_out", "processes",
    "distributed", "curve": [{"step", "loss", "accuracy", "heldout", "minutes"}]}. Raises ModelError as the loop does.
    """
    config = model.config
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=params.learning_rate,
                                  weight_decay=0.01, betas=(0.9, 0.98))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    found = train(BatchLoss(model, diffusion_loss, seed), [optimizer],
                  lambda first, process: ahead(batches(draw, size, seed, config, first, process)), params, folder=folder,
                  identity=identity(config), check=lambda _, loss_of: {"heldout": heldout_loss(loss_of, heldout, size, config)})
    accelerator = found.accelerator
    state = accelerator.get_state_dict(found.loss_of)
    if accelerator.is_main_process:
        names = {name.removeprefix("model."): tensor for name, tensor in state.items()}
        save_tensors({name: tensor for name, tensor in names.items() if name in trained}, config, folder.parent)
    return {"steps": found.steps, "left_out": found.lost, "processes": accelerator.num_processes,
            "distributed": str(accelerator.distributed_type).removeprefix("DistributedType."), "curve": found.curve}


def to_batch(sequences: list[Sequence], config: SSD2Config) -> Batch:
    """Sequences as a batch of the expert's block length."""
    L, eos = config.block_length, config.eos_token_id
    return make_batch([lay_out(sequence, L, eos) for sequence in sequences], L, eos, config.pad_token_id or 0)


def batches(draw: Draw, size: int, seed: int, config: SSD2Config, first: int, process: int = 0) -> Iterator[Batch]:
    """The batches from number ``first`` on, without end. ``ALIKE`` share out their sequences by length: little is padded."""
    begin, skipped = divmod(first, ALIKE)
    for drawn in count(begin):
        rng = random.Random((seed * 1_000_003 + drawn) * 64 + process)
        sequences = sorted((draw(rng) for _ in range(size * ALIKE)), key=lambda s: len(s.ids))
        for which in rng.sample(range(ALIKE), ALIKE)[skipped:]:
            yield to_batch(sequences[which * size:(which + 1) * size], config)
        skipped = 0


def ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, made by a thread while the ones before are learnt."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, batches) for _ in range(AHEAD))
        while True:
            yield waiting.popleft().result()
            waiting.append(pool.submit(next, batches))


def heldout_loss(loss_of: nn.Module, sequences: list[Sequence], size: int, config: SSD2Config) -> float | None:
    """Mean loss over held-out sequences, the same noise every time."""
    if not sequences:
        return None
    device, losses = next(loss_of.parameters()).device, []
    for at in range(0, len(sequences), size):
        batch = to_batch(sequences[at:at + size], config).to(device)
        losses.append(loss_of(batch, Moment(at), False)["loss"].item())
    return round(sum(losses) / len(losses), 4)
