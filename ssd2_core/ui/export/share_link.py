"""The panels' settings and the question as the query of a link, and back. A link never holds documents or own models.

What a link says is checked as what a panel says; each wrong value costs one sentence and leaves the default.
"""

from collections.abc import Callable
from urllib.parse import quote, unquote, urlencode

from ...config import (
    EARLY_EXITS,
    PROJECTIONS,
    WEIGHTINGS,
    EnsembleParams,
    Limits,
    SamplingParams,
    check_choice,
    check_float,
    check_int,
)
from ...errors import LimitError
from ...protocol.messages import is_private
from ...protocol.validation import check_text

KNOBS = {"weights": "rule", "tau": "tau", "alpha": "alpha", "guidance": "guidance", "num_steps": "steps",
         "block_length": "block", "max_new_tokens": "tokens", "projection": "projection", "top_p": "top_p", "seed": "seed",
         "early_exit": "early_exit"}
SEED_MAX = 2**53


def to_query(core: str, sampling: SamplingParams, ensemble: EnsembleParams, prompt: str) -> str:
    """``?core=…`` of these settings."""
    users = ",".join(f"{quote(user, safe='')}:{weight:g}" for user, weight in ensemble.lam.items() if not is_private(user))
    knobs = {key: getattr(ensemble if hasattr(ensemble, name) else sampling, name) for name, key in KNOBS.items()}
    return "?" + urlencode({"core": core, "users": users, **knobs, **({"prompt": prompt} if prompt.strip() else {})})


def number(text: str, whole: bool = False) -> float:
    """A number of a link. Raises ValueError."""
    return int(text) if whole else float(text)


def readers(limits: Limits) -> dict[str, Callable[[str], object]]:
    """How each knob's text becomes its value. They raise ValueError, mostly LimitError."""
    return {"weights": lambda v: check_choice("rule", v, WEIGHTINGS),
            "tau": lambda v: check_float("tau", number(v), 0.05, 5.0),
            "alpha": lambda v: check_float("alpha", number(v), 0.0, 4.0),
            "guidance": lambda v: check_float("guidance", number(v), -4.0, 4.0),
            "num_steps": lambda v: check_int("steps", number(v, True), 1, limits.max_steps),
            "block_length": lambda v: check_int("block", number(v, True), 1, limits.max_block_length),
            "max_new_tokens": lambda v: check_int("tokens", number(v, True), 1, limits.max_new_tokens),
            "projection": lambda v: check_choice("projection", v, PROJECTIONS),
            "top_p": lambda v: check_float("top_p", number(v), 0.05, 1.0),
            "seed": lambda v: check_int("seed", number(v, True), 0, SEED_MAX),
            "early_exit": lambda v: check_choice("early_exit", v, EARLY_EXITS)}


def users_of(text: str, fitting: list[str], limits: Limits) -> dict[str, float]:
    """Experts and weights of a link, as ``to_query`` writes them. Raises ValueError."""
    lam = {}
    for part in filter(None, text.split(",")):
        name, _, weight = part.rpartition(":")
        user = unquote(name)
        if user not in fitting:
            raise LimitError(f"users must be experts that go with the core, not {user[:60]!r}.")
        lam[user] = number(weight)
    if len(lam) > limits.max_users:
        raise LimitError(f"users may be at most {limits.max_users}, not {len(lam)}.")
    return dict(EnsembleParams(lam=lam).lam)


def from_query(query: dict[str, str], fits: dict[str, list[str]], core: str, limits: Limits) -> tuple[dict, list[str]]:
    """What a link sets, by name (core, users, prompt and the knobs), and a sentence for each value that is wrong.

    fits: user experts by core. core: the page's own. What the link does not name is not in the result.
    """
    found, problems = {}, []

    def take(name: str, key: str, read: Callable[[str], object]) -> None:
        if key not in query:
            return
        try:
            found[name] = read(query[key])
        except LimitError as error:
            problems.append(str(error))
        except ValueError:
            problems.append(f"{key} must be a number, not {query[key][:40]!r}.")

    take("core", "core", lambda v: check_choice("core", v, tuple(fits)))
    take("users", "users", lambda v: users_of(v, fits[found.get("core", core)], limits))
    for name, read in readers(limits).items():
        take(name, KNOBS[name], read)
    take("prompt", "prompt", lambda v: check_text("prompt", v, limits.max_prompt_chars))
    return found, problems
