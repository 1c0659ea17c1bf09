"""The first page: what is due, what is overdue, and where to go."""

from __future__ import annotations

from flask import Response

from ...domain.views import open_item_state
from ...i18n.headline import headlines
from ..answering import language, site
from .frame import here, show

TO_PAY = 5


def show_overview() -> Response:
    """The page a link opens."""
    overview = here().overview()
    summary = overview.summary
    items = [item for one in summary.by_currency.values() for item in one.to_pay]
    items.sort(key=lambda item: (item.entry.due_date or item.entry.date, item.entry.id))
    to_pay = [(item, open_item_state(item, summary.as_of)) for item in items[:TO_PAY]]
    return show(
        "customer/overview.html",
        sections=overview.sections,
        overview=overview,
        headlines=headlines(summary, language(), seller=site().seller.name),
        to_pay=to_pay,
    )
