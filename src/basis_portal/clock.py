"""The one place that reads the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Any callable giving the present instant as an aware datetime in UTC."""


def system_clock() -> datetime:
    """The machine's present instant, in UTC."""
    return datetime.now(UTC)
