"""The statement reconciles: on any day, by any rule, with any ledger.

Everything the library adds up is added up here a second time, plainly, with fractions.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import (
    AllocationRule,
    AppliedPart,
    CurrencyStatement,
    EntryKind,
    LedgerEntry,
    LedgerError,
    OpenItem,
)
from basis_portal.domain.aging import age_open_items
from basis_portal.domain.allocation import (
    applied_by_entry,
    open_items,
    parts_by_allocation,
    parts_by_fifo,
)
from basis_portal.domain.money import ZERO
from basis_portal.domain.statement import (
    activity,
    activity_without_lines,
    balances,
    open_items_only,
    running_lines,
    sum_sides,
)
from basis_portal.testing.builders import a_payment, an_allocation, an_entry
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers
from basis_portal.testing.strategies import LARGEST_AMOUNT

RULES = st.sampled_from(AllocationRule)
AGE_BY = st.sampled_from(["due_date", "date"])
DEBITS = {"invoice", "refund", "debit_adjustment"}
FIRST = dt.date(2025, 1, 1)


def _parts(ledger: Ledger, day: dt.date, rule: AllocationRule) -> list[AppliedPart]:
    if rule is AllocationRule.FIFO:
        return parts_by_fifo(ledger.entries, day)
    return parts_by_allocation(ledger.entries, ledger.allocations, day)


def _statement(
    ledger: Ledger,
    start: dt.date,
    end: dt.date,
    rule: AllocationRule = AllocationRule.EXPLICIT,
    age_by: str = "due_date",
) -> dict[str, CurrencyStatement]:
    """The activity from ``start`` to ``end`` by currency, with aging as of ``end``."""
    entries = sorted((e for e in ledger.entries if e.date <= end), key=lambda e: e.key)
    opening = balances(e for e in entries if e.date < start)
    parts = _parts(ledger, end, rule)
    items, applied = open_items(ledger.entries, parts, end), applied_by_entry(parts)
    result = {}
    for currency in {entry.currency for entry in entries}:
        own = [item for item in items if item.entry.currency == currency]
        result[currency] = activity(
            currency,
            opening.get(currency, ZERO),
            [e for e in entries if e.currency == currency and e.date >= start],
            applied=applied,
            items=own,
            aging=age_open_items(own, end, age_by=age_by),
        )
    return result


def _plain_balances(entries: Iterable[LedgerEntry], day: dt.date) -> dict[str, Fraction]:
    """Debits less credits up to a day, by currency."""
    result: dict[str, Fraction] = defaultdict(Fraction)
    for entry in entries:
        if entry.date <= day:
            sign = 1 if entry.kind.value in DEBITS else -1
            result[entry.currency] += sign * Fraction(entry.amount)
    return dict(result)


def _of(*amounts: int | None) -> tuple[Decimal | None, ...]:
    return tuple(None if amount is None else Decimal(amount) for amount in amounts)


def _huge(kind: EntryKind) -> Ledger:
    """A hundred times the largest amount, and one ten-thousandth."""
    entries = [an_entry(f"{n}", kind=kind, amount=LARGEST_AMOUNT, date=FIRST) for n in range(100)]
    entries.append(an_entry("least", kind=kind, amount=Decimal("0.0001"), date=FIRST))
    return Ledger("C-1001", tuple(entries), ())


@given(ledgers(), ledger_days(), RULES, AGE_BY)
@example(_huge(EntryKind.INVOICE), FIRST, AllocationRule.EXPLICIT, "date")
@example(_huge(EntryKind.PAYMENT), FIRST, AllocationRule.FIFO, "due_date")
@settings(max_examples=examples(300))
def test_all_totals_are_one(
    ledger: Ledger, day: dt.date, rule: AllocationRule, age_by: str
) -> None:
    """Buckets and unapplied credits = open total = closing balance = debits less credits."""
    plain = _plain_balances(ledger.entries, day)
    found = _statement(ledger, dt.date.min, day, rule, age_by)
    assert found.keys() == plain.keys()
    for currency, one in found.items():
        assert one.aging is not None
        buckets = sum(Fraction(bucket.amount) for bucket in one.aging.buckets)
        signed = [
            Fraction(item.open_amount) * (1 if item.entry.kind.value in DEBITS else -1)
            for item in one.open_items
        ]
        assert buckets + Fraction(one.aging.unapplied_credits) == plain[currency]
        assert sum(signed) == plain[currency]
        assert Fraction(one.aging.total) == plain[currency]
        assert Fraction(one.aging.open_debits) == buckets
        assert Fraction(one.closing_balance) == plain[currency]
        assert one.aging.unapplied_credits <= 0


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days(), RULES)
def test_without_its_lines_an_activity_is_the_same(
    ledger: Ledger, day: dt.date, rule: AllocationRule
) -> None:
    """Opening, closing, what is open and how old it is; what the lines add up to is left out."""
    for currency, whole in _statement(ledger, FIRST, day, rule).items():
        assert whole.opening_balance is not None
        assert whole.aging is not None
        known = {"items": whole.open_items, "aging": whole.aging}
        balances = whole.opening_balance, whole.closing_balance
        found = activity_without_lines(currency, *balances, **known)
        assert found == attrs.evolve(whole, lines=(), charged=None, credited=None)
        bare = activity_without_lines(currency, *balances)
        assert bare == attrs.evolve(found, open_items=(), aging=None)
        with pytest.raises(LedgerError, match=f"^the open items in {currency} add up to "):
            activity_without_lines(currency, whole.aging.total, whole.aging.total + 1, **known)


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days(), RULES, AGE_BY)
def test_both_views_close_alike(
    ledger: Ledger, day: dt.date, rule: AllocationRule, age_by: str
) -> None:
    """The open-items view has the open items, aging and closing balance of the activity."""
    for one in _statement(ledger, FIRST, day, rule, age_by).values():
        assert one.aging is not None
        view = open_items_only(one.currency, one.open_items, one.aging)
        assert (view.currency, view.aging) == (one.currency, one.aging)
        assert (view.closing_balance, view.open_items) == (one.closing_balance, one.open_items)
        assert view.opening_balance is view.charged is view.credited is None
        assert view.lines == ()


@given(ledgers(), ledger_days(), ledger_days(), RULES)
def test_a_period_reconciles(
    ledger: Ledger, one_day: dt.date, other_day: dt.date, rule: AllocationRule
) -> None:
    """Opening + charged - credited = closing, and each line's balance is the sum up to it."""
    start, end = sorted([one_day, other_day])
    before = _plain_balances(ledger.entries, start - dt.timedelta(days=1))
    for currency, one in _statement(ledger, start, end, rule).items():
        balance = before.get(currency, Fraction())
        assert one.opening_balance == balance
        assert one.charged is not None
        assert one.credited is not None
        assert balance + Fraction(one.charged) - Fraction(one.credited) == one.closing_balance
        for line in one.lines:
            balance += Fraction(line.charged or 0) - Fraction(line.credited or 0)
            assert line.balance == balance
        assert one.closing_balance == balance


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days(), ledger_days())
def test_a_period_has_the_entries_of_its_days(
    ledger: Ledger, one_day: dt.date, other_day: dt.date
) -> None:
    """Both ends included, each entry of the period is one line, in statement order."""
    start, end = sorted([one_day, other_day])
    found = _statement(ledger, start, end)
    lines = [line.entry for one in found.values() for line in one.lines]
    due = [entry for entry in ledger.entries if start <= entry.date <= end]
    assert sorted(e.id for e in lines) == sorted(e.id for e in due)
    for one in found.values():
        order = [(x.date, x.kind.value not in DEBITS, x.entry.id) for x in one.lines]
        assert order == sorted(order)
        assert all(line.entry.currency == one.currency for line in one.lines)


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days())
def test_periods_join(ledger: Ledger, day: dt.date) -> None:
    """What one period closes with the next one opens with."""
    before = _statement(ledger, FIRST, day)
    after = _statement(ledger, day + dt.timedelta(days=1), dt.date(2030, 1, 1))
    for currency, one in before.items():
        assert after[currency].opening_balance == one.closing_balance
    for currency in after.keys() - before.keys():
        assert after[currency].opening_balance == 0


@given(ledgers(), ledger_days(), RULES)
def test_a_line_says_what_became_of_its_entry(
    ledger: Ledger, day: dt.date, rule: AllocationRule
) -> None:
    """A credit is what it settled and what is left of it; a debit has nothing left to apply."""
    for one in _statement(ledger, dt.date.min, day, rule).values():
        left = {item.entry.id: item.open_amount for item in one.open_items}
        for line in one.lines:
            applied = sum(Fraction(part.amount) for part in line.applied)
            open_amount = Fraction(left.get(line.entry.id, 0))
            assert applied + open_amount == line.entry.amount
            assert line.unapplied == (None if line.entry.is_debit else open_amount)


@given(ledgers(), ledger_days(), RULES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    ledger: Ledger, day: dt.date, rule: AllocationRule, random: Any
) -> None:
    """Rows in any order give the same figures, lines and open items."""
    entries, allocations = list(ledger.entries), list(ledger.allocations)
    random.shuffle(entries)
    random.shuffle(allocations)
    shuffled = Ledger(ledger.customer_id, tuple(entries), tuple(allocations))
    before, after = (_statement(one, FIRST, day, rule) for one in (ledger, shuffled))
    assert before.keys() == after.keys()
    for currency, one in before.items():
        other = after[currency]
        assert (one.aging, one.open_items) == (other.aging, other.open_items)
        assert [(x.entry, x.balance) for x in one.lines] == [
            (x.entry, x.balance) for x in other.lines
        ]


@given(ledgers(), ledger_days(), RULES)
def test_currencies_are_independent(ledger: Ledger, day: dt.date, rule: AllocationRule) -> None:
    """The statement of a currency is what it would be if there were no other."""
    together = _statement(ledger, FIRST, day, rule)
    for currency, one in together.items():
        entries = tuple(e for e in ledger.entries if e.currency == currency)
        ids = {entry.id for entry in entries}
        allocations = tuple(a for a in ledger.allocations if a.debit_id in ids)
        alone = Ledger(ledger.customer_id, entries, allocations)
        found = _statement(alone, FIRST, day, rule)
        assert found.keys() == {currency}
        same = found[currency] == one
        assert same


@settings(max_examples=examples(50))
@given(ledgers(), ledger_days())
def test_balances_and_sides_are_plain_sums(ledger: Ledger, day: dt.date) -> None:
    """Balances are debits less credits by currency; one at zero is there as well."""
    due = [entry for entry in ledger.entries if entry.date <= day]
    assert balances(due) == _plain_balances(ledger.entries, day)
    charged, credited = sum_sides(due)
    assert charged == sum(Fraction(e.amount) for e in due if e.kind.value in DEBITS)
    assert credited == sum(Fraction(e.amount) for e in due if e.kind.value not in DEBITS)


def test_a_month_of_an_account() -> None:
    """An opening balance, an invoice and a payment that settles it in part."""
    entries = [
        an_entry("OLD", date=dt.date(2024, 12, 31), amount=Decimal(50)),
        an_entry("INV", date=FIRST, reference="PO-77"),
        a_payment("PAY", date=dt.date(2025, 1, 31), amount=Decimal(100), document_id="REM-1"),
        an_entry("NEW", date=dt.date(2025, 2, 1)),
    ]
    allocations = [
        an_allocation("A", debit_id="INV", credit_id="PAY", amount=Decimal(80), date=FIRST)
    ]
    ledger = Ledger("C-1001", tuple(entries), tuple(allocations))
    one = _statement(ledger, FIRST, dt.date(2025, 1, 31))["EUR"]
    assert (one.opening_balance, one.charged, one.credited) == _of(50, 119, 100)
    assert one.closing_balance == 69
    invoice, payment = one.lines
    assert (invoice.date, invoice.kind, invoice.number) == (FIRST, EntryKind.INVOICE, "INV")
    assert (invoice.reference, invoice.document_id) == ("PO-77", "INV")
    assert (invoice.charged, invoice.credited, invoice.balance) == _of(119, None, 169)
    assert (payment.charged, payment.credited, payment.balance) == _of(None, 100, 69)
    assert (invoice.unapplied, payment.unapplied) == _of(None, 20)
    assert [part.amount for part in invoice.applied] == [80]
    assert payment.document_id == "REM-1"
    assert [(i.entry.id, int(i.open_amount)) for i in one.open_items] == [
        ("OLD", 50),
        ("INV", 39),
        ("PAY", 20),
    ]


def test_a_period_without_entries_closes_as_it_opens() -> None:
    """Where nothing happened the closing balance is the opening balance."""
    one = activity("EUR", Decimal(50), [])
    assert (one.opening_balance, one.closing_balance) == _of(50, 50)
    assert (one.charged, one.credited) == _of(0, 0)
    assert (one.lines, one.aging) == ((), None)


def test_open_items_that_do_not_add_up_are_a_contradiction() -> None:
    """Where a host's open items are not its entries' balance there is no statement."""
    entry = an_entry(amount=Decimal(100))
    for amount, good in ((Decimal("100.00"), True), (Decimal("99.99"), False)):
        items = [OpenItem(entry, amount)]
        aging = age_open_items(items, FIRST)
        if good:
            assert activity("EUR", ZERO, [entry], items=items, aging=aging).aging == aging
        else:
            rule = (
                r"in EUR add up to 99\.99, the entries to 100: no statement rather than a wrong one"
            )
            with pytest.raises(LedgerError, match=f"{rule}$"):
                activity("EUR", ZERO, [entry], items=items, aging=aging)


def test_without_aging_a_line_says_nothing_of_what_is_applied() -> None:
    """A statement that was asked for without aging has lines and balances alone."""
    [line] = activity("EUR", ZERO, [a_payment()]).lines
    assert (line.applied, line.unapplied, line.balance) == ((), None, Decimal("-119.00"))


def test_lines_are_made_one_by_one() -> None:
    """A long account is a stream: a line is there before the next entry is read."""
    lines = running_lines(ZERO, iter([an_entry("1"), a_payment("2")]))
    assert next(lines).balance == Decimal("119.00")
    assert next(lines).balance == 0
    with pytest.raises(StopIteration):
        next(lines)
