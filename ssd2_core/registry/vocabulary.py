"""Whether two models speak of the same tokens. Imports no torch.

A vocabulary is a table of tokens and their ids. How a text is cut into tokens may differ beside it: a tokenizer that
transformers makes of a GGUF file is spelled otherwise than the same model's own tokenizer.json.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


def table_of(path: Path) -> dict[str, int]:
    """Ids by token of a tokenizer.json. Raises ValueError, or OSError."""
    return _table(_read(path))


def _read(path: Path) -> dict:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or not isinstance(data.get("model"), dict):
        raise ValueError(f"{path} is not a tokenizer.")
    return data


def _table(data: dict) -> dict[str, int]:
    found = data["model"].get("vocab") or {}
    pairs = ((entry[0], i) for i, entry in enumerate(found)) if isinstance(found, list) else found.items()     # unigram: a list
    table = dict(pairs)
    return table | {token["content"]: token["id"] for token in data.get("added_tokens") or ()}


def count(table: dict[str, int]) -> int:
    """How many first entries of a network's output are tokens; the rest fills it up to a round number."""
    return 1 + max((i for token, i in table.items() if token != padding(i)), default=-1)


def padding(token_id: int) -> str:
    """What a GGUF file calls an entry that is no token."""
    return f"[PAD{token_id}]"


def fingerprint(tokens: Iterable[tuple[str, int]]) -> str:
    """First 16 hex digits of the sha256 of a table, without what fills it up."""
    rows = sorted((i, token) for token, i in tokens if token != padding(i))
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def vocabulary_of(path: Path) -> str:
    """The fingerprint of a tokenizer.json. Raises ValueError, or OSError."""
    return _vocabulary_of(_stamp(path))


def _stamp(path: Path | str) -> tuple[str, int, int]:
    """A file as it is now: what was read of it counts as long as this is the same."""
    found = os.stat(path)
    return str(path), found.st_mtime_ns, found.st_size


@lru_cache(64)
def _vocabulary_of(stamp: tuple[str, int, int]) -> str:
    return fingerprint(table_of(Path(stamp[0])).items())


@dataclass(frozen=True)
class Difference:
    """How the tokens of two models differ under the ids that both have.

    apart: ids of control tokens that are others, or that only one of them has: nobody may say them. unequal: ids of ordinary
    tokens that are others, as "id: one, other"; with any of them the models cannot write together.
    """

    apart: tuple[int, ...]
    unequal: tuple[str, ...]


def difference(one: str, other: str) -> Difference:
    """Between two tokenizer.json files. Raises ValueError, or OSError."""
    return _difference(_stamp(one), _stamp(other))


@lru_cache(64)
def _difference(one: tuple, other: tuple) -> Difference:
    (mine, my_control), (theirs, their_control) = (_by_id(_read(Path(stamp[0]))) for stamp in (one, other))
    apart, unequal = [], []
    for i in range(min(max(mine), max(theirs)) + 1):
        a, b = mine.get(i), theirs.get(i)
        if a == b:
            continue
        if a is None or b is None or i in my_control or i in their_control:
            apart.append(i)
        else:
            unequal.append(f"{i}: {a!r}, {b!r}")
    return Difference(tuple(apart), tuple(unequal))


def _by_id(data: dict) -> tuple[dict[int, str], set[int]]:
    """Tokens by id, and which of them were added beside the vocabulary."""
    tokens = {i: token for token, i in _table(data).items() if token != padding(i)}
    return tokens, {token["id"] for token in data.get("added_tokens") or ()}
