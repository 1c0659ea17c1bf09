"""Who visits the pages in a host: by links, forms and redirects alone, as a browser does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

import attrs
from werkzeug.datastructures import Headers
from werkzeug.test import create_environ, run_wsgi_app

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

EVIL = "evil.example"
EVIL_HEADERS = {
    "Host": EVIL,
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Server": EVIL,
    "X-Original-Host": EVIL,
    "Forwarded": f"host={EVIL}",
}


@attrs.define
class Form:
    """A form of a page: where it goes, and what stands in its fields."""

    action: str
    method: str
    fields: dict[str, str] = attrs.field(factory=dict)


def whole(url: str, link: str) -> str:
    """The address that a link of a page leads to, as a browser asks for it."""
    return quote(urljoin(url, link), safe="!#$%&'()*+,/:;=?@[]~")


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        for name in ("href", "src"):
            if value := given.get(name):
                self.links.append(whole(self.url, value))
        if tag == "form":
            action = whole(self.url, given.get("action") or self.url)
            self.forms.append(Form(action, (given.get("method") or "get").upper()))
        name = given.get("name")
        if not name or not self.forms or "disabled" in given:
            return
        ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
        if tag == "input" and ticked:
            self.forms[-1].fields[name] = given.get("value") or ""
        elif tag == "textarea":
            self.forms[-1].fields[name], self._textarea = "", name

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.forms[-1].fields[self._textarea] += data.removeprefix("\n")


@attrs.define
class Page:
    """An answer, and the address it was asked at.

    Attributes:
        links: what its links, pictures and stylesheets name, as whole addresses.
        forms: its forms.
    """

    url: str
    status: int
    headers: Headers
    body: bytes
    links: list[str] = attrs.field(init=False, factory=list)
    forms: list[Form] = attrs.field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        if self.headers.get("Content-Type", "").startswith("text/html"):
            reader = _Reader(self.url)
            reader.feed(self.text)
            self.links, self.forms = reader.links, reader.forms

    @property
    def text(self) -> str:
        """The body, as text."""
        return self.body.decode()

    @property
    def location(self) -> str:
        """Where a redirect leads, as a whole address."""
        return whole(self.url, self.headers["Location"])

    def form(self, action: str) -> Form:
        """The form whose address ends so."""
        (found,) = [form for form in self.forms if urlsplit(form.action).path.endswith(action)]
        return found

    def everything(self) -> str:
        """All that was sent."""
        return f"{self.headers}\n{self.body.decode('latin-1')}"


class Visitor:
    """A browser in front of a host, or of the proxy before it, with a cookie jar.

    The Host header of each request is another's, and none of it may come back.

    Attributes:
        app: the host.
        strips: what the proxy takes from the front of a path.
        sends: headers the proxy adds.
        environ: what the server is told, such as ``SCRIPT_NAME``.
        cookies: the cookie jar.
    """

    def __init__(
        self,
        app: Wsgi,
        *,
        strips: str = "",
        sends: dict[str, str] | None = None,
        environ: dict[str, Any] | None = None,
    ) -> None:
        self.app, self.strips = app, strips
        self.sends, self.environ = sends or {}, environ or {}
        self.cookies: dict[str, str] = {}

    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Page:
        """Ask for an address; redirects are not followed."""
        page = self._ask(url, method, data, {**EVIL_HEADERS, **self.sends, **(headers or {})})
        assert EVIL not in page.everything(), f"{url} makes something of the Host header"
        for one in page.headers.getlist("Set-Cookie"):
            self.cookies |= {name: found.value for name, found in SimpleCookie(one).items()}
        return page

    def submit(self, form: Form, /, **typed: str) -> Page:
        """Send a form, and follow where the answer leads."""
        assert form.method == "POST"
        page = self.open(form.action, method="POST", data={**form.fields, **typed})
        if page.status == 303:
            return self.open(page.location)
        return page

    def walk(self, start: str, *, below: str, leaves: Sequence[str] = ()) -> dict[str, Page]:
        """Follow all links from a page; each leads below ``below``, to somewhere.

        Those that begin with one of ``leaves`` are let go.
        """
        seen: dict[str, Page] = {}
        due = [start]
        while due:
            url = due.pop().partition("#")[0]
            if url in seen or url.startswith(("mailto:", "tel:", *leaves)):
                continue
            assert url == below or url.startswith((f"{below}/", f"{below}?")), f"{url} leads away"
            seen[url] = page = self.open(url)
            assert page.status == 200, f"{url} is answered with {page.status}"
            assert "Set-Cookie" not in page.headers, url
            assert page.headers.getlist("X-Frame-Options") == ["DENY"], url
            assert "'none'" in page.headers["Content-Security-Policy"], url
            due += page.links
            due += [form.action for form in page.forms if form.method == "GET"]
        return seen

    def _ask(
        self, url: str, method: str, data: dict[str, str] | None, headers: dict[str, str]
    ) -> Page:
        parts = urlsplit(url)
        assert parts.path.startswith(self.strips), f"{url} does not lead to the host"
        body = None if data is None else urlencode(data)
        if body is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        environ = create_environ(
            "/", method=method, headers=headers, data=body, query_string=parts.query
        )
        path = unquote(parts.path.removeprefix(self.strips), "latin-1")
        script = self.environ.get("SCRIPT_NAME", "")
        assert path.startswith(script), f"{url} does not lead to the host"
        environ |= {**self.environ, "PATH_INFO": path.removeprefix(script)}
        answer, status, found = run_wsgi_app(self.app, environ, buffered=True)
        return Page(url, int(status.split()[0]), Headers(found), b"".join(answer))


def form_with(page: Page, field: str) -> Form:
    """The form of a page that has a field."""
    (found,) = [form for form in page.forms if field in form.fields]
    return found


def texts(pages: dict[str, Page]) -> Iterator[str]:
    """The pages that people read."""
    for page in pages.values():
        if page.headers["Content-Type"].startswith("text/html"):
            yield page.text
