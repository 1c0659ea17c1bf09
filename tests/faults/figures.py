"""What a run of faults has found: one line each, printed as a table."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.define(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        fault: what was done.
        count: how often.
        found: what was found after it.
        holds: whether it is as promised.
    """

    fault: str
    count: int
    found: str
    holds: bool


def print_table(figures: Sequence[Figure]) -> None:
    """Print the lines under each other, the failed ones marked."""
    width = max((len(one.fault) for one in figures), default=len("fault"))
    print(f"\n{'fault':<{width}}   count  holds  found")
    for one in figures:
        mark = "yes" if one.holds else "NO"
        print(f"{one.fault:<{width}}  {one.count:>6,}  {mark:<5}  {one.found}")


def some(problems: Sequence[str], most: int = 3) -> str:
    """The first of some problems, for a line of the table; empty where there are none."""
    shown = "; ".join(problems[:most])
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return f": {shown}{more}" if problems else ""
