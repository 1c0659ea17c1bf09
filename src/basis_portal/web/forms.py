"""What people type into forms and addresses, as values; what cannot be one counts as nothing."""

from __future__ import annotations

import datetime as dt
import hashlib

from flask import request
from werkzeug.exceptions import HTTPException

from ..domain.checks import is_storable

SEARCH_LIMIT = 100


def searched(text: str | None) -> str | None:
    """What is looked for, or None."""
    found = (text or "").strip()[:SEARCH_LIMIT]
    return found if found and is_storable(found) else None


def year_asked(text: str | None) -> int | None:
    """A year, or None."""
    found = text or ""
    return (
        int(found)
        if found.isascii() and found.isdigit() and 0 < len(found) <= 4 and int(found)
        else None
    )


def day_typed(text: str | None) -> dt.date | None:
    """A day as date fields send it. Raises `ValueError` for what is none; None for nothing."""
    found = (text or "").strip()
    return dt.date.fromisoformat(found) if found else None


def key_of_form(*said: str) -> str:
    """The same for the same form with the same texts in it, however often it is sent."""
    return hashlib.sha256(repr(said).encode()).hexdigest()


def typed_texts(*names: str) -> list[str]:
    """What was written into these fields of a form that is not sent on, to be given back.

    Nothing where the form cannot be read, or comes from another site.
    """
    if request.method != "POST" or is_from_another_site():
        return []
    try:
        return [text for name in names if (text := request.form.get(name, "")).strip()]
    except HTTPException:
        return []


def is_from_another_site() -> bool:
    """True where a browser says that another site's page sent this.

    Its words are not to stand on a page of the seller's.
    """
    return request.headers.get("Sec-Fetch-Site") == "cross-site"
