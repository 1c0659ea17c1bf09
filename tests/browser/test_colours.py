"""A seller's colour, logo and template, as the browser shows them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from tests.browser.checks import axe
from tests.browser.shops import Shop, expect
from tests.browser.sites import Serve
from tests.browser.visits import OpenPage

from basis_portal.web import Theme

COLOURS = ["#000000", "#ffffff", "#ffd400", "#808080", "#e4002b", "#767676", "#1f5673", "#00a0e0"]


@pytest.mark.sampled
@pytest.mark.parametrize("colour", COLOURS)
def test_no_colour_makes_a_page_unreadable(serve: Serve, open_page: OpenPage, colour: str) -> None:
    """Text, links and buttons keep their contrast, in light and in dark."""
    shop = Shop.at(serve())
    shop.dress(theme=Theme(colour=colour))
    page = open_page(width="desktop")
    for address in (
        shop.link(),
        shop.link(below="/statement"),
        shop.staff(),
        shop.staff("/tokens"),
    ):
        page.goto(address)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert axe(page) == []


@pytest.mark.parametrize("dark", [False, True])
def test_text_in_the_picture_of_ages_is_as_small_print(
    serve: Serve, open_page: OpenPage, *, dark: bool
) -> None:
    """It has the colour of small print, which stands on the same ground and is looked at by axe."""
    page = open_page(dark=dark)
    page.goto(Shop.at(serve()).link(below="/statement"))
    colour = "(text) => getComputedStyle(text)[text.matches('text') ? 'fill' : 'color']"
    words = page.locator("svg.aging text")
    expect(words.first).to_have_text("Not yet due")
    small = page.locator("p.small").first.evaluate(colour)
    assert {one.evaluate(colour) for one in words.all()} == {small}


def _png() -> bytes:
    """A picture of 40 by 20 pixels, all of one blue."""
    raw = b"".join(b"\0" + b"\x1f\x56\x73" * 40 for _ in range(20))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 40, 20, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw)),
    ]
    made = b"\x89PNG\r\n\x1a\n"
    for name, data in [*parts, (b"IEND", b"")]:
        made += struct.pack(">I", len(data)) + name + data
        made += struct.pack(">I", zlib.crc32(name + data))
    return made


def test_a_logo_is_seen_and_named(serve: Serve, open_page: OpenPage, tmp_path: Path) -> None:
    """The picture is loaded from the site itself and has the seller's name as its words."""
    (tmp_path / "logo.png").write_bytes(_png())
    shop = Shop.at(serve())
    shop.dress(theme=Theme(logo=tmp_path / "logo.png"))
    page = open_page(width="phone", javascript=False)
    page.goto(shop.link())
    logo = page.get_by_role("img", name="Nordlicht Kaffee GmbH")
    expect(logo).to_be_visible()
    assert logo.evaluate("picture => picture.naturalWidth") == 40


def test_a_template_of_the_host_is_shown(serve: Serve, open_page: OpenPage, tmp_path: Path) -> None:
    """The five blocks can be overridden; the page keeps its frame and finds no fault with axe."""
    (tmp_path / "theme.html").write_text(
        '{% extends "basis_portal/base.html" %}'
        '{% block head %}{{ super() }}<meta name="mark" content="ours">{% endblock %}'
        "{% block header %}{{ super() }}<p>Coffee since 1921</p>{% endblock %}"
        "{% block nav %}{{ super() }}{% endblock %}"
        "{% block contact %}<address>Ask Ana</address>{% endblock %}"
        "{% block footer %}{{ super() }}<p>Registered in Berlin</p>{% endblock %}",
        encoding="utf-8",
    )
    shop = Shop.at(serve())
    shop.dress(theme=Theme(templates=tmp_path))
    page = open_page(width="desktop")
    page.goto(shop.link())
    for words in (
        "Coffee since 1921",
        "Ask Ana",
        "Registered in Berlin",
        "EUR\u00a01,200.00 overdue",
    ):
        expect(page.get_by_text(words).first).to_be_visible()
    assert axe(page) == []
