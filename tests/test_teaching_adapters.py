"""Teaching a reader that is an adapter on a causal LM, at tiny size: it learns, passes the gate, answers, and leaves the LM."""

import gc
import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from ssd2_core.config import LIMITS, EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import DocumentError, ModelError, VisitorError
from ssd2_core.models.loading import load
from ssd2_core.models.lora import TARGETS
from ssd2_core.protocol.messages import Document, Done, Failed, FinetuneProgress, FinetuneRequest, FinetuneResult, Request
from ssd2_core.registry.cards import BUNDLED, offered_models, tokenizer_hash
from ssd2_core.registry.manifests import read_manifest, sheet_of
from ssd2_core.registry.uploads import examine
from ssd2_core.serving import finetune_worker
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.serving.finetune_jobs import _check_user
from ssd2_core.serving.visitor_models import UserModels
from ssd2_core.training.cli import main as train
from ssd2_core.training.david.losses import losses
from ssd2_core.training.david.model import add_low_rank, trained, write_adapter
from ssd2_core.training.finetune.adapter import AdapterLearner, AdapterParams, AdapterRows, finetune_adapter, silent_pool
from ssd2_core.training.finetune.learner import load_learner
from tests.test_david_training import TOKENIZER, base

TEXT = "My dog is called Brimsel. On Fridays we sell 30 loaves for 5 euros. The spare key is under the blue pot."
SMALL = AdapterParams(steps=3, closed=3, silent=1, tokens=600, pool=4, pool_tokens=3)
LORA = {"r": 4, "lora_alpha": 8, "target_modules": list(TARGETS)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A base and a David on it, found by relative names as Hub ids are."""
    path = tmp_path_factory.mktemp("adapters")
    lm = base()
    lm.save_pretrained(path / "base")
    TOKENIZER.save(str(path / "base" / "tokenizer.json"))
    add_low_rank(lm, 4, 8)
    with torch.no_grad():
        for p in trained(lm).values():
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)) / 20)
    config = {"kind": "next-token", "role": "reader", "base": "base", "lora": LORA, "title": "David", "max_context": 900,
              "tokenizer_hash": tokenizer_hash(path / "base" / "tokenizer.json"), "num_parameters": 5, "measured": {"x": 0.5}}
    write_adapter(trained(lm), config, path / "small-david")
    return path


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setattr(AdapterLearner, "params", SMALL)


def cards():
    return offered_models(("base", "small-david"))


@pytest.fixture(scope="module")
def taught(place, tmp_path_factory):
    """The folder of a David that has learned TEXT for three steps, and what was told meanwhile."""
    out, told = tmp_path_factory.mktemp("taught") / "own", []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(AdapterLearner, "params", replace(SMALL, steps=4))
        job = FinetuneRequest("job", "small-david", (Document("note", TEXT),), str(out), "My dog", 100.0)
        result = finetune_worker.teach(job, told.append, lambda: False)
    return out, told, result


def test_a_job_trains_the_adapter_and_says_how_it_went(taught, place):
    out, told, result = taught
    assert isinstance(result, FinetuneResult) and result.step == 4 and result.question and result.loss > 0
    assert told and all(isinstance(news, FinetuneProgress) for news in told)
    config, old = json.loads((out / "config.json").read_text()), json.loads((place / "small-david" / "config.json").read_text())
    assert (config["title"], config["memorised"], config["base"], config["lora"]) == ("My dog", True, "base", LORA)
    assert "measured" not in config and sorted(p.name for p in out.iterdir()) == ["config.json", "model.safetensors"]
    new, before = load_file(out / "model.safetensors"), load_file(place / "small-david" / "model.safetensors")
    assert old["title"] == "David" and new.keys() == before.keys()
    assert any(not torch.equal(new[name], before[name]) for name in new)


def test_it_starts_from_david_stops_when_told_and_the_base_stays_frozen(place):
    learner = load_learner("small-david")
    assert isinstance(learner, AdapterLearner)
    before = {name: p.detach().clone() for name, p in learner.lm.named_parameters()}
    exported = load_file(place / "small-david" / "model.safetensors")
    assert all(torch.equal(p.half(), exported[f"base_model.model.{name}.weight"]) for name, p in trained(learner.lm).items())
    asked = [("What is my dog called?", ""), ("What is my dog called?", TEXT)]
    assert learner.answers(asked) == AdapterLearner(place / "small-david", "small-david").answers(asked)
    assert learner.learn([TEXT], 100.0, stopped=lambda: True)[-1]["step"] == 0
    assert all(torch.equal(p, before[name]) for name, p in learner.lm.named_parameters())
    assert learner.learn([TEXT], 0.0)[-1]["step"] == 1 and learner.learn([TEXT], 100.0)[-1]["step"] == 3
    assert all(torch.equal(p, before[name]) for name, p in learner.lm.named_parameters() if not p.requires_grad)
    with pytest.raises(DocumentError, match="can be asked for"):
        learner.learn(["uh"], 100.0)


def test_a_tiny_one_learns_what_it_trains_on():
    learner = load_learner("small-david")
    rows = AdapterRows(learner.tokenizer, [TEXT], silent_pool(learner.lm, learner.tokenizer, SMALL), SMALL)
    asked = [rows.batch(n) for n in range(1, 20, 2)]

    def loss() -> float:
        with torch.no_grad():
            return sum(float(losses(learner.lm, batch)[0]) for batch in asked) / len(asked)

    before = loss()
    finetune_adapter(learner.lm, learner.tokenizer, [TEXT], replace(SMALL, steps=60, learning_rate=1e-2))
    assert loss() < 0.8 * before


def test_rows_ask_without_a_text_with_it_with_others_and_for_what_is_none_of_theirs():
    learner = load_learner("small-david")
    pool = silent_pool(learner.lm, learner.tokenizer, SMALL)
    rows = AdapterRows(learner.tokenizer, [TEXT], pool, SMALL)
    closed, opened = rows.batch(1), [rows.batch(n) for n in range(0, 40, 2)]
    assert len(closed.silent_ids) and int((closed.read_ids == rows.maker.form.eos).sum()) == SMALL.closed
    with_own = ["".join(learner.tokenizer.decode(batch.ids[0].tolist())).count("Brimsel") > 0 for batch in opened]
    assert any(with_own) and not all(with_own)
    assert not torch.equal(rows.batch(1).ids, rows.batch(3).ids) and torch.equal(rows.batch(4).ids, rows.batch(4).ids)


def test_who_can_be_taught():
    _check_user("small-david", cards())
    _check_user("compact-reader", cards())
    for user in ("base", "goliath", "nowhere"):
        with pytest.raises(ModelError, match="cannot be taught here; choose one of"):
            _check_user(user, cards())


@pytest.fixture
def visitors():
    made = UserModels(LIMITS, cards)
    yield made
    made.close()


def own(visitors, taught, owner="ann"):
    """The taught model as the jobs give it to its owner."""
    folder = visitors.folder / "work-x"
    shutil.copytree(taught[0], folder)
    return visitors.keep(owner, folder)


def test_it_is_downloaded_and_comes_back_through_the_gate_as_it_was(visitors, taught):
    card = own(visitors, taught)
    weights, sheet = visitors.files("ann", card.id)
    back = visitors.add("bob", weights, "my.safetensors", sheet, "my.json")
    assert (back.kind, back.title, back.role, back.measured) == ("next-token", "My dog", "reader", {})
    assert back.tokenizer_hash == card.tokenizer_hash and back.source == "visitor"
    made = json.loads((visitors.folder / back.id / "config.json").read_text())
    assert made["memorised"] is True and made["base"] == "base" and made["lora"] == LORA
    assert made["num_parameters"] == sum(t.numel() for t in load_file(weights).values())
    assert (visitors.folder / back.id / "model.safetensors").read_bytes() == weights.read_bytes()


def sheet_and(visitors, taught):
    card = own(visitors, taught)
    weights, sheet = visitors.files("ann", card.id)
    return weights, json.loads(sheet)


@pytest.mark.attack(2)
@pytest.mark.attack(9)
@pytest.mark.parametrize("changes,rule", [
    ({"base": "elsewhere/LM"}, "is an adapter over 'elsewhere/LM'; this service takes those over base"),
    ({"base": "../base"}, "is an adapter over '../base'"), ({"base": ""}, "must name its base"),
    ({"target_modules": []}, "must name its base"), ({"target_modules": ["lm_head"]}, "target_modules must be a list"),
    ({"lora_r": 0}, "lora_r must lie"), ({"lora_r": 65}, "lora_r must lie"),
    ({"lora_r": 8}, r"has the shape .*expected is \[8, "),
    ({"lora_alpha": float("1e9")}, "lora_alpha must lie"), ({"memorised": 1}, "memorised must be true or false"),
    ({"target_modules": ["q_proj"]}, "has a tensor"), ({"tokenizer_hash": "f" * 16}, "says tokenizer_hash ffffffffffffffff"),
    ({"role": "core"}, "role must be"), ({"chat_template": "{{x}}"}, "has the key 'chat_template'"),
    ({"auto_map": {"AutoModel": "evil.Model"}}, "has the key 'auto_map'"), ({"hidden_size": 32}, "has the key 'hidden_size'"),
    ({"linear": {}}, "has the key 'linear'"), ({"kind": "other"}, "has the key 'base'|has the key 'kind'"),
    ({"title": "a\u202eb"}, "U\\+202E")])
def test_descriptions_of_adapters_that_are_refused(visitors, taught, changes, rule):
    weights, sheet = sheet_and(visitors, taught)
    with pytest.raises(ModelError, match=rule) as caught:
        examine(weights, "my.safetensors", json.dumps(sheet | changes).encode(), "my.json", offered=cards())
    said = str(caught.value)
    assert "\n" not in said and said.isprintable() and said.endswith(".") and len(said) < 500


@pytest.mark.attack(9)
def test_weights_that_do_not_fit_the_base_are_refused_by_name(visitors, taught, tmp_path):
    weights, sheet = sheet_and(visitors, taught)
    tensors = load_file(weights)
    first = min(tensors)
    for changed, rule in (({k: v for k, v in tensors.items() if k != first}, "lacks 1 of"),
                          (tensors | {first: torch.zeros(4, 33)}, "expected is"),
                          (tensors | {"model.lm_head.weight": torch.zeros(2)}, "has a tensor 'model.lm_head.weight'"),
                          (tensors | {first: tensors[first].long()}, "dtype")):
        save_file(changed, tmp_path / "bad.safetensors")
        with pytest.raises(ModelError, match=rule):
            examine(tmp_path / "bad.safetensors", "bad", json.dumps(sheet).encode(), "my.json", offered=cards())
    with pytest.raises(ModelError, match="at most 1,000"):
        examine(weights, "big", json.dumps(sheet).encode(), "my.json", 1000, cards())
    without = {k: v for k, v in sheet.items() if k != "lora_r"}
    with pytest.raises(ModelError, match="lacks lora_r"):
        read_manifest("my.json", json.dumps(without).encode())


def request(user, owner="ann", documents=(), **more):
    sampling = SamplingParams(block_length=6, max_new_tokens=12)
    return Request("", "What is my dog called?", "base", (user,), documents, (), sampling, EnsembleParams({user: 0.5}),
                   owner=owner, **more)


def run(engine, asked):
    return list(engine.stream(engine.submit(asked)))[-1]


def adapters_on(lm) -> set[str]:
    return {name for module in lm.modules() for name in getattr(module, "adapters", ())}


@pytest.mark.attack(15)
def test_the_engine_answers_with_it_without_a_document_and_nothing_of_it_stays(taught):
    with InlineEngine(Settings(core="base", users=("small-david",)), only_known=True) as engine:
        card = own(engine.user_models, taught)
        alone = run(engine, replace(request("small-david"), users=(), ensemble=EnsembleParams()))
        lm, rows = load("base").model.lm, []
        counted = lm.register_forward_pre_hook(lambda _, args, given: rows.append(len(given["input_ids"])), with_kwargs=True)
        done = run(engine, request(card.id))
        counted.remove()
        assert isinstance(done, Done), done
        assert done.shares[card.id] > 0 and rows[-done.steps:] == [2] * done.steps     # no silent reader; one pass for both
        assert run(engine, request("small-david")).shares["small-david"] == 0 and isinstance(alone, Done)
        assert isinstance(run(engine, request(card.id, documents=(Document("n", TEXT),))), Done)
        with pytest.raises(VisitorError, match="is not known here"):
            engine.submit(request(card.id, "bob"))
        assert card.id in adapters_on(lm)
        engine.disconnect("ann")
        run(engine, request("small-david"))
        gc.collect()
        assert adapters_on(lm) == {"small-david"} and not list(engine.user_models.folder.glob("mine-*"))


@pytest.mark.attack(8)
def test_one_that_is_not_finite_is_refused_and_leaves_nothing_on_the_lm_that_others_share(taught, tmp_path):
    tensors = load_file(taught[0] / "model.safetensors")
    tensors[min(tensors)][0] = float("nan")
    save_file(tensors, tmp_path / "nan.safetensors")
    with InlineEngine(Settings(core="base", users=("small-david",)), only_known=True) as engine:
        sheet = engine.user_models.files("ann", own(engine.user_models, taught).id)[1]
        bad = engine.user_models.add("eve", tmp_path / "nan.safetensors", "w", sheet, "s")
        failed = run(engine, request(bad.id, "eve"))
        assert isinstance(failed, Failed) and "not finite" in failed.message
        lm = load("base").model.lm
        gc.collect()
        assert bad.id not in adapters_on(lm)
        assert isinstance(run(engine, request(engine.user_models.cards("ann")[0].id)), Done)


def test_two_that_hold_one_adapter_keep_it_and_the_last_lets_it_go():
    first = load("small-david")
    lm = first.model.lm
    second = load("small-david")
    del first
    gc.collect()
    assert adapters_on(lm) == {"small-david"} and second.model.lm is lm
    del second
    gc.collect()
    assert adapters_on(lm) == set()


def test_a_config_of_the_hub_becomes_a_description(place, taught):
    about = read_manifest("x", sheet_of("config.json of a/b", (taught[0] / "config.json").read_bytes()))
    assert (about.base, about.lora_r, about.memorised) == ("base", 4, True)
    with pytest.raises(ModelError, match="lacks lora"):
        sheet_of("config.json of a/b", json.dumps({"kind": "next-token", "tokenizer_hash": "x", "title": "y", "role": "reader",
                                                   "base": "b"}).encode())


def test_the_bundled_david_passes_the_gate_he_is_downloaded_for():
    david = BUNDLED / "david"
    sheet = sheet_of("config.json of david", (david / "config.json").read_bytes())
    template, made = examine(david / "model.safetensors", "w", sheet, "s")
    assert template.id == "david" and made["num_parameters"] == 4_884_480 and made["memorised"] is False


def test_the_recipe_and_the_measurement_take_it(tmp_path, capsys):
    (tmp_path / "note.txt").write_text(TEXT)
    command = ["personalise", str(tmp_path / "note.txt"), "--user", "small-david", "--threads", "1", "--steps", "2"]
    assert train([*command, "--out", str(tmp_path / "mine"), "--title", "Me"]) == 0
    assert "are answered without them" in capsys.readouterr().out
    assert not load(str(tmp_path / "mine")).only_reads("me") and load("small-david").only_reads("me")
    (tmp_path / "asked.jsonl").write_text(json.dumps({"question": "Who?", "answer": "Ida", "document": TEXT}))
    command = ["taught", "--data", str(tmp_path / "asked.jsonl"), "--others", str(tmp_path / "asked.jsonl"), "--user",
               "small-david", "--threads", "1", "--steps", "1"]
    assert train(command) == 0
    one, whole = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
    assert one["steps"] == 1 and whole["questions"] == whole["others"] == 1
    assert {"before", "after", "before_with_text", "after_with_text", "others_before", "others_after"} <= set(whole)
    with pytest.raises(ModelError, match="a whole causal LM"):
        load_learner("base")
