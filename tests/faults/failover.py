"""The primary is killed under load and its standby promoted; the application goes on."""

from __future__ import annotations

import time
from contextlib import closing

from tests.postgres_server import Server, schema_name

from basis_portal import StorageError
from basis_portal.storage.postgres import PostgresStorage

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
    from tests.postgres_server import wait_until

    name = storage._database.schema
    wait_until(
        lambda: bool(standby.ask(f"SELECT to_regclass('{name}.allocations_of_credit')")),
        "the tables are on the standby",
    )


def _refused() -> Figure:
    """A standby, where a revoked link may still look good, is refused."""
    with Server(durable=True) as primary, primary.standby() as standby:
        try:
            PostgresStorage(standby.dsn, schema=schema_name()).close()
        except StorageError as error:
            said = str(error)
        else:
            said = "served"
    return Figure("a standby asked instead", 1, said, "is a standby" in said)
