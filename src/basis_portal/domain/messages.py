"""Messages between a customer and staff, and the notes staff keep for themselves."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from .checks import (
    IS_ID,
    IS_INSTANT,
    OPTIONAL_ID,
    OPTIONAL_INSTANT,
    check_lines,
    check_text,
    checked,
    in_utc,
    is_member,
    optional_in_utc,
    plain_text,
)
from .portal_token import check_staff

MESSAGE_LIMIT = 2000
MESSAGES_AN_HOUR = 20
_PASTED = str.maketrans({"\t": " ", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"})


class Author(StrEnum):
    """Who wrote a message; it comes from the access, never from a form."""

    CUSTOMER = "customer"
    SELLER = "seller"


def message_text(value: str) -> str:
    """A converter: as `plain_text`, with tabs as spaces and all line breaks as LF."""
    if isinstance(value, str):
        return plain_text(value.translate(_PASTED))
    return value


def check_message(field: str, value: object) -> str:
    """Return ``value`` if it can be a message: 1 to 2,000 characters of plain text."""
    return check_lines(field, value, limit=MESSAGE_LIMIT, least=1)


@attrs.define(frozen=True, slots=False)
class Message:
    """What a customer wrote to staff, or staff to a customer.

    Attributes:
        id: our id.
        customer_id: whose thread it is in.
        at: instant it was written, UTC.
        author: customer or seller.
        text: plain text, 1 to 2,000 characters, line breaks as LF.
        by: the member of staff who wrote it, None for a customer. Customers never see it.
        document_id: the document it is about, or None.
        read_at: instant staff marked it as read, UTC, or None.
        idempotency_key: of the form it came from, unique per customer, or None.
    """

    id: str = attrs.field(validator=IS_ID)
    customer_id: str = attrs.field(validator=IS_ID)
    at: datetime = attrs.field(converter=in_utc, validator=IS_INSTANT)
    author: Author = attrs.field(validator=is_member(Author))
    text: str = attrs.field(converter=message_text, validator=checked(check_message))
    by: str | None = attrs.field(default=None, validator=checked(check_staff, optional=True))
    document_id: str | None = attrs.field(default=None, validator=OPTIONAL_ID)
    read_at: datetime | None = attrs.field(
        default=None, converter=optional_in_utc, validator=OPTIONAL_INSTANT
    )
    idempotency_key: str | None = attrs.field(
        default=None, validator=checked(check_text, limit=255, optional=True)
    )


@attrs.define(frozen=True, slots=False)
class InternalNote:
    """What staff keep for themselves; no customer ever sees it.

    A type of its own, in a place of its own, so that no query for messages can return it.
    """

    id: str = attrs.field(validator=IS_ID)
    customer_id: str = attrs.field(validator=IS_ID)
    at: datetime = attrs.field(converter=in_utc, validator=IS_INSTANT)
    by: str = attrs.field(validator=checked(check_staff))
    text: str = attrs.field(converter=message_text, validator=checked(check_message))
    document_id: str | None = attrs.field(default=None, validator=OPTIONAL_ID)


@attrs.define(frozen=True)
class CustomerMessage:
    """A message as the customer sees it: no login of staff, no read mark.

    Attributes:
        id: our id.
        at: instant it was written, UTC.
        author: customer ("You") or seller.
        text: plain text.
        document_id: the document it is about, or None.
    """

    id: str
    at: datetime
    author: Author
    text: str
    document_id: str | None = None

    @classmethod
    def of(cls, message: Message) -> CustomerMessage:
        """What the customer may see of ``message``."""
        return cls(message.id, message.at, message.author, message.text, message.document_id)
