"""The portal's own state in SQL: settings, messages, notes and the audit trail.

What each method promises stands in `basis_portal.repositories`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from ..domain.audit import AuditEntry, AuditEvent, Cause
from ..domain.checks import check_id, check_member, check_move
from ..domain.config import DEFAULT_SETTINGS, StoredSettings
from ..domain.messages import InternalNote, Message
from ..errors import SettingsConflict
from ..repositories import AuditRepository, MessageRepository, SettingsRepository
from . import _sql
from ._sql import Row, SQLRepository, assignments, atomic, marks, micros_of, to_instant, wanted


class SQLSettings(SQLRepository, SettingsRepository):
    """`SettingsRepository`."""

    def get(self) -> StoredSettings:
        found = self._database.one(_sql.to_settings, _GET_SETTINGS, (self._tenant,))
        return found or DEFAULT_SETTINGS

    @atomic
    def put(self, settings: StoredSettings) -> None:
        check_member("settings", settings, StoredSettings)
        self._database.alone("settings")
        current = self.get()
        if settings.version != current.version + 1:
            raise SettingsConflict(
                f"the settings are at version {current.version}, "
                f"so the next one is not {settings.version}",
                current=current,
            )
        self._database.run(_PUT_SETTINGS, (self._tenant, *_sql.settings_row(settings)))


_GET_SETTINGS = f"SELECT {_sql.SETTINGS} FROM settings WHERE tenant = ?"
_PUT_SETTINGS = (
    f"INSERT INTO settings (tenant, {_sql.SETTINGS}) VALUES (?, {marks(_sql.SETTINGS)}) "
    f"ON CONFLICT (tenant) DO UPDATE SET {assignments(f'tenant, {_sql.SETTINGS}')}"
)


# --- messages and notes -------------------------------------------------------------------


class SQLMessages(SQLRepository, MessageRepository):
    """`MessageRepository`. Notes have a table of their own, which no query for messages names."""

    def add(self, message: Message) -> None:
        check_member("message", message, Message)
        self._run(_ADD_MESSAGE, *_sql.message_row(message))

    def by_key(self, customer_id: str, idempotency_key: str) -> Message | None:
        values = (self._tenant, wanted(customer_id), wanted(idempotency_key))
        return self._database.one(_sql.to_message, _MESSAGE_BY_KEY, values)

    def page(
        self, customer_id: str, *, after: tuple[dt.datetime, str] | None = None, limit: int = 50
    ) -> Sequence[Message]:
        return self._newest(
            f"{_MESSAGES} AND customer_id = ?", (wanted(customer_id),), after, limit
        )

    def sent_since(self, customer_id: str, since: dt.datetime) -> Sequence[dt.datetime]:
        values = (self._tenant, wanted(customer_id), micros_of("since", since))
        return self._database.each(to_instant, _SENT_SINCE, values)

    def inbox(
        self,
        *,
        unread_only: bool,
        after: tuple[dt.datetime, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Message]:
        sql = f"{_MESSAGES} AND {_UNREAD if unread_only else _FROM_CUSTOMER}"
        return self._newest(sql, (), after, limit)

    def unread_count(self) -> int:
        return int(self._database.rows(_COUNT_UNREAD, (self._tenant,))[0][0])

    @atomic
    def mark_read(self, customer_id: str, at: dt.datetime) -> int:
        values = (micros_of("at", at), self._tenant, wanted(customer_id))
        return self._database.run(_MARK_READ, values)

    def add_note(self, note: InternalNote) -> None:
        check_member("note", note, InternalNote)
        self._run(_ADD_NOTE, *_sql.note_row(note))

    def notes(self, customer_id: str) -> Sequence[InternalNote]:
        return self._database.each(_sql.to_note, _NOTES, (self._tenant, wanted(customer_id)))

    @atomic
    def erase(self, customer_id: str) -> int:
        return sum(self._run(sql, wanted(customer_id)) for sql in _ERASE)

    @atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        values = (check_move(customer_id, new_id), self._tenant, wanted(customer_id))
        return sum(self._database.run(sql, values) for sql in (_MOVE_MESSAGES, _MOVE_NOTES))

    @atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        pruned = 0
        for sql in (_PRUNE_MESSAGES, _PRUNE_NOTES):
            values = (self._tenant, self._tenant, micros_of("before", before), limit - pruned)
            pruned += self._database.run(sql, values)
        return pruned

    def _newest(
        self, sql: str, values: Row, after: tuple[dt.datetime, str] | None, limit: int
    ) -> list[Message]:
        if after is not None:
            sql, values = f"{sql} AND (at, id) < (?, ?)", (*values, _micros(after), after[1])
        sql = f"{sql} ORDER BY at DESC, id DESC LIMIT ?"
        return self._database.each(_sql.to_message, sql, (self._tenant, *values, limit))

    @atomic
    def _run(self, sql: str, *values: object) -> int:
        return self._database.run(sql, (self._tenant, *values))


def _micros(key: tuple[dt.datetime, str]) -> int:
    return micros_of("after", key[0])


_FROM_CUSTOMER = "author = 'customer'"
_UNREAD = "author = 'customer' AND read_at IS NULL"
_MESSAGES = f"SELECT {_sql.MESSAGE} FROM messages WHERE tenant = ?"
_ADD_MESSAGE = f"INSERT INTO messages (tenant, {_sql.MESSAGE}) VALUES (?, {marks(_sql.MESSAGE)})"
_MESSAGE_BY_KEY = f"{_MESSAGES} AND customer_id = ? AND idempotency_key = ?"
_SENT_SINCE = (
    f"SELECT at FROM messages WHERE tenant = ? AND customer_id = ? AND {_FROM_CUSTOMER} "
    "AND at > ? ORDER BY at"
)
_COUNT_UNREAD = f"SELECT count(*) FROM messages WHERE tenant = ? AND {_UNREAD}"
_MARK_READ = f"UPDATE messages SET read_at = ? WHERE tenant = ? AND customer_id = ? AND {_UNREAD}"
_ERASE = (
    "DELETE FROM messages WHERE tenant = ? AND customer_id = ?",
    "DELETE FROM notes WHERE tenant = ? AND customer_id = ?",
)
_MOVE_MESSAGES = (
    "UPDATE messages SET customer_id = ?, idempotency_key = NULL "
    "WHERE tenant = ? AND customer_id = ?"
)
# As the index says it.
_PRUNE_MESSAGES = (
    "DELETE FROM messages WHERE tenant = ? AND id IN (SELECT id FROM messages "
    "WHERE tenant = ? AND at < ? AND (author = 'seller' OR read_at IS NOT NULL) "
    "ORDER BY at, id LIMIT ?)"
)
_PRUNE_NOTES = (
    "DELETE FROM notes WHERE tenant = ? AND id IN (SELECT id FROM notes "
    "WHERE tenant = ? AND at < ? ORDER BY at, id LIMIT ?)"
)
_MOVE_NOTES = "UPDATE notes SET customer_id = ? WHERE tenant = ? AND customer_id = ?"
_ADD_NOTE = f"INSERT INTO notes (tenant, {_sql.NOTE}) VALUES (?, {marks(_sql.NOTE)})"
_NOTES = f"SELECT {_sql.NOTE} FROM notes WHERE tenant = ? AND customer_id = ? ORDER BY at, id"


# --- the audit trail ----------------------------------------------------------------------


class SQLAudit(SQLRepository, AuditRepository):
    """`AuditRepository`."""

    @atomic
    def append(self, entries: Sequence[AuditEntry]) -> None:
        rows = [
            (self._tenant, *_sql.audit_row(check_member("entry", entry, AuditEntry)))
            for entry in entries
        ]
        self._database.insert("audit", f"tenant, {_sql.AUDIT}", rows)

    def page(
        self, *, customer_id: str | None = None, after: int | None = None, limit: int = 50
    ) -> Sequence[tuple[int, AuditEntry]]:
        sql = _ENTRIES
        values: list[object] = [self._tenant]
        if customer_id is not None:
            sql += " AND customer_id = ?"
            values.append(wanted(customer_id))
        if after is not None:
            sql += " AND position < ?"
            values.append(after)
        sql += " ORDER BY position DESC LIMIT ?"
        return self._database.each(_with_position, sql, [*values, limit])

    def last(
        self,
        event: AuditEvent,
        *,
        customer_id: str | None = None,
        token_id: str | None = None,
        by: str | None = None,
        cause: Cause | None = None,
    ) -> dt.datetime | None:
        given = {
            "token_id": token_id,
            "customer_id": customer_id,
            "made_by": by,
            "cause": None if cause is None else check_member("cause", cause, Cause).value,
        }
        filters = {name: wanted(value) for name, value in given.items() if value is not None}
        # As a constant, so that the database can tell whether a partial index has the event.
        name = check_member("event", event, AuditEvent).value
        sql = f"SELECT at FROM audit WHERE tenant = ? AND event = '{name}'"
        sql += "".join(f" AND {column} = ?" for column in filters)
        sql += " ORDER BY position DESC LIMIT 1"
        return self._database.one(to_instant, sql, (self._tenant, *filters.values()))

    @atomic
    def rename_customer(self, customer_id: str, new_id: str) -> int:
        check_id("new_id", new_id)
        return self._database.run(_RENAME, (new_id, self._tenant, wanted(customer_id)))

    @atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        values = (check_move(customer_id, new_id), self._tenant, wanted(customer_id))
        return self._database.run(_MOVE_ENTRIES, values)

    @atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        return self._database.run(
            _PRUNE, (self._tenant, self._tenant, micros_of("before", before), limit)
        )


def _with_position(position: int, *columns: object) -> tuple[int, AuditEntry]:
    return position, _sql.to_audit_entry(*columns)  # type: ignore[arg-type]


_ENTRIES = f"SELECT position, {_sql.AUDIT} FROM audit WHERE tenant = ?"
_PRUNE = (
    "DELETE FROM audit WHERE tenant = ? AND position IN (SELECT position FROM audit "
    "WHERE tenant = ? AND at < ? ORDER BY position LIMIT ?)"
)
_MOVE_ENTRIES = "UPDATE audit SET customer_id = ? WHERE tenant = ? AND customer_id = ?"
_RENAME = "UPDATE audit SET customer_id = ?, detail = NULL WHERE tenant = ? AND customer_id = ?"
