"""What needs a pointer or a script elsewhere can be done with the keyboard alone."""

from __future__ import annotations

from tests.browser.shops import Shop
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage

from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of


def test_a_link_is_copied_without_script_and_pointer(serve: Serve, open_page: OpenPage) -> None:
    """The keyboard comes to a field that shows itself with the whole link selected."""
    shop = Shop.at(serve())
    page = open_page(width="desktop", javascript=False)
    page.goto(f"{shop.site.url}/settings/portal/tokens/{key_of(demo.KOPI)}")
    field = page.get_by_label("Link, to copy with the keyboard")
    assert field.bounding_box()["width"] <= 1
    for _ in range(20):
        page.keyboard.press("Tab")
        if field.evaluate("field => field === document.activeElement"):
            break
    assert field.bounding_box()["width"] > 300
    selected = field.evaluate(
        "field => field.value.slice(field.selectionStart, field.selectionEnd)"
    )
    assert selected == page.locator("#link").inner_text()
    assert shop.portal.tokens.check(selected).works
