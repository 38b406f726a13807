"""`python -m ssd2_core train RECIPE`: the compact tokenizer and models from nothing, and the sets that measure them."""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ..models.ssd2 import SSD2Config, SSD2Model
from .data import documents, general, island
from .experiments.autoregressive import next_token_loss
from .loop import FitParams, fit
from .mixtures import Encoder, batches, core_rows, islander_rows, reader_rows
from .model_card import legs_of
from .tokenizer import ASSISTANT, DOCUMENT, EOS, PAD, USER, train_tokenizer

VOCAB_SIZE = 2048
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
    fit: FitParams


COMPACT = {
    "core": Compact("compact-core", "core", "Compact core", "Answers general questions; sees no documents.",
                    288, 768, 6, 6, core_rows, 12, FitParams(steps=2000, learning_rate=3e-3, seed=1)),
    "reader": Compact("compact-reader", "reader", "Compact reader", "Reads your documents and answers from them.",
                      128, 256, 6, 4, reader_rows, 12, FitParams(steps=8000, learning_rate=4e-3, seed=2)),
    "islander": Compact("compact-islander", "specialist", "Islander",
                        f"Knows {island.ISLAND_NAME}, an invented island, by its weights.",
                        128, 256, 6, 4, islander_rows, 8, FitParams(steps=1500, learning_rate=4e-3, seed=3)),
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
    """The shared tokenizer: read from ``path``, or trained on made-up text and written there."""
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


def train_compact(name: str, out: Path, steps: int | None = None, threads: int = 2, start: Path | None = None,
                  autoregressive: bool = False, bf16: bool = False) -> None:
    """Train one compact model and write its folder. start: a folder of trained models that this run goes on from."""
    spec = COMPACT[name]
    earlier = json.loads((start / spec.model_id / "training.json").read_text()) if start else None
    if start:
        spec = replace(spec, fit=replace(spec.fit, learning_rate=spec.fit.learning_rate * MORE_RATE, decay=1.0))
    spec = replace(spec, fit=replace(spec.fit, steps=steps or spec.fit.steps, bf16=bf16))
    torch.set_num_threads(threads)
    torch.manual_seed(spec.fit.seed)
    tokenizer = make_tokenizer(start / spec.model_id / "tokenizer.json" if start else out / "tokenizer.json")
    model = SSD2Model.from_pretrained(start / spec.model_id) if start else SSD2Model(make_config(spec))
    size = sum(p.numel() for p in model.parameters())
    print(f"{spec.model_id}: {size:,} parameters, {spec.fit.steps} steps, {threads} threads", flush=True)
    draw, behind = batches(spec.rows(Encoder(tokenizer)), spec.batch, spec.fit.seed), total_steps(earlier)
    aim = {"loss_of": next_token_loss} if autoregressive else {"watch": watcher(model, tokenizer, name)}
    curve = fit(model, lambda step: draw(behind + step), spec.fit, out / "checkpoints" / spec.model_id, **aim)
    model.config.num_parameters = size
    save_folder(model, tokenizer, out / spec.model_id)
    record = {"model": spec.model_id, "parameters": size, "steps": spec.fit.steps, "rows_per_step": spec.batch,
              "learning_rate": spec.fit.learning_rate, "seed": spec.fit.seed, "threads": threads, "bf16": bf16,
              "curve": [*curve[4:-1:5], curve[-1]], **({"earlier": earlier} if earlier else {})}
    (out / spec.model_id / "training.json").write_text(json.dumps(record) + "\n")


def total_steps(record: dict | None) -> int:
    """Steps of a training record and of the runs that it went on from."""
    return sum(leg["steps"] for leg in legs_of(record)) if record else 0


def save_folder(model: SSD2Model, tokenizer: Tokenizer, folder: Path) -> None:
    """Write config.json, model.safetensors (half precision on disk, loaded as fp32) and tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    from ..registry.cards import tokenizer_hash
    model.config.tokenizer_hash = tokenizer_hash(folder / "tokenizer.json")
    model.to(torch.float16).save_pretrained(folder)
    model.to(torch.float32)
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def watcher(model: SSD2Model, tokenizer: Tokenizer, name: str):
    """A validation question sheet (its own seed, never the reported sets): share of right answers after 8 steps."""
    from .validation import right_share, sheet
    questions = sheet(name, random.Random(99), 60)
    return lambda step: ", ".join(f"{k} {v:.2f}" for k, v in right_share(model, tokenizer, questions).items())


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
