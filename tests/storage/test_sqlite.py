"""The SQLite file: what it is opened with, how it is made and migrated, what it is made of."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from basis_portal import InvalidValue, StorageError
from basis_portal.domain.audit import AuditEvent, Cause
from basis_portal.domain.config import PortalConfig, StoredSettings
from basis_portal.domain.documents import DocumentKind
from basis_portal.domain.mail import MailKind, MailStatus
from basis_portal.domain.portal_token import TokenStatus
from basis_portal.storage import _sqlite_schema
from basis_portal.storage._place_sqlite import SQLitePlace
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import (
    CUSTOMER_ID,
    DAY,
    NOW,
    a_customer,
    a_mail,
    a_message,
    a_note,
    a_payment,
    a_token,
    an_allocation,
    an_audit_entry,
    an_entry,
    an_invoice,
    token_id,
)
from basis_portal.testing.parts.base import in_thread, in_threads

TABLES = [
    "settings",
    "tokens",
    "messages",
    "notes",
    "mails",
    "audit",
    "customers",
    "documents",
    "entries",
    "allocations",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of the test is or will be."""
    return tmp_path / "portal.db"


@pytest.fixture
def storage(path: Path) -> Iterator[SQLiteStorage]:
    """A storage in a new file."""
    storage = SQLiteStorage(path)
    yield storage
    storage.close()


def fill(storage: SQLiteStorage) -> None:
    """Put one record of each kind into a storage."""
    storage.settings.put(StoredSettings(PortalConfig(enabled=True), 1, NOW, "ana"))
    storage.tokens.add([a_token()])
    storage.tokens.mark_opened(token_id(1), NOW, unless_within=dt.timedelta(hours=1))
    storage.messages.add(a_message())
    storage.messages.add_note(a_note())
    storage.mails.add([a_mail(run="R-1", status=MailStatus.SENT)])
    storage.audit.append([an_audit_entry()])
    storage.customers.save(a_customer())
    storage.documents.save(an_invoice())
    storage.ledger.save(an_entry(), a_payment())
    storage.ledger.allocate(an_allocation(amount=Decimal("0.0001")))


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a plain connection of its own finds, or does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


# --- opening ------------------------------------------------------------------------------


def test_every_connection_is_durable_patient_and_holds_foreign_keys(
    storage: SQLiteStorage,
) -> None:
    """WAL, full synchronisation, foreign keys and 5 seconds or more hold on every thread."""

    def pragmas() -> dict[str, Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return {name: storage._database.rows(f"PRAGMA {name}")[0][0] for name in names}

    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }
    assert pragmas() == expected
    assert in_thread(pragmas) == expected
    storage.customers.save(a_customer())
    assert pragmas() == expected


@pytest.mark.parametrize("path", ["", ":memory:", b"", "a\0b", None, 5, ["portal.db"]])
def test_what_names_no_file_is_refused(path: Any) -> None:
    """A storage needs a file; without one there is the storage in memory."""
    with pytest.raises(InvalidValue, match="must name a file") as refused:
        SQLiteStorage(path)
    assert refused.value.field == "path"
    assert path not in ("", ":memory:") or "InMemoryStorage" in str(refused.value)


def test_a_file_may_be_named_in_any_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, bytes, path objects and relative names do, whatever characters they have."""
    monkeypatch.chdir(tmp_path)
    for name in ("plain.db", b"bytes.db", tmp_path / "path.db", "a ?mode=memory#%41é.db"):
        with closing(SQLiteStorage(name)) as storage:  # type: ignore[arg-type]
            storage.customers.save(a_customer())
    monkeypatch.chdir("/")
    for found in ("plain.db", "bytes.db", "path.db", "a ?mode=memory#%41é.db"):
        with closing(SQLiteStorage(tmp_path / found)) as storage:
            assert storage.customers.get(CUSTOMER_ID) == a_customer()


@pytest.mark.parametrize("timeout", [4.99, 0, -1, 3601, True, "10", None, float("nan"), 10**30])
def test_impatience_is_refused(path: Path, timeout: Any) -> None:
    """A storage waits 5 seconds or more for the lock of its file, and not for ever."""
    with pytest.raises(InvalidValue, match="timeout must be a number of seconds from 5 to 3600"):
        SQLiteStorage(path, timeout=timeout)
    assert not path.exists()
    SQLiteStorage(path, timeout=5).close()


@pytest.mark.parametrize("tenant", ["", "a\0b", "x" * 256, None, 5])
def test_a_tenant_must_have_a_name(path: Path, tenant: Any) -> None:
    """A tenant is named by what can be an id."""
    with pytest.raises(InvalidValue, match="tenant"):
        SQLiteStorage(path, tenant=tenant)
    assert not path.exists()


def test_a_storage_names_its_file_and_tenant(storage: SQLiteStorage, path: Path) -> None:
    """The text of a storage says which file and tenant it is of."""
    assert repr(storage) == f"SQLiteStorage({str(path)!r}, tenant='default')"


def test_what_was_stored_is_there_when_it_is_opened_again(path: Path) -> None:
    """A closed storage has everything in its one file, and another goes on with it."""
    with closing(SQLiteStorage(path)) as first:
        fill(first)
    assert [found.name for found in path.parent.iterdir()] == ["portal.db"]
    with closing(SQLiteStorage(path)) as second:
        assert second.opening(token_id(1)).token == a_token()
        assert second.documents.get(CUSTOMER_ID, "INV-1") == an_invoice()


def test_a_closed_storage_opens_again_when_it_is_used(storage: SQLiteStorage) -> None:
    """Closing gives the connections back; the next use opens a new one."""
    storage.customers.save(a_customer())
    storage.close()
    assert storage.customers.get(CUSTOMER_ID) == a_customer()


def test_tenants_of_one_file_stay_apart(path: Path) -> None:
    """The same ids in two tenants are two records of each kind; neither sees the other's."""
    with (
        closing(SQLiteStorage(path, tenant="north")) as north,
        closing(SQLiteStorage(path, tenant="south")) as south,
    ):
        fill(north)
        assert south.opening(token_id(1)).token is None
        assert south.settings.get().version == 0
        assert south.tokens.count(TokenStatus.ACTIVE, now=NOW) == 0
        assert not south.tokens.page(now=NOW)
        assert not south.tokens.current_page()
        assert not south.messages.inbox(unread_only=False)
        assert not south.messages.notes(CUSTOMER_ID)
        assert not south.mails.of_customer(CUSTOMER_ID)
        assert not south.mails.last_sent([CUSTOMER_ID])
        assert not south.mails.counts("R-1")
        assert south.mails.claim(NOW) is None
        assert not south.audit.page()
        assert not south.customers.search()
        assert not south.documents.page(CUSTOMER_ID, DocumentKind.SALES_INVOICE)
        assert not south.ledger.entries(CUSTOMER_ID)
        assert not south.ledger.open_items(CUSTOMER_ID, dt.date.max)
        fill(south)
        assert south.messages.erase(CUSTOMER_ID) == 2
        assert south.mails.erase(CUSTOMER_ID) == 1
        assert south.tokens.rename_customer(CUSTOMER_ID, "erased") == 1
        assert north.messages.page(CUSTOMER_ID) == [a_message()]
        assert list(north.mails.last_sent([CUSTOMER_ID])) == [CUSTOMER_ID]
        assert north.tokens.history(CUSTOMER_ID) == [a_token()]


# --- making and migrating -----------------------------------------------------------------


def test_a_file_says_whose_it_is_and_which_steps_it_has_had(
    storage: SQLiteStorage, path: Path
) -> None:
    """Application id, version and the names of the steps taken are in the file."""
    names = [name for name, _ in _sqlite_schema.MIGRATIONS]
    assert ask(path, "PRAGMA application_id") == [(_sqlite_schema.APPLICATION_ID,)]
    assert ask(path, "PRAGMA user_version") == [(len(names),)]
    assert ask(path, "SELECT version, name FROM migrations") == [*enumerate(names, 1)]
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    assert {name for (name,) in ask(path, tables)} == {*TABLES, "migrations"}
    assert storage.settings.get().version == 0


def test_an_empty_file_is_taken(path: Path) -> None:
    """A file of no bytes, and a database without any table, become a storage."""
    path.touch()
    SQLiteStorage(path).close()
    bare = path.with_name("bare.db")
    ask(bare, "PRAGMA journal_mode = WAL")
    with closing(SQLiteStorage(bare)) as storage:
        storage.customers.save(a_customer())


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE customers (id)",
        "CREATE VIEW v AS SELECT 1",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
    ],
)
def test_a_file_of_another_application_is_left_as_it_is(path: Path, sql: str) -> None:
    """A database that is not ours is refused, and not a byte of it is changed."""
    ask(path, sql)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="belongs to another application") as refused:
        SQLiteStorage(path)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["portal.db"]


def test_a_file_of_a_newer_version_is_left_as_it_is(path: Path) -> None:
    """Tables that a newer version has migrated are refused, and not a byte is changed."""
    SQLiteStorage(path).close()
    newer = len(_sqlite_schema.MIGRATIONS) + 1
    ask(path, f"PRAGMA user_version = {newer}")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="made by a newer version") as refused:
        SQLiteStorage(path)
    assert f"step {newer}" in str(refused.value)
    assert path.read_bytes() == before
    ask(path, f"PRAGMA user_version = {newer - 1}")
    SQLiteStorage(path).close()


def test_a_running_program_notices_that_the_file_has_become_newer(
    storage: SQLiteStorage, path: Path
) -> None:
    """A thread that opens its connection after a newer version migrated is refused."""
    assert in_thread(storage.settings.get).version == 0
    ask(path, f"PRAGMA user_version = {len(_sqlite_schema.MIGRATIONS) + 1}")
    with pytest.raises(StorageError, match="made by a newer version"):
        in_thread(storage.settings.get)


def test_a_new_step_is_taken_once_and_a_failed_one_leaves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is whole or not there at all, and what was stored before it stays."""
    with closing(SQLiteStorage(path)) as storage:
        storage.customers.save(a_customer())
    first = _sqlite_schema.MIGRATIONS
    table = "CREATE TABLE more (x)"
    monkeypatch.setattr(_sqlite_schema, "MIGRATIONS", (*first, ("more", (table, "nonsense"))))
    with pytest.raises(StorageError, match="nonsense"):
        SQLiteStorage(path)
    assert ask(path, "PRAGMA user_version") == [(len(first),)]
    assert ask(path, "SELECT name FROM sqlite_master WHERE name = 'more'") == []
    monkeypatch.setattr(_sqlite_schema, "MIGRATIONS", (*first, ("more", (table,))))
    for _ in range(2):
        with closing(SQLiteStorage(path)) as storage:
            assert storage.customers.get(CUSTOMER_ID) == a_customer()
    assert ask(path, "SELECT name FROM migrations")[-1] == ("more",)
    assert ask(path, "SELECT x FROM more") == []


def test_processes_that_start_at_once_make_the_tables_once(path: Path) -> None:
    """Of several processes that find no file all get a storage, and the steps are taken once."""
    script = (
        "import sys\n"
        "from basis_portal.storage.sqlite import SQLiteStorage\n"
        "from basis_portal.testing.builders import an_audit_entry\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "SQLiteStorage(sys.argv[1]).audit.append([an_audit_entry()])\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    errors = [process.communicate("go\n", timeout=60)[1] for process in started]
    assert errors == [""] * 4
    assert ask(path, "SELECT count(*) FROM migrations") == [(len(_sqlite_schema.MIGRATIONS),)]
    assert ask(path, "SELECT count(*) FROM audit") == [(4,)]


def test_threads_that_start_at_once_make_the_tables_once(
    tmp_path: Path,
) -> None:
    """Of several threads that find no file each gets a storage, in every one of many rounds."""
    for number in range(10):
        path = tmp_path / f"{number}.db"
        made = in_threads([partial(SQLiteStorage, path)] * 4)
        assert [storage.settings.get().version for storage in made] == [0] * 4
        for storage in made:
            storage.close()


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite is older than the statements need, that is said at once."""
    monkeypatch.setattr(_sqlite_schema, "FLOOR", (99, 1, 0))
    with pytest.raises(StorageError, match=r"99\.1\.0 or newer is needed"):
        SQLiteStorage(path)
    assert not path.exists()


# --- what the file is made of -------------------------------------------------------------


def test_nothing_is_stored_as_a_float(storage: SQLiteStorage, path: Path) -> None:
    """Instants and amounts are whole numbers, all else is text."""
    fill(storage)
    for table in TABLES:
        columns = [row[1] for row in ask(path, f"PRAGMA table_info({table})")]
        kinds = ", ".join(f"typeof({column})" for column in columns)
        rows = ask(path, f"SELECT {kinds} FROM {table}")
        assert rows, table
        assert {kind for row in rows for kind in row} <= {"integer", "text", "null"}


def test_sums_go_past_64_bits(storage: SQLiteStorage) -> None:
    """Twenty of the largest amounts add up to the last digit."""
    largest = Decimal("99999999999999.9999")
    storage.ledger.save(*(an_entry(f"I{number}", amount=largest) for number in range(20)))
    total = Decimal("1999999999999999.9980")
    assert storage.ledger.balances(CUSTOMER_ID, before=dt.date.max) == {"EUR": total}
    assert storage.ledger.balance_through(CUSTOMER_ID, "EUR", (DAY, 1, "")) == total


SECOND_TOKEN = (
    "INSERT INTO tokens SELECT NULL, tenant, 'x', customer_id, issued_at, issued_by, expires_at, "
    "NULL, NULL, NULL, NULL, NULL, '', 0, NULL FROM tokens"
)


@pytest.mark.parametrize(
    "sql",
    [
        SECOND_TOKEN,
        "UPDATE tokens SET ended_at = 5",
        "UPDATE tokens SET expires_at = issued_at",
        "UPDATE settings SET version = 0",
        "UPDATE entries SET open_units = -1",
        "UPDATE entries SET open_units = units + 1",
        "UPDATE allocations SET units = 0",
        "DELETE FROM entries",
    ],
)
def test_the_tables_themselves_refuse_what_must_not_be(
    storage: SQLiteStorage, path: Path, sql: str
) -> None:
    """A second current token, more allocated than there is: the file refuses it from anybody."""
    fill(storage)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(sql)
        connection.execute("UPDATE tokens SET ended_at = 5, ended_as = 'revoked'")
        connection.execute(SECOND_TOKEN)


# --- how it is read -----------------------------------------------------------------------

INVOICE = DocumentKind.SALES_INVOICE
READS: dict[str, tuple[Callable[[SQLiteStorage], object], set[str]]] = {
    "a page of tokens": (lambda s: s.tokens.page(now=NOW), {"tokens_listed"}),
    "a page of active tokens": (
        lambda s: s.tokens.page(now=NOW, status=TokenStatus.ACTIVE, after=(NOW, "x")),
        {"tokens_listed"},
    ),
    "tokens of a key": (
        lambda s: s.tokens.page(now=NOW, key_fingerprint="key-1"),
        {"tokens_listed"},
    ),
    "the number of tokens": (
        lambda s: s.tokens.count(TokenStatus.REVOKED, now=NOW),
        {"tokens_listed"},
    ),
    "current tokens": (lambda s: s.tokens.current_page(after="x"), {"tokens_current"}),
    "the tokens of a customer": (lambda s: s.tokens.history("x"), {"tokens_of_customer"}),
    "the latest tokens": (lambda s: s.tokens.latest(["x"]), {"tokens_of_customer"}),
    "messages": (lambda s: s.messages.page("x", after=(NOW, "x")), {"messages_of_customer"}),
    "messages of an hour": (lambda s: s.messages.sent_since("x", NOW), {"messages_sent"}),
    "the inbox": (
        lambda s: s.messages.inbox(unread_only=False, after=(NOW, "x")),
        {"messages_inbox"},
    ),
    "what is unread": (lambda s: s.messages.inbox(unread_only=True), {"messages_unread"}),
    "notes": (lambda s: s.messages.notes("x"), {"notes_of_customer"}),
    "the e-mail that is due": (lambda s: s.mails.claim(NOW), {"mails_due"}),
    "the e-mail of a run that is due": (lambda s: s.mails.claim(NOW, run="x"), {"mails_due"}),
    "what is being sent": (lambda s: s.mails.claimed_before(NOW), {"mails_claimed"}),
    "the latest e-mail": (lambda s: s.mails.latest("x", MailKind.LINK), {"mails_of_customer"}),
    "e-mails": (lambda s: s.mails.of_customer("x", after=(NOW, "x")), {"mails_of_customer"}),
    "e-mails last sent": (lambda s: s.mails.last_sent(["x"]), {"mails_of_customer"}),
    "e-mails that went out": (lambda s: s.mails.went_out("x", NOW), {"mails_of_customer"}),
    "the number of e-mails": (lambda s: s.mails.counts("x"), {"mails_of_run"}),
    "e-mails of a run": (
        lambda s: s.mails.page("x", MailStatus.SENT, after=(NOW, "x")),
        {"mails_of_run"},
    ),
    "the trail": (lambda s: s.audit.page(after=9), {"audit_of_tenant"}),
    "the trail of a customer": (
        lambda s: s.audit.page(customer_id="x", after=9),
        {"audit_of_customer"},
    ),
    "the last refusal": (
        lambda s: s.audit.last(AuditEvent.REFUSED, token_id="x", cause=Cause.EXPIRED),
        {"audit_of_token"},
    ),
    "the last preview": (
        lambda s: s.audit.last(AuditEvent.PREVIEWED, customer_id="x", by="ana"),
        {"audit_of_staff"},
    ),
    "customers": (
        lambda s: (s.customers.search(), s.customers.search("kopi")),
        {"customers_by_name"},
    ),
    "documents": (
        lambda s: s.documents.page("x", INVOICE, after=(DAY, "x"), year=2025, search="inv"),
        {"documents_listed"},
    ),
    "the years of documents": (lambda s: s.documents.years("x", INVOICE), {"documents_listed"}),
    "the kinds of documents": (
        lambda s: s.documents.issued_kinds("x", ["x"]),
        {"sqlite_autoindex_documents_1"},
    ),
    "entries": (lambda s: s.ledger.entries("x", start=DAY), {"entries_in_order"}),
    "a page of entries": (
        lambda s: s.ledger.entry_page("x", "EUR", after=(DAY, 1, "x")),
        {"entries_in_order"},
    ),
    "balances": (lambda s: s.ledger.balances("x", before=DAY), {"entries_in_order"}),
    "the balance at a place": (
        lambda s: s.ledger.balance_through("x", "EUR", (DAY, 1, "x")),
        {"entries_in_order"},
    ),
    "currencies": (lambda s: s.ledger.currencies("x", until=DAY), {"entries_in_order"}),
    "last payments": (lambda s: s.ledger.last_payments("x", until=DAY), {"entries_paid"}),
    "open items": (
        lambda s: s.ledger.open_items("x", DAY),
        {"entries_open", "allocations_of_customer", "sqlite_autoindex_entries_1"},
    ),
    "entries of documents": (
        lambda s: s.ledger.entries_of_documents("x", ["y"]),
        {"entries_of_document"},
    ),
    "allocations of entries": (
        lambda s: s.ledger.allocations_of("x", ["y"]),
        {"allocations_of_debit", "allocations_of_credit"},
    ),
    "allocations": (lambda s: s.ledger.allocations("x"), {"allocations_of_customer"}),
    "a token": (lambda s: s.tokens.get("x"), {"sqlite_autoindex_tokens_1"}),
    "an opening": (
        lambda s: s.opening("x"),
        {"sqlite_autoindex_tokens_1", "sqlite_autoindex_customers_1"},
    ),
}


def plan_of(storage: SQLiteStorage, read: Callable[[SQLiteStorage], object]) -> list[str]:
    """How SQLite goes about every statement that a read runs."""
    connection = storage._database._session().connection
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    read(storage)
    connection.set_trace_callback(None)
    return [
        str(row[3])
        for sql in statements
        if sql.split()[0] in ("SELECT", "WITH") and "FROM migrations" not in sql
        for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    ]


@pytest.mark.parametrize("name", READS)
def test_every_list_is_read_through_its_index(storage: SQLiteStorage, name: str) -> None:
    """No read goes through a whole table, and each uses the index that was made for it."""
    fill(storage)
    read, expected = READS[name]
    plan = plan_of(storage, read)
    assert {step.split(" INDEX ")[1].split()[0] for step in plan if " INDEX " in step} - {
        "1:"
    } == expected
    assert not [step for step in plan for table in TABLES if step.startswith(f"SCAN {table}")]


@pytest.mark.parametrize(
    "name",
    [
        "a page of active tokens",
        "current tokens",
        "messages",
        "the inbox",
        "what is unread",
        "the e-mail that is due",
        "the e-mail of a run that is due",
        "what is being sent",
        "the latest e-mail",
        "e-mails",
        "e-mails of a run",
        "the trail",
        "the trail of a customer",
        "the last refusal",
        "the last preview",
        "customers",
        "documents",
        "a page of entries",
        "balances",
        "open items",
    ],
)
def test_no_page_is_sorted_to_be_cut(storage: SQLiteStorage, name: str) -> None:
    """What has a first page comes in its order from the index, and none of the rest is read."""
    fill(storage)
    assert [step for step in plan_of(storage, READS[name][0]) if "TEMP B-TREE" in step] == []


def test_the_number_of_statements_of_an_opening_is_one(storage: SQLiteStorage) -> None:
    """Settings, token and customer of an opening are of one instant: one statement reads them."""
    fill(storage)
    connection = storage._database._session().connection
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    opening = storage.opening(token_id(1))
    connection.set_trace_callback(None)
    assert len(statements) == 1
    assert (opening.token, opening.customer) == (a_token(), a_customer())
    assert opening.opened_at == NOW
    assert opening.settings.version == 1


@pytest.mark.skipif(os.name != "posix", reason="files have no such modes here")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o640), (0o002, 0o660), (0o077, 0o600)])
@pytest.mark.parametrize("how", ["storage", "migrate"])
def test_a_new_file_is_nobody_elses(tmp_path: Path, how: str, umask: int, mode: int) -> None:
    """The machine's other users read neither it nor its log, whatever the umask."""
    path = tmp_path / "portal.db"
    before = os.umask(umask)
    try:
        if how == "migrate":
            with closing(SQLitePlace(str(path))) as place:
                place.migrate()
        with closing(SQLiteStorage(path)) as storage:
            storage.customers.save(a_customer())
            found = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert {"portal.db", "portal.db-wal"} <= found.keys()
    assert set(found.values()) == {mode}
