"""The conversation as one HTML component with a static template and its own script, which writes texts as text only."""

import json

import gradio as gr

from .. import strings
from ..scripts import on_load
from ..theme import asset

EVENTS = ("again", "edit", "show")


def build_conversation() -> gr.HTML:
    """The component; its value is what ``shown`` makes."""
    return gr.HTML("", html_template=asset("templates/conversation.html"), js_on_load=on_load("conversation", *EVENTS),
                   apply_default_css=False, elem_id="chat", words=strings.CONVERSATION)


def shown(chat: list[dict]) -> str:
    """A conversation for the script: entries of ``said``."""
    return json.dumps(chat, ensure_ascii=False, separators=(",", ":"))


def said(role: str, text: str, run: str = "", **more) -> dict:
    """One message. run: of the answer. more: of a question ``prompt`` and ``turns``, the earlier messages that went along;
    of an answer ``shares`` as [title, hue, share], and ``writing`` while it is written.
    """
    return {"role": role, "text": text, "run": run, **more}
