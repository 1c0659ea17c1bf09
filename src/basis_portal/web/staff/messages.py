"""The inbox, and the conversation with each customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TypeVar

import attrs
from flask import Response, request
from werkzeug.exceptions import BadRequest, NotFound

from ...domain.checks import check_id
from ...domain.customers import Customer
from ...domain.documents import Document
from ...domain.mail import MailKind, MailStatus
from ...domain.messages import MESSAGE_LIMIT, Author, InternalNote, Message, message_text
from ...domain.paging import Page, instant_key
from ...domain.portal_token import EndedAs
from ...domain.url_keys import id_of, key_of
from ...domain.visibility import BASE_RULES
from ...errors import DocumentNotFound, InvalidValue
from ...i18n.words import DOCUMENT_WORDS
from ..answering import _, language, site
from ..forms import key_of_form
from .frame import Answer, form_accepted, me, show, to
from .holders import mail_address

PAGE = 50
FIRST_LINE = 120
NOTICES = 20  # e-mails among which that of the last reply is looked for
REPLY, NOTE, READ = "reply", "note", "read"

Text = TypeVar("Text", Message, InternalNote)


# --- the inbox ------------------------------------------------------------------------------


def show_inbox() -> Response:
    """What customers wrote, the newest first; what is unread, unless all is asked for."""
    portal = site().portal
    everything, after = request.args.get("show") == "all", request.args.get("after") or None
    found = portal.messages.list(unread_only=not everything, after=after, limit=PAGE)
    return show(
        "staff/inbox.html",
        section="messages",
        found=found,
        everything=everything,
        after=after,
        customers=_customers({one.customer_id for one in found}),
        documents=_documents(found),
        titled=_title,
        first_line=_first_line,
        config=portal.settings.get().config,
    )


def _customers(ids: set[str]) -> dict[str, Customer]:
    """Those of these customers that the host still knows, by id."""
    found = site().portal.customers.get_many(sorted(ids)) if ids else {}
    return {key: one for key, one in found.items() if one.id == key}


def _documents(messages: Iterable[Message | InternalNote]) -> dict[tuple[str, str], Document]:
    """What the messages are about, by customer and document; staff see hidden ones too."""
    named = {(one.customer_id, one.document_id) for one in messages if one.document_id}
    found = {key: _document(*key) for key in sorted(named)}
    return {key: one for key, one in found.items() if one}


def _document(customer_id: str, document_id: str) -> Document | None:
    found = site().portal.documents.get(customer_id, document_id)
    own = found is not None and (found.customer_id, found.id) == (customer_id, document_id)
    return found if own else None


def _title(document: Document) -> str:
    return f"{language().say(DOCUMENT_WORDS[document.kind])} {document.number}"


def _first_line(text: str) -> str:
    line, _, more = text.partition("\n")
    return f"{line[:FIRST_LINE]}…" if more or len(line) > FIRST_LINE else line


# --- one conversation -----------------------------------------------------------------------


@attrs.define(frozen=True)
class Typed:
    """What was typed into one of the two boxes, and why it was refused.

    Attributes:
        box: reply or note.
        text: what was typed.
        about: key of the document that a reply is about, or empty.
        error: why it was refused, or empty.
    """

    box: str
    text: str
    about: str = ""
    error: str = ""


@attrs.define(frozen=True)
class Conversation:
    """What was written to and about one customer.

    Attributes:
        customer_id: whose it is.
        customer: the customer, or None where the host knows it no more.
        page: one page of the messages, the newest first.
        notes: all notes, the oldest first.
    """

    customer_id: str
    customer: Customer | None
    page: Page[Message]
    notes: Sequence[InternalNote]

    @classmethod
    def of(cls, key: str, after: str | None = None) -> Conversation:
        """The conversation an address names; 404 where nobody was ever there."""
        customer_id = check_id("customer_id", id_of(key))
        inbox = site().portal.messages
        page = inbox.thread(customer_id, after=after, limit=PAGE)
        notes = inbox.notes(customer_id)
        customer = _customers({customer_id}).get(customer_id)
        if customer is None and not page.items and not notes:
            raise NotFound
        return cls(customer_id, customer, page, notes)

    @property
    def name(self) -> str:
        """What the customer is called."""
        return self.customer.name if self.customer else self.customer_id

    @property
    def unread(self) -> bool:
        """True where something the customer wrote is unread."""
        return any(one.author is Author.CUSTOMER and one.read_at is None for one in self.page)

    def entries(self, after: str | None) -> list[Message | InternalNote]:
        """The messages of the page, the oldest first, and the notes of that time among them."""
        until = instant_key(after)
        latest = until[0] if until else None
        earliest = self.page.items[-1].at if self.page.next else None
        notes = [one for one in self.notes if _within(one.at, earliest, latest)]
        return sorted([*self.page, *notes], key=lambda one: (one.at, one.id))

    @property
    def newest_notes(self) -> Sequence[InternalNote]:
        """The notes that were written last, the newest first."""
        return self.notes[: -PAGE - 1 : -1]


def _within(at: dt.datetime, earliest: dt.datetime | None, latest: dt.datetime | None) -> bool:
    """Whether an instant lies after the one, up to the other; None sets no bound."""
    return (earliest is None or earliest < at) and (latest is None or at <= latest)


def show_thread(key: str) -> Response:
    """The messages of a customer, our answers and our notes, and two boxes to write."""
    after = request.args.get("after") or None
    found = Conversation.of(key, after)
    done = request.args.get("done", "")
    return _show(found, after=after, done=_answer(done, found))


def _show(
    found: Conversation,
    status: int = 200,
    *,
    after: str | None = None,
    done: Answer | None = None,
    typed: Typed | None = None,
) -> Response:
    config = site().portal.settings.get().config
    entries = found.entries(after)
    documents = _documents(entries).values()
    reply = typed if typed and typed.box == REPLY else Typed(REPLY, "", _last_subject(found.page))
    return show(
        "staff/thread.html",
        status,
        section="messages",
        thread=found,
        entries=entries,
        titles={one.id: _title(one) for one in documents},
        subjects=[
            one.id for one in documents if BASE_RULES.shows_document(one, found.customer_id, config)
        ],
        after=after,
        seen=_ids(found.page),
        seen_notes=_ids(found.newest_notes),
        done=done,
        failed=typed,
        reply=reply,
        note=typed if typed and typed.box == NOTE else Typed(NOTE, ""),
        limit=MESSAGE_LIMIT,
        config=config,
    )


def _last_subject(page: Page[Message]) -> str:
    """The key of the document that the customer last wrote about, or empty."""
    last = next((one for one in page if one.author is Author.CUSTOMER), None)
    return key_of(last.document_id) if last and last.document_id else ""


# --- what staff do there --------------------------------------------------------------------


def write_in_thread(key: str) -> Response:
    """Do what the button says that was pressed; whatever is refused comes back with its text."""
    act = _ACTS.get(request.form.get("do", ""))
    if act is None:
        raise BadRequest
    found = Conversation.of(key)
    box, text = request.form["do"], request.form.get("text", "")
    typed = Typed(box, text, request.form.get("about", ""))
    if not form_accepted():
        return _refuse(found, typed, 403, _once_more(box))
    if found.customer is None and act is not _mark_read:
        error = _("This customer is no longer in %(name)s.", name=site().host.name)
        return _refuse(found, typed, 404, error)
    try:
        return act(found, typed)
    except InvalidValue as refused:
        if refused.field not in ("Message.text", "InternalNote.text"):
            raise
        return _refuse(found, typed, 400, _wrong_text(text))


def _refuse(found: Conversation, typed: Typed, status: int, error: str) -> Response:
    return _show(found, status, typed=attrs.evolve(typed, error=error))


def _done(found: Conversation, code: str) -> Response:
    return to("show_thread", key=key_of(found.customer_id), done=code)


def _send_reply(found: Conversation, typed: Typed) -> Response:
    new = _new(found.page)
    if _is_there(typed.text, new):
        return _done(found, "replied")
    if new:
        return _refuse(found, typed, 409, _meanwhile(found, new[0]))
    try:
        site().portal.messages.reply(
            found.customer_id,
            typed.text,
            by=me().name,
            document_id=_subject(typed.about),
            idempotency_key=_once(typed.text),
        )
    except DocumentNotFound:
        error = _("The customer cannot see that document any more. Send the reply without it?")
        return _refuse(found, attrs.evolve(typed, about=""), 404, error)
    return _done(found, "replied")


def _save_note(found: Conversation, typed: Typed) -> Response:
    if not _is_there(typed.text, _new(found.newest_notes)):
        site().portal.messages.note(found.customer_id, typed.text, by=me().name)
    return _done(found, "noted")


def _mark_read(found: Conversation, _: Typed) -> Response:
    if any(one.author is Author.CUSTOMER for one in _new(found.page)):
        return _done(found, "unseen")
    site().portal.messages.mark_read(found.customer_id)
    return _done(found, "read")


_ACTS = {REPLY: _send_reply, NOTE: _save_note, READ: _mark_read}


def _ids(texts: Iterable[Text]) -> str:
    """What a form says of the texts that stand on its page."""
    return " ".join(one.id for one in texts)


def _new(texts: Iterable[Text]) -> list[Text]:
    """Those that do not stand on the page that the form came from.

    Each of them is looked for. To name the newest would not do: a clock that was put back
    gives a new one an earlier instant.
    """
    seen = set(request.form.get("seen", "").split())
    return [one for one in texts if one.id not in seen]


def _is_there(text: str, new: Iterable[Message | InternalNote]) -> bool:
    """True where the same form came before: a button pressed twice makes one text."""
    return any(one.by == me().name and one.text == message_text(text) for one in new)


def _once(text: str) -> str:
    """The same for a form that is sent twice at the same time, before `_is_there` can see it."""
    seen = request.form.get("seen", "")
    return f"reply {key_of_form(seen, me().name, message_text(text))}"


def _subject(key: str) -> str | None:
    if not key:
        return None
    try:
        return check_id("document_id", id_of(key))
    except InvalidValue:
        raise DocumentNotFound from None


# --- what is said ---------------------------------------------------------------------------


def _answer(code: str, found: Conversation) -> Answer | None:
    """The words for a code; None for a code that nobody gave."""
    if code == "replied":
        words = " ".join(filter(None, [_("Reply sent."), _notice(found)]))
        return Answer(_("Reply sent"), words)
    if code == "noted":
        return Answer(_("Note saved"), _("Note saved. The customer never sees it."))
    if code == "read":
        return Answer(_("Marked as read"), _("Marked as read."))
    if code == "unseen":
        text = _(
            "%(name)s wrote meanwhile: see below. Nothing was marked as read.", name=found.name
        )
        return Answer(_("Not marked as read"), text)
    return None


def _notice(found: Conversation) -> str:
    """Where the customer is told of the reply by e-mail; nothing where no e-mail waits to do so."""
    portal, customer = site().portal, found.customer
    latest = portal.mailing.of_customer(found.customer_id, limit=NOTICES).items
    last = next((mail for mail in latest if mail.kind is MailKind.REPLY), None)
    if customer is None or customer.blocked or last is None or last.status is not MailStatus.QUEUED:
        return ""
    config, token = portal.settings.get().config, portal.tokens.get(customer.id)
    if not (config.enabled and config.allow_messages):
        return ""
    if token is not None and token.ended_as is EndedAs.REVOKED:
        return ""
    address = mail_address(customer)
    if address is None:
        return _("%(name)s has no e-mail address, and is not told of it.", name=customer.name)
    return _("%(name)s gets an e-mail at %(address)s.", name=customer.name, address=address)


def _once_more(box: str) -> str:
    if box == REPLY:
        return _("Please press Send reply once more.")
    if box == NOTE:
        return _("Please press Save note once more.")
    return _("Please press Mark as read once more.")


def _meanwhile(found: Conversation, newest: Message) -> str:
    name = found.name if newest.author is Author.CUSTOMER else newest.by or site().seller.name
    return _(
        "%(name)s wrote here meanwhile. Read it above, then press Send reply once more.", name=name
    )


def _wrong_text(text: str) -> str:
    length = len(message_text(text))
    if not length:
        return _("Please write something first.")
    if length > MESSAGE_LIMIT:
        return _(
            "The text has %(length)s characters. The limit is %(limit)s.",
            length=language().count(length),
            limit=language().count(MESSAGE_LIMIT),
        )
    return _("The text contains a character that cannot be sent, such as a control character.")


PAGES = (
    ("/messages", show_inbox, ["GET"]),
    ("/messages/<key>", show_thread, ["GET"]),
    ("/messages/<key>", write_in_thread, ["POST"]),
)
