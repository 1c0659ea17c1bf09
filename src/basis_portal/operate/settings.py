"""The command `basis-portal settings`: shows and saves the settings of the portal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ..domain.config import PortalConfig, StoredSettings
from ..errors import InvalidValue
from .portal import (
    add_by,
    add_group,
    add_portal_command,
    one_line,
    print_json,
    print_table,
    shown,
    the_portal,
)

if TYPE_CHECKING:
    from ..portal import Portal

_SETTINGS = "Shows and saves the settings of the portal. Saved ones bite at once, in every process."
_SHOW = "The settings as they are stored, their version, and who saved them."
_SET = """\
Changes settings: NAME=VALUE, such as enabled=on token_expiry_days=14. The others stay. With
--if-version N nothing is saved where somebody saved since.
"""
_WORDS = {"on": True, "off": False}


def add_settings(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    verbs = add_group(commands, "settings", "show and save the settings", _SETTINGS)
    add_portal_command(verbs, "show", _show, "show them", _SHOW)
    change = add_portal_command(verbs, "set", _set, "change some of them", _SET)
    change.add_argument("changes", metavar="NAME=VALUE", nargs="+", help="a setting and its value")
    change.add_argument("--if-version", metavar="N", type=int, help="only at this version")
    add_by(change)


def _show(options: argparse.Namespace) -> int:
    with the_portal(options) as portal:
        return _tell(options, portal.settings.get())


def _set(options: argparse.Namespace) -> int:
    with the_portal(options) as portal:
        changes = _changes(options.changes)
        return _tell(options, _saved(portal, changes, options.by, options.if_version))


def _saved(
    portal: Portal, changes: dict[str, Any], by: str | None, version: int | None
) -> StoredSettings:
    """Save on top of what is stored; whoever saves meanwhile is not overwritten."""
    stored = portal.settings.get()
    config = attrs.evolve(stored.config, **changes)
    at = stored.version if version is None else version
    return portal.settings.save(config, by=by, if_version=at)


def _changes(texts: Sequence[str]) -> dict[str, Any]:
    """What is to be changed. Raises `InvalidValue` where that is no setting or no such value."""
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        field = attrs.fields_dict(PortalConfig).get(name)
        if not equals or field is None:
            names = ", ".join(attrs.fields_dict(PortalConfig))
            raise InvalidValue(f"{text!r} must be NAME=VALUE with a NAME of {names}", field=name)
        changes[name] = _value(name, value, field.default)
    return changes


def _value(name: str, text: str, default: object) -> object:
    if isinstance(default, bool):
        if text not in _WORDS:
            raise InvalidValue.of(name, text, "must be on or off")
        return _WORDS[text]
    if isinstance(default, int):
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    return text


def _tell(options: argparse.Namespace, stored: StoredSettings) -> int:
    if options.json:
        print_json(stored)
        return 0
    values = attrs.asdict(stored.config)
    print_table(
        ("SETTING", "VALUE"),
        [(name, one_line(_shown(value))) for name, value in values.items()],
    )
    saved = f", saved {shown(stored.changed_at)} by {stored.changed_by}" if stored.version else ""
    print(one_line(f"version {stored.version}{saved}"))
    return 0


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
