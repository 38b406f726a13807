"""The page with a tiny core of a public layout and a causal LM beside it: words are seen to settle, and are steered."""

import pytest

from tests.support.browser import VIEWER, ask, finished, last_answer, nth, opened, served, until
from tests.support.masked import MASKING, masked_folder
from tests.support.uniform import uniform_folder
from tests.test_next_token_loading import lm_folder

SEEN = "[...document.querySelectorAll('#viewer .block:not([hidden]) .cell')].map(cell => cell.dataset.seen)"
KINDS = {"llada": "llada", "tiny-bd3lm": "a2d-qwen3", "uniform": None}


@pytest.mark.parametrize("name", KINDS)
def test_masks_settle_and_words_are_given_and_filled_in(browser, tmp_path, name):
    masked, user = KINDS[name], tmp_path / "causal"
    core = masked_folder(tmp_path / name, masked) if masked else uniform_folder(tmp_path / name, canvas_length=32)
    user.mkdir()
    lm_folder(user, vocab_size=MASKING.get_vocab_size())
    MASKING.save(str(user / "tokenizer.json"))
    command = ["app.py", "--port", "PORT", "--core", str(core), "--user", str(user)]
    with served(command, tmp_path, 120) as url, opened(browser, url) as page:
        page.wait_for_selector("#status .ready")
        page.fill("#pasted textarea", "my dog is called Biscuit")
        ask(page, "what is my dog called?")
        finished(page, 60)
        assert page.evaluate(f"{VIEWER}.dataset.steps") != "0"
        page.focus("#viewer .scrub")
        page.keyboard.press("Home")
        page.wait_for_function(f"() => {VIEWER}.dataset.cur === '0'")
        first = page.evaluate(SEEN)
        assert len(first) == 32 and (len(set(first)) == 1) == bool(masked)      # all are masks, or random tokens
        page.keyboard.press("End")
        until(lambda: page.evaluate(SEEN)[:32] != first)            # most are settled when the last are predicted
        nth(page, 1).click()
        page.fill("#viewer .steer .word", "Biscuit")
        page.press("#viewer .steer .word", "Enter")
        until(lambda: "With “Biscuit” pinned" in page.inner_text("#chat"))
        until(lambda: "Biscuit" in last_answer(page) and page.locator("#chat .again").count() == 1)
        ask(page, "My dog is called [blank].")
        until(lambda: last_answer(page).startswith("My dog is called"))
        finished(page, 60)
        assert last_answer(page).endswith(".")
