"""The demo's outbox in a browser: for everybody, on any screen, and its letters as they look."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser.checks import axe, no_sideways_scroll, tab_order, touch_targets
from tests.browser.shops import expect
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage, screenshot

from basis_portal import system_clock
from basis_portal.demo.outbox import OUTBOX_PATH
from basis_portal.demo.serve import Place, demo_app, invented_scene
from basis_portal.mail import OutboxTransport
from basis_portal.storage.memory import InMemoryStorage


@pytest.fixture
def outbox(serve: Serve, tmp_path: Path) -> str:
    """The address of the outbox of a demo."""
    site = serve()
    place = Place(site.url, OutboxTransport(tmp_path / "outbox"))
    scene = invented_scene(InMemoryStorage(), system_clock, place, today=True)
    site.app = demo_app(scene, place)
    return site.url + OUTBOX_PATH


@pytest.mark.parametrize(("width", "dark"), [("phone", False), ("desktop", True)])
def test_the_outbox_can_be_used_by_everybody(
    outbox: str, open_page: OpenPage, width: str, dark: bool
) -> None:
    """Narrow and light, wide and dark: axe-core finds nothing, and each e-mail can be reached."""
    page = open_page(width=width, dark=dark)
    page.goto(outbox)
    assert axe(page) == []
    touch_targets(page)
    no_sideways_scroll(page)
    named = tab_order(page)
    assert len([name for name in named if name.startswith("As HTML")]) == 2, named
    assert len([name for name in named if "/portal/" in name]) == 2
    screenshot(page, f"outbox-{width}")


def test_a_letter_looks_as_in_a_mail_program(outbox: str, open_page: OpenPage) -> None:
    """Its styles are let in, nothing is blocked, and its button opens the customer's page."""
    page = open_page()
    page.goto(outbox)
    page.get_by_role("link", name="As HTML").first.click()
    button = page.get_by_role("link", name="Open your page")
    assert button.evaluate("one => getComputedStyle(one).backgroundColor") != "rgba(0, 0, 0, 0)"
    screenshot(page, "outbox-letter")
    button.click()
    expect(page.get_by_text("Customer portal for Kopi Nusantara")).to_be_visible()
