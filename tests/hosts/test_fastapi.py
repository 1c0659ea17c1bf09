"""In a FastAPI host, through a2wsgi, beside the host's own login."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from a2wsgi import WSGIMiddleware
from fastapi import FastAPI
from tests.hosts.asgi import served
from tests.hosts.recipes import recipe
from tests.hosts.visitor import Visitor, form_with
from tests.hosts.worlds import FEW, ORIGIN, World, customer_round, make_world, staff_round

from basis_portal.web import create_app, customer_app, staff_app

MakeApi = Callable[[World], FastAPI]


@pytest.fixture
def make_api(monkeypatch: pytest.MonkeyPatch) -> MakeApi:
    """Makes the host that the documentation shows."""

    def make(world: World) -> FastAPI:
        api: FastAPI = recipe("erp_api.py", world, monkeypatch)["api"]
        return api

    return make


def signed_in(app: Any, home: str = ORIGIN, **behind: Any) -> Visitor:
    """A visitor who has signed in to the host."""
    visitor = Visitor(app, **behind)
    visitor.open(f"{home}/login/ana", method="POST", data={})
    assert set(visitor.cookies) == {"session"}
    return visitor


def test_all_pages_are_right(make_api: MakeApi) -> None:
    """Customers' and staff pages are right, and staff are who has signed in to the host."""
    world = make_world()
    app = served(make_api(world))
    customer_round(Visitor(app), world)
    visitor = signed_in(app)
    before = dict(visitor.cookies)
    staff_round(visitor, world, name="ana")
    assert visitor.cookies == before
    assert Visitor(app).open(f"{world.staff}/").status == 403


def test_below_a_root_path(make_api: MakeApi) -> None:
    """Where the server knows a prefix, all links, forms and redirects begin with it."""
    world = make_world(f"{ORIGIN}/erp/portal", ids=FEW)
    app = served(make_api(world), root_path="/erp")
    customer_round(Visitor(app, strips="/erp"), world)
    staff_round(signed_in(app, f"{ORIGIN}/erp", strips="/erp"), world, name="ana")


@pytest.mark.parametrize("strips", ["", "/erp"])
def test_below_a_root_path_of_fastapi(strips: str, make_api: MakeApi) -> None:
    """Where only FastAPI knows the prefix, the proxy may take it away or pass it on."""
    world = make_world(f"{ORIGIN}/erp/portal", ids=FEW)
    api = make_api(world)
    api.root_path = "/erp"
    customer_round(Visitor(served(api), strips=strips), world)
    staff_round(signed_in(served(api), f"{ORIGIN}/erp", strips=strips), world, name="ana")


def test_mounts_below_a_root_path_that_is_in_no_path() -> None:
    """Below a mount of Starlette's the mount stays in the path: a ``path`` helps."""
    world = make_world(f"{ORIGIN}/erp/portal", ids=FEW)
    staff = staff_app(
        world.portal, authorize=lambda _: "ana", path="/erp/settings/portal", **world.given
    )
    host = FastAPI()
    host.mount("/portal", WSGIMiddleware(customer_app(world.portal, **world.given)))
    host.mount("/settings/portal", WSGIMiddleware(staff))
    visitor = Visitor(served(host, root_path="/erp", adds_root=False), strips="/erp")
    customer_round(visitor, world)
    staff_round(visitor, world, name="ana")


@pytest.mark.parametrize("root_path", ["", "/erp"])
def test_staff_without_a_slash(root_path: str, make_api: MakeApi) -> None:
    """The address of the staff pages is theirs with and without a slash at its end."""
    world = make_world(f"{ORIGIN}{root_path}/portal", ids=FEW)
    visitor = signed_in(
        served(make_api(world), root_path=root_path), f"{ORIGIN}{root_path}", strips=root_path
    )
    for url in (world.staff, f"{world.staff}/"):
        page = visitor.open(url)
        assert page.status == 200
        settings = form_with(page, "version")
        assert visitor.submit(settings).status == 200


@pytest.mark.parametrize("root_path", ["", "/erp"])
@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
)
def test_every_method_is_answered_by_us(root_path: str, method: str, make_api: MakeApi) -> None:
    """Nothing at our addresses is answered by FastAPI: its answers have none of our headers."""
    world = make_world(f"{ORIGIN}{root_path}/portal", ids=FEW)
    visitor = Visitor(served(make_api(world), root_path=root_path), strips=root_path)
    alone = Visitor(
        create_app(world.portal, authorize=lambda _: None, path=root_path, **world.given)
    )
    for at in (world.portal.base_url, world.staff):
        for more in (
            "",
            "/",
            "//",
            "/nowhere",
            "/static/none.css",
            "/a/",
            "/a%0A",
            "/a%0A/",
            "/a%0Ab",
        ):
            url = at + more
            page, expected = (one.open(url, method=method, data={}) for one in (visitor, alone))
            assert (page.status, page.body) == (expected.status, expected.body), url
            assert {*page.headers} == {
                (name.lower(), value) for name, value in expected.headers.items()
            }


@pytest.mark.parametrize(
    "path",
    ["/portals", "/settings", "/settings/portals", "/", "/docs", "/portal%0A", "/portal%0A/"],
)
def test_other_addresses_are_the_hosts(path: str, make_api: MakeApi) -> None:
    """What only begins alike stays FastAPI's."""
    page = Visitor(served(make_api(make_world(ids=FEW)))).open(f"{ORIGIN}{path}")
    assert "X-Frame-Options" not in page.headers


def test_head(make_api: MakeApi) -> None:
    """HEAD has the status and the headers of GET, and no body."""
    world = make_world(ids=FEW)
    visitor = signed_in(served(make_api(world)))
    for url in (
        world.link,
        f"{world.link}/nowhere",
        f"{world.portal.base_url}/nobody",
        f"{world.staff}/",
        f"{world.staff}/nowhere",
    ):
        get, head = visitor.open(url), visitor.open(url, method="HEAD")
        assert get.body
        assert not head.body
        assert (head.status, {*head.headers}) == (get.status, {*get.headers})


def test_encoded_characters(make_api: MakeApi) -> None:
    """Whatever stands in a path in place of a link is refused as a wrong link is."""
    world = make_world(ids=FEW)
    visitor = Visitor(served(make_api(world)))
    wrong = visitor.open(f"{world.portal.base_url}/nobody")
    for text in ("%C3%BC", "%E5%AE%A2", "a%2Fb", "a%20b", "%25", "%FF", "a%00b", "%0A", "%2F%2Fx"):
        page = visitor.open(f"{world.portal.base_url}/{text}")
        assert (page.status, page.body) == (403, wrong.body), text


def test_a_long_message_in_parts(make_api: MakeApi) -> None:
    """A body that comes in parts, up to the most that a form takes, comes back with its text."""
    world = make_world(ids=FEW)
    visitor = Visitor(served(make_api(world)))
    (form,) = visitor.open(f"{world.link}/messages").forms
    page = visitor.submit(form, text="客" * 90_000)
    assert (page.status, page.forms[0].fields["text"]) == (400, "客" * 90_000)
    assert visitor.submit(form, text="x" * 1_000_000).status == 413
    assert visitor.submit(form, text="客" * 2000).status == 200
