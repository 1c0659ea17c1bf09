"""What an opened link gives: the only door to a customer's documents.

A `PortalAccess` holds no rights. Each method repeats the checks of an opening before it
reads, so that after a revoke, an expiry or a switch-off it raises as `Portal.open` would.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import cast

import attrs

from .account import Account, Settlement, settlements
from .admission import Admitted, admit, admit_preview
from .context import HOUR, Context
from .domain.allocation import check_age_by
from .domain.audit import AuditEntry, AuditEvent
from .domain.checks import (
    check_currency,
    check_day,
    check_member,
    check_text,
    check_whole_number,
)
from .domain.customers import Customer
from .domain.documents import Document, DocumentFile, DocumentKind
from .domain.instants import next_minute
from .domain.ledger import EntryKey
from .domain.mail import MailKind
from .domain.messages import MESSAGES_AN_HOUR, Author, CustomerMessage, Message
from .domain.paging import PAGE_LIMIT, Page, check_limit, day_key, read_cursor, write_cursor
from .domain.periods import Period
from .domain.portal_token import TokenStatus
from .domain.statement import (
    ACTIVITY,
    OPEN_ITEMS,
    StatementLine,
    StatementOfAccount,
    StatementPage,
)
from .domain.summary import AccountSummary
from .domain.views import AppliedItem, DocumentDetail, DocumentView
from .domain.visibility import SECTION_OF, Section
from .errors import AccessDenied, InvalidValue, TooManyMessages
from .inbox import sent_before, thread_page
from .links import new_token_id
from .notices import queue_notice
from .repositories import SupportsFileCheck, SupportsFiles, UnitOfWork
from .visible import Visible, Wanted

SEARCH_LIMIT = 100


@attrs.define(frozen=True)
class Overview:
    """What the first page of a customer's portal shows.

    Attributes:
        sections: the sections the customer may open now.
        welcome_message: plain text, or empty.
        summary: the account at a glance.
        last_reply: the instant of the seller's last reply (UTC), or None; None as well while
            messages are off.
    """

    sections: tuple[Section, ...]
    welcome_message: str
    summary: AccountSummary
    last_reply: dt.datetime | None


class PortalAccess:
    """One customer's portal, as whoever holds the link may see it. Make one per request.

    Every method raises as `Portal.open` would where the link no longer opens:
    `PortalNotAvailable`, `AccessDenied`, `StorageError`. In a preview by staff it raises
    `PortalNotAvailable` (edition or feature), `CustomerNotFound`, `CustomerBlocked`.
    """

    def __init__(
        self, context: Context, admitted: Admitted, admit_again: Callable[[], Admitted]
    ) -> None:
        self._context = context
        self._admit_again = admit_again
        self._token_id = admitted.token.id if admitted.token else None
        self._customer = admitted.customer
        self._expires_at = admitted.token.expires_at if admitted.token else None

    @classmethod
    def by_token(cls, context: Context, admitted: Admitted, *, record: bool) -> PortalAccess:
        """The access of whoever opened a link."""
        token = admitted.token
        assert token is not None
        return cls(context, admitted, lambda: admit(context, token.id, record=record))

    @classmethod
    def by_preview(cls, context: Context, admitted: Admitted) -> PortalAccess:
        """The read-only access of staff."""
        customer_id = admitted.customer.id
        return cls(context, admitted, lambda: admit_preview(context, customer_id))

    def __repr__(self) -> str:
        return f"<PortalAccess of customer {self._customer.id!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a PortalAccess is made for one request and is not pickled")

    @property
    def customer(self) -> Customer:
        """The customer as it was when the link was opened."""
        return self._customer

    @property
    def expires_at(self) -> dt.datetime | None:
        """First instant (UTC) at which the link no longer opens; None in a preview."""
        return self._expires_at

    @property
    def token_id(self) -> str | None:
        """The id of the token that opened the link; None in a preview."""
        return self._token_id

    @property
    def is_preview(self) -> bool:
        """True where staff look at what the customer would see."""
        return self._token_id is None

    # --- what there is

    def sections(self) -> tuple[Section, ...]:
        """The sections the customer may open now."""
        return tuple(filter(self._look().shows, Section))

    def welcome_message(self) -> str:
        """The plain text on top of the customer's pages, or an empty text."""
        return self._admit_again().config.welcome_message

    def overview(self) -> Overview:
        """What the first page shows, with one check of the link for all of it."""
        admitted = self._admit_again()
        visible = self._visible(admitted)
        sections = tuple(filter(visible.shows, Section))
        last_reply = None
        with self._context.storage.snapshot():
            if Section.MESSAGES in sections:
                last_reply = _last_reply(self._context, self._customer.id)
            summary = self._summary(admitted, visible, Section.STATEMENT not in sections)
        return Overview(sections, admitted.config.welcome_message, summary, last_reply)

    # --- documents

    def documents(
        self,
        kind: DocumentKind,
        *,
        after: str | None = None,
        limit: int = 50,
        search: str | None = None,
        year: int | None = None,
        open_only: bool = False,
    ) -> Page[DocumentView]:
        """The customer's issued documents of a kind, newest first.

        Args:
            kind: invoices, orders or credit notes.
            after: the ``next`` of an earlier page.
            limit: 1 to 200.
            search: only those whose number or reference starts with this, case ignored.
            year: only those dated in this year.
            open_only: only those of which the ledger has an open amount today.

        Raises:
            SectionHidden: the kind is switched off for customers.
            InvalidValue: an argument breaks its rule.
        """
        admitted = self._enter_kind(kind)
        check_limit(limit)
        wanted = Wanted(kind, _search(search), _year(year), day_key(after))
        visible = self._visible(admitted)
        with self._context.storage.snapshot():
            account = self._account(admitted)
            if open_only:
                wanted = attrs.evolve(wanted, ids=_open_documents(account, kind))
            page = visible.page(wanted, limit)
            found = settlements(account, page.items)
        views = tuple(self._view(one, found[one.id], admitted) for one in page.items)
        return Page(views, page.next)

    def document_years(self, kind: DocumentKind) -> tuple[int, ...]:
        """The years in which the customer has documents of a kind, newest first.

        Raises `SectionHidden` where the kind is switched off for customers.
        """
        return self._visible(self._enter_kind(kind)).years(kind)

    def document(self, document_id: str) -> DocumentDetail:
        """One document with the payments and credits on it, as of today.

        Raises `DocumentNotFound` for a hidden, foreign, draft, cancelled or unknown one.
        """
        admitted = self._admit_again()
        visible = self._visible(admitted)
        with self._context.storage.snapshot():
            document = visible.document(document_id)
            account = self._account(admitted)
            settlement = settlements(account, [document])[document.id]
            parts = visible.parts(settlement.parts)
        applied = [AppliedItem.of(part, debit_side=settlement.debit_side) for part in parts]
        applied.sort(key=lambda item: (item.counted_on, item.date))
        return DocumentDetail(self._view(document, settlement, admitted), tuple(applied))

    def document_file(self, document_id: str) -> DocumentFile | None:
        """The host's own file of a document, such as its PDF, or None where it gives none.

        Raises `DocumentNotFound` as `document` does.
        """
        document = self._look().document(document_id)
        if SupportsFiles not in self._context.document_abilities:
            return None
        return cast(SupportsFiles, self._context.documents).file(self._customer.id, document.id)

    def has_file(self, document_id: str) -> bool:
        """True where `document_file` gives one. Raises `DocumentNotFound` as `document` does."""
        document, abilities = self._look().document(document_id), self._context.document_abilities
        if SupportsFileCheck in abilities:
            checking = cast(SupportsFileCheck, self._context.documents)
            return checking.has_file(self._customer.id, document.id) is True
        return SupportsFiles in abilities and self.document_file(document_id) is not None

    # --- the account

    def statement(
        self,
        start: dt.date | None = None,
        end: dt.date | None = None,
        view: str = ACTIVITY,
        age_by: str = "due_date",
        *,
        aging: bool = True,
        lines: bool = True,
    ) -> StatementOfAccount:
        """The statement of account, by currency.

        Args:
            start: first day; the day of the first entry where None.
            end: last day; today where None or later than today.
            view: ``"activity"`` (balance forward) or ``"open_items"`` (what is open on
                the last day; ``start`` says nothing then).
            age_by: ``"due_date"`` (date where there is none) or ``"date"``.
            aging: False leaves out open items, aging and what is applied to what.
            lines: False leaves out the lines and their sums, which `statement_lines` streams.

        Raises:
            SectionHidden: the statement is switched off for customers.
            LedgerError: the ledger contradicts itself.
            InvalidValue: an argument breaks its rule, or start is after end.
        """
        admitted = self._enter(Section.STATEMENT)
        if view not in (ACTIVITY, OPEN_ITEMS):
            raise InvalidValue.of("view", view, "must be 'activity' or 'open_items'")
        check_age_by(age_by)
        last = self._last_day(start, end, admitted)
        with self._context.storage.snapshot():
            account = Account(self._context, self._customer.id, last)
            found = account.statement(start, view=view, age_by=age_by, aging=aging, lines=lines)
            visible = self._visible(admitted)
            sections = {name: visible.section(one) for name, one in found.by_currency.items()}
        return attrs.evolve(found, by_currency=sections)

    def statement_lines(
        self, currency: str, start: dt.date | None = None, end: dt.date | None = None
    ) -> Iterator[StatementLine]:
        """The activity of one currency as a stream, in statement order with running balance.

        For downloads of long accounts: it holds a thousand lines at a time, and checks the
        link again for each thousand. Raises as `statement`, before the first line.
        """
        admitted = self._enter(Section.STATEMENT)
        check_currency("currency", currency)
        account = Account(self._context, self._customer.id, self._last_day(start, end, admitted))
        return self._stream(account.lines(currency, start), admitted)

    def statement_page(
        self,
        currency: str,
        start: dt.date | None = None,
        end: dt.date | None = None,
        *,
        after: str | None = None,
        limit: int = 50,
    ) -> StatementPage:
        """One page of the activity of one currency, with the balance brought forward.

        Each line says what it settles or is settled by, as in `statement`.

        Args:
            currency: three capital letters.
            start: first day of the period; the day of the first entry where None.
            end: last day; today where None or later than today.
            after: the ``next`` of an earlier page of the same period.
            limit: 1 to 200 lines.

        Raises as `statement`.
        """
        admitted = self._enter(Section.STATEMENT)
        check_currency("currency", currency)
        check_limit(limit)
        last = self._last_day(start, end, admitted)
        key = _entry_key(after, start or dt.date.min, last)
        with self._context.storage.snapshot():
            account = Account(self._context, self._customer.id, last)
            page = account.page(currency, start, key, limit + 1)
            shown = account.with_applied(page.lines[:limit])
        lines = self._visible(admitted).lines(shown)
        if len(page.lines) <= limit:
            return attrs.evolve(page, lines=lines)
        day, side, entry_id = lines[-1].entry.key
        return attrs.evolve(
            page,
            lines=lines,
            carried_forward=lines[-1].balance,
            next=write_cursor(day.isoformat(), side, entry_id),
        )

    def summary(self) -> AccountSummary:
        """The account at a glance as of today.

        While the statement is off it tells of open invoices alone: no credits, no balance,
        no payment.
        """
        admitted = self._admit_again()
        visible = self._visible(admitted)
        with self._context.storage.snapshot():
            return self._summary(admitted, visible, not visible.shows(Section.STATEMENT))

    # --- messages

    def messages(self, *, after: str | None = None, limit: int = 50) -> Page[CustomerMessage]:
        """The thread with the seller, newest first, without any internal note.

        Raises `SectionHidden` where messages are switched off.
        """
        visible = self._visible(self._enter(Section.MESSAGES))
        page = thread_page(self._context, self._customer.id, after, limit)
        visible.look_up(message.document_id for message in page.items)
        messages = [CustomerMessage.of(one) for one in page.items]
        return Page(
            tuple(
                one if visible.may_open(one.document_id) else attrs.evolve(one, document_id=None)
                for one in messages
            ),
            page.next,
        )

    def send_message(
        self, text: str, *, document_id: str | None = None, idempotency_key: str | None = None
    ) -> CustomerMessage:
        """Write to the seller; a resent form (same key) makes one message.

        Args:
            text: plain text, 1 to 2,000 characters.
            document_id: a visible document it is about, or None.
            idempotency_key: of the form, unique per customer, or None.

        Raises:
            SectionHidden: messages are switched off.
            TooManyMessages: 20 were sent within the hour; ``retry_at`` says when again.
            DocumentNotFound: the document is not visible to the customer.
            AccessDenied: this is a preview, or the link no longer opens.
            InvalidValue: an argument breaks its rule.
        """
        admitted = self._admit_again()
        if admitted.token is None:
            raise AccessDenied
        self._visible(admitted).require(Section.MESSAGES)
        message = Message(
            id=new_token_id(),
            customer_id=self._customer.id,
            at=admitted.now,
            author=Author.CUSTOMER,
            text=text,
            document_id=document_id,
            idempotency_key=idempotency_key,
        )
        if document_id is not None:
            self._visible(admitted).document(document_id)
        token_id = admitted.token.id
        stored = self._context.transact(
            lambda unit: _post(self._context, unit, message, token_id), lock=[self._customer.id]
        )
        return CustomerMessage.of(stored)

    # --- helpers

    def _look(self) -> Visible:
        return self._visible(self._admit_again())

    def _visible(self, admitted: Admitted) -> Visible:
        return Visible(self._context, admitted)

    def _enter(self, section: Section) -> Admitted:
        admitted = self._admit_again()
        self._visible(admitted).require(section)
        return admitted

    def _enter_kind(self, kind: DocumentKind) -> Admitted:
        admitted = self._admit_again()
        self._visible(admitted).require(SECTION_OF[check_member("kind", kind, DocumentKind)])
        return admitted

    def _view(self, document: Document, settlement: Settlement, admitted: Admitted) -> DocumentView:
        return DocumentView.of(
            document,
            open_amount=settlement.open_amount,
            settled_by=settlement.settled_by,
            open_parts=settlement.open_parts,
            as_of=self._day(admitted),
        )

    def _summary(self, admitted: Admitted, visible: Visible, invoices_only: bool) -> AccountSummary:
        summary = self._account(admitted).summary(invoices_only=invoices_only)
        all_open = visible.learn(summary.entries())
        return summary if all_open else summary.with_items(visible.item)

    def _day(self, admitted: Admitted) -> dt.date:
        return self._context.today(admitted.now)

    def _account(self, admitted: Admitted) -> Account:
        return Account(self._context, self._customer.id, self._day(admitted))

    def _last_day(self, start: dt.date | None, end: dt.date | None, admitted: Admitted) -> dt.date:
        if start is not None:
            check_day("start", start)
        if end is not None:
            check_day("end", end)
        last = min(end or dt.date.max, self._day(admitted))
        if start is not None:
            Period(start, last)
        return last

    def _stream(
        self, pieces: Iterator[list[StatementLine]], admitted: Admitted
    ) -> Iterator[StatementLine]:
        for lines in pieces:
            yield from self._visible(admitted).lines(lines)
            admitted = self._enter(Section.STATEMENT)


def _post(context: Context, unit: UnitOfWork, message: Message, token_id: str) -> Message:
    """Add a customer's message, if the token still stands, it is no repetition and not too many."""
    token = unit.tokens.get(token_id)
    if token is None or token.status_at(message.at) is not TokenStatus.ACTIVE:
        raise AccessDenied
    if known := sent_before(unit, message):
        return known
    since = unit.messages.sent_since(message.customer_id, message.at - HOUR)
    sent = [instant for instant in since if instant <= message.at]
    if len(sent) >= MESSAGES_AN_HOUR:
        retry_at = sent[-MESSAGES_AN_HOUR] + HOUR
        raise TooManyMessages(
            f"{MESSAGES_AN_HOUR} messages were sent in the last hour; "
            f"you can write again at {next_minute(retry_at):%H:%M} UTC",
            retry_at=retry_at,
        )
    unit.messages.add(message)
    queue_notice(context, unit, MailKind.MESSAGE, message.customer_id, message.at)
    entry = AuditEntry(
        message.at, AuditEvent.MESSAGE, customer_id=message.customer_id, token_id=token_id
    )
    unit.audit.append([entry])
    return message


def _last_reply(context: Context, customer_id: str) -> dt.datetime | None:
    """The instant of the seller's last reply among the latest messages."""
    found = thread_page(context, customer_id, None, PAGE_LIMIT)
    return next((one.at for one in found if one.author is Author.SELLER), None)


def _open_documents(account: Account, kind: DocumentKind) -> frozenset[str]:
    """The documents with an open entry on the side of their kind, as `Settlement` counts them."""
    debit_side = kind is not DocumentKind.CREDIT_NOTE
    entries = (item.entry for item in account.open_items())
    return frozenset(e.document_id for e in entries if e.document_id and e.is_debit is debit_side)


def _entry_key(cursor: str | None, start: dt.date, end: dt.date) -> EntryKey | None:
    key = read_cursor(cursor, str, int, str)
    if key is None:
        return None
    try:
        found = (dt.date.fromisoformat(str(key[0])), int(key[1]), str(key[2]))
    except ValueError:
        found = None
    # From outside the period it would bring a wrong balance forward.
    if found is None or not start <= found[0] <= end:
        raise InvalidValue.of("after", cursor, "must be the next= of an earlier page of the period")
    return found


def _search(search: str | None) -> str | None:
    if search is None or not (
        text := check_text("search", search, limit=SEARCH_LIMIT, least=0).strip()
    ):
        return None
    return text


def _year(year: int | None) -> int | None:
    return None if year is None else check_whole_number("year", year, 1, 9999)
