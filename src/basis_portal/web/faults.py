"""What a visitor is told when something is not as it should be."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Callable, Iterable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError

from ..errors import LedgerError, StorageError
from .mounting import Environ, WSGIApp
from .token_filter import TokenFilter

log: logging.Logger = logging.getLogger("basis_portal.web")
# What they write may be an error of a host's, and that says anything.
for _each in (log, logging.getLogger("basis_portal")):
    _each.addFilter(TokenFilter())

ShowFault = Callable[[str, int], Response]
"""Makes the page of a fault from its reference and status."""
ShowError = Callable[[HTTPException], Response]
"""Makes the page of an HTTP error: 404, 405, 413."""


def handle_faults(app: Flask, show_fault: ShowFault, show_error: ShowError) -> None:
    """Answer every error by a page; what was unforeseen goes to the log under a reference.

    The log record names the page by its endpoint, never by its address, which holds the link.
    """

    def fault(error: Exception) -> Response:
        known = isinstance(error, StorageError | LedgerError)
        reference = secrets.token_hex(4)
        log.error("fault %s on page %s", reference, request.endpoint, exc_info=error)
        return show_fault(reference, 503 if known else 500)

    def once_more(error: InternalServerError) -> Response:
        """The page of an error failed in its turn, such as by a storage that cannot be read."""
        failed = error.original_exception
        if not isinstance(failed, Exception):
            return show_error(error)
        return app.make_response(app.handle_user_exception(failed))

    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(InternalServerError, once_more)
    app.register_error_handler(Exception, fault)
    app.config["PROPAGATE_EXCEPTIONS"] = False  # nor in Flask's debug mode
    # Flask's own record would name the address; `fault` has written or will write a better one.
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign] # noqa: ARG005


class LastResort:
    """Answers where no page could be made, not even the one of a fault.

    A host's template may be broken, or its clock.
    """

    def __init__(self, app: WSGIApp) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        """The app's own answer, or that of the last resort."""
        begun = False

        def start(*answer: object) -> object:
            nonlocal begun
            begun = True
            return start_response(*answer)

        try:
            return self._app(environ, start)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("fault %s: its page could not be made", reference)
            body = f"Something went wrong on our side. Reference: {reference}\n".encode()
            headers = [
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Content-Length", str(len(body))),
            ]
            # Servers raise the error again where a part of another answer is on its way.
            error = (sys.exc_info(),) if begun else ()
            start_response("500 Internal Server Error", headers, *error)
            return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
