"""The ledger in SQL. What each method promises stands in `basis_portal.repositories`.

What all allocations leave of an entry, and the day from which an allocation counts, are
kept in the rows: what is open is found by what is open, not by the history.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..domain.allocation import AppliedPart, OpenItem, parts_by_allocation
from ..domain.checks import check_member, trusted
from ..domain.ledger import Allocation, EntryKey, LedgerEntry
from ..domain.money import format_amount, from_units, to_units
from ..domain.summary import Payment
from ..errors import LedgerError
from ..repositories import StoredLedger
from . import _sql
from ._sql import (
    SQLRepository,
    Units,
    assignments,
    atomic,
    from_halves,
    id_list,
    marks,
    prefixed,
    wanted,
)

_FIRST_DAY, _LAST_DAY = dt.date.min, dt.date.max


class SQLLedger(SQLRepository, StoredLedger):
    """`StoredLedger`."""

    # --- reading

    def entries(
        self, customer_id: str, *, start: dt.date | None = None, end: dt.date | None = None
    ) -> Sequence[LedgerEntry]:
        first, last = (start or _FIRST_DAY).isoformat(), (end or _LAST_DAY).isoformat()
        values = self._of(customer_id) | {"first": first, "last": last}
        return self._database.each(_sql.to_entry, _ENTRIES, values)

    def allocations(self, customer_id: str) -> Sequence[Allocation]:
        values = (self._tenant, wanted(customer_id))
        return self._database.each(_sql.to_allocation, _ALLOCATIONS, values)

    def balances(self, customer_id: str, *, before: dt.date) -> Mapping[str, Decimal]:
        values = self._of(customer_id) | {"day": before.isoformat()}
        return {
            currency: from_halves(high, low)
            for currency, high, low in self._database.rows(_BALANCES, values)
        }

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
        first = ((start or _FIRST_DAY).isoformat(), 0, "")
        if after is not None:
            first = max(first, (after[0].isoformat(), *after[1:]))
        last = (end or _LAST_DAY).isoformat()
        values = (self._tenant, wanted(customer_id), wanted(currency), *first, last, limit)
        return self._database.each(_sql.to_entry, _ENTRY_PAGE, values)

    def balance_through(self, customer_id: str, currency: str, key: EntryKey) -> Decimal:
        day, side, entry_id = key
        place = (day.isoformat(), side, entry_id)
        values = (self._tenant, wanted(customer_id), wanted(currency), *place)
        ((high, low),) = self._database.rows(_BALANCE_THROUGH, values)
        return from_halves(high or 0, low or 0)

    def open_items(self, customer_id: str, as_of: dt.date) -> Sequence[OpenItem]:
        values = self._of(customer_id) | {"day": as_of.isoformat()}
        entries: dict[str, LedgerEntry] = {}
        left: dict[str, int] = {}
        for entry, units in self._database.each(_with_units, _OPEN_ITEMS, values):
            entries[entry.id] = entry
            left[entry.id] = left.get(entry.id, 0) + units
        ordered = sorted(entries.values(), key=lambda entry: entry.key)
        return [
            trusted(OpenItem, entry=entry, open_amount=from_units(left[entry.id]))
            for entry in ordered
        ]

    def currencies(self, customer_id: str, *, until: dt.date) -> Sequence[str]:
        values = self._of(customer_id) | {"day": until.isoformat()}
        return self._database.each(str, _CURRENCIES, values)

    def last_payments(self, customer_id: str, *, until: dt.date) -> Mapping[str, Payment]:
        values = self._of(customer_id) | {"day": until.isoformat()}
        return dict(self._database.each(_payment, _LAST_PAYMENTS, values))

    def entries_of_documents(
        self, customer_id: str, document_ids: Collection[str]
    ) -> Sequence[LedgerEntry]:
        values = (id_list(document_ids), self._tenant, wanted(customer_id))
        return self._database.each(_sql.to_entry, _ENTRIES_OF_DOCUMENTS, values)

    def allocations_of(self, customer_id: str, entry_ids: Collection[str]) -> Sequence[Allocation]:
        found = self._allocations_on(entry_ids)
        return [allocation for allocation in found if allocation.customer_id == customer_id]

    def entries_by_id(self, customer_id: str, entry_ids: Collection[str]) -> Sequence[LedgerEntry]:
        values = (id_list(entry_ids), self._tenant, wanted(customer_id))
        return self._database.each(_sql.to_entry, _ENTRIES_BY_ID, values)

    # --- writing

    @atomic
    def save(self, *entries: LedgerEntry) -> None:
        last = {check_member("entry", entry, LedgerEntry).id: entry for entry in entries}
        self._database.alone("ledger")
        allocated: dict[str, int] = dict(
            self._database.rows(_ALLOCATED, (id_list(last), self._tenant))
        )
        left = {one.id: to_units(one.amount) - allocated.get(one.id, 0) for one in last.values()}
        self._check_left(left, last)
        rows = [
            (self._tenant, *_sql.entry_row(entry), entry.key[1], Units(left[entry.id]))
            for entry in last.values()
        ]
        self._database.run_many(_SAVE_ENTRY, rows)
        if allocated:
            self._set_counted_on(self._allocations_on(allocated))

    @atomic
    def allocate(self, *allocations: Allocation) -> None:
        last = {check_member("allocation", one, Allocation).id: one for one in allocations}
        self._database.alone("ledger")
        values = (id_list(last), self._tenant)
        before = self._database.each(_sql.to_allocation, _ALLOCATIONS_BY_ID, values)
        found = self._entries_on([*before, *allocations])
        entries = {entry.id: entry for entry, _ in found}
        parts = zip(allocations, _parts(entries.values(), allocations), strict=True)
        counted_on = {one.id: part.counted_on.isoformat() for one, part in parts}
        left = {entry.id: units for entry, units in found}
        _take(left, before, -1)
        _take(left, last.values(), 1)
        self._check_left(left, entries, last.values())
        rows = [
            (self._tenant, *_sql.allocation_row(one), counted_on[one.id]) for one in last.values()
        ]
        self._database.run_many(_SAVE_ALLOCATION, rows)
        self._set_left(left)

    @atomic
    def unallocate(self, allocation_id: str) -> bool:
        self._database.alone("ledger")
        values = (id_list([allocation_id]), self._tenant)
        found = self._database.each(_sql.to_allocation, _ALLOCATIONS_BY_ID, values)
        left = {entry.id: units for entry, units in self._entries_on(found)}
        _take(left, found, -1)
        self._set_left(left)
        return self._database.run(_DELETE_ALLOCATION, (self._tenant, wanted(allocation_id))) > 0

    @atomic
    def delete(self, entry_id: str) -> bool:
        self._database.alone("ledger")
        if allocations := self._allocations_on([entry_id]):
            raise LedgerError(
                f"entry {entry_id!r} cannot be removed: something is allocated to it",
                ids=(entry_id, *(allocation.id for allocation in allocations)),
            )
        return self._database.run(_DELETE_ENTRY, (self._tenant, wanted(entry_id))) > 0

    def _of(self, customer_id: str) -> dict[str, str | None]:
        return {"tenant": self._tenant, "customer": wanted(customer_id)}

    def _allocations_on(self, entry_ids: Iterable[str]) -> list[Allocation]:
        values = {"ids": id_list(entry_ids), "tenant": self._tenant}
        return self._database.each(_sql.to_allocation, _ALLOCATIONS_ON, values)

    def _entries_on(self, allocations: Collection[Allocation]) -> list[tuple[LedgerEntry, int]]:
        """The entries that allocations name, each with what is left of it."""
        ids = id_list(one for pair in allocations for one in (pair.debit_id, pair.credit_id))
        return self._database.each(_with_units, _ENTRIES_WITH_LEFT, (ids, self._tenant))

    def _set_left(self, left: Mapping[str, int]) -> None:
        rows = [(Units(units), self._tenant, entry_id) for entry_id, units in left.items()]
        self._database.run_many(_SET_LEFT, rows)

    def _set_counted_on(self, allocations: Collection[Allocation]) -> None:
        """After a change of their entries; `LedgerError` where these no longer fit together."""
        entries = [entry for entry, _ in self._entries_on(allocations)]
        rows = [
            (part.counted_on.isoformat(), self._tenant, one.id)
            for one, part in zip(allocations, _parts(entries, allocations), strict=True)
        ]
        self._database.run_many(_SET_COUNTED_ON, rows)

    def _check_left(
        self,
        left: Mapping[str, int],
        entries: Mapping[str, LedgerEntry],
        allocations: Iterable[Allocation] = (),
    ) -> None:
        for entry_id, units in left.items():
            if units < 0:
                amount = entries[entry_id].amount
                allocated = format_amount(from_units(to_units(amount) - units))
                named = [one for one in allocations if entry_id in (one.debit_id, one.credit_id)]
                raise LedgerError(
                    f"more is allocated to entry {entry_id!r} than it has: "
                    f"{allocated} of {format_amount(amount)} {entries[entry_id].currency}",
                    ids=(entry_id, *(one.id for one in named or self._allocations_on([entry_id]))),
                )


def _with_units(units: int, *entry: Any) -> tuple[LedgerEntry, int]:
    """An entry and, in the first column, units of it."""
    return _sql.to_entry(*entry), units


def _payment(currency: str, day: str, high: int, low: int) -> tuple[str, Payment]:
    return currency, Payment(dt.date.fromisoformat(day), from_halves(high, low))


def _parts(entries: Iterable[LedgerEntry], allocations: Iterable[Allocation]) -> list[AppliedPart]:
    """Each allocation with its entries; `LedgerError` where they do not belong together."""
    return parts_by_allocation(entries, allocations, _LAST_DAY)


def _take(left: dict[str, int], allocations: Iterable[Allocation], sign: int) -> None:
    """Take what is allocated from what is left of each entry, or give it back."""
    for one in allocations:
        for entry_id in (one.debit_id, one.credit_id):
            left[entry_id] -= sign * to_units(one.amount)


# --- statements ---------------------------------------------------------------------------

_ENTRY = prefixed("entries", _sql.ENTRY)
_ALLOCATION = prefixed("allocations", _sql.ALLOCATION)
_IN_ORDER = "ORDER BY date, side, entries.id"
_SIGNED = _sql.HALVES.format("units * (1 - 2 * side)")


def _each_currency(name: str, where: str) -> str:
    """A table of the currencies of entries, each found from the one before it."""
    least = f"SELECT min(currency) FROM entries WHERE {where}"
    return f"""
        WITH RECURSIVE {name} (currency) AS (
            SELECT ({least})
            UNION ALL
            SELECT ({least} AND currency > {name}.currency)
            FROM {name} WHERE currency IS NOT NULL
        )
    """


_OWN = "entries.tenant = :tenant AND entries.customer_id = :customer"
_OWN_CURRENCIES = _each_currency("own", _OWN)

_ENTRIES = (
    f"{_OWN_CURRENCIES} SELECT {_ENTRY} FROM own CROSS JOIN entries "
    f"ON {_OWN} AND entries.currency = own.currency AND date BETWEEN :first AND :last"
)
_BALANCES = (
    f"SELECT currency, {_SIGNED} FROM entries WHERE {_OWN} AND date < :day GROUP BY currency"
)
_PLACE = "tenant = ? AND customer_id = ? AND currency = ? AND (date, side, id)"
_ENTRY_PAGE = (
    f"SELECT {_sql.ENTRY} FROM entries WHERE {_PLACE} > (?, ?, ?) AND date <= ? "
    "ORDER BY date, side, id LIMIT ?"
)
_BALANCE_THROUGH = f"SELECT {_SIGNED} FROM entries WHERE {_PLACE} <= (?, ?, ?)"
_CURRENCIES = (
    f"{_OWN_CURRENCIES} SELECT currency FROM own WHERE EXISTS (SELECT 1 FROM entries "
    f"WHERE {_OWN} AND entries.currency = own.currency AND date <= :day) ORDER BY currency"
)
# What is open now, and what is settled now but by allocations that do not count yet.
_OPEN_ITEMS = f"""
    SELECT open_units, {_ENTRY} FROM entries
    WHERE {_OWN} AND date <= :day AND open_units > 0
    UNION ALL
    SELECT allocations.units, {_ENTRY} FROM allocations CROSS JOIN entries
    ON entries.tenant = :tenant AND entries.id IN (debit_id, credit_id) AND entries.date <= :day
    WHERE allocations.tenant = :tenant AND allocations.customer_id = :customer AND counted_on > :day
"""
_LAST_PAYMENTS = f"""
    {_each_currency("paid", f"{_OWN} AND kind = 'payment'")},
    latest (currency, day) AS (
        SELECT currency, (
            SELECT max(date) FROM entries WHERE {_OWN} AND kind = 'payment'
            AND entries.currency = paid.currency AND date <= :day
        ) FROM paid
    )
    SELECT latest.currency, day, {_sql.HALVES.format("units")} FROM latest CROSS JOIN entries
    ON {_OWN} AND kind = 'payment' AND entries.currency = latest.currency AND date = day
    GROUP BY latest.currency, day
"""
_ENTRIES_OF_DOCUMENTS = (
    f"SELECT {_ENTRY} FROM json_each(?) AS wanted CROSS JOIN entries "
    f"ON tenant = ? AND customer_id = ? AND document_id = value {_IN_ORDER}"
)
_OF_IDS = "FROM json_each(?) AS wanted CROSS JOIN entries ON tenant = ? AND entries.id = value"
_ENTRIES_BY_ID = f"SELECT {_ENTRY} {_OF_IDS} WHERE customer_id = ? {_IN_ORDER}"
_ENTRIES_WITH_LEFT = f"SELECT open_units, {_ENTRY} {_OF_IDS}"
_ALLOCATED = f"SELECT entries.id, units - open_units {_OF_IDS} WHERE open_units < units"
_ENTRY_KEYS = f"{_sql.ENTRY}, side, open_units"
_SAVE_ENTRY = (
    f"INSERT INTO entries (tenant, {_ENTRY_KEYS}) VALUES (?, {marks(_ENTRY_KEYS)}) "
    f"ON CONFLICT (tenant, id) DO UPDATE SET {assignments(_ENTRY_KEYS)}"
)
_SET_LEFT = "UPDATE entries SET open_units = ? WHERE tenant = ? AND id = ?"
_DELETE_ENTRY = "DELETE FROM entries WHERE tenant = ? AND id = ?"

_ALLOCATIONS = f"SELECT {_sql.ALLOCATION} FROM allocations WHERE tenant = ? AND customer_id = ?"
_ALLOCATIONS_BY_ID = (
    f"SELECT {_ALLOCATION} FROM json_each(?) AS wanted "
    "CROSS JOIN allocations ON tenant = ? AND allocations.id = value"
)
_ALLOCATIONS_ON = (
    " UNION ".join(
        f"SELECT {_ALLOCATION} FROM json_each(:ids) AS wanted "
        f"CROSS JOIN allocations ON tenant = :tenant AND {side} = value"
        for side in ("debit_id", "credit_id")
    )
    + " ORDER BY 1"
)
_ALLOCATION_KEYS = f"{_sql.ALLOCATION}, counted_on"
_SAVE_ALLOCATION = (
    f"INSERT INTO allocations (tenant, {_ALLOCATION_KEYS}) VALUES (?, {marks(_ALLOCATION_KEYS)}) "
    f"ON CONFLICT (tenant, id) DO UPDATE SET {assignments(_ALLOCATION_KEYS)}"
)
_SET_COUNTED_ON = "UPDATE allocations SET counted_on = ? WHERE tenant = ? AND id = ?"
_DELETE_ALLOCATION = "DELETE FROM allocations WHERE tenant = ? AND id = ?"
