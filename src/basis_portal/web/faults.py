"""What a visitor is told when something is not as it should be."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from ..errors import LedgerError, StorageError

log = logging.getLogger("basis_portal.web")

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

    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(Exception, fault)
