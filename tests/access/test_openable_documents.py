"""A document is named to a customer only where the customer may open it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from basis_portal import (
    AppliedItem,
    CustomerMessage,
    Document,
    DocumentNotFound,
    DocumentStatus,
    DocumentVisibility,
    EntryKind,
    LedgerEntry,
    Portal,
    PortalAccess,
    PortalConfig,
)
from basis_portal.testing.builders import (
    DAY,
    a_credit_note,
    a_message,
    a_payment,
    an_allocation,
    an_entry,
    an_invoice,
    an_order,
)

from .worlds import HostDocuments, opened, over

State = Callable[[], dict[str, Any]]

DOCUMENTS = [
    an_invoice("own"),
    an_invoice("hidden by the policy"),
    an_invoice("draft", status=DocumentStatus.DRAFT),
    an_invoice("cancelled", status=DocumentStatus.CANCELLED),
    an_invoice("foreign", customer_id="C-1002"),
    an_order("order"),
    a_credit_note("note"),
]
NAMED = [*(document.id for document in DOCUMENTS), "unknown"]


class Discreet(DocumentVisibility):
    """A host's policy that hides one invoice."""

    def shows_document(self, document: Document, customer_id: str, config: PortalConfig) -> bool:
        """All but one."""
        return document.id != "hidden by the policy"


class Untrue(Discreet):
    """The same, but in a condition it counts as false."""

    def __bool__(self) -> bool:
        """False."""
        return False


class Empty(Discreet):
    """The same, but it has a length, and that is 0."""

    def __len__(self) -> int:
        """Nothing."""
        return 0


@pytest.fixture(params=["of the storage", "of a host"])
def repositories(request: pytest.FixtureRequest, portal: Portal, storage: Any) -> dict[str, Any]:
    """Documents of the storage, or of a host that cannot look up which are issued.

    The storage holds an entry and a message about each document; whatever names one has
    its id for a number, or for a text.
    """
    storage.documents.save(*DOCUMENTS)
    stock_account(storage)
    for number, one in enumerate(NAMED):
        message = a_message(f"M-{number}", text=one, document_id=one)
        storage.transact(lambda unit, message=message: unit.messages.add(message))
    return {"documents": HostDocuments(DOCUMENTS)} if request.param == "of a host" else {}


def stock_account(storage: Any) -> None:
    """An entry of each document; the cancelled invoice is reversed, a note settles another."""
    credit = {"due_date": None, "amount": Decimal(19)}
    reversal = an_entry(
        "reversal",
        kind=EntryKind.CREDIT_ADJUSTMENT,
        document_id="cancelled",
        number="cancelled",
        due_date=None,
    )
    note = an_entry("note", kind=EntryKind.CREDIT_NOTE, **credit)
    charged = [an_entry(one, due_date=DAY.replace(day=1)) for one in NAMED if one != "note"]
    storage.ledger.save(*charged, reversal, note, a_payment("payment", **{**credit, "date": DAY}))
    for debit, paid, amount in (
        ("own", "note", 10),
        ("hidden by the policy", "note", 9),
        ("own", "payment", 10),
        ("cancelled", "reversal", 119),
    ):
        storage.ledger.allocate(
            an_allocation(
                f"{paid} on {debit}",
                debit_id=debit,
                credit_id=paid,
                amount=Decimal(amount),
                date=DAY,
            )
        )


def may_open(access: PortalAccess, document_id: str) -> bool:
    """True where the page of the document opens."""
    try:
        return access.document(document_id).document.id == document_id
    except DocumentNotFound:
        return False


def everything(access: PortalAccess) -> dict[str, Any]:
    """Each result that names documents."""
    shown = [one for one in NAMED if may_open(access, one)]
    return {
        "statement": access.statement(),
        "open items": access.statement(view="open_items"),
        "without aging": access.statement(aging=False),
        "stream": list(access.statement_lines("EUR")),
        "pages": [access.statement_page("EUR", limit=limit) for limit in (1, 5, 50)],
        "summary": access.summary(),
        "applied": [access.document(one).applied for one in shown],
        "messages": access.messages(),
    }


def links_in(found: Any) -> Iterator[tuple[str, str | None]]:
    """What names a document in a result: which one it is about, and the id it gives."""
    if isinstance(found, LedgerEntry | AppliedItem) and found.number in NAMED:
        yield str(found.number), found.document_id
    elif isinstance(found, CustomerMessage):
        yield found.text, found.document_id
    elif isinstance(found, list | tuple):
        for one in found:
            yield from links_in(one)
    elif isinstance(found, dict):
        yield from links_in(list(found.values()))
    elif attrs.has(type(found)):
        yield from links_in([getattr(found, field.name) for field in attrs.fields(type(found))])


@pytest.mark.parametrize("policy", [DocumentVisibility, Discreet])
@pytest.mark.parametrize("switch", ["show_sales_orders", "show_credit_notes", None])
def test_what_is_named_may_be_opened(
    storage: Any,
    repositories: dict[str, Any],
    policy: type[DocumentVisibility],
    switch: str | None,
) -> None:
    """Whatever names a document gives its id where its page opens, and no id where it does not."""
    switches = {switch: False} if switch else {}
    access = opened(over(storage, visibility=policy(), **repositories), "C-1001", **switches)
    expected = {"own", "hidden by the policy", "order", "note"}
    expected -= {"hidden by the policy"} if policy is Discreet else set()
    expected -= {{"show_sales_orders": "order", "show_credit_notes": "note"}.get(switch or "", "")}
    assert {one for one in NAMED if may_open(access, one)} == expected
    found = {name: set(links_in(result)) for name, result in everything(access).items()}
    for name, links in found.items():
        assert links, name
        assert links == {(one, one if one in expected else None) for one, _ in links}, name
    for name in ("statement", "without aging", "stream", "pages", "messages"):
        assert {one for one, _ in found[name]} == set(NAMED), name


def test_the_same_figures_without_ids(storage: Any, repositories: dict[str, Any]) -> None:
    """An entry whose document may not be opened counts, and keeps its number."""
    access = opened(over(storage, **repositories), "C-1001")
    statement = access.statement().by_currency["EUR"]
    assert len(statement.lines) == 10
    assert {line.number for line in statement.lines} == {*NAMED, "payment"}
    assert statement.closing_balance == 7 * 119 - 119 - 2 * 19
    (item,) = (one for one in statement.open_items if one.entry.id == "draft")
    assert (item.entry.number, item.entry.document_id) == ("draft", None)
    assert item.open_amount == 119


@pytest.mark.parametrize("policy", [Untrue, Empty])
def test_a_policy_that_counts_as_false(
    portal: Portal, storage: Any, policy: type[Discreet]
) -> None:
    """A policy hides also where it is false in a condition; none given hides nothing."""
    storage.documents.save(*DOCUMENTS)
    chosen = policy()
    assert not chosen
    narrow, plain = (over(storage, visibility=one) for one in (chosen, None))
    assert not may_open(opened(narrow, "C-1001"), "hidden by the policy")
    assert may_open(opened(narrow, "C-1001"), "own")
    assert may_open(opened(plain, "C-1001"), "hidden by the policy")


@pytest.mark.parametrize("document_id", [one for one in NAMED if one != "own"])
def test_replies_about_what_may_not_be_opened(
    portal: Portal, storage: Any, state: State, document_id: str
) -> None:
    """A reply about a document that the customer cannot open is refused, and nothing kept."""
    storage.documents.save(*DOCUMENTS)
    seller = over(storage, visibility=Discreet())
    access = opened(seller, "C-1001", show_sales_orders=False, show_credit_notes=False)
    access.send_message("Which one is it?")
    before = state()
    with pytest.raises(DocumentNotFound):
        seller.messages.reply("C-1001", "This one.", by="ana", document_id=document_id)
    assert state() == before
    reply = seller.messages.reply("C-1001", "This one.", by="ana", document_id="own")
    assert reply.document_id == "own"
    assert [one.document_id for one in access.messages()].count("own") == 1
    assert portal.messages.unread_count() == 0
