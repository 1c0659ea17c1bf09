"""A connection of the host's to the SQLite file that holds its own tables and the portal's."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import starmap
from typing import Any, TypeVar

from ..errors import InvalidValue, StorageError
from ._after_commit import Call, make_calls
from ._sql import Values
from ._sqlite_connection import FAULTS, Statements, failed
from ._sqlite_schema import APPLICATION_ID, check_floor, check_newest

T = TypeVar("T")

# Changes nothing and takes the lock of the file. A transaction that saw an earlier instant is
# refused by it: there a revoke would miss a token that was issued since.
_TAKE_LOCK = "DELETE FROM settings WHERE 0"


class HostConnection(Statements):
    """What is done is part of the transaction that the host is in the middle of.

    A `_sql.Database`. The connection is used as it is: nothing of it is set, and only the host
    begins, commits and undoes. All methods raise `StorageError` for whatever SQLite says.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        check_floor()
        self._connection = connection
        self._process = os.getpid()
        if connection.text_factory is not str:
            raise InvalidValue("the connection must read text as str, its default", field="path")
        self.path, self._timeout = "of the host", 0.0
        self.path = str(self.rows("PRAGMA database_list")[0][2]) or ":memory:"
        self._timeout = self.rows("PRAGMA busy_timeout")[0][0] / 1000
        if self.rows("PRAGMA application_id") != [(APPLICATION_ID,)]:
            raise StorageError(
                f"the host's SQLite file {self.path!r} has no tables of the portal; run the "
                "statements that ddl() gives on it"
            )
        with self._cursor() as cursor:
            check_newest(cursor, self.path)

    # --- reading

    def each(self, make: Callable[..., T], sql: str, values: Values = ()) -> list[T]:
        """What ``make`` makes of the columns of each row, fetched out as well."""
        with self._cursor() as cursor:
            return list(starmap(make, cursor.execute(sql, values)))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What the host's transaction sees, which is one instant."""
        self._require_transaction()
        yield

    # --- writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A part of the host's transaction, undone alone where it raises."""
        self._require_transaction()
        self.run("SAVEPOINT basis_portal")
        try:
            self.run(_TAKE_LOCK)
            yield
            self.run("RELEASE basis_portal")
        except BaseException:
            self._undo()
            raise

    def after_commit(self, call: Call) -> None:
        """Call at once where no transaction runs; of the commit only the host learns."""
        if not self._connection.in_transaction:
            make_calls([call])

    def close(self) -> None:
        """Nothing: the connection is the host's."""

    def _run(self, execute: Callable[[Any], sqlite3.Cursor]) -> int:
        with self._cursor() as cursor:
            # Where a fault has undone the transaction, what follows would commit alone.
            if not self._connection.in_transaction:
                raise StorageError(
                    f"the host's transaction on SQLite file {self.path!r} was undone by an "
                    "earlier error; nothing of it is left, so run it again"
                )
            return execute(cursor).rowcount

    def _undo(self) -> None:
        """Undo the part; where even that fails, the whole, so that no half of it can be committed.

        Where a fault has undone the whole already, there is nothing left to undo.
        """
        if not self._connection.in_transaction:
            return
        try:
            for statement in ("ROLLBACK TO basis_portal", "RELEASE basis_portal"):
                self.run(statement)
        except StorageError:
            self.run("ROLLBACK")

    def _require_transaction(self) -> None:
        with self._cursor():
            if self._connection.in_transaction:
                return
        raise StorageError(
            "the host's connection is in no transaction that this could join; begin one (BEGIN "
            "IMMEDIATE; in Django transaction.atomic), or use a storage with the path of the file"
        )

    # --- the connection

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Cursor]:
        """A cursor that gives plain rows, whatever the host has its connections make."""
        if self._process != os.getpid():
            raise StorageError(
                "the host's connection was opened before this process was forked; open one in it"
            )
        try:
            with closing(sqlite3.Cursor(self._connection)) as cursor:
                yield cursor
        except FAULTS as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StorageError:
        if isinstance(error, sqlite3.ProgrammingError):
            return StorageError(
                f"the host's connection cannot be used here ({error}); give the storage an open "
                "connection of this thread"
            )
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY_SNAPSHOT:
            return StorageError(
                f"SQLite file {self.path!r} was written by others since the host's transaction "
                "first read it; undo that and run it again, begun by BEGIN IMMEDIATE"
            )
        return failed(self.path, self._timeout, error)
