"""Staff send links by e-mail in a real browser: by mouse, by keyboard, with and without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.shops import VISITORS, Shop, expect
from tests.browser.sites import Serve
from tests.browser.states import REFUSED
from tests.browser.visits import OpenPage

from basis_portal.demo import seller as demo

IN_LIST = "Send link of Kopi Nusantara to finance@kopi.example"


@VISITORS
def test_a_link_is_sent_from_the_list(serve: Serve, open_page: OpenPage, how: Any) -> None:
    """One click sends it; the list stays, says so first, and tells when it was sent."""
    shop, page = Shop.at(serve()), open_page(**how)
    tray = shop.send_mail()
    page.goto(shop.staff("/tokens?status=active"))
    page.get_by_role("button", name=IN_LIST).click()
    said = page.get_by_role("status").first
    expect(said).to_have_text("Kopi Nusantara: E-mailed to finance@kopi.example at 09:12.")
    expect(said).to_be_focused()
    expect(page.locator("#status")).to_have_value("active")
    row = page.get_by_role("row").filter(has_text="Kopi Nusantara")
    expect(row.locator(".sent")).to_contain_text("14 Apr 2026, 09:12")
    page.reload()
    assert [str(one["To"]) for one in tray.messages] == ["finance@kopi.example"]


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("in_list", [True, False])
def test_a_double_click_sends_one_e_mail(
    serve: Serve, open_page: OpenPage, javascript: bool, in_list: bool
) -> None:
    """Of two clicks on the same button one e-mail comes, and the answer is that it was sent."""
    shop, page = Shop.at(serve()), open_page(javascript=javascript)
    tray = shop.send_mail()
    page.goto(shop.staff("/tokens?q=kopi") if in_list else shop.token())
    button = page.get_by_role("button", name=IN_LIST if in_list else "Send by e-mail")
    button.dblclick()
    expect(page.get_by_role("status").first).to_contain_text("finance@kopi.example")
    page.reload()
    expect(page.get_by_role("status").first).to_contain_text("E-mailed to finance@kopi.example")
    assert len(tray.messages) == 1


def test_a_refusal_is_told_and_the_link_can_be_copied(serve: Serve, open_page: OpenPage) -> None:
    """What failed is an alert with the focus; the next stops of Tab lead on to Copy link."""
    shop, page = Shop.at(serve()), open_page()
    shop.send_mail(REFUSED)
    page.goto(shop.token())
    page.get_by_role("button", name="Send by e-mail").press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The mail server refused the address (550)")
    expect(alert).to_be_focused()
    expect(page).to_have_title(
        "Not e-mailed - Kopi Nusantara - Portal Access Tokens - " + demo.NAME
    )
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Set up e-mail in Demo ERP")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Copy link of Kopi Nusantara")).to_be_focused()


@VISITORS
def test_a_new_link_is_made_and_sent(serve: Serve, open_page: OpenPage, how: Any) -> None:
    """The box of Regenerate is ticked by its words; both is said, and the new link arrives."""
    shop, page = Shop.at(serve()), open_page(**how)
    tray = shop.send_mail()
    page.goto(shop.token())
    page.get_by_role("link", name="Regenerate link of Kopi Nusantara").click()
    page.get_by_text("E-mail the new link to").click()
    page.get_by_role("button", name="Regenerate").click()
    said = page.get_by_role("status").first
    expect(said).to_contain_text("Token regenerated.")
    expect(said).to_contain_text("E-mailed to finance@kopi.example at 09:12.")
    (message,) = tray.messages
    body = message.get_body(("plain",))
    assert body
    assert page.locator("#link").inner_text() in body.get_content()
