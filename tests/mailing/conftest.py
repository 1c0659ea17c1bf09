"""What the tests of mailing share: addresses, outcomes, and messages switched on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from basis_portal import (
    Customer,
    MailError,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
    NoMailAddress,
    Portal,
    PortalConfig,
)
from basis_portal.domain.mail import Mail, MailKind
from basis_portal.portal import Outgoing
from basis_portal.testing.builders import a_customer

REFUSED = MailRefused("the mail server refused the address (550)", code=550)
BUSY = MailRefused("the mail server is busy (451)", code=451, temporary=True)
DOWN = MailServerUnavailable("the mail server cannot be reached")
UNKNOWN = MailOutcomeUnknown("the connection ended in the middle")
ERRORS: list[MailError] = [REFUSED, BUSY, DOWN, UNKNOWN]

Send = Callable[..., Any]


def address_of(customer: Customer) -> str:
    """The address on file, or none."""
    if customer.email is None:
        raise NoMailAddress("no address on file", customer_id=customer.id)
    return customer.email


@pytest.fixture
def open_portal(portal: Portal, storage: Any) -> Portal:
    """The portal with everything shown; C-1001, C-1004 and C-1005 have an address, C-1002 none."""
    storage.customers.save(
        a_customer("C-1004", name="Müller & Söhne", email="buha@mueller.example"),
        a_customer("C-1005", name="Kafes", email="kafes@kafes.example"),
    )
    portal.settings.save(
        PortalConfig(
            enabled=True,
            show_sales_orders=True,
            show_credit_notes=True,
            show_statement=True,
            allow_messages=True,
        )
    )
    portal.mailing.notify(MailKind.REPLY, MailKind.MESSAGE)
    return portal


@pytest.fixture
def turn(portal: Portal) -> Callable[..., Outgoing | Mail | None]:
    """Takes the e-mail that is due and sends it, or fails it; what it was made of."""

    def take(error: MailError | None = None, **claim: Any) -> Outgoing | Mail | None:
        mail = portal.mailing.claim(**claim)
        if mail is None:
            return None
        out = portal.mailing.prepare(mail, address_of)
        if isinstance(out, Mail):
            return out
        if error is None:
            portal.mailing.sent(out)
        else:
            portal.mailing.failed(out.mail, error, again=True)
        return out

    return take


@pytest.fixture
def turns(turn: Send) -> Callable[..., list[Outgoing | Mail]]:
    """Takes all that are due."""
    return lambda **claim: list(iter(lambda: turn(**claim), None))
