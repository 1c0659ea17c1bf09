"""Invented receivables in which all happens that happens to invoices; the same at each run."""

import datetime as dt
import random
from decimal import Decimal

from receivables_file import Row, applied

FIRST = dt.date(2012, 1, 9)


def generated_rows(customers: int) -> list[Row]:
    """The rows of so many customers: paid, in part, too much, credited, or nothing yet."""
    chance = random.Random(20120109)  # noqa: S311 - data, no secrets
    rows: list[Row] = []
    for number in range(customers):
        for _ in range(3):
            rows += _invoice(chance, f"Customer {number:02}", f"G{len(rows):04}")
    return applied(rows)


def _invoice(chance: random.Random, customer: str, doc_id: str) -> list[Row]:
    date = FIRST + dt.timedelta(chance.randrange(600))
    due = date + dt.timedelta(chance.choice([0, 14, 30]))
    amount = Decimal(chance.randrange(100, 90000)).scaleb(-2)
    found = [Row("invoice", doc_id, customer, "USD", date, due, amount, "")]
    fate = chance.choice(["open", "paid", "in part", "in parts", "too much", "credited", "advance"])
    shares = {
        "paid": ["payment", amount],
        "in part": ["payment", _share(amount, 3)],
        "in parts": ["payment", _share(amount, 3), amount - _share(amount, 3)],
        "too much": ["payment", amount + Decimal("12.34")],
        "credited": ["credit_note", _share(amount, 2), amount - _share(amount, 2)],
        "advance": ["payment", amount],
    }
    kind, *parts = shares.get(fate, ["payment"])
    for number, part in enumerate(parts):
        paid = date + dt.timedelta(chance.randrange(1, 50))
        applies_to = "" if fate == "advance" else doc_id
        row = Row(kind, f"{doc_id}-{number}", customer, "USD", paid, paid, part, applies_to)
        found.append(row)
    return found


def _share(amount: Decimal, parts: int) -> Decimal:
    return (amount / parts).quantize(Decimal("0.01"))
