"""Ledger entries and allocations: sides, order, refusals, and the entry of a document."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import (
    Allocation,
    Document,
    DocumentKind,
    DocumentStatus,
    EntryKind,
    InvalidValue,
    LedgerEntry,
)
from basis_portal.testing.builders import (
    DAY,
    NOW,
    a_credit_note,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
)
from basis_portal.testing.strategies import amounts, documents, entries

DEBITS = {"invoice", "refund", "debit_adjustment"}
CREDITS = {"credit_note", "payment", "write_off", "credit_adjustment"}
NAIVE = NOW.replace(tzinfo=None)
ID_REFUSED: list[Any] = ["", "x" * 256, "a\0", "\ud800", 7, None]
AMOUNT_REFUSED: list[Any] = [
    None,
    1.5,
    True,
    "1.50",
    Decimal("NaN"),
    Decimal("Infinity"),
    Decimal("-0.01"),
    Decimal("1.00001"),
    Decimal("1E14"),
]
REFUSED_OF_AN_ENTRY: dict[str, list[Any]] = {
    "id": ID_REFUSED,
    "customer_id": ID_REFUSED,
    "currency": ["eur", "", None],
    "date": [None, "2025-01-15", NAIVE],
    "kind": ["invoice", None],
    "amount": AMOUNT_REFUSED,
    "due_date": ["2025-01-15", NAIVE],
    "document_id": ["", "a\0", 7],
    "number": ["x" * 1001, 7],
    "reference": ["x" * 1001, "\ud800"],
}
REFUSED_OF_AN_ALLOCATION: dict[str, list[Any]] = {
    "id": ID_REFUSED,
    "customer_id": ID_REFUSED,
    "debit_id": ID_REFUSED,
    "credit_id": ID_REFUSED,
    "amount": [*AMOUNT_REFUSED, Decimal(0), 0],
    "date": [None, "2025-01-15", NAIVE],
}


def _cases(refused: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(field, value) for field in refused for value in refused[field]]


@given(entries())
def test_the_kind_gives_the_side(entry: LedgerEntry) -> None:
    """A debit counts as it is, a credit with the other sign."""
    assert entry.is_debit is entry.kind.is_debit is (entry.kind.value in DEBITS)
    sign = 1 if entry.is_debit else -1
    assert Fraction(entry.signed_amount) == sign * Fraction(entry.amount)


@given(st.lists(entries(), max_size=12))
def test_the_order_of_a_statement(found: list[LedgerEntry]) -> None:
    """Entries go by date, debits before credits, then id."""
    expected = sorted(found, key=lambda entry: entry.id)
    expected.sort(key=lambda entry: entry.kind.value in CREDITS)
    expected.sort(key=lambda entry: entry.date)
    assert [entry.key for entry in sorted(found, key=lambda entry: entry.key)] == [
        entry.key for entry in expected
    ]


@given(
    documents(
        kind=st.sampled_from([DocumentKind.SALES_INVOICE, DocumentKind.CREDIT_NOTE]),
        status=st.just(DocumentStatus.ISSUED),
        total=amounts(),
    )
)
def test_the_entry_of_a_document(document: Document) -> None:
    """An issued invoice or credit note gives an entry of its total under its own id."""
    entry = LedgerEntry.of(document)
    assert entry.id == entry.document_id == document.id
    assert entry.is_debit is (document.kind is DocumentKind.SALES_INVOICE)
    shared = ("customer_id", "currency", "date", "due_date", "number", "reference")
    assert [getattr(entry, name) for name in shared] == [getattr(document, name) for name in shared]
    assert entry.amount == document.total


@given(documents())
def test_a_document_without_an_entry_is_refused(document: Document) -> None:
    """Orders, drafts, cancelled documents and negative totals give no entry."""
    good = (
        document.kind is not DocumentKind.SALES_ORDER
        and document.status is DocumentStatus.ISSUED
        and document.total >= 0
    )
    try:
        LedgerEntry.of(document)
    except InvalidValue:
        assert not good
    else:
        assert good


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (an_order(), r"^Document\.kind must be an invoice or credit note, not 'sales_order'"),
        (an_invoice(status=DocumentStatus.DRAFT), r"^Document\.status must be issued, not 'draft'"),
        (a_credit_note(status=DocumentStatus.CANCELLED), r"^Document\.status must be issued"),
        (a_credit_note(total=Decimal(-119)), r"^LedgerEntry\.amount must not be negative"),
    ],
)
def test_why_a_document_gives_no_entry(document: Document, rule: str) -> None:
    """The refusal says whether kind, status or amount is wrong."""
    with pytest.raises(InvalidValue, match=rule):
        LedgerEntry.of(document)


def test_the_kinds_of_entries() -> None:
    """There are three kinds of debits and four of credits."""
    assert {kind.value for kind in EntryKind if kind.is_debit} == DEBITS
    assert {kind.value for kind in EntryKind if not kind.is_debit} == CREDITS


@pytest.mark.parametrize(("field", "value"), _cases(REFUSED_OF_AN_ENTRY))
def test_a_wrong_field_of_an_entry_is_refused(field: str, value: Any) -> None:
    """Each field of an entry is checked, and the refusal names it."""
    assert an_entry(amount=0).amount == 0
    with pytest.raises(InvalidValue, match=rf"^LedgerEntry\.{field} "):
        an_entry(**{field: value})


@pytest.mark.parametrize(("field", "value"), _cases(REFUSED_OF_AN_ALLOCATION))
def test_a_wrong_field_of_an_allocation_is_refused(field: str, value: Any) -> None:
    """Each field of an allocation is checked, and the refusal names it; zero settles nothing."""
    assert an_allocation(amount=Decimal("0.0001"))
    with pytest.raises(InvalidValue, match=rf"^Allocation\.{field} "):
        an_allocation(**{field: value})


def test_whole_numbers_are_amounts() -> None:
    """An int is taken as an amount, exactly."""
    entry = LedgerEntry("1", "C", "EUR", DAY, EntryKind.INVOICE, 10**13 + 1)
    assert entry.amount == Decimal("10000000000001")
    assert Allocation("1", "C", "1", "2", 5, DAY).amount == Decimal(5)
