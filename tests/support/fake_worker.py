"""A worker whose answers are known: each request says in its prompt what happens, as JSON. No torch.

Prompt keys: answer (text), delay (seconds a step), exit_at, quit_at, raise_at, sleep_at (step numbers: the
process ends, the worker's thread ends, the run fails, it takes an hour), load (seconds of loading),
load_error (sentence), drop_at (step at which an expert gives values that are not finite).
"""

import json
import os
import time
from types import SimpleNamespace

from ssd2_core.errors import ModelError
from ssd2_core.protocol.messages import Started
from ssd2_core.serving.active_run import Run
from ssd2_core.serving.worker import Worker

EOS = 0


class Row(list):
    """A list that looks like one row of a tensor."""

    def tolist(self):
        return list(self)


class FakeRuns:
    """A worker.Prepare."""

    device = "fake"

    def __init__(self, settings):
        self.settings = settings
        self.loads = []

    def is_loaded(self, request):
        return "load" not in json.loads(request.prompt) and "load_error" not in json.loads(request.prompt)

    def preload(self, model_ids, notify):
        for index, model_id in enumerate(model_ids):
            notify(f"Loading {model_id}.", index / len(model_ids))
            if model_id == "broken":
                raise ModelError("The model 'broken' is broken.")
        self.loads.append(model_ids)
        return ""

    def loaded(self):
        return tuple(model_id for ids in self.loads if ids != "freed" for model_id in ids)

    def prefetch(self, runs):
        """Nothing that runs could share."""

    def forget(self, model_ids):
        self.loads.append("freed")

    def free_memory(self):
        self.loads.append("freed")

    def __call__(self, request, notify):
        plan = json.loads(request.prompt)
        if "load" in plan:
            notify("Loading fake.", 0.0)
            time.sleep(plan["load"])
        if "load_error" in plan:
            raise ModelError(plan["load_error"])
        ensemble = SimpleNamespace(params=request.ensemble, forwards=0, dropped=[])
        experts = ("core", *request.users)
        started = Started(request.request_id, experts, dict.fromkeys(experts, 3))
        return Run(request=request, steps=steps(plan, request, ensemble), ensemble=ensemble,
                   decode_each=lambda ids: ["<eos>" if i == EOS else chr(i) for i in ids],
                   decode=lambda ids: "".join(map(chr, ids)), ends=(EOS,), started=started,
                   device="fake", dtype="float32", pin=lambda pin: None)


def steps(plan, request, ensemble):
    """Steps that show the answer from the first one on; the weight of the first user is what ``ensemble.params`` says."""
    ids = [ord(c) for c in plan.get("answer", "abc")]
    length, total, made = request.sampling.block_length, request.sampling.num_steps, 0
    if plan.get("eos", True):
        ids.append(EOS)
    for block in range(-(-min(len(ids), request.sampling.max_new_tokens) // length)):
        row = (ids[block * length:(block + 1) * length] + [EOS] * length)[:length]
        for step in range(1, total + 1):
            made += 1
            ensemble.forwards += 1
            time.sleep(plan.get("delay", 0.0))
            if plan.get("exit_at") == made:
                os._exit(3)
            if plan.get("quit_at") == made:
                raise SystemExit
            if plan.get("raise_at") == made:
                raise RuntimeError("not enough memory" if plan.get("memory") else "secret detail")
            if plan.get("sleep_at") == made:
                time.sleep(3600)
            if plan.get("drop_at") == made:
                ensemble.dropped.append(request.users[0])
            yield (fake_step(block, step, total, row, ensemble),) * 2


def fake_step(block, step, total, row, ensemble):
    """What from_step reads of a Step and of its Description."""
    lam = ensemble.params.lam
    weight = {"core": 1 - sum(lam.values()), **{n: w for n, w in lam.items() if n not in ensemble.dropped}}
    share = {name: [Row([value] * len(row))] for name, value in weight.items()}
    floats = [Row([0.5] * len(row))]
    return SimpleNamespace(block=block, step=step, state=SimpleNamespace(num_steps=total, window=slice(None), noisy_ids=None),
                           alpha_bar=step / total, token_ids=[Row(row)], runner_up_ids=[Row(row)], share=share,
                           after=SimpleNamespace(confidence=floats, entropy=floats, settled=[Row([False] * len(row))]),
                           input_ids=[Row(row)], input_mass=floats, prediction=SimpleNamespace(weights=share),
                           changed=[Row([False] * len(row))], finished=step == total, candidates={},
                           disagreement=floats, pinned=Row([False] * len(row)))


def main(inbox, send, settings):
    """The worker process of most tests."""
    Worker(inbox, send, FakeRuns(settings), settings.limits.max_pause_seconds).run()


def dies(inbox, send, settings):
    """A worker that never gets ready."""
    os._exit(5)


def never(settings):
    """The same for a worker that is no process."""
    raise RuntimeError("It cannot be made.")
