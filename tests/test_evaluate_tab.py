"""The evaluate tab: questions through the engine, beside other visitors, with the command line's figures."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ssd2_core.__main__ import main
from ssd2_core.config import LIMITS, EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import BusyError, VisitorError
from ssd2_core.protocol.messages import Request
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.ui.tabs.evaluate import Names, figure_of, table_html
from ssd2_core.ui.tabs.evaluation_job import AT_ONCE, Contender, EvaluationJob, contenders, read_manifest
from tests.support.browser import ROOT, ask, finished, last_answer, logged, open_tab, opened, told, until
from tests.support.fake_engine import ANSWER, FakeEngine

LINES = [{"question": "What is the dog called?", "answer": "Biscuit", "document": "The dog is Biscuit."},
         {"question": "Where do they walk?", "answer": "the river"}, {"question": "Who is <b>Ada</b>?", "answer": "nobody"}]
SHEET = "\n".join(map(json.dumps, LINES))
CORE = Contender("core", (), EnsembleParams())


@pytest.fixture
def page(page):
    open_tab(page, "Evaluate")
    return page


def drop(page, path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    page.set_input_files("#evaluate-file input[type=file]", path)
    page.wait_for_selector(f'#evaluate-file [aria-label="{path.name}"]')


def news(page, part: str, seconds: float = 90) -> None:
    page.wait_for_function("t => document.querySelector('#evaluate-news').textContent.includes(t)", arg=part,
                           timeout=1000 * seconds)


def test_a_file_is_measured_and_the_figures_taken_away(page, tmp_path):
    drop(page, tmp_path / "q.jsonl", SHEET)
    page.click("#evaluate-go")
    news(page, "Done: 3 questions.")
    cells = [row.split("\t") for row in page.locator("#evaluate-table tr").all_inner_texts()]
    assert [row[0] for row in cells[1:]] == ["core alone", "Reader alone", "ensemble"]
    assert [row[1:3] for row in cells[1:]] == [["3", "0.67"]] * 3
    assert cells[0][5:7] == ["corrected", "kept right"] and all(row[5:7] == ["–", "–"] for row in cells[1:])   # they all agree
    assert cells[2][-1] == "Reader 50%" and cells[3][-1] == "Compact core 50%, Reader 50%"
    page.wait_for_selector("#evaluate-figure .js-plotly-plot .bars path")
    with page.expect_download() as download:
        page.click("#evaluate-save")
    download.value.save_as(tmp_path / "f.json")
    found = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in found["rows"]] == ["core", "user:compact-reader", "ensemble"]
    assert set(found["rows"][0]) == {"name", "n", "exact", "f1", "rouge_l", "distinct_2", "tokens", "ended",
                                     "tokens_per_second", "share", "steps_per_block", "steps_per_token"}
    assert found["settings"] == {
        "core": "compact-core", "lam": {"compact-reader": 0.5}, "weights": "adaptive", "tau": 0.5, "alpha": 0.0,
        "schedule_end": 0.0, "guidance": 0.0, "num_steps": 16, "block_length": 16, "max_new_tokens": 48, "steps": 16,
        "temperature": 1.0, "lookahead": 4, "drafts": 4,
        "block": 16, "max_tokens": 48, "projection": "greedy", "top_p": 0.9, "seed": 0, "early_exit": "off",
        "settling": "anneal", "mask_schedule": "own", "mask_order": "own",
        "remasking": "own", "threshold": 0.9, "base": None, "data": ["q.jsonl"]}


def test_stop_keeps_finished_rows(page, log, tmp_path):
    asking = ["Who stops?"] * 3 + ["Who stops? (ensemble waits at 5)"] * 7
    drop(page, tmp_path / "q.jsonl", "\n".join(json.dumps(LINES[0] | {"question": question}) for question in asking))
    page.locator("#evaluate-who").get_by_label("Each chosen expert alone").uncheck()
    page.click("#evaluate-go")
    news(page, "ensemble: ")
    page.click("#evaluate-stop")
    news(page, "Stopped")
    assert page.locator("#evaluate-table tbody tr").count() == 1
    asked = [e for e in logged(log, "submit") if e["request"]["prompt"] in asking]
    assert 10 < len(asked) < 20 and asked[-1]["request"]["documents"] == [{"name": "document", "text": "The dog is Biscuit."}]


def test_another_visitor_is_answered_meanwhile(browser, page, url, tmp_path):
    drop(page, tmp_path / "q.jsonl", "\n".join([json.dumps(LINES[1])] * 200))
    page.click("#evaluate-go")
    news(page, "core alone: ")
    with opened(browser, url) as other:
        ask(other, "And me?")
        finished(other, 60)
        until(lambda: last_answer(other) == ANSWER)
    assert "core alone" in page.locator("#evaluate-news").inner_text() and page.locator("#evaluate-table tr").count() == 0
    page.click("#evaluate-stop")
    news(page, "Stopped")


def test_closing_the_tab_ends_it(browser, url, log, tmp_path):
    lines = [json.dumps({"question": "Who leaves?", "answer": "you"})] * 60
    with opened(browser, url) as page:
        open_tab(page, "Evaluate")
        drop(page, tmp_path / "q.jsonl", "\n".join(lines))
        page.click("#evaluate-go")
        news(page, "core alone: ")

    def count() -> int:
        return sum(e["request"]["prompt"] == "Who leaves?" for e in logged(log, "submit"))

    def stands() -> bool:
        before = count()
        time.sleep(2)
        return count() == before
    until(stands)
    assert count() < 40


def test_a_wrong_file_is_one_sentence(page, tmp_path):
    for text, rule in (('{"question": "x"}', "Line 1 of q.jsonl"), ("\n", "has no questions"),
                       ("\n".join([json.dumps(LINES[1])] * 201), "at most 200 questions")):
        drop(page, tmp_path / "q.jsonl", text)
        page.click("#evaluate-go")
        told(page, rule)
        page.click("#evaluate-file [aria-label=Clear]")


@pytest.mark.parametrize(("data", "rule"), [
    (b"\xff", "not UTF-8"), (b"x" * 2_000_001, "at most 2 MB"),
    (json.dumps({"question": "x" * 3000, "answer": "a"}).encode(), "Question 1 may have at most"),
    (json.dumps({"question": "x", "answer": "a", "document": "d \ud800"}).encode(),
     "Line 1 of q.jsonl has half a character .* in its document")])
def test_a_wrong_sheet_names_what_is_wrong(data, rule):
    with pytest.raises(VisitorError, match=rule):
        read_manifest("q.jsonl", data, LIMITS)


def test_own_models_never_answer_alone():
    found = contenders(["core", "users", "ensemble"], ("compact-reader", "mine-1"), EnsembleParams({"compact-reader": 0.3}))
    assert [one.name for one in found] == ["core", "user:compact-reader", "ensemble"]
    with pytest.raises(VisitorError, match="Nobody"):
        contenders(["users", "ensemble"], (), EnsembleParams())


class Counting(FakeEngine):
    """Counts how many runs are open, and has no place free at first."""

    def __init__(self):
        super().__init__(Settings(), 0.02)
        self.open, self.most, self.busy = 0, 0, 1

    def submit(self, request: Request) -> str:
        if self.busy:
            self.busy -= 1
            raise BusyError("full")
        self.open += 1
        self.most = max(self.most, self.open)
        return super().submit(request)

    def delete(self, request_id: str) -> None:
        self.open -= 1


def news_of(engine, everybody: list[Contender], questions: list, model: Request, places: int = 4) -> list:
    async def go() -> list:
        exam = EvaluationJob(engine, asyncio.Semaphore(places), model, questions)
        return [news for contender in everybody async for news in exam.row(contender)]
    with ThreadPoolExecutor(1) as thread:           # the browser's own loop may run in this one
        return thread.submit(lambda: asyncio.run(go())).result()


@pytest.mark.parametrize(("places", "most"), [(4, AT_ONCE), (1, 1)])
def test_few_at_a_time_and_a_full_house_is_waited_for(places, most):
    engine = Counting()
    *counts, row = news_of(engine, [CORE], read_manifest("q", SHEET.encode(), LIMITS) * 3, Request("", ""), places)
    assert engine.most == most and engine.open == 0 and counts == list(range(1, 10)) and row["n"] == 9


def test_titles_never_run():
    row = {"name": "user:x", "n": 1, "exact": 1.0, "f1": 1.0, "rouge_l": 1.0, "tokens_per_second": 2.0, "share": {"x": 1.0}}
    names = Names({"x": "<img src=x onerror=alert(1)>$\\alpha$"}, ["x"], [])
    assert "<img" not in table_html([row], names) and not set("<>$&") & set(figure_of([row], names).data[0].name)


@pytest.mark.skipif(not (ROOT / "assets/models/compact-core/config.json").exists(), reason="compact-core is missing")
def test_the_figures_are_those_of_the_command_line(tmp_path, capsys):
    lines = [(ROOT / f"assets/evaluation/{name}.jsonl").read_text(encoding="utf-8").split("\n")[:3]
             for name in ("documents", "general")]
    (tmp_path / "q.jsonl").write_text("\n".join(sum(lines, [])), encoding="utf-8")
    assert main(["evaluate", str(tmp_path / "q.jsonl"), "--user", "compact-reader=0.5", "--max-tokens", "16", "--json",
                 "--early-exit", "patience"]) == 0
    wanted = json.loads(capsys.readouterr().out)["rows"]
    model = Request("", "", sampling=SamplingParams(max_new_tokens=16, early_exit="patience"))
    questions = read_manifest("q.jsonl", (tmp_path / "q.jsonl").read_bytes(), LIMITS)
    assert len(questions) == 6
    everybody = contenders(["core", "users", "ensemble"], ("compact-reader",), EnsembleParams({"compact-reader": 0.5}))
    with InlineEngine(Settings()) as engine:
        found = [news for news in news_of(engine, everybody, questions, model) if isinstance(news, dict)]
    for ours, theirs in zip(found, wanted, strict=True):
        shares = ours.pop("share"), theirs.pop("share")
        assert ours.pop("tokens_per_second") > 0 and theirs.pop("tokens_per_second") > 0
        assert ours == theirs
        assert shares[0] == pytest.approx(shares[1], abs=2e-3)
    assert found[2]["exact"] > 0.5 and found[0]["exact"] < found[2]["exact"]
