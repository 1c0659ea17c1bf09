"""Workers of a mail run are killed, again and again: each customer gets one e-mail, or is reported.

The mail server is a real one. Two workers share the run, and both are killed while the server
takes e-mails, so that kills fall before, into and after the handing over.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import attrs

from basis_portal import Portal, PortalConfig, system_clock
from basis_portal.domain.mail import CLAIM_HOLDS, MailStatus
from basis_portal.mail import Mailer, SMTPTransport
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import a_customer

from .figures import Figure, some

KILLS, CUSTOMERS = 100, 1000
CONTROL_KILLS = 20
RUN = "invoices 2026-04"
SENDER = "portal@seller.example"
_PATIENCE = 120.0  # seconds until a worker that does nothing is a fault of its own
_MOST = 0.01  # seconds from an e-mail's arrival to the kill


@attrs.define
class Found:
    """What is left after the kills and a last run that finishes.

    Attributes:
        kills: how many workers were killed.
        sent: how many customers are noted as mailed.
        reported: how many are noted as of unknown outcome.
        arrived: of these, how many had been mailed.
        problems: each customer who was mailed twice, or not at all without being reported.
    """

    kills: int
    sent: int
    reported: int
    arrived: int
    problems: list[str]


def run(scale: int) -> list[Figure]:
    """Kill workers of a run over each storage, and show that the check sees a second e-mail."""
    kills, customers = max(KILLS // scale, 3), max(CUSTOMERS // scale, 30)
    figures = []
    for kind in ("sqlite", "postgres"):
        with _place(kind) as place:
            found = kill(place, kills, customers)
        figures.append(
            Figure(
                f"kill -9 of a worker of a mail run, {kind}",
                found.kills,
                f"{found.sent:,} of {customers:,} customers mailed once, {found.reported} reported "
                f"({found.arrived} of them had arrived), {len(found.problems)} problems"
                f"{some(found.problems)}",
                not found.problems and found.kills == kills,
            )
        )
    with _place("sqlite") as place:
        control = kill(place, max(CONTROL_KILLS // scale, 5), customers, again=True)
    figures.append(
        Figure(
            "control: what a killed worker had is sent again",
            control.kills,
            f"{len(control.problems)} mailed twice: seen",
            bool(control.problems),
        )
    )
    return figures


def kill(place: Place, kills: int, customers: int, *, again: bool = False) -> Found:
    """Kill a worker so often, let the rest finish, and compare with what the server took.

    ``again`` is the fault that the check must see: what was being sent is queued again.
    """
    from ..mail.servers import smtp_server

    random = Random(kills)
    ids = [f"C-{number:05}" for number in range(customers)]
    with closing(place.storage()) as storage, smtp_server() as server:
        portal = portal_over(storage)
        storage.customers.save(*(a_customer(one, email=f"{one}@kopi.example") for one in ids))
        portal.settings.save(PortalConfig(enabled=True))
        for _ in portal.mailing.queue_links(ids, run=RUN):
            pass
        killed = 0
        for _ in range(kills):
            # The last ones are left to a run that ends by itself.
            if portal.mailing.report(RUN).queued < customers // 10:
                break
            killed += _one_kill(place, server, random)
            if again:
                _queue_again(storage)
        _finish(storage, server.port)
        return _compare(portal, Counter(server.recipients), ids, killed)


def _one_kill(place: Place, server: Any, random: Random) -> int:
    """Start two workers, wait until some e-mails have arrived, and kill both; 1 for the fault."""
    workers = [place.start(server.port) for _ in range(2)]
    try:
        wanted = len(server.taken) + random.randint(1, 6)
        _wait(lambda: len(server.taken) >= wanted or any(w.poll() is not None for w in workers))
        time.sleep(random.uniform(0, _MOST))  # the moment is the fault: real time must pass
    finally:
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
    return int(workers[0].returncode == -signal.SIGKILL)


def _wait(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not happened():
        assert time.monotonic() < until, "the workers send nothing"
        time.sleep(0.001)


def _queue_again(storage: Any) -> None:
    later = system_clock() + dt.timedelta(days=1)
    for lost in storage.mails.claimed_before(later):
        storage.mails.change(lost, attrs.evolve(lost, status=MailStatus.QUEUED))


def _finish(storage: Any, port: int) -> None:
    """Send the rest; later, when nobody can be at it any more, what was lost is reported."""
    for ahead in (dt.timedelta(), CLAIM_HOLDS + dt.timedelta(seconds=1)):
        for _ in mailer_of(portal_over(storage, ahead), port).run(run=RUN):
            pass


def _compare(portal: Portal, arrived: Counter[str], ids: list[str], kills: int) -> Found:
    noted: dict[str, MailStatus] = {}
    for status in MailStatus:
        after = None
        while True:
            page = portal.mailing.of_run(RUN, status, after=after, limit=200)
            noted |= {str(one.customer_id): one.status for one in page.items}
            after = page.next
            if after is None:
                break
    problems = []
    for one in ids:
        count, status = arrived[f"{one}@kopi.example"], noted.get(one)
        once = status is MailStatus.SENT and count == 1
        if not once and not (status is MailStatus.UNKNOWN and count <= 1):
            problems.append(f"{one} is {status} and got {count}")
    reported = [one for one, status in noted.items() if status is MailStatus.UNKNOWN]
    return Found(
        kills,
        sum(status is MailStatus.SENT for status in noted.values()),
        len(reported),
        sum(arrived[f"{one}@kopi.example"] for one in reported),
        problems,
    )


# --- a worker -----------------------------------------------------------------------------


def portal_over(storage: Any, ahead: dt.timedelta = dt.timedelta()) -> Portal:
    """A portal over a storage, whose clock is some time ahead."""
    return Portal(
        storage,
        secret_keys=["a secret for tests alone, at least 32 bytes"],
        base_url="https://erp.example.com/portal",
        clock=lambda: system_clock() + ahead,
    )


def mailer_of(portal: Portal, port: int) -> Mailer:
    """A mailer to the server at a port of this machine."""
    transport = SMTPTransport("127.0.0.1", port, security="none")
    return Mailer(portal, transport=transport, sender=SENDER)


@attrs.define(frozen=True)
class Place:
    """Where the run is kept: the arguments by which a worker finds it."""

    arguments: tuple[str, ...]

    def storage(self) -> Any:
        """A storage there."""
        if self.arguments[0] == "sqlite":
            return SQLiteStorage(self.arguments[1])
        from basis_portal.storage.postgres import PostgresStorage

        return PostgresStorage(self.arguments[1], schema=self.arguments[2])

    def start(self, port: int) -> subprocess.Popen[bytes]:
        """A worker of the run."""
        return subprocess.Popen([sys.executable, "-m", __name__, str(port), *self.arguments])


@contextmanager
def _place(kind: str) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="basis-portal-mails-") as folder:
        if kind == "sqlite":
            yield Place(("sqlite", str(Path(folder) / "portal.db")))
            return
        from ..postgres_server import Server, schema_name

        with Server() as server:
            yield Place(("postgres", server.dsn, schema_name()))


def work() -> None:
    """Send the run, as `basis-portal mail run` does."""
    port, *arguments = sys.argv[1:]
    with closing(Place(tuple(arguments)).storage()) as storage:
        for _ in mailer_of(portal_over(storage), int(port)).run(run=RUN):
            pass


if __name__ == "__main__":
    work()
