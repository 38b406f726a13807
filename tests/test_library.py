"""Models on disk: what is listed, what is refused with a sentence, what loads."""

import json
import shutil

import pytest
import torch

from ssd2_core.errors import ModelError
from ssd2_core.models import loading
from ssd2_core.registry import cards
from ssd2_core.training.tokenizer import train_tokenizer
from tests.support.tiny import LLAMA, tiny

TOKENIZER = train_tokenizer(["my dog is called Biscuit"], 300)


def folder(path, role="core", seed=0, tokenizer=TOKENIZER, **settings):
    """A tiny complete model folder."""
    backbone = {**LLAMA, "vocab_size": tokenizer.get_vocab_size()}
    model = tiny(seed, backbone=backbone, role=role, title=role.title(), num_parameters=123, context_mode="segments",
                 **settings)
    model.save_pretrained(path)
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def test_load_bind_and_generate(tmp_path):
    expert = loading.load(str(folder(tmp_path)))
    assert expert.card.role == "core" and expert.card.parameters == 123 and expert.card.source == "folder"
    assert expert.model.dtype == torch.float32
    from ssd2_core import Ensemble, EnsembleParams, SamplingParams, generate
    reader = loading.load(str(folder(tmp_path / "r", role="reader", seed=1)))
    ensemble = Ensemble({"core": expert.bind("dog"), "r": reader.bind("dog", ["my dog"])}, EnsembleParams(lam={"r": 0.5}))
    steps = list(generate(ensemble, SamplingParams(num_steps=2, max_new_tokens=16), torch.Generator().manual_seed(0)))
    assert len(steps) == 2 and isinstance(expert.text(steps[-1].token_ids[0]), str)


def damage(path, kind):
    weights = path / "model.safetensors"
    if kind == "no config":
        (path / "config.json").unlink()
    elif kind == "no weights":
        weights.unlink()
    elif kind == "no tokenizer":
        (path / "tokenizer.json").unlink()
    elif kind == "cut":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif kind == "pickle":
        weights.write_bytes(b"\x80\x04\x95" + b"0" * 400)
    elif kind == "config not json":
        (path / "config.json").write_text("{")
    else:
        config = json.loads((path / "config.json").read_text())
        config.update({"other type": {"model_type": "gpt2"}, "role": {"role": "king"},
                       "sizes": {"backbone": {**config["backbone"], "hidden_size": 48}}}[kind])
        (path / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("kind,rule", [
    ("no config", "no config.json"), ("no weights", "no weights"), ("no tokenizer", "no tokenizer.json"),
    ("cut", "could not be loaded"), ("pickle", "could not be loaded"), ("config not json", "not valid JSON"),
    ("other type", "weights of .* do not fit its config.json"), ("role", "'king'"), ("sizes", "do not fit its config.json")])
def test_a_broken_folder_is_one_sentence(tmp_path, kind, rule):
    damage(folder(tmp_path / "m"), kind)
    with pytest.raises(ModelError, match=rule) as caught:
        loading.load(str(tmp_path / "m"))
    assert "\n" not in str(caught.value)


@pytest.mark.attack(13)
@pytest.mark.parametrize("name", ["", "nothing-here", "../etc", "http://127.0.0.1/x", "a/../b", "/etc/passwd", "a/b/c",
                                  "x\x00y", None])
def test_unknown_names_are_one_sentence(name):
    with pytest.raises(ModelError) as caught:
        loading.resolve(name)
    assert "\n" not in str(caught.value)


@pytest.mark.attack(13)
def test_a_hub_id_that_cannot_be_fetched_is_one_sentence(monkeypatch):
    import huggingface_hub

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ModelError, match="someone/model could not be fetched"):
        loading.resolve("someone/model")


@pytest.mark.attack(13)
def test_a_hub_id_fetches_only_safe_files(monkeypatch, tmp_path):
    import huggingface_hub
    asked = {}

    def download(repo, allow_patterns):
        asked[repo] = allow_patterns
        return str(folder(tmp_path / "hub"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert loading.load("someone/model").card.source == "hub"
    assert not any(pattern.endswith((".bin", ".pt", ".py", ".pkl")) for pattern in asked["someone/model"])


def test_experts_must_share_vocabulary_and_simplex_value(tmp_path):
    core = loading.read_card(folder(tmp_path / "a"), "a", "folder")
    same = loading.read_card(folder(tmp_path / "b", role="reader"), "b", "folder")
    loading.check_compatible(core, [same])
    other = loading.read_card(folder(tmp_path / "c", tokenizer=train_tokenizer(["xyz"], 290)), "c", "folder")
    with pytest.raises(ModelError, match="c has another vocabulary than a.*expected"):
        loading.check_compatible(core, [same, other])
    warm = loading.read_card(folder(tmp_path / "d", simplex_value=7.0), "d", "folder")
    with pytest.raises(ModelError, match="7.*5"):
        loading.check_compatible(core, [warm])


def test_listing_leaves_broken_folders_out(tmp_path, monkeypatch):
    for name, role in (("z-core", "core"), ("a-reader", "reader"), ("broken", "core")):
        folder(tmp_path / name, role=role)
    (tmp_path / "broken" / "model.safetensors").unlink()
    monkeypatch.setattr(cards, "BUNDLED", tmp_path)
    assert [card.id for card in loading.list_models()] == ["z-core", "a-reader"]
    shutil.rmtree(tmp_path / "z-core")
    assert [card.id for card in loading.list_models()] == ["a-reader"]


def test_a_core_of_another_vocabulary_gets_only_the_users_that_fit(tmp_path, monkeypatch):
    folder(tmp_path / "bundled" / "reader", role="reader")
    other = train_tokenizer(["xyz"], 290)
    mine = str(folder(tmp_path / "mine", tokenizer=other))
    monkeypatch.setattr(cards, "BUNDLED", tmp_path / "bundled")
    assert cards.local_card(mine).source == "folder" and cards.local_card("reader").source == "bundled"
    assert cards.local_card("someone/else") is None and cards.local_card("a\x00b") is None
    assert cards.fitting(mine, ["reader"]) == () and cards.fitting("someone/else", ["reader"]) == ("reader",)
    folder(tmp_path / "bundled" / "friend", role="reader", tokenizer=other)
    assert cards.fitting(mine, ["reader", "friend"]) == ("friend",)
    from ssd2_core.config import Settings
    from ssd2_core.serving.engines import InlineEngine
    from ssd2_core.ui.page import Studio
    studio = Studio(InlineEngine(Settings(core=mine)), Settings(core=mine))
    assert [card.id for card in studio.users] == ["friend"] and studio.titles["core"] == "Core"
