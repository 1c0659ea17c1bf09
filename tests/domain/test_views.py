"""The words for a document's state, all of them, and what a document page shows."""

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from basis_portal import (
    AppliedItem,
    AppliedPart,
    Document,
    DocumentDetail,
    DocumentKind,
    DocumentView,
    EntryKind,
    LedgerEntry,
    OpenItem,
    OpenPart,
    Tone,
    document_state,
    open_item_state,
)
from basis_portal.domain.money import format_amount, from_units, to_units, total
from basis_portal.domain.views import StateCode, state_phrase
from basis_portal.testing.builders import (
    a_credit_note,
    a_payment,
    an_entry,
    an_invoice,
    an_order,
)
from basis_portal.testing.strategies import amounts, dates, documents, optional

TODAY = dt.date(2025, 3, 31)
PAYMENT, CREDIT_NOTE, WRITE_OFF = EntryKind.PAYMENT, EntryKind.CREDIT_NOTE, EntryKind.WRITE_OFF
CREDITS = [kind for kind in EntryKind if not kind.is_debit]


def _day(days: int) -> dt.date:
    return TODAY + dt.timedelta(days=days)


def _view(document: Document, open_amount: str | None, *kinds: EntryKind, **more: Any) -> Any:
    amount = None if open_amount is None else Decimal(open_amount)
    due = more.pop("open_due_date", None)
    return DocumentView.of(
        document,
        open_amount=amount,
        settled_by=kinds,
        open_parts=[OpenPart(due, amount)] if amount else [],
        **{"as_of": TODAY, **more},
    )


def _in_parts(*parts: tuple[int | None, str]) -> Any:
    """An invoice of which amounts are due so many days from today, or on no day."""
    found = [
        OpenPart(None if days is None else _day(days), Decimal(amount)) for days, amount in parts
    ]
    return DocumentView.of(
        an_invoice(date=_day(-40)),
        open_amount=total(part.amount for part in found),
        settled_by=(),
        open_parts=found,
        as_of=TODAY,
    )


@st.composite
def _views(draw: st.DrawFn) -> DocumentView:
    near = st.integers(-3, 3).map(_day) | dates()
    due = draw(st.lists(optional(near), unique=True, max_size=3))
    parts = [
        OpenPart(day, draw(amounts(above_zero=True)))
        for day in sorted(due, key=lambda day: (day is None, day or TODAY))
    ]
    nothing = draw(st.sampled_from([None, Decimal(0)]))
    return DocumentView.of(
        draw(documents(kind=st.sampled_from([DocumentKind.SALES_INVOICE, *DocumentKind]))),
        open_amount=total(part.amount for part in parts) if parts else nothing,
        settled_by=draw(st.sets(st.sampled_from(CREDITS))),
        open_parts=parts,
        as_of=draw(near),
    )


@given(_views())
def test_a_view_is_the_host_s_document(view: DocumentView) -> None:
    """Each field of the host's document is in the view as the host gave it."""
    names = [field.name for field in attrs.fields(Document)]
    document = Document(**{name: getattr(view, name) for name in names})
    again = DocumentView.of(
        document,
        open_amount=view.open_amount,
        settled_by=view.settled_by,
        open_parts=view.open_parts,
        as_of=view.as_of,
    )
    assert again == view


@given(_views())
def test_a_state_keeps_its_promises(view: DocumentView) -> None:
    """Only an open invoice is due or overdue, by the due date of what is open of it alone."""
    state = document_state(view)
    assert view.state == state
    assert str(state) == state.words
    open_invoice = view.kind is DocumentKind.SALES_INVOICE and bool(view.open_amount)
    due = view.open_due_date
    late = open_invoice and due is not None and due < view.as_of
    assert (state.tone is Tone.OVERDUE) is late is state.words.endswith("overdue")
    assert state.part_paid is (open_invoice and bool(view.settled_by))
    assert bool(state.words) is (view.kind is not DocumentKind.SALES_ORDER)
    if "ue" in state.words:
        assert open_invoice


@given(_views())
def test_a_state_can_be_said_in_other_languages(view: DocumentView) -> None:
    """Its code, with the days or the money it carries, gives the same words again."""
    state = document_state(view)
    if state.code is StateCode.NONE:
        assert (view.kind, state.words) == (DocumentKind.SALES_ORDER, "")
        return
    words = {}
    if state.amount is not None:
        assert state.currency == view.currency
        words = {"money": f"{state.currency} {format_amount(state.amount)}"}
    phrase = state_phrase(state)
    assert phrase is not None
    assert state.words == phrase.english(state.days, **words)
    due = view.open_due_date
    if "ue" in state.words and due:
        assert state.days == abs((due - view.as_of).days)


@given(_views())
def test_money_is_told_where_the_words_are_true_of_a_part_alone(view: DocumentView) -> None:
    """A state has an amount where that is not all that is open, or where it is left to use."""
    state = document_state(view)
    due_next = view.open_parts[0].amount if view.open_parts else None
    if state.code is StateCode.LEFT_TO_USE:
        assert state.amount == view.open_amount
    elif state.tone is Tone.OVERDUE:
        assert (state.amount or view.open_amount) == view.overdue_amount > 0
    elif state.days is not None:
        assert (state.amount or view.open_amount) == due_next
    else:
        assert (state.amount, view.overdue_amount) == (None, 0)
    assert (state.amount is None) is (state.currency is None)
    if state.code is not StateCode.LEFT_TO_USE:
        assert state.amount is None or state.amount < (view.open_amount or 0)


@given(
    st.builds(
        an_entry,
        kind=st.sampled_from(EntryKind),
        date=dates(),
        due_date=optional(dates()),
        amount=amounts(above_zero=True),
    ),
    st.integers(1, 10),
    dates(),
)
def test_an_open_item_has_the_words_of_its_document(
    entry: LedgerEntry, tenths: int, as_of: dt.date
) -> None:
    """What is open of an invoice or credit note is told in the same words as the document."""
    assume(entry.due_date or entry.kind is EntryKind.INVOICE or not entry.is_debit)
    left = max(from_units(to_units(entry.amount) * tenths // 10), Decimal("0.0001"))
    head: dict[str, Any] = {"date": entry.date, "due_date": entry.due_date}
    document = an_invoice(**head) if entry.is_debit else a_credit_note(**head)
    part = [PAYMENT] if left < entry.amount else []
    view = _view(document, f"{left}", *part, open_due_date=entry.due_date, as_of=as_of)
    state = open_item_state(OpenItem(entry, left), as_of)
    assert state == document_state(view)
    assert state.tone is not Tone.DONE


@pytest.mark.parametrize(
    ("due", "words", "tone"),
    [
        (400, "Due in 400 days", Tone.OPEN),
        (5, "Due in 5 days", Tone.OPEN),
        (2, "Due in 2 days", Tone.OPEN),
        (1, "Due tomorrow", Tone.OPEN),
        (0, "Due today", Tone.OPEN),
        (-1, "1 day overdue", Tone.OVERDUE),
        (-2, "2 days overdue", Tone.OVERDUE),
        (-12, "12 days overdue", Tone.OVERDUE),
    ],
)
@pytest.mark.parametrize("kinds", [(), (PAYMENT,), (CREDIT_NOTE,)])
def test_the_words_for_an_open_invoice(
    due: int, words: str, tone: Tone, kinds: tuple[EntryKind, ...]
) -> None:
    """The words say how far the due date is; part paid is told beside them, never instead."""
    state = document_state(_view(an_invoice(), "50", *kinds, open_due_date=_day(due)))
    assert (state.words, state.tone, state.part_paid) == (words, tone, bool(kinds))


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (-3, "Open, 0 days since invoice date"),
        (0, "Open, 0 days since invoice date"),
        (1, "Open, 1 day since invoice date"),
        (40, "Open, 40 days since invoice date"),
    ],
)
def test_an_invoice_without_a_due_date_is_never_overdue(age: int, words: str) -> None:
    """Where nothing open has a due date it is open since its date, however long that is."""
    state = document_state(_view(an_invoice(date=_day(-age)), "50", PAYMENT))
    assert (state.words, state.tone, state.part_paid) == (words, Tone.OPEN, True)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ((PAYMENT,), "Paid"),
        ((CREDIT_NOTE,), "Settled"),
        ((PAYMENT, CREDIT_NOTE), "Settled"),
        ((PAYMENT, WRITE_OFF), "Settled"),
        ((EntryKind.CREDIT_ADJUSTMENT,), "Settled"),
        ((), "Settled"),
    ],
)
@pytest.mark.parametrize("due", [-12, 5])
def test_the_words_for_a_settled_invoice(
    kinds: tuple[EntryKind, ...], words: str, due: int
) -> None:
    """Paid is what payments alone settled, and nothing settled is late."""
    state = document_state(_view(an_invoice(due_date=_day(due)), "0.00", *kinds))
    assert (state.words, state.tone, state.part_paid) == (words, Tone.DONE, False)


@pytest.mark.parametrize(
    ("left", "words", "tone"),
    [
        ("120", "EUR 120.00 left to use", Tone.OPEN),
        ("1200.5", "EUR 1,200.50 left to use", Tone.OPEN),
        ("0.0045", "EUR 0.0045 left to use", Tone.OPEN),
        ("0", "Used in full", Tone.DONE),
    ],
)
def test_a_credit_note_is_never_due(left: str, words: str, tone: Tone) -> None:
    """A credit note says what is left of it, whatever due date the host gave it."""
    note = a_credit_note(due_date=_day(-12))
    state = document_state(_view(note, left, EntryKind.INVOICE, open_due_date=_day(-12)))
    assert (state.words, state.tone, state.part_paid) == (words, tone, False)


def test_an_order_has_no_state_of_ours() -> None:
    """A sales order has no words, with and without entries."""
    for open_amount in (None, "0", "50"):
        state = document_state(_view(an_order(due_date=_day(-12)), open_amount, PAYMENT))
        assert (state.words, state.tone, state.part_paid) == ("", Tone.NONE, False)


@pytest.mark.parametrize("document", [an_invoice(due_date=_day(-12)), a_credit_note()])
def test_a_document_without_entries_is_not_on_the_account(document: Document) -> None:
    """Where the ledger has no entry of it by that day, nothing is said to be due."""
    state = document_state(_view(document, None))
    assert (state.words, state.tone) == ("Not yet on the account", Tone.NONE)


def test_instalments_are_due_by_what_is_open() -> None:
    """With the first instalment paid, the second one's date counts, not the document's."""
    invoice = an_invoice(due_date=_day(-30))
    state = document_state(_view(invoice, "50", PAYMENT, open_due_date=_day(5)))
    assert (state.words, state.part_paid) == ("Due in 5 days", True)
    late = document_state(_view(an_invoice(due_date=_day(30)), "50", open_due_date=_day(-1)))
    assert (late.words, late.tone) == ("1 day overdue", Tone.OVERDUE)


@pytest.mark.parametrize(
    ("parts", "words", "tone"),
    [
        ([(-5, "450"), (40, "450.01")], "EUR 450.00 overdue", Tone.OVERDUE),
        ([(-30, "1000"), (-5, "450"), (40, "1")], "EUR 1,450.00 overdue", Tone.OVERDUE),
        ([(-5, "450"), (0, "1"), (40, "450.01")], "EUR 450.00 overdue", Tone.OVERDUE),
        ([(-30, "450"), (-5, "450.01")], "30 days overdue", Tone.OVERDUE),
        ([(-5, "450"), (None, "450.01")], "EUR 450.00 overdue", Tone.OVERDUE),
        ([(0, "450"), (40, "450.01")], "EUR 450.00 due today", Tone.OPEN),
        ([(1, "450"), (40, "450.01")], "EUR 450.00 due tomorrow", Tone.OPEN),
        ([(5, "450"), (40, "450.01")], "EUR 450.00 due in 5 days", Tone.OPEN),
        ([(5, "450"), (None, "450.01")], "EUR 450.00 due in 5 days", Tone.OPEN),
        ([(5, "900.01")], "Due in 5 days", Tone.OPEN),
    ],
)
def test_only_the_part_that_is_late_is_overdue(
    parts: list[tuple[int | None, str]], words: str, tone: Tone
) -> None:
    """Of several due days the words tell what is overdue, or due next, and how much that is."""
    state = document_state(_in_parts(*parts))
    assert (state.words, state.tone) == (words, tone)


def test_each_part_has_a_state_of_its_own() -> None:
    """The parts of what is open say each when it is due, without its amount."""
    view = _in_parts((-5, "450"), (0, "1"), (40, "450.01"), (None, "7"))
    assert [view.state_of(part).words for part in view.open_parts] == [
        "5 days overdue",
        "Due today",
        "Due in 40 days",
        "Open, 40 days since invoice date",
    ]
    assert not any(view.state_of(part).part_paid for part in view.open_parts)


def test_a_part_is_seen_from_either_side() -> None:
    """On an invoice the payment is shown, on the payment's document the invoice."""
    invoice = an_entry("I", document_id="D-I", number="INV-1", reference="PO-77")
    payment = a_payment("P", document_id="D-P", number="REM-1", date=dt.date(2025, 1, 25))
    part = AppliedPart(invoice, payment, Decimal(40), dt.date(2025, 1, 26))
    counted = dt.date(2025, 1, 26)
    seen = AppliedItem.of(part, debit_side=True)
    assert seen == AppliedItem(payment.date, PAYMENT, "REM-1", None, Decimal(40), "D-P", counted)
    seen = AppliedItem.of(part, debit_side=False)
    assert seen == AppliedItem(
        invoice.date, EntryKind.INVOICE, "INV-1", "PO-77", Decimal(40), "D-I", counted
    )
    detail = DocumentDetail(_view(an_invoice(), "79", PAYMENT), (seen,))
    assert detail.document.settled_by == {PAYMENT}


@pytest.mark.parametrize(
    ("kind", "due", "open_amount", "words", "part_paid"),
    [
        (EntryKind.INVOICE, dt.date(2026, 4, 19), "100", "Due in 5 days", False),
        (EntryKind.INVOICE, dt.date(2026, 4, 13), "40", "1 day overdue", True),
        (EntryKind.DEBIT_ADJUSTMENT, None, "100", "Open for 13 days", False),
        (EntryKind.CREDIT_NOTE, dt.date(2026, 4, 1), "30", "EUR 30.00 left to use", False),
    ],
)
def test_an_open_item_is_worded_as_its_document(
    kind: EntryKind, due: dt.date | None, open_amount: str, words: str, part_paid: bool
) -> None:
    """An open item has the words that a document with its dates would have."""
    entry = LedgerEntry("E", "C", "EUR", dt.date(2026, 4, 1), kind, Decimal(100), due_date=due)
    state = open_item_state(OpenItem(entry, Decimal(open_amount)), dt.date(2026, 4, 14))
    assert (state.words, state.part_paid) == (words, part_paid)
