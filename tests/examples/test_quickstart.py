"""The code that hosts are promised runs as it stands, and is what the example runs."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from basis_portal import AccessDenied, EndedAs

Run = Callable[..., "subprocess.CompletedProcess[str]"]
HOST_CODE = """
from basis_portal import Customer, DocumentKind, Edition, Portal, PortalConfig, system_clock
from basis_portal.storage.sqlite import SQLiteStorage

storage = SQLiteStorage("portal.db")                 # makes or migrates its tables
storage.customers.save(Customer(id="C-1001", name="Kopi Nusantara", email="finance@kopi.example"))
# likewise storage.documents and storage.ledger, where the host has no tables of its own

portal = Portal(
    storage,
    secret_keys=["a long random secret, at least 32 bytes"],
    base_url="https://erp.example.com/portal",
    edition=Edition.SERVER,        # a value, or a callable read at each use
    clock=system_clock,            # the default; timezone="UTC" gives the seller's date
)
portal.settings.save(PortalConfig(enabled=True, show_statement=True, allow_messages=True))

token = portal.tokens.generate("C-1001", by="ana")   # -> PortalToken
url = portal.tokens.link("C-1001")                   # copy it again at any time
access = portal.open(url.rsplit("/", 1)[1])          # PortalNotAvailable | AccessDenied

page = access.documents(DocumentKind.SALES_INVOICE, limit=50)   # page.items, page.next
statement = access.statement()                       # .by_currency
access.send_message("Paid today, see remittance 4711.")

portal.tokens.regenerate("C-1001", by="ana")         # the old link is dead
portal.tokens.revoke("C-1001", by="ana", reason="left the company")
"""


def _statements(source: str) -> list[str]:
    """All statements of a text, those within functions too, without comments and layout."""
    tree = ast.parse(source)
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def test_the_code_of_a_host_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines shown to hosts run from first to last, and leave the link dead."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(HOST_CODE, names)
    portal, token, text = names["portal"], names["token"], names["url"].rsplit("/", 1)[1]
    assert re.fullmatch(r"https://erp\.example\.com/portal/[\w-]{22}\.[\w-]{43}", names["url"])
    assert names["page"].items == ()
    assert names["statement"].by_currency == {}
    assert [m.text for m in portal.messages.list()] == ["Paid today, see remittance 4711."]
    history = portal.tokens.history("C-1001")
    assert [one.ended_as for one in history] == [EndedAs.REPLACED, EndedAs.REVOKED]
    assert history[0].id == token.id
    with pytest.raises(AccessDenied):
        portal.open(text)
    portal.tokens.generate("C-1001", by="ana")
    assert portal.open(portal.tokens.link("C-1001").rsplit("/", 1)[1]).customer.id == "C-1001"
    names["storage"].close()


def test_the_quickstart_is_the_code_of_a_host(examples: Path) -> None:
    """Each statement of that code stands in the quickstart, in the same order."""
    shown = (examples / "quickstart.py").read_text(encoding="utf-8")
    statements, place = _statements(shown), 0
    for statement in [ast.unparse(node) for node in ast.parse(HOST_CODE).body]:
        assert statement in statements[place:]
        place = statements.index(statement, place)


def test_the_quickstart_shows_what_happens(run_example: Run, tmp_path: Path) -> None:
    """It prints the link, the statement in EUR, the message, and that old links are dead."""
    ended = run_example("quickstart.py")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "https://erp.example.com/portal/" in ended.stdout
    assert "INV-1001  EUR  1190.00  Paid" in ended.stdout
    assert "INV-1002  EUR   595.00  Due in 18 days" in ended.stdout
    assert "Closing balance: EUR 385.00" in ended.stdout
    assert "The seller reads: Paid today, see remittance 4711." in ended.stdout
    assert "The old link after regenerate: Access denied" in ended.stdout
    assert "The new link: opens the portal of Kopi Nusantara" in ended.stdout
    assert "The new link after revoke: Access denied" in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_quickstart_keeps_its_file_in_a_folder_it_is_given(
    run_example: Run, tmp_path: Path
) -> None:
    """In a folder of one's own the file stays, and the quickstart runs there again."""
    for _ in range(2):
        ended = run_example("quickstart.py", tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "Closing balance: EUR 385.00" in ended.stdout
    assert (tmp_path / "portal.db").is_file()


def test_a_folder_that_is_missing_is_named(run_example: Run, tmp_path: Path) -> None:
    """A folder that is not there is named in one line, and not made."""
    ended = run_example("quickstart.py", tmp_path / "absent")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("quickstart.py: ")
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_quickstart_can_be_imported(quickstart: ModuleType, tmp_path: Path) -> None:
    """Importing it runs nothing; its parts can be used."""
    assert callable(quickstart.run)
    assert list(tmp_path.iterdir()) == []
