"""The command `basis-portal`: an application of the library, so it may choose a storage."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import io
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from .clock import Clock, system_clock
from .configuration import is_dsn
from .errors import InvalidValue, PortalError
from .operate.doctor import add_check
from .operate.health import add_health
from .operate.mail import add_mail
from .operate.privacy import add_privacy, add_prune
from .operate.settings import add_settings
from .operate.statement import add_statement
from .operate.storages import add_commands
from .operate.tokens import add_tokens

# A demo needs years before its day, for what has happened, and days after it, for links to live.
FIRST_YEAR, LAST_YEAR = 1900, 9998

_DEMO = """\
Serves the pages on this machine alone until Ctrl+C: those of an invented
seller, or of your own receivables. Prints the link of one customer, the
address of the staff pages, and what to try. All data are in a temporary
folder, which is removed at the end. Whoever works on this machine can open the
staff pages meanwhile.
"""
_DATA = """\
FILE begins with the line

  kind,doc_id,customer,currency,date,due_date,amount,applies_to

and has one row for each invoice, payment or credit_note. applies_to is the
invoice that a payment or credit note settles, or empty. Where a cell breaks a
rule it is named, nothing is imported, and the status is 2.
"""


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


def _demo(options: argparse.Namespace) -> int:
    from .demo.receivables import read_receivables
    from .demo.tour import tour
    from .storage.sqlite import SQLiteStorage

    if options.no_serve and (options.open or options.port is not None):
        raise InvalidValue("--open and --port are for the pages, which --no-serve leaves out")
    serve = None if options.no_serve else _pages()
    file = None if options.data is None else read_receivables(Path(options.data))
    clock, today = _clock(options.as_of), options.as_of is None
    with (
        _temporary_folder() as folder,
        contextlib.closing(SQLiteStorage(folder / "portal.db")) as storage,
    ):
        if serve is None:
            for line in tour(storage, clock, file=file, today=today):
                print(line)
        else:
            port, browser = options.port, options.open
            outbox = folder / "outbox"
            serve(storage, clock, outbox, file=file, today=today, port=port, browser=browser)
    print("\nEnded. Temporary data removed.")
    return 0


def _pages() -> Callable[..., None]:
    """What serves the demo; the packages it needs are an extra."""
    try:
        from .demo.serve import serve_demo
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", __package__):
            raise
        raise PortalError(
            f"the pages need {error.name}, which is not installed. "
            'Install it: pip install "basis-portal[demo]". Or print instead: --no-serve'
        ) from None
    return serve_demo


def _clock(day: dt.date | None) -> Clock:
    """The machine's clock; or one that says it is 09:12 UTC of a day, and goes on from there."""
    if day is None:
        return system_clock
    lead = dt.datetime.combine(day, dt.time(9, 12), dt.UTC) - system_clock()
    return lambda: system_clock() + lead


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is removed at the end, also where a signal ends the command.

    A signal interrupts as Ctrl+C does; another one does not interrupt the removing.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {one: signal.getsignal(one) for one in _ending_signals()}
    try:
        for one in before:
            signal.signal(one, interrupt)
        with tempfile.TemporaryDirectory(prefix="basis-portal-") as folder:
            try:
                yield Path(folder)
            finally:
                for one in before:
                    signal.signal(one, signal.SIG_IGN)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler or signal.SIG_DFL)


def _ending_signals() -> Iterator[signal.Signals]:
    """Ctrl+C, the polite kill and a closed terminal; none where they cannot be handled."""
    if threading.current_thread() is threading.main_thread():
        yield from (signal.SIGINT, signal.SIGTERM)
        hang_up = getattr(signal, "SIGHUP", None)  # there is none on Windows
        if hang_up and signal.getsignal(hang_up) is not signal.SIG_IGN:  # as nohup does
            yield hang_up


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
    _add_demo(commands)
    add_commands(commands)
    add_check(commands)
    add_prune(commands)
    add_tokens(commands)
    add_settings(commands)
    add_statement(commands)
    add_privacy(commands)
    add_mail(commands)
    add_health(commands)
    return parser


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="try the pages, with invented data or your own",
        description=_DEMO,
        epilog=_DATA,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    demo.add_argument(
        "--data", metavar="FILE", type=_file, help="your own receivables: CSV, see below"
    )
    demo.add_argument(
        "--as-of", metavar="YYYY-MM-DD", type=_day, help="the day that counts as today"
    )
    demo.add_argument(
        "--port", metavar="N", type=_port, help="the port of the pages instead of 8641; 0 is any"
    )
    demo.add_argument("--open", action="store_true", help="open the customer's page in a browser")
    demo.add_argument(
        "--no-serve", action="store_true", help="serve nothing; print one customer's page and end"
    )
    demo.set_defaults(run=_demo)


def _file(text: str) -> str:
    if not text or is_dsn(text):
        raise argparse.ArgumentTypeError("must name a file")
    return text


def _day(text: str) -> dt.date:
    from .demo.receivables import parse_day

    try:
        day = parse_day("the day", text)
    except InvalidValue as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _port(text: str) -> int:
    found = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if found not in (0, *range(1024, 2**16)):
        raise argparse.ArgumentTypeError("must be 0 or a whole number from 1024 to 65535")
    return found


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
