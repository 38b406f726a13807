"""What people export from the page and bring back: trace, replay, link, commands."""

import json
import re
import shlex
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.protocol.messages import Document, Request, Turn
from ssd2_core.protocol.traces import trace_from_json
from ssd2_core.ui.export import commands, share_link
from tests.support.browser import (
    ROOT,
    VIEWER,
    ask,
    finished,
    last_answer,
    logged,
    open_knobs,
    open_tab,
    opened,
    step_shown,
    told,
    until,
)
from tests.support.fake_engine import ANSWER

STEPS = 32
SHARED = True                   # the page, but for a test that changes settings
LIMITS = Settings().limits
FITS = {"compact-core": ["compact-reader", "compact-islander"]}


@pytest.fixture
def page(page):
    open_tab(page, "Keep")
    return page


def answered(page, prompt: str, document: str = "A <b>secret</b> note.") -> None:
    page.fill("#pasted textarea", document)
    ask(page, prompt)
    finished(page, 60)
    until(lambda: last_answer(page) == ANSWER)


def saved(page, button: str, path) -> str:
    with page.expect_download() as download:
        page.click(button)
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_a_trace_is_the_run_without_documents_and_with_them_when_asked(page, tmp_path):
    answered(page, "What is </script><!-- the dog called?")
    text = saved(page, "#export-trace", tmp_path / "a.json")
    frames, about = trace_from_json(text)
    assert len(frames) == STEPS and about["answer"] == ANSWER and about["prompt"] == "What is </script><!-- the dog called?"
    assert about["titles"] == {"core": "Compact core", "compact-reader": "Reader"} and about["figures"]["steps"] == STEPS
    assert about["settings"]["ensemble"]["lam"] == {"compact-reader": 0.5} and about["documents"] == []
    assert "secret" not in text
    page.check("#export-documents input")
    _, about = trace_from_json(saved(page, "#export-trace", tmp_path / "b.json"))
    assert about["documents"] == [{"name": "pasted text", "text": "A <b>secret</b> note."}]
    page.uncheck("#export-documents input")


def test_a_trace_comes_back_on_stage_and_goes_out_again(page, tmp_path):
    answered(page, "What is <i>the</i> dog called?")
    saved(page, "#export-trace", tmp_path / "a.json")
    page.click("#clear")
    page.wait_for_selector("#viewer .empty")
    page.set_input_files("#export-open input[type=file]", tmp_path / "a.json")
    page.wait_for_function("() => document.querySelector('#viewer .mode').dataset.mode === 'stored'")
    step_shown(page, STEPS - 1)
    assert page.locator("#viewer .asked").inner_text() == "What is <i>the</i> dog called?"
    cells = "".join(page.locator("#viewer .block:not([hidden]) .cell:not(.ends):not(.after)").all_inner_texts())
    assert cells == ANSWER.replace(" ", "") and page.locator("#viewer .asked i, #viewer .cell b").count() == 0
    assert "25 tokens" in page.locator("#viewer .figures").inner_text()
    again = json.loads(saved(page, "#export-trace", tmp_path / "b.json"))
    assert again == json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))


def test_a_broken_trace_is_one_sentence_and_the_stage_stays(page, tmp_path):
    answered(page, "What?")
    (tmp_path / "a.json").write_text('{"version": 2, "about": {}, "frames": [{"evil": "<img src=x onerror=alert(1)>"}]}')
    page.set_input_files("#export-open input[type=file]", tmp_path / "a.json")
    told(page, "Frame 1 ")
    assert page.locator(".toast-body img").count() == 0
    assert page.locator("#viewer .mode").get_attribute("data-mode") == "finished"


@pytest.mark.fresh
def test_with_nothing_to_keep_the_page_says_so(page):
    page.click("#export-replay")
    told(page, "no finished answer")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_replay_opens_from_a_disk_without_any_request(browser, page, tmp_path, width, scheme):
    prompt = "What is </script><script>window.hit=1</script><!-- the dog called?"
    answered(page, prompt)
    text = saved(page, "#export-replay", tmp_path / "replay.html")
    assert "secret" not in text
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    replay, asked, complaints = context.new_page(), [], []
    replay.on("request", lambda r: asked.append(r.url))
    replay.on("pageerror", lambda e: complaints.append(str(e)))
    replay.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    replay.goto((tmp_path / "replay.html").as_uri())
    replay.wait_for_function(f"n => +{VIEWER}.dataset.cur === n - 1", arg=STEPS)
    assert replay.locator("#viewer .asked").inner_text() == prompt and replay.evaluate("window.hit") is None
    assert replay.locator("#viewer .mode").inner_text().lower() == "a stored run"
    replay.hover("#viewer .cell >> nth=1")
    assert "decided by" in replay.locator("#viewer .who").inner_text()
    replay.focus("#viewer .scrub")
    replay.keyboard.press("Home")
    replay.wait_for_function(f"() => {VIEWER}.dataset.cur === '0'")
    dark = replay.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 21, 24)"
    assert dark == (scheme == "dark")
    assert replay.evaluate("document.documentElement.scrollWidth") <= width
    assert replay.locator("#viewer .map canvas").bounding_box()["width"] > 0.6 * min(width, 860)
    assert asked == [(tmp_path / "replay.html").as_uri()] and complaints == []
    context.close()


@pytest.mark.fresh
def test_a_link_restores_the_panels(browser, page, url, log):
    open_knobs(page)
    page.check("#pick-compact-islander input")
    for selector, value in (("#weight-compact-reader", "0.25"), ("#weight-compact-islander", "0.15"), ("#num-steps", "7"),
                            ("#tau", "1.5"), ("#seed", "1234"), ("#max-new-tokens", "21")):
        page.fill(f"{selector} input[type=number]", value)
        page.press(f"{selector} input[type=number]", "Tab")
    page.check("#weights input[value=schedule]")
    page.fill("#pasted textarea", "A secret note.")
    page.fill("#prompt textarea", "Who & what = 100 % “so”?")
    page.click("#export-link")
    link = until(lambda: page.locator("#export-url textarea, #export-url input").input_value())
    assert link.startswith(url + "/?") and "secret" not in link
    with opened(browser, url, query=link.split("/", 3)[3]) as other:
        until(lambda: other.input_value("#prompt textarea") == "Who & what = 100 % “so”?")
        until(lambda: "15" in other.locator("#mix").inner_text())
        other.click("#send")
        finished(other, 60)
    asked = logged(log, "submit")[-1]["request"]
    lam = {"compact-reader": 0.25, "compact-islander": 0.15}
    assert EnsembleParams(**asked["ensemble"]) == EnsembleParams(lam, "schedule", 1.5)
    assert SamplingParams(**asked["sampling"]) == SamplingParams(7, 16, 21, seed=1234)
    assert asked["documents"] == []


def test_a_wrong_link_is_a_sentence_and_the_default(browser, url):
    with opened(browser, url, query="?steps=900&prompt=Hi%3F&seed=4") as page:
        told(page, "The link's num_steps must lie between 1 and 64, not 900.")
        until(lambda: page.input_value("#prompt textarea") == "Hi?")
        open_knobs(page)
        assert page.input_value("#num-steps input[type=number]") == "16" and page.input_value("#seed input") == "4"


def test_a_link_says_what_it_was_made_of():
    sampling, ensemble = SamplingParams(9, 8, 40, "multihot", 0.7, 3, "entropy"), EnsembleParams(
        {"compact-reader": 0.4, "mine-x": 0.1}, "constant", 0.3, 0.25, 1.5, -0.7)
    query = share_link.to_query("compact-core", sampling, ensemble, "a & b?")
    found, problems = share_link.from_query({k: v[0] for k, v in parse_qs(urlsplit(query).query).items()}, FITS, "", LIMITS)
    assert problems == [] and found.pop("users") == {"compact-reader": 0.4} and found.pop("prompt") == "a & b?"
    assert found.pop("core") == "compact-core"
    names = ("weights", "tau", "schedule_end", "alpha", "guidance")
    assert [found.pop(name) for name in names] == ["constant", 0.3, 0.25, 1.5, -0.7]
    assert SamplingParams(**found) == sampling


def test_the_commands_name_every_setting():
    asked = Request("", "Hi?", users=("compact-reader",), ensemble=EnsembleParams({"compact-reader": 0.4}, guidance=-0.7))
    assert "--guidance -0.7" in commands.shell(asked, []) and "guidance=-0.7," in commands.client(asked, [], "http://x")


@pytest.mark.parametrize(("key", "value"), [
    ("users", "ghost:0.3"), ("users", "compact-reader:x"), ("users", "compact-reader:0.9,compact-islander:0.9"), ("tau", "nan"),
    ("tau", "x" * 900), ("seed", "-1"), ("seed", "9" * 5000), ("core", "ghost"), ("prompt", "x" * 9000), ("prompt", "\x00"),
    ("rule", "best")])
def test_wrong_values_of_a_link_are_one_short_sentence(key, value):
    found, problems = share_link.from_query({key: value}, FITS, "compact-core", LIMITS)
    assert found == {} and len(problems) == 1 and len(problems[0]) < 200


def test_commands_say_what_they_do_not_repeat():
    request = Request("", "What?", users=("mine-x",), history=(Turn("user", "Hi"),), documents=(Document("d", "x" * 9000),),
                      ensemble=EnsembleParams({"mine-x": 0.2}))
    assert len(commands.notes(request, True, True)) == 5 and commands.notes(Request("", "What?"), False, False) == []
    assert "x" * 100 not in commands.shell(request, []) and "document-1.txt" in commands.client(request, [], "http://a")


def test_commands_that_the_page_refuses_say_why(hostile_url, tmp_path):
    request = Request("", "What is my dog called?", documents=(Document("a", "x"),) * (LIMITS.max_documents + 1))
    written = [commands.client(request, [], hostile_url),
               next(code.replace("http://127.0.0.1:7860", hostile_url).replace("What is my dog called?", " ")
                    for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
                    if "gradio_client" in code)]
    for code, said in zip(written, ("may have at most 8 entries, not 9", "The prompt is empty"), strict=True):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, cwd=tmp_path)
        assert out.returncode == 1 and said in out.stderr, out


def test_a_prompt_that_looks_like_an_option_stays_a_prompt():
    from ssd2_core.__main__ import parser
    words = shlex.split(commands.shell(Request("", "--steps 3"), []).replace("\\\n", " "))
    assert parser().parse_args(words[3:]).prompt == "--steps 3"
