"""How events of the page behave, and how a sentence reaches the visitor."""

import html

import gradio as gr

QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
STREAM = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}


def warn(sentence: str) -> None:
    """One sentence on screen; nothing else changes."""
    gr.Warning(html.escape(sentence, quote=False))
