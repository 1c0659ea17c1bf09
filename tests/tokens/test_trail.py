"""What the trail says of links: copied, shown, opened, refused, previewed, and how often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from basis_portal import (
    AccessDenied,
    AuditEntry,
    AuditEvent,
    Cause,
    Customer,
    Portal,
    PortalConfig,
    PortalToken,
    StorageError,
)
from basis_portal.links import LinkSigner
from basis_portal.testing.builders import a_customer, token_id
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]
Told = Callable[..., list[str]]
Trail = Callable[[], list[AuditEntry]]

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
# How far the clock goes on, or back, after an entry, and whether the next one is written then.
HOURLY = [
    (timedelta(0), False),
    (HOUR - MICROSECOND, False),
    (HOUR, True),
    (25 * HOUR, True),
    (-(HOUR - MICROSECOND), False),
    (-HOUR, True),
]


@pytest.fixture
def token(portal: Portal) -> PortalToken:
    """The active token of C-1001, for 365 days."""
    return portal.tokens.generate("C-1001", days=365)


def refused(portal: Portal, text: str, *, record: bool = True) -> None:
    """Open a link that opens nothing."""
    with pytest.raises(AccessDenied):
        portal.open(text, record=record)


@pytest.mark.parametrize(("distance", "noted"), HOURLY)
def test_opened_at_most_once_an_hour(
    distance: timedelta,
    noted: bool,
    portal: Portal,
    token: PortalToken,
    clock: FrozenClock,
    text_of: TextOf,
    trail: Trail,
) -> None:
    """A token counts as opened at most once an hour; the entry says when and whose, not who."""
    text = text_of(portal)
    since = len(trail())
    portal.open(text)
    opened = AuditEntry(clock.now, AuditEvent.OPENED, None, "C-1001", token.id)
    assert trail()[since:] == [opened]
    clock.advance(distance)
    portal.open(text)
    portal.open(text)
    assert len(trail()[since:]) == 1 + noted
    assert trail()[-1].at == (clock.now if noted else opened.at)
    assert portal.tokens.last_opened([token.id]) == {token.id: trail()[-1].at}


def test_each_token_is_opened_by_itself(
    portal: Portal, token: PortalToken, text_of: TextOf, told: Told, trail: Trail
) -> None:
    """The hour is of the token: a new one, and another customer's, is noted at once."""
    portal.tokens.generate("C-1002")
    since = len(trail())
    portal.open(text_of(portal, "C-1002"))
    portal.open(text_of(portal))
    portal.tokens.regenerate("C-1001")
    portal.open(text_of(portal))
    assert told(since).count("opened") == 3


@pytest.mark.sampled
@pytest.mark.parametrize("cause", [one for one in Cause if one is not Cause.UNREADABLE])
@pytest.mark.parametrize(("distance", "noted"), HOURLY)
def test_refused_at_most_once_an_hour(
    distance: timedelta,
    noted: bool,
    cause: Cause,
    portal: Portal,
    make_portal: MakePortal,
    token: PortalToken,
    storage: Any,
    clock: FrozenClock,
    text_of: TextOf,
    secret_key: str,
    trail: Trail,
) -> None:
    """After a good signature a refusal is noted with its cause, once an hour and cause."""
    text = text_of(portal)
    whose: str | None = "C-1001"
    clock.advance(days=100)
    if cause is Cause.UNKNOWN:
        text, whose = LinkSigner([secret_key], storage.tenant).sign(token_id(3)), None
    elif cause is Cause.REVOKED:
        portal.tokens.revoke("C-1001")
    elif cause is Cause.REPLACED:
        portal.tokens.regenerate("C-1001")
    elif cause is Cause.EXPIRED:
        clock.advance(days=365)
    elif cause is Cause.CUSTOMER_UNKNOWN:
        storage.customers.delete("C-1001")
    elif cause is Cause.CUSTOMER_BLOCKED:
        storage.customers.save(a_customer("C-1001", blocked=True))
    else:
        portal = make_portal(customers=_Confused())
    since = len(trail())
    refused(portal, text)
    entry = AuditEntry(clock.now, AuditEvent.REFUSED, None, whose, text[:22], cause)
    assert trail()[since:] == [entry]
    refused(portal, text)
    clock.advance(distance)
    refused(portal, text)
    assert len(trail()[since:]) == 1 + noted


class _Confused:
    """A host's customers, where everybody is C-1002."""

    def get(self, customer_id: str) -> Customer:
        return Customer("C-1002", "Teh Melati")


class _Failing:
    """A host's customers, which cannot be reached."""

    def get(self, customer_id: str) -> Customer:
        raise ConnectionError("the host is down")


def test_causes_are_noted_apart(
    portal: Portal, token: PortalToken, storage: Any, text_of: TextOf, told: Told, trail: Trail
) -> None:
    """Within one hour each cause of a token is noted once."""
    text, since = text_of(portal), len(trail())
    for _ in range(2):
        storage.customers.save(a_customer("C-1001", blocked=True))
        refused(portal, text)
        storage.customers.delete("C-1001")
        refused(portal, text)
    storage.customers.save(a_customer("C-1001"))
    portal.tokens.regenerate("C-1001")
    refused(portal, text)
    refused(portal, text_of(portal)[:-1])
    assert [one for one in told(since) if one.startswith("refused")] == [
        "refused customer_blocked",
        "refused customer_unknown",
        "refused replaced",
    ]


def test_a_check_that_fails_denies(
    portal: Portal,
    token: PortalToken,
    make_portal: MakePortal,
    text_of: TextOf,
    told: Told,
    trail: Trail,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the host's customers fail, the link is refused; log and trail say it is a fault."""
    text, since = text_of(portal), len(trail())
    refused(make_portal(customers=_Failing()), text)
    assert told(since) == ["refused fault"]
    assert "the host is down" in caplog.text
    assert portal.open(text).customer.id == "C-1001"


def test_a_storage_that_cannot_be_read(
    portal: Portal,
    make_portal: MakePortal,
    watched: Any,
    token: PortalToken,
    text_of: TextOf,
    state: State,
) -> None:
    """Where storage or host cannot read, the visitor gets a StorageError, and nothing is noted."""
    text = text_of(portal)
    before = state()
    over = make_portal(watched, customers=watched.customers)
    for name in ("opening", "customers.get"):
        watched.before.clear()
        watched.before[name] = _raising(StorageError("the file is damaged"))
        with pytest.raises(StorageError, match="the file is damaged"):
            over.open(text)
    assert state() == before
    assert portal.open(text).customer.id == "C-1001"


def test_unrecorded_openings_write_nothing(
    portal: Portal,
    make_portal: MakePortal,
    watched: Any,
    token: PortalToken,
    text_of: TextOf,
    state: State,
) -> None:
    """`record=False`, for prefetches and HEAD, notes neither an opening nor a refusal."""
    text, over = text_of(portal), make_portal(watched)
    before = state()
    access = over.open(text, record=False)
    access.sections()
    assert state() == before
    portal.tokens.revoke("C-1001")
    before = state()
    refused(over, text, record=False)
    with pytest.raises(AccessDenied):
        access.sections()
    assert state() == before
    assert set(watched.calls) == {"opening"}
    refused(over, text)
    assert state() != before


@pytest.mark.parametrize("broken", ["audit.append", "audit.last", "tokens.mark_opened"])
def test_a_trail_that_cannot_be_written_stops_nobody(
    broken: str,
    portal: Portal,
    make_portal: MakePortal,
    watched: Any,
    token: PortalToken,
    text_of: TextOf,
    state: State,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where opened or refused cannot be written the visitor is answered and the log says so."""
    text, over = text_of(portal), make_portal(watched)
    for error in (StorageError("the disk is full"), RuntimeError("a bug")):
        watched.before[broken] = _raising(error)
        before = state()
        assert over.open(text, record=broken != "audit.last").customer.id == "C-1001"
        assert state() == before
    portal.tokens.revoke("C-1001")
    before = state()
    refused(over, text)
    assert (state() == before) is (broken != "tokens.mark_opened")
    assert caplog.text.count("the audit trail could not be written") >= 1
    assert "a bug" in caplog.text


def _raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_change_is_lost_with_its_entry(
    portal: Portal, make_portal: MakePortal, watched: Any, token: PortalToken, state: State
) -> None:
    """What staff change is audited in the same transaction: without the entry, no change."""
    over = make_portal(watched)
    watched.before["audit.append"] = _raising(StorageError("the disk is full"))
    before = state()
    acts: list[Callable[[], object]] = [
        lambda: over.tokens.generate("C-1002"),
        lambda: over.tokens.regenerate("C-1001"),
        lambda: over.tokens.ensure("C-1002"),
        lambda: over.tokens.revoke("C-1001"),
        over.tokens.revoke_all,
        lambda: over.tokens.link("C-1001"),
        lambda: over.preview("C-1001"),
        lambda: over.messages.reply("C-1001", "Yes"),
        lambda: over.privacy.export("C-1001"),
        lambda: over.privacy.erase("C-1001"),
        lambda: over.settings.save(PortalConfig()),
    ]
    for act in acts:
        with pytest.raises(StorageError, match="the disk is full"):
            act()
    assert state() == before
    watched.before.clear()
    for act in acts[:4]:
        act()
    assert len(state()["trail"]) == len(before["trail"]) + 4


def test_each_copy_is_noted(
    portal: Portal, token: PortalToken, clock: FrozenClock, trail: Trail
) -> None:
    """Every copy of a link is audited with who copied it; the address itself is not."""
    since = len(trail())
    links = {portal.tokens.link("C-1001", by=who) for who in ("ana", "ana", "bo")}
    entry = AuditEntry(clock.now, AuditEvent.LINK_COPIED, "ana", "C-1001", token.id)
    assert trail()[since : since + 2] == [entry, entry]
    assert trail()[-1].by == "bo"
    (link,) = links
    assert link.rsplit(".", 1)[1] not in repr([vars(one) for one in trail()])


@pytest.mark.parametrize(("distance", "noted"), HOURLY)
def test_shown_at_most_once_an_hour(
    distance: timedelta,
    noted: bool,
    portal: Portal,
    token: PortalToken,
    clock: FrozenClock,
    trail: Trail,
) -> None:
    """A link on a page is noted once an hour per customer and member of staff."""
    since = len(trail())
    shown = portal.tokens.link("C-1001", by="ana", shown=True)
    assert shown == portal.tokens.link("C-1001", by="ana")
    entry = AuditEntry(clock.now, AuditEvent.LINK_SHOWN, "ana", "C-1001", token.id)
    assert trail()[since] == entry
    portal.tokens.link("C-1001", by="ana", shown=True)
    clock.advance(distance)
    portal.tokens.link("C-1001", by="ana", shown=True)
    assert _count(trail, AuditEvent.LINK_SHOWN) == 1 + noted
    portal.tokens.link("C-1001", by="bo", shown=True)
    assert _count(trail, AuditEvent.LINK_SHOWN) == 2 + noted
    portal.tokens.generate("C-1002")
    portal.tokens.link("C-1002", by="ana", shown=True)
    assert _count(trail, AuditEvent.LINK_SHOWN) == 3 + noted


@pytest.mark.parametrize(("distance", "noted"), HOURLY)
def test_previewed_at_most_once_an_hour(
    distance: timedelta, noted: bool, portal: Portal, clock: FrozenClock, trail: Trail
) -> None:
    """A preview is noted once an hour per customer and member of staff, never as opened."""
    since = len(trail())
    portal.preview("C-1001", by="ana")
    assert trail()[since:] == [AuditEntry(clock.now, AuditEvent.PREVIEWED, "ana", "C-1001")]
    portal.preview("C-1001", by="ana").sections()
    clock.advance(distance)
    portal.preview("C-1001", by="ana").sections()
    assert _count(trail, AuditEvent.PREVIEWED) == 1 + noted
    portal.preview("C-1001", by="bo")
    portal.preview("C-1002")
    assert _count(trail, AuditEvent.PREVIEWED) == 3 + noted
    assert trail()[-1].by == "system"
    assert _count(trail, AuditEvent.OPENED) == 0


def _count(trail: Trail, event: AuditEvent) -> int:
    return sum(entry.event is event for entry in trail())


@pytest.mark.parametrize("revoked", [False, True])
def test_an_erasure_overtakes_an_opening(
    revoked: bool,
    portal: Portal,
    make_portal: MakePortal,
    watched: Any,
    token: PortalToken,
    text_of: TextOf,
    state: State,
) -> None:
    """A customer erased between the check and its note is in the trail by the pseudonym alone."""
    text, over, pseudonyms = text_of(portal), make_portal(watched), list[str]()
    if revoked:
        portal.tokens.revoke("C-1001")
    watched.after["opening"] = lambda: pseudonyms.append(portal.privacy.erase("C-1001"))
    if revoked:
        refused(over, text)
    else:
        over.open(text)
    last = state()["trail"][-1]
    assert (last.event, last.token_id) == ("refused" if revoked else "opened", token.id)
    assert last.customer_id == pseudonyms[0]
    assert "C-1001" not in {entry.customer_id for entry in state()["trail"]}
