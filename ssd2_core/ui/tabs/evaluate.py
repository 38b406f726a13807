"""The evaluate tab: a file of questions, who answers, how far it is, a table, a figure and the figures as JSON."""

import asyncio
import html
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from ...errors import VisitorError
from ...protocol.messages import Request, is_private
from .. import strings as words
from ..components import panels
from ..components.download import file
from ..events import QUIET, STREAM, lasting, warn
from ..examples import DEFAULTS
from ..state import Studio
from ..strings import alone
from ..theme import HUES_LIGHT, hue_index
from .evaluation_job import AT_ONCE_OF_ALL, MAX_BYTES, Contender, EvaluationJob, contenders, read_manifest, settings_of

ENSEMBLE_COLOUR, INK = "#7d8088", "#8b8d94"     # read on light and dark alike


@dataclass(frozen=True)
class EvaluateTab:
    """The components of the tab."""

    drop: gr.File
    who: gr.CheckboxGroup
    go: gr.Button
    stop: gr.Button
    save: gr.Button
    news: gr.HTML
    table: gr.HTML
    figure: gr.Plot


def evaluating() -> EvaluateTab:
    """What to drop and press, and where the figures stand."""
    gr.HTML(f"<p>{html.escape(words.EVALUATE_HINT)}</p>", apply_default_css=False, elem_classes="more-hint")
    with gr.Row(elem_id="evaluate"):
        drop = gr.File(label=words.EVALUATE_DROP, file_types=[".jsonl"], height=76, min_width=200, elem_id="evaluate-file")
        who = gr.CheckboxGroup(list(words.CONTENDERS), value=[name for _, name in words.CONTENDERS], label=words.EVALUATE_WHO,
                               container=False, min_width=260, elem_id="evaluate-who")
        go = gr.Button(words.EVALUATE, variant="primary", size="sm", min_width=90, scale=0, elem_id="evaluate-go")
        stop = gr.Button(words.EVALUATE_STOP, size="sm", min_width=64, scale=0, interactive=False, elem_id="evaluate-stop")
        save = gr.Button(words.EVALUATE_SAVE, size="sm", min_width=120, scale=0, elem_id="evaluate-save")
    news = gr.HTML("", apply_default_css=False, elem_id="evaluate-news")
    table = gr.HTML("", apply_default_css=False, elem_id="evaluate-table")
    figure = gr.Plot(show_label=False, visible=False, elem_id="evaluate-figure")
    return EvaluateTab(drop, who, go, stop, save, news, table, figure)


@dataclass
class Names:
    """How rows are called: on the page by title and hue, in the file by names that others may know."""

    titles: dict[str, str]
    order: list[str]
    own: list[str]

    def public(self, name: str) -> str:
        """A visitor's own model answers to nobody else, so its id is not told."""
        return f"own-{self.own.index(name)}" if name in self.own else name

    def row(self, name: str) -> str:
        """A row's title."""
        user = name.removeprefix("user:")
        return words.NAMES.get(name) or alone(self.titles.get(user, user))

    def colour(self, name: str) -> str:
        """A row's colour."""
        return ENSEMBLE_COLOUR if name == "ensemble" else HUES_LIGHT[hue_index(name.removeprefix("user:"), self.order)]


def table_html(rows: list[dict], names: Names) -> str:
    """The rows as a table."""
    def cell(row: dict, key: str) -> str:
        if key in ("correction", "resistance"):
            return f"{row[key]:.2f} of {row[f'{key}_n']}" if row.get(key) is not None else "–"
        if key == "name":
            return names.row(row["name"])
        if key == "share":
            return ", ".join(f"{names.titles.get(each, each)} {share:.0%}" for each, share in row["share"].items())
        return f"{row[key]:.2f}" if isinstance(row[key], float) else str(row[key])
    head = "".join(f'<th scope="col" title="{html.escape(words.COLUMN_HELP.get(key, ""))}">{html.escape(title)}</th>'
                   for key, title in words.COLUMNS)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell(row, key))}</td>" for key, _ in words.COLUMNS) + "</tr>"
                   for row in rows)
    return f'<div class="table-box"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>' if rows else ""


def figure_of(rows: list[dict], names: Names):
    """Scores side by side, a colour for each who answered."""
    import plotly.graph_objects as go
    bars = [go.Bar(name=plain(names.row(row["name"])), x=[title for _, title in words.SCORES],
                   y=[row[key] for key, _ in words.SCORES], marker_color=names.colour(row["name"]),
                   texttemplate="%{y:.2f}", textposition="outside", cliponaxis=False) for row in rows]
    return go.Figure(bars, go.Layout(
        barmode="group", height=260, margin={"l": 36, "r": 8, "t": 18, "b": 28}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", font={"color": INK, "size": 12}, legend={"orientation": "h", "y": 1.16},
        yaxis={"range": [0, 1.12], "tickvals": [0, 0.5, 1], "gridcolor": "rgba(139,141,148,.3)", "fixedrange": True,
               "zeroline": False},
        xaxis={"fixedrange": True, "linecolor": "rgba(139,141,148,.3)", "zeroline": False}))


def plain(text: str) -> str:
    """A title without the few tags and marks that plotly reads."""
    return text.translate(dict.fromkeys(map(ord, "<>$&"), " "))


def wire_evaluate(studio: Studio, panel: panels.Panel, tab: EvaluateTab, saver: gr.HTML) -> None:
    """Evaluate, stop and download. It ends when the tab closes."""
    places, exams, result = asyncio.Semaphore(AT_ONCE_OF_ALL), {}, gr.State(None)

    def prepare(session: str, path: str | None, chosen: list[str],
                values: list) -> tuple[EvaluationJob, list[Contender], dict, Names]:
        """Everything checked before the first question is asked. Raises VisitorError."""
        if session in exams:
            raise VisitorError(words.EVALUATION_RUNS)
        if not path:
            raise VisitorError(words.NO_SHEET)
        with open(path, "rb") as sent:
            questions = read_manifest(Path(path).name, sent.read(MAX_BYTES + 1), studio.settings.limits)
        choice = panel.read(values, studio.own_ids(session, panel.named(values)["core"]), DEFAULTS.sampling.seed)
        model = Request("", "", choice.core, sampling=choice.sampling, owner=session)
        titles, order = studio.names(session)
        names = Names(titles | {"core": studio.core_title(choice.core)}, order, [i for i in choice.users if is_private(i)])
        settings = settings_of(model, choice.ensemble, Path(path).name, names.public)
        found = contenders(list(chosen or ()), choice.users, choice.ensemble)
        return EvaluationJob(studio.engine, places, model, questions), found, settings, names

    @lasting
    async def evaluate(request: gr.Request, path, chosen, *values) -> AsyncIterator[tuple]:
        session, rows = studio.visitor(request), []
        try:
            exam, found, settings, names = prepare(session, path, chosen, list(values))
        except VisitorError as error:
            warn(str(error))
            yield (gr.skip(),) * 5
            return
        exams[session] = exam
        studio.note_files(session, [path])
        yield panels.progress_html("", 0.0), "", gr.Plot(visible=False), None, gr.Button(interactive=True)
        try:
            async for line, part, row in course(exam, found, names):
                if row:
                    rows.append(row)
                figures = {"rows": [public_row(each, names) for each in rows], "settings": settings}
                yield (panels.progress_html(line, part), table_html(rows, names) if row else gr.skip(),
                       gr.Plot(figure_of(rows, names), visible=True) if row else gr.skip(), figures,
                       gr.Button(interactive=part < 1))
        except VisitorError as error:
            yield panels.progress_html(str(error), 0.0), gr.skip(), gr.skip(), gr.skip(), gr.Button(interactive=False)
        finally:
            exams.pop(session, None)

    def stop(request: gr.Request) -> None:
        if studio.visitor(request) in exams:
            exams[studio.visitor(request)].stop()

    def save(figures: dict | None):
        if not figures or not figures["rows"]:
            warn(words.NO_FIGURES)
            return gr.skip()
        return file("ssd2-evaluation.json", "application/json", json.dumps(figures, ensure_ascii=False, indent=1))

    tab.go.click(evaluate, [tab.drop, tab.who, *panel.inputs], [tab.news, tab.table, tab.figure, result, tab.stop],
                  concurrency_limit=None, **STREAM)
    tab.stop.click(stop, None, None, **QUIET)
    tab.save.click(save, result, saver, **STREAM)


async def course(exam: EvaluationJob, found: list[Contender], names: Names) -> AsyncIterator[tuple[str, float, dict | None]]:
    """The news of an evaluation: a line, how far it is (1 at its end), and a row when one is finished."""
    total = len(exam.questions)
    for place, contender in enumerate(found):
        async with aclosing(exam.row(contender)) as course_of_one:
            async for news in course_of_one:
                row = news if isinstance(news, dict) else None
                done = total if row else news
                last = row is not None and place == len(found) - 1
                line = words.EVALUATION_DONE.format(n=total) if last else words.progress(names.row(contender.name), done, total)
                yield line, 1.0 if last else min(0.999, (place + done / total) / len(found)), row


def public_row(row: dict, names: Names) -> dict:
    """A row as it may leave the page."""
    kind, _, user = row["name"].rpartition(":")
    name = f"{kind}:{names.public(user)}" if kind else row["name"]
    return row | {"name": name, "share": {names.public(each): share for each, share in row["share"].items()}}
