"""What a storage promises of the calls that wait for a commit."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ...errors import CustomerNotFound
from ...repositories import Storage, UnitOfWork
from ..builders import an_audit_entry
from .base import EXAMPLES, Kit, Running, a_new_id, in_thread
from .transactions import Stop, refuse

Part = tuple[Sequence[Any], bool]
"""A transaction: its steps, each None (a write and a call) or a part, and whether it fails."""

# Another thread may be kept waiting until a transaction has ended, which is right as well.
_A_MOMENT = 0.2

_steps: st.SearchStrategy[Any] = st.recursive(
    st.none(), lambda inner: st.tuples(st.lists(inner, max_size=4), st.booleans()), max_leaves=12
)
parts: st.SearchStrategy[Part] = st.tuples(st.lists(_steps, min_size=1, max_size=4), st.booleans())
"""Transactions with others within them, several deep, some of which fail."""


def note(work: UnitOfWork, detail: str, customer_id: str = "ann") -> None:
    """Write a line of the trail."""
    work.audit.append([an_audit_entry(customer_id=customer_id, detail=detail)])


def noted(storage: Storage, customer_id: str = "ann") -> list[str]:
    """What was written, oldest first."""
    found = storage.audit.page(customer_id=customer_id, limit=1000)
    return [entry.detail or "" for _, entry in found][::-1]


class AfterCommitConformance(Kit):
    """What was registered is called once its transaction is committed, and only then."""

    def test_a_call_waits_for_the_commit(self, storage: Storage) -> None:
        """A call is made when all others see the change, on the thread that made it."""
        calls: list[object] = []

        def call() -> None:
            calls.append((threading.get_ident(), in_thread(lambda: noted(storage))))

        def work(unit: UnitOfWork) -> str:
            note(unit, "first")
            storage.after_commit(call)
            note(unit, "second")
            assert calls == []
            return "done"

        assert storage.transact(work, lock=["ann"]) == "done"
        assert calls == [(threading.get_ident(), ["first", "second"])]

    def test_without_a_transaction_a_call_is_made_at_once(self, storage: Storage) -> None:
        """Where nothing waits for a commit a call does not wait, and is made once."""
        calls: list[int] = []
        for number in range(2):
            storage.after_commit(partial(calls.append, number))
            assert calls == list(range(number + 1))
        storage.transact(partial(note, detail="later"))
        assert calls == [0, 1]

    @pytest.mark.parametrize("error", [ZeroDivisionError(), CustomerNotFound("gone"), Stop()])
    def test_nothing_is_called_after_a_failure(
        self, storage: Storage, error: BaseException
    ) -> None:
        """What a transaction registered that failed is never called, whatever commits later."""
        calls: list[str] = []

        def work(_: UnitOfWork) -> None:
            storage.after_commit(partial(calls.append, "failed"))
            refuse(error)

        with pytest.raises(type(error)):
            storage.transact(work)
        storage.transact(lambda _: storage.after_commit(partial(calls.append, "committed")))
        assert calls == ["committed"]

    @given(part=parts)
    @EXAMPLES
    def test_what_was_committed_is_called_in_its_order(self, storage: Storage, part: Part) -> None:
        """Of transactions in transactions exactly the parts that stay are called, in order."""
        customer_id, calls, steps = a_new_id(), list[str](), list[str]()

        def run(unit: UnitOfWork, part: Part) -> None:
            for step in part[0]:
                if step is None:
                    steps.append(f"step {len(steps)}")
                    note(unit, steps[-1], customer_id)
                    storage.after_commit(partial(calls.append, steps[-1]))
                else:
                    attempt(step)
            assert calls == []
            if part[1]:
                raise ZeroDivisionError

        def attempt(part: Part) -> None:
            try:
                storage.transact(lambda unit: run(unit, part))
            except ZeroDivisionError:
                assert part[1]

        attempt(part)
        assert calls == noted(storage, customer_id)

    def test_an_error_of_a_call_reaches_nobody(self, storage: Storage) -> None:
        """A call that fails neither stops the others nor undoes or hides what was done."""
        calls: list[str] = []

        def work(unit: UnitOfWork) -> str:
            note(unit, "done")
            for name in ("before", "after"):
                storage.after_commit(partial(calls.append, name))
                storage.after_commit(partial(refuse, CustomerNotFound("gone")))
            return "done"

        assert storage.transact(work) == "done"
        storage.after_commit(partial(refuse, ZeroDivisionError()))
        assert calls == ["before", "after"]
        assert noted(storage) == ["done"]

    def test_a_call_may_use_the_storage(self, storage: Storage) -> None:
        """Within a call transactions commit and fail as ever, and have calls of their own."""
        calls: list[str] = []

        def write(unit: UnitOfWork, detail: str, error: Exception | None = None) -> None:
            note(unit, detail)
            storage.after_commit(partial(calls.append, f"called after {detail}"))
            if error:
                raise error

        def call() -> None:
            with pytest.raises(ZeroDivisionError):
                storage.transact(partial(write, detail="failed", error=ZeroDivisionError()))
            storage.transact(partial(write, detail="second"), lock=["ann"])
            assert in_thread(lambda: noted(storage)) == ["first", "second"]
            note(storage, "third")
            calls.append("call")

        def work(unit: UnitOfWork) -> None:
            storage.after_commit(call)
            write(unit, "first")

        storage.transact(work, lock=["ann"])
        assert calls == ["called after second", "call", "called after first"]
        assert noted(storage) == ["first", "second", "third"]

    def test_in_a_snapshot_a_call_waits_for_its_end(self, storage: Storage) -> None:
        """A snapshot is over when what was registered in it is called, so that it may write."""
        calls: list[str] = []

        def call() -> None:
            storage.transact(partial(note, detail="after the snapshot"))
            calls.append("call")

        with storage.snapshot():
            with storage.snapshot():
                storage.after_commit(call)
            assert calls == []
        assert calls == ["call"]
        assert noted(storage) == ["after the snapshot"]

    def test_the_calls_of_threads_stay_apart(self, storage: Storage) -> None:
        """What one thread registers does not wait for the transaction of another, nor fall with it.

        It may be kept waiting until that has ended.
        """
        calls: list[tuple[str, int]] = []
        others: list[Running] = []

        def register(name: str) -> int:
            storage.after_commit(lambda: calls.append((name, threading.get_ident())))
            return threading.get_ident()

        def work(_: UnitOfWork) -> None:
            register("fails")
            others.append(Running(lambda: register("other")))
            others[-1].ends_within(_A_MOMENT)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            storage.transact(work)
        assert [("other", other.result()) for other in others] == calls
