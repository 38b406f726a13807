"""A visitor's documents on the page: files are read, their text is shown and can be changed."""

from dataclasses import replace
from pathlib import Path

import gradio as gr

from ...errors import DocumentError, VisitorError
from ...protocol.messages import Document
from ...text.documents import read_file
from .. import strings
from ..components.documents import DocumentsPanel, chips_of, key_of
from ..events import QUIET, STREAM, warn
from ..state import Studio


def read_files(paths: list[str] | None, known: dict[str, Document], limit: int) -> tuple[dict, list[str]]:
    """Read the files not known yet; returns the readable ones by path, and a sentence for each that is not."""
    documents, sentences = {}, []
    for path in paths or []:
        try:
            documents[path] = known.get(path) or read_one(Path(path), limit)
        except VisitorError as error:
            sentences.append(str(error))
    return documents, sentences


def read_one(path: Path, limit: int) -> Document:
    """One file as a document. Raises DocumentError."""
    if not path.exists():
        raise DocumentError(strings.FILE_GONE)
    if path.stat().st_size > limit:
        raise DocumentError(f"{path.name} is larger than {limit / 1e6:g} MB; paste the part that matters.")
    return read_file(path.name, path.read_bytes())


def wire_documents(studio: Studio, panel: DocumentsPanel, from_files: gr.State) -> None:
    """Files become documents, each a chip; the text of the one that is open is shown and can be changed."""
    opened = gr.State(None)

    def take_files(request: gr.Request, paths, known, open_now):
        studio.note_files(studio.visitor(request), paths)
        documents, sentences = read_files(paths, known, studio.settings.limits.max_file_bytes)
        for sentence in sentences:
            warn(sentence)
        return None, known | documents, chips_of(known | documents, open_now)

    def show(event: gr.EventData, known, open_now):
        path = path_of(event, known)
        path = None if path == open_now else path
        return path, chips_of(known, path), text_of(known, path)

    def remove(event: gr.EventData, known, open_now):
        gone = path_of(event, known)
        left = {path: document for path, document in known.items() if path != gone}
        path = open_now if open_now in left else None
        return left, path, chips_of(left, path), text_of(left, path)

    def edit(text, known, open_now):
        if open_now not in known or known[open_now].text == text:
            return gr.skip(), gr.skip()
        documents = known | {open_now: replace(known[open_now], text=text)}
        return documents, chips_of(documents, open_now)

    panel.files.upload(take_files, [panel.files, from_files, opened], [panel.files, from_files, panel.chips],
                       **STREAM)                                # queued: a warning only reaches the page from the queue
    panel.chips.open(show, [from_files, opened], [opened, panel.chips, panel.text], **QUIET)
    panel.chips.remove(remove, [from_files, opened], [from_files, opened, panel.chips, panel.text], **QUIET)
    panel.text.change(edit, [panel.text, from_files, opened], [from_files, panel.chips], trigger_mode="always_last",
                      **QUIET)  # not input, which keeps silent about the first key after the server wrote the text


def path_of(event: gr.EventData, documents: dict[str, Document]) -> str | None:
    """The file whose chip was clicked; None where it is not here any more."""
    wanted = dict(event._data or {}).get("key")
    return next((path for path in documents if key_of(path) == wanted), None)


def text_of(documents: dict[str, Document], opened: str | None) -> gr.Textbox:
    """The text of the document that is open, to be edited; hidden where none is."""
    return gr.Textbox(documents[opened].text if opened else "", visible=opened is not None)


PASTED = "pasted text"


def gather_documents(pasted: str, from_files: dict[str, Document]) -> tuple[Document, ...]:
    """The pasted text and the files read, as documents."""
    own = (Document(PASTED, pasted),) if pasted and pasted.strip() else ()
    return own + tuple(from_files.values())
