"""An autoregressive base as judge and as rival: its own answers, others' perplexity under it, and samples to learn from."""

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from ..errors import ModelError
from ..models.checkpoints import base_folder, base_tokenizer
from ..registry.base_models import find_base
from ..registry.cards import base_id as named_base
from ..text.prompts import encode, prompt_format
from .metrics import scores
from .questions import Question

BATCH = 16


def check_causal(folder: Path, base_id: str) -> None:
    """Raise ModelError when the model of ``folder`` does not write one token after the other."""
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelError(f"The base {base_id} is of the type {kind}, which is no causal language model; give one that "
                         "writes one token after the other, such as a Llama or a GPT-2.")


class BaseLM:
    """A causal LM with its tokenizer, on the GPU if there is one. Raises ModelError when the base cannot be found.

    base_id: of the LM, or of a bundled expert over it, such as goliath.
    """

    def __init__(self, base_id: str, progress: Callable[[str, float], None] | None = None):
        folder = base_folder(find_base(named_base(base_id), progress), progress)
        self.tokenizer = base_tokenizer(folder, base_id)
        check_causal(folder, base_id)
        on_gpu = torch.cuda.is_available()
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if on_gpu else torch.float32,
                                                          use_safetensors=True, local_files_only=True).eval()
        self.model.to("cuda" if on_gpu else "cpu")
        self.form = prompt_format(self.tokenizer)

    def question(self, text: str) -> list[int]:
        """Ids of a question up to where its answer begins, as the adapted experts read it."""
        return self.form.prompt(encode(self.tokenizer, text))

    @torch.no_grad()
    def continued(self, prompts: list[list[int]], most: int, temperature: float = 0.0, seed: int = 0) -> list[list[int]]:
        """Up to ``most`` ids after each prompt, without the end token; greedy at temperature 0. One batch, left-padded."""
        width = max(map(len, prompts))
        pad = [[self.form.eos] * (width - len(p)) + p for p in prompts]
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=self.model.device)
        torch.manual_seed(seed)
        how = {"do_sample": False}
        if temperature:
            how = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 0.95}
        out = self.model.generate(torch.tensor(pad, device=self.model.device), attention_mask=mask, max_new_tokens=most,
                                  eos_token_id=self.form.eos, pad_token_id=self.form.eos, **how)
        rows = [row[width:] for row in out.tolist()]
        return [row[:row.index(self.form.eos)] if self.form.eos in row else row for row in rows]

    def answers(self, texts: list[str], max_new_tokens: int) -> Iterator[list[int]]:
        """Greedy answers to questions, as ids."""
        for at in range(0, len(texts), BATCH):
            yield from self.continued([self.question(t) for t in texts[at:at + BATCH]], max_new_tokens)

    def row(self, questions: list[Question], max_new_tokens: int) -> dict:
        """The base alone as a row of the evaluation's table; it gets no document."""
        start = time.monotonic()
        ids = list(self.answers([q.question for q in questions], max_new_tokens))
        said = [self.tokenizer.decode(row).strip() for row in ids]
        ended = sum(len(row) < max_new_tokens for row in ids)
        return scores("base", said, questions, sum(map(len, ids)), ended, time.monotonic() - start, self.perplexity)

    @torch.no_grad()
    def perplexity(self, questions: list[Question], said: list[str]) -> float:
        """exp of the mean loss of all answer tokens, the end token included, each after its question."""
        total, count = 0.0, 0
        for question, text in zip(questions, said, strict=True):
            loss, tokens = self.loss(self.question(question.question), [*encode(self.tokenizer, text), self.form.eos])
            total, count = total + loss, count + tokens
        return math.exp(min(total / max(count, 1), 50.0))

    def loss(self, before: list[int], answer: list[int]) -> tuple[float, int]:
        """Summed loss in nats of ``answer`` after ``before``, and its number of tokens."""
        ids = torch.tensor([before + answer], device=self.model.device)
        logits: Tensor = self.model(ids).logits[0, len(before) - 1:-1].float()
        return torch.nn.functional.cross_entropy(logits, ids[0, len(before):], reduction="sum").item(), len(answer)
