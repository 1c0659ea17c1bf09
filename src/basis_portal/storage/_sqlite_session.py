"""Connections to SQLite files: one for each thread, and none carried over a fork.

SQLite remembers, for a whole process, which locks it holds on a file. A forked child
inherits the memory and not the locks: its own new connections would rely on locks that
nobody holds, and what they commit could be gone without any error. So idle connections are
closed before a fork. Where one was carried over all the same (in the middle of a
transaction, or by a fork that tells Python nothing) the child must not use the file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from threading import Lock
from typing import ClassVar
from weakref import WeakValueDictionary

from ._after_commit import Call

_BRIEFLY = 0.2  # seconds in which a statement that another thread runs should end

File = tuple[int, int]
"""What tells a file from all others, whatever their names: its device and inode."""


class Session:
    """The connection of one thread, and what it is in the middle of.

    Attributes:
        connection: used by that thread alone, while it holds the lock.
        file: which file it was opened on.
        owner: which database it belongs to.
        depth: 0, or how many transactions and parts of them are open.
        reading: the transaction is a snapshot.
        calls: what is to be called when it is committed, or the snapshot has ended.
        closed: it serves no more.
    """

    of_parent: ClassVar[list[Session]] = []
    """Sessions that this process inherited: kept, since a child may not even close them."""

    def __init__(self, connection: sqlite3.Connection, file: File, owner: object) -> None:
        self.connection = connection
        self.file = file
        self.owner = owner
        self.depth = 0
        self.reading = False
        self.calls: list[Call] = []
        self.closed = False
        self.lock = Lock()
        self._process = os.getpid()
        _sessions[id(self)] = self

    @property
    def is_inherited(self) -> bool:
        """True in a child of the process that opened it."""
        return self._process != os.getpid()

    def close(self) -> None:
        """Close the connection as soon as no statement runs on it."""
        if not self.is_inherited:
            with self.lock:
                self.drop()

    def close_if_idle(self) -> None:
        """Close the connection unless it is in the middle of something."""
        if not self.is_inherited and self.lock.acquire(timeout=_BRIEFLY):
            try:
                if not self.depth:
                    self.drop()
            finally:
                self.lock.release()

    def drop(self) -> None:
        """Close the connection; the lock is held."""
        self.closed = True
        with suppress(sqlite3.Error):
            self.connection.close()

    def __del__(self) -> None:
        if self.is_inherited and not self.closed:
            self.of_parent.append(self)
        else:
            self.drop()


_sessions: WeakValueDictionary[int, Session] = WeakValueDictionary()


def _all() -> list[Session]:
    found = [reference() for reference in _sessions.valuerefs()]
    return [session for session in found if session is not None]


def close_all(owner: object) -> None:
    """Close the sessions of all threads that belong to ``owner``."""
    for session in _all():
        if session.owner is owner:
            session.close()


def was_carried_over(file: File) -> bool:
    """True where this process inherited an open connection to ``file``."""
    return any(
        session.is_inherited and not session.closed and session.file == file
        for session in [*_all(), *Session.of_parent]
    )


def _before_fork() -> None:
    for session in _all():
        session.close_if_idle()


def _after_fork_in_child() -> None:
    """Keep what was carried over also past the child's own end.

    To close it there would roll back, through the log's index that both share, what the parent
    has not committed yet: the file would be damaged.
    """
    for session in _all():
        if not session.closed:
            import ctypes

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session.connection))


if hasattr(os, "register_at_fork"):  # pragma: no branch (Windows does not fork)
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
