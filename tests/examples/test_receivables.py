"""The balances of a receivables file are those of an independent plain recomputation."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import pytest

REAL = Path(__file__).parents[3] / "shared" / "data" / "receivables.csv"
HEADER = "kind,doc_id,customer,currency,date,due_date,amount,applies_to"
BUCKETS = ("current", "1-30", "31-60", "61-90", "over_90")
DAYS = (
    "2011-12-31",
    "2012-01-03",
    "2012-02-02",
    "2012-02-29",
    "2012-06-30",
    "2012-12-31",
    "2013-01-01",
    "2013-03-31",
    "2013-06-30",
    "2013-09-15",
    "2013-12-31",
    "2014-01-09",
)

Row = dict[str, str]
Balances = list[dict[str, str]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Imported = Callable[..., Balances]


@pytest.fixture
def imported(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Imported:
    """The list that ``--json`` prints for a file, or for lines below the header."""

    def run(content: Path | Iterable[str], as_of: str) -> Balances:
        path = content if isinstance(content, Path) else _write(tmp_path, content)
        status = receivables.main([str(path), "--json", "--as-of", as_of])
        printed = capsys.readouterr()
        assert (status, printed.err) == (0, "")
        found: Balances = json.loads(printed.out)
        return found

    return run


def _write(folder: Path, lines: Iterable[str]) -> Path:
    path = folder / "receivables.csv"
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8", newline="")
    return path


# --- the plain recomputation: whole numbers, nothing of the library -------------------------


def recompute(rows: Iterable[Row], as_of: str) -> Balances:
    """What ``--json`` must print, found by looking at every row in the plainest way."""
    accounts: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["date"] <= as_of:
            accounts[row["customer"], row["currency"]].append(row)
    return [_account(*names, accounts[names], as_of) for names in sorted(accounts)]


def _account(customer: str, currency: str, rows: list[Row], as_of: str) -> dict[str, str]:
    buckets, unapplied = dict.fromkeys(BUCKETS, 0), 0
    left = {row["doc_id"]: _units(row) for row in rows if row["kind"] == "invoice"}
    closing = sum(left.values())
    for row in sorted(rows, key=lambda row: (row["date"], row["doc_id"])):
        if row["kind"] != "invoice":
            amount = _units(row)
            used = min(amount, left.get(row["applies_to"], 0))
            if used:
                left[row["applies_to"]] -= used
            unapplied -= amount - used
            closing -= amount
    for row in rows:
        if row["kind"] == "invoice":
            buckets[_bucket(row, as_of)] += left[row["doc_id"]]
    assert sum(buckets.values()) + unapplied == closing
    figures = {"closing_balance": closing, **buckets, "unapplied_credits": unapplied}
    texts = {name: _text(units) for name, units in figures.items()}
    return {"customer": customer, "currency": currency, **texts}


def _bucket(row: Row, as_of: str) -> str:
    due = dt.date.fromisoformat(row["due_date"] or row["date"])
    days = (dt.date.fromisoformat(as_of) - due).days
    if days <= 0:
        return "current"
    return BUCKETS[1 + (days > 30) + (days > 60) + (days > 90)]


def _units(row: Row) -> int:
    whole, _, part = row["amount"].partition(".")
    return int(whole) * 10_000 + int(f"{part:0<4}"[:4])


def _text(units: int) -> str:
    sign, units = ("-", -units) if units < 0 else ("", units)
    text = f"{sign}{units // 10_000}.{units % 10_000:04}"
    return text[:-2] if text.endswith("00") else text[:-1] if text.endswith("0") else text


def invented_rows() -> list[Row]:
    """Rows with what the real file lacks: currencies, fractions, part, over, advance payments."""
    chance, rows, day = random.Random(7), [], dt.date(2012, 1, 1)
    for number in range(250):
        customer, currency = f"Ä-{number % 12:02}", ("USD", "EUR", "JPY")[number % 5 % 3]
        date = day + dt.timedelta(chance.randrange(600))
        due = chance.choice(["", f"{date + dt.timedelta(chance.randrange(-10, 60))}"])
        units = chance.randrange(1, 9_000_000)
        name = f"I{chance.randrange(10**9)}"
        rows.append(_row("invoice", name, customer, currency, date, due, units, ""))
        for share in chance.choice([[], [100], [40, 40], [70, 70], [130]]):
            paid = date + dt.timedelta(chance.randrange(-20, 150))
            kind, target = (
                chance.choice(["payment", "credit_note"]),
                chance.choice([name, name, ""]),
            )
            credit, part = f"C{chance.randrange(10**9)}", units * share // 100 + 1
            rows.append(_row(kind, credit, customer, currency, paid, "never", part, target))
    chance.shuffle(rows)
    return rows


def _row(
    kind: str, name: str, customer: str, currency: str, date: object, due: str, units: int, to: str
) -> Row:
    cells = (kind, name, customer, currency, str(date), due, _text(units), to)
    return dict(zip(HEADER.split(","), cells, strict=True))


# --- the balances ---------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.skipif(not REAL.exists(), reason="the real receivables are not part of the project")
@pytest.mark.parametrize("as_of", DAYS)
def test_real_receivables_equal_a_plain_recomputation(imported: Imported, as_of: str) -> None:
    """Of the real file each balance and each bucket is that of the recomputation."""
    with REAL.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = imported(REAL, as_of)
    assert found == recompute(rows, as_of)
    assert (found == []) == (as_of < "2012-01-03")


@pytest.mark.parametrize("as_of", DAYS)
def test_invented_receivables_equal_a_plain_recomputation(imported: Imported, as_of: str) -> None:
    """So is each of an invented file, with all that the real one lacks."""
    rows = invented_rows()
    assert imported([",".join(row.values()) for row in rows], as_of) == recompute(rows, as_of)


def test_the_order_of_rows_says_nothing(imported: Imported) -> None:
    """The same rows in any order give the same balances."""
    lines = [",".join(row.values()) for row in invented_rows()]
    assert imported(lines, "2013-01-15") == imported(sorted(lines), "2013-01-15")
    assert imported(lines, "2013-01-15") == imported(sorted(lines, reverse=True), "2013-01-15")


def test_each_figure_has_its_place(imported: Imported) -> None:
    """One invoice in each bucket and one credit: the keys, their order, amounts as texts."""
    lines = [
        "invoice,I0,A,EUR,2025-05-01,2025-06-30,10,",
        "invoice,I1,A,EUR,2025-05-01,2025-06-29,20.5,",
        "invoice,I30,A,EUR,2025-05-01,2025-05-31,0.01,",
        "invoice,I31,A,EUR,2025-05-01,2025-05-30,30.1234,",
        "invoice,I60,A,EUR,2025-05-01,2025-05-01,1,",
        "invoice,I61,A,EUR,2025-04-01,2025-04-30,2000,",
        "invoice,I90,A,EUR,2025-04-01,,4,",
        "invoice,I91,A,EUR,2025-03-31,,5,",
        "payment,P,A,EUR,2025-06-30,,12.50,",
    ]
    assert imported(lines, "2025-06-30") == [
        {
            "customer": "A",
            "currency": "EUR",
            "closing_balance": "2058.1334",
            "current": "10.00",
            "1-30": "20.51",
            "31-60": "31.1234",
            "61-90": "2004.00",
            "over_90": "5.00",
            "unapplied_credits": "-12.50",
        }
    ]
    assert list(imported(lines, "2025-06-30")[0]) == [
        "customer",
        "currency",
        "closing_balance",
        *BUCKETS,
        "unapplied_credits",
    ]


def test_a_customer_is_there_from_its_first_entry_on(imported: Imported) -> None:
    """Settled accounts stay as rows of zeros; before its first entry a customer has no row."""
    lines = [
        "invoice,I1,b,USD,2025-01-10,,100,",
        "payment,P1,b,USD,2025-01-20,,100,I1",
        "invoice,I2,b,EUR,2025-01-15,,7,",
        "payment,P2,B,EUR,2025-01-12,,5,",
    ]
    accounts = [(one["customer"], one["currency"]) for one in imported(lines, "2025-01-31")]
    assert accounts == [("B", "EUR"), ("b", "EUR"), ("b", "USD")]
    assert imported(lines, "2025-01-31")[2]["closing_balance"] == "0.00"
    assert [one["customer"] for one in imported(lines, "2025-01-12")] == ["B", "b"]
    assert imported(lines, "2025-01-09") == []


def test_an_overpayment_stays_unapplied(imported: Imported) -> None:
    """What exceeds the invoice's open amount stays unapplied, and meets no other invoice."""
    lines = [
        "invoice,I1,A,EUR,2025-01-01,,100,",
        "invoice,I2,A,EUR,2025-01-01,,50,",
        "payment,P1,A,EUR,2025-01-05,,130,I1",
    ]
    (found,) = imported(lines, "2025-01-05")
    assert (found["1-30"], found["unapplied_credits"]) == ("50.00", "-30.00")
    assert found["closing_balance"] == "20.00"


def test_a_credit_waits_for_its_invoice(imported: Imported) -> None:
    """A payment dated before its invoice is unapplied until the day of the invoice."""
    lines = ["payment,P1,A,EUR,2025-01-05,,40,I1", "invoice,I1,A,EUR,2025-01-10,,100,"]
    (before,), (after,) = imported(lines, "2025-01-09"), imported(lines, "2025-01-10")
    assert (before["current"], before["unapplied_credits"]) == ("0.00", "-40.00")
    assert (after["current"], after["unapplied_credits"]) == ("60.00", "0.00")


def test_credits_meet_their_invoice_by_date_then_by_doc_id(receivables: ModuleType) -> None:
    """Of several credits the earlier one comes first, of one day the lower doc_id."""
    day = dt.date(2025, 1, 10)
    invoice, payment = receivables.KINDS["invoice"], receivables.KINDS["payment"]
    make = receivables.Row
    rows = [
        make(2, payment, "P9", "A", "EUR", day, None, 40, "I1"),
        make(3, payment, "P3", "A", "EUR", day, None, 40, "I1"),
        make(4, payment, "P5", "A", "EUR", day - dt.timedelta(1), None, 40, "I1"),
        make(5, invoice, "I1", "A", "EUR", day, None, 100, ""),
    ]
    found = [(one.credit_id, one.amount) for one in receivables.allocations(rows)]
    assert found == [("P5", 40), ("P3", 40), ("P9", 20)]


# --- bad input ------------------------------------------------------------------------------

GOOD = (
    "invoice,I1,A,EUR,2025-01-01,2025-01-31,100.00,",
    "payment,P1,A,EUR,2025-01-20,2025-01-20,60.00,I1",
    "credit_note,N1,A,EUR,2025-01-21,,5,",
)

BAD_ROWS = [
    ("refund,X,A,EUR,2025-01-01,,1,", "kind", "must be one of invoice, payment, credit_note"),
    (",X,A,EUR,2025-01-01,,1,", "kind", "not ''"),
    ("Invoice,X,A,EUR,2025-01-01,,1,", "kind", "not 'Invoice'"),
    ("invoice,P1,A,EUR,2025-01-01,,1,", "doc_id", "'P1' stands on line 3 already"),
    ("payment,I1,B,USD,2025-01-01,,1,", "doc_id", "'I1' stands on line 2 already"),
    ("invoice,,A,EUR,2025-01-01,,1,", "doc_id", "must have 1 to 255 characters, not 0"),
    (f"invoice,{'x' * 256},A,EUR,2025-01-01,,1,", "doc_id", "not 256"),
    ("invoice,X,,EUR,2025-01-01,,1,", "customer", "must have 1 to 255 characters, not 0"),
    ("invoice,X,A\0,EUR,2025-01-01,,1,", "customer", "U+0000"),
    ("invoice,X,A,eur,2025-01-01,,1,", "currency", "three capital letters, not 'eur'"),
    ("invoice,X,A,EUR,01.02.2025,,1,", "date", "must be a date as YYYY-MM-DD, not '01.02.2025'"),
    ("invoice,X,A,EUR,2025-02-30,,1,", "date", "not '2025-02-30'"),
    ("invoice,X,A,EUR,20250130,,1,", "date", "not '20250130'"),
    ("invoice,X,A,EUR,,,1,", "date", "not ''"),
    ("invoice,X,A,EUR,2025-01-01,soon,1,", "due_date", "not 'soon'"),
    ("invoice,X,A,EUR,2025-01-01,,0,", "amount", "must be above 0 and below 10^14, not '0'"),
    ("invoice,X,A,EUR,2025-01-01,,0.0000,", "amount", "must be above 0"),
    ("invoice,X,A,EUR,2025-01-01,,-5,", "amount", "must be above 0 and below 10^14, not '-5'"),
    ("payment,X,A,EUR,2025-01-01,,1.00001,", "amount", "at most 4 decimals, not '1.00001'"),
    ("payment,X,A,EUR,2025-01-01,,100000000000000,", "amount", "below 10^14"),
    ("payment,X,A,EUR,2025-01-01,,1.50000,", "amount", "at most 4 decimals"),
    ('payment,X,A,EUR,2025-01-01,,"1,000",', "amount", "must be a plain decimal number"),
    ("payment,X,A,EUR,2025-01-01,,1e3,", "amount", "not '1e3'"),
    ("payment,X,A,EUR,2025-01-01,,NaN,", "amount", "not 'NaN'"),
    ("payment,X,A,EUR,2025-01-01,, 5,", "amount", "not ' 5'"),
    ("payment,X,A,EUR,2025-01-01,,٣,", "amount", "not '٣'"),
    ("payment,X,A,EUR,2025-01-01,,,", "amount", "not ''"),
    ("payment,X,A,EUR,2025-01-01,,1,I9", "applies_to", "'I9' is no invoice of A in EUR"),
    ("payment,X,B,EUR,2025-01-01,,1,I1", "applies_to", "'I1' is no invoice of B in EUR"),
    ("payment,X,A,USD,2025-01-01,,1,I1", "applies_to", "'I1' is no invoice of A in USD"),
    ("credit_note,X,A,EUR,2025-01-01,,1,P1", "applies_to", "'P1' is no invoice"),
    ("payment,X,A,EUR,2025-01-01,,1,X", "applies_to", "'X' is no invoice"),
    ("invoice,X,A,EUR,2025-01-01,,1,I1", "applies_to", "must be empty for an invoice"),
    ("invoice,X,A,EUR,2025-01-01,,1", "applies_to", "the row has 7 columns, not 8"),
    ("invoice", "doc_id", "the row has 1 column, not 8"),
    ("invoice,X,A,EUR,2025-01-01,,1,,", "9", "the row has 9 columns, not 8"),
]


@pytest.mark.parametrize(("line", "column", "rule"), BAD_ROWS)
def test_a_bad_row_is_named_and_nothing_is_imported(
    receivables: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: str,
    column: str,
    rule: str,
) -> None:
    """The line, the column and the rule stand on one line; there is no output and no file."""
    path, database = _write(tmp_path, [*GOOD, line, "", *_more(2)]), tmp_path / "new.db"
    assert receivables.main([str(path), "--json", "--database", str(database)]) == 2
    printed = capsys.readouterr()
    problem, result = printed.err.splitlines()
    assert problem.startswith(f"{path}: line 5, column {column}: ")
    assert rule in problem
    assert result == f"{path}: nothing was imported, 1 cell to correct"
    assert printed.out == ""
    assert not database.exists()


def _more(count: int) -> list[str]:
    return [f"invoice,M{number},A,EUR,2025-01-01,,1," for number in range(count)]


def test_good_rows_are_imported(imported: Imported) -> None:
    """The same file without a bad row is imported, and a due date of a credit says nothing."""
    lines = [*GOOD, "payment,P2,A,EUR,2025-01-20,whenever,1.5000,I1", "", *_more(2)]
    (found,) = imported(lines, "2025-01-31")
    assert found["closing_balance"] == "35.50"


def test_all_bad_cells_are_named_up_to_twenty(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of many bad cells twenty are named by line, and how many more there are."""
    lines = [*GOOD, "invoice,X,A,euro,never,,free,", *["payment,Y,A,EUR,2025-01-01,,0,I9"] * 12]
    path = _write(tmp_path, lines)
    assert receivables.main([str(path)]) == 2
    printed = capsys.readouterr()
    problems = printed.err.splitlines()
    assert len(problems) == 22
    assert [one.split(": ")[1] for one in problems[:4]] == [
        "line 5, column currency",
        "line 5, column date",
        "line 5, column amount",
        "line 6, column applies_to",
    ]
    assert problems[-2:] == [
        f"{path}: and 18 more",
        f"{path}: nothing was imported, 38 cells to correct",
    ]
    assert printed.out == ""


def test_lines_are_counted_as_an_editor_counts_them(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cells of several lines, empty lines and CRLF are all counted; a row is where it begins."""
    lines = ['invoice,"I\n1",A,EUR,2025-01-01,,1,', "", 'payment,"P\n\n1",A,EUR,2025-01-01,,0,']
    path = _write(tmp_path, [line + "\r" for line in lines])
    assert receivables.main([str(path)]) == 2
    assert ": line 5, column amount: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1 must be kind,doc_id"),
        (b"kind,doc_id\n", "not 'kind,doc_id'"),
        (HEADER.replace(",", ";").encode(), "line 1 must be kind,doc_id"),
        (HEADER.upper().encode(), "line 1 must be kind,doc_id"),
        (f"{HEADER},more\n".encode(), "line 1 must be kind,doc_id"),
        (f"{HEADER}\ninvoice,I1,M".encode() + b"\xfcller\n", "line 2 is not UTF-8"),
        (HEADER.encode("utf-16"), "line 1 is not UTF-8"),
        (f'{HEADER}\n"invoice'.encode(), "line 2: unexpected end of data"),
        (f"{HEADER}\n{'x' * 200_000}".encode(), "field larger than field limit"),
    ],
)
def test_a_file_of_another_form_is_refused(
    receivables: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    reason: str,
) -> None:
    """A wrong header, another encoding, a broken quotation: one line says what is wrong."""
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    assert receivables.main([str(path), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert reason in printed.err
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([HEADER, *GOOD]).encode())
    assert receivables.main([str(path), "--json"]) == 0


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_missing_file_is_refused(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A file that is not there, or is none, is named in one line."""
    assert receivables.main([str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"{tmp_path / name}: cannot be read: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("day", ["2025-02-30", "31.12.2025", "today", "20250101", "9999-12-31", ""])
def test_a_day_that_is_none_is_refused(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], day: str
) -> None:
    """``--as-of`` takes a calendar day as YYYY-MM-DD and nothing else."""
    path = _write(tmp_path, GOOD)
    with pytest.raises(SystemExit) as ended:
        receivables.main([str(path), "--as-of", day])
    assert ended.value.code == 2
    assert "--as-of" in capsys.readouterr().err
    assert receivables.main([str(path), "--as-of", "9998-12-31"]) == 0


# --- the database ---------------------------------------------------------------------------


def test_a_new_database_is_kept(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--database`` names the file that is made; it holds what was read."""
    path, database = _write(tmp_path, GOOD), tmp_path / "new.db"
    assert receivables.main([str(path), "--database", str(database), "--as-of", "2025-02-01"]) == 0
    assert f"Kept in {database}." in capsys.readouterr().out
    storage = receivables.SQLiteStorage(database)
    assert [entry.id for entry in storage.ledger.entry_page("A", "EUR")] == ["I1", "P1", "N1"]
    assert storage.tokens.latest(["A"]).keys() == {"A"}
    storage.close()


def test_a_database_that_exists_is_refused(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there already is refused and left as it is, whatever it holds."""
    path, database = _write(tmp_path, GOOD), tmp_path / "old.db"
    for content in (b"", b"something else"):
        database.write_bytes(content)
        assert receivables.main([str(path), "--database", str(database)]) == 2
        expected = f"{database}: exists already; --database must name a new file\n"
        assert capsys.readouterr() == ("", expected)
        assert database.read_bytes() == content


def test_a_database_without_a_folder_is_refused(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is not there is not made."""
    path, database = _write(tmp_path, GOOD), tmp_path / "absent" / "new.db"
    assert receivables.main([str(path), "--database", str(database)]) == 2
    assert capsys.readouterr().err == f"{database}: cannot be made: No such file or directory\n"
    assert not database.parent.exists()


def test_a_failed_import_leaves_no_database(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the database cannot be used the file that was begun is gone, and one line says why."""
    path, database = _write(tmp_path, GOOD), tmp_path / "new.db"
    blocker = tmp_path / "new.db-wal"
    blocker.mkdir()
    assert receivables.main([str(path), "--database", str(database)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("receivables.py: ")
    assert printed.err.count("\n") == 1
    assert not database.exists()
    blocker.rmdir()
    assert receivables.main([str(path), "--database", str(database)]) == 0


# --- what people read -----------------------------------------------------------------------


def test_the_account_with_most_overdue_is_shown(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ``--json`` one link is opened, of whom owes most for longest, with all totals."""
    lines = [
        *GOOD,
        "invoice,I2,Müller & Söhne,EUR,2025-01-01,2025-01-10,1200.50,",
        "payment,P2,Müller & Söhne,EUR,2025-01-12,,200.50,I2",
        "invoice,I3,Not due,EUR,2025-01-01,2025-12-31,999999,",
    ]
    assert receivables.main([str(_write(tmp_path, lines)), "--as-of", "2025-02-01"]) == 0
    printed = capsys.readouterr().out
    assert "6 rows: 3 customers, 3 invoices, 2 payments, 1 credit note." in printed
    assert "3 links generated." in printed
    assert "The link of Müller & Söhne (most overdue)" in printed
    assert "\n  https://erp.example.com/portal/" in printed
    assert "  2025-01-12  Payment  P2                         200.50  1,000.00\n" in printed
    aging, totals = printed.split("All customers, EUR (3 accounts)")
    assert _figure(aging, "1-30 days overdue") == "1,000.00"
    assert _figure(totals, "1-30 days overdue") == "1,040.00"
    assert _figure(totals, "Not yet due") == "999,999.00"
    assert _figure(totals, "Credits not yet applied") == "-5.00"
    assert _figure(totals, "Total") == "1,001,034.00"
    assert max(len(line) for line in printed.splitlines() if "http" not in line) <= 80


def _figure(printed: str, label: str) -> str:
    (line,) = [line for line in printed.splitlines() if line.strip().startswith(f"{label}  ")]
    return line.split()[-1]


def test_where_all_is_settled_another_day_is_proposed(
    receivables: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With nothing open a day on which something was is named."""
    path = _write(tmp_path, [GOOD[0], "payment,P1,A,EUR,2025-02-20,,100,I1"])
    hint = "No invoice is open on 2025-03-01. Try --as-of 2025-01-31."
    assert receivables.main([str(path), "--as-of", "2025-03-01"]) == 0
    assert hint in capsys.readouterr().out
    assert receivables.main([str(path), "--as-of", "2025-01-31"]) == 0
    assert "No invoice is open" not in capsys.readouterr().out


def test_a_file_without_rows_is_no_error(
    receivables: ModuleType, imported: Imported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A header alone gives an empty list, and no account to show."""
    assert imported([], "2025-01-01") == []
    assert receivables.main([str(_write(tmp_path, []))]) == 0
    assert capsys.readouterr().out == (
        "0 rows: 0 customers, 0 invoices, 0 payments, 0 credit notes.\n0 links generated.\n"
    )


# --- as a program ---------------------------------------------------------------------------


def test_it_runs_as_a_program(run_example: Run, tmp_path: Path) -> None:
    """As a program it prints the list alone, for today where no day is named."""
    ended = run_example("receivables.py", _write(tmp_path, GOOD), "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    (found,) = json.loads(ended.stdout)
    assert (found["closing_balance"], found["over_90"]) == ("35.00", "40.00")


def test_bad_input_shows_no_traceback(run_example: Run, tmp_path: Path) -> None:
    """As a program it ends with status 2 and tells what is wrong, without a traceback."""
    ended = run_example("receivables.py", _write(tmp_path, [*GOOD, GOOD[0]]))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "line 5, column doc_id: 'I1' stands on line 2 already" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert run_example("receivables.py").returncode == 2


def test_it_prints_to_any_terminal(run_example: Run, tmp_path: Path) -> None:
    """A terminal that lacks letters gets question marks."""
    path = _write(tmp_path, [*GOOD, "invoice,I9,Müller,EUR,2025-01-01,2025-01-01,9000,"])
    plain = {"PYTHONIOENCODING": "ascii", "LANG": "C", "PATH": ""}
    ended = run_example("receivables.py", path, env=plain)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "The link of M?ller" in ended.stdout


def test_a_reader_that_goes_away_is_no_error(examples: Path, tmp_path: Path) -> None:
    """Where nobody reads the output any more it ends in silence."""
    lines = [f"invoice,I{number},A,EUR,2025-01-01,,1," for number in range(200)]
    command = [sys.executable, str(examples / "receivables.py"), str(_write(tmp_path, lines))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(100) == 0
