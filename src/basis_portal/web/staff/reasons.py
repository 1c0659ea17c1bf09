"""The reason of a revoke, as it is typed into a form."""

from __future__ import annotations

from flask import request

from ...domain.portal_token import REASON_LIMIT, check_reason
from ...errors import InvalidValue
from ..answering import _, language


def typed_reason() -> str:
    """What was typed, as one line."""
    return " ".join(request.form.get("reason", "").split())


def wrong_reason(reason: str) -> str:
    """Why this can be no reason, in words, or nothing."""
    if len(reason) > REASON_LIMIT:
        return _(
            "The reason has %(length)s characters. The limit is %(limit)s.",
            length=language().count(len(reason)),
            limit=language().count(REASON_LIMIT),
        )
    try:
        check_reason("reason", reason)
    except InvalidValue:
        return _("The reason contains a control character, which cannot be kept.")
    return ""
