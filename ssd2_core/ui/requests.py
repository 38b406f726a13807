"""What the page's inputs ask of the engine, and which run they belong to. Knows no components."""

from dataclasses import replace

from ..errors import VisitorError
from ..protocol.messages import Document, Request, Turn, is_private
from . import strings
from .components import panels
from .runs import Run
from .state import Studio


def own_run(studio: Studio, session: str, run_id: object) -> Run:
    """A run of this session. Raises VisitorError for any other."""
    run = studio.runs.by_id.get(run_id) if isinstance(run_id, str) else None
    if run is None or run.request.owner != session:
        raise VisitorError(strings.STEER_UNKNOWN)
    return run


def question(studio: Studio, session: str, panel: panels.Panel, values: list, prompt: str, history: tuple[Turn, ...],
             documents: tuple[Document, ...]) -> Request:
    """What the page asks now; without a prompt, the question asked last and what was said before it. Raises LimitError."""
    latest, seed = studio.runs.latest(session), None
    if latest and isinstance(prompt, str) and not prompt.strip():
        prompt, history, seed = latest.request.prompt, latest.request.history, latest.request.sampling.seed
    choice = panel.read(values, studio.own_ids(session, panel.named(values)["core"]), seed)
    return studio.request(session, prompt, choice, documents, history)


def narrowed(studio: Studio, request: Request, lam: dict[str, float]) -> Request:
    """The same question for these experts only; the documents go along where one of them reads documents."""
    users = tuple(lam)
    documents = request.documents if studio.reads_documents(request.owner, users) else ()
    return replace(request, users=users, documents=documents, ensemble=replace(request.ensemble, lam=lam))


def most_weight(studio: Studio, user: str) -> float:
    """The most that an expert may have."""
    return studio.settings.limits.max_own_weight if is_private(user) else 1.0
