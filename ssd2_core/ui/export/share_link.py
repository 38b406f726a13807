"""The panels' settings and the question as the query of a link, and back. A link never holds documents or own models.

What a link says is checked as what a panel says; each wrong value costs one sentence and leaves the default.
"""

from collections.abc import Callable
from urllib.parse import quote, unquote, urlencode

from ...config import EnsembleParams, Limits, SamplingParams, check_choice, knobs, values_of
from ...errors import LimitError
from ...protocol.messages import is_private
from ...protocol.validation import check_text


def to_query(core: str, sampling: SamplingParams, ensemble: EnsembleParams, prompt: str, with_seed: bool = True) -> str:
    """``?core=…`` of these settings."""
    users = ",".join(f"{quote(user, safe='')}:{weight:g}" for user, weight in ensemble.lam.items() if not is_private(user))
    known = knobs(type(ensemble), type(sampling))
    settings = {known[name].link or name: value for name, value in values_of(ensemble, sampling).items()
                if with_seed or name != "seed"}
    return "?" + urlencode({"core": core, "users": users, **settings, **({"prompt": prompt} if prompt.strip() else {})})


def users_of(text: str, fitting: list[str], limits: Limits) -> dict[str, float]:
    """Experts and weights of a link, as ``to_query`` writes them. Raises LimitError."""
    lam = {}
    for part in filter(None, text.split(",")):
        name, _, weight = part.rpartition(":")
        user = unquote(name)
        if user not in fitting:
            raise LimitError(f"users must be experts that go with the core, not {user[:60]!r}.")
        try:
            lam[user] = float(weight)
        except ValueError:
            raise LimitError(f"the weight of {user} must be a number, not {weight[:40]!r}.") from None
    if len(lam) > limits.max_users:
        raise LimitError(f"users may be at most {limits.max_users}, not {len(lam)}.")
    return dict(EnsembleParams(lam=lam).lam)


def from_query(query: dict[str, str], fits: dict[str, list[str]], core: str, limits: Limits) -> tuple[dict, list[str]]:
    """What a link sets, by name (core, users, prompt and the knobs), and a sentence for each value that is wrong.

    fits: user experts by core. core: the page's own. What the link does not name is not in the result.
    """
    found, problems = {}, []

    def take(name: str, keys: tuple[str, ...], read: Callable[[str], object]) -> None:
        text = next((query[key] for key in keys if key in query), None)
        if text is None:
            return
        try:
            found[name] = read(text)
        except LimitError as error:
            problems.append(str(error))

    take("core", ("core",), lambda text: check_choice("core", text, tuple(fits)))
    take("users", ("users",), lambda text: users_of(text, fits[found.get("core", core)], limits))
    for name, knob in knobs(EnsembleParams, SamplingParams).items():
        take(name, tuple(filter(None, (knob.link, name, *knob.aliases))), lambda text, knob=knob: knob.parse(text, limits))
    take("prompt", ("prompt",), lambda text: check_text("prompt", text, limits.max_prompt_chars))
    return found, problems
