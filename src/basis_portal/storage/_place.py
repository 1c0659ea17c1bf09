"""What the operators' commands ask of the database of a storage, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from typing import Protocol

import attrs

from . import _sql
from ._sql import Row, Values


class Verdict(Enum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@attrs.define(frozen=True)
class Finding:
    """What was looked at, and what was found.

    Attributes:
        about: what was looked at, in a word or two.
        verdict: whether it is as it must be.
        text: what was found, and where it is wrong what to do.
    """

    about: str
    verdict: Verdict
    text: str


@attrs.define(frozen=True)
class Table:
    """A table as both storages have it, in the words of SQLite.

    Attributes:
        name: of the table.
        columns: all of them but those that the database itself numbers.
        numbered: the column that gives the order of the rows, or None.
    """

    name: str
    columns: str
    numbered: str | None = None


TABLES = (
    Table("settings", f"tenant, {_sql.SETTINGS}"),
    Table("tokens", f"tenant, {_sql.TOKEN}, is_latest, opened_at", "added"),
    Table("messages", f"tenant, {_sql.MESSAGE}"),
    Table("notes", f"tenant, {_sql.NOTE}"),
    Table("mails", f"tenant, {_sql.MAIL}"),
    Table("audit", f"tenant, {_sql.AUDIT}", "position"),
    Table("customers", f"tenant, {_sql.CUSTOMER}, name_key, email_key, number_key"),
    Table("documents", f"tenant, {_sql.DOCUMENT}, number_key, reference_key"),
    Table("entries", f"tenant, {_sql.ENTRY}, side, open_units"),
    Table("allocations", f"tenant, {_sql.ALLOCATION}, counted_on"),
)
"""All tables with rows of tenants; what others refer to comes before them."""


class Place(Protocol):
    """The database of a storage: all tenants, and its tables at any step.

    Statements are in the words of SQLite. Whatever the database says is raised as
    `StorageError`.

    Attributes:
        name: what messages call it.
        steps: the names of the steps that make its tables.
    """

    name: str
    steps: tuple[str, ...]

    def version(self) -> int:
        """How many steps the tables have had. Raises `StorageError` where they are not ours."""
        ...

    def ddl(self, since: int) -> str:
        """The statements that take the tables from a step to the newest."""
        ...

    def migrate(self) -> int:
        """Make the tables, or make them the newest; how many steps were taken here."""
        ...

    def check_newest(self) -> None:
        """Raise `StorageError` where the tables are not the newest."""
        ...

    def reading(self, *, alone: bool = False) -> AbstractContextManager[None]:
        """A context that sees one instant; ``alone``: and where possible nobody writes."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """One transaction, in which nobody else writes; undone where it raises."""
        ...

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        """The rows of a statement, within `reading` or `writing`, a batch in memory at a time."""
        ...

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Add rows within `writing`, in their order."""
        ...

    def health(self) -> Iterator[Finding]:
        """What can be said of the database itself, within `reading`."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
