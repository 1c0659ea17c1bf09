"""What is visible: the switches, and a host's policy that can narrow and never widen."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import (
    Document,
    DocumentKind,
    DocumentNotFound,
    DocumentStatus,
    DocumentVisibility,
    LedgerEntry,
    OpenItem,
    Portal,
    PortalAccess,
    PortalConfig,
    Section,
    SectionHidden,
)
from basis_portal.repositories import FullStorage
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import (
    a_credit_note,
    a_customer,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
)
from basis_portal.testing.clocks import FrozenClock

from .worlds import (
    ALL_ON,
    CALLS,
    CREDIT_NOTE,
    INVOICE,
    ORDER,
    HostDocuments,
    all_pages,
    documents_of,
    opened,
    outcome,
    over,
    stock,
)

KINDS = (INVOICE, ORDER, CREDIT_NOTE)


@attrs.define
class Narrow(DocumentVisibility):
    """A host's policy.

    Attributes:
        sections: those it hides.
        documents: those it hides, by id.
    """

    sections: Collection[Section] = ()
    documents: Collection[str] = ()

    def shows_section(self, section: Section, config: PortalConfig) -> bool:
        """All but the hidden ones."""
        return section not in self.sections

    def shows_document(self, document: Document, customer_id: str, config: PortalConfig) -> bool:
        """All but the hidden ones."""
        return document.id not in self.documents


class Wide(DocumentVisibility):
    """A policy that would show everything."""

    def shows_section(self, section: Section, config: PortalConfig) -> bool:
        """Everything."""
        return True

    def shows_document(self, document: Document, customer_id: str, config: PortalConfig) -> bool:
        """Everything."""
        return True


class Answering(DocumentVisibility):
    """A policy that answers in its own way, or fails, to one of the two questions."""

    def __init__(self, answer: Callable[[], Any], about: str) -> None:
        self._answer, self._about = answer, about

    def shows_section(self, section: Section, config: PortalConfig) -> bool:
        """The answer, if it is asked for sections."""
        return self._answer() if self._about == "section" else True

    def shows_document(self, document: Document, customer_id: str, config: PortalConfig) -> bool:
        """The answer, if it is asked for documents."""
        return self._answer() if self._about == "document" else True


def fail() -> bool:
    """A host's policy with a fault."""
    raise LookupError("no such customer group")


def results(access: PortalAccess) -> list[Any]:
    """What each method gives, or the class of what it raises."""
    found = []
    for call in CALLS:
        if call.method != "send_message":
            error = outcome(call.run, access)
            found.append(error or call.run(access))
    return found


@pytest.fixture
def shop() -> FullStorage:
    """A storage with one customer who has one of everything."""
    storage = InMemoryStorage()
    stock(storage, "C-1")
    return storage


SWITCHES = ("show_sales_orders", "show_credit_notes", "show_statement", "allow_messages")
SWITCHED = list(itertools.product((True, False), repeat=4))


@pytest.mark.parametrize("switches", SWITCHED)
def test_a_policy_never_widens(shop: FullStorage, switches: tuple[bool, ...]) -> None:
    """A policy that shows everything shows what our rules show, in every state of the switches."""
    config = dict(zip(SWITCHES, switches, strict=True))
    plain, wide = over(shop), over(shop, visibility=Wide())
    expected = results(opened(plain, "C-1", **config))
    assert results(opened(wide, "C-1", **config)) == expected
    hidden = [
        call.method for call, found in zip(CALLS, expected, strict=False) if found is SectionHidden
    ]
    assert bool(hidden) == (not all(switches))
    access = opened(wide, "C-1", **config)
    for status in ("draft", "cancelled"):
        with pytest.raises(DocumentNotFound):
            access.document(f"INV-C-1-{status}")


def test_a_hidden_section_is_named(shop: FullStorage) -> None:
    """What is raised says which section it is, in a line and as data."""
    access = opened(over(shop, visibility=Narrow({Section.STATEMENT})), "C-1")
    with pytest.raises(SectionHidden) as hidden:
        access.statement()
    assert str(hidden.value) == "the section statement is switched off for customers"
    assert hidden.value.section == "statement"


@pytest.mark.parametrize("section", Section)
def test_a_policy_hides_a_section(shop: FullStorage, section: Section) -> None:
    """A section that the policy hides is as if it were switched off; even that of the invoices."""
    policy = Narrow()
    access = opened(over(shop, visibility=policy), "C-1")
    assert access.sections() == tuple(Section)
    policy.sections = {section}
    assert section not in access.sections()
    assert len(access.sections()) == 4
    of_kind = {"invoices": INVOICE, "sales_orders": ORDER, "credit_notes": CREDIT_NOTE}
    for call in CALLS:
        about = of_kind.get(section)
        switched = {"statement": "show_statement", "messages": "allow_messages"}.get(section)
        hit = call.about == about if about else call.switch == switched
        expected = call.hidden if hit else None
        assert outcome(call.run, access) is expected, call


def test_hidden_sections_and_hidden_documents(shop: FullStorage) -> None:
    """A list of a hidden section names the section; one of its documents is just not there."""
    access = opened(over(shop), "C-1", show_sales_orders=False)
    with pytest.raises(SectionHidden) as caught:
        access.documents(ORDER)
    assert caught.value.section == "sales_orders"
    with pytest.raises(DocumentNotFound):
        access.document("SO-C-1")
    assert opened(over(shop), "C-1").document("SO-C-1").document.number == "SO 1 issued "


@pytest.mark.parametrize("about", ["section", "document"])
@pytest.mark.parametrize(
    "answer",
    [fail, lambda: "yes", lambda: 1, lambda: None, lambda: False],
    ids=["raises", "text", "number", "None", "False"],
)
def test_a_policy_that_fails_hides(
    shop: FullStorage, caplog: pytest.LogCaptureFixture, answer: Callable[[], Any], about: str
) -> None:
    """A policy that raises, or answers anything but True, hides what it was asked for."""
    access = opened(over(shop, visibility=Answering(answer, about)), "C-1")
    if about == "section":
        assert access.sections() == ()
        assert outcome(access.documents, INVOICE) is SectionHidden
        assert outcome(access.statement) is SectionHidden
    else:
        assert access.sections() == tuple(Section)
        assert access.documents(INVOICE).items == ()
        assert access.document_years(INVOICE) == ()
        assert access.statement().by_currency["EUR"].closing_balance == Decimal("-19.00")
    assert outcome(access.document, "INV-C-1") is DocumentNotFound
    logged = {one.getMessage() for one in caplog.records if one.levelno == logging.ERROR}
    told = {"the visibility policy failed; what it was asked for is hidden"}
    assert logged == (told if answer is fail else set())
    control = opened(over(shop, visibility=Answering(lambda: True, about)), "C-1")
    assert control.document("INV-C-1")


# --- pages under a policy -----------------------------------------------------------------


def many_documents(count: int) -> list[Document]:
    """Documents of one customer over three years, a few on each day, of every kind and status."""
    makers = ((an_invoice, "INV"), (an_order, "SO"), (a_credit_note, "CN"))
    return [
        make(
            f"{prefix}-{number * 7 % count:04}",
            customer_id="C-1",
            date=dt.date(2023, 1, 1) + dt.timedelta(days=number * 1000 // count // 3 * 3),
            status=DocumentStatus.ISSUED if number % 5 else DocumentStatus.DRAFT,
        )
        for number in range(count)
        for make, prefix in makers
    ]


def with_documents(documents: list[Document], *, host: bool) -> tuple[FullStorage, dict[str, Any]]:
    """A storage of the customer, and what the portal is given to read the documents from."""
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    if host:
        return storage, {"documents": HostDocuments(documents)}
    storage.documents.save(*documents)
    return storage, {}


MANY = many_documents(150)


@settings(max_examples=examples(60), deadline=None)
@given(
    hidden=st.sets(st.sampled_from([one.id for one in MANY if one.kind is INVOICE]), max_size=150)
    | st.sampled_from([{one.id for one in MANY}, {one.id for one in MANY[10:]}]),
    limit=st.sampled_from((1, 2, 7, 50, 200)),
    host=st.booleans(),
)
def test_pages_under_a_policy(hidden: set[str], limit: int, host: bool) -> None:
    """Pages are filled with what the policy leaves, and walk all of it once, newest first."""
    storage, repositories = with_documents(MANY, host=host)
    access = opened(over(storage, visibility=Narrow((), hidden), **repositories), "C-1")
    pages = all_pages(access.documents, INVOICE, limit=limit)
    issued = [one for one in MANY if one.kind is INVOICE and one.status is DocumentStatus.ISSUED]
    seen = [one for one in issued if one.id not in hidden]
    newest_first = sorted(seen, key=lambda one: (one.date, one.id), reverse=True)
    assert [view.id for page in pages for view in page] == [one.id for one in newest_first]
    assert all(len(page) == limit for page in pages[:-1])
    years = sorted({one.date.year for one in seen}, reverse=True)
    assert list(access.document_years(INVOICE)) == years


def test_a_long_run_of_hidden_documents() -> None:
    """Behind thousands of hidden documents the others are found, by pages that may be short."""
    documents = [
        an_invoice(f"I{number:05}", customer_id="C-1", date=dt.date(2020, 1, 1))
        for number in range(6000)
    ]
    storage, repositories = with_documents(documents, host=False)
    hidden = {one.id for one in documents if "I00003" < one.id < "I05997"}
    access = opened(over(storage, visibility=Narrow((), hidden), **repositories), "C-1")
    pages = all_pages(access.documents, INVOICE, limit=2)
    found = [view.id for page in pages for view in page]
    assert found == ["I05999", "I05998", "I05997", "I00003", "I00002", "I00001", "I00000"]
    assert access.document_years(INVOICE) == (2020,)


class Stuck:
    """A host's documents whose pages begin again from the newest, whatever they follow."""

    def __init__(self, documents: list[Document]) -> None:
        self._inner = HostDocuments(documents)
        self.get = self._inner.get

    def page(self, customer_id: str, kind: DocumentKind, **asked: Any) -> Any:
        """The first page, always."""
        return self._inner.page(customer_id, kind, **{**asked, "after": None})


@pytest.mark.parametrize("hidden", [set(), {one.id for one in MANY}])
def test_a_repository_that_does_not_go_on(
    caplog: pytest.LogCaptureFixture, hidden: set[str]
) -> None:
    """A host whose pages never end does not keep the visitor for ever, and is logged."""
    storage, _ = with_documents([], host=True)
    portal = over(storage, documents=Stuck(MANY), visibility=Narrow((), hidden))
    access = opened(portal, "C-1")
    pages = all_pages(access.documents, INVOICE, limit=7)
    found = [view.id for page in pages for view in page]
    assert len(found) == len(set(found))
    assert set(access.document_years(INVOICE)) == (set() if hidden else {2023, 2024, 2025})
    assert "returned documents not asked for" in caplog.text


# --- hidden documents that count ----------------------------------------------------------


def entries_in(found: Any) -> list[LedgerEntry]:
    """Every ledger entry in a result, on lines, open items and applied parts."""
    if isinstance(found, LedgerEntry):
        return [found]
    if isinstance(found, list | tuple):
        return [entry for one in found for entry in entries_in(one)]
    if isinstance(found, dict):
        return entries_in(list(found.values()))
    if attrs.has(type(found)):
        return entries_in([getattr(found, field.name) for field in attrs.fields(type(found))])
    return []


def account_views(access: PortalAccess) -> list[Any]:
    """Everything an access says of the account."""
    return [
        access.statement(),
        access.statement(view="open_items"),
        access.statement(aging=False),
        list(access.statement_lines("EUR")),
        access.statement_page("EUR"),
        access.summary(),
    ]


def without_ids(found: Any) -> Any:
    """The same result, the documents of its entries left out."""
    if isinstance(found, LedgerEntry):
        return attrs.evolve(found, document_id=None)
    if isinstance(found, list | tuple):
        return [without_ids(one) for one in found]
    if isinstance(found, dict):
        return {key: without_ids(one) for key, one in found.items()}
    if attrs.has(type(found)):
        fields = attrs.fields(type(found))
        return {field.name: without_ids(getattr(found, field.name)) for field in fields}
    return found


def mentioned(found: Any) -> set[str | None]:
    """The documents that entries in a result name."""
    return {entry.document_id for entry in entries_in(found)} - {None}


def test_a_hidden_credit_note_counts(portal: Portal, storage: Any) -> None:
    """A hidden credit note stands in the account with date, number and amount, without its id."""
    stock(storage, "C-1")
    entries = {entry.id: entry for entry in storage.ledger.entries("C-1")}
    note = entries["CN-C-1"]
    shown = account_views(opened(portal, "C-1"))
    assert mentioned(shown) == {"INV-C-1", "CN-C-1"}
    hidden = account_views(opened(portal, "C-1", show_credit_notes=False))
    assert mentioned(hidden) == {"INV-C-1"}
    assert without_ids(hidden) == without_ids(shown)
    for views in (shown, hidden):
        statement = views[0].by_currency["EUR"]
        (line,) = (line for line in statement.lines if line.entry.id == "CN-C-1")
        assert (line.date, line.number, line.credited) == (note.date, note.number, note.amount)
        assert line.document_id == ("CN-C-1" if views is shown else None)
        assert statement.closing_balance == Decimal("-19.00")
        assert statement.aging.unapplied_credits == Decimal("-119.00")


def test_a_hidden_credit_note_on_an_invoice(portal: Portal, storage: Any) -> None:
    """The page of an invoice shows what a hidden credit note settled, without its id."""
    stock(storage, "C-1")
    storage.ledger.allocate(
        an_allocation(
            "CN on INV",
            customer_id="C-1",
            debit_id="INV-C-1",
            credit_id="CN-C-1",
            amount=Decimal(30),
            date=dt.date(2025, 1, 15),
        )
    )

    def applied(access: PortalAccess) -> list[tuple[Any, ...]]:
        found = access.document("INV-C-1")
        assert found.document.open_amount == Decimal("70.00")
        return [(one.number, one.amount, one.document_id) for one in found.applied]

    assert applied(opened(portal, "C-1")) == [
        ("CN 1 ", Decimal(30), "CN-C-1"),
        ("PAY 1 ", Decimal("19.00"), None),
    ]
    assert applied(opened(portal, "C-1", show_credit_notes=False)) == [
        ("CN 1 ", Decimal(30), None),
        ("PAY 1 ", Decimal("19.00"), None),
    ]


class WithKinds(HostDocuments):
    """A host that can tell which documents are issued, without reading them."""

    def issued_kinds(self, customer_id: str, document_ids: Collection[str]) -> Any:
        """The kinds of the customer's issued documents among these."""
        return {
            one.id: one.kind
            for one in self.documents
            if one.id in document_ids
            and one.customer_id == customer_id
            and one.status is DocumentStatus.ISSUED
        }


@pytest.mark.parametrize("host", [None, HostDocuments, WithKinds])
@pytest.mark.parametrize("policy", [DocumentVisibility, Narrow])
def test_no_dead_links(host: Any, policy: type[DocumentVisibility]) -> None:
    """An entry whose document is cancelled, a draft, foreign or unknown counts, without a link."""
    names = ("INV-C-1", "INV-C-1-draft", "INV-C-1-cancelled", "INV-C-2", "absent", "SO-C-1")
    documents = [*documents_of("C-1"), *documents_of("C-2")]
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    storage.documents.save(*documents)
    entries = [an_entry(f"E-{one}", customer_id="C-1", document_id=one) for one in names]
    storage.ledger.save(*entries)
    repositories = {"documents": host(documents)} if host else {}
    portal = over(storage, visibility=policy(), **repositories)
    views = account_views(opened(portal, "C-1"))
    assert mentioned(views) == {"INV-C-1", "SO-C-1"}
    assert len(views[0].by_currency["EUR"].lines) == len(names)
    assert mentioned(account_views(opened(portal, "C-1", show_sales_orders=False))) == {"INV-C-1"}


class Asked(HostDocuments):
    """A host that notes what is asked of it."""

    def __init__(self, documents: list[Document]) -> None:
        super().__init__(documents)
        self.asked: list[tuple[DocumentKind, Any]] = []
        self.limits: list[int] = []

    def page(self, customer_id: str, kind: DocumentKind, **asked: Any) -> Any:
        """As above, noted."""
        self.asked.append((kind, asked["ids"]))
        self.limits.append(asked["limit"])
        return super().page(customer_id, kind, **asked)


def test_a_host_is_asked_for_no_more_than_is_named() -> None:
    """The documents an account names are looked up at once, and in the open sections alone."""
    documents = Asked([*documents_of("C-1"), *many_documents(20)])
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    named = {"INV-C-1", "INV-0001"}
    storage.ledger.save(*(an_entry(one, customer_id="C-1", document_id=one) for one in named))
    portal = over(storage, visibility=Narrow(), documents=documents)
    access = opened(portal, "C-1", show_sales_orders=False)
    assert mentioned([access.statement()]) == named
    assert documents.asked == [(INVOICE, named), (CREDIT_NOTE, named)]
    assert documents.limits == [3, 3]


class AskedAtOnce(Asked, WithKinds):
    """A host that can tell kinds and years without a document being read."""

    def years(self, customer_id: str, kind: DocumentKind) -> Any:
        """The years of the customer's issued documents of a kind, newest first."""
        own = (one for one in self.documents if one.customer_id == customer_id)
        issued = (one for one in own if one.status is DocumentStatus.ISSUED and one.kind is kind)
        return sorted({one.date.year for one in issued}, reverse=True)


@pytest.mark.parametrize(("policy", "is_read"), [(DocumentVisibility, False), (Narrow, True)])
def test_what_a_host_can_tell_at_once_is_not_read(policy: Any, is_read: bool) -> None:
    """Years and kinds are taken from who can tell them, unless a policy must see each document."""
    documents = AskedAtOnce(many_documents(20))
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    storage.ledger.save(an_entry("E", customer_id="C-1", document_id="INV-0001"))
    access = opened(over(storage, visibility=policy(), documents=documents), "C-1")
    assert mentioned([access.statement()]) == {"INV-0001"}
    assert documents.asked == [(kind, {"INV-0001"}) for kind in DocumentKind] * is_read
    assert access.document_years(INVOICE) == (2025, 2024, 2023)
    assert bool(documents.asked) is is_read


def test_a_page_costs_a_host_little() -> None:
    """One document more than is shown; where a policy hides them all, ten pages and no more."""
    documents = Asked(
        [an_invoice(f"I{n:04}", customer_id="C-1", date=dt.date(2020, 1, 1)) for n in range(2500)]
    )
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    policy = Narrow()
    access = opened(over(storage, visibility=policy, documents=documents), "C-1")
    assert len(access.documents(INVOICE, limit=7)) == 7
    assert documents.limits == [8]
    policy.documents = {one.id for one in documents.documents}
    assert access.documents(INVOICE, limit=7).items == ()
    assert documents.limits[1:] == [8] + [200] * 9


class Noting(DocumentVisibility):
    """A policy that shows all, and notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def shows_section(self, *asked: Any) -> bool:
        """As asked, noted."""
        self.asked.append(asked)
        return True

    def shows_document(self, *asked: Any) -> bool:
        """As asked, noted."""
        self.asked.append(asked)
        return True


def test_a_policy_is_told_what_it_decides_about(shop: FullStorage) -> None:
    """The section, or the document and whose link was opened, and the settings in force."""
    policy = Noting()
    portal = over(shop, visibility=policy)
    access = opened(portal, "C-1")
    assert access.document("INV-C-1")
    config = portal.settings.get().config
    sections = {asked for asked in policy.asked if len(asked) == 2}
    assert (Section.INVOICES, config) in sections
    assert {told for _, told in sections} == {config}
    documents = [asked for asked in policy.asked if len(asked) == 3]
    assert "INV-C-1" in {document.id for document, *_ in documents}
    assert {(customer_id, told) for _, customer_id, told in documents} == {("C-1", config)}


def test_documents_hidden_by_a_policy_count(shop: FullStorage) -> None:
    """An invoice that the policy hides stands in account and summary, without its id."""
    policy = Narrow()
    access = opened(over(shop, visibility=policy), "C-1")
    shown = account_views(access)
    assert mentioned(shown) == {"INV-C-1", "CN-C-1"}
    policy.documents = {"INV-C-1"}
    hidden = account_views(access)
    assert mentioned(hidden) == {"CN-C-1"}
    assert without_ids(hidden) == without_ids(shown)
    item = access.summary().by_currency["EUR"].to_pay[0]
    assert isinstance(item, OpenItem)
    assert (item.entry.number, item.entry.document_id) == ("INV 1 ", None)


@pytest.mark.parametrize("switches", SWITCHED)
def test_the_balance_is_always_true(shop: FullStorage, switches: tuple[bool, ...]) -> None:
    """Hiding documents changes no figure of the statement."""
    config = dict(zip(SWITCHES, switches, strict=True)) | {"show_statement": True}
    expected = without_ids(account_views(opened(over(shop), "C-1")))
    assert without_ids(account_views(opened(over(shop), "C-1", **config))) == expected


def test_sections_in_a_preview(shop: FullStorage) -> None:
    """A preview shows what the customer would see, policy and switches included."""
    portal = over(shop, visibility=Narrow({Section.MESSAGES}))
    portal.settings.save(attrs.evolve(ALL_ON, enabled=False, show_statement=False))
    preview = portal.preview("C-1")
    assert preview.sections() == (Section.INVOICES, Section.SALES_ORDERS, Section.CREDIT_NOTES)
    clock = FrozenClock()
    assert over(shop, clock).preview("C-1").sections()[-1] is Section.MESSAGES
