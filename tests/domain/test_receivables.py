"""Thousands of invoices and payments: each total equals a plain recomputation.

Of a file of receivables the plain side knows its rows, whole numbers and ``if``: nothing of
the domain. The real file is not part of the project; where it is missing, generated rows of
the same layout, with everything the real one lacks, are the only ones tried.
"""

import csv
import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from basis_portal import Allocation, EntryKind, LedgerEntry
from basis_portal.domain.aging import age_open_items
from basis_portal.domain.allocation import open_items, parts_by_allocation, parts_by_fifo
from basis_portal.domain.money import to_units
from basis_portal.domain.statement import balances

REAL = Path(__file__).parents[3] / "shared" / "data" / "receivables.csv"
COLUMNS = "kind,doc_id,customer,currency,date,due_date,amount,applies_to"

Row = dict[str, str]
Figures = dict[tuple[str, str], list[int]]
"""By customer and currency, in ten-thousandths: five buckets, unapplied credits, balance."""


def _generated(path: Path) -> Path:
    """A file of rows in no order: part, over and advance payments, credits for nothing."""
    chance = random.Random(20130131)
    rows = []
    for number in range(600):
        customer, currency = f"C-{number % 25}", ("USD", "EUR", "JPY")[number % 3]
        day = dt.date(2012, 1, 1) + dt.timedelta(days=chance.randrange(700))
        due = chance.choice(["", day + dt.timedelta(days=chance.randrange(-20, 91))])
        units, name = chance.randrange(1, 5_000_000), f"I{chance.random()}"
        head = [customer, currency]
        rows.append(["invoice", name, *head, day, due, Decimal(units).scaleb(-4), ""])
        for share in chance.choice([[], [100], [30, 30], [60, 60], [140], [50, 50]]):
            paid = day + dt.timedelta(days=chance.randrange(-30, 200))
            amount = Decimal(units * share // 100 + 1).scaleb(-4)
            kind = chance.choice(["payment", "payment", "credit_note"])
            settles = chance.choice([name, name, name, ""])
            rows.append([kind, f"P{chance.random()}", *head, paid, paid, amount, settles])
    chance.shuffle(rows)
    lines = (",".join(f"{value}" for value in row) for row in rows)
    path.write_text("\n".join([COLUMNS, *lines]), encoding="utf-8")
    return path


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert ",".join(found[0]) == COLUMNS
    return found


@pytest.fixture(scope="module", params=["real", "real, nothing applied", "generated"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The rows of a file, as text."""
    if request.param == "generated":
        return _read(_generated(tmp_path_factory.mktemp("receivables") / "receivables.csv"))
    if not REAL.exists():
        pytest.skip("the real receivables are not here")
    applied = {} if request.param == "real" else {"applies_to": ""}
    return [{**row, **applied} for row in _read(REAL)]


def _days(rows: Iterable[Row]) -> list[dt.date]:
    """The day before the first row, the days of every 150th, the last, and a year later."""
    days = sorted({dt.date.fromisoformat(row["date"]) for row in rows})
    one, year = dt.timedelta(days=1), dt.timedelta(days=365)
    return [days[0] - one, *days[:: len(days) // 15], days[-1], days[-1] + year]


# --- the plain side


def _units(text: str) -> int:
    """An amount in ten-thousandths."""
    whole, _, decimals = text.partition(".")
    return int(whole) * 10_000 + int(decimals.ljust(4, "0"))


def _plain(rows: Sequence[Row], day: str) -> Figures:
    """What every customer owes as of an ISO date, which compares as text."""
    figures: Figures = defaultdict(lambda: [0] * 7)
    invoices = {r["doc_id"]: r for r in rows if r["kind"] == "invoice" and r["date"] <= day}
    settled: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["date"] > day:
            continue
        owner = figures[row["customer"], row["currency"]]
        if row["kind"] == "invoice":
            owner[6] += _units(row["amount"])
            continue
        owner[6] -= _units(row["amount"])
        if row["applies_to"] in invoices:
            settled[row["applies_to"]] += _units(row["amount"])
        else:
            owner[5] -= _units(row["amount"])
    for name, row in invoices.items():
        owner = figures[row["customer"], row["currency"]]
        left = _units(row["amount"]) - settled[name]
        owner[_plain_bucket(row, day) if left > 0 else 5] += left
    return figures


def _plain_bucket(row: Row, day: str) -> int:
    due = dt.date.fromisoformat(row["due_date"] or row["date"])
    age = dt.date.fromisoformat(day).toordinal() - due.toordinal()
    if age <= 0:
        return 0
    if age <= 30:
        return 1
    if age <= 60:
        return 2
    if age <= 90:
        return 3
    return 4


# --- the same by the domain


def _entry(row: Row) -> LedgerEntry:
    due = row["due_date"] if row["kind"] == "invoice" else ""
    return LedgerEntry(
        id=row["doc_id"],
        customer_id=row["customer"],
        currency=row["currency"],
        date=dt.date.fromisoformat(row["date"]),
        kind=EntryKind(row["kind"]),
        amount=Decimal(row["amount"]),
        due_date=dt.date.fromisoformat(due) if due else None,
    )


def _allocations(rows: Iterable[Row], entries: dict[str, LedgerEntry]) -> Iterator[Allocation]:
    """Credits meet their invoice by date, then id; what exceeds it stays unapplied."""
    left = {entry_id: entry.amount for entry_id, entry in entries.items()}
    for row in sorted(rows, key=lambda row: (row["date"], row["doc_id"])):
        debit, credit = row["applies_to"], entries[row["doc_id"]]
        if debit and (amount := min(left[debit], credit.amount)):
            left[debit] -= amount
            yield Allocation(
                id=f"{credit.id}>{debit}",
                customer_id=credit.customer_id,
                debit_id=debit,
                credit_id=credit.id,
                amount=amount,
                date=credit.date,
            )


def _accounts(rows: Iterable[Row]) -> dict[str, tuple[list[LedgerEntry], list[Allocation]]]:
    by_customer: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_customer[row["customer"]].append(row)
    result = {}
    for customer_id, own in by_customer.items():
        entries = {row["doc_id"]: _entry(row) for row in own}
        result[customer_id] = (list(entries.values()), list(_allocations(own, entries)))
    return result


def _figures(
    entries: list[LedgerEntry], allocations: list[Allocation], day: dt.date
) -> dict[str, list[int]]:
    items = open_items(entries, parts_by_allocation(entries, allocations, day), day)
    closing = balances(entry for entry in entries if entry.date <= day)
    result = {}
    for currency, balance in closing.items():
        aging = age_open_items([i for i in items if i.entry.currency == currency], day)
        amounts = [bucket.amount for bucket in aging.buckets]
        result[currency] = list(map(to_units, [*amounts, aging.unapplied_credits, balance]))
    return result


def test_every_total_equals_a_plain_recomputation(rows: list[Row]) -> None:
    """Per customer, currency and bucket, on fifteen days and more, the figures are the same."""
    accounts, days = _accounts(rows), _days(rows)
    assert len(days) >= 10
    buckets_seen = [0] * 7
    for day in days:
        found = {
            (customer_id, currency): figures
            for customer_id, account in accounts.items()
            for currency, figures in _figures(*account, day).items()
        }
        assert found == _plain(rows, day.isoformat())
        for figures in found.values():
            buckets_seen = [a + bool(b) for a, b in zip(buckets_seen, figures, strict=True)]
    assert all(buckets_seen[:2])


def test_no_bucket_is_left_untried(tmp_path: Path) -> None:
    """The generated rows have something in each bucket, unapplied credits, and debtors."""
    found = _read(_generated(tmp_path / "receivables.csv"))
    figures = _plain(found, "2013-01-31").values()
    assert all(any(row[place] > 0 for row in figures) for place in (0, 1, 2, 3, 4, 6))
    assert any(row[5] < 0 for row in figures)


def test_the_rule_of_settlement_changes_no_balance(rows: list[Row]) -> None:
    """Settled oldest first instead, a customer owes the same and the total is the same."""
    days = _days(rows)
    for entries, _ in _accounts(rows).values():
        for day in days:
            items = open_items(entries, parts_by_fifo(entries, day), day)
            closing = balances(entry for entry in entries if entry.date <= day)
            for currency, balance in closing.items():
                own = [item for item in items if item.entry.currency == currency]
                assert age_open_items(own, day).total == balance


def test_balances_are_what_was_invoiced_less_what_was_credited(rows: list[Row]) -> None:
    """All invoices less all credits, added up in cents from the text, is all balances."""
    signed = [_units(row["amount"]) * (1 if row["kind"] == "invoice" else -1) for row in rows]
    entries = [entry for account in _accounts(rows).values() for entry in account[0]]
    assert sum(signed) == sum(map(to_units, balances(entries).values()))
