"""Nothing of another customer, no hint why a link is refused, no way to another site."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import quote, unquote

import attrs
import pytest
from tests.depth import some
from tests.export.reading import words_of
from tests.web.conftest import (
    BASE_URL,
    SELLER,
    STAFF_PATH,
    Page,
    Visitor,
    WithFiles,
    authorize,
    crawl,
    document_path,
    rows_of,
)
from werkzeug.test import Client, TestResponse

from basis_portal import Customer, DocumentKind, Portal, PortalConfig
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.links import LinkSigner, new_token_id
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import create_app

KEYS = ["a key of the tests of isolation, 32 bytes"]
PATHS = (
    "",
    "/",
    "/invoices",
    "/sales-orders",
    "/credit-notes",
    "/statement",
    "/statement.pdf",
    "/statement.csv",
    "/messages",
    f"/document/{key_of('INV-1042')}",
    f"/document/{key_of('INV-1042')}/file",
    f"/document/{key_of('INV-1030')}",
    "/document/x",
    "/nowhere",
)
ON = PortalConfig(
    enabled=True,
    show_sales_orders=True,
    show_credit_notes=True,
    show_statement=True,
    allow_messages=True,
)


@pytest.fixture
def portal(storage: InMemoryStorage, clock: FrozenClock) -> Portal:
    """The portal of the invented seller, whose documents have files."""
    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=60)
    portal = Portal(
        storage,
        secret_keys=KEYS,
        base_url=BASE_URL,
        clock=clock,
        documents=WithFiles(storage.documents),  # type: ignore[arg-type]
    )
    portal.settings.save(ON, by="ana")
    return portal


@pytest.fixture
def client(portal: Portal) -> Client:
    """Whoever asks."""
    return Visitor(create_app(portal, authorize=authorize, seller=SELLER))


@pytest.fixture
def link_of(portal: Portal) -> Callable[[str], str]:
    """Gives the path of the link of a customer's latest token, whatever has become of it."""

    def link(customer_id: str) -> str:
        token = portal.tokens.get(customer_id)
        assert token is not None
        return path_of_token(token.id)

    return link


def path_of_token(token_id: str) -> str:
    """The path of the link of a token."""
    return f"/portal/{LinkSigner(KEYS, 'default').sign(token_id)}"


def whole(answer: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """All that a visitor sees of an answer."""
    return answer.status, list(answer.headers), answer.get_data()


def said(answer: TestResponse) -> str:
    """The words of a page or of a file."""
    content = answer.get_data()
    return words_of(content) if content.startswith(b"%PDF-") else unescape(content.decode())


# --- documents ------------------------------------------------------------------------------


def not_visible(storage: InMemoryStorage) -> list[str]:
    """Ids that Kopi Nusantara may not see: of others, no longer or not yet issued, of nothing."""
    others = [
        document.id
        for one in demo.CUSTOMERS
        if one.id != demo.KOPI
        for kind in DocumentKind
        for document in storage.documents.page(one.id, kind, limit=5)
    ]
    assert len(others) > 10
    odd = ["", " ", "INV-1042 ", "inv-1042", "../INV-1042", "x" * 300, "\x00", "é", "BANK-326"]
    return [*others, "INV-1060", "SO-299", "INV-9999", demo.KOPI, demo.MUELLER, *odd]


def test_every_document_that_is_not_visible_is_the_same_404(
    client: Client, storage: InMemoryStorage, link_of: Callable[[str], str]
) -> None:
    """Foreign, draft, cancelled, unknown, no id at all: one page, byte for byte; so its file."""
    kopi, seen = link_of(demo.KOPI), set()
    for document_id in not_visible(storage):
        for key in {key_of(document_id), quote(document_id, safe=""), key_of(document_id) + "="}:
            for end in ("", "/file"):
                answer = client.get(f"{kopi}/document/{key}{end}")
                seen.add(repr(whole(answer)))
                assert answer.status_code == 404, document_id
    seen.add(repr(whole(client.get(f"{kopi}/nowhere"))))
    assert len(seen) == 1
    for mine in ("INV-1042", "SO-301", "CN-17"):
        assert client.get(document_path(kopi, mine)).status_code == 200
        file = client.get(document_path(kopi, mine) + "/file")
        assert (file.status_code, file.get_data()) == (200, f"%PDF of {mine}".encode())


def test_what_is_hidden_is_the_same_404(
    client: Client, portal: Portal, link_of: Callable[[str], str]
) -> None:
    """A section that is switched off, and each of its documents, is as if it did not exist."""
    kopi = link_of(demo.KOPI)
    for switch, paths in {
        "show_sales_orders": ("/sales-orders", f"/document/{key_of('SO-301')}"),
        "show_credit_notes": ("/credit-notes", f"/document/{key_of('CN-17')}"),
        "show_statement": (
            *("/statement", "/statement?from=2026-99-99", "/statement?view=x"),
            *("/statement.pdf", "/statement.csv", "/statement.csv?view=open_items"),
        ),
        "allow_messages": ("/messages", "/messages?sent=1", "/messages?after=x"),
    }.items():
        portal.settings.save(ON, by="ana")
        before = [client.get(kopi + path).status_code for path in paths]
        assert 404 not in before[:2]
        portal.settings.save(attrs.evolve(ON, **{switch: False}), by="ana")
        none = whole(client.get(f"{kopi}/nowhere"))
        for path in paths:
            assert whole(client.get(kopi + path)) == none, path
            if path.startswith("/document/"):
                assert whole(client.get(f"{kopi}{path}/file")) == none
        if switch == "allow_messages":
            token = portal.tokens.get(demo.KOPI)
            assert token is not None
            for value in ("", portal.forms.value("message", token.id)):
                data = {"text": "Hello.", "form": value}
                sent = whole(client.post(f"{kopi}/nowhere", data=data))
                assert sent[0] == none[0] == "404 NOT FOUND"
                assert whole(client.post(f"{kopi}/messages", data=data)) == sent


def test_a_message_about_a_foreign_document_is_refused_without_a_hint(
    client: Client, storage: InMemoryStorage, portal: Portal, link_of: Callable[[str], str]
) -> None:
    """Whatever document it may not be about, the answer is the same, and the text comes back."""
    kopi, token = link_of(demo.KOPI), portal.tokens.get(demo.KOPI)
    assert token is not None
    value, seen = portal.forms.value("message", token.id), set()
    client.get(kopi, headers={"Sec-Fetch-Mode": "navigate"})
    before = rows_of(storage)
    for document_id in not_visible(storage):
        for about in {key_of(document_id), document_id} - {""}:
            data = {"form": value, "once": "1", "text": "Typed, kept.", "about": about}
            answer = client.post(f"{kopi}/messages", data=data)
            assert (answer.status_code, "Typed, kept." in answer.text) == (404, True), about
            seen.add(repr(whole(answer)))
    assert len(seen) == 1
    assert rows_of(storage) == before
    data = {"form": value, "once": "1", "text": "Mine.", "about": key_of("INV-1042")}
    assert client.post(f"{kopi}/messages", data=data).status_code == 303
    assert storage.messages.page(demo.KOPI, limit=1)[0].document_id == "INV-1042"


def test_the_keys_of_another_account_bring_nothing(
    client: Client, link_of: Callable[[str], str]
) -> None:
    """Cursors and names taken from another customer's pages show nothing of that customer."""
    kopi, other = link_of(demo.KOPI), link_of(demo.HAFENKONTOR)
    hrefs = {one for one in crawl(client, other) if "?" in one}
    cursors = {one for one in hrefs if "after=" in one}
    assert cursors
    for address in sorted(hrefs):
        answer = client.get(address.replace(other, kopi))
        assert answer.status_code in (200, 404)
        assert not re.search(r"HK-\d|INV-2\d\d\d", said(answer)), address
        assert "Hafenkontor" not in said(answer)


# --- refusals -------------------------------------------------------------------------------


@pytest.fixture
def refused(
    portal: Portal, storage: InMemoryStorage, clock: FrozenClock, link_of: Callable[[str], str]
) -> dict[str, str]:
    """A path for each cause of a refusal."""
    replaced = link_of(demo.ATHENS)
    portal.tokens.regenerate(demo.ATHENS, by="ana")
    live = link_of(demo.KOPI)
    for customer_id in ("X-1", "X-2"):
        storage.customers.save(Customer(customer_id, f"Customer {customer_id}", language="de"))
        portal.tokens.generate(customer_id, by="ana")
    blocked, gone = link_of("X-1"), link_of("X-2")
    storage.customers.save(Customer("X-1", "Customer X-1", blocked=True, language="de"))
    storage.customers.delete("X-2")
    return {
        "expired": link_of(demo.AURORA),
        "revoked": link_of(demo.HARBOUR),
        "replaced": replaced,
        "unknown token": path_of_token(new_token_id()),
        "blocked customer": blocked,
        "unknown customer": gone,
        "another tenant": "/portal/" + LinkSigner(KEYS, "other").sign(live.split("/")[2][:22]),
        "another key": "/portal/" + LinkSigner(["k" * 32], "default").sign(new_token_id()),
        "cut off": live[:-1],
        "with a full stop": f"{live}.",
        "padded": f"{live}=",
        "in capitals": live[:8] + live[8:].swapcase(),
        "garbage": "/portal/garbage",
        "long": "/portal/" + "x" * 10_000,
        "not ASCII": "/portal/" + quote("é" * 66),
        "a NUL": f"{live}%00",
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_refusal_is_the_same_page(
    client: Client, refused: dict[str, str], link_of: Callable[[str], str], method: str
) -> None:
    """Whatever the cause and the page: one answer, byte for byte, headers included."""
    seen = {
        repr(whole(client.open(link + path, method=method)))
        for link, path in itertools.product(refused.values(), PATHS)
        if method == "GET" or path in ("/messages", "/nowhere")
    }
    assert len(seen) == 1
    only = seen.pop()
    assert "403 FORBIDDEN" in only
    assert "Access denied" in only
    assert client.get("/portal/").text == client.get("/portal").text
    assert repr(whole(client.get("/portal/"))) == only
    assert client.get(link_of(demo.KOPI)).status_code == 200
    assert client.get(link_of(demo.ATHENS)).status_code == 200, "the new link works"


def test_a_refusal_says_nothing_of_the_customer(client: Client, refused: dict[str, str]) -> None:
    """Neither its name nor its language: the language is the browser's, or the seller's."""
    german = client.get(refused["blocked customer"], headers={"Accept-Language": "de"})
    english = client.get(refused["blocked customer"])
    assert german.headers == client.get("/portal/x", headers={"Accept-Language": "de"}).headers
    assert german.text == client.get("/portal/x", headers={"Accept-Language": "de"}).text
    assert english.text == client.get("/portal/x").text
    names = [one.name for one in demo.CUSTOMERS] + ["Customer X", "X-1", "C-1"]
    for link in refused.values():
        text = unescape(client.get(link).text)
        assert not [name for name in names if name in text]


@pytest.mark.parametrize("how", ["switch", "edition", "feature"])
def test_not_available_is_the_same_page_whatever_the_token(
    portal: Portal,
    storage: InMemoryStorage,
    clock: FrozenClock,
    refused: dict[str, str],
    link_of: Callable[[str], str],
    how: str,
) -> None:
    """Off by whichever switch, a link that would open and one that never did look alike."""
    from basis_portal import Edition

    gate: dict[str, Any] = {
        "switch": {},
        "edition": {"edition": Edition.DESKTOP},
        "feature": {"feature_enabled": False},
    }[how]
    portal.settings.save(attrs.evolve(ON, enabled=how != "switch"), by="ana")
    off = Portal(storage, secret_keys=KEYS, base_url=BASE_URL, clock=clock, **gate)
    client = Visitor(create_app(off, authorize=authorize, seller=SELLER))
    links = [*refused.values(), link_of(demo.KOPI), link_of(demo.MUELLER)]
    seen = {
        whole_text
        for one in links
        for path in PATHS
        for whole_text in [repr(whole(client.get(one + path)))]
    }
    assert len(seen) == 1
    only = seen.pop()
    assert "403 FORBIDDEN" in only
    assert "switched off at the moment" in only
    on = Visitor(create_app(portal, authorize=authorize, seller=SELLER))
    portal.settings.save(ON, by="ana")
    assert on.get(link_of(demo.KOPI)).status_code == 200


# --- two links in one browser ---------------------------------------------------------------


def test_no_page_of_one_customer_holds_anything_of_another(
    client: Client, portal: Portal, link_of: Callable[[str], str]
) -> None:
    """Neither name, e-mail address, customer id nor token of anybody else, on any page."""
    mine = [demo.KOPI, demo.MUELLER, demo.HAFENKONTOR]
    pages = {one: crawl(client, link_of(one)) for one in mine}
    for customer, others in ((one, {*mine} - {one}) for one in mine):
        assert len(pages[customer]) > 10
        for address, answer in pages[customer].items():
            text = said(answer)
            for other in (one for one in demo.CUSTOMERS if one.id != customer):
                token = portal.tokens.get(other.id)
                secrets = [other.name, other.email, other.id, token.id if token else None]
                assert not [one for one in secrets if one and one in text], address
            for other_id in others:
                assert link_of(other_id) not in text
        assert any(
            name in pages[customer][link_of(customer)].text for name in ("Kopi", "Mü", "Gro")
        )


def test_two_links_in_one_browser_stay_apart(
    portal: Portal, storage: InMemoryStorage, link_of: Callable[[str], str]
) -> None:
    """Opened in turn, with all the cookies a browser would keep, each shows its own customer."""
    client = Client(create_app(portal, authorize=authorize, seller=SELLER), use_cookies=True)
    kopi, mueller = link_of(demo.KOPI), link_of(demo.MUELLER)
    for number in range(3):
        for mine, other in ((kopi, mueller), (mueller, kopi)):
            page = client.get(f"{mine}/messages", headers={"Referer": BASE_URL + other})
            form = Page(mine, page.text).forms[0]
            assert form.action == f"{mine}/messages"
            data = {**dict(form.fields), "text": f"Hello {number}."}
            answer = client.post(form.action, data=data, headers={"Referer": BASE_URL + other})
            assert answer.headers["Location"].startswith(f"{mine}/messages")
    for customer_id in (demo.KOPI, demo.MUELLER):
        sent = [one.text for one in storage.messages.page(customer_id, limit=99)]
        assert {f"Hello {number}." for number in range(3)} <= {*sent}
    assert not client._cookies  # type: ignore[attr-defined]


# --- no way to another site -----------------------------------------------------------------

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example\\",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,evil.example",
    "/portal\r\nSet-Cookie: evil.example=1",
    "x\nLocation: https://evil.example/",
    "evil.example",
    "@evil.example/",
    "\u2028evil.example",
)
NAMES = ("next", "url", "to", "back", "return", "return_to", "redirect", "continue", "host", "path")


def test_no_parameter_leads_to_another_site(
    client: Client, portal: Portal, link_of: Callable[[str], str]
) -> None:
    """Whatever stands in a parameter of an address or a field of a form, no header repeats it."""
    token = portal.tokens.get(demo.KOPI)
    assert token is not None
    kopi, redirects = link_of(demo.KOPI), 0
    starts = {one.partition("?")[0] for one in (*crawl(client, kopi), *_staff_pages(client))}
    forms = _forms(client, sorted(starts))
    assert len(forms) > 8
    for value in some(ELSEWHERE):
        query = dict.fromkeys((*NAMES, *_parameters(client, sorted(starts))), value)
        for address in sorted(starts):
            _check_headers(client.get(address, query_string=query, headers={"X-Staff": "ana"}))
        for action, fields in forms:
            for data in ({**fields, **query}, {**dict.fromkeys(fields, value), **_kept(fields)}):
                answer = client.post(
                    action, query_string=query, data=data, headers={"X-Staff": "ana"}
                )
                _check_headers(answer)
                redirects += answer.status_code == 303
    assert redirects > 5, "the control: something was accepted and led somewhere"


def _kept(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name in ("form", "replaces")}


def _staff_pages(client: Client) -> list[str]:
    pages = crawl(client, STAFF_PATH, **{"X-Staff": "ana"})
    return [one for one in pages if "/preview/" not in one]


def _forms(client: Client, addresses: list[str]) -> list[tuple[str, dict[str, str]]]:
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for address in addresses:
        answer = client.get(address, headers={"X-Staff": "ana"})
        if answer.mimetype == "text/html":
            for form in Page(address, answer.text).forms:
                if form.method == "post":
                    kind = form.action.rsplit("/", 1)[1] + str(sorted(dict(form.fields)))
                    found[kind] = (form.action, dict(form.fields))
    return list(found.values())


def _parameters(client: Client, addresses: list[str]) -> set[str]:
    """The names of parameters that the pages themselves use."""
    found: set[str] = set()
    for address in addresses:
        answer = client.get(address, headers={"X-Staff": "ana"})
        if answer.mimetype == "text/html":
            found |= set(re.findall(r"[?&](?:amp;)?(\w+)=", answer.text))
            found |= set(re.findall(r' name="(\w+)"', answer.text))
    return found - {"form", "replaces"}


def _check_headers(answer: TestResponse) -> None:
    """No header names the other site, unless as a word within a parameter of our own page."""
    for name, value in answer.headers:
        assert "\r" not in value
        assert "\n" not in value
        if name == "Location":
            path, _, _ = value.partition("?")
            assert re.match(r"/(?![/\\])", value), value
            assert "evil" not in unquote(path)
            assert path.startswith(("/portal/", STAFF_PATH))
        else:
            assert "evil" not in name + value, f"{name}: {value}"
    for href in Page(answer.request.path, answer.text).hrefs if _is_html(answer) else ():
        assert not re.match(r"(?i)\s*(javascript|data|https?://evil|//evil)", href), href


def _is_html(answer: TestResponse) -> bool:
    return answer.mimetype == "text/html"
