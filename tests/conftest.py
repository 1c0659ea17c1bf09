"""What the tests of the use cases share: storages, a clock, a portal, and what watches them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shutil import copyfile
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from tests.depth import DEEP, MUTATED, TOOK_TOO_LONG, examples, storages, thinned

from basis_portal import AuditEntry, Portal, PortalConfig
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import NOW, a_customer
from basis_portal.testing.clocks import FrozenClock

# Shared build machines are slow now and then; a deadline would fail there for no reason.
settings.register_profile(
    "suite",
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# Where mutants are tried, the same examples each time; whatever fails kills, be it small or not.
settings.register_profile(
    "mutation",
    settings.get_profile("suite"),
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("mutation" if MUTATED else "suite")

KEY = "a secret for tests alone, at least 32 bytes"
BASE_URL = "https://erp.example.com/portal"
CUSTOMER_IDS = {"C-1001", "C-1002", "C-1003"}
MakePortal = Callable[..., Portal]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests are not to go deep, leave out what `tests.depth` says."""
    if DEEP or any("::" in argument for argument in config.args):
        return  # who names a test means all of it
    kept = thinned(items)
    chosen = set(map(id, kept))
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in chosen])
    items[:] = kept


if MUTATED:
    # A mutant may never end. Processor time is counted, so that a busy machine kills nothing.
    signal.signal(signal.SIGPROF, lambda *_: os._exit(TOOK_TOO_LONG))

    def pytest_runtest_setup() -> None:
        """Begin to count the seconds of a test."""
        signal.setitimer(signal.ITIMER_PROF, 10)

    def pytest_runtest_teardown() -> None:
        """Count no longer."""
        signal.setitimer(signal.ITIMER_PROF, 0)


class Watched:
    """A storage as it is, but each call of a repository method is noted, and may be met.

    Attributes:
        calls: what was called, such as ``"tokens.get"``, in order.
        given: the keyword arguments of each of these calls.
        locks: the customers that each transaction locked.
        before: by name of a call, what runs first; what it raises the caller gets.
        after: by name of a call, what runs when it is done.
    """

    def __init__(self, inner: Any, watcher: Watched | None = None) -> None:
        self.inner = inner
        self.calls: list[str] = watcher.calls if watcher else []
        self.given: list[dict[str, Any]] = watcher.given if watcher else []
        self.locks: list[list[str]] = watcher.locks if watcher else []
        self.before: dict[str, Callable[[], Any]] = watcher.before if watcher else {}
        self.after: dict[str, Callable[[], Any]] = watcher.after if watcher else {}

    @property
    def tenant(self) -> str:
        """The tenant of the storage."""
        tenant: str = self.inner.tenant
        return tenant

    def __getattr__(self, name: str) -> Any:
        """A repository of the storage, watched."""
        return _WatchedRepository(self, name, getattr(self.inner, name))

    def opening(self, token_id: str) -> Any:
        """The storage's own, noted."""
        return self.call("opening", self.inner.opening, token_id)

    def transact(self, work: Callable[[Any], Any], *, lock: Sequence[str] = ()) -> Any:
        """The storage's own; ``work`` is given watched repositories."""
        self.locks.append(list(lock))
        return self.inner.transact(lambda unit: work(Watched(unit, self)), lock=lock)

    def snapshot(self) -> Any:
        """The storage's own."""
        return self.inner.snapshot()

    def after_commit(self, call: Callable[[], None]) -> None:
        """The storage's own."""
        self.inner.after_commit(call)

    def call(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Note a call and make it."""
        self.calls.append(name)
        self.given.append(kwargs)
        if name in self.before:
            self.before[name]()
        result = method(*args, **kwargs)
        if name in self.after:
            self.after[name]()
        return result


class _WatchedRepository:
    def __init__(self, watcher: Watched, name: str, inner: Any) -> None:
        self._watcher, self._name, self._inner = watcher, name, inner

    def __getattr__(self, method: str) -> Any:
        name, inner = f"{self._name}.{method}", getattr(self._inner, method)
        return lambda *args, **kwargs: self._watcher.call(name, inner, *args, **kwargs)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with its tables; to copy it takes a tenth of the time to make one."""
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    SQLiteStorage(path).close()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """The one quick server of all tests; where there is none, skipped, and in CI failed."""
    from tests.postgres_server import DSN_VARIABLE, Server, Unavailable

    if dsn := os.environ.get(DSN_VARIABLE):
        yield SimpleNamespace(dsn=dsn)
        return
    try:
        server = Server()
    except Unavailable as error:
        if os.environ.get("CI", "").lower() not in ("", "0", "false"):
            pytest.fail(f"PostgreSQL must be tested here, and cannot: {error}")
        pytest.skip(f"PostgreSQL is not tested: {error}")
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres_admin(postgres_server: Any) -> Iterator[Any]:
    """A connection to it, to tidy up with."""
    import psycopg

    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def postgres_schema(postgres_server: Any, postgres_admin: Any) -> Iterator[tuple[str, str]]:
    """DSN and name of a schema of the test's own, which a storage will make."""
    from tests.postgres_server import drop_schema, schema_name

    name = schema_name()
    yield postgres_server.dsn, name
    drop_schema(postgres_admin, name)


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: Any, postgres_admin: Any) -> Iterator[Any]:
    """A schema for one test after another: it is emptied a hundred times quicker than made."""
    from tests.postgres_server import Tables, drop_schema, schema_name

    name = schema_name()
    PostgresStorage(postgres_server.dsn, schema=name).close()
    yield Tables(postgres_admin, name)
    drop_schema(postgres_admin, name)


@pytest.fixture
def postgres_place(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """DSN and name of a schema with empty tables; the test's own where it asked for that."""
    if "postgres_schema" in request.fixturenames:
        yield request.getfixturevalue("postgres_schema")
        return
    tables = request.getfixturevalue("postgres_tables")
    yield request.getfixturevalue("postgres_server").dsn, tables.schema
    tables.empty()


@pytest.fixture
def make_storage(
    request: pytest.FixtureRequest, tmp_path: Path, empty_file: Path
) -> Iterator[Callable[..., Any]]:
    """Makes a storage by its kind; all of a test in the test's own file, or schema."""
    made: list[Any] = []

    def make(kind: str, tenant: str = "default") -> Any:
        if kind == "memory":
            return InMemoryStorage(tenant)
        if kind == "postgres":
            dsn, schema = request.getfixturevalue("postgres_place")
            made.append(PostgresStorage(dsn, schema=schema, tenant=tenant))
            return made[-1]
        if not made:
            copyfile(empty_file, tmp_path / "portal.db")
        made.append(SQLiteStorage(tmp_path / "portal.db", tenant=tenant))
        return made[-1]

    yield make
    for storage in made:
        storage.close()


@pytest.fixture(params=storages())
def storage(request: pytest.FixtureRequest, make_storage: Callable[..., Any]) -> Any:
    """Each of the storages in turn, empty."""
    return make_storage(request.param)


@pytest.fixture
def watched(storage: Any) -> Watched:
    """The same storage, which notes what is read and written."""
    return Watched(storage)


@pytest.fixture
def secret_key() -> str:
    """The key that signs the links of `portal`."""
    return KEY


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still until the test moves it."""
    return FrozenClock()


@pytest.fixture
def make_portal(storage: Any, clock: FrozenClock) -> MakePortal:
    """Makes a portal over the test's storage and clock; keywords change its arguments."""

    def make(over: Any = None, **changes: Any) -> Portal:
        given = {"secret_keys": [KEY], "base_url": BASE_URL, "clock": clock, **changes}
        return Portal(over or storage, **given)

    return make


@pytest.fixture
def portal(storage: Any, make_portal: MakePortal) -> Portal:
    """A portal that is on, with customers C-1001 and C-1002, and C-1003, who is blocked."""
    storage.customers.save(
        a_customer("C-1001"),
        a_customer("C-1002", name="Teh Melati", email=None, number="1002"),
        a_customer("C-1003", name="Gula Aren", email=None, number="1003", blocked=True),
    )
    portal = make_portal()
    portal.settings.save(PortalConfig(enabled=True), by="ana")
    return portal


@pytest.fixture
def text_of() -> Callable[..., str]:
    """Gives the text of a customer's link: what is handed to `Portal.open`."""

    def text(portal: Portal, customer_id: str = "C-1001") -> str:
        return portal.tokens.link(customer_id, by="ana").rsplit("/", 1)[1]

    return text


@pytest.fixture
def trail(storage: Any) -> Callable[[], list[AuditEntry]]:
    """Gives the whole audit trail, oldest first."""
    return lambda: _whole_trail(storage)


@pytest.fixture
def state(storage: Any) -> Callable[[], dict[str, Any]]:
    """Gives everything the portal keeps, to show that nothing, or what, has changed."""
    return lambda: _whole_state(storage)


def _whole_trail(storage: Any) -> list[AuditEntry]:
    return [entry for _, entry in storage.audit.page(limit=10**6)][::-1]


def _whole_state(storage: Any) -> dict[str, Any]:
    trail = _whole_trail(storage)
    latest = storage.tokens.page(now=NOW, limit=10**6)
    inbox = storage.messages.inbox(unread_only=False, limit=10**6)
    ids = {found.customer_id for found in (*trail, *latest, *inbox)} - {None} | CUSTOMER_IDS
    tokens = {one: list(storage.tokens.history(one)) for one in ids}
    return {
        "settings": storage.settings.get(),
        "tokens": tokens,
        "opened": storage.tokens.last_opened([t.id for found in tokens.values() for t in found]),
        "messages": {one: list(storage.messages.page(one, limit=10**6)) for one in ids},
        "mails": {one: list(storage.mails.of_customer(one, limit=10**6)) for one in ids},
        "notes": {one: list(storage.messages.notes(one)) for one in ids},
        "trail": trail,
    }
