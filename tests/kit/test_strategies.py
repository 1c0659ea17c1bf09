"""The strategies make what the domain allows, edges included, and ledgers that hold together."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample
from tests.depth import examples

from basis_portal import Document, EntryKind
from basis_portal.domain.allocation import open_amounts, parts_by_allocation
from basis_portal.domain.config import DEFAULT_SETTINGS
from basis_portal.domain.money import to_units, total
from basis_portal.testing import Ledger, ledger_days, ledgers, strategies

SEARCH = settings(
    max_examples=examples(3000),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

EDGES: list[tuple[str, Any, Callable[[Any], bool]]] = [
    ("full length", strategies.ids(), lambda one: len(one) == 255),
    ("slash", strategies.ids(), lambda one: "/" in one and "#" in one),
    ("emoji", strategies.ids(), lambda one: "😀" in one),
    ("space", strategies.ids(), lambda one: one.startswith(" ")),
    ("zero", strategies.amounts(), lambda one: one == 0),
    ("largest", strategies.amounts(), lambda one: one == strategies.LARGEST_AMOUNT),
    ("four decimals", strategies.amounts(), lambda one: to_units(one) % 10 != 0),
    ("negative", strategies.amounts(signed=True), lambda one: one < 0),
    ("first day", strategies.dates(), lambda one: one == dt.date.min),
    ("last day", strategies.dates(), lambda one: one == dt.date.max),
    ("microseconds", strategies.instants(), lambda one: one.microsecond > 0),
    ("whole second", strategies.instants(), lambda one: one.microsecond == 0),
    ("line break", strategies.messages(), lambda one: "\n" in one.text),
    ("long message", strategies.messages(), lambda one: len(one.text) > 1900),
    ("draft", strategies.documents(), lambda one: one.status == "draft"),
    ("lines", strategies.documents(), lambda one: len(one.lines) > 1),
    ("current", strategies.tokens(), lambda one: one.is_current),
    ("ended", strategies.tokens(), lambda one: not one.is_current and one.reason == ""),
    ("welcome", strategies.configs(), lambda one: len(one.welcome_message) > 400),
    ("settings", strategies.stored_settings(), lambda one: one.config != DEFAULT_SETTINGS.config),
    ("blocked", strategies.customers(), lambda one: one.blocked and one.email is None),
    ("e-mail of a run", strategies.mails(), lambda one: one.run and one.status == "queued"),
    ("e-mail to nobody", strategies.mails(), lambda one: one.customer_id is None),
    ("sent", strategies.mails(), lambda one: one.status == "sent" and one.address),
    ("cause", strategies.audit_entries(), lambda one: one.cause and one.detail == ""),
    ("note", strategies.notes(), lambda one: one.document_id is not None),
    ("entry", strategies.entries(), lambda one: one.due_date and one.due_date < one.date),
    ("allocation", strategies.allocations(), lambda one: one.amount > 10**13),
    ("currency", strategies.currencies(), lambda one: one not in ("EUR", "USD")),
]


@pytest.mark.parametrize(("values", "edge"), [one[1:] for one in EDGES], ids=[e[0] for e in EDGES])
def test_edges_are_reached(values: Any, edge: Callable[[Any], bool]) -> None:
    """The edges of each value come up within some thousand tries."""
    assert edge(find(values, edge, settings=SEARCH))


@given(document=strategies.documents())
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
def test_examples_can_be_printed(document: Document) -> None:
    """A document is never so long that hypothesis warns of printing it, which may be an error."""
    assert len(repr(document)) < 30_000


def test_what_cannot_be_is_not_found() -> None:
    """No strategy makes what the domain refuses (the control of the test above)."""
    with pytest.raises(NoSuchExample):
        find(strategies.ids(), lambda one: len(one) > 255 or "\0" in one, settings=SEARCH)


def test_fields_can_be_chosen() -> None:
    """A strategy for one field takes the place of its own."""
    entry = find(strategies.entries(id=strategies.token_ids()), lambda _: True, settings=SEARCH)
    assert len(entry.id) == 22


# --- ledgers ------------------------------------------------------------------------------------


def _by_id(ledger: Ledger) -> dict[str, Any]:
    return {entry.id: entry for entry in ledger.entries}


def _some_allocation(rule: Callable[[Any, Any, Any], bool]) -> Callable[[Ledger], bool]:
    def holds(ledger: Ledger) -> bool:
        known = _by_id(ledger)
        return any(rule(a, known[a.debit_id], known[a.credit_id]) for a in ledger.allocations)

    return holds


SHAPES: dict[str, Callable[[Ledger], bool]] = {
    "several currencies": lambda ledger: len({e.currency for e in ledger.entries}) == 3,
    "part paid": _some_allocation(lambda a, debit, _: a.amount < debit.amount),
    "over-paid": _some_allocation(lambda a, debit, credit: credit.amount > debit.amount),
    "applied later": _some_allocation(lambda a, debit, c: a.date > max(debit.date, c.date)),
    "before its invoice": _some_allocation(lambda a, debit, _: a.date < debit.date),
    "paid in advance": _some_allocation(lambda _, debit, credit: credit.date < debit.date),
    "refund": _some_allocation(lambda _, debit, __: debit.kind is EntryKind.REFUND),
    "reversal": _some_allocation(
        lambda a, debit, credit: debit.amount == credit.amount == a.amount and a.date == credit.date
    ),
    "past 64 bits": lambda ledger: to_units(total(e.amount for e in ledger.entries)) > 2**63,
    "one credit, two invoices": lambda ledger: (
        max(Counter(a.credit_id for a in ledger.allocations).values(), default=0) > 1
    ),
    "nothing": lambda ledger: not ledger.entries,
    "no order": lambda ledger: (
        list(ledger.entries) != sorted(ledger.entries, key=lambda entry: entry.date)
    ),
}


@pytest.mark.sampled
@pytest.mark.parametrize("shape", SHAPES)
def test_ledgers_have_all_shapes(shape: str) -> None:
    """Each shape that an account takes comes up within some thousand ledgers."""
    assert SHAPES[shape](find(ledgers(), SHAPES[shape], settings=SEARCH))


@given(ledger=ledgers(), day=ledger_days())
@settings(max_examples=examples(100), deadline=None)
def test_ledgers_never_contradict_themselves(ledger: Ledger, day: dt.date) -> None:
    """No entry has more allocated than it has, on no day; ids are each one's own."""
    for as_of in (day, dt.date.max):
        open_amounts(
            ledger.entries, parts_by_allocation(ledger.entries, ledger.allocations, as_of), as_of
        )
    assert len(_by_id(ledger)) == len(ledger.entries)
    assert len({a.id for a in ledger.allocations}) == len(ledger.allocations)


@given(ledger=ledgers())
@settings(max_examples=examples(30), deadline=None)
def test_a_ledger_can_be_anybodys(ledger: Ledger) -> None:
    """Under another customer id all ids are others, and all amounts and days the same."""
    other = ledger.of_customer("C-7")
    assert {entry.customer_id for entry in other.entries} <= {"C-7"}
    assert not _by_id(ledger).keys() & _by_id(other).keys()
    assert [e.amount for e in other.entries] == [e.amount for e in ledger.entries]
    assert len(parts_by_allocation(other.entries, other.allocations, dt.date.max)) == len(
        ledger.allocations
    )
