"""Who settles whom, where the host knows only groups of entries that settle each other.

Tryton reconciles lines in groups that add up to nothing. The portal wants pairs: which credit
settles which debit, by how much, from which day.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from basis_portal import Allocation, EntryKind, LedgerEntry


class Settlements:
    """The entries of one customer, and the allocations between them.

    Attributes:
        entries: those given, and those added where a group was paid in another currency.
        allocations: the pairs.
    """

    def __init__(self, entries: Iterable[LedgerEntry]) -> None:
        self.entries = [*entries]
        self.allocations: list[Allocation] = []
        self._left = {one.id: one.amount for one in self.entries}

    def settle(self, group: Sequence[LedgerEntry], day: dt.date = dt.date.min) -> None:
        """Pair what is left in a group: what is due first is settled by what was paid first.

        A pair counts from ``day``, or from the later of its own two.
        """
        credits_ = sorted((one for one in group if not one.is_debit), key=_place)
        for debit in sorted((one for one in group if one.is_debit), key=_place):
            for credit in credits_:
                if credit.currency == debit.currency:
                    self._pair(debit, credit, max(day, debit.date, credit.date))

    def _pair(self, debit: LedgerEntry, credit: LedgerEntry, day: dt.date) -> None:
        amount = min(self._left[debit.id], self._left[credit.id])
        if amount:
            self._left[debit.id] -= amount
            self._left[credit.id] -= amount
            pair = f"{debit.id}/{credit.id}"
            self.allocations.append(
                Allocation(pair, debit.customer_id, debit.id, credit.id, amount, day)
            )

    def close(self, name: str, group: Sequence[LedgerEntry], day: dt.date) -> None:
        """Settle all of a group, also where one currency was paid in another.

        Currencies are never added together: a debt in dollars that euros paid ends by a credit
        in dollars, and the euros are used up by a debit.
        """
        left: defaultdict[str, Decimal] = defaultdict(Decimal)
        for one in group:
            left[one.currency] += one.signed_amount
        added = [
            LedgerEntry(
                id=f"{name}/{currency}",
                customer_id=group[0].customer_id,
                currency=currency,
                date=max(day, *(one.date for one in group)),
                kind=EntryKind.CREDIT_ADJUSTMENT if amount > 0 else EntryKind.DEBIT_ADJUSTMENT,
                amount=abs(amount),
            )
            for currency, amount in left.items()
            if amount and len(left) > 1
        ]
        self.entries += added
        self._left |= {one.id: one.amount for one in added}
        self.settle([*group, *added], day)


def _place(entry: LedgerEntry) -> tuple[dt.date, dt.date, int, str]:
    return (entry.due_date or entry.date, entry.date, len(entry.id), entry.id)
