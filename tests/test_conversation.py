"""The conversation: ask again, edit, copy, an older answer on stage, who decided it, and a new seed for each question."""

import pytest

from ssd2_core.errors import VisitorError
from ssd2_core.ui.handlers.chat import question_at
from tests.support.browser import VIEWER, ask, last_answer, logged, open_knobs, until
from tests.support.fake_engine import ANSWER

SHARED = True                   # the page, but for tests that change its settings
BOT = "#chat [data-testid=bot]"


def answered(page, prompt: str) -> None:
    """Ask and wait for the whole answer in the conversation."""
    before = page.locator("#chat .turn.assistant .copy").count()
    ask(page, prompt)
    until(lambda: page.locator("#chat .turn.assistant .copy").count() == before + 1)
    page.wait_for_selector("#stop:disabled")


def requests(log) -> list[dict]:
    return [entry["request"] for entry in logged(log, "submit")]


def questions(page) -> list[str]:
    return page.locator("#chat [data-testid=user]").all_inner_texts()


def test_follow_ups_over_eight_turns_carry_what_was_said(page, log):
    for n in range(8):
        answered(page, f"Question {n}?")
    texts = [turn["text"] for turn in requests(log)[-1]["history"]]
    assert texts == [text for n in range(7) for text in (f"Question {n}?", ANSWER)]
    assert questions(page) == [f"Question {n}?" for n in range(8)] and page.locator(BOT).count() == 8


def test_again_asks_the_last_question_with_a_new_seed(page, log):
    for prompt in ("First?", "Second?"):
        answered(page, prompt)
    page.fill("#prompt textarea", "half a thought")
    before = len(requests(log))
    page.locator("#chat .again").click()
    until(lambda: len(requests(log)) > before and page.locator("#chat .again").count() == 1)
    assert questions(page) == ["First?", "Second?"] and page.input_value("#prompt textarea") == "half a thought"
    second, again = (r for r in requests(log)[-3:] if r["prompt"] == "Second?")
    assert again["history"] == second["history"] and len(again["history"]) == 2
    assert second["sampling"]["seed"] != again["sampling"]["seed"]


def test_a_question_is_edited_and_asked_again(page, log):
    answered(page, "What is <b>it</b>?")
    answered(page, "And then?")
    page.locator("#chat .edit").first.click()
    area = page.locator("#chat .editing textarea")
    assert area.input_value() == "What is <b>it</b>?"
    area.press("Escape")
    assert page.locator("#chat .editing").count() == 0
    page.locator("#chat .edit").first.click()
    area.fill("Who is it?")
    area.press("Enter")
    until(lambda: questions(page) == ["Who is it?"] and page.locator("#chat .again").count() == 1)
    assert requests(log)[-1]["prompt"] == "Who is it?" and requests(log)[-1]["history"] == []
    assert page.locator("#chat b").count() == 0


def test_each_answer_says_who_decided_it_and_brings_its_run_on_stage(page, log):
    answered(page, "First?")
    answered(page, "Second?")
    first, second = (entry["id"] for entry in logged(log, "submit")[-2:])
    on_stage = f"{VIEWER}.dataset.run"
    assert page.evaluate(on_stage) == second
    bar = page.locator("#chat .show").first
    assert "Compact core 50" in bar.get_attribute("aria-label") and bar.locator(".split i").count() == 2
    bar.click()
    until(lambda: page.evaluate(on_stage) == first)
    assert page.locator("#chat .on-stage").count() == 1
    page.locator(BOT).last.click()
    until(lambda: page.evaluate(on_stage) == second)


def test_an_answer_that_had_no_room_for_more_says_so(page):
    answered(page, "First?")
    assert page.locator("#chat .cut").count() == 0
    answered(page, "Which is cut short?")
    assert "cut off" in page.locator("#chat .turn").last.locator(".cut").inner_text()


def test_an_answer_is_copied_as_it_reads(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answered(page, "What?")
    page.locator("#chat .copy").click()
    until(lambda: page.evaluate("navigator.clipboard.readText()") == ANSWER)


@pytest.mark.fresh
def test_a_pinned_seed_stays(page, log):
    open_knobs(page)
    page.fill("#seed input", "77")
    page.press("#seed input", "Tab")
    answered(page, "One?")
    page.locator("#chat .again").click()
    until(lambda: len([r for r in requests(log) if r["prompt"] == "One?"]) == 2)
    assert [r["sampling"]["seed"] for r in requests(log) if r["prompt"] == "One?"] == [77, 77]
    until(lambda: last_answer(page) == ANSWER and "seed 77" in page.locator("#viewer .figures").inner_text())


@pytest.mark.parametrize("index", [None, "0", True, -1, 1, 9, 0.0])
def test_only_questions_of_the_conversation_are_asked_again(index):
    chat = [{"role": "user", "text": "A?"}, {"role": "assistant", "text": "B."}]
    with pytest.raises(VisitorError, match="not in the conversation"):
        question_at(chat, index)
    assert question_at(chat, 0) == chat[0]
