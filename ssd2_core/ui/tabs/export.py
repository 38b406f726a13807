"""Export: the run that is shown as a trace, as a replay, as a link, as commands; and traces that come back."""

import html
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from ...errors import VisitorError
from ...protocol.trace_schema import MAX_BYTES
from ...protocol.traces import fitting_trace
from .. import strings as words
from ..components import panels
from ..components.download import file
from ..components.viewer import CLEARED
from ..events import QUIET, STREAM, discard, warn
from ..export import commands, share_link
from ..export.html_replay import replay
from ..export.run_snapshot import CurrentRuns, RunSnapshot
from ..state import Studio, mixer

ABSOLUTE = """query => {
  const url = query.startsWith("?") ? location.origin + location.pathname + query : query;
  navigator.clipboard?.writeText(url).catch(() => {});
  return url;
}"""


@dataclass(frozen=True)
class ExportTab:
    """The components of the tab."""

    documents: gr.Checkbox
    trace: gr.Button
    replay: gr.Button
    link: gr.Button
    url: gr.Textbox
    drop: gr.File
    shell: gr.Code
    client: gr.Code
    saver: gr.HTML


def export_tab(save: gr.HTML) -> ExportTab:
    """What to press, what to copy, where to drop."""
    gr.HTML(f"<p>{html.escape(words.EXPORT_HINT)}</p>", apply_default_css=False, elem_classes="more-hint")
    with gr.Row(elem_id="export"):
        trace = gr.Button(words.TRACE, size="sm", min_width=120, scale=0, elem_id="export-trace")
        page = gr.Button(words.REPLAY, size="sm", min_width=120, scale=0, elem_id="export-replay")
        documents = gr.Checkbox(False, label=words.WITH_DOCUMENTS, container=False, min_width=170, scale=0,
                                elem_id="export-documents")
        drop = gr.File(label=words.OPEN_TRACE, file_types=[".json"], height=64, min_width=200, scale=1, elem_id="export-open")
    with gr.Row(elem_id="export-link-row"):
        link = gr.Button(words.LINK, size="sm", min_width=160, scale=0, elem_id="export-link")
        url = gr.Textbox("", show_label=False, label=words.LINK, placeholder=words.LINK_LABEL, lines=1, max_lines=1, scale=1,
                         interactive=False, buttons=["copy"], min_width=200, elem_id="export-url")
    with gr.Row(elem_id="export-code"):
        shell = gr.Code(f"# {words.NO_COMMANDS}", language="shell", label=words.SHELL_LABEL, interactive=False, lines=3,
                        min_width=260, buttons=["copy"], elem_id="export-shell", wrap_lines=True)
        client = gr.Code(f"# {words.NO_COMMANDS}", language="python", label=words.CLIENT_LABEL, interactive=False, lines=3,
                         min_width=260, buttons=["copy"], elem_id="export-client", wrap_lines=True)
    return ExportTab(documents, trace, page, link, url, drop, shell, client, save)


def address(request: gr.Request) -> str:
    """Where the visitor's browser has this page open."""
    referer = str(dict(request.headers).get("referer", ""))
    return referer.split("?")[0].split("#")[0].rstrip("/") or "http://127.0.0.1:7860"


def wire_export(studio: Studio, current: CurrentRuns, panel: panels.Panel, tab: ExportTab, prompt: gr.Textbox, viewer: gr.HTML,
                turns: gr.State, on_show) -> None:
    """Download, link, open, and the commands after each answer. on_show: the event that shows another run."""
    def saving(make: Callable[[RunSnapshot], str]) -> Callable:
        def act(request: gr.Request, with_documents: bool):
            try:
                return make(current.kept(studio.visitor(request), with_documents is True))
            except VisitorError as error:
                warn(str(error))
                return gr.skip()
        return act

    def as_trace(kept: RunSnapshot) -> str:
        return file("ssd2-trace.json", "application/json", fitting_trace(kept.frames, kept.about))

    def as_replay(kept: RunSnapshot) -> str:
        return file("ssd2-replay.html", "text/html", replay(kept.frames, kept.about, studio.titles, studio.order))

    def link(request: gr.Request, text: str, *values):
        try:
            choice = panel.read(list(values), studio.own_ids(studio.visitor(request), panel.named(list(values))["core"]))
        except VisitorError as error:
            warn(str(error))
            return gr.skip()
        run = studio.runs.latest(studio.visitor(request))
        asked = text if text.strip() or run is None else run.request.prompt
        is_pinned = panel.named(list(values))["seed"] is not None
        return share_link.to_query(choice.core, choice.sampling, choice.ensemble, asked, is_pinned)

    def take(request: gr.Request, path: str | None):
        try:
            if not path:
                raise VisitorError(words.ONE_TRACE)
            with open(path, "rb") as sent:
                message = current.open(studio.visitor(request), "trace", sent.read(MAX_BYTES + 1))
            return None, message, *shown(request)
        except VisitorError as error:
            warn(str(error))
            return None, gr.skip(), gr.skip(), gr.skip()
        finally:
            discard([path] if path else [])

    def shown(request: gr.Request) -> tuple[str, str]:
        return code_of(current, studio.visitor(request), address(request))

    tab.trace.click(saving(as_trace), tab.documents, tab.saver, **STREAM)
    tab.replay.click(saving(as_replay), tab.documents, tab.saver, **STREAM)
    tab.link.click(link, [prompt, *panel.inputs], tab.url, **STREAM).then(
        None, tab.url, tab.url, js=ABSOLUTE, **QUIET)
    tab.drop.upload(take, tab.drop, [tab.drop, viewer, tab.shell, tab.client], **STREAM)
    for event in (turns.change, on_show.then):
        event(shown, None, [tab.shell, tab.client], **QUIET)


def code_of(current: CurrentRuns, session: str, url: str) -> tuple[str, str]:
    """The commands for the run that is shown."""
    if current.opened(session):
        return words.STORED_HAS_NO_COMMAND, words.STORED_HAS_NO_COMMAND
    run = current.own(session)
    if run is None:
        return f"# {words.NO_COMMANDS}", f"# {words.NO_COMMANDS}"
    moved = bool(run.frames) and run.frames[-1].revision > 0
    remarks = commands.notes(run.request, moved, run.end.finish_reason == "stopped")
    return commands.shell(run.request, remarks), commands.client(run.request, remarks, url)


def wire_link(demo: gr.Blocks, studio: Studio, panel: panels.Panel, prompt: gr.Textbox, mix: gr.HTML,
              viewer: gr.HTML) -> gr.events.Dependency:
    """A page that is opened by a link has its panels as the link says, and no stored run; without one, the best core here.

    -> the event after which they stand.
    """
    limits, core = studio.settings.limits, studio.settings.core

    def read(request: gr.Request) -> tuple[dict, list[str]]:
        return share_link.from_query(dict(request.query_params), studio.fits, core, limits)

    def restore(request: gr.Request):
        found, problems = read(request)
        for problem in problems:
            warn(words.LINK_PROBLEM.format(problem=problem))
        stage = CLEARED if found else gr.skip()
        if studio.settings.preferred and "core" not in found:
            found["core"] = studio.first_core()
        found = studio.usual(found.get("core", core)) | found
        return stage, found.get("prompt", gr.skip()), *panel.updates(found)

    restored = demo.load(restore, None, [viewer, prompt, *panel.inputs], **STREAM)
    return restored.then(mixer(studio, panel), panel.inputs, mix, **QUIET)
