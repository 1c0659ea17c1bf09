"""Statement periods people ask for by name."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import attrs
from dateutil.relativedelta import relativedelta

from ..errors import InvalidValue
from .checks import check_day, check_member


class PeriodName(StrEnum):
    """A period relative to a day."""

    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    THIS_QUARTER = "this_quarter"
    THIS_YEAR = "this_year"
    LAST_12_MONTHS = "last_12_months"
    DEFAULT = "default"
    """From the first day of the month two months back."""


@attrs.define(frozen=True)
class Period:
    """Some days in a row, both ends included.

    Raises:
        InvalidValue: an end is no date, or start is after end.
    """

    start: dt.date
    end: dt.date

    def __attrs_post_init__(self) -> None:
        check_day("start", self.start)
        check_day("end", self.end)
        if self.start > self.end:
            raise InvalidValue(
                f"start must not be after end: {self.start} is after {self.end}", field="start"
            )


def named_period(name: PeriodName, today: dt.date) -> Period:
    """The period of this name. All end ``today`` but last month, which is the whole month."""
    check_member("name", name, PeriodName)
    check_day("today", today)
    first = today.replace(day=1)
    if name is PeriodName.LAST_MONTH:
        return Period(first - relativedelta(months=1), first - relativedelta(days=1))
    starts = {
        PeriodName.THIS_MONTH: first,
        PeriodName.THIS_QUARTER: first - relativedelta(months=(today.month - 1) % 3),
        PeriodName.THIS_YEAR: first.replace(month=1),
        PeriodName.LAST_12_MONTHS: today - relativedelta(years=1) + relativedelta(days=1),
        PeriodName.DEFAULT: first - relativedelta(months=2),
    }
    return Period(starts[name], today)
