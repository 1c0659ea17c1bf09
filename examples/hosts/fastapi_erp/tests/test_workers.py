"""The command: several processes that answer, one database, and how they end."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest
import run
from conftest import HOW, database_of
from erp.sample_data import ANA, KOPI, PASSWORD

from basis_portal.web import staff_page

PORT = ("--port", "8760")  # not that of a reader who tries it out
DEADLINE = 60  # seconds within which what is waited for has happened, also on a slow machine


class Running:
    """The command, after it has said where everything is."""

    def __init__(self, folder, *options, **environ):
        command = [sys.executable, run.__file__, "--data", str(folder), *PORT, *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=os.environ | environ, **pipes)
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Ctrl+C"):
                break
        found = re.search(r"(http://127\.0\.0\.1:\d+)(/portal/\S+)", self.said)
        assert found, self.said + self.process.stderr.read()
        self.url, self.link = found.groups()

    def end(self, number=signal.SIGTERM):
        """End it; its status, and what else it said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err

    def browser(self, **how):
        """Somebody who visits."""
        return httpx.Client(base_url=self.url, **HOW, **how)

    def answering(self, count, status, without=()):
        """The processes that answer, when there are so many; each opens the link with that status.

        Each request comes on a connection of its own, so that any of them may answer.
        """
        found, end = set(), time.monotonic() + DEADLINE
        with self.browser(limits=httpx.Limits(max_keepalive_connections=0)) as visitor:
            while len(found) < count:
                assert time.monotonic() < end, f"only {found} answer"
                with contextlib.suppress(*([httpx.TransportError] if without else [])):
                    answer = visitor.get(self.link)
                    assert answer.status_code == status
                    found |= {int(answer.headers["x-worker"])} - set(without)
        return found


@pytest.fixture
def refusal(monkeypatch, capsys):
    """Gives what the command says when it cannot start."""
    before = {one: signal.getsignal(one) for one in run.ENDING}

    def said(folder, *options):
        with pytest.raises(SystemExit) as refused:
            run.main(["--data", str(folder), *PORT, *options])
        assert capsys.readouterr() == ("", "")
        return refused.value.code

    yield said
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def new_folder():
    """One that PostgreSQL can enter, where it runs for root as another account."""
    with tempfile.TemporaryDirectory(prefix="fastapi-erp-tests-") as found:
        yield Path(found)


@pytest.fixture(scope="module")
def database(dsn):
    """A database of the command's own."""
    with database_of(dsn) as found:
        yield found


@pytest.fixture(scope="module")
def running(database, tmp_path_factory):
    """The command with two workers."""
    found = Running(tmp_path_factory.mktemp("running"), ERP_DSN=database)
    yield found
    assert found.end() == (0, "", "")


def test_what_one_worker_revokes_the_others_refuse_at_once(running):
    """Both open the link before; after the answer to the revoke neither does, not once."""
    workers = running.answering(2, 200)
    with running.browser() as ana:
        ana.post("/login", data={"user": ANA, "password": PASSWORD})
        address = staff_page(KOPI)
        form = {"form": value_in(ana.get(f"{address}/revoke")), "reason": "left"}
        done = ana.post(f"{address}/revoke", data=form)
        assert (done.status_code, int(done.headers["x-worker"]) in workers) == (303, True)
        assert running.answering(2, 403) == workers
        done = ana.post(address, data={"form": value_in(ana.get(address))})  # a new one
        assert done.status_code == 303
        mail = ana.post(f"/customers/{KOPI}/invoices/INV-1042/mail").text
    running.link = re.search(r"/portal/[\w.-]+", mail)[0]
    assert running.answering(2, 200) == workers


def value_in(page):
    """What the forms of a staff page carry."""
    return re.search(r'name="form" value="([^"]+)"', page.text)[1]


def test_a_worker_that_is_killed_is_replaced(running):
    """The other goes on answering, and soon there are two again."""
    killed, other = sorted(running.answering(2, 200))
    os.kill(killed, signal.SIGKILL)
    now = running.answering(2, 200, without=[killed])
    assert other in now
    assert killed not in now


def test_one_process_is_enough(database, new_folder):
    """Without any others, and it ends as well."""
    command = Running(new_folder, "--workers", "1", ERP_DSN=database)
    assert command.answering(1, 200) == {command.process.pid}
    assert command.end(signal.SIGINT) == (0, "", "")


def test_more_workers_than_there_are_connections_are_refused(
    running, database, new_folder, refusal, monkeypatch
):
    """With the numbers, and before one of them fails in the midst of its work."""
    monkeypatch.setenv("ERP_DSN", database)
    said = refusal(new_folder, "--workers", "50")
    assert re.search(r"50 workers may need 600 connections, and PostgreSQL has \d+\.", said)


def test_a_key_that_is_too_short_is_refused(database, new_folder, refusal, monkeypatch):
    """Of sessions as of links; it is not repeated."""
    monkeypatch.setenv("ERP_DSN", database)
    for name in ("ERP_SESSION_KEY", "PORTAL_SECRET_KEYS"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "too short")
            said = refusal(new_folder)
            assert said.startswith("This cannot start: ")
            assert "too short" not in said


@pytest.mark.parametrize(
    "dsn", ["postgresql://erp:hunter2@127.0.0.1:1/erp", "hunter2", "host=hunter2@db dbname=x"]
)
def test_a_database_that_cannot_be_reached_is_a_plain_error(dsn, new_folder, refusal, monkeypatch):
    """Which repeats no password."""
    monkeypatch.setenv("ERP_DSN", dsn)
    said = refusal(new_folder)
    assert said.startswith("This cannot start: ")
    assert "hunter2" not in said


@pytest.fixture
def own_server(dsn):
    """Skips where a server was named for the tests: this is about the command's own."""
    if "BASIS_PORTAL_TEST_POSTGRES" in os.environ:
        pytest.skip("BASIS_PORTAL_TEST_POSTGRES names another server")


@pytest.mark.usefixtures("own_server")
def test_it_begins_and_ends_with_a_server_of_its_own(new_folder, refusal, monkeypatch):
    """Another command cannot have its folder meanwhile; the next one finds what this one made."""
    for name in ("ERP_DSN", "ERP_SESSION_KEY", "PORTAL_SECRET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    first = Running(new_folder)
    server = server_of(new_folder)
    workers = first.answering(2, 200)
    assert "another run" in refusal(new_folder)
    assert first.end(signal.SIGHUP) == (0, "", "")
    assert all(map(ended, [server, *workers]))
    second = Running(new_folder)
    second.link = first.link
    workers = second.answering(2, 200)
    server = server_of(new_folder)
    sockets = Path((new_folder / "postgres" / "postmaster.pid").read_text().splitlines()[4])
    assert second.end(signal.SIGKILL)[0] == -signal.SIGKILL
    wait_for(lambda: all(map(ended, [server, *workers])) and not sockets.exists())


def server_of(folder):
    """The process of the server."""
    return int((folder / "postgres" / "postmaster.pid").read_text().partition("\n")[0])


def ended(pid):
    """True where there is no such process any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " in stat.read_text()


def wait_for(holds):
    """Look until something holds."""
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end


@pytest.mark.parametrize("port", ["80000", "-1", "80", "x"])
def test_a_port_that_is_none_is_told(port, capsys):
    """By the usage and status 2."""
    with pytest.raises(SystemExit) as ended:
        run.main(["--port", port])
    assert ended.value.code == 2
    assert "--port: must be 0 or a whole number from 1024 to 65535" in capsys.readouterr().err


def test_a_folder_that_cannot_be_is_told(tmp_path, capsys):
    """A file stands there already, or above it."""
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below"):
        with pytest.raises(SystemExit) as ended:
            run.main(["--data", str(folder)])
        assert ended.value.code == 2
        assert f"--data: {folder}: " in capsys.readouterr().err
