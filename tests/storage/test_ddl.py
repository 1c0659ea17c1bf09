"""The statements as text, and what is left of a migration that is killed at any instant."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from basis_portal import InvalidValue, StorageError
from basis_portal.storage import _postgres_schema, _sqlite_schema, postgres, sqlite
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import a_customer, a_token, token_id

NEWEST = len(_sqlite_schema.MIGRATIONS)
STEPS = range(NEWEST + 1)


def _ask(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def _at_step(path: Path, version: int) -> Path:
    """A file whose tables are at a step, made as the library makes them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for number in range(version):
            for statement in ("BEGIN", *_sqlite_schema.step(number), "COMMIT"):
                connection.execute(statement)
    return path


def _schema_of(path: Path) -> list[Any]:
    """The tables and indexes, however their statements are spaced."""
    found = _ask(path, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    return [(kind, name, re.sub(r"\s+", " ", sql or "")) for kind, name, sql in found]


def _works(storage: Any) -> bool:
    """True where a storage keeps what it is given."""
    with closing(storage):
        storage.customers.save(a_customer())
        storage.tokens.add([a_token()])
        return bool(storage.opening(token_id(1)).token == a_token())


# --- SQLite ---------------------------------------------------------------------------------


@pytest.mark.parametrize("since", STEPS)
def test_the_text_makes_what_the_library_makes(tmp_path: Path, since: int) -> None:
    """From any step on the text leads to the same tables, which are then accepted as they are."""
    path = _at_step(tmp_path / "portal.db", since)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sqlite.ddl(since))
    SQLiteStorage(tmp_path / "ours.db").close()
    assert _schema_of(path) == _schema_of(tmp_path / "ours.db")
    records = "SELECT * FROM migrations"
    assert _ask(path, records) == _ask(tmp_path / "ours.db", records)
    assert _works(SQLiteStorage(path, migrate=False))


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="there is no sqlite3 shell")
def test_the_shell_runs_the_text(tmp_path: Path) -> None:
    """The sqlite3 shell makes a file of it; run again it ends at the first error."""
    path = tmp_path / "portal.db"
    command = ["sqlite3", "-bail", str(path)]
    subprocess.run(command, input=sqlite.ddl(), text=True, check=True)
    again = subprocess.run(command, input=sqlite.ddl(), text=True, capture_output=True, check=False)
    assert (again.returncode != 0, "already exists" in again.stderr) == (True, True)
    assert _works(SQLiteStorage(path, migrate=False))


def test_without_leave_to_migrate_no_file_is_made(tmp_path: Path) -> None:
    """With migrate=False a file that is not there is refused, and is not there afterwards."""
    path = tmp_path / "portal.db"
    with pytest.raises(StorageError, match=r"there is no SQLite file.*run 'basis-portal migrate'"):
        SQLiteStorage(path, migrate=False)
    assert list(tmp_path.iterdir()) == []
    SQLiteStorage(path).close()
    SQLiteStorage(path, migrate=False).close()


@pytest.mark.parametrize("version", range(NEWEST))
def test_without_leave_to_migrate_an_old_file_is_left(tmp_path: Path, version: int) -> None:
    """With migrate=False old tables are refused and not one byte changes; else they are newest."""
    path = _at_step(tmp_path / "portal.db", version)
    before = path.read_bytes()
    with pytest.raises(StorageError, match=rf"at step {version} of {NEWEST}; run 'basis-portal mi"):
        SQLiteStorage(path, migrate=False)
    assert path.read_bytes() == before
    SQLiteStorage(path).close()
    assert _ask(path, "PRAGMA user_version") == [(NEWEST,)]
    SQLiteStorage(path, migrate=False).close()


def test_at_the_newest_step_there_is_no_text() -> None:
    """Nothing is needed there; a step before it needs something, one after it does not exist."""
    assert sqlite.ddl(NEWEST) == ""
    assert "CREATE INDEX notes_past" in sqlite.ddl(NEWEST - 1)
    for since in (-1, NEWEST + 1, True, "0"):
        with pytest.raises(InvalidValue, match="since must be a whole number from 0"):
            sqlite.ddl(since)  # type: ignore[arg-type]


def test_old_emails_are_found_by_their_index(tmp_path: Path) -> None:
    """Retention reads the settled e-mails, and no other, by the index that was made for it."""
    SQLiteStorage(tmp_path / "portal.db").close()
    plan = _ask(
        tmp_path / "portal.db",
        "EXPLAIN QUERY PLAN SELECT id FROM mails WHERE tenant = 'default' AND settled_at < 5 "
        "ORDER BY settled_at, id LIMIT 9",
    )
    assert ["mails_settled" in row[-1] for row in plan] == [True]


@pytest.mark.parametrize(
    ("table", "which"),
    [("messages", "AND (author = 'seller' OR read_at IS NOT NULL)"), ("notes", "")],
)
def test_old_messages_and_notes_are_found_by_their_index(
    tmp_path: Path, table: str, which: str
) -> None:
    """Retention reads what may go, in its order, by the index that was made for it."""
    SQLiteStorage(tmp_path / "portal.db").close()
    plan = _ask(
        tmp_path / "portal.db",
        f"EXPLAIN QUERY PLAN SELECT id FROM {table} WHERE tenant = 'default' AND at < 5 "
        f"{which} ORDER BY at, id LIMIT 9",
    )
    assert [f"{table}_past" in row[-1] for row in plan] == [True]


def test_tokens_of_the_past_are_found_by_their_index(tmp_path: Path) -> None:
    """Retention reads the ended tokens by the index of the second step."""
    SQLiteStorage(tmp_path / "portal.db").close()
    plan = _ask(
        tmp_path / "portal.db",
        "EXPLAIN QUERY PLAN SELECT id FROM tokens WHERE tenant = 'default' AND is_latest = 0 "
        "AND ended_at < 5 ORDER BY ended_at, id LIMIT 9",
    )
    assert [row[-1] for row in plan if "tokens_past" in row[-1]] == [row[-1] for row in plan]


# --- PostgreSQL -----------------------------------------------------------------------------


def test_the_schema_has_a_name_of_its_own(postgres_schema: tuple[str, str]) -> None:
    """The text is for the schema that is named, by default `basis_portal`; a bad name is none."""
    assert 'CREATE SCHEMA IF NOT EXISTS "basis_portal"' in postgres.ddl()
    for name, since in (('x"; DROP', 0), ("basis_portal", 99), ("basis_portal", -1)):
        with pytest.raises(InvalidValue):
            postgres.ddl(name, since)
    dsn, schema = postgres_schema
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(postgres.ddl(schema))
    assert _works(PostgresStorage(dsn, schema=schema, migrate=False))


# --- killed -----------------------------------------------------------------------------------

_KILLED_IN_SQLITE = """
import os, shutil, signal, sqlite3, sys
from basis_portal.storage.sqlite import SQLiteStorage

old, folder = sys.argv[1:]
connect = sqlite3.connect

def killed_before(number):
    seen = []
    def see(statement):
        if seen or statement == "BEGIN IMMEDIATE":
            if len(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            seen.append(statement)
    def watched(*args, **more):
        connection = connect(*args, **more)
        connection.set_trace_callback(see)
        return connection
    sqlite3.connect = watched

for number in range(200):
    path = f"{folder}/{number}.db"
    shutil.copyfile(old, path)
    child = os.fork()
    if not child:
        killed_before(number)
        SQLiteStorage(path)
        os._exit(0)
    if not os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        break
"""

_KILLED_IN_POSTGRES = """
import os, signal, sys
import psycopg
from basis_portal.storage.postgres import PostgresStorage

dsn, schema = sys.argv[1:]
execute = psycopg.Cursor.execute

def killed_before(number):
    seen = []
    def watched(self, *args, **more):
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        seen.append(args)
        return execute(self, *args, **more)
    psycopg.Cursor.execute = watched

def version():
    with psycopg.connect(dsn) as connection:
        if not connection.execute(f"SELECT to_regnamespace('{schema}')").fetchone()[0]:
            return 0
        return connection.execute(f"SELECT max(version) FROM {schema}.migrations").fetchone()[0]

for number in range(200):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    child = os.fork()
    if not child:
        killed_before(number)
        PostgresStorage(dsn, schema=schema)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(ended, version(), flush=True)
    if not ended:
        break
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def _run(program: str, *arguments: object) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


@needs_fork
@pytest.mark.sampled
@pytest.mark.parametrize("version", range(NEWEST))
def test_a_killed_migration_leaves_the_old_or_the_new(tmp_path: Path, version: int) -> None:
    """Killed before any of its statements a file is at one step, whole, and then works."""
    old = _at_step(tmp_path / "old.db", version)
    (tmp_path / "killed").mkdir()
    _run(_KILLED_IN_SQLITE, old, tmp_path / "killed")
    paths = sorted((tmp_path / "killed").glob("*.db"), key=lambda path: int(path.stem))
    least = sum(len(_sqlite_schema.step(number)) for number in range(version, NEWEST))
    assert least < len(paths) < 199
    made = [_at_step(tmp_path / f"{step}.db", step) for step in STEPS]
    found = []
    for path in paths:
        ((step,),) = _ask(path, "PRAGMA user_version")
        assert _schema_of(path) == _schema_of(made[step])
        found.append(step)
        assert _works(SQLiteStorage(path))
    assert found == sorted(found)
    assert set(found) == set(range(version, NEWEST + 1))


@pytest.mark.deep
@needs_fork
def test_a_killed_migration_of_a_schema_leaves_the_old_or_the_new(
    postgres_schema: tuple[str, str],
) -> None:
    """A client that is killed before any of its statements leaves no schema, or whole steps."""
    dsn, schema = postgres_schema
    found = [line.split() for line in _run(_KILLED_IN_POSTGRES, dsn, schema).splitlines()]
    newest = len(_postgres_schema.MIGRATIONS)
    killed = [int(version) for ended, version in found if int(ended) == -signal.SIGKILL]
    assert len(killed) > sum(len(_postgres_schema.step("x", number)) for number in range(newest))
    assert killed == sorted(killed)
    assert set(range(newest)) <= set(killed) <= set(range(newest + 1))
    assert found[-1] == ["0", str(newest)]
    assert _works(PostgresStorage(dsn, schema=schema, migrate=False))


def test_a_half_made_file_would_be_seen(tmp_path: Path) -> None:
    """The comparison that the tests of killing rely on tells a step that is half done."""
    whole: Callable[[int], Path] = lambda step: _at_step(tmp_path / f"{step}.db", step)  # noqa: E731
    half = _at_step(tmp_path / "half.db", 1)
    _ask(half, _sqlite_schema.MIGRATIONS[1][1][0])
    assert _schema_of(half) != _schema_of(whole(1))
