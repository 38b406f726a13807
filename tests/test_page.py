"""The page in a real browser, with an engine whose every token is known."""

import pytest

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Request
from ssd2_core.protocol.traces import trace_to_json
from ssd2_core.ui.examples import EXAMPLES
from tests.support.browser import (
    VIEWER,
    ask,
    finished,
    last_answer,
    let_go,
    logged,
    open_knobs,
    opened,
    served,
    set_number,
    step_shown,
    told,
    until,
)
from tests.support.fake_engine import ANSWER, FakeEngine

STEPS = 32
SHARED = True                   # the page, but for tests that change settings or documents


def cells(page) -> str:
    return "".join(page.locator("#viewer .block:not([hidden]) .cell:not(.ends):not(.after)").all_inner_texts())


@pytest.mark.fresh
def test_opens_with_title_and_status(page):
    assert page.locator("h1").inner_text() == "SSD-2 Studio"
    page.wait_for_selector("#status .ready")
    until(lambda: page.locator("#mix").inner_text().split() == "To begin with: core 50 %, Reader 50 %.".split())


def test_every_step_arrives_and_is_painted_while_it_happens(page, log):
    prompts = [f"What happens? (waits at {step})" for step in (1, 7, 20)]
    for prompt in prompts:
        ask(page, prompt)
        at = int(prompt.split()[-1].strip(")"))
        page.wait_for_function(f"at => +{VIEWER}.dataset.steps === at && +{VIEWER}.dataset.cur === at - 1", arg=at)
        assert not page.evaluate(f"{VIEWER}.dataset.done")
        let_go(log, prompt)
        finished(page)
    step_shown(page, STEPS - 1)
    assert page.evaluate(f"+{VIEWER}.dataset.steps") == STEPS
    page.wait_for_function(f"() => document.querySelector('#viewer .chart').dataset.drawn == {STEPS}")


@pytest.mark.attack(18)
def test_the_answer_is_exact_and_never_runs(page):
    ask(page, "What is the dog called?")
    finished(page)
    until(lambda: last_answer(page) == ANSWER)
    assert cells(page) == ANSWER.replace(" ", "")
    assert page.locator("#viewer .cell b, #chat [data-testid=bot] b").count() == 0
    assert "cpu · float32" in page.locator("#viewer .figures").inner_text()
    assert page.input_value("#prompt textarea") == ""


@pytest.mark.attack(16)
def test_stop_keeps_what_is_written(page):
    ask(page, "What is the dog called? (waits at 20)")
    step_shown(page, 18)
    page.click("#stop")
    finished(page)
    assert "stopped" in page.locator("#viewer .figures").inner_text()
    assert page.evaluate(f"+{VIEWER}.dataset.steps") < STEPS and page.get_attribute("#viewer .mode", "data-mode") == "stopped"
    until(lambda: last_answer(page).startswith("The dog in your letter"))
    page.wait_for_selector("#stop:disabled")


@pytest.mark.fresh
def test_a_weight_moved_during_a_run_reaches_the_engine(page, log):
    ask(page, "Whose weight is moved? (waits at 5)")
    step_shown(page, 3)
    set_number(page, "#weight-compact-reader", "0.9")
    run = logged(log, "submit")[-1]["id"]
    moved = {"compact-reader": 0.9}
    until(lambda: any(e["id"] == run and e["ensemble"]["lam"] == moved for e in logged(log, "control")))
    let_go(log, "Whose weight is moved? (waits at 5)")
    finished(page)
    page.focus("#viewer .cell >> nth=1")
    assert "90" in page.locator("#viewer .bars").inner_text()


@pytest.mark.fresh
def test_weights_over_one_are_said_and_refused(page, log):
    page.check("#pick-compact-islander input")
    set_number(page, "#weight-compact-islander", "0.8")
    page.wait_for_selector("#mix .over")
    before = len(logged(log, "submit"))
    ask(page, "What is the dog called?")
    told(page, "add up")
    assert page.input_value("#prompt textarea") == "What is the dog called?"
    assert len(logged(log, "submit")) == before


@pytest.mark.fresh
def test_every_control_reaches_the_request(page, log):
    open_knobs(page)
    page.check("#pick-compact-islander input")
    for selector, value in (("#weight-compact-reader", "0.25"), ("#weight-compact-islander", "0.15"), ("#num-steps", "7"),
                            ("#block-length", "9"), ("#max-new-tokens", "21"), ("#tau", "1.5"), ("#alpha", "0.75"),
                            ("#top-p", "0.6"), ("#seed", "1234"), ("#schedule-end", "0.35"), ("#guidance", "-0.7")):
        set_number(page, selector, value)
    page.check("#weights input[value=schedule]")
    page.check("#projection input[value=multihot]")
    page.check("#early-exit input[value=entropy]")
    page.fill("#pasted textarea", "A note.")
    ask(page, "What does the note say?")
    finished(page)
    asked = logged(log, "submit")[-1]["request"]
    assert asked["prompt"] == "What does the note say?"
    assert asked["documents"] == [{"name": "pasted text", "text": "A note."}]
    assert asked["users"] == ["compact-reader", "compact-islander"]
    lam = {"compact-reader": 0.25, "compact-islander": 0.15}
    assert EnsembleParams(**asked["ensemble"]) == EnsembleParams(lam, "schedule", 1.5, 0.35, 0.75, -0.7)
    assert SamplingParams(**asked["sampling"]) == SamplingParams(7, 9, 21, "multihot", 0.6, 1234, "entropy")


def test_history_goes_along_and_is_private_with_documents(page, log):
    ask(page, "First question?")
    finished(page)
    until(lambda: last_answer(page) == ANSWER)
    page.fill("#pasted textarea", "A note.")
    ask(page, "Second question?")
    until(lambda: logged(log, "submit")[-1]["request"]["prompt"] == "Second question?")
    history = logged(log, "submit")[-1]["request"]["history"]
    assert [(t["role"], t["text"], t["private"]) for t in history] == [
        ("user", "First question?", False), ("assistant", ANSWER, False)]
    page.wait_for_function(f"() => !{VIEWER}.dataset.done")
    finished(page)
    page.wait_for_selector("#stop:disabled")
    ask(page, "Third question?")
    until(lambda: logged(log, "submit")[-1]["request"]["prompt"] == "Third question?")
    assert [t["private"] for t in logged(log, "submit")[-1]["request"]["history"]] == [False, False, True, True]


def test_clear_forgets_the_conversation(page, log):
    ask(page, "First question?")
    finished(page)
    page.click("#clear")
    page.wait_for_selector("#viewer .empty")
    assert page.locator("#chat [data-testid=bot]").count() == 0
    ask(page, "After clearing?")
    until(lambda: logged(log, "submit")[-1]["request"]["prompt"] == "After clearing?")
    assert logged(log, "submit")[-1]["request"]["history"] == []
    finished(page)


def test_a_failed_run_is_one_sentence_and_the_prompt_comes_back(page):
    ask(page, "please fail")
    until(lambda: page.locator("#chat [data-testid=bot]").count() and "please ask again" in last_answer(page))
    until(lambda: page.input_value("#prompt textarea") == "please fail")


@pytest.mark.attack(18)
def test_an_empty_prompt_is_one_sentence(page):
    page.click("#send")
    told(page, "The prompt is empty")


@pytest.mark.fresh
def test_examples_fill_the_page(page):
    page.click("#example-3")
    until(lambda: page.input_value("#prompt textarea") == EXAMPLES[3].prompt)
    until(lambda: page.is_checked("#pick-compact-islander input") and not page.is_checked("#pick-compact-reader input"))
    page.click("#example-0")
    until(lambda: page.input_value("#pasted textarea") == EXAMPLES[0].document)
    until(lambda: page.is_checked("#pick-compact-reader input"))


@pytest.mark.fresh
@pytest.mark.attack(18)
def test_the_text_of_a_file_can_be_read_and_changed(page, log, tmp_path):
    for name, text in (("one.txt", "My dog is Biscuit."), ("two.md", "<b>Ulvik</b> ${x}"), ("three.txt", "Go.")):
        (tmp_path / name).write_text(text)
    page.set_input_files("#files input[type=file]", [tmp_path / "one.txt", tmp_path / "two.md"])
    area, chips = page.locator("#document-text textarea"), page.locator("#document-chips .show")
    until(lambda: chips.all_inner_texts() == ["one.txt\n18 characters", "two.md\n17 characters"] and not area.is_visible())
    chips.first.click()
    until(lambda: area.is_visible() and area.input_value() == "My dog is Biscuit.")
    area.fill("My small dog is Brimsel.")
    until(lambda: chips.first.inner_text() == "one.txt\n24 characters")
    chips.last.click()
    until(lambda: area.input_value() == "<b>Ulvik</b> ${x}")
    chips.first.click()
    until(lambda: area.input_value() == "My small dog is Brimsel." and chips.first.get_attribute("aria-expanded") == "true")
    chips.first.click()
    until(lambda: not area.is_visible())
    page.set_input_files("#files input[type=file]", [tmp_path / "three.txt"])       # to those that are here
    until(lambda: chips.count() == 3)
    page.get_by_role("button", name="Remove three.txt").click()
    until(lambda: chips.count() == 2)
    ask(page, "What is the dog called?")
    finished(page)
    texts = [d["text"] for d in logged(log, "submit")[-1]["request"]["documents"]]
    assert texts == ["My small dog is Brimsel.", "<b>Ulvik</b> ${x}"]


@pytest.mark.attack(18)
def test_what_was_read_is_shown(page):
    page.fill("#pasted textarea", "A <b>note</b>.")
    ask(page, "What is the dog called?")
    finished(page)
    shown = page.locator("#viewer .reading")
    assert shown.locator("summary").inner_text() == "What was read: Compact core 12 tokens, Reader 12 tokens; " \
                                                    "passages read: 1, left out: 1"
    shown.locator("summary").click()
    assert shown.locator("li").all_inner_texts() == ["readA <b>note</b>.", "left outThe rest"]
    page.click("#clear")
    page.wait_for_selector("#viewer .reading", state="hidden")


@pytest.mark.fresh
@pytest.mark.attack(11)
def test_files_are_read_and_a_bad_one_costs_one_sentence(page, log, tmp_path):
    (tmp_path / "good.txt").write_text("The dog is called Biscuit.")
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.4 broken")
    page.set_input_files("#files input[type=file]", [tmp_path / "good.txt", tmp_path / "bad.pdf"])
    told(page, "bad.pdf")
    until(lambda: "good.txt" in page.locator("#document-chips").inner_text())
    ask(page, "What is the dog called?")
    finished(page)
    assert [d["name"] for d in logged(log, "submit")[-1]["request"]["documents"]] == ["good.txt"]


def test_keyboard_sends_walks_and_scrubs(page):
    page.focus("#prompt textarea")
    page.keyboard.type("What is the dog called?")
    page.keyboard.press("Enter")
    finished(page)
    page.focus("#viewer .cell >> nth=0")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "dog"
    assert "percent sure" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert page.locator("#viewer .bars .row").count() == 2
    page.focus("#viewer .scrub")
    page.keyboard.press("Home")
    page.wait_for_function(f"() => {VIEWER}.dataset.cur === '0'")
    assert page.locator("#viewer .where").inner_text() == "block 1 of 2, step 1 of 16, noise 100 %"
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => {VIEWER}.dataset.cur === '1'")
    page.click("#viewer .play")
    page.wait_for_function(f"() => +{VIEWER}.dataset.cur > 5")
    page.click("#viewer .play")


@pytest.mark.parametrize(("width", "height", "query"), [(390, 844, "?__theme=light"), (1280, 900, "?__theme=dark")])
def test_no_horizontal_overflow(browser, url, width, height, query):
    with opened(browser, url, width, height, query) as page:
        assert page.evaluate("document.body.classList.contains('dark')") == ("dark" in query)
        ask(page, "What is the dog called?")
        finished(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = page.evaluate("""w => [...document.querySelectorAll('#studio *')].filter(e =>
            e.getBoundingClientRect().right > w + 1 && e.checkVisibility()).map(e => e.className).slice(0, 5)""", width)
        assert not wide


def test_reduced_motion_still_shows_everything(browser, url):
    with opened(browser, url, reduced_motion="reduce") as page:
        ask(page, "What is the dog called?")
        finished(page)
        until(lambda: last_answer(page) == ANSWER)


@pytest.mark.attack(15)
@pytest.mark.attack(16)
def test_two_visitors_do_not_touch_each_other(browser, url, log):
    with opened(browser, url) as one, opened(browser, url) as two:
        ask(one, "The first visitor asks. (waits at 5)")
        ask(two, "The second visitor asks. (waits at 5)")
        step_shown(one, 4)
        two.click("#stop")
        finished(two)
        let_go(log, "The first visitor asks. (waits at 5)")
        finished(one)
        assert one.evaluate(f"+{VIEWER}.dataset.steps") == STEPS
        until(lambda: last_answer(one) == ANSWER)


@pytest.mark.attack(16)
def test_asking_again_ends_the_earlier_run(page, log):
    ask(page, "The earlier question? (waits at 5)")
    step_shown(page, 3)
    earlier = logged(log, "submit")[-1]["id"]
    ask(page, "The later question?")
    until(lambda: any(e["id"] == earlier for e in logged(log, "cancel")))
    finished(page)
    until(lambda: last_answer(page) == ANSWER)
    assert "The later question?" in page.locator("#chat").inner_text()


@pytest.mark.attack(16)
def test_closing_the_tab_ends_the_run(browser, url, log):
    with opened(browser, url) as page:
        ask(page, "Who leaves? (waits at 5)")
        step_shown(page, 2)
        run = logged(log, "submit")[-1]["id"]
    until(lambda: any(e["id"] == run for e in logged(log, "cancel")))


def test_the_first_visit_shows_a_stored_run(browser, tmp_path):
    engine = FakeEngine(Settings())
    engine.submit(Request("r", "What is the dog called?", users=("compact-reader",),
                          ensemble=EnsembleParams(lam={"compact-reader": 0.5})))
    frames = [event for event in engine.stream("r") if isinstance(event, Frame)]
    (tmp_path / "a.json").write_text(trace_to_json(frames, {"prompt": "What is the dog called?"}), encoding="utf-8")
    with (served(["-m", "tests.support.fake_app", "PORT", str(tmp_path / "log"), "0.05", str(tmp_path)], tmp_path) as address,
          opened(browser, address) as page):
        step_shown(page, 3)
        assert page.locator("#viewer .mode").inner_text().lower() == "a stored run"
        assert page.locator("#viewer .asked").inner_text() == "What is the dog called?"
        step_shown(page, STEPS - 1)
        assert cells(page) == ANSWER.replace(" ", "")
        ask(page, "And now? (waits at 5)")
        page.wait_for_function("() => document.querySelector('#viewer .mode').dataset.mode === 'live'")
        let_go(tmp_path / "log", "And now? (waits at 5)")
        finished(page)
        until(lambda: last_answer(page) == ANSWER)


def test_the_public_endpoint_streams(url, log):
    client = pytest.importorskip("gradio_client").Client(url, verbose=False)
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/generate"]
    job = client.submit("What is the dog called?", "A note.", ["compact-reader"], 0.4, "constant", 8, 3,
                        api_name="/generate")
    *frames, final = list(job)
    assert [(f["block"], f["step"]) for f in frames] == [(b, s) for b in range(2) for s in range(1, 9)]
    assert final["answer"] == ANSWER and final["finish_reason"] == "eos"
    asked = logged(log, "submit")[-1]["request"]
    assert asked["ensemble"]["lam"] == {"compact-reader": 0.4} and asked["sampling"]["seed"] == 3
    with pytest.raises(Exception, match="steps must lie between 1 and 64"):
        client.predict("What?", steps=99, api_name="/generate")           # by its old name
    with pytest.raises(Exception, match="num_steps must lie between 1 and 64, not 99"):
        client.predict("What?", num_steps=99, api_name="/generate")
    with pytest.raises(Exception, match="weight must lie between"):
        client.predict("What?", weight=7, api_name="/generate")
