"""The ERP's tables with invented books; the portal's tables beside them."""

from importlib.resources import files

import psycopg
from werkzeug.security import generate_password_hash

from basis_portal import PortalConfig
from basis_portal.storage.postgres import PostgresStorage

from .portal_site import TIMEZONE, joined_portal

ANA, BEN, PASSWORD = "ana", "ben", "nordlicht"
KOPI, MUELLER, BEAN_THERE, HARBOUR = "C-1001", "C-1002", "C-1003", "C-1005"
CUSTOMERS = (KOPI, MUELLER, BEAN_THERE, HARBOUR)
SHOWN = {
    "show_sales_orders": True,
    "show_credit_notes": True,
    "show_statement": True,
    "allow_messages": True,
}


def make(settings):
    """What is not there yet. Once, before the workers start, and by one at a time."""
    PostgresStorage(settings.dsn).close()  # makes or migrates the portal's tables
    with psycopg.connect(settings.dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('fastapi_erp'))")
        if connection.execute("SELECT to_regnamespace('erp') IS NULL").fetchone()[0]:
            connection.execute("SELECT set_config('timezone', %s, true)", [TIMEZONE])
            connection.execute(_text("schema.sql"))
            connection.execute(_text("sample_data.sql"))
            for name, may_change in ((ANA, True), (BEN, False)):
                hashed = generate_password_hash(PASSWORD)
                values = [name, hashed, may_change]
                connection.execute("INSERT INTO erp.users VALUES (%s, %s, %s)", values)
        portal = joined_portal(connection, settings)
        if portal.settings.get().version == 0:
            portal.settings.save(PortalConfig(enabled=True, **SHOWN), by=ANA)


def _text(file):
    return (files(__package__) / file).read_text(encoding="utf-8")
