"""Disks that are full, read-only or gone, and files that are locked, damaged or deleted.

Each time: `StorageError`, nothing half done, and it works again once that is mended.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs

from basis_portal import DocumentKind, Portal, StorageError
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import CUSTOMER_ID, an_invoice

from . import mounts
from .acknowledged import portal_over
from .figures import Figure, some
from .subjects import LATER, seed

TIMEOUT = 5.0  # the least a storage allows
LEVELS = 60
_DISK = 2048  # kilobytes
_ROWS = 40
_READS: dict[str, Callable[[Portal, Any], Any]] = {
    "tokens.list": lambda p, _: p.tokens.list(),
    "tokens.history": lambda p, _: p.tokens.history(CUSTOMER_ID),
    "messages.thread": lambda p, _: p.messages.thread(CUSTOMER_ID),
    "messages.notes": lambda p, _: p.messages.notes(CUSTOMER_ID),
    "audit.list": lambda p, _: p.audit.list(),
    "preview": lambda p, _: p.preview(CUSTOMER_ID).statement(),
    "documents.page": lambda _, s: s.documents.page(CUSTOMER_ID, DocumentKind.SALES_INVOICE),
    "customers.search": lambda _, s: s.customers.search("kopi"),
}
_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

Fault = Callable[[Path, Path, int], "Tries"]
"""What is tried in a folder, with a filled file to copy; the number divides how often."""


@attrs.define
class Tries:
    """What came of what was tried.

    Attributes:
        tried: how often something was asked of a storage in trouble.
        refused: how often `StorageError` said so.
        served: how often it was done all the same, and rightly.
        problems: all that is not as promised.
    """

    tried: int = 0
    refused: int = 0
    served: int = 0
    problems: list[str] = attrs.field(factory=list)

    def ask(self, what: str, work: Callable[[], Any], answer: Any = None) -> bool:
        """Ask something; it is served with the answer, if one is given, or refused."""
        self.tried += 1
        try:
            found = work()
        except StorageError:
            self.refused += 1
            return False
        except Exception as error:
            self.problems.append(f"{what}: {type(error).__name__}: {error}")
            return False
        self.served += 1
        self.check(f"{what}: a wrong answer", answer is None or str(found) == answer)
        return True

    def must_refuse(self, what: str, work: Callable[[], Any]) -> None:
        """Ask something that cannot be done."""
        self.check(f"{what}: was not refused", not self.ask(what, work))

    def works(self, what: str, work: Callable[[], Any]) -> None:
        """Do something once all is mended."""
        try:
            work()
        except Exception as error:
            self.problems.append(f"{what}: afterwards {type(error).__name__}: {error}")

    def check(self, what: str, is_so: bool) -> None:
        """Note a problem unless something is so."""
        if not is_so:
            self.problems.append(what)


def run(scale: int) -> list[Figure]:
    """All of these faults, and a control."""
    with tempfile.TemporaryDirectory(prefix="basis-portal-files-") as name:
        folder = Path(name)
        filled = folder / "filled.db"
        with closing(SQLiteStorage(filled)) as storage:
            seed(storage)
        return [
            *(_figure(what, fault, folder, filled, scale) for what, fault in FAULTS.items()),
            _control(folder, filled),
        ]


def _figure(what: str, fault: Fault, folder: Path, filled: Path, scale: int) -> Figure:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        try:
            found = fault(Path(own), filled, scale)
        except mounts.NotPossible as why:
            return Figure(what, 0, f"not possible here: {why}", False)
    text = (
        f"{found.refused} times StorageError, {found.served} times served, "
        f"{len(found.problems)} other outcomes{some(found.problems)}"
    )
    return Figure(what, found.tried, text, found.refused > 0 and not found.problems)


def rows(path: Path) -> dict[str, list[Any]]:
    """All rows of a file, by a plain connection."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as plain:
        names = plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: plain.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}


@contextmanager
def _storage_on(path: Path, filled: Path) -> Iterator[SQLiteStorage]:
    shutil.copyfile(filled, path)
    with closing(SQLiteStorage(path, timeout=TIMEOUT)) as storage:
        yield storage


def _history(storage: Any) -> Any:
    return portal_over(storage, lambda: LATER).tokens.history(CUSTOMER_ID)


def much(storage: Any, mark: str = "") -> None:
    """Write much to several tables in one transaction."""
    portal = portal_over(storage, lambda: LATER)

    def work(unit: Any) -> None:
        portal.tokens.regenerate(CUSTOMER_ID, by="eva")
        storage.documents.save(
            *(an_invoice(f"{mark}{n}", reference="x" * 200) for n in range(_ROWS))
        )
        portal.messages.reply(CUSTOMER_ID, "It is on its way.", by="eva")

    storage.transact(work, lock=[CUSTOMER_ID])


# --- the faults ---------------------------------------------------------------------------


def disk_full(folder: Path, filled: Path, scale: int) -> Tries:
    """A real small disk that has more and more pages left: for some writes, then for all."""
    found = Tries()
    with mounts.small_disk(folder, _DISK) as disk:
        for pages in range(0, LEVELS, min(scale, 20)):
            with _storage_on(disk / "portal.db", filled) as storage:
                _write_into(disk, storage, pages, found)
            _open_with(disk, filled, pages, found)
    found.check("no level of filling let anything through", found.served > 0)
    return found


def _write_into(disk: Path, storage: SQLiteStorage, pages: int, found: Tries) -> None:
    path, what = disk / "portal.db", f"{pages} pages left"
    old = rows(path)
    mounts.fill_up(disk, pages * 4096)
    done = found.ask(what, lambda: much(storage))
    storage.customers.get(CUSTOMER_ID)
    new = rows(path)
    grown = {name: len(new[name]) - len(old[name]) for name in new}
    found.check(f"{what}: refused and not as before", done or new == old)
    found.check(f"{what}: half done", not done or grown["documents"] == _ROWS)
    mounts.make_room(disk)
    found.works(what, lambda: much(storage, "again"))


def _open_with(disk: Path, filled: Path, pages: int, found: Tries) -> None:
    """A new storage while the disk is full."""
    path, what = disk / "portal.db", f"opened with {pages} pages left"
    shutil.copyfile(filled, path)
    mounts.fill_up(disk, pages * 4096)

    def opened() -> None:
        with closing(SQLiteStorage(path)) as storage:
            much(storage)

    done = found.ask(what, opened)
    mounts.make_room(disk)
    with closing(SQLiteStorage(path)) as storage:
        count = len(rows(path)["documents"]) - len(rows(filled)["documents"])
        found.check(f"{what}: half done", count == (_ROWS if done else 0))
        found.works(what, lambda: much(storage, "again"))


def disk_fails(folder: Path, filled: Path, scale: int) -> Tries:
    """The kernel makes a file system read-only while a storage has its file open."""
    found = Tries()
    with mounts.ext4_disk(folder) as disk:
        path = disk / "portal.db"
        shutil.copyfile(filled, path)
        _sync(path)
        with closing(SQLiteStorage(path)) as storage:
            much(storage, "before")
            old = rows(path)
            mounts.abort(disk)
            for number in range(10):
                found.must_refuse(f"write {number}", lambda: much(storage))
            found.ask("a read", lambda: _history(storage))
        mounts.repair(disk)
        with closing(SQLiteStorage(path)) as storage:
            found.check("not as before", rows(path) == old)
            found.works("a write", lambda: much(storage))
    return found


def _sync(path: Path) -> None:
    """Bring a file and its name to the disk; what the library commits comes there by itself."""
    for one in (path, path.parent):
        handle = os.open(one, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def mount_read_only(folder: Path, filled: Path, scale: int) -> Tries:
    """A disk is mounted read-only between two uses of a storage."""
    found = Tries()
    with mounts.small_disk(folder, _DISK) as disk, _storage_on(disk / "p.db", filled) as storage:
        old = rows(disk / "p.db")
        storage.close()
        mounts.protect(disk, on=True)
        found.must_refuse("a write", lambda: much(storage))
        found.ask("a read", lambda: _history(storage))
        found.ask("a storage", lambda: SQLiteStorage(disk / "p.db").close())
        found.must_refuse("a new file", lambda: SQLiteStorage(disk / "new.db"))
        storage.close()
        mounts.protect(disk, on=False)
        found.check("not as before", rows(disk / "p.db") == old)
        found.works("a write", lambda: much(storage))
    return found


def locked(folder: Path, filled: Path, scale: int) -> Tries:
    """Another process holds the lock too long; it lets go, or is killed."""
    found = Tries()
    with _storage_on(folder / "portal.db", filled) as storage:
        for end in ("let go", "killed"):
            with _locker(folder / "portal.db", end):
                old = rows(folder / "portal.db")
                found.must_refuse(f"locked until {end}", lambda: much(storage))
                found.works("a read", lambda: _history(storage))
                found.check("locked: not as before", rows(folder / "portal.db") == old)
            found.works(f"after the lock was {end}", lambda e=end: much(storage, e))
    return found


@contextmanager
def _locker(path: Path, end: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", _LOCKER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as locker:
        try:
            assert locker.stdout
            assert locker.stdout.readline() == b"locked\n"
            yield
            if end == "let go":
                locker.communicate(b"")
        finally:
            locker.kill()


def damaged(folder: Path, filled: Path, scale: int) -> Tries:
    """Each page in turn is overwritten, or the file ends before it: right answers or errors."""
    found = Tries()
    good, random = filled.read_bytes(), Random(1)
    answers = _answers(folder / "portal.db", filled)
    for page in range(0, len(good) // 4096, min(scale, 10)):
        start = page * 4096
        for what, content in (
            ("overwritten", good[:start] + random.randbytes(4096) + good[start + 4096 :]),
            ("the end", good[:start]),
        ):
            if content:
                _ask_damaged(folder, content, f"page {page} {what}", answers, found)
    shutil.copyfile(filled, folder / "portal.db")
    with closing(SQLiteStorage(folder / "portal.db")) as storage:
        found.works("with its own pages", lambda: much(storage))
    return found


def _answers(path: Path, filled: Path) -> dict[str, str]:
    with _storage_on(path, filled) as storage:
        portal = portal_over(storage, lambda: LATER)
        return {name: str(read(portal, storage)) for name, read in _READS.items()}


def _ask_damaged(
    folder: Path, content: bytes, what: str, answers: dict[str, str], found: Tries
) -> None:
    path = folder / "damaged.db"
    for old in folder.glob("damaged.db*"):
        old.unlink()
    path.write_bytes(content)
    try:
        storage = SQLiteStorage(path)
    except StorageError:
        found.tried += 1
        found.refused += 1
        return
    with closing(storage):
        portal = portal_over(storage, lambda: LATER)
        for name, read in _READS.items():
            found.ask(f"{what}, {name}", lambda r=read: r(portal, storage), answers[name])
        found.ask(f"{what}, a write", lambda: much(storage))


def deleted(folder: Path, filled: Path, scale: int) -> Tries:
    """The file is deleted while a storage has it open, and comes back from a backup."""
    found = Tries()
    path = folder / "portal.db"
    for beside in (True, False):
        with _storage_on(path, filled) as storage:
            much(storage)
            backup = _backup(path)
            for one in folder.glob("portal.db*" if beside else "portal.db"):
                one.unlink()
            found.must_refuse("a read", lambda: _history(storage))
            found.must_refuse("a write", lambda: much(storage))
            storage.close()
            found.must_refuse("a write after closing", lambda: much(storage))
            found.check("the file was made anew", not path.exists())
            for one in folder.glob("portal.db-*"):
                one.unlink()
            backup.rename(path)
            found.works("from the backup", lambda: much(storage, "again"))
            found.check("not all of it", len(rows(path)["documents"]) >= 2 * _ROWS)
        path.unlink()
    return found


def _backup(path: Path) -> Path:
    target = path.with_name("backup")
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    return target


def no_folder(folder: Path, filled: Path, scale: int) -> Tries:
    """The folder is not there from the first, or is moved away under a running storage."""
    found = Tries()
    place = folder / "place"
    found.must_refuse("a new storage", lambda: SQLiteStorage(place / "portal.db"))
    found.check("the folder was made", not place.exists())
    place.mkdir()
    with _storage_on(place / "portal.db", filled) as storage:
        old = rows(place / "portal.db")
        place.rename(folder / "aside")
        found.must_refuse("a write", lambda: much(storage))
        found.must_refuse("a read", lambda: _history(storage))
        found.check("the folder was made again", not place.exists())
        (folder / "aside").rename(place)
        found.check("not as before", rows(place / "portal.db") == old)
        found.works("with its folder", lambda: much(storage))
    return found


FAULTS: dict[str, Fault] = {
    "disk full, a small disk": disk_full,
    "disk fails and is read-only, file in use": disk_fails,
    "disk mounted read-only": mount_read_only,
    f"locked for longer than {TIMEOUT:g} seconds": locked,
    "damaged: each page overwritten, or missing": damaged,
    "file deleted under a running storage": deleted,
    "folder missing, or moved away": no_folder,
}


def _control(folder: Path, filled: Path) -> Figure:
    """The looks see what is wrong: an error of another kind, a wrong answer, no refusal."""
    found = Tries()
    with _storage_on(folder / "control.db", filled) as storage:
        found.ask("another error", lambda: 1 // 0)
        found.ask("a wrong answer", lambda: _history(storage), "")
        found.must_refuse("a write", lambda: much(storage))
    seen = len(found.problems)
    return Figure("control: three outcomes that are wrong", 3, f"{seen} seen", seen == 3)
