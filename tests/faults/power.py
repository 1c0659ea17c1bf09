"""The power is cut while SQLite writes: what was acknowledged is on the disk.

A file system of SQLite's own (apsw's VFS) notes what was written and not yet synced. At the cut
each file keeps what was synced, and of the rest nothing, a beginning, or any 512-byte pieces. A
new file may be missing, and a removed one may be back, unless their folder was synced since; as
SQLite's own VFS does it, that is with the first sync of a new log or journal. The library runs as
it is, with its own pragmas, over apsw's copy of SQLite instead of Python's.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from unittest.mock import patch

import apsw
import attrs

from basis_portal.storage import _sqlite_connection
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import NOW

from .acknowledged import Ledger, Worker, lost
from .figures import Figure, some
from .kill import check_file

T = TypeVar("T")

CUTS = 300
CONTROL_CUTS = 40
CUTS_A_FILE = 12
SECTOR = 512
_NAME = "cut"
_OFTEN = "PRAGMA wal_autocheckpoint = 20"


# --- a disk that forgets ------------------------------------------------------------------


@attrs.define
class Content:
    """One file: what is safe, and what was written since, in order.

    Attributes:
        safe: what was synced.
        is_listed: the folder with it was synced, so that it is there.
        pending: writes (offset and bytes) and truncations (size alone).
    """

    safe: bytes = b""
    is_listed: bool = False
    pending: list[tuple[int, bytes | None]] = attrs.field(factory=list)

    def sync(self) -> None:
        """All that was written is safe."""
        self.safe = _applied(self.safe, self.pending)
        self.pending.clear()

    def after_cut(self, random: Random) -> bytes | None:
        """What a cut leaves, None where not even the file."""
        if not self.is_listed and random.random() < 0.5:
            return None
        pieces = [piece for change in self.pending for piece in _pieces(*change)]
        way = random.choice(("none", "beginning", "any", "any", "all"))
        if way == "none":
            pieces = []
        elif way == "beginning":
            pieces = pieces[: random.randint(0, len(pieces))]
        elif way == "any":
            pieces = [piece for piece in pieces if random.random() < 0.5]
        return _applied(self.safe, pieces)


def _pieces(offset: int, data: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    """A write in pieces that a disk writes whole or not at all; a truncation is one."""
    if data is None:
        yield offset, None
        return
    start = 0
    while start < len(data):
        end = min(len(data), start + SECTOR - (offset + start) % SECTOR)
        yield offset + start, data[start:end]
        start = end


def _applied(content: bytes, changes: Iterable[tuple[int, bytes | None]]) -> bytes:
    result = bytearray(content)
    for offset, data in changes:
        if data is None:
            del result[offset:]
        else:
            result.extend(bytes(max(0, offset - len(result))))
            result[offset : offset + len(data)] = data
    return bytes(result)


@attrs.define
class Disk:
    """What is safe of each file, until the power is cut.

    Attributes:
        random: decides what a cut leaves.
        steps: how many writes, syncs, truncations and removals there are before the cut.
        contents: by path.
        removed: by path, what was safe of a file whose removal was not.
        left: what the cut has left, by path; None before it.
        dropped: files that lost something in the cut.
    """

    random: Random
    steps: int
    contents: dict[str, Content] = attrs.field(factory=dict)
    removed: dict[str, bytes] = attrs.field(factory=dict)
    left: dict[str, bytes] | None = None
    dropped: int = 0

    def opened(self, path: str) -> None:
        """What is there already when a file is first opened is safe."""
        if path not in self.contents:
            file = Path(path)
            found = [file.read_bytes(), True] if file.exists() else []
            self.contents[path] = Content(*found)

    def write(self, path: str, offset: int, data: bytes | None) -> None:
        """Write, or truncate to ``offset``; the cut may come in the middle of it."""
        self.contents[path].pending.append((offset, data))
        self._step()

    def sync(self, path: str) -> None:
        """Make a file safe, the cut may come before it is."""
        self._step()
        self.contents[path].sync()
        if not self.contents[path].is_listed and path.endswith(("-wal", "-journal")):
            self._sync_folder()

    def remove(self, path: str, is_synced: bool) -> None:
        """Remove a file; without a sync of the folder a cut may bring it back."""
        self._step()
        content = self.contents.pop(path, Content())
        if content.is_listed:
            self.removed[path] = content.safe
        if is_synced:
            self._sync_folder()

    def cut(self) -> None:
        """Cut the power, once."""
        if self.left is None:
            self.dropped = sum(bool(one.pending) for one in self.contents.values())
            found = {path: one.after_cut(self.random) for path, one in self.contents.items()}
            for path, safe in self.removed.items():
                if found.get(path) is None and self.random.random() < 0.5:
                    found[path] = safe
            self.left = {path: data for path, data in found.items() if data is not None}

    def _sync_folder(self) -> None:
        self.removed.clear()
        for content in self.contents.values():
            content.is_listed = True

    def _step(self) -> None:
        self.steps -= 1
        if self.steps <= 0:
            self.cut()


class CutFile(apsw.VFSFile):
    """A file whose writes and syncs the disk is told of; else the system's own."""

    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = _path(name)
        if self._path:
            disk.opened(self._path)
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write."""
        super().xWrite(data, offset)
        if self._path:
            self._disk.write(self._path, offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        """Cut off the end."""
        super().xTruncate(size)
        if self._path:
            self._disk.write(self._path, size, None)

    def xSync(self, flags: int) -> None:
        """Sync: on this disk alone, which is quicker than the real one."""
        if self._path:
            self._disk.sync(self._path)


class CutVFS(apsw.VFS):
    """A file system over the default one; ``disk`` is changed before each run."""

    def __init__(self) -> None:
        self.disk = Disk(Random(0), 0)
        super().__init__(_NAME, "unix")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> CutFile:
        """Open a file."""
        return CutFile(self.disk, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        """Remove a file."""
        super().xDelete(name, sync)
        self.disk.remove(name, sync)


def _path(name: apsw.URIFilename | str | None) -> str:
    """The path of a file; empty for those that SQLite keeps for itself and never recovers."""
    return name.filename() if isinstance(name, apsw.URIFilename) else name or ""


# --- the library over apsw ----------------------------------------------------------------

_ERRORS = {
    apsw.ConstraintError: sqlite3.IntegrityError,
    apsw.CorruptError: sqlite3.DatabaseError,
    apsw.NotADBError: sqlite3.DatabaseError,
}


class Cursor:
    """The rows of one statement, as `sqlite3.Cursor` gives them."""

    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows not fetched yet."""
        return list(self._rows)

    def close(self) -> None:
        """Nothing is open."""


class Connection:
    """What the library uses of `sqlite3.Connection`, over apsw."""

    def __init__(self, uri: str, timeout: float) -> None:
        flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        self._inner = _translated(partial(apsw.Connection, uri, flags=flags, vfs=_NAME))
        self._inner.set_busy_timeout(int(timeout * 1000))

    @property
    def in_transaction(self) -> bool:
        """True between BEGIN and its end."""
        return self._inner.in_transaction

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        """Run one statement to its end."""
        return self._run(lambda: self._inner.execute(sql, tuple(values)).fetchall())

    def executemany(self, sql: str, values: Iterable[Sequence[Any]]) -> Cursor:
        """Run one statement for each of ``values``."""
        return self._run(lambda: self._inner.executemany(sql, map(tuple, values)).fetchall())

    def close(self) -> None:
        """Close the connection."""
        _translated(self._inner.close)

    def _run(self, work: Callable[[], list[tuple[Any, ...]]]) -> Cursor:
        before = self._inner.total_changes()
        rows = _translated(work)
        return Cursor(rows, self._inner.total_changes() - before)


def _translated(work: Callable[[], T]) -> T:
    """What ``work`` gives; apsw's errors are raised as Python's own."""
    try:
        return work()
    except apsw.Error as error:
        kind = _ERRORS.get(type(error), sqlite3.OperationalError)
        translated = kind(str(error))
        translated.sqlite_errorcode = getattr(error, "extendedresult", apsw.SQLITE_ERROR)
        raise translated from error


def _connect(database: str, *, uri: bool, timeout: float, **_: object) -> Connection:
    assert uri, "the library names its file by a URI"
    return Connection(database, timeout)


@contextmanager
def over(disk: Disk) -> Iterator[None]:
    """Let what the library connects to meanwhile be on this disk."""
    vfs = CutVFS()
    vfs.disk = disk
    try:
        with patch.object(_sqlite_connection.sqlite3, "connect", _connect):
            yield
    finally:
        vfs.unregister()


# --- the run ------------------------------------------------------------------------------


@attrs.define
class Cuts:
    """What was found after some cuts."""

    cuts: int = 0
    acknowledged: int = 0
    dropped: int = 0
    checkpointed: int = 0
    problems: list[str] = attrs.field(factory=list)


def run(scale: int) -> list[Figure]:
    """Cut the power with the library's own pragmas, and with weaker ones as a control."""
    with tempfile.TemporaryDirectory(prefix="basis-portal-power-") as name:
        folder = Path(name)
        shipped = cuts(folder / "full", max(CUTS // scale, 1))
        few = max(CONTROL_CUTS // scale, 6)
        normal = cuts(folder / "normal", few, ["PRAGMA synchronous = NORMAL"])
        off = cuts(folder / "off", few, ["PRAGMA synchronous = OFF", _OFTEN])
    gone = len(lost(shipped.problems))
    return [
        Figure(
            "power cut, SQLite, simulated",
            shipped.cuts,
            f"{gone} of {shipped.acknowledged:,} acknowledged changes lost, "
            f"{len(shipped.problems) - gone} other problems{some(shipped.problems)}",
            not shipped.problems,
        ),
        Figure(
            "... of which something unsynced was at stake",
            shipped.dropped,
            f"{shipped.checkpointed} cuts with frequent checkpoints",
            shipped.dropped > 0 and shipped.checkpointed > 0,
        ),
        Figure(
            "control: power cut, synchronous=NORMAL",
            normal.cuts,
            f"{len(lost(normal.problems))} of {normal.acknowledged:,} lost: seen",
            bool(lost(normal.problems)),
        ),
        Figure(
            "control: power cut, synchronous=OFF",
            off.cuts,
            f"{_broken(off)} problems of a damaged file: seen",
            _broken(off) > 0,
        ),
    ]


def _broken(found: Cuts) -> int:
    return len(found.problems) - len(lost(found.problems))


def cuts(folder: Path, count: int, pragmas: Sequence[str] = ()) -> Cuts:
    """Cut the power so often, each time over what the last cut has left, and check it."""
    found, random = Cuts(), Random(count)
    left: Mapping[str, bytes] = {}
    ledger, problems = Ledger(), [""]
    for number in range(count):
        if number % CUTS_A_FILE == 0 or problems:
            left, ledger = {}, Ledger()
        before = ledger.finished
        often = [_OFTEN] * (random.random() < 0.5)
        disk = Disk(random, int(random.triangular(1, 1500, 100)))
        _work_until_cut(_laid_out(folder / f"{number}", left), disk, ledger, [*pragmas, *often])
        left = {Path(path).name: data for path, data in (disk.left or {}).items()}
        problems = check_file(_laid_out(folder / f"{number}-after", left), ledger)
        found.cuts += 1
        found.acknowledged += ledger.finished - before
        found.dropped += disk.dropped > 0
        found.checkpointed += bool(often)
        found.problems += problems
    return found


def _laid_out(folder: Path, left: Mapping[str, bytes]) -> Path:
    """A new folder with these files; the path of the database in it."""
    folder.mkdir(parents=True)
    for name, data in left.items():
        (folder / name).write_bytes(data)
    return folder / "portal.db"


def _work_until_cut(path: Path, disk: Disk, ledger: Ledger, pragmas: Sequence[str]) -> None:
    """Make changes until the power is cut; only what had returned by then is acknowledged."""
    start = NOW + dt.timedelta(hours=ledger.begun)
    with over(disk):
        while disk.left is None:
            with closing(SQLiteStorage(path)) as storage:
                for pragma in pragmas:
                    storage._database.rows(pragma)
                worker = Worker(storage, disk.steps, start)
                _change(worker, disk, ledger, disk.random.randint(5, 60))
            start += dt.timedelta(days=1)


def _change(worker: Worker, disk: Disk, ledger: Ledger, most: int) -> None:
    for _ in range(most):
        if disk.left is not None:
            return
        ledger.begin()
        done = worker.change()
        if disk.left is None:
            ledger.acknowledge(done)
