"""What a visitor's browser paints of a long answer: the page in a real browser, which Playwright drives."""

import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path

from ..errors import ModelError
from ..registry.cards import locate
from .measure import Figure
from .serving import CORE, DOCUMENT, QUESTION, opened_app

KNOBS = {"max-new-tokens": 128, "block-length": 32, "num-steps": 64}
RUNS = 5
WATCH = """() => {
  const viewer = document.querySelector("#viewer .viewer"), before = viewer.dataset.run;
  window.painted = [];
  window.watching?.disconnect();
  window.ended = () => viewer.dataset.done && viewer.dataset.run !== before && viewer.dataset.done === viewer.dataset.run;
  window.watching = new MutationObserver(() => viewer.dataset.run !== before && painted.push(performance.now()));
  watching.observe(viewer, { attributeFilter: ["data-cur"] });
}"""


def endless_core(folder: Path) -> None:
    """The compact core without an end of text, so that its answers are as long as they may be."""
    source, _ = locate(CORE)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": None}), encoding="utf-8")


def browser_figures() -> list[Figure]:
    """Paintings a second of an answer of 128 cells at 1280 x 900, charts drawn. Raises ModelError without a browser."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ModelError("bench --part browser needs Playwright: pip install -r requirements-dev.txt") from None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        endless_core(Path(folder) / "endless-core")
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        try:
            browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except Error:
            raise ModelError(f"There is no browser at {path}; set CHROMIUM.") from None
        with opened_app("--core", str(Path(folder) / "endless-core")) as (address, _, _):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            prepare(page, address)
            seen = [watched(page) for _ in range(RUNS + 1)][1:]
        browser.close()
    detail = "128 cells, 256 steps, two experts, 1280 x 900, charts drawn"
    return [Figure("painted_per_second", statistics.median(p for p, _, _ in seen), "1/s", detail),
            Figure("browser_steps_per_second", statistics.median(s for _, s, _ in seen), "1/s", f"the worker's, {detail}"),
            Figure("steps_received", min(n for _, _, n in seen), "steps", "of 256, the fewest of all runs")]


def prepare(page, address: str) -> None:
    """Open the page and set what is asked, as a visitor would."""
    page.goto(address)
    page.wait_for_selector("#mix .mix", timeout=60_000)
    page.click("#advanced > button")
    for knob, value in KNOBS.items():
        box = page.locator(f"#{knob} input[type=number]")
        for _ in range(20):                                         # a number that is written before the page settles is lost
            box.fill(str(value))
            box.press("Tab")
            page.wait_for_timeout(200)
            if box.input_value() == str(value):
                break
    page.click("#own > button")
    page.fill("#pasted textarea", DOCUMENT)


def watched(page) -> tuple[float, float, int]:
    """One answer: paintings a second, steps a second between the first painting and the last, and steps received."""
    page.evaluate(WATCH)
    page.fill("#prompt textarea", QUESTION)
    page.click("#send")
    page.wait_for_function("() => window.ended()", timeout=120_000)
    at, steps = page.evaluate("[painted, +document.querySelector('#viewer .viewer').dataset.steps]")
    seconds = (at[-1] - at[0]) / 1000
    return len(at) / seconds, steps / seconds, steps
