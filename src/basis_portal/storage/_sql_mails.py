"""E-mails in SQL. What each method promises stands in `basis_portal.repositories`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import attrs

from ..domain.checks import check_member, check_move
from ..domain.mail import LINK_KINDS, WENT_OUT, Mail, MailKind, MailStatus, check_same_mail
from ..repositories import MailRepository
from . import _sql
from ._sql import (
    SQLRepository,
    atomic,
    id_list,
    marks,
    micros_of,
    prefixed,
    to_instant,
    wanted,
)


class SQLMails(SQLRepository, MailRepository):
    """`MailRepository`. A unique index holds that a run mails each customer once."""

    @atomic
    def add(self, mails: Sequence[Mail]) -> Sequence[str]:
        rows = [(self._tenant, *_sql.mail_row(check_member("mail", one, Mail))) for one in mails]
        return [
            one.id for one, row in zip(mails, rows, strict=True) if self._database.run(_ADD, row)
        ]

    def get(self, mail_id: str) -> Mail | None:
        return self._database.one(_sql.to_mail, _GET, (self._tenant, wanted(mail_id)))

    @atomic
    def claim(self, now: dt.datetime, *, run: str | None = None) -> Mail | None:
        instant = micros_of("now", now)
        values = (self._tenant, instant) if run is None else (self._tenant, instant, _name_of(run))
        sql = _FIRST_DUE if run is None else _FIRST_DUE_OF_RUN
        found = self._database.one(_sql.to_mail, sql, values)
        if found is None:
            return None
        taken = attrs.evolve(
            found, status=MailStatus.SENDING, claimed_at=now, attempts=found.attempts + 1
        )
        self.change(found, taken)
        return taken

    @atomic
    def change(self, before: Mail, after: Mail) -> bool:
        check_same_mail(before, after)
        new = _sql.mail_row(after)
        key = (self._tenant, before.id, before.status.value, before.attempts)
        return self._database.run(_CHANGE, (*(new[at] for at in _CHANGING), *key)) == 1

    def claimed_before(self, before: dt.datetime, *, limit: int = 1000) -> Sequence[Mail]:
        values = (self._tenant, micros_of("before", before), limit)
        return self._database.each(_sql.to_mail, _CLAIMED_BEFORE, values)

    @atomic
    def latest(self, customer_id: str, kind: MailKind) -> Mail | None:
        values = (self._tenant, wanted(customer_id), check_member("kind", kind, MailKind).value)
        return self._database.one(_sql.to_mail, _LATEST, values)

    def of_customer(
        self, customer_id: str, *, after: tuple[dt.datetime, str] | None = None, limit: int = 50
    ) -> Sequence[Mail]:
        sql, values = _OF_CUSTOMER, (self._tenant, wanted(customer_id))
        if after is not None:
            sql += " AND (queued_at, id) < (?, ?)"
            values += (micros_of("after", after[0]), after[1])  # type: ignore[assignment]
        sql += " ORDER BY queued_at DESC, id DESC LIMIT ?"
        return self._database.each(_sql.to_mail, sql, (*values, limit))

    def last_sent(self, customer_ids: Collection[str]) -> Mapping[str, Mail]:
        values = (id_list(customer_ids), self._tenant)
        found = self._database.each(_sql.to_mail, _LAST_SENT, values)
        return {str(one.customer_id): one for one in found}

    def went_out(self, customer_id: str, since: dt.datetime) -> Sequence[dt.datetime]:
        values = (self._tenant, wanted(customer_id), micros_of("since", since))
        return self._database.each(to_instant, _WENT_OUT, values)

    def counts(self, run: str | None) -> Mapping[MailStatus, int]:
        values = (self._tenant, _name_of(run))
        return dict(self._database.each(_sql.to_mail_status, _COUNTS, values))

    def waiting(self) -> tuple[int, dt.datetime | None]:
        ((count, first),) = self._database.rows(_WAITING, (self._tenant,))
        return int(count), None if first is None else to_instant(first)

    def page(
        self,
        run: str | None,
        status: MailStatus,
        *,
        after: tuple[dt.datetime, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Mail]:
        name = check_member("status", status, MailStatus).value
        seen = (-(2**63), "") if after is None else (micros_of("after", after[0]), after[1])
        values = (self._tenant, _name_of(run), name, *seen, limit)
        return self._database.each(_sql.to_mail, _PAGE, values)

    @atomic
    def erase(self, customer_id: str) -> int:
        return self._database.run(_ERASE, (self._tenant, wanted(customer_id)))

    @atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        check_move(customer_id, new_id)
        twice = (self._tenant, wanted(customer_id), self._tenant, new_id)
        moved = (new_id, self._tenant, wanted(customer_id))
        return self._database.run(_DROP_TWICE, twice) + self._database.run(_MOVE, moved)

    @atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        values = (self._tenant, self._tenant, micros_of("before", before), limit)
        return self._database.run(_PRUNE, values)


def _name_of(run: str | None) -> str | None:
    """How a run stands in its column: none is the empty one, which is no run's name."""
    return "" if run is None else wanted(run) or None


_COLUMNS = _sql.MAIL.split(", ")
_CHANGING = [
    _COLUMNS.index(name)
    for name in (
        *("due_at", "status", "about", "attempts", "claimed_at", "settled_at", "token_id"),
        *("address", "problem"),
    )
]
_SET = ", ".join(f"{_COLUMNS[at]} = ?" for at in _CHANGING)
_BRINGS_LINK = f"kind IN ({', '.join(repr(kind.value) for kind in LINK_KINDS)})"
_HAS_GONE_OUT = f"status IN ({', '.join(repr(status.value) for status in WENT_OUT)})"

_ADD = (
    f"INSERT INTO mails (tenant, {_sql.MAIL}) VALUES (?, {marks(_sql.MAIL)}) "
    "ON CONFLICT (tenant, run, customer_id) WHERE run <> '' DO NOTHING"
)
_MAILS = f"SELECT {_sql.MAIL} FROM mails WHERE tenant = ?"
_GET = f"{_MAILS} AND id = ?"
_DUE = f"{_MAILS} AND status = 'queued' AND due_at <= ?"
_IN_TURN = "ORDER BY run, due_at, id LIMIT 1 /* FOR UPDATE OF mails SKIP LOCKED */"
_FIRST_DUE = f"{_DUE} {_IN_TURN}"
_FIRST_DUE_OF_RUN = f"{_DUE} AND run = ? {_IN_TURN}"
_CHANGE = f"UPDATE mails SET {_SET} WHERE tenant = ? AND id = ? AND status = ? AND attempts = ?"
_CLAIMED_BEFORE = (
    f"{_MAILS} AND status = 'sending' AND claimed_at < ? ORDER BY claimed_at, id LIMIT ?"
)
_OF_CUSTOMER = f"{_MAILS} AND customer_id = ?"
# Locked: whoever finds it still queued relies on its telling what is written meanwhile.
_LATEST = (
    f"{_OF_CUSTOMER} AND kind = ? ORDER BY queued_at DESC, id DESC LIMIT 1 "
    "/* FOR UPDATE OF mails */"
)
_LAST_SENT = f"""SELECT {_sql.MAIL} FROM (
        SELECT {prefixed("mails", _sql.MAIL)}, row_number() OVER
            (PARTITION BY customer_id ORDER BY settled_at DESC, mails.id DESC) AS place
        FROM json_each(?) AS wanted CROSS JOIN mails ON tenant = ? AND customer_id = value
        WHERE status = 'sent' AND {_BRINGS_LINK}
    ) AS sent WHERE place = 1
"""
_WENT_OUT = (
    "SELECT claimed_at FROM mails WHERE tenant = ? AND customer_id = ? AND claimed_at > ? "
    f"AND {_HAS_GONE_OUT} AND {_BRINGS_LINK} ORDER BY claimed_at"
)
_WAITING = "SELECT count(*), min(due_at) FROM mails WHERE tenant = ? AND status = 'queued'"
_COUNTS = "SELECT status, count(*) FROM mails WHERE tenant = ? AND run = ? GROUP BY status"
_PAGE = (
    f"{_MAILS} AND run = ? AND status = ? AND (queued_at, id) > (?, ?) "
    "ORDER BY queued_at, id LIMIT ?"
)
_ERASE = "DELETE FROM mails WHERE tenant = ? AND customer_id = ?"
_DROP_TWICE = (
    "DELETE FROM mails WHERE tenant = ? AND customer_id = ? AND run IN "
    "(SELECT run FROM mails WHERE tenant = ? AND customer_id = ? AND run <> '')"
)
_MOVE = "UPDATE mails SET customer_id = ? WHERE tenant = ? AND customer_id = ?"
_PRUNE = (
    "DELETE FROM mails WHERE tenant = ? AND id IN (SELECT id FROM mails "
    "WHERE tenant = ? AND settled_at < ? ORDER BY settled_at, id LIMIT ?)"
)
