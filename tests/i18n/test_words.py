"""Words that several pages share."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_portal import EntryKind, OpenItem, open_item_state
from basis_portal.domain.aging import age_open_items
from basis_portal.domain.documents import DocumentKind
from basis_portal.domain.phrases import Phrase
from basis_portal.i18n import ENGLISH, language_for
from basis_portal.i18n.words import (
    DOCUMENT_WORDS,
    ENTRY_WORDS,
    age_words,
    balance_sentence,
    balance_words,
)
from basis_portal.testing.builders import an_entry

TODAY = dt.date(2026, 4, 14)


@given(days=st.integers(-400, 400), due=st.booleans(), kind=st.sampled_from(EntryKind))
def test_a_state_says_in_english_what_its_words_are(days: int, due: bool, kind: EntryKind) -> None:
    """The page's English and the domain's own words are the same, state by state."""
    day = TODAY + dt.timedelta(days)
    entry = an_entry("E", kind=kind, date=min(day, TODAY), due_date=day if due else None)
    state = open_item_state(OpenItem(entry, entry.amount), TODAY)
    assert ENGLISH.state(state).replace("\u00a0", " ") == state.words


def test_every_kind_has_a_word() -> None:
    """No entry and no document is without a name."""
    assert set(ENTRY_WORDS) == set(EntryKind)
    assert set(DOCUMENT_WORDS) == set(DocumentKind)


@pytest.mark.parametrize(
    ("balance", "words", "sentence"),
    [
        ("4010", "4,010.00", "EUR 4,010.00 to pay"),
        ("-50", "50.00 in your favour", "EUR 50.00 in your favour"),
        ("0", "0.00", "EUR 0.00"),
    ],
)
def test_a_balance_has_words_and_no_minus(balance: str, words: str, sentence: str) -> None:
    """To pay, in your favour, or nothing."""
    amount = Decimal(balance)
    assert balance_words(ENGLISH, amount) == words
    assert balance_sentence(ENGLISH, "EUR", amount).replace("\u00a0", " ") == sentence


def test_ages_are_called_by_their_edges() -> None:
    """Whatever the edges: current, ranges, a single day, and what is over the last."""
    aging = age_open_items([], TODAY, edges=(1, 30, 60))
    assert [age_words(ENGLISH, bucket) for bucket in aging.buckets] == [
        "Not yet due",
        "1 day overdue",
        "2-30 days overdue",
        "31-60 days overdue",
        "Over 60 days overdue",
    ]


def test_a_phrase_chooses_its_form() -> None:
    """One for a count of 1, many else; a phrase that counts nothing has one form."""
    days = Phrase("%(count)s day", "%(count)s days")
    assert [days.english(n) for n in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    assert Phrase("%(what)s left").english(what="Nothing") == "Nothing left"
    assert language_for("en").say(days, 1) == "1 day"
