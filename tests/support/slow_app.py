"""``python -m tests.support.slow_app`` is app.py, where a question that says "(slowly)" takes SECONDS a step."""

import time
from functools import partial

from ssd2_core.serving import worker
from ssd2_core.serving.active_run import Run

SECONDS = 0.15
SLOWLY = "(slowly)"


def main(*given) -> None:
    """The worker process."""
    as_it_is = Run.step

    def step(run: Run):
        if SLOWLY in run.request.prompt:
            time.sleep(SECONDS)
        return as_it_is(run)

    Run.step = step
    worker.main(*given)


if __name__ == "__main__":
    import app
    app.ProcessEngine = partial(app.ProcessEngine, worker_target="tests.support.slow_app:main")
    app.main()
