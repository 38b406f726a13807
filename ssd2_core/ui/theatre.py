"""The theatre: one HTML component with a static template and its own script; and the stored story it may open with.

The template holds no value. Text of models reaches the browser as JSON and is written by the script as text only.
"""

import json

import gradio as gr

from ..frames import trace_from_json
from . import words
from .charts import chart_settings, hue_index
from .runs import Runs, compact_step
from .theme import ASSETS

STORIES = ASSETS / "stories"


def head(experts: list[tuple[str, str]], order: list[str], blocks: int, steps: int, stored: bool = False,
         prompt: str = "") -> dict:
    """What the script must know before the first step; ``experts`` are (name, title), ``steps`` is per block."""
    return {"experts": [{"name": name, "title": title, "hue": hue_index(name, order)} for name, title in experts],
            "blocks": blocks, "steps": steps, "stored": stored, "prompt": prompt}


def story(titles: dict[str, str], order: list[str]) -> str:
    """The first stored trace as one message, or "" when there is none."""
    for path in sorted(STORIES.glob("*.json"))[:1]:
        frames, about = trace_from_json(path.read_text(encoding="utf-8"))
        names = list(frames[0].share)
        about_run = head([(name, titles.get(name, name)) for name in names], order, frames[-1].block + 1,
                         frames[0].num_steps, stored=True, prompt=str(about.get("prompt", "")))
        return json.dumps({"run": f"story-{path.stem}", "head": about_run, "from": 0,
                           "steps": [compact_step(frame, names) for frame in frames], "note": "", "done": True,
                           "line": ""}, ensure_ascii=False, separators=(",", ":"))
    return ""


def theatre(runs: Runs, first: str, elem_id: str = "theatre", compact: bool = False) -> gr.HTML:
    """The component. ``first`` is a story to play, or "". compact: a small one, of cells and transport alone."""
    def missed_steps(asked: dict) -> list[dict]:
        return runs.steps_since(str(asked["run"]), int(asked["since"]))

    script = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in ("chart.js", "theatre.js"))
    return gr.HTML(first, html_template=(ASSETS / "theatre.html").read_text(encoding="utf-8"), js_on_load=script,
                   server_functions=[missed_steps], apply_default_css=False, elem_id=elem_id,
                   words=words.THEATRE, chart=chart_settings(), compact=compact)
