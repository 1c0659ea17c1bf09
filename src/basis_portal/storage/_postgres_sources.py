"""Where the connections to PostgreSQL come from: a DSN, the host's pool, or its connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, ClassVar, Protocol, TypeAlias
from weakref import WeakSet, finalize, ref

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow, tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from ..errors import InvalidValue, StorageError
from ._sql import Units

Connection: TypeAlias = psycopg.Connection[Any]

_PATIENCE = 1.0  # seconds after which it is looked whether the server is there at all

# A server that has gone without a word is noticed within half a minute. What a DSN says wins.
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "application_name": "basis_portal",
}


class PooledConnection(psycopg.Connection[TupleRow]):
    """A connection of a pool of ours."""

    _opener: psycopg.Cursor[TupleRow] | None = None

    @property
    def opener(self) -> psycopg.Cursor[TupleRow]:
        """The one cursor for opening links: to make one each time takes a third of the time.

        What others read may be large, and would be kept with the cursor until its next use.
        """
        if self._opener is None:
            self._opener = psycopg.Cursor(self, row_factory=tuple_row)
        return self._opener


def _close_at_exit(kept: Callable[[], ConnectionPool[Connection] | None], process: int) -> None:
    """Else a program that ends without closing its storage waits for the pool's threads."""
    pool = kept()
    if pool is not None and process == os.getpid():
        pool.close()


class Source(Protocol):
    """Gives connections and takes them back.

    Attributes:
        spare: how many dead connections may be met, one after the other, before one is new.
        is_hosts: connections are the host's, and left as they are.
        joins: it is one connection: what it is in the middle of is the host's.
    """

    spare: int
    is_hosts: bool
    joins: bool

    def take(self) -> Connection:
        """A connection for this thread alone; a pool's commits each statement by itself."""
        ...

    def give(self, connection: Connection) -> None:
        """Take it back; one that is dead or in the middle of something is not used again."""
        ...

    def close(self) -> None:
        """Close what was opened here."""
        ...


class OwnPool:
    """A pool of connections by a DSN, opened when first used, in each process anew.

    A forked child leaves alone what its parent had: to close those would end the sessions of
    the parent.
    """

    is_hosts = False
    joins = False
    _of_parents: ClassVar[list[object]] = []

    def __init__(self, dsn: str, size: int, timeout: float) -> None:
        self._dsn = _with_defaults(dsn)
        self.spare = size
        self._size = size
        self._timeout = timeout
        self._failures = 0
        self._error: psycopg.Error | StorageError | None = None
        self._forget()
        _pools.add(self)

    def leave_to_parent(self) -> None:
        """In a forked child: begin anew, and keep what the parent has."""
        self._of_parents.append(self._pool)
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._pool: ConnectionPool[Connection] | None = None
        self._lock = Lock()

    def connect(self) -> Connection:
        """A new connection, set up as all of the pool are. Raises what psycopg raises."""
        connection = self._connect(self._dsn, autocommit=True)
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def take(self) -> Connection:
        """A connection of the pool; where the server cannot be reached that is said at once."""
        pool = self._of_this_process()
        for _ in range(max(1, round(self._timeout / _PATIENCE))):
            failures = self._failures
            try:
                return pool.getconn(timeout=_PATIENCE)
            except PoolTimeout:
                if self._failures != failures and self._error is not None:
                    raise self._error.with_traceback(None) from None
        return pool.getconn(timeout=_PATIENCE)

    def give(self, connection: Connection) -> None:
        """Take it back."""
        pool = self._pool
        if pool is not None and connection._pool is pool:
            pool.putconn(connection)
        else:  # the storage was closed meanwhile
            connection.close()

    def close(self) -> None:
        """Close the pool, unless it is a parent's. The next use opens a new one."""
        if self._process == os.getpid():
            with self._lock:
                pool, self._pool = self._pool, None
            if pool is not None:
                pool.close()

    def _of_this_process(self) -> ConnectionPool[Connection]:
        if self._process != os.getpid():
            self.leave_to_parent()
        with self._lock:
            if self._pool is None:
                self._pool = self._open()
            return self._pool

    def _open(self) -> ConnectionPool[Connection]:
        source = self

        class Noticed(psycopg.Connection[TupleRow]):
            """A connection whose failure to come about is known to whoever waits for it."""

            @classmethod
            def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
                return source._connect(conninfo, **kwargs)

        pool: ConnectionPool[Connection] = ConnectionPool(
            self._dsn,
            connection_class=Noticed,
            kwargs={"autocommit": True},
            configure=self._configure,
            min_size=0,
            max_size=self._size,
            open=True,
            # Whoever waits asks again, so an attempt that failed need not be repeated for minutes.
            reconnect_timeout=0,
            name="basis_portal",
        )
        finalize(self, _close_at_exit, ref(pool), self._process)
        return pool

    def _connect(self, dsn: str, **how: Any) -> PooledConnection:
        try:
            return PooledConnection.connect(dsn, **how)
        except psycopg.Error as error:
            self._note(error)
            raise

    def _configure(self, connection: Connection) -> None:
        try:
            self._set_up(connection)
        except (psycopg.Error, StorageError) as error:
            self._note(error)
            raise

    def _note(self, error: psycopg.Error | StorageError) -> None:
        self._error = error
        self._failures += 1

    def _set_up(self, connection: Connection) -> None:
        teach(connection.adapters)
        connection.execute(_SET_UP, {"timeout": f"{int(self._timeout * 1000)}ms"})
        check_server(connection)


_pools: WeakSet[OwnPool] = WeakSet()


def _after_fork_in_child() -> None:
    """Before the child has threads, which would race for it."""
    for pool in list(_pools):
        pool.leave_to_parent()


if hasattr(os, "register_at_fork"):  # pragma: no branch (Windows does not fork)
    os.register_at_fork(after_in_child=_after_fork_in_child)


# What was acknowledged is durable, also where the server's own setting would not have it so, or
# comes not to have it so: what is set here a reload does not change.
_SET_UP = """
    SELECT set_config('lock_timeout', %(timeout)s, false),
           set_config('client_encoding', 'UTF8', false),
           set_config('client_min_messages', 'warning', false),
           set_config('synchronous_commit', CASE
               WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
               ELSE current_setting('synchronous_commit')
           END, false)
"""


class HostPool:
    """The host's own pool, used as it is."""

    is_hosts = True
    joins = False

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        self._process = os.getpid()
        self.spare: int = pool.max_size
        self._autocommit: dict[int, bool] = {}
        self._checked: WeakSet[Connection] = WeakSet()

    def take(self) -> Connection:
        """A connection of the pool, set to commit by itself while it is ours."""
        if self._process != os.getpid():
            raise StorageError(
                "the pool was made before this process was forked and does not work in it; "
                "make pool and storage after the fork, or give the storage a DSN"
            )
        connection: Connection = self._pool.getconn()
        if not connection.autocommit and not connection.closed:
            self._autocommit[id(connection)] = False
            connection.autocommit = True
        self._check(connection)
        return connection

    def _check(self, connection: Connection) -> None:
        """Look once at each connection whether it leads to a server that may be asked."""
        try:
            if connection not in self._checked:
                check_server(connection)
                self._checked.add(connection)
        except psycopg.Error:
            if not connection.closed:
                self.give(connection)
                raise
        except StorageError:
            self.give(connection)
            raise

    def give(self, connection: Connection) -> None:
        """Give it back as it was."""
        if not self._autocommit.pop(id(connection), True):
            settle(connection)
            if not connection.closed:
                connection.autocommit = False
        self._pool.putconn(connection)

    def close(self) -> None:
        """Nothing: the pool is the host's."""


class HostConnection:
    """The host's own connection: what is done is part of what the host is in the middle of."""

    is_hosts = True
    joins = True
    spare = 0

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._process = os.getpid()

    def take(self) -> Connection:
        """The connection."""
        if self._process != os.getpid():
            raise StorageError(
                "the connection was opened before this process was forked; open one in it"
            )
        if self._connection.pgconn.pipeline_status:
            raise StorageError(
                "the connection is in pipeline mode, in which no answer comes before its end; "
                "use the storage outside Connection.pipeline()"
            )
        return self._connection

    def give(self, connection: Connection) -> None:
        """Nothing: the connection is the host's."""

    def close(self) -> None:
        """Nothing: the connection is the host's."""


def source_of(given: object, size: int, timeout: float) -> Source:
    """Where connections come from. Raises `InvalidValue`, never repeating a DSN."""
    if isinstance(given, str):
        return OwnPool(given, size, timeout)
    if isinstance(given, ConnectionPool):
        return HostPool(given)
    if isinstance(given, psycopg.Connection):
        return HostConnection(given)
    raise InvalidValue(
        "database must be a DSN, a psycopg_pool.ConnectionPool or a psycopg.Connection, "
        f"not a {type(given).__name__}",
        field="database",
    )


def settle(connection: Connection) -> None:
    """Undo what a connection is in the middle of; one that cannot do even that is closed."""
    try:
        if not connection.closed and connection.info.transaction_status:
            psycopg.Cursor(connection).execute("ROLLBACK", prepare=False)
    except psycopg.Error:
        connection.close()


def check_server(connection: Connection) -> None:
    """Refuse, with `StorageError`, a server that could show or keep the wrong thing."""
    if connection.info.encoding != "utf-8":
        spoken = connection.info.parameter_status("client_encoding")
        raise StorageError(
            f"the connection has the client_encoding {spoken} and cannot carry every name; open "
            "it with client_encoding=UTF8"
        )
    with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
        row = cursor.execute(_SERVER).fetchone()
    assert row is not None
    encoding, is_standby = row
    if encoding != "UTF8":
        raise StorageError(
            f"the database has the encoding {encoding} and cannot hold every name; "
            "make one with ENCODING 'UTF8'"
        )
    if is_standby:
        raise StorageError(
            "this server is a standby, where a revoked link may still look good; connect to the "
            "primary (target_session_attrs=read-write)"
        )


_SERVER = "SELECT current_setting('server_encoding'), pg_is_in_recovery()"


def _with_defaults(dsn: str) -> str:
    try:
        given = conninfo_to_dict(dsn)
    except (psycopg.Error, UnicodeError):  # its text may repeat a password
        given = {"host": "@"}
    # What connecting would say of these may repeat one, too.
    ports = str(given.get("port") or "").split(",")
    if "@" in str(given.get("host")) or not all(port.isdigit() or not port for port in ports):
        raise InvalidValue(
            "database must be a PostgreSQL DSN such as 'postgresql://user@host/name'; in a "
            "password @ is written %40",
            field="database",
        )
    return make_conninfo(dsn, **{name: _DEFAULTS[name] for name in _DEFAULTS.keys() - given})


# --- amounts ------------------------------------------------------------------------------


class _UnitsDumper(Dumper):
    """Whole ten-thousandths as the amount they are."""

    oid = psycopg.adapters.types["numeric"].oid

    def dump(self, obj: Units) -> Buffer:
        sign, (whole, part) = "-" if obj < 0 else "", divmod(abs(int(obj)), 10000)
        return f"{sign}{whole}.{part:04}".encode()


class _UnitsLoader(Loader):
    """An amount as whole ten-thousandths."""

    def load(self, data: Buffer) -> int:
        whole, _, part = bytes(data).partition(b".")
        return int(whole + part[:4].ljust(4, b"0"))


def teach(adapters: AdaptersMap) -> None:
    """Let a connection, or a cursor, read and write amounts as we do."""
    adapters.register_dumper(Units, _UnitsDumper)
    adapters.register_loader("numeric", _UnitsLoader)
