"""What a customer sees, shown to staff: the customers' own pages, with nothing to send."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.exceptions import NotFound

from ...errors import CustomerBlocked, CustomerNotFound
from ...portal import PortalAccess
from ..addresses import id_of
from ..customer import customer_pages
from ..flask_app import site
from .frame import Refused, me


def make_pages() -> Blueprint:
    """The customers' pages under the key of a customer."""
    return customer_pages("preview", _enter)


def _enter(key: str) -> PortalAccess:
    customer_id = id_of(key)
    try:
        if customer_id:
            return site().portal.preview(customer_id, by=me().name)
    except CustomerNotFound:
        pass
    except CustomerBlocked:
        raise Refused("") from None
    raise NotFound
