"""What goes over the wire names its addresses so that no reader can mistake them."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.mail.messages import LINK, a_message

from basis_portal import InvalidValue
from basis_portal.mail.envelope import Envelope

SPEC = "portal@seller.example"
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=200)
WORDS = st.lists(
    st.sampled_from(["GmbH & Co. KG,", "Lübeck", "Überlingen", '"A"', "\\", "<b@y.example>", "(x)"])
).map(" ".join)


def written(name: str) -> bytes:
    """An e-mail in which the name stands before every address."""
    message = EmailMessage()
    for header in ("From", "To", "Reply-To"):
        message[header] = Address(name, *SPEC.split("@"))
    message.set_content("Hello")
    return Envelope.of(message).content


@given(NAMES | WORDS)
@example("GmbH & Co. KG, " * 10)
@example("Nordlicht Kaffee GmbH & Co. KG, Lübeck und Überlingen am Bodensee, Zweigstelle")
@example("=?utf-8?q?x?=")
@example("x" * 500)
def test_a_name_stays_a_name(name: str) -> None:
    """However long it is and whatever is in it, it becomes no address, for old readers too."""
    content = written(name)
    message = message_from_bytes(content, policy=policy.default)
    for header in ("From", "To", "Reply-To"):
        (found,) = message[header].addresses
        assert found.addr_spec == SPEC
    compat = message_from_bytes(content)  # another parser, which is not ours to please
    ((shown, spec),) = getaddresses([str(compat["To"])])
    assert spec == SPEC
    assert str(make_header(decode_header(shown))) == " ".join(name.split())
    assert max(map(len, content.split(b"\r\n"))) <= 78


@given(NAMES | WORDS)
def test_sending_on_what_was_read_changes_nothing(name: str) -> None:
    """A message that was stored and read again goes out as the first time."""
    content = written(name)
    message = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    assert Envelope.of(message).content == content


def test_a_header_that_was_read_and_is_too_long_is_folded_well() -> None:
    """Folding by the standard library would make two addresses of it."""
    name = "Nordlicht Kaffee GmbH & Co. KG, Luebeck und Ueberlingen am Bodensee, Zweigstelle"
    raw = f'From: "{name}" <{SPEC}>\nTo: a@x.example\n\nHello\n'.encode()
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    found = message_from_bytes(Envelope.of(message).content, policy=policy.default)["From"]
    assert [address.addr_spec for address in found.addresses] == [SPEC]


@given(st.text("a.\r\n", max_size=40))
@example("a\r.\rb\n.\nc\r\n.\r\n")
def test_there_is_one_kind_of_line_break(payload: str) -> None:
    """What some servers take for the end of an e-mail is not in it, however it was made."""
    message = a_message()
    message.set_payload(payload)
    content = Envelope.of(message).content
    assert content.count(b"\r\n") == content.count(b"\r") == content.count(b"\n")


def test_an_envelope_shows_no_link() -> None:
    """Its repr names the addresses alone."""
    assert LINK in Envelope.of(a_message()).content.decode().replace("=\r\n", "")
    assert repr(Envelope.of(a_message())) == (
        "Envelope(sender='portal@seller.example', recipient='finance@kopi.example')"
    )


def test_an_address_for_answers_must_be_one() -> None:
    """Nonsense in another header with addresses is refused as well."""
    message = a_message()
    message["Reply-To"] = "accounts@seller"
    with pytest.raises(InvalidValue, match="Reply-To"):
        Envelope.of(message)
