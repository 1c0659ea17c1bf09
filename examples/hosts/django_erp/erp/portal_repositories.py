"""The ERP's parties, documents and ledger as the portal reads them, over the ORM."""

import datetime as dt
import re

from django.db.models import CharField, Q
from django.db.models.functions import Cast

from basis_portal import (
    Allocation,
    Customer,
    DocumentKind,
    DocumentLine,
    DocumentStatus,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    Page,
)
from basis_portal import Document as PortalDocument

from .models import Document, Matching, Party, Posting

KINDS = {
    Document.Kind.INVOICE: DocumentKind.SALES_INVOICE,
    Document.Kind.ORDER: DocumentKind.SALES_ORDER,
    Document.Kind.CREDIT_NOTE: DocumentKind.CREDIT_NOTE,
}
OUR_KINDS = {theirs: ours for ours, theirs in KINDS.items()}
AS_TEXT = Cast("pk", CharField())  # the portal's ids are text, and ordered as text


def keys(ids):
    """The primary keys that ids of the portal stand for; other text stands for none."""
    return [int(one) for one in ids if re.fullmatch(r"[1-9][0-9]{0,17}", one)]


class ErpCustomers:
    """Parties."""

    def get(self, customer_id):
        """One, blocked or not, or None."""
        return self.get_many([customer_id]).get(customer_id)

    def get_many(self, customer_ids):
        """Those that exist, by id."""
        parties = Party.objects.filter(pk__in=keys(customer_ids))
        return {str(party.pk): self._customer(party) for party in parties}

    def search(self, text="", *, after=None, limit=50):
        """By part of a name, number or e-mail, in the order of the numbers."""
        found = Party.objects.filter(
            Q(name__icontains=text) | Q(number__icontains=text) | Q(email__icontains=text)
        ).order_by("number")
        if after is not None:
            last = Party.objects.filter(pk__in=keys([after])).first()
            if last is None:
                raise InvalidValue("after must be the next= of an earlier page", field="after")
            found = found.filter(number__gt=last.number)
        page = [self._customer(party) for party in found[: limit + 1]]
        return Page(tuple(page[:limit]), page[limit - 1].id if len(page) > limit else None)

    def _customer(self, party):
        return Customer(
            id=str(party.pk),
            name=party.name,
            email=party.email or None,
            number=party.number,
            language=party.language or None,
            blocked=party.on_hold,
        )


class ErpDocuments:
    """Invoices, orders and credit notes."""

    def get(self, customer_id, document_id):
        """The customer's document, whatever its state, or None."""
        found = self._of(customer_id).filter(pk__in=keys([document_id])).first()
        return found and self._document(found)

    def page(self, customer_id, kind, *, after=None, limit=50, search=None, year=None, ids=None):
        """Issued documents of a kind, newest first, by date and id."""
        found = self._of(customer_id).filter(kind=OUR_KINDS[kind], state=Document.State.ISSUED)
        if after is not None:
            date, key = after
            found = found.filter(Q(date__lt=date) | Q(date=date, key__lt=key))
        if search is not None:
            found = found.filter(
                Q(number__istartswith=search) | Q(your_reference__istartswith=search)
            )
        if year is not None:
            found = found.filter(date__year=year)
        if ids is not None:
            found = found.filter(pk__in=keys(ids))
        return [self._document(one) for one in found.order_by("-date", "-key")[:limit]]

    def _of(self, customer_id):
        documents = Document.objects.annotate(key=AS_TEXT).prefetch_related("lines")
        return documents.filter(party__in=keys([customer_id]))

    def _document(self, document):
        return PortalDocument(
            id=str(document.pk),
            customer_id=str(document.party_id),
            kind=KINDS[document.kind],
            status=DocumentStatus(document.state),
            number=document.number,
            date=document.date,
            due_date=document.due_date,
            currency=document.currency,
            total=document.total,
            reference=document.your_reference or None,
            lines=[self._line(line) for line in document.lines.all()],
        )

    def _line(self, line):
        return DocumentLine(line.text, line.quantity, line.price, amount=line.amount)


class ErpLedger:
    """Postings and matchings."""

    def entries(self, customer_id, *, start=None, end=None):
        """What was posted to the customer's account."""
        days = (start or dt.date.min, end or dt.date.max)
        for posting in Posting.objects.filter(party__in=keys([customer_id]), date__range=days):
            yield LedgerEntry(
                id=str(posting.pk),
                customer_id=str(posting.party_id),
                kind=EntryKind(posting.kind),
                date=posting.date,
                due_date=posting.due_date,
                currency=posting.currency,
                amount=posting.amount,
                document_id=str(posting.document_id) if posting.document_id else None,
                number=posting.text,
            )

    def allocations(self, customer_id):
        """What was matched on the customer's account."""
        matchings = Matching.objects.filter(debit__party__in=keys([customer_id]))
        for matching in matchings.select_related("debit"):
            yield Allocation(
                id=str(matching.pk),
                customer_id=str(matching.debit.party_id),
                debit_id=str(matching.debit_id),
                credit_id=str(matching.credit_id),
                amount=matching.amount,
                date=matching.date,
            )
