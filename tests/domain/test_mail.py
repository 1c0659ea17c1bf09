"""E-mails as the portal keeps them: what one is for, and what became of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import InvalidValue
from basis_portal.domain.mail import (
    FOR_GOOD,
    LINK_KINDS,
    SETTLED,
    Mail,
    MailKind,
    MailStatus,
    check_same_mail,
)
from basis_portal.testing.builders import NOW, a_mail, token_id
from basis_portal.testing.strategies import mails

NAIVE = NOW.replace(tzinfo=None)
JAKARTA = dt.timezone(dt.timedelta(hours=7))


@given(mails())
def test_an_email_shows_neither_token_nor_more_than_is_needed(mail: Mail) -> None:
    """The repr of an e-mail shows eight characters of a token id, and not what it is about."""
    bare = attrs.evolve(mail, id="E-1", customer_id=None, by=None, run=None, problem=None)
    bare = attrs.evolve(bare, address=None, about="secret" * 8, token_id=token_id(7))
    assert f"token_id={token_id(7)[:8]}," in repr(bare)
    assert token_id(7) not in repr(bare)
    assert "secret" not in repr(bare)
    assert "token_id=None" in repr(attrs.evolve(bare, token_id=None))


@given(mails())
def test_instants_are_in_utc(mail: Mail) -> None:
    """Whatever zone an instant was given in, it is the same one, in UTC."""
    mail = attrs.evolve(mail, queued_at=NOW.astimezone(JAKARTA), due_at=NOW.astimezone(JAKARTA))
    assert (mail.queued_at, mail.queued_at.tzinfo) == (NOW, dt.UTC)
    for instant in (mail.due_at, mail.claimed_at, mail.settled_at):
        assert instant is None or instant.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "a\0"),
        ("kind", "link"),
        ("queued_at", NAIVE),
        ("due_at", None),
        ("status", "queued"),
        ("customer_id", ""),
        ("by", "a\nb"),
        ("by", ""),
        ("run", ""),
        ("run", "x" * 256),
        ("about", ""),
        ("attempts", -1),
        ("attempts", True),
        ("attempts", 1001),
        ("claimed_at", NAIVE),
        ("settled_at", NAIVE),
        ("token_id", "short"),
        ("address", "a@x.example\r\nBcc: b@x.example"),
        ("address", "x" * 321),
        ("problem", "a\0"),
        ("problem", "x" * 501),
    ],
)
def test_a_wrong_field_of_an_email_is_refused(field: str, value: Any) -> None:
    """Each field is checked, and the refusal names it."""
    fields = {"run": "R-1", "about": "M-1", "token_id": token_id(1), "address": "a@x.example"}
    sound = a_mail(status=MailStatus.FAILED, attempts=1000, problem="no\nsuch user", **fields)
    with pytest.raises(InvalidValue, match=rf"^Mail\.{field} "):
        attrs.evolve(sound, **{field: value})


@pytest.mark.parametrize("status", MailStatus)
def test_each_status_has_its_instants(status: MailStatus) -> None:
    """What is being sent was claimed, what is settled was settled, and what is not was not."""
    needs = {"claimed_at"} if status is MailStatus.SENDING else set()
    needs |= {"settled_at"} if status in SETTLED else set()
    fields = {"claimed_at": NOW, "settled_at": NOW if status in SETTLED else None}
    sound = a_mail(status=status, **fields)
    for name in ("claimed_at", "settled_at"):
        if name in needs:
            with pytest.raises(InvalidValue, match=f"that is {status} needs {name}") as refused:
                attrs.evolve(sound, **{name: None})
            assert refused.value.field == name
        else:
            assert getattr(attrs.evolve(sound, **{name: None}), name) is None
    if status not in SETTLED:
        with pytest.raises(InvalidValue, match=f"that is {status} has no settled_at") as refused:
            attrs.evolve(sound, settled_at=NOW)
        assert refused.value.field == "settled_at"


def test_every_status_either_waits_or_is_settled() -> None:
    """Of all statuses two are on their way."""
    assert {*MailStatus} - {*SETTLED} == {MailStatus.QUEUED, MailStatus.SENDING}


def test_a_link_goes_to_no_staff() -> None:
    """What brings a link is for a customer; messages and what expires are told to staff."""
    assert [kind for kind in MailKind if kind.is_to_staff] == [MailKind.MESSAGE, MailKind.EXPIRING]
    assert not any(kind.is_to_staff for kind in LINK_KINDS)


@given(mails(), mails())
def test_what_became_of_an_email_may_differ(before: Mail, after: Mail) -> None:
    """Two records are one e-mail where id, kind, customer, run, who and when are the same."""
    after = attrs.evolve(after, **{name: getattr(before, name) for name in FOR_GOOD})
    check_same_mail(before, after)


@given(mails(), st.sampled_from(["id", "kind", "queued_at", "customer_id", "by", "run"]), st.data())
def test_what_an_email_is_for_must_not(mail: Mail, name: str, data: st.DataObject) -> None:
    """Where one of those differs that is refused, and named."""
    own = getattr(mail, name)
    other = data.draw(mails().map(lambda one: getattr(one, name)).filter(lambda one: one != own))
    with pytest.raises(InvalidValue, match=rf"does not change: {name}$"):
        check_same_mail(mail, attrs.evolve(mail, **{name: other}))
    with pytest.raises(InvalidValue, match=r"^what an e-mail is for does not change: id, kind$"):
        check_same_mail(a_mail("E-1"), a_mail("E-2", kind=MailKind.RENEWAL))


@pytest.mark.parametrize("wrong", [None, "E-1", {}])
def test_only_emails_are_compared(wrong: Any) -> None:
    """What is no e-mail is refused on either side."""
    for field, pair in (("before", (wrong, a_mail())), ("after", (a_mail(), wrong))):
        with pytest.raises(InvalidValue, match=f"^{field} must be a Mail, not "):
            check_same_mail(*pair)
