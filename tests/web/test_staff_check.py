"""Check a link: staff learn whose it is and why it fails; the link itself is kept nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

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
        lambda link: link.replace("/portal/", "/portal/-")[:-1],
        lambda link: link.rpartition("/")[0],
        lambda _: "https://evil.example/",
    ],
)
def test_check_of_what_is_no_link(change: Callable[[str], str], ana: Desk, portal: Portal) -> None:
    """What is no link of ours, or is cut, is said to be so."""
    page = check(ana, change(portal.tokens.link(demo.KOPI)))
    assert (page.status, page.heading) == (200, "Check a link")
    assert page.status_line == "Not one of ours, or not complete."
    assert buttons(page) == []


OURS = (
    "What was pasted does not open as it stands: our links begin with "
    "https://erp.example.com/portal/, this one does not."
)
BROKEN = "What was pasted does not open as it stands: there is a line break or a space in the link."
ADDED = (
    "What was pasted does not open as it stands: something is stuck to the link that is no part "
    "of it, such as a full stop."
)
DETOUR = (
    "What was pasted leads through another site first, such as a mail filter: "
    "it opens only if that site leads on to the link."
)
AGAIN = "Send the link again: Copy link is below."
SAFE = "https://eur01.safelinks.protection.outlook.com/?url={}&data=05%7C02%7C%7C08dc&reserved=0"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda link: link.replace("https", "http").replace("/portal/", "/portel/"), OURS),
        (lambda link: link.replace("/portal/", ":8443/portal/"), OURS),
        (lambda link: link.replace("erp.example.com", "evil.example"), OURS),
        *((lambda link, end=end: link + end, ADDED) for end in (".", ",", ";", "%20", "\u201d")),
        (lambda link: link[:-30] + "\r\n" + link[-30:], BROKEN),
        (lambda link: f"> {link[:20]}\r\n> {link[20:]}", BROKEN),
        (lambda link: SAFE.format(quote(link, safe="")), DETOUR),
    ],
)
def test_check_of_a_link_that_does_not_open_as_it_stands(
    change: Callable[[str], str], why: str, ana: Desk, portal: Portal
) -> None:
    """Staff learn whose token it is, how it stands, why this text opens nothing, what to do."""
    link = portal.tokens.link(demo.KOPI)
    page = check(ana, change(link))
    works = "Kopi Nusantara. Works until Sat 9 May 2026, 09:12 (UTC)."
    assert page.status_line == f"{works} {why} {AGAIN}"
    opens = (
        "Works until Sat 9 May 2026, 09:12 (UTC)" if why == DETOUR else "Does not open as it stands"
    )
    assert page.title == f"{opens} - Check a link"
    assert buttons(page) == ["Copy link", "More"]
    assert link.rpartition("/")[2][23:50] not in page.html
    assert "evil" not in page.html
    portal.tokens.revoke(demo.KOPI, by="Ben")
    page = check(ana, change(link))
    revoked = "Revoked by Ben on Tue 14 Apr 2026, 09:12 (UTC)"
    assert page.status_line == f"Kopi Nusantara. {revoked}. {why}"
    assert page.title == f"{revoked} - Check a link"
    assert buttons(page) == ["Generate", "More"]


@pytest.mark.parametrize(
    "change",
    [
        lambda link: f"{link}/invoices",
        lambda link: f"{link}/",
        lambda link: f"{link}?utm_source=mail.",
        lambda link: link.rpartition("/")[2],
        lambda link: f"Dear Kopi,\r\n> {link}\r\nYours, Ana",
        lambda link: f"<{link}>",
    ],
)
def test_check_of_a_page_below_a_link(
    change: Callable[[str], str], ana: Desk, portal: Portal
) -> None:
    """Any page under our link opens, and so does a link within a text: nothing more is said."""
    page = check(ana, change(portal.tokens.link(demo.KOPI)))
    assert page.status_line == "Kopi Nusantara. Works until Sat 9 May 2026, 09:12 (UTC)."


def test_check_of_a_text_that_is_too_long(ana: Desk, portal: Portal) -> None:
    """It is not looked through, and nobody is told that it holds no link of ours."""
    page = check(ana, "x" * 20_000 + portal.tokens.link(demo.KOPI))
    expected = "This is too long to be looked through. Please paste the link alone."
    assert (page.status, page.status_line) == (200, expected)


def test_check_of_two_links(ana: Desk, portal: Portal) -> None:
    """Of two links none is taken: staff are asked for one at a time."""
    portal.tokens.generate(demo.BEAN_THERE)
    link, other = portal.tokens.link(demo.KOPI), portal.tokens.link(demo.BEAN_THERE)
    for pasted in (f"{link} {other}", f"{link}.\r\n{other}.", f"{link} {link[:-1]}-"):
        page = check(ana, pasted)
        assert page.status_line == "There is more than one link in it. Please paste one at a time."
        assert page.title == "There is more than one link in it - Check a link"
        assert buttons(page) == []
        assert "Kopi" not in page.text


def test_check_comes_back_to_its_place(ana: Desk, portal: Portal) -> None:
    """Search and page of the list go along: to the field, past each answer, and back."""
    link = portal.tokens.link(demo.KOPI)
    back = "/settings/portal/tokens?q=kopi"
    ask = ana.open(ana.open("/tokens?q=kopi").links()["Check a link"])
    assert ask.links()["Portal Access Tokens"] == back
    form = ask.form("Check")
    for pasted in (link, "none", "", f"{link}."):
        page = ana.send(form, link=pasted)
        assert page.links()["Portal Access Tokens"] == back
        form = page.form("Check")
    assert ana.send(form, link=link, form="stale").links()["Portal Access Tokens"] == back
    found = ana.send(form, link=link)
    assert found.links()["More"].endswith("?q=kopi")
    assert found.links()["Copy linkCopied"].endswith("?q=kopi#link")
    assert ana.open(found.links()["More"]).links()["Portal Access Tokens"] == back
    portal.tokens.revoke(demo.KOPI)
    generated = ana.do(ana.send(form, link=link).form("Generate"))
    assert generated.links()["Portal Access Tokens"] == back


def test_check_of_a_link_without_a_record(ana: Desk, portal: Portal) -> None:
    """A link that we signed, whose token was removed since, is told apart."""
    page = check(ana, portal._context.link("A" * 22))
    assert page.status_line == "One of ours, but its token is not on record any more."


def test_what_is_pasted_is_not_shown_again(ana: Desk, portal: Portal, state: State) -> None:
    """The pasted text is in no answer, no address and no row, be it right, wrong or empty."""
    link = portal.tokens.link(demo.KOPI)
    before = state()
    for text in (
        link,
        link[:-1],
        f"{link[:-3]}abc",
        XSS,
        f"{link}.",
        f"https://evil.example/{link}",
    ):
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
