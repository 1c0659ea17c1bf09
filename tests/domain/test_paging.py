"""Cursors: opaque, exact, and harmless where forged."""

import base64
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from basis_portal import InvalidValue, Page
from basis_portal.domain.paging import (
    day_key,
    instant_key,
    make_page,
    read_cursor,
    write_cursor,
)
from basis_portal.errors import shown
from basis_portal.testing.strategies import ODD_IDS, dates, ids, instants, texts

KEYS = st.tuples(texts(1000).map(str.casefold), st.integers(-(2**63) + 1, 2**63 - 1), ids())


def _forged(text: str | bytes) -> str:
    """What looks like a cursor and holds ``text``."""
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@given(KEYS)
@example(("\x01" * 1000, 0, "😀" * 255))
@example(("ΐ".casefold() * 1000, -(2**63) + 1, "\x01" * 255))
def test_cursors_round_trip(key: tuple[str, int, str]) -> None:
    """A cursor gives back the key it was made of, and is safe to put into a URL."""
    cursor = write_cursor(*key)
    assert read_cursor(cursor, str, int, str) == key
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(instants(), ids())
def test_a_cursor_of_an_instant_round_trips(at: dt.datetime, id: str) -> None:
    """An instant to the microsecond and an id come back from their cursor."""
    assert instant_key(write_cursor(at.isoformat(), id)) == (at, id)


@given(dates(), ids())
def test_a_cursor_of_a_day_round_trips(day: dt.date, id: str) -> None:
    """A day and an id come back from their cursor."""
    assert day_key(write_cursor(day.isoformat(), id)) == (day, id)


@given(st.text() | st.binary() | st.integers() | st.lists(st.text()))
def test_junk_is_refused(junk: Any) -> None:
    """What is no cursor is an InvalidValue in a line, whatever reads it."""
    for read in (lambda c: read_cursor(c, str, str), instant_key, day_key):
        with pytest.raises(InvalidValue, match=r"^after must be the next= of an earlier page, "):
            read(junk)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_forged_json_is_refused(value: Any) -> None:
    """Well-formed JSON of other kinds than the key's is refused."""
    if not (isinstance(value, list) and [type(v) for v in value] == [str, int]):
        with pytest.raises(InvalidValue, match=r"^after "):
            read_cursor(_forged(json.dumps(value)), str, int)


FORGED = {
    "nothing": "",
    "not base64": "!!!!",
    "not ascii": "é" * 8,
    "a lone surrogate": "\ud800",
    "NUL": "\0",
    "a cursor with a blank": write_cursor("2025-01-15", "x") + " ",
    "not JSON": _forged("[1,"),
    "not UTF-8": _forged(b'["\xff", "x"]'),
    "an object": _forged('{"0":"2025-01-15","1":"x"}'),
    "too few parts": _forged('["2025-01-15"]'),
    "too many parts": _forged('["2025-01-15","x","y"]'),
    "wrong kinds": _forged('["2025-01-15",1]'),
    "a null": _forged('["2025-01-15",null]'),
    "a NUL in a key": _forged('["2025-01-15","a\\u0000"]'),
    "a surrogate in a key": _forged('["2025-01-15","\\ud800"]'),
    "a raw surrogate": _forged('["2025-01-15","\ud800"]'),
    "deep nesting": _forged("[" * 14_000),
    "deep nesting, closed": _forged("[" * 7_000 + "]" * 7_000),
    "ten megabytes": "A" * 10**7,
    "ten megabytes of an id": _forged(f'["2025-01-15","{"x" * 10**7}"]'),
    "a list": ["2025-01-15", "x"],
    "bytes": b"WyIyMDI1LTAxLTE1IiwieCJd",
    "a number": 5,
}


@pytest.mark.parametrize("cursor", FORGED.values(), ids=FORGED.keys())
def test_a_forged_cursor_is_refused(cursor: Any) -> None:
    """A forged cursor is an InvalidValue whose message is a line, and the good one is read."""
    assert day_key(write_cursor("2025-01-15", "x")) == (dt.date(2025, 1, 15), "x")
    for read in (lambda c: read_cursor(c, str, str), instant_key, day_key):
        with pytest.raises(InvalidValue, match=r"^after must be the next= of") as refused:
            read(cursor)
        rule = "after must be the next= of an earlier page"
        assert str(refused.value) == f"{rule}, not {shown(cursor)}"
        assert refused.value.field == "after"
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775808", "1" * 5000])
def test_a_number_beyond_64_bits_is_refused(number: str) -> None:
    """No storage can compare with it; the largest of 64 bits is read."""
    assert read_cursor(_forged(f"[{2**63 - 1}]"), int) == (2**63 - 1,)
    with pytest.raises(InvalidValue, match=r"^after "):
        read_cursor(_forged(f"[{number}]"), int)


@pytest.mark.parametrize("text", ["[true]", "[1.0]", "[1e3]", "[NaN]", "[Infinity]", '["1"]'])
def test_only_a_whole_number_is_one(text: str) -> None:
    """Booleans, floats and text are no whole numbers of a key."""
    with pytest.raises(InvalidValue, match=r"^after "):
        read_cursor(_forged(text), int)


@pytest.mark.parametrize(
    "text", ["2025-01-15", "2025-01-15T09:00:00", "yesterday", "", "0001-01-01T00:00:00+23:59"]
)
def test_a_key_without_an_instant_is_refused(text: str) -> None:
    """A day, a time without a zone, and what has no date in UTC are no instants."""
    cursor = write_cursor(text, "x")
    with pytest.raises(InvalidValue, match=f", not '{cursor}'$"):
        instant_key(cursor)


@pytest.mark.parametrize("text", ["2025-02-30", "2025-01-15T09:00:00+00:00", "today", ""])
def test_a_key_without_a_day_is_refused(text: str) -> None:
    """What is no calendar date is no day."""
    cursor = write_cursor(text, "x")
    with pytest.raises(InvalidValue, match=f", not '{cursor}'$"):
        day_key(cursor)


def test_the_longest_cursor_is_read() -> None:
    """20,000 characters are a cursor, more are not looked at."""
    longest, longer = (write_cursor("x" * length) for length in (14_996, 14_997))
    assert len(longest) == 20_000
    assert read_cursor(longest, str) == ("x" * 14_996,)
    with pytest.raises(InvalidValue, match=r"^after must be the next= of"):
        read_cursor(longer, str)


def test_a_cursor_is_short() -> None:
    """It stands in addresses: base64url without padding of a JSON without blanks and escapes."""
    cursor = write_cursor("2025-01-15", "é")
    assert base64.urlsafe_b64decode(cursor + "==") == '["2025-01-15","é"]'.encode()
    assert "=" not in cursor


def test_no_cursor_is_the_first_page() -> None:
    """None stands for the beginning."""
    assert read_cursor(None, str) is None
    assert instant_key(None) is None
    assert day_key(None) is None


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_walk_through_a_list(count: int, limit: int) -> None:
    """Following next= gives each item once, in order, and ends."""
    items, found, after = list(range(count)), [], None
    while True:
        key = read_cursor(after, int)
        rest = items if key is None else items[int(key[0]) + 1 :]
        page = make_page(rest[: limit + 1], limit, lambda item: (item,))
        assert len(page) <= limit
        found += list(page)
        after = page.next
        if after is None:
            break
    assert found == items


def test_the_last_page_has_no_next() -> None:
    """A page that just fits is the last one."""
    assert make_page(["a", "b"], 2, lambda item: (item,)) == Page(("a", "b"), None)
    page = make_page(["a", "b", "c"], 2, lambda item: (item,))
    assert page.items == ("a", "b")
    assert read_cursor(page.next, str) == ("b",)


@pytest.mark.parametrize("id", ODD_IDS)
def test_every_id_can_be_a_cursor(id: str) -> None:
    """Ids that are odd or of full length go into a cursor and come back."""
    assert read_cursor(write_cursor(id), str) == (id,)
