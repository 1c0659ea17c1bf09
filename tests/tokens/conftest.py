"""What the tests of tokens share: a customer's token in each state it can be in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from basis_portal import AuditEntry, EndedAs, Portal, PortalToken
from basis_portal.testing.clocks import FrozenClock

STATES = ("none", "active", "expired", "revoked", "replaced")


@pytest.fixture
def given(portal: Portal, storage: Any, clock: FrozenClock) -> Callable[[str], PortalToken | None]:
    """Brings the latest token of C-1001 into a state, and gives it as it stands then.

    No use case leaves a customer with a replaced token alone; another program could.
    """

    def bring(state: str) -> PortalToken | None:
        if state == "none":
            return None
        token = portal.tokens.generate("C-1001", by="bo", days=1)
        if state == "expired":
            clock.advance(days=1)
        if state == "revoked":
            portal.tokens.revoke("C-1001", by="bo", reason="left the company")
        if state == "replaced":
            storage.tokens.end([token.id], at=clock.now, by="bo", how=EndedAs.REPLACED)
        clock.advance(timedelta(seconds=1))
        return portal.tokens.get("C-1001")

    return bring


@pytest.fixture
def told(trail: Callable[[], list[AuditEntry]]) -> Callable[..., list[str]]:
    """Gives the trail from a place on as words: what happened, why, and to whose token."""

    def words(since: int = 0) -> list[str]:
        return [f"{entry.event} {entry.cause or ''}".strip() for entry in trail()[since:]]

    return words
