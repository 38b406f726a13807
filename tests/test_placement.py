"""Where weights go: the plan counts what is there, offloading changes no token, what cannot fit is refused with figures."""

import json

import pytest
import torch

from ssd2_core.__main__ import main
from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.sampling import generate
from ssd2_core.errors import ModelError
from ssd2_core.models import device_map, loading
from ssd2_core.models.device_map import parse_device_map, parse_max_memory, size
from tests.test_cli import run
from tests.test_library import folder


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("core"))


def tokens(expert):
    steps = generate(expert.bind("my dog"), SamplingParams(num_steps=3, max_new_tokens=16), torch.Generator().manual_seed(0))
    return torch.cat([s.token_ids for s in steps if s.finished], 1)


def test_the_plan_counts_every_weight_once(core):
    model = loading.load(str(core)).model
    count, buffers = sum(p.numel() for p in model.parameters()), sum(b.numel() for b in model.buffers())
    plan = loading.plan_for(core, "it")
    assert plan.parameters == count and plan.bytes == {"cpu": 4 * (count + buffers)} and plan.offloaded == 0
    assert loading.plan_for(core, "it", dtype="bfloat16").bytes == {"cpu": 2 * (count + buffers)}
    assert loading.plan_for(core, "it", "auto").bytes == plan.bytes
    assert f"{count:,} parameters in float32" in plan.words() and "on cpu" in plan.words()
    split = loading.plan_for(core, "it", "auto", max_memory="cpu=90kB")
    assert sum(split.bytes.values()) == 4 * (count + buffers) and split.offloaded == split.bytes["disk"] > 0


@pytest.mark.parametrize("units,parameters,dtype", [(True, 60_000_000, "bfloat16"), (True, 6_000_000, "float32"),
                                                    (False, 60_000_000, "float32")])
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_large_network_is_halved_where_the_processor_multiplies_halves(core, tmp_path, monkeypatch, units, parameters, dtype):
    monkeypatch.setattr(loading, "has_bfloat16_units", lambda: units)
    for file in core.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((core / "config.json").read_text()) | {"num_parameters": parameters}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert loading.plan_for(tmp_path, "it").dtype == dtype
    assert loading.plan_for(tmp_path, "it", dtype="float32").dtype == "float32"


@pytest.mark.parametrize("found,has", [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx2": True}, False)])
def test_what_the_processor_multiplies(monkeypatch, found, has):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert device_map.has_bfloat16_units() == has
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert device_map.has_bfloat16_units() is False


def test_layers_on_the_disk_give_the_same_tokens(core, tmp_path):
    whole = loading.load(str(core))
    away = loading.load(str(core), "auto", max_memory="cpu=90kB", offload_folder=str(tmp_path / "away"))
    assert any(p.device.type == "meta" for p in away.model.parameters())
    assert torch.equal(tokens(whole), tokens(away))
    with pytest.raises(ModelError, match="on the disk; name a folder with --offload-folder"):
        loading.load(str(core), "auto", max_memory="cpu=90kB")


@pytest.mark.attack(10)
def test_what_cannot_fit_is_refused_with_the_figures(core, monkeypatch):
    monkeypatch.setattr(device_map, "memory_free", lambda: {"cpu": 50_000})
    with pytest.raises(ModelError, match=r"needs .* on cpu, where 50\.0 kB are free; choose --device-map auto"):
        loading.load(str(core))


@pytest.mark.parametrize("text,good", [("auto", "auto"), ("cuda:1", "cuda:1"), ('{"": "cpu"}', {"": "cpu"}), (None, None)])
def test_device_maps_that_are_understood(text, good):
    assert parse_device_map(text) == good


@pytest.mark.parametrize("text", ["gpu", "cuda:x", "[1]", '{"": null}', "{", ""])
def test_device_maps_that_are_not(text):
    with pytest.raises(ModelError, match="device_map must be"):
        parse_device_map(text)


def test_memory_in_words():
    assert parse_max_memory("0=20GB, cpu=1500MB") == {0: 20_000_000_000, "cpu": 1_500_000_000}
    assert parse_max_memory(None) is None
    assert [size(n) for n in (12, 1500, 2.5e9)] == ["12 bytes", "1.5 kB", "2.5 GB"]
    for text in ("0", "gpu=3GB", "cpu=lots", "cpu="):
        with pytest.raises(ModelError, match="must be like 0=20GB"):
            parse_max_memory(text)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_devices_that_are_not_here_are_one_sentence(core, capsys):
    for options, words in ((["--device-map", "cuda:3"], "There is no device cuda:3 here, only cpu"),
                           (["--quantize", "4bit"], "need a CUDA device"), (["--quantize", "3bit"], "must be 8bit or 4bit"),
                           (["--device-map", json.dumps({"nothing": "cpu"})], "names 'nothing'")):
        code, _, err = run(capsys, "generate", "my dog", "--core", core, *options)
        assert code == 2 and words in err and "Traceback" not in err


@pytest.mark.parametrize("device_map", [None, "cpu", '{"": "cpu"}'])
def test_an_amount_that_nothing_keeps_to_is_refused(core, device_map, capsys):
    with pytest.raises(ModelError, match="--max-memory cpu=1KB is kept to only with --device-map auto or balanced or"):
        loading.load(str(core), device_map, max_memory="cpu=1KB")
    given = [] if device_map is None else ["--device-map", device_map]
    assert main(["generate", "hi", "--core", str(core), "--max-memory", "cpu=1KB", *given]) == 2
    said = capsys.readouterr().err
    assert said.startswith("--max-memory cpu=1KB is kept to only with") and said.count("\n") == 1
