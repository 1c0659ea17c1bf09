"""`basis-portal check`: sound storages pass, and each kind of damage is seen and named."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.places import Place, fill

ROWS = [
    "current tokens",
    "latest tokens",
    "allocations",
    "issued entries",
    "runs of e-mails",
    "open amounts",
    "settings",
]


@pytest.fixture
def filled(place: Any) -> Any:
    """Each of the two places in turn, with rows of every kind and two tenants."""
    for tenant in ("default", "north"):
        with closing(place.make(tenant)) as storage:
            fill(storage)
    if place.kind == "sqlite":
        os.chmod(place.environment["BASIS_PORTAL_SQLITE"], 0o600)
    return place


def _verdicts(out: str) -> dict[str, str]:
    """What was found, by what was looked at."""
    lines = [re.fullmatch(r"(ok|warning|WRONG) +([\w -]+): .+", line) for line in out.splitlines()]
    return {line[2]: line[1] for line in lines if line}


def test_a_sound_storage_passes(run: Callable[..., Any], filled: Any) -> None:
    """All is well, one line each, and nothing was changed."""
    done = run("check", over=(filled,))
    assert (done.status, done.err) == (0, "")
    found = _verdicts(done.out)
    assert set(found.values()) <= {"ok"} | ({"warning"} if "durability" in found else set())
    assert len(found) == len(done.out.splitlines())
    assert list(found)[-7:] == ROWS
    assert next(iter(found)) == "tables"


def test_json_says_the_same(run: Callable[..., Any], filled: Any) -> None:
    """With --json it is one object with all that was looked at."""
    filled.damage("UPDATE settings SET config = 'nonsense' WHERE tenant = 'north'")
    done = run("check", "--json", over=(filled,))
    said = {one["about"]: one["verdict"] for one in json.loads(done.out)["checks"]}
    assert (done.status, said["settings"], said["allocations"]) == (1, "wrong", "ok")


def _amount(place: Place) -> str:
    return "units" if place.kind == "sqlite" else "amount"


def _off(place: Place) -> str:
    return "0" if place.kind == "sqlite" else "false"


DAMAGES: dict[str, Callable[[Place], list[str]]] = {
    "current tokens": lambda place: [
        "DROP INDEX tokens_current",
        "UPDATE tokens SET ended_at = NULL, ended_as = NULL WHERE customer_id = 'C-1'",
    ],
    "latest tokens": lambda place: [
        f"UPDATE tokens SET is_latest = {_off(place)} WHERE customer_id = 'C-1'"
    ],
    "allocations": lambda place: ["UPDATE entries SET customer_id = 'C-2' WHERE id = 'PAY-2'"],
    "runs of e-mails": lambda _: [
        "DROP INDEX mails_once_a_run",
        "UPDATE mails SET run = 'April' WHERE customer_id = 'C-1'",
    ],
    "open amounts": lambda place: [
        f"UPDATE entries SET open_{_amount(place)} = {_amount(place)} WHERE id = 'PAY-1'"
    ],
    "settings": lambda place: ["""UPDATE settings SET config = '{"token_expiry_days": 0}'"""],
}


@pytest.mark.parametrize("about", DAMAGES)
def test_damage_is_seen(run: Callable[..., Any], filled: Any, about: str) -> None:
    """Each rule that the rows break is WRONG, alone, with status 1; before it was not."""
    assert _verdicts(run("check", over=(filled,)).out)[about] == "ok"
    filled.damage(*DAMAGES[about](filled))
    done = run("check")
    wrong = [name for name, verdict in _verdicts(done.out).items() if verdict == "WRONG"]
    assert (done.status, wrong) == (1, [about])
    line = next(line for line in done.out.splitlines() if f" {about}:" in line)
    assert "of default, " in line
    assert "of north" in line


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET currency = 'USD' WHERE id = 'PAY-2'",
        "UPDATE allocations SET customer_id = 'C-2' WHERE id = 'ALLOC-2'",
        "UPDATE entries SET side = 0 WHERE id = 'PAY-2'",
    ],
)
def test_each_way_to_cross_is_seen(run: Callable[..., Any], filled: Any, change: str) -> None:
    """An allocation across customers, currencies or sides is WRONG."""
    filled.damage(change)
    assert _verdicts(run("check", over=(filled,)).out)["allocations"] == "WRONG"


def test_the_latest_token_must_be_the_last(run: Callable[..., Any], filled: Any) -> None:
    """Where another than the one added last is the latest that is WRONG too."""
    off, on = ("0", "1") if filled.kind == "sqlite" else ("false", "true")
    filled.damage(
        f"UPDATE tokens SET is_latest = {off} WHERE customer_id = 'C-1'",
        f"UPDATE tokens SET is_latest = {on} WHERE customer_id = 'C-1' AND ended_as = 'replaced'",
    )
    assert _verdicts(run("check", over=(filled,)).out)["latest tokens"] == "WRONG"


def test_a_token_that_nobody_issued_is_a_warning(run: Callable[..., Any], filled: Any) -> None:
    """Retention may have removed its entry, so it is no more than a warning; ids are shortened."""
    filled.damage("DELETE FROM audit WHERE event = 'issued'")
    done = run("check", over=(filled,))
    assert (done.status, _verdicts(done.out)["issued entries"]) == (0, "warning")
    assert re.search(r"[\w-]{8}\.\.\. of \w+, .* and 5 more; ", done.out)


def test_sums_that_no_64_bits_hold_are_compared(run: Callable[..., Any], filled: Any) -> None:
    """Ten allocations of the largest amount are added up all the same."""
    amount = _amount(filled)
    columns = f"tenant, customer_id, debit_id, credit_id, {amount}, date, counted_on"
    filled.damage(
        *(
            f"INSERT INTO allocations (id, {columns}) SELECT 'X-{n}', {columns} "
            "FROM allocations WHERE id = 'ALLOC-1'"
            for n in range(12)
        )
    )
    done = run("check", over=(filled,))
    assert (done.status, _verdicts(done.out)["open amounts"]) == (1, "WRONG")


def test_tables_that_are_not_the_newest_are_wrong(run: Callable[..., Any], place: Any) -> None:
    """Without its tables a storage is told to migrate; a file that is not there, too."""
    done = run("check", over=(place,))
    assert (done.status, "'basis-portal migrate'" in done.out + done.err) == (1, True)
    if place.kind == "sqlite":
        assert (done.out, "there is no SQLite file" in done.err) == ("", True)
        file = place.environment["BASIS_PORTAL_SQLITE"]
        assert not Path(file).exists()
        Path(file).touch()
        done = run("check")
    assert _verdicts(done.out)["tables"] == "WRONG"
    assert "run 'basis-portal migrate'" in done.out
    place.make().close()
    assert _verdicts(run("check").out)["tables"] == "ok"


# --- SQLite alone -----------------------------------------------------------------------------


@pytest.fixture
def whole(file: Any) -> tuple[Any, Path]:
    """A file with rows, and its path."""
    with closing(file.make()) as storage:
        fill(storage)
    path = Path(file.environment["BASIS_PORTAL_SQLITE"])
    path.chmod(0o600)
    return file, path


@pytest.mark.parametrize(
    ("damaged", "wrong"), [("customers_by_name", {"integrity"}), ("audit", {"integrity", "rows"})]
)
def test_a_damaged_file_is_wrong(
    run: Callable[..., Any], whole: tuple[Any, Path], damaged: str, wrong: set[str]
) -> None:
    """Where a page is overwritten that is WRONG, and what it keeps from being read; before, ok."""
    file, path = whole
    assert _verdicts(run("check", over=(file,)).out)["integrity"] == "ok"
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT (rootpage - 1) * (SELECT page_size FROM pragma_page_size) FROM sqlite_master"
        ((place,),) = connection.execute(f"{sql} WHERE name = ?", (damaged,))
    content = bytearray(path.read_bytes())
    content[place : place + 60] = b"\xff" * 60
    path.write_bytes(content)
    done = run("check")
    found = _verdicts(done.out)
    assert done.status == 1
    assert {name for name, verdict in found.items() if verdict == "WRONG"} == wrong
    assert "is damaged; restore it from a backup" in done.out


def test_a_row_that_breaks_its_table_is_wrong(
    run: Callable[..., Any], whole: tuple[Any, Path]
) -> None:
    """What integrity_check itself says is shown."""
    file, _ = whole
    file.damage("PRAGMA ignore_check_constraints = ON", "UPDATE customers SET blocked = 7")
    done = run("check", over=(file,))
    assert (done.status, _verdicts(done.out)["integrity"]) == (1, "WRONG")
    assert "CHECK constraint failed in customers" in done.out


def test_loose_references_are_wrong(run: Callable[..., Any], whole: tuple[Any, Path]) -> None:
    """An allocation without its entry is seen both as a reference and as an allocation."""
    file, _ = whole
    file.damage("PRAGMA foreign_keys = OFF", "DELETE FROM entries WHERE id = 'PAY-2'")
    found = _verdicts(run("check", over=(file,)).out)
    wrong = [name for name, verdict in found.items() if verdict == "WRONG"]
    assert wrong == ["references", "allocations"]


def test_another_journal_is_a_warning(run: Callable[..., Any], whole: tuple[Any, Path]) -> None:
    """A file without its write-ahead log gets a warning, and is not switched by looking."""
    file, _ = whole
    file.damage("PRAGMA journal_mode = DELETE")
    for _ in range(2):
        done = run("check", over=(file,))
        assert (done.status, _verdicts(done.out)["log"]) == (0, "warning")


@pytest.mark.skipif(os.name != "posix", reason="there are no such modes")
@pytest.mark.parametrize(("mode", "verdict"), [(0o600, "ok"), (0o660, "ok"), (0o644, "warning")])
def test_a_file_that_all_can_read_is_a_warning(
    run: Callable[..., Any], whole: tuple[Any, Path], mode: int, verdict: str
) -> None:
    """Who is neither owner nor of the group should not read it."""
    file, path = whole
    path.chmod(mode)
    assert _verdicts(run("check", over=(file,)).out)["file mode"] == verdict


# --- PostgreSQL alone -------------------------------------------------------------------------


@pytest.mark.parametrize(("setting", "verdict"), [("on", "ok"), ("off", "warning")])
def test_a_server_that_may_forget_is_a_warning(
    run: Callable[..., Any],
    schema: Any,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    verdict: str,
) -> None:
    """What is said is what a host's own connections would get."""
    schema.make().close()
    monkeypatch.setenv("PGOPTIONS", f"-c synchronous_commit={setting}")
    done = run("check", over=(schema,))
    assert (done.status, _verdicts(done.out)["durability"]) == (0, verdict)


def test_an_encoding_that_lacks_names_is_refused(
    run: Callable[..., Any], schema: Any, monkeypatch: pytest.MonkeyPatch, postgres_admin: Any
) -> None:
    """A database that cannot hold every name is refused in one line."""
    name = f"latin_{schema.environment['BASIS_PORTAL_SCHEMA']}"
    postgres_admin.execute(
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    try:
        dsn = schema.environment["BASIS_PORTAL_POSTGRES"].rpartition("/")[0]
        monkeypatch.setenv("BASIS_PORTAL_POSTGRES", f"{dsn}/{name}")
        refused = run("check")
        assert (refused.status, "ENCODING 'UTF8'" in refused.err) == (1, True)
    finally:
        postgres_admin.execute(f"DROP DATABASE {name}")
