"""SSD-2 Studio: reads the command line, starts the engine, builds the page, serves it."""

import argparse
import logging
import os
import signal
import socket
import sys
from importlib.util import find_spec

from ssd2_core.__main__ import INTERRUPTED, closed_pipe
from ssd2_core.config import Settings, check_int
from ssd2_core.errors import VisitorError, reason
from ssd2_core.models.device_map import add_options, options_of
from ssd2_core.protocol.limits import read_limits
from ssd2_core.registry.cards import HUB_ID, fitting, here, list_models, local_card, locate, preferred_pair, read_card
from ssd2_core.registry.model_card import check_compatible
from ssd2_core.serving.engine import Engine
from ssd2_core.serving.engines import ProcessEngine, RayEngine, ZeroEngine
from ssd2_core.ui.examples import DEFAULTS
from ssd2_core.ui.upload_folder import own_upload_folder


def read_settings(argv: list[str] | None = None) -> Settings:
    """Command line over environment over defaults."""
    default = Settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", default.host), help="or $GRADIO_SERVER_NAME")
    parser.add_argument("--port", default=os.environ.get("GRADIO_SERVER_PORT", default.port), help="or $GRADIO_SERVER_PORT")
    parser.add_argument("--core", default=os.environ.get("SSD2_CORE"),
                        help="or $SSD2_CORE; bundled id, local folder, .gguf file or Hub id of the core; left out: "
                             f"{default.core}, and the best bundled core as soon as its base is there")
    parser.add_argument("--user", action="append", default=[], metavar="ID",
                        help="a further small expert to offer: local folder or Hub id, with the core's tokenizer")
    add_options(parser)
    parser.add_argument("--engine", default="", metavar="ADDRESS",
                        help="process: one worker on this machine; ray: a Ray started here; ray://HOST:PORT: a cluster; "
                             "ray://auto: the cluster that this machine belongs to; zero: calls of ZeroGPU")
    parser.add_argument("--actors", type=int, help="workers on the Ray; left out: one for each GPU, or one for each machine")
    parser.add_argument("--share", action="store_true", help="make a public link")
    parser.add_argument("--mcp", action="store_true", help="offer answers as a tool to MCP clients at /gradio_api/mcp/")
    given = parser.parse_args(argv)
    return Settings(core=given.core or default.core, users=tuple(given.user), preferred=() if given.core else preferred_pair(),
                    host=given.host, port=port_number(given.port), share=given.share, mcp=given.mcp,
                    limits=read_limits(os.environ), actors=given.actors,
                    engine=given.engine or ("zero" if on_zero_gpu() else default.engine), **options_of(given))


def on_zero_gpu() -> bool:
    """Whether this is a Space on ZeroGPU, as the package ``spaces`` tells it."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def check_models(settings: Settings) -> None:
    """See that the core is a model, unless it is still to be fetched; fetch the experts that ``--user`` named, and see that
    they go with it. Raises VisitorError.
    """
    if here(settings.core) or not HUB_ID.fullmatch(settings.core):
        folder, source = locate(settings.core)
        read_card(folder, settings.core, source)
    cards = [read_card(folder, user, source) for user in settings.users for folder, source in [locate(user)]]
    core = local_card(settings.core)
    if core:
        check_compatible(core, cards)


def check_mcp(settings: Settings) -> None:
    """See that what ``--mcp`` needs is installed. Raises VisitorError."""
    if settings.mcp and find_spec("mcp") is None:
        raise VisitorError("--mcp needs a package that is not here: pip install -r requirements-mcp.txt")


def make_engine(settings: Settings) -> Engine:
    """The engine that the settings name, with the first models. Raises VisitorError."""
    if settings.actors is not None and not settings.engine.startswith("ray"):
        raise VisitorError(f"--actors goes with --engine ray; --engine {settings.engine} has no use for it.")
    first = (settings.core, *fitting(settings.core, DEFAULTS.ensemble.lam))
    if settings.engine == "process":
        return ProcessEngine(settings, preload=first)
    if settings.engine != "zero":
        return RayEngine(settings, preload=first)
    if find_spec("spaces") is None:
        raise VisitorError("ZeroGPU needs a package that is not here: pip install -r requirements-zero.txt")
    bundled = [card.id for card in list_models() if card.role != "core"]
    every = fitting(settings.core, dict.fromkeys((*settings.users, *bundled)))
    return ZeroEngine(settings, preload=(settings.core, *every))


def port_number(value: object) -> int:
    """A port of the command line or the environment. Raises LimitError."""
    number = int(value) if str(value).isdecimal() else value
    return check_int("--port (or GRADIO_SERVER_PORT)", number, 1, 65535)


def check_address(host: str, port: int) -> None:
    """See that the page can be served there, before anything is loaded. Raises VisitorError."""
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)        # a port that was closed just now is free
            probe.bind(address)
    except OSError as error:
        why = error.strerror or reason(error)
        raise VisitorError(f"The page cannot be served at {host}, port {port}: {why}; choose others with --host and "
                           "--port.") from None


def run() -> None:
    """Serve the studio until it is interrupted. Raises VisitorError when it cannot begin."""
    settings = read_settings()
    check_address(settings.host, settings.port)
    check_mcp(settings)
    check_models(settings)
    with own_upload_folder():
        from ssd2_core.ui.page import build, launch  # gradio keeps the folder's name from the import on

        engine = make_engine(settings)
        engine.start()
        try:
            if settings.preferred:
                engine.preload(*settings.preferred)
            launch(build(engine, settings), settings)
        finally:
            engine.close()


def main() -> None:
    """Run the studio; a mistake is one line on stderr, an interruption none."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("ssd2_core.serving.stats").setLevel(logging.INFO)          # a line for each request
    sys.stdout.reconfigure(errors="replace")                        # for a terminal that is not UTF-8
    signal.signal(signal.SIGTERM, signal.default_int_handler)       # a service that is stopped ends as with Ctrl-C
    try:
        run()
    except VisitorError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:                 # whoever read what is printed is gone, as with "| head -1"
        sys.exit(closed_pipe())
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):      # who asks again while the last threads end is obeyed
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
