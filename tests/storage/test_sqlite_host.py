"""The host's own SQLite connection: what is done over it is part of the host's transaction."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from basis_portal import ActiveTokenExists, InvalidValue, Portal, StorageError
from basis_portal.domain.config import PortalConfig
from basis_portal.domain.portal_token import EndedAs
from basis_portal.storage import _sqlite_host
from basis_portal.storage.sqlite import SQLiteStorage, ddl
from basis_portal.testing.builders import (
    NOW,
    a_customer,
    a_token,
    an_audit_entry,
    an_invoice,
    token_id,
)
from basis_portal.testing.parts.base import in_thread

KEYS = ["a long random secret, at least 32 bytes"]
ID = a_token().customer_id


def portal_over(storage: SQLiteStorage) -> Portal:
    """A portal whose state is in a storage."""
    base_url = "https://erp.example.com/portal"
    return Portal(storage, secret_keys=KEYS, base_url=base_url, clock=lambda: NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The host's file, with a table of its own and those of the portal."""
    path = tmp_path / "erp.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoice (number TEXT)")
        connection.executescript(ddl())
    return path


@pytest.fixture
def storage(path: Path) -> Iterator[SQLiteStorage]:
    """The storage that everybody else uses, by the path of the file."""
    storage = SQLiteStorage(path, migrate=False)
    storage.customers.save(a_customer(ID))
    portal_over(storage).settings.save(PortalConfig(enabled=True))
    yield storage
    storage.close()


@pytest.fixture
def host(path: Path, storage: SQLiteStorage) -> Iterator[sqlite3.Connection]:
    """The host's connection, which gives rows in a way of its own."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.05)) as connection:
        connection.row_factory = lambda cursor, row: dict(
            zip([column[0] for column in cursor.description], row, strict=True)
        )
        yield connection


@pytest.fixture
def joined(host: sqlite3.Connection) -> SQLiteStorage:
    """The storage over the host's connection."""
    return SQLiteStorage(host)


def invoices(host: sqlite3.Connection) -> int:
    """How many invoices the host has."""
    (count,) = host.execute("SELECT count(*) AS n FROM invoice").fetchone().values()
    return int(count)


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE"])
def test_what_is_done_joins_the_hosts_transaction(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage, begin: str
) -> None:
    """A token issued in the host's transaction is there with its commit, and not without."""
    portal, trail = portal_over(joined), len(storage.audit.page())
    host.execute(begin)
    host.execute("INSERT INTO invoice VALUES ('INV-1')")
    first = portal.tokens.generate(ID)
    assert portal.tokens.get(ID) == first
    assert storage.tokens.get(first.id) is None
    host.execute("ROLLBACK")
    assert invoices(host) == 0
    assert storage.tokens.get(first.id) is None
    assert len(storage.audit.page()) == trail
    host.execute(begin)
    host.execute("INSERT INTO invoice VALUES ('INV-1')")
    second = portal.tokens.generate(ID)
    host.execute("COMMIT")
    assert invoices(host) == 1
    assert storage.tokens.get(second.id) == second


def test_a_connection_that_begins_by_itself_is_joined_too(
    path: Path, storage: SQLiteStorage
) -> None:
    """As Python makes connections a write of the host's begins the transaction to join."""
    with closing(sqlite3.connect(path)) as host:
        portal = portal_over(SQLiteStorage(host))
        host.execute("INSERT INTO invoice VALUES ('INV-1')")
        token = portal.tokens.generate(ID)
        host.rollback()
        assert storage.tokens.get(token.id) is None
        host.execute("INSERT INTO invoice VALUES ('INV-1')")
        token = portal.tokens.generate(ID)
        host.commit()
        assert storage.tokens.get(token.id) == token


def test_all_that_a_portal_of_ours_keeps_may_be_read_and_written(
    host: sqlite3.Connection, joined: SQLiteStorage
) -> None:
    """Customers, documents, tokens and lists are read as they were written, whatever the rows."""
    host.execute("BEGIN IMMEDIATE")
    joined.customers.save(a_customer("C-7"))
    joined.documents.save(an_invoice("INV-7", customer_id="C-7"))
    portal = portal_over(joined)
    done = list(portal.tokens.ensure_many([ID, "C-7"], by="ana"))
    assert len(done) == 2
    assert {token.customer_id for token in portal.tokens.list()} == {ID, "C-7"}
    assert joined.documents.get("C-7", "INV-7") == an_invoice("INV-7", customer_id="C-7")
    with joined.snapshot():
        assert joined.customers.get("C-7") == a_customer("C-7")
    joined.close()
    assert host.in_transaction


def test_a_refusal_leaves_the_hosts_transaction_usable(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage
) -> None:
    """What fails is undone alone: what the host wrote before is committed by it."""
    storage.tokens.add([a_token()])
    trail = len(storage.audit.page())
    host.execute("BEGIN")
    joined.audit.append([an_audit_entry()])
    with pytest.raises(ActiveTokenExists):
        joined.tokens.add([a_token(token_id(2))])
    with pytest.raises(ZeroDivisionError):
        joined.transact(lambda unit: (unit.audit.append([an_audit_entry()]), 1 / 0))
    host.execute("COMMIT")
    assert len(storage.audit.page()) == trail + 1
    assert storage.tokens.history(ID) == [a_token()]


def test_without_a_transaction_nothing_is_written(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage
) -> None:
    """Who forgot to begin one is told so; reading needs none."""
    portal = portal_over(joined)
    with pytest.raises(StorageError, match="is in no transaction that this could join; begin one"):
        portal.tokens.generate(ID)
    with pytest.raises(StorageError, match="is in no transaction"), joined.snapshot():
        pass
    assert portal.tokens.get(ID) is None
    host.execute("BEGIN")
    token = portal.tokens.generate(ID)
    host.execute("COMMIT")
    assert storage.tokens.get(token.id) == token


def test_the_hosts_connection_opens_no_links(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage
) -> None:
    """Its transaction may see an instant before a revoke: opening is refused, clearly."""
    portal_over(storage).tokens.generate(ID)
    text = portal_over(storage).tokens.link(ID).rsplit("/", 1)[1]
    with pytest.raises(StorageError, match="does not open links"):
        portal_over(joined).open(text)
    assert portal_over(joined).tokens.check(text).works
    assert portal_over(storage).open(text).customer.id == ID


def test_a_transaction_that_sees_an_earlier_instant_is_refused(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage
) -> None:
    """There a revoke would miss a token issued since: it is refused; in a new one it bites."""
    host.execute("BEGIN")
    assert invoices(host) == 0
    storage.tokens.add([a_token()])
    with pytest.raises(StorageError, match="was written by others since"):
        portal_over(joined).tokens.revoke(ID)
    host.execute("ROLLBACK")
    host.execute("BEGIN")
    ended = portal_over(joined).tokens.revoke(ID)
    host.execute("COMMIT")
    assert ended is not None
    assert storage.tokens.get(token_id(1)) == ended


def test_a_file_that_others_write_is_locked(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage
) -> None:
    """Who cannot have the lock in the host's own time is told, and the host may try again."""
    host.execute("BEGIN")

    def meanwhile(_: object) -> None:
        with pytest.raises(StorageError, match=r"was locked for more than 0\.05 seconds"):
            joined.tokens.add([a_token()])

    storage.transact(meanwhile)
    joined.tokens.add([a_token()])
    host.execute("COMMIT")
    assert storage.tokens.get(token_id(1)) == a_token()


def test_nobody_is_told_of_a_commit_that_is_the_hosts(
    host: sqlite3.Connection, joined: SQLiteStorage
) -> None:
    """A call after the commit is made at once without a transaction, and within one never."""
    calls: list[str] = []
    joined.after_commit(partial(calls.append, "at once"))
    host.execute("BEGIN")
    joined.after_commit(partial(calls.append, "never"))
    host.execute("COMMIT")
    assert calls == ["at once"]


# --- faults ---------------------------------------------------------------------------------


def test_what_an_error_undid_is_not_half_done(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage
) -> None:
    """Where the whole transaction is gone, what follows is refused instead of committed alone."""
    host.execute("BEGIN")

    def work(unit: Any) -> None:
        unit.tokens.add([a_token()])
        host.execute("ROLLBACK")  # as SQLite itself does where the disk is full
        unit.tokens.add([a_token()])

    def and_raise(unit: Any) -> None:
        host.execute("ROLLBACK")
        raise ZeroDivisionError("of the host")

    for attempt, error, text in (
        (work, StorageError, "is in no transaction"),
        (lambda unit: host.execute("ROLLBACK"), StorageError, "was undone by an earlier error"),
        (and_raise, ZeroDivisionError, "of the host"),
    ):
        with pytest.raises(error, match=text):
            joined.transact(attempt)
        host.execute("BEGIN")
    host.execute("COMMIT")
    assert storage.tokens.history(ID) == []


def test_what_cannot_be_undone_alone_is_undone_whole(
    host: sqlite3.Connection, joined: SQLiteStorage, storage: SQLiteStorage
) -> None:
    """A host that ends our part of its transaction loses the transaction, not half of it."""
    host.execute("BEGIN")

    def work(unit: Any) -> None:
        unit.tokens.add([a_token()])
        host.execute("RELEASE basis_portal")
        unit.tokens.end([token_id(1)], at=NOW, by="ana", how=EndedAs.REVOKED)

    with pytest.raises(StorageError, match="no such savepoint"):
        joined.transact(work)
    assert not host.in_transaction
    assert storage.tokens.history(ID) == []


def test_a_file_without_our_tables_is_refused(tmp_path: Path) -> None:
    """It is said what makes them, and the host's file is left as it is; so is an older one."""
    with closing(sqlite3.connect(tmp_path / "erp.db")) as host:
        host.execute("CREATE TABLE invoice (number TEXT)")
        with pytest.raises(StorageError, match=r"has no tables of the portal; run .*ddl\(\)"):
            SQLiteStorage(host)
        assert host.execute("SELECT name FROM sqlite_master").fetchall() == [("invoice",)]
        host.executescript(ddl())
        host.execute("PRAGMA user_version = 1")
        with pytest.raises(StorageError, match="are at step 1 of"):
            SQLiteStorage(host)


def test_an_old_sqlite_is_refused(
    host: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The floor holds for the host's connections too."""
    monkeypatch.setattr(_sqlite_host, "check_floor", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        SQLiteStorage(host)


def test_text_must_be_read_as_text(host: sqlite3.Connection) -> None:
    """A connection that reads bytes is refused, and one that reads str is not."""
    host.text_factory = bytes
    with pytest.raises(InvalidValue, match="must read text as str") as refused:
        SQLiteStorage(host)
    assert refused.value.field == "path"
    host.text_factory = str
    assert repr(SQLiteStorage(host)).endswith("erp.db', tenant='default')")


def test_a_closed_connection_and_that_of_another_thread_are_said(
    host: sqlite3.Connection, joined: SQLiteStorage
) -> None:
    """The storage works in the thread of the connection, while that is open."""

    def elsewhere() -> None:
        with pytest.raises(StorageError, match="an open connection of this thread"):
            joined.settings.get()

    in_thread(elsewhere)
    assert joined.settings.get().version == 1
    host.close()
    uses: list[Callable[[], object]] = [joined.settings.get, lambda: SQLiteStorage(host)]
    for use in uses:
        with pytest.raises(StorageError, match="closed database"):
            use()


FORKED = """
import os, sqlite3, sys
from basis_portal import StorageError
from basis_portal.storage.sqlite import SQLiteStorage

joined = SQLiteStorage(sqlite3.connect(sys.argv[1]))
child = os.fork()
if not child:
    try:
        joined.settings.get()
    except StorageError as error:
        os._exit(7 if "before this process was forked" in str(error) else 2)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), joined.settings.get().version)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_does_not_use_it(path: Path, storage: SQLiteStorage) -> None:
    """What a child commits over its parent's connection could be lost: it is refused there."""
    command = [sys.executable, "-c", FORKED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["7", "1"]
