"""Common English verbs and their forms."""

import re

from .read import table, words


def _verbs() -> dict[str, tuple[str, str]]:
    """Form -> (base, auxiliary)."""
    out: dict[str, tuple[str, str]] = {}
    pairs = table("verbs")["irregular"] | {verb: _past(verb) for verb in words(table("verbs")["regular"])}
    for base, past in pairs.items():
        out[past] = (base, "did")
        out[_third(base)], out[base] = (base, "does"), (base, "do")
    return out | {"has": ("have", "does")}


def _third(base: str) -> str:
    if re.search(r"[^aeiou]y$", base):
        return base[:-1] + "ies"
    return base + ("es" if re.search(r"(s|sh|ch|x|o)$", base) else "s")


def _past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    return base[:-1] + "ied" if re.search(r"[^aeiou]y$", base) else base + "ed"


VERBS = _verbs()
