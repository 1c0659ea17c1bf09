"""Everything in one SQLite file, shared by any number of threads and processes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from os import PathLike
from sqlite3 import Connection
from typing import TYPE_CHECKING, TypeVar

from ..domain.checks import check_tenant
from ..repositories import (
    AuditRepository,
    FullStorage,
    MailRepository,
    MessageRepository,
    Opening,
    SettingsRepository,
    StoredCustomers,
    StoredDocuments,
    StoredLedger,
    TokenRepository,
    UnitOfWork,
)
from . import _sql
from ._sql_documents import SQLCustomers, SQLDocuments
from ._sql_ledger import SQLLedger
from ._sql_mails import SQLMails
from ._sql_portal import SQLAudit, SQLMessages, SQLSettings
from ._sql_tokens import SQLTokens
from ._sqlite_connection import Database
from ._sqlite_host import HostConnection
from ._sqlite_schema import ddl

__all__ = ["SQLiteStorage", "ddl"]

T = TypeVar("T")


class SQLiteStorage:
    """A `FullStorage` in a file, which is made or migrated when the storage is.

    Each thread has a connection of its own, also in a forked process. Whoever writes waits
    for the one who is writing, up to ``timeout`` seconds; nobody who reads waits. Over the
    host's own connection, to a file that holds its tables and the portal's, what is written is
    part of the host's transaction; such a storage issues and revokes, but does not open links,
    and calls nothing after a commit that is the host's.

    Args:
        path: the file. Its folder must exist and be writable, and lie on a local disk. Or the
            host's own connection, which stays the host's; its tables must be the newest, and
            ``timeout`` and ``migrate`` are of no account.
        tenant: whose rows these are; several tenants may share a file.
        timeout: seconds to wait for the lock of the file, 5 to 3,600.
        migrate: False refuses a file whose tables are not the newest, or that is not there,
            instead of making them so.

    Raises:
        InvalidValue: an argument breaks its rule.
        StorageError: the file cannot be used, belongs to another application, was made by a
            newer version of this library, or would have to be migrated. It is left as it is
            then.
    """

    def __init__(
        self,
        path: str | PathLike[str] | Connection,
        *,
        tenant: str = "default",
        timeout: float = 10.0,
        migrate: bool = True,
    ) -> None:
        self.tenant: str = check_tenant(tenant)
        self._database: Database | HostConnection = (
            HostConnection(path)
            if isinstance(path, Connection)
            else Database(path, timeout, migrate=migrate)
        )
        own = (self._database, self.tenant)
        self.settings: SettingsRepository = SQLSettings(*own)
        self.tokens: TokenRepository = SQLTokens(*own)
        self.messages: MessageRepository = SQLMessages(*own)
        self.mails: MailRepository = SQLMails(*own)
        self.audit: AuditRepository = SQLAudit(*own)
        self.customers: StoredCustomers = SQLCustomers(*own)
        self.documents: StoredDocuments = SQLDocuments(*own)
        self.ledger: StoredLedger = SQLLedger(*own)

    def __repr__(self) -> str:
        return f"SQLiteStorage({self._database.path!r}, tenant={self.tenant!r})"

    def transact(
        self,
        work: Callable[[UnitOfWork], T],
        *,
        lock: Collection[str] = (),  # noqa: ARG002 (the one lock of the file covers every customer)
    ) -> T:
        """Run ``work`` in one transaction; where it raises, undo what it wrote."""
        with self._database.writing():
            return work(self)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call once this thread's transaction is committed; at once where none runs.

        Never in a transaction of the host's own connection, whose commit only the host sees.
        """
        self._database.after_commit(call)

    def snapshot(self) -> AbstractContextManager[None]:
        """A context in which this thread sees the present instant, whatever others write.

        On the host's own connection it is what the host's transaction sees.
        """
        return self._database.snapshot()

    def opening(self, token_id: str) -> Opening:
        """Settings, token, customer and last noted opening in one statement.

        Raises `StorageError` over the host's own connection, whose transaction may see an
        earlier instant.
        """
        if isinstance(self._database, HostConnection):
            raise _sql.not_for_opening("the path of the file")
        values = (self.tenant, _sql.wanted(token_id))
        (found,) = self._database.fresh(_sql.to_opening, _sql.OPENING, values)
        return found

    def close(self) -> None:
        """Close the connections of all threads. A closed storage may be used again."""
        self._database.close()


if TYPE_CHECKING:
    _: type[FullStorage] = SQLiteStorage
