"""Stored runs to choose from under the viewer, and how it works, step by step."""

import html
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import gradio as gr

from ...errors import VisitorError
from ...protocol.traces import load_trace
from .. import strings as words
from ..components.viewer import stories
from ..events import STREAM, warn
from ..export.run_snapshot import CurrentRuns
from ..scripts import on_load
from ..theme import asset
from ..tour import TOUR, TOUR_BEFORE, TOUR_CLOSE, TOUR_NEXT


def story_buttons() -> dict[str, gr.Button]:
    """One button for each stored run, called by its question; none where there is only one to see."""
    found = stories()
    if len(found) < 2:
        return {}
    with gr.Row(elem_id="stories"):
        gr.HTML(f'<span class="label">{html.escape(words.STORIES_LABEL)}</span>', apply_default_css=False)
        return {name: gr.Button(load_trace(path)[1].get("prompt", name), size="sm", elem_id=f"story-{name}")
                for name, path in found.items()}


def wire_stories(current: CurrentRuns, buttons: dict[str, gr.Button], outputs: list) -> None:
    """A click shows a stored run. outputs: the viewer, and the commands, which a stored run has not."""
    def shower(path: Path) -> Callable:
        def show(request: gr.Request):
            try:
                message = current.open(current.studio.visitor(request), path.stem, path.read_bytes())
                return message, *[words.STORED_HAS_NO_COMMAND] * 2
            except VisitorError as error:
                warn(str(error))
                return [gr.skip()] * 3
        return show

    for name, button in buttons.items():
        button.click(shower(stories()[name]), None, outputs, **STREAM)


def how_it_works() -> gr.HTML:
    """The steps; each lights up what it speaks of."""
    return gr.HTML("", html_template=asset("templates/tour.html"), elem_id="tour",
                   js_on_load=on_load("tour"), apply_default_css=False,
                   steps=[asdict(stop) for stop in TOUR],
                   words={"before": TOUR_BEFORE, "next": TOUR_NEXT, "close": TOUR_CLOSE})
