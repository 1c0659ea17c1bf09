"""Whichever call of a database fails, a use case has done all or nothing, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.faults.calls import CONTROLS, USE_CASES, UseCase, fail_each
from tests.faults.subjects import PostgresSubject, SQLiteSubject, Subject

# All calls of all use cases are made to fail by `python -m tests.faults --only calls`.
EVERY = 3


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def subject(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each database in turn, with customers, tokens, documents and a ledger."""
    if request.param == "sqlite":
        made: Subject = SQLiteSubject()
    else:
        made = PostgresSubject(request.getfixturevalue("postgres_server").dsn)
    with closing(made):
        yield made


@pytest.mark.sampled
@pytest.mark.parametrize("case", USE_CASES, ids=lambda case: case.name)
def test_a_failing_call_leaves_all_or_nothing(subject: Subject, case: UseCase) -> None:
    """The error is a `StorageError`, nothing is half done, and run again it works."""
    failures, problems = fail_each(subject, case, EVERY)
    assert failures
    assert problems == []


@pytest.mark.parametrize("case", CONTROLS, ids=lambda case: case.name)
def test_what_breaks_the_rules_is_noticed(subject: Subject, case: UseCase) -> None:
    """The same run finds a use case of two transactions, and one that raises another error."""
    assert fail_each(subject, case)[1] != []
