"""`train compact` and `train heldout`: the compact tokenizer and models from scratch, and the sets that measure them."""

import argparse
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tqdm import tqdm

from ..models.ssd2 import SSD2Config, SSD2Model
from .batch import Batch
from .data import documents, general, island
from .folders import identity, save_folder
from .loop import Check, LoopParams, train
from .losses import BatchLoss, Loss, diffusion_loss
from .mixtures import Encoder, batches, core_rows, islander_rows, reader_rows
from .model_card import runs_of
from .muon import muon_and_adamw
from .tokenizer import ASSISTANT, DOCUMENT, EOS, PAD, USER, train_tokenizer

VOCAB_SIZE = 2048
VALIDATE_EVERY = 1000
MORE_RATE = 0.6                 # learning rate of a run that goes on from trained weights, as a share of the first one's


@dataclass(frozen=True)
class Compact:
    """One compact model: its sizes, its data, its steps."""

    model_id: str
    role: str
    title: str
    summary: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    rows: object
    batch: int
    loop: LoopParams
    seed: int


COMPACT = {
    "core": Compact("compact-core", "core", "Compact core", "Answers general questions; sees no documents.",
                    288, 768, 6, 6, core_rows, 12, LoopParams(2000, 3e-3, cpu=True), 1),
    "reader": Compact("compact-reader", "reader", "Compact reader", "Reads your documents and answers from them.",
                      128, 256, 6, 4, reader_rows, 12, LoopParams(8000, 4e-3, cpu=True), 2),
    "islander": Compact("compact-islander", "specialist", "Islander",
                        f"Knows {island.ISLAND_NAME}, an invented island, by its weights.",
                        128, 256, 6, 4, islander_rows, 8, LoopParams(1500, 4e-3, cpu=True), 3),
}


def make_config(spec: Compact) -> SSD2Config:
    """The expert's config: a Llama backbone with segment-wise context."""
    backbone = {"model_type": "llama", "vocab_size": VOCAB_SIZE, "hidden_size": spec.hidden,
                "intermediate_size": spec.intermediate, "num_hidden_layers": spec.layers, "num_attention_heads": spec.heads,
                "num_key_value_heads": spec.heads, "max_position_embeddings": 2048, "tie_word_embeddings": True,
                "pad_token_id": PAD, "bos_token_id": None, "eos_token_id": EOS}
    return SSD2Config(backbone, simplex_value=5.0, block_length=16, context_mode="segments", role=spec.role, title=spec.title,
                      summary=spec.summary, segment_token_ids=[DOCUMENT, USER, ASSISTANT], max_context=512,
                      history_turns=1, eos_token_id=EOS, pad_token_id=PAD)


def make_tokenizer(path: Path) -> Tokenizer:
    """The shared tokenizer: read from ``path``, or trained on synthetic text and written there."""
    if not path.exists():
        rng = random.Random(0)
        texts = []
        for _ in range(12000):
            made = documents.scene(rng, "train")
            texts += [made.document, *(t for q in made.items[:2] for t in (q.question, q.answer))]
        for source in (general.general_qa, island.island_qa):
            texts += [t for _ in range(8000) for q in (source(rng),) for t in (q.question, q.answer)]
        texts.append(island.HANDBOOK)
        path.parent.mkdir(parents=True, exist_ok=True)
        train_tokenizer(texts, VOCAB_SIZE).save(str(path))
    return Tokenizer.from_file(str(path))


def fit(model: SSD2Model, draw: Callable[[int], Batch], params: LoopParams, seed: int, folder: Path,
        loss: Loss = diffusion_loss, check: Check | None = None) -> list[dict]:
    """Train ``model`` in place and return the curve. draw: step -> Batch, the same for the same step."""
    optimizers = muon_and_adamw(model, params.learning_rate)
    return train(BatchLoss(model, loss, seed), optimizers, lambda first, _: map(draw, count(first)), params, folder=folder,
                 identity=identity(model.config), check=check).curve


def train_compact(name: str, out: Path, steps: int | None = None, threads: int = 2, start: Path | None = None,
                  autoregressive: bool = False, bf16: bool = False) -> None:
    """Train one compact model and write its folder. start: a folder of trained models that this run goes on from."""
    spec = COMPACT[name]
    params = replace(spec.loop, steps=steps or spec.loop.steps, precision="bf16" if bf16 else "no")
    earlier = json.loads((start / spec.model_id / "training.json").read_text()) if start else None
    if start:
        params = replace(params, learning_rate=params.learning_rate * MORE_RATE, decay=1.0)
    torch.set_num_threads(threads)
    torch.manual_seed(spec.seed)
    tokenizer = make_tokenizer(start / spec.model_id / "tokenizer.json" if start else out / "tokenizer.json")
    model = SSD2Model.from_pretrained(start / spec.model_id) if start else SSD2Model(make_config(spec))
    size = sum(p.numel() for p in model.parameters())
    print(f"{spec.model_id}: {size:,} parameters, {params.steps} steps, {threads} threads", flush=True)
    draw, behind = batches(spec.rows(Encoder(tokenizer)), spec.batch, spec.seed), total_steps(earlier)
    if autoregressive:
        from .experiments.autoregressive import next_token_loss
        aim = {"loss": next_token_loss}
    else:
        aim = {"check": validation(model, tokenizer, name)}
    curve = fit(model, lambda step: draw(behind + step), params, spec.seed, out / "checkpoints" / spec.model_id, **aim)
    model.config.num_parameters = size
    save_folder(model, tokenizer, out / spec.model_id)
    record = {"model": spec.model_id, "parameters": size, "steps": params.steps, "rows_per_step": spec.batch,
              "learning_rate": params.learning_rate, "seed": spec.seed, "threads": threads, "bf16": bf16,
              "curve": [*curve[4:-1:5], curve[-1]], **({"earlier": earlier} if earlier else {})}
    (out / spec.model_id / "training.json").write_text(json.dumps(record) + "\n")


def total_steps(record: dict | None) -> int:
    """Steps of a training record and of the runs that it went on from."""
    return sum(run["steps"] for run in runs_of(record)) if record else 0


def validation(model: SSD2Model, tokenizer: Tokenizer, name: str) -> Check:
    """A check on validation questions (their own seed, never the reported sets): share of right answers after 8 steps."""
    from .validation import right_share, sheet
    questions = sheet(name, random.Random(99), 60)

    def check(step: int, _) -> dict[str, float]:
        shares = {}
        if step % VALIDATE_EVERY == 0:
            shares = right_share(model, tokenizer, questions)
            tqdm.write(f"step {step}: " + ", ".join(f"{part} {share:.2f}" for part, share in shares.items()))
        return {part: round(share, 4) for part, share in shares.items()}

    return check


def write_heldout(folder: Path, n: int) -> None:
    """The reported sets: phrasings and values that no recipe trains on, a document always loaded."""
    rng = random.Random(20_000)
    folder.mkdir(parents=True, exist_ok=True)
    pairs = documents.heldout_set(rng, n)
    sets = {"documents": [(q, d) for d, q in pairs],
            "general": [(q, rng.choice(pairs)[0]) for q in general.all_heldout(rng, n)],
            "island": [(q, rng.choice(pairs)[0]) for q in island.all_heldout(rng, n)]}
    for name, rows in sets.items():
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for qa, document in rows:
                row = {"question": qa.question, "answer": qa.value, "document": document, "kind": qa.kind}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def add_arguments(parser: argparse.ArgumentParser, recipe: str) -> None:
    """The command lines of both recipes."""
    if recipe == "heldout":
        parser.add_argument("--out", type=Path, default=Path("assets/evaluation"))
        parser.add_argument("--number", type=int, default=600)
        return
    parser.add_argument("--only", choices=sorted(COMPACT), action="append")
    parser.add_argument("--out", type=Path, default=Path("runs/compact"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--start", type=Path, help="go on from the trained models in this folder, with fresh optimizers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="twice as fast on a processor that multiplies bfloat16 itself")
    parser.add_argument("--autoregressive", action="store_true", help="next tokens instead of blocks, to compare with")


def run(args: argparse.Namespace) -> int:
    """Write the question sets, or train the models one after the other."""
    if args.recipe == "heldout":
        write_heldout(args.out, args.number)
        return 0
    for name in args.only or ("core", "reader", "islander"):
        train_compact(name, args.out, args.steps, args.threads, args.start, args.autoregressive, args.bf16)
    return 0
