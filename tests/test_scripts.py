"""The page's scripts: modules, served at an address of their own, and put together in one script for the replay."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ssd2_core.ui import scripts
from ssd2_core.ui.theme import ASSETS

SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in scripts.SCRIPTS.glob("*.js")}


@pytest.fixture
def served():
    return TestClient(Starlette(routes=[scripts.route()]))


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_what_another_exports(name):
    found = scripts.IMPORT.findall(SOURCES[name])
    assert len(found) == len(re.findall(r"\bimport\b", re.sub(r"//.*", "", SOURCES[name])))
    for names, source in found:
        assert set(names.strip("{} ").split(", ")) <= set(scripts.EXPORT.findall(SOURCES[source]))


def test_a_bundle_holds_each_module_once_before_who_needs_it():
    text = scripts.bundle("viewer")
    order = re.findall(r"^const \$(\w+) = ", text, re.MULTILINE)
    assert len(order) == len(set(order)) and order[-1] == "viewer"
    assert set(order) == set(SOURCES) - {"conversation", "documents", "save", "sweep", "tour"}
    for name in order:
        assert {source for _, source in scripts.IMPORT.findall(SOURCES[name])} <= set(order[:order.index(name)])
    assert not re.search(r"^\s*(?:import|export)\b", text, re.MULTILINE) and "</script" not in text


def test_the_address_changes_with_the_scripts(served, tmp_path, monkeypatch):
    path = re.search(r"scripts/\w+/viewer\.js", scripts.on_load("viewer"))[0]
    got = served.get("/" + path)
    assert got.text == SOURCES["viewer"] and "javascript" in got.headers["content-type"]
    for other in ("../scripts.py", "..%2f..%2f..%2fapp.py", "%2e%2e/styles/page.css", "nothing.js"):
        assert served.get(path.rsplit("/", 1)[0] + "/" + other).status_code == 404
    (tmp_path / "viewer.js").write_text("export function start() {}\n")
    monkeypatch.setattr(scripts, "SCRIPTS", tmp_path)
    scripts.version.cache_clear()
    assert path not in scripts.on_load("viewer")
    monkeypatch.undo()
    scripts.version.cache_clear()


@pytest.mark.parametrize(("folder", "text"), [("scripts", "prefers-reduced-motion"), ("styles", "prefers-reduced-motion"),
                                              ("scripts", "createElement"), ("scripts", "var(--hue-")])
def test_one_place_makes_elements_stills_motion_and_knows_hues(folder, text):
    holders = {path.name: path.read_text(encoding="utf-8").count(text) for path in (ASSETS / folder).iterdir()}
    assert len([name for name, count in holders.items() if count]) == 1, holders
