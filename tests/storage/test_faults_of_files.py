"""Disks and files in trouble, briefly; `python -m tests.faults --only files` is the long run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults import files
from tests.faults.mounts import NotPossible
from tests.faults.subjects import seed

from basis_portal.storage.sqlite import SQLiteStorage

SCALE = 12  # the lock that is waited for takes long whatever the scale, and is left out
BRIEF = [what for what, fault in files.FAULTS.items() if fault is not files.locked]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A file with something of everything."""
    storage = SQLiteStorage(tmp_path / "filled.db")
    seed(storage)
    storage.close()
    return tmp_path / "filled.db"


@pytest.mark.parametrize("what", BRIEF)
def test_a_fault_of_a_file_is_said_and_harms_nothing(
    what: str, tmp_path: Path, filled: Path
) -> None:
    """`StorageError`, nothing half done, and once it is mended all works again."""
    folder = tmp_path / "own"
    folder.mkdir()
    try:
        found = files.FAULTS[what](folder, filled, SCALE)
    except NotPossible as why:
        pytest.skip(f"needs a disk of its own, which cannot be mounted here: {why}")
    assert found.problems == []
    assert found.refused > 0


@pytest.mark.parametrize(
    "work",
    [lambda: 1 // 0, lambda: "wrong"],
    ids=["another error", "a wrong answer"],
)
def test_what_is_not_as_promised_is_noticed(work: Callable[[], object]) -> None:
    """The look sees an error of another kind and a wrong answer."""
    found = files.Tries()
    found.ask("it", work, "right")
    assert found.problems
