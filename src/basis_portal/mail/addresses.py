"""E-mail addresses as the e-mail package takes them; what one is says `domain.mail_address`."""

from __future__ import annotations

from email.headerregistry import Address

from ..domain.mail_address import MailAddress, read_address


def parse_address(text: object, *, field: str = "email") -> Address:
    """The one mailbox of a text: ``a@b.example`` or ``Name <a@b.example>``.

    Spaces around it are dropped. A domain with other letters than ASCII becomes its ``xn--``
    form; other letters before the ``@`` stay, and need a mail server that offers SMTPUTF8.

    Args:
        text: the address on file.
        field: what an error calls it.

    Raises:
        InvalidValue: it is not exactly one address; also for control characters, groups,
            comments, quoted or encoded parts, a domain without a dot and what is too long.
    """
    found = read_address(text, field=field)
    return Address(found.name, found.local, found.domain)


def masked(address: Address) -> str:
    """An address as those see it who may only recognise it: ``f...@kopi.example``."""
    return MailAddress("", address.username, address.domain).masked
