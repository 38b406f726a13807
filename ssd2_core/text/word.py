"""The text of a .docx as Word shows it. What the file unpacks to is bounded before anything is unpacked."""

import io
import zipfile
from collections.abc import Callable, Iterator
from itertools import chain

from ..config import LIMITS
from ..errors import DocumentError

MAX_PARTS = 2000
MAIN = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
# Not shown: what was deleted or moved away, hidden runs' properties, readings above a letter, properties.
UNSEEN = {MAIN + tag for tag in ("del", "moveFrom", "rt", "pPr", "rPr", "tblPr", "tcPr", "trPr", "sectPr", "sdtPr")}
INSTEAD = {MAIN + "tab": " ", MAIN + "ptab": " ", MAIN + "br": "\n", MAIN + "cr": "\n", MAIN + "noBreakHyphen": "-"}
TEXT, PARAGRAPH, TABLE, ROW, CELL, RUN = (MAIN + tag for tag in ("t", "p", "tbl", "tr", "tc", "r"))
BEFORE, AFTER = ("header",), ("footer", "footnotes", "endnotes")        # parts beside the body, and where their text goes


def docx_text(name: str, data: bytes, too_long: Callable[[str, int], DocumentError]) -> str:
    """Headers, paragraphs and table rows in order, footers and notes. Raises DocumentError that names the file.

    too_long: makes the error for a text of so many characters.
    """
    import docx
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise DocumentError(f"{name} is not a .docx file, whatever its name says, or it is locked with a password.") from None
    size = sum(part.file_size for part in parts)
    if size > 4 * LIMITS.max_file_bytes or len(parts) > MAX_PARTS:
        raise DocumentError(f"{name} unpacks to {size:,} bytes in {len(parts):,} parts, too much to read; save it as .txt.")
    out, length = [], 0
    try:
        part = docx.Document(io.BytesIO(data)).part
        for block in chain(_beside(part, BEFORE), _blocks(part.element), _beside(part, AFTER)):
            if block.strip():
                out.append(block)
                length += len(block)
            if length > LIMITS.max_document_chars:
                raise too_long(name, length)
    except DocumentError:
        raise
    except Exception:                       # whatever a broken file makes python-docx do, the visitor gets a sentence
        raise DocumentError(f"{name} is damaged and cannot be read as .docx.") from None
    return "\n\n".join(out)


def _beside(part, kinds: tuple[str, ...]) -> Iterator[str]:
    """Blocks of the parts beside the body, equal ones once: the first page and the later ones often have equal headers."""
    from docx.oxml.parser import parse_xml
    roots = [parse_xml(rel.target_part.blob) for kind in kinds for rel in part.rels.values()
             if not rel.is_external and rel.reltype.endswith(f"/{kind}")]
    return iter(dict.fromkeys(block for root in roots for block in _blocks(root)))


def _blocks(element) -> Iterator[str]:
    """Paragraphs and table rows below an element, in order. A text box follows the paragraph that it hangs on, and a table in a
    table the row that it stands in."""
    for child in _shown(element):
        if child.tag == PARAGRAPH:
            text, boxes = _inline(child)
            yield text
            for box in boxes:
                yield from _blocks(box)
        elif child.tag == ROW:
            cells, nested = _cells(child)
            yield " | ".join(cells)
            for table in nested:
                yield from _blocks(table)
        else:
            yield from _blocks(child)


def _cells(row) -> tuple[list[str], list]:
    """Texts of a row's cells, but for those that a merged cell above covers, and the tables and text boxes in them."""
    texts, nested = [], []
    for cell in _inside(row, CELL):
        merged = cell.find(f"{MAIN}tcPr/{MAIN}vMerge")
        if merged is not None and merged.get(MAIN + "val") != "restart":
            continue
        found = []
        for block in _inside(cell, PARAGRAPH, TABLE):
            if block.tag == TABLE:
                nested.append(block)
            else:
                text, boxes = _inline(block)
                found.append(" ".join(text.split()))
                nested += boxes
        texts.append(" ".join(filter(None, found)))
    return texts, nested


def _inside(element, *tags: str) -> Iterator:
    """The nearest elements of these kinds, through content controls and marks of changes."""
    for child in _shown(element):
        if child.tag in tags:
            yield child
        else:
            yield from _inside(child, *tags)


def _inline(element) -> tuple[str, list]:
    """The text of a paragraph, and the text boxes that hang on it."""
    out, boxes = [], []
    for child in _shown(element):
        if child.tag in (TEXT, MATH_TEXT):
            out.append(child.text or "")
        elif child.tag in INSTEAD:
            out.append(INSTEAD[child.tag])
        elif child.tag == MAIN + "txbxContent":
            boxes.append(child)
        elif not (child.tag == RUN and child.find(f"{MAIN}rPr/{MAIN}vanish") is not None):
            text, more = _inline(child)
            out.append(text)
            boxes += more
    return "".join(out), boxes


def _shown(element) -> Iterator:
    """Children that Word shows; of alternatives, the first one."""
    for child in element:
        if child.tag == ALTERNATIVES:
            yield from list(child)[:1]
        elif child.tag not in UNSEEN and isinstance(child.tag, str):
            yield child
