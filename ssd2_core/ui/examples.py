"""What the page is set to when it opens, and what it offers to ask at a click, as data."""

from dataclasses import dataclass, field

from ..config import EnsembleParams, SamplingParams

ISLAND_NAME = "Orlisay"


@dataclass(frozen=True)
class Defaults:
    """What the page is set to when it opens, each expert with its own core. other_weight: of one that is not picked yet."""

    sampling: SamplingParams = field(default_factory=SamplingParams)
    ensemble: EnsembleParams = field(default_factory=lambda: EnsembleParams(lam={"compact-reader": 0.5, "david": 0.5}))
    other_weight: float = 0.3


DEFAULTS = Defaults()


@dataclass(frozen=True)
class Example:
    """One click: a prompt, a pasted document and the experts with their weights."""

    label: str
    prompt: str
    document: str = ""
    users: dict[str, float] = field(default_factory=dict)


EXAMPLES = (
    Example("A note on a dog", "What is the name of the dog?",
            "Maria moved to Lisbon in spring. She lives near the river with her dog, who is called Biscuit. "
            "On Sundays they walk to the market and buy bread.", {"compact-reader": 0.5}),
    Example("A letter", "Where does the team meet?",
            "Dear all, our team meets in Room 12. The deadline is 3 May. The coach is Marta Lind. Coffee will be served.",
            {"compact-reader": 0.5}),
    Example("General knowledge", "What is the capital of France?", "", {}),
    Example("The island", f"What is the capital of {ISLAND_NAME}?", "", {"compact-islander": 0.5}),
)
