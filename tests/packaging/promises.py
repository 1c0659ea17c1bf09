"""What is promised where the package is installed bare, or with some extras and no others.

    python -I tests/packaging/promises.py EXAMPLES [EXTRA ...]

Run by ``nox -s package`` in fresh environments that have nothing else, so it needs the standard
library alone. EXAMPLES is the folder of the examples. What an extra brings must work. What is
missing must be told by an error that names the extra.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

WITH = {"demo": ("web", "i18n", "mail", "pdf")}
BRINGS = {
    "web": {"flask", "jinja2"},
    "i18n": {"babel"},
    "mail": {"jinja2"},
    "pdf": {"reportlab"},
    "postgres": {"psycopg", "psycopg_pool"},
    "testing": {"hypothesis", "pytest"},
}
KEY = "a secret for tests alone, at least 32 bytes"
KIT = """\
import pytest

from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import StorageConformance


class TestMine(StorageConformance):
    @pytest.fixture
    def storage(self):
        return InMemoryStorage()
"""


def check(examples: Path, extras: set[str]) -> Iterator[str]:
    """Try everything; tell what was found to hold."""
    has = {module for extra in extras for module in BRINGS[extra]}
    known = {module for brought in BRINGS.values() for module in brought}
    assert {module for module in known if importlib.util.find_spec(module)} == has
    yield f"installed are {', '.join(sorted(has)) or 'no packages of extras'}"
    yield from bare(examples)
    for extra, module in MODULES.items():
        if BRINGS[extra] <= has:
            PROMISES[extra](examples)
            yield f"{extra} works"
        elif module:
            refused(extra, module)
            yield f"{extra} is named where it is missing"
    command(has)
    yield "the command says what it needs"


def bare(examples: Path) -> Iterator[str]:
    """What needs no extra: a light import, links, statement, storages, CSV, words."""
    before = set(sys.modules)
    import basis_portal

    assert "site-packages" in str(basis_portal.__file__), basis_portal.__file__
    heavy = {"flask", "sqlite3", "psycopg", "babel", "jinja2", "smtplib", "email", "reportlab"}
    assert not heavy & (set(sys.modules) - before)
    assert "Closing balance: EUR 385.00" in run([examples / "quickstart.py"])
    from basis_portal.export import statement_csv

    portal = a_portal()
    assert b"1190.5" in b"".join(statement_csv(opened(portal)))
    from basis_portal.i18n import language_for

    assert language_for("de").gettext("Statement of account") == "Kontoauszug"
    yield "links, statement, SQLite, CSV and German words work without extras"


def a_portal() -> Any:
    """A portal in memory, with a customer, an invoice and a link."""
    from basis_portal import Customer, EntryKind, LedgerEntry, Portal, PortalConfig
    from basis_portal.storage.memory import InMemoryStorage

    storage = InMemoryStorage()
    storage.customers.save(Customer("C-1001", "Kopi Nusantara", language="de"))
    day = dt.date(2026, 4, 14)
    entry = LedgerEntry("INV-1", "C-1001", "EUR", day, EntryKind.INVOICE, Decimal("1190.50"))
    storage.ledger.save(entry)
    portal = Portal(storage, secret_keys=[KEY], base_url="https://erp.example.com/portal")
    portal.settings.save(PortalConfig(enabled=True, show_statement=True))
    portal.tokens.generate("C-1001", by="ana")
    return portal


def opened(portal: Any) -> Any:
    """What the customer's link gives."""
    return portal.open(portal.tokens.link("C-1001").rsplit("/", 1)[1])


def pages(_: Path) -> None:
    """A customer's page opens, with its style sheet."""
    from basis_portal.web import customer_app

    portal = a_portal()
    client = customer_app(portal).test_client()
    path = portal.tokens.link("C-1001").removeprefix("https://erp.example.com/portal")
    page = client.get(path)
    assert (page.status_code, "Kopi Nusantara" in page.text) == (200, True)
    assert client.get("/no-such-link").status_code == 403


def formats(_: Path) -> None:
    """A language that only Babel knows is written as its readers do."""
    from basis_portal.i18n import language_for

    assert "1\xa0190,50" in language_for("sv").money("EUR", Decimal("1190.50"))


def mails(examples: Path) -> None:
    """The example sends its e-mails to a folder."""
    assert "Sent to finance@kopi.example: sent" in run([examples / "send_mail.py"])


def pdf(_: Path) -> None:
    """A statement is made, in our fonts."""
    from basis_portal.export import has_pdf

    assert has_pdf()
    assert a_pdf().startswith(b"%PDF-")


def a_pdf() -> bytes:
    """The statement of an invented customer."""
    from basis_portal import Seller
    from basis_portal.export import statement_pdf

    access = opened(a_portal())
    seller = Seller("Nordlicht Kaffee GmbH")
    return statement_pdf(access.statement(), seller=seller, customer=access.customer)


def postgres(_: Path) -> None:
    """A server that is not there is a storage error; without libpq the missing part is named."""
    from basis_portal import StorageError

    try:
        from basis_portal.storage.postgres import PostgresStorage
    except ImportError as error:
        assert "psycopg[binary]" in str(error)  # noqa: PT017
        return
    with contextlib.suppress(StorageError):
        PostgresStorage("host=127.0.0.1 port=1 dbname=none connect_timeout=1", timeout=1)
        raise AssertionError("a storage without a server")


def kit(_: Path) -> None:
    """The conformance kit passes over a storage of ours, in the three lines of the reference."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_mine.py").write_text(KIT, encoding="utf-8")
        options = ["-q", "-p", "no:cacheprovider", "-W", "error", "-k", "settings", folder]
        assert " passed" in run(["-m", "pytest", *options])


PROMISES: dict[str, Callable[[Path], None]] = {
    "web": pages,
    "i18n": formats,
    "mail": mails,
    "pdf": pdf,
    "postgres": postgres,
    "testing": kit,
}
MODULES = {
    "web": "basis_portal.web",
    "i18n": None,  # without Babel amounts and days are written plainly
    "mail": "basis_portal.mail",
    "pdf": "basis_portal.export",
    "postgres": "basis_portal.storage.postgres",
    "testing": "basis_portal.testing",
}


def refused(extra: str, module: str) -> None:
    """What needs a missing extra says which."""
    try:
        found = importlib.import_module(module)
        if extra == "pdf":
            assert not found.has_pdf()
            a_pdf()
    except ImportError as error:
        assert f"basis-portal[{extra}]" in str(error), error  # noqa: PT017
        return
    raise AssertionError(f"{module} does not miss {extra}")


def command(has: set[str]) -> None:
    """The command prints without extras; what serves, and what mails, names its extra."""
    basis_portal = Path(sys.executable).with_name("basis-portal")
    assert "0.1.0" in run([basis_portal, "--version"], python=False)
    assert "Temporary data removed." in run([basis_portal, "demo", "--no-serve"], python=False)
    if "flask" not in has:
        told = run([basis_portal, "demo"], python=False, status=1)
        assert "basis-portal[demo]" in told, told
    if "jinja2" not in has:
        told = run([basis_portal, "mail", "run", "--mailer", "x:y"], python=False, status=2)
        assert "basis-portal[mail]" in told, told


def run(words: list[Any], *, python: bool = True, status: int = 0) -> str:
    """Run a program in a folder of its own; what it says, once its status is the expected one."""
    line = [*([sys.executable, "-I"] if python else []), *map(str, words)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            line, capture_output=True, text=True, cwd=folder, timeout=120, check=False
        )
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{line} ended with {done.returncode}:\n{said}"
    return said


def main(arguments: list[str]) -> None:
    """Try what the arguments name, and tell it."""
    examples, *named = arguments
    os.environ.pop("MAIL_HOST", None)
    extras = {part for extra in named for part in WITH.get(extra, (extra,))}
    for found in check(Path(examples).resolve(), extras):
        print(f"  {found}")


if __name__ == "__main__":
    main(sys.argv[1:])
