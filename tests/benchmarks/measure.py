"""How the benchmarks measure: rounds of ours and of the floor in turn, and the median ratio.

Machines are noisy and differ, so no figure here is a time: each is our time over that of a
floor, which does the same work with nothing but the standard library, in the same run.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import attrs


@attrs.define(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        what: what was measured.
        floor: what it is compared with.
        ratio: the figure.
        at_most: the bound.
        note: more, such as the size.
    """

    what: str
    floor: str
    ratio: float
    at_most: float
    note: str = ""

    @property
    def holds(self) -> bool:
        """True where the figure is within its bound."""
        return self.ratio <= self.at_most


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes once, without the garbage collector in between."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.enable()


def ratio(ours: Callable[[], object], floor: Callable[[], object], rounds: int = 9) -> float:
    """The median over rounds of our time by the floor's; both are run once before to warm up."""
    ours()
    floor()
    return statistics.median(seconds(ours) / seconds(floor) for _ in range(rounds))


def print_table(results: list[Result]) -> None:
    """Print the lines under each other, the failed ones marked."""
    width = max(len(result.what) for result in results)
    print(f"\n{'what':<{width}}  ratio  at most  holds  floor")
    for one in results:
        mark = "yes" if one.holds else "NO"
        note = f" ({one.note})" if one.note else ""
        print(
            f"{one.what:<{width}}  {one.ratio:5.2f}  {one.at_most:7.2f}  {mark:<5}  "
            f"{one.floor}{note}"
        )
