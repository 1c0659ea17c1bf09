"""The server that the tests bring along: it forgets nothing it acknowledged, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.postgres_server import (
    DSN_VARIABLE,
    Server,
    Unavailable,
    _copied,
    drop_schema,
    find_binaries,
    is_running,
    schema_name,
    wait_until,
)

ROOT = Path(__file__).parents[2]
_STARTS_ONE = """
import sys
from tests.postgres_server import Server
server = Server()
print(server.dsn, server.pid, server._folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _where_there_is_one(postgres_server: Server) -> None:
    """Skipped, or failed, as all that needs a server."""


@pytest.fixture
def own() -> None:
    """Skipped where a running server is named: none is started then."""
    if os.environ.get(DSN_VARIABLE):
        pytest.skip(f"no server is started, as {DSN_VARIABLE} names one")


@pytest.fixture
def server(own: None) -> Iterator[Server]:
    """A server of the test's own, as it is shipped."""
    with Server(durable=True) as found:
        yield found


def execute(dsn: str, statement: str) -> list[tuple[object, ...]]:
    """The rows of one statement."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_it_speaks_utf8(postgres_server: Server) -> None:
    """It answers, and holds every name."""
    assert execute(postgres_server.dsn, "SHOW server_encoding") == [("UTF8",)]


@pytest.mark.deep
def test_it_keeps_what_it_acknowledged_in_a_crash(server: Server) -> None:
    """After a kill it starts again on the same port, with what was committed."""
    dsn, before = server.dsn, server.pid
    execute(dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    server.crash()
    with pytest.raises(psycopg.OperationalError):
        execute(dsn, "SELECT 1")
    server.start()
    assert (server.dsn, execute(dsn, "SELECT number FROM kept")) == (dsn, [(7,)])
    assert server.pid != before


def test_it_ends_with_a_process_that_was_killed(own: None) -> None:
    """Neither server nor folder outlives the process that started it, however that ended."""
    with subprocess.Popen(
        [sys.executable, "-c", _STARTS_ONE],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        dsn, pid, folder = starter.stdout.readline().split()
        assert execute(dsn, "SELECT 1") == [(1,)]
        starter.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(folder).exists(), "its folder is gone")
    with pytest.raises(psycopg.OperationalError):
        execute(dsn, "SELECT 1")
    wait_until(lambda: not is_running(int(pid)), "it has ended")


@pytest.mark.deep
def test_a_synchronous_standby_has_what_was_acknowledged(own: None) -> None:
    """What a quick primary committed is there when it is killed and its standby promoted."""
    with Server() as primary, primary.standby() as standby:
        assert execute(primary.dsn, "SHOW synchronous_commit") == [("on",)]
        execute(primary.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
        primary.crash()
        standby.promote()
        assert execute(standby.dsn, "SELECT number FROM kept") == [(7,)]


def test_a_copy_of_the_programs_runs(own: None, tmp_path: Path) -> None:
    """Where root's account cannot reach the programs they are copied with their libraries."""
    programs = _copied(find_binaries(), tmp_path)
    for name in ("postgres", "initdb"):
        subprocess.run([programs / name, "--version"], check=True, capture_output=True)


@pytest.mark.deep
@pytest.mark.parametrize("left", ["SELECT * FROM {0}.kept", "CREATE TABLE {0}.made (number int)"])
def test_a_schema_is_dropped_whoever_is_in_it(
    postgres_server: Server, postgres_admin: psycopg.Connection[Any], left: str
) -> None:
    """One who reads in it, or has made what no one else sees yet, does not keep it."""
    name = schema_name()
    postgres_admin.execute(f"CREATE SCHEMA {name} CREATE TABLE kept (number int)")
    with (
        psycopg.connect(postgres_server.dsn) as within,
        psycopg.connect(postgres_server.dsn, autocommit=True) as bystander,
    ):
        within.execute(left.format(name))
        drop_schema(postgres_admin, name)
        assert bystander.execute("SELECT to_regnamespace(%s)", (name,)).fetchone() == (None,)
        with pytest.raises(psycopg.OperationalError):
            within.execute("SELECT 1")


def test_without_binaries_it_says_what_to_install(
    own: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no PostgreSQL the message names the extra, the package and the variable."""
    assert find_binaries().is_dir()
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with pytest.raises(Unavailable, match=r"extra 'test'.*Debian.*BASIS_PORTAL_TEST_POSTGRES"):
        find_binaries()
