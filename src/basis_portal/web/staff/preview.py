"""What a customer sees, shown to staff: the customers' own pages, with nothing to send."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request, url_for

from ...domain.checks import check_id
from ...domain.phrases import Phrase
from ...domain.url_keys import id_of
from ...errors import CustomerBlocked, CustomerNotFound, InvalidValue
from ...portal import PortalAccess
from ..answering import language, site
from ..customer import customer_pages
from ..forms import searched
from .frame import customer_of, me, show
from .place import Place

PAGE = 25
_NAME = Phrase("Preview")
_RIBBON = Phrase("Preview: what %(name)s sees. This does not count as opened.")
_LEAVE = Phrase("Leave the preview")


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
    pages.url_defaults(_name_the_place)
    pages.context_processor(_for_staff)
    pages.register_error_handler(CustomerNotFound, _unknown)
    pages.register_error_handler(CustomerBlocked, _blocked)
    return pages


def _name_the_place(endpoint: str, values: dict[str, Any]) -> None:
    """Who enters a preview from the list, or from a page reached from it, comes back to it."""
    if endpoint == "preview.show_overview" and "place" not in g:
        values["text"] = Place.asked().part(values["text"])


def _for_staff() -> dict[str, Any]:
    """The ribbon: it speaks to staff, so in their language, and leads back to their pages."""
    access, said = g.get("access"), g.get("said_to_staff")
    if access is None or said is None:
        return {}
    key, place = Place.in_part(g.place["text"])
    fields: dict[str, Any] = {**place.fields}
    return {
        "ribbon": {
            "lang": said.words_in,
            "name": said.say(_NAME),
            "words": said.say(_RIBBON, name=access.customer.name),
            "leave": said.say(_LEAVE),
            "to": url_for("show_token", key=key, **fields),
        }
    }


def _enter(part: str) -> PortalAccess:
    key, place = Place.in_part(part)
    g.place["text"] = place.part(key)
    g.said_to_staff = language()  # what follows is in the customer's
    try:
        customer_id = check_id("customer_id", id_of(key))
    except InvalidValue:
        raise CustomerNotFound("the address names no customer") from None
    return site().portal.preview(customer_id, by=me().name)


def _unknown(_: CustomerNotFound) -> Response:
    return show("staff/not_found.html", 404)


def _blocked(_: CustomerBlocked) -> Response:
    key, place = Place.in_part(g.place["text"])
    return show(
        "staff/settings_preview_blocked.html",
        403,
        section="tokens",
        customer=customer_of(key),
        place=place,
    )


PAGES = (("/preview", choose_preview, ["GET"]),)
