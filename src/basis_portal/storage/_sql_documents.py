"""Customers and documents in SQL. `basis_portal.repositories` says what is promised."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..domain.checks import check_member
from ..domain.customers import Customer
from ..domain.documents import Document, DocumentKind
from ..domain.paging import Page, make_page, read_cursor
from ..repositories import DocumentKey, StoredCustomers, StoredDocuments
from . import _sql
from ._sql import SQLRepository, assignments, atomic, folded, id_list, marks, prefixed, wanted


class SQLCustomers(SQLRepository, StoredCustomers):
    """`StoredCustomers`."""

    def get(self, customer_id: str) -> Customer | None:
        values = (self._tenant, wanted(customer_id))
        return self._database.one(_sql.to_customer, _GET_CUSTOMER, values)

    def get_many(self, customer_ids: Collection[str]) -> Mapping[str, Customer]:
        values = (id_list(customer_ids), self._tenant)
        found = self._database.each(_sql.to_customer, _GET_CUSTOMERS, values)
        return {customer.id: customer for customer in found}

    def search(
        self, text: str = "", *, after: str | None = None, limit: int = 50
    ) -> Page[Customer]:
        sql = _CUSTOMERS
        values: list[object] = [self._tenant, *(read_cursor(after, str, str) or ("", ""))]
        if text:
            sql += f" AND {_CUSTOMER_FITS}"
            values += [wanted(folded(text))] * 3
        sql += " ORDER BY name_key, id LIMIT ?"
        found = self._database.each(_sql.to_customer, sql, [*values, limit + 1])
        return make_page(found, limit, lambda customer: (customer.name.casefold(), customer.id))

    @atomic
    def save(self, *customers: Customer) -> None:
        rows = [
            (
                self._tenant,
                *_sql.customer_row(check_member("customer", customer, Customer)),
                folded(customer.name),
                folded(customer.email),
                folded(customer.number),
            )
            for customer in customers
        ]
        self._database.run_many(_SAVE_CUSTOMER, rows)

    @atomic
    def delete(self, customer_id: str) -> bool:
        return self._database.run(_DELETE_CUSTOMER, (self._tenant, wanted(customer_id))) > 0


_CUSTOMER_KEYS = f"{_sql.CUSTOMER}, name_key, email_key, number_key"
_GET_CUSTOMER = f"SELECT {_sql.CUSTOMER} FROM customers WHERE tenant = ? AND id = ?"
_GET_CUSTOMERS = (
    f"SELECT {prefixed('customers', _sql.CUSTOMER)} FROM json_each(?) AS wanted "
    "CROSS JOIN customers ON tenant = ? AND customers.id = value"
)
_CUSTOMERS = f"SELECT {_sql.CUSTOMER} FROM customers WHERE tenant = ? AND (name_key, id) > (?, ?)"
_CUSTOMER_FITS = "(instr(name_key, ?) > 0 OR instr(email_key, ?) > 0 OR instr(number_key, ?) > 0)"
_SAVE_CUSTOMER = (
    f"INSERT INTO customers (tenant, {_CUSTOMER_KEYS}) VALUES (?, {marks(_CUSTOMER_KEYS)}) "
    f"ON CONFLICT (tenant, id) DO UPDATE SET {assignments(_CUSTOMER_KEYS)}"
)
_DELETE_CUSTOMER = "DELETE FROM customers WHERE tenant = ? AND id = ?"


class SQLDocuments(SQLRepository, StoredDocuments):
    """`StoredDocuments`."""

    def get(self, customer_id: str, document_id: str) -> Document | None:
        values = (self._tenant, wanted(document_id), wanted(customer_id))
        return self._database.one(_sql.to_document, _GET_DOCUMENT, values)

    def page(
        self,
        customer_id: str,
        kind: DocumentKind,
        *,
        after: DocumentKey | None = None,
        limit: int = 50,
        search: str | None = None,
        year: int | None = None,
        ids: Collection[str] | None = None,
    ) -> Sequence[Document]:
        kind = check_member("kind", kind, DocumentKind)
        sql = _PAGE
        values: list[object] = [self._tenant, wanted(customer_id), kind.value]
        if ids is not None:
            sql, values = _PAGE_OF_IDS, [id_list(ids), *values]
        if after is not None:
            sql += " AND (date, documents.id) < (?, ?)"
            values += [after[0].isoformat(), after[1]]
        if year is not None:
            sql += " AND date BETWEEN ? AND ?"
            values += [f"{year:04}-01-01", f"{year:04}-12-31"]
        if search:
            sql += f" AND {_DOCUMENT_FITS}"
            values += [wanted(folded(search))] * 4
        sql += " ORDER BY date DESC, documents.id DESC LIMIT ?"
        return self._database.each(_sql.to_document, sql, [*values, limit])

    def issued_kinds(
        self, customer_id: str, document_ids: Collection[str]
    ) -> Mapping[str, DocumentKind]:
        values = (id_list(document_ids), self._tenant, wanted(customer_id))
        found = self._database.rows(_ISSUED_KINDS, values)
        return {document_id: DocumentKind(kind) for document_id, kind in found}

    def years(self, customer_id: str, kind: DocumentKind) -> Sequence[int]:
        kind = check_member("kind", kind, DocumentKind)
        values = {"tenant": self._tenant, "customer": wanted(customer_id), "kind": kind.value}
        return self._database.each(int, _YEARS, values)

    @atomic
    def save(self, *documents: Document) -> None:
        rows = [
            (
                self._tenant,
                *_sql.document_row(check_member("document", document, Document)),
                folded(document.number),
                folded(document.reference),
            )
            for document in documents
        ]
        self._database.run_many(_SAVE_DOCUMENT, rows)

    @atomic
    def delete(self, document_id: str) -> bool:
        return self._database.run(_DELETE_DOCUMENT, (self._tenant, wanted(document_id))) > 0


_DOCUMENT_KEYS = f"{_sql.DOCUMENT}, number_key, reference_key"
_SHOWN = "customer_id = ? AND kind = ? AND status = 'issued'"
_GET_DOCUMENT = (
    f"SELECT {_sql.DOCUMENT} FROM documents WHERE tenant = ? AND id = ? AND customer_id = ?"
)
_PAGE = f"SELECT {_sql.DOCUMENT} FROM documents WHERE tenant = ? AND {_SHOWN}"
# The ids lead: it is by them that few documents are found among many.
_PAGE_OF_IDS = (
    f"SELECT {prefixed('documents', _sql.DOCUMENT)} FROM json_each(?) AS wanted "
    f"CROSS JOIN documents ON tenant = ? AND documents.id = value WHERE {_SHOWN}"
)
_ISSUED_KINDS = (
    "SELECT documents.id, kind FROM json_each(?) AS wanted CROSS JOIN documents "
    "ON tenant = ? AND documents.id = value WHERE customer_id = ? AND status = 'issued'"
)
# LIKE would take % and _ for patterns, and fold the case of ASCII alone.
_DOCUMENT_FITS = "(substr(number_key, 1, length(?)) = ? OR substr(reference_key, 1, length(?)) = ?)"
# From each year straight to the one before it, whatever lies between.
_LAST_DAY = (
    "SELECT max(date) FROM documents "
    "WHERE tenant = :tenant AND customer_id = :customer AND kind = :kind AND status = 'issued'"
)
_YEARS = f"""
    WITH RECURSIVE days (day) AS (
        SELECT ({_LAST_DAY})
        UNION ALL
        SELECT ({_LAST_DAY} AND date < substr(day, 1, 4)) FROM days WHERE day IS NOT NULL
    )
    SELECT substr(day, 1, 4) FROM days WHERE day IS NOT NULL
"""
_SAVE_DOCUMENT = (
    f"INSERT INTO documents (tenant, {_DOCUMENT_KEYS}) VALUES (?, {marks(_DOCUMENT_KEYS)}) "
    f"ON CONFLICT (tenant, id) DO UPDATE SET {assignments(_DOCUMENT_KEYS)}"
)
_DELETE_DOCUMENT = "DELETE FROM documents WHERE tenant = ? AND id = ?"
