"""The benchmark at tiny size: its parts do what their names say, and its table has the figures. No speed is asserted."""

import json

import pytest
import torch

from ssd2_core import bench
from tests.test_cli import run

TINY = {"tiny": (2, 32, 4, 64, 97), "base": (1, 16, 2, 32, 50)}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench, "SHAPES", TINY)
    monkeypatch.setattr(bench, "REPEATS", 2)


@torch.no_grad()
def test_the_yardstick_predicts_what_a_whole_pass_over_context_and_block_predicts():
    model = bench.random_expert("tiny", torch.float32, "cpu")
    model.config.context_mode = "full"
    bare = bench.Bare(model, 20, 6)
    yard, seen = bench.Yardstick(bare), []
    head = model.head
    model.head = lambda hidden: (seen.append(hidden.shape[1]), head(hidden))[1]
    x_t = yard.x_t
    yard.step(u=0.5)
    ours = bare.bound(torch.zeros((1, 0), dtype=torch.long), x_t, 0.5).logits
    assert seen[0] == 26 and yard.x_t.shape == x_t.shape and not torch.equal(yard.x_t, x_t)
    whole = model.trunk(torch.cat([model.get_input_embeddings()(yard.ids),
                                   model.embed_block(x_t, torch.full((1, 6), 0.5), None)], 1), yard.mask, yard.positions)
    assert (ours - head(whole)[:, -6:]).abs().max() < 1e-4


def test_medians_take_every_call_in_turn():
    order = []
    found = bench.medians({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 4 and set(found) == {"a", "b"} and all(v >= 0 for v in found.values())


def test_steps_are_measured_and_printed(capsys):
    code, out, _ = run(capsys, "bench", "--part", "steps", "--context", 30, "--json")
    found = json.loads(out)
    names = [f["name"] for f in found["figures"]]
    assert code == 0 and names[:3] == ["step_over_forward", "yardstick_over_step", "context_2048_over_128"]
    assert "step_ms_C2048_L32" in names and "step_ms_C30_L64" in names and all(f["value"] > 0 for f in found["figures"])
    assert set(found["machine"]) >= {"device", "threads", "torch"}
    assert "step_over_forward" in run(capsys, "bench", "--part", "steps", "--context", 30)[1]


def test_a_step_of_the_bench_is_a_step_of_the_sampler():
    bare = bench.Bare(bench.random_expert("tiny", torch.float32, "cpu"), 10, 6)
    for _ in range(3):
        bare.step()
    assert bare.bound.last_u == pytest.approx(1 - 2 / 5000)
    assert [bench.rounded(v) for v in (1234.5, 0.012345, 0)] == [1230.0, 0.0123, 0.0]
