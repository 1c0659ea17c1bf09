"""Issuing tokens to very many customers, while others go on working."""

from __future__ import annotations

import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

from basis_portal import Portal
from basis_portal.repositories import UnitOfWork
from basis_portal.storage.sqlite import SQLiteStorage

from .measure import Result, seconds
from .world import batches, customers, plain_connection, portal_over

T = TypeVar("T")


class TimedStorage(SQLiteStorage):
    """A storage that notes how long its longest transaction held the write lock."""

    longest = 0.0

    def transact(self, work: Callable[[UnitOfWork], T], *, lock: Collection[str] = ()) -> T:
        """As ever, from before the lock is asked for until after the commit."""
        start = time.perf_counter()
        try:
            return super().transact(work, lock=lock)
        finally:
            self.longest = max(self.longest, time.perf_counter() - start)


def run(folder: Path, count: int) -> list[Result]:
    """Time, longest lock and memory."""
    ratios, locks = [], []
    for number in range(3):
        ours, longest = _ours(folder / f"ensure{number}.db", count)
        ratios.append(ours / _floor(folder / f"ensure{number}.db", folder / f"plain{number}.db"))
        locks.append(longest)
    memory = _peak(folder / "many.db", count // 2) / _peak(folder / "few.db", count // 10)
    what = f"{count:,} customers"
    return [
        Result("ensure_many", "executemany of the same rows", sorted(ratios)[1], 4, what),
        Result("ensure_many, longest lock in seconds", "1 second", max(locks), 0.5, what),
        Result("ensure_many, memory of 5 times as many", "memory of a tenth", memory, 1.2, what),
    ]


def _with_customers(path: Path, count: int) -> tuple[TimedStorage, Portal]:
    storage = TimedStorage(path)
    for batch in batches(customers(count)):
        storage.customers.save(*batch)
    return storage, portal_over(storage)


def _ids(count: int) -> Iterator[str]:
    return (f"C-{number:07}" for number in range(count))


def _ours(path: Path, count: int) -> tuple[float, float]:
    storage, portal = _with_customers(path, count)
    storage.longest = 0.0
    taken = seconds(lambda: deque(portal.tokens.ensure_many(_ids(count)), maxlen=0))
    longest = storage.longest
    storage.close()
    return taken, longest


def _floor(source: Path, target: Path) -> float:
    """The same rows into the same tables of a new file, in one transaction."""
    SQLiteStorage(target).close()
    reading, writing = plain_connection(source), plain_connection(target)
    rows = {
        table: reading.execute(f"SELECT * FROM {table}").fetchall() for table in ("tokens", "audit")
    }
    rows["audit"] = [row for row in rows["audit"] if "issued" in row]

    def write() -> None:
        writing.execute("BEGIN IMMEDIATE")
        for table, found in rows.items():
            marks = ", ".join("?" * len(found[0]))
            writing.executemany(f"INSERT INTO {table} VALUES ({marks})", found)
        writing.execute("COMMIT")

    taken = seconds(write)
    reading.close()
    writing.close()
    return taken


def _peak(path: Path, count: int) -> float:
    storage, portal = _with_customers(path, count)
    tracemalloc.start()
    deque(portal.tokens.ensure_many(_ids(count)), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    storage.close()
    return float(peak)
