"""The viewer in a browser: cells, inspector and player on a plain page, and what an engine writes on the whole one."""

import re

import pytest

from ssd2_core.ui import script_words
from ssd2_core.ui.components.viewer import TEMPLATE
from tests.support.bare import bare, message, send, steps_of
from tests.support.browser import CELL, VIEWER, ask, finished, nth, open_knobs, opened, served, set_number, step_shown, until
from tests.support.fake_engine import ANSWER

STEPS = steps_of()
FOUND = [[[" <b>Sundays</b>", 0.62], [" cat", 0.3], ["<eos>", 0.001]], [["<img src=x>", 0.7], [" cat", 0.2], ["\n", 0.1]],
         [[" <b>Sundays</b>", 0.999], ["${x}", 0.0]]]
KNOWN = [{**step, "k": [[row] * 32 for row in FOUND], "e": [31], "t": [*step["t"][:31], "<eos>"]} for step in STEPS[:8]]
SHOWN = "document.querySelector('.viewer')"
BLOCKS = """() => [...document.querySelectorAll('.block')].filter(e => e.checkVisibility()).map(e => [e.dataset.state,
    e.querySelector('.tag').textContent, getComputedStyle(e).borderTopStyle, e.getAttribute('aria-label')])"""
NOTE_STEPS = """() => { window.seen = new Set(); const viewer = document.querySelector('.viewer');
    new MutationObserver(() => seen.add(viewer.dataset.cur)).observe(viewer, { attributeFilter: ["data-cur"] }); }"""
NOTE_WAITS = """() => { window.waits = []; const real = setInterval;
    window.setInterval = (work, ms) => { waits.push(ms); return real(work, ms); }; }"""


@pytest.fixture(scope="module", params=[(1280, False), (390, True)], ids=["1280-light", "390-dark"])
def sized(request, browser):
    width, dark = request.param
    with bare(browser, width, dark, has_touch=width < 500) as page:
        send(page, message(KNOWN, done=True))
        yield page


@pytest.fixture
def plain(browser):
    with bare(browser) as made:
        yield made


def cell(page, n: int):
    return page.locator(".block:not([hidden]) .cell").nth(n)


def best(page, column: int) -> list[list[str]]:
    """Token and probability of each candidate in one column of the inspector."""
    lines = page.locator(".bars .best").nth(column).locator("li:not([hidden])").all()
    return [[line.locator(part).inner_text() for part in (".token", ".value")] for line in lines]


def shown_at(page) -> str:
    return page.evaluate(f"{SHOWN}.dataset.cur")


def test_pointing_and_tapping_show_what_each_would_have_written(sized):
    point = "tap" if sized.evaluate("navigator.maxTouchPoints") else "hover"
    getattr(cell(sized, 9), point)()
    assert sized.locator(".who .token").first.inner_text() == "on"
    getattr(cell(sized, 10), point)()
    assert sized.locator(".who .token").first.inner_text() == "<b>Sundays</b>"
    assert sized.locator(".bars .name").all_inner_texts() == ["Together", "Core", "The <i>reader</i>"]
    assert [best(sized, column) for column in range(3)] == [
        [["<b>Sundays</b>", "62\u202f%"], ["cat", "30\u202f%"], ["end", "<1\u202f%"]],
        [["<img src=x>", "70\u202f%"], ["cat", "20\u202f%"], ["↵", "10\u202f%"]],
        [["<b>Sundays</b>", ">99\u202f%"], ["${x}", "0\u202f%"]]]
    core, reader = KNOWN[7]["h"][10]
    bars = sized.evaluate("[...document.querySelectorAll('.bars > * > .track i')].map(e => parseFloat(e.style.width))")
    assert bars == pytest.approx([100 * KNOWN[7]["c"][10], 100 * core, 100 * reader])
    thin = sized.evaluate("[...document.querySelectorAll('.row .best i')].map(e => parseFloat(e.style.width)).slice(0, 3)")
    assert thin == pytest.approx([70, 20, 10])
    assert sized.locator(".bars img, .bars b:not(.value), .field b").count() == 0
    assert sized.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_keyboard_reaches_every_word_and_the_inspector(plain):
    send(plain, message(STEPS, done=True))
    cell(plain, 0).focus()
    plain.keyboard.press("ArrowRight")
    plain.keyboard.press("ArrowRight")
    plain.keyboard.press("ArrowLeft")
    assert plain.evaluate("document.activeElement.textContent") == "dog"
    assert plain.evaluate("document.activeElement.getAttribute('aria-label')").startswith("dog, 95 percent sure, mostly")
    plain.keyboard.press("Enter")
    assert plain.evaluate("document.activeElement.getAttribute('aria-label')") == "About this word"
    assert best(plain, 1)[0][0] == "dog"
    plain.keyboard.press("Escape")
    assert plain.evaluate("document.activeElement.textContent") == "dog"
    plain.keyboard.press("Tab")
    assert plain.evaluate("document.activeElement.className") == "inspector"
    assert plain.locator(".cell[tabindex='0']").count() == 1


def test_the_inspector_is_built_once_a_run(plain):
    send(plain, message(STEPS[:2]))
    cell(plain, 0).hover()
    plain.evaluate("window.line = document.querySelector('.bars .row'); document.querySelector('.cell').mark = 1")
    send(plain, message(STEPS[:7], since=2))
    assert plain.evaluate("document.contains(line) && document.querySelector('.cell').mark") == 1
    assert plain.locator(".who .token").first.inner_text() == cell(plain, 0).inner_text()


def test_blocks_are_done_now_or_to_come(plain):
    send(plain, message(STEPS[:12]))
    assert plain.evaluate(BLOCKS) == [
        ["done", "1 done", "none", "Block 1, done"], ["now", "2 now", "none", "Block 2, being written"],
        ["next", "3 to come", "dashed", "Block 3, to come"], ["next", "4 to come", "dashed", "Block 4, to come"]]
    send(plain, message(STEPS[:16], since=12, done=True))
    assert [block[0] for block in plain.evaluate(BLOCKS)] == ["done", "done"]
    plain.locator(".scrub").fill("3")
    plain.wait_for_function(f"{SHOWN}.dataset.cur === '3'")
    assert [block[0] for block in plain.evaluate(BLOCKS)] == ["now"]


def test_it_plays_at_four_speeds_and_asks_nobody(plain):
    plain.evaluate(NOTE_WAITS)
    send(plain, message(STEPS, done=True))
    for value in ("0.5", "1", "2", "4"):
        plain.select_option(".speed", value)
        plain.click(".play")
        plain.click(".play")
    waits = plain.evaluate("waits")
    assert [round(waits[0] / wait, 2) for wait in waits] == [1, 2, 4, 8]
    plain.locator(".scrub").fill("20")
    plain.click(".play")
    assert plain.get_attribute(".play", "aria-label") == "Pause"
    plain.wait_for_function("document.querySelector('.play').dataset.state === 'play'")
    assert shown_at(plain) == "31"
    plain.focus(".scrub")
    plain.keyboard.press("Home")
    plain.wait_for_function(f"{SHOWN}.dataset.cur === '0'")
    plain.focus(".play")
    plain.keyboard.press("Space")
    plain.wait_for_function(f"+{SHOWN}.dataset.cur > 2")
    plain.keyboard.press("Space")
    assert plain.evaluate("viewers[0].asked") == []


def test_live_follows_until_the_visitor_looks_back(plain):
    send(plain, message(STEPS[:5]))
    assert shown_at(plain) == "4" and plain.locator(".follow").is_hidden()
    plain.locator(".scrub").fill("1")
    send(plain, message(STEPS[:9], since=5))
    assert shown_at(plain) == "1" and plain.locator(".follow").is_visible()
    plain.click(".follow")
    plain.wait_for_function(f"{SHOWN}.dataset.cur === '8'")
    send(plain, message(STEPS[:10], since=9))
    assert shown_at(plain) == "9"


def test_pinned_words_are_marked(plain):
    steps = [{**step, "p": [1]} for step in STEPS[:3]]
    send(plain, message(steps))
    assert plain.locator(".cell.pinned").all_inner_texts() == [cell(plain, 1).inner_text()]
    assert plain.evaluate("getComputedStyle(document.querySelector('.cell.pinned')).outlineStyle") == "solid"
    cell(plain, 1).focus()
    assert plain.locator(".who .given").inner_text() == "pinned" and plain.locator(".bars").is_hidden()
    assert "no model decided it" in plain.locator(".who .sure").inner_text()
    assert cell(plain, 1).get_attribute("aria-label").endswith("pinned")
    cell(plain, 2).focus()
    assert plain.locator(".who .given").is_hidden() and "decided by Core" in plain.locator(".who .sure").inner_text()


def test_marks_at_the_ends_of_a_word_stand_alone(plain):
    texts = [" blue", ".", " door", "'s", " (", "key", ")", *STEPS[0]["t"][7:]]
    words = plain.evaluate("""async ([step, words]) => {
        const { makeCells } = await import("/scripts/cells.js"), cells = makeCells(document.createElement("div"), words);
        cells.colour([]); cells.paint(step, () => null, 1, false, true);
        return [0, 1, 2, 3, 5].map(i => cells.word(cells.cell(0, i)).map(cell => +cell.dataset.i));
    }""", [{**STEPS[0], "t": texts, "e": [], "d": [[] for _ in texts]}, script_words.VIEWER])
    assert words == [[0], [1], [2, 3], [2, 3], [5]]


def test_the_legend_says_what_hue_strength_and_marks_mean(plain):
    send(plain, message(STEPS[:3]))
    key = [line.split(":")[0] for line in plain.locator(".key li").all_inner_texts()]
    assert key == ["colour", "line", "strength", "dot", "frame", "grey above"]
    assert [line.split()[0] for line in plain.locator(".legend li").all_inner_texts()] == ["Core", "The"]
    changed = [i for i, _ in enumerate(STEPS[2]["t"]) if i in STEPS[2]["x"]]
    assert plain.evaluate("[...document.querySelectorAll('.cell.changed')].map(e => +e.dataset.i)") == changed


def test_no_motion_means_few_pictures_and_no_play_by_itself(browser):
    with bare(browser, reduced_motion="reduce") as page:
        page.evaluate(NOTE_STEPS)
        texts = [message(STEPS[:n + 1], since=n) for n in range(24)]
        spent = page.evaluate("""async texts => { const from = performance.now();
            for (const text of texts) { viewers[0].send(text); await new Promise(done => setTimeout(done, 40)); }
            return performance.now() - from; }""", texts)
        page.wait_for_function(f"{SHOWN}.dataset.cur === '23'")
        assert page.evaluate("seen.size") <= spent / 250 + 2
        send(page, message(STEPS, done=True, run="story", stored=True))
        assert shown_at(page) == str(len(STEPS) - 1)
        assert page.evaluate("document.getAnimations().length") == 0
        assert page.locator(".cell").first.evaluate("e => getComputedStyle(e).transitionDuration") in ("0s", "")


def test_viewers_beside_each_other_do_not_meet(browser):
    assert not re.search(r"\sid=", TEMPLATE)
    with bare(browser, compact=(False, True, True)) as page:
        send(page, message(STEPS[:6], run="a"), 0)
        send(page, message(STEPS[:3], run="b"), 1)
        send(page, message(STEPS[:9], run="c"), 2)
        assert page.evaluate("[...document.querySelectorAll('.viewer')].map(e => [e.dataset.run, e.dataset.cur])") == [
            ["a", "5"], ["b", "2"], ["c", "8"]]
        page.locator(".scrub").nth(1).fill("0")
        page.locator(".viewer").nth(1).locator(".cell").nth(2).focus()
        page.keyboard.press("Shift+ArrowRight")                  # no steering without a server: nothing happens, nothing breaks
        assert page.locator(".viewer").nth(0).locator(".found").is_hidden()
        assert page.evaluate("[...document.querySelectorAll('.viewer')].map(e => e.dataset.cur)") == ["5", "0", "8"]
        for small in (1, 2):
            for part in (".map", ".chart", ".legend", ".key"):
                assert page.locator(".viewer").nth(small).locator(part).is_hidden()
        assert page.locator(".viewer").nth(0).locator(".map").is_visible()


def test_steps_that_were_missed_are_fetched(plain):
    plain.evaluate("steps => { window.kept = steps; }", STEPS[:20])
    send(plain, message(STEPS[:4]))
    send(plain, message(STEPS[:24], since=20))
    assert plain.evaluate("viewers[0].asked") == [{"run": "r", "since": 4}]
    assert plain.evaluate("document.querySelector('.map').dataset.painted") == "24"
    send(plain, message(STEPS[:24], since=20, done=True))
    assert plain.evaluate(f"{SHOWN}.dataset.steps") == "24"


def test_what_an_engine_writes_is_shown_as_it_comes(page):
    seen = []
    page.expose_function("note", lambda states: seen.append(states.split()))
    page.evaluate(f"""() => new MutationObserver(() => note([...{VIEWER}.querySelectorAll('.block')]
        .map(b => b.hidden ? '' : b.dataset.state).join(' '))).observe({VIEWER}, {{attributes: true}})""")
    ask(page, "What is the dog called?")
    finished(page)
    step_shown(page, 31)
    assert ["now", "next", "next"] in seen and any(states[:2] == ["done", "now"] for states in seen)
    until(lambda: page.locator("#viewer .block:not([hidden])").evaluate_all("all => all.map(b => b.dataset.state)")
          == ["done", "done"])
    assert "".join(page.locator(f"{CELL}:not(.ends):not(.after)").all_inner_texts()) == ANSWER.replace(" ", "")
    legend = page.locator("#viewer .legend").inner_text().replace("\u202f", " ")
    assert "Compact core" in legend and "Reader" in legend and "%" in legend
    nth(page, 1).click()
    found = page.locator("#viewer .inspector .found")
    text = found.inner_text()
    assert "dog" in text.split("\n")[0] and "Together" in text and "Compact core" in text and "Reader" in text
    assert text.count("cat") == 3 and "entropy" in text and "disagreement" in text     # a candidate of all three
    names = page.locator("#viewer .found ol.best").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert names == ["Best candidates: Together", "Best candidates: Compact core", "Best candidates: Reader"]
    nth(page, page.locator(CELL).all_inner_texts().index("<b>Sundays</b>")).click()
    assert "<b>Sundays</b>" in found.inner_text()
    assert page.locator("#viewer .field b, #viewer .found .token b, #viewer .found img").count() == 0
    page.keyboard.press("Enter")
    assert page.evaluate(f"document.activeElement === {VIEWER}.querySelector('.inspector')")
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.b") == "1"


def test_stored_steps_play_without_asking_the_engine(page, log):
    ask(page, "What is the dog called?")
    finished(page)
    step_shown(page, 31)
    before = log.read_text()
    page.select_option("#viewer .speed", "4")
    page.evaluate(NOTE_STEPS.replace(".viewer'", "#viewer .viewer'"))
    page.click("#viewer .play")
    page.wait_for_function(f"() => Math.min(...seen) < 8 && {VIEWER}.dataset.cur === '31'")
    assert log.read_text() == before


def test_128_words_at_full_speed(browser, tmp_path):
    command = ["-m", "tests.support.fake_app", "PORT", str(tmp_path / "log"), "0.02"]
    with served(command, tmp_path) as url, opened(browser, url) as page:
        open_knobs(page)
        for selector, value in (("#num-steps", "32"), ("#block-length", "32"), ("#max-new-tokens", "128")):
            set_number(page, selector, value)
        page.evaluate(NOTE_STEPS.replace(".viewer'", "#viewer .viewer'"))
        ask(page, "What happened at length?")
        finished(page, 120)
        until(lambda: page.evaluate(f"{VIEWER}.dataset.cur") == "127")
        assert page.evaluate(f"[{VIEWER}.dataset.steps, {VIEWER}.querySelector('.map').dataset.painted]") == ["128", "128"]
        assert page.locator("#viewer .cell").count() == 128
        assert page.evaluate("seen.size") > 8            # how many a second is measured by the benchmark
