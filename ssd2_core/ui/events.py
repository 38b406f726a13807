"""How events of the page behave, and how a sentence reaches the visitor."""

import functools
import html
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
STREAM = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}


def lasting(handler: Callable[..., AsyncIterator[Sequence]]) -> Callable[..., AsyncIterator[list]]:
    """A streaming handler whose changes of a component ("interactive", "visible") are repeated where it skips the component.

    The browser applies the difference between two messages to the object of the first one, in place. A change followed by a
    skip is undone there before it is drawn, if both messages arrive together.
    """
    @functools.wraps(handler)
    async def repeated(*args, **kwargs) -> AsyncIterator[list]:
        last: list = []
        async with aclosing(handler(*args, **kwargs)) as updates:
            async for values in updates:
                last = [before if value == gr.skip() and is_change(before) else value
                        for value, before in zip(values, last or values, strict=True)]
                yield last
    return repeated


def is_change(value: object) -> bool:
    """Whether it changes properties of a component; values alone are replaced whole."""
    return isinstance(value, gr.blocks.Block) or isinstance(value, dict) and value.get("__type__") == "update"


def warn(sentence: str) -> None:
    """One sentence on screen; nothing else changes."""
    gr.Warning(html.escape(sentence, quote=False))


def discard(paths: Iterable[str] | None) -> None:
    """Delete copies of files that visitors sent or downloaded; nothing outside the folder where gradio keeps these."""
    home = Path(get_upload_folder()).resolve()
    for path in paths or ():
        if Path(path).resolve().is_relative_to(home):
            with suppress(OSError):
                os.unlink(path)
