"""E-mails sent by the host's own function, such as its framework's or a provider's API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from inspect import isawaitable, iscoroutine

import attrs

from ..domain.checks import checked, is_async
from ..errors import InvalidValue, MailError, MailOutcomeUnknown, MailServerUnavailable
from .envelope import Envelope


def _check_callable(field: str, value: object) -> None:
    if not callable(value):
        raise InvalidValue.of(field, value, "must be callable")
    if is_async(value):
        raise InvalidValue.of(field, value, "must send before it returns: an async one only begins")


@attrs.define(frozen=True)
class FunctionTransport:
    """Hands each e-mail to a function of the host.

    Attributes:
        function: called with one `email.message.EmailMessage`, from one address to one address,
            both checked. It returns once the e-mail was taken, so it is no async one. It raises
            `MailRefused` or `MailServerUnavailable` where it knows that nothing was sent; whatever
            else it raises counts as `MailOutcomeUnknown`, and the e-mail is not sent again.

    Raises:
        InvalidValue: ``function`` cannot be called, or is async.
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
            MailServerUnavailable: the function returned a coroutine, of which nothing was run.
            MailOutcomeUnknown: the function raised anything else, or returned something else to be
                awaited.
        """
        Envelope.of(message)
        try:
            result = self.function(message)
        except MailError:
            raise
        except Exception as error:
            failed = type(error).__name__  # its words may hold the e-mail
        else:
            return _check_done(result)
        raise MailOutcomeUnknown(
            f"The host's function failed with {failed}: the e-mail may have been sent"
        )


def _check_done(result: object) -> None:
    """Refuse what a function returns that has sent nothing yet."""
    if iscoroutine(result):
        result.close()
        raise MailServerUnavailable(
            "The host's function returned a coroutine: nothing was sent; it must send before it "
            "returns"
        )
    if isawaitable(result):
        raise MailOutcomeUnknown(
            f"The host's function returned a {type(result).__name__} to be awaited: the e-mail may "
            "be sent later; it must send before it returns"
        )
