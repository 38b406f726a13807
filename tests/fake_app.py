"""The page with the fake engine: ``python -m tests.fake_app PORT LOG [SECONDS_PER_STEP [STORIES]]``."""

import sys
from pathlib import Path

from ssd2_core.config import Settings
from ssd2_core.ui import theatre
from ssd2_core.ui.page import build, launch

from .fake_engine import FakeEngine

if __name__ == "__main__":
    settings = Settings(port=int(sys.argv[1]))
    engine = FakeEngine(settings, float(sys.argv[3]) if len(sys.argv) > 3 else 0.04, sys.argv[2])
    if len(sys.argv) > 4:
        theatre.STORIES = Path(sys.argv[4])
    launch(build(engine, settings), settings, quiet=True)
