"""Use case: staff read and save the settings."""

from __future__ import annotations

import attrs

from .context import Context, staff_name
from .domain.audit import AuditEntry, AuditEvent
from .domain.checks import check_member, check_whole_number
from .domain.config import PortalConfig, StoredSettings
from .errors import SettingsConflict
from .repositories import UnitOfWork

_SAVES_TRIED = 5


class SettingsService:
    """The settings of the portal. Saved ones bite at once, in every process."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self) -> StoredSettings:
        """The settings; the defaults with version 0 where nothing was saved.

        Raises `PortalNotAvailable` where the edition or feature does not give the portal.
        """
        self._context.require_management()
        return self._context.storage.settings.get()

    def save(
        self, config: PortalConfig, *, by: str | None = None, if_version: int | None = None
    ) -> StoredSettings:
        """Save all settings and return them as stored; what equals the stored ones changes nothing.

        They never change the expiry of an issued token.

        Args:
            config: the new settings.
            by: who saves; "system" where nobody is named.
            if_version: the version these settings were made from. Without it the last save
                wins.

        Raises:
            SettingsConflict: somebody saved since ``if_version``; it carries the present ones.
            InvalidValue: an argument breaks its rule.
            PortalNotAvailable: edition or feature does not give the portal.
        """
        self._context.require_management()
        check_member("config", config, PortalConfig)
        if if_version is not None:
            check_whole_number("if_version", if_version, 0, 2**63 - 1)
        who, now = staff_name(by), self._context.now()

        def work(unit: UnitOfWork) -> StoredSettings:
            stored = unit.settings.get()
            if if_version not in (None, stored.version):
                raise SettingsConflict(
                    f"the settings were changed by {stored.changed_by} since version {if_version}; "
                    f"they are at version {stored.version} now",
                    current=stored,
                )
            if stored.config == config:
                return stored
            saved = StoredSettings(config, stored.version + 1, now, who)
            unit.settings.put(saved)
            changes = _describe(stored.config, config)
            unit.audit.append([AuditEntry(now, AuditEvent.SETTINGS_CHANGED, who, detail=changes)])
            return saved

        for _ in range(_SAVES_TRIED if if_version is None else 1):
            try:
                return self._context.transact(work)
            except SettingsConflict as conflict:
                error = conflict
        raise error


def _describe(old: PortalConfig, new: PortalConfig) -> str:
    """Which settings changed, from what to what; the welcome message only by name."""
    lines = []
    for field in attrs.fields(PortalConfig):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after and field.name == "welcome_message":
            lines.append("welcome_message changed")
        elif before != after:
            lines.append(f"{field.name}: {before} -> {after}")
    return "\n".join(lines)
