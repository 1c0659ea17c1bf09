"""The ERP in one worker process: its connections, its portal, and what stands before its pages."""

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from psycopg_pool import ConnectionPool
from starlette.middleware.sessions import SessionMiddleware

from basis_portal import InvalidValue, Portal
from basis_portal.storage.postgres import PostgresStorage

from . import books, pages
from .portal_site import PortalPages, make_portal
from .settings import PORTAL_CONNECTIONS, Settings, connection_pool


@dataclass(frozen=True)
class Erp:
    """What the pages work with."""

    settings: Settings
    pool: ConnectionPool
    portal: Portal

    def find_user(self, name):
        """The user of that name, or None. Asked each time: who was removed is out at once."""
        if name is None:
            return None
        with self.pool.connection() as connection:
            return books.user(connection, name)


def make_app():
    """The application of one worker. Its tables are there already."""
    settings = Settings.from_environment()
    pool = connection_pool(settings)
    storage = PostgresStorage(settings.dsn, pool_size=PORTAL_CONNECTIONS, migrate=False)
    erp = Erp(settings, pool, make_portal(storage, pool.connection, settings))

    @asynccontextmanager
    async def lifespan(_):
        await run_in_threadpool(pool.open, wait=True)
        yield
        await run_in_threadpool(pool.close)
        await run_in_threadpool(storage.close)

    # Pages for people: no API to describe, and no redirect that is made from the Host header.
    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.erp = erp
    app.include_router(pages.router)
    app.add_exception_handler(pages.NotSignedIn, pages.to_login)
    for error in (psycopg.DataError, InvalidValue):  # text that no table holds, such as NUL
        app.add_exception_handler(error, pages.not_there)
    # What is added last is asked first: the session is known where the portal's pages are.
    app.add_middleware(PortalPages, portal=erp.portal, find_user=erp.find_user)
    app.add_middleware(SessionMiddleware, secret_key=settings.session_key, max_age=12 * 3600)
    app.add_middleware(WorkerHeader)
    return app


class WorkerHeader:
    """Says which process has answered, to see that there are several. A real host has none."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        """Add the header to what is sent."""

        async def send_with_header(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-worker", b"%d" % os.getpid())]
            await send(message)

        await self.app(scope, receive, send_with_header)
