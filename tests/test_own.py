"""A visitor's own model on the page: brought, used, downloaded, brought again, removed, gone with the tab; never another's."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from ssd2_core.errors import VisitorError
from ssd2_core.ui import strings
from ssd2_core.ui.handlers.own_models import pair_of
from tests.support.browser import ask, finished, last_answer, logged, opened, told, until
from tests.test_visitors import SHEET, WEIGHTS


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def url(real_url):
    return real_url


@pytest.fixture(scope="module")
def mine(place):
    """The files of a good model, and of one whose weights are not finite."""
    (place / "mine.json").write_text(json.dumps(SHEET | {"title": "My <b>reader</b>", "summary": "Knows me."}))
    (place / "mine.safetensors").write_bytes(WEIGHTS.read_bytes())
    tensors = {name: t.float() for name, t in load_file(WEIGHTS).items()}
    tensors["lm.model.norm.weight"][:] = float("nan")
    save_file(tensors, place / "bad.safetensors")
    return place


def bring(page, *files) -> None:
    if not page.is_visible("#own-bring"):
        page.click("#own > button")
    page.set_input_files("#own-bring input[type=file]", list(files))


@pytest.mark.attack(3)
def test_both_files_are_needed():
    for paths in (None, [], ["a.json"], ["a.json", "b.json"], ["a.safetensors", "b.json", "c.json"], ["a.pt", "b.json"]):
        with pytest.raises(VisitorError) as caught:
            pair_of(paths)
        assert str(caught.value) == strings.OWN_PAIR
    assert pair_of(["b.json", "a.SAFETENSORS"]) == (Path("a.SAFETENSORS"), Path("b.json"))


@pytest.mark.attack(12)
def test_only_copies_in_the_upload_folder_are_deleted(tmp_path, monkeypatch):
    from ssd2_core.ui import events
    monkeypatch.setattr(events, "get_upload_folder", lambda: str(tmp_path / "home"))
    (tmp_path / "home" / "x").mkdir(parents=True)
    inside, outside = tmp_path / "home" / "x" / "a.json", tmp_path / "app.py"
    inside.write_text("1")
    outside.write_text("1")
    events.discard([str(inside), str(outside), str(tmp_path / "home" / ".." / "app.py"), str(tmp_path / "home" / "gone")])
    events.discard(None)
    assert outside.exists() and not inside.exists()


def test_a_model_is_brought_used_downloaded_and_removed(browser, url, mine, tmp_path):
    with opened(browser, url, height=1500) as page:
        page.wait_for_selector("#status .ready")
        bring(page, mine / "mine.json", mine / "mine.safetensors")
        page.wait_for_selector("#pick-own-0", state="visible")
        assert "My <b>reader</b>" in page.locator("#pick-own-0").inner_text() and page.is_checked("#pick-own-0 input")
        assert "Knows me." in page.locator("#pick-own-0").inner_text() and not page.is_visible("#pick-own-1")
        page.uncheck("#pick-compact-reader input")
        page.fill("#weight-own-0 input[type=number]", "0.6")
        page.press("#weight-own-0 input[type=number]", "Tab")
        page.wait_for_function(
            "() => /My <b>reader<.b> 60/.test(document.querySelector('#mix').textContent.replace(/\\s/g, ' '))"
        )
        page.fill("#pasted textarea", "My dog is called Biscuit. We live in Oslo.")
        ask(page, "What is the name of the dog?")
        finished(page, 60)
        until(lambda: "Biscuit" in last_answer(page))
        assert "My <b>reader</b>" in page.locator("#viewer .legend").inner_text()
        page.click("#download-own-0")
        until(lambda: page.locator("#own-files a[download]").count() >= 2)
        files = []
        for link in page.locator("#own-files a[download]").all()[:2]:
            with page.expect_download() as got:
                link.click()
            got.value.save_as(tmp_path / got.value.suggested_filename)
            files.append(tmp_path / got.value.suggested_filename)
        assert sorted(file.name for file in files) == ["my-model.json", "my-model.safetensors"]
        assert (tmp_path / "my-model.safetensors").read_bytes() == WEIGHTS.read_bytes()
        page.click("#remove-own-0")
        page.wait_for_selector("#pick-own-0", state="hidden")
        page.wait_for_function("() => document.querySelector('#mix').textContent.includes('alone')")
        bring(page, *files)  # what was downloaded can be brought back
        page.wait_for_selector("#pick-own-0", state="visible")


@pytest.mark.attack(8)
def test_a_bad_model_costs_one_sentence_and_the_page_goes_on(browser, url, mine):
    with opened(browser, url, height=1500) as page:
        page.wait_for_selector("#status .ready")
        for files, rule in (
            ((mine / "mine.json",), "two files together"),
            ((mine / "mine.json", mine / "bad.safetensors"), "not finite"),
        ):
            bring(page, *files)
            told(page, rule)
            assert not page.is_visible("#pick-own-0")
            page.locator(".toast-close").last.click()
            page.wait_for_selector(".toast-body", state="hidden")
        ask(page, "What is the capital of France?")
        finished(page, 60)
        until(lambda: "Paris" in last_answer(page))


@pytest.mark.attack(15)
def test_two_visitors_see_nothing_of_each_other_and_all_goes_with_the_tab(browser, fake_url, fake_folder, log, mine, tmp_path):
    address = fake_url
    with opened(browser, address) as other:
        with opened(browser, address, height=1500) as page:
            bring(page, mine / "mine.json", mine / "mine.safetensors")
            page.wait_for_selector("#pick-own-0", state="visible")
            page.set_input_files("#files input[type=file]", [_note(tmp_path)])
            until(lambda: "note.txt" in page.locator("#document-chips").inner_text())
            ask(page, "Who?")
            finished(page)
            own = logged(log, "submit")[-1]["request"]
            assert copies(fake_folder)
            assert own["users"][-1].startswith("mine-") and own["owner"]
            other.wait_for_timeout(2500)  # a tick of the page's timer
            assert not other.is_visible("#pick-own-0")
            ask(other, "Who?")
            finished(other)
            assert not any(user.startswith("mine-") for user in logged(log, "submit")[-1]["request"]["users"])
            assert logged(log, "submit")[-1]["request"]["owner"] != own["owner"]
        until(lambda: [e for e in logged(log, "leave") if e["gone"] == [own["users"][-1]]])
        until(lambda: not copies(fake_folder))


def copies(folder: Path) -> list[Path]:
    """What the server still has of the files that were sent."""
    kept = [*folder.rglob("*.safetensors"), *folder.rglob("mine.json"), *folder.rglob("note.txt")]
    return [path for path in kept if path.parent != folder]


def _note(folder: Path) -> Path:
    (folder / "note.txt").write_text("My dog is Biscuit.")
    return folder / "note.txt"


def test_a_text_is_taught_stopped_and_asked(browser, fake_url, fake_folder, log):
    with opened(browser, fake_url, height=1500) as page:
        page.click("#own > button")
        page.click("#teach")
        told(page, "nothing to learn yet")
        page.fill("#pasted textarea", "My <b>dog</b> is Brimsel.")
        page.fill("#teach-title input, #teach-title textarea", "long")
        page.click("#teach")
        page.wait_for_function("() => /Learning: step \\d+, loss/"
                               ".test(document.querySelector('#finetune-progress').textContent)")
        page.click("#teach-stop")
        page.wait_for_selector("#pick-own-0", state="visible")
        assert page.is_checked("#pick-own-0 input") and "75" in page.locator("#finetune-progress").inner_text()
        assert "Now: “stopped”" in page.locator("#finetune-progress").inner_text()
        page.fill("#teach-title input, #teach-title textarea", "Second")
        page.click("#teach")
        page.wait_for_selector("#pick-own-1", state="visible")
        assert "Now: “My <b>dog</b> is Brimsel.”" in page.locator("#finetune-progress").inner_text()
        page.uncheck("#pick-compact-reader input")                          # three would have more than the whole weight
        ask(page, "Who?")
        finished(page)
        assert sum(user.startswith("mine-") for user in logged(log, "submit")[-1]["request"]["users"]) == 2
    until(lambda: any(len(left["gone"]) == 2 for left in logged(log, "leave")) and not list(fake_folder.rglob("*.safetensors")))
