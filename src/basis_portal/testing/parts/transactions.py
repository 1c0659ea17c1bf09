"""What a storage promises of transactions and snapshots."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import NoReturn

import pytest

from ...domain.checks import check_tenant
from ...domain.config import PortalConfig, StoredSettings
from ...domain.mail import MailStatus
from ...domain.portal_token import EndedAs
from ...errors import ActiveTokenExists, CustomerNotFound
from ...repositories import Storage, UnitOfWork
from ..builders import NOW, a_mail, a_message, a_note, a_token, an_audit_entry, token_id
from .base import Kit, Running, hurried_threads, in_thread, in_threads
from .messages import HOUR, a_reply
from .tokens import an_ended_token

State = Mapping[str, object]
Write = Callable[[UnitOfWork], object]

CUSTOMERS = ("ann", "ben", "cyd", "erased")
_TOKENS = [token_id(number) for number in range(1, 9)]

# Another thread may be kept waiting until a transaction has ended; this long we wait to
# see whether it goes on meanwhile, either of which is right.
_A_MOMENT = 0.2

WRITES: dict[str, Write] = {
    "settings.put": lambda work: work.settings.put(
        StoredSettings(PortalConfig(enabled=True), 2, NOW, "ben")
    ),
    "tokens.add": lambda work: work.tokens.add([a_token(token_id(3), customer_id="cyd")]),
    "tokens.end": lambda work: work.tokens.end(
        [token_id(1)], at=NOW, by="ben", how=EndedAs.REVOKED, reason="lost"
    ),
    "tokens.mark_opened": lambda work: work.tokens.mark_opened(
        token_id(1), NOW + 2 * HOUR, unless_within=HOUR
    ),
    "tokens.rename_customer": lambda work: work.tokens.rename_customer("ann", "erased"),
    "tokens.move_customer": lambda work: work.tokens.move_customer("ben", "erased"),
    "tokens.prune": lambda work: work.tokens.prune(NOW + 99 * HOUR),
    "messages.add": lambda work: work.messages.add(a_message("M-9", customer_id="ben")),
    "messages.mark_read": lambda work: work.messages.mark_read("ann", NOW + HOUR),
    "messages.add_note": lambda work: work.messages.add_note(a_note("N-9", customer_id="ben")),
    "messages.erase": lambda work: work.messages.erase("ann"),
    "messages.move_customer": lambda work: work.messages.move_customer("ann", "erased"),
    "messages.prune": lambda work: work.messages.prune(NOW + HOUR),
    "mails.add": lambda work: work.mails.add([a_mail("E-9", customer_id="ben")]),
    "mails.claim": lambda work: work.mails.claim(NOW),
    "mails.change": lambda work: work.mails.change(
        a_mail("E-2", customer_id="ben"), a_mail("E-2", customer_id="ben", problem="later")
    ),
    "mails.erase": lambda work: work.mails.erase("ann"),
    "mails.move_customer": lambda work: work.mails.move_customer("ann", "erased"),
    "mails.prune": lambda work: work.mails.prune(NOW + HOUR),
    "audit.append": lambda work: work.audit.append([an_audit_entry(customer_id="ben")]),
    "audit.rename_customer": lambda work: work.audit.rename_customer("ann", "erased"),
    "audit.move_customer": lambda work: work.audit.move_customer("ann", "erased"),
    "audit.prune": lambda work: work.audit.prune(NOW + HOUR),
}
"""One call of each verb that writes; each changes what `prepare` has put there."""


def prepare(storage: Storage) -> None:
    """Put something there that every one of `WRITES` changes."""
    storage.settings.put(StoredSettings(PortalConfig(), 1, NOW, "ana"))
    storage.tokens.add(
        [
            an_ended_token(token_id(8), customer_id="ann"),
            a_token(token_id(1), customer_id="ann"),
            an_ended_token(token_id(2), customer_id="ben"),
        ]
    )
    storage.tokens.mark_opened(token_id(1), NOW, unless_within=HOUR)
    storage.messages.add(a_message("M-1", customer_id="ann"))
    storage.messages.add(a_reply("M-2", customer_id="ann"))
    storage.messages.add_note(a_note("N-1", customer_id="ann"))
    storage.mails.add(
        [
            a_mail("E-1", customer_id="ann"),
            a_mail("E-2", customer_id="ben"),
            a_mail("E-3", customer_id="cyd", status=MailStatus.SENT),
        ]
    )
    storage.audit.append([an_audit_entry(customer_id="ann", detail="first")])


def state_of(work: UnitOfWork) -> State:
    """All that the repositories show of the few customers of these tests."""
    state: dict[str, object] = {
        "settings": work.settings.get(),
        "opened": dict(work.tokens.last_opened(_TOKENS)),
        "latest": dict(work.tokens.latest(CUSTOMERS)),
        "current": list(work.tokens.current_page()),
        "tokens": list(work.tokens.page(now=NOW)),
        "inbox": list(work.messages.inbox(unread_only=True)),
        "waiting": list(work.mails.page(None, MailStatus.QUEUED)),
        "audit": list(work.audit.page(limit=1000)),
    }
    for customer_id in CUSTOMERS:
        state[f"history of {customer_id}"] = list(work.tokens.history(customer_id))
        state[f"messages of {customer_id}"] = list(work.messages.page(customer_id))
        state[f"notes on {customer_id}"] = list(work.messages.notes(customer_id))
        state[f"mails of {customer_id}"] = list(work.mails.of_customer(customer_id))
    return state


class Stop(BaseException):
    """What ends a program, not an error; a transaction it passes through fails all the same."""


def refuse(error: BaseException) -> NoReturn:
    """Raise ``error``."""
    raise error


_OFTEN_READ = ("settings.put", "tokens.end", "messages.add", "audit.append")

each_write: pytest.MarkDecorator = pytest.mark.parametrize("verb", WRITES)


class TransactionsConformance(Kit):
    """All of a transaction is done or none of it, and nobody sees half of one."""

    def test_the_tenant_has_a_name(self, storage: Storage) -> None:
        """The tenant is an id on one line, without space around it."""
        assert check_tenant(storage.tenant) == storage.tenant

    # --- commit and rollback ------------------------------------------------------------

    @each_write
    def test_a_write_alone_commits(self, storage: Storage, verb: str) -> None:
        """A write outside a transaction commits by itself: other threads see it."""
        prepare(storage)
        before = state_of(storage)
        WRITES[verb](storage)
        after = state_of(storage)
        assert after != before
        assert in_thread(lambda: state_of(storage)) == after

    @each_write
    def test_a_transaction_commits(self, storage: Storage, verb: str) -> None:
        """What a transaction wrote is there when it has returned, and so is its result."""
        prepare(storage)
        before = state_of(storage)

        def work(unit: UnitOfWork) -> State:
            WRITES[verb](unit)
            return state_of(unit)

        within = storage.transact(work, lock=["ann"])
        assert within != before
        assert state_of(storage) == in_thread(lambda: state_of(storage)) == within

    @each_write
    @pytest.mark.parametrize("error", [ZeroDivisionError(), CustomerNotFound("gone"), Stop()])
    def test_a_failed_transaction_leaves_nothing(
        self, storage: Storage, verb: str, error: BaseException
    ) -> None:
        """Whatever a transaction raises is passed on, and nothing it wrote is left."""
        prepare(storage)
        before = state_of(storage)

        def work(unit: UnitOfWork) -> None:
            WRITES[verb](unit)
            refuse(error)

        with pytest.raises(type(error)) as raised:
            storage.transact(work, lock=["ann"])
        assert raised.value is error
        assert state_of(storage) == before
        assert in_thread(lambda: state_of(storage)) == before
        WRITES[verb](storage)
        assert state_of(storage) != before

    @each_write
    def test_the_storages_own_repositories_join(self, storage: Storage, verb: str) -> None:
        """Within a transaction the storage's own repositories read and write as part of it."""
        prepare(storage)
        before = state_of(storage)

        def work(unit: UnitOfWork) -> None:
            WRITES[verb](storage)
            assert state_of(unit) == state_of(storage) != before
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            storage.transact(work)
        assert state_of(storage) == before

    def test_a_transaction_reads_its_own_writes(self, storage: Storage) -> None:
        """All that a transaction wrote so far is seen by its next read, of either kind."""
        prepare(storage)

        def work(unit: UnitOfWork) -> list[State]:
            states = [state_of(unit)]
            for write in (WRITES["tokens.end"], WRITES["messages.add"], WRITES["audit.append"]):
                write(unit)
                states.append(state_of(storage))
            return states

        states = storage.transact(work)
        assert all(earlier != later for earlier, later in pairwise(states))
        assert state_of(storage) == states[-1]

    def test_many_writes_are_undone_together(self, storage: Storage) -> None:
        """A transaction of many writes of all kinds is undone whole, and can be done again."""
        prepare(storage)
        before = state_of(storage)
        verbs = [verb for verb in WRITES if verb != "messages.erase"]

        def work(unit: UnitOfWork, error: Exception | None) -> None:
            for verb in verbs:
                WRITES[verb](unit)
            if error is not None:
                raise error

        with pytest.raises(ZeroDivisionError):
            storage.transact(lambda unit: work(unit, ZeroDivisionError()))
        assert state_of(storage) == before
        storage.transact(lambda unit: work(unit, None))
        assert state_of(storage) != before

    # --- failures within ----------------------------------------------------------------

    @each_write
    def test_a_failed_part_is_undone_alone(self, storage: Storage, verb: str) -> None:
        """A transaction within another undoes its own part when it fails, and no more."""
        prepare(storage)

        def part(unit: UnitOfWork) -> None:
            WRITES[verb](unit)
            raise ZeroDivisionError

        def work(unit: UnitOfWork) -> State:
            unit.audit.append([an_audit_entry(customer_id="cyd", detail="before")])
            first = state_of(unit)
            with pytest.raises(ZeroDivisionError):
                storage.transact(part, lock=["ann"])
            assert state_of(unit) == first
            unit.messages.add(a_message("M-8", customer_id="cyd"))
            return state_of(unit)

        within = storage.transact(work, lock=["ann"])
        assert state_of(storage) == within
        assert len(storage.messages.page("cyd")) == len(storage.audit.page(customer_id="cyd")) == 1

    @each_write
    def test_a_joined_transaction_falls_with_the_outer(self, storage: Storage, verb: str) -> None:
        """A transaction within another commits nothing by itself: the outer one may still fail."""
        prepare(storage)
        before = state_of(storage)

        def work(unit: UnitOfWork) -> None:
            storage.transact(WRITES[verb])
            assert state_of(unit) != before
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            storage.transact(work)
        assert state_of(storage) == before

    def test_transactions_nest_deeply(self, storage: Storage) -> None:
        """Of transactions three deep each failure undoes its own level, and what is within it."""

        def note(number: int) -> None:
            storage.messages.add_note(a_note(f"N-{number}"))

        def third(_: UnitOfWork) -> str:
            note(3)
            return "third"

        def second(_: UnitOfWork) -> None:
            note(2)
            assert storage.transact(third) == "third"
            raise ZeroDivisionError

        def first(_: UnitOfWork) -> None:
            note(1)
            for _attempt in range(2):
                with pytest.raises(ZeroDivisionError):
                    storage.transact(second)
            storage.transact(third)

        storage.transact(first)
        assert [n.id for n in storage.messages.notes(a_note().customer_id)] == ["N-1", "N-3"]

    def test_a_refused_write_leaves_the_transaction_whole(self, storage: Storage) -> None:
        """After a write that was refused a transaction goes on, and commits all the rest."""

        def work(unit: UnitOfWork) -> None:
            unit.tokens.add([a_token(token_id(1))])
            unit.messages.add(a_message())
            batch = [a_token(token_id(2), customer_id="ben"), a_token(token_id(3))]
            with pytest.raises(ActiveTokenExists):
                unit.tokens.add(batch)
            assert unit.tokens.get(token_id(2)) is None
            unit.audit.append([an_audit_entry()])

        storage.transact(work)
        assert list(storage.tokens.history(a_token().customer_id)) == [a_token(token_id(1))]
        assert list(storage.tokens.history("ben")) == []
        assert len(storage.messages.page(a_message().customer_id)) == 1
        assert len(storage.audit.page()) == 1

    # --- other threads ------------------------------------------------------------------

    def test_others_do_not_see_what_is_not_committed(self, storage: Storage) -> None:
        """Another thread sees nothing of a transaction that later fails."""
        prepare(storage)
        before = state_of(storage)
        readers: list[Running] = []

        def work(unit: UnitOfWork) -> None:
            for verb in _OFTEN_READ:
                WRITES[verb](unit)
            readers.append(Running(lambda: state_of(storage)))
            readers[-1].ends_within(_A_MOMENT)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            storage.transact(work)
        assert [reader.result() for reader in readers] == [before] * len(readers)

    def test_a_lock_keeps_others_of_the_customer_waiting(self, storage: Storage) -> None:
        """Of two transactions that lock a customer the second starts when the first has ended."""
        order: list[str] = []
        others: list[Running] = []
        entered = threading.Event()

        def second(_: UnitOfWork) -> None:
            entered.set()
            order.append("second")

        def first(_: UnitOfWork) -> None:
            others.append(Running(lambda: storage.transact(second, lock=["ann"])))
            entered.wait(_A_MOMENT)
            order.append("first")

        storage.transact(first, lock=["ann", "ben"])
        for other in others:
            other.result()
        assert order == ["first", "second"]

    def test_transactions_that_lock_nobody_wait_for_each_other(self, storage: Storage) -> None:
        """Of transactions that name no customer each finds what the one before it wrote."""

        def save_next(_: int) -> int:
            def work(unit: UnitOfWork) -> int:
                version = unit.settings.get().version + 1
                unit.settings.put(StoredSettings(PortalConfig(), version, NOW, "ana"))
                return version

            return storage.transact(work)

        with hurried_threads():
            for _ in range(5):
                in_threads([partial(save_next, number) for number in range(4)])
        assert storage.settings.get().version == 20

    def test_locks_in_any_order_do_not_block_each_other(self, storage: Storage) -> None:
        """Transactions that lock the same customers in different orders all come to an end."""

        def append(customers: list[str]) -> None:
            storage.transact(lambda unit: unit.audit.append([an_audit_entry()]), lock=customers)

        orders = [["ann", "ben", "cyd"], ["cyd", "ben", "ann"], ["ben", "ann", "cyd"]] * 2
        with hurried_threads():
            for _ in range(5):
                in_threads([partial(append, order) for order in orders])
        assert len(storage.audit.page(limit=1000)) == 5 * len(orders)

    # --- snapshots ----------------------------------------------------------------------

    def test_a_snapshot_sees_one_instant(self, storage: Storage) -> None:
        """Reads within a snapshot agree with each other, whatever others commit meanwhile."""
        prepare(storage)
        before = state_of(storage)
        with storage.snapshot():
            assert state_of(storage) == before
            writer = Running(lambda: [WRITES[verb](storage) for verb in _OFTEN_READ])
            writer.ends_within(_A_MOMENT)
            assert state_of(storage) == before
        writer.result()
        assert state_of(storage) != before

    def test_a_snapshot_within_a_transaction_is_part_of_it(self, storage: Storage) -> None:
        """Within a transaction a snapshot sees what the transaction wrote, and ends nothing."""
        prepare(storage)
        before = state_of(storage)

        def work(unit: UnitOfWork) -> None:
            WRITES["tokens.end"](unit)
            with storage.snapshot():
                assert state_of(storage) == state_of(unit) != before
            WRITES["audit.append"](unit)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            storage.transact(work)
        assert state_of(storage) == before

    def test_an_error_within_a_snapshot_ends_it(self, storage: Storage) -> None:
        """An error passes out of a snapshot, after which reads see the present again."""
        prepare(storage)
        with pytest.raises(ZeroDivisionError), storage.snapshot():
            raise ZeroDivisionError
        WRITES["tokens.end"](storage)
        assert storage.tokens.get(token_id(1)) == in_thread(lambda: storage.tokens.get(token_id(1)))

    def test_an_opening_is_fresh(self, storage: Storage) -> None:
        """What another thread has committed is in the very next opening."""
        prepare(storage)
        first = storage.opening(token_id(1))
        assert first.token is not None
        assert first.token.is_current
        in_thread(lambda: [WRITES[verb](storage) for verb in ("settings.put", "tokens.end")])
        second = storage.opening(token_id(1))
        assert second.token is not None
        assert not second.token.is_current
        assert (first.settings.version, second.settings.version) == (1, 2)

    def test_an_opening_within_a_snapshot_is_fresh(self, storage: Storage) -> None:
        """What is committed while a snapshot lasts is in the next opening all the same."""
        prepare(storage)
        with storage.snapshot():
            assert storage.tokens.get(token_id(1)) is not None
            writer = Running(lambda: WRITES["tokens.end"](storage))
            committed = writer.ends_within(_A_MOMENT)
            found = storage.opening(token_id(1)).token
            assert found is not None
            assert found.is_current != committed
        writer.result()
        after = storage.opening(token_id(1)).token
        assert after is not None
        assert not after.is_current

    # --- the end ------------------------------------------------------------------------

    def test_closing_twice_is_harmless(self, storage: Storage) -> None:
        """A storage may be closed again, and also when other threads have used it."""
        in_thread(lambda: prepare(storage))
        storage.close()
        storage.close()
