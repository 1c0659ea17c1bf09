"""What the commands on one portal share: which portal it is, and how they print.

It is the application's own, which knows its customers; or one over the configured storage.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import importlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..configuration import HELP, Configuration, ConfigurationError, is_dsn
from ..errors import CustomerNotFound, StorageError
from .storages import Command, add_command, configured_storage, read_configuration, the_place

if TYPE_CHECKING:
    from ..portal import Portal

T = TypeVar("T")

VARIABLE = "BASIS_PORTAL_PORTAL"

_EPILOG = f"""\
portal:
  --portal MODULE:NAME, or {VARIABLE}: the application's own basis_portal.Portal,
  or a callable that makes one, such as shop.portal:portal. It is looked for in the
  working folder first. Without it the portal is one over the configured storage,
  which must keep the customers then.

{HELP}"""


def add_group(commands: Any, name: str, help: str, description: str) -> Any:
    """Add a command that has commands of its own, and return what takes them."""
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_portal_command(
    commands: Any, name: str, run: Command, help: str, description: str
) -> argparse.ArgumentParser:
    """Add a command on one portal."""
    parser = add_command(commands, name, run, help, description, epilog=_EPILOG)
    parser.add_argument(
        "--portal", metavar="MODULE:NAME", help=f"the application's portal, or {VARIABLE}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def check_known(portal: Portal, customer_id: str) -> None:
    """Refuse, with `CustomerNotFound`, an id that neither host nor portal knows: a mistyped one."""
    if portal.customers.get(customer_id) is None and not portal.privacy.holds(customer_id):
        raise CustomerNotFound(
            f"there is no customer {customer_id!r}, and nothing is held about it. Nothing was "
            "done; one that was moved has another id"
        )


def add_by(parser: argparse.ArgumentParser) -> None:
    """Who asks, for the audit trail."""
    parser.add_argument("--by", metavar="NAME", help="who asks for it; 'system' without it")


@contextlib.contextmanager
def the_portal(options: argparse.Namespace, *, changes: bool = False) -> Iterator[Portal]:
    """The portal that is meant; of a tenant that is not there nothing can be changed.

    Raises `ConfigurationError` where none is meant, `StorageError` where it is not there.
    """
    if (portal := the_applications(options)) is not None:
        yield portal
        return
    config = read_configuration(options)
    with configured_portal(options, config) as portal:
        _look_for_tenant(options, config, changes)
        yield portal


def the_applications(options: argparse.Namespace) -> Portal | None:
    """The application's own portal, where one is named. Raises `ConfigurationError`."""
    from ..portal import Portal

    name = named_portal(options)
    if not name:
        return None
    return application_object(name, Portal, "basis_portal.Portal", "--portal", VARIABLE)


def named_portal(options: argparse.Namespace, *, beside: bool = False) -> str | None:
    """The name of the application's own portal, which is not made yet; or None.

    What is said in the command, be it a portal or a storage, counts more than the variable.
    ``beside``: a storage may be said as well. Raises `ConfigurationError`.
    """
    says_storage = options.config is not None or options.storage is not None
    if options.portal and says_storage and not beside:
        raise ConfigurationError(
            "--portal has a storage of its own: leave out --config and --storage, or --portal"
        )
    return options.portal or (None if says_storage else os.environ.get(VARIABLE))


@contextlib.contextmanager
def configured_portal(options: argparse.Namespace, config: Configuration) -> Iterator[Portal]:
    """The portal over the configured storage. Raises `ConfigurationError`."""
    from ..portal import Portal

    keys, base_url = config.need("secret_keys"), config.need("base_url")
    with contextlib.closing(configured_storage(options, config)) as storage:
        yield Portal(storage, secret_keys=keys, base_url=base_url)


def _look_for_tenant(options: argparse.Namespace, config: Configuration, changes: bool) -> None:
    """A misspelt tenant has no token to revoke, and its links would seem to be ended."""
    from ..storage._transfer import is_unknown

    with contextlib.closing(the_place(options, config)) as place:
        try:
            if not is_unknown(place, config.tenant):
                return
        except StorageError:  # whoever reads next will say so
            return
        text = (
            f"{place.name} has links or customers of other tenants, and none of {config.tenant!r}"
        )
    if changes:
        raise StorageError(
            f"{text}, so nothing was done; see how the application spells it, and set "
            "BASIS_PORTAL_TENANT"
        )
    print(f"basis-portal: warning: {text}; is it spelt like this?", file=sys.stderr)


def application_object(name: str, kind: type[T], called: str, option: str, variable: str) -> T:
    """What the application calls MODULE:NAME, or what it makes; ``called`` is its kind in public.

    Raises `ConfigurationError` where it cannot be had or is of another kind, `StorageError` where
    its storage cannot be opened.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path) or is_dsn(name):
        raise ConfigurationError(
            f"say which {kind.__name__}: {option} MODULE:NAME, such as shop.portal:"
            f"{kind.__name__.lower()}, or set {variable}"
        )
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a command prints is for programs
            found = _named(module, path)
            if not isinstance(found, kind) and callable(found):
                found = found()
    except (Exception, SystemExit) as error:  # whatever goes wrong in the application's own code
        why = "its text, which may hold a password, is not shown" if is_dsn(str(error)) else error
        text = f"{name!r} cannot be used: {type(error).__name__}: {why}"
        if isinstance(error, StorageError):
            raise StorageError(text) from None
        raise ConfigurationError(text) from None
    if not isinstance(found, kind):
        raise ConfigurationError(f"{name!r} is no {called}, and makes none")
    return found


def _named(module: str, path: str) -> Any:
    """What it is called; the working folder stays where modules are looked for, for later ones."""
    if (folder := os.getcwd()) not in sys.path:
        sys.path.insert(0, folder)
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def confirm(options: argparse.Namespace, question: str, answer: str) -> None:
    """Let a person at a terminal type what is about to be done; ``--yes`` is for programs.

    Raises `ConfigurationError` where nobody agrees.
    """
    if options.yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):
        raise ConfigurationError("nothing was done: say --yes, as nobody can be asked here")
    print(question, file=sys.stderr)
    print(f"Type {answer} to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().rstrip("\n") != answer:
        raise ConfigurationError("nothing was done")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """For programs, which cannot be asked."""
    parser.add_argument("--yes", action="store_true", help="do not ask, as programs need it")


# --- how they print -----------------------------------------------------------------------


def print_json(facts: object) -> None:
    """One line of JSON; amounts as text, instants and days in ISO 8601."""
    from ..domain.jsonable import to_jsonable

    print(json.dumps(to_jsonable(facts)))


def tell(options: argparse.Namespace, facts: object, words: str) -> int:
    """Print facts as JSON for programs, or words for people; the status of what went well."""
    if options.json:
        print_json(facts)
    else:
        print(words)
    return 0


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as they must be, below their headings."""
    from ..demo.text import table

    for line in table([headings, *rows], indent=0):
        print(line)


def one_line(text: str | None) -> str:
    """Text of others for a table: it cannot break the line, nor command the terminal."""
    return "".join(c if c.isprintable() else " " for c in text or "")


def shown(instant: dt.datetime | None) -> str:
    """An instant in UTC, to the minute; nothing for None."""
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M}Z"
