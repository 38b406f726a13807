"""``python -m tests.support.zero_app`` is app.py on ZeroGPU, with the package's own stand-in for CUDA and no GPU.

The page's process makes its models on the stand-in, which packs them to disk when the page is launched, as on a Space; a fork
reads them from there, here into main memory instead of a GPU's.
"""

from pathlib import Path

import torch

if torch.version.cuda is None:          # the stand-in is for builds with CUDA only
    torch.version.cuda, torch._C._cuda_init, torch.cuda._is_in_bad_fork = "13.0", None, bool
import spaces  # noqa: E402, F401
from spaces.zero import torch as on_zero  # noqa: E402
from spaces.zero.torch import patching  # noqa: E402


def move(callback=None) -> None:
    """What a fork does instead of copying to a GPU: every packed tensor is read, and takes the place of its stand-ins."""
    for pack in patching.tensor_packs:
        data, start = Path(pack.path()).read_bytes(), 0
        for tensor, size, aligned in (*(one for batch in pack.batches for one in batch), *pack.big_tensors):
            storage = torch.frombuffer(bytearray(data[start:start + size]), dtype=torch.uint8).untyped_storage()
            real = torch.empty(0, dtype=tensor.dtype).set_(storage, 0, tensor.shape, tensor.stride())
            for stand_in in pack.fakes[tensor]:
                stand_in.data = real
            start += aligned


def on_stand_in() -> None:
    """Let forks do without a GPU."""
    on_zero.init, on_zero.move = lambda uuid: None, move


if __name__ == "__main__":
    on_stand_in()
    import app
    app.main()
