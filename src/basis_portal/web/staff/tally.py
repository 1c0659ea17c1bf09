"""How many tokens were issued to many customers at once, and who was left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs
from flask import request

from ...domain.phrases import Phrase
from ...portal import IssueResult, Outcome, Skipped
from ..answering import language
from .frame import Answer

WORDS = {
    "issued": Phrase("%(count)s token generated", "%(count)s tokens generated"),
    "revoked": Phrase(
        "%(count)s customer left out (revoked)", "%(count)s customers left out (revoked)"
    ),
    "blocked": Phrase(
        "%(count)s customer left out (blocked)", "%(count)s customers left out (blocked)"
    ),
    "bare": Phrase("%(count)s has no e-mail address", "%(count)s have no e-mail address"),
}
_NUMBER = re.compile("[0-9]{1,9}")


@attrs.define
class Tally:
    """What became of the customers.

    Attributes:
        issued: how many got a token.
        revoked: how many were left out since staff revoked their token.
        blocked: how many were left out since they are blocked.
        bare: how many of those who got a token have no e-mail address.
    """

    issued: int = 0
    revoked: int = 0
    blocked: int = 0
    bare: int = 0

    def count(self, results: Iterable[IssueResult]) -> None:
        """Count results as they come; what was counted before a failure stays."""
        for one in results:
            self.revoked += one.why is Skipped.REVOKED
            self.blocked += one.why is Skipped.BLOCKED
            if one.outcome is Outcome.ISSUED:
                self.issued += 1
                self.bare += one.customer is None or not one.customer.email

    @property
    def fields(self) -> dict[str, int]:
        """The parameters of an address that tell these numbers."""
        return attrs.asdict(self)

    @classmethod
    def asked(cls) -> Tally:
        """The numbers of this address; what is no number is 0."""
        given = {name: request.args.get(name, "") for name in WORDS}
        return cls(**{name: int(n) if _NUMBER.fullmatch(n) else 0 for name, n in given.items()})

    def answer(self, more: str = "") -> Answer:
        """The numbers in words, and ``more``; of who was left out only what is not 0."""
        issued, *others = [
            language().say(WORDS[name], number)
            for name, number in self.fields.items()
            if number or name == "issued"
        ]
        return Answer(issued, f"{', '.join([issued, *others])}. {more}".rstrip())
