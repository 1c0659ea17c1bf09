"""What is special of Tryton: its ledger, its transactions, its users, its web application."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import bookkeeping as books
import database
import portal_site
import pytest
from conftest import RECEIVABLES, SAMPLE
from hypothesis import given
from hypothesis import strategies as st
from portal_repositories import Company, TrytonDocuments, TrytonLedger, document_id
from sample_data import BEAN_THERE, HARBOUR, KOPI, MUELLER, PASSWORD, STAFF, VIEWER
from trytond.pool import Pool
from trytond.transaction import Transaction
from werkzeug.exceptions import Forbidden
from werkzeug.test import Client

from basis_portal import (
    CustomerBlocked,
    DocumentKind,
    DocumentStatus,
    EntryKind,
    StorageError,
)

STAFF_PAGES = "/tryton/settings/portal"
SIGN_IN = "/tryton/sign-in"


# --- parties and documents ------------------------------------------------------------------


def test_a_party_is_a_customer(customers, ids):
    """Number, the e-mail of invoices and the language are the party's."""
    mueller = customers.get(ids[MUELLER])
    assert mueller.number == ids[MUELLER]
    assert (mueller.email, mueller.language) == ("buchhaltung@mueller.example", "de")
    assert not mueller.blocked


def test_a_party_that_was_deactivated_is_blocked(portal, ids):
    """It is known, and gets no link."""
    assert portal.customers.get(ids[HARBOUR]).blocked
    with pytest.raises(CustomerBlocked):
        portal.tokens.generate(ids[HARBOUR], by="ana")


def test_the_company_itself_is_no_customer(company, customers):
    """The party of the company is neither got nor found."""
    with company.read() as pool:
        itself = pool.get("company.company")(company.id).party
        number, name = str(itself.id), itself.name
    assert customers.get(number) is None
    assert name not in {one.name for one in customers.search(name).items}


@pytest.mark.parametrize("wildcard", ["%", "_", "\\"])
def test_a_wildcard_is_a_letter(customers, documents, ids, wildcard):
    """What staff and customers type is text, not a pattern."""
    assert not customers.search(wildcard).items
    assert not documents.page(ids[KOPI], DocumentKind.SALES_INVOICE, search=wildcard)


@pytest.mark.parametrize("strange", ["", "0", "-1", "02", "٣", "2 ", "9" * 30, "2\n"])
def test_a_strange_id_is_nobodys(customers, documents, ledger, strange):
    """Only the digits that Tryton would write are an id."""
    assert customers.get(strange) is None
    assert documents.get("2", strange) is None
    assert documents.get("2", f"invoice-{strange}") is None
    assert ledger.entries(strange) == []


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_ids_of_documents_are_in_the_order_of_their_numbers(one, other):
    """Pages go on after an id, as text; Tryton orders by number."""
    kind = DocumentKind.SALES_INVOICE
    assert (one < other) == (document_id(kind, one) < document_id(kind, other))


def test_what_is_not_out_is_not_issued(company, documents):
    """A draft, a cancelled invoice and a quotation are known as such, and never listed."""
    with company.read() as pool:
        found = {
            (kind, one.state): one.id
            for kind, model in (
                (DocumentKind.SALES_INVOICE, "account.invoice"),
                (DocumentKind.SALES_ORDER, "sale.sale"),
            )
            for one in pool.get(model).search([("company", "=", company.id)])
        }
        parties = {str(p.id): p for p in pool.get("party.party").search([])}
    expected = {
        "draft": DocumentStatus.DRAFT,
        "quotation": DocumentStatus.DRAFT,
        "cancelled": DocumentStatus.CANCELLED,
    }
    listed = {d.id for p in parties for k in DocumentKind for d in documents.page(p, k)}
    seen = set()
    for (kind, state), number in found.items():
        if state in expected:
            prefix = "sale" if kind is DocumentKind.SALES_ORDER else "invoice"
            one = f"{prefix}-{number:010}"
            status = {d.status for p in parties if (d := documents.get(p, one))}
            assert status == {expected[state]}
            assert one not in listed
            seen.add(state)
    assert seen == set(expected)


def test_an_invoice_names_its_order(documents, ids):
    """The invoice that a sale made carries the number of the sale."""
    orders = {one.number for one in documents.page(ids[KOPI], DocumentKind.SALES_ORDER)}
    invoices = documents.page(ids[KOPI], DocumentKind.SALES_INVOICE)
    named = {one.order_number for one in invoices if one.order_number}
    assert len(named) == 1
    assert named < orders


def test_a_credit_note_is_an_invoice_below_zero(documents, ids):
    """Its total and its lines are shown as what is credited."""
    (credit,) = documents.page(ids[KOPI], DocumentKind.CREDIT_NOTE)
    assert credit.total == Decimal(200)
    assert [line.amount for line in credit.lines] == [Decimal(200)]
    assert credit.number.startswith("CN-")


# --- the ledger -----------------------------------------------------------------------------


def test_instalments_are_one_entry_each(documents, ledger, ids):
    """Each part of a payment term has its own day, and both belong to one invoice."""
    entries = [one for one in ledger.entries(ids[KOPI]) if one.kind is EntryKind.INVOICE]
    by_document = {}
    for one in entries:
        by_document.setdefault(one.document_id, []).append(one)
    ((first, second),) = [found for found in by_document.values() if len(found) > 1]
    assert first.due_date != second.due_date
    assert first.amount + second.amount == documents.get(ids[KOPI], first.document_id).total


def test_an_exchange_difference_is_owed_by_nobody(portal, ids):
    """Dollars paid at another rate settle the invoice; the difference is on no statement."""
    account = portal.preview(ids[KOPI]).statement().by_currency
    assert account["USD"].closing_balance == 0
    assert not account["USD"].open_items
    kinds = {line.kind for line in account["EUR"].lines}
    assert EntryKind.DEBIT_ADJUSTMENT not in kinds
    assert EntryKind.WRITE_OFF not in kinds


def test_dollars_paid_in_euros_are_closed_in_both(portal, ids):
    """Neither the invoice nor the payment is left open, although no currency balances alone."""
    account = portal.preview(ids[BEAN_THERE]).statement().by_currency
    assert account["EUR"].closing_balance == 0
    assert not account["EUR"].open_items
    (open_item,) = account["USD"].open_items
    assert open_item.open_amount == account["USD"].closing_balance == Decimal(480)


def test_cents_written_off_are_a_write_off(ledger, ids):
    """They settle the invoice together with the payment."""
    (small,) = [e for e in ledger.entries(ids[MUELLER]) if e.kind is EntryKind.WRITE_OFF]
    assert small.amount == Decimal("0.03")
    assert small.id in {one.credit_id for one in ledger.allocations(ids[MUELLER])}


def test_what_was_paid_too_much_is_unapplied(portal, ids):
    """It enters no bucket, and the total is the balance."""
    one = portal.preview(ids[MUELLER]).statement().by_currency["EUR"]
    assert one.aging.unapplied_credits == Decimal(-50)
    assert one.aging.total == one.closing_balance


def test_a_part_payment_counts_before_it_is_reconciled(portal, ids):
    """Tryton reconciles an invoice when all is paid; the payment counts on its own day."""
    (part,) = [
        one
        for one in portal.preview(ids[KOPI]).documents(DocumentKind.SALES_INVOICE)
        if one.total == Decimal(1200)
    ]
    assert part.open_amount == Decimal(400)


def test_an_invoice_paid_early_is_paid_now(portal):
    """Tryton dates the reconciliation by the day it would have been due; that is not waited for."""
    party = database.write(_pay_early, company=SAMPLE)
    (invoice,) = portal.preview(party).documents(DocumentKind.SALES_INVOICE)
    assert invoice.due_date > portal.today()
    assert (invoice.open_amount, invoice.state.words) == (0, "Paid")


def _pay_early():
    today = dt.datetime.now(dt.UTC).date()
    party, due = books.add_party("Early Bird"), today + dt.timedelta(30)
    new = books.NewInvoice(party, today, due, [("Coffee", Decimal(10))], "EUR")
    (invoice,) = books.post_invoices([new])
    paid = books.post_payments([books.NewPayment(party, today, Decimal(10), "EUR")])
    books.reconcile([*invoice.lines_to_pay, *paid])
    assert invoice.lines_to_pay[0].reconciliation.date == due
    return str(party.id)


def test_a_draft_move_is_no_entry(ledger):
    """What is not posted is owed by nobody yet."""
    party, other = database.write(_draft_and_posted, company=SAMPLE)
    assert ledger.entries(party) == []
    assert [one.kind for one in ledger.entries(other)] == [EntryKind.PAYMENT]


def _draft_and_posted():
    today = dt.datetime.now(dt.UTC).date()
    parties = [books.add_party(name) for name in ("Draft", "Posted")]
    new = [books.NewPayment(party, today, Decimal(10), "EUR") for party in parties]
    books.draft_payments(new[:1])
    books.post_payments(new[1:])
    return [str(party.id) for party in parties]


def test_a_company_is_one_of_several(database_name, ids):
    """Another company of the same database has nothing of the party's."""
    other = Company(database_name, RECEIVABLES)
    assert TrytonLedger(other).entries(ids[KOPI]) == []
    assert TrytonDocuments(other).page(ids[KOPI], DocumentKind.SALES_INVOICE) == []


# --- transactions ---------------------------------------------------------------------------


def test_a_transaction_of_trytons_goes_on(customers, database_name, ids):
    """The repositories may be asked within one, and leave it as it was."""
    with Transaction().start(database_name, 0, context={"company": SAMPLE}) as running:
        assert customers.get(ids[KOPI]).name == KOPI
        assert Transaction() is running
        assert Pool().get("party.party")(int(ids[KOPI])).name == KOPI


def test_threads_read_at_once(ledger, ids):
    """Each thread has its own transaction and connection."""
    alone = {name: ledger.entries(ids[name]) for name in (KOPI, MUELLER)}
    with ThreadPoolExecutor(8) as threads:
        names = [KOPI, MUELLER] * 20
        found = list(threads.map(lambda name: ledger.entries(ids[name]), names))
    assert all(one == alone[name] for name, one in zip(names, found, strict=True))


def test_nothing_can_be_written(company, ids):
    """What a mistake in a repository would write is not kept."""
    with company.read() as pool:
        party = pool.get("party.party")(int(ids[KOPI]))
        party.name = "Somebody else"
        party.save()
    with company.read() as pool:
        assert pool.get("party.party")(int(ids[KOPI])).name == KOPI


def test_a_database_that_is_not_there_is_a_storage_error():
    """The pages answer 503 then."""
    with pytest.raises(StorageError), Company("nowhere", 1).read():
        pass


# --- the web application --------------------------------------------------------------------


@pytest.fixture
def browser(portal, company):
    """A browser at Tryton with the portal before it."""
    return Client(portal_site.application(portal, company))


def sign_in(browser, login, password=PASSWORD, **more):
    """Fill in the form. Tryton's cookie is for https, or this machine."""
    values = {"login": login, "password": password}
    return browser.post(SIGN_IN, data=values, base_url="https://localhost", **more)


def status(browser, path):
    """The status of a page."""
    return browser.get(path, base_url="https://localhost").status_code


def test_staff_are_trytons_users(browser):
    """Who signs in to Tryton and keeps its books is staff; the others are nobody."""
    assert status(browser, STAFF_PAGES) == 403
    assert sign_in(browser, STAFF, "wrong").status_code == 401
    assert status(browser, STAFF_PAGES) == 403
    assert sign_in(browser, STAFF).location == STAFF_PAGES
    assert status(browser, STAFF_PAGES) == 200


def test_bookkeepers_may_look(browser):
    """Without the right to administer the accounting, nothing can be changed."""
    sign_in(browser, VIEWER)
    page = browser.get(STAFF_PAGES, base_url="https://localhost")
    assert page.status_code == 200
    assert "<form" not in page.text.replace("<form role", "") or "disabled" in page.text


def test_a_user_of_another_department_is_nobody(browser):
    """A user of Tryton's without the group of the accounting gets no staff page."""
    database.write(lambda: database.create_user("warehouse", PASSWORD, SAMPLE))
    assert sign_in(browser, "warehouse").status_code == 303
    assert status(browser, STAFF_PAGES) == 403


def test_a_user_of_another_company_is_nobody(browser):
    """A bookkeeper of another company of the database gets no staff page."""
    database.write(
        lambda: database.create_user("elsewhere", PASSWORD, RECEIVABLES, "group_account")
    )
    sign_in(browser, "elsewhere")
    assert status(browser, STAFF_PAGES) == 403


def test_a_made_up_session_is_nobody(browser):
    """A cookie needs the key of a session of this user."""
    sign_in(browser, STAFF)
    good = browser.get_cookie("tryton_session", domain="localhost", path="/tryton").value
    for bad in (good[:-1] + "g", "ana:1:", "ana:x:y", "ana", "ben:2:" + good.split(":")[-1]):
        browser.set_cookie("tryton_session", bad, domain="localhost", path="/tryton")
        assert status(browser, STAFF_PAGES) == 403
    browser.set_cookie("tryton_session", good, domain="localhost", path="/tryton")
    assert status(browser, STAFF_PAGES) == 200


def test_a_form_from_elsewhere_signs_nobody_in(browser):
    """Tryton refuses requests of other origins."""
    with pytest.raises(Forbidden):
        sign_in(browser, STAFF, headers={"Origin": "https://evil.example"})
    assert status(browser, STAFF_PAGES) == 403
    assert sign_in(browser, STAFF, headers={"Origin": "https://localhost"}).status_code == 303


def test_a_link_opens_until_it_is_revoked(browser, portal, ids):
    """The customer's pages stand before Tryton; a revoked link is refused by the next request."""
    portal.tokens.generate(ids[KOPI], by="ana")
    link = portal.tokens.link(ids[KOPI], by="ana").removeprefix("http://127.0.0.1")
    assert status(browser, link) == 200
    assert status(browser, link[:-2]) == 403
    portal.tokens.revoke(ids[KOPI], by="ana")
    assert status(browser, link) == 403


def test_tryton_itself_answers_behind_it(browser):
    """Clients of Tryton's find its server where it was."""
    call = {"method": "common.server.version", "params": [], "id": 1}
    answer = browser.post("/rpc/", json=call)
    assert answer.status_code == 200
    assert "8." in answer.text
