"""The tables beside this module: words, phrasings and facts as YAML and TSV files. Every entry of them is text."""

from functools import cache
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "tables"
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)          # base loaders: 303 and "yes" stay the words that they are


@cache
def table(name: str):
    """What the YAML file ``name`` holds: dicts, lists and texts. Shared by all who ask: not to be changed."""
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), LOADER)


def rows(name: str) -> list[list[str]]:
    """The lines of the TSV file ``name``, each as its columns."""
    return [line.split("\t") for line in (FOLDER / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]


def words(text: str) -> list[str]:
    """The entries of a text that has commas between them."""
    return text.split(", ")
