"""The prefix cache of masked cores that read the whole answer: what it leaves out, and where it changes nothing."""

from dataclasses import replace

import pytest
import torch
from transformers import DynamicCache

from ssd2_core.config import SamplingParams, Settings
from ssd2_core.diffusion.sampling import generate
from ssd2_core.errors import LimitError
from ssd2_core.models.loading import load
from ssd2_core.serving.model_runner import ModelCache
from tests.support.kinds import MASKED
from tests.support.masked import masked_folder

CANVASES = ("llada", "dream", "a2d-mdlm")
SHORT = SamplingParams(num_steps=3, block_length=6, max_new_tokens=12, mask_schedule="even", mask_order="probability")
ROWS = [[5, 6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("prefix")
    return {name: str(masked_folder(place / name, kind)) for name, kind in MASKED.items()}


def answer(denoise, params=SHORT) -> list:
    steps = list(generate(denoise, params, torch.Generator().manual_seed(0)))
    assert all(bool(step.prediction.logits.isfinite().all()) for step in steps)
    return torch.cat([step.token_ids for step in steps if step.finished], 1).tolist()


def positions(lm) -> list[int]:
    """How many positions each pass from here on reads."""
    seen = []
    lm.register_forward_pre_hook(lambda _, args, given: seen.append(given["input_ids"].shape[1]), with_kwargs=True)
    return seen


@pytest.mark.parametrize("kind", CANVASES)
def test_a_step_reads_the_window_and_what_follows_it_after_the_first(folders, kind):
    for cache in ("off", "on"):
        model = load(folders[kind], prefix_cache=cache).model
        seen, asked = positions(model.lm), len(ROWS[0])
        assert len(answer(model.bind(ROWS[0]))[0]) == 12
        before = kind == "dream"                        # its predictions are read one position before
        kept = [asked + 12, *[12 + before] * 2, asked + 12, *[6 + before] * 2]
        assert seen == (kept if cache == "on" else [asked + 12] * 6)


def test_what_is_kept_is_what_the_first_step_of_the_window_read(folders):
    model = load(folders["llada"], prefix_cache="on").model
    bound, lm = model.bind(ROWS[0]), model.lm
    run, first, cache = generate(bound, SHORT, torch.Generator().manual_seed(0)), len(ROWS[0]), DynamicCache()
    mask = torch.zeros(1, 1, 1, first + 12)
    for step in range(3):
        _, state = run.question()
        text = torch.tensor([ROWS[0] + state.token_ids.masked_fill(~state.settled, state.mask_token_id)[0].tolist()])
        at = torch.arange(first if step else 0, first + 12)
        wanted = lm(input_ids=text[:, at], attention_mask=mask.expand(1, 1, len(at), -1), position_ids=at[None],
                    past_key_values=cache, use_cache=True).logits[:, -12:]
        cache.crop(-12)
        made = run.make_step().prediction.logits
        assert (made - wanted[:, :6, :made.shape[-1]]).abs().max() < 1e-4


@pytest.mark.parametrize("kind", [kind for kind in MASKED if kind not in CANVASES])
def test_it_changes_nothing_where_nothing_is_read_twice(folders, kind):
    exact, kept = (load(folders[kind], prefix_cache=cache).model for cache in ("off", "on"))
    assert answer(kept.bind(ROWS[0])) == answer(exact.bind(ROWS[0]))


@pytest.mark.parametrize("kind", CANVASES)
def test_with_one_step_a_window_it_is_exact(folders, kind):
    exact, kept = (load(folders[kind], prefix_cache=cache).model for cache in ("off", "on"))
    params = replace(SHORT, num_steps=1)
    assert answer(kept.bind_rows(ROWS), params) == answer(exact.bind_rows(ROWS), params)


@pytest.mark.parametrize("kind", CANVASES)
def test_rows_together_are_rows_alone_wherever_each_of_them_is(folders, kind):
    model = load(folders[kind], prefix_cache="on").model
    alone = [[step.token_ids.tolist() for step in generate(model.bind(row), SHORT, torch.Generator())] for row in ROWS]
    assert answer(model.bind_rows(ROWS)) == [[*one[2][0], *one[-1][0]] for one in alone]
    runs, shared = [generate(model.bind(row), SHORT, torch.Generator()) for row in ROWS], [[] for _ in ROWS]
    for turn in range(8):                               # each begins a step after the one before
        asked = [run for n, run in enumerate(runs) if n <= turn and run.state is not None]
        known = asked[0].denoise.together([(run.denoise, *run.question()) for run in asked])
        for run in asked:
            expert, run.denoise = run.denoise, Known(run.denoise, known[run.denoise])
            shared[runs.index(run)].append(run.make_step().token_ids.tolist())
            run.denoise = expert
    assert shared == alone


class Known:
    """An expert whose prediction was made before."""

    def __init__(self, expert, logits):
        self.canvas, self.ends, self.logits, self.parts, self.weights = True, expert.ends, logits, {}, {}

    def __call__(self, *_):
        return self


def test_a_service_has_it_as_it_was_started_and_other_words_are_refused(folders):
    assert load(folders["llada"]).config.keeps_prefix is False
    assert ModelCache(Settings(prefix_cache="on")).get(folders["llada"]).config.keeps_prefix is True
    with pytest.raises(LimitError, match="prefix_cache must be one of off, on, not 'maybe'"):
        load(folders["llada"], prefix_cache="maybe")
