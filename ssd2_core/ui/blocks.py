"""gradio's Blocks, stricter: values that no field can hold are refused in a sentence, and nothing fails without one."""

import math
from copy import copy

import gradio as gr

from ..errors import DISK_FULL, is_disk_full
from . import strings
from .middleware import log

MAX_ERROR_CHARS = 300


class Page(gr.Blocks):
    """Blocks that refuse values no field of theirs can hold, and never fail without a sentence."""

    async def process_api(self, *about, **more):
        """As gradio's. Raises gr.Error, also where a handler raises anything else."""
        try:
            return await super().process_api(*about, **more)
        except gr.Error:
            raise
        except Exception as error:
            log.exception("a handler failed")
            said = DISK_FULL if is_disk_full(error) else strings.NOT_UNDERSTOOD
            raise gr.Error(said, print_exception=False) from None

    def forget(self, request: gr.Request) -> None:
        """Let go of what gradio keeps for a session: a copy of every component, for as long as there is room for others."""
        holder = self.state_holder
        with holder.lock:
            holder.session_data.pop(request.session_hash, None)
            holder.time_last_used.pop(request.session_hash, None)

    async def postprocess_data(self, block_fn, predictions, state):
        """As gradio's, which makes a new component and its schema for each output that is to stay as it is."""
        if len(block_fn.outputs) < 2 or not isinstance(predictions, list | tuple) or len(predictions) != len(block_fn.outputs):
            return await super().postprocess_data(block_fn, predictions, state)
        new = [i for i, value in enumerate(predictions) if value != gr.skip()]
        fewer, values = copy(block_fn), [predictions[i] for i in new]
        fewer.outputs = [block_fn.outputs[i] for i in new]
        made = await super().postprocess_data(fewer, values[0] if len(new) == 1 else values, state) if new else []
        out = [gr.skip()] * len(predictions)
        for i, value in zip(new, made, strict=True):
            out[i] = value
        return out

    async def preprocess_data(self, block_fn, inputs, *more):
        """As gradio's. Raises gr.Error, also where gradio raises anything else."""
        try:
            check_values(inputs)
            return await super().preprocess_data(block_fn, inputs, *more)
        except gr.Error as error:
            if len(str(error.message)) <= MAX_ERROR_CHARS:
                raise gr.Error(error.message, print_exception=False) from None
        except Exception as error:
            log.warning("a value was refused: %s", type(error).__name__)
        raise gr.Error(strings.NOT_A_VALUE, print_exception=False)


def check_values(value: object) -> None:
    """Refuse numbers that are none, and files that are said to lie at an address: nothing is ever fetched for a visitor."""
    if isinstance(value, float) and not math.isfinite(value):
        raise gr.Error(strings.NOT_A_VALUE)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        check_values(inner)
    if isinstance(value, dict) and isinstance(value.get("path"), str) and "://" in value["path"]:
        raise gr.Error(strings.NO_ADDRESS)
