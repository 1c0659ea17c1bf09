"""Random requests to both apps, made from a seed, and what must hold of each answer.

The choices come from the seed alone, so that a run asks the same questions each time; ids and
links are the portal's own and new each time.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from random import Random
from time import thread_time
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

import attrs
from tests.web.conftest import SELLER, STAFF_PATH, Failing, WithFiles, authorize
from tests.web.test_headers import Site, header_faults

import basis_portal.web
from basis_portal import DocumentKind, MailRefused, Portal
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.links import LinkSigner, new_token_id
from basis_portal.mail import FunctionTransport, Mailer
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import HostLinks, Theme, create_app

KEYS = ["a key of the fuzzed portal, of 32 bytes"]
BASE_URLS = ("https://erp.example.com/portal", "http://127.0.0.1:8641/portal")
A_TOKEN = re.compile(rb"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")
LONGEST = 2.0  # seconds of the processor; more would be a way to stop the server
WORLD_LASTS = 500  # requests; then all is as in the beginning, so that links open again

Environ = dict[str, Any]


@attrs.define(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float


# --- the portal that is asked ---------------------------------------------------------------


class World:
    """The invented seller, anew, and all that is worth naming in a request to its pages.

    Attributes:
        app: both apps.
        https: True where ``base_url`` is.
        links: texts of links, those that work first.
        customers: keys of customers, and what looks like one.
        documents: keys of documents, and what looks like one.
        values: hidden values of forms.
        cursors: as pages give them.
    """

    def __init__(self, base_url: str) -> None:
        storage, clock = InMemoryStorage(), FrozenClock(datetime(2026, 4, 14, 9, 12, tzinfo=UTC))
        demo.make_seller(storage, clock, base_url=base_url, invoices=120)
        self.https = base_url.startswith("https")
        self.portal = Portal(
            storage,
            secret_keys=KEYS,
            base_url=base_url,
            clock=clock,
            documents=WithFiles(storage.documents),  # type: ignore[arg-type]
        )
        host = HostLinks(home="/", customer="/customers/{customer_id}")
        theme = Theme(colour="#1f5673")
        mailer = Mailer(self.portal, transport=FunctionTransport(_take), sender="p@x.example")
        self.app = create_app(
            self.portal,
            authorize=authorize,
            seller=SELLER,
            theme=theme,
            host=host,
            mailer=mailer,
            renewals=True,
        )
        self._signer = LinkSigner(KEYS, "default")
        tokens = {one.id: self.portal.tokens.get(one.id) for one in demo.CUSTOMERS}
        self.ids = {one: token.id for one, token in tokens.items() if token}
        good = [self.link(one) for one in (demo.KOPI, demo.MUELLER, demo.HAFENKONTOR)]
        dead = [self.link(one) for one in (demo.AURORA, demo.HARBOUR)]
        self.links = [*good, *dead, self._signer.sign(new_token_id())]
        self.links += [good[0][:-1], f"{good[0]}=", good[0][:22], "x" * 66]
        self.links.append(f"{'x' * 22}.{'x' * 43}")
        self.customers = [key_of(one.id) for one in demo.CUSTOMERS] + [key_of("none"), "x"]
        shown = ("INV-1042", "INV-1030", "SO-301", "CN-17", "INV-1060", "SO-299", "none", "é/#")
        self.documents = [key_of(one) for one in shown]
        forms = self.portal.forms
        self.values = [forms.value("message", token_id) for token_id in self.ids.values()]
        self.values += [forms.value("staff", name) for name in ("ana", "reader", "ben")]
        self.cursors = self._cursors()

    def link(self, customer_id: str) -> str:
        """The text of a customer's link, as it was in the beginning."""
        return self._signer.sign(self.ids[customer_id])

    def _cursors(self) -> list[str]:
        access = self.portal.preview(demo.HAFENKONTOR, by="ana")
        page = access.documents(DocumentKind.SALES_INVOICE, limit=5)
        lines = access.statement_page("EUR", limit=5)
        messages = self.portal.messages.thread(demo.KOPI, limit=1)
        customers = self.portal.customers.search("", limit=2)
        tokens = self.portal.tokens.list(limit=2)
        found = (page.next, lines.next, messages.next, customers.next, tokens.next)
        return [one for one in found if one]

    def ask(self, environ: Environ) -> Answer:
        """The answer to a request, read to its end. What is raised comes through."""
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            assert not begun or error, "start_response was called twice"
            begun.append((status, headers))
            return lambda _: None

        since = thread_time()
        parts = self.app(environ, start)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        status, headers = begun[-1]
        return Answer(int(status[:3]), headers, body, thread_time() - since)

    def faults(self, environ: Environ, answer: Answer) -> list[str]:
        """What is wrong with an answer."""
        staff = f"{environ['PATH_INFO']}/".startswith(f"{STAFF_PATH}/")
        file = "public" in dict(answer.headers).get("Cache-Control", "")
        found = header_faults(answer.headers, staff=staff, https=self.https, file=file)
        if file and not self._is_static(environ):
            found.append("a page may be kept")
        if answer.status >= 500 or answer.status < 200:
            found.append("status")
        if environ["REQUEST_METHOD"] == "HEAD" and answer.body:
            found.append("HEAD has a body")
        if answer.seconds > LONGEST:
            found.append(f"took {answer.seconds:.1f} s")
        strange = set(A_TOKEN.findall(answer.body + repr(answer.headers).encode()))
        strange -= self._may_show(environ)
        if strange:
            found.append(f"shows {len(strange)} links that it was not asked for")
        return found

    def _is_static(self, environ: Environ) -> bool:
        path = environ["PATH_INFO"].rstrip("/")
        return "/static/" in path or path.endswith(("/theme.css", "/logo"))

    def _may_show(self, environ: Environ) -> set[bytes]:
        """The links in a request; and for staff who may copy it, that of the customer named."""
        path = environ["PATH_INFO"].encode("latin-1")
        shown = set(A_TOKEN.findall(path + b" " + environ["QUERY_STRING"].encode("latin-1")))
        shown |= set(A_TOKEN.findall(environ["wsgi.input"].getvalue()))
        if path.startswith(STAFF_PATH.encode()) and environ.get("HTTP_X_STAFF") in ("ana", "ben"):
            for one in demo.CUSTOMERS:
                token = self.portal.tokens.get(one.id)
                if token and key_of(one.id).encode() in path:
                    shown.add(self._signer.sign(token.id).encode())
        return shown


def _take(message: EmailMessage) -> None:
    """A mail server that does not know everybody."""
    if "kopi" not in str(message["To"]):
        raise MailRefused("no such user (550)", code=550)


# --- what a request is made of --------------------------------------------------------------

METHODS = ["GET"] * 6 + ["POST"] * 3 + ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"]
METHODS += ["CONNECT", "BREW", "get", "\xff", "A" * 99]
GARBAGE = [
    "%00", "%2e%2e", "%2f", "..", ".", "//", "/", "%", "%zz", "%ff%fe", "%c3%28", "%ed%a0%80",
    "%f4%90%80%80", "%E2%80%AE", "%e2%80%a8", "%0d%0aSet-Cookie:%20a=1", "%0a", "%7f", "%85",
    ";a=b", "?", "#", "&", "=", "+", "'", '"', "<script>", "{{7*7}}", "%(a)s", "{0}", "\\", "é",
    "x" * 3000, "a/" * 300, "%F0%9F%A6%84", "a%CC%88", "static", "static/", "theme.css", "None",
    "-", "_", "%20", "~", "*", "@", "..%5c..%5c", "INV/2026/0042 #2", "0", "%EF%BF%BD", "con",
    "%80" * 50,
]  # fmt: skip
DATES = [
    "0000-00-00", "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2026-02-30",
    "2026-4-1", "20260414", "2026-W16-2", "2026-04-14T00:00", "-2026-04-14", "２０２６-04-14",
    "2026-04-14", "", "1000-01-01", "9999-12-01", "0001-12-31", "2026-13-01", "tomorrow", "1e9",
    " 2026-04-14 ",
]  # fmt: skip
NUMBERS = [
    "0", "1", "-1", "2026", "9999", "10000", "00", "1e3", "0x10", "٣", "²", "1.5", "NaN",
    "Infinity", "9" * 5000, "1" * 18, str(2**63), "-0", "+1", " 1", "1_0", "365", "366", "true",
]  # fmt: skip
TEXTS = [
    "", " ", "INV", "inv-10", "%", "_", "%%", "\\", "'", '" OR 1=1 --', "<img src=x onerror=a()>",
    "x" * 101, "x" * 2001, "x" * 20000, "\x00", "a\x00b", "\r\n", "\n" * 600, "\ud800",
    "\udfff\ud800", "İ", "ß", "ﬀ", "\u202e", "\u2028", "\ufeff", "🦄" * 700, "a\u0308", "\x7f",
    "\x85", "\x1b[31m", "REVOKE", "revoke", "EUR", "eur", "XXX", "ÀÀÀ", "activity", "open_items",
    "active", "expired", "revoked", "soon", "issued", "saved-off-expiry", "generated", "reply",
    "note", "read", "on", "off", "https://evil.example/", "//evil.example", "javascript:alert(1)",
    "a\r\nSet-Cookie: b=c", "[]", "{{ 7*7 }}", "{% raw %}", "%(count)s", "{0.__class__}", "null",
    "W10", "WyIiXQ", "e30", "WzEsMiwzXQ", "WyIyMDI2LTA0LTE0IiwgMCwgIkVOVCJd", "=" * 9,
    "W" * 10000, "WyJcdWQ4MDAiXQ", "9" * 20,
]  # fmt: skip
USUAL = "application/x-www-form-urlencoded"
MEDIA = [
    f"{USUAL}; charset=utf-16", f"{USUAL}; charset=nonsense", "multipart/form-data",
    "multipart/form-data; boundary=b", "multipart/form-data; boundary=",
    'multipart/form-data; boundary="', "multipart/form-data; boundary=" + "x" * 300,
    "multipart/form-data; boundary=\xff", "multipart/mixed; boundary=b", "application/json",
    "text/plain", "text/xml", "", "x", "a/b/c", ";", "application/octet-stream", "*/*",
    "text/html; charset=\x00", "multipart/form-data; boundary=b;" * 50,
]  # fmt: skip
LENGTHS = ["", "0", "1", "-1", "x", "9" * 30, "1e3", "\xb2", "100000"]
QUERIES = ["&", "&&&", "=", "%", "%ff=%fe", "\xff=\xfe", "q=\xff", "a=1;b=2", "?" * 9, "+", "\x01"]
HEADERS: dict[str, list[str]] = {
    "HTTP_HOST": [
        "erp.example.com", "evil.example", "", "a" * 64, "x" * 5000, "[::1", "é", "a:b:c", "\xff",
        "127.0.0.1:99999999", "..", "a b", "xn--", "xn--\x80", "user@evil.example",
    ],
    "HTTP_ACCEPT_LANGUAGE": [
        "de", "id", "en-GB,en;q=0.9", "*", "", "x" * 2000, "de;q=nan", "de;q=-1", "de;q=1e999",
        "en_US.UTF-8", "../../etc", "zh-Hant-TW", "a-b-c-d-e-f-g", ",".join(["xx"] * 3000),
        "de;q=0.5;q=0.6", "\xff\xfe", "ar-EG", "he", "tlh", "i-klingon", "sr@latin", "de-\x00",
        "C", "root", "und", "1", "de_DE_POSIX",
    ],
    "HTTP_COOKIE": ["session=x", "a=" + "x" * 9000, "=;=;=", "\xff=\xff", ".eJw.x.y", ";" * 2000],
    "HTTP_REFERER": ["https://erp.example.com/portal/x", "//", "\xff", "x" * 9000, ""],
    "HTTP_SEC_FETCH_MODE": ["navigate", "no-cors", "", "\xff", "NAVIGATE"],
    "HTTP_SEC_FETCH_SITE": ["same-origin", "cross-site", "none", "same-site", "", "\xff"],
    "HTTP_SEC_FETCH_DEST": ["document", "empty", "image", "\xff"],
    "HTTP_SEC_PURPOSE": ["prefetch", "prefetch;prerender", "\xff", ""],
    "HTTP_IF_NONE_MATCH": ["*", '"x"', "W/", "x" * 5000, '"', "\xff"],
    "HTTP_IF_MODIFIED_SINCE": ["Thu, 01 Jan 1970 00:00:00 GMT", "never", "Tue, 99 Foo 9", "\xff"],
    "HTTP_IF_RANGE": ['"x"', "Thu, 01 Jan 1970 00:00:00 GMT", "\xff"],
    "HTTP_RANGE": [
        "bytes=0-1", "bytes=-1", "bytes=9999999-", "bytes=5-1", "bytes=0-,0-,0-", "x=1-2",
        "bytes=" + "0-0," * 900, "bytes=\xff", "bytes=" + "9" * 5000 + "-", "bytes=--1",
    ],
    "HTTP_X_FORWARDED_HOST": ["evil.example"],
    "HTTP_X_FORWARDED_PROTO": ["http", "javascript"],
    "HTTP_X_FORWARDED_PREFIX": ["/evil", "//evil.example"],
    "HTTP_X_ORIGINAL_URL": ["/settings/portal"],
    "HTTP_X_HTTP_METHOD_OVERRIDE": ["DELETE", "POST"],
    "HTTP_TRANSFER_ENCODING": ["chunked", "gzip, chunked", "\xff"],
    "HTTP_CONTENT_ENCODING": ["gzip", "\xff"],
    "HTTP_EXPECT": ["100-continue", "x"],
    "HTTP_CONNECTION": ["upgrade", "keep-alive, Upgrade"],
    "HTTP_UPGRADE": ["websocket", "h2c"],
    "HTTP_AUTHORIZATION": ["Basic x", "Bearer " + "x" * 5000, "Digest", "\xff"],
    "HTTP_CACHE_CONTROL": ["no-cache", "max-age=x", "\xff"],
    "HTTP_ACCEPT": ["*/*", "application/json", "text/html;q=nan", "\xff"],
    "HTTP_X_" + "A" * 500: ["x" * 8000],
}  # fmt: skip
FIELDS = ["text", "about", "once", "link", "reason", "confirm", "replaces", "version", "do"]
FIELDS += ["token_expiry_days", "welcome_message", "seen"]
FILES = ["portal.css", "staff.js", "icon.svg", "../headers.py", "%2e%2e/x", "none.css"]


@cache
def names() -> tuple[str, ...]:
    """The names of parameters and fields that pages and templates speak of, and some others."""
    found = {"next", "url", "page", "limit", "lang", "new-link", ""}
    here = Path(basis_portal.web.__file__).parent
    for file in (*here.rglob("*.py"), *here.rglob("*.html")):
        text = file.read_text(encoding="utf-8")
        found |= set(re.findall(r'\b(?:args|form|sent)(?:\.get(?:list)?\(|\[)"(\w+)"', text))
        found |= set(re.findall(r'\bname="(\w+)"', text))
    return tuple(sorted(found))


@cache
def routes() -> tuple[tuple[bool, str, str], ...]:
    """Each route: whether it is staff's, its rule, and a method; posts count for three."""
    clock = FrozenClock(datetime(2026, 4, 14, tzinfo=UTC))
    found = Site.over(Failing(InMemoryStorage()), clock).routes
    return tuple(
        (staff, rule.rule, method)
        for staff, rule, _ in sorted(found, key=lambda one: (one[0], one[1].rule))
        for method in sorted(rule.methods or ())
        for _ in range(3 if method == "POST" else 1)
    )


class Maker:
    """Makes a request to a world from a source of chance.

    Attributes:
        staff: whether it is one to the staff's pages.
        who: the member of staff who asks, or empty.
        link: the text of the link, where it is for a customer's page.
    """

    def __init__(self, world: World, random: Random) -> None:
        self._world, self._random = world, random
        self.staff = random.random() < 0.45
        people = ["ana"] * 6 + ["reader", "ben", ""]
        self.who = random.choice(people) if self.staff else random.choice(["", "", "", "ana"])
        good = random.random() < 0.75
        self.link = random.choice(world.links[:3] if good else world.links)

    def environ(self) -> Environ:
        """A request as a server hands it on: bytes as Latin-1, the path decoded once."""
        random = self._random
        _, rule, method = random.choice([one for one in routes() if one[0] is self.staff])
        if random.random() < 0.15:
            method = random.choice(METHODS)
        path = unquote_to_bytes(_bytes(self._path(rule)))
        kind, body = self._body() if method == "POST" or random.random() < 0.05 else ("", b"")
        environ: Environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.decode("latin-1"),
            "QUERY_STRING": self._query(),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8641",
            "SERVER_PROTOCOL": random.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/0.9"]),
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": random.choice(["http", "https"]),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if kind or body:
            length = random.choice(LENGTHS) if random.random() < 0.08 else str(len(body))
            environ |= {"CONTENT_TYPE": kind, "CONTENT_LENGTH": length}
        for name, values in HEADERS.items():
            if random.random() < 0.07:
                environ[name] = random.choice(values)
        if self.who:
            environ["HTTP_X_STAFF"] = self.who
        return environ

    def _path(self, rule: str) -> str:
        random = self._random
        if random.random() < 0.03:
            return random.choice(["", "/", "//", "/portal", "/portal/", "/settings", "*", "/é"])
        path = (STAFF_PATH if self.staff else "/portal") + rule
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: self._part(found[1]), path)
        while random.random() < 0.15:
            at = random.choice([random.randrange(len(path) + 1), len(path), path.rfind("/") + 1])
            path = path[:at] + random.choice(GARBAGE) + path[at:]
        return path

    def _part(self, name: str) -> str:
        world, random = self._world, self._random
        if random.random() < 0.06:
            return random.choice(GARBAGE)
        if name == "text" and not self.staff:
            return self.link
        if name == "key" and (not self.staff or random.random() < 0.2):
            return random.choice(world.documents)
        if name in ("text", "key"):
            return random.choice(world.customers)
        return random.choice(FILES if name == "filename" else GARBAGE)

    def _value(self, name: str) -> str:
        world, random = self._world, self._random
        own = {
            "form": world.values,
            "after": world.cursors,
            "about": world.documents,
            "link": world.links,
            "replaces": list(world.ids.values()),
            "from": DATES,
            "to": DATES,
            "confirm": ["REVOKE"],
            "token_expiry_days": NUMBERS,
            "version": NUMBERS,
            "do": ["reply", "note", "read"],
        }.get(name)
        if own and random.random() < 0.7:
            return random.choice(own)
        any_other = [TEXTS, TEXTS, DATES, NUMBERS, world.cursors, world.documents, GARBAGE]
        return random.choice(random.choice(any_other))

    def _pairs(self, most: int) -> list[tuple[str, str]]:
        random, found = self._random, []
        for _ in range(random.randrange(most)):
            name = random.choice(names()) if random.random() < 0.95 else random.choice(TEXTS)
            found.append((name, self._value(name)))
        return found

    def _query(self) -> str:
        pairs = [f"{_quoted(name)}={_quoted(value)}" for name, value in self._pairs(5)]
        odd = self._random.choice(QUERIES) if self._random.random() < 0.1 else ""
        return ("&".join(pairs) + odd)[:20000]

    def _body(self) -> tuple[str, bytes]:
        random, pairs = self._random, self._pairs(6)
        if random.random() < 0.8:  # what forms have
            pairs += [(name, self._value(name)) for name in FIELDS if random.random() < 0.6]
        if random.random() < 0.7:
            pairs.append(("form", self._form_value()))
        kind = random.choice(MEDIA) if random.random() < 0.2 else USUAL
        if kind.startswith("multipart") or random.random() < 0.2:
            kind = kind if kind.startswith("multipart") else "multipart/form-data; boundary=b"
            return kind, self._multipart(pairs)
        body = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs).encode()
        if random.random() < 0.01:
            body += b"&text=" + b"x" * 1_000_001
        return kind, body

    def _form_value(self) -> str:
        """The hidden value that a form of the page asked for would have."""
        forms = self._world.portal.forms
        return (
            forms.value("staff", self.who) if self.staff else forms.value("message", self.link[:22])
        )

    def _multipart(self, pairs: list[tuple[str, str]]) -> bytes:
        random, parts = self._random, []
        for name, value in pairs * (40 if random.random() < 0.02 else 1):
            more = random.choice(["", "", "", '; filename="a"', "; filename*=UTF-8''%ff", ";;;"])
            head = f'Content-Disposition: form-data; name="{name}"{more}\r\n'
            head += random.choice(["", "", "Content-Type: text/plain; charset=no\r\n", "\xff\r\n"])
            parts.append(b"--b\r\n" + _bytes(head) + b"\r\n" + _bytes(value) + b"\r\n")
        body = b"".join(parts) + b"--b--\r\n"
        if random.random() < 0.3:  # broken somewhere
            at = random.randrange(len(body))
            body = random.choice([body[:at], body[at:], body[:at] + b"\xff\x00--b" + body[at:]])
        return body


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _quoted(text: str) -> str:
    return quote_plus(_bytes(text))


# --- a run ----------------------------------------------------------------------------------


@attrs.define
class Found:
    """What a run has found.

    Attributes:
        asked: how many requests were made.
        statuses: how often which status was answered.
        problems: what was wrong, each with the number of its request.
        slowest: seconds of the processor for the answer that took most.
    """

    asked: int = 0
    statuses: Counter[int] = attrs.field(factory=Counter)
    problems: list[str] = attrs.field(factory=list)
    slowest: float = 0.0


def requests(seed: int, numbers: range) -> Iterator[tuple[int, World, Environ]]:
    """Some requests, the first of which starts a world: its number, whom it is for, and what."""
    assert numbers.start % WORLD_LASTS == 0
    for number in numbers:
        if number % WORLD_LASTS == 0:
            world = World(BASE_URLS[number // WORLD_LASTS % len(BASE_URLS)])
        yield number, world, Maker(world, Random(f"{seed}/{number}")).environ()


def run(seed: int, numbers: range) -> Found:
    """Make these requests, and hold each answer against what must be true of it."""
    found = Found()
    for number, world, environ in requests(seed, numbers):
        what = f"{number} {environ['REQUEST_METHOD'][:9]} {_shown(world, environ)}"
        try:
            answer = world.ask(environ)
        except Exception as error:
            found.problems.append(f"{what}: raised {error!r}"[:400])
        else:
            found.statuses[answer.status] += 1
            found.slowest = max(found.slowest, answer.seconds)
            wrong = world.faults(environ, answer)
            found.problems += [f"{what}: {answer.status} {one}" for one in wrong]
        found.asked += 1
    return found


def _shown(world: World, environ: Environ) -> str:
    """Where a request went, without a link, short enough for a line."""
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/")
    for text in world.links[:6]:
        path = path.replace(text, "LINK")
    return f"{path[:90]}?{environ['QUERY_STRING'][:60]}"
