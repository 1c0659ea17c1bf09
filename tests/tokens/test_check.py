"""Staff paste what a customer complains about, and learn whose link it is and why it fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.depth import label

from basis_portal import (
    Cause,
    Customer,
    LinkCheck,
    Portal,
    PortalConfig,
    PortalToken,
)
from basis_portal.links import LinkSigner
from basis_portal.testing.builders import a_customer, token_id
from basis_portal.testing.clocks import FrozenClock

State = Callable[[], dict[str, Any]]
URL = "https://erp.example.com/portal/"


@pytest.fixture
def token(portal: Portal) -> PortalToken:
    """The active token of C-1001."""
    return portal.tokens.generate("C-1001")


@pytest.mark.parametrize(
    "dress",
    [
        "{}",
        "  {} \n",
        URL + "{}",
        f"\t{URL}" + "{}\r\n",
        URL + "{}?utm_source=mail&x=/y",
        URL + "{}#top",
        URL + "{}?a=b#c/d",
        URL + "{}/",
        URL + "{}/?a=b",
        "/{}",
        "erp.example.com/portal/{}",
    ],
)
def test_a_pasted_link_is_found(
    dress: str, portal: Portal, token: PortalToken, text_of: Any, state: State
) -> None:
    """The whole address, its last part, with query, spaces or slash: the link is found."""
    text = text_of(portal)
    before = state()
    check = portal.tokens.check(dress.format(text))
    assert check == LinkCheck(None, token, a_customer("C-1001"))
    assert check.works
    assert state() == before


@pytest.mark.parametrize(
    "junk",
    [
        "",
        " ",
        "?",
        "/",
        "#",
        "hello",
        URL,
        URL + "?",
        URL + "A" * 66,
        "\x00",
        "\ud800",
        "é" * 66,
        "A" * 10 * 1024 * 1024,
        None,
        5,
        b"bytes",
        [],
    ],
    ids=label,
)
def test_junk_is_unreadable(junk: Any, portal: Portal, token: PortalToken, state: State) -> None:
    """What is no link of ours is unreadable: no token, no customer, and no error."""
    before = state()
    found = portal.tokens.check(junk)
    assert (found.cause, found.token, found.customer) == (Cause.UNREADABLE, None, None)
    assert not found.works
    assert state() == before


def test_a_damaged_link_is_unreadable(portal: Portal, token: PortalToken, text_of: Any) -> None:
    """A link cut short by a mail program, changed, or in far too long a text is unreadable."""
    text = text_of(portal)
    changed = text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]
    for damaged in (text[:-1], text[1:], text[:30] + text[31:], changed):
        assert portal.tokens.check(damaged) == LinkCheck(Cause.UNREADABLE, None, None)
    assert portal.tokens.check(URL * 800 + text).cause is Cause.UNREADABLE
    assert portal.tokens.check(text).works


def test_each_cause(
    portal: Portal,
    storage: Any,
    clock: FrozenClock,
    text_of: Any,
    secret_key: str,
) -> None:
    """Replaced, expired, revoked, blocked, nobody's: staff are told which."""
    portal.tokens.generate("C-1001")
    text = text_of(portal)
    token = portal.tokens.get("C-1001")
    storage.customers.save(a_customer("C-1001", blocked=True))
    assert portal.tokens.check(text) == LinkCheck(
        Cause.CUSTOMER_BLOCKED, token, a_customer("C-1001", blocked=True)
    )
    storage.customers.delete("C-1001")
    assert portal.tokens.check(text) == LinkCheck(Cause.CUSTOMER_UNKNOWN, token, None)
    storage.customers.save(a_customer("C-1001"))
    clock.advance(timedelta(days=30))
    assert portal.tokens.check(text) == LinkCheck(Cause.EXPIRED, token, a_customer("C-1001"))
    portal.tokens.regenerate("C-1001")
    assert portal.tokens.check(text).cause is Cause.REPLACED
    latest = text_of(portal)
    assert portal.tokens.check(latest).works
    portal.tokens.revoke("C-1001")
    assert portal.tokens.check(latest).cause is Cause.REVOKED
    assert portal.tokens.check(text).cause is Cause.REPLACED
    nobody = LinkSigner([secret_key], storage.tenant).sign(token_id(5))
    assert portal.tokens.check(nobody) == LinkCheck(Cause.UNKNOWN, None, None)


def test_a_flaw_is_told_beside_each_cause(
    portal: Portal, storage: Any, make_portal: Callable[..., Portal], text_of: Any, secret_key: str
) -> None:
    """That something is stuck to a link is told whether its token would open or not, and why."""
    token = portal.tokens.generate("C-1001")
    pasted, customer = text_of(portal) + ".", a_customer("C-1001")
    assert portal.tokens.check(pasted) == LinkCheck(None, token, customer, "added")

    class Confused:
        def get(self, customer_id: str) -> Any:
            return Customer("C-1002", "Teh Melati")

    confused = make_portal(customers=Confused())
    assert confused.tokens.check(pasted) == LinkCheck(Cause.FAULT, token, None, "added")
    revoked = portal.tokens.revoke("C-1001")
    assert portal.tokens.check(pasted) == LinkCheck(Cause.REVOKED, revoked, customer, "added")
    nobody = LinkSigner([secret_key], storage.tenant).sign(token_id(5)) + "."
    assert portal.tokens.check(nobody) == LinkCheck(Cause.UNKNOWN, None, None, "added")
    several = portal.tokens.check(f"{pasted} {nobody}")
    assert several == LinkCheck(Cause.UNREADABLE, None, None, "several")


def test_the_master_switch_is_not_looked_at(
    portal: Portal, token: PortalToken, text_of: Any
) -> None:
    """With the portal off staff still learn whether a link would work."""
    text = text_of(portal)
    portal.settings.save(PortalConfig(enabled=False))
    assert portal.tokens.check(text).works


@pytest.mark.parametrize("answer", [Customer("C-1002", "Teh Melati"), "C-1001", 5])
def test_a_wrong_answer_of_the_host(
    answer: Any,
    portal: Portal,
    token: PortalToken,
    make_portal: Callable[..., Portal],
    text_of: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the host hands out somebody else the link is at fault, and nobody else is shown."""

    class Confused:
        def get(self, customer_id: str) -> Any:
            return answer

    confused = make_portal(customers=Confused())
    assert confused.tokens.check(text_of(portal)) == LinkCheck(Cause.FAULT, token, None)
    assert "another customer than asked for" in caplog.text
