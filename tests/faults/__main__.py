"""Run all faults and print what is left after them as one table; status 1 where one fails."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys

from .figures import Figure, print_table

NAMES = (
    "kill",
    "power",
    "calls",
    "race",
    "revoked",
    "threads",
    "files",
    "server",
    "failover",
    "forks",
    "retries",
    "pages",
    "mails",
)


def main() -> int:
    """Make the faults, print what was found, and say whether all is as promised."""
    parser = argparse.ArgumentParser(prog="nox -s faults --")
    parser.add_argument("--scale", type=int, default=1, help="divide all counts by this, to try")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    arguments = parser.parse_args()
    logging.disable()  # of a server that is gone there is much to log
    figures: list[Figure] = []
    for name in arguments.only:
        module = importlib.import_module(f".{name}", __package__)
        found = module.run(arguments.scale)
        for one in found:
            print(f"{name}: {one.fault}: {one.found}", file=sys.stderr, flush=True)
        figures += found
    print_table(figures)
    return 0 if all(one.holds for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
