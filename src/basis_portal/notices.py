"""A notice is queued with what it tells of, in the same transaction: one waits at a time."""

from __future__ import annotations

import datetime as dt

from .context import Context
from .domain.mail import NOTICE_EVERY, WENT_OUT, Mail, MailKind, MailStatus
from .links import new_token_id
from .repositories import UnitOfWork


def queue_notice(
    context: Context,
    unit: UnitOfWork,
    kind: MailKind,
    customer_id: str,
    at: dt.datetime,
    *,
    by: str | None = None,
) -> None:
    """Have an e-mail tell of a message that is added now, where such notices are sent.

    One that still waits tells of it too; one that went out lets the next one wait.
    """
    if kind not in context.notices:
        return
    last = unit.mails.latest(customer_id, kind)
    # What was queued by a clock that was ahead would let everything wait for its instant.
    if last is not None and last.status is MailStatus.QUEUED and last.queued_at <= at:
        return
    due_at = at
    if last is not None and last.claimed_at is not None and last.status in WENT_OUT:
        due_at = max(at, last.claimed_at + NOTICE_EVERY)
    unit.mails.add([Mail(new_token_id(), kind, at, due_at, customer_id=customer_id, by=by)])
