"""The list of tokens: who is in it, in which words, with which buttons, and what is not told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

pytest.importorskip("flask")

from markupsafe import escape
from tests.conftest import Watched
from tests.web.desk import Desk
from tests.web.token_pages import XSS, desk_at, portal_over, rows_of
from werkzeug.test import Client

from basis_portal import Customer, Edition, Portal, PortalConfig, TokenStatus
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import HostLinks

ODD = "B/1 #2?&"

State = Callable[[], dict[str, Any]]


@pytest.fixture(autouse=True)
def _few_invoices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer who buys almost daily takes a second to make, and is not looked at here."""
    monkeypatch.setattr(demo, "LONG", demo.DOZEN)


@pytest.fixture
def ana(client: Client) -> Desk:
    """A member of staff."""
    return Desk(client)


def crowd(storage: InMemoryStorage, clock: FrozenClock, number: int) -> Portal:
    """A portal with so many customers, each with a token; that of K-n was issued for n + 1 days."""
    customers = [Customer(f"K-{n:03}", f"Customer {n:03}") for n in range(number)]
    storage.customers.save(*customers)
    portal = portal_over(storage, clock)
    portal.settings.save(PortalConfig(enabled=True), by="ana")
    for n, one in enumerate(customers):
        portal.tokens.generate(one.id, by="ana", days=n + 1)
    return portal


def instants_of(portal: Portal, customer_id: str) -> dict[str, str]:
    """When a customer's token expires and was last opened, as the list writes it."""
    token = portal.tokens.get(customer_id)
    if token is None:
        return {}
    opened = portal.tokens.last_opened([token.id]).get(token.id, token.issued_at)
    return {
        "expires": f"{token.expires_at:%-d %b %Y}",
        "time": f"{token.expires_at:%H:%M}",
        "opened": f"{opened:%-d %b %Y, %H:%M}",
    }


# --- what is in it ----------------------------------------------------------------------------


def test_customers_in_the_order_of_the_host(ana: Desk, portal: Portal) -> None:
    """Without a status the list walks the host's customers in the host's order."""
    page = ana.open("/tokens")
    assert page.status == 200
    assert page.heading == page.title == "Portal Access Tokens"
    assert list(rows_of(page)) == [one.name for one in portal.customers.search("")]
    assert "In the order of Demo ERP" in page.text
    assert page.links()["Customer Portal"] == "/settings/portal/"


@pytest.mark.parametrize(
    ("name", "cells", "buttons"),
    [
        (
            "Kopi Nusantara",
            [
                "Kopi Nusantara 1001",
                "finance@ kopi.example",
                "Active",
                "until {expires}, {time}",
                "Last opened: {opened}",
                "Copy link Copied More",
            ],
            ["Copy link of Kopi Nusantara", "More about Kopi Nusantara"],
        ),
        (
            "Café Lumière",
            [
                "Café Lumière 1006",
                "No e-mail address Open in Demo ERP",
                "Active Expires in 3 days",
                "until {expires}, {time}",
                "Last opened: Not opened yet",
                "Copy link Copied More",
            ],
            ["Copy link of Café Lumière", "More about Café Lumière"],
        ),
        (
            "Torrefazione Aurora",
            [
                "Torrefazione Aurora 1007",
                "conti@ aurora.example",
                "Expired",
                "on {expires}",
                "Last opened: Not opened yet",
                "Regenerate More",
            ],
            ["Regenerate link of Torrefazione Aurora", "More about Torrefazione Aurora"],
        ),
        (
            "Kedai Pelabuhan Tua",
            [
                "Kedai Pelabuhan Tua 1008",
                "kantor@ pelabuhan.example",
                "Revoked on 6 Apr 2026 by ana",
                "",
                "Last opened: Not opened yet",
                "Generate More",
            ],
            ["Generate token for Kedai Pelabuhan Tua", "More about Kedai Pelabuhan Tua"],
        ),
        (
            "Bean There Ltd",
            ["Bean There Ltd 1004", "hello@ beanthere.example", "No token", "", "", "Generate"],
            ["Generate token for Bean There Ltd"],
        ),
    ],
)
def test_a_row_for_each_status(
    name: str, cells: list[str], buttons: list[str], ana: Desk, portal: Portal
) -> None:
    """Each status has its words and its buttons, and each button a full name."""
    row = rows_of(ana.open("/tokens"))[name]
    written = instants_of(portal, next(one.id for one in demo.CUSTOMERS if one.name == name))
    assert row.cells == [cell.format(**written) for cell in cells]
    assert row.names == buttons


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ({"days": 7, "seconds": 1}, "Active"),
        ({"days": 7}, "Active Expires in 7 days"),
        ({"days": 1}, "Active Expires in 1 day"),
        ({"hours": 23}, "Active Expires in less than a day"),
        ({"seconds": 0}, "Expired"),
    ],
)
def test_the_last_week(
    left: dict[str, int], words: str, ana: Desk, portal: Portal, clock: FrozenClock
) -> None:
    """Within seven days of its expiry, to the second, an active token says how long it lives."""
    token = portal.tokens.get(demo.KOPI)
    assert token
    clock.set(token.expires_at)
    clock.advance(**{unit: -number for unit, number in left.items()})
    assert rows_of(ana.open("/tokens"))["Kopi Nusantara"].cells[2] == words


def test_a_blocked_customer(ana: Desk, portal: Portal, storage: InMemoryStorage) -> None:
    """Of a blocked customer the row says so; there is a button to revoke, and no other."""
    customer = portal.customers.get(demo.KOPI)
    assert customer
    storage.customers.save(attrs.evolve(customer, blocked=True))
    row = rows_of(ana.open("/tokens"))["Kopi Nusantara"]
    assert row.cells[2] == "Active Blocked in Demo ERP: the link shows 'Access denied'"
    assert row.names == ["Revoke link of Kopi Nusantara", "More about Kopi Nusantara"]
    portal.tokens.revoke(demo.KOPI, by="ana")
    row = rows_of(ana.open("/tokens"))["Kopi Nusantara"]
    assert row.cells[2] == "Revoked on 14 Apr 2026 by ana Blocked in Demo ERP"
    assert row.names == ["More about Kopi Nusantara"]


def test_who_has_no_address_is_found_in_the_host(ana: Desk, portal: Portal) -> None:
    """Where an address is missing a link leads to the record, if the host tells where it is."""
    row = rows_of(ana.open("/tokens"))["Café Lumière"]
    assert 'href="/customers/C-1006"' in row.html
    elsewhere = desk_at(portal, host=HostLinks(name="Demo ERP"))
    assert rows_of(elsewhere.open("/tokens"))["Café Lumière"].cells[1] == "No e-mail address"


def test_the_help_at_last_opened(ana: Desk) -> None:
    """What is opened need not be opened by people; the column says so."""
    html = ana.open("/tokens").html
    assert 'aria-describedby="scanners">Last opened</th>' in html
    assert 'id="scanners">Last opened: Mail scanners can open links too.</p>' in html


def test_a_portal_that_is_off(ana: Desk, portal: Portal) -> None:
    """With the master switch off the list says what links show, and can be used all the same."""
    words = (
        "The portal is off: links can be prepared, but show 'Portal not available' until you "
        "enable it."
    )
    assert words not in ana.open("/tokens").text
    portal.settings.save(PortalConfig(enabled=False), by="ana")
    page = ana.open("/tokens")
    assert words in page.text
    assert rows_of(page)["Bean There Ltd"].names == ["Generate token for Bean There Ltd"]


def test_a_host_without_customers(clock: FrozenClock) -> None:
    """Where there are no customers the page says where they come from."""
    desk = desk_at(portal_over(InMemoryStorage(), clock), host=HostLinks(name="Demo ERP"))
    assert "No customers yet. They come from Demo ERP." in desk.open("/tokens").text


# --- search, filter, pages --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kopi", ["Kopi Nusantara"]),
        ("1007", ["Torrefazione Aurora"]),
        ("HELLO@", ["Bean There Ltd"]),
        ("  söhne ", ["Müller & Söhne"]),
        ("nobody", []),
    ],
)
def test_search(text: str, found: list[str], ana: Desk) -> None:
    """Part of a name, number or e-mail finds customers; the search stays in its field."""
    page = ana.open("/tokens", query_string={"q": text})
    assert list(rows_of(page)) == found
    assert page.form("Filter").fields == {"q": text.strip(), "status": ""}
    assert page.links()["Clear"] == "/settings/portal/tokens"
    assert ("No customer matches." in page.text) is not bool(found)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("active", ["Café Lumière", "Kopi Nusantara", "Müller & Söhne", "Καφές Αθηνών"]),
        ("soon", ["Café Lumière"]),
        ("expired", ["Torrefazione Aurora"]),
        ("revoked", ["Kedai Pelabuhan Tua"]),
    ],
)
def test_filter_by_status(status: str, found: list[str], ana: Desk) -> None:
    """With a status the list walks tokens, by expiry; the filter stays chosen."""
    page = ana.open("/tokens", query_string={"status": status, "q": ""})
    names = [name for name in rows_of(page) if name != "Großhandel Hafenkontor"]
    assert names[:1] == found[:1]
    assert sorted(names) == sorted(found)
    assert "By expiry, the earliest first" in page.text
    assert page.form("Filter").fields == {"q": "", "status": status}


def test_the_statuses_to_choose(ana: Desk) -> None:
    """The choices are these five, in this order; "No token" is a word in the row, no filter."""
    options = re.findall(r'<option value="(\w*)"[^>]*>([^<]*)<', ana.open("/tokens").html)
    assert options == [
        ("", "All"),
        ("active", "Active"),
        ("soon", "Expires within 7 days"),
        ("expired", "Expired"),
        ("revoked", "Revoked"),
    ]


@pytest.mark.parametrize("status", ["replaced", "none", "ACTIVE", "0", "\x00", "<b>"])
def test_a_status_nobody_offers(status: str, ana: Desk) -> None:
    """What is no status filters nothing."""
    page = ana.open("/tokens", query_string={"status": status})
    assert len(rows_of(page)) == len(demo.CUSTOMERS)
    assert page.form("Filter").fields["status"] == ""


def test_search_and_status_do_not_combine(ana: Desk) -> None:
    """Where both are asked for the search counts, and the page says so."""
    page = ana.open("/tokens?q=aurora&status=active")
    assert list(rows_of(page)) == ["Torrefazione Aurora"]
    assert "Search and status do not combine." in page.text
    assert page.form("Filter").fields == {"q": "aurora", "status": ""}
    assert "do not combine" not in ana.open("/tokens?q=aurora&status=").text


@pytest.mark.parametrize("status", ["", "active"])
def test_pages_by_key(status: str, storage: InMemoryStorage, clock: FrozenClock) -> None:
    """Fifty a page: Next leads through all customers once, First back to the beginning."""
    desk = desk_at(crowd(storage, clock, 120))
    page, seen = desk.open("/tokens", query_string={"status": status}), []
    for length in (50, 50, 20):
        found = list(rows_of(page))
        assert len(found) == length
        assert ("First" in page.links()) is bool(seen)
        seen += found
        if length == 50:
            page = desk.open(page.links()["Next"])
    assert "Next" not in page.links()
    assert seen == [f"Customer {n:03}" for n in range(120)]
    first = desk.open(page.links()["First"])
    assert list(rows_of(first)) == seen[:50]
    assert first.form("Filter").fields["status"] == status


@pytest.mark.parametrize("after", ["nonsense", "W10", "x" * 30_000])
def test_a_page_that_is_none(after: str, ana: Desk) -> None:
    """What names no page is not found, or is the first page; it is no fault."""
    page = ana.open("/tokens", query_string={"after": after})
    assert page.status == (200 if len(after) > 20_000 else 404)


def test_search_filter_and_page_are_kept(storage: InMemoryStorage, clock: FrozenClock) -> None:
    """From a row to the token's page, its questions and back the place in the list is kept."""
    desk = desk_at(crowd(storage, clock, 120))
    second = desk.open("/tokens?status=active").links()["Next"]
    place = parse_qs(urlsplit(second).query)
    assert set(place) == {"status", "after"}
    page = desk.open(second)
    token = desk.open(page.links()["Customer 055"])
    assert parse_qs(urlsplit(token.links()["Portal Access Tokens"]).query) == place
    ask = desk.open(token.links()["Revoke"])
    assert desk.open(ask.links()["Cancel"]).links() == token.links()
    done = desk.do(ask.form("Revoke link"))
    back = desk.open(done.links()["Portal Access Tokens"])
    assert "Customer 055" not in rows_of(back)
    assert back.form("Filter").fields["status"] == "active"
    assert list(rows_of(back)) == [one for one in rows_of(page) if one != "Customer 055"] + [
        "Customer 100"
    ]


def test_a_place_is_named_never_an_address(ana: Desk) -> None:
    """An address to go back to is not taken from anybody."""
    evil = "https://evil.example/"
    page = ana.open("/tokens", query_string={"next": evil, "q": "kopi", "back": evil})
    assert "evil.example" not in page.html
    token = ana.open(page.links()["Kopi Nusantara"])
    answer = ana.send(ana.open(token.links()["Revoke"]).form("Revoke link"), next=evil)
    assert answer.location
    assert "evil" not in answer.location


# --- what it asks of the storage, and what it does not tell -----------------------------------


@pytest.mark.parametrize("status", ["", "active"])
def test_a_page_asks_for_all_at_once(
    status: str, storage: InMemoryStorage, clock: FrozenClock
) -> None:
    """Tokens, customers and openings of a page are read at once, however many there are."""
    counts = []
    for number in (10, 50):
        crowd_more(storage, clock) if counts else crowd(storage, clock, number)
        watched = Watched(storage)
        portal = portal_over(watched, clock, customers=watched.customers)
        desk_at(portal).open("/tokens", query_string={"status": status})
        counts.append(len(watched.calls))
    assert counts[0] == counts[1] < 10


def crowd_more(storage: InMemoryStorage, clock: FrozenClock) -> None:
    """Forty customers more, each with a token."""
    storage.customers.save(*(Customer(f"M-{n}", f"More {n}") for n in range(40)))
    for n in range(40):
        portal_over(storage, clock).tokens.generate(f"M-{n}")


@pytest.mark.parametrize("path", ["/tokens", "/tokens?status=active", "/tokens?q=kopi"])
def test_no_link_is_in_the_list(path: str, ana: Desk, portal: Portal) -> None:
    """The list holds no secret, and no id of a token but of those that can be replaced."""
    active = portal.tokens.list(status=TokenStatus.ACTIVE)
    links = [portal.tokens.link(one.customer_id) for one in active]
    assert len(links) == 5
    page = ana.open(path)
    for link in links:
        text = link.rpartition("/")[2]
        assert text not in page.html
        assert text.partition(".")[0] not in page.html
        assert text.partition(".")[2] not in page.html


def test_the_list_changes_nothing(ana: Desk, state: State) -> None:
    """Whoever looks at the list, filters, searches and pages changes no row."""
    before = state()
    for path in ("/tokens", "/tokens?q=kopi", "/tokens?status=soon", "/tokens?done=issued"):
        for method in ("GET", "HEAD"):
            assert ana.open(path, method=method).status == 200
    assert state() == before


def test_names_are_text(
    ana: Desk, portal: Portal, storage: InMemoryStorage, clock: FrozenClock
) -> None:
    """What stands in a name, number, address or reason is text, whatever it looks like."""
    storage.customers.save(Customer("X-1", f"A {XSS}", f"{XSS}@x", f"X {XSS}"))
    portal.tokens.generate("X-1", by=XSS)
    for path in ("/tokens", "/tokens?q=X", "/tokens?status=active"):
        html = ana.open(path).html
        assert "<script>alert" not in html
        assert "<img" not in html
        assert str(escape(XSS)) in html
    page = ana.open("/tokens", query_string={"q": XSS, "status": XSS, "after": ""})
    assert "<script>alert" not in page.html
    assert page.form("Filter").fields["q"] == XSS


def test_ids_of_any_kind(ana: Desk, portal: Portal, storage: InMemoryStorage) -> None:
    """Ids with slashes, signs and spaces lead to their page."""
    ids = {"Odd": ODD, "Dots": "ü ..", "Word": "check"}
    storage.customers.save(*(Customer(one, name) for name, one in ids.items()))
    for name, one in ids.items():
        page = ana.open("/tokens")
        assert rows_of(page)[name].names == [f"Generate token for {name}"]
        address = f"/settings/portal/tokens/{key_of(one)}"
        (form,) = [form for form in page.forms if form.action == address]
        done = ana.do(form)
        assert done.heading == name
        assert done.title.startswith("Token generated - ")
    assert {one.customer_id for one in portal.tokens.list(limit=200)} >= set(ids.values())


def test_a_token_whose_customer_is_gone(
    ana: Desk, portal: Portal, storage: InMemoryStorage
) -> None:
    """A token of a customer the host no longer has shows the id, and can be revoked."""
    assert storage.customers.delete(demo.KOPI)
    row = rows_of(ana.open("/tokens?status=active"))["C-1001"]
    assert row.cells[1:3] == ["", "Active There is no such customer in Demo ERP any more."]
    assert row.names == ["Revoke link of C-1001", "More about C-1001"]
    page = ana.open(ana.open("/tokens?status=active").links()["C-1001"])
    assert page.heading == "C-1001"
    done = ana.do(ana.open(page.links()["Revoke"]).form("Revoke link"))
    assert done.status_line == "Link revoked. It shows 'Access denied' from now on."
    token = portal.tokens.get(demo.KOPI)
    assert token
    assert token.ended_by == "ana"


# --- those who may only look ------------------------------------------------------------------


def test_who_may_only_look(client: Client) -> None:
    """Who may only look has the list, its search and the pages of the tokens, and no buttons."""
    page = Desk(client, "reader").open("/tokens")
    assert [form.buttons for form in page.forms] == [["Filter"]]
    assert len(rows_of(page)) == len(demo.CUSTOMERS)
    assert rows_of(page)["Kopi Nusantara"].names == ["More about Kopi Nusantara"]
    for words in ("Copy link", "Generate missing tokens...", "Check a link", "Revoke all"):
        assert words not in page.text


def test_nobody(client: Client) -> None:
    """Who is not named sees nothing of it."""
    page = Desk(client, "").open("/tokens")
    assert page.status == 403
    assert "Kopi" not in page.html


# --- what was done ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            "issued=38&revoked=2&bare=7",
            "38 tokens generated, 2 customers left out (revoked), 7 have no e-mail address.",
        ),
        (
            "issued=1&revoked=1&blocked=1&bare=1",
            (
                "1 token generated, 1 customer left out (revoked), "
                "1 customer left out (blocked), 1 has no e-mail address."
            ),
        ),
        ("", "0 tokens generated."),
        ("issued=-1&revoked=1.5&bare=<b>", "0 tokens generated."),
        ("issued=1234567890&revoked=%D9%A1", "0 tokens generated."),
    ],
)
def test_numbers_come_back_as_digits(query: str, words: str, ana: Desk) -> None:
    """The address tells digits and nothing else; words are made of them here."""
    page = ana.open(f"/tokens?done=issued&{query}")
    assert page.status_line == words
    assert page.title == f"{words.partition(',')[0].rstrip('.')} - Portal Access Tokens"


@pytest.mark.parametrize("query", ["issued=5", "done=revoked&issued=5", "done=%3Cb%3E"])
def test_codes_nobody_gave(query: str, ana: Desk) -> None:
    """What is no code says nothing."""
    page = ana.open(f"/tokens?{query}")
    assert page.status_line is None
    assert page.title == "Portal Access Tokens"


# --- where edition or feature gives no portal -------------------------------------------------


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ({"edition": Edition.DESKTOP}, "available on Server and Cloud editions only."),
        ({"feature_enabled": False}, "switched off in Feature Settings."),
    ],
)
def test_links_can_be_revoked_whatever_the_edition(
    closed: dict[str, Any],
    words: str,
    ana: Desk,
    portal: Portal,
    storage: InMemoryStorage,
    clock: FrozenClock,
) -> None:
    """Where there is no portal the list has one button in each row, and it works."""
    desk = desk_at(portal_over(storage, clock, **closed))
    page = desk.open("/tokens?q=kopi")
    assert page.status == 200
    assert words in page.text
    assert "Müller" not in page.text
    ask = desk.open(page.links()["Revoke"])
    assert ask.heading == "Revoke the link of Kopi Nusantara?"
    assert desk.open(ask.links()["Cancel"]).html == page.html
    done = desk.send(ask.form("Revoke link"), reason="left")
    assert (done.status, done.location) == (200, None)
    assert done.status_line == "Link revoked. It shows 'Access denied' from now on."
    token = portal.tokens.get(demo.KOPI)
    assert token
    assert (token.ended_by, token.reason) == ("ana", "left")
    again = desk.send(ask.form("Revoke link"))
    assert again.status_line == "There is no link to revoke. Nothing was changed."
    assert desk.open(f"/tokens/{key_of(demo.KOPI)}").status == 403


def test_the_closed_list_has_pages(storage: InMemoryStorage, clock: FrozenClock) -> None:
    """The list of a closed portal is walked as any other."""
    crowd(storage, clock, 60)
    desk = desk_at(portal_over(storage, clock, edition=Edition.DESKTOP))
    second = desk.open(desk.open("/tokens?status=active").links()["Next"])
    assert "Customer 059" in second.text
    assert "Customer 000" in desk.open(second.links()["First"]).text
    assert "No customer matches." in desk.open("/tokens?q=zzz").text
