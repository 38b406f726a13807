"""README tells the truth: its Python runs, its commands parse, its pictures and files exist."""

import re
import shlex

import pytest

from ssd2_core.__main__ import parser
from ssd2_core.training.cli import parser as train_parser
from tests.browser import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs/training.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README + TRAINING, re.DOTALL)


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


def test_every_file_it_names_exists():
    named = re.findall(r"\]\(([^)h][^)]*)\)", README) + re.findall(r"`((?:ssd2_core|assets|tests)/[\w./]+)`", README)
    assert named and not [path for path in named if not (ROOT / path).exists()]
