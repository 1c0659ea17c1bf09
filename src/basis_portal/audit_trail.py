"""Use case: staff read the audit trail."""

from __future__ import annotations

from .context import Context
from .domain.audit import AuditEntry
from .domain.checks import check_id
from .domain.paging import Page, check_limit, read_cursor, write_cursor


class AuditTrail:
    """What happened: paged, newest first, of all or of one customer."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(
        self, *, customer_id: str | None = None, after: str | None = None, limit: int = 50
    ) -> Page[AuditEntry]:
        """The entries, newest first.

        Args:
            customer_id: only those that concern this customer.
            after: the ``next`` of an earlier page.
            limit: 1 to 200.

        Raises:
            InvalidValue: an argument breaks its rule.
            PortalNotAvailable: edition or feature does not give the portal.
        """
        self._context.require_management()
        if customer_id is not None:
            check_id("customer_id", customer_id)
        check_limit(limit)
        key = read_cursor(after, int)
        found = self._context.storage.audit.page(
            customer_id=customer_id, after=int(key[0]) if key else None, limit=limit + 1
        )
        items = tuple(entry for _, entry in found[:limit])
        return Page(items, write_cursor(found[limit - 1][0]) if len(found) > limit else None)
