"""Allocations where a host knows only groups of entries that settle each other."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from hashlib import sha256

from ..errors import LedgerError
from .allocation import check_distinct
from .checks import ID_LIMIT, check_day, check_id, shown_few
from .ledger import Allocation, EntryKind, LedgerEntry
from .money import negate, subtract, total


class Settlements:
    """The entries of one customer, and the allocations that its settled groups come to.

    Some ledgers do not say which payment settles which invoice, and by how much: they reconcile
    (or clear) lines in groups that add up to nothing. Give the entries, then each group; read
    `entries` and `allocations` for the ledger repository. The same groups come to the same
    allocations, in whatever order the entries of a group are given.

    Attributes:
        entries: those given, and those added where a group was settled across currencies.
        allocations: the pairs, in the order in which they were settled.

    Raises:
        LedgerError: an entry is given twice, or two are of different customers.
    """

    def __init__(self, entries: Iterable[LedgerEntry]) -> None:
        self.entries: list[LedgerEntry] = [*entries]
        self.allocations: list[Allocation] = []
        check_distinct("entry", (entry.id for entry in self.entries))
        _check_one_customer(self.entries)
        self._entries = {entry.id: entry for entry in self.entries}
        self._left = {entry.id: entry.amount for entry in self.entries}

    def settle(self, group: Iterable[LedgerEntry], date: dt.date | None = None) -> None:
        """Pair what is left in a group, each currency alone; it need not add up to nothing.

        What is due first (date where there is no due date) is settled by what was paid first.

        Args:
            group: some of `entries`.
            date: the day from which its pairs count; None for the later one of each two.

        Raises:
            InvalidValue: ``date`` is no day.
            LedgerError: an entry of the group is none of `entries`. Nothing is settled then.
        """
        if date is not None:
            check_day("date", date)
        self._settle(self._known(group), date)

    def _settle(self, group: Iterable[LedgerEntry], date: dt.date | None) -> None:
        in_turn = sorted(group, key=_turn)
        credits_ = [entry for entry in in_turn if not entry.is_debit]
        for debit in (entry for entry in in_turn if entry.is_debit):
            for credit in credits_:
                if credit.currency == debit.currency:
                    self._pair(debit, credit, date)

    def close(self, id: str, group: Iterable[LedgerEntry], date: dt.date) -> None:
        """Settle what is left in a group whole, also where one currency was paid in another.

        Currencies are never added together: a debt in dollars that euros paid ends by a credit
        adjustment in dollars, and a debit adjustment uses the euros up. They are added to
        `entries`, dated like the latest of the group and ``date``. A group in one currency is
        settled as by `settle`.

        Args:
            id: of the reconciliation; the ids of added entries begin with it.
            group: some of `entries`.
            date: the day from which its pairs count.

        Raises:
            InvalidValue: ``date`` is no day, or ``id`` makes an added entry break a rule.
            LedgerError: as for `settle`, or an added entry would have the id of another.
                Nothing is settled then.
        """
        check_id("id", id)
        check_day("date", date)
        known = self._known(group)
        added = self._balancing(id, known, date)
        ids = [entry.id for entry in added]
        check_distinct("entry", [*ids, *filter(self._entries.__contains__, ids)])
        self.entries += added
        self._entries |= {entry.id: entry for entry in added}
        self._left |= {entry.id: entry.amount for entry in added}
        self._settle([*known, *added], date)

    def _balancing(self, id: str, group: Sequence[LedgerEntry], date: dt.date) -> list[LedgerEntry]:
        """What uses up what is left in each currency; none where there is one alone."""
        left: defaultdict[str, list[Decimal]] = defaultdict(list)
        for entry in group:
            open_amount = self._left[entry.id]
            left[entry.currency].append(open_amount if entry.is_debit else negate(open_amount))
        sums = {currency: total(found) for currency, found in sorted(left.items())}
        return [
            LedgerEntry(
                id=f"{id}-{currency}",
                customer_id=group[0].customer_id,
                currency=currency,
                date=max(date, *(entry.date for entry in group)),
                kind=EntryKind.CREDIT_ADJUSTMENT if amount > 0 else EntryKind.DEBIT_ADJUSTMENT,
                amount=amount if amount > 0 else negate(amount),
            )
            for currency, amount in sums.items()
            if amount and len(sums) > 1
        ]

    def _pair(self, debit: LedgerEntry, credit: LedgerEntry, date: dt.date | None) -> None:
        amount = min(self._left[debit.id], self._left[credit.id])
        if amount:
            self._left[debit.id] = subtract(self._left[debit.id], amount)
            self._left[credit.id] = subtract(self._left[credit.id], amount)
            self.allocations.append(
                Allocation(
                    id=_id_of(debit, credit),
                    customer_id=debit.customer_id,
                    debit_id=debit.id,
                    credit_id=credit.id,
                    amount=amount,
                    date=max(date or debit.date, debit.date, credit.date),
                )
            )

    def _known(self, group: Iterable[LedgerEntry]) -> list[LedgerEntry]:
        """The entries given that a group names."""
        found = [*group]
        check_distinct("entry of a group", (entry.id for entry in found))
        unknown = [entry.id for entry in found if self._entries.get(entry.id) != entry]
        if unknown:
            raise LedgerError(
                f"a group has {unknown[0]!r}, which is not as given, or none of the entries given",
                ids=unknown,
            )
        return found


def _check_one_customer(entries: Iterable[LedgerEntry]) -> None:
    customers = sorted({entry.customer_id for entry in entries})
    if len(customers) > 1:
        raise LedgerError(
            f"the entries are of several customers, {shown_few(customers)}; give those of one",
            ids=customers,
        )


def _id_of(debit: LedgerEntry, credit: LedgerEntry) -> str:
    pair = f"{debit.id}/{credit.id}"
    if len(pair) <= ID_LIMIT and pair.count("/") == 1:
        return pair
    return sha256(f"{debit.id}\0{credit.id}".encode()).hexdigest()


def _turn(entry: LedgerEntry) -> tuple[dt.date, dt.date, str]:
    due = entry.due_date if entry.is_debit else None
    return (due or entry.date, entry.date, entry.id)
