"""`Mailer`: sends a portal's e-mails over a transport."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from ..domain.customers import Customer
from ..domain.mail import Mail, MailKind
from ..domain.seller import Seller
from ..domain.url_keys import key_of
from ..errors import (
    InvalidValue,
    MailError,
    MailOutcomeUnknown,
    MailServerUnavailable,
    NoMailAddress,
    StorageError,
    frames_of,
    shown,
)
from ..portal import Outgoing, Portal, RunReport
from .addresses import parse_address
from .letters import Letters
from .message import Letter
from .transport import Connection, Transport

_FAULTS_BORNE = 3
_LISTED_DAYS = 7
log: logging.Logger = logging.getLogger("basis_portal.mail")


class Mailer:
    """Sends the e-mails of a portal: links to customers, notices of messages and of expiry.

    A link goes to the address on file alone. Each e-mail is noted before it is sent and its
    outcome after, so that none is sent twice: where the process ends in between, it is reported
    as of unknown outcome.

    From the moment there is a mailer, messages that are written in this process queue notices:
    to customers of what staff reply, and to staff, if their address is given, of what customers
    write. Make one in each process that has a portal.

    Args:
        portal: whose e-mails.
        transport: carries them away, such as `SMTPTransport`.
        sender: the address they come from, such as ``portal@seller.example``.
        seller: who the customers deal with; its name stands before ``sender`` and its e-mail
            gets the answers. Without one it is named by the address of the portal.
        staff: the address that notices for staff go to, or None for no such notices.
        staff_url: the address of the staff pages, for these notices, or None.
        templates: a folder with templates that take the place of ours, or None.

    Raises:
        InvalidValue: an argument breaks its rule.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        transport: Transport,
        sender: str,
        seller: Seller | None = None,
        staff: str | None = None,
        staff_url: str | None = None,
        templates: Path | str | None = None,
    ) -> None:
        if isinstance(transport, type) or not callable(getattr(transport, "connect", None)):
            raise InvalidValue.of("transport", transport, "must be one, such as SMTPTransport")
        self.portal: Portal = portal
        self._transport = transport
        self._sender: Address = parse_address(sender, field="sender")
        self._seller = seller or Seller(urlsplit(portal.base_url).hostname or portal.base_url)
        self._staff = None if staff is None else parse_address(staff, field="staff")
        self._staff_url = None if staff_url is None else _checked_url(staff_url)
        self._letters = Letters(self._seller, portal.timezone, templates=templates)
        portal.mailing.notify(MailKind.REPLY)
        if self._staff is not None:
            portal.mailing.notify(MailKind.MESSAGE)

    def __repr__(self) -> str:
        return f"<Mailer of {self.portal!r} from {self._sender.addr_spec}>"

    # --- at once

    def send_link(
        self, customer_id: str, *, by: str | None = None, mail_id: str | None = None
    ) -> Mail:
        """E-mail the link of the customer's active token to the address on file, and wait.

        Whatever happens, the token stays as it is.

        Args:
            customer_id: whose link.
            by: who sends it.
            mail_id: the id that the e-mail is to have, 22 characters of base64url, or None for
                a new one. Asked for twice, as by a button pressed twice, it is sent once; the
                second call returns it as it stands then, and does not wait.

        Raises:
            CustomerNotFound, CustomerBlocked: the customer gets no link.
            NoMailAddress: there is no address on file, or it is not one.
            NoActiveToken: there is no link to send.
            TooManyMails: 5 e-mails with a link went to the customer in the last 30 minutes.
            MailRefused, MailServerUnavailable: it was not sent; noted.
            MailOutcomeUnknown: it may have been sent; noted.
            PortalNotAvailable: edition, feature or master switch is off.
            InvalidValue: an argument breaks its rule, or the id is that of another e-mail.
        """
        out = self.portal.mailing.begin(customer_id, address_of, by=by, mail_id=mail_id)
        if out.link is None:
            return out.mail
        try:
            message = self._written(out)
            with _Way(self._transport) as way:
                way.send(message)
        except MailError as error:
            self.portal.mailing.failed(out.mail, error, again=False)
            raise
        return self.portal.mailing.sent(out)

    # --- many

    def send_links(
        self, customer_ids: Iterable[str], *, run: str, by: str | None = None
    ) -> Iterator[Mail]:
        """E-mail each customer the link, once for each run, and yield what became of each.

        All are queued first. Then they are sent over one connection, also those of this run
        that an earlier call left; other processes may call `run` at the same time. Repeating
        it sends what is left and nothing twice.

        Args:
            customer_ids: whom; who has no active token gets one, as by `TokenService.ensure`.
            run: names the run, such as ``"invoices 2026-04"``.
            by: who acts.

        Raises:
            InvalidValue: an id is none.
            MailServerUnavailable: the server cannot be reached; all that is left stays queued.
        """
        for _ in self.portal.mailing.queue_links(customer_ids, run=run, by=by):
            pass
        return self.run(run=run)

    def run(self, *, run: str | None = None, limit: int | None = None) -> Iterator[Mail]:
        """Send what is queued and due, over one connection, and yield what became of each.

        For a host's scheduler, every minute or so: renewals, notices and what is left of runs.
        Any number of processes may do so at once. A yielded e-mail whose status is queued was
        not taken and is tried again later. Nothing is sent while the portal is off.

        Args:
            run: only what is of this run.
            limit: at most so many, or all.

        Raises:
            MailServerUnavailable: the server cannot be reached; all that is left stays queued.
            MailError: the host's repositories failed three times; all that is left stays queued.
            StorageError: what became of an e-mail cannot be noted.
        """
        mailing = self.portal.mailing
        mailing.give_up_lost()
        done = faults = 0
        with _Way(self._transport) as way:
            while (limit is None or done < limit) and (mail := mailing.claim(run=run)):
                done += 1
                try:
                    out = mailing.prepare(mail, address_of)
                except StorageError:
                    raise  # nothing can be noted: the e-mail is queued again when its time is up
                except Exception as error:
                    fault = MailError(f"the application failed ({type(error).__name__})")
                    yield mailing.failed(mail, fault, again=True)
                    faults += 1
                    if faults >= _FAULTS_BORNE:
                        raise fault from error
                    continue
                if isinstance(out, Mail):
                    yield out
                    continue
                try:
                    way.send(self._written(out))
                except MailServerUnavailable as error:
                    yield mailing.failed(out.mail, error, again=True)
                    raise
                except MailError as error:
                    yield mailing.failed(out.mail, error, again=True)
                else:
                    yield mailing.sent(out)

    def report(self, run: str | None = None) -> RunReport:
        """How far a run has come, or with None all that is of no run."""
        return self.portal.mailing.report(run)

    def notify_of_expiry(self, *, within_days: int = 7, by: str | None = None) -> bool:
        """Queue a notice to staff of the links that expire soon; for a host's scheduler.

        True where there are any. Raises `InvalidValue` where there is no address of staff.
        """
        if self._staff is None:
            raise InvalidValue("Mailer(staff=...) must be given: nobody would get the notice")
        notice = self.portal.mailing.queue_expiry_notice(within_days=within_days, by=by)
        return notice is not None

    # --- the words

    def _letter(self, out: Outgoing) -> Letter:
        kind, customer = out.mail.kind, out.customer
        if kind is MailKind.EXPIRING or customer is None:
            days = int(out.mail.about or 1)
            # The page that lists them goes a week ahead; all active ones are listed by expiry too.
            listed = "soon" if days <= _LISTED_DAYS else "active"
            page = self._staff_page(f"tokens?status={listed}")
            return self._letters.expiring(out.expiring, page, days, more=out.more)
        about = {one.id: out.numbers.get(one.document_id or "") for one in out.messages}
        if kind is MailKind.MESSAGE:
            page = self._staff_page(f"messages/{key_of(customer.id)}")
            more = out.more_messages
            return self._letters.customer_wrote(customer, page, out.messages, about, more=more)
        assert out.link is not None
        assert out.expires_at is not None
        if kind is MailKind.REPLY:
            return self._letters.answered(
                customer, out.link, out.expires_at, out.messages, about, more=out.more_messages
            )
        return self._letters.link(
            customer, out.link, out.expires_at, out.sections, replaces=out.replaces
        )

    def _staff_page(self, path: str) -> str | None:
        return None if self._staff_url is None else f"{self._staff_url}/{path}"

    def _written(self, out: Outgoing) -> EmailMessage:
        """The message of an e-mail. A template that fails is a `MailError`: nothing was sent."""
        try:
            letter = self._letter(out)
            return self._letters.message(
                letter,
                sender=self._sender.addr_spec,
                to=self._recipient(out),
                date=self.portal.now(),
                message_id=f"<{out.mail.id}@{self._sender.domain}>",
                reply_to=None if out.mail.kind.is_to_staff else self._seller.email,
            )
        except Exception as error:
            kind, why = type(error).__name__, frames_of(error)
            if isinstance(error, InvalidValue) and (error.field or "").endswith((".txt", ".html")):
                why = str(error)  # which names the template, and what is wrong there
            log.error("e-mail %s could not be written: %s\n%s", out.mail.id[:8], kind, why)
            raise MailError(f"the e-mail could not be written ({kind}); see the log") from None

    def _recipient(self, out: Outgoing) -> str:
        if not out.mail.kind.is_to_staff:
            return str(out.mail.address)
        if self._staff is None:
            raise MailError("there is no address of staff: Mailer(staff=...)")
        return self._staff.addr_spec


def _checked_url(url: object) -> str:
    """The address of the staff pages, without a final slash."""
    if not isinstance(url, str) or not re.fullmatch(r"https?://[^\s<>\"]+", url):
        rule = "must be an http address such as 'https://erp.example.com/settings/portal'"
        raise InvalidValue.of("staff_url", url, rule)
    return url.rstrip("/")


def address_of(customer: Customer) -> str:
    """The address on file. Raises `NoMailAddress` unless it is exactly one."""
    if customer.email is None:
        raise NoMailAddress(
            f"customer {shown(customer.id)} has no e-mail address on file", customer_id=customer.id
        )
    try:
        return parse_address(customer.email).addr_spec
    except InvalidValue as error:
        raise NoMailAddress(
            f"the e-mail address on file of customer {shown(customer.id)} cannot be used: {error}",
            customer_id=customer.id,
        ) from None


class _Way:
    """A transport's connection, opened when it is first used. What it raises means something.

    Before `Connection.send` is called nothing can have been sent; within it nobody knows, unless
    the transport does; once it has returned the message is sent, whatever leaving it brings.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._opened = ExitStack()
        self._connection: Connection | None = None

    def __enter__(self) -> _Way:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._opened.close()
        except Exception as error:
            log.warning("the transport failed as it was left: %s", type(error).__name__)

    def send(self, message: EmailMessage) -> None:
        """Send a message. Raises a `MailError` whatever the transport raised."""
        if self._connection is None:
            self._connection = self._open()
        try:
            self._connection.send(message)
        except MailError:
            raise
        except Exception as error:
            # Without what it says: it may have quoted the e-mail.
            raise MailOutcomeUnknown(
                f"the transport failed ({type(error).__name__}); nobody knows whether the e-mail "
                "was sent"
            ) from None

    def _open(self) -> Connection:
        try:
            return self._opened.enter_context(self._transport.connect())
        except MailError:
            raise
        except Exception as error:
            raise MailServerUnavailable(
                f"the transport failed ({type(error).__name__}) before anything was sent"
            ) from None
