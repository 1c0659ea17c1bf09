"""In a Django host: before it by a dispatcher, and within it as a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import django
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from tests.hosts.visitor import Visitor, Wsgi
from tests.hosts.worlds import FEW, ORIGIN, World, customer_round, make_world, staff_round
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from basis_portal.web import Staff, create_app, customer_app, staff_app

MakeHost = Callable[[World], Wsgi]


@pytest.fixture(scope="module", autouse=True)
def configured() -> None:
    """Django with its own sessions, users and protections, in memory."""
    middleware = (
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    )
    settings.configure(
        SECRET_KEY="the key of the host",
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[f"django.contrib.{one}" for one in ("auth", "contenttypes", "sessions")],
        MIDDLEWARE=middleware,
        LOGGING_CONFIG=None,
    )
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name, is_staff in (("ana", True), ("ben", False)):
        User.objects.create_user(name, password="secret", is_staff=is_staff)


def login(request: HttpRequest) -> HttpResponse:
    """The login of the host, which gives the value of its forms."""
    from django.contrib import auth
    from django.middleware.csrf import get_token

    user = auth.authenticate(request, username=request.GET["user"], password="secret")
    auth.login(request, user)
    return HttpResponse(get_token(request))


def me(request: HttpRequest) -> HttpResponse:
    """Who is signed in; also the answer to a form of the host."""
    return HttpResponse(f"You are {request.user}.")


@pytest.fixture
def make_django() -> Iterator[Callable[..., Wsgi]]:
    """Makes the host, with more addresses than its own."""
    from django.core.wsgi import get_wsgi_application
    from django.test import override_settings
    from django.urls import path

    overridden: list[Any] = []

    def make(*more: Any) -> Wsgi:
        urls = (path("login", login), path("me", me), *more)
        overridden.append(override_settings(ROOT_URLCONF=urls))
        overridden[-1].enable()
        return get_wsgi_application()

    yield make
    for one in overridden:
        one.disable()


@pytest.fixture(params=["before", "within"])
def make_host(request: pytest.FixtureRequest, make_django: Callable[..., Wsgi]) -> MakeHost:
    """Makes a host with the pages of a world, in both ways."""

    def before(world: World) -> Wsgi:
        customers = customer_app(world.portal, **world.given)
        staff = staff_app(world.portal, authorize=by_session, **world.given)
        return DispatcherMiddleware(
            make_django(), {"/portal": customers, "/settings/portal": staff}
        )

    def within(world: World) -> Wsgi:
        from django.urls import re_path

        app = create_app(world.portal, authorize=by_user, **world.given)
        return make_django(re_path(r"^(?:settings/)?portal(?:/|$)", view_of(app)))

    return before if request.param == "before" else within


def by_session(environ: dict[str, Any]) -> str | None:
    """Before Django: its session is looked up as its middleware would."""
    from django.contrib.auth import get_user
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.handlers.wsgi import WSGIRequest
    from django.db import close_old_connections

    request = WSGIRequest(environ)
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user = get_user(request)
    close_old_connections()
    return user.get_username() if user.is_staff else None


def by_user(environ: dict[str, Any]) -> Staff | None:
    """Within Django: its middleware has found the user."""
    user = environ["django.request"].user
    return Staff(user.get_username()) if user.is_staff else None


def view_of(app: Wsgi) -> Callable[[HttpRequest], HttpResponse]:
    """A view that asks a WSGI app."""
    from django.views.decorators.csrf import csrf_exempt

    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        body = BytesIO(request.body)
        environ = {**request.environ, "wsgi.input": body, "django.request": request}
        answer = Response.from_app(app, environ, buffered=True)
        return HttpResponse(answer.data, status=answer.status_code, headers=dict(answer.headers))

    return view


def signed_in(host: Wsgi, user: str = "ana", home: str = ORIGIN, **behind: Any) -> Visitor:
    """A visitor who has signed in to the host."""
    visitor = Visitor(host, **behind)
    visitor.open(f"{home}/login?user={user}")
    assert visitor.open(f"{home}/me").text == f"You are {user}."
    return visitor


def test_all_pages_are_right(make_host: MakeHost) -> None:
    """Customers' and staff pages are right, and staff are who has signed in to the host."""
    world = make_world()
    host = make_host(world)
    customer_round(Visitor(host), world)
    staff_round(signed_in(host), world, name="ana")


def test_below_a_prefix(make_host: MakeHost) -> None:
    """Where the server knows a prefix, all links, forms and redirects begin with it."""
    world = make_world(f"{ORIGIN}/erp/portal", ids=FEW)
    host, behind = make_host(world), {"environ": {"SCRIPT_NAME": "/erp"}}
    customer_round(Visitor(host, **behind), world)
    staff_round(signed_in(host, home=f"{ORIGIN}/erp", **behind), world, name="ana")


def test_the_login_of_the_host_is_left_alone(make_host: MakeHost) -> None:
    """Whatever is visited and sent, the host's cookies stay as they are, and so do its forms."""
    world = make_world(ids=FEW)
    visitor = Visitor(make_host(world))
    token = visitor.open(f"{ORIGIN}/login?user=ana").text
    before = dict(visitor.cookies)
    assert set(before) == {"sessionid", "csrftoken"}
    customer_round(visitor, world)
    staff_round(visitor, world, name="ana")
    assert visitor.cookies == before
    form = {"csrfmiddlewaretoken": token}
    assert visitor.open(f"{ORIGIN}/me", method="POST", data=form).text == "You are ana."
    assert visitor.open(f"{ORIGIN}/me", method="POST", data={}).status == 403


def test_who_is_no_staff_of_the_host_is_nobody(make_host: MakeHost) -> None:
    """Strangers, users without the right, and sessions that have ended see no staff page."""
    world = make_world(ids=FEW)
    host = make_host(world)
    gone, ana = signed_in(host), signed_in(host)
    gone.cookies["sessionid"] = gone.cookies["sessionid"][::-1]
    before = world.portal.settings.get()
    (form,) = [one for one in ana.open(f"{world.staff}/").forms if "version" in one.fields]
    for visitor in (Visitor(host), signed_in(host, "ben"), gone):
        assert visitor.open(f"{world.staff}/").status == 403
        assert visitor.submit(form, token_expiry_days="45").status == 403
    assert world.portal.settings.get() == before
    assert ana.submit(form, token_expiry_days="45").status == 200
    assert world.portal.settings.get() != before


def test_our_headers_stay(make_host: MakeHost) -> None:
    """The host's middleware neither weakens nor doubles the headers of the pages."""
    world = make_world(ids=FEW)
    alone = Visitor(create_app(world.portal, authorize=lambda _: "ana", **world.given))
    visitor = signed_in(make_host(world))
    for url in (world.link, f"{world.link}/nowhere", f"{world.staff}/", f"{world.staff}/nowhere"):
        for method in ("GET", "HEAD"):
            page = visitor.open(url, method=method)
            expected = alone.open(url, method=method)
            assert {*expected.headers} <= {*page.headers}
            assert {*page.headers.keys()} - {*expected.headers.keys()} <= {"Vary"}
            assert len({*page.headers.keys()}) == len(page.headers)
            assert bool(page.body) == (method == "GET")
