"""Refusals are calm pages that say what to do, and not why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from tests.conftest import Watched
from tests.web.conftest import BASE_URL, SELLER, document_path, path_of
from tests.web.reading import hidden, links, title, words
from werkzeug.test import Client

from basis_portal import (
    Customer,
    Edition,
    LedgerError,
    Portal,
    PortalConfig,
    StorageError,
)
from basis_portal.demo import seller as demo
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import create_app, customer_app

DENIED = [
    "Access denied",
    "This link does not work.",
    "If you copied it from an e-mail, check that you have all of it.",
    "Otherwise ask Nordlicht Kaffee GmbH for a new link:",
    "accounts@nordlicht.example",
    "+49 30 1234567",
    "Your documents and your account are not affected.",
]


def _expired(portal: Portal, clock: FrozenClock, link: str) -> str:
    clock.advance(days=60)
    return link


def _revoked(portal: Portal, clock: FrozenClock, link: str) -> str:
    portal.tokens.revoke(demo.KOPI, by="ana")
    return link


def _replaced(portal: Portal, clock: FrozenClock, link: str) -> str:
    portal.tokens.regenerate(demo.KOPI, by="ana")
    return link


def _blocked(portal: Portal, clock: FrozenClock, link: str) -> str:
    repository: Any = portal.customers
    repository.save(Customer(demo.KOPI, "Kopi Nusantara", blocked=True))
    return link


def _gone(portal: Portal, clock: FrozenClock, link: str) -> str:
    repository: Any = portal.customers
    repository.delete(demo.KOPI)
    return link


def _altered(portal: Portal, clock: FrozenClock, link: str) -> str:
    return link[:-3] + ("A" if link[-3] != "A" else "B") + link[-2:]


def _cut(portal: Portal, clock: FrozenClock, link: str) -> str:
    return link[:-1]


def _none(portal: Portal, clock: FrozenClock, link: str) -> str:
    return "/portal"


def _junk(portal: Portal, clock: FrozenClock, link: str) -> str:
    return "/portal/invoices"


CAUSES = [_expired, _revoked, _replaced, _blocked, _gone, _altered, _cut, _none, _junk]


@pytest.mark.sampled
@pytest.mark.parametrize("spoil", CAUSES)
@pytest.mark.parametrize("below", ["", "/", "/invoices", "/nowhere"])
def test_a_link_that_does_not_open_is_denied_by_one_page(
    client: Client,
    portal: Portal,
    clock: FrozenClock,
    kopi: str,
    spoil: Callable[..., str],
    below: str,
) -> None:
    """Whatever the cause: 403, the same bytes, whom to ask, and no hint why."""
    good, plain = client.get(kopi), client.get("/portal/x")
    answer = client.get(spoil(portal, clock, kopi) + below)
    assert good.status_code == 200
    assert answer.status_code == 403
    assert answer.data == plain.data
    said = words(answer.text)
    assert [one for one in DENIED if one not in said] == []
    assert title(answer.text) == "Access denied - Nordlicht Kaffee GmbH"
    for hint in ("Kopi", "expired", "revoked", "blocked", "Overview"):
        assert hint not in said


@pytest.mark.sampled
@pytest.mark.parametrize("gate", ["switch", "edition", "feature"])
@pytest.mark.parametrize("spoil", [None, *CAUSES])
def test_a_portal_that_is_off_says_so_whatever_the_link(
    storage: InMemoryStorage,
    portal: Portal,
    clock: FrozenClock,
    kopi: str,
    gate: str,
    spoil: Callable[..., str] | None,
) -> None:
    """One page for good links and bad ones, and for each of the three switches."""
    link = spoil(portal, clock, kopi) if spoil else kopi
    given: dict[str, Any] = {
        "edition": Edition.DESKTOP if gate == "edition" else Edition.SERVER,
        "feature_enabled": gate != "feature",
    }
    off = Portal(storage, secret_keys=["k" * 32], base_url=BASE_URL, clock=clock, **given)
    if gate == "switch":
        off.settings.save(PortalConfig(enabled=False))
    answer = Client(customer_app(off, seller=SELLER)).get(link)
    assert answer.status_code == 403
    said = words(answer.text)
    assert "Portal not available" in said
    assert "Nordlicht Kaffee GmbH's customer portal is switched off at the moment." in said
    assert "For copies of your documents, contact Nordlicht Kaffee GmbH:" in said
    assert links(answer.text)["accounts@nordlicht.example"].startswith("mailto:")
    assert answer.data == Client(customer_app(off, seller=SELLER)).get("/portal/x").data


def _messages_off(portal: Portal, clock: FrozenClock, link: str) -> str:
    config = portal.settings.get().config
    portal.settings.save(attrs.evolve(config, allow_messages=False), by="ben")
    return link


def _portal_off(portal: Portal, clock: FrozenClock, link: str) -> str:
    config = portal.settings.get().config
    portal.settings.save(attrs.evolve(config, enabled=False), by="ben")
    return link


@pytest.mark.parametrize(
    "spoil", [_messages_off, _portal_off, *(one for one in CAUSES if one is not _none)]
)
def test_a_text_is_not_lost_in_a_refusal(
    client: Client, portal: Portal, clock: FrozenClock, kopi: str, spoil: Callable[..., str]
) -> None:
    """What was typed comes back; what another site sends does not."""
    form = hidden(client.get(f"{kopi}/messages").text, "form")
    address = spoil(portal, clock, kopi) + "/messages"
    sent = {"form": form, "text": "A long <thought>"}
    answer = client.post(address, data=sent)
    assert answer.status_code == (404 if spoil is _messages_off else 403)
    assert "A long &lt;thought&gt;</textarea>" in answer.text
    foreign = client.post(address, data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == answer.status_code
    assert "thought" not in foreign.text


def test_what_another_site_sends_is_refused_and_not_shown(
    client: Client, portal: Portal, kopi: str
) -> None:
    """Its words stand on no page of the seller's, whether the form's value is good or not."""
    good, before = hidden(client.get(f"{kopi}/messages").text, "form"), portal.messages.list()
    for value in (good, "stale"):
        answer = client.post(
            f"{kopi}/messages",
            data={"form": value, "text": "Pay elsewhere"},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert answer.status_code == 403
        assert "This came from another site. Nothing was changed." in words(answer.text)
        assert "Pay elsewhere" not in answer.text
    assert portal.messages.list() == before


def test_refusals_are_in_the_browsers_language(client: Client) -> None:
    """Nobody is known, so the browser's first language that we have decides."""
    german = client.get("/portal/x", headers={"Accept-Language": "fr, de-AT;q=0.8, en;q=0.5"})
    assert '<html lang="de">' in german.text
    assert '<html lang="en">' in client.get("/portal/x", headers={"Accept-Language": "fr"}).text


def test_what_is_not_there_is_not_found_in_the_frame(client: Client, kopi: str) -> None:
    """An unknown page, or document, keeps the menu and leads back to the overview."""
    for path in (
        f"{kopi}/nowhere",
        f"{kopi}/a/b/c",
        document_path(kopi, "none"),
        f"{kopi}/document/!",
    ):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "There is no such page in your portal." in words(answer.text)
        assert links(answer.text)["Overview"] == kopi


# --- faults -------------------------------------------------------------------------------


def _raise(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("call", "error", "status"),
    [
        ("opening", StorageError("the disk is gone"), 503),
        ("ledger.open_items", LedgerError("more is applied than there is", ids=["E1"]), 503),
        ("ledger.open_items", StorageError("locked"), 503),
        ("ledger.open_items", RuntimeError("unforeseen"), 500),
    ],
)
def test_a_fault_is_told_calmly_and_found_in_the_log(
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
    call: str,
    error: Exception,
    status: int,
) -> None:
    """The visitor gets a reference, the log the reference and the error, nobody the link."""
    storage = InMemoryStorage()
    link = path_of(
        demo.make_seller(storage, clock, base_url=BASE_URL, invoices=36).tokens.link(demo.KOPI)
    )
    watched: Any = Watched(storage)
    watched.before[call] = _raise(error)
    keys = ["k" * 32]
    portal = Portal(watched, secret_keys=keys, base_url=BASE_URL, clock=clock)
    link = path_of(
        Portal(storage, secret_keys=keys, base_url=BASE_URL, clock=clock).tokens.link(demo.KOPI)
    )
    answer = Client(create_app(portal, seller=SELLER)).get(link)
    assert answer.status_code == status
    said = words(answer.text)
    assert "Something went wrong on our side. Nothing was changed." in said
    reference = said.split("Reference: ")[1].split()[0]
    assert f"fault {reference} " in caplog.text
    assert str(error) in caplog.text
    assert str(error) not in said
    assert link.rsplit("/", 1)[1] not in caplog.text + answer.text


def test_a_text_is_not_lost_in_a_fault(clock: FrozenClock) -> None:
    """What was typed when the storage failed stands on the page of the fault."""
    storage = InMemoryStorage()
    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=36)
    watched: Any = Watched(storage)
    portal = Portal(watched, secret_keys=["k" * 32], base_url=BASE_URL, clock=clock)
    link = path_of(portal.tokens.link(demo.KOPI))
    client = Client(customer_app(portal, seller=SELLER))
    form = hidden(client.get(f"{link}/messages").text, "form")
    watched.before["messages.add"] = _raise(StorageError("full"))
    answer = client.post(f"{link}/messages", data={"form": form, "text": "A long <thought>"})
    assert answer.status_code == 503
    assert "A long &lt;thought&gt;</textarea>" in answer.text


def test_a_clock_that_fails_is_a_fault_page_too(
    storage: InMemoryStorage, clock: FrozenClock
) -> None:
    """Even where nothing can be read the answer is a page of ours, and it denies."""
    demo.make_seller(storage, clock, base_url=BASE_URL, invoices=36)

    def broken() -> Any:
        raise OSError("no clock")

    portal = Portal(storage, secret_keys=["k" * 32], base_url=BASE_URL, clock=broken)
    answer = Client(customer_app(portal, seller=SELLER)).get("/portal/" + "a" * 22 + "." + "b" * 43)
    assert answer.status_code == 403


def test_what_is_too_long_or_no_page_knows_is_a_page(client: Client, kopi: str) -> None:
    """More than a million bytes, or a method no page has: a calm page, not a bare error."""
    long = client.post(f"{kopi}/messages", data={"text": "x" * 1_100_000})
    assert long.status_code == 413
    assert "What was sent is too long. Nothing was changed." in words(long.text)
    other = client.delete(f"{kopi}/messages")
    assert other.status_code == 405
    assert "The portal does not understand this request." in words(other.text)
    assert "POST" in other.headers["Allow"]


def test_without_a_seller_the_address_is_named(storage: InMemoryStorage, portal: Portal) -> None:
    """An app that was told nothing of the seller still says where one is."""
    answer = Client(customer_app(portal)).get("/portal/x")
    assert "Otherwise ask erp.example.com for a new link:" in words(answer.text)
    assert "mailto:" not in answer.text
