"""The customers' pages: the same ones under a link, and in a preview by staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException, NotFound

from ...errors import (
    AccessDenied,
    DocumentNotFound,
    PortalNotAvailable,
    SectionHidden,
)
from ...portal import PortalAccess
from ..answering import choose_language, site
from ..faults import handle_faults
from ..flask_app import make_app
from ..forms import typed_texts
from ..site import Site
from . import documents, downloads, messages, overview, renewals, statement
from .frame import show

PAGES = (
    ("", overview.show_overview),
    ("/invoices", documents.show_invoices),
    ("/sales-orders", documents.show_sales_orders),
    ("/credit-notes", documents.show_credit_notes),
    ("/document/<key>", documents.show_document),
    ("/document/<key>/file", documents.send_file),
    ("/statement", statement.show_statement),
    ("/statement.pdf", downloads.send_statement_pdf),
    ("/statement.csv", downloads.send_statement_csv),
    ("/messages", messages.show_messages),
)


def make_customer_app(site: Site, *, root: str) -> Flask:
    """The app of the customers' pages under their links."""
    app = make_app(site, root=root, scripts=False)
    app.register_blueprint(customer_pages("link", _open_link))
    app.add_url_rule("/", "no_link", _no_link)
    app.before_request(renewals.answer_the_button)
    app.register_error_handler(AccessDenied, access_denied)
    app.register_error_handler(PortalNotAvailable, not_available)
    handle_faults(app, _fault, _http_error)
    return app


def customer_pages(name: str, enter: Callable[[str], PortalAccess], below: str = "") -> Blueprint:
    """The pages at ``below``, entered by ``enter``, which is given the part of the address."""
    pages = Blueprint(name, __name__, url_prefix=f"{below}/<text>")

    @pages.url_value_preprocessor
    def take(_: str | None, values: dict[str, str] | None) -> None:
        g.place = {} if values is None else {"text": values.pop("text", "")}

    @pages.url_defaults
    def give(_: str, values: dict[str, object]) -> None:
        for key, value in g.get("place", {}).items():
            values.setdefault(key, value)

    @pages.before_request
    def come_in() -> None:
        access = enter(g.place["text"])
        g.access, g.root = access, f"{request.script_root}{below}/{g.place['text']}"
        choose_language(access.customer.language)

    for rule, view in PAGES:
        pages.add_url_rule(rule, view.__name__, view)
    pages.add_url_rule(
        "/messages", messages.send_message.__name__, messages.send_message, methods=["POST"]
    )
    pages.add_url_rule("/<path:_>", "nowhere", _nowhere, methods=["GET", "POST"])
    pages.register_error_handler(SectionHidden, _not_found)
    pages.register_error_handler(DocumentNotFound, _not_found)
    pages.register_error_handler(NotFound, _not_found)
    return pages


def _open_link(text: str) -> PortalAccess:
    return site().portal.open(text, record=_counts_as_opened())


def _no_link() -> Response:
    """The address without any link is refused as a wrong link is."""
    _open_link("")
    raise AccessDenied


def _counts_as_opened() -> bool:
    """False for HEAD, for prefetching, and over https for what is no visit to a page.

    Mail scanners and chat previews fetch links. Over plain http no browser says how it
    fetches, so there all but HEAD and OPTIONS counts.
    """
    purpose = request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    if request.method not in ("GET", "POST") or "prefetch" in purpose.lower():
        return False
    if not site().portal.base_url.startswith("https:"):
        return True
    return request.headers.get("Sec-Fetch-Mode") == "navigate"


# --- refusals -----------------------------------------------------------------------------


def access_denied(_: AccessDenied) -> Response:
    """One page whatever the cause."""
    return _refuse("customer/access_denied.html", 403)


def not_available(_: PortalNotAvailable) -> Response:
    """No 5xx: monitors and proxies act on those."""
    return _refuse("customer/not_available.html", 403)


def _not_found(_: Exception) -> Response:
    return show("customer/not_found.html", 404, typed=typed_texts("text"))


def _nowhere(_: str) -> Response:
    raise NotFound


def _fault(reference: str, status: int) -> Response:
    return _refuse("customer/fault.html", status, reference=reference)


def _refuse(template: str, status: int, **values: Any) -> Response:
    return show(template, status, access=None, typed=typed_texts("text"), **values)


def _http_error(error: HTTPException) -> Response:
    if error.code == 404:
        return _refuse("customer/access_denied.html", 403)
    response = show("customer/http_error.html", error.code or 500, access=None, error=error)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response
