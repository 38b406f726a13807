"""SSD-2 Studio: reads the command line, starts the engine, builds the page, serves it."""

import argparse
import os

from ssd2_core.config import Settings
from ssd2_core.library import preferred_pair
from ssd2_core.placement import add_options, options_of


def read_settings(argv: list[str] | None = None) -> Settings:
    """Command line over environment over defaults."""
    default = Settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", default.host))
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", default.port)))
    parser.add_argument("--core", help=f"bundled id, local folder or Hub id of the core; left out: {default.core}, and the "
                                       "best bundled core as soon as its base is there")
    add_options(parser)
    parser.add_argument("--share", action="store_true", help="make a public link")
    given = parser.parse_args(argv)
    return Settings(core=given.core or default.core, preferred=() if given.core else preferred_pair(), host=given.host,
                    port=given.port, share=given.share, **options_of(given))


def main() -> None:
    """Run the studio until it is interrupted."""
    from ssd2_core.engine import ProcessEngine
    from ssd2_core.library import fitting
    from ssd2_core.ui.page import build, launch
    from ssd2_core.ui.words import DEFAULTS

    settings = read_settings()
    engine = ProcessEngine(settings, preload=(settings.core, *fitting(settings.core, DEFAULTS.ensemble.lam)))
    engine.start()
    if settings.preferred:
        engine.preload(*settings.preferred)
    try:
        launch(build(engine, settings), settings)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
