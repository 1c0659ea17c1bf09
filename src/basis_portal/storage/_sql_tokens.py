"""Portal tokens in SQL. What each method promises stands in `basis_portal.repositories`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product
from operator import attrgetter
from typing import NoReturn

from ..domain.checks import check_id, check_member, check_move
from ..domain.portal_token import (
    EndedAs,
    PortalToken,
    TokenStatus,
    check_reason,
    check_staff,
    short_id,
)
from ..errors import ActiveTokenExists, StorageError
from ..repositories import TokenRepository
from . import _sql
from ._sql import Row, SQLRepository, atomic, id_list, micros_of, to_instant, wanted

_LEAST, _MOST = -(2**63), 2**63 - 1

Span = tuple[str | None, int, int]
"""How tokens ended, and in which microseconds (the last not included) they expire."""


class SQLTokens(SQLRepository, TokenRepository):
    """`TokenRepository`. A unique index holds that a customer has one current token at most.

    Which token of a customer was added last is kept in the rows, since lists show that one
    alone and a million customers are not gone through to find a page of it.
    """

    def add(self, tokens: Sequence[PortalToken]) -> None:
        last = {check_member("token", one, PortalToken).customer_id: one.id for one in tokens}
        # In the order in which others wait for the same customers, or they would wait in a circle.
        rows = [
            (self._tenant, *_sql.token_row(token), last[token.customer_id] == token.id)
            for token in sorted(tokens, key=attrgetter("customer_id"))
        ]
        try:
            self._add(id_list(last), rows)
        except StorageError as error:
            if not self._database.is_taken(error):
                raise
            self._refuse(tokens, error)

    @atomic
    def _add(self, customer_ids: str, rows: Sequence[Row]) -> None:
        self._no_longer_latest(customer_ids)
        self._database.insert("tokens", _ADDED, rows)

    def _no_longer_latest(self, customer_ids: str) -> None:
        found = self._database.rows(_LATEST_IDS, (customer_ids, self._tenant))
        self._database.run_many(_NO_LONGER_LATEST, [(self._tenant, row[0]) for row in found])

    def get(self, token_id: str) -> PortalToken | None:
        return self._database.one(_sql.to_token, _GET, (self._tenant, wanted(token_id)))

    def latest(self, customer_ids: Collection[str]) -> Mapping[str, PortalToken]:
        return self._by_customer(_LATEST, customer_ids)

    @atomic
    def end(
        self,
        token_ids: Collection[str],
        *,
        at: dt.datetime,
        by: str,
        how: EndedAs,
        reason: str | None = None,
    ) -> Sequence[PortalToken]:
        change = (
            micros_of("at", at),
            check_staff("by", by),
            check_member("how", how, EndedAs).value,
            None if reason is None else check_reason("reason", reason),
        )
        found = self._database.rows(_CURRENT_OF_IDS, (id_list(token_ids), self._tenant))
        self._database.run_many(_END, [(*change, self._tenant, row[0]) for row in found])
        ids = id_list(row[0] for row in found)
        return self._database.each(_sql.to_token, _GET_MANY, (ids, self._tenant))

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
        if status is not None:
            check_member("status", status, TokenStatus)
        spans = _spans(status, micros_of("now", now), expires_before)
        seen = (_LEAST, "") if after is None else (micros_of("after", after[0]), after[1])
        found: list[PortalToken] = []
        with self._database.snapshot():
            keys = self._keys() if key_fingerprint is None else [wanted(key_fingerprint)]
            for key, (ended_as, first, end) in product(keys, spans):
                sql, values = _span(_PAGE, self._tenant, key, ended_as)
                values += (*max(seen, (first, "")), end, limit)
                found += self._database.each(_sql.to_token, sql, values)
        return sorted(found, key=lambda token: (token.expires_at, token.id))[:limit]

    def count(self, status: TokenStatus, *, now: dt.datetime) -> int:
        check_member("status", status, TokenStatus)
        spans = _spans(status, micros_of("now", now), None)
        with self._database.snapshot():
            return sum(self._count(key, span) for key, span in product(self._keys(), spans))

    def _count(self, key: str, span: Span) -> int:
        ended_as, *instants = span
        sql, values = _span(_COUNT, self._tenant, key, ended_as)
        return int(self._database.rows(sql, (*values, *instants))[0][0])

    def current_page(self, *, after: str | None = None, limit: int = 1000) -> Sequence[PortalToken]:
        return self._database.each(_sql.to_token, _CURRENT_PAGE, (self._tenant, after or "", limit))

    def history(self, customer_id: str) -> Sequence[PortalToken]:
        return self._database.each(_sql.to_token, _HISTORY, (self._tenant, wanted(customer_id)))

    @atomic
    def mark_opened(self, token_id: str, at: dt.datetime, *, unless_within: dt.timedelta) -> bool:
        instant, span = micros_of("at", at), _sql.length_of(unless_within)
        values = (instant, self._tenant, wanted(token_id), instant, span)
        return self._database.run(_MARK_OPENED, values) == 1

    def last_opened(self, token_ids: Collection[str]) -> Mapping[str, dt.datetime]:
        found = self._database.each(_opened, _LAST_OPENED, (id_list(token_ids), self._tenant))
        return dict(found)

    def rename_customer(self, customer_id: str, new_id: str) -> int:
        check_id("new_id", new_id)
        try:
            return self._rename(customer_id, new_id)
        except StorageError as error:
            if self._database.is_taken(error):
                current = self._by_customer(_CURRENT, [new_id])
                raise _taken(new_id, current.get(new_id)) from error.__cause__
            raise

    @atomic
    def _rename(self, customer_id: str, new_id: str) -> int:
        both = id_list([customer_id, new_id])
        self._no_longer_latest(both)
        renamed = self._database.run(_RENAME, (new_id, self._tenant, wanted(customer_id)))
        self._database.run(_FIND_LATEST, {"tenant": self._tenant, "customer": new_id})
        return renamed

    @atomic
    def move_customer(self, customer_id: str, new_id: str) -> int:
        check_move(customer_id, new_id)
        for current in self._by_customer(_CURRENT, [customer_id]).values():
            raise _taken(customer_id, current)
        self._no_longer_latest(id_list([customer_id, new_id]))
        of_new = (self._tenant, new_id)
        rows = self._database.rows(_ROWS, of_new)
        self._database.run(_REMOVE, of_new)
        moved = self._database.run(_MOVE, (new_id, self._tenant, wanted(customer_id)))
        # Added anew: the order is that of `added`, and the latest is the last of it.
        self._database.insert("tokens", _ROW, rows)
        self._database.run(_FIND_LATEST, {"tenant": self._tenant, "customer": new_id})
        return moved

    @atomic
    def prune(self, before: dt.datetime, *, limit: int = 1000) -> int:
        return self._database.run(
            _PRUNE, (self._tenant, self._tenant, micros_of("before", before), limit)
        )

    def _keys(self) -> list[str]:
        """The fingerprints of all keys that any customer's latest token was issued under."""
        return self._database.each(str, _KEYS, {"tenant": self._tenant})

    def _by_customer(self, sql: str, customer_ids: Iterable[str]) -> dict[str, PortalToken]:
        values = (id_list(customer_ids), self._tenant)
        return {one.customer_id: one for one in self._database.each(_sql.to_token, sql, values)}

    def _refuse(self, tokens: Sequence[PortalToken], error: StorageError) -> NoReturn:
        """Say which of ``tokens`` a unique index refused, as going through them one by one."""
        cause = error.__cause__
        values = (id_list(token.id for token in tokens), self._tenant)
        ids = {token.id for token in self._database.each(_sql.to_token, _GET_MANY, values)}
        current = self._by_customer(_CURRENT, [token.customer_id for token in tokens])
        for token in tokens:
            if token.id in ids:
                raise StorageError(f"the id of token {short_id(token.id)}... is taken") from cause
            ids.add(token.id)
            if token.is_current:
                if token.customer_id in current:
                    raise _taken(token.customer_id, current[token.customer_id]) from cause
                current[token.customer_id] = token
        raise StorageError(
            "others added tokens for the same customers meanwhile, so none was added; try again"
        ) from cause


def _taken(customer_id: str, token: PortalToken | None) -> ActiveTokenExists:
    return ActiveTokenExists(f"customer {customer_id!r} has a current token already", token=token)


def _opened(token_id: str, opened_at: int) -> tuple[str, dt.datetime]:
    return token_id, to_instant(opened_at)


def _spans(
    status: TokenStatus | None, now: int, expires_before: dt.datetime | None
) -> Sequence[Span]:
    """Where the tokens of a status are: each span is one range of an index."""
    active = (None, now + 1, _MOST)
    if expires_before is not None:
        wanted_at_all = status in (None, TokenStatus.ACTIVE)
        return [(None, now + 1, micros_of("expires_before", expires_before))] * wanted_at_all
    of_status: dict[TokenStatus | None, Sequence[Span]] = {
        TokenStatus.ACTIVE: [active],
        TokenStatus.EXPIRED: [(None, _LEAST, now + 1)],
        TokenStatus.REVOKED: [(EndedAs.REVOKED.value, _LEAST, _MOST)],
        TokenStatus.REPLACED: [(EndedAs.REPLACED.value, _LEAST, _MOST)],
    }
    ended = [*of_status[TokenStatus.REVOKED], *of_status[TokenStatus.REPLACED]]
    of_status[None] = [(None, _LEAST, _MOST), *ended]
    return of_status[status]


def _span(sql: str, tenant: str, key: str | None, ended_as: str | None) -> tuple[str, Row]:
    """A statement on one span of tokens, and its first values."""
    if ended_as is None:
        return sql.format(span=_STILL_CURRENT), (tenant, key)
    return sql.format(span=_HAS_ENDED), (tenant, key, ended_as)


# --- statements ---------------------------------------------------------------------------

_COLUMNS = _sql.prefixed("tokens", _sql.TOKEN)
_OF_IDS = "FROM json_each(?) AS wanted CROSS JOIN tokens ON tenant = ? AND tokens.id = value"
_OF_CUSTOMERS = (
    "FROM json_each(?) AS wanted CROSS JOIN tokens ON tenant = ? AND customer_id = value"
)

_ADDED = f"tenant, {_sql.TOKEN}, is_latest"
_NO_LONGER_LATEST = "UPDATE tokens SET is_latest = 0 WHERE tenant = ? AND id = ?"
_GET = f"SELECT {_sql.TOKEN} FROM tokens WHERE tenant = ? AND id = ?"
_GET_MANY = f"SELECT {_COLUMNS} {_OF_IDS} ORDER BY tokens.id"
_LATEST = f"SELECT {_COLUMNS} {_OF_CUSTOMERS} AND is_latest = 1"
# SQLite has one writer at a time; elsewhere what is to be changed is locked when it is looked up.
_LATEST_IDS = f"SELECT tokens.id {_OF_CUSTOMERS} AND is_latest = 1 /* FOR UPDATE OF tokens */"
_CURRENT = f"SELECT {_COLUMNS} {_OF_CUSTOMERS} AND ended_at IS NULL"
_CURRENT_OF_IDS = f"SELECT tokens.id {_OF_IDS} WHERE ended_at IS NULL /* FOR UPDATE OF tokens */"
_END = (
    "UPDATE tokens SET ended_at = ?, ended_by = ?, ended_as = ?, reason = ? "
    "WHERE tenant = ? AND id = ?"
)
_SPAN = "tenant = ? AND is_latest = 1 AND key_fingerprint = ? AND "
_STILL_CURRENT, _HAS_ENDED = f"{_SPAN}ended_as IS NULL", f"{_SPAN}ended_as = ?"
# `ended_as` is the same in all rows of a span: it is named so that the index gives the order.
_PAGE = (
    f"SELECT {_sql.TOKEN} FROM tokens WHERE {{span}} AND (expires_at, id) > (?, ?) "
    "AND expires_at < ? ORDER BY ended_as, expires_at, id LIMIT ?"
)
_COUNT = "SELECT count(*) FROM tokens WHERE {span} AND expires_at >= ? AND expires_at < ?"
_LEAST_KEY = "SELECT min(key_fingerprint) FROM tokens WHERE tenant = :tenant AND is_latest = 1"
_KEYS = f"""
    WITH RECURSIVE keys (fingerprint) AS (
        SELECT ({_LEAST_KEY})
        UNION ALL
        SELECT ({_LEAST_KEY} AND key_fingerprint > fingerprint)
        FROM keys WHERE fingerprint IS NOT NULL
    )
    SELECT fingerprint FROM keys WHERE fingerprint IS NOT NULL
"""
_CURRENT_PAGE = (
    f"SELECT {_sql.TOKEN} FROM tokens INDEXED BY tokens_current "
    "WHERE tenant = ? AND customer_id > ? AND ended_at IS NULL ORDER BY customer_id LIMIT ?"
)
_HISTORY = f"SELECT {_sql.TOKEN} FROM tokens WHERE tenant = ? AND customer_id = ? ORDER BY added"
_MARK_OPENED = (
    "UPDATE tokens SET opened_at = ? WHERE tenant = ? AND id = ? "
    "AND (opened_at IS NULL OR abs(opened_at - ?) >= ?)"
)
_LAST_OPENED = f"SELECT tokens.id, opened_at {_OF_IDS} WHERE opened_at IS NOT NULL"
_PRUNE = (
    "DELETE FROM tokens WHERE tenant = ? AND id IN (SELECT id FROM tokens "
    "WHERE tenant = ? AND is_latest = 0 AND ended_at < ? ORDER BY ended_at, id LIMIT ?)"
)
_ROW = f"tenant, {_sql.TOKEN}, is_latest, opened_at"
_ROWS = (
    f"SELECT {_ROW} FROM tokens WHERE tenant = ? AND customer_id = ? ORDER BY added "
    "/* FOR UPDATE OF tokens */"
)
_REMOVE = "DELETE FROM tokens WHERE tenant = ? AND customer_id = ?"
_MOVE = "UPDATE tokens SET customer_id = ? WHERE tenant = ? AND customer_id = ?"
_RENAME = "UPDATE tokens SET customer_id = ?, reason = NULL WHERE tenant = ? AND customer_id = ?"
_FIND_LATEST = (
    "UPDATE tokens SET is_latest = (added = (SELECT max(added) FROM tokens "
    "WHERE tenant = :tenant AND customer_id = :customer)) "
    "WHERE tenant = :tenant AND customer_id = :customer"
)
