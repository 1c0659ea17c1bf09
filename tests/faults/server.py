"""The PostgreSQL server is killed under four writers, again and again."""

from __future__ import annotations

import time
from contextlib import closing
from random import Random

import attrs
from tests.postgres_server import Server, schema_name

from basis_portal.storage.postgres import PostgresStorage

from .acknowledged import check, lost
from .figures import Figure, some
from .writers import WRITERS, Writers

CYCLES = 50
CYCLES_A_SCHEMA = 10
RECOVERY = 5.0  # seconds


@attrs.define
class Crashes:
    """What was found after some crashes."""

    crashes: int = 0
    acknowledged: int = 0
    refused: int = 0
    recoveries: list[float] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)


def run(scale: int) -> list[Figure]:
    """Crash a server that keeps its promises, and one that acknowledges too early."""
    cycles = max(CYCLES // scale, 2)
    with Server(durable=True) as server:
        found = crash(server, cycles)
    gone = len(lost(found.problems))
    return [
        Figure(
            f"kill -9 of the PostgreSQL server under {WRITERS} writers",
            found.crashes,
            f"{gone} of {found.acknowledged:,} acknowledged changes lost, "
            f"{len(found.problems) - gone} other problems{some(found.problems)}; "
            f"{found.refused} refused meanwhile",
            not found.problems and found.refused > 0,
        ),
        Figure(
            "... all writers go on by themselves, after the server answers",
            len(found.recoveries),
            f"within {max(found.recoveries):.2f} s",
            max(found.recoveries) <= RECOVERY,
        ),
        _control(max(cycles // 5, 2)),
    ]


def crash(
    server: Server, cycles: int, storage_of: type[PostgresStorage] = PostgresStorage
) -> Crashes:
    """Kill the server that often; every few times all is checked and a new schema begun."""
    found, random = Crashes(), Random(cycles)
    while found.crashes < cycles:
        with closing(storage_of(server.dsn, schema=schema_name(), pool_size=WRITERS)) as storage:
            writers = Writers(storage)
            with writers.at_work():
                writers.all_acknowledge()
                for _ in range(min(CYCLES_A_SCHEMA, cycles - found.crashes)):
                    _one_crash(server, writers, random, found)
            found.problems += check(storage, writers.acknowledged)
        found.acknowledged += writers.acknowledged.finished
        found.refused += writers.refused
    return found


def _one_crash(server: Server, writers: Writers, random: Random, found: Crashes) -> None:
    # The moment is the fault, so here real time must pass.
    time.sleep(random.uniform(0.05, 0.5))
    server.crash()
    server.start()
    found.recoveries.append(writers.all_acknowledge())
    found.crashes += 1


class _Early(PostgresStorage):
    """Does not wait for the disk: the fault that the check must see."""

    def transact(self, work, *, lock=()):  # type: ignore[no-untyped-def]
        """As ever, but acknowledged before it is written."""

        def early(unit: object) -> object:
            self._database.rows("SELECT set_config('synchronous_commit', 'off', true)")
            return work(unit)

        return super().transact(early, lock=lock)


def _control(cycles: int) -> Figure:
    with Server(durable=True, settings={"wal_writer_delay": "10s"}) as server:
        found = crash(server, cycles, _Early)
    return Figure(
        "control: the same with synchronous_commit=off",
        found.crashes,
        f"{len(lost(found.problems))} of {found.acknowledged:,} lost: seen",
        bool(lost(found.problems)),
    )
