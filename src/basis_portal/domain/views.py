"""A document as its customer sees it, and the words for its state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum

import attrs

from .allocation import AppliedPart, OpenItem
from .checks import trusted
from .documents import Document, DocumentKind
from .ledger import EntryKind
from .money import format_amount

_DOCUMENT_FIELDS = tuple(a.name for a in attrs.fields(Document))


@attrs.define(frozen=True, slots=False)
class DocumentView(Document):
    """A document as its customer sees it: the host's document and what the ledger says of it.

    Attributes:
        open_amount: what is open of it as of ``as_of``, in its currency; for a credit note,
            what is left to use; None where the ledger has no entry of it by that day.
        settled_by: the kinds of the entries that settled it so far.
        open_due_date: the earliest due date of what is open, which for instalments is not
            the document's; None where nothing open has one.
        as_of: the seller's date on which this is true.
    """

    open_amount: Decimal | None = attrs.field(default=None, kw_only=True)
    settled_by: frozenset[EntryKind] = attrs.field(default=frozenset(), kw_only=True)
    open_due_date: dt.date | None = attrs.field(default=None, kw_only=True)
    as_of: dt.date = attrs.field(default=dt.date.min, kw_only=True)

    @classmethod
    def of(
        cls,
        document: Document,
        *,
        open_amount: Decimal | None,
        settled_by: Collection[EntryKind],
        open_due_date: dt.date | None,
        as_of: dt.date,
    ) -> DocumentView:
        """``document`` with what the ledger says of it."""
        return trusted(
            cls,
            **{name: getattr(document, name) for name in _DOCUMENT_FIELDS},
            open_amount=open_amount,
            settled_by=frozenset(settled_by),
            open_due_date=open_due_date,
            as_of=as_of,
        )

    @property
    def state(self) -> DocumentState:
        """The words for its state."""
        return document_state(self)


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


@attrs.define(frozen=True)
class DocumentState:
    """The state of a document in words.

    Attributes:
        words: such as "Due in 5 days", "12 days overdue", "Settled"; empty for an order.
        tone: open, overdue, done, or none.
        part_paid: True where something was paid or credited, but not all.
    """

    words: str
    tone: Tone
    part_paid: bool = False

    def __str__(self) -> str:
        return self.words


def document_state(document: DocumentView) -> DocumentState:
    """The words for a document's state, used wherever it is shown.

    Overdue always wins over part paid. A credit note is never due or overdue. An invoice
    without a due date is open since its date, never overdue.
    """
    if document.kind is DocumentKind.SALES_ORDER:
        return DocumentState("", Tone.NONE)
    if document.open_amount is None:
        return DocumentState("Not yet on the account", Tone.NONE)
    if document.kind is DocumentKind.CREDIT_NOTE:
        return _credit_note_state(document, document.open_amount)
    if not document.open_amount:
        only_paid = document.settled_by == {EntryKind.PAYMENT}
        return DocumentState("Paid" if only_paid else "Settled", Tone.DONE)
    return _open_state(
        document.open_due_date, document.date, document.as_of, part_paid=bool(document.settled_by)
    )


def open_item_state(item: OpenItem, as_of: dt.date) -> DocumentState:
    """The words for an open item's state as of a day, the same as `document_state` gives."""
    entry = item.entry
    if not entry.is_debit:
        words = f"{entry.currency} {format_amount(item.open_amount)} left to use"
        return DocumentState(words, Tone.OPEN)
    part_paid = item.open_amount < entry.amount
    return _open_state(entry.due_date, entry.date, as_of, part_paid=part_paid)


def _credit_note_state(document: DocumentView, left: Decimal) -> DocumentState:
    if not left:
        return DocumentState("Used in full", Tone.DONE)
    return DocumentState(f"{document.currency} {format_amount(left)} left to use", Tone.OPEN)


def _open_state(
    due: dt.date | None, date: dt.date, as_of: dt.date, *, part_paid: bool
) -> DocumentState:
    if due is None:
        since = _days(max(0, (as_of - date).days))
        return DocumentState(f"Open, {since} since invoice date", Tone.OPEN, part_paid)
    days = (due - as_of).days
    if days < 0:
        return DocumentState(f"{_days(-days)} overdue", Tone.OVERDUE, part_paid)
    words = {0: "Due today", 1: "Due tomorrow"}.get(days, f"Due in {days} days")
    return DocumentState(words, Tone.OPEN, part_paid)


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
