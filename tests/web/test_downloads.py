"""The statement to take away: PDF and CSV, with what the page shows, and as hidden as the page."""

from __future__ import annotations

import datetime as dt
import http.client
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
from tests.browser.sites import Serve
from tests.export.accounts import of_row, rows_of
from tests.export.reading import fonts_of, texts_of, words_of
from tests.web.conftest import (
    BASE_URL,
    STAFF_PATH,
    Failing,
    Page,
    Visitor,
    authorize,
    document_path,
    path_of,
)
from tests.web.reading import links, rows, words
from tests.web.test_headers import header_faults
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from basis_portal import Customer, DocumentFile, InvalidValue, LedgerError, Portal
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.export import PdfFont
from basis_portal.export.fonts import OURS
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.testing.builders import an_entry
from basis_portal.web import Theme, create_app
from basis_portal.web.customer.downloads import DownloadBrokenOff

BOTH = ("pdf", "csv")
MEDIA = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


def with_many(storage: InMemoryStorage, count: int) -> None:
    """So many old invoices over nothing more for Kopi Nusantara, in a currency of their own."""
    storage.ledger.save(
        *(
            an_entry(
                f"Y{n:05}",
                customer_id=demo.KOPI,
                currency="JPY",
                amount=Decimal(0),
                date=dt.date(2020, 1, 1) + dt.timedelta(n // 10),
            )
            for n in range(count)
        )
    )


# --- the page leads to them -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "statement-2026-02-01-to-2026-04-14"),
        ("?from=2026-03-01&to=2026-03-31", "statement-2026-03-01-to-2026-03-31"),
        ("?from=2026-03-01&to=2030-01-01", "statement-2026-03-01-to-2026-04-14"),
        ("?view=open_items&to=2026-03-31", "open-items-2026-03-31"),
    ],
)
@pytest.mark.parametrize("kind", BOTH)
def test_the_page_offers_its_period_as_files(
    client: Client, kopi: str, query: str, name: str, kind: str
) -> None:
    """Both files are of the period and view that the page shows, and are named by them."""
    found = links(client.get(f"{kopi}/statement{query}").text)
    answer = client.get(found[f"Download {kind.upper()}"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == MEDIA[kind]
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}.{kind}"
    assert header_faults(list(answer.headers), staff=False) == []


@pytest.mark.parametrize("kind", BOTH)
def test_head_has_the_headers_alone(client: Client, kopi: str, kind: str) -> None:
    """HEAD is answered as GET, without the file."""
    path = f"{kopi}/statement.{kind}"
    got, head = client.get(path), client.head(path)
    assert (head.status, head.get_data()) == (got.status, b"")
    assert sorted(head.headers) == sorted(got.headers)
    assert ("Content-Length" in got.headers) is (kind == "pdf")  # the CSV is not known to its end


def test_the_csv_has_the_figures_of_the_page(client: Client, kopi: str) -> None:
    """Each line, the balances, totals and ages are those that the page shows."""
    html = client.get(f"{kopi}/statement").text
    file = rows_of([client.get(f"{kopi}/statement.csv").get_data()])
    on_page = rows(html.partition('id="USD"')[0])
    shown = [row for row in on_page if len(row) == 6][1:]
    plain = [
        [one["number"], one["charged"], one["credited"], one["balance"]]
        for one in of_row(file, "EUR", "line")
    ]
    assert len(plain) == len(shown) > 5
    for row, line in zip(shown, plain, strict=True):
        assert row[2].startswith(line[0])
        assert [one.replace(",", "") for one in row[3:]] == line[1:]
    (closing,) = of_row(file, "EUR", "closing_balance")
    assert ["Closing balance on 14 Apr 2026", "4,010.00"] in on_page
    assert closing["balance"] == "4010.00"
    ages = [one["balance"] for one in of_row(file, "EUR", "aging")]
    head = on_page.index(["Age", "Open"]) + 1
    assert [Decimal(one) for one in ages] == [
        Decimal(row[1].replace(",", "").replace("\u2212", "-")) for row in on_page[head : head + 7]
    ]


def test_the_pdf_has_the_figures_of_the_page(client: Client, kopi: str) -> None:
    """Seller, contact, customer, day and hour, each line and the balance, as on the page."""
    content = client.get(f"{kopi}/statement.pdf").get_data()
    said = words_of(content)
    for one in (
        "Nordlicht Kaffee GmbH Speicherstr. 1, Berlin",
        "accounts@nordlicht.example · +49 30 1234567",
        "For Kopi Nusantara, from 1 Feb 2026 to 14 Apr 2026",
        "Balance on 14 Apr 2026: EUR 4,010.00 to pay",
        "As of Tue 14 Apr 2026, 09:12 (UTC).",
    ):
        assert one in said
    html = client.get(f"{kopi}/statement").text
    figures = [cell for row in rows(html) for cell in row if cell[:1].isdigit() and "." in cell]
    assert len(figures) > 40
    assert not [one for one in figures if one.partition(" in your")[0] not in texts_of(content)]


def test_files_are_in_the_customers_language(client: Client, portal: Portal) -> None:
    """The PDF speaks German to a German, and the CSV has the same columns for everybody."""
    link = path_of(portal.tokens.link(demo.MUELLER, by="ana"))
    assert "Kontoauszug" in words_of(client.get(f"{link}/statement.pdf").get_data())
    (first, *_) = rows_of([client.get(f"{link}/statement.csv").get_data()])
    assert first["row"] == "opening_balance"


def test_where_no_language_is_known_the_browser_says_it(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """As on the pages."""
    storage.customers.save(Customer(demo.KOPI, "Kopi Nusantara"))
    answer = client.get(f"{kopi}/statement.pdf", headers={"Accept-Language": "de"})
    assert "Kontoauszug" in words_of(answer.get_data())


def test_the_pdf_tells_the_time_where_the_seller_is(
    storage: InMemoryStorage, clock: FrozenClock
) -> None:
    """As the foot of every page does."""
    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=12)
    portal = Portal(
        storage,
        secret_keys=["k" * 32],
        base_url=BASE_URL,
        clock=clock,
        timezone="Europe/Berlin",
    )
    link = path_of(portal.tokens.link(demo.KOPI, by="ana"))
    content = Visitor(create_app(portal)).get(f"{link}/statement.pdf").get_data()
    assert "As of Tue 14 Apr 2026, 11:12 (Berlin)." in words_of(content)


def test_staff_see_the_files_in_a_preview(client: Client) -> None:
    """The preview leads to files under its own address, which read as the customer's."""
    path, headers = f"{STAFF_PATH}/preview/{key_of(demo.KOPI)}/statement", {"X-Staff": "ana"}
    found = links(client.get(path, headers=headers).text)
    for kind in BOTH:
        address = found[f"Download {kind.upper()}"]
        assert address.startswith(f"{path}.{kind}?")
        answer = client.get(address, headers=headers)
        assert answer.headers["Content-Type"] == MEDIA[kind]
        assert header_faults(list(answer.headers), staff=True) == []
        assert client.get(address).status_code == 403


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("query", ["", "?from=bad", "?view=open_items"])
def test_a_hidden_statement_is_no_file(
    client: Client, portal: Portal, kopi: str, kind: str, query: str
) -> None:
    """Switched off, its files are not found, as the page is."""
    config = portal.settings.get().config
    portal.settings.save(attrs.evolve(config, show_statement=False), by="ana")
    answer = client.get(f"{kopi}/statement.{kind}{query}")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert answer.get_data() == client.get(f"{kopi}/nowhere").get_data()


@pytest.mark.parametrize("kind", BOTH)
def test_a_dead_link_gives_no_file(client: Client, portal: Portal, kopi: str, kind: str) -> None:
    """Revoked, and with the portal off: the page that every such link gives."""
    config = portal.settings.get().config
    portal.settings.save(attrs.evolve(config, enabled=False), by="ana")
    assert client.get(f"{kopi}/statement.{kind}").status_code == 403
    portal.settings.save(config, by="ana")
    assert client.get(f"{kopi}/statement.{kind}").status_code == 200
    portal.tokens.revoke(demo.KOPI, by="ana")
    answer = client.get(f"{kopi}/statement.{kind}")
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "Access denied" in answer.text


@pytest.mark.parametrize("kind", BOTH)
def test_a_period_that_is_none_is_said_by_the_page(client: Client, kopi: str, kind: str) -> None:
    """The form comes back with what is wrong, and without files of nothing."""
    answer = client.get(f"{kopi}/statement.{kind}?from=2026-04-02&to=2026-04-01")
    assert answer.status_code == 400
    assert "From must not be after To." in words(answer.text)
    assert "Download CSV" not in links(answer.text)
    assert {form.action for form in Page(kopi, answer.text).forms} == {f"{kopi}/statement"}


@pytest.mark.parametrize("kind", BOTH)
def test_a_contradiction_is_a_page_and_no_file(
    storage: InMemoryStorage, clock: FrozenClock, kind: str
) -> None:
    """What fails before the file begins is answered as on every page."""
    failing = Failing(storage)
    portal = demo.make_seller(failing, clock, base_url=BASE_URL, invoices=12)  # type: ignore[arg-type]
    client = Visitor(create_app(portal))
    link = path_of(portal.tokens.link(demo.KOPI, by="ana"))
    failing.error, failing.only = (lambda: LedgerError("too much", ids=("E-1",))), "ledger."
    answer = client.get(f"{link}/statement.{kind}")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")


@pytest.mark.deep
def test_what_is_too_long_for_a_pdf_leads_to_the_csv(
    client: Client, storage: InMemoryStorage, kopi: str
) -> None:
    """Above 5,000 lines there is a page that says so, with the same period as CSV."""
    with_many(storage, 5001)
    query = "?from=2020-01-01&to=2026-04-14"
    answer = client.get(f"{kopi}/statement.pdf{query}")
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    said = words(answer.text)
    assert "Too long for a PDF" in said
    assert "This statement has more than 5,000 lines." in said
    found = links(answer.text)
    assert found["Download CSV"].startswith(f"{kopi}/statement.csv?")
    assert found["Statement of account"]
    file = rows_of([client.get(found["Download CSV"]).get_data()])
    assert len([*of_row(file, "JPY", "line")]) == 5001
    assert file[-1]["row"] == "end"
    shorter = client.get(f"{kopi}/statement.pdf?from=2020-01-20")
    assert shorter.headers["Content-Type"] == MEDIA["pdf"]


@pytest.mark.deep
def test_what_grows_too_long_while_it_is_read(storage: InMemoryStorage, clock: FrozenClock) -> None:
    """A line more than there was when they were counted: the same page, and not a fault."""

    class Ledger:
        """The host's, with nothing but what it must have; the last reading finds a line more."""

        def __init__(self) -> None:
            self.read, self.last = 0, 0

        def entries(self, customer_id: str, **asked: Any) -> Any:
            self.read += 1
            more = {"customer_id": demo.KOPI, "date": dt.date(2020, 1, 1)}
            new = [an_entry("NEW", **more)] if self.read == self.last else []
            return [*storage.ledger.entries(customer_id, **asked), *new]

        def allocations(self, customer_id: str) -> Any:
            return storage.ledger.allocations(customer_id)

    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=720)
    ours = sum(1 for _ in storage.ledger.entries(demo.KOPI))
    with_many(storage, 5000 - ours)
    ledger: Any = Ledger()
    portal = Portal(storage, secret_keys=["k" * 32], base_url=BASE_URL, clock=clock, ledger=ledger)
    path = path_of(portal.tokens.link(demo.KOPI)) + "/statement.pdf?from=2019-01-01"
    client = Visitor(create_app(portal))
    assert client.get(path).headers["Content-Type"] == MEDIA["pdf"]
    ledger.read, ledger.last = 0, ledger.read
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "Too long for a PDF" in words(answer.text)
    assert ledger.read == ledger.last, "the control: it grew after it was counted"


def test_a_font_that_is_broken_is_a_fault(
    portal: Portal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong with the seller's font is no statement that is too long."""
    font = tmp_path / "seller.ttf"
    font.write_bytes(b"no font")
    client = Visitor(create_app(portal, theme=Theme(pdf_font=PdfFont(str(font)))))
    answer = client.get(path_of(portal.tokens.link(demo.KOPI)) + "/statement.pdf")
    assert answer.status_code == 500
    assert "Something went wrong on our side." in words(answer.text)
    assert "on page link.send_statement_pdf" in caplog.text


def test_without_reportlab_there_is_no_pdf(
    client: Client, kopi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page offers the CSV alone, and the address is not found."""
    monkeypatch.setitem(sys.modules, "reportlab", None)
    found = links(client.get(f"{kopi}/statement").text)
    assert "Download CSV" in found
    assert "Download PDF" not in found
    assert client.get(f"{kopi}/statement.pdf").status_code == 404


# --- a file that breaks off -----------------------------------------------------------------


def _started(app: Any, path: str) -> Iterator[bytes]:
    """The body of an answer, read piece by piece."""
    body, status, _ = run_wsgi_app(app, EnvironBuilder(path=path).get_environ())
    assert status == "200 OK"
    return iter(body)


def test_a_link_revoked_meanwhile_breaks_the_file_off(
    app: Any,
    portal: Portal,
    storage: InMemoryStorage,
    kopi: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its last row says so, the connection is cut, and the log knows why without the link."""
    with_many(storage, 5000)
    body = _started(app, f"{kopi}/statement.csv?from=2020-01-01")
    read = [next(body)]
    portal.tokens.revoke(demo.KOPI, by="ana")
    with pytest.raises(DownloadBrokenOff):
        read.extend(body)
    rows = rows_of(read)
    assert rows[-1]["row"] == "incomplete"
    assert not [one for one in rows if one["row"] == "end"]
    assert 400 < len([*of_row(rows, "JPY", "line")]) <= 2000
    assert "in the middle of link.send_statement_csv" in caplog.text
    assert "AccessDenied" in caplog.text
    assert kopi.rsplit("/", 1)[1] not in caplog.text


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A real server, on a free port."""
    serve = Serve()
    yield serve
    serve.close()


class _RevokedMeanwhile:
    """The ledger of a storage; when its third page is read, staff revoke the link."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._pages = inner, 0
        self.portal: Portal | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def entry_page(self, *args: Any, **kwargs: Any) -> Any:
        """A page of entries."""
        self._pages += 1
        if self._pages == 3 and self.portal:
            self.portal.tokens.revoke(demo.KOPI, by="ana")
        return self._inner.entry_page(*args, **kwargs)


def test_who_reads_a_file_that_breaks_off_is_told(
    storage: InMemoryStorage, clock: FrozenClock, serve: Serve
) -> None:
    """Over HTTP the transfer ends without its last chunk: no client takes it for a whole file."""
    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=12)
    with_many(storage, 5000)
    ledger = _RevokedMeanwhile(storage.ledger)
    portal = Portal(
        storage,
        secret_keys=["k" * 32],
        base_url=BASE_URL,
        clock=clock,
        ledger=ledger,  # type: ignore[arg-type]
    )
    path = f"{path_of(portal.tokens.link(demo.KOPI, by='ana'))}/statement.csv?from=2020-01-01"
    address = urlsplit(serve(create_app(portal)).url)
    assert address.hostname
    for revoke in (False, True):
        ledger.portal = portal if revoke else None
        ledger._pages = 0
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            if not revoke:
                assert answer.read().endswith(b",end,,,,,,,,\r\n")
                continue
            with pytest.raises(http.client.IncompleteRead) as broken:
                answer.read()
            assert broken.value.partial.endswith(b",incomplete,,,,,,,,\r\n")


# --- the host's own files -------------------------------------------------------------------


class _OneFile:
    """The documents of a storage, of which one has a file."""

    def __init__(self, inner: Any, file: DocumentFile) -> None:
        self._inner, self._file = inner, file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def file(self, customer_id: str, document_id: str) -> DocumentFile | None:
        """The file."""
        return self._file


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("INV-1042.pdf", "attachment; filename=INV-1042.pdf"),
        ("Invoice 1042.pdf", 'attachment; filename="Invoice 1042.pdf"'),
        (
            "Rechnung Müller €.pdf",
            (
                'attachment; filename="Rechnung Muller .pdf"; '
                "filename*=UTF-8''Rechnung%20M%C3%BCller%20%E2%82%AC.pdf"
            ),
        ),
        ('a"; filename="b.exe', 'attachment; filename="a\\"; filename=\\"b.exe"'),
    ],
)
def test_the_hosts_file_keeps_its_name(
    storage: InMemoryStorage, clock: FrozenClock, name: str, disposition: str
) -> None:
    """Also where it is not ASCII, or would be more than a name; with every header of a page."""
    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=12)
    file = DocumentFile(name, b"%PDF-1.7 the host's own")
    portal = Portal(
        storage,
        secret_keys=["k" * 32],
        base_url=BASE_URL,
        clock=clock,
        documents=_OneFile(storage.documents, file),  # type: ignore[arg-type]
    )
    client = Visitor(create_app(portal, authorize=authorize))
    link = path_of(portal.tokens.link(demo.KOPI, by="ana"))
    path = f"{document_path(link, 'INV-1042')}/file"
    answer = client.get(path)
    assert answer.get_data() == b"%PDF-1.7 the host's own"
    assert answer.headers["Content-Disposition"] == disposition
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Length"] == str(len(answer.get_data()))
    assert header_faults(list(answer.headers), staff=False) == []
    head = client.head(path)
    assert (head.status_code, head.get_data()) == (200, b"")


def test_a_host_has_its_own_font(portal: Portal, kopi: str) -> None:
    """A font of the theme takes the place of ours; what is no file is refused at the start."""
    bold = OURS.bold
    assert bold is not None
    client = Client(create_app(portal, theme=Theme(pdf_font=PdfFont(bold))))
    assert fonts_of(client.get(f"{kopi}/statement.pdf").get_data()) == {"DejaVuSans-Bold": True}
    with pytest.raises(InvalidValue, match="regular must be the path of a TrueType font"):
        PdfFont("/nowhere.ttf")
    with pytest.raises(InvalidValue, match="pdf_font"):
        Theme(pdf_font="/nowhere.ttf")  # type: ignore[arg-type]
