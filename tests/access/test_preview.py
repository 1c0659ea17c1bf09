"""Staff look at what a customer would see."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from basis_portal import (
    AuditEvent,
    CustomerBlocked,
    CustomerNotFound,
    Edition,
    InvalidValue,
    Portal,
    PortalNotAvailable,
)
from basis_portal.testing.builders import a_customer
from basis_portal.testing.clocks import FrozenClock

from .worlds import ALL_ON, READS, opened, outcome, stock

Trail = Callable[[], list[Any]]


def previews(trail: Trail) -> list[tuple[str | None, str | None]]:
    """Who previewed whom."""
    found = [entry for entry in trail() if entry.event is AuditEvent.PREVIEWED]
    return [(entry.by, entry.customer_id) for entry in found]


@pytest.mark.parametrize("switches", list(itertools.product((True, False), repeat=4)))
def test_a_preview_is_what_the_customer_sees(
    portal: Portal, storage: Any, switches: tuple[bool, ...]
) -> None:
    """Each method gives staff what it gives the customer, in every state of the switches."""
    names = ("show_sales_orders", "show_credit_notes", "show_statement", "allow_messages")
    stock(storage, "C-1001")
    access = opened(portal, "C-1001", **dict(zip(names, switches, strict=True)))
    preview = portal.preview("C-1001", by="ana")
    for call in READS:
        error = outcome(call.run, access)
        assert outcome(call.run, preview) is error
        if error is None:
            assert call.run(preview) == call.run(access)
    assert (preview.is_preview, preview.expires_at) == (True, None)
    assert (access.is_preview, preview.customer) == (False, access.customer)


def test_neither_token_nor_switch(portal: Portal, storage: Any) -> None:
    """A preview needs no token, works with the portal off, and after a revoke."""
    stock(storage, "C-1001")
    portal.settings.save(attrs.evolve(ALL_ON, enabled=False))
    assert portal.tokens.get("C-1001") is None
    assert portal.preview("C-1001").document("INV-C-1001")
    portal.tokens.generate("C-1001")
    preview = portal.preview("C-1001")
    portal.tokens.revoke("C-1001")
    assert preview.statement().by_currency["EUR"].closing_balance == -19
    assert portal.preview("C-1001").summary() == preview.summary()


def test_a_preview_never_counts_as_opened(portal: Portal, storage: Any, trail: Trail) -> None:
    """It is audited as previewed, not as opened; the token is not marked."""
    stock(storage, "C-1001")
    token = portal.tokens.generate("C-1001")
    preview = portal.preview("C-1001", by="ana")
    for call in READS:
        outcome(call.run, preview)
    assert portal.tokens.last_opened([token.id]) == {}
    events = [entry.event for entry in trail()]
    assert AuditEvent.OPENED not in events
    assert events.count(AuditEvent.PREVIEWED) == 1
    assert next(e for e in trail() if e.event is AuditEvent.PREVIEWED).token_id is None
    opened(portal, "C-1001")
    assert set(portal.tokens.last_opened([token.id])) == {token.id}


def test_audited_once_an_hour(portal: Portal, trail: Trail, clock: FrozenClock) -> None:
    """Each member of staff is noted once an hour for each customer."""
    for _ in range(3):
        for by, customer in itertools.product(("ana", "ben", None), ("C-1001", "C-1002")):
            portal.preview(customer, by=by)
    once = list(itertools.product(("ana", "ben", "system"), ("C-1001", "C-1002")))
    assert sorted(previews(trail)) == sorted(once)
    clock.advance(minutes=59, seconds=59)
    portal.preview("C-1001", by="ana")
    assert len(previews(trail)) == 6
    clock.advance(seconds=1)
    portal.preview("C-1001", by="ana")
    assert previews(trail)[6:] == [("ana", "C-1001")]
    clock.advance(hours=-2)  # a clock that goes back
    portal.preview("C-1001", by="ana")
    assert len(previews(trail)) == 8


@pytest.mark.parametrize("by", ["", "x" * 256, "a\nb", 7, b"ana"])
def test_staff_without_a_name(portal: Portal, trail: Trail, by: Any) -> None:
    """Who previews has a name of one line; else nothing is shown or noted."""
    with pytest.raises(InvalidValue, match="by"):
        portal.preview("C-1001", by=by)
    assert previews(trail) == []
    assert portal.preview("C-1001", by="x" * 255)


def test_nobody_to_preview(portal: Portal, trail: Trail) -> None:
    """An unknown or blocked customer, or an id that is none, is refused by its cause."""
    refusals: dict[Any, type[Exception]] = {
        "absent": CustomerNotFound,
        "C-1003": CustomerBlocked,
        "": InvalidValue,
        None: InvalidValue,
    }
    for customer_id, error in refusals.items():
        assert outcome(portal.preview, customer_id, by="ana") is error
    assert previews(trail) == []
    assert portal.preview("C-1001", by="ana")


def test_a_kept_preview(make_portal: Callable[..., Portal], storage: Any) -> None:
    """A kept preview ends with the gate, and with the customer; staff learn which it is."""
    edition = [Edition.SERVER]
    portal = make_portal(edition=lambda: edition[0])
    stock(storage, "C-1")
    portal.settings.save(ALL_ON)
    preview = portal.preview("C-1")
    assert preview.summary()
    storage.customers.save(a_customer("C-1", blocked=True))
    assert outcome(preview.summary) is CustomerBlocked
    storage.customers.delete("C-1")
    assert outcome(preview.summary) is CustomerNotFound
    edition[0] = Edition.DESKTOP
    assert outcome(preview.summary) is PortalNotAvailable
    assert outcome(portal.preview, "C-1") is PortalNotAvailable
