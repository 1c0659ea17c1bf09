"""What our storages do beyond the contract of calls after a commit: faults, logs, connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, NoReturn

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from basis_portal import StorageError
from basis_portal.repositories import FullStorage, UnitOfWork
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import an_audit_entry
from basis_portal.testing.parts.transactions import Stop, refuse

Place = tuple[str, str]
LINK = "https://erp.example.com/portal/secret-text"


@pytest.fixture
def calls() -> list[Any]:
    """What was called."""
    return []


@pytest.fixture
def postgres(postgres_schema: Place) -> Iterator[PostgresStorage]:
    """A storage in a new schema."""
    dsn, schema = postgres_schema
    with closing(PostgresStorage(dsn, schema=schema)) as storage:
        yield storage


def write(unit: UnitOfWork) -> None:
    """Write a line of the trail."""
    unit.audit.append([an_audit_entry()])


def fail(text: str) -> NoReturn:
    """Fail with an error that repeats what it was given."""
    raise ZeroDivisionError(text)


# --- whatever the storage -------------------------------------------------------------------


def test_a_failed_call_is_logged_without_what_it_says(
    storage: FullStorage, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the kind of error and the place in the code, and repeats no link."""
    storage.transact(lambda _: storage.after_commit(partial(fail, LINK)))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("basis_portal", "ERROR")
    assert "failed with ZeroDivisionError" in caplog.text
    assert f'{__file__}", line' in caplog.text
    assert "secret-text" not in caplog.text


def test_what_ends_the_program_passes_through(storage: FullStorage) -> None:
    """An interrupt within a call is no error of it; what was committed stands."""

    def work(unit: UnitOfWork) -> None:
        write(unit)
        storage.after_commit(partial(refuse, Stop()))

    with pytest.raises(Stop):
        storage.transact(work)
    storage.transact(write)
    assert len(storage.audit.page()) == 2


def test_a_snapshot_that_an_error_ends_has_undone_nothing(
    storage: FullStorage, calls: list[Any]
) -> None:
    """What was registered in it is called all the same, but not what a part of it gave up."""

    def part(_: UnitOfWork) -> None:
        storage.after_commit(partial(calls.append, "part"))
        raise ZeroDivisionError

    def leave() -> None:
        with storage.snapshot():
            storage.after_commit(partial(calls.append, "snapshot"))
            with pytest.raises((ZeroDivisionError, StorageError)):
                storage.transact(part)
            fail("the end")

    with pytest.raises(ZeroDivisionError, match="the end"):
        leave()
    assert calls == ["snapshot"]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_child_forked_in_a_snapshot_leaves_the_calls_to_its_parent(
    make_storage: Callable[[str], Any],
    kind: str,
    calls: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was registered before the fork is called in one of the processes, not in both."""
    storage = make_storage(kind)
    with storage.snapshot():
        session = storage._database._session()
        storage.after_commit(partial(calls.append, 1))
        monkeypatch.setattr(session, "_process" if kind == "sqlite" else "process", -1)
    assert calls == []
    monkeypatch.undo()
    storage._database._end(session)
    write(storage)


# --- SQLite ---------------------------------------------------------------------------------


def test_nothing_is_called_after_a_commit_that_failed(
    make_storage: Callable[[str], SQLiteStorage], calls: list[Any]
) -> None:
    """A transaction that was undone behind its back calls nothing, neither then nor later."""
    storage = make_storage("sqlite")

    def work(unit: UnitOfWork) -> None:
        write(unit)
        storage.after_commit(partial(calls.append, "undone"))
        storage.close()

    with pytest.raises(StorageError, match="was undone"):
        storage.transact(work)
    storage.transact(lambda _: storage.after_commit(partial(calls.append, "committed")))
    assert calls == ["committed"]
    assert storage.audit.page() == []


# --- PostgreSQL -----------------------------------------------------------------------------


def test_of_a_work_that_ran_again_the_last_run_is_called(
    postgres: PostgresStorage, postgres_admin: Any, calls: list[Any]
) -> None:
    """What a cut attempt registered is forgotten with it."""
    runs: list[int] = []

    def work(unit: UnitOfWork) -> None:
        runs.append(len(runs))
        postgres.after_commit(partial(calls.append, runs[-1]))
        if len(runs) < 3:
            postgres_admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                "pg_backend_pid() AND backend_type = 'client backend'"
            )
        write(unit)

    postgres.transact(work)
    assert (runs, calls) == ([0, 1, 2], [2])


@pytest.mark.parametrize("fault", ["lost", "warned"])
def test_nothing_is_called_after_a_commit_that_may_be_lost(
    postgres: PostgresStorage, calls: list[Any], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Where the connection is lost at the commit, or the server warns of it, nothing is called."""
    execute = psycopg.Cursor.execute

    def at_the_commit(self: Any, query: Any, *args: Any, **named: Any) -> Any:
        if query == "COMMIT" and fault == "warned":
            execute(self, "DO $$ BEGIN RAISE WARNING 'no longer waited'; END $$")
        found = execute(self, query, *args, **named)
        if query == "COMMIT" and fault == "lost":
            self.connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return found

    def work(unit: UnitOfWork) -> None:
        write(unit)
        postgres.after_commit(partial(calls.append, 1))

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", at_the_commit)
        with pytest.raises(StorageError, match=r"look before you repeat it|warned of its commit"):
            postgres.transact(work)
    assert calls == []
    postgres.transact(work)
    assert calls == [1]


def test_over_the_hosts_pool_it_is_called(
    postgres: PostgresStorage, postgres_schema: Place, calls: list[Any]
) -> None:
    """Transactions on connections of the host's pool are ours, and so is their commit."""
    dsn, schema = postgres_schema
    with ConnectionPool(dsn, min_size=1, max_size=1, open=True) as pool:
        pooled = PostgresStorage(pool, schema=schema)

        def work(unit: UnitOfWork) -> None:
            write(unit)
            pooled.after_commit(lambda: calls.append((len(pooled.audit.page()), write(pooled))))

        pooled.transact(work)
    assert calls == [(1, None)]
    assert len(postgres.audit.page()) == 2


@contextmanager
def hosts(place: Place, *, autocommit: bool) -> Iterator[tuple[Any, PostgresStorage]]:
    """A connection of the host, and a storage over it."""
    dsn, schema = place
    with closing(psycopg.connect(dsn, autocommit=autocommit)) as connection:
        yield connection, PostgresStorage(connection, schema=schema)


@pytest.mark.parametrize("autocommit", [False, True])
def test_in_the_hosts_transaction_nothing_is_called(
    postgres: PostgresStorage, postgres_schema: Place, calls: list[Any], autocommit: bool
) -> None:
    """The host commits or does not, of which a storage on its connection never learns."""
    with hosts(postgres_schema, autocommit=autocommit) as (connection, joined):
        connection.execute("BEGIN" if autocommit else "SELECT 1")

        def work(unit: UnitOfWork) -> None:
            write(unit)
            joined.after_commit(partial(calls.append, "within"))

        joined.transact(work)
        joined.after_commit(partial(calls.append, "between"))
        with joined.snapshot():
            joined.after_commit(partial(calls.append, "snapshot"))
        connection.execute("COMMIT") if autocommit else connection.commit()
    assert len(postgres.audit.page()) == 1
    assert calls == []


def test_on_an_idle_connection_of_the_host_it_is_called(
    postgres: PostgresStorage, postgres_schema: Place, calls: list[Any]
) -> None:
    """In autocommit mode a transaction is ours where the host has begun none."""
    with hosts(postgres_schema, autocommit=True) as (_, joined):

        def work(unit: UnitOfWork) -> None:
            write(unit)
            joined.after_commit(lambda: calls.append(len(postgres.audit.page())))

        joined.transact(work)
        joined.after_commit(partial(calls.append, "at once"))
    assert calls == [1, "at once"]
