"""Large amounts on the narrowest of phones: no word falls to pieces, nothing is cut."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from tests.browser.checks import no_sideways_scroll
from tests.browser.shops import Shop
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage, screenshot

from basis_portal import Customer, LedgerEntry
from basis_portal.domain.url_keys import key_of
from basis_portal.testing.builders import a_credit_note, an_invoice

NARROW = 320  # px
DAY = dt.date(2026, 3, 10)
IN_PIECES = r"""() => [...document.querySelectorAll(
  'main :is(tbody > tr > *, tfoot > tr > *, h2, .big, .badge)')]
  .flatMap((cell) => {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [];
    while (walker.nextNode()) {
      const text = walker.currentNode;
      for (const word of text.textContent.matchAll(/[^ \n-]+/g)) {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        const lines = [...range.getClientRects()].filter((one) => one.width > 1);
        if (new Set(lines.map((one) => Math.round(one.top))).size > 1) broken.push(word[0]);
      }
    }
    return broken;
  })"""
"""Words on several lines; spaces and hyphens are places to break, no-break spaces are none."""
OVERLAPPING = r"""() => [...document.querySelectorAll(
  'main .list :is(tbody, tfoot) tr')].flatMap((row) => {
  const boxes = [...row.children].flatMap((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return [...range.getClientRects()].map((box) => ({ cell, box }));
  });
  return boxes.flatMap((one, at) => boxes.slice(at + 1)
    .filter(({ cell, box }) => cell !== one.cell
      && box.left < one.box.right - 1 && box.right > one.box.left + 1
      && box.top < one.box.bottom - 4 && box.bottom > one.box.top + 4)
    .map(({ cell }) => `${cell.textContent} over ${one.cell.textContent}`));
})"""
"""Cells of a row whose texts lie over each other."""


@pytest.mark.parametrize("language", ["en", "de", "id"])
def test_large_amounts_on_the_narrowest_phone(
    serve: Serve, open_page: OpenPage, language: str
) -> None:
    """Credits in millions and invoices in billions stand beside whole words, on every page."""
    shop, page = Shop.at(serve()), open_page(width="phone")
    page.set_viewport_size({"width": NARROW, "height": 740})
    _trade(shop.portal, language)
    broken = {}
    for below in (
        "",
        "/invoices",
        "/credit-notes",
        f"/document/{key_of('I-1')}",
        f"/document/{key_of('N-2')}",
        "/statement",
        "/statement?view=open_items",
    ):
        page.goto(shop.link("K-1", below))
        screenshot(page, f"narrow-{language}-{len(broken)}")
        broken[below] = page.evaluate(IN_PIECES) + page.evaluate(OVERLAPPING)
        no_sideways_scroll(page, NARROW)
    assert not any(broken.values()), broken


def _trade(portal: Any, language: str) -> None:
    """An invoice in billions, and credits in two currencies that are not yet applied."""
    portal.customers.save(Customer("K-1", "Kopi Nusantara Sejahtera", language=language))
    plain: dict[str, Any] = {"customer_id": "K-1", "date": DAY, "net": None, "tax": None}
    documents = [
        an_invoice(
            "I-1", number="RE-2026-0042", currency="IDR", total=Decimal(18725000000), **plain
        ),
        a_credit_note("N-1", number="GS-2026-0042", total=Decimal("12345.67"), **plain),
        a_credit_note(
            "N-2", number="GS-2026-0043", currency="IDR", total=Decimal(125000000), **plain
        ),
    ]
    portal.documents.save(*documents)
    portal.ledger.save(*map(LedgerEntry.of, documents))
