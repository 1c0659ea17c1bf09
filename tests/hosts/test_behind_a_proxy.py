"""Under a path prefix, and behind proxies that keep it, take it away, or tell it in a header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from tests.hosts.visitor import EVIL, Visitor, Wsgi
from tests.hosts.worlds import FEW, ORIGIN, World, customer_round, make_world, staff_round
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from basis_portal.web import create_app, customer_app, staff_app

BASE_URL = f"{ORIGIN}/erp/portal"
HOST = Response("The ERP.")
MakeApp = Callable[[World], Wsgi]


def authorize(_: dict[str, Any]) -> str:
    """Everybody is ana."""
    return "ana"


def both(path: str | None = None) -> MakeApp:
    """Both apps in one."""
    return lambda world: create_app(world.portal, authorize=authorize, path=path, **world.given)


def apart(customers: str, staff: str, path: str | None = None) -> MakeApp:
    """The two apps, each at its own path, before a host."""

    def make(world: World) -> Wsgi:
        mounts = {
            customers: customer_app(world.portal, **world.given),
            staff: staff_app(world.portal, authorize=authorize, path=path, **world.given),
        }
        return DispatcherMiddleware(HOST, mounts)

    return make


@attrs.define(frozen=True)
class Proxy:
    """What a proxy does to a request, and what the server behind it is told."""

    strips: str = ""
    sends: dict[str, str] = attrs.field(factory=dict)
    environ: dict[str, str] = attrs.field(factory=dict)


TOLD = Proxy(environ={"SCRIPT_NAME": "/erp"})
KEEPS = Proxy()
STRIPS = Proxy(strips="/erp")
STRIPS_ALL = Proxy(strips="/erp/portal")
PREFIX = Proxy(strips="/erp", sends={"X-Forwarded-Prefix": "/erp", "X-Forwarded-Proto": "https"})
SLASH = Proxy(strips="/erp", sends={"X-Forwarded-Prefix": "/erp/"})


def fixed(make: MakeApp) -> MakeApp:
    """A host that believes the headers of its proxy; the Host header as well."""
    return lambda world: ProxyFix(make(world), x_proto=1, x_host=1, x_prefix=1)


CASES = {
    "the server knows the prefix, both": (both(), TOLD),
    "the server knows the prefix, apart": (apart("/portal", "/settings/portal"), TOLD),
    "the prefix is kept, both": (both("/erp"), KEEPS),
    "the prefix is kept, apart": (apart("/erp/portal", "/erp/settings/portal"), KEEPS),
    "the prefix is taken away, both": (both("/erp"), STRIPS),
    "the prefix is taken away, apart": (
        apart("/portal", "/settings/portal", path="/erp/settings/portal"), STRIPS,
    ),
    "the prefix is a header, both": (fixed(both()), PREFIX),
    "the prefix is a header, apart": (fixed(apart("/portal", "/settings/portal")), PREFIX),
    "the prefix is a header that ends in a slash": (fixed(both()), SLASH),
    "the prefix is said three times": (fixed(both("/erp")), PREFIX),
}  # fmt: skip


@pytest.mark.sampled
@pytest.mark.parametrize(("make", "proxy"), CASES.values(), ids=CASES)
def test_all_pages_are_right(make: MakeApp, proxy: Proxy) -> None:
    """Links, forms and redirects of both apps begin with the prefix, and lead to their pages."""
    world = make_world(BASE_URL, ids=FEW)
    visitor = Visitor(make(world), **attrs.asdict(proxy))
    customer_round(visitor, world)
    staff_round(visitor, world, name="ana")


@pytest.mark.parametrize(
    ("make", "proxy"),
    [
        (both(), STRIPS),
        (apart("/portal", "/settings/portal"), STRIPS),
        (lambda world: customer_app(world.portal, **world.given), STRIPS),
        (lambda world: customer_app(world.portal, **world.given), STRIPS_ALL),
        (lambda world: customer_app(world.portal, **world.given), KEEPS),
        (fixed(both()), Proxy(strips="/erp", sends={"X-Forwarded-Prefix": f"//{EVIL}"})),
    ],
)
def test_customers_need_no_setting(make: MakeApp, proxy: Proxy) -> None:
    """The customers' pages stand at ``base_url``, whatever was taken away and nobody told."""
    world = make_world(BASE_URL, ids=FEW)
    customer_round(Visitor(make(world), **attrs.asdict(proxy)), world)


@pytest.mark.parametrize("make", [both(), apart("/portal", "/settings/portal")])
def test_a_prefix_that_nobody_tells_is_missed(make: MakeApp) -> None:
    """Staff pages that are told nothing name wrong paths; the rounds above would have seen it."""
    world = make_world(BASE_URL, ids=FEW)
    with pytest.raises(AssertionError, match="leads away"):
        staff_round(Visitor(make(world), **attrs.asdict(STRIPS)), world, name="ana")


@pytest.mark.parametrize(
    ("base_url", "strips", "script"),
    [
        ("https://portal.example.com", "", ""),
        ("https://portal.example.com", "", "/erp/portal"),
        ("https://portal.example.com/nordlicht", "/nordlicht", "/erp/portal"),
        ("https://portal.example.com/nordlicht", "", "/erp"),
    ],
)
def test_a_host_name_of_its_own(base_url: str, strips: str, script: str) -> None:
    """A proxy that leads another name to the mount in the host changes no link."""
    world = make_world(base_url, ids=FEW)
    app = customer_app(world.portal, **world.given)

    def mounted(environ: dict[str, Any], start_response: Any) -> Any:
        return app({**environ, "SCRIPT_NAME": script}, start_response)

    customer_round(Visitor(mounted, strips=strips), world)


def test_a_visitor_notices_the_host_header() -> None:
    """A host whose redirect is made from the Host header fails the visits of these tests."""

    def host(environ: dict[str, Any], start_response: Any) -> Any:
        response = Response(status=302, headers={"Location": "/portal/"})
        response.autocorrect_location_header = True
        return response(environ, start_response)

    with pytest.raises(AssertionError, match="makes something of the Host header"):
        Visitor(host).open(f"{ORIGIN}/portal")
