"""The messages between the page and the worker: plain frozen data that pickles, without torch."""

from dataclasses import dataclass, field

from ..config import EnsembleParams, SamplingParams
from .frames import Frame

PRIVATE = "mine-"               # how the ids of visitors' own models begin


def is_private(model_id: str) -> bool:
    """Whether an id is that of a visitor's own model."""
    return model_id.startswith(PRIVATE)


@dataclass(frozen=True)
class Document:
    """One document of a visitor: a name to show and its whole text."""

    name: str
    text: str


@dataclass(frozen=True)
class Turn:
    """One earlier message. role: "user" or "assistant". private: it may quote documents, so the core never sees it."""

    role: str
    text: str
    private: bool = False


@dataclass(frozen=True)
class Pin:
    """Tokens that are given: from ``position`` of ``block`` on, as ``text`` to be encoded or as ``token_ids``."""

    block: int
    position: int
    text: str = ""
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Change:
    """Something that is different from step ``step`` of a run on (counted over all its blocks, the first is 0)."""

    step: int
    ensemble: EnsembleParams | None = None
    pin: Pin | None = None


@dataclass(frozen=True)
class Pace:
    """How fast a run goes on: ``per_second`` steps, None for as fast as it can, 0 for not at all but for ``steps`` more."""

    per_second: float | None = None
    steps: int = 0


@dataclass(frozen=True)
class Request:
    """One question. ``users`` are expert ids; ``ensemble.lam`` gives their weights under the same ids.

    A prompt with [blank] in it is filled in: see ``prompts.template_of``. pins: of the answer. plan: changes on the way, by
    step; the same request with the same seed and another plan is a branch: it is the same run up to there.
    owner: whose own models may be among the users; never shown, never logged. pace: that it begins with.
    """

    request_id: str
    prompt: str
    core: str = "compact-core"
    users: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
    history: tuple[Turn, ...] = ()
    sampling: SamplingParams = field(default_factory=SamplingParams)
    ensemble: EnsembleParams = field(default_factory=EnsembleParams)
    pins: tuple[Pin, ...] = ()
    plan: tuple[Change, ...] = ()
    owner: str = field(default="", repr=False)
    pace: Pace = Pace()


@dataclass(frozen=True)
class Control:
    """New ensemble settings, one more pin or another pace for a running request; they act at its next step."""

    request_id: str
    ensemble: EnsembleParams | None = None
    pin: Pin | None = None
    pace: Pace | None = None


@dataclass(frozen=True)
class Cancel:
    """Stop a request within one step; its partial answer is kept."""

    request_id: str


@dataclass(frozen=True)
class Preload:
    """Load these models now, so that the first answer does not wait for them."""

    model_ids: tuple[str, ...]


@dataclass(frozen=True)
class Unload:
    """Let go of these models: their owner has removed them, or left."""

    model_ids: tuple[str, ...]


@dataclass(frozen=True)
class FinetuneRequest:
    """Teach a copy of the small expert ``user`` these documents, for at most ``seconds``, and write it to ``folder``."""

    request_id: str
    user: str
    documents: tuple[Document, ...] = field(repr=False)
    folder: str
    title: str
    seconds: float


@dataclass(frozen=True)
class StopFinetune:
    """End a training now; what it has learned by then is kept."""

    request_id: str


@dataclass(frozen=True)
class FinetuneProgress:
    """How far a training is. seconds: that are left at most."""

    request_id: str
    step: int
    loss: float
    seconds: float


@dataclass(frozen=True)
class FinetuneResult:
    """A training has ended. right: share of made questions that are answered without the texts.

    question, before, after: one of those questions, and what the expert said to it before and after.
    """

    request_id: str
    step: int
    loss: float
    right: float
    question: str
    before: str
    after: str


@dataclass(frozen=True)
class Loading:
    """A model is being loaded. fraction: 0..1 of the models asked for. request_id: "" for a preload."""

    request_id: str
    message: str
    fraction: float


@dataclass(frozen=True)
class Queued:
    """The request waits; position 1 is next. seconds: that it will wait, as far as the last answers tell; 0 where none do."""

    request_id: str
    position: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Started:
    """The request is being answered now: what each expert was given.

    experts: expert names in the order of shares ("core" first). context_tokens: by expert.
    passages_used, passages_left_out: of the documents, first words each. notices: sentences to show.
    """

    request_id: str
    experts: tuple[str, ...]
    context_tokens: dict[str, int]
    passages_used: tuple[str, ...] = ()
    passages_left_out: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """The request is finished. finish_reason: "eos", "length" or "stopped". shares: mean over the answer's
    tokens, each at the step that set it."""

    request_id: str
    answer: str
    finish_reason: str
    steps: int
    forwards: int
    tokens: int
    seconds: float
    tokens_per_second: float
    shares: dict[str, float]
    device: str
    dtype: str


@dataclass(frozen=True)
class Failed:
    """The request ended without an answer; ``message`` is one sentence for the visitor."""

    request_id: str
    message: str


@dataclass(frozen=True)
class Changed:
    """A change that was made while the request is answered, with the step from which on it acts."""

    request_id: str
    change: Change


@dataclass(frozen=True)
class Paced:
    """How fast a run goes on from now."""

    request_id: str
    pace: Pace


Event = Loading | Queued | Started | Frame | Changed | Paced | Done | Failed


@dataclass(frozen=True)
class Ready:
    """The worker takes requests. device: where models go. message: what could not be preloaded, else "". loaded: model ids."""

    device: str
    message: str = ""
    loaded: tuple[str, ...] = ()
