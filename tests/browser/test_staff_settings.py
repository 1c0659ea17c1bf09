"""Staff set the portal up: what they tick and type, and what the customer sees of it next."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from tests.browser.shops import NOW, VISITORS, Shop, expect, go
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage

from basis_portal.demo import seller as demo

DAYS, WELCOME, MASTER = "Token Expiry (days)", "Welcome Message", "Enable Customer Portal"
SWITCHES = {
    "Show Sales Orders": "Sales orders",
    "Show Credit Notes": "Credit notes",
    "Show Statement of Account": "Statement of account",
    "Allow Customer Messages": "Messages",
}
"""What a switch is called, and the page that it gives the customer."""

HELP = {
    MASTER: (
        'Master switch. When off, all portal links show "Portal not available", whatever their '
        "token. You can still prepare settings and tokens."
    ),
    DAYS: (
        "Days before a portal access token expires. Whole number from 1 to 365. Applies to tokens "
        "generated from now on; tokens already issued keep their date. A token generated now "
        "would expire on Thu, 14 May 2026, 09:12 (UTC)."
    ),
    "Show Sales Orders": "Customers also see their sales orders. Invoices are always shown.",
    "Show Credit Notes": (
        "Customers see credit notes issued to them. When off, credit notes still count in the "
        "statement."
    ),
    "Show Statement of Account": (
        "Customers see their running statement of account with aging. When off, they see only "
        "the open amounts of their invoices."
    ),
    "Allow Customer Messages": (
        "Customers can write to your staff. When off, past conversations are kept here but hidden "
        "from customers."
    ),
    WELCOME: (
        "Optional plain text at the top of every customer's page, for example payment "
        "instructions or contact details. Line breaks are kept; no formatting. Up to 500 "
        "characters."
    ),
}
HOLIDAYS = "We are closed\nfrom Friday to Monday.\n\nYour Nordlicht team"
ONE_LEFT = "You have 1 character left"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
"""One picture on the screen, five characters to whoever counts them."""


# --- what is set is what customers see ------------------------------------------------------


@VISITORS
def test_all_that_can_be_set_is_kept_and_reaches_the_customer(
    serve: Serve, open_page: OpenPage, how: dict[str, Any]
) -> None:
    """Each field is changed, kept, and seen at once on the page the customer has open."""
    shop, page, customer = Shop.at(serve()), open_page(**how), open_page(**how)
    customer.goto(shop.link())
    _offers(customer, *SWITCHES.values())
    page.goto(shop.staff("/"))
    for label in SWITCHES:
        page.get_by_label(label).uncheck()
    page.get_by_label(DAYS).fill("60")
    page.get_by_label(WELCOME).fill(HOLIDAYS)
    _save(page)
    _told(page, "Settings saved. They apply from now on. 5 existing tokens keep their dates.")
    expect(page).to_have_title(re.compile("^Settings saved - "))
    page.goto(shop.staff("/"))
    for label in SWITCHES:
        expect(page.get_by_label(label)).not_to_be_checked()
    expect(page.get_by_label(MASTER)).to_be_checked()
    expect(page.get_by_label(DAYS)).to_have_value("60")
    expect(page.get_by_label(WELCOME)).to_have_value(HOLIDAYS)
    customer.reload()
    _offers(customer)
    assert HOLIDAYS in customer.locator("main").inner_text()
    customer.goto(shop.link(below="/statement"))
    expect(customer.get_by_text("There is no such page in your portal.")).to_be_visible()
    page.get_by_role("link", name="Manage Portal Access Tokens").click()
    expect(_row(page, "Kopi Nusantara")).to_contain_text("until 9 May 2026, 09:12")
    page.get_by_role("button", name="Generate token for Bean There Ltd").click()
    _told(page, "Token generated. The link works until Sat, 13 Jun 2026, 09:12 (UTC).")


def test_each_switch_gives_and_takes_its_own_page(serve: Serve, open_page: OpenPage) -> None:
    """One switch at a time is off: the customer misses that page and no other."""
    shop, page, customer = Shop.at(serve()), open_page(), open_page()
    customer.goto(shop.link())
    page.goto(shop.staff("/"))
    for label, gone in SWITCHES.items():
        page.get_by_label(label).uncheck()
        _save(page)
        _told(page, "Settings saved. They apply from now on.")
        customer.reload()
        _offers(customer, *(name for name in SWITCHES.values() if name != gone))
        page.goto(shop.staff("/"))
        page.get_by_label(label).check()
    _save(page)
    _told(page, "Settings saved. They apply from now on.")
    customer.reload()
    _offers(customer, *SWITCHES.values())


@pytest.mark.parametrize("javascript", [True, False])
def test_the_master_switch_ends_every_visit_and_gives_it_back(
    serve: Serve, open_page: OpenPage, javascript: bool
) -> None:
    """Staff are told how many links it stops; the same links work once it is on again."""
    shop, page, customer = (
        Shop.at(serve()),
        open_page(javascript=javascript),
        open_page(javascript=javascript),
    )
    customer.goto(shop.link())
    page.goto(shop.staff("/"))
    expect(page.get_by_text("The portal is on. 5 active tokens.")).to_be_visible()
    page.get_by_label(MASTER).uncheck()
    _save(page)
    _told(
        page,
        "Settings saved. The portal is off: 5 links now show 'Portal not available'. "
        "They work again when you switch it on.",
    )
    state = "The portal is off. 5 active tokens; their links show 'Portal not available'."
    expect(page.get_by_text(state)).to_be_visible()
    go(customer, "Invoices")
    expect(customer.get_by_role("heading", name="Portal not available")).to_be_visible()
    page.get_by_role("link", name="Manage Portal Access Tokens").click()
    expect(page.get_by_text("The portal is off: links can be prepared, but show")).to_be_visible()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label(MASTER).check()
    _save(page)
    _told(page, "Settings saved. They apply from now on.")
    customer.reload()
    expect(customer.get_by_role("heading", name="Invoices", exact=True)).to_be_visible()


def test_one_link_is_told_as_one(serve: Serve, open_page: OpenPage) -> None:
    """Where the switch stops a single link the words say so."""
    shop, page = Shop.at(serve()), open_page()
    shop.portal.tokens.revoke_all(by="ben", reason="We begin anew.")
    shop.portal.tokens.generate(demo.BEAN_THERE, by="ben")
    page.goto(shop.staff("/"))
    page.get_by_label(MASTER).uncheck()
    _save(page)
    _told(page, "The portal is off: 1 link now shows 'Portal not available'. It works again when")


def test_nothing_is_changed_where_nothing_was(serve: Serve, open_page: OpenPage) -> None:
    """Save settings on a form as it came says so, and is nobody's change."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/"))
    _save(page)
    _told(page, "Nothing was changed.")
    expect(page.get_by_text("Last changed by ana on 13 Feb 2026")).to_be_visible()
    page.get_by_label(DAYS).fill("31")
    _save(page)
    _told(page, "Settings saved.")
    expect(page.get_by_text("Last changed by ana on 14 Apr 2026, 09:12.")).to_be_visible()


def test_each_field_has_its_help(serve: Serve, open_page: OpenPage) -> None:
    """The help is seen below the field, and read out with it."""
    shop, page = Shop.at(serve()), open_page(width="phone")
    page.goto(shop.staff("/"))
    for label, words in HELP.items():
        expect(page.get_by_text(words)).to_be_visible()
        field = page.get_by_label(label)
        expect(field).to_have_accessible_description(re.compile(re.escape(words)))


def test_the_ways_from_the_settings(serve: Serve, open_page: OpenPage) -> None:
    """A customer's page is looked at from here, and the tokens are one click away."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/"))
    page.get_by_role("link", name="Preview as a customer").click()
    page.get_by_label("Name, number or e-mail").fill("1004")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Bean There Ltd").click()
    ribbon = page.get_by_role("region", name="Preview")
    expect(ribbon).to_contain_text("Preview: what Bean There Ltd sees.")
    expect(page.get_by_text("No invoices yet")).to_be_visible()
    ribbon.get_by_role("link", name="Leave the preview").click()
    expect(page.get_by_role("heading", name="Bean There Ltd")).to_be_visible()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Manage Portal Access Tokens").click()
    expect(page.get_by_role("heading", name="Portal Access Tokens")).to_be_visible()


# --- the counter ----------------------------------------------------------------------------


def test_the_counter_counts_as_people_do(serve: Serve, open_page: OpenPage) -> None:
    """An emoji is one character and so is a line break; what is too much is told as it is."""
    shop, page = Shop.at(serve()), open_page(width="phone")
    page.goto(shop.staff("/"))
    expect(_counter(page)).to_have_text(f"You have {500 - len(demo.WELCOME)} characters left")
    welcome = page.get_by_label(WELCOME)
    for typed, words in {
        "": "You have 500 characters left",
        "Hello": "You have 495 characters left",
        "\U0001f600\U0001f600": "You have 498 characters left",
        FAMILY: "You have 495 characters left",
        "a\nb\n\nc": "You have 494 characters left",
        "x" * 499: ONE_LEFT,
        "x" * 500: "You have 0 characters left",
        "x" * 501: "1 character too many",
        "\U0001f600\n" * 256: "11 characters too many",
        "x" * 1700: "1,200 characters too many",
    }.items():
        welcome.fill(typed)
        expect(_counter(page)).to_have_text(words)
    welcome.fill("")
    welcome.press_sequentially("Hi")
    welcome.press("Enter")
    welcome.press_sequentially("you")
    expect(_counter(page)).to_have_text("You have 494 characters left")


@pytest.mark.parametrize("javascript", [True, False])
def test_the_counter_and_the_limit_agree(
    serve: Serve, open_page: OpenPage, javascript: bool
) -> None:
    """What the page's script counts, what the server counts and what is refused are one rule."""
    shop, page = Shop.at(serve()), open_page(javascript=javascript)
    page.goto(shop.staff("/"))
    expect(_counter(page)).to_have_text(f"You have {500 - len(demo.WELCOME)} characters left")
    for typed, count in (("\U0001f600\n" * 250 + "xx", 502), ("\U0001f600\n" * 250 + "x", 501)):
        page.get_by_label(WELCOME).fill(typed)
        _save(page)
        _to_correct(page, f"Welcome Message is {count} characters long. The limit is 500.")
        many = "1 character too many" if count == 501 else "2 characters too many"
        expect(_counter(page)).to_have_text(many)
        expect(page.get_by_label(WELCOME)).to_have_value(typed)
    page.get_by_label(WELCOME).fill("\U0001f600\n" * 249 + "x")
    _save(page)
    _told(page, "Settings saved.")
    expect(_counter(page)).to_have_text(ONE_LEFT)


def test_the_counter_speaks_when_the_typing_pauses(serve: Serve, open_page: OpenPage) -> None:
    """A screen reader hears no figure at each key: the last one, a second after the last key."""
    shop, page = Shop.at(serve()), open_page()
    page.clock.install(time=NOW)
    page.goto(shop.staff("/"))
    page.clock.pause_at(NOW + dt.timedelta(hours=1))
    welcome, spoken = page.get_by_label(WELCOME), page.locator("[aria-live=polite]")
    for length in (493, 494, 495):
        welcome.fill("x" * length)
        expect(_counter(page)).to_have_text(f"You have {500 - length} characters left")
        page.clock.fast_forward(900)
        assert spoken.text_content() == ""
    page.clock.fast_forward(200)
    assert spoken.text_content() == "You have 5 characters left"
    welcome.fill("x" * 503)
    page.clock.fast_forward(900)
    assert spoken.text_content() == "You have 5 characters left"
    page.clock.fast_forward(200)
    assert spoken.text_content() == "3 characters too many"


def test_no_counter_is_wrong_without_scripts(serve: Serve, open_page: OpenPage) -> None:
    """Nothing counts along there, so that no figure in sight stays behind what is typed."""
    shop, page = Shop.at(serve()), open_page(javascript=False)
    page.goto(shop.staff("/"))
    page.get_by_label(WELCOME).fill("x" * 499)
    in_sight = [one.inner_text() for one in _counter(page).all() if one.is_visible()]
    assert in_sight in ([], [ONE_LEFT])


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "javascript"), [("phone", False), ("desktop", True)])
def test_what_is_wrong_is_told_and_given_back(
    serve: Serve, open_page: OpenPage, width: str, javascript: bool
) -> None:
    """A summary leads to the fields, which keep what was typed; nothing is saved until then."""
    shop, page, customer = (
        Shop.at(serve()),
        open_page(width=width, javascript=javascript),
        open_page(width=width, javascript=javascript),
    )
    customer.goto(shop.link())
    page.goto(shop.staff("/"))
    long = f"{HOLIDAYS}\n{'y' * (500 - len(HOLIDAYS))}"
    rule = "Token Expiry (days) must be a whole number from 1 to 365."
    page.get_by_label("Show Credit Notes").uncheck()
    page.get_by_label(DAYS).fill("400")
    page.get_by_label(WELCOME).fill(long)
    _save(page)
    wrong = {
        DAYS: f'{rule} You entered "400".',
        WELCOME: "Welcome Message is 501 characters long. The limit is 500.",
    }
    _to_correct(page, *wrong.values())
    expect(page).to_have_title(re.compile("^2 things to correct - "))
    for label, words in wrong.items():
        page.get_by_role("alert").get_by_role("link", name=words).click()
        expect(page.get_by_label(label)).to_be_focused()
        field = page.get_by_label(label)
        expect(field).to_have_accessible_description(re.compile(re.escape(words)))
    expect(page.get_by_label(DAYS)).to_have_value("400")
    expect(page.get_by_label(WELCOME)).to_have_value(long)
    expect(page.get_by_label("Show Credit Notes")).not_to_be_checked()
    customer.reload()
    expect(customer.get_by_text("Thank you for buying our coffee.")).to_be_visible()
    _offers(customer, *SWITCHES.values())
    page.get_by_label(DAYS).fill("365")
    page.get_by_label(WELCOME).fill(long[:500])
    _save(page)
    _told(page, "Settings saved.")
    customer.reload()
    assert long[:500] in customer.locator("main").inner_text()
    _offers(customer, "Sales orders", "Statement of account", "Messages")


def test_only_whole_numbers_of_days_are_taken(serve: Serve, open_page: OpenPage) -> None:
    """Words, fractions and nothing at all are refused, each with what was entered; 1 is taken."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/"))
    rule = "Token Expiry (days) must be a whole number from 1 to 365."
    for typed in ("abc", "0", "7.5", "-30", "366", ""):
        page.get_by_label(DAYS).fill(typed)
        _save(page)
        _to_correct(page, f'{rule} You entered "{typed}".' if typed else rule)
        expect(page.get_by_label(DAYS)).to_have_value(typed)
    page.get_by_label(DAYS).fill("1")
    _save(page)
    _told(page, "Settings saved.")
    expect(page.get_by_text("would expire on Wed, 15 Apr 2026, 09:12 (UTC).")).to_be_visible()


def test_a_control_character_is_shown_where_it_is(serve: Serve, open_page: OpenPage) -> None:
    """Its place is told, and the text stays in the field, also the part that cannot be seen."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/"))
    page.get_by_label(WELCOME).fill("Pay\nto\x07us")
    _save(page)
    _to_correct(page, "Welcome Message contains a control character (position 7).")
    expect(page.get_by_label(WELCOME)).to_have_value("Pay\nto\x07us")
    page.get_by_label(WELCOME).fill("Pay\nto us")
    _save(page)
    _told(page, "Settings saved.")


def test_who_signs_in_meanwhile_presses_once_more(serve: Serve, open_page: OpenPage) -> None:
    """A form that somebody else was shown is given back, not saved in another's name."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/"))
    page.get_by_label(DAYS).fill("45")
    page.set_extra_http_headers({"X-Staff": "ben"})
    _save(page)
    expect(page.get_by_role("alert")).to_have_text("Please press Save settings once more.")
    expect(page.get_by_label(DAYS)).to_have_value("45")
    _save(page)
    _told(page, "Settings saved.")
    expect(page.get_by_text("Last changed by ben on 14 Apr 2026, 09:12.")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_what_is_typed_survives_a_portal_that_is_switched_off_in_the_host(
    serve: Serve, open_page: OpenPage, javascript: bool
) -> None:
    """The page says who can give the portal back, saves nothing, and returns the text."""
    shop, page = Shop.at(serve()), open_page(javascript=javascript)
    page.goto(shop.staff("/"))
    page.get_by_label(WELCOME).fill(HOLIDAYS)
    shop.feature = False
    _save(page)
    expect(page.get_by_text("Customer Portal is switched off in Feature Settings.")).to_be_visible()
    expect(page.get_by_label("Your text, to keep:")).to_have_value(HOLIDAYS)
    shop.feature = True
    page.goto(shop.staff("/"))
    expect(page.get_by_label(WELCOME)).to_have_value(demo.WELCOME)


# --- a colleague saved meanwhile ------------------------------------------------------------


@pytest.mark.parametrize("width", ["phone", "desktop"])
def test_a_conflict_is_told_and_my_version_can_be_saved(
    serve: Serve, open_page: OpenPage, width: str
) -> None:
    """Nothing is merged in silence: staff see what the colleague saved, and decide."""
    shop, page = Shop.at(serve()), open_page(width=width)
    _conflict(shop, page)
    shop.set(token_expiry_days=21)
    page.get_by_role("button", name="Save my version").click()
    _describes(page, DAYS, "ben's value: 21")
    expect(page.get_by_label(DAYS)).to_have_value("60")
    page.get_by_role("button", name="Save my version").click()
    _told(page, "Settings saved. They apply from now on. 5 existing tokens keep their dates.")
    page.goto(shop.staff("/"))
    expect(page.get_by_label(DAYS)).to_have_value("60")
    expect(page.get_by_label(WELCOME)).to_have_value(demo.WELCOME)
    customer = open_page(width=width)
    customer.goto(shop.link())
    _offers(customer, "Credit notes", "Statement of account", "Messages")


def test_a_conflict_is_told_and_my_changes_can_be_dropped(
    serve: Serve, open_page: OpenPage
) -> None:
    """Discard my changes shows the colleague's settings, and saves nothing."""
    shop, page = Shop.at(serve()), open_page()
    _conflict(shop, page)
    page.get_by_role("link", name="Discard my changes").click()
    expect(page.get_by_label(DAYS)).to_have_value("14")
    expect(page.get_by_label(WELCOME)).to_have_value("Hello from ben.")
    expect(page.get_by_label("Show Sales Orders")).to_be_checked()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text("Last changed by ben on 14 Apr 2026, 09:12.")).to_be_visible()
    _save(page)
    _told(page, "Nothing was changed.")


def test_who_wanted_the_same_is_not_bothered(serve: Serve, open_page: OpenPage) -> None:
    """Where the colleague saved just what was typed there is nothing to decide."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/"))
    page.get_by_label(DAYS).fill("45")
    shop.set(token_expiry_days=45)
    _save(page)
    _told(page, "Nothing was changed.")
    expect(page.get_by_label(DAYS)).to_have_value("45")


# --- who may do it --------------------------------------------------------------------------


def test_who_may_only_look_sees_all_and_can_press_nothing(
    serve: Serve, open_page: OpenPage
) -> None:
    """The fields are shown and closed, and there is no button."""
    shop, page = Shop.at(serve()), open_page()
    page.set_extra_http_headers({"X-Staff": "reader"})
    page.goto(shop.staff("/"))
    notice = page.get_by_text("You may look at these settings, not change them.")
    expect(notice).to_be_visible()
    for label in (*SWITCHES, MASTER, DAYS, WELCOME):
        expect(page.get_by_label(label)).to_be_disabled()
    expect(page.get_by_label(WELCOME)).to_have_value(demo.WELCOME)
    expect(page.get_by_role("button")).to_have_count(0)
    page.set_extra_http_headers({"X-Staff": "ana"})
    page.goto(shop.staff("/"))
    expect(page.get_by_role("button")).to_have_text(["Save settings"])


@pytest.mark.parametrize("who", ["reader", "nobody"])
def test_who_loses_the_right_meanwhile_keeps_the_text(
    serve: Serve, open_page: OpenPage, who: str
) -> None:
    """What is sent then is refused, changes nothing, and is given back."""
    shop, page = Shop.at(serve()), open_page()
    page.goto(shop.staff("/"))
    page.get_by_label(WELCOME).fill(HOLIDAYS)
    page.set_extra_http_headers({"X-Staff": who})
    _save(page)
    heading = {"reader": "Refused", "nobody": "Not signed in"}[who]
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_label("Your text, to keep:")).to_have_value(HOLIDAYS)
    page.set_extra_http_headers({"X-Staff": "ana"})
    page.goto(shop.staff("/"))
    expect(page.get_by_label(WELCOME)).to_have_value(demo.WELCOME)


def test_nobody_sees_a_setting(serve: Serve, open_page: OpenPage) -> None:
    """Without signing in there is the way to do so, and neither form nor figures."""
    shop, page = Shop.at(serve()), open_page()
    page.set_extra_http_headers({"X-Staff": "nobody"})
    page.goto(shop.staff("/"))
    expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
    expect(page.get_by_role("link", name="Back to Demo ERP")).to_be_visible()
    expect(page.get_by_label(DAYS)).to_have_count(0)
    expect(page.get_by_text("active tokens")).to_have_count(0)


# --- what is done again and again -----------------------------------------------------------


def _save(page: Any) -> None:
    page.get_by_role("button", name="Save settings").click()


def _told(page: Any, words: str) -> None:
    """It stands under the heading, where a screen reader reads it first."""
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def _to_correct(page: Any, *words: str) -> None:
    """The summary names what is to be corrected, and nothing else."""
    alert = page.get_by_role("alert")
    number = "1 thing to correct" if len(words) == 1 else f"{len(words)} things to correct"
    expect(alert.get_by_role("link")).to_have_text(list(words))
    expect(alert.get_by_role("heading")).to_have_text(number)


def _counter(page: Any) -> Any:
    return page.locator(".counter")


def _row(page: Any, name: str) -> Any:
    return page.get_by_role("row").filter(has_text=name)


def _offers(customer: Any, *pages: str) -> None:
    """The customer can go to the invoices, to these pages, and to no others."""
    ways = customer.get_by_role("navigation").get_by_role("link")
    words = [re.compile(f"^{name}") for name in ("Invoices", *pages)]
    expect(ways.filter(has_not_text="Overview")).to_have_text(words)


def _describes(page: Any, label: str, words: str) -> None:
    """The words stand at the field, and are read out with it."""
    field = page.get_by_label(label)
    expect(field).to_have_accessible_description(re.compile(re.escape(words)))
    expect(page.get_by_text(words)).to_be_visible()


def _conflict(shop: Shop, page: Any) -> None:
    """Both change something; ben is faster, and ana is told."""
    page.goto(shop.staff("/"))
    page.get_by_label(DAYS).fill("60")
    page.get_by_label("Show Sales Orders").uncheck()
    shop.set(token_expiry_days=14, welcome_message="Hello from ben.")
    _save(page)
    words = "ben changed these settings at 09:12 while you were editing. Nothing has been saved."
    expect(page.get_by_role("alert")).to_have_text(words)
    expect(page).to_have_title(re.compile("^Not saved - "))
    _describes(page, DAYS, "ben's value: 14")
    _describes(page, "Show Sales Orders", "ben's value: on")
    _describes(page, WELCOME, "ben's value: Hello from ben.")
    expect(page.get_by_text("ben's value:")).to_have_count(3)
    expect(page.get_by_label(DAYS)).to_have_value("60")
    expect(page.get_by_label("Show Sales Orders")).not_to_be_checked()
