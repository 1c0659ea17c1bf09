"""Kills and power cuts, a few: the runs of `python -m tests.faults` see, and find nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.faults.acknowledged import lost

ROOT = Path(__file__).parents[2]


@pytest.fixture
def power() -> ModuleType:
    """The simulated disk; without apsw skipped, and in CI failed."""
    try:
        from tests.faults import power
    except ImportError as error:
        if os.environ.get("CI"):
            pytest.fail(f"power cuts must be tested here, and cannot: {error}")
        pytest.skip(f"power cuts are not tested: {error}")
    return power


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are not tested: this system cannot fork")
def test_a_killed_process_loses_nothing_it_acknowledged() -> None:
    """Ten kills lose nothing; where changes are acknowledged too early, the loss is seen.

    In a process of its own, since one with threads may not fork.
    """
    command = [sys.executable, "-m", "tests.faults", "--only", "kill", "--scale", "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 of" in done.stdout


def test_a_power_cut_loses_nothing_acknowledged(power: ModuleType, tmp_path: Path) -> None:
    """With the settings as shipped nothing is lost or damaged, wherever the power is cut."""
    found = power.cuts(tmp_path, 6)
    assert found.problems == []
    assert found.acknowledged > 0
    assert found.dropped > 0


def test_a_power_cut_without_syncs_is_seen(power: ModuleType, tmp_path: Path) -> None:
    """With ``synchronous = NORMAL`` acknowledged changes are lost, and the check says so."""
    assert lost(power.cuts(tmp_path, 6, ["PRAGMA synchronous = NORMAL"]).problems)
