"""Importing the package."""

from __future__ import annotations

import statistics
import subprocess
import sys

from .measure import Result

_FLOOR = "import attrs, cattrs, itsdangerous; from dateutil.relativedelta import relativedelta"
_TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def run(rounds: int = 15) -> list[Result]:
    """New interpreters that import the package, and what it is built on, in turn."""
    _seconds("import basis_portal"), _seconds(_FLOOR)
    ratios = [_seconds("import basis_portal") / _seconds(_FLOOR) for _ in range(rounds)]
    return [
        Result(
            "import basis_portal",
            "import attrs, cattrs, itsdangerous, relativedelta",
            statistics.median(ratios),
            1.5,
        )
    ]


def _seconds(statement: str) -> float:
    command = [sys.executable, "-c", _TIMED.format(statement)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
