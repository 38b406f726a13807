"""DiffusionGemma: our loop gives what transformers' own gives, rows together are rows alone, no vision tower is loaded."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import DiffusionGemmaForBlockDiffusion

from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.pins import Pins
from ssd2_core.diffusion.sampling import generate
from ssd2_core.errors import ModelError
from ssd2_core.models.loading import load, never_said
from tests.support.masked import MASKING
from tests.support.uniform import uniform_folder

EARLY = 5.0           # nats
PROMPT = list(range(5, 17))         # longer than the window of the layers that slide
LIKE_THEIRS = SamplingParams(num_steps=6, projection="sampling", top_p=1.0, early_exit="patience", max_new_tokens=16)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Folders by canvas length; the second ends a block as soon as it is a little sure."""
    place = tmp_path_factory.mktemp("uniform")
    return {length: str(uniform_folder(place / str(length), sampler, canvas_length=length))
            for length, sampler in ((6, {}), (8, {"stability_threshold": 0, "confidence_threshold": EARLY}))}


def answer(denoise, params, seed=0, pins=None) -> tuple[list, list]:
    steps = list(generate(denoise, params, torch.Generator().manual_seed(seed), pins=pins))
    return torch.cat([step.token_ids for step in steps if step.finished], 1).tolist(), steps


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("length", [6, 8])
def test_the_tokens_are_those_of_transformers_with_the_same_draws(places, length, seed):
    theirs = DiffusionGemmaForBlockDiffusion.from_pretrained(places[length]).eval()
    torch.manual_seed(seed)
    out = theirs.generate(torch.tensor([PROMPT]), max_new_tokens=LIKE_THEIRS.max_new_tokens)
    wanted = out.sequences[0, len(PROMPT):].tolist()
    [ours], steps = answer(load(places[length]).model.bind(PROMPT), replace(LIKE_THEIRS, block_length=length), seed)
    eos = MASKING.token_to_id("<eos>")
    end = wanted.index(eos) + 1 if eos in wanted else len(wanted)
    assert ours[:end] == wanted[:end] and len(ours) == len(wanted)
    assert len(steps) < 6 * len(wanted) // length or length == 6


def test_rows_together_are_rows_alone_while_each_has_its_own_noise(places):
    model, rows = load(places[6]).model, [PROMPT, [12, 13], [14, 15, 16, 17, 18]]
    params, questions = replace(LIKE_THEIRS, block_length=6), []
    alone = [[step.token_ids.tolist() for step in answer(model.bind(row), params, i)[1]] for i, row in enumerate(rows)]
    runs = [generate(model.bind(row), params, torch.Generator().manual_seed(i)) for i, row in enumerate(rows)]
    shared = [[] for _ in rows]
    while questions := [(run, *run.question()) for run in runs if run.state is not None]:
        known = runs[0].denoise.together([(run.denoise, ids, state) for run, ids, state in questions])
        for run, _, _ in questions:
            expert, run.denoise = run.denoise, lambda *_, found=known[run.denoise]: Known(found)
            run.denoise.canvas, run.denoise.ends = False, expert.ends
            shared[runs.index(run)].append(run.make_step().token_ids.tolist())
            run.denoise = expert
    assert shared == alone
    [first, second], _ = answer(model.bind_rows([[5, 6], [5, 6]]), params)
    assert first != second                                                   # rows of one run draw one after another


class Known:
    """A prediction that was made before."""

    def __init__(self, logits):
        self.logits, self.parts, self.weights = logits, {}, {}


def test_a_given_token_is_read_and_stays(places):
    model, pins = load(places[6]).model, Pins()
    pins.put(0, 2, [40, 41])
    [given], steps = answer(model.bind(PROMPT), replace(LIKE_THEIRS, block_length=6, max_new_tokens=6), pins=pins)
    assert given[2:4] == [40, 41] and all(step.state.noisy_ids[0, 2:4].tolist() == [40, 41] for step in steps)
    whole = Pins()
    whole.put(0, 0, [40, 41, 42, 43, 44, 45])
    assert len(answer(model.bind(PROMPT), replace(LIKE_THEIRS, block_length=6, max_new_tokens=6), pins=whole)[1]) == 1


def test_accepted_tokens_may_go_again_unless_they_are_held(places):
    model = load(places[8]).model
    params = replace(LIKE_THEIRS, block_length=8, max_new_tokens=8, early_exit="off", settling="count")

    def kept(**more) -> list[list[bool]]:
        return [step.after.settled[0].tolist() for step in answer(model.bind(PROMPT), replace(params, **more))[1]]
    free, held = kept(), kept(remasking="off")
    assert [sum(row) for row in free] == [sum(row) for row in held] == [2, 3, 4, 6, 7, 8]
    assert all(now >= before for one, other in zip(held, held[1:], strict=False)
               for before, now in zip(one, other, strict=True))


def test_what_is_loaded_is_text_alone_and_says_no_image(places):
    expert = load(places[6])
    assert expert.card.kind == "uniform" and not any("vision" in name for name, _ in expert.model.named_parameters())
    assert expert.config.own == {"t_min": 0.4, "t_max": 0.8, "stability_threshold": 1, "confidence_threshold": 0.005,
                                 "entropy_bound": 0.1}
    assert never_said({"core": expert}) == tuple(sorted(expert.config.never)) and len(expert.config.never) == 3


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    for name, change, rule in (("none", {"num_experts": None}, "names no experts"), ("small", {"vocab_size": 9}, "only 9 rows"),
                               ("more", {"num_hidden_layers": 3, "layer_types": None}, "are missing or of another size")):
        place = uniform_folder(tmp_path / name)
        raw = json.loads((place / "config.json").read_text())
        raw["text_config"] |= change
        (place / "config.json").write_text(json.dumps(raw))
        with pytest.raises(ModelError, match=rule):
            load(str(place))
