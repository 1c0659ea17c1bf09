"""Who may enter, and in which order refusals are given: the whole table."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
import pytest
from tests.depth import some

from basis_portal import (
    AccessDenied,
    AuditEvent,
    CustomerBlocked,
    CustomerNotFound,
    Edition,
    InvalidValue,
    Portal,
    PortalAccess,
    PortalConfig,
    PortalNotAvailable,
    StorageError,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_customer, token_id
from basis_portal.testing.clocks import FrozenClock

from .worlds import (
    ALL_ON,
    CALLS,
    CUSTOMER_FAULTS,
    CUSTOMER_STATES,
    Call,
    HostCustomers,
    link_text,
    outcome,
    over,
    stock,
)

MakePortal = Callable[..., Portal]


def fails(*_: object) -> Any:
    """What a host's gate may do instead of answering."""
    raise RuntimeError("the licence server does not answer")


# Each value of a gate, and whether it gives the portal.
EDITIONS: dict[str, tuple[Any, bool]] = {
    "desktop": (Edition.DESKTOP, False),
    "server": (Edition.SERVER, True),
    "cloud": (Edition.CLOUD, True),
    "asked: desktop": (lambda: Edition.DESKTOP, False),
    "asked: server": (lambda: Edition.SERVER, True),
    "asked: cloud": (lambda: Edition.CLOUD, True),
    "asked: a word": (lambda: "server", False),
    "asked: nothing": (lambda: None, False),
    "asked: fails": (fails, False),
}
FEATURES: dict[str, tuple[Any, bool]] = {
    "on": (True, True),
    "off": (False, False),
    "asked: on": (lambda: True, True),
    "asked: off": (lambda: False, False),
    "asked: a number": (lambda: 1, False),
    "asked: fails": (fails, False),
}
TOKEN_STATES = ("active", "expired", "revoked", "replaced", "unknown")
SWITCHES = ("show_sales_orders", "show_credit_notes", "show_statement", "allow_messages")
CONFIGS = tuple(
    PortalConfig.from_dict(dict(zip(("enabled", *SWITCHES), switches, strict=True)))
    for switches in itertools.product((True, False), repeat=5)
)
STORED_CUSTOMER_STATES = ("there", "unknown", "blocked")

Answer = type[Exception] | None


# --- the order of answers, step by step ---------------------------------------------------


def answer(gate: bool, switch: bool, token: str, customer: str) -> Answer:
    """What whoever opens a link is told, None where it opens."""
    if not gate or not switch:
        return PortalNotAvailable
    if token != "active":
        return AccessDenied
    if customer == "unreadable":
        return StorageError
    return None if customer == "there" else AccessDenied


def preview_answer(gate: bool, customer: str) -> Answer:
    """What staff are told who preview: no token, no switch, and they learn the cause."""
    if not gate:
        return PortalNotAvailable
    if customer in CUSTOMER_FAULTS:
        return CUSTOMER_FAULTS[customer]
    return {"there": None, "blocked": CustomerBlocked}.get(customer, CustomerNotFound)


def call_answer(call: Call, admission: Answer, config: PortalConfig, *, preview: bool) -> Answer:
    """What a method answers: as opening does, and then by its section."""
    if admission is not None:
        return admission
    if preview and call.method == "send_message":
        return AccessDenied
    return call.hidden if call.switch and not getattr(config, call.switch) else None


# --- the worlds ---------------------------------------------------------------------------


@attrs.define
class Gate:
    """A gate the test moves, as it is asked at each use."""

    edition: Any = Edition.SERVER
    feature: Any = True

    def ask_edition(self) -> Any:
        """The edition now."""
        return self.edition() if callable(self.edition) else self.edition

    def ask_feature(self) -> Any:
        """The feature switch now."""
        return self.feature() if callable(self.feature) else self.feature


@attrs.define
class World:
    """A portal with one customer for each state of a token, and accesses kept from better times."""

    storage: Any
    portal: Portal
    gate: Gate
    texts: dict[str, str]
    kept: dict[str, PortalAccess]
    previews: dict[str, PortalAccess]


class Undone(Exception):
    """Ends a transaction that is to leave nothing."""


@pytest.fixture
def build(storage: Any, clock: FrozenClock, make_portal: MakePortal) -> Callable[..., World]:
    """Makes a world whose tokens stand in every state there is."""

    def make(**changes: Any) -> World:
        gate = Gate()
        portal = make_portal(edition=gate.ask_edition, feature_enabled=gate.ask_feature, **changes)
        portal.settings.save(ALL_ON)
        kept = dict(_accesses(portal, storage, clock))
        texts = {state: text for state, (text, _) in kept.items()}
        accesses = {state: access for state, (_, access) in kept.items()}
        previews = {state: portal.preview(f"C-{state}") for state in TOKEN_STATES}
        return World(storage, portal, gate, texts, accesses, previews)

    return make


def _accesses(
    portal: Portal, storage: Any, clock: FrozenClock
) -> Iterator[tuple[str, tuple[str, PortalAccess]]]:
    for state in TOKEN_STATES:
        stock(storage, f"C-{state}")

    def enter(state: str, days: int) -> tuple[str, PortalAccess]:
        portal.tokens.generate(f"C-{state}", days=days)
        text = link_text(portal, f"C-{state}")
        return text, portal.open(text)

    found = {state: enter(state, 1 if state == "expired" else 30) for state in TOKEN_STATES[:-1]}
    yield from found.items()
    yield "unknown", _of_a_lost_row(storage, lambda: enter("unknown", 30))
    portal.tokens.revoke("C-revoked")
    portal.tokens.regenerate("C-replaced")
    clock.advance(days=2)


def _of_a_lost_row(storage: Any, enter: Callable[[], Any]) -> Any:
    """What ``enter`` gives, in a transaction that is then undone."""
    found = []

    def work(_: Any) -> None:
        found.append(enter())
        raise Undone

    with pytest.raises(Undone):
        storage.transact(work, lock=["C-unknown"])
    return found[0]


def put_stored_customers(storage: Any, state: str) -> None:
    """Bring the storage's own customers into a state."""
    for name in TOKEN_STATES:
        storage.customers.delete(f"C-{name}")
        if state != "unknown":
            storage.customers.save(a_customer(f"C-{name}", blocked=state == "blocked"))


@pytest.fixture
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    """A table of refusals is not to be kept as a log."""
    caplog.set_level(logging.CRITICAL + 1, logger="basis_portal")


def check_told(error: BaseException | None) -> None:
    """A refusal says the same for every cause, and carries nothing that tells it."""
    if isinstance(error, AccessDenied):
        assert (str(error), vars(error)) == ("Access denied", {})
    if isinstance(error, PortalNotAvailable):
        assert str(error).startswith("Portal not available")
    if isinstance(error, AccessDenied | PortalNotAvailable):
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__


def compare(expected: Answer, world: object, run: Callable[..., object], *args: Any) -> None:
    """Run, and hold what is raised against what is expected."""
    error: Exception | None = None
    try:
        run(*args)
    except Exception as caught:
        error = caught
    found = None if error is None else type(error)
    assert found is expected, f"{world}: {found} and not {expected}: {error!r}"
    check_told(error)


# --- the tables ---------------------------------------------------------------------------

KEPT_EDITIONS = {name: made for name, made in EDITIONS.items() if name.startswith("asked")}
KEPT_FEATURES = {name: made for name, made in FEATURES.items() if name.startswith("asked")}


@pytest.mark.sampled(6)  # of both, over each storage
@pytest.mark.usefixtures("no_log")
@pytest.mark.parametrize("of", ["host", "storage"])
def test_every_method_in_every_state(build: Callable[..., World], of: str) -> None:
    """Each method of a kept access answers as opening does now, and then by its section."""
    customers = HostCustomers()
    world = build(customers=customers) if of == "host" else build()
    states = CUSTOMER_STATES if of == "host" else STORED_CUSTOMER_STATES
    seen, configs = 0, some(CONFIGS)
    for config, state in itertools.product(configs, states):
        world.gate.edition, world.gate.feature = Edition.SERVER, True
        world.portal.settings.save(config)
        customers.state = state
        if of == "storage":
            put_stored_customers(world.storage, state)
        for edition, feature in itertools.product(KEPT_EDITIONS, KEPT_FEATURES):
            world.gate.edition, edition_gives = EDITIONS[edition]
            world.gate.feature, feature_gives = FEATURES[feature]
            gate = edition_gives and feature_gives
            seen += try_every_method(world, gate, config, state)
    gates = len(KEPT_EDITIONS) * len(KEPT_FEATURES)
    assert seen == len(configs) * len(states) * gates * (5 + 1) * len(CALLS)


def try_every_method(world: World, gate: bool, config: PortalConfig, state: str) -> int:
    """Call each method of the access of each token, and of a preview; how many calls."""
    preview = preview_answer(gate, state)
    for call in CALLS:
        for token, access in world.kept.items():
            told = answer(gate, config.enabled, token, state)
            expected = call_answer(call, told, config, preview=False)
            compare(expected, (call, gate, token, state, config), call.run, access)
        expected = call_answer(call, preview, config, preview=True)
        where = ("preview", call, gate, state, config)
        compare(expected, where, call.run, world.previews["active"])
    return (len(world.kept) + 1) * len(CALLS)


def test_the_table_calls_every_method() -> None:
    """No public method of an access is missing from the tables of these tests."""
    methods = {name for name, found in vars(PortalAccess).items() if callable(found)}
    public = {name for name in methods if not name.startswith(("_", "by_"))}
    assert public == {call.method for call in CALLS}


@pytest.mark.usefixtures("no_log")
def test_opening_in_every_state(build: Callable[..., World], make_portal: MakePortal) -> None:
    """A link opens or is refused by gate, switch, token and customer, in this order."""
    customers = HostCustomers()
    world = build(customers=customers)
    gates = itertools.product(EDITIONS.values(), FEATURES.values())
    portals = [
        (make_portal(edition=e, feature_enabled=f, customers=customers), e_gives and f_gives)
        for (e, e_gives), (f, f_gives) in gates
    ]
    unreadable = {f"unreadable: {text!r}": text for text in ("", "x", None)}
    forged = world.texts["active"][:-2] + "AA"
    texts = {**world.texts, **unreadable, "unreadable: forged": forged}
    configs = some(CONFIGS)
    opened = seen = 0
    for config, customers.state in itertools.product(configs, CUSTOMER_STATES):
        world.portal.settings.save(config)
        for portal, gate in portals:
            for token, text in texts.items():
                expected = answer(gate, config.enabled, token, customers.state)
                compare(expected, (gate, token, customers.state, config), portal.open, text)
                opened += expected is None
                seen += 1
            expected = preview_answer(gate, customers.state)
            compare(expected, (gate, customers.state, config), portal.preview, "C-active")
    assert (len(portals), len(texts), len(CONFIGS)) == (54, 9, 32)
    assert seen == 54 * 9 * len(configs) * len(CUSTOMER_STATES)
    switched_on = sum(config.enabled for config in configs)
    assert opened == 4 * 2 * switched_on > 0  # editions, features; all else is good


# --- an access kept over one change -------------------------------------------------------


@attrs.define(frozen=True)
class Change:
    """Something that ends an access, or one section of it."""

    do: Callable[[Portal, Any, FrozenClock, Gate], Any] = attrs.field(repr=False)
    then: type[Exception]


def _save(**changes: Any) -> Callable[[Portal, Any, FrozenClock, Gate], Any]:
    return lambda portal, *_: portal.settings.save(attrs.evolve(ALL_ON, **changes))


CHANGES = {
    "revoke": Change(lambda p, *_: p.tokens.revoke("C-1"), AccessDenied),
    "revoke all": Change(lambda p, *_: p.tokens.revoke_all(), AccessDenied),
    "regenerate": Change(lambda p, *_: p.tokens.regenerate("C-1"), AccessDenied),
    "expiry": Change(lambda p, s, clock, g: clock.advance(days=30), AccessDenied),
    "erasure": Change(lambda p, *_: p.privacy.erase("C-1"), AccessDenied),
    "customer blocked": Change(
        lambda p, storage, *_: storage.customers.save(a_customer("C-1", blocked=True)),
        AccessDenied,
    ),
    "customer deleted": Change(lambda p, s, *_: s.customers.delete("C-1"), AccessDenied),
    "switched off": Change(_save(enabled=False), PortalNotAvailable),
    "edition": Change(
        lambda p, s, c, gate: setattr(gate, "edition", Edition.DESKTOP), PortalNotAvailable
    ),
    "feature": Change(lambda p, s, c, gate: setattr(gate, "feature", False), PortalNotAvailable),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_access_kept_over_a_change(
    storage: Any, clock: FrozenClock, make_portal: MakePortal, name: str
) -> None:
    """The very next call of any method raises as opening the link does now."""
    gate = Gate()
    portal = make_portal(edition=gate.ask_edition, feature_enabled=gate.ask_feature)
    stock(storage, "C-1")
    portal.settings.save(ALL_ON)
    portal.tokens.generate("C-1")
    text = link_text(portal, "C-1")
    access = portal.open(text)
    before = [outcome(call.run, access) for call in CALLS]
    assert before == [None] * len(CALLS)
    CHANGES[name].do(portal, storage, clock, gate)
    assert outcome(portal.open, text) is CHANGES[name].then
    after = [outcome(call.run, access) for call in CALLS]
    assert after == [CHANGES[name].then] * len(CALLS)


def test_the_last_instant(storage: Any, clock: FrozenClock, make_portal: MakePortal) -> None:
    """A kept access works up to the microsecond before its token expires, and not on it."""
    portal = make_portal()
    stock(storage, "C-1")
    portal.settings.save(ALL_ON)
    token = portal.tokens.generate("C-1", days=1)
    access = portal.open(link_text(portal, "C-1"))
    assert access.expires_at == token.expires_at
    clock.set(token.expires_at)
    clock.advance(microseconds=-1)
    assert access.summary()
    clock.advance(microseconds=1)
    with pytest.raises(AccessDenied):
        access.summary()


@pytest.mark.parametrize("switch", SWITCHES)
def test_an_access_kept_over_a_section(storage: Any, make_portal: MakePortal, switch: str) -> None:
    """A section switched off is closed for the very next call; the others stay open."""
    portal = make_portal()
    stock(storage, "C-1")
    portal.settings.save(ALL_ON)
    portal.tokens.generate("C-1")
    access = portal.open(link_text(portal, "C-1"))
    assert [outcome(call.run, access) for call in CALLS] == [None] * len(CALLS)
    portal.settings.save(PortalConfig.from_dict({**ALL_ON.to_dict(), switch: False}))
    for call in CALLS:
        expected = call.hidden if call.switch == switch else None
        assert outcome(call.run, access) is expected, call


def test_arguments_say_nothing_to_the_refused(storage: Any, make_portal: MakePortal) -> None:
    """A link that opens nothing is refused before any argument is looked at."""
    portal = make_portal()
    stock(storage, "C-1")
    portal.settings.save(ALL_ON)
    portal.tokens.generate("C-1")
    access = portal.open(link_text(portal, "C-1"))
    calls: list[tuple[Callable[..., object], object]] = [
        (access.documents, "invoices"),
        (access.document_years, "invoices"),
        (access.statement, "yesterday"),
        (access.statement_page, "euros"),
        (access.statement_lines, "euros"),
        (lambda limit: access.messages(limit=limit), 0),
        (access.send_message, ""),
    ]
    assert {outcome(call, value) for call, value in calls} == {InvalidValue}
    portal.tokens.revoke("C-1")
    assert {outcome(call, value) for call, value in calls} == {AccessDenied}


# --- a storage that cannot be read --------------------------------------------------------


class Unreadable(InMemoryStorage):
    """A stranger's storage that can be read until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.settings = _BrokenSettings(self, self.settings)

    def opening(self, token_id: str) -> Any:
        """The storage's own, while it can be read."""
        self.check()
        return super().opening(token_id)

    def check(self) -> None:
        """Raise where it cannot be read."""
        if self.broken:
            raise StorageError("the disk is gone")


class _BrokenSettings:
    def __init__(self, storage: Unreadable, inner: Any) -> None:
        self._storage, self.put = storage, inner.put
        self._get = inner.get

    def get(self) -> Any:
        self._storage.check()
        return self._get()


def test_an_unreadable_storage(clock: FrozenClock) -> None:
    """Where the storage cannot be read the answer is neither of the two; the gate comes first."""
    storage, gate = Unreadable(), Gate()
    portal = over(storage, clock, edition=gate.ask_edition)
    stock(storage, "C-1")
    portal.settings.save(ALL_ON)
    portal.tokens.generate("C-1")
    text = link_text(portal, "C-1")
    access, preview = portal.open(text), portal.preview("C-1")
    calls: list[Callable[[], Any]] = [
        partial(portal.open, text),
        partial(portal.open, "junk"),
        partial(portal.preview, "C-1"),
        *(partial(call.run, one) for one in (access, preview) for call in CALLS),
    ]
    storage.broken = True
    assert {outcome(call) for call in calls} == {StorageError}
    gate.edition = Edition.DESKTOP
    assert {outcome(call) for call in calls} == {PortalNotAvailable}
    storage.broken, gate.edition = False, Edition.SERVER
    assert portal.open(text).summary() == access.summary()


class Mixed(InMemoryStorage):
    """A stranger's storage that answers for one token whatever it is asked for, or fails."""

    instead: str | None = None
    error: Exception | None = None

    def opening(self, token_id: str) -> Any:
        """What is known of that one."""
        if self.error:
            raise self.error
        return super().opening(self.instead or token_id)


def test_a_storage_with_a_fault(clock: FrozenClock, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever fails inside a check denies: another token's row, or an error of any kind."""
    storage = Mixed()
    portal = over(storage, clock)
    portal.settings.save(ALL_ON)
    for one in ("C-1", "C-2"):
        stock(storage, one)
        portal.tokens.generate(one)
    text = link_text(portal, "C-1")
    access, other = portal.open(text), portal.tokens.get("C-2")
    assert other
    for storage.instead, storage.error in ((other.id, None), (None, KeyError("row"))):
        caplog.clear()
        assert outcome(portal.open, text) is AccessDenied
        assert outcome(access.summary) is AccessDenied
        assert [record.levelno for record in caplog.records].count(logging.ERROR) == 2
    storage.error = None
    assert portal.open(text).customer.id == "C-1"
    refused = [e for _, e in storage.audit.page() if e.event is AuditEvent.REFUSED]
    assert [entry.cause for entry in refused] == ["fault"]


# --- the cause, which the visitor never learns --------------------------------------------


CAUSES = {
    "expired": "expired",
    "revoked": "revoked",
    "replaced": "replaced",
    "unknown": "unknown",
}
CUSTOMER_CAUSES = {
    "unknown": "customer_unknown",
    "blocked": "customer_blocked",
    "somebody else": "fault",
    "no customer": "fault",
    "failing": "fault",
}


@pytest.mark.parametrize("state", CAUSES)
def test_the_cause_of_a_token(
    build: Callable[..., World],
    trail: Callable[[], list[Any]],
    caplog: pytest.LogCaptureFixture,
    state: str,
) -> None:
    """Why a token opens nothing is in the log and in the trail, once an hour."""
    world = build()
    caplog.set_level(logging.INFO, logger="basis_portal")
    for _ in range(3):
        assert outcome(world.portal.open, world.texts[state]) is AccessDenied
    refused = [entry for entry in trail() if entry.event == "refused"]
    assert [entry.cause for entry in refused] == [CAUSES[state]]
    assert [entry.customer_id for entry in refused] == [
        None if state == "unknown" else f"C-{state}"
    ]
    assert CAUSES[state] in caplog.text
    assert world.texts[state] not in caplog.text
    assert world.texts[state][:22] not in caplog.text


@pytest.mark.parametrize("state", CUSTOMER_CAUSES)
def test_the_cause_of_a_customer(
    build: Callable[..., World],
    trail: Callable[[], list[Any]],
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
    state: str,
) -> None:
    """Why a customer may not enter is in the log and in the trail, once an hour."""
    customers = HostCustomers()
    world = build(customers=customers)
    caplog.set_level(logging.INFO, logger="basis_portal")
    customers.state = state

    def causes() -> list[Any]:
        return [entry.cause for entry in trail() if entry.event == "refused"]

    for _ in range(3):
        assert outcome(world.portal.open, world.texts["active"]) is AccessDenied
        assert outcome(world.kept["active"].summary) is AccessDenied
    assert causes() == [CUSTOMER_CAUSES[state]]
    assert CUSTOMER_CAUSES[state] in caplog.text
    clock.advance(hours=1)
    assert outcome(world.portal.open, world.texts["active"]) is AccessDenied
    assert causes() == [CUSTOMER_CAUSES[state]] * 2


def test_an_opening_that_is_not_recorded(
    build: Callable[..., World], trail: Callable[[], list[Any]], clock: FrozenClock
) -> None:
    """Without record neither an opening nor a refusal is noted; with it both are."""
    world = build()
    clock.advance(hours=2)

    def noted(record: bool) -> set[str]:
        before = len(trail())
        access = world.portal.open(world.texts["active"], record=record)
        assert access.summary()
        assert outcome(world.portal.open, world.texts["revoked"], record=record)
        return {str(entry.event) for entry in trail()[before:]}

    assert noted(record=False) == set()
    assert noted(record=True) == {"opened", "refused"}


@pytest.mark.parametrize("record", [True, False])
def test_a_kept_access_notes_as_it_was_opened(
    record: bool, build: Callable[..., World], trail: Callable[[], list[Any]]
) -> None:
    """What is refused to an access that outlived its link is noted where its opening was."""
    world = build()
    access = world.portal.open(world.texts["active"], record=record)
    world.portal.tokens.revoke(access.customer.id)
    before = len(trail())
    assert outcome(access.summary) is AccessDenied
    noted = [str(entry.event) for entry in trail()[before:]]
    assert noted == ["refused"] * record


def test_two_openings_at_once(
    watched: Any, make_portal: MakePortal, trail: Callable[[], list[Any]]
) -> None:
    """Of two openings within the same moment one is noted, and both are answered."""
    portal = make_portal(watched)
    stock(watched.inner, "C-1")
    portal.settings.save(ALL_ON)
    portal.tokens.generate("C-1")
    text = link_text(portal, "C-1")
    found = []

    def another() -> None:
        watched.after.clear()
        found.append(portal.open(text))

    watched.after["opening"] = another
    found.append(portal.open(text))
    assert [access.summary().as_of for access in found] == [portal.today()] * 2
    assert [entry.event for entry in trail()].count(AuditEvent.OPENED) == 1


def test_a_trail_that_cannot_be_written(
    watched: Any, make_portal: MakePortal, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where an opening or a refusal cannot be noted the visitor is answered all the same."""
    portal = make_portal(watched)
    stock(watched.inner, "C-1")
    portal.settings.save(ALL_ON)
    portal.tokens.generate("C-1")
    text = link_text(portal, "C-1")

    def full() -> None:
        raise StorageError("the disk is full")

    watched.before["audit.append"] = full
    assert portal.open(text).summary()
    assert "the audit trail could not be written" in caplog.text
    caplog.clear()
    watched.before.clear()
    portal.tokens.revoke("C-1")
    watched.before["audit.append"] = full
    assert outcome(portal.open, text) is AccessDenied
    assert "the audit trail could not be written" in caplog.text


def test_a_clock_that_fails(storage: Any, make_portal: MakePortal, clock: FrozenClock) -> None:
    """Without a clock nobody enters by a link."""
    broken: list[bool] = []

    def read() -> Any:
        return fails() if broken else clock()

    portal = make_portal(clock=read)
    stock(storage, "C-1")
    portal.settings.save(ALL_ON)
    portal.tokens.generate("C-1")
    text = link_text(portal, "C-1")
    access = portal.open(text)
    broken.append(True)
    assert outcome(portal.open, text) is AccessDenied
    assert outcome(access.summary) is AccessDenied


def test_the_clock_is_read_once(build: Callable[..., World], clock: FrozenClock) -> None:
    """Opening, previewing and each method read the clock once; a stream once more at its end."""
    world = build()
    for token in world.kept, world.previews:
        for call in CALLS:
            before = clock.reads
            outcome(call.run, token["active"])
            expected = 2 if call.method == "statement_lines" else 1
            assert clock.reads - before == expected, call
    before = clock.reads
    world.portal.open(world.texts["active"])
    world.portal.preview("C-active")
    assert clock.reads - before == 2


def test_an_access_is_not_passed_on(build: Callable[..., World]) -> None:
    """An access is not pickled, and its text names the customer alone."""
    import pickle

    world = build()
    access = world.kept["active"]
    with pytest.raises(TypeError):
        pickle.dumps(access)
    assert repr(access) == "<PortalAccess of customer 'C-active'>"
    assert token_id(1) not in repr(access)
    assert (access.is_preview, world.previews["active"].is_preview) == (False, True)
    assert world.previews["active"].expires_at is None
