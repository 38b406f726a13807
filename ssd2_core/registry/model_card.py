"""What is known of a model without loading it, and which models write one answer together. Imports no torch."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import ModelError
from .kinds import go_together
from .vocabulary import difference


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model without loading it.

    measured: share of right answers by the name of a set of questions, as whoever trained it says. source: "bundled", "folder",
    "hub" or "visitor". kind: "simplex", "next-token" for a causal LM as it is, or "masked" for a public masked diffusion LM.
    vocabulary: of the latter two, the fingerprint of tokens and ids; "" where it is not known before the base is here.
    tokens: of the same, the tokenizer.json that says them. own: settings of its own sampler, see ``own_sampling``.
    """

    id: str
    role: str
    title: str
    summary: str
    parameters: int
    tokenizer_hash: str
    simplex_value: float
    license: str
    measured: dict[str, float]
    source: str
    path: str
    size_bytes: int
    kind: str = "simplex"
    vocabulary: str = ""
    tokens: str = ""
    own: Mapping[str, object] = field(default_factory=dict)


def is_compatible(card: ModelCard, core: ModelCard) -> bool:
    """Whether an expert shares the core's vocabulary and simplex value."""
    return (go_together(card.kind, core.kind) and card.simplex_value == core.simplex_value
            and shares_vocabulary(card, core))


def shares_vocabulary(card: ModelCard, core: ModelCard) -> bool:
    """Whether both have the same ordinary tokens under the same ids, as far as both go.

    The simplex kind learned how its own tokenizer cuts a text, too.
    """
    if card.vocabulary and core.vocabulary:
        return card.vocabulary == core.vocabulary or unequal_tokens(card, core) == ()
    return card.tokenizer_hash == core.tokenizer_hash


def unequal_tokens(card: ModelCard, core: ModelCard) -> tuple[str, ...] | None:
    """Ordinary tokens that differ, as "id: one, other"; None where the files that say them are not here."""
    with contextlib.suppress(ValueError, OSError):
        if card.tokens and core.tokens:
            return difference(core.tokens, card.tokens).unequal
    return None


def control_apart(core: ModelCard, users: Iterable[ModelCard]) -> tuple[int, ...]:
    """Ids of control tokens that mean something else to one of the users, or that only some have."""
    return tuple(sorted({i for card in users if card.tokens and core.tokens and card.vocabulary != core.vocabulary
                         for i in difference(core.tokens, card.tokens).apart}))


def check_compatible(core: ModelCard, users: list[ModelCard]) -> None:
    """Raise ModelError unless every user has the core's vocabulary and simplex value."""
    for card in users:
        if not shares_vocabulary(card, core):
            if found := unequal_tokens(card, core):
                raise ModelError(f"{card.id} has another vocabulary than {core.id}: {len(found)} tokens differ, first "
                                 f"{'; '.join(found[:3])}. Experts must share one.")
            raise ModelError(f"{card.id} has another vocabulary than {core.id} (tokenizer {card.tokenizer_hash}, expected "
                             f"{core.tokenizer_hash}); experts must share one.")
        if not go_together(card.kind, core.kind):
            raise ModelError(f"{card.id} is a {card.kind} expert, {core.id} a {core.kind} one; both kinds cannot write one "
                             "answer together.")
        if card.simplex_value != core.simplex_value:
            raise ModelError(f"{card.id} has simplex value {card.simplex_value:g}, expected {core.simplex_value:g} as "
                             f"{core.id} has; they must be equal.")
