"""Compare in a real browser: what is asked, that all of it is live at once, stopped as a whole, and alone in its session."""

import pytest

from tests.support.browser import VIEWER, ask, finished, last_answer, let_go, logged, opened, step_shown, told, until
from tests.support.fake_engine import ANSWER

STEPS = 32
SHARED = True                   # the page, but for tests that change its settings
SIDES = "[...document.querySelectorAll('.side .viewer')]"
READER, ISLANDER = "compact-reader", "compact-islander"


def live(page, count: int, step: int = 2) -> None:
    """Wait for a moment at which so many small viewers show a step and none of them has ended."""
    page.wait_for_function(f"([n, s]) => {SIDES}.filter(t => +t.dataset.cur >= s && !t.dataset.done).length === n",
                           arg=[count, step])


def ended(page, seconds: float = 90) -> str:
    """Wait for the line with the figures."""
    page.wait_for_function("() => /forwards/.test(document.querySelector('#compare-line').textContent)", timeout=1000 * seconds)
    return page.locator("#compare-line").inner_text()


def compare(page, log, count: int = 3) -> list[dict]:
    """Press the button. -> what the engine was asked for it."""
    before = len(logged(log, "submit"))
    page.click("#compare")
    until(lambda: len(logged(log, "submit")) >= before + count)
    return logged(log, "submit")[before:]


@pytest.mark.fresh
def test_every_side_is_asked_at_once_and_gets_what_is_its_own(page, log):
    page.check(f"#pick-{ISLANDER} input")
    page.fill("#pasted textarea", "A note.")
    page.fill("#prompt textarea", "What is it called? (waits at 5)")
    asked = compare(page, log, 4)
    live(page, 4)
    let_go(log, "What is it called? (waits at 5)")
    note = [{"name": "pasted text", "text": "A note."}]
    got = [(r["users"], r["ensemble"]["lam"], r["documents"]) for r in (entry["request"] for entry in asked)]
    assert got == [([], {}, []), ([READER], {READER: 1.0}, note), ([ISLANDER], {ISLANDER: 1.0}, []),
                   ([READER, ISLANDER], {READER: 0.5, ISLANDER: 0.3}, note)]
    assert len({(r["request"]["prompt"], r["request"]["core"], str(r["request"]["sampling"])) for r in asked}) == 1
    line = ended(page)
    assert "4 answers · 256 forwards" in line and "one batch" in line
    assert page.evaluate(f"{SIDES}.map(t => [t.dataset.done, +t.dataset.steps])") == [[entry["id"], STEPS] for entry in asked]
    assert page.locator(".side .says").all_inner_texts() == [ANSWER] * 4 and page.locator(".side .says b").count() == 0
    figures = "32 steps · 1.50 s · 12.2 tokens per second · 0.39 tokens a pass"
    assert page.locator(".side-figures").all_inner_texts() == [figures] * 4
    assert page.locator(".side-title").all_inner_texts() == ["Core alone", "Reader alone", "Islander alone", "Together"]
    assert page.input_value("#prompt textarea") and page.locator("#chat [data-testid=bot]").count() == 0
    assert not page.evaluate(f"{VIEWER}.dataset.run")


def test_a_small_viewer_has_cells_and_transport_alone(page, log):
    ask(page, "What is the dog called?")
    finished(page)
    compare(page, log)
    ended(page)
    seen = "box => ['.field', '.scrub', '.play', '.inspector', '.legend', '.key', '.chart', '.reading'].map(" \
           "name => !!box.querySelector(name)?.checkVisibility())"
    small, large = (page.locator(where).first.evaluate(seen) for where in (".side .viewer", "#viewer .viewer"))
    assert small == [True, True, True, *[False] * 5] and all(large)


def test_stop_ends_all_of_them(page, log):
    page.fill("#prompt textarea", "Which are stopped? (waits at 5)")
    asked = compare(page, log)
    live(page, 3)
    page.click("#compare-stop")
    ended(page)
    assert page.evaluate(f"{SIDES}.every(t => t.dataset.done && +t.dataset.steps < {STEPS})")
    assert all("stopped" in text for text in page.locator(".side-figures").all_inner_texts())
    assert {entry["id"] for entry in asked} <= {entry["id"] for entry in logged(log, "cancel")}
    page.wait_for_selector("#compare-stop:disabled", state="attached")


def test_closing_the_browser_tab_ends_all_of_them(browser, url, log):
    with opened(browser, url) as page:
        page.fill("#prompt textarea", "Who leaves? (waits at 5)")
        asked = compare(page, log)
        live(page, 3)
    until(lambda: {entry["id"] for entry in asked} <= {entry["id"] for entry in logged(log, "cancel")})


def test_the_conversation_goes_on_beside_it_and_gives_the_question(page, log):
    prompt = "The question asked last? (waits at 5)"
    ask(page, prompt)
    step_shown(page, 3)
    main = logged(log, "submit")[-1]["id"]
    asked = compare(page, log)
    assert {entry["request"]["prompt"] for entry in asked} == {prompt}
    assert all(entry["request"]["history"] == [] for entry in asked)
    live(page, 3)
    order = page.locator("#sides")
    until(lambda: order.evaluate("e => getComputedStyle(e).order") == "0")         # on stage while it is what began last
    let_go(log, prompt)
    finished(page, 60)
    until(lambda: last_answer(page) == ANSWER)
    assert page.evaluate(f"[{VIEWER}.dataset.done, +{VIEWER}.dataset.steps]") == [main, STEPS]
    ended(page)
    assert main not in {entry["id"] for entry in logged(log, "cancel")}
    ask(page, "And the next one?")
    finished(page)
    until(lambda: order.evaluate("e => getComputedStyle(e).order") == "1")
    assert page.locator(".side").count() == 3


@pytest.mark.fresh
def test_comparing_again_ends_the_earlier_comparison(page, log):
    page.fill("#prompt textarea", "The earlier question? (waits at 5)")
    earlier = compare(page, log)
    live(page, 3)
    page.uncheck(f"#pick-{READER} input")
    page.check(f"#pick-{ISLANDER} input")
    later = compare(page, log)
    until(lambda: {entry["id"] for entry in earlier} <= {entry["id"] for entry in logged(log, "cancel")})
    let_go(log, "The earlier question? (waits at 5)")
    page.wait_for_function(f"ids => {SIDES}.map(t => t.dataset.done).join() === ids", arg=",".join(e["id"] for e in later))
    assert page.locator(".side-title").all_inner_texts() == ["Core alone", "Islander alone", "Together"]


@pytest.mark.fresh
def test_nothing_to_compare_with_and_nothing_asked_are_one_sentence_each(page, log):
    before = len(logged(log, "submit"))
    page.click("#compare")
    told(page, "The prompt is empty")
    page.uncheck(f"#pick-{READER} input")
    page.fill("#prompt textarea", "What?")
    page.click("#compare")
    told(page, "Choose an expert")
    assert len(logged(log, "submit")) == before and page.locator(".side").count() == 0


@pytest.mark.parametrize(("width", "height", "query"), [(390, 844, "?__theme=dark"), (1280, 900, "?__theme=light")])
def test_it_fits_by_keyboard_alone(browser, url, log, width, height, query):
    with opened(browser, url, width, height, query) as page:
        page.fill("#prompt textarea", "By keys alone? (waits at 5)")
        page.locator("[id^=example-]").last.focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "compare"
        page.keyboard.press("Enter")
        live(page, 3)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "compare-stop"
        page.keyboard.press("Space")
        ended(page)
        boxes = page.evaluate("[...document.querySelectorAll('.side')].map(e => e.getBoundingClientRect())")
        stacked = width < 500
        assert (len({box["x"] for box in boxes}), len({box["y"] for box in boxes})) == ((1, 3) if stacked else (2, 2))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.evaluate("""w => [...document.querySelectorAll('#sides *, .tab-bar *')].filter(
            e => e.checkVisibility() && e.getBoundingClientRect().right > w + 1).map(e => e.className)""", width)
