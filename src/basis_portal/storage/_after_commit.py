"""What waits for a commit: calls that are made once it is durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ..errors import frames_of

Call: TypeAlias = Callable[[], None]


def make_calls(calls: Iterable[Call]) -> None:
    """Make the calls in their order. An error of one is logged and stops none of the others."""
    for call in calls:
        try:
            call()
        except Exception as error:
            _log(error)


def _log(error: Exception) -> None:
    import logging

    logging.getLogger("basis_portal").error(
        "a call after the commit failed with %s; what was committed stands\n%s",
        type(error).__name__,
        frames_of(error),
    )
