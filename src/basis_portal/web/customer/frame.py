"""What stands around every page of a customer: navigation, footer, how long the link lives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from flask import Response, g, url_for

from ...domain.phrases import Phrase
from ...domain.visibility import Section
from ...portal import PortalAccess
from ..flask_app import language, page, site

SOON = dt.timedelta(days=7)
NAVIGATION = (
    (Section.INVOICES, ".show_invoices", Phrase("Invoices")),
    (Section.SALES_ORDERS, ".show_sales_orders", Phrase("Sales orders")),
    (Section.CREDIT_NOTES, ".show_credit_notes", Phrase("Credit notes")),
    (Section.STATEMENT, ".show_statement", Phrase("Statement of account")),
    (Section.MESSAGES, ".show_messages", Phrase("Messages")),
)

_FROM_G: Any = object()


def here() -> PortalAccess:
    """The access of the page that is being made."""
    access: PortalAccess = g.access
    return access


def show(
    template: str,
    status: int = 200,
    *,
    access: PortalAccess | None = _FROM_G,
    sections: Sequence[Section] | None = None,
    **values: Any,
) -> Response:
    """A page in its frame; without an access it has no navigation and names no customer."""
    if access is _FROM_G:
        access = g.get("access")
    if access is not None and sections is None:
        sections = access.sections()
    now = site().portal.now()
    return page(
        template,
        status,
        access=access,
        navigation=navigation(sections or ()),
        sections=sections or (),
        now=now,
        days_left=_days_left(access, now),
        **values,
    )


def navigation(sections: Sequence[Section]) -> list[tuple[str, str, str]]:
    """Section, address and words of each page that the customer may open, in their order."""
    return [
        (section.value, url_for(endpoint), language().say(words))
        for section, endpoint, words in NAVIGATION
        if section in sections
    ]


def _days_left(access: PortalAccess | None, now: dt.datetime) -> int | None:
    """Whole days left of a link that soon expires; None where there is time."""
    if access is None or access.expires_at is None or access.expires_at - now > SOON:
        return None
    return (access.expires_at - now).days
