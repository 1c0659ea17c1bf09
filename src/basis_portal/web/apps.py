"""The three ways to mount the pages."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from flask import Flask

from ..domain.seller import Seller
from ..errors import InvalidValue
from ..portal import Portal
from .customer import make_customer_app
from .mounting import Both, WSGIApp
from .site import Authorize, HostLinks, Site, Theme, nobody
from .staff import make_staff_app

STAFF_PATH = "/settings/portal"


def customer_app(
    portal: Portal,
    *,
    seller: Seller | None = None,
    theme: Theme | None = None,
    host: HostLinks | None = None,
) -> Flask:
    """The customers' pages, a WSGI app to be mounted at the path of ``base_url``.

    Args:
        portal: whose pages.
        seller: who the customers deal with; without one the pages name the address alone.
        theme: logo, colour, templates.
        host: names the host's application; customers see nothing of it.

    Raises:
        InvalidValue: an argument breaks its rule.
    """
    site = Site.of(portal, seller, theme, host)
    return make_customer_app(site, root=_path_of(portal.base_url))


def staff_app(
    portal: Portal,
    *,
    authorize: Authorize = nobody,
    seller: Seller | None = None,
    theme: Theme | None = None,
    host: HostLinks | None = None,
    path: str | None = None,
) -> Flask:
    """The staff's pages, a WSGI app to be mounted at ``/settings/portal``.

    Args:
        portal: whose pages.
        authorize: given the WSGI environ, names the member of staff (text or `Staff`) or
            nobody (None). Without it nobody gets in.
        seller: as for `customer_app`; the previews show it.
        theme: as for `customer_app`.
        host: the ways back into the host's application.
        path: the whole path the app stands at, for a proxy that takes it away; None where
            the mount (``SCRIPT_NAME``) says it.

    Raises:
        InvalidValue: an argument breaks its rule.
    """
    if not callable(authorize):
        raise InvalidValue.of("authorize", authorize, "must be a callable given the WSGI environ")
    site = Site.of(portal, seller, theme, host)
    return make_staff_app(site, authorize, root=path)


def create_app(
    portal: Portal,
    *,
    authorize: Authorize = nobody,
    seller: Seller | None = None,
    theme: Theme | None = None,
    host: HostLinks | None = None,
) -> WSGIApp:
    """Both in one WSGI callable, for a host's root.

    The customers' pages are at the path of ``base_url``, the staff's at ``/settings/portal``.
    Arguments and errors as for `staff_app`.
    """
    return Both(
        customer_app(portal, seller=seller, theme=theme, host=host),
        staff_app(portal, authorize=authorize, seller=seller, theme=theme, host=host),
        base_path=_path_of(portal.base_url),
        staff_path=STAFF_PATH,
    )


def _path_of(base_url: str) -> str:
    return unquote(urlsplit(base_url).path)
