"""GET and HEAD change nothing: all pages are crawled three times, and every row compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.depth import DEEP
from tests.web.conftest import (
    BASE_URL,
    STAFF_PATH,
    Visitor,
    authorize,
    crawl,
    document_path,
    path_of,
)
from werkzeug.test import Client

from basis_portal import AuditEntry, AuditEvent, Portal, PortalConfig
from basis_portal.demo import seller as demo
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import create_app

LOOKED = {AuditEvent.OPENED, AuditEvent.REFUSED, AuditEvent.PREVIEWED, AuditEvent.LINK_SHOWN}
NAVIGATE = {"Sec-Fetch-Mode": "navigate"}
Rows = Callable[[], dict[str, Any]]


@pytest.fixture
def portal(storage: InMemoryStorage, clock: FrozenClock) -> Portal:
    """The portal of the invented seller; the longest account has two pages of invoices."""
    return demo.make_seller(storage, clock, base_url=BASE_URL, invoices=60)


@pytest.fixture
def links(portal: Portal, clock: FrozenClock) -> list[str]:
    """Links that work, and one each that is revoked, expired and replaced."""
    links = [path_of(portal.tokens.link(one, by="ana")) for one in (demo.KOPI, demo.MUELLER)]
    for customer_id, end in (
        (demo.HAFENKONTOR, portal.tokens.revoke),
        (demo.ATHENS, portal.tokens.regenerate),
    ):
        links.append(path_of(portal.tokens.link(customer_id, by="ana")))
        end(customer_id, by="ana")
    short = portal.tokens.generate(demo.BEAN_THERE, by="ana", days=1)
    links.append(path_of(portal.tokens.link(demo.BEAN_THERE, by="ana")))
    clock.set(short.expires_at)
    return links


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[AuditEntry]:
    """What was added to the trail, which is all that may have changed beside the opened marks."""
    assert before.keys() == after.keys()
    for name in before.keys() - {"trail", "opened"}:
        assert after[name] == before[name], name
    assert after["trail"][: len(before["trail"])] == before["trail"]
    added: list[AuditEntry] = after["trail"][len(before["trail"]) :]
    moved = {one for one in after["opened"] if after["opened"][one] != before["opened"].get(one)}
    opened = {one.token_id for one in added if one.event is AuditEvent.OPENED}
    assert moved == opened, "what is marked as opened is told by the trail"
    return added


def walk(client: Client, links: list[str]) -> Counter[int]:
    """Everything that can be reached, by GET and by HEAD: how often which status was answered."""
    seen: Counter[int] = Counter()
    for start in (*links, STAFF_PATH):
        headers = {"X_Staff": "ana", "Sec_Fetch_Mode": "navigate"}
        pages = crawl(client, start, **{name.replace("_", "-"): headers[name] for name in headers})
        for address, answer in pages.items():
            head = client.head(address, headers={"X-Staff": "ana", **NAVIGATE})
            assert head.status == answer.status, address
            seen[answer.status_code] += 1
    return seen


def test_crawls_change_nothing_but_what_was_looked_at(
    client: Client, links: list[str], rows: Rows
) -> None:
    """Every page that links lead to, asked for again and again, leaves the rows as they are."""
    before = rows()
    walks = [walk(client, links) for _ in range(3 if DEEP else 1)]
    added = changes(before, rows())
    assert {one.event for one in added} == LOOKED
    assert all(one == walks[0] for one in walks)
    assert walks[0][200] > 200
    assert walks[0][403] == 3  # the dead links
    assert set(walks[0]) == {200, 403}, "some link leads nowhere"
    assert {one.token_id for one in added if one.event is AuditEvent.OPENED} == {
        token.id for token in _tokens(before, demo.KOPI, demo.MUELLER) if token.is_current
    }


def _tokens(rows: dict[str, Any], *customer_ids: str) -> list[Any]:
    return [token for one in customer_ids for token in rows["tokens"][one]]


def test_a_crawl_reaches_all_pages(client: Client, links: list[str], app: Any) -> None:
    """Each page of both apps is found by following links, or named here."""
    found = {
        address.partition("?")[0]
        for start in (links[0], STAFF_PATH)
        for address in crawl(client, start, **{"X-Staff": "ana"})
    }
    reached = set()
    for address in found:
        staff = address.startswith(STAFF_PATH)
        inner = app._staff if staff else app._customers
        path = address.removeprefix(STAFF_PATH if staff else "/portal") or "/"
        rule, _ = inner.url_map.bind("").match(path, return_rule=True)
        reached.add((staff, rule.endpoint))
    all_of_them = {
        (staff, rule.endpoint)
        for staff, inner in ((False, app._customers), (True, app._staff))
        for rule in inner.url_map.iter_rules()
        if "GET" in rule.methods
    }
    apart = {
        (False, "no_link"),  # nothing links to it
        (False, "link.nowhere"),
        (True, "preview.nowhere"),
        (False, "logo"),  # these tests have none
        (True, "logo"),
        (False, "link.send_file"),  # the storage keeps no files
        (True, "preview.send_file"),
    }
    assert all_of_them - reached <= apart


def test_the_comparison_sees_a_change(
    client: Client, links: list[str], rows: Rows, portal: Portal
) -> None:
    """A post, a token, a setting and a message read are changes that a crawl may not make."""
    for change in (
        lambda: portal.messages.mark_read(demo.MUELLER),
        lambda: portal.tokens.revoke(demo.MUELLER, by="ana"),
        lambda: portal.messages.note(demo.KOPI, "Paid.", by="ana"),
        lambda: portal.open(links[0].rsplit("/", 1)[1]).send_message("Hello."),
        lambda: portal.settings.save(PortalConfig(), by="ana"),
    ):
        before = rows()
        change()
        try:
            added = changes(before, rows())
        except AssertionError:
            continue
        assert {one.event for one in added} - LOOKED, "nothing was seen"


# --- what counts as opened ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "headers", "https", "http"),
    [
        ("GET", NAVIGATE, True, True),
        ("GET", {}, False, True),
        ("GET", {"Sec-Fetch-Mode": "no-cors"}, False, True),
        ("GET", {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, False, True),
        ("GET", {**NAVIGATE, "Sec-Purpose": "prefetch"}, False, False),
        ("GET", {**NAVIGATE, "Sec-Purpose": "prefetch;prerender"}, False, False),
        ("GET", {**NAVIGATE, "Sec-Purpose": "Prefetch"}, False, False),
        ("GET", {**NAVIGATE, "Purpose": "prefetch"}, False, False),
        ("HEAD", NAVIGATE, False, False),
        ("HEAD", {}, False, False),
        ("OPTIONS", NAVIGATE, False, False),
    ],
)
def test_what_counts_as_opened(
    clock: FrozenClock, method: str, headers: dict[str, str], https: bool, http: bool
) -> None:
    """HEAD and prefetching never count; over https only a visit does, over http all the rest."""
    for base_url, counts in (
        ("https://erp.example.com/portal", https),
        ("http://127.0.0.1:8641/portal", http),
    ):
        storage = InMemoryStorage()
        portal = demo.make_seller(storage, clock, base_url=base_url, invoices=60)
        client = Visitor(create_app(portal, authorize=authorize))
        link, dead = (_path(portal, demo.MUELLER), _path(portal, demo.ATHENS))
        portal.tokens.revoke(demo.ATHENS, by="ana")
        before = _trail(storage)
        paths = (link, f"{link}/invoices", document_path(link, "INV-1030"))
        for address, status in (*((one, 200) for one in paths), (dead, 403)):
            assert client.open(address, method=method, headers=headers).status_code == status
        events = [one.event for one in _trail(storage)[: -len(before) or None]]
        assert sorted(events) == ([AuditEvent.OPENED, AuditEvent.REFUSED] if counts else [])
        token = portal.tokens.get(demo.MUELLER)
        assert token is not None
        marked = portal.tokens.last_opened([token.id]).get(token.id)
        assert (marked == clock.now) is counts


def _path(portal: Portal, customer_id: str) -> str:
    return "/portal/" + portal.tokens.link(customer_id, by="ana").rsplit("/", 1)[1]


def _trail(storage: InMemoryStorage) -> list[AuditEntry]:
    """The whole trail, newest first."""
    return [entry for _, entry in storage.audit.page(limit=10**6)]


def test_a_visit_counts_once_an_hour(client: Client, kopi: str, rows: Rows, clock: Any) -> None:
    """A hundred pages in one hour are one opening; in the next hour there is another."""
    before = rows()
    for _ in range(100):
        client.get(f"{kopi}/invoices", headers=NAVIGATE)
    assert [one.event for one in changes(before, rows())] == [AuditEvent.OPENED]
    clock.advance(hours=1)
    client.get(kopi, headers=NAVIGATE)
    assert [one.event for one in changes(before, rows())] == [AuditEvent.OPENED] * 2
