"""Preview as a customer: the true pages, for staff, with nothing to send."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import attrs
import pytest

pytest.importorskip("flask")

from tests.web.conftest import SELLER, STAFF_PATH, authorize
from tests.web.desk import Desk, Page
from werkzeug.test import Client

from basis_portal import AuditEvent, Customer, LedgerError, Portal
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.testing.clocks import FrozenClock
from basis_portal.web import Staff, create_app

XSS = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
KOPI = demo.KOPI
PATHS = [
    "",
    "/invoices",
    "/sales-orders",
    "/credit-notes",
    "/statement",
    "/messages",
    f"/document/{key_of('INV-1042')}",
    f"/document/{key_of('CN-17')}",
]
RIBBON = "Preview: what Kopi Nusantara sees. This does not count as opened."

State = Callable[[], dict[str, Any]]


@pytest.fixture(autouse=True)
def _few_invoices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer who buys almost daily takes a second to make, and is not looked at here."""
    monkeypatch.setattr(demo, "LONG", demo.DOZEN)


@pytest.fixture
def ana(client: Client) -> Desk:
    """A member of staff."""
    return Desk(client)


def preview(path: str = "", customer_id: str = KOPI) -> str:
    """The address of a page in a customer's preview."""
    return f"/settings/portal/preview/{key_of(customer_id)}{path}"


def main(html: str, root: str) -> str:
    """What stands between the frame of a page, its addresses told from where the portal is."""
    content = html.partition("<main")[2].partition("</main>")[0]
    content = re.sub(r'<form class="write".*?</form>', "", content, flags=re.DOTALL)
    return content.replace(root, "")


# --- the true pages ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_staff_see_what_the_customer_sees(path: str, ana: Desk, client: Client, kopi: str) -> None:
    """Word for word the page behind the link, but for the form to write."""
    shown = ana.open(preview(path))
    theirs = client.get(kopi + path).get_data(as_text=True)
    assert shown.status == 200
    assert main(shown.html, preview()) == main(theirs, kopi)
    assert len(main(theirs, kopi)) > 200
    assert shown.title == Page(200, theirs).title


@pytest.mark.parametrize("path", PATHS)
def test_the_ribbon(path: str, ana: Desk, client: Client, kopi: str) -> None:
    """Each page says that it is a preview and leads back to the customer's token page."""
    page = ana.open(preview(path))
    assert f"{RIBBON} Leave the preview" in page.text
    assert page.links()["Leave the preview"] == f"/settings/portal/tokens/{key_of(KOPI)}"
    assert "This link is for" not in page.text
    assert RIBBON not in client.get(kopi + path).get_data(as_text=True)


@pytest.mark.parametrize(
    ("theirs", "mine", "words", "leave"),
    [
        ("id", "en-GB,de;q=0.5", RIBBON, "Leave the preview"),
        (
            "en",
            "de",
            "Vorschau: was Kopi Nusantara sieht. Dies zählt nicht als geöffnet.",
            "Vorschau beenden",
        ),
    ],
)
def test_the_ribbon_speaks_to_staff(
    theirs: str, mine: str, words: str, leave: str, ana: Desk, storage: Any, portal: Portal
) -> None:
    """It is in the language of who looks, and says so; all else is as the customer reads it."""
    storage.customers.save(attrs.evolve(portal.customers.get(KOPI), language=theirs))
    for path in ("", "/invoices", "/nowhere"):
        page = ana.open(preview(path), headers={"Accept-Language": mine})
        assert f'<html lang="{theirs}">' in page.html
        ribbon = re.search(r'<p class="ribbon"([^>]*)>(.*?)</p>', page.html, re.DOTALL)
        assert ribbon
        assert f'lang="{mine[:2]}"' in ribbon[1]
        label = "Vorschau" if mine == "de" else "Preview"
        assert f'aria-label="{label}"' in ribbon[1]
        assert f"{words} {leave}" in page.text
        assert leave in page.links()
    their_words = "Ikhtisar" if theirs == "id" else "Overview"
    assert their_words in ana.open(preview(), headers={"Accept-Language": mine}).text


def test_the_ribbon_speaks_the_language_of_the_account(portal: Portal, storage: Any) -> None:
    """A language that `authorize` names goes before that of the browser, here as elsewhere."""
    ben = Staff("Ben", language="de")
    client = Client(create_app(portal, authorize=lambda _: ben, seller=SELLER), use_cookies=False)
    page = Desk(client).open(preview(), headers={"Accept-Language": "id"})
    assert "Vorschau beenden" in page.links()


# --- back to the list -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", ["q=kopi", "status=active", "q=%22/;%25+%C3%BC%23?&after=a/b;c%3Dd"]
)
def test_the_place_in_the_list_outlives_a_preview(place: str, ana: Desk) -> None:
    """Search, filter and page go along, whatever is looked at and searched for meanwhile."""
    token_page = ana.open(f"/tokens/{key_of(KOPI)}?{place}")
    address = token_page.links()["Preview as customer"]
    back = f"/settings/portal/tokens/{key_of(KOPI)}?{place}"
    page = ana.open(address)
    for words in ("Invoices", "Statement of account", "Messages", "Overview"):
        assert page.status == 200
        assert page.links()["Leave the preview"] == back
        page = ana.open(page.links()[words])
    searched = ana.open(f"{address}/invoices?q=1042&open=1&after=x")
    assert searched.links()["Leave the preview"] == back
    assert ana.open(f"{address}/nowhere").links()["Leave the preview"] == back
    assert ana.open(back).links()["Portal Access Tokens"] == f"/settings/portal/tokens?{place}"


@pytest.mark.parametrize(
    "named",
    [
        *(";", ";q", ";q=", ";q=!", ";x=a29waQ", ";q=a29waQ;q=a29waQ=", ';q="><b>', ";q=/"),
        *(";status=" + key_of("wrong"), ";after=" + key_of("\0"), f";q={key_of('a')}%00"),
    ],
)
def test_a_place_that_is_none(named: str, ana: Desk, state: State) -> None:
    """What names no place is left out: it opens as without it, or there is no such page."""
    page = ana.open(preview() + named)
    assert "><b>" not in page.html
    if page.status == 200:
        leave = page.links()["Leave the preview"]
        assert leave.partition("?")[0] == f"/settings/portal/tokens/{key_of(KOPI)}"
        assert leave.partition("?")[2] in ("", "q=kopi", "q=a")
    else:
        assert page.status == 404


def test_the_blocked_customer_leads_back_too(ana: Desk, portal: Portal, storage: Any) -> None:
    """The way out of a preview that shows nothing keeps the place as well."""
    address = ana.open(f"/tokens/{key_of(KOPI)}?q=kopi").links()["Preview as customer"]
    storage.customers.save(attrs.evolve(portal.customers.get(KOPI), blocked=True))
    page = ana.open(address)
    assert page.heading == "Kopi Nusantara is blocked"
    back = f"/settings/portal/tokens/{key_of(KOPI)}?q=kopi"
    assert page.links()["Portal access token"] == back


def test_a_preview_chosen_by_search_keeps_the_search(ana: Desk) -> None:
    """From the page where a customer is chosen, the search goes along."""
    links = ana.open("/preview?q=kopi").links()
    page = ana.open(next(to for words, to in links.items() if words.startswith("Kopi Nusantara")))
    assert page.links()["Leave the preview"].endswith(f"/tokens/{key_of(KOPI)}?q=kopi")


def test_the_preview_can_be_walked(ana: Desk) -> None:
    """Its pages lead to each other and nowhere out of it but by the ribbon; none is broken."""
    seen, todo, outside = set(), [preview()], set()
    while todo and len(seen) < 200:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        page = ana.open(path)
        assert page.status == 200, path
        for href in map(unescape, re.findall(r'href="([^"#]+)', page.html)):
            inside = href == preview() or href.startswith((preview("/"), preview("?")))
            if inside:
                todo.append(href)
            else:
                outside.add(href.partition("?")[0])
    assert len(seen) > 12
    assert {
        one for one in outside if not re.match(r"mailto:|tel:|/settings/portal/static/", one)
    } == {
        f"/settings/portal/tokens/{key_of(KOPI)}",
        "/settings/portal/theme.css",
        "https://pay.example/nordlicht/INV-1042",
    }


def test_it_is_in_the_language_of_the_customer(ana: Desk, storage: Any, portal: Portal) -> None:
    """Also where staff read another."""
    storage.customers.save(attrs.evolve(portal.customers.get(KOPI), language="de"))
    page = ana.open(preview(), headers={"Accept-Language": "en"})
    assert "2.380,00" in ana.open(preview("/invoices")).text
    assert page.status == 200


def test_nothing_is_needed_to_look(ana: Desk, portal: Portal) -> None:
    """No token, and the portal may be off."""
    portal.settings.save(attrs.evolve(portal.settings.get().config, enabled=False))
    portal.tokens.revoke_all()
    assert portal.tokens.get(demo.BEAN_THERE) is None
    for customer_id in (demo.BEAN_THERE, demo.HARBOUR, KOPI):
        assert ana.open(preview("", customer_id)).status == 200


def test_hidden_sections_are_hidden(ana: Desk, portal: Portal) -> None:
    """What is switched off is not found, as behind the link."""
    config = attrs.evolve(portal.settings.get().config, show_statement=False, allow_messages=False)
    portal.settings.save(config)
    page = ana.open(preview())
    assert "Statement of account" not in page.links()
    for path in ("/statement", "/messages"):
        hidden = ana.open(preview(path))
        assert hidden.status == 404
        assert RIBBON in hidden.text
        assert "There is no such page in your portal." in hidden.text


@pytest.mark.parametrize(
    "path",
    [f"/document/{key_of('INV-1053')}", f"/document/{key_of('INV-1060')}", "/x", "/document/!"],
)
def test_what_is_not_the_customers(path: str, ana: Desk) -> None:
    """Foreign documents, drafts and pages that are none: not found, as behind the link."""
    page = ana.open(preview(path))
    assert page.status == 404
    assert RIBBON in page.text


def test_it_counts_as_previewed(ana: Desk, portal: Portal, kopi: str) -> None:
    """The trail names who looked, once an hour; the token was not opened by it."""
    for path in PATHS:
        ana.open(preview(path))
    events = [entry.event for entry in portal.audit.list(limit=5).items]
    assert events.count(AuditEvent.PREVIEWED) == 1
    entry = portal.audit.list(limit=1).items[0]
    assert (entry.event, entry.by, entry.customer_id) == (AuditEvent.PREVIEWED, "ana", KOPI)
    token = portal.tokens.get(KOPI)
    assert token
    before = portal.tokens.last_opened([token.id])
    ana.open(preview(), "HEAD")
    assert portal.tokens.last_opened([token.id]) == before


def test_headers_of_a_preview(ana: Desk, client: Client) -> None:
    """It is kept by nobody, framed by nobody, and runs no script of its own."""
    answer = client.get(preview(), headers=ana.headers)
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "<script" not in answer.get_data(as_text=True)
    assert "Set-Cookie" not in answer.headers


# --- nothing is sent --------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_forms_are_disabled(path: str, ana: Desk) -> None:
    """Each form that would send something has nothing that can be typed or pressed."""
    for form in ana.open(preview(path)).forms:
        if form.method == "post":
            assert form.buttons == []
            assert {name for name in form.names if name not in form.disabled} <= {
                "form",
                "once",
                "about",
            }
            assert form.fields["form"] == ""
        else:
            assert form.method == "get"
            assert form.action.startswith(preview("/"))
    if path == "/messages" or path.startswith("/document"):
        assert any(form.method == "post" for form in ana.open(preview(path)).forms)


@pytest.mark.parametrize("value", ["", "staff", "customer"])
def test_a_form_sent_all_the_same(value: str, ana: Desk, portal: Portal, state: State) -> None:
    """No form value makes a preview send a message; the text is kept."""
    ana.open(preview())
    token = portal.tokens.get(KOPI)
    assert token
    values = {
        "": "",
        "staff": portal.forms.value("staff", "ana"),
        "customer": portal.forms.value("message", token.id),
    }
    before = state()
    data = {"form": values[value], "text": "Hello <b>", "once": "x"}
    page = ana.open(preview("/messages"), "POST", data=data)
    assert page.status == 403
    assert page.alert == "A preview sends no messages."
    assert ">\nHello &lt;b&gt;</textarea>" in page.html
    assert state() == before


@pytest.mark.sampled
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_method_changes_anything(method: str, path: str, ana: Desk, state: State) -> None:
    """Whatever is sent to a preview is refused."""
    ana.open(preview())
    before = state()
    assert ana.open(preview(path), method, data={"text": "Hello"}).status in (403, 404, 405)
    assert state() == before


def test_from_another_site(ana: Desk) -> None:
    """The text of another site is not even shown."""
    page = ana.open(
        preview("/messages"),
        "POST",
        data={"text": "Theirs"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert page.status == 403
    assert "Theirs" not in page.html


# --- who, and of whom -------------------------------------------------------------------------


def test_who_may_only_read(client: Client, state: State) -> None:
    """May look at a preview as well."""
    reader = Desk(client, "reader")
    assert reader.open(preview()).status == 200
    assert reader.open("/preview").status == 200
    before = state()
    refused = reader.open(preview("/messages"), "POST", data={"text": "Hello"})
    assert refused.status == 403
    assert state() == before


@pytest.mark.parametrize("path", [*map(preview, PATHS), "/preview"])
def test_who_is_not_staff(path: str, client: Client, state: State) -> None:
    """Sees nothing and leaves no trace."""
    before = state()
    page = Desk(client, "").open(path)
    assert page.status == 403
    assert page.heading == "Not signed in"
    assert "Kopi" not in page.html
    assert state() == before


@pytest.mark.sampled
@pytest.mark.parametrize(
    "key", [key_of("C-9999"), f"{key_of(KOPI)}=", "x", "!", key_of("a\0"), key_of("x" * 256)]
)
@pytest.mark.parametrize("path", ["", "/statement", f"/document/{key_of('INV-1042')}", "/nowhere"])
def test_an_unknown_customer(key: str, path: str, ana: Desk, state: State) -> None:
    """The staff's own page says that there is none, whatever the address looks like."""
    before = state()
    page = ana.open(f"/preview/{key}{path}")
    assert page.status == 404
    assert "There is no such page, or no such customer." in page.text
    assert "Preview:" not in page.text
    assert page.links()["Settings"] == "/settings/portal/"
    assert state() == before


@pytest.mark.parametrize("path", ["", "/invoices", "/nowhere"])
def test_a_blocked_customer(
    path: str, ana: Desk, portal: Portal, storage: Any, state: State
) -> None:
    """The staff's own page says that there is nothing to see, why, and what to do."""
    storage.customers.save(attrs.evolve(portal.customers.get(KOPI), blocked=True))
    before = state()
    page = ana.open(preview(path))
    assert page.status == 403
    assert page.heading == page.title == "Kopi Nusantara is blocked"
    assert "Blocked in Demo ERP: the link shows 'Access denied'." in page.text
    assert "nothing to preview" in page.text
    assert page.links()["Open in Demo ERP"] == f"/customers/{KOPI}"
    assert page.links()["Portal access token"] == f"/settings/portal/tokens/{key_of(KOPI)}"
    assert page.forms == []
    assert state() == before


def test_odd_ids(ana: Desk, storage: Any) -> None:
    """Ids with slashes, hashes and spaces reach their customer."""
    odd = "K/1 #ü?"
    storage.customers.save(Customer(odd, "Odd & Co"))
    page = ana.open(ana.open("/preview").links()["Odd & Co"])
    assert page.status == 200
    assert "what Odd & Co sees" in page.text
    assert ana.open(page.links()["Invoices"]).status == 200


def test_markup_in_names(ana: Desk, portal: Portal, storage: Any) -> None:
    """Names are text on the pages of the preview, in the list, and where it is refused."""
    storage.customers.save(Customer(XSS, f"Name {XSS}", number=XSS))
    pages = [ana.open(preview("", XSS)), ana.open("/preview", query_string={"q": XSS})]
    storage.customers.save(Customer(XSS, f"Name {XSS}", number=XSS, blocked=True))
    pages += [ana.open(preview("", XSS)), ana.open("/preview", query_string={"q": XSS})]
    pages += [ana.open("/preview", query_string={"q": f"{XSS}x"})]
    for page in pages:
        assert "<script>alert" not in page.html
        assert "<img" not in page.html
        assert XSS in unescape(page.html)
    assert [page.status for page in pages] == [200, 200, 403, 200, 200]


def test_a_contradictory_ledger(ana: Desk, portal: Portal, watched: Any) -> None:
    """A fault in a preview is the staff's page of faults: the customer's would say no more."""

    def fail() -> None:
        raise LedgerError("the ledger contradicts itself")

    over = Portal(watched, secret_keys=["k" * 32], base_url=portal.base_url)
    desk = Desk(Client(create_app(over, authorize=authorize), use_cookies=False))
    assert desk.open(preview("/statement")).status == 200
    watched.before["ledger.entry_page"] = watched.before["ledger.entries"] = fail
    page = desk.open(preview("/statement"))
    assert page.status == 503
    assert page.links()["Settings"] == f"{STAFF_PATH}/"


# --- choosing a customer ----------------------------------------------------------------------


def test_choosing_a_customer(ana: Desk) -> None:
    """All customers in the host's order, each with the way to its preview, and a search."""
    page = ana.open("/preview")
    found = [to for to in page.links().values() if to.startswith("/settings/portal/preview/")]
    assert len(found) == len(demo.CUSTOMERS)
    assert all(ana.open(to).status == 200 for to in found)
    assert page.links()["Customer Portal"] == "/settings/portal/"
    (search,) = page.forms
    assert (search.method, search.action) == ("get", "/settings/portal/preview")
    page = ana.open(search.action, query_string={"q": " kopi "})
    assert [words for words, to in page.links().items() if "/preview/" in to] == [
        "Kopi Nusantara 1001"
    ]
    assert page.links()["Clear"] == "/settings/portal/preview"
    assert page.forms[0].fields["q"] == "kopi"


def test_no_customer_matches(ana: Desk, storage: Any) -> None:
    """It says so; and where there is no customer at all, where they come from."""
    page = ana.open("/preview?q=xyz")
    assert "No customer matches." in page.text
    for customer in demo.CUSTOMERS:
        storage.customers.delete(customer.id)
    assert "No customers yet. They come from Demo ERP." in ana.open("/preview").text


def test_many_customers(ana: Desk, storage: Any) -> None:
    """They are paged by key, and the search goes along."""
    for number in range(60):
        storage.customers.save(Customer(f"X-{number}", f"Xylo {number:02}"))
    pages = [ana.open("/preview?q=xylo")]
    for _ in range(2):
        pages.append(ana.open(pages[-1].links()["More"]))
    assert "More" not in pages[-1].links()
    links = [found for page in pages for found in page.links().items()]
    found = [words for words, to in links if "/preview/" in to]
    assert found == [f"Xylo {number:02}" for number in range(60)]
    first = ana.open(pages[-1].links()["First page"])
    assert first.forms[0].fields["q"] == "xylo"
    assert ana.open("/preview?after=junk").status == 404


def test_a_blocked_customer_in_the_list(ana: Desk, portal: Portal, storage: Any) -> None:
    """It is there, says why there is no preview, and leads to none."""
    storage.customers.save(attrs.evolve(portal.customers.get(KOPI), blocked=True))
    page = ana.open("/preview")
    assert "Kopi Nusantara 1001 Blocked in Demo ERP" in page.text
    assert preview() not in page.links().values()


def test_choosing_changes_nothing(ana: Desk, state: State, clock: FrozenClock) -> None:
    """The list is only read."""
    before = state()
    for method in ("GET", "HEAD"):
        assert ana.open("/preview?q=kopi", method).status == 200
    assert ana.open("/preview", "POST", data={}).status == 405
    assert state() == before
