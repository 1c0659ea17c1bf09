"""A host's application, only type-checked: pages, e-mails, downloads, tests, and what comes out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import assert_type
from wsgiref.types import WSGIApplication, WSGIEnvironment

from flask import Flask

from basis_portal import (
    AccessDenied,
    AllocationRule,
    AuditEntry,
    Customer,
    CustomerMessage,
    Document,
    DocumentDetail,
    DocumentKind,
    DocumentStatus,
    DocumentView,
    EntryKind,
    InternalNote,
    InvalidValue,
    IssueResult,
    LedgerEntry,
    LinkCheck,
    Message,
    Outcome,
    Page,
    Portal,
    PortalAccess,
    PortalConfig,
    PortalError,
    PortalNotAvailable,
    PortalToken,
    Seller,
    SettingsConflict,
    StatementOfAccount,
    StoredSettings,
    system_clock,
)
from basis_portal.export import has_pdf, statement_csv, statement_pdf
from basis_portal.mail import (
    Connection,
    FunctionTransport,
    Mail,
    Mailer,
    MailStatus,
    OutboxTransport,
    SMTPTransport,
    Transport,
    invoice_link,
    invoice_sentence,
)
from basis_portal.repositories import FullStorage
from basis_portal.storage.sqlite import SQLiteStorage, ddl
from basis_portal.testing import (
    FrozenClock,
    FullStorageConformance,
    HostRepositoriesConformance,
    LeakReport,
    builders,
    check_for_leaks,
)
from basis_portal.web import (
    HostLinks,
    Staff,
    Theme,
    TokenFilter,
    create_app,
    customer_app,
    staff_app,
)

SELLER = Seller("Nordlicht Kaffee GmbH", email="accounts@nordlicht.example")


def a_portal(folder: Path) -> Portal:
    """A portal over a file."""
    storage = SQLiteStorage(folder / "portal.db", timeout=5)
    assert_type(ddl(), str)
    return Portal(
        storage,
        secret_keys=[
            "a long random secret, at least 32 bytes",
            b"another secret, of bytes, as long",
        ],
        base_url="https://erp.example.com/portal",
        clock=system_clock,
        allocation_rule=AllocationRule.FIFO,
    )


def record(storage: FullStorage) -> None:
    """What a host without tables of its own saves."""
    invoice = Document(
        id="INV-1",
        customer_id="C-1001",
        kind=DocumentKind.SALES_INVOICE,
        status=DocumentStatus.ISSUED,
        number="INV-1",
        date=dt.date(2026, 4, 14),
        currency="EUR",
        total=Decimal("1190.00"),
    )
    storage.customers.save(Customer("C-1001", "Kopi Nusantara", email=None))
    storage.documents.save(invoice)
    entry = LedgerEntry.of(invoice)
    assert_type(entry, LedgerEntry)
    assert_type(entry.kind, EntryKind)
    storage.ledger.save(entry)


def staff_work(portal: Portal) -> None:
    """What staff do, and the types of what they get."""
    stored = portal.settings.save(PortalConfig(enabled=True), by="ana", if_version=None)
    assert_type(stored, StoredSettings)
    assert_type(portal.tokens.generate("C-1001", by="ana", days=30), PortalToken)
    assert_type(portal.tokens.get("C-1001"), PortalToken | None)
    assert_type(portal.tokens.check("https://erp.example.com/portal/x"), LinkCheck)
    results: Iterable[IssueResult] = portal.tokens.ensure_many(["C-1001"], by="ana")
    outcomes: list[Outcome] = [result.outcome for result in results]
    page = portal.messages.list(limit=20)
    assert_type(page, Page[Message])
    assert_type(portal.messages.notes("C-1001"), tuple[InternalNote, ...])
    told: list[AuditEntry] = list(portal.audit.list().items)
    print(outcomes, told)


def visit(portal: Portal, text: str) -> StatementOfAccount | None:
    """What a visitor's request does, and the types of what it gets."""
    try:
        access = portal.open(text, record=False)
    except (PortalNotAvailable, AccessDenied):
        return None
    assert_type(access, PortalAccess)
    invoices = access.documents(DocumentKind.SALES_INVOICE, limit=50, year=2026, open_only=True)
    assert_type(invoices, Page[DocumentView])
    assert_type(invoices.next, str | None)
    assert_type(access.document("INV-1"), DocumentDetail)
    assert_type(access.send_message("Paid today."), CustomerMessage)
    statement = access.statement(start=dt.date(2026, 1, 1), view="open_items")
    owed: Mapping[str, Decimal] = {
        currency: one.closing_balance for currency, one in statement.by_currency.items()
    }
    print(owed)
    return statement


def refused(error: PortalError) -> str | None:
    """What an error tells."""
    if isinstance(error, SettingsConflict):
        return str(error.current)
    return error.field if isinstance(error, InvalidValue) else None


class ErpTransport:
    """A way of the host's own to send e-mails."""

    @contextmanager
    def connect(self) -> Generator[Connection, None, None]:
        """One connection."""
        yield ErpConnection()


class ErpConnection:
    """What sends one e-mail."""

    def send(self, message: EmailMessage) -> None:
        """Send it."""
        print(message["To"])


def transports(folder: Path) -> list[Transport]:
    """All ways are what the protocol asks for."""
    return [
        ErpTransport(),
        FunctionTransport(lambda message: print(message["To"])),
        OutboxTransport(folder / "outbox"),
        SMTPTransport("mail.example.com", 587, username="portal", password="secret"),
    ]


def mail(portal: Portal, way: Transport) -> Mailer:
    """E-mails of the portal's, and one of the host's."""
    mailer = Mailer(portal, transport=way, sender="portal@nordlicht.example", seller=SELLER)
    sent = mailer.send_link("C-1001", by="ana")
    assert_type(sent, Mail)
    assert_type(sent.status, MailStatus)
    link = invoice_link(portal, "C-1001", by="invoicing", document="INV-1")
    assert_type(invoice_sentence(link, "de"), str)
    return mailer


def who(environ: WSGIEnvironment) -> Staff | None:
    """The host's login."""
    name = environ.get("REMOTE_USER")
    return Staff(str(name), read_only=False) if name else None


def pages(portal: Portal, mailer: Mailer, logo: Path) -> list[WSGIApplication]:
    """The pages are WSGI applications, in a host's own and beside it."""
    theme = Theme(logo=logo, colour="#0b5cad")
    whole = create_app(portal, authorize=who, mailer=mailer, seller=SELLER, theme=theme)
    back = HostLinks(name="ERP", home="/")
    customers = customer_app(portal, seller=SELLER, theme=theme)
    staff = staff_app(portal, authorize=who, host=back)
    assert_type(customers, Flask)
    print(TokenFilter())
    return [whole, customers.wsgi_app, staff.wsgi_app]


def downloads(access: PortalAccess) -> bytes:
    """A statement to take away."""
    if not has_pdf():
        return b"".join(statement_csv(access, start=None, view="activity"))
    return statement_pdf(access.statement(), seller=SELLER, customer=access.customer)


class TestErpStorage(FullStorageConformance):
    """The host's tests of a storage."""


class TestErpRepositories(HostRepositoriesConformance):
    """The host's tests of its repositories."""

    allocation_rule = AllocationRule.FIFO


def no_leaks(portal: Portal) -> bool:
    """The host's test of its own data."""
    report = check_for_leaks(portal, ["C-1001"])
    assert_type(report, LeakReport)
    clock = FrozenClock(dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC))
    clock.advance(days=1)
    assert_type(builders.a_customer(), Customer)
    return report.ok
