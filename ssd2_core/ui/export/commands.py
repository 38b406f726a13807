"""A run as what reproduces it: a command line, and Python that asks the page. Text only; nothing is run here."""

import shlex

from ...config import knobs, values_of
from ...protocol.messages import Request, is_private
from ..strings import NOTES

MAX_DOCUMENT_CHARS = 4000       # of all documents together, up to which their texts stand in the commands


def notes(request: Request, moved: bool, stopped: bool) -> list[str]:
    """What these commands do not repeat, a sentence each. moved: settings or pins changed on the way."""
    found = {"history": bool(request.history), "moved": moved or bool(request.plan), "stopped": stopped,
             "pins": bool(request.pins), "own": any(map(is_private, request.users)), "documents": not _is_short(request)}
    return [NOTES[name] for name, is_so in found.items() if is_so]


def shell(request: Request, remarks: list[str]) -> str:
    """Lines for a POSIX shell: the documents as files, then the command."""
    ensemble, sampling = request.ensemble, request.sampling
    known = knobs(type(ensemble), type(sampling))
    names = [f"document-{n}.txt" for n in range(1, len(request.documents) + 1)]
    write = [f"printf %s {shlex.quote(d.text)} > {name}" for name, d in zip(names, request.documents, strict=True)]
    options = [("--core", request.core), *(("--user", f"{user}={ensemble.lam.get(user, 0.0)}") for user in request.users),
               *(("--docs", name) for name in names),
               *((known[name].options[0], value) for name, value in values_of(ensemble, sampling).items())]
    command = " \\\n    ".join(f"{option} {shlex.quote(str(value))}" for option, value in options)
    lines = [*(f"# {remark}" for remark in remarks), *(write if _is_short(request) else [f"# {' '.join(names)}"]),
             f"python -m ssd2_core generate {command} \\\n    -- {shlex.quote(request.prompt)}"]
    return "\n".join(lines)


def client(request: Request, remarks: list[str], url: str) -> str:
    """Python that asks the page at ``url`` for the same run."""
    ensemble = request.ensemble
    read = [f"open({f'document-{n}.txt'!r}, encoding='utf-8').read()" for n in range(1, len(request.documents) + 1)]
    texts = [repr(d.text) for d in request.documents] if _is_short(request) else read
    values = {"prompt": repr(request.prompt), "documents": f"[{', '.join(texts)}]", "experts": repr(list(request.users)),
              "each": repr([ensemble.lam.get(user, 0.0) for user in request.users]),
              **{name: repr(value) for name, value in values_of(ensemble, request.sampling).items()},
              "core": repr(request.core)}
    lines = [*(f"# {remark}" for remark in remarks), "from gradio_client import Client", "",
             f"job = Client({url!r}, verbose=False).submit(",
             *(f"    {name}={value}," for name, value in values.items()), "    api_name=\"/generate\")",
             "print(job.result()[\"answer\"])"]
    return "\n".join(lines)


def _is_short(request: Request) -> bool:
    return sum(len(document.text) for document in request.documents) <= MAX_DOCUMENT_CHARS
