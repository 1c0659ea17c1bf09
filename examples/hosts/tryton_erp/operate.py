"""The portal for operators: ``basis-portal tokens list --portal operate:portal``.

ERP_DATA names the folder of the database, ERP_URL the address that links begin with.
"""

import os
from pathlib import Path

import database
from portal_repositories import Company
from portal_site import make_portal, secret_keys

from basis_portal import Portal
from basis_portal.storage.sqlite import SQLiteStorage


def portal() -> Portal:
    """The one of the pages before Tryton. A folder without a database is refused."""
    folder = Path(os.environ["ERP_DATA"]).resolve()
    if not database.exists(folder):
        raise FileNotFoundError(f"{folder} has no Tryton database")
    database.use_folder(folder)
    database.open_database()
    return make_portal(
        Company(database.NAME, database.COMPANY),
        SQLiteStorage(folder / "portal.db"),
        secret_keys(folder),
        f"{os.environ.get('ERP_URL', 'http://127.0.0.1:8000')}/portal",
    )
