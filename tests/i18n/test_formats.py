"""Amounts and days as readers write them: by Babel, and plainly where it is missing."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import pytest
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from basis_portal.domain.money import AMOUNT_LIMIT
from basis_portal.i18n import ENGLISH, best_language, language_for
from basis_portal.i18n.formats import EnglishFormats, NeutralFormats, WordedFormats

DAY = dt.date(2026, 4, 14)
AMOUNTS = st.decimals(-AMOUNT_LIMIT + 1, AMOUNT_LIMIT - 1, places=4)


@pytest.mark.parametrize(
    ("tag", "money", "day", "instant"),
    [
        ("en", "EUR 1,200.00", "14 Apr 2026", "Tue 14 Apr 2026, 09:12 (UTC)"),
        ("en-US", "EUR 1,200.00", "Apr 14, 2026", "Tue, Apr 14, 2026, 09:12 (UTC)"),
        ("de", "1.200,00 EUR", "14. Apr. 2026", "Di., 14. Apr. 2026, 09:12 (UTC)"),
        ("id", "EUR 1.200,00", "14 Apr 2026", "Sel, 14 Apr 2026, 09:12 (UTC)"),
        ("pt_BR", "EUR 1.200,00", "14 de abr. de 2026", "ter., 14 de abr. de 2026, 09:12 (UTC)"),
        ("de-XX", "1.200,00 EUR", "14. Apr. 2026", "Di., 14. Apr. 2026, 09:12 (UTC)"),
        ("klingon", "EUR 1,200.00", "14 Apr 2026", "Tue 14 Apr 2026, 09:12 (UTC)"),
        ("", "EUR 1,200.00", "14 Apr 2026", "Tue 14 Apr 2026, 09:12 (UTC)"),
    ],
)
def test_each_locale_writes_in_its_way(tag: str, money: str, day: str, instant: str) -> None:
    """The code stands where the locale has its sign; a tag nobody knows is English."""
    language, moment = language_for(tag), dt.datetime(2026, 4, 14, 9, 12, tzinfo=dt.UTC)
    assert language.money("EUR", Decimal("1200")).replace("\u00a0", " ") == money
    assert language.day(DAY).replace("\u00a0", " ") == day
    assert language.instant(moment, dt.UTC).replace("\u00a0", " ") == instant


def test_currency_and_amount_stay_on_one_line() -> None:
    """Between them is a no-break space, and a minus is a true one."""
    assert ENGLISH.money("EUR", Decimal("-5")) == "EUR\u00a0\u22125.00"
    assert language_for("de").money("EUR", Decimal("-5")) == "\u22125,00\u00a0EUR"


@pytest.mark.parametrize(("amount", "shown"), [("1200", "1.200"), ("1200.5", "1.200,5")])
def test_a_currency_without_cents_shows_none(amount: str, shown: str) -> None:
    """Yen have no decimals unless the amount has, by Babel as well as in plain English."""
    assert language_for("de").amount(Decimal(amount), "JPY") == shown
    plain = ENGLISH.amount(Decimal(amount), "JPY")
    assert plain == shown.replace(".", ";").replace(",", ".").replace(";", ",")


@given(amount=AMOUNTS, tag=st.sampled_from(["de", "id", "en-US", "hi", "sv", "fr"]))
def test_no_digit_is_lost(amount: Decimal, tag: str) -> None:
    """Whatever the locale: what is shown is the amount, to its last digit."""
    language = language_for(tag)
    shown = language.amount(amount, "EUR").replace("\u2212", "-")
    assert parse_decimal(shown, locale=tag.replace("-", "_")) == amount


@given(amount=AMOUNTS)
def test_plain_formats_lose_no_digit_either(amount: Decimal) -> None:
    """English and neutral figures read back as the amount."""
    english = EnglishFormats().amount(amount).replace("\u2212", "-").replace(",", "")
    neutral = NeutralFormats().amount(amount).replace("\u2212", "-").replace("\u00a0", "")
    assert Decimal(english) == Decimal(neutral) == amount


def test_sums_beyond_any_context_are_shown() -> None:
    """A sum of thirty digits is written in full, whatever the host's decimal context is."""
    amount = Decimal("123456789012345678901234567890.55")
    assert language_for("de").amount(amount, "EUR").replace(".", "") == (
        "123456789012345678901234567890,55"
    )


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("en", ["EUR 1,200.00", "14 Apr 2026", "Tue 14 Apr 2026", "14 Apr"]),
        ("en-GB", ["EUR 1,200.00", "14 Apr 2026", "Tue 14 Apr 2026", "14 Apr"]),
        ("de", ["EUR 1 200.00", "14. Apr. 2026", "Di., 14. Apr. 2026", "14. Apr."]),
        ("id_ID", ["EUR 1 200.00", "14 Apr 2026", "Sel, 14 Apr 2026", "14 Apr"]),
        ("fr", ["EUR 1 200.00", "2026-04-14", "2026-04-14", "2026-04-14"]),
    ],
)
def test_without_babel_nothing_can_be_misread(tag: str, shown: list[str]) -> None:
    """English stays plain; other languages get no comma and no order of day and month to guess.

    Where there are words, days are in words.
    """
    code = (
        "import sys; sys.modules['babel'] = None\n"
        "import datetime as dt; from decimal import Decimal\n"
        "from basis_portal.i18n import language_for\n"
        f"one, day = language_for({tag!r}), dt.date(2026, 4, 14)\n"
        "said = [one.money('EUR', Decimal(1200)), one.day(day), one.day_of_week(day),\n"
        "        one.day_of_year(day)]\n"
        "print(ascii([text.replace('\\u00a0', ' ') for text in said]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ascii(shown)


@given(day=st.dates(), tag=st.sampled_from(["de", "id"]))
def test_days_in_our_words_are_those_of_babel(day: dt.date, tag: str) -> None:
    """Whether Babel is there or not, a day reads the same, with its week and without its year."""
    plain, babel = WordedFormats(tag), language_for(tag)
    assert (plain.day(day), plain.day_of_week(day), plain.day_of_year(day)) == (
        babel.day(day),
        babel.day_of_week(day),
        babel.day_of_year(day),
    )


@pytest.mark.parametrize(
    ("tag", "tag_of_words"),
    [
        *(("en", "en"), ("en-US", "en-US"), ("de_AT", "de_AT"), ("id", "id"), ("DE", "DE")),
        *(("fr", "en"), ("zh-Hans", "en"), ("dei", "en"), ("", "en")),
    ],
)
def test_a_language_in_its_words(tag: str, tag_of_words: str) -> None:
    """Itself with its region, where there are words; else that of the words, amounts included."""
    language = language_for(tag)
    assert language.in_its_words.tag == tag_of_words
    assert language.in_its_words.words_in == language.words_in
    assert language.in_its_words.in_its_words is language.in_its_words


def test_the_first_accepted_language_with_words_is_taken() -> None:
    """A browser's list is walked until a language we have; else the seller's stands."""
    assert best_language(accepted=["fr", "id-ID", "de"], default="de").tag == "id-ID"
    assert best_language(accepted=["fr"], default="de").tag == "de"
    assert best_language(accepted=[], default="en").words_in == "en"
    assert language_for("fr").words_in == "en"


def test_the_city_of_a_time_zone_is_named() -> None:
    """Instants are told where the seller is, and where that is."""
    from zoneinfo import ZoneInfo

    moment = dt.datetime(2026, 4, 14, 23, 30, tzinfo=dt.UTC)
    berlin, aires = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Argentina/Buenos_Aires")
    assert ENGLISH.instant(moment, berlin) == "Wed 15 Apr 2026, 01:30 (Berlin)"
    assert ENGLISH.instant(moment, aires) == "Tue 14 Apr 2026, 20:30 (Buenos Aires)"
    assert ENGLISH.short_instant(moment, berlin) == "15 Apr 2026, 01:30"
