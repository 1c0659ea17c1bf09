"""One active token: threads and programs fight over three customers, and watchers look on.

Run as a script this file is one of those programs: it waits for a line on its standard
input, does its rounds, and prints as JSON what was acknowledged to it.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from basis_portal import (
    AccessRevoked,
    ActiveTokenExists,
    AuditEvent,
    Customer,
    Portal,
    PortalToken,
    TokenChanged,
)
from basis_portal.storage.sqlite import SQLiteStorage

KEY = "a secret for tests alone, at least 32 bytes"
CUSTOMERS = ("C-1001", "C-1002", "C-1004")
RENEWED = "C-1005"  # only ever regenerated, so that it must always have a token
ROUNDS = {"memory": 500, "sqlite": 125}  # of each thread; a file waits for its disk


class Racer:
    """Does one thing after the other to tokens, and notes what it was told had happened.

    Attributes:
        acknowledged: each change: "issued", or how it ended, and the id of the token.
        refused: how often each documented refusal was met.
    """

    def __init__(self, portal: Portal, seed: int) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        self.refused: Counter[str] = Counter()
        self._tokens = portal.tokens
        self._random = random.Random(seed)
        self._by = f"racer {seed}"

    def run(self, rounds: int) -> None:
        """Regenerate, revoke, generate and ensure; only documented refusals are caught."""
        acts = (self._regenerate, self._replace, self._revoke, self._generate, self._ensure)
        for _ in range(rounds):
            try:
                self._random.choice(acts)(self._random.choice(CUSTOMERS))
            except (ActiveTokenExists, TokenChanged, AccessRevoked) as refusal:
                self.refused[type(refusal).__name__] += 1
            if self._random.random() < 0.1:
                self._regenerate(RENEWED)

    def _regenerate(self, one: str) -> None:
        self._issued(self._tokens.regenerate(one, by=self._by))

    def _replace(self, one: str) -> None:
        seen = self._tokens.get(one)
        named = seen.id if seen else None
        self._issued(self._tokens.regenerate(one, by=self._by, if_current=named))

    def _revoke(self, one: str) -> None:
        ended = self._tokens.revoke(one, by=self._by, reason="race")
        if ended:
            self.acknowledged.append(("revoked", ended.id))

    def _generate(self, one: str) -> None:
        self._issued(self._tokens.generate(one, by=self._by))

    def _ensure(self, one: str) -> None:
        token = self._tokens.ensure(one, by=self._by)
        if token.issued_by == self._by and ("issued", token.id) not in self.acknowledged:
            self._issued(token)

    def _issued(self, token: PortalToken) -> None:
        self.acknowledged.append(("issued", token.id))
        if token.replaces:
            self.acknowledged.append(("replaced", token.replaces))


# --- watching


class Watch:
    """Looks again and again, in a thread of its own, for a customer with two tokens or none."""

    def __init__(self, look: Callable[[], dict[str, int]]) -> None:
        self.looks, self.wrong = 0, list[dict[str, int]]()
        self._look, self._over = look, Event()
        self._thread = Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.is_set():
            found = self._look()
            self.looks += 1
            if max(found.values()) > 1 or found[RENEWED] != 1:
                self.wrong.append(found)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)


def by_the_library(storage: Any) -> Callable[[], dict[str, int]]:
    """How many current tokens each customer has, as the library tells it."""

    def look() -> dict[str, int]:
        return {
            one: sum(token.is_current for token in storage.tokens.history(one)[-20:])
            for one in (*CUSTOMERS, RENEWED)
        }

    return look


def by_plain_sql(connection: sqlite3.Connection) -> Callable[[], dict[str, int]]:
    """How many current tokens each customer has, as the file tells it."""
    sql = "SELECT customer_id, count(*) FROM tokens WHERE ended_at IS NULL GROUP BY customer_id"
    return lambda: dict(connection.execute(sql).fetchall())


# --- racing


@pytest.fixture
def portal(storage: Any, make_portal: Callable[..., Portal]) -> Portal:
    """A portal whose four customers all have a token."""
    portal = make_portal(secret_keys=[KEY])
    storage.customers.save(*(Customer(one, one) for one in (*CUSTOMERS, RENEWED)))
    for one in (*CUSTOMERS, RENEWED):
        portal.tokens.generate(one)
    return portal


def race_threads(portal: Portal, number: int, rounds: int) -> list[Racer]:
    """So many threads race at once, each so many rounds."""
    racers = [Racer(portal, seed) for seed in range(number)]
    threads = [Thread(target=racer.run, args=(rounds,)) for racer in racers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return racers


@contextmanager
def programs(path: Path, number: int, rounds: int) -> Iterator[list[subprocess.Popen[str]]]:
    """So many programs, ready to race; they are ended in any case."""
    command = [sys.executable, __file__, str(path)]
    started = [
        subprocess.Popen(
            [*command, str(100 + seed), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(number)
    ]
    try:
        for program in started:
            assert program.stdout
            assert program.stdout.readline() == "ready\n"
        yield started
    finally:
        for program in started:
            program.kill()
            program.communicate()


def race_programs(started: list[subprocess.Popen[str]]) -> list[Any]:
    """Let programs go all at once, and give what each was acknowledged, and refused."""
    for program in started:
        assert program.stdin
        program.stdin.write("go\n")
        program.stdin.flush()
    results = [json.loads(program.communicate(timeout=60)[0]) for program in started]
    assert [program.returncode for program in started] == [0] * len(started)
    return results


def check_trail(portal: Portal, storage: Any, acknowledged: list[tuple[str, str]]) -> None:
    """All that was acknowledged is in the trail, no more, and in an order that can be."""
    entries = [entry for _, entry in storage.audit.page(limit=10**6)][::-1]
    written = [(str(entry.cause or entry.event), entry.token_id) for entry in entries]
    firsts = [("issued", storage.tokens.history(one)[0].id) for one in (*CUSTOMERS, RENEWED)]
    assert Counter(written) == Counter([*acknowledged, *firsts])
    current: dict[str | None, str | None] = {}
    for entry in entries:
        if entry.event is AuditEvent.ISSUED:
            assert current.get(entry.customer_id) is None
            current[entry.customer_id] = entry.token_id
        else:
            assert current[entry.customer_id] == entry.token_id
            current[entry.customer_id] = None
    for one in (*CUSTOMERS, RENEWED):
        token = portal.tokens.get(one)
        assert token
        assert (token.id if token.is_current else None) == current[one]


@pytest.mark.parametrize(("storage", "rounds"), ROUNDS.items(), indirect=["storage"])
def test_threads_race(rounds: int, portal: Portal, storage: Any) -> None:
    """Eight threads that switch at every step: never two tokens nor an unaudited change."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Watch(by_the_library(storage)) as watch:
            racers = race_threads(portal, 8, rounds)
    finally:
        sys.setswitchinterval(interval)
    assert watch.wrong == []
    assert watch.looks > 10
    assert sum((racer.refused for racer in racers), Counter()).keys() == {
        "ActiveTokenExists",
        "TokenChanged",
        "AccessRevoked",
    }
    check_trail(portal, storage, [one for racer in racers for one in racer.acknowledged])


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
def test_programs_and_threads_race(portal: Portal, storage: Any, tmp_path: Path) -> None:
    """Four programs and eight threads on one file: never two tokens nor an unaudited change."""
    path = tmp_path / "portal.db"
    with (
        programs(path, 4, 250) as started,
        Watch(by_the_library(storage)) as watch,
        closing(sqlite3.connect(path, check_same_thread=False)) as connection,
        Watch(by_plain_sql(connection)) as sql_watch,
    ):
        racers: list[Racer] = []
        threads = Thread(target=lambda: racers.extend(race_threads(portal, 8, 50)))
        threads.start()
        results = race_programs(started)
        threads.join(60)
    assert len(racers) == 8
    assert (watch.wrong, sql_watch.wrong) == ([], [])
    assert min(watch.looks, sql_watch.looks) > 10
    assert all(refused for _, refused in results)
    acknowledged = [tuple(one) for acknowledged, _ in results for one in acknowledged]
    acknowledged += [one for racer in racers for one in racer.acknowledged]
    check_trail(portal, storage, acknowledged)


def main(path: str, seed: int, rounds: int) -> None:
    """Race on a file, once told to go."""
    storage = SQLiteStorage(path)
    racer = Racer(Portal(storage, secret_keys=[KEY], base_url="https://erp.example.com"), seed)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    racer.run(rounds)
    storage.close()
    json.dump([racer.acknowledged, racer.refused], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
