"""Hypothesis strategies for every value of the domain, made by the domain's own classes.

They aim at the edges: ids with ``/``, ``#``, spaces, emoji and of full length, amounts of
zero and of the largest kind, days and instants from the first to the last there is.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..domain.audit import DETAIL_LIMIT, AuditEntry, AuditEvent, Cause
from ..domain.checks import ID_LIMIT, TEXT_LIMIT
from ..domain.config import EXPIRY_DAYS, WELCOME_LIMIT, PortalConfig, StoredSettings
from ..domain.customers import Customer
from ..domain.documents import Document, DocumentKind, DocumentLine, DocumentStatus
from ..domain.ledger import Allocation, EntryKind, LedgerEntry
from ..domain.mail import (
    ADDRESS_LIMIT,
    MOST_ATTEMPTS,
    PROBLEM_LIMIT,
    SETTLED,
    Mail,
    MailKind,
    MailStatus,
)
from ..domain.messages import MESSAGE_LIMIT, Author, InternalNote, Message
from ..domain.money import AMOUNT_LIMIT, from_units, to_units
from ..domain.portal_token import NAME_LIMIT, REASON_LIMIT, EndedAs, PortalToken

T = TypeVar("T")

LARGEST_AMOUNT = AMOUNT_LIMIT - Decimal("0.0001")
FIRST_INSTANT = dt.datetime.min.replace(tzinfo=dt.UTC)
LAST_INSTANT = dt.datetime.max.replace(tzinfo=dt.UTC)
_LAST_ISSUE = LAST_INSTANT - dt.timedelta(days=EXPIRY_DAYS[1])
ODD_IDS = (
    "C-1001",
    "c-1001",
    "a/b#c?d=e&f%2F..",
    " two  spaces ",
    "O'Neil\"; --",
    "100%_",
    "line\nbreak",
    "Straße",
    "é",
    "e\u0301",  # the same to the eye, another id
    "\uff5e",
    "😀",
    "北京/№ 7",
    "😀" * ID_LIMIT,
    "x" * ID_LIMIT,
)

_STORABLE = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_ONE_LINE = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
_LINES = st.lists(st.text(_ONE_LINE, max_size=7), min_size=2, max_size=3).map("\n".join)


def optional(values: SearchStrategy[T]) -> SearchStrategy[T | None]:
    """None, or one of ``values``."""
    return st.none() | values


# --- plain values -------------------------------------------------------------------------


def ids() -> SearchStrategy[str]:
    """Ids as hosts have them, from ``"1"`` to 255 characters of anything but NUL."""
    return st.sampled_from(ODD_IDS) | _text_of(_STORABLE, ID_LIMIT)


def texts(limit: int = TEXT_LIMIT, *, least: int = 1) -> SearchStrategy[str]:
    """Text of a host: any character but NUL, at most ``limit`` of them."""
    return _text_of(_STORABLE, limit, least)


def one_line_texts(limit: int = NAME_LIMIT, *, least: int = 1) -> SearchStrategy[str]:
    """Text without control characters, such as a name of staff or a reason."""
    return _text_of(_ONE_LINE, limit, least)


def multi_line_texts(limit: int, *, least: int = 0) -> SearchStrategy[str]:
    """Plain text as people type it into a form; not blank where ``least`` is above 0."""
    found = _text_of(_ONE_LINE, limit, least) | _LINES
    return found.filter(lambda text: len(text) <= limit and len(text.strip()) >= least)


def _text_of(alphabet: SearchStrategy[str], limit: int, least: int = 1) -> SearchStrategy[str]:
    # Drawing a thousand characters one by one is slow; a full-length text repeats one, which
    # prints as itself: hypothesis warns where an example takes too long to print.
    short = st.text(alphabet, min_size=least, max_size=min(limit, 24))
    full = st.sampled_from("xé北😀").map(lambda character: character * limit)
    return st.one_of(short, short, short, full)


def currencies() -> SearchStrategy[str]:
    """Currency codes: mostly a few common ones, else any three letters."""
    return st.sampled_from(("EUR", "USD", "JPY", "AAA", "ZZZ")) | st.text(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3
    )


def dates() -> SearchStrategy[dt.date]:
    """Days, from the first to the last there is."""
    near = st.dates(dt.date(2024, 2, 20), dt.date(2025, 3, 5))
    return st.one_of(near, near, st.dates(), st.sampled_from((dt.date.min, dt.date.max)))


def instants(
    first: dt.datetime = FIRST_INSTANT, last: dt.datetime = LAST_INSTANT
) -> SearchStrategy[dt.datetime]:
    """Instants in UTC, with and without a fraction of a second."""
    bounds = (bound.astimezone(dt.UTC).replace(tzinfo=None) for bound in (first, last))
    exact = st.datetimes(*bounds, timezones=st.just(dt.UTC))
    return exact | exact.map(lambda instant: instant.replace(microsecond=0))


def amounts(*, signed: bool = False, above_zero: bool = False) -> SearchStrategy[Decimal]:
    """Amounts of at most 4 decimals below 10^14: prices, parts of a cent, 0 and the largest."""
    largest = to_units(LARGEST_AMOUNT)
    least = -largest if signed else int(above_zero)
    units = st.one_of(
        st.integers(1, 100_000).map(lambda cents: cents * 100),
        st.integers(least, largest),
        st.sampled_from((least, 1, largest)),
    )
    return units.map(from_units)


def quantities() -> SearchStrategy[Decimal]:
    """Quantities and unit prices: at most 8 decimals, of either sign."""
    largest = 10**22 - 1
    units = st.integers(-(10**12), 10**12) | st.integers(-largest, largest)
    return units.map(lambda number: Decimal(f"{number}E-8"))


def token_ids() -> SearchStrategy[str]:
    """Well-formed token ids."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return st.text(alphabet, min_size=22, max_size=22)


# --- objects of the domain ----------------------------------------------------------------


def configs() -> SearchStrategy[PortalConfig]:
    """Any settings that staff can save."""
    return st.builds(
        PortalConfig,
        enabled=st.booleans(),
        token_expiry_days=st.integers(*EXPIRY_DAYS),
        show_sales_orders=st.booleans(),
        show_credit_notes=st.booleans(),
        show_statement=st.booleans(),
        allow_messages=st.booleans(),
        welcome_message=multi_line_texts(WELCOME_LIMIT),
    )


def stored_settings(version: int = 1) -> SearchStrategy[StoredSettings]:
    """Settings as they are stored under a version."""
    return st.builds(
        StoredSettings,
        config=configs(),
        version=st.just(version),
        changed_at=optional(instants()),
        changed_by=optional(one_line_texts()),
    )


def customers(**fields: Any) -> SearchStrategy[Customer]:
    """Customers; ``fields`` are strategies that replace those of single fields."""
    own: dict[str, SearchStrategy[Any]] = {
        "id": ids(),
        "name": texts(),
        "email": optional(texts(least=0)),
        "number": optional(texts(least=0)),
        "language": optional(st.sampled_from(("de", "pt-BR", ""))),
        "blocked": st.booleans(),
    }
    return st.builds(Customer, **{**own, **fields})


def document_lines() -> SearchStrategy[DocumentLine]:
    """Lines of a document."""
    return st.builds(
        DocumentLine,
        description=texts(4000, least=0),
        quantity=optional(quantities()),
        unit_price=optional(quantities()),
        tax=optional(amounts(signed=True)),
        amount=optional(amounts(signed=True)),
    )


def documents(**fields: Any) -> SearchStrategy[Document]:
    """Documents of any kind and status with up to three lines; ``fields`` as in `customers`."""
    own: dict[str, SearchStrategy[Any]] = {
        "id": ids(),
        "customer_id": ids(),
        "kind": st.sampled_from(DocumentKind),
        "status": st.sampled_from(DocumentStatus),
        "number": texts(),
        "date": dates(),
        "currency": currencies(),
        "total": amounts(signed=True),
        "due_date": optional(dates()),
        "net": optional(amounts(signed=True)),
        "tax": optional(amounts(signed=True)),
        "reference": optional(texts(least=0)),
        "order_number": optional(texts(least=0)),
        "lines": st.lists(document_lines(), max_size=3),
        "pay_url": optional(st.sampled_from(("https://pay.example/1?a=b#c", "https://x.example"))),
    }
    return st.builds(Document, **{**own, **fields})


def entries(**fields: Any) -> SearchStrategy[LedgerEntry]:
    """Single ledger entries; ``fields`` as in `customers`."""
    own: dict[str, SearchStrategy[Any]] = {
        "id": ids(),
        "customer_id": ids(),
        "currency": currencies(),
        "date": dates(),
        "kind": st.sampled_from(EntryKind),
        "amount": amounts(),
        "due_date": optional(dates()),
        "document_id": optional(ids()),
        "number": optional(texts(least=0)),
        "reference": optional(texts(least=0)),
    }
    return st.builds(LedgerEntry, **{**own, **fields})


def allocations(**fields: Any) -> SearchStrategy[Allocation]:
    """Single allocations, of no entries in particular; ``fields`` as in `customers`."""
    own: dict[str, SearchStrategy[Any]] = {
        "id": ids(),
        "customer_id": ids(),
        "debit_id": ids(),
        "credit_id": ids(),
        "amount": amounts(above_zero=True),
        "date": dates(),
    }
    return st.builds(Allocation, **{**own, **fields})


@st.composite
def tokens(draw: st.DrawFn, /, **fields: Any) -> PortalToken:
    """Tokens, current and ended; ``fields`` as in `customers`."""
    issued_at = draw(instants(last=_LAST_ISSUE))
    lifetime = dt.timedelta(days=draw(st.integers(*EXPIRY_DAYS)))
    own: dict[str, SearchStrategy[Any]] = {
        "id": token_ids(),
        "customer_id": ids(),
        "issued_by": one_line_texts(),
        "replaces": optional(token_ids()),
        "key_fingerprint": one_line_texts(64, least=0),
    }
    if draw(st.booleans()):
        own["ended_at"] = instants()
        own["ended_by"] = optional(one_line_texts())
        own["ended_as"] = st.sampled_from(EndedAs)
        own["reason"] = optional(one_line_texts(REASON_LIMIT, least=0))
    values = {name: draw(found) for name, found in {**own, **fields}.items()}
    return PortalToken(**{"issued_at": issued_at, "expires_at": issued_at + lifetime, **values})


def messages(**fields: Any) -> SearchStrategy[Message]:
    """Messages of either side, read and unread; ``fields`` as in `customers`."""
    own: dict[str, SearchStrategy[Any]] = {
        "id": ids(),
        "customer_id": ids(),
        "at": instants(),
        "author": st.sampled_from(Author),
        "text": multi_line_texts(MESSAGE_LIMIT, least=1),
        "by": optional(one_line_texts()),
        "document_id": optional(ids()),
        "read_at": optional(instants()),
        "idempotency_key": optional(texts(255)),
    }
    return st.builds(Message, **{**own, **fields})


def notes(**fields: Any) -> SearchStrategy[InternalNote]:
    """Internal notes; ``fields`` as in `customers`."""
    own: dict[str, SearchStrategy[Any]] = {
        "id": ids(),
        "customer_id": ids(),
        "at": instants(),
        "by": one_line_texts(),
        "text": multi_line_texts(MESSAGE_LIMIT, least=1),
        "document_id": optional(ids()),
    }
    return st.builds(InternalNote, **{**own, **fields})


@st.composite
def mails(draw: st.DrawFn, /, **fields: Any) -> Mail:
    """E-mails of any kind, however far they came; ``fields`` as in `customers`."""
    status = draw(fields.get("status", st.sampled_from(MailStatus)))
    is_sending = status is MailStatus.SENDING
    own: dict[str, SearchStrategy[Any]] = {
        "id": ids(),
        "kind": st.sampled_from(MailKind),
        "queued_at": instants(),
        "due_at": instants(),
        "customer_id": optional(ids()),
        "by": optional(one_line_texts()),
        "run": optional(ids()),
        "about": optional(ids()),
        "attempts": st.integers(0, MOST_ATTEMPTS),
        "claimed_at": instants() if is_sending else optional(instants()),
        "settled_at": instants() if status in SETTLED else st.none(),
        "token_id": optional(token_ids()),
        "address": optional(one_line_texts(ADDRESS_LIMIT)),
        "problem": optional(multi_line_texts(PROBLEM_LIMIT)),
    }
    chosen = {**own, **fields, "status": st.just(status)}
    return Mail(**{name: draw(found) for name, found in chosen.items()})


def audit_entries(**fields: Any) -> SearchStrategy[AuditEntry]:
    """Lines of the audit trail; ``fields`` as in `customers`."""
    own: dict[str, SearchStrategy[Any]] = {
        "at": instants(),
        "event": st.sampled_from(AuditEvent),
        "by": optional(one_line_texts()),
        "customer_id": optional(ids()),
        "token_id": optional(token_ids()),
        "cause": optional(st.sampled_from(Cause)),
        "detail": optional(multi_line_texts(DETAIL_LIMIT)),
    }
    return st.builds(AuditEntry, **{**own, **fields})
