"""The primary is killed under load and its standby promoted; the application goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from threading import Thread

from psycopg_pool import ConnectionPool
from tests.postgres_server import Server, schema_name, wait_until

from basis_portal import StorageError
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.testing.builders import a_customer

from .acknowledged import check, lost
from .figures import Figure, some
from .writers import Writers

CYCLES = 5


def run(scale: int) -> list[Figure]:
    """Fail over to a synchronous standby, and to one that was left behind."""
    cycles = max(CYCLES // scale, 1)
    runs = [fail_over(behind=False) for _ in range(cycles)]
    problems = [one for found, _, _ in runs for one in found]
    slowest = max(seconds for _, _, seconds in runs)
    acknowledged = sum(writers.acknowledged.finished for _, writers, _ in runs)
    behind, late, _ = fail_over(behind=True)
    return [
        Figure(
            "primary killed under load, synchronous standby promoted",
            cycles,
            f"{len(lost(problems))} of {acknowledged:,} acknowledged changes lost, "
            f"{len(problems) - len(lost(problems))} other problems{some(problems)}",
            not problems,
        ),
        Figure(
            "... the same application writes to the new primary",
            cycles,
            f"within {slowest:.2f} s of its promotion",
            slowest < float("inf"),
        ),
        Figure(
            "control: a standby that had been left behind",
            1,
            f"{len(lost(behind))} of {late.acknowledged.finished:,} lost: seen",
            bool(lost(behind)),
        ),
        _refused(),
        _cancelled(),
    ]


def fail_over(*, behind: bool) -> tuple[list[str], Writers, float]:
    """What is wrong after a failover, who wrote, and after how many seconds all wrote again."""
    with Server(durable=True) as primary, primary.standby(synchronous=not behind) as standby:
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        dsn = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
        with closing(PostgresStorage(dsn, schema=schema_name())) as storage:
            writers = Writers(storage)
            if behind:  # the tables have come, what is written from here on has not
                _wait_for_schema(standby, storage)
                standby.stop()
            with writers.at_work():
                writers.all_acknowledge()
                time.sleep(0.5)  # load, for a while
                primary.crash()
                if behind:
                    standby.start()
                standby.promote()
                seconds = writers.all_acknowledge()
            return check(storage, writers.acknowledged), writers, seconds


def _wait_for_schema(standby: Server, storage: PostgresStorage) -> None:
    name = storage._database.schema
    wait_until(
        lambda: bool(standby.ask(f"SELECT to_regclass('{name}.allocations_of_credit')")),
        "the tables are on the standby",
    )


def _refused() -> Figure:
    """A standby, where a revoked link may still look good, is refused: by DSN and in a pool."""
    said = []
    with Server(durable=True) as primary, primary.standby() as standby:
        schema = schema_name()
        with closing(PostgresStorage(primary.dsn, schema=schema)) as storage:
            _wait_for_schema(standby, storage)
        said.append(_said_by(lambda: PostgresStorage(standby.dsn, schema=schema).close()))
        with ConnectionPool(primary.dsn, min_size=0, max_size=1, open=True) as pool:
            hosts = PostgresStorage(pool, schema=schema)
            pool.conninfo = standby.dsn  # where the pool's next connection leads
            primary.ask(_OTHERS_END)
            said.append(_said_by(hosts.settings.get))
    refused = sum("is a standby" in one for one in said)
    return Figure("a standby asked instead", 2, f"{refused} refused", refused == 2)


def _cancelled() -> Figure:
    """A commit that an operator no longer lets wait for the standby is not acknowledged."""
    said: list[str] = []
    with (
        Server(durable=True) as primary,
        primary.standby() as standby,
        closing(PostgresStorage(primary.dsn, schema=schema_name())) as storage,
    ):

        def save() -> None:
            said.append(_said_by(lambda: storage.customers.save(a_customer("C-1"))))

        standby.stop()
        waiting = Thread(target=save)
        waiting.start()
        wait_until(lambda: bool(primary.ask(_WAITING)), "a commit waits for the standby")
        primary.ask(_CANCEL)
        waiting.join()
    return Figure(
        "a commit no longer let wait for the standby",
        1,
        "warned of, not acknowledged" if "warned of its commit" in said[0] else said[0],
        "warned of its commit" in said[0],
    )


_WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
_CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
_OTHERS_END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def _said_by(work: Callable[[], object]) -> str:
    try:
        work()
    except StorageError as error:
        return str(error)
    return "served"
