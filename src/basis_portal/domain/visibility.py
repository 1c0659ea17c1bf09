"""Which sections and which documents an access may show."""

from __future__ import annotations

from enum import StrEnum

from .config import PortalConfig
from .documents import Document, DocumentKind, DocumentStatus


class Section(StrEnum):
    """A part of the portal that a customer can open."""

    __hash__ = str.__hash__  # that of an enum is Python code, called for each entry of an account

    INVOICES = "invoices"
    SALES_ORDERS = "sales_orders"
    CREDIT_NOTES = "credit_notes"
    STATEMENT = "statement"
    MESSAGES = "messages"


SECTION_OF = {
    DocumentKind.SALES_INVOICE: Section.INVOICES,
    DocumentKind.SALES_ORDER: Section.SALES_ORDERS,
    DocumentKind.CREDIT_NOTE: Section.CREDIT_NOTES,
}


class DocumentVisibility:
    """The rules of visibility; a host may subclass it to narrow them.

    Whatever a subclass answers, these rules apply as well: it can hide, never show.
    """

    def shows_section(self, section: Section, config: PortalConfig) -> bool:
        """True where customers may open ``section``: invoices always, the rest by its switch."""
        switches = {
            Section.INVOICES: True,
            Section.SALES_ORDERS: config.show_sales_orders,
            Section.CREDIT_NOTES: config.show_credit_notes,
            Section.STATEMENT: config.show_statement,
            Section.MESSAGES: config.allow_messages,
        }
        return switches[section]

    def shows_document(self, document: Document, customer_id: str, config: PortalConfig) -> bool:
        """True where ``document`` is the customer's own, issued, and of a section that is shown."""
        return (
            document.customer_id == customer_id
            and document.status is DocumentStatus.ISSUED
            and self.shows_section(SECTION_OF[document.kind], config)
        )


BASE_RULES = DocumentVisibility()
