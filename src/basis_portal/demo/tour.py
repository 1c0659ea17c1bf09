"""The demo as text: a seller's links, one of them opened; of the invented seller also revoked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import zip_longest

from ..access import PortalAccess
from ..clock import Clock, system_clock
from ..domain.portal_token import PortalToken, TokenStatus
from ..errors import AccessDenied
from ..i18n.headline import headlines
from ..portal import Portal
from ..repositories import FullStorage
from . import receivables, seller
from .text import paragraph, show_day, show_days, table
from .view import customer_view

BASE_URL = "https://portal.nordlicht.example"
SHOWN, INVOICE = seller.KOPI, "INV-1042"
SOON = dt.timedelta(days=7)


def tour(
    storage: FullStorage,
    clock: Clock = system_clock,
    *,
    file: receivables.Receivables | None = None,
    today: bool = True,
) -> Iterator[str]:
    """Fill an empty storage and show what its portal does, line by line.

    Args:
        storage: where everything is kept.
        clock: the one clock of the demo.
        file: the user's own receivables; the invented seller where None.
        today: False where the clock shows a day that was asked for.
    """
    now = clock()
    if file is None:
        return _invented(storage, now)
    return _own(storage, file, now, today=today)


def _invented(storage: FullStorage, now: dt.datetime) -> Iterator[str]:
    portal = seller.make_seller(storage, lambda: now, base_url=BASE_URL)
    yield f"Basis Portal demo: {seller.NAME}, {len(seller.CUSTOMERS)} invented customers."
    yield "Nothing leaves this machine."
    yield ""
    yield "Its customers: how the page of each begins, and how its secret link stands"
    yield ""
    yield from _customers(portal, now)
    link = portal.tokens.link(SHOWN, by=seller.STAFF)
    access = _open(portal, link)
    yield ""
    yield f"The link of {access.customer.name}; whoever opens it sees what follows, with no login:"
    yield ""
    yield f"  {link}"
    yield ""
    yield "The address is invented like all else here: the demo opens the link itself."
    yield ""
    yield from customer_view(access, seller=seller.NAME, invoice_id=INVOICE)
    yield ""
    yield from _end_of(portal, link)


def _own(
    storage: FullStorage, file: receivables.Receivables, now: dt.datetime, *, today: bool
) -> Iterator[str]:
    portal = receivables.make_portal(storage, file, lambda: now, base_url=BASE_URL, today=today)
    standing = receivables.Standing.of(file, portal.today())
    customer_id, why = standing.first()
    link = portal.tokens.link(customer_id, by=seller.STAFF)
    yield f"Basis Portal demo: {receivables.cut(file.name)}. Nothing leaves this machine."
    yield from standing.lines(today=today)
    yield ""
    yield f"The link of {receivables.cut(customer_id)} ({why}):"
    yield ""
    yield f"  {link}"
    yield ""
    yield "The address is invented; without --no-serve this machine serves the pages."
    yield ""
    access = _open(portal, link)
    yield from customer_view(access, seller=receivables.OWN, invoice_id=_oldest_overdue(access))
    yield ""
    yield "The code behind this: examples/receivables.py"


def _oldest_overdue(access: PortalAccess) -> str | None:
    """The invoice to show in full, or None where none is overdue."""
    found = [one.oldest_overdue for one in access.summary().by_currency.values()]
    return next((item.entry.document_id for item in found if item), None)


def _customers(portal: Portal, now: dt.datetime) -> Iterator[str]:
    rows = [("Customer", "Their page begins with", "Link")]
    for customer in seller.CUSTOMERS:
        said = headlines(portal.preview(customer.id, by=seller.STAFF).summary())
        cells = [customer.name], [one.words for one in said], [_state(portal, customer.id, now)]
        rows += zip_longest(*cells, fillvalue="")
    yield from table(rows)


def _state(portal: Portal, customer_id: str, now: dt.datetime) -> str:
    """The words for a customer's latest token."""
    token = portal.tokens.get(customer_id)
    if token is None:
        return "No token"
    if token.status_at(now) is not TokenStatus.ACTIVE:
        return _ended(token)
    if token.expires_at - now <= SOON:
        return f"Expires in {show_days((token.expires_at - now).days)}"
    return f"Active until {show_day(token.expires_at.date())}"


def _ended(token: PortalToken) -> str:
    if token.ended_at is None:
        return f"Expired on {show_day(token.expires_at.date())}"
    return f"Revoked on {show_day(token.ended_at.date())}"


def _end_of(portal: Portal, link: str) -> Iterator[str]:
    """Revoke the link and open it again."""
    portal.tokens.revoke(SHOWN, by=seller.STAFF, reason="The demo is over")
    yield f"Now {seller.STAFF} revokes this link, and it is opened once more:"
    yield ""
    try:
        yield f"  It still opens the page of {_open(portal, link).customer.name}"
    except AccessDenied as error:
        yield f"  {error}"
    yield ""
    yield from paragraph(
        "A link that has expired, was replaced or never existed gives the same answer."
    )
    yield ""
    yield "The code behind this: examples/quickstart.py"


def _open(portal: Portal, link: str) -> PortalAccess:
    return portal.open(link.rsplit("/", 1)[1])
