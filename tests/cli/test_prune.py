"""`basis-portal prune`: what is old goes, what is not stays, and the trail says who asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.places import BASE_URL, KEY, fill


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and address of the portal."""
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", KEY)
    monkeypatch.setenv("BASIS_PORTAL_BASE_URL", BASE_URL)


@pytest.mark.usefixtures("configured")
def test_what_is_old_goes(run: Callable[..., Any], place: Any) -> None:
    """Entries, ended tokens and settled e-mails go, unless they are kept longer; it is audited."""
    with closing(place.make()) as storage:
        fill(storage)
        trail = len(storage.audit.page(limit=1000))
        kept = run("prune", "--audit-days", 36500, "--token-days", "36500", over=(place,))
        removed = (
            "Removed {} audit entries, {} ended tokens, {} settled e-mails and "
            "{} messages and notes.\n"
        )
        assert kept.out == removed.format(0, 0, 0, 0)
        said = json.loads(run("prune", "--token-days", 1, "--by", "ana", "--json").out)
        assert said == {"audit_entries": 0, "tokens": 1, "mails": 0, "messages": 0}
        assert run("prune", "--mail-days", 36500).out == removed.format(0, 0, 0, 0)
        assert run("prune", "--mail-days", 1, "--by", "bo").out == removed.format(0, 0, 1, 0)
        assert [storage.mails.get(one) is None for one in ("E-1", "E-2")] == [True, False]
        pruned = run("prune", "--audit-days", 1, "--by", "cron")
        assert pruned.out == removed.format(trail, 0, 0, 0)
        entries = [entry for _, entry in storage.audit.page(limit=9)]
        assert [entry.by for entry in entries] == ["cron", "bo", "system", "ana", "system"]
        assert run("prune", "--message-days", 36500).out == removed.format(0, 0, 0, 0)
        assert run("prune", "--message-days", 1).out == removed.format(0, 0, 0, 3)
        assert [one.text for one in storage.messages.page("C-1")] == ["Again"]
        assert storage.messages.notes("C-1") == []


@pytest.mark.usefixtures("configured")
def test_it_makes_no_tables(run: Callable[..., Any], place: Any) -> None:
    """Tables that are not the newest are refused."""
    refused = run("prune", "--audit-days", 30, over=(place,))
    assert (refused.status, "run 'basis-portal migrate'" in refused.err) == (1, True)


@pytest.mark.usefixtures("configured")
def test_one_kind_must_be_named(run: Callable[..., Any], file: Any) -> None:
    """Without any age there is nothing to do, which is wrong usage."""
    refused = run("prune", over=(file,))
    assert refused.status == 2
    assert (
        "one or several of --audit-days, --token-days, --mail-days, --message-days" in refused.err
    )


def test_key_and_address_are_needed(
    run: Callable[..., Any], file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is named; a key that breaks its rule is refused and not repeated."""
    file.make().close()
    assert "secret_keys is not configured" in run("prune", "--audit-days", 9, over=(file,)).err
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", "SHORT")
    assert "base_url is not configured" in run("prune", "--audit-days", 9).err
    monkeypatch.setenv("BASIS_PORTAL_BASE_URL", BASE_URL)
    refused = run("prune", "--audit-days", 9)
    assert (refused.status, "SHORT" in refused.err) == (2, False)


@pytest.mark.usefixtures("configured")
def test_the_configuration_is_read_once(
    run: Callable[..., Any], place: Any, tmp_path: Path
) -> None:
    """What is unwise about its file is said once."""
    with closing(place.make()) as storage:
        fill(storage)
    file = tmp_path / "portal.toml"
    file.touch(0o644)
    done = run("prune", "--audit-days", 9, "--config", file, over=(place,))
    assert (done.status, done.err.count("may be read by other users")) == (0, 1)


@pytest.mark.usefixtures("configured")
def test_an_unknown_tenant_is_said(
    run: Callable[..., Any], place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenant that has no row may be misspelt, and a name that breaks its rule is wrong usage."""
    place.make().close()
    with closing(place.make("acme")) as storage:
        fill(storage)
    refused = run("prune", "--audit-days", 9, over=(place,))
    assert (refused.status, refused.out) == (1, "")
    assert "none of 'default', so nothing was done" in refused.err
    monkeypatch.setenv("BASIS_PORTAL_TENANT", "acme")
    assert run("prune", "--audit-days", 9).status == 0
    monkeypatch.setenv("BASIS_PORTAL_TENANT", "acme ")
    assert run("prune", "--audit-days", 9).status == 2


def test_a_storage_of_the_applications_own_is_pruned(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through its portal, whose clock counts."""
    (tmp_path / "keeping_shop.py").write_text(
        "import datetime as dt\n"
        "from basis_portal import Portal\n"
        "from basis_portal.storage.memory import InMemoryStorage\n"
        "from basis_portal.testing import FrozenClock\n"
        "from basis_portal.testing.builders import NOW, a_customer\n"
        "clock = FrozenClock(NOW)\n"
        "storage = InMemoryStorage()\n"
        "storage.customers.save(a_customer('C-1'))\n"
        "portal = Portal(storage, clock=clock,\n"
        f"    secret_keys=[{KEY!r}], base_url={BASE_URL!r})\n"
        "portal.tokens.generate('C-1', by='ana')\n"
        "portal.tokens.regenerate('C-1', by='ana')\n"
        "clock.advance(dt.timedelta(days=40))\n"
    )
    monkeypatch.chdir(tmp_path)
    prune = ("prune", "--token-days", 30, "--by", "retention", "--portal", "keeping_shop:portal")
    assert "Removed 0 audit entries, 1 ended tokens" in run(*prune).out
    assert "Removed 0 audit entries, 0 ended tokens" in run(*prune).out
    sys.modules.pop("keeping_shop")
