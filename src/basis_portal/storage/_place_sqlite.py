"""An SQLite file as the operators' commands use it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StorageError
from ._place import Finding, Table, Verdict
from ._sql import Row, Values, marks
from ._sqlite_connection import FAULTS, failed, make_private
from ._sqlite_schema import MIGRATIONS, check_floor, check_newest, ddl, prepare, version_of

_TIMEOUT = 30.0


class SQLitePlace:
    """A `Place` in an SQLite file, which only `migrate` makes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self.name = f"SQLite file {self.path!r}"
        self.steps = tuple(name for name, _ in MIGRATIONS)
        self._opened: sqlite3.Connection | None = None

    # --- tables

    def version(self) -> int:
        """How many steps the file has had: none where there is none."""
        if not os.path.exists(self.path):
            return 0
        with self._faults():
            return version_of(self.connection(), self.path)

    def ddl(self, since: int) -> str:
        """The statements that take the file from a step to the newest."""
        return ddl(since)

    def migrate(self) -> int:
        """Make the file and its tables, or make them the newest; how many steps it took."""
        with self._faults():
            return prepare(self.connection(make=True), self.path)

    def check_newest(self) -> None:
        """Raise `StorageError` where the tables are not the newest."""
        with self._faults():
            check_newest(self.connection(), self.path)

    # --- rows

    @contextmanager
    def reading(self, *, alone: bool = False) -> Iterator[None]:
        """A context that sees one instant; ``alone``: and in which nobody writes."""
        with self._transaction("BEGIN IMMEDIATE" if alone else "BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, in which nobody else writes; undone where it raises."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        """The rows of a statement, one in memory at a time."""
        with self._faults():
            # Not from the cursor itself: it would be closed with a stream that is left, perhaps
            # long after its connection.
            yield from iter(self.connection().execute(sql, values).fetchone, None)

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Add rows, in their order."""
        sql = f"INSERT INTO {table.name} ({table.columns}) VALUES ({marks(table.columns)})"
        with self._faults():
            self.connection().executemany(sql, rows)

    # --- copies

    def copy_to(self, copy: SQLitePlace) -> None:
        """Copy the file as it is at one instant into another, while others read and write."""
        if not self.version():
            raise StorageError(f"{self.name} holds no portal, so there is nothing to copy")
        with self._faults():
            self.connection().backup(copy.connection())

    def finish(self) -> None:
        """Make a copy one file without a log beside it. Raises `StorageError` if it is damaged."""
        broken = [row[0] for row in self.stream("PRAGMA integrity_check(5)")]
        mode = list(self.stream("PRAGMA journal_mode = DELETE"))
        if broken != ["ok"] or mode != [("delete",)]:
            raise StorageError(
                f"the copy of the storage is damaged ({'; '.join(map(str, broken))}) and was "
                "removed; run 'basis-portal check'"
            )
        self.close()

    # --- the file itself

    def health(self) -> Iterator[Finding]:
        """Integrity, references, log and mode of the file."""
        broken = [str(row[0]) for row in self.stream("PRAGMA integrity_check(5)")]
        yield _finding(
            "integrity",
            Verdict.OK if broken == ["ok"] else Verdict.WRONG,
            "the file is whole",
            f"{'; '.join(broken)}; restore the file from a backup",
        )
        loose = {str(row[0]) for row in self.stream("PRAGMA foreign_key_check")}
        yield _finding(
            "references",
            Verdict.WRONG if loose else Verdict.OK,
            "every reference leads somewhere",
            f"rows of {', '.join(sorted(loose))} refer to rows that are not there; restore the "
            "file from a backup",
        )
        mode = [row[0] for row in self.stream("PRAGMA journal_mode")]
        yield _finding(
            "log",
            Verdict.OK if mode == ["wal"] else Verdict.WARNING,
            "the file has its write-ahead log",
            f"the journal mode is {mode[0]}; a storage that opens the file switches it to wal",
        )
        yield self._mode()

    def _mode(self) -> Finding:
        mode = os.stat(self.path).st_mode & 0o777
        return _finding(
            "file mode",
            Verdict.WARNING if os.name == "posix" and mode & 0o007 else Verdict.OK,
            f"other users have no access ({mode:04o})",
            f"every user of the machine can read it or more ({mode:04o}); chmod o= {self.path}",
        )

    # --- the connection

    def connection(self, *, make: bool = False) -> sqlite3.Connection:
        """The connection, opened when first asked for. Raises what SQLite raises."""
        if self._opened is None:
            check_floor()
            if not make and not os.path.exists(self.path):
                raise StorageError(
                    f"there is no {self.name}; name another one, or make it by "
                    "'basis-portal migrate'"
                )
            if make:
                make_private(self.path)
            self._opened = sqlite3.connect(
                f"{Path(self.path).as_uri()}?mode={'rwc' if make else 'rw'}",
                uri=True,
                timeout=_TIMEOUT,
                isolation_level=None,
            )
            for pragma in ("synchronous = FULL", "foreign_keys = ON"):
                self._opened.execute(f"PRAGMA {pragma}").close()
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
            if self.connection().in_transaction:
                self.connection().execute("ROLLBACK")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except FAULTS as error:
            raise failed(self.path, _TIMEOUT, error) from error


def _finding(about: str, verdict: Verdict, good: str, bad: str) -> Finding:
    return Finding(about, verdict, good if verdict is Verdict.OK else bad)
