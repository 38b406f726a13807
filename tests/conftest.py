"""Fixtures that several files share, and the count of attacks."""

import os
import signal
from contextlib import ExitStack
from functools import cache

import pytest

from tests.support.attacks import AttackCount
from tests.support.browser import chromium, emptied, opened, served
from tests.support.fake_engine import ANSWER
from tests.support.raw import Raw

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


@pytest.fixture(scope="module")
def folder(request, tmp_path_factory):
    """Where a module's server keeps its files."""
    return tmp_path_factory.mktemp(request.module.__name__.rpartition(".")[2])


@pytest.fixture(scope="module")
def log(folder):
    """What the fake engine of a module was asked."""
    return folder / "asked.jsonl"


@pytest.fixture(scope="module")
def url(request, folder, log):
    """The page with the fake engine, a step each PACE seconds as the module says."""
    with served(["-m", "tests.support.fake_app", "PORT", str(log), request.module.PACE], folder, 180) as address:
        yield address


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
def hostile_folder(tmp_path_factory):
    """Where the server of ``raw`` keeps files."""
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="session")
def hostile_url(hostile_folder):
    """A running server with the fake engine, for all tests of attacks on it."""
    command = ["-m", "tests.support.fake_app", "PORT", str(hostile_folder / "asked.jsonl"), "0.001"]
    with served(command, hostile_folder) as address:
        yield address


@pytest.fixture
def raw(request, hostile_url):
    """A session; after all cases of a test another visitor is still answered."""
    yield Raw(hostile_url)
    if not request.node.is_last_case:
        return
    after = Raw(hostile_url).ask(num_steps=1, block_length=32)
    assert after.done and after.answer == ANSWER.replace("<b>", "&lt;b&gt;").replace("</b>", "&lt;/b&gt;")
