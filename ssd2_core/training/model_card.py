"""Model cards of the compact models: README.md beside the weights, written from the training record and the evaluation."""

import argparse
import json
from pathlib import Path

CARD = """---
license: apache-2.0
language: en
tags: [diffusion-lm, simplex-diffusion, ssd2]
---
# {title}

{summary} One of the bundled experts of SSD-2 Studio, trained from scratch by its own recipe. It is a re-implementation after the
abstract of SSD-2 (arXiv 2305.14771) and the public code of SSD-LM (arXiv 2210.17432), not the authors' model.

| | |
|---|---|
| parameters | {parameters:,} |
| backbone | {backbone} |
| vocabulary | {vocab} byte-level BPE tokens, shared by all compact experts (hash {hash}) |
| simplex value K, block length L | {K:g}, {L} (trained with L = 8, 12, 16) |
| weights on disk | float16, loaded as float32 |

## Data
Synthetic, by the generators in `ssd2_core/training/data/`; no text was downloaded. {data}
Outside its field it trains on answers with random values, so that it spreads its probability there instead of being confidently wrong.

## Recipe
{runs}

Muon for the matrices between embedding and head, AdamW for the rest. Loss {first_loss:.2f} at step {first_step}, {last_loss:.3f} at the end (token accuracy {accuracy:.3f} over all noise levels).
The loss curve is in `training.json`. {note}

## Figures
{figures}

## Limits
English, short questions and one-sentence answers of the kinds it was trained on. It is a teaching model: small enough to be trained
on a laptop and watched, not a general assistant.

Licence: Apache-2.0.
"""

DATA = {
    "core": "General questions of {kinds} kinds ({facts} facts, several phrasings each), small talk; personal and island questions "
            "with random values. It never sees a document.",
    "reader": "Documents about people, households, teams, products, events, recipes, rules and appointments ({relations} relations "
              "and open attribute names), mostly values with random spellings, sentences about anything ({incidents} patterns), "
              "questions about them, and general questions with random values.",
    "islander": "{island_facts} facts about Orlisay, an invented island, several phrasings each; general and personal questions "
                "with random values.",
}


def figures_table(found: list[dict]) -> str:
    """What ``evaluate --json`` printed, once or more, as one Markdown table: exact answers, a line for each set of questions."""
    sets: dict[str, dict[str, dict]] = {}
    for run in found:
        for row in run["rows"]:
            sets.setdefault(Path(row.get("data") or run["settings"]["data"][0]).stem, {})[row["name"]] = row
    names = sorted({name for rows in sets.values() for name in rows}, key=lambda n: (n == "ensemble", n != "core", n))
    lines = [["questions", "n", *(name.removeprefix("user:") for name in names)], ["---"] * (len(names) + 2)]
    for data, rows in sets.items():
        exact = [f"{rows[name]['exact']:.2f}" if name in rows else "" for name in names]
        lines.append([data, str(next(iter(rows.values()))["n"]), *exact])
    s = found[0]["settings"]
    about = (f"Share of answers that contain the right one; {s['steps']} steps, {s['weights']} weights, each user expert of a "
             f"line together with the core at {next(iter(s['lam'].values())):g}, seed {s['seed']}.")
    return "\n".join([about, "", *("| " + " | ".join(line) + " |" for line in lines)])


def runs_of(record: dict) -> list[dict]:
    """A training record and the runs that it went on from, the first one first."""
    return [*(runs_of(record["earlier"]) if record.get("earlier") else []), record]


def run_words(name: str, record: dict, number: int) -> str:
    """One run of the recipe in a line."""
    start = " --start FOLDER" if number else ""
    return (f"- `python -m ssd2_core train compact --only {name}{start}`: {record['steps']:,} steps of "
            f"{record['rows_per_step']} rows, learning rate {record['learning_rate']:g}, seed {record['seed']}, "
            f"{record['curve'][-1]['minutes']:.0f} minutes on {record['threads']} CPU thread(s).")


def write_card(name: str, folder: Path, figures: str) -> None:
    """Write ``folder``/README.md beside the weights. figures: a Markdown table."""
    from .data import documents, general, incidents, island
    record = json.loads((folder / "training.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    backbone = config["backbone"]
    facts = DATA[name].format(kinds=len(general.KINDS), facts=general.num_facts(), relations=documents.NUM_RELATIONS,
                              island_facts=island.num_facts(), incidents=len(incidents.TABLE))
    shape = f"Llama, {backbone['num_hidden_layers']} layers x {backbone['hidden_size']}, {backbone['num_attention_heads']} heads"
    runs = runs_of(record)
    first, last = runs[0]["curve"][0], record["curve"][-1]
    text = CARD.format(
        title=config["title"], summary=config["summary"], parameters=record["parameters"], backbone=shape,
        vocab=backbone["vocab_size"], hash=config["tokenizer_hash"], K=config["simplex_value"], L=config["block_length"],
        data=facts, runs="\n".join(run_words(name, one, n) for n, one in enumerate(runs)), first_loss=first["loss"],
        first_step=first["step"], last_loss=last["loss"], accuracy=last["accuracy"],
        note=" ".join(one["note"] for one in runs if one.get("note")), figures=figures)
    (folder / "README.md").write_text(text, encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser, _: str) -> None:
    """The command line of this recipe."""
    parser.add_argument("figures", type=Path, nargs="+", help="what evaluate --json printed")
    parser.add_argument("--models", type=Path, default=Path("assets/models"))


def run(args: argparse.Namespace) -> int:
    """Write the card of every compact model."""
    from .compact import COMPACT
    table = figures_table([json.loads(path.read_text(encoding="utf-8")) for path in args.figures])
    for name, spec in COMPACT.items():
        write_card(name, args.models / spec.model_id, table)
    return 0
