"""The audit trail: who did what, when. Never a token text, an IP address or a user agent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from .checks import IS_INSTANT, OPTIONAL_ID, check_lines, checked, in_utc, is_member
from .portal_token import check_staff, check_token_id, short_id

SYSTEM = "system"
"""Who acted where nobody was named."""
DETAIL_LIMIT = 1000


class AuditEvent(StrEnum):
    """What happened."""

    ISSUED = "issued"
    ENDED = "ended"
    LINK_COPIED = "link_copied"
    LINK_MAILED = "link_mailed"
    LINK_NOT_MAILED = "link_not_mailed"
    LINK_SHOWN = "link_shown"
    OPENED = "opened"
    PREVIEWED = "previewed"
    REFUSED = "refused"
    SETTINGS_CHANGED = "settings_changed"
    MESSAGE = "message"
    REPLY = "reply"
    EXPORTED = "exported"
    ERASED = "erased"
    MOVED = "moved"
    PRUNED = "pruned"


class Cause(StrEnum):
    """Why a link was refused, or how a token ended."""

    UNREADABLE = "unreadable"
    """Form or signature is wrong; never in the trail, only in the log."""
    UNKNOWN = "unknown"
    """The signature is good, but there is no such token."""
    REVOKED = "revoked"
    REPLACED = "replaced"
    EXPIRED = "expired"
    CUSTOMER_UNKNOWN = "customer_unknown"
    CUSTOMER_BLOCKED = "customer_blocked"
    FAULT = "fault"
    """A check failed with an error of the host's; every failure denies."""


@attrs.define(frozen=True, slots=False)
class AuditEntry:
    """One line of the trail.

    Attributes:
        at: instant, UTC.
        event: what happened.
        by: the member of staff, "system", or None where the customer or a visitor acted.
        customer_id: whom it concerns, or None.
        token_id: the token concerned, or None.
        cause: why refused, or how ended, or None.
        detail: more for people: the reason of a revoke, what changed in the settings.
    """

    at: datetime = attrs.field(converter=in_utc, validator=IS_INSTANT)
    event: AuditEvent = attrs.field(validator=is_member(AuditEvent))
    by: str | None = attrs.field(default=None, validator=checked(check_staff, optional=True))
    customer_id: str | None = attrs.field(default=None, validator=OPTIONAL_ID)
    token_id: str | None = attrs.field(
        default=None,
        validator=checked(check_token_id, optional=True),
        repr=lambda value: short_id(value) if value else "None",
    )
    cause: Cause | None = attrs.field(default=None, validator=is_member(Cause, optional=True))
    detail: str | None = attrs.field(
        default=None, validator=checked(check_lines, limit=DETAIL_LIMIT, optional=True)
    )
