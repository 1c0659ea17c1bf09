"""The browser, and pages that fail their test by what they may not do."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser.sites import Serve
from tests.depth import DEEP

CHROMIUM_VARIABLE = "BASIS_PORTAL_TEST_CHROMIUM"
SCREENS: dict[str, dict[str, Any]] = {
    "phone": {
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
        "has_touch": True,
        "is_mobile": True,
    },
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}

_NAMES = ("chromium", "chromium-browser", "google-chrome")
if not DEEP:  # the same engine without a window takes two thirds of the time
    _NAMES = ("chromium-headless-shell", *_NAMES)
# Pages that reach for other hosts are seen to, and do not get there.
_ARGUMENTS = ["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
# Chromium calls each answer of 400 and above an error; a missing asset is noted by its answer.
_REFUSED = "Failed to load resource: the server responded with a status of"
_ASSETS = {"stylesheet", "image", "script", "font", "manifest", "media"}
_NO_TRAFFIC = ("data:", "blob:", "about:")


class Unavailable(Exception):
    """There is no browser to test with here."""


class Chromium:
    """Debian's Chromium, and Playwright, which drives it; neither is ever downloaded.

    Raises:
        Unavailable: with what is to be installed.
    """

    def __init__(self) -> None:
        program = os.environ.get(CHROMIUM_VARIABLE) or next(
            filter(None, map(shutil.which, _NAMES)), None
        )
        if program is None:
            raise Unavailable("install chromium")
        try:
            from playwright.sync_api import Error, sync_playwright
        except ImportError as error:
            raise Unavailable('pip install -e ".[test]"') from error
        self._playwright = sync_playwright().start()
        try:
            self._browser = self._playwright.chromium.launch(
                executable_path=program, args=_ARGUMENTS
            )
        except Error as error:
            self._playwright.stop()
            raise Unavailable(f"{program} does not start: {error}") from error
        self._loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)

    @contextmanager
    def in_use(self) -> Iterator[Any]:
        """Give the browser; only meanwhile may it be called.

        Playwright marks its event loop as running in this thread for good. Unmarked in between,
        other tests run loops of their own, and Django's database works.
        """
        asyncio._set_running_loop(self._loop)
        try:
            yield self._browser
        finally:
            asyncio._set_running_loop(None)

    def close(self) -> None:
        """End both."""
        with self.in_use() as browser:
            browser.close()
            self._playwright.stop()


class OpenPage:
    """Opens pages, and notes what they do that no page may.

    Noted are errors and warnings on the console (breaches of the Content-Security-Policy are
    such), uncaught errors of scripts, dialogs of scripts, assets that are answered with an error,
    and requests to other origins than those of the test's own sites.

    Attributes:
        problems: what was noted; the test fails where some is left at its end.
    """

    def __init__(self, browser: Any, serve: Serve) -> None:
        self.problems: list[str] = []
        self._browser, self._serve = browser, serve
        self._contexts: list[Any] = []
        self._allowed: list[str] = []

    def __call__(
        self,
        *,
        width: str = "desktop",
        javascript: bool = True,
        dark: bool = False,
        locale: str = "en-GB",
        **more: Any,
    ) -> Any:
        """Give an empty page in a context of its own; its neighbours: `page.context.new_page()`.

        Args:
            width: a name in `SCREENS`.
            javascript: whether scripts of the page are run.
            dark: whether the visitor prefers dark colours.
            locale: what the visitor reads.
            more: as `Browser.new_context` takes it.
        """
        context = self._browser.new_context(
            **SCREENS[width],
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            locale=locale,
            **more,
        )
        self._contexts.append(context)
        context.on("console", self._on_console)
        context.on("dialog", self._on_dialog)
        context.on("page", self._on_page)
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        return context.new_page()

    def allow(self, url: str) -> None:
        """Let pages ask for what begins with ``url``: a server that the test started itself."""
        self._allowed.append(f"{url.rstrip('/')}/")

    @contextmanager
    def expect(self, pattern: str) -> Iterator[None]:
        """Let pages do, and see that they do, what is noted with a text that has ``pattern``."""
        before = self.settle()
        yield
        found = [problem for problem in self.settle()[len(before) :] if re.search(pattern, problem)]
        assert found, f"no page did what is described by {pattern!r}"
        self.problems = [problem for problem in self.problems if problem not in found]

    def settle(self) -> list[str]:
        """Take in what the browser has told so far, and give a copy of what is noted."""
        for page in (page for context in self._contexts for page in context.pages):
            page.evaluate("0")
        return list(self.problems)

    def close(self) -> None:
        """Close all pages."""
        try:
            self.settle()
        finally:
            for context in self._contexts:
                context.close()

    def _note(self, problem: str) -> None:
        self.problems.append(problem)

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self._note(f"console: {message.text} ({message.location.get('url')})")

    def _on_page(self, page: Any) -> None:
        page.on("pageerror", lambda error: self._note(f"script: {error}"))

    def _on_dialog(self, dialog: Any) -> None:
        self._note(f"dialog: {dialog.type}: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Any) -> None:
        own = [f"{site.url}/" for site in self._serve.sites]
        if not request.url.startswith((*own, *self._allowed, *_NO_TRAFFIC)):
            self._note(f"another origin: {request.method} {request.url}")

    def _on_response(self, response: Any) -> None:
        if response.status >= 400 and response.request.resource_type in _ASSETS:
            self._note(f"asset: {response.status} {response.url}")


def screenshot(page: Any, name: str) -> None:
    """Keep a picture of the whole page, where BASIS_PORTAL_SCREENSHOTS names a folder for it."""
    if folder := os.environ.get("BASIS_PORTAL_SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)
