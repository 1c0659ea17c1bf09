"""How pages look is said by values, never by markup; no colour makes them unreadable."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.conftest import SELLER
from werkzeug.test import Client

from basis_portal import InvalidValue, Portal, Seller, web
from basis_portal.web import HostLinks, Staff, Theme, customer_app, staff_app
from basis_portal.web.colours import DARK, ENOUGH, LIGHT, contrast, ink_on, stylesheet
from basis_portal.web.templating import _Compiled

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


@given(colour=COLOURS)
def test_ink_on_any_colour_can_be_read(colour: str) -> None:
    """Black or white has enough contrast on whatever the seller chose."""
    assert contrast(ink_on(colour), colour) >= ENOUGH


@given(colour=COLOURS)
def test_a_colour_becomes_a_link_only_where_it_can_be_read(colour: str) -> None:
    """In light and in dark each: an accent with enough contrast on every background, or none."""
    css = stylesheet(colour)
    light, dark = re.findall(r"prefers-color-scheme:(?:light|dark)\)\{:root\{(.*?)\}", css)
    for found, backgrounds in ((light, LIGHT), (dark, DARK)):
        readable = min(contrast(colour, one) for one in backgrounds) >= ENOUGH
        assert (f"--accent:{colour};" in found) is readable
    assert f"--stripe:{colour}" in css


def test_the_backgrounds_are_those_of_the_stylesheet() -> None:
    """What the colours are tested against is what the pages have."""
    css = Path(web.__file__).parent / "static/portal.css"
    text = css.read_text(encoding="utf-8")
    light, dark = text.split("@media screen and (prefers-color-scheme: dark)")[:2]
    for found, expected in ((light, LIGHT), (dark, DARK)):
        shown = [re.search(rf"--{name}: (#\w+)", found) for name in ("box", "page", "soft")]
        assert sorted(one[1] for one in shown if one) == sorted(expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Theme(colour="red"), "must be a colour such as '#1f5673'"),
        (lambda: Theme(colour="#12345g"), "must be a colour"),
        (lambda: Theme(colour="#fff;}body{"), "must have 1 to 7 characters"),
        (lambda: Theme(logo="/no/such/file"), "cannot be read"),
        (lambda: Theme(logo=__file__), "must be a PNG, JPEG, GIF, WebP or SVG"),
        (lambda: Theme(templates="/no/such/folder"), "must be a folder with templates"),
        (lambda: HostLinks(home="javascript:alert(1)"), "must be a path"),
        (lambda: HostLinks(customer="//evil.example/{customer_id}"), "must be a path"),
        (lambda: HostLinks(home="/\\evil.example"), "must be a path"),
        (lambda: Staff(""), "must have 1 to 255 characters"),
        (lambda: Staff("ana", read_only=1), "must be a bool"),
        (lambda: Seller("Line\nbreak"), "not allowed"),
        (lambda: Seller("N", email="not an address"), "must be a plain e-mail address"),
        (lambda: Seller("N", email="a@b.example?cc=c"), "must be a plain e-mail address"),
    ],
)
def test_what_would_break_a_page_is_refused(make: Callable[[], Any], words: str) -> None:
    """Colours, addresses, files and names are checked where they are given."""
    with pytest.raises(InvalidValue, match=re.escape(words)):
        make()


def test_a_logo_is_served_in_place_of_the_name(portal: Portal, tmp_path: Path) -> None:
    """The picture has the seller's name as its words and may be kept by the browser."""
    (tmp_path / "logo.png").write_bytes(PNG)
    client = Client(customer_app(portal, seller=SELLER, theme=Theme(logo=tmp_path / "logo.png")))
    html = client.get("/portal/x").text
    found = re.search(r'<img class="logo" src="([^"]+)" alt="Nordlicht Kaffee GmbH">', html)
    assert found
    answer = client.get(found[1])
    assert (answer.data, answer.mimetype) == (PNG, "image/png")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000"


def test_a_host_overrides_blocks_in_a_template_of_its_own(portal: Portal, tmp_path: Path) -> None:
    """Each of the five blocks can be replaced or added to; values in it are escaped."""
    (tmp_path / "theme.html").write_text(
        '{% extends "basis_portal/base.html" %}'
        "{% block head %}{{ super() }}<meta name='x' content='mine'>{% endblock %}"
        "{% block header %}<p>{{ '<i>' }}</p>{% endblock %}"
        "{% block nav %}<p>my nav</p>{% endblock %}"
        "{% block contact %}<p>my contact</p>{% endblock %}"
        "{% block footer %}{{ super() }}<p>my footer</p>{% endblock %}",
        encoding="utf-8",
    )
    html = Client(customer_app(portal, theme=Theme(templates=tmp_path))).get("/portal/x").text
    assert "portal.css" in html
    assert "content='mine'" in html
    assert "<p>&lt;i&gt;</p>" in html
    for own in ("my nav", "my contact", "my footer"):
        assert own in html
    assert "Access denied" in html


@pytest.mark.parametrize(("language", "known"), [("en", "Messages"), ("de", "Nachrichten")])
def test_a_hosts_template_may_have_texts(
    portal: Portal, tmp_path: Path, language: str, known: str
) -> None:
    """Ours are told in the language of the page, its own as they are; values are escaped."""
    (tmp_path / "theme.html").write_text(
        '{% extends "basis_portal/base.html" %}{% set x = "<i>" %}'
        "{% block nav %}<p>{% trans %}Messages{% endtrans %}"
        "|{% trans %}Use %(x)s at 100 %{% endtrans %}|{% trans x=x %}{{ x }} of ours{% endtrans %}"
        '|{% trans "mail" %}Open us{% endtrans %}'
        "|{% trans count=2 %}one{% pluralize %}{{ count }} of them{% endtrans %}</p>{% endblock %}",
        encoding="utf-8",
    )
    client = Client(customer_app(portal, theme=Theme(templates=tmp_path)))
    for _ in range(2):
        html = client.get("/portal/x", headers={"Accept-Language": language}).text
        expected = f"{known}|Use %(x)s at 100 %|&lt;i&gt; of ours|Open us|2 of them"
        assert f"<p>{expected}</p>" in html


def test_templates_are_compiled_once_for_all_apps(portal: Portal, tmp_path: Path) -> None:
    """Each language and each host's folder apart, and anew where a file has changed."""

    def page(name: str, language: str, text: str | None = None) -> str:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        if text:
            (folder / "theme.html").write_text(
                "{% extends 'basis_portal/base.html' %}{% block contact %}"
                + text
                + "{% endblock %}"
            )
        client = Client(customer_app(portal, theme=Theme(templates=folder)))
        return str(client.get("/portal/x", headers={"Accept-Language": language}).text)

    assert "our office" in page("one", "en", "our office")
    assert "the other shop" in page("other", "en", "the other shop")
    compiled = dict(_Compiled._code)
    assert page("one", "en") != page("one", "de")
    assert "Access denied" in page("one", "en")
    assert "Access denied" not in page("one", "de")
    made_since = _Compiled._code.keys() - compiled.keys()
    assert made_since <= {key for key in _Compiled._code if key[0] == "de"}
    assert "moved" in page("one", "en", "moved")


def test_without_authorize_nobody_gets_in(portal: Portal) -> None:
    """The staff's pages are closed until the host says who may enter; odd answers are nobody."""
    assert Client(staff_app(portal)).get("/").status_code == 403
    for answer in (None, "", 0, 1, True, ["ana"], b"ana"):
        client = Client(staff_app(portal, authorize=lambda _, found=answer: found))
        assert client.get("/").status_code == 403
    assert Client(staff_app(portal, authorize=lambda _: "ana")).get("/").status_code == 200
    with pytest.raises(InvalidValue, match="authorize must be a callable"):
        staff_app(portal, authorize="ana")  # type: ignore[arg-type]
