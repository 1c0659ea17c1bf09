"""Host ids in addresses: they hold ``/``, ``#`` and spaces, so they go as base64url."""

from __future__ import annotations

import base64
import binascii


def key_of(identifier: str) -> str:
    """The part of an address that stands for a host's id."""
    return base64.urlsafe_b64encode(identifier.encode()).decode("ascii").rstrip("=")


def document_path(document_id: str) -> str:
    """Where a document is below a customer's link."""
    return f"/document/{key_of(document_id)}"


def id_of(key: str) -> str | None:
    """The id a part of an address stands for, or None; just one spelling stands for an id."""
    try:
        found = base64.b64decode(key + "=" * (-len(key) % 4), b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        return None
    return found if found and key_of(found) == key else None
