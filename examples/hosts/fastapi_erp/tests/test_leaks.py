"""No customer gets what is not its own."""

from erp.portal_repositories import ErpDocuments
from erp.sample_data import CUSTOMERS, HARBOUR, KOPI

from basis_portal.testing import check_for_leaks


def test_no_customer_sees_what_is_anothers(portal):
    """Each is tried with the documents of all others; one on hold sees nothing."""
    report = check_for_leaks(portal, CUSTOMERS)
    assert report.ok, str(report)
    assert report.seen[KOPI].foreign_ids_tried > 0
    assert "is blocked" in report.seen[HARBOUR].refused


def test_a_repository_that_forgets_the_customer_is_found(portal, monkeypatch):
    """The check finds what it is for."""
    forgetful = ErpDocuments.OF_CUSTOMER.replace("= %(customer)s", "IS NOT NULL")
    monkeypatch.setattr(ErpDocuments, "OF_CUSTOMER", forgetful)
    assert not check_for_leaks(portal, CUSTOMERS).ok
