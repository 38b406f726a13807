"""The text of a PDF. What it unpacks to and how long it takes are bounded."""

import io
import time
from collections.abc import Callable

from ..config import LIMITS
from ..errors import DocumentError

MAX_PAGES = 50
SECONDS = 10


def pdf_text(name: str, data: bytes, too_long: Callable[[str, int], DocumentError]) -> str:
    """The text of all pages, a blank line between two. Raises DocumentError with one sentence that names the file.

    too_long: makes the error for a text of so many characters.
    """
    import pypdf
    from pypdf.errors import DependencyError

    if b"%PDF-" not in data[:1024]:
        raise DocumentError(f"{name} is not a PDF file, whatever its name says.")
    parts, size, drawn = [], 0, 0
    check_time = _deadline(f"{name} takes more than {SECONDS} seconds to read; save its text as .txt or .md.")
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):        # the owner's password alone forbids printing, not reading
            raise DocumentError(f"{name} is locked with a password; unlock it and try again.")
        if len(reader.pages) > MAX_PAGES:
            raise DocumentError(f"{name} has {len(reader.pages)} pages; at most {MAX_PAGES} can be read.")
        for page in reader.pages:
            contents = page.get_contents()
            drawn += len(contents.get_data()) if contents is not None else 0
            if drawn > LIMITS.max_file_bytes:
                raise DocumentError(f"{name} unpacks to more than {LIMITS.max_file_bytes:,} bytes; save it as .txt or .md.")
            parts.append(page.extract_text(visitor_operand_before=check_time))
            size += len(parts[-1])
            if size > LIMITS.max_document_chars:
                raise too_long(name, size)
    except DocumentError:
        raise
    except DependencyError:
        raise DocumentError(f"{name} is encrypted in a way that cannot be read here; save it without protection.") from None
    except Exception:                       # whatever a broken file makes pypdf do, the visitor gets a sentence
        raise DocumentError(f"{name} is damaged and cannot be read as PDF.") from None
    return "\n\n".join(parts)


def _deadline(message: str) -> Callable[..., None]:
    """A callback that raises DocumentError once SECONDS have passed; pypdf calls it before each drawing operation."""
    end = time.monotonic() + SECONDS

    def check(*_: object) -> None:
        if time.monotonic() > end:
            raise DocumentError(message)
    return check
