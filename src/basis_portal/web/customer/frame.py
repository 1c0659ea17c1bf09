"""What stands around every page of a customer: navigation, footer, how long the link lives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from flask import Response, g

from ...domain.phrases import Phrase
from ...domain.visibility import Section
from ...portal import PortalAccess
from ..answering import language, site
from ..templating import page

SOON = dt.timedelta(days=7)
NAVIGATION = (
    (Section.INVOICES, "/invoices", Phrase("Invoices")),
    (Section.SALES_ORDERS, "/sales-orders", Phrase("Sales orders")),
    (Section.CREDIT_NOTES, "/credit-notes", Phrase("Credit notes")),
    (Section.STATEMENT, "/statement", Phrase("Statement of account")),
    (Section.MESSAGES, "/messages", Phrase("Messages")),
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
    now = site().portal.now() if access is not None else None
    return page(
        template,
        status,
        access=access,
        navigation=navigation(sections or ()),
        sections=sections or (),
        root=g.get("root", ""),
        now=now,
        days_left=_days_left(access, now),
        **values,
    )


def navigation(sections: Sequence[Section]) -> list[tuple[str, str, str]]:
    """Section, address and words of each page that the customer may open, in their order."""
    root, said = g.get("root", ""), language().say
    return [
        (section.value, root + path, said(words))
        for section, path, words in NAVIGATION
        if section in sections
    ]


def _days_left(access: PortalAccess | None, now: dt.datetime | None) -> int | None:
    """Whole days left of a link that soon expires; None where there is time."""
    if not (access and now and access.expires_at) or access.expires_at - now > SOON:
        return None
    return (access.expires_at - now).days
