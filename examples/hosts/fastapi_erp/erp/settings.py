"""What the environment says; each worker process reads it by itself. No secret is an argument."""

import os
from dataclasses import dataclass

from psycopg.rows import namedtuple_row
from psycopg_pool import ConnectionPool

ERP_CONNECTIONS = 8
PORTAL_CONNECTIONS = 4
"""Of each worker, which has 40 threads of AnyIO's for its endpoints and 10 for the portal's pages.

There are fewer connections than threads: a request needs one for some milliseconds, and threads
wait in turn for the next free one. More would only let PostgreSQL do the waiting.

There are two pools because a page of the portal reads the ERP's tables while it holds a connection
of the portal's. With one pool all threads could hold one and wait for a second.
"""
CONNECTIONS = ERP_CONNECTIONS + PORTAL_CONNECTIONS


@dataclass(frozen=True)
class Settings:
    """Where the database is, what links begin with, and the keys of sessions and links."""

    dsn: str
    url: str
    session_key: str
    portal_keys: list[str]

    @classmethod
    def from_environment(cls):
        """What `ERP_DSN`, `ERP_URL`, `ERP_SESSION_KEY` and `PORTAL_SECRET_KEYS` say."""
        session_key = os.environ["ERP_SESSION_KEY"]
        if len(session_key) < 32:
            raise ValueError("ERP_SESSION_KEY must have 32 characters or more")
        return cls(
            dsn=os.environ["ERP_DSN"],
            url=os.environ["ERP_URL"],
            session_key=session_key,
            portal_keys=os.environ["PORTAL_SECRET_KEYS"].split(),  # oldest first, blanks between
        )


def connection_pool(settings):
    """The ERP's own connections, which are opened with the application.

    They commit each statement by itself; what belongs together stands in
    `with connection.transaction()`.
    """
    return ConnectionPool(
        settings.dsn,
        kwargs={
            "autocommit": True,
            "row_factory": namedtuple_row,
            "application_name": "fastapi_erp",
        },
        check=ConnectionPool.check_connection,  # the server may have been restarted meanwhile
        min_size=1,
        max_size=ERP_CONNECTIONS,
        timeout=10,
        open=False,
    )
