"""The conversation: one HTML component with a static template and its own script, which writes texts as text only; and what is
around it.
"""

import html
import json
from dataclasses import dataclass

import gradio as gr

from ...registry.cards import ModelCard
from .. import script_words, strings
from ..examples import EXAMPLES
from ..scripts import on_load
from ..theme import asset

EVENTS = ("again", "edit", "show")


def build_conversation() -> gr.HTML:
    """The component; its value is what ``shown`` makes."""
    return gr.HTML("", html_template=asset("templates/conversation.html"), js_on_load=on_load("conversation", *EVENTS),
                   apply_default_css=False, elem_id="chat", words=script_words.CONVERSATION)


def shown(chat: list[dict]) -> str:
    """A conversation for the script: entries of ``said``."""
    return json.dumps(chat, ensure_ascii=False, separators=(",", ":"))


def said(role: str, text: str, run: str = "", **more) -> dict:
    """One message. run: of the answer. more: of a question ``prompt`` and ``turns``, the earlier messages that went along;
    of an answer ``shares`` as [title, hue, share], ``writing`` while it is written, ``cut`` where it had no room for more.
    """
    return {"role": role, "text": text, "run": run, **more}


@dataclass(frozen=True)
class ConversationPanel:
    """The components of the conversation."""

    chat: gr.HTML
    prompt: gr.Textbox
    send: gr.Button
    stop: gr.Button
    clear: gr.Button
    instead: gr.Button
    limits: gr.HTML


def conversation(core: ModelCard | None) -> ConversationPanel:
    """Chat, prompt and what to click. instead: asks the core that is here, shown while a run waits for another."""
    chat = build_conversation()
    with gr.Row(elem_id="ask"):
        prompt = gr.Textbox(show_label=False, label="Prompt", placeholder=strings.PROMPT_PLACEHOLDER, lines=1,
                            max_lines=4, scale=5, container=False, elem_id="prompt", autofocus=False)
        send = gr.Button("Send", variant="primary", scale=0, min_width=64, elem_id="send")
        stop = gr.Button("Stop", interactive=False, scale=0, min_width=64, elem_id="stop")
        clear = gr.Button("Clear", scale=0, min_width=64, elem_id="clear")
    instead = gr.Button(visible=False, size="sm", elem_id="ask-instead")
    limits = gr.HTML(limits_html(core), elem_id="limits", apply_default_css=False)
    return ConversationPanel(chat, prompt, send, stop, clear, instead, limits)


def examples() -> list[gr.Button]:
    """One button for each example."""
    with gr.Row(elem_id="examples"):
        return [gr.Button(example.label, size="sm", scale=0, min_width=40, elem_id=f"example-{i}")
                for i, example in enumerate(EXAMPLES)]


def limits_html(core: ModelCard | None) -> str:
    """What a core cannot do, said before it is asked."""
    return f"<p>{html.escape(strings.TOY)}</p>" if core is not None and core.kind == "simplex" else ""
