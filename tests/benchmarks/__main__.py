"""Run all benchmarks and print them as one table; status 1 where a bound does not hold."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from basis_portal.storage.sqlite import SQLiteStorage

from . import accounts, importing, issuing, opening, pages, postgres
from .measure import Result, print_table


def main() -> int:
    """Measure, print, and say whether all bounds hold."""
    parser = argparse.ArgumentParser(prog="nox -s bench --")
    parser.add_argument("--scale", type=int, default=1, help="divide all sizes by this, to try")
    parser.add_argument(
        "--documents", type=int, default=1_000_000, help="how many documents are many (10000000)"
    )
    options = parser.parse_args()
    scale = options.scale
    with tempfile.TemporaryDirectory(prefix="basis-portal-bench-") as name:
        folder = Path(name)
        results = [
            *importing.run(),
            *opening.run(folder, 1_000_000 // scale),
            *issuing.run(folder, 100_000 // scale),
            *_documents(folder, options.documents // scale, 10_000 // scale),
            *accounts.statement(folder, 100_000 // scale),
            *accounts.aging(folder, 200_000 // scale, 2_000 // scale, 1_000 // scale),
            *pages.run(folder, 10_000 // scale),
            *postgres.run(1_000_000 // scale, 100_000 // scale, options.documents // scale),
        ]
    print_table(results)
    return 0 if all(result.holds for result in results) else 1


def _documents(folder: Path, many: int, few: int) -> list[Result]:
    with (
        closing(SQLiteStorage(folder / "many.documents")) as first,
        closing(SQLiteStorage(folder / "few.documents")) as second,
    ):
        return accounts.documents([first, second], many, few)


sys.exit(main())
