"""Two browsers and the real engine: the same names, questions at once, stops, closed tabs and a poisoned model, as seen."""

import json

import pytest

from tests.security.test_engine import NOTE, QUESTION, left_of, poison
from tests.support.attacks import NEEDS_MODELS
from tests.support.browser import VIEWER, ask, finished, last_answer, open_knobs, opened, set_number, step_shown, until
from tests.support.slow_app import SLOWLY
from tests.test_own import bring
from tests.test_visitors import SHEET, WEIGHTS

pytestmark = NEEDS_MODELS


@pytest.fixture(scope="module")
def url(real_url):
    return real_url


def settle(page, dog: str, place, weights: bytes = WEIGHTS.read_bytes()) -> None:
    """Bring a file and a model under names that every visitor uses here, and make the answers slow."""
    place.mkdir()
    (place / "note.txt").write_text(NOTE.format(dog))
    (place / "mine.json").write_text(json.dumps(SHEET | {"title": "Mine", "summary": f"Knows {dog}."}))
    (place / "mine.safetensors").write_bytes(weights)
    page.wait_for_selector("#status .ready")
    page.set_input_files("#files input[type=file]", [place / "note.txt"])
    until(lambda: "note.txt" in page.locator("#document-chips").inner_text())
    bring(page, place / "mine.json", place / "mine.safetensors")
    page.wait_for_selector("#pick-own-0", state="visible")
    page.uncheck("#pick-compact-reader input")
    set_number(page, "#weight-own-0", "0.5")
    many(page, block_length="16")


def many(page, steps: str = "64", block_length: str = "2") -> None:
    """Many steps, so that what is asked slowly takes most of a minute; and one seed, for a page takes another one each time."""
    open_knobs(page)
    page.fill("#seed input", "0")
    page.press("#seed input", "Tab")
    set_number(page, "#num-steps", steps)
    set_number(page, "#block-length", block_length)


@pytest.mark.attack(15)
@pytest.mark.attack(16)
def test_two_browsers_share_nothing_and_stop_only_their_own(browser, url, real_folder, tmp_path):
    with opened(browser, url, height=1500) as two:
        with opened(browser, url, height=1500) as one:
            settle(one, "Biscuit", tmp_path / "one")
            settle(two, "Brimsel", tmp_path / "two")
            ask(two, QUESTION)
            ask(one, f"{QUESTION} {SLOWLY}")
            step_shown(one, 4, stored=False)
            one.click("#stop")
            finished(one)
            assert "stopped" in one.locator("#viewer .figures").inner_text()
            finished(two, 60)                                              # the other goes on to its end
            until(lambda: "Brimsel" in last_answer(two))
            assert two.evaluate(f"+{VIEWER}.dataset.steps") % 64 == 0
            assert "stopped" not in two.locator("#viewer .figures").inner_text()
            for page, foreign in ((one, "Brimsel"), (two, "Biscuit")):
                assert foreign not in page.content() and page.locator("#pick-own-1").is_hidden()
            assert len(left_of(real_folder, "note.txt")) == 2
        until(lambda: len(left_of(real_folder, "note.txt")) == 1 and len(left_of(real_folder, "sheet.json")) == 1)
        set_number(two, "#num-steps", "8")
        ask(two, QUESTION)
        until(lambda: two.locator("#chat [data-testid=bot]").count() == 2 and "Brimsel" in last_answer(two))
    until(lambda: not left_of(real_folder, "note.txt", "sheet.json", "mine."))


@pytest.mark.attack(16)
def test_a_stop_is_seen_and_the_next_question_answered(browser, url, subtests):
    cases = {"twice at once": (0, 2, {}), "second block": (18, 1, {"steps": "16", "block_length": "1"})}
    with opened(browser, url) as page:
        page.wait_for_selector("#status .ready")
        for name, (after, clicks, settings) in cases.items():
            with subtests.test(name):
                many(page, **settings)
                page.fill("#pasted textarea", NOTE.format("Biscuit"))
                ask(page, f"{QUESTION} {SLOWLY}")
                page.wait_for_selector("#stop:enabled")
                if after:
                    step_shown(page, after, stored=False)
                page.click("#stop", click_count=clicks)
                finished(page)
                assert "stopped" in page.locator("#viewer .figures").inner_text()
                page.wait_for_selector("#stop:disabled")
                if after > 16:
                    assert last_answer(page)
                set_number(page, "#num-steps", "8")
                set_number(page, "#block-length", "16")
                page.fill("#pasted textarea", NOTE.format("Brimsel"))
                before = page.locator("#chat [data-testid=bot]").count()
                ask(page, QUESTION)
                until(lambda before=before: page.locator("#chat [data-testid=bot]").count() > before
                      and "Brimsel" in last_answer(page), 60)
                page.wait_for_selector("#stop:disabled")


@pytest.mark.attack(15)
@pytest.mark.attack(16)
def test_a_tab_closed_in_the_midst_leaves_nothing_to_the_next(browser, url):
    with opened(browser, url) as page:
        page.wait_for_selector("#status .ready")
        many(page)
        page.fill("#pasted textarea", NOTE.format("Biscuit"))
        ask(page, f"{QUESTION} {SLOWLY}")
        step_shown(page, 3, stored=False)
    with opened(browser, url) as page:
        assert page.locator("#chat [data-testid=bot]").count() == 0 and page.input_value("#pasted textarea") == ""
        many(page, "8", "16")
        page.fill("#pasted textarea", NOTE.format("Brimsel"))
        ask(page, QUESTION)
        finished(page, 60)
        until(lambda: "Brimsel" in last_answer(page))


@pytest.mark.attack(19)
def test_a_poisoned_model_is_seen_in_every_token_and_turned_off_by_one_click(browser, url, tmp_path):
    with opened(browser, url, height=1500) as page:
        settle(page, "Biscuit", tmp_path / "poison", poison())
        set_number(page, "#num-steps", "8")
        set_number(page, "#weight-own-0", "0.8")
        ask(page, "What is the capital of France?")
        finished(page, 60)
        page.wait_for_selector("#stop:disabled")
        for cell in page.locator("#viewer .block:not([hidden]) .cell").all()[:4]:
            cell.focus()
            bars = page.locator("#viewer .bars .row").all_inner_texts()
            assert len(bars) == 2 and any("Mine" in bar for bar in bars)
        page.uncheck("#pick-own-0 input")
        page.wait_for_function("() => document.querySelector('#mix').textContent.includes('alone')")
        ask(page, "What is the capital of France?")
        until(lambda: page.locator("#chat [data-testid=bot]").count() == 2 and "Paris" in last_answer(page))
