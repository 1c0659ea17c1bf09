"""The operators' commands on a configured storage: make the tables, back up, copy.

Applications of the library, as `cli` is. What is heavy is imported where it is used.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..configuration import HELP, Configuration, ConfigurationError, configuration, is_dsn
from ..errors import StorageError

if TYPE_CHECKING:
    from ..repositories import FullStorage
    from ..storage._place import Place

Command = Callable[[argparse.Namespace], int]

_STORAGES = ("sqlite", "postgres")
_MOST_DAYS = 36500

_MIGRATE = """\
Makes the tables of the configured storage, or makes them the newest, and prints from which step
to which. Several may run at once, and one that is killed has done each step wholly or not at all.
"""
_BACKUP = """\
Writes a consistent copy of the configured storage to an SQLite file while the portal goes on.
FILE must be new; only its owner may read it, and it has its name only once it is whole. It
holds no secret key: keep those apart from it. A copy of PostgreSQL is restored by "copy".
"""
_COPY = """\
Copies the configured SQLite file to the configured PostgreSQL database, in one transaction:
all or nothing. Stop the application first. Every link goes on working under the same keys. The
tables are made where there are none; what they hold of these tenants must be nothing.
"""


def add_commands(commands: Any) -> None:
    """Add the commands to the parsers of the command line."""
    migrate = add_command(commands, "migrate", _migrate, "make the tables, or the newest", _MIGRATE)
    shown = migrate.add_mutually_exclusive_group()
    shown.add_argument(
        "--sql", action="store_true", help="print the statements that are needed; change nothing"
    )
    _add_json(shown)
    backup = add_command(commands, "backup", _backup, "write a consistent copy", _BACKUP)
    backup.add_argument("file", metavar="FILE", type=file_name, help="the new file")
    _add_json(backup)
    copy = add_command(
        commands, "copy", _copy, "copy from SQLite to PostgreSQL", _COPY, choice=False
    )
    copy.add_argument(
        "--from",
        metavar="FILE",
        type=file_name,
        dest="source",
        help="another file, such as a backup",
    )
    copy.add_argument("--tenant", metavar="NAME", help="copy that one alone; all without it")
    _add_json(copy)


def add_command(
    commands: Any,
    name: str,
    run: Command,
    help: str,
    description: str,
    *,
    choice: bool = True,
    epilog: str = HELP,
) -> argparse.ArgumentParser:
    """Add a command over what is configured; without ``choice`` it needs both storages."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", type=file_name, help="the configuration, TOML")
    if choice:
        parser.add_argument(
            "--storage", choices=_STORAGES, help="which one, where both are configured"
        )
    parser.set_defaults(run=run)
    return parser


def _add_json(parser: Any) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def file_name(text: str) -> str:
    """An argument that names a file; a DSN, which may hold a password, is refused."""
    if not text or is_dsn(text):
        raise argparse.ArgumentTypeError("must name a file, not a DSN")
    return text


def days(text: str) -> int:
    """An argument that is a number of days."""
    return whole_number("days", text, most=_MOST_DAYS)


def whole_number(of: str, text: str, *, most: int) -> int:
    """An argument that is a whole number from 1 to ``most``, with no more digits than that has."""
    short = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not (short and 1 <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"must be a whole number of {of} from 1 to {most}")
    return int(text)


# --- the commands -------------------------------------------------------------------------


def _migrate(options: argparse.Namespace) -> int:
    with _configured(options) as place:
        if options.sql:
            print(place.ddl(place.version()), end="")
            return 0
        taken = place.migrate()
        after = place.version()
    before = after - taken
    steps = place.steps[before:after]
    if options.json:
        _print_json({"storage": place.name, "from": before, "to": after, "steps": steps})
    elif steps:
        print(f"{place.name}: from step {before} to step {after}")
        for number, name in enumerate(steps, before + 1):
            print(f"  {number}: {name}")
    else:
        print(f"{place.name}: at step {after}, the newest; nothing to do")
    return 0


def _backup(options: argparse.Namespace) -> int:
    from ..storage._backup import back_up

    with _configured(options) as place:
        back_up(place, options.file)
    size = os.path.getsize(options.file)
    if options.json:
        _print_json({"storage": place.name, "file": options.file, "bytes": size})
    else:
        print(f"{place.name}: copied to {options.file!r}, {size} bytes")
        print("The secret keys are no part of it; back them up apart from it.")
    return 0


def _copy(options: argparse.Namespace) -> int:
    from ..storage._transfer import transfer

    config = read_configuration(options)
    file = options.source or config.need("sqlite")
    with (
        contextlib.closing(_sqlite(file)) as source,
        contextlib.closing(_postgres(config)) as target,
    ):
        counts = transfer(source, target, options.tenant)
    if options.json:
        _print_json({"source": source.name, "target": target.name, "rows": counts})
    else:
        print(f"Copied from {source.name} to {target.name}, all counted again:")
        for table, count in counts.items():
            print(f"  {table:12} {count:>12,}")
        print(_NEXT.format(schema=config.schema))
    return 0


_NEXT = """
What is next:
  1. Stop what still uses the file: what it changes from now on is not copied.
  2. Point the application at PostgreSQL: PostgresStorage(dsn, schema={schema!r}), with the same
     secret keys and tenants. Every link goes on working.
  3. Keep the file as a backup, where nothing opens it by mistake."""


# --- what is configured -------------------------------------------------------------------


def read_configuration(options: argparse.Namespace) -> Configuration:
    """What the file and the environment say. Raises `ConfigurationError`."""
    return configuration(
        options.config,
        os.environ,
        lambda text: print(f"basis-portal: warning: {text}", file=sys.stderr),
    )


def _kind(options: argparse.Namespace, config: Configuration) -> str:
    """Which of the storages is meant. Raises `ConfigurationError`."""
    kinds = [kind for kind in _STORAGES if getattr(config, kind)]
    if options.storage or len(kinds) == 1:
        return str(options.storage or kinds[0])
    if kinds:
        raise ConfigurationError(
            "an SQLite file and a PostgreSQL database are configured; say which one: "
            "--storage sqlite or --storage postgres"
        )
    raise ConfigurationError(
        "no storage is configured; set [sqlite] path or [postgres] dsn in a file given as "
        "--config, or set BASIS_PORTAL_SQLITE or BASIS_PORTAL_POSTGRES"
    )


def _configured(options: argparse.Namespace) -> contextlib.closing[Place]:
    return contextlib.closing(the_place(options, read_configuration(options)))


def is_configured(config: Configuration) -> bool:
    """Whether there is a storage, of whichever kind."""
    return any(getattr(config, kind) for kind in _STORAGES)


def the_place(options: argparse.Namespace, config: Configuration) -> Place:
    """The database of the storage that is meant. Raises `ConfigurationError`."""
    if _kind(options, config) == "sqlite":
        return _sqlite(config.need("sqlite"))
    return _postgres(config)


def _sqlite(path: str) -> Place:
    from ..storage._place_sqlite import SQLitePlace

    return SQLitePlace(path)


def _postgres(config: Configuration) -> Place:
    dsn = config.need("postgres")
    _check_driver()
    from ..storage._place_postgres import PostgresPlace

    return PostgresPlace(dsn, config.schema)


def configured_storage(options: argparse.Namespace, config: Configuration) -> FullStorage:
    """The storage that is meant, with its tables as they are."""
    if _kind(options, config) == "sqlite":
        from ..storage.sqlite import SQLiteStorage

        return SQLiteStorage(config.need("sqlite"), tenant=config.tenant, migrate=False)
    dsn = config.need("postgres")
    _check_driver()
    from ..storage.postgres import PostgresStorage

    return PostgresStorage(dsn, tenant=config.tenant, schema=config.schema, migrate=False)


def _check_driver() -> None:
    try:
        from ..storage import postgres  # noqa: F401
    except ImportError as error:
        raise StorageError(str(error)) from error


def _print_json(facts: dict[str, Any]) -> None:
    print(json.dumps(facts))
