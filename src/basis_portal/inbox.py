"""Use cases: staff read the customers' messages, answer, and keep notes."""

from __future__ import annotations

from .admission import Admitted
from .context import Context, staff_name
from .domain.audit import AuditEntry, AuditEvent
from .domain.checks import check_id
from .domain.mail import MailKind
from .domain.messages import Author, InternalNote, Message
from .domain.paging import Page, check_limit, instant_key, make_page
from .links import new_token_id
from .notices import queue_notice
from .repositories import UnitOfWork
from .visible import Visible


class Inbox:
    """Messages for staff. All raise `PortalNotAvailable` without the edition or feature.

    It works with messages switched off as well: past conversations are kept.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(
        self, *, unread_only: bool = False, after: str | None = None, limit: int = 50
    ) -> Page[Message]:
        """What customers wrote, newest first; ``after`` is the ``next`` of an earlier page."""
        self._context.require_management()
        check_limit(limit)
        found = self._context.storage.messages.inbox(
            unread_only=unread_only, after=instant_key(after), limit=limit + 1
        )
        return make_page(found, limit, message_key)

    def unread_count(self) -> int:
        """How many messages of customers are unread."""
        self._context.require_management()
        return self._context.storage.messages.unread_count()

    def thread(
        self, customer_id: str, *, after: str | None = None, limit: int = 50
    ) -> Page[Message]:
        """The messages of one customer and the replies, newest first."""
        self._context.require_management()
        check_id("customer_id", customer_id)
        return thread_page(self._context, customer_id, after, limit)

    def notes(self, customer_id: str) -> tuple[InternalNote, ...]:
        """The internal notes on a customer, oldest first. No customer ever sees one."""
        self._context.require_management()
        check_id("customer_id", customer_id)
        return tuple(self._context.storage.messages.notes(customer_id))

    def reply(
        self,
        customer_id: str,
        text: str,
        *,
        by: str | None = None,
        document_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Message:
        """Answer a customer; marks what the customer wrote as read.

        A form that is sent twice (same key) makes one reply.

        Args:
            customer_id: whom to answer.
            text: plain text, 1 to 2,000 characters.
            by: the member of staff who writes; the customer never sees it.
            document_id: a document that the customer sees and the reply is about, or None.
            idempotency_key: of the form, unique per customer, or None.

        Raises:
            CustomerNotFound: there is no such customer.
            DocumentNotFound: the customer cannot see the document it is about.
            InvalidValue: the text has not 1 to 2,000 characters, or another rule is broken.
        """
        self._context.require_management()
        customer = self._context.customer(customer_id)
        who, now = staff_name(by), self._context.now()
        message = Message(
            new_token_id(),
            customer_id,
            now,
            Author.SELLER,
            text,
            who,
            document_id,
            idempotency_key=idempotency_key,
        )
        if document_id is not None:
            config = self._context.storage.settings.get().config
            Visible(self._context, Admitted(customer, config, now, None)).document(document_id)

        def work(unit: UnitOfWork) -> Message:
            if known := sent_before(unit, message):
                return known
            unit.messages.add(message)
            unit.messages.mark_read(customer_id, now)
            queue_notice(self._context, unit, MailKind.REPLY, customer_id, now, by=who)
            unit.audit.append([AuditEntry(now, AuditEvent.REPLY, who, customer_id)])
            return message

        return self._context.transact(work, lock=[customer_id])

    def note(
        self,
        customer_id: str,
        text: str,
        *,
        by: str | None = None,
        document_id: str | None = None,
    ) -> InternalNote:
        """Keep an internal note on a customer. Raises as `reply`."""
        self._context.require_management()
        self._context.customer(customer_id)
        who, now = staff_name(by), self._context.now()
        note = InternalNote(new_token_id(), customer_id, now, who, text, document_id)
        self._context.transact(lambda unit: unit.messages.add_note(note), lock=[customer_id])
        return note

    def mark_read(self, customer_id: str) -> int:
        """Mark all that a customer wrote as read; how many were unread."""
        self._context.require_management()
        check_id("customer_id", customer_id)
        now = self._context.now()
        return self._context.transact(
            lambda unit: unit.messages.mark_read(customer_id, now), lock=[customer_id]
        )


def sent_before(unit: UnitOfWork, message: Message) -> Message | None:
    """What came of the same form before, by its key, or None."""
    key = message.idempotency_key
    return None if key is None else unit.messages.by_key(message.customer_id, key)


def thread_page(context: Context, customer_id: str, after: str | None, limit: int) -> Page[Message]:
    """One page of a customer's thread, newest first."""
    check_limit(limit)
    found = context.storage.messages.page(customer_id, after=instant_key(after), limit=limit + 1)
    return make_page(found, limit, message_key)


def message_key(message: Message) -> tuple[str, str]:
    """What a cursor says of a message."""
    return (message.at.isoformat(), message.id)
