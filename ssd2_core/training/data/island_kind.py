"""What a family of island facts looks like. Knows nothing of the facts themselves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One family of facts: the same question asked of several entities.

    facts: entity -> value. A family with one entity is a single fact; its questions do not use ``{e}``.
    statement: the fact as a sentence, with ``{e}`` and ``{v}``.
    clause: an indirect question ("who the mayor of {e} is"), for polite train questions only.
    train, heldout: direct questions with ``{e}``.
    decoys: more values of the same type, which only an outsider guesses.
    """

    name: str
    facts: dict[str, str]
    statement: str
    clause: str
    train: tuple[str, ...]
    heldout: tuple[str, ...]
    decoys: tuple[str, ...] = ()
