"""Use cases: hand a customer's data out, and forget the customer. They work in every edition."""

from __future__ import annotations

from typing import Any

from .context import Context, staff_name
from .domain.audit import AuditEntry, AuditEvent, Cause
from .domain.checks import check_id
from .domain.jsonable import to_jsonable
from .domain.portal_token import EndedAs
from .repositories import UnitOfWork

_PIECE = 1000


class Privacy:
    """Export and erasure of what the portal holds about a customer (GDPR articles 15 and 17).

    The host's own records, kept by the host or by our storage on its behalf, are not part
    of it: invoices are kept as long as the law wants.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def export(self, customer_id: str, *, by: str | None = None) -> dict[str, Any]:
        """All the portal holds about a customer, as a dict that JSON can hold; audited.

        Keys: ``customer_id``, ``exported_at``, ``tokens``, ``messages``, ``notes`` and
        ``audit``, each oldest first. Raises `InvalidValue`.
        """
        check_id("customer_id", customer_id)
        who, now = staff_name(by), self._context.now()

        def work(unit: UnitOfWork) -> dict[str, Any]:
            found = {
                "customer_id": customer_id,
                "exported_at": now,
                "tokens": list(unit.tokens.history(customer_id)),
                "messages": _all_messages(unit, customer_id),
                "notes": list(unit.messages.notes(customer_id)),
                "audit": _whole_trail(unit, customer_id),
            }
            unit.audit.append([AuditEntry(now, AuditEvent.EXPORTED, who, customer_id)])
            return found

        exported: dict[str, Any] = to_jsonable(
            self._context.storage.transact(work, lock=[customer_id])
        )
        return exported

    def erase(self, customer_id: str, *, by: str | None = None) -> str:
        """Forget a customer and return the random pseudonym that stands for it from now on.

        Ends its token, removes its messages and the notes on it, empties the reasons in
        tokens and trail, and replaces its id there; audited under the pseudonym. It cannot
        be undone. Remove or block the customer in the host first: for whoever is still among
        its customers the next `TokenService.ensure` issues a token, as for one who never had
        any. Raises `InvalidValue`.
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
                unit.audit.append(
                    [AuditEntry(now, AuditEvent.ENDED, who, customer_id, token.id, Cause.REVOKED)]
                )
            unit.tokens.rename_customer(customer_id, pseudonym)
            unit.messages.erase(customer_id)
            unit.audit.rename_customer(customer_id, pseudonym)
            unit.audit.append([AuditEntry(now, AuditEvent.ERASED, who, pseudonym)])

        self._context.storage.transact(work, lock=[customer_id, pseudonym])
        return pseudonym


def _all_messages(unit: UnitOfWork, customer_id: str) -> list[Any]:
    found: list[Any] = []
    after = None
    while piece := unit.messages.page(customer_id, after=after, limit=_PIECE):
        found += piece
        after = (piece[-1].at, piece[-1].id)
    return found[::-1]


def _whole_trail(unit: UnitOfWork, customer_id: str) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    after = None
    while piece := unit.audit.page(customer_id=customer_id, after=after, limit=_PIECE):
        found += [entry for _, entry in piece]
        after = piece[-1][0]
    return found[::-1]
