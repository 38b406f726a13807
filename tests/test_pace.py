"""A live run is paused, stepped, slowed and gone back over on the page; both layers of its words are shown."""

from xml.etree import ElementTree

import pytest

from tests.support.browser import VIEWER, ask, finished, last_answer, let_go, logged, nth, opened, set_number, step_shown, until
from tests.support.fake_engine import ANSWER

SHARED = True                   # the page, but for tests that change its settings


def part(page, selector: str):
    return page.locator(f"#viewer {selector}")


def shown(page) -> int:
    """The number of the step on stage, from 0."""
    return int(page.evaluate(f"{VIEWER}.dataset.cur"))


def mode(page) -> str:
    return part(page, ".mode").get_attribute("data-mode")


def paused_at(page, step: int) -> None:
    """Ask something at two steps a second and pause it there."""
    part(page, ".pace").select_option("2")
    ask(page, "What is the dog called?")
    step_shown(page, step - 1, stored=False)
    part(page, ".play").click()
    until(lambda: mode(page) == "paused")


@pytest.fixture
def page(page):
    yield page
    part(page, ".pace").select_option("")


def test_a_live_run_is_paused_stepped_and_goes_on(page, log):
    paused_at(page, 3)
    stands = until(lambda: int(page.evaluate(f"{VIEWER}.dataset.steps")))
    page.wait_for_timeout(1200)                                     # two steps would have come
    assert shown(page) == int(page.evaluate(f"{VIEWER}.dataset.steps")) - 1 <= stands
    at = shown(page)
    part(page, ".onward").click()
    step_shown(page, at + 1)
    nth(page, 2).hover()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")                               # while the mouse rests on a word
    step_shown(page, at + 2)
    page.keyboard.press("ArrowLeft")
    until(lambda: shown(page) == at + 1)
    assert mode(page) == "paused" and part(page, ".play").get_attribute("data-state") == "play"
    part(page, ".pace").select_option("")
    page.keyboard.press("Space")
    finished(page)
    until(lambda: last_answer(page) == ANSWER)
    asked = [(entry["per_second"], entry["steps"]) for entry in logged(log, "pace")]
    assert asked == [(0, 0), (0, 1), (0, 1), (None, 0)]


def test_steps_of_a_finished_run_back_and_forth(page):
    ask(page, "What is the dog called?")
    finished(page)
    last = shown(page)
    assert part(page, ".onward").is_disabled()
    part(page, ".back").click()
    until(lambda: shown(page) == last - 1)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    until(lambda: shown(page) == last - 2)
    part(page, ".onward").click()
    until(lambda: shown(page) == last - 1)
    part(page, ".speed").select_option("0.1")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")                                    # a tenth of the speed: the next step is a second away
    page.wait_for_timeout(300)
    assert shown(page) == last - 1 and part(page, ".play").get_attribute("data-state") == "pause"
    part(page, ".speed").select_option("1")
    until(lambda: shown(page) == last)


def test_a_paused_run_whose_tab_closes_is_ended(browser, url, log):
    with opened(browser, url) as left:
        paused_at(left, 3)
        run = logged(log, "submit")[-1]["id"]
        assert run not in {entry["id"] for entry in logged(log, "cancel")}
    until(lambda: run in {entry["id"] for entry in logged(log, "cancel")})


def test_what_the_models_see_and_what_they_predict_are_two_layers(page):
    paused_at(page, 3)
    cell = nth(page, 1)
    drawn = """e => { const {content} = getComputedStyle(e, '::before'), {color} = getComputedStyle(e);
                      return [e.dataset.seen && content === `"${e.dataset.seen}"`, content === "none", color]; }"""
    both, none, ink = cell.evaluate(drawn)                          # in one look: a step that was on its way may still come
    assert both and not none and ink != "rgba(0, 0, 0, 0)"
    part(page, "[data-layer=prediction]").click()
    assert cell.evaluate(drawn) == [False, True, ink]
    part(page, "[data-layer=input]").click()
    assert cell.evaluate(drawn) == [True, False, "rgba(0, 0, 0, 0)"]
    part(page, "[data-layer=both]").click()
    cell.hover()
    assert "the models see" in part(page, ".sees").inner_text()
    offs = [part(page, f".cell:nth-of-type({n})").first.evaluate("e => e.style.getPropertyValue('--off')") for n in range(1, 9)]
    assert len(set(offs)) > 1
    part(page, "[data-mode=m]").click()
    assert "What they see" in part(page, ".map canvas").get_attribute("aria-label")
    page.click("#stop")
    finished(page)


def test_a_run_made_of_another_and_a_comparison_do_not_keep_its_pace(page, log):
    before = len(logged(log, "submit"))

    def paces() -> list:
        return [entry["request"]["pace"]["per_second"] for entry in logged(log, "submit")[before:]]
    part(page, ".pace").select_option("8")
    ask(page, "How slow? (waits at 9)")
    step_shown(page, 2, stored=False)
    page.click("#compare")                                          # the stage alone is slowed
    until(lambda: len(paces()) == 4)
    page.click("#compare-stop")
    part(page, ".pace").select_option("")
    let_go(log, "How slow? (waits at 9)")
    finished(page)
    part(page, ".branch").click()
    assert until(lambda: len(paces()) == 5 and paces()) == [8, None, None, None, None]


@pytest.mark.fresh
def test_a_weight_moved_while_it_stands_acts_at_the_next_step(page, log):
    paused_at(page, 3)
    at = shown(page)
    set_number(page, "#weight-compact-reader", "0.9")
    until(lambda: logged(log, "control"))
    part(page, ".onward").click()
    step_shown(page, at + 1)
    before, after = page.evaluate(f"""() => {{
        const marks = [...{VIEWER}.querySelectorAll('.marks .turn')].map(e => +e.dataset.step);
        return [marks, +{VIEWER}.dataset.cur] }}""")
    assert before == [at + 1] and after == at + 1
    page.click("#stop")
    finished(page)


def test_the_step_on_stage_is_explained_in_words(page):
    paused_at(page, 3)
    part(page, ".explain summary").click()
    said = until(lambda: part(page, ".explain li").all_inner_texts())
    assert said[0].startswith(f"This is step {shown(page) + 1} of 16; ") and said[1].startswith("What the models see there")
    assert any(line.startswith("All experts would write the same") for line in said) and "Compact core" in said[-1]
    assert sum("positions are settled" in line for line in said) == 1
    part(page, ".onward").click()
    until(lambda: part(page, ".explain li").first.inner_text() != said[0])
    part(page, ".explain summary").click()
    page.click("#stop")
    finished(page)


def test_a_run_is_taken_away_as_a_moving_picture(page, log, tmp_path):
    ask(page, "What is the dog called? (waits at 5)")
    step_shown(page, 3)
    assert part(page, ".picture").is_hidden()
    let_go(log, "What is the dog called? (waits at 5)")
    finished(page)
    with page.expect_download() as download:
        part(page, ".picture").click()
    download.value.save_as(tmp_path / "run.svg")
    picture = ElementTree.parse(tmp_path / "run.svg").getroot()
    name = "{http://www.w3.org/2000/svg}"
    steps = picture.findall(f"{name}g")
    assert download.value.suggested_filename == "ssd2-run.svg" and len(steps) == int(page.evaluate(f"{VIEWER}.dataset.steps"))
    words = "".join(text.text for text in steps[-1].findall(f"{name}text") if text.get("class") != "i")
    assert words == ANSWER.replace(" ", "")                         # also "<b>", as text
    page.context.new_page().goto(f"file://{tmp_path}/run.svg")
    drawn = page.context.pages[-1]
    standing = "[...document.querySelectorAll('.s')].filter(e => getComputedStyle(e).visibility === 'visible').length"
    until(lambda: drawn.evaluate(standing) == 1)
    drawn.close()


@pytest.mark.fresh
def test_the_stage_is_presented_alone_and_large_and_driven_by_keys(page, browser, url):
    with opened(browser, url, 1920, 1080, "?present=1") as large:
        assert large.locator("#conversation").is_hidden() and part(large, ".present").inner_text() == "Leave the presentation"
        large.keyboard.press("Escape")
        large.wait_for_selector("#conversation", state="visible")
        ask(large, "What is the dog called?")
        finished(large)
        part(large, ".present").click()
        large.wait_for_selector("#conversation", state="hidden")
        assert float(nth(large, 0).evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) >= 40
        last = shown(large)
        large.evaluate("document.activeElement.blur()")
        large.keyboard.press("ArrowLeft")
        until(lambda: shown(large) == last - 1)
        assert large.evaluate("document.documentElement.scrollWidth") <= 1920
