"""Staff send a customer the link: what is noted before, after, and where it fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from basis_portal import (
    AuditEntry,
    AuditEvent,
    CustomerBlocked,
    CustomerNotFound,
    Edition,
    InvalidValue,
    MailError,
    MailRefused,
    Moved,
    NoActiveToken,
    NoMailAddress,
    Portal,
    PortalConfig,
    PortalNotAvailable,
    Section,
    TooManyMails,
)
from basis_portal.domain.mail import MailStatus
from basis_portal.testing.builders import token_id
from basis_portal.testing.clocks import FrozenClock

from .conftest import ERRORS, UNKNOWN, address_of

Trail = Callable[[], list[AuditEntry]]
State = Callable[[], dict[str, Any]]


def test_what_a_sent_link_leaves(open_portal: Portal, trail: Trail, clock: FrozenClock) -> None:
    """It is noted as being sent, then as sent, with token and address; the trail says who did."""
    token = open_portal.tokens.generate("C-1001", by="ana")
    out = open_portal.mailing.begin("C-1001", address_of, by="bo")
    (known,) = open_portal.mailing.of_customer("C-1001").items
    assert (known.status, known.token_id) == (MailStatus.SENDING, token.id)
    assert out.link == open_portal.tokens.link("C-1001")
    assert (out.expires_at, out.replaces) == (token.expires_at, False)
    assert out.sections == tuple(Section)
    assert out.customer is not None
    assert out.customer.id == "C-1001"
    clock.advance(seconds=2)
    open_portal.mailing.sent(out)
    last = open_portal.mailing.last_sent(["C-1001", "C-1002"])
    assert set(last) == {"C-1001"}
    found = last["C-1001"]
    assert (found.status, found.settled_at) == (MailStatus.SENT, clock.now)
    assert (found.address, found.by, found.attempts) == ("finance@kopi.example", "bo", 1)
    entry = trail()[-1]
    assert (entry.event, entry.by, entry.token_id) == (AuditEvent.LINK_MAILED, "bo", token.id)
    assert (entry.customer_id, entry.detail) == ("C-1001", "finance@kopi.example")


def test_an_outcome_is_noted_once(open_portal: Portal, trail: Trail) -> None:
    """Whatever is said a second time, the first stands and the trail has one line."""
    open_portal.tokens.generate("C-1001")
    out = open_portal.mailing.begin("C-1001", address_of)
    done = open_portal.mailing.sent(out)
    before = trail()
    open_portal.mailing.sent(out)
    open_portal.mailing.failed(out.mail, UNKNOWN, again=True)
    assert open_portal.mailing.of_customer("C-1001").items == (done,)
    assert trail() == before


def test_nothing_tells_the_link(open_portal: Portal) -> None:
    """What is printed of an e-mail that is being sent holds no token text."""
    open_portal.tokens.generate("C-1001")
    out = open_portal.mailing.begin("C-1001", address_of)
    text = str(out.link).rsplit("/", 1)[1]
    shown = f"{out!r} {out.mail!r}"
    assert text not in shown
    assert text.split(".")[0] not in shown


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_failed_send_leaves_the_token(
    open_portal: Portal, error: MailError, trail: Trail, state: State
) -> None:
    """It is noted with its reason, in the trail too, and is not tried again by itself."""
    token = open_portal.tokens.generate("C-1001")
    before = state()["tokens"]
    out = open_portal.mailing.begin("C-1001", address_of, by="bo")
    done = open_portal.mailing.failed(out.mail, error, again=False)
    assert done.status is (MailStatus.UNKNOWN if error is UNKNOWN else MailStatus.FAILED)
    assert open_portal.mailing.of_customer("C-1001").items == (done,)
    assert done.problem == str(error)
    assert state()["tokens"] == before
    assert open_portal.mailing.last_sent(["C-1001"]) == {}
    assert open_portal.mailing.claim() is None
    entry = trail()[-1]
    assert (entry.event, entry.detail) == (AuditEvent.LINK_NOT_MAILED, str(error))
    assert (entry.token_id, entry.by) == (token.id, "bo")


@pytest.mark.parametrize(
    ("customer_id", "error"),
    [
        ("C-1002", NoMailAddress),
        ("C-1003", CustomerBlocked),
        ("C-9999", CustomerNotFound),
        ("C-1001", NoActiveToken),
        ("", InvalidValue),
    ],
)
def test_who_gets_none(
    open_portal: Portal, state: State, customer_id: str, error: type[Exception]
) -> None:
    """Without an address, an active token or the right to one nothing is noted."""
    open_portal.tokens.generate("C-1002")
    before = state()
    with pytest.raises(error):
        open_portal.mailing.begin(customer_id, address_of)
    assert state() == before


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_token_that_is_over_is_not_sent(
    open_portal: Portal, clock: FrozenClock, how: str
) -> None:
    """Staff send what works; for another link they generate or regenerate."""
    open_portal.tokens.generate("C-1001", days=1)
    if how == "revoked":
        open_portal.tokens.revoke("C-1001")
    clock.advance(days=1)
    with pytest.raises(NoActiveToken):
        open_portal.mailing.begin("C-1001", address_of)


def test_a_link_that_shows_nothing_is_not_sent(open_portal: Portal, state: State) -> None:
    """With the master switch off nothing is e-mailed."""
    open_portal.tokens.generate("C-1001")
    open_portal.settings.save(PortalConfig())
    before = state()
    with pytest.raises(PortalNotAvailable, match="switched off"):
        open_portal.mailing.begin("C-1001", address_of)
    assert state() == before


def test_five_in_thirty_minutes(open_portal: Portal, clock: FrozenClock) -> None:
    """The sixth waits until the first is half an hour old, whatever became of the others."""
    open_portal.tokens.generate("C-1001")
    open_portal.tokens.generate("C-1004")
    first = clock.now
    for number in range(5):
        out = open_portal.mailing.begin("C-1001", address_of)
        if number != 3:  # being sent counts too
            open_portal.mailing.sent(out)
        clock.advance(minutes=1)
    with pytest.raises(TooManyMails, match=r"5 e-mails .* last 30 minutes") as refused:
        open_portal.mailing.begin("C-1001", address_of)
    assert refused.value.retry_at == first + timedelta(minutes=30)
    open_portal.mailing.begin("C-1004", address_of)
    clock.advance(first + timedelta(minutes=30) - clock.now)
    open_portal.mailing.begin("C-1001", address_of)
    with pytest.raises(TooManyMails):
        open_portal.mailing.begin("C-1001", address_of)


def test_a_clock_that_is_set_back_shuts_nobody_out(open_portal: Portal, clock: FrozenClock) -> None:
    """What was sent at instants yet to come is not waited for."""
    open_portal.tokens.generate("C-1001")
    clock.advance(days=1)
    for _ in range(5):
        open_portal.mailing.sent(open_portal.mailing.begin("C-1001", address_of))
    clock.advance(timedelta(hours=-1))
    open_portal.mailing.begin("C-1001", address_of)


def test_what_was_not_sent_does_not_count(open_portal: Portal) -> None:
    """A server that refuses does not shut the customer out."""
    open_portal.tokens.generate("C-1001")
    for _ in range(7):
        out = open_portal.mailing.begin("C-1001", address_of)
        open_portal.mailing.failed(out.mail, ERRORS[0], again=False)
    open_portal.mailing.begin("C-1001", address_of)


def test_after_a_regenerate_it_says_so(open_portal: Portal) -> None:
    """Whoever had a token before learns that its link no longer works."""
    open_portal.tokens.generate("C-1001")
    open_portal.tokens.regenerate("C-1001")
    assert open_portal.mailing.begin("C-1001", address_of).replaces
    open_portal.tokens.generate("C-1004")
    open_portal.tokens.revoke("C-1004")
    open_portal.tokens.generate("C-1004")
    assert open_portal.mailing.begin("C-1004", address_of).replaces


def test_it_says_so_once(open_portal: Portal, clock: FrozenClock) -> None:
    """The next e-mail with the same link does not: the link sent before does work."""
    open_portal.tokens.generate("C-1001")
    open_portal.mailing.sent(open_portal.mailing.begin("C-1001", address_of))
    assert not open_portal.mailing.begin("C-1001", address_of).replaces
    open_portal.tokens.regenerate("C-1001")
    first = open_portal.mailing.begin("C-1001", address_of)
    assert first.replaces
    open_portal.mailing.failed(first.mail, ERRORS[0], again=False)
    second = open_portal.mailing.begin("C-1001", address_of)
    assert second.replaces  # nobody got the one before
    open_portal.mailing.sent(second)
    clock.advance(days=7)
    assert not open_portal.mailing.begin("C-1001", address_of).replaces


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            "quotes https://x.example/Q" + "a" * 21 + "." + "b" * 43,
            "quotes https://x.example/<...>.<...>",
        ),
        ("two\r\n  lines", "two lines"),
        ("odd \x00 \x1b[31m \ud800 signs", "odd ? ?[31m ? signs"),
        ("", "MailRefused"),
        ("word " * 400, ("word " * 400)[:497] + "..."),
    ],
)
def test_what_a_server_says_is_kept_without_a_link(
    open_portal: Portal, trail: Trail, said: str, kept: str
) -> None:
    """On one line, readable, whatever it quoted."""
    open_portal.tokens.generate("C-1001")
    out = open_portal.mailing.begin("C-1001", address_of)
    done = open_portal.mailing.failed(out.mail, MailRefused(said), again=False)
    assert (done.problem, trail()[-1].detail) == (kept, kept)


def test_only_what_is_shown_is_named(open_portal: Portal) -> None:
    """The sections follow the switches."""
    open_portal.tokens.generate("C-1001")
    open_portal.settings.save(PortalConfig(enabled=True, show_statement=True))
    out = open_portal.mailing.begin("C-1001", address_of)
    assert out.sections == (Section.INVOICES, Section.STATEMENT)


def test_without_the_edition_nothing_is_sent(make_portal: Callable[..., Portal]) -> None:
    """Every use case of mailing refuses where the edition does not give the portal."""
    mailing = make_portal(edition=Edition.DESKTOP).mailing
    for call in (
        lambda: mailing.begin("C-1001", address_of),
        lambda: mailing.queue_links(["C-1001"], run="r"),
        lambda: mailing.ask_for_renewal("x"),
        mailing.queue_expiry_notice,
        mailing.claim,
        mailing.give_up_lost,
        lambda: mailing.last_sent(["C-1001"]),
        lambda: mailing.of_customer("C-1001"),
        mailing.report,
        lambda: mailing.of_run(None, MailStatus.SENT),
        lambda: mailing.invoice_link("C-1001"),
    ):
        with pytest.raises(PortalNotAvailable):
            call()


def test_the_host_is_told_after_the_commit(
    open_portal: Portal, make_portal: Callable[..., Portal]
) -> None:
    """Of what was mailed and of what was not, as of all that is in the trail."""
    told: list[AuditEntry] = []
    open_portal.tokens.generate("C-1001")
    portal = make_portal(on_event=told.append)
    portal.mailing.sent(portal.mailing.begin("C-1001", address_of))
    portal.mailing.failed(portal.mailing.begin("C-1001", address_of).mail, UNKNOWN, again=False)
    assert [one.event for one in told] == [AuditEvent.LINK_MAILED, AuditEvent.LINK_NOT_MAILED]


def test_a_repeated_form_sends_once(open_portal: Portal) -> None:
    """The second call with the same id finds what became of the first, and no link."""
    open_portal.tokens.generate("C-1001")
    open_portal.tokens.generate("C-1004")
    own_id = token_id(7)
    out = open_portal.mailing.begin("C-1001", address_of, mail_id=own_id)
    again = open_portal.mailing.begin("C-1001", address_of, mail_id=own_id)
    assert (again.mail, again.link) == (out.mail, None)
    done = open_portal.mailing.sent(out)
    assert open_portal.mailing.begin("C-1001", address_of, mail_id=own_id).mail == done
    assert open_portal.mailing.of_customer("C-1001").items == (done,)
    with pytest.raises(InvalidValue, match="another e-mail"):
        open_portal.mailing.begin("C-1004", address_of, mail_id=own_id)


@pytest.mark.parametrize("error", [None, *ERRORS])
def test_a_move_overtakes_an_email(
    open_portal: Portal, trail: Trail, error: MailError | None
) -> None:
    """What became of it is noted under the new id, so that nothing is left after an erasure."""
    open_portal.tokens.generate("C-1001")
    out = open_portal.mailing.begin("C-1001", address_of)
    open_portal.privacy.move("C-1001", "C-1004")
    if error is None:
        open_portal.mailing.sent(out)
    else:
        open_portal.mailing.failed(out.mail, error, again=False)
    assert trail()[-1].event in (AuditEvent.LINK_MAILED, AuditEvent.LINK_NOT_MAILED)
    assert trail()[-1].customer_id == "C-1004"
    assert not open_portal.privacy.holds("C-1001")
    assert open_portal.privacy.move("C-1001", "C-1004") == Moved(0, 0, 0, 0)
    open_portal.privacy.erase("C-1004")
    named = {"C-1001", "C-1004"} | {"finance@kopi.example"}
    assert not named & {text for one in trail() for text in (one.customer_id, one.detail)}


def test_a_move_overtakes_an_email_that_was_given_up(
    open_portal: Portal, trail: Trail, clock: FrozenClock
) -> None:
    """Also what came late, after it was taken for one of unknown outcome."""
    open_portal.tokens.generate("C-1001")
    out = open_portal.mailing.begin("C-1001", address_of)
    clock.advance(minutes=11)
    assert open_portal.mailing.give_up_lost() == 1
    open_portal.privacy.move("C-1001", "C-1004")
    open_portal.mailing.sent(out)
    (found,) = open_portal.mailing.of_customer("C-1004").items
    assert found.status is MailStatus.SENT
    assert (trail()[-1].event, trail()[-1].customer_id) == (AuditEvent.LINK_MAILED, "C-1004")
    assert not open_portal.privacy.holds("C-1001")
