"""The command `basis-portal mail`: sends what is queued, sends runs, tells how far they came.

It uses the application's own mailer, which knows its customers, its templates and its server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ..configuration import ConfigurationError
from ..errors import InvalidValue, MailError
from ..mailing import shown_problem
from .portal import application_object

if TYPE_CHECKING:
    from ..mail import Mail, Mailer, RunReport

VARIABLE = "BASIS_PORTAL_MAILER"
_SHOWN_EVERY = 500
_PAGE = 200

_MAIL = """\
Sends the portal's e-mails by the application's own mailer: a basis_portal.mail.Mailer, or a
callable that makes one, named as MODULE:NAME, such as shop.portal:mailer. It is looked for in the
working folder first.
"""
_RUN = """\
Sends what is queued and due: renewals, notices, and what is left of runs. Call it every minute,
from cron or a timer; several may run at once, and none of them sends what another has. Ctrl+C or
a signal ends it after the e-mail at hand. The status is 1 where the mail server cannot be reached:
what is left stays queued.
"""
_SEND = """\
E-mails the portal link to the customers whose ids FILE has, one on each line; - is the standard
input. Each is mailed once for each RUN, whatever is repeated: after a failure call it again. Who
has no active token gets one; who is blocked or was revoked is left out and reported.
"""
_REPORT = """\
Tells how far a run has come, and of whom the link was not sent, with the reason; or without RUN
of all e-mails that are of no run.
"""
_EXPIRING = """\
Queues a notice to staff of the links that expire soon, where there are any.
"""


def add_mail(commands: Any) -> None:
    """Add the command to the parsers of the command line."""
    mail = commands.add_parser(
        "mail",
        help="send what is queued, and runs",
        description=_MAIL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = mail.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run = _verb(verbs, "run", _run, "send what is queued", _RUN)
    run.add_argument("--run", metavar="RUN", dest="name", help="only what is of this run")
    run.add_argument("--limit", metavar="N", type=_count, help="at most so many")
    send = _verb(verbs, "send", _send, "e-mail many customers their link", _SEND)
    send.add_argument("name", metavar="RUN", help="names the run, such as 'invoices 2026-04'")
    send.add_argument("file", metavar="FILE", help="the ids of the customers; - reads them")
    send.add_argument("--by", metavar="NAME", help="who asks for it; 'system' without it")
    report = _verb(verbs, "report", _report, "how far a run has come", _REPORT)
    report.add_argument("name", metavar="RUN", nargs="?", help="the run")
    expiring = _verb(verbs, "expiring", _expiring, "tell staff what expires soon", _EXPIRING)
    expiring.add_argument(
        "--days", metavar="N", type=_count, default=7, help="within so many days, 7 without it"
    )


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], int], help: str, description: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=help,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--mailer", metavar="MODULE:NAME", help=f"the application's mailer, or {VARIABLE}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=run)
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:10]) < 10**9):
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


# --- the commands -------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    mailer = _mailer(options)
    return _tell(options, mailer, mailer.run(run=options.name, limit=options.limit))


def _send(options: argparse.Namespace) -> int:
    mailer = _mailer(options)
    ids = _ids(options.file)
    return _tell(options, mailer, mailer.send_links(ids, run=options.name, by=options.by))


def _report(options: argparse.Namespace) -> int:
    mailer = _mailer(options)
    report = mailer.report(options.name)
    facts = attrs.asdict(report)
    lost = list(_not_sent(mailer, options.name))
    if options.json:
        print(json.dumps({**facts, "customers": [_facts(one) for one in lost]}))
        return 0
    print(", ".join(f"{count:,} {name}" for name, count in facts.items() if name != "run"))
    for one in lost:
        print(_line(one))
    return 0


def _expiring(options: argparse.Namespace) -> int:
    queued = _mailer(options).notify_of_expiry(within_days=options.days)
    if options.json:
        print(json.dumps({"queued": queued}))
    else:
        print("A notice to staff is queued." if queued else "No link expires so soon.")
    return 0


def _tell(options: argparse.Namespace, mailer: Mailer, done: Iterator[Mail]) -> int:
    """Send, and tell what became of it; 1 where the server or the application fails."""
    counts: Counter[str] = Counter()
    problem = ""
    with _politely_ended() as ended:
        try:
            for mail in done:
                counts[mail.status.value] += 1
                if mail.problem is not None and not options.json:
                    print(_line(mail))
                if not counts.total() % _SHOWN_EVERY and not options.json:
                    print(f"{counts.total():,} so far", flush=True)
                if ended.is_set():
                    break
        except MailError as error:
            problem = shown_problem(error)
    is_off = not mailer.portal.settings.get().config.enabled
    if options.json:
        print(json.dumps({**counts, "problem": problem or (_OFF if is_off else None)}))
    else:
        words = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
        if words:
            print(words)
        if is_off or not words:
            print(_what_waits(mailer.report(options.name), is_off))
        if problem:
            print(f"basis-portal: {problem}; what is left stays queued", file=sys.stderr)
    return int(bool(problem))


_OFF = "the portal is off: nothing is sent until it is on"


def _what_waits(report: RunReport, is_off: bool) -> str:
    """Why nothing was sent: of the run, or of all that is of no run."""
    if is_off:
        of_what = "queued" if report.run else "queued, besides those of runs"
        return f"{report.queued:,} {of_what}; {_OFF}."
    left = {"queued": report.queued, "sending": report.sending}
    if report.run:  # of what is of no run the doubtful ones may be years old
        left["unknown"] = report.unknown
    words = ", ".join(f"{count:,} {name}" for name, count in left.items() if count)
    return f"Nothing to send now: {words}." if words else "Nothing to send."


def _not_sent(mailer: Mailer, run: str | None) -> Iterator[Mail]:
    from ..mail import MailStatus

    statuses = (MailStatus.UNKNOWN, MailStatus.SENDING, MailStatus.FAILED, MailStatus.SKIPPED)
    for status in statuses:
        after = None
        while True:
            page = mailer.portal.mailing.of_run(run, status, after=after, limit=_PAGE)
            yield from page.items
            after = page.next
            if after is None:
                break


def _line(mail: Mail) -> str:
    why = _WHY.get(mail.problem or "", mail.problem) or _MEANS.get(mail.status.value, "")
    return f"{mail.status.value:8} {mail.customer_id or '-'}: {why}"


_WHY = {
    "unknown": "no such customer",
    "blocked": "the customer is blocked",
    "no_address": "no e-mail address on file, or it is not one",
    "revoked": "staff revoked the access",
    "not_expired": "the link that was shown has not expired, or staff revoked it",
    "throttled": "5 e-mails went there in the last 30 minutes",
    "hidden": "messages are switched off for customers",
    "nothing_new": "nothing new to tell",
}
_MEANS = {
    "unknown": "may have been sent by a worker that ended; not sent again",
    "sending": "a worker has it, or had it when it ended; see again in 10 minutes",
}


def _facts(mail: Mail) -> dict[str, Any]:
    return {
        "customer_id": mail.customer_id,
        "status": mail.status.value,
        "address": mail.address,
        "problem": mail.problem,
    }


@contextlib.contextmanager
def _politely_ended() -> Iterator[threading.Event]:
    """An event that Ctrl+C or a polite kill sets, so that the e-mail at hand is finished."""
    ended = threading.Event()
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        for one in before:
            signal.signal(one, lambda *_: ended.set())
        yield ended
    finally:
        for one, handler in before.items():
            signal.signal(one, handler or signal.SIG_DFL)


# --- what is given ------------------------------------------------------------------------


def _ids(file: str) -> Iterable[str]:
    """The ids in a file, one on each line; empty lines are none."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidValue(f"{file!r} is not UTF-8; save it as such") from None
    return [line for line in text.splitlines() if line.strip()]


def _mailer(options: argparse.Namespace) -> Mailer:
    """The application's mailer. Raises `ConfigurationError` where there is none."""
    _check_packages()
    from ..mail import Mailer

    name = options.mailer or os.environ.get(VARIABLE, "")
    return application_object(name, Mailer, "basis_portal.mail.Mailer", "--mailer", VARIABLE)


def _check_packages() -> None:
    try:
        import jinja2  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigurationError(
            'e-mails need jinja2, which is not installed: pip install "basis-portal[mail]"'
        ) from None
