"""Every error the library raises.

All are :class:`PortalError`. Each says which value and which rule, and carries its
evidence as attributes. None repeats a secret key or a token text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

_SHOWN = 80  # characters of a refused value that a message repeats
_READ = 4000  # characters of it that are looked at
_LINK = r"[\w-]{22}(?:\.|%2[Ee])[\w-]{20,}"  # staff paste links where they do not belong


def shown(value: object) -> str:
    """The value as a message shows it: its ``repr``, cut to a readable length, without a link."""
    try:
        text = repr(value[:_READ] if isinstance(value, str | bytes) else value)
    except Exception:  # a value whose repr fails is refused like any other
        text = f"<{type(value).__name__}>"
    text = re.sub(_LINK, "<link>", text[: 2 * _READ])
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def one_line(text: str, limit: int) -> str:
    """What others said, a mail server such as, on one line that can be shown and kept.

    It may quote an e-mail with a link, also in the pieces that e-mails are cut into: no run of
    characters that could be of one is kept.
    """
    line = re.sub(r"[\w-]{20,}", "<...>", " ".join(text.split()))
    line = "".join(one if one.isprintable() else "?" for one in line)
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def frames_of(error: BaseException) -> str:
    """Where an error came from, in lines of code, for the log.

    For errors of others, what they say is left out there: a link may stand in it.
    """
    from traceback import format_tb

    return "".join(format_tb(error.__traceback__))


class PortalError(Exception):
    """The family of all errors of this library."""


class InvalidValue(PortalError, ValueError):
    """A value breaks a rule; nothing was changed.

    Attributes:
        field: the name of the field or argument, or None.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    @classmethod
    def of(cls, field: str, value: object, rule: str) -> InvalidValue:
        """The refusal of one value: its field, the rule it breaks and the value itself."""
        return cls(f"{field} {rule}, not {shown(value)}", field=field)


class CustomerNotFound(PortalError):
    """No customer has this id. ``customer_id`` says which."""

    def __init__(self, message: str, *, customer_id: str | None = None) -> None:
        super().__init__(message)
        self.customer_id = customer_id


class CustomerBlocked(PortalError):
    """The customer is blocked in the host application and gets no access."""

    def __init__(self, message: str, *, customer_id: str | None = None) -> None:
        super().__init__(message)
        self.customer_id = customer_id


class PortalNotAvailable(PortalError):
    """The master switch is off, or edition or feature switch do not give the portal."""

    def __init__(self, message: str = "Portal not available") -> None:
        super().__init__(message)


class AccessDenied(PortalError):
    """The link opens nothing. One text for every cause; the cause goes to the log alone."""

    def __init__(self, message: str = "Access denied") -> None:
        super().__init__(message)


class AccessRevoked(PortalError):
    """Staff revoked the customer's latest token; only generate or regenerate gives access again."""

    def __init__(self, message: str, *, customer_id: str | None = None) -> None:
        super().__init__(message)
        self.customer_id = customer_id


class ActiveTokenExists(PortalError):
    """The customer has a current token already: ``token``, a ``PortalToken``, or None."""

    def __init__(self, message: str, *, token: Any = None) -> None:
        super().__init__(message)
        self.token = token


class NoActiveToken(PortalError):
    """The customer has no active token, so there is no link to copy."""

    def __init__(self, message: str, *, customer_id: str | None = None) -> None:
        super().__init__(message)
        self.customer_id = customer_id


class TokenChanged(PortalError):
    """The token named in ``if_current`` is no longer current.

    ``token`` is the customer's latest ``PortalToken``, or None.
    """

    def __init__(self, message: str, *, token: Any = None) -> None:
        super().__init__(message)
        self.token = token


class SettingsConflict(PortalError):
    """Somebody else saved the settings meanwhile. ``current``: the present ``StoredSettings``."""

    def __init__(self, message: str, *, current: Any = None) -> None:
        super().__init__(message)
        self.current = current


class SectionHidden(PortalError):
    """The section is switched off for customers. ``section`` says which."""

    def __init__(self, message: str, *, section: str | None = None) -> None:
        super().__init__(message)
        self.section = section


class DocumentNotFound(PortalError):
    """No document of this id is visible to this customer: hidden, foreign, draft or unknown."""

    def __init__(self, message: str = "There is no such document in this portal.") -> None:
        super().__init__(message)


class TooManyMessages(PortalError):
    """The customer's hourly limit is reached. ``retry_at`` is the instant (UTC) of the next try."""

    def __init__(self, message: str, *, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class TooManyMails(PortalError):
    """So many e-mails went to the customer lately that no more is sent for a while.

    ``retry_at`` is the instant (UTC) from which the next one may be sent.
    """

    def __init__(self, message: str, *, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class NoMailAddress(PortalError):
    """There is no e-mail address on file, or what is there is not one address."""

    def __init__(self, message: str, *, customer_id: str | None = None) -> None:
        super().__init__(message)
        self.customer_id = customer_id


class MailError(PortalError):
    """An e-mail was not sent, or nobody knows whether it was: the family of the next three."""


class MailRefused(MailError):
    """The mail server refused the sender, the address or the e-mail; it was not sent.

    Attributes:
        code: the server's answer, such as 550, or None.
        temporary: True where the same e-mail may be taken later.
    """

    def __init__(self, message: str, *, code: int | None = None, temporary: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.temporary = temporary


class MailServerUnavailable(MailError):
    """The mail server cannot be reached or let us in; the e-mail was not sent."""


class MailOutcomeUnknown(MailError):
    """The connection failed while the e-mail was handed over: it may have been sent."""


class LedgerError(PortalError):
    """The ledger contradicts itself: no statement rather than a wrong one.

    ``ids`` are the ids of the entries and allocations concerned.
    """

    def __init__(self, message: str, *, ids: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.ids: tuple[str, ...] = tuple(ids)


class StorageError(PortalError):
    """The storage could not be read or written; ``__cause__`` is what it said."""
