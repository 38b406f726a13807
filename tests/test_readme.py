"""README and docs tell the truth: their Python runs, their commands parse, what they link to and name exists."""

import re
import shlex

import pytest

from ssd2_core.__main__ import parser
from ssd2_core.training.cli import parser as train_parser
from tests.support.attacks import GROUPS
from tests.support.browser import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", "\n".join(PAGES.values()), re.DOTALL)


def test_the_ten_lines_of_python_answer_from_the_document(capsys):
    code = next(text for kind, text in BLOCKS if kind == "python" and "from ssd2_core" in text)
    exec(compile(code, "README.md", "exec"), {})
    steps = capsys.readouterr().out.strip().splitlines()
    assert len(steps) == 16 and "Brimsel" in steps[-1] and len(code.splitlines()) <= 11


@pytest.mark.parametrize("line", [line for kind, text in BLOCKS if not kind for line in text.splitlines()
                                  if line.startswith("python -m ssd2_core")])
def test_every_command_parses(line):
    words = shlex.split(line)[3:]
    assert (train_parser() if words[0] == "train" else parser()).parse_args(words[words[0] == "train":])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_a_page_names_exists(page):
    linked = [link.partition("#") for link in re.findall(r"\]\((?!http)([^)]*)\)", PAGES[page])]
    missing = [link for link, _, _ in linked if not (page.parent / link).exists()]
    named = re.findall(r"`((?:ssd2_core|assets|tests)/[\w./]+)`", PAGES[page])
    missing += [path for path in named if not (ROOT / path).exists()]
    assert not missing
    for link, _, heading in linked:
        words = [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
                 for line in PAGES.get((page.parent / link).resolve(), "").splitlines() if line.startswith("#")]
        assert not heading or heading in words, heading


def test_readme_is_two_pages_and_leads_to_every_document():
    assert README.count("\n") <= 140
    documents = {f"docs/{path.name}" for path in PAGES if path.parent.name == "docs"}
    assert set(re.findall(r"\]\((docs/[^)]*)\)", README)) == documents


def test_every_group_of_attacks_names_the_files_of_its_tests():
    rows = re.findall(r"(?m)^\| (\d+) .*\| ([\w/, ]+) \|$", PAGES[ROOT / "docs/security.md"])
    named = {int(group): set(files.split(", ")) for group, files in rows}
    marked = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        groups = re.findall(r"mark\.attack\((\d+)\)", path.read_text(encoding="utf-8"))
        marked[str(path.relative_to(ROOT / "tests").with_suffix("")).replace("test_", "")] = set(map(int, groups))
    assert named == {group: {name for name, groups in marked.items() if group in groups} for group in GROUPS}
