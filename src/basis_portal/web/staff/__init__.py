"""The staff's pages: settings, tokens, messages, and previews of what a customer sees."""

from __future__ import annotations

from flask import Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from ...errors import PortalNotAvailable
from ..answering import choose_language
from ..faults import handle_faults
from ..flask_app import make_app
from ..site import Authorize, Site, Staff
from . import actions, check, many, messages, preview, sending, settings, token, tokens
from .frame import Refused, person, refuse_forged, show, typed

PAGES = (
    *settings.PAGES,
    *tokens.PAGES,
    *token.PAGES,
    *actions.PAGES,
    *sending.PAGES,
    *many.PAGES,
    *check.PAGES,
    *messages.PAGES,
    *preview.PAGES,
)


def make_staff_app(site: Site, authorize: Authorize, *, root: str | None) -> Flask:
    """The app of the staff's pages; ``authorize`` names who asks, or nobody."""
    app = make_app(site, root=root, scripts=True)

    @app.before_request
    def come_in() -> Response | None:
        if request.endpoint in ("static", "theme_css", "logo"):
            return None
        g.staff = _named(authorize(request.environ))
        choose_language(g.staff.language if g.staff else None)
        if g.staff is None:
            return show("staff/nobody.html", 403, typed=typed())
        if request.method not in ("GET", "HEAD"):
            refuse_forged()
        return None

    for rule, view, methods in PAGES:
        app.add_url_rule(rule, view.__name__, view, methods=methods)
    app.register_blueprint(preview.make_pages())
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(PortalNotAvailable, settings.not_available)
    handle_faults(app, _fault, _http_error)
    return app


def _named(found: Staff | str | None) -> Staff | None:
    """Who asks; whatever is neither a name nor a `Staff` is nobody."""
    if isinstance(found, Staff):
        return found
    return Staff(found) if isinstance(found, str) and found else None


def _refused(refused: Refused) -> Response:
    return show("staff/refused.html", 403, why=refused.why, typed=typed())


def _fault(reference: str, status: int) -> Response:
    # Nothing is read for this page: the storage may be what failed.
    values = {
        "reference": reference,
        "staff": person(),
        "typed": typed(),
        "stopped": g.get("stopped"),
    }
    return Response(render_template("staff/fault.html", **values), status)


def _http_error(error: HTTPException) -> Response:
    if error.code == 404:
        return show("staff/not_found.html", 404)
    response = show("staff/http_error.html", error.code or 500, error=error)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response
