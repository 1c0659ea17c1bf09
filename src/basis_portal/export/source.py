"""What a statement is read from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Protocol

from ..domain.statement import ACTIVITY, StatementLine, StatementOfAccount


class StatementSource(Protocol):
    """Gives statements, whole or line by line: a `PortalAccess` does."""

    def statement(
        self,
        start: dt.date | None = None,
        end: dt.date | None = None,
        view: str = ACTIVITY,
        age_by: str = "due_date",
        *,
        aging: bool = True,
        lines: bool = True,
    ) -> StatementOfAccount:
        """The statement of a period, with or without its lines."""
        ...

    def statement_lines(
        self, currency: str, start: dt.date | None = None, end: dt.date | None = None
    ) -> Iterator[StatementLine]:
        """The lines of one currency as a stream."""
        ...
