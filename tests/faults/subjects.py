"""Databases whose calls can be made to fail, and what is in them."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from decimal import Decimal
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar
from unittest.mock import patch

import attrs

from basis_portal import PortalConfig
from basis_portal.storage import _sqlite_connection
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import (
    CUSTOMER_ID,
    NOW,
    a_customer,
    a_message,
    a_payment,
    an_allocation,
    an_entry,
    an_invoice,
)

from ..postgres_server import drop_schema, schema_name
from .acknowledged import portal_over

T = TypeVar("T")
Dump = dict[str, list[str]]

OTHER = "C-2001"
"""A customer without a token."""
MANY = [f"C-3{number:03}" for number in range(30)]
"""More than the few rows that are written one by one."""
LATER = NOW + dt.timedelta(days=20)
"""When all that `seed` makes has happened."""


class Mode(StrEnum):
    """How a call fails."""

    BEFORE = "before"
    """It is not made."""
    AFTER = "after"
    """It is made, and its answer is lost."""
    LASTING = "lasting"
    """It is not made, and none after it."""
    UNDONE = "undone"
    """It is not made, and the database undoes the transaction by itself."""


@attrs.define
class Fuse:
    """Counts the calls of one thread, and lets one of them fail.

    Attributes:
        at: which one; 0 none.
        mode: how.
        error: makes what is raised, given the number of the call.
        calls: how many were met.
        thread: whose.
    """

    at: int
    mode: Mode
    error: Callable[[int], Exception]
    calls: int = 0
    thread: int = attrs.field(factory=threading.get_ident)

    @property
    def is_burnt(self) -> bool:
        """True where the call to fail was met."""
        return 0 < self.at <= self.calls

    @contextmanager
    def call(self, undo: Callable[[], object]) -> Iterator[None]:
        """One call; ``undo`` undoes the transaction it is in, if any."""
        if threading.get_ident() != self.thread:
            yield
            return
        self.calls += 1
        fails = self.calls == self.at or (self.is_burnt and self.mode is Mode.LASTING)
        if fails and self.mode is not Mode.AFTER:
            if self.mode is Mode.UNDONE:
                undo()
            raise self.error(self.calls)
        yield
        if fails:
            raise self.error(self.calls)


class Subject(Protocol):
    """A database whose calls can be made to fail. It is made with `seed` in it.

    Attributes:
        name: what it is.
        modes: how its calls can fail.
        runs_again: a transaction whose connection was lost is run again, unseen by the caller.
    """

    name: str
    modes: Collection[Mode]
    runs_again: bool

    def make(self) -> Any:
        """A storage over the seed as it was, whatever was written since."""
        ...

    def injecting(self, n: int, mode: Mode) -> AbstractContextManager[Fuse]:
        """Let the n-th call from now on fail; 0 only counts."""
        ...

    def dump(self) -> Dump:
        """All rows of all tables, read by a connection of its own."""
        ...

    def close(self) -> None:
        """Remove what was made."""
        ...


# --- SQLite -------------------------------------------------------------------------------

_really_connect = sqlite3.connect
_CODES = (
    (sqlite3.SQLITE_IOERR_WRITE, "disk I/O error"),
    (sqlite3.SQLITE_FULL, "database or disk is full"),
)


def _sqlite_error(number: int) -> Exception:
    code, says = _CODES[number % len(_CODES)]
    error = sqlite3.OperationalError(says)
    error.sqlite_errorcode = code
    return error


class FailingConnection(sqlite3.Connection):
    """A connection whose calls fail when the fuse says so."""

    fuse: Fuse | None = None

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Run one statement."""
        return self._call(super().execute, arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Run one statement for many rows."""
        return self._call(super().executemany, arguments)

    def _call(
        self, work: Callable[..., sqlite3.Cursor], arguments: tuple[Any, ...]
    ) -> sqlite3.Cursor:
        fuse = FailingConnection.fuse
        if fuse is None:
            return work(*arguments)
        with fuse.call(self.rollback):
            return work(*arguments)


class SQLiteSubject:
    """Files in a folder of its own."""

    name = "SQLite"
    modes: Collection[Mode] = tuple(Mode)
    runs_again = False

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="basis-portal-calls-"))
        self._path, self._seed = self._folder / "portal.db", self._folder / "seed.db"
        self._storage: SQLiteStorage | None = None
        with closing(SQLiteStorage(self._seed)) as storage:
            seed(storage)
        connect = partial(_really_connect, factory=FailingConnection)
        self._patch = patch.object(_sqlite_connection.sqlite3, "connect", connect)
        self._patch.start()

    def make(self) -> SQLiteStorage:
        """A storage over a copy of the seed."""
        self._close_storage()
        shutil.copyfile(self._seed, self._path)
        self._storage = SQLiteStorage(self._path)
        return self._storage

    @contextmanager
    def injecting(self, n: int, mode: Mode) -> Iterator[Fuse]:
        """Let the n-th call from now on fail; 0 only counts."""
        FailingConnection.fuse = Fuse(n, mode, _sqlite_error)
        try:
            yield FailingConnection.fuse
        finally:
            FailingConnection.fuse = None

    def dump(self) -> Dump:
        """All rows of all tables, read by a connection of its own."""
        with closing(_really_connect(self._path)) as plain:
            names = plain.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            ).fetchall()
            return {name: _rows(plain.execute(f"SELECT * FROM {name}")) for (name,) in names}

    def close(self) -> None:
        """Remove what was made."""
        self._close_storage()
        self._patch.stop()
        shutil.rmtree(self._folder)

    def _close_storage(self) -> None:
        if self._storage:
            self._storage.close()


def _rows(cursor: Any) -> list[str]:
    return sorted(map(repr, cursor))


# --- PostgreSQL ---------------------------------------------------------------------------


class PostgresSubject:
    """A schema of its own.

    Numbers that the server gives are left out of the dump: one that is undone is not given
    again.
    """

    name = "PostgreSQL"
    # What a server undoes by itself it says by an sqlstate, and the library runs that again.
    modes: Collection[Mode] = (Mode.BEFORE, Mode.AFTER, Mode.LASTING)
    # Where the answer to the end of a part is lost, the part cannot be undone alone any more.
    runs_again = True

    def __init__(self, dsn: str) -> None:
        import psycopg

        from basis_portal.storage.postgres import PostgresStorage

        self._schema = schema_name()
        self._plain = psycopg.connect(dsn, autocommit=True)
        self._storage = PostgresStorage(dsn, schema=self._schema)
        seed(self._storage)
        self._tables = self._columns()
        self._copy(self._schema, f"{self._schema}_seed", "CREATE TABLE {to} AS TABLE {source}")

    def make(self) -> Any:
        """The storage, its rows those of the seed."""
        names = ", ".join(f'"{self._schema}".{table}' for table in self._tables)
        self._plain.execute(f"TRUNCATE {names}")
        insert = (
            "INSERT INTO {to} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {source}"
        )
        self._copy(f"{self._schema}_seed", self._schema, insert)
        return self._storage

    @contextmanager
    def injecting(self, n: int, mode: Mode) -> Iterator[Fuse]:
        """Let the n-th call from now on fail; 0 only counts."""
        import psycopg

        fuse = Fuse(n, mode, lambda number: psycopg.OperationalError(f"call {number} failed"))
        with patch.multiple(psycopg.Cursor, **_failing(psycopg.Cursor, fuse)):
            yield fuse

    def dump(self) -> Dump:
        """All rows of all tables, read by a connection of its own."""
        return {
            table: _rows(
                self._plain.execute(
                    f"SELECT {', '.join(sorted({*columns} - {'added', 'position'}))} "
                    f'FROM "{self._schema}".{table}'
                )
            )
            for table, columns in self._tables.items()
        }

    def close(self) -> None:
        """Remove what was made."""
        self._storage.close()
        for name in (self._schema, f"{self._schema}_seed"):
            drop_schema(self._plain, name)
        self._plain.close()

    def _columns(self) -> dict[str, list[str]]:
        """The columns of each table, those that others refer to first."""
        found = self._plain.execute(
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) "
            "FROM information_schema.columns WHERE table_schema = %s GROUP BY table_name "
            "ORDER BY table_name = 'allocations', table_name",
            (self._schema,),
        )
        return {name: columns for name, columns in found.fetchall() if name != "migrations"}

    def _copy(self, source: str, to: str, statement: str) -> None:
        self._plain.execute(f'CREATE SCHEMA IF NOT EXISTS "{to}"')
        for table, columns in self._tables.items():
            self._plain.execute(
                statement.format(
                    source=f'"{source}".{table}', to=f'"{to}".{table}', columns=", ".join(columns)
                )
            )


def _failing(kind: Any, fuse: Fuse) -> dict[str, Any]:
    """The methods of a cursor that ask the server, each of them through the fuse."""

    def plain(method: Callable[..., T]) -> Callable[..., T]:
        def call(self: Any, *arguments: Any, **named: Any) -> T:
            with fuse.call(lambda: None):
                return method(self, *arguments, **named)

        return call

    @contextmanager
    def copy(self: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
        with fuse.call(lambda: None), really_copy(self, *arguments, **named) as writer:
            yield writer

    really_copy = kind.copy
    return {"execute": plain(kind.execute), "executemany": plain(kind.executemany), "copy": copy}


# --- what is in them ----------------------------------------------------------------------


def seed(storage: Any) -> None:
    """Customers with and without a token, a thread, a note, documents and a ledger."""
    others = [a_customer(one, email=None, number=None) for one in (OTHER, *MANY)]
    storage.customers.save(a_customer(), *others)
    storage.documents.save(an_invoice(), an_invoice("INV-2"))
    storage.ledger.save(an_entry(), an_entry("INV-2"), a_payment(), a_payment("PAY-2"))
    half = Decimal("59.50")
    storage.ledger.allocate(an_allocation(amount=half))
    portal = portal_over(storage, lambda: NOW)
    config = PortalConfig(enabled=True, allow_messages=True, show_statement=True)
    portal.settings.save(config, by="ana")
    with known_ids(0):
        for one in (CUSTOMER_ID, *MANY[:3]):
            portal.tokens.generate(one, by="ana")
        portal.tokens.regenerate(MANY[0], by="ana")
        storage.messages.add(a_message())
        portal.messages.note(CUSTOMER_ID, "Pays late, but pays.", by="ana")
    storage.tokens.mark_opened(f"{0:022}", NOW, unless_within=dt.timedelta(hours=1))


@contextmanager
def known_ids(first: int) -> Iterator[None]:
    """What is drawn at random counts from ``first`` meanwhile, so that two runs draw the same."""
    numbers = count(first)
    with (
        patch("secrets.token_urlsafe", lambda _: f"{next(numbers):022}"),
        patch("secrets.token_hex", lambda _: f"{next(numbers):032}"),
    ):
        yield
