"""Secret keys: what a list of them must be, the newest signs, all verify, one can be dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from basis_portal import AccessDenied, InvalidValue, Portal, key_fingerprint

MakePortal = Callable[..., Portal]
Tells = Callable[[BaseException], str]
TextOf = Callable[..., str]

OLD, NEW, NEWEST = (f"the {age} secret key of 32 bytes at least" for age in ("old", "2nd", "3rd"))
SHORT = "only thirty-one bytes, not more"


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ([], "secret_keys"),
        ((), "secret_keys"),
        (OLD, "secret_keys"),
        (OLD.encode(), "secret_keys"),
        (bytearray(OLD.encode()), "secret_keys"),
        (None, "secret_keys"),
        (32, "secret_keys"),
        ({OLD}, "secret_keys"),
        ({OLD: NEW}, "secret_keys"),
        (iter([OLD]), "secret_keys"),
        ([OLD, OLD], "secret_keys"),
        ([OLD, NEW, OLD.encode()], "secret_keys"),
        ([""], "secret_keys[0]"),
        ([OLD, ""], "secret_keys[1]"),
        ([SHORT], "secret_keys[0]"),
        ([OLD, SHORT.encode()], "secret_keys[1]"),
        (["é" * 15 + "e"], "secret_keys[0]"),
        ([None], "secret_keys[0]"),
        ([OLD, 32], "secret_keys[1]"),
        ([[OLD]], "secret_keys[0]"),
        ([bytearray(OLD.encode())], "secret_keys[0]"),
        ([OLD, NEW + "\ud800"], "secret_keys[1]"),
        (memoryview(OLD.encode()), "secret_keys[0]"),
    ],
)
def test_wrong_keys_are_refused(
    keys: Any, field: str, make_portal: MakePortal, tells: Tells
) -> None:
    """A list of keys that breaks a rule is refused by name, without repeating any key."""
    with pytest.raises(InvalidValue) as caught:
        make_portal(secret_keys=keys)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field} must ")
    told = tells(caught.value)
    assert not [key for key in (OLD, NEW, SHORT, "é" * 15) if key in told]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (OLD, "secret_keys must be a sequence of keys, oldest first, such as [key]"),
        ([], "secret_keys must hold at least one key"),
        ([OLD, NEW, OLD], "secret_keys must not hold the same key twice"),
        ([OLD, 5], "secret_keys[1] must be text or bytes, not int"),
        ([OLD + "\ud800"], "secret_keys[0] must be text that UTF-8 can hold"),
        (
            ["short"],
            (
                "secret_keys[0] must have at least 32 bytes, not 5; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            ),
        ),
    ],
    ids=["text", "none", "twice", "number", "surrogate", "short"],
)
def test_a_refusal_of_keys_says_what_to_do(
    keys: Any, message: str, make_portal: MakePortal
) -> None:
    """Which key it is, the rule, and for a short one the command that makes a good one."""
    with pytest.raises(InvalidValue) as caught:
        make_portal(secret_keys=keys)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "keys",
    [[OLD], (OLD,), [OLD.encode()], [SHORT + "!"], ["é" * 16], [OLD, NEW.encode()], [b"\0" * 32]],
)
def test_good_keys_open(
    keys: Sequence[Any], portal: Portal, make_portal: MakePortal, text_of: TextOf
) -> None:
    """Keys of 32 bytes or more, as text or bytes, in any sequence, sign links that open."""
    portal.tokens.generate("C-1001")
    rekeyed = make_portal(secret_keys=keys)
    assert rekeyed.open(text_of(rekeyed)).customer.id == "C-1001"


def test_keys_are_taken_at_construction(
    portal: Portal, make_portal: MakePortal, text_of: TextOf
) -> None:
    """A list that is changed later changes no portal."""
    portal.tokens.generate("C-1001")
    keys = [OLD]
    rekeyed = make_portal(secret_keys=keys)
    before = text_of(rekeyed)
    keys[:] = [NEW]
    assert text_of(rekeyed) == before
    assert rekeyed.open(before).customer.id == "C-1001"


def test_text_and_bytes_are_one_key(
    portal: Portal, make_portal: MakePortal, text_of: TextOf
) -> None:
    """A key as text is the same key as its UTF-8 bytes."""
    portal.tokens.generate("C-1001")
    as_text, as_bytes = (make_portal(secret_keys=[key]) for key in (OLD, OLD.encode()))
    assert text_of(as_text) == text_of(as_bytes)
    assert as_text.tokens.key_fingerprints == as_bytes.tokens.key_fingerprints


def test_the_newest_key_signs_and_all_verify(
    portal: Portal, make_portal: MakePortal, text_of: TextOf
) -> None:
    """A link is signed by the last key; links of the earlier ones work while they are listed."""
    portal.tokens.generate("C-1001")
    alone = {key: text_of(make_portal(secret_keys=[key])) for key in (OLD, NEW, NEWEST)}
    assert len(set(alone.values())) == 3
    rotated = make_portal(secret_keys=[OLD, NEW, NEWEST])
    assert text_of(rotated) == alone[NEWEST]
    assert text_of(make_portal(secret_keys=[NEWEST, NEW, OLD])) == alone[OLD]
    for text in alone.values():
        assert rotated.open(text).customer.id == "C-1001"


def test_dropping_the_oldest_key_kills_just_its_links(
    portal: Portal, make_portal: MakePortal, text_of: TextOf
) -> None:
    """Without the oldest key its links are dead, the others live, and a new copy works again."""
    portal.tokens.generate("C-1001")
    old, new, newest = (text_of(make_portal(secret_keys=[key])) for key in (OLD, NEW, NEWEST))
    dropped = make_portal(secret_keys=[NEW, NEWEST])
    with pytest.raises(AccessDenied):
        dropped.open(old)
    assert dropped.open(new).customer.id == "C-1001"
    assert dropped.open(newest).customer.id == "C-1001"
    assert dropped.open(text_of(dropped)).customer.id == "C-1001"


def test_rows_name_the_key_they_were_issued_under(make_portal: MakePortal, portal: Portal) -> None:
    """Staff can list whose mailed links die with a key; copying anew does not change the row."""
    first = make_portal(secret_keys=[OLD])
    old = first.tokens.generate("C-1001")
    rotated = make_portal(secret_keys=[OLD, NEW])
    new = rotated.tokens.generate("C-1002")
    rotated.tokens.link("C-1001")
    assert rotated.tokens.key_fingerprints == (key_fingerprint(OLD), key_fingerprint(NEW))
    assert (old.key_fingerprint, new.key_fingerprint) == rotated.tokens.key_fingerprints
    listed = {
        key: [t.customer_id for t in rotated.tokens.list(key_fingerprint=key_fingerprint(key))]
        for key in (OLD, NEW, NEWEST)
    }
    assert listed == {OLD: ["C-1001"], NEW: ["C-1002"], NEWEST: []}


@pytest.mark.parametrize("key", [OLD, OLD.encode(), "é" * 16, b"\0" * 32])
def test_a_fingerprint_is_short_and_not_the_key(key: str | bytes) -> None:
    """The fingerprint of a key is 16 hex digits, always the same, and another one's is another."""
    fingerprint = key_fingerprint(key)
    assert len(bytes.fromhex(fingerprint)) == 8
    assert fingerprint == key_fingerprint(key) != key_fingerprint(NEWEST)


def test_a_fingerprint_is_the_same_in_each_version() -> None:
    """It stands in the rows of tokens that were issued long ago."""
    assert key_fingerprint("k" * 32) == "88a315eb1d94fca3"


@pytest.mark.parametrize("key", [None, 5, "", SHORT, NEW + "\ud800", [OLD]])
def test_what_is_no_key_has_no_fingerprint(key: Any, tells: Tells) -> None:
    """A fingerprint is refused for what could be no secret key, which is not repeated."""
    with pytest.raises(InvalidValue) as caught:
        key_fingerprint(key)
    assert caught.value.field == "key"
    assert not [secret for secret in (OLD, NEW, SHORT) if secret in tells(caught.value)]
