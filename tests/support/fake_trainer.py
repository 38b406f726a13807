"""A trainer without models: the title of a job says what becomes of it."""

import shutil
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty

from ssd2_core.protocol.messages import Failed, FinetuneProgress, FinetuneRequest, FinetuneResult, StopFinetune
from ssd2_core.registry.cards import BUNDLED


def main(inbox, send, settings):
    later = []
    while True:
        job = later.pop(0) if later else inbox.get()
        if not isinstance(job, FinetuneRequest):
            continue
        if job.title == "die":
            raise SystemExit(3)
        if job.title == "fail":
            send(Failed(job.request_id, "It did not work."))
            continue
        stopped = False
        for step in range(1, 200 if job.title == "long" else 40):
            send(FinetuneProgress(job.request_id, step, 1 / step, 1.0))
            time.sleep(0.02)
            with suppress(Empty):
                message = inbox.get(block=False)
                stopped = isinstance(message, StopFinetune)
                later += [] if stopped else [message]
            if stopped:
                break
        shutil.copytree(BUNDLED / job.user, Path(job.folder))
        send(FinetuneResult(job.request_id, step, 1 / step, 0.75, "Who?", "", "stopped" if stopped else job.documents[0].text))
