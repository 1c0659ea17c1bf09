"""Which credit settles which debit, and what that leaves open as of a day."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

import attrs

from ..errors import InvalidValue, LedgerError
from .checks import shown_few
from .ledger import Allocation, LedgerEntry
from .money import negate, subtract


@attrs.define(frozen=True, slots=False)
class AppliedPart:
    """Part of a credit applied to a debit.

    Attributes:
        debit: the entry that is settled.
        credit: the entry that settles.
        amount: the part, in the currency of both.
        counted_on: the day from which it counts.
    """

    debit: LedgerEntry
    credit: LedgerEntry
    amount: Decimal
    counted_on: dt.date


@attrs.define(frozen=True, slots=False)
class OpenItem:
    """An entry that is not fully allocated as of a day.

    Attributes:
        entry: the entry.
        open_amount: what is left of it, above 0, in its currency.
    """

    entry: LedgerEntry
    open_amount: Decimal

    @property
    def signed_amount(self) -> Decimal:
        """What is left of it, negative for a credit."""
        return self.open_amount if self.entry.is_debit else negate(self.open_amount)

    def age(self, as_of: dt.date, age_by: str = "due_date") -> int:
        """Days from its due date (or its own date where it has none, or ``age_by="date"``)."""
        check_age_by(age_by)
        due = self.entry.due_date if age_by == "due_date" else None
        return (as_of - (due or self.entry.date)).days

    def days_overdue(self, as_of: dt.date) -> int | None:
        """Days since its due date, 0 where it is not late; None without a due date."""
        if self.entry.due_date is None or not self.entry.is_debit:
            return None
        return max(0, (as_of - self.entry.due_date).days)


def check_age_by(age_by: str) -> None:
    """Refuse, with `InvalidValue`, all but ``"due_date"`` and ``"date"``."""
    if age_by not in ("due_date", "date"):
        raise InvalidValue.of("age_by", age_by, "must be 'due_date' or 'date'")


def check_distinct(what: str, ids: Iterable[str]) -> None:
    """Refuse, with `LedgerError`, ids of which one stands there twice: it would count twice."""
    ids = list(ids)
    if len(set(ids)) < len(ids):
        twice = sorted(found for found, count in Counter(ids).items() if count > 1)
        raise LedgerError(f"{what} twice in the ledger: {shown_few(twice)}", ids=twice)


def counted_on(allocation: Allocation, debit: LedgerEntry, credit: LedgerEntry) -> dt.date:
    """The day from which an allocation counts: the latest of its date and its entries' dates."""
    return max(allocation.date, debit.date, credit.date)


def parts_by_allocation(
    entries: Iterable[LedgerEntry], allocations: Iterable[Allocation], as_of: dt.date
) -> list[AppliedPart]:
    """What ``allocations`` apply as of a day.

    ``entries`` are all entries of one customer that the allocations may name, later ones
    included. Raises `LedgerError` with the ids where an allocation names an entry that is
    not there, or two on the same side, or of two customers or currencies.
    """
    by_id = {entry.id: entry for entry in entries}
    parts = []
    for allocation in allocations:
        debit, credit = _both_entries(by_id, allocation)
        day = counted_on(allocation, debit, credit)
        if day <= as_of:
            parts.append(AppliedPart(debit, credit, allocation.amount, day))
    return parts


def _both_entries(
    by_id: dict[str, LedgerEntry], allocation: Allocation
) -> tuple[LedgerEntry, LedgerEntry]:
    debit, credit = by_id.get(allocation.debit_id), by_id.get(allocation.credit_id)
    ids = (allocation.id, allocation.debit_id, allocation.credit_id)
    if debit is None or credit is None:
        missing = allocation.debit_id if debit is None else allocation.credit_id
        raise LedgerError(
            f"allocation {allocation.id!r} names {missing!r}, "
            f"which is no entry of customer {allocation.customer_id!r}",
            ids=ids,
        )
    check_pair(allocation, debit, credit)
    return debit, credit


def check_pair(allocation: Allocation, debit: LedgerEntry, credit: LedgerEntry) -> None:
    """Refuse, with `LedgerError`, an allocation whose two entries do not belong together."""
    ids = (allocation.id, debit.id, credit.id)
    if not debit.is_debit or credit.is_debit:
        raise LedgerError(
            f"allocation {allocation.id!r} must settle a debit with a credit, "
            f"not {debit.id!r} ({debit.kind}) with {credit.id!r} ({credit.kind})",
            ids=ids,
        )
    if not allocation.customer_id == debit.customer_id == credit.customer_id:
        raise LedgerError(
            f"allocation {allocation.id!r} of customer {allocation.customer_id!r} crosses "
            f"customers: {debit.id!r} is of {debit.customer_id!r}, "
            f"{credit.id!r} of {credit.customer_id!r}",
            ids=ids,
        )
    if debit.currency != credit.currency:
        raise LedgerError(
            f"allocation {allocation.id!r} crosses currencies: "
            f"{debit.id!r} is in {debit.currency}, {credit.id!r} in {credit.currency}",
            ids=ids,
        )


def parts_by_fifo(entries: Iterable[LedgerEntry], as_of: dt.date) -> list[AppliedPart]:
    """What entries up to a day settle of each other, oldest debts first.

    Entries are replayed by date, debits before credits, then id. A credit settles the open
    debits of its currency by due date (date where there is none), then id; a debit first
    takes what is unapplied, oldest first. What is settled stays settled.
    """
    entries = list(entries)
    check_distinct("entry", (entry.id for entry in entries))
    accounts: dict[str, _FifoAccount] = defaultdict(_FifoAccount)
    for entry in sorted((e for e in entries if e.date <= as_of), key=lambda e: e.key):
        accounts[entry.currency].post(entry)
    return [part for account in accounts.values() for part in account.parts]


class _FifoAccount:
    """One currency of one customer while its entries are replayed."""

    def __init__(self) -> None:
        self.parts: list[AppliedPart] = []
        self._debits: list[tuple[dt.date, str, LedgerEntry]] = []
        self._credits: deque[LedgerEntry] = deque()
        self._left: dict[str, Decimal] = {}

    def post(self, entry: LedgerEntry) -> None:
        self._left[entry.id] = entry.amount
        if entry.is_debit:
            self._take_unapplied(entry)
        else:
            self._settle_debits(entry)

    def _take_unapplied(self, debit: LedgerEntry) -> None:
        while self._credits and self._left[debit.id]:
            self._apply(debit, self._credits[0], debit.date)
            if not self._left[self._credits[0].id]:
                self._credits.popleft()
        if self._left[debit.id]:
            heapq.heappush(self._debits, (debit.due_date or debit.date, debit.id, debit))

    def _settle_debits(self, credit: LedgerEntry) -> None:
        while self._debits and self._left[credit.id]:
            debit = self._debits[0][2]
            self._apply(debit, credit, credit.date)
            if not self._left[debit.id]:
                heapq.heappop(self._debits)
        if self._left[credit.id]:
            self._credits.append(credit)

    def _apply(self, debit: LedgerEntry, credit: LedgerEntry, day: dt.date) -> None:
        amount = min(self._left[debit.id], self._left[credit.id])
        self._left[debit.id] = subtract(self._left[debit.id], amount)
        self._left[credit.id] = subtract(self._left[credit.id], amount)
        self.parts.append(AppliedPart(debit, credit, amount, day))


def open_amounts(
    entries: Iterable[LedgerEntry], parts: Iterable[AppliedPart], as_of: dt.date
) -> dict[str, Decimal]:
    """What is left, by entry id, of each entry dated up to ``as_of``; settled ones have 0.

    Raises `LedgerError` with the ids where more is applied to an entry than it has.
    """
    left = {entry.id: entry.amount for entry in entries if entry.date <= as_of}
    for part in parts:
        for entry in (part.debit, part.credit):
            if entry.id in left:
                left[entry.id] = subtract(left[entry.id], part.amount)
    wrong = sorted(entry_id for entry_id, amount in left.items() if amount < 0)
    if wrong:
        raise LedgerError(f"more is allocated than the entry has: {shown_few(wrong)}", ids=wrong)
    return left


def open_items(
    entries: Collection[LedgerEntry], parts: Iterable[AppliedPart], as_of: dt.date
) -> list[OpenItem]:
    """The open items as of a day, by date, debits before credits, then id."""
    left = open_amounts(entries, parts, as_of)
    found = [OpenItem(entry, left[entry.id]) for entry in entries if left.get(entry.id)]
    return sorted(found, key=lambda item: item.entry.key)


def applied_by_entry(parts: Sequence[AppliedPart]) -> dict[str, list[AppliedPart]]:
    """The parts of each entry by its id, on either side, in the order in which they count."""
    result: dict[str, list[AppliedPart]] = defaultdict(list)
    for part in sorted(parts, key=lambda p: (p.counted_on, p.credit.key, p.debit.key, p.amount)):
        result[part.debit.id].append(part)
        result[part.credit.id].append(part)
    return result
