"""The command line: models, generate, evaluate, bench, convert, push, deploy, limits, soak, train. ``--json`` prints JSON."""

import argparse
import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

from .config import EARLY_EXITS, PROJECTIONS, WEIGHTINGS, EnsembleParams, SamplingParams, Settings, check_int
from .errors import VisitorError
from .loadtest.cli import add_command as add_soak
from .models.device_map import add_options, options_of

DEFAULT = SamplingParams()
DEFAULT_USER_WEIGHT = 0.5


def user_weights(users: list[str]) -> dict[str, float]:
    """ID or ID=LAM of each ``--user``; without a weight it gets DEFAULT_USER_WEIGHT divided by the number of users."""
    out: dict[str, float | None] = {}
    for text in users:
        name, has_weight, weight = text.rpartition("=") if "=" in text else (text, "", "")
        if not name or name in out:
            raise VisitorError(f"--user {text!r} names no model." if not name else f"--user {name} is given twice; keep one.")
        try:
            out[name] = float(weight) if has_weight else None
        except ValueError:
            raise VisitorError(f"The weight in --user {text!r} must be a number from 0 to 1.") from None
    return {name: DEFAULT_USER_WEIGHT / len(out) if weight is None else weight for name, weight in out.items()}


def ensemble_params(args: argparse.Namespace) -> EnsembleParams:
    return EnsembleParams(lam=user_weights(args.user), weights=args.weights, tau=args.tau, alpha=args.alpha,
                          guidance=args.guidance)


def sampling_params(args: argparse.Namespace) -> SamplingParams:
    return SamplingParams(args.steps, args.block, args.max_tokens, args.projection, args.top_p, args.seed, args.early_exit)


def models(args: argparse.Namespace) -> int:
    """List the models that are here."""
    from .registry.cards import list_models
    cards = list_models()
    if args.json:
        rows = [{"id": c.id, "role": c.role, "parameters": c.parameters, "tokenizer": c.tokenizer_hash, "source": c.source}
                for c in cards]
        print(json.dumps({"models": rows}))
    else:
        for c in cards:
            print(f"{c.id:20} {c.role:11} {c.parameters:>12,} parameters  tokenizer {c.tokenizer_hash}  {c.source}  "
                  f"{c.summary}")
    return 0


def generate(args: argparse.Namespace) -> int:
    """Answer one prompt and show every step."""
    from .protocol.frames import Frame
    from .protocol.messages import Done, Failed, Request
    from .protocol.traces import load_trace, request_from
    from .serving.engines import InlineEngine
    from .text.documents import read_path

    documents = tuple(read_path(Path(path)) for path in args.docs)
    if (args.prompt is None) == (args.again is None):
        raise VisitorError("generate needs a prompt, or --again with a trace; give one of them.")
    if args.again:
        request = request_from(load_trace(args.again)[1], documents)
    else:
        params = ensemble_params(args)
        request = Request("", args.prompt, args.core, tuple(params.lam), documents, (), sampling_params(args), params)
    frames: list[Frame] = []
    done = None
    with InlineEngine(Settings(core=request.core, **options_of(args))) as engine:
        for event in engine.stream(engine.submit(request)):
            if isinstance(event, Frame):
                frames.append(event)
                if args.json:
                    print(json.dumps(event.to_dict(), ensure_ascii=False), flush=True)
                else:
                    shown = "".join(t for t, end in zip(event.texts, event.is_eos, strict=True) if not end)
                    print(f"block {event.block} step {event.step:3}/{event.num_steps}  {shown}", flush=True)
            elif isinstance(event, Failed):
                raise VisitorError(event.message)
            elif isinstance(event, Done):
                done = event
    summary = {"answer": done.answer, "finish_reason": done.finish_reason, "steps": done.steps, "seconds": done.seconds,
               "shares": done.shares}
    if args.trace:
        write_trace(args, request, frames, done)
    if args.json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in done.shares.items())
        cost = f"{done.steps} steps, {done.forwards} forwards, {done.seconds:.2f} s on {done.device}"
        print(f"\n{done.answer}\n\n{cost}; {parts}")
    return 0


def write_trace(args: argparse.Namespace, request, frames: list, done) -> None:
    """The whole run as a file, trimmed where --trace-kb says so. Raises VisitorError."""
    from .protocol.traces import about_run, fitting_trace
    from .registry.cards import local_card
    check_int("--trace-kb", args.trace_kb, 1, 2000)
    cards = {"core": local_card(request.core), **{user: local_card(user) for user in request.users}}
    titles = {name: card.title for name, card in cards.items() if card}
    text = fitting_trace(frames, about_run(request, done, titles, request.documents, texts=False), 1000 * args.trace_kb)
    try:
        Path(args.trace).write_text(text, encoding="utf-8")
    except OSError:
        raise VisitorError(f"{args.trace} cannot be written; give a path in a folder that exists.") from None


def evaluate(args: argparse.Namespace) -> int:
    """Measure core alone, each user alone and the ensemble on question files."""
    from .evaluation.evaluate import evaluate as measure_all
    from .evaluation.metrics import table
    from .evaluation.questions import read_questions
    from .models.loading import load
    from .registry.cards import check_compatible
    if args.base:
        from .evaluation.baseline import BaseLM

    params, sampling = ensemble_params(args), sampling_params(args)
    if args.limit is not None:
        check_int("limit", args.limit, 1, 10**9)
    sheets = {str(path): read_questions(path, args.limit) for path in args.data}
    core = load(args.core, progress=tell, **options_of(args))
    users = {name: load(name, progress=tell, **options_of(args)) for name in params.lam}
    check_compatible(core.card, [user.card for user in users.values()])
    sweep = step_counts(args)
    base = BaseLM(args.base) if args.base else None
    rows = []
    for path, questions in sheets.items():
        found = [base.row(questions, sampling.max_new_tokens)] if base else []
        for steps in sweep:
            more = measure_all(core, users, questions, params, replace(sampling, num_steps=steps), base and base.perplexity)
            found += [{"steps": steps, **row} for row in more] if len(sweep) > 1 else more
        rows += [{"data": path, **row} for row in found] if len(sheets) > 1 else found
    settings = {"core": args.core, "lam": dict(params.lam), "weights": params.weights, "tau": params.tau, "alpha": params.alpha,
                "guidance": params.guidance, "steps": sweep[0] if len(sweep) == 1 else sweep, "block": sampling.block_length,
                "max_tokens": sampling.max_new_tokens, "projection": sampling.projection, "top_p": sampling.top_p,
                "seed": sampling.seed, "early_exit": sampling.early_exit, "base": args.base, "data": list(sheets)}
    print(json.dumps({"rows": rows, "settings": settings}) if args.json else table(rows))
    return 0


def bench(args: argparse.Namespace) -> int:
    """Measure and print."""
    from .benchmark.cli import USUAL, run, table
    check_int("context", args.context, 1, 4000)
    found = run(args.shape, args.context, args.dtype, args.part or list(USUAL))
    print(json.dumps(found) if args.json else table(found))
    return 0


def convert(args: argparse.Namespace) -> int:
    """Write a published checkpoint, or a model that was downloaded from the page, as a model folder."""
    from .models.convert_ssdlm import convert_ssdlm
    from .models.convert_tess2 import convert_tess2
    from .registry.uploads import unpack
    if args.layout == "visitor":
        card = unpack(args.folder, args.out)
        print(f"{card.title}: {card.parameters:,} parameters in {args.out}")
        return 0
    config = {"ssdlm": convert_ssdlm, "tess2": convert_tess2}[args.layout](args.folder, args.out)
    print(f"{config.title}: {config.num_parameters:,} parameters in {args.out}")
    return 0


def deploy(args: argparse.Namespace) -> int:
    """Put the studio on the Hub as a Space, or show what would be put there."""
    from .deploy import deploy as upload
    from .deploy import plan, words
    space = plan(args.hardware, args.variable)
    print(words(space, args.repository, args.private) if args.dry_run else upload(space, args.repository, args.private))
    return 0


def limits(args: argparse.Namespace) -> int:
    """Every limit with the variable that sets it, as the environment has them."""
    from .config import markdown, page, read_limits
    print((markdown if args.markdown else page)(read_limits(os.environ)))
    return 0


def push(args: argparse.Namespace) -> int:
    """Publish a model folder on the Hub."""
    from .registry.hub import publish
    print(publish(args.folder, args.repository, args.public))
    return 0


def tell(text: str, part: float) -> None:
    """What is being loaded, on the terminal."""
    print(f"{text} {part:.0%}" if part else text, file=sys.stderr)


def step_counts(args: argparse.Namespace) -> list[int]:
    """The numbers of --sweep, or the one of --steps."""
    if not args.sweep:
        return [args.steps]
    try:
        return [check_int("steps", int(part), 1, 5000) for part in args.sweep.split(",")]
    except ValueError:
        raise VisitorError(f"--sweep must be numbers from 1 to 5000 with commas between them, not {args.sweep!r}.") from None


def _expert_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--core", default=Settings().core, help="bundled id, local folder or Hub id")
    add("--user", action="append", default=[], metavar="ID[=LAM]", help="a user expert and its weight; may be repeated")
    add("--alpha", type=float, default=0.0, help="contrast of a reader with itself without documents")
    add("--weights", choices=WEIGHTINGS, default=EnsembleParams().weights)
    add("--guidance", type=float, default=0.0, help="-4 to 4: how hard a model of sentiment pulls, 0 not at all")
    add("--tau", type=float, default=EnsembleParams().tau)
    add("--steps", type=int, default=DEFAULT.num_steps)
    add("--block", type=int, default=DEFAULT.block_length)
    add("--max-tokens", type=int, default=DEFAULT.max_new_tokens)
    add("--projection", choices=PROJECTIONS, default=DEFAULT.projection)
    add("--early-exit", choices=EARLY_EXITS, default=DEFAULT.early_exit)
    add("--top-p", type=float, default=DEFAULT.top_p)
    add("--seed", type=int, default=DEFAULT.seed)
    add_options(parser)
    add("--json", action="store_true")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="python -m ssd2_core", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    one = commands.add_parser("models", help="list the models that are here")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=models)
    one = commands.add_parser("generate", help="answer one prompt, step by step")
    one.add_argument("prompt", nargs="?")
    one.add_argument("--again", metavar="TRACE", help="make the run of a trace once more, with its own settings and pins")
    one.add_argument("--docs", action="append", default=[], metavar="FILE")
    one.add_argument("--trace", metavar="FILE", help="write the whole run as JSON, see docs/traces.md")
    one.add_argument("--trace-kb", type=int, default=2000, metavar="N",
                      help="of at most so many kB: fewer decimals and candidates where it would be longer")
    _expert_options(one)
    one.set_defaults(run=generate, early_exit="patience")
    one = commands.add_parser("evaluate", help="measure experts and ensemble on JSONL questions")
    one.add_argument("data", nargs="+", metavar="DATA.jsonl")
    one.add_argument("--limit", type=int)
    one.add_argument("--sweep", metavar="4,8,16", help="measure with each of these numbers of steps")
    one.add_argument("--base", help="an autoregressive LM: its own answers as a row, and everybody's perplexity under it")
    _expert_options(one)
    one.set_defaults(run=evaluate)
    one = commands.add_parser("convert", help="read a published checkpoint once, offline, and write it as a model folder")
    one.add_argument("layout", choices=("ssdlm", "tess2", "visitor"),
                     help="whose: SSD-LM's, TESS-2's, or the two files that the page gives a visitor")
    one.add_argument("folder", type=Path, help="of the checkpoint; for visitor the .safetensors file, its .json beside it")
    one.add_argument("out", type=Path)
    one.set_defaults(run=convert)
    one = commands.add_parser("push", help="publish a model folder on the Hub, for you alone unless --public")
    one.add_argument("folder", type=Path)
    one.add_argument("repository", metavar="OWNER/NAME")
    one.add_argument("--public", action="store_true",
                     help="for everybody; whoever has a model that learned your documents may get them out of it")
    one.set_defaults(run=push)
    one = commands.add_parser("deploy", help="put the studio on the Hub as a Space")
    one.add_argument("what", choices=("space",))
    one.add_argument("repository", metavar="USER/NAME")
    one.add_argument("--private", action="store_true")
    one.add_argument("--hardware", default="cpu-basic")
    one.add_argument("--variable", action="append", default=[], metavar="NAME=VALUE", help="of the Space's environment")
    one.add_argument("--dry-run", action="store_true", help="show every file and the card, and check them; upload nothing")
    one.set_defaults(run=deploy)
    one = commands.add_parser("limits", help="the limits and the variables that set them")
    one.add_argument("--markdown", action="store_true", help="as README's table")
    one.set_defaults(run=limits)
    add_soak(commands)
    one = commands.add_parser("bench", help="measure speed and memory")
    one.add_argument("--shape", choices=("small", "base", "135M"), default="base", help="of the untrained expert that steps")
    one.add_argument("--context", type=int, default=200, help="tokens before the block")
    one.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16"))
    one.add_argument("--part", action="append", choices=("steps", "visitors", "page", "browser", "compile", "ray", "large"),
                     help="only this; may be repeated; steps, visitors and page when left out; large needs a large GPU")
    one.add_argument("--json", action="store_true")
    one.set_defaults(run=bench)
    commands.add_parser("train", help="train a model: python -m ssd2_core train --help", add_help=False)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; a visitor's mistake is one line on stderr and exit code 2."""
    logging.basicConfig(format="%(message)s")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv[:1] == ["train"]:
            from .training.cli import main as train
            return train(argv[1:])
        args = parser().parse_args(argv)
        return args.run(args)
    except VisitorError as error:
        print(str(error), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
