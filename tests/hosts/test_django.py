"""In a Django host: before it by a dispatcher, and within it as a view."""

from __future__ import annotations

import copy
import http.client
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import django
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from tests.hosts.recipes import defined_by, recipe
from tests.hosts.visitor import Visitor, Wsgi, form_with
from tests.hosts.worlds import (
    CUSTOMER,
    FEW,
    ORIGIN,
    World,
    customer_round,
    make_world,
    staff_round,
)
from tests.web.conftest import Failing
from werkzeug.test import create_environ, run_wsgi_app

from basis_portal import StorageError
from basis_portal.storage.memory import InMemoryStorage
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


def broken(_: HttpRequest) -> HttpResponse:
    """A page of the host that fails."""
    raise RuntimeError("the page failed")


def reads_forms(get_response: Any) -> Any:
    """A middleware that looks at each form."""

    def middleware(request: HttpRequest) -> Any:
        assert request.POST is not None
        return get_response(request)

    return middleware


def fails_afterwards(get_response: Any) -> Any:
    """A middleware that fails once the page is made."""

    def middleware(request: HttpRequest) -> Any:
        get_response(request)
        raise RuntimeError("the middleware failed")

    return middleware


@pytest.fixture
def make_django() -> Iterator[Callable[..., Wsgi]]:
    """Makes the host, with more addresses than its own, and other settings."""
    from django.core.wsgi import get_wsgi_application
    from django.test import override_settings
    from django.urls import path

    overridden: list[Any] = []

    def make(*more: Any, **changes: Any) -> Wsgi:
        urls = (path("login", login), path("me", me), path("broken", broken), *more)
        overridden.append(override_settings(ROOT_URLCONF=urls, **changes))
        overridden[-1].enable()
        return get_wsgi_application()

    yield make
    for one in reversed(overridden):
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


# --- bodies ---------------------------------------------------------------------------------


def test_too_large_a_body(make_host: MakeHost) -> None:
    """A body that Django would refuse gets the page that says so, with our headers."""
    world = make_world(ids=FEW)
    alone = Visitor(create_app(world.portal, authorize=lambda _: "ana", **world.given))
    visitor = Visitor(make_host(world))
    for size in (1_100_000, 3_000_000):
        for url in (f"{world.link}/messages", f"{world.portal.base_url}/nobody"):
            page, expected = (
                one.open(url, method="POST", data={"text": "x" * size}) for one in (visitor, alone)
            )
            assert (page.status, page.body) == (expected.status, expected.body)
            assert {*expected.headers} <= {*page.headers}
            assert page.status == (413 if url.endswith("/messages") else 405)


def test_a_body_without_an_end(make_host: MakeHost) -> None:
    """One that is said to be huge is refused before any of it is read."""

    class Endless:
        """Fails when it is read."""

        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    world = make_world(ids=FEW)
    environ = create_environ(f"{urlsplit(world.link).path}/messages", method="POST")
    environ |= {
        "wsgi.input": Endless(),
        "CONTENT_LENGTH": "100000000000",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
    }
    _, status, headers = run_wsgi_app(make_host(world), environ, buffered=True)
    assert status.startswith("413")
    assert headers["Cache-Control"] == "no-store, private"


def test_a_middleware_that_reads_forms(
    make_django: Callable[..., Wsgi], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within Django, a form that was looked at before is still there."""
    world = make_world(ids=FEW)
    reading = (*settings.MIDDLEWARE, f"{__name__}.reads_forms")
    views = recipe("erp_views.py", world, monkeypatch)["urlpatterns"]
    host = make_django(*views, MIDDLEWARE=reading)
    customer_round(Visitor(host), world)
    staff_round(signed_in(host), world, name="ana")


# --- logs and mails -------------------------------------------------------------------------

LogAs = Callable[[dict[str, Any] | None], None]


@pytest.fixture
def log_as() -> Iterator[LogAs]:
    """Sets logging up as Django does when it starts; afterwards all loggers are as they were."""
    from django.utils.log import configure_logging

    names = [name for name, one in logging.root.manager.loggerDict.items() if hasattr(one, "level")]
    loggers = [logging.root, *map(logging.getLogger, names)]
    before = [(one.handlers[:], one.level, one.propagate, one.disabled) for one in loggers]
    yield lambda given: configure_logging("logging.config.dictConfig", given)
    for one, (handlers, level, propagate, disabled) in zip(loggers, before, strict=True):
        one.handlers[:], one.propagate, one.disabled = handlers, propagate, disabled
        one.setLevel(level)


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """All that was mailed since it was last asked: subject and every body of each mail."""
    from django.core import mail
    from django.test import override_settings

    monkeypatch.setattr(mail, "outbox", [], raising=False)

    def taken() -> list[str]:
        found = [
            "\n".join([one.subject, one.body, *(text for text, _ in one.alternatives)])
            for one in mail.outbox
        ]
        mail.outbox.clear()
        return found

    backend = "django.core.mail.backends.locmem.EmailBackend"
    given: dict[str, Any] = {"EMAIL_BACKEND": backend, "ADMINS": [("Ops", "ops@erp.example")]}
    if django.VERSION >= (6, 1):
        mailers = {"default": {"BACKEND": backend}}
        given = {"MAILERS": mailers, "ADMINS": ["ops@erp.example"]}
    with override_settings(DEBUG=False, **given):
        yield taken


def documented(*, filtered: bool = True) -> dict[str, Any]:
    """The documented LOGGING, whose mails are HTML as well; for the control without the filter."""
    found: dict[str, Any] = copy.deepcopy(defined_by("erp_settings.py")["LOGGING"])
    for one in found["handlers"].values():
        if "AdminEmailHandler" in one["class"]:
            one["include_html"] = True
        if not filtered:
            one["filters"] = [name for name in one["filters"] if name != "links"]
    return found


class Faults:
    """What makes Django mail, once each, with a link somewhere in the request."""

    def __init__(
        self, world: World, make_django: Callable[..., Wsgi], patch: pytest.MonkeyPatch
    ) -> None:
        self.world = world
        views = recipe("erp_views.py", world, patch)["urlpatterns"]
        self.make: Callable[..., Wsgi] = lambda **changes: make_django(*views, **changes)
        self.visitor = Visitor(self.make())
        self.staff = signed_in(self.visitor.app)
        self.check = form_with(self.staff.open(f"{world.staff}/check-link"), "link")

    def unavailable(self) -> None:
        """A customer's page, while the storage is away."""
        self.world.storage.error = lambda: StorageError("the disk is full")
        assert self.visitor.open(self.world.link).status == 503
        self.world.storage.error = None

    def unavailable_to_staff(self) -> None:
        """The form that takes a link."""
        self.world.storage.error = lambda: StorageError("the disk is full")
        self.world.storage.only = "tokens."
        assert self.staff.submit(self.check, link=self.world.link).status == 503
        self.world.storage.error, self.world.storage.only = None, ""

    def form_that_was_read(self) -> None:
        """The same, where a middleware has read the form, so that Django has it as well."""
        self.staff.app = self.make(MIDDLEWARE=(*settings.MIDDLEWARE, f"{__name__}.reads_forms"))
        self.unavailable_to_staff()

    def middleware(self) -> None:
        """The host fails after the page was made."""
        failing = (f"{__name__}.fails_afterwards", *settings.MIDDLEWARE)
        assert Visitor(self.make(MIDDLEWARE=failing)).open(self.world.link).status == 500

    def referer(self) -> None:
        """A page of the host fails that was asked for from a customer's page."""
        given = {"Referer": self.world.link}
        assert self.visitor.open(f"{ORIGIN}/broken", headers=given).status == 500

    def query(self) -> None:
        """A page of the host fails that was given a link."""
        assert self.visitor.open(f"{ORIGIN}/broken?next={self.world.link}").status == 500

    def wrong_host(self) -> None:
        """Django refuses the Host header, and does not name the address in what it says."""
        from django.test import override_settings

        with override_settings(ALLOWED_HOSTS=["erp.example.com"]):
            assert self.visitor.open(self.world.link).status == 400


IN_FORMS = ("unavailable_to_staff", "form_that_was_read")
IN_REQUESTS = ("unavailable", "middleware", "referer", "query", "wrong_host")


@pytest.mark.parametrize("name", [*IN_REQUESTS, *IN_FORMS])
def test_mails_to_the_admins_hold_no_link(
    name: str,
    make_django: Callable[..., Wsgi],
    log_as: LogAs,
    mails: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the documented LOGGING a fault is mailed, and neither mail nor console has a link."""
    world = make_world(storage=Failing(InMemoryStorage()), ids=FEW)
    token = urlsplit(world.link).path.split("/")[2]
    fault = getattr(Faults(world, make_django, monkeypatch), name)
    log_as(documented())
    fault()
    (mail,) = mails()
    written = capsys.readouterr().err
    assert "ERROR" in mail
    for text in (mail, written):
        assert text
        assert token.partition(".")[2] not in text
    if name in IN_REQUESTS:  # the control: without the filter the link is there
        log_as(documented(filtered=False))
        fault()
        assert token in mails()[0]


def test_a_logging_that_leaves_djangos_handlers_alone_mails_the_link(
    make_django: Callable[..., Wsgi],
    log_as: LogAs,
    mails: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why the documented one names them: the filter of other handlers comes too late."""
    world = make_world(storage=Failing(InMemoryStorage()), ids=FEW)
    log_as({**documented(), "loggers": {}})
    Faults(world, make_django, monkeypatch).unavailable()
    (mail,) = mails()
    assert world.link.removeprefix(ORIGIN) in mail


def test_an_error_elsewhere_is_mailed_in_full(
    make_django: Callable[..., Wsgi],
    log_as: LogAs,
    mails: Callable[[], list[str]],
) -> None:
    """What has nothing to do with a link is mailed as ever: address, request, traceback."""
    visitor = Visitor(make_django())
    log_as(documented())
    assert visitor.open(f"{ORIGIN}/broken", headers={"Referer": f"{ORIGIN}/me"}).status == 500
    (mail,) = mails()
    for text in ("EXTERNAL IP", "/broken", "RuntimeError", "HTTP_REFERER", "in broken"):
        assert text in mail


def test_what_is_refused_is_logged_without_a_link(
    make_host: MakeHost, log_as: LogAs, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that is not there, a link that is dead: Django's warnings are masked."""
    world = make_world(ids=FEW)
    visitor = Visitor(make_host(world))
    token = urlsplit(world.link).path.split("/")[2]
    log_as(documented())
    assert visitor.open(f"{world.link}/nowhere").status == 404
    world.portal.tokens.revoke(CUSTOMER, by="ana")
    assert visitor.open(world.link).status == 403
    written = capsys.readouterr().err
    assert f"{token[:8]}" in written
    assert token.partition(".")[2] not in written


def test_runserver_logs_no_link(
    make_host: MakeHost, log_as: LogAs, capsys: pytest.CaptureFixture[str]
) -> None:
    """Django's development server writes each request line, once, masked."""
    from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer

    world = make_world(ids=FEW)
    path = urlsplit(world.link).path
    token = path.split("/")[2]
    host = make_host(world)

    def written(given: dict[str, Any] | None) -> str:
        log_as(given)
        capsys.readouterr()
        server = WSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
        server.set_app(host)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(_ask, server.server_port, path)
            server.handle_request()  # here, where Django's database is
            assert asked.result(10) == 200
        server.server_close()
        return capsys.readouterr().err

    lines = written(documented())
    assert lines.count(f'"GET /portal/{token[:8]}... HTTP/1.1" 200') == 1
    assert token not in lines
    assert token in written(None)  # the control: Django's own


def _ask(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Connection": "close"})
    status = connection.getresponse().status
    connection.close()
    return status
