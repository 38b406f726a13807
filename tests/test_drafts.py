"""Drafts of several tokens a step: however bad they are, the answer is what it is without them."""

import json

import pytest
import torch

from ssd2_core.config import EnsembleParams
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.pins import Pins
from ssd2_core.errors import ModelError
from ssd2_core.models.drafts import MASKS, add_drafts, given, load_drafts, masks_of, places_of, save_drafts, with_masks
from ssd2_core.models.lora import TARGETS, GatedLora, add_adapter
from tests.test_next_token import FAMILIES, ROWS, lm_of, model_of, plain, written

RANK, COUNT = 3, 4
SETTINGS = {"r": RANK, "lora_alpha": 6, "target_modules": list(TARGETS)}


def adapter_of(lm, seed=0, scale=0.5):
    """Random matrices for every layer that an adapter has a place in."""
    torch.manual_seed(seed)
    tensors = {}
    for path, module in lm.named_modules():
        if path.rpartition(".")[2] in TARGETS:
            module = module.linear if isinstance(module, GatedLora) else module
            tensors[f"{path}.lora_A.weight"] = scale * torch.randn(RANK, module.in_features)
            tensors[f"{path}.lora_B.weight"] = scale * torch.randn(module.out_features, RANK)
    return tensors


def drafting(lm, seed=0):
    """The LM with random drafts."""
    add_drafts(lm, SETTINGS, adapter_of(lm, seed) | {MASKS: torch.randn(COUNT, lm.get_input_embeddings().weight.shape[-1])})
    return lm


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("gpt2", "gpt_neox", "opt", "phi3")])
@pytest.mark.parametrize("masks", [1, 3, 9])
def test_the_answer_is_that_of_the_base(family, masks):
    lm = lm_of(family)
    expected = [plain(lm, row, 18) for row in ROWS]
    drafting(lm)
    assert [written(model_of(lm).bind(row), drafts=masks)[0][0] for row in ROWS] == expected
    together, steps = written(model_of(lm).bind_rows(ROWS), drafts=masks)
    assert together == expected and max(s.step for s in steps) <= 6
    assert plain(lm, ROWS[0], 18) == expected[0]                    # the base is what it was


def test_right_drafts_settle_many_tokens_a_step_and_wrong_ones_one():
    lm = drafting(lm_of())
    answer = plain(lm, ROWS[0], 18)
    bound, calls = model_of(lm).bind(ROWS[0]), []

    class Told:
        """The expert, with what its masks guess put right, or wrong."""

        def __init__(self, shift):
            self.shift = shift

        def __getattr__(self, name):
            return getattr(bound, name)

        def __call__(self, ids, state):
            calls.append(state.window.stop - state.window.start)
            prediction = bound(ids, state)
            first = ids.shape[1] + state.window.start
            for i in range(prediction.logits.shape[1]):
                guessed_at = state.window.start + i - 1             # the position whose token or mask this was predicted at
                blank = i > 0 and bool(state.blank[0, guessed_at] & ~state.settled[0, guessed_at])
                if blank and first + i < len(answer):
                    prediction.logits[0, i] = -9.0
                    prediction.logits[0, i, (answer[first + i] + self.shift) % 61] = 9.0
            return prediction

    def steps_of(shift):
        rows, steps = written(Told(shift), drafts=3, block_length=18)
        assert rows == [answer]
        return len(steps)
    right, wrong = steps_of(0), steps_of(1)
    assert right <= -(-len(answer) // 4) + 2 and wrong >= len(answer) - 1 and max(calls) == 7
    assert len(written(bound, drafts=0, block_length=18)[1]) > right


@pytest.mark.parametrize("weights,alpha", [("constant", 0.0), ("adaptive", 0.5), ("margin", 0.0), ("divergence", 0.0)])
def test_a_fused_answer_is_the_same_with_drafts(weights, alpha):
    lm = lm_of(seed=1)
    add_adapter(lm, "me", SETTINGS, adapter_of(lm, 7, 0.3))
    row, document = ROWS[0], [*ROWS[2], *ROWS[0]]
    params = EnsembleParams({"me": 0.4}, weights=weights, tau=0.7, alpha=alpha)
    fused = lambda: Ensemble({"core": model_of(lm).bind(row), "me": model_of(lm, "me").bind(document, row)}, params)  # noqa: E731
    before = [written(fused(), seed, projection=projection)[0] for seed in range(3) for projection in ("greedy", "sampling")]
    drafting(lm)
    assert fused().draft_masks == COUNT
    for drafts in (0, 2, 4):
        assert before == [written(fused(), seed, projection=projection, drafts=drafts)[0]
                          for seed in range(3) for projection in ("greedy", "sampling")]


def test_an_ensemble_drafts_only_where_all_of_its_experts_can():
    one, other = drafting(lm_of(seed=1)), lm_of(seed=2)
    fused = Ensemble({"core": model_of(one).bind(ROWS[0]), "me": model_of(other).bind(ROWS[1])}, EnsembleParams({"me": 0.4}))
    assert fused.draft_masks == 0 and written(fused)[1][0].state.blank is None


def test_pins_stand_and_what_follows_is_denoised_around_them():
    lm = lm_of()
    pinned = lambda: (lambda pins: (pins.put(0, 3, [8, 9]), pins)[1])(Pins())  # noqa: E731
    expected = written(model_of(lm).bind(ROWS[0]), pins=pinned())[0]
    drafting(lm)
    assert written(model_of(lm).bind(ROWS[0]), pins=pinned(), drafts=3)[0] == expected and expected[0][3:5] == [8, 9]


def test_every_row_drafts_for_itself_and_settled_ones_never_move():
    _, steps = written(model_of(drafting(lm_of())).bind_rows(ROWS), drafts=2)
    for one, other in zip(steps, steps[1:], strict=False):
        if one.block == other.block:
            assert (other.token_ids == one.token_ids)[one.after.settled].all()
            assert (other.after.settled.sum(-1) > one.after.settled.sum(-1))[~one.after.settled.all(-1)].all()
            assert not (one.after.confidence[one.after.blank & ~one.after.settled] > 0).any()


def test_masks_among_token_ids():
    ids, blank = torch.tensor([[5, 6, 7, 8, 9]]), torch.tensor([[False, True, True, False, True]])
    assert with_masks(ids, blank).tolist() == [[5, -1, -2, 8, -1]]
    assert places_of(torch.tensor([[5, -1], [-2, 3]])).tolist() == [1, 2] and places_of(ids) is None
    lm = drafting(lm_of())
    table, masks = lm.get_input_embeddings().weight, masks_of(lm)
    masked = torch.tensor([[5, -1, -2, -9]])
    embedded = given(lm, masked, places_of(masked))["inputs_embeds"][0]
    assert torch.equal(embedded, torch.stack([table[5], masks[0], masks[1], masks[COUNT - 1]]))
    assert given(lm, ids, places_of(ids)) == {"input_ids": ids}


def test_they_are_saved_and_loaded_with_their_core_and_refused_by_another(tmp_path):
    lm = lm_of()
    tensors = adapter_of(lm) | {MASKS: torch.randn(COUNT, 32)}
    load_drafts(lm, tmp_path, "a/base")
    assert masks_of(lm) is None
    save_drafts(tmp_path, "a/base", SETTINGS, tensors)
    load_drafts(lm, tmp_path, "a/base")
    assert torch.equal(masks_of(lm), tensors[MASKS].half().float())
    with pytest.raises(ModelError, match="are of 'a/base', not of 'another/base'; train drafts for this base"):
        load_drafts(lm_of(), tmp_path, "another/base")
    for wrong, sentence in (({}, "not none"), ({MASKS: torch.randn(COUNT, 31)}, r"masks by 32, not \[4, 31\]"),
                            ({MASKS: torch.randn(COUNT, 32)}, "lora_A.weight is missing")):
        save_drafts(tmp_path, "a/base", SETTINGS, wrong)
        with pytest.raises(ModelError, match=sentence):
            load_drafts(lm_of(), tmp_path, "a/base")
    assert json.loads((tmp_path / "drafts/config.json").read_text()) == {"base": "a/base", "lora": SETTINGS}
