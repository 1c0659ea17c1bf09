"""Values are checked where they are made; a refusal names the field, the rule and the value."""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import EntryKind, InvalidValue
from basis_portal.domain import checks
from basis_portal.domain.config import check_expiry_days
from basis_portal.domain.messages import check_message
from basis_portal.domain.money import check_amount
from basis_portal.domain.paging import check_limit
from basis_portal.domain.portal_token import check_reason, check_staff, check_token_id
from basis_portal.errors import shown
from basis_portal.testing.builders import NOW
from basis_portal.testing.strategies import dates, ids, instants, multi_line_texts, one_line_texts

NAIVE = NOW.replace(tzinfo=None)
UNSTORABLE = ["\0", "a\0b", "\ud800", "x\udfffy"]
CONTROLS = ["\x00", "\x01", "\t", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\ud800"]
ALL_CHECKS: list[Callable[[str, Any], object]] = [
    checks.check_text,
    checks.check_id,
    lambda field, value: checks.check_line(field, value, limit=20),
    lambda field, value: checks.check_lines(field, value, limit=20),
    lambda field, value: checks.check_whole_number(field, value, 1, 365),
    checks.check_day,
    checks.check_instant,
    checks.check_currency,
    lambda field, value: checks.check_member(field, value, EntryKind),
    lambda field, value: checks.check_member(field, value, bool),
    check_amount,
    check_expiry_days,
    check_message,
    check_reason,
    check_staff,
    check_token_id,
]


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


@given(st.sampled_from(ALL_CHECKS), st.binary() | st.tuples(st.text()) | st.complex_numbers())
def test_every_refusal_names_its_field(check: Callable[[str, Any], object], value: object) -> None:
    """Whatever a check refuses, the error is an InvalidValue that names the field."""
    with pytest.raises(InvalidValue, match=r"^Thing\.field must ") as refused:
        check("Thing.field", value)
    assert refused.value.field == "Thing.field"


@pytest.mark.parametrize("check", ALL_CHECKS)
@pytest.mark.parametrize(
    "value",
    ["x" * 10**7, b"x" * 10**7, ["x"] * 10**5, 10**5000, _Unprintable(), {"k": "v" * 10**6}],
    ids=["text", "bytes", "list", "int", "unprintable", "dict"],
)
def test_a_message_is_never_huge(check: Callable[[str, Any], object], value: object) -> None:
    """Ten megabytes are refused in a line, and so is what cannot even be shown."""
    with pytest.raises(InvalidValue, match=r"^field must") as refused:
        check("field", value)
    assert len(str(refused.value)) < 400


def test_a_class_checks_its_fields() -> None:
    """Each refusal names class and field; what may be left out, or is text, has its bounds."""

    @attrs.define
    class Thing:
        text: Any = attrs.field(default="a", validator=checks.is_text(3))
        long: Any = attrs.field(default="a", validator=checks.is_text(least=0))
        note: Any = attrs.field(default=None, validator=checks.optional_text(3))
        tale: Any = attrs.field(default=None, validator=checks.optional_text())
        kind: Any = attrs.field(default=EntryKind.INVOICE, validator=checks.is_member(EntryKind))
        side: Any = attrs.field(default=None, validator=checks.is_member(EntryKind, optional=True))
        line: Any = attrs.field(default="a", validator=checks.checked(checks.check_line, limit=2))
        flag: Any = attrs.field(default=True, validator=checks.checked(checks.check_member, bool))

    right = Thing("abc", "", "", "x" * 1000, EntryKind.REFUND, EntryKind.REFUND, "ab", False)
    assert attrs.evolve(right, text="x") != right
    assert attrs.evolve(right, long="x" * 1000, note=None, tale="", side=None) != right
    wrong = [
        *(("text", ""), ("text", "abcd"), ("text", None), ("long", "x" * 1001), ("long", None)),
        *(("note", "abcd"), ("note", 5), ("tale", "x" * 1001), ("kind", None), ("kind", "refund")),
        *(("side", "refund"), ("line", "abc"), ("line", "a\n"), ("line", None), ("flag", 1)),
    ]
    for field, value in wrong:
        with pytest.raises(InvalidValue, match=rf"^Thing\.{field} ") as refused:
            attrs.evolve(right, **{field: value})
        assert refused.value.field == f"Thing.{field}"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (" acme", "must not begin or end with a space, not ' acme'"),
        ("acme ", "must not begin or end with a space, not 'acme '"),
        ("", "must have 1 to 255 characters, not 0"),
        ("x" * 256, "must have 1 to 255 characters, not 256"),
        ("a\nb", "contains a character that is not allowed: U+000A (position 2)"),
        (5, "must be text, not 5"),
    ],
    ids=["before", "after", "empty", "long", "lines", "number"],
)
def test_a_tenant_is_a_line_without_space_around_it(value: Any, rule: str) -> None:
    """The refusal names the argument, the rule and what breaks it."""
    assert checks.check_tenant("acme & co") == "acme & co"
    assert checks.check_tenant("x" * 255) == "x" * 255
    with pytest.raises(InvalidValue) as refused:
        checks.check_tenant(value)
    assert (str(refused.value), refused.value.field) == (f"tenant {rule}", "tenant")


def test_a_customer_moves_to_another_id() -> None:
    """Any other id will do; the refusal names the argument, the rule and the value."""
    assert checks.check_move("C-1001", "C-2001") == "C-2001"
    for value, rule in (
        ("C-1001", "must be another id than the present one, not 'C-1001'"),
        ("", "must have 1 to 255 characters, not 0"),
    ):
        with pytest.raises(InvalidValue) as refused:
            checks.check_move("C-1001", value)
        assert str(refused.value) == f"new_id {rule}"
        assert refused.value.field == "new_id"


@given(ids())
def test_ids_are_any_text_of_the_host(value: str) -> None:
    """An id of 1 to 255 characters of anything but NUL and lone surrogates is an id."""
    assert checks.check_id("id", value) is value


@pytest.mark.parametrize("value", ["", "x" * 256, *UNSTORABLE])
def test_what_no_database_can_hold_is_no_id(value: str) -> None:
    """An empty id, one of 256 characters, NUL and lone surrogates are refused."""
    with pytest.raises(InvalidValue, match=r"^Customer.id "):
        checks.check_id("Customer.id", value)


def test_a_refused_character_is_named_with_its_place() -> None:
    """The message names the character by its code point and where it stands."""
    with pytest.raises(InvalidValue, match=re.escape("U+0000 (position 3)")):
        checks.check_text("name", "ab\0")
    with pytest.raises(InvalidValue, match=re.escape("U+D800 (position 1)")):
        checks.check_text("name", "\ud800")


def test_a_wrong_length_is_named_with_the_bounds() -> None:
    """The message says how long the text is and how long it may be."""
    with pytest.raises(InvalidValue, match=r"^name must have 1 to 3 characters, not 4$"):
        checks.check_text("name", "abcd", limit=3)
    assert checks.check_text("name", "abc", limit=3) == "abc"
    assert checks.check_text("name", "", least=0) == ""


@given(one_line_texts(80), multi_line_texts(80))
def test_lines_are_free_of_control_characters(line: str, lines: str) -> None:
    """A line has no control character; several lines have line breaks alone."""
    assert checks.check_line("by", line, limit=80) is line
    assert checks.check_lines("text", lines, limit=80) is lines


@pytest.mark.parametrize("character", CONTROLS)
def test_control_characters_are_refused(character: str) -> None:
    """Tabs, escapes, C1 controls and Unicode line separators are refused in plain text."""
    for check in (checks.check_line, checks.check_lines):
        with pytest.raises(InvalidValue, match=f"U\\+{ord(character):04X}"):
            check("text", f"a{character}b", limit=10)
        assert check("text", "aéb 😀", limit=10)


def test_a_line_break_is_refused_in_a_line_alone() -> None:
    """LF may stand in a text of several lines, not in a single line; CR in neither."""
    assert checks.check_lines("text", "a\nb", limit=10) == "a\nb"
    with pytest.raises(InvalidValue, match=r"U\+000A"):
        checks.check_line("by", "a\nb", limit=10)
    with pytest.raises(InvalidValue, match=r"U\+000D"):
        checks.check_lines("text", "a\rb", limit=10)


@given(st.text())
def test_plain_text_has_one_kind_of_line_break(text: str) -> None:
    """Converted text has no CR and no blank ends, and converting it again changes nothing."""
    plain = checks.plain_text(text)
    assert "\r" not in plain
    assert plain == plain.strip() == checks.plain_text(plain)


def test_crlf_and_cr_become_lf() -> None:
    """CRLF, CR and LF are each one line break; what is no text is left to be refused."""
    assert checks.plain_text(" a\r\nb\rc\nd\r\n") == "a\nb\nc\nd"
    assert checks.plain_text(7) == 7  # type: ignore[arg-type, comparison-overlap]


@pytest.mark.parametrize("value", [True, False, 1.0, "1", 0, 366, None, float("nan"), Decimal(1)])
def test_whole_numbers_are_ints_in_range(value: object) -> None:
    """Bools, floats, text and numbers out of range are no whole numbers from 1 to 365."""
    with pytest.raises(InvalidValue) as refused:
        checks.check_whole_number("days", value, 1, 365)
    assert str(refused.value) == f"days must be a whole number from 1 to 365, not {value!r}"


@given(st.integers(1, 365))
def test_whole_numbers_in_range_are_accepted(value: int) -> None:
    """Each whole number of the range comes back, both ends included."""
    assert checks.check_whole_number("days", value, 1, 365) == value


@given(dates())
def test_days_are_dates(day: dt.date) -> None:
    """A date is a day, from the first to the last there is."""
    assert checks.check_day("date", day) is day


@pytest.mark.parametrize(
    "value", [NAIVE, dt.datetime(2025, 1, 15, tzinfo=dt.UTC), "2025-01-15", None]
)
def test_an_instant_is_no_day(value: object) -> None:
    """A datetime is refused where a day is due, although Python calls it a date."""
    with pytest.raises(InvalidValue) as refused:
        checks.check_day("date", value)
    assert str(refused.value) == f"date must be a date without a time, not {value!r}"


@given(instants(), st.integers(-23, 23))
def test_instants_come_back_in_utc(instant: dt.datetime, hours: int) -> None:
    """An instant of any zone comes back as the same instant in UTC, or is out of range."""
    zone = dt.timezone(dt.timedelta(hours=hours))
    local = instant.replace(tzinfo=zone)
    converted = checks.in_utc(local)
    try:
        found = checks.check_instant("at", local)
    except InvalidValue:
        assert local.year in (1, 9999)
        assert converted is local
    else:
        assert found == local == converted
        assert found.tzinfo is converted.tzinfo is dt.UTC


@pytest.mark.parametrize("value", [NAIVE, dt.date(2025, 1, 15), "now", 0, None])
def test_a_naive_time_is_no_instant(value: object) -> None:
    """A datetime without a time zone, a date, text and numbers are no instants."""
    with pytest.raises(InvalidValue) as refused:
        checks.check_instant("at", value)
    assert str(refused.value) == f"at must be a datetime with a time zone, not {value!r}"
    assert checks.in_utc(value) is value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-1))),
    ],
)
def test_an_instant_beyond_the_calendar_is_refused(value: dt.datetime) -> None:
    """What has no date in UTC is refused like any other value, not by an overflow."""
    with pytest.raises(InvalidValue) as refused:
        checks.check_instant("at", value)
    assert str(refused.value) == f"at must be within the years 1 to 9999 in UTC, not {shown(value)}"


def test_no_instant_may_be_none_where_it_is_optional() -> None:
    """None passes the converter of an optional instant."""
    assert checks.optional_in_utc(None) is None
    noon = dt.datetime(2025, 1, 15, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert checks.optional_in_utc(noon) == dt.datetime(2025, 1, 15, 11, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "value", ["", "eur", "EU", "EURO", "E R", "ÉUR", "EUR\n", "123", 978, None]
)
def test_a_currency_is_three_capitals(value: object) -> None:
    """Anything but three capital letters A to Z is no currency code."""
    with pytest.raises(InvalidValue) as refused:
        checks.check_currency("currency", value)
    rule = "must be a currency code of three capital letters"
    assert str(refused.value) == f"currency {rule}, not {value!r}"
    assert checks.check_currency("currency", "EUR") == "EUR"


def test_a_member_is_no_text_that_looks_like_it() -> None:
    """The value of an enum is refused; the message names the members there are."""
    with pytest.raises(InvalidValue, match=r"EntryKind\.INVOICE, .*, not 'invoice'$"):
        checks.check_member("kind", "invoice", EntryKind)
    assert checks.check_member("kind", EntryKind.INVOICE, EntryKind) is EntryKind.INVOICE


def test_a_switch_is_a_bool() -> None:
    """1, "on" and None are no switches."""
    for value in (1, "on", None):
        with pytest.raises(InvalidValue, match=r"^enabled must be a bool, not "):
            checks.check_member("enabled", value, bool)


def test_few_of_many_values_are_shown() -> None:
    """A message shows the first few of many values and counts the rest."""
    assert checks.shown_few(["a", "b"]) == "'a', 'b'"
    assert checks.shown_few(range(5)) == "0, 1, 2, 3, 4"
    assert checks.shown_few(range(7)) == "0, 1, 2, 3, 4 and 2 more"


def test_page_limits_are_1_to_200() -> None:
    """A page has 1 to 200 items."""
    assert [check_limit(1), check_limit(200)] == [1, 200]
    for limit in (0, 201, -1, True, "50", None):
        with pytest.raises(InvalidValue, match=r"^limit must be a whole number from 1 to 200"):
            check_limit(limit)


async def _awaited(*_: object) -> None:
    """What gives nothing but a promise."""


async def _asked(*_: object) -> Any:
    yield 1


class _Awaited:
    async def __call__(self, *_: object) -> None:
        """As above."""

    async def method(self, *_: object) -> None:
        """As above."""

    def plain(self, *_: object) -> None:
        """What does its work at once."""


@pytest.mark.parametrize(
    "function",
    [
        _awaited,
        _asked,
        _Awaited(),
        _Awaited().method,
        partial(_awaited, 1),
        partial(partial(_Awaited(), 1), 2),
    ],
)
def test_what_is_async_is_seen(function: Any) -> None:
    """Whatever is called, or put around it."""
    assert checks.is_async(function)


@pytest.mark.parametrize("function", [print, _Awaited().plain, _Awaited, partial(print), None, 7])
def test_what_is_not_async_is_seen(function: Any) -> None:
    """Neither a plain callable, nor a class, nor what cannot be called."""
    assert not checks.is_async(function)
