"""Threads that write to one PostgreSQL storage while its server comes and goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

from basis_portal import StorageError
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.testing.builders import NOW

from .acknowledged import Ledger, Worker

WRITERS = 4
LONGEST = 60.0  # seconds after which waiting is given up
_PAUSE = 0.01


class Writers:
    """Four threads on one storage; each makes one change after the other and notes it.

    Attributes:
        acknowledged: what has returned.
        refused: how many changes ended in `StorageError`.
    """

    def __init__(self, storage: PostgresStorage) -> None:
        self.acknowledged = Ledger()
        self.refused = 0
        self._storage = storage
        self._done = [0] * WRITERS
        self._lock = Lock()
        self._over = Event()
        self._errors: list[BaseException] = []
        self._threads = [Thread(target=self._run, args=(number,)) for number in range(WRITERS)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """They write in here; an error that is no `StorageError` is raised at the end."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(LONGEST)
        if self._errors:
            raise self._errors[0]

    def all_acknowledge(self) -> float:
        """Seconds until each of them was acknowledged a change that began after now."""
        start, before = time.monotonic(), list(self._done)
        while any(now < then + 2 for now, then in zip(self._done, before, strict=True)):
            if time.monotonic() - start > LONGEST or self._errors:
                return float("inf")
            time.sleep(_PAUSE)
        return time.monotonic() - start

    def _run(self, number: int) -> None:
        try:
            worker = Worker(self._storage, number, NOW)
            while not self._over.is_set():
                self._change(worker, number)
        except BaseException as error:
            self._errors.append(error)

    def _change(self, worker: Worker, number: int) -> None:
        try:
            done = worker.change()
        except StorageError:
            with self._lock:
                self.refused += 1
            time.sleep(_PAUSE)
            return
        with self._lock:
            self.acknowledged.acknowledge(done)
            self._done[number] += 1
