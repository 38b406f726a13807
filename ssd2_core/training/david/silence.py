"""Requests that no document answers, with what the frozen base says to them and how sure it is: made once, kept in files.

A request is *foreign* where it may stand beside any document (small talk, general questions, tasks, questions on other texts),
and *near* where it belongs to one document, which answers questions of the kind, but not this one.
"""

import json
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...text.prompts import encode, prompt_format
from ..data import documents
from ..data.general import general_qa, small_talk_qa
from ..data.instructions import instructions
from ..data.schema import QA
from .pages import page_text
from .reading import Reading, passages
from .texts import text, typed

MOST_TOKENS = 36                # of an answer of the base; a longer one is cut
TOP = 64                        # most likely tokens that a target keeps; the rest counts as one
FRESH = 96                      # requests that the base answers at a time


@dataclass(frozen=True)
class Silent:
    """question: as typed. answer_ids: what the base says, greedily. top_ids, top_logs: (tokens, TOP) its prediction there."""

    question: str
    answer_ids: list[int]
    top_ids: Tensor
    top_logs: Tensor


class SilentPool:
    """The requests of a pool; the last ``heldout`` foreign ones are kept out of training."""

    def __init__(self, items: list[Silent], owners: list[int | None], readings: list[Reading], heldout: int = 0):
        loose = [item for item, owner in zip(items, owners, strict=True) if owner is None]
        self.loose, self.heldout = loose[:len(loose) - heldout], loose[len(loose) - heldout:]
        self.readings = readings
        self.owned: dict[int, list[Silent]] = {}
        for item, owner in zip(items, owners, strict=True):
            if owner is not None:
                self.owned.setdefault(owner, []).append(item)

    def foreign(self, rng: random.Random) -> Silent:
        """A request for any document."""
        return rng.choice(self.loose)

    def near(self, rng: random.Random) -> tuple[Reading, list[Silent]] | None:
        """A document and requests that its like would answer; None where the pool has none."""
        if not self.owned:
            return None
        owner = rng.choice(list(self.owned))
        return self.readings[owner], self.owned[owner]


def requests(seed: int, number: int) -> tuple[list[tuple[str, int | None]], list[Reading]]:
    """About ``number`` requests, each with the index of its document or None, and the documents."""
    rng = random.Random(seed)
    part = lambda share: int(share * number)  # noqa: E731
    foreign = instructions(rng, part(0.3))
    foreign += [general_qa(rng).question for _ in range(part(0.17))]
    foreign += [small_talk_qa(rng, "train").question for _ in range(part(0.06))]
    foreign += [documents.blind_qa(rng).question for _ in range(part(0.08))]
    foreign += [typed(rng, rng.choice(rng.choice(passages("train"))["questions"])[0]) for _ in range(part(0.07))]
    foreign += [rng.choice(made(rng).items).question for made in (text, page_text) for _ in range(part(0.05))]
    readings, near = [], []
    while len(near) < part(0.24):
        made = text(rng) if rng.random() < 0.6 else page_text(rng)
        asked = rng.sample(made.unanswered, min(2, len(made.unanswered)))
        near += [(question, len(readings)) for question in asked]
        readings.append(Reading(made.document, made.items, made.unanswered))
    foreign = list(dict.fromkeys(foreign))
    rng.shuffle(foreign)
    return [*near, *((question, None) for question in foreign)], readings


@torch.no_grad()
def written(lm, prompts: list[list[int]], eos: int, most: int, **more) -> tuple[list[list[int]], object]:
    """What ``lm`` writes greedily after each prompt, up to its end or ``most`` tokens, and all that ``generate`` gives."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[eos] * (longest - len(p)) + p for p in prompts], device=lm.device)
    seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=lm.device)
    made = lm.generate(input_ids=ids, attention_mask=seen, max_new_tokens=most, do_sample=False, eos_token_id=eos,
                       pad_token_id=eos, return_dict_in_generate=True, **more)
    said = made.sequences[:, longest:].tolist()
    return [one[:one.index(eos) + 1] if eos in one else one for one in said], made


@torch.no_grad()
def answered(lm, tokenizer, questions: list[str], most: int = MOST_TOKENS) -> list[Silent]:
    """What ``lm`` says to each of the questions without any document, greedily, and its prediction at every token of that."""
    form = prompt_format(tokenizer)
    prompts = [form.prompt(encode(tokenizer, question)) for question in questions]
    answers, made = written(lm, prompts, form.eos, most, output_logits=True)
    logs = torch.stack(made.logits, 1).float().log_softmax(-1).topk(TOP, -1)            # (B, L, TOP)
    top_ids, top_logs = logs.indices.int().cpu(), logs.values.half().cpu()
    out = []
    for row, (question, said) in enumerate(zip(questions, answers, strict=True)):
        out.append(Silent(question, said, top_ids[row, :len(said)], top_logs[row, :len(said)]))
    return out


def make_pool(lm, tokenizer, folder: Path, number: int, seed: int = 0, log=print) -> None:
    """Write ``pool.json`` and ``pool.safetensors`` into ``folder``, unless they are there."""
    if (folder / "pool.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    asked, readings = requests(seed, number)
    began, by_length = time.monotonic(), sorted(range(len(asked)), key=lambda i: len(asked[i][0]))
    items: dict[int, Silent] = {}
    for first in range(0, len(asked), FRESH):
        chosen = by_length[first:first + FRESH]
        items.update(zip(chosen, answered(lm, tokenizer, [asked[i][0] for i in chosen]), strict=True))
        log(f"silent requests: {len(items)} of {len(asked)}, {time.monotonic() - began:.0f} s")
    ordered = [items[i] for i in range(len(asked))]
    save_file({"top_ids": torch.cat([s.top_ids for s in ordered]), "top_logs": torch.cat([s.top_logs for s in ordered])},
              folder / "pool.safetensors")
    rows = {"questions": [s.question for s in ordered], "answers": [s.answer_ids for s in ordered],
            "owners": [owner for _, owner in asked], "readings": [asdict(r) for r in readings]}
    (folder / "pool.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def read_pool(folder: Path, heldout: int = 60) -> SilentPool:
    """The pool that ``make_pool`` wrote."""
    rows, tensors = json.loads((folder / "pool.json").read_text(encoding="utf-8")), load_file(folder / "pool.safetensors")
    sizes = [len(ids) for ids in rows["answers"]]
    pairs = zip(tensors["top_ids"].split(sizes), tensors["top_logs"].split(sizes), strict=True)
    items = [Silent(q, a, i.long(), p) for q, a, (i, p) in zip(rows["questions"], rows["answers"], pairs, strict=True)]
    readings = [Reading(r["document"], [QA(**qa) for qa in r["items"]], r["unanswered"]) for r in rows["readings"]]
    return SilentPool(items, rows["owners"], readings, heldout)
