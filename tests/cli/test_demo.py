"""What the demo prints is true, complete, and fits a terminal of 80 columns, on any day."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter

import pytest
from tests.instalments import sell_in_instalments

from basis_portal import DocumentKind, EntryKind, Portal, PortalConfig, TokenStatus, Tone
from basis_portal.demo import seller
from basis_portal.demo.text import plain
from basis_portal.demo.tour import tour
from basis_portal.demo.view import customer_view
from basis_portal.i18n.headline import headlines
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock

DAYS = [
    "2024-02-29",
    "2025-01-01",
    "2025-01-31",
    "2025-02-28",
    "2025-03-01",
    "2025-05-11",
    "2025-10-31",
    "2025-12-31",
    "2026-03-31",
]

IDS = [customer.id for customer in seller.CUSTOMERS]


def _at(day: str, time: str = "09:12:00") -> FrozenClock:
    return FrozenClock(dt.datetime.fromisoformat(f"{day}T{time}+00:00"))


def _tour(clock: FrozenClock) -> list[str]:
    return list(tour(InMemoryStorage(), clock))


def _portal() -> Portal:
    clock = _at("2026-04-14")
    return seller.make_seller(InMemoryStorage(), clock, base_url="https://erp.example.com/portal")


@pytest.fixture(scope="module")
def portal() -> Portal:
    """The portal of the invented seller, on the day the examples of the pages are of."""
    return _portal()


def _view(portal: Portal, customer_id: str, invoice_id: str | None = None) -> str:
    access = portal.preview(customer_id, by="ana")
    return "\n".join(customer_view(access, seller=seller.NAME, invoice_id=invoice_id))


# --- on any day -----------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("day", DAYS)
def test_the_tour_is_the_same_on_any_day(day: str) -> None:
    """Whatever today is: the same amounts and words, nothing wider than 80 columns."""
    lines = _tour(_at(day))
    assert [line for line in lines if len(line) > 80 and "https://" not in line] == []
    text = "\n".join(lines)
    assert "EUR 1,200.00 overdue" in text
    assert "INV-1042  PO-77      EUR 1,200.00  12 days overdue" in text
    assert "Café Lumière            EUR 321.00 to pay          Expires in 3 days" in text
    assert "Balance                  4,010.00" in text


@pytest.mark.parametrize("time", ["00:00:00", "23:59:59"])
def test_the_tour_is_the_same_at_any_hour(time: str) -> None:
    """Just after midnight and just before it the words are those of noon."""
    assert "12 days overdue" in "\n".join(_tour(_at("2026-04-14", time)))


def test_two_tours_have_different_links() -> None:
    """Keys and links are made anew each time; nothing else differs."""
    first, second = _tour(_at("2026-04-14")), _tour(_at("2026-04-14"))
    differing = [one for one, other in zip(first, second, strict=True) if one != other]
    assert len(differing) == 1
    assert re.fullmatch(r"  https://\S+/[\w-]{22}\.[\w-]{43}", differing[0])


def test_instalments_are_told_with_their_due_dates() -> None:
    """Of an invoice in instalments only what is late is called overdue, here as on the pages."""
    clock, storage = _at("2026-04-14"), InMemoryStorage()
    portal = seller.make_seller(storage, clock, base_url="https://erp.example.com/portal")
    instalments = (dt.date(2026, 4, 9), "450.00"), (dt.date(2026, 5, 24), "450.01")
    sell_in_instalments(storage, *instalments)
    text = _view(portal, seller.KOPI, "INV-R")
    assert "EUR 900.01  EUR 450.00 overdue" in text
    assert "Invoice INV-R: EUR 450.00 overdue" in text
    due = "9 Apr 2026   5 days overdue  450.00\n    24 May 2026  Due in 40 days  450.01"
    assert due in text
    assert not re.search("^ *Due +[0-9]", text, re.MULTILINE)


# --- the seller -----------------------------------------------------------------------------


def test_customers_are_in_every_state(portal: Portal) -> None:
    """There are active, expiring, expired, revoked and missing links, and a conversation."""
    assert portal.tokens.count(TokenStatus.ACTIVE) == 5
    assert portal.tokens.get(seller.BEAN_THERE) is None
    assert [t.customer_id for t in portal.tokens.list(status=TokenStatus.EXPIRED)] == [
        seller.AURORA
    ]
    assert [t.customer_id for t in portal.tokens.list(status=TokenStatus.REVOKED)] == [
        seller.HARBOUR
    ]
    soon = portal.tokens.list(expiring_within=dt.timedelta(days=4))
    assert [token.customer_id for token in soon] == [seller.LUMIERE]
    left = soon.items[0].expires_at - _at("2026-04-14").now
    assert left > dt.timedelta(days=3, hours=8)  # "in 3 days" for as long as a demo may run
    assert portal.messages.unread_count() == 1
    assert len(portal.messages.thread(seller.KOPI)) == 2


def test_each_state_of_an_account_is_there(portal: Portal) -> None:
    """Overdue, settled, in favour, nothing yet and to pay: the headline of each customer."""
    said = {
        customer.id: [one.words for one in headlines(portal.preview(customer.id).summary())]
        for customer in seller.CUSTOMERS
    }
    told = {name: [plain(words) for words in found] for name, found in said.items()}
    assert told == {
        seller.KOPI: ["EUR 1,200.00 overdue", "USD 640.00 to pay"],
        seller.MUELLER: ["All settled"],
        seller.ATHENS: ["EUR 250.00 in your favour"],
        seller.BEAN_THERE: ["No invoices yet"],
        seller.HAFENKONTOR: ["EUR 10,420.00 to pay"],
        seller.LUMIERE: ["EUR 321.00 to pay"],
        seller.AURORA: ["EUR 749.00 overdue"],
        seller.HARBOUR: ["IDR 18,725,000.00 overdue"],
    }


def test_customers_speak_six_languages(portal: Portal) -> None:
    """The customer whose link is shown reads English; others read five more languages."""
    languages = {one.id: one.language for one in portal.customers.get_many(IDS).values()}
    assert languages[seller.KOPI] == "en"
    assert set(languages.values()) == {"de", "el", "en", "fr", "id", "it"}


def test_one_customer_has_2400_invoices(portal: Portal) -> None:
    """They are spread over six years, all but the latest are paid, and none is overdue."""
    access = portal.preview(seller.HAFENKONTOR)
    assert access.document_years(DocumentKind.SALES_INVOICE) == (*range(2026, 2019, -1),)
    entries = portal.ledger.entries(seller.HAFENKONTOR)
    invoices = [one for one in entries if one.kind is EntryKind.INVOICE]
    assert len(invoices) == 2400
    assert max(Counter(one.date for one in invoices).values()) <= 2
    still_open = access.documents(DocumentKind.SALES_INVOICE, open_only=True, limit=200)
    assert 20 <= len(still_open) <= 40
    assert {one.state.tone for one in still_open}.isdisjoint({Tone.OVERDUE})


def test_numbers_with_awkward_characters_can_be_opened(portal: Portal) -> None:
    """One customer's numbers, which are their ids, hold ``/``, ``#`` and spaces."""
    access = portal.preview(seller.MUELLER)
    (order,) = access.documents(DocumentKind.SALES_ORDER)
    (invoice,) = access.documents(DocumentKind.SALES_INVOICE, search="INV/")
    assert (order.id, invoice.id) == ("SO/2026/7 #A", "INV/2026/0042 #2")
    assert access.document(invoice.id).document.order_number == order.id


def test_one_invoice_can_be_paid_online(portal: Portal) -> None:
    """The overdue invoice that is shown has an address to pay at, which leads nowhere."""
    detail = portal.preview(seller.KOPI).document("INV-1042")
    assert detail.document.pay_url == "https://pay.example/nordlicht/INV-1042"


def test_the_welcome_message_has_bank_details(portal: Portal) -> None:
    """It has three lines, one of them with the account to pay to."""
    lines = portal.settings.get().config.welcome_message.splitlines()
    assert len(lines) == 3
    assert "IBAN" in lines[1]


def test_all_accounts_add_up(portal: Portal) -> None:
    """Of each invented customer the aging adds up to the closing balance."""
    for customer in seller.CUSTOMERS:
        for one in portal.preview(customer.id).statement().by_currency.values():
            assert one.aging is not None
            assert one.aging.total == one.closing_balance


# --- what a customer sees -------------------------------------------------------------------


def test_a_customer_sees_its_own_and_nothing_else(portal: Portal) -> None:
    """The numbers in a view are the customer's own; drafts and cancelled orders are not there."""
    for customer in seller.CUSTOMERS:
        own = {entry.number for entry in portal.ledger.entries(customer.id)}
        if customer.id == seller.KOPI:
            own |= {"SO-301", "SO-308", "SO-312"}
        seen = set(re.findall(r"\b(?:INV|CN|SO|BANK)-\d+", _view(portal, customer.id)))
        assert seen <= own
        assert bool(seen) == bool(own)
    assert portal.documents.get(seller.KOPI, "INV-1060") is not None
    assert portal.documents.get(seller.KOPI, "SO-299") is not None


def test_the_overview_comes_first(portal: Portal) -> None:
    """Welcome message, then a headline for each currency, then what is to pay, oldest first."""
    text = _view(portal, seller.KOPI)
    parts = [
        "IBAN",
        "EUR 1,200.00 overdue",
        "EUR 4,310.00 open in all. Oldest: INV-1042, due 2 Apr 2026, 12 days overdue.",
        "USD 640.00 to pay",
        "Nothing is overdue. Next: USD 640.00, due in 16 days (30 Apr 2026).",
        "Amounts in different currencies are not added together.",
        "To pay, oldest first",
        "Invoices, newest first",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    to_pay = text[text.index("To pay, oldest first") : text.index("Invoices, newest first")]
    assert re.findall(r"INV-\d+", to_pay) == ["INV-1042", "INV-1051", "INV-1055", "INV-1057"]


def test_an_invoice_says_why_so_much_is_open(portal: Portal) -> None:
    """The credits and payments on it come with their amounts, and what they leave open."""
    text = _view(portal, seller.KOPI, "INV-1042")
    page = text[text.index("Invoice INV-1042: 12 days overdue") : text.index("Statement of")]
    figures = [line.split() for line in page.splitlines() if line.startswith("    ")]
    assert [(words[-2], words[-1]) for words in figures] == [
        ("CN-17", "200.00"),
        ("BANK-326", "800.00"),
        ("open", "1,200.00"),
    ]
    assert "EUR 1,200.00 open. Please quote INV-1042 when you pay." in page
    paid = _view(portal, seller.KOPI, "INV-1028")
    assert "Invoice INV-1028: Paid" in paid
    assert "Please quote" not in paid


def test_a_statement_runs_from_its_opening_to_its_closing_balance(portal: Portal) -> None:
    """Each line has its balance; one payment of two invoices is one line that names both."""
    text = _view(portal, seller.KOPI)
    section = text[text.index("EUR: balance on") : text.index("USD: balance on")]
    assert "EUR: balance on 14 Apr 2026: EUR 4,010.00 to pay" in section
    assert re.search(r"1 Feb 2026 +Opening balance +\S*1,490.00\n", section)
    assert "applied to INV-1019, INV-1028; 50.00 not yet applied" in section
    assert re.search(r"14 Apr 2026 +Closing balance +4,010.00\n", section)
    assert re.search(r"Credits not yet applied +-300.00\n +Total +4,010.00", section)


def test_a_balance_below_zero_is_in_words(portal: Portal) -> None:
    """What is in the customer's favour is said so, without a minus."""
    text = _view(portal, seller.ATHENS)
    assert "EUR 250.00 in your favour\n" in text
    assert "EUR: balance on 14 Apr 2026: EUR 250.00 in your favour" in text
    assert re.search(r"Closing balance +250.00 in your favour\n", text)


def test_a_customer_without_any_entry_has_a_page(portal: Portal) -> None:
    """Where nothing has happened yet each part says so."""
    text = _view(portal, seller.BEAN_THERE)
    for words in (
        "No invoices yet",
        "Nothing happened in this period.",
        "No sales orders.",
        "No credit notes.",
        "No messages yet.",
    ):
        assert words in text
    assert "To pay" not in text


def test_a_long_account_is_a_page_of_fifty(portal: Portal) -> None:
    """The list of invoices is one page, however many there are."""
    text = _view(portal, seller.HAFENKONTOR)
    listed = text[text.index("Invoices, newest first") : text.index("Statement of account")]
    assert len(re.findall(r"INV-\d+", listed)) == 50
    assert "INV-4400" in listed


def test_what_is_switched_off_is_not_printed() -> None:
    """With every section switched off the invoices stay, and what they are worth."""
    portal = _portal()
    portal.settings.save(PortalConfig(enabled=True))
    text = _view(portal, seller.KOPI)
    assert "EUR 1,200.00 overdue" in text
    assert "INV-1042" in text
    for words in ("Statement", "Sales orders", "Credit notes", "Messages", "Credits", "IBAN"):
        assert words not in text


# --- the end --------------------------------------------------------------------------------


def test_the_link_of_the_tour_is_revoked_at_its_end() -> None:
    """The very link that was opened answers "Access denied", and its page is gone."""
    lines = _tour(_at("2026-04-14"))
    end = lines.index("Now ana revokes this link, and it is opened once more:")
    assert lines[end + 2] == "  Access denied"
    assert "Customer portal for Kopi Nusantara" in lines[:end]
