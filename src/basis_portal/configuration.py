"""What the operators' commands are told: a file, and the environment, which wins.

Keys and DSN are read from there alone: what stands on a command line every user of the machine
can read. No message repeats one.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from .errors import InvalidValue

_FILE = {
    "": ("secret_keys", "base_url", "tenant"),
    "sqlite": ("path",),
    "postgres": ("dsn", "schema"),
}
_TABLES = tuple(table for table in _FILE if table)
_ADDRESS = re.compile(r"https?://[^@]*$")
_DSN = re.compile(r"\w+://|\b(?:host|hostaddr|dbname|user|password|service)\s*=")

HELP = """\
configuration:
  --config FILE, a TOML file, or environment variables. Where both say something
  the variable wins; one that is empty says nothing.

  secret_keys = ["...", "..."]       BASIS_PORTAL_SECRET_KEYS, one a line
  base_url = "https://..."           BASIS_PORTAL_BASE_URL
  tenant = "default"                 BASIS_PORTAL_TENANT
  [sqlite]
  path = "portal.db"                 BASIS_PORTAL_SQLITE
  [postgres]
  dsn = "postgresql://..."           BASIS_PORTAL_POSTGRES
  schema = "basis_portal"            BASIS_PORTAL_SCHEMA
"""


class ConfigurationError(InvalidValue):
    """The configuration is incomplete or breaks a rule. It names the setting, never a secret."""


@attrs.define(frozen=True)
class Configuration:
    """What the operators' commands are told.

    Attributes:
        secret_keys: of the portal, oldest first.
        base_url: of the portal, or None.
        tenant: whose portal it is.
        sqlite: the SQLite file, or None.
        postgres: the DSN of the PostgreSQL database, or None.
        schema: of the PostgreSQL database.
        source: what was read: the name of the file, or None.
    """

    secret_keys: tuple[str, ...] = attrs.field(default=(), repr=False)
    base_url: str | None = None
    tenant: str = "default"
    sqlite: str | None = None
    postgres: str | None = attrs.field(default=None, repr=False)
    schema: str = "basis_portal"
    source: str | None = None

    def need(self, field: str) -> Any:
        """The value of a field. Raises `ConfigurationError` where there is none."""
        value = getattr(self, field)
        if not value:
            name, variable = _NAMES[field]
            where = f" in {self.source!r}" if self.source else " in a file given as --config"
            raise ConfigurationError(
                f"{name} is not configured; set it{where}, or set {variable}", field=field
            )
        return value


_NAMES = {
    "secret_keys": ("secret_keys", "BASIS_PORTAL_SECRET_KEYS"),
    "base_url": ("base_url", "BASIS_PORTAL_BASE_URL"),
    "sqlite": ("[sqlite] path", "BASIS_PORTAL_SQLITE"),
    "postgres": ("[postgres] dsn", "BASIS_PORTAL_POSTGRES"),
}


def configuration(
    file: str | None,
    environment: Mapping[str, str],
    warn: Callable[[str], None] = lambda _: None,
) -> Configuration:
    """Read the file, if any, and the environment. Raises `ConfigurationError`.

    Args:
        file: a TOML file, or None.
        environment: the environment variables.
        warn: is told what is unwise.
    """
    found = _of_file(file, warn) if file is not None else {}
    found |= _of_environment(environment)
    if "sqlite" in found and is_dsn(found["sqlite"]):
        raise ConfigurationError("the SQLite path must name a file, not a DSN", field="sqlite")
    for field in ("schema", "tenant"):
        if is_dsn(found.get(field, "")):
            raise ConfigurationError(f"{field} must be a name, not a DSN", field=field)
    if not _ADDRESS.match(found.get("base_url", "https://")):
        # Not repeated: it may be a key or a DSN that was meant for another setting.
        raise ConfigurationError(
            "base_url must be an address that begins with https:// or http://, without user and "
            "password",
            field="base_url",
        )
    return Configuration(source=file, **found)


def is_dsn(text: str) -> bool:
    """True where text looks like a DSN, which may hold a password, and not like a file."""
    return bool(_DSN.search(text))


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    names = ("base_url", "tenant", "sqlite", "postgres", "schema")
    given = {name: environment.get(f"BASIS_PORTAL_{name.upper()}") for name in names}
    found: dict[str, Any] = {name: value for name, value in given.items() if value}
    lines = environment.get("BASIS_PORTAL_SECRET_KEYS", "").split("\n")
    if keys := tuple(key for line in lines if (key := line.removesuffix("\r"))):
        found["secret_keys"] = keys
    return found


# --- the file


def _of_file(file: str, warn: Callable[[str], None]) -> dict[str, Any]:
    data = _parsed(file, warn)
    _check_names(file, "", data)
    tables = {name: _table(file, data, name) for name in _TABLES}
    found = {
        "secret_keys": _keys(file, data.get("secret_keys")),
        "base_url": _text(file, "base_url", data.get("base_url")),
        "tenant": _text(file, "tenant", data.get("tenant")),
        "sqlite": _text(file, "[sqlite] path", tables["sqlite"].get("path")),
        "postgres": _text(file, "[postgres] dsn", tables["postgres"].get("dsn")),
        "schema": _text(file, "[postgres] schema", tables["postgres"].get("schema")),
    }
    if found["sqlite"] is not None and not is_dsn(str(found["sqlite"])):
        found["sqlite"] = os.path.join(os.path.dirname(file), str(found["sqlite"]))
    return {name: value for name, value in found.items() if value is not None}


def _parsed(file: str, warn: Callable[[str], None]) -> dict[str, Any]:
    try:
        with Path(file).open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode & 0o777
            data = tomllib.load(opened)
    except OSError as error:
        raise ConfigurationError(f"{file!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file!r} is not UTF-8; save it as such") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file!r} is no TOML: {_place(error)}") from None
    if os.name == "posix" and mode & 0o077:
        warn(f"{file!r} may be read by other users ({mode:04o}); chmod 600 {file}")
    return data


def _place(error: Exception) -> str:
    """Where TOML ends to be TOML; what stands there may be a key."""
    found = re.search(r"\(at [^()]*\)$", str(error))
    return f"look {found[0].strip('()')}" if found else "see toml.io for its rules"


def _table(file: str, data: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{file!r}: {name} must be a table, [{name}]", field=name)
    _check_names(file, name, table)
    return table


def _check_names(file: str, table: str, data: Mapping[str, Any]) -> None:
    known = (*_FILE[table], *(_TABLES if not table else ()))
    for name in data:
        if name not in known:
            place = f" in [{table}]" if table else ""
            shown = "a name that looks like a DSN" if is_dsn(name) else repr(name[:40])
            raise ConfigurationError(
                f"{file!r}: unknown{place}: {shown}; known are {', '.join(known)}"
            )


def _text(file: str, name: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise ConfigurationError(f"{file!r}: {name} must be text, in quotes and not empty", field=name)


def _keys(file: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(key, str) and key for key in value):
        raise ConfigurationError(
            f'{file!r}: secret_keys must be a list of texts, ["...", "..."], oldest first',
            field="secret_keys",
        )
    return tuple(value)
