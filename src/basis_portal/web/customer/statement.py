"""The statement of account: a period, activity or open items, and the aging beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import attrs
from flask import Response, request, url_for

from ...domain.aging import Aging, AgingBucket
from ...domain.allocation import OpenItem
from ...domain.money import total
from ...domain.periods import PeriodName, named_period
from ...domain.phrases import Phrase
from ...domain.statement import ACTIVITY, OPEN_ITEMS
from ...domain.url_keys import id_of, key_of
from ...domain.visibility import Section
from ...export import has_pdf
from ..answering import _, language, site
from ..forms import day_typed
from .frame import here, show

LINES = 200
PHONE_ROOM, DESKTOP_ROOM = Decimal("2.6"), Decimal("0.9")
"""What a character below the bar of ages takes, in percent of the bar."""
QUICK = (
    (PeriodName.THIS_MONTH, Phrase("This month")),
    (PeriodName.LAST_MONTH, Phrase("Last month")),
    (PeriodName.THIS_QUARTER, Phrase("This quarter")),
    (PeriodName.THIS_YEAR, Phrase("This year")),
    (PeriodName.LAST_12_MONTHS, Phrase("Last 12 months")),
)


@attrs.define
class Asked:
    """What the form asks for.

    Attributes:
        view: activity or open_items.
        start, end: the period.
        start_typed, end_typed: what stands in the fields.
        cut: True where the end was in the future.
        error: why the period is none, or empty.
        field: the kind of the fields: a date field would empty itself of what is no date.
    """

    view: str
    start: dt.date
    end: dt.date
    start_typed: str
    end_typed: str
    cut: bool = False
    error: str = ""
    field: str = "date"


def show_statement() -> Response:
    """The statement of the period asked for; where that is none, the form says why."""
    access, asked = here(), asked_for(site().portal.today())
    if asked.error:
        access.statement(asked.end, asked.end, aging=False)  # a hidden statement tells nothing
        return _page(asked, 400)
    currency, after = request.args.get("currency"), request.args.get("after")
    if currency and after:
        one = access.statement_page(currency, asked.start, asked.end, after=after, limit=LINES)
        whole = None if one.next else access.statement(asked.start, asked.end, aging=False)
        return _page(asked, page=one, totals=whole and whole.by_currency.get(currency))
    found = access.statement(asked.start, asked.end, asked.view)
    if asked.view == OPEN_ITEMS:
        items = {
            name: ItemPage.of(one.open_items, currency == name)
            for name, one in found.by_currency.items()
        }
        return _page(asked, statement=found, items=items)
    first = {
        name: access.statement_page(name, asked.start, asked.end, limit=LINES)
        for name, section in found.by_currency.items()
        if len(section.lines) > LINES
    }
    return _page(asked, statement=found, first=first)


@attrs.define(frozen=True)
class ItemPage:
    """Up to 200 open items of a currency.

    Attributes:
        items: the open items.
        brought_forward: sum of those before, what is in the customer's favour below zero; None
            on the first page.
        carried_forward: the same, with those of this page.
        next: the key of the last item where there are more, or None.
    """

    items: Sequence[OpenItem]
    brought_forward: Decimal | None
    carried_forward: Decimal
    next: str | None

    @classmethod
    def of(cls, items: Sequence[OpenItem], is_asked: bool) -> ItemPage:
        """The page after the item that the address names, where it names one of these."""
        start = 0
        if is_asked and (last := id_of(request.args.get("item", ""))):
            start = next((i + 1 for i, one in enumerate(items) if one.entry.id == last), 0)
        end = start + LINES
        return cls(
            items[start:end],
            _total(items[:start]) if start else None,
            _total(items[:end]),
            key_of(items[end - 1].entry.id) if end < len(items) else None,
        )


def _total(items: Sequence[OpenItem]) -> Decimal:
    return total(one.signed_amount for one in items)


def _page(asked: Asked, status: int = 200, **values: Any) -> Response:
    today = site().portal.today()
    return show(
        "customer/statement.html",
        status,
        section=Section.STATEMENT.value,
        asked=asked,
        today=today,
        quick=_quick(today, asked),
        parts=parts_of,
        has_pdf=has_pdf(),
        **values,
    )


def asked_for(today: dt.date) -> Asked:
    """What the address asks for."""
    args = request.args
    view = OPEN_ITEMS if args.get("view") == OPEN_ITEMS else ACTIVITY
    usual = named_period(PeriodName.DEFAULT, today)
    asked = Asked(view, usual.start, usual.end, args.get("from", "")[:40], args.get("to", "")[:40])
    try:
        start, end = day_typed(asked.start_typed), day_typed(asked.end_typed)
    except ValueError:
        asked.error = _("Please write dates as year, month and day, such as 2026-04-14.")
        asked.field = "text"
        return asked
    asked.end = min(end or today, today)
    asked.start = start or _usual_start(asked.end)
    if asked.start <= asked.end or view == OPEN_ITEMS:  # to open items no first day matters
        asked.start = min(asked.start, asked.end)
        asked.start_typed, asked.end_typed = asked.start.isoformat(), asked.end.isoformat()
        asked.cut = end is not None and end > today
    elif end is None or asked.start <= end:
        asked.error = _("From must not be after today.")
    else:
        asked.error = _("From must not be after To.")
    return asked


def _usual_start(end: dt.date) -> dt.date:
    try:
        return named_period(PeriodName.DEFAULT, end).start
    except ValueError:  # two months before the first day that there is
        return dt.date.min


def _quick(today: dt.date, asked: Asked) -> Iterator[tuple[str, str, bool]]:
    """Address, words and whether it is the one shown, of each period that has a name."""
    for name, words in QUICK:
        period = named_period(name, today)
        address = url_for(
            ".show_statement",
            view=asked.view,
            to=period.end.isoformat(),
            **{"from": period.start.isoformat()},  # type: ignore[arg-type]
        )
        present = (asked.start, asked.end) == (period.start, period.end)
        yield address, language().say(words), present


@attrs.define(frozen=True)
class Part:
    """A part of the bar of ages; where it is too narrow for its words, the table has its colour.

    Attributes:
        number: which one, from 0 for what is not yet due.
        at: where it begins, in percent of the bar.
        wide: how wide it is, in percent of the bar.
        words: what stands below it, or empty.
        desktop: True where they fit on a wide screen only.
    """

    number: int
    at: str
    wide: str
    words: str
    desktop: bool


def parts_of(aging: Aging) -> list[Part]:
    """The parts of the bar of ages."""
    whole = aging.open_debits
    if not whole:
        return []
    parts, at = list[Part](), Decimal(0)
    for number, bucket in enumerate(aging.buckets):
        wide = bucket.amount * 100 / whole
        if bucket.amount:
            words = _("Not yet due") if bucket.first is None else _days(bucket)
            room = wide / len(words)
            said = words if room >= DESKTOP_ROOM else ""
            parts.append(Part(number, f"{at:.3f}%", f"{wide:.3f}%", said, room < PHONE_ROOM))
        at += wide
    return parts


def _days(bucket: AgingBucket) -> str:
    return bucket.label if bucket.last is not None else f">{(bucket.first or 1) - 1}"
