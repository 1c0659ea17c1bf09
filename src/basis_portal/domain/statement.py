"""The statement of account: activity with running balance, open items, aging; by currency."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from ..errors import LedgerError
from .aging import Aging
from .allocation import AppliedPart, OpenItem
from .ledger import DEBITS, EntryKind, LedgerEntry
from .money import ZERO, add, subtract

ACTIVITY, OPEN_ITEMS = "activity", "open_items"
"""The two views of a statement."""


@attrs.define(frozen=True, slots=False)
class StatementLine:
    """One entry on a statement and the balance after it.

    Attributes:
        entry: the ledger entry.
        balance: the running balance after this line, in the entry's currency.
        applied: what this entry settles or is settled by, as of the statement's last day.
        unapplied: for a credit, what is left of it as of that day; else None.
    """

    entry: LedgerEntry
    balance: Decimal
    applied: tuple[AppliedPart, ...] = ()
    unapplied: Decimal | None = None

    @property
    def date(self) -> dt.date:
        """Date of the entry."""
        return self.entry.date

    @property
    def kind(self) -> EntryKind:
        """Kind of the entry."""
        return self.entry.kind

    @property
    def number(self) -> str | None:
        """Number of the entry."""
        return self.entry.number

    @property
    def reference(self) -> str | None:
        """The customer's own reference."""
        return self.entry.reference

    @property
    def document_id(self) -> str | None:
        """The document to open, or None where there is none or it may not be opened."""
        return self.entry.document_id

    @property
    def charged(self) -> Decimal | None:
        """The amount of a debit; None for a credit."""
        return self.entry.amount if self.entry.is_debit else None

    @property
    def credited(self) -> Decimal | None:
        """The amount of a credit, as a positive number; None for a debit."""
        return None if self.entry.is_debit else self.entry.amount


@attrs.define(frozen=True, slots=False)
class CurrencyStatement:
    """The statement of one currency.

    Attributes:
        currency: three capital letters.
        opening_balance: sum of all entries before the first day; None in the open-items view.
        lines: the entries of the period with running balance; empty in the open-items view,
            and where no lines were asked for.
        charged: sum of the period's debits; None where the lines are left out.
        credited: sum of the period's credits, positive; None where the lines are left out.
        closing_balance: the balance on the last day: opening_balance + charged - credited.
        open_items: what is open on the last day; empty where no aging was asked for.
        aging: the ages of the open items, or None where none was asked for.
    """

    currency: str
    opening_balance: Decimal | None
    lines: tuple[StatementLine, ...]
    charged: Decimal | None
    credited: Decimal | None
    closing_balance: Decimal
    open_items: tuple[OpenItem, ...]
    aging: Aging | None


@attrs.define(frozen=True, slots=False)
class StatementOfAccount:
    """A customer's statement of account.

    Attributes:
        customer_id: whose account it is.
        start: first day of the period.
        end: last day of the period; open items and aging are as of this day.
        view: ``activity`` or ``open_items``.
        by_currency: one statement for each currency in which the customer has any entry up
            to ``end``, by currency code. Currencies are never added together.
    """

    customer_id: str
    start: dt.date
    end: dt.date
    view: str
    by_currency: Mapping[str, CurrencyStatement]


@attrs.define(frozen=True, slots=False)
class StatementPage:
    """Some lines of a long statement of one currency.

    Attributes:
        currency: three capital letters.
        brought_forward: balance before the first line of the page.
        lines: the lines of the page.
        carried_forward: balance after the last line of the page.
        next: an opaque text to hand back as ``after=``, or None on the last page.
    """

    currency: str
    brought_forward: Decimal
    lines: tuple[StatementLine, ...]
    carried_forward: Decimal
    next: str | None = None


def running_lines(opening: Decimal, entries: Iterable[LedgerEntry]) -> Iterator[StatementLine]:
    """Entries of one currency, in statement order, each with the balance after it."""
    balance = opening
    for entry in entries:
        balance = (add if entry.kind in DEBITS else subtract)(balance, entry.amount)
        yield StatementLine(entry, balance)


def balances(entries: Iterable[LedgerEntry]) -> dict[str, Decimal]:
    """Debits less credits by currency; a currency with entries is there even at zero."""
    result: dict[str, Decimal] = {}
    for entry in entries:
        change = add if entry.kind in DEBITS else subtract
        result[entry.currency] = change(result.get(entry.currency, ZERO), entry.amount)
    return result


def sum_sides(entries: Iterable[LedgerEntry]) -> tuple[Decimal, Decimal]:
    """The sum of the debits and the sum of the credits, both positive."""
    charged = credited = ZERO
    for entry in entries:
        if entry.kind in DEBITS:
            charged = add(charged, entry.amount)
        else:
            credited = add(credited, entry.amount)
    return charged, credited


def activity(
    currency: str,
    opening: Decimal,
    entries: Sequence[LedgerEntry],
    *,
    applied: Mapping[str, Sequence[AppliedPart]] | None = None,
    items: Sequence[OpenItem] = (),
    aging: Aging | None = None,
) -> CurrencyStatement:
    """The activity of one currency: ``entries`` are those of the period, in statement order.

    With ``applied`` (parts by entry id) and ``items`` (what is open on the last day) each
    line also says what it settles or is settled by.
    """
    lines = tuple(running_lines(opening, entries))
    if applied is not None:
        left = {item.entry.id: item.open_amount for item in items}
        lines = tuple(apply_to(line, applied, left) for line in lines)
    charged, credited = sum_sides(entries)
    closing = lines[-1].balance if lines else opening
    _check_total(currency, closing, aging)
    return CurrencyStatement(
        currency=currency,
        opening_balance=opening,
        lines=lines,
        charged=charged,
        credited=credited,
        closing_balance=closing,
        open_items=tuple(items),
        aging=aging,
    )


def activity_without_lines(
    currency: str,
    opening: Decimal,
    closing: Decimal,
    *,
    items: Sequence[OpenItem] = (),
    aging: Aging | None = None,
) -> CurrencyStatement:
    """What stands before and after the lines of one currency; they are read on their own."""
    _check_total(currency, closing, aging)
    return CurrencyStatement(
        currency=currency,
        opening_balance=opening,
        lines=(),
        charged=None,
        credited=None,
        closing_balance=closing,
        open_items=tuple(items),
        aging=aging,
    )


def _check_total(currency: str, closing: Decimal, aging: Aging | None) -> None:
    if aging is not None and aging.total != closing:
        raise LedgerError(
            f"the open items in {currency} add up to {aging.total}, the entries to {closing}: "
            "no statement rather than a wrong one"
        )


def apply_to(
    line: StatementLine,
    applied: Mapping[str, Sequence[AppliedPart]],
    left: Mapping[str, Decimal],
) -> StatementLine:
    """The line with the parts on it, by entry id, and for a credit what is left of it."""
    parts = tuple(applied.get(line.entry.id, ()))
    unapplied = None if line.entry.is_debit else left.get(line.entry.id, ZERO)
    return attrs.evolve(line, applied=parts, unapplied=unapplied)


def open_items_only(currency: str, items: Sequence[OpenItem], aging: Aging) -> CurrencyStatement:
    """The open-items view of one currency."""
    return CurrencyStatement(
        currency=currency,
        opening_balance=None,
        lines=(),
        charged=None,
        credited=None,
        closing_balance=aging.total,
        open_items=tuple(items),
        aging=aging,
    )
