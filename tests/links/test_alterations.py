"""No alteration of a good link opens anything, or reads more than the settings."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from itsdangerous import Signer

from basis_portal import AccessDenied, AuditEntry, Portal

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
WIDE = [chr(code) for code in range(0x600)]  # NUL, controls, Latin, Greek, Cyrillic, Hebrew
ODD = ["=", "==", "é", "e\u0301", "\u200b", "\ufeff", "\x00", "\ud800", "\udfff", "😀", "\u202e"]
SPACES = [" ", "\n", "\r\n", "\t", "\x0b", "\u00a0", "\u2028", "\u3000"]
TEN_MEGABYTES = 10 * 1024 * 1024

Trail = Callable[[], list[AuditEntry]]
TextOf = Callable[..., str]
Closed = Callable[[Portal, Iterable[Any]], int]


class _Hostile:
    """Claims to equal everything and to be of the right length."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__

    def __len__(self) -> int:
        return 66


def replaced(text: str, alphabet: Iterable[str]) -> Iterator[str]:
    """The text with every character replaced by every other of an alphabet."""
    letters = list(alphabet)
    for at, own in enumerate(text):
        before, behind = text[:at], text[at + 1 :]
        yield from (before + other + behind for other in letters if other != own)


def cut_and_doubled(text: str) -> Iterator[str]:
    """Every beginning, end and gap; every part twice; every character twice; cases changed."""
    for at in range(len(text)):
        yield text[:at]
        yield text[at + 1 :]
        yield text[:at] + text[at + 1 :]
        yield text[: at + 1] + text[at:]
        yield text[:at] + text[at].swapcase() + text[at + 1 :]
        yield text[at:] + text[:at]
    token_id, signature = text.split(".")
    yield from (text * 2, f"{text}.{text}", f"{token_id}.{text}", f"{text}.{signature}")
    yield from (f"{token_id}..{signature}", token_id * 2 + f".{signature}", signature, token_id)
    yield from (f"{signature}.{token_id}", text[::-1], text.upper(), text.lower(), text.swapcase())


def dressed(text: str) -> Iterator[str]:
    """Odd characters at every place, white space around, other spellings of the same bytes."""
    for odd in (*ODD, *SPACES):
        yield from (text[:at] + odd + text[at:] for at in range(len(text) + 1))
        yield from (odd + text + odd, text.replace(".", odd), text + odd * 2)
    for at, own in enumerate(text):  # the full-width twin, which normalizing would turn back
        yield text[:at] + chr(ord(own) + 0xFEE0) + text[at + 1 :]
        yield text[:at] + f"%{ord(own):02X}" + text[at + 1 :]
    yield from (f"/{text}", f"{text}/", f"https://erp.example.com/portal/{text}", f"{text}?a=b")
    yield from (f'"{text}"', f"'{text}'", f"<{text}>", repr(text), f"{text}#", f"{text}\\")
    yield text.replace("-", "+").replace("_", "/") + "="


def not_text(text: str) -> Iterator[Any]:
    """What is no text at all, or far too much of it."""
    yield from (None, True, 0, 66, 1.5, float("nan"), object(), _Hostile(), Ellipsis, str)
    yield from (text.encode(), bytearray(text.encode()), memoryview(text.encode()))
    yield from ([text], (text,), {text}, {text: text}, list(text), iter(text), lambda: text)
    yield from ("A" * TEN_MEGABYTES, text + "=" * TEN_MEGABYTES, "\x00" * TEN_MEGABYTES)
    yield text * (TEN_MEGABYTES // len(text))


def refusal(portal: Portal, text: Any) -> AccessDenied | None:
    """How a link is refused, or None where it opens; any other error is passed on."""
    try:
        portal.open(text)
    except AccessDenied as denied:
        return denied
    return None


@pytest.fixture
def over(portal: Portal, watched: Any, make_portal: Callable[..., Portal]) -> Portal:
    """The portal once more, over the watched storage; C-1001 and C-1002 have a token."""
    portal.tokens.generate("C-1001")
    portal.tokens.generate("C-1002")
    return make_portal(watched)


@pytest.fixture
def assert_closed(watched: Any) -> Callable[[Portal, Iterable[Any]], int]:
    """Tries texts on a portal over the watched storage; gives how many were refused."""

    def attempt(over: Portal, texts: Iterable[Any]) -> int:
        tried = list(texts)
        for text in tried:
            watched.calls.clear()
            denied = refusal(over, text)
            assert denied, f"{text!r:.200} opened"
            assert denied.args == ("Access denied",)
            assert denied.__context__ is None
            assert watched.calls in ([], ["settings.get"]), f"{text!r:.200} read {watched.calls}"
        return len(tried)

    return attempt


def test_no_replaced_character_opens_anything(
    over: Portal, assert_closed: Closed, text_of: TextOf, trail: Trail
) -> None:
    """No character of a link can be any other: 10^5 texts open nothing, only settings are read."""
    text = text_of(over)
    assert over.open(text).customer.id == "C-1001"
    before = trail()
    assert assert_closed(over, replaced(text, WIDE)) > 100_000
    assert trail() == before
    assert over.open(text).customer.id == "C-1001"


@pytest.mark.parametrize("alter", [cut_and_doubled, dressed, not_text])
def test_no_alteration_opens_anything(
    alter: Callable[[str], Iterator[Any]],
    over: Portal,
    assert_closed: Closed,
    text_of: TextOf,
    trail: Trail,
) -> None:
    """Cut, doubled, dressed up or no text at all: nothing opens, nothing but settings is read."""
    text = text_of(over)
    assert over.open(text).customer.id == "C-1001"
    before = trail()
    others = [one for one in alter(text) if not isinstance(one, str) or one != text]
    assert assert_closed(over, others) >= 20
    assert trail() == before
    assert over.open(text).customer.id == "C-1001"


@pytest.mark.parametrize("signed_by", [0, 1, 2])
def test_several_keys_open_no_more(
    signed_by: int,
    over: Portal,
    make_portal: Callable[..., Portal],
    watched: Any,
    assert_closed: Closed,
    text_of: TextOf,
) -> None:
    """With three keys listed, no well-formed alteration of a link by any of them opens."""
    keys = [f"secret key number {number}, of 32 bytes or more" for number in range(3)]
    text = text_of(make_portal(secret_keys=keys[: signed_by + 1]))
    over = make_portal(watched, secret_keys=keys)
    assert over.open(text).customer.id == "C-1001"
    assert assert_closed(over, replaced(text, BASE64URL + "=.+/")) > 4_000
    assert over.open(text).customer.id == "C-1001"


def test_one_spelling_opens(
    over: Portal, secret_key: str, text_of: TextOf, assert_closed: Closed
) -> None:
    """Of the spellings that itsdangerous takes for the same signature exactly one opens."""
    text = text_of(over)
    salt, sha256 = "basis_portal/link/v1/default", hashlib.sha256
    signer = Signer(secret_key, salt, key_derivation="hmac", digest_method=sha256)
    spellings = {text[:-1] + last for last in BASE64URL} | {text + "=" * n for n in range(3)}
    taken = {one for one in spellings if signer.validate(one)}
    assert len(taken) >= 5
    assert assert_closed(over, taken - {text}) == len(taken) - 1
    assert over.open(text).customer.id == "C-1001"


def test_parts_of_two_links_make_none(over: Portal, text_of: TextOf, assert_closed: Closed) -> None:
    """The id of one customer's token with the signature of another's opens neither."""
    id_1, signature_1 = text_of(over, "C-1001").split(".")
    id_2, signature_2 = text_of(over, "C-1002").split(".")
    assert assert_closed(over, [f"{id_1}.{signature_2}", f"{id_2}.{signature_1}"]) == 2
    assert over.open(f"{id_1}.{signature_1}").customer.id == "C-1001"
    assert over.open(f"{id_2}.{signature_2}").customer.id == "C-1002"


def test_a_good_link_is_one_read(over: Portal, watched: Any, text_of: TextOf) -> None:
    """A good link costs one read; once an hour it is noted that it was opened."""
    text = text_of(over)
    watched.calls.clear()
    over.open(text, record=False)
    assert watched.calls == ["opening"]
    over.open(text)
    assert watched.calls[:2] == ["opening", "opening"]
    assert watched.calls.count("audit.append") == 1
    watched.calls.clear()
    over.open(text)
    assert watched.calls == ["opening"]


def test_ten_megabytes_are_not_hashed(over: Portal, text_of: TextOf) -> None:
    """The length is looked at before any hashing: a huge text costs about what a short one does."""

    def cost(work: Callable[[], object], times: int) -> float:
        start = time.process_time()
        for _ in range(times):
            work()
        return time.process_time() - start

    def refused(text: str) -> None:
        with pytest.raises(AccessDenied):
            over.open(text)

    huge = "A" * TEN_MEGABYTES
    hashing = cost(lambda: hashlib.sha256(huge.encode()).digest(), 10)
    short = cost(lambda: refused("A"), 1_000)
    # To hash them all would cost a hundred times what it costs to hash ten.
    assert cost(lambda: refused(huge), 1_000) < 2 * short + max(hashing, 0.1)
    assert over.open(text_of(over)).customer.id == "C-1001"
