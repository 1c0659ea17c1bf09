"""Threads, processes and forks: each has connections of its own, and all see what is committed."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from basis_portal import StorageError
from basis_portal.domain.portal_token import EndedAs
from basis_portal.repositories import UnitOfWork
from basis_portal.storage import _sqlite_session
from basis_portal.storage._sqlite_turn import Turn
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import (
    CUSTOMER_ID,
    NOW,
    a_customer,
    a_token,
    an_audit_entry,
    token_id,
)
from basis_portal.testing.parts.base import Running, hurried_threads, in_thread, in_threads


@pytest.fixture
def path(tmp_path: Path, empty_file: Path) -> Path:
    """A file with its tables."""
    return Path(shutil.copyfile(empty_file, tmp_path / "portal.db"))


@pytest.fixture
def storage(path: Path) -> Iterator[SQLiteStorage]:
    """A storage with a customer and its token."""
    storage = SQLiteStorage(path)
    storage.customers.save(a_customer())
    storage.tokens.add([a_token()])
    yield storage
    storage.close()


def connection_of(storage: SQLiteStorage) -> sqlite3.Connection:
    """The connection of the thread that asks."""
    return storage._database._session().connection


def is_open(connection: sqlite3.Connection) -> bool:
    """False where a connection was closed."""
    try:
        connection.execute("SELECT 1").fetchall()
    except sqlite3.ProgrammingError:
        return False
    return True


def run_script(path: Path, script: str) -> str:
    """What a script prints that is run by a process of its own; it must not fail."""
    lines = [
        "import os, sys, threading",
        "from basis_portal import StorageError",
        "from basis_portal.domain.portal_token import EndedAs",
        "from basis_portal.storage.sqlite import SQLiteStorage",
        "from basis_portal.testing.builders import *",
        "path = sys.argv[1]",
        "say = lambda *what: print(*what, flush=True)",
        script,
    ]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", "\n".join(lines), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == ""
    assert ended.returncode == 0
    return ended.stdout


# --- threads ------------------------------------------------------------------------------


def test_each_thread_has_a_connection_of_its_own(storage: SQLiteStorage) -> None:
    """Two threads never share a connection, and one keeps its own from use to use."""
    own = connection_of(storage)
    others = in_threads([lambda: (connection_of(storage), connection_of(storage))] * 3)
    assert connection_of(storage) is own
    assert all(first is second for first, second in others)
    assert len({id(own), *(id(first) for first, _ in others)}) == 4


def test_the_connection_of_an_ended_thread_is_closed(storage: SQLiteStorage) -> None:
    """A thread that ends leaves no open connection behind; those that live keep theirs."""
    seen: list[sqlite3.Connection] = []
    thread = threading.Thread(target=lambda: seen.append(connection_of(storage)))
    thread.start()
    thread.join()
    assert not is_open(seen[0])
    assert is_open(connection_of(storage))


def test_closing_closes_the_connections_of_all_threads(storage: SQLiteStorage) -> None:
    """After closing no thread's connection is open, and a thread that goes on gets a new one."""
    opened, closed = threading.Event(), threading.Event()

    def live_on() -> tuple[sqlite3.Connection, bool, bool]:
        first = connection_of(storage)
        opened.set()
        assert closed.wait(30)
        return first, is_open(first), storage.customers.get(CUSTOMER_ID) == a_customer()

    other = Running(live_on)
    assert opened.wait(30)
    own = connection_of(storage)
    storage.close()
    closed.set()
    theirs, still_open, goes_on = other.result()
    assert theirs is not own
    assert (is_open(own), still_open, goes_on) == (False, False, True)


def test_closing_leaves_other_storages_open(storage: SQLiteStorage, path: Path) -> None:
    """Two storages of one file are closed each for itself."""
    with closing(SQLiteStorage(path)) as other:
        connection = connection_of(other)
        storage.close()
        assert is_open(connection)


def test_a_revoke_is_seen_by_the_next_read_of_every_thread(storage: SQLiteStorage) -> None:
    """A thread that has just read a token as current sees it revoked as soon as it is."""
    before, revoked = threading.Event(), threading.Event()

    def read() -> tuple[bool, bool]:
        first = storage.opening(token_id(1)).token
        before.set()
        assert revoked.wait(30)
        second = storage.opening(token_id(1)).token
        assert first is not None
        assert second is not None
        return first.is_current, second.is_current

    reader = Running(read)
    assert before.wait(30)
    storage.tokens.end([token_id(1)], at=NOW, by="ana", how=EndedAs.REVOKED)
    revoked.set()
    assert reader.result() == (True, False)


def test_a_snapshot_sees_the_instant_at_which_it_began(storage: SQLiteStorage) -> None:
    """What others commit after a snapshot began is not seen in it, and is seen right after."""
    with storage.snapshot():
        in_thread(lambda: storage.tokens.end([token_id(1)], at=NOW, by="ana", how=EndedAs.REVOKED))
        in_thread(lambda: storage.audit.append([an_audit_entry()]))
        token = storage.tokens.get(token_id(1))
        assert token is not None
        assert token.is_current
        opened = storage.opening(token_id(1)).token
        assert opened is not None
        assert not opened.is_current
        assert storage.tokens.current_page() == [a_token()]
        assert storage.audit.page() == []
    token = storage.opening(token_id(1)).token
    assert token is not None
    assert not token.is_current
    assert len(storage.audit.page()) == 1


def test_threads_that_write_without_pause_all_come_to_write(storage: SQLiteStorage) -> None:
    """Many writers at once make every entry, once, in transactions that do not mix."""

    def append(name: str) -> None:
        for _ in range(10):
            entries = [an_audit_entry(by=name), an_audit_entry(by=name)]
            storage.transact(lambda unit, entries=entries: unit.audit.append(entries))  # type: ignore[misc]

    with hurried_threads():
        in_threads([partial(append, name) for name in "abcdefgh"])
    names = [entry.by for _, entry in storage.audit.page(limit=1000)]
    assert len(names) == 160
    assert names[::2] == names[1::2]


# --- turns --------------------------------------------------------------------------------


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    """Who waits longest is next, and who does not wait that long any more is left out."""
    turn, order = Turn(), list[str]()
    assert turn.take(0)
    assert not turn.take(0.01)

    def wait(name: str) -> None:
        assert turn.take(30)
        order.append(name)
        turn.give()

    waiting = []
    for number, name in enumerate("abcd", 1):
        waiting.append(Running(partial(wait, name)))
        while len(turn._waiting) < number:
            pass
    turn.give()
    for one in waiting:
        one.result()
    assert order == list("abcd")
    assert turn.take(0)


def test_a_turn_that_comes_too_late_is_passed_on() -> None:
    """Who has just stopped waiting does not keep a turn that nobody would ever give back."""
    turn = Turn()
    assert turn.take(0)
    late = threading.Lock()
    late.acquire()
    turn._waiting.append(late)
    turn.give()
    turn._leave(late)
    assert turn.take(0)


# --- processes ----------------------------------------------------------------------------


def test_a_revoke_is_seen_by_another_process(storage: SQLiteStorage, path: Path) -> None:
    """A process that has just read a token as current sees it revoked by another one."""
    script = (
        "storage = SQLiteStorage(path)\n"
        "say(storage.opening(token_id(1)).token.is_current)\n"
        "sys.stdin.readline()\n"
        "say(storage.opening(token_id(1)).token.is_current)\n"
    )
    prelude = (
        "import sys\n"
        "from basis_portal.storage.sqlite import SQLiteStorage\n"
        "from basis_portal.testing.builders import token_id\n"
        "path, say = sys.argv[1], lambda what: print(what, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", prelude + script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        storage.tokens.end([token_id(1)], at=NOW, by="ana", how=EndedAs.REVOKED)
        assert process.communicate("go\n", timeout=60)[0] == "False\n"


def test_processes_that_write_without_pause_all_come_to_write(
    storage: SQLiteStorage, path: Path
) -> None:
    """Writers in several processes that read first wait for each other, and none gives up."""
    script = (
        "storage = SQLiteStorage(path)\n"
        "def work(unit):\n"
        "    unit.audit.append([an_audit_entry(detail=str(len(unit.audit.page(limit=1000))))])\n"
        "for _ in range(40):\n"
        "    storage.transact(work)\n"
    )

    def work(unit: UnitOfWork) -> None:
        unit.audit.append([an_audit_entry(detail=str(len(unit.audit.page(limit=1000))))])

    def here() -> None:
        for _ in range(40):
            storage.transact(work)

    works: list[Callable[[], object]] = [partial(run_script, path, script)] * 3 + [here] * 3
    in_threads(works)
    found = [entry.detail for _, entry in storage.audit.page(limit=1000)]
    assert found == [str(number) for number in reversed(range(240))]


# --- forks --------------------------------------------------------------------------------

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")


@needs_fork
def test_a_forked_child_commits_for_good_though_the_parent_closes(path: Path) -> None:
    """A child has connections of its own: what it commits stays, also when the parent's close."""
    printed = run_script(
        path,
        """
storage = SQLiteStorage(path)
storage.customers.save(a_customer("parent"))
held, done = threading.Event(), threading.Event()
def live_on():
    storage.customers.get("parent")
    held.set()
    done.wait(30)
    say("thread of the parent", storage.customers.get("child") is not None)
thread = threading.Thread(target=live_on)
thread.start()
held.wait(30)
ready, go = os.pipe(), os.pipe()
child = os.fork()
if not child:
    say("child", storage.customers.get("parent") is not None)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    storage.customers.save(a_customer("child"))
    os._exit(0)
os.read(ready[0], 1)
storage.close()
os.write(go[1], b"x")
os.waitpid(child, 0)
say("parent", storage.customers.get("child") is not None)
done.set()
thread.join()
storage.close()
""",
    )
    assert printed.splitlines() == ["child True", "parent True", "thread of the parent True"]
    with closing(SQLiteStorage(path)) as storage:
        assert storage.customers.get("child") == a_customer("child")


@needs_fork
def test_a_child_forked_within_a_transaction_is_refused(path: Path) -> None:
    """A child that inherited an open connection is told so; the parent's transaction commits."""
    printed = run_script(
        path,
        """
storage = SQLiteStorage(path)
def work(unit):
    unit.audit.append([an_audit_entry()])
    child = os.fork()
    if not child:
        for use in (
            lambda: unit.audit.append([an_audit_entry()]),
            lambda: storage.customers.get("parent"),
            lambda: SQLiteStorage(path),
        ):
            try:
                use()
                say("it went through")
            except StorageError as error:
                say("close the storage before a fork" in str(error))
        storage.close()
        os._exit(0)
    os.waitpid(child, 0)
    unit.audit.append([an_audit_entry()])
storage.transact(work)
say("parent", len(storage.audit.page()))
child = os.fork()
if not child:
    say("next child", len(storage.audit.page()))
    os._exit(0)
os.waitpid(child, 0)
storage.close()
""",
    )
    assert printed.splitlines() == ["True"] * 3 + ["parent 2", "next child 2"]


@needs_fork
def test_a_child_may_write_while_the_parent_does(path: Path) -> None:
    """Parent and forked children that write at once wait for each other and lose nothing."""
    printed = run_script(
        path,
        """
storage = SQLiteStorage(path)
def append():
    for _ in range(20):
        storage.transact(lambda unit: unit.audit.append([an_audit_entry()]))
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        append()
        sys.exit(0)
    children.append(child)
append()
say([os.waitpid(child, 0)[1] for child in children])
say(len(storage.audit.page(limit=1000)))
""",
    )
    assert printed.splitlines() == ["[0, 0, 0]", "80"]


def test_a_connection_of_a_parent_is_neither_used_nor_closed(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a child a session of the parent is kept as it is, even when nothing refers to it."""
    connection = connection_of(storage)
    session = storage._database._session()
    monkeypatch.setattr(_sqlite_session.Session, "of_parent", [])
    monkeypatch.setattr(session, "_process", -1)
    with pytest.raises(StorageError, match="was in use when this process was forked"):
        storage.customers.get(CUSTOMER_ID)
    session.close()
    session.close_if_idle()
    session.__del__()
    assert is_open(connection)
    assert _sqlite_session.Session.of_parent == [session]
    monkeypatch.undo()
    assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_only_idle_connections_are_closed_for_a_fork(storage: SQLiteStorage) -> None:
    """A fork waits for no transaction and breaks none; an idle connection is opened again."""
    storage.audit.append([an_audit_entry()])

    def work(unit: UnitOfWork) -> sqlite3.Connection:
        unit.audit.append([an_audit_entry()])
        _sqlite_session._before_fork()
        unit.audit.append([an_audit_entry()])
        return connection_of(storage)

    within = storage.transact(work)
    assert is_open(within)
    assert len(storage.audit.page()) == 3
    session = storage._database._session()
    with session.lock:
        _sqlite_session._before_fork()
    assert is_open(within)
    _sqlite_session._before_fork()
    assert not is_open(within)
    assert len(storage.audit.page()) == 3


def test_a_session_closed_in_between_is_opened_again(
    storage: SQLiteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that finds its connection closed for a fork at the last moment gets another."""
    database, find = storage._database, storage._database._session
    found = [find()]

    def find_then_close() -> _sqlite_session.Session:
        session = find()
        if len(found) == 1:
            found.append(session)
            session.close_if_idle()
        return session

    monkeypatch.setattr(database, "_session", find_then_close)
    assert storage.customers.get(CUSTOMER_ID) == a_customer()
    assert found[0].closed


def test_an_hour_passes_between_noted_openings(storage: SQLiteStorage) -> None:
    """Of many threads that open a link at once one notes it."""
    hour = dt.timedelta(hours=1)
    noted = in_threads(
        [lambda: storage.tokens.mark_opened(token_id(1), NOW, unless_within=hour)] * 8
    )
    assert sorted(noted) == [False] * 7 + [True]
