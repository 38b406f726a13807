"""Compare, on stage: one question answered by the core alone, by each chosen expert alone and by all together, at once.

Each answer is a run of its own; all are submitted at the same time, so the worker's rounds answer them together.
"""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import gradio as gr

from ..errors import VisitorError
from ..protocol.messages import Done, Request
from ..registry.kinds import NEXT_TOKEN
from . import strings
from .components import panels
from .components.panels import tab_line
from .components.viewer import build_viewer
from .events import QUIET, STREAM, lasting, warn
from .handlers.documents import gather_documents
from .requests import most_weight, narrowed, question
from .run_groups import Group
from .runs import Run, Runs
from .state import Studio
from .theme import hue_index

KIND = "compare"
PLACES = 4
WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Side:
    """One answer of a comparison."""

    title: str
    request: Request


@dataclass(frozen=True)
class Place:
    """Where one answer is shown."""

    column: gr.Column
    title: gr.HTML
    viewer: gr.HTML
    answer: gr.HTML


@dataclass(frozen=True)
class ComparePanel:
    """The components of a comparison."""

    go: gr.Button
    stop: gr.Button
    line: gr.HTML
    places: list[Place]

    @property
    def outputs(self) -> list:
        """What a comparison writes to, in the order of ``update``."""
        parts = ((place.column, place.title, place.viewer, place.answer) for place in self.places)
        return [self.stop, self.line, *(component for place in parts for component in place)]


def compare_panel(runs: Runs) -> ComparePanel:
    """Two buttons, a line, and places for the answers."""
    with gr.Row(elem_classes="tab-bar", elem_id="compare-bar"):
        go = gr.Button(strings.COMPARE_GO, scale=0, min_width=100, elem_id="compare")
        stop = gr.Button(strings.STOP, interactive=False, scale=0, min_width=64, elem_id="compare-stop")
        line = gr.HTML(tab_line(strings.COMPARE_HINT), apply_default_css=False, elem_id="compare-line")
    with gr.Row(elem_id="sides"):
        places = [_place(runs, i) for i in range(PLACES)]
    return ComparePanel(go, stop, line, places)


def _place(runs: Runs, i: int) -> Place:
    with gr.Column(min_width=260, visible=False, elem_classes="side", elem_id=f"side-{i}") as column:
        title = gr.HTML(apply_default_css=False, elem_id=f"side-title-{i}")
        viewer = build_viewer(runs, "", f"side-viewer-{i}", compact=True)
        answer = gr.HTML(apply_default_css=False, elem_id=f"side-answer-{i}")
    return Place(column, title, viewer, answer)


def sides(studio: Studio, request: Request) -> list[Side]:
    """The core alone, each chosen expert alone as far as there is room, and the ensemble. Raises VisitorError.

    A core that predicts the next token also writes as it would without us, where there is room: one token a pass.
    """
    if not request.users:
        raise VisitorError(strings.COMPARE_NOBODY)
    titles, _ = studio.names(request.owner)
    found = [Side(strings.CORE_ALONE, narrowed(studio, request, {}))]
    core = studio.cores.get(request.core)
    if core is not None and core.kind == NEXT_TOKEN and len(request.users) < PLACES - 2:
        plain = replace(found[0].request, sampling=replace(request.sampling, lookahead=1, drafts=0))
        found.insert(0, Side(strings.AUTOREGRESSIVE, plain))
    for user in request.users[:PLACES - 2]:
        weight = most_weight(studio, user)
        found.append(Side(strings.alone(titles.get(user, user), weight), narrowed(studio, request, {user: weight})))
    return [*found, Side(strings.TOGETHER, narrowed(studio, request, dict(request.ensemble.lam)))]


def marked(answer: str, other: str) -> str:
    """``answer`` as HTML, with those of its words marked that ``other`` does not have at that place."""
    mine, theirs = WORD.findall(answer), WORD.findall(other)
    matcher = SequenceMatcher(None, [word.strip() for word in theirs], [word.strip() for word in mine], autojunk=False)
    shown = ""
    for kind, _, _, begin, end in matcher.get_opcodes():
        text = "".join(mine[begin:end])
        gap = text[:len(text) - len(text.lstrip())]
        bare = html.escape(text[len(gap):])
        shown += gap + (bare if kind == "equal" or not bare else f"<mark>{bare}</mark>")
    return shown


def answer_html(run: Run, ensemble: Run) -> str:
    """What one side says, its differences marked once both are final, and its figures."""
    if not isinstance(run.end, Done):
        return f'<p class="says">{html.escape(run.end.message if run.end else run.text)}</p>'
    final = isinstance(ensemble.end, Done) and run is not ensemble
    says = marked(run.end.answer, ensemble.end.answer) if final else html.escape(run.end.answer)
    return f'<p class="says">{says or "·"}</p><p class="side-figures">{html.escape(strings.side_figures(run.end))}</p>'


def title_html(side: Side, order: list[str]) -> str:
    """A side's name, with the hues of those who answer."""
    lam = side.request.ensemble.lam
    names = [*(["core"] if sum(lam.values()) < 1 else []), *(user for user, weight in lam.items() if weight)]
    dots = "".join(f'<i style="background:var(--hue-{hue_index(name, order)})"></i>' for name in names)
    return f'<h3 class="side-title"><span class="dots" aria-hidden="true">{dots}</span>{html.escape(side.title)}</h3>'


def at_once(runs: list[Run]) -> bool:
    """Whether there was a moment at which all of them were being answered."""
    return all(run.began_at for run in runs) and max(run.began_at for run in runs) < min(run.ended_at for run in runs)


def summary(runs: list[Run], seconds: float) -> str:
    """The honest line of a whole comparison."""
    ends = [run.end for run in runs if isinstance(run.end, Done)]
    return strings.compared(len(ends), sum(end.forwards for end in ends), seconds, at_once(runs))


class ComparisonView:
    """One comparison as updates of the panel's outputs: each viewer gets every step of its run once."""

    def __init__(self, tab: ComparePanel, found: list[Side], order: list[str]) -> None:
        self.tab, self.found, self.order = tab, found, order
        self.sent = [0] * len(found)

    def opened(self, runs: list[Run]) -> list:
        """Everything as it is before the first step."""
        values = [gr.Button(interactive=True), tab_line(strings.comparing(len(runs)))]
        for i in range(len(self.tab.places)):
            if i < len(runs):
                values += [gr.Column(visible=True), title_html(self.found[i], self.order), runs[i].message(0, False), ""]
            else:
                values += [gr.Column(visible=False), "", "", ""]
        return values

    def update(self, runs: list[Run], news: list[int]) -> list:
        """What is new; when an ensemble ends, its neighbours' answers change as well."""
        ensemble = runs[-1]
        if len(runs) - 1 in news and ensemble.end:
            news = range(len(runs))
        values = [gr.skip(), gr.skip()]
        for i in range(len(self.tab.places)):
            if i not in news:
                values += [gr.skip()] * 4
                continue
            message = runs[i].message(self.sent[i], runs[i].end is not None)
            self.sent[i] = len(runs[i].steps)
            values += [gr.skip(), gr.skip(), message, answer_html(runs[i], ensemble)]
        return values

    def closed(self, runs: list[Run], seconds: float) -> list:
        """The end: the line with the figures."""
        return [gr.Button(interactive=False), tab_line(summary(runs, seconds)), *[gr.skip()] * 4 * len(self.tab.places)]


async def compared(studio: Studio, tab: ComparePanel, group: Group, found: list[Side], order: list[str]) -> AsyncIterator[list]:
    """A whole comparison as updates of the panel's outputs. Raises VisitorError when it cannot be started."""
    runs = [group.add(side.request, studio.head(side.request)) for side in found]
    began, showing = group.began, ComparisonView(tab, found, order)
    yield showing.opened(runs)
    async for news in group.changes():
        yield showing.update(runs, news)
    if not group.closed:
        yield showing.closed(runs, max(run.ended_at for run in runs) - began)


def wire_compare(studio: Studio, panel: panels.Panel, tab: ComparePanel, inputs: list) -> None:
    """Compare and stop. inputs: prompt, turns, pasted text and files' documents of the page."""
    @lasting
    async def compare(request: gr.Request, prompt, history, text, documents, *values):
        session = studio.visitor(request)
        try:
            asked = question(studio, session, panel, list(values), prompt, history, gather_documents(text, documents))
            found, (_, order) = sides(studio, asked), studio.names(session)
            if len(asked.users) > PLACES - 2:
                gr.Info(strings.compare_room(PLACES - 2))
            with studio.groups.open(session, KIND) as group:
                async for values_shown in compared(studio, tab, group, found, order):
                    yield values_shown
        except VisitorError as error:
            warn(str(error))
            yield [gr.skip()] * len(tab.outputs)

    def stop(request: gr.Request) -> None:
        studio.groups.stop(studio.visitor(request), KIND)

    tab.go.click(compare, [*inputs, *panel.inputs], tab.outputs, concurrency_limit=None, **STREAM)
    tab.stop.click(stop, None, None, **QUIET)
