"""A customer's whole visit: what is owed and why, looked up, asked about, and switched off."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from tests.browser.shops import VISITORS, Shop, expect, go
from tests.browser.sites import Serve, Wsgi
from tests.browser.visits import OpenPage
from werkzeug.test import run_wsgi_app

from basis_portal.demo import seller as demo

SENT = "Message sent. The answer will appear here."
DENIED = """\
Access denied
This link does not work.
If you copied it from an e-mail, check that you have all of it. Otherwise ask \
Nordlicht Kaffee GmbH for a new link:
accounts@nordlicht.example · +49 30 1234567
Your documents and your account are not affected."""
NOT_AVAILABLE = """\
Portal not available
Nordlicht Kaffee GmbH's customer portal is switched off at the moment.
For copies of your documents, contact Nordlicht Kaffee GmbH:
accounts@nordlicht.example · +49 30 1234567"""

TWO_OF_THEM = pytest.mark.parametrize(
    "how",
    [{"width": "phone", "javascript": False, "dark": True}, {"width": "desktop"}],
    ids=["dark phone without scripts", "desktop"],
)
"""For stories in which the four of `VISITORS` would meet the same."""


# --- what is owed, and why ------------------------------------------------------------------


@VISITORS
def test_the_overdue_invoice_says_why_it_is_open(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """From the headline it is one click to the invoice, and from there to what was paid on it."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link())
    main = page.get_by_role("main")
    expect(main.get_by_role("heading", level=2).first).to_have_text("EUR 1,200.00 overdue")
    expect(main).to_contain_text(
        "EUR 4,310.00 open in all. Oldest: INV-1042, due 2 Apr 2026, 12 days overdue."
    )
    welcome = main.get_by_text("Thank you for buying our coffee.")
    assert welcome.inner_text().splitlines() == demo.WELCOME.splitlines()
    assert _rows(main.get_by_role("table"))[1:] == [
        ["INV-1042 · your ref PO-77", "EUR 1,200.00", "12 days overdue Part paid"],
        ["INV-1051 · your ref PO-79", "EUR 900.00", "Due in 5 days"],
        ["INV-1055 · your ref PO-81", "USD 640.00", "Due in 16 days"],
        ["INV-1057 · your ref PO-82", "EUR 2,210.00", "Due in 21 days"],
    ]
    main.get_by_role("link", name="INV-1042").click()
    _arrive(page, "Invoice INV-1042")
    for words in ("12 days overdue", "EUR 1,200.00 open", "Please quote INV-1042 when you pay."):
        expect(main).to_contain_text(words)
    assert _rows(main.get_by_role("table").last)[1:] == [
        ["10 Mar 2026", "Credit note CN-17", "200.00"],
        ["25 Mar 2026", "Payment BANK-326", "800.00"],
        ["Still open", "1,200.00"],
    ]
    main.get_by_role("link", name="Invoices", exact=True).click()
    _arrive(page, "Invoices")
    page.get_by_role("link", name="Overview", exact=True).click()
    _arrive(page, "Overview")
    main.get_by_role("link", name="See all open invoices").click()
    _arrive(page, "Invoices")
    expect(_numbers(page)).to_have_text(["INV-1057", "INV-1055", "INV-1051", "INV-1042"])


@TWO_OF_THEM
def test_what_is_open_is_the_same_everywhere(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Open invoices, less credits, are the balance; so says the overview, and the statement."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link())
    main = page.get_by_role("main")
    sums = [_amount(one) for one in main.get_by_role("definition").all_inner_texts()]
    go(page, "Invoices")
    main.get_by_role("link", name="Open", exact=True).click()
    expect(_numbers(page)).to_have_count(4)
    euros = [row[-2] for row in _rows(main.get_by_role("table")) if "EUR" in row[-2]]
    unapplied, balance = sums
    assert sum(map(_amount, euros)) == Decimal("4310.00")
    assert Decimal("4310.00") - unapplied == balance == Decimal("4010.00")
    go(page, "Statement of account")
    expect(main).to_contain_text("Balance on 14 Apr 2026: EUR 4,010.00 to pay")


# --- lists ----------------------------------------------------------------------------------


@TWO_OF_THEM
def test_an_invoice_is_found_by_number_and_by_reference(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Search, filter and year work together, and Clear leads back to all."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link())
    go(page, "Invoices")
    main, numbers = page.get_by_role("main"), _numbers(page)
    every = [f"INV-10{number}" for number in (57, 55, 51, 42, 34, 28, 19, "01")]
    expect(numbers).to_have_text(every)
    _search(page, "inv-105")
    expect(numbers).to_have_text(["INV-1057", "INV-1055", "INV-1051"])
    _choose(page, "Open")
    _search(page, "po-7")
    expect(numbers).to_have_text(["INV-1051", "INV-1042"])
    _choose(page, "All")
    expect(numbers).to_have_text(["INV-1051", "INV-1042", "INV-1034"])
    expect(page.get_by_label("Number or your reference")).to_have_value("po-7")
    main.get_by_role("link", name="Clear").click()
    expect(numbers).to_have_text(every)
    expect(page.get_by_label("Number or your reference")).to_have_value("")
    _choose(page, "2025")
    expect(numbers).to_have_text(["INV-1001"])
    _choose(page, "2026")
    _choose(page, "Open")
    expect(numbers).to_have_text(every[:4])
    _choose(page, "2025")
    expect(main.get_by_text(re.compile("^No .*invoice"))).to_be_visible()
    expect(numbers).to_have_count(0)
    _choose(page, "All")
    expect(numbers).to_have_text(["INV-1001"])


@TWO_OF_THEM
def test_what_is_not_found_is_said(serve: Serve, open_page: OpenPage, how: dict[str, Any]) -> None:
    """Neither a part of a number is found nor an invoice of another customer; Clear shows all."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.goto(shop.link(below="/invoices"))
    for text in ("104", "INV-1030"):
        _search(page, text)
        said = f'No invoice whose number or reference starts with "{text}".'
        expect(page.get_by_role("main")).to_contain_text(said)
        expect(_numbers(page)).to_have_count(0)
        page.get_by_role("paragraph").filter(has_text=said).get_by_role("link").click()
        expect(_numbers(page)).to_have_count(8)
    page.goto(shop.link(demo.MUELLER, "/invoices"))
    _search(page, "INV-1030")
    expect(_numbers(page)).to_have_text(["INV-1030"])


@TWO_OF_THEM
def test_a_long_account_is_walked_to_its_end(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Older leads through every invoice once, the newest first, and Newest leads back."""
    page = open_page(**how)
    page.goto(Shop.at(serve(), invoices=120).link(demo.HAFENKONTOR))
    go(page, "Invoices")
    assert _walk(page) == [f"INV-{number}" for number in range(2120, 2000, -1)]
    page.get_by_role("link", name="Newest").click()
    expect(_numbers(page).first).to_have_text("INV-2120")
    expect(page.get_by_role("link", name="Newest")).to_have_count(0)


@TWO_OF_THEM
def test_older_pages_keep_what_is_looked_for(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """A year and a search hold on the next page; together they leave what is in both."""
    page = open_page(**how)
    page.goto(Shop.at(serve(), invoices=120).link(demo.HAFENKONTOR, "/invoices"))
    _choose(page, "2026")
    _search(page, "HK-00")
    expect(_numbers(page).first).to_have_text("INV-2099")
    found = _walk(page)
    assert found == [f"INV-{number}" for number in range(2099, 2004, -1)]
    expect(page.get_by_label("Number or your reference")).to_have_value("HK-00")
    expect(page.get_by_role("caption")).to_contain_text("1 Jan 2026 to")
    page.get_by_role("link", name="Clear").click()
    expect(_numbers(page).first).to_have_text("INV-2120")


@TWO_OF_THEM
def test_orders_and_credit_notes_are_looked_up(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Each has its list and its page; a credit note tells what it settled."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link())
    main, numbers = page.get_by_role("main"), _numbers(page)
    go(page, "Sales orders")
    expect(numbers).to_have_text(["SO-312", "SO-308", "SO-301"])
    _search(page, "PO-77")
    expect(numbers).to_have_text(["SO-301"])
    numbers.click()
    _arrive(page, "Sales order SO-301")
    *lines, net, tax, total = (_amount(row[-1]) for row in _rows(main.get_by_role("table"))[1:])
    assert len(lines) == 3
    assert (sum(lines), net + tax) == (net, total)
    assert total == Decimal("2200.00")
    main.get_by_role("link", name="Sales orders").click()
    _arrive(page, "Sales orders")
    go(page, "Credit notes")
    expect(numbers).to_have_text(["CN-21", "CN-17", "CN-15"])
    _choose(page, "Open")
    expect(numbers).to_have_text(["CN-21"])
    expect(main.get_by_role("cell", name="EUR 250.00 left to use")).to_be_visible()
    _choose(page, "All")
    numbers.filter(has_text="CN-17").click()
    _arrive(page, "Credit note CN-17")
    assert [row[-2:] for row in _rows(main.get_by_role("table").last)[1:]] == [
        ["Invoice INV-1042", "200.00"],
        ["Left to use", "0.00"],
    ]
    main.get_by_role("link", name="INV-1042").click()
    _arrive(page, "Invoice INV-1042")


# --- the statement --------------------------------------------------------------------------


@VISITORS
def test_the_statement_adds_up(serve: Serve, open_page: OpenPage, how: dict[str, Any]) -> None:
    """In each currency lines, totals, open items and aging come to the closing balance."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link())
    go(page, "Statement of account")
    expect(_period(page)).to_have_text("For Kopi Nusantara, from 1 Feb 2026 to 14 Apr 2026")
    closing = {"EUR": Decimal("4010.00"), "USD": Decimal("640.00")}
    assert {one: _adds_up(page, one) for one in closing} == closing
    page.get_by_role("link", name="USD").click()
    expect(page.locator("#USD").get_by_role("heading", name="USD")).to_be_in_viewport()
    page.get_by_label("Open items").check()
    _show(page)
    expect(_period(page)).to_have_text("For Kopi Nusantara, as of 14 Apr 2026")
    for currency, balance in closing.items():
        items, aging = page.locator(f"#{currency}").get_by_role("table").all()
        *lines, last = _rows(items)[1:]
        assert sum(_amount(row[6]) for row in lines) == balance == _amount(last[1])
        assert _ages(aging) == balance


@pytest.mark.parametrize(
    ("customer_id", "says", "balance"),
    [
        (demo.ATHENS, "EUR 250.00 in your favour", "-250.00"),
        (demo.AURORA, "EUR 749.00 to pay", "749.00"),
        (demo.MUELLER, "EUR 0.00", "0.00"),
    ],
)
def test_other_balances_add_up_too(
    serve: Serve, open_page: OpenPage, customer_id: str, says: str, balance: str
) -> None:
    """What the customer has paid too much is in their favour, and told in words."""
    page = open_page()
    page.goto(Shop.at(serve()).link(customer_id, "/statement"))
    expect(page.get_by_role("main")).to_contain_text(f"Balance on 14 Apr 2026: {says}")
    assert _adds_up(page, "EUR") == Decimal(balance)


@VISITORS
def test_typed_days_are_the_period(serve: Serve, open_page: OpenPage, how: dict[str, Any]) -> None:
    """One period opens with what the one before it closed with."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link(below="/statement"))
    _type_period(page, "2026-02-01", "2026-02-28")
    expect(_period(page)).to_have_text("For Kopi Nusantara, from 1 Feb 2026 to 28 Feb 2026")
    before = _adds_up(page, "EUR")
    _type_period(page, "2026-03-01", "2026-03-31")
    expect(_period(page)).to_have_text("For Kopi Nusantara, from 1 Mar 2026 to 31 Mar 2026")
    opening, *_, closing = _rows(page.get_by_role("table", name="Activity in EUR"))[1:]
    assert opening[0] == "Opening balance on 1 Mar 2026"
    assert closing[0] == "Closing balance on 31 Mar 2026"
    assert _amount(opening[-1]) == before == Decimal("2085.00")
    assert _adds_up(page, "EUR") == Decimal("2050.00")


def test_each_usual_period_is_one_click(serve: Serve, open_page: OpenPage) -> None:
    """The link of the period shown is marked, and the fields hold its days."""
    shop, page = Shop.at(serve()), open_page()
    shop.clock.advance(days=20)
    page.goto(shop.link(below="/statement"))
    for words, start, end in (
        ("This month", "1 May 2026", "4 May 2026"),
        ("Last month", "1 Apr 2026", "30 Apr 2026"),
        ("This quarter", "1 Apr 2026", "4 May 2026"),
        ("This year", "1 Jan 2026", "4 May 2026"),
        ("Last 12 months", "5 May 2025", "4 May 2026"),
    ):
        _choose(page, words)
        expect(_period(page)).to_have_text(f"For Kopi Nusantara, from {start} to {end}")
        expect(page.locator("main [aria-current]")).to_have_text([words])
        _adds_up(page, "EUR")
    expect(page.get_by_label("From")).to_have_value("2025-05-05")
    page.get_by_label("Open items").check()
    _show(page)
    expect(_period(page)).to_have_text("For Kopi Nusantara, as of 4 May 2026")
    _choose(page, "Last month")
    expect(_period(page)).to_have_text("For Kopi Nusantara, as of 30 Apr 2026")


@TWO_OF_THEM
def test_days_in_the_wrong_order_are_kept(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """The page says what is wrong with the period; one field is corrected, and it is shown."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link(below="/statement"))
    _type_period(page, "2026-04-10", "2026-04-01")
    expect(page.get_by_role("alert")).to_have_text("From must not be after To.")
    expect(page.get_by_label("From")).to_have_value("2026-04-10")
    expect(page.get_by_label("To", exact=True)).to_have_value("2026-04-01")
    expect(page.get_by_role("table")).to_have_count(0)
    page.get_by_label("From").fill("2026-03-10")
    _show(page)
    expect(_period(page)).to_have_text("For Kopi Nusantara, from 10 Mar 2026 to 1 Apr 2026")
    _adds_up(page, "EUR")


def test_a_last_day_in_the_future_is_cut(serve: Serve, open_page: OpenPage) -> None:
    """The statement goes up to today, and the page says so."""
    page = open_page()
    page.goto(Shop.at(serve()).link(below="/statement?to=2026-12-31"))
    _cut_to_today(page)


@TWO_OF_THEM
def test_a_last_day_in_the_future_can_be_typed(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """The browser has nothing against it: it is cut, as it is in an address."""
    page = open_page(**how)
    page.goto(Shop.at(serve()).link(below="/statement"))
    _type_period(page, "2026-02-01", "2026-12-31")
    field = page.get_by_label("To", exact=True)
    assert field.evaluate("field => field.validationMessage") == ""
    _cut_to_today(page)


@TWO_OF_THEM
def test_a_long_statement_is_carried_forward(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Two hundred lines to a page; what is carried forward is brought forward, to the balance."""
    page = open_page(**how)
    page.goto(Shop.at(serve(), invoices=204).link(demo.HAFENKONTOR, "/statement"))
    _type_period(page, "2025-01-01", "2026-04-14")
    expect(page.get_by_role("main")).to_contain_text("Charged 92,762.00")
    charged, paid = _amounts(page.get_by_text(re.compile(r"^Charged .* · Paid or credited")))
    first = _rows(page.get_by_role("table", name="Activity in EUR"))[1:]
    assert (first[0][0], first[-1][0]) == ("Opening balance on 1 Jan 2025", "Carried forward")
    assert len(first) == 1 + 200 + 1
    assert _ages(page.get_by_role("table").last) == Decimal("10292.00")
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("rowheader", name="Brought forward")).to_be_visible()
    rest = _rows(page.get_by_role("table", name="Activity in EUR"))[1:]
    rest = [row for row in rest if row[0] != "Total"]
    assert rest[-1][0] == "Closing balance on 14 Apr 2026"
    assert len(rest) == 1 + 19 + 1
    assert _amount(rest[0][-1]) == _amount(first[-1][-1])
    lines = [*_run(first), *_run(rest)]
    assert (sum(one for one, _ in lines), sum(one for _, one in lines)) == (charged, paid)
    assert _amount(rest[-1][-1]) == charged - paid == Decimal("10292.00")
    page.get_by_role("link", name="First page").click()
    expect(page.get_by_role("rowheader", name="Opening balance")).to_be_visible()


# --- messages -------------------------------------------------------------------------------


@VISITORS
def test_a_question_about_an_invoice_is_answered(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """It stands in the thread with its invoice; the answer comes in the seller's name."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.goto(shop.link())
    page.get_by_role("link", name="INV-1051").click()
    _arrive(page, "Invoice INV-1051")
    _write(page, "Ask about this invoice", "May we pay this in May?\nAll of it.")
    expect(page.get_by_role("status")).to_have_text(SENT)
    thread = page.get_by_role("article")
    expect(thread).to_have_count(3)
    assert "May we pay this in May?\nAll of it." in thread.last.inner_text()
    expect(thread.last).to_contain_text("You 09:12 · about Invoice INV-1051")
    page.reload()
    expect(thread).to_have_count(3)
    shop.clock.advance(minutes=5)
    shop.portal.messages.reply(demo.KOPI, "Yes, in May is fine.", by="ana")
    shop.portal.messages.note(demo.KOPI, "Not a word of this to them.", by="ana")
    page.reload()
    expect(thread).to_have_count(4)
    assert _plain(thread.last) == "Nordlicht Kaffee GmbH 09:17 Yes, in May is fine."
    expect(page.locator("body")).not_to_contain_text("Not a word")
    thread.nth(2).get_by_role("link", name="about Invoice INV-1051").click()
    _arrive(page, "Invoice INV-1051")


@TWO_OF_THEM
def test_a_message_too_long_is_kept(serve: Serve, open_page: OpenPage, how: dict[str, Any]) -> None:
    """Nothing is cut: all of the text stands in the box, and can be shortened and sent."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.goto(shop.link())
    go(page, "Messages")
    text = "Where is my coffee?\n" * 100 + "!"
    _write(page, "Write to Nordlicht", text)
    expect(page.get_by_role("alert")).to_have_text(
        "Your message has 2,001 characters. The limit is 2,000."
    )
    expect(page.get_by_label("Write to Nordlicht")).to_have_value(text)
    expect(page.get_by_role("article")).to_have_count(2)
    _write(page, "Write to Nordlicht", text[:-2])
    expect(page.get_by_role("status")).to_have_text(SENT)
    assert _sent(shop) == [text[:-2]]


@TWO_OF_THEM
def test_the_twenty_first_message_waits(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """The text stays in the box; an hour later the same button sends it."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.goto(shop.link(below="/messages"))
    for number in range(20):
        shop.write(f"Question {number + 1}")
    text = "And one question more."
    assert _status(page, lambda: _write(page, "Write to Nordlicht", text)) == 429
    expect(page.get_by_role("alert")).to_have_text(
        "You have sent 20 messages in the last hour. You can write again at 10:12."
    )
    expect(page.get_by_label("Write to Nordlicht")).to_have_value(text)
    shop.clock.advance(hours=1)
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_role("status")).to_have_text(SENT)
    assert _sent(shop)[0] == text


@TWO_OF_THEM
def test_a_message_whose_answer_got_lost_is_sent_once(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Whoever sees nothing happen presses again: there is one message, after reloading too."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.goto(shop.link(below="/messages"))
    whole = shop.site.app
    shop.site.app = _without_answers(whole)
    assert _status(page, lambda: _write(page, "Write to Nordlicht", "Thank you!")) == 204
    expect(page.get_by_role("article")).to_have_count(2)
    assert _sent(shop) == ["Thank you!"]
    shop.site.app = whole
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_role("status")).to_have_text(SENT)
    page.reload()
    expect(page.get_by_role("article")).to_have_count(3)
    assert _sent(shop) == ["Thank you!"]


def _without_answers(whole: Wsgi) -> Wsgi:
    """The same site, where browsers never hear what became of what they asked for."""

    def lose(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        run_wsgi_app(whole, environ, buffered=True)
        start_response("204 No Content", [])
        return []

    return lose


def test_a_message_sent_again_after_back_is_one(serve: Serve, open_page: OpenPage) -> None:
    """The browser fills the old text in again; to send it once more changes nothing."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.link(below="/messages"))
    _write(page, "Write to Nordlicht", "Thank you!")
    expect(page.get_by_role("status")).to_have_text(SENT)
    page.go_back()
    expect(page.get_by_role("status")).to_have_count(0)
    expect(page.get_by_label("Write to Nordlicht")).to_have_value("Thank you!")
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_role("status")).to_have_text(SENT)
    assert _sent(shop) == ["Thank you!"]


# --- what is switched off -------------------------------------------------------------------


@VISITORS
def test_a_page_switched_off_is_gone_at_the_next_click(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """The page says that there is none, without its tab; the rest goes on, until it is back."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.goto(shop.link())
    main = page.get_by_role("main")
    expect(main).to_contain_text("Credits not yet applied")
    shop.set(show_statement=False)
    assert _status(page, lambda: go(page, "Statement of account")) == 404
    _arrive(page, "Not found")
    expect(main).to_contain_text("There is no such page in your portal.")
    _meet_somebody(page.get_by_role("contentinfo"))
    expect(page.get_by_role("link", name="Statement of account")).to_have_count(0)
    main.get_by_role("link", name="Overview").last.click()
    _arrive(page, "Overview")
    expect(main).not_to_contain_text("Credits not yet applied")
    expect(page.get_by_role("link", name="Statement of account")).to_have_count(0)
    shop.set(show_statement=True)
    page.reload()
    go(page, "Statement of account")
    _arrive(page, "Statement of account")


@TWO_OF_THEM
def test_a_portal_switched_off_says_whom_to_ask(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Not available while it is off; on again, the same link works."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.goto(shop.link())
    shop.set(enabled=False)
    assert _status(page, lambda: go(page, "Invoices")) == 403
    _refused(page, NOT_AVAILABLE)
    shop.set(enabled=True)
    page.reload()
    _arrive(page, "Invoices")
    shop.feature = False
    page.reload()
    _refused(page, NOT_AVAILABLE)


@TWO_OF_THEM
def test_a_link_is_denied_from_the_minute_it_expires(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """In its last minute it works, and says until when; then it is denied."""
    shop, page = Shop.at(serve()), open_page(**how)
    link = shop.link()
    shop.clock.advance(days=24, hours=23, minutes=59)
    page.goto(link)
    expect(page.get_by_role("main")).to_contain_text("This link works until 09:12 (UTC).")
    go(page, "Invoices")
    _arrive(page, "Invoices")
    shop.clock.advance(minutes=1)
    assert _status(page, page.get_by_role("link", name="INV-1042").click) == 403
    _refused(page, DENIED)


def _revoke(shop: Shop) -> None:
    shop.portal.tokens.revoke(demo.KOPI, by="ana", reason="Their bookkeeper has left")


def _replace(shop: Shop) -> None:
    shop.portal.tokens.regenerate(demo.KOPI, by="ana")


def _switch_off(shop: Shop) -> None:
    shop.set(enabled=False)


@pytest.mark.parametrize(
    "deny",
    [_revoke, _replace, Shop.block, lambda shop: shop.forget(demo.KOPI)],
    ids=["revoked", "replaced", "blocked", "deleted"],
)
def test_a_link_that_staff_ended_is_denied(
    serve: Serve, open_page: OpenPage, deny: Callable[[Shop], None]
) -> None:
    """The next click reads the same whatever the cause, and again after reloading."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.link())
    deny(shop)
    assert _status(page, lambda: go(page, "Invoices")) == 403
    _refused(page, DENIED)
    assert _status(page, page.reload) == 403
    _refused(page, DENIED)


@pytest.mark.parametrize(
    ("end", "heading"),
    [
        (_revoke, "Access denied"),
        (_switch_off, "Portal not available"),
        (lambda shop: shop.set(allow_messages=False), "Not found"),
    ],
    ids=["revoked", "portal off", "messages off"],
)
def test_what_was_being_written_is_not_lost(
    serve: Serve, open_page: OpenPage, end: Callable[[Shop], None], heading: str
) -> None:
    """Whoever is refused while writing gets the text back, and nothing is sent."""
    shop, page = Shop.at(serve()), open_page(width="phone")
    page.goto(shop.link(below="/messages"))
    end(shop)
    _write(page, "Write to Nordlicht", "Please send us\nyour price list.")
    _arrive(page, heading)
    kept = page.get_by_label("Your text, to keep:")
    expect(kept).to_have_value("Please send us\nyour price list.")
    assert _sent(shop) == []


# --- what is left behind --------------------------------------------------------------------


def test_nothing_runs_and_nothing_is_kept(serve: Serve, open_page: OpenPage) -> None:
    """No page asks for a script or has one; the browser keeps no cookie and stores nothing."""
    shop, page = Shop.at(serve()), open_page(width="phone")
    asked: list[Any] = []
    page.context.on("request", lambda request: asked.append(request))  # noqa: PLW0108 (no builtin)
    page.goto(shop.link())
    for words in ("Invoices", "Sales orders", "Credit notes", "Statement of account", "Messages"):
        go(page, words)
        _arrive(page, words)
        assert page.evaluate(_THAT_RUNS) == []
    _write(page, "Write to Nordlicht", "Thank you!")
    expect(page.get_by_role("status")).to_have_text(SENT)
    page.goto(shop.document("INV-1042"))
    assert page.evaluate(_THAT_RUNS) == []
    _revoke(shop)
    page.reload()
    _refused(page, DENIED)
    assert page.evaluate(_THAT_RUNS) == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert page.context.storage_state() == {"cookies": [], "origins": []}
    assert page.context.cookies() == []
    assert [one.url for one in asked if one.resource_type in _BY_SCRIPTS] == []
    page.goto(shop.staff())
    assert page.evaluate(_THAT_RUNS) != []
    assert [one.url for one in asked if one.resource_type in _BY_SCRIPTS] != []


_BY_SCRIPTS = ("script", "xhr", "fetch", "eventsource", "websocket", "ping")
_THAT_RUNS = """
[...document.querySelectorAll('*')]
    .filter(one => one.localName === 'script'
        || one.getAttributeNames().some(name => name.startsWith('on')))
    .map(one => one.outerHTML)
"""


# --- how a page is read and used ------------------------------------------------------------


def _arrive(page: Any, heading: str) -> None:
    """Wait for all of the page with the heading; its title has it, and tells no business."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    title = "Customer portal" if heading == "Overview" else heading
    expect(page).to_have_title(f"{title} - {demo.NAME}")
    page.wait_for_load_state()


def _refused(page: Any, text: str) -> None:
    """Wait for a refusal: this text and no other, the seller's contact, and nobody's name."""
    _arrive(page, text.splitlines()[0])
    main = page.get_by_role("main")
    assert [" ".join(line.split()) for line in main.inner_text().splitlines() if line] == (
        text.splitlines()
    )
    _meet_somebody(main)
    expect(page.get_by_role("navigation")).to_have_count(0)
    expect(page.locator("body")).not_to_contain_text("Kopi Nusantara")


def _meet_somebody(place: Any) -> None:
    """See whom to write to and whom to call."""
    mail = place.get_by_role("link", name="accounts@nordlicht.example")
    expect(mail).to_have_attribute("href", "mailto:accounts@nordlicht.example")
    phone = place.get_by_role("link", name="+49 30 1234567")
    expect(phone).to_have_attribute("href", "tel:+49301234567")


def _status(page: Any, act: Callable[[], Any]) -> int:
    """The status of the page that is asked for by what one does."""
    with page.expect_response(lambda answer: answer.request.is_navigation_request()) as answer:
        act()
    return int(answer.value.status)


def _numbers(page: Any) -> Any:
    """The links of a list: numbers of documents."""
    return page.get_by_role("main").get_by_role("row").get_by_role("link")


def _choose(page: Any, words: str) -> None:
    """Follow one of the links above a list, or of the usual periods."""
    page.get_by_role("main").get_by_role("link", name=words, exact=True).click()
    link = page.get_by_role("main").get_by_role("link", name=words, exact=True)
    expect(link).to_have_attribute("aria-current", "true")


def _search(page: Any, text: str) -> None:
    page.get_by_label("Number or your reference").fill(text)
    page.get_by_role("button", name="Search").click()


def _walk(page: Any) -> list[str]:
    """The numbers of this page and all older ones, at most fifty on each."""
    found: list[str] = []
    older = page.get_by_role("link", name="Older")
    while True:
        page.wait_for_load_state()
        some = _numbers(page).all_inner_texts()
        assert 0 < len(some) <= 50
        found += some
        if not older.is_visible():
            return found
        assert len(some) == 50
        older.click()
        expect(_numbers(page).first).not_to_have_text(some[0])


def _period(page: Any) -> Any:
    return page.get_by_role("main").get_by_text(re.compile("^For .*, (from|as of) "))


def _cut_to_today(page: Any) -> None:
    expect(page.get_by_role("main")).to_contain_text(
        "The last day was in the future; this is the statement up to today, 14 Apr 2026."
    )
    expect(page.get_by_label("To", exact=True)).to_have_value("2026-04-14")


def _type_period(page: Any, start: str, end: str) -> None:
    page.get_by_label("From").fill(start)
    page.get_by_label("To", exact=True).fill(end)
    _show(page)


def _show(page: Any) -> None:
    page.get_by_role("button", name="Show").click()


def _write(page: Any, label: str, text: str) -> None:
    page.get_by_label(label).fill(text)
    page.get_by_role("button", name="Send message").click()


def _sent(shop: Shop) -> list[str]:
    """What the customer has sent in this test, newest first, as staff read it."""
    thread = shop.portal.messages.thread(demo.KOPI, limit=200).items
    return [one.text for one in thread][:-2]


# --- figures --------------------------------------------------------------------------------


def _adds_up(page: Any, currency: str) -> Decimal:
    """The closing balance of a section, to which all of its figures come."""
    section = page.locator(f"#{currency}")
    opening, *lines, total, closing = _rows(section.get_by_role("table").first)[1:]
    moves = _run([opening, *lines, closing])
    charged, paid = _amount(total[1]), _amount(total[2])
    assert (sum(one for one, _ in moves), sum(one for _, one in moves)) == (charged, paid)
    assert _amount(opening[-1]) + charged - paid == _amount(closing[-1])
    assert _ages(section.get_by_role("table").last) == _amount(closing[-1])
    return _amount(closing[-1])


def _run(rows: list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    """What each line charged and credited; each balance follows from the one before."""
    opening, *lines, closing = rows
    balance, moves = _amount(opening[-1]), []
    for *_, charged, paid, after in lines:
        moves.append((_amount(charged), _amount(paid)))
        balance += moves[-1][0] - moves[-1][1]
        assert balance == _amount(after)
    assert balance == _amount(closing[-1])
    return moves


def _ages(table: Any) -> Decimal:
    """The total of an aging table, to which its parts come."""
    *parts, (words, total) = _rows(table)[1:]
    assert (parts[0][0], parts[-1][0], words) == ("Not yet due", "Credits not yet applied", "Total")
    assert sum(_amount(amount) for _, amount in parts) == _amount(total)
    return _amount(total)


def _rows(table: Any) -> list[list[str]]:
    """The words of each cell, row by row, as they are read."""
    table.page.wait_for_load_state()  # what came before the table may be there alone
    rows = table.get_by_role("row").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    return [[" ".join(cell.split()) for cell in row] for row in rows]


def _plain(found: Any) -> str:
    return " ".join(found.inner_text().split())


def _amounts(found: Any) -> list[Decimal]:
    return [_amount(one) for one in re.findall(r"[\d,]+\.\d\d", found.inner_text())]


def _amount(text: str) -> Decimal:
    """The amount in some words, below zero where it is in the customer's favour; 0 in none."""
    found = re.search(r"(−?)([\d,]+\.\d\d)", text)
    if found is None:
        return Decimal(0)
    amount = Decimal(found[2].replace(",", ""))
    return -amount if found[1] or "in your favour" in text else amount
