"""Runs: each customer once, by any number of workers, whatever becomes of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from basis_portal import (
    AuditEvent,
    InvalidValue,
    MailError,
    Portal,
    PortalConfig,
    TokenStatus,
)
from basis_portal.domain.mail import Mail, MailStatus
from basis_portal.portal import MailSkip, Outgoing, RunReport
from basis_portal.testing.builders import a_customer
from basis_portal.testing.clocks import FrozenClock

from .conftest import BUSY, DOWN, REFUSED, UNKNOWN, address_of

RUN = "invoices 2026-04"
ALL = ["C-1001", "C-1002", "C-1003", "C-1004", "C-1005", "C-9999"]


def queue(portal: Portal, ids: list[str], run: str = RUN) -> dict[str, bool]:
    """Queue a run and tell who was added."""
    return dict(portal.mailing.queue_links(ids, run=run, by="ana"))


def test_a_run_tells_of_everybody(open_portal: Portal, turns: Any) -> None:
    """Each customer is sent a link or reported with the reason; tokens are issued as by ensure."""
    open_portal.tokens.generate("C-1005")
    open_portal.tokens.revoke("C-1005")
    known = open_portal.tokens.generate("C-1001")
    assert queue(open_portal, ALL) == dict.fromkeys(ALL, True)
    assert open_portal.mailing.report(RUN) == RunReport(RUN, queued=6)
    done = turns(run=RUN)
    sent = {o.mail.customer_id: o for o in done if isinstance(o, Outgoing)}
    skipped = {o.customer_id: o.problem for o in done if isinstance(o, Mail)}
    assert set(sent) == {"C-1001", "C-1004"}
    assert sent["C-1001"].mail.token_id == known.id
    assert sent["C-1004"].link == open_portal.tokens.link("C-1004")
    assert skipped == {
        "C-1002": MailSkip.NO_ADDRESS,
        "C-1003": MailSkip.BLOCKED,
        "C-1005": MailSkip.REVOKED,
        "C-9999": MailSkip.UNKNOWN,
    }
    report = open_portal.mailing.report(RUN)
    assert report == RunReport(RUN, sent=2, skipped=4)
    assert (report.total, report.is_done) == (6, True)
    listed = open_portal.mailing.of_run(RUN, MailStatus.SKIPPED).items
    assert {one.customer_id for one in listed} == set(skipped)
    assert open_portal.tokens.get("C-1002") is None


def test_repeating_a_run_mails_nobody_again(open_portal: Portal, turns: Any) -> None:
    """Who was mailed, skipped or given up stays so; another run mails again."""
    queue(open_portal, ALL)
    turns()
    assert queue(open_portal, ALL) == dict.fromkeys(ALL, False)
    assert turns() == []
    assert queue(open_portal, ["C-1001"], "another") == {"C-1001": True}
    assert [one.mail.run for one in turns()] == ["another"]


def test_an_id_that_comes_twice_is_mailed_once(open_portal: Portal, turns: Any) -> None:
    """Also within one call."""
    found = list(open_portal.mailing.queue_links(["C-1001", "C-1001"], run=RUN))
    assert found == [("C-1001", True), ("C-1001", False)]
    assert len(turns()) == 1


def test_an_expired_token_is_replaced_in_a_run(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """As by ensure; the e-mail says that the older link no longer works."""
    old = open_portal.tokens.generate("C-1001", days=1)
    clock.advance(days=1)
    queue(open_portal, ["C-1001"])
    (out,) = turns()
    assert open_portal.tokens.get("C-1001").replaces == old.id  # type: ignore[union-attr]
    assert out.replaces


def test_who_is_revoked_after_the_queueing_gets_nothing(open_portal: Portal, turns: Any) -> None:
    """Who may get a link is looked at when it is sent."""
    open_portal.tokens.generate("C-1001")
    queue(open_portal, ["C-1001"])
    open_portal.tokens.revoke("C-1001")
    (done,) = turns()
    assert (done.status, done.problem) == (MailStatus.SKIPPED, MailSkip.REVOKED)
    assert open_portal.tokens.get("C-1001").status_at(open_portal.now()) is TokenStatus.REVOKED  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [BUSY, DOWN], ids=["busy", "down"])
def test_what_may_be_taken_later_waits(
    open_portal: Portal, turn: Any, clock: FrozenClock, error: MailError
) -> None:
    """It waits longer each time, and is given up after three days."""
    queue(open_portal, ["C-1001"])
    waits = []
    while open_portal.mailing.report(RUN).queued:
        assert turn(error) is not None
        (mail,) = open_portal.mailing.of_customer("C-1001").items
        if mail.status is MailStatus.QUEUED:
            assert (mail.problem, turn(error)) == (str(error), None)
            waits.append(mail.due_at - clock.now)
            clock.advance(waits[-1])
    assert waits[:3] == [timedelta(minutes=15 * n) for n in (1, 2, 3)]
    assert max(waits) == timedelta(hours=4)
    assert timedelta(days=3) <= sum(waits, timedelta()) < timedelta(days=3, hours=4)
    assert mail.status is MailStatus.FAILED
    # Only the end of it is in the trail.
    events = [entry.event for entry in open_portal.audit.list(customer_id="C-1001").items]
    assert events.count(AuditEvent.LINK_NOT_MAILED) == 1


@pytest.mark.parametrize(
    ("error", "status"), [(REFUSED, MailStatus.FAILED), (UNKNOWN, MailStatus.UNKNOWN)]
)
def test_what_is_over_is_not_tried_again(
    open_portal: Portal, turn: Any, clock: FrozenClock, error: MailError, status: MailStatus
) -> None:
    """A refusal for good, and what may have been sent."""
    queue(open_portal, ["C-1001"])
    turn(error)
    clock.advance(days=30)
    open_portal.mailing.give_up_lost()
    assert turn() is None
    assert open_portal.mailing.of_run(RUN, status).items[0].customer_id == "C-1001"


def test_a_worker_that_ended_is_reported(
    open_portal: Portal, turn: Any, clock: FrozenClock
) -> None:
    """What it had is nobody's for ten minutes, and then of unknown outcome; never sent again."""
    queue(open_portal, ["C-1001", "C-1004"])
    lost = open_portal.mailing.claim()
    assert lost is not None
    assert isinstance(open_portal.mailing.prepare(lost, address_of), Outgoing)
    turn()
    clock.advance(minutes=10)
    assert open_portal.mailing.give_up_lost() == 0
    assert open_portal.mailing.report(RUN) == RunReport(RUN, sending=1, sent=1)
    clock.advance(timedelta(microseconds=1))
    assert open_portal.mailing.give_up_lost() == 1
    assert open_portal.mailing.report(RUN) == RunReport(RUN, unknown=1, sent=1)
    assert turn() is None
    assert queue(open_portal, ["C-1001", "C-1004"]) == {"C-1001": False, "C-1004": False}


def test_a_worker_that_was_taken_for_lost_tells_the_truth(
    open_portal: Portal, clock: FrozenClock
) -> None:
    """One that was only slow notes what became of it all the same."""
    queue(open_portal, ["C-1001"])
    mail = open_portal.mailing.claim()
    assert mail is not None
    out = open_portal.mailing.prepare(mail, address_of)
    assert isinstance(out, Outgoing)
    clock.advance(minutes=11)
    open_portal.mailing.give_up_lost()
    open_portal.mailing.sent(out)
    assert open_portal.mailing.report(RUN) == RunReport(RUN, sent=1)


def test_a_worker_that_was_taken_for_lost_before_it_sent_sends_nothing(
    open_portal: Portal, clock: FrozenClock
) -> None:
    """It finds out when it looks at what to send."""
    queue(open_portal, ["C-1001"])
    mail = open_portal.mailing.claim()
    assert mail is not None
    clock.advance(minutes=11)
    assert open_portal.mailing.give_up_lost() == 0
    assert not isinstance(open_portal.mailing.prepare(mail, address_of), Outgoing)
    assert open_portal.mailing.report(RUN) == RunReport(RUN, queued=1)
    assert open_portal.tokens.get("C-1001") is None


def test_what_a_worker_had_not_made_yet_is_sent_by_another(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """It was taken and nothing more, so that it cannot have been sent."""
    queue(open_portal, ["C-1001"])
    lost = open_portal.mailing.claim()
    assert lost is not None
    clock.advance(minutes=11)
    open_portal.mailing.give_up_lost()
    again = open_portal.mailing.claim()
    assert again is not None
    # The one who was only slow finds that it is not his any more, also now that it is taken.
    assert not isinstance(open_portal.mailing.prepare(lost, address_of), Outgoing)
    out = open_portal.mailing.prepare(again, address_of)
    assert isinstance(out, Outgoing)
    open_portal.mailing.sent(out)
    assert open_portal.mailing.report(RUN) == RunReport(RUN, sent=1)
    assert turns() == []


def test_while_the_portal_is_off_all_waits(open_portal: Portal, turns: Any) -> None:
    """Nothing is lost either."""
    queue(open_portal, ["C-1001"])
    config = open_portal.settings.get().config
    open_portal.settings.save(PortalConfig())
    assert turns() == []
    open_portal.settings.save(config)
    assert len(turns()) == 1


def test_a_run_waits_for_those_who_got_many(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """Five in half an hour are the limit for runs as well."""
    for number in range(6):
        queue(open_portal, ["C-1001"], f"run {number}")
    done = turns()
    assert [isinstance(one, Outgoing) for one in done] == [True] * 5 + [False]
    assert (done[5].status, done[5].due_at) == (
        MailStatus.QUEUED,
        clock.now + timedelta(minutes=30),
    )
    assert turns() == []
    clock.advance(minutes=30)
    assert len(turns()) == 1


def test_many_are_queued_in_pieces(open_portal: Portal, storage: Any) -> None:
    """A thousand at a time; an id that is none stops there, and what came before is queued."""
    ids = [f"C-2{number:04d}" for number in range(1005)]
    storage.customers.save(*(a_customer(one) for one in ids))
    queued = open_portal.mailing.queue_links([*ids, ""], run=RUN)
    assert next(queued) == (ids[0], True)
    assert open_portal.mailing.report(RUN).queued == 1000
    with pytest.raises(InvalidValue):
        list(queued)
    assert open_portal.mailing.report(RUN).queued == 1005


@pytest.mark.parametrize("ids", ["C-1001", b"C-1001", 5, None])
def test_ids_must_be_several(open_portal: Portal, ids: Any) -> None:
    """One bare text would go letter by letter."""
    with pytest.raises(InvalidValue, match="customer_ids"):
        open_portal.mailing.queue_links(ids, run=RUN)


def test_a_run_is_walked_in_pages(open_portal: Portal, turns: Any) -> None:
    """Pages of a run add up to all of it."""
    queue(open_portal, ALL)
    turns()
    seen: list[str | None] = []
    after = None
    while True:
        page = open_portal.mailing.of_run(RUN, MailStatus.SKIPPED, after=after, limit=1)
        seen += [one.customer_id for one in page.items]
        after = page.next
        if after is None:
            break
    assert sorted(map(str, seen)) == ["C-1002", "C-1003", "C-9999"]


def test_nothing_changes_what_a_mail_is_for(open_portal: Portal, storage: Any) -> None:
    """A storage refuses to make another e-mail of one."""
    queue(open_portal, ["C-1001"])
    mail = open_portal.mailing.claim()
    assert mail is not None
    with pytest.raises(InvalidValue, match="customer_id"):
        storage.mails.change(mail, attrs.evolve(mail, customer_id="C-1004"))


def test_what_a_restored_backup_has_queued_is_not_sent_again(
    open_portal: Portal, turns: Any, clock: FrozenClock
) -> None:
    """Due or not it is of unknown outcome; what is queued after that is sent."""
    queue(open_portal, ["C-1001", "C-1004"])
    mail = open_portal.mailing.claim()
    assert mail is not None
    open_portal.mailing.failed(mail, BUSY, again=True)  # due later
    assert open_portal.mailing.give_up_queued() == 2
    assert open_portal.mailing.give_up_queued() == 0
    assert open_portal.mailing.report(RUN) == RunReport(RUN, unknown=2)
    clock.advance(hours=1)
    assert turns() == []
    queue(open_portal, ["C-1001"], "another")
    assert len(turns()) == 1
