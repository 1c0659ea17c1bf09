"""What only the PostgreSQL storage has: connections, schemas, the host's own transaction."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from tests.postgres_server import drop_schema, schema_name

from basis_portal import (
    AccessDenied,
    ActiveTokenExists,
    EndedAs,
    InvalidValue,
    LedgerError,
    NoActiveToken,
    Portal,
    PortalConfig,
    PortalError,
    StorageError,
    StoredSettings,
)
from basis_portal.domain.mail import MailStatus
from basis_portal.storage import _sql_documents, _sql_ledger, _sql_mails, _sql_tokens
from basis_portal.storage._postgres_schema import MIGRATIONS
from basis_portal.storage._postgres_words import translator
from basis_portal.storage.postgres import PostgresStorage, ddl
from basis_portal.testing.builders import (
    NOW,
    a_customer,
    a_mail,
    a_message,
    a_payment,
    a_token,
    an_allocation,
    an_audit_entry,
    an_entry,
    an_invoice,
    token_id,
)
from basis_portal.testing.parts.base import hurried_threads, in_thread, in_threads
from basis_portal.testing.strategies import LARGEST_AMOUNT

Place = tuple[str, str]
KEY = "a secret for tests alone, at least 32 bytes"


@pytest.fixture
def storage(postgres_schema: Place) -> Iterator[PostgresStorage]:
    """A storage in a new schema."""
    dsn, schema = postgres_schema
    with closing(PostgresStorage(dsn, schema=schema)) as storage:
        yield storage


@pytest.fixture
def admin(postgres_schema: Place) -> Iterator[psycopg.Connection[Any]]:
    """A connection of somebody else."""
    with psycopg.connect(postgres_schema[0], autocommit=True) as connection:
        yield connection


def portal_over(storage: Any, **changes: Any) -> Portal:
    """A portal that is on."""
    given = {"secret_keys": [KEY], "base_url": "https://erp.example.com/portal", **changes}
    return Portal(storage, clock=lambda: NOW, **given)


# --- what it is given -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense secret",
        "postgresql://a:secret@b/c?secret=1",
        "postgresql://a:pass@secret@127.0.0.1/c",
        "host=127.0.0.1 port=secret",
        "postgresql://a:secret\ud800@b/c",
    ],
)
def test_a_wrong_dsn_is_refused_and_not_repeated(wrong: str) -> None:
    """What is no DSN is refused, without a word of it, which may be a password."""
    with pytest.raises(InvalidValue, match="must be a PostgreSQL DSN") as caught:
        PostgresStorage(wrong)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"schema": "a b"}, "schema must have letters"),
        ({"schema": 'a"; DROP'}, "schema must have letters"),
        ({"schema": ""}, "schema must have 1 to 63"),
        ({"schema": "x" * 64}, "schema must have 1 to 63"),
        ({"schema": "pg_portal"}, "schema must not be one of PostgreSQL's own"),
        ({"schema": "information_schema"}, "schema must not be one of PostgreSQL's own"),
        ({"tenant": ""}, "tenant must have"),
        ({"tenant": "a\x00"}, "tenant contains a character"),
        ({"tenant": "acme\n"}, "tenant contains a character"),
        ({"tenant": " acme"}, "tenant must not begin or end with a space"),
        ({"pool_size": 0}, "pool_size must be a whole number"),
        ({"pool_size": True}, "pool_size must be a whole number"),
        ({"timeout": 0.5}, "timeout must be a number of seconds"),
        ({"timeout": float("nan")}, "timeout must be a number of seconds"),
    ],
)
def test_wrong_arguments_are_refused(
    postgres_schema: Place, admin: psycopg.Connection[Any], named: dict[str, Any], says: str
) -> None:
    """Each refusal names argument and rule; no schema is made."""
    dsn, schema = postgres_schema
    with pytest.raises(InvalidValue, match=says):
        PostgresStorage(dsn, **{"schema": schema, **named})
    assert admin.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,)


@pytest.mark.parametrize("wrong", [None, 5, b"postgresql://", object()])
def test_what_is_no_database_is_refused(wrong: Any) -> None:
    """Only a DSN, a pool or a connection will do."""
    with pytest.raises(InvalidValue, match="must be a DSN, a psycopg_pool"):
        PostgresStorage(wrong)


def test_its_repr_tells_no_secret(postgres_schema: Place) -> None:
    """Neither user nor password are in what is printed."""
    dsn, schema = postgres_schema
    with_password = dsn.replace("postgres@", "postgres:a-password@")
    with closing(PostgresStorage(with_password, schema=schema)) as storage:
        assert repr(storage) == f"PostgresStorage(schema={schema!r}, tenant='default')"
        for part in (storage, storage._database, storage.tokens, storage._source):
            assert "a-password" not in repr(part)


def test_a_server_that_is_not_there_is_said(postgres_schema: Place) -> None:
    """No server, no such database and no such user: what is wrong and what to do."""
    dsn, _ = postgres_schema
    for wrong, says in (
        ("postgresql://postgres:pa55@127.0.0.1:1/postgres", "cannot be reached; see that"),
        (dsn.replace("/postgres", "/absent"), "cannot be reached"),
    ):
        with pytest.raises(StorageError, match=says) as caught:
            PostgresStorage(wrong)
        assert isinstance(caught.value.__cause__, psycopg.OperationalError)
        assert "pa55" not in str(caught.value)


def test_a_database_that_cannot_hold_every_name_is_refused(
    postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """A database in Latin 1 is refused, and left as it is."""
    dsn, schema = postgres_schema
    admin.execute(
        f"CREATE DATABASE {schema} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 "
        "LOCALE_PROVIDER libc"
    )
    latin = dsn.rsplit("/", 1)[0] + f"/{schema}"
    try:
        with pytest.raises(StorageError, match="has the encoding LATIN1"):
            PostgresStorage(latin, schema=schema)
        with psycopg.connect(latin) as other:
            assert other.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,)
    finally:
        admin.execute(f"DROP DATABASE {schema}")


# --- the schema -----------------------------------------------------------------------------


def test_tables_stand_in_their_own_schema(
    storage: PostgresStorage, postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """Whatever search path and names the host has, its tables are not ours."""
    admin.execute("CREATE TEMPORARY TABLE tokens (theirs text)")
    storage.tokens.add([a_token()])
    found = admin.execute(f'SELECT id, customer_id FROM "{postgres_schema[1]}".tokens').fetchall()
    assert found == [(token_id(1), a_token().customer_id)]


def test_many_may_make_the_tables_at_once(postgres_schema: Place) -> None:
    """Processes that start together all find the tables, made once."""
    dsn, schema = postgres_schema
    errors: list[BaseException] = []

    def start() -> None:
        try:
            PostgresStorage(dsn, schema=schema).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with closing(PostgresStorage(dsn, schema=schema, migrate=False)) as storage:
        assert storage.settings.get().version == 0


def test_a_newer_schema_is_refused_and_left(
    storage: PostgresStorage, postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """Tables of a newer library are refused clearly; of the present one they are used."""
    dsn, schema = postgres_schema
    admin.execute(f"INSERT INTO {schema}.migrations VALUES (%s, 'of tomorrow')", (99,))
    with pytest.raises(StorageError, match=r"newer version of basis_portal \(they are at step 99"):
        PostgresStorage(dsn, schema=schema)
    admin.execute(f"DELETE FROM {schema}.migrations WHERE version = 99")
    PostgresStorage(dsn, schema=schema).close()


def test_a_schema_of_something_else_is_refused_and_left(
    postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """A table 'migrations' that is not ours is seen, and a table of ours is not made over one."""
    dsn, schema = postgres_schema
    admin.execute(f"CREATE SCHEMA {schema}")
    for columns in ("id bigint, migration text", "version text, name text"):
        admin.execute(f"CREATE TABLE {schema}.migrations ({columns})")
        with pytest.raises(StorageError, match=r"another application \(the table 'migrations'"):
            PostgresStorage(dsn, schema=schema)
        admin.execute(f"DROP TABLE {schema}.migrations")
    admin.execute(f"CREATE TABLE {schema}.audit (theirs text)")
    with pytest.raises(StorageError, match=r'application \(relation "audit" already exists\)'):
        PostgresStorage(dsn, schema=schema)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
    assert admin.execute(tables, (schema,)).fetchall() == [("audit",)]


def test_without_leave_to_migrate_old_tables_are_refused(
    postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """With migrate=False nothing is made; with the statements as text it is what we make."""
    dsn, schema = postgres_schema
    with pytest.raises(StorageError, match=r"are at step 0 of .*basis-portal migrate"):
        PostgresStorage(dsn, schema=schema, migrate=False)
    assert admin.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,)
    admin.execute(ddl(schema))
    with closing(PostgresStorage(dsn, schema=schema, migrate=False)) as storage:
        storage.tokens.add([a_token()])
        assert storage.tokens.get(token_id(1)) == a_token()
    assert ddl(schema, since=len(MIGRATIONS)) == ""


def test_a_user_who_may_not_create_is_told(
    postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """Who may neither make the tables nor read them is told; who may use them needs no more."""
    dsn, schema = postgres_schema
    user = f"user_{schema}"
    admin.execute(f"CREATE ROLE {user} LOGIN")
    plain = dsn.replace("postgres@", f"{user}@")
    try:
        with pytest.raises(StorageError, match="cannot be used by this user"):
            PostgresStorage(plain, schema=schema)
        PostgresStorage(dsn, schema=schema).close()
        admin.execute(
            f"GRANT USAGE ON SCHEMA {schema} TO {user}; "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}"
        )
        with closing(PostgresStorage(plain, schema=schema)) as storage:
            portal_use(storage)
    finally:
        admin.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


def portal_use(storage: PostgresStorage) -> Portal:
    """A customer whose link opens."""
    storage.customers.save(a_customer("C-1001"))
    portal = portal_over(storage)
    portal.settings.save(PortalConfig(enabled=True))
    portal.tokens.regenerate("C-1001")
    assert portal.open(portal.tokens.link("C-1001").rsplit("/", 1)[1]).customer.id == "C-1001"
    return portal


def test_all_text_is_ordered_by_code_point(
    storage: PostgresStorage, postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """Every text that an index orders has the collation "C", whatever the database's own is."""
    assert storage.settings.get().version == 0
    rows = admin.execute(
        """
        SELECT index.relname, attname, collname FROM pg_index
        JOIN pg_class AS index ON index.oid = indexrelid
        JOIN pg_attribute ON attrelid = indexrelid
        JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE index.relnamespace = to_regnamespace(%s)
        """,
        (postgres_schema[1],),
    ).fetchall()
    assert len(rows) > 50
    assert {collation for _, _, collation in rows} == {"C"}


def test_an_opening_is_one_round_trip(storage: PostgresStorage, tmp_path: Any) -> None:
    """To open a link one message goes to the server, and one comes back."""
    storage.tokens.add([a_token()])
    for _ in range(10):  # until the statement is prepared
        storage.opening(token_id(1))
    connection = storage._source.take()
    storage._source.give(connection)
    with (tmp_path / "trace").open("w+") as file:
        connection.pgconn.trace(file.fileno())
        storage.opening(token_id(1))
        connection.pgconn.untrace()
        file.seek(0)
        messages = [line.split("\t") for line in file.read().splitlines()]
    sent = [parts for parts in messages if "F" in parts[:3]]
    assert sum("Sync" in parts for parts in sent) == 1
    assert not any("Query" in parts for parts in sent)


# --- tenants --------------------------------------------------------------------------------


def test_tenants_stay_apart(storage: PostgresStorage, postgres_schema: Place) -> None:
    """Of two tenants in one schema neither sees, opens, revokes or counts what is the other's."""
    dsn, schema = postgres_schema
    with closing(PostgresStorage(dsn, schema=schema, tenant="acme")) as acme:
        portals = portal_use(storage), portal_use(acme)
        links = [portal.tokens.link("C-1001").rsplit("/", 1)[1] for portal in portals]
        for portal, foreign in zip(portals, reversed(links), strict=True):
            with pytest.raises(AccessDenied):
                portal.open(foreign)
        assert portals[1].tokens.revoke_all() == 1
        assert portals[0].open(links[0]).customer.id == "C-1001"
        with pytest.raises(NoActiveToken):
            portals[1].tokens.link("C-1001")
        acme.mails.add([a_mail(customer_id="C-1001", run="R-1")])
        assert storage.mails.claim(NOW) is None
        assert storage.mails.add([a_mail(customer_id="C-1001", run="R-1")]) == ["E-1"]
        assert acme.mails.erase("C-1001") == 1
        assert storage.mails.counts("R-1") == {MailStatus.QUEUED: 1}
        acme.messages.add(a_message())
        assert storage.messages.inbox(unread_only=False) == []
        acme.customers.delete("C-1001")
        assert storage.customers.get("C-1001") is not None


# --- connections ----------------------------------------------------------------------------


def kill_others(admin: psycopg.Connection[Any]) -> None:
    """End all other sessions of the library on this server, as a restart would."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name IN ('basis_portal', 'host') AND pid <> pg_backend_pid()"
    )


@pytest.mark.parametrize(
    "use",
    [
        lambda storage: storage.opening(token_id(1)).token,
        lambda storage: storage.tokens.get(token_id(1)),
        lambda storage: storage.transact(lambda unit: unit.tokens.get(token_id(1)), lock=["a"]),
        lambda storage: storage.messages.add_note or storage.tokens.get(token_id(1)),
    ],
)
def test_dead_connections_are_no_visitors_trouble(
    storage: PostgresStorage, admin: psycopg.Connection[Any], use: Callable[[Any], Any]
) -> None:
    """After all connections were cut the next use succeeds, whatever it is."""
    storage.tokens.add([a_token()])
    threads = [threading.Thread(target=lambda: storage.snapshot().__enter__()) for _ in range(0)]
    assert threads == []
    with storage.snapshot():  # a second connection, so that more than one is dead
        in_thread(lambda: storage.tokens.get(token_id(1)))
    kill_others(admin)
    in_thread(lambda: use(storage))
    kill_others(admin)
    use(storage)
    assert storage.tokens.get(token_id(1)) == a_token()


def test_a_connection_cut_within_a_transaction_runs_it_again(
    storage: PostgresStorage, admin: psycopg.Connection[Any]
) -> None:
    """What was not committed is done again, whole and once."""
    runs = []

    def work(unit: Any) -> None:
        unit.audit.append([an_audit_entry()])
        runs.append(len(unit.audit.page()))
        if len(runs) < 3:
            kill_others(admin)
        unit.messages.add(a_message())

    storage.transact(work, lock=["a"])
    assert runs == [1, 1, 1]
    assert len(storage.audit.page()) == len(storage.messages.page(a_message().customer_id)) == 1


def test_it_is_not_run_again_for_ever(
    storage: PostgresStorage, admin: psycopg.Connection[Any]
) -> None:
    """Where each attempt is cut there are five, then the error says so; nothing is done."""
    runs = []

    def work(unit: Any) -> None:
        runs.append(1)
        kill_others(admin)
        unit.audit.append([an_audit_entry()])

    with pytest.raises(StorageError, match="cannot be reached"):
        storage.transact(work)
    assert len(runs) == 5
    assert storage.audit.page() == []


def test_a_connection_lost_at_the_commit_is_not_repeated(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was committed cannot be known, so it is said, and not done twice."""
    runs = []
    execute = psycopg.Cursor.execute

    def cut(self: Any, query: Any, *args: Any, **named: Any) -> Any:
        found = execute(self, query, *args, **named)
        if query == "COMMIT" and len(runs) == 1:
            self.connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return found

    def work(unit: Any) -> None:
        runs.append(1)
        unit.audit.append([an_audit_entry()])

    monkeypatch.setattr(psycopg.Cursor, "execute", cut)
    with pytest.raises(StorageError, match=r"it was made or it was not.*look before you repeat"):
        storage.transact(work)
    assert len(runs) == len(storage.audit.page()) == 1


@pytest.mark.parametrize("given", ["DSN", "pool"])
def test_a_commit_that_may_yet_be_lost_is_not_acknowledged(
    postgres_schema: Place, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """What the server warns of at the commit is said, also where warnings were switched off."""
    dsn, schema = postgres_schema
    quiet = f"{dsn}?options=-cclient_min_messages%3Derror"
    with ConnectionPool(quiet, min_size=1, max_size=1, open=True) as pool:
        storage = PostgresStorage(pool if given == "pool" else quiet, schema=schema)
        _commit_with_a_warning(storage, monkeypatch)
        storage.close()


def _commit_with_a_warning(storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = psycopg.Cursor.execute

    def warn(self: Any, query: Any, *args: Any, **named: Any) -> Any:
        if query == "COMMIT":
            execute(self, "DO $$ BEGIN RAISE WARNING 'no longer waited'; END $$")
        return execute(self, query, *args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", warn)
        with pytest.raises(StorageError, match="warned of its commit: 'no longer waited'"):
            storage.audit.append([an_audit_entry()])
    assert len(storage.audit.page()) == 1
    storage.audit.append([an_audit_entry()])
    assert len(storage.audit.page()) == 2


def test_a_busy_pool_is_said(postgres_schema: Place) -> None:
    """Where no connection comes free in time the error says what to do; then it works again."""
    dsn, schema = postgres_schema
    with closing(PostgresStorage(dsn, schema=schema, pool_size=1, timeout=1)) as storage:
        with storage.snapshot(), pytest.raises(StorageError, match="no free connection for 1 sec"):
            in_thread(storage.settings.get)
        assert in_thread(storage.settings.get).version == 0


def test_a_lock_that_is_held_too_long_is_said(postgres_schema: Place) -> None:
    """Who waits for a customer longer than the timeout is told; afterwards it goes."""
    dsn, schema = postgres_schema

    def wait() -> None:
        storage.transact(lambda unit: unit.audit.append([an_audit_entry()]), lock=["a"])

    with closing(PostgresStorage(dsn, schema=schema, timeout=1)) as storage:

        def hold(_: Any) -> None:
            with pytest.raises(StorageError, match="locked for more than 1 seconds"):
                in_thread(wait)

        storage.transact(hold, lock=["a"])
        in_thread(wait)
        assert len(storage.audit.page()) == 1


def test_a_closed_storage_may_be_used_again(storage: PostgresStorage) -> None:
    """Its connections are closed and new ones opened."""
    storage.tokens.add([a_token()])
    storage.close()
    assert storage.tokens.get(token_id(1)) == a_token()


def test_acknowledged_means_durable(postgres_schema: Place, admin: psycopg.Connection[Any]) -> None:
    """A server or role that would not wait for its disk is overruled on our own connections."""
    dsn, schema = postgres_schema
    user = f"user_{schema}"
    admin.execute(f"CREATE ROLE {user} LOGIN SUPERUSER")
    try:
        for setting, ours in (("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")):
            admin.execute(f"ALTER ROLE {user} SET synchronous_commit = '{setting}'")
            plain = dsn.replace("postgres@", f"{user}@")
            with closing(PostgresStorage(plain, schema=schema)) as storage:
                assert storage._database.rows("SHOW synchronous_commit") == [(ours,)]
                # Of the session: a server that reloads its configuration does not change it.
                source = "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'"
                assert storage._database.rows(source) == [("session",)]
    finally:
        admin.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


def test_a_serializable_default_changes_nothing(
    postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """The isolation of a transaction is ours, whatever the role's default says."""
    dsn, schema = postgres_schema
    user = f"user_{schema}"
    admin.execute(f"CREATE ROLE {user} LOGIN SUPERUSER")
    admin.execute(f"ALTER ROLE {user} SET default_transaction_isolation = 'serializable'")
    admin.execute(f"ALTER ROLE {user} SET default_transaction_read_only = on")
    admin.execute(f"ALTER ROLE {user} SET datestyle = 'German'")
    admin.execute(f"ALTER ROLE {user} SET timezone = 'Asia/Jakarta'")
    try:
        PostgresStorage(dsn, schema=schema).close()
        with closing(PostgresStorage(dsn.replace("postgres@", f"{user}@"), schema=schema)) as one:
            isolation = "SHOW transaction_isolation"
            within = one.transact(lambda _: one._database.rows(isolation))
            assert within == [("read committed",)]
            portal_use(one)
            one.documents.save(an_invoice())
            assert one.documents.get("C-1001", "INV-1") == an_invoice()
    finally:
        admin.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


# --- the host's pool ------------------------------------------------------------------------


@pytest.mark.parametrize("autocommit", [True, False])
def test_the_hosts_pool_is_used_and_left_as_it_is(
    postgres_schema: Place, admin: psycopg.Connection[Any], autocommit: bool
) -> None:
    """A pool with settings of the host's own serves, and is the same for the host afterwards."""
    dsn, schema = postgres_schema
    kwargs = {"autocommit": autocommit, "row_factory": dict_row, "application_name": "host"}
    with ConnectionPool(dsn, kwargs=kwargs, min_size=1, max_size=2, open=True) as pool:
        storage = PostgresStorage(pool, schema=schema)
        portal_use(storage)
        storage.ledger.save(an_entry("INV-1", amount=LARGEST_AMOUNT))
        assert storage.ledger.balances("C-1001", before=NOW.date().replace(year=2030)) == {
            "EUR": LARGEST_AMOUNT
        }
        with pool.connection() as connection:
            assert connection.autocommit is autocommit
            row: Any = connection.execute("SELECT 1.50::numeric AS amount").fetchone()
            assert row == {"amount": Decimal("1.50")}
        kill_others(admin)
        assert storage.settings.get().version == 1
        storage.close()
        with pool.connection() as connection:
            assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_connection_that_cannot_carry_every_name_is_refused(
    postgres_schema: Place, encoding: str
) -> None:
    """The client's encoding of a host's pool or connection must be UTF-8; with a DSN it is."""
    dsn, schema = postgres_schema
    spoken = f"{dsn}?client_encoding={encoding}"
    says = f"client_encoding {encoding} .* open it with client_encoding=UTF8"
    with (
        ConnectionPool(spoken, min_size=1, max_size=1, open=True) as pool,
        pytest.raises(StorageError, match=says),
    ):
        PostgresStorage(pool, schema=schema)
    with psycopg.connect(spoken) as connection, pytest.raises(StorageError, match=says):
        PostgresStorage(connection, schema=schema)
    with closing(PostgresStorage(spoken, schema=schema)) as storage:
        storage.customers.save(a_customer("C-客", name="Käufer ☕"))
        assert storage.customers.get("C-客") == a_customer("C-客", name="Käufer ☕")


@pytest.mark.parametrize("kind", ["ClientCursor", "RawCursor"])
def test_whatever_cursors_the_host_has(postgres_schema: Place, kind: str) -> None:
    """Tables are made, and links opened, over a pool that makes cursors of another kind."""
    dsn, schema = postgres_schema
    if not hasattr(psycopg, kind):
        pytest.skip(f"this version of psycopg has no {kind}")
    kwargs = {"cursor_factory": getattr(psycopg, kind)}
    with ConnectionPool(dsn, kwargs=kwargs, min_size=1, max_size=2, open=True) as pool:
        portal_use(PostgresStorage(pool, schema=schema))


def test_a_lock_of_the_hosts_pool_is_not_waited_for_for_ever(postgres_schema: Place) -> None:
    """The timeout holds for a host's pool as well, and what it commits is durable."""
    dsn, schema = postgres_schema
    with ConnectionPool(dsn, min_size=2, max_size=3, open=True) as pool:
        storage = PostgresStorage(pool, schema=schema, timeout=1)

        def hold(_: Any) -> None:
            settings = "SHOW lock_timeout", "SHOW synchronous_commit"
            assert [storage._database.rows(one) for one in settings] == [[("1s",)], [("on",)]]
            with pytest.raises(StorageError, match="locked for more than 1 seconds"):
                in_thread(lambda: storage.transact(lambda unit: unit.settings.get(), lock=["a"]))

        storage.transact(hold, lock=["a"])
        with pool.connection() as connection:
            assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)


# --- the host's own connection --------------------------------------------------------------


@contextmanager
def hosts(dsn: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the host."""
    connection = psycopg.connect(dsn, autocommit=autocommit, row_factory=dict_row)
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.parametrize("autocommit", [False, True])
def test_what_is_done_joins_the_hosts_transaction(
    storage: PostgresStorage, postgres_schema: Place, autocommit: bool
) -> None:
    """A token issued in the host's transaction is there with its commit, and not without."""
    dsn, schema = postgres_schema
    storage.customers.save(a_customer("C-1001"))
    with hosts(dsn, autocommit=autocommit) as connection:
        portal = portal_over(PostgresStorage(connection, schema=schema))
        connection.execute("BEGIN") if autocommit else connection.execute("SELECT 1")
        first = portal.tokens.generate("C-1001")
        assert portal.tokens.get("C-1001") == first
        assert storage.tokens.get(first.id) is None
        connection.execute("ROLLBACK") if autocommit else connection.rollback()
        assert storage.tokens.get(first.id) is None
        assert storage.audit.page() == []
        connection.execute("BEGIN") if autocommit else connection.execute("SELECT 1")
        second = portal.tokens.generate("C-1001")
        with pytest.raises(ActiveTokenExists):
            portal.tokens.generate("C-1001")
        connection.execute("COMMIT") if autocommit else connection.commit()
        assert storage.tokens.get(second.id) == second


def test_without_a_transaction_of_the_host_it_commits_by_itself(
    storage: PostgresStorage, postgres_schema: Place
) -> None:
    """On an idle connection in autocommit mode each use case is a transaction of its own."""
    dsn, schema = postgres_schema
    with hosts(dsn, autocommit=True) as connection:
        joined = PostgresStorage(connection, schema=schema)
        joined.tokens.add([a_token()])
        assert storage.tokens.get(token_id(1)) == a_token()
        with pytest.raises(ZeroDivisionError):
            joined.transact(lambda unit: unit.tokens.end([token_id(1)], at=NOW, by="a", how=1 / 0))
        with joined.snapshot():
            assert joined.tokens.get(token_id(1)) == a_token()
        assert not connection.info.transaction_status


def test_a_refusal_leaves_the_hosts_transaction_usable(
    storage: PostgresStorage, postgres_schema: Place
) -> None:
    """What fails is undone alone: what the host wrote before is committed by it."""
    dsn, schema = postgres_schema
    storage.tokens.add([a_token()])
    with hosts(dsn) as connection:
        joined = PostgresStorage(connection, schema=schema)
        joined.audit.append([an_audit_entry()])
        with pytest.raises(ActiveTokenExists):
            joined.tokens.add([a_token(token_id(2))])
        with pytest.raises(ZeroDivisionError):
            joined.transact(lambda unit: (unit.audit.append([an_audit_entry()]), 1 / 0))
        connection.commit()
    assert len(storage.audit.page()) == 1
    assert storage.tokens.history(a_token().customer_id) == [a_token()]


def test_the_hosts_connection_opens_no_links(
    storage: PostgresStorage, postgres_schema: Place
) -> None:
    """Its transaction may see an instant before a revoke: opening is refused, clearly."""
    dsn, schema = postgres_schema
    portal = portal_use(storage)
    text = portal.tokens.link("C-1001").rsplit("/", 1)[1]
    with hosts(dsn) as connection:
        joined = portal_over(PostgresStorage(connection, schema=schema))
        with pytest.raises(StorageError, match="does not open links"):
            joined.open(text)
        assert joined.tokens.check(text).works
    assert portal.open(text).customer.id == "C-1001"


@pytest.mark.parametrize("level", ["REPEATABLE_READ", "SERIALIZABLE"])
def test_a_transaction_that_sees_an_earlier_instant_is_refused(
    storage: PostgresStorage, postgres_schema: Place, level: str
) -> None:
    """There a revoke would miss a token issued since: it is refused; in another one it bites."""
    dsn, schema = postgres_schema
    with hosts(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel[level]
        joined = portal_over(PostgresStorage(connection, schema=schema))
        connection.rollback()
        connection.execute(f"SELECT 1 FROM {schema}.tokens")
        storage.tokens.add([a_token()])
        with pytest.raises(StorageError, match="does not see what others have committed since"):
            joined.tokens.revoke(a_token().customer_id)
        connection.rollback()
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        ended = joined.tokens.revoke(a_token().customer_id)
        connection.commit()
    assert ended is not None
    assert storage.tokens.get(token_id(1)) == ended


def test_a_pipeline_of_the_host_is_refused(postgres_schema: Place) -> None:
    """Where answers come later nothing is done; after the pipeline all is."""
    dsn, schema = postgres_schema
    with hosts(dsn) as connection:
        storage = PostgresStorage(connection, schema=schema)
        with connection.pipeline():
            for work in (storage.settings.get, lambda: storage.tokens.add([a_token()])):
                with pytest.raises(StorageError, match="is in pipeline mode"):
                    work()
        storage.tokens.add([a_token()])
        assert storage.tokens.get(token_id(1)) == a_token()


def test_in_a_failed_transaction_of_the_host_nothing_is_done(
    storage: PostgresStorage, postgres_schema: Place
) -> None:
    """Where the host's transaction has failed already that is said; after its rollback it works."""
    dsn, schema = postgres_schema
    with hosts(dsn) as connection:
        joined = PostgresStorage(connection, schema=schema)
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        for use in (joined.settings.get, lambda: joined.tokens.add([a_token()])):
            with pytest.raises(StorageError, match="given up the transaction"):
                use()
        connection.rollback()
        joined.tokens.add([a_token()])
        connection.commit()
    assert storage.tokens.get(token_id(1)) == a_token()


# --- faults within --------------------------------------------------------------------------


def test_after_a_failed_statement_nothing_more_is_written(storage: PostgresStorage) -> None:
    """Where the server has given up a transaction what follows does not pass for done."""

    def work(unit: Any) -> None:
        unit.audit.append([an_audit_entry()])
        with pytest.raises(StorageError):
            storage._database.rows("SELECT 1 / 0")
        with pytest.raises(StorageError, match="given up the transaction"):
            unit.messages.add(a_message())

    with pytest.raises(StorageError, match=r"was undone by an earlier error.*run it again"):
        storage.transact(work)
    assert storage.audit.page() == []
    storage.transact(lambda unit: unit.audit.append([an_audit_entry()]))
    assert len(storage.audit.page()) == 1


def test_a_value_that_cannot_be_read_is_said(
    storage: PostgresStorage, postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """What others wrote and is none of ours raises, and is not guessed at."""
    storage.documents.save(an_invoice())
    storage.tokens.add([a_token()])
    admin.execute(f"UPDATE {postgres_schema[1]}.documents SET kind = 'poem'")
    with pytest.raises(StorageError, match="holds one that cannot be read"):
        storage.documents.get("C-1001", "INV-1")
    for use in (
        lambda: storage.audit.page(limit=2**64),
        lambda: storage.tokens.current_page(after="\x00"),
    ):
        with pytest.raises(StorageError):
            use()
    assert storage.tokens.get(token_id(1)) == a_token()


def test_amounts_are_stored_as_amounts(
    storage: PostgresStorage, postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """Whoever looks into the tables sees amounts, and what is left of each entry."""
    storage.ledger.save(an_entry(amount=Decimal("123.4567")), a_payment(amount=Decimal("100")))
    storage.ledger.allocate(an_allocation(amount=Decimal("23.4567")))
    sql = f"SELECT amount, open_amount FROM {postgres_schema[1]}.entries ORDER BY side"
    assert admin.execute(sql).fetchall() == [
        (Decimal("123.4567"), Decimal("100.0000")),
        (Decimal("100.0000"), Decimal("76.5433")),
    ]


def test_ended_tokens_and_current_ones_are_held_by_the_tables(
    storage: PostgresStorage, postgres_schema: Place, admin: psycopg.Connection[Any]
) -> None:
    """Two current tokens of a customer are refused by an index, whoever writes."""
    storage.tokens.add([a_token()])
    storage.tokens.end([token_id(1)], at=NOW, by="ana", how=EndedAs.REVOKED)
    storage.tokens.add([a_token(token_id(2))])
    with pytest.raises(psycopg.errors.UniqueViolation, match="tokens_current"):
        admin.execute(
            f"UPDATE {postgres_schema[1]}.tokens SET ended_at = NULL, ended_as = NULL "
            "WHERE ended_at IS NOT NULL"
        )


@pytest.mark.parametrize(
    "sql",
    [
        sql
        for module in (_sql_tokens, _sql_documents, _sql_ledger, _sql_mails)
        for sql in vars(module).values()
        if isinstance(sql, str) and sql.startswith("SELECT") and "json_each" in sql
    ],
)
def test_few_are_found_among_many_of_which_nothing_is_known(
    many: PostgresStorage, admin: psycopg.Connection[Any], sql: str
) -> None:
    """Without statistics, too, rows are found by their ids: no tenant's rows are gone through."""
    ours = many._database._translate(sql)
    ids = '["C-1"]'
    values: Any = {"ids": ids, "tenant": "default"} if "%(" in ours else [ids] * ours.count("%s")
    rows = psycopg.ClientCursor(admin).execute(f"EXPLAIN {ours}", values).fetchall()
    plan = [row[0] for row in rows]
    conditions = [line for line in plan if "Index Cond" in line]
    assert conditions
    assert all("value" in line for line in conditions), plan
    assert not [line for line in plan if "Seq Scan" in line]


@pytest.fixture(scope="module")
def many(postgres_server: Any, postgres_admin: Any) -> Iterator[PostgresStorage]:
    """A tenant with thousands of rows, which came since the server last looked."""
    with closing(PostgresStorage(postgres_server.dsn, schema=schema_name())) as storage:
        ids = [f"C-{n}" for n in range(2000)]
        storage.customers.save(*map(a_customer, ids))
        storage.tokens.add([a_token(token_id(n), customer_id=one) for n, one in enumerate(ids)])
        storage.documents.save(*(an_invoice(f"I-{n}") for n in range(2000)))
        storage.ledger.save(*(an_entry(f"I-{n}") for n in range(2000)))
        storage.ledger.save(*(a_payment(f"P-{n}") for n in range(2000)))
        storage.ledger.allocate(
            *(an_allocation(f"A-{n}", debit_id=f"I-{n}", credit_id=f"P-{n}") for n in range(2000))
        )
        storage.mails.add(
            [a_mail(one, customer_id=one, run="R-1", status=MailStatus.SENT) for one in ids]
        )
        yield storage
        drop_schema(postgres_admin, storage._database.schema)


def outcomes_of(works: list[Callable[[], Any]]) -> list[Any]:
    """What each returns, or the class of its refusal, all started at once."""

    def outcome(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except PortalError as error:
            return type(error)

    with hurried_threads():
        return in_threads([partial(outcome, work) for work in works])


def test_allocations_that_come_at_once_share_what_there_is(storage: PostgresStorage) -> None:
    """Of several who allocate one payment to its last cent only as many succeed as it has room."""
    for number in range(10):
        credit = f"P{number}"
        storage.ledger.save(
            an_entry(f"A{number}"), an_entry(f"B{number}"), a_payment(credit, amount=60)
        )
        parts = [
            an_allocation(f"{number}-{n}", debit_id=f"{'AB'[n % 2]}{number}", credit_id=credit)
            for n in range(4)
        ]
        changed = [attrs.evolve(part, amount=Decimal(40)) for part in parts]
        found = outcomes_of([partial(storage.ledger.allocate, part) for part in changed])
        assert sorted(map(str, found)) == sorted(map(str, [None, *[LedgerError] * 3]))
    assert len(storage.ledger.allocations(a_payment().customer_id)) == 10


def test_settings_that_are_saved_at_once_are_all_saved(storage: PostgresStorage) -> None:
    """Without a version the last save wins, however many come at once."""
    portal = portal_over(storage)
    for first in range(1, 41, 8):  # what equals the stored ones would change nothing
        configs = [PortalConfig(token_expiry_days=days) for days in range(first, first + 8)]
        saved = outcomes_of([partial(portal.settings.save, config) for config in configs])
        assert {type(one) for one in saved} == {StoredSettings}
    assert portal.settings.get().version == 40


# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "ours"),
    [
        ("SELECT id FROM tokens WHERE tenant = ?", 'SELECT id FROM "s".tokens WHERE tenant = %s'),
        ("UPDATE tokens SET is_latest = 0", 'UPDATE "s".tokens SET is_latest = false'),
        ("WHERE is_latest = 1 AND x = :name", "WHERE is_latest AND x = %(name)s"),
        (
            "FROM json_each(:ids) AS wanted CROSS JOIN notes ON id = value",
            (
                "FROM json_array_elements_text((%(ids)s)::json) AS wanted (value) "
                'CROSS JOIN LATERAL (SELECT * FROM "s".notes WHERE id = value OFFSET 0) AS notes'
            ),
        ),
        (
            "own CROSS JOIN tokens\n ON id IN (a, b)\n AND c = ? ORDER BY c",
            (
                'own CROSS JOIN LATERAL (SELECT * FROM "s".tokens WHERE id IN (a, b)\n AND c = %s '
                "OFFSET 0) AS tokens ORDER BY c"
            ),
        ),
        (
            "sum(units * (1 - 2 * side) / 1000000000), sum(units * (1 - 2 * side) % 1000000000)",
            "0 * sum(amount * (1 - 2 * side)), sum(amount * (1 - 2 * side))",
        ),
        (
            "SELECT key FROM unnest(?::bigint[]) AS key",
            "SELECT key FROM unnest(%s::bigint[]) AS key",
        ),
    ],
)
def test_statements_are_put_into_its_words(sql: str, ours: str) -> None:
    """Each word that differs, and nothing else."""
    assert translator("s")(sql) == ours


def test_a_program_may_end_without_closing(postgres_place: tuple[str, str]) -> None:
    """It waits for no thread of the pool, and nobody is told of any."""
    program = (
        "import sys\n"
        "from basis_portal.storage.postgres import PostgresStorage\n"
        "storage = PostgresStorage(sys.argv[1], schema=sys.argv[2])\n"
        "storage.settings.get()\n"
    )
    command = [sys.executable, "-c", program, *postgres_place]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_closes_no_pool_of_its_parent(
    storage: PostgresStorage, postgres_admin: Any
) -> None:
    """A child that ends as a program does leaves the parent's connections as they are."""

    def connections() -> list[Any]:
        storage.settings.get()
        sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'basis_portal'"
        return sorted(postgres_admin.execute(sql).fetchall())

    before = connections()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            weakref.finalize._exitfunc()  # type: ignore[attr-defined]
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert connections() == before
