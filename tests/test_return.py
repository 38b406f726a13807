"""A connection that breaks: the page comes back by itself and everything is there; nobody else can come back in its place."""

import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from tests.support.browser import VIEWER, ask, finished, last_answer, let_go, logged, opened, served, until
from tests.support.fake_engine import ANSWER

DOCUMENT = "My dog is called Biscuit."


class Line:
    """A line between a browser and a server that can be cut: what is open breaks, and nothing new gets through."""

    def __init__(self, port: int):
        self.port, self.up, self.open = port, True, set()
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.up = False
        for end in list(self.open):
            with_suppressed(end.shutdown, socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.door.accept()
            except OSError:
                return
            if not self.up:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.port))
            self.open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with_suppressed(self._pump, source, sink)
        for end in (source, sink):
            with_suppressed(end.shutdown, socket.SHUT_RDWR)
            self.open.discard(end)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            sink.sendall(data)


def with_suppressed(function, *given) -> None:
    with suppress(OSError):
        function(*given)


@contextmanager
def lined(url: str):
    line = Line(int(url.rpartition(":")[2]))
    yield line
    line.cut()
    line.door.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory, log):
    folder = tmp_path_factory.mktemp("server")
    with served(["-m", "tests.support.fake_app", "PORT", str(log), "0.05"], folder, SSD2_RETURN_SECONDS="30") as address:
        yield address


@contextmanager
def broken(browser, line):
    """A page whose complaints about the broken line do not count."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(line.url)
    page.wait_for_selector("#mix .mix")
    until(lambda: page.evaluate("sessionStorage.getItem('ssd2-ticket')"))
    yield page
    context.close()


def comes_back(page, line) -> None:
    """Cut the line until the page has noticed, mend it, and wait for the page that loads then."""
    page.evaluate("window.before = true")
    line.cut()
    page.wait_for_selector("text=Connection to the server was lost")
    line.up = True
    page.wait_for_function("() => !window.before && document.querySelector('#mix .mix')")


def test_a_run_that_was_cut_off_goes_on_and_everything_is_as_it_was(browser, url, log):
    with lined(url) as line, broken(browser, line) as page:
        page.fill("#pasted textarea", DOCUMENT)
        page.fill("#weight-compact-reader input[type=number]", "0.7")
        page.press("#weight-compact-reader input[type=number]", "Tab")
        ask(page, "What was asked before?")
        finished(page)
        until(lambda: last_answer(page) == ANSWER)
        prompt = "What is the dog called? (waits at 5)"
        ask(page, prompt)
        first = until(lambda: next((e for e in logged(log, "submit") if e["request"]["prompt"] == prompt), None))
        page.wait_for_function(f"run => {VIEWER}.dataset.run === run && +{VIEWER}.dataset.cur >= 3", arg=first["id"])
        comes_back(page, line)
        until(lambda: any(entry["id"] == first["id"] for entry in logged(log, "cancel")))
        let_go(log, prompt)
        until(lambda: page.locator("#chat [data-testid=bot]").count() == 2 and last_answer(page) == ANSWER)
        again = logged(log, "submit")[-1]
        assert again["id"] != first["id"]
        assert {**again["request"], "request_id": ""} == {**first["request"], "request_id": ""}
        assert page.input_value("#pasted textarea") == DOCUMENT
        assert page.input_value("#weight-compact-reader input[type=number]") == "0.7"
        ask(page, "And what now?")
        until(lambda: page.locator("#chat [data-testid=bot]").count() == 3)
        assert [turn["text"] for turn in logged(log, "submit")[-1]["request"]["history"]][::2] == [
            "What was asked before?", prompt]


def test_a_finished_run_stands_on_stage_again_and_no_model_is_asked(browser, url, log):
    with lined(url) as line, broken(browser, line) as page:
        ask(page, "What is the dog called?")
        finished(page)
        until(lambda: last_answer(page) == ANSWER)
        before, run = len(logged(log, "submit")), page.evaluate("document.querySelector('#viewer .viewer').dataset.done")
        comes_back(page, line)
        page.wait_for_function("run => document.querySelector('#viewer .viewer').dataset.done === run", arg=run)
        until(lambda: last_answer(page) == ANSWER)
        assert len(logged(log, "submit")) == before


def test_a_page_that_is_loaded_again_has_its_conversation_and_another_tab_has_not(browser, url):
    with lined(url) as line, broken(browser, line) as page:
        ask(page, "What is the dog called?")
        finished(page)
        until(lambda: last_answer(page) == ANSWER)
        with opened(browser, url) as other:
            assert other.locator("#chat [data-testid=bot]").count() == 0
        page.reload()
        until(lambda: page.locator("#chat [data-testid=bot]").count() == 1 and last_answer(page) == ANSWER)
        page.click("#clear")
        page.wait_for_selector("#chat [data-testid=bot]", state="detached")
        page.reload()
        page.wait_for_selector("#mix .mix")
        page.wait_for_timeout(1500)
        assert page.locator("#chat [data-testid=bot]").count() == 0


def test_own_models_and_a_training_under_way_wait_for_their_visitor(browser, url, log):
    with lined(url) as line, broken(browser, line) as page:
        page.fill("#pasted textarea", DOCUMENT)
        if not page.is_visible("#teach"):
            page.click("#own > button")
        for title in ("First", "long"):
            page.fill("#teach-title input, #teach-title textarea", title)
            page.click("#teach")
            if title == "First":
                page.wait_for_selector("#pick-own-0", state="visible")
                until(lambda: "To begin with" in page.locator("#mix").inner_text())
        ask(page, "Who?")
        finished(page)
        own = logged(log, "submit")[-1]["request"]["users"]
        assert own[-1].startswith("mine-")
        comes_back(page, line)
        page.wait_for_selector("#pick-own-1", state="visible")          # its training went on to its end
        until(lambda: page.is_checked("#pick-own-0 input"))
        page.uncheck("#pick-own-1 input")
        ask(page, "Who?")
        until(lambda: logged(log, "submit")[-1]["request"]["users"] == own)
