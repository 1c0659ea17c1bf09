"""What goes wrong with files: a `StorageError` says which file it is and what to do."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from basis_portal import PortalError, StorageError
from basis_portal.domain.config import PortalConfig, StoredSettings
from basis_portal.domain.documents import DocumentKind
from basis_portal.repositories import UnitOfWork
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import (
    CUSTOMER_ID,
    NOW,
    a_customer,
    a_message,
    a_token,
    an_audit_entry,
    an_entry,
    an_invoice,
    token_id,
)
from basis_portal.testing.parts.base import in_thread


@pytest.fixture
def path(tmp_path: Path, empty_file: Path) -> Path:
    """A file with its tables, in a folder of its own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return Path(shutil.copyfile(empty_file, folder / "portal.db"))


@pytest.fixture
def storage(path: Path) -> Iterator[SQLiteStorage]:
    """A storage with one customer."""
    storage = SQLiteStorage(path)
    storage.customers.save(a_customer())
    yield storage
    storage.close()


def refused(work: Callable[[], Any], cause: type[Exception], says: str) -> StorageError:
    """The error of ``work``: it has its cause attached, and says this."""
    with pytest.raises(StorageError, match=says) as raised:
        work()
    assert isinstance(raised.value.__cause__, cause)
    return raised.value


def test_a_full_disk_is_said_and_room_makes_it_work_again(storage: SQLiteStorage) -> None:
    """Where the disk is full a write raises and changes nothing; with room it goes through."""
    pages = storage._database.rows("PRAGMA page_count")[0][0]
    storage._database.rows(f"PRAGMA max_page_count = {pages}")
    many = [an_entry(f"E{number}", reference="x" * 500) for number in range(500)]
    error = refused(lambda: storage.ledger.save(*many), sqlite3.OperationalError, "make room")
    assert storage._database.path in str(error)
    assert storage.ledger.entries(CUSTOMER_ID) == []
    assert storage.customers.get(CUSTOMER_ID) == a_customer()
    storage._database.rows(f"PRAGMA max_page_count = {pages + 1000}")
    storage.ledger.save(*many)
    assert len(storage.ledger.entries(CUSTOMER_ID)) == 500


@contextmanager
def write_protected(path: Path) -> Iterator[None]:
    """Nobody may write to the file meanwhile; whom permissions do not bind, an attribute does."""
    bound = os.geteuid() != 0
    if bound:
        path.chmod(0o444)
    elif subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode:
        pytest.skip("root may write here whatever is tried")
    try:
        yield
    finally:
        if bound:
            path.chmod(0o644)
        else:
            subprocess.run(["chattr", "-i", path], check=True)


def test_a_read_only_file_can_be_read_and_says_what_it_needs(path: Path) -> None:
    """A file that cannot be written still serves readers; a write raises until that is mended."""
    with closing(SQLiteStorage(path)) as storage:
        storage.customers.save(a_customer())
    with write_protected(path), closing(SQLiteStorage(path)) as storage:
        assert storage.customers.get(CUSTOMER_ID) == a_customer()
        refused(
            lambda: storage.customers.delete(CUSTOMER_ID),
            sqlite3.OperationalError,
            "cannot be written; let this process write",
        )
        assert storage.customers.get(CUSTOMER_ID) == a_customer()
    with closing(SQLiteStorage(path)) as storage:
        assert storage.customers.delete(CUSTOMER_ID)


def test_a_locked_file_is_waited_for_and_then_said(path: Path) -> None:
    """Where another process keeps the lock readers go on, and who writes is told in the end."""
    with (
        closing(SQLiteStorage(path, timeout=5)) as storage,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert storage.customers.get(CUSTOMER_ID) is None
        refused(
            lambda: storage.customers.save(a_customer()),
            sqlite3.OperationalError,
            "locked for more than 5 seconds; try again",
        )
        assert storage._database.rows("PRAGMA busy_timeout") == [(5000,)]
        other.execute("ROLLBACK")
        storage.customers.save(a_customer())
        assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_a_thread_that_writes_all_the_while_is_said(storage: SQLiteStorage) -> None:
    """Where another thread does not end its transaction, who waits is told the same."""
    storage._database._timeout = 0.01

    def wait(_: UnitOfWork) -> None:
        in_thread(
            lambda: refused(
                lambda: storage.customers.delete(CUSTOMER_ID), TimeoutError, "locked for more than"
            )
        )

    storage.transact(wait)
    assert in_thread(lambda: storage.customers.delete(CUSTOMER_ID)) is True


@pytest.mark.parametrize("start", [0, 100])
def test_a_damaged_file_is_said_and_a_mended_one_works_again(path: Path, start: int) -> None:
    """A file with other bytes in it is refused; with its own ones put back it is as it was."""
    with closing(SQLiteStorage(path)) as storage:
        storage.customers.save(a_customer())
        storage.close()
        good = path.read_bytes()
        path.write_bytes(good[:start] + b"\xfe" * (8192 - start) + good[8192:])
        says = "is no SQLite database or is damaged" if start == 0 else "is damaged; restore"
        for use in (lambda: storage.customers.get(CUSTOMER_ID), lambda: SQLiteStorage(path)):
            refused(use, sqlite3.DatabaseError, says)
        path.write_bytes(good)
        assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_a_file_of_something_else_is_said_and_left_as_it_is(path: Path) -> None:
    """A file that is no database at all is refused, and not a byte of it is changed."""
    path.write_text("kind,doc_id,customer\n" * 500)
    before = path.read_bytes()
    refused(lambda: SQLiteStorage(path), sqlite3.DatabaseError, "is no SQLite database")
    assert path.read_bytes() == before


def test_a_missing_folder_is_said_and_not_made(tmp_path: Path) -> None:
    """A file in a folder that does not exist is refused; in the folder once made it works."""
    path = tmp_path / "missing" / "portal.db"
    error = refused(lambda: SQLiteStorage(path), sqlite3.OperationalError, "there is no folder")
    assert repr(str(path.parent)) in str(error)
    assert not path.parent.exists()
    path.parent.mkdir()
    SQLiteStorage(path).close()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What is a folder cannot be opened as a file."""
    refused(lambda: SQLiteStorage(tmp_path), sqlite3.OperationalError, "cannot be opened")


@pytest.mark.parametrize("closed", [False, True])
def test_a_file_that_is_gone_is_said_and_not_made_anew(
    storage: SQLiteStorage, path: Path, closed: bool
) -> None:
    """A deleted file is not replaced by an empty one, nor written to unseen; put back, it works."""
    if closed:
        storage.close()
    aside = path.rename(path.with_name("aside.db"))
    for use in (
        lambda: storage.customers.get(CUSTOMER_ID),
        lambda: storage.opening(token_id(1)),
        lambda: storage.customers.save(a_customer()),
        lambda: in_thread(lambda: storage.customers.get(CUSTOMER_ID)),
        lambda: storage.transact(lambda unit: unit.audit.append([an_audit_entry()])),
    ):
        refused(use, FileNotFoundError, "is gone; put it back")
    assert not path.exists()
    aside.rename(path)
    assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_a_file_replaced_while_in_use_is_not_taken_for_the_old_one(
    storage: SQLiteStorage, path: Path, empty_file: Path
) -> None:
    """Another file under the name is refused: SQLite would apply the log of the old one to it."""
    aside = path.rename(path.with_name("aside.db"))
    shutil.copyfile(empty_file, path)
    for use in (lambda: storage.customers.get(CUSTOMER_ID), lambda: storage.opening(token_id(1))):
        with pytest.raises(StorageError, match="was replaced while in use; stop the programs"):
            use()
        with pytest.raises(StorageError, match="was replaced while in use; stop the programs"):
            in_thread(use)
    aside.replace(path)
    assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_a_value_that_cannot_be_read_is_said(storage: SQLiteStorage, path: Path) -> None:
    """What others wrote into the file and is none of ours raises, and is not guessed at."""
    storage.settings.put(StoredSettings(PortalConfig(), 1, NOW, "ana"))
    storage.tokens.add([a_token()])
    storage.documents.save(an_invoice())
    storage.ledger.save(an_entry())
    for sql, use in (
        ("UPDATE settings SET config = '{\"enabled\": 1}'", storage.settings.get),
        ("UPDATE settings SET config = 'no JSON'", storage.settings.get),
        ("UPDATE tokens SET issued_by = x'ff'", None),
        ("UPDATE tokens SET expires_at = 9e15 * 1000", lambda: storage.tokens.get(token_id(1))),
        ("UPDATE documents SET kind = 'poem'", None),
        ("UPDATE documents SET date = '2025'", lambda: storage.documents.get(CUSTOMER_ID, "INV-1")),
        ("UPDATE entries SET due_date = 5", lambda: storage.ledger.entries(CUSTOMER_ID)),
    ):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(sql)
        if use:
            refused(use, Exception, "holds one that cannot be read")
    assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_a_number_beyond_64_bits_is_said(storage: SQLiteStorage) -> None:
    """What SQLite cannot hold raises `StorageError` as well, whatever Python calls it."""
    for use in (
        lambda: storage.audit.page(after=2**63),
        lambda: storage.audit.page(limit=2**63),
        lambda: storage.tokens.mark_opened(token_id(1), NOW, unless_within=dt.timedelta.max),
        lambda: storage.documents.page(CUSTOMER_ID, DocumentKind.SALES_INVOICE, limit=2**64),
    ):
        refused(use, OverflowError, "cannot hold a value")
    assert storage.audit.page(after=2**63 - 1) == []


def test_a_taken_id_is_said(storage: SQLiteStorage) -> None:
    """A refusal by a rule of the tables is a `StorageError` that names the rule."""
    storage.messages.add(a_message())
    refused(lambda: storage.messages.add(a_message()), sqlite3.IntegrityError, "messages.id")


# --- faults within a transaction ----------------------------------------------------------


@pytest.mark.parametrize("undo", ["ROLLBACK", "close"])
def test_after_an_undone_transaction_nothing_more_is_written(
    storage: SQLiteStorage, undo: str
) -> None:
    """Where SQLite has given up a transaction what follows in it does not commit by itself."""

    def work(unit: UnitOfWork) -> None:
        unit.audit.append([an_audit_entry()])
        if undo == "close":
            storage.close()
        else:
            storage._database._session().connection.execute(undo)
        for write in (
            lambda: unit.audit.append([an_audit_entry()]),
            lambda: storage.transact(lambda inner: inner.messages.add(a_message())),
            lambda: storage.ledger.save(an_entry()),
        ):
            with pytest.raises(StorageError, match="was undone by an earlier error"):
                write()

    with pytest.raises(StorageError, match="run it again"):
        storage.transact(work)
    assert storage.audit.page() == []
    assert storage.messages.page(CUSTOMER_ID) == []
    assert storage.ledger.entries(CUSTOMER_ID) == []
    storage.transact(lambda unit: unit.audit.append([an_audit_entry()]))
    assert len(storage.audit.page()) == 1


def test_a_part_that_cannot_be_undone_takes_the_whole_with_it(storage: SQLiteStorage) -> None:
    """Where undoing a part fails its writes are not committed with the rest."""

    def part(unit: UnitOfWork) -> None:
        unit.messages.add(a_message())
        storage._database._session().connection.execute("RELEASE part1")
        raise ZeroDivisionError

    def work(unit: UnitOfWork) -> None:
        with pytest.raises(ZeroDivisionError):
            storage.transact(part)
        unit.audit.append([an_audit_entry()])

    with pytest.raises(StorageError, match="was undone by an earlier error"):
        storage.transact(work)
    assert storage.messages.page(CUSTOMER_ID) == []
    assert storage.audit.page() == []


def test_a_snapshot_is_for_reading(storage: SQLiteStorage) -> None:
    """A write within a snapshot is refused, alone or as a transaction; after it, none is."""
    with storage.snapshot():
        with storage.snapshot():
            assert storage.customers.get(CUSTOMER_ID) == a_customer()
        for write in (
            lambda: storage.customers.delete(CUSTOMER_ID),
            lambda: storage.transact(lambda unit: unit.audit.append([an_audit_entry()])),
        ):
            with pytest.raises(StorageError, match="a snapshot is for reading"):
                write()
        assert storage.customers.get(CUSTOMER_ID) == a_customer()
    assert storage.customers.delete(CUSTOMER_ID)


def test_a_snapshot_of_a_closed_storage_ends_quietly(storage: SQLiteStorage) -> None:
    """A storage closed within a snapshot refuses its reads, and serves the next ones."""
    with storage.snapshot():
        storage.close()
        refused(lambda: storage.customers.get(CUSTOMER_ID), sqlite3.ProgrammingError, "closed")
    assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_errors_of_the_family_pass_through(storage: SQLiteStorage) -> None:
    """What work raises is not taken for a fault of the storage, whatever its kind."""
    for error in (ValueError("theirs"), OSError("theirs"), KeyError("theirs"), PortalError("ours")):

        def work(unit: UnitOfWork, error: Exception = error) -> None:
            unit.audit.append([an_audit_entry()])
            raise error

        with pytest.raises(type(error)) as raised:
            storage.transact(work)
        assert raised.value is error
        assert error.__cause__ is None
    assert storage.audit.page() == []
