"""The page of one customer's token: how it stands, its link, and what happened."""

from __future__ import annotations

from flask import Response, request

from ...errors import NoActiveToken
from ..answering import site
from . import answers, mails
from .frame import Answer, me, show
from .happened import happened
from .holders import Holder, holder_of
from .place import Place

EARLIER = 20


def show_token(key: str) -> Response:
    """How a customer's token stands. Audited as shown, where it shows the link."""
    holder = holder_of(key)
    return token_page(holder, answer=answers.of_token(holder))


def token_page(
    holder: Holder,
    status: int = 200,
    *,
    answer: Answer | None = None,
    refused: str = "",
    unsaved: str = "",
) -> Response:
    """The page of a customer's token.

    Args:
        holder: whose.
        status: of the answer.
        answer: what became of an action.
        refused: what is to be done again; the link is not shown then, so that a form from
            elsewhere writes nothing at all.
        unsaved: what was typed and is not kept.
    """
    # Nothing is written where the storage has just failed: this page would fail as well.
    portal, shown = site().portal, None if refused or status == 503 else _link(holder)
    earlier = [one for one in portal.tokens.history(holder.id) if one != holder.token]
    trail = request.args.get("trail") or None
    note = mails.note_on(holder, mails.named(holder.id) if answer else None)
    off = not portal.settings.get().config.enabled
    return show(
        "staff/token.html",
        status,
        section="tokens",
        holder=holder,
        place=Place.asked(),
        link=shown,
        answer=answer,
        refused=refused,
        unsaved=unsaved,
        off=off,
        sending=mails.may_send(off=off),
        new_mail_id=mails.new_mail_id,
        note=note,
        # What an answer of another status tells is no trouble of the mail server's.
        trouble=bool((note and note.failed) or (answer and answer.failed and status == 200)),
        earlier=earlier[: -EARLIER - 1 : -1],
        trail=trail,
        happened=happened(holder.id, trail),
    )


def _link(holder: Holder) -> str | None:
    """The link, for those who may change things, where it opens."""
    if me().read_only or holder.is_shut_out or not holder.is_active:
        return None
    try:
        return site().portal.tokens.link(holder.id, by=me().name, shown=True)
    except NoActiveToken:  # it ended since it was looked up
        return None


PAGES = (("/tokens/<key>", show_token, ["GET"]),)
