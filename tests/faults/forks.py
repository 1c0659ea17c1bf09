"""A process with an open storage forks, and parent and child go on with it at once.

Run as a program this module is that process, so that the child may end as any program does.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import attrs

from basis_portal import Customer, Portal, StorageError

from .figures import Figure, some
from .storages import PLACES, kind_of, made_for, open_storage, plain, portal_over, program, text_of

FORKS = 200
PARENT, CHILD = "C-1", "C-2"
_CHANGES = 3
_LARGE = 20_000  # customers: more than a connection to a file keeps in memory
_PATIENCE = 1800  # seconds for all forks


@attrs.define
class Forks:
    """What came of some forks.

    Attributes:
        forks: how many.
        tokens: which were acknowledged, by parent and child.
        messages: which were acknowledged.
        problems: what should not be.
    """

    forks: int = 0
    tokens: list[str] = attrs.field(factory=list)
    messages: list[str] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)

    def add(self, done: dict[str, Any]) -> None:
        """Take what one process was acknowledged."""
        self.tokens += done["tokens"]
        self.messages += done["messages"]
        self.problems += done["problems"]

    def figure(self, what: str) -> Figure:
        """The line of the table."""
        changes = len(self.tokens) + len(self.messages)
        found = f"{changes:,} changes acknowledged, {len(self.problems)} problems"
        holds = self.forks > 0 and changes > 0 and not self.problems
        return Figure(what, self.forks, found + some(self.problems), holds)


# --- in the process that forks ------------------------------------------------------------


def change(storage: Any, customer_id: str) -> dict[str, Any]:
    """Read and write as one customer's staff, and say what was acknowledged."""
    portal, done = portal_over(storage), {"tokens": [], "messages": [], "problems": []}
    try:
        for _ in range(_CHANGES):
            done["tokens"].append(portal.tokens.regenerate(customer_id, by="ana").id)
            done["messages"].append(portal.messages.reply(customer_id, "Thanks.").id)
            assert portal.open(text_of(portal, customer_id)).customer.id == customer_id
    except Exception as error:
        done["problems"].append(f"{customer_id}: {type(error).__name__}: {error}")
    return done


def connection_of(storage: Any) -> str:
    """Which connection this thread has: whose process opened it, or who serves it."""
    if "SQLite" in repr(storage):
        session = storage._database._session()
        return f"of process {session._process}, carried over: {session.is_inherited}"
    return str(storage._database.rows("SELECT pg_backend_pid()")[0][0])


def in_child(work: Callable[[], dict[str, Any]], *, plainly: bool) -> Callable[[], dict[str, Any]]:
    """Fork; the child works, says what it did, and ends by ``sys.exit`` or at once.

    What is returned waits for the child and gives what it said.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.write(writing, json.dumps(_tried(work)).encode())
        os.close(writing)
        if plainly:
            sys.exit(0)
        os._exit(0)
    os.close(writing)

    def wait() -> dict[str, Any]:
        with open(reading) as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        found = json.loads(said or '{"tokens": [], "messages": [], "problems": []}')
        if status or not said:
            found["problems"].append(f"the child ended with status {status}")
        return found

    return wait


def _tried(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What it says, or what it raised: a child must not go on as if it were its parent."""
    try:
        return work()
    except Exception as error:
        return {"tokens": [], "messages": [], "problems": [f"the child: {error}"]}


def at_rest(storage: Any, number: int) -> list[dict[str, Any]]:
    """Fork with a used connection; both processes write at once."""
    first = change(storage, PARENT)
    before = connection_of(storage)
    wait = in_child(lambda: _changed_in(storage, CHILD), plainly=number % 2 == 0)
    while_both = change(storage, PARENT)
    said = wait()
    after = change(storage, PARENT)
    if said.get("connection") == before:
        said["problems"].append("the child has the connection of its parent")
    if (found := connection_of(storage)) != before:
        after["problems"].append(f"the parent had connection {before} and has {found}")
    return [first, while_both, said, after]


def _changed_in(storage: Any, customer_id: str) -> dict[str, Any]:
    done = change(storage, customer_id)
    return {**done, "connection": connection_of(storage)}


def in_the_middle(storage: Any, number: int) -> list[dict[str, Any]]:
    """Fork within a transaction, every tenth time a large one; the parent goes on with it."""
    found: list[dict[str, Any]] = []

    def work(unit: Any) -> None:
        found.clear()
        found.append(change(storage, PARENT))
        if number % 10 == 1:
            storage.customers.save(*(Customer(f"L-{n}", "x" * 500) for n in range(_LARGE)))
        wait = in_child(lambda: _in_the_middle(storage), plainly=number % 2 == 1)
        found.append(change(storage, PARENT))
        found.append(wait())
        found.append(change(storage, PARENT))

    storage.transact(work, lock=[PARENT])
    found.append(change(storage, PARENT))
    return found


def _in_the_middle(storage: Any) -> dict[str, Any]:
    """A child of a transaction: a file refuses it, a server has a connection for it."""
    done = change(storage, CHILD)
    if "SQLite" not in repr(storage):
        return done
    problems = [one for one in done["problems"] if "was in use when this process was forked" in one]
    if len(problems) != 1 or done["tokens"]:
        return {**done, "problems": [f"the child was not refused: {done}"]}
    return {**done, "problems": []}


def by_multiprocessing(storage: Any, number: int) -> list[dict[str, Any]]:
    """A process of the standard library, started by a fork."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    first = change(storage, PARENT)
    before = connection_of(storage)
    process = context.Process(
        target=lambda: results.put(_tried(lambda: _changed_in(storage, CHILD)))
    )
    process.start()
    while_both = change(storage, PARENT)
    said = results.get()
    process.join()
    if process.exitcode or said.get("connection") == before:
        said["problems"].append(f"status {process.exitcode}, connection {said.get('connection')}")
    return [first, while_both, said, change(storage, PARENT)]


WAYS: dict[str, Callable[[Any, int], list[dict[str, Any]]]] = {
    "at rest": at_rest,
    "in the middle of a transaction": in_the_middle,
    "by multiprocessing": by_multiprocessing,
}


def main(spec: str, way: str, count: int) -> None:
    """Fork so often and print what was acknowledged."""
    found = Forks(count)
    with closing(open_storage(spec)) as storage:
        for number in range(count):
            try:
                for done in WAYS[way](storage, number):
                    found.add(done)
            except Exception as error:
                found.problems.append(f"the parent: {type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(attrs.asdict(found)))


# --- looking at what it left --------------------------------------------------------------


def fork(spec: str, way: str, count: int) -> Forks:
    """Let a process fork so often, and look whether all that was acknowledged is there."""
    with closing(open_storage(spec)) as storage:
        portal = made_for(storage, PARENT, CHILD)
        for one in (PARENT, CHILD):
            portal.tokens.generate(one)
    with program("forks", spec, way, count) as started:
        said, _ = started.communicate(timeout=_PATIENCE)
        status = started.returncode
    if status:
        return Forks(count, problems=[f"the program ended with status {status}"])
    found = Forks(**json.loads(said))
    with closing(plain(spec)) as connection:
        try:
            found.problems += _missing(connection, found)
        except sqlite3.DatabaseError as error:
            found.problems.append(str(error))
    with closing(open_storage(spec)) as storage:
        found.problems += _wrong(portal_over(storage))
    return found


def _missing(connection: Any, found: Forks) -> Iterator[str]:
    """What was acknowledged, and is not in the tables."""
    for table, wanted in (("tokens", found.tokens), ("messages", found.messages)):
        there = {one for (one,) in connection.execute(f"SELECT id FROM {table}").fetchall()}
        first = 2 if table == "tokens" else 0
        if lost := set(wanted) - there:
            yield f"{len(lost)} of {len(wanted)} {table} are lost"
        if len(there) != len(set(wanted)) + first:
            yield f"{len(there)} {table} are there, and {len(wanted)} were acknowledged"
    if isinstance(connection, sqlite3.Connection):
        said = connection.execute("PRAGMA integrity_check").fetchall()
        if said != [("ok",)]:
            yield f"integrity_check: {' '.join(said[0][0].split())[:80]}"


def _wrong(portal: Portal) -> Iterator[str]:
    for one in (PARENT, CHILD):
        try:
            current = [token for token in portal.tokens.history(one) if token.is_current]
        except StorageError as error:
            yield str(error)
        else:
            if len(current) != 1:
                yield f"{one} has {len(current)} active tokens"


def run(scale: int) -> list[Figure]:
    """On both storages."""
    counts = dict.fromkeys(WAYS, max(4, FORKS // scale)) | {"by multiprocessing": 1}
    figures = []
    for place in PLACES:
        for way, count in counts.items():
            with place() as spec:
                figures.append(fork(spec, way, count).figure(f"{kind_of(spec)}: fork {way}"))
    return figures


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
