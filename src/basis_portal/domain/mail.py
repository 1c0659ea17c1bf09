"""An e-mail as the portal keeps it: for whom and why, how far it came; never its text or link."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import attrs

from ..errors import InvalidValue
from .checks import (
    IS_ID,
    IS_INSTANT,
    OPTIONAL_ID,
    OPTIONAL_INSTANT,
    check_line,
    check_lines,
    check_member,
    check_whole_number,
    checked,
    in_utc,
    is_member,
    optional_in_utc,
)
from .portal_token import check_staff, check_token_id, short_id

MAILS_AT_ONCE = 5
MAILS_WITHIN = dt.timedelta(minutes=30)
"""At most so many e-mails with a link go to a customer within this time."""
NOTICE_EVERY = dt.timedelta(minutes=15)
"""At most one notice of each kind per customer within this time."""
CLAIM_HOLDS = dt.timedelta(minutes=10)
"""An e-mail that is being sent for longer counts as one of unknown outcome."""
NOTICE_GOES_BACK = dt.timedelta(minutes=5)
"""A notice tells of messages from so long before it was queued: clocks differ a little."""
RETRY_AFTER, RETRY_AT_MOST = dt.timedelta(minutes=15), dt.timedelta(hours=4)
"""How long what was not sent waits for the second try, and at most for a later one."""
GIVE_UP_AFTER = dt.timedelta(days=3)
"""An e-mail that was not sent for so long is not tried again."""
ADDRESS_LIMIT = 254  # octets of a whole address, as mail servers count
PROBLEM_LIMIT = 500
MOST_ATTEMPTS = 1000


class MailKind(StrEnum):
    """Why an e-mail is sent, and to whom."""

    LINK = "link"
    """The portal link, to the customer: staff sent it, or a run did."""
    RENEWAL = "renewal"
    """A link, to the customer who asked for a new one on a page that refused an expired one."""
    REPLY = "reply"
    """Staff have answered; to the customer, with the link."""
    MESSAGE = "message"
    """A customer wrote; to staff."""
    EXPIRING = "expiring"
    """Which links soon expire; to staff."""

    @property
    def is_to_staff(self) -> bool:
        """True for what staff get."""
        return self in (MailKind.MESSAGE, MailKind.EXPIRING)


LINK_KINDS = (MailKind.LINK, MailKind.RENEWAL)
"""The e-mails that are there to bring a link: they count for what was last sent."""


class MailStatus(StrEnum):
    """How far an e-mail came."""

    QUEUED = "queued"
    """To be sent, from its ``due_at`` on."""
    SENDING = "sending"
    """A worker has it."""
    SENT = "sent"
    """The mail server took it."""
    FAILED = "failed"
    """It was not sent and will not be."""
    UNKNOWN = "unknown"
    """It may have been sent: it is not sent again."""
    SKIPPED = "skipped"
    """It was not to be sent when its turn came, such as to a customer whose access was revoked."""


WENT_OUT = (MailStatus.SENDING, MailStatus.SENT, MailStatus.UNKNOWN)
"""What reached its reader, or may have."""
SETTLED = (MailStatus.SENT, MailStatus.FAILED, MailStatus.UNKNOWN, MailStatus.SKIPPED)
"""Nothing more becomes of these by itself."""


FOR_GOOD = ("id", "kind", "queued_at", "customer_id", "by", "run")
"""The fields of an e-mail that say what it is for; the others say what became of it."""


@attrs.define(frozen=True, slots=False)
class Mail:
    """An e-mail: what it is for and what became of it.

    Attributes:
        id: our id.
        kind: why, and to whom.
        queued_at: instant it was asked for, UTC.
        due_at: instant from which it may be sent, UTC.
        status: how far it came.
        customer_id: whom it concerns; None for a notice of several customers.
        by: the member of staff who asked for it, "system", or None where a visitor did.
        run: the run it is part of, in which each customer is mailed once, or None.
        about: a renewal's expired token, the newest message that a notice told of, or the days
            that a notice of expiring links looks ahead; else None.
        attempts: how often a worker has taken it.
        claimed_at: instant a worker took it last, UTC, or None.
        settled_at: instant its outcome was noted, UTC; None as long as there is none.
        token_id: the token whose link it carries, or None.
        address: where it was sent, or None.
        problem: why it was not sent, or not yet, for people; or None.

    Raises:
        InvalidValue: a field breaks its rule.
    """

    id: str = attrs.field(validator=IS_ID)
    kind: MailKind = attrs.field(validator=is_member(MailKind))
    queued_at: dt.datetime = attrs.field(converter=in_utc, validator=IS_INSTANT)
    due_at: dt.datetime = attrs.field(converter=in_utc, validator=IS_INSTANT)
    status: MailStatus = attrs.field(default=MailStatus.QUEUED, validator=is_member(MailStatus))
    customer_id: str | None = attrs.field(default=None, validator=OPTIONAL_ID)
    by: str | None = attrs.field(default=None, validator=checked(check_staff, optional=True))
    run: str | None = attrs.field(default=None, validator=OPTIONAL_ID)
    about: str | None = attrs.field(default=None, validator=OPTIONAL_ID, repr=False)
    attempts: int = attrs.field(default=0, validator=checked(check_whole_number, 0, MOST_ATTEMPTS))
    claimed_at: dt.datetime | None = attrs.field(
        default=None, converter=optional_in_utc, validator=OPTIONAL_INSTANT
    )
    settled_at: dt.datetime | None = attrs.field(
        default=None, converter=optional_in_utc, validator=OPTIONAL_INSTANT
    )
    token_id: str | None = attrs.field(
        default=None,
        validator=checked(check_token_id, optional=True),
        repr=lambda value: short_id(value) if value else "None",
    )
    address: str | None = attrs.field(
        default=None, validator=checked(check_line, limit=ADDRESS_LIMIT, optional=True)
    )
    problem: str | None = attrs.field(
        default=None, validator=checked(check_lines, limit=PROBLEM_LIMIT, optional=True)
    )

    def __attrs_post_init__(self) -> None:
        for name, needed in (
            ("claimed_at", self.status is MailStatus.SENDING),
            ("settled_at", self.status in SETTLED),
        ):
            if needed and getattr(self, name) is None:
                raise InvalidValue(f"an e-mail that is {self.status} needs {name}", field=name)
        # It would be forgotten with those settled long ago while it still waits.
        if self.settled_at is not None and self.status not in SETTLED:
            raise InvalidValue(
                f"an e-mail that is {self.status} has no settled_at", field="settled_at"
            )


def check_same_mail(before: object, after: object) -> None:
    """Raise `InvalidValue` unless both are one e-mail, of which only what became of it differs."""
    old, new = check_member("before", before, Mail), check_member("after", after, Mail)
    differ = [name for name in FOR_GOOD if getattr(old, name) != getattr(new, name)]
    if differ:
        raise InvalidValue(f"what an e-mail is for does not change: {', '.join(differ)}")
