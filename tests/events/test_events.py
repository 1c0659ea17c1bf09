"""The host is told what happened, after the commit, and nothing it does then breaks anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from basis_portal import (
    AccessDenied,
    ActiveTokenExists,
    AuditEntry,
    AuditEvent,
    InvalidValue,
    Portal,
    PortalConfig,
    StorageError,
)
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.parts.base import in_thread

ON = PortalConfig(enabled=True, allow_messages=True)


@dataclass
class World:
    """A portal that tells a host, and what the host was told.

    Attributes:
        answer: what the host does with each event.
    """

    portal: Portal
    clock: FrozenClock
    told: list[AuditEntry] = field(default_factory=list)
    answer: Callable[[AuditEntry], object] = lambda _: None

    def hear(self, entry: AuditEntry) -> object:
        """Take an event down, then answer."""
        self.told.append(entry)
        return self.answer(entry)

    def text(self, customer_id: str = "C-1001") -> str:
        """The text of a customer's link."""
        return self.portal.tokens.link(customer_id).rsplit("/", 1)[1]


@pytest.fixture
def world(portal: Portal, make_portal: Callable[..., Portal], clock: FrozenClock) -> World:
    """C-1001 has a token, and may write; of what was done so far nothing is told any more."""
    world = World(portal, clock)
    world.portal = make_portal(on_event=world.hear)
    world.portal.settings.save(ON, by="ana")
    world.portal.tokens.generate("C-1001", by="ana")
    world.told.clear()
    return world


def refuse(world: World) -> None:
    """Open a link that has been revoked."""
    text = world.text()
    world.portal.tokens.revoke("C-1001")
    with pytest.raises(AccessDenied):
        world.portal.open(text)


USE_CASES: dict[str, tuple[Callable[[World], object], list[str]]] = {
    "generate": (lambda w: w.portal.tokens.generate("C-1002", days=3), ["issued"]),
    "regenerate": (lambda w: w.portal.tokens.regenerate("C-1001"), ["ended", "issued"]),
    "ensure": (lambda w: w.portal.tokens.ensure("C-1002"), ["issued"]),
    "ensure, active": (lambda w: w.portal.tokens.ensure("C-1001"), []),
    "revoke": (lambda w: w.portal.tokens.revoke("C-1001", reason="left"), ["ended"]),
    "revoke, none": (lambda w: w.portal.tokens.revoke("C-1002"), []),
    "ensure_many": (lambda w: list(w.portal.tokens.ensure_many(["C-1002", "C-1"])), ["issued"]),
    "regenerate_many": (
        lambda w: list(w.portal.tokens.regenerate_many(["C-1001", "C-1002"])),
        ["ended", "issued", "issued"],
    ),
    "revoke_all": (lambda w: w.portal.tokens.revoke_all(), ["ended"]),
    "link": (lambda w: w.portal.tokens.link("C-1001"), ["link_copied"]),
    "link, shown": (
        lambda w: [w.portal.tokens.link("C-1001", shown=True) for _ in range(2)],
        ["link_shown"],
    ),
    "open": (
        lambda w: [w.portal.open(text) for text in [w.text()] * 2],
        ["link_copied", "opened"],
    ),
    "open, refused": (refuse, ["link_copied", "ended", "refused"]),
    "preview": (lambda w: w.portal.preview("C-1002", by="ana"), ["previewed"]),
    "send_message": (
        lambda w: w.portal.open(w.text(), record=False).send_message("Paid."),
        ["link_copied", "message"],
    ),
    "reply": (lambda w: w.portal.messages.reply("C-1001", "Thank you.", by="ana"), ["reply"]),
    "note": (lambda w: w.portal.messages.note("C-1001", "Slow.", by="ana"), []),
    "save": (lambda w: w.portal.settings.save(PortalConfig(), by="bo"), ["settings_changed"]),
    "save, unchanged": (lambda w: w.portal.settings.save(ON), []),
    "export": (lambda w: w.portal.privacy.export("C-1001"), ["exported"]),
    "erase": (lambda w: w.portal.privacy.erase("C-1001"), ["ended", "erased"]),
    "move": (lambda w: w.portal.privacy.move("C-1001", "C-1002"), ["ended", "moved"]),
    "prune": (
        lambda w: w.portal.privacy.prune(tokens_before=w.clock.now - dt.timedelta(days=9)),
        ["pruned"],
    ),
}
"""Use cases, and what the host is told of each."""

every_use_case = pytest.mark.parametrize("name", USE_CASES)


@every_use_case
def test_what_is_told_is_what_stands_in_the_trail(
    world: World, trail: Callable[[], list[AuditEntry]], name: str
) -> None:
    """Each line that a use case adds to the trail is told as it stands there, in its order."""
    since = len(trail())
    use, events = USE_CASES[name]
    use(world)
    assert [entry.event for entry in world.told] == events
    assert world.told == trail()[since:]


def test_every_event_is_tried() -> None:
    """Of each kind of event there is a use case above, but of what a mailer does."""
    tried = {event for _, events in USE_CASES.values() for event in events}
    assert tried == {event for event in AuditEvent if "mailed" not in event}


@every_use_case
def test_the_change_is_there_when_it_is_told(
    world: World, trail: Callable[[], list[AuditEntry]], name: str
) -> None:
    """Whoever asks on another thread while the host is told finds it committed."""
    seen: list[bool] = []
    world.answer = lambda entry: seen.append(entry in in_thread(trail))
    USE_CASES[name][0](world)
    assert seen == [True] * len(world.told)


@every_use_case
def test_what_the_host_raises_breaks_nothing(
    world: World,
    trail: Callable[[], list[AuditEntry]],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    """A use case succeeds, and all is told, though the host fails each time; no link is logged."""
    links = [world.portal.tokens.link("C-1001"), world.text()]
    since = len(trail())
    world.told.clear()

    def fail(_: AuditEntry) -> object:
        raise AccessDenied(f"no such place: {links}")

    world.answer = fail
    USE_CASES[name][0](world)
    assert [entry.event for entry in world.told] == USE_CASES[name][1]
    assert world.told == trail()[since:]
    assert [record.levelname for record in caplog.records] == ["ERROR"] * len(world.told)
    assert all("on_event failed with AccessDenied at event" in one for one in caplog.messages)
    assert all(f'{__file__}", line' in one for one in caplog.messages)
    assert not [link for link in links if link in caplog.text or link[-20:] in caplog.text]


def test_a_refused_change_is_not_told(world: World) -> None:
    """Where nothing was committed nothing is told; the next change is told alone."""
    with pytest.raises(ActiveTokenExists):
        world.portal.tokens.generate("C-1001")
    assert world.told == []
    world.portal.tokens.generate("C-1002")
    assert [entry.customer_id for entry in world.told] == ["C-1002"]


def test_a_change_that_cannot_be_recorded_is_not_told(
    world: World, watched: Any, make_portal: Callable[..., Portal]
) -> None:
    """Where the trail cannot be written the change is undone, or the visitor let in; not told."""
    portal, text = make_portal(over=watched, on_event=world.hear), world.text()
    world.told.clear()

    def full() -> None:
        raise StorageError("disk full")

    watched.after["audit.append"] = full
    with pytest.raises(StorageError):
        portal.tokens.regenerate("C-1001")
    assert portal.open(text).customer.id == "C-1001"
    assert world.told == []
    del watched.after["audit.append"]
    assert portal.open(text).customer.id == "C-1001"
    assert [entry.event for entry in world.told] == ["opened"]


def test_in_a_transaction_of_the_host_it_is_told_at_its_end(world: World, storage: Any) -> None:
    """What a host does in one transaction of the storage is told when all is there, or never."""

    def work(_: Any) -> None:
        world.portal.tokens.regenerate("C-1001")
        world.portal.messages.reply("C-1001", "There is a new link.")
        with pytest.raises(ZeroDivisionError):
            storage.transact(lambda _: (world.portal.tokens.revoke("C-1001"), 1 / 0))
        assert world.told == []

    storage.transact(work)
    assert [entry.event for entry in world.told] == ["ended", "issued", "reply"]
    world.told.clear()
    with pytest.raises(ZeroDivisionError):
        storage.transact(lambda _: (work(_), 1 / 0))
    assert world.told == []


def test_the_host_may_use_the_portal_when_it_is_told(world: World) -> None:
    """What it does then is a change like any other, told as well; the customer is answered."""

    def answer(entry: AuditEntry) -> None:
        if entry.event is AuditEvent.MESSAGE and entry.customer_id:
            world.portal.messages.reply(entry.customer_id, "We are at it.", by="ana")

    world.answer = answer
    access = world.portal.open(world.text())
    world.told.clear()
    access.send_message("Where is my invoice?")
    assert [entry.event for entry in world.told] == ["message", "reply"]
    assert "We are at it." in [one.text for one in access.messages().items]


def test_of_an_erased_customer_nothing_more_is_told(world: World) -> None:
    """An erasure is told under the pseudonym alone, as it stands in the trail."""
    pseudonym = world.portal.privacy.erase("C-1001")
    assert {entry.customer_id for entry in world.told} == {pseudonym}


def test_where_nobody_listens_nothing_stands_between(
    make_portal: Callable[..., Portal], storage: Any
) -> None:
    """Without a host to tell, use cases get the storage's own unit of work."""
    units: list[Any] = []
    storage.transact(units.append)
    make_portal()._context.transact(units.append)
    assert units[0] is units[1]


async def awaited(_: AuditEntry) -> None:
    """What nobody would await."""


class Awaited:
    """As above."""

    async def __call__(self, _: AuditEntry) -> None:
        """As above."""


@pytest.mark.parametrize(
    "wrong", [0, "print", [print], awaited, Awaited(), partial(awaited), partial(Awaited())]
)
def test_what_cannot_be_called_is_refused(make_portal: Callable[..., Portal], wrong: Any) -> None:
    """A portal is told at once that nothing could be told."""
    with pytest.raises(InvalidValue, match=r"on_event .*must be a callable taking an AuditEntry"):
        make_portal(on_event=wrong)
    assert make_portal(on_event=[].append) is not None
