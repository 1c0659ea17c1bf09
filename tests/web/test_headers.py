"""The headers of every answer: each route, each method, each status, of both apps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from tests.web.conftest import (
    BASE_URL,
    ORIGIN,
    SELLER,
    STAFF_PATH,
    Failing,
    Page,
    Visitor,
    WithFiles,
    authorize,
    path_of,
)
from werkzeug.routing import Rule
from werkzeug.test import Client, EnvironBuilder, TestResponse, run_wsgi_app

from basis_portal import LedgerError, Portal, PortalConfig, StorageError
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import Theme, create_app, customer_app, staff_app

OFF = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), "
    "fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), "
    "payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), "
    "usb=(), xr-spatial-tracking=(), clipboard-read=()"
)
FOR_CUSTOMERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store, private",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": f"{OFF}, clipboard-write=()",
}
FOR_STAFF = {
    **FOR_CUSTOMERS,
    "Content-Security-Policy": FOR_CUSTOMERS["Content-Security-Policy"]
    + "; script-src 'self'; connect-src 'self'",
    "Permissions-Policy": f"{OFF}, clipboard-write=(self)",
}
HSTS = "max-age=63072000"
FILES = ("public, max-age=31536000", "no-cache, public, max-age=31536000")
STATIC = ("static", "theme_css", "logo")
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW")
STATUSES = {200, 206, 303, 304, 400, 403, 404, 405, 413, 416, 429, 500, 503}


def header_faults(
    headers: list[tuple[str, str]], *, staff: bool, https: bool = True, file: bool = False
) -> list[str]:
    """What is wrong with the headers of an answer; ``file`` is True for a static file."""
    wanted: dict[str, tuple[str, ...]] = {
        name: (value,) for name, value in (FOR_STAFF if staff else FOR_CUSTOMERS).items()
    }
    wanted["Strict-Transport-Security"] = (HSTS,) if https else ()
    if file:
        wanted["Cache-Control"] = FILES
    faults = []
    for name, values in wanted.items():
        found = [value for given, value in headers if given.lower() == name.lower()]
        if len(found) != bool(values) or any(value not in values for value in found):
            faults.append(f"{name}: {found}")
    for name, value in headers:
        if name.lower() in ("set-cookie", "set-cookie2", "server", "x-powered-by"):
            faults.append(f"{name} is given")
        if "://" in value or re.search(r"[\x00-\x1f\x7f]", name + value):
            faults.append(f"{name}: {value!r}")
        if name.lower() == "location" and not re.match(r"/(?![/\\])", value):
            faults.append(f"Location: {value!r}")
    return faults


# --- the routes -----------------------------------------------------------------------------


@attrs.define
class Site:
    """Both apps over a storage that can be made to fail, and all their routes.

    Attributes:
        portal: the portal.
        storage: its storage.
        client: asks both apps.
        routes: for each route whether it is staff's, its rule and a few addresses.
    """

    portal: Portal
    storage: Failing
    client: Client
    routes: list[tuple[bool, Rule, list[str]]]

    @classmethod
    def over(cls, storage: Failing, clock: FrozenClock, base_url: str = BASE_URL) -> Site:
        """The invented seller's."""
        made = demo.make_seller(storage, clock, base_url=base_url, invoices=60)  # type: ignore[arg-type]
        made = _with_files(made, storage, clock, base_url)
        theme = Theme(colour="#1f5673")
        both = create_app(made, authorize=authorize, seller=SELLER, theme=theme)
        link = made.tokens.link(demo.KOPI, by="ana").rsplit("/", 1)[1]
        dead = made.tokens.regenerate(demo.MUELLER, by="ana").id + "." + "x" * 43
        documents = [key_of(one) for one in ("INV-1042", "INV-1030", "INV-1060", "none")]
        customers = [key_of(demo.KOPI), key_of(demo.HARBOUR), key_of("nobody")]
        files = ["portal.css", "none.css"]
        mine: Any = {"text": [link, dead], "key": documents, "filename": files, "_": ["no/where"]}
        theirs = {**mine, "text": customers, "key": customers}
        routes = [
            (staff, rule, addresses)
            for staff, app, values in (
                (False, customer_app(made, theme=theme), mine),
                (True, staff_app(made, theme=theme), theirs),
            )
            for rule in app.url_map.iter_rules()
            for addresses in [list(_addresses(STAFF_PATH if staff else "/portal", rule, values))]
        ]
        return cls(made, storage, Visitor(both), routes)


def _with_files(made: Portal, storage: Failing, clock: FrozenClock, base_url: str) -> Portal:
    return Portal(
        storage,  # type: ignore[arg-type]
        secret_keys=["a key of the tests of the pages, 32 bytes"],
        base_url=base_url,
        clock=clock,
        documents=WithFiles(storage.documents),  # type: ignore[arg-type]
    )


def _addresses(prefix: str, rule: Rule, values: dict[str, list[str]]) -> Iterator[str]:
    """Addresses of a rule: each value of each part of it, with the first values of the others."""
    names = sorted(rule.arguments)
    unknown = [name for name in names if name not in values]
    assert not unknown, f"{rule}: say here what may stand for {unknown}"
    longest = max([1, *(len(values[name]) for name in names)])
    for at in range(longest):
        path = rule.rule
        for name in names:
            of_name = values[name]
            path = re.sub(rf"<(\w+:)?{name}>", of_name[min(at, len(of_name) - 1)], path)
        yield prefix + path


@pytest.fixture
def site(clock: FrozenClock, storage: InMemoryStorage) -> Site:
    """The apps of the invented seller."""
    return Site.over(Failing(storage), clock)


def answers(site: Site, methods: tuple[str, ...] = METHODS) -> Iterator[tuple[str, TestResponse]]:
    """The answer of each route to each method and to each who asks; its faults are seen."""
    for staff, rule, addresses in site.routes:
        people: tuple[str | None, ...] = ("ana", "reader", None) if staff else (None,)
        for address in addresses:
            for method in methods:
                for name in people:
                    given = {"Host": "evil.example", **({"X-Staff": name} if name else {})}
                    answer = site.client.open(address, method=method, headers=given)
                    check(answer, f"{method} {address} by {name}", staff, rule.endpoint)
                    yield address, answer


def check(answer: TestResponse, what: str, staff: bool, endpoint: str = "") -> None:
    """Hold an answer against the table above."""
    file = endpoint in STATIC and answer.status_code in (200, 206, 304)
    file = file and answer.request.method in ("GET", "HEAD")
    faults = header_faults(list(answer.headers), staff=staff, file=file)
    assert not faults, f"{what}: {answer.status}: {faults}"
    body = answer.get_data()
    assert b"evil.example" not in body, f"{what}: the Host header is on the page"
    if answer.request.method == "HEAD":
        assert not body, f"{what}: HEAD has a body"


# --- the tests ------------------------------------------------------------------------------


def test_every_route_has_every_header_whatever_the_method(site: Site) -> None:
    """Whoever asks by whatever method, a page has all headers, no cookie and no absolute URL."""
    seen = Counter(answer.status_code for _, answer in answers(site))
    assert {200, 403, 404, 405} <= set(seen) <= STATUSES
    assert max(seen) < 500


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (lambda: StorageError("the disk is full"), 503),
        (lambda: LedgerError("entry 'E-1' has too much allocated", ids=("E-1",)), 503),
        (lambda: RuntimeError("unforeseen"), 500),
    ],
)
@pytest.mark.parametrize("only", ["", "messages.", "documents."])
def test_faults_have_every_header(
    site: Site, error: Callable[[], Exception], status: int, only: str
) -> None:
    """A fault on whatever page, also while the page of an error is made, is one with headers."""
    site.storage.error, site.storage.only = error, only
    seen = {answer.status_code for _, answer in answers(site, ("GET", "HEAD", "POST"))}
    assert status in seen
    assert seen <= STATUSES
    assert seen & {500, 503} <= {status, 503}  # an opening that fails oddly denies, by design


def test_a_portal_that_is_off_has_every_header(site: Site) -> None:
    """Switched off, each page of a customer is a 403 with all headers."""
    site.portal.settings.save(PortalConfig(), by="ana")
    for address, answer in answers(site, ("GET", "HEAD", "OPTIONS")):
        if address.startswith("/portal/") and "/static/" not in address:
            assert answer.status_code in (200, 403), address


def test_every_status_has_every_header(site: Site) -> None:
    """Each status that the pages know: redirects, refusals, limits, files in parts."""
    client, kopi = site.client, path_of(site.portal.tokens.link(demo.KOPI, by="ana"))
    form = Page(kopi, client.get(f"{kopi}/messages").text).forms[0]
    asset = next(one for one in Page(kopi, client.get(kopi).text).hrefs if "portal.css" in one)
    etag = client.get(asset).headers["ETag"]
    message: dict[str, Any] = {"data": {**dict(form.fields), "text": "Hello."}}
    limit = [
        (f"limit {n}", {"data": {**message["data"], "text": f"Hello {n}."}}) for n in range(21)
    ]
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", kopi, {}),
        ("GET", f"{kopi}/statement?from=2026-02-30", {}),
        ("GET", f"{kopi}/invoices?after=bad", {}),
        ("GET", kopi[:-1], {}),
        ("PUT", kopi, {}),
        ("POST", f"{kopi}/messages", {"data": {"text": "without its value"}}),
        ("POST", f"{kopi}/messages", {"data": {**message["data"], "text": ""}}),
        ("POST", f"{kopi}/messages", {"data": {"text": "x" * 1_000_001}}),
        ("POST", f"{kopi}/messages", {"data": b"x" * 1_000_001, "content_type": "text/plain"}),
        ("GET", asset, {"headers": {"If-None-Match": etag}}),
        ("GET", asset, {"headers": {"Range": "bytes=0-9"}}),
        ("GET", asset, {"headers": {"Range": "bytes=999999-"}}),
        ("GET", f"{kopi}/document/{key_of('INV-1042')}/file", {}),
        ("GET", f"{kopi}/document/{key_of('INV-1042')}/file", {"headers": {"Range": "bytes=0-3"}}),
        *(("POST", f"{kopi}/messages", more) for _, more in limit),
    ]
    seen = set()
    for method, address, more in requests:
        answer = client.open(address, method=method, **more)
        check(answer, f"{method} {address[:80]}", False, "static" if address == asset else "")
        seen.add(answer.status_code)
    for error in (lambda: StorageError("full"), lambda: RuntimeError("unforeseen")):
        site.storage.error, site.storage.only = error, "documents."
        answer = client.get(f"{kopi}/invoices")
        check(answer, "a fault", False)
        seen.add(answer.status_code)
    assert seen == STATUSES


def test_head_is_answered_as_get_without_its_body(site: Site) -> None:
    """HEAD has the status and the headers of GET, the length of the body included."""
    for staff, rule, addresses in site.routes:
        if rule.methods and "GET" not in rule.methods:
            continue
        for address in addresses:
            name = {"X-Staff": "ana"} if staff else {}
            got, head = (
                getattr(site.client, one)(address, headers=name) for one in ("get", "head")
            )
            assert head.status == got.status, address
            assert not head.get_data(), address
            assert [*_steady(head)] == [*_steady(got)], address


def _steady(answer: TestResponse) -> Iterator[tuple[str, str]]:
    """The headers but for the date."""
    return ((name, value) for name, value in answer.headers if name != "Date")


def test_only_an_https_address_makes_browsers_insist_on_it(clock: FrozenClock) -> None:
    """HSTS is sent where ``base_url`` is https, and only there."""
    for base_url, https in ((BASE_URL, True), ("http://127.0.0.1:8641/portal", False)):
        site = Site.over(Failing(InMemoryStorage()), clock, base_url)
        for staff, rule, addresses in site.routes:
            answer = site.client.get(addresses[0], headers={"X-Staff": "ana"})
            file = rule.endpoint in STATIC and answer.status_code == 200
            assert not header_faults(list(answer.headers), staff=staff, https=https, file=file)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_is_neither_apps_has_every_header(site: Site, method: str) -> None:
    """Beside both apps `create_app` answers 404, with all headers."""
    answer = site.client.open("/elsewhere", method=method)
    assert answer.status_code == 404
    check(answer, f"{method} /elsewhere", False)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "a" * 64 + ".example", "x" * 5000, "é", "a b", "[", "\xff\xfe", "..", "/"],
)
def test_whatever_the_host_header_says_the_pages_are_the_same(site: Site, host: str) -> None:
    """Its name makes no link, and what is no name at all breaks nothing."""
    kopi = path_of(site.portal.tokens.link(demo.KOPI, by="ana"))
    for address in (kopi, f"{kopi}/nowhere", f"{kopi[:-1]}", STAFF_PATH, f"{STAFF_PATH}/nowhere"):
        environ = {"HTTP_X_STAFF": "ana"}
        usual = asked(site, address, environ)
        odd = asked(site, address, {**environ, "HTTP_HOST": host})
        assert odd == usual
        assert ORIGIN.encode() not in odd[2]


def asked(site: Site, address: str, environ: dict[str, str]) -> tuple[str, list[Any], bytes]:
    """The answer of the app itself: a test client would take the host apart."""
    whole = EnvironBuilder(path=address, environ_overrides=environ).get_environ()
    parts, status, headers = run_wsgi_app(site.client.application, whole, buffered=True)
    return status, list(headers), b"".join(parts)


@pytest.mark.parametrize("name", ["theme.html", "customer/fault.html"])
def test_where_no_page_can_be_made_a_line_of_text_is_the_answer(
    portal: Portal, tmp_path: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A host's broken template cannot take the headers away, nor bring a link into the log."""
    (tmp_path / "customer").mkdir()
    (tmp_path / name).write_text("{{ no.such.thing }}", encoding="utf-8")
    broken = portal if name == "theme.html" else _failing(portal)
    app = create_app(broken, authorize=authorize, theme=Theme(templates=tmp_path))
    link = path_of(broken.tokens.link(demo.KOPI, by="ana"))
    answer = Visitor(app).get(link)
    assert answer.status_code == 500
    assert answer.text.startswith("Something went wrong on our side. Reference: ")
    assert answer.text.rsplit(" ", 1)[1].strip() in caplog.text
    assert link.rsplit("/", 1)[1] not in caplog.text
    check(answer, name, False)
    head = Visitor(app).head(link)
    assert (head.status_code, head.get_data()) == (500, b"")


def _failing(portal: Portal) -> Portal:
    """The same portal, whose documents cannot be counted."""
    storage = Failing(portal._context.storage)
    storage.error, storage.only = lambda: RuntimeError("unforeseen"), "ledger."
    return Portal(
        storage,  # type: ignore[arg-type]
        secret_keys=["a key of the tests of the pages, 32 bytes"],
        base_url=BASE_URL,
        clock=portal._context.clock,
    )


def test_the_table_sees_what_is_missing() -> None:
    """A header that is missing, doubled or different is a fault, and so is a cookie."""
    right = [*FOR_CUSTOMERS.items(), ("Strict-Transport-Security", HSTS)]
    assert header_faults(right, staff=False) == []
    wrong: list[Callable[[], list[tuple[str, str]]]] = [
        lambda: right[1:],
        lambda: [*right, right[0]],
        lambda: [(name, value.upper()) for name, value in right],
        lambda: [*right, ("Set-Cookie", "session=1")],
        lambda: [*right, ("Location", "https://evil.example/")],
        lambda: [*right, ("Location", "//evil.example/")],
        lambda: [*right, ("Location", "/\\evil.example/")],
        lambda: [*right, ("X-Note", "one\r\ntwo")],
    ]
    assert all(header_faults(one(), staff=False) for one in wrong)
    assert header_faults(right, staff=True)
    assert header_faults(right, staff=False, https=False)
