"""How amounts, days and instants are written: by Babel, or plainly where it is missing.

English without a region is always written plainly, so that it reads the same everywhere:
``EUR 1,200.00``, ``14 Apr 2026``.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, Protocol

from ..domain.money import decimals_of, format_amount

NBSP, MINUS = "\u00a0", "\u2212"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OUR_MONTHS = {
    "de": (
        *("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni"),
        *("Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."),
    ),
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
}
OUR_WEEKDAYS = {
    "de": ("Mo.", "Di.", "Mi.", "Do.", "Fr.", "Sa.", "So."),
    "id": ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"),
}
"""As the Unicode CLDR has them: in a letter in one of our languages a day is told in its words."""

ShowDay = Callable[[dt.date], str]

WITHOUT_CENTS = {
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
}
"""The currencies of ISO 4217 that have no minor unit."""


class Formats(Protocol):
    """How one language writes figures and days."""

    def amount(self, amount: Decimal, currency: str | None = None) -> str:
        """An amount without its currency; ``currency`` tells how many decimals it has."""
        ...

    def money(self, currency: str, amount: Decimal) -> str:
        """An amount with its currency, which stay on one line."""
        ...

    def number(self, number: Decimal) -> str:
        """A quantity, with the decimals it has."""
        ...

    def day(self, day: dt.date) -> str:
        """A day, short: ``14 Apr 2026``."""
        ...

    def day_of_week(self, day: dt.date) -> str:
        """A day with the day of the week: ``Tue 14 Apr 2026``."""
        ...

    def day_of_year(self, day: dt.date) -> str:
        """A day without the year: ``14 Apr``."""
        ...


class EnglishFormats:
    """English as it is read everywhere. No library, no locale of the process."""

    def amount(self, amount: Decimal, currency: str | None = None) -> str:
        """``1,200.00``; a currency without cents shows none."""
        if currency in WITHOUT_CENTS:
            return self.number(amount)
        return format_amount(amount).replace("-", MINUS)

    def money(self, currency: str, amount: Decimal) -> str:
        """``EUR 1,200.00``."""
        return f"{currency}{NBSP}{self.amount(amount, currency)}"

    def number(self, number: Decimal) -> str:
        """``1,200.5``."""
        return f"{number:z,.{decimals_of(number)}f}".replace("-", MINUS)

    def day(self, day: dt.date) -> str:
        """``14 Apr 2026``."""
        return f"{day.day} {MONTHS[day.month - 1]} {day.year}"

    def day_of_week(self, day: dt.date) -> str:
        """``Tue 14 Apr 2026``."""
        return f"{WEEKDAYS[day.weekday()]} {self.day(day)}"

    def day_of_year(self, day: dt.date) -> str:
        """``14 Apr``."""
        return f"{day.day} {MONTHS[day.month - 1]}"


class NeutralFormats(EnglishFormats):
    """For other languages where Babel is missing: nothing that could be misread.

    A comma is a decimal sign to one reader and groups thousands for another, so thousands
    are grouped by a space; days are written as ISO 8601 does.
    """

    def amount(self, amount: Decimal, currency: str | None = None) -> str:
        """``1 200.00``."""
        return super().amount(amount, currency).replace(",", NBSP)

    def number(self, number: Decimal) -> str:
        """``1 200.5``."""
        return super().number(number).replace(",", NBSP)

    def day(self, day: dt.date) -> str:
        """``2026-04-14``."""
        return day.isoformat()

    def day_of_week(self, day: dt.date) -> str:
        """``2026-04-14``."""
        return day.isoformat()

    def day_of_year(self, day: dt.date) -> str:
        """``2026-04-14``."""
        return day.isoformat()


class WordedFormats(NeutralFormats):
    """For German and Indonesian where Babel is missing: neutral figures, and days in words."""

    def __init__(self, language: str) -> None:
        self._months, self._weekdays = OUR_MONTHS[language], OUR_WEEKDAYS[language]
        self._dot = "." if language == "de" else ""

    def day(self, day: dt.date) -> str:
        """``14. Apr. 2026``."""
        return f"{self.day_of_year(day)} {day.year}"

    def day_of_week(self, day: dt.date) -> str:
        """``Di., 14. Apr. 2026``."""
        return f"{self._weekdays[day.weekday()]}, {self.day(day)}"

    def day_of_year(self, day: dt.date) -> str:
        """``14. Apr.``."""
        return f"{day.day}{self._dot} {self._months[day.month - 1]}"


class BabelFormats:
    """The formats of a locale as the Unicode CLDR has them."""

    def __init__(self, locale: Any) -> None:
        self._locale = locale
        self._plain = locale.decimal_formats[None]
        self._code_first = locale.currency_formats["standard"].pattern.startswith("\u00a4")
        self.day: ShowDay = lru_cache(1024)(lambda day: self._by_skeleton("yMMMd", day))
        self.day_of_week: ShowDay = lru_cache(1024)(lambda day: self._by_skeleton("yMMMEd", day))
        self.day_of_year: ShowDay = lru_cache(1024)(lambda day: self._by_skeleton("MMMd", day))

    def amount(self, amount: Decimal, currency: str | None = None) -> str:
        """``1.200,00`` in German; a currency without cents shows none."""
        from babel.numbers import get_currency_precision

        least = 2 if currency is None else get_currency_precision(currency)
        return self._decimal(amount, max(least, decimals_of(amount)))

    def money(self, currency: str, amount: Decimal) -> str:
        """``1.200,00 EUR`` in German: the code stands where the locale has its sign."""
        text = self.amount(amount, currency)
        return f"{currency}{NBSP}{text}" if self._code_first else f"{text}{NBSP}{currency}"

    def number(self, number: Decimal) -> str:
        """``1.200,5`` in German."""
        return self._decimal(number, decimals_of(number))

    def _decimal(self, amount: Decimal, decimals: int) -> str:
        pattern = copy.copy(self._plain)
        pattern.frac_prec = (decimals, decimals)
        with localcontext(prec=100):  # the host's own may round at six digits
            text: str = pattern.apply(amount + 0, self._locale)
        return text.replace("-", MINUS)

    def _by_skeleton(self, skeleton: str, day: dt.date) -> str:
        from babel.dates import format_skeleton

        noon = dt.datetime(day.year, day.month, day.day, 12)  # noqa: DTZ001 (only its date is read)
        return str(format_skeleton(skeleton, noon, locale=self._locale))


def formats_for(tag: str) -> Formats:
    """The formats of a language tag; a region nobody knows is left away."""
    if tag.lower() == "en":
        return EnglishFormats()
    try:
        from babel import Locale, UnknownLocaleError
    except ImportError:
        return _plain_formats(tag.replace("_", "-").split("-")[0].lower())
    parts = tag.replace("_", "-").split("-")
    for length in range(len(parts), 0, -1):
        try:
            return BabelFormats(Locale.parse("-".join(parts[:length]), sep="-"))
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return EnglishFormats()


def _plain_formats(language: str) -> Formats:
    if language == "en":
        return EnglishFormats()
    return WordedFormats(language) if language in OUR_MONTHS else NeutralFormats()
