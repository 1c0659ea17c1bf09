"""The holder of an expired link asks for a new one: who gets it, and what nobody learns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from basis_portal import (
    AuditEntry,
    AuditEvent,
    Portal,
    PortalConfig,
    PortalNotAvailable,
    StorageError,
)
from basis_portal.domain.mail import Mail, MailKind, MailStatus
from basis_portal.portal import MailSkip, Outgoing
from basis_portal.testing.builders import a_customer
from basis_portal.testing.clocks import FrozenClock

Trail = Callable[[], list[AuditEntry]]
State = Callable[[], dict[str, Any]]


@pytest.fixture
def expired(open_portal: Portal, clock: FrozenClock) -> str:
    """The text of a link of C-1001 that has run out."""
    open_portal.tokens.generate("C-1001", by="ana", days=1)
    text = open_portal.tokens.link("C-1001").rsplit("/", 1)[1]
    clock.advance(days=1)
    return text


def test_who_holds_an_expired_link_gets_a_new_one(
    open_portal: Portal, expired: str, turns: Any, trail: Trail
) -> None:
    """It is only queued at first; then it is mailed to the address on file."""
    before = open_portal.tokens.history("C-1001")
    open_portal.mailing.ask_for_renewal(expired)
    assert open_portal.tokens.history("C-1001") == before
    (out,) = turns()
    assert isinstance(out, Outgoing)
    assert out.link == open_portal.tokens.link("C-1001")
    assert out.mail.address == "finance@kopi.example"
    assert out.replaces
    (done,) = open_portal.mailing.of_customer("C-1001").items
    assert (done.kind, done.status) == (MailKind.RENEWAL, MailStatus.SENT)
    mailed = [entry for entry in trail() if entry.event is AuditEvent.LINK_MAILED]
    assert [(entry.by, entry.customer_id) for entry in mailed] == [(None, "C-1001")]


def test_an_active_link_is_sent_and_not_replaced(
    open_portal: Portal, expired: str, turns: Any
) -> None:
    """Staff or a run may have issued one since."""
    token = open_portal.tokens.ensure("C-1001")
    open_portal.mailing.ask_for_renewal(expired)
    (out,) = turns()
    assert out.mail.token_id == token.id
    assert open_portal.tokens.get("C-1001") == token


def test_a_revoke_after_it_expired_holds(
    open_portal: Portal, expired: str, turns: Any, clock: FrozenClock
) -> None:
    """Link A expired, B issued and revoked, A renewed: nothing is mailed or issued."""
    open_portal.tokens.generate("C-1001")
    open_portal.tokens.revoke("C-1001")
    before = open_portal.tokens.history("C-1001")
    clock.advance(hours=1)
    open_portal.mailing.ask_for_renewal(expired)
    assert [one for one in turns() if isinstance(one, Outgoing)] == []
    assert open_portal.tokens.history("C-1001") == before


def test_a_revoke_while_it_waits_holds(open_portal: Portal, expired: str, turns: Any) -> None:
    """What counts is how it stands when it would be sent."""
    open_portal.mailing.ask_for_renewal(expired)
    open_portal.tokens.revoke("C-1001")
    (done,) = turns()
    assert (done.status, done.problem) == (MailStatus.SKIPPED, MailSkip.REVOKED)


def test_what_staff_revoked_while_it_waited_brings_nothing_newer(
    open_portal: Portal, expired: str, turns: Any
) -> None:
    """Whoever holds that link is not mailed the one that staff issued afterwards."""
    open_portal.mailing.ask_for_renewal(expired)
    open_portal.tokens.revoke("C-1001")
    open_portal.tokens.generate("C-1001")
    (done,) = turns()
    assert (done.status, done.problem) == (MailStatus.SKIPPED, MailSkip.NOT_EXPIRED)


def test_an_expired_link_that_staff_revoked_renews_nothing(
    open_portal: Portal, expired: str, turns: Any, state: State
) -> None:
    """Also where the customer has another link by now."""
    open_portal.tokens.revoke("C-1001")
    open_portal.tokens.generate("C-1001")
    before = state()
    open_portal.mailing.ask_for_renewal(expired)
    assert turns() == []
    assert state() == before


def test_what_is_not_expired_queues_nothing(
    open_portal: Portal, state: State, clock: FrozenClock
) -> None:
    """An active link, a replaced one before its time, a forged one, and one of nobody."""
    open_portal.tokens.generate("C-1001")
    replaced = open_portal.tokens.link("C-1001").rsplit("/", 1)[1]
    clock.advance(days=1)
    open_portal.tokens.regenerate("C-1001")
    active = open_portal.tokens.link("C-1001").rsplit("/", 1)[1]
    forged = active[:-1] + ("A" if active[-1] != "A" else "B")
    before = state()
    for text in (active, replaced, forged, "", "x", "x" * 10_000, None, 5, "\0"):
        open_portal.mailing.ask_for_renewal(text)
    assert state() == before


def test_a_replaced_link_past_its_time_brings_the_present_one(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """Its holder is told nothing else by an expired link."""
    open_portal.tokens.generate("C-1001", days=2)
    old = open_portal.tokens.link("C-1001").rsplit("/", 1)[1]
    clock.advance(days=1)
    present = open_portal.tokens.regenerate("C-1001")
    clock.advance(days=1)
    open_portal.mailing.ask_for_renewal(old)
    (out,) = turns()
    assert out.mail.token_id == present.id


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"blocked": True}, MailSkip.BLOCKED),
        ({"email": None}, MailSkip.NO_ADDRESS),
        (None, MailSkip.UNKNOWN),
    ],
)
def test_who_may_get_none_gets_none(
    open_portal: Portal, storage: Any, expired: str, turns: Any, change: Any, why: MailSkip
) -> None:
    """Blocked, without an address or gone: noted, and no token is issued."""
    if change is None:
        storage.customers.delete("C-1001")
    else:
        storage.customers.save(a_customer("C-1001", **change))
    before = open_portal.tokens.history("C-1001")
    open_portal.mailing.ask_for_renewal(expired)
    (done,) = turns()
    assert isinstance(done, Mail)
    assert (done.status, done.problem) == (MailStatus.SKIPPED, why)
    assert open_portal.tokens.history("C-1001") == before


def test_pressing_often_brings_one(
    open_portal: Portal, expired: str, turns: Any, clock: FrozenClock
) -> None:
    """One waits at a time, and the next may come after half an hour."""
    for _ in range(3):
        open_portal.mailing.ask_for_renewal(expired)
    assert len(turns()) == 1
    clock.advance(timedelta(minutes=30) - timedelta(microseconds=1))
    open_portal.mailing.ask_for_renewal(expired)
    assert turns() == []
    clock.advance(timedelta(microseconds=1))
    open_portal.mailing.ask_for_renewal(expired)
    open_portal.mailing.ask_for_renewal(expired)
    assert len(turns()) == 1


def test_one_waits_however_long(
    open_portal: Portal, expired: str, turns: Any, clock: FrozenClock
) -> None:
    """Where nobody sends for hours, one is sent then."""
    for _ in range(3):
        open_portal.mailing.ask_for_renewal(expired)
        clock.advance(hours=1)
    assert len(turns()) == 1


def test_renewals_do_not_shut_staff_out(
    open_portal: Portal, expired: str, turns: Any, clock: FrozenClock
) -> None:
    """Whoever presses all day leaves staff their own five."""
    for _ in range(10):
        open_portal.mailing.ask_for_renewal(expired)
        turns()
        clock.advance(minutes=3)
    sent = open_portal.mailing.of_customer("C-1001").items
    assert len(sent) == 1
    assert open_portal.mailing.begin("C-1001", lambda _: "a@b.example")


def test_who_got_many_e_mails_gets_no_renewal(
    open_portal: Portal, expired: str, turns: Any
) -> None:
    """The link that was mailed five times lies in the mailbox."""
    open_portal.tokens.generate("C-1001")
    for _ in range(5):
        out = open_portal.mailing.begin("C-1001", lambda _: "finance@kopi.example")
        open_portal.mailing.sent(out)
    open_portal.mailing.ask_for_renewal(expired)
    (done,) = turns()
    assert (done.status, done.problem) == (MailStatus.SKIPPED, MailSkip.THROTTLED)


def test_with_the_portal_off_every_link_is_refused_alike(
    open_portal: Portal, expired: str, state: State
) -> None:
    """Expired or forged: not available."""
    open_portal.settings.save(PortalConfig())
    before = state()
    for text in (expired, "forged"):
        with pytest.raises(PortalNotAvailable):
            open_portal.mailing.ask_for_renewal(text)
    assert state() == before


def test_a_clock_that_was_ahead_holds_no_renewal_back(
    open_portal: Portal, expired: str, turns: Any, clock: FrozenClock
) -> None:
    """What was asked for at an instant yet to come does not stand for what is asked now."""
    clock.advance(days=30)
    open_portal.mailing.ask_for_renewal(expired)
    clock.advance(timedelta(days=-30))
    open_portal.mailing.ask_for_renewal(expired)
    assert len(turns()) == 1


def test_a_storage_that_cannot_be_written_tells_nothing(
    open_portal: Portal, make_portal: Callable[..., Portal], watched: Any, expired: str, caplog: Any
) -> None:
    """Else an error would tell a genuine expired link from the others. The log says it."""

    def fail() -> None:
        raise StorageError("read-only")

    watched.before["mails.latest"] = fail
    make_portal(watched).mailing.ask_for_renewal(expired)
    assert "could not be queued" in caplog.text
    assert expired not in caplog.text
    watched.before["tokens.get"] = fail
    with pytest.raises(StorageError):
        make_portal(watched).mailing.ask_for_renewal(expired)


@pytest.mark.parametrize("how", ["erased", "moved"])
def test_an_erasure_overtakes_a_renewal(
    open_portal: Portal, make_portal: Callable[..., Portal], watched: Any, expired: str, how: str
) -> None:
    """Whoever was forgotten between the look at the link and the queueing is not written down."""
    portal = make_portal(watched)

    def forget() -> None:
        watched.after.clear()
        if how == "erased":
            open_portal.privacy.erase("C-1001")
        else:
            open_portal.privacy.move("C-1001", "C-1004")

    watched.after["tokens.get"] = forget
    portal.mailing.ask_for_renewal(expired)
    assert not open_portal.privacy.holds("C-1001")
    assert open_portal.mailing.of_customer("C-1001").items == ()
