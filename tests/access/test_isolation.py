"""Nothing of another customer leaves an access, whatever a host's repositories return."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from collections.abc import Callable, Collection, Sequence
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
    DocumentNotFound,
    DocumentStatus,
    EntryKind,
    LedgerEntry,
    LedgerError,
    Portal,
    PortalAccess,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import (
    DAY,
    a_credit_note,
    a_customer,
    a_payment,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
)

from .worlds import (
    ALL_ON,
    CALLS,
    CREDIT_NOTE,
    INVOICE,
    ORDER,
    HostDocuments,
    HostLedger,
    all_pages,
    link_text,
    opened,
    outcome,
    over,
    stock,
    texts_in,
)

MakePortal = Callable[..., Portal]
CUSTOMERS = ("C-anna", "C-bert", "C-cleo")
PAIRS = list(itertools.permutations(CUSTOMERS, 2))
MARKS = {one: f"«{one[2:]}»" for one in CUSTOMERS}


def check_own(found: Any, customer_id: str) -> None:
    """Nothing in a result carries the id or the mark of another customer."""
    others = [one for one in CUSTOMERS if one != customer_id]
    foreign = [
        text
        for text in texts_in(found)
        for one in others
        if one in text or one[2:] in text or MARKS[one] in text
    ]
    assert not foreign, foreign


def everything(access: PortalAccess) -> list[Any]:
    """What an access gives by any method, all pages and views of it."""
    kinds = (INVOICE, ORDER, CREDIT_NOTE)
    pages = [all_pages(access.documents, kind, limit=2) for kind in kinds]
    documents = [one for pages_of_kind in pages for page in pages_of_kind for one in page]
    currencies = ("EUR", "USD")
    return [
        pages,
        [access.documents(kind, open_only=True, limit=200) for kind in kinds],
        [access.documents(kind, search="a", limit=1) for kind in kinds],
        [access.document_years(kind) for kind in kinds],
        [access.document(one.id) for one in documents],
        [access.document_file(one.id) for one in documents],
        access.statement(),
        access.statement(start=DAY),
        access.statement(view="open_items"),
        access.statement(aging=False),
        [list(access.statement_lines(currency)) for currency in currencies],
        [all_pages(access.statement_page, currency, limit=2) for currency in currencies],
        access.summary(),
        all_pages(access.messages, limit=1),
        access.welcome_message(),
        access.sections(),
        access.customer,
        repr(access),
    ]


# --- good repositories --------------------------------------------------------------------


@pytest.fixture
def seller(storage: Any, make_portal: MakePortal) -> Portal:
    """A seller with three customers, each with documents, an account and a thread."""
    portal = make_portal()
    portal.settings.save(ALL_ON)
    for one, mark in MARKS.items():
        stock(storage, one, mark)
        access = opened(portal, one)
        access.send_message(f"From {mark}", document_id=f"INV-{one}")
        portal.messages.reply(one, f"To {mark}", by="ana", document_id=f"CN-{one}")
        portal.messages.note(one, f"Note on {mark}", by="ben")
    return portal


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_every_pair_of_customers(seller: Portal, own: str, other: str) -> None:
    """No method gives one customer anything of another; all of it carries its own mark."""
    access = opened(seller, own)
    found = everything(access)
    found += [call.run(access) for call in CALLS]
    check_own(found, own)
    own_texts = [text for text in texts_in(found) if MARKS[own] in text]
    assert len(own_texts) >= 10
    other_texts = {text.replace(MARKS[own], MARKS[other]) for text in own_texts}
    assert not other_texts & texts_in(found)


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_ids_of_another_customer(seller: Portal, own: str, other: str) -> None:
    """Foreign, draft, cancelled, unknown and impossible ids are one error with one text."""
    access = opened(seller, own)
    ids: list[Any] = [
        *(f"{kind}-{other}" for kind in ("INV", "SO", "CN", "PAY")),
        *(f"{kind}-{own}-{status}" for kind in ("INV", "SO", "CN") for status in _UNSEEN),
        *("absent", "", "NUL\0", "\ud800", "x" * 10_000, None, 7, f"INV-{own} "),
    ]
    messages = set()
    for document_id, read in itertools.product(ids, (access.document, access.document_file)):
        with pytest.raises(DocumentNotFound) as caught:
            read(document_id)
        assert type(caught.value) is DocumentNotFound
        assert caught.value.__cause__ is None
        messages.add(str(caught.value))
    assert messages == {"There is no such document in this portal."}
    assert access.document(f"INV-{own}").document.id == f"INV-{own}"


_UNSEEN = ("draft", "cancelled")


@pytest.mark.parametrize("switch", ["show_sales_orders", "show_credit_notes"])
def test_ids_of_hidden_documents(seller: Portal, switch: str) -> None:
    """A document of a hidden section is not told from one that is not there."""
    document_id = {"show_sales_orders": "SO-C-anna", "show_credit_notes": "CN-C-anna"}[switch]
    assert opened(seller, "C-anna").document(document_id)
    hidden = opened(seller, "C-anna", **{switch: False})
    texts = []
    for one in (document_id, "absent"):
        with pytest.raises(DocumentNotFound) as caught:
            hidden.document(one)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_cursors_of_another_customer(seller: Portal) -> None:
    """A cursor taken from another customer shows nothing of it."""
    other = opened(seller, "C-bert")
    cursor = other.statement_page("EUR", limit=1).next
    thread = other.messages(limit=1).next
    access = opened(seller, "C-anna")
    assert cursor
    assert thread
    check_own([access.statement_page("EUR", after=cursor), access.messages(after=thread)], "C-anna")


# --- a host whose repositories are wrong --------------------------------------------------

GARBAGE: tuple[Any, ...] = (None, {"id": "INV-C-anna"}, "INV-C-anna", 7, object())


@attrs.define
class WrongDocuments:
    """A host's documents whose queries forget what they are asked for.

    Attributes:
        inner: the host's documents as they are.
        forgets: what the query leaves out: customer, kind, status.
        garbage: objects between the documents that are none.
    """

    inner: HostDocuments
    forgets: Collection[str] = ()
    garbage: Sequence[Any] = ()

    def get(self, customer_id: str, document_id: str) -> Any:
        """The document of this id, whoever's it is."""
        if self.garbage:
            return self.garbage[0]
        if "id" in self.forgets:
            return next((one for one in self.inner.documents if one.id != document_id), None)
        if "customer" in self.forgets:
            found = [one for one in self.inner.documents if one.id == document_id]
            return found[0] if found else None
        return self.inner.get(customer_id, document_id)

    def page(self, customer_id: str, kind: DocumentKind, *, limit: int = 50, **asked: Any) -> Any:
        """Documents in order, more than were asked for."""
        views = [
            attrs.evolve(
                one,
                customer_id=customer_id if "customer" in self.forgets else one.customer_id,
                kind=kind if "kind" in self.forgets else one.kind,
                status=DocumentStatus.ISSUED if "status" in self.forgets else one.status,
            )
            for one in self.inner.documents
        ]
        ids = [one.id for one in HostDocuments(views).page(customer_id, kind, limit=10**6, **asked)]
        by_id = {one.id: one for one in self.inner.documents}
        return [*self.garbage, *(by_id[one] for one in ids)][:limit]

    def file(self, customer_id: str, document_id: str) -> DocumentFile:
        """The file of any document."""
        return DocumentFile(f"{document_id}.pdf", document_id.encode())


def a_year_of_documents(customer_id: str, count: int = 4) -> list[Document]:
    """Documents of every kind and status, of several days and years."""
    made = []
    for number, status in itertools.product(range(count), DocumentStatus):
        for make, prefix in ((an_invoice, "INV"), (an_order, "SO"), (a_credit_note, "CN")):
            made.append(
                make(
                    f"{prefix}-{number}-{status}-{customer_id}",
                    customer_id=customer_id,
                    status=status,
                    date=dt.date(2025 - number % 3, 1, 1 + number),
                    number=f"{prefix} {number} {MARKS[customer_id]}",
                    reference=f"ref {MARKS[customer_id]}",
                )
            )
    return made


ALL_DOCUMENTS = [one for customer in CUSTOMERS for one in a_year_of_documents(customer)]


def own_ids(customer_id: str, kind: DocumentKind) -> list[str]:
    """What a customer is to see of a kind, newest first."""
    seen = HostDocuments(ALL_DOCUMENTS).page(customer_id, kind, limit=10**6)
    return [one.id for one in seen]


_FORGOTTEN = [
    chosen
    for size in range(4)
    for chosen in itertools.combinations(("customer", "kind", "status"), size)
]


@pytest.mark.sampled
@pytest.mark.parametrize("forgets", _FORGOTTEN, ids="-".join)
@pytest.mark.parametrize("garbage", [(), GARBAGE], ids=["", "garbage"])
def test_wrong_documents(
    caplog: pytest.LogCaptureFixture,
    forgets: Sequence[str],
    garbage: Sequence[Any],
) -> None:
    """Foreign, draft, cancelled documents, other kinds and other things are dropped and logged."""
    documents = WrongDocuments(HostDocuments(ALL_DOCUMENTS), forgets)
    storage = InMemoryStorage()
    portal = over(storage, documents=documents)
    storage.customers.save(*(a_customer(one) for one in CUSTOMERS))
    for one in CUSTOMERS:
        access = opened(portal, one)
        documents.garbage = garbage
        for kind, limit in itertools.product((INVOICE, ORDER, CREDIT_NOTE), (1, 2, 7, 200)):
            pages = all_pages(access.documents, kind, limit=limit)
            found = [view for page in pages for view in page]
            check_own(pages, one)
            assert all(view.status is DocumentStatus.ISSUED for view in found)
            assert all(view.kind is kind and view.customer_id == one for view in found)
            if not garbage:
                assert [view.id for view in found] == own_ids(one, kind)
        years = [access.document_years(kind) for kind in (INVOICE, ORDER, CREDIT_NOTE)]
        assert years == [(2025, 2024, 2023)] * 3
    errors = {one.getMessage() for one in caplog.records if one.levelno == logging.ERROR}
    told = {"the document repository returned documents not asked for; dropped"}
    assert errors == (told if forgets or garbage else set())
    assert not any(mark in caplog.text for mark in MARKS.values())


@pytest.mark.parametrize("fault", ["customer", "id", "garbage"])
def test_a_wrong_document(caplog: pytest.LogCaptureFixture, fault: str) -> None:
    """A document that is another's, another one, or none at all is not found, and logged."""
    documents = WrongDocuments(HostDocuments(ALL_DOCUMENTS))
    storage = InMemoryStorage()
    portal = over(storage, documents=documents)
    storage.customers.save(*(a_customer(one) for one in CUSTOMERS))
    access = opened(portal, "C-anna")
    own, foreign = "INV-0-issued-C-anna", "INV-0-issued-C-bert"
    assert access.document(own).document.id == own
    assert access.document_file(own) == DocumentFile(f"{own}.pdf", own.encode())
    if fault == "garbage":
        wrongs: list[tuple[Sequence[Any], str]] = [((one,), own) for one in GARBAGE[1:]]
    else:
        documents.forgets, wrongs = {fault}, [((), foreign if fault == "customer" else own)]
    for documents.garbage, document_id in wrongs:
        caplog.clear()
        found = [
            outcome(access.document, document_id),
            outcome(access.document_file, document_id),
            outcome(access.send_message, "About it.", document_id=document_id),
        ]
        assert found == [DocumentNotFound] * 3
        told = "the document repository returned a document not asked for; dropped"
        logged = [(record.levelno, record.getMessage()) for record in caplog.records]
        assert logged == [(logging.ERROR, told)] * 3
        assert MARKS["C-bert"] not in caplog.text


class WrongLedger:
    """A host's ledger, with every capability, that mixes up its customers.

    Attributes:
        inner: the ledger as it is.
        mixes: the methods that return what is another customer's as well.
    """

    def __init__(self, inner: Any, mixes: Collection[str], garbage: Sequence[Any] = ()) -> None:
        self._inner, self._mixes, self._garbage = inner, mixes, garbage

    def _ask(self, method: str, customer_id: str, *args: Any, **kwargs: Any) -> Any:
        whose = [customer_id]
        if method in self._mixes:
            whose = [one for one in CUSTOMERS if one != customer_id] + whose
        found = [one for who in whose for one in getattr(self._inner, method)(who, *args, **kwargs)]
        return [*(self._garbage if method in self._mixes else ()), *found]

    def entries(self, customer_id: str, **days: Any) -> Any:
        """The host's entries."""
        return self._ask("entries", customer_id, **days)

    def allocations(self, customer_id: str) -> Any:
        """The host's allocations."""
        return self._ask("allocations", customer_id)

    def balances(self, customer_id: str, *, before: dt.date) -> Any:
        """The host's balances."""
        return self._inner.balances(customer_id, before=before)

    def entry_page(self, customer_id: str, currency: str, **asked: Any) -> Any:
        """The host's pages of entries."""
        limit = asked.pop("limit")
        found = self._ask("entry_page", customer_id, currency, limit=10**6, **asked)
        garbage = [one for one in found if not isinstance(one, LedgerEntry)]
        entries = [one for one in found if isinstance(one, LedgerEntry)]
        return [*garbage[:1], *sorted(entries, key=lambda one: one.key)][:limit]

    def balance_through(self, customer_id: str, currency: str, key: Any) -> Any:
        """The host's balance up to a place."""
        return self._inner.balance_through(customer_id, currency, key)

    def open_items(self, customer_id: str, as_of: dt.date) -> Any:
        """The host's open items."""
        return self._ask("open_items", customer_id, as_of)

    def currencies(self, customer_id: str, *, until: dt.date) -> Any:
        """The host's currencies."""
        return self._inner.currencies(customer_id, until=until)

    def last_payments(self, customer_id: str, *, until: dt.date) -> Any:
        """The host's last payments."""
        return self._inner.last_payments(customer_id, until=until)

    def entries_of_documents(self, customer_id: str, document_ids: Collection[str]) -> Any:
        """The host's entries of documents; mixed up, those of all documents."""
        if "entries_of_documents" in self._mixes:
            return [*self._garbage, *(e for one in CUSTOMERS for e in self._inner.entries(one))]
        return self._inner.entries_of_documents(customer_id, document_ids)

    def allocations_of(self, customer_id: str, entry_ids: Collection[str]) -> Any:
        """The host's allocations of entries."""
        return self._inner.allocations_of(customer_id, entry_ids)

    def entries_by_id(self, customer_id: str, entry_ids: Collection[str]) -> Any:
        """The host's entries by id; mixed up, all there are."""
        if "entries_by_id" in self._mixes:
            return [*self._garbage, *(e for one in CUSTOMERS for e in self._inner.entries(one))]
        return self._inner.entries_by_id(customer_id, entry_ids)


class WrongBareLedger:
    """As `WrongLedger`, of a host that offers no capability."""

    def __init__(self, inner: Any, mixes: Collection[str], garbage: Sequence[Any] = ()) -> None:
        whole = WrongLedger(inner, mixes, garbage)
        self.entries, self.allocations = whole.entries, whole.allocations


def long_account(customer_id: str) -> HostLedger:
    """Twelve invoices and payments in two currencies, of one day or of several."""
    entries, allocations = [], []
    for number in range(12):
        texts = {
            "customer_id": customer_id,
            "currency": ("EUR", "USD")[number % 2],
            "number": f"{number} {MARKS[customer_id]}",
            "reference": f"ref {MARKS[customer_id]}",
            "date": DAY - dt.timedelta(days=number // 4),
        }
        entries.append(an_entry(f"INV-{number}-issued-{customer_id}", due_date=DAY, **texts))
        entries.append(a_payment(f"PAY-{number}-{customer_id}", **texts))
        allocations.append(
            an_allocation(
                f"A-{number}-{customer_id}",
                customer_id=customer_id,
                debit_id=entries[-2].id,
                credit_id=entries[-1].id,
                amount=Decimal(number + 1),
            )
        )
    return HostLedger(entries, allocations)


_MIXED = ("entries", "entry_page", "open_items", "entries_of_documents", "entries_by_id")


@pytest.mark.sampled
@pytest.mark.parametrize("host", [WrongLedger, WrongBareLedger])
@pytest.mark.parametrize("mixes", [*((one,) for one in _MIXED), _MIXED, ()], ids="-".join)
@pytest.mark.parametrize("garbage", [(), GARBAGE], ids=["", "garbage"])
def test_a_ledger_that_mixes_customers(
    caplog: pytest.LogCaptureFixture,
    host: type,
    mixes: Collection[str],
    garbage: Sequence[Any],
) -> None:
    """Foreign entries and open items are dropped and logged, and the account stays true."""
    good = InMemoryStorage()
    good.customers.save(*(a_customer(one) for one in CUSTOMERS))
    good.documents.save(*ALL_DOCUMENTS)
    for one in CUSTOMERS:
        account = long_account(one)
        good.ledger.save(*account.all_entries)
        good.ledger.allocate(*account.all_allocations)
    true, wrong = over(good), over(good, ledger=host(good.ledger, mixes, garbage))
    for one in CUSTOMERS:
        expected, found = everything(opened(true, one)), everything(opened(wrong, one))
        check_own(found, one)
        assert found == expected
    offers = {"entries"} if host is WrongBareLedger else set(_MIXED)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    needed = offers & set(mixes) - ({"entries_by_id"} if host is WrongLedger else set())
    assert bool(errors) or not needed
    assert bool(mixes) or not errors
    assert not any(mark in caplog.text for mark in MARKS.values())


def test_foreign_allocations() -> None:
    """Allocations of another customer give no statement rather than a wrong one."""
    good = InMemoryStorage()
    good.customers.save(*(a_customer(one) for one in CUSTOMERS))
    accounts = [long_account(one) for one in CUSTOMERS]
    host = HostLedger(
        [entry for one in accounts for entry in one.all_entries],
        [allocation for one in accounts for allocation in one.all_allocations],
    )
    access = opened(over(good, ledger=host), "C-anna")
    assert access.statement().by_currency["EUR"].closing_balance == 0
    access = opened(over(good, ledger=WrongLedger(good.ledger, ())), "C-anna")
    assert access.statement().by_currency == {}
    mixed = WrongBareLedger(host, ("allocations",))
    with pytest.raises(LedgerError):
        opened(over(good, ledger=mixed), "C-anna").statement()


# --- any small world ----------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Document], HostLedger]:
    """Three customers with documents of any kind and status, entries and allocations."""
    documents, entries = [], []
    allocations: list[Allocation] = []
    makers = st.sampled_from((an_invoice, an_order, a_credit_note))
    days = st.dates(dt.date(2023, 12, 25), dt.date(2025, 1, 20))
    for number, one in enumerate(draw(st.lists(st.sampled_from(CUSTOMERS), max_size=24))):
        mark = MARKS[one]
        document = draw(makers)(
            f"D{number * 7 % 24}-{one}",
            customer_id=one,
            status=draw(st.sampled_from(DocumentStatus)),
            date=draw(days),
            number=draw(st.sampled_from((f"a {mark}", f"b {mark}"))),
            reference=draw(st.sampled_from((None, f"a ref {mark}"))),
        )
        documents.append(document)
        if draw(st.booleans()) and document.kind is not ORDER:
            entries.append(
                an_entry(
                    document.id,
                    customer_id=one,
                    kind=EntryKind.INVOICE if document.kind is INVOICE else EntryKind.CREDIT_NOTE,
                    date=document.date,
                    currency=draw(st.sampled_from(("EUR", "USD"))),
                    number=document.number,
                )
            )
    for debit, credit in itertools.combinations(entries, 2):
        pair = {entry.is_debit for entry in (debit, credit)}
        same = (debit.customer_id, debit.currency) == (credit.customer_id, credit.currency)
        if same and len(pair) == 2 and draw(st.booleans()):
            first, second = (debit, credit) if debit.is_debit else (credit, debit)
            allocations.append(
                an_allocation(
                    f"A{len(allocations)}-{debit.customer_id}",
                    customer_id=debit.customer_id,
                    debit_id=first.id,
                    credit_id=second.id,
                    amount=Decimal("0.01"),
                )
            )
    return documents, HostLedger(entries, allocations)


@settings(max_examples=examples(100), deadline=None)
@given(
    world=worlds(),
    forgets=st.sets(st.sampled_from(("customer", "kind", "status"))),
    mixes=st.sets(st.sampled_from(_MIXED)),
    garbage=st.booleans(),
    bare=st.booleans(),
)
def test_any_world(
    world: tuple[list[Document], HostLedger],
    forgets: set[str],
    mixes: set[str],
    garbage: bool,
    bare: bool,
) -> None:
    """Whatever there is and whatever a host mixes up, each customer sees its own, all of it."""
    documents, ledger = world
    storage = InMemoryStorage()
    storage.customers.save(*(a_customer(one) for one in CUSTOMERS))
    storage.ledger.save(*ledger.all_entries)
    storage.ledger.allocate(*ledger.all_allocations)
    host = WrongBareLedger if bare else WrongLedger
    wrong = over(
        storage,
        documents=WrongDocuments(HostDocuments(documents), forgets),
        ledger=host(storage.ledger, mixes, GARBAGE if garbage else ()),
    )
    true = over(storage, documents=HostDocuments(documents))
    for one in CUSTOMERS:
        found = everything(opened(wrong, one))
        check_own(found, one)
        expected = everything(opened(true, one))
        # The good host has no files; that is all they may differ in.
        assert found[:5] + found[6:] == expected[:5] + expected[6:]
        assert found[5] == [
            DocumentFile(f"{view.id}.pdf", view.id.encode())
            for kind in expected[0]
            for page in kind
            for view in page
        ]


def test_a_link_opens_its_own_customer(make_portal: MakePortal, storage: Any) -> None:
    """Each of many links opens the customer it was issued for."""
    portal = make_portal()
    portal.settings.save(ALL_ON)
    ids = [f"C-{number}" for number in range(30)]
    storage.customers.save(*(a_customer(one) for one in ids))
    list(portal.tokens.ensure_many(ids))
    texts = {one: link_text(portal, one) for one in ids}
    assert {one: portal.open(text).customer.id for one, text in texts.items()} == {
        one: one for one in ids
    }
