"""The same seed gives the tokens that it has always given: runs of the compact pair that were stored once."""

import json
from pathlib import Path

import pytest

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.protocol.frames import Frame
from ssd2_core.protocol.messages import Document, Pin, Request
from ssd2_core.serving.engines import InlineEngine

STORED = json.loads((Path(__file__).parent / "data" / "compact_tokens.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def engine():
    with InlineEngine(Settings()) as made:
        yield made


@pytest.mark.parametrize("run", STORED, ids=lambda run: run["name"])
def test_the_same_seed_gives_the_stored_tokens(engine, run):
    request = Request("", run["prompt"], "compact-core", tuple(run["users"]), tuple(Document(**d) for d in run["documents"]),
                      (), SamplingParams(**run["sampling"]), EnsembleParams(**run["ensemble"]),
                      pins=tuple(Pin(block, position, text) for block, position, text in run["pins"]))
    events = list(engine.stream(engine.submit(request)))
    frames = [event for event in events if isinstance(event, Frame)]
    assert [frame.token_ids for frame in frames] == run["token_ids"]
    assert [sum(frame.confidence) for frame in frames] == pytest.approx(run["confidence"], abs=2e-3)
    assert events[-1].answer == run["answer"]
