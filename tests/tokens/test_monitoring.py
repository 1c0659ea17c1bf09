"""A host's monitoring asks how the portal stands and how much happened: numbers, and no names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from tests.conftest import Watched

from basis_portal import (
    AccessDenied,
    Edition,
    Health,
    InvalidValue,
    Portal,
    PortalConfig,
    StorageError,
    TokenStatus,
)
from basis_portal.domain.audit import Cause
from basis_portal.testing.builders import a_mail
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
TextOf = Callable[..., str]


def fail() -> None:
    """As a storage whose server is gone."""
    raise StorageError("the server is gone")


def test_all_is_well(portal: Portal) -> None:
    """Also with the portal off: that is as staff want it, and said."""
    assert portal.monitoring.health() == Health(ok=True, available=True, enabled=True)
    portal.settings.save(PortalConfig(enabled=False))
    assert portal.monitoring.health() == Health(ok=True, available=True, enabled=False)


def test_a_storage_that_cannot_be_read_is_an_answer(
    watched: Watched, make_portal: MakePortal
) -> None:
    """Not an error: whoever asks again and again wants an answer each time."""
    portal = make_portal(watched, edition=Edition.DESKTOP)
    watched.before["settings.get"] = fail
    assert portal.monitoring.health() == Health(ok=False, available=False, enabled=None)


def test_what_happened_is_counted(
    portal: Portal, storage: Any, text_of: TextOf, clock: FrozenClock
) -> None:
    """Since an instant: opened, refused by cause, messages; and how much there is now."""
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True))
    portal.tokens.generate("C-1001", by="ana")
    old = text_of(portal)
    portal.open(old)
    clock.advance(hours=2)
    since = clock.now
    portal.open(old).send_message("Paid today.")
    portal.open(old)  # within the hour: the trail has one line
    portal.tokens.regenerate("C-1001", by="ana")
    for _ in range(2):
        with pytest.raises(AccessDenied):
            portal.open(old)
    with pytest.raises(AccessDenied):
        portal.open("junk")  # no good signature, no line
    portal.tokens.generate("C-1002", by="ana")
    portal.tokens.revoke("C-1002", by="ana")
    storage.mails.add([a_mail("E-1", due_at=clock.now), a_mail("E-2", due_at=clock.now)])
    found = portal.monitoring.counters(since)
    assert attrs.asdict(found) == {
        "since": since,
        "opened": 1,
        "refused": {Cause.REPLACED: 1},
        "messages": 1,
        "mailed": 0,
        "not_mailed": 0,
        "mails_waiting": 2,
        "mails_due_since": clock.now,
        "tokens": {
            TokenStatus.ACTIVE: 1,
            TokenStatus.EXPIRED: 0,
            TokenStatus.REVOKED: 1,
            TokenStatus.REPLACED: 0,
        },
        "unread": 1,
    }
    clock.advance(seconds=1)
    later = portal.monitoring.counters(clock.now)
    assert (later.opened, later.refused, later.messages, later.unread) == (0, {}, 0, 1)


def test_no_name_is_told(portal: Portal, text_of: TextOf, clock: FrozenClock) -> None:
    """Neither a customer, nor a token, nor who of the staff did something."""
    token = portal.tokens.generate("C-1001", by="ana")
    portal.open(text_of(portal))
    told = repr((portal.monitoring.health(), portal.monitoring.counters(clock.now)))
    for name in ("C-1001", "ana", token.id[:8]):
        assert name not in told


def test_it_costs_what_happened_since(
    watched: Watched, make_portal: MakePortal, clock: FrozenClock
) -> None:
    """The trail is read to the first line that is older, not to its end."""
    portal = make_portal(watched)
    portal.settings.save(PortalConfig(enabled=True))

    def many(unit: Any) -> None:
        for _ in range(30):
            portal.privacy.export("C-1001")

    for _ in range(2):
        watched.inner.transact(many)
        clock.advance(hours=1)
    watched.calls.clear()
    portal.monitoring.counters(clock.now)
    assert watched.calls.count("audit.page") == 1
    assert not [call for call in watched.calls if call.endswith((".add", ".put", ".append"))]


@pytest.mark.parametrize(
    "of", [lambda now: now + timedelta(seconds=1), lambda now: now - timedelta(days=8)]
)
def test_what_is_long_ago_is_refused(
    portal: Portal, clock: FrozenClock, of: Callable[..., Any]
) -> None:
    """The future, and what would go through the whole trail; a naive instant too."""
    assert portal.monitoring.counters(clock.now - timedelta(days=7))
    with pytest.raises(InvalidValue, match="7 days"):
        portal.monitoring.counters(of(clock.now))
    with pytest.raises(InvalidValue):
        portal.monitoring.counters(clock.now.replace(tzinfo=None))


def test_it_works_in_every_edition(make_portal: MakePortal, clock: FrozenClock) -> None:
    """What is asked by a machine is not managed."""
    portal = make_portal(edition=Edition.DESKTOP)
    assert portal.monitoring.counters(clock.now).opened == 0
    assert portal.monitoring.health() == Health(ok=True, available=False, enabled=False)
