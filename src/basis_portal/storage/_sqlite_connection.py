"""An SQLite file: a connection per thread, transactions, and what its errors mean.

A connection serves one thread of one process: it is closed when the thread ends, and never
used in a forked child. Writers take the lock of the file at once, since a transaction that
reads first and wants to write later fails where another has written in between.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import starmap
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

from ..errors import InvalidValue, StorageError
from ._sql import Row
from ._sqlite_schema import check_floor, prepare

T = TypeVar("T")

LEAST_TIMEOUT = 5.0
MOST_TIMEOUT = 3600.0

# What SQLite says, what Python's binding says of values that SQLite cannot hold, and what
# decoding says of rows that nobody of ours wrote.
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Issuing to very many customers writes all over the indexes of the tokens: with these it
    # writes a page less often. They cost at most 8 MB per thread and 16 MB of log.
    "PRAGMA cache_size = -8000",
    "PRAGMA wal_autocheckpoint = 4000",
)

FAULTS = (sqlite3.Error, OSError, ArithmeticError, LookupError, TypeError, ValueError)


class _Session:
    """The connection of one thread, and what it is in the middle of."""

    # Connections of a parent process: SQLite forbids a child even to close them.
    inherited: ClassVar[list[sqlite3.Connection]] = []

    def __init__(self, connection: sqlite3.Connection, file: tuple[int, int]) -> None:
        self.connection = connection
        self.file = file
        self.process = os.getpid()
        self.depth = 0
        self.reading = False
        self.closed = False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if self.process == os.getpid():
                self.connection.close()
            else:
                self.inherited.append(self.connection)

    def __del__(self) -> None:
        self.close()


class Database:
    """One file and the connections to it.

    ``rows``, ``each`` and ``one`` read, ``run`` and ``run_many`` write within ``writing``.
    All of them raise `StorageError` for whatever SQLite says.
    """

    def __init__(self, path: object, timeout: object) -> None:
        self.path = _check_path(path)
        self._timeout = _check_timeout(timeout)
        self._local = threading.local()
        self._sessions: WeakValueDictionary[int, _Session] = WeakValueDictionary()
        check_floor()
        self._open(make=True)

    # --- reading

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows, fetched out: an open cursor would go on seeing what was before."""
        try:
            return self._session().connection.execute(sql, values).fetchall()
        except FAULTS as error:
            raise self._failed(error) from error

    def each(self, make: Callable[..., T], sql: str, values: Sequence[Any] = ()) -> list[T]:
        """What ``make`` makes of the columns of each row."""
        try:
            return list(starmap(make, self._session().connection.execute(sql, values)))
        except FAULTS as error:
            raise self._failed(error) from error

    def one(self, make: Callable[..., T], sql: str, values: Sequence[Any] = ()) -> T | None:
        """What ``make`` makes of the one row, or None where there is none."""
        found = self.each(make, sql, values)
        return found[0] if found else None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let the reads of this thread all see one committed instant: the present one."""
        session = self._session()
        if session.depth:
            yield
            return
        self._begin(session, "BEGIN", "SELECT count(*) FROM migrations")
        session.reading = True
        try:
            yield
        finally:
            session.reading = False
            self._roll_back(session)

    # --- writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction, or the part of one that is undone alone where it raises."""
        session = self._session()
        if session.depth:
            with self._part(session):
                yield
            return
        self._begin(session, "BEGIN IMMEDIATE")
        try:
            yield
            self._check_whole(session)
            self._execute(session, "COMMIT")
        except BaseException:
            self._roll_back(session)
            raise
        session.depth = 0

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement and return how many rows it changed."""
        session = self._session()
        self._check_whole(session)
        return self._execute(session, sql, values)

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of ``values``."""
        session = self._session()
        self._check_whole(session)
        try:
            session.connection.executemany(sql, values)
        except FAULTS as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the connections of all threads. The next use opens new ones."""
        for reference in self._sessions.valuerefs():
            if session := reference():
                session.close()

    # --- transactions

    def _begin(self, session: _Session, *statements: str) -> None:
        try:
            for statement in statements:
                session.connection.execute(statement).fetchall()
        except BaseException as error:
            self._roll_back(session)
            if isinstance(error, FAULTS):
                raise self._failed(error) from error
            raise
        session.depth = 1

    @contextmanager
    def _part(self, session: _Session) -> Iterator[None]:
        if session.reading:
            raise StorageError("a snapshot is for reading: write before it or after it")
        self._check_whole(session)
        name = f"part{session.depth}"
        self._execute(session, f"SAVEPOINT {name}")
        session.depth += 1
        try:
            yield
            self._check_whole(session)
        except BaseException:
            # SQLite may have given up the whole transaction; the outer one will notice.
            with suppress(sqlite3.Error):
                session.connection.execute(f"ROLLBACK TO {name}")
                session.connection.execute(f"RELEASE {name}")
            raise
        else:
            self._execute(session, f"RELEASE {name}")
        finally:
            session.depth -= 1

    def _check_whole(self, session: _Session) -> None:
        """Refuse to go on where a fault has undone the transaction: the rest would commit alone."""
        if session.closed or not session.connection.in_transaction:
            raise StorageError(
                f"the transaction on SQLite file {self.path!r} was undone by an earlier error or "
                "by closing the storage; nothing of it is left, so run it again"
            )

    def _execute(self, session: _Session, sql: str, values: Sequence[Any] = ()) -> int:
        try:
            cursor = session.connection.execute(sql, values)
            cursor.fetchall()
            return cursor.rowcount
        except FAULTS as error:
            raise self._failed(error) from error

    def _roll_back(self, session: _Session) -> None:
        """End the transaction; a connection that cannot even do that is given up."""
        session.depth = 0
        try:
            if session.connection.in_transaction:
                session.connection.execute("ROLLBACK")
        except sqlite3.Error:
            session.close()

    # --- connections

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._local, "session", None)
        if session is None or session.process != os.getpid():
            return self._open()
        if session.depth:
            return session
        if session.closed or session.file != self._file():
            return self._open()
        return session

    def _file(self) -> tuple[int, int]:
        """What tells this file from another of its name, put there meanwhile."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise self._failed(error) from error
        return (found.st_dev, found.st_ino)

    def _open(self, *, make: bool = False) -> _Session:
        """A new connection for this thread. Only the first of a storage may make the file."""
        self._local.session = None
        if not make:
            self._file()
        try:
            connection = sqlite3.connect(
                f"{Path(self.path).as_uri()}?mode={'rwc' if make else 'rw'}",
                uri=True,
                timeout=self._timeout,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            try:
                for pragma in _PRAGMAS:
                    connection.execute(pragma)
                prepare(connection, self.path)
            except BaseException:
                connection.close()
                raise
        except FAULTS as error:
            raise self._failed(error) from error
        session = _Session(connection, self._file())
        self._local.session = session
        self._sessions[id(session)] = session
        return session

    # --- faults

    def _failed(self, error: Exception) -> StorageError:
        """What an error means: which file, what is wrong with it, and what to do."""
        return StorageError(f"SQLite file {self.path!r} {self._explain(error)}")

    def _explain(self, error: Exception) -> str:
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        folder = os.path.dirname(self.path)
        if primary == sqlite3.SQLITE_CANTOPEN and not os.path.isdir(folder):
            return f"cannot be opened: there is no folder {folder!r}; make it or name another file"
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return (
                f"was locked for more than {self._timeout:g} seconds; try again, and look for a "
                "program that leaves a transaction open"
            )
        if isinstance(error, FileNotFoundError):
            return "is gone; put it back, or restore it from a backup"
        advice = "cannot hold a value, or holds one that cannot be read"
        if primary is not None:
            advice = _ADVICE.get(primary, "could not be used")
        return f"{advice} ({type(error).__name__}: {error})"


_ADVICE = {
    sqlite3.SQLITE_READONLY: "cannot be written; let this process write to it and to its folder",
    sqlite3.SQLITE_FULL: "cannot grow, its disk is full; make room and try again",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "is no SQLite database or is damaged; restore it from a backup, "
    "or name another file",
    sqlite3.SQLITE_IOERR: "could not be read or written; check its disk",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; let this process read and write it and its folder",
    sqlite3.SQLITE_CONSTRAINT: "refused the change, which breaks a rule of its tables",
}


def _check_path(path: object) -> str:
    if not isinstance(path, str | bytes | os.PathLike):
        raise InvalidValue.of("path", path, "must name a file")
    name = os.fsdecode(path)
    if name in ("", ":memory:"):
        raise InvalidValue.of("path", path, "must name a file (InMemoryStorage needs none)")
    if "\x00" in name:
        raise InvalidValue.of("path", path, "must name a file, without NUL")
    return os.path.abspath(name)


def _check_timeout(timeout: object) -> float:
    if type(timeout) not in (int, float) or not LEAST_TIMEOUT <= timeout <= MOST_TIMEOUT:  # type: ignore[operator]
        rule = f"must be a number of seconds from {LEAST_TIMEOUT:g} to {MOST_TIMEOUT:g}"
        raise InvalidValue.of("timeout", timeout, rule)
    return float(timeout)  # type: ignore[arg-type]
