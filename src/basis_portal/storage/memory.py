"""Everything in memory: for tests, and for small programs that keep nothing."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from functools import partial, wraps
from itertools import count, islice
from operator import attrgetter, itemgetter
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

import attrs

from ..domain.allocation import OpenItem, parts_by_allocation
from ..domain.audit import AuditEntry, AuditEvent, Cause
from ..domain.checks import check_id, check_instant, check_member, check_move, check_tenant
from ..domain.config import DEFAULT_SETTINGS, StoredSettings
from ..domain.customers import Customer
from ..domain.documents import Document, DocumentKind, DocumentStatus
from ..domain.ledger import Allocation, EntryKey, LedgerEntry
from ..domain.mail import (
    FOR_GOOD,
    LINK_KINDS,
    WENT_OUT,
    Mail,
    MailKind,
    MailStatus,
    check_same_mail,
)
from ..domain.messages import Author, InternalNote, Message
from ..domain.money import ZERO, add, format_amount, negate, subtract
from ..domain.paging import Page, make_page, read_cursor
from ..domain.portal_token import EndedAs, PortalToken, TokenStatus, short_id
from ..domain.statement import balances
from ..domain.summary import Payment, last_payments
from ..errors import ActiveTokenExists, LedgerError, SettingsConflict, StorageError
from ..repositories import (
    AuditRepository,
    DocumentKey,
    FullStorage,
    MailRepository,
    MessageRepository,
    Opening,
    SettingsRepository,
    StoredCustomers,
    StoredDocuments,
    StoredLedger,
    TokenRepository,
    UnitOfWork,
)
from ._after_commit import Call, make_calls

T = TypeVar("T")
V = TypeVar("V")
P = ParamSpec("P")
R = TypeVar("R", bound="_Repository")

Key = str | int
_ALL = ""  # the one group of an index that orders a whole table


class InMemoryStorage:
    """A `FullStorage` that lives as long as the object.

    One lock is held for a whole transaction, so that transactions run one after the other.

    Attributes:
        tenant: the tenant whose rows these are.
        settings, tokens, messages, mails, audit: the portal's own state.
        customers, documents, ledger: what a host without tables of its own keeps here.

    Raises:
        InvalidValue: the tenant cannot be an id.
    """

    def __init__(self, tenant: str = "default") -> None:
        self.tenant: str = check_tenant(tenant)
        self._journal = _Journal()
        self.settings: SettingsRepository = _Settings(self._journal)
        self.tokens: TokenRepository = _Tokens(self._journal)
        self.messages: MessageRepository = _Messages(self._journal)
        self.mails: MailRepository = _Mails(self._journal)
        self.audit: AuditRepository = _Audit(self._journal)
        self.customers: StoredCustomers = _Customers(self._journal)
        self.documents: StoredDocuments = _Documents(self._journal)
        self.ledger: StoredLedger = _Ledger(self._journal)

    def transact(
        self,
        work: Callable[[UnitOfWork], T],
        *,
        lock: Collection[str] = (),  # noqa: ARG002 (the one lock covers every customer)
    ) -> T:
        """Run ``work`` in one transaction; where it raises, undo what it wrote."""
        with self._journal:
            return work(self)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call once this thread's transaction is committed; at once where none runs."""
        self._journal.after_commit(call)

    def snapshot(self) -> AbstractContextManager[None]:
        """A context in which nobody else writes."""
        return self._journal.held()

    def opening(self, token_id: str) -> Opening:
        """Settings, token, customer and last noted opening in one read."""
        with self._journal.held():
            token = self.tokens.get(token_id)
            return Opening(
                settings=self.settings.get(),
                token=token,
                customer=self.customers.get(token.customer_id) if token else None,
                opened_at=self.tokens.last_opened([token_id]).get(token_id) if token else None,
            )

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


if TYPE_CHECKING:
    _: type[FullStorage] = InMemoryStorage


# --- transactions and tables --------------------------------------------------------------


class _Journal:
    """The lock, and how to undo what the running transaction wrote.

    As a context it is a transaction. One within another undoes its own part alone.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._undo: list[Callable[[], None]] = []
        self._calls: list[Call] = []
        self._marks: list[tuple[int, int]] = []
        self._readers = 0

    def note(self, undo: Callable[[], None]) -> None:
        """Note, before a write is made, how it is undone; undoing it unmade is harmless."""
        if self._readers:
            raise StorageError("a snapshot is for reading: write before it or after it")
        self._undo.append(undo)

    def after_commit(self, call: Call) -> None:
        """As `Storage.after_commit`; where no transaction runs this is one."""
        with self:
            self._calls.append(call)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock without being a transaction.

        A transaction would undo what others within it have committed meanwhile: a snapshot
        may be left by an error while its reader goes on.
        """
        self._lock.acquire()
        alone = not self._marks
        self._readers += alone
        try:
            yield
        finally:
            self._readers -= alone
            self._leave()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._marks.append((len(self._undo), len(self._calls)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            undo, calls = self._marks.pop()
            if kind is not None:
                del self._calls[calls:]
            while kind is not None and len(self._undo) > undo:
                self._undo.pop()()
            if not self._marks:
                self._undo.clear()
        finally:
            self._leave()

    def _leave(self) -> None:
        """Let others in, and then make the calls that have waited until this thread was done."""
        calls: list[Call] = []
        if not self._marks and not self._readers:
            calls, self._calls = self._calls, calls
        self._lock.release()
        make_calls(calls)


class _Table(Generic[V]):
    """Records by key, and in order within the groups that each index makes of them.

    ``order`` gives a record's place, which no other record has; an index gives the name of
    its group, or None where it is in none.
    """

    def __init__(
        self,
        journal: _Journal,
        order: Callable[[V], Any] = lambda _: None,
        **indexes: Callable[[V], str | None],
    ) -> None:
        self._journal = journal
        self._order = order
        self._rows: dict[Key, V] = {}
        self._indexes = indexes
        self._groups: dict[str, dict[str, list[V]]] = {index: {} for index in indexes}

    def get(self, key: object) -> V | None:
        """The record of a key, or None."""
        return self._rows.get(key) if isinstance(key, str | int) else None

    def put(self, key: Key, record: V | None) -> None:
        """Insert or replace the record of a key; None removes it."""
        self._journal.note(partial(self._set, key, self._rows.get(key)))
        self._set(key, record)

    def find(self, index: str, name: object, after: Any = None) -> list[V]:
        """The records of a group, in order: all, or those that follow a place."""
        group = self._group(index, name)
        start = 0 if after is None else bisect_right(group, after, key=self._order)
        return group[start:]

    def newest(self, index: str, name: object, after: Any = None) -> Iterator[V]:
        """The records of a group, last one first: all, or those that lie before a place."""
        group = self._group(index, name)
        end = len(group) if after is None else bisect_left(group, after, key=self._order)
        return reversed(group[:end])

    def records(self) -> list[V]:
        """All records."""
        return list(self._rows.values())

    def last_of_each(self, index: str) -> list[V]:
        """The last record of each group."""
        return [group[-1] for group in self._groups[index].values()]

    def _group(self, index: str, name: object) -> list[V]:
        return self._groups[index].get(name, []) if isinstance(name, str) else []

    def _set(self, key: Key, record: V | None) -> None:
        # In this order an interrupt at any point leaves what a second call makes good.
        before = self._rows.get(key)
        if before is not None:
            self._splice(before, [])
        if record is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = record
            self._splice(record, [record])

    def _splice(self, record: V, instead: list[V]) -> None:
        """In all its groups put ``instead`` where the record is or would be."""
        place = self._order(record)
        for index, name_of in self._indexes.items():
            name, groups = name_of(record), self._groups[index]
            if name is not None:
                group = groups.setdefault(name, [])
                start = bisect_left(group, place, key=self._order)
                end = bisect_right(group, place, lo=start, key=self._order)
                group[start:end] = instead
                if not group:
                    del groups[name]


class _Repository:
    """What the repositories below have in common: the journal of their storage."""

    def __init__(self, journal: _Journal) -> None:
        self._journal = journal


def _atomic(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """A method that is a transaction, or part of the one that runs."""

    @wraps(method)
    def transaction(self: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._journal:
            return method(self, *args, **kwargs)

    return transaction


def _distinct(ids: Iterable[str]) -> dict[str, None]:
    """Ids without repetition, in the given order; what is no text is the id of nothing."""
    return dict.fromkeys(value for value in ids if isinstance(value, str))


def _first(found: Iterable[V], limit: int) -> list[V]:
    return list(islice(found, limit))


_id = attrgetter("id")
_customer_id = attrgetter("customer_id")
_at_and_id = attrgetter("at", "id")


# --- the portal's own state ---------------------------------------------------------------


class _Settings(_Repository):
    """`SettingsRepository`."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._rows = _Table[StoredSettings](journal)

    @_atomic
    def get(self) -> StoredSettings:
        return self._rows.get("settings") or DEFAULT_SETTINGS

    @_atomic
    def put(self, settings: StoredSettings) -> None:
        check_member("settings", settings, StoredSettings)
        current = self.get()
        if settings.version != current.version + 1:
            raise SettingsConflict(
                f"the settings are at version {current.version}, "
                f"so the next one is not {settings.version}",
                current=current,
            )
        self._rows.put("settings", settings)


@attrs.define(frozen=True)
class _TokenRow:
    """A token, its place among all tokens added, and when it was last opened."""

    number: int
    token: PortalToken
    opened_at: dt.datetime | None = None


class _Tokens(_Repository):
    """`TokenRepository`."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._numbers = count(1)
        self._rows = _Table[_TokenRow](
            journal,
            attrgetter("number"),
            customer=lambda row: row.token.customer_id,
            current=lambda row: row.token.customer_id if row.token.is_current else None,
        )

    @_atomic
    def add(self, tokens: Sequence[PortalToken]) -> None:
        for token in tokens:
            check_member("token", token, PortalToken)
            if self._rows.get(token.id):
                raise StorageError(f"the id of token {short_id(token.id)}... is taken")
            if token.is_current:
                self._refuse_current(token.customer_id)
            self._rows.put(token.id, _TokenRow(next(self._numbers), token))

    @_atomic
    def get(self, token_id: str) -> PortalToken | None:
        row = self._rows.get(token_id)
        return row.token if row else None

    @_atomic
    def latest(self, customer_ids: Collection[str]) -> Mapping[str, PortalToken]:
        found = (
            self._rows.find("customer", customer_id) for customer_id in _distinct(customer_ids)
        )
        return {rows[-1].token.customer_id: rows[-1].token for rows in found if rows}

    @_atomic
    def end(
        self,
        token_ids: Collection[str],
        *,
        at: dt.datetime,
        by: str,
        how: EndedAs,
        reason: str | None = None,
    ) -> Sequence[PortalToken]:
        check_instant("at", at)
        rows = [self._rows.get(token_id) for token_id in sorted(_distinct(token_ids))]
        current = [row for row in rows if row and row.token.is_current]
        change = partial(attrs.evolve, ended_at=at, ended_by=by, ended_as=how, reason=reason)
        return [self._replace(row, change(row.token)) for row in current]

    @_atomic
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
        def fits(token: PortalToken) -> bool:
            return (
                (status is None or token.status_at(now) == status)
                and (expires_before is None or _expires_within(token, now, expires_before))
                and (key_fingerprint is None or token.key_fingerprint == key_fingerprint)
                and (after is None or (token.expires_at, token.id) > after)
            )

        found = filter(fits, self._latest_of_each())
        return _first(sorted(found, key=attrgetter("expires_at", "id")), limit)

    @_atomic
    def count(self, status: TokenStatus, *, now: dt.datetime) -> int:
        return sum(token.status_at(now) == status for token in self._latest_of_each())

    @_atomic
    def current_page(self, *, after: str | None = None, limit: int = 1000) -> Sequence[PortalToken]:
        tokens = [row.token for row in self._rows.last_of_each("current")]
        found = (token for token in tokens if after is None or token.customer_id > after)
        return _first(sorted(found, key=_customer_id), limit)

    @_atomic
    def history(self, customer_id: str) -> Sequence[PortalToken]:
        return [row.token for row in self._rows.find("customer", customer_id)]

    @_atomic
    def mark_opened(self, token_id: str, at: dt.datetime, *, unless_within: dt.timedelta) -> bool:
        at = check_instant("at", at)
        row = self._rows.get(token_id)
        if row is None or (row.opened_at and abs(at - row.opened_at) < unless_within):
            return False
        self._rows.put(token_id, attrs.evolve(row, opened_at=at))
        return True

    @_atomic
    def last_opened(self, token_ids: Collection[str]) -> Mapping[str, dt.datetime]:
        rows = {token_id: self._rows.get(token_id) for token_id in _distinct(token_ids)}
        return {key: row.opened_at for key, row in rows.items() if row and row.opened_at}

    @_atomic
    def rename_customer(self, customer_id: str, new_id: str) -> int:
        check_id("new_id", new_id)
        rows = self._rows.find("customer", customer_id)
        for row in rows:
            if row.token.is_current and customer_id != new_id:
                self._refuse_current(new_id)
            self._replace(row, attrs.evolve(row.token, customer_id=new_id, reason=None))
        return len(rows)

    @_atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        check_move(customer_id, new_id)
        self._refuse_current(customer_id)
        moved, kept = (self._rows.find("customer", one) for one in (customer_id, new_id))
        for row in moved:
            self._replace(row, attrs.evolve(row.token, customer_id=new_id))
        for row in kept:
            self._rows.put(row.token.id, attrs.evolve(row, number=next(self._numbers)))
        return len(moved)

    @_atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        latest = {token.id for token in self._latest_of_each()}
        past = [row.token for row in self._rows.records() if row.token.id not in latest]
        due = [(one.ended_at, one.id) for one in past if one.ended_at and one.ended_at < before]
        found = _first(sorted(due), limit)
        for _, token_id in found:
            self._rows.put(token_id, None)
        return len(found)

    def _refuse_current(self, customer_id: str) -> None:
        for row in self._rows.find("current", customer_id):
            raise ActiveTokenExists(
                f"customer {customer_id!r} has a current token already", token=row.token
            )

    def _replace(self, row: _TokenRow, token: PortalToken) -> PortalToken:
        self._rows.put(token.id, attrs.evolve(row, token=token))
        return token

    def _latest_of_each(self) -> list[PortalToken]:
        return [row.token for row in self._rows.last_of_each("customer")]


def _expires_within(token: PortalToken, now: dt.datetime, before: dt.datetime) -> bool:
    return token.status_at(now) is TokenStatus.ACTIVE and token.expires_at < before


class _Messages(_Repository):
    """`MessageRepository`."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._messages = _Table[Message](
            journal,
            _at_and_id,
            customer=_customer_id,
            key=attrgetter("idempotency_key"),
            inbox=lambda message: _ALL if message.author is Author.CUSTOMER else None,
            unread=lambda message: _ALL if _is_unread(message) else None,
        )
        self._notes = _Table[InternalNote](journal, _at_and_id, customer=_customer_id)

    @_atomic
    def add(self, message: Message) -> None:
        check_member("message", message, Message)
        if self._messages.get(message.id):
            raise StorageError(f"the id of message {message.id!r} is taken")
        key = message.idempotency_key
        if key is not None and self.by_key(message.customer_id, key):
            raise StorageError(f"the idempotency key of message {message.id!r} is taken")
        self._messages.put(message.id, message)

    @_atomic
    def by_key(self, customer_id: str, idempotency_key: str) -> Message | None:
        found = self._messages.find("key", idempotency_key)
        return next((message for message in found if message.customer_id == customer_id), None)

    @_atomic
    def page(
        self, customer_id: str, *, after: tuple[dt.datetime, str] | None = None, limit: int = 50
    ) -> Sequence[Message]:
        return _first(self._messages.newest("customer", customer_id, after), limit)

    @_atomic
    def sent_since(self, customer_id: str, since: dt.datetime) -> Sequence[dt.datetime]:
        found = self._messages.find("customer", customer_id)
        return [m.at for m in found if m.author is Author.CUSTOMER and m.at > since]

    @_atomic
    def inbox(
        self,
        *,
        unread_only: bool,
        after: tuple[dt.datetime, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Message]:
        index = "unread" if unread_only else "inbox"
        return _first(self._messages.newest(index, _ALL, after), limit)

    @_atomic
    def unread_count(self) -> int:
        return len(self._messages.find("unread", _ALL))

    @_atomic
    def mark_read(self, customer_id: str, at: dt.datetime) -> int:
        check_instant("at", at)
        unread = [m for m in self._messages.find("customer", customer_id) if _is_unread(m)]
        for message in unread:
            self._messages.put(message.id, attrs.evolve(message, read_at=at))
        return len(unread)

    @_atomic
    def add_note(self, note: InternalNote) -> None:
        check_member("note", note, InternalNote)
        if self._notes.get(note.id):
            raise StorageError(f"the id of note {note.id!r} is taken")
        self._notes.put(note.id, note)

    @_atomic
    def notes(self, customer_id: str) -> Sequence[InternalNote]:
        return self._notes.find("customer", customer_id)

    @_atomic
    def erase(self, customer_id: str) -> int:
        messages = self._messages.find("customer", customer_id)
        notes = self._notes.find("customer", customer_id)
        for message in messages:
            self._messages.put(message.id, None)
        for note in notes:
            self._notes.put(note.id, None)
        return len(messages) + len(notes)

    @_atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        check_move(customer_id, new_id)
        messages = self._messages.find("customer", customer_id)
        notes = self._notes.find("customer", customer_id)
        for message in messages:
            moved = attrs.evolve(message, customer_id=new_id, idempotency_key=None)
            self._messages.put(message.id, moved)
        for note in notes:
            self._notes.put(note.id, attrs.evolve(note, customer_id=new_id))
        return len(messages) + len(notes)

    @_atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        check_instant("before", before)
        old = [m for m in self._messages.records() if m.at < before and not _is_unread(m)]
        messages = _first(sorted(old, key=_at_and_id), limit)
        past = [note for note in self._notes.records() if note.at < before]
        notes = _first(sorted(past, key=_at_and_id), limit - len(messages))
        for message in messages:
            self._messages.put(message.id, None)
        for note in notes:
            self._notes.put(note.id, None)
        return len(messages) + len(notes)


def _is_unread(message: Message) -> bool:
    return message.author is Author.CUSTOMER and message.read_at is None


class _Mails(_Repository):
    """`MailRepository`. What waits is kept a second time, in the order of its turns."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._rows = _Table[Mail](
            journal,
            attrgetter("queued_at", "id"),
            customer=_customer_id,
            once=lambda mail: _pair(mail.run, mail.customer_id) if mail.run else None,
            status=lambda mail: _pair(mail.run, mail.status),
            sending=lambda mail: _ALL if mail.status is MailStatus.SENDING else None,
        )
        self._queue = _Table[Mail](
            journal,
            lambda mail: (mail.run or "", mail.due_at, mail.id),
            all=lambda _: _ALL,
            run=attrgetter("run"),
        )

    @_atomic
    def add(self, mails: Sequence[Mail]) -> Sequence[str]:
        return [one.id for one in mails if self._add(check_member("mail", one, Mail))]

    def _add(self, mail: Mail) -> bool:
        is_once = mail.run is not None and mail.customer_id is not None
        if is_once and self._rows.find("once", _pair(mail.run, mail.customer_id)):
            return False
        if self._rows.get(mail.id):
            raise StorageError(f"the id of e-mail {mail.id!r} is taken")
        self._put(mail)
        return True

    @_atomic
    def get(self, mail_id: str) -> Mail | None:
        return self._rows.get(mail_id)

    @_atomic
    def claim(self, now: dt.datetime, *, run: str | None = None) -> Mail | None:
        check_instant("now", now)
        waiting = self._queue.find("all", _ALL) if run is None else self._queue.find("run", run)
        found = next((mail for mail in waiting if mail.due_at <= now), None)
        if found is None:
            return None
        attempts = found.attempts + 1
        taken = attrs.evolve(found, status=MailStatus.SENDING, claimed_at=now, attempts=attempts)
        self._put(taken)
        return taken

    @_atomic
    def change(self, before: Mail, after: Mail) -> bool:
        check_same_mail(before, after)
        found = self._rows.get(before.id)
        if not found or (found.status, found.attempts) != (before.status, before.attempts):
            return False
        self._put(attrs.evolve(after, **{name: getattr(found, name) for name in FOR_GOOD}))
        return True

    @_atomic
    def claimed_before(self, before: dt.datetime, *, limit: int = 1000) -> Sequence[Mail]:
        check_instant("before", before)
        found = (
            mail
            for mail in self._rows.find("sending", _ALL)
            if mail.claimed_at and mail.claimed_at < before
        )
        return _first(sorted(found, key=attrgetter("claimed_at", "id")), limit)

    @_atomic
    def latest(self, customer_id: str, kind: MailKind) -> Mail | None:
        check_member("kind", kind, MailKind)
        self._journal.note(lambda: None)  # to hold it is refused in a snapshot, as a write is
        found = self._rows.newest("customer", customer_id)
        return next((mail for mail in found if mail.kind is kind), None)

    @_atomic
    def of_customer(
        self, customer_id: str, *, after: tuple[dt.datetime, str] | None = None, limit: int = 50
    ) -> Sequence[Mail]:
        return _first(self._rows.newest("customer", customer_id, after), limit)

    @_atomic
    def last_sent(self, customer_ids: Collection[str]) -> Mapping[str, Mail]:
        found: dict[str, Mail] = {}
        for customer_id in _distinct(customer_ids):
            sent = [
                mail
                for mail in self._rows.find("customer", customer_id)
                if mail.status is MailStatus.SENT and mail.kind in LINK_KINDS
            ]
            if sent:
                found[customer_id] = max(sent, key=attrgetter("settled_at", "id"))
        return found

    @_atomic
    def went_out(self, customer_id: str, since: dt.datetime) -> Sequence[dt.datetime]:
        check_instant("since", since)
        found = self._rows.find("customer", customer_id)
        return sorted(
            mail.claimed_at
            for mail in found
            if mail.claimed_at
            and mail.claimed_at > since
            and mail.kind in LINK_KINDS
            and mail.status in WENT_OUT
        )

    @_atomic
    def counts(self, run: str | None) -> Mapping[MailStatus, int]:
        found = {one: len(self._rows.find("status", _pair(run, one))) for one in MailStatus}
        return {status: number for status, number in found.items() if number}

    @_atomic
    def waiting(self) -> tuple[int, dt.datetime | None]:
        waiting = self._queue.find("all", _ALL)
        return len(waiting), min((mail.due_at for mail in waiting), default=None)

    @_atomic
    def page(
        self,
        run: str | None,
        status: MailStatus,
        *,
        after: tuple[dt.datetime, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Mail]:
        check_member("status", status, MailStatus)
        return _first(self._rows.find("status", _pair(run, status), after), limit)

    @_atomic
    def erase(self, customer_id: str) -> int:
        found = self._rows.find("customer", customer_id)
        for mail in found:
            self._remove(mail.id)
        return len(found)

    @_atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        check_move(customer_id, new_id)
        found = self._rows.find("customer", customer_id)
        for mail in found:
            if mail.run is not None and self._rows.find("once", _pair(mail.run, new_id)):
                self._remove(mail.id)
            else:
                self._put(attrs.evolve(mail, customer_id=new_id))
        return len(found)

    @_atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        check_instant("before", before)
        settled = [mail for mail in self._rows.records() if mail.settled_at]
        old = sorted(settled, key=attrgetter("settled_at", "id"))
        due = _first((mail for mail in old if mail.settled_at and mail.settled_at < before), limit)
        for mail in due:
            self._remove(mail.id)
        return len(due)

    def _put(self, mail: Mail) -> None:
        self._rows.put(mail.id, mail)
        self._queue.put(mail.id, mail if mail.status is MailStatus.QUEUED else None)

    def _remove(self, mail_id: str) -> None:
        self._rows.put(mail_id, None)
        self._queue.put(mail_id, None)


def _pair(run: str | None, other: object) -> str:
    """A name for two values, the same for no others: what `repr` shows holds no NUL."""
    return f"{run!r}\0{other}"


class _Audit(_Repository):
    """`AuditRepository`."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._positions = count(1)
        self._rows = _Table[tuple[int, AuditEntry]](
            journal,
            itemgetter(0),
            all=lambda _: _ALL,
            customer=lambda row: row[1].customer_id,
            token=lambda row: row[1].token_id,
        )

    @_atomic
    def append(self, entries: Sequence[AuditEntry]) -> None:
        for entry in entries:
            position = next(self._positions)
            self._rows.put(position, (position, check_member("entry", entry, AuditEntry)))

    @_atomic
    def page(
        self, *, customer_id: str | None = None, after: int | None = None, limit: int = 50
    ) -> Sequence[tuple[int, AuditEntry]]:
        group = ("all", _ALL) if customer_id is None else ("customer", customer_id)
        return _first(self._rows.newest(*group, after), limit)

    @_atomic
    def last(
        self,
        event: AuditEvent,
        *,
        customer_id: str | None = None,
        token_id: str | None = None,
        by: str | None = None,
        cause: Cause | None = None,
    ) -> dt.datetime | None:
        given = {"customer_id": customer_id, "token_id": token_id, "by": by, "cause": cause}
        wanted = {name: value for name, value in given.items() if value is not None}
        found = (
            entry.at
            for entry in reversed(self._about(customer_id, token_id))
            if entry.event == event
            and all(getattr(entry, name) == value for name, value in wanted.items())
        )
        return next(found, None)

    @_atomic
    def rename_customer(self, customer_id: str, new_id: str) -> int:
        check_id("new_id", new_id)
        rows = self._rows.find("customer", customer_id)
        for position, entry in rows:
            renamed = attrs.evolve(entry, customer_id=new_id, detail=None)
            self._rows.put(position, (position, renamed))
        return len(rows)

    @_atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        check_move(customer_id, new_id)
        rows = self._rows.find("customer", customer_id)
        for position, entry in rows:
            self._rows.put(position, (position, attrs.evolve(entry, customer_id=new_id)))
        return len(rows)

    @_atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        rows = self._rows.find("all", _ALL)
        found = _first((position for position, entry in rows if entry.at < before), limit)
        for position in found:
            self._rows.put(position, None)
        return len(found)

    def _about(self, customer_id: str | None, token_id: str | None) -> list[AuditEntry]:
        """The entries of the smallest group that holds all of this token and customer."""
        if token_id is not None:
            rows = self._rows.find("token", token_id)
        elif customer_id is not None:
            rows = self._rows.find("customer", customer_id)
        else:
            rows = self._rows.find("all", _ALL)
        return [entry for _, entry in rows]


# --- customers, documents and ledger ------------------------------------------------------


def _by_name(customer: Customer) -> tuple[str, str]:
    return (customer.name.casefold(), customer.id)


class _Customers(_Repository):
    """`StoredCustomers`."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._rows = _Table[Customer](journal, _by_name, all=lambda _: _ALL)

    @_atomic
    def get(self, customer_id: str) -> Customer | None:
        return self._rows.get(customer_id)

    @_atomic
    def get_many(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        found = map(self._rows.get, _distinct(customer_ids))
        return {customer.id: customer for customer in found if customer}

    @_atomic
    def search(
        self, text: str = "", *, after: str | None = None, limit: int = 50
    ) -> Page[Customer]:
        wanted = text.casefold()

        def fits(customer: Customer) -> bool:
            fields = (customer.name, customer.number, customer.email)
            return any(wanted in field.casefold() for field in fields if field)

        following = self._rows.find("all", _ALL, read_cursor(after, str, str))
        return make_page(_first(filter(fits, following), limit + 1), limit, _by_name)

    @_atomic
    def save(self, *customers: Customer) -> None:
        for customer in customers:
            self._rows.put(check_member("customer", customer, Customer).id, customer)

    @_atomic
    def delete(self, customer_id: str) -> bool:
        return _remove(self._rows, customer_id)


def _remove(table: _Table[Any], key: str) -> bool:
    known = table.get(key) is not None
    if known:
        table.put(key, None)
    return known


class _Documents(_Repository):
    """`StoredDocuments`."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._rows = _Table[Document](journal, attrgetter("date", "id"), customer=_customer_id)

    @_atomic
    def get(self, customer_id: str, document_id: str) -> Document | None:
        document = self._rows.get(document_id)
        return document if document and document.customer_id == customer_id else None

    @_atomic
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
        wanted = None if ids is None else _distinct(ids)

        def fits(document: Document) -> bool:
            return (
                _is_issued(document, kind)
                and (search is None or _is_found(document, search))
                and (year is None or document.date.year == year)
                and (wanted is None or document.id in wanted)
            )

        return _first(filter(fits, self._rows.newest("customer", customer_id, after)), limit)

    @_atomic
    def issued_kinds(
        self, customer_id: str, document_ids: Collection[str]
    ) -> Mapping[str, DocumentKind]:
        found = (self.get(customer_id, one) for one in _distinct(document_ids))
        return {d.id: d.kind for d in found if d and d.status is DocumentStatus.ISSUED}

    @_atomic
    def years(self, customer_id: str, kind: DocumentKind) -> Sequence[int]:
        found = self._rows.find("customer", customer_id)
        return sorted({d.date.year for d in found if _is_issued(d, kind)}, reverse=True)

    @_atomic
    def save(self, *documents: Document) -> None:
        for document in documents:
            self._rows.put(check_member("document", document, Document).id, document)

    @_atomic
    def delete(self, document_id: str) -> bool:
        return _remove(self._rows, document_id)


def _is_issued(document: Document, kind: DocumentKind) -> bool:
    return document.kind == kind and document.status is DocumentStatus.ISSUED


def _is_found(document: Document, search: str) -> bool:
    fields = (document.number, document.reference)
    return any(field.casefold().startswith(search.casefold()) for field in fields if field)


@attrs.define(frozen=True)
class _Counted:
    """The day from which an allocation counts."""

    id: str
    customer_id: str
    counted_on: dt.date


class _Ledger(_Repository):
    """`StoredLedger`. A write is made first and checked as a whole; the journal takes it back."""

    def __init__(self, journal: _Journal) -> None:
        super().__init__(journal)
        self._entries = _Table[LedgerEntry](
            journal,
            attrgetter("key"),
            customer=_customer_id,
            document=attrgetter("document_id"),
        )
        self._allocations = _Table[Allocation](
            journal,
            _id,
            customer=_customer_id,
            debit=attrgetter("debit_id"),
            credit=attrgetter("credit_id"),
        )
        self._allocated = _Table[Decimal](journal)  # by entry id, whatever the dates
        self._open = _Table[OpenItem](
            journal, lambda item: item.entry.key, customer=lambda item: item.entry.customer_id
        )
        self._counted = _Table[_Counted](
            journal, attrgetter("counted_on", "id"), customer=_customer_id
        )

    @_atomic
    def entries(
        self, customer_id: str, *, start: dt.date | None = None, end: dt.date | None = None
    ) -> Sequence[LedgerEntry]:
        found = self._entries.find("customer", customer_id)
        first = 0 if start is None else bisect_left(found, start, key=attrgetter("date"))
        last = len(found) if end is None else bisect_right(found, end, key=attrgetter("date"))
        return found[first:last]

    @_atomic
    def allocations(self, customer_id: str) -> Sequence[Allocation]:
        return self._allocations.find("customer", customer_id)

    @_atomic
    def balances(self, customer_id: str, *, before: dt.date) -> Mapping[str, Decimal]:
        return balances(e for e in self.entries(customer_id, end=before) if e.date < before)

    @_atomic
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
        found = self.entries(customer_id, start=start, end=end)
        first = 0 if after is None else bisect_right(found, after, key=attrgetter("key"))
        following = islice(found, first, None)
        return _first((entry for entry in following if entry.currency == currency), limit)

    @_atomic
    def balance_through(self, customer_id: str, currency: str, key: EntryKey) -> Decimal:
        found = self.entries(customer_id, end=key[0])
        through = (e for e in found if e.currency == currency and e.key <= key)
        return balances(through).get(currency, ZERO)

    @_atomic
    def open_items(self, customer_id: str, as_of: dt.date) -> Sequence[OpenItem]:
        found = self._open.find("customer", customer_id)
        left = {item.entry.id: item.open_amount for item in found if item.entry.date <= as_of}
        for later in self._counted_after(customer_id, as_of):
            allocation = self._allocations.get(later.id)
            for entry in self._entries_of(allocation) if allocation else ():
                if allocation and entry.date <= as_of:
                    left[entry.id] = add(left.get(entry.id, ZERO), allocation.amount)
        items = [OpenItem(e, left[e.id]) for e in map(self._entries.get, left) if e]
        return sorted(items, key=lambda item: item.entry.key)

    @_atomic
    def currencies(self, customer_id: str, *, until: dt.date) -> Sequence[str]:
        return sorted({entry.currency for entry in self.entries(customer_id, end=until)})

    @_atomic
    def last_payments(self, customer_id: str, *, until: dt.date) -> Mapping[str, Payment]:
        return last_payments(self.entries(customer_id, end=until), until)

    @_atomic
    def entries_of_documents(
        self, customer_id: str, document_ids: Collection[str]
    ) -> Sequence[LedgerEntry]:
        found = (
            entry
            for document_id in _distinct(document_ids)
            for entry in self._entries.find("document", document_id)
            if entry.customer_id == customer_id
        )
        return sorted(found, key=attrgetter("key"))

    @_atomic
    def allocations_of(self, customer_id: str, entry_ids: Collection[str]) -> Sequence[Allocation]:
        found = {
            allocation.id: allocation
            for entry_id in _distinct(entry_ids)
            for allocation in self._allocations_on(entry_id)
            if allocation.customer_id == customer_id
        }
        return sorted(found.values(), key=_id)

    @_atomic
    def entries_by_id(self, customer_id: str, entry_ids: Collection[str]) -> Sequence[LedgerEntry]:
        found = map(self._entries.get, _distinct(entry_ids))
        return sorted((e for e in found if e and e.customer_id == customer_id), key=lambda e: e.key)

    @_atomic
    def save(self, *entries: LedgerEntry) -> None:
        for entry in entries:
            self._entries.put(check_member("entry", entry, LedgerEntry).id, entry)
        for entry in entries:
            for allocation in self._allocations_on(entry.id):
                self._check_pair(allocation)
            self._check_amount(entry.id)
        for entry in entries:
            self._note_open(entry.id)
            for allocation in self._allocations_on(entry.id):
                self._note_counted(allocation)

    @_atomic
    def allocate(self, *allocations: Allocation) -> None:
        for allocation in allocations:
            check_member("allocation", allocation, Allocation)
            self._check_pair(allocation)
            self._set_allocation(allocation.id, allocation)
        for allocation in allocations:
            self._check_amount(allocation.debit_id)
            self._check_amount(allocation.credit_id)

    @_atomic
    def unallocate(self, allocation_id: str) -> bool:
        known = self._allocations.get(allocation_id) is not None
        if known:
            self._set_allocation(allocation_id, None)
            self._counted.put(allocation_id, None)
        return known

    @_atomic
    def delete(self, entry_id: str) -> bool:
        if allocations := self._allocations_on(entry_id):
            raise LedgerError(
                f"entry {entry_id!r} cannot be removed: something is allocated to it",
                ids=(entry_id, *map(_id, allocations)),
            )
        self._open.put(entry_id, None)
        return _remove(self._entries, entry_id)

    def _allocations_on(self, entry_id: str) -> list[Allocation]:
        found = (self._allocations.find(side, entry_id) for side in ("debit", "credit"))
        return [allocation for allocations in found for allocation in allocations]

    def _set_allocation(self, allocation_id: str, allocation: Allocation | None) -> None:
        before = self._allocations.get(allocation_id)
        self._allocations.put(allocation_id, allocation)
        if before:
            self._add_allocated(before, negate(before.amount))
        if allocation:
            self._add_allocated(allocation, allocation.amount)
            self._note_counted(allocation)

    def _add_allocated(self, allocation: Allocation, amount: Decimal) -> None:
        for entry_id in (allocation.debit_id, allocation.credit_id):
            known = self._allocated.get(entry_id) or ZERO
            self._allocated.put(entry_id, add(known, amount) or None)
            self._note_open(entry_id)

    def _note_open(self, entry_id: str) -> None:
        """Keep what is left of an entry after all its allocations, whatever their dates."""
        entry, allocated = self._entries.get(entry_id), self._allocated.get(entry_id) or ZERO
        is_open = entry is not None and allocated < entry.amount
        left = OpenItem(entry, subtract(entry.amount, allocated)) if entry and is_open else None
        self._open.put(entry_id, left)

    def _note_counted(self, allocation: Allocation) -> None:
        """Keep the day from which an allocation counts."""
        day = max(allocation.date, *(entry.date for entry in self._entries_of(allocation)))
        self._counted.put(allocation.id, _Counted(allocation.id, allocation.customer_id, day))

    def _counted_after(self, customer_id: str, as_of: dt.date) -> Sequence[_Counted]:
        if as_of == dt.date.max:
            return []
        return self._counted.find("customer", customer_id, (as_of + dt.timedelta(days=1), ""))

    def _entries_of(self, allocation: Allocation) -> list[LedgerEntry]:
        found = map(self._entries.get, (allocation.debit_id, allocation.credit_id))
        return [entry for entry in found if entry]

    def _check_pair(self, allocation: Allocation) -> None:
        entries = map(self._entries.get, (allocation.debit_id, allocation.credit_id))
        parts_by_allocation(filter(None, entries), [allocation], allocation.date)

    def _check_amount(self, entry_id: str) -> None:
        entry, allocated = self._entries.get(entry_id), self._allocated.get(entry_id)
        if entry and allocated and allocated > entry.amount:
            raise LedgerError(
                f"more is allocated to entry {entry_id!r} than it has: "
                f"{format_amount(allocated)} of {format_amount(entry.amount)} {entry.currency}",
                ids=(entry_id, *map(_id, self._allocations_on(entry_id))),
            )
