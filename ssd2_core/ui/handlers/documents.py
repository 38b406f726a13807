"""A visitor's documents on the page: files are read, their text is shown and can be changed."""

from dataclasses import replace
from pathlib import Path

import gradio as gr

from ...errors import DocumentError, VisitorError
from ...protocol.messages import Document
from ...text.documents import read_file
from .. import strings
from ..components import panels
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


def wire_documents(studio: Studio, panel: panels.DocumentsPanel, from_files: gr.State) -> None:
    """Files become documents, whose text is shown and can be changed."""
    def take_files(request: gr.Request, paths, known, chosen):
        studio.note_files(studio.visitor(request), paths)
        documents, sentences = read_files(paths, known, studio.settings.limits.max_file_bytes)
        for sentence in sentences:
            warn(sentence)
        kept = (list(documents) or None) if sentences else gr.skip()
        return kept, documents, read_line(documents), *shown_documents(documents, chosen)

    def edit(text, chosen, known):
        if chosen not in known or known[chosen].text == text:
            return gr.skip(), gr.skip()
        documents = known | {chosen: replace(known[chosen], text=text)}
        return documents, read_line(documents)

    outputs = [panel.files, from_files, panel.read, panel.choose, panel.text]
    panel.files.change(take_files, [panel.files, from_files, panel.choose], outputs,
                       **{**STREAM, "trigger_mode": "always_last"})  # queued: a warning only reaches the page from the queue
    panel.choose.input(shown_documents, [from_files, panel.choose], [panel.choose, panel.text], **QUIET)
    panel.text.change(edit, [panel.text, panel.choose, from_files], [from_files, panel.read], trigger_mode="always_last",
                      **QUIET)  # not input, which keeps silent about the first key after the server wrote the text


def shown_documents(documents: dict[str, Document], chosen: str | None = None) -> tuple:
    """The files to choose from, and the text of the chosen one."""
    chosen = chosen if chosen in documents else next(iter(documents), None)
    names = [(document.name, path) for path, document in documents.items()]
    return (gr.Dropdown(names, value=chosen, visible=len(names) > 1),
            gr.Textbox(documents[chosen].text if chosen else "", visible=bool(chosen)))


def read_line(documents: dict[str, Document]) -> str:
    """What was read of the files, in one line."""
    listed = [(document.name, len(document.text)) for document in documents.values()]
    return strings.documents_read(listed) if listed else ""

PASTED = "pasted text"


def gather_documents(pasted: str, from_files: dict[str, Document]) -> tuple[Document, ...]:
    """The pasted text and the files read, as documents."""
    own = (Document(PASTED, pasted),) if pasted and pasted.strip() else ()
    return own + tuple(from_files.values())
