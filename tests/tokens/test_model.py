"""The token service against a model of a few lines: the same outcome for any sequence of verbs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.depth import examples

from basis_portal import (
    AccessDenied,
    Customer,
    Outcome,
    Portal,
    PortalConfig,
    PortalError,
    PortalNotAvailable,
    TokenStatus,
)
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import token_id
from basis_portal.testing.clocks import FrozenClock

KEY = "a secret for tests alone, at least 32 bytes"
NAMES = ("A", "B", "C")
customers = st.sampled_from((*NAMES, "nobody"))
days = st.none() | st.integers(1, 365)


@attrs.define
class Record:
    """What the model knows of a token."""

    id: str
    customer_id: str
    expires_at: datetime
    ended: str | None = None
    replaces: str | None = None

    def status(self, now: datetime) -> str:
        """Where it stands: ended beats expired."""
        return self.ended or ("active" if now < self.expires_at else "expired")


class TokenModel(RuleBasedStateMachine):
    """Drives a portal in memory and a dict of lists side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FrozenClock()
        self.storage = InMemoryStorage()
        self.portal = Portal(
            self.storage, secret_keys=[KEY], base_url="https://x.example", clock=self.clock
        )
        self.config = PortalConfig(enabled=True)
        self.portal.settings.save(self.config)
        self.people = {name: Customer(name, name) for name in NAMES}
        self.storage.customers.save(*self.people.values())
        self.tokens: dict[str, list[Record]] = {}
        self.texts: dict[str, str] = {}
        self.changes = 1

    # --- the model

    def latest(self, one: str) -> Record | None:
        """The token issued last, or None."""
        return self.tokens.get(one, [None])[-1]

    def status(self, one: str) -> str:
        """Where the latest token stands, or "none"."""
        latest = self.latest(one)
        return latest.status(self.clock.now) if latest else "none"

    def unwelcome(self, one: str) -> str | None:
        """The error for who gets no token."""
        if one not in self.people:
            return "CustomerNotFound"
        return "CustomerBlocked" if self.people[one].blocked else None

    def end(self, one: str, how: str) -> Record | None:
        """End what is current; gives it, or None."""
        latest = self.latest(one)
        if latest is None or latest.ended:
            return None
        latest.ended = how
        self.changes += 1
        return latest

    def issue(self, one: str, token: Any, length: int | None = None) -> None:
        """Follow an issue, and compare what was issued."""
        replaced = self.end(one, "replaced")
        lasting = timedelta(days=length or self.config.token_expiry_days)
        record = Record(
            token.id,
            one,
            self.clock.now + lasting,
            replaces=replaced.id if replaced else None,
        )
        assert (token.customer_id, token.issued_at) == (one, self.clock.now)
        assert (token.expires_at, token.replaces) == (record.expires_at, record.replaces)
        self.tokens.setdefault(one, []).append(record)
        self.changes += 1

    def attempt(self, expected: str | None, verb: Any, *args: Any, **kwargs: Any) -> Any:
        """What a verb gives, where no error is expected; else it must raise just that one."""
        result = found = None
        try:
            result = verb(*args, **kwargs)
        except PortalError as error:
            found = type(error).__name__
        assert found == expected
        return result

    # --- staff

    @rule(one=customers, length=days)
    def generate(self, one: str, length: int | None) -> None:
        """Refused to the unwelcome, and where there is an active token."""
        expected = self.unwelcome(one)
        if not expected and self.status(one) == "active":
            expected = "ActiveTokenExists"
        token = self.attempt(expected, self.portal.tokens.generate, one, days=length)
        if token:
            self.issue(one, token, length)

    @rule(one=customers, length=days, named=st.sampled_from(("none", "current", "old", "alien")))
    def regenerate(self, one: str, length: int | None, named: str) -> None:
        """Refused to the unwelcome, and where the token named is no longer current."""
        latest = self.latest(one)
        current = latest.id if latest and not latest.ended else None
        history = self.tokens.get(one, [])
        ids = {"none": None, "current": current, "alien": token_id(1)}
        ids["old"] = history[0].id if history else token_id(2)
        expected = self.unwelcome(one)
        if not expected and ids[named] not in (None, current):
            expected = "TokenChanged"
        token = self.attempt(
            expected, self.portal.tokens.regenerate, one, days=length, if_current=ids[named]
        )
        if token:
            self.issue(one, token, length)

    @rule(one=customers)
    def ensure(self, one: str) -> None:
        """Keeps an active token, never undoes a revoke, and issues else."""
        status = self.status(one)
        revoked = "AccessRevoked" if status == "revoked" else None
        token = self.attempt(self.unwelcome(one) or revoked, self.portal.tokens.ensure, one)
        if token and status == "active":
            assert token.id == self.latest(one).id  # type: ignore[union-attr]
        elif token:
            self.issue(one, token)

    @rule(asked=st.lists(customers, max_size=6))
    def ensure_many(self, asked: list[str]) -> None:
        """As ensure for each, with a word instead of an error."""
        before = {one: self.status(one) for one in asked}
        results = list(self.portal.tokens.ensure_many(asked))
        self.follow(asked, before, results, undo=False)

    @rule(asked=st.lists(customers, max_size=6))
    def regenerate_many(self, asked: list[str]) -> None:
        """A new token for every welcome customer, once."""
        results = list(self.portal.tokens.regenerate_many(asked))
        self.follow(asked, dict.fromkeys(asked, "none"), results, undo=True)

    def follow(
        self, asked: list[str], before: dict[str, str], results: list[Any], *, undo: bool
    ) -> None:
        """Compare the results of a bulk with what each customer should have got."""
        seen = set()
        assert [result.customer_id for result in results] == asked
        for one, result in zip(asked, results, strict=True):
            unwelcome = {"CustomerNotFound": "unknown", "CustomerBlocked": "blocked"}
            why = unwelcome.get(self.unwelcome(one) or "")
            if not why and before[one] == "revoked":
                why = "revoked"
            kept = before[one] == "active" or one in seen
            outcome = "skipped" if why else "existing" if kept else "issued"
            assert (result.outcome, result.why) == (outcome, why)
            assert (result.token is None) is (outcome == "skipped")
            if result.outcome is Outcome.ISSUED:
                self.issue(one, result.token)
            seen.add(one)

    @rule(one=customers)
    def revoke(self, one: str) -> None:
        """Ends what is current, expired or not; with none nothing happens."""
        found = self.portal.tokens.revoke(one, reason="model")
        ended = self.end(one, "revoked")
        assert (found and found.id) == (ended and ended.id)

    @rule()
    def revoke_all(self) -> None:
        """Ends all that is current, and says how many."""
        ended = [self.end(one, "revoked") for one in self.tokens]
        assert self.portal.tokens.revoke_all() == len([one for one in ended if one])

    @rule(one=customers)
    def link(self, one: str) -> None:
        """A link of an active token; the text opens that token for as long as it lives."""
        expected = None if self.status(one) == "active" else "NoActiveToken"
        link = self.attempt(expected, self.portal.tokens.link, one)
        if link:
            latest = self.latest(one)
            assert latest
            self.texts[latest.id] = link.rsplit("/", 1)[1]
            self.changes += 1

    # --- the host, the settings, the clock

    @rule(one=st.sampled_from(NAMES), blocked=st.booleans(), gone=st.booleans())
    def change_customer(self, one: str, blocked: bool, gone: bool) -> None:
        """The host blocks, frees, deletes or makes a customer."""
        if gone:
            self.storage.customers.delete(one)
            self.people.pop(one, None)
        else:
            self.people[one] = Customer(one, one, blocked=blocked)
            self.storage.customers.save(self.people[one])

    @rule(enabled=st.booleans(), length=st.sampled_from((1, 30, 365)))
    def change_settings(self, enabled: bool, length: int) -> None:
        """Staff save settings; issued tokens keep their expiry."""
        config = PortalConfig(enabled=enabled, token_expiry_days=length)
        self.changes += config != self.config
        self.config = config
        self.portal.settings.save(config)

    @rule(hours=st.sampled_from((1, 23, 24, 24 * 30, 24 * 366, -1, -24, -24 * 40)))
    def move_the_clock(self, hours: int) -> None:
        """Time passes, or the clock goes back."""
        self.clock.advance(hours=hours)

    # --- visitors

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def open(self, data: st.DataObject) -> None:
        """Opens where the portal is on, the token is active and the customer is welcome."""
        records = {record.id: record for found in self.tokens.values() for record in found}
        record = records[data.draw(st.sampled_from(sorted(self.texts)))]
        good = record.status(self.clock.now) == "active" and not self.unwelcome(record.customer_id)
        assert self.portal.tokens.check(self.texts[record.id]).works is good
        expected = None if good else AccessDenied.__name__
        if not self.config.enabled:
            expected = PortalNotAvailable.__name__
        access = self.attempt(expected, self.portal.open, self.texts[record.id], record=False)
        if access:
            assert access.customer == self.people[record.customer_id]
            assert access.expires_at == record.expires_at

    # --- always

    @invariant()
    def the_same_tokens(self) -> None:
        """Every customer has the tokens of the model, each standing where it should."""
        for one in (*NAMES, "nobody"):
            found = self.portal.tokens.history(one)
            expected = self.tokens.get(one, [])
            assert [token.id for token in found] == [record.id for record in expected]
            for token, record in zip(found, expected, strict=True):
                assert token.status_at(self.clock.now) == record.status(self.clock.now)
                assert token.expires_at == record.expires_at
            assert sum(token.is_current for token in found) <= 1
            assert self.portal.tokens.get(one) == (found[-1] if found else None)

    @invariant()
    def the_same_counts(self) -> None:
        """Counts are those of the latest tokens."""
        states = [self.status(one) for one in self.tokens]
        for status in TokenStatus:
            assert self.portal.tokens.count(status) == states.count(status.value)

    @invariant()
    def every_change_is_audited(self) -> None:
        """The trail has one entry for each change the model has seen, and no other."""
        assert len(self.storage.audit.page(limit=10**6)) == self.changes


TestTokenModel = TokenModel.TestCase
TestTokenModel.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
