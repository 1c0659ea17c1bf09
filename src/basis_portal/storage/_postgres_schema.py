"""The tables of the PostgreSQL storage, and the named steps that make them.

They stand in a schema of their own, so that they meet none of the host's. The tenant leads
every key. Instants are whole microseconds since 1970 in UTC and days are ISO text, which read
the same whatever time zone and date style a host's own connection has; amounts are
``numeric(18,4)``. All text is ordered by code point: ``COLLATE "C"``.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.errors import DuplicateTable
from psycopg.rows import TupleRow, tuple_row

from ..domain.checks import check_whole_number
from ..errors import StorageError
from ._postgres_words import check_schema, quoted

_MIGRATIONS_TABLE = """
CREATE TABLE {schema}.migrations (version integer PRIMARY KEY, name text NOT NULL)
"""

_FIRST = (
    _MIGRATIONS_TABLE,
    """
CREATE TABLE {schema}.settings (
    tenant text COLLATE "C" PRIMARY KEY,
    config text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    changed_at bigint,
    changed_by text
)
""",
    # The order in which tokens were added is that of `added`, not of the clock.
    """
CREATE TABLE {schema}.tokens (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    added bigint GENERATED ALWAYS AS IDENTITY,
    customer_id text COLLATE "C" NOT NULL,
    issued_at bigint NOT NULL,
    issued_by text NOT NULL,
    expires_at bigint NOT NULL CHECK (expires_at > issued_at),
    ended_at bigint,
    ended_by text,
    ended_as text COLLATE "C" CHECK (ended_as IN ('revoked', 'replaced')),
    reason text,
    replaces text,
    key_fingerprint text COLLATE "C" NOT NULL,
    is_latest boolean NOT NULL,
    opened_at bigint,
    PRIMARY KEY (tenant, id),
    CHECK ((ended_at IS NULL) = (ended_as IS NULL))
)
""",
    """
CREATE UNIQUE INDEX tokens_current ON {schema}.tokens (tenant, customer_id)
WHERE ended_at IS NULL
""",
    """
CREATE UNIQUE INDEX tokens_latest ON {schema}.tokens (tenant, customer_id) WHERE is_latest
""",
    """
CREATE INDEX tokens_of_customer ON {schema}.tokens (tenant, customer_id, added)
""",
    # Keys are few, so a list of all tokens is put together from those of each key.
    """
CREATE INDEX tokens_listed ON {schema}.tokens (tenant, key_fingerprint, ended_as, expires_at, id)
WHERE is_latest
""",
    """
CREATE INDEX tokens_past ON {schema}.tokens (tenant, ended_at, id) WHERE NOT is_latest
""",
    """
CREATE TABLE {schema}.messages (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    author text NOT NULL CHECK (author IN ('customer', 'seller')),
    text text NOT NULL,
    made_by text,
    document_id text,
    read_at bigint,
    idempotency_key text COLLATE "C",
    PRIMARY KEY (tenant, id)
)
""",
    """
CREATE UNIQUE INDEX messages_by_key ON {schema}.messages (tenant, customer_id, idempotency_key)
WHERE idempotency_key IS NOT NULL
""",
    """
CREATE INDEX messages_of_customer ON {schema}.messages (tenant, customer_id, at, id)
""",
    """
CREATE INDEX messages_sent ON {schema}.messages (tenant, customer_id, at)
WHERE author = 'customer'
""",
    """
CREATE INDEX messages_inbox ON {schema}.messages (tenant, at, id) WHERE author = 'customer'
""",
    """
CREATE INDEX messages_unread ON {schema}.messages (tenant, at, id)
WHERE author = 'customer' AND read_at IS NULL
""",
    """
CREATE INDEX messages_unread_of_customer ON {schema}.messages (tenant, customer_id)
WHERE author = 'customer' AND read_at IS NULL
""",
    """
CREATE TABLE {schema}.notes (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    made_by text NOT NULL,
    text text NOT NULL,
    document_id text,
    PRIMARY KEY (tenant, id)
)
""",
    """
CREATE INDEX notes_of_customer ON {schema}.notes (tenant, customer_id, at, id)
""",
    """
CREATE TABLE {schema}.audit (
    tenant text COLLATE "C" NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    at bigint NOT NULL,
    event text COLLATE "C" NOT NULL,
    made_by text COLLATE "C",
    customer_id text COLLATE "C",
    token_id text COLLATE "C",
    cause text COLLATE "C",
    detail text,
    PRIMARY KEY (tenant, position)
)
""",
    """
CREATE INDEX audit_of_customer ON {schema}.audit (tenant, customer_id, position)
""",
    # Only for what is noted at most once an hour: nobody asks when else something was last.
    """
CREATE INDEX audit_of_token ON {schema}.audit (tenant, token_id, event, position)
WHERE event = 'refused' OR event = 'opened'
""",
    """
CREATE INDEX audit_of_staff ON {schema}.audit (tenant, customer_id, event, made_by, position)
WHERE event = 'previewed' OR event = 'link_shown'
""",
    """
CREATE TABLE {schema}.customers (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    email text,
    number text,
    language text,
    blocked boolean NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    email_key text COLLATE "C",
    number_key text COLLATE "C",
    PRIMARY KEY (tenant, id)
)
""",
    """
CREATE INDEX customers_by_name ON {schema}.customers (tenant, name_key, id)
""",
    """
CREATE TABLE {schema}.documents (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    number text NOT NULL,
    date text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    total numeric(18,4) NOT NULL,
    due_date text COLLATE "C",
    net numeric(18,4),
    tax numeric(18,4),
    reference text,
    order_number text,
    lines text NOT NULL,
    pay_url text,
    number_key text COLLATE "C" NOT NULL,
    reference_key text COLLATE "C",
    PRIMARY KEY (tenant, id)
)
""",
    """
CREATE INDEX documents_listed ON {schema}.documents (tenant, customer_id, kind, date, id)
WHERE status = 'issued'
""",
    # `open_amount` is what all allocations leave of an entry, whatever their dates.
    """
CREATE TABLE {schema}.entries (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    date text COLLATE "C" NOT NULL,
    side smallint NOT NULL CHECK (side IN (0, 1)),
    kind text COLLATE "C" NOT NULL,
    amount numeric(18,4) NOT NULL CHECK (amount >= 0),
    open_amount numeric(18,4) NOT NULL CHECK (open_amount BETWEEN 0 AND amount),
    due_date text COLLATE "C",
    document_id text COLLATE "C",
    number text,
    reference text,
    PRIMARY KEY (tenant, id)
)
""",
    """
CREATE INDEX entries_in_order ON {schema}.entries
(tenant, customer_id, currency, date, side, id, amount)
""",
    """
CREATE INDEX entries_open ON {schema}.entries (tenant, customer_id, date, side, id)
WHERE open_amount > 0
""",
    """
CREATE INDEX entries_paid ON {schema}.entries (tenant, customer_id, currency, date, amount)
WHERE kind = 'payment'
""",
    """
CREATE INDEX entries_of_document ON {schema}.entries (tenant, customer_id, document_id)
WHERE document_id IS NOT NULL
""",
    # `counted_on` is the latest of the allocation's date and its entries' dates.
    """
CREATE TABLE {schema}.allocations (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    debit_id text COLLATE "C" NOT NULL,
    credit_id text COLLATE "C" NOT NULL,
    amount numeric(18,4) NOT NULL CHECK (amount > 0),
    date text COLLATE "C" NOT NULL,
    counted_on text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, debit_id) REFERENCES {schema}.entries (tenant, id),
    FOREIGN KEY (tenant, credit_id) REFERENCES {schema}.entries (tenant, id)
)
""",
    """
CREATE INDEX allocations_of_customer ON {schema}.allocations (tenant, customer_id, counted_on)
""",
    """
CREATE INDEX allocations_of_debit ON {schema}.allocations (tenant, debit_id)
""",
    """
CREATE INDEX allocations_of_credit ON {schema}.allocations (tenant, credit_id)
""",
)

# The empty run is none: NULL would be equal to nothing.
_MAILS = (
    """
CREATE TABLE {schema}.mails (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    queued_at bigint NOT NULL,
    due_at bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C",
    made_by text,
    run text COLLATE "C" NOT NULL,
    about text,
    attempts integer NOT NULL CHECK (attempts >= 0),
    claimed_at bigint,
    settled_at bigint,
    token_id text,
    address text,
    problem text,
    PRIMARY KEY (tenant, id)
)
""",
    """
CREATE UNIQUE INDEX mails_once_a_run ON {schema}.mails (tenant, run, customer_id) WHERE run <> ''
""",
    """
CREATE INDEX mails_due ON {schema}.mails (tenant, run, due_at, id) WHERE status = 'queued'
""",
    """
CREATE INDEX mails_claimed ON {schema}.mails (tenant, claimed_at, id) WHERE status = 'sending'
""",
    """
CREATE INDEX mails_of_customer ON {schema}.mails (tenant, customer_id, queued_at, id)
""",
    """
CREATE INDEX mails_of_run ON {schema}.mails (tenant, run, status, queued_at, id)
""",
    """
CREATE INDEX mails_settled ON {schema}.mails (tenant, settled_at, id)
WHERE settled_at IS NOT NULL
""",
)

# For retention: what may go of all customers, oldest first.
_AGES = (
    """
CREATE INDEX messages_past ON {schema}.messages (tenant, at, id)
WHERE author = 'seller' OR read_at IS NOT NULL
""",
    """
CREATE INDEX notes_past ON {schema}.notes (tenant, at, id)
""",
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("the first tables", _FIRST),
    ("e-mails", _MAILS),
    ("ages of messages", _AGES),
)
"""Name and statements of each step; the table ``migrations`` says which a schema has had."""


def ddl(schema: str = "basis_portal", since: int = 0) -> str:
    """The statements that take a schema from a step to the newest, each step one transaction.

    For hosts that own their migrations; afterwards ``PostgresStorage(migrate=False)`` takes
    the schema. There is no text where ``since`` is the newest step. Raises `InvalidValue`.
    """
    check_schema(schema)
    check_whole_number("since", since, 0, len(MIGRATIONS))
    lines = [] if since else [f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)};\n"]
    for version in range(since, len(MIGRATIONS)):
        name, _ = MIGRATIONS[version]
        lines.append(f"\n-- {version + 1}: {name}\nBEGIN;\n")
        lines += [f"{statement.strip()};\n" for statement in step(schema, version)]
        lines.append("COMMIT;\n")
    return "".join(lines)


def step(schema: str, version: int) -> list[str]:
    """The statements of the step that follows ``version``, the record of it among them."""
    name, statements = MIGRATIONS[version]
    place = quoted(schema)
    made = [statement.format(schema=place) for statement in statements]
    return [*made, f"INSERT INTO {place}.migrations VALUES ({version + 1}, '{name}')"]


def prepare(connection: psycopg.Connection[Any], schema: str, *, migrate: bool) -> int:
    """Make or migrate the tables of a schema, or with ``migrate`` off see that they are newest.

    Returns how many steps were taken here. Raises `StorageError`, and leaves the schema as it
    is, where it is not ours, was made by a newer version of this library, or would have to be
    migrated. Errors of the database pass through.
    """
    taken = 0
    version = version_of(connection, schema)
    if version < len(MIGRATIONS) and not migrate:
        raise StorageError(
            f"the tables in schema {schema!r} are at step {version} of {len(MIGRATIONS)}; "
            "run 'basis-portal migrate', or the statements that ddl() gives"
        )
    while version < len(MIGRATIONS):
        with connection.transaction(), _cursor(connection) as cursor:
            # Any number of processes may start at once: one makes the tables.
            cursor.execute(f"SELECT pg_advisory_xact_lock(hashtext('basis_portal/{schema}'))")
            version = version_of(connection, schema)
            if version < len(MIGRATIONS):
                if not _value(connection, _SCHEMA_EXISTS, schema):
                    cursor.execute(f"CREATE SCHEMA {quoted(schema)}")
                _take_step(cursor, schema, version)
                version += 1
                taken += 1
    return taken


def _take_step(cursor: psycopg.Cursor[TupleRow], schema: str, version: int) -> None:
    try:
        for statement in step(schema, version):
            cursor.execute(statement)
    except DuplicateTable as error:
        raise _not_ours(schema, error.diag.message_primary) from error


def version_of(connection: psycopg.Connection[Any], schema: str) -> int:
    """How many steps the tables of a schema have had: none where there are none."""
    table = f"{quoted(schema)}.migrations"
    columns = _value(connection, _COLUMNS, schema)
    if columns is None:
        return 0
    if not {"version integer", "name text"}.issubset(columns):
        raise _not_ours(schema, "the table 'migrations' is not the portal's")
    version = int(_value(connection, f"SELECT coalesce(max(version), 0) FROM {table}"))
    if version > len(MIGRATIONS):
        raise StorageError(
            f"the tables in schema {schema!r} were made by a newer version of basis_portal (they "
            f"are at step {version}, this version knows {len(MIGRATIONS)}) and were left as they "
            "are; use that version, or the backup made before it"
        )
    return version


def _not_ours(schema: str, found: str | None) -> StorageError:
    return StorageError(
        f"schema {schema!r} has tables of another application ({found}) and was left as it is; "
        "give the portal a schema of its own"
    )


# Asked of the catalogue's tables: to_regclass() may remember, from before the lock, that there
# is no such table.
_SCHEMA_EXISTS = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s)"
_COLUMNS = """
    SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod)) FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s AND relname = 'migrations' AND attnum > 0 AND NOT attisdropped
"""


def _value(connection: psycopg.Connection[Any], sql: str, *values: object) -> Any:
    with _cursor(connection) as cursor:
        row = cursor.execute(sql, values).fetchone()
    assert row is not None
    return row[0]


def _cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[TupleRow]:
    """A cursor as we need it, whatever the host has its connections make."""
    return psycopg.Cursor(connection, row_factory=tuple_row)
