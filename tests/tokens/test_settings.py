"""Staff save the settings: versions, conflicts, the trail, and that they bite at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import attrs
import pytest

from basis_portal import (
    AuditEntry,
    AuditEvent,
    Edition,
    InvalidValue,
    Portal,
    PortalConfig,
    PortalNotAvailable,
    Section,
    SettingsConflict,
    StoredSettings,
)
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.clocks import FrozenClock

MakePortal = Callable[..., Portal]
State = Callable[[], dict[str, Any]]
TextOf = Callable[..., str]
Trail = Callable[[], list[AuditEntry]]

ON = PortalConfig(enabled=True)


def test_defaults_where_nothing_was_saved(make_portal: MakePortal) -> None:
    """Before the first save there are the defaults, off, in version 0 by nobody."""
    assert make_portal().settings.get() == StoredSettings(PortalConfig(), 0, None, None)
    assert not PortalConfig().enabled


def test_what_is_saved_is_found(make_portal: MakePortal, clock: FrozenClock, trail: Trail) -> None:
    """A save gives the settings as stored, one version on; the trail says what changed."""
    portal = make_portal()
    config = PortalConfig(enabled=True, token_expiry_days=7, welcome_message="Hello.\nWelcome!")
    saved = portal.settings.save(config, by="ana")
    assert saved == StoredSettings(config, 1, clock.now, "ana")
    assert portal.settings.get() == saved
    detail = "enabled: False -> True\ntoken_expiry_days: 30 -> 7\nwelcome_message changed"
    changed = AuditEvent.SETTINGS_CHANGED
    assert trail() == [AuditEntry(clock.now, changed, "ana", detail=detail)]


@pytest.mark.parametrize("field", [one.name for one in attrs.fields(PortalConfig)])
def test_every_field_is_kept_and_audited(field: str, make_portal: MakePortal, trail: Trail) -> None:
    """Each single setting is saved and named in the trail; the message is named, not quoted."""
    values: dict[str, Any] = {"token_expiry_days": 365, "welcome_message": "Selamat datang"}
    config = PortalConfig(**{field: values.get(field, True)})
    portal = make_portal()
    portal.settings.save(config)
    assert portal.settings.get().config == config
    (entry,) = trail()
    assert entry.detail
    assert entry.detail.startswith(field)
    assert "Selamat" not in entry.detail
    assert "\n" not in entry.detail
    assert entry.by == "system"


def test_the_same_settings_change_nothing(portal: Portal, clock: FrozenClock, state: State) -> None:
    """Saving what is stored already gives what is stored: no new version, no entry."""
    before = state()
    clock.advance(hours=1)
    for version in (None, before["settings"].version):
        assert portal.settings.save(ON, by="bo", if_version=version) == before["settings"]
    assert state() == before
    assert portal.settings.save(PortalConfig()).version == before["settings"].version + 1


@pytest.mark.parametrize("config", [ON, PortalConfig()])
def test_a_stale_version_is_refused(config: PortalConfig, portal: Portal, state: State) -> None:
    """Who edits what a colleague has changed meanwhile gets the present settings in the error."""
    portal.settings.save(attrs.evolve(ON, show_statement=True), by="bo", if_version=1)
    before = state()
    for stale in (0, 1, 3):
        with pytest.raises(SettingsConflict, match="changed by bo") as caught:
            portal.settings.save(config, if_version=stale)
        assert caught.value.current == before["settings"]
    assert state() == before
    assert portal.settings.save(config, if_version=2).version == 3


def test_without_a_version_the_last_save_wins(portal: Portal) -> None:
    """Two members of staff who name no version: the later save holds, as a whole."""
    portal.settings.save(attrs.evolve(ON, show_statement=True))
    portal.settings.save(attrs.evolve(ON, allow_messages=True))
    assert portal.settings.get().config == attrs.evolve(ON, allow_messages=True)


@pytest.mark.parametrize("wrong", [None, {}, {"enabled": True}, "on", PortalConfig, 5])
def test_what_is_no_config_is_refused(wrong: Any, portal: Portal, state: State) -> None:
    """Only a PortalConfig can be saved."""
    before = state()
    with pytest.raises(InvalidValue, match="config must be a PortalConfig"):
        portal.settings.save(wrong)
    assert state() == before


@pytest.mark.parametrize("wrong", [-1, 1.0, "1", True, 2**63])
def test_what_is_no_version_is_refused(wrong: Any, portal: Portal, state: State) -> None:
    """A version is a whole number from 0."""
    before = state()
    with pytest.raises(InvalidValue, match="if_version must be a whole number"):
        portal.settings.save(PortalConfig(), if_version=wrong)
    assert state() == before


def test_staff_prepare_with_the_switch_off(make_portal: MakePortal, portal: Portal) -> None:
    """With the master switch off settings and tokens are managed, but no link opens."""
    portal.settings.save(PortalConfig())
    link = portal.tokens.link(portal.tokens.generate("C-1001").customer_id)
    with pytest.raises(PortalNotAvailable):
        portal.open(link.rsplit("/", 1)[1])
    portal.settings.save(ON)
    assert portal.open(link.rsplit("/", 1)[1]).customer.id == "C-1001"


def test_settings_need_the_edition(portal: Portal, make_portal: MakePortal, state: State) -> None:
    """Where the edition does not give the portal its settings are neither shown nor saved."""
    desktop, before = make_portal(edition=Edition.DESKTOP), state()
    with pytest.raises(PortalNotAvailable):
        desktop.settings.get()
    with pytest.raises(PortalNotAvailable):
        desktop.settings.save(PortalConfig())
    assert state() == before
    assert portal.settings.get() == before["settings"]


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
def test_saved_settings_bite_at_once_elsewhere(
    portal: Portal, make_portal: MakePortal, tmp_path: Path, text_of: TextOf
) -> None:
    """A second program on the same file sees each save in its very next request."""
    second = SQLiteStorage(tmp_path / "portal.db")
    try:
        other = make_portal(second)
        portal.tokens.generate("C-1001")
        text = text_of(portal)
        access = other.open(text)
        assert access.sections() == (Section.INVOICES,)
        portal.settings.save(attrs.evolve(ON, allow_messages=True))
        assert access.sections() == (Section.INVOICES, Section.MESSAGES)
        portal.settings.save(PortalConfig())
        with pytest.raises(PortalNotAvailable):
            other.open(text)
        with pytest.raises(PortalNotAvailable):
            access.sections()
        portal.settings.save(ON)
        assert other.open(text).customer.id == "C-1001"
        other.tokens.revoke("C-1001")
        assert not portal.tokens.check(text).works
    finally:
        second.close()


def test_a_save_overtaken_while_it_writes(
    portal: Portal, make_portal: MakePortal, watched: Any, trail: Trail
) -> None:
    """Where a storage tells of a conflict only at the write, the save is tried again."""
    over, overtaken = make_portal(watched), list[int]()

    def conflict() -> None:
        if len(overtaken) < 4:
            overtaken.append(1)
            raise SettingsConflict("overtaken", current=portal.settings.get())

    watched.before["settings.put"] = conflict
    before = len(trail())
    assert over.settings.save(PortalConfig()).version == 2
    assert len(trail()) == before + 1
    assert len(overtaken) == 4


@pytest.mark.parametrize(("version", "tries"), [(None, 5), (1, 1)])
def test_a_save_that_is_always_overtaken(
    version: int | None,
    tries: int,
    portal: Portal,
    make_portal: MakePortal,
    watched: Any,
    state: State,
) -> None:
    """After five tries, or one where a version is named, the conflict is told."""
    over, before = make_portal(watched), state()

    def conflict() -> None:
        raise SettingsConflict("overtaken", current=before["settings"])

    watched.before["settings.put"] = conflict
    with pytest.raises(SettingsConflict, match="overtaken"):
        over.settings.save(PortalConfig(), if_version=version)
    assert watched.calls.count("settings.put") == tries
    assert state() == before


def test_saves_at_once(portal: Portal, trail: Trail) -> None:
    """Eight threads that save at once: all succeed, each version once, each save audited."""
    configs = [attrs.evolve(ON, token_expiry_days=days) for days in range(1, 9)]
    saved: list[StoredSettings] = []
    start = Barrier(len(configs))
    before = len(trail())

    def save(config: PortalConfig) -> None:
        start.wait(10)
        saved.append(portal.settings.save(config))

    threads = [Thread(target=save, args=(config,)) for config in configs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(one.version for one in saved) == list(range(2, 10))
    assert {one.config for one in saved} == set(configs)
    assert portal.settings.get().version == 9
    assert len(trail()) == before + 8


def test_an_issued_token_outlives_other_settings(portal: Portal, clock: FrozenClock) -> None:
    """Shorter days bite for the next token; the one that is out keeps its expiry."""
    token = portal.tokens.generate("C-1001")
    portal.settings.save(attrs.evolve(ON, token_expiry_days=1))
    assert portal.tokens.get("C-1001") == token
    assert portal.tokens.generate("C-1002").expires_at == clock.now + timedelta(days=1)
