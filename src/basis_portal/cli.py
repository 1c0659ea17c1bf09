"""The command `basis-portal`: an application of the library, so it may choose a storage."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import PortalError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a failure, 2 for wrong usage."""
    _accept_any_terminal()
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("Ended.", file=sys.stderr)
        return 130
    except (PortalError, OSError) as error:
        print(f"basis-portal: {error}", file=sys.stderr)
        return 1
    return 0


def _demo(_: argparse.Namespace) -> None:
    from .demo.tour import tour
    from .storage.sqlite import SQLiteStorage

    with tempfile.TemporaryDirectory(prefix="basis-portal-") as folder:
        storage = SQLiteStorage(Path(folder, "portal.db"))
        with contextlib.closing(storage):
            for line in tour(storage):
                print(line)
    print("\nEnded. Temporary data removed. The code behind this: examples/quickstart.py")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="basis-portal",
        description="A secure link, no login, for each customer: invoices and a true statement.",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show the version of the library and exit"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="show what a customer sees, with invented data",
        description="Makes an invented seller in a temporary folder, opens the link of one of "
        "its customers and prints what that customer sees. Removes everything at the end.",
    )
    demo.add_argument("--no-serve", action="store_true", help="print and end, as it does anyway")
    demo.set_defaults(run=_demo)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"basis-portal {version('basis-portal')}")
        parser.exit()


def _accept_any_terminal() -> None:
    """Show what the terminal's encoding lacks as a question mark instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
