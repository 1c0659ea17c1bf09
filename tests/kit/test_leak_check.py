"""The leak check: silent over clean data, and it names each planted leak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from basis_portal import (
    Customer,
    Document,
    DocumentKind,
    DocumentStatus,
    Portal,
    PortalConfig,
    PortalNotAvailable,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock, LeakReport, check_for_leaks
from basis_portal.testing.builders import a_customer, a_message, an_allocation, an_entry, an_invoice

ALL_ON = PortalConfig(
    enabled=True,
    show_sales_orders=True,
    show_credit_notes=True,
    show_statement=True,
    allow_messages=True,
)
Found = set[tuple[str, str, str]]


@pytest.fixture
def storage(seller: InMemoryStorage) -> InMemoryStorage:
    """The portal's own state is kept beside the seller's data."""
    return seller


@pytest.fixture
def check(make_portal: Callable[..., Portal], clock: FrozenClock) -> Callable[..., LeakReport]:
    """Checks the seller's data; keywords are a host's own repositories."""
    clock.advance(days=60)

    def run(
        config: PortalConfig = ALL_ON, options: dict[str, Any] | None = None, **repositories: Any
    ) -> LeakReport:
        portal = make_portal(**repositories)
        portal.settings.save(config)
        return check_for_leaks(portal, **(options or {}))

    return run


def also(record: Any) -> Callable[..., Any]:
    """The sound list and one more, whoever asks."""
    return lambda sound, *args, **kwargs: [*sound(*args, **kwargs), record]


def found_in(report: LeakReport) -> Found:
    """Which customer would get what, and from where."""
    assert not report.ok
    return {(one.customer_id, one.where, one.id) for one in report.findings}


# --- clean data ---------------------------------------------------------------------------------


def test_clean_data_shows_no_leak(check: Callable[..., LeakReport]) -> None:
    """Over clean data nothing is found, and the report counts what each customer would see."""
    report = check()
    assert report.ok
    assert report.findings == ()
    assert report.seen.keys() == {"C-1", "C-2", "C-3"}
    seen = report.seen["C-1"]
    assert seen.documents == {
        DocumentKind.SALES_INVOICE: 8,
        DocumentKind.SALES_ORDER: 1,
        DocumentKind.CREDIT_NOTE: 1,
    }
    assert seen.statement_lines == 19
    assert seen.messages == 0
    assert seen.foreign_ids_tried == 10
    assert report.seen["C-3"].documents[DocumentKind.SALES_INVOICE] == 0


def test_hidden_sections_are_not_seen(check: Callable[..., LeakReport]) -> None:
    """What is switched off for customers is not counted as seen."""
    seen = check(PortalConfig()).seen["C-1"]
    assert seen.documents.keys() == {DocumentKind.SALES_INVOICE}
    assert seen.statement_lines is None
    assert seen.messages is None


def test_a_report_is_for_people(check: Callable[..., LeakReport], host: Callable[..., Any]) -> None:
    """The report reads as sentences: how many, which leaks, who sees what."""
    text = str(check())
    assert text.startswith("3 customers, 0 leaks\n")
    assert "'C-1' sees 8 sales_invoice, 1 sales_order, 1 credit_note, 19 statement lines" in text
    leaking = str(check(documents=host("documents", page=also(an_invoice("X", customer_id="C-9")))))
    assert (
        "LEAK: customer 'C-1': documents.page gave 'X', which belongs to another customer"
        in leaking
    )


def test_nobody_looked_at_is_not_ok(check: Callable[..., LeakReport]) -> None:
    """A check of nobody has shown nothing and is not ok."""
    assert not check(options={"customer_ids": []}).ok


def test_customers_can_be_named(check: Callable[..., LeakReport]) -> None:
    """Only the customers named are looked at, each once."""
    report = check(options={"customer_ids": ["C-2", "C-1", "C-2"]})
    assert list(report.seen) == ["C-2", "C-1"]


def test_blocked_and_unknown_customers_see_nothing(
    check: Callable[..., LeakReport], seller: InMemoryStorage
) -> None:
    """A blocked or unknown customer would see nothing, and the report says why."""
    seller.customers.save(a_customer("C-3", blocked=True))
    report = check(options={"customer_ids": ["C-3", "C-9"]})
    assert report.ok
    assert "blocked" in str(report.seen["C-3"])
    assert "C-9" in str(report.seen["C-9"])


def test_foreign_documents_can_be_limited(check: Callable[..., LeakReport]) -> None:
    """On large data fewer documents of others may be tried; the report says how many."""
    report = check(options={"most_foreign": 3})
    assert report.seen["C-1"].foreign_ids_tried == 3


def test_previews_are_on_the_trail(
    check: Callable[..., LeakReport], seller: InMemoryStorage
) -> None:
    """Whoever runs the check is in the audit trail as having previewed each customer."""
    check(options={"by": "dora"})
    trail = seller.audit.page(limit=100)
    assert {entry.customer_id for _, entry in trail if entry.by == "dora"} == {"C-1", "C-2", "C-3"}


def test_without_the_portal_there_is_nothing_to_check(
    make_portal: Callable[..., Portal],
) -> None:
    """Where the feature is off the check cannot run, and says so."""
    with pytest.raises(PortalNotAvailable):
        check_for_leaks(make_portal(feature_enabled=False))


def test_the_check_ends_where_pages_do_not(
    check: Callable[..., LeakReport], host: Callable[..., Any], seller: InMemoryStorage
) -> None:
    """A host that shows its first page for ever does not keep the check for ever."""
    seller.documents.save(*(an_invoice(f"I{n}", customer_id="C-3") for n in range(205)))

    def page(sound: Any, customer_id: str, kind: DocumentKind, **wanted: Any) -> Any:
        return sound(customer_id, kind, limit=wanted["limit"])

    report = check(documents=host("documents", able=False, page=page))
    assert report.seen["C-3"].documents[DocumentKind.SALES_INVOICE] >= 200


# --- planted leaks: what the portal drops, the host still has to mend ----------------------------


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        (an_invoice("X", customer_id="C-9"), "belongs to another customer"),
        (an_invoice("X", customer_id="C-1", status=DocumentStatus.DRAFT), "but draft"),
        (an_invoice("X", customer_id="C-1", status=DocumentStatus.CANCELLED), "but cancelled"),
        (an_invoice("X", customer_id="C-1"), "is no sales_order, but a sales_invoice"),
        ("X", "is no Document"),
    ],
)
def test_a_wrong_document_in_a_list_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any], planted: Any, rule: str
) -> None:
    """A foreign, draft or cancelled document, or one of another kind, in a list is named."""
    report = check(documents=host("documents", page=also(planted)))
    assert ("C-1", "documents.page", "X") in found_in(report)
    assert any(rule in one.rule for one in report.findings if one.customer_id == "C-1")
    assert not [one for one in report.findings if one.where == "access.documents"]


def test_a_document_given_to_anybody_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """A host that gives any document to whoever knows its id is found out; the portal holds."""

    def get(sound: Any, _: str, document_id: str) -> Document | None:
        found: Document | None = sound("C-1", document_id) or sound("C-2", document_id)
        return found

    found = found_in(check(documents=host("documents", get=get)))
    assert ("C-1", "documents.get", "C-2/I0") in found
    assert ("C-2", "documents.get", "C-1/CN") in found
    assert {where for _, where, _ in found} == {"documents.get"}


def test_a_disguised_document_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """What a host puts under the name of whoever asks gets through, and the check sees it."""

    def get(sound: Any, customer_id: str, document_id: str) -> Document | None:
        found = sound("C-1", document_id) or sound("C-2", document_id)
        return found and attrs.evolve(found, customer_id=customer_id)

    found = found_in(check(documents=host("documents", get=get)))
    assert ("C-1", "access.document", "C-2/I0") in found


def test_a_document_in_two_lists_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """One document that two customers see as theirs is named."""

    def page(sound: Any, customer_id: str, kind: DocumentKind, **wanted: Any) -> list[Document]:
        return [attrs.evolve(one, customer_id=customer_id) for one in sound("C-1", kind, **wanted)]

    def get(sound: Any, customer_id: str, document_id: str) -> Document | None:
        found = sound("C-1", document_id)
        return found and attrs.evolve(found, customer_id=customer_id)

    found = found_in(check(documents=host("documents", page=page, get=get)))
    assert ("C-2", "access.documents", "C-1/I0") in found


def test_a_listed_document_that_does_not_open_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """A document that a list shows and that nobody gets by its id is named."""
    unknown = an_invoice("X", customer_id="C-1")
    found = found_in(check(documents=host("documents", page=also(unknown))))
    assert ("C-1", "access.document", "X") in found


def test_foreign_entries_are_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """An entry of another customer is named, by whatever way the ledger gives it."""
    theirs = an_entry("X", customer_id="C-9")
    for method in ("entries", "entries_of_documents", "entries_by_id"):
        found = found_in(check(ledger=host("ledger", **{method: also(theirs)})))
        assert ("C-1", f"ledger.{method}", "X") in found


def test_foreign_open_items_are_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """Open items and allocations of another customer are named."""

    def of_anybody(sound: Any, _: str, *args: Any) -> list[Any]:
        return [*sound("C-1", *args), *sound("C-2", *args)]

    found = found_in(check(ledger=host("ledger", open_items=of_anybody)))
    assert ("C-1", "ledger.open_items", "C-2/CN") in found
    found = found_in(check(ledger=host("ledger", allocations_of=of_anybody)))
    assert ("C-2", "ledger.allocations_of", "C-1/A0") in found


def test_an_entry_that_names_a_foreign_document_is_found(
    check: Callable[..., LeakReport], seller: InMemoryStorage
) -> None:
    """An entry of one's own with another customer's document tells its id, and is named."""
    seller.ledger.save(an_entry("X", customer_id="C-3", document_id="C-1/I0"))
    report = check()
    assert ("C-3", "ledger.entries", "X") in found_in(report)
    assert {one.rule for one in report.findings} == {"names a document of another customer"}


def test_an_entry_relabelled_for_whoever_asks_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """An entry that every customer is given as its own is found, though it looks like its own."""

    def relabelled(sound: Any, customer_id: str, **period: Any) -> Any:
        theirs = an_entry("shared", customer_id=customer_id, document_id=None)
        return [*sound(customer_id, **period), theirs]

    report = check(ledger=host("ledger", entries=relabelled))
    rule = "is on the account of another customer as well"
    assert ("ledger.entries", "shared", rule) in {(f.where, f.id, f.rule) for f in report.findings}
    assert check().ok


def test_a_ledger_that_contradicts_itself_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """Allocations of another customer make no statement, and the check says which."""
    theirs = an_allocation("X", customer_id="C-1", debit_id="C-2/I0", credit_id="C-2/P0")
    ledger = host("ledger", able=False, allocations=also(theirs))
    report = check(ledger=ledger)
    assert any("contradicts itself" in str(one) and "'X'" in str(one) for one in report.findings)


def test_a_customer_mistaken_for_another_is_found(
    check: Callable[..., LeakReport], host: Callable[..., Any]
) -> None:
    """A host that gives another customer than the one asked for is found out."""

    def get(sound: Any, customer_id: str) -> Customer | None:
        found: Customer | None = sound("C-1" if customer_id == "C-2" else customer_id)
        return found

    report = check(customers=host("customers", get=get))
    assert found_in(report) == {("C-2", "customers.get", "C-1")}


def test_messages_are_counted(check: Callable[..., LeakReport], seller: InMemoryStorage) -> None:
    """The thread of each customer is counted, and none is in two threads."""
    seller.messages.add(a_message("M-1", customer_id="C-1"))
    seller.messages.add(a_message("M-2", customer_id="C-2"))
    report = check()
    assert report.ok
    assert [report.seen[one].messages for one in ("C-1", "C-2", "C-3")] == [1, 1, 0]


def test_a_message_in_two_threads_is_found(
    seller: InMemoryStorage, make_portal: Callable[..., Portal]
) -> None:
    """A storage that shows one customer's messages to another is found out."""
    seller.messages.add(a_message("M-1", customer_id="C-1"))
    portal = make_portal()
    portal.settings.save(ALL_ON)
    assert check_for_leaks(portal).ok
    sound = seller.messages.page
    seller.messages.page = lambda _, **paging: sound("C-1", **paging)  # type: ignore[method-assign]
    assert ("C-2", "access.messages", "M-1") in found_in(check_for_leaks(portal))
