"""Every setting is described once, in config.py; all that shows it, reads it or writes it follows from there."""

import ast
import functools
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import gradio as gr
import pytest

from ssd2_core.__main__ import main, parser
from ssd2_core.config import LIMITS, WEIGHT, EnsembleParams, Limits, SamplingParams, Settings, knobs
from ssd2_core.errors import LimitError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.limits import read_limits, span, variable
from ssd2_core.protocol.messages import Document, Request
from ssd2_core.protocol.options import as_json, ensemble_params, markdown, sampling_params
from ssd2_core.protocol.validation import check_sampling
from ssd2_core.registry.own_sampling import NAMES
from ssd2_core.ui import api
from ssd2_core.ui.export import commands, share_link
from ssd2_core.ui.page import build
from ssd2_core.ui.state import Studio
from tests.support.browser import ROOT
from tests.support.fake_engine import FakeEngine

PACKAGE = ROOT / "ssd2_core"
KNOBS = knobs(SamplingParams, EnsembleParams)
WORDS = [knob for knob in KNOBS.values() if knob.choices]
NUMBERS = [knob for knob in KNOBS.values() if not knob.choices]
FITS = {"compact-core": ["compact-reader"]}
OTHER = {"num_steps": 3, "block_length": 8, "max_new_tokens": 3, "projection": "sampling", "top_p": 0.3, "seed": 7,
         "early_exit": "entropy", "settling": "count", "temperature": 2.5, "lookahead": 2, "drafts": 1,
         "mask_schedule": "linear", "mask_order": "entropy", "remasking": "on", "threshold": 0.2,
         "weights": "schedule", "tau": 1.25, "schedule_end": 0.4, "alpha": 1.5, "guidance": -0.7}
# Where a knob's name, or one of its options, means something else or cannot be left out.
ELSEWHERE = {
    "ui/api.py": set(api.ORDER) & set(KNOBS) - {"seed"},        # places of parameters, and the endpoint's own default
    "ui/components/panels.py": {"weights"},             # which knob stands with the experts
    "ui/export/html_replay.py": {"weights"},            # of the experts, beside their rule
    "protocol/trace_schema.py": {"num_steps"},          # of a frame
    "registry/uploads.py": {"block_length"},            # of a model
    "models/drafts.py": {"drafts"}, "models/lora.py": {"drafts"},      # their folder, and the name of their adapter
    "registry/own_sampling.py": set(NAMES),             # of the public samplers
    "models/public_layouts.py": {"mask_schedule", "mask_order"},        # of the public samplers
    "registry/manifests.py": {"block_length"},          # of a model, too
    "evaluation/baseline.py": {"temperature", "top_p"},    # of another kind of sampling, which is switched off
    "evaluation/cli.py": {"num_steps"},                 # what a sweep goes over
    "loadtest/cli.py": {"--seed"},                      # of the visitors
    "benchmark/cli.py": {"--dtype"},                    # of an untrained network
}
APART = ("training", "loadtest/questions.py", "loadtest/stops.py", "loadtest/faults.py", "benchmark/browser.py",
         "benchmark/serving.py")        # training has settings of its own; the others are visitors, who set what a page offers


def settings(values: dict) -> tuple[SamplingParams, EnsembleParams]:
    """The settings of all knobs, with one expert."""
    return (SamplingParams(**{name: values[name] for name in knobs(SamplingParams)}),
            EnsembleParams({"compact-reader": 0.4}, **{name: values[name] for name in knobs(EnsembleParams)}))


def texts(tree: ast.AST) -> list[str]:
    """The strings of a module that are not its docstrings."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [node.value for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said]


def spelled(source: str) -> set[str]:
    """What of the knobs a module says itself: names, labels, meanings, options, and bounds that are checked by name."""
    tree, every = ast.parse(source), {**KNOBS, **knobs(Settings), **knobs(Limits)}
    own = {name for name in KNOBS if name not in ("seed",)} | {"max_tokens", "max-tokens", "top-p", "early-exit", WEIGHT.help}
    own |= {text for knob in every.values() for text in (knob.label, knob.help) if text and len(text) > 4}
    own |= {option for knob in (*KNOBS.values(), *knobs(Settings).values()) for option in knob.options}
    own |= {variable(limit) for limit in knobs(Limits).values()}
    found = own & set(texts(tree))
    names = {alias.replace("_", " ") for knob in KNOBS.values() for alias in (knob.name, *knob.aliases)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        said = [re.sub("[_-]", " ", str(value.value)) for value in given if isinstance(value, ast.Constant)]
        if getattr(call.func, "id", getattr(call.func, "attr", "")).startswith(("check_", "Slider", "Number", "Radio")):
            found |= {f"a check of {part}" for part in said if part in names}
    return found


def test_no_setting_is_spelled_a_second_time():
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    found = {name: spelled(path.read_text(encoding="utf-8")) for name, path in modules.items()
             if name != "config.py" and not name.startswith(APART)}
    assert {name: said for name, said in found.items() if said} == ELSEWHERE


@pytest.mark.parametrize("source", [
    'gr.Slider(0.05, 5, 0.5, label="Tau (adaptive, margin, divergence)")', 'add("--tau", type=float)',
    'add("--max-tokens", type=int)',
    'check_int("steps", value, 1, 5000)', 'check_float("top-p", value, 0, 1)', 'KEYS = {"max_new_tokens": "tokens"}',
    'TEXT = {"max_active": "questions that are answered at once"}', 'os.environ["SSD2_MAX_STEPS"]'])
def test_a_second_spelling_is_found(source):
    assert spelled(source)


def options(command: str) -> dict:
    """The options of a command by what they set."""
    commands = next(action for action in parser()._actions if action.dest == "command")
    return {action.dest: action for action in commands.choices[command]._actions}


@pytest.mark.parametrize("command", ["generate", "evaluate"])
def test_the_command_line_has_every_setting_with_its_bounds(command):
    found = options(command)
    for name, knob in (KNOBS | knobs(Settings)).items():
        assert found[name].option_strings == knob.options and knob.help in found[name].help
        assert found[name].default == ("patience" if (command, name) == ("generate", "early_exit") else knob.default)
    for knob in NUMBERS:
        assert span(knob) in found[knob.name].help
    for knob in WORDS:
        assert found[knob.name].metavar == "{" + ",".join(knob.choices) + "}"


def command_line(values: dict) -> list[str]:
    return [word for name, value in values.items() for word in (KNOBS[name].options[0], str(value))]


def test_the_command_line_sets_every_setting_by_its_name_and_by_the_old_ones(capsys):
    args = parser().parse_args(["generate", "Hi?", "--user", "compact-reader=0.4", *command_line(OTHER)])
    assert (sampling_params(args), ensemble_params(args)) == settings(OTHER)
    old = parser().parse_args(["evaluate", "q.jsonl", "--steps", "3", "--block", "8", "--max-tokens", "21"])
    assert sampling_params(old) == SamplingParams(3, 8, 21)


def outside(knob) -> list:
    """Values just outside a setting's bounds, and some of another kind."""
    step = 1 if knob.kind is int else 0.001
    return ["best", 5] if knob.choices else [knob.low - step, knob.high + step, float("nan"), "x", True, None]


@pytest.mark.parametrize("knob", KNOBS.values(), ids=KNOBS)
def test_every_place_has_the_same_bounds(knob, capsys):
    kind = SamplingParams if knob.name in knobs(SamplingParams) else EnsembleParams
    limits = replace(LIMITS, **{other.limit: knobs(Limits)[other.limit].high for other in NUMBERS if other.limit})
    for value in knob.choices or (knob.low, knob.high):
        assert getattr(kind(**{knob.name: value}), knob.name) == value
        assert share_link.from_query({knob.link or knob.name: str(value)}, FITS, "", limits) == ({knob.name: value}, [])
    for value in outside(knob):
        with pytest.raises(LimitError, match=f"^{knob.name} must "):
            kind(**{knob.name: value})
    for value in outside(knob)[:2]:
        assert main(["generate", "Hi?", f"{knob.options[0]}={value}"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"{knob.name} must ") and said.count("\n") == 1
        found, problems = share_link.from_query({knob.name: str(value)}, FITS, "", limits)
        assert found == {} and len(problems) == 1 and problems[0] == said.strip()


def test_a_service_allows_as_much_as_its_limits_say():
    small = Limits(max_steps=20, max_block_length=18, max_new_tokens=50)
    for name, knob in ((name, knob) for name, knob in KNOBS.items() if knob.limit):
        most = getattr(small, knob.limit)
        check_sampling(SamplingParams(**{name: most}), small)
        with pytest.raises(LimitError, match=f"{name} must lie between 1 and {most}, not {most + 1}"):
            check_sampling(SamplingParams(**{name: most + 1}), small)
        assert knobs(Limits)[knob.limit].high == knob.high          # a service may be told to allow all there is


def parts(limits: Limits) -> dict:
    """The components of the page by their id."""
    demo = build(FakeEngine(Settings(limits=limits)), Settings(limits=limits))
    return {part.elem_id: part for part in demo.blocks.values() if getattr(part, "elem_id", None)}


def test_the_page_has_every_setting_with_its_bounds_and_label():
    limits = Limits(max_steps=20, max_block_length=18, max_new_tokens=50)
    page = parts(limits)
    for name, knob in ((name, knob) for name, knob in KNOBS.items() if knob.label):
        part = page[name.replace("_", "-")]
        assert part.label == knob.label and part.value == (None if name == "seed" else knob.default)      # a new one each time
        if knob.choices:
            assert isinstance(part, gr.Radio) and tuple(value for _, value in part.choices) == knob.choices
        else:
            assert (part.minimum, part.maximum) == knob.bounds(limits) and part.step == (knob.step or 1)
            assert isinstance(part, gr.Slider if knob.step else gr.Number)
            assert not knob.step or ((knob.default - knob.low) / knob.step) == pytest.approx(round(
                (knob.default - knob.low) / knob.step))             # a slider can be put back where it was
    weight = page["weight-compact-reader"]
    assert (weight.minimum, weight.maximum, weight.step, weight.label) == (WEIGHT.low, WEIGHT.high, WEIGHT.step, WEIGHT.label)
    assert page["weight-own-0"].maximum == limits.max_own_weight


def test_a_link_has_every_setting_and_the_old_keys_still_open():
    sampling, ensemble = settings(OTHER)
    query = parse_qs(urlsplit(share_link.to_query("compact-core", sampling, ensemble, "Hi?")).query)
    assert set(query) == {"core", "users", "prompt", *(knob.link or name for name, knob in KNOBS.items())}
    found, problems = share_link.from_query({key: value[0] for key, value in query.items()}, FITS, "", LIMITS)
    assert problems == [] and {name: found[name] for name in KNOBS} == OTHER
    old = {"rule": "constant", "steps": "3", "block": "8", "tokens": "21", "top_p": "0.3"}
    assert share_link.from_query(old, FITS, "", LIMITS) == ({
        "weights": "constant", "num_steps": 3, "block_length": 8, "max_new_tokens": 21, "top_p": 0.3}, [])
    assert share_link.from_query({"": "5"}, FITS, "", LIMITS) == ({}, [])


def test_the_endpoint_takes_every_setting_by_its_name_and_by_the_old_ones():
    takes = api.signature().parameters
    assert list(takes)[1:19] == list(api.ORDER) and set(KNOBS) < set(takes)
    for name, knob in KNOBS.items():
        assert takes[name].annotation is knob.kind and takes[name].default == api.FIRST[name]
        assert f"{name}: {knob.help} ({span(knob)})" in api.description()
    assert list(takes)[-3:] == ["steps", "block", "max_tokens"]

    def asked(**given) -> Request:
        call = api.signature().bind(None, "Hi?", **given)
        call.apply_defaults()
        return api.question(Studio(FakeEngine(Settings()), Settings()), "r", "", call.arguments)
    request = asked(experts=["compact-reader"], each=[0.4], **OTHER)
    assert (request.sampling, request.ensemble) == settings(OTHER)
    old = asked(steps=3, block=8, max_tokens=21).sampling
    assert (old.num_steps, old.block_length, old.max_new_tokens) == (3, 8, 21)
    with pytest.raises(LimitError, match="weight must lie between 0 and 1"):
        asked(weight=2)


def test_the_commands_repeat_every_setting():
    sampling, ensemble = settings(OTHER)
    request = Request("", "Hi?", users=("compact-reader",), sampling=sampling, ensemble=ensemble)
    words = shlex.split(commands.shell(request, []).replace("\\\n", " "))
    args = parser().parse_args(words[3:])
    assert (sampling_params(args), ensemble_params(args)) == (sampling, ensemble)
    call = next(node for node in ast.walk(ast.parse(commands.client(request, [], "http://x")))
                if isinstance(node, ast.Call) and any(keyword.arg == "prompt" for keyword in node.keywords))
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg != "api_name"}
    assert {name: given[name] for name in KNOBS} == OTHER and set(given) <= set(api.signature().parameters)


def test_the_figures_of_an_evaluation_say_every_setting_under_both_names():
    sampling, ensemble = settings(OTHER)
    found = as_json("compact-core", ensemble, sampling, data=["q.jsonl"], num_steps=[3, 4])
    assert {name: found[name] for name in KNOBS} == OTHER | {"num_steps": [3, 4]} and found["lam"] == {"compact-reader": 0.4}
    assert (found["steps"], found["block"], found["max_tokens"]) == ([3, 4], 8, 3)


def test_every_limit_is_set_by_its_variable_and_by_nothing_outside_its_bounds():
    for name, limit in knobs(Limits).items():
        low, high = limit.bounds()
        assert getattr(read_limits({variable(limit): f"{max(low, 32)}"} if high >= 32 else {variable(limit): f"{high}"}), name)
        for wrong in (low - 1, high + 1):
            with pytest.raises(LimitError, match=variable(limit)):
                read_limits({variable(limit): str(wrong)})
            with pytest.raises(LimitError, match=name):
                Limits(**{name: type(limit.default)(wrong)})


def test_the_table_of_the_documentation_is_the_settings_as_they_are(capsys):
    assert markdown() in (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert main(["settings", "--markdown"]) == 0 and capsys.readouterr().out.strip() == markdown()
    assert main(["settings"]) == 0 and len(capsys.readouterr().out.splitlines()) == len(KNOBS) + 1


BASE = {"num_steps": 4, "block_length": 16, "max_new_tokens": 16, "projection": "greedy", "top_p": 0.9, "seed": 0,
        "early_exit": "off", "settling": "anneal", "temperature": 1.0, "lookahead": 4, "drafts": 4,
        "mask_schedule": "own", "mask_order": "own", "remasking": "own", "threshold": 0.9,
        "weights": "adaptive", "tau": 0.5, "schedule_end": 0.0, "alpha": 0.0, "guidance": 0.0}
WITH = {"max_new_tokens": {"block_length": 4}, "top_p": {"projection": "multihot"},
        "temperature": {"projection": "sampling"}, "schedule_end": {"weights": "schedule"},
        "threshold": {"settling": "confidence"}, "early_exit": {"num_steps": 32}}          # what a setting needs beside it


@pytest.mark.skipif(not (ROOT / "assets/models/compact-core/config.json").exists(), reason="compact-core is missing")
def test_every_setting_changes_something():
    from ssd2_core.serving.engines import InlineEngine
    document = Document("note", "My dog is called Biscuit. We live in Oslo.")

    with InlineEngine(Settings()) as engine:
        @functools.cache
        def trail(**values) -> list:
            sampling, ensemble = settings(values)
            run = engine.submit(Request("", "Grumpf the wibble of Biscuit?", users=("compact-reader",), documents=(document,),
                                        sampling=sampling, ensemble=ensemble))
            return [(frame.texts, frame.confidence) for frame in engine.stream(run) if isinstance(frame, Frame)]
        assert set(OTHER) == set(KNOBS)
        for name, value in OTHER.items():
            if not KNOBS[name].label or name in ("mask_schedule", "mask_order", "remasking"):   # not of simplex models
                continue
            start = BASE | WITH.get(name, {})
            assert trail(**start) != trail(**start | {name: value}), name


NEW = """
import json, sys
from dataclasses import dataclass
from ssd2_core import config
@dataclass(frozen=True)
class SamplingParams(config.SamplingParams):
    min_p: float = config.knob(1.0, "of the softmax that is drawn from", "Min-p", low=0.1, high=2.0, step=0.1)
config.SamplingParams = SamplingParams              # before anybody else has imported it
from ssd2_core.__main__ import main, parser
from ssd2_core.config import EnsembleParams, Limits, LIMITS
from ssd2_core.errors import LimitError
from ssd2_core.protocol import options
from ssd2_core.protocol.messages import Request
from ssd2_core.protocol.validation import check_sampling
from ssd2_core.registry.own_sampling import NAMES
from ssd2_core.ui import api
from ssd2_core.ui.components import panels
from ssd2_core.ui.export import commands, share_link
args = parser().parse_args(["generate", "Hi?", "--min-p", "0.7"])
sampling = options.sampling_params(args)
assert sampling.min_p == 0.7 and check_sampling(sampling, LIMITS) is sampling
request = Request("", "Hi?", sampling=sampling)
assert "--min-p 0.7" in commands.shell(request, []) and "min_p=0.7," in commands.client(request, [], "http://x")
query = share_link.to_query("compact-core", sampling, EnsembleParams(), "Hi?")
assert "min_p=0.7" in query
assert share_link.from_query({"min_p": "0.7"}, {"compact-core": []}, "", LIMITS) == ({"min_p": 0.7}, [])
assert "between 0.1 and 2, not 9" in share_link.from_query({"min_p": "9"}, {"compact-core": []}, "", LIMITS)[1][0]
import gradio as gr
with gr.Blocks():
    slider = panels.settings(LIMITS)["min_p"]
assert (slider.minimum, slider.maximum, slider.step, slider.label, slider.value) == (0.1, 2.0, 0.1, "Min-p", 1.0)
assert api.signature().parameters["min_p"].default == 1.0 and "min_p: of the softmax" in api.description()
assert list(api.signature().parameters)[1:19] == list(api.ORDER)
assert "`--min-p` | 1.0 | 0.1 to 2" in options.markdown()
assert options.as_json("c", EnsembleParams(), sampling)["min_p"] == 0.7
try:
    SamplingParams(min_p=3)
except LimitError as error:
    print(error)
"""


def test_a_new_setting_is_one_new_field():
    done = subprocess.run([sys.executable, "-c", NEW], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.strip() == "min_p must lie between 0.1 and 2, not 3.", done.stderr
