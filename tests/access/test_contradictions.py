"""What contradicts itself gives an error rather than a wrong figure, or is left out and logged."""

from __future__ import annotations

import datetime as dt
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from basis_portal import (
    AllocationRule,
    EntryKind,
    LedgerEntry,
    LedgerError,
    OpenItem,
    Portal,
    PortalAccess,
    StorageError,
    Tone,
)
from basis_portal.domain.money import total
from basis_portal.testing.builders import a_customer, a_payment, an_allocation, an_entry, an_invoice
from basis_portal.testing.clocks import FrozenClock

from .worlds import INVOICE, HostLedger, all_pages, link_text, opened, over

DAY = dt.date(2025, 1, 10)
INV = an_entry("INV", amount=Decimal(100), date=DAY)
PAY = a_payment("PAY", amount=Decimal(40), date=DAY)
PAID = an_allocation("PAID", debit_id="INV", credit_id="PAY", amount=Decimal(40), date=DAY)

STATEMENTS: list[Callable[[PortalAccess], Any]] = [
    lambda access: access.statement(),
    lambda access: access.statement(view="open_items"),
    lambda access: access.summary(),
    lambda access: access.documents(INVOICE),
    lambda access: access.document("INV"),
]
LISTS: list[Callable[[PortalAccess], Any]] = [
    lambda access: access.statement(aging=False),
    lambda access: access.statement_page("EUR"),
    lambda access: list(access.statement_lines("EUR")),
]


def of_host(storage: Any, ledger: Any, rule: AllocationRule = AllocationRule.EXPLICIT) -> Any:
    """The access of a customer whose ledger is a host's."""
    storage.documents.save(an_invoice("INV"))
    return opened(over(storage, ledger=ledger, allocation_rule=rule), "C-1001")


# --- what stands there twice --------------------------------------------------------------


@pytest.mark.parametrize("rule", AllocationRule)
@pytest.mark.parametrize("again", [INV, attrs.evolve(INV, amount=Decimal(7)), PAY])
def test_entries_with_one_id(
    portal: Portal, storage: Any, rule: AllocationRule, again: LedgerEntry
) -> None:
    """Two entries of one id, alike or not, give no figure in any view; the error names the id."""
    allocations = [PAID] if rule is AllocationRule.EXPLICIT else []
    access = of_host(storage, HostLedger([INV, PAY, again], allocations), rule)
    for call in (*STATEMENTS, *LISTS):
        with pytest.raises(LedgerError, match=repr(again.id)) as caught:
            call(access)
        assert caught.value.ids == (again.id,)
    good = of_host(storage, HostLedger([INV, PAY, attrs.evolve(again, id="3rd")], allocations))
    assert good.statement().by_currency["EUR"].closing_balance == 60 + again.signed_amount


@pytest.mark.parametrize("amount", [40, 1])
def test_allocations_with_one_id(portal: Portal, storage: Any, amount: int) -> None:
    """Two allocations of one id, alike or not, give no figure of what is open."""
    again = attrs.evolve(PAID, amount=Decimal(amount))
    big = attrs.evolve(PAY, amount=Decimal(90))
    access = of_host(storage, HostLedger([INV, big], [PAID, again]))
    for call in STATEMENTS:
        with pytest.raises(LedgerError, match="'PAID'") as caught:
            call(access)
        assert caught.value.ids == ("PAID",)
    good = of_host(storage, HostLedger([INV, big], [PAID, attrs.evolve(again, id="3rd")]))
    assert good.document("INV").document.open_amount == 60 - amount


# --- what a host says is open -------------------------------------------------------------


@attrs.define
class Telling(HostLedger):
    """A host that says what is open."""

    items: Sequence[OpenItem] = ()

    def open_items(self, customer_id: str, as_of: dt.date) -> Any:
        """What it says."""
        return iter(self.items)

    def currencies(self, customer_id: str, *, until: dt.date) -> Any:
        """The one currency."""
        return ["EUR"]

    def last_payments(self, customer_id: str, *, until: dt.date) -> Any:
        """None."""
        return {}


@pytest.mark.parametrize(
    "items",
    [
        [],
        [OpenItem(INV, Decimal(100))],
        [OpenItem(INV, Decimal("60.01"))],
        [OpenItem(INV, Decimal(60)), OpenItem(INV, Decimal(60))],
    ],
)
def test_open_items_that_are_not_the_balance(
    portal: Portal, storage: Any, items: list[OpenItem]
) -> None:
    """Where what a host says is open is not the balance of its entries there is no statement."""
    access = of_host(storage, Telling([INV, PAY], [PAID], items))
    for start in (None, DAY, dt.date(2025, 1, 11)):
        with pytest.raises(LedgerError, match=r"EUR add up to|open item twice in the ledger"):
            access.statement(start)
    good = of_host(storage, Telling([INV, PAY], [PAID], [OpenItem(INV, Decimal(60))]))
    for start in (None, DAY, dt.date(2025, 1, 11)):
        assert good.statement(start).by_currency["EUR"].closing_balance == 60


# --- pages of entries that were not asked for ---------------------------------------------


@attrs.define
class Careless(HostLedger):
    """A host whose pages of entries ignore some of what they are asked for.

    Attributes:
        ignored: the names of what is ignored.
        times: how often each entry stands on a page.
    """

    ignored: frozenset[str] = frozenset()
    times: int = 1

    def entry_page(
        self,
        customer_id: str,
        currency: str,
        *,
        start: dt.date | None,
        end: dt.date | None,
        after: Any,
        limit: int,
    ) -> Any:
        """The page, but for what is ignored."""
        wrong = self.ignored
        found = [
            one
            for one in sorted(self.all_entries, key=lambda one: one.key)
            if ("currency" in wrong or one.currency == currency)
            and ("start" in wrong or start is None or start <= one.date)
            and ("end" in wrong or end is None or one.date <= end)
            and ("after" in wrong or after is None or one.key > after)
        ]
        return [one for one in found for _ in range(self.times)][:limit]

    def balance_through(self, customer_id: str, currency: str, key: Any) -> Decimal:
        """The balance up to a place."""
        through = [e for e in self.all_entries if e.currency == currency and e.key <= key]
        return total(entry.signed_amount for entry in through)


MIXED = [
    an_entry(f"E{n:02}", date=dt.date(2025, 1, 1 + n // 4), currency=("EUR", "USD")[n % 2])
    for n in range(80)
]
PERIODS = [(None, None), (dt.date(2025, 1, 3), dt.date(2025, 1, 9)), (None, dt.date(2025, 1, 5))]


@pytest.mark.parametrize(
    ("ignored", "times", "limit"),
    [
        ({"currency"}, 1, 3),
        ({"start"}, 1, 3),
        ({"end"}, 1, 3),
        ({"currency", "start", "end"}, 1, 3),
        ({"after"}, 1, 50),
    ],
)
def test_entries_not_asked_for(
    portal: Portal,
    storage: Any,
    caplog: pytest.LogCaptureFixture,
    ignored: set[str],
    times: int,
    limit: int,
) -> None:
    """Entries that a page should not hold are left out and logged, and change no balance."""
    wrong = of_host(storage, Careless(MIXED, (), frozenset(ignored), times))
    good = of_host(storage, HostLedger(MIXED))
    caplog.clear()
    for currency in ("EUR", "USD"):
        for start, end in PERIODS:
            expected = list(good.statement_lines(currency, start, end))
            assert expected
            assert list(wrong.statement_lines(currency, start, end)) == expected
            pages = all_pages(wrong.statement_page, currency, start, end, limit=limit)
            assert [line for page in pages for line in page.lines] == expected
            assert pages[-1].carried_forward == expected[-1].balance
    after = good.statement_page("EUR", limit=5).next
    assert wrong.statement_page("EUR", after=after) == good.statement_page("EUR", after=after)
    faults = [r for r in caplog.records if "entries not asked for" in r.getMessage()]
    assert faults
    assert {record.levelno for record in faults} == {logging.ERROR}


@pytest.mark.parametrize("limit", [3, 50])
def test_a_page_with_an_entry_twice_is_refused(portal: Portal, storage: Any, limit: int) -> None:
    """A page that holds an entry twice gives no balance rather than a wrong one."""
    access = of_host(storage, Careless(MIXED, (), frozenset(), 2))
    with pytest.raises(LedgerError, match="entry twice in the ledger: 'E00'"):
        access.statement_page("EUR", limit=limit)
    with pytest.raises(LedgerError, match="entry twice in the ledger: 'E00'"):
        list(access.statement_lines("EUR"))


class Unordered(Careless):
    """A host that pages its entries by date and id, credits among the debits."""

    def entry_page(self, *args: Any, **kwargs: Any) -> Any:
        """The page, in its own order."""
        return sorted(super().entry_page(*args, **kwargs), key=lambda e: (e.date, e.id))


def test_a_page_out_of_order_is_refused(portal: Portal, storage: Any) -> None:
    """A page not in the order of a statement gives no balance rather than a wrong one."""
    payment = an_entry("A-1", kind=EntryKind.PAYMENT, amount=40)
    entries = [an_entry("Z-1", amount=100), payment]
    good = of_host(storage, Careless(entries))
    assert good.statement_page("EUR").carried_forward == 60
    access = of_host(storage, Unordered(entries))
    with pytest.raises(LedgerError, match="not by date, debits before credits") as refused:
        access.statement_page("EUR")
    assert refused.value.ids == ("A-1", "Z-1")
    with pytest.raises(LedgerError, match="not by date, debits before credits"):
        list(access.statement_lines("EUR"))


@pytest.mark.parametrize("amount", ["0", "-1", "100.01"])
def test_an_open_item_beyond_its_entry_is_refused(
    portal: Portal, storage: Any, amount: str
) -> None:
    """Where a host says that more is open of an entry than it has nothing is shown."""
    access = of_host(storage, Telling([INV], [], [OpenItem(INV, Decimal(amount))]))
    for look in (access.summary, lambda: access.statement(view="open_items")):
        with pytest.raises(LedgerError, match="more is open of an entry than it has") as refused:
            look()
        assert refused.value.ids == (INV.id,)
    good = of_host(storage, Telling([INV], [], [OpenItem(INV, Decimal(100))]))
    assert good.summary().by_currency["EUR"].balance == 100


def test_entries_asked_for(portal: Portal, storage: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A host whose pages hold what they are asked for is not complained of."""
    access = of_host(storage, Careless(MIXED))
    pages = all_pages(access.statement_page, "EUR", *PERIODS[1], limit=3)
    assert sum(len(page.lines) for page in pages) == 14
    assert len(list(access.statement_lines("USD"))) == 30
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# --- the due date: the ledger says it -----------------------------------------------------


def test_the_due_date_is_the_ledger_s(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """An invoice is overdue where the ledger says so, whatever date the document bears."""
    storage.documents.save(
        an_invoice("INV", due_date=dt.date(2025, 1, 11)), an_invoice("LATE", due_date=None)
    )
    storage.ledger.save(attrs.evolve(INV, due_date=None, document_id="INV"))
    access = opened(portal, "C-1001")
    clock.set(dt.datetime(2025, 1, 20, 12, tzinfo=dt.UTC))
    for view in (access.document("INV").document, *access.documents(INVOICE, open_only=True)):
        assert view.state.words == "Open, 5 days since invoice date"
        assert view.state.tone is Tone.OPEN
    glance = access.summary().by_currency["EUR"]
    assert glance.open == 100
    assert glance.overdue == 0
    assert glance.oldest_overdue is None
    storage.ledger.save(an_entry("LATE", date=DAY, due_date=dt.date(2025, 1, 18)))
    late = access.document("LATE").document
    assert (late.state.words, late.state.tone) == ("2 days overdue", Tone.OVERDUE)
    assert access.summary().by_currency["EUR"].overdue == 119


# --- settings that nobody of ours wrote ---------------------------------------------------


@pytest.mark.parametrize("depth", [1, 10, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_settings_nested_deeply(
    make_storage: Callable[[str], Any], tmp_path: Path, depth: int, begin: str, end: str
) -> None:
    """A row of settings that cannot be read, however deep, is a storage that cannot be read."""
    storage = make_storage("sqlite")
    storage.customers.save(a_customer("C-1001"))
    portal = over(storage)
    access = opened(portal, "C-1001")
    text = link_text(portal, "C-1001")
    (config,) = rows(tmp_path, "SELECT config FROM settings")
    rows(tmp_path, "UPDATE settings SET config = ?", begin * depth + "0" + end * depth)
    for call in (portal.settings.get, access.summary, lambda: portal.open(text)):
        with pytest.raises(StorageError):
            call()
    rows(tmp_path, "UPDATE settings SET config = ?", *config)
    assert portal.open(text).customer.id == "C-1001"


def rows(folder: Path, sql: str, *values: Any) -> list[Any]:
    """What another program reads or writes in the file."""
    with closing(sqlite3.connect(folder / "portal.db")) as connection, connection:
        return connection.execute(sql, values).fetchall()
