"""One customer's account as of a day, read from the ledger the fastest way the host offers.

What a ledger repository has a capability for is asked of it; the rest is derived from its
entries and allocations. Both ways give the same figures; a property in the tests says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice
from operator import gt
from typing import Any, TypeGuard, cast

import attrs

from .context import Context, log
from .domain.aging import age_open_items
from .domain.allocation import (
    AppliedPart,
    OpenItem,
    applied_by_entry,
    check_distinct,
    open_amounts,
    open_items,
    parts_by_allocation,
    parts_by_fifo,
)
from .domain.documents import Document, DocumentKind
from .domain.ledger import Allocation, AllocationRule, EntryKey, EntryKind, LedgerEntry
from .domain.money import ZERO, total
from .domain.statement import (
    OPEN_ITEMS,
    CurrencyStatement,
    StatementLine,
    StatementOfAccount,
    StatementPage,
    activity,
    activity_without_lines,
    apply_to,
    balances,
    open_items_only,
    running_lines,
)
from .domain.summary import AccountSummary, Payment, last_payments, summarize
from .domain.views import OpenPart
from .errors import LedgerError
from .repositories import (
    SupportsBalances,
    SupportsEntryPages,
    SupportsLookup,
    SupportsOpenItems,
)

CHUNK = 1000


class Account:
    """One customer's account as of a day. Made for one use: it reads the history at most once."""

    def __init__(self, context: Context, customer_id: str, as_of: dt.date) -> None:
        self._context = context
        self._ledger: Any = context.ledger
        self._customer_id = customer_id
        self.as_of = as_of
        self._history: list[LedgerEntry] | None = None
        self._allocations: list[Allocation] = []
        self._parts: list[AppliedPart] | None = None

    # --- the pieces, by capability or derived

    def _can(self, ability: type) -> bool:
        return ability in self._context.ledger_abilities

    def _can_by_allocation(self, ability: type) -> bool:
        """Capabilities that rest on stored allocations say nothing under FIFO."""
        return self._can(ability) and not self._is_fifo()

    def _own(self, entries: Iterable[LedgerEntry]) -> list[LedgerEntry]:
        """The customer's own entries in statement order; a host's wrong ones are dropped."""
        found = list(entries)
        own = [
            e for e in found if isinstance(e, LedgerEntry) and e.customer_id == self._customer_id
        ]
        if len(own) < len(found):
            log().error("the ledger repository returned entries of another customer; dropped")
        check_distinct("entry", [entry.id for entry in own])
        return sorted(own, key=lambda entry: entry.key)

    def _is_fifo(self) -> bool:
        return self._context.allocation_rule is AllocationRule.FIFO

    def _all_entries(self) -> list[LedgerEntry]:
        if self._history is None:
            # Allocations first: an entry they name was there before them.
            if not self._is_fifo():
                self._allocations = list(self._ledger.allocations(self._customer_id))
                check_distinct("allocation", [one.id for one in self._allocations])
            self._history = self._own(self._ledger.entries(self._customer_id))
        return self._history

    def _all_parts(self) -> list[AppliedPart]:
        if self._parts is None:
            entries = self._all_entries()
            self._parts = (
                parts_by_fifo(entries, self.as_of)
                if self._is_fifo()
                else parts_by_allocation(entries, self._allocations, self.as_of)
            )
        return self._parts

    def _period(self, start: dt.date, end: dt.date) -> list[LedgerEntry]:
        found = self._history
        if found is None:
            found = self._own(self._ledger.entries(self._customer_id, start=start, end=end))
        return [entry for entry in found if start <= entry.date <= end]

    def _balances_before(self, day: dt.date) -> Mapping[str, Decimal]:
        if self._can(SupportsBalances):
            return cast(SupportsBalances, self._ledger).balances(self._customer_id, before=day)
        return balances(entry for entry in self._all_entries() if entry.date < day)

    def _currencies(self) -> list[str]:
        if self._can(SupportsOpenItems):
            ledger = cast(SupportsOpenItems, self._ledger)
            return list(ledger.currencies(self._customer_id, until=self.as_of))
        return sorted({e.currency for e in self._all_entries() if e.date <= self.as_of})

    def _last_payments(self) -> Mapping[str, Payment]:
        if self._can(SupportsOpenItems):
            ledger = cast(SupportsOpenItems, self._ledger)
            return ledger.last_payments(self._customer_id, until=self.as_of)
        return last_payments(self._all_entries(), self.as_of)

    def open_items(self) -> list[OpenItem]:
        """What is open, in statement order."""
        if not self._can_by_allocation(SupportsOpenItems):
            parts = self._all_parts()
            return open_items(self._all_entries(), parts, self.as_of)
        ledger = cast(SupportsOpenItems, self._ledger)
        found = list(ledger.open_items(self._customer_id, self.as_of))
        own = [
            item
            for item in found
            if isinstance(item, OpenItem) and item.entry.customer_id == self._customer_id
        ]
        if len(own) < len(found):
            log().error("the ledger repository returned open items of another customer; dropped")
        check_distinct("open item", [item.entry.id for item in own])
        wrong = [one.entry.id for one in own if not 0 < one.open_amount <= one.entry.amount]
        if wrong:
            raise LedgerError("more is open of an entry than it has, or nothing", ids=wrong)
        return own

    def entries_of(self, document_ids: Collection[str]) -> list[LedgerEntry]:
        """The entries up to the day that carry one of these document ids."""
        if self._can_by_allocation(SupportsLookup):
            ledger = cast(SupportsLookup, self._ledger)
            found = self._own(ledger.entries_of_documents(self._customer_id, document_ids))
        else:
            found = self._all_entries()
        wanted = set(document_ids)
        return [e for e in found if e.document_id in wanted and e.date <= self.as_of]

    def parts_of(self, entries: Sequence[LedgerEntry]) -> list[AppliedPart]:
        """What is applied to or by these entries, at least."""
        if not self._can_by_allocation(SupportsLookup):
            return self._all_parts()
        ledger = cast(SupportsLookup, self._ledger)
        ids = [entry.id for entry in entries]
        found: dict[str, Any] = {}
        for start in range(0, len(ids), CHUNK):
            some = list(ledger.allocations_of(self._customer_id, ids[start : start + CHUNK]))
            check_distinct("allocation", [one.id for one in some])
            found |= {one.id: one for one in some}
        known = {entry.id: entry for entry in entries}
        sides = {side for one in found.values() for side in (one.debit_id, one.credit_id)}
        missing = sorted(sides - known.keys())
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            for entry in self._own(ledger.entries_by_id(self._customer_id, chunk)):
                known[entry.id] = entry
        return parts_by_allocation(known.values(), found.values(), self.as_of)

    # --- what is made of them

    def statement(
        self, start: dt.date | None, *, view: str, age_by: str, aging: bool, lines: bool = True
    ) -> StatementOfAccount:
        """The statement of the period that ends on the account's day."""
        if view == OPEN_ITEMS:
            by_currency = self._open_items_view(age_by)
        elif not lines:
            by_currency = self._activity_without_lines(start, age_by, aging=aging)
            first = start or self._first_day(by_currency)
            return StatementOfAccount(self._customer_id, first, self.as_of, view, by_currency)
        else:
            by_currency = self._activity_view(start, age_by, aging=aging)
        first = start or min(
            (line.date for one in by_currency.values() for line in one.lines[:1]),
            default=self.as_of,
        )
        return StatementOfAccount(self._customer_id, first, self.as_of, view, by_currency)

    def _open_items_view(self, age_by: str) -> dict[str, CurrencyStatement]:
        items = _by_currency(self.open_items())
        edges = self._context.aging_edges
        return {
            currency: open_items_only(
                currency,
                found := items.get(currency, []),
                age_open_items(found, self.as_of, edges=edges, age_by=age_by),
            )
            for currency in self._currencies()
        }

    def _activity_view(
        self, start: dt.date | None, age_by: str, *, aging: bool
    ) -> dict[str, CurrencyStatement]:
        if aging and not self._can_by_allocation(SupportsLookup):
            self._all_parts()  # reads the history, which the period is then taken from
        opening = self._balances_before(start) if start else {}
        entries = self._period(start or dt.date.min, self.as_of)
        period: dict[str, list[LedgerEntry]] = {currency: [] for currency in opening}
        for entry in entries:
            period.setdefault(entry.currency, []).append(entry)
        if not aging:
            return {
                currency: activity(currency, opening.get(currency, ZERO), period[currency])
                for currency in sorted(period)
            }
        applied = applied_by_entry(self.parts_of(entries))
        items = _by_currency(self.open_items())
        edges = self._context.aging_edges
        return {
            currency: activity(
                currency,
                opening.get(currency, ZERO),
                period[currency],
                applied=applied,
                items=items.get(currency, ()),
                aging=age_open_items(
                    items.get(currency, ()), self.as_of, edges=edges, age_by=age_by
                ),
            )
            for currency in sorted(period)
        }

    def _activity_without_lines(
        self, start: dt.date | None, age_by: str, *, aging: bool
    ) -> dict[str, CurrencyStatement]:
        opening = self._balances_before(start) if start else {}
        closing = self._balances_before(self.as_of + dt.timedelta(1))
        items = _by_currency(self.open_items()) if aging else {}
        edges = self._context.aging_edges
        return {
            currency: activity_without_lines(
                currency,
                opening.get(currency, ZERO),
                closing[currency],
                items=(found := items.get(currency, ())),
                aging=age_open_items(found, self.as_of, edges=edges, age_by=age_by)
                if aging
                else None,
            )
            for currency in sorted(closing)
        }

    def _first_day(self, currencies: Iterable[str]) -> dt.date:
        """The day of the first entry up to the account's day, which is that day without one."""
        if self._can(SupportsEntryPages):
            pages = (self._entry_pages(one, None, None, 1) for one in currencies)
            found = chain.from_iterable(next(one) for one in pages)
        else:
            found = chain(self._all_entries())
        days = (entry.date for entry in found if entry.date <= self.as_of)
        return min(days, default=self.as_of)

    def lines(self, currency: str, start: dt.date | None) -> Iterator[list[StatementLine]]:
        """The activity of one currency in pieces, each line with its running balance."""
        opening = self._balances_before(start).get(currency, ZERO) if start else ZERO
        for entries in self._pieces(currency, start):
            lines = list(running_lines(opening, entries))
            opening = lines[-1].balance if lines else opening
            yield lines

    def _pieces(self, currency: str, start: dt.date | None) -> Iterator[list[LedgerEntry]]:
        if self._can(SupportsEntryPages):
            yield from self._entry_pages(currency, start, None, CHUNK)
        else:
            period = self._period(start or dt.date.min, self.as_of)
            found = [entry for entry in period if entry.currency == currency]
            yield from (found[at : at + CHUNK] for at in range(0, len(found), CHUNK))

    def _entry_pages(
        self, currency: str, start: dt.date | None, after: EntryKey | None, limit: int
    ) -> Iterator[list[LedgerEntry]]:
        ledger = cast(SupportsEntryPages, self._ledger)
        while True:
            found = list(
                ledger.entry_page(
                    self._customer_id,
                    currency,
                    start=start,
                    end=self.as_of,
                    after=after,
                    limit=limit,
                )
            )
            kept = [one for one in found if self._belongs(one, currency, start, after)]
            if len(kept) < len(found):
                log().error("the ledger repository returned entries not asked for; dropped")
            _check_order(kept)
            yield kept
            if len(found) < limit:
                return
            last = next((e.key for e in reversed(found) if isinstance(e, LedgerEntry)), None)
            if last is None or (after and last <= after):
                raise LedgerError("the pages of the ledger repository do not go on")
            after = last

    def _belongs(
        self, entry: object, currency: str, start: dt.date | None, after: EntryKey | None
    ) -> TypeGuard[LedgerEntry]:
        """True for an entry of the customer, currency and period, past the last one seen."""
        return (
            isinstance(entry, LedgerEntry)
            and entry.customer_id == self._customer_id
            and entry.currency == currency
            and (start is None or start <= entry.date)
            and entry.date <= self.as_of
            and (after is None or entry.key > after)
        )

    def page(
        self, currency: str, start: dt.date | None, after: EntryKey | None, limit: int
    ) -> StatementPage:
        """One page of the activity of one currency; ``next`` is left to the caller."""
        if self._can(SupportsEntryPages):
            ledger = cast(SupportsEntryPages, self._ledger)
            pages = self._entry_pages(currency, start, after, limit)
            entries = list(islice(chain.from_iterable(pages), limit))
            before = ledger.balance_through(self._customer_id, currency, after) if after else None
        else:
            whole = [e for e in self._all_entries() if e.currency == currency]
            past = [e for e in whole if after and e.key <= after]
            before = balances(past).get(currency, ZERO) if after else None
            due = [e for e in whole[len(past) :] if (start or e.date) <= e.date <= self.as_of]
            entries = due[:limit]
        if before is None:
            before = self._balances_before(start).get(currency, ZERO) if start else ZERO
        lines = tuple(running_lines(before, entries))
        return StatementPage(currency, before, lines, lines[-1].balance if lines else before)

    def with_applied(self, lines: Sequence[StatementLine]) -> tuple[StatementLine, ...]:
        """The lines, each with what it settles or is settled by."""
        entries = [line.entry for line in lines]
        parts = self.parts_of(entries)
        left, applied = open_amounts(entries, parts, self.as_of), applied_by_entry(parts)
        return tuple(apply_to(line, applied, left) for line in lines)

    def summary(self, *, invoices_only: bool) -> AccountSummary:
        """The account at a glance."""
        return summarize(
            self.open_items(),
            self.as_of,
            currencies=self._currencies(),
            last_payments={} if invoices_only else self._last_payments(),
            invoices_only=invoices_only,
        )


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class Settlement:
    """What the ledger says of one document as of a day.

    Attributes:
        debit_side: False for a credit note.
        open_amount: what is open of it, None where the ledger has no entry of it.
        open_parts: what is open of it by due date, earliest first and without one last.
        parts: what settles it, or what it settles.
    """

    debit_side: bool
    open_amount: Decimal | None
    open_parts: tuple[OpenPart, ...]
    parts: tuple[AppliedPart, ...]

    @property
    def settled_by(self) -> frozenset[EntryKind]:
        """The kinds of the entries on the other side."""
        return frozenset((p.credit if self.debit_side else p.debit).kind for p in self.parts)

    @classmethod
    def of(
        cls,
        document: Document,
        entries: Iterable[LedgerEntry],
        left: Mapping[str, Decimal],
        applied: Mapping[str, Sequence[AppliedPart]],
    ) -> Settlement:
        """What ``entries`` say of a document; other sides and currencies do not count."""
        debit_side = document.kind is not DocumentKind.CREDIT_NOTE
        mine = [
            entry
            for entry in entries
            if entry.is_debit is debit_side and entry.currency == document.currency
        ]
        return cls(
            debit_side=debit_side,
            open_amount=total(left[entry.id] for entry in mine) if mine else None,
            open_parts=_by_due_date((e.due_date, left[e.id]) for e in mine if left[e.id]),
            parts=tuple(part for entry in mine for part in applied.get(entry.id, ())),
        )


def _by_due_date(amounts: Iterable[tuple[dt.date | None, Decimal]]) -> tuple[OpenPart, ...]:
    found: dict[dt.date | None, list[Decimal]] = {}
    for due, amount in amounts:
        found.setdefault(due, []).append(amount)
    days = sorted(found, key=lambda due: (due is None, due or dt.date.max))
    return tuple(OpenPart(due, total(found[due])) for due in days)


def settlements(account: Account, documents: Iterable[Document]) -> dict[str, Settlement]:
    """What the ledger says of each of these documents, by id."""
    by_id = {document.id: document for document in documents}
    entries = account.entries_of(by_id)
    parts = account.parts_of(entries)
    left, applied = open_amounts(entries, parts, account.as_of), applied_by_entry(parts)
    found: dict[str, list[LedgerEntry]] = {document_id: [] for document_id in by_id}
    for entry in entries:
        found[str(entry.document_id)].append(entry)
    return {
        document_id: Settlement.of(document, found[document_id], left, applied)
        for document_id, document in by_id.items()
    }


def _check_order(entries: Sequence[LedgerEntry]) -> None:
    """Refuse, with `LedgerError`, a page whose balance would be wrong."""
    check_distinct("entry", [entry.id for entry in entries])
    keys = [entry.key for entry in entries]
    if any(map(gt, keys, islice(keys, 1, None))):
        raise LedgerError(
            "a page of the ledger repository is not by date, debits before credits, then id",
            ids=[entry.id for entry in entries],
        )


def _by_currency(items: Iterable[OpenItem]) -> dict[str, list[OpenItem]]:
    result: dict[str, list[OpenItem]] = {}
    for item in items:
        result.setdefault(item.entry.currency, []).append(item)
    return result
