"""What tests of attacks share: a server with the real engine, and their count by group, marked @pytest.mark.attack(n).

``python -m pytest --attacks`` counts them.
"""

from collections import Counter, defaultdict
from contextlib import contextmanager

import pytest

from tests.support.browser import ROOT, served

NEEDS_MODELS = pytest.mark.skipif(not (ROOT / "assets" / "models" / "compact-core" / "model.safetensors").exists(),
                                  reason="assets/models/compact-core is missing")

GROUPS = {1: "Files that are no safetensors", 2: "Hostile descriptions (JSON)", 3: "Tokenizer and template files",
          4: "safetensors headers", 5: "Offsets, shapes, types", 6: "Names", 7: "Uploads", 8: "Broken weights",
          9: "Other architectures", 10: "Memory and quotas", 11: "Documents", 12: "Reading files", 13: "Server-side requests",
          14: "Direct calls", 15: "Isolation", 16: "Stop", 17: "Queue and worker", 18: "Prompts and outputs",
          19: "Poisoned models", 20: "Identities"}


@contextmanager
def real_server(folder, *app: str):
    """The app with the compact models; visitors' models lie below ``folder``, too. app: what Python runs instead of app.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        with served([*(app or ("app.py",)), "--port", "PORT", "--core", "compact-core"], folder, 120) as address:
            yield address


class AttackCount:
    """A pytest plugin. A case is a test with its parameters, a subtest of one, or an example that hypothesis makes."""

    def __init__(self):
        self.groups: dict[str, list[int]] = {}
        self.examples: dict[str, int] = {}
        self.parts: Counter = Counter()
        self.outcome: dict[str, str] = {}

    def pytest_collection_finish(self, session) -> None:
        for item in session.items:
            self.groups[item.nodeid] = [mark.args[0] for mark in item.iter_markers("attack")]
            settings = getattr(item.function, "_hypothesis_internal_use_settings", None)
            self.examples[item.nodeid] = settings.max_examples if settings else 0

    def pytest_runtest_logreport(self, report) -> None:
        if hasattr(report, "context"):
            self.parts[report.nodeid] += 1
        elif report.when == "call" or not report.passed:
            self.outcome[report.nodeid] = report.outcome if self.outcome.get(report.nodeid) != "failed" else "failed"

    def pytest_terminal_summary(self, terminalreporter) -> None:
        rows = defaultdict(Counter)
        for nodeid, groups in self.groups.items():
            for group in groups:
                rows[group]["cases"] += self.parts[nodeid] or self.examples[nodeid] or 1
                rows[group]["tests"] += 1
                rows[group][self.outcome.get(nodeid, "not run")] += 1
        terminalreporter.write_line("group                               tests  cases  tests passed, failed, skipped")
        for group in sorted(rows):
            row = rows[group]
            terminalreporter.write_line(f"{group:2} {GROUPS[group]:32} {row['tests']:5} {row['cases']:6}  {row['passed']}, "
                                        f"{row['failed']}, {row['skipped'] + row['not run']}")
