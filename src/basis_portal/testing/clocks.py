"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..domain.checks import check_instant

DEFAULT_START = datetime(2025, 1, 15, 9, 0, tzinfo=UTC)


class FrozenClock:
    """A clock for tests: hand it over as ``clock=``, and move it by hand.

    It may go back, as clocks of machines do.

    Attributes:
        reads: how often it was read.
    """

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self._now = check_instant("start", start)
        self.reads: int = 0

    def __call__(self) -> datetime:
        """The instant it stands at, in UTC; counts as a read."""
        self.reads += 1
        return self._now

    @property
    def now(self) -> datetime:
        """The instant it stands at; not counted as a read."""
        return self._now

    def advance(self, by: timedelta = timedelta(), **parts: float) -> datetime:
        """Move on by a timedelta, or by what makes one (``days=1``); return where it stands."""
        self._now += by + timedelta(**parts)
        return self._now

    def set(self, instant: datetime) -> None:
        """Move to an aware instant, earlier or later."""
        self._now = check_instant("instant", instant)

    def __repr__(self) -> str:
        return f"FrozenClock({self._now.isoformat()})"
