"""The shape of one made-up question and of one made-up document. Knows nothing of tokens or models."""

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
