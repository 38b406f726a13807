"""The benchmark at tiny size: its parts do what their names say, and its table has the figures. No speed is asserted."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from ssd2_core.benchmark import browser, large, measure, pair, public, steps
from ssd2_core.errors import ModelError
from ssd2_core.models.uniform import NO_EYES
from ssd2_core.registry.cards import tokenizer_hash
from tests.support import uniform
from tests.support.browser import CHROMIUM
from tests.support.tiny import start
from tests.test_cli import run
from tests.test_next_token import SETTINGS, adapter
from tests.test_next_token_loading import lm_folder

TINY = {"tiny": (2, 32, 4, 64, 97), "base": (1, 16, 2, 32, 50)}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(steps, "SHAPES", TINY)
    monkeypatch.setattr(measure, "REPEATS", 2)


@torch.no_grad()
def test_the_yardstick_predicts_what_a_whole_pass_over_context_and_block_predicts():
    model = steps.random_expert("tiny", torch.float32, "cpu")
    model.config.context_mode = "full"
    bare = steps.Bare([model], 20, 6)
    yard, seen = steps.Yardstick(bare), []
    head = model.head
    model.head = lambda hidden: (seen.append(hidden.shape[1]), head(hidden))[1]
    x_t = yard.x_t
    yard.step(u=0.5)
    ours = bare.denoiser(torch.zeros((1, 0), dtype=torch.long), start(x_t, 0.5)).logits
    assert seen[0] == 26 and yard.x_t.shape == x_t.shape and not torch.equal(yard.x_t, x_t)
    whole = model.trunk(torch.cat([model.get_input_embeddings()(yard.ids),
                                   model.embed_block(x_t, torch.full((1, 6), 0.5), None)], 1), yard.mask, yard.positions)
    assert (ours - head(whole)[:, -6:]).abs().max() < 1e-4


def test_medians_take_every_call_in_turn():
    order = []
    found = measure.medians({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 4 and set(found) == {"a", "b"} and all(v >= 0 for v in found.values())


def test_steps_are_measured_and_printed(capsys):
    code, out, _ = run(capsys, "bench", "--part", "steps", "--context", 30, "--json")
    found = json.loads(out)
    names = [f["name"] for f in found["figures"]]
    assert code == 0 and names[:4] == ["step_over_forward", "step_over_layers", "yardstick_over_step",
                                              "context_2048_over_128"]
    assert "step_ms_C2048_L32" in names and "step_ms_C30_L64" in names and all(f["value"] > 0 for f in found["figures"])
    assert set(found["machine"]) >= {"device", "threads", "torch"}
    assert "step_over_forward" in run(capsys, "bench", "--part", "steps", "--context", 30)[1]


def test_a_step_of_the_bench_is_a_step_of_the_sampler():
    bare = steps.Bare([steps.random_expert("tiny", torch.float32, "cpu")], 10, 6)
    for _ in range(3):
        bare.step()
    assert bare.made.state.time == pytest.approx(1 - 2 / 5000)
    assert [measure.rounded(v) for v in (1234.5, 0.012345, 0)] == [1230.0, 0.0123, 0.0]


def test_the_bare_networks_are_those_of_the_step():
    models = [steps.random_expert("tiny", torch.float32, "cpu") for _ in range(2)]
    bare, calls = steps.Bare(models, 10, 6, rows=3), []
    for model in models:
        trunk, embed = model.trunk, model.embed_block
        model.trunk = lambda *a, t=trunk: (calls.append(("layers", a[0].shape[:2])), t(*a))[1]
        model.embed_block = lambda *a, e=embed: (calls.append(("input", a[0].shape[:2])), e(*a))[1]
    seen = {}
    for name in ("step", "forward", "layers"):
        calls.clear()
        getattr(bare, name)()
        seen[name] = [kind for kind, size in calls if size == (3, 6)]
    assert seen == {"step": ["input", "layers"] * 2, "forward": ["input", "layers"] * 2, "layers": ["layers"] * 2}


def test_a_large_pair_is_written_loaded_and_measured(monkeypatch, capsys):
    monkeypatch.setattr(large, "SHAPES", {"core": (2, 32, 4, 64), "user": (1, 16, 2, 32)})
    monkeypatch.setattr(large, "VOCAB", 2100)
    monkeypatch.setattr(large, "CASES", ((20, 1), (30, 3)))
    code, out, _ = run(capsys, "bench", "--part", "large", "--json")
    found = json.loads(out)
    values = {f["name"]: f["value"] for f in found["figures"]}
    assert code == 0 and all(value > 0 for value in values.values())
    assert {"load_core_s", "load_user_s", "steps_per_second_C20_B1", "step_over_forward_C30_B3",
            "yardstick_over_step_C20", "busy_share_C20_B1"} <= set(values)
    assert found["profile"][0]["share"] >= found["profile"][-1]["share"] > 0
    assert found["profile"][0]["name"] in run(capsys, "bench", "--part", "large")[1]


def test_public_shapes_are_written_in_their_layouts_loaded_and_measured(monkeypatch, capsys):
    small = {"llada": {"d_model": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 4, "mlp_hidden_size": 48, "vocab_size": 2100,
                       "embedding_size": 2100, "mask_token_id": 2090, "eos_token_id": 1, "pad_token_id": 1,
                       "max_sequence_length": 128},
             "diffusiongemma": {"text_config": uniform.SIZES | {"vocab_size": 2100}, "vision_config": {
                 "model_type": "gemma4_vision", **NO_EYES}, "canvas_length": 8}}
    monkeypatch.setattr(public, "SHAPES", {name: shape | small[name] for name, shape in public.SHAPES.items()})
    monkeypatch.setattr(public, "LENGTH", {"llada": 6, "diffusiongemma": 8})
    monkeypatch.setattr(public, "C", 20)
    monkeypatch.setattr(public, "ROWS", (1, 3))
    monkeypatch.setattr(public, "SHARD", "100KB")
    code, out, _ = run(capsys, "bench", "--part", "public", "--json")
    found = {figure["name"]: figure["value"] for figure in json.loads(out)["figures"]}
    assert code == 0 and all(value > 0 for value in found.values())
    assert {f"{name}_{shape}_B{rows}" for name in ("steps_per_second", "step_over_forward") for rows in (1, 3)
            for shape in small} < set(found) and len(found) == 10


def test_a_large_pair_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    from ssd2_core.models import device_map
    monkeypatch.setattr(device_map, "memory_free", lambda: {"cpu": 10**9})
    with pytest.raises(ModelError, match="the large core needs 25.8 GB on cpu, where 1.0 GB are free"):
        large.large_figures("cpu")


def test_a_pair_over_one_lm_is_measured_in_and_out_of_the_product(monkeypatch, tmp_path, capsys):
    base = lm_folder(tmp_path / "base")
    lm = AutoModelForCausalLM.from_pretrained(base)
    (tmp_path / "david").mkdir()
    save_file({name: tensor.half() for name, tensor in adapter(lm, 3).items()}, tmp_path / "david" / "model.safetensors")
    about = {"kind": "next-token", "role": "reader", "base": str(base), "lora": SETTINGS, "num_parameters": 1234,
             "tokenizer_hash": tokenizer_hash(base / "tokenizer.json")}
    (tmp_path / "david" / "config.json").write_text(json.dumps(about))
    for name, value in {"GOLIATH": str(base), "DAVID": str(tmp_path / "david"), "TOKENS": 32, "QUESTION": "my dog",
                        "DOCUMENT": "my dog is called Biscuit", "PAINTED": 1, "VISITORS": 2}.items():
        monkeypatch.setattr(pair, name, value)
    code, out, _ = run(capsys, "bench", "--part", "pair", "--json")
    values = {f["name"]: f["value"] for f in json.loads(out)["figures"]}
    assert code == 0 and all(value > 0 for value in values.values())
    assert {"generate_over_ours", "pair_over_one", "first_paint_s", "tokens_per_second_generate", "tokens_per_second_one",
            "tokens_per_second_pair", "pair_answer_s", "pair_peak_memory_mb", "pair_visitors_2_over_1"} <= set(values)
    assert 1 / 4 <= values["forwards_per_token_one"] <= 1 and 1 / 4 <= values["forwards_per_token_pair"] <= 1


def test_a_browser_paints_every_chart_of_a_long_answer(capsys, monkeypatch):
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not shutil.which(CHROMIUM):
        pytest.skip(f"no browser at {CHROMIUM}; set CHROMIUM")
    monkeypatch.setattr(browser, "KNOBS", {"max-new-tokens": 64, "block-length": 16, "num-steps": 8})
    monkeypatch.setattr(browser, "RUNS", 1)
    found = {f.name: f.value for f in browser.browser_figures()}
    assert found["steps_received"] == 4 * 8 and found["painted_per_second"] > 0 and found["browser_steps_per_second"] > 0


def test_a_browser_that_is_not_there_is_one_sentence(monkeypatch):
    pytest.importorskip("playwright", reason="playwright is not installed")
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(ModelError, match="no browser at /nowhere/chromium"):
        browser.browser_figures()
