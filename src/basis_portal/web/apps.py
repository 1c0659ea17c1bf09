"""The three ways to mount the pages."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from flask import Flask

from ..domain.checks import check_id
from ..domain.seller import Seller
from ..domain.url_keys import key_of
from ..errors import InvalidValue
from ..portal import Portal
from .customer import make_customer_app
from .headers import security_headers
from .mounting import Both, FixedRoot, Headers, WSGIApp, not_found, root_of
from .site import Authorize, HostLinks, LinkMailer, Site, Theme, nobody
from .staff import make_staff_app

STAFF_PATH = "/settings/portal"


def customer_app(
    portal: Portal,
    *,
    seller: Seller | None = None,
    theme: Theme | None = None,
    host: HostLinks | None = None,
    mailer: LinkMailer | None = None,
    renewals: bool = False,
) -> Flask:
    """The customers' pages, a WSGI app to be mounted at the path of ``base_url``.

    Args:
        portal: whose pages.
        seller: who the customers deal with; without one the pages name the address alone.
        theme: logo, colour, templates.
        host: names the host's application; customers see nothing of it.
        mailer: sends the portal's e-mails, such as `basis_portal.mail.Mailer`; see
            ``renewals``.
        renewals: True shows a button on each page that refuses a link: whoever holds an expired
            one is e-mailed a new one. Needs a mailer, and its `run` in a scheduler.

    Raises:
        InvalidValue: an argument breaks its rule.
    """
    site = Site.of(portal, seller=seller, theme=theme, host=host, mailer=mailer, renewals=renewals)
    return make_customer_app(site, root=_path_of(portal))


def staff_app(
    portal: Portal,
    *,
    authorize: Authorize = nobody,
    seller: Seller | None = None,
    theme: Theme | None = None,
    host: HostLinks | None = None,
    mailer: LinkMailer | None = None,
    path: str | None = None,
) -> Flask:
    """The staff's pages, a WSGI app to be mounted at ``/settings/portal``.

    Args:
        portal: whose pages.
        authorize: given the WSGI environ of each request, names the member of staff (text or
            `Staff`) or nobody (None). Without it nobody gets in.
        seller: as for `customer_app`; the previews show it.
        theme: as for `customer_app`.
        host: the ways back into the host's application.
        mailer: sends links by e-mail, such as `basis_portal.mail.Mailer`; without one staff copy
            them.
        path: the whole path the app stands at, for a proxy that takes it away; None where
            the mount (``SCRIPT_NAME``) says it.

    Raises:
        InvalidValue: an argument breaks its rule.
    """
    if not callable(authorize):
        raise InvalidValue.of("authorize", authorize, "must be a callable given the WSGI environ")
    root = None if path is None else root_of("path", path)
    site = Site.of(portal, seller=seller, theme=theme, host=host, mailer=mailer)
    return make_staff_app(site, authorize, root=root)


def create_app(
    portal: Portal,
    *,
    authorize: Authorize = nobody,
    seller: Seller | None = None,
    theme: Theme | None = None,
    host: HostLinks | None = None,
    mailer: LinkMailer | None = None,
    renewals: bool = False,
    path: str | None = None,
) -> WSGIApp:
    """Both in one WSGI callable, for a host's root.

    The customers' pages are at the path of ``base_url``, the staff's at ``/settings/portal``,
    and all else is not found. Arguments and errors as for `customer_app` and `staff_app`, but
    ``path`` is the whole path of the host's root.
    """
    base_path = _path_of(portal)
    if f"{STAFF_PATH}/" in f"{base_path}/":
        rule = f"must have a path of its own: {STAFF_PATH} is that of the staff's pages"
        raise InvalidValue.of("base_url", portal.base_url, rule)
    https = portal.base_url.startswith("https:")
    both = Both(
        customer_app(
            portal, seller=seller, theme=theme, host=host, mailer=mailer, renewals=renewals
        ),
        staff_app(
            portal, authorize=authorize, seller=seller, theme=theme, host=host, mailer=mailer
        ),
        Headers(not_found, security_headers(https=https, scripts=False)),
        base_path=base_path,
        staff_path=STAFF_PATH,
    )
    return both if path is None else FixedRoot(both, root_of("path", path))


def staff_page(customer_id: str, *, path: str = STAFF_PATH) -> str:
    """The path of the staff's page on one customer's token, for a link in the host's own pages.

    Args:
        customer_id: the customer; where the host does not know it the page is not found.
        path: where the staff's pages are mounted, beginning with ``/``.

    Raises:
        InvalidValue: an argument breaks its rule.
    """
    root_of("path", path)
    key = key_of(check_id("customer_id", customer_id))
    return f"{quote(path.rstrip('/'))}/tokens/{key}"


def _path_of(portal: Portal) -> str:
    return root_of("base_url", unquote(urlsplit(portal.base_url).path))
