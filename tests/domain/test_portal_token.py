"""Portal tokens: where one stands at an instant, and what can be no token."""

import datetime as dt
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import EndedAs, InvalidValue, PortalToken, TokenStatus
from basis_portal.domain.portal_token import check_token_id, short_id
from basis_portal.testing.builders import NOW, a_token, token_id
from basis_portal.testing.strategies import instants, token_ids, tokens

NAIVE = NOW.replace(tzinfo=None)
MICROSECOND, SECOND = dt.timedelta(microseconds=1), dt.timedelta(seconds=1)


@given(tokens(), instants())
def test_one_status_at_each_instant(token: PortalToken, now: dt.datetime) -> None:
    """An ended token is what it ended as, at any instant; else it is valid while now < expiry."""
    status = token.status_at(now)
    if token.ended_as is not None:
        assert status.value == token.ended_as.value
        assert not token.is_current
    else:
        assert (status is TokenStatus.ACTIVE) is (now < token.expires_at)
        assert status in (TokenStatus.ACTIVE, TokenStatus.EXPIRED)
        assert token.is_current


@given(tokens(), st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)))
def test_the_zone_of_an_instant_does_not_matter(token: PortalToken, offset: dt.timedelta) -> None:
    """The same instant on another clock face gives the same status, an equal token."""
    zone = dt.timezone(offset)
    try:
        expires_at = token.expires_at.astimezone(zone)
    except OverflowError:
        return
    assert attrs.evolve(token, expires_at=expires_at) == token
    assert attrs.evolve(token, expires_at=expires_at).expires_at.tzinfo is dt.UTC
    assert token.status_at(expires_at) is token.status_at(token.expires_at)


@given(tokens())
def test_a_repr_shows_eight_characters_of_an_id(token: PortalToken) -> None:
    """A repr shows the first eight characters of the token's id and nothing of the one before."""
    assert f"id={short_id(token.id)}," in repr(token)
    bare = attrs.evolve(token, customer_id="C", issued_by="ana", reason=None, key_fingerprint="")
    assert token.id not in repr(attrs.evolve(bare, ended_by=None))
    assert "replaces" not in repr(bare)


@given(token_ids())
def test_a_token_id_is_22_of_base64url(value: str) -> None:
    """22 characters of base64url are a token id; with one more or less they are none."""
    assert check_token_id("id", value) == value
    for wrong in (value[:-1], f"{value}A", f"{value}=", f"{value}\n", f"{value[:-1]}+"):
        with pytest.raises(InvalidValue, match=r"^id must be a token id"):
            check_token_id("id", wrong)


@pytest.mark.parametrize("days", [1, 28, 30, 365])
@pytest.mark.parametrize(
    "issued_at",
    [
        NOW,
        dt.datetime(2024, 2, 28, 23, 59, 59, 999999, tzinfo=dt.UTC),
        dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
        dt.datetime(2024, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
    ],
)
def test_a_token_expires_at_its_instant(issued_at: dt.datetime, days: int) -> None:
    """A moment before it expires a token is active; at that instant and after it is not."""
    expires_at = issued_at + dt.timedelta(days=days)
    token = a_token(issued_at=issued_at, expires_at=expires_at)
    for moment in (MICROSECOND, SECOND):
        assert token.status_at(expires_at - moment) is TokenStatus.ACTIVE
        assert token.status_at(expires_at + moment) is TokenStatus.EXPIRED
    assert token.status_at(expires_at) is TokenStatus.EXPIRED
    assert token.status_at(issued_at) is TokenStatus.ACTIVE


def test_a_year_from_a_leap_day_is_365_days() -> None:
    """Issued on 29 February for 365 days, a token opens until 28 February of the next year."""
    issued_at = dt.datetime(2024, 2, 29, 9, tzinfo=dt.UTC)
    token = a_token(issued_at=issued_at, expires_at=issued_at + dt.timedelta(days=365))
    assert token.status_at(dt.datetime(2025, 2, 28, 8, 59, tzinfo=dt.UTC)) is TokenStatus.ACTIVE
    assert token.status_at(dt.datetime(2025, 2, 28, 9, tzinfo=dt.UTC)) is TokenStatus.EXPIRED


def test_a_clock_that_goes_back_revives_nothing_that_was_ended() -> None:
    """An expired token is active again before its expiry; a revoked one never."""
    token = a_token()
    assert token.status_at(NOW - dt.timedelta(days=400)) is TokenStatus.ACTIVE
    for ended_as in EndedAs:
        ended = attrs.evolve(token, ended_at=NOW, ended_by="ana", ended_as=ended_as)
        for now in (NOW - dt.timedelta(days=400), NOW, token.expires_at):
            assert ended.status_at(now).value == ended_as.value


def test_a_status_is_asked_for_an_instant() -> None:
    """A time without a zone has no status: the error says so, for ended tokens too."""
    for token in (a_token(), a_token(ended_at=NOW, ended_as=EndedAs.REVOKED)):
        with pytest.raises(InvalidValue, match=r"^now must be a datetime with a time zone"):
            token.status_at(NAIVE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "short"),
        ("id", None),
        ("id", "x" * 21 + "é"),
        ("customer_id", ""),
        ("customer_id", "a\0"),
        ("issued_at", NAIVE),
        ("issued_at", dt.date(2025, 1, 15)),
        ("issued_by", ""),
        ("issued_by", "a\nb"),
        ("issued_by", None),
        ("expires_at", NAIVE),
        ("expires_at", None),
        ("expires_at", NOW),
        ("expires_at", NOW - SECOND),
        ("ended_at", NAIVE),
        ("ended_at", NOW),
        ("ended_by", "\x1b[0m"),
        ("ended_as", "revoked"),
        ("ended_as", EndedAs.REVOKED),
        ("reason", "x" * 501),
        ("reason", "two\nlines"),
        ("replaces", "short"),
        ("key_fingerprint", "x" * 65),
        ("key_fingerprint", None),
    ],
)
def test_a_wrong_field_of_a_token_is_refused(field: str, value: Any) -> None:
    """Each field of a token is checked; it is ended at an instant as something, or not at all."""
    assert a_token(reason="", replaces=token_id(2))
    with pytest.raises(InvalidValue, match=r"^PortalToken\.") as refused:
        a_token(**{field: value})
    assert field in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"expires_at": NOW}, "expires_at", "expires_at must be after issued_at"),
        (
            {"ended_at": NOW},
            "ended_at",
            "ended_at and ended_as are given together or not at all",
        ),
        (
            {"ended_as": EndedAs.REVOKED},
            "ended_at",
            "ended_at and ended_as are given together or not at all",
        ),
    ],
)
def test_what_fits_nothing_else_of_a_token_is_named(
    changes: dict[str, Any], field: str, rule: str
) -> None:
    """The refusal says which fields must fit each other."""
    with pytest.raises(InvalidValue) as refused:
        a_token(**changes)
    assert (str(refused.value), refused.value.field) == (f"PortalToken.{rule}", field)


def test_a_refused_token_id_is_not_repeated() -> None:
    """An error never shows a token id in full, as it may be a part of a link."""
    with pytest.raises(InvalidValue) as refused:
        a_token("secret-looking-text-of-a-link")
    assert "secret" not in str(refused.value)
