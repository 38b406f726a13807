"""Files that a visitor takes away: the text goes to the browser, which saves it. Nothing of it lies on the server's disk."""

import json
import secrets

import gradio as gr

from ..scripts import on_load


def saver() -> gr.HTML:
    """The component that saves; its value comes from ``file``. It is always there and never seen."""
    return gr.HTML("", html_template="<i></i>", js_on_load=on_load("save"), elem_id="saver",
                   apply_default_css=False)


def file(name: str, kind: str, text: str) -> str:
    """A file to save, as the saver's value. The nonce tells two that are alike apart."""
    return embedded({"name": name, "type": kind, "text": text, "nonce": secrets.token_hex(8)})


def embedded(data: object) -> str:
    """JSON that can stand inside HTML, whatever its texts say."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
