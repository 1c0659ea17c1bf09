"""What a host's own customers promise, over the host's own data."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ...domain.customers import Customer
from ...errors import InvalidValue
from ...repositories import CustomerRepository
from .base import Kit

NOBODY = "basis-portal kit: nobody has this id or name"
MOST_PAGES = 500


def search_pages(
    customers: CustomerRepository, text: str = "", *, limit: int = 200, most: int = MOST_PAGES
) -> list[Customer]:
    """What a search finds on its first ``most`` pages, checked for length and repeats."""
    found: dict[str, Customer] = {}
    after: str | None = None
    for _ in range(most):
        page = customers.search(text, after=after, limit=limit)
        assert len(page) <= limit, "a page is longer than its limit"
        assert not found.keys() & {c.id for c in page}, "a customer came twice"
        found |= {customer.id: customer for customer in page}
        after = page.next
        if after is None:
            return list(found.values())
        assert page.items, "an empty page is not the last one"
    assert most < MOST_PAGES, f"{MOST_PAGES} pages did not come to an end"
    return list(found.values())


def spellings(text: str) -> set[str]:
    """Ways in which staff type a text: as it is, in capitals or small letters, half of it."""
    small_and_capitals = {text.upper(), text.lower()} if text.isascii() else set()
    return {
        spelling for spelling in (text, text[: len(text) // 2], *small_and_capitals) if spelling
    }


class HostCustomersConformance(Kit):
    """Customers are found by their id and by what staff type."""

    def test_there_is_data_to_look_at(self, known_customer_ids: Sequence[str]) -> None:
        """Two customers at least are known, so that one can be told from the other."""
        assert len(set(known_customer_ids)) >= 2, "give the ids of two customers with documents"

    def test_known_customers_are_got(
        self, customers: CustomerRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """A customer is got by its id, alone and among many, and is the same either way."""
        found = customers.get_many([*known_customer_ids, NOBODY])
        assert set(found) == set(known_customer_ids)
        for customer_id in known_customer_ids:
            customer = customers.get(customer_id)
            assert customer is not None
            assert customer.id == customer_id
            assert found[customer_id] == customer

    def test_nobody_is_none(self, customers: CustomerRepository) -> None:
        """An id of no customer gives none, and no ids give no customers."""
        assert customers.get(NOBODY) is None
        assert not customers.get_many([NOBODY])
        assert not customers.get_many([])

    def test_a_thousand_ids_are_not_too_many(
        self, customers: CustomerRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """A thousand ids may be asked for at once."""
        known = list(dict.fromkeys(known_customer_ids))[:1000]
        fill = [f"{NOBODY} {number}" for number in range(1000 - len(known))]
        assert set(customers.get_many([*fill, *known])) == set(known)

    def test_search_comes_to_an_end(
        self, customers: CustomerRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """A search for nothing in particular shows every customer once, and ends."""
        found = {customer.id: customer for customer in search_pages(customers)}
        for customer_id in known_customer_ids:
            assert found.get(customer_id) == customers.get(customer_id)

    def test_search_keeps_its_order(self, customers: CustomerRepository) -> None:
        """The order of customers does not depend on the length of the pages."""
        short = search_pages(customers, limit=2, most=10)
        assert [c.id for c in short] == [c.id for c in search_pages(customers)][: len(short)]

    def test_search_finds_what_staff_type(
        self, customers: CustomerRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Part of a name, number or e-mail finds the customer, case ignored."""
        for customer_id in known_customer_ids:
            customer = customers.get(customer_id)
            assert customer is not None
            for text in filter(None, (customer.name, customer.number, customer.email)):
                for typed in spellings(text):
                    found = {c.id for c in search_pages(customers, typed)}
                    assert customer_id in found, f"searching for {typed!r} misses {customer_id!r}"

    def test_search_leaves_out_the_others(self, customers: CustomerRepository) -> None:
        """A text that nobody's name, number or e-mail has finds nobody."""
        assert search_pages(customers, NOBODY) == []

    @pytest.mark.parametrize("after", ["no such page", "", "é"])
    def test_a_made_up_customer_page_is_refused(
        self, customers: CustomerRepository, after: str
    ) -> None:
        """A text that is no next= of an earlier page is refused."""
        with pytest.raises(InvalidValue):
            customers.search(after=after)
