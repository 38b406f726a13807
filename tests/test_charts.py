"""The map of every word at every step and the charts in a real browser, on a plain page; and on the whole page at the end."""

import pytest

from ssd2_core.ui.script_words import VIEWER as WORDS
from tests.support.bare import bare, message, send, steps_of
from tests.support.browser import VIEWER, ask, finished, opened, until

STEPS = steps_of()
SIZES = pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["1280-light", "390-dark"])
PIXELS = """([x, rows]) => { const pen = document.querySelector('.map canvas').getContext('2d');
    return rows.map(i => { const [r, g, b, a] = pen.getImageData(x, i, 1, 1).data;
        return a ? 0.2126 * r + 0.7152 * g + 0.0722 * b : -1; }); }"""
TURNS = "[...document.querySelectorAll('.marks .turn')].map(e => [+e.dataset.step, e.style.left, e.title])"
CENTRE = "name => { const box = document.querySelector(name).getBoundingClientRect(); return (box.left + box.right) / 2; }"
# Contrast of an element's text with what is painted behind it, by WCAG.
CONTRAST = """names => names.map(name => {
    const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = (...colours) => {
        pen.clearRect(0, 0, 1, 1);
        colours.forEach(c => { pen.fillStyle = c; pen.fillRect(0, 0, 1, 1); });
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map(v => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const element = document.querySelector(name), behind = [];
    for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const [a, b] = [light(...behind), light(...behind, getComputedStyle(element).color)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05); })"""


@pytest.fixture
def page(browser):
    with bare(browser, plots=True) as made:
        yield made


def drawn(page, count: int) -> None:
    page.wait_for_function("n => +document.querySelector('.chart').dataset.drawn === n", arg=count)


def spot(page, x: int, row: int, columns: int) -> dict:
    """Where a cell of the map is, as a position for the mouse."""
    box = page.locator(".map canvas").bounding_box()
    return {"x": box["width"] * (x + 0.5) / columns, "y": box["height"] * (row + 0.5) / 32}


@pytest.mark.parametrize("dark", [False, True])
def test_every_step_is_a_column_and_strength_is_lightness(browser, dark):
    with bare(browser, dark=dark) as page:
        for n in (3, 8, 9):
            send(page, message(STEPS[:n]))
        page.click(".modes [data-mode=c]")
        rising = sorted(range(32), key=lambda i: STEPS[4]["c"][i])
        lights = page.evaluate(PIXELS, [4, rising])
        assert lights == sorted(lights, reverse=not dark) and abs(lights[0] - lights[-1]) > 40
        assert page.evaluate(PIXELS, [8, [0, 31]])[0] >= 0 and page.evaluate(PIXELS, [9, [0, 31]]) == [-1, -1]
        page.click(".modes [data-mode=n]")
        lights = page.evaluate(PIXELS, [4, rising])
        assert lights == sorted(lights, reverse=dark)
        page.evaluate(f"document.body.classList.toggle('dark', {str(not dark).lower()})")
        until(lambda: page.evaluate(PIXELS, [4, rising]) != lights)


def test_the_weight_is_offered_only_where_it_differs_between_words(page):
    level = [{**step, "w": [[0.5, 0.5]] * 32} for step in STEPS[:4]]
    send(page, message(level, run="constant"))
    assert page.locator(".modes button").all_inner_texts() == ["Disagreement", "Confidence", "What they see", "Entropy"]
    send(page, message(STEPS[:4], run="adaptive"))
    assert page.locator(".modes button").all_inner_texts()[4:] == ["Weight: The <i>reader</i>"]
    page.focus(".modes [data-mode=n]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_attribute(".modes [data-mode=w1]", "aria-pressed") == "true"
    one, two = page.evaluate(PIXELS, [2, [0, 1]])
    assert STEPS[2]["w"][1][1] > STEPS[2]["w"][0][1] and two < one


@SIZES
def test_a_click_goes_to_step_and_word_and_hover_tells_the_value(browser, width, dark):
    with bare(browser, width, dark) as page:
        send(page, message(STEPS, done=True))
        page.click(".modes [data-mode=c]")
        page.hover(".map canvas", position=spot(page, 13, 5, 32))
        said = page.locator(".reads").inner_text()
        sure = int(100 * STEPS[13]["c"][5] + 0.5)
        assert said.startswith("step 14, position 6, ") and said.endswith(f"Confidence {sure}\u202f%")
        page.click(".map canvas", position=spot(page, 13, 5, 32))
        assert page.evaluate("document.querySelector('.viewer').dataset.cur") == "13"
        assert page.evaluate("(({ b, i }) => [b, i])(document.activeElement.dataset)") == ["1", "5"]
        assert page.locator(".who .token").first.inner_text() == STEPS[13]["t"][5].strip()
        assert page.locator(".map .spot").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_map_can_be_heard(page):
    send(page, message(STEPS[:3]))
    assert page.get_attribute(".map canvas", "aria-label").startswith("Disagreement as a map: ")
    page.click(".modes [data-mode=c]")
    sure = [f"{int(100 * c + 0.5)}\u202f%" for c in STEPS[2]["c"]]
    heard = page.get_attribute(".map canvas", "aria-label")
    assert page.get_attribute(".map canvas", "role") == "img"
    assert heard.startswith("Confidence as a map: 3 steps from left to right, 32 positions from top to bottom. Step 3: ")
    assert [cell.split(" ")[-1] for cell in heard.split("Step 3: ")[1].strip(".").split(", ")][:5] == sure[:5]
    page.click(".modes [data-mode=n]")
    assert f"{STEPS[2]['n'][0]:.2f} nats" in page.get_attribute(".map canvas", "aria-label")


@SIZES
def test_lines_mark_where_settings_changed(browser, width, dark):
    with bare(browser, width, dark, plots=True) as page:
        steps = [{**step, "v": (n >= 5) + (n >= 11)} for n, step in enumerate(STEPS[:16])]
        send(page, message(steps, done=True))
        drawn(page, 16)
        assert page.evaluate(TURNS) == [[5, "31.25%", "settings changed"], [11, "68.75%", "settings changed"]]
        assert page.evaluate("document.querySelector('.draw').layout.shapes.map(s => s.x0)") == [5.5, 11.5]
        assert page.locator(".chart .shapelayer path").count() == 2
        assert "settings changed" in page.locator(".chart .annotation-text").text_content()
        assert page.get_attribute(".chart .draw", "aria-label").endswith("Settings changed at steps: 6, 12.")
        for index in (0, 7, 15):
            page.locator(".scrub").fill(str(index))
            page.wait_for_function("n => document.querySelector('.viewer').dataset.cur === n", arg=str(index))
            assert page.evaluate(CENTRE, ".sheet .cursor") == pytest.approx(page.evaluate(CENTRE, ".plot .cursor"), abs=2.5)


def test_no_lines_without_a_change(page):
    send(page, message([{**step, "v": 2} for step in STEPS[:8]], done=True))
    drawn(page, 8)
    assert page.locator(".marks .turn, .chart .shapelayer path").count() == 0


def test_lines_follow_every_few_steps_and_are_whole_at_the_end(page):
    ended = [{**step, "e": [20], "j": [0.5] * 21 + [9.0] * 11} for step in STEPS[:16]]
    page.wait_for_function("window.Plotly")
    counts = []
    for n in range(1, 16):
        send(page, message(ended[:n], since=n - 1))
        counts.append(page.evaluate("+document.querySelector('.chart').dataset.drawn || 0"))
    assert [n for n in dict.fromkeys(counts) if n] == [2, 6, 10, 14]
    assert page.locator(".atlas").is_hidden()
    send(page, message(ended, since=15, done=True))
    drawn(page, 16)
    lines = page.evaluate("document.querySelector('.draw').data.map(d => [d.name, d.x.length, d.y[3]])")
    mean = sum(cell[0] for cell in ended[3]["h"][:21]) / 21
    assert lines[0] == ["Core", 16, pytest.approx(mean)]
    assert lines[2] == ["Disagreement (nats)", 16, pytest.approx(0.5)]


@SIZES
def test_all_figures_open_after_the_end(browser, width, dark):
    with bare(browser, width, dark, plots=True) as page:
        send(page, message(STEPS[:16], done=True))
        page.focus(".atlas summary")
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('.atlas').dataset.drawn === '16'")
        kinds = page.evaluate("document.querySelector('.pages').data.map(d => d.type)")
        assert kinds == ["scatter", "scatter", "scatter", "heatmap", "heatmap"]
        confidence, entropy = page.evaluate("document.querySelector('.pages').data.slice(3).map(d => d.z[4][7])")
        assert (confidence, entropy) == (STEPS[7]["c"][4], STEPS[7]["n"][4])
        assert page.locator(".pages .modebar-btn").count() == 4
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        send(page, message(STEPS[:2], run="next"))
        assert page.locator(".atlas").is_hidden()


def test_without_a_library_the_map_works_and_no_chart_shows(browser):
    with bare(browser) as page:
        send(page, message(STEPS[:9], done=True))
        assert page.locator(".map").is_visible() and page.locator(".map").get_attribute("data-painted") == "9"
        assert page.locator(".chart").is_hidden() and page.locator(".atlas").is_hidden()
        assert page.evaluate("window.Plotly") is None


@pytest.mark.parametrize(("width", "height", "theme"), [(1280, 900, "light"), (1280, 900, "dark"), (390, 844, "dark")])
def test_on_the_page_it_fits_and_can_be_read(browser, url, width, height, theme):
    with opened(browser, url, width, height, f"?__theme={theme}") as page:
        ask(page, "What is the dog called?")
        finished(page)
        page.wait_for_function("document.querySelector('#viewer .chart').dataset.drawn === '32'")
        if width > 860:
            foot = page.evaluate(f"{VIEWER}.querySelector('.map').getBoundingClientRect().bottom")
            assert foot <= height
        page.locator("#viewer .cell").nth(9).focus()
        names = [".modes button[aria-pressed=false]", ".foot", ".key li", ".bars .note", ".bars .best .value", ".who .since",
                 ".cell", ".legend b", ".map .title"]
        found = dict(zip(names, page.evaluate(CONTRAST, [f"#viewer {name}" for name in names]), strict=True))
        assert not {name: ratio for name, ratio in found.items() if ratio < 4.5}
        page.click("#viewer .atlas summary")
        until(lambda: page.evaluate(f"{VIEWER}.querySelector('.atlas').dataset.drawn"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#viewer .map .title").inner_text() == WORDS["mapTitle"]
