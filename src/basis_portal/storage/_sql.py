"""What the SQL storages share: columns in a fixed order, and rows made of records and back.

Instants are whole microseconds since 1970 in UTC, days ISO text, amounts whole
ten-thousandths: exact, ordered as the values are, and never a float. What a row holds was
checked when it was stored, so records are made of it without checking it again.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from enum import Enum
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ..domain.audit import AuditEntry, AuditEvent, Cause
from ..domain.checks import check_instant, is_storable, trusted
from ..domain.config import DEFAULT_SETTINGS, PortalConfig, StoredSettings
from ..domain.customers import Customer
from ..domain.documents import Document, DocumentKind, DocumentLine, DocumentStatus
from ..domain.ledger import Allocation, EntryKind, LedgerEntry
from ..domain.mail import Mail, MailKind, MailStatus
from ..domain.messages import Author, InternalNote, Message
from ..domain.money import from_units, to_units
from ..domain.portal_token import EndedAs, PortalToken
from ..errors import StorageError
from ..repositories import Opening

E = TypeVar("E", bound=Enum)
R = TypeVar("R", bound="SQLRepository")
P = ParamSpec("P")
T = TypeVar("T")
Row = tuple[Any, ...]
Values = Sequence[Any] | Mapping[str, Any]

SETTINGS = "config, version, changed_at, changed_by"
TOKEN = (
    "id, customer_id, issued_at, issued_by, expires_at, ended_at, ended_by, ended_as, reason, "
    "replaces, key_fingerprint"
)
MESSAGE = "id, customer_id, at, author, text, made_by, document_id, read_at, idempotency_key"
NOTE = "id, customer_id, at, made_by, text, document_id"
MAIL = (
    "id, kind, queued_at, due_at, status, customer_id, made_by, run, about, attempts, "
    "claimed_at, settled_at, token_id, address, problem"
)
AUDIT = "at, event, made_by, customer_id, token_id, cause, detail"
CUSTOMER = "id, name, email, number, language, blocked"
DOCUMENT = (
    "id, customer_id, kind, status, number, date, currency, total, due_date, net, tax, "
    "reference, order_number, lines, pay_url"
)
ENTRY = "id, customer_id, currency, date, kind, units, due_date, document_id, number, reference"
ALLOCATION = "id, customer_id, debit_id, credit_id, units, date"


class Database(Protocol):
    """What the repositories ask of a database; statements are in the words of SQLite.

    Whatever the database says is raised as `StorageError`.
    """

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """All rows."""
        ...

    def each(self, make: Callable[..., T], sql: str, values: Values = ()) -> list[T]:
        """What ``make`` makes of the columns of each row."""
        ...

    def one(self, make: Callable[..., T], sql: str, values: Values = ()) -> T | None:
        """What ``make`` makes of the one row, or None where there is none."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Let the reads of this thread all see one committed instant: the present one."""
        ...

    def write(self, work: Callable[[], T]) -> T:
        """Run ``work``, perhaps again, in a transaction; within one as a part undone alone."""
        ...

    def alone(self, what: str) -> None:
        """Until the transaction ends nobody else of the tenant has the same ``what`` to itself."""
        ...

    def run(self, sql: str, values: Values = ()) -> int:
        """Run one statement within `write` and return how many rows it changed."""
        ...

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of ``values`` within `write`."""
        ...

    def insert(self, table: str, columns: str, values: Sequence[Row]) -> None:
        """Add rows within `write`."""
        ...

    def is_taken(self, error: StorageError) -> bool:
        """True where a unique index refused a row."""
        ...


class SQLRepository:
    """The rows of one tenant in a database."""

    def __init__(self, database: Database, tenant: str) -> None:
        self._database = database
        self._tenant = tenant


def atomic(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """Make a method of a repository all or nothing, alone or as part of a transaction."""

    @wraps(method)
    def whole(self: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.write(lambda: method(self, *args, **kwargs))

    return whole


def prefixed(table: str, columns: str) -> str:
    """The columns with the name of their table in front."""
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


def marks(columns: str) -> str:
    """As many question marks as there are columns."""
    return ", ".join("?" * len(columns.split(", ")))


def assignments(columns: str) -> str:
    """What an upsert sets: every column but the id, to the new value."""
    _, *others = columns.split(", ")
    return ", ".join(f"{column} = excluded.{column}" for column in others)


def not_for_opening(instead: str) -> StorageError:
    """What a storage over the host's own connection says where a link is to be opened."""
    return StorageError(
        "a storage over the host's own connection does not open links: its transaction may see an "
        f"earlier instant, at which a revoked token was good; give the portal that opens links "
        f"{instead}"
    )


# --- values -------------------------------------------------------------------------------

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_day = dt.date.fromisoformat


def to_micros(instant: dt.datetime) -> int:
    """Whole microseconds since 1970 in UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def micros_of(field: str, value: object) -> int:
    """Microseconds of an instant a caller gave; `InvalidValue` where it is none."""
    return to_micros(check_instant(field, value))


def length_of(span: dt.timedelta) -> int:
    """A span of time in whole microseconds."""
    return span // _MICROSECOND


def to_instant(micros: int) -> dt.datetime:
    """The instant so many microseconds after 1970, in UTC."""
    return _EPOCH + dt.timedelta(0, 0, micros)


def _optional_micros(instant: dt.datetime | None) -> int | None:
    return None if instant is None else to_micros(instant)


def _optional_instant(micros: int | None) -> dt.datetime | None:
    return None if micros is None else to_instant(micros)


def _optional_text(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _optional_day(text: str | None) -> dt.date | None:
    return None if text is None else _day(text)


def _optional_units(amount: Decimal | None) -> Units | None:
    return None if amount is None else _bound(amount)


def _optional_amount(units: int | None) -> Decimal | None:
    return None if units is None else from_units(units)


_HALF = 1_000_000_000
HALVES = f"sum({{0}} / {_HALF}), sum({{0}} % {_HALF})"
"""Two sums that no 64 bits overflow at, where one sum would at ten of the largest amounts."""


class Units(int):
    """Ten-thousandths on their way into a column of amounts, which need not hold them as such."""


def _bound(amount: Decimal) -> Units:
    return Units(to_units(amount))


def from_halves(high: int, low: int) -> Decimal:
    """The amount of what `HALVES` summed up."""
    return from_units(high * _HALF + low)


def wanted(text: object) -> str | None:
    """Text to look for; what cannot be stored is NULL, which equals nothing."""
    if isinstance(text, str) and is_storable(text):
        return text
    return None


def id_list(ids: Iterable[object]) -> str:
    """Ids to look for as one JSON parameter, each once."""
    return json.dumps(sorted({one for one in map(wanted, ids) if one is not None}))


def folded(text: str | None) -> str | None:
    """What searches compare."""
    return None if text is None else text.casefold()


def _by_value(kind: type[E]) -> Mapping[Any, E]:
    return {member.value: member for member in kind}


_ENDED_AS: Mapping[str | None, EndedAs | None] = {None: None, **_by_value(EndedAs)}
_CAUSES: Mapping[str | None, Cause | None] = {None: None, **_by_value(Cause)}
_EVENTS = _by_value(AuditEvent)
_AUTHORS = _by_value(Author)
_MAIL_KINDS = _by_value(MailKind)
_MAIL_STATUSES = _by_value(MailStatus)
_DOCUMENT_KINDS = _by_value(DocumentKind)
_DOCUMENT_STATUSES = _by_value(DocumentStatus)
_ENTRY_KINDS = _by_value(EntryKind)


# --- the portal's own state ---------------------------------------------------------------


def settings_row(settings: StoredSettings) -> Row:
    """The values of `SETTINGS`."""
    config = json.dumps(settings.config.to_dict())
    changed_at = _optional_micros(settings.changed_at)
    return (config, settings.version, changed_at, settings.changed_by)


@lru_cache(maxsize=16)
def to_settings(
    config: str, version: int, changed_at: int | None, changed_by: str | None
) -> StoredSettings:
    """The settings of a row; the same for the same values, since they cannot be altered."""
    parsed = PortalConfig.from_dict(json.loads(config))
    return StoredSettings(parsed, version, _optional_instant(changed_at), changed_by)


def token_row(token: PortalToken) -> Row:
    """The values of `TOKEN`."""
    return (
        token.id,
        token.customer_id,
        to_micros(token.issued_at),
        token.issued_by,
        to_micros(token.expires_at),
        _optional_micros(token.ended_at),
        token.ended_by,
        None if token.ended_as is None else token.ended_as.value,
        token.reason,
        token.replaces,
        token.key_fingerprint,
    )


def to_token(
    id: str,
    customer_id: str,
    issued_at: int,
    issued_by: str,
    expires_at: int,
    ended_at: int | None,
    ended_by: str | None,
    ended_as: str | None,
    reason: str | None,
    replaces: str | None,
    key_fingerprint: str,
) -> PortalToken:
    """The token of a row."""
    return trusted(
        PortalToken,
        id=id,
        customer_id=customer_id,
        issued_at=to_instant(issued_at),
        issued_by=issued_by,
        expires_at=to_instant(expires_at),
        ended_at=None if ended_at is None else to_instant(ended_at),
        ended_by=ended_by,
        ended_as=_ENDED_AS[ended_as],
        reason=reason,
        replaces=replaces,
        key_fingerprint=key_fingerprint,
    )


def message_row(message: Message) -> Row:
    """The values of `MESSAGE`."""
    return (
        message.id,
        message.customer_id,
        to_micros(message.at),
        message.author.value,
        message.text,
        message.by,
        message.document_id,
        _optional_micros(message.read_at),
        message.idempotency_key,
    )


def to_message(
    id: str,
    customer_id: str,
    at: int,
    author: str,
    text: str,
    by: str | None,
    document_id: str | None,
    read_at: int | None,
    idempotency_key: str | None,
) -> Message:
    """The message of a row."""
    return trusted(
        Message,
        id=id,
        customer_id=customer_id,
        at=to_instant(at),
        author=_AUTHORS[author],
        text=text,
        by=by,
        document_id=document_id,
        read_at=_optional_instant(read_at),
        idempotency_key=idempotency_key,
    )


def note_row(note: InternalNote) -> Row:
    """The values of `NOTE`."""
    return (note.id, note.customer_id, to_micros(note.at), note.by, note.text, note.document_id)


def to_note(
    id: str, customer_id: str, at: int, by: str, text: str, document_id: str | None
) -> InternalNote:
    """The note of a row."""
    return trusted(
        InternalNote,
        id=id,
        customer_id=customer_id,
        at=to_instant(at),
        by=by,
        text=text,
        document_id=document_id,
    )


def mail_row(mail: Mail) -> Row:
    """The values of `MAIL`. No run is the empty one, since NULL equals nothing."""
    return (
        mail.id,
        mail.kind.value,
        to_micros(mail.queued_at),
        to_micros(mail.due_at),
        mail.status.value,
        mail.customer_id,
        mail.by,
        mail.run or "",
        mail.about,
        mail.attempts,
        _optional_micros(mail.claimed_at),
        _optional_micros(mail.settled_at),
        mail.token_id,
        mail.address,
        mail.problem,
    )


def to_mail(
    id: str,
    kind: str,
    queued_at: int,
    due_at: int,
    status: str,
    customer_id: str | None,
    by: str | None,
    run: str,
    about: str | None,
    attempts: int,
    claimed_at: int | None,
    settled_at: int | None,
    token_id: str | None,
    address: str | None,
    problem: str | None,
) -> Mail:
    """The e-mail of a row."""
    return trusted(
        Mail,
        id=id,
        kind=_MAIL_KINDS[kind],
        queued_at=to_instant(queued_at),
        due_at=to_instant(due_at),
        status=_MAIL_STATUSES[status],
        customer_id=customer_id,
        by=by,
        run=run or None,
        about=about,
        attempts=attempts,
        claimed_at=_optional_instant(claimed_at),
        settled_at=_optional_instant(settled_at),
        token_id=token_id,
        address=address,
        problem=problem,
    )


def to_mail_status(status: str, count: int) -> tuple[MailStatus, int]:
    """A status and how many e-mails have it."""
    return _MAIL_STATUSES[status], int(count)


def audit_row(entry: AuditEntry) -> Row:
    """The values of `AUDIT`."""
    return (
        to_micros(entry.at),
        entry.event.value,
        entry.by,
        entry.customer_id,
        entry.token_id,
        None if entry.cause is None else entry.cause.value,
        entry.detail,
    )


def to_audit_entry(
    at: int,
    event: str,
    by: str | None,
    customer_id: str | None,
    token_id: str | None,
    cause: str | None,
    detail: str | None,
) -> AuditEntry:
    """The audit entry of a row."""
    return trusted(
        AuditEntry,
        at=to_instant(at),
        event=_EVENTS[event],
        by=by,
        customer_id=customer_id,
        token_id=token_id,
        cause=_CAUSES[cause],
        detail=detail,
    )


# --- customers and documents --------------------------------------------------------------


def customer_row(customer: Customer) -> Row:
    """The values of `CUSTOMER`."""
    return (
        customer.id,
        customer.name,
        customer.email,
        customer.number,
        customer.language,
        customer.blocked,
    )


def to_customer(
    id: str,
    name: str,
    email: str | None,
    number: str | None,
    language: str | None,
    blocked: int,
) -> Customer:
    """The customer of a row."""
    return trusted(
        Customer,
        id=id,
        name=name,
        email=email,
        number=number,
        language=language,
        blocked=bool(blocked),
    )


def document_row(document: Document) -> Row:
    """The values of `DOCUMENT`."""
    return (
        document.id,
        document.customer_id,
        document.kind.value,
        document.status.value,
        document.number,
        document.date.isoformat(),
        document.currency,
        _bound(document.total),
        _optional_text(document.due_date),
        _optional_units(document.net),
        _optional_units(document.tax),
        document.reference,
        document.order_number,
        json.dumps([_line_values(line) for line in document.lines]),
        document.pay_url,
    )


def _line_values(line: DocumentLine) -> list[str | None]:
    numbers = (line.quantity, line.unit_price, line.tax, line.amount)
    return [line.description, *(None if n is None else str(n) for n in numbers)]


def _to_line(
    description: str,
    quantity: str | None,
    unit_price: str | None,
    tax: str | None,
    amount: str | None,
) -> DocumentLine:
    return trusted(
        DocumentLine,
        description=description,
        quantity=None if quantity is None else Decimal(quantity),
        unit_price=None if unit_price is None else Decimal(unit_price),
        tax=None if tax is None else Decimal(tax),
        amount=None if amount is None else Decimal(amount),
    )


def to_document(
    id: str,
    customer_id: str,
    kind: str,
    status: str,
    number: str,
    date: str,
    currency: str,
    total: int,
    due_date: str | None,
    net: int | None,
    tax: int | None,
    reference: str | None,
    order_number: str | None,
    lines: str,
    pay_url: str | None,
) -> Document:
    """The document of a row."""
    return trusted(
        Document,
        id=id,
        customer_id=customer_id,
        kind=_DOCUMENT_KINDS[kind],
        status=_DOCUMENT_STATUSES[status],
        number=number,
        date=_day(date),
        currency=currency,
        total=from_units(total),
        due_date=_optional_day(due_date),
        net=_optional_amount(net),
        tax=_optional_amount(tax),
        reference=reference,
        order_number=order_number,
        lines=tuple(_to_line(*line) for line in json.loads(lines)),
        pay_url=pay_url,
    )


# --- ledger -------------------------------------------------------------------------------


def entry_row(entry: LedgerEntry) -> Row:
    """The values of `ENTRY`."""
    return (
        entry.id,
        entry.customer_id,
        entry.currency,
        entry.date.isoformat(),
        entry.kind.value,
        _bound(entry.amount),
        _optional_text(entry.due_date),
        entry.document_id,
        entry.number,
        entry.reference,
    )


def to_entry(
    id: str,
    customer_id: str,
    currency: str,
    date: str,
    kind: str,
    units: int,
    due_date: str | None,
    document_id: str | None,
    number: str | None,
    reference: str | None,
) -> LedgerEntry:
    """The ledger entry of a row."""
    # As `trusted` does, in half the time: a long statement makes a hundred thousand of these.
    made = LedgerEntry.__new__(LedgerEntry)
    fields = made.__dict__
    fields["id"] = id
    fields["customer_id"] = customer_id
    fields["currency"] = currency
    fields["date"] = _day(date)
    fields["kind"] = _ENTRY_KINDS[kind]
    fields["amount"] = from_units(units)
    fields["due_date"] = None if due_date is None else _day(due_date)
    fields["document_id"] = document_id
    fields["number"] = number
    fields["reference"] = reference
    return made


def allocation_row(allocation: Allocation) -> Row:
    """The values of `ALLOCATION`."""
    return (
        allocation.id,
        allocation.customer_id,
        allocation.debit_id,
        allocation.credit_id,
        _bound(allocation.amount),
        allocation.date.isoformat(),
    )


def to_allocation(
    id: str, customer_id: str, debit_id: str, credit_id: str, units: int, date: str
) -> Allocation:
    """The allocation of a row."""
    return trusted(
        Allocation,
        id=id,
        customer_id=customer_id,
        debit_id=debit_id,
        credit_id=credit_id,
        amount=from_units(units),
        date=_day(date),
    )


# --- opening a link -----------------------------------------------------------------------


# One row even where there are neither settings nor a token.
OPENING = f"""
    SELECT {prefixed("settings", SETTINGS)}, {prefixed("tokens", TOKEN)},
           opened_at, {prefixed("customers", CUSTOMER)}
    FROM (SELECT ? AS tenant, ? AS token_id) AS asked
    LEFT JOIN settings ON settings.tenant = asked.tenant
    LEFT JOIN tokens ON tokens.tenant = asked.tenant AND tokens.id = asked.token_id
    LEFT JOIN customers ON customers.tenant = asked.tenant AND customers.id = tokens.customer_id
"""


def to_opening(*columns: Any) -> Opening:
    """What `OPENING` finds, each part where it is there."""
    settings, token, opened_at, customer = columns[:4], columns[4:15], columns[15], columns[16:]
    return Opening(
        settings=DEFAULT_SETTINGS if settings[0] is None else to_settings(*settings),
        token=None if token[0] is None else to_token(*token),
        customer=None if customer[0] is None else to_customer(*customer),
        opened_at=None if opened_at is None else to_instant(opened_at),
    )
