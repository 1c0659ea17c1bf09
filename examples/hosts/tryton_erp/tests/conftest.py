"""A Tryton database with two companies: the sample data, and a file of receivables.

Making it takes a minute. It is kept in pytest's cache until Tryton, the code that makes it or
the day changes.
"""

import datetime as dt
import hashlib
import shutil
import sqlite3
from importlib.metadata import version
from pathlib import Path

import bookkeeping
import compare
import database
import generated_rows as generated
import pytest
import receivables_file
import sample_data
from portal_repositories import Company, TrytonCustomers, TrytonDocuments, TrytonLedger
from portal_site import make_portal

from basis_portal import PortalConfig
from basis_portal.storage.memory import InMemoryStorage

HERE = Path(__file__).parent
FILE = HERE.parents[4] / "shared" / "data" / "receivables.csv"
CUSTOMERS, INVOICES = 10, 6  # of the file: so many, with so many invoices each
SAMPLE, RECEIVABLES = 1, 2  # the companies
MAKERS = (database, bookkeeping, sample_data, generated)
KEY = "a key of the tests, which is long enough"
FILE_NAME = f"{database.NAME}.sqlite"


def receivables() -> list[receivables_file.Row]:
    """Ten customers of the file where it lies beside the clone, and invented ones."""
    rows = generated.generated_rows(CUSTOMERS)
    if FILE.exists():
        of_file = receivables_file.first_customers(receivables_file.read_rows(FILE), CUSTOMERS)
        invoices: dict[str, list[str]] = {}
        for row in of_file:
            if row.kind == "invoice":
                invoices.setdefault(row.customer, []).append(row.doc_id)
        kept = {one for ids in invoices.values() for one in ids[:INVOICES]}
        rows += [row for row in of_file if {row.doc_id, row.applies_to} & kept]
    return rows


def keep(folder: Path, kept: Path) -> None:
    """Copy the database of a folder, whole or not at all."""
    part = kept.with_suffix(".part")
    part.unlink(missing_ok=True)
    with sqlite3.connect(folder / FILE_NAME) as source, sqlite3.connect(part) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    part.rename(kept)


def _name(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


@pytest.fixture(scope="session")
def database_name(tmp_path_factory, pytestconfig):
    """The name of the database, which is open."""
    folder, cache = tmp_path_factory.mktemp("tryton"), pytestconfig.cache.mkdir("tryton")
    database.use_folder(folder)
    code = [Path(one.__file__).read_text() for one in MAKERS]
    today = dt.datetime.now(dt.UTC).date()
    empty = cache / f"{_name(version('trytond'), database.MODULES)}-empty"
    full = cache / f"{_name(empty, today, FILE.exists(), *code)}-full"
    if found := next((one for one in (full, empty) if one.exists()), None):
        shutil.copy(found, folder / FILE_NAME)
        database.open_database()
    else:
        database.create_database()
        keep(folder, empty)
    if not full.exists():
        sample_data.make_company(today)
        compare.load(receivables())
        for old in cache.glob("*-full"):
            old.unlink()
        keep(folder, full)
    return database.NAME


@pytest.fixture
def company(database_name):
    """Nordlicht Kaffee GmbH."""
    return Company(database_name, SAMPLE)


@pytest.fixture
def customers(company):
    """Its parties."""
    return TrytonCustomers(company)


@pytest.fixture
def documents(company):
    """Its invoices, credit notes and sales."""
    return TrytonDocuments(company)


@pytest.fixture
def ledger(company):
    """Its receivable accounts."""
    return TrytonLedger(company)


@pytest.fixture
def ids(customers):
    """The ids of the sample's parties, by name."""
    return {name: customers.search(name).items[0].id for name in sample_data.NAMES}


@pytest.fixture
def portal(company):
    """The host's portal, everything switched on."""
    portal = make_portal(company, InMemoryStorage(), [KEY], "http://127.0.0.1/portal")
    sections = ("show_sales_orders", "show_credit_notes", "show_statement")
    portal.settings.save(PortalConfig(enabled=True, **dict.fromkeys(sections, True)), by="ana")
    return portal
