"""Instants as people are told them."""

from __future__ import annotations

import datetime as dt


def next_minute(instant: dt.datetime) -> dt.datetime:
    """The first full minute not before an instant: words must not promise too early."""
    whole = instant.replace(second=0, microsecond=0)
    return whole if whole == instant else whole + dt.timedelta(minutes=1)
