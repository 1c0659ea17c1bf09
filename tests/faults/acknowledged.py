"""Changes that were acknowledged, and the check that a storage still has each of them, whole.

Works on any storage: who makes the faults brings a portal over it, and what it has noted.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import attrs

from basis_portal import AuditEvent, Customer, Portal, PortalConfig, PortalError, StorageError
from basis_portal.domain.audit import AuditEntry
from basis_portal.domain.messages import Author
from basis_portal.domain.portal_token import PortalToken
from basis_portal.testing.clocks import FrozenClock

KEY = "a secret for tests alone, at least 32 bytes"
CUSTOMERS = tuple(Customer(f"C-{number}", f"Customer {number}") for number in range(1, 5))
IDS = tuple(one.id for one in CUSTOMERS)
LOST = "lost: "
BEGIN = b"begin\n"


@attrs.define
class Ledger:
    """What was acknowledged so far.

    Attributes:
        issued: customer by token.
        ended: how, by token.
        messages: customer by message.
        settings: the highest version.
        begun: how many changes were begun.
        finished: how many of them were acknowledged.
    """

    issued: dict[str, str] = attrs.field(factory=dict)
    ended: dict[str, str] = attrs.field(factory=dict)
    messages: dict[str, str] = attrs.field(factory=dict)
    settings: int = 0
    begun: int = 0
    finished: int = 0

    def begin(self) -> None:
        """A change begins."""
        self.begun += 1

    def acknowledge(self, done: dict[str, Any]) -> None:
        """A change is done: what `Worker.change` returned."""
        self.finished += 1
        self.issued.update(done.get("issued", {}))
        self.ended.update(done.get("ended", {}))
        self.messages.update(done.get("messages", {}))
        self.settings = max(self.settings, done.get("settings", 0))

    def read(self, lines: bytes) -> None:
        """Take what came through a pipe; a line without an end was never written whole."""
        for line in lines.split(b"\n")[:-1]:
            if line + b"\n" == BEGIN:
                self.begin()
            else:
                self.acknowledge(json.loads(line))


def as_line(done: dict[str, Any]) -> bytes:
    """An acknowledgement as `Ledger.read` takes it."""
    return json.dumps(done).encode() + b"\n"


def portal_over(storage: Any, clock: Callable[[], dt.datetime]) -> Portal:
    """A portal over a storage."""
    return Portal(
        storage, secret_keys=[KEY], base_url="https://erp.example.com/portal", clock=clock
    )


class Worker:
    """Makes changes through a portal, drawn by a seed, and says what each has done.

    Args:
        storage: where they are made; customers are saved there first.
        seed: draws the changes.
        start: the instant of the first change; each is ten minutes after the one before.
    """

    def __init__(self, storage: Any, seed: int, start: dt.datetime) -> None:
        self._random = Random(seed)
        self._clock = FrozenClock(start)
        self._portal = portal_over(storage, self._clock)
        storage.customers.save(*CUSTOMERS)

    def change(self) -> dict[str, Any]:
        """Make one change and return what it has done; what a rule refuses does nothing."""
        self._clock.advance(minutes=10)
        customer_id = self._random.choice(IDS)
        verb = self._random.choice(_VERBS)
        try:
            return verb(self, customer_id)
        except StorageError:
            raise
        except PortalError:
            return {}

    def _generate(self, customer_id: str) -> dict[str, Any]:
        return _issued(self._portal.tokens.generate(customer_id, by="ana"))

    def _regenerate(self, customer_id: str) -> dict[str, Any]:
        return _issued(self._portal.tokens.regenerate(customer_id, by="ana"))

    def _revoke(self, customer_id: str) -> dict[str, Any]:
        ended = self._portal.tokens.revoke(customer_id, by="ana", reason="left")
        return {"ended": {ended.id: "revoked"}} if ended else {}

    def _send(self, customer_id: str) -> dict[str, Any]:
        link = self._portal.tokens.link(customer_id, by="ana")
        access = self._portal.open(link.rsplit("/", 1)[1])
        return {"messages": {access.send_message("Paid today.").id: customer_id}}

    def _reply(self, customer_id: str) -> dict[str, Any]:
        return {"messages": {self._portal.messages.reply(customer_id, "Thanks.").id: customer_id}}

    def _save(self, customer_id: str) -> dict[str, Any]:
        config = PortalConfig(
            enabled=True, allow_messages=True, token_expiry_days=self._random.randint(1, 365)
        )
        return {"settings": self._portal.settings.save(config, by="ana").version}


_VERBS = (
    Worker._generate,
    Worker._regenerate,
    Worker._regenerate,
    Worker._revoke,
    Worker._send,
    Worker._send,
    Worker._reply,
    Worker._save,
)


def _issued(token: PortalToken) -> dict[str, Any]:
    done: dict[str, Any] = {"issued": {token.id: token.customer_id}}
    return done | ({"ended": {token.replaces: "replaced"}} if token.replaces else {})


# --- the check ----------------------------------------------------------------------------


def check(storage: Any, acknowledged: Ledger) -> list[str]:
    """What is wrong in a storage: changes that were acknowledged and are lost, or half there."""
    trail = _trail(storage)
    histories = {one: list(storage.tokens.history(one)) for one in IDS}
    messages = {one: list(storage.messages.page(one, limit=10**6)) for one in IDS}
    tokens = {token.id: token for history in histories.values() for token in history}
    version = storage.settings.get().version
    return [
        *_lost_tokens(tokens, acknowledged),
        *_lost_messages(messages, acknowledged),
        *([f"{LOST}settings at {version}"] if version < acknowledged.settings else []),
        *_too_many(histories),
        *_half_tokens(tokens, trail),
        *_half_messages(messages, trail),
        *_half_settings(version, trail),
    ]


def lost(problems: Iterable[str]) -> list[str]:
    """Those of the problems that are acknowledged changes gone."""
    return [one for one in problems if one.startswith(LOST)]


def _trail(storage: Any) -> list[AuditEntry]:
    return [entry for _, entry in storage.audit.page(limit=10**6)]


def _lost_tokens(tokens: dict[str, PortalToken], acknowledged: Ledger) -> Iterable[str]:
    for token_id, customer_id in acknowledged.issued.items():
        if token_id not in tokens or tokens[token_id].customer_id != customer_id:
            yield f"{LOST}token {token_id} of {customer_id}"
    for token_id, how in acknowledged.ended.items():
        if token_id not in tokens or tokens[token_id].ended_as != how:
            yield f"{LOST}token {token_id} is not {how}"


def _lost_messages(messages: dict[str, Any], acknowledged: Ledger) -> Iterable[str]:
    known = {(one.id, one.customer_id) for found in messages.values() for one in found}
    for key in acknowledged.messages.items():
        if key not in known:
            yield f"{LOST}message {key[0]} of {key[1]}"


def _too_many(histories: dict[str, list[PortalToken]]) -> Iterable[str]:
    for customer_id, history in histories.items():
        current = [token.id for token in history if token.is_current]
        if len(current) > 1:
            yield f"two active tokens: {customer_id} has {current}"
        if current and current[-1] != history[-1].id:
            yield f"an older token is current: {customer_id} has {current}"


def _half_tokens(tokens: dict[str, PortalToken], trail: list[AuditEntry]) -> Iterable[str]:
    issued = Counter(entry.token_id for entry in trail if entry.event is AuditEvent.ISSUED)
    if issued != Counter(tokens.keys()):
        yield "half: tokens and their 'issued' entries differ"
    ended = Counter(
        (entry.token_id, str(entry.cause)) for entry in trail if entry.event is AuditEvent.ENDED
    )
    if ended != Counter((one.id, str(one.ended_as)) for one in tokens.values() if one.ended_as):
        yield "half: ended tokens and their 'ended' entries differ"
    replaced = {one.replaces for one in tokens.values()} - {None}
    if replaced != {one.id for one in tokens.values() if one.ended_as == "replaced"}:
        yield "half: replaced tokens and those that replace them differ"


def _half_messages(messages: dict[str, Any], trail: list[AuditEntry]) -> Iterable[str]:
    events = {Author.CUSTOMER: AuditEvent.MESSAGE, Author.SELLER: AuditEvent.REPLY}
    noted = Counter((entry.customer_id, entry.event) for entry in trail)
    for customer_id, found in messages.items():
        written = Counter(events[one.author] for one in found)
        for event in events.values():
            if noted[customer_id, event] != written[event]:
                yield f"half: messages of {customer_id} and their '{event}' entries differ"


def _half_settings(version: int, trail: list[AuditEntry]) -> Iterable[str]:
    saves = sum(entry.event is AuditEvent.SETTINGS_CHANGED for entry in trail)
    if saves != version:
        yield f"half: settings at version {version} and {saves} entries of saves"
