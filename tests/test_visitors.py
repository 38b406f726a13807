"""Visitors' own models: through the gate, for their owner alone, gone when the owner is, and never able to break an answer."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from ssd2_core.config import EnsembleParams, Limits, SamplingParams, Settings
from ssd2_core.errors import BusyError, LimitError, ModelError
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Document, Done, Failed, Request
from ssd2_core.registry.cards import BUNDLED, tokenizer_hash
from ssd2_core.registry.manifests import read_manifest, write_manifest
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.serving.visitor_models import UserModels

READER = BUNDLED / "compact-reader"
CONFIG = json.loads((READER / "config.json").read_text())
SHEET = json.loads(write_manifest(CONFIG, tokenizer_hash(READER / "tokenizer.json"), "Mine"))
WEIGHTS = READER / "model.safetensors"
SAMPLING = SamplingParams(num_steps=3, max_new_tokens=16)


def add(visitors, owner="ann", weights=WEIGHTS, **changes):
    return visitors.add(owner, weights, "my.safetensors", json.dumps(SHEET | changes).encode(), "my.json")


def request(user, owner="ann", lam=0.5, **more):
    users, weights = ((user,), {user: lam}) if user else ((), {})
    return Request(
        "",
        "What is the dog called?",
        "compact-core",
        users,
        (Document("d", "My dog is called Brimsel."),),
        sampling=SAMPLING,
        ensemble=EnsembleParams(weights, "constant"),
        owner=owner,
        **more,
    )


def run(engine, asked):
    events = list(engine.stream(engine.submit(asked)))
    return [event.token_ids for event in events if isinstance(event, Frame)], events[-1]


@pytest.fixture(scope="module")
def engine():
    with InlineEngine(Settings(), only_known=True) as made:
        yield made


def changed(path, change) -> object:
    """The reader's weights after ``change`` of one of its matrices, as a file."""
    tensors = {name: t.float() for name, t in load_file(WEIGHTS).items()}
    change(tensors["lm.model.layers.2.mlp.up_proj.weight"])
    save_file(tensors, path / "my.safetensors")
    return path / "my.safetensors"


def test_a_model_that_was_downloaded_here_answers_as_it_did(engine):
    card = add(engine.user_models)
    assert card.id.startswith("mine-") and card.title == "Mine" and card.source == "visitor" and len(card.id) > 20
    assert card.measured == {}
    steps, done = run(engine, request(card.id))
    same, _ = run(engine, request("compact-reader"))
    assert isinstance(done, Done) and steps == same and set(done.shares) == {"core", card.id}


@pytest.mark.attack(15)
@pytest.mark.parametrize(
    "asked",
    [
        lambda card: request(card.id, "bob"),
        lambda card: request(card.id, ""),
        lambda card: request(card.id[:-1] + "_"),
        lambda card: request("mine-../../compact-reader"),
        lambda card: replace(request(None), core=card.id),
    ],
)
def test_nobody_else_can_ask_it(engine, asked):
    card = add(engine.user_models, "ann")
    try:
        with pytest.raises(ModelError, match="is not known here"):
            engine.submit(asked(card))
    finally:
        engine.user_models.remove("ann", card.id)


@pytest.mark.attack(19)
def test_its_weight_has_a_cap_also_while_it_runs(engine):
    card = add(engine.user_models, "cap")
    with pytest.raises(LimitError, match="at most 0.8, not 0.9"):
        engine.submit(request(card.id, "cap", lam=0.9))
    run_id = engine.submit(replace(request(card.id, "cap"), sampling=SamplingParams(num_steps=64, max_new_tokens=128)))
    with pytest.raises(LimitError, match="at most 0.8"):
        engine.control(run_id, EnsembleParams({card.id: 1.0}))
    engine.control(run_id, EnsembleParams({card.id: 0.0}))
    engine.cancel(run_id)
    engine.disconnect("cap")


def test_an_adapter_of_a_bundled_expert(engine, tmp_path):
    changes = {"base": "compact-reader", "lora_r": 2, "lora_alpha": 2, "target_modules": ["q_proj", "up_proj"]}
    shapes = read_manifest("x", json.dumps(SHEET | changes).encode()).shapes
    rng = torch.Generator().manual_seed(0)
    for scale, same in ((0.0, True), (3.0, False)):
        tensors = {k: torch.randn(s, generator=rng) * (scale if "lora_B" in k else 1.0) for k, s in shapes.items()}
        save_file(tensors, tmp_path / "a.safetensors")
        card = add(engine.user_models, "ada", tmp_path / "a.safetensors", **changes)
        steps, done = run(engine, request(card.id, "ada"))
        assert isinstance(done, Done) and (steps == run(engine, request("compact-reader"))[0]) == same
    engine.disconnect("ada")


BROKEN = {
    "nan": lambda t: t.fill_(float("nan")),
    "inf": lambda t: t[3].fill_(float("inf")),
    "huge": lambda t: t.fill_(1e38),
    "one nan": lambda t: t[0, 0].fill_(float("nan")),
    "huge row": lambda t: t[5].fill_(3e38),
}
ODD = {"zero": lambda t: t.fill_(0.0), "constant": lambda t: t.fill_(7.0), "large": lambda t: t.mul_(1e4)}


@pytest.mark.attack(8)
@pytest.mark.attack(19)
@pytest.mark.parametrize("kind", [*BROKEN, *ODD])
def test_broken_weights_are_refused_and_odd_ones_break_nothing(engine, tmp_path, kind):
    before = run(engine, request(None))[0]
    card = add(engine.user_models, kind, changed(tmp_path, (BROKEN | ODD)[kind]))
    _, end = run(engine, request(card.id, kind, lam=0.8))
    if kind in BROKEN:
        assert isinstance(end, Failed) and "not finite" in end.message and end.message.startswith("Mine ")
    else:
        assert isinstance(end, Done)
    engine.disconnect(kind)
    assert run(engine, request(None))[0] == before  # the core alone says what it said before


@pytest.mark.attack(9)
@pytest.mark.parametrize(
    "changes,rule",
    [
        ({"tokenizer_hash": "0" * 16}, "names the tokenizer '0000000000000000'; expected is"),
        ({"vocab_size": 4096}, "vocab_size 4096"),
        ({"simplex_value": 7.0}, "simplex_value 7.0; expected is 5.0"),
        ({"num_hidden_layers": 5}, "a tensor 'lm.model.layers.5."),
        ({"num_hidden_layers": 7}, "lacks 9 of 68 tensors, lm.model.layers.6"),
        ({"intermediate_size": 512}, "is .128, 512"),
        ({"base": "compact-core", "lora_r": 2, "target_modules": ["q_proj"]}, "adapter of 'compact-core'; it can be of"),
        (
            {"base": "compact-islander", "hidden_size": 64, "lora_r": 2, "target_modules": ["q_proj"]},
            "hidden_size 64; compact-isl",
        ),
    ],
)
def test_what_does_not_fit_is_refused_expected_against_found(changes, rule):
    visitors = UserModels(Limits())
    with pytest.raises(ModelError, match=rule):
        add(visitors, **changes)
    assert not list(visitors.folder.iterdir())


@pytest.mark.attack(15)
def test_everything_is_gone_when_the_owner_is(engine):
    card, other = add(engine.user_models, "eve"), add(engine.user_models, "bob")
    for owner, user in (("eve", card.id), ("bob", other.id)):
        assert isinstance(run(engine, request(user, owner))[1], Done)
    engine.disconnect("eve")
    assert not (engine.user_models.folder / card.id).exists() and (engine.user_models.folder / other.id).exists()
    with pytest.raises(ModelError, match="not known"):
        engine.submit(request(card.id, "eve"))
    assert isinstance(run(engine, request(other.id, "bob"))[1], Done)
    engine.preload("compact-core")
    from tests.support.browser import until

    until(lambda: other.id in engine.status().loaded and card.id not in engine.status().loaded)
    engine.disconnect("bob")


@pytest.mark.attack(10)
def test_quotas_and_idle_owners(monkeypatch):
    visitors = UserModels(Limits(max_own_models=2, idle_seconds=100))
    first = add(visitors)
    add(visitors)
    with pytest.raises(ModelError, match="2 models here, which is the most"):
        add(visitors)
    assert visitors.remove("ann", first.id) and not visitors.remove("bob", first.id) and not visitors.remove("ann", first.id)
    add(visitors)
    small = UserModels(Limits(max_visitor_bytes=WEIGHTS.stat().st_size + 10))
    add(small, "ann")
    with pytest.raises(BusyError, match="no room for another model"):
        add(small, "bob")
    now = visitors._by_owner["ann"].seen
    monkeypatch.setattr("ssd2_core.serving.visitor_models.time.monotonic", lambda: now + 99)
    assert visitors.sweep() == ()
    monkeypatch.setattr("ssd2_core.serving.visitor_models.time.monotonic", lambda: now + 101)
    assert len(visitors.sweep()) == 2 and visitors.cards("ann") == [] and not list(visitors.folder.iterdir())
    visitors.close()
    assert not visitors.folder.exists()


@pytest.mark.attack(15)
def test_an_open_page_keeps_what_is_its_own_and_the_silent_ones_go(monkeypatch):
    with InlineEngine(Settings(limits=Limits(idle_seconds=100))) as engine:
        add(engine.user_models, "here")
        add(engine.user_models, "gone")
        now = engine.user_models._by_owner["gone"].seen
        monkeypatch.setattr("ssd2_core.serving.visitor_models.time.monotonic", lambda: now + 90)
        engine.still_here("here")
        monkeypatch.setattr("ssd2_core.serving.visitor_models.time.monotonic", lambda: now + 110)
        engine.still_here("here")
        assert len(engine.user_models.cards("here")) == 1 and engine.user_models.cards("gone") == []


@pytest.mark.attack(7)
def test_a_full_disk_costs_one_sentence_and_leaves_nothing(monkeypatch):
    visitors = UserModels(Limits())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ssd2_core.serving.visitor_models.shutil.copyfile", full)
    with pytest.raises(BusyError, match="disk of this service is full"):
        add(visitors)
    assert not list(visitors.folder.iterdir()) and visitors.cards("ann") == []


@pytest.mark.attack(15)
def test_nothing_of_an_owner_is_written_out():
    assert "'ann'" not in repr(request("mine-x"))
