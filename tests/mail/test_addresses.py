"""An address is exactly one mailbox, or it is refused."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.depth import label

from basis_portal import InvalidValue
from basis_portal.domain.mail_address import masked_address, read_address
from basis_portal.mail.addresses import masked, parse_address
from basis_portal.mail.envelope import Envelope

GOOD = [
    ("finance@kopi.example", "", "finance@kopi.example"),
    (" finance@kopi.example  ", "", "finance@kopi.example"),
    ("<finance@kopi.example>", "", "finance@kopi.example"),
    ("Kopi Nusantara <finance@kopi.example>", "Kopi Nusantara", "finance@kopi.example"),
    ('"PT Kopi, Jakarta" <finance@kopi.example>', "PT Kopi, Jakarta", "finance@kopi.example"),
    ("Müller & Söhne GmbH <a@b.example>", "Müller & Söhne GmbH", "a@b.example"),
    ("J. Smith <a@b.example>", "J. Smith", "a@b.example"),
    ("o'neil+bills=x/y@b-c.d.example", "", "o'neil+bills=x/y@b-c.d.example"),
    ("Xa@b.exampleX", "", "Xa@b.exampleX"),
    (f"a@b.example{' ' * 989}", "", "a@b.example"),
    ("a.b.c@b.example", "", "a.b.c@b.example"),
    ("a@xn--mller-kva.example", "", "a@xn--mller-kva.example"),
    ("a@Müller.example", "", "a@xn--mller-kva.example"),
    ("a@mu\u0308ller.example", "", "a@xn--mller-kva.example"),
    ("a@почта.рф", "", "a@xn--80a1acny.xn--p1ai"),
    ("用户@kopi.example", "", "用户@kopi.example"),
    ("हिन्दी@kopi.example", "", "हिन्दी@kopi.example"),
    (f"{'a' * 64}@b.example", "", f"{'a' * 64}@b.example"),
    (f"a@{'b' * 63}.{'c' * 63}.example", "", f"a@{'b' * 63}.{'c' * 63}.example"),
]
LONG = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 54}.example"  # 255 bytes
BAD = [
    "",
    "   ",
    "finance",
    "finance@",
    "@kopi.example",
    "a@x.example, b@y.example",
    "a@x.example; b@y.example",
    "a@x.example b@y.example",
    "a@x.example,",
    "a@x.example;",
    "A <a@x.example>, B <b@y.example>",
    "A <a@x.example> B <b@y.example>",
    "A <a@x.example><b@y.example>",
    "A <a@x.example",
    "a@x.example>",
    "b@y.example <a@x.example>",
    '"b@y.example" <a@x.example>',
    '"A\\"" <a@x.example>',
    '"A" B <a@x.example>',
    "Friends: a@x.example;",
    "Friends: A <a@x.example>;",
    "mailto:a@x.example",
    "a@b@x.example",
    "a(comment)@x.example",
    "a@x.example (comment)",
    "Kopi (Jakarta) <a@x.example>",
    '"a b"@x.example',
    '"a"@x.example',
    "a b@x.example",
    "a\\b@x.example",
    ".a@x.example",
    "a.@x.example",
    "a..b@x.example",
    "a@.x.example",
    "a@x.example.",
    "a@x..example",
    "a@-x.example",
    "a@x-.example",
    "a@x_y.example",
    "a@x",
    "a@10.0.0.7",
    "a@[10.0.0.7]",
    "a@[IPv6:::1]",
    "a@x.example\n",
    "a@x.example\r\nBcc: b@y.example",
    "Kopi\r\nBcc: b@y.example <a@x.example>",
    "a@x.example\0",
    "a\t@x.example",
    "a\u2028@x.example",
    "a\u00a0@x.example",
    "\u00a0a@x.example\u2003",
    f"a@x.example{' ' * 990}",
    "a\u202e@x.example",
    "a\ud800@x.example",
    "=?utf-8?q?b=40y.example?=@x.example",
    "=?utf-8?q?Kopi?= <a@x.example>",
    "a@straße.example",  # strasse.example is somebody else's
    "a@kopi\u200d.example",
    "a@ｋopi.example",
    "a@x。example",
    f"a@{'ü' * 63}.example",
    f"{'a' * 65}@x.example",
    f"{'ü' * 33}@x.example",
    f"a@{'b' * 64}.example",
    LONG,
    "a" * 100_000 + "@x.example",
    None,
    b"a@x.example",
    7,
]


@pytest.mark.parametrize(("text", "name", "address"), GOOD)
def test_one_mailbox_is_accepted(text: str, name: str, address: str) -> None:
    """An address is read, bare or with a name; its domain is what the name system knows."""
    found = parse_address(text)
    assert (found.display_name, found.addr_spec) == (name, address)


def test_the_longest_address_is_accepted() -> None:
    """254 bytes are an address, 255 are not."""
    assert parse_address(LONG.replace("d.example", ".example")).addr_spec


@pytest.mark.parametrize("text", BAD, ids=label)
def test_anything_else_is_refused(text: object) -> None:
    """Two addresses, line breaks, groups, comments, quotes and typos are refused by name."""
    with pytest.raises(InvalidValue, match=r"^Customer\.email ") as refused:
        parse_address(text, field="Customer.email")
    assert refused.value.field == "Customer.email"


def test_a_refusal_shows_no_link() -> None:
    """A link that was pasted where an address belongs is not repeated."""
    link = "https://erp.example.com/portal/" + "a" * 22 + "." + "b" * 43
    with pytest.raises(InvalidValue) as refused:
        parse_address(link)
    assert "b" * 20 not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "a@x.example, b@y.example",
            "must be exactly one e-mail address such as finance@kopi.example",
        ),
        (f"{'a' * 65}@x.example", "must have at most 64 bytes before the @ and 254 in all"),
        ("a@kopi", "must have a whole domain such as kopi.example"),
        ("a@straße.example", "must have a domain that can be looked up; write its xn-- form"),
    ],
)
def test_a_refusal_says_what_an_address_is(text: str, rule: str) -> None:
    """The refusal names the rule, with an example or a remedy, and the value."""
    with pytest.raises(InvalidValue) as refused:
        read_address(text)
    assert str(refused.value) == f"email {rule}, not {text!r}"
    assert refused.value.field == "email"


def test_a_line_break_is_named() -> None:
    """A character that nobody sees is told with its place."""
    with pytest.raises(InvalidValue, match=r"U\+000A \(position 12\)"):
        parse_address("a@x.example\nBcc: b@y.example")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("finance@kopi.example", "f...@kopi.example"),
        ("Kopi <finance@kopi.example>", "f...@kopi.example"),
        ("f@kopi.example", "f...@kopi.example"),
    ],
)
def test_a_masked_address_can_only_be_recognised(text: str, shown: str) -> None:
    """The first letter and the domain are left."""
    assert masked(parse_address(text)) == masked_address(text) == shown


@pytest.mark.parametrize("text", [None, "", "a@x", "a@x.example, b@y.example"])
def test_what_nothing_can_be_sent_to_is_not_shown(text: str | None) -> None:
    """No address on file, or none that would be mailed to."""
    assert masked_address(text) is None


# --- properties ----------------------------------------------------------------------------

ALPHABET = st.sampled_from("ab.@<>\"\\(),:;[]=?'+- \t\r\n\0üß用।\u202e\u00a0\u0301")
PIECES = st.sampled_from(
    ["a@b.example", "Kopi", " ", ", ", "<", ">", '"', "@", ".", "=?utf-8?q?=40?=", "ü", "\\", ";"]
)
LOCAL = st.text("abc!#$%&'*+-/=?^_`{|}~.ü用", min_size=1, max_size=30)
NAMES = st.text(st.characters(codec="utf-8"), max_size=80)
TEXTS = st.one_of(
    st.text(ALPHABET, max_size=30),
    st.lists(PIECES, max_size=8).map("".join),
    LOCAL.map("{}@kopi.example".format),
    st.tuples(NAMES, LOCAL).map(lambda parts: f'"{parts[0]}" <{parts[1]}@b.example>'),
    st.tuples(NAMES, LOCAL).map(lambda parts: f"{parts[0]} <{parts[1]}@b.example>"),
)


def read_back(address: Address) -> list[Address]:
    """The recipients that a mail program sees in an e-mail to an address."""
    message = EmailMessage()
    message["From"] = "portal@seller.example"
    message["To"] = address
    message.set_content("Hello")
    # UTF-8 within headers is read as such where the policy says so
    text = Envelope.of(message).content
    parsed = message_from_bytes(text, policy=policy.default.clone(utf8=True))
    return list(parsed["To"].addresses)


@given(TEXTS)
@example("GmbH & Co. KG, " * 10 + "<a@b.example>")
@example('"GmbH & Co. KG, Lübeck und Überlingen am Bodensee, Zweigstelle Hamburg" <a@b.example>')
@example("'@b.example")
@example("a?=@b.example")
def test_what_is_parsed_is_one_recipient(text: str) -> None:
    """Whatever is accepted is one recipient in the e-mail that goes out: itself."""
    try:
        address = parse_address(text)
    except InvalidValue:
        return
    (found,) = read_back(address)
    local = found.username.encode("utf-8", "surrogateescape").decode()
    assert (local, found.domain) == (address.username, address.domain)
    # Where a long name is in several encoded words, some Pythons read spaces between them.
    read, given_ = ("".join(each.display_name.split()) for each in (found, address))
    assert read == given_


@given(TEXTS)
def test_parsing_is_stable(text: str) -> None:
    """The bare address of what was parsed parses to itself."""
    try:
        address = parse_address(text)
    except InvalidValue:
        return
    assert parse_address(address.addr_spec).addr_spec == address.addr_spec
