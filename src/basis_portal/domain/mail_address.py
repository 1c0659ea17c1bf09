"""E-mail addresses: parsed, never pasted.

The parser of the standard library is made to make sense of what others sent: it reads lists,
groups and comments, and mends what is broken. An address that a secret link is sent to is
exactly one mailbox, or it is refused.
"""

from __future__ import annotations

import re
import unicodedata

import attrs

from ..errors import InvalidValue
from .checks import check_line
from .mail import ADDRESS_LIMIT

LOCAL_LIMIT = 64  # octets before the @, as mail servers count
_ATOM = r"[^\s\"(),.:;<>@\[\\\]]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_NAMED = re.compile(r'(?:"(?P<quoted>[^"\\<>@]*)"|(?P<plain>[^"(),:;<>@\[\\\]]*)) *<(?P<spec>.*)>')
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Two labels at least, and no number as the last: "finance@kopi" and "finance@10.0.0.7" are typos.
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")


@attrs.define(frozen=True)
class MailAddress:
    """One mailbox.

    Attributes:
        name: what stands before it, or empty.
        local: what stands before the ``@``.
        domain: what stands after it, as the domain name system knows it.
    """

    name: str
    local: str
    domain: str

    @property
    def masked(self) -> str:
        """As those see it who may only recognise it: ``f...@kopi.example``."""
        return f"{self.local[:1]}...@{self.domain}"


def read_address(text: object, *, field: str = "email") -> MailAddress:
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
    line = check_line(field, text, limit=1000).strip(" ")
    named = _NAMED.fullmatch(line)
    name = ((named["quoted"] or named["plain"] or "") if named else "").split()
    local, at, domain = (named["spec"] if named else line).rpartition("@")
    # Some mail programs decode "=?...?=" anywhere, and then see another address.
    readable = line.isprintable() and "=?" not in line
    if not (readable and at and domain and _LOCAL.fullmatch(local)):
        rule = "must be exactly one e-mail address such as finance@kopi.example"
        raise InvalidValue.of(field, text, rule)
    found = MailAddress(" ".join(name), local, _ascii_domain(field, text, domain))
    if len(local.encode()) > LOCAL_LIMIT or len(f"{local}@{found.domain}".encode()) > ADDRESS_LIMIT:
        rule = f"must have at most {LOCAL_LIMIT} bytes before the @ and {ADDRESS_LIMIT} in all"
        raise InvalidValue.of(field, text, rule)
    return found


def masked_address(text: str | None) -> str | None:
    """An address on file as `MailAddress.masked`; None where nothing can be sent to it."""
    if text is None:
        return None
    try:
        return read_address(text).masked
    except InvalidValue:
        return None


def _ascii_domain(field: str, text: object, domain: str) -> str:
    """The domain as the domain name system knows it.

    The codec of the standard library follows a rule of 2003 that takes some letters for others:
    ``straße.example`` would become ``strasse.example``, which may be somebody else's. So a domain
    is refused that does not read back as it was written.
    """
    form = domain
    if not domain.isascii():
        try:
            form = domain.encode("idna").decode("ascii")
            same = form.encode("ascii").decode("idna")
        except UnicodeError:
            same = ""
        if same != unicodedata.normalize("NFC", domain).lower():
            rule = "must have a domain that can be looked up; write its xn-- form"
            raise InvalidValue.of(field, text, rule)
    if not _DOMAIN.fullmatch(form):
        raise InvalidValue.of(field, text, "must have a whole domain such as kopi.example")
    return form
