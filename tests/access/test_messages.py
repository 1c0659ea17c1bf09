"""What customers write, and what they see of the thread."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import pytest

from basis_portal import (
    AccessDenied,
    Author,
    CustomerMessage,
    DocumentNotFound,
    InvalidValue,
    Portal,
    PortalAccess,
    PortalError,
    SectionHidden,
    StorageError,
    TooManyMessages,
)
from basis_portal.testing.builders import an_invoice
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.parts.base import hurried_threads, in_threads

from .worlds import HostDocuments, all_pages, opened, outcome, over, stock, texts_in

State = Callable[[], dict[str, Any]]
Trail = Callable[[], list[Any]]


@pytest.fixture
def access(portal: Portal, storage: Any) -> PortalAccess:
    """A customer with everything switched on."""
    stock(storage, "C-1001")
    return opened(portal, "C-1001")


def thread(access: PortalAccess) -> list[CustomerMessage]:
    """The whole thread, oldest first."""
    pages = all_pages(access.messages, limit=3)
    return [one for page in pages for one in page][::-1]


# --- text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x", "x"),
        ("  x\r\ny\rz \n", "x\ny\nz"),
        ("x" * 2000, "x" * 2000),
        (" " * 500 + "😀" * 2000 + "\n" * 500, "😀" * 2000),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("a\tb\u2028c\x85d", "a b\nc\nd"),
    ],
)
def test_texts(access: PortalAccess, portal: Portal, text: str, kept: str) -> None:
    """A message has 1 to 2,000 characters, counted after the ends are trimmed."""
    sent = access.send_message(text)
    assert sent.text == kept
    assert thread(access) == [sent]
    assert [one.text for one in portal.messages.list()] == [kept]


@pytest.mark.parametrize(
    "text", ["", "   ", "\r\n", "x" * 2001, "x\0", "x\x07", "\ud800", "x\x1by", None, 7, b"x"]
)
def test_bad_texts(access: PortalAccess, state: State, text: Any) -> None:
    """Any other text is refused by its rule, and nothing is kept of it."""
    before = state()
    with pytest.raises(InvalidValue, match="text"):
        access.send_message(text)
    assert state() == before
    assert access.send_message("good")


@pytest.mark.parametrize("key", ["", "x" * 256, "\0", 7, b"x"])
def test_bad_keys(access: PortalAccess, state: State, key: Any) -> None:
    """A key that is no text of 1 to 255 characters is refused."""
    before = state()
    with pytest.raises(InvalidValue, match="idempotency_key"):
        access.send_message("Hello", idempotency_key=key)
    assert state() == before
    assert access.send_message("Hello", idempotency_key="x" * 255)


def test_a_reply_that_is_sent_twice(portal: Portal, trail: Trail) -> None:
    """The same key makes one reply, which is told once; another key or none makes another."""
    first = portal.messages.reply("C-1001", "Yes.", by="ana", idempotency_key="form-1")
    assert portal.messages.reply("C-1001", "Yes.", by="ana", idempotency_key="form-1") == first
    assert [one.event for one in trail()].count("reply") == 1
    assert list(portal.messages.thread("C-1001")) == [first]
    portal.messages.reply("C-1001", "Yes.", by="ana", idempotency_key="form-2")
    portal.messages.reply("C-1001", "Yes.", by="ana")
    assert len(portal.messages.thread("C-1001").items) == 3


# --- who wrote ----------------------------------------------------------------------------


def test_the_author_is_the_customer(
    access: PortalAccess, portal: Portal, trail: Trail, clock: FrozenClock
) -> None:
    """Who wrote comes from the access: the customer, now, audited with the token."""
    sent = access.send_message("From me", document_id="INV-C-1001")
    (stored,) = portal.messages.thread("C-1001")
    assert (sent.author, sent.at, sent.document_id) == (Author.CUSTOMER, clock.now, "INV-C-1001")
    assert (stored.customer_id, stored.author, stored.by) == ("C-1001", Author.CUSTOMER, None)
    entry = trail()[-1]
    token = portal.tokens.get("C-1001")
    assert token
    assert (entry.event, entry.by, entry.customer_id) == ("message", None, "C-1001")
    assert (entry.token_id, entry.detail) == (token.id, None)


def test_what_a_customer_sees(access: PortalAccess, portal: Portal, clock: FrozenClock) -> None:
    """A reply shows without the login of staff, without a read mark; notes never show."""
    access.send_message("Where is it?")
    clock.advance(minutes=1)
    portal.messages.reply("C-1001", "On its way.", by="ana.staff", document_id="INV-C-1001")
    portal.messages.note("C-1001", "Pays late.", by="ben.staff")
    portal.messages.note("C-1001", "Pays late.", by="ben.staff", document_id="INV-C-1001")
    found = thread(access)
    assert [(one.author, one.text) for one in found] == [
        (Author.CUSTOMER, "Where is it?"),
        (Author.SELLER, "On its way."),
    ]
    names = {field.name for field in attrs.fields(CustomerMessage)}
    assert names == {"id", "at", "author", "text", "document_id"}
    texts = texts_in(found) | {repr(one) for one in found}
    assert not any(word in text for text in texts for word in ("staff", "Pays late"))
    assert len(portal.messages.notes("C-1001")) == 2


def test_a_thread_in_pages(access: PortalAccess, portal: Portal, clock: FrozenClock) -> None:
    """The thread is walked newest first, in pages of any length, also within one instant."""
    sent = []
    for number in range(12):
        clock.advance(seconds=number % 3 == 0)
        sent.append(access.send_message(f"message {number}"))
    for limit in (1, 5, 12, 200):
        pages = all_pages(access.messages, limit=limit)
        found = [one for page in pages for one in page]
        assert found == sorted(sent, key=lambda one: (one.at, one.id), reverse=True)
    bad: list[Any] = [0, 201, True, None]
    for limit in bad:
        with pytest.raises(InvalidValue, match="limit"):
            access.messages(limit=limit)


def test_messages_switched_off(access: PortalAccess, portal: Portal, state: State) -> None:
    """Switched off, the thread is hidden and closed; switched on again it is all there."""
    sent = access.send_message("before")
    closed = opened(portal, "C-1001", allow_messages=False)
    before = state()
    assert outcome(closed.messages) is SectionHidden
    assert outcome(closed.send_message, "now") is SectionHidden
    assert state() == before
    assert thread(opened(portal, "C-1001")) == [sent]


# --- the same form again ------------------------------------------------------------------


def test_a_resent_form(
    access: PortalAccess, portal: Portal, trail: Trail, clock: FrozenClock
) -> None:
    """A form that is sent again makes no second message, also another day with another text."""
    first = access.send_message("Paid.", idempotency_key="form 1")
    clock.advance(days=2)
    again = opened(portal, "C-1001").send_message("Paid!", idempotency_key="form 1")
    assert again == first
    assert thread(access) == [first]
    assert [entry.event for entry in trail()].count("message") == 1
    assert access.send_message("Paid.", idempotency_key="form 2") != first
    assert access.send_message("Paid.") != access.send_message("Paid.")


def test_keys_of_two_customers(access: PortalAccess, portal: Portal) -> None:
    """One customer's key says nothing about another's."""
    other = opened(portal, "C-1002")
    one = access.send_message("From one", idempotency_key="form")
    two = other.send_message("From two", idempotency_key="form")
    assert (thread(access), thread(other)) == ([one], [two])


def test_the_same_form_at_once(access: PortalAccess, portal: Portal) -> None:
    """Eight threads that send one form make one message, and are all told of it."""
    for number in range(4):
        with hurried_threads():
            found = in_threads(
                [partial(access.send_message, "x", idempotency_key=f"form {number}")] * 8
            )
        assert len(set(found)) == 1
    assert len(thread(access)) == 4


# --- not too many -------------------------------------------------------------------------


def test_twenty_an_hour(
    access: PortalAccess, portal: Portal, state: State, clock: FrozenClock
) -> None:
    """The twenty-first within the hour is refused until the first is an hour old."""
    start = clock.now
    for number in range(20):
        access.send_message(f"message {number}", idempotency_key=f"{number}")
        portal.messages.reply("C-1001", "a reply does not count")
        clock.advance(minutes=2)
    retry_at = start + dt.timedelta(hours=1)
    before = state()
    for instant in (clock.now, retry_at - dt.timedelta(microseconds=1)):
        clock.set(instant)
        with pytest.raises(TooManyMessages) as caught:
            access.send_message("one more")
        assert caught.value.retry_at == retry_at
        assert f"{retry_at:%H:%M}" in str(caught.value)
    assert access.send_message("again", idempotency_key="7").text == "message 7"
    assert state() == before
    assert opened(portal, "C-1002").send_message("another customer")
    clock.set(retry_at)
    assert access.send_message("one more")
    with pytest.raises(TooManyMessages) as caught:
        access.send_message("and another")
    assert caught.value.retry_at == retry_at + dt.timedelta(minutes=2)


def test_the_words_of_the_limit(access: PortalAccess, clock: FrozenClock) -> None:
    """The time that the refusal names is never too early."""
    clock.set(dt.datetime(2025, 1, 15, 9, 0, 30, tzinfo=dt.UTC))
    for _ in range(20):
        access.send_message("x")
    with pytest.raises(TooManyMessages, match=r"10:01 UTC") as caught:
        access.send_message("x")
    assert caught.value.retry_at == dt.datetime(2025, 1, 15, 10, 0, 30, tzinfo=dt.UTC)


def test_a_clock_that_goes_back(access: PortalAccess, clock: FrozenClock) -> None:
    """Messages written at a later time by a clock since set right lock nobody out."""
    clock.advance(days=3)
    for _ in range(20):
        access.send_message("x")
    clock.advance(days=-3)
    assert access.send_message("x")


def test_the_limit_is_the_customer_s(access: PortalAccess, portal: Portal) -> None:
    """A new link, or a second access, gives no new twenty."""
    for number in range(20):
        access.send_message(f"message {number}")
    portal.tokens.regenerate("C-1001")
    with pytest.raises(TooManyMessages):
        opened(portal, "C-1001").send_message("one more")


def test_the_limit_under_load(access: PortalAccess) -> None:
    """Eight threads that send ten messages each get twenty through, not one more."""

    def send() -> int:
        results = [outcome(access.send_message, "x") for _ in range(10)]
        assert set(results) <= {None, TooManyMessages}
        return results.count(None)

    with hurried_threads():
        sent = in_threads([send] * 8)
    assert sum(sent) == 20
    assert len(thread(access)) == 20


# --- about a document ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "document_id",
    ["INV-C-1001-draft", "INV-C-1001-cancelled", "INV-C-1002", "absent", "CN-C-1001", "x" * 255],
)
def test_documents_that_are_not_visible(
    access: PortalAccess, portal: Portal, storage: Any, state: State, document_id: str
) -> None:
    """A message is about a visible document or none; else it is not kept."""
    stock(storage, "C-1002")
    hidden = opened(portal, "C-1001", show_credit_notes=False)
    before = state()
    with pytest.raises(DocumentNotFound):
        hidden.send_message("About it", document_id=document_id)
    assert state() == before
    assert hidden.send_message("About it", document_id="INV-C-1001").document_id == "INV-C-1001"


def test_a_document_that_is_hidden_since(
    access: PortalAccess, portal: Portal, storage: Any
) -> None:
    """A message about a document that is hidden since stays, without the document's id."""
    for one in ("CN-C-1001", "INV-C-1001"):
        access.send_message("About it", document_id=one, idempotency_key=one)
    portal.messages.reply("C-1001", "About it", document_id="CN-C-1001")

    def about(found: PortalAccess) -> list[str]:
        return sorted(str(one.document_id) for one in found.messages())

    assert about(access) == ["CN-C-1001", "CN-C-1001", "INV-C-1001"]
    assert about(opened(portal, "C-1001", show_credit_notes=False)) == [
        "INV-C-1001",
        "None",
        "None",
    ]
    storage.documents.delete("INV-C-1001")
    assert about(opened(portal, "C-1001")) == ["CN-C-1001", "CN-C-1001", "None"]


@pytest.mark.parametrize("document_id", ["INV-C-1002", "INV-C-1001-draft", "absent"])
def test_replies_about_other_documents(
    access: PortalAccess, portal: Portal, storage: Any, state: State, document_id: str
) -> None:
    """Staff reply about a document that the customer can see, or about none."""
    stock(storage, "C-1002")
    before = state()
    with pytest.raises(DocumentNotFound):
        portal.messages.reply("C-1001", "About it", by="ana", document_id=document_id)
    assert state() == before
    portal.messages.reply("C-1001", "About it", by="ana", document_id="INV-C-1001")
    assert thread(access)[0].document_id == "INV-C-1001"


@pytest.mark.parametrize("document_id", ["", "\0", "x" * 256, 7])
def test_ids_that_are_none(access: PortalAccess, state: State, document_id: Any) -> None:
    """What can be no id is refused, and not kept."""
    before = state()
    assert issubclass(
        outcome(access.send_message, "About it", document_id=document_id) or object,
        PortalError,
    )
    assert state() == before


# --- while the link ends ------------------------------------------------------------------


def test_a_revoke_before_sending(access: PortalAccess, portal: Portal, state: State) -> None:
    """Between opening and sending the link was revoked: nothing is sent."""
    assert access.send_message("before")
    portal.tokens.revoke("C-1001")
    before = state()
    with pytest.raises(AccessDenied):
        access.send_message("after")
    assert state()["messages"] == before["messages"]


class Revoking(HostDocuments):
    """A host's documents; as one is read, staff revoke the link."""

    portal: Portal | None = None

    def get(self, customer_id: str, document_id: str) -> Any:
        """The document, and then the link is dead."""
        if self.portal:
            self.portal.tokens.revoke(customer_id)
        return super().get(customer_id, document_id)


def test_a_revoke_while_sending(portal: Portal, storage: Any) -> None:
    """A link revoked after the check and before the message is kept sends nothing."""
    documents = Revoking([an_invoice()])
    own = over(storage, documents=documents)
    access = opened(own, "C-1001")
    assert access.send_message("before", document_id="INV-1")
    documents.portal = portal
    with pytest.raises(AccessDenied):
        access.send_message("after", document_id="INV-1")
    assert [one.text for one in portal.messages.thread("C-1001")] == ["before"]


def test_a_message_that_cannot_be_kept(
    watched: Any, make_portal: Callable[..., Portal], storage: Any
) -> None:
    """A message without its audit entry is not kept: both or neither."""
    stock(storage, "C-1001")
    access = opened(make_portal(watched), "C-1001")

    def full() -> None:
        raise StorageError("the disk is full")

    for step in ("messages.add", "audit.append"):
        watched.before[step] = full
        with pytest.raises(StorageError):
            access.send_message("lost")
        watched.before.clear()
        assert thread(access) == []
    assert access.send_message("kept")


# --- previews -----------------------------------------------------------------------------


def test_a_preview_sends_nothing(access: PortalAccess, portal: Portal, state: State) -> None:
    """Staff who preview read the thread and cannot write as the customer, whatever the switch."""
    access.send_message("mine")
    preview = portal.preview("C-1001", by="ana")
    assert thread(preview) == thread(access)
    before = state()
    for text, switch in itertools.product(("x", ""), (True, False)):
        portal.settings.save(attrs.evolve(portal.settings.get().config, allow_messages=switch))
        with pytest.raises(AccessDenied):
            preview.send_message(text)
    assert state()["messages"] == before["messages"]
