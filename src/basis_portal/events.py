"""What the host is told after each commit: the lines that a use case has added to the trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from .domain.audit import AuditEntry
from .domain.checks import is_async
from .errors import InvalidValue, frames_of
from .repositories import AuditRepository, Storage, UnitOfWork

OnEvent: TypeAlias = Callable[[AuditEntry], object]


class Telling:
    """A unit of work whose new lines of the trail are told to the host once they are committed."""

    def __init__(self, unit: UnitOfWork, storage: Storage, on_event: OnEvent) -> None:
        self._unit = unit
        self.audit: Any = _TellingTrail(unit.audit, storage, on_event)

    def __getattr__(self, name: str) -> Any:
        """The repository of this name: nothing but the trail is listened to."""
        return getattr(self._unit, name)


class _TellingTrail:
    def __init__(self, trail: AuditRepository, storage: Storage, on_event: OnEvent) -> None:
        self._trail, self._storage, self._on_event = trail, storage, on_event

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trail, name)

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Append, and have it told. A part that is undone takes along what it would have told."""
        self._trail.append(entries)
        self._storage.after_commit(partial(_tell, self._on_event, tuple(entries)))


def check_on_event(on_event: object) -> OnEvent | None:
    """What to call with each event, or None. Raises `InvalidValue`."""
    if on_event is None or (callable(on_event) and not is_async(on_event)):
        return on_event
    raise InvalidValue.of(
        "on_event", on_event, "must be a callable taking an AuditEntry, and not an async one"
    )


def _tell(on_event: OnEvent, entries: Sequence[AuditEntry]) -> None:
    """Tell the host each entry. What it raises is logged: the change stands all the same."""
    for entry in entries:
        try:
            on_event(entry)
        except Exception as error:
            _log(entry, error)


def _log(entry: AuditEntry, error: Exception) -> None:
    import logging

    logging.getLogger("basis_portal").error(
        "on_event failed with %s at event %s; the change stands\n%s",
        type(error).__name__,
        entry.event,
        frames_of(error),
    )
