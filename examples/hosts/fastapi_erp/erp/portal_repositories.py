"""The ERP's customers, documents and ledger as the portal reads them, in plain SQL.

Columns are named as the portal names them, so that a row is what its classes are made of.
"""

import datetime as dt

from psycopg.rows import kwargs_row

from basis_portal import (
    Allocation,
    Customer,
    Document,
    DocumentKind,
    DocumentStatus,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    Page,
)

KINDS = {
    "invoice": DocumentKind.SALES_INVOICE,
    "order": DocumentKind.SALES_ORDER,
    "credit note": DocumentKind.CREDIT_NOTE,
}
OUR_KINDS = {theirs: ours for ours, theirs in KINDS.items()}
STATES = {
    "draft": DocumentStatus.DRAFT,
    "sent": DocumentStatus.ISSUED,
    "cancelled": DocumentStatus.CANCELLED,
}


class _Repository:
    """Each read takes a connection of `connections` and gives it back at once."""

    def __init__(self, connections):
        self._connections = connections

    def _read(self, query, values, make):
        with self._connections() as connection:
            return connection.cursor(row_factory=kwargs_row(make)).execute(query, values).fetchall()


def storable(text):
    """False for what no column of PostgreSQL can hold, and a query must not ask for."""
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


class ErpCustomers(_Repository):
    """Customers; their number is their id."""

    COLUMNS = "SELECT number AS id, number, name, email, language, on_hold AS blocked"

    def get(self, customer_id):
        """One, on hold or not, or None."""
        return self.get_many([customer_id]).get(customer_id)

    def get_many(self, customer_ids):
        """Those that exist, by id."""
        query = f"{self.COLUMNS} FROM erp.customers WHERE number = ANY(%s)"
        found = self._read(query, [list(filter(storable, customer_ids))], Customer)
        return {one.id: one for one in found}

    def search(self, text="", *, after=None, limit=50):
        """By part of a name, number or e-mail, in the order of the numbers."""
        if after is not None and self.get(after) is None:
            raise InvalidValue("after must be the next= of an earlier page", field="after")
        query = f"""{self.COLUMNS} FROM erp.customers
            WHERE number > %(after)s AND (
                strpos(lower(name), lower(%(text)s)) > 0
                OR strpos(lower(number), lower(%(text)s)) > 0
                OR strpos(lower(email), lower(%(text)s)) > 0)
            ORDER BY number LIMIT %(limit)s"""
        values = {"after": after or "", "text": text, "limit": limit + 1}
        found = self._read(query, values, Customer) if storable(text) else []
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)


class ErpDocuments(_Repository):
    """Invoices, orders and credit notes; their number is their id."""

    OF_CUSTOMER = """
        SELECT number AS id, customer AS customer_id, kind, state AS status, number, date,
            due_date, your_reference AS reference, currency, total
        FROM erp.documents WHERE customer = %(customer)s"""

    def get(self, customer_id, document_id):
        """The customer's document, whatever its state, or None."""
        if not (storable(customer_id) and storable(document_id)):
            return None
        values = {"customer": customer_id, "id": document_id}
        found = self._read(f"{self.OF_CUSTOMER} AND number = %(id)s", values, self._document)
        return found[0] if found else None

    def page(self, customer_id, kind, *, after=None, limit=50, search=None, year=None, ids=None):
        """Sent documents of a kind, newest first, by date and number."""
        if not (storable(customer_id) and storable(search or "")):
            return []
        day, number = after or (None, None)
        query = f"""{self.OF_CUSTOMER} AND kind = %(kind)s AND state = 'sent'
            AND (%(day)s::date IS NULL OR (date, number) < (%(day)s, %(number)s))
            AND (%(search)s::text IS NULL OR starts_with(lower(number), lower(%(search)s))
                OR starts_with(lower(your_reference), lower(%(search)s)))
            AND (%(year)s::int IS NULL OR extract(year FROM date) = %(year)s)
            AND (%(ids)s::text[] IS NULL OR number = ANY(%(ids)s))
            ORDER BY date DESC, number DESC LIMIT %(limit)s"""
        values = {
            "customer": customer_id,
            "kind": OUR_KINDS[kind],
            "day": day,
            "number": number,
            "search": search,
            "year": year,
            "ids": None if ids is None else list(filter(storable, ids)),
            "limit": limit,
        }
        return self._read(query, values, self._document)

    def _document(self, *, kind, status, **row):
        return Document(kind=KINDS[kind], status=STATES[status], **row)


class ErpLedger(_Repository):
    """What stands on the customers' accounts, and what settles what."""

    def entries(self, customer_id, *, start=None, end=None):
        """What was posted to the customer's account."""
        query = """
            SELECT id::text, customer AS customer_id, kind, date, due_date, currency, amount,
                document AS document_id, label AS number
            FROM erp.ledger WHERE customer = %s AND date BETWEEN %s AND %s"""
        values = [customer_id, start or dt.date.min, end or dt.date.max]
        return self._read(query, values, self._entry) if storable(customer_id) else []

    def allocations(self, customer_id):
        """What was allocated on the customer's account."""
        query = """
            SELECT id::text, customer AS customer_id, debit::text AS debit_id,
                credit::text AS credit_id, amount, date
            FROM erp.allocations WHERE customer = %s"""
        return self._read(query, [customer_id], Allocation) if storable(customer_id) else []

    def _entry(self, *, kind, **row):
        return LedgerEntry(kind=EntryKind(kind), **row)
