"""What the staff's pages share: who asks, hidden form values, the result of an action."""

from __future__ import annotations

from typing import Any

import attrs
from flask import Response, g, redirect, request, url_for
from werkzeug.exceptions import NotFound

from ...domain.checks import check_id
from ...domain.customers import Customer
from ...domain.url_keys import id_of
from ..answering import _, site
from ..forms import is_from_another_site, typed_texts
from ..site import Staff
from ..templating import page

PURPOSE = "staff"
_KEPT = ("text", "welcome_message", "reason")


@attrs.define(frozen=True)
class Answer:
    """What became of the last action: what is said under the heading, and in short in the title.

    Attributes:
        title: in short.
        text: what is said.
        failed: True where it is to be heard that what was asked for was not done.
    """

    title: str
    text: str
    failed: bool = False


class Refused(Exception):
    """A form that is not sent on; ``why`` is for people. Nothing was changed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def person() -> Staff | None:
    """Who asks, or None for nobody."""
    staff: Staff | None = g.get("staff")
    return staff


def me() -> Staff:
    """Who asks; only for pages behind ``authorize``."""
    staff: Staff = g.staff
    return staff


def form_value() -> str:
    """The hidden value of each form, bound to whom the page was shown."""
    return site().portal.forms.value(PURPOSE, me().name)


def form_accepted() -> bool:
    """True where the form came from a page that this member of staff was shown.

    False after a key was dropped, or where somebody else has signed in since: the view shows
    the form again with what was typed and asks to press the button once more.
    """
    return site().portal.forms.accepts(PURPOSE, me().name, request.form.get("form"))


def typed() -> list[str]:
    """What staff wrote into a form that is not sent on, to be given back."""
    return typed_texts(*_KEPT)


def refuse_forged() -> None:
    """Refuse what another site sends, and any change by who may only read."""
    if is_from_another_site():
        raise Refused(_("This came from another site. Nothing was changed."))
    refuse_readers()


def refuse_readers() -> None:
    """Refuse those who may only read, also where they would be asked what to change."""
    if me().read_only:
        raise Refused(_("You may look at these pages, not change anything. Nothing was changed."))


def show(template: str, status: int = 200, **values: Any) -> Response:
    """A staff page: its frame tells how many messages are unread."""
    staff, portal = person(), site().portal
    unread = portal.messages.unread_count() if staff and portal.available() else 0
    value = form_value() if staff else ""
    return page(template, status, staff=staff, unread=unread, form_value=value, **values)


def to(endpoint: str, *, done: str | None = None, **values: Any) -> Response:
    """Go to another page of ours; ``done`` is the code of what was done, never a text."""
    return redirect(url_for(endpoint, done=done, **values), 303)  # type: ignore[return-value]


def customer_of(key: str) -> Customer:
    """The customer a part of an address names; 404 where there is none."""
    customer_id = id_of(key)
    if customer_id is None:
        raise NotFound
    found = site().portal.customers.get(check_id("customer_id", customer_id))
    if found is None or found.id != customer_id:
        raise NotFound
    return found
