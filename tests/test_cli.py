"""The command line as a user runs it, on tiny models."""

import json
import os
import signal
import subprocess
import sys

import pytest

from ssd2_core.__main__ import main
from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import LimitError, VisitorError
from ssd2_core.protocol.frames import Frame, frame_from_dict
from ssd2_core.protocol.messages import Change, Document, Pin, Request
from ssd2_core.protocol.options import user_weights
from ssd2_core.protocol.traces import about_run, load_trace, request_from, trace_from_json, trace_to_json
from ssd2_core.serving.engines import InlineEngine
from tests.support.browser import ROOT
from tests.test_library import folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    return str(folder(base / "core")), str(folder(base / "reader", role="reader", seed=1))


def run(capsys, *argv):
    code = main([str(a) for a in argv])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_generate_streams_frames_and_an_answer(pair, tmp_path, capsys):
    core, reader = pair
    (tmp_path / "d.txt").write_text("my dog is called Biscuit")
    code, out, _ = run(capsys, "generate", "my dog", "--core", core, "--user", f"{reader}=0.4", "--docs", tmp_path / "d.txt",
                       "--steps", 3, "--max-tokens", 16, "--trace", tmp_path / "t.json", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(lines) == 4
    frames = [frame_from_dict(line) for line in lines[:-1]]
    assert [f.step for f in frames] == [1, 2, 3] and set(frames[0].share) == {"core", reader}
    assert set(lines[-1]) == {"answer", "finish_reason", "steps", "seconds", "shares"} and lines[-1]["steps"] == 3
    stored, about = trace_from_json((tmp_path / "t.json").read_text())
    assert stored == frames and about["prompt"] == "my dog"


def test_the_run_of_a_trace_is_made_once_more_with_its_pins_and_changes(pair, tmp_path, capsys):
    core, reader = pair
    document = Document("d.txt", "my dog is called Biscuit")
    ensembles = [EnsembleParams({reader: weight}) for weight in (0.4, 0.9)]
    request = Request("", "my dog", core, (reader,), (document,), (), SamplingParams(4, 8, 16, seed=3), ensembles[0],
                      pins=(Pin(0, 1, token_ids=(7,)),),
                      plan=(Change(2, ensembles[1]), Change(3, pin=Pin(1, 0, token_ids=(9,)))))
    with InlineEngine(Settings(core=core)) as engine:
        events = list(engine.stream(engine.submit(request)))
    frames = [event for event in events if isinstance(event, Frame)]
    text = trace_to_json(frames, about_run(request, events[-1], {}, (document,)))
    (tmp_path / "t.json").write_text(text)
    assert request_from(load_trace(tmp_path / "t.json")[1]) == request
    code, out, _ = run(capsys, "generate", "--again", tmp_path / "t.json", "--json")
    again = [frame_from_dict(json.loads(line)) for line in out.splitlines()[:-1]]
    assert code == 0 and [f.token_ids for f in again] == [f.token_ids for f in frames]
    assert [f.weight for f in again] == [f.weight for f in frames] and [f.pinned for f in again] == [f.pinned for f in frames]
    assert again[0].weight != again[-1].weight and any(again[0].pinned)


def test_what_cannot_be_made_again_is_one_sentence(pair, tmp_path, capsys):
    assert "a prompt, or --again" in run(capsys, "generate")[2]
    assert "a prompt, or --again" in run(capsys, "generate", "x", "--again", "t.json")[2]
    (tmp_path / "d.txt").write_text("my dog is called Biscuit")
    code, _, err = run(capsys, "generate", "my dog", "--core", pair[0], "--docs", tmp_path / "d.txt", "--steps", 1,
                       "--max-tokens", 4, "--trace", tmp_path / "t.json")
    assert code == 0 and "names 1 documents without their text" in run(capsys, "generate", "--again", tmp_path / "t.json")[2]
    assert run(capsys, "generate", "--again", tmp_path / "t.json", "--docs", tmp_path / "d.txt")[0] == 0
    with pytest.raises(LimitError, match="does not say its core"):
        request_from({"prompt": "x"})


def test_generate_in_words(pair, capsys):
    code, out, _ = run(capsys, "generate", "my dog", "--core", pair[0], "--steps", 2, "--max-tokens", 8)
    assert code == 0 and "step   1/2" in out and "2 steps, 2 forwards" in out


def test_evaluate_prints_the_rows(pair, tmp_path, capsys):
    data = tmp_path / "q.jsonl"
    data.write_text('{"question": "my dog", "answer": "Biscuit", "document": "my dog is called Biscuit"}\n'
                    '{"instruction": "is it", "answer": "it", "passage": "my"}\n')
    args = ["evaluate", data, "--core", pair[0], "--user", f"{pair[1]}=0.5", "--steps", 2, "--max-tokens", 16, "--json"]
    code, out, _ = run(capsys, *args)
    found = json.loads(out)
    assert code == 0 and [row["name"] for row in found["rows"]] == ["core", f"user:{pair[1]}", "ensemble"]
    usual = {"name", "n", "exact", "f1", "rouge_l", "distinct_2", "tokens", "ended", "tokens_per_second", "share",
             "steps_per_block", "steps_per_token"}
    for row in found["rows"]:
        of_two = {"correction", "correction_n", "resistance", "resistance_n"} if row["name"] == "ensemble" else set()
        assert set(row) == usual | of_two and row["n"] == 2
    assert found["settings"]["steps"] == 2
    other = tmp_path / "other.jsonl"
    other.write_bytes(data.read_bytes())
    both = [*args[:2], other, *args[2:]]
    assert len(json.loads(run(capsys, *both)[1])["rows"]) == 6
    assert "rouge_l" in run(capsys, *args[:-1])[1]


def test_evaluation_scores():
    from ssd2_core.evaluation.metrics import exact, rouge_l, token_f1
    assert exact("Your dog is called Biscuit.", "biscuit") and not exact("It is 12.", "2")
    assert exact("At 7:45, please", "7:45") and not exact("", "x")
    assert exact("It is eight.", "8") and exact("It is 2, the number of wings.", "Two") and not exact("It is weight.", "8")
    assert token_f1("a b", "b c") == pytest.approx(0.5) and rouge_l("a x b", "a b") == pytest.approx(0.8)


def test_a_batch_gives_the_same_answers_as_one_by_one(pair):
    from ssd2_core.config import EnsembleParams, SamplingParams
    from ssd2_core.evaluation.evaluate import Question, measure
    from ssd2_core.models.loading import load
    core, reader = load(pair[0]), load(pair[1])
    asked = [("my dog", "my dog is"), ("is it", "called Biscuit and it is"), ("dog", "")]
    questions = [Question(question, "x", document) for question, document in asked]
    row, _ = measure("ensemble", {"core": core, "r": reader}, questions, EnsembleParams(lam={"r": 0.5}),
                  SamplingParams(num_steps=2, max_new_tokens=16))
    assert row["n"] == 3 and sum(row["share"].values()) == pytest.approx(1, abs=1e-3) and row["steps_per_block"] == 2


def test_with_an_early_exit_every_question_ends_for_itself():
    from dataclasses import replace

    from ssd2_core.config import EnsembleParams, SamplingParams
    from ssd2_core.evaluation import evaluate
    from ssd2_core.models.loading import load
    core, sampling = load("compact-core"), SamplingParams(num_steps=12, max_new_tokens=16, early_exit="patience")
    questions = [evaluate.Question(text, "x", "") for text in
                 ("What is the capital of France?", "Grumpf the wibble of?", "How many legs has a spider?", "Name Zuzu.")]

    def row(asked, **more):
        return evaluate.measure("core", {"core": core}, asked, EnsembleParams(), replace(sampling, **more))[0]
    alone = [row([question])["steps_per_block"] for question in questions]
    assert row(questions)["steps_per_block"] == pytest.approx(sum(alone) / 4, abs=0.01)
    assert min(alone) < 12 and len(set(alone)) > 1
    assert row(questions, early_exit="off")["steps_per_block"] == 12


@pytest.mark.parametrize("argv,rule", [
    (["generate", "hi", "--core", "ghost"], "no model 'ghost'"), (["generate", "hi", "--steps", "0"], "steps must"),
    (["generate", "hi", "--user", "a=x"], "must be a number"), (["generate", "hi", "--docs", "/nowhere.txt"], "cannot be read"),
    (["evaluate", "/nowhere.jsonl"], "cannot be read"),
    (["generate", "hi", "--user", "a=0.9", "--user", "b=0.9"], "at most 1")])
def test_mistakes_are_one_line(argv, rule, capsys):
    code, out, err = run(capsys, *argv)
    assert code == 2 and rule in err and err.count("\n") == 1 and "Traceback" not in err


@pytest.mark.parametrize("line", ["not json", '{"question": "x"}', "[1]"])
def test_a_broken_data_file_names_its_line(tmp_path, capsys, line):
    (tmp_path / "q.jsonl").write_text('{"question": "a", "answer": "b"}\n' + line + "\n")
    code, _, err = run(capsys, "evaluate", tmp_path / "q.jsonl")
    assert code == 2 and "Line 2" in err


def test_models_lists_cards(capsys):
    code, out, _ = run(capsys, "models", "--json")
    assert code == 0 and isinstance(json.loads(out)["models"], list)


def test_user_weights():
    assert user_weights(["a", "b"]) == {"a": 0.25, "b": 0.25}
    assert user_weights(["a=0.3", "b"]) == {"a": 0.3, "b": 0.25}
    with pytest.raises(VisitorError):
        user_weights(["a=many"])


LONG = ("generate", "my dog", "--num-steps", 64, "--block-length", 2, "--max-new-tokens", 128, "--early-exit", "off")


def command(*argv, **more) -> subprocess.Popen:
    """The command line in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "ssd2_core", *map(str, argv)], cwd=ROOT, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **more)


def test_an_interruption_is_no_traceback(pair):
    with command(*LONG, "--core", pair[0]) as run:
        assert run.stdout.readline().startswith(b"block 0 step   1/64")
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=120)
    assert run.returncode == 130 and b"Traceback" not in said and b"KeyboardInterrupt" not in said, said


def test_a_reader_that_is_gone_ends_the_command_without_a_traceback(pair):
    with command(*LONG, "--core", pair[0]) as run:
        for _ in range(2):
            run.stdout.readline()
        run.stdout.close()
        said = run.stderr.read()
        assert run.wait(timeout=120) == 141 and b"Traceback" not in said and b"BrokenPipe" not in said, said
    with command("settings") as run:                # all of it waits to be written when nobody reads any more
        run.stdout.close()
        said = run.stderr.read()
        assert run.wait(timeout=120) in (0, 141) and b"BrokenPipe" not in said, said


def test_a_terminal_that_is_not_utf8_gets_replacements():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    code = "from ssd2_core import __main__ as m; m.run = lambda a: print('caf', chr(233), chr(8230)) or 0; "
    code += "raise SystemExit(m.main([]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, env=environment, timeout=120)
    assert (done.returncode, done.stdout) == (0, b"caf ? ?\n") and b"Traceback" not in done.stderr, done.stderr


def test_a_command_loads_only_what_it_runs():
    code = ("import sys; from ssd2_core.__main__ import parser; parser('models'); "
            "print(*[m for m in sys.modules if m.split('.')[0] in ('torch', 'gradio') or 'benchmark' in m or 'loadtest' in m])")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout + done.stderr
