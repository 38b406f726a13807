"""The viewer in a browser: candidates, blocks, speed, a big run painted in time, and what can be done to an answer."""

import pytest

from tests.browser import VIEWER, ask, finished, open_knobs, opened, served, step_shown, until

PACE = "0.05"                   # seconds a step
STEPS = 32
CELL = "#viewer .block:not([hidden]) .cell"


@pytest.fixture
def answered(page):
    ask(page, "What is the dog called?")
    finished(page)
    step_shown(page, STEPS - 1)
    return page


def nth(page, n: int):
    return page.locator(CELL).nth(n)


def found(page) -> str:
    return page.locator("#viewer .inspector .found").inner_text().replace("\u202f", " ")


@pytest.mark.parametrize("how", ["hover", "focus", "tap"])
def test_a_word_shows_what_each_expert_would_have_written(browser, url, how):
    with opened(browser, url, width=390, height=844, has_touch=how == "tap") as page:
        ask(page, "What is the dog called?")
        finished(page)
        cell = nth(page, 1)
        cell.scroll_into_view_if_needed()
        getattr(cell, how)()
        until(lambda: page.is_visible("#viewer .found"))
        text = found(page)
        assert "dog" in text.split("\n")[0] and "Together" in text and "Compact core" in text and "Reader" in text
        assert text.count("cat") == 3 and "entropy" in text and "disagreement" in text     # a candidate of all three
        names = page.locator("#viewer .found ol.best").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
        assert names == ["Best candidates: Together", "Best candidates: Compact core", "Best candidates: Reader"]
        assert page.locator("#viewer .found img, #viewer .found b b").count() == 0


def test_text_of_a_model_is_never_markup(answered):
    at = answered.locator(CELL).all_inner_texts().index("<b>Sundays</b>")
    nth(answered, at).click()
    assert "<b>Sundays</b>" in found(answered)
    assert answered.locator("#viewer .field b, #viewer .found .token b").count() == 0


def test_the_inspector_is_reached_and_left_with_the_keyboard(answered):
    nth(answered, 0).focus()
    answered.keyboard.press("ArrowRight")
    first = found(answered)
    answered.keyboard.press("Enter")
    assert answered.evaluate(f"document.activeElement === {VIEWER}.querySelector('.inspector')")
    answered.keyboard.press("Escape")
    assert answered.evaluate("document.activeElement.dataset.i") == "1"
    answered.keyboard.press("End")
    assert found(answered) != first


def test_blocks_are_done_now_and_next(page):
    seen = []
    page.expose_function("note", lambda states: seen.append(states))
    page.evaluate(f"""() => new MutationObserver(() => note([...{VIEWER}.querySelectorAll('.block')]
        .map(b => b.hidden ? '' : b.dataset.state).join(' '))).observe({VIEWER}, {{attributes: true}})""")
    ask(page, "What is the dog called?")
    finished(page)
    step_shown(page, STEPS - 1)
    assert any(states.split() == ["now", "next", "next"] for states in seen)
    assert any(states.split()[:2] == ["done", "now"] for states in seen)
    until(lambda: page.locator("#viewer .block:not([hidden])").evaluate_all("all => all.map(b => b.dataset.state)")
          == ["done", "done"])
    assert "done" in page.locator("#viewer .block").first.get_attribute("aria-label")


def test_speed_plays_stored_steps_faster_and_asks_nobody(answered, log):
    before = len(log.read_text().splitlines())

    def seconds(speed: str) -> float:
        answered.select_option("#viewer .speed", speed)
        answered.evaluate(f"""() => {{ window.began = performance.now(); window.seen = [];
            new MutationObserver(() => seen.push(+{VIEWER}.dataset.cur))
                .observe({VIEWER}, {{ attributeFilter: ["data-cur"] }}); }}""")
        answered.click("#viewer .play")
        answered.wait_for_function(f"n => seen.some(at => at < 4) && +{VIEWER}.dataset.cur === n", arg=STEPS - 1,
                                   timeout=60_000)
        return answered.evaluate("performance.now() - window.began") / 1000
    fast, slow = seconds("4"), seconds("1")
    assert slow > 1.5 * fast
    for label in ("Play the steps", "Pause", "Play the steps"):
        until(lambda label=label: answered.get_attribute("#viewer .play", "aria-label") == label)
        answered.click("#viewer .play")
    assert len(log.read_text().splitlines()) == before


def test_a_run_of_128_cells_loses_no_step_and_is_painted_in_time(browser, tmp_path):
    fake = ["-m", "tests.fake_app", "PORT", str(tmp_path / "log"), "0.01"]
    with served(fake, tmp_path) as fast, opened(browser, fast) as page:
        open_knobs(page)
        for knob, value in (("max-new-tokens", "128"), ("block-length", "32"), ("num-steps", "64")):
            page.fill(f"#{knob} input[type=number]", value)
            page.press(f"#{knob} input[type=number]", "Tab")
        page.evaluate("""() => { window.spent = []; const ask = window.requestAnimationFrame;
            window.requestAnimationFrame = work => ask(at => { const began = performance.now(); work(at);
                spent.push(performance.now() - began); }); }""")
        ask(page, "Tell me at length.")
        finished(page, 120)
        assert page.evaluate(f"+{VIEWER}.dataset.steps") == 256 and page.locator("#viewer .cell").count() == 128
        painted = sorted(ms for ms in page.evaluate("spent") if ms > 0.5)
        median = painted[len(painted) // 2]
        print(f"{len(painted)} paintings, median {median:.1f} ms")
        assert median < 40


def test_the_legend_explains_hue_strength_and_marks(answered):
    words = answered.locator("#viewer .key").inner_text()
    assert all(word in words for word in ("colour: who decided", "strength: how sure", "dot", "pinned"))
    legend = answered.locator("#viewer .legend").inner_text().replace("\u202f", " ")
    assert "Compact core" in legend and "Reader" in legend and "%" in legend


def test_without_motion_nothing_plays_by_itself(browser, url):
    with opened(browser, url, reduced_motion="reduce") as page:
        ask(page, "What is the dog called?")
        finished(page)
        assert page.locator(f"{CELL}").first.evaluate("e => getComputedStyle(e).transitionDuration") in ("0s", "")
        assert page.evaluate(f"document.getAnimations().filter(a => {VIEWER}.contains(a.effect.target)).length") == 0
