"""The gate for models that visitors send: the real ones pass, everything else costs one sentence and runs nothing."""

import json
import pickle
import struct
import zipfile
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from ssd2_core.errors import ModelError
from ssd2_core.registry.cards import BUNDLED, tokenizer_hash
from ssd2_core.registry.manifests import read_manifest, write_manifest
from ssd2_core.registry.uploads import MAX_HEADER_BYTES, check_weights_file

READER = BUNDLED / "compact-reader"
HASH = tokenizer_hash(READER / "tokenizer.json")
GOOD = json.loads(write_manifest(json.loads((READER / "config.json").read_text()), HASH, "Mine"))
SMALL = GOOD | {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20}


def sheet(**changes):
    return read_manifest("my.json", json.dumps(SMALL | changes).encode())


def tensors(of=None) -> dict[str, torch.Tensor]:
    return {name: torch.ones(shape) for name, shape in (of or sheet()).shapes.items()}


def parts(data: bytes) -> tuple[dict, bytes]:
    """Header and weights of a safetensors file."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def packed(header, weights: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + weights


def checked(tmp_path, data: bytes, of=None) -> int:
    (tmp_path / "my.safetensors").write_bytes(data)
    return check_weights_file("my.safetensors", tmp_path / "my.safetensors", of or sheet())


def refused(tmp_path, data: bytes, of=None) -> str:
    with pytest.raises(ModelError) as caught:
        checked(tmp_path, data, of)
    return one_sentence(caught)


def one_sentence(caught) -> str:
    said = str(caught.value)
    assert "\n" not in said and len(said) < 500 and said.isprintable() and said.endswith(".")
    return said


def test_a_bundled_expert_passes_the_gate_it_is_downloaded_for():
    found = read_manifest("my.json", json.dumps(GOOD).encode())
    card = json.loads((READER / "config.json").read_text())
    assert check_weights_file("x", READER / "model.safetensors", found) == card["num_parameters"]
    assert found.tokenizer_hash == HASH and found.role == "reader"


def test_a_small_model_and_an_adapter_pass(tmp_path):
    count = sum(t.numel() for t in tensors().values())
    assert checked(tmp_path, save(tensors())) == count
    assert checked(tmp_path, save({k: t.half() for k, t in tensors().items()}, metadata={"format": "pt"})) == count
    adapter = sheet(base="compact-reader", lora_r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])
    assert set(adapter.shapes) == {
        f"lm.model.layers.0.{place}.lora_{side}.default.weight"
        for side in "AB"
        for place in ("self_attn.q_proj", "mlp.down_proj")
    }
    assert checked(tmp_path, save(tensors(adapter)), adapter) == 4 * 16 * 4


@pytest.mark.attack(2)
@pytest.mark.parametrize(
    "changes,rule",
    [
        ({"auto_map": {"AutoModel": "evil.Model"}}, "has the key 'auto_map'"),
        ({"trust_remote_code": True}, "'trust_remote_code'"),
        ({"_attn_implementation": "owner/kernel"}, "'_attn_implementation'"),
        ({"_name_or_path": "/etc"}, "'_name_or_path'"),
        ({"base_model_name_or_path": "http://169.254.169.254/"}, "'base_model_name_or_path'"),
        ({"chat_template": "{{x}}"}, "'chat_"),
        ({"hidden_size": 15}, "hidden_size must lie between"),
        ({"hidden_size": 1e9}, "hidden_size must lie"),
        ({"hidden_size": -16}, "hidden_size must lie"),
        ({"hidden_size": True}, "whole number"),
        ({"hidden_size": "16"}, "whole number"),
        ({"hidden_size": 16.5}, "whole number"),
        ({"num_attention_heads": 3}, "even multiple"),
        ({"num_hidden_layers": 99}, "between"),
        ({"vocab_size": [1]}, "whole number"),
        ({"simplex_value": 0}, "simplex_value must lie"),
        ({"role": "core"}, "role must be"),
        ({"role": ["reader"]}, "role must be"),
        ({"title": ""}, "title must not be empty"),
        ({"title": "a\u202eb"}, "U\\+202E"),
        ({"title": "a\x00"}, "U\\+0000"),
        ({"title": "x" * 61}, "at most 60"),
        ({"title": 5}, "title must be text"),
        ({"base": "compact-reader"}, "belong together"),
        ({"target_modules": ["q_proj"]}, "belong together"),
        ({"base": "x", "target_modules": ["lm_head"], "lora_r": 4}, "target_modules must be"),
        ({"lora_r": 4}, "lora_r must lie"),
        ({"base": "x", "target_modules": [["q_proj"]], "lora_r": 4}, "target_modules"),
        ({"format": "other"}, "description of a small"),
        ({"base": "x", "target_modules": ["q_proj"], "lora_r": 65}, "lora_r must lie"),
        ({"license": None}, "license must be text"),
    ],
)
def test_descriptions_that_are_refused(changes, rule):
    with pytest.raises(ModelError, match=rule) as caught:
        sheet(**changes)
    assert "my.json" in one_sentence(caught)


@pytest.mark.attack(2)
@pytest.mark.parametrize(
    "data,rule",
    [
        (b"", "not plain JSON"),
        (b"\xff\xfe", "not plain JSON"),
        (b"[]", "description of a small"),
        (b"5", "description of a small"),
        (b'{"format": "ssd2-user", "format": "ssd2-user"}', "a key stands twice"),
        (b"[" * 5000, "nested too deeply|not plain JSON"),
        (b'{"format": "ssd2-user", "simplex_value": NaN}', "NaN is not a number"),
        (b"x" * 9000, "at most 8,192"),
        (b'{"format": "ssd2-user", "simplex_value": Infinity}', "Infinity is not"),
        (b'{"format": "ssd2-user"}', "lacks title, role"),
        (json.dumps(SMALL | {"simplex_value": 5}).replace(": 5,", ": 1e999,").encode(), "simplex_value must be a number"),
        (pickle.dumps(SMALL), "not plain JSON"),
    ],
)
def test_json_that_is_refused(data, rule):
    with pytest.raises(ModelError, match=rule) as caught:
        read_manifest("my.json", data)
    one_sentence(caught)


class Boom:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


@pytest.mark.attack(1)
def test_files_that_are_no_safetensors(tmp_path, subtests):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("model.pkl", pickle.dumps(Boom()))
    torch.save({"a": torch.ones(3)}, tmp_path / "a.pt")
    good = save(tensors())
    for data in (
        pickle.dumps(Boom()),
        b"\x80\x04" + b"0" * 50,
        archive.read_bytes(),
        (tmp_path / "a.pt").read_bytes(),
        b"\x93NUMPY" + b"0" * 200,
        b"\x89HDF" + b"0" * 200,
        b"GGUF" + b"0" * 200,
        b"",
        b"1234567",
        struct.pack("<Q", 0) + b"{}",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**64 - 1),
        struct.pack("<Q", len(good)) + good[8:],
    ):
        with subtests.test(data[:20]):
            assert "not a safetensors file" in refused(tmp_path, data)
    with subtests.test("a polyglot"):
        assert "bytes of weights where its header describes" in refused(tmp_path, good + archive.read_bytes())
    with subtests.test("cut"):
        assert "bytes of weights where" in refused(tmp_path, good[:-1])


@pytest.mark.attack(4)
@pytest.mark.attack(5)
def test_headers_that_are_refused(tmp_path, subtests):
    header, weights = parts(save(tensors()))
    name = "timestep_embedding.bias"
    with_it = lambda **entry: {**header, name: {**header[name], **entry}}  # noqa: E731
    first, last = header[name]["data_offsets"]
    text = json.dumps(header)
    for bad, rule in (
        ({k: v for k, v in header.items() if k != name}, f"lacks 1 of 14 tensors, {name}"),
        ({**header, "../../evil": header[name]}, "has a tensor '../../evil'"),
        ({**header, "<b>\n\u202e": 1}, "has a tensor"),
        ({**header, "__metadata__": {"a": 1}}, "metadata"),
        ({**header, "__metadata__": []}, "metadata"),
        (with_it(dtype="I64"), "dtype"),
        (with_it(dtype=["F32"]), "dtype"),
        (with_it(dtype="F16"), "lies at bytes"),
        (with_it(shape=[17]), "shape"),
        (with_it(shape=[-16]), "shape"),
        (with_it(shape=[0]), "shape"),
        (with_it(shape=[2**62]), "shape"),
        (with_it(shape=[16, 1]), "shape"),
        (with_it(shape=16), "shape"),
        (with_it(shape=[True]), "shape"),
        (with_it(data_offsets=[last, first]), "lies at bytes"),
        (with_it(data_offsets=[first + 4, last + 4]), "lies at bytes"),
        (with_it(data_offsets=[0, last - first]), "lies at"),
        (with_it(data_offsets=[first, 2**61]), "lies at bytes"),
        (with_it(data_offsets=[first]), "two data_offsets"),
        (with_it(data_offsets="ab"), "two data_offsets"),
        (with_it(extra=1), "must have dtype"),
        ({**header, name: 5}, "must have"),
        (text.replace("{", '{"' + name + '": 1, ', 1).encode(), "a key stands twice"),
        (b"[" * 9000, "JSON"),
        (b"\xff" * 50, "not plain JSON"),
        (b"[1]", "must be an object"),
        (b"{" + b" " * MAX_HEADER_BYTES + b"}", "at most 262,144"),
        ({f"t{n}": 0 for n in range(1001)}, "1,001 tensors"),
    ):
        with subtests.test(rule):
            assert rule in refused(tmp_path, packed(bad, weights)), rule


@pytest.mark.attack(9)
def test_another_architecture_is_refused_by_name(tmp_path):
    wider = replace(sheet(), intermediate_size=32)
    assert "expected is [16, 16]" in refused(tmp_path, save(tensors(wider)))
    deeper = replace(sheet(), num_hidden_layers=2)
    assert "lm.model.layers.1" in refused(tmp_path, save(tensors(deeper)))
    assert "lm_head" in refused(tmp_path, save(tensors() | {"lm.lm_head.weight": torch.ones(20, 16)}))


@pytest.mark.attack(10)
def test_a_file_over_the_limit_is_not_even_opened(tmp_path, monkeypatch):
    from ssd2_core.registry import uploads

    monkeypatch.setattr(uploads, "LIMITS", replace(uploads.LIMITS, max_model_bytes=1000))
    assert "at most 1,000" in refused(tmp_path, save(tensors()))


@pytest.mark.attack(4)
@pytest.mark.attack(5)
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_change_of_a_good_file_passes_or_costs_a_sentence(tmp_path_factory, data):
    good = bytearray(save(tensors()))
    header = struct.unpack("<Q", good[:8])[0] + 8
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    try:
        checked(tmp_path_factory.mktemp("h"), bytes(good))
    except ModelError as error:
        assert "\n" not in str(error) and str(error).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.attack(2)
@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(list(SMALL) + ["base", "lora_r", "lora_alpha", "target_modules", "other"]), JSON, max_size=5
    )
)
def test_any_description_passes_or_costs_a_sentence(changes):
    try:
        sheet(**changes)
    except ModelError as error:
        assert "\n" not in str(error) and str(error).isprintable()
