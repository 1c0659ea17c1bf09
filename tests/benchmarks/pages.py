"""A customer's first page: against a small account, and against a bare view of the same size."""

from __future__ import annotations

import datetime as dt
import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from flask import Flask, render_template
from jinja2 import DictLoader
from werkzeug.test import EnvironBuilder, run_wsgi_app

from basis_portal import (
    Allocation,
    Customer,
    Document,
    DocumentKind,
    DocumentStatus,
    EntryKind,
    LedgerEntry,
    Portal,
    Seller,
)
from basis_portal.repositories import FullStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.web import customer_app

from .measure import Result, ratio
from .world import CUSTOMER, TODAY, batches, portal_over

OPEN = 20
ROUNDS = 45  # many short ones: what else the machine does meets both sides alike
VISITS = 20
WEIGHT = 40_000  # bytes
DAY = dt.timedelta(days=1)


def run(folder: Path, documents: int) -> list[Result]:
    """The lines of the table on the pages."""
    with (
        closing(SQLiteStorage(folder / "many.pages")) as many,
        closing(SQLiteStorage(folder / "few.pages")) as few,
    ):
        large, small = _visit(_account(many, documents)), _visit(_account(few, OPEN))
        html = large().decode()
        bare = _bare(html)
        return [
            Result(
                "home page, long account",
                f"the same with {OPEN} documents",
                ratio(_often(large), _often(small), ROUNDS),
                1.3,
                f"{documents:,} documents, {OPEN} open",
            ),
            Result(
                "home page",
                "bare Flask view, one template of that size",
                ratio(_often(large), _often(bare), ROUNDS),
                3,
                f"{len(html):,} characters",
            ),
            _weight(_account(many, 0), html),
        ]


def _account(storage: FullStorage, documents: int) -> Portal:
    """A portal with so many invoices of one customer, all but the last 20 paid."""
    if documents:
        storage.customers.save(Customer(CUSTOMER, "Kopi Nusantara", language="en"))
        for batch in batches(_invoices(documents)):
            storage.documents.save(*batch)
            storage.ledger.save(*map(LedgerEntry.of, batch))
        for paid in batches(_invoices(documents - OPEN)):
            storage.ledger.save(*map(_payment, paid))
            storage.ledger.allocate(*map(_allocation, paid))
    portal = portal_over(storage)
    portal.tokens.ensure(CUSTOMER)
    return portal


def _invoices(count: int) -> Iterator[Document]:
    for number in range(count):
        day = TODAY - DAY * (10 + (count - number) // 8)
        yield Document(
            id=f"INV-{number:06}",
            customer_id=CUSTOMER,
            kind=DocumentKind.SALES_INVOICE,
            status=DocumentStatus.ISSUED,
            number=f"INV-{number:06}",
            date=day,
            currency="EUR",
            total=Decimal("119.00"),
            due_date=day + 14 * DAY,
        )


def _payment(invoice: Document) -> LedgerEntry:
    return LedgerEntry(
        id=f"P-{invoice.id}",
        customer_id=CUSTOMER,
        currency="EUR",
        date=invoice.date + DAY,
        kind=EntryKind.PAYMENT,
        amount=invoice.total,
    )


def _allocation(invoice: Document) -> Allocation:
    return Allocation(
        id=f"A-{invoice.id}",
        customer_id=CUSTOMER,
        debit_id=invoice.id,
        credit_id=f"P-{invoice.id}",
        amount=invoice.total,
        date=invoice.date + DAY,
    )


# --- visits -------------------------------------------------------------------------------


def _visit(portal: Portal) -> Callable[[], bytes]:
    path = "/portal/" + portal.tokens.link(CUSTOMER).rsplit("/", 1)[1]
    app = customer_app(portal, seller=Seller("Nordlicht Kaffee GmbH", email="a@nordlicht.example"))
    return _get(app, path)


def _get(app: Flask, path: str) -> Callable[[], bytes]:
    """Asks an app for a page as a server does, without any of a test client's own work."""
    environ = EnvironBuilder(path, headers={"Sec-Fetch-Mode": "navigate"}).get_environ()

    def visit() -> bytes:
        body, status, _ = run_wsgi_app(app, dict(environ))
        assert status == "200 OK"
        return b"".join(body)

    return visit


def _often(visit: Callable[[], bytes]) -> Callable[[], None]:
    def visits() -> None:
        for _ in range(VISITS):
            visit()

    return visits


def _bare(html: str) -> Callable[[], bytes]:
    """A Flask view that renders one template with as many places and as much text as the page."""
    words = re.sub(r"[{}]", "", html)
    texts = re.findall(r">([^<>]+)<", words)
    template = re.sub(r">[^<>]+<", ">{{ next(texts) }}<", words)
    app = Flask("bare")
    app.jinja_loader = DictLoader({"page.html": template})

    @app.get("/")
    def view() -> str:
        return render_template("page.html", texts=iter(texts), next=next)

    assert len(_get(app, "/")()) >= len(html.encode()) * 0.95
    return _get(app, "/")


def _weight(portal: Portal, html: str) -> Result:
    """The page with all its files, compressed, over what it may weigh."""
    app = customer_app(portal)
    files = re.findall(r'(?:href|src)="(/portal/(?:static/|theme\.css|logo)[^"]*)"', html)
    whole = [html.encode(), *(_get(app, path)() for path in files)]
    assert "<script" not in html
    weight = sum(len(gzip.compress(one)) for one in whole)
    return Result("home page, weight", f"{WEIGHT:,} bytes", weight / WEIGHT, 1, f"{weight:,} bytes")
