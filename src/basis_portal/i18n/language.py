"""A language: its words from gettext catalogues, and how it writes amounts and days."""

from __future__ import annotations

import datetime as dt
import gettext
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from ..domain.phrases import Phrase
from ..domain.views import DocumentState, state_phrase
from .formats import Formats, ShowDay, formats_for

DOMAIN = "basis_portal"
LOCALES = Path(__file__).parent / "locales"
CATALOGUES = ("en", "de", "id")
"""The languages whose words are complete."""


class Language:
    """A reader's language: words, amounts and days.

    Attributes:
        tag: the language tag asked for; it decides how amounts and days are written.
        words_in: the language of the words: that of ``tag`` where there is a catalogue.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        primary = _primary(tag)
        self.words_in = primary if primary in CATALOGUES else "en"
        self._formats: Formats = formats_for(tag)
        self._catalogue = gettext.translation(
            DOMAIN, LOCALES, languages=[self.words_in], fallback=True
        )
        formats = self._formats
        self.amount: Callable[..., str] = formats.amount
        self.money: Callable[[str, Decimal], str] = formats.money
        self.number: Callable[[Decimal], str] = formats.number
        self.day: ShowDay = formats.day
        self.day_of_week: ShowDay = formats.day_of_week
        self.day_of_year: ShowDay = formats.day_of_year

    def __repr__(self) -> str:
        return f"<Language {self.tag}>"

    @property
    def in_its_words(self) -> Language:
        """The language that what is written in it reads as: amounts and days as its words are.

        This one where there are words, else the one the words are in: "works until mar 17 nov"
        is a day in March to whoever reads English around it.
        """
        return self if _primary(self.tag) == self.words_in else language_for(self.words_in)

    # --- words

    def gettext(self, text: str, **values: object) -> str:
        """The words for an English text, with its values filled in."""
        return self._catalogue.gettext(text) % values if values else self._catalogue.gettext(text)

    def ngettext(self, one: str, many: str, count: int, **values: object) -> str:
        """The words for an English text in which a number counts."""
        return self.plural(one, many, count) % {"count": count, **values}

    def plural(self, one: str, many: str, count: int) -> str:
        """The words that go with a number, their values not yet filled in."""
        return self._catalogue.ngettext(one, many, count)

    def say(self, phrase: Phrase, count: int | None = None, **values: object) -> str:
        """A phrase of the domain in this language."""
        if phrase.many is None or count is None:
            return self.gettext(phrase.one, **values)
        return self.ngettext(phrase.one, phrase.many, count, **values)

    def state(self, state: DocumentState) -> str:
        """The state of a document in words."""
        if (phrase := state_phrase(state)) is None:
            return ""
        money = ""
        if state.currency is not None and state.amount is not None:
            money = self.money(state.currency, state.amount)
        return self.say(phrase, state.days, money=money)

    # --- figures and instants

    def count(self, count: int) -> str:
        """A whole number, such as ``2,000``."""
        return self.number(Decimal(count))

    def time(self, instant: dt.datetime, zone: dt.tzinfo) -> str:
        """The time of an instant where the seller is: ``09:12``."""
        return f"{instant.astimezone(zone):%H:%M}"

    def instant(self, instant: dt.datetime, zone: dt.tzinfo) -> str:
        """An instant with the day of the week and its zone: ``Thu 14 May 2026, 09:12 (Berlin)``."""
        local = instant.astimezone(zone)
        return f"{self.day_of_week(local.date())}, {local:%H:%M} ({zone_name(zone)})"

    def short_instant(self, instant: dt.datetime, zone: dt.tzinfo) -> str:
        """An instant for tables: ``14 May 2026, 09:12``."""
        local = instant.astimezone(zone)
        return f"{self.day(local.date())}, {local:%H:%M}"


def _primary(tag: str) -> str:
    """The language of a tag, without its region: ``pt``."""
    return tag.replace("_", "-").split("-")[0].lower()


def zone_name(zone: dt.tzinfo) -> str:
    """What people call a time zone: its city, such as ``Berlin``."""
    return str(getattr(zone, "key", None) or zone).rsplit("/", 1)[-1].replace("_", " ")


@lru_cache(256)
def language_for(tag: str | None) -> Language:
    """The language of a tag such as ``de`` or ``pt-BR``; English for None and for what is none."""
    return Language(tag or "en")


def best_language(*, accepted: Iterable[str], default: str) -> Language:
    """The first accepted language we have words for, else ``default``."""
    for tag in accepted:
        if tag.split("-")[0].lower() in CATALOGUES:
            return language_for(tag)
    return language_for(default)


ENGLISH = language_for("en")
