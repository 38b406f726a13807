"""The viewer: one HTML component with a static template and its own script; and the stored story it may open with.

The template holds no value. Text of models reaches the browser as JSON and is written by the script as text only.
"""

import json
from pathlib import Path

import gradio as gr

from ...protocol.frames import Frame
from ...protocol.messages import Done
from ...protocol.traces import load_trace
from .. import script_words, strings
from ..runs import Runs, compact_step
from ..scripts import on_load
from ..theme import ASSETS, asset, chart_settings, hue_index

CLEARED = "cleared"             # a message: nothing is on stage, not even a stored run
STORIES = ASSETS / "stories"
TEMPLATE = asset("templates/viewer.html")


def head(experts: list[tuple[str, str]], order: list[str], blocks: int, steps: int, stored: bool = False,
         prompt: str = "") -> dict:
    """What the script must know before the first step; ``experts`` are (name, title), ``steps`` is per block."""
    return {"experts": [{"name": name, "title": title, "hue": hue_index(name, order)} for name, title in experts],
            "blocks": blocks, "steps": steps, "stored": stored, "prompt": prompt}


def stored(name: str, frames: list[Frame], about: dict, titles: dict[str, str], order: list[str]) -> str:
    """A trace as one message for the viewer, shown as a stored run. titles, order: of the experts that are known here."""
    names = list(frames[0].share)
    known = {**titles, **about.get("titles", {})}
    order = order if set(names) <= {"core", *order} else [each for each in names if each != "core"]
    about_run = head([(each, known.get(each, each)) for each in names], order, frames[-1].block + 1, frames[0].num_steps,
                     stored=True, prompt=about.get("prompt", ""))
    figures, seed = about.get("figures"), about.get("settings", {}).get("sampling", {}).get("seed")
    done = figures and Done("", about.get("answer", ""), about.get("finish_reason", ""), **figures)
    line = strings.figures(done, seed) if done else ""
    return json.dumps({"run": name, "head": about_run, "from": 0, "steps": [compact_step(frame, names) for frame in frames],
                       "note": "", "done": True, "line": line, "pace": None}, ensure_ascii=False, separators=(",", ":"))


def stories() -> dict[str, Path]:
    """The stored runs that a fresh page can show, by name, in the order of their files."""
    return {path.stem: path for path in sorted(STORIES.glob("*.json"))}


def story(titles: dict[str, str], order: list[str], name: str | None = None) -> str:
    """A stored run as one message, the first one unless it is named; "" when there is none."""
    path = stories().get(name) if name else next(iter(stories().values()), None)
    return stored(f"story-{path.stem}", *load_trace(path), titles, order) if path else ""


def build_viewer(runs: Runs, first: str, elem_id: str = "viewer", compact: bool = False, visible: bool | str = True) -> gr.HTML:
    """The component. ``first`` is a story to play, or "". compact: without charts, legend, key and what steers."""
    def missed_steps(asked: dict) -> list[dict]:
        return runs.steps_since(str(asked["run"]), int(asked["since"]))

    return gr.HTML(first, html_template=TEMPLATE, js_on_load=on_load("viewer", "steer", "pace"),
                   server_functions=[missed_steps], apply_default_css=False, elem_id=elem_id, visible=visible,
                   words=script_words.VIEWER, chart=chart_settings(), compact=compact)
