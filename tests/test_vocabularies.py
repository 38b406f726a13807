"""One vocabulary, several models: GGUF files, tokenizers spelled otherwise, a large and a small LM that write one answer."""

import json

import gguf
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import ModelError
from ssd2_core.models import checkpoints
from ssd2_core.models.loading import load
from ssd2_core.protocol.messages import Document, Done, Failed, Request
from ssd2_core.registry import cards
from ssd2_core.registry.cards import read_card
from ssd2_core.registry.model_card import check_compatible, is_compatible
from ssd2_core.registry.vocabulary import count, fingerprint, table_of
from ssd2_core.serving.engines import InlineEngine
from tests.test_chat_template import CHATML, FORMATS, as_transformers, renderer_of, tokenizer_of
from tests.test_next_token import SETTINGS, SMALL, adapter
from tests.test_next_token_loading import lm_folder

TOKENIZER = tokenizer_of(FORMATS["chatml"][1], False)
V = TOKENIZER.get_vocab_size()
SAMPLING = SamplingParams(block_length=6, max_new_tokens=12)


def lm_of(seed: int, **changes):
    torch.manual_seed(seed)
    sizes = SMALL | {"vocab_size": V, "eos_token_id": 2, "tie_word_embeddings": True} | changes
    return AutoModelForCausalLM.from_config(AutoConfig.for_model("qwen2", **sizes))


def write_gguf(path, lm, architecture="qwen2", drop=()):
    """A GGUF file of a tiny LM with the tokenizer, as llama.cpp's converter writes one."""
    writer, c = gguf.GGUFWriter(path, architecture), lm.config
    writer.add_name("Tiny chat")
    writer.add_context_length(256)
    for write, value in ((writer.add_embedding_length, c.hidden_size), (writer.add_block_count, c.num_hidden_layers),
                         (writer.add_feed_forward_length, c.intermediate_size), (writer.add_head_count, c.num_attention_heads),
                         (writer.add_head_count_kv, c.num_key_value_heads), (writer.add_layer_norm_rms_eps, c.rms_norm_eps),
                         (writer.add_rope_freq_base, 10000.0), (writer.add_vocab_size, c.vocab_size)):
        write(value)
    data = json.loads(TOKENIZER.to_str())
    tokens = [token for token, _ in sorted(TOKENIZER.get_vocab().items(), key=lambda item: item[1])]
    tokens += [f"[PAD{n}]" for n in range(len(tokens), c.vocab_size)]
    control = set(FORMATS["chatml"][1])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in control else 5 if token.startswith("[PAD") else 1 for token in tokens])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in data["model"]["merges"]])
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHATML)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, c.num_hidden_layers)
    for name, tensor in lm.state_dict().items():
        if name != "lm_head.weight" and name not in drop:
            writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), tensor.detach().float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSD2_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def small_gguf(tmp_path_factory):
    """A small LM as one .gguf file; its vocabulary is filled up to a round number."""
    return str(write_gguf(tmp_path_factory.mktemp("gguf") / "small.gguf", lm_of(1, vocab_size=V + 7)))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A large one of another family, as transformers saves it, whose tokenizer cuts digits apart as the Hub's does."""
    path = tmp_path_factory.mktemp("large")
    lm_folder(path, vocab_size=V, hidden_size=48, num_attention_heads=6, eos_token_id=2)
    data = json.loads(TOKENIZER.to_str())
    data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True},
                                                                    data["pre_tokenizer"]]}
    renderer_of(Tokenizer.from_str(json.dumps(data)), CHATML, FORMATS["chatml"][1], "chatml").save_pretrained(path)
    return str(path)


def test_a_gguf_file_is_known_without_its_weights_and_then_an_expert(small_gguf):
    card = read_card(*cards.here(small_gguf)[:1], small_gguf, "folder")
    assert (card.title, card.kind, card.role) == ("Tiny chat", "next-token", "core")
    assert card.parameters == sum(p.numel() for p in lm_of(1, vocab_size=V + 7).parameters())
    assert cards.local_card(small_gguf) == card
    expert = load(small_gguf)
    assert expert.card.vocabulary == card.vocabulary and expert.config.vocab_size == V
    assert torch.allclose(expert.model.lm.state_dict()["model.layers.1.mlp.up_proj.weight"].float(),
                          lm_of(1, vocab_size=V + 7).state_dict()["model.layers.1.mlp.up_proj.weight"], atol=1e-3)
    renderer = renderer_of(TOKENIZER, CHATML, FORMATS["chatml"][1], "chatml")
    assert expert.bind("my dog").rows[0].context == as_transformers(renderer, "my dog")


def test_files_of_one_name_are_kept_apart(small_gguf, tmp_path):
    other = write_gguf(tmp_path / "small.gguf", lm_of(2, vocab_size=V + 7))
    key = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(load(str(other)).model.lm.state_dict()[key], load(small_gguf).model.lm.state_dict()[key])


def test_a_large_and_a_small_lm_of_one_vocabulary_write_one_answer(large, small_gguf):
    core, user = load(large), load(small_gguf)
    assert core.card.tokenizer_hash != user.card.tokenizer_hash and core.card.vocabulary == user.card.vocabulary
    assert core.model.lm.config.hidden_size != user.model.lm.config.hidden_size
    check_compatible(core.card, [user.card])
    asked = Request("", "my dog", large, (small_gguf,), (Document("d", "my dog is called Biscuit"),), (), SAMPLING,
                    EnsembleParams({small_gguf: 0.5}))
    with InlineEngine(Settings(core=large, users=(small_gguf,)), only_known=True) as engine:
        done = list(engine.stream(engine.submit(asked)))[-1]
        assert [(card.id, card.role) for card in engine.models() if card.id in (large, small_gguf)] == [
            (large, "core"), (small_gguf, "reader")]
    assert isinstance(done, Done) and 0 < done.shares[small_gguf] < 1


def test_an_adapter_over_one_base_goes_with_a_core_of_another_size(large, small_gguf, tmp_path):
    from safetensors.torch import save_file
    base = load(small_gguf)
    lm = AutoModelForCausalLM.from_config(base.model.lm.config)
    save_file({name: tensor.half() for name, tensor in adapter(lm, 3).items()}, tmp_path / "model.safetensors")
    about = {"kind": "next-token", "role": "reader", "base": small_gguf, "lora": SETTINGS, "num_parameters": 1,
             "tokenizer_hash": base.card.tokenizer_hash, "vocabulary": base.card.vocabulary}
    (tmp_path / "config.json").write_text(json.dumps(about))
    user = str(tmp_path)
    assert is_compatible(read_card(tmp_path, user, "folder"), read_card(cards.here(large)[0], large, "folder"))
    asked = Request("", "my dog", large, (user,), (Document("d", "my dog is called Biscuit"),), (), SAMPLING,
                    EnsembleParams({user: 0.5}))
    with InlineEngine(Settings()) as engine:
        done = list(engine.stream(engine.submit(asked)))[-1]
    assert isinstance(done, Done) and 0 < done.shares[user] < 1


def test_a_table_is_compared_without_what_fills_it_up(tmp_path):
    one = {"a": 0, "b": 1}
    assert fingerprint({**one, "[PAD2]": 2}.items()) == fingerprint(one.items()) != fingerprint({"a": 1, "b": 0}.items())
    assert count({**one, "[PAD2]": 2}) == 2 and count({}) == 0
    unigram = {"model": {"type": "Unigram", "vocab": [["a", 0.0], ["b", -1.0]]}, "added_tokens": [{"content": "c", "id": 2}]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(unigram))
    assert table_of(tmp_path / "tokenizer.json") == {"a": 0, "b": 1, "c": 2}


def bad_gguf(kind, path, monkeypatch):
    file = path / "bad.gguf"
    if kind == "no gguf":
        file.write_bytes(b"PK\3\4" + bytes(200))
    elif kind == "unknown":
        write_gguf(file, lm_of(1), architecture="gpt9")
    elif kind == "missing":
        write_gguf(file, lm_of(1), drop=("model.layers.1.mlp.up_proj.weight",))
    else:
        write_gguf(file, lm_of(1))
    if kind == "damaged":
        file.write_bytes(file.read_bytes()[:-3000])
    if kind == "memory":
        monkeypatch.setattr(checkpoints, "memory_free", lambda: {"cpu": 1000})
    if kind == "no disk":
        monkeypatch.setattr(checkpoints, "save_file", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    return str(file)


@pytest.mark.attack(10)
@pytest.mark.parametrize("kind,words", [
    ("no gguf", "is no GGUF file, or it is damaged"), ("damaged", "is no GGUF file, or it is damaged"),
    ("unknown", r"bad.gguf could not be converted: .*gpt9"), ("missing", "1 tensors are missing, model.layers.1.mlp.up_proj"),
    ("memory", "needs about .* of memory to be converted, and 1.0 kB are free"), ("no disk", "disk of this service is full")])
def test_a_gguf_file_that_cannot_be_used_is_one_sentence_and_what_is_loaded_stays(kind, words, large, tmp_path, monkeypatch):
    bad = bad_gguf(kind, tmp_path, monkeypatch)
    with pytest.raises(ModelError, match=words) as caught:
        load(bad)
    assert "\n" not in str(caught.value)
    with InlineEngine(Settings()) as engine:
        assert isinstance(list(engine.stream(engine.submit(Request("", "my dog", large, sampling=SAMPLING))))[-1], Done)
        assert isinstance(list(engine.stream(engine.submit(Request("", "my dog", bad, sampling=SAMPLING))))[-1], Failed)
        again = list(engine.stream(engine.submit(Request("", "my dog", large, sampling=SAMPLING))))
        assert isinstance(again[-1], Done) and large in engine.dispatcher.states[0].models


def test_a_base_that_cannot_be_fetched_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: 1 / 0)
    about = {"kind": "next-token", "role": "core", "base": "nobody/nothing", "tokenizer_hash": "0" * 16, "num_parameters": 1}
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(ModelError, match="nobody/nothing could not be fetched"):
        load(str(tmp_path))
