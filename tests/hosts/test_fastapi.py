"""In a FastAPI host, through a2wsgi, beside the host's own login."""

from __future__ import annotations

from typing import Any

import pytest
from a2wsgi import WSGIMiddleware
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from starlette.middleware.sessions import SessionMiddleware
from tests.hosts.asgi import served
from tests.hosts.visitor import Visitor
from tests.hosts.worlds import FEW, ORIGIN, World, customer_round, make_world, staff_round

from basis_portal.web import customer_app, staff_app


@pytest.fixture
def make_api(monkeypatch: pytest.MonkeyPatch) -> MakeApi:
    """Makes the host that the documentation shows; its staff app may be given a path."""

    def make(world: World, path: str | None = None) -> FastAPI:
        if path:
            with_path = partial(basis_portal.web.staff_app, path=path)
            monkeypatch.setattr(basis_portal.web, "staff_app", with_path)
        api: FastAPI = recipe("erp_api.py", world, monkeypatch)["api"]
        api.get("/me")(lambda request: str(request.session.get("user")))
        return api

    return make


def signed_in(app: Any, home: str = ORIGIN, **behind: Any) -> Visitor:
    """A visitor who has signed in to the host."""
    visitor = Visitor(app, **behind)
    visitor.open(f"{home}/login/ana", method="POST", data={})
    assert visitor.open(f"{home}/me").text == '"ana"'
    return visitor


def test_all_pages_are_right() -> None:
    """Customers' and staff pages are right, and staff are who has signed in to the host."""
    world = make_world()
    app = served(make_host(world))
    customer_round(Visitor(app), world)
    visitor = signed_in(app)
    before = dict(visitor.cookies)
    staff_round(visitor, world, name="ana")
    assert visitor.cookies == before
    assert Visitor(app).open(f"{world.staff}/").status == 403


@pytest.mark.parametrize("adds_root", [True, False])
@pytest.mark.parametrize("path", ["/erp/settings/portal", None])
def test_below_a_root_path(adds_root: bool, path: str | None) -> None:
    """Below a ``root_path`` the pages are right; where the server does not add it, with a path."""
    world = make_world(f"{ORIGIN}/erp/portal", ids=FEW)
    app = served(make_host(world, path=path), root_path="/erp", adds_root=adds_root)
    customer_round(Visitor(app, strips="/erp"), world)
    if adds_root or path:
        visitor = signed_in(app, f"{ORIGIN}/erp", strips="/erp")
        staff_round(visitor, world, name="ana")


@pytest.mark.parametrize("root_path", ["", "/erp"])
def test_staff_without_a_slash(root_path: str) -> None:
    """The address of the staff pages without a slash leads to them, by its path alone."""
    world = make_world(f"{ORIGIN}{root_path}/portal", ids=FEW)
    visitor = signed_in(
        served(make_host(world), root_path=root_path), f"{ORIGIN}{root_path}", strips=root_path
    )
    page = visitor.open(world.staff)
    assert page.location == f"{world.staff}/"
    assert visitor.open(page.location).status == 200


def test_head() -> None:
    """HEAD has the status and the headers of GET, and no body."""
    world = make_world(ids=FEW)
    visitor = signed_in(served(make_host(world)))
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


@pytest.mark.parametrize(
    "text", ["%C3%BC", "%E5%AE%A2", "a%2Fb", "a%20b", "%25", "%FF", "a%00b", "%0A"]
)
def test_encoded_characters(text: str) -> None:
    """Whatever stands in a path in place of a link is refused as a wrong link is."""
    world = make_world(ids=FEW)
    visitor = Visitor(served(make_host(world)))
    wrong = visitor.open(f"{world.portal.base_url}/nobody")
    page = visitor.open(f"{world.portal.base_url}/{text}")
    assert (page.status, page.body) == (403, wrong.body)


def test_a_long_message_in_parts() -> None:
    """A body that comes in parts, up to the most that a form takes, comes back with its text."""
    world = make_world(ids=FEW)
    visitor = Visitor(served(make_host(world)))
    (form,) = visitor.open(f"{world.link}/messages").forms
    page = visitor.submit(form, text="客" * 90_000)
    assert (page.status, page.forms[0].fields["text"]) == (400, "客" * 90_000)
    assert visitor.submit(form, text="x" * 1_000_000).status == 413
    assert visitor.submit(form, text="客" * 2000).status == 200
