"""What `--json` prints has the keys that docs/reference/cli.md tells, all of them and no other."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest
from tests.cli.places import BASE_URL, KEY, SHOWN, Place, sqlite_place
from tests.docs.test_reference import PUBLIC
from tests.packaging.public_api import ROOT, public_api

from basis_portal import Portal, PortalConfig
from basis_portal.mail import Mailer, OutboxTransport
from basis_portal.testing.builders import a_customer, a_payment, an_allocation, an_entry

PAGE = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
PART = PAGE.partition("\n## What `--json` prints\n")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| ([^|]*`[^|]*|\*\w+\*) \| ([^|]*) \| [^|]*\|$", re.MULTILINE)
NAME = re.compile(r"`([^`]+)`|\*(\w+)\*")
KEY_OF = re.compile(r"`([a-z_.\[\]]+)`(?:: \[?[`*](\w+)[`*])?|\[`(\w+)`\]")

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "migrate": (),
    "check": (),
    "backup": ("monday.db",),
    "copy": (),
    "prune": ("--audit-days", "9"),
    "tokens list": (),
    "tokens generate": ("C-2",),
    "tokens regenerate": ("C-1",),
    "tokens revoke": ("C-1",),
    "tokens revoke-all": ("--reason", "a leak", "--yes"),
    "tokens link": ("C-1",),
    "settings show": (),
    "settings set": ("token_expiry_days=14",),
    "statement": ("C-1",),
    "privacy export": ("C-1",),
    "privacy export --output FILE": ("C-1", "--output", "C-1.json"),
    "privacy erase": ("C-1", "--yes"),
    "privacy move": ("C-1", "C-2"),
    "health": (),
    "mail run": (),
    "mail send": ("May", "ids"),
    "mail report": ("April",),
    "mail expiring": (),
}
"""Every command that has --json, and with what it is called."""

ELSEWHERE = {"migrate": "empty", "copy": "schema"}
"""Commands that need another place: a fixture that gives it."""


@attrs.define(frozen=True)
class Shape:
    """A row of the page.

    Attributes:
        keys: its keys, each with the name of the value that stands there, or None.
        some: those that are left out where there are none.
    """

    keys: dict[str, str | None]
    some: frozenset[str]

    @classmethod
    def of(cls, cell: str) -> Shape:
        """What a cell tells; behind "where there are any" are keys that may be missing."""
        found = {key: kind or whole or None for key, kind, whole in KEY_OF.findall(cell)}
        some = KEY_OF.findall(cell.partition("where there are any")[2])
        return cls(found, frozenset(key for key, _, _ in some))


SHAPES = {
    command or value: Shape.of(cell)
    for names, cell in ROW.findall(PART)
    for command, value in NAME.findall(names)
}


def hold(found: Any, name: str) -> None:
    """Assert that a value has the keys of its row; or of its class, which is told elsewhere."""
    if name not in SHAPES:
        assert set(found) == {field.name for field in attrs.fields(PUBLIC[name])}, name
        return
    shape = SHAPES[name]
    assert set(_keys(found, shape.keys)) | shape.some == set(shape.keys), name


def _keys(value: Any, told: dict[str, str | None], at: str = "") -> Iterator[str]:
    """Where there is something in a value, as the page writes it; named values are held too."""
    if value is not None and (name := told.get(at)):
        hold(value, name)
        yield at
    elif isinstance(value, list) or any(key.startswith(f"{at}[]") for key in told):
        inner = list(value.values()) if isinstance(value, dict) else value
        for one in inner:
            yield from _keys(one, told, f"{at}[]")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _keys(one, told, f"{at}.{key}".removeprefix("."))
    else:
        yield at


@pytest.fixture
def shop(file: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A portal and its mailer, with something of everything about one customer."""
    monkeypatch.chdir(tmp_path)
    settings = {"SECRET_KEYS": KEY, "BASE_URL": BASE_URL, "MAILER": "their_shop:mailer"}
    for name, value in settings.items():
        monkeypatch.setenv(f"BASIS_PORTAL_{name}", value)
    (tmp_path / "ids").write_text("C-1\nC-2\n", encoding="utf-8")
    with closing(file.make()) as storage:
        storage.customers.save(a_customer("C-1"), a_customer("C-2", email=None))
        mine: dict[str, Any] = {"customer_id": "C-1"}
        storage.ledger.save(an_entry(**mine), an_entry("INV-2", **mine), a_payment(**mine))
        storage.ledger.allocate(  # each has a part, and something is open
            an_allocation(amount=Decimal(100), **mine),
            an_allocation("ALLOC-2", debit_id="INV-2", amount=Decimal(19), **mine),
        )
        portal = Portal(storage, secret_keys=[KEY], base_url=BASE_URL)
        portal.settings.save(PortalConfig(enabled=True, **SHOWN), by="ana")
        portal.tokens.generate("C-1")
        portal.messages.note("C-1", "Pays late, but pays.", by="ana")
        portal.open(portal.tokens.link("C-1").rsplit("/", 1)[1]).send_message("Paid today.")
        transport, own = OutboxTransport(tmp_path / "outbox"), "us@shop.example"
        mailer = Mailer(portal, transport=transport, sender=own, staff=own)
        assert len(list(mailer.send_links(["C-1", "C-2"], run="April"))) == 2
        module = ModuleType("their_shop")
        monkeypatch.setattr(module, "mailer", mailer, raising=False)
        monkeypatch.setitem(sys.modules, "their_shop", module)
        yield


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """A file without tables."""
    return sqlite_place(tmp_path / "empty.db")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("command", ARGUMENTS)
def test_the_keys_are_those_of_the_page(
    run: Callable[..., Any], file: Place, request: pytest.FixtureRequest, command: str
) -> None:
    """One line of JSON, with the keys of the command's row and those of the values in it."""
    other = (request.getfixturevalue(ELSEWHERE[command]),) if command in ELSEWHERE else ()
    words = command.partition(" --")[0].split()
    ran = run(*words, *ARGUMENTS[command], "--json", over=(file, *other))
    assert (ran.status, ran.err, ran.out.count("\n")) == (0, "", 1)
    hold(json.loads(ran.out), command)


def test_every_command_has_a_row() -> None:
    """Each one that has --json is called above, and all that is called has a row."""
    having = re.findall(r"^\$ basis-portal ([^\[\n]*) \[--json\]$", "\n".join(public_api()), re.M)
    assert {command.partition(" --")[0] for command in ARGUMENTS} == set(having)
    assert set(ARGUMENTS) == {name for name in SHAPES if name[0].islower()} - {"token", "exported"}


@pytest.mark.usefixtures("shop")
def test_where_there_is_none_it_is_null(run: Callable[..., Any], file: Place) -> None:
    """A token that could be revoked, for one."""
    ran = run("tokens", "revoke", "C-2", "--json", over=(file,))
    assert (ran.status, json.loads(ran.out)) == (0, {"revoked": None})


@pytest.mark.usefixtures("shop")
def test_an_export_for_people_has_many_lines(run: Callable[..., Any], file: Place) -> None:
    """Of the same keys."""
    ran = run("privacy", "export", "C-1", over=(file,))
    assert ran.out.count("\n") > 50
    hold(json.loads(ran.out), "privacy export")
