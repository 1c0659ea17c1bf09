"""What staff look at: lists of tokens by expiry, counts, history, when links were opened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.depth import label

from basis_portal import (
    AuditEvent,
    Customer,
    InvalidValue,
    Page,
    Portal,
    PortalToken,
    TokenStatus,
)
from basis_portal.domain.paging import write_cursor
from basis_portal.testing.builders import token_id
from basis_portal.testing.clocks import FrozenClock

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def crowd(portal: Portal, storage: Any, clock: FrozenClock) -> Portal:
    """Ten customers in all states; the token of K-n was issued for n + 1 days."""
    storage.customers.save(*(Customer(f"K-{n}", f"Customer {n}") for n in range(10)))
    for n in range(10):
        portal.tokens.generate(f"K-{n}", days=n + 1)
    portal.tokens.revoke("K-8")
    portal.tokens.regenerate("K-9", days=10)
    clock.advance(days=3)
    return portal


def customers(page: Page[PortalToken]) -> list[str]:
    """Whose tokens are on a page, in its order."""
    return [token.customer_id for token in page]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, ["K-0", "K-1", "K-2", "K-3", "K-4", "K-5", "K-6", "K-7", "K-8", "K-9"]),
        (TokenStatus.ACTIVE, ["K-3", "K-4", "K-5", "K-6", "K-7", "K-9"]),
        (TokenStatus.EXPIRED, ["K-0", "K-1", "K-2"]),
        (TokenStatus.REVOKED, ["K-8"]),
        (TokenStatus.REPLACED, []),
    ],
)
def test_lists_by_status(
    status: TokenStatus | None, expected: list[str], crowd: Portal, clock: FrozenClock
) -> None:
    """Each customer's latest token is listed by expiry; status is of that token, now."""
    page = crowd.tokens.list(status=status)
    assert customers(page) == expected
    assert page.next is None
    for token in page:
        assert token == crowd.tokens.get(token.customer_id)
        assert status in (None, token.status_at(clock.now))
    if status is not None:
        assert crowd.tokens.count(status) == len(expected)


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 11, 200])
def test_pages_make_the_whole_list(limit: int, crowd: Portal) -> None:
    """Pages of any length, one after the other, give each token once and in order."""
    found, after = [], None
    for _ in range(11):
        page = crowd.tokens.list(after=after, limit=limit)
        assert len(page) <= limit
        found += customers(page)
        if (after := page.next) is None:
            break
    assert found == [f"K-{n}" for n in range(10)]


def test_a_page_costs_no_more_than_it_shows(
    crowd: Portal, storage: Any, watched: Any, make_portal: Callable[..., Portal]
) -> None:
    """The storage is asked for one token more than is shown, and by default 50 are."""
    over = make_portal(watched)
    for limit in (1, 4, 200):
        over.tokens.list(limit=limit)
        assert (watched.calls[-1], watched.given[-1]["limit"]) == ("tokens.page", limit + 1)
    more = [f"M-{n}" for n in range(50)]
    storage.customers.save(*(Customer(one, one) for one in more))
    list(crowd.tokens.ensure_many(more))
    assert len(crowd.tokens.list()) == 50


def test_equal_expiries_are_listed_by_id(portal: Portal, storage: Any) -> None:
    """Tokens that expire at the same instant are listed by id, on pages as well."""
    ids = [f"K-{n}" for n in range(7)]
    storage.customers.save(*(Customer(one, one) for one in ids))
    tokens = [result.token for result in portal.tokens.ensure_many(ids)]
    expected = sorted(token.id for token in tokens if token)
    first = portal.tokens.list(limit=4)
    second = portal.tokens.list(limit=4, after=first.next)
    assert [token.id for token in (*first, *second)] == expected
    assert second.next is None


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (MICROSECOND, []),
        (timedelta(days=1), []),
        (timedelta(days=1) + MICROSECOND, ["K-3"]),
        (timedelta(days=4), ["K-3", "K-4", "K-5"]),
        (timedelta(days=365), ["K-3", "K-4", "K-5", "K-6", "K-7", "K-9"]),
        (timedelta.max, ["K-3", "K-4", "K-5", "K-6", "K-7", "K-9"]),
    ],
)
def test_lists_of_what_expires_soon(within: timedelta, expected: list[str], crowd: Portal) -> None:
    """`expiring_within` gives active tokens that expire in that time; no dead ones."""
    assert customers(crowd.tokens.list(expiring_within=within)) == expected
    both = crowd.tokens.list(expiring_within=within, status=TokenStatus.ACTIVE)
    assert customers(both) == expected
    none = crowd.tokens.list(expiring_within=within, status=TokenStatus.EXPIRED)
    assert customers(none) == []


def test_lists_by_key(crowd: Portal, make_portal: Callable[..., Portal], secret_key: str) -> None:
    """`key_fingerprint` gives the tokens issued under a key, with the other filters."""
    rotated = make_portal(secret_keys=[secret_key, "the next key, of 32 bytes and more"])
    rotated.tokens.regenerate("K-4")
    rotated.tokens.regenerate("K-5")
    old, new = rotated.tokens.key_fingerprints
    assert customers(rotated.tokens.list(key_fingerprint=new)) in (["K-4", "K-5"], ["K-5", "K-4"])
    found = rotated.tokens.list(key_fingerprint=old, status=TokenStatus.ACTIVE)
    assert customers(found) == ["K-3", "K-6", "K-7", "K-9"]
    assert customers(rotated.tokens.list(key_fingerprint="0" * 16)) == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"limit": 0}, "limit must be a whole number from 1 to 200"),
    ({"limit": 201}, "limit must be a whole number from 1 to 200"),
    ({"limit": True}, "limit must be a whole number from 1 to 200"),
    ({"limit": "5"}, "limit must be a whole number from 1 to 200"),
    ({"status": "active"}, "status must be one of TokenStatus.ACTIVE"),
    ({"status": 1}, "status must be one of TokenStatus.ACTIVE"),
    ({"expiring_within": timedelta(0)}, "expiring_within must be a timedelta above 0, not datet"),
    ({"expiring_within": -timedelta(1)}, "expiring_within must be a timedelta above 0, not datet"),
    ({"expiring_within": 5}, "expiring_within must be a timedelta above 0, not 5"),
    ({"key_fingerprint": 5}, "key_fingerprint must be text"),
    ({"key_fingerprint": "\x00"}, "key_fingerprint contains a character"),
    ({"key_fingerprint": "x" * 65}, "key_fingerprint must have 0 to 64 characters"),
    ({"after": "x"}, "after must be the next= of an earlier page"),
    ({"after": 5}, "after must be the next= of an earlier page"),
    ({"after": ""}, "after must be the next= of an earlier page"),
    ({"after": write_cursor("soon", token_id(1))}, "after must be the next= of an earlier page"),
    ({"after": write_cursor("2025-01-01", token_id(1))}, "after must be "),
    ({"after": write_cursor(5, token_id(1))}, "after must be the next= of an earlier page"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=label)
def test_wrong_arguments_of_a_list(given: dict[str, Any], message: str, crowd: Portal) -> None:
    """A wrong filter, limit or cursor is refused by name."""
    with pytest.raises(InvalidValue) as caught:
        crowd.tokens.list(**given)
    assert str(caught.value).startswith(message)
    assert caught.value.field == next(iter(given))


@pytest.mark.parametrize("status", [None, "active", 1])
def test_count_needs_a_status(status: Any, portal: Portal) -> None:
    """What is no status cannot be counted."""
    with pytest.raises(InvalidValue, match="status must be one of"):
        portal.tokens.count(status)
    assert portal.tokens.count(TokenStatus.ACTIVE) == 0


def test_history_is_oldest_first(portal: Portal, clock: FrozenClock) -> None:
    """All tokens a customer ever had, in the order they were issued, also within one instant."""
    issued = [portal.tokens.generate("C-1001")]
    for _ in range(3):
        issued.append(portal.tokens.regenerate("C-1001"))
    clock.advance(days=-2)
    issued.append(portal.tokens.regenerate("C-1001"))
    portal.tokens.generate("C-1002")
    history = portal.tokens.history("C-1001")
    assert [token.id for token in history] == [token.id for token in issued]
    assert [token.is_current for token in history] == [False] * 4 + [True]
    chain = [token.replaces for token in history]
    assert chain == [None, *(token.id for token in issued[:-1])]
    assert portal.tokens.get("C-1001") == history[-1]
    assert portal.tokens.history("C-9999") == ()
    assert portal.tokens.get("C-9999") is None


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_latest_of_many(
    batch: int,
    crowd: Portal,
    watched: Any,
    make_portal: Callable[..., Portal],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The latest token of each customer asked for, ended or not, by the batch; or none."""
    monkeypatch.setattr("basis_portal.tokens.BATCH", batch)
    ids = ["K-8", "K-0", "K-9", "K-9", "nobody", "C-1001", "K-3"]
    expected = {one: crowd.tokens.get(one) for one in ("K-0", "K-3", "K-8", "K-9")}
    assert crowd.tokens.latest(ids) == expected
    assert crowd.tokens.latest(one for one in ids) == expected
    assert crowd.tokens.latest([]) == {}
    assert make_portal(watched).tokens.latest(ids) == expected
    assert watched.calls == ["tokens.latest"] * -(-len(ids) // batch)


@pytest.mark.parametrize("wrong", ["K-1", b"K-1", None, 5, [""], [None], ["K-1", "\x00"]])
def test_latest_of_what_is_no_customer(wrong: Any, portal: Portal) -> None:
    """What is no list of customer ids is refused by name."""
    with pytest.raises(InvalidValue, match=r"^customer_ids "):
        portal.tokens.latest(wrong)


def test_last_opened(portal: Portal, clock: FrozenClock, text_of: Callable[..., str]) -> None:
    """Of the tokens asked for, those that were opened, with the instant it was last noted."""
    tokens = [portal.tokens.generate(one).id for one in ("C-1001", "C-1002")]
    assert portal.tokens.last_opened(tokens) == {}
    start = clock.now
    text = text_of(portal)
    portal.open(text)
    clock.advance(minutes=59)
    portal.open(text)
    assert portal.tokens.last_opened(iter(tokens)) == {tokens[0]: start}
    clock.advance(minutes=1)
    portal.open(text)
    found = portal.tokens.last_opened([*tokens, token_id(9)])
    assert found == {tokens[0]: start + timedelta(hours=1)}
    assert portal.tokens.last_opened([]) == {}


@pytest.mark.parametrize("wrong", ["x" * 22, None, 5, ["C-1001"], [None], ["\x00" * 22]])
def test_last_opened_of_what_is_no_token(wrong: Any, portal: Portal) -> None:
    """What is no list of token ids is refused by name."""
    with pytest.raises(InvalidValue, match=r"^token_ids must be "):
        portal.tokens.last_opened(wrong)


def test_the_trail_is_paged_newest_first(portal: Portal, clock: FrozenClock) -> None:
    """The audit trail comes in pages, of all or of one customer, the last entry first."""
    for _ in range(4):
        clock.advance(hours=-1)  # positions count, not instants
        portal.tokens.regenerate("C-1001")
        portal.tokens.regenerate("C-1002")
    whole = portal.audit.list(limit=200)
    assert len(whole) == 1 + 2 + 3 * 4
    assert (whole.items[0].event, whole.items[0].customer_id) == (AuditEvent.ISSUED, "C-1002")
    assert whole.items[-1].event is AuditEvent.SETTINGS_CHANGED
    assert _in_pages(portal, 4) == list(whole)
    assert _in_pages(portal, 15) == list(whole)
    mine = [entry for entry in whole if entry.customer_id == "C-1001"]
    assert _in_pages(portal, 3, customer_id="C-1001") == mine
    assert len(mine) == 7
    assert portal.audit.list(customer_id="C-9999") == Page(())


def _in_pages(portal: Portal, limit: int, **given: Any) -> list[Any]:
    found: list[Any] = []
    page = portal.audit.list(limit=limit, **given)
    found += page
    while page.next:
        assert len(page) == limit
        page = portal.audit.list(limit=limit, after=page.next, **given)
        found += page
    return found


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"after": "x"}, "after"),
        ({"after": write_cursor("text")}, "after"),
        ({"after": write_cursor(2**70)}, "after"),
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": 5}, "customer_id"),
    ],
)
def test_wrong_arguments_of_the_trail(given: dict[str, Any], field: str, portal: Portal) -> None:
    """A wrong customer, limit or cursor is refused by name."""
    with pytest.raises(InvalidValue) as caught:
        portal.audit.list(**given)
    assert caught.value.field == field


def test_counts_follow_the_clock(portal: Portal, clock: FrozenClock) -> None:
    """A status is not stored: it follows the clock, back as well as on."""
    portal.tokens.generate("C-1001", days=1)
    seen = []
    for days in (0, 1, -1, 400):
        clock.advance(days=days)
        seen.append((portal.tokens.count(TokenStatus.ACTIVE), len(portal.tokens.list())))
    assert seen == [(1, 1), (0, 1), (1, 1), (0, 1)]
