"""Customers: the buying parties, as the host knows them."""

from __future__ import annotations

import attrs

from .checks import IS_BOOL, IS_ID, is_text, optional_text


@attrs.define(frozen=True, slots=False)
class Customer:
    """A buying party.

    Attributes:
        id: the host's own id, never given to another customer later.
        name: what the customer is called on its pages.
        email: the address on file, or None.
        number: the host's number for people, or None.
        language: a language tag such as ``de`` or ``pt-BR``, or None.
        blocked: True where the host gives this customer no access.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    id: str = attrs.field(validator=IS_ID)
    name: str = attrs.field(validator=is_text())
    email: str | None = attrs.field(default=None, validator=optional_text())
    number: str | None = attrs.field(default=None, validator=optional_text())
    language: str | None = attrs.field(default=None, validator=optional_text(35))
    blocked: bool = attrs.field(default=False, validator=IS_BOOL)
