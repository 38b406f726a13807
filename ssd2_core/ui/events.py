"""How events of the page behave, and how a sentence reaches the visitor."""

import html
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
STREAM = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}


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
