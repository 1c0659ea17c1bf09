"""E-mails over SMTP. The only module that knows smtplib.

smtplib gives the pieces of the dialogue: commands, answers, what a server offers. The order of
the steps is ours, because what a failure means depends on the step: before the content went
out nothing was sent; an answer of 4xx or 5xx says that nothing was; in between nobody knows.
"""

from __future__ import annotations

import base64
import io
import ipaddress
import math
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import Any, NamedTuple

import attrs

from ..domain.checks import check_line, check_member, check_whole_number, checked
from ..errors import (
    InvalidValue,
    MailOutcomeUnknown,
    MailRefused,
    MailServerUnavailable,
    one_line,
)
from .envelope import Envelope

PORTS = {"starttls": 587, "tls": 465, "none": 25}
_GOODBYE = 5.0  # seconds for an answer to QUIT, which changes nothing
_PIECE = 32768  # bytes written at once, so that time is looked at between them
_SHOWN = 200  # characters of an answer that an error repeats
# Not about this e-mail: the server closes, or wants a login that we were not given.
_ABOUT_US = {421, 530}
_FAILURES = (OSError, smtplib.SMTPException, UnicodeError)


class _Answer(NamedTuple):
    """An answer of the server: its number, and what it said in one readable line."""

    code: int
    said: str

    @classmethod
    def of(cls, reply: tuple[int, bytes]) -> _Answer:
        code, text = reply
        return cls(code, one_line(text.decode("utf-8", "replace"), _SHOWN))

    @property
    def is_refusal(self) -> bool:
        return 400 <= self.code < 600

    def __str__(self) -> str:
        number = f"({self.code})" if self.code > 0 else "(no answer of SMTP)"
        return f"{number}: {self.said}" if self.said else number


class _ServerGone(MailServerUnavailable):
    """The server closed before it had heard of this e-mail."""


def _check_seconds(field: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < float(value) <= 3600:  # type: ignore[arg-type]
        raise InvalidValue.of(field, value, "must be a number of seconds above 0, at most 3600")


def _check_security(field: str, value: object) -> None:
    if not isinstance(value, str) or value not in PORTS:
        raise InvalidValue.of(field, value, 'must be "starttls", "tls" or "none"')


def _check_password(field: str, value: object) -> None:
    if not isinstance(value, str):  # not shown: it may be a password all the same
        raise InvalidValue(f"{field} must be text, not {type(value).__name__}", field=field)
    check_line(field, value, limit=1000)


def _check_host_name(field: str, value: object) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,255}", check_line(field, value, limit=255)):
        raise InvalidValue.of(field, value, "must be the name or number of a computer")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@attrs.define(frozen=True, eq=False)
class SMTPTransport:
    """E-mails handed to a mail server over SMTP, one connection at a time.

    The server's certificate is verified. With ``security="none"`` whoever is on the way reads
    the links; it is meant for a server on the same machine or in a trusted network.

    Attributes:
        host: name or number of the mail server.
        port: by default 587 for ``starttls``, 465 for ``tls`` and 25 for ``none``.
        security: ``starttls`` (encrypted before anything is said; a server that does not offer
            it gets no e-mail), ``tls`` (encrypted from the first byte) or ``none``.
        username: whom to log in as, or None.
        password: its password; never in a ``repr`` or an error.
        timeout: seconds that the server may take for each step.
        message_timeout: seconds for one e-mail in all, a new connection included, but not the
            look-up of the server's name, which the machine bounds. The server may take what is
            left of them for its last answer: one that is missed there leaves an e-mail of which
            nobody knows whether it was sent.
        context: how to encrypt, for a certificate authority of one's own. By default what
            `ssl.create_default_context` gives.
        local_hostname: what we call ourselves; by default the name of this machine.

    Raises:
        InvalidValue: an argument breaks its rule; also a login over a connection that is not
            encrypted, except to this machine.
    """

    host: str = attrs.field(validator=checked(_check_host_name))
    security: str = attrs.field(
        default="starttls", kw_only=True, validator=checked(_check_security)
    )
    port: int = attrs.field(validator=checked(check_whole_number, 1, 65535))
    username: str | None = attrs.field(
        default=None, kw_only=True, validator=checked(check_line, limit=1000, optional=True)
    )
    password: str | None = attrs.field(
        default=None, kw_only=True, repr=False, validator=checked(_check_password, optional=True)
    )
    timeout: float = attrs.field(default=30.0, kw_only=True, validator=checked(_check_seconds))
    message_timeout: float = attrs.field(
        default=120.0, kw_only=True, validator=checked(_check_seconds)
    )
    context: ssl.SSLContext | None = attrs.field(
        default=None, kw_only=True, validator=checked(check_member, ssl.SSLContext, optional=True)
    )
    local_hostname: str | None = attrs.field(
        default=None, kw_only=True, validator=checked(_check_host_name, optional=True)
    )

    @port.default
    def _usual_port(self) -> int:
        return PORTS.get(self.security, 25) if isinstance(self.security, str) else 25

    def __attrs_post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise InvalidValue(
                "SMTPTransport.username and password must be given together", field="username"
            )
        if self.username is not None and self.security == "none" and not _is_loopback(self.host):
            raise InvalidValue(
                'SMTPTransport.security must be "starttls" or "tls" where there is a password, '
                "except for a server on this machine",
                field="security",
            )

    @contextmanager
    def connect(self) -> Iterator[SMTPConnection]:
        """A connection, made and logged in when entered.

        Raises `MailServerUnavailable` where the server cannot be reached, its certificate is
        not trusted or it does not let us in. So ``with transport.connect(): pass`` is a check.
        """
        connection = SMTPConnection(self)
        connection.open()
        try:
            yield connection
        finally:
            connection.close()


class SMTPConnection:
    """A connection to a mail server; of one thread at a time."""

    def __init__(self, transport: SMTPTransport) -> None:
        self._transport = transport
        self._dialogue: _Dialogue | None = None  # only between two e-mails, and in step

    def open(self) -> None:
        """Connect now."""
        self._dialogue = _dial(self._transport, self._deadline())

    def send(self, message: EmailMessage) -> None:
        """Send one message, as `Connection.send` says.

        A server that closed meanwhile, as they do with an idle connection, is called once more;
        not later than it has heard of this message.

        Raises:
            InvalidValue: the message is not from one address to one address.
            MailRefused: the server refused the sender, the address or the e-mail.
            MailServerUnavailable: the server could not be reached, or closed before the content.
            MailOutcomeUnknown: it may have been sent.
        """
        envelope, until = Envelope.of(message), self._deadline()
        kept, self._dialogue = self._dialogue, None
        if kept is not None:
            kept.until = until
            with suppress(_ServerGone):
                return self._send(kept, envelope)
        return self._send(_dial(self._transport, until), envelope)

    def _send(self, dialogue: _Dialogue, envelope: Envelope) -> None:
        try:
            dialogue.hand_over(envelope)
        except MailRefused:
            self._dialogue = dialogue if dialogue.forgets() else None
            raise
        except BaseException:
            dialogue.close()
            raise
        self._dialogue = dialogue

    def close(self) -> None:
        """Say goodbye and close. What was sent stays sent, whatever the server answers."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.say_goodbye()

    def _deadline(self) -> float:
        return time.monotonic() + self._transport.message_timeout


def _dial(transport: SMTPTransport, until: float) -> _Dialogue:
    """A new connection, encrypted and logged in."""
    server = f"{transport.host}:{transport.port}"
    with _as_unavailable(server):
        sock = _connected(transport, until)
        try:
            if transport.security == "tls":
                sock = _encrypted(sock, transport)
            dialogue = _Dialogue(sock, server, transport, until)
        except BaseException:
            sock.close()
            raise
        try:
            dialogue.greet()
            if transport.security == "starttls":
                dialogue.encrypt(transport)
            if transport.username is not None and transport.password is not None:
                dialogue.log_in(transport.username, transport.password)
        except BaseException:
            dialogue.close()
            raise
    return dialogue


def _connected(transport: SMTPTransport, until: float) -> socket.socket:
    """A connection to the first address of the server that takes it.

    Not `socket.create_connection`: that grants its time anew to each address of a name.
    """
    failed: OSError = OSError("its name has no address")
    found = socket.getaddrinfo(transport.host, transport.port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in found:
        seconds = min(transport.timeout, _left(until))
        try:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(seconds)
                sock.connect(address)
            except BaseException:
                sock.close()
                raise
        except OSError as error:
            failed = error
        else:
            return sock
    raise failed


def _encrypted(sock: socket.socket, transport: SMTPTransport) -> ssl.SSLSocket:
    context = transport.context or ssl.create_default_context()
    return context.wrap_socket(sock, server_hostname=transport.host)


def _left(until: float) -> float:
    """Seconds until then."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


@contextmanager
def _as_unavailable(
    server: str, kind: type[MailServerUnavailable] = MailServerUnavailable
) -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        raise kind(f"The mail server {server} cannot be used: {error}") from error


class _Dialogue(smtplib.SMTP):
    """What is said over one connection: each step ends in time, and all of them at ``until``."""

    def __init__(
        self, sock: socket.socket, server: str, transport: SMTPTransport, until: float
    ) -> None:
        super().__init__(local_hostname=transport.local_hostname)
        self.sock = sock
        self.until = until
        self._server = server
        self._patience = transport.timeout
        self._step_ends = until

    # --- one step, in time -----------------------------------------------------------------

    def left(self) -> float:
        """Seconds that are left for this step."""
        return _left(self._step_ends)

    def _begin_step(self) -> None:
        self._step_ends = min(self.until, time.monotonic() + self._patience)

    def send(self, s: Any) -> None:
        """Write text or bytes."""
        self._begin_step()
        if self.sock is not None:
            self.sock.settimeout(self.left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read one answer."""
        self._begin_step()
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Incoming(self))
        return super().getreply()

    def _ask(self, command: str) -> _Answer:
        return _Answer.of(self.docmd(command))

    # --- to be let in ----------------------------------------------------------------------

    def greet(self) -> None:
        """Hear the server's first words, and say hello."""
        self._must("does not take us", _Answer.of(self.getreply()), 220)
        self._say_hello()

    def _say_hello(self) -> None:
        answer = _Answer.of(self.ehlo())
        if answer.code != 250:
            self._must("does not say hello", _Answer.of(self.helo()), 250)

    def encrypt(self, transport: SMTPTransport) -> None:
        """Go on encrypted, forgetting what was said before."""
        if not self.has_extn("starttls"):
            raise MailServerUnavailable(f"The mail server {self._server} does not offer STARTTLS")
        self._must("does not encrypt", self._ask("STARTTLS"), 220)
        assert self.sock is not None
        self._begin_step()
        self.sock.settimeout(self.left())
        # What came in before its time was not encrypted and is dropped with the old file.
        self.sock, self.file = _encrypted(self.sock, transport), None
        self._say_hello()

    def log_in(self, username: str, password: str) -> None:
        """Log in. Neither errors nor their causes hold an answer, which may quote the password."""
        # Not smtplib's own: that takes ASCII alone, and the password is in its error.
        ways = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in ways:
            steps = ["AUTH PLAIN " + _base64(f"\0{username}\0{password}")]
        elif "LOGIN" in ways:
            steps = ["AUTH LOGIN", _base64(username), _base64(password)]
        else:
            raise MailServerUnavailable(
                f"The mail server {self._server} offers no login by PLAIN or LOGIN"
            )
        for step, good in zip(steps, [334] * (len(steps) - 1) + [235], strict=True):
            code, text = self.docmd(step)
            if code != good:
                detail = re.match(rb"\d\.\d{1,3}\.\d{1,3}\b", text)
                number = f"{code} {detail.group().decode()}" if detail else str(code)
                raise MailServerUnavailable(
                    f"The mail server {self._server} refused user name or password ({number})"
                )

    def _must(self, trouble: str, answer: _Answer, code: int) -> None:
        if answer.code != code:
            raise MailServerUnavailable(f"The mail server {self._server} {trouble} {answer}")

    # --- one e-mail ------------------------------------------------------------------------

    def hand_over(self, envelope: Envelope) -> None:
        """Hand over one e-mail, as `SMTPConnection.send` says; `_ServerGone` at its first step."""
        self._name_sender(envelope)
        with _as_unavailable(self._server):
            self._check("the address", self._ask(f"RCPT TO:<{envelope.recipient}>"), 250, 251)
            self._check("the e-mail", self._ask("DATA"), 354)
        answer = self._write(envelope.content)
        if answer.is_refusal:
            raise self._refusal("the e-mail", answer)
        if not 200 <= answer.code < 300:
            raise MailOutcomeUnknown(f"The mail server {self._server} answered the e-mail {answer}")

    def _name_sender(self, envelope: Envelope) -> None:
        options = f" SIZE={len(envelope.content)}" if self.has_extn("size") else ""
        if envelope.needs_utf8:
            if not self.has_extn("smtputf8"):
                raise MailRefused(
                    f"The mail server {self._server} takes only addresses with letters of ASCII "
                    "before the @"
                )
            self.command_encoding = "utf-8"
            options += " BODY=8BITMIME SMTPUTF8"
        with _as_unavailable(self._server, _ServerGone):
            answer = self._ask(f"MAIL FROM:<{envelope.sender}>{options}")
        if answer.code == 421:
            raise _ServerGone(f"The mail server {self._server} closes {answer}")
        self._check("the sender", answer, 250)

    def _write(self, content: bytes) -> _Answer:
        stuffed = re.sub(rb"(?m)^\.", b"..", content)
        ended = stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
        whole, patience = ended + b".\r\n", self._patience
        self._patience = math.inf
        try:
            for start in range(0, len(whole), _PIECE):
                self.send(whole[start : start + _PIECE])
            return _Answer.of(self.getreply())
        except _FAILURES as error:
            raise MailOutcomeUnknown(
                f"The mail server {self._server} was lost while it took the e-mail, "
                f"which may have been sent: {error}"
            ) from error
        finally:
            self._patience = patience

    def _check(self, what: str, answer: _Answer, *good: int) -> None:
        if answer.code in good:
            return
        if answer.is_refusal and answer.code not in _ABOUT_US:
            raise self._refusal(what, answer)
        raise MailServerUnavailable(f"The mail server {self._server} cannot be used {answer}")

    def _refusal(self, what: str, answer: _Answer) -> MailRefused:
        return MailRefused(
            f"The mail server refused {what} {answer}",
            code=answer.code,
            temporary=answer.code < 500,
        )

    def forgets(self) -> bool:
        """True where the server has put the refused e-mail away, so that the next may follow."""
        with suppress(*_FAILURES):
            if self._ask("RSET").code == 250:
                return True
        self.close()
        return False

    def say_goodbye(self) -> None:
        """Close in good manners."""
        self.until = time.monotonic() + min(self._patience, _GOODBYE)
        try:
            with suppress(*_FAILURES):
                self.docmd("QUIT")
        finally:
            self.close()


class _Incoming(io.RawIOBase):
    """What a server sends. The socket alone would wait anew for each byte of a dripping one."""

    def __init__(self, dialogue: _Dialogue) -> None:
        self._dialogue = dialogue

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        sock = self._dialogue.sock
        if sock is None:
            return 0
        sock.settimeout(self._dialogue.left())
        return sock.recv_into(buffer)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
