"""The account is the same whatever keeps it, and it adds up in every view of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import (
    AccessDenied,
    AllocationRule,
    Document,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    LedgerError,
    OpenItem,
    Portal,
    PortalAccess,
    SectionHidden,
    StatementOfAccount,
)
from basis_portal.domain.money import negate, total
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_customer, a_payment, an_allocation, an_entry
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers

from .test_documents import documents_of
from .worlds import (
    CAPABILITIES,
    CREDIT_NOTE,
    INVOICE,
    HostDocuments,
    HostLedger,
    all_pages,
    offering,
    opened,
    over,
)

CURRENCIES = ("EUR", "JPY", "USD")
PAST = dt.date(2025, 1, 10)
INV = an_entry("INV", amount=Decimal(100), date=PAST)
PAY = a_payment("PAY", amount=Decimal(100), date=PAST)


def noon(day: dt.date) -> dt.datetime:
    """The middle of a day in UTC."""
    return dt.datetime.combine(day, dt.time(12), dt.UTC)


def picture(access: PortalAccess, start: dt.date | None, end: dt.date | None) -> dict[str, Any]:
    """Everything an access says of an account and its documents."""
    views: dict[str, Any] = {
        "all": access.statement(),
        "period": access.statement(start, end),
        "by date": access.statement(start, end, age_by="date"),
        "without aging": access.statement(start, end, aging=False),
        "open items": access.statement(end=end, view="open_items"),
        "summary": access.summary(),
    }
    for currency in CURRENCIES:
        views[f"{currency} lines"] = list(access.statement_lines(currency, start, end))
        views[f"{currency} pages"] = all_pages(access.statement_page, currency, start, end, limit=3)
    for kind in (INVOICE, CREDIT_NOTE):
        views[f"{kind}"] = access.documents(kind, limit=200)
        views[f"{kind} open"] = access.documents(kind, limit=200, open_only=True)
        views[f"{kind} details"] = [access.document(one.id) for one in views[f"{kind}"]]
    return views


class WithoutAllocations(HostLedger):
    """A host that has no allocations and is never asked for them."""

    def allocations(self, customer_id: str) -> Any:
        """Nobody may ask."""
        raise AssertionError("a host without allocations was asked for them")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A storage of each kind for all examples of this module."""
    from basis_portal.storage.sqlite import SQLiteStorage

    sqlite = SQLiteStorage(tmp_path_factory.mktemp("accounts") / "portal.db")
    yield {"memory": InMemoryStorage(), "sqlite": sqlite}
    sqlite.close()


def hosts(
    kept: dict[str, Any], entries: Sequence[LedgerEntry], ledger: Ledger, documents: Any, fifo: bool
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Each way to keep one ledger: a name, the storage, and the repositories a host gives."""
    for name, storage in kept.items():
        storage.customers.save(a_customer(ledger.customer_id))
        storage.documents.save(*documents)
        storage.ledger.save(*entries)
        storage.ledger.allocate(*ledger.allocations)
        yield name, storage, {}
    storage, full = kept["memory"], kept["memory"].ledger
    given = {"documents": HostDocuments(documents)}
    allocations = sorted(ledger.allocations, key=lambda one: one.id)
    bare = (WithoutAllocations if fifo else HostLedger)(entries, allocations)
    yield "bare host", storage, {**given, "ledger": bare}
    for one in CAPABILITIES:
        yield f"host with {one}", storage, {**given, "ledger": offering(full, one)}
    yield "host with all", storage, {**given, "ledger": offering(full, *CAPABILITIES)}


_number = iter(range(10**9))


@pytest.mark.parametrize("rule", AllocationRule)
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    ledger=ledgers(),
    day=ledger_days(),
    bounds=st.tuples(st.none() | ledger_days(), st.none() | ledger_days()),
)
def test_the_same_account_everywhere(
    kept: dict[str, Any],
    rule: AllocationRule,
    ledger: Ledger,
    day: dt.date,
    bounds: tuple[dt.date | None, dt.date | None],
) -> None:
    """Statement, pages, streams, summary and documents are the same whoever keeps the ledger."""
    ledger = ledger.of_customer(f"C-{next(_number)}")
    documents, entries = own_documents(ledger)
    start, end = bounds
    if start and start > min(end or day, day):
        start = None
    pictures: dict[str, Any] = {}
    fifo = rule is AllocationRule.FIFO
    for name, storage, repositories in hosts(kept, entries, ledger, documents, fifo):
        portal = over(storage, FrozenClock(noon(day)), allocation_rule=rule, **repositories)
        pictures[name] = picture(opened(portal, ledger.customer_id), start, end)
    first = pictures["memory"]
    for name, found in pictures.items():
        for view in first:
            assert found[view] == first[view], f"{view} of {name}"
    check_picture(first, start, min(end or day, day))


def own_documents(ledger: Ledger) -> tuple[list[Document], list[LedgerEntry]]:
    """As `documents_of`, under ids no other customer has."""
    documents, entries = documents_of(ledger)
    mine = ledger.customer_id

    def own(id: str | None) -> Any:
        return id and f"{id}:{mine}"

    return (
        [attrs.evolve(one, id=own(one.id)) for one in documents],
        [attrs.evolve(one, document_id=own(one.document_id)) for one in entries],
    )


# --- it adds up ---------------------------------------------------------------------------


def check_picture(views: dict[str, Any], start: dt.date | None, last: dt.date) -> None:
    """Every view of one account agrees with every other."""
    for name in ("all", "period", "by date"):
        check_statement(views[name])
    period, items = views["period"], views["open items"]
    assert (period.start == start) if start else (period.start <= period.end)
    assert period.end == items.end == last
    check_open_items(items, period)
    assert {c: without_aging(one) for c, one in period.by_currency.items()} == dict(
        views["without aging"].by_currency
    )
    for currency in CURRENCIES:
        check_pages(views, currency)
    for currency, one in views["all"].by_currency.items():
        summary = views["summary"].by_currency[currency]
        assert summary.balance == one.closing_balance
        assert summary.open == one.aging.open_debits
        assert -summary.unapplied_credits == one.aging.unapplied_credits
    assert set(views["summary"].by_currency) == set(views["all"].by_currency)


def check_statement(statement: StatementOfAccount) -> None:
    """Opening, lines and closing add up; so do buckets and unapplied credits."""
    one: Any
    for currency, one in statement.by_currency.items():
        balance = one.opening_balance
        keys = [line.entry.key for line in one.lines]
        assert keys == sorted(keys)
        for line in one.lines:
            assert line.entry.currency == currency
            assert statement.start <= line.date <= statement.end
            balance = total((balance, line.entry.signed_amount))
            assert line.balance == balance
            check_line(line, one.open_items)
        assert one.closing_balance == balance
        moved = total((one.opening_balance, one.charged, negate(one.credited)))
        assert moved == one.closing_balance
        buckets = [bucket.amount for bucket in one.aging.buckets]
        assert total((*buckets, one.aging.unapplied_credits)) == one.closing_balance
        assert one.aging.total == one.closing_balance


def check_line(line: Any, items: Any) -> None:
    """A line's applied parts and what is left of it agree with the open items."""
    left = {item.entry.id: item.open_amount for item in items}.get(line.entry.id, Decimal(0))
    applied = total(part.amount for part in line.applied)
    assert total((left, applied)) == line.entry.amount
    assert line.unapplied == (None if line.entry.is_debit else left)


def check_open_items(items: StatementOfAccount, period: StatementOfAccount) -> None:
    """The open-items view has the open items, ages and closing balance of the activity."""
    assert set(items.by_currency) == set(period.by_currency)
    for currency, one in items.by_currency.items():
        activity = period.by_currency[currency]
        assert one.open_items == activity.open_items
        assert one.aging == activity.aging
        assert one.closing_balance == activity.closing_balance
        assert one.lines == ()
        assert one.opening_balance is one.charged is one.credited is None


def without_aging(statement: Any) -> Any:
    """The statement of a currency as it is where no aging was asked for."""
    lines = tuple(attrs.evolve(line, applied=(), unapplied=None) for line in statement.lines)
    return attrs.evolve(statement, lines=lines, open_items=(), aging=None)


def check_pages(views: dict[str, Any], currency: str) -> None:
    """Pages joined, and the stream, are the lines of the statement; balances are carried."""
    pages, whole = views[f"{currency} pages"], views["period"].by_currency.get(currency)
    lines = [line for page in pages for line in page.lines]
    assert lines == list(whole.lines if whole else ())
    streamed = list(without_aging(whole).lines if whole else ())
    assert streamed == views[f"{currency} lines"]
    assert pages[0].brought_forward == (whole.opening_balance if whole else 0)
    assert pages[-1].carried_forward == (whole.closing_balance if whole else 0)
    for one, following in pairwise(pages):
        assert one.carried_forward == following.brought_forward
        assert len(one.lines) == 3
    for page in pages:
        assert page.carried_forward == (
            page.lines[-1].balance if page.lines else page.brought_forward
        )


# --- periods ------------------------------------------------------------------------------


@pytest.fixture
def access(portal: Portal, storage: Any) -> PortalAccess:
    """A customer with an entry a day from 1 to 20 January 2025; today is the 15th."""
    storage.ledger.save(*(a_day(number) for number in range(1, 21)))
    return opened(portal, "C-1001")


def a_day(number: int) -> LedgerEntry:
    """One entry on that day of January 2025; each fifth is a payment."""
    make = an_entry if number % 5 else a_payment
    return make(f"E{number:02}", date=dt.date(2025, 1, number), amount=Decimal(number))


def days(found: Any) -> list[int]:
    """The days of the lines of a statement or a page, in euros."""
    lines = found.by_currency["EUR"].lines if isinstance(found, StatementOfAccount) else found.lines
    return [line.date.day for line in lines]


def test_periods(access: PortalAccess) -> None:
    """Both days of a period belong to it; it begins with the first entry and ends today."""
    jan = [dt.date(2025, 1, day) for day in range(1, 32)]
    whole = access.statement()
    assert (whole.start, whole.end) == (jan[0], jan[14])
    assert days(whole) == list(range(1, 16))
    assert days(access.statement(jan[4], jan[8])) == [5, 6, 7, 8, 9]
    assert days(access.statement(jan[4], jan[4])) == [5]
    assert days(access.statement(end=jan[1])) == [1, 2]
    assert days(access.statement(jan[13])) == [14, 15]
    assert days(access.statement_page("EUR", jan[4], jan[8])) == [5, 6, 7, 8, 9]
    assert [line.date.day for line in access.statement_lines("EUR", jan[4], jan[8])] == [
        5,
        6,
        7,
        8,
        9,
    ]
    empty = access.statement(dt.date(2024, 1, 1), dt.date(2024, 12, 31))
    assert (dict(empty.by_currency), empty.start) == ({}, dt.date(2024, 1, 1))
    assert access.statement(end=dt.date(2024, 12, 31)).start == dt.date(2024, 12, 31)


def test_an_end_in_the_future(access: PortalAccess) -> None:
    """An end after today is cut to today, in every view."""
    future = dt.date(2025, 1, 31)
    today = dt.date(2025, 1, 15)
    assert access.statement(end=future) == access.statement(end=today) == access.statement()
    items = access.statement(end=future, view="open_items")
    assert items.end == today
    assert items == access.statement(view="open_items")
    assert access.statement_page("EUR", end=future) == access.statement_page("EUR")
    assert list(access.statement_lines("EUR", end=dt.date.max)) == list(
        access.statement_lines("EUR")
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (dt.date(2025, 1, 3), dt.date(2025, 1, 2)),
        (dt.date(2025, 1, 16), None),
        (dt.date(2025, 1, 16), dt.date(2025, 1, 31)),
        ("2025-01-01", None),
        (None, "2025-01-01"),
        (dt.datetime(2025, 1, 1, tzinfo=dt.UTC), None),
        (None, dt.datetime(2025, 1, 1, tzinfo=dt.UTC)),
        (20250101, None),
    ],
)
def test_bad_periods(access: PortalAccess, start: Any, end: Any) -> None:
    """A start after the end (or after today), and what is no date, is refused by name."""
    views: list[Callable[..., Any]] = [
        access.statement,
        lambda start, end: access.statement(start, end, "open_items"),
        lambda *given: access.statement_page("EUR", *given),
        lambda *given: access.statement_lines("EUR", *given),
    ]
    for view in views:
        with pytest.raises(InvalidValue, match=r"start|end"):
            view(start, end)
        assert view(dt.date(2025, 1, 15), dt.date(2025, 1, 15))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("view", value) for value in ("", "Activity", None, 1)),
        *(("age_by", value) for value in ("", "due", None)),
    ],
)
def test_bad_views(access: PortalAccess, name: str, value: Any) -> None:
    """A view or a way to age that does not exist is refused by its name."""
    with pytest.raises(InvalidValue, match=name):
        access.statement(**{name: value})


@pytest.mark.parametrize("currency", ["eur", "", "EURO", None, "E€R"])
def test_bad_currencies(access: PortalAccess, currency: Any) -> None:
    """What is no currency code is refused; one without entries has an empty page."""
    for view in (access.statement_page, access.statement_lines):
        with pytest.raises(InvalidValue, match="currency"):
            view(currency)
    page: Any = access.statement_page("XXX")
    assert (page.lines, page.brought_forward, page.carried_forward, page.next) == ((), 0, 0, None)
    assert list(access.statement_lines("XXX")) == []


@pytest.mark.parametrize("limit", [0, 201, True, "5", None])
def test_bad_limits(access: PortalAccess, limit: Any) -> None:
    """A page has 1 to 200 lines."""
    with pytest.raises(InvalidValue, match="limit"):
        access.statement_page("EUR", limit=limit)
    assert len(access.statement_page("EUR", limit=200).lines) == 15


def test_a_cursor_of_another_period(access: PortalAccess) -> None:
    """A cursor from outside the period is refused: no balance is brought forward wrongly."""
    jan = [dt.date(2025, 1, day) for day in range(1, 32)]
    early = access.statement_page("EUR", limit=2).next
    late = access.statement_page("EUR", jan[9], jan[12], limit=2).next
    for bounds, cursor in (((jan[4], jan[8]), early), ((jan[0], jan[8]), late)):
        with pytest.raises(InvalidValue, match="after"):
            access.statement_page("EUR", *bounds, after=cursor)
    assert days(access.statement_page("EUR", jan[0], jan[8], after=early)) == [3, 4, 5, 6, 7, 8, 9]
    assert days(access.statement_page("EUR", jan[9], jan[12], after=late)) == [12, 13]


def test_the_seller_s_day(portal: Portal, storage: Any, clock: FrozenClock) -> None:
    """Today is the seller's: an entry of tomorrow is on the statement in Tokyo already."""
    storage.ledger.save(a_day(15), a_day(16))
    clock.set(dt.datetime(2025, 1, 15, 23, 30, tzinfo=dt.UTC))
    found = {}
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        access = opened(over(storage, clock, timezone=zone), "C-1001")
        statement = access.statement()
        assert access.summary().as_of == statement.end
        found[zone] = (statement.end.day, days(statement))
    assert found == {
        "UTC": (15, [15]),
        "Asia/Tokyo": (16, [15, 16]),
        "America/New_York": (15, [15]),
    }


def test_the_statement_switched_off(portal: Portal, storage: Any) -> None:
    """Without the statement every view of it is hidden; the summary tells of invoices alone."""
    storage.ledger.save(a_day(1), a_day(5))
    access = opened(portal, "C-1001", show_statement=False)
    for view in (
        access.statement,
        lambda: access.statement_lines("EUR"),
        lambda: access.statement_page("EUR"),
    ):
        with pytest.raises(SectionHidden) as caught:
            view()
        assert caught.value.section == "statement"
    found = access.summary().by_currency["EUR"]
    assert (found.open, found.balance, found.unapplied_credits) == (Decimal(1), None, None)
    assert found.last_payment is None
    assert opened(portal, "C-1001").summary().by_currency["EUR"].balance == Decimal(-4)


# --- long accounts ------------------------------------------------------------------------


def long_account(count: int) -> list[LedgerEntry]:
    """So many small invoices, some on each day."""
    first = dt.date(2024, 1, 1)
    return [
        an_entry(f"E{n:05}", date=first + dt.timedelta(days=n // 20), amount=Decimal(1))
        for n in range(count)
    ]


def test_a_stream_stops_at_a_revoke(portal: Portal, storage: Any) -> None:
    """A download of a long account ends within a thousand lines of a revoke."""
    storage.ledger.save(*long_account(2500))
    access = opened(portal, "C-1001")
    assert len(list(access.statement_lines("EUR"))) == 2500
    stream = access.statement_lines("EUR")
    for _ in range(10):
        next(stream)
    portal.tokens.revoke("C-1001")
    seen: list[Any] = []
    with pytest.raises(AccessDenied):
        seen.extend(stream)  # what came before the error is kept
    assert len(seen) <= 990


def test_a_stream_stops_at_a_switch(portal: Portal, storage: Any) -> None:
    """A download ends likewise where the statement is switched off meanwhile."""
    storage.ledger.save(*long_account(1001))
    access = opened(portal, "C-1001")
    stream = access.statement_lines("EUR")
    next(stream)
    opened(portal, "C-1001", show_statement=False)
    with pytest.raises(SectionHidden):
        list(stream)


def test_a_long_account_everywhere(portal: Portal, storage: Any) -> None:
    """A stream of thousands is the statement, from a storage and from a host without pages."""
    entries = long_account(2001)
    storage.ledger.save(*entries)
    bare = over(storage, ledger=HostLedger(entries[::-1]))
    for one in (portal, bare):
        access = opened(one, "C-1001")
        lines = list(access.statement_lines("EUR"))
        assert [line.entry.id for line in lines] == [entry.id for entry in entries]
        assert lines == list(access.statement(aging=False).by_currency["EUR"].lines)
        pages = all_pages(access.statement_page, "EUR", limit=200)
        whole = access.statement().by_currency["EUR"]
        assert [line for page in pages for line in page.lines] == list(whole.lines)
        assert [len(page.lines) for page in pages] == [200] * 10 + [1]
    storage.ledger.save(a_payment("P", amount=Decimal(500), date=dt.date(2024, 6, 1)))
    storage.ledger.allocate(
        *(
            an_allocation(f"A{n}", debit_id=f"E{n:05}", credit_id="P", amount=Decimal(1))
            for n in range(0, 2000, 4)
        )
    )
    statement = opened(portal, "C-1001").statement(dt.date(2024, 3, 1), dt.date(2025, 1, 25))
    check_statement(statement)


class Endless(HostLedger):
    """A host whose pages of entries begin again, whatever they follow."""

    def entry_page(self, customer_id: str, currency: str, **asked: Any) -> Any:
        """The first page, always."""
        return sorted(self.all_entries, key=lambda one: one.key)[: asked["limit"]]

    def balance_through(self, customer_id: str, currency: str, key: Any) -> Decimal:
        """Some balance."""
        return Decimal(0)


class Noise(Endless):
    """A host whose pages of entries hold no entries."""

    def entry_page(self, customer_id: str, currency: str, **asked: Any) -> Any:
        """Something else."""
        return [object()] * int(asked["limit"])


@pytest.mark.parametrize("host", [Endless, Noise])
def test_pages_that_do_not_go_on(portal: Portal, storage: Any, host: Any) -> None:
    """A host whose pages do not go on gives an error, not a statement without end or lines."""
    access = opened(over(storage, ledger=host(long_account(1500))), "C-1001")
    with pytest.raises(LedgerError, match="do not go on"):
        list(access.statement_lines("EUR"))
    short = opened(over(storage, ledger=host(long_account(0))), "C-1001")
    if host is Endless:
        assert list(short.statement_lines("EUR")) == []


class Careless(HostLedger):
    """A host whose pages of entries forget the currency and the period."""

    def entry_page(self, customer_id: str, currency: str, **asked: Any) -> Any:
        """The entries from a place on, that one included, of any currency and day."""
        following = [e for e in self.all_entries if not asked["after"] or e.key >= asked["after"]]
        return sorted(following, key=lambda one: one.key)[: asked["limit"]]

    def balance_through(self, customer_id: str, currency: str, key: Any) -> Decimal:
        """The balance up to a place."""
        through = [e for e in self.all_entries if e.currency == currency and e.key <= key]
        return total(entry.signed_amount for entry in through)


def test_pages_of_more_than_was_asked_for(
    portal: Portal, storage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Entries of other currencies and days on a host's page are dropped, logged, never added."""
    entries = [
        an_entry(f"E{n:02}", date=dt.date(2025, 1, 1 + n // 2), currency=("EUR", "USD")[n % 2])
        for n in range(40)
    ]
    storage.ledger.save(*entries)
    wrong = opened(over(storage, ledger=Careless(entries)), "C-1001")
    good = opened(portal, "C-1001")
    for start, end in ((None, None), (dt.date(2025, 1, 3), dt.date(2025, 1, 9))):
        assert list(wrong.statement_lines("USD", start, end)) == list(
            good.statement_lines("USD", start, end)
        )
        found, expected = (
            all_pages(one.statement_page, "EUR", start, end, limit=2) for one in (wrong, good)
        )
        assert found == expected
    assert "entries not asked for" in caplog.text


class Forgetful(HostLedger):
    """A host that says what is open, and leaves out what it should not."""

    def open_items(self, customer_id: str, as_of: dt.date) -> Any:
        """All but the first open entry."""
        return [OpenItem(entry, entry.amount) for entry in self.all_entries[1:]]

    def currencies(self, customer_id: str, *, until: dt.date) -> Any:
        """The currencies."""
        return sorted({entry.currency for entry in self.all_entries})

    def last_payments(self, customer_id: str, *, until: dt.date) -> Any:
        """No payment."""
        return {}


def test_open_items_that_do_not_add_up(portal: Portal, storage: Any) -> None:
    """Open items that are not the balance of the entries give no statement."""
    entries = [an_entry(f"E{n}") for n in range(3)]
    access = opened(over(storage, ledger=Forgetful(entries)), "C-1001")
    with pytest.raises(LedgerError, match="add up to"):
        access.statement()
    assert access.statement(aging=False).by_currency["EUR"].closing_balance == 357
    whole = opened(over(storage, ledger=HostLedger(entries)), "C-1001")
    assert whole.statement().by_currency["EUR"].closing_balance == 357


@pytest.mark.parametrize("rule", AllocationRule)
def test_entries_that_stand_there_twice(portal: Portal, storage: Any, rule: AllocationRule) -> None:
    """An entry that a host gives twice is never counted twice: there is no statement."""
    ledger = HostLedger([INV, PAY, INV])
    access = opened(over(storage, ledger=ledger, allocation_rule=rule), "C-1001")
    calls: list[Callable[[], Any]] = [
        access.statement,
        access.summary,
        lambda: access.statement_page("EUR"),
        lambda: list(access.statement_lines("EUR")),
    ]
    for call in calls:
        with pytest.raises(LedgerError) as caught:
            call()
        assert caught.value.ids == ("INV",)


# --- a ledger that is written to while it is read -----------------------------------------


class Growing(HostLedger):
    """A host's ledger in which an invoice is posted and paid after each read."""

    def entries(self, customer_id: str, **asked: Any) -> Any:
        """The entries; then there are more."""
        found = super().entries(customer_id, **asked)
        self._grow()
        return found

    def allocations(self, customer_id: str) -> Any:
        """The allocations; then there are more."""
        found = super().allocations(customer_id)
        self._grow()
        return found

    def _grow(self) -> None:
        number, day = len(self.all_entries), dt.date(2025, 1, 10)
        debit = an_entry(f"I{number}", date=day)
        credit = a_payment(f"P{number}", date=day, amount=Decimal(19))
        some = an_allocation(
            f"A{number}", debit_id=debit.id, credit_id=credit.id, amount=Decimal(7), date=day
        )
        self.all_entries = [*self.all_entries, debit, credit]
        self.all_allocations = [*self.all_allocations, some]


@pytest.mark.parametrize("rule", AllocationRule)
def test_a_ledger_that_grows_while_it_is_read(
    portal: Portal, storage: Any, rule: AllocationRule
) -> None:
    """A host's history is read once for each view, so that each view adds up."""
    storage.documents.save(*own_invoices(30))
    host = Growing([an_entry("I0", date=dt.date(2025, 1, 9))])
    access = opened(over(storage, ledger=host, allocation_rule=rule), "C-1001")
    for start in (None, dt.date(2025, 1, 10)):
        check_statement(access.statement(start))
        access.statement(start, view="open_items")
        page = access.statement_page("EUR", start, limit=200)
        assert page.carried_forward == page.brought_forward + sum(
            line.entry.signed_amount for line in page.lines
        )
    found = access.summary().by_currency["EUR"]
    assert found.balance == found.open - (found.unapplied_credits or 0)
    assert access.documents(INVOICE)
    assert access.document("I1").document.open_amount is not None


def own_invoices(count: int) -> list[Document]:
    """Invoices whose entries `Growing` posts."""
    from basis_portal.testing.builders import an_invoice

    return [an_invoice(f"I{n}") for n in range(count)]


# --- a ledger that contradicts itself -----------------------------------------------------

WRONG: dict[str, tuple[list[LedgerEntry], list[Any], set[str]]] = {
    "settles more than the debit has": (
        [INV, attrs.evolve(PAY, amount=Decimal(900))],
        [an_allocation(debit_id="INV", credit_id="PAY", amount=Decimal("100.0001"))],
        {"INV"},
    ),
    "settles with more than the credit has": (
        [attrs.evolve(INV, amount=Decimal(900)), PAY],
        [an_allocation(debit_id="INV", credit_id="PAY", amount=Decimal("100.0001"))],
        {"PAY"},
    ),
    "crosses currencies": (
        [INV, attrs.evolve(PAY, currency="USD")],
        [an_allocation(debit_id="INV", credit_id="PAY", amount=Decimal(1))],
        {"ALLOC-1", "INV", "PAY"},
    ),
    "names an unknown entry": (
        [INV],
        [an_allocation(debit_id="INV", credit_id="PAY", amount=Decimal(1))],
        {"ALLOC-1", "INV", "PAY"},
    ),
    "names an entry of another customer": (
        [INV, attrs.evolve(PAY, customer_id="C-1002")],
        [an_allocation(debit_id="INV", credit_id="PAY", amount=Decimal(1))],
        {"ALLOC-1", "INV", "PAY"},
    ),
    "settles a credit with a debit": (
        [INV, PAY],
        [an_allocation(debit_id="PAY", credit_id="INV", amount=Decimal(1))],
        {"ALLOC-1", "INV", "PAY"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_ledger_that_contradicts_itself(portal: Portal, storage: Any, name: str) -> None:
    """It gives no figure in any view that rests on allocations, and the error names the ids."""
    entries, allocations, ids = WRONG[name]
    storage.documents.save(attrs.evolve(own_invoices(1)[0], id="INV"))
    allocations = [attrs.evolve(one, date=PAST) for one in allocations]
    access = opened(over(storage, ledger=HostLedger(entries, allocations)), "C-1001")
    calls: list[Callable[[], Any]] = [
        access.statement,
        lambda: access.statement(view="open_items"),
        access.summary,
        lambda: access.documents(INVOICE),
        lambda: access.documents(INVOICE, open_only=True),
        lambda: access.document("INV"),
    ]
    for call in calls:
        if name == "settles with more than the credit has" and call in (calls[3], calls[5]):
            continue  # a document's page looks at its own entries alone
        with pytest.raises(LedgerError) as caught:
            call()
        assert set(caught.value.ids) == ids
        assert any(one in str(caught.value) for one in ids)
    control = [attrs.evolve(INV, id=f"{n}") for n in range(2)]
    good = opened(over(storage, ledger=HostLedger(control)), "C-1001")
    assert good.statement().by_currency["EUR"].closing_balance == Decimal(200)


def test_fifo_needs_no_allocations(portal: Portal, storage: Any) -> None:
    """Under FIFO nothing contradicts itself: allocations are not asked for."""
    ledger = WithoutAllocations([INV, PAY])
    access = opened(over(storage, ledger=ledger, allocation_rule=AllocationRule.FIFO), "C-1001")
    statement = access.statement().by_currency["EUR"]
    assert statement.open_items == ()
    assert statement.lines[0].applied[0].credit.kind is EntryKind.PAYMENT
