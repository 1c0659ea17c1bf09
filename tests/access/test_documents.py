"""Lists of documents, and one document with the payments and credits on it."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import (
    Allocation,
    Document,
    DocumentFile,
    DocumentKind,
    DocumentStatus,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    Portal,
    PortalAccess,
    Tone,
)
from basis_portal.domain.aging import age_open_items
from basis_portal.domain.money import from_units, to_units, total
from basis_portal.domain.paging import write_cursor
from basis_portal.repositories import FullStorage
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import (
    a_credit_note,
    a_customer,
    a_payment,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
)
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers
from basis_portal.testing.strategies import amounts, optional

from .worlds import (
    CREDIT_NOTE,
    INVOICE,
    ORDER,
    HostDocuments,
    HostLedger,
    all_pages,
    opened,
    over,
)

KINDS = (INVOICE, ORDER, CREDIT_NOTE)
TODAY = dt.date(2025, 1, 15)
NUMBERS = ("INV-1", "inv-10", "100%_", "Straße 1", "STRASSE 2", "é", "0")
REFERENCES = (None, "", "PO-77", "po-7", "inv-1")
SEARCHES = ("inv", "INV-1", "PO", "po-77", "strasse", "straße", "%", "_", "100%", "É", "0", "x")


@st.composite
def many_documents(draw: st.DrawFn) -> list[Document]:
    """Documents of two customers, of any kind and status, on few days and under few numbers."""
    makers = {INVOICE: an_invoice, ORDER: an_order, CREDIT_NOTE: a_credit_note}
    days = st.sampled_from(
        [dt.date(y, m, d) for y in (2023, 2024, 2025) for m, d in ((1, 1), (1, 2), (12, 31))]
    )
    return [
        makers[draw(st.sampled_from(KINDS))](
            f"D{number * 7 % 40:02}",
            customer_id=draw(st.sampled_from(("C-1", "C-1", "C-2"))),
            status=draw(st.sampled_from((DocumentStatus.ISSUED, *DocumentStatus))),
            number=draw(st.sampled_from(NUMBERS)),
            reference=draw(st.sampled_from(REFERENCES)),
            date=draw(days),
        )
        for number in range(draw(st.integers(0, 40)))
    ]


def starts_with(document: Document, search: str) -> bool:
    """What the search means: number or reference starts with it, case ignored."""
    found = [document.number, document.reference or ""]
    return any(text.casefold()[: len(search.casefold())] == search.casefold() for text in found)


@settings(max_examples=examples(60), deadline=None)
@given(documents=many_documents(), open_ids=st.sets(st.integers(0, 39)), data=st.data())
def test_lists(documents: list[Document], open_ids: set[int], data: st.DataObject) -> None:
    """Pages of any length join to all issued documents asked for, newest first."""
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    storage.documents.save(*documents)
    still_open = {f"D{number:02}" for number in open_ids}
    for one in documents:
        if one.id in still_open and one.kind is not ORDER:
            storage.ledger.save(
                an_entry(one.id, customer_id=one.customer_id, kind=_ENTRY_KIND[one.kind])
            )
    repositories: dict[str, Any] = data.draw(
        st.sampled_from([{}, {"documents": HostDocuments(documents)}])
    )
    access = opened(over(storage, **repositories), "C-1")
    for kind in KINDS:
        asked: dict[str, Any] = data.draw(_QUESTIONS)
        expected = [
            one.id
            for one in sorted(documents, key=lambda one: (one.date, one.id), reverse=True)
            if (one.customer_id, one.kind, one.status) == ("C-1", kind, DocumentStatus.ISSUED)
            and (asked["search"] is None or starts_with(one, asked["search"].strip()))
            and (asked["year"] is None or one.date.year == asked["year"])
            and (not asked["open_only"] or (one.id in still_open and kind is not ORDER))
        ]
        pages = all_pages(access.documents, kind, **asked)
        assert [view.id for page in pages for view in page] == expected
        assert all(len(page) == asked["limit"] for page in pages[:-1])
        assert len(pages) == max(1, -(-len(expected) // asked["limit"]))
        own = [one for one in documents if one.customer_id == "C-1" and one.kind is kind]
        issued = {one.date.year for one in own if one.status is DocumentStatus.ISSUED}
        assert list(access.document_years(kind)) == sorted(issued, reverse=True)


_ENTRY_KIND = {INVOICE: EntryKind.INVOICE, CREDIT_NOTE: EntryKind.CREDIT_NOTE}
_QUESTIONS = st.fixed_dictionaries(
    {
        "limit": st.sampled_from((1, 2, 3, 200)),
        "search": st.sampled_from((None, None, "", "  ", " inv-1 ", *SEARCHES)),
        "year": st.sampled_from((None, None, 2023, 2024, 1)),
        "open_only": st.booleans(),
    }
)


@pytest.mark.parametrize("kind", KINDS)
def test_lists_of_each_storage(portal: Portal, storage: Any, kind: DocumentKind) -> None:
    """Each storage gives the same pages for every way to ask."""
    makers = {INVOICE: an_invoice, ORDER: an_order, CREDIT_NOTE: a_credit_note}
    documents = [
        makers[kind](
            f"D{number}",
            customer_id="C-1001",
            number=NUMBERS[number % len(NUMBERS)],
            reference=REFERENCES[number % len(REFERENCES)],
            date=dt.date(2023 + number % 3, 1, 1 + number % 2),
        )
        for number in range(20)
    ]
    storage.documents.save(*documents)
    entries = [an_entry(f"D{n}", kind=EntryKind.INVOICE) for n in range(0, 20, 2)]
    storage.ledger.save(*entries)
    access = opened(portal, "C-1001")
    host = opened(
        over(storage, documents=HostDocuments(documents), ledger=storage.ledger), "C-1001"
    )
    for search, year, open_only in itertools.product((None, *SEARCHES), (None, 2024), (0, 1)):
        asked: dict[str, Any] = {"search": search, "year": year, "open_only": bool(open_only)}
        for limit in (1, 7, 200):
            found, expected = (
                all_pages(one.documents, kind, limit=limit, **asked) for one in (access, host)
            )
            assert found == expected, asked
    whole = access.documents(kind, limit=200)
    assert [view.id for view in whole] == [
        one.id for one in sorted(documents, key=lambda one: (one.date, one.id), reverse=True)
    ]


def a_call(**asked: Any) -> Callable[[PortalAccess], Any]:
    """A call of documents with an argument that breaks its rule."""
    return lambda access: access.documents(asked.pop("kind", INVOICE), **asked)


FORGED = ("", "x", "WyJ4IiwieSJd", "W10", "null", "é", "=" * 9, "x" * 30_000, 7, b"W10", True)
BAD_ARGUMENTS = {
    "limit": (0, 201, -1, True, 1.0, "50", None),
    "search": ("x" * 101, "\0", "\ud800", 7, b"x"),
    "year": (0, 10_000, True, "2024", 2024.0),
    "kind": ("sales_invoice", None, 7),
    "after": FORGED,
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD_ARGUMENTS.items() for value in values]
)
def test_bad_arguments(name: str, value: Any) -> None:
    """An argument that breaks its rule is refused by its name, and good ones work."""
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    access = opened(over(storage), "C-1")
    with pytest.raises(InvalidValue, match=name) as caught:
        access.documents(**{"kind": INVOICE, name: value})
    assert caught.value.field == name
    assert len(str(caught.value)) < 300
    good: dict[str, Any] = {"limit": 200, "search": "x" * 100, "year": 9999, "after": None}
    assert access.documents(INVOICE, **good).items == ()


ALIKE = (
    write_cursor("2025-99-99", 0, "x"),
    write_cursor("2025-99-99", "x"),
    write_cursor("x", "x"),
)


@pytest.mark.parametrize("value", [*FORGED, *ALIKE])
def test_forged_cursors(portal: Portal, value: Any) -> None:
    """A cursor that no earlier page gave is refused by each list."""
    access = opened(portal, "C-1001")
    for fetch in (
        lambda after: access.messages(after=after),
        lambda after: access.statement_page("EUR", after=after),
        lambda after: access.documents(INVOICE, after=after),
    ):
        with pytest.raises(InvalidValue, match="after"):
            fetch(value)
        assert fetch(None).next is None


# --- what is open of a document -----------------------------------------------------------


def documents_of(ledger: Ledger) -> tuple[list[Document], list[LedgerEntry]]:
    """A document for each document id and currency of a ledger, and its entries so named."""
    entries = [
        attrs.evolve(entry, document_id=f"{entry.document_id}-{entry.currency}")
        if entry.document_id
        else entry
        for entry in ledger.entries
    ]
    named = sorted({entry.document_id: entry for entry in entries if entry.document_id}.items())
    makers = {"1": an_invoice, "2": a_credit_note, "3": an_invoice}
    documents = [
        makers[document_id[2]](
            document_id,
            customer_id=ledger.customer_id,
            currency=entry.currency,
            date=entry.date,
            due_date=None,
        )
        for document_id, entry in named
    ]
    return documents, entries


@settings(max_examples=examples(120), deadline=None)
@given(ledger=ledgers(), day=ledger_days())
def test_open_amounts_agree_with_the_statement(ledger: Ledger, day: dt.date) -> None:
    """What is open of a document is what the open items of the statement say of it."""
    storage = InMemoryStorage()
    documents, entries = documents_of(ledger)
    storage.customers.save(a_customer(ledger.customer_id))
    storage.documents.save(*documents)
    host = HostLedger(entries, ledger.allocations)
    clock = FrozenClock(dt.datetime.combine(day, dt.time(12), dt.UTC))
    access = opened(over(storage, clock, ledger=host), ledger.customer_id)
    statement = access.statement(view="open_items")
    items = [item for one in statement.by_currency.values() for item in one.open_items]
    for document in documents:
        check_document(access, document, entries, items)
    for kind in (INVOICE, CREDIT_NOTE):
        listed = {view.id: view for view in access.documents(kind, limit=200)}
        only_open = {view.id for view in access.documents(kind, limit=200, open_only=True)}
        assert only_open == {one for one, view in listed.items() if view.open_amount}
        assert listed == {one: access.document(one).document for one in listed}


@settings(max_examples=examples(120), deadline=None)
@given(
    st.lists(
        st.tuples(optional(st.integers(-2, 2)), amounts(above_zero=True), st.integers(0, 9)),
        min_size=2,
        max_size=6,
    )
)
def test_the_parts_of_an_invoice_add_up(instalments: list[tuple[int | None, Decimal, int]]) -> None:
    """What is due by day adds up to what is open, and what is late of it to what aging says."""
    entries, payments, paid = [], [], []
    for n, (days, amount, tenths) in enumerate(instalments):
        due = None if days is None else TODAY + dt.timedelta(days)
        entries.append(an_entry(f"E{n}", due_date=due, amount=amount, document_id="INV-1"))
        if part := from_units(to_units(amount) * tenths // 10):
            payments.append(a_payment(f"P{n}", amount=part, date=dt.date(2025, 1, 10)))
            paid.append(
                an_allocation(
                    f"A{n}",
                    debit_id=f"E{n}",
                    credit_id=f"P{n}",
                    amount=part,
                    date=dt.date(2025, 1, 10),
                )
            )
    storage = InMemoryStorage()
    storage.customers.save(a_customer())
    customer_with(storage, [an_invoice()], [*entries, *payments], paid)
    clock = FrozenClock(dt.datetime.combine(TODAY, dt.time(12), dt.UTC))
    access = opened(over(storage, clock), "C-1001")
    items = access.statement(view="open_items").by_currency["EUR"].open_items
    check_document(access, an_invoice(), [*entries, *payments], items)


def check_document(
    access: PortalAccess, document: Document, entries: Sequence[LedgerEntry], items: Any
) -> None:
    """One document's page against the open items and entries of the account."""
    day = access.summary().as_of
    is_credit = document.kind is CREDIT_NOTE
    mine = [
        entry
        for entry in entries
        if entry.document_id == document.id and entry.date <= day and entry.is_debit != is_credit
    ]
    found = access.document(document.id)
    view = found.document
    still = [item for item in items if item.entry in mine]
    left = sum((item.open_amount for item in still), Decimal(0))
    assert view.open_amount == (left if mine else None)
    amount = sum((entry.amount for entry in mine), Decimal(0))
    assert sum((one.amount for one in found.applied), Decimal(0)) == amount - left
    assert {one.kind for one in found.applied} == set(view.settled_by)
    assert all(one.kind.is_debit is is_credit for one in found.applied)
    assert list(found.applied) == sorted(found.applied, key=lambda one: (one.counted_on, one.date))
    due = min((item.entry.due_date for item in still if item.entry.due_date), default=None)
    assert view.open_due_date == due
    assert view.as_of == day
    check_parts(view, still, day)
    check_state(view.state, is_credit, bool(mine), left, due, day)


def check_parts(view: Any, items: Sequence[Any], day: dt.date) -> None:
    """The parts of what is open of a document against its open items and their age."""
    parts = {part.due_date: part.amount for part in view.open_parts}
    assert len(parts) == len(view.open_parts)
    assert total(parts.values()) == (view.open_amount or 0)
    for due, amount in parts.items():
        assert amount == total(one.open_amount for one in items if one.entry.due_date == due) > 0
    days = [part.due_date or dt.date.max for part in view.open_parts]
    assert days == sorted(days)
    dated = [item for item in items if item.entry.due_date]
    aging = age_open_items(dated, day)
    assert view.overdue_amount == total(bucket.amount for bucket in aging.buckets[1:])


def check_state(
    state: Any, is_credit: bool, known: bool, left: Decimal, due: dt.date | None, day: dt.date
) -> None:
    """The tone of a document against what is open and due."""
    if not known:
        assert state.tone is Tone.NONE
    elif not left:
        assert state.tone is Tone.DONE
    else:
        late = due is not None and due < day and not is_credit
        assert state.tone is (Tone.OVERDUE if late else Tone.OPEN)
        assert ("overdue" in state.words) == late
        assert ("left to use" in state.words) == is_credit


def customer_with(
    storage: FullStorage,
    documents: Sequence[Document],
    entries: Sequence[LedgerEntry],
    allocations: Sequence[Allocation] = (),
) -> None:
    """Store what one customer has."""
    storage.documents.save(*documents)
    storage.ledger.save(*entries)
    storage.ledger.allocate(*allocations)


def test_why_this_amount(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """An invoice shows each payment and credit on it by its own date, and what is left."""
    day = dt.date(2025, 1, 15)
    note = an_entry("CN-1", kind=EntryKind.CREDIT_NOTE, due_date=None, date=day, amount=Decimal(30))
    payments = [
        a_payment("P-1", date=dt.date(2025, 1, 20), amount=Decimal(50), number="bank 7"),
        a_payment("P-2", date=dt.date(2025, 1, 18), amount=Decimal(20), reference="cash"),
    ]
    on = {"debit_id": "INV-1", "date": dt.date(2025, 1, 1)}
    customer_with(
        storage,
        [an_invoice(), a_credit_note()],
        [an_entry(), note, *payments],
        [
            an_allocation("A1", credit_id="P-1", amount=Decimal(40), **on),
            an_allocation("A2", credit_id="P-2", amount=Decimal(20), **on),
            an_allocation("A3", credit_id="CN-1", amount=Decimal(10), **on),
        ],
    )
    access = opened(portal, "C-1001", token_expiry_days=365)

    def page(document_id: str) -> tuple[Any, ...]:
        found = access.document(document_id)
        applied = [(one.counted_on.day, one.kind, one.amount) for one in found.applied]
        return applied, found.document.open_amount, found.document.state.words

    assert page("INV-1") == (
        [(15, EntryKind.CREDIT_NOTE, Decimal(10))],
        Decimal(109),
        "Due in 30 days",
    )
    clock.advance(days=3)
    assert page("INV-1")[1] == Decimal(89)
    clock.advance(days=40)
    assert page("INV-1") == (
        [
            (15, EntryKind.CREDIT_NOTE, Decimal(10)),
            (18, EntryKind.PAYMENT, Decimal(20)),
            (20, EntryKind.PAYMENT, Decimal(40)),
        ],
        Decimal(49),
        "13 days overdue",
    )
    assert access.document("INV-1").document.state.part_paid
    assert page("CN-1") == (
        [(15, EntryKind.INVOICE, Decimal(10))],
        Decimal(20),
        "EUR 20.00 left to use",
    )
    assert access.document("CN-1").applied[0].document_id == "INV-1"
    assert [one.number for one in access.document("INV-1").applied] == ["CN-1", "P-2", "bank 7"]


def test_instalments(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """An invoice in instalments is due by its earliest open one, and open with all of them."""
    months = [dt.date(2025, 2, 14), dt.date(2025, 3, 14), dt.date(2025, 4, 14)]
    parts = [
        an_entry(f"INV-1/{n}", due_date=due, amount=Decimal(40), document_id="INV-1")
        for n, due in enumerate(months)
    ]
    payment = a_payment("P", amount=Decimal(60), date=dt.date(2025, 1, 16))
    paid = [
        an_allocation(
            f"A{n}", debit_id=f"INV-1/{n}", credit_id="P", amount=amount, date=payment.date
        )
        for n, amount in enumerate((Decimal(40), Decimal(20)))
    ]
    customer_with(storage, [an_invoice()], [*parts, payment], paid)
    access = opened(portal, "C-1001")
    view = access.document("INV-1").document
    assert (view.open_amount, view.open_due_date) == (Decimal(120), months[0])
    clock.advance(days=1)
    found = access.document("INV-1")
    assert (found.document.open_amount, found.document.open_due_date) == (Decimal(60), months[1])
    assert sorted(one.amount for one in found.applied) == [Decimal(20), Decimal(40)]
    assert found.document.state.words == "EUR 20.00 due in 57 days"


def test_an_invoice_and_its_reversal(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """A reversing entry under the invoice's own id settles it, and is no open amount of it."""
    reversal = an_entry("REV", kind=EntryKind.CREDIT_ADJUSTMENT, document_id="INV-1", due_date=None)
    customer_with(storage, [an_invoice()], [an_entry(), reversal])
    access = opened(portal, "C-1001")
    assert access.document("INV-1").document.open_amount == Decimal(119)
    storage.ledger.allocate(
        an_allocation(credit_id="REV", amount=Decimal(100), date=dt.date(2025, 1, 15))
    )
    storage.ledger.save(a_payment("P", amount=Decimal(19), date=dt.date(2025, 1, 15)))
    storage.ledger.allocate(
        an_allocation("A2", credit_id="P", amount=Decimal(19), date=dt.date(2025, 1, 15))
    )
    view = access.document("INV-1").document
    assert (view.open_amount, view.state.words) == (Decimal(0), "Settled")
    assert access.documents(INVOICE, open_only=True).items == ()
    assert access.statement().by_currency["EUR"].open_items[0].open_amount == Decimal(19)


def test_an_entry_in_another_currency(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """An entry in another currency is never added to what is open of a document."""
    other = an_entry("INV-1 in USD", currency="USD", document_id="INV-1", amount=Decimal(7))
    customer_with(storage, [an_invoice()], [an_entry(), other])
    view = opened(portal, "C-1001").document("INV-1").document
    assert (view.currency, view.open_amount) == ("EUR", Decimal(119))


def test_documents_without_entries(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """An order has no state, an invoice without an entry by today is not yet on the account."""
    tomorrow = an_entry(date=dt.date(2025, 1, 16))
    customer_with(storage, [an_invoice(), an_order(), a_credit_note()], [tomorrow])
    access = opened(portal, "C-1001")
    assert [str(access.document(one).document.state) for one in ("INV-1", "SO-1", "CN-1")] == [
        "Not yet on the account",
        "",
        "Not yet on the account",
    ]
    clock.advance(days=1)
    assert access.document("INV-1").document.open_amount == Decimal(119)


def test_a_view_is_the_host_s_document(portal: Portal, storage: Any) -> None:
    """A view shows every field of the document as the host gives it."""
    customer_with(storage, [document := an_invoice(pay_url="https://pay.example/1")], [])
    view = opened(portal, "C-1001").document("INV-1").document
    names = [field.name for field in attrs.fields(Document)]
    assert [getattr(view, name) for name in names] == [getattr(document, name) for name in names]


def test_files(portal: Portal, storage: Any) -> None:
    """A host that gives files gives that of a visible document; else there is none."""
    asked = []

    class WithFiles(HostDocuments):
        def file(self, customer_id: str, document_id: str) -> DocumentFile | None:
            asked.append((customer_id, document_id))
            return DocumentFile("INV-1.pdf", b"%PDF") if document_id == "INV-1" else None

    draft = an_invoice("INV-2", status=DocumentStatus.DRAFT)
    host = WithFiles([an_invoice(), draft, an_invoice("INV-3")])
    customer_with(storage, host.documents, [])
    access = opened(over(storage, documents=host), "C-1001")
    assert access.document_file("INV-1") == DocumentFile("INV-1.pdf", b"%PDF")
    assert access.document_file("INV-3") is None
    with pytest.raises(Exception, match="no such document"):
        access.document_file("INV-2")
    assert asked == [("C-1001", "INV-1"), ("C-1001", "INV-3")]
    assert opened(portal, "C-1001").document_file("INV-1") is None


def test_the_seller_s_day(storage: Any, clock: FrozenClock) -> None:
    """A document is as of the seller's date: in Tokyo it is tomorrow while it is still today."""
    storage.customers.save(a_customer())
    customer_with(storage, [an_invoice(due_date=TODAY)], [an_entry(due_date=TODAY)])
    clock.set(dt.datetime(2025, 1, 15, 23, 30, tzinfo=dt.UTC))
    words = {
        zone: opened(over(storage, clock, timezone=zone), "C-1001")
        .document("INV-1")
        .document.state.words
        for zone in ("UTC", "Asia/Tokyo", "America/New_York")
    }
    assert words == {
        "UTC": "Due today",
        "Asia/Tokyo": "1 day overdue",
        "America/New_York": "Due today",
    }
