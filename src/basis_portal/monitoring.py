"""Use case: what a host's monitoring asks, again and again: is it well, and how much happened.

Numbers alone: no customer, no token, no link. They are read from the storage, so that they are
those of all processes.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping

import attrs

from .context import Context, log
from .domain.audit import AuditEntry, AuditEvent, Cause
from .domain.checks import check_instant
from .domain.portal_token import TokenStatus
from .errors import InvalidValue, StorageError

MOST_DAYS = 7
_PIECE = 1000


@attrs.define(frozen=True)
class Health:
    """Whether the portal can do its work.

    Attributes:
        ok: True where the storage can be read, so that links are answered.
        available: True where edition and feature give the portal.
        enabled: the master switch; None where the storage could not be read.
    """

    ok: bool
    available: bool
    enabled: bool | None


@attrs.define(frozen=True)
class Counters:
    """How much happened since an instant, and how much there is now.

    An opened link counts once an hour for each token, a refused one once an hour for each token
    and cause, and only where its signature was good: as the audit trail notes them.

    Attributes:
        since: the instant, UTC.
        opened: how often links were opened.
        refused: how often links were refused, by cause; none that would be 0.
        messages: how many messages customers wrote.
        mailed: how many e-mails took a link along.
        not_mailed: how many such e-mails failed, or may have failed.
        mails_waiting: how many e-mails are queued now.
        mails_due_since: from when on the first of them may be sent, UTC, or None.
        tokens: how many customers' latest tokens have each status now.
        unread: how many messages of customers are unread now.
    """

    since: dt.datetime
    opened: int
    refused: Mapping[Cause, int]
    messages: int
    mailed: int
    not_mailed: int
    mails_waiting: int
    mails_due_since: dt.datetime | None
    tokens: Mapping[TokenStatus, int]
    unread: int


class Monitoring:
    """Health and counters. It works in every edition and with the portal off."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def health(self) -> Health:
        """Read the settings and say how it stands; a storage that fails is an answer, no error."""
        available = self._context.gate_is_open()
        try:
            enabled = self._context.storage.settings.get().config.enabled
        except StorageError:
            log().exception("the storage cannot be read")
            return Health(ok=False, available=available, enabled=None)
        return Health(ok=True, available=available, enabled=enabled)

    def counters(self, since: dt.datetime) -> Counters:
        """Count what happened since an instant.

        It costs as much as happened since then, not as much as is stored.

        Raises:
            InvalidValue: ``since`` is not aware, in the future, or more than 7 days ago.
            StorageError: the storage cannot be read.
        """
        now, storage = self._context.now(), self._context.storage
        since = check_instant("since", since)
        if not now - dt.timedelta(MOST_DAYS) <= since <= now:
            rule = f"must be an instant of the last {MOST_DAYS} days"
            raise InvalidValue.of("since", since, rule)
        with storage.snapshot():
            events, refused = Counter[AuditEvent](), Counter[Cause]()
            for entry in self._entries(since):
                events[entry.event] += 1
                if entry.event is AuditEvent.REFUSED and entry.cause is not None:
                    refused[entry.cause] += 1
            waiting, due_since = storage.mails.waiting()
            tokens = {status: storage.tokens.count(status, now=now) for status in TokenStatus}
            unread = storage.messages.unread_count()
        return Counters(
            since=since,
            opened=events[AuditEvent.OPENED],
            refused=dict(sorted(refused.items())),
            messages=events[AuditEvent.MESSAGE],
            mailed=events[AuditEvent.LINK_MAILED],
            not_mailed=events[AuditEvent.LINK_NOT_MAILED],
            mails_waiting=waiting,
            mails_due_since=due_since,
            tokens=tokens,
            unread=unread,
        )

    def _entries(self, since: dt.datetime) -> Iterator[AuditEntry]:
        """The entries appended since then: newest first, to the first that is older."""
        after = None
        while piece := self._context.storage.audit.page(after=after, limit=_PIECE):
            for position, entry in piece:
                after = position
                if entry.at < since:
                    return
                yield entry
