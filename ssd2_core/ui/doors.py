"""What stands in front of the page: what no page of ours sends is refused here in one sentence, before any handler sees it.

Knows gradio's addresses and the shape of values; nothing of the engine, the components or what a value means.
"""

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from pathlib import Path

import anyio.to_thread
import gradio as gr
from gradio.utils import get_upload_folder
from starlette.responses import JSONResponse, PlainTextResponse

from ..config import Limits
from ..errors import DISK_FULL, is_disk_full
from . import words

log = logging.getLogger(__name__)
UPLOAD, HEALTH = "/gradio_api/upload", "/health"
# Addresses of gradio's that fetch, write or tell something for whoever asks and that the page has no use for.
CLOSED = ("/gradio_api/file=http:", "/gradio_api/file=https:", "/gradio_api/proxy=", "/gradio_api/deep_link",
          "/gradio_api/process_recording", "/gradio_api/dev/", "/gradio_api/vibe-", "/monitoring")
ABANDONED_SECONDS = 600.0
MAX_ERROR_CHARS = 300


class Doors:
    """ASGI middleware. Closed addresses, bodies that are too large and uploads that find no room never reach the page, and a
    request that the page cannot make sense of gets a sentence instead of an empty error."""

    def __init__(self, app, limits: Limits, health: Callable[[], dict]):
        self.app, self.limits, self.health = app, limits, health

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"].removeprefix(scope.get("root_path", "")) == HEALTH:
            state = self.health()
            return await JSONResponse(state, 200 if state["ready"] else 503)(scope, receive, send)
        refusal = await self.refusal(scope)
        if refusal:
            return await refusal(scope, receive, send)
        begun, size = False, 0

        async def counted():
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.limits.max_request_bytes:
                raise ValueError("too many bytes")
            return message

        async def noted(message) -> None:
            nonlocal begun
            if size > self.limits.max_request_bytes and not begun:      # the error in ``counted`` was taken for another
                raise ValueError("too many bytes")
            begun = True
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except Exception as error:
            if begun:
                raise
            if size > self.limits.max_request_bytes:
                answer = self.too_large()
            elif is_disk_full(error):
                log.error("a request found the disk full")
                answer = PlainTextResponse(DISK_FULL, 503)
            else:
                log.exception("a request could not be answered")
                answer = PlainTextResponse(words.NOT_UNDERSTOOD, 500)
            await answer(scope, receive, send)

    async def refusal(self, scope) -> PlainTextResponse | None:
        """What to say to a request that goes no further."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.lower().startswith(CLOSED):
            return PlainTextResponse(words.NOT_OFFERED, 403)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.max_request_bytes:
            return self.too_large()
        if path.startswith(UPLOAD) and scope["method"] == "POST":
            used = await anyio.to_thread.run_sync(swept, Path(get_upload_folder()))
            if used > self.limits.max_upload_bytes:
                return PlainTextResponse(words.NO_ROOM, 503)
        return None

    def too_large(self) -> PlainTextResponse:
        return PlainTextResponse(words.too_large(self.limits.max_request_bytes), 413)


def swept(folder: Path) -> int:
    """Delete what broken uploads left behind in the upload folder. -> bytes of all that is there."""
    used, oldest = 0, time.time() - ABANDONED_SECONDS
    for path in folder.rglob("*"):
        with suppress(OSError):
            about = path.stat()
            if path.parent == folder and path.name.startswith("tmp") and path.is_file() and about.st_mtime < oldest:
                path.unlink()
            else:
                used += about.st_size
    return used


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
            said = DISK_FULL if is_disk_full(error) else words.NOT_UNDERSTOOD
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
        raise gr.Error(words.NOT_A_VALUE, print_exception=False)


def check_values(value: object) -> None:
    """Refuse numbers that are none, and files that are said to lie at an address: nothing is ever fetched for a visitor."""
    if isinstance(value, float) and not math.isfinite(value):
        raise gr.Error(words.NOT_A_VALUE)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        check_values(inner)
    if isinstance(value, dict) and isinstance(value.get("path"), str) and "://" in value["path"]:
        raise gr.Error(words.NO_ADDRESS)
