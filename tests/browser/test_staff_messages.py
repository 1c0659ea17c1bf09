"""Staff answer customers, and note what no customer may ever read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.browser.shops import VISITORS, Shop, expect, go
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage

from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of

QUESTION = "Please send us your new price list."
ANSWER = "The new price list\ncomes with the next delivery."
NOTE = "Pays late in spring, but always pays."
UNREAD = "Messages (1 unread)"
BOX = "Reply to Müller & Söhne"


# --- a question is answered -----------------------------------------------------------------


@VISITORS
def test_a_question_is_answered(serve: Serve, open_page: OpenPage, how: dict[str, Any]) -> None:
    """From the inbox to the customer's page: the answer is there, in the seller's name."""
    shop, page, customer = Shop.at(serve()), open_page(**how), open_page(**how)
    customer.goto(shop.link(demo.MUELLER))
    go(customer, "Messages")
    page.goto(shop.staff("/"))
    page.get_by_role("link", name=UNREAD).click()
    expect(page.get_by_text("Unread messages of customers, newest first")).to_be_visible()
    rows = _rows(page)
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(QUESTION)
    expect(rows).to_contain_text("13 Apr 2026, 21:12")
    page.get_by_role("link", name="Müller & Söhne").click()
    expect(page.get_by_role("heading", name="Messages with Müller & Söhne")).to_be_visible()
    expect(_newest(page)).to_contain_text("Unread")
    page.get_by_label(BOX).fill(ANSWER)
    page.get_by_role("button", name="Send reply").click()
    _told(page, "Reply sent.")
    expect(page).to_have_title(re.compile("^Reply sent - Messages with Müller & Söhne"))
    expect(page.get_by_role("link", name=UNREAD)).to_have_count(0)
    customer.reload()
    answer = _newest(customer)
    expect(answer).to_contain_text("Nordlicht Kaffee GmbH")
    assert ANSWER in answer.inner_text()
    expect(customer.get_by_text("ana", exact=True)).to_have_count(0)
    page.get_by_role("link", name="Messages", exact=True).first.click()
    expect(page.get_by_text("No unread messages.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    _lists(page, "Müller & Söhne", "Kopi Nusantara")


def test_both_sides_talk_page_to_page(serve: Serve, open_page: OpenPage) -> None:
    """A question about an invoice, an answer about it, and thanks, each seen by the other."""
    shop, page, customer = Shop.at(serve()), open_page(), open_page(width="phone")
    customer.goto(shop.document("INV-1051"))
    customer.get_by_label("Ask about this invoice").fill("Is the freight included?")
    customer.get_by_role("button", name="Send message").click()
    expect(customer.get_by_text("Message sent.")).to_be_visible()
    shop.clock.advance(minutes=5)
    page.goto(shop.staff("/messages"))
    expect(page.get_by_role("link", name="Messages (2 unread)")).to_be_visible()
    _lists(page, "Kopi Nusantara", "Müller & Söhne")
    row = _rows(page).filter(has_text="Kopi Nusantara")
    expect(row).to_contain_text("Invoice INV-1051")
    row.get_by_role("link", name="Kopi Nusantara").click()
    expect(page.get_by_label("About")).to_contain_text("The account in general")
    expect(page.get_by_label("About").locator("option:checked")).to_have_text("Invoice INV-1051")
    page.get_by_label("Reply to Kopi Nusantara").fill("Yes, it is.")
    page.get_by_role("button", name="Send reply").click()
    _told(page, "Reply sent.")
    shop.clock.advance(minutes=5)
    customer.goto(shop.link())
    expect(customer.get_by_role("link", name="last reply 14 Apr")).to_be_visible()
    go(customer, "Messages")
    expect(_newest(customer)).to_contain_text("Yes, it is.")
    customer.get_by_label("Write to Nordlicht Kaffee GmbH").fill("Thank you!")
    customer.get_by_role("button", name="Send message").click()
    expect(customer.get_by_text("Message sent.")).to_be_visible()
    page.reload()
    expect(_newest(page)).to_contain_text("Thank you!")
    expect(page.get_by_role("link", name="Messages (2 unread)")).to_be_visible()
    answer = customer.get_by_role("article").filter(has_text="Yes, it is.")
    answer.get_by_role("link", name="about Invoice INV-1051").click()
    expect(customer.get_by_role("heading", name="Invoice INV-1051")).to_be_visible()


def test_a_message_is_marked_as_read(serve: Serve, open_page: OpenPage) -> None:
    """Where no answer is needed: it leaves the inbox, and can still be found under All."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/messages"))
    page.get_by_role("link", name="Müller & Söhne").click()
    page.get_by_role("button", name="Mark as read").click()
    _told(page, "Marked as read.")
    expect(_newest(page)).not_to_contain_text("Unread")
    expect(page.get_by_role("button", name="Mark as read")).to_have_count(0)
    expect(page.get_by_role("link", name=UNREAD)).to_have_count(0)
    page.get_by_role("link", name="Messages", exact=True).first.click()
    expect(page.get_by_text("No unread messages.")).to_be_visible()
    page.get_by_role("link", name="All", exact=True).click()
    _lists(page, "Müller & Söhne", "Kopi Nusantara")
    page.get_by_role("link", name="Unread", exact=True).click()
    expect(page.get_by_text("No unread messages.")).to_be_visible()


def test_what_came_meanwhile_is_not_marked_as_read(serve: Serve, open_page: OpenPage) -> None:
    """Staff have not seen it: it is shown to them, and stays unread."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(_thread(shop))
    shop.write("And two bags more.", demo.MUELLER)
    page.get_by_role("button", name="Mark as read").click()
    _told(page, "Müller & Söhne wrote meanwhile: see below. Nothing was marked as read.")
    expect(_newest(page)).to_contain_text("And two bags more.")
    expect(page.get_by_role("link", name="Messages (2 unread)")).to_be_visible()


# --- the two boxes --------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "javascript"), [("phone", False), ("desktop", True)])
def test_a_note_is_never_seen_by_the_customer(
    serve: Serve, open_page: OpenPage, width: str, javascript: bool
) -> None:
    """Closed until it is opened, saved for staff; the reply beside it does reach the customer."""
    shop, page = Shop.at(serve()), open_page(width=width, javascript=javascript)
    page.goto(_thread(shop))
    expect(page.get_by_label("Note on Müller & Söhne")).to_be_hidden()
    page.get_by_text("Internal note - the customer never sees this").click()
    page.get_by_label("Note on Müller & Söhne").fill(NOTE)
    page.get_by_role("button", name="Save note").click()
    _told(page, "Note saved. The customer never sees it.")
    note = page.get_by_role("article").filter(has_text="Internal note by ana")
    expect(note).to_contain_text(NOTE)
    expect(page.get_by_role("link", name=UNREAD)).to_be_visible()
    page.get_by_label(BOX).fill(ANSWER)
    page.get_by_role("button", name="Send reply").click()
    _told(page, "Reply sent.")
    customer = open_page(width=width, javascript=javascript)
    for below in ("", "/invoices", "/statement", "/messages"):
        customer.goto(shop.link(demo.MUELLER, below))
        expect(customer.get_by_text("Customer portal for Müller & Söhne")).to_be_visible()
        assert NOTE not in customer.content()
        assert "nternal note" not in customer.content()
    expect(customer.get_by_text("comes with the next delivery.")).to_be_visible()
    expect(customer.get_by_role("article")).to_have_count(2)


def test_what_cannot_be_sent_stays_in_its_box(serve: Serve, open_page: OpenPage) -> None:
    """A reply that is too long comes back as a reply, a note as a note, and in the open."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(_thread(shop))
    long = "x" * 2001
    page.get_by_label(BOX).fill(long)
    page.get_by_role("button", name="Send reply").click()
    words = "The text has 2,001 characters. The limit is 2,000."
    expect(page.get_by_role("alert")).to_have_text(words)
    expect(page.get_by_label(BOX)).to_have_value(long)
    expect(page.get_by_label("Note on Müller & Söhne")).to_be_hidden()
    page.get_by_text("Internal note - the customer never sees this").click()
    page.get_by_label("Note on Müller & Söhne").fill(f"{long}y")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("alert")).to_have_text(words.replace("2,001", "2,002"))
    expect(page.get_by_label("Note on Müller & Söhne")).to_have_value(f"{long}y")
    expect(page.get_by_label(BOX)).to_have_value("")
    page.get_by_label("Note on Müller & Söhne").fill("x" * 2000)
    page.get_by_role("button", name="Save note").click()
    _told(page, "Note saved.")


def test_who_wrote_meanwhile_is_read_first(serve: Serve, open_page: OpenPage) -> None:
    """The reply waits in its box while the new message is shown; the second press sends it."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(_thread(shop))
    page.get_by_label(BOX).fill(ANSWER)
    shop.clock.advance(minutes=1)
    shop.write("We have found it, thank you.", demo.MUELLER)
    page.get_by_role("button", name="Send reply").click()
    words = "Müller & Söhne wrote here meanwhile. Read it above, then press Send reply once more."
    expect(page.get_by_role("alert")).to_have_text(words)
    expect(_newest(page)).to_contain_text("We have found it, thank you.")
    expect(page.get_by_label(BOX)).to_have_value(ANSWER)
    shop.clock.advance(minutes=1)
    page.get_by_role("button", name="Send reply").click()
    _told(page, "Reply sent.")
    expect(_newest(page)).to_contain_text("comes with the next delivery.")


@pytest.mark.parametrize("how_often", ["in two tabs", "by a double click"])
def test_a_reply_sent_twice_is_there_once(
    serve: Serve, open_page: OpenPage, how_often: str
) -> None:
    """The customer does not read it twice."""
    shop, page = Shop.at(serve()), open_page()
    tabs = [page, page.context.new_page()] if how_often == "in two tabs" else [page]
    for tab in tabs:
        tab.goto(_thread(shop))
        tab.get_by_label(BOX).fill(ANSWER)
    for tab in tabs:
        tab.bring_to_front()
        tab.get_by_role("button", name="Send reply").click(click_count=3 - len(tabs))
        _told(tab, "Reply sent.")
    customer = open_page()
    customer.goto(shop.link(demo.MUELLER, "/messages"))
    expect(customer.get_by_role("article")).to_have_count(2)
    expect(customer.get_by_text("comes with the next delivery.")).to_have_count(1)


def test_who_loses_the_right_meanwhile_keeps_the_reply(serve: Serve, open_page: OpenPage) -> None:
    """It is refused and given back; the customer reads nothing of it."""
    shop, page, customer = Shop.at(serve()), open_page(), open_page()
    page.goto(_thread(shop))
    page.get_by_label(BOX).fill(ANSWER)
    page.set_extra_http_headers({"X-Staff": "reader"})
    page.get_by_role("button", name="Send reply").click()
    expect(page.get_by_role("heading", name="Refused")).to_be_visible()
    expect(page.get_by_label("Your text, to keep:")).to_have_value(ANSWER)
    customer.goto(shop.link(demo.MUELLER, "/messages"))
    expect(customer.get_by_text(QUESTION)).to_be_visible()
    expect(customer.get_by_text("comes with the next delivery.")).to_have_count(0)


# --- where no customer reads it -------------------------------------------------------------


def test_staff_are_told_that_messages_are_off(serve: Serve, open_page: OpenPage) -> None:
    """The conversations stay with staff; the customer has neither page nor way to it."""
    shop, page, customer = Shop.at(serve()), open_page(), open_page()
    customer.goto(shop.link(demo.MUELLER))
    go(customer, "Messages")
    shop.set(allow_messages=False)
    words = "Customers cannot see or answer this while Allow Customer Messages is off."
    page.goto(shop.staff("/messages"))
    expect(page.get_by_text(words)).to_be_visible()
    page.get_by_role("link", name="Müller & Söhne").click()
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_text(QUESTION)).to_be_visible()
    page.get_by_label(BOX).fill(ANSWER)
    page.get_by_role("button", name="Send reply").click()
    _told(page, "Reply sent.")
    expect(page.get_by_text(words)).to_be_visible()
    customer.reload()
    expect(customer.get_by_text("There is no such page in your portal.")).to_be_visible()
    expect(customer.get_by_role("link", name="Messages")).to_have_count(0)
    shop.set(allow_messages=True)
    page.reload()
    expect(page.get_by_role("heading", name="Messages with Müller & Söhne")).to_be_visible()
    expect(page.get_by_text(words)).to_have_count(0)
    customer.reload()
    expect(_newest(customer)).to_contain_text("comes with the next delivery.")


def test_staff_are_told_that_the_portal_is_off(serve: Serve, open_page: OpenPage) -> None:
    """In the inbox and at the conversation, before they write."""
    shop, page = Shop.at(serve()), open_page()
    shop.set(enabled=False)
    words = "Customers cannot see or answer this while the portal is off."
    for address in (shop.staff("/messages"), _thread(shop)):
        page.goto(address)
        expect(page.get_by_text(words)).to_be_visible()


def test_staff_are_told_that_a_customer_is_blocked(serve: Serve, open_page: OpenPage) -> None:
    """Where this one customer cannot read it; others are not spoken of."""
    shop, page = Shop.at(serve()), open_page()
    shop.block(demo.MUELLER)
    words = "Blocked in Demo ERP: the customer cannot see or answer this."
    page.goto(_thread(shop))
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_text(QUESTION)).to_be_visible()
    page.goto(_thread(shop, demo.KOPI))
    expect(page.get_by_role("heading", name="Messages with Kopi Nusantara")).to_be_visible()
    expect(page.get_by_text(words)).to_have_count(0)


# --- who may do it --------------------------------------------------------------------------


def test_who_may_only_look_reads_and_cannot_write(serve: Serve, open_page: OpenPage) -> None:
    """The conversation and its notes are there; boxes and buttons are not."""
    shop, page = Shop.at(serve()), open_page()
    shop.portal.messages.note(demo.MUELLER, NOTE, by="ben")
    page.set_extra_http_headers({"X-Staff": "reader"})
    page.goto(shop.staff("/messages"))
    page.get_by_role("link", name="Müller & Söhne").click()
    expect(page.get_by_text(QUESTION)).to_be_visible()
    expect(page.get_by_text(NOTE)).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_text("Internal note - the customer never sees this")).to_have_count(0)
    expect(page.get_by_role("link", name=UNREAD)).to_be_visible()


def test_nobody_reads_a_message(serve: Serve, open_page: OpenPage) -> None:
    """Without signing in inbox and conversations are closed."""
    shop, page = Shop.at(serve()), open_page()
    page.set_extra_http_headers({"X-Staff": "nobody"})
    for address in (shop.staff("/messages"), _thread(shop)):
        page.goto(address)
        expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
        expect(page.get_by_text(QUESTION)).to_have_count(0)


# --- what is done again and again -----------------------------------------------------------


def _thread(shop: Shop, customer_id: str = demo.MUELLER) -> str:
    """The page of staff with a customer's conversation."""
    return shop.staff(f"/messages/{key_of(customer_id)}")


def _told(page: Any, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def _rows(page: Any) -> Any:
    """The messages in the inbox."""
    return page.locator("tbody").get_by_role("row")


def _lists(page: Any, *customers: str) -> None:
    """Messages of these customers, in this order, and of no others."""
    expect(_rows(page).get_by_role("link")).to_have_text(list(customers))


def _newest(page: Any) -> Any:
    """What stands last in a conversation."""
    return page.get_by_role("article").last
