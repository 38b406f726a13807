"""Causal LMs and adapters on them from folders: what loads, what is shared in memory, what is refused in a sentence."""

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import ModelError
from ssd2_core.evaluation.evaluate import evaluate
from ssd2_core.evaluation.questions import Question
from ssd2_core.models.loading import load
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Document, Done, Failed, Request, Started, Turn
from ssd2_core.protocol.traces import trace_from_json, trace_to_json
from ssd2_core.registry.cards import read_card, tokenizer_hash
from ssd2_core.serving.engines import InlineEngine
from tests.test_library import TOKENIZER, folder
from tests.test_next_token import SETTINGS, SMALL, adapter

V = TOKENIZER.get_vocab_size()
NOTE = Document("note", "my dog is called Biscuit")


def lm_folder(path, model_type="llama", auto=AutoModelForCausalLM, **more):
    """A tiny LM as transformers saves it, with a tokenizer."""
    torch.manual_seed(0)
    lm = auto.from_config(AutoConfig.for_model(model_type, **SMALL | {"vocab_size": V} | more))
    with torch.no_grad():
        for parameter in lm.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6)
    lm.save_pretrained(path)
    TOKENIZER.save(str(path / "tokenizer.json"))
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return lm_folder(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory, base):
    return reader_folder(tmp_path_factory.mktemp("reader"), base)


def reader_folder(path, base):
    """An adapter on the base, as a recipe writes it."""
    lm = AutoModelForCausalLM.from_pretrained(base)
    save_file({name: tensor.half() for name, tensor in adapter(lm, 3).items()}, path / "model.safetensors")
    about = {"kind": "next-token", "role": "reader", "base": str(base), "lora": SETTINGS, "title": "Reader",
             "tokenizer_hash": tokenizer_hash(base / "tokenizer.json"), "num_parameters": 1234}
    (path / "config.json").write_text(json.dumps(about))
    return path


def test_a_folder_of_transformers_is_a_core_and_its_adapter_shares_the_weights(base, reader):
    core, small = load(str(base)), load(str(reader))
    assert (core.card.kind, core.card.role, small.card.role) == ("next-token", "core", "reader")
    assert core.card.parameters == sum(p.numel() for p in core.model.lm.parameters())
    assert core.model.lm is small.model.lm and core.card.tokenizer_hash == small.card.tokenizer_hash
    assert read_card(reader, "r", "folder").parameters == 1234
    assert core.config.eos_token_id == TOKENIZER.token_to_id("<eos>") and core.config.max_context == 256
    assert core.config_as("me").role == "reader" and core.config_as("core").role == "core"


def test_context_and_answer_fit_a_table_of_positions_or_are_refused_in_a_sentence(tmp_path, base):
    assert load(str(base)).config.max_positions is None
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 60}
    path = str(lm_folder(tmp_path, "gpt2", num_hidden_layers=2, max_position_embeddings=60, **sizes))
    assert load(path).config.max_positions == 60
    note = Document("note", "my dog is called Biscuit and what is it\n\n" * 20)
    sampling = SamplingParams(num_steps=2, block_length=6, max_new_tokens=36)
    with InlineEngine(Settings()) as engine:
        fits = Request("", "my dog", path, (path,), (note,), (), sampling, EnsembleParams({path: 0.5}))
        assert isinstance(list(engine.stream(engine.submit(fits)))[-1], Done)
        said = list(engine.stream(engine.submit(Request("", "my dog is it " * 10, path, sampling=sampling))))[-1]
    assert isinstance(said, Failed) and "this model reads at most" in said.message and "beside an answer of 36" in said.message


def narrow(path, base, role="core", **more):
    """The base as an expert that reads few tokens."""
    about = {"kind": "next-token", "role": role, "base": str(base), "title": f"Narrow {role}", "num_parameters": 1,
             "tokenizer_hash": tokenizer_hash(base / "tokenizer.json"), **more}
    path.mkdir()
    (path / "config.json").write_text(json.dumps(about))
    return str(path)


def test_what_does_not_fit_into_a_context_is_said(tmp_path, base):
    core, user = narrow(tmp_path / "c", base, max_context=40), narrow(tmp_path / "u", base, "reader", max_context=40)
    sampling = SamplingParams(block_length=6, max_new_tokens=12)

    def asked(prompt, turns=0, note="my dog is called Biscuit"):
        history = (Turn("user", "my dog"), Turn("assistant", "is called")) * turns
        return Request("", prompt, core, (user,), (Document("n", note),), history, sampling, EnsembleParams({user: 0.5}))

    def events(request):
        return list(engine.stream(engine.submit(request)))
    with InlineEngine(Settings()) as engine:
        for request, words in ((asked("my dog", turns=5), "Narrow core does not read the"),
                               (asked("dog " * 36), "Narrow reader has no room for the document"),
                               (asked("my dog", note="my dog is called Biscuit " * 90), "")):
            found = events(request)
            assert isinstance(found[-1], Done), found[-1]
            started = [event for event in found if isinstance(event, Started)][-1]
            assert words in " ".join(started.notices) and all(count <= 40 for count in started.context_tokens.values())
            assert started.passages_left_out or "does not read" in words
        end = events(asked("my dog is it " * 20))[-1]
        assert isinstance(end, Failed) and "this model reads at most" in end.message
        assert not any(event.notices for event in events(asked("my dog", turns=1)) if isinstance(event, Started))


def test_the_engine_answers_and_a_trace_of_it_opens(base, reader):
    asked = Request("", "my dog", str(base), (str(reader),), (NOTE,), (),
                    SamplingParams(block_length=6, max_new_tokens=12), EnsembleParams({str(reader): 0.5}))
    with InlineEngine(Settings()) as engine:
        events = list(engine.stream(engine.submit(asked)))
        alone = list(engine.stream(engine.submit(Request("", "my dog", str(base), sampling=asked.sampling))))[-1]
    frames, done = [e for e in events if isinstance(e, Frame)], events[-1]
    assert done.answer and done.steps == len(frames) and done.answer != alone.answer
    for frame in frames:
        assert len(frame.texts) == 6 and all(len(frame.share[n]) == 6 for n in frame.share) and len(frame.disagreement) == 6
        assert all(sum(frame.share[n][i] for n in frame.share) == pytest.approx(1, abs=1e-3)
                   for i in range(6) if frame.confidence[i])
    again, _ = trace_from_json(trace_to_json(frames, {"prompt": "my dog"}))
    assert again == frames
    assert done.shares[str(reader)] > 0


def test_a_reader_without_a_document_is_silent_and_the_page_is_told(base, reader):
    asked = Request("", "my dog", str(base), (str(reader),), sampling=SamplingParams(block_length=6, max_new_tokens=12),
                    ensemble=EnsembleParams({str(reader): 0.9}))
    with InlineEngine(Settings()) as engine:
        events = list(engine.stream(engine.submit(asked)))
        alone = list(engine.stream(engine.submit(Request("", "my dog", str(base), sampling=asked.sampling))))[-1]
    assert any("Reader has nothing to read and keeps silent" in n for e in events if hasattr(e, "notices") for n in e.notices)
    assert events[-1].answer == alone.answer and events[-1].shares == {"core": 1.0, str(reader): 0.0}
    assert events[-1].forwards == alone.forwards


def test_an_evaluation_measures_it(base, reader):
    core, small = load(str(base)), load(str(reader))
    rows = evaluate(core, {"r": small}, [Question("my dog", "Biscuit", NOTE.text), Question("dog", "x", "")],
                    EnsembleParams({"r": 0.5}), SamplingParams(block_length=4, max_new_tokens=8))
    assert [row["name"] for row in rows] == ["core", "user:r", "ensemble"] and rows[2]["share"]["r"] > 0


@pytest.mark.parametrize("model_type,auto,words", [
    ("mamba", AutoModelForCausalLM, "keeps no keys and values"), ("bloom", AutoModelForCausalLM, "has positions that rows"),
    ("lfm2", AutoModelForCausalLM, "has conv that rows"), ("t5", AutoModelForSeq2SeqLM, "is no causal LM")])
def test_what_cannot_be_a_denoiser_is_refused(tmp_path, model_type, auto, words):
    small = {"mamba": {"state_size": 4}, "t5": {"d_model": 16, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2},
             "lfm2": {"layer_types": ["conv", "full_attention"]}}
    with pytest.raises(ModelError, match=words):
        load(str(lm_folder(tmp_path, model_type, auto, **small.get(model_type, {}))))


def test_unknown_and_broken_ones_are_one_sentence(tmp_path, base, reader):
    config = json.loads((base / "config.json").read_text())
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((base / name).read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "gpt9", "auto_map": {"AutoConfig": "evil.C"}}))
    with pytest.raises(ModelError, match="a kind that transformers does not know"):
        load(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 12}))
    with pytest.raises(ModelError):
        load(str(tmp_path))
    about = json.loads((reader / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(about | {"tokenizer_hash": "?"}))
    with pytest.raises(ModelError, match="needs role .*, tokenizer_hash and num_parameters"):
        load(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(about | {"base": str(tmp_path / "nowhere")}))
    with pytest.raises(ModelError):
        load(str(tmp_path))


def test_a_simplex_reader_does_not_go_with_it(tmp_path, base):
    simplex = folder(tmp_path / "simplex", role="reader")
    asked = Request("", "my dog", str(base), (str(simplex),), (NOTE,), ensemble=EnsembleParams({str(simplex): 0.5}))
    with InlineEngine(Settings()) as engine:
        failed = list(engine.stream(engine.submit(asked)))[-1]
    assert "cannot write one answer together" in failed.message.replace("both kinds cannot", "cannot")


def test_a_context_is_as_long_as_the_option_says_and_the_network_can(base, reader, tmp_path):
    longest = AutoConfig.from_pretrained(base).max_position_embeddings
    found = [load(str(base), max_context=n).model.config.max_context for n in (64, longest, 10 * longest)]
    assert found == [64, longest, longest]
    question = Request("", "dog " * 70, str(base), sampling=SamplingParams(max_new_tokens=8))
    ends = []
    for most in (64, longest):
        with InlineEngine(Settings(core=str(base), max_context=most)) as engine:
            ends.append(list(engine.stream(engine.submit(question)))[-1])
    assert isinstance(ends[0], Failed) and "this model reads at most" in ends[0].message and isinstance(ends[1], Done)
