"""The ERP over a PostgreSQL server of its own, answering on a port of this machine."""

import contextlib
import os
import secrets
import socket
import tempfile
import threading
from pathlib import Path

import embedded
import httpx
import psycopg
import pytest
import uvicorn
from erp import sample_data
from erp.app import make_app
from erp.settings import Settings
from psycopg.conninfo import make_conninfo

HOW = {"trust_env": False, "verify": False, "timeout": 60}
"""How a client asks: no proxy of the environment, no certificates, with time for a slow machine."""


@pytest.fixture(scope="session")
def folder():
    """One that PostgreSQL can enter, where it runs for root as another account."""
    with tempfile.TemporaryDirectory(prefix="fastapi-erp-tests-") as found:
        yield Path(found)


@pytest.fixture(scope="session")
def dsn(folder):
    """A server's; where there can be none the tests are skipped, and in CI they fail."""
    with contextlib.ExitStack() as stack:
        if server := os.environ.get("BASIS_PORTAL_TEST_POSTGRES"):
            yield stack.enter_context(database_of(server))
            return
        try:
            found = stack.enter_context(embedded.postgres(folder))
        except embedded.CannotStart as error:
            if os.environ.get("CI", "").lower() not in ("", "0", "false"):
                pytest.fail(f"PostgreSQL must be tested here, and cannot: {error}")
            pytest.skip(f"PostgreSQL is not tested: {error}")
        yield found


@contextlib.contextmanager
def database_of(server):
    """A new database of a server that somebody named."""
    name = f"fastapi_erp_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        yield make_conninfo(server, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def listener():
    """Where it is asked."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as found:
        yield found


@pytest.fixture(scope="session")
def settings(dsn, listener):
    """What its environment says. The sample data are made once."""
    os.environ |= {
        "ERP_DSN": dsn,
        "ERP_URL": f"http://127.0.0.1:{listener.getsockname()[1]}",
        "ERP_SESSION_KEY": secrets.token_urlsafe(48),
        "PORTAL_SECRET_KEYS": secrets.token_urlsafe(48),
    }
    found = Settings.from_environment()
    sample_data.make(found)
    return found


@pytest.fixture(scope="session")
def erp(settings, listener):
    """The ERP, which answers on a thread as it does in a worker."""
    app = make_app()
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    httpx.get(f"{settings.url}/login", **HOW)  # waits until it has started
    yield app.state.erp
    server.should_exit = True
    thread.join()


@pytest.fixture
def portal(erp):
    """Its portal."""
    return erp.portal


@pytest.fixture
def connection(erp):
    """A connection of the ERP's."""
    with erp.pool.connection() as found:
        yield found


@pytest.fixture
def new_browser(erp):
    """Gives the browser of somebody who is not signed in."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(httpx.Client(base_url=erp.settings.url, **HOW))


@pytest.fixture
def browser(new_browser):
    """Somebody who is not signed in."""
    return new_browser()


@pytest.fixture
def sign_in(new_browser):
    """Gives the browser of somebody who is."""

    def signed_in(user, password=sample_data.PASSWORD):
        browser = new_browser()
        browser.post("/login", data={"user": user, "password": password})
        return browser

    return signed_in
