"""Sellers, customers and hosts that the tests of the access share."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs

from basis_portal import (
    Allocation,
    Clock,
    Customer,
    Document,
    DocumentKind,
    DocumentNotFound,
    DocumentStatus,
    EntryKind,
    LedgerEntry,
    Page,
    Portal,
    PortalAccess,
    PortalConfig,
    SectionHidden,
    StorageError,
)
from basis_portal.repositories import DocumentKey, FullStorage
from basis_portal.testing.builders import (
    a_credit_note,
    a_customer,
    a_payment,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
)
from basis_portal.testing.clocks import FrozenClock

ALL_ON = PortalConfig(
    enabled=True,
    show_sales_orders=True,
    show_credit_notes=True,
    show_statement=True,
    allow_messages=True,
)
INVOICE, ORDER, CREDIT_NOTE = (
    DocumentKind.SALES_INVOICE,
    DocumentKind.SALES_ORDER,
    DocumentKind.CREDIT_NOTE,
)


def over(storage: FullStorage, clock: Clock | None = None, **changes: Any) -> Portal:
    """A portal over a storage that the test made itself."""
    given: dict[str, Any] = {
        "secret_keys": ["a secret of these tests, 32 bytes long"],
        "base_url": "https://erp.example.com/portal",
        "clock": clock or FrozenClock(),
    }
    return Portal(storage, **{**given, **changes})


def link_text(portal: Portal, customer_id: str) -> str:
    """The text after ``base_url`` of the customer's link."""
    return portal.tokens.link(customer_id).rsplit("/", 1)[1]


def opened(portal: Portal, customer_id: str, **switches: Any) -> PortalAccess:
    """The access a customer has, with everything switched on but what is given."""
    portal.settings.save(attrs.evolve(ALL_ON, **switches))
    portal.tokens.ensure(customer_id)
    return portal.open(link_text(portal, customer_id))


# --- every method of an access ------------------------------------------------------------


@attrs.define(frozen=True)
class Call:
    """One way to call a method of an access.

    Attributes:
        method: its name.
        run: calls it; the ids of documents are those that `stock` gives the customer.
        switch: the setting that has to be on, or None.
        hidden: what is raised where it is off.
    """

    method: str
    run: Callable[[PortalAccess], Any] = attrs.field(repr=False)
    switch: str | None = None
    hidden: type[Exception] = SectionHidden
    about: str = ""


_KINDS = (
    (INVOICE, None, "INV"),
    (ORDER, "show_sales_orders", "SO"),
    (CREDIT_NOTE, "show_credit_notes", "CN"),
)


def _calls() -> Iterator[Call]:
    yield Call("sections", lambda a: a.sections())
    yield Call("welcome_message", lambda a: a.welcome_message())
    yield Call("overview", lambda a: a.overview())
    for kind, switch, prefix in _KINDS:
        yield from _document_calls(kind, switch, prefix)
    yield Call("statement", lambda a: a.statement(), "show_statement")
    yield Call("statement_lines", lambda a: list(a.statement_lines("EUR")), "show_statement")
    yield Call("statement_page", lambda a: a.statement_page("EUR"), "show_statement")
    yield Call("summary", lambda a: a.summary())
    yield Call("messages", lambda a: a.messages(), "allow_messages")
    yield Call(
        "send_message",
        lambda a: a.send_message("Paid today.", idempotency_key="the form"),
        "allow_messages",
    )


def _document_calls(kind: DocumentKind, switch: str | None, prefix: str) -> Iterator[Call]:
    about = str(kind)

    def id_of(access: PortalAccess) -> str:
        return f"{prefix}-{access.customer.id}"

    yield Call("documents", lambda a: a.documents(kind), switch, about=about)
    yield Call("document_years", lambda a: a.document_years(kind), switch, about=about)
    yield Call("document", lambda a: a.document(id_of(a)), switch, DocumentNotFound, about)
    yield Call(
        "document_file", lambda a: a.document_file(id_of(a)), switch, DocumentNotFound, about
    )
    yield Call("has_file", lambda a: a.has_file(id_of(a)), switch, DocumentNotFound, about)


CALLS = tuple(_calls())
READS = tuple(call for call in CALLS if call.method != "send_message")


def outcome(run: Callable[..., Any], *args: Any, **kwargs: Any) -> type[Exception] | None:
    """The class of what a call raises, or None."""
    try:
        run(*args, **kwargs)
    except Exception as error:
        return type(error)
    return None


# --- what a customer has ------------------------------------------------------------------


def stock(storage: FullStorage, customer_id: str, mark: str = "") -> None:
    """Give a customer one document of each kind and status, entries, and a settled invoice.

    Every text ends in ``mark``; ids end in the customer's id.
    """
    storage.customers.save(
        a_customer(customer_id, name=f"Name {mark}", email=f"{mark}@x.example", number=mark or None)
    )
    storage.documents.save(*documents_of(customer_id, mark))
    entries, allocations = account_of(customer_id, mark)
    storage.ledger.save(*entries)
    storage.ledger.allocate(*allocations)


def documents_of(customer_id: str, mark: str = "") -> list[Document]:
    """An invoice, an order and a credit note, each issued, as draft and cancelled."""
    made = []
    for make, prefix in ((an_invoice, "INV"), (an_order, "SO"), (a_credit_note, "CN")):
        for status in DocumentStatus:
            suffix = "" if status is DocumentStatus.ISSUED else f"-{status}"
            made.append(
                make(
                    f"{prefix}-{customer_id}{suffix}",
                    customer_id=customer_id,
                    status=status,
                    number=f"{prefix} 1 {status} {mark}",
                    reference=f"PO {mark}",
                    order_number=f"order {mark}",
                    pay_url=f"https://pay.example/{mark}",
                )
            )
    return made


def account_of(customer_id: str, mark: str = "") -> tuple[list[LedgerEntry], list[Allocation]]:
    """An invoice of 119.00, a credit note of 119.00 and a payment of 19.00, which is on it."""
    texts = {"customer_id": customer_id, "reference": f"PO {mark}"}
    entries = [
        an_entry(f"INV-{customer_id}", number=f"INV 1 {mark}", **texts),
        an_entry(
            f"CN-{customer_id}",
            kind=EntryKind.CREDIT_NOTE,
            due_date=None,
            number=f"CN 1 {mark}",
            **texts,
        ),
        a_payment(
            f"PAY-{customer_id}",
            amount=Decimal("19.00"),
            date=dt.date(2025, 1, 15),
            number=f"PAY 1 {mark}",
            **texts,
        ),
    ]
    allocation = an_allocation(
        f"ALLOC-{customer_id}",
        customer_id=customer_id,
        debit_id=f"INV-{customer_id}",
        credit_id=f"PAY-{customer_id}",
        amount=Decimal("19.00"),
        date=dt.date(2025, 1, 15),
    )
    return entries, [allocation]


# --- hosts with tables of their own -------------------------------------------------------

CUSTOMER_FAULTS: dict[str, type[Exception]] = {"failing": RuntimeError, "unreadable": StorageError}
CUSTOMER_STATES = ("there", "unknown", "blocked", "somebody else", *CUSTOMER_FAULTS)


@attrs.define
class HostCustomers:
    """A host's customers, whose answer the test sets.

    Attributes:
        state: one of `CUSTOMER_STATES`.
    """

    state: str = "there"

    def get(self, customer_id: str) -> Customer | None:
        """The customer, or what the state says instead."""
        answers: dict[str, Any] = {
            "there": a_customer(customer_id),
            "unknown": None,
            "blocked": a_customer(customer_id, blocked=True),
            "somebody else": a_customer("C-other"),
            "no customer": {"id": customer_id},
        }
        if self.state not in answers:
            raise CUSTOMER_FAULTS[self.state]("the host's database at 10.0.0.5 is gone")
        found: Customer | None = answers[self.state]
        return found

    def get_many(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        """Those customers that are there."""
        found = {one: self.get(one) for one in customer_ids}
        return {one: customer for one, customer in found.items() if customer}

    def search(
        self, text: str = "", *, after: str | None = None, limit: int = 50
    ) -> Page[Customer]:
        """Nobody: no access ever searches customers."""
        return Page(())


@attrs.define
class HostDocuments:
    """A host's documents in a list."""

    documents: Sequence[Any]

    def get(self, customer_id: str, document_id: str) -> Any:
        """The customer's document of this id."""
        for one in self.documents:
            if one.id == document_id and one.customer_id == customer_id:
                return one
        return None

    def page(
        self,
        customer_id: str,
        kind: DocumentKind,
        *,
        after: DocumentKey | None = None,
        limit: int = 50,
        search: str | None = None,
        year: int | None = None,
        ids: Collection[str] | None = None,
    ) -> Sequence[Document]:
        """The customer's issued documents, newest first."""
        found = [
            one
            for one in self.documents
            if one.customer_id == customer_id
            and one.kind is kind
            and one.status is DocumentStatus.ISSUED
            and (after is None or (one.date, one.id) < after)
            and (search is None or is_found(one, search))
            and (year is None or one.date.year == year)
            and (ids is None or one.id in ids)
        ]
        return sorted(found, key=lambda one: (one.date, one.id), reverse=True)[:limit]


def is_found(document: Document, search: str) -> bool:
    """True where the number or the reference starts with a text, case ignored."""
    texts = (document.number, document.reference or "")
    return any(text.casefold().startswith(search.casefold()) for text in texts)


@attrs.define
class HostLedger:
    """The least a host gives: entries and allocations, in an order of its own."""

    all_entries: Sequence[LedgerEntry]
    all_allocations: Sequence[Allocation] = ()

    def entries(
        self, customer_id: str, *, start: dt.date | None = None, end: dt.date | None = None
    ) -> Iterable[LedgerEntry]:
        """The customer's entries from ``start`` to ``end``."""
        return [
            one
            for one in self.all_entries
            if one.customer_id == customer_id
            and (start is None or start <= one.date)
            and (end is None or one.date <= end)
        ]

    def allocations(self, customer_id: str) -> Iterable[Allocation]:
        """The customer's allocations."""
        return [one for one in self.all_allocations if one.customer_id == customer_id]


CAPABILITIES = {
    "balances": ("balances",),
    "entry pages": ("entry_page", "balance_through"),
    "open items": ("open_items", "currencies", "last_payments"),
    "lookup": ("entries_of_documents", "allocations_of", "entries_by_id"),
}


def offering(ledger: Any, *capabilities: str) -> Any:
    """A host's ledger that can do no more than entries, allocations and these capabilities."""
    names = [name for one in capabilities for name in CAPABILITIES[one]]
    chosen = {
        name: staticmethod(getattr(ledger, name)) for name in ("entries", "allocations", *names)
    }
    return type("Offering", (), chosen)()


# --- looking through results --------------------------------------------------------------


def leaves(value: Any) -> Iterator[Any]:
    """Every plain value in a result, however deep; of a cursor also what it is made of."""
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from leaves(getattr(value, field.name))
            if field.name == "next" and getattr(value, "next", None):
                yield _decoded(value.next)
    elif isinstance(value, Mapping):
        yield from leaves(list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from leaves(one)
    elif isinstance(value, bytes):
        yield value.decode()
    else:
        yield value.value if isinstance(value, Enum) else value


def texts_in(value: Any) -> set[str]:
    """Every text in a result."""
    return {leaf for leaf in leaves(value) if isinstance(leaf, str)}


def _decoded(cursor: str) -> str:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


def all_pages(fetch: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
    """The pages of a list, from the first to the last; it has to end."""
    pages = [fetch(*args, **kwargs)]
    while pages[-1].next is not None:
        pages.append(fetch(*args, after=pages[-1].next, **kwargs))
        assert len(pages) < 1000, "a list without end"
    return pages
