"""A document as its customer sees it, and the words for its state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from decimal import Decimal
from enum import StrEnum

import attrs

from .allocation import AppliedPart, OpenItem
from .checks import trusted
from .documents import Document, DocumentKind
from .ledger import EntryKind
from .money import ZERO, format_amount, total
from .phrases import Phrase

_DOCUMENT_FIELDS = tuple(a.name for a in attrs.fields(Document))


@attrs.define(frozen=True, slots=False)
class OpenPart:
    """What of a document is open and due on one day: all of it, or an instalment.

    Attributes:
        due_date: the day, or None.
        amount: what is open of it, above 0, in the document's currency.
    """

    due_date: dt.date | None
    amount: Decimal


@attrs.define(frozen=True, slots=False)
class DocumentView(Document):
    """A document as its customer sees it: the host's document and what the ledger says of it.

    Attributes:
        open_amount: what is open of it as of ``as_of``, in its currency; for a credit note,
            what is left to use; None where the ledger has no entry of it by that day.
        settled_by: the kinds of the entries that settled it so far.
        open_parts: what is open of it by due date, earliest first and without one last; none
            where nothing is open, several for instalments.
        as_of: the seller's date on which this is true.
    """

    open_amount: Decimal | None = attrs.field(default=None, kw_only=True)
    settled_by: frozenset[EntryKind] = attrs.field(default=frozenset(), kw_only=True)
    open_parts: tuple[OpenPart, ...] = attrs.field(default=(), kw_only=True)
    as_of: dt.date = attrs.field(default=dt.date.min, kw_only=True)

    @classmethod
    def of(
        cls,
        document: Document,
        *,
        open_amount: Decimal | None,
        settled_by: Collection[EntryKind],
        open_parts: Iterable[OpenPart],
        as_of: dt.date,
    ) -> DocumentView:
        """``document`` with what the ledger says of it."""
        return trusted(
            cls,
            **{name: getattr(document, name) for name in _DOCUMENT_FIELDS},
            open_amount=open_amount,
            settled_by=frozenset(settled_by),
            open_parts=tuple(open_parts),
            as_of=as_of,
        )

    @property
    def open_due_date(self) -> dt.date | None:
        """The earliest due date of what is open, which for instalments is not the document's."""
        return self.open_parts[0].due_date if self.open_parts else None

    @property
    def overdue_amount(self) -> Decimal:
        """What of its open amount is overdue as of ``as_of``; of an invoice alone."""
        if self.kind is not DocumentKind.SALES_INVOICE:
            return ZERO
        due = [(part.due_date, part.amount) for part in self.open_parts if part.due_date]
        return total(amount for day, amount in due if day < self.as_of)

    @property
    def state(self) -> DocumentState:
        """The words for its state."""
        return document_state(self)

    def state_of(self, part: OpenPart) -> DocumentState:
        """The words for the state of one part of what is open of an invoice."""
        return _open_state(part.due_date, self.date, self.as_of, part_paid=False)


@attrs.define(frozen=True, slots=False)
class DocumentDetail:
    """One document with the payments and credits on it.

    Attributes:
        document: the document, its open amount and state.
        applied: what settles it (a credit note: what it is applied to), in the order in
            which it counts, as of ``document.as_of``.
    """

    document: DocumentView
    applied: tuple[AppliedItem, ...]


@attrs.define(frozen=True, slots=False)
class AppliedItem:
    """One line of "Payments and credits on this invoice", or of "Applied to".

    Attributes:
        date: date of the other entry.
        kind: what the other entry is.
        number: its number, or None.
        reference: its reference, or None.
        amount: the part applied, in the document's currency.
        document_id: the other document, where the customer may open it; else None.
        counted_on: the day from which the part counts.
    """

    date: dt.date
    kind: EntryKind
    number: str | None
    reference: str | None
    amount: Decimal
    document_id: str | None
    counted_on: dt.date

    @classmethod
    def of(cls, part: AppliedPart, *, debit_side: bool) -> AppliedItem:
        """The part as seen from a debit, or from a credit."""
        other = part.credit if debit_side else part.debit
        return cls(
            other.date,
            other.kind,
            other.number,
            other.reference,
            part.amount,
            other.document_id,
            part.counted_on,
        )


class Tone(StrEnum):
    """How a state is to be shown. Never by colour alone: the words carry it."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"
    NONE = "none"


class StateCode(StrEnum):
    """What a state says, apart from its words."""

    NONE = "none"
    NOT_ON_ACCOUNT = "not_on_account"
    LEFT_TO_USE = "left_to_use"
    USED_IN_FULL = "used_in_full"
    PAID = "paid"
    SETTLED = "settled"
    OPEN_SINCE = "open_since"
    OPEN_FOR = "open_for"
    OVERDUE = "overdue"
    DUE_TODAY = "due_today"
    DUE_TOMORROW = "due_tomorrow"
    DUE_IN = "due_in"


STATE_WORDS = {
    StateCode.NOT_ON_ACCOUNT: Phrase("Not yet on the account"),
    StateCode.LEFT_TO_USE: Phrase("%(money)s left to use"),
    StateCode.USED_IN_FULL: Phrase("Used in full"),
    StateCode.PAID: Phrase("Paid"),
    StateCode.SETTLED: Phrase("Settled"),
    StateCode.OPEN_SINCE: Phrase(
        "Open, %(count)s day since invoice date", "Open, %(count)s days since invoice date"
    ),
    StateCode.OPEN_FOR: Phrase("Open for %(count)s day", "Open for %(count)s days"),
    StateCode.OVERDUE: Phrase("%(count)s day overdue", "%(count)s days overdue"),
    StateCode.DUE_TODAY: Phrase("Due today"),
    StateCode.DUE_TOMORROW: Phrase("Due tomorrow"),
    StateCode.DUE_IN: Phrase("Due in %(count)s day", "Due in %(count)s days"),
}
"""The one table of status words; a sales order has none."""

PART_WORDS = {
    StateCode.OVERDUE: Phrase("%(money)s overdue"),
    StateCode.DUE_TODAY: Phrase("%(money)s due today"),
    StateCode.DUE_TOMORROW: Phrase("%(money)s due tomorrow"),
    StateCode.DUE_IN: Phrase("%(money)s due in %(count)s day", "%(money)s due in %(count)s days"),
}
"""The same where it is true of a part of what is open: the rest is due later, or on no day."""


@attrs.define(frozen=True)
class DocumentState:
    """The state of a document in words.

    Attributes:
        words: such as "Due in 5 days", "12 days overdue", "Settled"; empty for an order.
        tone: open, overdue, done, or none.
        part_paid: True where something was paid or credited, but not all.
        code: what the words say, for other languages.
        days: the days the words tell of, or None.
        currency, amount: what is left of a credit note; what of an invoice is overdue, or else
            due next, where that is not all that is open; or None.
    """

    words: str
    tone: Tone
    part_paid: bool = False
    code: StateCode = StateCode.NONE
    days: int | None = None
    currency: str | None = None
    amount: Decimal | None = None

    def __str__(self) -> str:
        return self.words


def state_phrase(state: DocumentState) -> Phrase | None:
    """The words of a state, the figures not yet filled in; None for an order."""
    of_a_part = PART_WORDS.get(state.code) if state.amount is not None else None
    return of_a_part or STATE_WORDS.get(state.code)


def document_state(document: DocumentView) -> DocumentState:
    """The state of a document, used wherever it is shown.

    Overdue always wins over part paid. Where only a part is overdue, or due next, the words
    say how much that is. A credit note is never due or overdue. An invoice
    without a due date is open since its date, never overdue.
    """
    if document.kind is DocumentKind.SALES_ORDER:
        return _state(StateCode.NONE, Tone.NONE)
    if document.open_amount is None:
        return _state(StateCode.NOT_ON_ACCOUNT, Tone.NONE)
    if document.kind is DocumentKind.CREDIT_NOTE:
        if not document.open_amount:
            return _state(StateCode.USED_IN_FULL, Tone.DONE)
        return _left_to_use(document.currency, document.open_amount)
    if not document.open_amount:
        only_paid = document.settled_by == {EntryKind.PAYMENT}
        return _state(StateCode.PAID if only_paid else StateCode.SETTLED, Tone.DONE)
    return _open_invoice_state(document)


def open_item_state(item: OpenItem, as_of: dt.date) -> DocumentState:
    """The state of an open item as of a day, the same as `document_state` gives."""
    entry = item.entry
    if not entry.is_debit:
        return _left_to_use(entry.currency, item.open_amount)
    part_paid = item.open_amount < entry.amount
    since = StateCode.OPEN_SINCE if entry.kind is EntryKind.INVOICE else StateCode.OPEN_FOR
    return _open_state(entry.due_date, entry.date, as_of, part_paid=part_paid, since=since)


def _left_to_use(currency: str, left: Decimal) -> DocumentState:
    return _state(StateCode.LEFT_TO_USE, Tone.OPEN, currency=currency, amount=left)


def _open_invoice_state(document: DocumentView) -> DocumentState:
    state = _open_state(
        document.open_due_date, document.date, document.as_of, part_paid=bool(document.settled_by)
    )
    if len(document.open_parts) < 2:
        return state
    told = document.overdue_amount or document.open_parts[0].amount
    if told == document.open_amount:
        return state
    return _state(
        state.code,
        state.tone,
        state.days,
        part_paid=state.part_paid,
        currency=document.currency,
        amount=told,
    )


def _open_state(
    due: dt.date | None,
    date: dt.date,
    as_of: dt.date,
    *,
    part_paid: bool,
    since: StateCode = StateCode.OPEN_SINCE,
) -> DocumentState:
    if due is None:
        return _state(since, Tone.OPEN, max(0, (as_of - date).days), part_paid=part_paid)
    days = (due - as_of).days
    if days < 0:
        return _state(StateCode.OVERDUE, Tone.OVERDUE, -days, part_paid=part_paid)
    code = {0: StateCode.DUE_TODAY, 1: StateCode.DUE_TOMORROW}.get(days, StateCode.DUE_IN)
    return _state(code, Tone.OPEN, days, part_paid=part_paid)


def _state(
    code: StateCode,
    tone: Tone,
    days: int | None = None,
    *,
    part_paid: bool = False,
    currency: str | None = None,
    amount: Decimal | None = None,
) -> DocumentState:
    state = DocumentState("", tone, part_paid, code, days, currency, amount)
    if (phrase := state_phrase(state)) is None:
        return state
    money = "" if amount is None else f"{currency} {format_amount(amount)}"
    return attrs.evolve(state, words=phrase.english(days, money=money))
