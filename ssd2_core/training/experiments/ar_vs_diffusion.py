"""Two findings at compact size: accuracy against the core's size, and what collaboration gains with and without diffusion."""

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from ...config import CORE, EnsembleParams
from ...evaluation.metrics import exact
from ...evaluation.questions import Question, read_questions
from ...models.loading import load
from ...models.ssd2 import SSD2Model
from ..batch import Row, lay_out, make_batch
from ..compact import COMPACT, fit, make_config, make_tokenizer
from ..data import documents, general
from ..losses import diffusion_loss
from ..mixtures import Encoder, batches
from ..tokenizer import EOS
from ..validation import answers, context
from .autoregressive import answer_tokens

USER, BATCH, TOKENS = "reader", 60, 16
WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SIZES = "96,144,208,288"
RESAMPLES = 10_000
HELDOUT = 300                   # questions that each size is asked


def add_arguments(parser: argparse.ArgumentParser, recipe: str) -> None:
    """The command lines of both measurements."""
    add = parser.add_argument
    if recipe == "scaling":
        add("--sizes", default=SIZES, help="hidden sizes, with commas between them")
        add("--steps", type=int, default=1000)
        add("--threads", type=int, default=2)
        add("--bf16", action="store_true")
        add("--out", type=Path, default=Path("runs/scaling"))
        return
    add("--diffusion", type=Path, default=Path("assets/models"))
    add("--autoregressive", type=Path, default=Path("runs/autoregressive"))
    add("--data", type=Path, nargs="+",
        default=[Path("assets/evaluation/documents.jsonl"), Path("assets/evaluation/general.jsonl")])
    add("--limit", type=int)
    add("--validation", type=int, default=120, help="questions of each kind that the weights are chosen on")
    add("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """One of both measurements."""
    return scaling(args) if args.recipe == "scaling" else compare(args)


def scaling(args: argparse.Namespace) -> int:
    """Train the core at each size with the same data and steps; print and write a table."""
    torch.set_num_threads(args.threads)
    tokenizer, rows = make_tokenizer(args.out / "tokenizer.json"), []
    core = COMPACT["core"]
    for hidden in (int(size) for size in args.sizes.split(",")):
        heads = max(1, hidden // 48)
        spec = replace(core, hidden=hidden, intermediate=hidden * 8 // 3, heads=heads,
                       loop=replace(core.loop, steps=args.steps, precision="bf16" if args.bf16 else "no"))
        torch.manual_seed(spec.seed)
        model = SSD2Model(make_config(spec))
        draw = batches(spec.rows(Encoder(tokenizer)), spec.batch, spec.seed)
        curve = fit(model, draw, spec.loop, spec.seed, args.out / str(hidden))
        row = {"hidden": hidden, "parameters": sum(p.numel() for p in model.parameters()), "minutes": curve[-1]["minutes"],
               "train_loss": curve[-1]["loss"], **heldout_figures(model, tokenizer)}
        rows.append(row)
        (args.out / "scaling.json").write_text(json.dumps(rows) + "\n")
        print(json.dumps(row), flush=True)
    return 0


@torch.no_grad()
def heldout_figures(model: SSD2Model, tokenizer: Tokenizer) -> dict[str, float]:
    """Loss and share of right answers on general questions in held-out phrasings, drawn apart from the reported sets."""
    encoder, rng, n = Encoder(tokenizer), random.Random(77), HELDOUT
    questions = general.all_heldout(rng, n)
    rows = [Row([], [encoder.item(qa) for qa in questions[at:at + 8]]) for at in range(0, n, 8)]
    laid = [make_batch([lay_out(row, 16, rng) for row in rows[at:at + 6]], 16) for at in range(0, len(rows), 6)]
    losses = [diffusion_loss(model, batch, torch.Generator().manual_seed(6 * number), False)[0].item()
              for number, batch in enumerate(laid)]
    said = answers({CORE: (model, [context(tokenizer, qa.question, "") for qa in questions])}, EnsembleParams(), tokenizer, 16)
    right = sum(exact(text, qa.value) for text, qa in zip(said, questions, strict=True))
    return {"heldout_loss": round(sum(losses) / len(losses), 4), "heldout_exact": round(right / n, 4)}


def compare(args: argparse.Namespace) -> int:
    """Choose weights on fresh questions, answer the data with both families, print gains and the bootstrap."""
    found = {}
    chosen_on = validation_questions(args.validation)
    asked = [q for path in args.data for q in read_questions(path, args.limit)]
    for family, folder in (("diffusion", args.diffusion), ("autoregressive", args.autoregressive)):
        models = {CORE: load(str(folder / "compact-core")), USER: load(str(folder / "compact-reader"))}
        scores = {lam: mean(right(models, family, lam, chosen_on)) for lam in WEIGHTS}
        best = max(scores, key=scores.get)
        marks = {"core": right(models, family, 0.0, asked), "reader": right(models, family, 1.0, asked),
                 "ensemble": right(models, family, best, asked)}
        found[family] = {"lam": best, "validation": scores, **marks}
        if family == "diffusion":
            found["diffusion, adaptive"] = {**found[family], "lam": 0.5,
                                            "ensemble": right(models, family, 0.5, asked, "adaptive")}
    report = {name: {"lam": f["lam"], **{k: round(mean(f[k]), 4) for k in ("core", "reader", "ensemble")}, "gain": gain(f)}
              for name, f in found.items()}
    other = found["autoregressive"]
    report["gain over autoregressive"] = {name: bootstrap(f, other) for name, f in found.items() if f is not other}
    print(json.dumps({"n": len(asked), **report}, indent=None if args.json else 2))
    return 0


def validation_questions(n: int) -> list[Question]:
    """Fresh questions in training phrasings: half about documents, half general with a document beside them."""
    rng = random.Random(4242)
    scenes = [s for s in (documents.scene(rng) for _ in range(3 * n)) if s.items][:n]
    own = [Question(s.items[0].question, s.items[0].value, s.document) for s in scenes]
    return own + [Question(qa.question, qa.value, s.document) for s in scenes for qa in (general.general_qa(rng),)]


def right(models: dict, family: str, lam: float, questions: list[Question], weights: str = "constant") -> list[bool]:
    """Which questions the core and the reader answer together, the reader with weight ``lam`` and the document."""
    tokenizer, marks = models[CORE].tokenizer, []
    for at in range(0, len(questions), BATCH):
        rows = questions[at:at + BATCH]
        given = {name: (expert.model, [context(tokenizer, q.question, q.document if name == USER else "") for q in rows])
                 for name, expert in models.items() if (lam if name == USER else 1 - lam)}
        if family == "autoregressive":
            ids = answer_tokens(given, {CORE: 1 - lam, USER: lam}, TOKENS).tolist()
            said = [tokenizer.decode(row[:row.index(EOS)] if EOS in row else row) for row in ids]
        else:
            said = answers(given, EnsembleParams(lam={USER: lam} if lam else {}, weights=weights), tokenizer, 16, TOKENS)
        marks += [exact(text, q.answer) for text, q in zip(said, rows, strict=True)]
    return marks


def mean(marks: list[bool]) -> float:
    """Share of true marks."""
    return sum(marks) / len(marks)


def gain(f: dict) -> float:
    """How much more the ensemble gets right than its best single expert."""
    return round(mean(f["ensemble"]) - max(mean(f["core"]), mean(f["reader"])), 4)


def bootstrap(one: dict, other: dict) -> dict[str, float]:
    """Difference of two gains over the same questions, resampled together: mean, 95 % interval, share of resamples above 0."""
    marks = torch.tensor([[f[k] for k in ("core", "reader", "ensemble")] for f in (one, other)], dtype=torch.float32)
    drawn = torch.randint(marks.shape[-1], (RESAMPLES, marks.shape[-1]), generator=torch.Generator().manual_seed(0))
    means = torch.stack([marks[..., d].mean(-1) for d in drawn])                          # (resamples, family, expert)
    gains = means[..., 2] - means[..., :2].max(-1).values
    diff = (gains[:, 0] - gains[:, 1]).sort().values
    at = lambda share: round(diff[int(share * (RESAMPLES - 1))].item(), 4)  # noqa: E731
    return {"difference": round(diff.mean().item(), 4), "low": at(0.025), "high": at(0.975),
            "above_zero": round((diff > 0).float().mean().item(), 4)}
