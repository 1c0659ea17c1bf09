"""What one "Revoke all tokens" revoked: so that just these customers can be given new tokens.

A token bears no mark of the act that ended it, but who ended it, when and why. An act is
therefore a span of time and a digest of who and why: whoever staff revoked for another reason,
or before, or later, is never given a token by it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Sequence

import attrs
from flask import request
from werkzeug.datastructures import MultiDict

from ...domain.portal_token import EndedAs, PortalToken, TokenStatus
from ..answering import site

PAGE = 200
SAME_ACT = dt.timedelta(minutes=10)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_INSTANT, _MARK = re.compile("[0-9]{1,17}"), re.compile("[0-9a-f]{16}")


@attrs.define(frozen=True)
class Act:
    """One act of revoking all.

    Attributes:
        since: when it began, in microseconds since 1970.
        until: when it was done.
        mark: a digest of who did it, and why.
    """

    since: int
    until: int
    mark: str

    @classmethod
    def of(cls, by: str, reason: str, began: dt.datetime, seen: str) -> Act:
        """The act that is done now.

        ``seen`` tells when its form was shown. Of a form that was sent twice both answers then
        name all that was revoked, whichever of them revoked it and whichever is looked at.
        """
        first, last = micros(began - SAME_ACT), micros(site().portal.now())
        start = micros(began)
        if _INSTANT.fullmatch(seen):
            start = min(start, max(first, int(seen)))
        return cls(start, last, _mark(by, reason))

    @classmethod
    def named(cls, given: MultiDict[str, str]) -> Act | None:
        """The act that an address or a form names, or None."""
        since, until, mark = (given.get(field.name, "") for field in attrs.fields(cls))
        if not (_INSTANT.fullmatch(since) and _INSTANT.fullmatch(until) and _MARK.fullmatch(mark)):
            return None
        return cls(int(since), int(until), mark)

    @classmethod
    def asked(cls) -> Act | None:
        """The act that this request names, or None."""
        return cls.named(request.values)

    @property
    def fields(self) -> dict[str, str | int]:
        """The parameters of an address, or the hidden fields of a form, that name this act."""
        return attrs.asdict(self)

    def revoked(self, token: PortalToken) -> bool:
        """True where this act ended the token."""
        if token.ended_as is not EndedAs.REVOKED or token.ended_at is None:
            return False
        in_time = self.since <= micros(token.ended_at) <= self.until
        return in_time and _mark(token.ended_by or "", token.reason or "") == self.mark

    def customers(self) -> Iterator[Sequence[str]]:
        """Those who have had no token since, a page at a time.

        Each page is read when it is asked for: who got a token meanwhile is not in it.
        """
        after = None
        while True:
            found = site().portal.tokens.list(status=TokenStatus.REVOKED, after=after, limit=PAGE)
            yield [token.customer_id for token in found if self.revoked(token)]
            if (after := found.next) is None:
                return


def micros(instant: dt.datetime) -> int:
    """An instant as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def _mark(by: str, reason: str) -> str:
    return hashlib.sha256(f"{by}\0{reason}".encode()).hexdigest()[:16]
