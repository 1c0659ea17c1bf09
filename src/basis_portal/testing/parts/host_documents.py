"""What a host's own documents promise, over the host's own data."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from ...domain.documents import Document, DocumentFile, DocumentKind, DocumentStatus
from ...repositories import (
    DocumentRepository,
    SupportsFiles,
    SupportsIssuedKinds,
    SupportsYears,
    supports,
)
from .base import Kit, walk
from .documents import document_key, expected_documents
from .host_customers import NOBODY

_PAIRS = [(kind, limit) for kind in DocumentKind for limit in (1, 3, 1000)]


def documents_of(
    documents: DocumentRepository,
    customer_id: str,
    kind: DocumentKind,
    limit: int = 1000,
    *,
    search: str | None = None,
    year: int | None = None,
    ids: Collection[str] | None = None,
) -> list[Document]:
    """All documents of a list, page by page."""
    return walk(
        lambda after, limit: documents.page(
            customer_id, kind, after=after, limit=limit, search=search, year=year, ids=ids
        ),
        document_key,
        limit,
    )


def all_documents(documents: DocumentRepository, customer_id: str) -> list[Document]:
    """All issued documents of a customer."""
    return [one for kind in DocumentKind for one in documents_of(documents, customer_id, kind)]


class HostDocumentsConformance(Kit):
    """Lists show a customer its own issued documents of one kind, newest first."""

    def test_known_customers_have_documents(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Two of the known customers have documents; without them these tests show nothing."""
        having = [c for c in set(known_customer_ids) if all_documents(documents, c)]
        assert len(having) >= 2, "two known customers must have issued documents"

    def test_lists_show_nothing_foreign(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """All documents of a list are the customer's own, issued, and of the kind asked for."""
        for customer_id, kind in itertools.product(known_customer_ids, DocumentKind):
            for document in documents_of(documents, customer_id, kind):
                assert document.customer_id == customer_id
                assert document.kind is kind
                assert document.status is DocumentStatus.ISSUED

    @pytest.mark.parametrize(("kind", "limit"), _PAIRS)
    def test_document_pages_join_to_the_list(
        self,
        documents: DocumentRepository,
        known_customer_ids: Sequence[str],
        kind: DocumentKind,
        limit: int,
    ) -> None:
        """Pages of any length come newest first, by date and id, and join to the same list."""
        for customer_id in known_customer_ids:
            found = documents_of(documents, customer_id, kind, limit)
            assert found == sorted(found, key=document_key, reverse=True)
            assert found == documents_of(documents, customer_id, kind, 7)

    def test_a_listed_document_is_got(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Each document of a list is got by its id, and is the same."""
        for customer_id in known_customer_ids:
            for document in all_documents(documents, customer_id):
                assert documents.get(customer_id, document.id) == document

    def test_a_foreign_or_unknown_document_is_none(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """A document of another customer is none, and so is one that nobody has."""
        for owner, other in itertools.permutations(set(known_customer_ids), 2):
            for document in all_documents(documents, owner):
                assert documents.get(other, document.id) is None
                assert documents.get(NOBODY, document.id) is None
            assert documents.get(owner, NOBODY) is None
        assert all_documents(documents, NOBODY) == []

    def test_a_search_is_for_beginnings(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """A search shows what has a number or reference that starts so, case ignored."""
        for customer_id, kind in itertools.product(known_customer_ids, DocumentKind):
            everything = documents_of(documents, customer_id, kind)
            for text in _beginnings(everything):
                found = documents_of(documents, customer_id, kind, search=text)
                assert found == expected_documents(everything, kind, search=text)

    def test_a_year_is_that_of_the_date(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """A year shows the documents dated in it, its first and last day included."""
        for customer_id, kind in itertools.product(known_customer_ids, DocumentKind):
            everything = documents_of(documents, customer_id, kind)
            for year in {1900, *(document.date.year for document in everything)}:
                found = documents_of(documents, customer_id, kind, 3, year=year)
                assert found == expected_documents(everything, kind, year=year)

    def test_ids_leave_the_rest_out(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Given ids, only documents with one of these are shown, and of others' ids nothing."""
        of_anybody = {d.id for c in known_customer_ids for d in all_documents(documents, c)}
        some = {*sorted(of_anybody)[::2], NOBODY}
        for customer_id, kind in itertools.product(known_customer_ids, DocumentKind):
            everything = documents_of(documents, customer_id, kind)
            found = documents_of(documents, customer_id, kind, ids=some)
            assert found == expected_documents(everything, kind, ids=some)
            assert documents_of(documents, customer_id, kind, ids=[]) == []

    def test_filters_combine(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Search, year and ids together show what fits all of them, from any place on."""
        for customer_id, kind in itertools.product(known_customer_ids, DocumentKind):
            everything = documents_of(documents, customer_id, kind)
            if not everything:
                continue
            middle = everything[len(everything) // 2]
            text, year = middle.number[:2], middle.date.year
            ids = {document.id for document in everything[1::2]} | {middle.id}
            expected = expected_documents(everything, kind, text, year, ids)
            assert middle in expected
            found = documents_of(documents, customer_id, kind, 2, search=text, year=year, ids=ids)
            assert found == expected
            rest = [one for one in everything if document_key(one) < (middle.date, middle.id)]
            after = (middle.date, middle.id)
            assert list(documents.page(customer_id, kind, after=after, limit=3)) == rest[:3]

    def test_a_page_may_start_between_documents(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """A page may start after a place that no document has."""
        for customer_id, kind in itertools.product(known_customer_ids, DocumentKind):
            everything = documents_of(documents, customer_id, kind)
            first = documents.page(customer_id, kind, after=(dt.date.max, "z"), limit=1000)
            assert list(first) == everything[:1000]
            assert list(documents.page(customer_id, kind, after=(dt.date.min, ""), limit=3)) == []

    def test_years_agree_with_the_documents(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Where the host tells the years, they are those of the lists, newest first."""
        able: Any = documents
        if not supports(able, SupportsYears):
            pytest.skip("the documents do not tell their years; they are derived")
        for customer_id, kind in itertools.product(known_customer_ids, DocumentKind):
            years = {one.date.year for one in documents_of(documents, customer_id, kind)}
            assert list(able.years(customer_id, kind)) == sorted(years, reverse=True)

    def test_kinds_agree_with_the_documents(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Where the host tells the kinds of documents, they are those of the customer's lists."""
        able: Any = documents
        if not supports(able, SupportsIssuedKinds):
            pytest.skip("the documents do not tell their kinds; they are derived")
        lists = {one: all_documents(documents, one) for one in known_customer_ids}
        asked = [document.id for found in lists.values() for document in found][:1000]
        for customer_id, own in lists.items():
            expected = {one.id: one.kind for one in own if one.id in asked}
            assert dict(able.issued_kinds(customer_id, asked)) == expected

    def test_files_are_files(
        self, documents: DocumentRepository, known_customer_ids: Sequence[str]
    ) -> None:
        """Where the host gives files, each document has one with a name and content, or none."""
        able: Any = documents
        if not supports(able, SupportsFiles):
            pytest.skip("the documents have no files")
        for customer_id in known_customer_ids:
            for document in all_documents(documents, customer_id)[:3]:
                file = able.file(customer_id, document.id)
                assert file is None or (isinstance(file, DocumentFile) and file.content)


def _beginnings(documents: Sequence[Document]) -> set[str]:
    """Texts to search for: beginnings, whole numbers, and what only follows a beginning."""
    texts = {NOBODY, "%", "_"}
    for document in documents[:5]:
        for text in filter(None, (document.number, document.reference)):
            texts |= {text, text[:1], text[: len(text) // 2 + 1], text[1:]}
            texts |= {text.lower(), text.upper()} if text.isascii() else set()
    return {text for text in texts if text}
