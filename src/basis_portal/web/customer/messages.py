"""The thread with the seller, and the form to write."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

import attrs
from flask import Response, redirect, request, url_for

from ...domain.checks import check_id
from ...domain.instants import next_minute
from ...domain.mail import MailKind
from ...domain.mail_address import masked_address
from ...domain.messages import MESSAGE_LIMIT, MESSAGES_AN_HOUR, Author, message_text
from ...domain.url_keys import id_of
from ...domain.visibility import Section
from ...errors import DocumentNotFound, InvalidValue, TooManyMessages
from ..answering import _, language, site
from ..forms import is_from_another_site, key_of_form
from .frame import here, show

PURPOSE = "message"
PAGE = 50
AGAIN = dt.timedelta(hours=1)


@attrs.define
class MessageForm:
    """What the form holds.

    Attributes:
        value: shows that it came from a page of ours.
        once: makes one message of a form that is sent twice.
        text: what was typed.
        about: key of the document it is about, or empty.
        error: why it was refused, or empty.
    """

    value: str
    once: str
    text: str = ""
    about: str = ""
    error: str = ""


def new_form(**given: str) -> MessageForm:
    """A form for whoever opened the link; in a preview it cannot be sent."""
    token_id = here().token_id
    value = "" if token_id is None else site().portal.forms.value(PURPOSE, token_id)
    return MessageForm(value, given.pop("once", "") or secrets.token_urlsafe(16), **given)


def show_messages(form: MessageForm | None = None, status: int = 200) -> Response:
    """The thread, oldest first, and the form below it."""
    access = here()
    found = access.messages(after=request.args.get("after") or None, limit=PAGE)
    thread = list(reversed(found.items))
    return show(
        "customer/messages.html",
        status,
        section=Section.MESSAGES.value,
        thread=thread,
        titles=_titles(thread),
        older=found.next,
        after=request.args.get("after"),
        sent=request.args.get("sent") == "1" and form is None,
        answered_to=_answered_to(),
        form=form or new_form(),
        limit=MESSAGE_LIMIT,
    )


def _answered_to() -> str | None:
    """The address that is e-mailed when staff reply, masked: the link may have been passed on."""
    is_told = site().mailer is not None and site().portal.mailing.notifies(MailKind.REPLY)
    return masked_address(here().customer.email) if is_told else None


def _titles(thread: list[Any]) -> dict[str, Any]:
    """The documents the messages are about, by id."""
    access, titles = here(), {}
    for document_id in {one.document_id for one in thread if one.document_id}:
        try:
            titles[document_id] = access.document(document_id).document
        except DocumentNotFound:  # hidden since the thread was read
            continue
    return titles


def send_message() -> Response:
    """Send what was typed; what is refused comes back with its text."""
    text, about = request.form.get("text", ""), request.form.get("about", "")
    once = request.form.get("once", "")
    typed = {"text": text, "about": about, "once": once if _is_once(once) else ""}
    if is_from_another_site():
        error = _("This came from another site. Nothing was changed.")
        return show_messages(new_form(error=error), 403)
    if error := _not_accepted():
        return show_messages(new_form(**typed, error=error), 403)
    return _send(text, about, typed)


def _not_accepted() -> str:
    """Why no text is taken from this form, or empty."""
    token_id = here().token_id
    if token_id is None:
        return _("A preview sends no messages.")
    if not site().portal.forms.accepts(PURPOSE, token_id, request.form.get("form")):
        return _("Please press Send message once more.")
    return ""


def _send(text: str, about: str, typed: dict[str, str]) -> Response:
    try:
        document_id = _document_id(about) if about else None
        if not _is_last(text, document_id):
            key = _key_of(typed["once"], text, about)
            here().send_message(text, document_id=document_id, idempotency_key=key)
    except DocumentNotFound:
        typed["about"] = ""
        error = _("That document is no longer in your portal. Send the message without it?")
        return show_messages(new_form(**typed, error=error), 404)
    except TooManyMessages as refused:
        return show_messages(new_form(**typed, error=_too_many(refused.retry_at)), 429)
    except InvalidValue as refused:
        if refused.field != "Message.text":
            raise
        return show_messages(new_form(**typed, error=_why(text)), 400)
    return redirect(url_for(".show_messages", sent=1, _anchor="sent"), 303)  # type: ignore[return-value]


def _document_id(key: str) -> str:
    try:
        return check_id("document_id", id_of(key))
    except InvalidValue:
        raise DocumentNotFound from None


def _is_once(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.isprintable()


def _is_last(text: str, document_id: str | None) -> bool:
    """True for what the customer wrote last, within the hour.

    Back and Send once more brings it again, from a new page with the old text.
    """
    since = site().portal.now() - AGAIN
    return any(
        one.author is Author.CUSTOMER
        and (one.text, one.document_id) == (message_text(text), document_id)
        and one.at > since
        for one in here().messages(limit=1)
    )


def _key_of(once: str, text: str, about: str) -> str | None:
    """The same for the same text from the same form.

    What was changed before it was sent again is another message.
    """
    return f"{once} {key_of_form(message_text(text), about)}" if once else None


def _why(text: str) -> str:
    length = len(message_text(text))
    if not length:
        return _("Please write something first.")
    if length > MESSAGE_LIMIT:
        return _(
            "Your message has %(length)s characters. The limit is %(limit)s.",
            length=language().count(length),
            limit=language().count(MESSAGE_LIMIT),
        )
    return _("Your message contains a character that cannot be sent, such as a control character.")


def _too_many(retry_at: dt.datetime | None) -> str:
    said = language().ngettext(
        "You have sent %(count)s message in the last hour.",
        "You have sent %(count)s messages in the last hour.",
        MESSAGES_AN_HOUR,
    )
    if retry_at is None:
        return said
    when = language().time(next_minute(retry_at), site().portal.timezone)
    again = _("You can write again at %(time)s.", time=when)
    return f"{said} {again}"
