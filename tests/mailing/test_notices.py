"""Notices of messages: one at a time per thread, with all that none told before; and of expiry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from basis_portal import (
    AuditEntry,
    AuditEvent,
    InvalidValue,
    Portal,
    PortalAccess,
    PortalConfig,
)
from basis_portal.domain.mail import Mail, MailKind, MailStatus
from basis_portal.portal import MailSkip, Outgoing
from basis_portal.testing.builders import a_customer, an_invoice
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.parts.base import in_thread

from .conftest import BUSY, REFUSED, address_of

Trail = Callable[[], list[AuditEntry]]
QUARTER = timedelta(minutes=15)


@pytest.fixture
def access(open_portal: Portal) -> PortalAccess:
    """The access of C-1001."""
    open_portal.tokens.generate("C-1001")
    return open_portal.open(open_portal.tokens.link("C-1001").rsplit("/", 1)[1])


def texts(out: Outgoing | Mail | None) -> list[str]:
    """What a notice tells of."""
    assert isinstance(out, Outgoing)
    return [one.text for one in out.messages]


def test_staff_learn_of_a_message(
    access: PortalAccess, storage: Any, turns: Any, trail: Trail
) -> None:
    """With its text and what it is about; no link of the customer's is in it."""
    storage.documents.save(an_invoice(number="INV-1042"))
    document_id = an_invoice().id
    access.send_message("Where is it?", document_id=document_id)
    (out,) = turns()
    assert (out.mail.kind, out.link, out.mail.address) == (MailKind.MESSAGE, None, None)
    assert texts(out) == ["Where is it?"]
    assert out.numbers == {document_id: "INV-1042"}
    assert out.customer.id == "C-1001"
    assert AuditEvent.LINK_MAILED not in {entry.event for entry in trail()}


def test_the_customer_learns_of_a_reply(
    open_portal: Portal, access: PortalAccess, turns: Any, trail: Trail
) -> None:
    """With its text and the link; an internal note is never in it."""
    access.send_message("Where is it?")
    open_portal.messages.note("C-1001", "SECRET NOTE", by="bo")
    open_portal.messages.reply("C-1001", "On its way.", by="bo")
    open_portal.messages.note("C-1001", "ANOTHER SECRET", by="bo")
    outs = {one.mail.kind: one for one in turns() if isinstance(one, Outgoing)}
    assert set(outs) == {MailKind.REPLY}  # the message was read when staff answered it
    out = outs[MailKind.REPLY]
    assert texts(out) == ["On its way."]
    assert out.link == open_portal.tokens.link("C-1001")
    assert out.mail.by == "bo"
    assert [e.by for e in trail() if e.event is AuditEvent.LINK_MAILED] == ["bo"]


def test_one_notice_in_a_quarter_of_an_hour(
    access: PortalAccess, turns: Any, clock: FrozenClock
) -> None:
    """What comes meanwhile waits for the next one, which tells all of it, once."""
    access.send_message("one")
    clock.advance(seconds=1)
    access.send_message("two")
    (first,) = turns()
    assert texts(first) == ["one", "two"]
    clock.advance(minutes=1)
    access.send_message("three")
    clock.advance(minutes=1)
    access.send_message("four")
    assert turns() == []
    clock.advance(QUARTER - timedelta(minutes=2, microseconds=1))
    assert turns() == []
    clock.advance(timedelta(microseconds=1))
    (second,) = turns()
    assert texts(second) == ["three", "four"]
    clock.advance(days=1)
    access.send_message("five")
    assert [texts(one) for one in turns()] == [["five"]]


def test_threads_do_not_wait_for_each_other(
    open_portal: Portal, access: PortalAccess, turns: Any
) -> None:
    """Nor the two directions of one thread."""
    access.send_message("one")
    turns()
    open_portal.messages.reply("C-1001", "answer")
    open_portal.messages.reply("C-1004", "hello")
    assert sorted(one.mail.customer_id for one in turns()) == ["C-1001", "C-1004"]


def test_a_message_that_comes_while_one_is_sent_is_told(
    access: PortalAccess, open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """And not twice, where that notice took it along."""
    access.send_message("one")
    mail = open_portal.mailing.claim()
    assert mail is not None
    clock.advance(seconds=1)
    access.send_message("two")
    out = open_portal.mailing.prepare(mail, address_of)
    assert isinstance(out, Outgoing)
    assert texts(out) == ["one", "two"]
    clock.advance(seconds=1)
    access.send_message("three")
    open_portal.mailing.sent(out)
    clock.advance(QUARTER)
    (second,) = turns()
    assert texts(second) == ["three"]


def test_what_staff_have_read_needs_no_notice(
    access: PortalAccess, open_portal: Portal, turns: Any
) -> None:
    """It is skipped when its turn comes."""
    access.send_message("one")
    open_portal.messages.mark_read("C-1001")
    (done,) = turns()
    assert (done.status, done.problem) == (MailStatus.SKIPPED, MailSkip.NOTHING_NEW)


def test_a_repeated_form_makes_one_notice(access: PortalAccess, turns: Any) -> None:
    """As it makes one message."""
    for _ in range(2):
        access.send_message("one", idempotency_key="k")
    assert [texts(one) for one in turns()] == [["one"]]


def test_a_reply_that_cannot_be_read_is_not_mailed(open_portal: Portal, turns: Any) -> None:
    """With messages off the customer does not see it on the page either."""
    open_portal.tokens.generate("C-1001")
    open_portal.messages.reply("C-1001", "answer")
    open_portal.settings.save(PortalConfig(enabled=True))
    (done,) = turns()
    assert (done.status, done.problem) == (MailStatus.SKIPPED, MailSkip.HIDDEN)


def test_who_was_revoked_is_not_told_of_replies(open_portal: Portal, turns: Any) -> None:
    """The e-mail would bring a link."""
    open_portal.tokens.generate("C-1001")
    open_portal.tokens.revoke("C-1001")
    open_portal.messages.reply("C-1001", "answer")
    (done,) = turns()
    assert (done.status, done.problem) == (MailStatus.SKIPPED, MailSkip.REVOKED)


def test_without_a_mailer_nothing_is_queued(portal: Portal, text_of: Any) -> None:
    """Nobody would ever send it."""
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True))
    portal.tokens.generate("C-1001")
    portal.open(text_of(portal)).send_message("one")
    portal.messages.reply("C-1001", "answer")
    assert portal.mailing.report().total == 0


def test_messages_long_before_are_not_told(
    portal: Portal, text_of: Any, clock: FrozenClock, turns: Any
) -> None:
    """Where notices are switched on for the first time."""
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True))
    portal.tokens.generate("C-1001")
    access = portal.open(text_of(portal))
    access.send_message("old")
    clock.advance(minutes=6)
    portal.mailing.notify(MailKind.MESSAGE)
    access.send_message("new")
    assert [texts(one) for one in turns()] == [["new"]]


def test_a_notice_that_failed_lets_the_next_tell_it(
    access: PortalAccess, turn: Any, clock: FrozenClock
) -> None:
    """It was not told to anybody."""
    access.send_message("one")
    turn(REFUSED)
    clock.advance(minutes=1)
    access.send_message("two")
    assert texts(turn()) == ["one", "two"]


def test_a_notice_that_waited_tells_what_came_before_a_younger_one(
    access: PortalAccess, open_portal: Portal, clock: FrozenClock, turn: Any, turns: Any
) -> None:
    """One is refused for now, another is queued while it is tried again: nothing is lost."""
    access.send_message("one")
    turn(BUSY)
    clock.advance(minutes=15)
    mail = open_portal.mailing.claim()
    assert mail is not None
    out = open_portal.mailing.prepare(mail, address_of)
    assert isinstance(out, Outgoing)
    clock.advance(seconds=1)
    access.send_message("two")
    open_portal.mailing.failed(out.mail, BUSY, again=True)
    told = []
    for _ in range(8):
        told += [texts(one) for one in turns() if isinstance(one, Outgoing)]
        clock.advance(minutes=15)
    assert told == [["one", "two"]]


@pytest.mark.parametrize("how", ["refused", "lost"])
def test_what_nobody_was_told_the_next_notice_tells(
    access: PortalAccess, open_portal: Portal, clock: FrozenClock, turn: Any, turns: Any, how: str
) -> None:
    """Where one was refused for good, or its worker ended, however long ago."""
    access.send_message("one")
    if how == "refused":
        turn(REFUSED)
    else:
        assert open_portal.mailing.claim() is not None
    clock.advance(days=2)
    access.send_message("two")
    if how == "lost":
        open_portal.mailing.give_up_lost()
    assert [texts(one) for one in turns() if isinstance(one, Outgoing)] == [["one", "two"]]


@pytest.fixture
def two_due(access: PortalAccess, open_portal: Portal, clock: FrozenClock) -> Callable[[], None]:
    """Brings two notices of a thread to one turn: one was refused for now, one came since."""

    def bring() -> None:
        access.send_message("one")
        mail = open_portal.mailing.claim()
        assert mail is not None
        clock.advance(seconds=1)
        access.send_message("two")  # queues another, since that one is being sent
        open_portal.mailing.failed(mail, BUSY, again=True)
        clock.advance(minutes=20)

    return bring


def test_two_that_wait_do_not_go_out_together(
    access: PortalAccess, two_due: Callable[[], None], clock: FrozenClock, turns: Any
) -> None:
    """A quarter of an hour lies between them, and nothing is told twice."""
    two_due()
    told = []
    sent_at = []
    for number in range(60):
        for one in turns():
            if isinstance(one, Outgoing):
                told.append(texts(one))
                sent_at.append(clock.now)
        if number == 1:
            access.send_message("three")
        clock.advance(minutes=1)
    assert told == [["one", "two"], ["three"]]
    assert sent_at[1] - sent_at[0] >= QUARTER


def test_the_quarter_of_an_hour_is_looked_at_when_its_turn_comes(
    access: PortalAccess, two_due: Callable[[], None], clock: FrozenClock, turn: Any
) -> None:
    """Two are due together; what is written between them waits with the second."""
    two_due()
    assert texts(turn()) == ["one", "two"]
    sent_at = clock.now
    clock.advance(seconds=1)
    access.send_message("three")
    waits = turn()
    assert (waits.status, waits.due_at) == (MailStatus.QUEUED, sent_at + QUARTER)
    assert turn() is None
    clock.advance(QUARTER)
    assert texts(turn()) == ["three"]


def test_many_messages_are_told_as_many(
    open_portal: Portal, access: PortalAccess, clock: FrozenClock, turns: Any
) -> None:
    """The newest fifty, and how many there are besides."""
    for number in range(60):
        open_portal.messages.reply("C-1001", f"answer {number}")
        clock.advance(timedelta(microseconds=1))
    (out,) = turns()
    assert (len(out.messages), out.more_messages) == (50, 10)
    assert texts(out)[-1] == "answer 59"
    clock.advance(days=1)
    open_portal.messages.reply("C-1001", "the last")
    assert [texts(one) for one in turns()] == [["the last"]]


def test_a_clock_that_was_ahead_silences_nobody(
    access: PortalAccess, clock: FrozenClock, turns: Any
) -> None:
    """A notice of an instant yet to come does not stand for what is written now."""
    clock.advance(days=20)
    access.send_message("from the future")
    clock.advance(timedelta(days=-20))
    access.send_message("now")
    assert [texts(one) for one in turns()] == [["now", "from the future"]]


def test_the_host_is_asked_outside_the_transaction(
    access: PortalAccess, open_portal: Portal, storage: Any, make_portal: Any
) -> None:
    """Whoever has a token to revoke does not wait for the host's documents."""
    storage.documents.save(an_invoice(number="INV-1042"))
    access.send_message("Where is it?", document_id=an_invoice().id)
    found = []

    class Slow:
        def get(self, customer_id: str, document_id: str) -> Any:
            found.append(in_thread(lambda: open_portal.tokens.revoke("C-1001")))
            return storage.documents.get(customer_id, document_id)

        def page(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    portal = make_portal(documents=Slow())
    mail = portal.mailing.claim()
    out = portal.mailing.prepare(mail, address_of)
    assert list(out.numbers.values()) == ["INV-1042"]
    assert found[0] is not None


# --- expiry


def test_staff_learn_which_links_expire(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """Those of the days asked for, soonest first; blocked customers are left out."""
    open_portal.tokens.generate("C-1004", days=5)
    open_portal.tokens.generate("C-1001", days=3)
    open_portal.tokens.generate("C-1005", days=8)
    notice = open_portal.mailing.queue_expiry_notice(within_days=7, by="cron")
    assert notice is not None
    (out,) = turns()
    assert [customer.id for customer, _ in out.expiring] == ["C-1001", "C-1004"]
    assert not out.more
    assert out.mail.kind is MailKind.EXPIRING
    clock.advance(days=20)
    assert open_portal.mailing.queue_expiry_notice(within_days=7) is None


def test_a_notice_of_expiry_that_came_too_late_is_skipped(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """Where the links have expired by then."""
    open_portal.tokens.generate("C-1004", days=1)
    open_portal.mailing.queue_expiry_notice(within_days=7)
    clock.advance(days=1)
    (done,) = turns()
    assert done.problem == MailSkip.NOTHING_NEW


def test_one_notice_of_expiry_waits_at_a_time(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """A scheduler asks each day, also while nothing can be sent."""
    open_portal.tokens.generate("C-1001", days=6)
    first = open_portal.mailing.queue_expiry_notice(within_days=7)
    clock.advance(days=1)
    assert open_portal.mailing.queue_expiry_notice(within_days=7) == first
    assert len(turns()) == 1
    assert open_portal.mailing.queue_expiry_notice(within_days=7) != first


def test_customers_who_are_blocked_hide_nobody(
    open_portal: Portal, storage: Any, turns: Any
) -> None:
    """However many of them come first."""
    many = [f"C-3{number:03}" for number in range(205)]
    storage.customers.save(*map(a_customer, many))
    for _ in open_portal.tokens.ensure_many(many):
        pass
    storage.customers.save(*(a_customer(one, blocked=True) for one in many))
    open_portal.settings.save(PortalConfig(enabled=True, token_expiry_days=31))
    open_portal.tokens.generate("C-1001")
    open_portal.mailing.queue_expiry_notice(within_days=60)
    (out,) = turns()
    assert [customer.id for customer, _ in out.expiring] == ["C-1001"]


@pytest.mark.parametrize("days", [0, 366, True, 7.0, "7", None])
def test_days_to_look_ahead(open_portal: Portal, days: Any) -> None:
    """A whole number from 1 to 365."""
    with pytest.raises(InvalidValue, match="within_days"):
        open_portal.mailing.queue_expiry_notice(within_days=days)
