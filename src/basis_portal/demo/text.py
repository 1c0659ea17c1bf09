"""Plain text for a terminal of 80 columns: amounts, days, instants, tables, paragraphs."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal

from ..i18n.formats import EnglishFormats

WIDTH = 80


FORMATS = EnglishFormats()


def show_day(day: dt.date) -> str:
    """A day in words: ``2 Apr 2026``."""
    return FORMATS.day(day)


def money(currency: str, amount: Decimal) -> str:
    """An amount with its currency: ``EUR 1,200.00``."""
    return plain(FORMATS.money(currency, amount))


def plain(text: str) -> str:
    """Text as every terminal shows it: no-break spaces and true minus signs are for pages."""
    return text.replace("\u00a0", " ").replace("\u2212", "-")


def show_instant(instant: dt.datetime) -> str:
    """An instant in words, with its zone: ``Thu 14 May 2026, 09:12 (UTC)``."""
    return f"{FORMATS.day_of_week(instant.date())}, {instant:%H:%M} ({instant.tzname()})"


def show_days(count: int) -> str:
    """A number of days in words: ``1 day``, ``12 days``."""
    return "1 day" if count == 1 else f"{count} days"


def title(text: str) -> Iterator[str]:
    """A heading, underlined, after an empty line."""
    yield ""
    yield plain(text)
    yield "-" * len(text)


def paragraph(text: str, *, indent: int = 0) -> Iterator[str]:
    """Text wrapped to the terminal; its own line breaks are kept."""
    margin = " " * indent
    for line in plain(text).splitlines():
        yield from textwrap.wrap(
            line, WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False
        )


def table(
    rows: Iterable[Sequence[str]], *, right: Collection[int] = (), indent: int = 2
) -> Iterator[str]:
    """Rows of cells in columns as wide as they must be; those of ``right`` stand to the right."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        placed = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield (" " * indent + "  ".join(placed)).rstrip()
