"""Steering with a mouse and with keys alone: what is marked, and what the engine is asked for then."""

import pytest

from tests.support.browser import CELL, VIEWER, ask, finished, last_answer, logged, nth, opened, step_shown, until

SHARED = True                   # the page, but for tests that change its settings


@pytest.fixture
def answered(page, log):
    ask(page, "What is the dog called?")
    finished(page)
    step_shown(page, 31)
    log.write_text("")
    return page


def marked(page) -> list[str]:
    return page.locator(f"{CELL}.marked").evaluate_all("all => all.map(e => `${e.dataset.b}.${e.dataset.i}`)")


def submitted(log) -> dict:
    return until(lambda: logged(log, "submit"))[-1]["request"]


def test_a_span_is_marked_with_shift_and_denoised_again(answered, log):
    first = last_answer(answered)
    assert answered.is_disabled("#viewer .again")
    nth(answered, 2).click()
    nth(answered, 4).click(modifiers=["Shift"])
    assert marked(answered) == ["0.2", "0.3", "0.4"] and "Marked: in your letter" in answered.inner_text("#viewer .steer")
    nth(answered, 1).click(modifiers=["Shift"])
    assert marked(answered) == ["0.1", "0.2"]
    run = answered.evaluate(f"{VIEWER}.dataset.run")
    seed = int(answered.inner_text("#viewer .figures").partition("seed ")[2].split()[0])
    answered.click("#viewer .again")
    asked = submitted(log)
    assert [pin["position"] for pin in asked["pins"] if pin["block"] == 0] == [0, *range(3, 16)]
    assert len(asked["pins"]) == 30 and asked["sampling"]["seed"] == seed + 1
    answered.wait_for_function(f"old => {VIEWER}.dataset.done && {VIEWER}.dataset.run !== old", arg=run)
    assert "Denoise the marked words again" in answered.inner_text("#chat") and last_answer(answered) == first
    assert not marked(answered)


def test_a_word_is_pinned_in_a_finished_answer(answered, log):
    nth(answered, 1).click()
    assert answered.is_disabled("#viewer .pin")
    answered.fill("#viewer .steer .word", " cat ")
    answered.press("#viewer .steer .word", "Enter")
    asked = submitted(log)
    assert asked["pins"] == [{"block": 0, "position": 0, "text": "", "token_ids": [0]},
                             {"block": 0, "position": 1, "text": "cat", "token_ids": []}]
    until(lambda: "With “cat” pinned" in answered.inner_text("#chat"))


def test_a_word_is_pinned_while_the_answer_is_written(page, log):
    before = len(logged(log, "submit"))
    ask(page, "What is the dog called? (waits at 5)")
    step_shown(page, 1)
    nth(page, 3).click()
    page.fill("#viewer .steer .word", "cat")
    page.click("#viewer .pin")
    pin = until(lambda: logged(log, "pin"))[-1]
    assert (pin["block"], pin["position"], pin["text"]) == (0, 3, "cat") and len(logged(log, "submit")) == before + 1
    assert page.is_disabled("#viewer .again") and page.is_disabled("#viewer .branch")
    page.click("#stop")


@pytest.mark.fresh
def test_a_run_branches_at_the_step_on_stage_with_the_weights_as_they_are(answered, log):
    answered.fill("#weight-compact-reader input[type=number]", "0.2")
    answered.press("#weight-compact-reader input[type=number]", "Tab")
    answered.evaluate(f"""() => {{ const s = {VIEWER}.querySelector('.scrub'); s.value = 6;
        s.dispatchEvent(new Event('input', {{bubbles: true}})); }}""")
    until(lambda: answered.inner_text("#viewer .branch") == "Branch from step 7")
    answered.click("#viewer .branch")
    plan = submitted(log)["plan"]
    assert [(change["step"], change["ensemble"]["lam"]) for change in plan] == [(6, {"compact-reader": 0.2})]
    answered.wait_for_selector("#branch .viewer", state="visible")
    answered.wait_for_function("() => +document.querySelector('#branch .viewer').dataset.steps === 32")
    assert answered.locator("#branch .legend").is_hidden()
    until(lambda: "From step 7 on: Reader 50\u202f% → 20\u202f%" in answered.inner_text("#chat"))
    finished(answered)
    ask(answered, "And now?")                                              # a new question has no first run beside it
    answered.wait_for_selector("#branch .viewer", state="hidden")


def test_all_of_it_with_keys_alone(answered, log):
    nth(answered, 0).focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowLeft"):
        answered.keyboard.press(key)
    assert marked(answered) == ["0.1", "0.2"]
    answered.locator("#viewer .again").focus()
    answered.keyboard.press("Enter")
    assert [pin["position"] for pin in submitted(log)["pins"] if pin["block"] == 0] == [0, *range(3, 16)]


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_narrow_screen(browser, url, dark):
    with opened(browser, url, width=390, height=844, query="?__theme=dark" if dark else "?__theme=light") as page:
        ask(page, "What is the dog called?")
        finished(page)
        nth(page, 1).click()
        box = page.locator("#viewer .steer").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and page.is_visible("#viewer .steer .word")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_empty_stage_has_nothing_to_steer(answered):
    assert answered.is_visible("#viewer .steer")
    answered.click("#clear")
    until(lambda: answered.is_hidden("#viewer .steer"))
