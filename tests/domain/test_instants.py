"""Instants as people are told them."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from basis_portal.domain.instants import next_minute

MINUTE = dt.timedelta(minutes=1)
INSTANTS = st.datetimes(max_value=dt.datetime(9999, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(INSTANTS)
def test_no_full_minute_is_promised_too_early(instant: dt.datetime) -> None:
    """It is the first full minute from the instant on, which is the instant where it is one."""
    found = next_minute(instant)
    assert (found.second, found.microsecond) == (0, 0)
    assert dt.timedelta() <= found - instant < MINUTE
    assert next_minute(found) == found
