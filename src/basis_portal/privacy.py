"""Use cases: hand a customer's data out, forget or move a customer, forget what is old.

They work in every edition.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import attrs

from .context import Context, staff_name
from .domain.audit import DETAIL_LIMIT, AuditEntry, AuditEvent, Cause
from .domain.checks import check_id, check_instant, check_move
from .domain.jsonable import to_jsonable
from .domain.portal_token import EndedAs
from .errors import InvalidValue
from .repositories import (
    AuditRepository,
    MailRepository,
    MessageRepository,
    TokenRepository,
    UnitOfWork,
)

_Pruning = AuditRepository | TokenRepository | MailRepository | MessageRepository

_PIECE = 1000
_YOUNGEST = dt.timedelta(days=1)


@attrs.define(frozen=True)
class Pruned:
    """What `Privacy.prune` removed.

    Attributes:
        audit_entries: how many entries of the audit trail.
        tokens: how many ended tokens.
        mails: how many e-mails that were sent, or will not be.
        messages: how many messages and internal notes.
    """

    audit_entries: int
    tokens: int
    mails: int = 0
    messages: int = 0


@attrs.define(frozen=True)
class Moved:
    """What `Privacy.move` gave to the new id.

    Attributes:
        tokens: how many tokens, all of them ended.
        messages: how many messages and internal notes.
        mails: how many e-mails, sent or not.
        audit_entries: how many entries of the audit trail.
    """

    tokens: int
    messages: int
    mails: int
    audit_entries: int


class Privacy:
    """Export and erasure of what the portal holds about a customer (GDPR articles 15 and 17).

    The host's own records, kept by the host or by our storage on its behalf, are not part
    of it: invoices are kept as long as the law wants.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def export(self, customer_id: str, *, by: str | None = None) -> dict[str, Any]:
        """All the portal holds about a customer, as a dict that JSON can hold; audited.

        Keys: ``customer_id``, ``exported_at``, ``tokens``, ``messages``, ``notes``, ``mails``
        (not their texts, which are not kept) and ``audit``, each oldest first. A token has
        ``last_opened`` besides its fields. Raises `InvalidValue`.
        """
        check_id("customer_id", customer_id)
        who, now = staff_name(by), self._context.now()

        def work(unit: UnitOfWork) -> dict[str, Any]:
            tokens = unit.tokens.history(customer_id)
            opened = unit.tokens.last_opened([one.id for one in tokens])
            found = {
                "customer_id": customer_id,
                "exported_at": now,
                "tokens": [
                    {**attrs.asdict(one, recurse=False), "last_opened": opened.get(one.id)}
                    for one in tokens
                ],
                "messages": _whole(unit.messages.page, customer_id, attrgetter("at", "id")),
                "notes": list(unit.messages.notes(customer_id)),
                "mails": _whole(unit.mails.of_customer, customer_id, attrgetter("queued_at", "id")),
                "audit": _whole_trail(unit, customer_id),
            }
            unit.audit.append([AuditEntry(now, AuditEvent.EXPORTED, who, customer_id)])
            return found

        exported: dict[str, Any] = to_jsonable(self._context.transact(work, lock=[customer_id]))
        return exported

    def holds(self, customer_id: str) -> bool:
        """Whether anything is held about a customer: what `export` would tell. Not audited.

        Raises `InvalidValue`.
        """
        check_id("customer_id", customer_id)
        storage = self._context.storage
        with storage.snapshot():
            return bool(
                storage.tokens.history(customer_id)
                or storage.messages.page(customer_id, limit=1)
                or storage.messages.notes(customer_id)
                or storage.mails.of_customer(customer_id, limit=1)
                or storage.audit.page(customer_id=customer_id, limit=1)
            )

    def erase(self, customer_id: str, *, by: str | None = None) -> str:
        """Forget a customer and return the random pseudonym that stands for it from now on.

        Ends its token, removes its messages, the notes on it and its e-mails, sent or not,
        empties the reasons in tokens and trail, and replaces its id there; audited under the
        pseudonym. It cannot be undone. Remove or block the customer in the host first: for
        whoever is still among its customers the next `TokenService.ensure` issues a token, as
        for one who never had any. Raises `InvalidValue`.
        """
        check_id("customer_id", customer_id)
        who, now = staff_name(by), self._context.now()
        import secrets  # brings random and hashlib: only where it is used

        pseudonym = f"erased-{secrets.token_hex(16)}"

        def work(unit: UnitOfWork) -> None:
            latest = unit.tokens.latest([customer_id]).get(customer_id)
            for token in unit.tokens.end(
                [latest.id] if latest else [], at=now, by=who, how=EndedAs.REVOKED
            ):
                # Under the pseudonym at once, or the host would be told whose the token was.
                unit.audit.append(
                    [AuditEntry(now, AuditEvent.ENDED, who, pseudonym, token.id, Cause.REVOKED)]
                )
            unit.tokens.rename_customer(customer_id, pseudonym)
            unit.messages.erase(customer_id)
            unit.mails.erase(customer_id)
            unit.audit.rename_customer(customer_id, pseudonym)
            unit.audit.append([AuditEntry(now, AuditEvent.ERASED, who, pseudonym)])

        self._context.transact(work, lock=[customer_id, pseudonym])
        return pseudonym

    def move(self, customer_id: str, new_id: str, *, by: str | None = None) -> Moved:
        """Give all the portal holds about a customer to another id, and end the old link.

        For a customer that the host has merged into another, or renumbered. Tokens, messages,
        notes, e-mails and audit trail are those of ``new_id`` from now on, in one transaction;
        audited there, with the old id. What waits to be sent goes to the address of ``new_id``.

        The link of ``new_id`` goes on as it is. Where ``new_id`` never had a token, that of the
        old id counts: staff's revoke stays in force, so that `TokenService.ensure` refuses, and
        after any other end it issues a new one. Repeating it moves and writes nothing. Remove
        or block the old customer in the host first, or the next `ensure` issues it a token.

        Args:
            customer_id: the id that is no more; the host need not know it.
            new_id: the id that goes on.
            by: who asks for it.

        Raises:
            InvalidValue: an id breaks its rule, or both are the same.
            CustomerNotFound: the host does not know ``new_id``.
        """
        check_id("customer_id", customer_id)
        check_move(customer_id, new_id)
        who, now = staff_name(by), self._context.now()
        self._context.customer(new_id)

        def work(unit: UnitOfWork) -> Moved:
            latest = unit.tokens.latest([customer_id]).get(customer_id)
            ended = unit.tokens.end(
                [latest.id] if latest else [], at=now, by=who, how=EndedAs.REPLACED
            )
            moved = Moved(
                unit.tokens.move_customer(customer_id, new_id),
                unit.messages.move_customer(customer_id, new_id),
                unit.mails.move_customer(customer_id, new_id),
                unit.audit.move_customer(customer_id, new_id),
            )
            # Under the new id at once: what the host is told is what stands in the trail.
            unit.audit.append(
                [
                    AuditEntry(now, AuditEvent.ENDED, who, new_id, token.id, Cause.REPLACED)
                    for token in ended
                ]
            )
            if any(attrs.astuple(moved)):
                detail = f"from: {customer_id!r}"[:DETAIL_LIMIT]
                unit.audit.append([AuditEntry(now, AuditEvent.MOVED, who, new_id, detail=detail)])
            return moved

        return self._context.transact(work, lock=[customer_id, new_id])

    def prune(
        self,
        *,
        audit_before: dt.datetime | None = None,
        tokens_before: dt.datetime | None = None,
        mails_before: dt.datetime | None = None,
        messages_before: dt.datetime | None = None,
        by: str | None = None,
    ) -> Pruned:
        """Forget what is old: audit entries, ended tokens, settled e-mails, messages and notes.

        A customer's latest token stays, however old: it says whether staff revoked its access.
        So do e-mails that still wait, and what a customer wrote and nobody has read. A run of
        which e-mails are forgotten may mail their customers again. Works in transactions of at
        most 1,000; repeating it is harmless. Audited.

        Args:
            audit_before: entries older than this instant go; none where None.
            tokens_before: tokens that were replaced or revoked before this instant go.
            mails_before: e-mails that were sent, or given up, before this instant go.
            messages_before: messages and internal notes written before this instant go.
            by: who asks for it.

        Raises:
            InvalidValue: an instant is not aware or less than a day ago.
        """
        who, now = staff_name(by), self._context.now()
        instants = {
            "audit_before": audit_before,
            "tokens_before": tokens_before,
            "mails_before": mails_before,
            "messages_before": messages_before,
        }
        due = {name: _past(name, one, now) for name, one in instants.items() if one is not None}
        if not due:
            return Pruned(0, 0)
        detail = "\n".join(f"{name}: {one.isoformat()}" for name, one in due.items())
        self._context.transact(
            lambda unit: unit.audit.append([AuditEntry(now, AuditEvent.PRUNED, who, detail=detail)])
        )
        return Pruned(
            self._prune(due.get("audit_before"), lambda unit: unit.audit),
            self._prune(due.get("tokens_before"), lambda unit: unit.tokens),
            self._prune(due.get("mails_before"), lambda unit: unit.mails),
            self._prune(due.get("messages_before"), lambda unit: unit.messages),
        )

    def _prune(
        self,
        before: dt.datetime | None,
        part: Callable[[UnitOfWork], _Pruning],
    ) -> int:
        pruned, more = 0, before is not None
        while more and before is not None:
            found = self._context.transact(lambda unit: part(unit).prune(before, limit=_PIECE))
            pruned, more = pruned + found, found == _PIECE
        return pruned


def _past(name: str, instant: object, now: dt.datetime) -> dt.datetime:
    found = check_instant(name, instant)
    if found > now - _YOUNGEST:
        raise InvalidValue.of(name, instant, "must be at least a day ago")
    return found


def _whole(page: Callable[..., Any], customer_id: str, key: Callable[[Any], Any]) -> list[Any]:
    """All of a list that comes newest first, oldest first."""
    found: list[Any] = []
    after = None
    while piece := page(customer_id, after=after, limit=_PIECE):
        found += piece
        after = key(piece[-1])
    return found[::-1]


def _whole_trail(unit: UnitOfWork, customer_id: str) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    after = None
    while piece := unit.audit.page(customer_id=customer_id, after=after, limit=_PIECE):
        found += [entry for _, entry in piece]
        after = piece[-1][0]
    return found[::-1]
