"""Repositories of hosts with one fault each, put through the kit by `test_broken_hosts.py`.

Not collected by itself: most of what stands here is meant to fail.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from basis_portal import AllocationRule, DocumentKind, DocumentStatus, Page
from basis_portal.testing import HostRepositoriesConformance
from basis_portal.testing.builders import an_allocation, an_entry, an_invoice

FOREIGN = an_invoice("theirs", customer_id="C-9")


def only(*names: str) -> Callable[..., Any]:
    """The sound answer with all other filters forgotten."""

    def page(sound: Any, customer_id: str, kind: Any, **wanted: Any) -> Any:
        return sound(customer_id, kind, **{n: v for n, v in wanted.items() if n in names})

    return page


def listed(change: Callable[..., Any]) -> Callable[..., Any]:
    """The sound list, changed."""
    return lambda sound, *args, **kwargs: change(list(sound(*args, **kwargs)))


def first_as(**changes: Any) -> Callable[..., Any]:
    """The sound list, its first record changed."""
    return listed(lambda found: [attrs.evolve(one, **changes) for one in found[:1]] + found[1:])


def also(record: Any) -> Callable[..., Any]:
    """The sound list and one more."""
    return listed(lambda found: [*found, record])


def over(method: str, at: str, by: dt.timedelta) -> Callable[..., Any]:
    """The sound answer for another day than the one asked for."""

    def answer(sound: Any, customer_id: str, *args: Any, **days: Any) -> Any:
        if days.get(at) not in (None, dt.date.min, dt.date.max):
            days[at] += by
        return sound(customer_id, *args, **days)

    return answer


def as_of_today(sound: Any, customer_id: str, _: dt.date) -> Any:
    """Open items as of now, whatever the day asked for."""
    return sound(customer_id, dt.date(2025, 3, 1))


class OfOneThread:
    """A connection that, as those of sqlite3, only the thread that made it may use."""

    def __init__(self) -> None:
        self.owner: int | None = None

    def __call__(self, sound: Any, *args: Any, **kwargs: Any) -> Any:
        """The sound answer to the thread that asked first."""
        self.owner = self.owner or threading.get_ident()
        if threading.get_ident() != self.owner:
            raise RuntimeError("objects created in a thread can only be used in that same thread")
        return sound(*args, **kwargs)


class OneCursor:
    """A cursor that all threads share: a query forgets what others have still to fetch."""

    def __init__(self) -> None:
        self.rows: Iterator[Any] = iter(())

    def __call__(self, sound: Any, *args: Any, **kwargs: Any) -> Any:
        """The rows, of which each is fetched from the query that was made last."""
        self.rows = iter(list(sound(*args, **kwargs)))
        time.sleep(0)  # lets others run, as a driver does while it waits for the database
        return list(iter(lambda: next(self.rows, None), None))


DAY = dt.timedelta(days=1)
BEGINNING, SEARCHING = ("after", "limit"), ("after", "limit", "search", "year", "ids")

# By name: the repository, what it does wrongly, and a test that must see it.
FAULTS: dict[str, tuple[str, dict[str, Callable[..., Any]], str]] = {
    "GetsSomebodyElse": (
        "customers",
        {"get": lambda sound, _: sound("C-1")},
        "test_known_customers_are_got",
    ),
    "ManyAreNone": ("customers", {"get_many": lambda *_: {}}, "test_known_customers_are_got"),
    "SearchHasNoEnd": (
        "customers",
        {"search": lambda sound, text="", after=None, limit=50: sound(text, limit=limit)},
        "test_search_keeps_its_order",
    ),
    "SearchFindsEverybody": (
        "customers",
        {"search": lambda sound, text="", **paging: sound("", **paging)},
        "test_search_leaves_out_the_others",
    ),
    "SearchMindsCase": (
        "customers",
        {"search": lambda sound, text="", **paging: matching(sound, text, **paging)},
        "test_search_finds_what_staff_type",
    ),
    "SearchLeavesOutTheLast": (
        "customers",
        {"search": lambda sound, *args, **paging: Page(sound(*args, **paging).items[:1])},
        "test_search_comes_to_an_end",
    ),
    "AnyPageWillDo": (
        "customers",
        {"search": lambda sound, *args, **paging: sound(*args)},
        "test_a_made_up_customer_page_is_refused",
    ),
    "ListsAForeignDocument": ("documents", {"page": also(FOREIGN)}, "test_lists_show"),
    "ListsADraft": (
        "documents",
        {"page": first_as(status=DocumentStatus.DRAFT)},
        "test_lists_show_nothing_foreign",
    ),
    "ListsAnotherKind": (
        "documents",
        {"page": first_as(kind=DocumentKind.SALES_ORDER)},
        "test_lists_show_nothing_foreign",
    ),
    "ListsOldestFirst": (
        "documents",
        {"page": listed(lambda found: found[::-1])},
        "test_document_pages_join_to_the_list",
    ),
    "SearchIsForgotten": ("documents", {"page": only(*BEGINNING)}, "test_a_search_is_for"),
    "YearIsForgotten": (
        "documents",
        {"page": only(*BEGINNING, "search", "ids")},
        "test_a_year_is_that_of_the_date",
    ),
    "IdsAreForgotten": (
        "documents",
        {"page": only(*BEGINNING, "search", "year")},
        "test_ids_leave_the_rest_out",
    ),
    "GivesAnybodysDocument": (
        "documents",
        {"get": lambda sound, _, one: sound("C-1", one) or sound("C-2", one)},
        "test_a_foreign_or_unknown_document_is_none",
    ),
    "DetailIsNotTheListed": (
        "documents",
        {"get": lambda sound, *ids: (found := sound(*ids)) and attrs.evolve(found, lines=())},
        "test_a_listed_document_is_got",
    ),
    "YearsOfDraftsToo": ("documents", {"years": also(1999)}, "test_years_agree"),
    "KindsOfAnybody": (
        "documents",
        {"issued_kinds": lambda sound, _, ids: {**sound("C-1", ids), **sound("C-2", ids)}},
        "test_kinds_agree",
    ),
    "FilesAreBytes": ("documents", {"file": lambda *_: b"%PDF-"}, "test_files_are_files"),
    "ForeignEntries": (
        "ledger",
        {"entries": also(an_entry("theirs", customer_id="C-9"))},
        "test_entries_are_the_customers_own",
    ),
    "EndIsExcluded": (
        "ledger",
        {"entries": over("entries", "end", -DAY)},
        "test_entries_are_bounded_by_days",
    ),
    "AllocatesTooMuch": (
        "ledger",
        {
            "allocations": lambda sound, customer_id: [
                *sound(customer_id),
                *(attrs.evolve(one, id=f"{one.id} again") for one in sound(customer_id)),
            ]
        },
        "test_allocations_fit_their_entries",
    ),
    "AllocatesNothingKnown": (
        "ledger",
        {"allocations": also(an_allocation(debit_id="unknown"))},
        "test_allocations_fit_their_entries",
    ),
    "CustomersOfOneThread": ("customers", {"get": OfOneThread()}, "test_any_thread_may_ask"),
    "DocumentsOfOneThread": ("documents", {"page": OfOneThread()}, "test_any_thread_may_ask"),
    "EntriesOfOneThread": ("ledger", {"entries": OfOneThread()}, "test_any_thread_may_ask"),
    "AllocationsOfOneThread": ("ledger", {"allocations": OfOneThread()}, "test_any_thread_may_ask"),
    "EntriesOfOneCursor": ("ledger", {"entries": OneCursor()}, "test_any_thread_may_ask"),
    "BalancesOfTheDayItself": (
        "ledger",
        {"balances": over("balances", "before", DAY)},
        "test_balances_agree_with_the_entries",
    ),
    "OpenAsOfToday": (
        "ledger",
        {"open_items": as_of_today},
        "test_open_items_agree_with_the_history",
    ),
    "PaymentsToCome": (
        "ledger",
        {"last_payments": over("last_payments", "until", 30 * DAY)},
        "test_last_payments_agree_with_the_entries",
    ),
    "EntriesByIdAlone": (
        "ledger",
        {"entry_page": listed(lambda found: sorted(found, key=lambda entry: entry.id))},
        "test_entry_pages_agree_with_the_entries",
    ),
    "LooksUpAnybodys": (
        "ledger",
        {"entries_by_id": lambda sound, _, ids: [*sound("C-1", ids), *sound("C-2", ids)]},
        "test_lookups_agree_with_the_entries",
    ),
    "OneSideOnly": (
        "ledger",
        {
            "allocations_of": lambda sound, customer_id, ids: [
                one for one in sound(customer_id, ids) if one.debit_id in ids
            ]
        },
        "test_allocations_are_found_from_either_side",
    ),
}


def matching(sound: Any, text: str, **paging: Any) -> Any:
    """What of the sound answer has the text exactly as it was typed."""
    page = sound(text, **paging)
    fields = ("name", "number", "email")
    found = [c for c in page if any(text in (getattr(c, f) or "") for f in fields)]
    return Page(tuple(found), page.next)


class Sound(HostRepositoriesConformance):
    """What all of them share: the sound repositories."""

    @pytest.fixture
    def customers(self, host: Callable[..., Any]) -> Any:
        """The customers."""
        return host("customers")

    @pytest.fixture
    def documents(self, host: Callable[..., Any]) -> Any:
        """The documents."""
        return host("documents")

    @pytest.fixture
    def ledger(self, host: Callable[..., Any]) -> Any:
        """The ledger."""
        return host("ledger")

    @pytest.fixture
    def known_customer_ids(self) -> list[str]:
        """Those with data."""
        return ["C-1", "C-2"]


class TestSound(Sound):
    """The control: repositories without a fault that can do all."""


class TestPlain(Sound):
    """A host that can do what it must and no more."""

    @pytest.fixture
    def documents(self, host: Callable[..., Any]) -> Any:
        """The documents."""
        return host("documents", able=False)

    @pytest.fixture
    def ledger(self, host: Callable[..., Any]) -> Any:
        """The ledger."""
        return host("ledger", able=False)


class TestFifo(Sound):
    """A host without allocations, which must not be asked for any."""

    allocation_rule = AllocationRule.FIFO

    @pytest.fixture
    def ledger(self, host: Callable[..., Any]) -> Any:
        """The ledger."""
        return host("ledger", able=False, allocations=lambda *_: 1 / 0)


class TestNoLedger(Sound):
    """A host without a ledger."""

    @pytest.fixture
    def ledger(self) -> None:
        """None."""


class TestNobodyKnown(Sound):
    """A host that names one customer only, which has nothing."""

    @pytest.fixture
    def known_customer_ids(self) -> list[str]:
        """One without data."""
        return ["C-3"]


def _broken(repository: str, spoiled: dict[str, Callable[..., Any]]) -> Any:
    return pytest.fixture(lambda self, host: host(repository, **spoiled))


for _name, (_repository, _spoiled, _) in FAULTS.items():
    globals()[f"Test{_name}"] = type(
        f"Test{_name}",
        (Sound,),
        {"__module__": __name__, _repository: _broken(_repository, _spoiled)},
    )
