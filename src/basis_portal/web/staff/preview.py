"""What a customer sees, shown to staff: the customers' own pages, with nothing to send."""

from __future__ import annotations

from flask import Blueprint, Response, g, request, url_for

from ...domain.checks import check_id
from ...errors import CustomerBlocked, CustomerNotFound, InvalidValue
from ...portal import PortalAccess
from ..addresses import id_of
from ..customer import customer_pages
from ..flask_app import site
from ..forms import searched
from .frame import customer_of, me, show

PAGE = 25


def choose_preview() -> Response:
    """The customers, each with the way to its preview."""
    site().portal.settings.get()  # refused where there is no portal
    search, after = searched(request.args.get("q")), request.args.get("after") or None
    found = site().portal.customers.search(search or "", after=after, limit=PAGE)
    return show(
        "staff/settings_preview.html", section="settings", found=found, search=search, after=after
    )


def make_pages() -> Blueprint:
    """The customers' pages under the key of a customer."""
    pages = customer_pages("preview", _enter, below="/preview")
    pages.context_processor(lambda: {"leave": url_for("show_token", key=g.place["text"])})
    pages.register_error_handler(CustomerNotFound, _unknown)
    pages.register_error_handler(CustomerBlocked, _blocked)
    return pages


def _enter(key: str) -> PortalAccess:
    try:
        customer_id = check_id("customer_id", id_of(key))
    except InvalidValue:
        raise CustomerNotFound("the address names no customer") from None
    return site().portal.preview(customer_id, by=me().name)


def _unknown(_: CustomerNotFound) -> Response:
    return show("staff/not_found.html", 404)


def _blocked(_: CustomerBlocked) -> Response:
    customer = customer_of(g.place["text"])
    return show("staff/settings_preview_blocked.html", 403, section="tokens", customer=customer)


PAGES = (("/preview", choose_preview, ["GET"]),)
