"""What all use cases of one portal share: storage, repositories, keys, gate, clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .clock import Clock
from .domain.audit import SYSTEM
from .domain.checks import check_id, check_instant
from .domain.customers import Customer
from .domain.gate import Edition, gate_open
from .domain.ledger import AllocationRule
from .domain.mail import MailKind
from .domain.portal_token import check_staff
from .domain.visibility import DocumentVisibility
from .errors import CustomerBlocked, CustomerNotFound, InvalidValue, PortalNotAvailable, shown
from .events import OnEvent, Telling
from .links import LinkSigner
from .repositories import (
    CustomerRepository,
    DocumentRepository,
    LedgerRepository,
    Storage,
    SupportsBalances,
    SupportsEntryPages,
    SupportsFileCheck,
    SupportsFiles,
    SupportsIssuedKinds,
    SupportsLookup,
    SupportsOpenItems,
    SupportsYears,
    UnitOfWork,
    supports,
)

if TYPE_CHECKING:
    from logging import Logger

T = TypeVar("T")

HOUR = dt.timedelta(hours=1)
_CAPABILITIES = (
    SupportsBalances,
    SupportsEntryPages,
    SupportsFileCheck,
    SupportsFiles,
    SupportsIssuedKinds,
    SupportsLookup,
    SupportsOpenItems,
    SupportsYears,
)


@attrs.define(frozen=True, slots=False, eq=False)
class Context:
    """What all use cases of one portal share. Its ``repr`` tells no key."""

    storage: Storage
    customers: CustomerRepository
    documents: DocumentRepository
    ledger: LedgerRepository
    storage_has_customers: bool
    links: LinkSigner = attrs.field(repr=False)
    base_url: str
    clock: Clock
    timezone: dt.tzinfo
    edition: Edition | Callable[[], Edition]
    feature_enabled: bool | Callable[[], bool]
    visibility: DocumentVisibility
    allocation_rule: AllocationRule
    aging_edges: tuple[int, ...]
    on_event: OnEvent | None
    notices: set[MailKind] = attrs.field(init=False, factory=set, repr=False)
    document_abilities: frozenset[type] = attrs.field(init=False, repr=False)
    ledger_abilities: frozenset[type] = attrs.field(init=False, repr=False)

    @document_abilities.default
    def _document_abilities(self) -> frozenset[type]:
        return _abilities(self.documents)

    @ledger_abilities.default
    def _ledger_abilities(self) -> frozenset[type]:
        return _abilities(self.ledger)

    def transact(self, work: Callable[[UnitOfWork], T], *, lock: Collection[str] = ()) -> T:
        """As `Storage.transact`; what ``work`` adds to the trail the host is told afterwards."""
        tell = self.on_event
        if tell is None:
            return self.storage.transact(work, lock=lock)
        return self.storage.transact(
            lambda unit: work(Telling(unit, self.storage, tell)), lock=lock
        )

    def now(self) -> dt.datetime:
        """The present instant; read once per use case.

        Raises `InvalidValue` where the clock gives no aware datetime, or fails.
        """
        try:
            now = self.clock()
        except Exception as error:
            raise InvalidValue("clock() must give the present instant, but it failed") from error
        return check_instant("clock()", now)

    def today(self, now: dt.datetime) -> dt.date:
        """The seller's date at an instant."""
        return now.astimezone(self.timezone).date()

    def gate_is_open(self) -> bool:
        """True where edition and feature switch give the portal; a gate that fails is closed."""
        try:
            return gate_open(_value_of(self.edition), _value_of(self.feature_enabled))
        except Exception:
            log().exception("the feature gate failed and counts as closed")
            return False

    def require_management(self) -> None:
        """Refuse staff, with `PortalNotAvailable`, where edition or feature give no portal."""
        if not self.gate_is_open():
            raise PortalNotAvailable(
                "Portal not available: it needs the server or cloud edition with the feature "
                "switched on. Revoking, export and erasure work all the same."
            )

    def customer(self, customer_id: str) -> Customer:
        """The customer of this id, blocked or not.

        Raises `CustomerNotFound`, also where a repository hands out somebody else.
        """
        check_id("customer_id", customer_id)
        customer = self.customers.get(customer_id)
        if not isinstance(customer, Customer) or customer.id != customer_id:
            raise CustomerNotFound(
                f"no customer has the id {shown(customer_id)}", customer_id=customer_id
            )
        return customer

    def welcome_customer(self, customer_id: str) -> Customer:
        """The customer of this id; `CustomerBlocked` where it may not have access."""
        customer = self.customer(customer_id)
        if customer.blocked:
            raise CustomerBlocked(
                f"customer {shown(customer_id)} is blocked and gets no access",
                customer_id=customer_id,
            )
        return customer

    def link(self, token_id: str) -> str:
        """The secret address of a token."""
        return f"{self.base_url}/{self.links.sign(token_id)}"


@cache
def log() -> Logger:
    """Where we log; `logging` is imported when there is something to say."""
    import logging

    return logging.getLogger("basis_portal")


def staff_name(by: str | None) -> str:
    """Who acts: ``by``, or "system" where nobody is named."""
    return SYSTEM if by is None else check_staff("by", by)


def check_base_url(base_url: object) -> str:
    """The address links begin with, without a final slash.

    Raises `InvalidValue` unless it is https (http for loopback only), with a host, and
    without user, query and fragment.
    """
    rule = "must be an https address without query, such as 'https://erp.example.com/portal'"
    text = base_url if isinstance(base_url, str) else ""
    try:
        from urllib.parse import urlsplit

        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidValue.of("base_url", base_url, rule) from None
    known = parts.scheme in ("https", "http") and bool(host)
    if not known or "@" in parts.netloc or any(map(_never_in_address, text)):
        raise InvalidValue.of("base_url", base_url, rule)
    if parts.scheme == "http" and not _is_loopback(str(host)):
        raise InvalidValue.of("base_url", base_url, "must be https; http is for loopback only")
    return text.rstrip("/")


def check_timezone(name: object) -> dt.tzinfo:
    """The time zone of this IANA name, such as ``Europe/Berlin``. Raises `InvalidValue`."""
    if name == "UTC":
        return dt.UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)  # type: ignore[arg-type]
    except Exception:
        raise InvalidValue.of(
            "timezone", name, "must be an IANA time zone such as 'Europe/Berlin'"
        ) from None


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _never_in_address(character: str) -> bool:
    return not "!" <= character <= "~" or character in '?#\\"<>'


def _value_of(given: Any) -> Any:
    return given() if callable(given) else given


def _abilities(repository: object) -> frozenset[type]:
    return frozenset(ability for ability in _CAPABILITIES if supports(repository, ability))
