"""One call of the database after the other fails, within every use case.

Whichever it is, all or nothing was done, the error is a `StorageError`, and the same use case
works when it is run again.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import attrs

from basis_portal import Customer, DocumentKind, Portal, PortalConfig, StorageError, TokenStatus
from basis_portal.links import LinkSigner
from basis_portal.testing.builders import (
    CUSTOMER_ID,
    a_customer,
    an_allocation,
    an_entry,
    an_invoice,
)

from ..postgres_server import DSN_VARIABLE, Server, Unavailable
from .acknowledged import KEY, portal_over
from .figures import Figure, some
from .subjects import (
    LATER,
    MANY,
    OTHER,
    Dump,
    Mode,
    PostgresSubject,
    SQLiteSubject,
    Subject,
    known_ids,
)

# --- the use cases ------------------------------------------------------------------------


@attrs.define(frozen=True)
class UseCase:
    """What is done.

    Attributes:
        name: what it is called.
        run: does it, with a portal and its storage.
        owed: how many calls may fail it; what comes after is not the caller's trouble.
        reads: it only reads. What fails after that, as the end of a snapshot, is nobody's trouble.
    """

    name: str
    run: Callable[[Portal, Any], object]
    owed: int = 10**6
    reads: bool = False


LINK = LinkSigner([KEY], "default").sign(f"{0:022}")
"""The link of the customer `CUSTOMER_ID`."""


def _send(portal: Portal, _: Any) -> object:
    access = portal.open(LINK, record=False)
    return access.send_message("Paid.", document_id="INV-1", idempotency_key="F-1")


def _reopened(portal: Portal, storage: Any) -> object:
    storage.close()
    return portal.tokens.regenerate(CUSTOMER_ID, by="ana")


def _visited(portal: Portal, _: Any) -> object:
    access = portal.open(LINK, record=False)
    return [
        access.documents(DocumentKind.SALES_INVOICE, open_only=True),
        access.documents(DocumentKind.SALES_INVOICE, search="INV"),
        access.document_years(DocumentKind.SALES_INVOICE),
        access.document("INV-1"),
        access.statement(),
        access.statement(view="open_items"),
        list(access.statement_lines("EUR")),
        access.statement_page("EUR", limit=1),
        access.summary(),
        access.messages(),
    ]


def _address_of(customer: Customer) -> str:
    return f"{customer.id}@kopi.example"


def _looked(portal: Portal, storage: Any) -> object:
    return [
        portal.settings.get(),
        portal.tokens.list(),
        [portal.tokens.count(status) for status in TokenStatus],
        portal.tokens.history(CUSTOMER_ID),
        portal.tokens.last_opened([f"{0:022}"]),
        portal.tokens.check(LINK),
        portal.messages.list(),
        portal.messages.unread_count(),
        portal.messages.thread(CUSTOMER_ID),
        portal.messages.notes(CUSTOMER_ID),
        storage.customers.search("kopi", limit=9),
    ]


USE_CASES = (
    UseCase("what a customer looks at", _visited, reads=True),
    UseCase("what staff look at", _looked, reads=True),
    UseCase("generate", lambda p, _: p.tokens.generate(OTHER, by="ana")),
    UseCase("regenerate", lambda p, _: p.tokens.regenerate(CUSTOMER_ID, by="ana")),
    UseCase("regenerate, on a new connection", _reopened),
    UseCase("regenerate_many", lambda p, _: list(p.tokens.regenerate_many(MANY, by="ana"))),
    UseCase("ensure", lambda p, _: p.tokens.ensure(OTHER, by="ana")),
    UseCase("ensure_many", lambda p, _: list(p.tokens.ensure_many(MANY, by="ana"))),
    UseCase("revoke", lambda p, _: p.tokens.revoke(CUSTOMER_ID, by="ana", reason="left")),
    UseCase("revoke_all", lambda p, _: p.tokens.revoke_all(by="ana", reason="a leak")),
    UseCase("link", lambda p, _: p.tokens.link(CUSTOMER_ID, by="ana")),
    UseCase("link, shown", lambda p, _: p.tokens.link(CUSTOMER_ID, by="ana", shown=True)),
    UseCase("settings.save", lambda p, _: p.settings.save(PortalConfig(enabled=True), by="ana")),
    UseCase("send_message", _send),
    UseCase("reply", lambda p, _: p.messages.reply(CUSTOMER_ID, "Thanks.", by="ana")),
    UseCase("note", lambda p, _: p.messages.note(CUSTOMER_ID, "Paid.", by="ana")),
    UseCase("mark_read", lambda p, _: p.messages.mark_read(CUSTOMER_ID)),
    UseCase("open", lambda p, _: p.open(LINK), owed=1),
    UseCase("preview", lambda p, _: p.preview(CUSTOMER_ID, by="ana")),
    UseCase("erase", lambda p, _: p.privacy.erase(CUSTOMER_ID, by="ana")),
    UseCase("move", lambda p, _: p.privacy.move(CUSTOMER_ID, MANY[0], by="ana")),
    UseCase("export", lambda p, _: p.privacy.export(CUSTOMER_ID, by="ana")),
    # What `privacy.prune` does many times, each of them whole.
    UseCase("audit.prune", lambda _, s: s.audit.prune(LATER)),
    UseCase("tokens.prune", lambda _, s: s.tokens.prune(LATER)),
    UseCase("mails.prune", lambda _, s: s.mails.prune(LATER)),
    UseCase("messages.prune", lambda _, s: s.messages.prune(LATER)),
    UseCase("mailing.begin", lambda p, _: p.mailing.begin(CUSTOMER_ID, _address_of)),
    UseCase("mailing.queue_links", lambda p, _: list(p.mailing.queue_links(MANY, run="r"))),
    UseCase("mailing.issue", lambda p, _: list(p.mailing.issue(MANY, run="r"))),
    UseCase("audit.list", lambda p, _: p.audit.list()),
    UseCase("customers.save", lambda _, s: s.customers.save(*map(a_customer, ("X-1", "X-2")))),
    UseCase("customers.delete", lambda _, s: s.customers.delete(OTHER)),
    UseCase("documents.save", lambda _, s: s.documents.save(an_invoice(total=Decimal(9)))),
    UseCase("documents.delete", lambda _, s: s.documents.delete("INV-1")),
    UseCase("ledger.save", lambda _, s: s.ledger.save(*map(an_entry, ("INV-1", "INV-3")))),
    UseCase(
        "ledger.allocate",
        lambda _, s: s.ledger.allocate(an_allocation("A-2", debit_id="INV-2", credit_id="PAY-2")),
    ),
    UseCase("ledger.unallocate", lambda _, s: s.ledger.unallocate("ALLOC-1")),
    UseCase("ledger.delete", lambda _, s: s.ledger.delete("INV-2")),
)


def _two_halves(_: Portal, storage: Any) -> None:
    storage.customers.save(a_customer("X-1"))
    storage.customers.save(a_customer("X-2"))


def _swallowing(_: Portal, storage: Any) -> None:
    try:
        storage.customers.save(a_customer("X-1"))
    except StorageError:
        raise KeyError("X-1") from None


def _empty_instead(portal: Portal, _: Any) -> object:
    try:
        return portal.open(LINK, record=False).summary()
    except StorageError:
        return None


CONTROLS = (
    UseCase("an empty answer", _empty_instead, reads=True),
    UseCase("two transactions", _two_halves),
    UseCase("another error", _swallowing),
)


# --- the run ------------------------------------------------------------------------------


def run(scale: int) -> list[Figure]:
    """Fail each call of each use case, on each database."""
    with closing(SQLiteSubject()) as subject:
        figures = fail_all(subject, scale)
    try:
        with _server() as dsn, closing(PostgresSubject(dsn)) as subject:
            return figures + fail_all(subject, scale)
    except Unavailable as error:
        return [*figures, Figure("failing calls, PostgreSQL", 0, f"not run: {error}", False)]


@contextmanager
def _server() -> Iterator[str]:
    if dsn := os.environ.get(DSN_VARIABLE):
        yield dsn
        return
    with Server() as server:
        yield server.dsn


def fail_all(subject: Subject, step: int = 1) -> list[Figure]:
    """Fail every ``step``-th call of each use case in each way, and of the controls."""
    failures, problems = 0, []
    for case in USE_CASES:
        made, found = fail_each(subject, case, step)
        failures += made
        problems += found
    seen = [bool(fail_each(subject, case)[1]) for case in CONTROLS]
    return [
        Figure(
            f"failing calls in {len(USE_CASES)} use cases, {subject.name}",
            failures,
            f"{len(problems)} half done, wrong errors or not usable after{some(problems)}",
            not problems,
        ),
        Figure(
            f"control: use cases that break the rules, {subject.name}",
            len(seen),
            f"{sum(seen)} noticed",
            all(seen),
        ),
    ]


@attrs.define(frozen=True)
class Expected:
    """What a use case does where nothing fails: once, and when it is run a second time."""

    calls: int
    old: Dump
    once: Dump
    twice: Dump
    second: type[Exception] | None
    answer: object


def fail_each(subject: Subject, case: UseCase, step: int = 1) -> tuple[int, list[str]]:
    """Fail every ``step``-th call of a use case in each way: how many, and what was wrong."""
    expected = _without_fault(subject, case)
    failures, problems = 0, []
    for mode in subject.modes:
        for n in range(1, expected.calls + 1, step):
            wrong = _fail_one(subject, case, n, mode, expected)
            failures += 1
            problems += [f"{case.name}, call {n} {mode}: {one}" for one in wrong]
    return failures, problems


def _without_fault(subject: Subject, case: UseCase) -> Expected:
    storage = subject.make()
    old = _dump(subject)
    with subject.injecting(0, Mode.BEFORE) as fuse:
        answer, error = _attempt(case, storage, 1000)
    assert error is None, f"{case.name} must work: {error!r}"
    once, calls = _dump(subject), fuse.calls
    _, second = _attempt(case, storage, 2000)
    return Expected(calls, old, once, _dump(subject), _type_of(second), answer)


def _attempt(case: UseCase, storage: Any, first_id: int) -> tuple[object, Exception | None]:
    # A trail that cannot be written is logged, with all that led to it.
    with known_ids(first_id), _quiet("basis_portal"), _quiet("psycopg.pool"):
        try:
            return case.run(portal_over(storage, lambda: LATER), storage), None
        except Exception as error:
            return None, error


def _quiet(logger: str) -> AbstractContextManager[object]:
    return patch.object(logging.getLogger(logger), "disabled", True)


def _dump(subject: Subject) -> Dump:
    """A dump in which the ids drawn by use cases are numbered: run again, they draw others."""
    found = subject.dump()
    drawn = {one for rows in found.values() for row in rows for one in _DRAWN.findall(row)}
    numbers = {one: f"<{number}>" for number, one in enumerate(sorted(drawn, key=int))}
    return {
        name: sorted(_DRAWN.sub(lambda match: numbers[match[0]], row) for row in rows)
        for name, rows in found.items()
    }


_DRAWN = re.compile(r"\b0{10,}[1-9]\d{3}\b")
"""An id drawn within a use case: 1000 or more. Those of the seed are lower."""


def _type_of(error: Exception | None) -> type[Exception] | None:
    return None if error is None else type(error)


def _fail_one(
    subject: Subject, case: UseCase, n: int, mode: Mode, expected: Expected
) -> Sequence[str]:
    storage = subject.make()
    with subject.injecting(n, mode) as fuse:
        answer, error = _attempt(case, storage, 1000)
    found = _dump(subject)
    problems = [] if fuse.is_burnt else ["was not met"]
    may_answer = case.reads or (subject.runs_again and mode is Mode.AFTER)
    if case.reads and error is None and answer != expected.answer:
        problems.append("answered something else")
    if not _is_owed(error, n > case.owed, may_answer):
        problems.append(f"raised {error!r}")
    if error is None and found != expected.once and n <= case.owed:
        problems.append("answered without having done it")
    if found not in (expected.old, expected.once):
        return [*problems, f"half done in {_difference(found, expected)}"]
    return [*problems, *_again(subject, case, storage, found == expected.old, expected)]


def _is_owed(error: Exception | None, answers: bool, may_answer: bool) -> bool:
    """Whether this is what the caller is owed: an answer, or else a `StorageError`."""
    if error is None:
        return answers or may_answer
    return isinstance(error, StorageError) and not answers


def _again(
    subject: Subject, case: UseCase, storage: Any, is_old: bool, expected: Expected
) -> list[str]:
    """What is wrong when it is run again, as the first time or as a second one."""
    _, error = _attempt(case, storage, 1000 if is_old else 2000)
    wanted = None if is_old else expected.second
    if _type_of(error) is not wanted:
        return [f"again it raised {error!r}"]
    if _dump(subject) != (expected.once if is_old else expected.twice):
        return ["again it did something else"]
    return []


def _difference(found: Dump, expected: Expected) -> str:
    return (
        ", ".join(
            name for name in found if found[name] not in (expected.old[name], expected.once[name])
        )
        or "some tables and not in others"
    )
