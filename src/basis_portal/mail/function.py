"""E-mails sent by the host's own function, such as its framework's or a provider's API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import attrs

from ..domain.checks import checked
from ..errors import InvalidValue, MailError, MailOutcomeUnknown
from .envelope import Envelope


def _check_callable(field: str, value: object) -> None:
    if not callable(value):
        raise InvalidValue.of(field, value, "must be callable")


@attrs.define(frozen=True)
class FunctionTransport:
    """Hands each e-mail to a function of the host.

    Attributes:
        function: called with one `email.message.EmailMessage`, from one address to one address,
            both checked. It returns once the e-mail was taken. It raises `MailRefused` or
            `MailServerUnavailable` where it knows that nothing was sent; whatever else it raises
            counts as `MailOutcomeUnknown`, and the e-mail is not sent again.
    """

    function: Callable[[EmailMessage], object] = attrs.field(validator=checked(_check_callable))

    @contextmanager
    def connect(self) -> Iterator[FunctionTransport]:
        """This transport itself: the function connects as it likes."""
        yield self

    def send(self, message: EmailMessage) -> None:
        """Call the function.

        Raises:
            InvalidValue: the message is not from one address to one address.
            MailError: of any kind, as the function raised it.
            MailOutcomeUnknown: the function raised anything else.
        """
        Envelope.of(message)
        try:
            self.function(message)
        except MailError:
            raise
        except Exception as error:
            failed = type(error).__name__  # its words may hold the e-mail
        else:
            return
        raise MailOutcomeUnknown(
            f"The host's function failed with {failed}: the e-mail may have been sent"
        )
