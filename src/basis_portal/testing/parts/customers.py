"""What a storage that keeps customers promises of them."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given

from ...domain.customers import Customer
from ...errors import InvalidValue
from ...repositories import FullStorage
from ..builders import a_customer, a_token, an_invoice, token_id
from ..strategies import customers
from .base import ABSENT_IDS, EXAMPLES, SIMILAR_IDS, Kit

PAGE_LIMITS = (1, 2, 3, 7, 200)

CUSTOMERS = (
    a_customer("9", name="apple Ltd", email="a@fruit.example", number="K-100"),
    a_customer("2", name="Apple Ltd", email="Sales@Fruit.example", number="K-101", blocked=True),
    a_customer("1", name="Zebra", email=None, number=None),
    a_customer("3", name="äpfel & Söhne", email="info@aepfel.example", number="k-200"),
    a_customer("4", name="100% Tea_House", email="tea_house@x.example", number="%"),
    a_customer("5", name="B", email="", number=""),
    a_customer("6", name="北京茶", email="cha@x.example", number="№ 7"),
    a_customer("7", name="😀", email=None, number="K_100"),
)


def _place(customer: Customer) -> tuple[str, str]:
    return (customer.name.casefold(), customer.id)


def search_all(storage: FullStorage, text: str = "", limit: int = 200) -> list[Customer]:
    """All customers that a search finds, page by page."""
    found: list[Customer] = []
    after: str | None = None
    while True:
        page = storage.customers.search(text, after=after, limit=limit)
        assert len(page) <= limit
        assert not {c.id for c in page}.intersection(c.id for c in found), "a customer came twice"
        found += page.items
        after = page.next
        if after is None:
            return found
        assert len(page) == limit


class CustomersConformance(Kit):
    """Customers are kept as they are, and staff find them."""

    @given(customer=customers())
    @EXAMPLES
    def test_a_customer_reads_back_as_written(
        self, storage: FullStorage, customer: Customer
    ) -> None:
        """A customer read back equals the one saved, by whatever way it is read."""
        storage.customers.save(customer)
        assert storage.customers.get(customer.id) == customer
        assert storage.customers.get_many([customer.id]) == {customer.id: customer}
        assert customer in search_all(storage)

    def test_a_customer_saved_again_is_replaced(self, storage: FullStorage) -> None:
        """A customer saved again is the new one, in lists as well, and no other changes."""
        storage.customers.save(*CUSTOMERS)
        changed = attrs.evolve(CUSTOMERS[0], name="Zzz", email=None, blocked=True)
        storage.customers.save(changed)
        assert storage.customers.get(changed.id) == changed
        expected = sorted([changed, *CUSTOMERS[1:]], key=_place)
        assert search_all(storage) == expected
        storage.customers.save()
        assert search_all(storage) == expected

    def test_the_last_of_a_customer_saved_twice_counts(self, storage: FullStorage) -> None:
        """Of one customer twice in one saving the last is kept."""
        storage.customers.save(a_customer(name="first"), a_customer(name="last"))
        assert storage.customers.get(a_customer().id) == a_customer(name="last")

    def test_customers_are_saved_all_or_none(self, storage: FullStorage) -> None:
        """Where one of several cannot be saved none is."""
        with pytest.raises(Exception):  # noqa: B017 - of what kind is not promised
            storage.customers.save(a_customer(), None)  # type: ignore[arg-type]
        assert storage.customers.get(a_customer().id) is None

    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_no_customer_has_an_absent_id(self, storage: FullStorage, absent: str) -> None:
        """An id of no customer, even one that none could have, finds and removes nothing."""
        storage.customers.save(a_customer())
        assert storage.customers.get(absent) is None
        assert storage.customers.get_many([absent]) == {}
        assert storage.customers.delete(absent) is False
        assert storage.customers.get(a_customer().id) == a_customer()

    def test_similar_ids_are_different_customers(self, storage: FullStorage) -> None:
        """Customers whose ids look alike are customers of their own."""
        own = {one: a_customer(one, name=f"number {n}") for n, one in enumerate(SIMILAR_IDS)}
        storage.customers.save(*own.values())
        assert {one: storage.customers.get(one) for one in SIMILAR_IDS} == own
        assert storage.customers.delete(SIMILAR_IDS[0]) is True
        assert storage.customers.get_many(SIMILAR_IDS) == {one: own[one] for one in SIMILAR_IDS[1:]}

    def test_those_asked_for_that_exist_are_answered(self, storage: FullStorage) -> None:
        """Of up to a thousand ids those that exist are answered, and no others."""
        storage.customers.save(*(a_customer(f"C-{number}") for number in range(1000)))
        found = storage.customers.get_many({f"C-{number}" for number in range(500, 1500)})
        assert found == {f"C-{n}": a_customer(f"C-{n}") for n in range(500, 1000)}
        assert storage.customers.get_many([]) == {}

    def test_a_deleted_customer_leaves_its_documents(self, storage: FullStorage) -> None:
        """A deleted customer is gone, once; its documents stay where they are."""
        storage.customers.save(a_customer(), a_customer("another"))
        storage.documents.save(an_invoice())
        assert storage.customers.delete(a_customer().id) is True
        assert storage.customers.get(a_customer().id) is None
        assert search_all(storage) == [a_customer("another")]
        assert storage.documents.get(a_customer().id, an_invoice().id) == an_invoice()
        assert storage.customers.delete(a_customer().id) is False

    def test_an_opening_has_the_customer_as_it_is_now(self, storage: FullStorage) -> None:
        """An opening has the token's customer as saved last, and none once it is deleted."""
        storage.tokens.add([a_token(), a_token(token_id(2), customer_id="another")])
        for customer in (a_customer(), a_customer(blocked=True)):
            storage.customers.save(customer)
            assert storage.opening(token_id(1)).customer == customer
        assert storage.opening(token_id(2)).customer is None
        assert storage.opening(token_id(3)).customer is None
        storage.customers.delete(a_customer().id)
        assert storage.opening(token_id(1)).customer is None

    # --- search -------------------------------------------------------------------------

    @pytest.mark.parametrize("limit", PAGE_LIMITS)
    def test_customers_come_by_name(self, storage: FullStorage, limit: int) -> None:
        """Customers come by name, case ignored, then id, whatever the page length."""
        storage.customers.save(*CUSTOMERS)
        assert search_all(storage, limit=limit) == sorted(CUSTOMERS, key=_place)

    @pytest.mark.parametrize(
        ("text", "ids"),
        [
            ("apple", "29"),
            ("APPLE L", "29"),
            ("FRUIT.ex", "29"),
            ("sales@", "2"),
            ("k-10", "29"),
            ("K-200", "3"),
            ("zebra", "1"),
            ("ÄPFEL", "3"),
            ("SÖHNE", "3"),
            ("京", "6"),
            ("№", "6"),
            ("😀", "7"),
            ("%", "4"),
            ("_", "47"),
            ("k_1", "7"),
            ("x.example", "46"),
            ("absent", ""),
            ("\\", ""),
            ("'", ""),
            ("*", ""),
        ],
    )
    @pytest.mark.parametrize("limit", [1, 200])
    def test_staff_find_what_they_type(
        self, storage: FullStorage, text: str, ids: str, limit: int
    ) -> None:
        """Part of a name, number or e-mail finds the customer, case ignored, signs as they are."""
        storage.customers.save(*CUSTOMERS)
        found = search_all(storage, text, limit)
        assert "".join(sorted(customer.id for customer in found)) == ids
        assert found == sorted(found, key=_place)

    @pytest.mark.parametrize("after", ["no such page", "", "é"])
    def test_a_made_up_page_is_refused(self, storage: FullStorage, after: str) -> None:
        """A text that is no next= of an earlier page is refused; the real one is not."""
        storage.customers.save(*CUSTOMERS)
        with pytest.raises(InvalidValue):
            storage.customers.search(after=after)
        first = storage.customers.search(limit=1)
        assert storage.customers.search(after=first.next, limit=1).items != first.items
