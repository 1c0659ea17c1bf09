"""The pictures in the documentation, taken anew: they show what the pages are.

BASIS_PORTAL_SCREENSHOTS=docs/images python -m pytest tests/browser/test_screenshots.py
"""

from __future__ import annotations

import pytest
from tests.browser.shops import Shop, expect
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage, screenshot

from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of

STAFF = "/settings/portal"
PICTURES = {
    "overview-phone": ("phone", "", "EUR 1,200.00 overdue"),
    "overview-desktop": ("desktop", "", "EUR 1,200.00 overdue"),
    "invoice-phone": ("phone", f"/document/{key_of('INV-1042')}", "Still open"),
    "statement-desktop": ("desktop", "/statement", "Open amounts by age (aging)"),
    "tokens-desktop": ("desktop", f"{STAFF}/tokens", "Portal Access Tokens"),
    "settings-desktop": ("desktop", STAFF, "Token Expiry (days)"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_show_what_they_are_named_for(
    serve: Serve, open_page: OpenPage, name: str
) -> None:
    """Each page of the documentation's pictures is there with its words."""
    width, address, says = PICTURES[name]
    shop, page = Shop.at(serve()), open_page(width=width)
    shop.send_mail()
    staff = address.startswith(STAFF)
    page.goto(shop.site.url + address if staff else shop.link(demo.KOPI, below=address))
    expect(page.get_by_text(says).first).to_be_visible()
    screenshot(page, name)
