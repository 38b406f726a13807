"""Run by two processes: the loss of a sharded tiny expert (FSDP2) and its gradients are those of the whole one."""

import os
import random

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from ssd2_core.training.adapt.adapt import choose_trained
from ssd2_core.training.adapt.batch import Sequence, lay_out
from ssd2_core.training.batch import make_batch
from ssd2_core.training.loop import Moment
from ssd2_core.training.losses import BatchLoss, diffusion_loss
from tests.support.tiny import tiny


def main() -> None:
    dist.init_process_group("gloo")
    whole, sharded = (tiny(lora={"r": 4, "lora_alpha": 4}, sharp=1.0) for _ in range(2))
    rng = random.Random(1)
    batch = make_batch([lay_out(Sequence([rng.randrange(5, 90) for _ in range(20)], 5), 6, 1)], 6, 1, 0)
    for model in (whole, sharded):
        choose_trained(model)
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for layer in sharded.lm.model.layers:
        fully_shard(layer, mesh=mesh)
    losses = BatchLoss(whole, diffusion_loss), fully_shard(BatchLoss(sharded, diffusion_loss), mesh=mesh)
    found = [loss_of(batch, Moment(3), True)["loss"] for loss_of in losses]
    assert torch.allclose(*found, atol=1e-5), found
    for loss in found:
        loss.backward()
    for (name, one), other in zip(whole.named_parameters(), sharded.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None:
            assert torch.allclose(one.grad, other.grad.full_tensor(), atol=1e-5), name
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
    os._exit(0)     # all is checked: the teardown of torch's threads now and then aborts a process that used FSDP2 on a CPU
