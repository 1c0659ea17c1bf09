"""Portal tokens: the right of one customer to enter, as a stored record."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

import attrs

from ..errors import InvalidValue
from .checks import (
    IS_ID,
    IS_INSTANT,
    OPTIONAL_INSTANT,
    check_instant,
    check_line,
    checked,
    in_utc,
    is_member,
    optional_in_utc,
)

NAME_LIMIT = 255
REASON_LIMIT = 500

TOKEN_ID = re.compile("[A-Za-z0-9_-]{22}")
"""128 random bits in base64url."""


class TokenStatus(StrEnum):
    """Where a token stands at an instant."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REPLACED = "replaced"


class EndedAs(StrEnum):
    """How a token ended before its time."""

    REVOKED = "revoked"
    REPLACED = "replaced"


def short_id(token_id: str) -> str:
    """The first 8 characters of a token id: what logs show."""
    return token_id[:8]


def check_token_id(field: str, value: object) -> str:
    """Return ``value`` if it has the form of a token id."""
    if not isinstance(value, str) or not TOKEN_ID.fullmatch(value):
        raise InvalidValue(f"{field} must be a token id: 22 characters of base64url", field=field)
    return value


def check_staff(field: str, value: object) -> str:
    """Return ``value`` if it can name who acted: one line of 1 to 255 characters."""
    return check_line(field, value, limit=NAME_LIMIT)


def check_reason(field: str, value: object) -> str:
    """Return ``value`` if it can be a reason: one line of at most 500 characters."""
    return check_line(field, value, limit=REASON_LIMIT, least=0)


@attrs.define(frozen=True, slots=False)
class PortalToken:
    """The right of one customer to enter.

    Current until revoked or replaced; active while current and not expired. It is a
    record, not a secret: without a secret key nobody makes a link of it.

    Attributes:
        id: 128 random bits in base64url.
        customer_id: whose documents it opens.
        issued_at: instant of issue, UTC.
        issued_by: who issued it.
        expires_at: first instant (UTC) at which it no longer opens; frozen at issue.
        ended_at: instant it was revoked or replaced, UTC, or None.
        ended_by: who ended it, or None.
        ended_as: revoked or replaced, or None.
        reason: why it was ended, or None.
        replaces: id of the token it replaced, or None.
        key_fingerprint: names the secret key it was issued under, without telling it.
    """

    id: str = attrs.field(validator=checked(check_token_id), repr=short_id)
    customer_id: str = attrs.field(validator=IS_ID)
    issued_at: datetime = attrs.field(converter=in_utc, validator=IS_INSTANT)
    issued_by: str = attrs.field(validator=checked(check_staff))
    expires_at: datetime = attrs.field(converter=in_utc, validator=IS_INSTANT)
    ended_at: datetime | None = attrs.field(
        default=None, converter=optional_in_utc, validator=OPTIONAL_INSTANT
    )
    ended_by: str | None = attrs.field(default=None, validator=checked(check_staff, optional=True))
    ended_as: EndedAs | None = attrs.field(
        default=None, validator=is_member(EndedAs, optional=True)
    )
    reason: str | None = attrs.field(default=None, validator=checked(check_reason, optional=True))
    replaces: str | None = attrs.field(
        default=None, validator=checked(check_token_id, optional=True), repr=False
    )
    key_fingerprint: str = attrs.field(default="", validator=checked(check_line, limit=64, least=0))

    def __attrs_post_init__(self) -> None:
        if self.expires_at <= self.issued_at:
            raise InvalidValue("PortalToken.expires_at must be after issued_at", field="expires_at")
        if (self.ended_at is None) != (self.ended_as is None):
            raise InvalidValue(
                "PortalToken.ended_at and ended_as are given together or not at all",
                field="ended_at",
            )

    @property
    def is_current(self) -> bool:
        """True until it is revoked or replaced."""
        return self.ended_at is None

    def status_at(self, now: datetime) -> TokenStatus:
        """Where it stands at ``now`` (aware): ended beats expired, valid while now < expires_at."""
        check_instant("now", now)
        if self.ended_as is not None:
            return TokenStatus(self.ended_as.value)
        return TokenStatus.ACTIVE if now < self.expires_at else TokenStatus.EXPIRED
