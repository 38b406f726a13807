"""A tiny model of every kind, all with one tokenizer, as folders."""

from ssd2_core.config import SamplingParams
from tests.support.masked import MASKING, masked_folder
from tests.support.uniform import uniform_folder
from tests.test_next_token_loading import lm_folder

MASKED = {"llada": "llada", "dream": "Dream", "a2d-mdlm": "a2d-qwen3", "a2d-bd3lm": "a2d-qwen3", "sdar": "sdar",
          "bert": "modernbert"}
KINDS = (*MASKED, "uniform", "causal")
SHORT = SamplingParams(num_steps=6, block_length=6, max_new_tokens=12)


def kind_folders(place) -> dict[str, str]:
    """A folder by kind."""
    found = {name: str(masked_folder(place / name, kind)) for name, kind in MASKED.items()}
    found["uniform"] = str(uniform_folder(place / "uniform"))
    causal = place / "causal"
    causal.mkdir()
    lm_folder(causal, vocab_size=MASKING.get_vocab_size())
    MASKING.save(str(causal / "tokenizer.json"))
    return found | {"causal": str(causal)}
