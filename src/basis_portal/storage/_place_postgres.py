"""A schema of a PostgreSQL database as the operators' commands use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import TupleRow, tuple_row

from ..errors import StorageError
from ._place import TABLES, Finding, Table, Verdict
from ._postgres_connection import FAULTS, Database
from ._postgres_schema import MIGRATIONS, ddl, prepare, version_of
from ._postgres_sources import OwnPool
from ._postgres_words import check_schema, quoted, translator
from ._sql import Row, Units, Values

_TIMEOUT = 30.0
_BATCH = 2000  # rows
_AMOUNTS = ("units", "open_units", "total", "net", "tax")
_SWITCHES = ("is_latest", "blocked")


class PostgresPlace:
    """A `Place` in a schema of a PostgreSQL database."""

    def __init__(self, dsn: str, schema: str = "basis_portal") -> None:
        self.schema = check_schema(schema)
        self.name = f"PostgreSQL schema {self.schema!r}"
        self.steps = tuple(name for name, _ in MIGRATIONS)
        self._pool = OwnPool(dsn, 1, _TIMEOUT)
        self._faulty = Database(self._pool, schema, "", _TIMEOUT)
        self._translate = translator(schema)
        self._opened: psycopg.Connection[Any] | None = None

    # --- tables

    def version(self) -> int:
        """How many steps the tables have had."""
        with self._faults():
            return version_of(self.connection(), self.schema)

    def ddl(self, since: int) -> str:
        """The statements that take the tables from a step to the newest."""
        return ddl(self.schema, since)

    def migrate(self) -> int:
        """Make schema and tables, or make them the newest; how many steps it took."""
        with self._faults():
            return prepare(self.connection(), self.schema, migrate=True)

    def check_newest(self) -> None:
        """Raise `StorageError` where the tables are not the newest."""
        with self._faults():
            prepare(self.connection(), self.schema, migrate=False)

    # --- rows

    @contextmanager
    def reading(self, *, alone: bool = False) -> Iterator[None]:  # noqa: ARG002 (others go on)
        """A context that sees one instant, whatever others write."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, in which nobody else writes; undone where it raises."""
        with self._transaction("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"):
            tables = ", ".join(f"{quoted(self.schema)}.{table.name}" for table in TABLES)
            with self._faults():
                self.connection().execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")
            yield

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        """The rows of a statement, a batch in memory at a time."""
        cursor: psycopg.ServerCursor[TupleRow]
        with (
            self._faults(),
            self.connection().cursor("operated", row_factory=tuple_row) as cursor,
        ):
            cursor.itersize = _BATCH
            cursor.execute(self._translate(sql), values)
            yield from cursor

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Add rows by COPY, in their order."""
        makers = [_maker(column) for column in table.columns.split(", ")]
        columns = self._translate(table.columns)
        sql = f"COPY {quoted(self.schema)}.{table.name} ({columns})"
        with (
            self._faults(),
            self.connection().cursor() as cursor,
            cursor.copy(f"{sql} FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(
                    [
                        value if make is None or value is None else make(value)
                        for value, make in zip(row, makers, strict=True)
                    ]
                )

    # --- the server

    def health(self) -> Iterator[Finding]:
        """What the server promises. One of another encoding and a standby are not connected to."""
        yield Finding("server", Verdict.OK, "a primary, with the encoding UTF8")
        ((setting,),) = self.stream(
            "SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'"
        )
        if setting in ("off", "local"):
            text = (
                f"synchronous_commit is {setting}; what the portal commits itself has it on, but "
                "what a host commits on a connection of its own may be lost in a crash"
            )
            yield Finding("durability", Verdict.WARNING, text)
        else:
            yield Finding("durability", Verdict.OK, f"synchronous_commit is {setting}")

    # --- the connection

    def connection(self) -> psycopg.Connection[Any]:
        """The connection, opened when first asked for. Raises what psycopg raises."""
        if self._opened is None:
            self._opened = self._pool.connect()
        return self._opened

    def close(self) -> None:
        """Close the connection."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._faults():
            self.connection().execute(begin)
        try:
            yield
            with self._faults():
                self.connection().execute("COMMIT")
        finally:
            connection = self.connection()
            if not connection.closed and connection.info.transaction_status:
                connection.execute("ROLLBACK")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except FAULTS as error:
            raise self._faulty.failed(error) from error


def _maker(column: str) -> type | None:
    """What makes a value of SQLite one of a column."""
    return Units if column in _AMOUNTS else bool if column in _SWITCHES else None
