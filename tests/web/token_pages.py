"""What the tests of the pages of tokens share: how rows, buttons and links are read from a page."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import attrs
from tests.web.desk import Desk, Page
from werkzeug.test import Client

from basis_portal import Portal, PortalToken
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.testing import FrozenClock
from basis_portal.web import Staff, create_app

KEY = "a secret for tests alone, at least 32 bytes"
ORIGIN = "https://erp.example.com"
BASE_URL = f"{ORIGIN}/portal"
XSS = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def portal_over(storage: Any, clock: FrozenClock, **more: Any) -> Portal:
    """A portal over a storage."""
    return Portal(storage, secret_keys=[KEY], base_url=BASE_URL, clock=clock, **more)


def desk_at(portal: Portal, name: str = "ana", **more: Any) -> Desk:
    """A member of staff at the pages of another portal."""
    authorize = lambda environ: Staff(environ["HTTP_X_STAFF"])  # noqa: E731
    return Desk(Client(create_app(portal, authorize=authorize, **more), use_cookies=False), name)


def path(customer_id: str) -> str:
    """The path of the page of a customer's token."""
    return f"/tokens/{key_of(customer_id)}"


def latest(portal: Portal, customer_id: str = demo.KOPI) -> PortalToken:
    """The customer's latest token."""
    token = portal.tokens.get(customer_id)
    assert token
    return token


@attrs.define
class Row:
    """A row of the list.

    Attributes:
        cells: what is read in each of its cells.
        html: its content.
    """

    cells: list[str]
    html: str

    @property
    def names(self) -> list[str]:
        """The full names of its buttons and links in the last cell."""
        last = self.html.rpartition("<td")[2]
        return [unescape(name) for name in re.findall(r'aria-label="([^"]*)"', last)]


def rows_of(page: Page) -> dict[str, Row]:
    """The rows of a list, by the customer's name."""
    found = {}
    for html in re.findall(r'<tr role="row">\n(<td.*?)</tr>', page.html, re.DOTALL):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", html, re.DOTALL)
        plain = [" ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for cell in cells]
        name = unescape(re.sub(r"<[^>]*>", "", re.findall(r"<a[^>]*>(.*?)</a>", cells[0])[0]))
        found[name] = Row(plain, html)
    return found


def shown_link(page: Page) -> str | None:
    """The link that stands on a page, or None."""
    found = re.search(r'<p class="secret" id="link"[^>]*>([^<]*)</p>', page.html)
    return unescape(found[1]) if found else None


def buttons(page: Page) -> list[str]:
    """What can be done, in this order."""
    blocks = re.findall(r'<div class="actions">(.*?)</div>', page.html, re.DOTALL)
    found = re.findall(r"<(?:a|button)[^>]*>(.*?)</(?:a|button)>", "".join(blocks), re.DOTALL)
    words = [re.sub(r'<span class="after".*?</span>', "", one) for one in found]
    return [re.sub(r"<[^>]*>", "", one) for one in words]
