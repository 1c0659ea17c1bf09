"""The portal for operators: ``basis-portal tokens list --portal erp.operate:portal``.

The environment is that of the workers, whose connections and threads a command does not need.
"""

from functools import partial

import psycopg

from basis_portal.storage.postgres import PostgresStorage

from .portal_site import make_portal
from .settings import Settings


def portal():
    """The one of the ERP's pages, with one connection; each read of the ERP's takes another."""
    settings = Settings.from_environment()
    storage = PostgresStorage(settings.dsn, pool_size=1, migrate=False)
    return make_portal(storage, partial(psycopg.connect, settings.dsn, autocommit=True), settings)
