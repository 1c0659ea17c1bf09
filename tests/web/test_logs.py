"""No link in any log: ours, Flask's, a server's with the filter, tracebacks, warnings."""

from __future__ import annotations

import http.client
import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import (
    BASE_URL,
    SELLER,
    STAFF_PATH,
    Failing,
    Visitor,
    authorize,
    crawl,
    document_path,
)
from werkzeug.serving import WSGIRequestHandler, make_server

from basis_portal import Customer, LedgerError, Portal, StorageError
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.links import LinkSigner, new_token_id
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import Theme, TokenFilter, create_app

KEYS = ["a key of the tests of the logs, 32 bytes"]


class World:
    """A portal whose storage can be made to fail, all its links, and all that is logged.

    Attributes:
        storage: the storage.
        portal: the portal.
        client: asks both apps.
        links: a path for each kind of link, those that open nothing too.
        heard: everything that any logger wrote.
    """

    def __init__(self, clock: FrozenClock, heard: io.StringIO, theme: Theme | None = None) -> None:
        self.storage, self.heard = Failing(InMemoryStorage()), heard
        demo.make_seller(self.storage, clock, base_url=BASE_URL, invoices=60)  # type: ignore[arg-type]
        self.portal = Portal(
            self.storage,  # type: ignore[arg-type]
            secret_keys=KEYS,
            base_url=BASE_URL,
            clock=clock,
        )
        self.app = create_app(self.portal, authorize=authorize, seller=SELLER, theme=theme)
        self.client = Visitor(self.app)
        signer = LinkSigner(KEYS, "default")
        ids = [self.portal.tokens.get(one.id) for one in demo.CUSTOMERS]
        texts = [signer.sign(token.id) for token in ids if token]
        texts.append(signer.sign(new_token_id()))
        self.links = [f"/portal/{text}" for text in texts]
        self.link = self.links[0]

    def assert_silent(self, *, also: str = "") -> None:
        """Nothing that was heard, nor ``also``, has a link in it."""
        written = self.heard.getvalue() + also
        for link in self.links:
            text = link.split("/")[2]
            assert text not in written
            assert text.partition(".")[2] not in written, "the signature stands alone"


@contextmanager
def listening(*filters: logging.Filter) -> Iterator[io.StringIO]:
    """Everything that any logger writes, down to the last detail, as a handler formats it."""
    heard, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    for one in filters:
        handler.addFilter(one)
    levels = {name: logging.getLogger(name).level for name in ("", "basis_portal", "werkzeug")}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@pytest.fixture
def heard() -> Iterator[io.StringIO]:
    """What is logged, without any filter of the host's."""
    with listening() as found:
        yield found


@pytest.fixture
def world(clock: FrozenClock, heard: io.StringIO) -> World:
    """A portal, and what it logs."""
    return World(clock, heard)


# --- our own records, and Flask's -------------------------------------------------------------


def test_a_whole_visit_logs_no_link(world: World) -> None:
    """Every page under every kind of link: of a refused one 8 characters of the id are logged."""
    for link in world.links:
        crawl(world.client, link)
        for path in ("/nowhere", "/messages", "/document/x", "/statement?from=x"):
            world.client.post(link + path, data={"text": "Hello."})
    crawl(world.client, STAFF_PATH, **{"X-Staff": "ana"})
    assert "access denied: expired, token" in world.heard.getvalue()
    assert "access denied: unknown, token" in world.heard.getvalue()
    world.assert_silent()


ERRORS: list[Callable[[str], Exception]] = [
    lambda link: StorageError(f"the disk is full at {link}"),
    lambda link: LedgerError("entry 'E-1' contradicts itself", ids=("E-1",)),
    lambda link: RuntimeError(f"unforeseen at https://erp.example.com{link}?x=1"),
    lambda link: ExceptionGroup("two", [ValueError(link), KeyError(link)]),
    lambda link: UnicodeDecodeError("utf-8", link.encode(), 3, 4, f"within {link}"),
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("only", ["", "documents.", "messages."])
def test_a_fault_is_logged_without_a_link(
    world: World, error: Callable[[str], Exception], only: str
) -> None:
    """Whatever fails and whatever the error says, the log has its traceback and no link."""
    world.storage.error, world.storage.only = (lambda: error(world.link)), only
    statuses = set()
    for path in ("", "/invoices", "/statement", "/messages", "/nowhere", "/document/x"):
        statuses.add(world.client.get(world.link + path).status_code)
        posted = world.client.post(world.link + path, data={"text": "Hello."})
        statuses.add(posted.status_code)
    statuses.add(world.client.get(document_path(world.link, "INV-1042")).status_code)
    staff = {"X-Staff": "ana"}
    for path in ("", "/nowhere", "/tokens", f"/preview/{key_of(demo.KOPI)}/invoices"):
        statuses.add(world.client.get(STAFF_PATH + path, headers=staff).status_code)
    assert statuses & {500, 503}
    assert "fault " in world.heard.getvalue()
    assert "Traceback (most recent call last)" in world.heard.getvalue()
    world.assert_silent()


def test_the_reference_on_the_page_is_found_in_the_log(world: World) -> None:
    """Staff find what happened by the reference a customer reads to them."""
    world.storage.error, world.storage.only = (lambda: RuntimeError("unforeseen")), "documents."
    page = world.client.get(f"{world.link}/invoices")
    assert page.status_code == 500
    reference = page.text.partition("Reference: ")[2][:8]
    assert f"fault {reference} on page link.show_invoices" in world.heard.getvalue()
    assert "RuntimeError: unforeseen" in world.heard.getvalue()


def test_an_error_on_the_page_of_an_error_is_logged_without_a_link(world: World) -> None:
    """Flask's own record of it, which names the address, is never written."""
    world.storage.error = lambda: StorageError("the disk is full")
    for path, status in (("/nowhere", 503), ("/static/none.css", 404)):
        answer = world.client.get(STAFF_PATH + path, headers={"X-Staff": "ana"})
        assert answer.status_code == status
    posted = world.client.post(
        f"{world.link}/messages", data=b"x" * 1_100_000, content_type="multipart/form-data"
    )
    assert posted.status_code == 503
    assert "Exception on" not in world.heard.getvalue()
    world.assert_silent()


@pytest.mark.parametrize("name", ["theme.html", "customer/overview.html"])
def test_a_broken_template_is_logged_without_a_link(
    clock: FrozenClock, heard: io.StringIO, tmp_path: Path, name: str
) -> None:
    """A template of the host's that prints the address into its error brings no link out."""
    (tmp_path / "customer").mkdir()
    text = "{{ {}[request.path] }}{{ request.path / 2 }}{{ none.what }}"
    (tmp_path / name).write_text(text, encoding="utf-8")
    world = World(clock, heard, Theme(templates=tmp_path))
    assert world.client.get(world.link).status_code == 500
    assert "Traceback (most recent call last)" in heard.getvalue()
    world.assert_silent()


def test_in_flasks_debug_mode_it_is_the_same(
    clock: FrozenClock, heard: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that is run with ``FLASK_DEBUG`` neither shows errors on our pages nor logs links."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    world = World(clock, heard)
    world.storage.error, world.storage.only = (lambda: RuntimeError(world.link)), "documents."
    assert world.client.get(f"{world.link}/invoices").status_code == 500
    world.storage.only = ""
    assert world.client.get(f"{STAFF_PATH}/none", headers={"X-Staff": "ana"}).status_code == 500
    world.assert_silent()


def test_a_host_that_fails_says_nothing_of_a_link(clock: FrozenClock, heard: io.StringIO) -> None:
    """Whatever a host's customers, or who asks for staff, raise."""

    class Customers:
        """A host's customers, of which only the first look works."""

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"no {name}")

        def get(self, customer_id: str) -> Customer:
            raise KeyError(f"customer {customer_id}, {world.link}")

    def asks(environ: dict[str, Any]) -> None:
        raise RuntimeError(f"session at {environ['HTTP_REFERER']} is broken")

    world = World(clock, heard)
    portal = Portal(
        world.storage,  # type: ignore[arg-type]
        secret_keys=KEYS,
        base_url=BASE_URL,
        clock=clock,
        customers=Customers(),  # type: ignore[arg-type]
    )
    client = Visitor(create_app(portal, authorize=asks))
    assert client.get(world.link).status_code == 403
    staff = client.get(STAFF_PATH, headers={"Referer": BASE_URL + world.link})
    assert staff.status_code == 500
    assert "session at" in heard.getvalue()
    assert "KeyError: 'customer C-1001, /portal/" in heard.getvalue()
    world.assert_silent()


# --- servers, with the filter -------------------------------------------------------------------


@contextmanager
def served(app: Any) -> Iterator[int]:
    """Werkzeug's development server on this machine, and its port.

    It answers one after the other, so that all is logged once it has ended.
    """

    class Handler(WSGIRequestHandler):
        """As it is, but no connection waits for long."""

        timeout = 5

    server = make_server("127.0.0.1", 0, app, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(port: int, path: str, **headers: str) -> int:
    """Ask a server; the status of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _visit(world: World, app: Any = None) -> None:
    """A visit over a real server, one page of which fails."""
    with served(app or world.app) as port:
        assert ask(port, world.link) == 200
        assert ask(port, f"{world.link}/invoices?q=INV", Referer=BASE_URL + world.link) == 200
        assert ask(port, f"/elsewhere?next={world.link}") == 404
        world.storage.error, world.storage.only = (lambda: ValueError(world.link)), "ledger."
        assert ask(port, f"{world.link}/statement") == 500
        world.storage.error = None


def test_with_the_filter_a_servers_log_has_no_link(clock: FrozenClock) -> None:
    """The development server writes each request line: the filter of the handler masks it."""
    with listening(TokenFilter()) as heard:
        world = World(clock, heard)
        _visit(world)
        token = world.link.split("/")[2]
        assert f'"GET /portal/{token[:8]}.../invoices?q=INV HTTP/1.1" 200' in heard.getvalue()
        world.assert_silent()
    with listening() as heard:  # the control: without it the link is there
        world = World(clock, heard)
        _visit(world)
        assert world.link in heard.getvalue()


def test_with_the_filter_an_error_of_a_server_has_no_link(clock: FrozenClock) -> None:
    """An error outside of our apps, which the server itself logs with its traceback."""

    def broken(environ: dict[str, Any], _: Any) -> Any:
        raise RuntimeError(f"middleware failed at {environ['PATH_INFO']}")

    with listening(TokenFilter()) as heard:
        world = World(clock, heard)
        with served(broken) as port:
            assert ask(port, world.link) == 500
        assert "middleware failed at" in heard.getvalue()
        world.assert_silent()


def test_with_the_filter_warnings_have_no_link(clock: FrozenClock) -> None:
    """Warnings that the host sends to the log name what they were about, masked."""
    with listening(TokenFilter()) as heard:
        world = World(clock, heard)
        logging.captureWarnings(True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                logging.captureWarnings(False)
                logging.captureWarnings(True)
                warnings.warn(f"slow: {world.link}/invoices", ResourceWarning, stacklevel=1)
        finally:
            logging.captureWarnings(False)
        assert f"slow: /portal/{world.link.split('/')[2][:8]}.../invoices" in heard.getvalue()
        world.assert_silent()


def test_our_pages_warn_of_nothing(world: World) -> None:
    """With warnings as errors every page is still a page."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statuses = [one.status_code for one in crawl(world.client, world.link).values()]
    assert set(statuses) == {200}
