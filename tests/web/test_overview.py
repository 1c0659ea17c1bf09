"""The first page says what is owed, and each customer's state in the words of the headline."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.web.conftest import path_of
from tests.web.reading import links, rows, title, words
from werkzeug.test import Client

from basis_portal import Portal, PortalConfig
from basis_portal.demo import seller as demo
from basis_portal.testing import FrozenClock


def _page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.text


def _link(portal: Portal, customer_id: str) -> str:
    portal.tokens.regenerate(customer_id, by="ana")
    return path_of(portal.tokens.link(customer_id, by="ana"))


def test_the_first_screen_says_what_is_overdue(client: Client, kopi: str) -> None:
    """Welcome message, the amount overdue, what is open in all, credits, balance: in this order."""
    said = words(_page(client, kopi))
    expected = [
        "Nordlicht Kaffee GmbH",
        "Customer portal for Kopi Nusantara",
        "Thank you for buying our coffee.",
        "EUR 1,200.00 overdue",
        "EUR 4,310.00 open in all. Oldest: INV-1042, due 2 Apr 2026, 12 days overdue.",
        "Credits not yet applied EUR 300.00",
        "Balance EUR 4,010.00",
        "USD 640.00 to pay",
        "Amounts in different currencies are not added together.",
        "To pay, oldest first",
        "See all open invoices",
    ]
    places = [said.find(one) for one in expected]
    assert -1 not in places
    assert places == sorted(places)


def test_what_is_to_pay_comes_oldest_first(client: Client, kopi: str) -> None:
    """Number, the customer's own reference, open amount and status of up to five open items."""
    assert rows(_page(client, kopi))[1:] == [
        ["INV-1042 · your ref PO-77", "EUR 1,200.00", "12 days overdue Part paid"],
        ["INV-1051 · your ref PO-79", "EUR 900.00", "Due in 5 days"],
        ["INV-1055 · your ref PO-81", "USD 640.00", "Due in 16 days"],
        ["INV-1057 · your ref PO-82", "EUR 2,210.00", "Due in 21 days"],
    ]


@pytest.mark.parametrize(
    ("customer_id", "said"),
    [
        (demo.MUELLER, "476,00 EUR"),
        (demo.ATHENS, "EUR in your favour"),
        (
            demo.BEAN_THERE,
            "No invoices yet They appear here when Nordlicht Kaffee GmbH issues one.",
        ),
    ],
)
def test_each_state_has_its_words(
    client: Client, portal: Portal, customer_id: str, said: str
) -> None:
    """Settled, in favour, nothing yet: calm words, no minus, nothing in red."""
    html = _page(client, _link(portal, customer_id))
    assert said in words(html)
    assert 'class="card alert"' not in html
    assert "\u2212" not in html


def test_only_what_is_overdue_is_loud(client: Client, kopi: str) -> None:
    """One card of two has the tone of an alert."""
    html = _page(client, kopi)
    assert html.count('class="card alert"') == 1
    assert html.count('class="card plain"') == 1


def test_without_a_statement_the_balance_is_not_told(
    client: Client, portal: Portal, kopi: str
) -> None:
    """Credits, balance and last payment belong to the statement; open invoices are shown."""
    portal.settings.save(PortalConfig(enabled=True))
    said = words(_page(client, kopi))
    assert "EUR 1,200.00 overdue" in said
    for hidden in ("Credits not yet applied", "Balance", "Last payment", "Statement", "Messages"):
        assert hidden not in said


def test_the_welcome_message_is_text(client: Client, portal: Portal, kopi: str) -> None:
    """Markup in it is shown as typed, its line breaks are kept; without it there is no box."""
    config = portal.settings.get().config
    typed = "<b>Hello</b>\n<script>alert(1)</script> & {{ 7*7 }}"
    portal.settings.save(PortalConfig(**{**config.to_dict(), "welcome_message": typed}))
    html = _page(client, kopi)
    assert "&lt;b&gt;Hello&lt;/b&gt;\n&lt;script&gt;alert(1)&lt;/script&gt; &amp; {{ 7*7 }}" in html
    portal.settings.save(PortalConfig(enabled=True))
    assert "welcome" not in _page(client, kopi)


def test_the_menu_shows_what_is_switched_on(client: Client, portal: Portal, kopi: str) -> None:
    """Pages in their fixed order, and those switched off are not there."""
    order = [
        "Overview",
        "Invoices",
        "Sales orders",
        "Credit notes",
        "Statement of account",
        "Messages",
    ]
    shown = [one for one in links(_page(client, kopi)) if one in order]
    assert shown == order
    portal.settings.save(PortalConfig(enabled=True, show_credit_notes=True))
    shown = [one for one in links(_page(client, kopi)) if one in order]
    assert shown == ["Overview", "Invoices", "Credit notes"]


def test_the_last_reply_is_told(client: Client, kopi: str) -> None:
    """The way to the messages says when the seller wrote last; nobody knows what was read."""
    html = _page(client, kopi)
    assert "last reply 12 Apr" in words(html[: html.index('<nav class="menu phone"')])
    assert "last reply 12 Apr" in words(html[html.index('<nav class="menu phone"') :])


def test_the_sellers_address_stands_below_each_page(client: Client, kopi: str) -> None:
    """Paper says who sent it."""
    said = words(_page(client, kopi))
    assert "Nordlicht Kaffee GmbH, Speicherstr. 1, Berlin accounts@nordlicht.example" in said


def test_the_title_tells_nothing(client: Client, kopi: str) -> None:
    """Tabs, histories and chat previews learn neither the customer nor an amount."""
    html = _page(client, kopi)
    head = html[: html.index("</head>")]
    assert title(html) == "Customer portal - Nordlicht Kaffee GmbH"
    for secret in ("Kopi", "1,200", "4,010"):
        assert secret not in head
    assert 'property="og:title" content="Customer portal of Nordlicht Kaffee GmbH"' in head


def test_the_footer_says_until_when_and_whom_to_ask(client: Client, kopi: str) -> None:
    """As of, contact as links, and the instant of expiry with its zone."""
    html = _page(client, kopi)
    said = words(html)
    assert "As of Tue 14 Apr 2026, 09:12 (UTC)." in said
    assert "can see this page until Sat 9 May 2026, 09:12 (UTC). Please do not pass it on." in said
    assert links(html)["accounts@nordlicht.example"] == "mailto:accounts@nordlicht.example"
    assert links(html)["+49 30 1234567"] == "tel:+49301234567"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (dt.timedelta(days=8), None),
        (dt.timedelta(days=7), "This link works for 7 more days. Ask Nordlicht"),
        (dt.timedelta(days=1), "This link works for 1 more day. Ask Nordlicht"),
        (dt.timedelta(minutes=5), "This link works until 09:12 (UTC). Ask Nordlicht"),
    ],
)
def test_a_link_that_soon_expires_says_so(
    client: Client,
    portal: Portal,
    clock: FrozenClock,
    kopi: str,
    left: dt.timedelta,
    said: str | None,
) -> None:
    """In the last seven days the page says how long the link still works, and whom to ask."""
    token = portal.tokens.get(demo.KOPI)
    assert token
    clock.set(token.expires_at - left)
    found = words(_page(client, kopi))
    assert ("This link works" in found) is (said is not None)
    assert said is None or said in found


def test_the_page_is_in_the_customers_language(client: Client, portal: Portal, kopi: str) -> None:
    """Words and amounts are those of the language the host has on file."""
    html = _page(client, _link(portal, demo.HAFENKONTOR))
    assert '<html lang="de">' in html
    assert "\u00a0EUR" in html
    assert '<html lang="en">' in _page(client, kopi)


def test_the_page_has_no_script_and_no_cookie(client: Client, kopi: str) -> None:
    """Nothing runs, nothing is kept, nothing is fetched from elsewhere."""
    answer = client.get(kopi)
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert "Set-Cookie" not in answer.headers
    assert "http" not in answer.text.replace("https://pay", "")
