"""Two links of two customers in one browser stay apart, and nothing is kept in it."""

from __future__ import annotations

import pytest
from tests.browser.shops import Shop, expect
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage

from basis_portal.demo import seller as demo

HOSTS_COOKIE = {"name": "session", "value": "the-hosts-own"}


@pytest.mark.parametrize("javascript", [True, False])
def test_two_links_stay_apart(serve: Serve, open_page: OpenPage, javascript: bool) -> None:
    """After reloading, going back and posting each tab is still its own customer's."""
    shop = Shop.at(serve())
    shop.speak("en", demo.MUELLER)
    kopi = open_page(width="phone", javascript=javascript)
    kopi.context.add_cookies([{**HOSTS_COOKIE, "url": shop.site.url}])
    mueller = kopi.context.new_page()
    tabs = {demo.KOPI: (kopi, "Kopi Nusantara"), demo.MUELLER: (mueller, "Müller & Söhne")}
    for customer_id, (tab, _) in tabs.items():
        tab.goto(shop.link(customer_id))
    for customer_id, (tab, name) in tabs.items():
        tab.reload()
        expect(tab.locator(".whose")).to_contain_text(name)
        tab.goto(shop.link(customer_id, below="/messages"))
    for customer_id, (tab, name) in tabs.items():
        tab.get_by_label("Write to").fill(f"From {customer_id}")
        tab.get_by_role("button", name="Send message").click()
        expect(tab.locator("#sent")).to_be_visible()
        expect(tab.locator(".whose")).to_contain_text(name)
    for customer_id in tabs:
        (newest, *_) = shop.portal.messages.thread(customer_id).items
        assert newest.text == f"From {customer_id}"
    kept = [(one["name"], one["value"]) for one in kopi.context.cookies()]
    assert kept == [tuple(HOSTS_COOKIE.values())]


def test_a_revoke_ends_one_and_not_the_other(serve: Serve, open_page: OpenPage) -> None:
    """The next click of the revoked link is denied; the other link goes on."""
    shop = Shop.at(serve())
    shop.speak("en", demo.MUELLER)
    kopi = open_page(width="desktop")
    mueller = kopi.context.new_page()
    kopi.goto(shop.link(demo.KOPI))
    mueller.goto(shop.link(demo.MUELLER))
    shop.portal.tokens.revoke(demo.KOPI, by="ana")
    kopi.get_by_role("link", name="Invoices", exact=True).click()
    expect(kopi.get_by_role("heading", name="Access denied")).to_be_visible()
    mueller.get_by_role("link", name="Invoices", exact=True).click()
    expect(mueller.get_by_role("heading", name="Invoices")).to_be_visible()
