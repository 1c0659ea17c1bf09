"""What the tests of the operators' commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.places import Place, Ran, postgres_place, sqlite_place

from basis_portal.cli import main


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BASIS_PORTAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", list(sys.path))  # where the application's modules stay


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command over some places, and gives status and output."""

    def ran(*arguments: object, over: tuple[Place, ...] = ()) -> Ran:
        for place in over:
            for name, value in place.environment.items():
                monkeypatch.setenv(name, value)
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return ran


@pytest.fixture
def file(tmp_path: Path) -> Place:
    """An SQLite file of the test's own."""
    return sqlite_place(tmp_path / "portal.db")


@pytest.fixture
def schema(postgres_schema: tuple[str, str]) -> Place:
    """A PostgreSQL schema of the test's own."""
    return postgres_place(*postgres_schema)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each of the two in turn."""
    found: Place = request.getfixturevalue("file" if request.param == "sqlite" else "schema")
    return found
