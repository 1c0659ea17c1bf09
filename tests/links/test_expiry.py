"""How long a link opens: to the microsecond, over leap days, with clocks that go back or fail."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from basis_portal import AccessDenied, InvalidValue, Portal, PortalConfig, TokenStatus
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
TextOf = Callable[..., str]

MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
ISSUED = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def opens(portal: Portal) -> Callable[[str], bool]:
    """Tells whether a link opens now."""

    def attempt(text: str) -> bool:
        try:
            portal.open(text)
        except AccessDenied:
            return False
        return True

    return attempt


@pytest.mark.parametrize(
    ("distance", "open_then"),
    [
        (-SECOND, True),
        (-MICROSECOND, True),
        (timedelta(0), False),
        (MICROSECOND, False),
        (SECOND, False),
        (timedelta(days=400), False),
    ],
)
@pytest.mark.parametrize("days", [1, 30, 365])
def test_a_link_opens_until_its_last_microsecond(
    days: int,
    distance: timedelta,
    open_then: bool,
    portal: Portal,
    clock: FrozenClock,
    opens: Callable[[str], bool],
    text_of: TextOf,
) -> None:
    """Valid while now < expires_at: a microsecond before it opens, at that instant no more."""
    clock.set(ISSUED)
    token = portal.tokens.generate("C-1001", days=days)
    text = text_of(portal)
    assert token.expires_at == ISSUED + timedelta(days=days)
    clock.set(token.expires_at + distance)
    assert opens(text) is open_then
    status = TokenStatus.ACTIVE if open_then else TokenStatus.EXPIRED
    assert token.status_at(clock.now) is status
    assert portal.tokens.check(text).works is open_then
    assert portal.tokens.count(status) == 1


@pytest.mark.parametrize(
    ("issued", "days", "expires"),
    [
        ("2024-02-28T09:00:00+00:00", 1, "2024-02-29T09:00:00+00:00"),
        ("2024-02-28T09:00:00+00:00", 2, "2024-03-01T09:00:00+00:00"),
        ("2024-02-29T00:00:00+00:00", 1, "2024-03-01T00:00:00+00:00"),
        ("2024-02-29T23:59:59.999999+00:00", 365, "2025-02-28T23:59:59.999999+00:00"),
        ("2023-03-01T09:00:00+00:00", 365, "2024-02-29T09:00:00+00:00"),
        ("2025-02-28T09:00:00+00:00", 1, "2025-03-01T09:00:00+00:00"),
        ("2025-12-31T23:30:00+00:00", 1, "2026-01-01T23:30:00+00:00"),
        ("2025-03-30T02:30:00+02:00", 1, "2025-03-31T00:30:00+00:00"),
        ("2025-10-26T02:30:00+02:00", 1, "2025-10-27T00:30:00+00:00"),
    ],
)
def test_days_are_exact(
    issued: str,
    days: int,
    expires: str,
    make_portal: MakePortal,
    portal: Portal,
    clock: FrozenClock,
    opens: Callable[[str], bool],
    text_of: TextOf,
) -> None:
    """A day is 24 hours: over leap days, new years, and the seller's changes of the clocks."""
    clock.set(datetime.fromisoformat(issued))
    token = make_portal(timezone="Europe/Berlin").tokens.generate("C-1001", days=days)
    text = text_of(portal)
    assert token.expires_at == datetime.fromisoformat(expires)
    assert token.expires_at - token.issued_at == timedelta(days=days)
    assert token.expires_at.tzinfo is UTC
    clock.set(token.expires_at - MICROSECOND)
    assert opens(text)
    clock.advance(MICROSECOND)
    assert not opens(text)


def test_a_clock_that_goes_back(
    portal: Portal, clock: FrozenClock, opens: Callable[[str], bool], text_of: TextOf
) -> None:
    """With the clock before the issue a link opens; back before the expiry it opens again."""
    clock.set(ISSUED)
    portal.tokens.generate("C-1001", days=1)
    text = text_of(portal)
    clock.set(ISSUED - timedelta(days=700))
    assert opens(text)
    clock.set(ISSUED + timedelta(days=1))
    assert not opens(text)
    clock.set(ISSUED)
    assert opens(text)


@pytest.mark.parametrize("back", [timedelta(0), SECOND, timedelta(days=700)])
def test_no_clock_revives_what_was_ended(
    back: timedelta,
    portal: Portal,
    clock: FrozenClock,
    opens: Callable[[str], bool],
    text_of: TextOf,
) -> None:
    """Revoked and replaced links stay dead, also with the clock before it happened."""
    portal.tokens.generate("C-1001")
    replaced = text_of(portal)
    portal.tokens.regenerate("C-1001")
    revoked = text_of(portal)
    assert opens(revoked)
    portal.tokens.revoke("C-1001")
    clock.advance(-back)
    assert not opens(replaced)
    assert not opens(revoked)


def test_settings_change_no_issued_token(
    portal: Portal, clock: FrozenClock, opens: Callable[[str], bool], text_of: TextOf
) -> None:
    """The expiry is frozen at issue: other settings bite for the next token only."""
    token = portal.tokens.generate("C-1001")
    text = text_of(portal)
    for days in (1, 365):
        portal.settings.save(PortalConfig(enabled=True, token_expiry_days=days))
        assert portal.tokens.get("C-1001") == token
        assert portal.open(text).expires_at == token.expires_at
    assert portal.tokens.generate("C-1002").expires_at == clock.now + timedelta(days=365)
    clock.set(token.expires_at - MICROSECOND)
    assert opens(text)
    clock.advance(MICROSECOND)
    assert not opens(text)


def _naive() -> datetime:
    return datetime(2025, 1, 15, 9, 0)  # noqa: DTZ001 (that is the fault)


def _broken() -> Any:
    raise OSError("no clock here")


WRONG_CLOCKS = {"naive": _naive, "broken": _broken, "text": lambda: "2025-01-15", "none": list}


@pytest.mark.parametrize("wrong", WRONG_CLOCKS.values(), ids=WRONG_CLOCKS)
def test_without_a_clock_nothing_opens(
    wrong: Callable[[], Any],
    portal: Portal,
    make_portal: MakePortal,
    text_of: TextOf,
    state: Callable[[], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A clock that is naive or fails denies every link, writes nothing and is logged."""
    token = portal.tokens.generate("C-1001")
    text, before = text_of(portal), state()
    with pytest.raises(AccessDenied) as caught:
        make_portal(clock=wrong).open(text)
    assert str(caught.value) == "Access denied"
    assert "the clock failed" in caplog.text
    assert state() == before
    assert portal.open(text).expires_at == token.expires_at


MANAGEMENT: dict[str, Callable[[Portal], object]] = {
    "generate": lambda portal: portal.tokens.generate("C-1002"),
    "regenerate": lambda portal: portal.tokens.regenerate("C-1001"),
    "ensure": lambda portal: portal.tokens.ensure("C-1001"),
    "revoke": lambda portal: portal.tokens.revoke("C-1001"),
    "link": lambda portal: portal.tokens.link("C-1001"),
    "list": lambda portal: portal.tokens.list(),
    "count": lambda portal: portal.tokens.count(TokenStatus.ACTIVE),
    "ensure_many": lambda portal: list(portal.tokens.ensure_many(["C-1002"])),
    "regenerate_many": lambda portal: list(portal.tokens.regenerate_many(["C-1001"])),
    "revoke_all": lambda portal: portal.tokens.revoke_all(),
    "settings.save": lambda portal: portal.settings.save(PortalConfig()),
    "reply": lambda portal: portal.messages.reply("C-1001", "Yes."),
    "note": lambda portal: portal.messages.note("C-1001", "Pays."),
    "mark_read": lambda portal: portal.messages.mark_read("C-1001"),
    "export": lambda portal: portal.privacy.export("C-1001"),
    "erase": lambda portal: portal.privacy.erase("C-1001"),
    "preview": lambda portal: portal.preview("C-1001"),
    "today": lambda portal: portal.today(),
}


@pytest.mark.sampled
@pytest.mark.parametrize("act", MANAGEMENT.values(), ids=MANAGEMENT)
@pytest.mark.parametrize("wrong", WRONG_CLOCKS.values(), ids=WRONG_CLOCKS)
def test_without_a_clock_nothing_is_managed(
    wrong: Callable[[], Any],
    act: Callable[[Portal], object],
    portal: Portal,
    make_portal: MakePortal,
    state: Callable[[], Any],
) -> None:
    """Staff are told that the clock is wrong, and nothing is changed; with a clock it works."""
    portal.tokens.generate("C-1001")
    before = state()
    with pytest.raises(InvalidValue, match=r"^clock\(\) must "):
        act(make_portal(clock=wrong))
    assert state() == before
    act(portal)


@pytest.mark.parametrize("act", MANAGEMENT.values(), ids=MANAGEMENT)
def test_the_clock_is_read_once(
    act: Callable[[Portal], object], portal: Portal, clock: FrozenClock
) -> None:
    """A use case reads the clock once, so that all it writes carries one instant."""
    portal.tokens.generate("C-1001")
    before = clock.reads
    act(portal)
    assert clock.reads == before + 1


def test_an_opening_reads_the_clock_once(
    portal: Portal, clock: FrozenClock, text_of: TextOf
) -> None:
    """Opened, refused or not recorded: one reading of the clock each."""
    portal.tokens.generate("C-1001")
    text, before = text_of(portal), clock.reads
    portal.open(text)
    portal.open(text, record=False)
    portal.tokens.check(text)
    assert clock.reads == before + 3
    portal.tokens.revoke("C-1001")
    with pytest.raises(AccessDenied):
        portal.open(text)
    assert clock.reads == before + 5


def test_any_time_zone_of_the_clock_will_do(
    portal: Portal, make_portal: MakePortal, text_of: TextOf
) -> None:
    """A clock may speak any time zone; records are in UTC."""
    east = timezone(timedelta(hours=9))
    instant = datetime(2025, 6, 1, 3, 0, tzinfo=east)
    abroad = make_portal(clock=lambda: instant)
    token = abroad.tokens.generate("C-1001", days=1)
    assert token.issued_at == instant
    assert (token.issued_at.tzinfo, token.expires_at.tzinfo) == (UTC, UTC)
    assert abroad.open(text_of(abroad)).expires_at == instant + timedelta(days=1)


def test_openings_are_logged_by_cause(
    portal: Portal, clock: FrozenClock, text_of: TextOf, caplog: pytest.LogCaptureFixture
) -> None:
    """The cause of a refusal goes to the log, never to the visitor."""
    portal.tokens.generate("C-1001", days=1)
    text = text_of(portal)
    clock.advance(days=1)
    caplog.set_level(logging.INFO)
    with pytest.raises(AccessDenied) as caught:
        portal.open(text)
    assert "expired" not in str(caught.value)
    assert caplog.messages == [f"access denied: expired, token {text[:8]}"]
