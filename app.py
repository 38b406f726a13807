"""SSD-2 Studio: reads the command line, starts the engine, builds the page, serves it."""

import argparse
import os

from ssd2_core.config import Settings


def read_settings(argv: list[str] | None = None) -> Settings:
    """Command line over environment over defaults."""
    default = Settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", default.host))
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", default.port)))
    parser.add_argument("--core", default=default.core, help="bundled id, local folder or Hub id of the core")
    parser.add_argument("--device-map", default=default.device_map, help="auto, cpu, cuda, or left out for the fastest")
    parser.add_argument("--dtype", default=default.dtype, choices=["auto", "float32", "bfloat16", "float16"])
    parser.add_argument("--share", action="store_true", help="make a public link")
    given = parser.parse_args(argv)
    return Settings(core=given.core, device_map=given.device_map, dtype=given.dtype, host=given.host, port=given.port,
                    share=given.share)


def main() -> None:
    """Run the studio until it is interrupted."""
    from ssd2_core.engine import ProcessEngine
    from ssd2_core.library import fitting
    from ssd2_core.ui.page import build, launch
    from ssd2_core.ui.words import DEFAULTS

    settings = read_settings()
    engine = ProcessEngine(settings, preload=(settings.core, *fitting(settings.core, DEFAULTS.ensemble.lam)))
    engine.start()
    try:
        launch(build(engine, settings), settings)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
