"""A portal whose customers and documents have all the ids a host may have, and what is done in it.

The rounds are the same in every host: what is asserted here is proved in each.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs
from tests.hosts.visitor import Page, Visitor, form_with, texts

from basis_portal import Portal, PortalConfig, Seller
from basis_portal.domain.url_keys import key_of
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import a_customer, an_entry, an_invoice
from basis_portal.testing.clocks import FrozenClock
from basis_portal.web import HostLinks, Theme

KEY = "a secret for tests alone, at least 32 bytes"
ORIGIN = "https://erp.example.com"
AWKWARD = ("K/1", "K#1", "K?a=b&c", "100%", "%2F", "..", "../K", "K 1", "Kü 客", "K\\1", "<K'\">")
FEW = ("K#1", "K/1")
CUSTOMER = "K/1 #2?x=%2F&y ü"
CUSTOMERS = f"{ORIGIN}/customers/"
THEME = Theme(colour="#1f5673")
HOST = HostLinks(name="Demo ERP", customer=f"{CUSTOMERS}{{customer_id}}")
NOW = dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC)


@attrs.define
class World:
    """A portal with one customer more per awkward id.

    Attributes:
        storage: what it is kept in.
        portal: the portal.
        link: the link of `CUSTOMER`, whose documents have the awkward ids as well.
        staff: the whole address of the staff pages.
        ids: the awkward ids.
        given: what each of our apps is given.
    """

    storage: Any
    portal: Portal
    link: str
    staff: str
    ids: Sequence[str]
    given: dict[str, Any]


def make_world(
    base_url: str = f"{ORIGIN}/portal",
    *,
    storage: Any = None,
    ids: Sequence[str] = AWKWARD,
    seller: str = "Nordlicht Kaffee GmbH",
    theme: Theme = THEME,
    key: str = KEY,
) -> World:
    """A portal that is on, at ``base_url``; the staff pages are beside it."""
    storage = storage or InMemoryStorage()
    storage.customers.save(
        a_customer(CUSTOMER, name="Kopi Nusantara", number=CUSTOMER),
        *(a_customer(one, name=f"Customer {one}", number=one) for one in ids),
    )
    storage.documents.save(*(an_invoice(one, customer_id=CUSTOMER) for one in ids))
    storage.ledger.save(*(an_entry(one, customer_id=CUSTOMER) for one in ids))
    portal = Portal(storage, secret_keys=[key], base_url=base_url, clock=FrozenClock(NOW))
    portal.settings.save(
        PortalConfig(enabled=True, show_statement=True, allow_messages=True), by="ana"
    )
    portal.tokens.generate(CUSTOMER, by="ana")
    parts = urlsplit(base_url)
    above = parts.path.rpartition("/")[0]
    return World(
        storage,
        portal,
        portal.tokens.link(CUSTOMER, by="ana"),
        f"{parts.scheme}://{parts.netloc}{above}/settings/portal",
        ids,
        {"seller": Seller(seller), "theme": theme, "host": HOST},
    )


def customer_round(visitor: Visitor, world: World) -> None:
    """All pages under a link are right, and a message is sent."""
    base_url = world.portal.base_url
    pages = visitor.walk(world.link, below=base_url)
    for one in world.ids:
        page = pages[f"{world.link}/document/{key_of(one)}"]
        assert page.status == 200, one
    assert [url for url in pages if url.startswith(f"{base_url}/static/portal.css")]
    assert f"{base_url}/theme.css?v={world.given['theme'].colour[1:]}" in pages
    searched = visitor.open(f"{world.link}/invoices?q=K%23")
    assert [link for link in searched.links if "/document/" in link] == [
        f"{world.link}/document/{key_of('K#1')}"
    ]
    message_round(visitor, world, pages)
    assert visitor.open(f"{world.link}/nowhere").status == 404
    assert visitor.open(f"{base_url}/nobody").status == 403


def message_round(visitor: Visitor, world: World, pages: dict[str, Page]) -> None:
    """The form of the messages is refused without its value, and sent with it."""
    form = pages[f"{world.link}/messages"].form("/messages")
    assert visitor.submit(form, text="Forged.", form="").status == 403
    assert not world.portal.messages.unread_count()
    sent = visitor.submit(form, text="Bezahlt, siehe Überweisung\r\n客 & 100%")
    assert (sent.status, sent.url) == (200, f"{world.link}/messages?sent=1#sent")
    (message,) = world.portal.messages.list().items
    assert (message.customer_id, message.text) == (
        CUSTOMER,
        "Bezahlt, siehe Überweisung\n客 & 100%",
    )
    about = pages[f"{world.link}/document/{key_of('K#1')}"].form("/messages")
    assert visitor.submit(about, text="Why?").status == 200
    assert {one.document_id for one in world.portal.messages.list().items} == {None, "K#1"}


def staff_round(visitor: Visitor, world: World, *, name: str) -> None:
    """All pages of staff are right; settings are saved, a token is generated, links open."""
    others = [f"{world.staff}/preview/{key_of(one)}/" for one in world.ids]  # their first page do
    leaves = [CUSTOMERS, *others]
    pages = visitor.walk(f"{world.staff}/", below=world.staff, leaves=leaves)
    for one in (CUSTOMER, *world.ids):
        for where in ("tokens", "preview"):
            assert f"{world.staff}/{where}/{key_of(one)}" in pages, one
    assert any(f"You are {name}." in text for text in texts(pages))
    settings_round(visitor, world, pages[f"{world.staff}/"], name=name)
    for one in world.ids:
        token_round(visitor, world, pages[f"{world.staff}/tokens/{key_of(one)}"], one)
    assert visitor.open(f"{world.staff}/nowhere").status == 404


def settings_round(visitor: Visitor, world: World, page: Page, *, name: str) -> None:
    """The form of the settings is refused without its value and from elsewhere, else saved."""
    form = form_with(page, "token_expiry_days")
    before = world.portal.settings.get()
    assert visitor.submit(attrs.evolve(form, fields={**form.fields, "form": ""})).status == 403
    changed = {**form.fields, "token_expiry_days": "45", "welcome_message": "Grüße:\r\n客 & 100%"}
    foreign = visitor.open(
        form.action, method="POST", data=changed, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert foreign.status == 403
    assert world.portal.settings.get() == before
    saved = visitor.submit(form, **changed)
    assert saved.status == 200
    assert saved.url.startswith(f"{world.staff}/?")
    now = world.portal.settings.get()
    assert (now.config.token_expiry_days, now.changed_by) == (45, name)
    assert now.config.welcome_message == "Grüße:\n客 & 100%"


def token_round(visitor: Visitor, world: World, page: Page, customer_id: str) -> None:
    """A token is generated for a customer, and the link that the page shows opens."""
    key = key_of(customer_id)
    shown = visitor.submit(page.form(f"/tokens/{key}"))
    assert (shown.status, shown.url.partition("?")[0]) == (200, f"{world.staff}/tokens/{key}")
    link = world.portal.tokens.link(customer_id, by="ana")
    assert link in shown.text
    assert visitor.open(link).status == 200
