"""What is done to one customer's token: generate, regenerate, revoke, copy its link."""

from __future__ import annotations

import datetime as dt

from flask import Response, request
from werkzeug.exceptions import NotFound

from ...domain.portal_token import TOKEN_ID
from ...errors import (
    ActiveTokenExists,
    CustomerBlocked,
    CustomerNotFound,
    NoActiveToken,
    TokenChanged,
)
from ..answering import _, language, site
from . import answers, mails
from .frame import customer_of, form_accepted, me, refuse_readers, show, to
from .holders import Holder, holder_of
from .place import Place
from .reasons import typed_reason, wrong_reason
from .sending import mail_link
from .token import token_page
from .tokens import show_closed


def generate_token(key: str) -> Response:
    """Issue a token, without a question: there is nothing to lose."""
    holder = holder_of(key)
    if not form_accepted():
        return token_page(holder, 403, refused=_("Please press Generate once more."))
    try:
        site().portal.tokens.generate(holder.id, by=me().name)
    except ActiveTokenExists as found:
        answer = answers.already_active(holder, found.token)
        return token_page(holder_of(key), 409, answer=answer)
    except CustomerBlocked:
        return token_page(holder_of(key), 409, answer=answers.blocked(holder))
    except CustomerNotFound:
        raise NotFound from None
    return _done("generated", key)


def _done(code: str, key: str, **more: str) -> Response:
    return to("show_token", done=code, key=key, **more, **Place.asked().fields)


# --- regenerate -----------------------------------------------------------------------------


def ask_regenerate(key: str) -> Response:
    """The question: links that were already sent stop working."""
    refuse_readers()
    holder = holder_of(key)
    if holder.is_shut_out or not holder.is_current:
        return to("show_token", key=key, **Place.asked().fields)
    return _regenerate_page(holder)


def regenerate_token(key: str) -> Response:
    """Replace the token that the form names, and no other."""
    holder, replaces = holder_of(key), request.form.get("replaces", "")
    if not form_accepted() or not TOKEN_ID.fullmatch(replaces):
        return _regenerate_page(holder, 403, refused=_("Please press Regenerate once more."))
    try:
        site().portal.tokens.regenerate(holder.id, by=me().name, if_current=replaces)
    except TokenChanged as found:
        return token_page(holder_of(key), 409, answer=answers.changed_meanwhile(found.token))
    except CustomerBlocked:
        return token_page(holder_of(key), 409, answer=answers.blocked(holder))
    except CustomerNotFound:
        raise NotFound from None
    mail_id = request.form.get("mail", "")
    if request.form.get("email") != "1" or not TOKEN_ID.fullmatch(mail_id) or not site().mailer:
        return _done("regenerated", key)
    holder = holder_of(key)
    if (refusal := mail_link(holder, mail_id)) and holder.token:
        status, why = refusal
        reason = why.text if status != 503 else ""
        answer = answers.and_mail(answers.regenerated(holder.token), why, why=reason)
        return token_page(holder, status, answer=answer)
    return _done("regenerated", key, mail=mail_id)


def _regenerate_page(holder: Holder, status: int = 200, *, refused: str = "") -> Response:
    if holder.token is None:
        return token_page(holder, status, refused=refused)
    config = site().portal.settings.get().config
    days = config.token_expiry_days
    named = request.form.get("replaces", "")
    return show(
        "staff/token_regenerate.html",
        status,
        section="tokens",
        holder=holder,
        place=Place.asked(),
        replaces=named if TOKEN_ID.fullmatch(named) else holder.token.id,
        days=days,
        until=holder.now + dt.timedelta(days),
        address=holder.address if mails.may_send(off=not config.enabled) else None,
        mail_id=mails.new_mail_id(),
        ticked=request.form.get("email") == "1",
        refused=refused,
    )


# --- revoke ---------------------------------------------------------------------------------


def ask_revoke(key: str) -> Response:
    """The question: it cannot be undone."""
    refuse_readers()
    holder = _revocable(key)
    if site().portal.available() and not holder.is_current:
        return to("show_token", key=key, **Place.asked().fields)
    return _revoke_page(holder)


def revoke_token(key: str) -> Response:
    """Revoke what is current, whatever the edition."""
    portal, holder, reason = site().portal, _revocable(key), typed_reason()
    if not form_accepted():
        return _revoke_page(holder, 403, refused=_("Please press Revoke link once more."))
    if wrong := wrong_reason(reason):
        return _revoke_page(holder, 400, wrong=wrong)
    ended = portal.tokens.revoke(holder.id, by=me().name, reason=reason or None)
    if not portal.available():
        answer = answers.revoked() if ended else answers.nothing_to_revoke()
        return show_closed(Place.asked(), answer=answer)
    if ended is None:
        return _not_revoked(key, reason)
    return _done("revoked", key)


def _not_revoked(key: str, reason: str) -> Response:
    holder = holder_of(key)
    answer = answers.nothing_to_revoke()
    if holder.token and holder.token.ended_at:
        answer = answers.already_ended(holder.token)
    return token_page(holder, 409, answer=answer, unsaved=reason)


def _revocable(key: str) -> Holder:
    """Whose token; where nothing is managed nobody knows how it stands."""
    if site().portal.available():
        return holder_of(key)
    customer = customer_of(key)
    return Holder(customer.id, customer, None, None, site().portal.now())


def _revoke_page(
    holder: Holder, status: int = 200, *, refused: str = "", wrong: str = ""
) -> Response:
    return show(
        "staff/token_revoke.html",
        status,
        section="tokens",
        holder=holder,
        place=Place.asked(),
        known=site().portal.available(),
        facts=_facts(holder),
        reason=request.form.get("reason", ""),
        refused=refused,
        wrong=wrong,
    )


def _facts(holder: Holder) -> str:
    """Where the link went, as far as that is known."""
    facts, portal = [], site().portal
    if holder.sent and holder.sent.settled_at:
        sent_at = language().short_instant(holder.sent.settled_at, portal.timezone)
        address = mails.address_in(holder.sent)
        facts.append(_("last sent %(instant)s to %(address)s", instant=sent_at, address=address))
    if holder.opened_at:
        opened_at = language().short_instant(holder.opened_at, portal.timezone)
        facts.append(_("last opened %(instant)s", instant=opened_at))
    return "; ".join(facts)


# --- copy -----------------------------------------------------------------------------------


def give_link(key: str) -> Response:
    """The link as plain text, for the script that copies it. Audited as copied."""
    holder = holder_of(key)
    if not form_accepted():
        return _plain(_("Please load the page again."), 403)
    try:
        if holder.is_shut_out:
            raise NoActiveToken("a link that opens nothing is not handed out")
        link = site().portal.tokens.link(holder.id, by=me().name)
    except NoActiveToken:
        return _plain(_("There is no link to copy."), 409)
    return _plain(link)


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain")


PAGES = (
    ("/tokens/<key>", generate_token, ["POST"]),
    ("/tokens/<key>/regenerate", ask_regenerate, ["GET"]),
    ("/tokens/<key>/regenerate", regenerate_token, ["POST"]),
    ("/tokens/<key>/revoke", ask_revoke, ["GET"]),
    ("/tokens/<key>/revoke", revoke_token, ["POST"]),
    ("/tokens/<key>/link", give_link, ["POST"]),
)
