"""In a Django host: before it by a dispatcher, and within it as a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from tests.hosts.recipes import recipe
from tests.hosts.visitor import Visitor, Wsgi, form_with
from tests.hosts.worlds import FEW, ORIGIN, World, customer_round, make_world, staff_round

from basis_portal.web import create_app

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
    User.objects.create_superuser("ana", password="secret")
    User.objects.create_user("ben", password="secret", is_staff=True)
    User.objects.create_user("cem", password="secret")


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
def make_host(
    request: pytest.FixtureRequest,
    make_django: Callable[..., Wsgi],
    monkeypatch: pytest.MonkeyPatch,
) -> MakeHost:
    """Makes a host with the pages of a world, in both ways that the documentation shows."""

    def before(world: World) -> Wsgi:
        make_django()
        host: Wsgi = recipe("erp_wsgi.py", world, monkeypatch)["application"]
        return host

    def within(world: World) -> Wsgi:
        return make_django(*recipe("erp_views.py", world, monkeypatch)["urlpatterns"])

    return before if request.param == "before" else within


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
    """Strangers, users without the right and sessions that are none see no staff page."""
    world = make_world(ids=FEW)
    host = make_host(world)
    gone, ana = signed_in(host), signed_in(host)
    gone.cookies["sessionid"] = gone.cookies["sessionid"][::-1]
    before = world.portal.settings.get()
    form = form_with(ana.open(f"{world.staff}/"), "version")
    for visitor in (Visitor(host), signed_in(host, "cem"), gone):
        assert visitor.open(f"{world.staff}/").status == 403
        assert visitor.submit(form, token_expiry_days="45").status == 403
    ben = signed_in(host, "ben")
    own = form_with(ben.open(f"{world.staff}/"), "version")
    assert ben.submit(own, token_expiry_days="45").status == 403
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
