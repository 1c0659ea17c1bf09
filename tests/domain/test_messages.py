"""Messages, internal notes, and lines of the audit trail."""

from typing import Any

import attrs
import pytest
from hypothesis import given

from basis_portal import (
    AuditEntry,
    AuditEvent,
    Author,
    Cause,
    CustomerMessage,
    InternalNote,
    InvalidValue,
    Message,
)
from basis_portal.testing.builders import NOW, a_message, a_note, an_audit_entry, token_id
from basis_portal.testing.strategies import audit_entries, messages, notes

NAIVE = NOW.replace(tzinfo=None)
TEXT_REFUSED: list[Any] = [
    "",
    " \r\n ",
    "\t \u2028",
    "x" * 2001,
    "a\0b",
    "a\x1bb",
    "a\x0bb",
    "\ud800",
    None,
    5,
]


@given(messages())
def test_a_customer_sees_no_more_than_is_for_it(message: Message) -> None:
    """What a customer sees of a message names no member of staff and no read mark."""
    seen = CustomerMessage.of(message)
    assert set(attrs.asdict(seen)) == {"id", "at", "author", "text", "document_id"}
    assert seen == CustomerMessage(
        message.id, message.at, message.author, message.text, message.document_id
    )


@given(notes())
def test_a_note_is_no_message(note: InternalNote) -> None:
    """An internal note is of a type of its own, which has nothing to do with a message's."""
    assert not isinstance(note, Message | CustomerMessage)
    assert attrs.evolve(note) == note


@given(audit_entries())
def test_an_audit_entry_shows_no_whole_token_id(entry: AuditEntry) -> None:
    """The repr of a line of the trail shows eight characters of a token id at most."""
    bare = attrs.evolve(entry, by=None, customer_id=None, detail=None)
    if entry.token_id:
        assert entry.token_id not in repr(bare)
        assert f"token_id={entry.token_id[:8]}," in repr(bare)
    else:
        assert "token_id=None" in repr(bare)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("x" * 2000, "x" * 2000),
        ("😀" * 2000, "😀" * 2000),
        ("x\r\n" * 999 + "xx\r\n", "x\n" * 999 + "xx"),
        ("  Paid\rtoday.\n", "Paid\ntoday."),
        ("pasted\tfrom\u2028a\u2029sheet\x85", "pasted from\na\nsheet"),
    ],
)
def test_a_message_has_1_to_2000_characters(text: str, stored: str) -> None:
    """2,000 code points are a message, counted with LF and without blank ends."""
    assert a_message(text=text).text == stored
    assert a_note(text=text).text == stored


@pytest.mark.parametrize("text", TEXT_REFUSED)
def test_what_is_no_message(text: Any) -> None:
    """Nothing, blanks, 2,001 characters and control characters are refused, in notes as well."""
    with pytest.raises(InvalidValue, match=r"^Message\.text "):
        a_message(text=text)
    with pytest.raises(InvalidValue, match=r"^InternalNote\.text "):
        a_note(text=text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("customer_id", "a\0"),
        ("at", NAIVE),
        ("author", "customer"),
        ("by", "a\nb"),
        ("document_id", ""),
        ("read_at", NAIVE),
        ("idempotency_key", ""),
        ("idempotency_key", "x" * 256),
    ],
)
def test_a_wrong_field_of_a_message_is_refused(field: str, value: Any) -> None:
    """Each field of a message is checked, and the refusal names it."""
    assert a_message(by="ana", author=Author.SELLER, read_at=a_message().at, idempotency_key="k")
    with pytest.raises(InvalidValue, match=rf"^Message\.{field} "):
        a_message(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("customer_id", ""),
        ("at", NAIVE),
        ("by", None),
        ("by", ""),
        ("document_id", 5),
    ],
)
def test_a_wrong_field_of_a_note_is_refused(field: str, value: Any) -> None:
    """Each field of a note is checked; somebody must have written it."""
    assert a_note(document_id="INV-1")
    with pytest.raises(InvalidValue, match=rf"^InternalNote\.{field} "):
        a_note(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", NAIVE),
        ("at", None),
        ("event", "issued"),
        ("by", "a\nb"),
        ("customer_id", ""),
        ("token_id", "short"),
        ("cause", "revoked"),
        ("detail", "x" * 1001),
        ("detail", "a\0"),
    ],
)
def test_a_wrong_field_of_an_audit_entry_is_refused(field: str, value: Any) -> None:
    """Each field of a line of the trail is checked, and the refusal names it."""
    assert an_audit_entry(AuditEvent.REFUSED, cause=Cause.REVOKED, by=None, detail="a\nb")
    with pytest.raises(InvalidValue, match=rf"^AuditEntry\.{field} "):
        an_audit_entry(**{"event": AuditEvent.ISSUED, field: value})


def test_a_wrong_token_id_is_not_repeated() -> None:
    """A token text that was given as an id is not in the error."""
    with pytest.raises(InvalidValue) as refused:
        an_audit_entry(token_id=f"{token_id(1)}.signature")
    assert "signature" not in str(refused.value)
