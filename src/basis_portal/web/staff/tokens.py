"""The list of tokens: customers, how their tokens stand, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, request

from ...domain.portal_token import TokenStatus
from ..answering import language, site
from . import answers, mails
from .frame import Answer, show
from .holders import WEEK, Holder, with_customers, with_tokens
from .place import SOON, STATUSES, Place
from .post import how_far
from .tally import Tally

PAGE = 50


def show_tokens() -> Response:
    """The customers and how their tokens stand; links are fetched only when asked for."""
    place, portal = Place.asked(), site().portal
    if not portal.available():
        return show_closed(place)
    done, answer = request.args.get("done"), None
    if done == "issued":
        answer = Tally.asked().answer(how_far())
    elif done == "mailed":
        answer = answers.of_mail_to(request.args.get("customer", ""))
    return tokens_page(place, answer=answer)


def tokens_page(
    place: Place, status: int = 200, *, answer: Answer | None = None, refused: str = ""
) -> Response:
    """A page of the list, with what became of an action."""
    portal = site().portal
    holders, following = _found(place)
    off = not portal.settings.get().config.enabled
    return show(
        "staff/tokens.html",
        status,
        section="tokens",
        place=place,
        holders=holders,
        following=following,
        statuses=[(value, language().say(words)) for value, words in STATUSES.items()],
        off=off,
        sending=mails.may_send(off=off),
        new_mail_id=mails.new_mail_id,
        answer=answer,
        trouble=bool(answer and answer.failed and status == 200),
        refused=refused,
    )


def _found(place: Place) -> tuple[Sequence[Holder], str | None]:
    """A page of the list, and where the next one begins.

    With a status it walks tokens, which are ours; without one customers, which are the host's.
    """
    portal = site().portal
    if place.status is None:
        customers = portal.customers.search(place.q or "", after=place.after, limit=PAGE)
        return with_tokens(customers.items), customers.next
    if place.status == SOON:
        tokens = portal.tokens.list(expiring_within=WEEK, after=place.after, limit=PAGE)
    else:
        status = TokenStatus(place.status)
        tokens = portal.tokens.list(status=status, after=place.after, limit=PAGE)
    return with_customers(tokens), tokens.next


def show_closed(place: Place, *, answer: Answer | None = None) -> Response:
    """Where edition or feature gives no portal, links can be revoked all the same."""
    portal, after = site().portal, None if place.status else place.after
    found = portal.customers.search(place.q or "", after=after, limit=PAGE)
    return show(
        "staff/tokens_closed.html",
        section="tokens",
        place=Place(place.q, after=after),
        customers=found.items,
        following=found.next,
        because=portal.unavailable_because(),
        answer=answer,
    )


PAGES = (("/tokens", show_tokens, ["GET"]),)
