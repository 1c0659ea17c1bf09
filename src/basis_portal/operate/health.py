"""The command `basis-portal health`: for a host's monitoring, without customers and tokens."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import StorageError
from .portal import add_portal_command, print_json, print_table, shown, the_portal
from .storages import whole_number

if TYPE_CHECKING:
    from ..monitoring import Counters

_HEALTH = """\
Says whether the storage can be read and what the settings say, and counts what happened in the
last hours: links opened and refused, messages, e-mails. No customer and no token is named. The
status is 1 where the storage cannot be read.
"""


def add_health(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    parser = add_portal_command(commands, "health", _health, "is all well, in numbers", _HEALTH)
    parser.add_argument(
        "--hours", metavar="N", type=_hours, default=1, help="count so many, 1 to 24; 1 without it"
    )


def _hours(text: str) -> int:
    return whole_number("hours", text, most=24)


def _health(options: argparse.Namespace) -> int:
    # What the library logs of a storage that cannot be read is for the application's log.
    logging.getLogger("basis_portal").addHandler(logging.NullHandler())
    health, counters = {"ok": False, "available": None, "enabled": None}, None
    try:
        with the_portal(options) as portal:
            health = attrs.asdict(portal.monitoring.health())
            since = portal.now() - dt.timedelta(hours=options.hours)
            counters = portal.monitoring.counters(since) if health["ok"] else None
    except StorageError as error:
        health["ok"] = False
        print(f"basis-portal: {error}", file=sys.stderr)
    if options.json:
        print_json({"health": health, "counters": counters})
    else:
        print_table(("WHAT", "HOW MUCH"), [*_stands(health), *(_counted(counters))])
    return int(not health["ok"])


def _stands(health: Mapping[str, bool | None]) -> Iterator[tuple[str, str]]:
    words = {True: "yes", False: "no", None: "unknown"}
    yield "storage can be read", words[health["ok"]]
    yield "edition and feature give the portal", words[health["available"]]
    yield "switched on", words[health["enabled"]]


def _counted(counters: Counters | None) -> Iterator[tuple[str, str]]:
    if counters is None:
        return
    yield f"since {shown(counters.since)}:", ""
    yield "links opened", f"{counters.opened:,}"
    for cause, count in counters.refused.items():
        yield f"links refused: {cause.value}", f"{count:,}"
    yield "messages of customers", f"{counters.messages:,}"
    yield "e-mails with a link", f"{counters.mailed:,}"
    yield "e-mails that failed", f"{counters.not_mailed:,}"
    yield "now:", ""
    first = f", first due {shown(counters.mails_due_since)}" if counters.mails_due_since else ""
    yield "e-mails waiting", f"{counters.mails_waiting:,}{first}"
    for status, count in counters.tokens.items():
        yield f"customers whose token is {status.value}", f"{count:,}"
    yield "messages unread", f"{counters.unread:,}"
