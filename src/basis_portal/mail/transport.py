"""What carries e-mails away: the protocol that every transport keeps."""

from __future__ import annotations

from contextlib import AbstractContextManager
from email.message import EmailMessage
from typing import Protocol


class Connection(Protocol):
    """An open way to send e-mails, one after the other."""

    def send(self, message: EmailMessage) -> None:
        """Send one message, to the one address in its ``To``, and return when it was taken.

        After an error other messages may be sent over the same connection.

        Raises:
            InvalidValue: the message is not from one address to one address; it was not sent.
            MailRefused: the sender, the address or the message was refused; it was not sent.
            MailServerUnavailable: nobody took it; it was not sent.
            MailOutcomeUnknown: it may have been sent.
        """
        ...


class Transport(Protocol):
    """Gives connections. Whatever a transport reports repeats no link and no password."""

    def connect(self) -> AbstractContextManager[Connection]:
        """A connection, open until its context is left.

        Raises `MailServerUnavailable`, when entered or at the first `Connection.send`.
        """
        ...
