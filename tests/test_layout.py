"""Who may import whom: imports point down, the page's process has no torch, the worker's has no gradio."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ssd2_core"

# From the ground up. A room may import rooms of earlier rows; a package is one room.
ROWS = [["errors"], ["config"], ["diffusion", "protocol", "registry"], ["text"], ["models"], ["evaluation"], ["training"],
        ["serving"], ["benchmark", "loadtest"], ["ui"], ["deploy"], ["__init__"], ["__main__"]]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
PAGE_IMPORTS = {"errors", "config", "protocol", "registry", "text", "evaluation", "serving"}
LOADED = "import sys; {code}; print(*sorted(m for m in sys.modules if m.split('.')[0] in {watched!r}))"


def module_of(path: Path) -> str:
    """The dotted name of a file below the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_of(path) for path in FILES}


def imported(path: Path, only_at_the_top: bool = False) -> set[str]:
    """Modules of our package that a file imports, by dotted name: anywhere in it, or when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    here = path.relative_to(ROOT).parts[:-1]
    found = set()
    for node in tree.body if only_at_the_top else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            start = ".".join(here[:len(here) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (start, node.module) if part)
            found |= {f"{source}.{alias.name}" if f"{source}.{alias.name}" in MODULES else source for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES


def room(module: str) -> str:
    """The package, or the module at the top, that a module belongs to."""
    return (module.split(".") + ["__init__"])[1]


def test_the_folder_list_shows_the_rooms():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders == {name for row in ROWS for name in row} - {path.stem for path in PACKAGE.glob("*.py")}
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 5


def test_imports_point_down():
    above = [f"{module_of(path)} imports {other}" for path in FILES for other in imported(path)
             if room(other) != room(module_of(path)) and RANK[room(other)] >= RANK[room(module_of(path))]]
    assert not above, above


def test_the_page_knows_only_plain_data_and_the_engine():
    known = {room(other) for path in FILES for other in imported(path) if room(module_of(path)) == "ui"} - {"ui"}
    assert known <= PAGE_IMPORTS


def test_no_module_imports_itself_by_way_of_others():
    needs = {module_of(path): imported(path, only_at_the_top=True) for path in FILES}
    while free := {module for module, others in needs.items() if not others & set(needs) - {module}}:
        for module in free:
            del needs[module]
    assert not needs, f"a circle runs through {', '.join(sorted(needs))}"


def loaded(code: str, *watched: str) -> list[str]:
    """Modules of the watched packages that are in memory after ``code`` ran in a fresh process."""
    script = LOADED.format(code=code, watched=watched)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", ["ssd2_core", "ssd2_core.serving.engine", "ssd2_core.serving.worker",
                                    "ssd2_core.models.loading", "ssd2_core.text.documents", "ssd2_core.evaluation.metrics",
                                    "ssd2_core.serving.engines", "ssd2_core.serving.transports.ray", "ssd2_core.ui.page",
                                    "app"])
def test_the_page_side_loads_no_torch(module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not here")
    assert loaded(f"import {module}", "torch", "transformers") == []


def test_the_worker_side_loads_no_gradio():
    assert loaded("import ssd2_core.serving.worker, ssd2_core.serving.model_runner", "gradio") == []


def test_nothing_else_of_the_page_reaches_the_worker():
    assert loaded("import ssd2_core.serving.worker, ssd2_core.serving.model_runner", "plotly", "fastapi", "uvicorn") == []
