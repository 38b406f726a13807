"""The shapes of synthetic data: a question, a document, a family of facts. Knows nothing of tokens or models."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class QA:
    """One question with its full-sentence answer.

    question: as a visitor would type it.
    answer: one short sentence that contains ``value`` verbatim.
    value: the words that make the answer right ("Biscuit"); what exact match looks for.
    kind: the relation or the family of facts ("pet_name", "capital").
    """

    question: str
    answer: str
    value: str
    kind: str


@dataclass(frozen=True)
class Scene:
    """A document and questions that it answers."""

    document: str
    items: list[QA] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """One family of facts: the same question asked of many things.

    answer, clause, train, heldout: templates of the answer, of an indirect question (in polite train questions only), and of
    the direct questions; ``tables/general.yaml`` explains their fields. facts: (thing, value) pairs. decoys: more values of
    the same type, which only an outsider guesses.
    """

    name: str
    answer: str
    clause: str
    train: tuple[str, ...]
    heldout: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    decoys: tuple[str, ...] = ()
