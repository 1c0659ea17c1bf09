"""An SQLite file: reading, transactions, and what its errors mean.

Writers take the lock of the file at once, since a transaction that reads first and wants to
write later fails where another has written in between.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import starmap
from pathlib import Path
from typing import Any, TypeVar

from ..errors import InvalidValue, StorageError
from ._after_commit import Call, make_calls
from ._sql import Row, Values, marks
from ._sqlite_schema import check_floor, prepare
from ._sqlite_session import File, Session, close_all, was_carried_over
from ._sqlite_turn import Turn

T = TypeVar("T")

LEAST_TIMEOUT = 5.0
MOST_TIMEOUT = 3600.0
_PATIENCE = 8  # milliseconds

_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Issuing to very many customers writes all over the indexes of the tokens: with these it
    # writes a page less often. They cost at most 8 MB per thread and 16 MB of log.
    "PRAGMA cache_size = -8000",
    "PRAGMA wal_autocheckpoint = 4000",
)

# What SQLite says, what Python's binding says of values that SQLite cannot hold, and what
# decoding says of rows that nobody of ours wrote.
FAULTS = (
    sqlite3.Error,
    OSError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)


class Statements(ABC):
    """What is done alike over every connection: most of a `_sql.Database`."""

    @abstractmethod
    def each(self, make: Callable[..., T], sql: str, values: Values = ()) -> list[T]:
        """What ``make`` makes of the columns of each row, fetched out."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]:
        """A transaction, or the part of one that is undone alone where it raises."""

    @abstractmethod
    def _run(self, execute: Callable[[Any], sqlite3.Cursor]) -> int:
        """How many rows ``execute`` changes by what it is given to execute statements."""

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows, fetched out: an open cursor would go on seeing what was before."""
        return self.each(_as_row, sql, values)

    def one(self, make: Callable[..., T], sql: str, values: Values = ()) -> T | None:
        """What ``make`` makes of the one row, or None where there is none."""
        found = self.each(make, sql, values)
        return found[0] if found else None

    def write(self, work: Callable[[], T]) -> T:
        """Run ``work`` in a transaction, or as a part of one."""
        with self.writing():
            return work()

    def alone(self, what: str) -> None:  # noqa: B027 (nothing is to be done)
        """Nothing more to do: who writes has the whole file to itself."""

    def is_taken(self, error: StorageError) -> bool:
        """True where a unique index refused a row."""
        return isinstance(error.__cause__, sqlite3.IntegrityError)

    def insert(self, table: str, columns: str, values: Sequence[Row]) -> None:
        """Add rows."""
        self.run_many(f"INSERT INTO {table} ({columns}) VALUES ({marks(columns)})", values)

    def run(self, sql: str, values: Values = ()) -> int:
        """Run one statement and return how many rows it changed."""
        return self._run(lambda place: place.execute(sql, values))

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of ``values``."""
        self._run(lambda place: place.executemany(sql, values))


class Database(Statements):
    """One file and the connections to it.

    A `_sql.Database`. All of its methods raise `StorageError` for whatever SQLite says.
    """

    def __init__(self, path: object, timeout: object, *, migrate: bool = True) -> None:
        self.path = _check_path(path)
        self._timeout = _check_timeout(timeout)
        self._migrate = migrate
        self._local = threading.local()
        self._process = os.getpid()
        self._queue = Turn()
        self._known: File | None = None
        check_floor()
        self._open(make=True)

    # --- reading

    def each(self, make: Callable[..., T], sql: str, values: Values = ()) -> list[T]:
        """What ``make`` makes of the columns of each row, fetched out as well."""
        session = self._lock_session()
        try:
            cursor = session.connection.execute(sql, values)
            try:
                return list(starmap(make, cursor))
            finally:
                cursor.close()
        except FAULTS as error:
            raise self._failed(error) from error
        finally:
            session.lock.release()

    def fresh(self, make: Callable[..., T], sql: str, values: Values = ()) -> list[T]:
        """As `each`, but what is committed by now also within a snapshot."""
        if not self._session().reading:
            return self.each(make, sql, values)
        kept, self._local.session = self._local.session, None
        try:
            return self.each(make, sql, values)
        finally:
            if self._local.session is not None:
                self._local.session.close()
            self._local.session = kept

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let the reads of this thread all see one committed instant: the present one."""
        session = self._session()
        if session.depth:
            yield
            return
        session = self._begin(_hold_still)
        session.reading, calls = True, session.calls
        try:
            yield
        finally:
            session.reading = False
            self._end(session)
            # It has nothing to undo, but a child that was forked in it would repeat its parent.
            make_calls([] if session.is_inherited else calls)

    # --- writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction, or the part of one that is undone alone where it raises."""
        if self._session().depth:
            with self._part():
                yield
            return
        with self._turn():
            session = self._begin(self._lock_file)
            calls = session.calls
            try:
                yield
                self.run("COMMIT")
            finally:
                self._end(session)
        make_calls(calls)

    def after_commit(self, call: Call) -> None:
        """As `Storage.after_commit`."""
        session: Session | None = getattr(self._local, "session", None)
        if session is not None and session.depth:
            session.calls.append(call)
        else:
            make_calls([call])

    def close(self) -> None:
        """Close the connections of all threads. The next use opens new ones."""
        close_all(self)
        self._known = None

    # --- transactions

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let the threads of this process write one after the other, in the order they came."""
        turn = self._queue
        if not turn.take(self._timeout):
            error = TimeoutError("other threads were writing all the while")
            raise self._failed(error) from error
        try:
            yield
        finally:
            turn.give()

    def _begin(self, start: Callable[[sqlite3.Connection], None]) -> Session:
        session = self._lock_session()
        try:
            start(session.connection)
            session.depth = 1
        except FAULTS as error:
            raise self._failed(error) from error
        finally:
            if not session.depth:
                _undo(session)
            session.lock.release()
        return session

    def _lock_file(self, connection: sqlite3.Connection) -> None:
        """Begin to write.

        SQLite looks for the lock after ever longer pauses, and among processes that write
        without pause the one that came first would look in vain until its time is up. So it
        is asked anew every few milliseconds.
        """
        connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}").close()
        try:
            for _ in range(int(self._timeout * 1000 / _PATIENCE) - 1):
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if _primary_code(error) not in _LOCKED:
                        raise
                else:
                    return
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}").close()

    @contextmanager
    def _part(self) -> Iterator[None]:
        session = self._session()
        if session.reading:
            raise StorageError("a snapshot is for reading: write before it or after it")
        name = f"part{session.depth}"
        self.run(f"SAVEPOINT {name}")
        session.depth += 1
        kept, before = False, len(session.calls)
        try:
            yield
            self.run(f"RELEASE {name}")
            kept = True
        finally:
            session.depth -= 1
            if not kept:
                del session.calls[before:]
                with session.lock:
                    _undo(session, f"ROLLBACK TO {name}", f"RELEASE {name}")

    def _run(self, execute: Callable[[Any], sqlite3.Cursor]) -> int:
        session = self._lock_session()
        try:
            # Where a fault has undone the transaction, what follows would commit alone.
            if session.closed or not session.connection.in_transaction:
                raise StorageError(
                    f"the transaction on SQLite file {self.path!r} was undone by an earlier error "
                    "or by closing the storage; nothing of it is left, so run it again"
                )
            cursor = execute(session.connection)
            cursor.close()
            return cursor.rowcount
        except FAULTS as error:
            raise self._failed(error) from error
        finally:
            session.lock.release()

    def _end(self, session: Session) -> None:
        """End a transaction, undone where it was not committed."""
        with session.lock:
            session.depth, session.calls = 0, []
            _undo(session)

    # --- connections

    def _lock_session(self) -> Session:
        """The session of this thread, its lock taken."""
        while True:
            session = self._session()
            session.lock.acquire()
            if session.depth or not session.closed:
                return session
            session.lock.release()

    def _session(self) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if session is None or session.is_inherited:
            return self._open()
        if session.depth:
            return session
        self._file()
        return self._open() if session.closed else session

    def _file(self) -> File:
        """Which file has the name now. SQLite would apply the log of an earlier one to it."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise self._failed(error) from error
        file = (found.st_dev, found.st_ino)
        if self._known not in (None, file):
            raise StorageError(
                f"SQLite file {self.path!r} was replaced while in use; stop the programs that "
                "use it, see that the right file is there without a -wal file of another, and "
                "start them again"
            )
        return file

    def _open(self, *, make: bool = False) -> Session:
        """A new connection for this thread. Only the first of a storage may make the file."""
        if self._process != os.getpid():
            self._process, self._queue = os.getpid(), Turn()
        is_new = make and not os.path.exists(self.path)
        if is_new and not self._migrate:
            raise StorageError(
                f"there is no SQLite file {self.path!r}; run 'basis-portal migrate', or the "
                "statements that ddl() gives"
            )
        if not is_new and was_carried_over(self._file()):
            raise StorageError(
                f"SQLite file {self.path!r} was in use when this process was forked, so what it "
                "commits could be lost; close the storage before a fork, or open it after it"
            )
        if is_new:
            make_private(self.path)
        try:
            connection = self._connect("rwc" if is_new else "rw")
        except FAULTS as error:
            raise self._failed(error) from error
        self._known = self._file()
        session = self._local.session = Session(connection, self._known, self)
        return session

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{Path(self.path).as_uri()}?mode={mode}",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma).close()
            prepare(connection, self.path, migrate=self._migrate)
        except BaseException:
            connection.close()
            raise
        return connection

    def _failed(self, error: Exception) -> StorageError:
        return failed(self.path, self._timeout, error)


def make_private(path: str) -> None:
    """Make a file of which the machine's other users read nothing, whatever the umask.

    Its log gets the same mode from SQLite, which also says why where it cannot be made.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o660))


# --- faults


def failed(path: str, timeout: float, error: Exception) -> StorageError:
    """What an error means: which file, what is wrong with it, and what to do."""
    return StorageError(f"SQLite file {path!r} {_explain(path, timeout, error)}")


def _explain(path: str, timeout: float, error: Exception) -> str:
    primary = _primary_code(error)
    folder = os.path.dirname(path)
    if primary == sqlite3.SQLITE_CANTOPEN and not os.path.isdir(folder):
        return f"cannot be opened: there is no folder {folder!r}; make it or name another file"
    if isinstance(error, TimeoutError) or primary in _LOCKED:
        return (
            f"was locked for more than {timeout:g} seconds; try again, and look for a program "
            "that leaves a transaction open"
        )
    if isinstance(error, FileNotFoundError):
        return "is gone; put it back, or restore it from a backup"
    advice = "cannot hold a value, or holds one that cannot be read"
    if primary is not None:
        advice = _ADVICE.get(primary, "could not be used")
    return f"{advice} ({type(error).__name__}: {error})"


_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
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


def _primary_code(error: Exception) -> int | None:
    """What SQLite says, without the details that it adds in the higher bits."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _as_row(*columns: Any) -> Row:
    return columns


def _hold_still(connection: sqlite3.Connection) -> None:
    """Begin to read: what the first read sees is what all others will see."""
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM migrations").fetchall()


def _undo(session: Session, *statements: str) -> None:
    """Undo a transaction, or the part that ``statements`` undo; its lock is held.

    Where that fails the whole is undone, and a connection that cannot do even that is closed.
    A child that was forked in the middle of it leaves it alone: it is its parent's.
    """
    if session.is_inherited:
        return
    try:
        try:
            for statement in statements or ["ROLLBACK"] * session.connection.in_transaction:
                session.connection.execute(statement)
        except sqlite3.Error:
            session.connection.execute("ROLLBACK")
    except sqlite3.Error:
        session.drop()


def _check_path(path: object) -> str:
    if not isinstance(path, str | bytes | os.PathLike):
        raise InvalidValue.of("path", path, "must name a file, or be a sqlite3.Connection")
    name = os.fsdecode(path)
    if name in ("", ":memory:"):
        raise InvalidValue.of("path", path, "must name a file (InMemoryStorage needs none)")
    if "\x00" in name:
        raise InvalidValue.of("path", path, "must name a file, without NUL")
    return os.path.abspath(name)


def _check_timeout(timeout: object) -> float:
    if not isinstance(timeout, int | float) or not LEAST_TIMEOUT <= timeout <= MOST_TIMEOUT:
        rule = f"must be a number of seconds from {LEAST_TIMEOUT:g} to {MOST_TIMEOUT:g}"
        raise InvalidValue.of("timeout", timeout, rule)
    return float(timeout)
