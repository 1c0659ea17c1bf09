"""A link that has expired, in a browser: scanners change nothing, a visitor gets a new one."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

import pytest
from tests.browser.shops import VISITORS, Shop, Tray, expect
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage, screenshot
from tests.web.conftest import rows_of

from basis_portal import AuditEvent
from basis_portal.demo import seller as demo

BUTTON = "E-mail me a new link"
LOOKED = {AuditEvent.OPENED, AuditEvent.REFUSED}


def _links(message: EmailMessage) -> set[str]:
    """Every address in an e-mail, as a scanner finds them in both of its parts."""
    found = set()
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        found |= set(re.findall(r"https?://[^\s\"'<>]+", part.get_content()))
    return found


def _expired(serve: Serve, customer_id: str = demo.KOPI) -> tuple[Shop, Tray, str]:
    """A shop whose customer was e-mailed a link, which has run out."""
    shop = Shop.at(serve())
    tray = shop.send_mail(renewals=True)
    mailer = shop.mailer
    assert mailer is not None
    mailer.send_link(customer_id, by="ana")
    (link,) = _links(tray.messages[0])
    shop.clock.advance(days=60)
    return shop, tray, link


def _deliver(shop: Shop) -> None:
    mailer = shop.mailer
    assert mailer is not None
    for _ in mailer.run():
        pass


def _scan(page: Any, link: str) -> int:
    """Open a link three times, and all that its page leads to; how many pages that were."""
    origin, seen = link.partition("/portal/")[0], 0
    for _ in range(3):
        ahead, known = [link], {link}
        while ahead:
            page.goto(ahead.pop(0))
            seen += 1
            hrefs = page.evaluate("() => [...document.querySelectorAll('a')].map((a) => a.href)")
            for href in dict.fromkeys(one.partition("#")[0] for one in hrefs):
                is_page = href.startswith(origin) and not href.endswith((".csv", ".pdf"))
                if is_page and href.partition("?")[0] == href and href not in known:
                    known.add(href)
                    ahead.append(href)
    return seen


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_scanners_change_nothing(serve: Serve, open_page: OpenPage, javascript: bool) -> None:
    """Each link of the e-mail, opened three times and walked on from, before and after its end."""
    shop = Shop.at(serve())
    tray, mailer = shop.send_mail(renewals=True), shop.mailer
    assert mailer is not None
    mailer.send_link(demo.KOPI, by="ana")
    (link,) = _links(tray.messages[0])
    page, before = open_page(javascript=javascript), rows_of(shop.storage.inner)
    assert _scan(page, link) > 30
    shop.clock.advance(days=60)
    assert _scan(page, link) == 3
    expect(page.get_by_role("button", name=BUTTON)).to_be_visible()
    after = rows_of(shop.storage.inner)
    added = after["trail"][len(before["trail"]) :]
    assert {one.event for one in added} == LOOKED
    for name in before.keys() - {"trail", "opened"}:
        assert after[name] == before[name], name
    assert shop.portal.mailing.report().queued == 0
    _deliver(shop)
    assert len(tray.messages) == 1


@VISITORS
def test_a_visitor_gets_a_new_link(serve: Serve, open_page: OpenPage, how: dict[str, Any]) -> None:
    """By the button or the keyboard; reloading and pressing again bring no second e-mail."""
    shop, tray, link = _expired(serve)
    page = open_page(**how)
    page.goto(link)
    screenshot(page, f"renewal-{how['width']}-{how['javascript']}-denied")
    button = page.get_by_role("button", name=BUTTON)
    expect(button).to_have_accessible_description(
        "We send it only to the address Nordlicht Kaffee GmbH has on file."
    )
    if how["width"] == "phone":
        button.tap()
    else:
        button.focus()
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New link requested")).to_be_visible()
    screenshot(page, f"renewal-{how['width']}-{how['javascript']}-asked")
    page.reload()
    expect(page.get_by_text("a new link is on its way.")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_text("a new link is on its way.")).to_be_visible()
    _deliver(shop)
    (_, message) = tray.messages
    assert message["To"] == "finance@kopi.example"
    (new,) = _links(message)
    assert new != link
    page.goto(new)
    expect(page.get_by_text("EUR 4,310.00 overdue")).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("heading", name="Access denied")).to_be_visible()


def test_what_was_being_written_goes_along(serve: Serve, open_page: OpenPage) -> None:
    """A link that ends while somebody writes: the text stands on both pages that follow."""
    shop, page, text = Shop.at(serve()), open_page(), "May we pay\nin two parts?"
    shop.send_mail(renewals=True)
    page.goto(shop.link(below="/messages"))
    page.get_by_label("Write to").fill(text)
    shop.clock.advance(days=60)
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_label("Your text, to keep:")).to_have_value(text)
    screenshot(page, "renewal-text-denied")
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("heading", name="New link requested")).to_be_visible()
    expect(page.get_by_label("Your text, to keep:")).to_have_value(text)
    screenshot(page, "renewal-text-asked")
    assert shop.portal.mailing.report().queued == 1


def test_another_sites_page_can_do_no_more(serve: Serve, open_page: OpenPage) -> None:
    """It makes the same answer, without its words; the e-mail goes to the address on file."""
    shop, tray, link = _expired(serve)
    html = (
        f'<!doctype html><title>Far</title><form method="post" action="{link}?new-link=1">'
        '<input name="text" value="Pay elsewhere"><button>Win</button></form>'
    )
    page = open_page()
    page.set_content(html)
    page.get_by_role("button", name="Win").click()
    expect(page.get_by_role("heading", name="New link requested")).to_be_visible()
    expect(page.get_by_text("Pay elsewhere")).to_have_count(0)
    expect(page.locator("textarea")).to_have_count(0)
    _deliver(shop)
    assert [one["To"] for one in tray.messages] == ["finance@kopi.example"] * 2
