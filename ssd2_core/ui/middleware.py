"""What stands in front of the page: what no page of ours sends is refused here in one sentence, before any handler sees it.

Knows gradio's addresses and the shape of values; nothing of the engine, the components or what a value means.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio.to_thread
from gradio.utils import get_upload_folder
from starlette.responses import JSONResponse, PlainTextResponse

from ..config import Limits
from ..errors import DISK_FULL, is_disk_full
from . import strings

log = logging.getLogger(__name__)
UPLOAD, HEALTH = "/gradio_api/upload", "/health"
# Addresses of gradio's that fetch, write or tell something for whoever asks and that the page has no use for.
CLOSED = ("/gradio_api/file=http:", "/gradio_api/file=https:", "/gradio_api/proxy=", "/gradio_api/deep_link",
          "/gradio_api/process_recording", "/gradio_api/dev/", "/gradio_api/vibe-", "/monitoring")
ABANDONED_SECONDS = 600.0


class RequestGuard:
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
                answer = PlainTextResponse(strings.NOT_UNDERSTOOD, 500)
            await answer(scope, receive, send)

    async def refusal(self, scope) -> PlainTextResponse | None:
        """What to say to a request that goes no further."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.lower().startswith(CLOSED):
            return PlainTextResponse(strings.NOT_OFFERED, 403)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.max_request_bytes:
            return self.too_large()
        if path.startswith(UPLOAD) and scope["method"] == "POST":
            used = await anyio.to_thread.run_sync(swept, Path(get_upload_folder()))
            if used > self.limits.max_upload_bytes:
                return PlainTextResponse(strings.NO_ROOM, 503)
        return None

    def too_large(self) -> PlainTextResponse:
        return PlainTextResponse(strings.too_large(self.limits.max_request_bytes), 413)


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
