"""Staff read what customers wrote, answer, mark as read, and keep notes no customer sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from basis_portal import (
    AuditEntry,
    AuditEvent,
    Author,
    CustomerNotFound,
    InternalNote,
    InvalidValue,
    Message,
    Page,
    Portal,
    PortalAccess,
    PortalConfig,
    to_jsonable,
)
from basis_portal.domain.paging import write_cursor
from basis_portal.testing.builders import an_invoice
from basis_portal.testing.clocks import FrozenClock

State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]
Trail = Callable[[], list[AuditEntry]]

WRONG_TEXTS: list[Any] = ["", "  \r\n ", "x" * 2_001, "a\x00b", "\ud800", None, 5, b"bytes"]


@pytest.fixture
def access(portal: Portal, text_of: TextOf) -> PortalAccess:
    """What the link of C-1001 gives, with messages switched on."""
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True))
    portal.tokens.generate("C-1001")
    return portal.open(text_of(portal))


@pytest.fixture
def conversation(
    portal: Portal, access: PortalAccess, text_of: TextOf, clock: FrozenClock
) -> Portal:
    """Five messages of C-1001, a reply after the second, then one of C-1002; minutes apart."""
    for number in range(5):
        access.send_message(f"from C-1001: {number}")
        clock.advance(minutes=1)
        if number == 1:
            portal.messages.reply("C-1001", "reply after 1", by="ana")
            clock.advance(minutes=1)
    portal.tokens.generate("C-1002")
    portal.open(text_of(portal, "C-1002")).send_message("from C-1002: 0")
    return portal


def texts(messages: Any) -> list[str]:
    """What messages say."""
    return [message.text for message in messages]


def test_the_inbox_is_newest_first(conversation: Portal) -> None:
    """The inbox holds what all customers wrote, newest first, and no reply."""
    expected = ["from C-1002: 0", *(f"from C-1001: {number}" for number in (4, 3, 2, 1, 0))]
    assert texts(conversation.messages.list()) == expected
    assert {message.author for message in conversation.messages.list()} == {Author.CUSTOMER}
    assert texts(conversation.messages.list(unread_only=True)) == expected[:4]
    assert conversation.messages.unread_count() == 4


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("unread_only", [False, True])
def test_the_inbox_in_pages(unread_only: bool, limit: int, conversation: Portal) -> None:
    """Pages of any length give each message once."""
    whole = conversation.messages.list(unread_only=unread_only)
    page = conversation.messages.list(unread_only=unread_only, limit=limit)
    found = list(page)
    while page.next:
        assert len(page) == limit
        page = conversation.messages.list(unread_only=unread_only, limit=limit, after=page.next)
        found += page
    assert found == list(whole)


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
def test_a_thread_in_pages(limit: int, conversation: Portal) -> None:
    """A customer's thread holds both sides, newest first, and nobody else's messages."""
    expected = [f"from C-1001: {number}" for number in (4, 3, 2)]
    expected += ["reply after 1", "from C-1001: 1", "from C-1001: 0"]
    page = conversation.messages.thread("C-1001", limit=limit)
    found = texts(page)
    while page.next:
        page = conversation.messages.thread("C-1001", limit=limit, after=page.next)
        found += texts(page)
    assert found == expected
    assert conversation.messages.thread("C-1003") == Page(())


def test_a_reply(
    conversation: Portal, access: PortalAccess, clock: FrozenClock, trail: Trail
) -> None:
    """A reply is in the thread, audited with who wrote it, and marks what was asked as read."""
    conversation.documents.save(an_invoice("INV-1", customer_id="C-1001"))
    before = len(trail())
    reply = conversation.messages.reply(
        "C-1001", " Thank you.\r\n", by="a colleague", document_id="INV-1"
    )
    assert reply == Message(
        reply.id,
        "C-1001",
        clock.now,
        Author.SELLER,
        "Thank you.",
        by="a colleague",
        document_id="INV-1",
    )
    assert trail()[before:] == [AuditEntry(clock.now, AuditEvent.REPLY, "a colleague", "C-1001")]
    assert conversation.messages.thread("C-1001").items[0] == reply
    assert texts(conversation.messages.list(unread_only=True)) == ["from C-1002: 0"]
    assert texts(access.messages())[0] == "Thank you."
    assert "a colleague" not in repr(access.messages())
    assert conversation.messages.reply("C-1002", "Yes").by == "system"
    assert conversation.messages.unread_count() == 0


def test_marking_as_read(conversation: Portal, clock: FrozenClock, trail: Trail) -> None:
    """All that a customer wrote is marked, with the instant, once; others' stay unread."""
    before = len(trail())
    clock.advance(hours=1)
    assert conversation.messages.mark_read("C-1001") == 3
    read = [one for one in conversation.messages.thread("C-1001") if one.read_at == clock.now]
    assert texts(read) == [f"from C-1001: {number}" for number in (4, 3, 2)]
    clock.advance(hours=1)
    assert conversation.messages.mark_read("C-1001") == 0
    assert conversation.messages.mark_read("nobody") == 0
    assert conversation.messages.unread_count() == 1
    assert len(trail()) == before


def test_notes_stay_inside(
    conversation: Portal, access: PortalAccess, clock: FrozenClock, trail: Trail
) -> None:
    """Notes are listed for staff, oldest first, and are in no list of messages at all."""
    before = len(trail())
    first = conversation.messages.note("C-1001", "Pays late.", by="ana")
    clock.advance(days=-1)
    second = conversation.messages.note("C-1001", " Pays\r\nthough.", document_id="INV-1")
    assert first == InternalNote(
        first.id, "C-1001", clock.now + timedelta(days=1), "ana", "Pays late."
    )
    assert (second.by, second.text, second.document_id) == ("system", "Pays\nthough.", "INV-1")
    assert conversation.messages.notes("C-1001") == (second, first)
    assert conversation.messages.notes("C-1002") == ()
    shown: list[Page[Any]] = [
        access.messages(limit=200),
        conversation.messages.list(limit=200),
        conversation.messages.thread("C-1001", limit=200),
        conversation.preview("C-1001").messages(limit=200),
    ]
    assert "Pays" not in repr([to_jsonable(list(one)) for one in shown])
    assert not any(isinstance(one, InternalNote) for page in shown for one in page)
    assert [entry for entry in trail()[before:] if entry.event is not AuditEvent.PREVIEWED] == []


@pytest.mark.parametrize("wrong", WRONG_TEXTS)
@pytest.mark.parametrize("verb", ["reply", "note"])
def test_wrong_texts_are_refused(verb: str, wrong: Any, portal: Portal, state: State) -> None:
    """1 to 2,000 characters of plain text, after the ends are trimmed; else nothing is kept."""
    before = state()
    with pytest.raises(InvalidValue, match=r"^(Message|InternalNote)\.text "):
        getattr(portal.messages, verb)("C-1001", wrong)
    assert state() == before
    assert getattr(portal.messages, verb)("C-1001", "x" * 2_000).text == "x" * 2_000


@pytest.mark.parametrize("verb", ["reply", "note"])
@pytest.mark.parametrize("wrong", ["", "x" * 256, "a\x00", 5])
def test_wrong_documents_are_refused(verb: str, wrong: Any, portal: Portal, state: State) -> None:
    """What can be no document id is refused by name."""
    before = state()
    with pytest.raises(InvalidValue, match="document_id"):
        getattr(portal.messages, verb)("C-1001", "Hello", document_id=wrong)
    assert state() == before


@pytest.mark.parametrize("verb", ["reply", "note"])
def test_nobody_is_not_written_to(verb: str, portal: Portal, state: State) -> None:
    """Who is unknown gets no reply and no note; who is blocked does."""
    before = state()
    with pytest.raises(CustomerNotFound, match="C-9999") as caught:
        getattr(portal.messages, verb)("C-9999", "Hello")
    assert caught.value.customer_id == "C-9999"
    assert state() == before
    assert getattr(portal.messages, verb)("C-1003", "Hello").customer_id == "C-1003"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"limit": True}, "limit"),
        ({"after": "x"}, "after"),
        ({"after": write_cursor("2025-01-01", "M-1")}, "after"),
        ({"after": write_cursor("yesterday", "M-1")}, "after"),
    ],
)
def test_wrong_pages_are_refused(given: dict[str, Any], field: str, portal: Portal) -> None:
    """A wrong limit or cursor is refused by name, in the inbox and in a thread."""
    for act in (portal.messages.list, lambda **k: portal.messages.thread("C-1001", **k)):
        with pytest.raises(InvalidValue) as caught:
            act(**given)
        assert caught.value.field == field


def test_past_conversations_are_kept(conversation: Portal, access: PortalAccess) -> None:
    """With messages switched off, and with the portal off, staff read and answer as before."""
    for config in (PortalConfig(enabled=True), PortalConfig()):
        conversation.settings.save(config)
        assert len(conversation.messages.thread("C-1001")) >= 6
        assert conversation.messages.reply("C-1001", "By phone, please.").author is Author.SELLER
    conversation.settings.save(PortalConfig(enabled=True, allow_messages=True))
    assert texts(access.messages())[:2] == ["By phone, please."] * 2


def test_a_reply_that_fails_marks_nothing(
    conversation: Portal, watched: Any, make_portal: Callable[..., Portal], state: State
) -> None:
    """Reply, mark and entry are one transaction: where one fails none is kept."""
    over, before = make_portal(watched), state()

    def fail() -> None:
        raise RuntimeError("out of memory")

    watched.before["audit.append"] = fail
    with pytest.raises(RuntimeError, match="out of memory"):
        over.messages.reply("C-1001", "Hello")
    assert state() == before
