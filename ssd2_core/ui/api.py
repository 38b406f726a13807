"""The public endpoint: one typed function that streams frames as plain data. Knows the studio it is made for."""

import inspect
from collections.abc import AsyncIterator

import gradio as gr

from ..config import WEIGHT, EnsembleParams, SamplingParams, knobs, made_of, values_of
from ..errors import LimitError, VisitorError
from ..protocol.frames import Frame
from ..protocol.limits import span
from ..protocol.messages import Document, Done, Failed, Request
from ..registry.own_sampling import NAMES
from .examples import DEFAULTS
from .runs import new_run_id

KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD
KNOBS = knobs(EnsembleParams, SamplingParams)
# What is left out is the core's own where it may have it; nobody watches, so there are no idle steps.
FIRST = values_of(DEFAULTS.sampling, DEFAULTS.ensemble) | dict.fromkeys(NAMES) | {"early_exit": "patience"}
ABOUT = """Answer a prompt with a core and user experts, step by step.

Yields one frame (a dict) for each denoising step, then one dict with "answer", "finish_reason" and figures."""
# What is asked beside the knobs: kind, default and meaning.
OWN = {
    "prompt": (str, inspect.Parameter.empty, "the question"),
    "document": (str, "", "a text that is seen by experts that read documents"),
    "experts": (list[str], ["compact-reader"], "ids of the small experts"),
    "weight": (float, WEIGHT.default, f"of all experts together, shared equally ({span(WEIGHT)})"),
    "core": (str, "", "a model id, empty for the server's own"),
    "each": (list[float], [], "a weight for each of the experts instead of that one"),
    "documents": (list[str], [], "more documents"),
}
# The places that parameters have had since before they could be given by name; new ones come after these.
ORDER = ("prompt", "document", "experts", "weight", "weights", "num_steps", "seed", "block_length", "max_new_tokens",
         "projection", "top_p", "tau", "alpha", "early_exit", "core", "guidance", "each", "documents")


def final(done: Done) -> dict:
    """The last message of a run."""
    return {"answer": done.answer, "finish_reason": done.finish_reason, "steps": done.steps, "forwards": done.forwards,
            "tokens": done.tokens, "seconds": done.seconds, "tokens_per_second": done.tokens_per_second,
            "shares": done.shares, "device": done.device, "dtype": done.dtype}


def check_list(name: str, value: object) -> list:
    """Return ``value`` if it is a list. What is in it is checked where it is used."""
    if not isinstance(value, list):
        raise LimitError(f"{name} must be a list, not {value!r}.")
    return value


def shared(experts: list[str], weight: float, each: list[float]) -> dict[str, float]:
    """The weight of every expert: its own of ``each``, or an equal part of ``weight``. Raises LimitError."""
    if not check_list("each", each):
        return dict.fromkeys(experts, WEIGHT.check(weight) / max(1, len(experts)))
    if len(each) != len(experts):
        raise LimitError(f"each must have a weight for each of the {len(experts)} experts, not {len(each)}.")
    return dict(zip(experts, each, strict=True))


def signature() -> inspect.Signature:
    """What the endpoint takes: its own parameters and every knob, and at the end the knobs' old spellings.

    Programs may give values by position, so what is new comes after what is old.
    """
    own = [inspect.Parameter(name, KIND, default=default, annotation=kind) for name, (kind, default, _) in OWN.items()]
    shown = [inspect.Parameter(name, KIND, default=FIRST.get(name, knob.default), annotation=knob.kind)
             for name, knob in KNOBS.items()]
    old = [inspect.Parameter(alias, KIND, default=None, annotation=knob.kind | None)
           for knob in KNOBS.values() for alias in knob.aliases]
    given = sorted((*own, *shown), key=lambda one: ORDER.index(one.name) if one.name in ORDER else len(ORDER))
    return inspect.Signature([inspect.Parameter("request", KIND, annotation=gr.Request), *given, *old],
                             return_annotation=AsyncIterator[dict])


def description() -> str:
    """The endpoint in words, as programs and MCP clients read it."""
    lines = [f"{name}: {help}" for name, (_, _, help) in OWN.items()]
    lines += [f"{name}: {knob.help} ({span(knob)})" for name, knob in KNOBS.items()]
    lines += [f"{alias}: the same as {knob.name}" for knob in KNOBS.values() for alias in knob.aliases]
    return "\n".join([ABOUT, "", "Args:", *(f"    {line}" for line in lines)])


def question(studio, run_id: str, owner: str, asked: dict[str, object]) -> Request:
    """The request that a call asks for. Raises VisitorError."""
    experts, documents = asked["experts"], check_list("documents", asked["documents"])
    if not isinstance(experts, list) or not all(isinstance(name, str) for name in experts):
        raise LimitError(f"experts must be a list of model ids, not {experts!r}.")
    old = {knob.name: asked[alias] for knob in KNOBS.values() for alias in knob.aliases if asked[alias] is not None}
    given = [("document", asked["document"])] if asked["document"] else []
    given += [(f"document {n}", text) for n, text in enumerate(documents, 1)]
    lam = shared(experts, asked["weight"], asked["each"])
    core = asked["core"] or studio.settings.core
    said = {name: value for name, value in asked.items() if value is not None or FIRST.get(name, "") is not None}
    return Request(run_id, asked["prompt"], core, tuple(experts), tuple(Document(name, text) for name, text in given), (),
                   made_of(SamplingParams, studio.usual(core) | said | old),
                   made_of(EnsembleParams, asked | old, lam=lam), owner=owner)


def make_generate(studio):
    """The endpoint for one studio."""
    engine, takes = studio.engine, signature()

    async def generate(*args, **more) -> AsyncIterator[dict]:
        asked = takes.bind(*args, **more)
        asked.apply_defaults()
        run_id = new_run_id()
        try:
            engine.submit(question(studio, run_id, studio.visitor(asked.arguments.pop("request")), asked.arguments))
        except VisitorError as error:
            raise gr.Error(str(error), print_exception=False) from None
        try:
            async for event in engine.astream(run_id):
                if isinstance(event, Frame):
                    yield event.to_dict()
                elif isinstance(event, Done):
                    yield final(event)
                elif isinstance(event, Failed):
                    raise gr.Error(event.message, print_exception=False)
        finally:
            engine.cancel(run_id)

    generate.__signature__, generate.__doc__ = takes, description()
    generate.__annotations__ |= {one.name: one.annotation for one in takes.parameters.values()}
    return generate
