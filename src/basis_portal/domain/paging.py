"""Pages by key: an opaque cursor names the last item seen, never an offset."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import attrs

from ..errors import InvalidValue
from .checks import check_instant, check_whole_number, is_storable

T = TypeVar("T")
U = TypeVar("U")

PAGE_LIMIT = 200
_CURSOR_LIMIT = 20_000


@attrs.define(frozen=True)
class Page(Generic[T]):
    """Some items of a list, and where to go on.

    Attributes:
        items: the items of this page, in the list's order.
        next: an opaque text to hand back as ``after=``, or None on the last page.
    """

    items: tuple[T, ...]
    next: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def check_limit(limit: object) -> int:
    """Return ``limit`` if a page can be that long: 1 to 200 items."""
    return check_whole_number("limit", limit, 1, PAGE_LIMIT)


def make_page(found: Sequence[T], limit: int, key: Callable[[T], Sequence[str | int]]) -> Page[T]:
    """A page of ``limit`` items out of ``found``, which was asked for one more than that."""
    items = tuple(found[:limit])
    return Page(items, write_cursor(*key(items[-1])) if len(found) > limit else None)


def write_cursor(*key: str | int) -> str:
    """The opaque text of a key."""
    text = json.dumps(key, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: object, *kinds: type) -> tuple[str | int, ...] | None:
    """The key a cursor was made of, each part of its kind; None for None.

    Raises `InvalidValue` where the text is none that `write_cursor` gave.
    """
    if cursor is None:
        return None
    try:
        if not isinstance(cursor, str) or len(cursor) > _CURSOR_LIMIT:
            raise ValueError
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded.encode("ascii"), b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _not_a_cursor(cursor) from None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise _not_a_cursor(cursor)
    if not all(map(_storable, key)):
        raise _not_a_cursor(cursor)
    return tuple(key)


def _storable(part: str | int) -> bool:
    """False for what no storage can compare with: NUL, lone surrogates, beyond 64 bits."""
    if isinstance(part, int):
        return abs(part) < 2**63
    return is_storable(part)


def instant_key(cursor: str | None) -> tuple[dt.datetime, str] | None:
    """The instant and the id a cursor was made of. Raises as `read_cursor`."""
    key = read_cursor(cursor, str, str)
    if key is None:
        return None
    try:
        return check_instant("after", dt.datetime.fromisoformat(str(key[0]))), str(key[1])
    except (ValueError, OverflowError):
        raise _not_a_cursor(cursor) from None


def day_key(cursor: str | None) -> tuple[dt.date, str] | None:
    """The date and the id a cursor was made of. Raises as `read_cursor`."""
    key = read_cursor(cursor, str, str)
    if key is None:
        return None
    try:
        return dt.date.fromisoformat(str(key[0])), str(key[1])
    except ValueError:
        raise _not_a_cursor(cursor) from None


def _not_a_cursor(cursor: object) -> InvalidValue:
    return InvalidValue.of("after", cursor, "must be the next= of an earlier page")
