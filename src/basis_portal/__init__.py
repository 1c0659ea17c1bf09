"""A secure link, no login: each customer's own invoices and a statement that adds up."""

from .access import Overview, PortalAccess
from .audit_trail import AuditTrail
from .clock import Clock, system_clock
from .domain.aging import Aging, AgingBucket
from .domain.allocation import AppliedPart, OpenItem
from .domain.audit import AuditEntry, AuditEvent, Cause
from .domain.config import PortalConfig, StoredSettings
from .domain.customers import Customer
from .domain.documents import (
    Document,
    DocumentFile,
    DocumentKind,
    DocumentLine,
    DocumentStatus,
)
from .domain.gate import Edition
from .domain.jsonable import to_jsonable
from .domain.ledger import Allocation, AllocationRule, EntryKind, LedgerEntry
from .domain.mail import LINK_KINDS, Mail, MailKind, MailStatus, check_same_mail
from .domain.messages import Author, CustomerMessage, InternalNote, Message
from .domain.money import format_amount
from .domain.paging import Page
from .domain.periods import Period, PeriodName, named_period
from .domain.portal_token import EndedAs, PortalToken, TokenStatus
from .domain.seller import Seller
from .domain.settlements import Settlements
from .domain.statement import (
    CurrencyStatement,
    StatementLine,
    StatementOfAccount,
    StatementPage,
)
from .domain.summary import AccountSummary, CurrencySummary, NextDue, Payment
from .domain.views import (
    AppliedItem,
    DocumentDetail,
    DocumentState,
    DocumentView,
    OpenPart,
    StateCode,
    Tone,
    document_state,
    open_item_state,
)
from .domain.visibility import DocumentVisibility, Section
from .errors import (
    AccessDenied,
    AccessRevoked,
    ActiveTokenExists,
    CustomerBlocked,
    CustomerNotFound,
    DocumentNotFound,
    InvalidValue,
    LedgerError,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
    NoActiveToken,
    NoMailAddress,
    PortalError,
    PortalNotAvailable,
    SectionHidden,
    SettingsConflict,
    StorageError,
    TokenChanged,
    TooManyMails,
    TooManyMessages,
)
from .inbox import Inbox
from .links import FormSigner, key_fingerprint
from .monitoring import Counters, Health, Monitoring
from .portal import Portal
from .privacy import Moved, Privacy, Pruned
from .settings import SettingsService
from .tokens import IssueResult, LinkCheck, Outcome, Skipped, TokenService

__all__ = [
    "LINK_KINDS",
    "AccessDenied",
    "AccessRevoked",
    "AccountSummary",
    "ActiveTokenExists",
    "Aging",
    "AgingBucket",
    "Allocation",
    "AllocationRule",
    "AppliedItem",
    "AppliedPart",
    "AuditEntry",
    "AuditEvent",
    "AuditTrail",
    "Author",
    "Cause",
    "Clock",
    "Counters",
    "CurrencyStatement",
    "CurrencySummary",
    "Customer",
    "CustomerBlocked",
    "CustomerMessage",
    "CustomerNotFound",
    "Document",
    "DocumentDetail",
    "DocumentFile",
    "DocumentKind",
    "DocumentLine",
    "DocumentNotFound",
    "DocumentState",
    "DocumentStatus",
    "DocumentView",
    "DocumentVisibility",
    "Edition",
    "EndedAs",
    "EntryKind",
    "FormSigner",
    "Health",
    "Inbox",
    "InternalNote",
    "InvalidValue",
    "IssueResult",
    "LedgerEntry",
    "LedgerError",
    "LinkCheck",
    "Mail",
    "MailError",
    "MailKind",
    "MailOutcomeUnknown",
    "MailRefused",
    "MailServerUnavailable",
    "MailStatus",
    "Message",
    "Monitoring",
    "Moved",
    "NextDue",
    "NoActiveToken",
    "NoMailAddress",
    "OpenItem",
    "OpenPart",
    "Outcome",
    "Overview",
    "Page",
    "Payment",
    "Period",
    "PeriodName",
    "Portal",
    "PortalAccess",
    "PortalConfig",
    "PortalError",
    "PortalNotAvailable",
    "PortalToken",
    "Privacy",
    "Pruned",
    "Section",
    "SectionHidden",
    "Seller",
    "SettingsConflict",
    "SettingsService",
    "Settlements",
    "Skipped",
    "StateCode",
    "StatementLine",
    "StatementOfAccount",
    "StatementPage",
    "StorageError",
    "StoredSettings",
    "TokenChanged",
    "TokenService",
    "TokenStatus",
    "Tone",
    "TooManyMails",
    "TooManyMessages",
    "check_same_mail",
    "document_state",
    "format_amount",
    "key_fingerprint",
    "named_period",
    "open_item_state",
    "system_clock",
    "to_jsonable",
]
