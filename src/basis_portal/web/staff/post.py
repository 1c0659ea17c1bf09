"""The e-mails that go to many customers who have just been given tokens: they are only queued."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Iterable

import attrs
from flask import request

from ...domain.mail import MailStatus
from ...domain.phrases import Phrase
from ...portal import IssueResult, Outcome
from ..answering import _, language, site
from .acts import micros
from .frame import me
from .mails import may_send

_RUN = re.compile(r"generated \d{4}-\d\d-\d\d \d\d:\d\d [\w-]{11}", re.ASCII)
_INSTANT = re.compile("[0-9]{1,17}")
_WORDS = {
    MailStatus.SENT: Phrase("%(count)s sent"),
    MailStatus.QUEUED: Phrase("%(count)s still to be sent"),
    MailStatus.SENDING: Phrase("%(count)s being sent"),
    MailStatus.FAILED: Phrase("%(count)s not sent"),
    MailStatus.UNKNOWN: Phrase("%(count)s of unknown outcome"),
    MailStatus.SKIPPED: Phrase("%(count)s left out"),
}


@attrs.define(frozen=True)
class Post:
    """What a form says of the e-mails to be queued.

    Attributes:
        run: the name of the run. It comes with the form: however often that is sent, each
            customer gets one e-mail.
        wanted: True where e-mails are to be queued.
        since: in a form that goes on after a failure, the instant, in microseconds since 1970,
            at which issuing began: who got a token since then may have been left without an
            e-mail. Else None.
    """

    run: str
    wanted: bool = False
    since: int | None = None

    @classmethod
    def asked(cls) -> Post:
        """What this request's form says; a new run where it has none."""
        run, since = request.form.get("run", ""), request.form.get("since", "")
        off = not site().portal.settings.get().config.enabled
        return cls(
            run if _RUN.fullmatch(run) else _new_run(),
            request.form.get("email") == "1" and may_send(off=off),
            int(since) if _INSTANT.fullmatch(since) else None,
        )

    def going_on(self, began: dt.datetime) -> Post:
        """The same for the form that goes on with what began then."""
        return self if self.since is not None else attrs.evolve(self, since=micros(began))

    def queue(self, results: Iterable[IssueResult]) -> None:
        """Have tokens issued, and an e-mail queued for each customer who has an address."""
        due = (one.customer_id for one in results if self._is_due(one))
        if not self.wanted:
            for _ in due:
                pass
            return
        for _ in site().portal.mailing.queue_links(due, run=self.run, by=me().name):
            pass

    def _is_due(self, one: IssueResult) -> bool:
        if one.token is None or one.customer is None or not one.customer.email:
            return False
        if one.outcome is Outcome.ISSUED:
            return True
        is_mine = one.token.issued_by == me().name
        return self.since is not None and is_mine and micros(one.token.issued_at) >= self.since

    @property
    def fields(self) -> dict[str, str]:
        """The parameters of an address that tell of the run."""
        return {"run": self.run} if self.wanted else {}

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of a form."""
        since = {} if self.since is None else {"since": str(self.since)}
        return {"run": self.run, **since}


def _new_run() -> str:
    now = site().portal.now().astimezone(site().portal.timezone)
    return f"generated {now:%Y-%m-%d %H:%M} {secrets.token_urlsafe(8)}"


def how_far() -> str:
    """How far the run has come that this address names, or nothing."""
    run = request.args.get("run", "")
    if site().mailer is None or not _RUN.fullmatch(run):
        return ""
    report = site().portal.mailing.report(run)
    if not report.total:
        return ""
    if report.queued == report.total:
        return language().ngettext(
            "%(count)s e-mail queued; it goes out with the next run of 'basis-portal mail run'.",
            "%(count)s e-mails queued; they go out with the next run of 'basis-portal mail run'.",
            report.total,
        )
    numbers = ((words.one, getattr(report, status.value)) for status, words in _WORDS.items())
    told = [_(words, count=language().count(number)) for words, number in numbers if number]
    return _("E-mails: %(numbers)s.", numbers=", ".join(told))
