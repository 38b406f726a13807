"""Steering: pinned tokens, blanks to fill in, spans denoised again, branches of a run; with the compact pair."""

import math
import re
from dataclasses import replace
from queue import SimpleQueue

import pytest
import torch

from ssd2_core.config import EnsembleParams, Limits, SamplingParams, Settings
from ssd2_core.diffusion.describe import disagreement
from ssd2_core.diffusion.pins import Pins
from ssd2_core.diffusion.sampling import generate
from ssd2_core.diffusion.step import Prediction
from ssd2_core.errors import LimitError, ModelError
from ssd2_core.models.loading import load
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Change, Changed, Control, Document, Done, Pin, Request, Started
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.serving.model_runner import ModelRuns
from ssd2_core.serving.worker import Worker
from ssd2_core.text.prompts import ANY, WORD, pin_ids, template_ids, template_of
from tests.support.tiny import Fake

NOTE = (Document("note", "My dog is called Brimsel. We live in Oslo near the old mill."),)
ASKED, READER = "What is my dog called?", "compact-reader"
TOKENIZER = load(READER).tokenizer
CORE_ALONE = EnsembleParams({READER: 0.0})


@pytest.fixture(scope="module")
def engine():
    with InlineEngine(Settings()) as made:
        yield made


def request(prompt=ASKED, seed=0, **more) -> Request:
    return Request("", prompt, "compact-core", (READER,), NOTE, (), SamplingParams(seed=seed),
                   EnsembleParams({READER: 0.5}), **more)


def run(engine, asked: Request) -> tuple[list[Frame], object]:
    events = list(engine.stream(engine.submit(asked)))
    return [event for event in events if isinstance(event, Frame)], events[-1]


class Toy(Fake):
    """A denoiser over five tokens that always wants token 3; notes the noisy blocks it was shown."""

    vocab_size, ends = 5, (0,)

    def __init__(self):
        self.shown = []

    def __call__(self, ids, state):
        self.shown.append(state.x_t.clone())
        logits = torch.zeros(state.x_t.shape)
        logits[..., 3] = 4.0
        return Prediction(logits)


def test_a_pinned_token_is_shown_without_noise_and_never_moves():
    pins, toy = Pins(), Toy()
    pins.put(0, 1, [2, 4])
    params = SamplingParams(num_steps=4, block_length=4, max_new_tokens=4)
    steps = list(generate(toy, params, torch.Generator().manual_seed(0), pins=pins))
    for step, x_t in zip(steps, toy.shown, strict=True):
        assert step.token_ids.tolist() == [[3, 2, 4, 3]] and step.pinned.tolist() == [False, True, True, False]
        assert x_t[0, 1].tolist() == [-5, -5, 5, -5, -5] and x_t[0, 2].tolist() == [-5, -5, -5, -5, 5]
        assert step.after.confidence[0, 1] == pytest.approx(1) and step.after.entropy[0, 1] == pytest.approx(0, abs=1e-4)
    free = toy.shown[0][0, [0, 3]]
    again = Toy()
    list(generate(again, params, torch.Generator().manual_seed(0)))
    assert torch.equal(free, again.shown[0][0, [0, 3]])              # the noise of the other cells is what it was without


def test_a_pin_acts_at_the_next_step_and_a_block_of_pins_takes_one_step():
    pins, toy = Pins(), Toy()
    steps = generate(toy, SamplingParams(num_steps=4, block_length=2, max_new_tokens=4), torch.Generator(), pins=pins)
    assert next(steps).token_ids.tolist() == [[3, 3]]
    pins.put(0, 0, [1])
    assert next(steps).token_ids.tolist() == [[1, 3]]
    pins.put(1, 0, [4, 4])
    rest = list(steps)
    assert [(s.block, s.step, s.finished) for s in rest] == [(0, 3, False), (0, 4, True), (1, 1, True)]
    assert rest[-1].token_ids.tolist() == [[4, 4]]


def test_disagreement_is_the_jensen_shannon_divergence():
    a, b = torch.tensor([[[0.7, 0.2, 0.1]]]), torch.tensor([[[0.1, 0.3, 0.6]]])
    weights = {"core": torch.tensor([[0.25]]), "me": torch.tensor([[0.75]])}
    mixed = 0.25 * a + 0.75 * b
    exact = 0.25 * (a * (a / mixed).log()).sum() + 0.75 * (b * (b / mixed).log()).sum()
    prediction = Prediction(torch.zeros(1, 1, 3), {"core": a.log(), "me": b.log()}, weights)
    whole = torch.tensor([[[0, 1, 2]]])
    assert disagreement(prediction, [whole, whole]).item() == pytest.approx(exact.item(), abs=1e-6)
    part = disagreement(prediction, [torch.tensor([[[0]]]), torch.tensor([[[2]]])]).item()
    assert 0 < part <= exact + 1e-6
    prediction.parts["me"] = a.log()
    assert disagreement(prediction, [whole, whole]).item() == pytest.approx(0, abs=1e-6)
    assert disagreement(Prediction(torch.zeros(1, 2, 3)), []).tolist() == [[0, 0]]


@pytest.mark.parametrize("prompt,question,parts", [
    ("What is it?", "What is it?", ()),
    ("Where is Oslo? It is [blank].", "Where is Oslo?", ("It is", 4, ".")),
    ("Where is Oslo? [blank:3] is where it lies", "Where is Oslo?", (3, " is where it lies")),
    ("My dog is [blank:2] and [blank:12]", "My dog is... and...", ("My dog is", 2, " and", 12)),
    ("One. Two: [blank]\nThree", "One. Two:", (4, "\nThree")),
])
def test_a_prompt_with_blanks_is_a_question_and_a_template(prompt, question, parts):
    found = template_of(prompt)
    assert (found.question, found.parts) == (question, parts)


@pytest.mark.parametrize("text", ["[blank:0]", "[blank:33]", "[blank:999]"])
def test_a_blank_has_its_limits(text):
    with pytest.raises(LimitError, match="a blank must lie between 1 and 32"):
        template_of(f"It is {text}.")


def test_words_are_encoded_as_they_stand_in_a_sentence():
    whole = TOKENIZER.encode("It is Rex, a good dog.", add_special_tokens=False).ids
    parts = template_ids(TOKENIZER, template_of("Who? It is [blank:2], a good dog."))
    assert [i for i in parts if i >= 0] == whole[:2] + whole[whole.index(parts[4]):] and parts[2:4] == [WORD, ANY]
    assert template_ids(TOKENIZER, template_of("Who? It is([blank:1])"))[-2] == ANY
    assert TOKENIZER.decode(pin_ids(TOKENIZER, "Rex", False)) == " Rex" and pin_ids(TOKENIZER, ",", False) == [parts[4]]
    assert pin_ids(TOKENIZER, " It ", True) == whole[:1]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_blank_reads_as_a_person_writes(engine, seed):
    _, done = run(engine, request("My dog is called [blank:3]. It barks.", seed=seed))
    assert re.fullmatch(r"My dog is called [^\s].*\. It barks\.", done.answer) and "\n" not in done.answer


def test_blanks_are_filled_in_between_what_is_given(engine):
    frames, done = run(engine, request(f"{ASKED} It is [blank:5], a good dog."))
    assert done.answer == "It is Brimsel, a good dog."
    assert frames[0].pinned[:8] == [True, True, False, False, False, False, False, True] and frames[0].texts[7] == ","


def test_a_word_pinned_from_the_start_stands_there(engine):
    frames, done = run(engine, request(pins=(Pin(0, 0, "They call"),)))
    assert done.answer.startswith("They call") and all(frame.texts[:2] == frames[0].texts[:2] for frame in frames)


def test_a_word_pinned_on_the_way_acts_at_the_next_step(engine):
    asked, at = request(plan=(Change(6, pin=Pin(0, 2, "Rex")),)), 6
    frames, done = run(engine, asked)
    plain, _ = run(engine, request())
    assert [f.token_ids for f in frames[:at]] == [f.token_ids for f in plain[:at]]
    assert "Rex" in done.answer and [f.revision for f in frames] == [0] * at + [1] * (16 - at)
    assert not any(frames[at - 1].pinned) and frames[at].pinned[2]


def test_pinning_reaches_a_run_that_goes_on(engine):
    run_id = engine.submit(request())
    assert engine.pin(run_id, Pin(0, 2, "Rex"))
    frames = [event for event in engine.stream(run_id) if isinstance(event, Frame)]
    assert "Rex" in "".join(frames[-1].texts) and frames[-1].revision == 1
    assert not engine.pin(run_id, Pin(0, 2, "Rex"))


def test_a_pin_that_comes_while_a_batch_is_computed_is_told_with_the_step_it_acts_at():
    prepare, inbox, events = ModelRuns(Settings()), SimpleQueue(), []
    worker = Worker(inbox, events.append, prepare)
    batched = prepare.prefetch

    def prefetch(runs):                                 # what is put here is read after the first run's step
        batched(runs)
        if len(runs) == 2 and runs[1].num_steps == 5:
            inbox.put(Control("b", pin=Pin(0, 2, "Rex")))
    prepare.prefetch = prefetch
    for name in "ab":
        inbox.put(replace(request(), request_id=name))
    while sum(isinstance(event, Done) for event in events) < 2:
        worker.round()
    inbox.put(None)
    worker.run()
    change, = (event.change for event in events if isinstance(event, Changed))
    found = [event for event in events if isinstance(event, Frame) and event.request_id == "b"]
    assert change.step == 6 and [f.revision for f in found] == [0] * 6 + [1] * 10 == [int(f.pinned[2]) for f in found]
    with InlineEngine(Settings()) as alone:
        again, _ = run(alone, request(plan=(change,)))
    assert [f.token_ids for f in again] == [f.token_ids for f in found]


def test_a_span_is_denoised_again_around_the_rest(engine):
    frames, _ = run(engine, request("What is the capital of France?", seed=1))
    ids, span = frames[-1].token_ids, range(2, 5)
    kept = tuple(Pin(0, i, token_ids=(token,)) for i, token in enumerate(ids) if i not in span)
    again, _ = run(engine, request("What is the capital of France?", seed=2, pins=kept))
    assert [t for i, t in enumerate(again[-1].token_ids) if i not in span] == [t for i, t in enumerate(ids) if i not in span]
    assert [i for i, pinned in enumerate(again[0].pinned) if not pinned] == list(span)


def test_a_branch_is_the_same_run_up_to_its_step(engine):
    first, _ = run(engine, request())
    same, _ = run(engine, request(plan=(Change(5, EnsembleParams({READER: 0.5})),)))
    assert [(f.token_ids, f.confidence) for f in same] == [(f.token_ids, f.confidence) for f in first]
    branch, done = run(engine, request(plan=(Change(5, CORE_ALONE),)))
    assert [(f.token_ids, f.confidence) for f in branch[:5]] == [(f.token_ids, f.confidence) for f in first[:5]]
    assert branch[5].weight[READER] == [0.0] * 16 != first[5].weight[READER] and "Brimsel" not in done.answer


def test_a_frame_tells_candidates_and_disagreement(engine):
    frames, _ = run(engine, request())
    for frame in (frames[0], frames[-1]):
        assert set(frame.candidates) == {"together", "core", READER}
        best = [row[0] for row in frame.candidates["together"]]
        assert [text for text, _ in best] == frame.texts
        assert [p for _, p in best] == pytest.approx(frame.confidence, abs=1e-3)
        assert all(len(row) == 3 and row[0][1] >= row[1][1] >= row[2][1] for rows in frame.candidates.values() for row in rows)
        assert all(0 <= d <= math.log(2) + 1e-6 for d in frame.disagreement)
    fixed, _ = run(engine, replace(request(), ensemble=EnsembleParams({READER: 0.5}, weights="constant")))
    assert fixed[0].disagreement[2] > 0.1 > fixed[0].disagreement[1]         # of the name, not of "is"


@pytest.mark.parametrize("pin,sentence", [
    (Pin(0, 14, "Constantinople"), "'Constantinople' has"), (Pin(2, 15, "x y z q"), "only 1 are left"),
    (Pin(3, 0, "late"), "'late' stands behind the last token of this answer (48)"),
    (Pin(0, 0, token_ids=(2048,)), "2048 is not a token"),
])
def test_a_pin_that_does_not_fit_is_refused_at_the_start_and_told_on_the_way(engine, pin, sentence):
    _, failed = run(engine, request(pins=(pin,)))
    assert sentence in failed.message
    events = list(engine.stream(engine.submit(request(plan=(Change(3, pin=pin),)))))
    notices = [n for event in events if isinstance(event, Started) for n in event.notices]
    assert any(sentence in notice for notice in notices) and events[-1].answer == "It is Brimsel."


@pytest.mark.parametrize("change,sentence", [
    ({"pins": (Pin(-1, 0, "a"),)}, "the block of a pin"), ({"pins": (Pin(0, 99, "a"),)}, "the position of a pin"),
    ({"pins": (Pin(0, 0, "  "),)}, "a word or token ids"), ({"pins": (Pin(0, 0, "a", (3,)),)}, "a word or token ids"),
    ({"pins": (Pin(0, 0, "a" * 61),)}, "at most 60 characters"), ({"pins": (Pin(0, 0, token_ids=(-1,)),)}, "a pinned token"),
    ({"pins": (Pin(0, 0, token_ids=("x",)),)}, "must be a list of int"), ({"pins": ("a",)}, "must be a list of pin"),
    ({"pins": (Pin(True, 0, "a"),)}, "the block of a pin"), ({"pins": (Pin(0, 0, "a\x00"),)}, "control character"),
    ({"plan": (Change(-1),)}, "the step of a change"), ({"plan": (Change(float("nan")),)}, "the step of a change"),
    ({"plan": (Change(1, "loud"),)}, "ensemble settings are incomplete"), ({"plan": 3}, "The plan must be a list"),
    ({"plan": (Change(1, EnsembleParams({"stranger": 0.5})),)}, "not one of the chosen users"),
    ({"plan": (Change(1, pin=Pin(0, 0)),)}, "a word or token ids"), ({"plan": (Change(1),) * 201}, "at most 200 entries"),
])
def test_what_cannot_be_is_refused_in_a_sentence(engine, change, sentence):
    with pytest.raises((LimitError, ModelError), match=sentence):
        engine.submit(request(**change))


def test_a_template_that_is_too_long_is_refused(engine):
    asked = Request("", "It is [blank:32] and so on.", sampling=SamplingParams(max_new_tokens=16))
    _, failed = run(engine, asked)
    assert "What is to be filled in has" in failed.message and "may have 16" in failed.message


def test_own_models_keep_their_cap_in_a_plan():
    with InlineEngine(Settings(limits=Limits())) as engine:
        import json

        from tests.test_visitors import SHEET, WEIGHTS
        card = engine.user_models.add("me", WEIGHTS, "mine.safetensors", json.dumps(SHEET).encode(), "mine.json")
        asked = Request("", "Hi", users=(card.id,), owner="me", ensemble=EnsembleParams({card.id: 0.5}),
                        plan=(Change(3, EnsembleParams({card.id: 0.9})),))
        with pytest.raises(LimitError, match="at most 0.8"):
            engine.submit(asked)


def test_a_control_carries_one_thing_or_both():
    assert Control("x").ensemble is None and Control("x", pin=Pin(0, 1, "a")).pin.text == "a"
