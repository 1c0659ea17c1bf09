"""What tests the pages can fail: each check refuses a bad page and accepts the good one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.browser.checks import (
    axe,
    no_sideways_scroll,
    printed,
    tab_order,
    touch_targets,
)
from tests.browser.sites import Serve, Site
from tests.browser.visits import Chromium, OpenPage, screenshot

HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'"),
]
STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 sans-serif; margin: 1rem; background: #fff; color: #111; }
input, button, label { display: block; min-height: 44px; font: inherit; }
a { color: #0645ad; }
a:focus-visible, input:focus-visible, button:focus-visible { outline: 3px solid #0645ad; }
@media (prefers-color-scheme: dark) {
  body { background: #111; color: #eee; }
  a { color: #8ab4f8; }
}
@media print { a { display: contents; } }
@page { @top-left { content: "Seller" } @bottom-right { content: "Page " counter(page) } }
"""
BODY = """
<h1>Invoice INV-1042 für Müller, Καφές</h1>
<p>Ask <a href="/contact">the seller</a>.</p>
<form><label for="day">Day</label><input id="day" type="date"><button>Send</button></form>
"""


class Pages:
    """The good page, and whatever a test puts into its head, body and style.

    Attributes:
        policy: whether the page is sent with its Content-Security-Policy.
    """

    def __init__(self) -> None:
        self.head, self.body, self.style, self.policy = "", BODY, STYLE, True

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        match environ["PATH_INFO"]:
            case "/style.css":
                start_response("200 OK", [("Content-Type", "text/css; charset=utf-8")])
                return [self.style.encode()]
            case "/" | "/portal/a.token":
                start_response("200 OK", HEADERS if self.policy else HEADERS[:1])
                return [self.text().encode()]
            case _:
                start_response("403 Forbidden", HEADERS)
                return [b"<!doctype html><html lang=en><title>Access denied</title>"]

    def text(self) -> str:
        """The page."""
        return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Invoice</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <link rel="stylesheet" href="/style.css">{self.head}<main>{self.body}</main>"""


@pytest.fixture
def pages() -> Pages:
    """What is served."""
    return Pages()


@pytest.fixture
def site(pages: Pages, serve: Serve) -> Site:
    """Where it is served."""
    return serve(pages)


@pytest.fixture
def visit(site: Site, open_page: OpenPage) -> Callable[..., Any]:
    """Opens the served page."""

    def visit(path: str = "/", **how: Any) -> Any:
        page = open_page(**how)
        page.goto(site.url + path)
        return page

    return visit


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("width", ["phone", "desktop"])
def test_the_good_page_passes(visit: Callable[..., Any], width: str, javascript: bool) -> None:
    """All checks accept the good page, on any screen, with its scripts on or off."""
    page = visit(width=width, javascript=javascript)
    assert axe(page) == []
    no_sideways_scroll(page)
    touch_targets(page)
    assert tab_order(page) == ["the seller", "Day", "Send"]
    (sheet,) = printed(page)
    assert "Invoice INV-1042 für Müller, Καφές" in sheet


def test_screens_are_what_they_are_called(visit: Callable[..., Any]) -> None:
    """A phone is narrow, fine and touched; a desktop is wide; darkness and language are told."""
    seen = "() => [innerWidth, devicePixelRatio, navigator.maxTouchPoints > 0, navigator.language]"
    assert visit(width="phone").evaluate(seen) == [360, 2, True, "en-GB"]
    assert visit(locale="de-DE").evaluate(seen) == [1280, 1, False, "de-DE"]
    dark = "getComputedStyle(document.body).backgroundColor"
    assert visit(dark=True).evaluate(dark) == "rgb(17, 17, 17)"


def test_scripts_run_where_they_are_on(pages: Pages, visit: Callable[..., Any]) -> None:
    """A page's script is run with JavaScript, and is not without it."""
    pages.policy, pages.head = False, "<script>document.title = 'run'</script>"
    assert [visit(javascript=on).title() for on in (True, False)] == ["run", "Invoice"]


@pytest.mark.parametrize(
    ("bad", "noted"),
    [
        ('<p style="color: red">', "console: Applying inline style violates"),
        ("<script>document.title = 'harm'</script>", "console: Executing inline script violates"),
        ('<img src="/x.png" alt="">', "console: Loading the image .* violates"),
        ('<a href="javascript:0" onmouseover="0">A</a>', "console: Executing inline event handler"),
    ],
)
def test_a_breach_of_the_policy_is_noted(
    pages: Pages, open_page: OpenPage, visit: Callable[..., Any], bad: str, noted: str
) -> None:
    """What the Content-Security-Policy stops fails the test, though it does no harm."""
    pages.body += bad
    with open_page.expect(noted):
        visit()


@pytest.mark.parametrize(
    ("bad", "noted"),
    [
        ("<script>missing()</script>", "script: missing is not defined"),
        ("<script>Promise.reject(new Error('late'))</script>", "script: late"),
        ("<script>console.error('oh')</script>", "console: oh"),
        ("<script>alert(1)</script>", "dialog: alert: 1"),
        ('<script src="/gone.js"></script>', "asset: 403 .*/gone.js"),
        ('<img src="https://example.com/a.png" alt="">', "origin: GET https://example.com/a.png"),
    ],
)
def test_what_goes_wrong_is_noted(
    pages: Pages, open_page: OpenPage, visit: Callable[..., Any], bad: str, noted: str
) -> None:
    """Errors and dialogs of scripts, assets that are missing, requests to strangers are noted."""
    pages.policy, pages.body = False, BODY + bad
    with open_page.expect(noted):
        visit()
    # A script that is no script, and a host that is not looked up, are told on the console too.
    assert not [p for p in open_page.problems if not re.search("MIME type|ERR_NAME_NOT_RES", p)]
    open_page.problems.clear()


def test_a_neighbour_is_watched_too(
    pages: Pages, site: Site, open_page: OpenPage, visit: Callable[..., Any]
) -> None:
    """Further pages of the same browser context are held to the same."""
    page = visit()
    pages.body += '<p style="color: red">'
    with open_page.expect("inline style"):
        page.context.new_page().goto(site.url)


def test_what_is_noted_fails_the_test(browser: Any, serve: Serve, pages: Pages) -> None:
    """What is noted until the end is there when the fixture looks; an expectation must be met."""
    pages.body += '<p style="color: red">'
    visit = OpenPage(browser, serve)
    try:
        visit().goto(serve(pages).url)
        with pytest.raises(AssertionError, match="no page did"), visit.expect("image"):
            pass
    finally:
        visit.close()
    assert len(visit.problems) == 1


def test_a_refusal_is_no_problem(visit: Callable[..., Any]) -> None:
    """A page with the status 403 is a page like others; so is one of a site of the test's own."""
    assert visit("/denied").title() == "Access denied"


def test_other_servers_are_allowed_by_name(browser: Any, site: Site) -> None:
    """What is not served by the fixture is another origin until the test allows it."""
    visit = OpenPage(browser, Serve())
    try:
        with visit.expect(f"origin: GET {site.url}/"):
            visit().goto(site.url)
            visit.settle()
        visit.problems.clear()
        visit.allow(site.url)
        visit().goto(site.url)
    finally:
        visit.close()
    assert visit.problems == []


def test_event_loops_run_beside_the_browser(chromium: Chromium) -> None:
    """Between two uses of the browser others run event loops in the same thread."""

    async def one() -> int:
        return 1

    for _ in range(2):
        assert asyncio.run(one()) == 1
        with chromium.in_use() as browser:
            browser.new_context().close()


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ('<input name="q">', "label: "),
        ("<h4>Deep</h4>", "heading-order: "),
        ('<a class="dot" href="/a">1</a><a class="dot" href="/b">2</a>', "target-size: "),
    ],
)
def test_axe_refuses(
    pages: Pages, visit: Callable[..., Any], bad: str, rule: str, javascript: bool
) -> None:
    """Breaches of WCAG 2.2 and of best practice are found, scripts on or off."""
    pages.body += bad
    pages.style += ".dot { display: block; width: 12px; height: 12px; overflow: hidden }"
    with pytest.raises(AssertionError, match=rule):
        axe(visit(javascript=javascript))


@pytest.mark.parametrize("dark", [False, True])
def test_axe_refuses_faint_text(pages: Pages, visit: Callable[..., Any], dark: bool) -> None:
    """Contrast is measured in the colours that are shown: a grey may be good in the others."""
    pages.style += f"p {{ color: {'#6b6b6b' if dark else '#8a8a8a'} }}"
    axe(visit(dark=not dark))
    with pytest.raises(AssertionError, match=r"color-contrast: .*\['p'\]"):
        axe(visit(dark=dark))


@pytest.mark.parametrize("width", ["phone", "desktop"])
@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("<pre>" + "wide " * 60, "scrolls to"),
        ('<div class="cut"><p class="wide">cut off</p></div>', r"to 5\d\d px: <p class=.wide"),
    ],
)
def test_sideways_scroll_is_refused(
    pages: Pages, visit: Callable[..., Any], bad: str, found: str, width: str
) -> None:
    """What is wider than 320 px is found, also where the page cuts it off; the screen stays."""
    pages.body += bad
    pages.style += ".wide { width: 500px } html:has(.cut) { overflow-x: hidden }"
    page = visit(width=width)
    before = page.viewport_size
    with pytest.raises(AssertionError, match=found):
        no_sideways_scroll(page)
    assert page.viewport_size == before


def test_boxes_may_scroll(pages: Pages, visit: Callable[..., Any]) -> None:
    """A wide table in a box that scrolls is no sideways scroll of the page."""
    pages.body += f'<div class="box" tabindex="0"><pre>{"wide " * 60}</pre></div>'
    pages.style += ".box { overflow-x: auto }"
    no_sideways_scroll(visit(width="phone"))


@pytest.mark.parametrize(
    "bad",
    [
        "<button class=low>Low</button>",
        '<p><a class="icon" href="/a">x</a></p>',
        '<label class="low"><input class="low" type="checkbox">Yes</label>',
        '<div class="under"><button>Covered</button><div class="over"></div></div>',
    ],
)
def test_small_targets_are_refused(pages: Pages, visit: Callable[..., Any], bad: str) -> None:
    """Low buttons, links of one letter, low labels and what lies under something are found."""
    pages.body += bad
    pages.style += """
        .low { display: flex; min-height: 30px } .under { position: relative }
        .over { position: absolute; inset: 0 }
    """
    with pytest.raises(AssertionError, match="too small for a finger"):
        touch_targets(visit(width="phone"))


@pytest.mark.parametrize(
    "good",
    [
        "<label><input class=low type=checkbox>Yes, by its label</label>",
        '<div class="row"><a class="whole" href="/a">x</a> by its row</div>',
        '<a class="skip" href="#main">Skip</a>',
    ],
)
def test_targets_are_what_a_touch_meets(pages: Pages, visit: Callable[..., Any], good: str) -> None:
    """Labels and overlays count, at any place of a long page; what is off the screen does not."""
    pages.body += f'<p class="long"></p>{good}<p class="long"></p>'
    pages.style += """
        .low { min-height: 13px } .row { position: relative; min-height: 44px }
        .whole { display: block } .whole::after { content: ""; position: absolute; inset: 0 }
        .skip { position: absolute; left: -9999px } .long { height: 2000px }
    """
    page = visit(width="phone")
    page.evaluate("scrollTo(0, 500)")
    touch_targets(page)
    assert page.evaluate("scrollY") == 500


@pytest.mark.parametrize(("link", "button", "passes"), [(24, 44, 1), (22, 44, 0), (24, 42, 0)])
def test_targets_are_measured(
    pages: Pages, visit: Callable[..., Any], link: int, button: int, passes: int
) -> None:
    """A pixel or two decide, wherever on the pixels of the screen the targets lie."""
    pages.body = "".join(
        f'<p class="at"></p><a class="link" href="/{n}">{n}</a><button>{n}</button>' for n in "123"
    )
    pages.style += f"""
        .at {{ height: 10.3px }} .link {{ display: block; width: 60px; height: {link}px }}
        button {{ min-height: 0; height: {button}px }}
    """
    page = visit(width="phone")
    if passes:
        touch_targets(page)
        return
    with pytest.raises(AssertionError, match=r"(?s)(, not .*){3}"):
        touch_targets(page)


@pytest.mark.parametrize(
    ("bad", "style", "found"),
    [
        ('<a href="/a">A</a>', "a:focus-visible { outline: none }", "does not show"),
        ('<a href="/a">A</a>', "a:focus-visible { outline-color: transparent }", "does not show"),
        ('<a href="/a">A</a>', "a { outline: 3px solid #0645ad }", "does not show"),
        ('<a class="away" href="/a">A</a>', ".away { position: fixed; left: -99px }", "of sight"),
        ('<a href="/a"></a>', "a { display: block; height: 9px }", "without a name"),
        ('<p class="over"></p>', ".over { position: fixed; inset: 0 }", "out of sight"),
    ],
)
def test_lost_focus_is_refused(
    pages: Pages, visit: Callable[..., Any], bad: str, style: str, found: str
) -> None:
    """Focus that cannot be seen, is out of sight or has no name is found."""
    pages.body += bad
    pages.style += style
    with pytest.raises(AssertionError, match=found):
        tab_order(visit())


def test_a_shadow_shows_the_focus(pages: Pages, visit: Callable[..., Any]) -> None:
    """A shadow that comes with the focus is enough, also where it comes slowly."""
    pages.style += """
        a:focus-visible { outline: none; box-shadow: 0 0 0 3px #0645ad; transition: all 1s }
    """
    assert tab_order(visit())[0] == "the seller"


@pytest.mark.parametrize(
    "script",
    [
        "if (event.key === 'Tab') event.preventDefault()",
        "if (event.target.tagName === 'INPUT') document.querySelector('a').focus()",
    ],
)
def test_a_trap_is_refused(pages: Pages, visit: Callable[..., Any], script: str) -> None:
    """A page that keeps the focus, at one control or in a circle, is found."""
    pages.policy = False
    pages.head = f"<script>document.onkeydown = (event) => {{ {script} }}</script>"
    with pytest.raises(AssertionError, match=r"reached again|not reached"):
        tab_order(visit())


def test_a_lone_control_is_no_trap(pages: Pages, visit: Callable[..., Any]) -> None:
    """Where there is one control, the browser comes back to it by itself, at once or later."""
    pages.body = '<a href="/a">Alone</a>'
    page = visit(javascript=False)
    assert [tab_order(page) for _ in range(10)] == [["Alone"]] * 10


def test_radio_buttons_are_one_stop(pages: Pages, visit: Callable[..., Any]) -> None:
    """Of radio buttons of one name the chosen one is reached, from wherever the focus was."""
    pages.body += "".join(
        f'<label><input type="radio" name="show" {state}>{state or "other"}</label>'
        for state in ("", "checked", "")
    )
    page = visit()
    page.get_by_role("button").focus()
    assert tab_order(page) == ["the seller", "Day", "Send", "checked"]


@pytest.mark.parametrize(
    ("boxes", "added"),
    [
        ("", "http://127.0.0.1"),
        ('@top-left { content: "Seller" }', "a.token"),
        ("@bottom-right { content: counter(page) }", "Invoice"),
    ],
)
def test_the_address_in_print_is_refused(
    pages: Pages, visit: Callable[..., Any], boxes: str, added: str
) -> None:
    """Without a box of the page's own at top and bottom, the browser prints title and address."""
    pages.style = f"@page {{ {boxes} }}"
    with pytest.raises(AssertionError, match=f"header or footer:\n.*{added}"):
        printed(visit("/portal/a.token"))


def test_a_link_in_a_printed_file_is_refused(pages: Pages, visit: Callable[..., Any]) -> None:
    """A link that has a box is kept, and can be clicked in the file."""
    pages.style = STYLE.replace("display: contents", "color: inherit")
    with pytest.raises(AssertionError, match=r"printed file keeps links:\n.*/contact"):
        printed(visit())


def test_each_sheet_is_given(pages: Pages, visit: Callable[..., Any]) -> None:
    """The text of each sheet is given, with the page's own header and footer."""
    pages.body += '<h2 class="next">Totals</h2>'
    pages.style += ".next { break-before: page }"
    first, second = printed(visit("/portal/a.token", width="phone", javascript=False))
    assert "Müller" in first
    assert all(words in second for words in ("Totals", "Seller", "Page 2"))
    assert "token" not in first + second


def test_pictures_are_kept_where_wanted(
    visit: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is made only where a folder is named."""
    page = visit()
    monkeypatch.delenv("BASIS_PORTAL_SCREENSHOTS", raising=False)
    screenshot(page, "none")
    monkeypatch.setenv("BASIS_PORTAL_SCREENSHOTS", str(tmp_path))
    screenshot(page, "invoice")
    assert [(p.name, p.read_bytes()[:4]) for p in tmp_path.iterdir()] == [
        ("invoice.png", b"\x89PNG")
    ]
