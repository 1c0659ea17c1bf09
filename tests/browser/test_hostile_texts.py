"""Whatever a customer, the host or staff type: the browser shows it as text."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from tests.browser.checks import no_sideways_scroll
from tests.browser.shops import HOST, Shop
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage

from basis_portal import (
    Customer,
    Document,
    DocumentKind,
    DocumentLine,
    DocumentStatus,
    LedgerEntry,
    Seller,
)
from basis_portal.domain.url_keys import key_of
from basis_portal.testing.builders import a_payment, an_allocation

ID = "X/<script>alert(1)</script>#?%20 '\""
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</textarea></title><iframe src=javascript:alert(1)>",
    "{{ 1337*1337 }}{% raw %}${1337*1337}",
    "javascript:alert(1)//",
    "\u202egnp.exe\u2066" + "W" * 120,
]


def _hostile(text: str, serve: Serve) -> Shop:
    """A shop in which every field that anybody can fill holds the text."""
    shop = Shop.at(serve())
    storage: Any = shop.storage
    line = " ".join(text.split())
    customer = Customer(ID, line, line, line, "en")
    storage.customers.save(customer)
    lines = [DocumentLine(text, Decimal(1), Decimal(119), Decimal(19), Decimal(119))]
    for kind in DocumentKind:
        document = Document(
            id=f"{ID}{kind}",
            customer_id=ID,
            kind=kind,
            status=DocumentStatus.ISSUED,
            number=line,
            date=dt.date(2026, 4, 1),
            currency="EUR",
            total=Decimal(119),
            due_date=dt.date(2026, 4, 2),
            reference=line,
            order_number=line,
            lines=lines,
            pay_url=f"https://pay.example/?{''.join(line.split())}" if line.isascii() else None,
        )
        storage.documents.save(document)
        if kind is not DocumentKind.SALES_ORDER:
            storage.ledger.save(LedgerEntry.of(document))
    day = dt.date(2026, 4, 3)
    storage.ledger.save(
        a_payment("P", customer_id=ID, number=line, reference=line, date=day, amount=Decimal(9))
    )
    invoice = f"{ID}{DocumentKind.SALES_INVOICE}"
    storage.ledger.allocate(
        an_allocation(
            "A", customer_id=ID, debit_id=invoice, credit_id="P", date=day, amount=Decimal(9)
        )
    )
    shop.set(welcome_message=text)
    staff = shop.portal.tokens
    staff.generate(ID, by=line)
    staff.revoke(ID, by=line, reason=line)
    staff.generate(ID, by=line)
    shop.write(text, ID, document_id=invoice)
    shop.portal.messages.reply(ID, text, by=line)
    shop.portal.messages.note(ID, text, by=line)
    shop.write(text, ID)
    shop.dress(seller=Seller(line, address=text, phone=line[:64]), host=HOST)
    return shop


@pytest.mark.sampled
@pytest.mark.parametrize("text", PAYLOADS)
def test_what_anybody_types_is_text(serve: Serve, open_page: OpenPage, text: str) -> None:
    """No dialog, no error, no element of theirs, no request; long words stay on the page."""
    shop, page = _hostile(text, serve), open_page(width="phone")
    key = key_of(ID)
    customer = [
        shop.link(ID, below)
        for below in ("", "/invoices", "/sales-orders", "/credit-notes", "/statement", "/messages")
    ]
    customer += [shop.document(f"{ID}{kind}", ID) for kind in DocumentKind]
    customer.append(shop.link(ID, "/statement?view=open_items"))
    staff = [shop.staff(), shop.staff("/tokens"), shop.staff("/messages?show=all")]
    staff += [shop.token(ID), shop.staff(f"/messages/{key}"), shop.staff(f"/preview/{key}")]
    for address in (*customer, *staff):
        answer = page.goto(address)
        assert answer.status == 200, address
        found = page.locator("iframe, object, embed, [onerror], [onload], img[src=x], main script")
        assert found.count() == 0, address
        assert page.locator("a[href^='javascript']").count() == 0
        assert "1787569" not in page.locator("main").inner_text()  # 1337 * 1337
        no_sideways_scroll(page)


@pytest.mark.sampled
@pytest.mark.parametrize("text", PAYLOADS)
def test_what_is_asked_in_an_address_is_text(serve: Serve, open_page: OpenPage, text: str) -> None:
    """Searches, dates and codes of the address come back as text, or not at all."""
    from urllib.parse import quote

    shop, page, asked = Shop.at(serve()), open_page(width="phone"), quote(text)
    for address in (
        shop.link(below=f"/invoices?q={asked}&year={asked}&open={asked}"),
        shop.link(below=f"/statement?from={asked}&to={asked}&view={asked}&currency={asked}"),
        shop.link(below=f"/messages?sent={asked}"),
        shop.staff(f"/tokens?q={asked}&status={asked}&done={asked}"),
        shop.staff(f"?done={asked}&count={asked}"),
        shop.staff(f"/preview?q={asked}"),
    ):
        page.goto(address)
        assert page.locator("iframe, [onerror], [onload], img[src=x], main script").count() == 0
        no_sideways_scroll(page)
