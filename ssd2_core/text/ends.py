"""What ends an answer of a public checkpoint, as its own files say: one model may have several such tokens."""

import json
import logging
from pathlib import Path

from tokenizers import Tokenizer

log = logging.getLogger(__name__)
FILES = ("generation_config.json", "config.json")


def ends_of(folder: Path, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids that ``eos_token_id`` names in the files of a checkpoint, one or a list of them.

    Only special tokens count: a number that transformers put there by itself may be that of any word.
    """
    special, found = {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}, []
    for name in FILES:
        said = json.loads((folder / name).read_text(encoding="utf-8")) if (folder / name).is_file() else {}
        for part in (said, said.get("text_config") or {}):
            ids = part.get("eos_token_id")
            found += ids if isinstance(ids, list) else [ids]
    ends = tuple(dict.fromkeys(i for i in found if isinstance(i, int) and not isinstance(i, bool) and i in special))
    if left := [i for i in found if i is not None and i not in ends]:
        log.info("%s: eos_token_id %s is no special token of the tokenizer and ends no answer", folder, left)
    return ends
