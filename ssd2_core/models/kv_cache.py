"""Keys and values of a clean context with room behind them, where a noisy block is written at each step. Knows no networks.

transformers' DynamicCache concatenates: each step would copy the whole context to put a block after it.
"""

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 128                      # positions that a layer grows by


class BlockLayer(DynamicLayer):
    """One layer's keys and values (B, heads, positions, size) as the front of a buffer. For sampling: it writes in place."""

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Put positions behind the ones so far. -> all keys, all values, views that the next update may change."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.buffers: list[Tensor] = []
        if not self.buffers or end > self.buffers[0].shape[-2]:
            self.buffers = [self._larger(old, new, start, end + ROOM)
                            for old, new in ((self.keys, key_states), (self.values, value_states))]
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[..., start:end, :] = new
        self.keys, self.values = (buffer[..., :end, :] for buffer in self.buffers)
        return self.keys, self.values

    @staticmethod
    def _larger(old: Tensor, new: Tensor, start: int, size: int) -> Tensor:
        buffer = torch.empty((*new.shape[:-2], size, new.shape[-1]), dtype=new.dtype, device=new.device)
        if start:
            buffer[..., :start, :] = old
        return buffer


class BlockCache(Cache):
    """A cache of BlockLayers, as transformers' backbones take it."""

    def __init__(self):
        super().__init__(layer_class_to_replicate=BlockLayer)
