"""The button on pages that refuse a link: whoever holds an expired one is e-mailed a new one."""

from __future__ import annotations

from flask import Response, request

from ..answering import site
from ..forms import typed_texts
from .frame import show

BUTTON = "new-link"


def answer_the_button() -> Response | None:
    """The answer to the button, one and the same for every link; None where none was pressed.

    The button is sent to the address of the page it stands on, whichever that is, with nothing
    but its name in the query: so a refusal is the same page for every address and repeats
    nothing of it. It is looked for before any page is, as that would open the link, and here
    nothing may depend on whether it opens. What GET brings is the page of the address, as ever.
    """
    if not site().renewals or request.method != "POST" or BUTTON not in request.args:
        return None
    site().portal.mailing.ask_for_renewal(request.path.split("/")[1])
    return show("customer/new_link.html", access=None, typed=typed_texts("text"))
