"""``python -m ssd2_core train drafts``: from a causal LM to a core's folder with drafts, resumable."""

import argparse
import json
import random
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from ...models.checkpoints import base_folder
from ...models.drafts import MASKS, save_drafts
from ...models.lora import TARGETS
from ...registry.base_models import find_base
from ...registry.cards import BUNDLED
from ...text.prompts import prompt_format
from ..david.course import add_run_arguments, device_of, learn
from ..david.model import BASE, PREFIX, LowRank, add_low_rank, load_base, trained
from ..david.recipe import config_for
from .answers import Answer, batches, core_prompts, greedy, read_answers, reader_prompts, write_answers
from .losses import DraftLoss, MaskBatch, hits, make_batch, mask_logits

HELDOUT = 96                            # answers of each model that are only watched
CONFIG = {"role": "core", "title": "Goliath", "summary": "With drafts: several tokens a step, the same answers."}


def add_arguments(parser: argparse.ArgumentParser, _: str) -> None:
    """The command line of the recipe."""
    parser.add_argument("--core", default=BASE,
                        help="a causal LM whose tokenizer has ChatML or Gemma's turns, by Hub id or folder")
    parser.add_argument("--reader", default="david", help="an adapter over it that is to draft, too; '' for none")
    parser.add_argument("--out", type=Path, default=Path("runs/drafts"))
    parser.add_argument("--minutes", type=float, default=100.0, help="of training, resumed parts included")
    parser.add_argument("--steps", type=int, help="so many steps instead of minutes")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--answers", type=int, default=3000, help="of each model, made before training begins")
    parser.add_argument("--most-tokens", type=int, default=48, help="of an answer")
    parser.add_argument("--rows", type=int, default=12, help="answers of each model in a step")
    parser.add_argument("--groups", type=int, default=20, help="groups of masks in each answer: they share the pass over it")
    parser.add_argument("--masks", type=int, default=4)
    parser.add_argument("--rank", type=int, default=32)
    add_run_arguments(parser, threads=2)


def with_adapter(lm: nn.Module, folder: Path) -> nn.Module:
    """``lm`` with an adapter folded into its weights. Changes ``lm``."""
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))["lora"]
    scale = settings["lora_alpha"] / settings["r"]
    tensors = load_file(folder / "model.safetensors")
    with torch.no_grad():
        for path, module in lm.named_modules():
            down = tensors.get(f"{PREFIX}{path}.lora_A.weight")
            if down is not None:
                up = tensors[f"{PREFIX}{path}.lora_B.weight"]
                module.weight += (scale * up.float() @ down.float()).to(module.weight.dtype)
    return lm


def sharing(lm: nn.Module, other: nn.Module) -> nn.Module:
    """``other`` with the low-rank matrices and masks of ``lm``: one set of them, trained by both. Changes ``other``."""
    pairs = zip(lm.modules(), other.modules(), strict=True)
    for mine, its in [(mine, its) for mine, its in pairs if isinstance(mine, LowRank)]:
        its.lora_A, its.lora_B = mine.lora_A, mine.lora_B
    other.draft_masks = lm.draft_masks
    return other


def answers_of(args: argparse.Namespace, tokenizer: Tokenizer, lms: dict[str, nn.Module], say) -> dict[str, list[Answer]]:
    """The answers of each model, made once."""
    file, eos = args.out / "answers.json", prompt_format(tokenizer).eos
    if not file.is_file():
        prompts = {"core": core_prompts, "reader": reader_prompts}
        write_answers(file, **{name: greedy(lm, prompts[name](tokenizer, args.answers, args.seed), eos, args.most_tokens, say)
                               for name, lm in lms.items()})
    return read_answers(file)


def run(args: argparse.Namespace) -> int:
    """Make the answers once, train, and write the core's folder ``export``."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    folder = base_folder(find_base(args.core))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    device = device_of(args)
    lms = {"core": load_base(folder, attention="sdpa").to(device)}
    if args.reader:
        home = Path(args.reader) if Path(args.reader).is_dir() else BUNDLED / args.reader
        lms["reader"] = with_adapter(load_base(folder, attention="sdpa"), home).to(device)
    say = lambda text: print(time.strftime("%H:%M:%S"), text, flush=True)  # noqa: E731
    answers, eos = answers_of(args, tokenizer, lms, say), prompt_format(tokenizer).eos
    config, lm = config_for(args.core, folder, lms["core"]) | CONFIG, lms["core"]
    start_masks(lm, args.masks)
    for one in lms.values():
        add_low_rank(one, args.rank, args.rank).to(device)
        sharing(lm, one)
    made = lambda name, these, places: make_batch(these, args.groups, args.masks, eos, name, places)  # noqa: E731

    def drawn(first: int, process: int) -> Iterator[MaskBatch]:
        """Each model's by turns."""
        seed = f"{args.seed} {process} {first}"
        places = torch.Generator().manual_seed(random.Random(seed).getrandbits(63))
        streams = {name: batches(answers[name][:-HELDOUT] or answers[name], args.rows, random.Random(f"{seed} {name}"))
                   for name in lms}
        return (made(name, next(stream), places) for _ in count() for name, stream in streams.items())

    @torch.no_grad()
    def watched() -> str:
        told = []
        for name, one in lms.items():
            batch = made(name, answers[name][-HELDOUT:], torch.Generator().manual_seed(7)).to(device)
            told.append(f"{name} {' '.join(f'{share:.2f}' for share in hits(mask_logits(one, batch), batch.targets).tolist())}")
        return "right at each mask, held out: " + ", ".join(told)

    learn(DraftLoss(lms), drawn, args, len(lms), watched, say)
    settings = {"r": args.rank, "lora_alpha": args.rank, "target_modules": list(TARGETS)}
    write_core(args.out / "export", args.core, config, settings, trained(lm))
    return 0


def start_masks(lm: nn.Module, count: int) -> None:
    """Masks to be trained, which begin as the mean of what tokens are embedded as, and a little apart."""
    table = lm.get_input_embeddings().weight.float()
    first = table.mean(0) + 0.1 * table.std(0) * torch.randn(count, table.shape[1]).to(table.device)
    lm.draft_masks = nn.Parameter(first)


def write_core(folder: Path, base: str, config: dict, settings: dict, tensors: dict[str, torch.Tensor]) -> None:
    """A core's folder: its base by name, and drafts."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {name: value for name, value in config.items() if name not in ("lora", "prompt_style")}
    (folder / "config.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    named = {MASKS if name == "draft_masks" else f"{name}.weight": tensor for name, tensor in tensors.items()}
    save_drafts(folder, base, settings, named)
