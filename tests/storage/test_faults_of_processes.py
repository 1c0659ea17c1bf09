"""Races, forks and faults of several processes, in small; ``python -m tests.faults`` for more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults import forks, race, retries, revoked, threads


@pytest.fixture(params=["sqlite", "postgres"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for each kind of storage, said in a line."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'portal.db'}"
    return str(request.getfixturevalue("postgres_spec"))


@pytest.fixture
def postgres_spec(postgres_schema: tuple[str, str]) -> str:
    """A schema of the test's own, said in a line."""
    dsn, schema = postgres_schema
    return f"postgres:{schema}|{dsn}"


def test_processes_race(spec: str) -> None:
    """Processes that fight over customers never see an error, a second token or a gap."""
    found = race.race(spec, processes=3, rounds=20)
    assert (found.errors, found.wrong, found.gaps) == ([], [], [])
    assert min(found.looks, found.acknowledged, found.refused.total()) > 0


def test_a_link_revoked_elsewhere_is_refused_at_once(spec: str) -> None:
    """In whatever another process is in the middle of; and a good link opens there."""
    for found in revoked.revoke(spec, rounds=20).values():
        assert (found.accepted, found.errors) == (0, [])
        assert found.rounds == 5


def test_many_threads_use_one_storage(spec: str) -> None:
    """More threads than connections meet no error, and each finds what it left."""
    found = threads.crowd(spec, threads=16, acts=8)
    assert (found.errors, found.wrong) == ([], [])
    assert found.acts == 16 * 8


@pytest.mark.parametrize(("way", "count"), [(way, 2) for way in forks.WAYS])
def test_a_process_forks(spec: str, way: str, count: int) -> None:
    """Parent and child go on with an open storage, and nothing that was acknowledged is lost."""
    found = forks.fork(spec, way, count)
    assert found.problems == []
    assert len(found.tokens) >= 9 * count


# --- PostgreSQL alone ---------------------------------------------------------------------


@pytest.mark.deep
@pytest.mark.parametrize("code", retries.CODES)
def test_what_failed_for_no_fault_of_its_own_is_run_again(postgres_spec: str, code: str) -> None:
    """A transaction is made once, after up to four failures, or not at all after five."""
    found = retries.errors(postgres_spec, code, scale=3)
    assert found.problems == []
    assert found.count >= 10


@pytest.mark.parametrize(
    ("fault", "rounds", "again"),
    [(retries.deadlocks, 3, True), (retries.kills, 6, True), (retries.kills_at_commit, 6, False)],
)
def test_what_ends_a_transaction(
    postgres_spec: str, fault: Callable[[str, int], retries.Findings], rounds: int, again: bool
) -> None:
    """After a deadlock or a lost connection it is run again whole, but not after its commit."""
    found = fault(postgres_spec, rounds)
    assert found.problems == []
    assert (found.count, found.again > 0) == (rounds, again)
