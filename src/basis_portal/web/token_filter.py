"""Keeps the secret of links out of logs."""

from __future__ import annotations

import logging
import re
from typing import Any

_TOKEN = re.compile(r"([\w-]{8})[\w-]{14}(?:\.|%2[Ee])[\w-]{20,}")


def mask(text: str) -> str:
    """``text`` with each link cut to the first 8 characters of its token's id."""
    return _TOKEN.sub(r"\1...", text)


class TokenFilter(logging.Filter):
    """Masks the links in log records: message, arguments, traceback.

    Add it to the handlers of the server's access and error log, where request lines and
    referers are written: ``handler.addFilter(TokenFilter())``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record; it is always kept."""
        message = record.getMessage()
        masked = mask(message)
        if masked != message:
            record.msg, record.args = masked, None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        for name in ("exc_text", "stack_info"):
            text: Any = getattr(record, name)
            if text:
                setattr(record, name, mask(text))
        return True
