"""What an answer is made for: the site whose app gives it, and the language it is given in."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import cast

from flask import current_app, request

from ..i18n import Language, best_language, language_for
from .site import Site

# Each word of a page asks for it: Flask's ``g`` would take a fiftieth of the page's time.
_CHOSEN: ContextVar[Language | None] = ContextVar("basis_portal_language", default=None)


def site() -> Site:
    """The site of the app that answers."""
    return cast(Site, current_app.extensions["basis_portal"])


def choose_language(*tags: str | None) -> None:
    """Answer in the first of these languages, else in the browser's, else in the seller's."""
    if tag := next(filter(None, tags), None):
        _CHOSEN.set(language_for(tag))
        return
    accepted: Iterable[str] = request.accept_languages.values()
    _CHOSEN.set(best_language(accepted=accepted, default=site().seller.language))


def language() -> Language:
    """The language of the answer."""
    if found := _CHOSEN.get():
        return found
    choose_language()  # for an error before the page knew whom it is for
    return language()


def _(text: str, **values: object) -> str:
    """The words for an English text in the language of the answer."""
    return language().gettext(text, **values)


def forget_language() -> None:
    """Begin an answer: nothing is known yet of whom it is for."""
    _CHOSEN.set(None)
