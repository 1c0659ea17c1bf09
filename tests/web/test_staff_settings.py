"""The page of the settings: what it says, what it saves, and what it refuses without losing it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from html import escape, unescape
from typing import Any

import attrs
import pytest

pytest.importorskip("flask")

from tests.web.conftest import authorize
from tests.web.desk import Desk, Page
from werkzeug.test import Client

from basis_portal import Edition, Portal, PortalConfig, StorageError
from basis_portal.demo import seller as demo
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.clocks import FrozenClock
from basis_portal.web import HostLinks, create_app

KEY = "a secret for tests alone, at least 32 bytes"
SAVED = "Settings saved. They apply from now on."
XSS = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
FIELDS = {
    "enabled": "Enable Customer Portal",
    "token_expiry_days": "Token Expiry (days)",
    "show_sales_orders": "Show Sales Orders",
    "show_credit_notes": "Show Credit Notes",
    "show_statement": "Show Statement of Account",
    "allow_messages": "Allow Customer Messages",
    "welcome_message": "Welcome Message",
}
SWITCHES = [name for name in FIELDS if name not in ("token_expiry_days", "welcome_message")]
HELP = [
    (
        'Master switch. When off, all portal links show "Portal not available", whatever their '
        "token. You can still prepare settings and tokens."
    ),
    (
        "Days before a portal access token expires. Whole number from 1 to 365. Applies to tokens "
        "generated from now on; tokens already issued keep their date."
    ),
    "Customers also see their sales orders. Invoices are always shown.",
    (
        "Customers see credit notes issued to them. When off, credit notes still count in the "
        "statement."
    ),
    (
        "Customers see their running statement of account with aging. When off, they see only the "
        "open amounts of their invoices."
    ),
    (
        "Customers can write to your staff. When off, past conversations are kept here but hidden "
        "from customers."
    ),
    (
        "Optional plain text at the top of every customer's page, for example payment instructions "
        "or contact details. Line breaks are kept; no formatting."
    ),
]

State = Callable[[], dict[str, Any]]


@pytest.fixture(autouse=True)
def _few_invoices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer who buys almost daily takes a second to make, and is not looked at here."""
    monkeypatch.setattr(demo, "LONG", demo.DOZEN)


@pytest.fixture
def ana(client: Client) -> Desk:
    """A member of staff."""
    return Desk(client)


@pytest.fixture
def ben(client: Client) -> Desk:
    """Another one."""
    return Desk(client, "Ben")


def settings_form(desk: Desk) -> Any:
    """The form as it stands on a fresh page."""
    return desk.open().form("Save settings")


def desk_at(portal: Portal, name: str = "ana", **more: Any) -> Desk:
    """A member of staff at the pages of another portal."""
    return Desk(Client(create_app(portal, authorize=authorize, **more), use_cookies=False), name)


def save(portal: Portal, **changes: Any) -> None:
    """Save some fields as Ben does, elsewhere."""
    config = attrs.evolve(portal.settings.get().config, **changes)
    portal.settings.save(config, by="Ben")


# --- the page ---------------------------------------------------------------------------------


def test_the_fields_in_their_order_with_their_words(ana: Desk) -> None:
    """Every field of the settings is there, by its name, label and help, in the fixed order."""
    page = ana.open()
    form = page.form("Save settings")
    assert [name for name in form.names if name in FIELDS] == list(FIELDS)
    assert {field.name for field in attrs.fields(PortalConfig)} == set(FIELDS)
    at = -1
    for name, label in FIELDS.items():
        assert f'for="{name}"' in page.html
        at = page.text.index(label, at + 1)
    for words in HELP:
        assert words in page.text
    assert page.heading == page.title == "Customer Portal"


def test_controls_and_descriptions(ana: Desk) -> None:
    """The days are typed (no wheel changes them), nothing cuts a paste, each help is tied."""
    html = ana.open().html
    assert 'inputmode="numeric" size="4"' in html
    assert "maxlength" not in html
    assert 'type="number"' not in html
    assert 'rows="6"' in html
    for name in FIELDS:
        assert f'aria-describedby="{name}-help' in html
        assert f'id="{name}-help"' in html
    assert "style=" not in html
    assert html.count("<script") == 1


def test_the_values_are_those_stored(ana: Desk, portal: Portal) -> None:
    """Ticked is what is on; days and message stand as they were saved."""
    save(portal, show_statement=False, token_expiry_days=45, welcome_message="\n Hi\n\nthere ")
    fields = settings_form(ana).fields
    assert {name for name in SWITCHES if name in fields} == set(SWITCHES) - {"show_statement"}
    assert fields["token_expiry_days"] == "45"
    assert fields["welcome_message"] == "Hi\r\n\r\nthere"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_state_line(ana: Desk, portal: Portal, count: int) -> None:
    """It says whether the portal is on, and how many tokens are active now."""
    portal.tokens.revoke_all()
    for customer in demo.CUSTOMERS[:count]:
        portal.tokens.generate(customer.id)
    tokens = f"{count} active token{'' if count == 1 else 's'}"
    assert f"The portal is on. {tokens}." in ana.open().text
    save(portal, enabled=False)
    text = ana.open().text
    links = "its link shows" if count == 1 else "their links show"
    more = f"; {links} 'Portal not available'" if count else ""
    assert f"The portal is off. {tokens}{more}." in text


def test_expired_tokens_are_not_counted(ana: Desk, clock: FrozenClock) -> None:
    """Of the demo's tokens five are active; a month later none is."""
    assert "5 active tokens." in ana.open().text
    clock.advance(days=31)
    assert "0 active tokens." in ana.open().text


def test_when_a_token_generated_now_would_expire(storage: Any, clock: FrozenClock) -> None:
    """The days are said as an instant with its zone, as those that are saved, not as typed."""
    portal = portal_over(storage, clock=clock, timezone="Europe/Berlin")
    clock.set(dt.datetime(2026, 4, 14, 7, 12, tzinfo=dt.UTC))
    desk = desk_at(portal)
    would = "A token generated now would expire on Thu 14 May 2026, 09:12 (Berlin)."
    assert would in desk.open().text
    refused = desk.send(settings_form(desk), token_expiry_days="60", welcome_message="x" * 501)
    assert would in refused.text
    portal.settings.save(PortalConfig(token_expiry_days=1))
    assert "would expire on Wed 15 Apr 2026, 09:12 (Berlin)." in desk.open().text


def test_the_ways_on(ana: Desk) -> None:
    """From here to a preview, and at the very end to the tokens."""
    page = ana.open()
    links = page.links()
    assert links["Preview as a customer"] == "/settings/portal/preview"
    assert links["Manage Portal Access Tokens"] == "/settings/portal/tokens"
    main = page.html.partition("</main>")[0]
    assert main.rindex("<a ") == main.rindex('<a href="/settings/portal/tokens"')
    assert links["Back to Demo ERP"] == "/"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "You have 500 characters left"),
        ("x" * 188, "You have 312 characters left"),
        ("x" * 499, "You have 1 character left"),
        ("x" * 500, "You have 0 characters left"),
        ("a\nb", "You have 497 characters left"),
        ("\U0001f600", "You have 499 characters left"),
    ],
)
def test_the_counter(ana: Desk, portal: Portal, text: str, words: str) -> None:
    """It counts code points, and a line break as one."""
    save(portal, welcome_message=text)
    html = ana.open().html
    assert f">{words}</p>" in html
    assert "counter over" not in html


def test_the_counter_beyond_the_limit(ana: Desk) -> None:
    """What is too much is said as such, and it is marked."""
    page = ana.send(settings_form(ana), welcome_message="\n" + "x" * 501 + " ")
    assert ">1 character too many</p>" in page.html
    page = ana.send(settings_form(ana), welcome_message="x" * 250 + "\r\n" + "x" * 261)
    assert ">12 characters too many</p>" in page.html
    assert 'class="counter over"' in page.html


def test_the_words_that_the_script_counts_with(ana: Desk) -> None:
    """The page hands the script its words in the reader's language, and a place to speak."""
    html = ana.open().html
    for part in (
        'data-counts="welcome_message" data-limit="500"',
        'data-left-one="You have {} character left"',
        'data-left-many="You have {} characters left"',
        'data-over-one="{} character too many"',
        'data-over-many="{} characters too many"',
        'aria-live="polite" data-speaks="welcome_message"></p>',
    ):
        assert part in html


# --- saving -----------------------------------------------------------------------------------


def test_a_form_sent_as_it_is_changes_nothing(ana: Desk, portal: Portal, state: State) -> None:
    """The page's own form is a fixed point, line breaks of the message included."""
    before = state()
    page = ana.do(settings_form(ana))
    assert page.status_line == "Nothing was changed."
    assert page.title == "Nothing was changed - Customer Portal"
    assert state() == before


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_is_saved_alone(ana: Desk, portal: Portal, switch: str) -> None:
    """Unticked it is off, ticked again it is on; all else stays."""
    before = portal.settings.get()
    ana.do(settings_form(ana), **{switch: None})
    assert portal.settings.get().config == attrs.evolve(before.config, **{switch: False})
    page = ana.do(settings_form(ana), **{switch: "on"})
    assert portal.settings.get().config == before.config
    assert page.status_line == SAVED
    stored = portal.settings.get()
    assert (stored.version, stored.changed_by) == (before.version + 2, "ana")


def test_what_saving_answers(ana: Desk) -> None:
    """The result stands under the heading and at the front of the title, and is no text of ours."""
    answer = ana.send(settings_form(ana), welcome_message="Welcome\r\n<b>all</b>")
    assert answer.status == 303
    assert answer.location == "/settings/portal/?done=saved"
    page = ana.open(answer.location)
    assert page.status_line == SAVED
    assert page.title == "Settings saved - Customer Portal"
    assert settings_form(ana).fields["welcome_message"] == "Welcome\r\n<b>all</b>"
    assert ana.open().status_line is None


@pytest.mark.parametrize("count", [0, 1, 5])
def test_turned_off(ana: Desk, portal: Portal, count: int) -> None:
    """It says how many links stop, and that they come back."""
    portal.tokens.revoke_all()
    for customer in demo.CUSTOMERS[:count]:
        portal.tokens.generate(customer.id)
    words = {
        0: "Settings saved. The portal is off.",
        1: "Settings saved. The portal is off: 1 link now shows 'Portal not available'. "
        "It works again when you switch it on.",
        5: "Settings saved. The portal is off: 5 links now show 'Portal not available'. "
        "They work again when you switch it on.",
    }
    page = ana.do(settings_form(ana), enabled=None)
    assert page.status_line == words[count]
    # Another change while it is off is no turning off.
    assert ana.do(settings_form(ana), show_statement=None).status_line == SAVED


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_expiry_changed(ana: Desk, portal: Portal, count: int) -> None:
    """It says how many tokens keep their dates, and they do."""
    portal.tokens.revoke_all()
    for customer in demo.CUSTOMERS[:count]:
        portal.tokens.generate(customer.id)
    before = [portal.tokens.get(customer.id) for customer in demo.CUSTOMERS]
    added = {
        0: "",
        1: " 1 existing token keeps its date.",
        5: " 5 existing tokens keep their dates.",
    }
    page = ana.do(settings_form(ana), token_expiry_days=" 60 ")
    assert page.status_line == SAVED + added[count]
    assert portal.settings.get().config.token_expiry_days == 60
    assert [portal.tokens.get(customer.id) for customer in demo.CUSTOMERS] == before


def test_turned_off_and_the_expiry_changed(ana: Desk) -> None:
    """Both are said."""
    page = ana.do(settings_form(ana), enabled=None, token_expiry_days="7")
    assert page.status_line == (
        "Settings saved. The portal is off: 5 links now show 'Portal not available'. "
        "They work again when you switch it on. 5 existing tokens keep their dates."
    )


def test_settings_are_prepared_while_the_portal_is_off(ana: Desk, portal: Portal) -> None:
    """The master switch shuts out customers, not staff."""
    save(portal, enabled=False)
    page = ana.do(settings_form(ana), show_sales_orders=None, enabled="on")
    assert page.status_line == SAVED
    assert "The portal is on." in page.text
    assert portal.settings.get().config.enabled


@pytest.mark.parametrize("code", ["", "xyz", "saved%20", "<script>", "unchanged-off", "off"])
def test_a_code_that_nobody_gave(ana: Desk, code: str) -> None:
    """An address with another code says nothing, and none of it is shown."""
    page = ana.open("", query_string={"done": code})
    assert page.status_line is None
    assert "<script>" not in page.html.replace('<script src="', "")


def test_a_code_does_not_claim_what_is_not_so(ana: Desk) -> None:
    """Somebody's address that says "turned off" says less while the portal is on."""
    assert ana.open("?done=saved-off").status_line == SAVED


# --- what is to be corrected ------------------------------------------------------------------


RULE = "Token Expiry (days) must be a whole number from 1 to 365."


@pytest.mark.parametrize(
    "typed", ["0", "366", "400", "-1", "+30", "30.0", "3e1", "1_0", "٣٠", "abc", "9" * 5000, "1 0"]
)
def test_wrong_days(ana: Desk, state: State, typed: str) -> None:
    """They are refused with the rule and what was typed, and stay in the field."""
    before = state()
    page = ana.send(settings_form(ana), token_expiry_days=typed, show_statement=None)
    shown = typed if len(typed) < 40 else "9" * 40 + "…"
    assert page.status == 400
    assert page.alert == f'1 thing to correct {RULE} You entered "{shown}".'
    assert page.title == "1 thing to correct - Customer Portal"
    again = page.form("Save settings").fields
    assert again["token_expiry_days"] == typed
    assert "show_statement" not in again
    assert state() == before


@pytest.mark.parametrize("typed", ["", "  ", None])
def test_no_days(ana: Desk, state: State, typed: str | None) -> None:
    """A field left empty, or cut off on the way, is told the rule alone."""
    before = state()
    page = ana.send(settings_form(ana), token_expiry_days=typed)
    assert (page.status, page.alert) == (400, f"1 thing to correct {RULE}")
    assert state() == before


@pytest.mark.parametrize(("typed", "days"), [("1", 1), ("365", 365), ("030", 30), ("\t8\n", 8)])
def test_right_days(ana: Desk, portal: Portal, typed: str, days: int) -> None:
    """The edges are in, and space around a number is no mistake."""
    ana.do(settings_form(ana), token_expiry_days=typed)
    assert portal.settings.get().config.token_expiry_days == days


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("x" * 512, "Welcome Message is 512 characters long. The limit is 500."),
        ("x" * 1200, "Welcome Message is 1,200 characters long. The limit is 500."),
        ("\U0001f600" * 501, "Welcome Message is 501 characters long. The limit is 500."),
        ("a\r\n" * 167 + "b" * 167, "Welcome Message is 501 characters long. The limit is 500."),
    ],
)
def test_a_message_that_is_too_long(ana: Desk, state: State, typed: str, words: str) -> None:
    """It is refused with its length, and stays in the field as it was typed."""
    before = state()
    page = ana.send(settings_form(ana), welcome_message=typed)
    assert (page.status, page.alert) == (400, f"1 thing to correct {words}")
    assert page.form("Save settings").fields["welcome_message"] == typed
    assert state() == before


@pytest.mark.parametrize("typed", ["x" * 500, "\U0001f600" * 500, "  " + "x" * 500 + "\r\n"])
def test_a_message_of_500_characters(ana: Desk, portal: Portal, typed: str) -> None:
    """They are counted as code points and without the space around them."""
    ana.do(settings_form(ana), welcome_message=typed)
    assert len(portal.settings.get().config.welcome_message) == 500


@pytest.mark.parametrize(
    ("typed", "place"),
    [("x" * 16 + "\x07", 17), ("\r\n\r\nab\x00c", 5), ("a\tb", 2), ("ab\u2028c", 3)],
)
def test_a_control_character(ana: Desk, state: State, typed: str, place: int) -> None:
    """It is refused with its place in what was typed, where a line break is one character."""
    before = state()
    page = ana.send(settings_form(ana), welcome_message=typed)
    words = f"Welcome Message contains a control character (position {place})."
    assert (page.status, page.alert) == (400, f"1 thing to correct {words}")
    assert state() == before


def test_the_summary_leads_to_the_fields(ana: Desk) -> None:
    """Each mistake is told on top, as a link to its field, and at the field itself."""
    page = ana.send(settings_form(ana), token_expiry_days="400", welcome_message="x" * 512)
    assert page.alert.startswith("2 things to correct ")
    assert page.title == "2 things to correct - Customer Portal"
    wrong = {
        "token_expiry_days": f'{RULE} You entered "400".',
        "welcome_message": "Welcome Message is 512 characters long. The limit is 500.",
    }
    for name, words in wrong.items():
        assert page.links()[words] == f"#{name}"
        assert f'id="{name}-error">{escape(words).replace("&quot;", "&#34;")}</p>' in page.html
        control = page.html.partition(f'id="{name}" ')[2].partition(">")[0]
        assert 'aria-invalid="true"' in control
        assert f"{name}-error" in control
    assert "aria-invalid" not in ana.open().html


# --- somebody saved meanwhile -----------------------------------------------------------------


def test_a_conflict_is_told(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """Nothing is saved; who, when, and the other's value at each field that differs."""
    form = settings_form(ana)
    clock.set(dt.datetime(2026, 4, 14, 14, 3, tzinfo=dt.UTC))
    save(
        portal, token_expiry_days=30, show_statement=False, welcome_message="", allow_messages=True
    )
    stored = portal.settings.get()
    page = ana.send(form, token_expiry_days="45", show_sales_orders=None)
    assert page.status == 409
    assert page.title == "Not saved - Customer Portal"
    assert page.alert == (
        "Ben changed these settings at 14:03 while you were editing. Nothing has been saved."
    )
    told = {
        name: page.html.partition(f'id="{name}-theirs">')[2].partition("</p>")[0] for name in FIELDS
    }
    said = {name: Page(409, f"<body>{html}").text for name, html in told.items() if html}
    assert {name: words.removeprefix("<body ").strip() for name, words in said.items()} == {
        "token_expiry_days": "Ben's value: 30",
        "show_sales_orders": "Ben's value: on",
        "show_statement": "Ben's value: off",
        "welcome_message": "Ben's value: empty",
    }
    typed = page.form("Save my version").fields
    assert typed["token_expiry_days"] == "45"
    assert "show_sales_orders" not in typed
    assert "show_statement" in typed
    assert typed["welcome_message"] == demo.WELCOME.replace("\n", "\r\n")
    assert portal.settings.get() == stored


def test_save_my_version(ana: Desk, portal: Portal) -> None:
    """It is saved over the other's, unless somebody saved once more."""
    form = settings_form(ana)
    save(portal, show_statement=False)
    mine = ana.send(form, token_expiry_days="45").form("Save my version")
    assert mine.buttons == ["Save my version"]
    save(portal, welcome_message="Once more")
    assert ana.send(mine).status == 409
    mine = ana.send(form, token_expiry_days="45").form("Save my version")
    page = ana.do(mine)
    assert page.status_line == f"{SAVED} 5 existing tokens keep their dates."
    config = portal.settings.get().config
    assert (config.token_expiry_days, config.show_statement) == (45, True)
    assert config.welcome_message == demo.WELCOME


def test_discard_my_changes(ana: Desk, portal: Portal) -> None:
    """A link to the page as it is saved now."""
    form = settings_form(ana)
    save(portal, token_expiry_days=99)
    page = ana.send(form, token_expiry_days="45")
    fresh = ana.open(page.links()["Discard my changes"])
    assert fresh.form("Save settings").fields["token_expiry_days"] == "99"


def test_a_conflict_over_different_fields(ana: Desk, portal: Portal) -> None:
    """It is told as well; nothing is merged in silence."""
    form = settings_form(ana)
    save(portal, show_statement=False)
    stored = portal.settings.get()
    page = ana.send(form, show_sales_orders=None)
    assert page.status == 409
    assert page.html.count('class="theirs"') == 2
    assert portal.settings.get() == stored


def test_both_wanted_the_same(ana: Desk, portal: Portal) -> None:
    """Then there is nothing to decide."""
    form = settings_form(ana)
    save(portal, token_expiry_days=45)
    stored = portal.settings.get()
    assert ana.do(form, token_expiry_days="45").status_line == "Nothing was changed."
    assert portal.settings.get() == stored


def test_a_conflict_of_another_day(ana: Desk, portal: Portal, clock: FrozenClock) -> None:
    """A page left open over night is told the day too."""
    form = settings_form(ana)
    save(portal, token_expiry_days=45)
    clock.advance(days=1)
    page = ana.send(form, token_expiry_days="46")
    assert page.alert.startswith("Ben changed these settings on 14 Apr 2026, 09:12 while")


def test_a_conflict_with_oneself(ana: Desk) -> None:
    """Two windows of one person: it says so instead of naming them to themselves."""
    form = settings_form(ana)
    ana.do(form, token_expiry_days="45")
    page = ana.send(form, token_expiry_days="46")
    assert page.alert == (
        "You changed these settings in another window meanwhile. Nothing has been saved."
    )
    assert "Value saved meanwhile: 45" in page.text


def test_a_conflict_with_nobody() -> None:
    """Settings that went back to the beginning, such as in an empty storage, name nobody."""
    desk = desk_at(portal_over(InMemoryStorage()))
    page = desk.send(settings_form(desk), version="7", token_expiry_days="46")
    assert page.status == 409
    assert page.alert == (
        "These settings were changed while you were editing. Nothing has been saved."
    )
    assert "Value saved meanwhile: 30" in page.text


@pytest.mark.parametrize("version", [None, "", "x", "-1", "0", "9" * 30, "１"])
def test_a_version_that_no_page_gave(
    ana: Desk, portal: Portal, state: State, version: str | None
) -> None:
    """Without the version that was read, nothing is saved over anybody."""
    before = state()
    assert ana.send(settings_form(ana), version=version, token_expiry_days="45").status == 409
    assert state() == before


# --- who may send it --------------------------------------------------------------------------


def old_value(portal: Portal) -> str:
    """A form value by a key that was dropped."""
    other = Portal(portal._context.storage, secret_keys=["o" * 32], base_url=portal.base_url)
    return other.forms.value("staff", "ana")


@pytest.mark.parametrize("kind", ["missing", "empty", "junk", "not ascii", "another's", "old key"])
def test_a_form_value_that_does_not_verify(
    kind: str, ana: Desk, ben: Desk, portal: Portal, state: State
) -> None:
    """Nothing is changed, all that was typed is kept, and one press more is asked for."""
    values = {
        "missing": None,
        "empty": "",
        "junk": "x" * 43,
        "not ascii": "ä",
        "another's": settings_form(ben).fields["form"],
        "old key": old_value(portal),
    }
    before = state()
    typed = {"token_expiry_days": "400", "welcome_message": "Mine", "show_statement": None}
    page = ana.send(settings_form(ana), form=values[kind], **typed)
    assert (page.status, page.alert) == (403, "Please press Save settings once more.")
    assert page.title == "Not saved - Customer Portal"
    assert state() == before
    again = page.form("Save settings")
    assert again.fields["token_expiry_days"] == "400"
    assert again.fields["welcome_message"] == "Mine"
    assert "show_statement" not in again.fields
    ana.do(again, token_expiry_days="40")
    assert portal.settings.get().config.welcome_message == "Mine"


def test_once_more_is_no_way_around_a_conflict(ana: Desk, portal: Portal) -> None:
    """The page that asks to press again keeps the version that was read."""
    form = settings_form(ana)
    save(portal, show_statement=False)
    again = ana.send(form, form="").form("Save settings")
    assert ana.send(again).status == 409


@pytest.mark.parametrize("site", ["cross-site", "same-origin", "none", None])
def test_where_a_form_comes_from(site: str | None, ana: Desk, portal: Portal, state: State) -> None:
    """What another site sends is refused, with the right form value too."""
    before = state()
    headers = {"Sec-Fetch-Site": site} if site else {}
    page = ana.send(settings_form(ana), headers, token_expiry_days="45", welcome_message="Theirs")
    if site == "cross-site":
        assert page.status == 403
        assert "This came from another site. Nothing was changed." in page.text
        assert "Theirs" not in page.html
        assert state() == before
    else:
        assert page.status == 303
        assert portal.settings.get().config.token_expiry_days == 45


def test_who_may_only_read(client: Client, ana: Desk, state: State) -> None:
    """All fields are shown disabled and nothing can be pressed; a form sent is refused."""
    reader = Desk(client, "reader")
    page = reader.open()
    (form,) = page.forms
    assert form.buttons == []
    assert set(FIELDS) <= set(form.disabled)
    assert set(form.fields) == {"form", "version"}
    assert "You may look at these settings, not change them." in page.text
    assert page.links()["Preview as a customer"]
    before = state()
    sent = {**settings_form(ana).fields, "form": form.fields["form"], "welcome_message": "Mine"}
    refused = reader.open("/", "POST", data=sent)
    assert refused.status == 403
    assert "You may look at these pages, not change anything." in refused.text
    assert ">\nMine</textarea>" in refused.html
    assert state() == before


def test_who_is_not_signed_in_any_more(client: Client, ana: Desk, state: State) -> None:
    """Nothing is changed, and what was written is given back to be kept."""
    form, before = settings_form(ana), state()
    page = Desk(client, "").send(form, welcome_message="A long text <b>\r\nof two lines")
    assert page.status == 403
    assert page.heading == "Not signed in"
    assert ">\nA long text &lt;b&gt;\r\nof two lines</textarea>" in page.html
    assert state() == before
    foreign = Desk(client, "").send(form, {"Sec-Fetch-Site": "cross-site"}, welcome_message="A b c")
    assert "A b c" not in foreign.html


@pytest.mark.parametrize("name", ["ana", "reader", ""])
def test_a_form_that_is_far_too_large(name: str, client: Client, ana: Desk, state: State) -> None:
    """It is refused before it is read, by whomever it comes; that is no fault."""
    form, before = settings_form(ana), state()
    page = Desk(client, name).send(form, welcome_message="x" * 1_100_000)
    assert page.status == (413 if name == "ana" else 403)
    assert "Nothing was changed." in page.text or page.heading == "Not signed in"
    assert len(page.html) < 10_000
    assert state() == before


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(method: str, ana: Desk, state: State) -> None:
    """Whatever the address says, the page is only read."""
    fields, before = settings_form(ana).fields, state()
    for query in ({}, {"done": "saved-off"}, {**fields, "token_expiry_days": "45"}):
        assert ana.open("/", method, query_string=query).status == 200
    assert ana.open("/", "PUT").status == 405
    assert state() == before


# --- where there is no portal -----------------------------------------------------------------

CLOSED: dict[str, dict[str, Any]] = {
    "edition": {"edition": Edition.DESKTOP},
    "failing edition": {"edition": lambda: 1 / 0},
    "both": {"edition": Edition.DESKTOP, "feature_enabled": False},
    "feature": {"feature_enabled": False},
    "failing feature": {"feature_enabled": lambda: 1 / 0},
}
EDITION = "Customer Portal is available on Server and Cloud editions only."
FEATURE = "Customer Portal is switched off in Feature Settings."


def portal_over(storage: Any, **closed: Any) -> Portal:
    """Another portal over a storage."""
    base_url = "https://erp.example.com/portal"
    return Portal(storage, secret_keys=[KEY], base_url=base_url, **closed)


@pytest.mark.parametrize("why", CLOSED)
def test_why_there_is_no_portal(why: str, portal: Portal, storage: Any) -> None:
    """The portal tells which of both is the cause; the edition comes first."""
    cause = "feature" if "feature" in why else "edition"
    assert portal_over(storage, **CLOSED[why]).unavailable_because() == cause
    assert portal.unavailable_because() is None


@pytest.mark.sampled
@pytest.mark.parametrize("why", CLOSED)
@pytest.mark.parametrize(
    "path", ["", "/messages", f"/messages/{'Qy0xMDAx'}", "/preview", f"/preview/{'Qy0xMDAx'}"]
)
def test_pages_where_there_is_no_portal(why: str, path: str, portal: Portal, storage: Any) -> None:
    """They say why, and hold no form; the way to Feature Settings is there where it helps."""
    host = HostLinks(name="Demo ERP", feature_settings="/features?a=1&b=2")
    page = desk_at(portal_over(storage, **CLOSED[why]), host=host).open(path)
    said, other = (FEATURE, EDITION) if "feature" in why else (EDITION, FEATURE)
    assert page.status == 403
    assert said in page.text
    assert other not in page.text
    assert page.forms == []
    assert page.links().get("Feature Settings") == (
        "/features?a=1&b=2" if said == FEATURE else None
    )


def test_feature_settings_without_an_address(portal: Portal, storage: Any) -> None:
    """Where the host gives no address the sentence stands alone."""
    page = desk_at(portal_over(storage, feature_enabled=False)).open()
    assert FEATURE in page.text
    assert "Feature Settings" not in page.links()


def test_the_feature_is_switched_off_while_somebody_writes(portal: Portal, storage: Any) -> None:
    """Nothing is saved, and the text is given back to be kept."""
    feature = {"on": True}
    gated = portal_over(storage, feature_enabled=lambda: feature["on"])
    desk = desk_at(gated)
    form, before = settings_form(desk), portal.settings.get()
    feature["on"] = False
    assert desk.send(form, welcome_message="x" * 1_100_000).status == 413
    page = desk.send(form, welcome_message="A long text")
    assert page.status == 403
    assert FEATURE in page.text
    assert ">\nA long text</textarea>" in page.html
    assert portal.settings.get() == before


def test_the_storage_fails(portal: Portal, watched: Any) -> None:
    """A save that fails is a fault, and the text is given back to be kept."""

    def fail() -> None:
        raise StorageError("the disk is full")

    desk = desk_at(portal_over(watched))
    form, before = settings_form(desk), portal.settings.get()
    watched.before["settings.put"] = fail
    page = desk.send(form, welcome_message="A long text")
    assert page.status == 503
    assert "Nothing was changed." in page.text
    assert ">\nA long text</textarea>" in page.html
    assert portal.settings.get() == before


# --- what others wrote is text ----------------------------------------------------------------


def test_markup_is_shown_as_it_was_typed(ana: Desk, portal: Portal, client: Client) -> None:
    """Message, wrong number and names of staff are text, on every answer of the page."""
    mean = Desk(client, XSS)
    stale = settings_form(ana)
    mean.do(settings_form(mean), welcome_message=f"</textarea>{XSS}")
    pages = [
        ana.open(),
        mean.open(),
        ana.send(stale, welcome_message=f"Mine </textarea>{XSS}"),
        ana.send(stale, token_expiry_days=XSS),
        ana.send(stale, form=XSS, token_expiry_days=XSS, version=XSS),
        ana.open("/", query_string={"done": XSS}),
    ]
    for page in pages:
        assert "<script>alert" not in page.html
        assert "<img" not in page.html
        assert page.html.count("</textarea>") == 1
    assert pages[0].form("Save settings").fields["welcome_message"] == f"</textarea>{XSS}"
    assert pages[2].status == 409
    assert f"{XSS}'s value:" in unescape(pages[2].html)
