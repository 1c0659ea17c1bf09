"""Where the operators' commands are tried: a file or a schema, and what fills it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

import attrs

from basis_portal import AccessDenied, Portal, PortalConfig
from basis_portal.domain.mail import MailKind, MailStatus
from basis_portal.storage._place_postgres import PostgresPlace
from basis_portal.storage._place_sqlite import SQLitePlace
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing import FrozenClock
from basis_portal.testing.builders import (
    a_customer,
    a_mail,
    a_payment,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
    token_id,
)

KEY = "a secret for tests alone, at least 32 bytes"
BASE_URL = "https://erp.example.com/portal"
LARGEST = Decimal("99999999999999.9999")
SHOWN = {"show_sales_orders": True, "show_statement": True, "allow_messages": True}
TABLES = (
    "settings",
    "tokens",
    "messages",
    "notes",
    "mails",
    "audit",
    "customers",
    "documents",
    "entries",
    "allocations",
)


@attrs.define(frozen=True)
class Place:
    """Where a storage is, and how it is damaged.

    Attributes:
        kind: ``sqlite`` or ``postgres``.
        environment: the variables that name it.
        make: makes a storage there, of a tenant.
        damage: runs statements there that no storage would.
    """

    kind: str
    environment: dict[str, str]
    make: Callable[..., Any]
    damage: Callable[..., None]


@attrs.define(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str


def sqlite_place(path: Path) -> Place:
    """A file, which is not made yet."""

    def damage(*statements: str) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def make(tenant: str = "default", **more: Any) -> SQLiteStorage:
        return SQLiteStorage(path, tenant=tenant, **more)

    return Place("sqlite", {"BASIS_PORTAL_SQLITE": str(path)}, make, damage)


def postgres_place(dsn: str, schema: str) -> Place:
    """A schema, which is not made yet."""
    import psycopg

    def damage(*statements: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"SET search_path = {schema}")
            connection.execute("SET session_replication_role = replica")  # no foreign keys
            for statement in statements:
                connection.execute(statement)

    def make(tenant: str = "default", **more: Any) -> PostgresStorage:
        return PostgresStorage(dsn, schema=schema, tenant=tenant, **more)

    environment = {"BASIS_PORTAL_POSTGRES": dsn, "BASIS_PORTAL_SCHEMA": schema}
    return Place("postgres", environment, make, damage)


def opened(place: Place) -> Any:
    """The place as the commands take it."""
    environment = place.environment
    if place.kind == "sqlite":
        return SQLitePlace(environment["BASIS_PORTAL_SQLITE"])
    return PostgresPlace(environment["BASIS_PORTAL_POSTGRES"], environment["BASIS_PORTAL_SCHEMA"])


def portal_over(storage: Any, clock: FrozenClock | None = None) -> Portal:
    """The portal of the tests."""
    return Portal(storage, secret_keys=[KEY], base_url=BASE_URL, clock=clock or FrozenClock())


def fill(storage: Any) -> list[str]:
    """Give a storage rows of every kind, and give the texts of all links ever issued."""
    storage.customers.save(
        *(a_customer(f"C-{n}", name=f"Käufer {n} 客", number=None) for n in (1, 2, 3)),
        a_customer("C-4", email=None, blocked=True),
    )
    _documents(storage)
    portal = portal_over(storage)
    portal.settings.save(PortalConfig(enabled=True), by="ana")
    portal.settings.save(PortalConfig(enabled=True, welcome_message="Hi\n☕", **SHOWN), by="bo")
    texts = []
    for customer_id, action in (("C-3", "generate"), ("C-1", "generate"), ("C-2", "generate")):
        getattr(portal.tokens, action)(customer_id, by="ana")
        texts.append(_text(portal, customer_id))
    access = portal.open(texts[1])
    access.send_message("Paid today.\nSee 4711", idempotency_key="form-1", document_id="INV-1")
    portal.messages.reply("C-1", "Thank you", by="ana")
    portal.messages.mark_read("C-1")
    access.send_message("Again", idempotency_key="form-2")
    portal.messages.note("C-1", "Pays late, but pays.", by="ana")
    _mails(storage)
    portal.tokens.regenerate("C-1", by="bo", days=365)
    texts.append(_text(portal, "C-1"))
    portal.tokens.revoke("C-2", by="bo", reason="left the company")
    return texts


def _text(portal: Portal, customer_id: str) -> str:
    return portal.tokens.link(customer_id, by="ana").rsplit("/", 1)[1]


def _mails(storage: Any) -> None:
    sent = {"status": MailStatus.SENT, "attempts": 2, "address": "käufer@x.example"}
    storage.mails.add(
        [
            a_mail(customer_id="C-1", run="April", by=None, token_id=token_id(1), **sent),
            a_mail("E-2", customer_id="C-2", run="April", problem="try later\n☕"),
            a_mail("E-3", customer_id="C-1", kind=MailKind.MESSAGE, about="M-1"),
            a_mail("E-4", customer_id=None, kind=MailKind.EXPIRING, status=MailStatus.SENDING),
        ]
    )


def _documents(storage: Any) -> None:
    storage.documents.save(
        an_invoice(customer_id="C-1", total=LARGEST, net=-LARGEST, tax=None),
        an_order(customer_id="C-1", total=Decimal("0.0001"), lines=()),
    )
    storage.ledger.save(
        an_entry(customer_id="C-1", amount=LARGEST),
        a_payment(customer_id="C-1", amount=LARGEST),
        an_entry("INV-2", customer_id="C-1", amount=Decimal("0.0003")),
        a_payment("PAY-2", customer_id="C-1", amount=Decimal("0.0001")),
    )
    storage.ledger.allocate(
        an_allocation(customer_id="C-1", amount=LARGEST),
        an_allocation(
            "ALLOC-2",
            customer_id="C-1",
            amount=Decimal("0.0001"),
            debit_id="INV-2",
            credit_id="PAY-2",
        ),
    )


_id = attrgetter("id")


def filled(place: Place) -> tuple[list[str], dict[str, Any]]:
    """Fill a place; the texts of all links ever issued, and all that it holds."""
    with closing(place.make()) as storage:
        texts = fill(storage)
        return texts, state_of(storage, texts)


def state_of(storage: Any, texts: list[str]) -> dict[str, Any]:
    """All that a storage holds, and what each link shows; opening them is not recorded."""
    portal = portal_over(storage)
    ids = [f"C-{n}" for n in (1, 2, 3, 4)]
    tokens = {one: list(storage.tokens.history(one)) for one in ids}
    return {
        "links": [_opened(portal, text) for text in texts],
        "settings": storage.settings.get(),
        "tokens": tokens,
        "latest": list(portal.tokens.list(limit=200)),
        "opened": storage.tokens.last_opened([t.id for found in tokens.values() for t in found]),
        "messages": {one: list(storage.messages.page(one, limit=100)) for one in ids},
        "notes": {one: list(storage.messages.notes(one)) for one in ids},
        "mails": [storage.mails.get(f"E-{n}") for n in (1, 2, 3, 4)],
        "trail": [entry for _, entry in storage.audit.page(limit=1000)],
        "customers": list(storage.customers.get_many(ids).items()),
        "found": [one.id for one in storage.customers.search("KÄUFER", limit=9)],
        "entries": {one: sorted(storage.ledger.entries(one), key=_id) for one in ids},
        "allocations": {one: sorted(storage.ledger.allocations(one), key=_id) for one in ids},
    }


def _opened(portal: Portal, text: str) -> Any:
    try:
        access = portal.open(text, record=False)
    except AccessDenied as error:
        return str(error)
    return (
        access.customer,
        access.statement(),
        access.summary(),
        access.messages(),
        access.sections(),
    )
