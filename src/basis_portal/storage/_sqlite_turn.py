"""A lock that threads get in the order in which they asked for it.

With an ordinary one a thread that writes without pause takes the lock again before one that
waits has woken up, which then waits for seconds.
"""

from __future__ import annotations

from collections import deque
from threading import Lock


class Turn:
    """Whose turn it is; one thread at a time."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._taken = False
        self._waiting: deque[Lock] = deque()

    def take(self, timeout: float) -> bool:
        """Wait up to so many seconds for one's turn, and say whether it came."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            call = Lock()
            call.acquire()
            self._waiting.append(call)
        came = False
        try:
            came = call.acquire(timeout=timeout)
        finally:
            if not came:
                self._leave(call)
        return came

    def give(self) -> None:
        """Let the next one have its turn."""
        with self._guard:
            self._call_next()

    def _call_next(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._taken = False

    def _leave(self, call: Lock) -> None:
        """Wait no more; pass on a turn that came a moment too late."""
        with self._guard:
            if call in self._waiting:
                self._waiting.remove(call)
            else:
                self._call_next()
