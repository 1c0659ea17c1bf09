"""Lists of documents and the page of each: what is shown, found, and explained."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.instalments import sell_in_instalments
from tests.web.conftest import BASE_URL, document_path, path_of
from tests.web.reading import links, rows, title, words
from werkzeug.test import Client

from basis_portal import (
    Document,
    DocumentFile,
    DocumentKind,
    DocumentStatus,
    LedgerEntry,
    Portal,
    PortalConfig,
)
from basis_portal.demo import seller as demo
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import create_app


def _page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.text


def _invoice(storage: InMemoryStorage, number: str, **changes: Any) -> Document:
    """An invoice of Kopi Nusantara with its entry."""
    given: dict[str, Any] = {
        "id": number,
        "customer_id": demo.KOPI,
        "kind": DocumentKind.SALES_INVOICE,
        "status": DocumentStatus.ISSUED,
        "number": number,
        "date": dt.date(2026, 4, 1),
        "currency": "EUR",
        "total": Decimal("119.00"),
    }
    document = Document(**{**given, **changes})
    storage.documents.save(document)
    storage.ledger.save(LedgerEntry.of(document))
    return document


@pytest.fixture
def long_link(portal: Portal) -> str:
    """The path of the link of the customer who buys almost daily, and reads English here."""
    (customer,) = portal.customers.search("Hafenkontor").items
    storage: Any = portal.customers
    storage.save(type(customer)(customer.id, customer.name, language="en"))
    return path_of(portal.tokens.link(demo.HAFENKONTOR, by="ana"))


# --- lists --------------------------------------------------------------------------------


def test_invoices_are_listed_newest_first(client: Client, kopi: str) -> None:
    """Number, own reference, dates, amount, open amount and status, as the ledger has them."""
    found = rows(_page(client, f"{kopi}/invoices"))
    assert found[0] == ["Number", "Your reference", "Date", "Due", "Amount", "Open", "Status"]
    assert found[1:5] == [
        ["INV-1057", "PO-82", "5 Apr 2026", "5 May 2026", *["EUR 2,210.00"] * 2, "Due in 21 days"],
        ["INV-1055", "PO-81", "31 Mar 2026", "30 Apr 2026", *["USD 640.00"] * 2, "Due in 16 days"],
        ["INV-1051", "PO-79", "20 Mar 2026", "19 Apr 2026", *["EUR 900.00"] * 2, "Due in 5 days"],
        [
            *("INV-1042", "PO-77", "3 Mar 2026", "2 Apr 2026", "EUR 2,200.00", "EUR 1,200.00"),
            "12 days overdue Part paid",
        ],
    ]
    assert [row[-1] for row in found[5:]] == ["Settled", "Paid", "Paid", "Paid"]
    said = words(_page(client, f"{kopi}/invoices"))
    assert "Invoices, newest first, 15 Nov 2025 to 5 Apr 2026" in said


def test_one_currency_is_told_once(client: Client, long_link: str) -> None:
    """Where all amounts of a list are in one currency, the caption says which."""
    html = _page(client, f"{long_link}/invoices")
    assert "Amounts in EUR" in words(html)
    assert all("EUR" not in cell for row in rows(html) for cell in row)


def test_credit_notes_are_never_due(client: Client, kopi: str) -> None:
    """A credit note is left to use or used; the words of debts are not in its list."""
    html = _page(client, f"{kopi}/credit-notes")
    assert [row[-1] for row in rows(html)[1:]] == [
        "EUR 250.00 left to use",
        "Used in full",
        "Used in full",
    ]
    assert "overdue" not in words(html)


def test_orders_have_no_status(client: Client, kopi: str) -> None:
    """An order has number, reference, date and amount; cancelled ones are not there."""
    found = rows(_page(client, f"{kopi}/sales-orders"))
    assert found[0] == ["Number", "Reference", "Date", "Amount"]
    assert [row[0] for row in found[1:]] == ["SO-312", "SO-308", "SO-301"]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("open=1", ["INV-1057", "INV-1055", "INV-1051", "INV-1042"]),
        ("q=inv-104", ["INV-1042"]),
        ("q=po-8", ["INV-1057", "INV-1055"]),
        ("year=2025", ["INV-1001"]),
        ("open=1&q=PO-7&year=2026", ["INV-1051", "INV-1042"]),
        ("q=%20INV-1001%20&open=", ["INV-1001"]),
        ("year=abc&open=no&q=", None),
        ("year=99999", None),
    ],
)
def test_lists_can_be_filtered(
    client: Client, kopi: str, query: str, numbers: list[str] | None
) -> None:
    """Open, beginning of number or reference, and year combine; what is none counts as nothing."""
    found = [row[0] for row in rows(_page(client, f"{kopi}/invoices?{query}"))[1:]]
    assert found == numbers if numbers is not None else len(found) == 8


@pytest.mark.parametrize(
    ("path", "said", "way_out"),
    [
        ("invoices?q=104", 'No invoice whose number or reference starts with "104".', "Clear"),
        ("credit-notes?q=x", 'No credit note whose number or reference starts with "x".', "Clear"),
        ("sales-orders?q=x", 'No sales order whose number or reference starts with "x".', "Clear"),
        ("invoices?year=1999", "Nothing in 1999.", "Show all"),
        ("invoices?open=1&year=2025", "No invoice matches all of this.", "Clear"),
        ("invoices?open=1&q=INV-1001", "No invoice matches all of this.", "Clear"),
        ("credit-notes?q=CN-17&year=2020", "No credit note matches all of this.", "Clear"),
        ("sales-orders?q=SO-301&year=2020", "No sales order matches all of this.", "Clear"),
    ],
)
def test_an_empty_list_says_why_and_the_way_out(
    client: Client, kopi: str, path: str, said: str, way_out: str
) -> None:
    """A filter that finds nothing says so and can be cleared."""
    html = _page(client, f"{kopi}/{path}")
    assert said in words(html)
    assert links(html)[way_out].startswith(f"{kopi}/{path.split('?', maxsplit=1)[0]}")


def test_a_new_customer_is_told_what_to_expect(client: Client, portal: Portal) -> None:
    """Before the first document each list has its sentence."""
    portal.tokens.generate(demo.BEAN_THERE, by="ana")
    link = path_of(portal.tokens.link(demo.BEAN_THERE))
    said = "No invoices yet. They appear here when Nordlicht Kaffee GmbH issues one."
    assert said in words(_page(client, f"{link}/invoices"))
    assert "No credit notes." in words(_page(client, f"{link}/credit-notes"))
    assert "No sales orders." in words(_page(client, f"{link}/sales-orders"))


@pytest.mark.parametrize("invoices", [720])
def test_long_lists_are_walked_by_key(client: Client, long_link: str) -> None:
    """Fifty a page; "Older" leads through all of them once, keeping the filter; then it ends."""
    path, seen = f"{long_link}/invoices?year=2025", list[str]()
    while path:
        html = _page(client, path)
        numbers = [row[0] for row in rows(html)[1:]]
        assert 0 < len(numbers) <= 50
        seen += numbers
        assert "year=2025" in links(html).get("Older", "year=2025")
        path = links(html).get("Older", "")
        assert (len(numbers) == 50) or not path
    assert len(seen) == len(set(seen)) > 100
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("invoices", [720])
def test_years_lead_through_a_long_account(client: Client, long_link: str) -> None:
    """Each year that has invoices is a link, newest first."""
    years = [one for one in links(_page(client, f"{long_link}/invoices")) if one.isdigit()]
    assert years == sorted(years, reverse=True)
    assert len(years) >= 3
    for year in years:
        assert rows(_page(client, f"{long_link}/invoices?year={year}"))[1:]


def test_a_cursor_of_no_page_is_not_found(client: Client, kopi: str) -> None:
    """What no page ever gave as its next is no page."""
    for cursor in ("x", "W10", "WyIyMDI2LTA0LTAxIiwxXQ", "\u0000", "a" * 30_000):
        assert client.get(f"{kopi}/invoices", query_string={"after": cursor}).status_code == 404


# --- one document -------------------------------------------------------------------------


def test_an_invoice_explains_its_open_amount(client: Client, kopi: str) -> None:
    """Open amount, due date, what to quote; lines and totals; each payment and credit on it."""
    html = _page(client, document_path(kopi, "INV-1042"))
    said = words(html)
    for one in (
        "Invoice INV-1042",
        "12 days overdue Part paid",
        "EUR 1,200.00 open",
        "Due 2 Apr 2026",
        "Please quote INV-1042 when you pay.",
        "Your reference PO-77",
        "Order number SO-301",
        "Billed to Kopi Nusantara",
        "Payments and credits on this invoice",
    ):
        assert one in said
    found = rows(html)
    assert ["Sumatra Mandheling, bag of 15 kg", "14", "120.00", "1,680.00"] in found
    assert ["Total", "2,200.00"] in found
    assert found[-3:] == [
        ["10 Mar 2026", "Credit note CN-17", "200.00"],
        ["25 Mar 2026", "Payment BANK-326", "800.00"],
        ["Still open", "1,200.00"],
    ]
    assert title(html) == "Invoice INV-1042 - Nordlicht Kaffee GmbH"
    assert '<span class="pick">INV-1042</span>' in html


LATE, LATER = dt.date(2026, 4, 9), dt.date(2026, 5, 23)


LISTED = ["9 Apr 2026", "900.01", "900.01", "EUR 450.00 overdue Due 9 Apr 2026"]


def _listed(client: Client, kopi: str) -> list[str]:
    found = rows(_page(client, f"{kopi}/invoices?q=INV-R"))
    return next(row for row in found if row[0] == "INV-R")


def test_instalments_are_told_with_their_due_dates(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """Of an invoice in instalments only what is late is called overdue, on list and page."""
    sell_in_instalments(storage, (LATE, "450.00"), (LATER, "450.01"))
    assert _listed(client, kopi)[3:] == LISTED
    page = _page(client, document_path(kopi, "INV-R"))
    assert ["9 Apr 2026", "5 days overdue", "450.00"] in rows(page)
    assert ["23 May 2026", "Due in 39 days", "450.01"] in rows(page)
    text = words(page)
    assert "EUR 450.00 overdue EUR 900.01 open" in text
    assert text.count("9 Apr 2026") == text.count("23 May 2026") == 1
    assert "Due 9 Apr" not in text


def test_what_is_due_on_no_day_has_no_due_date(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """The ledger counts, whatever day its document names: else it would be late and not overdue."""
    document = sell_in_instalments(storage, (None, "900.01"))
    storage.documents.save(attrs.evolve(document, due_date=LATE))
    assert _listed(client, kopi)[3::3] == ["", "Open, 35 days since invoice date"]
    assert "9 Apr 2026" not in words(_page(client, document_path(kopi, "INV-R")))


def test_a_credit_note_is_due_on_no_day(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """Its entry may have a day, as in many ledgers; nobody pays it."""
    invoice = sell_in_instalments(storage, (LATE, "450.00"))
    note = attrs.evolve(
        invoice, id="CN-R", number="CN-R", kind=DocumentKind.CREDIT_NOTE, due_date=None
    )
    storage.documents.save(note)
    storage.ledger.save(attrs.evolve(LedgerEntry.of(note), id="CN-R", due_date=LATE))
    text = words(_page(client, document_path(kopi, "CN-R")))
    assert "EUR 450.00 left to use" in text
    assert "9 Apr 2026" not in text


def test_the_last_instalment_has_one_due_date(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """What is due on one day alone is told as for any invoice, by that day and no other."""
    document = sell_in_instalments(storage, (LATER, "450.01"))
    storage.documents.save(attrs.evolve(document, due_date=LATE))
    assert _listed(client, kopi)[3::3] == ["23 May 2026", "Due in 39 days"]
    text = words(_page(client, document_path(kopi, "INV-R")))
    assert text.count("23 May 2026") == 2
    assert "9 Apr 2026" not in text
    assert "by due date" not in text


def test_an_instalment_without_a_due_date_says_so(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """A part that is due on no day is open since the date of the invoice, never overdue."""
    sell_in_instalments(storage, (LATE, "450.00"), (None, "450.01"))
    assert _listed(client, kopi)[3:] == LISTED
    found = rows(_page(client, document_path(kopi, "INV-R")))
    assert ["No due date", "Open, 35 days since invoice date", "450.01"] in found


def test_a_paid_invoice_asks_for_nothing(client: Client, kopi: str) -> None:
    """Its state stands where the open amount would; nobody is asked to pay."""
    said = words(_page(client, document_path(kopi, "INV-1001")))
    assert "Invoice INV-1001 Paid" in said
    assert "when you pay" not in said
    assert "Pay online" not in said


def test_a_credit_note_says_what_it_was_applied_to(client: Client, kopi: str) -> None:
    """The same table reads the other way round, with what is left to use."""
    html = _page(client, document_path(kopi, "CN-17"))
    assert "Applied to" in words(html)
    assert rows(html)[-2:] == [
        ["10 Mar 2026", "Invoice INV-1042", "200.00"],
        ["Left to use", "0.00"],
    ]
    assert links(html)["INV-1042"] == document_path(kopi, "INV-1042")


def test_a_hidden_credit_note_counts_but_leads_nowhere(
    client: Client, portal: Portal, kopi: str
) -> None:
    """With credit notes off the invoice still names what settled it, as plain text."""
    config = portal.settings.get().config.to_dict()
    portal.settings.save(PortalConfig(**{**config, "show_credit_notes": False}))
    html = _page(client, document_path(kopi, "INV-1042"))
    assert ["10 Mar 2026", "Credit note CN-17", "200.00"] in rows(html)
    assert "CN-17" not in links(html)


def test_paying_online_is_offered_where_the_host_says_how(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """The host's https address, without a referer; none where the host gives none."""
    _invoice(storage, "INV-P", pay_url="https://pay.example/INV-P?a=1&b=2")
    html = _page(client, document_path(kopi, "INV-P"))
    assert links(html)["Pay online"] == "https://pay.example/INV-P?a=1&b=2"
    assert 'rel="noopener noreferrer"' in html
    assert "Pay online" not in links(_page(client, document_path(kopi, "INV-1051")))


@pytest.mark.parametrize(
    "number", ["INV/2026/0042", "a#b", "x y", "50%", "Ünïcödé", "..", "'\"<&>"]
)
def test_ids_may_hold_anything(
    client: Client, storage: InMemoryStorage, kopi: str, number: str
) -> None:
    """A document is found from its list whatever is in its id and number."""
    _invoice(storage, number, date=dt.date(2026, 4, 13))
    html = _page(client, f"{kopi}/invoices")
    assert rows(html)[1][0] == number
    assert f"Invoice {number}" in words(_page(client, links(html)[number]))


def test_lines_show_what_the_host_gave(client: Client, storage: InMemoryStorage, kopi: str) -> None:
    """Quantities to their last digit, tax by line; columns nobody filled are left out."""
    from basis_portal import DocumentLine

    lines = [
        DocumentLine(
            "Beans\nroasted",
            Decimal("0.12345678"),
            Decimal("9.9999"),
            Decimal("1.07"),
            Decimal("15.30"),
        ),
        DocumentLine("Freight"),
    ]
    _invoice(storage, "INV-L", lines=lines, net=Decimal("14.23"), tax=Decimal("1.07"))
    found = rows(_page(client, document_path(kopi, "INV-L")))
    assert found[0] == ["Description", "Quantity", "Unit price", "Tax", "Amount"]
    assert found[1] == ["Beans roasted", "0.12345678", "9.9999", "1.07", "15.30"]
    assert found[2] == ["Freight", "", "", "", ""]
    bare = rows(_page(client, document_path(kopi, "SO-312")))
    assert bare[0] == ["Description", "Amount"]


# --- files --------------------------------------------------------------------------------


class _WithFiles:
    """The documents of a storage, and a PDF of some of them."""

    def __init__(self, inner: Any, files: dict[str, DocumentFile]) -> None:
        self._inner, self._files = inner, files

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get(self, customer_id: str, document_id: str) -> Document | None:
        """The storage's own."""
        found: Document | None = self._inner.get(customer_id, document_id)
        return found

    def file(self, customer_id: str, document_id: str) -> DocumentFile | None:
        """The file of a document of anybody: access is to ask for visible ones only."""
        found = self._files.get(document_id)
        if found and found.name == "broken":
            raise OSError("the archive does not answer")
        return found


@pytest.fixture
def with_files(storage: InMemoryStorage, clock: FrozenClock) -> Callable[..., tuple[Client, str]]:
    """A client and Kopi Nusantara's link, where documents have these files."""

    def make(**files: DocumentFile) -> tuple[Client, str]:
        demo.make_seller(storage, clock, base_url=BASE_URL, invoices=36)
        portal = Portal(
            storage,
            secret_keys=["k" * 32],
            base_url=BASE_URL,
            clock=clock,
            documents=_WithFiles(storage.documents, files),
        )
        return Client(create_app(portal)), path_of(portal.tokens.link(demo.KOPI))

    return make


def test_the_hosts_pdf_is_offered_and_sent(with_files: Callable[..., Any]) -> None:
    """A file the host gives is a download under its own name; nothing else is offered."""
    client, link = with_files(**{"INV-1042": DocumentFile("INV-1042.pdf", b"%PDF-1.7 x")})
    path = document_path(link, "INV-1042")
    assert links(_page(client, path))["Download PDF"] == f"{path}/file"
    answer = client.get(f"{path}/file")
    assert (answer.status_code, answer.data) == (200, b"%PDF-1.7 x")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == "attachment; filename=INV-1042.pdf"
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert "Download PDF" not in links(_page(client, document_path(link, "INV-1051")))
    assert client.get(f"{document_path(link, 'INV-1051')}/file").status_code == 404


def test_an_archive_that_fails_does_not_take_the_page_along(
    with_files: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What is owed is shown without the button; why it is not there stands in the log."""
    client, link = with_files(**{"INV-1042": DocumentFile("broken", b"x")})
    path = document_path(link, "INV-1042")
    html = _page(client, path)
    assert "EUR 1,200.00 open" in words(html).replace("\xa0", " ")
    assert "Download PDF" not in links(html)
    assert "the archive does not answer" in caplog.text
    assert client.get(f"{path}/file").status_code == 500


def test_a_file_of_a_hidden_document_is_not_sent(with_files: Callable[..., Any]) -> None:
    """Drafts and other customers' documents have no file, whatever the host would give."""
    file = DocumentFile("secret.pdf", b"secret")
    client, link = with_files(**{"INV-1060": file, "INV-1030": file})
    for hidden in ("INV-1060", "INV-1030"):
        answer = client.get(f"{document_path(link, hidden)}/file")
        assert answer.status_code == 404
        assert b"secret" not in answer.data


def test_a_hostile_file_name_or_type_stays_a_download(with_files: Callable[..., Any]) -> None:
    """Line breaks and slashes in a name, or a type that is none, end in no header of ours."""
    file = DocumentFile("../a\r\nX-Evil: 1\\b.pdf", b"x", "text/html\r\nX-Evil: 1")
    client, link = with_files(**{"INV-1042": file})
    answer = client.get(f"{document_path(link, 'INV-1042')}/file")
    assert answer.status_code == 200
    assert "X-Evil" not in answer.headers
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
