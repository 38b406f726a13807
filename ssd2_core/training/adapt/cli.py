"""`train adapt`, `instruct`, `reader`: a base becomes a diffusion core, learns to answer, and gets a small reader beside it."""

import argparse
import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ...config import check_int
from ...errors import ModelError, VisitorError
from ...models.checkpoints import base_folder, base_tokenizer, shape_of
from ...models.lora import TARGETS
from ...models.ssd2 import CAUSAL_BACKBONES, SSD2Config
from ...registry.base_models import find_base
from ...registry.cards import tokenizer_hash
from ...text.prompts import prompt_format
from ..loop import LoopParams
from .adapt import adapt, choose_trained, make_model
from .datasets import answer_sequences, read_examples, text_sequences

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
HELDOUT = 64                    # sequences that the held-out curve is measured on
TITLES = {"reader": ("David", "Reads your documents and answers from them.")}


def add_arguments(parser: argparse.ArgumentParser, recipe: str) -> None:
    """The three recipes' command lines."""
    add = parser.add_argument
    title, summary = TITLES.get(recipe, ("Goliath", "Answers instructions."))
    add("--data", nargs="+", required=True, help="JSONL files or Hub dataset ids")
    add("--validate", nargs="+", default=[], help="the same, never trained on, for the held-out curve")
    add("--out", type=Path, required=True, help="folder of the expert and its checkpoints; a run that was cut off goes on")
    add("--start", type=Path, help="folder of an expert to go on from: its sizes are taken, too")
    add("--base", default=BASE, help="causal LM: a folder, a Hub id")
    add("--layers", help="which layers of the base, such as 0,1,28,29; all of them when left out")
    add("--lora-rank", type=int, default=0 if recipe == "reader" else 64, help="0 trains whole layers")
    add("--block", type=int, default=16)
    add("--simplex-value", type=float, default=7.0)
    add("--label-shift", action="store_true", help="read each position one before it, as the base did")
    add("--length", type=int, default=512, help="tokens of a sequence, noisy copies aside")
    add("--steps", type=int, default=1000)
    add("--batch", type=int, default=16)
    add("--accumulate", type=int, default=1)
    add("--learning-rate", type=float, default=3e-4)
    add("--minutes", type=float, help="stop and save after so many; the same command goes on")
    add("--by-time", action="store_true", help="the learning rate ends with the minutes, not with the steps")
    add("--save-every", type=int, default=500)
    add("--precision", choices=("no", "bf16"), default="bf16" if torch.cuda.is_available() else "no")
    add("--seed", type=int, default=0)
    add("--title", default=title)
    add("--summary", default=summary)


def make_config(args: argparse.Namespace, base: Path, tokenizer: Tokenizer, tokenizer_file: Path) -> SSD2Config:
    """The expert's config: of ``args.start`` where that is given, else new, on the base's backbone."""
    role = "reader" if args.recipe == "reader" else "core"
    if args.start:
        config = SSD2Config.from_pretrained(args.start)
        config.role, config.title, config.summary = role, args.title, args.summary
        return config
    backbone = backbone_of(base, args.base)
    layers = _layers(args.layers, backbone["num_hidden_layers"])
    if layers:
        backbone["num_hidden_layers"] = len(layers)
    lora = {"r": args.lora_rank, "lora_alpha": args.lora_rank, "target_modules": list(TARGETS)} if args.lora_rank else None
    eos = prompt_format(tokenizer).eos
    return SSD2Config(backbone, simplex_value=args.simplex_value, block_length=args.block, context_mode="causal", role=role,
                      title=args.title, summary=args.summary, max_context=args.length, history_turns=1, eos_token_id=eos,
                      pad_token_id=eos, base=args.base, base_layers=layers, lora=lora, lora_noisy_only=role == "core",
                      label_shift=args.label_shift, tokenizer_hash=tokenizer_hash(tokenizer_file))


def backbone_of(folder: Path, base_id: str) -> dict:
    """The shape of a base that can be adapted. Raises ModelError for any other."""
    backbone = shape_of(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    kind = backbone.get("model_type")
    if kind not in CAUSAL_BACKBONES or "num_hidden_layers" not in backbone:
        raise ModelError(f"The base {base_id} is of the type {kind}; adapting needs a causal language model of the type "
                         f"{', '.join(CAUSAL_BACKBONES[:-1])} or {CAUSAL_BACKBONES[-1]}.")
    return backbone


def _layers(text: str | None, count: int) -> list[int] | None:
    """The numbers of "0,1,28,29", each a layer of the base."""
    if not text:
        return None
    try:
        layers = [int(part) for part in text.split(",")]
    except ValueError:
        layers = [-1]
    if any(not 0 <= n < count for n in layers):
        raise VisitorError(f"--layers must be numbers from 0 to {count - 1} with commas between them, not {text!r}.")
    return layers


def run(args: argparse.Namespace) -> int:
    """Run one of the three recipes up to its steps or minutes."""
    for name in ("steps", "batch", "accumulate", "length", "save_every", "block"):
        check_int(name.replace("_", " "), getattr(args, name), 1, 10**7)
    base = base_folder(find_base(args.base, lambda text, part: print(f"\r{text} {part:.0%}", end="", flush=True)))
    source = args.start or base
    file, tokenizer = source / "tokenizer.json", base_tokenizer(source, str(args.start or args.base))
    examples, checks = read_examples(args.data), read_examples(args.validate)
    config = make_config(args, base, tokenizer, file)
    torch.manual_seed(args.seed)
    model = make_model(config, args.start)
    config.num_parameters = sum(p.numel() for p in model.parameters())
    trained = choose_trained(model)
    print(f"{config.title}: {config.num_parameters:,} parameters, {trained:,} trained; {len(examples):,} examples", flush=True)
    draw = drawer(args, config, tokenizer, examples)
    rng = random.Random(99)
    heldout = [drawer(args, config, tokenizer, checks)(rng) for _ in range(HELDOUT)] if checks else []
    params = LoopParams(args.steps, args.learning_rate, warmup=max(1, min(100, args.steps // 10)), lowest=0.0,
                        seconds=None if args.minutes is None else 60 * args.minutes, pace="time" if args.by_time else "steps",
                        accumulate=args.accumulate, precision=args.precision, save_every=args.save_every)
    record = adapt(model, draw, heldout, params, args.batch, args.seed, args.out / "checkpoint")
    (args.out / "tokenizer.json").write_bytes(file.read_bytes())
    about = {"recipe": args.recipe, "data": args.data, "examples": len(examples), "trained_parameters": trained,
             "base": args.base, "start": str(args.start or ""), "length": args.length, "batch": args.batch * args.accumulate,
             "learning_rate": args.learning_rate, "precision": args.precision, "seed": args.seed, **record}
    (args.out / "training.json").write_text(json.dumps(about) + "\n")
    done = record["steps"] >= args.steps
    print("done" if done else f"stopped after {record['steps']} of {args.steps} steps; the same command goes on", flush=True)
    return 0


def drawer(args: argparse.Namespace, config: SSD2Config, tokenizer: Tokenizer, examples):
    """What the recipe learns from: pieces of text, or answers."""
    if args.recipe == "adapt":
        return text_sequences(tokenizer, examples, config.block_length, args.length)
    return answer_sequences(tokenizer, examples, args.length, reads=config.role == "reader")
