"""What a visitor is told before asking: stored runs to choose from, and how it works with the parts of the page lit up."""

import json
import shlex

import pytest

from ssd2_core.__main__ import main
from ssd2_core.protocol.traces import load_trace
from ssd2_core.ui.components.viewer import STORIES, stories, story
from ssd2_core.ui.tour import TOUR
from tests.support.browser import (
    ROOT,
    VIEWER,
    ask,
    finished,
    last_answer,
    let_go,
    open_tab,
    opened,
    served,
    step_shown,
    told,
    until,
)
from tests.support.fake_engine import ANSWER

COMMANDS = [line for line in (STORIES / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("python -m ")]

SHARED = True                   # the page, but for the first visit


@pytest.fixture(scope="module")
def url(tmp_path_factory, log):
    folder = tmp_path_factory.mktemp("server")
    with served(["-m", "tests.support.fake_app", "PORT", str(log), "0.02", str(STORIES)], folder, 180) as address:
        yield address


def open_tour(page) -> None:
    open_tab(page, "How it works")
    page.wait_for_selector("#tour li button")


def lit(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.lit')].map(e => e.id || e.className.replace(' lit', ''))")


def changes_per_word(frames, about) -> float:
    """How often a word or piece of an answer was another one before it settled, by the words of the answer."""
    moved = sum(before != after and not end for one, other in zip(frames, frames[1:], strict=False) if one.block == other.block
                for before, after, end in zip(one.texts, other.texts, other.is_eos, strict=True))
    return moved / len(about["answer"].split())


def test_the_stories_are_small_and_sound_and_something_happens_in_them():
    assert 2 <= len(stories()) <= 3
    for path in stories().values():
        frames, about = load_trace(path)
        assert path.stat().st_size <= 100_000 and about["core"] == "goliath" and changes_per_word(frames, about) > 3
        assert set(frames[0].share) == set(about["experts"]) and about["answer"] and frames[0].candidates
        assert any(max(frame.disagreement) > 0.1 for frame in frames) and any(frame.input_texts for frame in frames)
    assert json.loads(story({}, []))["head"]["stored"] and story({}, [], "ghost") == ""


@pytest.mark.skipif(not (ROOT / "assets/models/compact-core/config.json").exists(), reason="compact-core is missing")
@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_that_made_them_make_them_again(line, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    argv = shlex.split(line)[3:]
    at = argv.index("--trace") + 1
    stored, argv[at] = argv[at], str(tmp_path / "again.json")
    assert main(argv) == 0
    frames, about = load_trace(argv[at])
    kept, told = load_trace(stored)
    assert about["answer"] == told["answer"] and frames[-1].texts == kept[-1].texts and len(frames) == len(kept)


@pytest.mark.fresh
def test_a_first_visit_plays_a_story_and_another_can_be_chosen(page):
    step_shown(page, 3)
    first, second, *_ = (load_trace(path)[1]["prompt"] for path in stories().values())
    assert page.locator("#viewer .mode").inner_text().lower() == "a stored run"
    assert page.locator("#viewer .asked").inner_text() == first
    open_tab(page, "Keep")
    page.get_by_role("button", name=second).click()
    until(lambda: page.locator("#viewer .asked").inner_text() == second)
    step_shown(page, 8)
    page.get_by_role("button", name=second).click()
    page.wait_for_function(f"() => +{VIEWER}.dataset.cur < 6")
    step_shown(page, 8)
    until(lambda: "This is a stored run" in page.locator("#export-shell").inner_text())
    with page.expect_download() as download:
        page.click("#export-replay")
    assert download.value.suggested_filename == "ssd2-replay.html"
    ask(page, "And now?")
    finished(page, 60)
    until(lambda: last_answer(page) == ANSWER)
    until(lambda: "And now?" in page.locator("#export-shell").inner_text())


def test_a_link_opens_beside_no_stored_run(browser, url):
    with opened(browser, url, query="?prompt=Who%3F&seed=4") as page:
        until(lambda: page.input_value("#prompt textarea") == "Who?")
        page.wait_for_selector("#viewer .empty")
        assert page.locator("#viewer .mode").get_attribute("data-mode") == "empty"


def test_a_story_does_not_cut_into_an_answer(page, log):
    ask(page, "What is the dog called? (waits at 5)")
    page.wait_for_function("() => document.querySelector('#viewer .mode').dataset.mode === 'live'")
    page.click("#stories button >> nth=1")
    told(page, "An answer is being written")
    let_go(log, "What is the dog called? (waits at 5)")
    finished(page, 60)
    until(lambda: last_answer(page) == ANSWER)
    assert page.locator("#viewer .mode").get_attribute("data-mode") == "finished"


def test_every_step_lights_up_a_part_of_the_page(page):
    ask(page, "What lights up?")
    finished(page)
    open_tour(page)
    assert page.locator("#tour li").count() == len(TOUR) and 6 <= len(TOUR) <= 8
    for index, stop in enumerate(TOUR):
        page.focus(f"#tour li button >> nth={index}")
        assert lit(page), stop.title
        assert all(page.evaluate("s => [...document.querySelectorAll('.lit')].every(e => e.matches(s))", part)
                   for part in [stop.parts])
    page.focus("#prompt textarea")
    assert lit(page) == []


def test_the_tour_goes_by_keyboard_and_comes_back(page):
    open_tour(page)
    page.focus("#tour li button >> nth=0")
    page.keyboard.press("Enter")
    card = page.locator(".tour-card")
    assert card.is_visible() and TOUR[0].text in card.inner_text() and lit(page) == ["core"]
    page.keyboard.press("Enter")
    assert TOUR[1].text in card.inner_text() and lit(page) == ["cards"]
    page.wait_for_function("() => { const r = document.querySelector('#cards').getBoundingClientRect();"
                           " return r.bottom > 0 && r.top < innerHeight; }")
    page.keyboard.press("Escape")
    assert card.is_hidden() and page.evaluate("document.activeElement.textContent") == TOUR[1].title
    page.keyboard.press("Escape")
    assert lit(page) == []


def test_with_reduced_motion_nothing_moves_by_itself(browser, url):
    with opened(browser, url, reduced_motion="reduce") as page:
        step_shown(page, 8)
        open_tour(page)
        page.click("#tour li button >> nth=4")
        assert page.evaluate("getComputedStyle(document.querySelector('.lit')).animationName") == "none"
        top = page.evaluate("document.querySelector('.lit').getBoundingClientRect().top")
        assert 0 <= top < 900


def test_the_tabs_fit_a_narrow_screen(browser, url):
    width = 390
    with opened(browser, url, width, 844, "?__theme=dark") as page:
        for name in ("Keep", "Evaluate", "How it works"):
            open_tab(page, name)
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.click("#tour li button >> nth=2")
        box = page.locator(".tour-card").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
