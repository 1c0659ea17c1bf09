"""Keeps the secret of links out of logs."""

from __future__ import annotations

import logging
import re
from typing import Any

# Where quoted-printable breaks a line of an e-mail: as it stands, or as a repr or JSON shows it.
_BREAK = r"(?:=(?:\r?\n|(?:\\{1,2}r)?\\{1,2}n))?"
# A character of a token as it stands, or percent-encoded up to four times over. Atomic groups:
# a line that somebody made up costs no more than another.
_ONE = (
    rf"(?>{_BREAK}(?:[A-Za-z0-9_-]"
    r"|%(?:25){0,3}(?:2[Dd]|3[0-9]|[46][1-9A-Fa-f]|5[0-9AaFf]|7[0-9Aa])))"
)
_DOT = rf"(?:{_BREAK}(?:\.|%(?:25){{0,3}}2[Ee]))"
_TOKEN = re.compile(f"((?:{_ONE}){{8}})(?:{_ONE}){{14}}(?:{_DOT}(?:{_ONE}){{20,}}+)+")
_USUAL = frozenset(vars(logging.makeLogRecord({})))
"""What every log record has; the rest came as ``extra=``."""
_PLAIN = (int, float, complex, type(None))
_HEADERS = ("META", "environ")
"""Where requests of Django, Flask and Werkzeug keep what reports of errors print of them."""


def mask(text: str) -> str:
    """``text`` with each link cut to the first 8 characters of its token's id."""
    return _TOKEN.sub(r"\1...", text)


class TokenFilter(logging.Filter):
    """Masks the links in log records: message, arguments, traceback, what came as ``extra``.

    Add it to the handlers of the server's access and error log, where request lines and
    referers are written: ``handler.addFilter(TokenFilter())``. A filter of a logger sees
    nothing of what the loggers below it write.

    Handlers that report more than a line, as Django's by mail, look into the request and into
    the variables of a traceback. A request with a link in its headers is replaced by its text;
    a record with a link anywhere keeps the text of its traceback alone.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record; it is always kept."""
        found = _mask_message(record)
        for name, value in record.__dict__.items():
            if name not in _USUAL and (masked := _masked(value)) is not value:
                record.__dict__[name], found = masked, True
        record.stack_info = mask(record.stack_info) if record.stack_info else record.stack_info
        _mask_traceback(record, found)
        return True


def _mask_message(record: logging.LogRecord) -> bool:
    """Argument by argument, since formatters of access logs read them; else as a whole.

    True where there was a link.
    """
    found = False
    if isinstance(record.args, tuple):
        masked_args = tuple(_masked_text(one) for one in record.args)
        found = any(new is not old for new, old in zip(masked_args, record.args, strict=True))
        record.args = masked_args
    try:
        message = record.getMessage()
    except Exception:  # the arguments do not fit; logging will say so, and show them
        message = f"{_text(record.msg)} {_text(record.args)}"
    masked = mask(message)
    if masked != message:
        record.msg, record.args = masked, ()
    return found or masked != message


def _mask_traceback(record: logging.LogRecord, found: bool) -> None:
    """With a link in it or in the record the error itself goes.

    Others would format it anew, or show the variables of its frames.
    """
    text = record.exc_text
    if record.exc_info and not text:
        text = logging.Formatter().formatException(record.exc_info)
    masked = mask(text) if text else text
    if masked != text or (found and record.exc_info):
        record.exc_text, record.exc_info = masked, None


def _masked_text(value: Any) -> Any:
    """A text without links; what is none, or has none, as it is."""
    if not isinstance(value, str):
        return value
    masked = mask(value)
    return value if masked == value else masked


def _masked(value: Any) -> Any:
    """A value as it is, or, where printing or reporting it shows a link, its masked text."""
    if isinstance(value, _PLAIN):
        return value
    text = _text(value)
    masked = mask(text)
    headers = _headers(value)
    return value if (masked, mask(headers)) == (text, headers) else masked


def _text(value: object) -> str:
    """What is printed of a value; nothing where that fails, as it will for whoever prints it."""
    try:
        return str(value)
    except Exception:
        return ""


def _headers(value: object) -> str:
    """What is reported of a request besides: its headers, referer and query among them."""
    try:
        found = [one for name in _HEADERS for one in getattr(value, name, {}).values()]
    except Exception:
        return ""
    return "\n".join(one for one in found if isinstance(one, str))
