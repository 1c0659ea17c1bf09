"""What would each customer see, and is any of it not its own?

`check_for_leaks` goes through a host's own data twice: as the portal shows it to each
customer, and as the host's repositories hand it over before the portal drops what is wrong.
The first must be clean by our own code; the second shows what the host has to mend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from ..access import PortalAccess
from ..domain.allocation import OpenItem
from ..domain.documents import Document, DocumentKind, DocumentStatus
from ..domain.ledger import LedgerEntry
from ..domain.paging import PAGE_LIMIT, Page
from ..errors import (
    CustomerBlocked,
    CustomerNotFound,
    DocumentNotFound,
    LedgerError,
    SectionHidden,
)
from ..portal import Portal
from ..repositories import DocumentKey, SupportsLookup, SupportsOpenItems, supports

T = TypeVar("T")

FOREIGN = "belongs to another customer"
NOT_ISSUED = "is not issued, but {}"
OTHER_KIND = "is no {}, but a {}"
NOT_ASKED_FOR = "is not what was asked for"
NO_DOCUMENT = "is no Document"
FOREIGN_LINK = "names a document of another customer"
NOT_OPENED = "is in the list, but cannot be opened"
OPENED = "is another customer's document, and was opened"
IN_TWO_THREADS = "is in the thread of another customer as well"
ON_TWO_ACCOUNTS = "is on the account of another customer as well"
CONTRADICTION = "contradicts itself: {}"


@attrs.define(frozen=True)
class LeakFinding:
    """One thing that a customer must not get.

    Attributes:
        customer_id: the customer that would get it.
        where: the method that gave it.
        id: the id of the document, entry or message.
        rule: what is wrong with it.
    """

    customer_id: str
    where: str
    id: str
    rule: str

    def __str__(self) -> str:
        return f"customer {self.customer_id!r}: {self.where} gave {self.id!r}, which {self.rule}"


@attrs.define
class Seen:
    """How much one customer would see.

    Attributes:
        documents: how many documents of each kind that is shown.
        statement_lines: how many lines on the statement, None where it is hidden.
        messages: how many messages in the thread, None where they are hidden.
        foreign_ids_tried: how many documents of others were tried, and had to be refused.
        refused: why the customer would see nothing at all, or None.
    """

    documents: dict[DocumentKind, int] = attrs.field(factory=dict)
    statement_lines: int | None = None
    messages: int | None = None
    foreign_ids_tried: int = 0
    refused: str | None = None

    def __str__(self) -> str:
        if self.refused is not None:
            return self.refused
        shown = [f"{count} {kind.value}" for kind, count in self.documents.items()]
        if self.statement_lines is not None:
            shown.append(f"{self.statement_lines} statement lines")
        if self.messages is not None:
            shown.append(f"{self.messages} messages")
        return ", ".join([*shown, f"{self.foreign_ids_tried} foreign documents tried"])


@attrs.define(frozen=True)
class LeakReport:
    """What was found; ``str()`` of it is for people.

    Attributes:
        findings: what some customer must not get.
        seen: how much each customer would see, by its id.
    """

    findings: tuple[LeakFinding, ...]
    seen: Mapping[str, Seen]

    @property
    def ok(self) -> bool:
        """True where customers were looked at and nothing was found."""
        return bool(self.seen) and not self.findings

    def __str__(self) -> str:
        head = f"{len(self.seen)} customers, {len(self.findings)} leaks"
        lines = [f"  LEAK: {finding}" for finding in self.findings]
        lines += [f"  {customer_id!r} sees {seen}" for customer_id, seen in self.seen.items()]
        return "\n".join([head, *lines])


def check_for_leaks(
    portal: Portal,
    customer_ids: Iterable[str] | None = None,
    *,
    by: str = "leak check",
    most_foreign: int | None = None,
) -> LeakReport:
    """Look at everything that customers would see now, and at what the repositories give.

    Each customer is previewed, which the audit trail notes; nothing else is written. Each is
    tried with the documents of all the others, so that the work grows with customers times
    documents.

    Args:
        portal: the portal with the host's repositories.
        customer_ids: whom to look at; all that a search for nothing finds where None.
        by: who is named in the audit trail.
        most_foreign: try at most so many foreign documents per customer; all where None.

    Raises:
        PortalNotAvailable: edition or feature does not give the portal.
        StorageError: the storage cannot be read.
    """
    if customer_ids is None:
        found = _all(lambda after: portal.customers.search(after=after, limit=PAGE_LIMIT))
        customer_ids = [customer.id for customer in found]
    check = _Check(portal, tuple(dict.fromkeys(customer_ids)), by)
    for customer_id in check.customer_ids:
        check.look_at_documents(customer_id)
    for customer_id in check.customer_ids:
        check.look_at_ledger(customer_id)
        check.look_through_portal(customer_id, most_foreign)
    return LeakReport(tuple(check.findings), check.seen)


class _Check:
    """One run of the check."""

    def __init__(self, portal: Portal, customer_ids: tuple[str, ...], by: str) -> None:
        self.customer_ids = customer_ids
        self.findings: dict[LeakFinding, None] = {}
        self.seen: dict[str, Seen] = {customer_id: Seen() for customer_id in customer_ids}
        self._portal = portal
        self._by = by
        self._owner: dict[str, str] = {}  # of each document by id
        self._entry_ids: dict[str, list[str]] = {}
        self._thread_of: dict[str, str] = {}
        self._account_of: dict[str, str] = {}  # of each entry by id

    def _found(self, customer_id: str, where: str, id: object, rule: str) -> None:
        self.findings[LeakFinding(customer_id, where, str(id), rule)] = None

    def _is_foreign(self, customer_id: str, document_id: str | None) -> bool:
        return self._owner.get(document_id or "", customer_id) != customer_id

    def _foreign_ids(self, customer_id: str) -> list[str]:
        return [one for one, owner in self._owner.items() if owner != customer_id]

    # --- the host's repositories ----------------------------------------------------------

    def look_at_documents(self, customer_id: str) -> None:
        """What the document repository lists for a customer must be its own and issued."""
        customer = self._portal.customers.get(customer_id)
        if customer is not None and customer.id != customer_id:
            self._found(customer_id, "customers.get", customer.id, NOT_ASKED_FOR)
        for kind in DocumentKind:
            for document in self._listed(customer_id, kind):
                self._check_listed(customer_id, kind, document)

    def _listed(self, customer_id: str, kind: DocumentKind) -> Iterator[Document]:
        seen: set[DocumentKey] = set()
        after: DocumentKey | None = None
        while True:
            page = self._portal.documents.page(customer_id, kind, after=after, limit=PAGE_LIMIT)
            for found in page:
                if isinstance(found, Document):
                    yield found
                else:
                    self._found(customer_id, "documents.page", found, NO_DOCUMENT)
            keys = [(one.date, one.id) for one in page if isinstance(one, Document)]
            if len(page) < PAGE_LIMIT or seen.issuperset(keys):
                return
            seen.update(keys)
            after = keys[-1]

    def _check_listed(self, customer_id: str, kind: DocumentKind, document: Document) -> None:
        def found(rule: str) -> None:
            self._found(customer_id, "documents.page", document.id, rule)

        self._owner.setdefault(document.id, document.customer_id)
        if document.customer_id != customer_id:
            found(FOREIGN)
        if document.status is not DocumentStatus.ISSUED:
            found(NOT_ISSUED.format(document.status.value))
        if document.kind is not kind:
            found(OTHER_KIND.format(kind.value, document.kind.value))

    def look_at_ledger(self, customer_id: str) -> None:
        """What the ledger repository gives for a customer must be its own."""
        ledger: Any = self._portal.ledger
        entries = list(ledger.entries(customer_id))
        self._check_entries(customer_id, "ledger.entries", entries)
        self._entry_ids[customer_id] = [entry.id for entry in entries]
        if supports(ledger, SupportsOpenItems):
            items = ledger.open_items(customer_id, self._portal.today())
            self._check_items(customer_id, "ledger.open_items", items)
        if supports(ledger, SupportsLookup):
            foreign = self._foreign_ids(customer_id)[:1000]
            found = ledger.entries_of_documents(customer_id, foreign)
            self._check_entries(customer_id, "ledger.entries_of_documents", found)
            others = [e for c, ids in self._entry_ids.items() if c != customer_id for e in ids]
            found = ledger.entries_by_id(customer_id, others[:1000])
            self._check_entries(customer_id, "ledger.entries_by_id", found)
            for allocation in ledger.allocations_of(customer_id, others[:1000]):
                if allocation.customer_id != customer_id:
                    self._found(customer_id, "ledger.allocations_of", allocation.id, FOREIGN)

    def _check_items(self, customer_id: str, where: str, items: Iterable[OpenItem]) -> None:
        self._check_entries(customer_id, where, (item.entry for item in items))

    def _check_entries(self, customer_id: str, where: str, entries: Iterable[LedgerEntry]) -> None:
        for entry in entries:
            if entry.customer_id != customer_id:
                self._found(customer_id, where, entry.id, FOREIGN)
            elif self._account_of.setdefault(entry.id, customer_id) != customer_id:
                self._found(customer_id, where, entry.id, ON_TWO_ACCOUNTS)
            elif self._is_foreign(customer_id, entry.document_id):
                self._found(customer_id, where, entry.id, FOREIGN_LINK)

    # --- the portal -----------------------------------------------------------------------

    def look_through_portal(self, customer_id: str, most_foreign: int | None) -> None:
        """What the customer's access shows must be its own, and open nothing of others."""
        seen = self.seen[customer_id]
        try:
            access = self._portal.preview(customer_id, by=self._by)
        except (CustomerBlocked, CustomerNotFound) as error:
            seen.refused = f"nothing: {error}"
            return
        try:
            self._look_at_shown_documents(access, seen)
            self._look_at_account(access, seen)
        except LedgerError as error:
            self._found(customer_id, "ledger", ", ".join(error.ids), CONTRADICTION.format(error))
        self._look_at_messages(access, seen)
        for document_id in self._foreign_ids(customer_id)[:most_foreign]:
            seen.foreign_ids_tried += 1
            self._try_foreign(access, document_id)

    def _look_at_shown_documents(self, access: PortalAccess, seen: Seen) -> None:
        customer_id = access.customer.id
        for kind in DocumentKind:
            shown = _unless_hidden(
                lambda kind=kind: _all(  # type: ignore[misc]
                    lambda after: access.documents(kind, after=after, limit=PAGE_LIMIT)
                )
            )
            if shown is None:
                continue
            seen.documents[kind] = len(shown)
            for view in shown:
                self._check_shown(customer_id, "access.documents", view)
                self._open_shown(access, view.id)

    def _open_shown(self, access: PortalAccess, document_id: str) -> None:
        customer_id = access.customer.id
        try:
            detail = access.document(document_id)
        except DocumentNotFound:
            self._found(customer_id, "access.document", document_id, NOT_OPENED)
            return
        self._check_shown(customer_id, "access.document", detail.document)
        for item in detail.applied:
            if self._is_foreign(customer_id, item.document_id):
                self._found(customer_id, "access.document", document_id, FOREIGN_LINK)

    def _check_shown(self, customer_id: str, where: str, document: Document) -> None:
        if document.customer_id != customer_id or self._is_foreign(customer_id, document.id):
            self._found(customer_id, where, document.id, FOREIGN)
        if document.status is not DocumentStatus.ISSUED:
            self._found(customer_id, where, document.id, NOT_ISSUED.format(document.status.value))

    def _look_at_account(self, access: PortalAccess, seen: Seen) -> None:
        customer_id = access.customer.id
        for summary in access.summary().by_currency.values():
            self._check_items(customer_id, "access.summary", summary.to_pay)
        statement = _unless_hidden(access.statement)
        if statement is None:
            return
        seen.statement_lines = 0
        for section in statement.by_currency.values():
            seen.statement_lines += len(section.lines)
            self._check_items(customer_id, "access.statement", section.open_items)
            for line in section.lines:
                applied = [side for part in line.applied for side in (part.debit, part.credit)]
                self._check_entries(customer_id, "access.statement", [line.entry, *applied])

    def _look_at_messages(self, access: PortalAccess, seen: Seen) -> None:
        thread = _unless_hidden(lambda: _all(lambda after: access.messages(after=after)))
        if thread is None:
            return
        seen.messages = len(thread)
        for message in thread:
            customer_id = access.customer.id
            if self._thread_of.setdefault(message.id, customer_id) != customer_id:
                self._found(customer_id, "access.messages", message.id, IN_TWO_THREADS)

    def _try_foreign(self, access: PortalAccess, document_id: str) -> None:
        customer_id = access.customer.id
        document = self._portal.documents.get(customer_id, document_id)
        if document is not None:
            self._found(customer_id, "documents.get", document.id, FOREIGN)
        try:
            access.document(document_id)
        except DocumentNotFound:
            return
        self._found(customer_id, "access.document", document_id, OPENED)


def _unless_hidden(read: Callable[[], T]) -> T | None:
    """What is read, or None where the section is switched off for customers."""
    try:
        return read()
    except SectionHidden:
        return None


def _all(fetch: Callable[[str | None], Page[T]]) -> Sequence[T]:
    """The items of all pages; a page that leads back to an earlier one is the last."""
    items: list[T] = []
    seen: set[str | None] = {None}
    after: str | None = None
    while True:
        page = fetch(after)
        items += page.items
        after = page.next
        if after in seen:
            return items
        seen.add(after)
