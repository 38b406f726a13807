"""What a core's own sampler takes stands where nobody has set it: in its card, on the command line, the page and the API."""

from dataclasses import replace

import pytest

from ssd2_core.__main__ import parser
from ssd2_core.config import LIMITS, SamplingParams, Settings
from ssd2_core.protocol.options import sampling_params
from ssd2_core.registry.cards import local_card, read_card
from ssd2_core.registry.own_sampling import NAMES, own_sampling, usual
from ssd2_core.serving.cli import _request
from ssd2_core.ui import api
from ssd2_core.ui.components import panels
from ssd2_core.ui.page import build
from ssd2_core.ui.state import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.masked import masked_folder
from tests.support.uniform import uniform_folder

SAME = usual({})


@pytest.fixture(scope="module")
def sdar(tmp_path_factory) -> str:
    return str(masked_folder(tmp_path_factory.mktemp("own") / "sdar", "sdar"))


class Offers(FakeEngine):
    """Has one more core."""

    def __init__(self, model_id: str):
        super().__init__(Settings(core=model_id))
        self.model_id = model_id

    def models(self) -> list:
        return [*super().models(), local_card(self.model_id)]


def test_a_card_says_what_the_public_sampler_takes(tmp_path, sdar):
    blocks = {"llada": 32, "Dream": 48, "a2d-qwen3": 48, "modernbert": 48, "sdar": 4}
    for kind, length in blocks.items():
        found = own_sampling({"model_type": kind}, tmp_path, "GSAI/x")
        assert found == {"block_length": length, "num_steps": length}
    assert own_sampling({"model_type": "a2d-qwen3"}, tmp_path, "dllm-hub/x-bd3lm")["block_length"] == 32
    assert own_sampling({"model_type": "sdar", "block_size": 16}, tmp_path, "x")["num_steps"] == 16
    for wrong in (0, -4, "8", True, 10**9, None, 2.5):
        assert own_sampling({"model_type": "sdar", "block_size": wrong}, tmp_path, "x")["block_length"] == 4
    assert own_sampling({"model_type": "qwen3"}, tmp_path, "x") == {} and local_card("compact-core").own == {"block_length": 16}
    assert local_card(sdar).own["block_length"] == 4
    card = read_card(uniform_folder(tmp_path / "uniform"), "u", "folder")
    assert card.own == {"block_length": 6, "num_steps": 6, "projection": "sampling", "top_p": 1.0, "early_exit": "patience"}


def test_it_goes_no_further_than_the_service_and_takes_no_step_without_a_position(tmp_path):
    own = own_sampling({"model_type": "diffusion_gemma"}, tmp_path, "x")
    assert (own["block_length"], own["num_steps"]) == (256, 48)
    assert usual(own, LIMITS) == own | {"block_length": 32, "num_steps": 32}
    assert usual({}, LIMITS) == SAME == {name: getattr(SamplingParams(), name) for name in NAMES}
    assert usual({}, replace(LIMITS, max_steps=5))["num_steps"] == 5


def test_the_command_line_takes_it_and_an_option_wins(sdar):
    def asked(*more: str) -> SamplingParams:
        return _request(parser().parse_args(["generate", "Hi?", "--core", sdar, *more])).sampling
    assert (asked().block_length, asked().num_steps, asked().early_exit) == (4, 4, "patience")
    assert (asked("--block-length", "16").block_length, asked("--steps", "9").num_steps) == (16, 9)
    args = parser().parse_args(["evaluate", "q.jsonl", "--block", "16"])
    assert sampling_params(args, {"block_length": 4, "num_steps": 4}) == SamplingParams(num_steps=4, block_length=16)


def test_the_endpoint_takes_it_and_what_is_given_wins(sdar):
    studio = Studio(Offers(sdar), Settings(core=sdar))

    def asked(**given) -> SamplingParams:
        call = api.signature().bind(None, "Hi?", **given)
        call.apply_defaults()
        return api.question(studio, "r", "", call.arguments).sampling
    assert (asked().block_length, asked().num_steps) == (4, 4) and asked(num_steps=16, block=8).block_length == 8
    assert asked().early_exit == "patience" and asked(projection=None).projection == "greedy"
    assert asked(num_steps=16).num_steps == 16 and asked(core="compact-core").block_length == 16


def test_the_page_starts_with_it_and_another_core_brings_its_own(sdar):
    settings = Settings(core=sdar)
    demo = build(Offers(sdar), settings)
    parts = {part.elem_id: part for part in demo.blocks.values() if getattr(part, "elem_id", None)}
    assert (parts["block-length"].value, parts["num-steps"].value) == (4, 4)
    choose = next(fn for fn in demo.fns.values() if fn.targets == [(parts["pick-core"]._id, "input")])
    names = [panels.element_id(name) for name in NAMES]
    assert [part.elem_id for part in choose.outputs] == names
    stand = [parts[name].value for name in names]
    assert choose.fn("compact-core", *stand) == list(SAME.values())
    moved = choose.fn("compact-core", 9, *stand[1:])
    assert moved[0] != 16 and moved[1] == 16                            # what a visitor has set stays
