"""What the tests of the pages share: the invented seller of the demo, its apps, a client."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import attrs
import pytest
from tests.conftest import _whole_state
from werkzeug.test import Client, TestResponse

from basis_portal import DocumentFile, DocumentKind, Portal, Seller
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import HostLinks, Staff, Theme, create_app

ORIGIN = "https://erp.example.com"
BASE_URL = f"{ORIGIN}/portal"
STAFF_PATH = "/settings/portal"
SELLER = Seller(
    demo.NAME,
    address="Speicherstr. 1, Berlin",
    email="accounts@nordlicht.example",
    phone="+49 30 1234567",
)


def authorize(environ: dict[str, Any]) -> Staff | None:
    """Whoever the test says in a header; "reader" may only look."""
    name = environ.get("HTTP_X_STAFF")
    return Staff(name, read_only=name == "reader") if name else None


@pytest.fixture
def clock() -> FrozenClock:
    """The day the examples of the pages are of."""
    return FrozenClock(dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC))


@pytest.fixture
def storage() -> InMemoryStorage:
    """What the portal of the invented seller is kept in."""
    return InMemoryStorage()


@pytest.fixture
def invoices() -> int:
    """How many invoices the long account has; a test that walks through it asks for more."""
    return 36


@pytest.fixture
def portal(storage: InMemoryStorage, clock: FrozenClock, invoices: int) -> Portal:
    """The portal of the invented seller."""
    return demo.make_seller(storage, clock, base_url=BASE_URL, invoices=invoices)


@pytest.fixture
def app(portal: Portal) -> Any:
    """Both apps of the portal in one."""
    host = HostLinks(name="Demo ERP", home="/", customer="/customers/{customer_id}")
    return create_app(
        portal, authorize=authorize, seller=SELLER, theme=Theme(colour="#1f5673"), host=host
    )


class Visitor(Client):
    """Whoever asks from outside and reads all of the answer; there is no cookie."""

    def __init__(self, app: Any) -> None:
        super().__init__(app, use_cookies=False)

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Ask, and read the answer to its end."""
        return super().open(*args, **{"buffered": True, **kwargs})


@pytest.fixture
def client(app: Any) -> Client:
    """Whoever asks from outside."""
    return Visitor(app)


def path_of(link: str) -> str:
    """The path of a link."""
    assert link.startswith(ORIGIN)
    return link.removeprefix(ORIGIN)


@pytest.fixture
def kopi(portal: Portal) -> str:
    """The path of Kopi Nusantara's link."""
    return path_of(portal.tokens.link(demo.KOPI, by="ana"))


def document_path(link: str, document_id: str) -> str:
    """The path of a document's page under a link."""
    return f"{link}/document/{key_of(document_id)}"


# --- pages as a browser reads them ---------------------------------------------------------


@attrs.define
class Form:
    """A form of a page.

    Attributes:
        page: the address of the page.
        action: where it is sent.
        method: in small letters.
        fields: what is sent where nobody types, by name; a list has one entry per field.
        buttons: name and value of each button that has a name.
        typed: the names of the fields that people fill, with their types.
    """

    page: str
    action: str
    method: str
    fields: list[tuple[str, str]] = attrs.field(factory=list)
    buttons: list[tuple[str, str]] = attrs.field(factory=list)
    typed: dict[str, str] = attrs.field(factory=dict)


class Page(HTMLParser):
    """What a page refers to, and its forms.

    Attributes:
        hrefs: addresses of pages and of what belongs to this one, as paths with their query.
        forms: its forms.
        text: its words.
    """

    def __init__(self, address: str, html: str) -> None:
        super().__init__()
        self.address = address
        self.hrefs: set[str] = set()
        self.forms: list[Form] = []
        self.text = ""
        self._by_id: dict[str, Form] = {}
        self._form: Form | None = None
        self._area: tuple[Form, str] | None = None
        self._select: tuple[Form, str, list[str]] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of a tag."""
        has = {name: value or "" for name, value in attrs}
        for name in ("href", "src"):
            if name in has and urlsplit(has[name]).scheme not in ("mailto", "tel"):
                self.hrefs.add(urljoin(self.address, has[name]).partition("#")[0])
        if "data-copy" in has:  # what the script sends
            action = urljoin(self.address, has["data-copy"])
            self.forms.append(Form(self.address, action, "post", [("form", has["data-form"])]))
        if tag == "form":
            action = urljoin(self.address, has.get("action", "")).partition("#")[0]
            self._form = Form(self.address, action, has.get("method", "get").lower())
            self.forms.append(self._form)
            self._by_id[has.get("id", "")] = self._form
            return
        form = self._by_id.get(has["form"]) if "form" in has else self._form
        if form is not None:
            self._control(tag, has, form)

    def _control(self, tag: str, has: dict[str, str], form: Form) -> None:
        name, kind = has.get("name", ""), has.get("type", "text")
        if tag == "button" or (tag == "input" and kind == "submit"):
            if name:
                form.buttons.append((name, has.get("value", "")))
        elif tag == "textarea":
            form.typed[name], self._area = "textarea", (form, name)
            form.fields.append((name, ""))
        elif tag == "select":
            self._select = (form, name, [])
        elif tag == "option" and self._select:
            found = self._select[2]
            found.insert(0 if "selected" in has else len(found), has.get("value", ""))
        elif tag == "input" and name:
            if kind in ("checkbox", "radio"):
                if "checked" in has:
                    form.fields.append((name, has.get("value", "on")))
                form.typed[name] = kind
                return
            form.fields.append((name, has.get("value", "")))
            if kind != "hidden":
                form.typed[name] = kind

    def handle_endtag(self, tag: str) -> None:
        """Note the end of what has one."""
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select" and self._select:
            form, name, found = self._select
            form.fields.append((name, found[0] if found else ""))
            self._select = None

    def handle_data(self, data: str) -> None:
        """Note the words, and what stands in a text area."""
        self.text += data
        if self._area:
            form, name = self._area
            before = dict(form.fields)[name]
            form.fields = [(n, v) for n, v in form.fields if n != name]
            # The first line break in a text area is not part of its text.
            form.fields.append((name, before + (data if before else data.removeprefix("\n"))))


def crawl(client: Client, start: str, **headers: str) -> dict[str, TestResponse]:
    """Every page that links lead to from a page, by its address, the first one included.

    Addresses of other sites are left alone.
    """
    found: dict[str, TestResponse] = {}
    ahead = [start]
    while ahead:
        address = ahead.pop()
        answer = found[address] = client.get(address, headers=headers)
        assert len(found) < 5000, f"no end of it: {address}"
        if answer.mimetype == "text/html":
            hrefs = Page(address, answer.text).hrefs
            ahead += sorted(one for one in hrefs if is_ours(one) and one not in {*found, *ahead})
    return found


def is_ours(address: str) -> bool:
    """False for an address of another site, or of the host outside of the pages."""
    return address.startswith(("/portal/", STAFF_PATH))


# --- storages ------------------------------------------------------------------------------


class Failing:
    """A storage that does as its inner one until `error` is set, and then raises that.

    Attributes:
        inner: the storage.
        error: makes what a call raises, a new one for each; or None.
        only: the beginning of the names of the calls that fail, such as ``"messages."``.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.error: Callable[[], Exception] | None = None
        self.only = ""

    @property
    def tenant(self) -> str:
        """The tenant of the storage."""
        tenant: str = self.inner.tenant
        return tenant

    def __getattr__(self, name: str) -> Any:
        """A method of the storage, or a repository."""
        found = getattr(self.inner, name)
        return self.guarded(name, found) if callable(found) else _FailingRepository(self, name)

    def guarded(self, name: str, method: Any) -> Any:
        """The method, which fails where it is to."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.error is not None and name.startswith(self.only):
                raise self.error()
            return method(*args, **kwargs)

        return call


class _FailingRepository:
    def __init__(self, storage: Failing, name: str) -> None:
        self._storage, self._name = storage, name

    def __getattr__(self, method: str) -> Any:
        inner = getattr(self._storage.inner, self._name)
        return self._storage.guarded(f"{self._name}.{method}", getattr(inner, method))


class WithFiles:
    """A host's documents, each of which has a file too."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        """What the inner repository has."""
        return getattr(self._inner, name)

    def file(self, customer_id: str, document_id: str) -> DocumentFile:
        """The file of a document."""
        return DocumentFile(f"{document_id}.pdf", f"%PDF of {document_id}".encode())


def rows_of(storage: Any) -> dict[str, Any]:
    """Every row there is: what the portal keeps, and what a host keeps in its storage."""
    customers = storage.customers.search("", limit=200).items
    kinds = [(one.id, kind) for one in customers for kind in DocumentKind]
    return {
        **_whole_state(storage),
        "customers": customers,
        "documents": [list(storage.documents.page(*one, limit=10**6)) for one in kinds],
        "entries": [list(storage.ledger.entries(one.id)) for one in customers],
        "allocations": [list(storage.ledger.allocations(one.id)) for one in customers],
    }


@pytest.fixture
def rows(storage: InMemoryStorage) -> Callable[[], dict[str, Any]]:
    """Gives every row there is, to show that nothing, or what, has changed."""
    return lambda: rows_of(storage)
