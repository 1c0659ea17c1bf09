"""Balances and open amounts are Tryton's own, to the cent."""

import datetime as dt
from decimal import Decimal

import compare
import pytest
from conftest import RECEIVABLES, SAMPLE
from portal_repositories import Company, TrytonLedger
from sample_data import BEAN_THERE, HARBOUR, KOPI, MUELLER

DAYS = [dt.date(2012, 3, 31), dt.date(2012, 8, 15), dt.date(2013, 1, 1), dt.date(2013, 12, 31)]


def user_of(company):
    """A user of Tryton's who works for a company."""
    with company.read() as pool:
        return pool.get("res.user").search([("company", "=", company.id)])[0].id


@pytest.fixture
def receivables(database_name):
    """The company of the receivables."""
    return Company(database_name, RECEIVABLES)


@pytest.fixture
def tryton(receivables):
    """Tryton's own figures of it."""
    return compare.TrytonFigures(RECEIVABLES, user_of(receivables))


def parties_of(portal, company):
    """The ids of the parties with a balance in a company, or a history of one."""
    ledger = TrytonLedger(company)
    everybody = portal.customers.search(limit=200).items
    return [one.id for one in everybody if ledger.entries(one.id)]


def test_figures_of_the_receivables_are_trytons(receivables, tryton):
    """Closing balance, open total and open invoices are Tryton's, as of each day and today."""
    portal = compare.make_portal(RECEIVABLES)
    parties = parties_of(portal, receivables)
    assert len(parties) >= 10
    assert list(compare.differences(portal, tryton, parties, DAYS)) == []


def test_a_cent_is_a_difference(receivables, tryton, monkeypatch):
    """Control: a ledger that is wrong by a cent, or gives no allocations, is found."""
    portal = compare.make_portal(RECEIVABLES)
    parties = parties_of(portal, receivables)[:3]
    with monkeypatch.context() as patch:
        patch.setattr(compare, "CENT", Decimal("0.1"))
        assert list(compare.differences(portal, tryton, parties, DAYS))
    monkeypatch.setattr(TrytonLedger, "allocations", lambda *_: [])
    assert list(compare.differences(portal, tryton, parties, DAYS[:1]))


def test_open_amounts_of_the_sample_are_trytons_amounts_to_pay(portal, company, ids):
    """In euros and dollars, in part, in instalments: each document is open by what Tryton says."""
    theirs = compare.TrytonFigures(SAMPLE, user_of(company)).today()
    compared = 0
    for name in (KOPI, MUELLER, BEAN_THERE):
        ours = compare.today(portal.preview(ids[name]))
        del ours["receivable"]  # of several currencies
        assert ours == {one: theirs[ids[name]].get(one, 0) for one in ours}
        compared += len(ours)
    assert compared >= 10


def test_the_balance_is_trytons_receivable(ledger, company, ids):
    """Of parties that only owe euros, the entries add up to what Tryton says they owe."""
    theirs = compare.TrytonFigures(SAMPLE, user_of(company)).today()
    for name in (MUELLER, HARBOUR):
        assert (
            sum(e.signed_amount for e in ledger.entries(ids[name]))
            == (theirs[ids[name]]["receivable"])
        )
