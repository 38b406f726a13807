"""What browser tests share: an app in a process of its own on a free port, and a page that must not complain."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# the shell opens a page with half the work
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
VIEWER = "document.querySelector('#viewer .viewer')"
PATIENCE = 90                   # seconds for what must happen: a busy machine may stand still for a while
CELL = "#viewer .block:not([hidden]) .cell"


@contextmanager
def served(command: list[str], folder: Path, seconds: float = PATIENCE, **more: str):
    """Run ``python *command`` with PORT replaced by a free port; yields the address when the page answers.

    more: variables of its environment.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1",
                   "GRADIO_TEMP_DIR": str(folder), "GRADIO_HEARTBEAT_INTERVAL": "1", "OMP_NUM_THREADS": "1",
                   "SSD2_RETURN_SECONDS": "1", **more}
    with open(folder / "app.log", "w+") as log:
        app = subprocess.Popen([sys.executable, *(port if part == "PORT" else part for part in command)], cwd=ROOT,
                               env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_up(app, f"http://127.0.0.1:{port}", folder / "app.log", seconds)
            yield f"http://127.0.0.1:{port}"
        finally:
            app.terminate()
            app.wait(60)


def wait_until_up(app: subprocess.Popen, url: str, log: Path, seconds: float) -> None:
    """Return when the page answers; fail with the log when the process ended or time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert app.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url + "/config", timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


@contextmanager
def chromium():
    """A browser, or a skip that says what is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not shutil.which(CHROMIUM):
        pytest.skip(f"no browser at {CHROMIUM}; set CHROMIUM")
    with api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu",
                                    "--disable-software-rasterizer", "--num-raster-threads=1"])
        yield browser
        browser.close()


@contextmanager
def opened(browser, url: str, width: int = 1280, height: int = 900, query: str = "", **options):
    """A page in a session of its own; fails when its script throws, writes an error or asks another server."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else complaints.append(r.url))
    page.goto(url + "/" + query)
    page.wait_for_function(f"() => {VIEWER} && {VIEWER}.querySelector('.hint').textContent")
    page.wait_for_selector("#mix .mix", state="attached")
    yield page
    heard = list(complaints)                        # not what a page says when it is closed in the midst of a request
    context.close()
    assert not heard, heard


def emptied(page):
    """A used page without conversation, run, texts and notices; settings and a stored run stay. Fails if an end was lost."""
    page.evaluate("document.querySelectorAll('.toast-close').forEach(close => close.click())")     # they may go by themselves
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('#stop').click()")       # nothing happens where there is nothing to stop
    page.click("#clear")
    page.wait_for_selector("#viewer .empty, #viewer .mode[data-mode=stored]", state="attached")
    page.wait_for_selector("#stop:disabled")
    for field in ("#pasted textarea", "#prompt textarea"):
        page.fill(field, "")
    page.wait_for_selector("#chat [data-testid=bot]", state="detached")
    page.wait_for_selector(".toast-body", state="detached")
    return page


def open_tab(page, name: str) -> None:
    """Open a tab under the studio, again if the page was not ready; on a narrow screen some stand in a menu."""
    tab = page.locator("#more").get_by_role("tab", name=name, exact=True)

    def is_open() -> bool:
        if tab.is_visible():
            tab.click()
        else:
            page.click("#more .overflow-menu > button")
            page.locator("#more .overflow-dropdown button", has_text=name).click()
        page.wait_for_timeout(300)
        return page.locator("#more .tabitem:visible").count() == 1 and (
            not tab.is_visible() or tab.get_attribute("aria-selected") == "true")
    until(is_open)


def open_knobs(page) -> None:
    """Open the advanced settings, and wait until they stand: what is written into a knob as it appears can be lost."""
    if not page.is_visible("#seed input"):
        page.click("#advanced > button")
    page.wait_for_selector("#seed input", state="visible")
    page.wait_for_timeout(700)


def set_number(page, selector: str, value: str) -> None:
    """Write a slider's number, again if the page was not ready to take it."""
    number, slider = f"{selector} input[type=number]", f"{selector} input[type=range]"

    def taken() -> bool:
        page.fill(number, value)
        page.press(number, "Tab")
        page.wait_for_timeout(100)
        return page.input_value(number) == value and (page.locator(slider).count() == 0 or page.input_value(slider) == value)
    until(taken)


def ask(page, prompt: str) -> None:
    """Write a prompt and send it."""
    page.fill("#prompt textarea", prompt)
    page.click("#send")


def finished(page, seconds: float = PATIENCE) -> None:
    """Wait for the end of the run that is shown; a stored one is none."""
    page.wait_for_function(f"() => {VIEWER}.dataset.done && {VIEWER}.querySelector('.mode').dataset.mode !== 'stored'",
                           timeout=1000 * seconds)


def step_shown(page, at_least: int, stored: bool = True) -> None:
    """Wait until a step is painted; stored: a stored run's will do."""
    page.wait_for_function(f"([n, any]) => +{VIEWER}.dataset.cur >= n && (any || {VIEWER}.querySelector('.mode')"
                           ".dataset.mode !== 'stored')", arg=[at_least, stored], timeout=1000 * PATIENCE)


def nth(page, n: int):
    """The n-th word that the viewer shows."""
    return page.locator(CELL).nth(n)


def last_answer(page) -> str:
    """The last message of the assistant, as it reads on screen."""
    return page.locator("#chat [data-testid=bot]").last.inner_text().strip()


def logged(log: Path, kind: str) -> list[dict]:
    """What the fake engine was asked."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def let_go(log: Path, prompt: str) -> None:
    """Runs of the fake engine with this prompt, which stand where it says "(waits at 5)", go on."""
    with open(f"{log}.go", "a", encoding="utf-8") as file:
        file.write(prompt + "\n")


def until(check, seconds: float = PATIENCE):
    """The first true value of ``check()``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := check():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def told(page, part: str) -> None:
    """Wait until a notice says ``part``; others may stand beside it."""
    until(lambda: any(part in text for text in page.locator(".toast-body").all_inner_texts()))
