"""`basis-portal check` beyond the storage: keys, address, clock, what the proxy lets through."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from tests.cli.places import BASE_URL, KEY

from basis_portal import Portal, PortalConfig, system_clock
from basis_portal.operate import doctor
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_customer, an_audit_entry

Run = Callable[..., Any]
OTHER_KEY = "another secret for tests, at least 32 bytes"


@pytest.fixture
def configured(file: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A file with tables, key and address."""
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", KEY)
    monkeypatch.setenv("BASIS_PORTAL_BASE_URL", BASE_URL)
    for name, value in file.environment.items():
        monkeypatch.setenv(name, value)
    file.make().close()
    return file


def verdicts(run: Run, *words: str) -> dict[str, tuple[str, str]]:
    """What was found, by what was looked at."""
    checks = json.loads(run("check", "--json", *words).out)["checks"]
    return {one["about"]: (one["verdict"], one["text"]) for one in checks}


def test_all_is_well(configured: Any, run: Run) -> None:
    """Each has a line of its own, and no key is in any."""
    said = run("check")
    assert said.status == 0
    for line in (
        "ok       keys: 1 key",
        "ok       address: https",
        "ok       links:",
        "ok       clock:",
    ):
        assert line in said.out
    assert KEY not in said.out + said.err


def test_a_damaged_file_is_a_finding(configured: Any, run: Run) -> None:
    """For programs all stands in the JSON, also where what is behind the tables cannot be read."""
    path = Path(configured.environment["BASIS_PORTAL_SQLITE"])
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    found = run("check", "--json")
    checks = json.loads(found.out)["checks"]
    assert (found.status, "wrong" in {one["verdict"] for one in checks}) == (1, True)


@pytest.mark.parametrize(
    ("keys", "url", "about", "verdict"),
    [
        ("short", BASE_URL, "keys and address", "wrong"),
        (f"{KEY}\n{KEY}", BASE_URL, "keys and address", "wrong"),
        (KEY, "http://erp.example.com/portal", "keys and address", "wrong"),
        (KEY, "http://127.0.0.1/portal", "address", "warning"),
        ("", BASE_URL, "keys", "warning"),
        (KEY, "", "keys", "warning"),
    ],
)
def test_keys_and_address(
    configured: Any, run: Run, monkeypatch: pytest.MonkeyPatch,
    keys: str, url: str, about: str, verdict: str,
) -> None:  # fmt: skip
    """What a portal would refuse is wrong; what is unwise or not looked at is a warning."""
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", keys)
    monkeypatch.setenv("BASIS_PORTAL_BASE_URL", url)
    assert verdicts(run)[about][0] == verdict
    assert run("check").status == int(verdict == "wrong")


def test_links_of_a_dropped_key(configured: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were sent no longer open, and the number of them is said."""
    with closing(configured.make()) as storage:
        storage.customers.save(a_customer())
        portal = Portal(storage, secret_keys=[KEY], base_url=BASE_URL)
        portal.settings.save(PortalConfig(enabled=True))
        portal.tokens.generate("C-1001")
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", f"{KEY}\n{OTHER_KEY}")
    assert verdicts(run)["links"][0] == "ok"
    monkeypatch.setenv("BASIS_PORTAL_SECRET_KEYS", OTHER_KEY)
    verdict, text = verdicts(run)["links"]
    assert verdict == "warning"
    assert text.startswith("1 active")


def test_a_clock_that_is_behind(configured: Any, run: Run) -> None:
    """Links would live too long: the trail is ahead of the clock."""
    with closing(configured.make()) as storage:
        storage.audit.append([an_audit_entry(at=system_clock() + timedelta(hours=2))])
    assert verdicts(run)["clock"][0] == "wrong"


# --- through the proxy


class Quiet(WSGIRequestHandler):
    """Prints nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[str], Any]], None]]:
    """Serves what is made for an address, and configures that as base_url."""
    servers = []

    def serving(make: Callable[[str], Any]) -> None:
        server = make_server("127.0.0.1", 0, lambda *_: [], handler_class=Quiet)
        url = f"http://127.0.0.1:{server.server_port}/portal"
        server.set_app(make(url))
        monkeypatch.setenv("BASIS_PORTAL_BASE_URL", url)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)

    yield serving
    for server in servers:
        server.shutdown()
        server.server_close()


def pages(url: str) -> Any:
    """The customers' pages as they are."""
    pytest.importorskip("flask")
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    from basis_portal.web import customer_app

    portal = Portal(InMemoryStorage(), secret_keys=[KEY], base_url=url)
    return DispatcherMiddleware(lambda *_: [], {"/portal": customer_app(portal)})  # type: ignore[list-item, arg-type, return-value]


def spoiled(change: Callable[[str, list[tuple[str, str]], str], tuple[str, Any]]) -> Any:
    """The pages behind a proxy that changes status and headers."""

    def make(url: str) -> Any:
        inner = pages(url)

        def proxy(environ: Any, start: Any) -> Any:
            def start_response(status: str, headers: Any, *more: Any) -> Any:
                return start(*change(status, headers, environ["HTTP_HOST"]), *more)

            return inner(environ, start_response)

        return proxy

    return make


def test_the_pages_through_a_proxy_that_lets_all_through(
    configured: Any, run: Run, serve: Any
) -> None:
    """The control: nothing is wrong."""
    serve(pages)
    found = verdicts(run, "--proxy")
    assert [found[about][0] for about in ("proxy", "headers", "host name")] == ["ok"] * 3
    assert "cookies" not in found
    assert run("check", "--proxy").status == 0


@pytest.mark.parametrize(
    ("change", "about", "said"),
    [
        (lambda s, h, _: ("200 OK", h), "proxy", "200"),
        (lambda s, h, _: ("302 Found", [*h, ("Location", "/login")]), "proxy", "302"),
        (
            lambda s, h, _: (s, [one for one in h if one[0] != "Referrer-Policy"]),
            "headers",
            "Referrer-Policy",
        ),
        (
            lambda s, h, _: (s, [(n, "public" if n == "Cache-Control" else v) for n, v in h]),
            "headers",
            "Cache-Control",
        ),
        (lambda s, h, _: (s, [*h, ("Set-Cookie", "lb=1")]), "cookies", "cookie"),
        (lambda s, h, host: (s, [*h, ("X-Served-By", host)]), "host name", "Host header"),
    ],
)
def test_what_a_proxy_does_wrong(
    configured: Any, run: Run, serve: Any, change: Any, about: str, said: str
) -> None:
    """It is named, with what to do, and the status is 1."""
    serve(spoiled(change))
    verdict, text = verdicts(run, "--proxy")[about]
    assert verdict == "wrong"
    assert said in text
    assert run("check", "--proxy").status == 1


def test_an_address_where_nobody_answers(
    configured: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finding, and no traceback."""
    monkeypatch.setenv("BASIS_PORTAL_BASE_URL", "http://127.0.0.1:9/portal")
    verdict, text = verdicts(run, "--proxy")["proxy"]
    assert (verdict, "cannot be reached" in text) == ("wrong", True)


def test_a_server_that_drips_its_answer(
    configured: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps nobody for longer than was said, whatever it still has to tell."""
    monkeypatch.setattr(doctor, "SECONDS", 0.5)
    ended, drops = threading.Event(), list[int]()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n")
            while not ended.wait(0.05):
                drops.append(connection.send(b"X"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=drip, args=[listener], daemon=True)
        server.start()
        port = listener.getsockname()[1]
        monkeypatch.setenv("BASIS_PORTAL_BASE_URL", f"http://127.0.0.1:{port}/portal")
        verdict, text = verdicts(run, "--proxy")["proxy"]
        assert len(drops) > 1, "the control: each drop came in time"
        ended.set()
        server.join(20)
    assert (verdict, "no whole answer within 0.5 seconds" in text) == ("wrong", True)


# --- the application's own portal

SHOP = f"""
from basis_portal import Edition, Portal
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import NOW, a_customer, an_audit_entry

def make(base_url={BASE_URL!r}, edition=Edition.SERVER):
    storage = InMemoryStorage()
    storage.customers.save(a_customer("C-1"))
    old = Portal(storage, secret_keys=[{OTHER_KEY!r}], base_url=base_url)
    old.tokens.generate("C-1")
    return Portal(storage, secret_keys=[{KEY!r}], base_url=base_url, edition=edition)

def of_no_edition():
    return make(edition=Edition.DESKTOP)

def ahead():
    portal = make()
    import datetime as dt
    portal._context.storage.audit.append([an_audit_entry(at=portal.now() + dt.timedelta(hours=2))])
    return portal

def over_a_file():
    from basis_portal.storage.sqlite import SQLiteStorage
    return Portal(SQLiteStorage("new.db"), secret_keys=[{KEY!r}], base_url={BASE_URL!r})

def down():
    raise __import__("basis_portal").StorageError("the server does not answer")

def failing():
    portal = make()
    def fail(): raise __import__("basis_portal").StorageError("gone")
    portal._context.storage.settings.get = fail
    return portal
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An application with a storage of its own, and portals over it."""
    (tmp_path / "checked_shop.py").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("checked_shop", None)


@pytest.mark.usefixtures("shop")
def test_the_applications_own_portal(run: Run) -> None:
    """Nothing has to be configured twice: its keys, address, links and clock are looked at."""
    found = verdicts(run, "--portal", "checked_shop:make")
    assert list(found) == ["storage", "keys", "address", "links", "clock"]
    assert found["keys"][0] == found["address"][0] == found["clock"][0] == "ok"
    assert found["links"][0] == "warning"
    assert found["links"][1].startswith("1 active tokens were issued under keys that are not")


@pytest.mark.usefixtures("shop")
def test_what_is_wrong_with_it(run: Run) -> None:
    """A storage that fails, a clock behind the trail; what no edition gives is not looked at."""
    failing = run("check", "--json", "--portal", "checked_shop:failing")
    assert failing.status == 1
    assert json.loads(failing.out) == {
        "storage": None,
        "checks": [
            {
                "about": "storage",
                "verdict": "wrong",
                "text": "the application's portal cannot read its own",
            }
        ],
    }
    down = verdicts(run, "--portal", "checked_shop:down")
    assert down["storage"] == (
        "wrong",
        "'checked_shop:down' cannot be used: StorageError: the server does not answer",
    )
    assert verdicts(run, "--portal", "checked_shop:ahead")["clock"][0] == "wrong"
    shut = verdicts(run, "--portal", "checked_shop:of_no_edition")
    assert shut["links"] == ("warning", "not looked at: the edition gives no portal")
    assert "clock" not in shut


def test_beside_a_configured_storage(configured: Any, shop: None, run: Run) -> None:
    """The tables are looked at as well; what the command says counts more than the variable."""
    found = verdicts(run, "--portal", "checked_shop:make", "--storage", "sqlite")
    assert (found["tables"][0], found["links"][0]) == ("ok", "warning")
    assert found["storage"][0] == "ok"
    assert "portal.db" in found["storage"][1]


def test_a_check_makes_no_file(
    shop: None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application's portal would make it, so it is made only over tables that are sound."""
    monkeypatch.setenv("BASIS_PORTAL_SQLITE", "new.db")
    found = run("check", "--portal", "checked_shop:over_a_file")
    assert (found.status, (tmp_path / "new.db").exists()) == (1, False)
