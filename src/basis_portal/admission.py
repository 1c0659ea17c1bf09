"""Who may enter: the order of answers when a link is opened, and at every step inside.

First the feature gate and the master switch, whatever the token; then form and signature,
the row, revoked or replaced, expired, and the customer. Whatever fails inside a check denies.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

import attrs

from .context import HOUR, Context, log
from .domain.audit import AuditEntry, AuditEvent, Cause
from .domain.config import PortalConfig, StoredSettings
from .domain.customers import Customer
from .domain.portal_token import PortalToken, TokenStatus, short_id
from .errors import AccessDenied, PortalNotAvailable, StorageError
from .repositories import Opening, UnitOfWork

T = TypeVar("T")

_CAUSE_OF = {
    TokenStatus.REVOKED: Cause.REVOKED,
    TokenStatus.REPLACED: Cause.REPLACED,
    TokenStatus.EXPIRED: Cause.EXPIRED,
}


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class Admitted:
    """A customer who may enter now.

    Attributes:
        customer: the customer as it is now.
        config: the settings as they are now.
        now: the instant of the check, UTC.
        token: the token that gives the right, None in a preview.
        opened_at: the last noted opening of the token, or None.
    """

    customer: Customer
    config: PortalConfig
    now: dt.datetime
    token: PortalToken | None
    opened_at: dt.datetime | None = None


def open_link(context: Context, text: object, *, record: bool) -> Admitted:
    """Admit whoever shows the text of a link; ``record`` notes the opening or the refusal.

    Raises:
        PortalNotAvailable: the gate or the master switch is off.
        AccessDenied: the link opens nothing, for whatever reason.
        StorageError: the storage cannot be read.
    """
    token_id = context.links.read(text)
    if token_id is None:
        _require_gate(context)
        _require_switch(context.storage.settings.get)
        log().info("access denied: %s", Cause.UNREADABLE)
        raise AccessDenied
    admitted = admit(context, token_id, record=record)
    if record:
        _note_opened(context, token_id, admitted)
    return admitted


def admit(context: Context, token_id: str, *, record: bool) -> Admitted:
    """Admit the holder of a token whose signature was good. Raises as `open_link`."""
    _require_gate(context)
    found = _denying("the storage failed", lambda: context.storage.opening(token_id))
    _require_switch(lambda: found.settings)
    now = _denying("the clock failed", context.now)
    judged = _judge(context, token_id, found, now)
    if isinstance(judged, Cause):
        log().info("access denied: %s, token %s", judged, short_id(token_id))
        if record:
            _note_refused(context, token_id, found.token, judged, now)
        raise AccessDenied
    return Admitted(judged, found.settings.config, now, found.token, found.opened_at)


def _denying(what: str, ask: Callable[[], T]) -> T:
    """What ``ask`` gives; all but `StorageError` that it raises denies."""
    try:
        return ask()
    except StorageError:
        raise
    except Exception:
        log().exception("access denied: %s", what)
        raise AccessDenied from None


def admit_preview(context: Context, customer_id: str) -> Admitted:
    """Admit staff to what a customer would see; no token, and the master switch may be off."""
    context.require_management()
    customer = context.welcome_customer(customer_id)
    return Admitted(customer, context.storage.settings.get().config, context.now(), None)


def judge_token(
    token: PortalToken, now: dt.datetime, customer_of: Callable[[str], Customer | None]
) -> Customer | Cause:
    """The customer a token opens, or why it opens nothing; nobody is looked up for a dead one."""
    status = token.status_at(now)
    if status is not TokenStatus.ACTIVE:
        return _CAUSE_OF[status]
    return _judge_customer(token, customer_of(token.customer_id))


def _judge(context: Context, token_id: str, found: Opening, now: dt.datetime) -> Customer | Cause:
    """As `judge_token`, of what one read found; a check that fails is a cause like any other."""
    token = found.token
    if token is None:
        return Cause.UNKNOWN
    if token.id != token_id:
        log().error("the storage answered for another token than asked for")
        return Cause.FAULT
    try:
        if context.storage_has_customers:
            return judge_token(token, now, lambda _: found.customer)
        return judge_token(token, now, context.customers.get)
    except StorageError:
        raise
    except Exception:
        log().exception("a check failed for token %s", short_id(token.id))
        return Cause.FAULT


def _judge_customer(token: PortalToken, customer: Customer | None) -> Customer | Cause:
    if customer is None:
        return Cause.CUSTOMER_UNKNOWN
    if not isinstance(customer, Customer) or customer.id != token.customer_id:
        log().error("the customer repository answered for another customer than asked for")
        return Cause.FAULT
    return Cause.CUSTOMER_BLOCKED if customer.blocked else customer


def _require_gate(context: Context) -> None:
    if not context.gate_is_open():
        raise PortalNotAvailable


def _require_switch(read: Callable[[], StoredSettings]) -> None:
    if not _denying("the storage failed", lambda: read().config.enabled):
        raise PortalNotAvailable


def _note_opened(context: Context, token_id: str, admitted: Admitted) -> None:
    """Note an opening, at most one an hour. The visitor is answered even where that fails."""
    token, now, before = admitted.token, admitted.now, admitted.opened_at
    if token is None or (before is not None and abs(now - before) < HOUR):
        return

    def work(unit: UnitOfWork) -> None:
        if unit.tokens.mark_opened(token_id, now, unless_within=HOUR):
            owner = _owner(unit, token_id)
            unit.audit.append([AuditEntry(now, AuditEvent.OPENED, None, owner, token_id)])

    _write_trail(context, work, token)


def _note_refused(
    context: Context, token_id: str, token: PortalToken | None, cause: Cause, now: dt.datetime
) -> None:
    """Note a refusal after a good signature, at most one an hour per token and cause."""

    def work(unit: UnitOfWork) -> None:
        before = unit.audit.last(AuditEvent.REFUSED, token_id=token_id, cause=cause)
        if before is None or abs(now - before) >= HOUR:
            owner = _owner(unit, token_id)
            unit.audit.append([AuditEntry(now, AuditEvent.REFUSED, None, owner, token_id, cause)])

    _write_trail(context, work, token)


def _owner(unit: UnitOfWork, token_id: str) -> str | None:
    """Whose token it is as the trail is written: the customer may be erased since the check."""
    token = unit.tokens.get(token_id)
    return token.customer_id if token else None


def _write_trail(
    context: Context, work: Callable[[UnitOfWork], None], token: PortalToken | None
) -> None:
    try:
        context.transact(work, lock=[token.customer_id] if token else [])
    except Exception:
        log().warning(
            "the audit trail could not be written; the visitor is answered", exc_info=True
        )
