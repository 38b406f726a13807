"""The viewer without our server: a plain page gives its module ``element``, ``props``, ``onValue`` and ``server`` itself."""

import json
from contextlib import contextmanager
from pathlib import Path

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Request
from ssd2_core.ui import script_words
from ssd2_core.ui.components.viewer import TEMPLATE
from ssd2_core.ui.runs import compact_step
from ssd2_core.ui.scripts import SCRIPTS
from ssd2_core.ui.theme import PLOTLY, asset, hue_variables
from tests.support.fake_engine import FakeEngine

URL = "http://bare.test/"
EXPERTS = [{"name": "core", "title": "Core", "hue": 0}, {"name": "compact-reader", "title": "The <i>reader</i>", "hue": 1}]
COLOURS = ("body{--body-text-color:#22252b;--body-text-color-subdued:#5f6168;--block-border-color:#e4e0d6;"
           "--block-background-fill:#fffefb;--background-fill-secondary:#faf8f3;background:#fffefb;margin:8px}"
           "body.dark{--body-text-color:#e9e7e2;--body-text-color-subdued:#a5a6ab;--block-border-color:#2d3137;"
           "--block-background-fill:#1b1e22;--background-fill-secondary:#171a1d;background:#1b1e22}")
HOST = """
import { start } from "/scripts/viewer.js";
window.viewers = [...document.querySelectorAll('.host')].map((element, n) => {
  const props = { words: WORDS, chart: { src: SRC, every: 4, everySmall: 4 }, compact: COMPACT[n] }, asked = [];
  let told;
  const missed_steps = async request => { asked.push(request); return window.kept.slice(request.since); };
  start({ element, props, onValue: take => { told = take; take(""); }, server: { missed_steps } });
  return { asked, send: text => told(text) };
});"""


def steps_of(num_steps: int = 8, block_length: int = 32, tokens: int = 128) -> list[dict]:
    """Compact steps of a run whose every token is known; 4 blocks of 32 cells unless told."""
    engine, users = FakeEngine(Settings()), ("compact-reader",)
    sampling = SamplingParams(num_steps=num_steps, block_length=block_length, max_new_tokens=tokens)
    ensemble = EnsembleParams(lam={"compact-reader": 0.5})
    engine.submit(Request("r", "What happened at length?", users=users, sampling=sampling, ensemble=ensemble))
    return [compact_step(event, ["core", *users]) for event in engine.stream("r") if isinstance(event, Frame)]


def message(steps: list[dict], since: int = 0, done: bool = False, run: str = "r", stored: bool = False) -> str:
    """The steps from ``since`` on, as the page's side sends them."""
    head = {"experts": EXPERTS, "blocks": 4, "steps": steps[0]["T"], "stored": stored, "prompt": ""}
    return json.dumps({"run": run, "head": head, "from": since, "steps": steps[since:], "note": "", "done": done, "line": ""})


def send(page, text: str, place: int = 0) -> None:
    """Give one viewer a message and wait until its last step is painted, unless it plays a story."""
    told = json.loads(text)
    page.evaluate("([n, text]) => viewers[n].send(text)", [place, text])
    arrived = told["from"] + len(told["steps"])
    page.wait_for_function("([n, count]) => +document.querySelectorAll('.viewer')[n].dataset.steps >= count",
                           arg=[place, arrived])
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def document(dark: bool, compact: tuple[bool, ...], src: str) -> str:
    """The whole page as HTML."""
    values = {"WORDS": script_words.VIEWER, "SRC": src, "COMPACT": compact}
    code = "".join(f"const {name} = {json.dumps(value)};".replace("</", "<\\/") for name, value in values.items())
    style = "".join([hue_variables(), COLOURS, asset("styles/viewer.css"), asset("styles/charts.css")])
    hosts = f'<div class="host">{TEMPLATE}</div>' * len(compact)
    return (f'<!doctype html><meta charset="utf-8"><style>{style}</style><body class="{"dark" if dark else ""}">{hosts}'
            f"<script>window.kept = []; {code}</script><script type=module>{HOST}</script>")


@contextmanager
def bare(browser, width: int = 1280, dark: bool = False, compact: tuple[bool, ...] = (False,), plots: bool = False, **options):
    """A page with one viewer for each entry of ``compact``; fails when its script throws or asks for anything else."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    body = document(dark, compact, "/plotly.js" if plots else "")
    page.route("**/*", lambda route: complaints.append(route.request.url) or route.abort())
    page.route(URL, lambda route: route.fulfill(body=body, content_type="text/html"))
    page.route(URL + "scripts/*", lambda route: route.fulfill(path=SCRIPTS / Path(route.request.url).name))
    page.route(URL + "plotly.js", lambda route: route.fulfill(path=PLOTLY))
    page.route(URL + "favicon.ico", lambda route: route.fulfill(status=204))
    page.goto(URL)
    yield page
    context.close()
    assert not complaints, complaints
