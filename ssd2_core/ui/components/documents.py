"""Where a visitor's texts go in: pasted, or as files, each a chip that opens and goes at a click."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from ...protocol.messages import Document
from ...text.documents import TYPES
from .. import script_words, strings
from ..scripts import on_load
from ..theme import asset

EVENTS = ("open", "remove")


@dataclass(frozen=True)
class DocumentsPanel:
    """The components of a visitor's documents. chips: the files that were read; text: of the one that is open, to be edited."""

    pasted: gr.Textbox
    files: gr.File
    chips: gr.HTML
    text: gr.Textbox


def documents() -> DocumentsPanel:
    """A field for a pasted text, a place to drop files, and what was read of them. The place is empty again after each drop."""
    with gr.Row(elem_id="documents"):
        pasted = gr.Textbox(label="Document", show_label=False, container=False, placeholder=strings.DOCUMENT_PLACEHOLDER,
                            lines=1, max_lines=8, scale=3, elem_id="pasted", min_width=180)
        files = gr.File(label=f"or drop {' '.join(TYPES)}", file_count="multiple", file_types=list(TYPES),
                        height=44, scale=2, elem_id="files", min_width=140)
    chips = gr.HTML("", html_template=asset("templates/documents.html"), js_on_load=on_load("documents", *EVENTS),
                    apply_default_css=False, elem_id="document-chips", words=script_words.DOCUMENTS)
    with gr.Column(elem_id="document-edit"):
        text = gr.Textbox(label=strings.DOCUMENT_TEXT, lines=5, max_lines=12, visible=False, elem_id="document-text")
    return DocumentsPanel(pasted, files, chips, text)


def key_of(path: str) -> str:
    """What stands for a file on the page: its path, which may hold anything, does not."""
    return hashlib.sha256(path.encode()).hexdigest()[:12]


def chips_of(known: Mapping[str, Document], opened: str | None = None) -> str:
    """The files that were read, by path, for the script."""
    listed = [{"key": key_of(path), "name": document.name, "size": f"{len(document.text):,}", "open": path == opened}
              for path, document in known.items()]
    return json.dumps(listed, ensure_ascii=False) if listed else ""
