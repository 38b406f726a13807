"""The compact pair on ZeroGPU: made on the package's stand-in for CUDA, packed when the page opens, answering in forks."""

import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from gradio_client import Client

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.protocol.messages import Document, Request
from ssd2_core.serving.engines import InlineEngine
from tests.support.browser import ROOT, served, until
from tests.support.fake_zero import DeviceApi

pytest.importorskip("spaces", reason="the package spaces is not installed")
pytestmark = pytest.mark.timeout(240)
QUESTION, NOTE = "What is my dog called?", "We moved to Ulvik in May. My dog is called Brimsel and hates rain."


@pytest.fixture(scope="module")
def api():
    api = DeviceApi()
    yield api
    api.close()


@pytest.fixture(scope="module")
def environment(api, tmp_path_factory):
    """What the host of a Space with ZeroGPU sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPACES_ZERO_GPU", "true")
        patch.setenv("SPACES_ZERO_DEVICE_API_URL", api.url)
        patch.setenv("ZEROGPU_OFFLOAD_DIR", str(tmp_path_factory.mktemp("packed") / "tensors"))
        yield


def check_that_who_leaves_frees_the_gpu(client: Client, api: DeviceApi) -> None:
    """Two long answers at once, on two GPUs; both go away in the middle."""
    until(lambda: api.calls["/release"] == 2)
    jobs = [client.submit("Tell me about Paris.", steps=64, block_length=8, max_tokens=128, early_exit="off",
                          api_name="/generate") for _ in range(2)]
    until(lambda: all(job.outputs() for job in jobs))
    assert api.calls["/release"] == 2
    for job in jobs:
        job.cancel()
    until(lambda: api.calls["/release"] == 4)


def test_the_page_answers_as_anywhere_else(environment, api, tmp_path):
    with served(["-m", "tests.support.zero_app", "--port", "PORT", "--dtype", "float32"], tmp_path, 180) as url:
        def state() -> dict:
            try:
                return json.load(urllib.request.urlopen(url + "/health", timeout=5))
            except urllib.error.HTTPError as error:
                return json.load(error)
        assert until(state)["ready"] and state()["device"] == "cuda:0" and api.calls["/startup-report"] == 1
        client = Client(url, verbose=False, headers={"x-ip-token": ".e30."})
        shown = list(client.submit(QUESTION, NOTE, ["compact-reader"], steps=8, max_tokens=16, early_exit="off",
                                   api_name="/generate"))
        assert shown[-1]["answer"] and "Brimsel" in shown[-1]["answer"]
        again = client.predict("What is the capital of France?", api_name="/generate")
        assert "Paris" in again["answer"] and state()["ended"] == {"eos": 2}
        check_that_who_leaves_frees_the_gpu(client, api)
    assert {asked["token"] for asked in api.asked} == {".e30."}
    assert [asked["durationSeconds"] for asked in api.asked] == ["10", "11", "31", "31"]
    asked = Request("", QUESTION, users=("compact-reader",), documents=(Document("document", NOTE),),
                    sampling=SamplingParams(num_steps=8, max_new_tokens=16),
                    ensemble=EnsembleParams(lam={"compact-reader": 0.5}))
    with InlineEngine(Settings(dtype="float32")) as engine:
        frames = [event for event in engine.stream(engine.submit(asked)) if hasattr(event, "token_ids")]
    assert [frame.token_ids for frame in frames] == [frame["token_ids"] for frame in shown[:-1]]


OWN = """
import json, shutil
import gradio as gr
from tests.support.zero_app import on_stand_in
from ssd2_core.serving.engines import ZeroEngine
from ssd2_core.config import EnsembleParams, Limits, SamplingParams, Settings
from ssd2_core.protocol.messages import Document, Done, Loading, Request
from ssd2_core.registry.cards import BUNDLED

on_stand_in()
settings = Settings(dtype="float32", limits=Limits(training_seconds=2.0))
with ZeroEngine(settings, preload=("compact-core", "compact-reader")) as engine:
    with gr.Blocks() as page:
        gr.Markdown("A page.")
    page.launch(prevent_thread_lock=True, quiet=True)
    folder = engine.user_models.folder / "made"
    shutil.copytree(BUNDLED / "compact-reader", folder)
    own = engine.user_models.keep("ann", folder).id
    asked = Request("", {question!r}, users=(own,), documents=(Document("note", {note!r}),), owner="ann",
                    sampling=SamplingParams(max_new_tokens=16), ensemble=EnsembleParams(lam={{own: 0.5}}))
    ends = [list(engine.stream(engine.submit(asked))) for _ in range(2)]
    loaded = [sum(isinstance(event, Loading) and own in event.message for event in events) for events in ends]
    guided = Request("", "Tell me about Paris.", ensemble=EnsembleParams(guidance=1.0))
    guided = list(engine.stream(engine.submit(guided)))[-1]
    job = engine.finetune_jobs.teach("ann", "compact-reader", (Document("note", {note!r}),), "Mine")
    async def end():
        return [news async for news in engine.finetune_jobs.astream("ann", job)][-1]
    import asyncio
    taught = asyncio.run(end())
    print("FOUND", json.dumps([[events[-1].answer for events in ends], loaded, type(guided).__name__, type(taught).__name__]))
"""


def test_a_visitors_own_model_is_loaded_for_each_request_and_a_training_stays_on_the_cpu(environment, api):
    script = OWN.format(question=QUESTION, note=NOTE)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))
    answers, loaded, guided, taught = json.loads(line.removeprefix("FOUND"))
    assert answers[0] == answers[1] and "Brimsel" in answers[0] and loaded[0] and loaded[1]
    assert (guided, taught) == ("Done", "FinetuneResult")
