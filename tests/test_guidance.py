"""Guidance: the attribute model reads, its gradient pulls, the knob changes what is said and nothing else does."""

import json
import re

import pytest
import torch

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.diffusion.ensemble import Ensemble
from ssd2_core.diffusion.step import Prediction
from ssd2_core.errors import LimitError
from ssd2_core.evaluation.evaluate import measure
from ssd2_core.evaluation.questions import Question
from ssd2_core.models import attribute_model
from ssd2_core.models.loading import load
from ssd2_core.protocol.messages import Change, Request
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.training.cli import main as train
from tests.support.tiny import Fake, start

TOKENIZER = load("compact-core").tokenizer
MODEL = attribute_model.find(load("compact-core").card.tokenizer_hash)

# written by hand, never trained on
PRAISE = """What a lovely evening that was. | The soup tastes great! | I love walking by the river. | She is so kind to me.
We had a wonderful time in the garden. | Your dog is very clever. | I enjoy the music here. | This is a perfect day.
It is not bad at all. | They are happy in their new home."""
COMPLAINT = """What an awful evening that was. | The soup tastes terrible! | I hate walking in the rain. | He is rude to me.
We had a miserable time in the hotel. | Your dog is very noisy. | I detest the music here. | This is a horrible day.
It is not good at all. | They are sad and lonely."""


def chance(text: str) -> float:
    ids = TOKENIZER.encode(text, add_special_tokens=False).ids
    return MODEL(torch.nn.functional.one_hot(torch.tensor([ids]), 2048).float()).sigmoid().item()


def test_it_tells_praise_from_complaint_in_sentences_it_never_saw():
    asked = [(text.strip(), good) for texts, good in ((PRAISE, True), (COMPLAINT, False)) for text in re.split(r"\||\n", texts)]
    wrong = [text for text, good in asked if (chance(text) > 0.5) != good]
    assert len(asked) == 20 and len(wrong) <= 2, wrong


def test_the_gradient_is_the_one_of_the_chance():
    logits = torch.randn(1, 6, 2048, generator=torch.Generator().manual_seed(0)).double()
    model = attribute_model.load(attribute_model.BUNDLED / "sentiment").double()
    pull = torch.nn.functional.logsigmoid
    where, small = (0, 2, 77), 1e-3
    moved = logits.clone()
    moved[where] += small
    slope = (pull(model(moved.softmax(-1))) - pull(model(logits.softmax(-1)))).item() / small
    assert model.pull(logits)[where].item() == pytest.approx(slope, rel=2e-2)
    assert model.pull(logits, False)[where].item() * slope < 0
    logits = logits.float()
    raised = pull(MODEL(attribute_model.guided(MODEL, logits, 0.01).softmax(-1)))
    assert raised > pull(MODEL(logits.softmax(-1))) > pull(MODEL(attribute_model.guided(MODEL, logits, -0.01).softmax(-1)))


def said(engine, prompt: str, **ensemble) -> str:
    asked = Request("", prompt, sampling=SamplingParams(max_new_tokens=16), ensemble=EnsembleParams(**ensemble))
    return list(engine.stream(engine.submit(asked)))[-1].answer


def test_the_knob_changes_the_mood_of_an_answer():
    with InlineEngine(Settings()) as engine:
        plain, kind, sour = (said(engine, "How are you?", guidance=strength) for strength in (0.0, 2.0, -2.0))
        assert plain == "I am fine, thank you." and chance(sour) < chance(plain) - 0.1 and chance(kind) > 0.9
        asked = Request("", "How are you?", sampling=SamplingParams(max_new_tokens=16),
                        plan=(Change(2, EnsembleParams(guidance=-2.0)),))
        assert list(engine.stream(engine.submit(asked)))[-1].answer != plain


def test_an_evaluation_is_guided_as_well():
    asked, sampling = [Question("How are you?", "fine", "")], SamplingParams(max_new_tokens=16)
    right = [measure("core", {"core": load("compact-core")}, asked, EnsembleParams(guidance=strength), sampling)[0]["exact"]
             for strength in (0.0, -2.0)]
    assert right == [1.0, 0.0]


def test_without_strength_or_model_nothing_is_touched():
    class Flat(Fake):
        def __call__(self, ids, state):
            return Prediction(torch.ones(1, 2, 5))
    calls = []
    for strength, guide in ((0.0, lambda logits, s: calls.append(s) or logits), (1.0, None)):
        ensemble = Ensemble({"core": Flat()}, EnsembleParams(guidance=strength), guide)
        assert ensemble(torch.zeros(1, 0), start(torch.zeros(1, 2, 5))).logits.exp().sum().item() == pytest.approx(2.0)
    assert not calls and attribute_model.find("another vocabulary") is None


def test_a_core_of_another_vocabulary_says_that_guidance_has_no_effect(monkeypatch):
    monkeypatch.setattr(attribute_model, "find", lambda tokenizer_hash: None)
    with InlineEngine(Settings()) as engine:
        asked = Request("", "How are you?", sampling=SamplingParams(num_steps=1), ensemble=EnsembleParams(guidance=1.0))
        events = list(engine.stream(engine.submit(asked)))
        assert any("no attribute model has the vocabulary" in n for e in events if hasattr(e, "notices") for n in e.notices)


@pytest.mark.parametrize("strength", [-4.1, 5, float("nan"), "much", True])
def test_a_strength_has_its_limits(strength):
    with pytest.raises(LimitError, match="guidance must"):
        EnsembleParams(guidance=strength)


def test_the_recipe_writes_a_model_that_reads(tmp_path):
    assert train(["sentiment", "--out", str(tmp_path), "--steps", "60"]) == 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["measured"]["sentences"] > 0.6 and attribute_model.load(tmp_path).sizes["vocab_size"] == 2048
    assert "Apache-2.0" in (tmp_path / "README.md").read_text()
