"""`basis-portal copy`, and the transfer behind it: everything arrives, or nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.cli.places import (
    LARGEST,
    TABLES,
    Place,
    fill,
    filled,
    opened,
    portal_over,
    postgres_place,
    sqlite_place,
    state_of,
)
from tests.depth import examples

from basis_portal import StorageError
from basis_portal.domain.money import from_units
from basis_portal.storage import _transfer
from basis_portal.storage._transfer import transfer
from basis_portal.testing import FrozenClock
from basis_portal.testing.builders import a_customer, an_entry, an_invoice

Run = Callable[..., Any]


def _opened(place: Place) -> Any:
    """The place as the transfer takes it, its tables made."""
    made = opened(place)
    made.migrate()
    return made


def _rows(place: Place) -> dict[str, int]:
    """How many rows each table has, of all tenants."""
    with closing(_opened(place)) as opened, opened.reading():
        return {
            table: next(iter(list(opened.stream(f"SELECT count(*) FROM {table}"))))[0]
            for table in TABLES
        }


@pytest.fixture
def other(tmp_path: Path) -> Place:
    """Another file."""
    return sqlite_place(tmp_path / "other.db")


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite", "sqlite to sqlite"])
def both(request: pytest.FixtureRequest, file: Place, other: Place) -> tuple[Place, Place]:
    """Source and target, each way."""
    if request.param == "sqlite to sqlite":
        return file, other
    schema: Place = request.getfixturevalue("schema")
    return (file, schema) if request.param == "sqlite to postgres" else (schema, file)


@pytest.fixture
def ends(both: tuple[Place, Place]) -> Iterator[tuple[Any, Any]]:
    """Source and target as the transfer takes them."""
    source, target = map(_opened, both)
    yield source, target
    source.close()
    target.close()


# --- the command ------------------------------------------------------------------------------


def test_everything_arrives(run: Run, file: Place, schema: Place) -> None:
    """What the portal over PostgreSQL holds, and what each link shows, is what it was."""
    texts, before = filled(file)
    done = run("copy", over=(file, schema))
    assert (done.status, done.err) == (0, "")
    counts = {line.split()[0]: line.split()[1] for line in done.out.splitlines()[1:11]}
    assert counts == {table: str(count) for table, count in _rows(file).items()}
    for said in ("Stop what still uses the file", "Point the application", "Keep the file"):
        assert said in done.out
    with closing(schema.make(migrate=False)) as storage:
        assert state_of(storage, texts) == before
        assert [one for one in before["links"] if one != "Access denied"] != []
        assert before["links"].count("Access denied") == 2


def test_the_portal_goes_on_after_it(run: Run, file: Place, schema: Place) -> None:
    """New tokens and entries come after those that were copied; a resent form makes no message."""
    with closing(file.make()) as storage:
        texts = fill(storage)
    assert run("copy", over=(file, schema)).status == 0
    with closing(schema.make()) as storage:
        portal = portal_over(storage, FrozenClock())
        old = portal.tokens.get("C-1")
        portal.open(texts[3]).send_message("Paid today.\nSee 4711", idempotency_key="form-1")
        assert len(storage.messages.page("C-1", limit=9)) == 3
        new = portal.tokens.regenerate("C-1", by="ana")
        assert [t.id for t in storage.tokens.history("C-1")][-2:] == [old.id, new.id]
        assert storage.settings.get().version == 2
    assert run("check", "--storage", "postgres").status == 0


@pytest.mark.parametrize("wanted", [None, "north"])
def test_all_tenants_or_one(run: Run, file: Place, schema: Place, wanted: str | None) -> None:
    """Without --tenant all are copied, with it that one alone."""
    for tenant in ("default", "north", "south"):
        with closing(file.make(tenant)) as storage:
            fill(storage)
    arguments = ["--tenant", wanted] if wanted else []
    said = json.loads(run("copy", "--json", *arguments, over=(file, schema)).out)
    assert said["rows"] == _rows(schema)
    assert said["rows"]["customers"] == (4 if wanted else 12)
    for tenant in ("default", "north", "south"):
        with closing(schema.make(tenant)) as storage:
            assert (storage.customers.get("C-1") is not None) == (wanted in (None, tenant))


def test_tenants_may_come_one_by_one(run: Run, file: Place, schema: Place) -> None:
    """A target with rows of others is no obstacle, one with rows of the tenant is."""
    for tenant in ("default", "north"):
        with closing(file.make(tenant)) as storage:
            fill(storage)
    assert run("copy", "--tenant", "north", over=(file, schema)).status == 0
    assert run("copy", "--tenant", "default").status == 0
    before = _rows(schema)
    for arguments, said in (([], "'default' already, and of 1 more"), (["north"], "'north' alr")):
        refused = run("copy", *(["--tenant", *arguments] if arguments else []))
        assert (refused.status, refused.out) == (1, "")
        assert said in refused.err
    assert _rows(schema) == before


def test_an_unknown_tenant_is_said(run: Run, file: Place, schema: Place) -> None:
    """A tenant that the source has no row of is refused; an empty source copies nothing."""
    file.make().close()
    refused = run("copy", "--tenant", "nrth", over=(file, schema))
    assert (refused.status, "no row of tenant 'nrth'" in refused.err) == (1, True)
    with closing(opened(schema)) as target:
        assert target.version() == 0
    assert run("copy").status == 0
    assert set(_rows(schema).values()) == {0}


def test_a_backup_is_restored_into_postgres(
    run: Run, schema: Place, tmp_path: Path, postgres_admin: Any
) -> None:
    """Backed up, dropped and copied back: every link shows what it showed."""
    texts, before = filled(schema)
    assert run("backup", tmp_path / "monday.db", over=(schema,)).status == 0
    postgres_admin.execute(f"DROP SCHEMA {schema.environment['BASIS_PORTAL_SCHEMA']} CASCADE")
    assert run("copy", "--from", tmp_path / "monday.db").status == 0
    with closing(schema.make()) as storage:
        assert state_of(storage, texts) == before


def test_a_schema_may_be_named_like_a_column(
    run: Run, file: Place, schema: Place, postgres_admin: Any
) -> None:
    """Words of SQLite that PostgreSQL has others for are left alone in the schema's name."""
    texts, before = filled(file)
    named = postgres_place(schema.environment["BASIS_PORTAL_POSTGRES"], "open_units")
    try:
        assert run("copy", over=(file, named)).status == 0
        with closing(named.make()) as storage:
            assert state_of(storage, texts) == before
    finally:
        postgres_admin.execute("DROP SCHEMA IF EXISTS open_units CASCADE")


def test_a_backup_is_read_as_it_is(run: Run, file: Place, schema: Place, tmp_path: Path) -> None:
    """The file that is copied from is the same afterwards, and nothing is left beside it."""
    with closing(file.make()) as storage:
        fill(storage)
    kept = tmp_path / "kept"
    kept.mkdir()
    backup = kept / "monday.db"
    assert run("backup", backup, over=(file,)).status == 0
    before = backup.read_bytes()
    backup.chmod(0o400)
    assert run("copy", "--from", backup, over=(schema,)).status == 0
    assert backup.read_bytes() == before
    assert [path.name for path in kept.iterdir()] == ["monday.db"]


def test_what_is_missing_is_named(run: Run, file: Place, schema: Place, tmp_path: Path) -> None:
    """A file or database that is not configured or not there, and old tables, are named."""
    assert "[sqlite] path is not configured" in run("copy", over=(schema,)).err
    refused = run("copy", "--from", tmp_path / "absent.db")
    assert (refused.status, "there is no SQLite file" in refused.err) == (1, True)
    assert not (tmp_path / "absent.db").exists()
    Path(file.environment["BASIS_PORTAL_SQLITE"]).touch()
    assert "run 'basis-portal migrate'" in run("copy", over=(file,)).err
    file.make().close()
    assert run("copy").status == 0


# --- the transfer, each way -------------------------------------------------------------------


def test_it_works_each_way(both: tuple[Place, Place], ends: tuple[Any, Any]) -> None:
    """From either storage to either: the state is the same, and so are the numbers of rows."""
    texts, before = filled(both[0])
    assert transfer(*ends) == _rows(both[0]) == _rows(both[1])
    with closing(both[1].make()) as storage:
        assert state_of(storage, texts) == before


AMOUNTS = st.integers(0, 10**18 - 1).map(from_units)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(AMOUNTS, min_size=1, max_size=30), st.lists(AMOUNTS, min_size=1, max_size=5))
@example([LARGEST] * 12, [LARGEST])
@example([Decimal(0), Decimal("0.0001")], [Decimal("1E13")])
def test_amounts_are_exact(
    both: tuple[Place, Place], ends: tuple[Any, Any], amounts: list[Decimal], totals: list[Decimal]
) -> None:
    """Every amount arrives as it is, the largest and the smallest, and below zero."""
    for place in both:
        place.damage("DELETE FROM entries", "DELETE FROM documents")
    entries = [an_entry(f"E-{n}", amount=amount) for n, amount in enumerate(amounts)]
    documents = [
        an_invoice(f"D-{n}", total=-total, net=total, tax=None) for n, total in enumerate(totals)
    ]
    with closing(both[0].make()) as storage:
        storage.ledger.save(*entries)
        storage.documents.save(*documents)
    transfer(*ends)
    with closing(both[1].make()) as storage:
        found = storage.ledger.entries("C-1001")
        assert {one.id: one for one in found} == {one.id: one for one in entries}
        assert [storage.documents.get("C-1001", one.id) for one in documents] == documents
        opened = storage.ledger.open_items("C-1001", dt.date(2030, 1, 1))
        assert sum(one.open_amount for one in opened) == sum(amounts)


def test_the_order_is_kept(both: tuple[Place, Place], ends: tuple[Any, Any]) -> None:
    """Tokens and audit entries of one instant keep the order in which they were added."""
    with closing(both[0].make()) as storage:
        storage.customers.save(a_customer("C-1"))
        portal = portal_over(storage)
        for _ in range(40):
            portal.tokens.regenerate("C-1", by="ana")
        tokens = [token.id for token in storage.tokens.history("C-1")]
        trail = [entry for _, entry in storage.audit.page(limit=200)]
    transfer(*ends)
    with closing(both[1].make()) as storage:
        assert [token.id for token in storage.tokens.history("C-1")] == tokens
        assert [entry for _, entry in storage.audit.page(limit=200)] == trail


def test_counts_that_differ_undo_it_all(
    both: tuple[Place, Place], ends: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a table arrives with fewer rows nothing is left of the copy; else all is there."""
    with closing(both[0].make()) as storage:
        fill(storage)
    insert = type(ends[1]).insert

    def lossy(self: Any, table: Any, rows: Any) -> None:
        kept = list(rows)
        insert(self, table, kept[:-1] if table.name == "messages" else kept)

    with monkeypatch.context() as patched:
        patched.setattr(type(ends[1]), "insert", lossy)
        with pytest.raises(StorageError, match="of 3 rows of tenant 'default' in messages 2 arr"):
            transfer(*ends)
    assert set(_rows(both[1]).values()) == {0}
    transfer(*ends)


def test_what_the_target_refuses_undoes_it_all(
    both: tuple[Place, Place], ends: tuple[Any, Any]
) -> None:
    """Rows that break a rule of the tables stop the copy, and nothing of it is left."""
    with closing(both[0].make()) as storage:
        fill(storage)
    both[0].damage(
        "DROP INDEX tokens_current",
        "UPDATE tokens SET ended_at = NULL, ended_as = NULL WHERE customer_id = 'C-1'",
    )
    with pytest.raises(StorageError, match="breaks a rule of its tables"):
        transfer(*ends)
    assert set(_rows(both[1]).values()) == {0}


def test_nobody_writes_to_a_file_meanwhile(
    both: tuple[Place, Place], ends: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is locked until all is copied; of a database one instant is copied."""
    with closing(both[0].make()) as storage:
        fill(storage)
    written = []

    def meanwhile(place: Any, tenant: str | None) -> Any:
        if place is ends[1] and not written:
            try:
                both[0].damage("PRAGMA busy_timeout = 1", *late) if is_file else _late(both[0])
                written.append(True)
            except sqlite3.OperationalError as error:
                written.append(str(error))
        return census(place, tenant)

    is_file = both[0].kind == "sqlite"
    late = ["UPDATE settings SET version = 99"]
    census = _transfer._census
    monkeypatch.setattr(_transfer, "_census", meanwhile)
    transfer(*ends)
    assert written == (["database is locked"] if is_file else [True])
    with closing(both[1].make()) as storage:
        assert storage.settings.get().version == 2


def _late(place: Place) -> None:
    with psycopg.connect(place.environment["BASIS_PORTAL_POSTGRES"]) as connection:
        schema = place.environment["BASIS_PORTAL_SCHEMA"]
        connection.execute(f"UPDATE {schema}.settings SET version = 99")


_KILLED = """
import os, signal, sys
from basis_portal.cli import main
from basis_portal.storage import _place_postgres

insert = _place_postgres.PostgresPlace.insert

def killed(self, table, rows):
    if table.name == sys.argv[1]:
        rows = list(rows)[:1]
        insert(self, table, rows)
        os.kill(os.getpid(), signal.SIGKILL)
    insert(self, table, rows)

_place_postgres.PostgresPlace.insert = killed
main(["copy"])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
@pytest.mark.parametrize("table", ["tokens", "allocations"])
def test_a_killed_copy_leaves_nothing(run: Run, file: Place, schema: Place, table: str) -> None:
    """Killed in the middle the target is empty, the file as it was, and the next run copies."""
    texts, before = filled(file)
    command = [sys.executable, "-c", _KILLED, table]
    environment = {**os.environ, **file.environment, **schema.environment}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert set(_rows(schema).values()) == {0}
    with closing(file.make()) as storage:
        assert state_of(storage, texts) == before
    assert run("copy", over=(file, schema)).status == 0
    with closing(schema.make()) as storage:
        assert state_of(storage, texts) == before
