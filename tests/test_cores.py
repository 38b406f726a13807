"""More than one core: which experts go with which, and the better pair that comes while the compact one answers."""

import json
import threading
from contextlib import ExitStack
from dataclasses import replace
from queue import SimpleQueue

import pytest

from ssd2_core.config import EnsembleParams, SamplingParams, Settings
from ssd2_core.errors import ModelError
from ssd2_core.protocol.messages import Document, Done, Failed, Loading, Preload, Request
from ssd2_core.registry import cards
from ssd2_core.registry.snapshot import bar_of
from ssd2_core.serving.engines import InlineEngine
from ssd2_core.serving.time_left import TimeLeft
from ssd2_core.serving.worker import STOP, Worker
from ssd2_core.ui.page import build
from ssd2_core.ui.state import Studio
from tests.support.browser import ask, finished, last_answer, logged, opened, served, until
from tests.support.fake_engine import CARDS, FakeEngine
from tests.support.fake_engine import PAIR as PAIR_CARDS
from tests.support.tiny import LLAMA, tiny
from tests.test_library import TOKENIZER, folder

PAIR = Settings(preferred=("goliath", "david"))


def test_experts_go_with_their_own_core():
    studio = Studio(FakeEngine(PAIR), PAIR)
    assert studio.core_ids == ["compact-core", "goliath"]
    assert studio.fits == {"compact-core": ["compact-reader", "compact-islander"], "goliath": ["david"]}
    assert studio.users_for("goliath", {"compact-reader": 0.4}) == {"david": 0.4}
    assert studio.users_for("goliath", {"compact-islander": 0.4}) == {}
    assert studio.users_for("compact-core", {"compact-islander": 0.4}) == {"compact-islander": 0.4}
    head = studio.head(Request("", "What?", "goliath", ("david",)))
    assert [expert["title"] for expert in head["experts"]] == ["Goliath", "David"]


def test_the_first_core_is_the_preferred_one_once_all_of_it_is_in_memory():
    engine = FakeEngine(PAIR)
    engine.born, studio = engine.born - 10, Studio(engine, PAIR)
    engine.pair_is_here = lambda: False
    assert studio.first_core() == "compact-core"
    assert "Compact core answers. Fetching a base." in studio.status() and "25%" in studio.status()
    engine.pair_is_here = lambda: True
    assert studio.first_core() == "goliath" and "answers" not in studio.status()
    assert Studio(FakeEngine(Settings()), Settings()).first_core() == "compact-core"
    build(engine, PAIR)


def test_the_status_line_says_that_answers_are_being_written():
    engine = FakeEngine(Settings())
    engine.born -= 10
    for engine.active, words in ((0, "Ready."), (1, "1 answer is being written."), (2, "2 answers are being written.")):
        assert words in Studio(engine, Settings()).status()


def test_a_core_that_is_fetched_later_has_its_own_experts_then():
    settings = Settings(core="someone/large", preferred=("someone/large", "david"))
    engine = FakeEngine(settings)
    engine.born, engine.pair_is_here = engine.born - 10, lambda: False
    studio = Studio(engine, settings)
    users, kept = studio.fits["someone/large"], ["compact-reader", "compact-islander", "david"]
    assert users == kept and not studio.learn() and studio.core_title("someone/large") == "someone/large"
    engine.pair_is_here, engine.models = lambda: True, lambda: [*CARDS, *PAIR_CARDS, replace(PAIR_CARDS[0], id="someone/large")]
    assert studio.learn() and users == ["david"] and studio.core_title("someone/large") == "Goliath"
    assert not Studio(engine, settings).learn()
    build(engine, settings)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Bundled models: a compact pair, and a pair of adapters over a base in a folder of its own."""
    monkeypatch.setattr(cards, "BUNDLED", tmp_path / "models")
    folder(tmp_path / "models" / "compact-core")
    folder(tmp_path / "models" / "compact-reader", role="reader", seed=1)
    base = tiny(3, backbone={**LLAMA, "vocab_size": TOKENIZER.get_vocab_size()}).lm
    base.save_pretrained(tmp_path / "base")
    for name, role in (("goliath", "core"), ("david", "reader")):
        folder(tmp_path / "models" / name, role=role, seed=4)
        config = tmp_path / "models" / name / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"base": str(tmp_path / "base")}))
    return tmp_path


def question(core: str, user: str) -> Request:
    return Request("", "my dog", core, (user,), (Document("d", "my dog is called Biscuit"),), (),
                   SamplingParams(num_steps=2, max_new_tokens=16), EnsembleParams({user: 0.5}))


def test_the_better_pair_is_loaded_beside_the_compact_one(shelf):
    assert cards.preferred_pair() == ("goliath", "david")
    settings = replace(PAIR, preferred=cards.preferred_pair())
    with InlineEngine(settings) as engine:
        engine.preload("compact-core", "compact-reader")
        engine.preload(*settings.preferred)
        until(lambda: Studio(engine, settings).first_core() == "goliath")
        assert engine.status().message == "Ready."
        for pair in (("goliath", "david"), ("compact-core", "compact-reader")):
            assert isinstance(list(engine.stream(engine.submit(question(*pair))))[-1], Done)


def test_what_is_left_is_told_from_what_is_done():
    told, now = [], [0.0]
    tell = TimeLeft(lambda text, part: told.append(text), lambda: now[0])
    for second, text, part in ((0, "Fetching it.", 0.0), (0.5, "Fetching it.", 0.2), (4, "Fetching it.", 0.4),
                               (8, "Fetching it.", 0.8), (9, "Loading it.", 0.5), (309, "Loading it.", 0.75),
                               (400, "Loading it.", 1.0)):
        now[0] = second
        tell(text, part)
    assert told == ["Fetching it.", "Fetching it.", "Fetching it, about 6 s left.", "Fetching it, about 2 s left.",
                    "Loading it.", "Loading it, about 5 min left.", "Loading it."]


def test_fetching_from_the_hub_is_told_by_bytes(capfd):
    parts = []
    bar = bar_of(parts.append)
    sent, files = bar(total=0, unit="B", desc="Downloading"), bar(total=3, unit="it")
    sent.total = 200
    for count in (50, 50, 100):
        sent.update(count)
        files.update(1)
    for each in (sent, files):
        each.close()
    assert parts == [0.25, 0.5, 0.99] and not any(capfd.readouterr())


class SlowPair:
    """What a worker asks to load: a preload that goes on when it is let, and a pair that is never there."""

    device = "cpu"

    def __init__(self):
        self.waits, self.goes_on = threading.Event(), threading.Event()

    def is_loaded(self, request):
        return False

    def loaded(self):
        return ()

    def preload(self, model_ids, notify):
        notify("Fetching a base, about 7 s left.", 0.1)
        self.waits.set()
        self.goes_on.wait(20)
        notify("Loading it.", 0.9)
        return ""

    def __call__(self, request, notify):
        raise ModelError("It cannot be fetched.")


def test_a_question_behind_a_preload_is_told_how_far_that_is():
    inbox, sent, pair = SimpleQueue(), [], SlowPair()
    worker = Worker(inbox, sent.append, pair)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    inbox.put(Preload(("goliath",)))
    assert pair.waits.wait(20)
    inbox.put(Request("mine", "Why?", "goliath"))
    until(lambda: Loading("mine", "Fetching a base, about 7 s left.", 0.1) in sent)
    pair.goes_on.set()
    until(lambda: Failed("mine", "It cannot be fetched.") in sent)
    assert Loading("mine", "Loading it.", 0.9) in sent and Loading("", "Loading it.", 0.9) in sent
    inbox.put(Request("later", "Why?", "goliath"))
    until(lambda: Failed("later", "It cannot be fetched.") in sent)
    assert not [event for event in sent if isinstance(event, Loading) and event.request_id == "later"]
    inbox.put(STOP)
    thread.join(10)


def test_without_its_base_the_compact_pair_answers_and_the_page_says_so(shelf):
    (shelf / "base" / "model.safetensors").unlink()
    with InlineEngine(PAIR) as engine:
        engine.preload("compact-core", "compact-reader")
        engine.preload(*PAIR.preferred)
        studio = Studio(engine, PAIR)
        until(lambda: "it has 0 .gguf files" in studio.status())
        assert "answers. The base folder" in studio.status() and studio.first_core() == "compact-core"
        assert isinstance(list(engine.stream(engine.submit(question("compact-core", "compact-reader"))))[-1], Done)


def broken(shelf, kind: str) -> str:
    """A model that cannot be loaded, in one of many ways. -> its id."""
    place = shelf / "broken"
    if kind == "unknown":
        return "nobody/knows-this"
    if kind == "vocabulary":
        from ssd2_core.training.tokenizer import train_tokenizer
        return str(folder(place, role="reader", tokenizer=train_tokenizer(["xyz"], 290)))
    folder(place, role="reader")
    if kind == "shard":
        model = tiny(backbone={**LLAMA, "vocab_size": TOKENIZER.get_vocab_size()})
        model.save_pretrained(place / "parts", max_shard_size="20kB")
        (place / "model.safetensors").unlink()
        parts = sorted((place / "parts").glob("*.safetensors*"))
        for part in parts:
            part.rename(place / part.name)
        (place / parts[1].name).write_bytes(b"not a shard")
    elif kind == "no weights":
        (place / "model.safetensors").unlink()
    return str(place)


@pytest.mark.attack(10)
@pytest.mark.parametrize("kind,rule", [
    ("unknown", "could not be fetched"), ("vocabulary", "has another vocabulary than compact-core"),
    ("shard", "could not be loaded"), ("no weights", "has no weights")])
def test_models_that_cannot_be_loaded_leave_the_loaded_ones_in_use(shelf, kind, rule, monkeypatch):
    import huggingface_hub
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: 1 / 0)
    good = question("compact-core", "compact-reader")
    with InlineEngine(Settings()) as engine:
        assert isinstance(list(engine.stream(engine.submit(good)))[-1], Done)
        before = engine.models()
        end = list(engine.stream(engine.submit(question("compact-core", broken(shelf, kind)))))[-1]
        assert isinstance(end, Failed) and rule in end.message and "\n" not in end.message
        again = list(engine.stream(engine.submit(good)))
        assert isinstance(again[-1], Done) and not any(isinstance(event, Loading) for event in again)
        assert engine.models() == before


def test_a_pair_that_is_not_whole_is_not_preferred(shelf):
    (shelf / "models" / "david" / "model.safetensors").unlink()
    assert cards.preferred_pair() == ()


def test_the_page_starts_with_the_better_pair_and_offers_the_other(browser, tmp_path):
    log, here = tmp_path / "log", tmp_path / "here"
    command = ["-m", "tests.support.fake_app", "PORT", str(log), "0.02", str(tmp_path), str(here)]
    with ExitStack() as stack:
        url = stack.enter_context(served(command, tmp_path))
        with opened(browser, url) as page:
            page.wait_for_selector("#status .ready")
            assert page.locator("#core b").inner_text() == "Compact core" and page.is_visible("#pick-compact-reader")
            assert not page.is_visible("#pick-david") and "Fetching a base." in page.locator("#status").inner_text()
        here.touch()
        page = stack.enter_context(opened(browser, url))
        page.wait_for_function("() => document.querySelector('#core b')?.textContent === 'Goliath'")
        page.wait_for_selector("#pick-david", state="visible")
        page.wait_for_selector("#pick-compact-reader", state="hidden")
        page.wait_for_function("() => /David\\s*50/.test(document.querySelector('#mix').textContent)")
        page.click("#example-0")
        page.wait_for_function("() => document.querySelector('#prompt textarea').value")
        page.click("#send")
        finished(page)
        asked = logged(log, "submit")[-1]["request"]
        assert (asked["core"], asked["users"], asked["ensemble"]["lam"]) == ("goliath", ["david"], {"david": 0.5})
        page.check("#pick-core input[value=compact-core]")
        page.wait_for_selector("#pick-compact-reader", state="visible")
        page.wait_for_function("() => /Reader\\s*50/.test(document.querySelector('#mix').textContent)")
        ask(page, "What now?")
        until(lambda: logged(log, "submit")[-1]["request"]["core"] == "compact-core")
        assert logged(log, "submit")[-1]["request"]["users"] == ["compact-reader"]


def test_who_does_not_wait_for_the_pair_is_answered_by_the_compact_one(browser, tmp_path):
    log, here = tmp_path / "log", tmp_path / "here"
    command = ["-m", "tests.support.fake_app", "PORT", str(log), "0.02", str(tmp_path), str(here)]
    with served(command, tmp_path) as url, opened(browser, url) as page:
        page.wait_for_selector("#status .ready")
        assert not page.is_visible("#ask-instead")
        page.check("#pick-core input[value=goliath]")
        page.wait_for_selector("#pick-david", state="visible")
        page.wait_for_function("() => /David\\s*50/.test(document.querySelector('#mix').textContent)")
        ask(page, "Why is the sky blue?")
        page.wait_for_selector("#ask-instead", state="visible")
        assert page.locator("#ask-instead").inner_text() == "Answer with Compact core now"
        page.wait_for_function("() => document.querySelector('#viewer').innerText.includes('about 7 s left')")
        page.click("#ask-instead")
        finished(page)
        page.wait_for_selector("#ask-instead", state="hidden")
        first, second = logged(log, "submit")
        assert (second["request"]["core"], second["request"]["users"]) == ("compact-core", ["compact-reader"])
        assert second["request"]["prompt"] == "Why is the sky blue?"
        assert [entry["id"] for entry in logged(log, "cancel")] == [first["id"]]
        until(lambda: page.locator("#chat [data-testid=bot]").count() == 1)
        assert page.locator("#chat [data-testid=user]").count() == 1 and last_answer(page).startswith("The dog in your letter")
        ask(page, "And the sea?")
        page.wait_for_selector("#ask-instead", state="visible")
        here.touch()
        page.wait_for_selector("#ask-instead", state="hidden")
        page.wait_for_function("() => document.querySelectorAll('#chat [data-testid=bot]').length === 2")
        assert [entry["request"]["core"] for entry in logged(log, "submit")] == ["goliath", "compact-core", "goliath"]
