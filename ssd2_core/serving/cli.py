"""`python -m ssd2_core generate`: one answer, step by step, by the engine that a server has, in this process."""

import argparse
import json
from pathlib import Path

from ..config import LIMITS, Settings, check_int
from ..errors import VisitorError
from ..models.device_map import options_of
from ..protocol.frames import Frame
from ..protocol.messages import Done, Failed, Request
from ..protocol.options import add_question, ensemble_params, sampling_params
from ..protocol.traces import about_run, fitting_trace, load_trace, request_from
from ..registry.cards import local_card, locate, read_card
from ..registry.own_sampling import usual
from ..text.documents import read_path

EARLY_EXIT = "patience"         # nobody who asks one question waits for steps that change nothing


def add_command(parser: argparse.ArgumentParser) -> None:
    """The command and its options."""
    parser.add_argument("prompt", nargs="?")
    parser.add_argument("--again", metavar="TRACE", help="make the run of a trace once more, with its own settings and pins")
    parser.add_argument("--docs", action="append", default=[], metavar="FILE")
    parser.add_argument("--trace", metavar="FILE", help="write the whole run as JSON, see docs/traces.md")
    parser.add_argument("--trace-kb", type=int, default=2000, metavar="N",
                        help="of at most so many kB: fewer decimals and candidates where it would be longer")
    add_question(parser)
    parser.set_defaults(run=generate, early_exit=EARLY_EXIT)


def generate(args: argparse.Namespace) -> int:
    """Answer one prompt and show every step."""
    from .engines import InlineEngine
    check_int("--trace-kb", args.trace_kb, 1, 2000)
    request = _request(args)
    frames: list[Frame] = []
    done = None
    with InlineEngine(Settings(core=request.core, **options_of(args))) as engine:
        for event in engine.stream(engine.submit(request)):
            if isinstance(event, Frame):
                frames.append(event)
                print(json.dumps(event.to_dict()) if args.json else _line(event), flush=True)
            elif isinstance(event, Failed):
                raise VisitorError(event.message)
            elif isinstance(event, Done):
                done = event
    if args.trace:
        write_trace(args, request, frames, done)
    if args.json:
        print(json.dumps({"answer": done.answer, "finish_reason": done.finish_reason, "steps": done.steps,
                          "seconds": done.seconds, "shares": done.shares}))
    else:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in done.shares.items())
        cost = f"{done.steps} steps, {done.forwards} forwards, {done.seconds:.2f} s on {done.device}"
        print(f"\n{done.answer}\n\n{cost}; {parts}")
    return 0


def _request(args: argparse.Namespace) -> Request:
    """What the options, or the trace of ``--again``, ask. Raises VisitorError."""
    documents = tuple(read_path(Path(path)) for path in args.docs)
    if (args.prompt is None) == (args.again is None):
        raise VisitorError("generate needs a prompt, or --again with a trace; give one of them.")
    if args.again:
        return request_from(load_trace(args.again)[1], documents)
    ensemble, _ = ensemble_params(args), sampling_params(args)          # what is wrong is said before anything is fetched
    folder, source = locate(args.core)
    sampling = sampling_params(args, usual(read_card(folder, args.core, source).own, LIMITS))
    return Request("", args.prompt, args.core, tuple(ensemble.lam), documents, (), sampling, ensemble)


def _line(frame: Frame) -> str:
    shown = "".join(text for text, end in zip(frame.texts, frame.is_eos, strict=True) if not end)
    return f"block {frame.block} step {frame.step:3}/{frame.num_steps}  {shown}"


def write_trace(args: argparse.Namespace, request: Request, frames: list[Frame], done: Done) -> None:
    """The whole run as a file, trimmed where --trace-kb says so. Raises VisitorError."""
    cards = {"core": local_card(request.core), **{user: local_card(user) for user in request.users}}
    titles = {name: card.title for name, card in cards.items() if card}
    text = fitting_trace(frames, about_run(request, done, titles, request.documents, texts=False), 1000 * args.trace_kb)
    try:
        Path(args.trace).write_text(text, encoding="utf-8")
    except OSError:
        raise VisitorError(f"{args.trace} cannot be written; give a path in a folder that exists.") from None
