"""The demo with the user's own receivables: what is read, what is refused, what is shown first."""

from __future__ import annotations

import csv
import datetime as dt
import importlib.util
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from basis_portal import DocumentKind, InvalidValue
from basis_portal.cli import main
from basis_portal.demo.receivables import Receivables, Standing, make_portal, read_receivables
from basis_portal.demo.tour import tour
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock

REAL = Path(__file__).parents[3] / "shared" / "data" / "receivables.csv"
EXAMPLE = Path(__file__).parents[2] / "examples" / "receivables.py"
HEADER = "kind,doc_id,customer,currency,date,due_date,amount,applies_to"
GOOD = (
    "invoice,I1,Ada,EUR,2025-01-01,2025-01-31,100.00,",
    "payment,P1,Ada,EUR,2025-01-20,2025-01-20,60.00,I1",
    "credit_note,N1,Ada,EUR,2025-01-21,,5,",
    "invoice,I2,Bob,USD,2025-01-05,2025-01-10,70,",
    "payment,P2,Bob,USD,2025-02-03,,70,I2",
)
needs_real = pytest.mark.skipif(
    not REAL.exists(), reason="the real receivables are not part of the project"
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file with these lines below the header."""

    def written(*lines: str) -> Path:
        path = tmp_path / "receivables.csv"
        path.write_text("\n".join([HEADER, *lines]), encoding="utf-8", newline="")
        return path

    return written


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """``examples/receivables.py``, which says what the form of a file is."""
    found = importlib.util.spec_from_file_location("example_receivables", EXAMPLE)
    assert found is not None
    assert found.loader is not None
    module = sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _clock(day: str) -> FrozenClock:
    return FrozenClock(dt.datetime.fromisoformat(f"{day}T09:12:00+00:00"))


def _standing(path: Path, day: str) -> Standing:
    return Standing.of(read_receivables(path), dt.date.fromisoformat(day))


def _lines(path: Path, day: str, *, today: bool = False) -> list[str]:
    return list(_standing(path, day).lines(today=today))


# --- what is read -----------------------------------------------------------------------------


def test_what_was_read_is_counted(write: Write) -> None:
    """Rows, customers and each kind; credit notes only where there are some, one is singular."""
    assert read_receivables(write(*GOOD)).counts() == (
        "5 rows: 2 customers, 2 invoices, 2 payments, 1 credit note."
    )
    assert read_receivables(write(GOOD[0])).counts() == (
        "1 row: 1 customer, 1 invoice, 0 payments."
    )


@needs_real
def test_the_real_file_is_counted() -> None:
    """Of thousands of rows the counts have separators."""
    assert read_receivables(REAL).counts() == (
        "4,932 rows: 100 customers, 2,466 invoices, 2,466 payments."
    )


@needs_real
@pytest.mark.parametrize("day", ["2012-06-30", "2013-06-30", "2014-01-01"])
def test_what_is_open_equals_a_plain_recomputation(day: str) -> None:
    """Open and overdue of the real file are what an independent look at its rows gives."""
    with REAL.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    paid = {row["applies_to"] for row in rows if row["kind"] == "payment" and row["date"] <= day}
    unpaid = [
        row
        for row in rows
        if row["kind"] == "invoice" and row["date"] <= day and row["doc_id"] not in paid
    ]
    late = sum(Decimal(row["amount"]) for row in unpaid if row["due_date"] < day)
    whole = sum(Decimal(row["amount"]) for row in unpaid)
    assert f": USD {whole:,.2f}, of which USD {late:,.2f} overdue." in _lines(REAL, day)[1]
    assert late


def test_customers_see_what_was_summed_up(write: Write) -> None:
    """Of each customer the sums of the file are those of the portal that is made of it."""
    path = write(*_invented())
    for day in ("2012-03-01", "2012-09-15", "2013-05-01"):
        standing = _standing(path, day)
        portal = make_portal(
            InMemoryStorage(), standing.receivables, _clock(day), base_url="https://a.example"
        )
        for customer, expected in standing.summaries.items():
            found = portal.preview(customer).summary().by_currency
            for currency, one in found.items():
                known = expected.by_currency.get(currency)
                sums = (one.open, one.overdue, one.unapplied_credits)
                zero = (0, 0, 0)
                assert sums == (
                    (known.open, known.overdue, known.unapplied_credits) if known else zero
                )
            assert found.keys() >= expected.by_currency.keys()


def test_the_file_of_the_reference_is_read(write: Write) -> None:
    """What the reference shows as a file is one; the payment settles part of the invoice."""
    page = (EXAMPLE.parents[1] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    header, *lines = re.findall(r"^(?:kind|invoice|payment|credit_note),.*$", page, re.M)
    assert header == HEADER
    assert _lines(write(*lines), "2025-04-14")[1:] == [
        "Open on 14 Apr 2025: EUR 1,400.00, of which EUR 1,400.00 overdue."
    ]


def test_a_file_is_read_as_the_example_reads_it(example: ModuleType, write: Write) -> None:
    """Documents, entries and allocations are those that the example makes of the same file."""
    path = write(*_invented())
    theirs, ours = example.read_rows(path), read_receivables(path)
    kinds = example.EntryKind
    assert ours.documents == [
        example._document(row) for row in theirs if row.kind is not kinds.PAYMENT
    ]
    assert ours.allocations == list(example.allocations(theirs))
    payments = [example._payment(row) for row in theirs if row.kind is kinds.PAYMENT]
    assert ours.entries[len(ours.documents) :] == payments


def _invented() -> list[str]:
    """Rows with currencies, fractions, part, over and advance payments, and no order."""
    chance, lines, day = random.Random(11), [], dt.date(2012, 1, 1)
    for number in range(200):
        customer, currency = f"Ä-{number % 9:02}", ("USD", "EUR", "JPY")[number % 5 % 3]
        date = day + dt.timedelta(chance.randrange(500))
        due = chance.choice(["", f"{date + dt.timedelta(chance.randrange(-5, 60))}"])
        cents = chance.randrange(1, 900_000)
        lines.append(_line("invoice", f"I{number}", customer, currency, date, due, cents, ""))
        for part, share in enumerate(chance.choice([[], [100], [40, 40], [70, 70], [130]])):
            paid = date + dt.timedelta(chance.randrange(-20, 150))
            kind = chance.choice(["payment", "credit_note"])
            to = chance.choice([f"I{number}", f"I{number}", ""])
            name, amount = f"C{number}.{part}", cents * share // 100 + 1
            lines.append(_line(kind, name, customer, currency, paid, "never", amount, to))
    chance.shuffle(lines)
    return lines


def _line(
    kind: str, name: str, customer: str, currency: str, date: object, due: str, cents: int, to: str
) -> str:
    amount = f"{cents // 100}.{cents % 100:02}"
    return f"{kind},{name},{customer},{currency},{date},{due},{amount},{to}"


# --- what is refused --------------------------------------------------------------------------

BAD_ROWS = [
    ("Invoice,X,A,EUR,2025-01-01,,1,", "kind", "must be one of invoice, payment, credit_note"),
    ("invoice,,A,EUR,2025-01-01,,1,", "doc_id", "must have 1 to 255 characters, not 0"),
    ("invoice,I1,A,EUR,2025-01-01,,1,", "doc_id", "'I1' stands on line 2 too"),
    ("invoice,X,,EUR,2025-01-01,,1,", "customer", "must have 1 to 255 characters, not 0"),
    ("invoice,X,A\0B,EUR,2025-01-01,,1,", "customer", "not allowed: U+0000 (position 2)"),
    ("invoice,X,A,eur,2025-01-01,,1,", "currency", "three capital letters, not 'eur'"),
    ("invoice,X,A,EUR,2025-02-30,,1,", "date", "YYYY-MM-DD, not '2025-02-30'"),
    ("invoice,X,A,EUR,20250101,,1,", "date", "YYYY-MM-DD, not '20250101'"),
    ("invoice,X,A,EUR,2025-01-01,soon,1,", "due_date", "YYYY-MM-DD, not 'soon'"),
    (
        "payment,X,A,EUR,2025-01-01,,0,",
        "amount",
        "must be above zero: the kind says what it does, not '0'",
    ),
    (
        "payment,X,A,EUR,2025-01-01,,-1,",
        "amount",
        "must be above zero: the kind says what it does, not '-1'",
    ),
    ('payment,X,A,EUR,2025-01-01,,"1,5",', "amount", "such as 50.39, not '1,5'"),
    ("payment,X,A,EUR,2025-01-01,,NaN,", "amount", "such as 50.39, not 'NaN'"),
    ("payment,X,A,EUR,2025-01-01,,1e3,", "amount", "such as 50.39, not '1e3'"),
    ("payment,X,A,EUR,2025-01-01,,100000000000000,", "amount", "must be below 10^14"),
    ("payment,X,A,EUR,2025-01-01,,1.00001,", "amount", "at most 4 decimals"),
    ("payment,X,Ada,EUR,2025-01-01,,1,I9", "applies_to", "'I9' is no invoice of 'Ada' in 'EUR'"),
    ("payment,X,Bob,EUR,2025-01-01,,1,I1", "applies_to", "'I1' is no invoice of 'Bob' in 'EUR'"),
    ("payment,X,Ada,USD,2025-01-01,,1,I1", "applies_to", "'I1' is no invoice of 'Ada' in 'USD'"),
    ("payment,X,Ada,EUR,2025-01-01,,1,P1", "applies_to", "'P1' is no invoice"),
    ("invoice,X,Ada,EUR,2025-01-01,,1,I1", "applies_to", "must be empty for an invoice"),
    ("invoice,X,A,EUR,2025-01-01,,1", "applies_to", "the row has 7 columns, not 8"),
    ("invoice", "doc_id", "the row has 1 column, not 8"),
    ("invoice,X,A,EUR,2025-01-01,,1,,", "9", "the row has 9 columns, not 8"),
]


@pytest.mark.parametrize(("line", "column", "rule"), BAD_ROWS)
def test_a_bad_row_is_named_and_nothing_is_imported(
    example: ModuleType,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    column: str,
    rule: str,
) -> None:
    """Line, column and rule on one line, status 2, no output, no folder; so says the example."""
    path = write(*GOOD, "", line, "invoice,Z,A,EUR,2025-01-01,,1,")
    monkeypatch.setattr(tempfile, "tempdir", str(path.parent / "absent"))
    assert main(["demo", "--no-serve", "--data", str(path)]) == 2
    printed = capsys.readouterr()
    problem, result = printed.err.splitlines()
    assert problem.startswith(f"basis-portal: {path}: line 8, column {column}: ")
    assert rule in problem
    assert f": {column} " not in problem
    assert result == f"{path}: nothing was imported, 1 cell to correct"
    assert printed.out == ""
    with pytest.raises(example.BadInput) as refused:
        example.read_rows(path)
    assert refused.value.args[0].startswith(f"{path}: line 8, column {column}: ")


def test_the_good_rows_are_taken(write: Write) -> None:
    """Without a bad row among them the same rows are read."""
    rows = read_receivables(write(*GOOD, "", "invoice,Z,A,EUR,2025-01-01,,1,")).rows
    assert [row.doc_id for row in rows] == ["I1", "P1", "N1", "I2", "P2", "Z"]


def test_all_bad_cells_are_counted_and_twenty_are_named(write: Write) -> None:
    """In the order of the lines; two bad cells of a row are two."""
    bad = [f"invoice,B{number},A,EUR,today,,nothing," for number in range(15)]
    with pytest.raises(InvalidValue) as refused:
        read_receivables(write(*GOOD, *bad))
    lines = str(refused.value).splitlines()
    assert len(lines) == 22
    found = [re.findall(r"line (\d+), column (\w+)", line) for line in lines[:20]]
    expected = [[(str(7 + n // 2), ("date", "amount")[n % 2])] for n in range(20)]
    assert found == expected
    assert lines[20].endswith(": and 10 more")
    assert lines[21].endswith(": nothing was imported, 30 cells to correct")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1 must be kind,doc_id"),
        (HEADER.encode(), "there is no row below the header"),
        (f"{HEADER}\n\n\n".encode(), "there is no row below the header"),
        (HEADER.replace(",", ";").encode(), "line 1 must be kind,doc_id"),
        (f"{HEADER}\ninvoice,I1,M".encode() + b"\xfcller\n", "line 2 is not UTF-8"),
        (HEADER.encode("utf-16"), "line 1 is not UTF-8"),
        (f'{HEADER}\n"invoice'.encode(), "line 2: unexpected end of data"),
        (f"{HEADER}\n{'x' * 200_000}".encode(), "field larger than field limit"),
    ],
)
def test_a_file_of_another_form_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, reason: str
) -> None:
    """A wrong header, no rows, another encoding, a broken quotation: one line, status 2."""
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    assert main(["demo", "--no-serve", "--data", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"basis-portal: {path}: ")
    assert printed.err.count("\n") == 1
    assert reason in printed.err
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([HEADER, *GOOD]).encode())
    assert len(read_receivables(path).rows) == len(GOOD)


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_missing_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A file that is not there, or is none, is named in one line, and the status is 2."""
    assert main(["demo", "--no-serve", "--data", str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"basis-portal: {tmp_path / name}: cannot be read: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("file", ["", "postgresql://ana:secret@db.example/erp"])
def test_what_is_no_name_of_a_file_is_not_repeated(
    capsys: pytest.CaptureFixture[str], file: str
) -> None:
    """A DSN may hold a password, so it is refused without being printed."""
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--data", file])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "--data: must name a file" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "day", ["2025-02-30", "31.12.2025", "today", "20250101", "", "1899-12-31", "9999-01-01"]
)
def test_a_day_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], day: str) -> None:
    """``--as-of`` takes a day as YYYY-MM-DD that leaves room for years before and days after."""
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--no-serve", "--as-of", day])
    assert ended.value.code == 2
    assert "argument --as-of: " in capsys.readouterr().err


# --- how it stands ----------------------------------------------------------------------------


def test_what_is_open_is_said_by_currency(write: Write) -> None:
    """One line for each currency in which something is open, A to Z."""
    path = write(*GOOD)
    assert _lines(path, "2025-01-31", today=True)[1:] == [
        "Open today: EUR 40.00, of which EUR 0.00 overdue.",
        "Open today: USD 70.00, of which USD 70.00 overdue.",
    ]
    assert _lines(path, "2025-02-03")[1:] == [
        "Open on 3 Feb 2025: EUR 40.00, of which EUR 40.00 overdue."
    ]


def test_where_nothing_is_open_a_day_is_proposed(write: Write) -> None:
    """Settled by now, or not yet begun: both name a day of the file on which something is late."""
    path = write(*GOOD[3:])
    assert _lines(path, "2025-02-03", today=True)[1:] == [
        "Everything in this file is settled today. Try --as-of 2025-01-10."
    ]
    path = write(
        *GOOD[3:], "invoice,I3,Bob,USD,2025-01-20,,1,", "payment,P3,Bob,USD,2025-01-20,,1,I3"
    )
    expected = "Try --as-of 2025-01-20."
    assert _lines(path, "2026-01-01")[1:] == [
        f"Everything in this file is settled on 1 Jan 2026. {expected}"
    ]
    assert _lines(path, "2024-12-31")[1:] == [
        f"Nothing in this file is dated 31 Dec 2024 or earlier. {expected}"
    ]
    assert _lines(write("payment,P,Ada,EUR,2025-01-01,,9,"), "2025-01-01", today=True)[1:] == [
        "Everything in this file is settled today."
    ]


@pytest.mark.parametrize(
    ("lines", "day"),
    [
        (["01-05,01-10,01-11", "01-20,02-20,01-25"], "2025-01-20"),  # paid on the day after due
        (["01-05,01-10,01-12", "01-11,02-20,01-25"], "2025-01-11"),
        (["01-01,01-10,01-20"] * 4 + ["01-15,02-10,03-01", "02-15,,02-16"], "2025-01-15"),
        (["01-01,01-10,01-20"] * 2 + ["01-15,02-10,03-01", "02-15,,02-16"], "2025-02-16"),
    ],
)
def test_the_proposed_day_is_a_late_one_with_much_to_see(
    write: Write, lines: list[str], day: str
) -> None:
    """The latest with half as many invoices overdue as ever; if never, with as many open."""
    rows = []
    for number, line in enumerate(lines):
        date, due, paid = (f"2025-{text}" if text else "" for text in line.split(","))
        rows.append(f"invoice,I{number},Ada,EUR,{date},{due},9,")
        rows.append(f"payment,P{number},Ada,EUR,{paid},,9,I{number}")
    assert str(read_receivables(write(*rows)).telling_day()) == day


def test_on_the_proposed_day_something_is_overdue(write: Write) -> None:
    """Whatever the file: the day is one of its own, and there is something late to see."""
    lines = _invented()
    for some in (lines, lines[:40], lines[40:60], lines[100:]):
        file = read_receivables(write(*_alone(some)))
        day = file.telling_day()
        assert day in {found for row in file.rows for found in (row.date, row.due_date)}
        assert " 0.00 overdue" not in list(Standing.of(file, day).lines(today=False))[1]


def _alone(lines: Sequence[str]) -> list[str]:
    """These rows, without those that settle an invoice that is not among them."""
    names = {line.split(",")[1] for line in lines}
    return [line for line in lines if line.rsplit(",", 1)[1] in {"", *names}]


@pytest.mark.parametrize(
    ("day", "customer", "why"),
    [
        ("2025-01-05", "Ada", "most open: EUR 100.00"),
        ("2025-01-10", "Ada", "most open: EUR 100.00"),
        ("2025-01-11", "Bob", "most overdue: USD 70.00"),
        ("2025-02-04", "Ada", "most overdue: EUR 40.00"),
        ("2024-01-01", "Ada", "nothing open, 3 rows"),
    ],
)
def test_the_page_shown_is_of_who_owes_most(
    write: Write, day: str, customer: str, why: str
) -> None:
    """Most overdue, else most open, else most rows."""
    credit = "payment,P3,Cem,EUR,2024-01-01,,9,"
    assert _standing(write(*GOOD, credit), day).first() == (customer, why)


# --- what is shown ----------------------------------------------------------------------------


def _tour(path: Path, day: str, *, today: bool) -> str:
    file = read_receivables(path)
    lines = list(tour(InMemoryStorage(), _clock(day), file=file, today=today))
    assert [line for line in lines if len(line) > 80 and "https://" not in line] == []
    return "\n".join(lines)


def test_the_page_of_who_owes_most_is_printed(write: Write) -> None:
    """Counts, the link on a line of its own, then that customer's page with the late invoice."""
    text = _tour(write(*GOOD), "2025-01-15", today=True)
    parts = [
        "receivables.csv. Nothing leaves this machine.\n5 rows: 2 customers",
        "Open today: EUR 100.00, of which EUR 0.00 overdue.\n",
        "The link of Bob (most overdue: USD 70.00)",
        "Customer portal for Bob",
        "\nUSD 70.00 overdue\n---",
        "Invoice I2: 5 days overdue",
        "USD: balance on 15 Jan 2025: USD 70.00 to pay",
        "examples/receivables.py",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert re.search(r"\n  https://\S+/[\w-]{22}\.[\w-]{43}\n", text)


def test_later_documents_are_left_out_where_a_day_was_asked_for(write: Write) -> None:
    """Nobody had them on that day; without ``--as-of`` what is dated ahead stays."""
    path = write(*GOOD, "invoice,LATER-7,Bob,USD,2025-03-01,,5,")
    assert "LATER-7" not in _tour(path, "2025-01-15", today=False)
    assert "Not yet on the account" in _tour(path, "2025-01-15", today=True)


def test_each_customer_has_a_link(write: Write) -> None:
    """Staff can copy the link of every customer of the file, also of who has nothing yet."""
    storage, clock = InMemoryStorage(), _clock("2025-01-02")
    file = read_receivables(write(*GOOD))
    portal = make_portal(storage, file, clock, base_url="https://a.example", today=False)
    for customer, invoices in (("Ada", ["I1"]), ("Bob", [])):
        access = portal.open(portal.tokens.link(customer).rsplit("/", 1)[1])
        found = access.documents(DocumentKind.SALES_INVOICE)
        assert [one.id for one in found] == invoices


def test_the_command_shows_the_day_that_was_asked_for(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--as-of`` sets the one clock: headline, statement, and the expiry of the link."""
    path = write(*GOOD)
    assert main(["demo", "--no-serve", "--data", str(path), "--as-of", "2025-01-15"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "Open on 15 Jan 2025: USD 70.00, of which USD 70.00 overdue." in printed.out
    assert "USD: balance on 15 Jan 2025" in printed.out
    assert "until Fri 14 Feb 2025, 09:12 (UTC)." in " ".join(printed.out.split())
    assert printed.out.endswith("\nEnded. Temporary data removed.\n")


def test_the_invented_seller_of_another_day(capsys: pytest.CaptureFixture[str]) -> None:
    """``--as-of`` works without ``--data`` as well; all figures stay, all dates move."""
    assert main(["demo", "--no-serve", "--as-of", "2026-04-14"]) == 0
    text = capsys.readouterr().out
    assert "Oldest: INV-1042, due 2 Apr 2026, 12 days overdue." in text


def test_names_of_the_user_take_one_line(tmp_path: Path) -> None:
    """A long name of a file or customer is cut, and what cannot be printed is not."""
    path = tmp_path / f"{'long' * 20}.csv"
    name = "x\x1b[31m" + "y" * 200
    path.write_text(f"{HEADER}\ninvoice,I,{name},EUR,2025-01-01,,1,", encoding="utf-8")
    clock = _clock("2025-01-15")
    lines: Iterable[str] = tour(InMemoryStorage(), clock, file=read_receivables(path))
    first = [line for _, line in zip(range(5), lines, strict=False)]
    assert max(map(len, first)) <= 80
    assert "x?[31m" in first[4]
    assert "\x1b" not in "".join(first)


def test_a_file_of_many_rows_is_read_whole(write: Write) -> None:
    """Nothing of a bigger file is lost on the way into the storage."""
    file: Receivables = read_receivables(write(*_invented()))
    storage = InMemoryStorage()
    make_portal(storage, file, _clock("2014-01-01"), base_url="https://a.example")
    entries = [one for name in file.customers for one in storage.ledger.entries(name)]
    allocations = [one for name in file.customers for one in storage.ledger.allocations(name)]
    assert {one.id for one in entries} == {row.doc_id for row in file.rows}
    assert len(allocations) == len(file.allocations)
