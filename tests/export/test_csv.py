"""A statement as CSV: the figures of the page, no formula, as long as it likes."""

from __future__ import annotations

import datetime as dt
import re
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.access.worlds import HostLedger, opened, over
from tests.depth import examples

from basis_portal import (
    AccessDenied,
    Allocation,
    AllocationRule,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    LedgerError,
    PortalAccess,
    SectionHidden,
)
from basis_portal.export import statement_csv
from basis_portal.export.csv_file import defused
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import CUSTOMER_ID, a_payment, an_allocation, an_entry
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers

from .accounts import access_to, of_row, rows_of

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
MARCH = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
INVOICE = an_entry(amount=Decimal("1200.5"), reference="PO-77")
PAYMENT = a_payment(amount=Decimal("1500.00"), due_date=dt.date(2025, 2, 1))  # of a credit: none
APPLIED = an_allocation(amount=Decimal("1200.5"))


def noon(day: dt.date) -> dt.datetime:
    """The middle of a day in UTC."""
    return dt.datetime.combine(day, dt.time(12), dt.UTC)


# --- the file -----------------------------------------------------------------------------


def test_the_activity_as_a_file() -> None:
    """BOM, names of columns, opening, lines, totals, closing, ages, end; CRLF after each row."""
    dollars = an_entry("INV-2", currency="USD", amount=Decimal(900), due_date=None)
    access = access_to([INVOICE, PAYMENT, dollars], [APPLIED], clock=FrozenClock(MARCH))
    content = b"".join(statement_csv(access, dt.date(2025, 1, 20)))
    ages = (
        "EUR,aging,2025-03-01,,current,,,,,0\r\n"
        "EUR,aging,2025-03-01,,overdue_1_30,,,,,0\r\n"
        "EUR,aging,2025-03-01,,overdue_31_60,,,,,0\r\n"
        "EUR,aging,2025-03-01,,overdue_61_90,,,,,0\r\n"
        "EUR,aging,2025-03-01,,overdue_over_90,,,,,0\r\n"
        "EUR,aging,2025-03-01,,unapplied_credits,,,,,-299.50\r\n"
        "EUR,aging,2025-03-01,,total,,,,,-299.50\r\n"
    )
    assert content.decode() == (
        "\ufeffcurrency,row,date,due_date,kind,number,reference,charged,credited,balance\r\n"
        "EUR,opening_balance,2025-01-20,,,,,,,1200.5\r\n"
        "EUR,line,2025-01-25,,payment,PAY-1,,,1500.00,-299.50\r\n"
        "EUR,total,2025-03-01,,,,,0,1500.00,\r\n"
        "EUR,closing_balance,2025-03-01,,,,,,,-299.50\r\n"
        f"{ages}"
        "USD,opening_balance,2025-01-20,,,,,,,900\r\n"
        "USD,total,2025-03-01,,,,,0,0,\r\n"
        "USD,closing_balance,2025-03-01,,,,,,,900\r\n"
        + ages.replace("EUR", "USD")
        .replace("31_60,,,,,0", "31_60,,,,,900")
        .replace("-299.50", "900")
        .replace("unapplied_credits,,,,,900", "unapplied_credits,,,,,0")
        + ",end,,,,,,,,\r\n"
    )


def test_the_open_items_as_a_file() -> None:
    """Each open item with what is open of it and how late it is; credits are negative."""
    late = an_entry("INV-2", amount=Decimal(900), reference="PO-9")
    access = access_to([INVOICE, PAYMENT, late], [APPLIED], clock=FrozenClock(MARCH))
    content = b"".join(statement_csv(access, view="open_items")).decode()
    lines = content.split("\r\n")
    assert lines[:4] == [
        "\ufeffcurrency,row,date,due_date,kind,number,reference,original,open,days_overdue",
        "EUR,open_item,2025-01-15,2025-02-14,invoice,INV-2,PO-9,900,900,15",
        "EUR,open_item,2025-01-25,,payment,PAY-1,,-1500.00,-299.50,",
        "EUR,total,2025-03-01,,,,,,600.50,",
    ]
    assert lines[5] == "EUR,aging,2025-03-01,,overdue_1_30,,,,900,"
    assert lines[-3:] == ["EUR,aging,2025-03-01,,total,,,,600.50,", ",end,,,,,,,,", ""]


def test_a_long_file_begins_once() -> None:
    """However many pieces it has, one byte order mark and one row of names."""
    content = b"".join(statement_csv(access_to(many(2500)))).decode()
    assert content.count("\ufeff") == content.count("currency,row,date") == 1
    assert content.count("\r\n") == 2500 + 2 + 9 + 1
    assert content.count("\n") == content.count("\r\n")


def test_an_account_without_entries_is_a_whole_file() -> None:
    """There are the names of the columns, and the end."""
    rows = rows_of(statement_csv(access_to([])))
    assert [one["row"] for one in rows] == ["end"]


def test_ages_have_the_names_of_their_edges() -> None:
    """A bucket of one day and other edges are named; none can be taken for a date."""
    access = access_to([INVOICE], aging_edges=(1, 45))
    rows = rows_of(statement_csv(access))
    assert [one["kind"] for one in of_row(rows, "EUR", "aging")] == [
        *("current", "overdue_1", "overdue_2_45", "overdue_over_45"),
        *("unapplied_credits", "total"),
    ]


def test_days_may_be_counted_from_the_date() -> None:
    """``age_by`` is that of the statement."""
    access = access_to([INVOICE], clock=FrozenClock(MARCH))
    for age_by, kind in (("due_date", "overdue_1_30"), ("date", "overdue_31_60")):
        ages = of_row(rows_of(statement_csv(access, age_by=age_by)), "EUR", "aging")
        assert [one["kind"] for one in ages if one["balance"] == "1200.5"] == [kind, "total"]


# --- its figures are those of the page ------------------------------------------------------


def check_activity(access: PortalAccess, start: dt.date | None, end: dt.date | None) -> None:
    """Each figure of the file is that of the statement the page shows, and there are no others."""
    rows = rows_of(statement_csv(access, start, end))
    statement = access.statement(start, end)
    expected: list[tuple[str, ...]] = []
    for currency, one in statement.by_currency.items():
        assert one.aging is not None
        expected += [(currency, "opening_balance", "", "", "", str(one.opening_balance))]
        expected += [
            (
                currency,
                "line",
                line.number or "",
                *map(_text, (line.charged, line.credited, line.balance)),
            )
            for line in one.lines
        ]
        expected += [(currency, "total", "", str(one.charged), str(one.credited), "")]
        expected += [(currency, "closing_balance", "", "", "", str(one.closing_balance))]
        amounts = [*(bucket.amount for bucket in one.aging.buckets), one.aging.unapplied_credits]
        expected += [
            (currency, "aging", "", "", "", str(amount)) for amount in (*amounts, one.aging.total)
        ]
    columns = ("currency", "row", "number", "charged", "credited", "balance")
    found = [tuple(_value(row[column]) for column in columns) for row in rows]
    assert found == [tuple(map(_value, row)) for row in [*expected, ("", "end", "", "", "", "")]]


def check_open_items(access: PortalAccess, end: dt.date | None) -> None:
    """The same for the open items."""
    rows = rows_of(statement_csv(access, end=end, view="open_items"))
    for currency, one in access.statement(end=end, view="open_items").by_currency.items():
        found = [Decimal(row["open"]) for row in of_row(rows, currency, "open_item")]
        assert found == [item.signed_amount for item in one.open_items]
        (whole,) = of_row(rows, currency, "total")
        assert Decimal(whole["open"]) == one.closing_balance
        ages = [Decimal(row["open"]) for row in of_row(rows, currency, "aging")]
        assert sum(ages[:-1]) == ages[-1] == one.closing_balance


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else str(amount)


def _value(text: str) -> Any:
    """Amounts compare by value: 0.00 is 0."""
    return Decimal(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


@pytest.mark.parametrize("kept", ["in our storage", "by a bare host", "by a host with FIFO"])
@settings(max_examples=examples(30), deadline=None)
@given(
    ledger=ledgers(),
    day=ledger_days(),
    bounds=st.tuples(st.none() | ledger_days(), st.none() | ledger_days()),
)
def test_the_file_says_what_the_statement_says(
    kept: str, ledger: Ledger, day: dt.date, bounds: tuple[dt.date | None, dt.date | None]
) -> None:
    """Lines, totals and ages of the file and of the statement are the same, whoever keeps them."""
    start, end = bounds
    start = None if start and start > min(end or day, day) else start
    ours = kept == "in our storage"
    host: dict[str, Any] = (
        {} if ours else {"ledger": HostLedger(ledger.entries, ledger.allocations)}
    )
    if "FIFO" in kept:
        host["allocation_rule"] = AllocationRule.FIFO
    account = (ledger.entries, ledger.allocations) if ours else ((), ())
    access = access_to(*account, clock=FrozenClock(noon(day)), **host)
    check_activity(access, start, end)
    check_open_items(access, end)
    whole, head = access.statement(start, end), access.statement(start, end, lines=False)
    bare = {
        name: attrs.evolve(one, lines=(), charged=None, credited=None)
        for name, one in whole.by_currency.items()
    }
    assert head == attrs.evolve(whole, by_currency=bare)
    without = access.statement(start, end, lines=False, aging=False)
    assert all(one.aging is None and not one.open_items for one in without.by_currency.values())


# --- no text is a formula -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+2", "'=1+2"),
        ("+49 30 1234567", "'+49 30 1234567"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\rA", "'\rA"),
        ("\nA", "'\nA"),
        ("  =1", "  '=1"),
        ("\u00a0\u200b\ufeff=1", "\u00a0\u200b\ufeff'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20A", "'\uff20A"),
        ('"=1"', '"\'=1"'),
        ("PO;=cmd|' /C calc'!A0", "PO;'=cmd|' /C calc'!A0"),
        ("PO, -5", "PO, '-5"),
        ("PO\n=1", "PO\n'=1"),
        ("PO-77", "PO-77"),
        ("50 % = half; a+b", "50 % = half; a+b"),
        ("INV/2026/0042 #2", "INV/2026/0042 #2"),
        ("Καφές Αθηνών", "Καφές Αθηνών"),
    ],
)
def test_a_text_that_begins_a_formula_is_defused(text: str, cell: str) -> None:
    """An apostrophe goes before what would begin one, also behind blanks or a separator."""
    assert defused(text) == cell


HOSTILE = st.text(st.sampled_from(f"{FORMULA}\t\r\n,;|'\" \u00a0\ufeffA1") | st.characters())


@given(HOSTILE)
def test_no_cell_begins_a_formula_whatever_the_separator(text: str) -> None:
    """However a program takes the file apart, no cell begins with such a character."""
    found = defused(text)
    for cell in re.split("[,;|\t\r\n]", found):
        assert not cell.lstrip().lstrip('" \u00a0\ufeff').startswith(tuple(FORMULA))
    assert not found.startswith(("\t", "\r", "\n"))
    assert found.replace("'", "") == text.replace("'", "")


def test_texts_of_the_host_are_defused_and_amounts_are_not() -> None:
    """Number and reference are texts; a negative balance stays a number."""
    hostile = attrs.evolve(PAYMENT, number='=HYPERLINK("x")', reference="+1")
    rows = rows_of(statement_csv(access_to([hostile], clock=FrozenClock(MARCH))))
    (line,) = of_row(rows, "EUR", "line")
    assert (line["number"], line["reference"]) == ('\'=HYPERLINK("x")', "'+1")
    assert (line["credited"], line["balance"]) == ("1500.00", "-1500.00")


def test_amounts_are_plain_decimals() -> None:
    """No exponent, no grouping, and as many decimals as the amount has."""
    amounts = ("1E+2", "0.0001", "99999999999999.9999")
    entries = [an_entry(f"I{n}", amount=Decimal(one)) for n, one in enumerate(amounts)]
    rows = rows_of(statement_csv(access_to(entries)))
    found = [one["charged"] for one in of_row(rows, "EUR", "line")]
    assert found == ["100", "0.0001", "99999999999999.9999"]


# --- as a stream ----------------------------------------------------------------------------


def many(lines: int) -> Iterator[LedgerEntry]:
    """Invoices and payments, a line each; of most of them nothing is open."""
    for n in range(lines):
        day = dt.date(2000, 1, 1) + dt.timedelta(n // 12)
        amount = Decimal("119.00") if n % 20 < 2 else Decimal(0)
        make = a_payment if n % 2 else an_entry
        yield make(f"E{n:06}", date=day, amount=amount, due_date=None, document_id=None)


def settled(lines: int) -> Iterator[Allocation]:
    """What settles the rest."""
    for n in range(0, lines, 20):
        yield an_allocation(f"A{n:06}", debit_id=f"E{n:06}", credit_id=f"E{n + 1:06}")


def test_a_revoked_link_ends_the_file_in_the_middle() -> None:
    """The link is checked again for each thousand lines; the file has no end then."""
    storage = InMemoryStorage()
    access = access_to(many(5000), storage=storage)
    pieces = statement_csv(access)
    read = [next(pieces)]
    over(storage).tokens.revoke(CUSTOMER_ID, by="ana")
    with pytest.raises(AccessDenied):
        read.extend(pieces)
    assert b"end" not in b"".join(read)
    assert 400 < len(b"".join(read).splitlines()) <= 1002


def test_an_account_that_changes_meanwhile_makes_no_file() -> None:
    """Lines that do not lead to the closing balance are refused before the totals."""
    storage = InMemoryStorage()
    access = access_to(many(3000), storage=storage)
    pieces = statement_csv(access)
    read = [next(pieces)]
    storage.ledger.save(an_entry("late", date=dt.date(2000, 7, 1)))
    with pytest.raises(LedgerError, match="changed while its statement was read"):
        read.extend(pieces)
    assert b"total" not in b"".join(read)


def test_what_is_refused_is_refused_by_the_call() -> None:
    """A hidden statement and a period that is none make no first piece."""
    with pytest.raises(SectionHidden):
        statement_csv(opened(over(_with_customer()), CUSTOMER_ID, show_statement=False))
    with pytest.raises(InvalidValue, match="start"):
        statement_csv(access_to([]), dt.date(2025, 1, 2), dt.date(2025, 1, 1))


def test_a_contradiction_is_refused_by_the_call() -> None:
    """No first piece of a wrong statement leaves the house."""
    too_much = an_allocation(amount=Decimal(2000))
    host = HostLedger([INVOICE, PAYMENT], [too_much])
    with pytest.raises(LedgerError):
        statement_csv(access_to([], ledger=host, clock=FrozenClock(MARCH)))


def _with_customer() -> InMemoryStorage:
    storage = InMemoryStorage()
    access_to([], storage=storage)
    return storage


@pytest.mark.deep
def test_a_hundred_thousand_lines_take_no_more_memory_than_some(tmp_path: Path) -> None:
    """The peak over all the file is that of its first tenth."""
    storage = SQLiteStorage(tmp_path / "portal.db")
    access = access_to(many(100_000), settled(100_000), storage=storage)
    pieces = statement_csv(access)
    tracemalloc.start()
    try:
        lines = _count(pieces, 10_000)
        _, first = tracemalloc.get_traced_memory()
        lines += _count(pieces, 10**9)
        _, whole = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        storage.close()
    assert lines == 100_000 + 2 + 9 + 1  # names and opening; totals, closing, ages; the end
    assert whole < 1.2 * first


def _count(pieces: Iterator[bytes], enough: int) -> int:
    lines = 0
    for piece in pieces:
        lines += piece.count(b"\r\n")
        if lines >= enough:
            break
    return lines


def test_kinds_are_named_as_the_values_are() -> None:
    """The column ``kind`` holds the names of `EntryKind`, in every language."""
    entries = [an_entry(kind.value, kind=kind, due_date=None) for kind in EntryKind]
    rows = rows_of(statement_csv(access_to(entries)))
    assert {one["kind"] for one in of_row(rows, "EUR", "line")} == {one.value for one in EntryKind}
