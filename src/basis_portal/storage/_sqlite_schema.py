"""The tables of the SQLite storage, and the named steps that make them.

The tenant leads every key. Each step runs in one transaction with the record of it; the
version is read again inside, so that any number of processes may start at once.
"""

from __future__ import annotations

import sqlite3
import time
from textwrap import dedent

from ..domain.checks import check_whole_number
from ..errors import StorageError

APPLICATION_ID = 0x62617369
"""Marks a file as ours: "basi"."""

_SWITCHES_TRIED = 300

FLOOR = (3, 34, 0)
"""The oldest SQLite with all that the statements use: 2020, what RHEL 9 and its kin ship."""

_FIRST = (
    """
    CREATE TABLE migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL)
    """,
    """
    CREATE TABLE settings (
        tenant TEXT NOT NULL PRIMARY KEY,
        config TEXT NOT NULL,
        version INTEGER NOT NULL CHECK (version > 0),
        changed_at INTEGER,
        changed_by TEXT
    ) WITHOUT ROWID
    """,
    # The order in which tokens were added is that of `added`, not of the clock.
    """
    CREATE TABLE tokens (
        added INTEGER PRIMARY KEY,
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        issued_at INTEGER NOT NULL,
        issued_by TEXT NOT NULL,
        expires_at INTEGER NOT NULL CHECK (expires_at > issued_at),
        ended_at INTEGER,
        ended_by TEXT,
        ended_as TEXT CHECK (ended_as IN ('revoked', 'replaced')),
        reason TEXT,
        replaces TEXT,
        key_fingerprint TEXT NOT NULL,
        is_latest INTEGER NOT NULL CHECK (is_latest IN (0, 1)),
        opened_at INTEGER,
        UNIQUE (tenant, id),
        CHECK ((ended_at IS NULL) = (ended_as IS NULL))
    )
    """,
    """
    CREATE UNIQUE INDEX tokens_current ON tokens (tenant, customer_id) WHERE ended_at IS NULL
    """,
    """
    CREATE INDEX tokens_of_customer ON tokens (tenant, customer_id)
    """,
    # Keys are few, so a list of all tokens is put together from those of each key.
    """
    CREATE INDEX tokens_listed ON tokens (tenant, key_fingerprint, ended_as, expires_at, id)
    WHERE is_latest = 1
    """,
    """
    CREATE TABLE messages (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        author TEXT NOT NULL CHECK (author IN ('customer', 'seller')),
        text TEXT NOT NULL,
        made_by TEXT,
        document_id TEXT,
        read_at INTEGER,
        idempotency_key TEXT,
        UNIQUE (tenant, id)
    )
    """,
    """
    CREATE UNIQUE INDEX messages_by_key ON messages (tenant, customer_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL
    """,
    """
    CREATE INDEX messages_of_customer ON messages (tenant, customer_id, at, id)
    """,
    """
    CREATE INDEX messages_sent ON messages (tenant, customer_id, at) WHERE author = 'customer'
    """,
    """
    CREATE INDEX messages_inbox ON messages (tenant, at, id) WHERE author = 'customer'
    """,
    """
    CREATE INDEX messages_unread ON messages (tenant, at, id)
    WHERE author = 'customer' AND read_at IS NULL
    """,
    """
    CREATE INDEX messages_unread_of_customer ON messages (tenant, customer_id)
    WHERE author = 'customer' AND read_at IS NULL
    """,
    """
    CREATE TABLE notes (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        made_by TEXT NOT NULL,
        text TEXT NOT NULL,
        document_id TEXT,
        UNIQUE (tenant, id)
    )
    """,
    """
    CREATE INDEX notes_of_customer ON notes (tenant, customer_id, at, id)
    """,
    # AUTOINCREMENT: a position is never given again, not even after the newest was deleted.
    """
    CREATE TABLE audit (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        made_by TEXT,
        customer_id TEXT,
        token_id TEXT,
        cause TEXT,
        detail TEXT
    )
    """,
    """
    CREATE INDEX audit_of_tenant ON audit (tenant)
    """,
    """
    CREATE INDEX audit_of_customer ON audit (tenant, customer_id)
    """,
    # Only for what is noted at most once an hour: nobody asks when else something was last.
    """
    CREATE INDEX audit_of_token ON audit (tenant, token_id, event)
    WHERE event = 'refused' OR event = 'opened'
    """,
    """
    CREATE INDEX audit_of_staff ON audit (tenant, customer_id, event, made_by)
    WHERE event = 'previewed' OR event = 'link_shown'
    """,
    """
    CREATE TABLE customers (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        email TEXT,
        number TEXT,
        language TEXT,
        blocked INTEGER NOT NULL CHECK (blocked IN (0, 1)),
        name_key TEXT NOT NULL,
        email_key TEXT,
        number_key TEXT,
        UNIQUE (tenant, id)
    )
    """,
    """
    CREATE INDEX customers_by_name ON customers (tenant, name_key, id)
    """,
    """
    CREATE TABLE documents (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        number TEXT NOT NULL,
        date TEXT NOT NULL,
        currency TEXT NOT NULL,
        total INTEGER NOT NULL,
        due_date TEXT,
        net INTEGER,
        tax INTEGER,
        reference TEXT,
        order_number TEXT,
        lines TEXT NOT NULL,
        pay_url TEXT,
        number_key TEXT NOT NULL,
        reference_key TEXT,
        UNIQUE (tenant, id)
    )
    """,
    """
    CREATE INDEX documents_listed ON documents (tenant, customer_id, kind, date, id)
    WHERE status = 'issued'
    """,
    # `open_units` is what all allocations leave of an entry, whatever their dates.
    """
    CREATE TABLE entries (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        currency TEXT NOT NULL,
        date TEXT NOT NULL,
        side INTEGER NOT NULL CHECK (side IN (0, 1)),
        kind TEXT NOT NULL,
        units INTEGER NOT NULL CHECK (units >= 0),
        open_units INTEGER NOT NULL CHECK (open_units BETWEEN 0 AND units),
        due_date TEXT,
        document_id TEXT,
        number TEXT,
        reference TEXT,
        UNIQUE (tenant, id)
    )
    """,
    """
    CREATE INDEX entries_in_order ON entries
    (tenant, customer_id, currency, date, side, id, units)
    """,
    """
    CREATE INDEX entries_open ON entries (tenant, customer_id, date, side, id)
    WHERE open_units > 0
    """,
    """
    CREATE INDEX entries_paid ON entries (tenant, customer_id, currency, date, units)
    WHERE kind = 'payment'
    """,
    """
    CREATE INDEX entries_of_document ON entries (tenant, customer_id, document_id)
    WHERE document_id IS NOT NULL
    """,
    # `counted_on` is the latest of the allocation's date and its entries' dates.
    """
    CREATE TABLE allocations (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        debit_id TEXT NOT NULL,
        credit_id TEXT NOT NULL,
        units INTEGER NOT NULL CHECK (units > 0),
        date TEXT NOT NULL,
        counted_on TEXT NOT NULL,
        UNIQUE (tenant, id),
        FOREIGN KEY (tenant, debit_id) REFERENCES entries (tenant, id),
        FOREIGN KEY (tenant, credit_id) REFERENCES entries (tenant, id)
    )
    """,
    """
    CREATE INDEX allocations_of_customer ON allocations (tenant, customer_id, counted_on)
    """,
    """
    CREATE INDEX allocations_of_debit ON allocations (tenant, debit_id)
    """,
    """
    CREATE INDEX allocations_of_credit ON allocations (tenant, credit_id)
    """,
)

_TOKENS_OF_THE_PAST = (
    """
    CREATE INDEX tokens_past ON tokens (tenant, ended_at, id) WHERE is_latest = 0
    """,
)

# The empty run is none: NULL would be equal to nothing.
_MAILS = (
    """
    CREATE TABLE mails (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        queued_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        status TEXT NOT NULL,
        customer_id TEXT,
        made_by TEXT,
        run TEXT NOT NULL,
        about TEXT,
        attempts INTEGER NOT NULL CHECK (attempts >= 0),
        claimed_at INTEGER,
        settled_at INTEGER,
        token_id TEXT,
        address TEXT,
        problem TEXT,
        UNIQUE (tenant, id)
    )
    """,
    """
    CREATE UNIQUE INDEX mails_once_a_run ON mails (tenant, run, customer_id) WHERE run <> ''
    """,
    """
    CREATE INDEX mails_due ON mails (tenant, run, due_at, id) WHERE status = 'queued'
    """,
    """
    CREATE INDEX mails_claimed ON mails (tenant, claimed_at, id) WHERE status = 'sending'
    """,
    """
    CREATE INDEX mails_of_customer ON mails (tenant, customer_id, queued_at, id)
    """,
    """
    CREATE INDEX mails_of_run ON mails (tenant, run, status, queued_at, id)
    """,
    """
    CREATE INDEX mails_settled ON mails (tenant, settled_at, id) WHERE settled_at IS NOT NULL
    """,
)

# For retention: what may go of all customers, oldest first.
_AGES = (
    """
    CREATE INDEX messages_past ON messages (tenant, at, id)
    WHERE author = 'seller' OR read_at IS NOT NULL
    """,
    """
    CREATE INDEX notes_past ON notes (tenant, at, id)
    """,
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("the first tables", _FIRST),
    ("find tokens of the past", _TOKENS_OF_THE_PAST),
    ("e-mails", _MAILS),
    ("ages of messages", _AGES),
)
"""Name and statements of each step; a file's user_version says how many it has had."""

_HEAD = """\
-- The tables of basis_portal in an SQLite file, from step {since} to step {newest}.
-- Run it by Connection.executescript, or by "sqlite3 -bail FILE", which ends at an error; then
-- SQLiteStorage(FILE, migrate=False) takes the file, and switches it to its write-ahead log.
"""


def check_floor() -> None:
    """Raise `StorageError` where the SQLite of this Python is too old."""
    if sqlite3.sqlite_version_info < FLOOR:
        needed = ".".join(map(str, FLOOR))
        raise StorageError(
            f"the SQLite of this Python is version {sqlite3.sqlite_version}, {needed} or newer "
            "is needed; use a Python that comes with a newer one"
        )


def ddl(since: int = 0) -> str:
    """The statements that take a file from a step to the newest, each step one transaction.

    For hosts that own their migrations; afterwards ``SQLiteStorage(migrate=False)`` takes the
    file. There is no text where ``since`` is the newest step. Raises `InvalidValue`.
    """
    newest = len(MIGRATIONS)
    check_whole_number("since", since, 0, newest)
    lines = [_HEAD.format(since=since, newest=newest)] if since < newest else []
    for version in range(since, newest):
        lines.append(f"-- {version + 1}: {MIGRATIONS[version][0]}\nBEGIN IMMEDIATE;\n")
        lines += [f"{statement};\n" for statement in step(version)]
        lines.append("COMMIT;\n\n")
    return "".join(lines)


def step(version: int) -> list[str]:
    """The statements of the step that follows ``version``, the record of it among them."""
    name, statements = MIGRATIONS[version]
    return [
        *(dedent(statement).strip() for statement in statements),
        f"INSERT INTO migrations VALUES ({version + 1}, '{name}')",
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {version + 1}",
    ]


def check_newest(connection: sqlite3.Connection | sqlite3.Cursor, path: str) -> int:
    """The newest step; raises `StorageError` where a file is not ours or not at it."""
    version = version_of(connection, path)
    if version < len(MIGRATIONS):
        raise StorageError(
            f"the tables in SQLite file {path!r} are at step {version} of {len(MIGRATIONS)}; "
            "run 'basis-portal migrate', or the statements that ddl() gives"
        )
    return version


def prepare(connection: sqlite3.Connection, path: str, *, migrate: bool = True) -> int:
    """Make or migrate the tables of a file, or with ``migrate`` off see that they are newest.

    Returns how many steps were taken here. Raises `StorageError`, and leaves the file as it
    is, where it is not ours, was made by a newer version of this library, or would have to be
    migrated.
    """
    version = version_of(connection, path) if migrate else check_newest(connection, path)
    taken = 0
    _use_wal(connection, path)
    while version < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = version_of(connection, path)
            if version < len(MIGRATIONS):
                for statement in step(version):
                    connection.execute(statement)
                version += 1
                taken += 1
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return taken


# One statement, since another process may be at the first step meanwhile.
_IDENTITY = """
    SELECT (SELECT application_id FROM pragma_application_id),
           (SELECT user_version FROM pragma_user_version),
           (SELECT count(*) FROM sqlite_master)
"""


def version_of(connection: sqlite3.Connection | sqlite3.Cursor, path: str) -> int:
    """How many steps a file has had: none where it is empty. Raises `StorageError`."""
    found: list[tuple[int, int, int]] = connection.execute(_IDENTITY).fetchall()
    application_id, version, tables = found[0]
    if not (application_id or version or tables):
        return 0
    if application_id != APPLICATION_ID:
        raise StorageError(
            f"SQLite file {path!r} belongs to another application and was left as it is; "
            "give the portal a file of its own"
        )
    if version > len(MIGRATIONS):
        raise StorageError(
            f"SQLite file {path!r} was made by a newer version of basis_portal (its tables are "
            f"at step {version}, this version knows {len(MIGRATIONS)}) and was left as it is; "
            "use that version, or the backup made before it"
        )
    return version


def _use_wal(connection: sqlite3.Connection, path: str) -> None:
    """Switch the file to its write-ahead log; on all but the first connection nothing changes."""
    mode = connection.execute("PRAGMA journal_mode").fetchall()[0][0]
    if mode != "wal":
        mode = _switch_to_wal(connection)
    if mode != "wal":
        raise StorageError(
            f"SQLite file {path!r} cannot use a write-ahead log; keep it on a local disk"
        )


def _switch_to_wal(connection: sqlite3.Connection) -> object:
    """Ask for the log until it is there.

    Of two connections that ask at once SQLite refuses one as locked, without any waiting.
    """
    for attempt in range(_SWITCHES_TRIED):
        try:
            return connection.execute("PRAGMA journal_mode = WAL").fetchall()[0][0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(0.002 * (1 + attempt % 9))
    return connection.execute("PRAGMA journal_mode = WAL").fetchall()[0][0]
