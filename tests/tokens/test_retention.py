"""Retention: what is old goes when it is asked for, and what still says something stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from basis_portal import (
    AccessDenied,
    AccessRevoked,
    AuditEntry,
    AuditEvent,
    Edition,
    InvalidValue,
    Portal,
    PortalConfig,
    Pruned,
)
from basis_portal.domain.mail import MailStatus
from basis_portal.testing.builders import NOW, a_mail, a_note
from basis_portal.testing.clocks import FrozenClock

Trail = Callable[[], list[AuditEntry]]
TextOf = Callable[..., str]


@pytest.fixture
def aged(portal: Portal, clock: FrozenClock) -> Portal:
    """Three tokens of C-1001, the latest active; one of C-1002, revoked; all 100 days ago."""
    for _ in range(3):
        portal.tokens.regenerate("C-1001", by="ana")
        clock.advance(minutes=1)
    portal.tokens.generate("C-1002", by="ana")
    portal.tokens.revoke("C-1002", by="ana")
    clock.advance(days=20)
    return portal


def test_old_tokens_and_entries_go(aged: Portal, trail: Trail, text_of: TextOf) -> None:
    """What ended and what was written before the instants is gone; the counts are told."""
    before = len(trail())
    link = text_of(aged)
    cut = NOW + timedelta(days=10)
    pruned = aged.privacy.prune(audit_before=cut, tokens_before=cut, by="eve")
    assert pruned == Pruned(audit_entries=before, tokens=2)
    assert [len(aged.tokens.history(one)) for one in ("C-1001", "C-1002")] == [1, 1]
    assert [entry.event for entry in trail()] == [AuditEvent.LINK_COPIED, AuditEvent.PRUNED]
    last = trail()[-1]
    assert last.by == "eve"
    assert last.detail == f"audit_before: {cut.isoformat()}\ntokens_before: {cut.isoformat()}"
    assert aged.open(link).customer.id == "C-1001"
    assert aged.privacy.prune(audit_before=cut, tokens_before=cut) == Pruned(0, 0)


def test_a_revoke_is_not_forgotten(aged: Portal) -> None:
    """Who was revoked stays so, however old that is: `ensure` gives no access again."""
    aged.privacy.prune(tokens_before=NOW + timedelta(days=19))
    with pytest.raises(AccessRevoked):
        aged.tokens.ensure("C-1002")
    assert aged.tokens.ensure("C-1001").customer_id == "C-1001"


def test_a_link_of_a_forgotten_token_is_refused(
    aged: Portal, text_of: TextOf, clock: FrozenClock
) -> None:
    """A link whose token was removed opens nothing; the present one does."""
    old = text_of(aged)
    aged.tokens.regenerate("C-1001")
    clock.advance(days=5)
    assert aged.privacy.prune(tokens_before=clock() - timedelta(days=1)).tokens == 3
    with pytest.raises(AccessDenied):
        aged.open(old)
    assert aged.open(text_of(aged)).customer.id == "C-1001"


def test_what_is_not_asked_for_stays(aged: Portal, trail: Trail) -> None:
    """Without instants nothing goes and nothing is written; with one only its part goes."""
    before = trail()
    assert aged.privacy.prune() == Pruned(0, 0)
    assert trail() == before
    assert aged.privacy.prune(tokens_before=NOW + timedelta(days=1)) == Pruned(0, 2)
    assert trail()[:-1] == before


def test_old_emails_go(aged: Portal, storage: Any, trail: Trail) -> None:
    """E-mails settled before the instant are gone; what waits, is sent or came later stays."""
    cut = NOW + timedelta(days=10)
    ago = NOW - timedelta(days=99)
    settled = {"status": MailStatus.SENT, "queued_at": ago}
    storage.mails.add(
        [
            *(a_mail(f"old {n}", **settled, settled_at=NOW) for n in range(1200)),
            a_mail("young", **settled, settled_at=cut),
            a_mail("waits", queued_at=ago),
            a_mail("is sent", queued_at=ago, status=MailStatus.SENDING),
        ]
    )
    assert aged.privacy.prune(mails_before=cut, by="eve") == Pruned(0, 0, mails=1200)
    left = storage.mails.of_customer("C-1001", limit=2000)
    assert sorted(mail.id for mail in left) == ["is sent", "waits", "young"]
    assert (trail()[-1].event, trail()[-1].by) == (AuditEvent.PRUNED, "eve")
    assert trail()[-1].detail == f"mails_before: {cut.isoformat()}"


def test_old_messages_go(portal: Portal, storage: Any, text_of: TextOf, clock: FrozenClock) -> None:
    """Old messages and notes are gone, more than a thousand too; unread and later ones stay."""
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True))
    portal.tokens.generate("C-1001", by="ana")
    access = portal.open(text_of(portal))
    access.send_message("read")
    portal.messages.mark_read("C-1001")
    portal.messages.reply("C-1001", "answered", by="ana")
    access.send_message("unread")
    for number in range(1200):
        storage.messages.add_note(a_note(f"N-{number}", customer_id="C-1002", at=clock()))
    clock.advance(days=1)
    cut = clock()
    access.send_message("young")
    portal.messages.note("C-1001", "young", by="ana")
    clock.advance(days=1)
    pruned = portal.privacy.prune(messages_before=cut, by="eve")
    assert pruned == Pruned(0, 0, messages=1202)
    assert [one.text for one in storage.messages.page("C-1001")] == ["young", "unread"]
    assert [note.text for note in storage.messages.notes("C-1001")] == ["young"]
    assert storage.messages.notes("C-1002") == []
    [(_, last)] = storage.audit.page(limit=1)
    assert (last.event, last.by) == (AuditEvent.PRUNED, "eve")
    assert last.detail == f"messages_before: {cut.isoformat()}"


def test_many_go_in_pieces(aged: Portal, storage: Any, clock: FrozenClock) -> None:
    """More than a thousand entries go in several transactions."""
    storage.audit.append([AuditEntry(NOW, AuditEvent.MESSAGE)] * 2500)
    assert aged.privacy.prune(audit_before=clock() - timedelta(days=1)).audit_entries > 2500


@pytest.mark.parametrize(
    "name", ["audit_before", "tokens_before", "mails_before", "messages_before"]
)
@pytest.mark.parametrize(
    "instant", [NOW + timedelta(days=19, hours=1), NOW.replace(tzinfo=None), "2025", 30]
)
def test_young_and_wrong_instants_are_refused(
    aged: Portal, trail: Trail, name: str, instant: datetime
) -> None:
    """Less than a day ago, naive or no instant at all: nothing changes."""
    before = trail()
    with pytest.raises(InvalidValue, match=name):
        aged.privacy.prune(**{name: instant})
    assert trail() == before


def test_it_works_in_every_edition(make_portal: Callable[..., Portal]) -> None:
    """Retention goes on where the edition gives no portal."""
    portal = make_portal(edition=Edition.DESKTOP)
    assert portal.privacy.prune(audit_before=NOW - timedelta(days=1)) == Pruned(0, 0)
