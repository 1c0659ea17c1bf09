"""The demo's seller, served for a browser: the link of each customer, the pages of staff."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from email.message import EmailMessage
from typing import Any

import attrs
import pytest
from tests.browser.sites import Serve, Site
from tests.web.conftest import Failing, WithFiles

from basis_portal import Customer, Edition, Portal
from basis_portal.demo import seller as demo
from basis_portal.domain.url_keys import key_of
from basis_portal.mail import Mailer
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing import FrozenClock
from basis_portal.web import HostLinks, Staff, Theme, create_app

KEY = "a secret for tests alone, at least 32 bytes"
NOW = dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC)
HOST = HostLinks(
    name="Demo ERP",
    home="/erp",
    customer="/erp/customers/{customer_id}",
    feature_settings="/erp/features",
)
WITH_EMAIL = attrs.evolve(HOST, email_settings="/erp/e-mail")
FEW = 24
"""How many invoices the long account has where nobody looks at it."""

VISITORS = pytest.mark.parametrize(
    "how",
    [
        {"width": "phone", "javascript": True, "dark": False},
        {"width": "phone", "javascript": False, "dark": True},
        {"width": "desktop", "javascript": True, "dark": True},
        {"width": "desktop", "javascript": False, "dark": False},
    ],
    ids=["phone", "dark phone without scripts", "dark desktop", "desktop without scripts"],
)
"""Each two of width, scripts and colours together."""


def expect(found: Any) -> Any:
    """Playwright's assertions, which wait; imported only where there is a browser."""
    from playwright.sync_api import expect as waiting

    return waiting(found)


class Tray:
    """Where e-mails go that are sent in tests.

    Attributes:
        messages: those that were sent, oldest first.
        error: what sending fails with, or None.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.messages: list[EmailMessage] = []
        self.error = error

    @contextmanager
    def connect(self) -> Iterator[Tray]:
        """This tray itself."""
        yield self

    def send(self, message: EmailMessage) -> None:
        """Keep a message, or fail."""
        if self.error is not None:
            raise copy(self.error)
        self.messages.append(message)


@attrs.define
class Shop:
    """A seller's portal at a site.

    The member of staff is named by the header ``X-Staff``: "ana" where there is none, nobody
    where it is "nobody"; "reader" may only look.

    Attributes:
        site: where it is served.
        storage: fails where it is told to.
        clock: stands still.
        portal: the portal.
        edition: of the host.
        feature: the host's switch.
        tray: where e-mails go, or None where none are sent.
    """

    site: Site
    storage: Failing
    clock: FrozenClock
    portal: Portal = attrs.field(init=False)
    edition: Edition = Edition.SERVER
    feature: bool = True
    tray: Tray | None = None

    @classmethod
    def at(
        cls,
        site: Site,
        *,
        invoices: int = FEW,
        files: bool = False,
        seller: Any = demo.SELLER,
        theme: Theme | None = None,
        host: HostLinks = HOST,
    ) -> Shop:
        """Fill a storage with the demo's customers, who all read English, and serve a site."""
        shop = cls(site, Failing(InMemoryStorage()), FrozenClock(NOW))
        base_url = f"{site.url}/portal"
        storage: Any = shop.storage
        demo.make_seller(storage, shop.clock, base_url=base_url, invoices=invoices)
        storage.customers.save(*(attrs.evolve(one, language="en") for one in demo.CUSTOMERS))
        shop.portal = Portal(
            storage,
            secret_keys=[KEY],
            base_url=base_url,
            clock=shop.clock,
            edition=lambda: shop.edition,
            feature_enabled=lambda: shop.feature,
            documents=WithFiles(storage.documents) if files else None,  # type: ignore[arg-type]
        )
        shop.dress(seller=seller, theme=theme, host=host)
        return shop

    def dress(
        self,
        *,
        seller: Any = demo.SELLER,
        theme: Theme | None = None,
        host: HostLinks = HOST,
        renewals: bool = False,
    ) -> None:
        """Serve it under another name, in other colours, in another host."""
        theme = theme or Theme(colour="#1f5673")
        self.site.app = create_app(
            self.portal,
            authorize=_authorize,
            seller=seller,
            theme=theme,
            host=host,
            mailer=self.mailer,
            renewals=renewals,
        )

    @property
    def mailer(self) -> Mailer | None:
        """What sends e-mails into the tray, or None where there is none."""
        if self.tray is None:
            return None
        sender = "portal@nordlicht.example"
        return Mailer(self.portal, transport=self.tray, sender=sender, seller=demo.SELLER)

    def send_mail(self, error: Exception | None = None, *, renewals: bool = False) -> Tray:
        """From now on the pages have a mailer, which fails where an error is given."""
        self.tray = Tray(error)
        self.dress(host=WITH_EMAIL, renewals=renewals)
        return self.tray

    def link(self, customer_id: str = demo.KOPI, below: str = "") -> str:
        """A page under the customer's link, which is generated where there is none."""
        self.portal.tokens.ensure(customer_id, by="ana")
        return self.portal.tokens.link(customer_id, by="ana") + below

    def document(self, document_id: str, customer_id: str = demo.KOPI) -> str:
        """The page of a document."""
        return self.link(customer_id, f"/document/{key_of(document_id)}")

    def staff(self, below: str = "") -> str:
        """A page of staff."""
        return f"{self.site.url}/settings/portal{below}"

    def token(self, customer_id: str = demo.KOPI, below: str = "") -> str:
        """A page of staff about a customer's token."""
        return self.staff(f"/tokens/{key_of(customer_id)}{below}")

    def set(self, **changes: Any) -> None:
        """Change settings."""
        present = self.portal.settings.get().config
        self.portal.settings.save(attrs.evolve(present, **changes), by="ben")

    def write(self, text: str, customer_id: str = demo.KOPI, **more: Any) -> None:
        """Send a message as a customer does."""
        self.portal.open(self.link(customer_id).rsplit("/", 1)[1]).send_message(text, **more)

    def save(self, *customers: Customer) -> None:
        """Change what the host says of customers."""
        repository: Any = self.portal.customers
        repository.save(*customers)

    def speak(self, language: str, customer_id: str = demo.KOPI) -> None:
        """Change the language of a customer in the host."""
        found = self.portal.customers.get(customer_id)
        assert found
        self.save(attrs.evolve(found, language=language))

    def block(self, customer_id: str = demo.KOPI) -> None:
        """Block a customer in the host."""
        found = self.portal.customers.get(customer_id)
        assert found
        self.save(attrs.evolve(found, blocked=True))

    def forget(self, customer_id: str) -> None:
        """Delete a customer in the host."""
        repository: Any = self.portal.customers
        repository.delete(customer_id)


def open_shop(serve: Serve, **more: Any) -> Shop:
    """A shop at a site of its own."""
    return Shop.at(serve(), **more)


def _authorize(environ: dict[str, Any]) -> Staff | None:
    name = environ.get("HTTP_X_STAFF", "ana")
    return None if name == "nobody" else Staff(name, read_only=name == "reader")


def go(page: Any, words: str) -> None:
    """Go to a page of the portal as one does: by the tabs, on a phone by the overview's menu."""
    if page.get_by_role("navigation", name="Pages").is_visible():
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=words).click()
        return
    menu = page.get_by_role("navigation", name="All pages")
    if not menu.is_visible():
        page.get_by_role("link", name="Overview").first.click()
    menu.get_by_role("link", name=words).click()
