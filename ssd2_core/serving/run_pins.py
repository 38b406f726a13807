"""What a visitor or a template gives of an answer, as tokens at the places where the sampler finds them."""

from collections.abc import Sequence

import torch

from ..config import SamplingParams
from ..diffusion.pins import Pins
from ..errors import LimitError
from ..protocol.messages import Pin
from ..text.prompts import ANY, WORD, never_in_a_blank, pin_ids


class RunPins:
    """The pins of one run: checks that they fit, and puts them where the sampler finds them.

    lead: by how much the first block is shorter than the others.
    """

    def __init__(self, tokenizer, sampling: SamplingParams, vocab_size: int, lead: int = 0):
        self.tokenizer, self.sampling, self.vocab_size, self.lead, self.pins = tokenizer, sampling, vocab_size, lead, Pins()

    def place(self, at: int) -> tuple[int, int]:
        """Block and position of a token of the answer."""
        block, position = divmod(at + self.lead, self.sampling.block_length)
        return block, position - (0 if block else self.lead)

    def put(self, pin: Pin) -> None:
        """Raises LimitError when the tokens do not fit into the rest of their block."""
        lead = 0 if pin.block else self.lead
        length = self.sampling.block_length - lead
        ids = pin.token_ids or pin_ids(self.tokenizer, pin.text, pin.block == 0 and pin.position == 0)
        shown = repr(pin.text.strip()) if pin.text else "What was pinned"
        blocks = -(-(self.sampling.max_new_tokens + self.lead) // self.sampling.block_length)
        if pin.block >= blocks:
            raise LimitError(f"{shown} stands behind the last token of this answer ({self.sampling.max_new_tokens}); pin it "
                             "earlier.")
        if pin.position + len(ids) > length:
            raise LimitError(f"{shown} has {len(ids)} tokens, and only {max(0, length - pin.position)} are left in its block; "
                             "pin it further to the left.")
        if max(ids) >= self.vocab_size:
            raise LimitError(f"{max(ids)} is not a token of this core, whose vocabulary has {self.vocab_size}.")
        self.pins.put(pin.block, pin.position, ids)

    def fill(self, ids: list[int], ends: Sequence[int]) -> None:
        """Pin what a template gives, and the end behind it. Raises LimitError when it is longer than the answer may be."""
        length, most = self.sampling.block_length, self.sampling.max_new_tokens
        if len(ids) > most:
            raise LimitError(f"What is to be filled in has {len(ids)} tokens; this answer may have {most}. Shorten it.")
        never = {kind: torch.tensor(never_in_a_blank(self.tokenizer, ends, kind), dtype=torch.long)
                 for kind in (ANY, WORD) if kind in ids}
        rest = ends[:1] * (-(len(ids) + self.lead) % length or length) if ids else ()
        for at, token in enumerate([*ids, *rest]):
            if token in (ANY, WORD):
                self.pins.forbid(*self.place(at), never[token])
            else:
                self.pins.put(*self.place(at), [token])
