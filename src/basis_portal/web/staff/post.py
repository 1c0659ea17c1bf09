"""The e-mails that go to many customers who have just been given tokens: they are only queued."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator

import attrs
from flask import request

from ...domain.mail import MailStatus
from ...domain.phrases import Phrase
from ...portal import IssueResult
from ..answering import _, language, site
from .frame import me

_RUN = re.compile(r"generated \d{4}-\d\d-\d\d \d\d:\d\d [\w-]{11}", re.ASCII)
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
        wanted: True where e-mails are to be queued, also where the portal was switched off
            meanwhile: then they wait.
    """

    run: str
    wanted: bool = False

    @classmethod
    def asked(cls) -> Post:
        """What this request's form says; a new run where it has none."""
        run = request.form.get("run", "")
        wanted = request.form.get("email") == "1" and site().mailer is not None
        return cls(run if _RUN.fullmatch(run) else _new_run(), wanted)

    def issue(self, customer_ids: Iterable[str], *, anew: bool = False) -> Iterator[IssueResult]:
        """Issue tokens, with ``anew`` also after a revoke, and queue the e-mails with them."""
        portal, who = site().portal, me().name
        if self.wanted:
            return portal.mailing.issue(customer_ids, run=self.run, by=who, anew=anew)
        issue_many = portal.tokens.regenerate_many if anew else portal.tokens.ensure_many
        return issue_many(customer_ids, by=who)

    @property
    def fields(self) -> dict[str, str]:
        """The parameters of an address that tell of the run."""
        return {"run": self.run} if self.wanted else {}

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of a form."""
        return {"run": self.run}


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
    if report.queued and not site().portal.settings.get().config.enabled:
        return language().ngettext(
            "%(count)s e-mail queued; it waits until the portal is switched on.",
            "%(count)s e-mails queued; they wait until the portal is switched on.",
            report.queued,
        )
    if report.queued == report.total:
        return language().ngettext(
            "%(count)s e-mail queued; it goes out with the next run of 'basis-portal mail run'.",
            "%(count)s e-mails queued; they go out with the next run of 'basis-portal mail run'.",
            report.total,
        )
    numbers = ((words.one, getattr(report, status.value)) for status, words in _WORDS.items())
    told = [_(words, count=language().count(number)) for words, number in numbers if number]
    return _("E-mails: %(numbers)s.", numbers=", ".join(told))
