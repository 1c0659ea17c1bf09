"""A clock that ran ahead and came back, or stands at the end of time, and staff at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import (
    AccessDenied,
    AuditEntry,
    AuditEvent,
    Cause,
    InvalidValue,
    Portal,
    PortalConfig,
    TokenStatus,
    TooManyMessages,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_customer
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]
Trail = Callable[[], list[AuditEntry]]

MESSAGES_ON = PortalConfig(enabled=True, allow_messages=True)


# --- noted at most once an hour -----------------------------------------------------------


def opened(portal: Portal, text: str) -> None:
    """The customer opens the link."""
    portal.open(text)


def refused(portal: Portal, text: str) -> None:
    """The link opens nothing."""
    with pytest.raises(AccessDenied):
        portal.open(text)


def previewed(portal: Portal, text: str) -> None:
    """Staff look at what the customer sees."""
    portal.preview("C-1001", by="ana")


def link_shown(portal: Portal, text: str) -> None:
    """A page shows the link to staff."""
    portal.tokens.link("C-1001", by="ana", shown=True)


@pytest.mark.parametrize("act", [opened, refused, previewed, link_shown])
@pytest.mark.parametrize("ahead", [2, 10, 1000])
def test_a_clock_that_ran_ahead(
    act: Callable[[Portal, str], None],
    ahead: int,
    portal: Portal,
    clock: FrozenClock,
    text_of: TextOf,
    trail: Trail,
) -> None:
    """What is noted once an hour stays so after the clock came back: one entry, not one a visit."""
    portal.tokens.generate("C-1001", days=365)
    text = text_of(portal)
    if act is refused:
        portal.tokens.regenerate("C-1001", days=365)

    def noted() -> int:
        return sum(entry.event == act.__name__ for entry in trail())

    act(portal, text)
    clock.advance(hours=ahead)
    act(portal, text)
    assert noted() == 2
    clock.advance(hours=-ahead)
    for _ in range(5):
        clock.advance(minutes=1)
        act(portal, text)
    assert noted() == 3
    clock.advance(minutes=61)
    act(portal, text)
    assert noted() == 4


def test_two_causes_with_the_clock_back(
    portal: Portal, clock: FrozenClock, text_of: TextOf, trail: Trail
) -> None:
    """Each cause of a refusal has its own hour, also after the clock came back."""
    portal.tokens.generate("C-1001", days=1)
    text = text_of(portal)
    clock.advance(hours=25)
    refused(portal, text)
    clock.advance(hours=-10)
    portal.tokens.revoke("C-1001")
    for _ in range(5):
        clock.advance(minutes=1)
        refused(portal, text)
    causes = [entry.cause for entry in trail() if entry.event is AuditEvent.REFUSED]
    assert causes == [Cause.EXPIRED, Cause.REVOKED]


# --- messages -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seller() -> tuple[Portal, FrozenClock]:
    """A portal with one customer who may write, and its clock."""
    storage, clock = InMemoryStorage(), FrozenClock()
    storage.customers.save(a_customer("C-1001"))
    portal = Portal(
        storage,
        secret_keys=["a secret of these tests, 32 bytes long"],
        base_url="https://erp.example.com/portal",
        clock=clock,
    )
    portal.settings.save(MESSAGES_ON)
    return portal, clock


@given(
    start=st.timedeltas(dt.timedelta(), dt.timedelta(days=1)),
    gaps=st.lists(st.timedeltas(dt.timedelta(), dt.timedelta(minutes=3)), min_size=20, max_size=20),
)
@settings(max_examples=examples(40), deadline=None)
def test_the_words_never_promise_too_early(
    seller: tuple[Portal, FrozenClock], start: dt.timedelta, gaps: list[dt.timedelta]
) -> None:
    """At the minute that the refusal names the customer can write again; not a minute sooner."""
    portal, clock = seller
    portal.privacy.erase("C-1001")
    clock.set(dt.datetime(2025, 3, 30, tzinfo=dt.UTC) + start)
    portal.tokens.generate("C-1001")
    access = portal.open(portal.tokens.link("C-1001").rsplit("/", 1)[1])
    for gap in gaps:
        access.send_message("x")
        clock.advance(gap)
    with pytest.raises(TooManyMessages) as caught:
        access.send_message("one more")
    retry_at = caught.value.retry_at
    assert retry_at
    words = str(caught.value).rsplit("again at ", 1)[1]
    hour, minute = map(int, words.removesuffix(" UTC").split(":"))
    named = retry_at.replace(hour=hour, minute=minute, second=0, microsecond=0)
    named += dt.timedelta(days=named < retry_at - dt.timedelta(hours=12))
    assert dt.timedelta() <= named - retry_at < dt.timedelta(minutes=1)
    clock.set(named)
    assert access.send_message("one more")


@pytest.mark.parametrize("ahead", [dt.timedelta(minutes=61), dt.timedelta(days=20)])
def test_messages_from_the_future(
    ahead: dt.timedelta, portal: Portal, clock: FrozenClock, text_of: TextOf
) -> None:
    """What was written while the clock ran ahead does not count; what is written now does."""
    portal.settings.save(MESSAGES_ON)
    portal.tokens.generate("C-1001")
    access = portal.open(text_of(portal))
    clock.advance(ahead)
    for _ in range(20):
        access.send_message("x")
    with pytest.raises(TooManyMessages):
        access.send_message("x")
    clock.advance(-ahead)
    for _ in range(20):
        access.send_message("x")
    with pytest.raises(TooManyMessages) as caught:
        access.send_message("x")
    assert caught.value.retry_at == clock.now + dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\tb", "a b"),
        ("a\u2028b\u2029c\x85d", "a\nb\nc\nd"),
        ("\t\u2028 a\r\n\tb \u2029", "a\n b"),
    ],
)
def test_what_word_processors_paste(typed: str, kept: str, portal: Portal, text_of: TextOf) -> None:
    """A tab becomes a space and each kind of line break a line break, whoever writes."""
    portal.settings.save(MESSAGES_ON)
    portal.tokens.generate("C-1001")
    access = portal.open(text_of(portal))
    assert access.send_message(typed).text == kept
    assert portal.messages.reply("C-1001", typed).text == kept
    assert portal.messages.note("C-1001", typed).text == kept
    assert {one.text for one in access.messages()} == {kept}
    for bad in ("a\x0bb", "a\x00b", "\t\u2028"):
        with pytest.raises(InvalidValue):
            access.send_message(bad)


# --- two members of staff at once ---------------------------------------------------------


def test_a_regenerate_while_all_are_revoked(
    portal: Portal, watched: Any, make_portal: MakePortal, text_of: TextOf, trail: Trail
) -> None:
    """On the day of a leak a token that a colleague makes a moment before its turn ends too."""
    portal.tokens.generate("C-1001")
    portal.tokens.generate("C-1002")
    texts = [text_of(portal, "C-1002")]

    def colleague() -> None:
        watched.after.clear()
        portal.tokens.regenerate("C-1001", by="bo")
        texts.append(text_of(portal))

    watched.after["tokens.current_page"] = colleague
    before = len(trail())
    assert make_portal(watched).tokens.revoke_all(by="ana", reason="leak") == 2
    assert len(texts) == 2
    for text in texts:
        refused(portal, text)
    for customer_id in ("C-1001", "C-1002"):
        token = portal.tokens.get(customer_id)
        assert token
        assert (token.ended_by, token.reason) == ("ana", "leak")
    assert portal.tokens.count(TokenStatus.ACTIVE) == 0
    ended = [entry for entry in trail()[before:] if entry.cause is Cause.REVOKED]
    assert {entry.customer_id for entry in ended if entry.by == "ana"} == {"C-1001", "C-1002"}


# --- the end of time ----------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["generate", "regenerate", "ensure", "ensure_many"])
def test_a_clock_in_the_year_9999(
    verb: str, portal: Portal, clock: FrozenClock, state: State
) -> None:
    """A token that would outlive the calendar is refused, and nothing is changed."""
    portal.tokens.generate("C-1001", days=1)
    clock.set(dt.datetime(9999, 12, 20, tzinfo=dt.UTC))
    calls: dict[str, Callable[[], object]] = {
        "generate": partial(portal.tokens.generate, "C-1001"),
        "regenerate": partial(portal.tokens.regenerate, "C-1001"),
        "ensure": partial(portal.tokens.ensure, "C-1001"),
        "ensure_many": lambda: list(portal.tokens.ensure_many(["C-1001", "C-1002"])),
    }
    before = state()
    with pytest.raises(
        InvalidValue, match=r"^clock\(\) must be 30 days before 10000, not datetime"
    ) as caught:
        calls[verb]()
    assert caught.value.field == "clock()"
    assert state() == before
    portal.settings.save(PortalConfig(enabled=True, token_expiry_days=7))
    calls[verb]()
    token = portal.tokens.get("C-1001")
    assert token
    assert token.expires_at == dt.datetime(9999, 12, 27, tzinfo=dt.UTC)
