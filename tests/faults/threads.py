"""Many threads on one storage: opening, issuing, writing messages, reading statements."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from threading import Barrier, Thread

import attrs

from basis_portal import AuditEvent, Portal
from basis_portal.testing.builders import DAY, an_entry

from .figures import Figure, some
from .storages import PLACES, kind_of, made_for, open_storage, text_of

THREADS = 32
ACTS = 100


@attrs.define
class Work:
    """What one thread did, and what went wrong.

    Attributes:
        customer_id: whose portal it uses.
        acts: how many it did.
        issued: how many tokens, the first one included.
        messages: how many of the customer and of the seller.
        errors: all of them; none is expected.
    """

    customer_id: str
    acts: int = 0
    issued: int = 1
    messages: Counter[str] = attrs.field(factory=Counter)
    errors: list[str] = attrs.field(factory=list)

    def run(self, portal: Portal, acts: int, start: Barrier) -> None:
        """Do so many things, once all threads are there."""
        choose = random.Random(self.customer_id)
        start.wait(60)
        for _ in range(acts):
            try:
                choose.choice(_ACTS)(self, portal)
                self.acts += 1
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")

    def open(self, portal: Portal) -> None:
        """Open the link."""
        assert portal.open(text_of(portal, self.customer_id)).customer.id == self.customer_id

    def regenerate(self, portal: Portal) -> None:
        """Replace the token, by its id or not."""
        token = portal.tokens.get(self.customer_id)
        assert token
        portal.tokens.regenerate(self.customer_id, if_current=token.id)
        self.issued += 1

    def generate(self, portal: Portal) -> None:
        """Revoke the token and issue another."""
        assert portal.tokens.revoke(self.customer_id)
        portal.tokens.generate(self.customer_id)
        self.issued += 1

    def message(self, portal: Portal) -> None:
        """Write as the customer, who may do so ten times an hour, or answer."""
        if self.messages["customer"] < 10:
            portal.open(text_of(portal, self.customer_id)).send_message("Paid today.")
            self.messages["customer"] += 1
        else:
            portal.messages.reply(self.customer_id, "Thanks.")
            self.messages["seller"] += 1

    def statement(self, portal: Portal) -> None:
        """Read the statement of account, which has one entry."""
        access = portal.open(text_of(portal, self.customer_id))
        (account,) = access.statement(DAY, DAY).by_currency.values()
        assert len(account.lines) == 1


_ACTS: tuple[Callable[[Work, Portal], None], ...] = (
    Work.open,
    Work.open,
    Work.regenerate,
    Work.generate,
    Work.message,
    Work.statement,
)


@attrs.define
class Crowd:
    """What came of all threads: how much they did, their errors, and what is wrong at the end."""

    threads: int
    acts: int
    errors: list[str]
    wrong: list[str]

    def figure(self, kind: str) -> Figure:
        """The line of the table."""
        found = (
            f"{self.acts:,} done, {len(self.errors)} errors{some(self.errors)}; "
            f"{len(self.wrong)} customers not as they were left{some(self.wrong)}"
        )
        holds = self.acts > 0 and not self.errors and not self.wrong
        return Figure(f"{kind}: {self.threads} threads on one storage", self.acts, found, holds)


def crowd(spec: str, threads: int, acts: int) -> Crowd:
    """So many threads, each with a customer of its own, do so many things each."""
    how = {} if spec.startswith("sqlite:") else {"pool_size": 10}
    with closing(open_storage(spec, **how)) as storage:
        works = [Work(f"C-{number}") for number in range(threads)]
        portal = made_for(storage, *(one.customer_id for one in works))
        for one in works:
            storage.ledger.save(an_entry(one.customer_id, customer_id=one.customer_id))
            portal.tokens.generate(one.customer_id)
        start = Barrier(threads)
        started = [Thread(target=one.run, args=(portal, acts, start)) for one in works]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        wrong = [f"{one.customer_id}: {said}" for one in works if (said := _wrong(one, portal))]
        errors = [error for one in works for error in one.errors]
        return Crowd(threads, sum(one.acts for one in works), errors, wrong)


def _wrong(work: Work, portal: Portal) -> str:
    """What is not as this thread left it; empty where all is."""
    history = portal.tokens.history(work.customer_id)
    current = [token for token in history if token.is_current]
    thread = portal.messages.thread(work.customer_id, limit=200).items
    trail = portal.audit.list(customer_id=work.customer_id, limit=200)
    issued = [entry for entry in trail.items if entry.event is AuditEvent.ISSUED]
    if len(current) != 1 or current != list(history[-1:]):
        return f"{len(current)} active tokens"
    if len(history) != work.issued:
        return f"{len(history)} tokens, {work.issued} were issued"
    if Counter(str(one.author) for one in thread) != work.messages:
        return f"{len(thread)} messages, {work.messages.total()} were written"
    return "" if trail.next or len(issued) == work.issued else f"{len(issued)} entries of issues"


def run(scale: int) -> list[Figure]:
    """On both storages."""
    figures = []
    for place in PLACES:
        with place() as spec:
            figures.append(crowd(spec, THREADS, max(2, ACTS // scale)).figure(kind_of(spec)))
    return figures
