"""Every page in each of its states, as axe-core, a finger, a keyboard and a printer meet it."""

from __future__ import annotations

import pytest
from tests.browser.checks import axe, no_sideways_scroll, tab_order, touch_targets
from tests.browser.shops import Shop, expect
from tests.browser.sites import Serve
from tests.browser.states import STATES
from tests.browser.visits import OpenPage

PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


@pytest.mark.parametrize("name", STATES)
def test_every_page_can_be_used_by_everybody(serve: Serve, open_page: OpenPage, name: str) -> None:
    """Axe-core finds nothing, light or dark, narrow or wide; fingers and the keyboard get there."""
    state = STATES[name]
    shop = Shop.at(serve(), invoices=state.invoices, files=state.files)
    page = open_page(width="phone")
    state.lead(shop, page)
    expect(page.locator("body").filter(has_text=state.says)).to_have_count(1)
    axe(page)
    touch_targets(page)
    no_sideways_scroll(page)
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="dark")
    axe(page)
    touch_targets(page)
    if state.tour:
        tab_order(page)
