"""Check a link: whose it is, and why it fails, for the customer who complains."""

from __future__ import annotations

from flask import Response, request

from ...domain.audit import Cause
from ...domain.phrases import Phrase
from ...domain.url_keys import key_of
from ...portal import LinkCheck
from ..answering import _, language, site
from .frame import Answer, form_accepted, refuse_readers, show
from .holders import Holder, holder_of
from .place import Place

VERDICTS: dict[Cause | None, Phrase] = {
    None: Phrase("Works until %(until)s."),
    Cause.UNREADABLE: Phrase("Not one of ours, or not complete."),
    Cause.UNKNOWN: Phrase("One of ours, but its token is not on record any more."),
    Cause.REVOKED: Phrase("Revoked by %(name)s on %(ended)s."),
    Cause.REPLACED: Phrase("Replaced by %(name)s on %(ended)s."),
    Cause.EXPIRED: Phrase("Expired on %(until)s."),
    Cause.CUSTOMER_UNKNOWN: Phrase("There is no such customer in %(erp)s any more."),
    Cause.CUSTOMER_BLOCKED: Phrase("Blocked in %(erp)s: the link shows 'Access denied'."),
    Cause.FAULT: Phrase("%(erp)s did not answer as it should."),
}
FLAWS: dict[str, Phrase] = {
    "elsewhere": Phrase(
        "What was pasted does not open as it stands: our links begin with %(address)s, "
        "this one does not."
    ),
    "broken": Phrase(
        "What was pasted does not open as it stands: there is a line break or a space in the link."
    ),
    "added": Phrase(
        "What was pasted does not open as it stands: something is stuck to the link that is no "
        "part of it, such as a full stop."
    ),
    "detour": Phrase(
        "What was pasted leads through another site first, such as a mail filter: it opens only "
        "if that site leads on to the link."
    ),
}
_WORKS_ONCE_ON = Phrase("Works until %(until)s, once the portal is on.")


def ask_check() -> Response:
    """The field to paste a link into."""
    refuse_readers()
    return _page()


def check_link() -> Response:
    """What becomes of a pasted link. The text itself is not shown again, nor kept anywhere."""
    if not form_accepted():
        return _page(403, refused=_("Please paste the link and press Check once more."))
    pasted = request.form.get("link", "").strip()
    if not pasted:
        return _page(400, refused=_("Please paste a link first."))
    return _page(found=site().portal.tokens.check(pasted))


def _page(status: int = 200, *, refused: str = "", found: LinkCheck | None = None) -> Response:
    token = found.token if found else None
    holder = holder_of(key_of(token.customer_id)) if token else None
    off = not site().portal.settings.get().config.enabled
    return show(
        "staff/check.html",
        status,
        section="tokens",
        place=Place.asked(),
        refused=refused,
        holder=holder,
        reason=token.reason if token else None,
        is_latest=holder is not None and holder.token == token,
        answer=_answer(found, holder, off=off) if found else None,
        off=off,
    )


def _answer(found: LinkCheck, holder: Holder | None, *, off: bool) -> Answer:
    """Whose token it is and how it stands; then what is wrong with the text it was found in."""
    if found.flaw == "several":
        words = _("There is more than one link in it. Please paste one at a time.")
        return Answer(_("There is more than one link in it"), words)
    if found.flaw == "long":
        words = _("This is too long to be looked through. Please paste the link alone.")
        return Answer(_("Too long to be looked through"), words)
    phrase = _WORKS_ONCE_ON if off and found.cause is None else VERDICTS[found.cause]
    verdict = language().say(phrase, None, **_values(found))
    words = (
        _("%(customer)s. %(verdict)s", customer=holder.name, verdict=verdict) if holder else verdict
    )
    title = verdict.removesuffix(".")
    if found.flaw is None:
        return Answer(title, words)
    if found.cause is None and found.flaw != "detour":
        title = _("Does not open as it stands")
    # As one text: it is read out at once, and nobody stops reading at "Works".
    flaw = language().say(FLAWS[found.flaw], address=f"{site().portal.base_url}/")
    again = _("Send the link again: Copy link is below.") if _has_link(holder) else ""
    return Answer(title, " ".join(filter(None, [words, flaw, again])))


def _has_link(holder: Holder | None) -> bool:
    return holder is not None and holder.is_active and not holder.is_shut_out


def _values(found: LinkCheck) -> dict[str, str]:
    token, written = found.token, language().instant
    zone = site().portal.timezone
    values = {"erp": site().host.name}
    if token is not None:
        values |= {"until": written(token.expires_at, zone), "name": token.ended_by or _("System")}
    if token is not None and token.ended_at is not None:
        values["ended"] = written(token.ended_at, zone)
    return values


PAGES = (("/check-link", ask_check, ["GET"]), ("/check-link", check_link, ["POST"]))
