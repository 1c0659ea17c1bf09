"""The demo as pages: what it prints, whom it answers, and that nothing of it is left."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

pytest.importorskip("flask")

from basis_portal.cli import main
from basis_portal.demo.seller import KOPI, MUELLER
from basis_portal.demo.serve import HOST, guarded, listen, serve
from basis_portal.domain.url_keys import key_of
from basis_portal.web.headers import security_headers

# Tests may be run by nohup, and what is started by them would not hear of a closed terminal.
HEARING = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"
COMMAND = f"{HEARING}; import sys; from basis_portal.cli import main; sys.exit(main())"
BROWSER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ENDED = "\nEnded. Temporary data removed.\n"
LINK = re.compile(r"    (http://127\.0\.0\.1:(\d+)/portal/[\w-]{22}\.[\w-]{43})")
DATA = """\
kind,doc_id,customer,currency,date,due_date,amount,applies_to
invoice,I1,Ada,EUR,2025-01-01,2025-01-31,100.00,
payment,P1,Ada,EUR,2025-02-20,,100.00,I1
invoice,I2,Bob,USD,2025-01-05,2025-01-10,70,
payment,P2,Bob,USD,2025-02-03,,70,I2
"""


class Demo:
    """The command, running, from its last line on: what it said, and its two addresses."""

    def __init__(self, *arguments: str, temporary: Path, **more: Any) -> None:
        command = [sys.executable, "-W", "error", "-c", COMMAND, "demo", *arguments]
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONIOENCODING": "utf-8"}
        environment.pop("PYTHONUNBUFFERED", None)  # that it does not wait is ours to see to
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**environment, **more},
        )
        assert self.process.stdout is not None
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if line == "Ctrl+C ends.\n":
                break

    @property
    def text(self) -> str:
        """All it said."""
        return "\n".join(self.said)

    @property
    def link(self) -> str:
        """The customer's link."""
        (found,) = [line for line in self.said if LINK.fullmatch(line)]
        return found.strip()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(urlsplit(self.link).port or 0)

    @property
    def staff(self) -> str:
        """The address of the staff pages."""
        return f"http://127.0.0.1:{self.port}/settings/portal"

    @property
    def outbox(self) -> str:
        """Where its e-mails are shown."""
        return f"http://127.0.0.1:{self.port}/demo/outbox"

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """End it; its status, and what it said and complained of meanwhile."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=8)
        return self.process.returncode, out, err

    def __enter__(self) -> Demo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder in which the command makes its temporary folders."""
    path = tmp_path / "temporary"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo of the invented seller, for the tests that only look."""
    with Demo("--port", "0", temporary=tmp_path_factory.mktemp("shared")) as running:
        yield running


def _get(address: str) -> str:
    with BROWSER.open(address, timeout=20) as answer:
        assert answer.status == 200
        content: bytes = answer.read()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", content.decode())).split())


def _press(page: str, button: str) -> str:
    """What comes of a button of a page, by the name it is read out by."""
    with BROWSER.open(page, timeout=20) as answer:
        return _send(page, answer.read().decode(), button)


def _send(page: str, html: str, button: str) -> str:
    """What comes of the form that a button is in, as `_get` gives it."""
    forms = re.findall(r"<form.*?</form>", html, re.DOTALL)
    (form,) = (one for one in forms if button in re.sub(r"<(?!button)[^>]+>", " ", unescape(one)))
    action = re.search(r'action="([^"]*)"', form)
    assert action
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    data = urlencode([(name, unescape(value)) for name, value in fields]).encode()
    with BROWSER.open(urljoin(page, unescape(action[1])), data, timeout=20) as answer:
        content: bytes = answer.read()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", content.decode())).split())


def _status(
    demo: Demo, target: str, *hosts: str, method: str = "GET", protocol: int = 11
) -> tuple[int, bytes]:
    """Status and content for a request with these Host headers."""
    connection = http.client.HTTPConnection(HOST, demo.port, timeout=20)
    connection._http_vsn = protocol  # type: ignore[attr-defined]
    connection._http_vsn_str = f"HTTP/{protocol / 10}"  # type: ignore[attr-defined]
    connection.putrequest(method, target, skip_host=True)
    for host in hosts:
        connection.putheader("Host", host)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


# --- what it says -----------------------------------------------------------------------------


def test_it_says_where_the_pages_are_and_what_to_try(demo: Demo) -> None:
    """Seller, both addresses alone on their lines, and numbered things to try, in this order."""
    parts = [
        "Basis Portal demo: Nordlicht Kaffee GmbH, 8 invented customers.",
        "Nothing leaves this machine.",
        "Kopi Nusantara (two currencies, one invoice overdue):",
        f"\n    {demo.link}\n",
        'you are "ana", no login',
        f"\n    {demo.staff}\n",
        *(f"\n  {number}  " for number in range(1, 8)),
        f"  7  Staff: Send. The mail is written to .../outbox/ and shown at\n     {demo.outbox}\n",
        *(f"\n  {number}  " for number in range(8, 10)),
        "basis-portal demo --data receivables.csv",
        "examples/quickstart.py",
        "Data in a temporary folder, removed at the end.",
        "Ctrl+C ends.",
    ]
    places = [demo.text.index(part) for part in parts]
    assert places == sorted(places)
    assert "was in use" not in demo.text
    assert "Today is" not in demo.text


@pytest.mark.skipif(sys.platform == "win32", reason="no CPU times of children there")
def test_the_customer_it_names_reads_german(demo: Demo) -> None:
    """The step that leads to another language says true; of Kopi Nusantara it would not."""
    assert "Müller & Söhne, Preview as customer. The same pages, in German." in demo.text
    for customer_id, welcome in ((MUELLER, "Kundenportal für"), (KOPI, "Customer portal for")):
        seen = _get(f"{demo.staff}/preview/{key_of(customer_id)}")
        assert "This does not count as opened." in seen
        assert welcome in seen


def test_it_is_ready_within_three_seconds(temporary: Path) -> None:
    """All customers, thousands of documents and the pages: less CPU than 3 seconds, end included.

    The CPU is looked at, since other programs make it wait.
    """
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Demo("--port", "0", temporary=temporary) as demo:
        assert demo.end()[0] == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert 0.1 < after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3


def test_a_link_that_staff_send_is_in_the_outbox(temporary: Path) -> None:
    """By the button that the steps name, as a file and on the page, whose link opens."""
    with Demo("--port", "0", temporary=temporary) as demo:
        (folder,) = temporary.glob("*/outbox")
        before = set(folder.iterdir())
        page = f"{demo.staff}/tokens"
        sent = _press(page, "Send link of Kopi Nusantara to finance@kopi.example")
        assert "E-mailed to finance@kopi.example" in sent
        (file,) = set(folder.iterdir()) - before
        assert b"To: finance@kopi.example" in file.read_bytes()
        seen = _get(demo.outbox)
        assert str(folder) in seen
        assert "Hello Kopi Nusantara," in seen
        assert seen.count(demo.link) == 2  # it had been sent once before, days ago
        assert demo.end() == (0, ENDED, "")


def test_an_expired_link_brings_a_new_one(temporary: Path) -> None:
    """The one in the outbox is denied; what its button brings is there when one looks again."""
    with Demo("--port", "0", temporary=temporary) as demo:
        links = re.compile(rf"http://127\.0\.0\.1:{demo.port}/portal/\S+")
        expired = links.findall(_get(demo.outbox).partition("Hello Torrefazione Aurora,")[2])[0]
        with pytest.raises(urllib.error.HTTPError) as denied, BROWSER.open(expired, timeout=20):
            pass
        refused = denied.value.read().decode()
        assert "Access denied" in refused
        assert "a new link is on its way" in _send(expired, refused, "E-mail me a new link")
        newest = _get(demo.outbox)
        assert "New link to your invoices from Nordlicht Kaffee GmbH To conti@" in newest
        assert "Customer portal for Torrefazione Aurora" in _get(links.findall(newest)[0])
        assert demo.end() == (0, ENDED, "")


def test_it_fits_a_terminal_of_80_columns(demo: Demo) -> None:
    """Only the link itself is wider; there are no colours and no control characters."""
    assert [line for line in demo.said if len(line) > 80] == [f"    {demo.link}"]
    assert all(line.isprintable() for line in demo.said)


def test_both_addresses_open(demo: Demo) -> None:
    """The link shows the customer's page, the other address the settings."""
    page = _get(demo.link)
    assert "Customer portal for Kopi Nusantara" in page
    assert "EUR 1,200.00 overdue" in page
    assert "IBAN" in page
    assert "Token Expiry (days)" in _get(demo.staff)


def test_the_help_fits_a_terminal_of_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the form of a file and says who else can open the staff pages."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "\n  kind,doc_id,customer,currency,date,due_date,amount,applies_to\n" in said
    assert "Whoever works on this machine can open the\nstaff pages meanwhile." in said


def test_the_root_leads_to_the_staff_pages(demo: Demo) -> None:
    """Whoever opens the bare address is not lost."""
    with BROWSER.open(f"http://{HOST}:{demo.port}", timeout=20) as answer:
        assert answer.url == demo.staff


# --- whom it answers --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_this_machine_is_answered_by_its_names(demo: Demo, name: str) -> None:
    """Host headers of this machine, with the port, are answered."""
    status, content = _status(demo, "/settings/portal", f"{name}:{demo.port}")
    assert status == 200
    assert b"Token Expiry" in content


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "127.0.0.1:{port}.evil.example",
        "evil.example#@127.0.0.1:{port}",
        "127.0.0.1:{port},evil.example",
        "",
    ],
)
@pytest.mark.parametrize("target", ["/settings/portal", "/", "/absent", "/demo/outbox", "{link}"])
def test_another_host_is_refused_before_anything_else(demo: Demo, host: str, target: str) -> None:
    """A page whose name leads here (DNS rebinding) gets 421, wherever it asks and however."""
    path = target.format(link=urlsplit(demo.link).path)
    given = host.format(port=demo.port)
    for method in ("GET", "POST"):
        status, content = _status(demo, path, given, method=method)
        assert status == 421
        assert content == f"This demo answers at http://127.0.0.1:{demo.port} only.\n".encode()
    assert _status(demo, path, given, method="HEAD")[0] == 421


def test_two_hosts_are_refused_and_so_is_none(demo: Demo) -> None:
    """Two Host headers of which one is good, none at all, and a foreign absolute target."""
    good = f"127.0.0.1:{demo.port}"
    assert _status(demo, "/settings/portal", good, "evil.example")[0] == 421
    assert _status(demo, "/settings/portal", protocol=10)[0] == 421
    assert _status(demo, "http://evil.example/settings/portal", good)[0] == 421
    assert _status(demo, f"http://{good}/settings/portal", good)[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address")
def test_it_listens_on_one_address_alone(demo: Demo) -> None:
    """Not even another loopback address is listened on."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", demo.port), timeout=20)
    socket.create_connection((HOST, demo.port), timeout=20).close()


# --- how it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_ends_and_leaves_nothing(temporary: Path, name: str) -> None:
    """Ctrl+C, a polite kill, a closed terminal: status 0, one line, no file, no log of requests."""
    with Demo("--port", "0", temporary=temporary) as demo:
        _get(demo.link)
        _get(demo.staff)
        with pytest.raises(urllib.error.HTTPError):
            BROWSER.open(f"{demo.link[:-1]}!", timeout=20)
        assert len(list(temporary.iterdir())) == 1
        assert demo.end(signal.Signals[name]) == (0, ENDED, "")
        assert list(temporary.iterdir()) == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, demo.port), timeout=20)


def test_a_silent_connection_does_not_delay_the_end(temporary: Path) -> None:
    """Browsers connect ahead and ask nothing; the demo does not wait for them."""
    with (
        Demo("--port", "0", temporary=temporary) as demo,
        socket.create_connection((HOST, demo.port), timeout=20),
    ):
        _get(demo.staff)  # by now the silent connection has been accepted
        assert demo.end() == (0, ENDED, "")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl+C interrupts, also where the tests were started in a way that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_what_is_being_answered_is_answered() -> None:
    """The end comes only after the last answer: no request meets data that are gone."""
    answered: list[bytes] = []
    early: list[bool] = []
    taken, ended = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"] == "/other":
            taken.set()
        else:
            # Once another request was taken, Ctrl+C does not meet the taking of this one.
            with socket.create_connection((HOST, port), timeout=20) as other:
                other.sendall(b"GET /other HTTP/1.0\r\n\r\n")
                assert taken.wait(20)
                os.kill(os.getpid(), signal.SIGINT)
                assert environ["werkzeug.socket"].recv(1) == b""  # the server is about to close
                early.append(ended.wait(0.3))
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    def ask() -> None:
        with BROWSER.open(f"http://{HOST}:{port}/", timeout=20) as answer:
            answered.append(answer.read())

    with listen(0) as listener:
        port = listener.getsockname()[1]
        client = threading.Thread(target=ask)
        client.start()
        serve(app, listener, [])
        ended.set()
    client.join(20)
    assert (answered, early) == ([b"done"], [False])


# --- its options ------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_replaced(temporary: Path) -> None:
    """The next free one is used, and the text says so and fits."""
    with (
        listen(0) as taken,
        Demo("--port", str(taken.getsockname()[1]), temporary=temporary) as demo,
    ):
        port = taken.getsockname()[1]
        assert demo.port != port
        said = f"Port {port} was in use, so {demo.port}. Data in a temporary folder, "
        assert said in demo.text
        assert max(len(line) for line in demo.said if "/portal/" not in line) <= 80
        assert "Kopi Nusantara" in _get(demo.link)


def test_the_usual_port_is_8641(temporary: Path) -> None:
    """Without ``--port`` it is 8641, or the text says that this was in use."""
    with Demo(temporary=temporary) as demo:
        assert (demo.port == 8641) != (f"Port 8641 was in use, so {demo.port}." in demo.text)


@pytest.mark.parametrize("port", ["80", "1023", "65536", "-1", "x", "1e4", "٨٦٤١", ""])
def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], port: str) -> None:
    """``--port`` takes 0 or what everybody may listen on."""
    with pytest.raises(SystemExit) as ended:
        main(["demo", f"--port={port}"])
    assert ended.value.code == 2
    assert "argument --port: must be 0 or a whole number from" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--open", "--port=0"])
def test_options_of_the_pages_do_not_go_with_no_serve(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """An option that would say nothing is refused, with status 2."""
    assert main(["demo", "--no-serve", option]) == 2
    assert "--no-serve" in capsys.readouterr().err


def test_the_day_can_be_chosen(temporary: Path) -> None:
    """``--as-of`` sets the clock of everything that is served."""
    with Demo("--port", "0", "--as-of", "2026-04-14", temporary=temporary) as demo:
        assert "Nothing leaves this machine. Today is 14 Apr 2026 in it." in demo.text
        page = _get(demo.link)
        assert "Oldest: INV-1042, due 2 Apr 2026, 12 days overdue." in page


def test_the_data_of_the_user_are_served(temporary: Path, tmp_path: Path) -> None:
    """The link of who has most overdue on the day asked for, and what is overdue in all."""
    path = tmp_path / "own.csv"
    path.write_text(DATA, encoding="utf-8")
    arguments = ("--port", "0", "--data", str(path), "--as-of", "2025-01-15")
    with Demo(*arguments, temporary=temporary) as demo:
        assert demo.said[:4] == [
            "Basis Portal demo: own.csv. Nothing leaves this machine.",
            "4 rows: 2 customers, 2 invoices, 2 payments.",
            "Open on 15 Jan 2025: EUR 100.00, of which EUR 0.00 overdue.",
            "Open on 15 Jan 2025: USD 70.00, of which USD 70.00 overdue.",
        ]
        assert "  The page of Bob (most overdue: USD 70.00):" in demo.said
        assert "examples/receivables.py" in demo.text
        assert [line for line in demo.said if len(line) > 80] == [f"    {demo.link}"]
        page = _get(demo.link)
        assert "Customer portal for Bob" in page
        assert "USD 70.00 overdue" in page
        assert "Ada" in _get(f"{demo.staff}/tokens")
        assert "No e-mails yet." in _get(demo.outbox)
        assert demo.end() == (0, ENDED, "")


def test_data_that_are_settled_name_a_day_to_try(temporary: Path, tmp_path: Path) -> None:
    """Without ``--as-of`` the file is served as of today, and the text says why it is quiet."""
    path = tmp_path / "own.csv"
    path.write_text(DATA, encoding="utf-8")
    with Demo("--port", "0", "--data", str(path), temporary=temporary) as demo:
        assert demo.said[2] == "Everything in this file is settled today. Try --as-of 2025-02-03."
        assert "All settled" in _get(demo.link)


def test_bad_data_are_not_served(temporary: Path, tmp_path: Path) -> None:
    """Line, column and rule on standard error, nothing else, status 2."""
    path = tmp_path / "own.csv"
    path.write_text(DATA.replace("70,\n", "many,\n"), encoding="utf-8")
    with Demo("--port", "0", "--data", str(path), temporary=temporary) as demo:
        out, err = demo.process.communicate(timeout=20)
        assert (demo.process.returncode, demo.said, out) == (2, [], "")
        assert err.startswith(f"basis-portal: {path}: line 4, column amount: must be a plain ")
        assert list(temporary.iterdir()) == []


def test_a_browser_is_opened_where_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--open`` opens the customer's link, once the pages are there."""
    seen: list[str] = []

    def visit(address: str) -> bool:
        try:
            seen.extend((address, _get(address)))
        finally:
            os.kill(os.getpid(), signal.SIGINT)
        return True

    monkeypatch.setattr(webbrowser, "open", visit)
    assert main(["demo", "--open", "--port", "0"]) == 0
    address, page = seen
    printed = capsys.readouterr()
    assert f"\n    {address}\n" in printed.out
    assert "Customer portal for Kopi Nusantara" in page
    assert (printed.out[-len(ENDED) :], printed.err) == (ENDED, "")


def test_where_there_is_no_browser_it_is_said(temporary: Path) -> None:
    """A machine without a browser serves all the same; without ``--open`` none is looked for."""
    nowhere = {"BROWSER": "no-such-browser", "PATH": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    with Demo("--port", "0", "--open", temporary=temporary, **nowhere) as demo:
        assert demo.process.stdout is not None
        assert demo.process.stdout.readline().startswith("No browser was found here")
        assert demo.end() == (0, ENDED, "")
    with Demo("--port", "0", temporary=temporary, **nowhere) as demo:
        assert demo.end() == (0, ENDED, "")


@pytest.mark.parametrize("name", ["flask", "werkzeug"])
def test_without_flask_it_says_what_to_install(name: str) -> None:
    """The pages are an extra: one line says how to get it; the printed form goes without."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = f"import sys; sys.modules[{name!r}] = None; {COMMAND}"
        command = [sys.executable, "-c", code, "demo", *arguments]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=60, check=False
        )

    refused = run("--port", "0")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"the pages need {name}" in refused.stderr
    assert 'pip install "basis-portal[demo]"' in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert run("--no-serve").returncode == 0


def test_the_guard_answers_head_without_content() -> None:
    """HEAD is refused with the headers of GET, and no content after them."""
    seen: list[tuple[str, Any]] = []
    for method in ("GET", "HEAD"):
        environ = {"HTTP_HOST": "evil.example", "PATH_INFO": "/", "REQUEST_METHOD": method}
        answer = guarded(_never, 1)(environ, lambda *given: seen.append(given))
        assert (list(answer) == []) == (method == "HEAD")
    assert seen[0] == seen[1]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_demos_own_answers_have_the_headers_of_the_pages(demo: Demo, method: str) -> None:
    """The way from its root to the staff pages, and the refusal of another host, wherever."""
    expected = security_headers(https=False, scripts=False)
    good = f"{HOST}:{demo.port}"
    for host, path, status in (
        (good, "/", 302),
        ("evil.example", "/", 421),
        ("evil.example", "/settings/portal", 421),
        ("evil.example", urlsplit(demo.link).path, 421),
        (good, "/nowhere", 404),
        (good, "/demo/outbox/nowhere", 404),
        ("evil.example", "/demo/outbox", 421),
    ):
        connection = http.client.HTTPConnection(HOST, demo.port, timeout=20)
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.status == status
        for name, value in expected.items():
            assert answer.headers.get_all(name) == [value], (name, path, host)


def _never(*_: object) -> list[bytes]:
    raise AssertionError("the application was asked")


def test_the_guard_lets_the_rest_through_unchanged() -> None:
    """Paths that are not the root reach the application, whatever they hold."""
    asked: list[str] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        asked.append(environ["PATH_INFO"])
        start_response("204 No Content", [])
        return []

    statuses: list[str] = []
    for path in ("/portal/x", "//", "/settings/portal", "/%2F"):
        environ = {"HTTP_HOST": "localhost:1", "PATH_INFO": path, "REQUEST_METHOD": "GET"}
        guarded(app, 1)(environ, lambda status, _: statuses.append(status))
    assert asked == ["/portal/x", "//", "/settings/portal", "/%2F"]
    assert statuses == ["204 No Content"] * 4
