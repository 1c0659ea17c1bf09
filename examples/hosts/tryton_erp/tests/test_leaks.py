"""What the repositories hand over is the customer's own."""

from sample_data import BEAN_THERE, MUELLER

from basis_portal.testing import check_for_leaks


def test_nobody_sees_what_is_not_its_own(portal, ids):
    """No customer gets, or could open, anything of another one."""
    report = check_for_leaks(portal, ids.values(), by="ana")
    assert report.ok, str(report)
    assert sum(seen.foreign_ids_tried for seen in report.seen.values()) > 30


def test_a_search_that_forgets_the_party_is_found(portal, ids, monkeypatch):
    """Control: without the party in the search of documents the check reports leaks."""
    some = [ids[MUELLER], ids[BEAN_THERE]]
    search = type(portal.documents)._search

    def forgetful(self, _, kind, domain, limit):
        return [d for one in some for d in search(self, one, kind, domain, limit)][:limit]

    monkeypatch.setattr(type(portal.documents), "_search", forgetful)
    assert not check_for_leaks(portal, some, by="ana").ok
