"""What an e-mail is made of when its turn has come, and who gets none after all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import attrs

from .admission import Admitted
from .context import Context
from .domain.audit import SYSTEM
from .domain.config import PortalConfig
from .domain.customers import Customer
from .domain.mail import (
    MAILS_AT_ONCE,
    MAILS_WITHIN,
    NOTICE_EVERY,
    NOTICE_GOES_BACK,
    WENT_OUT,
    Mail,
    MailKind,
    MailStatus,
)
from .domain.messages import Author, Message
from .domain.portal_token import EndedAs, PortalToken, TokenStatus
from .domain.visibility import Section
from .repositories import UnitOfWork
from .tokens import Issuing
from .visible import Visible

NOTICED_AT_ONCE = 50
"""How many messages a notice tells of at most, the newest ones."""
EXPIRING_NAMED = 200
"""How many links a notice of expiring links names at most."""
LOOKED_BACK = 200
"""How many e-mails, and messages, are looked through for what was told before."""

AddressOf = Callable[[Customer], str]
"""The one address on file of a customer; `NoMailAddress` where there is none."""


class MailSkip(StrEnum):
    """Why an e-mail was not to be sent when its turn came: the ``problem`` of a skipped one."""

    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    NO_ADDRESS = "no_address"
    REVOKED = "revoked"
    NOT_EXPIRED = "not_expired"
    THROTTLED = "throttled"
    HIDDEN = "hidden"
    NOTHING_NEW = "nothing_new"


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class Outgoing:
    """What an e-mail is made of, at the moment it is sent. Its ``repr`` tells no link.

    Attributes:
        mail: the e-mail, being sent.
        customer: whom it concerns, None in a notice of several.
        link: the secret address it carries, None in what staff get.
        expires_at: until when that works, UTC, or None.
        replaces: True where it is the first to bring this link, and the customer had another
            token before, whose links no longer work.
        sections: what the customer may open under the link.
        messages: what a notice tells of, oldest first.
        more_messages: how many older ones it leaves out.
        numbers: by id, the numbers of documents that these messages are about.
        expiring: customers and tokens that a notice of expiring links names, soonest first.
        more: True where more expire than it names.
    """

    mail: Mail
    customer: Customer | None = None
    link: str | None = None
    expires_at: dt.datetime | None = None
    replaces: bool = False
    sections: tuple[Section, ...] = ()
    messages: tuple[Message, ...] = ()
    more_messages: int = 0
    numbers: Mapping[str, str] = attrs.field(factory=dict)
    expiring: tuple[tuple[Customer, PortalToken], ...] = ()
    more: bool = False


@attrs.define(frozen=True, slots=False, eq=False, repr=False)
class Turn:
    """The turn of an e-mail that concerns a customer, within one transaction."""

    context: Context
    unit: UnitOfWork
    mail: Mail
    customer: Customer
    config: PortalConfig
    now: dt.datetime

    def for_staff(self) -> Outgoing | Mail | MailSkip:
        """A notice of what the customer wrote."""
        return self._with_messages()

    def for_customer(self, address: str) -> Outgoing | Mail | MailSkip:
        """An e-mail with the link of the active token, or of a new one as by ``ensure``.

        The e-mail alone where it waits, since many went to the customer lately.
        """
        token = self.unit.tokens.latest([self.customer.id]).get(self.customer.id)
        status = token.status_at(self.now) if token else None
        if status is TokenStatus.REVOKED:
            return MailSkip.REVOKED
        if self.mail.kind is MailKind.RENEWAL and not self._is_renewable():
            return MailSkip.NOT_EXPIRED
        is_reply = self.mail.kind is MailKind.REPLY
        found = self._with_messages() if is_reply else self._unless_many()
        if not isinstance(found, Outgoing):
            return found
        if token is None or status is not TokenStatus.ACTIVE:
            issuing = Issuing(self.context, self.now, self.mail.by or SYSTEM, None)
            token = issuing.replace(self.unit, {self.customer.id: token})[0]
        ready = attrs.evolve(found.mail, token_id=token.id, address=address)
        self.unit.mails.change(self.mail, ready)
        return attrs.evolve(
            attrs.evolve(self, mail=ready).with_link(token),
            messages=found.messages,
            more_messages=found.more_messages,
        )

    def with_link(self, token: PortalToken) -> Outgoing:
        """The e-mail with a token's link."""
        visible = self._visible(token)
        return Outgoing(
            self.mail,
            self.customer,
            link=self.context.link(token.id),
            expires_at=token.expires_at,
            replaces=self._is_new(token),
            sections=tuple(filter(visible.shows, Section)),
        )

    def _is_new(self, token: PortalToken) -> bool:
        """True where the customer had another token, and no e-mail brought this one yet."""
        if token.replaces is None and len(self.unit.tokens.history(self.customer.id)) == 1:
            return False
        before = self.unit.mails.of_customer(self.customer.id, limit=LOOKED_BACK)
        return not any(
            one.token_id == token.id and one.id != self.mail.id and one.status in WENT_OUT
            for one in before
        )

    def _visible(self, token: PortalToken | None = None) -> Visible:
        return Visible(self.context, Admitted(self.customer, self.config, self.now, token))

    def _is_renewable(self) -> bool:
        token = self.unit.tokens.get(self.mail.about) if self.mail.about else None
        return token is not None and has_run_out(token, self.now)

    def _unless_many(self) -> Outgoing | Mail | MailSkip:
        # This one, being sent, is among those that went out.
        retry_at = full_until(self.unit, self.customer.id, self.now, MAILS_AT_ONCE + 1)
        if retry_at is None:
            return Outgoing(self.mail)
        if self.mail.kind is MailKind.RENEWAL:
            return MailSkip.THROTTLED
        return self._wait_until(retry_at)

    def _with_messages(self) -> Outgoing | Mail | MailSkip:
        """What the notice tells of: what no earlier one told."""
        if self.mail.kind is MailKind.REPLY and not self._visible().shows(Section.MESSAGES):
            return MailSkip.HIDDEN
        others = [
            one
            for one in self.unit.mails.of_customer(self.customer.id, limit=LOOKED_BACK)
            if one.kind is self.mail.kind and one.id != self.mail.id
        ]
        messages = self._untold(others)
        if not messages:
            return MailSkip.NOTHING_NEW
        if free_at := _free_at(others, self.now):
            return self._wait_until(free_at)
        told = attrs.evolve(self.mail, about=messages[0].id)
        self.unit.mails.change(self.mail, told)
        shown = messages[:NOTICED_AT_ONCE]
        more = len(messages) - len(shown)
        return Outgoing(told, self.customer, messages=tuple(shown[::-1]), more_messages=more)

    def _untold(self, others: Sequence[Mail]) -> list[Message]:
        """The messages that no notice told of yet, newest first; to staff only what is unread.

        They go back to the newest that was told of; where none was, to the first notice that was
        queued, by clocks that may differ a little.
        """
        told = {one.about for one in others if one.status in (MailStatus.SENT, MailStatus.UNKNOWN)}
        since = min(one.queued_at for one in (self.mail, *others)) - NOTICE_GOES_BACK
        author = Author.CUSTOMER if self.mail.kind is MailKind.MESSAGE else Author.SELLER
        found = []
        for message in self.unit.messages.page(self.customer.id, limit=LOOKED_BACK):
            if message.id in told or message.at < since:
                break
            if message.author is author and message.read_at is None:
                found.append(message)
        return found

    def _wait_until(self, instant: dt.datetime) -> Mail:
        later = attrs.evolve(self.mail, status=MailStatus.QUEUED, due_at=instant)
        self.unit.mails.change(self.mail, later)
        return later


def _free_at(others: Sequence[Mail], now: dt.datetime) -> dt.datetime | None:
    """From when another notice may go out, or None where at once."""
    taken = (one.claimed_at for one in others if one.claimed_at and one.status in WENT_OUT)
    last = max((one for one in taken if one <= now), default=None)
    return last + NOTICE_EVERY if last is not None and now < last + NOTICE_EVERY else None


def full_until(
    unit: UnitOfWork, customer_id: str, now: dt.datetime, most: int
) -> dt.datetime | None:
    """From when the customer may get another e-mail with a link, or None where at once."""
    since = unit.mails.went_out(customer_id, now - MAILS_WITHIN)
    recent = [instant for instant in since if instant <= now]
    return recent[-most] + MAILS_WITHIN if len(recent) >= most else None


def has_run_out(token: PortalToken, now: dt.datetime) -> bool:
    """True for a token whose days are over, unless staff revoked it.

    One that was replaced is among them: its holder asks for the link that took its place.
    """
    return token.ended_as is not EndedAs.REVOKED and token.expires_at <= now
