"""The audit trail of a customer in words: when, who, what."""

from __future__ import annotations

import datetime as dt

import attrs

from ...domain.audit import SYSTEM, AuditEntry, AuditEvent, Cause
from ...domain.paging import Page
from ...domain.phrases import Phrase
from ..answering import _, language, site

PAGE = 20
WORDS = {
    AuditEvent.ISSUED: Phrase("Token generated"),
    AuditEvent.ENDED: Phrase("Token revoked"),
    AuditEvent.LINK_COPIED: Phrase("Link copied"),
    AuditEvent.LINK_MAILED: Phrase("Link e-mailed"),
    AuditEvent.LINK_NOT_MAILED: Phrase("E-mailing the link failed"),
    AuditEvent.LINK_SHOWN: Phrase("Link shown on this page"),
    AuditEvent.OPENED: Phrase("Link opened"),
    AuditEvent.PREVIEWED: Phrase("Previewed as customer"),
    AuditEvent.REFUSED: Phrase("Link refused"),
    AuditEvent.SETTINGS_CHANGED: Phrase("Settings changed"),
    AuditEvent.MESSAGE: Phrase("Message written"),
    AuditEvent.REPLY: Phrase("Message answered"),
    AuditEvent.EXPORTED: Phrase("Data exported"),
    AuditEvent.ERASED: Phrase("Data erased"),
    AuditEvent.MOVED: Phrase("Taken over from another customer number"),
    AuditEvent.PRUNED: Phrase("Old entries removed"),
}
_REFUSED = {
    Cause.UNKNOWN: Phrase("Link refused: its token is not on record"),
    Cause.REVOKED: Phrase("Link refused: it was revoked"),
    Cause.REPLACED: Phrase("Link refused: it was replaced"),
    Cause.EXPIRED: Phrase("Link refused: it had expired"),
    Cause.CUSTOMER_UNKNOWN: Phrase("Link refused: no such customer"),
    Cause.CUSTOMER_BLOCKED: Phrase("Link refused: the customer was blocked"),
    Cause.FAULT: Phrase("Link refused: a check failed"),
}
# By nobody of the staff: somebody pressed the button on a page that refused an expired link.
_ASKED_FOR = {
    AuditEvent.LINK_MAILED: Phrase("Link e-mailed, as asked for on the page of an expired link"),
    AuditEvent.LINK_NOT_MAILED: Phrase(
        "E-mailing the link failed, which was asked for on the page of an expired link"
    ),
}


@attrs.define(frozen=True)
class Line:
    """One thing that happened.

    Attributes:
        at: when.
        who: who did it.
        what: what it was.
        detail: more of it, such as the reason of a revoke, or None.
    """

    at: dt.datetime
    who: str
    what: str
    detail: str | None


def happened(customer_id: str, after: str | None) -> Page[Line]:
    """What happened to a customer's access, the newest first."""
    found = site().portal.audit.list(customer_id=customer_id, after=after, limit=PAGE)
    return Page(tuple(Line(one.at, _who(one), _what(one), one.detail) for one in found), found.next)


def _who(entry: AuditEntry) -> str:
    if entry.by is None:
        return _("Customer") if entry.event is AuditEvent.MESSAGE else _("Visitor")
    return _("System") if entry.by == SYSTEM else entry.by


def _what(entry: AuditEntry) -> str:
    phrase = WORDS[entry.event]
    if entry.event is AuditEvent.REFUSED and entry.cause is not None:
        phrase = _REFUSED.get(entry.cause, phrase)
    if entry.event is AuditEvent.ENDED and entry.cause is Cause.REPLACED:
        phrase = Phrase("Token replaced: the old link no longer works")
    if entry.by is None:
        phrase = _ASKED_FOR.get(entry.event, phrase)
    return language().say(phrase)
