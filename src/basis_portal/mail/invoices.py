"""The link in a host's own e-mails, such as that with an invoice."""

from __future__ import annotations

from ..domain.documents import Document
from ..i18n import Language, language_for
from ..portal import Portal


def invoice_link(
    portal: Portal,
    customer_id: str,
    *,
    by: str | None = None,
    document: Document | str | None = None,
) -> str:
    """The customer's link for an e-mail that the host sends, such as that with an invoice.

    Call it before rendering and give the template the text: a preview of the template must
    issue nothing. An active token is kept; where there never was one or the last has expired a
    new one is issued. Audited as copied. The link is a secret: switch off click tracking.

    Args:
        portal: whose customer.
        customer_id: whom the e-mail goes to.
        by: who acts, "system" where nobody is named.
        document: the document, or its id, that the link opens, or None for the overview.

    Raises:
        AccessRevoked: staff revoked the customer's latest token; send the e-mail without a link.
        CustomerNotFound, CustomerBlocked: the customer gets no link.
        DocumentNotFound: the customer cannot see the document now: it is not issued, or
            somebody else's, or its section is switched off.
        PortalNotAvailable: the edition or feature does not give the portal.
        InvalidValue: an argument breaks its rule.
    """
    document_id = document.id if isinstance(document, Document) else document
    return portal.mailing.invoice_link(customer_id, document_id=document_id, by=by)


def invoice_sentence(link: str, language: Language | str | None = None) -> str:
    """The sentence for such an e-mail: "See this invoice and your account online: <link>".

    Args:
        link: what `invoice_link` gave.
        language: of the customer: a tag such as ``de``; English where None.
    """
    spoken = language if isinstance(language, Language) else language_for(language)
    return spoken.gettext("See this invoice and your account online: %(link)s", link=link)
