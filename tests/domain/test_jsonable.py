"""Domain objects as JSON."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import DocumentView, EntryKind, to_jsonable
from basis_portal.testing import strategies as our
from basis_portal.testing.builders import DAY, NOW, a_payment, an_invoice

OBJECTS: list[st.SearchStrategy[Any]] = [
    our.configs(),
    our.stored_settings(),
    our.customers(),
    our.documents(),
    our.entries(),
    our.allocations(),
    our.tokens(),
    our.messages(),
    our.notes(),
    our.audit_entries(),
]


def _plain(value: Any) -> bool:
    """True for what JSON knows by itself: exactly these types, no subclass of them."""
    if type(value) is dict:
        return all(type(key) is str and _plain(item) for key, item in value.items())
    if type(value) in (list, tuple):
        return all(map(_plain, value))
    return value is None or type(value) in (str, int, bool)


@given(st.one_of(OBJECTS))
def test_every_object_can_be_json(found: Any) -> None:
    """Each record of the domain becomes plain dicts, lists, text, numbers and switches."""
    data = to_jsonable(found)
    assert _plain(data)
    assert json.loads(json.dumps(data)).keys() == data.keys()


@given(our.amounts(signed=True), our.dates(), our.instants())
def test_values_can_be_read_back(amount: Decimal, day: dt.date, instant: dt.datetime) -> None:
    """Amounts, days and instants are told in full."""
    told = to_jsonable([amount, day, instant])
    assert Decimal(told[0]) == amount
    assert "E" not in told[0]
    assert dt.date.fromisoformat(told[1]) == day
    assert dt.datetime.fromisoformat(told[2]) == instant


def test_an_entry_as_json() -> None:
    """Dates are ISO 8601, amounts text with their decimals, kinds their value."""
    assert to_jsonable(a_payment(amount=Decimal("1E+3"))) == {
        "id": "PAY-1",
        "customer_id": "C-1001",
        "currency": "EUR",
        "date": "2025-01-25",
        "kind": "payment",
        "amount": "1000",
        "due_date": None,
        "document_id": None,
        "number": "PAY-1",
        "reference": None,
    }
    assert to_jsonable(NOW) == "2025-01-15T09:00:00+00:00"


@pytest.mark.parametrize("kinds", [[], [EntryKind.PAYMENT, EntryKind.CREDIT_NOTE]])
def test_a_view_as_json(kinds: list[EntryKind]) -> None:
    """The kinds that settled a document are a sorted list."""
    view = DocumentView.of(
        an_invoice(), open_amount=Decimal(5), settled_by=kinds, open_parts=(), as_of=DAY
    )
    data = to_jsonable(view)
    assert _plain(data)
    assert data["settled_by"] == sorted(kind.value for kind in kinds)
    assert data["lines"][0]["amount"] == "100.00"
