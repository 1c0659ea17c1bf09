"""Field checks shared by the domain's classes, as attrs converters and validators.

Values are checked where they are made, so that an object that exists is right. Each
refusal is an `InvalidValue` naming the field, the rule and the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from enum import Enum
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, TypeVar

import attrs

from ..errors import InvalidValue, shown

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]
T = TypeVar("T")

ID_LIMIT = 255
TEXT_LIMIT = 1000

# Patterns are compiled when first used: the package is light to import.
# NUL cannot be held by PostgreSQL, lone surrogates by nothing that speaks UTF-8.
_UNSTORABLE = "[\x00\ud800-\udfff]"
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
_CONTROL_BUT_LINE_BREAKS = "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
_CURRENCY = re.compile("[A-Z]{3}")


def check_text(
    field: str,
    value: object,
    *,
    limit: int = TEXT_LIMIT,
    least: int = 1,
    refused: str = _UNSTORABLE,
) -> str:
    """Return ``value`` if it is text of such a length, free of the characters ``refused``."""
    if not isinstance(value, str):
        raise InvalidValue.of(field, value, "must be text")
    if not least <= len(value) <= limit:
        raise InvalidValue(
            f"{field} must have {least} to {limit} characters, not {len(value)}", field=field
        )
    if found := re.search(refused, value):
        raise InvalidValue(
            f"{field} contains a character that is not allowed: U+{ord(found.group()):04X} "
            f"(position {found.start() + 1})",
            field=field,
        )
    return value


def is_storable(text: str) -> bool:
    """False for text with NUL or a lone surrogate."""
    return "\0" not in text if text.isascii() else re.search(_UNSTORABLE, text) is None


def check_id(field: str, value: object) -> str:
    """Return ``value`` if it can be an id: text of 1 to 255 characters without NUL."""
    return check_text(field, value, limit=ID_LIMIT)


def check_move(customer_id: str, new_id: object) -> str:
    """Return ``new_id`` if what is a customer's can be moved to it: an id, and another one."""
    found = check_id("new_id", new_id)
    if found == customer_id:
        raise InvalidValue.of("new_id", found, "must be another id than the present one")
    return found


def check_tenant(value: object) -> str:
    """Return ``value`` if it can name a tenant: an id, one line, without space around it."""
    name = check_line("tenant", value, limit=ID_LIMIT)
    if name != name.strip():
        raise InvalidValue.of("tenant", name, "must not begin or end with a space")
    return name


def check_line(field: str, value: object, *, limit: int, least: int = 1) -> str:
    """Return ``value`` if it is one line of text without control characters."""
    return check_text(field, value, limit=limit, least=least, refused=_CONTROL)


def check_lines(field: str, value: object, *, limit: int, least: int = 0) -> str:
    """Return ``value`` if it is text without control characters but line breaks."""
    return check_text(field, value, limit=limit, least=least, refused=_CONTROL_BUT_LINE_BREAKS)


def check_whole_number(field: str, value: object, low: int, high: int) -> int:
    """Return ``value`` if it is an ``int`` (no ``bool``, no float) from ``low`` to ``high``."""
    if type(value) is not int or not low <= value <= high:
        raise InvalidValue.of(field, value, f"must be a whole number from {low} to {high}")
    return value


def check_day(field: str, value: object) -> date:
    """Return ``value`` if it is a calendar date and not an instant."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise InvalidValue.of(field, value, "must be a date without a time")
    return value


def check_instant(field: str, value: object) -> datetime:
    """Return ``value``, an aware datetime, in UTC."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidValue.of(field, value, "must be a datetime with a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue.of(field, value, "must be within the years 1 to 9999 in UTC") from None


def check_currency(field: str, value: object) -> str:
    """Return ``value`` if it has the form of an ISO 4217 code: three capital letters A to Z."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise InvalidValue.of(field, value, "must be a currency code of three capital letters")
    return value


def check_member(field: str, value: object, kind: type[T]) -> T:
    """Return ``value`` if it is of ``kind``, an enum or another class of ours."""
    if not isinstance(value, kind):
        if issubclass(kind, Enum):
            names = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
            raise InvalidValue.of(field, value, f"must be one of {names}")
        raise InvalidValue.of(field, value, f"must be a {kind.__name__}")
    return value


def is_async(function: Any) -> bool:
    """True for what only promises to do its work: a call of it gives something to be awaited.

    Also for an object whose ``__call__`` is async, and for a `functools.partial` of one.
    """
    while isinstance(function, partial):
        function = function.func
    called = (function, type(function).__call__) if callable(function) else ()
    return any(iscoroutinefunction(one) or isasyncgenfunction(one) for one in called)


def shown_few(values: Collection[object], most: int = 5) -> str:
    """The first of ``values`` as a message shows them, and how many more there are."""
    first = ", ".join(shown(value) for value, _ in zip(values, range(most), strict=False))
    return first if len(values) <= most else f"{first} and {len(values) - most} more"


def checked(
    check: Callable[..., object], *args: Any, optional: bool = False, **kwargs: Any
) -> Check:
    """An attrs validator that applies ``check`` to the field, or lets None pass if ``optional``."""

    def validate(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not (optional and value is None):
            check(f"{type(instance).__name__}.{attribute.name}", value, *args, **kwargs)

    return validate


IS_ID = checked(check_id)
IS_DAY = checked(check_day)
IS_INSTANT = checked(check_instant)
IS_CURRENCY = checked(check_currency)
IS_BOOL = checked(check_member, bool)
OPTIONAL_ID = checked(check_id, optional=True)
OPTIONAL_DAY = checked(check_day, optional=True)
OPTIONAL_INSTANT = checked(check_instant, optional=True)


def is_text(limit: int = TEXT_LIMIT, *, least: int = 1) -> Check:
    """A validator: text of the host."""
    return checked(check_text, limit=limit, least=least)


def optional_text(limit: int = TEXT_LIMIT) -> Check:
    """A validator: text of the host, which may be empty, or None."""
    return checked(check_text, limit=limit, least=0, optional=True)


def is_member(kind: type[Any], *, optional: bool = False) -> Check:
    """A validator: a member of an enum, or an object of a class."""
    return checked(check_member, kind, optional=optional)


def in_utc(value: datetime) -> datetime:
    """A converter: an aware instant in UTC; all else is left for the validator to refuse."""
    try:
        return check_instant("instant", value)
    except InvalidValue:
        return value


def optional_in_utc(value: datetime | None) -> datetime | None:
    """A converter as `in_utc` that lets None pass."""
    return None if value is None else in_utc(value)


def plain_text(value: str) -> str:
    """A converter: CRLF and CR become LF, the ends are trimmed. Forms submit what nobody typed."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    return value


def trusted(cls: type[T], **values: Any) -> T:
    """An object of a frozen class from values that were checked when they were stored.

    Checking a hundred thousand ledger entries again at each read costs more than
    fetching them; a storage that reads back what it wrote uses this instead.
    """
    made = cls.__new__(cls)
    made.__dict__.update(values)
    return made
