"""PostgreSQL: opening links, issuing to many, and long lists of documents."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Barrier, Thread
from typing import Any

import psycopg
from tests.postgres_server import Server, schema_name

from basis_portal import Portal
from basis_portal.storage import _sql
from basis_portal.storage.postgres import PostgresStorage

from .accounts import documents
from .measure import Result, ratio, seconds
from .world import batches, customers, portal_over, save_tokens

LINKS = 2000
THREADS = 16
_ROWS = {
    "tokens": f"tenant, {_sql.TOKEN}, is_latest",
    "audit": f"tenant, {_sql.AUDIT}",
}


def run(tokens: int, issued: int, many: int) -> list[Result]:
    """All lines, on a server of its own with the settings it is shipped with."""
    with Server(durable=True) as server:
        return [
            *_opening(server.dsn, tokens),
            *_issuing(server.dsn, issued),
            *_documents(server.dsn, many, min(10_000, many)),
        ]


@contextmanager
def _storages(dsn: str, count: int = 1, pool_size: int = 10) -> Iterator[list[PostgresStorage]]:
    with ExitStack() as stack:
        made = [
            PostgresStorage(dsn, schema=schema_name(), pool_size=pool_size) for _ in range(count)
        ]
        for storage in made:
            stack.callback(storage.close)
        yield made


def _analyze(dsn: str) -> None:
    """What the server's own maintenance does after so many rows, before we measure."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


# --- opening ------------------------------------------------------------------------------


def _opening(dsn: str, tokens: int) -> list[Result]:
    with _storages(dsn, pool_size=THREADS) as (storage,):
        save_tokens(storage, tokens)
        _analyze(dsn)
        portal = portal_over(storage)
        texts = _some_links(portal, storage)
        sql = storage._database._translate(_sql.OPENING)
        return [_one_by_one(dsn, portal, texts, sql, tokens), _at_once(dsn, portal, texts, sql)]


def _some_links(portal: Portal, storage: PostgresStorage) -> list[str]:
    ids = storage._database.each(str, "SELECT customer_id FROM tokens")
    chosen = random.Random(1).sample(ids, min(LINKS, len(ids)))
    texts = [portal.tokens.link(one).rsplit("/", 1)[1] for one in chosen]
    for text in texts:
        portal.open(text)
    return texts


def _plainly(connection: psycopg.Connection[Any], sql: str, texts: Sequence[str]) -> None:
    for text in texts:
        assert connection.execute(sql, ("default", text[:22])).fetchone()


def _one_by_one(dsn: str, portal: Portal, texts: list[str], sql: str, tokens: int) -> Result:
    def ours() -> None:
        for text in texts:
            portal.open(text)

    with psycopg.connect(dsn, autocommit=True) as plain:
        figure = ratio(ours, lambda: _plainly(plain, sql, texts))
    floor = "the same statement, plain psycopg"
    return Result("open, PostgreSQL", floor, figure, 1.8, f"{tokens:,} tokens")


def _at_once(dsn: str, portal: Portal, texts: list[str], sql: str) -> Result:
    """Threads that open links, against as many that have a connection each."""
    with ExitStack() as stack:
        plain = [stack.enter_context(psycopg.connect(dsn, autocommit=True)) for _ in range(THREADS)]
        shares = [texts[number::THREADS] for number in range(THREADS)]

        def open_all(number: int) -> None:
            for text in shares[number]:
                portal.open(text)

        def floor(number: int) -> None:
            _plainly(plain[number], sql, shares[number])

        figure = ratio(lambda: _in_threads(open_all), lambda: _in_threads(floor))
    return Result(
        f"open, {THREADS} threads", "plain psycopg, a connection each", figure, 1 / 0.6, "0.6 of it"
    )


def _in_threads(work: Callable[[int], None]) -> None:
    ready = Barrier(THREADS)
    done: list[int] = []

    def share(number: int) -> None:
        ready.wait()
        for _ in range(4):
            work(number)
        done.append(number)

    threads = [Thread(target=share, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == THREADS


# --- issuing and lists --------------------------------------------------------------------


def _issuing(dsn: str, count: int) -> list[Result]:
    ratios = []
    for _ in range(3):
        with _storages(dsn, 2) as (ours, floor):
            for batch in batches(customers(count)):
                ours.customers.save(*batch)
            _analyze(dsn)
            portal = portal_over(ours)
            ids = (f"C-{number:07}" for number in range(count))
            taken = seconds(lambda p=portal, i=ids: deque(p.tokens.ensure_many(i), maxlen=0))
            ratios.append(taken / _copied(dsn, ours, floor))
    floor_name = "COPY of the same rows"
    return [
        Result("ensure_many, PostgreSQL", floor_name, sorted(ratios)[1], 4, f"{count:,} customers")
    ]


def _copied(dsn: str, source: PostgresStorage, target: PostgresStorage) -> float:
    rows = {
        table: source._database.rows(f"SELECT {columns} FROM {table}")
        for table, columns in _ROWS.items()
    }
    schema = target._database.schema
    with psycopg.connect(dsn) as plain:

        def write() -> None:
            for table, columns in _ROWS.items():
                with plain.cursor().copy(f"COPY {schema}.{table} ({columns}) FROM STDIN") as copy:
                    for row in rows[table]:
                        copy.write_row(row)
            plain.commit()

        return seconds(write)


def _documents(dsn: str, many: int, few: int) -> list[Result]:
    with _storages(dsn, 2) as storages:
        return documents(storages, many, few, lambda: _analyze(dsn))
