"""A stranger's code, only type-checked: a storage, a host's repositories, a clock, a policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from basis_portal import (
    Allocation,
    AuditEntry,
    Customer,
    Document,
    DocumentKind,
    DocumentVisibility,
    Edition,
    LedgerEntry,
    Page,
    Portal,
    PortalConfig,
    PortalToken,
    Section,
)
from basis_portal.repositories import (
    CustomerRepository,
    DocumentKey,
    DocumentRepository,
    FullStorage,
    LedgerRepository,
    Storage,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage


class ErpCustomers:
    """A host's customers, without inheriting anything of ours."""

    def get(self, customer_id: str) -> Customer | None:
        """One customer."""
        return Customer(id=customer_id, name="Kopi Nusantara")

    def get_many(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        """Some customers."""
        return {one: Customer(one, one) for one in customer_ids}

    def search(
        self, text: str = "", *, after: str | None = None, limit: int = 50
    ) -> Page[Customer]:
        """Customers in the host's order."""
        return Page(items=(Customer(id=text, name=text),))


class ErpDocuments:
    """A host's documents."""

    def get(self, customer_id: str, document_id: str) -> Document | None:
        """One document."""
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
    ) -> list[Document]:
        """Some documents, newest first."""
        return []


class ErpLedger:
    """A host's ledger."""

    def entries(
        self, customer_id: str, *, start: dt.date | None = None, end: dt.date | None = None
    ) -> Iterable[LedgerEntry]:
        """The entries."""
        return []

    def allocations(self, customer_id: str) -> Sequence[Allocation]:
        """The allocations."""
        return []


class NoOrders(DocumentVisibility):
    """A host's policy."""

    def shows_section(self, section: Section, config: PortalConfig) -> bool:
        """All but orders."""
        return section is not Section.SALES_ORDERS


def stopped_clock() -> dt.datetime:
    """A host's clock."""
    return dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC)


def told(entry: AuditEntry) -> None:
    """What a host does when it is told."""
    print(entry.event, entry.customer_id)


def repositories() -> tuple[CustomerRepository, DocumentRepository, LedgerRepository]:
    """A host's classes are what the protocols ask for."""
    return ErpCustomers(), ErpDocuments(), ErpLedger()


def storages() -> list[FullStorage]:
    """Our storages are what the protocols ask for."""
    return [InMemoryStorage(), SQLiteStorage("portal.db"), PostgresStorage("service=portal")]


def portal_of(storage: Storage) -> Portal:
    """A portal over a host's own tables."""
    return Portal(
        storage,
        secret_keys=["a long random secret, at least 32 bytes"],
        base_url="https://erp.example.com/portal",
        edition=lambda: Edition.CLOUD,
        clock=stopped_clock,
        customers=ErpCustomers(),
        documents=ErpDocuments(),
        ledger=ErpLedger(),
        visibility=NoOrders(),
        aging_edges=(15, 30),
        on_event=told,
    )


def use(portal: Portal) -> Decimal:
    """What comes out has the types it says."""
    token: PortalToken = portal.tokens.generate("C-1001", by="ana")
    url: str = portal.tokens.link(token.customer_id)
    access = portal.open(url.rpartition("/")[2])
    page = access.documents(DocumentKind.SALES_INVOICE)
    number: str = page.items[0].number
    left: Decimal | None = page.items[0].open_amount
    words: str = page.items[0].state.words
    print(number, left, words)
    return access.statement().by_currency["EUR"].closing_balance
