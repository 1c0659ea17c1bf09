"""What the pages of tokens tell of e-mails with a link, as they are on record."""

from __future__ import annotations

import datetime as dt

from flask import request

from ...domain.mail import (
    CLAIM_HOLDS,
    LINK_KINDS,
    MAILS_AT_ONCE,
    MAILS_WITHIN,
    Mail,
    MailStatus,
)
from ...links import new_token_id
from ..answering import _, language, site
from .frame import Answer, me
from .holders import Holder

LOOKED_AT = 50
"""How many of a customer's e-mails are looked through, the newest first."""


def may_send(*, off: bool) -> bool:
    """Whether who asks can have a link e-mailed at all: not while the portal is ``off``."""
    return site().mailer is not None and not off and not me().read_only


def new_mail_id() -> str:
    """For a form: the id of the e-mail it sends, one however often it is sent."""
    return new_token_id()


def named(customer_id: str) -> Mail | None:
    """The e-mail to a customer that this address names, or None."""
    mail_id = request.args.get("mail", "")
    found = _latest(customer_id) if mail_id else []
    return next((mail for mail in found if mail.id == mail_id), None)


def note_on(holder: Holder, told: Mail | None) -> str:
    """What is to be known of the last e-mail with the present link, unless it was sent.

    Nothing of the one that was ``told`` of already.
    """
    if site().mailer is None or holder.token is None:
        return ""
    last = next((mail for mail in _latest(holder.id) if mail.kind in LINK_KINDS), None)
    if last is None or last == told or last.token_id not in (None, holder.token.id):
        return ""
    values = {"instant": _short(last.settled_at or last.queued_at), "address": _address(last)}
    match _status(last):
        case MailStatus.QUEUED:
            return _("An e-mail with the link has been waiting to be sent since %(instant)s.", **values)
        case MailStatus.SENDING:
            return _being_sent(last)
        case MailStatus.FAILED:
            return _(
                "The e-mail of %(instant)s to %(address)s was not sent. %(problem)s",
                problem=problem_of(last),
                **values,
            )
        case MailStatus.UNKNOWN:
            return _(
                "Nobody knows whether the e-mail of %(instant)s to %(address)s arrived. Ask before "
                "you send it again.",
                **values,
            )
    return ""


def _latest(customer_id: str) -> list[Mail]:
    return list(site().portal.mailing.of_customer(customer_id, limit=LOOKED_AT))


# --- what became of one ---------------------------------------------------------------------


def outcome(mail: Mail, holder: Holder) -> Answer:
    """What became of an e-mail that staff had sent."""
    values = {"address": _address(mail)}
    match _status(mail):
        case MailStatus.SENT:
            return Answer(_("E-mailed"), _sent(mail))
        case MailStatus.FAILED if holder.is_active:
            words = _(
                "%(problem)s The token is unchanged; you can still copy the link.",
                problem=problem_of(mail),
            )
            return not_sent(words)
        case MailStatus.UNKNOWN:
            words = _(
                "Nobody knows whether the e-mail to %(address)s was sent. It may have arrived; ask "
                "before you send it again.",
                **values,
            )
            return Answer(_("Perhaps sent"), words, failed=True)
        case MailStatus.SENDING:
            return Answer(_("Being sent"), _being_sent(mail))
    return not_sent(problem_of(mail))


def _sent(mail: Mail) -> str:
    at = mail.settled_at or mail.queued_at
    portal = site().portal
    if at.astimezone(portal.timezone).date() == portal.today():
        time = language().time(at, portal.timezone)
        return _("E-mailed to %(address)s at %(time)s.", address=_address(mail), time=time)
    return _(
        "E-mailed to %(address)s on %(instant)s.", address=_address(mail), instant=_short(at)
    )


def _being_sent(mail: Mail) -> str:
    return _(
        "The e-mail to %(address)s is being sent. Load this page again to see what became of it.",
        address=_address(mail),
    )


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
        time=language().time(retry_at, site().portal.timezone),
    )
    return not_sent(words)


def no_address(holder: Holder) -> Answer:
    """There is no address on file, or it is none."""
    if holder.customer is None or not holder.customer.email:
        words = _("%(customer)s has no e-mail address. Nothing was sent.", customer=holder.name)
    else:
        words = _(
            "The e-mail address on file cannot be used: %(address)s. Nothing was sent.",
            address=holder.customer.email,
        )
    return not_sent(words)


def _address(mail: Mail) -> str:
    return mail.address or _("the address on file")


def _short(instant: dt.datetime) -> str:
    return language().short_instant(instant, site().portal.timezone)
