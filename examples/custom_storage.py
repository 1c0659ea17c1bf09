"""A storage of one's own, and the proof that it keeps every promise.

    python examples/custom_storage.py

Each record stands as JSON text in a dict, as it would in a key-value store. All texts are
copied for each transaction and a whole table is looked through for each answer: good for some
hundred customers, and short. Running this file runs the conformance kit on it.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pytest
from cattrs.preconf.json import make_converter

import basis_portal as bp
from basis_portal import LINK_KINDS, Mail, MailKind, MailStatus, check_same_mail
from basis_portal.repositories import Opening, Storage, UnitOfWork
from basis_portal.testing import StorageConformance

T = TypeVar("T")
Place = tuple[datetime, str]

_log = logging.getLogger(__name__)
_json = make_converter()
# Records never change, so that one which was read may be handed out again.
_read: Callable[[str, Any], Any] = lru_cache(10_000)(_json.loads)


class _Tables:
    """JSON texts by table and key, in the order in which they were added."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, str]] = {}
        self._calls: list[Callable[[], None]] = []
        self._depth = 0
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let nobody else in; where an error passes, put everything back as it was."""
        due: list[Callable[[], None]] = []
        with self._lock:
            before = {table: dict(texts) for table, texts in self._texts.items()}
            waiting = len(self._calls)
            self._depth += 1
            try:
                yield
            except BaseException:
                self._texts = before
                del self._calls[waiting:]
                raise
            finally:
                self._depth -= 1
            if not self._depth:
                due, self._calls = self._calls, due
        for call in due:
            try:
                call()
            except Exception as error:  # what it says may hold a link
                _log.error("a call after the commit failed with %s", type(error).__name__)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have it called by the outermost transaction; where none runs this one is."""
        with self.transaction():
            self._calls.append(call)

    def all(self, table: str, kind: type[T]) -> dict[str, T]:
        """Every record of a table by its key."""
        with self._lock:
            return {key: _read(text, kind) for key, text in self._texts.get(table, {}).items()}

    def put(self, table: str, key: str, record: object) -> None:
        """Insert or replace."""
        with self._lock:
            self._texts.setdefault(table, {})[key] = _json.dumps(record)

    def add(self, table: str, key: str, record: object) -> None:
        """Insert, where the key is not taken."""
        with self._lock:
            if key in self._texts.get(table, {}):
                raise bp.StorageError(f"an id is taken among the {table}")
            self.put(table, key, record)

    def remove(self, table: str, key: str) -> None:
        """Remove what is there."""
        with self._lock:
            del self._texts[table][key]


@attrs.define
class _Repository:
    tables: _Tables


class _Settings(_Repository):
    def get(self) -> bp.StoredSettings:
        default = bp.StoredSettings(bp.PortalConfig(), 0)
        return self.tables.all("settings", bp.StoredSettings).get("", default)

    def put(self, settings: bp.StoredSettings) -> None:
        with self.tables.transaction():
            current = self.get()
            if settings.version != current.version + 1:
                raise bp.SettingsConflict("the settings were saved meanwhile", current=current)
            self.tables.put("settings", "", settings)


class _Tokens(_Repository):
    def add(self, tokens: Sequence[bp.PortalToken]) -> None:
        with self.tables.transaction():
            for token in tokens:
                self.tables.add("tokens", token.id, token)
                self._refuse_two_current(token.customer_id)

    def get(self, token_id: str) -> bp.PortalToken | None:
        return self._all().get(token_id)

    def latest(self, customer_ids: Collection[str]) -> Mapping[str, bp.PortalToken]:
        return {own: token for own, token in self._latest().items() if own in customer_ids}

    def end(
        self,
        token_ids: Collection[str],
        *,
        at: datetime,
        by: str,
        how: bp.EndedAs,
        reason: str | None = None,
    ) -> Sequence[bp.PortalToken]:
        with self.tables.transaction():
            known = self._all()
            found = [known[key] for key in sorted(known.keys() & set(token_ids))]
            ended = [
                attrs.evolve(token, ended_at=at, ended_by=by, ended_as=how, reason=reason)
                for token in found
                if token.is_current
            ]
            for token in ended:
                self.tables.put("tokens", token.id, token)
            return ended

    def page(
        self,
        *,
        status: bp.TokenStatus | None = None,
        now: datetime,
        expires_before: datetime | None = None,
        key_fingerprint: str | None = None,
        after: Place | None = None,
        limit: int = 50,
    ) -> Sequence[bp.PortalToken]:
        found = [
            token
            for token in self._latest().values()
            if status in (None, token.status_at(now))
            and key_fingerprint in (None, token.key_fingerprint)
            and (expires_before is None or _expires_soon(token, now, expires_before))
            and (after is None or (token.expires_at, token.id) > after)
        ]
        return sorted(found, key=lambda token: (token.expires_at, token.id))[:limit]

    def count(self, status: bp.TokenStatus, *, now: datetime) -> int:
        return sum(token.status_at(now) is status for token in self._latest().values())

    def current_page(
        self, *, after: str | None = None, limit: int = 1000
    ) -> Sequence[bp.PortalToken]:
        current = {t.customer_id: t for t in self._all().values() if t.is_current}
        return [current[own] for own in sorted(current) if after is None or own > after][:limit]

    def history(self, customer_id: str) -> Sequence[bp.PortalToken]:
        return [token for token in self._all().values() if token.customer_id == customer_id]

    def mark_opened(self, token_id: str, at: datetime, *, unless_within: timedelta) -> bool:
        with self.tables.transaction():
            before = self.last_opened([token_id]).get(token_id)
            if self.get(token_id) is None or (before and abs(at - before) < unless_within):
                return False
            self.tables.put("openings", token_id, at)
            return True

    def last_opened(self, token_ids: Collection[str]) -> Mapping[str, datetime]:
        openings = self.tables.all("openings", datetime)
        return {own: at for own, at in openings.items() if own in token_ids}

    def rename_customer(self, customer_id: str, new_id: str) -> int:
        with self.tables.transaction():
            found = self.history(customer_id)
            for token in found:
                renamed = attrs.evolve(token, customer_id=new_id, reason=None)
                self.tables.put("tokens", token.id, renamed)
            self._refuse_two_current(new_id)
            return len(found)

    def move_customer(self, customer_id: str, new_id: str) -> int:
        with self.tables.transaction():
            found, kept = self.history(customer_id), self.history(_other(customer_id, new_id))
            for token in found:
                if token.is_current:
                    raise bp.ActiveTokenExists("the customer has a current token", token=token)
                moved = attrs.evolve(token, customer_id=new_id)
                self.tables.put("tokens", token.id, moved)
            for token in kept:  # they come after those that are moved
                self.tables.remove("tokens", token.id)
                self.tables.put("tokens", token.id, token)
            return len(found)

    def prune(self, before: datetime, *, limit: int = 1000) -> int:
        latest = {token.id for token in self._latest().values()}
        past = [token for token in self._all().values() if token.id not in latest]
        due = sorted((t.ended_at, t.id) for t in past if t.ended_at and t.ended_at < before)
        with self.tables.transaction():
            for _, own in due[:limit]:
                self.tables.remove("tokens", own)
        return len(due[:limit])

    def _all(self) -> dict[str, bp.PortalToken]:
        return self.tables.all("tokens", bp.PortalToken)

    def _latest(self) -> dict[str, bp.PortalToken]:
        return {token.customer_id: token for token in self._all().values()}

    def _refuse_two_current(self, customer_id: str) -> None:
        current = [token for token in self.history(customer_id) if token.is_current]
        if len(current) > 1:
            raise bp.ActiveTokenExists("the customer has a current token", token=current[0])


def _other(customer_id: str, new_id: str) -> str:
    if new_id == customer_id:
        raise bp.InvalidValue("new_id must be another id", field="new_id")
    return new_id


def _expires_soon(token: bp.PortalToken, now: datetime, before: datetime) -> bool:
    return token.status_at(now) is bp.TokenStatus.ACTIVE and token.expires_at < before


class _Messages(_Repository):
    def add(self, message: bp.Message) -> None:
        with self.tables.transaction():
            if self.by_key(message.customer_id, message.idempotency_key):
                raise bp.StorageError("the customer's idempotency key is taken")
            self.tables.add("messages", message.id, message)

    def by_key(self, customer_id: str, idempotency_key: str | None) -> bp.Message | None:
        keys = {m.idempotency_key: m for m in self._all() if m.customer_id == customer_id}
        return keys.get(idempotency_key) if idempotency_key is not None else None

    def page(
        self, customer_id: str, *, after: Place | None = None, limit: int = 50
    ) -> Sequence[bp.Message]:
        found = [message for message in self._all() if message.customer_id == customer_id]
        return _newest(found, after, limit)

    def sent_since(self, customer_id: str, since: datetime) -> Sequence[datetime]:
        own = [m for m in self._from_customers() if m.customer_id == customer_id]
        return sorted(message.at for message in own if message.at > since)

    def inbox(
        self, *, unread_only: bool, after: Place | None = None, limit: int = 50
    ) -> Sequence[bp.Message]:
        return _newest(self._from_customers(unread_only=unread_only), after, limit)

    def unread_count(self) -> int:
        return len(self._from_customers(unread_only=True))

    def mark_read(self, customer_id: str, at: datetime) -> int:
        with self.tables.transaction():
            unread = self._from_customers(unread_only=True)
            own = [message for message in unread if message.customer_id == customer_id]
            for message in own:
                self.tables.put("messages", message.id, attrs.evolve(message, read_at=at))
            return len(own)

    def add_note(self, note: bp.InternalNote) -> None:
        self.tables.add("notes", note.id, note)

    def notes(self, customer_id: str) -> Sequence[bp.InternalNote]:
        found = self.tables.all("notes", bp.InternalNote).values()
        own = [note for note in found if note.customer_id == customer_id]
        return sorted(own, key=lambda note: (note.at, note.id))

    def erase(self, customer_id: str) -> int:
        with self.tables.transaction():
            gone = [("messages", m.id) for m in self._all() if m.customer_id == customer_id]
            gone += [("notes", note.id) for note in self.notes(customer_id)]
            for table, key in gone:
                self.tables.remove(table, key)
            return len(gone)

    def move_customer(self, customer_id: str, new_id: str) -> int:
        to = {"customer_id": _other(customer_id, new_id)}
        with self.tables.transaction():
            found = [m for m in self._all() if m.customer_id == customer_id]
            notes = self.notes(customer_id)
            for message in found:
                moved = attrs.evolve(message, idempotency_key=None, **to)
                self.tables.put("messages", message.id, moved)
            for note in notes:
                self.tables.put("notes", note.id, attrs.evolve(note, **to))
            return len(found) + len(notes)

    def prune(self, before: datetime, *, limit: int = 1000) -> int:
        unread = {message.id for message in self._from_customers(unread_only=True)}
        past = sorted((m.at, m.id) for m in self._all() if m.at < before and m.id not in unread)
        notes = self.tables.all("notes", bp.InternalNote).values()
        due = [("messages", own) for _, own in past]
        due += [("notes", own) for at, own in sorted((n.at, n.id) for n in notes) if at < before]
        with self.tables.transaction():
            for table, own in due[:limit]:
                self.tables.remove(table, own)
        return len(due[:limit])

    def _all(self) -> Collection[bp.Message]:
        return self.tables.all("messages", bp.Message).values()

    def _from_customers(self, *, unread_only: bool = False) -> list[bp.Message]:
        found = [message for message in self._all() if message.author is bp.Author.CUSTOMER]
        return [message for message in found if not (unread_only and message.read_at)]


def _newest(found: Collection[bp.Message], after: Place | None, limit: int) -> list[bp.Message]:
    found = [message for message in found if after is None or (message.at, message.id) < after]
    return sorted(found, key=lambda message: (message.at, message.id), reverse=True)[:limit]


class _Mails(_Repository):
    def add(self, mails: Sequence[Mail]) -> Sequence[str]:
        with self.tables.transaction():
            return [mail.id for mail in mails if self._add(mail)]

    def _add(self, mail: Mail) -> bool:
        of_run = {m.customer_id for m in self._all() if m.run == mail.run is not None}
        if mail.customer_id is not None and mail.customer_id in of_run:
            return False
        self.tables.add("mails", mail.id, mail)
        return True

    def get(self, mail_id: str) -> Mail | None:
        return self.tables.all("mails", Mail).get(mail_id)

    def claim(self, now: datetime, *, run: str | None = None) -> Mail | None:
        with self.tables.transaction():
            due = [m for m in self._all() if m.status is MailStatus.QUEUED and m.due_at <= now]
            own = [mail for mail in due if run in (None, mail.run)]
            if not own:
                return None
            found = min(own, key=lambda mail: (mail.run or "", mail.due_at, mail.id))
            attempts = found.attempts + 1
            taken = attrs.evolve(
                found, status=MailStatus.SENDING, claimed_at=now, attempts=attempts
            )
            self.tables.put("mails", taken.id, taken)
            return taken

    def change(self, before: Mail, after: Mail) -> bool:
        check_same_mail(before, after)
        with self.tables.transaction():
            found = self.get(before.id)
            if not found or (found.status, found.attempts) != (before.status, before.attempts):
                return False
            self.tables.put("mails", after.id, attrs.evolve(after, customer_id=found.customer_id))
            return True

    def claimed_before(self, before: datetime, *, limit: int = 1000) -> Sequence[Mail]:
        sending = [mail for mail in self._all() if mail.status is MailStatus.SENDING]
        found = sorted((m.claimed_at, m.id) for m in sending if m.claimed_at)
        return [self._of_id(own) for at, own in found if at < before][:limit]

    def latest(self, customer_id: str, kind: MailKind) -> Mail | None:
        own = [mail for mail in self._of(customer_id) if mail.kind is kind]
        return max(own, key=lambda mail: (mail.queued_at, mail.id), default=None)

    def of_customer(
        self, customer_id: str, *, after: Place | None = None, limit: int = 50
    ) -> Sequence[Mail]:
        found = sorted(((m.queued_at, m.id) for m in self._of(customer_id)), reverse=True)
        return [self._of_id(key[1]) for key in found if after is None or key < after][:limit]

    def last_sent(self, customer_ids: Collection[str]) -> Mapping[str, Mail]:
        sent = [m for m in self._all() if m.status is MailStatus.SENT and m.kind in LINK_KINDS]
        found = sorted((m.settled_at, m.id, m.customer_id) for m in sent if m.settled_at)
        return {own: self._of_id(key) for _, key, own in found if own and own in customer_ids}

    def went_out(self, customer_id: str, since: datetime) -> Sequence[datetime]:
        gone = (MailStatus.SENDING, MailStatus.SENT, MailStatus.UNKNOWN)
        own = [m for m in self._of(customer_id) if m.status in gone and m.kind in LINK_KINDS]
        return sorted(m.claimed_at for m in own if m.claimed_at and m.claimed_at > since)

    def counts(self, run: str | None) -> Mapping[MailStatus, int]:
        return Counter(mail.status for mail in self._all() if mail.run == run)

    def waiting(self) -> tuple[int, datetime | None]:
        due = [mail.due_at for mail in self._all() if mail.status is MailStatus.QUEUED]
        return len(due), min(due, default=None)

    def page(
        self, run: str | None, status: MailStatus, *, after: Place | None = None, limit: int = 50
    ) -> Sequence[Mail]:
        own = [mail for mail in self._all() if mail.run == run and mail.status is status]
        found = sorted((mail.queued_at, mail.id) for mail in own)
        return [self._of_id(key[1]) for key in found if after is None or key > after][:limit]

    def erase(self, customer_id: str) -> int:
        return self._remove([mail.id for mail in self._of(customer_id)])

    def move_customer(self, customer_id: str, new_id: str) -> int:
        with self.tables.transaction():
            runs = {mail.run for mail in self._of(_other(customer_id, new_id)) if mail.run}
            found = self._of(customer_id)
            for mail in found:
                if mail.run in runs:
                    self.tables.remove("mails", mail.id)
                else:
                    self.tables.put("mails", mail.id, attrs.evolve(mail, customer_id=new_id))
            return len(found)

    def prune(self, before: datetime, *, limit: int = 1000) -> int:
        settled = sorted((m.settled_at, m.id) for m in self._all() if m.settled_at)
        return self._remove([own for at, own in settled if at < before][:limit])

    def _remove(self, ids: Sequence[str]) -> int:
        with self.tables.transaction():
            for own in ids:
                self.tables.remove("mails", own)
        return len(ids)

    def _all(self) -> Collection[Mail]:
        return self.tables.all("mails", Mail).values()

    def _of(self, customer_id: str) -> list[Mail]:
        return [mail for mail in self._all() if mail.customer_id == customer_id]

    def _of_id(self, mail_id: str) -> Mail:
        return self.tables.all("mails", Mail)[mail_id]


class _Audit(_Repository):
    _positions = itertools.count(1)

    def append(self, entries: Sequence[bp.AuditEntry]) -> None:
        with self.tables.transaction():
            for entry in entries:
                self.tables.add("audit", str(next(self._positions)), entry)

    def page(
        self, *, customer_id: str | None = None, after: int | None = None, limit: int = 50
    ) -> Sequence[tuple[int, bp.AuditEntry]]:
        found = [
            (position, entry)
            for position, entry in self._all().items()
            if customer_id in (None, entry.customer_id) and (after is None or position < after)
        ]
        return found[::-1][:limit]

    def last(self, event: bp.AuditEvent, **wanted: str | None) -> datetime | None:
        found = [
            entry.at
            for entry in self._all().values()
            if entry.event is event
            and all(value in (None, getattr(entry, name)) for name, value in wanted.items())
        ]
        return found[-1] if found else None

    def rename_customer(self, customer_id: str, new_id: str) -> int:
        with self.tables.transaction():
            found = {at: e for at, e in self._all().items() if e.customer_id == customer_id}
            for position, entry in found.items():
                renamed = attrs.evolve(entry, customer_id=new_id, detail=None)
                self.tables.put("audit", str(position), renamed)
            return len(found)

    def move_customer(self, customer_id: str, new_id: str) -> int:
        to = {"customer_id": _other(customer_id, new_id)}
        with self.tables.transaction():
            found = {at: e for at, e in self._all().items() if e.customer_id == customer_id}
            for position, entry in found.items():
                self.tables.put("audit", str(position), attrs.evolve(entry, **to))
            return len(found)

    def prune(self, before: datetime, *, limit: int = 1000) -> int:
        due = [position for position, entry in self._all().items() if entry.at < before]
        with self.tables.transaction():
            for position in due[:limit]:
                self.tables.remove("audit", str(position))
        return len(due[:limit])

    def _all(self) -> dict[int, bp.AuditEntry]:
        return {int(key): e for key, e in self.tables.all("audit", bp.AuditEntry).items()}


class JsonStorage:
    """A `Storage`. It keeps no customers, documents and ledger: the host has its own ones."""

    def __init__(self, tenant: str = "default") -> None:
        self.tenant = tenant
        self._tables = _Tables()
        self.settings = _Settings(self._tables)
        self.tokens = _Tokens(self._tables)
        self.messages = _Messages(self._tables)
        self.mails = _Mails(self._tables)
        self.audit = _Audit(self._tables)

    def transact(
        self,
        work: Callable[[UnitOfWork], T],
        *,
        lock: Collection[str] = (),  # noqa: ARG002 (the one lock covers every customer)
    ) -> T:
        """Run ``work`` in one transaction."""
        with self._tables.transaction():
            return work(self)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call once this thread's transaction is committed."""
        self._tables.after_commit(call)

    def snapshot(self) -> AbstractContextManager[None]:
        """Let nobody else in while this thread reads."""
        return self._tables.transaction()

    def opening(self, token_id: str) -> Opening:
        """What is needed to open a link."""
        with self._tables.transaction():
            opened_at = self.tokens.last_opened([token_id]).get(token_id)
            return Opening(self.settings.get(), self.tokens.get(token_id), None, opened_at)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


if TYPE_CHECKING:
    _: type[Storage] = JsonStorage


class TestJsonStorage(StorageConformance):
    """The conformance kit, run on `JsonStorage`."""

    @pytest.fixture
    def storage(self) -> JsonStorage:
        """A storage that is new and empty."""
        return JsonStorage()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-q", "-W", "ignore::pytest.PytestWarning"]))
