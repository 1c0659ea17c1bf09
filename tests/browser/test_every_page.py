"""Every page in each of its states, as axe-core, a finger, a keyboard and a printer meet it."""

from __future__ import annotations

import re

import pytest
from tests.browser.checks import axe, no_sideways_scroll, printed, tab_order, touch_targets
from tests.browser.shops import Shop, expect, go
from tests.browser.sites import Serve
from tests.browser.states import STATES
from tests.browser.visits import SCREENS, OpenPage

from basis_portal.demo import seller as demo


@pytest.mark.sampled(10)
@pytest.mark.parametrize("name", STATES)
def test_every_page_can_be_used_by_everybody(serve: Serve, open_page: OpenPage, name: str) -> None:
    """Axe-core finds nothing, neither narrow and light nor wide and dark; all can be reached."""
    state = STATES[name]
    shop = Shop.at(serve(), invoices=state.invoices, files=state.files)
    page = open_page(width="phone")
    state.lead(shop, page)
    expect(page.locator("body").filter(has_text=state.says)).to_have_count(1)
    expect(page.locator("h1")).to_have_count(1)
    assert axe(page) == []
    touch_targets(page)
    no_sideways_scroll(page)
    page.set_viewport_size(SCREENS["desktop"]["viewport"])
    page.emulate_media(color_scheme="dark")
    assert axe(page) == []
    touch_targets(page)
    if state.tour:
        tab_order(page)


@pytest.mark.parametrize("language", ["en", "de", "id"])
def test_the_language_of_the_words_is_told(
    serve: Serve, open_page: OpenPage, language: str
) -> None:
    """The page says in which language it is, and it is the customer's."""
    shop, page = Shop.at(serve()), open_page()
    shop.speak(language)
    page.goto(shop.link())
    assert page.locator("html").get_attribute("lang") == language
    words = {"en": "Invoices", "de": "Rechnungen", "id": "Faktur"}[language]
    go_to = page.get_by_role("navigation").get_by_role("link", name=words)
    expect(go_to).to_be_visible()


def test_a_phone_is_walked_by_the_keyboard_too(serve: Serve, open_page: OpenPage) -> None:
    """On a narrow screen Tab goes through what stands there, in the order of the page."""
    page = open_page(width="phone")
    page.goto(Shop.at(serve()).link())
    assert tab_order(page) == [
        "Skip to the content",
        "INV-1042",
        "INV-1051",
        "INV-1055",
        "INV-1057",
        "See all open invoices",
        "Invoices",
        "Sales orders",
        "Credit notes",
        "Statement of account",
        "Messages · last reply 12 Apr",
        "accounts@nordlicht.example",
        "+49 30 1234567",
    ]


def test_the_skip_link_leads_past_the_navigation(serve: Serve, open_page: OpenPage) -> None:
    """The first stop of the Tab key leads to the content; the next one is in it."""
    page = open_page()
    page.goto(Shop.at(serve()).link(below="/invoices"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="All", exact=True)).to_be_focused()


# --- on paper -------------------------------------------------------------------------------


def test_paper_shows_the_account_and_not_the_way_to_it(serve: Serve, open_page: OpenPage) -> None:
    """What is printed has what was looked at, no address, no navigation, and counted sheets."""
    shop, page = Shop.at(serve()), open_page()
    secret = shop.link().rsplit("/", 1)[1]
    shown = {
        shop.link(): ("EUR 1,200.00 overdue", "INV-1042", "As of Tue 14 Apr 2026, 09:12"),
        shop.document("INV-1042"): ("Invoice INV-1042", "EUR 1,200.00 open", "Still open"),
        shop.link(below="/invoices"): ("Invoices", "INV-1001", "12 days overdue"),
        shop.link(below="/statement"): ("Statement of account", "Closing balance", "Over 90"),
        shop.link(below="/messages"): ("Messages", "The 800.00 are here", "about Invoice INV-1042"),
    }
    for address, words in shown.items():
        page.goto(address)
        sheets = printed(page)
        paper = _plain(" ".join(sheets))
        assert [one for one in words if one not in paper] == [], paper
        for never in ("http", "127.0.0.1", "/portal/", secret, secret[:8]):
            assert never not in paper
        for control in ("Skip to", "Sales orders", "Send message", "Search", "Last month", "‹"):
            assert control not in paper, (control, paper)
        for number, sheet in enumerate(sheets, 1):
            assert f"Page {number} of {len(sheets)}" in sheet


@pytest.mark.parametrize(("language", "words"), [("de", "Seite 1 von 1"), ("id", "Halaman 1 dari")])
def test_sheets_are_counted_in_the_customers_language(
    serve: Serve, open_page: OpenPage, language: str, words: str
) -> None:
    """A short invoice needs one sheet."""
    shop, page = Shop.at(serve()), open_page()
    shop.speak(language)
    page.goto(shop.document("INV-1042"))
    (sheet,) = printed(page)
    assert words in sheet


def test_a_long_statement_repeats_its_headings(serve: Serve, open_page: OpenPage) -> None:
    """On each sheet of a long table stands what its columns are."""
    shop, page = Shop.at(serve(), invoices=204), open_page()
    page.goto(shop.link(demo.HAFENKONTOR, "/statement?from=2000-01-01"))
    first, second, *_ = map(_plain, printed(page))
    assert "Charged" in first
    assert "Date What Number Charged Paid or credited Balance" in second
    assert "INV-" in second


def test_paper_is_white_for_those_who_like_it_dark(serve: Serve, open_page: OpenPage) -> None:
    """In print the colours are the light ones."""
    page = open_page(dark=True)
    page.goto(Shop.at(serve()).link())
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(20, 23, 26)"
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(22, 25, 29)"


def test_staff_print_a_list_without_its_buttons(serve: Serve, open_page: OpenPage) -> None:
    """The list of tokens can be printed, too, and no secret with it."""
    shop, page = Shop.at(serve()), open_page()
    for address, words in ((shop.staff("/tokens"), "Bean There"), (shop.token(), "Active until")):
        page.goto(address)
        paper = _plain(" ".join(printed(page)))
        assert words in paper
        for never in ("http", "Copy link", "Filter", "Revoke all"):
            assert never not in paper


def test_what_is_typed_and_clicked_by_nobody_needs_no_script(
    serve: Serve, open_page: OpenPage
) -> None:
    """Customers' pages have no script element at all; those of staff have the one of ours."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.link())
    go(page, "Messages")
    expect(page.locator("script")).to_have_count(0)
    page.goto(shop.staff("/"))
    expect(page.locator("script")).to_have_count(1)
    assert re.fullmatch(
        r"/settings/portal/static/staff\.js\?v=\w+", page.locator("script").get_attribute("src")
    )


def _plain(text: str) -> str:
    return " ".join(text.split())
