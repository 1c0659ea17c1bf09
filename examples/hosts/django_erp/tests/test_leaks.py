"""No customer gets what is not its own."""

import pytest
from erp.models import Document, Posting
from erp.portal_repositories import AS_TEXT, ErpDocuments
from erp.portal_site import portal
from erp.sample_data import HARBOUR, KOPI

from basis_portal.testing import check_for_leaks


@pytest.fixture
def ids(parties):
    """The customers' ids, by number."""
    return {number: str(party.pk) for number, party in parties.items()}


def test_no_customer_sees_what_is_anothers(ids):
    """Each is tried with the documents of all others; one on hold sees nothing."""
    report = check_for_leaks(portal(), ids.values())
    assert report.ok, str(report)
    kopi = report.seen[ids[KOPI]]
    assert kopi.foreign_ids_tried > 0
    assert kopi.statement_lines == Posting.objects.filter(party=ids[KOPI]).count()
    assert "is blocked" in report.seen[ids[HARBOUR]].refused


def test_a_repository_that_forgets_the_party_is_found(ids, monkeypatch):
    """The check finds what it is for."""
    everybodys = Document.objects.annotate(key=AS_TEXT)
    monkeypatch.setattr(ErpDocuments, "_of", lambda *_: everybodys.all())
    assert not check_for_leaks(portal(), ids.values()).ok
