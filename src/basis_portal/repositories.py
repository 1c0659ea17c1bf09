"""What storages and hosts owe: protocols that promise order, atomicity and errors.

A **host** with tables of its own gives three read-only repositories: `CustomerRepository`,
`DocumentRepository`, `LedgerRepository`. What else a host can do fast it says by having the
methods of a capability (`SupportsBalances`, `SupportsOpenItems`, ...); what it has not is derived.
Its repositories are called on any thread, on several at once: none may keep a connection
that only one thread can use.

A **storage** (`Storage`) keeps the portal's own state: settings, tokens, messages, notes,
e-mails and the audit trail. It may keep customers, documents and ledger as well (`FullStorage`).

For all of them:

* Records compare by value: what is read back equals what was written.
* Lists are paged by key; the cost of a page does not depend on how much is stored. A
  ``limit`` is at least 1.
* Text is ordered by code point, without regard to any locale.
* A method used outside `Storage.transact` commits by itself; inside, it joins the transaction.
* A write that raises has changed nothing.
* What cannot be read or written raises `StorageError` with the cause attached.
* Nothing here reads a clock: instants (aware, UTC) and days are passed in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Protocol, TypeVar, runtime_checkable

import attrs

from .domain.allocation import OpenItem
from .domain.audit import AuditEntry, AuditEvent, Cause
from .domain.config import StoredSettings
from .domain.customers import Customer
from .domain.documents import Document, DocumentFile, DocumentKind
from .domain.ledger import Allocation, EntryKey, LedgerEntry
from .domain.mail import Mail, MailKind, MailStatus
from .domain.messages import InternalNote, Message
from .domain.paging import Page
from .domain.portal_token import EndedAs, PortalToken, TokenStatus
from .domain.summary import Payment

T = TypeVar("T")

DocumentKey = tuple[dt.date, str]
"""Place of a document in a list: its date and its id."""


# --- what a host owes ---------------------------------------------------------------------


class CustomerRepository(Protocol):
    """The host's customers, read only. Called on any thread, on several at once."""

    def get(self, customer_id: str) -> Customer | None:
        """The customer of this id, blocked or not, or None."""
        ...

    def get_many(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        """Those of up to 1,000 ids that exist, by id, in no particular order."""
        ...

    def search(
        self, text: str = "", *, after: str | None = None, limit: int = 50
    ) -> Page[Customer]:
        """Customers in the host's own order, for staff.

        ``text`` is what staff typed: part of a name, number or e-mail, case ignored; empty
        means all. ``after`` is the ``next`` of an earlier page, opaque to the caller.
        Raises `InvalidValue` where ``after`` is no such text.
        """
        ...


class DocumentRepository(Protocol):
    """The host's documents, read only. Called on any thread, on several at once.

    Every method takes the customer's id.
    """

    def get(self, customer_id: str, document_id: str) -> Document | None:
        """This customer's document of this id, whatever its status, or None.

        A document of another customer is None.
        """
        ...

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
        """Up to ``limit`` issued documents of this customer and kind, newest first.

        Ordered by (date, id), both descending. With ``after``, those that follow this key.
        ``search``: the number or the reference starts with it, case ignored. ``year``: of
        the date. ``ids``: only documents with one of these ids. All combine. Up to 1,000 may
        be asked for; fewer than ``limit`` say that there are no more.
        """
        ...


class LedgerRepository(Protocol):
    """The host's ledger, read only. Called on any thread, on several at once.

    Every method takes the customer's id.
    """

    def entries(
        self, customer_id: str, *, start: dt.date | None = None, end: dt.date | None = None
    ) -> Iterable[LedgerEntry]:
        """This customer's entries dated from ``start`` to ``end``, both included, in any order."""
        ...

    def allocations(self, customer_id: str) -> Iterable[Allocation]:
        """This customer's allocations, in any order. Not called with `AllocationRule.FIFO`."""
        ...


# --- what a host may do faster: capabilities, each used where the repository has its methods


def supports(repository: object, capability: type) -> bool:
    """Whether a repository has all methods of a capability, such as `SupportsYears`.

    Also where it hands them on to another by ``__getattr__``, which ``isinstance`` sees before
    Python 3.12 alone.
    """
    every = {name for base in capability.__mro__ for name in vars(base)}
    methods = [name for name in every if not name.startswith("_")]
    return all(callable(getattr(repository, name, None)) for name in methods)


@runtime_checkable
class SupportsYears(Protocol):
    """Documents: the years that have any, without reading them."""

    def years(self, customer_id: str, kind: DocumentKind) -> Sequence[int]:
        """The years in which this customer has issued documents of this kind, newest first."""
        ...


@runtime_checkable
class SupportsIssuedKinds(Protocol):
    """Documents: which of those that entries name may be opened, without reading them."""

    def issued_kinds(
        self, customer_id: str, document_ids: Collection[str]
    ) -> Mapping[str, DocumentKind]:
        """The kind, by id, of those of up to 1,000 documents that are this customer's and issued.

        In no particular order. Drafts, cancelled and foreign documents are left out.
        """
        ...


@runtime_checkable
class SupportsFiles(Protocol):
    """Documents: the host's own file of one, such as its PDF."""

    def file(self, customer_id: str, document_id: str) -> DocumentFile | None:
        """The file of this customer's document, or None. Asked for visible documents only."""
        ...


@runtime_checkable
class SupportsFileCheck(Protocol):
    """Documents: whether there is a file, without making it. Worth having where that is slow."""

    def has_file(self, customer_id: str, document_id: str) -> bool:
        """True where `SupportsFiles.file` gives one. Asked for visible documents only."""
        ...


@runtime_checkable
class SupportsBalances(Protocol):
    """Ledger: balances without reading the entries."""

    def balances(self, customer_id: str, *, before: dt.date) -> Mapping[str, Decimal]:
        """Debits less credits of all entries dated before a day, by currency.

        A currency with such entries is there even where they add up to zero.
        The sum is exact however large it is.
        """
        ...


@runtime_checkable
class SupportsEntryPages(Protocol):
    """Ledger: long accounts in pieces, in statement order (date, debits before credits, id)."""

    def entry_page(
        self,
        customer_id: str,
        currency: str,
        *,
        start: dt.date | None = None,
        end: dt.date | None = None,
        after: EntryKey | None = None,
        limit: int = 50,
    ) -> Sequence[LedgerEntry]:
        """Up to ``limit`` entries of a currency from ``start`` to ``end`` that follow ``after``."""
        ...

    def balance_through(self, customer_id: str, currency: str, key: EntryKey) -> Decimal:
        """Debits less credits of all entries up to and including this place."""
        ...


@runtime_checkable
class SupportsOpenItems(Protocol):
    """Ledger: what is open, found by what is open and not by going through the history."""

    def open_items(self, customer_id: str, as_of: dt.date) -> Sequence[OpenItem]:
        """Entries dated up to ``as_of`` not fully allocated by then, in statement order.

        An allocation counts from the latest of its date and the dates of its two entries.
        """
        ...

    def currencies(self, customer_id: str, *, until: dt.date) -> Sequence[str]:
        """The currencies of which there is any entry dated up to ``until``, A to Z."""
        ...

    def last_payments(self, customer_id: str, *, until: dt.date) -> Mapping[str, Payment]:
        """By currency, the latest day up to ``until`` with a payment, and what came in that day."""
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """Ledger: some entries and what is allocated to them, without the rest of the history."""

    def entries_of_documents(
        self, customer_id: str, document_ids: Collection[str]
    ) -> Sequence[LedgerEntry]:
        """The entries that carry one of these document ids, in statement order."""
        ...

    def allocations_of(self, customer_id: str, entry_ids: Collection[str]) -> Sequence[Allocation]:
        """The allocations with one of these entries on either side, by id."""
        ...

    def entries_by_id(self, customer_id: str, entry_ids: Collection[str]) -> Sequence[LedgerEntry]:
        """Those of these entries that are this customer's, in statement order."""
        ...


# --- the portal's own state ---------------------------------------------------------------


class SettingsRepository(Protocol):
    """The settings of the portal."""

    def get(self) -> StoredSettings:
        """What is stored; the defaults with version 0 where nothing was saved."""
        ...

    def put(self, settings: StoredSettings) -> None:
        """Store settings whose version is one above the stored one.

        Raises `SettingsConflict` with the present settings where it is not.
        """
        ...


class TokenRepository(Protocol):
    """Portal tokens. The storage itself holds at most one current token per customer."""

    def add(self, tokens: Sequence[PortalToken]) -> None:
        """Add new tokens, all or none.

        Raises `ActiveTokenExists` where a current one is added and the customer has a
        current token already; `StorageError` where an id is taken, or others add for the same
        customers at once, whom `Storage.transact` would have kept apart.
        """
        ...

    def get(self, token_id: str) -> PortalToken | None:
        """The token of this id, or None."""
        ...

    def latest(self, customer_ids: Collection[str]) -> Mapping[str, PortalToken]:
        """The token added last of each of up to 1,000 customers that have any, by customer id."""
        ...

    def end(
        self,
        token_ids: Collection[str],
        *,
        at: dt.datetime,
        by: str,
        how: EndedAs,
        reason: str | None = None,
    ) -> Sequence[PortalToken]:
        """End those of these tokens that are current and return them as ended, by id.

        A token that has ended keeps who ended it, when and why.
        """
        ...

    def page(
        self,
        *,
        status: TokenStatus | None = None,
        now: dt.datetime,
        expires_before: dt.datetime | None = None,
        key_fingerprint: str | None = None,
        after: tuple[dt.datetime, str] | None = None,
        limit: int = 50,
    ) -> Sequence[PortalToken]:
        """Each customer's latest token, by (expires_at, id).

        ``status`` is of that token at ``now``; ``expires_before`` leaves only tokens that
        are active at ``now`` and expire before that instant; ``after`` is the key of the
        last token seen.
        """
        ...

    def count(self, status: TokenStatus, *, now: dt.datetime) -> int:
        """How many customers' latest tokens have this status at ``now``."""
        ...

    def current_page(self, *, after: str | None = None, limit: int = 1000) -> Sequence[PortalToken]:
        """Current tokens, expired or not, by customer id, those after the customer ``after``."""
        ...

    def history(self, customer_id: str) -> Sequence[PortalToken]:
        """All tokens of a customer in the order they were added."""
        ...

    def mark_opened(self, token_id: str, at: dt.datetime, *, unless_within: dt.timedelta) -> bool:
        """Note that a token was opened, and say whether that was noted.

        It is not where the last noted opening lies less than ``unless_within`` from ``at``,
        before or after, nor where there is no such token.
        """
        ...

    def last_opened(self, token_ids: Collection[str]) -> Mapping[str, dt.datetime]:
        """The instant of the last noted opening of those of these tokens that have one."""
        ...

    def rename_customer(self, customer_id: str, new_id: str) -> int:
        """Give all tokens of a customer to the id ``new_id``, empty their reasons; how many.

        For erasure. Raises `ActiveTokenExists` where both have a current token.
        """
        ...

    def move_customer(self, customer_id: str, new_id: str) -> int:
        """Give all tokens of a customer, as they are, to the id ``new_id``; how many.

        They come before those that ``new_id`` has, whose latest stays its latest. Raises
        `ActiveTokenExists` where the customer has a current token: it is to be ended first.
        """
        ...

    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        """Remove up to ``limit`` tokens that ended before an instant; how many there were.

        Those that ended first go first. A customer's latest token stays: it says whether staff
        revoked its access.
        """
        ...


class MessageRepository(Protocol):
    """Messages, and apart from them the notes of staff."""

    def add(self, message: Message) -> None:
        """Add a message. `StorageError` where its id or its customer's idempotency key is taken."""
        ...

    def by_key(self, customer_id: str, idempotency_key: str) -> Message | None:
        """The customer's message with this idempotency key, or None."""
        ...

    def page(
        self, customer_id: str, *, after: tuple[dt.datetime, str] | None = None, limit: int = 50
    ) -> Sequence[Message]:
        """Messages of a customer, newest first: by (at, id) descending, those past ``after``."""
        ...

    def sent_since(self, customer_id: str, since: dt.datetime) -> Sequence[dt.datetime]:
        """The instants at which the customer wrote a message after ``since``, oldest first."""
        ...

    def inbox(
        self,
        *,
        unread_only: bool,
        after: tuple[dt.datetime, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Message]:
        """What customers wrote, newest first: by (at, id) descending. Unread has no ``read_at``."""
        ...

    def unread_count(self) -> int:
        """How many messages of customers are unread."""
        ...

    def mark_read(self, customer_id: str, at: dt.datetime) -> int:
        """Mark the unread messages that a customer wrote as read at ``at``; how many there were."""
        ...

    def add_note(self, note: InternalNote) -> None:
        """Add an internal note. Raises `StorageError` where its id is taken."""
        ...

    def notes(self, customer_id: str) -> Sequence[InternalNote]:
        """The internal notes on a customer, oldest first: by (at, id)."""
        ...

    def erase(self, customer_id: str) -> int:
        """Remove all messages of a customer and all notes on it; how many there were."""
        ...

    def move_customer(self, customer_id: str, new_id: str) -> int:
        """Give all messages of a customer, and all notes on it, to the id ``new_id``; how many.

        Without their idempotency keys: those were of forms under links that are no more, and
        ``new_id`` may have the same.
        """
        ...

    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        """Remove up to ``limit`` messages and notes older than an instant; how many there were.

        First messages, then notes, each by (at, id). What a customer wrote stays until it is read.
        """
        ...


class AuditRepository(Protocol):
    """The audit trail. Append-only but for erasure and retention."""

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries at the end, in this order, all or none."""
        ...

    def page(
        self, *, customer_id: str | None = None, after: int | None = None, limit: int = 50
    ) -> Sequence[tuple[int, AuditEntry]]:
        """Entries with their position, newest first: by position descending, those below ``after``.

        Positions rise with each entry appended; they need not be consecutive.
        """
        ...

    def last(
        self,
        event: AuditEvent,
        *,
        customer_id: str | None = None,
        token_id: str | None = None,
        by: str | None = None,
        cause: Cause | None = None,
    ) -> dt.datetime | None:
        """The instant of the entry appended last of this event and all values given, or None."""
        ...

    def rename_customer(self, customer_id: str, new_id: str) -> int:
        """Replace a customer's id by ``new_id`` and empty the details of its entries; how many.

        For erasure.
        """
        ...

    def move_customer(self, customer_id: str, new_id: str) -> int:
        """Replace a customer's id by ``new_id`` in its entries, which stay as they are; how many.

        They keep their positions.
        """
        ...

    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        """Remove up to ``limit`` entries older than an instant; how many there were.

        Those appended first go first. No position is given a second time.
        """
        ...


class MailRepository(Protocol):
    """E-mails to be sent, and what became of them; neither their texts nor their links."""

    def add(self, mails: Sequence[Mail]) -> Sequence[str]:
        """Add new e-mails, all or none, and return the ids of those added, in their order.

        Left out is, of each run and customer, what comes second. Raises `StorageError` where
        an id is taken.
        """
        ...

    def get(self, mail_id: str) -> Mail | None:
        """The e-mail of this id, or None."""
        ...

    def claim(self, now: dt.datetime, *, run: str | None = None) -> Mail | None:
        """Take the queued e-mail that is due first, or None where none is due at ``now``.

        First those of no run, then by (run, due_at, id); with ``run`` only those of this one.
        What is taken is being sent: its ``claimed_at`` is ``now`` and it has one attempt more.
        No two workers ever take the same.
        """
        ...

    def change(self, before: Mail, after: Mail) -> bool:
        """Store what became of an e-mail; False, and nothing is stored, where others were first.

        They were where its status or its attempts are no longer those of ``before``. What it
        is for does not change: id, kind, customer, run, who asked for it and when. Raises
        `InvalidValue` where they differ. An e-mail that was moved meanwhile stays moved.
        """
        ...

    def claimed_before(self, before: dt.datetime, *, limit: int = 1000) -> Sequence[Mail]:
        """E-mails being sent that were claimed before an instant, by (claimed_at, id)."""
        ...

    def latest(self, customer_id: str, kind: MailKind) -> Mail | None:
        """The customer's e-mail of this kind with the last (queued_at, id), or None.

        Within a transaction nobody else claims it before that ends. Refused within a snapshot
        as a write is, since it holds what it finds.
        """
        ...

    def of_customer(
        self, customer_id: str, *, after: tuple[dt.datetime, str] | None = None, limit: int = 50
    ) -> Sequence[Mail]:
        """A customer's e-mails, newest first: by (queued_at, id) descending, those past it."""
        ...

    def last_sent(self, customer_ids: Collection[str]) -> Mapping[str, Mail]:
        """The e-mail that last brought a link to each of up to 1,000 customers that had any.

        Of kinds `LINK_KINDS` with status sent, by customer: the last by (settled_at, id).
        """
        ...

    def went_out(self, customer_id: str, since: dt.datetime) -> Sequence[dt.datetime]:
        """When e-mails that bring a customer a link were claimed after ``since``, oldest first.

        Those of kinds `LINK_KINDS` that are being sent, were sent or may have been.
        """
        ...

    def counts(self, run: str | None) -> Mapping[MailStatus, int]:
        """How many e-mails of a run, or of no run, have each status; none that would be 0."""
        ...

    def waiting(self) -> tuple[int, dt.datetime | None]:
        """How many e-mails are queued, and the earliest instant from which one may be sent."""
        ...

    def page(
        self,
        run: str | None,
        status: MailStatus,
        *,
        after: tuple[dt.datetime, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Mail]:
        """E-mails of a run, or of no run, that have a status, by (queued_at, id), past ``after``.

        ``after`` is the key of the last one seen.
        """
        ...

    def erase(self, customer_id: str) -> int:
        """Remove all e-mails of a customer; how many there were."""
        ...

    def move_customer(self, customer_id: str, new_id: str) -> int:
        """Give all e-mails of a customer, sent or not, to the id ``new_id``; how many.

        Where a run has both of them only that of ``new_id`` stays.
        """
        ...

    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        """Remove up to ``limit`` e-mails settled before an instant; how many there were.

        Those settled first go first.
        """
        ...


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class Opening:
    """What one read finds when a link is opened.

    Attributes:
        settings: the settings as stored now.
        token: the token of the id asked for, or None.
        customer: its customer, where the storage keeps customers; else None.
        opened_at: the last noted opening of the token, UTC, or None.
    """

    settings: StoredSettings
    token: PortalToken | None
    customer: Customer | None
    opened_at: dt.datetime | None


class UnitOfWork(Protocol):
    """The repositories of a storage within a transaction."""

    @property
    def settings(self) -> SettingsRepository:
        """The settings."""
        ...

    @property
    def tokens(self) -> TokenRepository:
        """The portal tokens."""
        ...

    @property
    def messages(self) -> MessageRepository:
        """Messages and internal notes."""
        ...

    @property
    def mails(self) -> MailRepository:
        """E-mails to be sent, and what became of them."""
        ...

    @property
    def audit(self) -> AuditRepository:
        """The audit trail."""
        ...


class Storage(UnitOfWork, Protocol):
    """Keeps the portal's state for one tenant.

    One storage may be used by several threads at once. Of two transactions that lock the
    same customer, or that lock none, one waits for the other.
    """

    @property
    def tenant(self) -> str:
        """The tenant whose rows these are; links carry it in their salt."""
        ...

    def transact(self, work: Callable[[UnitOfWork], T], *, lock: Collection[str] = ()) -> T:
        """Run ``work`` in one transaction and return what it returns.

        ``work`` is given the repositories that read and write as part of the transaction
        (this storage's own ones, used on the same thread, do so as well). All is committed
        when ``work`` returns, and durable then; where it raises, nothing it wrote is left
        and its error is passed on. ``work`` has no other effects, since it may run again.
        ``lock`` names the customers whose state it changes. A transaction within another on
        the same thread joins it, and its own failure undoes its own part.

        Raises:
            StorageError: the storage is locked for too long, full, read-only, damaged.
        """
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Make ``call`` on this thread, once its outermost transaction is committed and durable.

        At once where none runs, and in a snapshot when that has ended. Never where the
        transaction was undone, or the one within it that registered the call; of a ``work``
        that ran again only the last run counts. Calls are made in the order in which they
        were registered, before `transact` returns, and use the storage as anybody does. An
        error of one is logged; it stops none of the others and does not reach the caller.

        At most once: a process that dies right after the commit makes no call. Where the
        host commits, of which the storage does not learn, none is made either.
        """
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """A context in which the reads of this thread all see one committed instant.

        For reading alone: a storage may refuse writes in it with `StorageError`, as ours do.
        Within a transaction it is part of that.
        """
        ...

    def opening(self, token_id: str) -> Opening:
        """Settings, token and customer in one fresh read, outside any cache and any snapshot."""
        ...

    def close(self) -> None:
        """Give back what the storage holds. Closing twice is harmless."""
        ...


# --- a storage that also keeps customers, documents and ledger ----------------------------


class StoredCustomers(CustomerRepository, Protocol):
    """Customers kept by the storage; `search` walks them by name (case ignored), then id."""

    def save(self, *customers: Customer) -> None:
        """Insert or replace, all or none."""
        ...

    def delete(self, customer_id: str) -> bool:
        """Remove the customer record; False where there is none. Its documents stay."""
        ...


class StoredDocuments(DocumentRepository, SupportsYears, SupportsIssuedKinds, Protocol):
    """Documents kept by the storage. An id is one document's, whoever the customer is."""

    def save(self, *documents: Document) -> None:
        """Insert or replace by id, all or none; a changed customer moves the document."""
        ...

    def delete(self, document_id: str) -> bool:
        """Remove the document; False where there is none."""
        ...


class StoredLedger(
    LedgerRepository,
    SupportsBalances,
    SupportsEntryPages,
    SupportsOpenItems,
    SupportsLookup,
    Protocol,
):
    """A ledger kept by the storage: it refuses what would contradict itself.

    An id is one entry's (one allocation's), whoever the customer is. At no time is more
    allocated to an entry than it has, nor across customers, currencies or on one side.
    """

    def save(self, *entries: LedgerEntry) -> None:
        """Insert or replace by id, all or none.

        Raises `LedgerError` with the ids where a replaced entry would no longer fit the
        allocations on it.
        """
        ...

    def allocate(self, *allocations: Allocation) -> None:
        """Insert or replace by id, all or none.

        Raises `LedgerError` with the ids where an entry is missing, on the wrong side, of
        another customer or currency, or has not so much left.
        """
        ...

    def unallocate(self, allocation_id: str) -> bool:
        """Remove an allocation; False where there is none."""
        ...

    def delete(self, entry_id: str) -> bool:
        """Remove an entry; False where there is none.

        Raises `LedgerError` where something is allocated to it.
        """
        ...


class FullStorage(Storage, Protocol):
    """A storage that also keeps customers, documents and ledger."""

    @property
    def customers(self) -> StoredCustomers:
        """The customers."""
        ...

    @property
    def documents(self) -> StoredDocuments:
        """The documents."""
        ...

    @property
    def ledger(self) -> StoredLedger:
        """The ledger."""
        ...
