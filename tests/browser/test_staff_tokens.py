"""Staff hand out links, take them back, and find out why one does not work."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import pytest
from tests.browser.shops import NOW, VISITORS, Shop, expect, go
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage

from basis_portal import Customer
from basis_portal.demo import seller as demo

ALL = [
    "Bean There Ltd",
    "Café Lumière",
    "Großhandel Hafenkontor",
    "Kedai Pelabuhan Tua",
    "Kopi Nusantara",
    "Müller & Söhne",
    "Torrefazione Aurora",
    "Καφές Αθηνών",
]
WITH_LINK = (demo.KOPI, demo.MUELLER, demo.ATHENS, demo.HAFENKONTOR, demo.LUMIERE)
CLIPBOARD = ["clipboard-read", "clipboard-write"]
COULD_NOT = "Could not copy. The link is selected: press Ctrl+C."
KIOSKS = 60
WIDTHS = pytest.mark.parametrize("width", ["phone", "desktop"])


# --- a link is handed out -------------------------------------------------------------------


@VISITORS
def test_a_link_is_handed_out_in_two_clicks(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Generate, Copy link: the link opens the customer's page. Without scripts it is one more."""
    shop, page = _at_the_list(serve, open_page, **how)
    expect(_row(page, "Bean There Ltd")).to_contain_text("No token")
    page.get_by_role("button", name="Generate token for Bean There Ltd").click()
    _told(page, "Token generated. The link works until Thu, 14 May 2026, 09:12 (UTC).")
    expect(page).to_have_title(re.compile("^Token generated - Bean There Ltd"))
    link = _link(page)
    page.get_by_role("link", name="Copy link of Bean There Ltd").click()
    if how["javascript"]:
        _told(page, "Link for Bean There Ltd copied. It works until 14 May 2026.")
    else:
        expect(page).to_have_url(re.compile("#link$"))
        _copy_by_one_click(page, link)
    assert _pasted(page, shop) == link
    _opens(page, link, "Bean There Ltd")


def test_a_link_is_handed_out_with_the_keyboard(serve: Serve, open_page: OpenPage) -> None:
    """The answer has the focus, so that it is read first; the link and its copying come next."""
    shop, page = _at_the_list(serve, open_page)
    page.get_by_role("button", name="Generate token for Bean There Ltd").press("Enter")
    answer = page.get_by_role("status").filter(has_text="Token generated.")
    expect(answer).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Link, to copy with the keyboard")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Copy link of Bean There Ltd")).to_be_focused()
    page.keyboard.press("Enter")
    _told(page, "Link for Bean There Ltd copied.")
    assert _pasted(page, shop) == _link(page)


@WIDTHS
def test_the_list_copies_links_that_it_does_not_hold(
    serve: Serve, open_page: OpenPage, width: str
) -> None:
    """One click copies; before it and after it no link is in what the browser was given."""
    shop = Shop.at(serve())
    links = {one: shop.link(one) for one in WITH_LINK}
    page = open_page(width=width)
    page.context.grant_permissions(CLIPBOARD)
    page.goto(shop.staff("/tokens"))
    for customer_id, name, day in (
        (demo.KOPI, "Kopi Nusantara", "9 May 2026"),
        (demo.LUMIERE, "Café Lumière", "17 Apr 2026"),
    ):
        page.get_by_role("link", name=f"Copy link of {name}").click()
        _told(page, f"Link for {name} copied. It works until {day}.")
        assert _pasted(page, shop) == links[customer_id]
    expect(page.get_by_role("heading", name="Portal Access Tokens")).to_be_visible()
    given = page.content()
    assert "Copy link" in given
    assert [link for link in links.values() if link.rsplit("/", 1)[1] in given] == []
    _opens(page, links[demo.LUMIERE], "Café Lumière")


def test_the_button_says_copied_for_two_seconds(serve: Serve, open_page: OpenPage) -> None:
    """Then it can be pressed anew; it keeps its width, so that nothing moves."""
    shop, page = Shop.at(serve()), open_page()
    page.context.grant_permissions(CLIPBOARD)
    page.clock.install(time=NOW)
    page.goto(shop.staff("/tokens"))
    page.clock.pause_at(NOW + dt.timedelta(hours=1))
    button = page.get_by_role("link", name="Copy link of Kopi Nusantara")
    before, after = (button.get_by_text(one, exact=True) for one in ("Copy link", "Copied"))
    expect(after).to_be_hidden()
    width = button.bounding_box()["width"]
    button.click()
    expect(after).to_be_visible()
    expect(before).to_be_hidden()
    assert button.bounding_box()["width"] == width
    page.clock.fast_forward(1900)
    expect(after).to_be_visible()
    page.clock.fast_forward(200)
    expect(before).to_be_visible()
    expect(after).to_be_hidden()


@WIDTHS
def test_without_scripts_one_click_selects_the_link(
    serve: Serve, open_page: OpenPage, width: str
) -> None:
    """Copy link in the list leads to where the link stands, and to nothing else on the way."""
    shop, page = _at_the_list(serve, open_page, width=width, javascript=False)
    page.get_by_role("link", name="Copy link of Kopi Nusantara").click()
    expect(page.get_by_role("heading", name="Kopi Nusantara")).to_be_visible()
    expect(page.get_by_text("Click the link to select all of it, then copy it")).to_be_visible()
    link = shop.link()
    assert _link(page) == link
    _copy_by_one_click(page, link)
    assert _pasted(page, shop) == link


@pytest.mark.parametrize("why", ["an intranet without https", "a browser that refuses"])
def test_a_list_without_a_clipboard_leads_to_the_selected_link(
    serve: Serve, open_page: OpenPage, why: str
) -> None:
    """It is copied there, or staff are told to press Ctrl+C, which then copies all of it."""
    shop, page = Shop.at(serve()), open_page()
    _without_clipboard(page, why)
    page.goto(shop.staff("/tokens"))
    page.get_by_role("link", name="Copy link of Kopi Nusantara").click()
    expect(page.get_by_role("heading", name="Kopi Nusantara")).to_be_visible()
    copied = "Link for Kopi Nusantara copied. It works until 9 May 2026."
    said = page.get_by_role("status")
    expect(said).to_have_text(re.compile(f"{re.escape(copied)}|{re.escape(COULD_NOT)}"))
    assert _selected(page) == _link(page)
    if said.text_content() == COULD_NOT:
        page.keyboard.press("Control+C")
    assert _pasted(page, shop) == shop.link()


@pytest.mark.parametrize("why", ["an intranet without https", "a browser that refuses"])
def test_a_shown_link_is_copied_without_a_clipboard(
    serve: Serve, open_page: OpenPage, why: str
) -> None:
    """On the token's page one click copies it all the same."""
    shop, page = Shop.at(serve()), open_page()
    _without_clipboard(page, why)
    page.goto(shop.token())
    page.get_by_role("link", name="Copy link of Kopi Nusantara").click()
    _told(page, "Link for Kopi Nusantara copied. It works until 9 May 2026.")
    assert _pasted(page, shop) == shop.link()


def test_a_link_that_is_gone_is_not_said_to_be_copied(serve: Serve, open_page: OpenPage) -> None:
    """A list that is out of date leads to the page that says how the token stands now."""
    shop, page = _at_the_list(serve, open_page)
    shop.portal.tokens.revoke(demo.KOPI, by="ben", reason="Sent to the wrong address")
    page.get_by_role("link", name="Copy link of Kopi Nusantara").click()
    revoked = "Revoked on Tue, 14 Apr 2026, 09:12 (UTC) by ben."
    expect(page.get_by_text(revoked)).to_be_visible()
    expect(page.get_by_text("copied.")).to_have_count(0)


def test_a_replaced_link_is_not_copied_from_an_old_page(serve: Serve, open_page: OpenPage) -> None:
    """Where a colleague replaced it meanwhile, the page shows the link that works, then copies."""
    shop, page = Shop.at(serve()), open_page()
    page.context.grant_permissions(CLIPBOARD)
    page.goto(shop.token())
    old = _link(page)
    shop.portal.tokens.regenerate(demo.KOPI, by="ben")
    page.get_by_role("link", name="Copy link of Kopi Nusantara").click()
    expect(page.locator("#link")).not_to_have_text(old)
    assert _link(page) == shop.link()
    page.get_by_role("link", name="Copy link of Kopi Nusantara").click()
    _told(page, "Link for Kopi Nusantara copied. It works until 14 May 2026.")
    assert _pasted(page, shop) == shop.link()


# --- the list -------------------------------------------------------------------------------


@WIDTHS
def test_a_customer_is_found(serve: Serve, open_page: OpenPage, width: str) -> None:
    """By name, number or e-mail, or by status; both at once are told not to go together."""
    _, page = _at_the_list(serve, open_page, width=width)
    expect(page.get_by_text("In the order of Demo ERP")).to_be_visible()
    _lists(page, *ALL)
    for typed, name in (("müller", "Müller & Söhne"), ("1005", ALL[2]), ("conti@", ALL[6])):
        _filter(page, typed)
        _lists(page, name)
    _filter(page, "kopi", "Expired")
    words = "Search and status do not combine. This is what the search found, whatever its status."
    expect(page.get_by_text(words)).to_be_visible()
    _lists(page, "Kopi Nusantara")
    _filter(page, "", "Expires within 7 days")
    _lists(page, "Café Lumière")
    expect(_row(page, "Café Lumière")).to_contain_text("Expires in 3 days")
    expect(page.get_by_label("Status", exact=True)).to_have_value("soon")
    _filter(page, "zzz", "All")
    expect(page.get_by_text("No customer matches.")).to_be_visible()
    page.get_by_role("link", name="Clear").first.click()
    _lists(page, *ALL)
    expect(page.get_by_role("link", name="Clear")).to_have_count(0)


def test_each_status_has_its_customers(serve: Serve, open_page: OpenPage) -> None:
    """With a status the list goes by expiry; "No token" is a word in the row, not a filter."""
    _, page = _at_the_list(serve, open_page)
    statuses = page.get_by_label("Status", exact=True).get_by_role("option")
    named = ["All", "Active", "Expires within 7 days", "Expired", "Revoked"]
    expect(statuses).to_have_text(named)
    _filter(page, "", "Active")
    expect(page.get_by_text("By expiry, the earliest first")).to_be_visible()
    active = page.get_by_role("row").get_by_role("link", name="More about")
    expect(active).to_have_count(5)
    assert _names(page)[0] == "Café Lumière"
    assert sorted(_names(page)) == sorted([ALL[1], ALL[2], ALL[4], ALL[5], ALL[7]])
    _filter(page, "", "Expired")
    _lists(page, "Torrefazione Aurora")
    expect(_row(page, "Torrefazione Aurora")).to_contain_text("on 4 Apr 2026")
    _filter(page, "", "Revoked")
    _lists(page, "Kedai Pelabuhan Tua")
    expect(_row(page, "Kedai Pelabuhan Tua")).to_contain_text("on 6 Apr 2026 by ana")


def test_a_long_list_is_walked_page_by_page(serve: Serve, open_page: OpenPage) -> None:
    """Fifty to a page, each customer once, in the host's order; First leads back."""
    shop, page = Shop.at(serve()), open_page()
    kiosks = _kiosks(shop)
    page.goto(shop.staff("/tokens"))
    expect(page.get_by_role("link", name="First", exact=True)).to_have_count(0)
    first = _names(page)
    assert len(first) == 50
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="First", exact=True)).to_be_visible()
    assert first + _names(page) == sorted([*ALL, *kiosks])
    expect(page.get_by_role("link", name="Next")).to_have_count(0)
    page.get_by_role("link", name="First", exact=True).click()
    _lists(page, *first)


def test_cancel_and_back_keep_filter_and_page(serve: Serve, open_page: OpenPage) -> None:
    """Whoever looks through the second page of a filter is there again after a question."""
    shop, page = Shop.at(serve()), open_page()
    _kiosks(shop, with_tokens=True)
    page.goto(shop.staff("/tokens"))
    _filter(page, "", "Active")
    expect(page.get_by_text("By expiry, the earliest first")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="First", exact=True)).to_be_visible()
    here = _names(page)
    page.get_by_role("link", name=f"More about {here[3]}").click()
    for action in ("Regenerate", "Revoke"):
        page.get_by_role("link", name=f"{action} link of {here[3]}").click()
        expect(page.get_by_role("heading", name=re.compile(r"\?$"))).to_be_visible()
        page.get_by_role("link", name="Cancel").click()
        expect(page.get_by_role("heading", name=here[3])).to_be_visible()
    page.get_by_role("link", name="Portal Access Tokens").click()
    _lists(page, *here)
    expect(page.get_by_label("Status", exact=True)).to_have_value("active")


# --- a link is taken back -------------------------------------------------------------------


@VISITORS
def test_a_link_is_revoked(serve: Serve, open_page: OpenPage, how: dict[str, Any]) -> None:
    """The customer's open page is denied at the next click; until it is confirmed it goes on."""
    shop, customer = Shop.at(serve()), open_page(**how)
    customer.goto(shop.link())
    page = open_page(**how)
    page.goto(shop.staff("/tokens"))
    _filter(page, "kopi")
    _lists(page, "Kopi Nusantara")
    page.get_by_role("link", name="Kopi Nusantara", exact=True).click()
    page.get_by_role("link", name="Revoke link of Kopi Nusantara").click()
    expect(page.get_by_role("heading", name="Revoke the link of Kopi Nusantara?")).to_be_visible()
    warning = (
        "It stops working at once, also in e-mails already sent (last opened 14 Apr 2026, 09:12). "
        "This cannot be undone; you can generate a new token at any time."
    )
    expect(page.get_by_text(warning)).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_text("Active until Sat, 9 May 2026, 09:12 (UTC).")).to_be_visible()
    go(customer, "Invoices")
    expect(customer.get_by_role("heading", name="Invoices", exact=True)).to_be_visible()
    page.get_by_role("link", name="Revoke link of Kopi Nusantara").click()
    page.get_by_label("Reason (optional)").fill("Their bookkeeper took it along")
    page.get_by_role("button", name="Revoke link").click()
    _told(page, "Link revoked. It shows 'Access denied' from now on.")
    expect(page).to_have_title(re.compile("^Link revoked - "))
    expect(page.get_by_text("Revoked on Tue, 14 Apr 2026, 09:12 (UTC) by ana.")).to_be_visible()
    expect(page.get_by_text("Reason: Their bookkeeper took it along")).to_be_visible()
    expect(page.locator("#link")).to_have_count(0)
    _is_denied_at_the_next_click(customer)
    assert "bookkeeper" not in customer.content()
    page.get_by_role("link", name="Portal Access Tokens").click()
    expect(page.get_by_label("Name, number or e-mail")).to_have_value("kopi")
    _lists(page, "Kopi Nusantara")
    expect(_row(page, "Kopi Nusantara")).to_contain_text("on 14 Apr 2026 by ana")


def test_a_reason_that_is_too_long_is_given_back(serve: Serve, open_page: OpenPage) -> None:
    """Nothing is revoked meanwhile, and the words are still in the field."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.token(below="/revoke"))
    page.get_by_label("Reason (optional)").fill("x" * 501)
    page.get_by_role("button", name="Revoke link").click()
    words = "The reason has 501 characters. The limit is 500."
    expect(page.get_by_role("alert")).to_have_text(words)
    expect(page.get_by_label("Reason (optional)")).to_have_value("x" * 501)
    assert shop.portal.tokens.check(shop.link()).works
    page.get_by_label("Reason (optional)").fill("x" * 500)
    page.get_by_role("button", name="Revoke link").click()
    _told(page, "Link revoked.")


@WIDTHS
def test_a_link_is_replaced(serve: Serve, open_page: OpenPage, width: str) -> None:
    """The old link is dead at once, on the open page and by its address; the new one works."""
    shop, customer = Shop.at(serve()), open_page(width=width)
    customer.goto(shop.link())
    page = open_page(width=width)
    page.goto(shop.token())
    old = _link(page)
    page.get_by_role("link", name="Regenerate link of Kopi Nusantara").click()
    expect(page.get_by_role("heading", name="Replace the link of Kopi Nusantara?")).to_be_visible()
    warning = (
        "The present link, also in e-mails already sent, stops working at once. "
        "The new one works until Thu, 14 May 2026, 09:12 (UTC) (30 days)."
    )
    expect(page.get_by_text(warning)).to_be_visible()
    go(customer, "Invoices")
    expect(customer.get_by_role("heading", name="Invoices", exact=True)).to_be_visible()
    page.get_by_role("button", name="Regenerate").click()
    _told(page, "Token regenerated. The old link no longer works; the new one works until Thu,")
    new = _link(page)
    assert new != old
    _is_denied_at_the_next_click(customer)
    customer.goto(old)
    expect(customer.get_by_role("heading", name="Access denied")).to_be_visible()
    customer.goto(new)
    expect(customer.get_by_text("Customer portal for Kopi Nusantara")).to_be_visible()


def test_an_expired_link_is_replaced_without_a_question(serve: Serve, open_page: OpenPage) -> None:
    """There is nothing to lose: one click from the list."""
    _, page = _at_the_list(serve, open_page)
    page.get_by_role("button", name="Regenerate link of Torrefazione Aurora").click()
    _told(page, "Token regenerated.")
    _opens(page, _link(page), "Torrefazione Aurora")


# --- two at once ----------------------------------------------------------------------------


def test_who_generates_second_is_shown_the_first_link(serve: Serve, open_page: OpenPage) -> None:
    """A form of another tab changes nothing; the link that was handed out goes on."""
    shop, page = _at_the_list(serve, open_page)
    ben = _desk(open_page, "ben")
    ben.goto(shop.staff("/tokens"))
    page.get_by_role("button", name="Generate token for Bean There Ltd").click()
    _told(page, "Token generated.")
    ben.get_by_role("button", name="Generate token for Bean There Ltd").click()
    words = "Bean There Ltd already has an active token, generated by ana at 09:12. Nothing was"
    _told(ben, words)
    expect(ben).to_have_title(re.compile("^Nothing was changed - "))
    assert _link(ben) == _link(page)
    _opens(ben, _link(ben), "Bean There Ltd")


def test_who_replaces_second_does_not_kill_the_new_link(serve: Serve, open_page: OpenPage) -> None:
    """The form names the token it replaces; that one is gone already."""
    shop, page, ben = Shop.at(serve()), open_page(), _desk(open_page, "ben")
    for tab in (page, ben):
        tab.goto(shop.token(below="/regenerate"))
    ben.get_by_role("button", name="Regenerate").click()
    _told(ben, "Token regenerated.")
    page.get_by_role("button", name="Regenerate").click()
    _told(page, "ben replaced this token a moment ago. The present link is below; nothing was")
    assert _link(page) == _link(ben)
    _opens(page, _link(page), "Kopi Nusantara")


def test_a_double_click_replaces_once(serve: Serve, open_page: OpenPage) -> None:
    """Whichever answer is seen, the link on it works, and one token was replaced."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.token(below="/regenerate"))
    page.get_by_role("button", name="Regenerate").dblclick()
    expect(page.get_by_role("heading", name="Kopi Nusantara", exact=True)).to_be_visible()
    expect(page.locator("#link")).to_have_text(shop.portal.tokens.link(demo.KOPI, by="ana"))
    assert len(shop.portal.tokens.history(demo.KOPI)) == 2


def test_who_revokes_second_is_told_and_keeps_the_reason(serve: Serve, open_page: OpenPage) -> None:
    """The first reason stands; what was typed second is shown to be taken elsewhere."""
    shop, page, ben = Shop.at(serve()), open_page(), _desk(open_page, "ben")
    for tab, reason in ((page, "Sent to the wrong address"), (ben, "They asked for it")):
        tab.goto(shop.token(below="/revoke"))
        tab.get_by_label("Reason (optional)").fill(reason)
    ben.get_by_role("button", name="Revoke link").click()
    _told(ben, "Link revoked.")
    page.get_by_role("button", name="Revoke link").click()
    _told(page, "ben revoked this token a moment ago. Nothing was changed.")
    expect(page.get_by_text("Reason: They asked for it")).to_be_visible()
    kept = page.get_by_label("Your reason, which was not kept:")
    expect(kept).to_have_value("Sent to the wrong address")


# --- what the customer sees -----------------------------------------------------------------


@WIDTHS
def test_a_preview_is_no_visit(serve: Serve, open_page: OpenPage, width: str) -> None:
    """The true pages with nothing to send; they do not count as opened, a real visit does."""
    shop, page = Shop.at(serve()), open_page(width=width)
    page.goto(shop.token())
    expect(page.get_by_text("Last opened 11 Apr 2026, 09:12.")).to_be_visible()
    page.get_by_role("link", name="Preview as customer").click()
    ribbon = page.get_by_role("region", name="Preview")
    words = "Preview: what Kopi Nusantara sees. This does not count as opened."
    expect(ribbon).to_contain_text(words)
    expect(page.get_by_text("EUR 1,200.00 overdue")).to_be_visible()
    go(page, "Messages")
    expect(page.get_by_text("The 800.00 are here, thank you.")).to_be_visible()
    expect(ribbon).to_contain_text(words)
    expect(page.get_by_label("Write to Nordlicht Kaffee GmbH")).to_be_disabled()
    expect(page.get_by_role("button", name="Send message")).to_be_disabled()
    ribbon.get_by_role("link", name="Leave the preview").click()
    expect(page.get_by_text("Last opened 11 Apr 2026, 09:12.")).to_be_visible()
    assert ("ana", "Previewed as customer") in _happened(page)
    assert _happened(page).count(("Visitor", "Link opened")) == 1
    customer = open_page(width=width)
    customer.goto(_link(page))
    expect(customer.get_by_text("EUR 1,200.00 overdue")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Last opened 14 Apr 2026, 09:12.")).to_be_visible()


def test_a_preview_needs_neither_token_nor_portal(serve: Serve, open_page: OpenPage) -> None:
    """Staff see what a customer will see, before anybody can."""
    shop, page = Shop.at(serve()), open_page()
    shop.set(enabled=False)
    page.goto(shop.token(demo.BEAN_THERE))
    expect(page.get_by_text("No token. This customer has no link yet.")).to_be_visible()
    page.get_by_role("link", name="Preview as customer").click()
    expect(page.get_by_text("Preview: what Bean There Ltd sees.")).to_be_visible()
    expect(page.get_by_text("No invoices yet")).to_be_visible()
    page.get_by_role("link", name="Leave the preview").click()
    expect(page.get_by_text("No token. This customer has no link yet.")).to_be_visible()


def test_a_blocked_customer_is_shut_out_and_told_so(serve: Serve, open_page: OpenPage) -> None:
    """The host's block wins over every token; there is no link to hand out, only to revoke."""
    shop, customer = Shop.at(serve()), open_page()
    customer.goto(shop.link())
    shop.block()
    _is_denied_at_the_next_click(customer)
    page = open_page()
    page.goto(shop.staff("/tokens"))
    row = _row(page, "Kopi Nusantara")
    expect(row).to_contain_text("Blocked in Demo ERP: the link shows 'Access denied'")
    expect(row.get_by_role("link", name="Copy link")).to_have_count(0)
    row.get_by_role("link", name="More about").click()
    expect(page.get_by_role("link", name="Revoke link of Kopi Nusantara")).to_be_visible()
    expect(page.locator("#link")).to_have_count(0)
    expect(page.get_by_role("link", name="Regenerate")).to_have_count(0)


# --- many at once ---------------------------------------------------------------------------


def test_what_is_missing_is_generated(serve: Serve, open_page: OpenPage) -> None:
    """Whoever has no link or an expired one gets one; who is left out is told, and why."""
    shop, page = Shop.at(serve()), open_page()
    shop.save(Customer("X-1", "Kiosk am Hafen"), Customer("X-2", "Shut Café", blocked=True))
    page.goto(shop.staff("/tokens"))
    _filter(page, "kiosk")
    _lists(page, "Kiosk am Hafen")
    page.get_by_role("link", name="Generate missing tokens...").click()
    question = "Generate a token for every customer who has none or whose token has expired?"
    expect(page.get_by_text(question)).to_be_visible()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_label("Name, number or e-mail")).to_have_value("kiosk")
    _lists(page, "Kiosk am Hafen")
    expect(_row(page, "Kiosk am Hafen")).to_contain_text("No token")
    page.get_by_role("link", name="Generate missing tokens...").click()
    page.get_by_role("button", name="Generate missing tokens").click()
    left_out = "1 customer left out (revoked), 1 customer left out (blocked)"
    _told(page, f"3 tokens generated, {left_out}, 1 has no e-mail address.")
    _lists(page, "Kiosk am Hafen")
    page.get_by_role("link", name="Clear").click()
    _lists(page, *sorted([*ALL, "Kiosk am Hafen", "Shut Café"]))
    for name in ("Bean There Ltd", "Torrefazione Aurora", "Kiosk am Hafen"):
        expect(_row(page, name)).to_contain_text("until 14 May 2026, 09:12")
    expect(_row(page, "Kedai Pelabuhan Tua")).to_contain_text("Revoked")
    expect(_row(page, "Shut Café")).to_contain_text("No token")
    page.get_by_role("link", name="Generate missing tokens...").click()
    page.get_by_role("button", name="Generate missing tokens").click()
    _told(page, f"0 tokens generated, {left_out}.")


def test_after_a_leak_all_are_revoked_and_issued_anew(serve: Serve, open_page: OpenPage) -> None:
    """It needs a reason and a word; all links die at once; just these customers get new ones."""
    shop = Shop.at(serve())
    page = open_page(javascript=False)
    customers = [open_page(), open_page(width="phone")]
    for customer, customer_id in zip(customers, (demo.KOPI, demo.LUMIERE), strict=True):
        customer.goto(shop.link(customer_id))
    page.goto(shop.staff("/tokens"))
    page.get_by_role("link", name="Revoke all tokens...").click()
    expect(page.get_by_text("6 tokens, 5 of them active.")).to_be_visible()
    page.get_by_label("Reason").fill("The list was sent to a stranger")
    page.get_by_label("Type REVOKE to confirm").fill("revoke")
    page.get_by_role("button", name="Revoke all tokens").click()
    wrong = page.get_by_role("alert").get_by_role("link")
    expect(wrong).to_have_text(["Please type REVOKE to confirm."])
    expect(page.get_by_label("Reason")).to_have_value("The list was sent to a stranger")
    for customer in customers:
        go(customer, "Invoices")
        expect(customer.get_by_role("heading", name="Invoices", exact=True)).to_be_visible()
    page.get_by_label("Type REVOKE to confirm").fill("REVOKE")
    page.get_by_role("button", name="Revoke all tokens").click()
    _told(page, "6 links revoked. They show 'Access denied' from now on.")
    for customer in customers:
        _is_denied_at_the_next_click(customer)
    page.get_by_role("button", name="Issue new tokens to these customers").click()
    _told(page, "6 tokens generated, 1 has no e-mail address.")
    row = _row(page, "Kedai Pelabuhan Tua")
    expect(row).to_contain_text("on 6 Apr 2026 by ana")
    expect(_row(page, "Bean There Ltd")).to_contain_text("No token")
    customers[0].reload()
    expect(customers[0].get_by_role("heading", name="Access denied")).to_be_visible()
    page.get_by_role("link", name="Kopi Nusantara", exact=True).click()
    expect(page.get_by_text("Active until Thu, 14 May 2026, 09:12 (UTC).")).to_be_visible()
    _opens(page, _link(page), "Kopi Nusantara")


def test_nothing_is_revoked_without_a_reason(serve: Serve, open_page: OpenPage) -> None:
    """The browser asks for it, and a blank one is refused: afterwards somebody wants to know."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/revoke-all"))
    page.get_by_label("Type REVOKE to confirm").fill("REVOKE")
    page.get_by_role("button", name="Revoke all tokens").click()
    expect(page.get_by_label("Reason")).to_be_focused()
    page.get_by_label("Reason").fill("   ")
    page.get_by_role("button", name="Revoke all tokens").click()
    expect(page.get_by_role("alert").get_by_role("link")).to_have_text(["Please give a reason."])
    assert shop.portal.tokens.check(shop.link()).works


# --- why a link does not work ---------------------------------------------------------------


def test_a_link_is_checked(serve: Serve, open_page: OpenPage) -> None:
    """Staff learn what the refused customer is not told; the link is not shown again."""
    shop, page = _at_the_list(serve, open_page)
    works, revoked, replaced = (
        shop.link(one) for one in (demo.KOPI, demo.ATHENS, demo.HAFENKONTOR)
    )
    shop.portal.tokens.revoke(demo.ATHENS, by="ben", reason="Sent to the wrong address")
    shop.portal.tokens.regenerate(demo.HAFENKONTOR, by="ben")
    page.get_by_role("link", name="Check a link").click()
    for pasted, words in {
        works: "Kopi Nusantara. Works until Sat, 9 May 2026, 09:12 (UTC).",
        works[:-1]: "Not one of ours, or not complete.",
        f"  {works}\n": "Kopi Nusantara. Works until Sat, 9 May 2026, 09:12 (UTC).",
        "Where is my invoice?": "Not one of ours, or not complete.",
        replaced: "Großhandel Hafenkontor. Replaced by ben on Tue, 14 Apr 2026, 09:12 (UTC).",
        revoked: "Καφές Αθηνών. Revoked by ben on Tue, 14 Apr 2026, 09:12 (UTC).",
    }.items():
        page.get_by_label("Link", exact=True).fill(pasted)
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_role("status").filter(has_text=re.compile("."))).to_have_text(words)
        expect(page.get_by_label("Link", exact=True)).to_have_value("")
        secret = pasted.strip().rsplit("/", 1)[-1]
        assert secret not in page.content()
        assert secret not in page.url
    expect(page.get_by_text("Reason: Sent to the wrong address")).to_be_visible()
    expect(page.get_by_role("button", name="Generate token for Καφές Αθηνών")).to_be_visible()


def test_an_expired_link_is_replaced_where_it_is_checked(serve: Serve, open_page: OpenPage) -> None:
    """The customer on the phone gets a new one in two clicks."""
    shop, page = Shop.at(serve()), open_page()
    link = shop.link()
    shop.clock.advance(days=30)
    page.goto(shop.staff("/check-link"))
    page.get_by_label("Link", exact=True).fill(link)
    page.get_by_role("button", name="Check").click()
    _told(page, "Kopi Nusantara. Expired on Sat, 9 May 2026, 09:12 (UTC).")
    page.get_by_role("button", name="Regenerate link of Kopi Nusantara").click()
    _told(page, "Token regenerated.")
    _opens(page, _link(page), "Kopi Nusantara")


def test_what_happened_is_told_in_order(serve: Serve, open_page: OpenPage) -> None:
    """Who did what, the newest first: staff by name, visitors as such, the reason with it."""
    shop, page = _at_the_list(serve, open_page)
    later = shop.clock.advance
    page.get_by_role("button", name="Generate token for Bean There Ltd").click()
    _told(page, "Token generated.")
    link = _link(page)
    later(minutes=1)
    page.get_by_role("link", name="Copy link of Bean There Ltd").click()
    _told(page, "Link for Bean There Ltd copied.")
    later(minutes=1)
    page.get_by_role("link", name="Preview as customer").click()
    expect(page.get_by_text("Preview: what Bean There Ltd sees.")).to_be_visible()
    later(minutes=1)
    _opens(page, link, "Bean There Ltd")
    later(minutes=1)
    ben = _desk(open_page, "ben")
    ben.goto(shop.token(demo.BEAN_THERE, "/revoke"))
    ben.get_by_label("Reason (optional)").fill("They asked for it")
    ben.get_by_role("button", name="Revoke link").click()
    _told(ben, "Link revoked.")
    later(minutes=1)
    page.goto(link)
    expect(page.get_by_role("heading", name="Access denied")).to_be_visible()
    page.goto(shop.token(demo.BEAN_THERE))
    assert _happened(page) == [
        ("Visitor", "Link refused: it was revoked"),
        ("ben", "Token revoked They asked for it"),
        ("Visitor", "Link opened"),
        ("ana", "Previewed as customer"),
        ("ana", "Link copied"),
        ("ana", "Link shown on this page"),
        ("ana", "Token generated"),
    ]


def test_a_lot_that_happened_is_walked_page_by_page(serve: Serve, open_page: OpenPage) -> None:
    """Older leads on, Newest leads back."""
    shop, page = Shop.at(serve()), open_page()
    for _ in range(12):
        shop.portal.tokens.regenerate(demo.BEAN_THERE, by="ben")
        shop.clock.advance(minutes=1)
    page.goto(shop.token(demo.BEAN_THERE))
    newest = _happened(page)
    assert len(newest) == 20
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    assert _happened(page)[-1] == ("ben", "Token generated")
    page.get_by_role("link", name="Newest").click()
    expect(page.get_by_role("link", name="Newest")).to_have_count(0)
    expect(page.get_by_role("link", name="Older")).to_be_visible()


# --- who may do it --------------------------------------------------------------------------


def test_who_may_only_look_sees_no_link_and_no_button(serve: Serve, open_page: OpenPage) -> None:
    """The list and the customer's page say how tokens stand, and offer nothing to press."""
    shop, page = Shop.at(serve()), _desk(open_page, "reader")
    page.goto(shop.staff("/tokens"))
    _lists(page, *ALL)
    expect(page.get_by_role("button")).to_have_text(["Filter"])
    for words in ("Copy link", "Revoke", "Generate", "Check a link"):
        expect(page.get_by_role("link", name=words)).to_have_count(0)
    page.get_by_role("link", name="Kopi Nusantara", exact=True).click()
    expect(page.get_by_text("Active until Sat, 9 May 2026, 09:12 (UTC).")).to_be_visible()
    words = "You may look at these pages, but not see or copy a link."
    expect(page.get_by_text(words)).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    for words in ("Copy link", "Revoke", "Regenerate"):
        expect(page.get_by_role("link", name=words)).to_have_count(0)
    assert shop.link().rsplit("/", 1)[1] not in page.content()
    for address in (shop.token(below="/revoke"), shop.staff("/revoke-all")):
        page.goto(address)
        expect(page.get_by_role("heading", name="Refused")).to_be_visible()


def test_who_loses_the_right_meanwhile_revokes_nothing(serve: Serve, open_page: OpenPage) -> None:
    """What was typed comes back; the customer's link goes on."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.token(below="/revoke"))
    page.get_by_label("Reason (optional)").fill("They asked for it")
    page.set_extra_http_headers({"X-Staff": "reader"})
    page.get_by_role("button", name="Revoke link").click()
    expect(page.get_by_role("heading", name="Refused")).to_be_visible()
    expect(page.get_by_label("Your text, to keep:")).to_have_value("They asked for it")
    _opens(page, shop.link(), "Kopi Nusantara")


def test_nobody_sees_a_customer(serve: Serve, open_page: OpenPage) -> None:
    """Without signing in the list and the tokens are closed."""
    shop, page = Shop.at(serve()), _desk(open_page, "nobody")
    for address in (shop.staff("/tokens"), shop.token(), shop.token(below="/revoke")):
        page.goto(address)
        expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
        expect(page.get_by_text("Kopi Nusantara")).to_have_count(0)


# --- what is done again and again -----------------------------------------------------------


def _desk(open_page: OpenPage, who: str) -> Any:
    """A page of another member of staff."""
    page = open_page()
    page.set_extra_http_headers({"X-Staff": who})
    return page


def _at_the_list(serve: Serve, open_page: OpenPage, **how: Any) -> tuple[Shop, Any]:
    """A shop, and ana at its list of tokens; her browser lets pages use the clipboard."""
    shop, page = Shop.at(serve()), open_page(**how)
    page.context.grant_permissions(CLIPBOARD)
    page.goto(shop.staff("/tokens"))
    return shop, page


def _told(page: Any, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def _row(page: Any, name: str) -> Any:
    return page.get_by_role("row").filter(has_text=name)


def _filter(page: Any, search: str, status: str | None = None) -> None:
    page.get_by_label("Name, number or e-mail").fill(search)
    if status:
        page.get_by_label("Status", exact=True).select_option(status)
    page.get_by_role("button", name="Filter").click()


def _first_cells(page: Any) -> Any:
    return page.locator("tbody .first").get_by_role("link")


def _lists(page: Any, *names: str) -> None:
    """These customers, in this order, and no others."""
    expect(_first_cells(page)).to_have_text(list(names))


def _names(page: Any) -> list[str]:
    names: list[str] = _first_cells(page).all_inner_texts()
    return names


def _happened(page: Any) -> list[tuple[str, str]]:
    """Who did what, as the page lists it."""
    rows = page.locator(".happened tbody").get_by_role("row")
    cells = [row.get_by_role("cell").all_inner_texts() for row in rows.all()]
    return [(who, " ".join(what.split())) for _, who, what in cells]


def _link(page: Any) -> str:
    """The link that stands on the page of a customer's token."""
    link: str = page.locator("#link").inner_text()
    assert "/portal/" in link
    return link


def _selected(page: Any) -> str:
    selected: str = page.evaluate("getSelection().toString()")
    return selected


def _copy_by_one_click(page: Any, link: str) -> None:
    page.get_by_text(link).click()
    assert _selected(page) == link
    page.keyboard.press("Control+C")


def _pasted(page: Any, shop: Shop) -> str:
    """What is in the clipboard, pasted where staff check links."""
    tab = page.context.new_page()
    tab.goto(shop.staff("/check-link"))
    field = tab.get_by_label("Link", exact=True)
    field.press("Control+V")
    expect(field).not_to_have_value("")
    pasted: str = field.input_value()
    tab.close()
    return pasted


def _without_clipboard(page: Any, why: str) -> None:
    if why == "a browser that refuses":
        page.context.grant_permissions([])
    else:
        page.add_init_script("delete Navigator.prototype.clipboard")


def _opens(page: Any, link: str, name: str) -> None:
    """The link leads to the customer's page, in another tab."""
    tab = page.context.new_page()
    tab.goto(link)
    expect(tab.get_by_text(f"Customer portal for {name}")).to_be_visible()
    tab.close()


def _is_denied_at_the_next_click(customer: Any) -> None:
    customer.get_by_role("link", name="Overview").or_(
        customer.get_by_role("link", name="INV-1042")
    ).first.click()
    expect(customer.get_by_role("heading", name="Access denied")).to_be_visible()


def _kiosks(shop: Shop, *, with_tokens: bool = False) -> Sequence[str]:
    """More customers than one page of the list shows."""
    kiosks = [Customer(f"X-{n:03}", f"Kiosk {n:03}", language="en") for n in range(KIOSKS)]
    shop.save(*kiosks)
    if with_tokens:
        list(shop.portal.tokens.ensure_many([one.id for one in kiosks], by="ben"))
    return [one.name for one in kiosks]
