"""Tokens of many customers: generate what is missing, revoke all, issue anew after that."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from flask import Response, g, request
from werkzeug.exceptions import NotFound

from ...domain.portal_token import TokenStatus
from ...errors import PortalNotAvailable, StorageError
from ..answering import _, language, site
from ..faults import note_fault
from .acts import Act, micros
from .frame import Answer, form_accepted, me, refuse_readers, show, to
from .mails import may_send
from .place import Place
from .post import Post
from .reasons import typed_reason, wrong_reason
from .tally import Tally
from .tokens import show_closed

log: logging.Logger = logging.getLogger("basis_portal.web")

CONFIRM = "REVOKE"
BATCH = 200


# --- generate what is missing ---------------------------------------------------------------


def ask_missing() -> Response:
    """The question: who gets a token, and who does not."""
    refuse_readers()
    return _missing_page()


def generate_missing() -> Response:
    """Issue a token to everybody without one. Doing it twice issues nothing twice."""
    if not form_accepted():
        return _missing_page(403, refused=_("Please press Generate missing tokens once more."))
    tally, post = Tally(), Post.asked()
    try:
        tally.count(post.issue(_everybody()))
    except PortalNotAvailable:
        raise
    except Exception as error:
        refused, status = _stopped(tally, error)
        return _missing_page(status, refused=refused)
    return _issued(tally, post)


def _issued(tally: Tally, post: Post) -> Response:
    return to("show_tokens", done="issued", **tally.fields, **post.fields, **Place.asked().fields)


def _everybody() -> Iterator[str]:
    after = None
    while True:
        found = site().portal.customers.search("", after=after, limit=BATCH)
        yield from (one.id for one in found)
        if (after := found.next) is None:
            return


def _stopped(tally: Tally, error: Exception) -> tuple[str, int]:
    """What to say of a failure on the way, of the storage or of the host's code; and its status.

    Where the page that is to say it fails as well, the page of that fault says it.
    """
    reference, status = note_fault(error)
    words = _(
        "Something went wrong on our side. Nothing was changed. Please try again in a few minutes."
    )
    if tally.issued:
        words = g.stopped = language().ngettext(
            "Something went wrong on our side after %(count)s token was generated. "
            "Press the button again to go on.",
            "Something went wrong on our side after %(count)s tokens were generated. "
            "Press the button again to go on.",
            tally.issued,
        )
    found = _("Reference, to be found in the log: %(reference)s", reference=reference)
    return f"{words} {found}", status


def _missing_page(status: int = 200, *, refused: str = "") -> Response:
    off = not site().portal.settings.get().config.enabled
    return show(
        "staff/tokens_missing.html",
        status,
        section="tokens",
        place=Place.asked(),
        off=off,
        sending=may_send(off=off),
        post=Post.asked(),
        refused=refused,
    )


# --- revoke all -----------------------------------------------------------------------------


def ask_revoke_all() -> Response:
    """The question; or what the last act did, where the address names it."""
    refuse_readers()
    act = Act.asked() if request.args.get("done") == "revoked" else None
    return _revoke_all_page(act=act if site().portal.available() else None)


def revoke_all() -> Response:
    """Revoke every current token, whatever the edition."""
    portal, reason = site().portal, typed_reason()
    if not form_accepted():
        return _revoke_all_page(403, refused=_("Please press Revoke all tokens once more."))
    if errors := _errors(reason):
        return _revoke_all_page(400, errors=errors)
    began = portal.now()
    try:
        revoked = portal.tokens.revoke_all(by=me().name, reason=reason)
    except StorageError:
        log.exception("revoking all tokens failed on the way")
        refused = _("The storage failed. Some links may still work: press the button once more.")
        return _revoke_all_page(503, refused=refused)
    act = Act.of(me().name, reason, began, request.form.get("seen", ""))
    if not portal.available():
        return show_closed(Place.asked(), answer=_revoked(revoked))
    return to("ask_revoke_all", done="revoked", **act.fields, **Place.asked().fields)


def _errors(reason: str) -> dict[str, str]:
    """What is to be corrected, by field."""
    found = {
        "reason": wrong_reason(reason) if reason else _("Please give a reason."),
        "confirm": _("Please type %(word)s to confirm.", word=CONFIRM),
    }
    if request.form.get("confirm", "").strip() == CONFIRM:
        del found["confirm"]
    return {field: words for field, words in found.items() if words}


def _revoke_all_page(
    status: int = 200,
    *,
    act: Act | None = None,
    refused: str = "",
    errors: Mapping[str, str] | None = None,
) -> Response:
    portal = site().portal
    left = sum(map(len, act.customers())) if act else 0
    off = not portal.available() or not portal.settings.get().config.enabled
    return show(
        "staff/tokens_revoke_all.html",
        status,
        section="tokens",
        place=Place.asked(),
        counts=_counts(),
        act=act,
        left=left,
        sending=may_send(off=off),
        post=Post.asked() if act else None,
        answer=_revoked(left) if act else None,
        refused=refused,
        errors=errors or {},
        typed={name: request.form.get(name, "") for name in ("reason", "confirm")},
        seen=request.form.get("seen") or micros(site().portal.now()),
        confirm=CONFIRM,
    )


def _counts() -> dict[str, int] | None:
    """How many tokens there are to revoke; None where nothing is managed."""
    portal = site().portal
    if not portal.available():
        return None
    both = (TokenStatus.ACTIVE, TokenStatus.EXPIRED)
    return {status.value: portal.tokens.count(status) for status in both}


def _revoked(number: int) -> Answer:
    if not number:
        words = _(
            "No link is left that this revoked: there was none, or new ones have been issued."
        )
        return Answer(_("Nothing is left to do"), words)
    title = language().ngettext("%(count)s link revoked", "%(count)s links revoked", number)
    words = language().ngettext(
        "%(count)s link revoked. It shows 'Access denied' from now on.",
        "%(count)s links revoked. They show 'Access denied' from now on.",
        number,
    )
    return Answer(title, words)


# --- issue anew -----------------------------------------------------------------------------


def issue_again() -> Response:
    """Give new tokens to the customers of one act, and to no others."""
    act, tally, post = Act.named(request.form), Tally(), Post.asked()
    if act is None:
        raise NotFound
    if not form_accepted():
        refused = _("Please press Issue new tokens to these customers once more.")
        return _revoke_all_page(403, act=act, refused=refused)
    try:
        for customers in act.customers():
            tally.count(post.issue(customers, anew=True))
    except PortalNotAvailable:
        raise
    except Exception as error:
        refused, status = _stopped(tally, error)
        return _revoke_all_page(status, act=act, refused=refused)
    return _issued(tally, post)


PAGES = (
    ("/generate-missing", ask_missing, ["GET"]),
    ("/generate-missing", generate_missing, ["POST"]),
    ("/revoke-all", ask_revoke_all, ["GET"]),
    ("/revoke-all", revoke_all, ["POST"]),
    ("/issue-again", issue_again, ["POST"]),
)
