"""Run all benchmarks and print them as one table; status 1 where a bound does not hold."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import accounts, importing, issuing, opening
from .measure import print_table


def main() -> int:
    """Measure, print, and say whether all bounds hold."""
    parser = argparse.ArgumentParser(prog="nox -s bench --")
    parser.add_argument("--scale", type=int, default=1, help="divide all sizes by this, to try")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory(prefix="basis-portal-bench-") as name:
        folder = Path(name)
        results = [
            *importing.run(),
            *opening.run(folder, 1_000_000 // scale),
            *issuing.run(folder, 100_000 // scale),
            *accounts.documents(folder, 1_000_000 // scale, 10_000 // scale),
            *accounts.statement(folder, 100_000 // scale),
            *accounts.aging(folder, 200_000 // scale, 2_000 // scale, 1_000 // scale),
        ]
    print_table(results)
    return 0 if all(result.holds for result in results) else 1


sys.exit(main())
