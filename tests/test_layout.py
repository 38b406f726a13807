"""Who may import whom: imports point down, the page's process has no torch, the worker's has no gradio."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ssd2_core"

# From the ground up. A module may import modules of earlier rows; a folder counts as one module.
ROWS = [
    ["errors"], ["config", "bases", "scores", "cards"], ["traces"], ["simplex", "frames", "adapters", "kvcache", "guidance"],
    ["ensemble", "protocol"],
    ["sampling", "context", "pipe", "run", "runlog", "checks", "limits", "counters", "line"],
    ["model", "supervisor", "actor"], ["placement"],
    ["prompts", "documents", "uploads"], ["library"], ["visitors", "ssdlm", "hub"],
    ["school", "deploy"], ["tess2"], ["batching"],
    ["prepare"], ["worker"], ["gpucall"], ["engine"], ["inline", "zero", "ray_engine"],
    ["evaluation"], ["base_lm"], ["training"], ["trainer", "bench", "soak"], ["ui"], ["__init__"], ["__main__"],
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
LOADED = "import sys; {code}; print(*sorted(m for m in sys.modules if m.split('.')[0] in {watched!r}))"


def imported(path: Path) -> set[str]:
    """Modules of our package that a file imports anywhere in it, by their first name below the package."""
    depth = len(path.relative_to(PACKAGE).parts) - 1
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth + 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ssd2_core" and not node.level:
            rest = node.module.partition(".")[2]
            names = [rest] if rest else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name.partition(".")[2] for a in node.names if a.name.startswith("ssd2_core.")]
        else:
            continue
        found.update(name.split(".")[0] for name in names)
    return {name for name in found if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


FILES = sorted(p for p in PACKAGE.rglob("*.py") if "data" not in p.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    name = name_of(path)
    assert name in RANK, f"{name} has no row in this test; give it one."
    above = {other for other in imported(path) if other != name and RANK.get(other, 99) >= RANK[name]}
    assert not above, f"{name} imports {', '.join(sorted(above))}, which does not stand below it."


def loaded(code: str, *watched: str) -> list[str]:
    """Modules of the watched packages that are in memory after ``code`` ran in a fresh process."""
    script = LOADED.format(code=code, watched=watched)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", ["ssd2_core", "ssd2_core.engine", "ssd2_core.worker", "ssd2_core.library",
                                    "ssd2_core.documents", "ssd2_core.scores", "ssd2_core.ray_engine", "ssd2_core.ui.page",
                                    "app"])
def test_the_page_side_loads_no_torch(module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not here")
    assert loaded(f"import {module}", "torch", "transformers") == []


def test_the_worker_side_loads_no_gradio():
    assert loaded("import ssd2_core.worker, ssd2_core.prepare", "gradio") == []


def test_nothing_else_of_the_page_reaches_the_worker():
    assert loaded("import ssd2_core.worker, ssd2_core.prepare", "plotly", "fastapi", "uvicorn") == []
