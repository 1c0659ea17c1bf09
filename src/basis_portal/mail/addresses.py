"""E-mail addresses as the e-mail package takes them; what one is says `domain.mail_address`."""

from __future__ import annotations

from email.headerregistry import Address

from ..domain.mail_address import MailAddress, read_address


def parse_address(text: object, *, field: str = "email") -> Address:
    """The one mailbox of a text, as `read_address` reads it, which says what is refused.

    Raises `InvalidValue` unless it is exactly one address; ``field`` is what that calls it.
    """
    found = read_address(text, field=field)
    return Address(found.name, found.local, found.domain)


def masked(address: Address) -> str:
    """An address as those see it who may only recognise it: ``f...@kopi.example``."""
    return MailAddress("", address.username, address.domain).masked
