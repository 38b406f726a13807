"""The page with the fake engine: ``python -m tests.support.fake_app PORT LOG [SECONDS_PER_STEP [STORIES [PAIR]]]``.

STORIES: the folder of stored runs; none without it. PAIR: a file; a second core and its reader are in memory once it exists.
"""

import os
import sys
from pathlib import Path

from ssd2_core.config import Settings
from ssd2_core.protocol.limits import read_limits
from ssd2_core.ui.components import viewer
from ssd2_core.ui.page import build, launch
from tests.support.fake_engine import FakeEngine

if __name__ == "__main__":
    settings = Settings(port=int(sys.argv[1]), preferred=("goliath", "david") if len(sys.argv) > 5 else (),
                        limits=read_limits(os.environ))
    engine = FakeEngine(settings, float(sys.argv[3]) if len(sys.argv) > 3 else 0.04, sys.argv[2])
    viewer.STORIES = Path(sys.argv[4] if len(sys.argv) > 4 else "nowhere")
    if len(sys.argv) > 5:
        engine.pair_is_here = Path(sys.argv[5]).exists
    launch(build(engine, settings), settings, quiet=True)
