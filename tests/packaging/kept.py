"""A portal's file and a customer's link as a release leaves them, kept as text for all later ones.

``python -m tests.packaging.kept`` writes ``kept_MAJOR_MINOR.sql``, once for each minor version when
it is released. A file that was kept is never made again: it stands for those of the customers.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from pathlib import Path

from tests.packaging.public_api import version

from basis_portal import LedgerEntry, Portal, PortalConfig
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import a_customer, an_invoice
from basis_portal.testing.clocks import FrozenClock

HERE = Path(__file__).parent
KEYS = ["a secret of last year's, kept for tests", "a secret for tests alone, at least 32 bytes"]
BASE_URL = "https://erp.example.com/portal"
HEAD = "-- The link of C-1001: "


def portal_over(storage: SQLiteStorage, clock: FrozenClock | None = None) -> Portal:
    """The portal that the kept link was handed out by."""
    return Portal(storage, secret_keys=KEYS, base_url=BASE_URL, clock=clock or FrozenClock())


def write(path: Path) -> str:
    """Fill a file as a seller does, and hand out a link."""
    with contextlib.closing(SQLiteStorage(path)) as storage:
        portal = portal_over(storage)
        storage.customers.save(a_customer("C-1001", name="Kopi Nusantara"))
        storage.documents.save(an_invoice("INV-1"))
        storage.ledger.save(LedgerEntry.of(an_invoice("INV-1")))
        portal.settings.save(
            PortalConfig(enabled=True, show_statement=True, allow_messages=True), by="ana"
        )
        portal.tokens.generate("C-1001", by="ana", days=365)
        link = portal.tokens.link("C-1001", by="ana")
        portal.open(link.rsplit("/", 1)[1]).send_message("Paid today, see remittance 4711.")
        return link


def kept(link: str, path: Path) -> str:
    """The file as SQL, under the link."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        marks = [
            f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};"
            for name in ("application_id", "user_version")
        ]
        return "\n".join([HEAD + link, *marks, *connection.iterdump(), ""])


def restore(text: str, path: Path) -> str:
    """Make the file of what was kept; the link."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)
    return text.splitlines()[0].removeprefix(HEAD)


def main() -> None:
    """Keep what this version makes."""
    file = HERE / f"kept_{'_'.join(version().split('.')[:2])}.sql"
    if file.exists():
        raise SystemExit(f"{file.name} is kept as it is")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "portal.db")
        file.write_text(kept(write(path), path), encoding="utf-8")


if __name__ == "__main__":
    main()
