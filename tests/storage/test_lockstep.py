"""The shipped storages agree: whatever is done to all gives the same results and refusals."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import attrs
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy
from tests.depth import examples
from tests.postgres_server import drop_schema, schema_name

from basis_portal import (
    ActiveTokenExists,
    Allocation,
    AuditEvent,
    Author,
    Cause,
    DocumentKind,
    DocumentStatus,
    EndedAs,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    LedgerError,
    PortalConfig,
    PortalError,
    SettingsConflict,
    StorageError,
    StoredSettings,
    TokenStatus,
)
from basis_portal.domain.mail import SETTLED, Mail, MailKind, MailStatus
from basis_portal.repositories import (
    AuditRepository,
    FullStorage,
    MailRepository,
    MessageRepository,
    Opening,
    SettingsRepository,
    StoredCustomers,
    StoredDocuments,
    StoredLedger,
    TokenRepository,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.storage.postgres import PostgresStorage
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.testing.builders import (
    DAY,
    NOW,
    a_customer,
    a_line,
    a_mail,
    a_message,
    a_note,
    a_payment,
    a_token,
    an_allocation,
    an_audit_entry,
    an_entry,
    an_invoice,
    token_id,
)
from basis_portal.testing.strategies import LARGEST_AMOUNT

PROTOCOLS = {
    "settings": SettingsRepository,
    "tokens": TokenRepository,
    "messages": MessageRepository,
    "mails": MailRepository,
    "audit": AuditRepository,
    "customers": StoredCustomers,
    "documents": StoredDocuments,
    "ledger": StoredLedger,
}

# --- a small world, in which most things meet -----------------------------------------------

some = st.sampled_from
CUSTOMERS = ("ann", "Ann", "b/#é")
customer_ids = some((*CUSTOMERS, "ann", "ann"))
account_ids = some(("ann",) * 5 + ("Ann",))
token_ids = some([token_id(number) for number in range(1, 9)])
names = some(("INV-1", "inv-10", "100%", "Ärger", "x_y"))
debit_ids, credit_ids = some(("d1", "d2", "d3")), some(("c1", "c2", "c3"))
entry_ids = debit_ids | credit_ids
document_ids = some(("D1", "D2", "D3", "D4"))
allocation_ids = some(("a1", "a2", "a3"))
instants = st.integers(0, 12).map(lambda n: NOW + dt.timedelta(minutes=10 * n, microseconds=n % 2))
days = st.integers(0, 6).map(lambda number: DAY + dt.timedelta(days=number * 20))
amounts = some([*map(Decimal, ("10", "10", "12", "5", "0.0001", "0")), LARGEST_AMOUNT])
limits = some((1, 2, 3, 50))
by = some(("ana", "ben"))
spans = some((dt.timedelta(0), dt.timedelta(minutes=20), dt.timedelta(hours=1)))


def maybe(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """None, or one of ``values``."""
    return st.none() | values


def few(values: SearchStrategy[Any], least: int = 0) -> SearchStrategy[Any]:
    """Up to three of ``values``."""
    return st.lists(values, min_size=least, max_size=3)


def made(build: Callable[..., Any], **fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What a builder makes of drawn fields."""
    return st.builds(build, **fields)


@st.composite
def tokens(draw: st.DrawFn) -> Any:
    """Tokens, three in four of them current."""
    token = a_token(
        draw(token_ids),
        customer_id=draw(customer_ids),
        issued_at=NOW - dt.timedelta(days=1),
        expires_at=draw(instants),
        key_fingerprint=draw(some(("k1", "k2", ""))),
    )
    if draw(st.integers(0, 3)):
        return token
    return attrs.evolve(
        token,
        ended_at=draw(instants),
        ended_as=draw(some(EndedAs)),
        ended_by="ana",
        reason=draw(maybe(some(("", "lost")))),
    )


documents = made(
    an_invoice,
    id=document_ids,
    customer_id=customer_ids,
    kind=some(DocumentKind),
    status=some((DocumentStatus.ISSUED, *DocumentStatus)),
    date=some((dt.date(2023, 12, 31), dt.date(2024, 1, 1), dt.date(2024, 12, 31), DAY)),
    number=names,
    reference=maybe(names),
    lines=some(((), (a_line(),), (a_line(description="ß"), a_line(quantity=None)))),
)
customers = made(
    a_customer,
    id=customer_ids,
    name=some(("apple", "Apple", "äpfel", "Äpfel & Co", "100%_")),
    email=maybe(some(("", "a@x.example", "B@x.example"))),
    number=maybe(names),
    blocked=st.booleans(),
)
debits = made(
    an_entry,
    id=debit_ids,
    customer_id=account_ids,
    kind=some((*[EntryKind.INVOICE] * 9, *EntryKind)),
    currency=some(("EUR", "EUR", "EUR", "USD")),
    date=days,
    due_date=maybe(days),
    amount=amounts,
    document_id=maybe(document_ids),
)
credits_ = made(
    an_entry,
    id=credit_ids,
    customer_id=account_ids,
    kind=some((*[EntryKind.PAYMENT] * 9, *EntryKind)),
    currency=some(("EUR", "EUR", "EUR", "USD")),
    date=days,
    amount=amounts,
    document_id=maybe(document_ids),
)
allocations = made(
    an_allocation,
    id=allocation_ids,
    customer_id=account_ids,
    debit_id=debit_ids,
    credit_id=credit_ids,
    amount=some([*map(Decimal, ("4", "4", "0.0001", "10"))]),
    date=days,
)
messages = made(
    a_message,
    id=some([f"m{number}" for number in range(9)]),
    customer_id=customer_ids,
    at=instants,
    author=some(Author),
    text=some(("a", "ä\nb")),
    read_at=maybe(instants),
    idempotency_key=maybe(some(("f1", "f2"))),
)
mail_ids = some([f"e{number}" for number in range(1, 10)])
runs = maybe(some(("r1", "r2", "R1")))


@st.composite
def mails(draw: st.DrawFn, mail_id: str | None = None) -> Mail:
    """E-mails; what one is for follows from its id, so that outcomes find theirs."""
    mail_id = mail_id or draw(mail_ids)
    number = int(mail_id[1:])
    status = draw(some((*[MailStatus.QUEUED] * 4, *MailStatus)))
    return a_mail(
        mail_id,
        kind=list(MailKind)[number % 3 * (number % 2)],
        queued_at=NOW + dt.timedelta(minutes=number % 3),
        due_at=draw(instants),
        status=status,
        customer_id=(*CUSTOMERS, "ann", None)[number % 5],
        run=(None, "r1", "r1", "r2", "R1")[number * 3 % 5],
        by=("ana", None)[number % 2],
        about=draw(maybe(some(("m1", "7")))),
        attempts=draw(some((0, 0, 1, 2))),
        claimed_at=draw(instants if status is MailStatus.SENDING else maybe(instants)),
        settled_at=draw(instants) if status in SETTLED else None,
        token_id=draw(maybe(token_ids)),
        address=draw(maybe(some(("a@x.example", "ä@x.example")))),
        problem=draw(maybe(some(("", "no such\nuser")))),
    )


outcomes = mail_ids.flatmap(lambda one: st.tuples(mails(one), mails(one)))
notes = made(a_note, id=some(("n1", "n2", "n3")), customer_id=customer_ids, at=instants)
audit_entries = made(
    an_audit_entry,
    event=some((AuditEvent.OPENED, AuditEvent.REFUSED)),
    at=instants,
    by=maybe(by),
    customer_id=maybe(customer_ids),
    token_id=maybe(token_ids),
    cause=maybe(some((Cause.REVOKED, Cause.EXPIRED))),
    detail=maybe(some(("", "left"))),
)
stored_settings = st.builds(
    StoredSettings,
    config=st.builds(PortalConfig, enabled=st.booleans()),
    version=st.integers(0, 5),
    changed_at=maybe(instants),
    changed_by=maybe(by),
)
message_keys = st.tuples(instants, some(("m1", "m5", "")))
entry_keys = st.tuples(days, st.integers(0, 1), entry_ids)


@attrs.define(frozen=True)
class Call:
    """One call of a verb, such as ``tokens.add``."""

    verb: str
    args: tuple[Any, ...] = ()
    named: Mapping[str, Any] = {}


def calls(*args: SearchStrategy[Any], **named: SearchStrategy[Any]) -> Any:
    """Arguments in their places and by name."""
    return st.tuples(st.tuples(*args), st.fixed_dictionaries(named))


def spread(values: SearchStrategy[Any]) -> Any:
    """A few values, each an argument."""
    return st.tuples(few(values, 1).map(tuple), st.just({}))


VERBS: dict[str, SearchStrategy[Any]] = {
    "settings.get": calls(),
    "settings.put": calls(stored_settings),
    "tokens.add": calls(few(tokens(), 1)),
    "tokens.get": calls(token_ids),
    "tokens.latest": calls(few(customer_ids)),
    "tokens.end": calls(
        few(token_ids), at=instants, by=by, how=some(EndedAs), reason=maybe(some(("", "lost")))
    ),
    "tokens.page": calls(
        status=maybe(some(TokenStatus)),
        now=instants,
        expires_before=maybe(instants),
        key_fingerprint=maybe(some(("k1", "k2", ""))),
        after=maybe(st.tuples(instants, token_ids)),
        limit=limits,
    ),
    "tokens.count": calls(some(TokenStatus), now=instants),
    "tokens.current_page": calls(after=maybe(customer_ids), limit=limits),
    "tokens.history": calls(customer_ids),
    "tokens.mark_opened": calls(token_ids, instants, unless_within=spans),
    "tokens.last_opened": calls(few(token_ids)),
    "tokens.rename_customer": calls(customer_ids, customer_ids),
    "tokens.move_customer": calls(customer_ids, customer_ids),
    "tokens.prune": calls(instants, limit=limits),
    "messages.add": calls(messages),
    "messages.by_key": calls(customer_ids, some(("f1", "f2", "f3"))),
    "messages.page": calls(customer_ids, after=maybe(message_keys), limit=limits),
    "messages.sent_since": calls(customer_ids, instants),
    "messages.inbox": calls(unread_only=st.booleans(), after=maybe(message_keys), limit=limits),
    "messages.unread_count": calls(),
    "messages.mark_read": calls(customer_ids, instants),
    "messages.add_note": calls(notes),
    "messages.notes": calls(customer_ids),
    "messages.erase": calls(customer_ids),
    "messages.move_customer": calls(customer_ids, customer_ids),
    "messages.prune": calls(instants, limit=limits),
    "mails.add": calls(few(mails(), 1)),
    "mails.get": calls(mail_ids),
    "mails.claim": calls(instants, run=runs),
    "mails.change": st.tuples(outcomes, st.just({})),
    "mails.claimed_before": calls(instants, limit=limits),
    "mails.latest": calls(customer_ids, some(MailKind)),
    "mails.of_customer": calls(
        customer_ids, after=maybe(st.tuples(instants, mail_ids)), limit=limits
    ),
    "mails.last_sent": calls(few(customer_ids)),
    "mails.went_out": calls(customer_ids, instants),
    "mails.counts": calls(runs),
    "mails.waiting": calls(),
    "mails.page": calls(
        runs, some(MailStatus), after=maybe(st.tuples(instants, mail_ids)), limit=limits
    ),
    "mails.erase": calls(customer_ids),
    "mails.move_customer": calls(customer_ids, customer_ids),
    "mails.prune": calls(instants, limit=limits),
    "audit.append": calls(few(audit_entries, 1)),
    "audit.page": calls(
        customer_id=maybe(customer_ids), after=maybe(st.integers(0, 9)), limit=limits
    ),
    "audit.last": calls(
        some((AuditEvent.OPENED, AuditEvent.REFUSED, AuditEvent.ERASED)),
        customer_id=maybe(customer_ids),
        token_id=maybe(token_ids),
        by=maybe(by),
        cause=maybe(some(Cause)),
    ),
    "audit.rename_customer": calls(customer_ids, customer_ids),
    "audit.move_customer": calls(customer_ids, customer_ids),
    "audit.prune": calls(instants, limit=limits),
    "customers.get": calls(customer_ids),
    "customers.get_many": calls(few(customer_ids)),
    "customers.search": calls(some(("", "apple", "ÄPF", "%", "_", "x.EX", "inv")), limit=limits),
    "customers.save": spread(customers),
    "customers.delete": calls(customer_ids),
    "documents.get": calls(customer_ids, document_ids),
    "documents.page": calls(
        customer_ids,
        some(DocumentKind),
        after=maybe(st.tuples(some((dt.date(2024, 1, 1), DAY)), document_ids)),
        limit=limits,
        search=maybe(some(("inv", "ÄR", "%", "x_", ""))),
        year=maybe(some((2023, 2024, 2025))),
        ids=maybe(few(document_ids)),
    ),
    "documents.issued_kinds": calls(customer_ids, few(document_ids)),
    "documents.years": calls(customer_ids, some(DocumentKind)),
    "documents.save": spread(documents),
    "documents.delete": calls(document_ids),
    "ledger.entries": calls(customer_ids, start=maybe(days), end=maybe(days)),
    "ledger.allocations": calls(customer_ids),
    "ledger.balances": calls(customer_ids, before=days),
    "ledger.entry_page": calls(
        customer_ids,
        some(("EUR", "USD")),
        start=maybe(days),
        end=maybe(days),
        after=maybe(entry_keys),
        limit=limits,
    ),
    "ledger.balance_through": calls(customer_ids, some(("EUR", "USD", "JPY")), entry_keys),
    "ledger.open_items": calls(customer_ids, days),
    "ledger.currencies": calls(customer_ids, until=days),
    "ledger.last_payments": calls(customer_ids, until=days),
    "ledger.entries_of_documents": calls(customer_ids, few(document_ids)),
    "ledger.allocations_of": calls(customer_ids, few(entry_ids)),
    "ledger.entries_by_id": calls(customer_ids, few(entry_ids)),
    "ledger.save": spread(debits | credits_),
    "ledger.allocate": spread(allocations),
    "ledger.unallocate": calls(allocation_ids),
    "ledger.delete": calls(entry_ids),
}
ADDING = (
    "ledger.save",
    "ledger.allocate",
    "tokens.add",
    "messages.add",
    "messages.add_note",
    "mails.add",
    "documents.save",
    "customers.save",
    "audit.append",
    "settings.put",
)
CHANGING = (
    "ledger.delete",
    "ledger.unallocate",
    "documents.delete",
    "customers.delete",
    "tokens.end",
    "tokens.mark_opened",
    "tokens.rename_customer",
    "tokens.move_customer",
    "tokens.prune",
    "messages.mark_read",
    "messages.erase",
    "messages.move_customer",
    "messages.prune",
    "mails.claim",
    "mails.change",
    "mails.erase",
    "mails.move_customer",
    "mails.prune",
    "audit.rename_customer",
    "audit.move_customer",
    "audit.prune",
)
READING = tuple(verb for verb in VERBS if verb not in ADDING + CHANGING)
HOST = ("customers.", "documents.", "ledger.")


def calls_of(verbs: Sequence[str]) -> SearchStrategy[Call]:
    """Calls of these verbs."""
    return some(verbs).flatmap(
        lambda verb: VERBS[verb].map(lambda found: Call(verb, found[0], found[1]))
    )


any_call = st.one_of(calls_of(ADDING), calls_of(CHANGING), calls_of(READING))


def a_debit(id: str, **changes: Any) -> LedgerEntry:
    """An invoice of ten."""
    return an_entry(id, **{"customer_id": "ann", "amount": 10, **changes})


def a_credit(id: str) -> LedgerEntry:
    """A payment of ten."""
    return a_payment(id, customer_id="ann", amount=10)


def a_part(id: str, **changes: Any) -> Allocation:
    """Four of the first payment on the first invoice."""
    fields = {"customer_id": "ann", "debit_id": "d1", "credit_id": "c1", "amount": 4}
    return an_allocation(id, **{**fields, **changes})


FIRST = (
    Call("ledger.save", (a_debit("d1"), a_debit("d2"), a_debit("d3"))),
    Call("ledger.save", (a_credit("c1"), a_credit("c2"), a_credit("c3"))),
    Call("ledger.allocate", (a_part("a1"),)),
    Call("tokens.add", ([a_token(token_id(1), customer_id="ann")],)),
    Call("tokens.add", ([a_token(token_id(2), customer_id="b/#é")],)),
    Call("documents.save", (an_invoice("D1", customer_id="ann"),)),
    Call("messages.add", (a_message("m1", customer_id="ann", idempotency_key="f1"),)),
    Call("messages.add_note", (a_note("n1", customer_id="ann"),)),
    Call("mails.add", ([a_mail("e5", customer_id="ann", run="r1"), a_mail("e0")],)),
)


@attrs.define(frozen=True)
class Work:
    """A transaction: calls and transactions within it, and whether it fails at its end."""

    steps: Sequence[Call | Work]
    fails: bool


def works() -> SearchStrategy[Any]:
    """Transactions, some with others within them."""
    inner = st.builds(Work, steps=few(any_call), fails=st.booleans())
    steps = st.lists(st.one_of(any_call, inner), min_size=1, max_size=4)
    return st.builds(Work, steps=steps, fails=st.booleans())


# --- doing it -------------------------------------------------------------------------------


class Failed(Exception):
    """What a transaction raises that is meant to fail."""


def outcome_and_calls(storage: FullStorage, step: Call | Work) -> tuple[Any, list[Any]]:
    """The outcome of a step, and those of the steps within it of whose commit it was told."""
    calls: list[Any] = []
    return outcome(storage, step, calls), calls


def outcome(storage: FullStorage, step: Call | Work, calls: list[Any]) -> Any:
    """The result of a step as a value, or the class of its refusal."""
    try:
        if isinstance(step, Call):
            return result_of(storage, step)
        return storage.transact(lambda _: _steps(storage, step, calls), lock=["ann", "b/#é"])
    except (PortalError, Failed) as error:
        return type(error)


def _steps(storage: FullStorage, work: Work, calls: list[Any]) -> list[Any]:
    found = []
    for step in work.steps:
        found.append(outcome(storage, step, calls))
        storage.after_commit(partial(calls.append, found[-1]))
    if work.fails:
        raise Failed
    return found


def result_of(storage: FullStorage, call: Call) -> Any:
    """The result of a call, where order is not promised in an order of its own."""
    repository, name = call.verb.split(".")
    if call.verb == "customers.search":
        return _search(storage, call)
    if call.verb == "audit.page":
        return _trail(storage, call)
    found = getattr(getattr(storage, repository), name)(*call.args, **call.named)
    if call.verb == "ledger.entries":
        return sorted(found, key=lambda entry: entry.key)
    if call.verb == "ledger.allocations":
        return sorted(found, key=lambda allocation: allocation.id)
    if isinstance(found, Mapping):
        return dict(found)
    return list(found) if isinstance(found, Sequence) else found


def _search(storage: FullStorage, call: Call) -> list[Any]:
    """All pages; the text that leads from one to the next is the storage's own affair."""
    pages, after = [], None
    while not pages or after is not None:
        page = storage.customers.search(*call.args, **{"after": after, **call.named})
        pages.append(page.items)
        after = page.next
    return pages


def _trail(storage: FullStorage, call: Call) -> list[Any]:
    """A page after the n-th newest entry; positions are the storage's own affair."""
    positions = [position for position, _ in storage.audit.page(limit=1000)]
    place = call.named["after"]
    after = positions[place] if place is not None and place < len(positions) else None
    return [entry for _, entry in storage.audit.page(**{**call.named, "after": after})]


def state_of(storage: FullStorage) -> list[Any]:
    """All that a storage holds of the small world."""
    own = [
        Call("settings.get"),
        Call("tokens.page", (), {"now": NOW, "limit": 1000}),
        Call("tokens.last_opened", ([token_id(number) for number in range(1, 9)],)),
        Call("messages.inbox", (), {"unread_only": False, "limit": 1000}),
        *(Call("mails.get", (f"e{number}",)) for number in range(10)),
        *(Call("mails.page", (None, status)) for status in MailStatus),
        Call("audit.page", (), {"after": None, "limit": 1000}),
        Call("customers.search", (), {"limit": 200}),
    ]
    of_customers = ("tokens.history", "messages.page", "messages.notes", "mails.of_customer")
    of_customers += ("ledger.entries", "ledger.allocations")
    own += [Call(verb, (c,)) for verb in of_customers for c in CUSTOMERS]
    for c in CUSTOMERS:
        own += [Call("documents.page", (c, kind)) for kind in DocumentKind]
        own += [Call("ledger.open_items", (c, dt.date.max))]
        own += [Call("documents.get", (c, f"D{number}")) for number in range(1, 5)]
    return [result_of(storage, call) for call in own]


class Trio:
    """The storages, each step done to all."""

    def __init__(self, dsn: str) -> None:
        self.agreed = True
        self.dsn, self.schema = dsn, schema_name()
        self.folder = tempfile.TemporaryDirectory()
        self.memory: FullStorage = InMemoryStorage()
        self.sqlite: FullStorage = SQLiteStorage(Path(self.folder.name) / "portal.db")
        self.postgres: FullStorage = PostgresStorage(dsn, schema=self.schema, pool_size=1)
        self.all = (self.memory, self.sqlite, self.postgres)
        assert len({storage.tenant for storage in self.all}) == 1
        for call in FIRST:
            self.do(call)

    def do(self, step: Call | Work) -> Any:
        """Do a step to all; the outcomes are the same, and what is called after the commit."""
        return self.agree(lambda storage: outcome_and_calls(storage, step))[0]

    def agree(self, ask: Callable[[FullStorage], Any]) -> Any:
        """What all of them answer."""
        first, *others = map(ask, self.all)
        self.agreed = self.agreed and all(other == first for other in others)
        assert self.agreed, f"memory, sqlite, postgres: {[first, *others]!r}"
        return first

    def state(self) -> list[Any]:
        """All that each of them holds."""
        found: list[Any] = self.agree(state_of)
        return found

    def close(self) -> None:
        """All hold the same at the end."""
        try:
            if self.agreed:
                self.state()
        finally:
            for storage in self.all:
                storage.close()
            self.folder.cleanup()
            with psycopg.connect(self.dsn, autocommit=True) as admin:
                drop_schema(admin, self.schema)


class Lockstep(RuleBasedStateMachine):
    """Steps of all kinds, in any order, done to all storages."""

    dsn: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.trio = Trio(self.dsn)

    # Rules are chosen alike often: what is to come often has one of its own.

    @rule(call=calls_of(["ledger.allocate"]))
    def allocate(self, call: Call) -> None:
        """Allocations come, or take the place of others."""
        self.trio.do(call)

    @rule(call=calls_of(["ledger.save"]))
    def save_entries(self, call: Call) -> None:
        """Entries come, or take the place of others."""
        self.trio.do(call)

    @rule(call=calls_of(["tokens.add"]))
    def add_tokens(self, call: Call) -> None:
        """Tokens come."""
        self.trio.do(call)

    @rule(call=calls_of(["messages.add", "messages.add_note"]))
    def add_messages(self, call: Call) -> None:
        """Messages and notes come."""
        self.trio.do(call)

    @rule(call=calls_of(["mails.add"]))
    def add_mails(self, call: Call) -> None:
        """E-mails come."""
        self.trio.do(call)

    @rule(now=instants, run=runs, outcomes=st.lists(mails(), max_size=2))
    def send(self, now: dt.datetime, run: str | None, outcomes: list[Mail]) -> None:
        """An e-mail is claimed, and perhaps two workers tell what became of it."""
        found = self.trio.do(Call("mails.claim", (now,), {"run": run}))
        for outcome in outcomes if found else []:
            became = attrs.evolve(
                found, status=outcome.status, settled_at=outcome.settled_at, due_at=outcome.due_at
            )
            self.trio.do(Call("mails.change", (found, became)))

    @rule(call=calls_of(ADDING[6:]))
    def add(self, call: Call) -> None:
        """Something else comes, or takes the place of something."""
        self.trio.do(call)

    @rule(call=calls_of(CHANGING))
    def change(self, call: Call) -> None:
        """Something changes or goes."""
        self.trio.do(call)

    @rule(call=calls_of([verb for verb in READING if verb.startswith(HOST)]))
    def read(self, call: Call) -> None:
        """Something of the host's data is read."""
        self.trio.do(call)

    @rule(call=calls_of([verb for verb in READING if not verb.startswith(HOST)]))
    def read_state(self, call: Call) -> None:
        """Something of the portal's own state is read."""
        self.trio.do(call)

    @rule(work=works())
    def transact(self, work: Work) -> None:
        """A transaction; one that failed has left nothing."""
        before = self.trio.state()
        self.trio.do(work)
        assert self.trio.state() == before or not work.fails

    @rule(reads=few(calls_of(READING)))
    def snapshot(self, reads: list[Call]) -> None:
        """Reads within a snapshot."""
        with ExitStack() as snapshots:
            for storage in self.trio.all:
                snapshots.enter_context(storage.snapshot())
            for call in reads:
                self.trio.do(call)

    @rule(token=token_ids)
    def opening(self, token: str) -> None:
        """What a link needs."""
        self.trio.agree(lambda storage: parts_of(storage.opening(token)))

    def teardown(self) -> None:
        """All hold the same at the end."""
        self.trio.close()


def parts_of(opening: Opening) -> list[Any]:
    """What an opening found, as values."""
    return [getattr(opening, part) for part in ("settings", "token", "customer", "opened_at")]


def test_the_storages_agree(postgres_server: Any) -> None:
    """Whatever is done to them, in whatever order, they answer alike and hold the same."""
    Lockstep.dsn = postgres_server.dsn
    run_state_machine_as_test(
        Lockstep,
        settings=settings(
            max_examples=examples(60),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def trio(postgres_server: Any) -> Iterator[Trio]:
    """The storages, in the small world."""
    found = Trio(postgres_server.dsn)
    yield found
    found.close()


@pytest.mark.sampled
@pytest.mark.parametrize("verb", VERBS)
@given(data=st.data())
@settings(
    max_examples=examples(10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_each_verb_agrees(trio: Trio, verb: str, data: st.DataObject) -> None:
    """Whatever it is given a verb has one outcome, whether rules came to it today or not."""
    trio.do(data.draw(calls_of([verb])))


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("call", "error"),
    [
        (Call("settings.put", (StoredSettings(PortalConfig(), 2),)), SettingsConflict),
        (Call("tokens.add", ([a_token(token_id(5), customer_id="ann")],)), ActiveTokenExists),
        (Call("tokens.add", ([a_token(token_id(1), customer_id="Ann")],)), StorageError),
        (Call("tokens.rename_customer", ("ann", "b/#é")), ActiveTokenExists),
        (Call("tokens.move_customer", ("ann", "Ann")), ActiveTokenExists),
        (Call("mails.move_customer", ("ann", "ann")), InvalidValue),
        (Call("messages.add", (a_message("m1"),)), StorageError),
        (Call("messages.add_note", (a_note("n1"),)), StorageError),
        (Call("mails.add", ([a_mail("e0", run="r1", customer_id="Ann")],)), StorageError),
        (Call("mails.change", (a_mail("e0"), a_mail("e0", run="r1"))), InvalidValue),
        (Call("customers.search", (), {"after": "no page"}), InvalidValue),
        (Call("ledger.save", (a_debit("d1", amount=3),)), LedgerError),
        (Call("ledger.allocate", (a_part("a2", amount=7),)), LedgerError),
        (Call("ledger.delete", ("d1",)), LedgerError),
    ],
)
def test_refusals_agree(trio: Trio, call: Call, error: type[Exception]) -> None:
    """What is refused is refused by all with the same error, and changes nothing."""
    before = trio.state()
    assert trio.do(call) is error
    assert trio.state() == before


def test_every_verb_is_driven() -> None:
    """Each method of each protocol is among the verbs, and each of a storage's own is a rule."""
    methods = {
        f"{repository}.{name}"
        for repository, protocol in PROTOCOLS.items()
        for name in dir(protocol)
        if not name.startswith("_")
    }
    assert methods == VERBS.keys() == {*ADDING, *CHANGING, *READING}
    own = {name for name in dir(FullStorage) if not name.startswith("_")} - PROTOCOLS.keys()
    assert own == {"tenant", "transact", "after_commit", "snapshot", "opening", "close"}
    assert {"transact", "snapshot", "opening"} < vars(Lockstep).keys()


@pytest.mark.parametrize("other", ["sqlite", "postgres"])
def test_a_difference_is_noticed(trio: Trio, other: str) -> None:
    """Storages that hold different things do not agree (the control of this file)."""
    assert trio.do(Call("customers.save", (a_customer("ann"),))) is None
    getattr(trio, other).customers.save(a_customer("ann", name="another"))
    with pytest.raises(AssertionError):
        trio.do(Call("customers.get", ("ann",)))
    assert state_of(trio.memory) != state_of(getattr(trio, other))
