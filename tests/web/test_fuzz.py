"""Random requests: never a fault, never an error out of the app, always the headers."""

from __future__ import annotations

import io
import logging
from random import Random
from typing import Any

import pytest
from tests.depth import examples
from tests.web.fuzz import A_TOKEN, BASE_URLS, WORLD_LASTS, Maker, World, requests, run

from basis_portal import Portal

SEED, COUNT = 20260414, examples(2000)


def test_random_requests_find_nothing_wrong() -> None:
    """No 5xx, no exception, every header, no link but that of the request; nothing is slow."""
    found = run(SEED, range(COUNT))
    assert found.problems == []
    assert found.asked == COUNT
    assert max(found.statuses) < 500
    # They are no mere noise: pages are made, forms accepted and refused.
    assert found.statuses[200] > COUNT / 4
    assert min(found.statuses[status] for status in (303, 400, 403, 404, 405)) > 5 * COUNT / 2000


@pytest.mark.parametrize(
    ("path", "environ", "status"),
    [
        ("/statement", {"QUERY_STRING": "to=0001-01-01"}, 200),
        ("/statement", {"QUERY_STRING": "from=0001-01-01&to=9999-12-31"}, 200),
        ("/invoices", {"QUERY_STRING": "q=\xff\xfe"}, 200),
        ("/nowhere", {"QUERY_STRING": "\xff=\xfe"}, 404),
        ("", {"HTTP_HOST": "a" * 64}, 200),
        ("/nowhere", {"HTTP_HOST": "\xff"}, 404),
        ("/messages", {"HTTP_X_FORWARDED_HOST": "evil.example"}, 200),
    ],
)
def test_what_was_a_fault_once_is_none(path: str, environ: dict[str, Any], status: int) -> None:
    """What random requests found is asked here by name."""
    world = World(BASE_URLS[0])
    base = Maker(world, Random(0)).environ()
    odd = {name: value for name, value in base.items() if not name.startswith("HTTP_")}
    address = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/portal/{world.links[0]}{path}"}
    whole = {**odd, "QUERY_STRING": "", **address, **environ}
    answer = world.ask(whole)
    assert answer.status == status
    assert world.faults(whole, answer) == []


def test_random_requests_leave_no_link_in_the_log() -> None:
    """What is logged while hundreds of odd requests are answered names no link."""
    heard, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    ours = logging.getLogger("basis_portal")
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    try:
        run(SEED + 1, range(WORLD_LASTS))
    finally:
        root.removeHandler(handler)
        ours.setLevel(before)
    assert "access denied: unreadable" in heard.getvalue()
    assert not A_TOKEN.findall(heard.getvalue().encode())


def test_the_requests_are_the_same_each_time() -> None:
    """The seed alone decides what is asked; a request is found again by its number."""
    first, again = ([_shape(environ) for _, _, environ in requests(7, range(60))] for _ in range(2))
    assert first == again
    other = [_shape(environ) for _, _, environ in requests(8, range(60))]
    assert first != other


def _shape(environ: dict[str, Any]) -> tuple[Any, ...]:
    """A request without what is random in the portal itself: ids, links, form values."""
    names = sorted(name for name in environ if name.startswith("HTTP_"))
    path = environ["PATH_INFO"].count("/"), len(environ["PATH_INFO"])
    return environ["REQUEST_METHOD"], path, [(name, environ[name]) for name in names]


class Planted:
    """An app that does one thing wrong."""

    def __init__(self, app: Any, fault: str) -> None:
        self._app, self._fault = app, fault

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The answer of the app, with the fault in it."""

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if self._fault == "no header":
                headers = [one for one in headers if one[0] != "Referrer-Policy"]
            elif self._fault == "a cookie":
                headers = [*headers, ("Set-Cookie", "session=1")]
            elif self._fault == "a line break":
                headers = [*headers, ("X-Note", "one\ntwo")]
            elif self._fault == "away":
                headers = [*headers, ("Location", "//evil.example/")]
            elif self._fault == "kept":
                headers = [one for one in headers if one[0] != "Cache-Control"]
                headers += [("Cache-Control", "public, max-age=31536000")]
            elif self._fault == "status":
                status = "502 Bad Gateway"
            return start_response(status, headers, *more)

        if self._fault == "raises":
            raise KeyError("unforeseen")
        parts = self._app(environ, start)
        body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        if self._fault == "another's link":
            body += f"{'A' * 22}.{'B' * 43}".encode()
        return [body, b"x"] if self._fault == "a body for HEAD" else [body]


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("none", ""),
        ("raises", "raised KeyError"),
        ("no header", "Referrer-Policy: []"),
        ("a cookie", "Set-Cookie is given"),
        ("a line break", "X-Note"),
        ("away", "Location: '//evil.example/'"),
        ("kept", "a page may be kept"),
        ("status", "502 status"),
        ("another's link", "shows 1 links"),
        ("a body for HEAD", "HEAD has a body"),
    ],
)
def test_each_fault_is_seen(fault: str, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: whatever an app may do wrong, a hundred requests find it."""
    made = World.__init__

    def planted(self: World, base_url: str) -> None:
        made(self, base_url)
        self.app = Planted(self.app, fault)

    monkeypatch.setattr(World, "__init__", planted)
    problems = run(SEED, range(100)).problems
    assert bool(problems) is bool(seen)
    assert any(seen in one for one in problems) or not seen


def test_a_request_that_is_right_is_answered_so() -> None:
    """Among the makers' requests there are whole ones: a link that opens, a form that is sent."""
    world, opened, sent = World(BASE_URLS[0]), 0, 0
    assert isinstance(world.portal, Portal)
    for number in range(300):
        environ = Maker(world, Random(number)).environ()
        answer = world.ask(environ)
        opened += answer.status == 200 and environ["PATH_INFO"].startswith("/portal/")
        sent += answer.status == 303
    assert opened > 30
    assert sent > 0
