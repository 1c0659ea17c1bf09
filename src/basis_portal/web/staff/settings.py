"""The page of the settings."""

from __future__ import annotations

from flask import Response

from .frame import show


def show_settings() -> Response:
    """The settings as they are."""
    return show("staff/not_found.html", section="settings")


PAGES = (("/", show_settings, ["GET"]),)
