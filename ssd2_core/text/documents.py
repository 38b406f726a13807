"""A visitor's files as text, and text as passages. Knows nothing of models or tokens."""

import re
import unicodedata
from pathlib import Path

from ..config import LIMITS
from ..errors import DocumentError
from ..protocol.messages import Document
from .pdf import pdf_text
from .whitespace import clean, unwrapped
from .word import docx_text

MAX_NAME_CHARS, MAX_ENDING_CHARS = 80, 8
UNSPACED_ENDS = ("", "\u3002", "\uff01", "\uff1f")         # full stops of Han and kana, after which no space is needed
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])\s*(?=\S)")


def read_file(name: str, data: bytes) -> Document:
    """The text of a .txt, .md, .pdf or .docx file. Raises DocumentError with one sentence that names the file."""
    shown = shown_name(name)
    read = READERS.get(shown[shown.rfind("."):].lower()) if "." in shown else None
    if read is None:
        raise DocumentError(f"{shown} is not one of {', '.join(TYPES)}; save it as one of these first.")
    if not data:
        raise DocumentError(f"{shown} is empty.")
    if len(data) > LIMITS.max_file_bytes:
        raise DocumentError(f"{shown} has {len(data):,} bytes; at most {LIMITS.max_file_bytes:,} can be read.")
    text = clean(unwrapped(read(shown, data, _too_long)))
    if not text:
        raise DocumentError(f"{shown} holds no text that can be read.")
    if len(text) > LIMITS.max_document_chars:
        raise _too_long(shown, len(text))
    return Document(shown, text)


def shown_name(name: str) -> str:
    """A file's name without its folders and without what is no letter, digit or plain mark; its ending stays when it is cut."""
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    plain = "".join(c if c.isalnum() or c in " .()-_" or unicodedata.category(c)[0] == "M" else "_" for c in last)
    stem, dot, ending = plain.rpartition(".")
    if not dot or len(ending) > MAX_ENDING_CHARS:
        return plain[:MAX_NAME_CHARS] or "document"
    return stem[:MAX_NAME_CHARS - len(dot + ending)] + dot + ending


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


def _plain_text(name: str, data: bytes, _: object) -> str:
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError(f"{name} is not UTF-8 text; save it as UTF-8 and try again.") from None
    if "\x00" in text:
        raise DocumentError(f"{name} holds binary data, not text.")
    return text


READERS = {".txt": _plain_text, ".md": _plain_text, ".pdf": pdf_text, ".docx": docx_text}
TYPES = tuple(READERS)


def passages(text: str, max_chars: int = 700) -> list[str]:
    """Pieces of at most ``max_chars`` characters, cut between paragraphs, else sentences, else words."""
    out: list[str] = []
    for paragraph in clean(unwrapped(text)).split("\n\n"):
        current = ""
        for piece in _pieces(paragraph, max_chars):
            space = "" if current[-1:] in UNSPACED_ENDS else " "
            if current and len(current) + len(space) + len(piece) > max_chars:
                out.append(current)
                current, space = "", ""
            current = f"{current}{space}{piece}"
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
            while cut > 1 and unicodedata.category(sentence[cut])[0] == "M":        # a mark stays with its letter
                cut -= 1
            out.append(sentence[:cut].strip())
            sentence = sentence[cut:].strip()
        if sentence:
            out.append(sentence)
    return out
