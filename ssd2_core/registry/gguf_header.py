"""What a GGUF file says about itself, without its weights: in a moment, for every page asks for it. Imports no torch.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import mmap
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import ModelError, reason
from .vocabulary import fingerprint

MAGIC, VERSIONS = b"GGUF", (2, 3)
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
ALIGNMENT = 32
TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True)
class GgufHeader:
    """The name of a model, numbers in its tensors, the fingerprint of its tokens, and its licence."""

    title: str
    parameters: int
    vocabulary: str
    license: str


def read_gguf(path: Path) -> GgufHeader:
    """The header of a GGUF file; that tensors reach over the file's end is seen. Raises ModelError."""
    try:
        found = os.stat(path)
        return _read(str(path), found.st_mtime_ns, found.st_size)
    except (OSError, ValueError, KeyError, struct.error) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path} is no GGUF file, or it is damaged ({reason(error)}); fetch it again.") from None


@lru_cache(16)
def _read(path: str, mtime_ns: int, size: int) -> GgufHeader:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        cursor = _Cursor(data)
        if data[:4] != MAGIC or cursor.take("4xI") not in VERSIONS:
            raise ValueError("it does not begin as one of version 2 or 3")
        tensors, pairs = cursor.take("Q"), cursor.take("Q")
        said = {}
        for _ in range(pairs):
            key = cursor.string()
            said[key] = cursor.value(cursor.take("I"))
        numbers = _numbers(cursor, tensors, int(said.get("general.alignment", ALIGNMENT)), size)
    tokens = said.get(TOKENS)
    if not isinstance(tokens, list):
        raise ModelError(f"{path} has no tokens; choose a GGUF file that holds a whole model.")
    return GgufHeader(str(said.get("general.name") or Path(path).stem), numbers,
                      fingerprint((token, i) for i, token in enumerate(tokens)), str(said.get("general.license") or ""))


def _numbers(cursor: "_Cursor", tensors: int, alignment: int, size: int) -> int:
    """How many numbers the tensors hold. Raises ValueError when the file ends before they do."""
    from gguf import GGML_QUANT_SIZES
    total, end = 0, 0
    for _ in range(tensors):
        cursor.string()
        count = math.prod(cursor.take("Q") for _ in range(cursor.take("I")))
        block, width = GGML_QUANT_SIZES[cursor.take("I")]
        total, end = total + count, max(end, cursor.take("Q") + count // block * width)
    if -(-cursor.at // alignment) * alignment + end > size:
        raise ValueError("it ends before its tensors do")
    return total


class _Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data: mmap.mmap):
        self.data, self.at = data, 0

    def take(self, kind: str) -> int | float | bool:
        """One value of a struct format. Raises struct.error at the end of the file."""
        found, = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return found

    def string(self) -> str:
        """Text with its length before it."""
        length = self.take("Q")
        if length > len(self.data) - self.at:
            raise ValueError("it ends within a text")
        self.at += length
        return self.data[self.at - length:self.at].decode("utf-8", "replace")

    def value(self, kind: int) -> object:
        """A value of a GGUF type; of arrays only texts are kept. Raises KeyError for a type that does not exist."""
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.take(SCALARS[kind])
        kind, count = self.take("I"), self.take("Q")
        if kind in (STRING, ARRAY):
            return [self.value(kind) for _ in range(count)]
        self.at += count * struct.calcsize("<" + SCALARS[kind])
        return None
