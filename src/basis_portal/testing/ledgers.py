"""A strategy for whole ledgers of one customer that never contradict themselves."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..domain.ledger import DEBITS, Allocation, EntryKind, LedgerEntry
from ..domain.money import from_units, subtract, to_units
from .builders import CUSTOMER_ID
from .strategies import LARGEST_AMOUNT, amounts, optional

FIRST_DAY = dt.date(2023, 11, 1)
LAST_DAY = dt.date(2025, 3, 1)
_DAYS = (LAST_DAY - FIRST_DAY).days
_CREDITS = tuple(kind for kind in EntryKind if kind not in DEBITS)


@attrs.define(frozen=True)
class Ledger:
    """The account of one customer.

    Attributes:
        customer_id: whose it is.
        entries: all entries, in no particular order.
        allocations: all allocations; no entry has more allocated than it has.
    """

    customer_id: str
    entries: tuple[LedgerEntry, ...]
    allocations: tuple[Allocation, ...]

    def of_customer(self, customer_id: str) -> Ledger:
        """The same ledger under another customer id, and so with other ids throughout."""

        def renamed(id: str) -> str:
            return f"{customer_id}:{id}"

        return Ledger(
            customer_id,
            tuple(
                attrs.evolve(entry, id=renamed(entry.id), customer_id=customer_id)
                for entry in self.entries
            ),
            tuple(
                attrs.evolve(
                    allocation,
                    id=renamed(allocation.id),
                    customer_id=customer_id,
                    debit_id=renamed(allocation.debit_id),
                    credit_id=renamed(allocation.credit_id),
                )
                for allocation in self.allocations
            ),
        )


def ledger_days() -> SearchStrategy[dt.date]:
    """Days in, shortly before and shortly after those that `ledgers` have entries on."""
    return st.integers(-2, _DAYS + 2).map(lambda days: FIRST_DAY + dt.timedelta(days=days))


@st.composite
def ledgers(draw: st.DrawFn, *, customer_id: str = CUSTOMER_ID, max_entries: int = 14) -> Ledger:
    """Ledgers as customers have them.

    Up to three currencies, invoices in instalments, partial and over-payments, credits
    applied later, back-dated entries, refunds, reversals on the day of the cancellation,
    allocations dated before their invoice, and now and then so many of the largest
    amounts that their sum does not fit into 64 bits.
    """
    account = _Account(customer_id)
    least = draw(st.sampled_from((0, 0, max_entries // 2)))
    for entry in draw(st.lists(_entries(customer_id), min_size=least, max_size=max_entries)):
        account.post(entry)
    if draw(st.integers(0, 7)) == 7:
        account.post_largest(draw(st.sampled_from(EntryKind)))
    for place, day in draw(st.lists(st.tuples(_places(), _days()), max_size=2)):
        account.reverse(place, day)
    for place, tenths, day in draw(st.lists(_matches(), min_size=least, max_size=max_entries)):
        account.allocate(place, tenths, day)
    return Ledger(
        customer_id,
        tuple(draw(st.permutations(account.entries))),
        tuple(account.allocations),
    )


def _days() -> SearchStrategy[dt.date]:
    return st.integers(0, _DAYS).map(lambda days: FIRST_DAY + dt.timedelta(days=days))


def _entries(customer_id: str) -> SearchStrategy[LedgerEntry]:
    return st.builds(
        LedgerEntry,
        id=st.just("unnamed"),
        customer_id=st.just(customer_id),
        currency=st.sampled_from(("EUR", "EUR", "EUR", "USD", "JPY")),
        date=_days(),
        kind=st.sampled_from((EntryKind.INVOICE, EntryKind.PAYMENT) * 2 + tuple(EntryKind)),
        amount=amounts(),
        due_date=optional(_days()),
        document_id=optional(st.sampled_from(("D-1", "D-2", "D-3"))),
        number=optional(st.just("4711")),
    )


def _places() -> SearchStrategy[int]:
    return st.integers(0, 99)


def _matches() -> SearchStrategy[tuple[int, int, dt.date]]:
    """Which pair, how many tenths of what it has left are allocated, and on which day."""
    return st.tuples(_places(), st.sampled_from((10, 1, 3, 5)), _days())


class _Account:
    """A ledger in the making: it names its entries and knows what is left of each."""

    def __init__(self, customer_id: str) -> None:
        self.customer_id = customer_id
        self.entries: list[LedgerEntry] = []
        self.allocations: list[Allocation] = []
        self._left: dict[str, Decimal] = {}

    def post(self, entry: LedgerEntry) -> LedgerEntry:
        # Ids that do not rise with the place show whether ties are broken by id.
        entry = attrs.evolve(entry, id=f"E{len(self.entries) * 7 % 10}-{len(self.entries)}")
        self.entries.append(entry)
        self._left[entry.id] = entry.amount
        return entry

    def post_largest(self, kind: EntryKind) -> None:
        for number in range(12):
            self.post(
                LedgerEntry(
                    id="unnamed",
                    customer_id=self.customer_id,
                    currency="EUR",
                    date=FIRST_DAY + dt.timedelta(days=number),
                    kind=kind,
                    amount=LARGEST_AMOUNT,
                )
            )

    def reverse(self, place: int, day: dt.date) -> None:
        """Cancel a debit of which nothing is settled yet, on a day that may lie before it."""
        whole = [e for e in self.entries if e.is_debit and self._left[e.id] == e.amount > 0]
        if whole:
            debit = whole[place % len(whole)]
            kind = _CREDITS[place % len(_CREDITS)]
            credit = self.post(attrs.evolve(debit, kind=kind, date=day, due_date=None))
            self._settle(debit, credit, debit.amount, day)

    def allocate(self, place: int, tenths: int, day: dt.date) -> None:
        """Allocate some tenths of what an open debit and an open credit have left."""
        left = [entry for entry in self.entries if self._left[entry.id]]
        pairs = [
            (debit, credit)
            for debit in left
            for credit in left
            if debit.is_debit and not credit.is_debit and debit.currency == credit.currency
        ]
        if pairs:
            debit, credit = pairs[place % len(pairs)]
            units = to_units(min(self._left[debit.id], self._left[credit.id]))
            self._settle(debit, credit, from_units(units * tenths // 10), day)

    def _settle(
        self, debit: LedgerEntry, credit: LedgerEntry, amount: Decimal, day: dt.date
    ) -> None:
        if not amount:
            return
        for entry in (debit, credit):
            self._left[entry.id] = subtract(self._left[entry.id], amount)
        self.allocations.append(
            Allocation(
                id=f"A{len(self.allocations) * 3 % 10}-{len(self.allocations)}",
                customer_id=self.customer_id,
                debit_id=debit.id,
                credit_id=credit.id,
                amount=amount,
                date=day,
            )
        )
