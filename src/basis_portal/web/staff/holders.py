"""Customers and their latest tokens, as the pages of tokens show them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import attrs
from werkzeug.exceptions import NotFound

from ...domain.checks import check_id
from ...domain.customers import Customer
from ...domain.mail import Mail
from ...domain.mail_address import read_address
from ...domain.portal_token import PortalToken, TokenStatus
from ...domain.url_keys import id_of, key_of
from ...errors import InvalidValue
from ..answering import site

WEEK = dt.timedelta(days=7)


@attrs.define(frozen=True)
class Holder:
    """A customer with its latest token.

    Attributes:
        id: the customer's id.
        customer: the customer, or None where the host has none of this id any more.
        token: its latest token, or None.
        opened_at: when that token was last opened, or None.
        now: the instant of which this is true.
        mailed: the e-mail that last brought the customer a link, or None; only where the pages
            have a mailer.
    """

    id: str
    customer: Customer | None
    token: PortalToken | None
    opened_at: dt.datetime | None
    now: dt.datetime
    mailed: Mail | None = None

    @property
    def key(self) -> str:
        """What stands for the customer in an address."""
        return key_of(self.id)

    @property
    def name(self) -> str:
        """The customer's name; its id where nobody knows more of it."""
        return self.customer.name if self.customer else self.id

    @property
    def status(self) -> str:
        """How the token stands: ``none``, or a `TokenStatus`."""
        return self.token.status_at(self.now).value if self.token else "none"

    @property
    def is_active(self) -> bool:
        """True where the token is active."""
        return self.status == TokenStatus.ACTIVE

    @property
    def is_current(self) -> bool:
        """True where there is a token to revoke."""
        return self.token is not None and self.token.is_current

    @property
    def is_shut_out(self) -> bool:
        """True where no link opens, whatever the token: the customer is blocked, or gone."""
        return self.customer is None or self.customer.blocked

    @property
    def address(self) -> str | None:
        """Where an e-mail to the customer goes: the one address on file, or None."""
        return mail_address(self.customer) if self.customer else None

    @property
    def sent(self) -> Mail | None:
        """The e-mail that last brought the present token's link, or None."""
        is_of_it = self.mailed and self.token and self.mailed.token_id == self.token.id
        return self.mailed if is_of_it else None

    @property
    def days_left(self) -> int | None:
        """Whole days until an active token expires, within the last week; else None."""
        if self.token is None or not self.is_active or self.token.expires_at - self.now > WEEK:
            return None
        return (self.token.expires_at - self.now).days


def mail_address(customer: Customer) -> str | None:
    """Where an e-mail to a customer goes: the one address on file, or None."""
    try:
        found = read_address(customer.email) if customer.email else None
    except InvalidValue:
        return None
    return f"{found.local}@{found.domain}" if found else None


def with_tokens(customers: Iterable[Customer]) -> Sequence[Holder]:
    """These customers with their latest tokens."""
    found = list(customers)
    tokens = site().portal.tokens.latest([one.id for one in found])
    return _holders([(one.id, one, tokens.get(one.id)) for one in found])


def with_customers(tokens: Iterable[PortalToken]) -> Sequence[Holder]:
    """These tokens with their customers."""
    found = list(tokens)
    customers = site().portal.customers.get_many([one.customer_id for one in found])
    return _holders([(one.customer_id, customers.get(one.customer_id), one) for one in found])


def _holders(
    found: Sequence[tuple[str, Customer | None, PortalToken | None]],
) -> Sequence[Holder]:
    portal = site().portal
    opened = portal.tokens.last_opened([token.id for _, _, token in found if token])
    mailed = portal.mailing.last_sent([one for one, _, _ in found]) if site().mailer else {}
    now = portal.now()
    return [
        Holder(
            one,
            customer if customer and customer.id == one else None,
            token,
            opened.get(token.id) if token else None,
            now,
            mailed.get(one),
        )
        for one, customer, token in found
    ]


def holder_of(key: str) -> Holder:
    """The customer whom a part of an address names, with its latest token.

    404 where there is neither such a customer nor a token of one.
    """
    portal, customer_id = site().portal, id_of(key)
    if customer_id is None:
        raise NotFound
    check_id("customer_id", customer_id)  # before the host is asked
    customer, token = portal.customers.get(customer_id), portal.tokens.get(customer_id)
    holder = _holders([(customer_id, customer, token)])[0]
    if holder.customer is None and holder.token is None:
        raise NotFound
    return holder
