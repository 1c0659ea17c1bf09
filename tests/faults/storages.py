"""Which storage to open, said in a line, so that other processes can be told."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.postgres_server import DSN_VARIABLE, Server, drop_schema, schema_name

from basis_portal import Customer, Portal, PortalConfig
from basis_portal.storage.sqlite import SQLiteStorage

KEY = "a secret for tests alone, at least 32 bytes"
_CONFIG = PortalConfig(enabled=True, allow_messages=True, show_statement=True)
ROOT = Path(__file__).parents[2]
DEADLINE = 60.0  # seconds within which another process answers


def open_storage(spec: str, tenant: str = "default", **how: Any) -> Any:
    """The storage of ``sqlite:PATH`` or ``postgres:SCHEMA|DSN``."""
    kind, _, place = spec.partition(":")
    if kind == "sqlite":
        return SQLiteStorage(place, tenant=tenant, **how)
    from basis_portal.storage.postgres import PostgresStorage

    schema, _, dsn = place.partition("|")
    return PostgresStorage(dsn, tenant=tenant, schema=schema, **how)


def portal_over(storage: Any) -> Portal:
    """A portal with a key for tests alone."""
    return Portal(storage, secret_keys=[KEY], base_url="https://erp.example.com/portal")


def made_for(storage: Any, *customers: str) -> Portal:
    """A portal that is on, with these customers."""
    storage.customers.save(*(Customer(one, one) for one in customers))
    portal = portal_over(storage)
    portal.settings.save(_CONFIG, by="tester")
    return portal


def text_of(portal: Portal, customer_id: str) -> str:
    """What is handed to `Portal.open` for the customer's active token."""
    return portal.tokens.link(customer_id, by="tester").rsplit("/", 1)[1]


def plain(spec: str) -> Any:
    """A plain connection to the tables, without the library; each statement commits by itself."""
    kind, _, place = spec.partition(":")
    if kind == "sqlite":
        return sqlite3.connect(place, isolation_level=None, check_same_thread=False, timeout=60)
    import psycopg

    schema, _, dsn = place.partition("|")
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute(f'SET search_path TO "{schema}"')
    return connection


def kind_of(spec: str) -> str:
    """The name of the kind of storage, as it is shown."""
    return "SQLite" if spec.startswith("sqlite:") else "PostgreSQL"


def contents(spec: str) -> dict[str, list[Any]]:
    """All rows that changes to tokens and messages make, by plain SQL."""
    connection = plain(spec)
    try:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in ("settings", "tokens", "messages", "audit", "customers", "entries")
        }
    finally:
        connection.close()


@contextmanager
def a_file() -> Iterator[str]:
    """An SQLite file that does not exist yet, in a folder of its own."""
    with TemporaryDirectory(prefix="basis-portal-faults-") as folder:
        yield f"sqlite:{folder}/portal.db"


@contextmanager
def a_schema() -> Iterator[str]:
    """A schema that does not exist yet, of a server that is there or is started."""
    import psycopg

    with ExitStack() as stack:
        dsn = os.environ.get(DSN_VARIABLE) or stack.enter_context(Server()).dsn
        name = schema_name()
        try:
            yield f"postgres:{name}|{dsn}"
        finally:
            with psycopg.connect(dsn, autocommit=True) as admin:
                drop_schema(admin, name)


PLACES = (a_file, a_schema)
"""What makes a place for each kind of storage."""


@contextmanager
def program(name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A module of this package run as a program; it is ended in any case."""
    started = subprocess.Popen(
        [sys.executable, "-m", f"tests.faults.{name}", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def tell(started: subprocess.Popen[str], line: str) -> None:
    """Write a line to a program."""
    assert started.stdin
    started.stdin.write(f"{line}\n")
    started.stdin.flush()


def hear(started: subprocess.Popen[str]) -> str:
    """The next line of a program; empty where it has ended."""
    assert started.stdout
    return started.stdout.readline().rstrip("\n")


def say(line: str) -> None:
    """Write a line to whoever started this program."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
