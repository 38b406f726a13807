"""What a run has beside its steps, for every kind of denoiser, each with the same causal reader, through the engine."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from ssd2_core.config import EnsembleParams, Settings
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.sampling import generate
from ssd2_core.models.loading import load
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Change, Document, Done, Pin, Request, Started
from ssd2_core.protocol.traces import about_run, request_from, trace_from_json, trace_to_json
from ssd2_core.serving.batching import Batcher
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.serving.model_runner import UNGUIDED, ModelRuns
from ssd2_core.ui.handlers.steering import again
from ssd2_core.ui.runs import Run
from tests.support.kinds import KINDS, SHORT, kind_folders
from tests.support.masked import MASKING

NOTE = Document("note", "my dog is called Biscuit")
ASKED = "what is my dog called"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return kind_folders(tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="module")
def engine():
    with InlineEngine(Settings()) as made:
        yield made


def asked(folders, kind: str, prompt: str = ASKED, lam: float = 0.4, sampling=SHORT, name: str = "", **more) -> Request:
    reader = folders["causal"]
    ensemble = EnsembleParams({reader: lam}, **more.pop("ensemble", {}))
    return Request(name, prompt, folders[kind], (reader,), (NOTE,), (), sampling, ensemble, **more)


def run(engine, request: Request) -> tuple[list[Frame], Done, list]:
    events = list(engine.stream(engine.submit(request)))
    assert isinstance(events[-1], Done), events[-1]
    return [event for event in events if isinstance(event, Frame)], events[-1], events


def ids_of(frames: list[Frame]) -> dict[int, list[int]]:
    """The tokens that each block came to."""
    return {frame.block: frame.token_ids for frame in frames}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_say_what_is_seen_and_what_is_predicted_by_whom(folders, engine, kind):
    frames, done, _ = run(engine, asked(folders, kind))
    first = [frame for frame in frames if frame.block == 1]             # of SDAR, block 0 may hold a single word
    assert set(frames[0].share) == {"core", folders["causal"]} == set(done.shares)
    assert any(first[0].input_texts) == (kind == "uniform")             # random tokens; elsewhere nothing is seen yet
    assert not any(first[0].input_mass) and any(any(frame.input_mass) for frame in first[1:])
    assert all(len(frame.texts) == len(frame.input_texts) == len(frame.settled) for frame in frames)
    assert run(engine, asked(folders, kind))[1].answer == done.answer             # the seed decides it


@pytest.mark.parametrize("kind", KINDS)
def test_pins_stand_from_their_step_on_and_a_trace_makes_the_run_again(folders, engine, kind):
    plan = (Change(2, EnsembleParams({folders["causal"]: 0.9})), Change(2, pin=Pin(1, 1, token_ids=(40,))))
    request = asked(folders, kind, plan=plan, pins=(Pin(1, 3, token_ids=(41,)),))
    frames, done, _ = run(engine, request)
    assert all(frame.token_ids[3] == 41 and frame.pinned[3] for frame in frames if frame.block == 1)
    assert all(frame.token_ids[1] == 40 for frame in frames if frame.block == 1 and frame.pinned[1])
    assert frames[-1].revision == 2 and any(frame.pinned[1] for frame in frames if frame.block == 1)
    played, about = trace_from_json(trace_to_json(frames, about_run(request, done, {}, (NOTE,))))
    assert played == frames
    assert ids_of(run(engine, request_from(about, (NOTE,)))[0]) == ids_of(frames)


@pytest.mark.parametrize("kind", KINDS)
def test_a_blank_is_filled_between_what_is_given(folders, engine, kind):
    frames, done, _ = run(engine, asked(folders, kind, "what is it? my dog is [blank:2] now"))
    assert done.answer.startswith("my dog is") and done.answer.endswith("now")
    given = [pin for block in sorted(ids_of(frames)) for pin in
             next(frame.pinned for frame in frames if frame.block == block)]
    assert given.count(False) == 2
    with_other = run(engine, asked(folders, kind, "what is it? my dog is [blank:2] here"))[0]
    seen = [[part[0].candidates["core"][i] for i, pin in enumerate(part[0].pinned) if not pin] for part in (frames, with_other)]
    if kind in ("llada", "dream", "a2d-mdlm", "bert"):                             # what follows the blank is read as well
        assert seen[0] != seen[1]


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_denoised_again_and_the_others_stay(folders, engine, kind):
    sampling = replace(SHORT, projection="sampling", temperature=2.0, top_p=1.0)
    request = asked(folders, kind, sampling=sampling)
    frames, done, _ = run(engine, request)
    shown = Run(request, {}, frames=frames, end=done)
    free = {(1, 2), (1, 3)}
    changed = ids_of(run(engine, again(shown, free))[0])
    first = ids_of(frames)
    kept = [(b, i) for b in first for i in range(len(first[b])) if (b, i) not in free]
    assert all(changed[b][i] == first[b][i] for b, i in kept if b in changed)
    assert any(changed[b][i] != first[b][i] for b, i in free)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_rules_contrast_and_steps_act(folders, engine, kind):
    def said(**more) -> str:
        return str([frame.candidates["together"] for frame in run(engine, asked(folders, kind, **more))[0][-3:]])
    base = said()
    acts = {"weight": {"lam": 0.9}, "rule": {"ensemble": {"weights": "constant"}}, "tau": {"ensemble": {"tau": 5.0}},
            "contrast": {"ensemble": {"alpha": 2.0}}, "moved": {"plan": (Change(2, EnsembleParams({folders["causal"]: 1.0})),)}}
    assert [name for name, more in acts.items() if said(**more) == base] == []
    alone = run(engine, replace(asked(folders, kind, lam=0.0), users=(), ensemble=EnsembleParams({})))[0]
    assert ids_of(alone) == ids_of(run(engine, asked(folders, kind, lam=0.0))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_guidance_says_that_it_cannot_where_no_model_of_sentiment_fits(folders, engine, kind):
    _, _, events = run(engine, asked(folders, kind, ensemble={"guidance": 2.0}))
    [notices] = [event.notices for event in events if isinstance(event, Started)]
    assert UNGUIDED in notices


@pytest.mark.parametrize("kind", KINDS)
def test_visitors_share_passes_and_get_what_they_get_alone(folders, kind):
    runs = ModelRuns(Settings())
    prompts = ("what is my dog called", "who are you", "where do we go now and what is it called there")
    requests = [asked(folders, kind, prompt, name=str(i)) for i, prompt in enumerate(prompts)]

    def started() -> list:
        return [runs(request, lambda *_: None) for request in requests]
    alone = [[step.token_ids.tolist() for step, _ in one.steps] for one in started()]
    batcher, shared, together = Batcher(), started(), [[] for _ in requests]
    while any(one.steps.generation.state is not None for one in shared):
        active = [one for one in shared if one.steps.generation.state is not None]
        known = batcher.logits([(one.ensemble, one.steps.generation) for one in active])
        for one in active:
            one.steps.known = known
            together[shared.index(one)].append(next(one.steps)[0].token_ids.tolist())
    assert together == alone


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "causal"])
@pytest.mark.parametrize("knob", [{"settling": "confidence", "threshold": 0.05}, {"settling": "count"}, {"remasking": "on"},
                                  {"remasking": "off"}, {"early_exit": "entropy"}])
def test_how_words_settle_ends_with_an_answer_without_masks(folders, kind, knob):
    model = load(folders[kind]).model
    params = replace(SHORT, mask_order="probability", **knob)
    steps = list(generate(model.bind([5, 6, 7]), params, torch.Generator().manual_seed(0)))
    mask = getattr(model.config, "mask_token_id", None)
    assert steps[-1].finished and len(steps) <= 3 * SHORT.num_steps
    assert all(mask not in step.token_ids.flatten().tolist() for step in steps)
    if knob.get("threshold"):
        assert all(bool(step.after.settled[step.after.confidence >= knob["threshold"]].all()) for step in steps)


@pytest.mark.parametrize("kind", KINDS)
def test_fused_alone_and_with_itself(folders, kind):
    core, user = load(folders[kind]).model, load(folders["causal"]).model
    params = replace(SHORT, early_exit="off")

    def fused(weight: float, **experts) -> list[int]:
        bound = {name: model.bind([5, 6, 7]) for name, model in experts.items()}
        ensemble = Ensemble(bound, EnsembleParams({"me": weight}, "constant"))
        steps = generate(ensemble, params, torch.Generator().manual_seed(0))
        return [token for step in steps if step.finished for token in step.token_ids[0].tolist()]
    own = [token for step in generate(core.bind([5, 6, 7]), params, torch.Generator().manual_seed(0)) if step.finished
           for token in step.token_ids[0].tolist()]
    assert fused(0.0, core=core, me=user) == own == fused(0.5, core=core, me=core)
    assert fused(0.5, core=core, me=user) == fused(0.5, me=user, core=core)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_in_half_precision_is_asked_without_an_ensemble(folders, kind):
    model = load(folders[kind], dtype="bfloat16").model
    steps = list(generate(model.bind([5, 6, 7]), SHORT, torch.Generator().manual_seed(0)))
    assert model.dtype == torch.bfloat16 and steps[-1].finished


@pytest.mark.parametrize("kind", KINDS)
def test_every_token_that_the_checkpoint_says_ends_an_answer_does(folders, engine, tmp_path, kind):
    end, other, word = MASKING.token_to_id("<eos>"), MASKING.token_to_id("<|document|>"), 40
    assert load(folders[kind]).config.ends == (end,)
    place = tmp_path / kind
    shutil.copytree(folders[kind], place)
    (place / "generation_config.json").write_text(json.dumps({"eos_token_id": [other, word, end, "x", True, 10**9, None]}))
    assert load(str(place)).config.ends == (end, other)                     # no word, and nothing that is no token
    request = replace(asked(folders | {kind: str(place)}, kind, pins=(Pin(1, 2, token_ids=(other,)),)), users=(),
                      ensemble=EnsembleParams({}))
    frames, done, _ = run(engine, request)
    last = frames[-1]
    assert (done.finish_reason, last.block, last.is_eos[2]) == ("eos", 1, True)
    if kind == "causal":                                                    # what stands behind it is nothing
        assert set(last.token_ids[3:]) == {end}
