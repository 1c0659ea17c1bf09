"""A link is revoked in one process and tried in another, right after the revoke returned.

Run as a program this module is the other process: it opens links as it is told on its
standard input, in whatever it is told to be in the middle of.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import attrs

from basis_portal import AccessDenied, Portal

from .figures import Figure, some
from .storages import (
    PLACES,
    hear,
    kind_of,
    made_for,
    open_storage,
    plain,
    portal_over,
    program,
    say,
    tell,
    text_of,
)

ROUNDS = 10_000
_REVOKED, _CONTROL, _OTHER = "C-1", "C-2", "C-3"


@attrs.define
class Openings:
    """What came of the openings of one way.

    Attributes:
        rounds: how many links were revoked and tried.
        accepted: how many of them opened.
        errors: what else went wrong: links and controls that did not open when they were good,
            refusals of another kind, and reads that were not in the middle of what was wanted.
    """

    rounds: int = 0
    accepted: int = 0
    errors: list[str] = attrs.field(factory=list)

    def figure(self, kind: str, way: str) -> Figure:
        """The line of the table."""
        found = (
            f"{self.accepted} of {self.rounds:,} accepted, {self.rounds:,} controls tried, "
            f"{len(self.errors)} errors{some(self.errors)}"
        )
        holds = self.rounds > 0 and not self.accepted and not self.errors
        return Figure(f"{kind}: opened elsewhere after a revoke, {way}", self.rounds, found, holds)


def revoke(spec: str, rounds: int) -> dict[str, Openings]:
    """Revoke so often, by turns in each way, and say what the other process made of the links."""
    found = {way: Openings() for way in WAYS}
    with closing(open_storage(spec)) as storage, program("revoked", spec) as opener:
        portal = made_for(storage, _REVOKED, _CONTROL, _OTHER)
        portal.tokens.generate(_CONTROL)
        control = text_of(portal, _CONTROL)
        for _ in range(5):  # so that a cursor can be left half read
            portal.tokens.regenerate(_OTHER)
        for number in range(rounds):
            way = list(WAYS)[number % len(WAYS)]
            _one_revoke(portal, opener, way, control, found[way])
    return found


def _one_revoke(
    portal: Portal, opener: subprocess.Popen[str], way: str, control: str, found: Openings
) -> None:
    token = portal.tokens.generate(_REVOKED)
    tell(opener, json.dumps([way, token.id, text_of(portal, _REVOKED), control]))
    before = hear(opener)
    assert portal.tokens.revoke(_REVOKED, by="ana")
    tell(opener, "revoked")
    answer = json.loads(hear(opener))
    found.rounds += 1
    found.accepted += answer["link"] == "opened"
    wanted = {"link": "denied", "control": "opened", "stale": way == "in an earlier snapshot"}
    if before != "opened":
        found.errors.append(f"before the revoke: {before}")
    found.errors += [
        f"{name}: {answer[name]}"
        for name in wanted
        if answer[name] != wanted[name] and answer[name] != "opened"
    ]


def run(scale: int) -> list[Figure]:
    """On both storages."""
    figures = []
    for place in PLACES:
        with place() as spec:
            found = revoke(spec, max(len(WAYS), ROUNDS // scale))
            figures += [one.figure(kind_of(spec), way) for way, one in found.items()]
    return figures


# --- the process that opens ---------------------------------------------------------------


class Opener:
    """Opens links in the middle of something."""

    def __init__(self, spec: str, storage: Any) -> None:
        self.spec = spec
        self.storage = storage
        self.portal = portal_over(storage)
        self.asked: Sequence[str] = ()

    def before(self) -> None:
        """Open the link while it is good, and wait until it is revoked."""
        say(self._open(self.asked[2], record=False))
        sys.stdin.readline()

    def after(self) -> None:
        """Open the link and the control, and say what came of it."""
        _, token_id, link, control = self.asked
        token = self.storage.tokens.get(token_id)
        say(
            json.dumps(
                {
                    "link": self._open(link),
                    "control": self._open(control),
                    "stale": token is not None and token.is_current,
                }
            )
        )

    def _open(self, text: str, *, record: bool = True) -> str:
        try:
            self.portal.open(text, record=record)
        except AccessDenied:
            return "denied"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "opened"


def _plainly(opener: Opener) -> None:
    opener.before()
    opener.after()


def _beside_a_cursor(opener: Opener) -> None:
    with _half_read(opener.spec):
        _plainly(opener)


def _in_a_snapshot(opener: Opener) -> None:
    with opener.storage.snapshot():
        _plainly(opener)


def _in_a_transaction(opener: Opener) -> None:
    """In a file it begins after the revoke, which would have to wait for it."""
    if opener.spec.startswith("sqlite:"):
        opener.before()
        opener.storage.transact(lambda _: opener.after())
    else:
        opener.storage.transact(lambda _: _plainly(opener), lock=[_OTHER])


@contextmanager
def _half_read(spec: str) -> Iterator[None]:
    """A cursor on the tokens of which one row was fetched."""
    with closing(plain(spec)) as connection:
        if spec.startswith("sqlite:"):
            cursor = connection.execute("SELECT id FROM tokens")
            assert cursor.fetchone()
            yield
            assert cursor.fetchone()
        else:
            with connection.transaction(), connection.cursor("half") as cursor:
                cursor.execute("SELECT id FROM tokens")
                assert cursor.fetchone()
                yield
                assert cursor.fetchone()


WAYS = {
    "plainly": _plainly,
    "beside a half-read cursor": _beside_a_cursor,
    "in an earlier snapshot": _in_a_snapshot,
    "in a transaction": _in_a_transaction,
}
"""What the process that opens is in the middle of."""


def main(spec: str) -> None:
    """Open as told until there is nothing more."""
    logging.disable()
    with closing(open_storage(spec)) as storage:
        opener = Opener(spec, storage)
        for line in iter(sys.stdin.readline, ""):
            opener.asked = json.loads(line)
            WAYS[opener.asked[0]](opener)


if __name__ == "__main__":
    main(sys.argv[1])
