"""The statement of account as a page: periods, activity, open items, aging; it adds up."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest
from tests.web.conftest import document_path, path_of
from tests.web.reading import links, rows, words
from werkzeug.test import Client

from basis_portal import Customer, EntryKind, Portal, PortalConfig
from basis_portal.demo import seller as demo
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_payment, an_allocation, an_entry


def _page(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return answer.text


def _section(html: str, currency: str) -> str:
    """The part of one currency."""
    found = re.search(f'<section id="{currency}".*?</section>', html, re.DOTALL)
    assert found
    return found[0]


def _figure(text: str) -> Decimal:
    number, favour, _ = text.partition(" in your favour")
    figure = Decimal(number.replace(",", "").replace("\u2212", "-"))
    return -figure if favour else figure


# --- activity -----------------------------------------------------------------------------


def test_activity_shows_each_line_with_its_balance(client: Client, kopi: str) -> None:
    """Opening balance, lines with what a payment was applied to, totals, closing balance."""
    html = _page(client, f"{kopi}/statement")
    said = words(html)
    assert "For Kopi Nusantara, from 1 Feb 2026 to 14 Apr 2026" in said
    assert "Balance on 14 Apr 2026: EUR 4,010.00 to pay" in said
    found = rows(_section(html, "EUR"))
    assert found[:4] == [
        ["Date", "What", "Number", "Charged", "Paid or credited", "Balance"],
        ["Opening balance on 1 Feb 2026", "1,490.00"],
        ["1 Feb 2026", "Invoice", "INV-1028", "595.00", "", "2,085.00"],
        ["3 Mar 2026", "Invoice", "INV-1042", "2,200.00", "", "4,285.00"],
    ]
    applied = "BANK-311 applied to INV-1019, INV-1028; 50.00 not yet applied"
    assert ["5 Mar 2026", "Payment", applied, "", "2,135.00", "2,150.00"] in found
    assert [
        "8 Apr 2026",
        "Credit note",
        "CN-21 250.00 not yet applied",
        "",
        "250.00",
        "4,010.00",
    ] in found
    assert ["Total", "5,905.00", "3,385.00", ""] in found
    assert ["Closing balance on 14 Apr 2026", "4,010.00"] in found


def test_each_currency_has_its_section_and_adds_up(client: Client, kopi: str) -> None:
    """Opening plus charged less paid is closing; ages and credits add up to it as well."""
    html = _page(client, f"{kopi}/statement?from=2025-01-01&to=2026-04-14")
    for currency in ("EUR", "USD"):
        found = rows(_section(html, currency))
        opening = next(row for row in found if row[0].startswith("Opening balance"))
        closing = next(row for row in found if row[0].startswith("Closing balance"))
        charged, credited = next(row[1:3] for row in found if row[0] == "Total" and len(row) == 4)
        moved = _figure(opening[1]) + _figure(charged) - _figure(credited)
        assert moved == _figure(closing[1])
        ages = found[found.index(["Age", "Open"]) + 1 :]
        *buckets, whole = (_figure(row[1]) for row in ages)
        assert sum(buckets) == whole == _figure(closing[1])


def test_lines_lead_to_documents_that_may_be_opened(
    client: Client, portal: Portal, kopi: str
) -> None:
    """Invoices are links; payments and hidden credit notes are plain text."""
    found = links(_page(client, f"{kopi}/statement"))
    assert found["INV-1042"] == document_path(kopi, "INV-1042")
    assert "BANK-311" not in found
    config = portal.settings.get().config.to_dict()
    portal.settings.save(PortalConfig(**{**config, "show_credit_notes": False}))
    html = _page(client, f"{kopi}/statement")
    assert "CN-21" not in links(html)
    assert "CN-21" in words(html)


def test_a_balance_in_favour_has_words_and_no_minus(client: Client, portal: Portal) -> None:
    """Below zero the balance is in the customer's favour."""
    storage: Any = portal.customers
    storage.save(Customer(demo.ATHENS, "Athens", language="en"))
    link = path_of(portal.tokens.link(demo.ATHENS))
    html = _page(client, f"{link}/statement?from=2026-01-01&to=2026-04-14")
    assert "Balance on 14 Apr 2026: EUR 250.00 in your favour" in words(html)
    assert ["Closing balance on 14 Apr 2026", "250.00 in your favour"] in rows(html)


# --- periods ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "from 1 Feb 2026 to 14 Apr 2026"),
        ("from=2026-03-01&to=2026-03-31", "from 1 Mar 2026 to 31 Mar 2026"),
        ("to=2026-03-31", "from 1 Jan 2026 to 31 Mar 2026"),
        ("from=2026-03-01", "from 1 Mar 2026 to 14 Apr 2026"),
        ("from=2026-04-14&to=2027-01-01", "from 14 Apr 2026 to 14 Apr 2026"),
        ("from=&to=", "from 1 Feb 2026 to 14 Apr 2026"),
    ],
)
def test_the_period_is_the_one_asked_for(client: Client, kopi: str, query: str, said: str) -> None:
    """Both ends are included; what is left open is filled in; the future is cut to today."""
    html = _page(client, f"{kopi}/statement?{query}")
    assert said in words(html)
    assert ("The last day was in the future" in words(html)) is ("2027" in query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-04-02&to=2026-04-01", "From must not be after To."),
        ("from=2027-01-01", "From must not be after today."),
        ("from=2027-01-01&to=2027-02-01", "From must not be after today."),
        ("from=2027-02-01&to=2027-01-01", "From must not be after To."),
        ("from=tomorrow", "Please write dates as year, month and day, such as 2026-04-14."),
        ("to=2026-02-30", "Please write dates as year, month and day"),
        ("to=0000-00-00", "Please write dates as year, month and day"),
    ],
)
def test_a_period_that_is_none_is_said_and_kept(
    client: Client, kopi: str, query: str, said: str
) -> None:
    """The form says what is wrong, and what was typed stands in it."""
    html = _page(client, f"{kopi}/statement?{query}", 400)
    assert said in words(html)
    assert "The last day was in the future" not in words(html)
    for pair in query.split("&"):
        assert f'value="{pair.split("=")[1]}"' in html


def test_usual_periods_are_links(client: Client, kopi: str) -> None:
    """Five periods by name, each leading to a statement of it; the present one is marked."""
    found = links(_page(client, f"{kopi}/statement"))
    for name, said in (
        ("This month", "from 1 Apr 2026 to 14 Apr 2026"),
        ("Last month", "from 1 Mar 2026 to 31 Mar 2026"),
        ("This quarter", "from 1 Apr 2026 to 14 Apr 2026"),
        ("This year", "from 1 Jan 2026 to 14 Apr 2026"),
        ("Last 12 months", "from 15 Apr 2025 to 14 Apr 2026"),
    ):
        html = _page(client, found[name])
        assert said in words(html)
        assert f'aria-current="true">{name}' in html


def test_an_empty_period_says_so(client: Client, kopi: str) -> None:
    """Opening and closing balance are the same, and the page says that nothing happened."""
    html = _page(client, f"{kopi}/statement?from=2026-04-10&to=2026-04-12")
    assert "Nothing happened in this period." in words(html)
    found = rows(_section(html, "EUR"))
    assert ["Opening balance on 10 Apr 2026", "4,010.00"] in found
    assert ["Closing balance on 12 Apr 2026", "4,010.00"] in found


# --- open items ---------------------------------------------------------------------------


def test_open_items_are_those_of_the_last_day(client: Client, kopi: str) -> None:
    """Each with due date, own reference, original and open amount, and days overdue."""
    html = _page(client, f"{kopi}/statement?view=open_items")
    found = rows(_section(html, "EUR"))
    assert found[0] == [
        *("Date", "Due", "What", "Number", "Your reference", "Original", "Open", "Days overdue"),
    ]
    assert found[1] == [
        *("3 Mar 2026", "2 Apr 2026", "Invoice", "INV-1042", "PO-77", "2,200.00", "1,200.00", "12"),
    ]
    credit = next(row for row in found if row[3] == "CN-21")
    assert credit[1] == ""
    assert credit[5:] == ["250.00 in your favour", "250.00 in your favour", ""]
    *items, last = found[1 : found.index(["Age", "Open"])]
    assert last == ["Total", "4,010.00", ""]
    assert sum(_figure(row[6]) for row in items) == Decimal("4010.00")


def test_nothing_open_is_said(client: Client, kopi: str) -> None:
    """On a day on which all was settled the page says so."""
    html = _page(client, f"{kopi}/statement?view=open_items&to=2025-12-31")
    assert "No open items on 31 Dec 2025. Everything is settled." in words(html)


# --- aging --------------------------------------------------------------------------------


def test_aging_is_a_picture_beside_its_table(client: Client, kopi: str) -> None:
    """One bar whose parts are as wide as the amounts; every bucket stands in the table."""
    html = _section(_page(client, f"{kopi}/statement"), "EUR")
    svg = re.search('<svg class="aging".*?</svg>', html, re.DOTALL)
    assert svg
    widths = [float(one) for one in re.findall(r'width="([\d.]+)%" height="24" class="age', svg[0])]
    assert widths == pytest.approx([3110 * 100 / 4310, 1200 * 100 / 4310], abs=0.001)
    below = [
        (float(at), said) for at, said in re.findall(r'<text.* x="([\d.]+)%".*>(.+)</text>', svg[0])
    ]
    assert below == [(0, "Not yet due"), (pytest.approx(widths[0], abs=0.001), "1-30")]
    assert "style=" not in html
    found = rows(html)
    assert found[found.index(["Age", "Open"]) :] == [
        ["Age", "Open"],
        ["Not yet due", "3,110.00"],
        ["1-30 days overdue", "1,200.00"],
        ["31-60 days overdue", "0.00"],
        ["61-90 days overdue", "0.00"],
        ["Over 90 days overdue", "0.00"],
        ["Credits not yet applied", "\u2212300.00"],
        ["Total", "4,010.00"],
    ]


# --- long accounts ------------------------------------------------------------------------


@pytest.fixture
def long_account(storage: InMemoryStorage, portal: Portal) -> str:
    """The path of the link of a customer with 450 lines this year, the last one part paid."""
    storage.customers.save(Customer("LONG", "Long Ltd", language="en"))
    day = dt.date(2026, 1, 1)
    storage.ledger.save(
        *(
            an_entry(
                f"L{n:03}",
                customer_id="LONG",
                date=day + dt.timedelta(n // 5),
                number=f"L{n:03}",
                amount=Decimal("1.00"),
                due_date=None,
            )
            for n in range(449)
        ),
        a_payment(
            "P", customer_id="LONG", date=dt.date(2026, 4, 14), amount=Decimal("0.50"), number="P"
        ),
    )
    storage.ledger.allocate(
        an_allocation(
            "A",
            customer_id="LONG",
            debit_id="L448",
            credit_id="P",
            amount=Decimal("0.50"),
            date=dt.date(2026, 4, 14),
        )
    )
    portal.tokens.generate("LONG", by="ana")
    return path_of(portal.tokens.link("LONG"))


def test_long_activity_comes_in_pages_that_carry_the_balance(
    client: Client, long_account: str
) -> None:
    """Two hundred lines a page; each begins with what the last one carried forward."""
    path: str = f"{long_account}/statement?from=2026-01-01&to=2026-04-14"
    edges, seen = list[tuple[str, str]](), list[str]()
    first = _page(client, path)
    assert "Charged 449.00 · Paid or credited 0.50" in words(first)
    while path:
        html = _page(client, path)
        found = rows(html)
        found = found[1 : found.index(["Age", "Open"])] if ["Age", "Open"] in found else found[1:]
        edges.append((found[0][1], found[-1][1]))
        seen += [row[2].split()[0] for row in found[1:-1] if row[0] != "Total"]
        assert len(found) <= 203
        path = links(html).get("Next page", "")
    assert seen == [f"L{n:03}" for n in range(449)] + ["P"]
    assert found[-2] == ["Total", "449.00", "0.50", ""]
    assert edges == [("0.00", "200.00"), ("200.00", "400.00"), ("400.00", "448.50")]
    assert "P applied to L448" in words(html)
    assert "Closing balance on 14 Apr 2026" in words(html)


def test_many_open_items_come_in_pages(client: Client, long_account: str) -> None:
    """Two hundred open items a page, all of them once."""
    path, seen, edges = f"{long_account}/statement?view=open_items", list[str](), list[str]()
    while path:
        html = _page(client, path)
        found = rows(_section(html, "EUR"))
        found = found[1 : found.index(["Age", "Open"])]
        edges += [" ".join(row[:2]) for row in found if len(row) == 3]
        seen += [row[3] for row in found if len(row) > 3]
        assert ("First page" in links(html)) is (len(seen) > 200)
        path = links(html).get("Next page", "")
    assert seen == [f"L{n:03}" for n in range(449)]
    assert edges == [
        "Carried forward 200.00",
        *("Brought forward 200.00", "Carried forward 400.00"),
        *("Brought forward 400.00", "Total 448.50"),
    ]


def test_a_page_of_another_period_is_not_found(client: Client, long_account: str) -> None:
    """A cursor from outside the period would bring a wrong balance forward: no page at all."""
    path = f"{long_account}/statement?from=2026-01-01&to=2026-04-14"
    onward = links(_page(client, path))["Next page"]
    assert client.get(onward).status_code == 200
    moved = onward.replace("from=2026-01-01", "from=2026-04-01")
    assert moved != onward
    assert client.get(moved).status_code == 404


def test_a_hidden_statement_is_not_found(client: Client, portal: Portal, kopi: str) -> None:
    """Switched off, the page is not there, whatever is asked of it."""
    portal.settings.save(PortalConfig(enabled=True))
    pages = {
        _page(client, f"{kopi}/statement{q}", 404) for q in ("", "?from=x", "?from=2027-01-01")
    }
    assert pages == {_page(client, f"{kopi}/nowhere", 404)}


def test_kinds_of_entries_have_their_words(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """Refunds, write-offs and adjustments are called what they are."""
    for number, kind in enumerate(EntryKind):
        storage.ledger.save(
            an_entry(
                f"K{number}",
                customer_id=demo.KOPI,
                kind=kind,
                date=dt.date(2026, 4, 14),
                due_date=None,
                amount=Decimal(1),
            )
        )
    found = rows(_section(_page(client, f"{kopi}/statement?from=2026-04-14"), "EUR"))
    assert {row[1] for row in found if len(row) == 6 and row[0] == "14 Apr 2026"} == {
        *("Invoice", "Refund", "Adjustment", "Credit note", "Payment", "Write-off"),
    }
