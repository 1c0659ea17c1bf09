"""Periods people ask for by name, over month ends and leap years."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import InvalidValue, Period, PeriodName, named_period
from basis_portal.testing.builders import NOW

DAYS = st.dates(dt.date(3, 1, 1), dt.date(9999, 12, 31))
NAIVE = NOW.replace(tzinfo=None)
ONE_DAY = dt.timedelta(days=1)


@given(st.sampled_from(PeriodName), DAYS)
def test_a_period_ends_today_or_with_last_month(name: PeriodName, today: dt.date) -> None:
    """All periods end today but last month, which ends on the day before this month."""
    period = named_period(name, today)
    assert period.start <= period.end
    if name is PeriodName.LAST_MONTH:
        assert period.end + ONE_DAY == today.replace(day=1)
        assert period.start == period.end.replace(day=1)
    else:
        assert period.end == today


@given(DAYS)
def test_a_period_begins_on_a_first(today: dt.date) -> None:
    """Month, quarter, year and default begin on the first of the right month."""
    starts = {name: named_period(name, today).start for name in PeriodName}
    months = today.year * 12 + today.month - 1
    back = {
        PeriodName.THIS_MONTH: 0,
        PeriodName.THIS_QUARTER: (today.month - 1) % 3,
        PeriodName.THIS_YEAR: today.month - 1,
        PeriodName.LAST_MONTH: 1,
        PeriodName.DEFAULT: 2,
    }
    for name, count in back.items():
        year, month = divmod(months - count, 12)
        assert starts[name] == dt.date(year, month + 1, 1)


@given(DAYS)
def test_twelve_months_join(today: dt.date) -> None:
    """The last 12 months begin on the day after today's day of the year before."""
    period = named_period(PeriodName.LAST_12_MONTHS, today)
    leap_day = (today.month, today.day) == (2, 29)
    before = today.replace(year=today.year - 1, day=28 if leap_day else today.day)
    assert period.start == before + ONE_DAY
    assert 365 <= (period.end - period.start).days + 1 <= 366


@pytest.mark.parametrize(
    ("name", "today", "start", "end"),
    [
        ("this_month", "2025-03-31", "2025-03-01", "2025-03-31"),
        ("this_month", "2025-03-01", "2025-03-01", "2025-03-01"),
        ("last_month", "2025-03-31", "2025-02-01", "2025-02-28"),
        ("last_month", "2024-03-31", "2024-02-01", "2024-02-29"),
        ("last_month", "2025-01-31", "2024-12-01", "2024-12-31"),
        ("last_month", "2100-03-01", "2100-02-01", "2100-02-28"),
        ("this_quarter", "2025-03-31", "2025-01-01", "2025-03-31"),
        ("this_quarter", "2025-04-01", "2025-04-01", "2025-04-01"),
        ("this_quarter", "2025-12-31", "2025-10-01", "2025-12-31"),
        ("this_year", "2024-02-29", "2024-01-01", "2024-02-29"),
        ("last_12_months", "2024-02-29", "2023-03-01", "2024-02-29"),
        ("last_12_months", "2025-02-28", "2024-02-29", "2025-02-28"),
        ("last_12_months", "2025-04-14", "2024-04-15", "2025-04-14"),
        ("default", "2025-04-14", "2025-02-01", "2025-04-14"),
        ("default", "2025-01-31", "2024-11-01", "2025-01-31"),
        ("default", "2025-04-30", "2025-02-01", "2025-04-30"),
    ],
)
def test_periods_by_name(name: str, today: str, start: str, end: str) -> None:
    """Month ends, leap days and the turn of the year are where a calendar has them."""
    period = named_period(PeriodName(name), dt.date.fromisoformat(today))
    assert (period.start.isoformat(), period.end.isoformat()) == (start, end)


def test_a_period_may_be_a_day() -> None:
    """Start and end may be the same day; a start after the end is refused."""
    day = dt.date(2025, 1, 15)
    assert Period(day, day).start == day
    with pytest.raises(InvalidValue, match="2025-01-16 is after 2025-01-15") as refused:
        Period(day + ONE_DAY, day)
    assert refused.value.field == "start"


@pytest.mark.parametrize("value", [None, "2025-01-15", NAIVE])
def test_ends_of_a_period_are_dates(value: Any) -> None:
    """What is no date is no end of a period, and is not today."""
    day = dt.date(2025, 1, 15)
    with pytest.raises(InvalidValue, match=r"^start must be a date"):
        Period(value, day)
    with pytest.raises(InvalidValue, match=r"^end must be a date"):
        Period(day, value)
    with pytest.raises(InvalidValue, match=r"^today must be a date"):
        named_period(PeriodName.DEFAULT, value)


def test_a_period_is_named_by_a_member() -> None:
    """A text is no name of a period; the refusal tells those there are."""
    with pytest.raises(InvalidValue, match=r"^name must be one of PeriodName\.THIS_MONTH, "):
        named_period("this_month", dt.date(2025, 1, 15))  # type: ignore[arg-type]
