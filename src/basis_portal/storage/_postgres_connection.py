"""A PostgreSQL database: reading, transactions, and what its errors mean."""

from __future__ import annotations

import os
import random
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import starmap
from typing import Any, TypeVar

import attrs
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row
from psycopg_pool import PoolTimeout

from ..errors import StorageError
from ._after_commit import Call, make_calls
from ._postgres_sources import Connection, PooledConnection, Source, teach
from ._postgres_words import quoted, translator
from ._sql import Row, Values

T = TypeVar("T")
CursorOf = Callable[[Connection], psycopg.Cursor[TupleRow]]

ATTEMPTS = 5
"""How often a transaction is run at most."""

_BUCKETS = 256
_FEW = 20  # rows; for more, COPY is worth its two extra trips to the server

_READ_ONLY = "25006"
# A transaction that met one of these has changed nothing and may well succeed when run again:
# serialization failure, deadlock, a row of somebody who was quicker, a server that only reads.
_AGAIN = ("40001", "40P01", "23505", _READ_ONLY)
# The connection is gone, or does not know what was prepared on it (poolers, and psycopg 3.1 after
# an error within executemany): another one may fare better.
_LOST = ("08", "57P", "26000", "42P05")

FAULTS = (
    psycopg.Error,
    OSError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)


@attrs.define(frozen=True)
class Frame:
    """The statements that begin a transaction, keep what it did, and undo it."""

    begin: str
    keep: str
    undo: Sequence[str]

    @classmethod
    def part(cls, name: str) -> Frame:
        """A part of a transaction."""
        undo = [f"ROLLBACK TO SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}"]
        return cls(f"SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}", undo)


_WRITING = Frame("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "COMMIT", ["ROLLBACK"])
# What the first read sees is what all others will see.
_STILL = Frame("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1", "COMMIT", ["ROLLBACK"])
_ISOLATION = "SHOW transaction_isolation"
_DURABLE = """; SET LOCAL lock_timeout = '{}ms'; SET LOCAL client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') IN ('off', 'local')
"""


@attrs.define(eq=False)
class Session:
    """What a thread is in the middle of.

    Attributes:
        connection: which that thread alone uses meanwhile.
        frame: of the outermost transaction.
        depth: how many transactions and parts of them are open.
        committing: the commit was sent.
        calls: what is to be called when it is committed, or the snapshot has ended.
        process: in which it began.
    """

    connection: Connection
    frame: Frame
    depth: int = 1
    committing: bool = False
    calls: list[Call] = attrs.field(factory=list)
    process: int = attrs.field(factory=os.getpid)

    @property
    def is_inherited(self) -> bool:
        """True in a child that was forked in the middle of it."""
        return self.process != os.getpid()


class Database:
    """The tables of one schema and the connections to them. A `_sql.Database`.

    Outside a transaction each statement commits by itself on a connection of its own. A
    connection that turns out to be dead is no visitor's trouble: the next one is asked.
    """

    def __init__(self, source: Source, schema: str, tenant: str, timeout: float) -> None:
        self.schema = schema
        self._source = source
        self._timeout = timeout
        self._local = threading.local()
        self._translate = translator(schema)
        self._place = f"basis_portal/{schema}/{tenant}/"

    # --- reading

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows."""
        return self.each(_as_row, sql, values)

    def each(self, make: Callable[..., T], sql: str, values: Values = ()) -> list[T]:
        """What ``make`` makes of the columns of each row."""
        session = self._session()
        if session is None:
            return self._read(make, sql, values)
        return self._fetch(self._cursor(session.connection), make, sql, values)

    def one(self, make: Callable[..., T], sql: str, values: Values = ()) -> T | None:
        """What ``make`` makes of the one row, or None where there is none."""
        found = self.each(make, sql, values)
        return found[0] if found else None

    def fresh(self, make: Callable[..., T], sql: str, values: Values = ()) -> list[T]:
        """As `each`, but what is committed by now also within a snapshot."""
        session = self._session()
        if session is not None and session.frame is _WRITING:
            return self.each(make, sql, values)
        return self._read(make, sql, values, self._opener)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let the reads of this thread all see one committed instant: the present one."""
        if self._session() is not None or self._is_joining():
            yield
            return
        session = self._begin(_STILL)
        try:
            yield
        finally:
            self._end(session)
            # It has nothing to undo, but a child that was forked in it would repeat its parent.
            make_calls([] if session.is_inherited else session.calls)

    def _read(
        self,
        make: Callable[..., T],
        sql: str,
        values: Values,
        cursor_of: CursorOf | None = None,
    ) -> list[T]:
        """Read outside any transaction, each statement on a connection of its own."""
        spare = self._source.spare
        while True:
            connection = self._take()
            try:
                return self._fetch((cursor_of or self._cursor)(connection), make, sql, values)
            except StorageError as error:
                if not (spare and _is_dead(connection, error)):
                    raise
            finally:
                self._source.give(connection)
            spare -= 1

    def _fetch(
        self, cursor: psycopg.Cursor[TupleRow], make: Callable[..., T], sql: str, values: Values
    ) -> list[T]:
        try:
            found = cursor.execute(self._translate(sql), values).fetchall()
            return list(starmap(make, found))
        except FAULTS as error:
            raise self.failed(error) from error

    # --- writing

    def write(self, work: Callable[[], T]) -> T:
        """Run ``work``, perhaps again, in a transaction; within one as a part undone alone."""
        return self._transact(work, [])

    def transact(self, work: Callable[[], T], lock: Collection[str]) -> T:
        """As `write`; of two that lock the same customer, or none, one waits for the other.

        Customers share a few hundred locks, since a server has room for some thousand.
        """
        buckets = {zlib.crc32(one.encode(errors="surrogatepass")) % _BUCKETS for one in lock}
        return self._transact(work, [f"customers/{one}" for one in buckets] or ["tenant"])

    def after_commit(self, call: Call) -> None:
        """As `Storage.after_commit`; of a commit of the host's nothing is known."""
        session = self._session()
        if session is not None:
            session.calls.append(call)
        elif not self._is_joining():
            make_calls([call])

    def alone(self, what: str) -> None:
        """Until the transaction ends nobody else of the tenant has the same ``what`` to itself."""
        self._lock([what])

    def run(self, sql: str, values: Values = ()) -> int:
        """Run one statement and return how many rows it changed."""
        with self._writing() as cursor:
            cursor.execute(self._translate(sql), values)
            return cursor.rowcount

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of ``values``."""
        rows = list(values)
        with self._writing() as cursor:
            _run_each(cursor, self._translate(sql), rows)

    def insert(self, table: str, columns: str, values: Sequence[Row]) -> None:
        """Add rows, many of them by COPY."""
        place = f"{quoted(self.schema)}.{table} ({columns})"
        with self._writing() as cursor:
            if len(values) <= _FEW:
                marks = ", ".join(["%s"] * len(columns.split(", ")))
                _run_each(cursor, f"INSERT INTO {place} VALUES ({marks})", values)
            else:
                with cursor.copy(f"COPY {place} FROM STDIN") as copy:
                    for row in values:
                        copy.write_row(row)

    def is_taken(self, error: StorageError) -> bool:
        """True where a unique index refused a row."""
        return isinstance(error.__cause__, psycopg.errors.UniqueViolation)

    def close(self) -> None:
        """Close what was opened here. The next use opens new connections."""
        self._source.close()

    @contextmanager
    def _writing(self) -> Iterator[psycopg.Cursor[TupleRow]]:
        session = self._session()
        if session is None or session.connection.info.transaction_status != _IN_TRANSACTION:
            raise StorageError(self._undone)
        try:
            with self._cursor(session.connection) as cursor:
                yield cursor
        except FAULTS as error:
            raise self.failed(error) from error

    def _lock(self, names: Collection[str]) -> None:
        """Wait for locks that end with the transaction, always in the same order."""
        if names:
            keys = sorted(_key(self._place + name) for name in names)
            self.run("SELECT pg_advisory_xact_lock(key) FROM unnest(?::bigint[]) AS key", (keys,))

    # --- transactions

    def _transact(self, work: Callable[[], T], locks: Collection[str]) -> T:
        session = self._session()
        if session is not None:
            return self._run_part(session, work, locks)
        frame = Frame.part("basis_portal") if self._is_joining() else _WRITING
        left = 0 if self._source.joins else ATTEMPTS - 1
        while True:
            session = self._begin(frame)
            try:
                result = self._run_whole(session, work, locks)
                break
            except StorageError as error:
                if not (left and _may_run_again(session, error)):
                    raise
            finally:
                self._end(session)
            time.sleep(random.uniform(0.001, 0.02) * (ATTEMPTS - left))  # noqa: S311
            left -= 1
        if frame is _WRITING:
            make_calls(session.calls)
        return result

    def _run_whole(self, session: Session, work: Callable[[], T], locks: Collection[str]) -> T:
        self._require_fresh_reads(session)
        self._lock(locks)
        result = work()
        if session.connection.info.transaction_status != _IN_TRANSACTION:
            raise StorageError(self._undone)
        session.committing = True
        with self._no_warning(session.connection):
            self._command(session, session.frame.keep)
        session.depth = 0
        return result

    @contextmanager
    def _no_warning(self, connection: Connection) -> Iterator[None]:
        """Refuse to acknowledge a commit of which the server says that it may yet be lost.

        It does where it was told to wait no longer for the synchronous standby.
        """
        warnings: list[str] = []

        def note(said: psycopg.errors.Diagnostic) -> None:
            if said.severity_nonlocalized == "WARNING":
                warnings.append(said.message_primary or "")

        connection.add_notice_handler(note)
        try:
            yield
        finally:
            connection.remove_notice_handler(note)
        if warnings:
            raise StorageError(
                f"{self._name} was changed, but the server warned of its commit: {warnings[0]!r}; "
                "a failover would undo the change until a standby has it, so see in "
                "pg_stat_replication that one follows again"
            )

    def _run_part(self, session: Session, work: Callable[[], T], locks: Collection[str]) -> T:
        if session.frame is _STILL:
            raise StorageError("a snapshot is for reading: write before it or after it")
        frame, kept = Frame.part(f"part{session.depth}"), False
        before = len(session.calls)
        self._command(session, frame.begin)
        session.depth += 1
        try:
            self._lock(locks)
            result = work()
            self._command(session, frame.keep)
            kept = True
            return result
        finally:
            session.depth -= 1
            if not kept:
                del session.calls[before:]
                self._undo(session, frame)

    def _begin(self, frame: Frame) -> Session:
        """Begin on a connection that is alive: to begin is to look whether it is."""
        spare = self._source.spare
        while True:
            session = Session(self._take(), frame)
            try:
                self._command(session, frame.begin + self._promises(frame))
            except StorageError as error:
                dead = _is_dead(session.connection, error)
                self._source.give(session.connection)
                if not (spare and dead):
                    raise
            else:
                self._local.session = session
                return session
            spare -= 1

    def _promises(self, frame: Frame) -> str:
        """What connections of our own are set to for good, for one transaction of a host's pool."""
        if frame is not _WRITING or not self._source.is_hosts:
            return ""
        return _DURABLE.format(round(self._timeout * 1000))

    def _require_fresh_reads(self, session: Session) -> None:
        """Refuse a transaction of the host that would not see what others have committed.

        The locks would be of no use there: a token issued since it began could not be revoked.
        """
        if session.frame is _WRITING:
            return
        found = self._fetch(self._cursor(session.connection), str, _ISOLATION, ())
        if found != ["read committed"]:
            raise StorageError(
                f"the host's transaction is {found[0].upper()} and does not see what others have "
                "committed since it began; use READ COMMITTED, or a storage with a DSN or a pool"
            )

    def _end(self, session: Session) -> None:
        """Give the connection back; what was not kept is undone."""
        self._local.session = None
        if session.is_inherited:
            _of_parents.append(session)
            return
        if session.depth:
            self._undo(session, session.frame)
        self._source.give(session.connection)

    def _undo(self, session: Session, frame: Frame) -> None:
        """Undo a transaction or a part of one; a connection that cannot even do that is closed."""
        try:
            if session.connection.info.transaction_status:
                for statement in frame.undo:
                    self._command(session, statement)
        except StorageError:
            if not session.is_inherited and not self._source.joins:
                session.connection.close()

    def _command(self, session: Session, statement: str) -> None:
        if session.is_inherited:
            raise StorageError("this process was forked in the middle of a transaction")
        try:
            with psycopg.Cursor(session.connection) as cursor:
                cursor.execute(statement, prepare=False)
        except psycopg.Error as error:
            if session.committing and session.connection.closed:
                raise StorageError(self._unknown) from error
            raise self.failed(error) from error

    def _session(self) -> Session | None:
        session: Session | None = getattr(self._local, "session", None)
        if session is None or not session.is_inherited:
            return session
        _of_parents.append(session)
        self._local.session = None
        return None

    def _is_joining(self) -> bool:
        """True where the host's connection is in a transaction, or begins one by any statement."""
        if not self._source.joins:
            return False
        connection = self._take()
        return not connection.autocommit or bool(connection.info.transaction_status)

    # --- connections

    def _take(self) -> Connection:
        try:
            return self._source.take()
        except FAULTS as error:
            raise self.failed(error) from error

    def _cursor(self, connection: Connection) -> psycopg.Cursor[TupleRow]:
        """A cursor as we need it, whatever the host has its connections make."""
        cursor = psycopg.Cursor(connection, row_factory=tuple_row)
        if self._source.is_hosts:
            teach(cursor.adapters)
        return cursor

    def _opener(self, connection: Connection) -> psycopg.Cursor[TupleRow]:
        if isinstance(connection, PooledConnection):
            return connection.opener
        return self._cursor(connection)

    # --- faults

    def failed(self, error: Exception) -> StorageError:
        """What an error means: what is wrong, and what to do."""
        code = getattr(error, "sqlstate", None) or ""
        said = getattr(getattr(error, "diag", None), "message_primary", None)
        lines = (said or str(error)).strip().splitlines() or [""]
        advice = self._advice(error, code)
        return StorageError(f"{self._name} {advice} ({type(error).__name__}: {lines[0]})")

    @property
    def _name(self) -> str:
        return f"PostgreSQL schema {self.schema!r}"

    def _advice(self, error: Exception, code: str) -> str:
        if isinstance(error, PoolTimeout):
            waited = "in time" if self._source.is_hosts else f"for {self._timeout:g} seconds"
            return (
                f"had no free connection {waited}; make the pool larger, and look for a program "
                "that leaves a transaction open"
            )
        if code == "55P03":
            return (
                f"was locked for more than {self._timeout:g} seconds; try again, and look for a "
                "program that leaves a transaction open"
            )
        for prefix, advice in _ADVICE.items():
            if code.startswith(prefix):
                return advice
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return "cannot be reached; see that the server runs and answers at this address"
        return "cannot hold a value, or holds one that cannot be read"

    @property
    def _undone(self) -> str:
        return (
            f"the transaction on {self._name} was undone by an earlier error; nothing of it is "
            "left, so run it again"
        )

    @property
    def _unknown(self) -> str:
        return (
            f"the connection to {self._name} was lost while a change was committed: it was made "
            "or it was not, nothing is half done; look before you repeat it"
        )


_IN_TRANSACTION = TransactionStatus.INTRANS
_of_parents: list[Session] = []
"""What this process inherited: kept, since to close it would end the parent's session."""

_ADVICE = {
    "23": "refused the change, which breaks a rule of its tables",
    "25P02": "has given up the transaction after an earlier error",
    _READ_ONLY: "is read only here; connect to the primary (target_session_attrs=read-write)",
    "28": "does not let this user in; see user and password",
    "3D": "cannot be reached: there is no such database",
    "3F": "is missing; run 'basis-portal migrate'",
    "42P01": "lacks a table; run 'basis-portal migrate'",
    "42501": "cannot be used by this user; grant it what the how-to page says",
    "40": "was in use by others at the same rows, again and again; try again",
    "53100": "cannot grow, the server's disk is full; make room and try again",
    "53300": "has no connection left; raise max_connections or make the pools smaller",
    "53": "cannot go on, the server lacks a resource",
    "57014": "was told to give up a statement; see statement_timeout",
    "57": "cannot be reached: the server is starting, stopping or crashed; try again",
    "58": "could not be read or written by the server; check its disk",
    "XX": "is damaged; restore it from a backup",
}


def _key(name: str) -> int:
    """The number of a lock: locks are shared by all that use the database, so it is a wide one."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _run_each(cursor: psycopg.Cursor[TupleRow], sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement for each row: many through a pipeline, a few one by one."""
    if len(rows) > _FEW:
        cursor.executemany(sql, rows)
        return
    for row in rows:
        cursor.execute(sql, row)


def _as_row(*columns: Any) -> Row:
    return columns


def _code_of(error: StorageError) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _is_dead(connection: Connection, error: StorageError) -> bool:
    """True where another connection may fare better; this one is closed then."""
    code = _code_of(error)
    if not connection.closed and (code.startswith(_LOST) or code == _READ_ONLY):
        connection.close()
    return connection.closed


def _may_run_again(session: Session, error: StorageError) -> bool:
    """True where nothing of a transaction is left, and it may well succeed when run again."""
    if _code_of(error) in _AGAIN:
        _is_dead(session.connection, error)
        return True
    return not session.committing and _is_dead(session.connection, error)
