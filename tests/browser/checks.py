"""What must hold of a page in each of its states; an `AssertionError` says what does not, where.

All of it works without the page's JavaScript too, and whatever its Content-Security-Policy is.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},
    "preload": False,
}

_SCRIPT = Path(__file__).with_name("checks.js").read_text(encoding="utf-8")
_A4 = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
_STOPS_IN_A_CONTROL = 8  # a date has one for each of its parts

Call = Callable[[str], Any]


def axe(page: Any) -> list[str]:
    """Assert that axe-core finds no violation; give what it could not decide.

    Without the contrast of text in pictures, which it never can: `test_colours` looks at that.
    """
    with _world(page) as call:
        call(_axe_core())
        found = call(f"axe.run({json.dumps(AXE)})")
    _none(page, "axe-core finds", _described(found["violations"]))
    for rule in found["incomplete"]:
        rule["nodes"] = [node for node in rule["nodes"] if not node["html"].startswith("<text ")]
    return _described([rule for rule in found["incomplete"] if rule["nodes"]])


def no_sideways_scroll(page: Any, width: int = 320) -> None:
    """Assert that nothing is cut or scrolled to on a narrow screen but in boxes that scroll."""
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": before["height"]})
    with _world(page) as call:
        found = call("checks.tooWide()")
    page.set_viewport_size(before)
    _none(page, f"wider than {width} px", found)


def touch_targets(page: Any, *, height: int = 44) -> None:
    """Assert that a finger meets what it is meant for, at 24 x 24 px at least.

    Measured is where a touch really arrives, labels included. Links within a sentence may be
    smaller; ``height`` is what buttons and fields need.
    """
    with _world(page) as call:
        _none(page, "too small for a finger", call(f"checks.tooSmall({height})"))


def tab_order(page: Any) -> list[str]:
    """Press Tab from the top to the end of the page, and give the names of what is focused.

    Asserted is that each control is reached, once, has a name, is in sight when it is reached
    and shows the focus by an outline or a shadow, and that none of them keeps the focus.
    """
    with _world(page) as call:
        names: list[str] = []
        for _ in range(call("checks.startTour()") * _STOPS_IN_A_CONTROL + 1):
            page.keyboard.press("Tab")
            if (where := call("checks.noteStop()")) == "end":
                break
            if where == "next":
                names.append(_name_of_focused(page))
        _none(page, "on the way of the Tab key", call("checks.endTour()"))
    assert all(names), f"{page.url}: the Tab key reaches controls without a name: {names}"
    return names


def printed(page: Any) -> list[str]:
    """Print the page as the browser's own dialog does, and give the text of each sheet.

    Asserted is that the browser prints neither its header (date, title) nor its footer, which is
    the page's address with the token in it, and that a file that is printed to has no links,
    which would have it too. What Playwright's `Page.pdf` prints proves nothing:
    it sets margins of 0, where the browser leaves both out.
    """
    bare, dressed = _sheets(page, dressed=False), _sheets(page, dressed=True)
    added = [
        f"sheet {number}: {new!r} instead of {old!r}"
        for number, (old, new) in enumerate(zip(bare, dressed, strict=True), 1)
        if old != new
    ]
    _none(page, "the browser prints its header or footer", added)
    _none(page, "a printed file keeps links", _links_in(_pdf(page, dressed=False)))
    return bare


@contextmanager
def _world(page: Any) -> Iterator[Call]:
    """Evaluates in the page's document, apart from its scripts, its policy and its switches."""
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame})["executionContextId"]

    def call(expression: str) -> Any:
        how = {"contextId": world, "awaitPromise": True, "returnByValue": True}
        answer = session.send("Runtime.evaluate", {"expression": expression, **how})
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    call(_SCRIPT)
    try:
        yield call
    finally:
        session.detach()


@cache
def _axe_core() -> str:
    import axe_playwright_python

    path = Path(axe_playwright_python.__file__).with_name("axe.min.js")
    return f"{path.read_text(encoding='utf-8')}; undefined"


def _described(found: list[dict[str, Any]]) -> list[str]:
    return [
        f"{rule['id']}: {rule['help']}: {', '.join(str(node['target']) for node in rule['nodes'])}"
        for rule in found
    ]


def _name_of_focused(page: Any) -> str:
    session = page.context.new_cdp_session(page)
    try:
        found = session.send("Runtime.evaluate", {"expression": "document.activeElement"})
        which = {"objectId": found["result"]["objectId"], "fetchRelatives": False}
        nodes = session.send("Accessibility.getPartialAXTree", which)["nodes"]
    finally:
        session.detach()
    return str(nodes[0].get("name", {}).get("value", "")).strip()


def _sheets(page: Any, *, dressed: bool) -> list[str]:
    return [sheet.extract_text() for sheet in _pdf(page, dressed=dressed).pages]


def _links_in(pdf: Any) -> list[str]:
    notes = [note.get_object() for sheet in pdf.pages for note in sheet.get("/Annots", [])]
    return [str(note["/A"].get("/URI", note["/A"])) for note in notes if "/A" in note]


def _pdf(page: Any, *, dressed: bool) -> Any:
    from pypdf import PdfReader

    session = page.context.new_cdp_session(page)
    try:
        answer = session.send("Page.printToPDF", {**_A4, "displayHeaderFooter": dressed})
    finally:
        session.detach()
    return PdfReader(io.BytesIO(base64.b64decode(answer["data"])))


def _none(page: Any, what: str, found: list[str]) -> None:
    assert not found, "\n  ".join([f"{page.url}: {what}:", *found])
