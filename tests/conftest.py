"""Fixtures that several files share."""

import pytest

from .browser import chromium


@pytest.fixture(scope="module")
def browser():
    """A headless browser; tests that need one skip, with the reason, where there is none."""
    with chromium() as started:
        yield started
