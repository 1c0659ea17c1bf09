"""`basis-portal migrate`: makes the tables, says from where to where, and refuses what is newer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from tests.cli.places import opened

from basis_portal.storage import _postgres_schema, _sqlite_schema
from basis_portal.testing.parts.base import in_threads

NEWEST = {
    "sqlite": len(_sqlite_schema.MIGRATIONS),
    "postgres": len(_postgres_schema.MIGRATIONS),
}


def test_it_makes_the_tables_and_then_has_nothing_to_do(
    run: Callable[..., Any], place: Any
) -> None:
    """The first run makes them, the second says that they are the newest; a storage takes them."""
    newest = NEWEST[place.kind]
    first = run("migrate", over=(place,))
    assert (first.status, first.err) == (0, "")
    assert f"from step 0 to step {newest}\n  1: the first tables\n" in first.out
    assert f"at step {newest}, the newest; nothing to do" in run("migrate").out
    place.make(migrate=False).close()


def test_json_says_the_same(run: Callable[..., Any], place: Any) -> None:
    """With --json it is one object: from, to, and the names of the steps."""
    said = json.loads(run("migrate", "--json", over=(place,)).out)
    newest = NEWEST[place.kind]
    assert (said["from"], said["to"], len(said["steps"])) == (0, newest, newest)
    assert json.loads(run("migrate", "--json").out)["steps"] == []


def test_the_statements_alone_change_nothing(run: Callable[..., Any], place: Any) -> None:
    """With --sql the text of what is needed is printed; where nothing is needed there is none."""
    said = run("migrate", "--sql", over=(place,))
    assert (said.status, said.out.count("COMMIT;")) == (0, NEWEST[place.kind])
    assert "from step 0" in run("migrate").out
    assert run("migrate", "--sql").out == ""


def test_the_statements_make_no_file(run: Callable[..., Any], file: Any, tmp_path: Path) -> None:
    """With --sql no file is made, and the text makes one that is taken as it is."""
    text = run("migrate", "--sql", over=(file,)).out
    assert list(tmp_path.iterdir()) == []
    with closing(sqlite3.connect(tmp_path / "portal.db")) as connection:
        connection.executescript(text)
    file.make(migrate=False).close()


def test_an_old_file_is_taken_to_the_newest_step(run: Callable[..., Any], file: Any) -> None:
    """From the first step on only the others are taken, and --sql prints those alone."""
    first = [*_sqlite_schema.step(0)]
    file.damage(*first)
    said = run("migrate", "--sql", over=(file,)).out
    assert "CREATE INDEX tokens_past" in said
    assert "CREATE TABLE tokens" not in said
    newest, steps = NEWEST["sqlite"], "  2: find tokens of the past\n  3: e-mails\n"
    assert f"from step 1 to step {newest}\n{steps}" in run("migrate").out


def test_of_several_at_once_each_says_what_it_took(place: Any) -> None:
    """Four that run together take each step once, and each says what it took itself."""
    ready = Barrier(4)
    taken = []

    def migrate() -> None:
        with closing(opened(place)) as mine:
            ready.wait()
            taken.append(mine.migrate())

    in_threads([migrate] * 4)
    assert sum(taken) == NEWEST[place.kind]


def test_newer_tables_are_refused(run: Callable[..., Any], place: Any) -> None:
    """Tables of a newer version of the library are refused, by --sql too, and left."""
    run("migrate", over=(place,))
    sqlite = place.kind == "sqlite"
    newer = "PRAGMA user_version = 99" if sqlite else "INSERT INTO migrations VALUES (99, 'more')"
    place.damage(newer)
    for arguments in (["migrate"], ["migrate", "--sql"], ["check"], ["backup", "x.db"]):
        refused = run(*arguments)
        assert (refused.status, refused.out) == (1, "")
        assert "newer version of basis_portal" in refused.err
        assert refused.err.count("\n") == 1
    place.damage(
        f"PRAGMA user_version = {NEWEST['sqlite']}"
        if sqlite
        else "DELETE FROM migrations WHERE version = 99"
    )
    assert run("migrate").status == 0


def test_a_file_of_something_else_is_refused(run: Callable[..., Any], file: Any) -> None:
    """A database of another application is refused and left."""
    file.damage("CREATE TABLE theirs (text)")
    refused = run("migrate", over=(file,))
    assert (refused.status, "belongs to another application" in refused.err) == (1, True)
    file.damage("INSERT INTO theirs VALUES ('kept')")


def test_a_folder_that_is_not_there_is_named(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder is missing that is said in one line."""
    monkeypatch.setenv("BASIS_PORTAL_SQLITE", str(tmp_path / "absent" / "portal.db"))
    refused = run("migrate")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "there is no folder" in refused.err
