"""A visitor's files as text, and text as passages. Knows nothing of models or tokens."""

import io
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..config import LIMITS
from ..errors import DocumentError
from ..protocol.messages import Document

TYPES = (".txt", ".md", ".pdf", ".docx")
MAX_PDF_PAGES = 50
PDF_SECONDS = 10
MAX_DOCX_PARTS = 2000
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def read_file(name: str, data: bytes) -> Document:
    """The text of a .txt, .md, .pdf or .docx file. Raises DocumentError with one sentence that names the file."""
    shown = re.sub(r"[^\w .()-]", "_", name.replace("\\", "/").rsplit("/", 1)[-1])[:80] or "document"
    if not shown.lower().endswith(TYPES):
        raise DocumentError(f"{shown} is not one of {', '.join(TYPES)}; save it as one of these first.")
    if not data:
        raise DocumentError(f"{shown} is empty.")
    if len(data) > LIMITS.max_file_bytes:
        raise DocumentError(f"{shown} has {len(data):,} bytes; at most {LIMITS.max_file_bytes:,} can be read.")
    read = {".pdf": _pdf_text, ".docx": _docx_text}.get(shown.lower()[shown.rfind("."):], _plain_text)
    text = read(shown, data)
    text = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not text:
        raise DocumentError(f"{shown} holds no text that can be read.")
    if len(text) > LIMITS.max_document_chars:
        raise _too_long(shown, len(text))
    return Document(shown, text)


def read_path(path: Path) -> Document:
    """The text of a file on this machine. Raises DocumentError, also when it cannot be read at all."""
    try:
        data = path.read_bytes()
    except OSError:
        raise DocumentError(f"{path} cannot be read; give the path of a text, Word or PDF file.") from None
    return read_file(path.name, data)


def _too_long(name: str, size: int) -> DocumentError:
    return DocumentError(f"{name} has {size:,} characters or more; at most {LIMITS.max_document_chars:,} are read, "
                         "so keep the part that matters.")


def _plain_text(name: str, data: bytes) -> str:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError(f"{name} is not UTF-8 text; save it as UTF-8 and try again.") from None
    if "\x00" in text:
        raise DocumentError(f"{name} holds binary data, not text.")
    return text


def _pdf_text(name: str, data: bytes) -> str:
    import pypdf

    if b"%PDF-" not in data[:1024]:
        raise DocumentError(f"{name} is not a PDF file, whatever its name says.")
    parts, size, drawn = [], 0, 0
    check_time = _deadline(f"{name} takes more than {PDF_SECONDS} seconds to read; save its text as .txt or .md.")
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise DocumentError(f"{name} is locked with a password; unlock it and try again.")
        if len(reader.pages) > MAX_PDF_PAGES:
            raise DocumentError(f"{name} has {len(reader.pages)} pages; at most {MAX_PDF_PAGES} can be read.")
        for page in reader.pages:
            contents = page.get_contents()
            drawn += len(contents.get_data()) if contents is not None else 0
            if drawn > LIMITS.max_file_bytes:
                raise DocumentError(f"{name} unpacks to more than {LIMITS.max_file_bytes:,} bytes; save it as .txt or .md.")
            parts.append(page.extract_text(visitor_operand_before=check_time))
            size += len(parts[-1])
            if size > LIMITS.max_document_chars:
                raise _too_long(name, size)
    except DocumentError:
        raise
    except Exception:                       # whatever a broken file makes pypdf do, the visitor gets a sentence
        raise DocumentError(f"{name} is damaged and cannot be read as PDF.") from None
    return "\n\n".join(parts)


def _docx_text(name: str, data: bytes) -> str:
    """Paragraphs and table rows in order. What the file unpacks to is bounded before anything is unpacked."""
    import docx
    from docx.table import Table
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise DocumentError(f"{name} is not a .docx file, whatever its name says, or it is locked with a password.") from None
    size = sum(part.file_size for part in parts)
    if size > 4 * LIMITS.max_file_bytes or len(parts) > MAX_DOCX_PARTS:
        raise DocumentError(f"{name} unpacks to {size:,} bytes in {len(parts):,} parts, too much to read; save it as .txt.")
    out, length = [], 0
    try:
        for block in docx.Document(io.BytesIO(data)).iter_inner_content():
            rows = [" | ".join(dict.fromkeys(cell.text for cell in row.cells)) for row in block.rows] \
                if isinstance(block, Table) else [block.text]
            out += rows
            length += sum(len(row) for row in rows)
            if length > LIMITS.max_document_chars:
                raise _too_long(name, length)
    except DocumentError:
        raise
    except Exception:                       # whatever a broken file makes python-docx do, the visitor gets a sentence
        raise DocumentError(f"{name} is damaged and cannot be read as .docx.") from None
    return "\n\n".join(row for row in out if row.strip())


def _deadline(message: str) -> Callable[..., None]:
    """A callback that raises DocumentError once PDF_SECONDS have passed; pypdf calls it before each drawing operation."""
    end = time.monotonic() + PDF_SECONDS

    def check(*_: object) -> None:
        if time.monotonic() > end:
            raise DocumentError(message)
    return check


def passages(text: str, max_chars: int = 700) -> list[str]:
    """Pieces of at most ``max_chars`` characters, cut between paragraphs, else sentences, else words."""
    out: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        current = ""
        for piece in _pieces(paragraph.strip(), max_chars):
            if current and len(current) + 1 + len(piece) > max_chars:
                out.append(current)
                current = ""
            current = f"{current} {piece}" if current else piece
        if current:
            out.append(current)
    return out


def _pieces(paragraph: str, max_chars: int) -> list[str]:
    """Sentences of a paragraph; one that is too long is cut between words, a word that is too long anywhere."""
    out = []
    for sentence in SENTENCE_END.split(paragraph):
        while len(sentence) > max_chars:
            cut = sentence.rfind(" ", 1, max_chars)
            cut = cut if cut > 0 else max_chars
            out.append(sentence[:cut].strip())
            sentence = sentence[cut:].strip()
        if sentence:
            out.append(sentence)
    return out
