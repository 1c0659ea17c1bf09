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
from typing import Any, NoReturn

from .configuration import is_dsn
from .errors import InvalidValue, PortalError
from .operate import add_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for a failure, 2 for wrong usage."""
    _accept_any_terminal()
    options = _options(arguments)
    status = 0
    try:
        status = int(options.run(options))
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("Ended.", file=sys.stderr)
        return 130
    except (PortalError, OSError) as error:
        print(f"basis-portal: {error}", file=sys.stderr)
        return 2 if isinstance(error, InvalidValue) else 1
    return status


def _demo(_: argparse.Namespace) -> int:
    from .demo.tour import tour
    from .storage.sqlite import SQLiteStorage

    with tempfile.TemporaryDirectory(prefix="basis-portal-") as folder:
        storage = SQLiteStorage(Path(folder, "portal.db"))
        with contextlib.closing(storage):
            for line in tour(storage):
                print(line)
    print("\nEnded. Temporary data removed. The code behind this: examples/quickstart.py")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:  # a value may be a key or a DSN, so only the names are repeated
        names = [word.partition("=")[0] for word in unknown if word.startswith("--")]
        parser.error(f"unrecognized arguments: {' '.join(names) or len(unknown)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="basis-portal",
        allow_abbrev=False,
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
    add_commands(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """Repeats no DSN that stands where none belongs."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with status 2."""
        super().error("a DSN is never an argument; see --help" if is_dsn(message) else message)


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
