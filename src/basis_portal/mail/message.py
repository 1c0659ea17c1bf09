"""A letter as an e-mail: its headers, and the text and HTML part."""

from __future__ import annotations

import datetime as dt
import textwrap
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import Parser
from email.policy import SMTP
from email.utils import quote

import attrs

from ..domain.checks import check_instant, check_line
from .addresses import parse_address

_HEADER_LINE = 76  # characters
_LONGEST_LINE = 998  # bytes; SMTP carries no longer ones


@attrs.define(frozen=True)
class Letter:
    """What an e-mail says. Its texts hold the secret link, so they are not in its ``repr``.

    Attributes:
        subject: one line.
        text: the text part, lines of at most 78 characters but for longer words, such as links.
        html: the HTML part, with the same words in the same order.
        language: tag of the language it is written in.
    """

    subject: str
    text: str = attrs.field(repr=False)
    html: str = attrs.field(repr=False)
    language: str


def compose(
    letter: Letter,
    *,
    name: str,
    sender: str,
    to: str,
    date: dt.datetime,
    message_id: str,
    reply_to: str | None = None,
) -> EmailMessage:
    """The e-mail of a letter.

    Args:
        letter: what it says.
        name: whom it is from, in words.
        sender: address it is from.
        to: address it is sent to.
        date: instant it is dated, aware.
        message_id: as it is to be, with the angle brackets.
        reply_to: address for answers, or None.

    Raises:
        InvalidValue: an argument is not what it must be.
    """
    author = _mailbox("sender", sender, check_line("name", name, limit=255))
    subject = check_line("subject", letter.subject, limit=1000)
    shown = [
        f"From: {_phrase(name)}\n <{author.addr_spec}>",
        f"Subject: {_folded('Subject', subject)}",
    ]
    # Parsed, as only what is parsed is sent as it stands: where the email package of some Pythons
    # folds long names itself, it loses or adds spaces, and commas become those of a list.
    message = Parser(EmailMessage, policy=SMTP).parsestr("\n".join([*shown, "", ""]))
    if not author.addr_spec.isascii():
        message.replace_header("From", author)
    message["To"] = _mailbox("to", to)
    if reply_to is not None:
        message["Reply-To"] = _mailbox("reply_to", reply_to)
    message["Date"] = check_instant("date", date)
    message["Message-ID"] = check_line("message_id", message_id, limit=_LONGEST_LINE)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(letter.text, cte=_encoding(letter.text))
    message.add_alternative(letter.html, subtype="html", cte=_encoding(letter.html))
    message["Content-Language"] = letter.language  # at last: earlier it went into the text part
    return message


def _mailbox(field: str, text: str, name: str = "") -> Address:
    found = parse_address(text, field=field)
    return Address(name, found.username, found.domain)


def _phrase(name: str) -> str:
    """A name before an address."""
    if name.isascii() and len(name) <= _HEADER_LINE - len("From: ") - 20 and "=?" not in name:
        return f'"{quote(name)}"'
    return _encoded("From", name)


def _folded(header: str, text: str) -> str:
    """The text of a header, in lines."""
    width = _HEADER_LINE - len(header) - 2
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    is_plain = text.isascii() and "=?" not in text and " ".join(lines) == text
    if is_plain and max(map(len, lines)) <= width:
        return "\n ".join(lines)
    return _encoded(header, text)


def _encoded(header: str, text: str) -> str:
    return Header(text, "utf-8", maxlinelen=_HEADER_LINE, header_name=header).encode()


def _encoding(text: str) -> str:
    """As it is where every server carries that; else quoted-printable, where words stay words."""
    fits = all(len(line) <= _LONGEST_LINE for line in text.splitlines())
    return "7bit" if fits and text.isascii() else "quoted-printable"
