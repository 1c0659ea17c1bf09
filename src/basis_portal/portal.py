"""`Portal`: wires storage, repositories, keys and clock to the use cases. No logic of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Literal

import attrs

from .access import PortalAccess
from .admission import admit_preview, open_link
from .audit_trail import AuditTrail
from .clock import Clock, system_clock
from .context import Context, check_base_url, check_timezone, staff_name
from .domain.aging import DEFAULT_EDGES, check_edges
from .domain.audit import AuditEntry, AuditEvent
from .domain.checks import check_member
from .domain.gate import Edition
from .domain.ledger import AllocationRule
from .domain.visibility import DocumentVisibility
from .errors import InvalidValue
from .events import OnEvent, check_on_event
from .inbox import Inbox
from .links import FormSigner, LinkSigner
from .mailing import Mailing, RunReport
from .monitoring import Monitoring
from .outgoing import MailSkip, Outgoing
from .privacy import Privacy
from .repositories import (
    CustomerRepository,
    DocumentRepository,
    LedgerRepository,
    Storage,
    UnitOfWork,
)
from .settings import SettingsService
from .tokens import IssueResult, LinkCheck, Outcome, Skipped, TokenService, rarely

# With what a portal gives, which pages name from here.
__all__ = [
    "IssueResult",
    "LinkCheck",
    "MailSkip",
    "Mailing",
    "Outcome",
    "Outgoing",
    "Portal",
    "PortalAccess",
    "RunReport",
    "Skipped",
]


class Portal:
    """The customer portal of one seller.

    Args:
        storage: keeps the portal's state; one of ours or a host's own.
        secret_keys: sign the links, oldest first; the newest (last) signs, all verify. Each
            has at least 32 bytes.
        base_url: the address links begin with; https, or http for loopback.
        edition: the host's edition, or a callable read at each use.
        feature_enabled: the host's feature switch, or a callable read at each use.
        clock: gives the present instant as an aware datetime in UTC.
        timezone: IANA name of the seller's time zone; gives "today".
        customers: the host's customers; those of the storage where None.
        documents: the host's documents; those of the storage where None.
        ledger: the host's ledger; that of the storage where None.
        visibility: narrows what customers see; it can hide, never show.
        allocation_rule: FIFO for hosts whose ledger has no allocations.
        aging_edges: last days of the aging buckets, rising.
        on_event: called with each line of the audit trail once it is committed; what it
            raises is logged and breaks nothing.

    Attributes:
        settings: the settings, for staff.
        tokens: the tokens and links, for staff.
        messages: the customers' messages, for staff.
        audit: what happened, for staff.
        privacy: export, erasure and move of a customer.
        monitoring: health and counters, for the host's monitoring.
        forms: the hidden values of forms, for pages.
        customers: the customer repository in use.
        documents: the document repository in use.
        ledger: the ledger repository in use.

    Raises:
        InvalidValue: an argument breaks its rule; no key is ever repeated.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        secret_keys: Sequence[str | bytes],
        base_url: str,
        edition: Edition | Callable[[], Edition] = Edition.SERVER,
        feature_enabled: bool | Callable[[], bool] = True,
        clock: Clock = system_clock,
        timezone: str = "UTC",
        customers: CustomerRepository | None = None,
        documents: DocumentRepository | None = None,
        ledger: LedgerRepository | None = None,
        visibility: DocumentVisibility | None = None,
        allocation_rule: AllocationRule = AllocationRule.EXPLICIT,
        aging_edges: Sequence[int] = DEFAULT_EDGES,
        on_event: OnEvent | None = None,
    ) -> None:
        if not callable(clock):
            raise InvalidValue.of("clock", clock, "must be a callable giving an aware datetime")
        if not callable(edition):
            check_member("edition", edition, Edition)
        if not callable(feature_enabled):
            check_member("feature_enabled", feature_enabled, bool)
        policy = DocumentVisibility() if visibility is None else visibility
        self._context = Context(
            storage=storage,
            customers=_given(customers, storage, "customers"),
            documents=_given(documents, storage, "documents"),
            ledger=_given(ledger, storage, "ledger"),
            storage_has_customers=customers is None,
            links=LinkSigner(secret_keys, storage.tenant),
            base_url=check_base_url(base_url),
            clock=clock,
            timezone=check_timezone(timezone),
            edition=edition,
            feature_enabled=feature_enabled,
            visibility=check_member("visibility", policy, DocumentVisibility),
            allocation_rule=check_member("allocation_rule", allocation_rule, AllocationRule),
            aging_edges=check_edges(aging_edges),
            on_event=check_on_event(on_event),
        )
        self.settings: SettingsService = SettingsService(self._context)
        self.tokens: TokenService = TokenService(self._context)
        self.messages: Inbox = Inbox(self._context)
        self.mailing: Mailing = Mailing(self._context)
        self.audit: AuditTrail = AuditTrail(self._context)
        self.privacy: Privacy = Privacy(self._context)
        self.monitoring: Monitoring = Monitoring(self._context)
        self.forms: FormSigner = FormSigner(secret_keys, storage.tenant)
        self.customers: CustomerRepository = self._context.customers
        self.documents: DocumentRepository = self._context.documents
        self.ledger: LedgerRepository = self._context.ledger

    def __repr__(self) -> str:
        return f"<Portal at {self._context.base_url} of tenant {self._context.storage.tenant!r}>"

    @property
    def base_url(self) -> str:
        """The address links begin with, without a final slash."""
        return self._context.base_url

    @property
    def timezone(self) -> dt.tzinfo:
        """The seller's time zone."""
        return self._context.timezone

    def available(self) -> bool:
        """True where edition and feature switch give the portal, be it on or off."""
        return self._context.gate_is_open()

    def unavailable_because(self) -> Literal["edition", "feature"] | None:
        """What gives no portal, the edition before the feature; None where it is available."""
        if self.available():
            return None
        with_feature = attrs.evolve(self._context, feature_enabled=True)
        return "feature" if with_feature.gate_is_open() else "edition"

    def now(self) -> dt.datetime:
        """The present instant, UTC."""
        return self._context.now()

    def today(self) -> dt.date:
        """The seller's date now."""
        return self._context.today(self._context.now())

    def open(self, text: str, *, record: bool = True) -> PortalAccess:
        """Open a link by the text after ``base_url``.

        Args:
            text: the last part of the link, as it came.
            record: False does not count as opened (prefetch, HEAD).

        Raises:
            PortalNotAvailable: edition, feature or master switch is off, whatever the token.
            AccessDenied: the link opens nothing; one error for every cause.
            StorageError: the storage cannot be read.
        """
        admitted = open_link(self._context, text, record=record)
        return PortalAccess.by_token(self._context, admitted, record=record)

    def preview(self, customer_id: str, *, by: str | None = None) -> PortalAccess:
        """A read-only access for staff: no token needed, also with the master switch off.

        Audited as previewed, at most once an hour per customer and member of staff; it
        never counts as opened.

        Raises:
            CustomerNotFound, CustomerBlocked: there is nothing the customer would see.
            PortalNotAvailable: edition or feature does not give the portal.
            InvalidValue: an argument breaks its rule.
        """
        admitted, who = admit_preview(self._context, customer_id), staff_name(by)

        def work(unit: UnitOfWork) -> None:
            if rarely(unit, AuditEvent.PREVIEWED, customer_id, who, admitted.now):
                unit.audit.append(
                    [AuditEntry(admitted.now, AuditEvent.PREVIEWED, who, customer_id)]
                )

        self._context.transact(work, lock=[customer_id])
        return PortalAccess.by_preview(self._context, admitted)


def _given(repository: Any, storage: Any, name: str) -> Any:
    """The host's repository, or the storage's own."""
    found = getattr(storage, name, None) if repository is None else repository
    if found is None:
        raise InvalidValue(f"{name} must be given: this storage keeps none of its own", field=name)
    return found
