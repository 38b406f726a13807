"""What each visitor's viewer shows, ready to be exported: a finished run of their own, or a trace that was opened."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace

import gradio as gr

from ...config import EnsembleParams
from ...errors import VisitorError
from ...protocol.frames import Frame
from ...protocol.messages import Done, is_private
from ...protocol.traces import about_run, renamed, trace_from_json
from .. import strings as words
from ..components.viewer import stored
from ..runs import Run
from ..state import Studio

MAX_OPENED = 50


@dataclass(frozen=True)
class RunSnapshot:
    """A finished run, ready to be exported."""

    frames: list[Frame]
    about: dict


class CurrentRuns:
    """What each session's viewer shows: its own latest run, or a trace that was opened after that run began."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._opened: OrderedDict[str, tuple[str, bytes]] = OrderedDict()       # by session: the run before it, and the trace

    def open(self, session: str, name: str, data: bytes) -> str:
        """Show a trace. -> the viewer's message. Raises VisitorError."""
        run = self.studio.runs.latest(session)
        if run is not None and run.end is None:
            raise VisitorError(words.STILL_RUNNING)
        frames, about = trace_from_json(data)
        self._opened[session] = (self._run_id(session), data)
        self._opened.move_to_end(session)
        while len(self._opened) > MAX_OPENED:
            self._opened.popitem(last=False)
        return stored(f"{name}-{secrets.token_hex(4)}", frames, about, self.studio.titles, self.studio.order)

    def opened(self, session: str) -> bytes | None:
        """The trace that is shown; None where a run of the session's own is."""
        run_id, data = self._opened.get(session, ("", None))
        return data if run_id == self._run_id(session) else None

    def own(self, session: str) -> Run | None:
        """The session's own finished run, when that is shown."""
        run = self.studio.runs.latest(session)
        return run if run and isinstance(run.end, Done) and not self.opened(session) else None

    def kept(self, session: str, with_documents: bool) -> RunSnapshot:
        """What is shown. Raises VisitorError when that is nothing, or not finished."""
        data, run = self.opened(session), self.studio.runs.latest(session)
        if data:
            frames, about = trace_from_json(data)
            return RunSnapshot(frames, about if with_documents else about | {"documents": []})
        if run is not None and run.end is None:
            raise VisitorError(words.STILL_RUNNING)
        if run is None or not isinstance(run.end, Done) or not run.frames:
            raise VisitorError(words.NOTHING_TO_EXPORT)
        return kept_run(run, self.studio.names(session)[0], with_documents)

    def close(self, request: gr.Request) -> None:
        """A visitor closed the page."""
        self._opened.pop(self.studio.visitor(request), None)

    def _run_id(self, session: str) -> str:
        return self.studio.runs.current.get(session, "")


def kept_run(run: Run, titles: dict[str, str], with_documents: bool) -> RunSnapshot:
    """A run of a visitor's own. The ids of the visitor's own models, which answer to nobody else, stay here."""
    request, done = run.request, run.end
    public = {user: f"own-{n}" for n, user in enumerate(filter(is_private, request.users))}
    shown = {public.get(i, i): titles[i] for i in request.users if i in titles}
    heads = {expert["name"]: expert["title"] for expert in run.head["experts"]}

    def opened(ensemble: EnsembleParams) -> EnsembleParams:
        return replace(ensemble, lam={public.get(i, i): weight for i, weight in ensemble.lam.items()})

    plan = [replace(change, ensemble=change.ensemble and opened(change.ensemble)) for change in run.plan]
    open_request = replace(request, users=tuple(public.get(i, i) for i in request.users), plan=tuple(plan),
                           ensemble=opened(request.ensemble))
    shares = {public.get(name, name): share for name, share in done.shares.items()}
    about = about_run(open_request, replace(done, shares=shares), {"core": heads.get("core", request.core), **shown},
                      request.documents if with_documents else ())
    return RunSnapshot([renamed(frame, public) for frame in run.frames], about)
