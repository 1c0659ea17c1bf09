"""Who sees what: the gate, the sections, and a customer's own issued documents."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import (
    Document,
    DocumentKind,
    DocumentStatus,
    DocumentVisibility,
    Edition,
    PortalConfig,
    Section,
)
from basis_portal.domain.gate import gate_open
from basis_portal.domain.visibility import BASE_RULES, SECTION_OF
from basis_portal.testing.builders import CUSTOMER_ID, an_invoice
from basis_portal.testing.strategies import configs, documents

SWITCH_OF = {
    Section.SALES_ORDERS: "show_sales_orders",
    Section.CREDIT_NOTES: "show_credit_notes",
    Section.STATEMENT: "show_statement",
    Section.MESSAGES: "allow_messages",
}


@given(documents(customer_id=st.sampled_from(["C-1", "C-2"])), configs())
def test_a_document_is_shown_to_its_own_customer_alone(
    document: Document, config: PortalConfig
) -> None:
    """Only issued documents of a shown section are visible, and only to whom they belong."""
    for customer_id in ("C-1", "C-2", "c-1", "C-1 ", ""):
        shown = BASE_RULES.shows_document(document, customer_id, config)
        assert shown is (
            document.customer_id == customer_id
            and document.status is DocumentStatus.ISSUED
            and (
                document.kind is DocumentKind.SALES_INVOICE
                or (document.kind is DocumentKind.SALES_ORDER and config.show_sales_orders)
                or (document.kind is DocumentKind.CREDIT_NOTE and config.show_credit_notes)
            )
        )


@pytest.mark.parametrize("switches", list(itertools.product([True, False], repeat=4)))
def test_each_section_has_its_switch(switches: tuple[bool, ...]) -> None:
    """Each section but the invoices is shown by its own switch and by no other."""
    chosen: dict[str, Any] = dict(zip(SWITCH_OF.values(), switches, strict=True))
    config = PortalConfig(**chosen)
    assert BASE_RULES.shows_section(Section.INVOICES, config) is True
    for section, shown in zip(SWITCH_OF, switches, strict=True):
        assert BASE_RULES.shows_section(section, config) is shown


def test_the_master_switch_is_not_a_section() -> None:
    """Invoices are shown by these rules whatever the master switch says: it answers before."""
    assert BASE_RULES.shows_section(Section.INVOICES, PortalConfig(enabled=False))


def test_each_kind_of_document_has_a_section() -> None:
    """No kind of document is without a section."""
    assert SECTION_OF.keys() == set(DocumentKind)


def test_a_host_may_narrow_the_rules() -> None:
    """A subclass that hides a section hides its documents as well."""

    class NoInvoices(DocumentVisibility):
        def shows_section(self, section: Section, config: PortalConfig) -> bool:
            return section is not Section.INVOICES and super().shows_section(section, config)

    invoice, config = an_invoice(), PortalConfig(enabled=True)
    assert BASE_RULES.shows_document(invoice, CUSTOMER_ID, config)
    assert not NoInvoices().shows_document(invoice, CUSTOMER_ID, config)


@pytest.mark.parametrize(
    ("edition", "feature", "is_open"),
    [
        (Edition.SERVER, True, True),
        (Edition.CLOUD, True, True),
        (Edition.DESKTOP, True, False),
        (Edition.SERVER, False, False),
        (Edition.CLOUD, False, False),
        (Edition.DESKTOP, False, False),
        ("server", True, False),
        (None, True, False),
        (Edition.SERVER, 1, False),
        (Edition.SERVER, "yes", False),
        (Edition.SERVER, None, False),
    ],
)
def test_the_gate(edition: Any, feature: Any, is_open: bool) -> None:
    """Only a server or cloud edition with the feature on opens; what is unclear is closed."""
    assert gate_open(edition, feature) is is_open
