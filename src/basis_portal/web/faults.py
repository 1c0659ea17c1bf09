"""What a visitor is told when something is not as it should be."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Callable, Iterable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound

from ..errors import InvalidValue, LedgerError, StorageError
from .mounting import Environ, WSGIApp
from .token_filter import TokenFilter

log: logging.Logger = logging.getLogger("basis_portal.web")
# What they write may be an error of a host's, and that says anything.
for _each in (log, logging.getLogger("basis_portal")):
    _each.addFilter(TokenFilter())

OF_AN_ADDRESS = frozenset({"after", "currency", "customer_id", "mail_id"})
"""The fields of values that a page takes as they stand in its address or form.

What breaks a rule elsewhere is no visitor's mistake: a host's repository makes values of ours,
and one that cannot be made is as unforeseen as any other error of its code.
"""

ShowFault = Callable[[str, int], Response]
"""Makes the page of a fault from its reference and status."""
ShowError = Callable[[HTTPException], Response]
"""Makes the page of an HTTP error: 404, 405, 413."""


def handle_faults(app: Flask, show_fault: ShowFault, show_error: ShowError) -> None:
    """Answer every error by a page; what was unforeseen goes to the log under a reference.

    What an address got wrong, such as a cursor, is a page that is not there.
    """

    def fault(error: Exception) -> Response:
        return show_fault(*note_fault(error))

    def invalid(error: InvalidValue) -> Response:
        if error.field not in OF_AN_ADDRESS:
            return fault(error)
        return app.make_response(app.handle_user_exception(NotFound()))

    def once_more(error: InternalServerError) -> Response:
        """The page of an error failed in its turn, such as by a storage that cannot be read."""
        failed = error.original_exception
        if not isinstance(failed, Exception):
            return show_error(error)
        return app.make_response(app.handle_user_exception(failed))

    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(InternalServerError, once_more)
    app.register_error_handler(InvalidValue, invalid)
    app.register_error_handler(Exception, fault)
    app.config["PROPAGATE_EXCEPTIONS"] = False  # nor in Flask's debug mode
    # Flask's own record would name the address; `fault` has written or will write a better one.
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign] # noqa: ARG005


def note_fault(error: Exception) -> tuple[str, int]:
    """Log an error; the reference under which it stands there, and the status of its answer.

    The log record names the page by its endpoint, never by its address, which holds the link.
    """
    reference = secrets.token_hex(4)
    log.error("fault %s on page %s", reference, request.endpoint, exc_info=error)
    return reference, 503 if isinstance(error, StorageError | LedgerError) else 500


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
