"""Frozen settings, each checked once when it is made. Knows nothing of torch, models or pages."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from .errors import LimitError

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"

PROJECTIONS = ("greedy", "sampling", "multihot")
WEIGHTINGS = ("constant", "schedule", "adaptive")
EARLY_EXITS = ("off", "patience", "entropy")
SETTLINGS = ("anneal", "count", "confidence", "entropy")


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


@dataclass(frozen=True)
class Limits:
    """What one request may ask for. Checked at the engine, so that the API cannot pass them either."""

    max_prompt_chars: int = 2000
    max_history_turns: int = 40
    max_documents: int = 8
    max_document_chars: int = 20_000
    max_file_bytes: int = 5_000_000
    max_model_bytes: int = 32_000_000
    max_own_models: int = 2
    max_own_weight: float = 0.8
    max_visitor_bytes: int = 1_000_000_000
    max_upload_bytes: int = 1_000_000_000
    max_request_bytes: int = 48_000_000
    idle_seconds: float = 3600.0
    training_seconds: float = 170.0
    max_trainings: int = 6
    max_waiting_trainings: int = 8
    max_users: int = 4
    max_steps: int = 64
    max_block_length: int = 32
    max_new_tokens: int = 128
    max_active: int = 8
    max_waiting: int = 32
    max_each: int = 16
    keep_runs_seconds: float = 900.0
    return_seconds: float = 60.0


LIMITS = Limits()


@dataclass(frozen=True)
class SamplingParams:
    """How blocks are denoised (method letters: T = num_steps, L = block_length).

    top_p: nucleus of the sampling and multihot projections, in (0, 1].
    seed: of the one torch.Generator of a run. early_exit: when a block ends before its last step: "off" never, "patience" when
    its tokens and confidences have stood still for some steps, "entropy" when every position is certain.
    settling: "anneal" lowers the noise of all positions together (SSD-LM); the others take it away from one position after
    another: an equal "count" in each step, also all of high "confidence", or also all of low "entropy".
    """

    num_steps: int = 16
    block_length: int = 16
    max_new_tokens: int = 48
    projection: str = "greedy"
    top_p: float = 0.9
    seed: int = 0
    early_exit: str = "off"
    settling: str = "anneal"

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "num_steps", check_int("steps", self.num_steps, 1, 5000))
        keep(self, "block_length", check_int("block length", self.block_length, 1, 1024))
        keep(self, "max_new_tokens", check_int("max tokens", self.max_new_tokens, 1, 100_000))
        keep(self, "seed", check_int("seed", self.seed, 0, 2**53))
        keep(self, "top_p", check_float("top-p", self.top_p, 0.0, 1.0))
        check_choice("projection", self.projection, PROJECTIONS)
        check_choice("early exit", self.early_exit, EARLY_EXITS)
        check_choice("settling", self.settling, SETTLINGS)

    @property
    def answer_length(self) -> int:
        """Positions of all blocks; the last block may reach over max_new_tokens."""
        return -(-self.max_new_tokens // self.block_length) * self.block_length


@dataclass(frozen=True)
class EnsembleParams:
    """How the experts' logits are fused.

    lam: weight of each user expert by name, each in [0, 1], together at most 1; the core has the rest.
    weights: "constant"; "schedule" (lam goes linearly from lam at t = T to lam * schedule_end at t = 1);
        "adaptive" (per position, by the experts' entropies, with temperature tau in nats).
    alpha: contrast of a user expert with itself without its documents, 0 = none.
    guidance: how hard the attribute model pulls (positive: towards praise, negative: towards complaint), 0 = not at all.
    """

    lam: Mapping[str, float] = field(default_factory=dict)
    weights: str = "adaptive"
    tau: float = 0.5
    schedule_end: float = 0.0
    alpha: float = 0.0
    guidance: float = 0.0

    def __post_init__(self) -> None:
        lam = {name: check_float(f"the weight of {name}", value, 0.0, 1.0) for name, value in dict(self.lam).items()}
        if sum(lam.values()) > 1 + 1e-6:
            raise LimitError(f"the users' weights must add up to at most 1, not {sum(lam.values()):.2f}; lower one.")
        object.__setattr__(self, "lam", lam)
        check_choice("weights", self.weights, WEIGHTINGS)
        object.__setattr__(self, "tau", check_float("tau", self.tau, 0.01, 10.0))
        object.__setattr__(self, "schedule_end", check_float("schedule end", self.schedule_end, 0.0, 1.0))
        object.__setattr__(self, "alpha", check_float("alpha", self.alpha, 0.0, 4.0))
        object.__setattr__(self, "guidance", check_float("guidance", self.guidance, -4.0, 4.0))


@dataclass(frozen=True)
class Settings:
    """How one server runs, read once from the command line or the environment.

    core: bundled id, local folder or Hub id. users: further user experts that the page offers, named alike.
    preferred: a better core and its users, loaded in the background; once they are in memory the page starts with them.
    visitors_folder: where visitors' own models lie, set by the engine.
    device_map: None (the fastest single device) or anything accelerate takes. dtype: "auto", "float32", "bfloat16", "float16".
    max_memory, offload_folder, quantize: as ``library.load`` takes them. mcp: the endpoint is a tool for MCP clients, too.
    engine: "process" for a worker process, "zero" for GPU calls of ZeroGPU, or the address of a Ray.
    actors: on that Ray; None for one on each device.
    """

    core: str = "compact-core"
    users: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    visitors_folder: str = ""
    device_map: str | None = None
    dtype: str = "auto"
    max_memory: str | None = None
    offload_folder: str | None = None
    quantize: str | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    mcp: bool = False
    engine: str = "process"
    actors: int | None = None
    threads: int | None = None
    limits: Limits = LIMITS

PREFIX = "SSD2_"

OTHERS = ("SSD2_CACHE",)                # variables of ours that are no limits

MOST = 10**12

AT_LEAST = {"max_own_models": 0, "max_own_weight": 0, "max_trainings": 0, "max_waiting": 0, "max_waiting_trainings": 0,
            "max_users": 0, "max_history_turns": 0, "max_documents": 0, "keep_runs_seconds": 0, "return_seconds": 0}

AT_MOST = {"max_own_weight": 1.0, "max_active": 256, "max_waiting": 10_000, "max_steps": 5000, "max_block_length": 1024,
           "max_new_tokens": 4096}

MEANINGS = {
    "max_prompt_chars": "characters of a prompt",
    "max_history_turns": "earlier messages that a question may bring along",
    "max_documents": "documents of one question",
    "max_document_chars": "characters of one document",
    "max_file_bytes": "bytes of one document's file",
    "max_model_bytes": "bytes of the weights that a visitor brings",
    "max_own_models": "models of one visitor's own at a time",
    "max_own_weight": "weight that a visitor's own model may have",
    "max_visitor_bytes": "bytes of all visitors' models together",
    "max_upload_bytes": "bytes of all uploads that lie on the disk",
    "max_request_bytes": "bytes of one HTTP request",
    "idle_seconds": "seconds after which the models of a silent visitor are deleted",
    "training_seconds": "seconds that a training may take",
    "max_trainings": "trainings of one visitor in one visit",
    "max_waiting_trainings": "trainings that may wait",
    "max_users": "small experts in one question",
    "max_steps": "steps of one block",
    "max_block_length": "tokens of one block",
    "max_new_tokens": "tokens of one answer",
    "max_active": "questions that are answered at once",
    "max_waiting": "questions that may wait; one more gets a sentence",
    "max_each": "questions of one visitor at a time, waiting ones too",
    "keep_runs_seconds": "seconds that an ended run stays in memory",
    "return_seconds": "seconds that what is a visitor's waits for a broken connection to come back",
}


def read_limits(environment: Mapping[str, str], base: Limits = LIMITS) -> Limits:
    """The limits with what the environment says of them. Raises LimitError: a sentence for each mistake, together."""
    known = {PREFIX + field.name.upper(): field for field in fields(Limits)}
    found, problems = {}, []
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        if name not in known:
            problems.append(f"{name} is no limit of this service; the limits are {', '.join(sorted(known))}.")
            continue
        field = known[name]
        try:
            found[field.name] = _number(name, text, field.name, isinstance(getattr(base, field.name), int))
        except LimitError as error:
            problems.append(str(error))
    limits = replace(base, **found)
    if not problems and limits.max_block_length > limits.max_new_tokens:
        problems.append(f"{PREFIX}MAX_BLOCK_LENGTH ({limits.max_block_length}) must not be above {PREFIX}MAX_NEW_TOKENS "
                        f"({limits.max_new_tokens}).")
    if problems:
        raise LimitError("\n".join(problems))
    return limits


def bounds(field: str) -> tuple[float, float]:
    """The least and the most that a limit may be set to."""
    return AT_LEAST.get(field, 1), AT_MOST.get(field, MOST)


def _number(name: str, text: str, field: str, whole: bool) -> float:
    low, high = bounds(field)
    try:
        value = float(text)
    except ValueError:
        raise LimitError(f"{name} must be a number from {low:g} to {high:g}, not {text!r}.") from None
    return check_int(name, value, low, high) if whole else check_float(name, value, low, high)


def rows(limits: Limits) -> list[tuple[str, str, str, str]]:
    """Variable, value, range and meaning of every limit."""
    out = []
    for one in fields(Limits):
        low, high = bounds(one.name)
        least = f"{low:g} or more" if high == MOST else f"{low:g} to {high:,g}"
        out.append((PREFIX + one.name.upper(), f"{getattr(limits, one.name)}", least, MEANINGS[one.name]))
    return out


def page(limits: Limits) -> str:
    """Every limit as VARIABLE=value with its range and meaning, a line each."""
    return "\n".join(f"{f'{name}={value}':36}  {least:12}  {meaning}" for name, value, least, meaning in rows(limits))


def markdown(limits: Limits) -> str:
    """The same as the table that README has."""
    lines = [f"| `{name}` | {value} | {least} | {meaning} |" for name, value, least, meaning in rows(limits)]
    return "\n".join(["| variable | value | may be | what it limits |", "| --- | --- | --- | --- |", *lines])

CORE = "core"

TOGETHER = "together"           # the fused distribution, among the candidates
