"""A file of receivables is posted whole, or refused with a reason."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from receivables_file import BadInput, Row, applied, read_rows

HEAD = "kind,doc_id,customer,currency,date,due_date,amount,applies_to\n"
DAY = dt.date(2012, 1, 9)
INVOICE = Row("invoice", "I1", "C", "USD", DAY, DAY, Decimal(100), "")
PAYMENT = Row("payment", "P1", "C", "USD", DAY, DAY, Decimal(130), "I1")


def test_what_is_paid_too_much_pays_nothing():
    """A payment above what is left of its invoice is split, and adds up."""
    rest = replace(PAYMENT, doc_id="P1+", amount=Decimal(30), applies_to="")
    assert applied([PAYMENT, INVOICE]) == [INVOICE, replace(PAYMENT, amount=Decimal(100)), rest]


@pytest.mark.parametrize(
    "wrong", [{"applies_to": "I2"}, {"applies_to": "P1"}, {"customer": "D"}, {"currency": "EUR"}]
)
def test_what_pays_no_invoice_of_the_customer_is_refused(wrong):
    """applies_to names an invoice of the same customer and currency."""
    with pytest.raises(BadInput, match="P1: applies_to must be"):
        applied([INVOICE, replace(PAYMENT, **wrong)])


@pytest.mark.parametrize(
    "line",
    [
        "invoice,I1,C,USD,2012-01-09,,1x,",
        "invoice,I1,C,USD,9.1.2012,,1,",
        "order,I1,C,USD,2012-01-09,,1,",
        "invoice,I1,C",
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line):
    """The message says which line it is; the good file is read."""
    file = tmp_path / "receivables.csv"
    file.write_text(f"{HEAD}invoice,I0,C,USD,2012-01-09,,1,\n")
    assert [row.doc_id for row in read_rows(file)] == ["I0"]
    file.write_text(f"{HEAD}invoice,I0,C,USD,2012-01-09,,1,\n{line}\n")
    with pytest.raises(BadInput, match="line 3"):
        read_rows(file)
