"""What a storage promises of lists of tokens: order, filters, pages."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from ...domain.portal_token import EndedAs, PortalToken, TokenStatus
from ...repositories import Storage
from ..builders import NOW, a_token, token_id
from .base import LIMITS, RISING_IDS, Kit, walk

DAY = dt.timedelta(days=1)
INSTANT = dt.timedelta(microseconds=1)
_LIFETIMES = (DAY, DAY - INSTANT, DAY, 2 * DAY, DAY + INSTANT, 30 * DAY)
_FINGERPRINTS = ("key-1", "key-2", "")


def many_tokens() -> list[PortalToken]:
    """Tokens of forty customers in the order to add them: expired, active, ended, replaced.

    Many expire at one instant or an instant apart, and ids do not rise with time.
    """
    tokens = []
    for number in range(40):
        tokens += _tokens_of(number)
    return tokens


def _tokens_of(number: int) -> list[PortalToken]:
    customer_id = f"C-{number * 7 % 40}"
    last = a_token(
        token_id(number * 13 % 41),
        customer_id=customer_id,
        expires_at=NOW + _LIFETIMES[number % 6],
        key_fingerprint=_FINGERPRINTS[number % 3],
    )
    earlier = a_token(
        token_id(100 + number),
        customer_id=customer_id,
        expires_at=NOW + 3 * DAY,
        **_ended(EndedAs.REPLACED),
    )
    if number % 4 == 0:
        return [earlier, last]
    if number % 4 == 1:
        how = EndedAs.REVOKED if number % 8 == 1 else EndedAs.REPLACED
        return [a_token(**{**_fields(last), **_ended(how)})]
    return [last]


def _fields(token: PortalToken) -> dict[str, Any]:
    names = ("id", "customer_id", "expires_at", "key_fingerprint")
    return {name: getattr(token, name) for name in names}


def _ended(how: EndedAs) -> dict[str, Any]:
    return {"ended_at": NOW + INSTANT, "ended_by": "ana", "ended_as": how}


def _key(token: PortalToken) -> tuple[dt.datetime, str]:
    return (token.expires_at, token.id)


def expected_tokens(
    added: Sequence[PortalToken],
    status: TokenStatus | None,
    now: dt.datetime,
    expires_before: dt.datetime | None,
    key_fingerprint: str | None,
) -> list[PortalToken]:
    """What a list of latest tokens must hold, found by looking at every one."""
    latest = {token.customer_id: token for token in added}
    return sorted(
        (
            token
            for token in latest.values()
            if status in (None, token.status_at(now))
            and key_fingerprint in (None, token.key_fingerprint)
            and (
                expires_before is None
                or (
                    token.status_at(now) is TokenStatus.ACTIVE and token.expires_at < expires_before
                )
            )
        ),
        key=_key,
    )


class TokenListsConformance(Kit):
    """Lists of tokens are complete, ordered, and the same whatever the page length."""

    def test_the_latest_token_is_the_one_added_last(self, storage: Storage) -> None:
        """Of a customer's tokens the latest is the last one added, also if the clock went back."""
        tokens = [
            a_token(token_id(9), **_ended(EndedAs.REVOKED)),
            a_token(token_id(1), issued_at=NOW - DAY, expires_at=NOW, **_ended(EndedAs.REVOKED)),
            a_token(token_id(5), issued_at=NOW - 2 * DAY, expires_at=NOW - DAY),
        ]
        for added in range(1, 4):
            storage.tokens.add([tokens[added - 1]])
            latest = storage.tokens.latest([tokens[0].customer_id])
            assert latest == {tokens[0].customer_id: tokens[added - 1]}
            assert list(storage.tokens.page(now=NOW)) == [tokens[added - 1]]
            assert list(storage.tokens.history(tokens[0].customer_id)) == tokens[:added]

    def test_tokens_added_together_keep_their_order(self, storage: Storage) -> None:
        """Tokens of one addition are in the history in their order; the last is the latest."""
        tokens = [a_token(token_id(n), **_ended(EndedAs.REVOKED)) for n in (5, 2, 8, 1)]
        storage.tokens.add(tokens)
        assert list(storage.tokens.history(tokens[0].customer_id)) == tokens
        assert storage.tokens.latest([tokens[0].customer_id]) == {tokens[0].customer_id: tokens[-1]}

    def test_ending_an_earlier_token_leaves_the_latest(self, storage: Storage) -> None:
        """The latest token stays the one added last when an earlier one is ended after it."""
        storage.tokens.add([a_token(token_id(2)), a_token(token_id(1), **_ended(EndedAs.REVOKED))])
        storage.tokens.end([token_id(2)], at=NOW + DAY, by="ana", how=EndedAs.REVOKED)
        assert storage.tokens.latest([a_token().customer_id])[a_token().customer_id].id == (
            token_id(1)
        )

    def test_only_customers_asked_for_are_answered(self, storage: Storage) -> None:
        """The latest tokens are of the customers asked for that have any, and of no other."""
        storage.tokens.add([a_token(token_id(n), customer_id=f"C-{n}") for n in range(4)])
        found = storage.tokens.latest({"C-1", "C-3", "absent"})
        assert {one: token.id for one, token in found.items()} == {
            "C-1": token_id(1),
            "C-3": token_id(3),
        }

    @pytest.mark.parametrize("status", [None, *TokenStatus])
    def test_pages_agree_with_looking_at_every_token(
        self, storage: Storage, status: TokenStatus | None
    ) -> None:
        """With any filters and page length the list is what looking at every token gives."""
        added = many_tokens()
        storage.tokens.add(added)
        nows = (NOW, NOW + DAY - INSTANT, NOW + DAY, NOW + 60 * DAY)
        befores = (None, NOW, NOW + DAY, NOW + DAY + INSTANT, NOW + 90 * DAY)
        prints = (None, *_FINGERPRINTS, "key-9")
        for now, before, fingerprint in itertools.product(nows, befores, prints):
            expected = expected_tokens(added, status, now, before, fingerprint)
            for limit in LIMITS:
                found = walk(
                    lambda after, limit: storage.tokens.page(
                        status=status,
                        now=now,  # noqa: B023
                        expires_before=before,  # noqa: B023
                        key_fingerprint=fingerprint,  # noqa: B023
                        after=after,
                        limit=limit,
                    ),
                    _key,
                    limit,
                )
                assert found == expected

    def test_counts_agree_with_looking_at_every_token(self, storage: Storage) -> None:
        """The count of a status is how many latest tokens have it, at any instant."""
        added = many_tokens()
        assert storage.tokens.count(TokenStatus.ACTIVE, now=NOW) == 0
        storage.tokens.add(added)
        for now in (NOW, NOW + DAY - INSTANT, NOW + DAY, NOW + 60 * DAY):
            for status in TokenStatus:
                expected = expected_tokens(added, status, now, None, None)
                assert storage.tokens.count(status, now=now) == len(expected)

    def test_a_token_page_can_start_anywhere(self, storage: Storage) -> None:
        """A key of no token starts a page as well: after it, not at it."""
        added = many_tokens()
        storage.tokens.add(added)
        everything = expected_tokens(added, None, NOW, None, None)
        for after in ((NOW + DAY, ""), (NOW + DAY, token_id(20)), (NOW + 90 * DAY, "")):
            expected = [token for token in everything if _key(token) > after]
            assert list(storage.tokens.page(now=NOW, after=after, limit=1000)) == expected

    @pytest.mark.parametrize("limit", LIMITS)
    def test_current_tokens_come_by_customer(self, storage: Storage, limit: int) -> None:
        """Current tokens, expired or not, come by customer id, and ended ones never."""
        added = many_tokens()
        storage.tokens.add(added)
        found = walk(
            lambda after, limit: storage.tokens.current_page(after=after, limit=limit),
            lambda token: token.customer_id,
            limit,
        )
        current = [token for token in added if token.is_current]
        assert found == sorted(current, key=lambda token: token.customer_id)

    @pytest.mark.parametrize("limit", [1, 1000])
    def test_customers_are_ordered_by_code_point(self, storage: Storage, limit: int) -> None:
        """Customer ids are ordered by code point, whatever the language of the machine."""
        ids = RISING_IDS[1:]
        shuffled = [*ids[::2], *ids[1::2]]
        storage.tokens.add(
            [a_token(token_id(n), customer_id=one) for n, one in enumerate(shuffled)]
        )
        found = walk(
            lambda after, limit: storage.tokens.current_page(after=after, limit=limit),
            lambda token: token.customer_id,
            limit,
        )
        assert [token.customer_id for token in found] == list(ids)
