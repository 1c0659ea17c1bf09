"""In a Flask host, by a dispatcher, beside its own login and its own forms."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort, request, session
from tests.hosts.recipes import recipe
from tests.hosts.visitor import Visitor, form_with
from tests.hosts.worlds import AWKWARD, FEW, ORIGIN, World, customer_round, make_world, staff_round
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from basis_portal.web import Staff, create_app, customer_app, staff_app


def make_host() -> Flask:
    """An ERP whose login is in the cookie ``session``, as are the values of its forms."""
    host = Flask("erp")
    host.secret_key = "the key of the host"

    @host.before_request
    def refuse_forged() -> None:
        if request.method == "POST" and request.endpoint != "login":
            given, expected = request.form.get("csrf_token", ""), session.get("csrf_token", "")
            if not expected or not secrets.compare_digest(given, expected):
                abort(400, "The CSRF token is missing.")

    @host.post("/login")
    def login() -> str:
        session.update(user=request.form["user"], csrf_token=secrets.token_hex(16))
        return session["csrf_token"]

    @host.get("/")
    def home() -> str:
        return f"You are {session.get('user')}."

    @host.post("/change")
    def change() -> str:
        return "Changed."

    return host


def by_request(host: Flask) -> Callable[[dict[str, Any]], Staff | None]:
    """The host's own session, looked at within a request of the host."""

    def authorize(environ: dict[str, Any]) -> Staff | None:
        with host.request_context(environ):
            user = session.get("user")
        return Staff(user, read_only=user == "ben") if user else None

    return authorize


def by_cookie(host: Flask) -> Callable[[dict[str, Any]], str | None]:
    """The host's own cookie, read by the host's own serializer."""

    def authorize(environ: dict[str, Any]) -> str | None:
        found = host.session_interface.open_session(host, host.request_class(environ))
        return None if found is None else found.get("user")

    return authorize


def apart(host: Flask, world: World, authorize: Any) -> None:
    """The two apps, each at its own path, before the host."""
    mounts = {
        "/portal": customer_app(world.portal, **world.given),
        "/settings/portal": staff_app(world.portal, authorize=authorize, **world.given),
    }
    host.wsgi_app = DispatcherMiddleware(host.wsgi_app, mounts)  # type: ignore[method-assign]


def together(host: Flask, world: World, authorize: Any) -> None:
    """The app that is both, mounted nowhere: what it does not find the host is asked for."""
    both = create_app(world.portal, authorize=authorize, **world.given)
    inner = host.wsgi_app

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        ours = environ["PATH_INFO"].startswith(("/portal", "/settings/portal"))
        return (both if ours else inner)(environ, start_response)

    host.wsgi_app = app  # type: ignore[method-assign]


@pytest.fixture
def host() -> Flask:
    """The host."""
    return make_host()


def signed_in(host: Flask, user: str = "ana") -> Visitor:
    """A visitor who has signed in to the host."""
    visitor = Visitor(host)
    visitor.open(f"{ORIGIN}/login", method="POST", data={"user": user})
    assert visitor.open(f"{ORIGIN}/").text == f"You are {user}."
    return visitor


def test_the_host_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host that the documentation shows has all pages, and staff are who has signed in."""
    world = make_world(ids=FEW)
    visitor = Visitor(recipe("erp_flask.py", world, monkeypatch)["host"])
    customer_round(visitor, world)
    assert visitor.open(f"{world.staff}/").status == 403
    visitor.open(f"{ORIGIN}/login/ana", method="POST", data={})
    before = dict(visitor.cookies)
    staff_round(visitor, world, name="ana")
    assert visitor.cookies == before


@pytest.mark.parametrize(
    ("mount", "named", "ids"),
    [(apart, by_request, AWKWARD), (apart, by_cookie, FEW), (together, by_request, FEW)],
)
def test_all_pages_are_right(host: Flask, mount: Any, named: Any, ids: Any) -> None:
    """Customers' and staff pages are right, and staff are who has signed in to the host."""
    world = make_world(ids=ids)
    mount(host, world, named(host))
    customer_round(Visitor(host), world)
    staff_round(signed_in(host), world, name="ana")


def test_the_login_of_the_host_is_left_alone(host: Flask) -> None:
    """Whatever is visited and sent, the host's cookie stays as it is, and so do its forms."""
    world = make_world(ids=FEW)
    apart(host, world, by_request(host))
    visitor = Visitor(host)
    token = visitor.open(f"{ORIGIN}/login", method="POST", data={"user": "ana"}).text
    before = dict(visitor.cookies)
    assert set(before) == {"session"}
    customer_round(visitor, world)
    staff_round(visitor, world, name="ana")
    assert visitor.cookies == before
    assert visitor.open(f"{ORIGIN}/").text == "You are ana."
    changed = visitor.open(f"{ORIGIN}/change", method="POST", data={"csrf_token": token})
    assert changed.text == "Changed."
    assert visitor.open(f"{ORIGIN}/change", method="POST", data={}).status == 400


@pytest.mark.parametrize("named", [by_request, by_cookie])
def test_who_is_not_signed_in_is_nobody(host: Flask, named: Any) -> None:
    """Without the host's cookie, or with one the host did not sign, no staff page is shown."""
    world = make_world(ids=FEW)
    apart(host, world, named(host))
    stranger, forger = Visitor(host), signed_in(host)
    forger.cookies["session"] = forger.cookies["session"][:-6] + "AAAAAA"
    before = world.portal.settings.get()
    for visitor in (stranger, forger):
        for method in ("GET", "POST"):
            page = visitor.open(f"{world.staff}/", method=method, data={"enabled": "on"})
            assert page.status == 403
            assert "form" not in [name for form in page.forms for name in form.fields]
    assert world.portal.settings.get() == before
    assert signed_in(host).open(f"{world.staff}/").status == 200


def test_who_may_only_look(host: Flask) -> None:
    """A reader sees the pages; what a reader sends changes nothing, whosever form it is."""
    world = make_world(ids=FEW)
    apart(host, world, by_request(host))
    before = world.portal.settings.get()
    own, other = [
        form_with(signed_in(host, user).open(f"{world.staff}/"), "version")
        for user in ("ben", "ana")
    ]
    for form in (own, other):
        assert signed_in(host, "ben").submit(form, token_expiry_days="45").status == 403
    assert world.portal.settings.get() == before
    assert signed_in(host).submit(other, token_expiry_days="45").status == 200
    assert world.portal.settings.get().config.token_expiry_days == 45


def test_a_form_of_a_colleague(host: Flask) -> None:
    """A form that was shown to one member of staff is not taken from another."""
    world = make_world(ids=FEW)
    apart(host, world, by_request(host))
    ana, cem = signed_in(host), signed_in(host, "cem")
    form = form_with(ana.open(f"{world.staff}/"), "version")
    assert cem.submit(form, token_expiry_days="45").status == 403
    assert ana.submit(form, token_expiry_days="45").status == 200
