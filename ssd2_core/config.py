"""Frozen settings, each checked once when it is made. Knows nothing of torch, models or pages.

A field that somebody may set says all about itself with ``knob``: the command line, the page, links, the API, the environment
and the tables of the documentation derive from that, so that a new setting is one new field.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path

from .errors import LimitError

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"

CORE = "core"

TOGETHER = "together"           # the fused distribution, among the candidates


def check_int(name: str, value: object, low: int, high: int) -> int:
    """Return ``value`` if it is a whole number in low..high, else raise LimitError. A bool is not a number here."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or value != int_or_none(value):
        raise LimitError(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    if not low <= value <= high:
        raise LimitError(f"{name} must lie between {low} and {high}, not {value!r}.")
    return int(value)


def int_or_none(value: float) -> int | None:
    """The whole part of ``value``, or None where there is none (infinity)."""
    return int(value) if math.isfinite(value) else None


def check_float(name: str, value: object, low: float, high: float) -> float:
    """Return ``value`` as a float if it is finite and in low..high, else raise LimitError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise LimitError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}.")
    if not low <= value <= high:
        raise LimitError(f"{name} must lie between {low:g} and {high:g}, not {value!r}.")
    return float(value)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``choices``, else raise LimitError."""
    if value not in choices:
        raise LimitError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


MOST = 10**12                   # as an upper bound: none


@dataclass(frozen=True)
class Knob:
    """All that is known of one setting. name, kind and default are the field's own.

    help: in plain words. label: on the page, None for what stands on none. low, high, step: of a number; without a step it is
    typed in, not slid. choices: of a word. link: its key in links where that is shorter than the name. aliases: old spellings
    that are still taken. limit: the field of Limits up to which a service lets it go. example: of a value, on the command line.
    """

    help: str
    label: str | None = None
    low: float = 0
    high: float = MOST
    step: float | None = None
    choices: tuple[str, ...] = ()
    link: str = ""
    aliases: tuple[str, ...] = ()
    limit: str = ""
    example: str | None = None
    name: str = ""
    kind: type = float
    default: object = None

    @property
    def options(self) -> list[str]:
        """How it is spelled on a command line: its name first, then the old spellings."""
        return ["--" + name.replace("_", "-") for name in (self.name, *self.aliases)]

    def bounds(self, limits: "Limits | None" = None) -> tuple[float, float]:
        """The least and the most that a number may be, here or on a service with these limits."""
        return self.low, min(self.high, getattr(limits, self.limit)) if limits and self.limit else self.high

    def check(self, value: object, limits: "Limits | None" = None) -> object:
        """Return ``value`` as its kind if it may be set to that, else raise LimitError."""
        if self.choices:
            return check_choice(self.name, value, self.choices)
        checks = {int: check_int, float: check_float}
        return checks[self.kind](self.name, value, *self.bounds(limits)) if self.kind in checks else value

    def parse(self, text: str, limits: "Limits | None" = None) -> object:
        """The value that a text of a command line, a link or the environment stands for. Raises LimitError."""
        if self.kind not in (int, float):
            return self.check(text)
        low, high = self.bounds(limits)
        for kind in (self.kind, float):             # 1e3 and 4.0 are whole numbers, too
            try:
                value = kind(text)
            except ValueError:
                continue
            return self.check(value, limits)
        raise LimitError(f"{self.name} must be a number from {low:g} to {high:g}, not {text[:40]!r}.")


def knob(default: object, help: str, label: str | None = None, **more: object):
    """A dataclass field that can be set from outside; ``more`` as Knob has it."""
    return field(default=default, metadata={"knob": Knob(help, label, **more)})


@cache
def knobs(*classes: type) -> Mapping[str, Knob]:
    """The settings of dataclasses by name, in their order."""
    return {one.name: replace(one.metadata["knob"], name=one.name, kind=one.type, default=one.default)
            for each in classes for one in fields(each) if "knob" in one.metadata}


def values_of(*settings: object) -> dict[str, object]:
    """What the knobs of these settings are set to, by name."""
    return {name: getattr(each, name) for each in settings for name in knobs(type(each))}


def made_of(kind: Callable, values: Mapping[str, object], **more: object):
    """Settings of a class from the values that ``values`` has for its knobs; what is missing keeps its default."""
    return kind(**{name: values[name] for name in knobs(kind) if name in values}, **more)


def _check(settings: object) -> None:
    for name, one in knobs(type(settings)).items():
        object.__setattr__(settings, name, one.check(getattr(settings, name)))


@dataclass(frozen=True)
class SamplingParams:
    """How blocks are denoised (method letters: T = num_steps, L = block_length)."""

    num_steps: int = knob(16, "denoising steps of one block (T)", "Steps per block", low=1, high=5000, step=1, link="steps",
                          aliases=("steps",), limit="max_steps")
    block_length: int = knob(16, "tokens that are denoised together (L)", "Block length", low=1, high=1024, step=1,
                             link="block", aliases=("block",), limit="max_block_length")
    max_new_tokens: int = knob(48, "tokens of the answer at most", "Most tokens", low=1, high=100_000, step=1, link="tokens",
                               aliases=("max_tokens",), limit="max_new_tokens")
    projection: str = knob("greedy", "what of a prediction goes on to the next step: the best token, a drawn one, or all that "
                           "are likely", "Projection", choices=("greedy", "sampling", "multihot"))
    top_p: float = knob(0.9, "share of the probability that sampling and multihot choose from (nucleus)",
                        "Top-p (not for greedy)", high=1.0, step=0.05)
    seed: int = knob(0, "of a run's one random generator: the same seed gives the same answer", "Seed", high=2**53)
    early_exit: str = knob("off", "when a block ends before its last step: never, once its tokens have stood still for some "
                           "steps (patience), or once every position is certain (entropy)", "Early exit",
                           choices=("off", "patience", "entropy"))
    settling: str = knob("anneal", "how words settle: little by little and all together (anneal, SSD-LM; masked and uniform "
                         "models go as their own samplers do), or one after another: equally many in each step (count), also "
                         "all that are as likely as the threshold says (confidence), or all that leave little doubt (entropy)",
                         "How words settle (anneal: all together, or as the model itself does; count: equally many a step; "
                         "confidence: also all likely ones; entropy: also all that leave little doubt)",
                         choices=("anneal", "count", "confidence", "entropy"))
    mask_schedule: str = knob("own", "how many masks settle in each step: as the model's own sampler does (own), equally "
                              "many, more at first (even, LLaDA), the same counted from whole blocks (block, SDAR), "
                              "as a linear noise schedule says (linear, dllm), or the same rounded down, the rest at the end "
                              "(dream)", "How many masks become words in a step (own: as the model itself does)",
                              choices=("own", "even", "block", "linear", "dream"))
    mask_order: str = knob("own", "which masks settle first: as the model's own sampler does (own), those whose token is "
                           "likeliest (probability), whose prediction has the least entropy, whose token leads by most "
                           "(margin), or from left to right", "Which masks become words first (own: as the model itself does)",
                           choices=("own", "probability", "entropy", "margin", "left"))
    remasking: str = knob("own", "whether a token that was settled may be noise again when others are surer: as the model's "
                          "own sampler does (own), never (off), or always (on)",
                          "A settled word may go again when others are surer (own: as the model itself does)",
                          choices=("own", "off", "on"))
    threshold: float = knob(0.9, "probability from which on a position settles, where settling goes by confidence",
                            "How likely a word must be to settle (by confidence)", low=0.05, high=1.0, step=0.01)
    temperature: float = knob(1.0, "how evenly samples are drawn: below 1 the likely tokens more often (not for greedy)",
                              "Temperature (not for greedy)", low=0.05, high=5.0, step=0.05)
    lookahead: int = knob(4, "positions that a causal LM predicts in one step; its answer is the same", low=1, high=64)
    drafts: int = knob(4, "masks from which a causal LM with a draft adapter guesses what follows, instead of looking ahead; "
                       "0 for none, its answer is the same", high=16)

    @property
    def answer_length(self) -> int:
        """Positions of all blocks; the last block may reach over max_new_tokens."""
        return -(-self.max_new_tokens // self.block_length) * self.block_length

    __post_init__ = _check


WEIGHT = Knob("share of a small expert in the answer (lam); the core has what is left of 1", "weight", high=1.0, step=0.01,
              name="weight", default=0.5)


@dataclass(frozen=True)
class EnsembleParams:
    """How the experts' logits are fused. lam: weight of each user expert by name, together at most 1; the core has the rest."""

    lam: Mapping[str, float] = field(default_factory=dict)
    weights: str = knob("adaptive", "rule of the weights: as they are set (constant), falling to schedule_end (schedule), "
                        "or at every position more for the surer expert (adaptive, by entropy), for the one whose best token "
                        "is further ahead of its second (margin), or for an expert that differs from the core (divergence)",
                        "Weights rule (adaptive: the surer expert leads; margin: the more decided one; divergence: the one "
                        "unlike the core; schedule: the core finishes)",
                        choices=("adaptive", "constant", "schedule", "margin", "divergence"), link="rule")
    tau: float = knob(0.5, "temperature of adaptive (nats), margin (probability) and divergence (bits): the lower, the more "
                      "one expert leads", "Tau (adaptive, margin, divergence)", low=0.01, high=10.0, step=0.01)
    schedule_end: float = knob(0.0, "part of its weight that the schedule rule leaves an expert at the last step",
                               "End (schedule rule)", high=1.0, step=0.05)
    alpha: float = knob(0.0, "contrast of an expert with itself without its documents, 0 for none", "Alpha (contrast)",
                        high=4.0, step=0.05)
    guidance: float = knob(0.0, "how hard a model of sentiment pulls, towards complaint or praise, 0 for not at all",
                           "Guidance (complaint … praise)", low=-4.0, high=4.0, step=0.1)

    def __post_init__(self) -> None:
        lam = {name: replace(WEIGHT, name=f"the weight of {name}").check(value) for name, value in dict(self.lam).items()}
        total = 100 * sum(lam.values())
        if total > 100 + 1e-4:
            raise LimitError(f"the weights of the small experts must add up to at most 100 %, not {total:.0f} %; lower one.")
        object.__setattr__(self, "lam", lam)
        _check(self)


def _most_of(name: str) -> float:
    return knobs(SamplingParams)[name].high


@dataclass(frozen=True)
class Limits:
    """What one request may ask for. Checked at the engine, so that the API cannot pass them either."""

    max_prompt_chars: int = knob(2000, "characters of a prompt", low=1)
    max_history_turns: int = knob(40, "earlier messages that a question may bring along")
    max_documents: int = knob(8, "documents of one question")
    max_document_chars: int = knob(20_000, "characters of one document", low=1)
    max_file_bytes: int = knob(5_000_000, "bytes of one document's file", low=1)
    max_model_bytes: int = knob(32_000_000, "bytes of the weights that a visitor brings", low=1)
    max_own_models: int = knob(2, "models of one visitor's own at a time")
    max_own_weight: float = knob(0.8, "weight that a visitor's own model may have", high=WEIGHT.high)
    max_visitor_bytes: int = knob(1_000_000_000, "bytes of all visitors' models together", low=1)
    max_upload_bytes: int = knob(1_000_000_000, "bytes of all uploads that lie on the disk", low=1)
    max_request_bytes: int = knob(48_000_000, "bytes of one HTTP request", low=1)
    idle_seconds: float = knob(3600.0, "seconds after which the models of a silent visitor are deleted", low=1)
    training_seconds: float = knob(170.0, "seconds that a training may take", low=1)
    max_trainings: int = knob(6, "trainings of one visitor in one visit")
    max_waiting_trainings: int = knob(8, "trainings that may wait")
    max_users: int = knob(4, "small experts in one question")
    max_steps: int = knob(64, "steps of one block", low=1, high=_most_of("num_steps"))
    max_block_length: int = knob(32, "tokens of one block", low=1, high=_most_of("block_length"))
    max_new_tokens: int = knob(128, "tokens of one answer", low=1, high=_most_of("max_new_tokens"))
    max_active: int = knob(8, "questions that are answered at once", low=1, high=256)
    max_waiting: int = knob(32, "questions that may wait; one more gets a sentence", high=10_000)
    max_each: int = knob(16, "questions of one visitor at a time, waiting ones too", low=1)
    max_pause_seconds: float = knob(60.0, "seconds that a paused answer keeps its place before it goes on", low=1)
    keep_runs_seconds: float = knob(900.0, "seconds that an ended run stays in memory")
    return_seconds: float = knob(60.0, "seconds that what is a visitor's waits for a broken connection to come back")

    __post_init__ = _check


LIMITS = Limits()


@dataclass(frozen=True)
class Settings:
    """How one server runs, read once from the command line or the environment.

    core: bundled id, local folder or Hub id. users: further user experts that the page offers, named alike.
    preferred: a better core and its users, loaded in the background; once they are in memory the page starts with them.
    visitors_folder: where visitors' own models lie, set by the engine. mcp: the endpoint is a tool for MCP clients, too.
    engine: "process" for a worker process, "zero" for GPU calls of ZeroGPU, or the address of a Ray.
    actors: on that Ray; None for one on each device.
    """

    core: str = "compact-core"
    users: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    visitors_folder: str = ""
    device_map: str | None = knob(None, "auto, balanced, sequential, cpu, cuda:N or JSON; left out for the fastest device")
    dtype: str = knob("auto", "of the weights", choices=("auto", "float32", "bfloat16", "float16"))
    max_memory: str | None = knob(None, "the most that each device may take", example="0=20GB,cpu=60GB")
    offload_folder: str | None = knob(None, "where weights lie that fit no device")
    quantize: str | None = knob(None, "8bit or 4bit, on CUDA with bitsandbytes")
    prefix_cache: str = knob("off", "whether a core that reads the whole answer at every step keeps what it has read of the "
                             "question and of finished blocks, and reads only what follows: faster, and an approximation "
                             "(Fast-dLLM)", choices=("off", "on"))
    max_context: int = knob(2048, "tokens of question, documents and history that a causal LM reads, as far as it can", low=64)
    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    mcp: bool = False
    engine: str = "process"
    actors: int | None = None
    threads: int | None = None
    limits: Limits = LIMITS
