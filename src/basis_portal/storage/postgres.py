"""Everything in a schema of a PostgreSQL database, for any number of servers and tenants."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

try:
    import psycopg
    import psycopg_pool
except ImportError as _missing:
    raise ImportError(
        "PostgresStorage needs psycopg 3 and its pool: pip install 'basis-portal[postgres]', and "
        "'psycopg[binary]' where the machine has no libpq"
    ) from _missing

from ..domain.checks import check_tenant, check_whole_number
from ..errors import InvalidValue
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
from ._postgres_connection import FAULTS, Database
from ._postgres_schema import ddl, prepare
from ._postgres_sources import HostConnection, OwnPool, Source, check_server, source_of
from ._postgres_words import check_schema
from ._sql_documents import SQLCustomers, SQLDocuments
from ._sql_ledger import SQLLedger
from ._sql_mails import SQLMails
from ._sql_portal import SQLAudit, SQLMessages, SQLSettings
from ._sql_tokens import SQLTokens

__all__ = ["PostgresStorage", "ddl"]

T = TypeVar("T")

LEAST_TIMEOUT = 1.0
MOST_TIMEOUT = 3600.0


class PostgresStorage:
    """A `FullStorage` in a schema of a PostgreSQL database.

    Any number of threads, processes and machines may use it. With a DSN each process has a
    pool of its own, also a forked one. Over the host's own connection what is written is part
    of the host's transaction; such a storage issues and revokes, but does not open links, and
    calls nothing after a commit that is the host's.

    Args:
        database: a DSN, a ``psycopg_pool.ConnectionPool`` or a ``psycopg.Connection``. A pool
            and a connection stay the host's, which closes them.
        tenant: whose rows these are; any number of tenants may share a schema.
        schema: where the tables are; made where there is none.
        pool_size: with a DSN, how many connections a process opens at most.
        timeout: seconds to wait for a lock, and with a DSN for a free connection; 1 to 3,600.
        migrate: False refuses tables that are not the newest instead of making them so.

    Raises:
        InvalidValue: an argument breaks its rule; no DSN is ever repeated.
        StorageError: the database cannot be reached or used, is a standby, or its tables are
            of another application or of a newer version of this library.
    """

    def __init__(
        self,
        database: str | psycopg_pool.ConnectionPool[Any] | psycopg.Connection[Any],
        *,
        tenant: str = "default",
        schema: str = "basis_portal",
        pool_size: int = 10,
        timeout: float = 10.0,
        migrate: bool = True,
    ) -> None:
        self.tenant: str = check_tenant(tenant)
        check_schema(schema)
        check_whole_number("pool_size", pool_size, 1, 1000)
        self._source = source_of(database, pool_size, _check_timeout(timeout))
        self._database = Database(self._source, schema, tenant, timeout)
        self._prepare(self._source, migrate)
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
        return f"PostgresStorage(schema={self._database.schema!r}, tenant={self.tenant!r})"

    def __reduce__(self) -> str:
        raise TypeError("PostgresStorage holds connections and is not pickled; make one there")

    def transact(self, work: Callable[[UnitOfWork], T], *, lock: Collection[str] = ()) -> T:
        """Run ``work`` in one transaction; where it raises, undo what it wrote.

        ``work`` is run again, at most four times, after a deadlock or a serialization failure,
        and where the connection was lost before the commit.
        """
        return self._database.transact(lambda: work(self), lock)

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
        if isinstance(self._source, HostConnection):
            raise _sql.not_for_opening("a DSN or a pool")
        values = (self.tenant, _sql.wanted(token_id))
        (found,) = self._database.fresh(_sql.to_opening, _sql.OPENING, values)
        return found

    def close(self) -> None:
        """Close the connections of this process. A closed storage may be used again."""
        self._database.close()

    def _prepare(self, source: Source, migrate: bool) -> None:
        try:
            connection = source.connect() if isinstance(source, OwnPool) else source.take()
            try:
                check_server(connection)
                prepare(connection, self._database.schema, migrate=migrate)
            finally:
                connection.close() if isinstance(source, OwnPool) else source.give(connection)
        except FAULTS as error:
            raise self._database.failed(error) from error


if TYPE_CHECKING:
    _: type[FullStorage] = PostgresStorage


def _check_timeout(timeout: object) -> float:
    if not isinstance(timeout, int | float) or not LEAST_TIMEOUT <= timeout <= MOST_TIMEOUT:
        rule = f"must be a number of seconds from {LEAST_TIMEOUT:g} to {MOST_TIMEOUT:g}"
        raise InvalidValue.of("timeout", timeout, rule)
    return float(timeout)
