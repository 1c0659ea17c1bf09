"""Both apps in one WSGI callable, at a host's root."""

from __future__ import annotations

from typing import Any
from wsgiref.validate import validator

import pytest
from tests.hosts.visitor import EVIL, Visitor
from tests.hosts.worlds import FEW, ORIGIN, World, customer_round, make_world, staff_round
from werkzeug.test import Client, create_environ, run_wsgi_app

from basis_portal import InvalidValue
from basis_portal.web import create_app, customer_app, staff_app


def app_of(world: World, **changes: Any) -> Any:
    """Both apps of a world, where everybody is ana."""
    return create_app(world.portal, authorize=lambda _: "ana", **world.given, **changes)


@pytest.fixture(scope="module")
def world() -> World:
    """A world that is only looked at."""
    return make_world(ids=FEW)


@pytest.fixture(scope="module")
def app(world: World) -> Any:
    """Both of its apps."""
    return app_of(world)


def test_all_pages_are_right() -> None:
    """At the root of a host all links, forms and redirects of both apps are right."""
    world = make_world()
    visitor = Visitor(app_of(world))
    customer_round(visitor, world)
    staff_round(visitor, world, name="ana")
    assert not visitor.cookies


def test_base_url_without_a_path() -> None:
    """With a host name of its own the portal stands at the root, beside the staff pages."""
    world = make_world("https://portal.example.com", ids=FEW)
    visitor = Visitor(app_of(world))
    customer_round(visitor, world)
    staff_round(visitor, world, name="ana")


def test_by_the_rules_of_wsgi(world: World, app: Any) -> None:
    """A checker of the protocol finds nothing, whatever is asked for and by whatever method."""
    client = Client(validator(app))
    path = world.link.removeprefix(ORIGIN)
    for one in (path, f"{path}/nowhere", "/settings/portal", "/settings/portal/nowhere", "/else"):
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            with client.open(one, method=method) as answer:
                assert answer.status_code < 500
                assert method != "HEAD" or not answer.data


@pytest.mark.parametrize(
    "path", ["", "/", "*", "/else", "/portals", "/settings", "portal", "//portal/x", "/PORTAL",
             "http://evil.example/portal", "//evil.example/portal", "/settings/portals", "/\xff"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_elsewhere_nothing_is_found(path: str, method: str, world: World, app: Any) -> None:
    """Any other path is answered by a plain 404 that has the security headers of the pages."""
    client = Client(app)
    answer = client.open("/", method=method, environ_overrides={"PATH_INFO": path})
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")
    assert answer.data == (b"" if method == "HEAD" else b"Not found.\n")
    page = client.get(world.link.removeprefix(ORIGIN))
    own = {"Content-Type", "Content-Length"}
    assert {*answer.headers.items()} - {*page.headers.items()} == {
        pair for pair in answer.headers.items() if pair[0] in own
    }
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/portal", 403),
        ("/portal/", 403),
        ("/portal//", 403),
        ("{link}/", 200),
        ("/portal//{token}", 200),
        ("{link}/messages/", 200),
        ("{link}//messages", 403),
        ("{link}//evil.example/", 403),
        ("/portal//evil.example/", 403),
        ("/portal/\\evil.example", 403),
        ("/settings/portal", 200),
        ("/settings/portal/", 200),
        ("/settings/portal//", 200),
        ("/settings/portal/tokens/", 200),
        ("/settings/portal//evil.example/", 404),
        ("/settings/portal/tokens//evil.example", 404),
    ],
)
def test_slashes_redirect_nobody(path: str, status: int, world: World, app: Any) -> None:
    """More or fewer slashes give the page or none, never a redirect to wherever they name."""
    link = world.link.removeprefix(ORIGIN)
    asked = path.format(link=link, token=link.rpartition("/")[2])
    page = Visitor(app).open(f"{ORIGIN}{asked}")
    assert (page.status, page.headers.get("Location")) == (status, None)


@pytest.mark.parametrize(
    "host",
    [EVIL, "", "x" * 64, f"{'x' * 64}.example", "[::1", "a b", "a@b", "a,b", "a:b", "<b>", "\xff"],
)
def test_the_host_header_is_never_read(host: str, world: World, app: Any) -> None:
    """Whatever it holds, be it no name of a host at all, the pages are the same."""
    for url in (world.link, f"{world.link}/nowhere", f"{world.staff}/check-link", world.staff):
        environ = create_environ(url.removeprefix(ORIGIN))
        expected = run_wsgi_app(app, environ, buffered=True)
        assert run_wsgi_app(app, {**environ, "HTTP_HOST": host}, buffered=True) == expected


@pytest.mark.parametrize(
    "base_url",
    [
        "https://erp.example.com//evil.example",
        "https://erp.example.com/a//b",
        "https://erp.example.com/a/../b",
        "https://erp.example.com/%2e%2e/b",
        "https://erp.example.com/a%3Fb",
        "https://erp.example.com/a%23b",
        "https://erp.example.com/100%25",
        "https://erp.example.com/a%5Cb",
        "https://erp.example.com/%FF",
        "https://erp.example.com/a%0Ab",
    ],
)
def test_paths_that_links_would_leave(base_url: str) -> None:
    """A ``base_url`` below which a link would lead elsewhere is refused when the app is made."""
    world = make_world(base_url, ids=FEW)
    with pytest.raises(InvalidValue, match="base_url must lead to a path such as"):
        customer_app(world.portal)
    with pytest.raises(InvalidValue, match="base_url"):
        create_app(world.portal)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://erp.example.com/K%C3%BCche/Kunden%20portal",
        "https://erp.example.com/a.b/~c/d,e;f=g&h'i",
        "https://erp.example.com/.../portal/",
    ],
)
def test_unusual_paths(base_url: str) -> None:
    """Letters beyond ASCII, spaces and signs in the path of ``base_url`` are no trouble."""
    world = make_world(base_url, ids=FEW)
    visitor = Visitor(app_of(world))
    assert visitor.open(world.link).status == 200
    customer_round(visitor, world)


@pytest.mark.parametrize("path", ["erp", "//erp", "/erp//x", "/..", "/e?p", "/e#p", "/e%20", 7])
def test_paths_of_the_host(path: Any, world: World) -> None:
    """A path of the host below which links would lead elsewhere is refused; plain ones are not."""
    for make in (staff_app, create_app):
        with pytest.raises(InvalidValue, match="path must lead to a path such as"):
            make(world.portal, path=path)
        for good in ("/erp", "/erp/", "/Küche 1", "/", ""):
            make(world.portal, path=good)


@pytest.mark.parametrize("authorize", ["ana", None])
@pytest.mark.parametrize("make", [staff_app, create_app])
def test_authorize_is_called(make: Any, authorize: Any) -> None:
    """What names nobody, as it cannot be called, is refused when the app is made."""
    with pytest.raises(InvalidValue, match="authorize must be a callable given the WSGI environ"):
        make(make_world(ids=FEW).portal, authorize=authorize)


@pytest.mark.parametrize("path", ["/settings/portal", "/settings/portal/x", "/erp/settings/portal"])
def test_customers_and_staff_at_one_path(path: str) -> None:
    """Customers' pages where the staff's are would never be reached: that is refused."""
    world = make_world(f"{ORIGIN}{path}", ids=FEW)
    with pytest.raises(InvalidValue, match="base_url must have a path of its own"):
        create_app(world.portal)
    create_app(make_world(f"{ORIGIN}/settings/portals", ids=FEW).portal)
    create_app(make_world(f"{ORIGIN}/settings", ids=FEW).portal)
