"""Aging: open debits by days overdue, and beside them the unapplied credits."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal

import attrs

from ..errors import InvalidValue
from .allocation import OpenItem
from .money import ZERO, add, negate, total

DEFAULT_EDGES = (30, 60, 90)


@attrs.define(frozen=True)
class AgingBucket:
    """The open debits of a range of ages.

    Attributes:
        label: ``current``, ``1-30``, ``over 90``: derived from the edges.
        first: least days in the bucket, None for ``current``.
        last: most days in the bucket, None for the last one.
        amount: sum of the open amounts.
    """

    label: str
    first: int | None
    last: int | None
    amount: Decimal


@attrs.define(frozen=True)
class Aging:
    """How old the open items of one currency are as of a day.

    Attributes:
        as_of: the day.
        buckets: from ``current`` to the oldest.
        unapplied_credits: what open credits are worth: negative, or 0.
        total: buckets and unapplied credits added up, the balance of the account.
    """

    as_of: dt.date
    buckets: tuple[AgingBucket, ...]
    unapplied_credits: Decimal
    total: Decimal

    @property
    def open_debits(self) -> Decimal:
        """The sum of the buckets."""
        return total(bucket.amount for bucket in self.buckets)

    def __getitem__(self, label: str) -> Decimal:
        """The amount of the bucket with this label."""
        for bucket in self.buckets:
            if bucket.label == label:
                return bucket.amount
        raise KeyError(label)


def check_edges(edges: object) -> tuple[int, ...]:
    """Return ``edges`` as a tuple if they are rising whole numbers of days, from 1 to 36,500.

    Raises `InvalidValue`.
    """
    rule = "must be rising whole numbers of days above 0, such as (30, 60, 90)"
    if not isinstance(edges, tuple | list) or not edges:
        raise InvalidValue.of("aging_edges", edges, rule)
    for before, edge in zip((0, *edges), edges, strict=False):
        if type(edge) is not int or not before < edge <= 36_500:
            raise InvalidValue.of("aging_edges", edges, rule)
    return tuple(edges)


def bucket_bounds(edges: tuple[int, ...]) -> list[tuple[str, int | None, int | None]]:
    """Label, first and last day of each bucket: ``current``, ``1-30``, ..., ``over 90``."""
    bounds: list[tuple[str, int | None, int | None]] = [("current", None, 0)]
    first = 1
    for last in edges:
        bounds.append((f"{first}-{last}" if first < last else f"{last}", first, last))
        first = last + 1
    return [*bounds, (f"over {edges[-1]}", first, None)]


def age_open_items(
    items: Iterable[OpenItem],
    as_of: dt.date,
    *,
    edges: tuple[int, ...] = DEFAULT_EDGES,
    age_by: str = "due_date",
) -> Aging:
    """The aging of open items of one currency. Ages are calendar days up to ``as_of``."""
    amounts = [ZERO] * (len(edges) + 2)
    credited = ZERO
    for item in items:
        if item.entry.is_debit:
            bucket = bisect_left((0, *edges), item.age(as_of, age_by))
            amounts[bucket] = add(amounts[bucket], item.open_amount)
        else:
            credited = add(credited, item.open_amount)
    buckets = tuple(
        AgingBucket(*bounds, amount)
        for bounds, amount in zip(bucket_bounds(edges), amounts, strict=True)
    )
    unapplied = negate(credited)
    return Aging(as_of, buckets, unapplied, add(total(amounts), unapplied))
