"""The whole way with the real engine and models in a browser: ask, compare, sweep, and the commands."""

import json
import subprocess
import sys

import pytest

from ssd2_core.ui.examples import EXAMPLES
from tests.support.attacks import NEEDS_MODELS
from tests.support.browser import ROOT, ask, finished, last_answer, open_knobs, open_tab, opened, until
from tests.test_compare import ended as compared
from tests.test_sweep import ended as swept
from tests.test_sweep import ready

pytestmark = NEEDS_MODELS


@pytest.fixture(scope="module")
def page(browser, real_url):
    """One page for all; each test begins without a conversation."""
    with opened(browser, real_url) as page:
        page.wait_for_selector("#status .ready", timeout=120_000)
        yield page


def fill_example(page, number: int) -> None:
    page.click("#clear")
    page.wait_for_selector("#chat [data-testid=bot]", state="detached")
    page.click(f"#example-{number}")
    until(lambda: page.input_value("#prompt textarea") == EXAMPLES[number].prompt)


def ask_example(page, number: int) -> str:
    fill_example(page, number)
    page.click("#send")
    finished(page, 120)
    until(lambda: page.locator("#chat [data-testid=bot]").count())
    page.wait_for_selector("#stop:disabled")
    return last_answer(page)


def test_the_examples_are_answered_from_document_core_and_island(page):
    assert "Biscuit" in ask_example(page, 0)
    line = page.locator("#viewer .figures").inner_text()
    assert "forwards" in line and "tokens per second" in line
    assert page.locator("#viewer .legend li").count() == 2
    assert "Paris" in ask_example(page, 2)
    assert "Port Amber" in ask_example(page, 3)


def test_comparing_the_first_example_shows_who_knows_the_dog(page):
    fill_example(page, 0)
    page.click("#compare")
    assert "3 answers" in compared(page, 200)
    core, reader, both = page.locator(".side .says").all_inner_texts()
    assert "Biscuit" in reader and "Biscuit" in both and "Biscuit" not in core
    assert page.locator("#side-0 mark").all_inner_texts() and page.locator("#side-2 mark").count() == 0
    assert all("tokens per second" in text for text in page.locator(".side-figures").all_inner_texts())


def test_sweeping_the_first_example_turns_from_a_guess_to_the_name(page):
    fill_example(page, 0)
    ready(page, EXAMPLES[0].prompt)
    page.click("#sweep")
    assert "5 answers" in swept(page, 250)
    texts = page.locator(".point .text").all_inner_texts()
    assert "Biscuit" not in texts[0] and "Biscuit" in texts[2] and "Biscuit" in texts[4]
    shares = page.evaluate("[...document.querySelectorAll('.point .shares')].map(s => +s.children[1].style.flexGrow)")
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1


def test_the_commands_give_the_same_answer(page, tmp_path):
    page.click("#clear")
    document = "It's Maria's \"note\" $HOME `x`\\n.\n\nHer dog is called Biscuit."
    open_tab(page, "Keep")
    open_knobs(page)
    page.check("#pick-compact-reader input")
    page.check("#pick-compact-islander input")
    for selector, value in (("#weight-compact-reader", "0.45"), ("#weight-compact-islander", "0.1"), ("#seed", "7"),
                            ("#num-steps", "9")):
        page.fill(f"{selector} input[type=number]", value)
        page.press(f"{selector} input[type=number]", "Tab")
    page.check("#projection input[value=sampling]")
    page.fill("#pasted textarea", document)
    ask(page, "-- What is the dog's name?")
    finished(page, 200)
    page.wait_for_selector("#stop:disabled")
    until(lambda: page.locator("#export-shell .cm-line").count() > 3)
    answer = last_answer(page)
    shell, client = ("\n".join(page.locator(f"{code} .cm-line").all_text_contents())
                     for code in ("#export-shell", "#export-client"))
    out = subprocess.run([sys.executable, "-c", client], capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert out.returncode == 0 and out.stdout.strip() == answer, out.stderr
    environment = {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    out = subprocess.run(["sh", "-c", shell.replace("generate ", "generate --json ")], capture_output=True, text=True,
                         timeout=200, cwd=tmp_path, env=environment)
    assert out.returncode == 0 and json.loads(out.stdout.splitlines()[-1])["answer"] == answer, out.stderr
    assert (tmp_path / "document-1.txt").read_text(encoding="utf-8") == document
