"""The pages, by Flask: for customers under their link, and for staff. Extra ``web``."""

try:
    import flask  # noqa: F401
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "basis_portal.web needs Flask: pip install 'basis-portal[web]'", name=_missing.name
    ) from _missing

from .apps import create_app, customer_app, staff_app, staff_page
from .site import HostLinks, Staff, Theme
from .token_filter import TokenFilter

__all__ = [
    "HostLinks",
    "Staff",
    "Theme",
    "TokenFilter",
    "create_app",
    "customer_app",
    "staff_app",
    "staff_page",
]
