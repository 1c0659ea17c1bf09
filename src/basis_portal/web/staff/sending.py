"""Send by e-mail: one customer's link to the address on file, at once."""

from __future__ import annotations

import logging

from flask import Response, request
from werkzeug.exceptions import NotFound

from ...domain.portal_token import TOKEN_ID, PortalToken
from ...errors import (
    CustomerBlocked,
    CustomerNotFound,
    MailError,
    NoActiveToken,
    NoMailAddress,
    PortalError,
    PortalNotAvailable,
    StorageError,
    TooManyMails,
)
from ..answering import _, site
from . import answers, mails
from .frame import Answer, form_accepted, me, to
from .holders import Holder, holder_of
from .place import Place
from .token import token_page
from .tokens import tokens_page

log: logging.Logger = logging.getLogger("basis_portal.web")

LIST = "list"
"""What a form says that stands in the list: staff go on there."""
REFUSALS = (NoMailAddress, NoActiveToken, CustomerBlocked, CustomerNotFound, PortalNotAvailable)


def send_link(key: str) -> Response:
    """E-mail the link and wait; pressed twice, it is sent once."""
    holder, mail_id = holder_of(key), request.form.get("mail", "")
    if site().mailer is None:
        raise NotFound
    if not form_accepted() or not TOKEN_ID.fullmatch(mail_id):
        return _page(key, 403, refused=_("Please press Send once more."))
    if refusal := mail_link(holder, mail_id):
        status, answer = refusal
        return _page(key, status, answer=answer)
    fields = {"mail": mail_id, **Place.asked().fields}
    if _is_from_list():
        return to("show_tokens", done="mailed", customer=key, **fields)
    return to("show_token", done="mailed", key=key, **fields)


def mail_link(holder: Holder, mail_id: str) -> tuple[int, Answer] | None:
    """E-mail the link of a customer.

    None where an e-mail of this id is on record, sent or not: that tells what became of it.
    Else the status of the answer, and why there is none.
    """
    mailer = site().mailer
    assert mailer is not None
    try:
        mailer.send_link(holder.id, by=me().name, mail_id=mail_id)
    except MailError as error:
        log.warning("the e-mail %s was not sent, or perhaps not", mail_id[:8], exc_info=error)
    except TooManyMails as found:
        return 429, mails.too_many(found.retry_at)
    except REFUSALS as error:
        return 409, _refusal(error, holder)
    except StorageError:
        # It may have failed after the mail server took the e-mail.
        log.exception("the storage failed while the e-mail %s was sent", mail_id[:8])
        words = _("The storage failed. Nobody knows whether the e-mail was sent.")
        return 503, mails.not_sent(words)
    return None


def _refusal(error: PortalError, holder: Holder) -> Answer:
    """Why no e-mail was begun."""
    erp, portal = site().host.name, site().portal
    match error:
        case NoMailAddress():
            answer = mails.no_address(holder)
        case NoActiveToken():
            answer = _no_link(portal.tokens.get(holder.id))
        case CustomerBlocked():
            answer = answers.blocked(holder)
        case CustomerNotFound():
            answer = mails.not_sent(_("There is no such customer in %(erp)s any more.", erp=erp))
        case _ if portal.available():
            words = _("The portal is off: the link would show nothing, and was not sent.")
            answer = mails.not_sent(words)
        case _:
            raise error
    return answer


def _no_link(token: PortalToken | None) -> Answer:
    if token is not None and token.ended_at is not None:
        return answers.already_ended(token)
    return mails.not_sent(_("There is no active token, and so no link to send."))


def _is_from_list() -> bool:
    return request.form.get("at") == LIST


def _page(key: str, status: int, *, answer: Answer | None = None, refused: str = "") -> Response:
    """The page that the form stands on, with what became of it."""
    holder = holder_of(key)
    if not _is_from_list():
        return token_page(holder, status, answer=answer, refused=refused)
    answer = answers.about(holder, answer) if answer else None
    return tokens_page(Place.asked(), status, answer=answer, refused=refused)


PAGES = (("/tokens/<key>/send", send_link, ["POST"]),)
