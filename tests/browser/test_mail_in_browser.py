"""The HTML part of our e-mails, as a mail program shows it: read, small, dark, without styles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.browser.checks import axe, no_sideways_scroll, touch_targets
from tests.browser.shops import expect
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage, screenshot

from basis_portal import Customer, Seller
from basis_portal.domain.messages import Author
from basis_portal.domain.visibility import Section
from basis_portal.mail.letters import Letters
from basis_portal.mail.message import Letter
from basis_portal.testing.builders import a_customer, a_message, a_token

LINK = "https://erp.example.com/portal/4fTq0000000000000000kQ.Zx_q9-7AbCdEfGhIjKlMnOpQrStUvWxYz0123"
STAFF_LINK = "https://erp.example.com/settings/portal/messages/Qy0xMDAx"
UNTIL = dt.datetime(2026, 5, 14, 7, 12, tzinfo=dt.UTC)
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</blockquote></title></style><iframe src=javascript:alert(1)>",
    "{{ 1337*1337 }}{% raw %}${1337*1337}",
    "\u202egnp.exe\u2066" + "W" * 120,
]
LETTERS = ["link", "new", "answered", "wrote", "expiring"]
ShowLetter = Callable[..., Any]


def a_letter(
    name: str, language: str = "en", customer: Customer | None = None, text: str = "Thank you."
) -> Letter:
    """A letter by its name in `LETTERS`."""
    seller = Seller(
        "Nordlicht Kaffee GmbH",
        address="Speicherstr. 1, Berlin",
        email="accounts@nordlicht.example",
        phone="+49 30 1234567",
        language=language,
    )
    writer, reader = Letters(seller, ZoneInfo("Europe/Berlin")), customer or a_customer()
    asked, answer = a_message(text=text), a_message(text=text, author=Author.SELLER)
    made = {
        "link": lambda: writer.link(reader, LINK, UNTIL, list(Section)),
        "new": lambda: writer.link(reader, LINK, UNTIL, [], replaces=True),
        "answered": lambda: writer.answered(reader, LINK, UNTIL, [answer], {"M-1": "INV-1042"}),
        "wrote": lambda: writer.customer_wrote(reader, STAFF_LINK, [asked], {"M-1": "INV-1042"}),
        "expiring": lambda: writer.expiring([(reader, a_token())] * 23, STAFF_LINK, 7),
    }
    return made[name]()


@pytest.fixture
def show(serve: Serve, open_page: OpenPage) -> ShowLetter:
    """Opens the HTML part of a letter, and gives the page."""
    shown: list[bytes] = []

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return shown[-1:]

    def show(letter: Letter, **screen: Any) -> Any:
        shown.append(letter.html.encode())
        page = open_page(**screen)
        page.goto(serve(answer).url)
        return page

    return show


@pytest.mark.sampled
@pytest.mark.parametrize("language", ["en", "de", "id"])
@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_is_readable(show: ShowLetter, name: str, language: str) -> None:
    """In light and dark and on the narrowest phone; buttons and links are large enough."""
    letter = a_letter(name, language, text="Thank you. " * 30 + "\nhttps://" + "x" * 150)
    page = show(letter, width="phone")
    expect(page).to_have_title(letter.subject)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert axe(page) == []
        screenshot(page, f"mail-{name}-{language}-{scheme}-phone")
    no_sideways_scroll(page)
    touch_targets(page)


@pytest.mark.sampled
@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_on_a_large_screen(show: ShowLetter, name: str) -> None:
    """Text of 16 px in one column; the link is a button of 44 px, and underlined in full."""
    page = show(a_letter(name), width="desktop")
    screenshot(page, f"mail-{name}-desktop")
    button, link = page.locator("a.button"), page.locator(f"a.link[href^='{LINK[:20]}']")
    assert button.bounding_box()["height"] >= 44
    assert button.get_attribute("href") == link.get_attribute("href") == link.inner_text()
    of_link = link.evaluate("one => getComputedStyle(one).textDecorationLine")
    assert of_link == "underline"
    sizes = "() => [...document.querySelectorAll('p, a, li, blockquote, h2')].map("
    sizes += "one => parseFloat(getComputedStyle(one).fontSize))"
    assert set(page.evaluate(sizes)) == {16}
    assert page.locator("[role=main]").bounding_box()["width"] <= 642
    preview = page.get_by_text("No password needed")
    assert preview.count() == (name in ("link", "new", "answered"))
    assert not any(one.is_visible() for one in preview.all())


def test_dark_is_dark(show: ShowLetter) -> None:
    """The sheet reaches the colours that stand at the elements."""
    page = show(a_letter("link"), width="desktop")
    ground = "() => getComputedStyle(document.querySelector('.box')).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert (light, page.evaluate(ground)) == ("rgb(255, 255, 255)", "rgb(29, 33, 38)")
    screenshot(page, "mail-link-dark-desktop")


@pytest.mark.sampled
@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_without_styles(show: ShowLetter, name: str) -> None:
    """Where a mail program drops them all, everything is still there, in order, line by line."""
    text = "Thank you.\nIt is settled."
    letter = a_letter(name, text=text)
    page = show(letter, width="phone")
    page.evaluate(
        "() => { document.querySelectorAll('style').forEach(one => one.remove());"
        "document.querySelectorAll('[style]').forEach(one => one.removeAttribute('style')) }"
    )
    screenshot(page, f"mail-{name}-unstyled")
    seen = page.locator("body").inner_text()
    rest = iter(seen.split())
    words = [one for one in letter.text.split() if one not in (">", "-")]
    assert all(one in rest for one in words), seen
    if name in ("answered", "wrote"):
        assert text in seen
    if name in ("link", "new"):
        assert seen.startswith("No password needed. Works until 14 May 2026, 09:12.")


@pytest.mark.sampled
@pytest.mark.parametrize("name", LETTERS)
@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_texts_are_text(show: ShowLetter, name: str, text: str) -> None:
    """Nothing runs, nothing is asked for, nothing is added; long words stay on the page."""
    customer = a_customer(name=text, number=text)
    page = show(a_letter(name, customer=customer, text=f"A\n{text}"), width="phone")
    assert page.locator("iframe, script, img, [onerror], [onload]").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    no_sideways_scroll(page)
    if name in ("answered", "wrote"):
        assert text in page.locator("blockquote").inner_text()
