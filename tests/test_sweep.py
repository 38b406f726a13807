"""Sweep in a real browser: a few answers at a time, shown as they come, and each run to be seen in the viewer."""

import pytest

from tests.support.browser import VIEWER, ask, finished, let_go, logged, opened, step_shown, told, until
from tests.support.fake_engine import ANSWER

STEPS = 32
SHARED = True                   # the page, but for tests that change its settings
READER, ISLANDER = "compact-reader", "compact-islander"
CELLS = "[...document.querySelectorAll('.strip > li')]"


def ready(page, prompt: str = "What is the dog called?", count: int = 5) -> None:
    """Open the tab, write a prompt and set the number of answers."""
    page.fill("#prompt textarea", prompt)
    page.get_by_role("tab", name="Sweep").click()
    page.wait_for_function("() => document.querySelector('#sweep-user input')?.value")
    page.fill("#sweep-count input[type=number]", str(count))
    page.press("#sweep-count input[type=number]", "Tab")


def asked_for(log, prompt: str) -> list[dict]:
    return [entry for entry in logged(log, "submit") if entry["request"]["prompt"] == prompt]


def ended(page, seconds: float = 90) -> str:
    """Wait for the line with the figures."""
    page.wait_for_function("() => /forwards/.test(document.querySelector('#sweep-line').textContent)", timeout=1000 * seconds)
    return page.locator("#sweep-line").inner_text()


def states(page) -> list[str]:
    return page.evaluate(f"{CELLS}.map(cell => cell.dataset.state)")


def some_final(page, count: int = 1) -> None:
    page.wait_for_function(f"n => {CELLS}.filter(cell => cell.dataset.state === 'final').length >= n", arg=count)


@pytest.mark.fresh
def test_a_few_at_a_time_the_same_question_over_one_weight(page, log):
    page.check(f"#pick-{ISLANDER} input")
    page.fill("#pasted textarea", "A note.")
    prompt = "A sweep? (waits at 5)"
    ready(page, prompt)
    page.evaluate(f"""() => {{ window.most = 0; window.texts = new Set(); new MutationObserver(() => {{
        most = Math.max(most, {CELLS}.filter(cell => cell.dataset.state === 'live').length);
        texts.add(document.querySelector('.strip .text')?.textContent); }}).observe(document.querySelector('#sweep-answers'),
        {{subtree: true, childList: true, attributes: true}}); }}""")
    page.click("#sweep")
    page.wait_for_function(f"() => {CELLS}.filter(cell => cell.dataset.state === 'live').length === 2")
    assert states(page) == ["live"] * 2 + ["waiting"] * 3 and len(asked_for(log, prompt)) == 2
    let_go(log, prompt)
    assert "5 answers · 320 forwards" in ended(page)
    assert page.evaluate("most") == 2 and page.evaluate("texts.size") > 3
    asked = [entry["request"] for entry in asked_for(log, prompt)]
    assert [r["ensemble"]["lam"][READER] for r in asked] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [round(r["ensemble"]["lam"][ISLANDER], 4) for r in asked] == [0.3, 0.3, 0.3, 0.25, 0.0]
    note = [{"name": "pasted text", "text": "A note."}]
    assert all(r["users"] == [READER, ISLANDER] and r["documents"] == note for r in asked)
    assert len({str(r["sampling"]) for r in asked}) == 1
    assert page.locator(".point .weight").all_inner_texts() == [f"{n}\u202f%" for n in (0, 25, 50, 75, 100)]
    assert page.locator(".point .text").all_inner_texts() == [ANSWER] * 5 and page.locator(".point b").count() == 0
    assert page.locator(".sweep .legend li").all_inner_texts() == ["Compact core", "Reader", "Islander"]
    bars = page.evaluate("[...document.querySelectorAll('.point .shares')].map(s => [...s.children].map(b => b.offsetWidth))")
    assert all(len(bar) == 3 and max(bar) - min(bar) <= 2 and min(bar) > 5 for bar in bars)      # the fake shares equally
    assert states(page) == ["final"] * 5 and not page.evaluate(f"{VIEWER}.dataset.run")


@pytest.mark.fresh
def test_a_click_shows_the_run_on_stage_without_asking_again(page, log):
    ready(page, "Which to see?")
    page.click("#sweep")
    page.wait_for_selector(".strip > li[data-state=live]")
    page.click(".strip > li[data-state=live] .point", force=True)            # not final: nothing to see yet
    ended(page)
    asked = asked_for(log, "Which to see?")
    assert not page.evaluate(f"{VIEWER}.dataset.run")
    for place, weight in ((1, "25"), (3, "75")):
        page.locator(".point").nth(place).click()
        page.wait_for_function(f"id => {VIEWER}.dataset.done === id", arg=asked[place]["id"])
        step_shown(page, STEPS - 1)
        assert page.locator("#viewer .asked").inner_text() == f"Which to see? (Reader {weight}\u202f%)"
        assert page.locator(".point[aria-pressed=true] .weight").all_inner_texts() == [f"{weight}\u202f%"]
        assert page.locator("#viewer .mode").inner_text().lower() == "finished"
    assert len(asked_for(log, "Which to see?")) == 5 and page.locator("#chat [data-testid=bot]").count() == 0
    page.get_by_role("tab", name="Keep").click()
    until(lambda: f"{READER}=0.75" in page.locator("#export-shell").inner_text())


def test_an_answer_under_way_keeps_the_stage(page, log):
    ready(page)
    page.click("#sweep")
    ended(page)
    ask(page, "And at length? (waits at 5)")
    step_shown(page, 3)
    main = page.evaluate(f"{VIEWER}.dataset.run")
    page.locator(".point").first.click()
    told(page, "still being written")
    assert page.evaluate(f"{VIEWER}.dataset.run") == main
    page.click("#stop")
    finished(page)


def test_stop_leaves_the_rest_unasked(page, log):
    ready(page, "Who stops?", 11)
    page.click("#sweep")
    some_final(page, 2)
    page.click("#sweep-stop")
    ended(page)
    assert set(states(page)) == {"final", "left"} and states(page)[-1] == "left" and len(states(page)) == 11
    assert len(asked_for(log, "Who stops?")) == states(page).count("final") < 11
    assert page.locator(".strip > li[data-state=left] .state").first.inner_text() == "not asked"
    page.wait_for_selector("#sweep-stop:disabled")


def test_closing_the_browser_tab_ends_it(browser, url, log):
    with opened(browser, url) as page:
        ready(page, "Who leaves?", 11)
        page.click("#sweep")
        page.wait_for_selector(".strip > li[data-state=live]")
    until(lambda: {e["id"] for e in asked_for(log, "Who leaves?")[-2:]} <= {e["id"] for e in logged(log, "cancel")})
    count = len(asked_for(log, "Who leaves?"))
    with opened(browser, url) as page:                            # as long as a page takes to open: nothing more is asked
        assert len(asked_for(log, "Who leaves?")) == count < 11


def test_another_tab_meanwhile_loses_nothing(page):
    ready(page)
    page.click("#sweep")
    page.wait_for_selector(".strip > li[data-state=live]")
    page.get_by_role("tab", name="Keep").click()
    page.wait_for_selector("#export", state="visible")
    ended(page)
    page.get_by_role("tab", name="Sweep").click()
    until(lambda: states(page) == ["final"] * 5)
    assert page.locator(".point .text").all_inner_texts() == [ANSWER] * 5


@pytest.mark.fresh
def test_the_experts_to_choose_from_are_those_that_are_picked(page, log):
    ready(page, "Which expert?")
    page.check(f"#pick-{ISLANDER} input")
    page.uncheck(f"#pick-{READER} input")
    until(lambda: page.input_value("#sweep-user input") == "Islander")
    page.click("#sweep")
    until(lambda: len(asked_for(log, "Which expert?")) >= 2)
    assert [e["request"]["ensemble"]["lam"] for e in asked_for(log, "Which expert?")[:2]] == [{ISLANDER: 0.0}, {ISLANDER: 0.25}]
    page.click("#sweep-stop")
    ended(page)
    page.uncheck(f"#pick-{ISLANDER} input")
    until(lambda: page.input_value("#sweep-user input") == "")
    page.click("#sweep")
    told(page, "Choose an expert")


@pytest.mark.parametrize(("width", "height", "query"), [(390, 844, "?__theme=dark"), (1280, 900, "?__theme=light")])
def test_it_fits_by_keyboard_alone(browser, url, log, width, height, query):
    with opened(browser, url, width, height, query) as page:
        page.fill("#prompt textarea", "What is the dog called?")
        page.get_by_role("tab", name="Sweep").focus()
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelector('#sweep-user input')?.value")
        for wanted, key in (("#sweep", "Enter"), (".point", "Enter")):
            for _ in range(8):
                page.keyboard.press("Tab")
                if page.evaluate("name => document.activeElement.matches(name)", wanted):
                    break
            page.keyboard.press(key)
            ended(page)
        page.keyboard.press("Enter")
        page.wait_for_function(f"() => {VIEWER}.dataset.done")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.evaluate("""w => [...document.querySelectorAll('#sweep-answers *, .tab-bar *')].filter(
            e => e.checkVisibility() && e.getBoundingClientRect().right > w + 1).map(e => e.className)""", width)
        rows = page.evaluate("new Set([...document.querySelectorAll('.point')].map(e => e.getBoundingClientRect().y)).size")
        assert rows == (3 if width < 500 else 1)
