"""What a storage that keeps documents promises of them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Sequence

import attrs
import pytest
from hypothesis import given

from ...domain.documents import Document, DocumentKind, DocumentStatus
from ...repositories import DocumentKey, FullStorage
from ..builders import CUSTOMER_ID, a_line, an_invoice, an_order
from ..strategies import documents
from .base import ABSENT_IDS, EXAMPLES, LIMITS, RISING_IDS, SIMILAR_IDS, Kit, a_new_id, walk

INVOICE, ORDER = DocumentKind.SALES_INVOICE, DocumentKind.SALES_ORDER
_DATES = (
    dt.date(2023, 12, 31),
    dt.date(2024, 1, 1),
    dt.date(2024, 2, 29),
    dt.date(2024, 12, 31),
    dt.date(2025, 1, 1),
    dt.date(2024, 2, 29),
)
_NUMBERS = ("INV-1", "inv-10", "100%", "1000", "IN_1", "Ärger-1", "äRGER-2", "SO-1")
_REFERENCES = (None, "PO-1", "po-10", "", "inv-7", "100")
_SEARCHES = (None, "INV", "inv-1", "po", "100%", "IN_", "ÄRG", "1", "absent", "NV", "*")


def many_documents() -> list[Document]:
    """Documents of two customers, all kinds and states, many on one day."""
    return [
        an_invoice(
            f"D{number * 17 % 61}",
            customer_id="ann" if number % 4 else "ben",
            kind=list(DocumentKind)[number % 5 % 3],
            status=(*[DocumentStatus.ISSUED] * 3, *DocumentStatus)[number % 6],
            date=_DATES[number * 5 % 11 % 6],
            number=_NUMBERS[number * 3 % 8],
            reference=_REFERENCES[number % 7 % 6],
        )
        for number in range(61)
    ]


def document_key(document: Document) -> DocumentKey:
    """Place of a document in a list."""
    return (document.date, document.id)


def expected_documents(
    documents: Sequence[Document],
    kind: DocumentKind,
    search: str | None = None,
    year: int | None = None,
    ids: Collection[str] | None = None,
) -> list[Document]:
    """What a list of a customer's ``documents`` must hold, found by looking at every one."""

    def starts(text: str | None) -> bool:
        return text is not None and text.casefold().startswith((search or "").casefold())

    return sorted(
        (
            document
            for document in documents
            if document.kind is kind
            and document.status is DocumentStatus.ISSUED
            and (search is None or starts(document.number) or starts(document.reference))
            and year in (None, document.date.year)
            and (ids is None or document.id in ids)
        ),
        key=document_key,
        reverse=True,
    )


class DocumentsConformance(Kit):
    """Documents are kept as they are, and lists show a customer its own issued ones."""

    @given(document=documents())
    @EXAMPLES
    def test_a_document_reads_back_as_written(
        self, storage: FullStorage, document: Document
    ) -> None:
        """A document read back equals the one saved, with its lines in their order."""
        document = attrs.evolve(document, customer_id=a_new_id(document.customer_id))
        storage.documents.save(document)
        assert storage.documents.get(document.customer_id, document.id) == document
        issued = document.status is DocumentStatus.ISSUED
        found = storage.documents.page(document.customer_id, document.kind)
        assert list(found) == ([document] if issued else [])

    def test_a_document_saved_again_is_replaced(self, storage: FullStorage) -> None:
        """A document saved again is the new one, lines included, in lists as well."""
        storage.documents.save(an_invoice(lines=(a_line(), a_line(description="more"))))
        for changed in (
            an_invoice(lines=(a_line(description="other"),), total=1),
            an_invoice(lines=(), date=dt.date(2024, 1, 1), number="X"),
            an_order("INV-1"),
        ):
            storage.documents.save(changed)
            assert storage.documents.get(CUSTOMER_ID, "INV-1") == changed
            assert list(storage.documents.page(CUSTOMER_ID, changed.kind)) == [changed]
            assert list(storage.documents.years(CUSTOMER_ID, changed.kind)) == [changed.date.year]
        assert list(storage.documents.page(CUSTOMER_ID, INVOICE)) == []
        storage.documents.save()

    def test_a_document_moves_with_its_customer(self, storage: FullStorage) -> None:
        """A document saved with another customer is that one's, and the first has it no more."""
        storage.documents.save(an_invoice())
        moved = an_invoice(customer_id="another")
        storage.documents.save(moved)
        assert storage.documents.get("another", "INV-1") == moved
        assert storage.documents.get(CUSTOMER_ID, "INV-1") is None
        assert list(storage.documents.page(CUSTOMER_ID, INVOICE)) == []
        assert list(storage.documents.years(CUSTOMER_ID, INVOICE)) == []

    def test_the_last_of_a_document_saved_twice_counts(self, storage: FullStorage) -> None:
        """Of one document twice in one saving the last is kept."""
        storage.documents.save(an_invoice(number="first"), an_invoice(number="last", lines=()))
        assert storage.documents.get(CUSTOMER_ID, "INV-1") == an_invoice(number="last", lines=())

    def test_documents_are_saved_all_or_none(self, storage: FullStorage) -> None:
        """Where one of several cannot be saved none is."""
        with pytest.raises(Exception):  # noqa: B017 - of what kind is not promised
            storage.documents.save(an_invoice(), None)  # type: ignore[arg-type]
        assert storage.documents.get(CUSTOMER_ID, "INV-1") is None

    @pytest.mark.parametrize("status", list(DocumentStatus))
    def test_a_foreign_document_is_none(self, storage: FullStorage, status: DocumentStatus) -> None:
        """Another customer's document is none; one's own is found whatever its status."""
        document = an_invoice(status=status)
        storage.documents.save(document)
        assert storage.documents.get("another", document.id) is None
        assert storage.documents.get(CUSTOMER_ID, document.id) == document

    @pytest.mark.parametrize("absent", ABSENT_IDS)
    def test_no_document_has_an_absent_id(self, storage: FullStorage, absent: str) -> None:
        """An id of no document or customer, even an impossible one, finds and removes nothing."""
        storage.documents.save(an_invoice())
        assert storage.documents.get(CUSTOMER_ID, absent) is None
        assert storage.documents.get(absent, "INV-1") is None
        assert list(storage.documents.page(absent, INVOICE)) == []
        assert list(storage.documents.page(CUSTOMER_ID, INVOICE, ids=[absent])) == []
        assert list(storage.documents.years(absent, INVOICE)) == []
        assert storage.documents.delete(absent) is False
        assert list(storage.documents.page(CUSTOMER_ID, INVOICE)) == [an_invoice()]

    def test_documents_of_similar_customers_stay_apart(self, storage: FullStorage) -> None:
        """Customers whose ids look alike have each its own documents, under ids that do as well."""
        own = {one: an_invoice(f"D-{one}", customer_id=one) for one in SIMILAR_IDS}
        storage.documents.save(*own.values())
        for one, other in itertools.permutations(SIMILAR_IDS, 2):
            assert storage.documents.get(one, own[other].id) is None
        for one, document in own.items():
            assert storage.documents.get(one, document.id) == document
            assert list(storage.documents.page(one, INVOICE)) == [document]
            assert list(storage.documents.page(one, INVOICE, ids=[document.id])) == [document]

    def test_a_deleted_document_is_gone(self, storage: FullStorage) -> None:
        """A deleted document is gone, once, and no other with it."""
        storage.documents.save(an_invoice(), an_invoice("INV-2"))
        assert storage.documents.delete("INV-1") is True
        assert storage.documents.get(CUSTOMER_ID, "INV-1") is None
        assert list(storage.documents.page(CUSTOMER_ID, INVOICE)) == [an_invoice("INV-2")]
        assert storage.documents.delete("INV-1") is False

    # --- lists --------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", list(DocumentKind))
    def test_pages_agree_with_looking_at_every_document(
        self, storage: FullStorage, kind: DocumentKind
    ) -> None:
        """With any filters and page length a list is what looking at every document gives."""
        added = many_documents()
        storage.documents.save(*added)
        all_ids: list[Collection[str] | None] = [
            None,
            [],
            {document.id for document in added[::2]},
            ("absent", *(document.id for document in added[:9])),
        ]
        for customer_id, search, year, ids in itertools.product(
            ("ann", "ben"), _SEARCHES, (None, 2023, 2024, 2025, 2026), all_ids
        ):
            own = [document for document in added if document.customer_id == customer_id]
            expected = expected_documents(own, kind, search, year, ids)
            found = storage.documents.page(
                customer_id, kind, limit=1000, search=search, year=year, ids=ids
            )
            assert list(found) == expected

    @pytest.mark.parametrize("limit", LIMITS)
    @pytest.mark.parametrize("search", [None, "inv", "1"])
    @pytest.mark.parametrize("year", [None, 2024])
    def test_pages_join_to_the_whole_list(
        self, storage: FullStorage, limit: int, search: str | None, year: int | None
    ) -> None:
        """Pages come newest first and join to the whole list, whatever their length."""
        added = many_documents()
        storage.documents.save(*added)
        found = walk(
            lambda after, limit: storage.documents.page(
                "ann", INVOICE, after=after, limit=limit, search=search, year=year
            ),
            document_key,
            limit,
        )
        own = [document for document in added if document.customer_id == "ann"]
        assert found == expected_documents(own, INVOICE, search, year)
        assert found

    def test_documents_of_a_day_are_ordered_by_code_point(self, storage: FullStorage) -> None:
        """Documents of one day come by the code points of their ids, the last first."""
        storage.documents.save(*(an_invoice(one) for one in RISING_IDS[1:]))
        found = walk(
            lambda after, limit: storage.documents.page(
                CUSTOMER_ID, INVOICE, after=after, limit=limit
            ),
            document_key,
            2,
        )
        assert [document.id for document in found] == list(RISING_IDS[:0:-1])

    def test_a_document_page_can_start_anywhere(self, storage: FullStorage) -> None:
        """A key of no document starts a page as well: what follows it, not what is at it."""
        days = [an_invoice(f"D{n}", date=dt.date(2025, 1, n)) for n in (1, 3, 5)]
        storage.documents.save(*days)
        for after, ids in (
            ((dt.date.max, ""), ["D5", "D3", "D1"]),
            ((dt.date(2025, 1, 4), "x"), ["D3", "D1"]),
            ((dt.date(2025, 1, 3), "D4"), ["D3", "D1"]),
            ((dt.date(2025, 1, 3), "D3"), ["D1"]),
            ((dt.date.min, ""), []),
        ):
            found = storage.documents.page(CUSTOMER_ID, INVOICE, after=after)
            assert [document.id for document in found] == ids

    def test_a_thousand_documents_may_be_asked_for(self, storage: FullStorage) -> None:
        """A thousand ids may be asked for at once."""
        storage.documents.save(an_invoice("D-999"), an_invoice("D-1000"))
        found = storage.documents.page(CUSTOMER_ID, INVOICE, ids=[f"D-{n}" for n in range(1000)])
        assert [document.id for document in found] == ["D-999"]

    def test_a_page_may_be_long(self, storage: FullStorage) -> None:
        """A page is as long as was asked for, up to a thousand, where there is as much."""
        storage.documents.save(*(an_invoice(f"INV-{number:04}") for number in range(1001)))
        assert len(storage.documents.page(CUSTOMER_ID, INVOICE, limit=1000)) == 1000

    def test_texts_are_kept_and_found_whatever_their_case(self, storage: FullStorage) -> None:
        """Spaces at the ends are kept, and a search folds the case of every alphabet."""
        document = an_invoice(number=" STRASSE ", reference="ΣΊΣΥΦΟΣ ")
        storage.documents.save(document)
        for search in (" straße", "σίσυφος", "Σίσυφος "):
            assert list(storage.documents.page(CUSTOMER_ID, INVOICE, search=search)) == [document]
        assert list(storage.documents.page(CUSTOMER_ID, INVOICE, search="straße")) == []

    def test_kinds_are_told_of_own_issued_documents(self, storage: FullStorage) -> None:
        """The kinds of documents asked for are told where they are the customer's and issued."""
        added = many_documents()
        storage.documents.save(*added)
        asked = [*(document.id for document in added), "absent", *ABSENT_IDS]
        for customer_id in ("ann", "ben", "absent"):
            expected = {
                document.id: document.kind
                for document in added
                if document.customer_id == customer_id and document.status is DocumentStatus.ISSUED
            }
            assert dict(storage.documents.issued_kinds(customer_id, asked)) == expected
        assert dict(storage.documents.issued_kinds("ann", [])) == {}

    @pytest.mark.parametrize("kind", list(DocumentKind))
    def test_years_are_those_of_issued_documents(
        self, storage: FullStorage, kind: DocumentKind
    ) -> None:
        """The years are those with issued documents of the kind, newest first, each once."""
        added = many_documents()
        draft = an_order("draft", status=DocumentStatus.DRAFT, date=dt.date(1999, 1, 1))
        storage.documents.save(*added, attrs.evolve(draft, customer_id="ann"))
        for customer_id in ("ann", "ben"):
            own = [document for document in added if document.customer_id == customer_id]
            years = {document.date.year for document in expected_documents(own, kind)}
            assert list(storage.documents.years(customer_id, kind)) == sorted(years, reverse=True)
