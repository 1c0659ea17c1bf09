"""A value that the host's code cannot make is a fault in the log, and never "Not found"."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from tests.web.conftest import BASE_URL, STAFF_PATH, Visitor, authorize, document_path, path_of
from tests.web.reading import hidden, words

from basis_portal import Customer, DocumentFile, EntryKind, LedgerEntry, Portal, PortalConfig
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import create_app

STAFF = {"X-Staff": "ana"}
KEY = key_of(demo.KOPI)
NO_NAME = "Customer.name must have 1 to 1000 characters, not 0"
A_FLOAT = "LedgerEntry.amount must be a Decimal, not 10.5"
NO_BYTES = "DocumentFile.content must be a bytes"


class Host:
    """A host's repository over a storage's, whose named methods make their value first.

    Attributes:
        broken: True once they fail.
    """

    def __init__(self, inner: Any, make: Callable[[], Any], *names: str) -> None:
        self._inner, self._make, self._names = inner, make, names
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        """The inner repository's own."""
        found = getattr(self._inner, name)
        return self._making(found) if name in self._names else found

    def _making(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.broken:
                self._make()
            return method(*args, **kwargs)

        return call


def a_nameless_customer() -> Any:
    """A customer with a name that breaks its rule."""
    return Customer(demo.KOPI, "")


def a_float() -> Any:
    """An entry with an amount that breaks its rule."""
    amount: Any = 10.5
    day = dt.date(2026, 3, 3)
    return LedgerEntry("E", demo.KOPI, "EUR", day, EntryKind.INVOICE, amount)


class Site:
    """The invented seller's pages, over a host whose repositories fail when told."""

    def __init__(self, storage: InMemoryStorage, clock: FrozenClock) -> None:
        demo.make_seller(storage, clock, base_url=BASE_URL, invoices=36)
        self.now: Callable[[], dt.datetime] | None = None
        self.customers = Host(storage.customers, a_nameless_customer, "get_many", "search", "get")
        self.ledger = Host(storage.ledger, a_float, "open_items", "entries", "entry_page")
        self.documents = Host(storage.documents, a_float, "get", "page", "issued_kinds", "years")
        given: Any = {"documents": self.documents, "ledger": self.ledger}
        self.portal = Portal(
            storage,
            secret_keys=["k" * 32],
            base_url=BASE_URL,
            clock=lambda: self.now() if self.now else clock(),
            customers=self.customers,
            **given,
        )
        self.client = Visitor(create_app(self.portal, authorize=authorize))
        self.kopi = path_of(self.portal.tokens.link(demo.KOPI))


@pytest.fixture
def site(storage: InMemoryStorage, clock: FrozenClock) -> Site:
    """The pages."""
    return Site(storage, clock)


def assert_fault(answer: Any, log: pytest.LogCaptureFixture, why: str) -> None:
    """A calm page with a reference, under which the log has the error."""
    assert answer.status_code == 500
    said = words(answer.text)
    assert "Something went wrong on our side." in said
    reference = said.split("Reference")[1].split(": ")[1].split()[0]
    assert f"fault {reference} " in log.text
    assert why in log.text
    assert why not in answer.text


@pytest.mark.parametrize(
    ("part", "below"),
    [
        ("ledger", ""),
        ("ledger", "/statement"),
        ("ledger", "/statement?view=open_items"),
        ("ledger", "/statement.csv"),
        ("ledger", "/statement.pdf"),
        ("documents", "/invoices"),
        ("documents", f"/document/{key_of('INV-1042')}"),
        ("documents", "/credit-notes?year=2026"),
    ],
)
@pytest.mark.parametrize("in_preview", [False, True])
def test_a_customers_page(
    part: str, below: str, in_preview: bool, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """What the host gives wrong is a fault, for the customer and in a preview alike."""
    path = f"{STAFF_PATH}/preview/{KEY}{below}" if in_preview else f"{site.kopi}{below}"
    assert site.client.get(path, headers=STAFF).status_code == 200
    getattr(site, part).broken = True
    assert_fault(site.client.get(path, headers=STAFF), caplog, A_FLOAT)


@pytest.mark.parametrize(
    "path", ["/tokens", "/tokens?status=active", f"/tokens/{KEY}", "/preview", f"/preview/{KEY}"]
)
def test_a_page_of_staff(path: str, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Staff see that something went wrong, not that there is no such customer."""
    assert site.client.get(STAFF_PATH + path, headers=STAFF).status_code == 200
    site.customers.broken = True
    assert_fault(site.client.get(STAFF_PATH + path, headers=STAFF), caplog, NO_NAME)


@pytest.mark.parametrize(
    "path",
    [
        "/tokens?status=active&after=x",
        "/messages?after=x",
        "/tokens?after=x",
        "/tokens/AA",
        f"/tokens/{key_of('x' * 256)}",
        f"/messages/{key_of('x' * 256)}",
        f"/preview/{key_of('x' * 256)}",
        f"/preview/{KEY}/invoices?after=x",
        f"/preview/{KEY}/messages?after=x",
    ],
)
def test_what_an_address_of_staff_gets_wrong(
    path: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """A cursor that is none, or the id of nobody, is a page that is not there; no fault."""
    assert site.client.get(STAFF_PATH + path, headers=STAFF).status_code == 404
    assert caplog.text == ""


@pytest.mark.parametrize(
    "below",
    [
        "/invoices?after=x",
        "/messages?after=x",
        "/statement?currency=EUR&after=x",
        "/statement?currency=euro&after=x",
        f"/document/{key_of('x' * 256)}",
    ],
)
def test_what_an_address_of_a_customer_gets_wrong(
    below: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The same for customers, with the way back to the overview."""
    answer = site.client.get(site.kopi + below)
    assert answer.status_code == 404
    assert "There is no such page in your portal." in words(answer.text)
    assert caplog.text == ""


def test_a_clock_that_gives_no_instant(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does a clock of the host's without a time zone make a page one that is not there."""
    site.now = lambda: dt.datetime(2026, 4, 14)  # noqa: DTZ001
    answer = site.client.get(f"{STAFF_PATH}/tokens", headers=STAFF)
    assert_fault(answer, caplog, "clock() must be a datetime with a time zone")


# --- texts that people typed ------------------------------------------------------------------


class Once:
    """Fails the call that is so many ahead, and no other."""

    def __init__(self, make: Callable[[], Any], ahead: int) -> None:
        self._make, self.ahead = make, ahead

    def __call__(self) -> None:
        """Make the value when its turn has come."""
        self.ahead -= 1
        if self.ahead == 0:
            self._make()


def test_no_message_is_blamed_for_the_host(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The customer is not told that the text cannot be sent, and has it back."""
    path = f"{site.kopi}/messages"
    about = key_of("INV-1042")
    form = hidden(site.client.get(path).text, "form")
    sent = site.client.post(path, data={"form": form, "text": "First", "about": about})
    assert sent.status_code == 303
    site.documents._make, site.documents.broken = Once(a_float, 1), True
    answer = site.client.post(path, data={"form": form, "text": "Second"})
    assert_fault(answer, caplog, A_FLOAT)
    assert "Second</textarea>" in answer.text
    assert site.client.post(path, data={"form": form, "text": "\x07"}).status_code == 400


def test_no_reply_is_blamed_for_the_host(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Nor are staff, whatever call of the host's fails."""
    path, headers = f"{STAFF_PATH}/messages/{KEY}", STAFF
    page = site.client.get(path, headers=headers).text
    data = {name: hidden(page, name) for name in ("form", "seen")}
    data |= {"text": "An answer", "do": "reply"}
    assert site.client.post(path, data={**data, "text": "\x07"}, headers=headers).status_code == 400
    site.customers.broken = True
    for ahead in range(1, 10):
        site.customers._make = found = Once(a_nameless_customer, ahead)
        answer = site.client.post(path, data=data, headers=headers)
        if found.ahead > 0:
            break
        assert_fault(answer, caplog, NO_NAME)
        assert "An answer</textarea>" in answer.text
    assert ahead > 2, "the control: more than one call was failed"


def test_a_reply_about_what_can_be_no_document(site: Site) -> None:
    """The id of a form that is none is one that the customer cannot see; the text is kept."""
    path = f"{STAFF_PATH}/messages/{KEY}"
    page = site.client.get(path, headers=STAFF).text
    data = {name: hidden(page, name) for name in ("form", "seen")}
    data |= {"text": "An answer", "do": "reply", "about": key_of("x" * 256)}
    answer = site.client.post(path, data=data, headers=STAFF)
    assert answer.status_code == 404
    assert "The customer cannot see that document any more." in words(answer.text)
    assert "An answer</textarea>" in answer.text


# --- files ------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_made(
    storage: InMemoryStorage, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The invoice is shown without it, and the log says why; its own address is a fault."""

    class WithViews:
        def __getattr__(self, name: str) -> Any:
            return getattr(storage.documents, name)

        def file(self, customer_id: str, document_id: str) -> DocumentFile:
            content: Any = memoryview(b"%PDF-1.7")
            return DocumentFile("INV-1042.pdf", content)

    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=36)
    documents: Any = WithViews()
    portal = Portal(
        storage, secret_keys=["k" * 32], base_url=BASE_URL, clock=clock, documents=documents
    )
    client = Visitor(create_app(portal))
    path = document_path(path_of(portal.tokens.link(demo.KOPI)), "INV-1042")
    page = client.get(path)
    assert page.status_code == 200
    assert "Download PDF" not in page.text
    assert NO_BYTES in caplog.text
    caplog.clear()
    assert_fault(client.get(f"{path}/file"), caplog, NO_BYTES)
    portal.settings.save(PortalConfig(enabled=False))
    assert client.get(path).status_code == 403
