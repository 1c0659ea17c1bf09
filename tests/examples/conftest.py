"""The examples, loaded as modules and run as programs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _load(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the examples."""
    return EXAMPLES


@pytest.fixture(scope="session")
def receivables() -> ModuleType:
    """``examples/receivables.py``."""
    return _load("receivables")


@pytest.fixture(scope="session")
def quickstart() -> ModuleType:
    """``examples/quickstart.py``."""
    return _load("quickstart")


@pytest.fixture
def run_example(tmp_path: Path) -> Run:
    """Runs an example as a program, in the test's own folder."""

    def run(name: str, *arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, arguments)]
        given = {"cwd": tmp_path, "capture_output": True, "encoding": "utf-8", "timeout": 100}
        return subprocess.run(command, check=False, **{**given, **more})

    return run
