"""A real browser for the tests of the pages: Debian's Chromium, driven by Playwright.

Where there is none the tests are skipped, and in CI failed; none is ever downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.browser.sites import Serve
from tests.browser.visits import Chromium, OpenPage, Unavailable


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The one browser of all tests; where there is none, skipped, and in CI failed."""
    try:
        chromium = Chromium()
    except Unavailable as error:
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"the browser must be tested here, and cannot: {error}")
        pytest.skip(f"the browser is not tested: {error}")
    yield chromium
    chromium.close()


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Any]:
    """The same as Playwright's `Browser`, for the time of a test."""
    with chromium.in_use() as browser:
        yield browser


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves WSGI applications on free ports of 127.0.0.1 until the test ends."""
    serve = Serve()
    yield serve
    serve.close()


@pytest.fixture
def open_page(browser: Any, serve: Serve) -> Iterator[OpenPage]:
    """Opens pages, each in a fresh browser context; what they may not do fails the test."""
    visit = OpenPage(browser, serve)
    try:
        yield visit
    finally:
        visit.close()
    assert not visit.problems, "\n".join(["The pages did what they may not:", *visit.problems])
