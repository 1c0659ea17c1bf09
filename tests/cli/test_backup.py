"""`basis-portal backup`: a whole copy of an instant, or no file of that name."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.places import Place, filled, sqlite_place, state_of

from basis_portal.storage import _backup
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import a_customer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for backups."""
    path = tmp_path / "backups"
    path.mkdir()
    return path


def _filled(place: Place) -> tuple[list[str], dict[str, Any]]:
    with closing(place.make("north")) as storage:
        storage.customers.save(a_customer("N-1"))
    return filled(place)


def test_a_backup_holds_it_all(run: Callable[..., Any], place: Place, folder: Path) -> None:
    """What a storage over the copy holds, and what each link shows, is what it was; all tenants."""
    texts, before = _filled(place)
    copy = folder / "monday.db"
    done = run("backup", copy, over=(place,))
    assert (done.status, done.err) == (0, "")
    assert f"copied to '{copy}', {copy.stat().st_size} bytes" in done.out
    assert [path.name for path in folder.iterdir()] == ["monday.db"]
    with closing(SQLiteStorage(copy, migrate=False)) as storage:
        assert state_of(storage, texts) == before
    with closing(SQLiteStorage(copy, tenant="north")) as storage:
        assert storage.customers.get("N-1") == a_customer("N-1")


def test_it_is_one_file_for_its_owner_alone(
    run: Callable[..., Any], place: Place, folder: Path
) -> None:
    """The mode is 0600 and no log is beside it; --json gives name and size."""
    _filled(place)
    copy = folder / "monday.db"
    said = json.loads(run("backup", copy, "--json", over=(place,)).out)
    assert (said["file"], said["bytes"]) == (str(copy), copy.stat().st_size)
    if os.name == "posix":
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_existing_file_is_left(run: Callable[..., Any], place: Place, folder: Path) -> None:
    """A file that is there is refused and not touched."""
    _filled(place)
    copy = folder / "monday.db"
    copy.write_text("precious")
    refused = run("backup", copy, over=(place,))
    assert (refused.status, "already; name another one" in refused.err) == (1, True)
    assert copy.read_text() == "precious"
    assert [path.name for path in folder.iterdir()] == ["monday.db"]
    assert run("backup", folder / "tuesday.db").status == 0


def test_a_folder_that_is_not_there_is_named(
    run: Callable[..., Any], place: Place, folder: Path
) -> None:
    """Where the folder of the new file is missing that is said, by its name alone."""
    _filled(place)
    refused = run("backup", folder / "absent" / "monday.db", over=(place,))
    assert (refused.status, f"there is no folder '{folder}/absent'" in refused.err) == (1, True)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_comes_meanwhile_is_left(
    run: Callable[..., Any],
    file: Place,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,
) -> None:
    """One of the same name that came while the copy was made stays too, also without links."""
    _filled(file)
    copy = folder / "monday.db"
    sync, link = _backup._sync, os.link

    def meanwhile(path: Path) -> None:
        sync(path)
        copy.write_text("precious")

    def refused_link(*args: Any) -> None:
        if not links:
            raise OSError("no hard links here")
        link(*args)

    monkeypatch.setattr(os, "link", refused_link)
    assert run("backup", folder / "before.db", over=(file,)).status == 0
    monkeypatch.setattr(_backup, "_sync", meanwhile)
    assert run("backup", copy).status == 1
    assert copy.read_text() == "precious"
    assert sorted(path.name for path in folder.iterdir()) == ["before.db", "monday.db"]


def test_it_is_synced_before_it_has_its_name(
    run: Callable[..., Any], file: Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File first, then name, then folder: a power cut leaves no half a backup."""
    _filled(file)
    seen = []
    sync = _backup._sync

    def noted(path: Path) -> None:
        seen.append((path.suffix or path.name, (folder / "monday.db").exists()))
        sync(path)

    monkeypatch.setattr(_backup, "_sync", noted)
    assert run("backup", folder / "monday.db", over=(file,)).status == 0
    assert seen == [(".unfinished", False), ("backups", True)]


def test_nothing_to_copy_is_said(run: Callable[..., Any], place: Place, folder: Path) -> None:
    """Without tables there is nothing to copy, and no file afterwards."""
    refused = run("backup", folder / "monday.db", over=(place,))
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert list(folder.iterdir()) == []
    place.make().close()
    assert run("backup", folder / "monday.db").status == 0


def test_an_empty_file_is_no_portal(run: Callable[..., Any], file: Place, folder: Path) -> None:
    """A file without any table is refused, as one of something else is."""
    Path(file.environment["BASIS_PORTAL_SQLITE"]).touch()
    assert "holds no portal" in run("backup", folder / "monday.db", over=(file,)).err
    file.damage("CREATE TABLE theirs (text)")
    assert "belongs to another application" in run("backup", folder / "monday.db").err
    assert list(folder.iterdir()) == []


def test_a_damaged_file_gives_no_backup(run: Callable[..., Any], file: Place, folder: Path) -> None:
    """A copy that is as damaged as its source is removed."""
    _filled(file)
    path = Path(file.environment["BASIS_PORTAL_SQLITE"])
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT (rootpage - 1) * 4096 FROM sqlite_master WHERE name = 'customers_by_name'"
        ((at,),) = connection.execute(sql).fetchall()
    content = bytearray(path.read_bytes())
    content[at : at + 60] = b"\xff" * 60
    path.write_bytes(content)
    refused = run("backup", folder / "monday.db", over=(file,))
    assert (refused.status, "is damaged" in refused.err) == (1, True)
    assert list(folder.iterdir()) == []


def test_an_old_file_is_copied_as_it_is(run: Callable[..., Any], file: Place, folder: Path) -> None:
    """Before an upgrade: tables of an earlier step are copied at that step."""
    file.make().close()
    file.damage(
        "DROP INDEX tokens_past",
        "DELETE FROM migrations WHERE version = 2",
        "PRAGMA user_version = 1",
    )
    assert run("backup", folder / "monday.db", over=(file,)).status == 0
    with closing(sqlite3.connect(folder / "monday.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_copy_of_postgres_is_of_one_instant_while_others_write(
    run: Callable[..., Any], place: Place, folder: Path
) -> None:
    """While customers are saved in pairs each copy has whole pairs, and the saving goes on."""
    place.make().close()
    ended = threading.Event()
    saved = []

    def save() -> None:
        with closing(place.make(migrate=False)) as storage:
            while not ended.is_set():
                n = len(saved)
                storage.customers.save(a_customer(f"A-{n}"), a_customer(f"B-{n}"))
                saved.append(n)

    thread = threading.Thread(target=save)
    thread.start()
    try:
        counts = []
        for number in range(8):
            before = len(saved)
            assert run("backup", folder / f"{number}.db", over=(place,)).status == 0
            with closing(sqlite3.connect(folder / f"{number}.db")) as connection:
                sql = "SELECT count(*) FROM customers WHERE id LIKE ?"
                pair = [connection.execute(sql, (like,)).fetchone()[0] for like in ("A%", "B%")]
            assert pair[0] == pair[1] >= before
            counts.append(pair[0])
    finally:
        ended.set()
        thread.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


_KILLED = """
import os, signal, sys
from basis_portal.cli import main
from basis_portal.storage import _backup, _place_sqlite

if sys.argv[2] == "finish":
    _place_sqlite.SQLitePlace.finish = lambda self: os.kill(os.getpid(), signal.SIGKILL)
else:
    _backup._give_name = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(["backup", sys.argv[1]])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
@pytest.mark.parametrize("instant", ["finish", "name"])
def test_a_killed_backup_looks_like_none(
    run: Callable[..., Any], place: Place, folder: Path, instant: str
) -> None:
    """Killed before it is whole, or before it has its name, nothing left looks like it."""
    _filled(place)
    copy = folder / "monday.db"
    command = [sys.executable, "-c", _KILLED, str(copy), instant]
    environment = {**os.environ, **place.environment}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    left = [path.name for path in folder.iterdir()]
    assert left
    assert all(name.startswith(".monday.db.") and ".unfinished" in name for name in left)
    assert run("backup", copy, over=(place,)).status == 0
    with closing(sqlite_place(copy).make(migrate=False)) as storage:
        assert storage.customers.get("C-1") is not None
