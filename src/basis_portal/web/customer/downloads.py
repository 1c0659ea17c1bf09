"""The statement as a file, PDF or CSV: of the period, and with the figures, that the page shows."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator
from itertools import chain

from flask import Response, request
from werkzeug.exceptions import NotFound

from ...domain.statement import OPEN_ITEMS
from ...domain.visibility import Section
from ...errors import InvalidValue
from ...export import (
    PDF_LINES,
    has_pdf,
    is_too_long_for_pdf,
    statement_csv,
    statement_pdf,
)
from ..answering import language, site
from .frame import here, show
from .statement import Asked, asked_for, show_statement

log: logging.Logger = logging.getLogger("basis_portal.web")
BROKEN_OFF = b",incomplete,,,,,,,,\r\n"


class DownloadBrokenOff(Exception):
    """Ends a connection in the middle of a file, so that nobody takes its beginning for it."""


def send_statement_csv() -> Response:
    """The statement as CSV, sent while it is read."""
    asked = asked_for(site().portal.today())
    if asked.error:
        return show_statement()  # which says what is wrong
    pieces = statement_csv(here(), asked.start, asked.end, asked.view)
    first = next(pieces)  # what fails up to here is still answered by a page
    rest = _to_the_end(pieces, str(request.endpoint))
    return _download(chain([first], rest), _name(asked, "csv"), "text/csv")


def send_statement_pdf() -> Response:
    """The statement as PDF; where it is too long for one, a page with the way to the CSV."""
    if not has_pdf():
        raise NotFound
    access, portal, asked = here(), site().portal, asked_for(site().portal.today())
    if asked.error:
        return show_statement()
    if is_too_long_for_pdf(access, asked.start, asked.end, asked.view):
        return _too_long(asked)
    statement = access.statement(asked.start, asked.end, asked.view)
    try:
        content = statement_pdf(
            statement,
            seller=site().seller,
            customer=access.customer,
            language=language(),
            made_at=portal.now().astimezone(portal.timezone),
            font=site().theme.pdf_font,
        )
    except InvalidValue as refused:
        if refused.field != "statement":
            raise
        return _too_long(asked)  # it has grown since it was counted
    return _download([content], _name(asked, "pdf"), "application/pdf")


def _too_long(asked: Asked) -> Response:
    return show(
        "customer/statement_too_long.html",
        400,
        section=Section.STATEMENT.value,
        asked=asked,
        most=PDF_LINES,
    )


def _to_the_end(pieces: Iterator[bytes], endpoint: str) -> Iterator[bytes]:
    """The rest of a file; where it fails, such as by a revoke, the file says that it broke off.

    For programs the connection is cut as well: the length is not known when the file begins,
    and a file that ends properly would pass for a whole one.
    """
    try:
        yield from pieces
    except Exception as error:
        reference = secrets.token_hex(4)
        log.error("fault %s in the middle of %s", reference, endpoint, exc_info=error)
        yield BROKEN_OFF
        raise DownloadBrokenOff(f"fault {reference}") from None


def _download(content: Iterable[bytes], name: str, media_type: str) -> Response:
    response = Response(content, mimetype=media_type)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _name(asked: Asked, ending: str) -> str:
    """Of the file: it names neither customer nor seller."""
    if asked.view == OPEN_ITEMS:
        return f"open-items-{asked.end}.{ending}"
    return f"statement-{asked.start}-to-{asked.end}.{ending}"
