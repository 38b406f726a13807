"""How a block gets from noise to tokens: one process for each thing that denoisers read. A process remembers nothing."""

import torch
from torch import Tensor

from ..config import SamplingParams
from .settling import is_end
from .step import BlockState, Denoiser, Prediction


class Process:
    """What a block starts as, what given tokens do to it, and what follows from a prediction; all it knows is in the states.

    rng: what every draw comes from. noise: see ``annealing.Annealing``.
    """

    def __init__(self, denoise: Denoiser, params: SamplingParams, rng: torch.Generator, noise: object = None):
        self.denoise, self.params, self.rng, self.noise, self.ends = denoise, params, rng, noise, denoise.ends

    def start(self, last: BlockState | None, ended: Tensor) -> BlockState:
        """A block of pure noise. last: the state that the block before ended with; its memory may be used again.

        ended: rows (B,) whose answer is complete.
        """
        raise NotImplementedError

    def give(self, state: BlockState, at: Tensor, given: Tensor) -> None:
        """Set tokens (N,) at positions (N,) of a block, in place."""
        raise NotImplementedError

    def advance(self, state: BlockState, prediction: Prediction) -> BlockState:
        """The block after a prediction for its window (B, W, V)."""
        raise NotImplementedError

    def view(self, state: BlockState, window: slice) -> BlockState:
        """What of a state is shown, as a block of its own: the window that was predicted, where that is not all."""
        return state

    def has_end(self, state: BlockState) -> Tensor:
        """Rows (B,) with a token that ends the answer."""
        return is_end(state.token_ids, self.ends).any(-1)

    def is_done(self, state: BlockState) -> bool:
        """Whether nothing is left to decide in what is shown: after the last step, or when all is settled."""
        return state.step > state.num_steps or bool(state.settled.all())
