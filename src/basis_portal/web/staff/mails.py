"""What the pages of tokens tell of e-mails with a link, as they are on record."""

from __future__ import annotations

import datetime as dt
import secrets

from flask import request

from ...domain.instants import next_minute
from ...domain.mail import (
    CLAIM_HOLDS,
    LINK_KINDS,
    MAILS_AT_ONCE,
    MAILS_WITHIN,
    Mail,
    MailKind,
    MailStatus,
)
from ...domain.phrases import Phrase
from ..answering import _, language, site
from .frame import Answer, me
from .holders import Holder

LOOKED_AT = 50
"""How many of a customer's e-mails are looked through, the newest first."""
NOTES = {
    MailStatus.QUEUED: Phrase(
        "An e-mail with the link has been waiting to be sent since %(instant)s."
    ),
    MailStatus.SENDING: Phrase(
        "The e-mail to %(address)s is being sent. Load this page again to see what became of it."
    ),
    MailStatus.FAILED: Phrase("The e-mail of %(instant)s to %(address)s was not sent. %(problem)s"),
    MailStatus.UNKNOWN: Phrase(
        "Nobody knows whether the e-mail of %(instant)s to %(address)s arrived. Ask before you "
        "send it again."
    ),
}
"""What is said of an e-mail with the present link that was not, or perhaps not, sent."""

_SENT_TODAY = Phrase("E-mailed to %(address)s at %(time)s.")
_SENT = Phrase("E-mailed to %(address)s on %(instant)s.")
_PERHAPS = Phrase(
    "Nobody knows whether the e-mail to %(address)s was sent. It may have arrived; ask before you "
    "send it again."
)
_FAILED = Phrase("%(problem)s The token is unchanged; you can still copy the link.")


def may_send(*, off: bool) -> bool:
    """Whether who asks can have a link e-mailed at all: not while the portal is ``off``."""
    return site().mailer is not None and not off and not me().read_only


def new_mail_id() -> str:
    """For a form: the id of the e-mail it sends, one however often it is sent."""
    return secrets.token_urlsafe(16)


def named(customer_id: str) -> Mail | None:
    """The e-mail to a customer that this address names and that staff had sent, or None."""
    mail_id = request.args.get("mail", "")
    found = _latest(customer_id) if mail_id else []
    of_staff = (mail for mail in found if mail.kind is MailKind.LINK and mail.run is None)
    return next((mail for mail in of_staff if mail.id == mail_id), None)


def note_on(holder: Holder, told: Mail | None) -> Answer | None:
    """What is to be known of the last e-mail with the present link, unless it was sent.

    Nothing of the one that was ``told`` of already.
    """
    if site().mailer is None or holder.token is None:
        return None
    last = next((mail for mail in _latest(holder.id) if mail.kind in LINK_KINDS), None)
    if last is None or last == told or last.token_id not in (None, holder.token.id):
        return None
    status = _status(last)
    if status not in NOTES:
        return None
    failed = status in (MailStatus.FAILED, MailStatus.UNKNOWN)
    return Answer(_("E-mail"), _say(NOTES[status], last), failed=failed)


def _say(phrase: Phrase, mail: Mail) -> str:
    zone = site().portal.timezone
    return language().say(
        phrase,
        None,
        address=address_in(mail),
        instant=language().short_instant(_at(mail), zone),
        time=language().time(_at(mail), zone),
        problem=problem_of(mail),
    )


def _at(mail: Mail) -> dt.datetime:
    """When it was settled, or else asked for."""
    return mail.settled_at or mail.queued_at


def _latest(customer_id: str) -> list[Mail]:
    return list(site().portal.mailing.of_customer(customer_id, limit=LOOKED_AT))


# --- what became of one ---------------------------------------------------------------------


def outcome(mail: Mail, holder: Holder) -> Answer:
    """What became of an e-mail that staff had sent."""
    match _status(mail):
        case MailStatus.SENT:
            return Answer(_("E-mailed"), _say(_SENT_TODAY if _is_today(mail) else _SENT, mail))
        case MailStatus.SENDING:
            return Answer(_("Being sent"), _say(NOTES[MailStatus.SENDING], mail))
        case MailStatus.UNKNOWN:
            return Answer(_("Perhaps sent"), _say(_PERHAPS, mail), failed=True)
    return not_sent(_say(_FAILED, mail) if holder.is_active else problem_of(mail))


def _is_today(mail: Mail) -> bool:
    portal = site().portal
    return _at(mail).astimezone(portal.timezone).date() == portal.today()


def _status(mail: Mail) -> MailStatus:
    """How far it came; nobody is still sending it after so long."""
    is_lost = (
        mail.status is MailStatus.SENDING
        and mail.claimed_at is not None
        and site().portal.now() - mail.claimed_at > CLAIM_HOLDS
    )
    return MailStatus.UNKNOWN if is_lost else mail.status


def problem_of(mail: Mail) -> str:
    """Why it was not sent, as the mail server or the transport put it: a sentence."""
    problem = mail.problem or _("The e-mail was not sent")
    return problem if problem.endswith((".", "!", "?")) else f"{problem}."


# --- what was not even begun ----------------------------------------------------------------


def not_sent(words: str) -> Answer:
    """Nothing was e-mailed, and why."""
    return Answer(_("Not e-mailed"), words, failed=True)


def too_many(retry_at: dt.datetime | None) -> Answer:
    """So many went to the customer that the next one waits."""
    retry_at = retry_at or site().portal.now() + MAILS_WITHIN
    words = _(
        "%(count)s e-mails in the last %(minutes)s minutes. You can send again at %(time)s.",
        count=language().count(MAILS_AT_ONCE),
        minutes=language().count(MAILS_WITHIN // dt.timedelta(minutes=1)),
        time=language().time(next_minute(retry_at), site().portal.timezone),
    )
    return not_sent(words)


def no_address(holder: Holder) -> Answer:
    """There is no address on file, or it is none."""
    if holder.customer is None or not holder.customer.email:
        words = _("%(customer)s has no e-mail address: nothing was sent.", customer=holder.name)
    else:
        words = _(
            "Nothing was sent: the e-mail address on file cannot be used. It is %(address)s",
            address=holder.customer.email,
        )
    return not_sent(words)


def address_in(mail: Mail) -> str:
    """Where it was sent."""
    return mail.address or _("the address on file")
