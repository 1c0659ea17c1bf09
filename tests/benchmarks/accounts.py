"""Documents, statements and aging of large accounts."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from basis_portal import DocumentKind, DocumentView, Page, PortalAccess
from basis_portal.domain.paging import write_cursor
from basis_portal.repositories import FullStorage
from basis_portal.storage import _sql
from basis_portal.storage.sqlite import SQLiteStorage

from .measure import Result, ratio
from .world import CUSTOMER, plain_connection, portal_over, save_account, save_documents

_LINES = (
    f"SELECT {_sql.ENTRY} FROM entries WHERE tenant = ? AND customer_id = ? AND currency = ? "
    "ORDER BY date, side, id"
)


def _access(storage: FullStorage) -> PortalAccess:
    portal = portal_over(storage)
    portal.tokens.generate(CUSTOMER, by="ana")
    return portal.open(portal.tokens.link(CUSTOMER).rsplit("/", 1)[1])


def documents(
    storages: Sequence[FullStorage], many: int, few: int, settle: Callable[[], None] = lambda: None
) -> list[Result]:
    """The first page of a customer's documents in two empty storages, among many and among few.

    ``settle`` does what a server's own maintenance does after so many rows.
    """
    pages = []
    for storage, count in zip(storages, (many, few), strict=True):
        save_documents(storage, count)
        pages.append(_access(storage).documents)
    settle()

    def first(page: Callable[..., Page[DocumentView]]) -> None:
        for _ in range(20):
            assert len(page(DocumentKind.SALES_INVOICE, limit=50)) == 50

    figure = ratio(lambda: first(pages[0]), lambda: first(pages[1]))
    kind = type(storages[0]).__name__
    return [Result(f"first 50 documents, {kind}", f"among {few:,}", figure, 1.5, f"among {many:,}")]


def statement(folder: Path, entries: int) -> list[Result]:
    """A long account as a stream, as a whole, and one page of it."""
    path = folder / "statement.db"
    storage = SQLiteStorage(path)
    save_account(storage, entries, 0)
    access, plain = _access(storage), plain_connection(path)
    where = ("default", CUSTOMER, "EUR")

    def floor() -> Decimal:
        balance = Decimal(0)
        for row in plain.execute(_LINES, where):
            dt.date.fromisoformat(row[3])
            if row[6]:
                dt.date.fromisoformat(row[6])
            balance += Decimal(row[5]) / 10000
        return balance

    def stream() -> None:
        deque(access.statement_lines("EUR"), maxlen=0)

    def whole() -> None:
        assert len(access.statement(aging=False).by_currency["EUR"].lines) == entries

    results = [
        Result(
            "statement as a stream",
            "rows, dates, Decimals, sum",
            ratio(stream, floor),
            3,
            f"{entries:,} entries",
        ),
        Result(
            "statement as a whole",
            "rows, dates, Decimals, sum",
            ratio(whole, floor, 5),
            5,
            f"{entries:,} entries",
        ),
        _page(access, plain, where, entries),
    ]
    plain.close()
    storage.close()
    return results


def _page(access: PortalAccess, plain: object, where: tuple[str, ...], entries: int) -> Result:
    middle = plain.execute(  # type: ignore[attr-defined]
        "SELECT date, side, id FROM entries WHERE tenant = ? AND customer_id = ? AND currency = ? "
        "ORDER BY date, side, id LIMIT 1 OFFSET ?",
        (*where, entries // 2),
    ).fetchone()
    after = write_cursor(*middle)
    balance = (
        "SELECT "
        + ", ".join(
            f"{half.format('units')} FILTER (WHERE side = {side})"
            for side in (0, 1)
            for half in _sql.HALVES.split(", ")
        )
        + " FROM entries WHERE tenant = ? AND customer_id = ? AND currency = ? "
        "AND (date, side, id) <= (?, ?, ?)"
    )
    lines = (
        f"SELECT {_sql.ENTRY} FROM entries WHERE tenant = ? AND customer_id = ? AND currency = ? "
        "AND (date, side, id) > (?, ?, ?) ORDER BY date, side, id LIMIT 50"
    )

    def ours() -> None:
        assert len(access.statement_page("EUR", after=after, limit=50).lines) == 50

    def floor() -> None:
        plain.execute(balance, (*where, *middle)).fetchone()  # type: ignore[attr-defined]
        assert len(plain.execute(lines, (*where, *middle)).fetchall()) == 50  # type: ignore[attr-defined]

    return Result(
        "one page of 50 lines",
        "the same two queries",
        ratio(ours, floor),
        3,
        f"{entries:,} entries",
    )


def aging(folder: Path, many: int, few: int, open_items: int) -> list[Result]:
    """Aging and summary as of today, with a long and with a short history."""
    storages, accesses = [], []
    for count in (many, few):
        storage = SQLiteStorage(folder / f"aging{count}.db")
        save_account(storage, count, open_items)
        storages.append(storage)
        accesses.append(_access(storage))

    def today(access: PortalAccess) -> None:
        found = access.statement(view="open_items").by_currency["EUR"]
        assert len(found.open_items) == open_items
        assert access.summary().by_currency["EUR"].balance == found.closing_balance

    figure = ratio(lambda: today(accesses[0]), lambda: today(accesses[1]))
    for storage in storages:
        storage.close()
    return [
        Result(
            "aging and summary as of today",
            f"the same among {few:,} entries",
            figure,
            1.5,
            f"{open_items:,} open items among {many:,}",
        )
    ]
