"""An e-mail as it is handed to a server: from whom, to whom, and its bytes."""

from __future__ import annotations

import re
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

import attrs

from ..errors import InvalidValue
from .addresses import parse_address

_ELSEWHERE = ("Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc")
_LINE = 76  # characters, as the standards ask for


@attrs.define(frozen=True)
class Envelope:
    """What a transport carries.

    Attributes:
        sender: the address in ``From``.
        recipient: the one address in ``To``.
        content: the e-mail with CRLF at the end of each line. It is ASCII unless an address
            has other letters before its ``@``.
    """

    sender: str
    recipient: str
    content: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, message: EmailMessage) -> Envelope:
        """The envelope of a message, which stays as it is.

        Raises `InvalidValue` unless it has one ``From`` and one ``To`` of one address each, and
        no other recipient: who sees a link must be in the customer's file and nowhere else.
        """
        for name in _ELSEWHERE:
            if name in message:
                raise InvalidValue(f"An e-mail goes to one address: no {name} please", field=name)
        sender, recipient = _only_address(message, "From"), _only_address(message, "To")
        written = message.as_bytes(policy=_ON_THE_WIRE)
        # One kind of line break: what a server takes for the end of an e-mail must not be in it.
        content = re.sub(rb"\r\n|\r|\n", b"\r\n", written)
        return cls(sender, recipient, content)

    @property
    def needs_utf8(self) -> bool:
        """True where only a server with SMTPUTF8 can take it."""
        return not self.content.isascii()


def _only_address(message: EmailMessage, name: str) -> str:
    headers: list[Any] = message.get_all(name, [])
    addresses: list[Address] = [a for h in headers for a in getattr(h, "addresses", ())]
    if len(addresses) != 1:
        raise InvalidValue(
            f"An e-mail must have one {name} with one address, not {len(addresses)}", field=name
        )
    return parse_address(addresses[0].addr_spec, field=name).addr_spec


class _WirePolicy(EmailPolicy):
    """Writes headers with addresses itself.

    The standard library loses the quotes around a name where it folds the line, so that
    "GmbH & Co. KG, Lübeck" becomes two addresses, one of them nonsense.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """One header as bytes; one that was parsed, in lines that fit, stays as it was."""
        was_parsed = not hasattr(value, "fold")
        if was_parsed and max(map(len, f"{name}: {value}".splitlines())) > _LINE + 2:
            value = self.header_factory(name, "".join(value.splitlines()))
        if not hasattr(value, "addresses"):
            return super().fold_binary(name, value)
        written = ",\r\n ".join(_written(name, address) for address in value.addresses)
        return f"{name}: {written}\r\n".encode()


def _written(header: str, address: Address) -> str:
    spec = parse_address(address.addr_spec, field=header).addr_spec
    name = " ".join(address.display_name.split())
    if not name:
        return spec
    if name.isascii() and name.isprintable() and len(name) < _LINE // 2 and "=?" not in name:
        shown = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    else:
        encoded = Header(name, "utf-8", maxlinelen=_LINE, header_name=header)
        shown = encoded.encode(linesep="\r\n")
    return f"{shown} <{spec}>" if len(shown) + len(spec) < _LINE - 12 else f"{shown}\r\n <{spec}>"


# 7 bits: nothing is asked of a server that is not in the first of the standards.
_ON_THE_WIRE = _WirePolicy(linesep="\r\n", cte_type="7bit")
