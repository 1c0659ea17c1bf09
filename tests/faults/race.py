"""Processes fight over three customers, and a watcher looks on by plain SQL.

Run as a program this module is one of those processes: it waits for a line on its standard
input, does its rounds, and prints as JSON what was acknowledged to it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

import attrs
from tests.tokens.test_one_active import CUSTOMERS, RENEWED, Racer, Watch, check_trail

from basis_portal import Customer

from .figures import Figure, some
from .storages import (
    PLACES,
    hear,
    kind_of,
    open_storage,
    plain,
    portal_over,
    program,
    say,
    tell,
)

PROCESSES = 8
ROUNDS = 500
_ALL = (*CUSTOMERS, RENEWED)


@attrs.define
class Race:
    """What came of a race.

    Attributes:
        rounds: of all processes together.
        acknowledged: how many changes were.
        refused: how often each documented refusal was met.
        errors: all other errors.
        looks: how often the watcher looked.
        wrong: where it saw a customer with two active tokens, or one without any that had one.
        gaps: where the history does not tell what happened.
    """

    rounds: int = 0
    acknowledged: int = 0
    refused: Counter[str] = attrs.field(factory=Counter)
    errors: list[str] = attrs.field(factory=list)
    looks: int = 0
    wrong: list[dict[str, int]] = attrs.field(factory=list)
    gaps: list[str] = attrs.field(factory=list)

    def figure(self, kind: str) -> Figure:
        """The line of the table."""
        wrong = [str(one) for one in self.wrong]
        found = (
            f"{self.acknowledged:,} changes, {sum(self.refused.values()):,} documented refusals; "
            f"{len(self.errors)} other errors{some(self.errors)}; {len(wrong)} of {self.looks:,} "
            f"looks with two active tokens or none{some(wrong)}; "
            f"{len(self.gaps)} gaps in the history{some(self.gaps)}"
        )
        holds = self.looks > 0 and self.acknowledged > 0 and not (self.errors + wrong + self.gaps)
        fault = f"{kind}: {PROCESSES} processes race for 3 customers"
        return Figure(fault, self.rounds, found, holds)


def race(spec: str, processes: int, rounds: int) -> Race:
    """Let so many processes race, each so many rounds."""
    with closing(open_storage(spec)) as storage, closing(plain(spec)) as connection:
        storage.customers.save(*(Customer(one, one) for one in _ALL))
        portal = portal_over(storage)
        for one in _ALL:
            portal.tokens.generate(one)
        with ExitStack() as stack:
            started = [
                stack.enter_context(program("race", spec, seed, rounds))
                for seed in range(processes)
            ]
            ready = [hear(one) for one in started]
            assert ready == ["ready"] * processes
            with Watch(_look(connection)) as watch:
                for one in started:
                    tell(one, "go")
                results = [json.loads(hear(one)) for one in started]
        found = _sum(results)
        found.rounds, found.looks, found.wrong = processes * rounds, watch.looks, watch.wrong
        acknowledged = [(how, token) for result in results for how, token in result[0]]
        found.gaps = _gaps(connection, acknowledged)
        try:
            check_trail(portal, storage, acknowledged)
        except AssertionError as error:
            found.gaps.append(f"the trail is not what was acknowledged ({error})"[:300])
    return found


def _look(connection: Any) -> Callable[[], dict[str, int]]:
    """How many current tokens each customer has, as the tables tell it."""
    sql = "SELECT customer_id, count(*) FROM tokens WHERE ended_at IS NULL GROUP BY customer_id"
    return lambda: {**dict.fromkeys(_ALL, 0), **dict(connection.execute(sql).fetchall())}


def _sum(results: Sequence[Any]) -> Race:
    found = Race()
    for acknowledged, refused, errors in results:
        found.acknowledged += len(acknowledged)
        found.refused += Counter(refused)
        found.errors += errors
    return found


def _gaps(connection: Any, acknowledged: Sequence[tuple[str, str]]) -> list[str]:
    """What was acknowledged and is not in the rows, and rows without just one entry of each."""
    rows = dict(connection.execute("SELECT id, ended_as FROM tokens").fetchall())
    entries = Counter(
        connection.execute(
            "SELECT token_id, event FROM audit WHERE event IN ('issued', 'ended')"
        ).fetchall()
    )
    gaps = []
    for how, token in acknowledged:
        if token not in rows or how not in ("issued", rows[token]):
            gaps.append(f"{how} {token[:6]}, and the rows say {rows.get(token, 'nothing')}")
    for token, how in rows.items():
        said = (entries.pop((token, "issued"), 0), entries.pop((token, "ended"), 0))
        if said != (1, int(how is not None)):
            gaps.append(f"{token[:6]} {how} has {said} entries of its issue and its end")
    return gaps + [f"{token[:6]} has an entry and no row" for token, _ in entries]


def run(scale: int) -> list[Figure]:
    """On both storages."""
    figures = []
    for place in PLACES:
        with place() as spec:
            found = race(spec, PROCESSES, max(1, ROUNDS // scale))
            figures.append(found.figure(kind_of(spec)))
    return figures


def main(spec: str, seed: int, rounds: int) -> None:
    """Race, once told to go."""
    with closing(open_storage(spec)) as storage:
        racer, errors = Racer(portal_over(storage), seed), list[str]()
        say("ready")
        sys.stdin.readline()
        for _ in range(rounds):
            try:
                racer.run(1)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
    say(json.dumps([racer.acknowledged, racer.refused, errors]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
