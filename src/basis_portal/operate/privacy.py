"""What the portal holds: `basis-portal privacy`, of one customer, and `basis-portal prune`.

A customer's is exported, erased and moved; of all customers what is old is forgotten.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
from collections.abc import Iterator
from typing import Any, TextIO

import attrs

from ..configuration import ConfigurationError
from .portal import (
    add_by,
    add_group,
    add_portal_command,
    add_yes,
    check_known,
    confirm,
    one_line,
    tell,
    the_portal,
)
from .storages import days, file_name

_PRIVACY = """\
What the portal holds about a customer: its tokens, messages, notes, e-mails and audit trail. The
host's own records are no part of it.
"""
_EXPORT = """\
Writes all of it as JSON, to the standard output or to a new FILE that only its owner may read.
Audited. It holds no link.
"""
_ERASE = """\
Forgets the customer for good: its link ends, and a random pseudonym stands for it in the trail.
Remove or block the customer in the host first. At a terminal it asks first; programs say --yes.
"""
_MOVE = """\
Gives all of it to the id NEW, for a customer that the host merged or renumbered; the old link ends.
Repeating it changes nothing.
"""
_PRUNED = {
    "audit": "audit entries",
    "token": "ended tokens",
    "mail": "settled e-mails",
    "message": "messages and internal notes",
}
_PRUNE = """\
Removes audit entries, ended tokens, settled e-mails, and messages with internal notes that are
older than so many days, and audits that. A customer's latest token stays, however old; so does what
is still to be sent, and what a customer wrote and nobody has read.
"""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def add_privacy(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    verbs = add_group(commands, "privacy", "export, erase, move a customer's data", _PRIVACY)
    export = add_portal_command(verbs, "export", _export, "write all that is held", _EXPORT)
    export.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    export.add_argument("--output", metavar="FILE", type=file_name, help="a new file")
    erase = add_portal_command(verbs, "erase", _erase, "forget a customer for good", _ERASE)
    erase.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    add_yes(erase)
    move = add_portal_command(verbs, "move", _move, "to another customer id", _MOVE)
    move.add_argument("customer", metavar="OLD", help="the id that is no more")
    move.add_argument("new", metavar="NEW", help="the id that goes on")
    for parser in (export, erase, move):
        add_by(parser)


def add_prune(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    parser = add_portal_command(commands, "prune", _prune, "forget what is old", _PRUNE)
    for name, what in _PRUNED.items():
        parser.add_argument(
            f"--{name}-days",
            metavar="N",
            type=days,
            help=f"remove {what} older than N days, 1 or more",
        )
    add_by(parser)


def _export(options: argparse.Namespace) -> int:
    indent = None if options.json else 2
    with the_portal(options) as portal:
        check_known(portal, options.customer)
        if options.output is None:
            print(json.dumps(portal.privacy.export(options.customer, by=options.by), indent=indent))
            return 0
        with _new_file(options.output) as file:  # first: what cannot be written is not exported
            found = portal.privacy.export(options.customer, by=options.by)
            file.write(f"{json.dumps(found, indent=indent)}\n")
    return tell(options, {"file": options.output}, f"Written to {options.output!r}.")


@contextlib.contextmanager
def _new_file(path: str) -> Iterator[TextIO]:
    """A file that only its owner may read, and that is gone where what fills it fails."""
    if os.path.lexists(path):
        raise FileExistsError(f"{path!r} is there already; name a new file")
    descriptor = os.open(path, _NEW, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            yield file
    except BaseException:  # what was not written yet may fail as it is closed
        os.unlink(path)
        raise


def _erase(options: argparse.Namespace) -> int:
    with the_portal(options, changes=True) as portal:
        check_known(portal, options.customer)
        customer = one_line(options.customer)
        confirm(options, f"All that is held about {customer} is forgotten for good.", customer)
        pseudonym = portal.privacy.erase(options.customer, by=options.by)
    words = f"Erased. In the audit trail {customer} is {pseudonym} from now on."
    return tell(options, {"pseudonym": pseudonym}, words)


def _move(options: argparse.Namespace) -> int:
    with the_portal(options, changes=True) as portal:
        moved = portal.privacy.move(options.customer, options.new, by=options.by)
    words = (
        f"Moved {moved.tokens} tokens, {moved.messages} messages and notes, {moved.mails} e-mails "
        f"and {moved.audit_entries} audit entries."
    )
    if not any(attrs.astuple(moved)):
        words = f"Nothing is held about {one_line(options.customer)}, so nothing was moved."
    return tell(options, moved, words)


def _prune(options: argparse.Namespace) -> int:
    days = {
        "audit_before": options.audit_days,
        "tokens_before": options.token_days,
        "mails_before": options.mail_days,
        "messages_before": options.message_days,
    }
    if not any(days.values()):
        named = ", ".join(f"--{name}-days" for name in _PRUNED)
        raise ConfigurationError(f"nothing to remove: say one or several of {named}")
    with the_portal(options, changes=True) as portal:
        now = portal.now()
        before = {name: now - dt.timedelta(days=n) for name, n in days.items() if n is not None}
        pruned = portal.privacy.prune(**before, by=options.by)
    words = (
        f"Removed {pruned.audit_entries} audit entries, {pruned.tokens} ended tokens, "
        f"{pruned.mails} settled e-mails and {pruned.messages} messages and notes."
    )
    return tell(options, pruned, words)
