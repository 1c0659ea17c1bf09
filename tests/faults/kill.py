"""A process that writes is killed, again and again, at any moment: what it acknowledged is there.

Only in a process without threads, since it forks; a forked child is warm at once.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import attrs

from basis_portal import StorageError
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import NOW

from .acknowledged import BEGIN, Ledger, Worker, as_line, check, lost
from .figures import Figure, some

CYCLES = 1000
CONTROL_CYCLES = 100
CYCLES_A_FILE = 25
_MOST = 0.03  # seconds until the kill

Work = Callable[[Path, int, int], None]
"""What a child does for ever: with a file, the number of the cycle, and the end of a pipe."""


@attrs.define
class Kills:
    """What was found after some kills."""

    kills: int = 0
    acknowledged: int = 0
    in_a_change: int = 0
    while_opening: int = 0
    problems: list[str] = attrs.field(factory=list)


def run(scale: int) -> list[Figure]:
    """Kill, and show that the check sees what is lost."""
    with tempfile.TemporaryDirectory(prefix="basis-portal-kill-") as name:
        folder = Path(name)
        kills = kill(folder / "kills", max(CYCLES // scale, 1), work)
        early = kill(folder / "early", max(CONTROL_CYCLES // scale, 20), work_early)
        noticed = taken_out(folder / "taken.db")
    gone = len(lost(kills.problems))
    return [
        Figure(
            "kill -9 of a writing process, SQLite",
            kills.kills,
            f"{gone} of {kills.acknowledged:,} acknowledged changes lost, "
            f"{len(kills.problems) - gone} other problems{some(kills.problems)}",
            not kills.problems,
        ),
        Figure(
            "... of which in the middle of a change",
            kills.in_a_change,
            f"{kills.while_opening} more while opening or making the file",
            kills.in_a_change > 0,
        ),
        Figure(
            "control: kill -9, acknowledged before the commit",
            early.kills,
            f"{len(lost(early.problems))} of {early.acknowledged:,} lost: seen",
            bool(lost(early.problems)),
        ),
        Figure(
            "control: a change taken out by hand",
            len(noticed),
            f"{sum(map(bool, noticed.values()))} noticed",
            all(noticed.values()),
        ),
    ]


# --- killing ------------------------------------------------------------------------------


def kill(folder: Path, cycles: int, do: Work) -> Kills:
    """Kill a child in the middle of its work so often, and check its file each time."""
    folder.mkdir()
    found = Kills()
    random = Random(cycles)
    problems: list[str] = []
    for cycle in range(cycles):
        if cycle % CYCLES_A_FILE == 0 or problems:
            path, ledger = folder / f"{cycle}.db", Ledger()
        before = ledger.finished
        said = _one_kill(lambda end, p=path, c=cycle: do(p, c, end), random)
        found.in_a_change += said.endswith(BEGIN)
        found.while_opening += not said
        ledger.read(said)
        found.kills += 1
        found.acknowledged += ledger.finished - before
        problems = check_file(path, ledger)
        found.problems += problems
    return found


def _one_kill(do: Callable[[int], None], random: Random) -> bytes:
    """What a child said until it was killed, at some moment after its start or first line."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            do(writing)
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb", buffering=0) as pipe:
        said = b"" if random.random() < 0.2 else pipe.read(4096)
        # The moment is the fault, so here real time must pass.
        time.sleep(random.uniform(0, _MOST))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child ended before it was killed"
        return said + pipe.readall()


def work(path: Path, cycle: int, end: int) -> None:
    """Change, and acknowledge what has returned, for ever."""
    worker = Worker(SQLiteStorage(path), cycle, start_of(cycle))
    while True:
        os.write(end, BEGIN)
        os.write(end, as_line(worker.change()))


def work_early(path: Path, cycle: int, end: int) -> None:
    """Acknowledge what is not committed yet: the fault that the check must see."""
    storage = SQLiteStorage(path)
    worker = Worker(storage, cycle, start_of(cycle))

    def some_changes(_: object) -> None:
        for _ in range(5):
            os.write(end, BEGIN)
            os.write(end, as_line(worker.change()))

    while True:
        storage.transact(some_changes)


def start_of(cycle: int) -> dt.datetime:
    """When a cycle begins: a day after the one before, so that tokens also expire."""
    return NOW + dt.timedelta(days=cycle)


# --- checking a file ----------------------------------------------------------------------


def check_file(path: Path, acknowledged: Ledger) -> list[str]:
    """`check` over a storage opened anew, and what SQLite itself finds wrong."""
    try:
        with closing(SQLiteStorage(path)) as storage:
            problems = check(storage, acknowledged)
    except StorageError as error:
        problems = [f"unreadable: {error}"]
    with closing(sqlite3.connect(path)) as plain:
        for pragma in ("integrity_check", "foreign_key_check"):
            problems += _damages(plain, pragma)
    return problems


def _damages(plain: sqlite3.Connection, pragma: str) -> list[str]:
    try:
        found = plain.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.DatabaseError as error:
        return [f"{pragma}: {error}"]
    return [f"{pragma}: {row}" for row in found if row != ("ok",)]


_TAKEN_OUT = {
    "a token": "DELETE FROM tokens WHERE ended_at IS NULL",
    "the end of a token": "UPDATE tokens SET ended_at = NULL, ended_as = NULL WHERE id = "
    "(SELECT id FROM tokens WHERE ended_at IS NOT NULL LIMIT 1)",
    "a message": "DELETE FROM messages WHERE id = (SELECT id FROM messages LIMIT 1)",
    "the settings": "UPDATE settings SET version = version - 1",
    "an entry of an issue": "DELETE FROM audit WHERE event = 'issued'",
    "an entry of an end": "DELETE FROM audit WHERE event = 'ended'",
    "an entry of a message": "DELETE FROM audit WHERE event = 'message'",
    "an entry of a save": "DELETE FROM audit WHERE event = 'settings_changed'",
}


def taken_out(path: Path) -> dict[str, list[str]]:
    """What the check says where something is taken out of a good file, by what it was."""
    ledger = Ledger()
    with closing(SQLiteStorage(path)) as storage:
        worker = Worker(storage, 1, NOW)
        for _ in range(100):
            ledger.acknowledge(worker.change())
    assert check_file(path, ledger) == []
    noticed = {what: _without(path, sql, ledger) for what, sql in _TAKEN_OUT.items()}
    return noticed | {"a page of an index": _damaged(path, ledger)}


def _without(path: Path, sql: str, ledger: Ledger) -> list[str]:
    copy = _copy(path)
    with closing(sqlite3.connect(copy, isolation_level=None)) as plain:
        plain.execute("DROP INDEX tokens_current")
        plain.execute(sql)
    return check_file(copy, ledger)


def _damaged(path: Path, ledger: Ledger) -> list[str]:
    copy = _copy(path)
    with closing(sqlite3.connect(copy)) as plain:
        root = "SELECT rootpage FROM sqlite_master WHERE name = 'notes_of_customer'"
        ((page,),) = plain.execute(root).fetchall()
    with copy.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    return check_file(copy, ledger)


def _copy(path: Path) -> Path:
    return Path(shutil.copyfile(path, path.with_name("copy.db")))
