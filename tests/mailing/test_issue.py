"""Tokens for many, each with its e-mail: both or neither, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.conftest import Watched

from basis_portal import (
    InvalidValue,
    Outcome,
    Portal,
    PortalNotAvailable,
    StorageError,
    TokenStatus,
    TooManyMails,
)
from basis_portal.domain.mail import MailStatus
from basis_portal.portal import RunReport
from basis_portal.testing.builders import a_customer
from basis_portal.testing.clocks import FrozenClock

from .conftest import address_of

RUN = "invoices 2026-04"
ALL = ["C-1001", "C-1002", "C-1003", "C-1004", "C-1005", "C-9999"]


def queued(portal: Portal) -> list[str]:
    """Whose e-mails of the run are queued."""
    found = portal.mailing.of_run(RUN, MailStatus.QUEUED, limit=200)
    return sorted(str(one.customer_id) for one in found)


def test_each_new_token_has_its_e_mail(open_portal: Portal, clock: FrozenClock) -> None:
    """Results are those of `ensure_many`; who has an address and got a token is queued."""
    open_portal.tokens.generate("C-1001")
    open_portal.tokens.revoke("C-1005", by="ana")
    open_portal.tokens.generate("C-1005")
    open_portal.tokens.revoke("C-1005", by="ana")
    results = list(open_portal.mailing.issue([*ALL, "C-1004"], run=RUN, by="ana"))
    assert [(one.customer_id, one.outcome) for one in results] == [
        ("C-1001", Outcome.EXISTING),
        ("C-1002", Outcome.ISSUED),
        ("C-1003", Outcome.SKIPPED),
        ("C-1004", Outcome.ISSUED),
        ("C-1005", Outcome.SKIPPED),
        ("C-9999", Outcome.SKIPPED),
        ("C-1004", Outcome.EXISTING),
    ]
    (mail,) = open_portal.mailing.of_run(RUN, MailStatus.QUEUED)
    assert (mail.customer_id, mail.by, mail.run) == ("C-1004", "ana", RUN)
    assert mail.queued_at == mail.due_at == clock.now


def test_anew_is_as_by_regenerate_many(open_portal: Portal) -> None:
    """Active tokens are replaced, and those after a revoke as well."""
    before = open_portal.tokens.generate("C-1001")
    open_portal.tokens.generate("C-1005")
    open_portal.tokens.revoke("C-1005")
    results = list(open_portal.mailing.issue(["C-1001", "C-1005"], run=RUN, anew=True))
    assert [one.outcome for one in results] == [Outcome.ISSUED, Outcome.ISSUED]
    token = open_portal.tokens.get("C-1001")
    assert token
    assert token.replaces == before.id
    assert queued(open_portal) == ["C-1001", "C-1005"]


def test_what_is_queued_is_sent_with_the_token(open_portal: Portal, turns: Any) -> None:
    """The e-mail brings the very token, and none is issued beside it."""
    (result,) = open_portal.mailing.issue(["C-1001"], run=RUN)
    (out,) = turns(run=RUN)
    assert result.token
    assert out.mail.token_id == result.token.id
    assert len(open_portal.tokens.history("C-1001")) == 1
    assert open_portal.mailing.report(RUN) == RunReport(RUN, sent=1)


def test_both_or_neither(open_portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """Where the e-mails cannot be stored no token is issued; repeating it does both."""
    watched: Any = Watched(storage)
    portal = Portal(
        watched, secret_keys=["k" * 32], base_url="https://erp.example.com/portal", clock=clock
    )

    def fail() -> None:
        raise StorageError("disk full")

    watched.before["mails.add"] = fail
    with pytest.raises(StorageError):
        list(portal.mailing.issue(["C-1001"], run=RUN))
    assert portal.tokens.get("C-1001") is None
    assert portal.tokens.count(TokenStatus.ACTIVE) == 0
    del watched.before["mails.add"]
    (result,) = portal.mailing.issue(["C-1001"], run=RUN)
    assert result.outcome is Outcome.ISSUED
    assert queued(portal) == ["C-1001"]


def test_what_it_refuses(open_portal: Portal) -> None:
    """A run and ids are checked before anything is issued."""
    for run, ids in (("", ALL), (RUN, "C-1001"), (RUN, 5)):
        wrong: Any = ids
        with pytest.raises(InvalidValue):
            open_portal.mailing.issue(wrong, run=run)
    assert open_portal.tokens.count(TokenStatus.ACTIVE) == 0
    assert queued(open_portal) == []


def test_it_needs_the_feature(storage: Any, clock: FrozenClock) -> None:
    """As every use case of staff."""
    base_url = "https://erp.example.com/portal"
    portal = Portal(
        storage, secret_keys=["k" * 32], base_url=base_url, clock=clock, feature_enabled=False
    )
    with pytest.raises(PortalNotAvailable):
        portal.mailing.issue(["C-1001"], run=RUN)


def test_ids_that_fail_on_the_way(open_portal: Portal, storage: Any) -> None:
    """What was collected before is queued, and told, before the error is let through."""

    def ids() -> Iterator[str]:
        yield from ("C-1001", "C-1004")
        raise RuntimeError("the ERP is gone")

    storage.customers.save(a_customer("C-1006"))
    found = open_portal.mailing.queue_links(ids(), run=RUN)
    assert [next(found), next(found)] == [("C-1001", True), ("C-1004", True)]
    assert queued(open_portal) == ["C-1001", "C-1004"]
    with pytest.raises(RuntimeError, match="the ERP is gone"):
        next(found)
    with pytest.raises(StopIteration):
        next(found)
    with pytest.raises(InvalidValue):
        list(open_portal.mailing.queue_links([""], run=RUN))


def test_the_words_never_promise_too_early(open_portal: Portal, clock: FrozenClock) -> None:
    """At the minute that the refusal names the next e-mail can be sent."""
    open_portal.tokens.generate("C-1001")
    clock.advance(seconds=1)
    for _ in range(5):
        open_portal.mailing.begin("C-1001", address_of)
    with pytest.raises(TooManyMails) as refused:
        open_portal.mailing.begin("C-1001", address_of)
    named = (clock.now + timedelta(minutes=31)).replace(second=0)
    assert refused.value.retry_at == clock.now + timedelta(minutes=30)
    assert str(refused.value).endswith(f"the next may be sent at {named:%H:%M} UTC")
    clock.advance(named - clock.now)
    open_portal.mailing.begin("C-1001", address_of)
