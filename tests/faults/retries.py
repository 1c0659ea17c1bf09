"""PostgreSQL: transactions that fail for no fault of their own are run again, and only they.

Errors are made by the server: in the place of a statement it is told to raise one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Barrier, Thread, get_ident
from typing import Any
from unittest.mock import patch

import attrs
import psycopg
from psycopg.conninfo import make_conninfo

from basis_portal import Portal, StorageError

from .figures import Figure, some
from .storages import a_schema, contents, made_for, open_storage, plain

CODES = {"40001": "serialization failure", "40P01": "deadlock", "23505": "taken id"}
ATTEMPTS = 5
DEADLOCKS = 100
KILLS = 50
_ONE, _OTHER = "C-1", "C-2"

Meddle = Callable[[psycopg.Cursor[Any], Callable[[], Any]], Any]
"""What happens in the place of a statement; it is given what would have happened."""


@attrs.define
class Findings:
    """What came of one kind of fault.

    Attributes:
        count: how often it was made.
        again: how often a transaction was run again.
        problems: what should not be.
    """

    count: int = 0
    again: int = 0
    problems: list[str] = attrs.field(factory=list)

    def figure(self, fault: str, promised: str) -> Figure:
        """The line of the table."""
        found = f"{promised}, {self.again} run again, {len(self.problems)} otherwise"
        found += some(self.problems)
        holds = self.count > 0 and not self.problems
        return Figure(f"PostgreSQL: {fault}", self.count, found, holds)


# --- standing in the way ------------------------------------------------------------------


class Meddler:
    """Stands in the way of one statement of each transaction of this thread, so many times.

    Attributes:
        begun: how many transactions began.
        statements: of the latest one, without its beginning; the last of them is the commit.
    """

    def __init__(self, at: int = -1, meddle: Meddle | None = None, times: int = 0) -> None:
        self.begun = 0
        self.statements: list[str] = []
        self._at, self._meddle, self._left = at, meddle, times
        self._is_within = False
        self._thread = get_ident()

    @contextmanager
    def standing(self) -> Iterator[Meddler]:
        """Stand in the way meanwhile."""
        with (
            patch.object(psycopg.Cursor, "execute", self._around(psycopg.Cursor.execute)),
            patch.object(psycopg.Cursor, "executemany", self._around(psycopg.Cursor.executemany)),
        ):
            yield self

    def _around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def execute(cursor: Any, query: Any, *values: Any, **how: Any) -> Any:
            def go() -> Any:
                return original(cursor, query, *values, **how)

            if get_ident() != self._thread or not self._is_met(str(query)):
                return go()
            self._left -= 1
            assert self._meddle
            return self._meddle(cursor, go)

        return execute

    def _is_met(self, query: str) -> bool:
        if query.startswith("BEGIN"):
            self.begun, self.statements, self._is_within = self.begun + 1, [], True
        elif query.startswith("ROLLBACK") or not self._is_within:
            return False
        else:
            self.statements.append(query)
        self._is_within = query != "COMMIT"
        return len(self.statements) == self._at and self._left > 0


def raising(code: str) -> Meddle:
    """The server raises this error."""
    raised = f"DO $$ BEGIN RAISE EXCEPTION 'made on purpose' USING ERRCODE = '{code}'; END $$"

    def meddle(cursor: psycopg.Cursor[Any], go: Callable[[], Any]) -> None:
        with psycopg.Cursor(cursor.connection) as other:
            other.execute(raised, prepare=False)

    return meddle


def killing(admin: Any, *, after: bool = False) -> Meddle:
    """The session is ended before the statement, or after it and before it is answered."""

    def meddle(cursor: psycopg.Cursor[Any], go: Callable[[], Any]) -> Any:
        if after:
            go()
        end_session(admin, cursor.connection.info.backend_pid)
        if after:
            cursor.connection.close()
            raise psycopg.OperationalError("the connection is lost")
        return go()

    return meddle


def end_session(admin: Any, pid: int) -> None:
    """End a session, and wait until it is gone."""
    assert admin.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,)).fetchone() == (True,)


# --- errors of each kind in each place ---------------------------------------------------


def regenerate(portal: Portal) -> None:
    """Replace a token."""
    portal.tokens.regenerate(_ONE, by="ana")


def revoke(portal: Portal) -> None:
    """End a token; there is one, since each change that is tried is undone or followed by one."""
    assert portal.tokens.revoke(_ONE, by="ana")


def reply(portal: Portal) -> None:
    """Write a message."""
    portal.messages.reply(_ONE, "Thanks.", by="ana")


ADDED = {
    regenerate: {"tokens": 1, "audit": 2},
    revoke: {"tokens": 0, "audit": 1},
    reply: {"messages": 1, "audit": 1},
}
"""How many rows each change adds."""


@attrs.define
class Trial:
    """A change, tried with something in its way."""

    spec: str
    portal: Portal
    findings: Findings = attrs.field(factory=Findings)

    def statements(self, act: Callable[[Portal], None]) -> list[str]:
        """The statements of the transaction of a change, the commit included."""
        self._prepare()
        with Meddler().standing() as free:
            act(self.portal)
        assert free.begun == 1
        return free.statements

    def succeeds(self, act: Callable[[Portal], None], meddler: Meddler, begun: int) -> None:
        """The change is made once, in the attempt of this number."""
        before, error = self._try(act, meddler, begun)
        if error is not None:
            self._problem(act, f"it raised {error}")
        elif self._added(before) != {k: v for k, v in ADDED[act].items() if v}:
            self._problem(act, f"it added {self._added(before)}")

    def fails(
        self, act: Callable[[Portal], None], meddler: Meddler, begun: int, *, made: bool = False
    ) -> BaseException | None:
        """The change raises `StorageError`, and nothing is half done: it is made or it is not."""
        before, error = self._try(act, meddler, begun)
        wanted = {k: v for k, v in ADDED[act].items() if v} if made else {}
        if not isinstance(error, StorageError) or not isinstance(error.__cause__, psycopg.Error):
            self._problem(act, f"it raised {error!r} from {error and error.__cause__!r}")
        if self._added(before) != wanted or (not made and contents(self.spec) != before):
            self._problem(act, f"it added {self._added(before)}")
        return error.__cause__ if error else None

    def _try(
        self, act: Callable[[Portal], None], meddler: Meddler, begun: int
    ) -> tuple[dict[str, list[Any]], Exception | None]:
        self._prepare()
        before, error = contents(self.spec), None
        with meddler.standing():
            try:
                act(self.portal)
            except Exception as raised:
                error = raised
        self.findings.count += 1
        self.findings.again += meddler.begun - 1
        if meddler.begun != begun:
            self._problem(act, f"{meddler.begun} attempts and not {begun}")
        return before, error

    def _prepare(self) -> None:
        self.portal.tokens.regenerate(_ONE, by="before")

    def _added(self, before: dict[str, list[Any]]) -> dict[str, int]:
        after = contents(self.spec)
        added = {table: len(after[table]) - len(before[table]) for table in before}
        return {table: number for table, number in added.items() if number}

    def _problem(self, act: Callable[[Portal], None], what: str) -> None:
        self.findings.problems.append(f"{act.__name__}: {what}"[:200])


def errors(spec: str, code: str, scale: int = 1) -> Findings:
    """In each place of each change, once, twice, ... and for ever."""
    with closing(open_storage(spec)) as storage:
        trial = Trial(spec, made_for(storage, _ONE, _OTHER))
        for act in ADDED:
            for at in _places(trial.statements(act), code)[::scale]:
                for times in range(1, ATTEMPTS):
                    trial.succeeds(act, Meddler(at, raising(code), times), times + 1)
                cause = trial.fails(act, Meddler(at, raising(code), 1000), ATTEMPTS)
                if getattr(cause, "sqlstate", None) != code:
                    trial.findings.problems.append(f"the cause is {cause!r}")
    return trial.findings


def _places(statements: Sequence[str], code: str) -> list[int]:
    """Which statements may raise such an error: an id is taken only where one is written."""
    writes = ("INSERT", "UPDATE")
    return [
        at
        for at, statement in enumerate(statements, 1)
        if code != "23505" or statement.strip().startswith(writes)
    ]


def kills(spec: str, rounds: int) -> Findings:
    """The session is ended before each statement but the commit, so often altogether."""
    with closing(open_storage(spec)) as storage, closing(plain(spec)) as admin:
        trial = Trial(spec, made_for(storage, _ONE, _OTHER))
        lengths = {act: len(trial.statements(act)) for act in ADDED}
        for number in range(rounds):
            act = list(ADDED)[number % len(ADDED)]
            at = number // len(ADDED) % lengths[act]
            trial.succeeds(act, Meddler(at, killing(admin), 1), 2)
    return trial.findings


def kills_at_commit(spec: str, rounds: int) -> Findings:
    """The session is ended before the commit, or after it and before the answer."""
    with closing(open_storage(spec)) as storage, closing(plain(spec)) as admin:
        trial = Trial(spec, made_for(storage, _ONE, _OTHER))
        lengths = {act: len(trial.statements(act)) for act in ADDED}
        for number in range(rounds):
            act, after = list(ADDED)[number % len(ADDED)], number // len(ADDED) % 2 == 1
            trial.fails(act, Meddler(lengths[act], killing(admin, after=after), 1), 1, made=after)
    return trial.findings


# --- real deadlocks -----------------------------------------------------------------------


def deadlocks(spec: str, rounds: int) -> Findings:
    """Two transactions lock two customers in opposite order, so often."""
    kind, _, dsn = spec.partition("|")
    quick = f"{kind}|{make_conninfo(dsn, options='-c deadlock_timeout=50ms')}"
    found = Findings()
    with closing(open_storage(quick)) as storage:
        portal = made_for(storage, _ONE, _OTHER)
        for _ in range(rounds):
            before = contents(spec)
            again, problems = _embrace(storage, portal)
            added = len(contents(spec)["messages"]) - len(before["messages"])
            found.count += 1
            found.again += again
            found.problems += problems
            if not again:
                found.problems.append("there was no deadlock")
            if added != 4:
                found.problems.append(f"{added} messages and not 4")
    return found


def _embrace(storage: Any, portal: Portal) -> tuple[int, list[str]]:
    """How often one of both was run again, and what they raised."""
    begun, raised, both = list[str](), list[str](), Barrier(2)

    def go(first: str, second: str) -> None:
        def work(_: Any) -> None:
            begun.append(first)
            portal.messages.reply(first, "Thanks.")
            if begun.count(first) == 1:
                both.wait(10)
            storage.transact(lambda _: portal.messages.reply(second, "Thanks."), lock=[second])

        try:
            storage.transact(work, lock=[first])
        except Exception as error:
            raised.append(f"{type(error).__name__}: {error}")

    threads = [Thread(target=go, args=pair) for pair in ((_ONE, _OTHER), (_OTHER, _ONE))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(begun) - 2, raised


def run(scale: int) -> list[Figure]:
    """All of it, in a schema each."""
    found: Sequence[tuple[str, str, Callable[[str], Findings]]] = (
        *(
            (
                f"{what} ({code}) in each place, 1 to 4 times and for ever",
                "made once or StorageError after 5 attempts",
                lambda spec, code=code: errors(spec, code, min(scale, 2)),
            )
            for code, what in CODES.items()
        ),
        (
            "real deadlock of two nested transactions",
            "both made once",
            lambda spec: deadlocks(spec, max(1, DEADLOCKS // scale)),
        ),
        (
            "session ended before any statement",
            "made once",
            lambda spec: kills(spec, max(3, KILLS // scale)),
        ),
        (
            "session ended at the commit",
            "StorageError and made or not, as it was",
            lambda spec: kills_at_commit(spec, max(6, KILLS // scale)),
        ),
    )
    figures = []
    for fault, promised, make in found:
        with a_schema() as spec:
            figures.append(make(spec).figure(fault, promised))
    return figures
