"""What happens to documents, and what is posted then."""

from django.core.exceptions import ValidationError
from django.db import transaction

from .models import Document, Matching, Posting

KINDS = {
    Document.Kind.INVOICE: Posting.Kind.INVOICE,
    Document.Kind.CREDIT_NOTE: Posting.Kind.CREDIT_NOTE,
}
DEBITS = {Posting.Kind.INVOICE, Posting.Kind.REFUND}


@transaction.atomic
def post(document):
    """Issue a draft; an invoice or a credit note gets its posting, an order has none."""
    document = _in_state(document, Document.State.DRAFT)
    if document.total < 0:
        raise ValidationError(f"{document} has a negative total; make it a credit note")
    document.state = Document.State.ISSUED
    document.save()
    if document.kind in KINDS:
        Posting.objects.create(
            party=document.party,
            kind=KINDS[document.kind],
            date=document.date,
            due_date=document.due_date,
            currency=document.currency,
            amount=document.total,
            document=document,
            text=document.number,
        )
    return document


@transaction.atomic
def cancel(document, date):
    """Cancel an issued invoice of which nothing is paid: it is reversed on that day."""
    document = _in_state(document, Document.State.ISSUED)
    if document.kind != Document.Kind.INVOICE:
        raise ValidationError(f"{document} is no invoice; only invoices are cancelled")
    document.state = Document.State.CANCELLED
    document.save()
    posted = document.postings.get()
    reversal = _credit(
        document.party, Posting.Kind.CANCELLATION, date, posted, f"{document} cancelled"
    )
    match(posted, reversal, posted.amount, date)


def _credit(party, kind, date, debit, text):
    return Posting.objects.create(
        party=party, kind=kind, date=date, currency=debit.currency, amount=debit.amount, text=text
    )


def receive(party, date, currency, amount, text):
    """Post a payment that came in."""
    return Posting.objects.create(
        party=party,
        kind=Posting.Kind.PAYMENT,
        date=date,
        currency=currency,
        amount=amount,
        text=text,
    )


@transaction.atomic
def match(debit, credit, amount, date):
    """Settle part of a debit by part of a credit of the same party and currency."""
    if debit.kind not in DEBITS or credit.kind in DEBITS:
        raise ValidationError(f"{credit} is no credit that could settle {debit}")
    if (debit.party_id, debit.currency) != (credit.party_id, credit.currency):
        raise ValidationError(f"{credit} and {debit} are of two parties or currencies")
    for posting, matchings in ((debit, debit.settled_by), (credit, credit.settles)):
        settled = sum(one.amount for one in matchings.all())  # SQLite would add up floats
        if settled + amount > posting.amount:
            raise ValidationError(f"of {posting} only {posting.amount - settled} is open")
    return Matching.objects.create(debit=debit, credit=credit, amount=amount, date=date)


def _in_state(document, state):
    """The document as it is now, which nobody changes until the transaction ends."""
    document = Document.objects.select_for_update().get(pk=document.pk)
    if document.state != state:
        raise ValidationError(f"{document} is {document.state}, not {state}")
    return document
