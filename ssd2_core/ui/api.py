"""The public endpoint: one typed function that streams frames as plain data. Knows the studio it is made for."""

from collections.abc import AsyncIterator

import gradio as gr

from ..config import EnsembleParams, SamplingParams, check_float
from ..errors import LimitError, VisitorError
from ..protocol.frames import Frame
from ..protocol.messages import Document, Done, Failed, Request
from .runs import new_run_id
from .strings import DEFAULTS

SAMPLING, ENSEMBLE = DEFAULTS.sampling, DEFAULTS.ensemble


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
        return dict.fromkeys(experts, check_float("weight", weight, 0.0, 1.0) / max(1, len(experts)))
    if len(each) != len(experts):
        raise LimitError(f"each must have a weight for each of the {len(experts)} experts, not {len(each)}.")
    return dict(zip(experts, each, strict=True))


def make_generate(studio):
    """The endpoint for one studio."""
    engine = studio.engine

    async def generate(request: gr.Request, prompt: str, document: str = "", experts: list[str] = ["compact-reader"],  # noqa: B006
                       weight: float = 0.5, weights: str = ENSEMBLE.weights, steps: int = SAMPLING.num_steps,
                       seed: int = SAMPLING.seed, block_length: int = SAMPLING.block_length,
                       max_tokens: int = SAMPLING.max_new_tokens, projection: str = SAMPLING.projection,
                       top_p: float = SAMPLING.top_p, tau: float = ENSEMBLE.tau,
                       alpha: float = ENSEMBLE.alpha,
                       early_exit: str = "patience", core: str = "",
                       guidance: float = ENSEMBLE.guidance, each: list[float] = [],  # noqa: B006
                       documents: list[str] = []) -> AsyncIterator[dict]:  # noqa: B006
        """Answer a prompt with a core and user experts, step by step.

        Yields one frame (a dict) for each denoising step, then one dict with "answer", "finish_reason" and figures.
        ``weight`` is of all ``experts`` together, shared equally; ``document`` is seen by experts that read documents;
        ``core`` is a model id, "" for the server's own. ``each``: a weight for each of ``experts`` instead of that one;
        ``documents``: more documents.
        """
        run_id = new_run_id()
        try:
            if not isinstance(experts, list) or not all(isinstance(name, str) for name in experts):
                raise LimitError(f"experts must be a list of model ids, not {experts!r}.")
            given = [("document", document)] if document else []
            given += [(f"document {n}", text) for n, text in enumerate(check_list("documents", documents), 1)]
            asked = Request(run_id, prompt, core or studio.settings.core, tuple(experts),
                            tuple(Document(name, text) for name, text in given), (),
                            SamplingParams(steps, block_length, max_tokens, projection, top_p, seed, early_exit),
                            EnsembleParams(shared(experts, weight, each), weights, tau, ENSEMBLE.schedule_end, alpha, guidance),
                            owner=request.session_hash or "")
            engine.submit(asked)
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

    return generate
