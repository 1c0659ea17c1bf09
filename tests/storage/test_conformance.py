"""The shipped storages pass through the same kit as a stranger's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from basis_portal.storage.memory import InMemoryStorage
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing import FullStorageConformance


class TestInMemoryStorage(FullStorageConformance):
    """The storage in memory."""

    @pytest.fixture
    def storage(self) -> InMemoryStorage:
        """A new storage."""
        return InMemoryStorage()


@pytest.mark.sampled
class TestSQLiteStorage(FullStorageConformance):
    """The storage in an SQLite file."""

    @pytest.fixture
    def storage(self, tmp_path: Path, empty_file: Path) -> Iterator[SQLiteStorage]:
        """A file with empty tables."""
        copyfile(empty_file, tmp_path / "portal.db")
        storage = SQLiteStorage(tmp_path / "portal.db")
        yield storage
        storage.close()


@pytest.mark.sampled
class TestPostgresStorage(FullStorageConformance):
    """The storage in a PostgreSQL database."""

    @pytest.fixture
    def storage(self, postgres_place: tuple[str, str]) -> Iterator[PostgresStorage]:
        """A schema with empty tables."""
        dsn, schema = postgres_place
        storage = PostgresStorage(dsn, schema=schema)
        yield storage
        storage.close()
