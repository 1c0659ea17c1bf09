"""Lists of invoices, orders and credit notes, and the page of each document."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from flask import Response, request
from werkzeug.exceptions import NotFound
from werkzeug.utils import send_file as flask_send_file

from ...domain.documents import Document, DocumentKind
from ...domain.money import total
from ...domain.url_keys import id_of
from ...domain.visibility import SECTION_OF
from ...errors import DocumentNotFound, InvalidValue, PortalError
from ..forms import searched, year_asked
from .frame import here, show
from .messages import new_form

PAGE = 50
log: logging.Logger = logging.getLogger("basis_portal.web")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")


def show_invoices() -> Response:
    """The customer's invoices."""
    return _list(DocumentKind.SALES_INVOICE)


def show_sales_orders() -> Response:
    """The customer's sales orders."""
    return _list(DocumentKind.SALES_ORDER)


def show_credit_notes() -> Response:
    """The customer's credit notes."""
    return _list(DocumentKind.CREDIT_NOTE)


def _list(kind: DocumentKind) -> Response:
    access = here()
    search, year = searched(request.args.get("q")), year_asked(request.args.get("year"))
    open_only = request.args.get("open") == "1" and kind is not DocumentKind.SALES_ORDER
    after = request.args.get("after") or None
    found = access.documents(
        kind, after=after, limit=PAGE, search=search, year=year, open_only=open_only
    )
    return show(
        "customer/documents.html",
        kind=kind.value,
        section=SECTION_OF[kind].value,
        found=found,
        years=access.document_years(kind),
        asked={"q": search, "year": year, "open": "1" if open_only else None},
        after=after,
        currencies=_currencies(found.items),
    )


def _currencies(documents: Sequence[Document]) -> list[str]:
    return sorted({one.currency for one in documents})


def show_document(key: str) -> Response:
    """One document, with its lines and what was paid on it."""
    access, document_id = here(), _asked(key)
    detail = access.document(document_id)
    sections = access.sections()
    return show(
        "customer/document.html",
        sections=sections,
        section=SECTION_OF[detail.document.kind].value,
        document=detail.document,
        applied=detail.applied,
        applied_total=total(item.amount for item in detail.applied),
        has_file=_has_file(document_id),
        form=new_form(about=key),
    )


def _has_file(document_id: str) -> bool:
    """False too where the host cannot say: what is owed is shown without its file."""
    try:
        return here().has_file(document_id)
    except Exception as error:
        if isinstance(error, PortalError) and not isinstance(error, InvalidValue):
            raise
        log.exception("whether a document has a file is not known")
        return False


def send_file(key: str) -> Response:
    """The host's own file of a document, to be kept."""
    file = here().document_file(_asked(key))
    if file is None:
        raise NotFound
    from io import BytesIO

    known = _MEDIA_TYPE.fullmatch(file.media_type)
    response = flask_send_file(
        BytesIO(file.content),
        request.environ,
        mimetype=file.media_type if known else "application/octet-stream",
        as_attachment=True,
        download_name=re.sub(r"[\x00-\x1f\x7f/\\]", "_", file.name),
        response_class=Response,
    )
    del response.headers["Cache-Control"]  # "no-cache", which may be kept; ours is stricter
    return response  # type: ignore[return-value]


def _asked(key: str) -> str:
    found = id_of(key)
    if found is None:
        raise DocumentNotFound
    return found
