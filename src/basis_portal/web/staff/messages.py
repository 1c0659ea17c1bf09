"""The inbox."""

from __future__ import annotations

from flask import Response

from .frame import show


def show_inbox() -> Response:
    """What customers wrote."""
    return show("staff/not_found.html", section="messages")


PAGES = (("/messages", show_inbox, ["GET"]),)
