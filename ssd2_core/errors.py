"""Mistakes a visitor can make. Each message is one sentence that is shown as it is: argument, rule, value, way out."""

import errno

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_MEMORY = ("not enough memory", "can't allocate memory", "Cannot allocate memory", "bad_alloc")
DISK_FULL = "The disk of this service is full; try again later."


class VisitorError(ValueError):
    """Something a visitor sent cannot be used; ``str(error)`` is the sentence on screen."""


class LimitError(VisitorError):
    """A number or a size is outside its limit."""


class DocumentError(VisitorError):
    """A file cannot be read as text."""


class ModelError(VisitorError):
    """A model is unknown, incomplete, or does not fit the others."""


class BusyError(VisitorError):
    """The queue is full or the worker is not able to answer."""


def reason(error: Exception, most: int = 160) -> str:
    """The first line of what an exception says, short and without its full stop, as a part of one of our sentences."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:most].rstrip(".")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine had no memory left; torch and the system name this in several ways."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" \
        or any(words in str(error) for words in NO_MEMORY)


def is_disk_full(error: BaseException) -> bool:
    """Whether nothing could be written for want of room; libraries wrap the system's error in their own."""
    return getattr(error, "errno", None) in FULL or "No space left" in str(error)
