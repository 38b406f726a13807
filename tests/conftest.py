"""Fixtures that several files share, and the count of attacks."""

import os
import signal
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.support.attacks import AttackCount, real_server
from tests.support.browser import chromium, emptied, opened, served
from tests.support.fake_engine import ANSWER
from tests.support.raw import Raw

PACE = "0.03"                   # seconds a step of the fake engine

os.environ.setdefault("SSD2_CORE", "compact-core")      # a started page fetches no base; what tests the better pair names it
signal.signal(signal.SIGINT, signal.default_int_handler)     # a suite in the background ignores it, and so would what it starts
os.environ.setdefault("OMP_NUM_THREADS", "1")           # tests share the cores with each other, threads of one would wait


def pytest_addoption(parser) -> None:
    """--attacks."""
    parser.addoption("--attacks", action="store_true", help="run the tests of attacks only, and count them by group")


def pytest_configure(config) -> None:
    """Count when asked to."""
    if config.getoption("--attacks"):
        config.pluginmanager.register(AttackCount())


def pytest_collection_modifyitems(config, items) -> None:
    """With --attacks, leave the other tests out."""
    if config.getoption("--attacks"):
        items[:] = [item for item in items if item.get_closest_marker("attack")]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item, nextitem) -> None:
    """Note the last case of each test: what is checked after a test need not be checked after every case of it."""
    item.is_last_case = nextitem is None or (nextitem.path, nextitem.originalname) != (item.path, item.originalname)


@pytest.fixture(scope="module")
def browser():
    """A headless browser; tests that need one skip, with the reason, where there is none."""
    with chromium() as started:
        yield started


def folder_of(server: str):
    """A fixture: where the server of ``SERVER_url`` keeps its files."""
    @pytest.fixture(scope="session", name=f"{server}_folder")
    def folder(tmp_path_factory):
        return tmp_path_factory.mktemp(server)
    return folder


fake_folder, real_folder, hostile_folder = map(folder_of, ("fake", "real", "hostile"))


@contextmanager
def fake_server(folder: Path, seconds_per_step: str):
    """The page with the fake engine, and what it is asked in a file of the folder."""
    command = ["-m", "tests.support.fake_app", "PORT", str(folder / "asked.jsonl"), seconds_per_step]
    with served(command, folder, 180) as address:
        yield address


@pytest.fixture(scope="session")
def fake_url(fake_folder):
    """The page with the fake engine, PACE seconds a step, for all modules: a server's start costs more than most tests."""
    with fake_server(fake_folder, PACE) as address:
        yield address


@pytest.fixture(scope="session")
def real_url(real_folder):
    """The app with the compact models, for all modules."""
    with real_server(real_folder, "-m", "tests.support.slow_app") as address:
        yield address


@pytest.fixture(scope="module")
def log(fake_folder):
    """What the fake engine is asked from here on."""
    path = fake_folder / "asked.jsonl"
    for each in (path, Path(f"{path}.go")):
        each.write_text("")
    return path


@pytest.fixture(scope="module")
def url(fake_url, log):
    """The page with the fake engine; a module may say otherwise."""
    return fake_url


@pytest.fixture(scope="module")
def pages(browser, url):
    """The page that the tests of a module share, opened when the first of them asks for it."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(opened(browser, url)))


@pytest.fixture
def page(request, browser, url):
    """The page in a session of its own, or the one that the tests of a module share, empty again.

    Opening a page is most of what a browser test costs. A module that says SHARED shares it, but for tests marked "fresh".
    """
    if getattr(request.module, "SHARED", False) and not request.node.get_closest_marker("fresh"):
        yield emptied(request.getfixturevalue("pages")())
    else:
        with opened(browser, url) as opened_page:
            yield opened_page


@pytest.fixture(scope="session")
def hostile_url(hostile_folder):
    """A running server with the fake engine, for all tests of attacks on it."""
    with fake_server(hostile_folder, "0.001") as address:
        yield address


@pytest.fixture
def raw(request, hostile_url):
    """A session; after all cases of a test another visitor is still answered."""
    yield Raw(hostile_url)
    if not request.node.is_last_case:
        return
    after = Raw(hostile_url).ask(num_steps=1, block_length=32)
    assert after.done and after.answer == ANSWER
