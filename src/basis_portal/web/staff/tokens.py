"""The tokens."""

from __future__ import annotations

from flask import Response

from .frame import show


def show_tokens() -> Response:
    """The customers and how their tokens stand."""
    return show("staff/not_found.html", section="tokens")


PAGES = (("/tokens", show_tokens, ["GET"]),)
