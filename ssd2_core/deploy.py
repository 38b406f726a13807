"""Puts the studio on the Hub as a Space: the card from Space.yaml and README, the files, the hardware, the variables. No torch.

What is uploaded is listed here and nothing else is: no runs, no tests, no caches.
"""

import argparse
import logging
import re
from dataclasses import dataclass

import yaml
from huggingface_hub import HfApi, SpaceHardware

from .config import ROOT
from .errors import ModelError, reason
from .protocol.limits import read_limits
from .registry.hub import check_id

log = logging.getLogger(__name__)
FILES = ("app.py", "LICENSE", "ssd2_core/**/*", "assets/**/*", "docs/*.md")
LEFT_OUT = re.compile(r"(^|/)(__pycache__|\.[^/]+)(/|$)|\.pyc$")
CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
ZERO, ZERO_TORCH = "zero-a10g", "2.11.0"        # ZeroGPU by the Hub's name, and the newest torch that it takes (2.8 to 2.11)
MAX_FILE_BYTES = 10_000_000             # the Hub stores larger ones apart; none of ours is
# What the Hub documents as hardware that a card may suggest; ZeroGPU and the newest GPUs are not among it.
SUGGESTED = ("cpu-basic", "cpu-upgrade", "t4-small", "t4-medium", "l4x1", "l4x4", "l40sx1", "l40sx4", "l40sx8", "a10g-small",
             "a10g-large", "a10g-largex2", "a10g-largex4", "a100-large", "a100x4", "a100x8")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
# The keys of a Space's card that the Hub documents, with the kind of their values.
KEYS = {"title": str, "emoji": str, "colorFrom": str, "colorTo": str, "short_description": str, "sdk": str, "sdk_version": str,
        "python_version": str, "app_file": str, "license": str, "pinned": bool, "fullWidth": bool, "header": str, "tags": list,
        "models": list, "datasets": list, "suggested_hardware": str, "startup_duration_timeout": str, "preload_from_hub": list,
        "hf_oauth": bool, "disable_embedding": bool, "thumbnail": str}


@dataclass(frozen=True)
class Space:
    """What will be uploaded. files: by path in the Space. variables: of its environment."""

    card: str
    files: dict[str, bytes]
    hardware: str
    variables: dict[str, str]


def check_card(about: object) -> dict:
    """The values of Space.yaml, if the Hub takes them. Raises ModelError that names the key, the rule and what was found."""
    if not isinstance(about, dict):
        raise ModelError("Space.yaml must be keys with values.")
    for key, value in about.items():
        if key not in KEYS:
            raise ModelError(f"Space.yaml has the key {key!r}, which the Hub does not document; remove it.")
        if not isinstance(value, KEYS[key]):
            raise ModelError(f"{key} in Space.yaml must be {KEYS[key].__name__}, not {value!r}.")
    missing = [key for key in ("title", "sdk", "sdk_version", "app_file") if key not in about]
    if missing:
        raise ModelError(f"Space.yaml lacks {', '.join(missing)}.")
    for key in ("colorFrom", "colorTo"):
        if about.get(key, "gray") not in COLORS:
            raise ModelError(f"{key} in Space.yaml must be one of {', '.join(COLORS)}, not {about[key]!r}.")
    if about.get("suggested_hardware", SUGGESTED[0]) not in SUGGESTED:
        raise ModelError(f"suggested_hardware in Space.yaml must be one of {', '.join(SUGGESTED)}.")
    if len(about.get("short_description", "")) > 60:
        raise ModelError(f"short_description in Space.yaml has {len(about['short_description'])} characters; 60 are shown.")
    if about["sdk"] != "gradio" or not (ROOT / about["app_file"]).is_file():
        raise ModelError("sdk in Space.yaml must be gradio, and app_file a file of this repository.")
    return about


def requirements(hardware: str) -> str:
    """requirements.txt for a Space: on a CPU torch without CUDA, on ZeroGPU the torch that it takes, and its own package."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    if hardware == ZERO:
        more = (ROOT / "requirements-zero.txt").read_text(encoding="utf-8").replace("-r requirements.txt\n", "")
        return re.sub(r"(?m)^torch==.*$", f"torch=={ZERO_TORCH}", text) + more
    return f"{CPU_INDEX}\n{text}" if hardware.startswith("cpu") else text


def plan(hardware: str, variables: list[str]) -> Space:
    """What a Space on this hardware consists of. variables: NAME=VALUE. Raises ModelError, LimitError."""
    offered = [each.value for each in SpaceHardware]
    if hardware not in offered:
        raise ModelError(f"hardware must be one of {', '.join(offered)}, not {hardware!r}.")
    about = check_card(yaml.safe_load((ROOT / "Space.yaml").read_text(encoding="utf-8")))
    about.pop("suggested_hardware", None)
    if hardware in SUGGESTED:
        about["suggested_hardware"] = hardware
    front = yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=120)
    card = f"---\n{front}---\n\n" + (ROOT / "README.md").read_text(encoding="utf-8")
    found = {path.relative_to(ROOT).as_posix(): path for pattern in FILES for path in ROOT.glob(pattern) if path.is_file()}
    files = {name: found[name].read_bytes() for name in sorted(found) if not LEFT_OUT.search(name)}
    large = [name for name, data in files.items() if len(data) > MAX_FILE_BYTES and not name.endswith(".safetensors")]
    if large:
        raise ModelError(f"{large[0]} has more than {MAX_FILE_BYTES:,} bytes, which the Hub does not keep as text.")
    files |= {"README.md": card.encode(), "requirements.txt": requirements(hardware).encode()}
    return Space(card, files, hardware, read_variables(variables))


def read_variables(pairs: list[str]) -> dict[str, str]:
    """NAME=VALUE pairs as a dict, limits among them checked. Raises ModelError, LimitError."""
    out = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            raise ModelError(f"A variable is NAME=VALUE, not {pair!r}.")
        out[name] = value
    read_limits(out)
    return out


def words(space: Space, model_id: str, private: bool) -> str:
    """Every file with its size, and the card, for somebody to read before it is uploaded."""
    listed = "\n".join(f"{len(data):>10,}  {name}" for name, data in sorted(space.files.items()))
    total = sum(map(len, space.files.values()))
    variables = "".join(f"\n{name}={value}" for name, value in space.variables.items()) or " none"
    return (f"Space {model_id}, {'private' if private else 'public'}, on {space.hardware}\n\n{listed}\n{total:>10,}  in "
            f"{len(space.files)} files\n\nrequirements.txt:\n{space.files['requirements.txt'].decode()}\n"
            f"variables:{variables}\n\nREADME.md begins:\n{space.card.split('# ', 1)[0]}")


def deploy(space: Space, model_id: str, private: bool, endpoint: str | None = None) -> str:
    """Create or update the Space. -> its address. The token is that of ``hf auth login`` or $HF_TOKEN. Raises ModelError."""
    from huggingface_hub import CommitOperationAdd
    model_id, api = check_id(model_id), HfApi(endpoint)
    try:
        api.create_repo(model_id, repo_type="space", space_sdk="gradio", space_hardware=space.hardware, private=private,
                        exist_ok=True)
        for name, value in space.variables.items():
            api.add_space_variable(model_id, name, value)
        parts = [CommitOperationAdd(name, data) for name, data in space.files.items()]
        api.create_commit(model_id, parts, commit_message="SSD-2 Studio", repo_type="space")
        if space.hardware != "cpu-basic":
            api.request_space_hardware(model_id, space.hardware)
    except Exception as error:
        log.info("deploying failed", exc_info=error)
        raise ModelError(f"{model_id} could not be deployed: {reason(error)}. Log in with `hf auth login`, check the "
                         "name.") from None
    return f"{api.endpoint}/spaces/{model_id}"


def add_command(parser: argparse.ArgumentParser) -> None:
    """`deploy`: put the studio on the Hub as a Space, or show what would be put there."""
    parser.add_argument("what", choices=("space",))
    parser.add_argument("repository", metavar="USER/NAME")
    parser.add_argument("--private", action="store_true")
    parser.add_argument("--hardware", default="cpu-basic")
    parser.add_argument("--variable", action="append", default=[], metavar="NAME=VALUE", help="of the Space's environment")
    parser.add_argument("--dry-run", action="store_true", help="show every file and the card, and check them; upload nothing")
    parser.set_defaults(run=command)


def command(args: argparse.Namespace) -> int:
    """Upload, or show."""
    space = plan(args.hardware, args.variable)
    print(words(space, args.repository, args.private) if args.dry_run else deploy(space, args.repository, args.private))
    return 0
