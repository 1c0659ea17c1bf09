"""The reference names everything that is public, as it is."""

from __future__ import annotations

import importlib
import inspect
import re
from enum import Enum
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import attrs
import pytest

import basis_portal
import basis_portal.export
import basis_portal.mail
import basis_portal.testing
import basis_portal.web
from basis_portal import Portal, PortalConfig, PortalError, repositories
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage

ROOT = Path(__file__).parents[2]
REFERENCE = sorted((ROOT / "docs" / "reference").glob("*.md"))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE)
PORTAL = Portal(InMemoryStorage(), secret_keys=["k" * 32], base_url="https://erp.example.com/p")

PUBLIC = {
    **{name: getattr(basis_portal, name) for name in basis_portal.__all__},
    **{name: getattr(basis_portal.testing, name) for name in basis_portal.testing.__all__},
    **{name: getattr(basis_portal.web, name) for name in basis_portal.web.__all__},
    **{name: getattr(basis_portal.export, name) for name in basis_portal.export.__all__},
    **{name: getattr(basis_portal.mail, name) for name in basis_portal.mail.__all__},
    "InMemoryStorage": InMemoryStorage,
    "SQLiteStorage": SQLiteStorage,
    "PostgresStorage": PostgresStorage,
    "supports": repositories.supports,
    **{
        name: value
        for name, value in vars(repositories).items()
        if isinstance(value, type) and value.__module__ == repositories.__name__
    },
}
"""What others may import: the package, its kit, its pages, its storages and the protocols."""

CONSTRUCTED = ["Portal", "InMemoryStorage", "SQLiteStorage", "PostgresStorage", "FrozenClock"]
"""Classes without attrs that others construct; the rest of them is made by the library."""


def entry_of(name: str) -> str:
    """What the reference says under a heading ``Name``, or in a table's row that begins with it."""
    heading = re.search(rf"^(#+) `{name}`$(.*?)(?=^#|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    row = re.search(rf"^\| `{name}[`(].*$", TEXT, re.MULTILINE)
    assert heading or row, f"the reference has no entry for {name}"
    return heading[2] if heading else row[0] if row else ""


def members_of(value: Any) -> set[str]:
    """How the reference writes the public members of a class, or of a function its call."""
    if isinstance(value, FunctionType):
        return {f"{value.__name__}{signature_of(value)}"}
    if isinstance(value, ModuleType):
        functions = inspect.getmembers(value, inspect.isfunction)
        return {n for n, f in functions if f.__module__ == value.__name__ and n[0] != "_"}
    if not isinstance(value, type):
        return set()
    if issubclass(value, Enum):
        return {member.name for member in value} | methods_of(value)
    fields = attrs.fields(value) if attrs.has(value) else ()
    return {field.name for field in fields if not field.inherited} | methods_of(value)


def methods_of(cls: type) -> set[str]:
    """The methods of a class with their signature, and its properties, but those it inherits.

    Left out are the tests of a kit, and what takes the inner context of a portal.
    """
    found = set()
    for name, member in vars(cls).items():
        function = getattr(member, "__func__", member)
        if name.startswith(("_", "test_")):
            continue
        if isinstance(function, FunctionType) and "context" not in signature_of(function):
            found.add(f"{name}{signature_of(function)}")
        elif isinstance(member, property):
            found.add(name)
    return found


def signature_of(function: FunctionType) -> str:
    """The arguments of a function without their types: ``(customer_id, *, by=None)``."""
    given = inspect.signature(function)
    shown = [
        parameter.replace(annotation=parameter.empty, default=_Shown.of(parameter.default))
        for parameter in given.parameters.values()
        if parameter.name not in {"self", "cls"}
    ]
    return str(inspect.Signature(shown))


@attrs.define(frozen=True)
class _Shown:
    """A default as its source reads."""

    value: Any

    @classmethod
    def of(cls, default: Any) -> Any:
        """The default so shown, and what stands for "no default" as it is."""
        return default if default is inspect.Parameter.empty else cls(default)

    def __repr__(self) -> str:
        if isinstance(self.value, Enum):
            return str(f"{type(self.value).__name__}.{self.value.name}")
        return str(getattr(self.value, "__name__", repr(self.value)))


def missing_from(entry: str, members: set[str]) -> list[str]:
    """The members that an entry does not show as code."""
    return sorted(member for member in members if f"`{member}`" not in entry)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there_with_its_members(name: str) -> None:
    """Each public name has an entry, with all its methods, arguments, fields and members."""
    assert missing_from(entry_of(name), members_of(PUBLIC[name])) == []


@pytest.mark.parametrize("name", CONSTRUCTED)
def test_what_is_constructed_shows_its_arguments(name: str) -> None:
    """A class that others construct has a row for each argument, with its default."""
    entry = entry_of(name)
    for argument in inspect.signature(PUBLIC[name]).parameters.values():
        given = argument.default is not argument.empty
        default = f"`{_Shown(argument.default)!r}`" if given else "required"
        assert f"| `{argument.name}` | {default} |" in entry


def test_a_portal_shows_what_it_holds() -> None:
    """The parts of a portal, such as ``tokens``, are in its entry."""
    parts = {name for name in vars(PORTAL) if not name.startswith("_")}
    assert "tokens" in parts
    assert missing_from(entry_of("Portal"), parts) == []


@pytest.mark.parametrize("field", attrs.fields(PortalConfig), ids=lambda field: field.name)
def test_every_setting_shows_its_default(field: attrs.Attribute[Any]) -> None:
    """The row of each setting has its name and its default."""
    assert re.search(rf"^\| `{field.name}` \|.*`{re.escape(repr(field.default))}`", TEXT, re.M)


def test_every_error_is_there() -> None:
    """The page of errors has a row for each class of the family."""
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    family = [
        name
        for name, value in PUBLIC.items()
        if isinstance(value, type) and issubclass(value, PortalError)
    ]
    assert len(family) == 22
    assert [name for name in family if f"| `{name}` |" not in page] == []


def test_nothing_is_there_that_is_not_public() -> None:
    """Every heading that is a name is one that can be imported."""
    headings = set(re.findall(r"^#+ `(\w+)`$", TEXT, re.MULTILINE))
    assert headings - set(PUBLIC) == set()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(basis_portal\.[\w.]+)`", TEXT))))
def test_every_path_can_be_imported(path: str) -> None:
    """A dotted name of ours in the reference is a module."""
    importlib.import_module(path)


def test_a_missing_member_is_seen() -> None:
    """A method that is not shown, or shown with other arguments, is found; a shown one is not."""
    members = methods_of(type(PORTAL.tokens))
    assert "revoke(customer_id, *, by=None, reason=None)" in members
    assert missing_from(entry_of("TokenService").replace("reason=None", ""), members) != []
    assert missing_from(entry_of("TokenService"), members) == []
