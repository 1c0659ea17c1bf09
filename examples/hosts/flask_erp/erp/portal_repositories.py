"""The ERP's customers, documents and ledger as the portal reads them."""

import datetime as dt
from decimal import Decimal

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

import basis_portal as portal

from .models import Customer, Document, Kind, Matching, Posting, State

KINDS = {
    Kind.INVOICE: portal.DocumentKind.SALES_INVOICE,
    Kind.ORDER: portal.DocumentKind.SALES_ORDER,
    Kind.CREDIT_NOTE: portal.DocumentKind.CREDIT_NOTE,
}
OUR_KINDS = {theirs: ours for ours, theirs in KINDS.items()}
STATES = {
    State.DRAFT: portal.DocumentStatus.DRAFT,
    State.SENT: portal.DocumentStatus.ISSUED,
    State.CANCELLED: portal.DocumentStatus.CANCELLED,
}


def amount(cents):
    """An amount of cents, never through a float."""
    return Decimal(cents).scaleb(-2)


class _Repository:
    """Each read has a session of its own: the portal asks on any thread."""

    def __init__(self, sessions: sessionmaker[Session]):
        self._sessions = sessions

    def _read(self, query, to_ours):
        with self._sessions() as session:
            return [to_ours(row) for row in session.scalars(query)]


class ErpCustomers(_Repository):
    """Customers; their number is their id."""

    def get(self, customer_id):
        """One, on hold or not, or None."""
        return self.get_many([customer_id]).get(customer_id)

    def get_many(self, customer_ids):
        """Those that exist, by id."""
        query = select(Customer).where(Customer.number.in_(customer_ids))
        return {one.id: one for one in self._read(query, self._customer)}

    def search(self, text="", *, after=None, limit=50):
        """By part of a name, number or e-mail, in the order of the numbers."""
        if after is not None and self.get(after) is None:
            raise portal.InvalidValue("after must be the next= of an earlier page", field="after")
        places = (Customer.name, Customer.number, Customer.email)
        query = select(Customer).where(
            Customer.number > (after or ""),
            or_(*(place.icontains(text, autoescape=True) for place in places)),
        )
        found = self._read(query.order_by(Customer.number).limit(limit + 1), self._customer)
        return portal.Page(
            tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None
        )

    def _customer(self, row):
        return portal.Customer(
            id=row.number,
            name=row.name,
            email=row.email,
            number=row.number,
            language=row.language,
            blocked=row.on_hold,
        )


class ErpDocuments(_Repository):
    """Invoices, orders and credit notes; their number is their id."""

    def get(self, customer_id, document_id):
        """The customer's document, whatever its state, or None."""
        query = self._of(customer_id).where(Document.number == document_id)
        return next(iter(self._read(query, self._document)), None)

    def page(self, customer_id, kind, *, after=None, limit=50, search=None, year=None, ids=None):
        """Sent documents of a kind, newest first, by date and number."""
        query = self._of(customer_id).where(
            Document.kind == OUR_KINDS[kind], Document.state == State.SENT
        )
        if after is not None:
            date, number = after
            earlier = and_(Document.date == date, Document.number < number)
            query = query.where(or_(Document.date < date, earlier))
        if search is not None:
            places = (Document.number, func.coalesce(Document.your_reference, ""))
            starts = (place.istartswith(search, autoescape=True) for place in places)
            query = query.where(or_(*starts))
        if year is not None:
            query = query.where(Document.date.between(dt.date(year, 1, 1), dt.date(year, 12, 31)))
        if ids is not None:
            query = query.where(Document.number.in_(ids))
        newest = query.order_by(Document.date.desc(), Document.number.desc())
        return self._read(newest.limit(limit), self._document)

    def _of(self, customer_id):
        return select(Document).where(Document.customer_number == customer_id)

    def _document(self, row):
        return portal.Document(
            id=row.number,
            customer_id=row.customer_number,
            kind=KINDS[row.kind],
            status=STATES[row.state],
            number=row.number,
            reference=row.your_reference,
            date=row.date,
            due_date=row.due_date,
            currency=row.currency,
            total=amount(row.cents),
        )


class ErpLedger(_Repository):
    """Postings and matchings."""

    def entries(self, customer_id, *, start=None, end=None):
        """What was posted to the customer's account."""
        days = Posting.date.between(start or dt.date.min, end or dt.date.max)
        query = select(Posting).where(Posting.customer_number == customer_id, days)
        return self._read(query, self._entry)

    def allocations(self, customer_id):
        """What was matched on the customer's account."""
        query = select(Matching).where(Matching.customer_number == customer_id)
        return self._read(query, self._allocation)

    def _entry(self, row):
        return portal.LedgerEntry(
            id=str(row.id),
            customer_id=row.customer_number,
            kind=portal.EntryKind(row.kind),
            date=row.date,
            due_date=row.due_date,
            currency=row.currency,
            amount=amount(row.cents),
            document_id=row.document_number,
            number=row.text,
        )

    def _allocation(self, row):
        return portal.Allocation(
            id=str(row.id),
            customer_id=row.customer_number,
            debit_id=str(row.debit_id),
            credit_id=str(row.credit_id),
            amount=amount(row.cents),
            date=row.date,
        )
