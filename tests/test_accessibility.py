"""axe-core (MPL-2.0, in tests/data/axe) on the page before and after a run: no violation of ours, of any impact above minor."""

import pytest

from tests.support.browser import ROOT, ask, finished, open_knobs, opened

AXE = ROOT / "tests" / "data" / "axe" / "axe.min.js"
# gradio's own parts: its footer, the label of its upload button, comments in its code boxes
GRADIO = {"color-contrast": (".show-api", ".settings", "ͼ"), "label-content-name-mismatch": (".upload-container",)}


def violations(page) -> list[str]:
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{entry['id']} ({entry['impact']}): {node['html'][:80]} {node['failureSummary'][-160:]}"
            for entry in found if entry["impact"] != "minor" for node in entry["nodes"]
            if not any(part in str(node["target"]) for part in GRADIO.get(entry["id"], ()))]


@pytest.mark.parametrize(("size", "theme"), [((1280, 900), "light"), ((390, 844), "dark")])
def test_axe_finds_nothing_of_ours(browser, url, size, theme):
    with opened(browser, url, *size, query=f"?__theme={theme}") as page:
        assert violations(page) == []
        for tab in page.locator("#more button[role=tab]").all():
            if tab.is_visible():
                tab.click()
                assert violations(page) == []
        open_knobs(page)
        page.click("#own > button")
        page.fill("#pasted textarea", "My dog is called Biscuit.")
        ask(page, "What is the dog called?")
        finished(page)
        page.locator("#viewer .cell").nth(2).click()
        page.wait_for_selector("#viewer .found", state="visible")
        assert violations(page) == []


def test_axe_would_find_something(browser, url):
    with opened(browser, url) as page:
        page.evaluate("document.querySelector('#viewer .word').removeAttribute('aria-label')")
        page.evaluate("document.querySelector('#viewer .steer').hidden = false")
        page.evaluate("document.querySelector('#viewer .word').removeAttribute('placeholder')")
        assert any("label" in entry for entry in violations(page))
