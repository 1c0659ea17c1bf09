"""Documents are posted and go out by e-mail, an invoice with a link to the customer's portal."""

from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from basis_portal import AccessRevoked, CustomerBlocked
from basis_portal.mail import invoice_link, invoice_sentence

from . import bookkeeping
from .models import Document
from .portal_site import SELLER, joined_portal


@transaction.atomic
def post_and_mail(document, by):
    """Post a document and issue an invoice's link, both or neither; the e-mail follows the commit.

    The token is issued over Django's own connection: where this transaction is rolled back, there
    is neither posting nor token, and nobody gets an e-mail. An e-mail that fails is logged.
    """
    document = bookkeeping.post(document)
    link = link_to(document, by)
    if document.party.email:
        transaction.on_commit(lambda: mail(document, link), robust=True)
    return link


def link_to(document, by):
    """The customer's link, which opens the invoice; None where staff gave no access.

    Nothing else has one: the sentence is of invoices, and the settings may hide the rest.
    """
    if document.kind != Document.Kind.INVOICE:
        return None
    try:
        return invoice_link(
            joined_portal(), str(document.party_id), document=str(document.pk), by=by
        )
    except (AccessRevoked, CustomerBlocked):
        return None


def mail(document, link):
    """Send a document's e-mail by Django's mail, whatever its backend is."""
    sentence = invoice_sentence(link, document.party.language) if link else ""
    words = {"document": document, "sentence": sentence, "seller": SELLER}
    text = render_to_string("erp/document_mail.txt", words)
    subject = f"{document.get_kind_display()} {document.number}"
    send_mail(subject, text, None, [document.party.email])
