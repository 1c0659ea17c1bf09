"""No customer gets what is not its own."""

from erp.models import Document
from erp.portal_repositories import ErpDocuments
from erp.sample_data import CUSTOMERS, HARBOUR, KOPI
from sqlalchemy import select

from basis_portal.testing import check_for_leaks

IDS = [one.number for one in CUSTOMERS]


def test_no_customer_sees_what_is_anothers(portal):
    """Each is tried with the documents of all others; one on hold sees nothing."""
    report = check_for_leaks(portal, IDS)
    assert report.ok, str(report)
    assert report.seen[KOPI].foreign_ids_tried > 0
    assert "is blocked" in report.seen[HARBOUR].refused


def test_a_repository_that_forgets_the_customer_is_found(portal, monkeypatch):
    """The check finds what it is for."""
    monkeypatch.setattr(ErpDocuments, "_of", lambda *_: select(Document))
    assert not check_for_leaks(portal, IDS).ok
