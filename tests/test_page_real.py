"""The whole way with the real engine and models in a browser: paste a document, ask, get the right answer."""

import pytest

from ssd2_core.ui.strings import EXAMPLES
from tests.support.browser import ROOT, finished, last_answer, opened, served, until

MODELS = ROOT / "assets" / "models"
pytestmark = pytest.mark.skipif(not (MODELS / "compact-core" / "config.json").exists(),
                                reason="assets/models/compact-core is missing")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served(["app.py", "--port", "PORT"], tmp_path_factory.mktemp("real"), 120) as address:
        yield address


def ask_example(page, number: int) -> str:
    page.click(f"#example-{number}")
    until(lambda: page.input_value("#prompt textarea") == EXAMPLES[number].prompt)
    page.click("#send")
    finished(page, 120)
    until(lambda: page.locator("#chat [data-testid=bot]").count())
    page.wait_for_selector("#stop:disabled")
    return last_answer(page)


def test_a_pasted_document_is_answered(browser, url):
    with opened(browser, url) as page:
        assert "Biscuit" in ask_example(page, 0)
        line = page.locator("#viewer .figures").inner_text()
        assert "forwards" in line and "tokens per second" in line
        assert page.locator("#viewer .legend li").count() == 2


def test_general_knowledge_needs_no_document(browser, url):
    with opened(browser, url) as page:
        assert "Paris" in ask_example(page, 2)


@pytest.mark.skipif(not (MODELS / "compact-islander" / "config.json").exists(), reason="compact-islander is missing")
def test_the_specialist_knows_the_island(browser, url):
    with opened(browser, url) as page:
        assert "Port Amber" in ask_example(page, 3)
