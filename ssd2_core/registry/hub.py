"""The Hub, both ways: a published small expert is fetched for a visitor, and a model folder is published. No torch.

What is fetched goes through the same gate as a file that a visitor sends: nothing of it is run, and its config.json is read
for the few numbers and words that the gate knows.
"""

import logging
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download

from ..config import LIMITS
from ..errors import ModelError, reason
from .cards import FILES, HUB_ID, read_card
from .manifests import MAX_CONFIG_BYTES, sheet_of

log = logging.getLogger(__name__)
WEIGHTS, CONFIG = "model.safetensors", "config.json"
TIMEOUT_SECONDS = 15.0


def check_id(model_id: object) -> str:
    """``model_id`` if it is an owner/name of the Hub and nothing else. Raises ModelError."""
    text = model_id.strip() if isinstance(model_id, str) else ""
    if not HUB_ID.fullmatch(text) or ".." in text or text.endswith((".git", ".ipynb")):
        raise ModelError(f"{str(model_id)[:80]!r} is not an id of the Hub; give owner/name, without an address before it.")
    return text


def fetch_user(model_id: str, folder: Path, endpoint: str | None = None) -> tuple[Path, bytes]:
    """Fetch a small expert into ``folder``. -> its weights' file, and the description that the gate reads.

    No token is sent, so what is private stays out of reach; sizes are checked before anything is fetched. Raises ModelError.
    """
    model_id = check_id(model_id)
    try:
        found = HfApi(endpoint, token=False).model_info(model_id, files_metadata=True, timeout=TIMEOUT_SECONDS)
    except Exception as error:              # network, missing or private: one sentence for all
        log.info("looking up a model failed", exc_info=error)
        raise ModelError(f"{model_id} could not be found on the Hub; check the name, and that it is public.") from None
    sizes = {file.rfilename: file.size for file in found.siblings or ()}
    for name, most in ((CONFIG, MAX_CONFIG_BYTES), (WEIGHTS, LIMITS.max_model_bytes)):
        if name not in sizes:
            raise ModelError(f"{model_id} has no {name}; a small expert has {CONFIG} and {WEIGHTS}.")
        if not isinstance(sizes[name], int) or sizes[name] > most:
            raise ModelError(f"{name} of {model_id} has {sizes[name] or 0:,} bytes; at most {most:,} are fetched.")
    try:
        config, weights = (Path(hf_hub_download(model_id, name, revision=found.sha, local_dir=folder, token=False,
                                                endpoint=endpoint, etag_timeout=TIMEOUT_SECONDS)) for name in (CONFIG, WEIGHTS))
        return weights, sheet_of(f"{CONFIG} of {model_id}", config.read_bytes()[:MAX_CONFIG_BYTES + 1])
    except ModelError:
        raise
    except Exception as error:
        log.info("fetching a model failed", exc_info=error)
        raise ModelError(f"{model_id} could not be fetched from the Hub; try again later.") from None


def publish(folder: Path, model_id: str, public: bool = False, endpoint: str | None = None) -> str:
    """Upload a model folder to the Hub, for its owner alone unless ``public``. -> its address.

    The token is the one of ``hf auth login`` or $HF_TOKEN. Raises ModelError.
    """
    model_id, card = check_id(model_id), read_card(folder, str(folder), "folder")
    api = HfApi(endpoint)
    try:
        api.create_repo(model_id, private=not public, exist_ok=True)
        api.upload_folder(repo_id=model_id, folder_path=folder, allow_patterns=list(FILES), commit_message=card.title)
    except Exception as error:
        log.info("publishing failed", exc_info=error)
        raise ModelError(f"{model_id} could not be published: {reason(error)}. Log in with `hf auth login` and check the "
                         "name.") from None
    return f"{api.endpoint}/{model_id}"
