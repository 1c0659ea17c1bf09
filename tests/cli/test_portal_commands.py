"""Operators list, issue and end tokens, set settings, read statements, move and erase customers."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.cli.places import BASE_URL, KEY

from basis_portal import AccessDenied, Portal, PortalConfig, Privacy, StorageError
from basis_portal.testing.builders import a_customer, a_payment, an_allocation, an_entry

Run = Callable[..., Any]

NAMES = ("C-1001", "C-1002", "C-1003")


@pytest.fixture
def portal(file: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """A portal over the configured file, with three customers of whom one is blocked."""
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", KEY)
    monkeypatch.setenv("BASIS_PORTAL_BASE_URL", BASE_URL)
    for name, value in file.environment.items():
        monkeypatch.setenv(name, value)
    with closing(file.make()) as storage:
        for one in NAMES:
            storage.customers.save(a_customer(one, blocked=one == "C-1003"))
        portal = Portal(storage, secret_keys=[KEY], base_url=BASE_URL)
        portal.settings.save(PortalConfig(enabled=True, show_statement=True), by="ana")
        yield portal


def trail(portal: Portal) -> list[tuple[str, str | None, str | None]]:
    """What happened, the newest first."""
    return [(one.event.value, one.by, one.customer_id) for one in portal.audit.list().items]


# --- tokens


def test_a_token_is_generated_and_its_link_opens(portal: Portal, run: Run) -> None:
    """Only `link` prints the link, alone on its line; both are audited with who asked."""
    said = run("tokens", "generate", "C-1001", "--days", 7, "--by", "ops")
    assert said.status == 0
    assert "Generated token " in said.out
    link = run("tokens", "link", "C-1001", "--by", "ops")
    text = link.out.removeprefix(f"{BASE_URL}/").removesuffix("\n")
    assert portal.open(text, record=False).customer.id == "C-1001"
    assert text.rpartition(".")[2] not in said.out + said.err
    assert trail(portal)[:2] == [
        ("link_copied", "ops", "C-1001"),
        ("issued", "ops", "C-1001"),
    ]


def test_nothing_but_link_prints_a_link(portal: Portal, run: Run) -> None:
    """Neither in tables nor in JSON."""
    outputs = [
        run("tokens", *words, *shape).out
        for words in (
            ("generate", "C-1001"),
            ("list",),
            ("regenerate", "C-1001"),
            ("revoke", "C-1001"),
            ("generate", "C-1001"),
            ("revoke-all", "--reason", "a leak", "--yes"),
        )
        for shape in ((), ("--json",))
    ]
    assert BASE_URL not in "".join(outputs)


def test_who_has_a_token_already_gets_no_second(portal: Portal, run: Run) -> None:
    """The status is 1, the reason is said, and the token stays."""
    run("tokens", "generate", "C-1001")
    before = portal.tokens.get("C-1001")
    refused = run("tokens", "generate", "C-1001")
    assert (refused.status, refused.out) == (1, "")
    assert "C-1001" in refused.err
    assert portal.tokens.get("C-1001") == before


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("generate", "nobody"), 1, "nobody"),
        (("generate", "C-1003"), 1, "blocked"),
        (("link", "C-1002"), 1, "no active token"),
        (("generate", "C-1001", "--days", "366"), 2, "366"),
        (("list", "--limit", "0"), 2, "limit"),
        (("list", "--after", "no page"), 2, "after"),
        (("revoke-all", "--reason", "a leak"), 2, "--yes"),
    ],
)
def test_what_is_refused_changes_nothing(
    portal: Portal, run: Run, words: tuple[str, ...], status: int, said: str
) -> None:
    """1 for what cannot be done now, 2 for what could never be."""
    before = trail(portal)
    refused = run("tokens", *words)
    assert refused.status == status
    assert said in refused.err
    assert refused.out == ""
    assert trail(portal) == before


def test_tokens_are_listed(portal: Portal, run: Run) -> None:
    """A table for people; for programs JSON that goes on where it ended."""
    for one, days in (("C-1001", 30), ("C-1002", 3)):
        portal.tokens.generate(one, by="ana", days=days)
    heading, first, second = run("tokens", "list").out.splitlines()
    assert heading.split() == ["CUSTOMER", "NAME", "STATUS", "EXPIRES", "ISSUED", "BY", "TOKEN"]
    assert first.startswith("C-1002")
    assert second.startswith("C-1001")
    page = json.loads(run("tokens", "list", "--limit", 1, "--json").out)
    assert [one["customer_id"] for one in page["tokens"]] == ["C-1002"]
    rest = json.loads(run("tokens", "list", "--after", page["after"], "--json").out)
    assert [one["customer_id"] for one in rest["tokens"]] == ["C-1001"]
    assert rest["after"] is None
    soon = json.loads(run("tokens", "list", "--expiring-within", 7, "--json").out)
    assert [one["customer_id"] for one in soon["tokens"]] == ["C-1002"]
    none = json.loads(run("tokens", "list", "--status", "revoked", "--json").out)
    assert none["tokens"] == []


def test_a_name_cannot_command_the_terminal(portal: Portal, run: Run) -> None:
    """Control characters in what others typed are not printed."""
    portal.customers.save(a_customer("C-1001", name="Ko\x1b[2Jpi\nx"))  # type: ignore[attr-defined]
    portal.tokens.generate("C-1001")
    assert "\x1b" not in run("tokens", "list").out
    assert len(run("tokens", "list").out.splitlines()) == 2


def test_a_link_is_replaced_unless_somebody_was_faster(portal: Portal, run: Run) -> None:
    """With the id of the token that is meant, which may begin with a dash."""
    seen = f"--if-current={portal.tokens.generate('C-1001').id}"
    made = run("tokens", "regenerate", "C-1001", seen, "--by", "ops", "--json")
    assert json.loads(made.out)["token"]["issued_by"] == "ops"
    again = run("tokens", "regenerate", "C-1001", seen)
    assert again.status == 1
    assert len(portal.tokens.history("C-1001")) == 2


def test_a_link_is_revoked_once(portal: Portal, run: Run) -> None:
    """It ends at once; a second time nothing is changed, which is said."""
    portal.tokens.generate("C-1001")
    text = portal.tokens.link("C-1001").rsplit("/", 1)[1]
    said = run("tokens", "revoke", "C-1001", "--reason", "left", "--by", "ops")
    assert said.out.startswith("Revoked token ")
    with pytest.raises(AccessDenied):
        portal.open(text)
    token = portal.tokens.get("C-1001")
    assert token is not None
    assert (token.ended_by, token.reason) == ("ops", "left")
    again = run("tokens", "revoke", "C-1001")
    assert (again.status, again.err) == (0, "")
    assert again.out == "C-1001 has no current token; nothing was changed.\n"


def test_all_links_end(portal: Portal, run: Run) -> None:
    """For the day of a leak."""
    for one in NAMES[:2]:
        portal.tokens.generate(one)
    said = run("tokens", "revoke-all", "--reason", "a leak", "--by", "ops", "--yes")
    assert said.out == "Revoked 2 tokens.\n"
    assert [portal.tokens.get(one).reason for one in NAMES[:2]] == ["a leak"] * 2  # type: ignore[union-attr]


# --- settings


def test_settings_are_shown_and_set(portal: Portal, run: Run) -> None:
    """What is not named stays; who saved is told."""
    said = run("settings", "set", "token_expiry_days=14", "allow_messages=on", "--by", "ops")
    assert said.status == 0
    config = portal.settings.get().config
    assert config.token_expiry_days == 14
    assert config.allow_messages
    assert config.show_statement
    shown = run("settings", "show").out
    assert "token_expiry_days  14" in shown
    assert "by ops" in shown
    stored = json.loads(run("settings", "show", "--json").out)
    assert stored["config"]["token_expiry_days"] == 14
    assert stored["version"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("token_expiry_days=0",), "1 to 365"),
        (("token_expiry_days=many",), "token_expiry_days"),
        (("enabled=yes",), "on or off"),
        (("colour=red",), "token_expiry_days"),
        (("enabled",), "NAME=VALUE"),
        (("enabled=off", "token_expiry_days=400"), "1 to 365"),
    ],
)
def test_wrong_settings_are_refused(
    portal: Portal, run: Run, words: tuple[str, ...], said: str
) -> None:
    """With what is right, and nothing of it is saved."""
    before = portal.settings.get()
    refused = run("settings", "set", *words)
    assert refused.status == 2
    assert said in refused.err
    assert portal.settings.get() == before


def test_settings_of_another_version_are_left(portal: Portal, run: Run) -> None:
    """Somebody saved since."""
    assert run("settings", "set", "enabled=off", "--if-version", 0).status == 1
    assert portal.settings.get().config.enabled


# --- statement


def test_a_statement_as_of_a_day(portal: Portal, run: Run) -> None:
    """Closing balance and ages are those of that day; in JSON amounts are text."""
    storage: Any = portal._context.storage
    storage.ledger.save(an_entry(amount=Decimal(1200)), a_payment(amount=Decimal(200)))
    storage.ledger.allocate(an_allocation(amount=Decimal(200)))
    day = a_payment().date
    whole = run("statement", "C-1001", "--as-of", day, "--by", "ops")
    assert whole.status == 0, whole.err
    assert "Closing balance" in whole.out
    assert "1,000.00" in whole.out
    found = json.loads(run("statement", "C-1001", "--as-of", day, "--json").out)
    (one,) = found["statement"]["by_currency"].values()
    assert one["closing_balance"] in ("1000", "1000.00", "1000.0000")
    items = run("statement", "C-1001", "--as-of", day, "--open-items")
    assert "Days overdue" in items.out
    assert ("previewed", "ops", "C-1001") in trail(portal)


def test_a_statement_that_is_off_is_said(portal: Portal, run: Run) -> None:
    """As it is for the customer."""
    portal.settings.save(PortalConfig(enabled=True))
    refused = run("statement", "C-1001")
    assert (refused.status, refused.out) == (1, "")
    assert "statement" in refused.err


# --- privacy


def test_an_export_is_a_private_file(portal: Portal, run: Run, tmp_path: Path) -> None:
    """JSON, for its owner alone, in a new file; nothing is overwritten."""
    portal.tokens.generate("C-1001")
    file = tmp_path / "export.json"
    assert run("privacy", "export", "C-1001", "--output", file, "--by", "ops").status == 0
    assert json.loads(file.read_text())["customer_id"] == "C-1001"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = trail(portal)
    again = run("privacy", "export", "C-1002", "--output", file)
    assert (again.status, trail(portal)) == (1, before)
    assert json.loads(run("privacy", "export", "C-1001").out)["audit"][-1]["by"] == "ops"


def test_an_erasure_must_be_meant(portal: Portal, run: Run) -> None:
    """Where nobody can be asked it needs --yes."""
    portal.tokens.generate("C-1001")
    refused = run("privacy", "erase", "C-1001")
    assert (refused.status, refused.out) == (2, "")
    assert portal.tokens.get("C-1001")
    erased = json.loads(run("privacy", "erase", "C-1001", "--yes", "--by", "ops", "--json").out)
    assert erased["pseudonym"].startswith("erased-")
    assert portal.tokens.get("C-1001") is None


def test_whoever_is_at_a_terminal_is_asked(
    portal: Portal, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the customer's id, typed, goes on."""
    for typed, status in (("no", 2), ("C-1001", 0)):
        monkeypatch.setattr(sys, "stdin", Typing(typed))
        assert run("privacy", "erase", "C-1001").status == status


class Typing:
    """A terminal at which somebody types a line."""

    def __init__(self, line: str) -> None:
        self.line = line

    def isatty(self) -> bool:
        """It is one."""
        return True

    def readline(self) -> str:
        """What is typed."""
        return f"{self.line}\n"


def test_a_customer_is_moved(portal: Portal, run: Run) -> None:
    """Its history goes along, and its link ends."""
    portal.tokens.generate("C-1001")
    moved = json.loads(run("privacy", "move", "C-1001", "C-1002", "--by", "ops", "--json").out)
    assert moved["tokens"] == 1
    assert portal.tokens.get("C-1001") is None
    again = run("privacy", "move", "C-1001", "C-1002")
    assert again.out == "Nothing is held about C-1001, so nothing was moved.\n"
    assert run("privacy", "move", "C-1001", "nobody").status == 1
    assert run("privacy", "move", "C-1001", "C-1001").status == 2


@pytest.mark.parametrize(
    "words",
    [
        ("tokens", "revoke", "C-1O01"),
        ("privacy", "export", "C-1O01", "--output", "export.json"),
        ("privacy", "erase", "C-1O01", "--yes"),
    ],
)
def test_a_mistyped_customer_is_said(
    portal: Portal,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """Nothing is done and nothing audited for an id that neither host nor portal knows."""
    monkeypatch.chdir(tmp_path)
    files, before = set(tmp_path.iterdir()), trail(portal)
    refused = run(*words)
    assert (refused.status, refused.out) == (1, "")
    assert "there is no customer 'C-1O01', and nothing is held about it" in refused.err
    assert (trail(portal), set(tmp_path.iterdir())) == (before, files)


def test_whom_the_host_no_longer_knows_is_erased(portal: Portal, run: Run, file: Any) -> None:
    """What is held counts; and of whom nothing is held, but the host knows, may be erased too."""
    portal.tokens.generate("C-1001")
    with closing(file.make()) as storage:
        storage.customers.delete("C-1001")
    assert run("tokens", "revoke", "C-1001").status == 0
    assert run("privacy", "export", "C-1001").status == 0
    assert run("privacy", "erase", "C-1001", "--yes").status == 0
    assert run("privacy", "erase", "C-1001", "--yes").status == 1
    assert run("privacy", "erase", "C-1002", "--yes").status == 0


def test_whoever_has_but_a_note_is_erased(portal: Portal, run: Run, file: Any) -> None:
    """What is held counts wherever it is, though trail and tokens tell nothing of it."""
    portal.messages.note("C-1001", "Rings at night", by="ana")
    with closing(file.make()) as storage:
        storage.customers.delete("C-1001")
        storage.audit.prune(portal.now() + timedelta(days=1))
        assert run("privacy", "erase", "C-1001", "--yes").status == 0
        assert storage.messages.notes("C-1001") == []


def test_an_export_that_cannot_be_written_is_none(
    portal: Portal, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not audited, and leaves no file, nor does one that fails."""
    before = trail(portal)
    refused = run("privacy", "export", "C-1001", "--output", tmp_path / "no folder" / "x.json")
    assert (refused.status, trail(portal)) == (1, before)

    def fails(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(Privacy, "export", fails)
    refused = run("privacy", "export", "C-1001", "--output", tmp_path / "x.json")
    assert (refused.status, (tmp_path / "x.json").exists()) == (1, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_an_export_to_a_full_disk_leaves_no_file(
    portal: Portal, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written only as the file is closed may fail too."""
    real, path = os.open, tmp_path / "x.json"

    def on_a_full_disk(name: Any, flags: int, *mode: int) -> int:
        number = real(name, flags, *mode)
        if Path(name) == path:
            full = real("/dev/full", os.O_WRONLY)
            os.dup2(full, number)
            os.close(full)
        return number

    monkeypatch.setattr(os, "open", on_a_full_disk)
    refused = run("privacy", "export", "C-1001", "--output", path)
    assert (refused.status, path.exists()) == (1, False)


def test_how_to_get_the_link_can_be_pasted(portal: Portal, run: Run, file: Any) -> None:
    """The customer's id stands behind it, quoted for a shell."""
    assert run("tokens", "generate", "C-1001").out.endswith("basis-portal tokens link C-1001\n")
    with closing(file.make()) as storage:
        storage.customers.save(a_customer("C 7; ls"), a_customer("-7"))
    assert run("tokens", "generate", "C 7; ls").out.endswith("tokens link 'C 7; ls'\n")
    assert run("tokens", "generate", "--", "-7").out.endswith("tokens link -- -7\n")


@pytest.mark.parametrize("day", ["20260301", "2026-W10-1", "2026-3-1", "today", ""])
def test_a_day_has_one_form(capsys: pytest.CaptureFixture[str], run: Run, day: str) -> None:
    """That of the help."""
    with pytest.raises(SystemExit, match="2"):
        run("statement", "C-1001", "--as-of", day)
    assert "must be a date as YYYY-MM-DD" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("prune", "--audit-days", "000000001999999"),
        ("health", "--hours", "0099"),
        ("demo", "--port", "00108099999"),
    ],
)
def test_zeros_in_front_pass_no_limit(
    capsys: pytest.CaptureFixture[str], run: Run, words: tuple[str, ...]
) -> None:
    """A number is as large as it says."""
    with pytest.raises(SystemExit, match="2"):
        run(*words)
    assert "whole number" in capsys.readouterr().err


# --- which portal


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_health_of_a_file_that_is_damaged_or_missing(
    portal: Portal, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, json_too: Any
) -> None:
    """It is an answer, for programs too, and takes one line on standard error at most."""
    (tmp_path / "damaged.db").write_bytes(b"not a database" * 999)
    for path in ("damaged.db", "missing/portal.db"):
        monkeypatch.setenv("BASIS_PORTAL_SQLITE", str(tmp_path / path))
        found = run("health", *json_too)
        assert (found.status, found.err.count("\n") <= 1) == (1, True)
        if json_too:
            said = json.loads(found.out)
            assert said == {
                "health": {"ok": False, "available": None, "enabled": None},
                "counters": None,
            }
        else:
            assert re.search(r"storage can be read +no", found.out)


def test_no_password_is_repeated(
    portal: Portal, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of a DSN that stands where a portal belongs, nor of what the application says."""
    (tmp_path / "bad_shop.py").write_text(
        "def make():\n    raise OSError('cannot reach postgresql://u:secret@h/db')\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("postgres://u:secret@h/db", "bad_shop:make"):
        refused = run("tokens", "link", "C-1001", "--portal", name)
        assert (refused.status, "secret" in refused.out + refused.err) == (2, False)
    assert "OSError: its text, which may hold a password, is not shown" in refused.err


def test_the_applications_own_portal(
    portal: Portal, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows the customers of the application; a callable makes it."""
    (tmp_path / "their_shop.py").write_text(
        "from basis_portal import Customer, Portal\n"
        "from basis_portal.storage.sqlite import SQLiteStorage\n"
        "class Customers:\n"
        "    def get(self, one):\n"
        "        return Customer(one, 'Hops') if one == 'K-1' else None\n"
        "    def get_many(self, ids):\n"
        "        return {one: Customer(one, 'Hops') for one in ids if one == 'K-1'}\n"
        "made = []\n"
        "def make():\n"
        "    made.append(SQLiteStorage('their.db'))\n"
        "    return Portal(made[-1], customers=Customers(),\n"
        f"        secret_keys=[{KEY!r}], base_url={BASE_URL!r})\n"
        "def broken():\n    raise OSError('no database')\n"
        "other = 1\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run("tokens", "generate", "K-1", "--portal", "their_shop:make").status == 0
    monkeypatch.setenv("BASIS_PORTAL_PORTAL", "their_shop:make")
    assert "Hops" in run("tokens", "list").out
    assert portal.tokens.get("K-1") is None
    for name, said in (
        ("their_shop", "MODULE:NAME"),
        ("their_shop:nothing", "cannot be used"),
        ("their_shop:broken", "no database"),
        ("their_shop:other", "is no basis_portal.Portal"),
        ("no_such_shop:x", "cannot be used"),
    ):
        refused = run("tokens", "list", "--portal", name)
        assert refused.status == 2
        assert said in refused.err
    for storage in sys.modules.pop("their_shop").made:
        storage.close()


def test_what_the_command_says_counts_more_than_the_variable(
    portal: Portal, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage that is said is not passed over for the application's portal, nor beside it."""
    monkeypatch.setenv("BASIS_PORTAL_PORTAL", "elsewhere:portal")
    monkeypatch.delenv("BASIS_PORTAL_SQLITE")
    file = tmp_path / "portal.toml"
    file.write_text("[sqlite]\npath = 'portal.db'\n")
    file.chmod(0o600)
    portal.tokens.generate("C-1001")
    revoked = run("tokens", "revoke-all", "--reason", "leak", "--yes", "--config", file)
    assert (revoked.status, revoked.out) == (0, "Revoked 1 tokens.\n")
    for both in (("--config", "missing.toml"), ("--storage", "sqlite")):
        refused = run("tokens", "list", "--portal", "their_shop:make", *both)
        assert (refused.status, refused.out) == (2, "")
        assert "leave out --config and --storage, or --portal" in refused.err


@pytest.mark.parametrize(
    "words",
    [
        ("tokens", "revoke-all", "--reason", "leak", "--yes"),
        ("tokens", "revoke", "C-1001"),
        ("tokens", "regenerate", "C-1001"),
        ("tokens", "generate", "C-1001"),
        ("privacy", "erase", "C-1001", "--yes"),
        ("privacy", "move", "C-1001", "C-2001"),
    ],
)
def test_nothing_is_changed_of_a_tenant_that_is_not_there(
    portal: Portal, run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """A misspelt tenant would have no link to end, and the links would seem to be ended."""
    portal.tokens.generate("C-1001")
    before = trail(portal)
    monkeypatch.setenv("BASIS_PORTAL_TENANT", "Nord")
    refused = run(*words)
    assert (refused.status, refused.out) == (1, "")
    assert "of other tenants, and none of 'Nord', so nothing was done" in refused.err
    assert trail(portal) == before


def test_a_tenant_begins_with_its_settings(
    portal: Portal, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading and setting go on with a warning; saved settings alone do not make it known."""
    monkeypatch.setenv("BASIS_PORTAL_TENANT", "nord")
    for words in (("tokens", "list"), ("health",), ("settings", "set", "enabled=on")):
        said = run(*words)
        assert said.status == 0
        assert "none of 'nord'; is it spelt like this?" in said.err
    assert "none of 'nord'" in run("tokens", "list").err
    assert run("tokens", "revoke-all", "--reason", "leak", "--yes").status == 1
    monkeypatch.delenv("BASIS_PORTAL_TENANT")
    assert run("tokens", "list").err == ""


def test_an_empty_storage_has_no_other_tenant(
    file: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of all tenants is not taken to be misspelt."""
    file.make().close()
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", KEY)
    monkeypatch.setenv("BASIS_PORTAL_BASE_URL", BASE_URL)
    said = run("tokens", "revoke-all", "--reason", "leak", "--yes", over=(file,))
    assert (said.status, said.out, said.err) == (0, "Revoked 0 tokens.\n", "")


def test_the_applications_modules_find_each_other(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those imported as the portal is made; what they print is no part of the JSON."""
    (tmp_path / "near_shop.py").write_text(
        "print('hello')\ndef make():\n    from near_rows import portal\n    return portal\n"
        "def leave():\n    raise SystemExit(3)\n"
    )
    (tmp_path / "near_rows.py").write_text(
        "from basis_portal import Portal\n"
        "from basis_portal.storage.memory import InMemoryStorage\n"
        f"portal = Portal(InMemoryStorage(), secret_keys=[{KEY!r}], base_url={BASE_URL!r})\n"
    )
    monkeypatch.chdir(tmp_path)
    said = run("tokens", "list", "--json", "--portal", "near_shop:make")
    assert json.loads(said.out) == {"tokens": [], "after": None}
    assert said.err == "hello\n"
    left = run("tokens", "list", "--portal", "near_shop:leave")
    assert left.status == 2
    assert "'near_shop:leave' cannot be used: SystemExit: 3" in left.err
    for name in ("near_shop", "near_rows"):
        sys.modules.pop(name)


# --- health


def test_health_in_numbers(portal: Portal, run: Run) -> None:
    """A table for people, JSON for programs, and no customer in either."""
    portal.tokens.generate("C-1001")
    portal.open(portal.tokens.link("C-1001").rsplit("/", 1)[1])
    table = run("health", "--hours", 24)
    assert table.status == 0
    assert re.search(r"^links opened +1$", table.out, re.MULTILINE)
    found = json.loads(run("health", "--json").out)
    assert found["health"] == {"ok": True, "available": True, "enabled": True}
    assert found["counters"]["tokens"]["active"] == 1
    assert "C-1001" not in table.out + json.dumps(found)
    with pytest.raises(SystemExit):
        run("health", "--hours", 25)


@pytest.mark.parametrize(("table", "enabled"), [("settings", None), ("audit", True)])
def test_health_where_a_part_of_the_storage_is_gone(
    portal: Portal, run: Run, file: Any, table: str, enabled: bool | None
) -> None:
    """The status is 1, for whoever looks at nothing else; also where only counting fails."""
    file.damage(f"ALTER TABLE {table} RENAME TO gone")
    lost = run("health", "--json")
    assert lost.status == 1
    assert json.loads(lost.out) == {
        "health": {"ok": False, "available": True, "enabled": enabled},
        "counters": None,
    }


def test_health_where_the_application_cannot_open_its_storage(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is down: that is no wrong usage, and programs get their JSON."""
    (tmp_path / "down_shop.py").write_text(
        "from basis_portal import StorageError\n"
        "def make():\n    raise StorageError('the server does not answer')\n"
    )
    monkeypatch.chdir(tmp_path)
    lost = run("health", "--json", "--portal", "down_shop:make")
    assert lost.status == 1
    assert json.loads(lost.out) == {
        "health": {"ok": False, "available": None, "enabled": None},
        "counters": None,
    }
    assert "the server does not answer" in lost.err
    sys.modules.pop("down_shop")
