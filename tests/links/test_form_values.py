"""Hidden values of forms: made for one purpose and one reader, and for nobody else."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import FormSigner, InvalidValue
from basis_portal.links import LinkSigner

OLD, NEW = "an old secret of at least 32 bytes.", "a new secret of at least 32 bytes.."
SIGNER = FormSigner([OLD, NEW], "default")
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(purpose=TEXT, subject=TEXT)
def test_a_value_is_accepted_where_it_was_made_for(purpose: str, subject: str) -> None:
    """Same purpose, same subject: good, again and again."""
    assert SIGNER.accepts(purpose, subject, SIGNER.value(purpose, subject))


@given(made=st.tuples(TEXT, TEXT), asked=st.tuples(TEXT, TEXT))
def test_a_value_is_good_for_nothing_else(made: tuple[str, str], asked: tuple[str, str]) -> None:
    """Another purpose or another subject refuses it, also where both join to the same text."""
    assert SIGNER.accepts(*asked, SIGNER.value(*made)) is (made == asked)


def test_letters_do_not_move_between_purpose_and_subject() -> None:
    """What is "ab" for "c" is not "a" for "bc"."""
    assert not SIGNER.accepts("a", "bc", SIGNER.value("ab", "c"))


@pytest.mark.parametrize("value", [None, "", "x", "ü" * 43, "A" * 43, b"x", 1, ["x"]])
def test_what_nobody_made_is_refused(value: object) -> None:
    """Nothing that is no value of ours is accepted, or raises."""
    assert not SIGNER.accepts("message", "token", value)
    assert SIGNER.accepts("message", "token", SIGNER.value("message", "token"))


@given(place=st.integers(0, 42), letter=st.sampled_from("AZaz09-_"))
def test_no_letter_can_be_changed(place: int, letter: str) -> None:
    """Each changed letter makes it refused."""
    good = SIGNER.value("message", "token")
    changed = good[:place] + letter + good[place + 1 :]
    assert SIGNER.accepts("message", "token", changed) is (changed == good)


def test_older_keys_still_accept_and_dropped_ones_do_not() -> None:
    """A page opened before the keys were rotated can be sent, until its key is dropped."""
    old = FormSigner([OLD], "default").value("message", "token")
    assert SIGNER.accepts("message", "token", old)
    assert SIGNER.value("message", "token") != old
    assert not FormSigner([NEW], "default").accepts("message", "token", old)


def test_tenants_do_not_share_values() -> None:
    """The same key in another tenant makes other values."""
    other = FormSigner([OLD, NEW], "other")
    assert not SIGNER.accepts("message", "token", other.value("message", "token"))


def test_a_link_is_no_form_value() -> None:
    """Links and form values are signed by keys of their own: neither passes for the other."""
    token_id = "A" * 22
    signature = LinkSigner([NEW], "default").sign(token_id).split(".")[1]
    assert not SIGNER.accepts("", token_id, signature)
    assert LinkSigner([NEW], "default").read(f"{token_id}.{SIGNER.value('', token_id)}") is None


def test_the_keys_are_not_given_away() -> None:
    """No pickle and no repr of it; a bad key is refused without being repeated."""
    with pytest.raises(TypeError, match="secret keys"):
        pickle.dumps(SIGNER)
    assert OLD not in repr(SIGNER)
    with pytest.raises(InvalidValue) as refused:
        FormSigner(["short"], "default")
    assert "short" not in str(refused.value).replace("must have at least", "")
