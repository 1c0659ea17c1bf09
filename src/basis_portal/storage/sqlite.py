"""Everything in one SQLite file, shared by any number of threads and processes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from ..domain.checks import check_id
from ..domain.config import DEFAULT_SETTINGS
from ..repositories import (
    AuditRepository,
    FullStorage,
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
from ._sqlite_connection import Database
from ._sqlite_documents import SQLiteCustomers, SQLiteDocuments
from ._sqlite_ledger import SQLiteLedger
from ._sqlite_portal import SQLiteAudit, SQLiteMessages, SQLiteSettings
from ._sqlite_tokens import SQLiteTokens

__all__ = ["SQLiteStorage"]

T = TypeVar("T")


class SQLiteStorage:
    """A `FullStorage` in a file, which is made or migrated when the storage is.

    Each thread has a connection of its own, also in a forked process. Whoever writes waits
    for the one who is writing, up to ``timeout`` seconds; nobody who reads waits.

    Args:
        path: the file. Its folder must exist and be writable, and lie on a local disk.
        tenant: whose rows these are; several tenants may share a file.
        timeout: seconds to wait for the lock of the file, 5 to 3,600.

    Raises:
        InvalidValue: an argument breaks its rule.
        StorageError: the file cannot be used, belongs to another application, or was made
            by a newer version of this library. It is left as it is then.
    """

    def __init__(
        self, path: str | PathLike[str], *, tenant: str = "default", timeout: float = 10.0
    ) -> None:
        self.tenant: str = check_id("tenant", tenant)
        self._database = Database(path, timeout)
        own = (self._database, self.tenant)
        self.settings: SettingsRepository = SQLiteSettings(*own)
        self.tokens: TokenRepository = SQLiteTokens(*own)
        self.messages: MessageRepository = SQLiteMessages(*own)
        self.audit: AuditRepository = SQLiteAudit(*own)
        self.customers: StoredCustomers = SQLiteCustomers(*own)
        self.documents: StoredDocuments = SQLiteDocuments(*own)
        self.ledger: StoredLedger = SQLiteLedger(*own)

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

    def snapshot(self) -> AbstractContextManager[None]:
        """A context in which this thread sees the present instant, whatever others write."""
        return self._database.snapshot()

    def opening(self, token_id: str) -> Opening:
        """Settings, token, customer and last noted opening in one statement."""
        values = (self.tenant, _sql.wanted(token_id))
        (found,) = self._database.each(_opening, _OPENING, values)
        return found

    def close(self) -> None:
        """Close the connections of all threads. A closed storage may be used again."""
        self._database.close()


if TYPE_CHECKING:
    _: type[FullStorage] = SQLiteStorage


# One row even where there are neither settings nor a token.
_OPENING = f"""
    SELECT {_sql.prefixed("settings", _sql.SETTINGS)}, {_sql.prefixed("tokens", _sql.TOKEN)},
           opened_at, {_sql.prefixed("customers", _sql.CUSTOMER)}
    FROM (SELECT ? AS tenant, ? AS token_id) AS asked
    LEFT JOIN settings ON settings.tenant = asked.tenant
    LEFT JOIN tokens ON tokens.tenant = asked.tenant AND tokens.id = asked.token_id
    LEFT JOIN customers ON customers.tenant = asked.tenant AND customers.id = tokens.customer_id
"""


def _opening(*columns: Any) -> Opening:
    """What `_OPENING` finds, each part where it is there."""
    settings, token, opened_at, customer = columns[:4], columns[4:15], columns[15], columns[16:]
    return Opening(
        settings=DEFAULT_SETTINGS if settings[0] is None else _sql.to_settings(*settings),
        token=None if token[0] is None else _sql.to_token(*token),
        customer=None if customer[0] is None else _sql.to_customer(*customer),
        opened_at=None if opened_at is None else _sql.to_instant(opened_at),
    )
