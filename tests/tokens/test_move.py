"""A customer is merged or renumbered in the host: all of it moves, and the old link ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from basis_portal import (
    AccessDenied,
    AccessRevoked,
    AuditEntry,
    AuditEvent,
    CustomerNotFound,
    Edition,
    EndedAs,
    InvalidValue,
    Moved,
    NoActiveToken,
    Portal,
    PortalConfig,
    PortalError,
    TokenStatus,
)
from basis_portal.domain.audit import Cause
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.testing.builders import a_customer, a_mail

TextOf = Callable[..., str]
Trail = Callable[[], list[AuditEntry]]
State = Callable[[], dict[str, Any]]

OLD, NEW = "C-1001", "C-1002"


@pytest.fixture
def writing(portal: Portal) -> Portal:
    """The portal, with messages switched on."""
    portal.settings.save(PortalConfig(enabled=True, allow_messages=True), by="ana")
    return portal


def opens(portal: Portal, text: str) -> bool:
    """Whether a link opens."""
    try:
        portal.open(text)
    except AccessDenied:
        return False
    return True


def test_the_old_link_ends_and_the_new_one_goes_on(portal: Portal, text_of: TextOf) -> None:
    """Of two with a link each, the one merged into keeps its own."""
    for customer_id in (NEW, OLD):
        portal.tokens.generate(customer_id, by="ana")
    old, new = text_of(portal, OLD), text_of(portal, NEW)
    assert opens(portal, old)
    kept = portal.open(old, record=False)
    portal.privacy.move(OLD, NEW, by="ben")
    assert not opens(portal, old)
    assert opens(portal, new)
    with pytest.raises(AccessDenied):
        kept.summary()
    assert text_of(portal, NEW) == new
    with pytest.raises(NoActiveToken):
        portal.tokens.link(OLD)


def test_all_that_is_held_moves(
    writing: Portal, storage: Any, text_of: TextOf, state: State, clock: FrozenClock
) -> None:
    """Tokens, messages, notes, e-mails, trail: an erasure of the new id leaves none of it."""
    storage.customers.save(a_customer("K-7001", name="Hops"))
    writing.tokens.generate("K-7001", by="ana")
    access = writing.open(text_of(writing, "K-7001"))
    access.send_message("We paid in cash.", idempotency_key="form-1")
    writing.messages.note("K-7001", "a difficult one", by="ana")
    storage.mails.add([a_mail("E-1", customer_id="K-7001", run="April")])
    storage.customers.delete("K-7001")
    clock.advance(hours=1)
    before = writing.privacy.export("K-7001")
    moved = writing.privacy.move("K-7001", NEW, by="ben")
    assert moved == Moved(tokens=1, messages=2, mails=1, audit_entries=len(before["audit"]) + 1)
    after = writing.privacy.export(NEW)
    assert [one["text"] for one in after["messages"]] == ["We paid in cash."]
    assert [one["text"] for one in after["notes"]] == ["a difficult one"]
    assert [one["id"] for one in after["mails"]] == ["E-1"]
    assert [one["id"] for one in after["tokens"]] == [one["id"] for one in before["tokens"]]
    assert [one["event"] for one in after["audit"]][-4:] == [
        "message",
        "exported",
        "ended",
        "moved",
    ]
    assert "K-7001" in str(state())  # the line of the move says whence
    writing.privacy.erase(NEW)
    assert "K-7001" not in str(state())


def test_the_move_is_audited(portal: Portal, trail: Trail, clock: FrozenClock) -> None:
    """Who moved which id to which, and that the old token ended; repeating it writes nothing."""
    token = portal.tokens.generate(OLD, by="ana")
    before = len(trail())
    portal.privacy.move(OLD, NEW, by="ben")
    ended, moved = trail()[before:]
    assert ended == AuditEntry(clock.now, AuditEvent.ENDED, "ben", NEW, token.id, Cause.REPLACED)
    assert moved == AuditEntry(clock.now, AuditEvent.MOVED, "ben", NEW, detail=f"from: {OLD!r}")
    assert portal.privacy.move(OLD, NEW, by="ben") == Moved(0, 0, 0, 0)
    assert len(trail()) == before + 2
    assert not [entry for entry in trail() if entry.customer_id == OLD]


def test_a_revoke_by_staff_stays_in_force_under_a_new_number(portal: Portal) -> None:
    """What staff revoked does not come back because the host gave another number."""
    portal.tokens.generate(OLD, by="ana")
    portal.tokens.revoke(OLD, by="ana", reason="left the company")
    portal.privacy.move(OLD, NEW, by="ben")
    with pytest.raises(AccessRevoked):
        portal.tokens.ensure(NEW)
    token = portal.tokens.get(NEW)
    assert token is not None
    assert (token.status_at(token.issued_at), token.reason) == (
        TokenStatus.REVOKED,
        "left the company",
    )


@pytest.mark.parametrize("days", [None, 1])
def test_a_renumbered_customer_gets_a_new_link(
    portal: Portal, clock: FrozenClock, days: int | None
) -> None:
    """Its old one was replaced and not revoked, were it active or expired."""
    old = portal.tokens.generate(OLD, by="ana", days=days)
    clock.advance(days=2)
    portal.privacy.move(OLD, NEW, by="ben")
    issued = portal.tokens.ensure(NEW, by="ben")
    assert issued.status_at(clock.now) is TokenStatus.ACTIVE
    ended, now = portal.tokens.history(NEW)
    assert (ended.id, ended.ended_as, ended.ended_by) == (old.id, EndedAs.REPLACED, "ben")
    assert now == issued


def test_the_own_token_of_the_new_id_counts(portal: Portal, clock: FrozenClock) -> None:
    """It is not revoked by what became of the other's, nor revived by it."""
    portal.tokens.generate(NEW, by="ana")
    portal.tokens.revoke(NEW, by="ana")
    clock.advance(days=1)
    portal.tokens.generate(OLD, by="ana")
    portal.privacy.move(OLD, NEW, by="ben")
    with pytest.raises(AccessRevoked):
        portal.tokens.ensure(NEW)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (OLD, OLD, InvalidValue),
        ("", NEW, InvalidValue),
        (OLD, "", InvalidValue),
        (OLD, None, InvalidValue),
        (OLD, "nobody", CustomerNotFound),
    ],
)
def test_what_cannot_be_moved_is_refused(
    portal: Portal, state: State, old: Any, new: Any, error: type[Exception]
) -> None:
    """The same id, what is no id, or an id that the host does not know; nothing changes."""
    portal.tokens.generate(OLD, by="ana")
    before = state()
    with pytest.raises(error):
        portal.privacy.move(old, new, by="ben")
    assert state() == before


def test_a_move_works_in_every_edition(portal: Portal, storage: Any, make_portal: Any) -> None:
    """As erasure does: it takes a right away and gives none."""
    portal.tokens.generate(OLD, by="ana")
    closed = make_portal(edition=Edition.DESKTOP, feature_enabled=False)
    assert closed.privacy.move(OLD, NEW).tokens == 1


def test_any_id_can_be_moved(portal: Portal, storage: Any, trail: Trail) -> None:
    """The line of the trail tells ids that are no text of one line, or very long ones."""
    for odd in ("tab\tand\nline", "\x01" * 255, "é" * 255):
        storage.customers.save(a_customer(odd, name="Odd"))
        portal.tokens.generate(odd, by="ana")
        portal.privacy.move(odd, NEW, by="ben")
        assert repr(odd)[:100] in str(trail()[-1].detail)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["generate", "revoke", "regenerate", "expire", "move", "ensure"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=14,
)


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_move_gives_access_that_staff_revoked(steps: list[tuple[str, str]]) -> None:
    """Whatever happens to two customers: one current token each, and no revoke undone by a move."""
    clock, storage = FrozenClock(), InMemoryStorage()
    storage.customers.save(a_customer("a"), a_customer("b"))
    portal = Portal(
        storage, secret_keys=["k" * 32], base_url="https://erp.example.com/p", clock=clock
    )
    portal.settings.save(PortalConfig(enabled=True))
    for step, one in steps:
        other = "b" if one == "a" else "a"
        latest, of_other = portal.tokens.get(one), portal.tokens.get(other)
        clock.advance(hours=1)
        if step == "expire":
            clock.advance(days=31)
        elif step != "move":
            with suppress(PortalError):
                getattr(portal.tokens, step)(one)
        else:
            portal.privacy.move(one, other)
            assert portal.tokens.get(one) is None
            kept = portal.tokens.get(other)
            if of_other is not None:
                assert kept == of_other
            elif latest is not None:
                assert kept is not None
                assert not kept.is_current
                is_revoked = latest.ended_as is EndedAs.REVOKED
                assert (kept.ended_as is EndedAs.REVOKED) is is_revoked
                assert kept.id == latest.id
        for customer_id in ("a", "b"):
            history = portal.tokens.history(customer_id)
            assert [t for t in history if t.is_current] == [t for t in history[-1:] if t.is_current]
