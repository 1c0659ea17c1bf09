"""Keeps the secret of links out of logs."""

from __future__ import annotations

import logging
import re
from typing import Any

# A character of a token as it stands, or percent-encoded up to four times over. Atomic groups:
# a line that somebody made up costs no more than another.
_ONE = (
    r"(?>[A-Za-z0-9_-]"
    r"|%(?:25){0,3}(?:2[Dd]|3[0-9]|[46][1-9A-Fa-f]|5[0-9AaFf]|7[0-9Aa]))"
)
_DOT = r"(?:\.|%(?:25){0,3}2[Ee])"
_TOKEN = re.compile(f"((?:{_ONE}){{8}})(?:{_ONE}){{14}}(?:{_DOT}(?:{_ONE}){{20,}}+)+")
_USUAL = frozenset(vars(logging.makeLogRecord({})))
"""What every log record has; the rest came as ``extra=``."""
_PLAIN = (int, float, complex, type(None))


def mask(text: str) -> str:
    """``text`` with each link cut to the first 8 characters of its token's id."""
    return _TOKEN.sub(r"\1...", text)


class TokenFilter(logging.Filter):
    """Masks the links in log records: message, arguments, traceback, what came as ``extra``.

    Add it to the handlers of the server's access and error log, where request lines and
    referers are written: ``handler.addFilter(TokenFilter())``. A filter of a logger sees
    nothing of what the loggers below it write.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record; it is always kept."""
        _mask_message(record)
        _mask_traceback(record)
        record.stack_info = mask(record.stack_info) if record.stack_info else record.stack_info
        for name, value in record.__dict__.items():
            if name not in _USUAL:
                record.__dict__[name] = _masked(value)
        return True


def _mask_message(record: logging.LogRecord) -> None:
    """Argument by argument, since formatters of access logs read them; else as a whole."""
    if isinstance(record.args, tuple):
        record.args = tuple(mask(one) if isinstance(one, str) else one for one in record.args)
    try:
        message = record.getMessage()
    except Exception:  # the arguments do not fit; logging will say so, and show them
        message = f"{_text(record.msg)} {_text(record.args)}"
    masked = mask(message)
    if masked != message:
        record.msg, record.args = masked, ()


def _mask_traceback(record: logging.LogRecord) -> None:
    """With a link in it the error itself goes: others would format it anew."""
    text = record.exc_text
    if record.exc_info and not text:
        text = logging.Formatter().formatException(record.exc_info)
    masked = mask(text) if text else text
    if masked != text:
        record.exc_text, record.exc_info = masked, None


def _masked(value: Any) -> Any:
    """A value as it is, or, where printing it would show a link, as the masked text of that."""
    if isinstance(value, _PLAIN):
        return value
    text = _text(value)
    masked = mask(text)
    return value if masked == text else masked


def _text(value: object) -> str:
    """What is printed of a value; nothing where that fails, as it will for whoever prints it."""
    try:
        return str(value)
    except Exception:
        return ""
