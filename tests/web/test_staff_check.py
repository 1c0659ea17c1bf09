"""Check a link: staff learn whose it is and why it fails; the link itself is kept nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("flask")

from markupsafe import escape
from tests.web.desk import Desk, Page
from tests.web.token_pages import XSS, buttons
from werkzeug.test import Client

from basis_portal import Customer, Portal, PortalConfig
from basis_portal.demo import seller as demo
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock

State = Callable[[], dict[str, Any]]


@pytest.fixture(autouse=True)
def _few_invoices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer who buys almost daily takes a second to make, and is not looked at here."""
    monkeypatch.setattr(demo, "LONG", demo.DOZEN)


@pytest.fixture
def ana(client: Client) -> Desk:
    """A member of staff."""
    return Desk(client)


def check(desk: Desk, text: str) -> Page:
    """What the page says of a pasted text."""
    page = desk.send(desk.open("/check-link").form("Check"), link=text)
    assert page.location is None
    return page


@pytest.mark.parametrize(
    ("act", "words", "can"),
    [
        (lambda p: None, "Works until Sat 9 May 2026, 09:12 (UTC).", ["Copy link", "More"]),
        (
            lambda p: p.settings.save(PortalConfig(enabled=False)),
            "Works until Sat 9 May 2026, 09:12 (UTC), once the portal is on.",
            ["Copy link", "More"],
        ),
        (
            lambda p: p.tokens.revoke(demo.KOPI, by="Ben", reason="left"),
            "Revoked by Ben on Tue 14 Apr 2026, 09:12 (UTC).",
            ["Generate", "More"],
        ),
        (
            lambda p: p.tokens.regenerate(demo.KOPI, by="Ben"),
            "Replaced by Ben on Tue 14 Apr 2026, 09:12 (UTC).",
            ["Copy link", "More"],
        ),
        (
            lambda p: p._context.storage.customers.save(
                Customer(demo.KOPI, "Kopi Nusantara", blocked=True)
            ),
            "Blocked in Demo ERP: the link shows 'Access denied'.",
            ["Revoke", "More"],
        ),
    ],
)
def test_check_says_why(
    act: Callable[[Portal], object], words: str, can: list[str], ana: Desk, portal: Portal
) -> None:
    """Staff learn whose a link is and why it fails, and have the button that helps."""
    link = portal.tokens.link(demo.KOPI)
    act(portal)
    page = check(ana, f" <{link}> ")
    assert page.status == 200
    assert page.status_line == f"Kopi Nusantara. {words}"
    assert page.title == f"{words[:-1]} - Check a link"
    assert buttons(page) == can
    assert ("Reason: left" in page.text) is ("Revoked" in words)
    assert ("There is a newer link" in page.text) is ("Replaced" in words)


def test_check_of_an_expired_link(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """An expired link is told by its instant; Regenerate stands beside it, and works."""
    link = portal.tokens.link(demo.KOPI)
    clock.advance(days=40)
    page = check(ana, link)
    assert page.status_line == "Kopi Nusantara. Expired on Sat 9 May 2026, 09:12 (UTC)."
    assert buttons(page) == ["Regenerate", "More"]
    assert ana.do(page.form("Regenerate")).title.startswith("Token regenerated")


def test_check_of_a_link_whose_customer_is_gone(
    ana: Desk, portal: Portal, storage: InMemoryStorage
) -> None:
    """Of a customer the host no longer has the id is named."""
    link = portal.tokens.link(demo.KOPI)
    storage.customers.delete(demo.KOPI)
    page = check(ana, link)
    assert page.status_line == "C-1001. There is no such customer in Demo ERP any more."
    assert buttons(page) == ["Revoke", "More"]


@pytest.mark.parametrize(
    "change",
    [
        lambda link: link[:-1],
        lambda link: f"{link}.",
        lambda link: link.rpartition("/")[0],
        lambda _: "https://evil.example/",
        lambda _: "x" * 5000,
        lambda link: f"{link} {link[:-1]}-",
    ],
)
def test_check_of_what_is_no_link(change: Callable[[str], str], ana: Desk, portal: Portal) -> None:
    """What is no link of ours, is cut, or is more than one, is said to be so."""
    page = check(ana, change(portal.tokens.link(demo.KOPI)))
    assert (page.status, page.heading) == (200, "Check a link")
    assert page.status_line == "Not one of ours, or not complete."
    assert buttons(page) == []


def test_check_of_a_link_without_a_record(ana: Desk, portal: Portal) -> None:
    """A link that we signed, whose token was removed since, is told apart."""
    page = check(ana, portal._context.link("A" * 22))
    assert page.status_line == "One of ours, but its token is not on record any more."


def test_what_is_pasted_is_not_shown_again(ana: Desk, portal: Portal, state: State) -> None:
    """The pasted text is in no answer, no address and no row, be it right, wrong or empty."""
    link = portal.tokens.link(demo.KOPI)
    before = state()
    for text in (link, link[:-1], f"{link[:-3]}abc", XSS):
        form = ana.open("/check-link").form("Check")
        for page in (ana.send(form, link=text), ana.send(form, link=text, form="stale")):
            assert text not in page.html
            assert text.rpartition("/")[2] not in page.html
            assert str(escape(text)) not in page.html
            assert page.form("Check").fields["link"] == ""
    assert state() == before
    empty = check(ana, "  ")
    assert (empty.status, empty.alert) == (400, "Please paste a link first.")
    stale = ana.send(ana.open("/check-link").form("Check"), link=link, form="x")
    assert (stale.status, stale.alert) == (403, "Please paste the link and press Check once more.")


def test_check_takes_no_link_from_an_address(ana: Desk, portal: Portal) -> None:
    """A link in the address is not looked at: addresses are written into logs."""
    link = portal.tokens.link(demo.KOPI)
    page = ana.open("/check-link", query_string={"link": link})
    assert page.status_line is None
    assert "Kopi" not in page.text
