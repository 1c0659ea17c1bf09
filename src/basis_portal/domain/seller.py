"""The seller: who the customers of a portal deal with."""

from __future__ import annotations

import attrs

from ..errors import InvalidValue, shown
from .checks import check_line, check_lines, checked

# What a mailto: address would need escaped is in no seller's address worth having.
_MAILBOX = r"[^\s@<>,;:\"()\[\]\\?&#%/]+@[^\s@<>,;:\"()\[\]\\?&#%/]+"


def _check_email(field: str, value: object) -> None:
    import re  # checked once, when the application starts

    if not re.fullmatch(_MAILBOX, check_line(field, value, limit=254)):
        raise InvalidValue(
            f"{field} must be a plain e-mail address such as accounts@seller.example, "
            f"not {shown(value)}",
            field=field,
        )


@attrs.define(frozen=True)
class Seller:
    """Who the customers deal with, as pages and e-mails name them.

    Attributes:
        name: what customers know the seller as.
        address: postal address, may hold line breaks, or empty.
        email: the address customers write to, or None.
        phone: the number customers call, or None.
        language: language tag of the seller, for whoever's language is not known.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    name: str = attrs.field(validator=checked(check_line, limit=255))
    address: str = attrs.field(default="", validator=checked(check_lines, limit=1000))
    email: str | None = attrs.field(default=None, validator=checked(_check_email, optional=True))
    phone: str | None = attrs.field(
        default=None, validator=checked(check_line, limit=64, optional=True)
    )
    language: str = attrs.field(default="en", validator=checked(check_line, limit=35))
