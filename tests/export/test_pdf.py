"""A statement as PDF: the figures of the page, on numbered pages, in letters that are there."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.depth import examples

from basis_portal import (
    Customer,
    EntryKind,
    InvalidValue,
    LedgerEntry,
    PortalAccess,
    Seller,
    StatementOfAccount,
)
from basis_portal.export import PdfFont, has_pdf, is_too_long_for_pdf, statement_pdf
from basis_portal.export.fonts import HERE, OURS, UNKNOWN, faces
from basis_portal.export.layout import MARGIN, MOST_LINES, PAGE_WIDTH
from basis_portal.i18n import language_for
from basis_portal.i18n.words import balance_words
from basis_portal.storage.memory import InMemoryStorage
from basis_portal.testing.builders import CUSTOMER_ID, a_payment, an_allocation, an_entry
from basis_portal.testing.clocks import FrozenClock
from basis_portal.testing.ledgers import Ledger, ledger_days, ledgers

from .accounts import access_to
from .reading import fonts_of, pieces_of, reader_of, texts_of, words_of
from .test_csv import noon

SELLER = Seller(
    "Nordlicht Kaffee GmbH", "Speicherstr. 1\nBerlin", "accounts@nordlicht.example", "+49 30 12345"
)
CUSTOMER = Customer(CUSTOMER_ID, "Kopi Nusantara")
MARCH = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
ENGLISH = language_for("en")
FONT, BOLD = HERE / "DejaVuSans.ttf", HERE / "DejaVuSans-Bold.ttf"


def pdf_of(statement: StatementOfAccount, **changes: Any) -> bytes:
    """The file of a statement."""
    return statement_pdf(statement, **{"seller": SELLER, "customer": CUSTOMER, **changes})


def account(clock: Any = None, **first: Any) -> PortalAccess:
    """An account with an invoice, a payment that settles it and more, and one in dollars."""
    entries = [
        an_entry(**{"amount": Decimal("1200.50"), "reference": "PO-77", **first}),
        a_payment(amount=Decimal(1500)),
        an_entry("INV-2", currency="USD", amount=Decimal(900)),
    ]
    part = an_allocation(amount=Decimal("1200.50"))
    return access_to(entries, [part], clock=clock or FrozenClock(MARCH))


# --- what stands on it ----------------------------------------------------------------------


def test_the_activity_on_paper() -> None:
    """Seller, customer, period, each line, totals, ages, day: in the order of the page."""
    made_at = MARCH.astimezone(ZoneInfo("Europe/Berlin"))
    content = pdf_of(account().statement(), made_at=made_at)
    assert texts_of(content)[:41] == [
        *("Nordlicht Kaffee GmbH", "Speicherstr. 1", "Berlin"),
        "accounts@nordlicht.example · +49 30 12345",
        *("Statement of account", "For Kopi Nusantara, from 15 Jan 2025 to 1 Mar 2025"),
        *("EUR", "Balance on 1 Mar 2025: EUR 299.50 in your favour"),
        *("Date", "What", "Number", "Charged", "Paid or", "credited", "Balance"),
        *("Opening balance on 15 Jan 2025", "0.00"),
        *("15 Jan 2025", "Invoice", "INV-1", "1,200.50", "1,200.50"),
        *("25 Jan 2025", "Payment", "PAY-1", "applied to INV-1; 299.50 not yet applied"),
        *("1,500.00", "299.50", "in your favour"),
        *("Total", "1,200.50", "1,500.00"),
        *("Closing balance on 1 Mar 2025", "299.50", "in your favour"),
        *("Open amounts by age (aging)", "Age", "Open", "Not yet due", "0.00"),
        "1-30 days overdue",
    ]
    assert "As of Sat 1 Mar 2025, 13:00 (Berlin). Page 1 of " in words_of(content)
    assert "Credits not yet applied \u2212299.50 Total 299.50 in your favour" in words_of(content)
    counted = "Days are counted from the due date to 1 Mar 2025. The total is the closing balance."
    assert words_of(content).count(counted) == 2


def test_the_open_items_on_paper() -> None:
    """Each with what is open of it and how late it is."""
    texts = texts_of(pdf_of(account().statement(view="open_items")))
    assert texts[5] == "For Kopi Nusantara, as of 1 Mar 2025"
    credit = texts.index("PAY-1")
    assert texts[credit - 2 : credit + 5] == [
        *("25 Jan 2025", "Payment", "PAY-1"),
        *("1,500.00", "in your favour", "299.50", "in your favour"),
    ]
    dollars = texts.index("USD")
    assert texts[dollars : dollars + 21] == [
        *("USD", "Balance on 1 Mar 2025: USD 900.00 to pay"),
        *("Date", "Due", "What", "Number", "Your reference", "Original", "Open", "Days", "overdue"),
        *("15 Jan 2025", "14 Feb 2025", "Invoice", "INV-2", "900.00", "900.00", "15"),
        *("Total", "900.00", "Open amounts by age (aging)"),
    ]


def test_it_says_where_nothing_is() -> None:
    """An empty period shows its balances; without any entry there is a sentence alone."""
    quiet = words_of(pdf_of(account().statement(dt.date(2025, 2, 20))))
    assert "Nothing happened in this period. Date What" in quiet
    assert "Opening balance on 20 Feb 2025 299.50 in your favour Total 0.00 0.00" in quiet
    empty = access_to([]).statement()
    assert texts_of(pdf_of(empty))[-1] == "Nothing happened in this period."
    settled = access_to([an_entry(amount=Decimal(0))], clock=FrozenClock(MARCH))
    items = words_of(pdf_of(settled.statement(view="open_items")))
    assert "No open items on 1 Mar 2025. Everything is settled." in items


def test_a_statement_read_without_ages_has_none() -> None:
    """``aging=False`` leaves them out on paper too."""
    assert "aging" not in words_of(pdf_of(account().statement(aging=False)))


def test_it_says_from_what_days_are_counted() -> None:
    """By date of the invoice, where the ages were asked for so."""
    by_date = pdf_of(account().statement(age_by="date"), age_by="date")
    assert "Days are counted from the date of each invoice to 1 Mar 2025." in words_of(by_date)


def test_it_is_in_the_customers_language() -> None:
    """Words, days and figures are those of the customer's language, else of the seller's."""
    statement = account().statement()
    german = attrs.evolve(CUSTOMER, language="de")
    for content in (
        pdf_of(statement, customer=german),
        pdf_of(statement, seller=attrs.evolve(SELLER, language="de")),
        pdf_of(statement, language=language_for("de")),
    ):
        words = words_of(content)
        assert "Kontoauszug" in words
        assert "15. Jan. 2025 Rechnung INV-1 1.200,50" in words
        assert "299,50 zu Ihren Gunsten" in words
        assert reader_of(content).trailer["/Root"]["/Lang"] == "de"  # type: ignore[index]
    assert "Laporan rekening pelanggan" in words_of(pdf_of(statement, language=language_for("id")))


# --- its figures are those of the page ------------------------------------------------------


def without_applied(statement: StatementOfAccount) -> StatementOfAccount:
    """The statement without the amounts that stand beside a number and not in a column."""
    return attrs.evolve(
        statement,
        by_currency={
            currency: attrs.evolve(
                one, lines=tuple(attrs.evolve(line, unapplied=None) for line in one.lines)
            )
            for currency, one in statement.by_currency.items()
        },
    )


def expected_figures(statement: StatementOfAccount) -> list[str]:
    """What stands on the right of the tables, in order, a line of a cell each."""

    def balance(currency: str, amount: Decimal) -> list[str]:
        words = balance_words(ENGLISH, amount, currency).replace(" in", "\nin")
        return words.splitlines()

    found: list[str] = []
    for currency, one in statement.by_currency.items():
        assert one.opening_balance is not None
        assert one.charged is not None
        assert one.credited is not None
        assert one.aging is not None
        found += balance(currency, one.opening_balance)
        for line in one.lines:
            found += [ENGLISH.amount(line.entry.amount, currency), *balance(currency, line.balance)]
        found += [ENGLISH.amount(amount, currency) for amount in (one.charged, one.credited)]
        found += balance(currency, one.closing_balance)
        amounts = [*(bucket.amount for bucket in one.aging.buckets), one.aging.unapplied_credits]
        found += [ENGLISH.amount(amount, currency) for amount in amounts]
        found += balance(currency, one.aging.total)
    return [" ".join(text.split()) for text in found]


@settings(max_examples=examples(40), deadline=None)
@given(ledger=ledgers(), day=ledger_days(), start=st.none() | ledger_days())
def test_the_file_says_what_the_statement_says(
    ledger: Ledger, day: dt.date, start: dt.date | None
) -> None:
    """Lines, totals, balances and ages are on paper what they are in the statement."""
    entries = [attrs.evolve(one, number=None) for one in ledger.entries]
    access = access_to(entries, ledger.allocations, clock=FrozenClock(noon(day)))
    statement = access.statement(start if start and start <= day else None)
    figure = frozenset("0123456789,.\u2212")
    texts = texts_of(pdf_of(without_applied(statement)))
    found = [one for one in texts if set(one) <= figure or one == "in your favour"]
    assert found == expected_figures(statement)


# --- pages ----------------------------------------------------------------------------------


def many(count: int) -> list[LedgerEntry]:
    """Invoices without any payment."""
    return [
        an_entry(f"I{n:05}", amount=Decimal(n % 7), date=dt.date(2020, 1, 1) + dt.timedelta(n // 4))
        for n in range(count)
    ]


def test_pages_are_numbered_and_repeat_their_heads() -> None:
    """Each page says which of how many it is, whose it is, and what its columns are."""
    pages = pieces_of(pdf_of(access_to(many(100), clock=FrozenClock(MARCH)).statement()))
    assert len(pages) == 3
    for number, page in enumerate(pages, 1):
        texts = [one.text for one in page]
        assert f"Page {number} of 3" in texts
        assert "As of 1 Mar 2025." in texts
        head = "Nordlicht Kaffee GmbH · Statement of account · Kopi Nusantara"
        assert (head in texts) is (number > 1)
        assert texts[(at := texts.index("Date")) : at + 4] == ["Date", "What", "Number", "Charged"]
    lines = [one.text for page in pages for one in page if one.text.startswith("I0")]
    assert lines == [one.id for one in many(100)]


@pytest.mark.deep
def test_five_thousand_lines_are_a_file_and_one_more_is_refused() -> None:
    """The limit holds for lines, and for open items in their view."""
    storage = InMemoryStorage()
    access = access_to(many(5000), storage=storage, clock=FrozenClock(MARCH))
    statement = access.statement()
    assert not is_too_long_for_pdf(access)
    content = pdf_of(statement)
    assert f"Page 2 of {len(reader_of(content).pages)}" in words_of(content)
    closing = ENGLISH.amount(statement.by_currency["EUR"].closing_balance, "EUR")
    assert texts_of(content).count("Invoice") == 5000
    assert f"Closing balance on 1 Mar 2025 {closing}" in words_of(content)
    storage.ledger.save(an_entry("one more", currency="USD", number=None))
    assert is_too_long_for_pdf(access)
    assert not is_too_long_for_pdf(access, dt.date(2020, 1, 2))
    with pytest.raises(InvalidValue, match="5,001 lines; a PDF has at most 5,000: take the CSV"):
        pdf_of(access.statement())


def test_the_limit_holds_for_open_items() -> None:
    """In their view what counts is how many are open."""
    entries = [attrs.evolve(one, amount=Decimal(1)) for one in many(5001)]
    access = access_to(entries, clock=FrozenClock(MARCH))
    assert is_too_long_for_pdf(access, view="open_items")
    with pytest.raises(InvalidValue, match="5,001 lines"):
        pdf_of(access.statement(view="open_items"))
    assert not is_too_long_for_pdf(access, end=dt.date(2020, 1, 1), view="open_items")


class Counting:
    """A ledger that counts the entries it was asked for."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.given = inner, 0

    def __getattr__(self, name: str) -> Any:
        """What the inner one has."""
        return getattr(self._inner, name)

    def entry_page(self, *args: Any, **kwargs: Any) -> Any:
        """A page of entries."""
        found = self._inner.entry_page(*args, **kwargs)
        self.given += len(found)
        return found


def test_how_long_it_is_is_told_without_reading_it_all() -> None:
    """No more than 5,001 lines are read, whatever there are, and a thousand ahead."""
    storage = InMemoryStorage()
    counting = Counting(storage.ledger)
    access = access_to(many(20_000), storage=storage, clock=FrozenClock(MARCH), ledger=counting)
    assert is_too_long_for_pdf(access)
    assert 5001 <= counting.given <= 6001


def test_what_is_long_is_broken_and_stays_within_the_margins() -> None:
    """Neither a text without a blank nor the largest sums leave the paper or the row."""
    largest = Decimal("99999999999999.9999")
    entries = [
        an_entry(f"I{n}", amount=largest, number="W" * 1000, reference="x y " * 250)
        for n in range(12)
    ]
    paid = a_payment("P", amount=largest, number="Ä" * 300)
    access = access_to([*entries, paid], clock=FrozenClock(MARCH))
    seller = attrs.evolve(SELLER, name="N" * 255, address="\n".join("s" * 90 for _ in range(10)))
    customer = attrs.evolve(CUSTOMER, name="K" * 255)
    for view in ("activity", "open_items"):
        content = pdf_of(access.statement(view=view), seller=seller, customer=customer)
        pages = pieces_of(content)
        for one in chain(*pages):
            assert MARGIN - 1 <= one.x < PAGE_WIDTH - MARGIN
        assert "1,199,999,999,999,999.9988" in words_of(content) or view == "open_items"
        assert len(pages) < 10
        broken = [one.text for one in chain(*pages) if set(one.text) == {"W"}]
        assert len(broken) == 12 * MOST_LINES
        assert max(map(len, broken)) < 30


# --- letters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Großhandel Müller & Söhne, Übersee",
        "Καφές Αθηνών, Ἑλλάς",
        "PT Kopi Nusantara “Sejahtera” – Yogyakarta",
        "Žižkovská pražírna, Łódź, Kağıthane",
        "Кофейня «Север»",
        "5 € → £ ₹ ₽ ₴ ₺",
    ],
)
def test_names_and_signs_are_read_as_they_are_written(name: str) -> None:
    """Letters of Europe and signs of currencies are there, and are found by a search."""
    content = pdf_of(account(number=name).statement(), customer=attrs.evolve(CUSTOMER, name=name))
    assert f"For {name}, from" in words_of(content)
    assert name.split(maxsplit=1)[0] in texts_of(content)[texts_of(content).index("Invoice") + 1]
    assert "\ufffd" not in words_of(content)


def test_all_fonts_are_in_the_file() -> None:
    """A reader needs none of its own."""
    assert fonts_of(pdf_of(account().statement())) == {"DejaVuSans": True, "DejaVuSans-Bold": True}


def test_letters_in_two_parts_are_put_together() -> None:
    """An u with two dots after it is an ü, as some systems write it."""
    content = pdf_of(account(number="Mu\u0308ller").statement())
    assert "Müller" in texts_of(content)


def test_a_letter_that_is_not_there_is_seen_to_be_missing() -> None:
    """Chinese is a sign each, marks of direction are nothing, a tab is a blank."""
    customer = attrs.evolve(CUSTOMER, name="咖啡\u200f 1")
    words = words_of(pdf_of(account(number="A\tB").statement(), customer=customer))
    assert "For \ufffd\ufffd 1, from" in words
    assert "A B" in words


def test_a_host_may_give_its_own_font() -> None:
    """Regular and bold, or one for both; a letter it has not is seen as well."""
    statement = account().statement()
    assert fonts_of(pdf_of(statement, font=PdfFont(str(BOLD)))) == {"DejaVuSans-Bold": True}
    both = PdfFont(BOLD, FONT)
    assert fonts_of(pdf_of(statement, font=both)) == {"DejaVuSans": True, "DejaVuSans-Bold": True}


def test_what_is_no_font_is_refused(tmp_path: Path) -> None:
    """A file that is not there, and one that is something else."""
    other = tmp_path / "font.ttf"
    other.write_bytes(b"\0\1\0\0 no font")
    for path in (tmp_path / "none.ttf", other):
        with pytest.raises(InvalidValue, match="must be the path of a TrueType font"):
            pdf_of(account().statement(), font=PdfFont(path))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.7, 0.9, 0.99])
def test_a_font_that_was_cut_off_is_refused(tmp_path: Path, part: float) -> None:
    """Wherever it ends, also where letters could still be read from it."""
    whole, cut = FONT.read_bytes(), tmp_path / "cut.ttf"
    cut.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(InvalidValue, match=r"must be the path of a (whole )?TrueType font"):
        pdf_of(account().statement(), font=PdfFont(cut))


def test_the_signs_of_currencies_are_those_that_are_documented() -> None:
    """Each that the page names is in both styles, and of the block no other."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "downloads.md").read_text("utf-8")
    has, lacks = re.findall(r"^\| (?:yes|no) \| `(.*)` \|$", page, re.M)
    for face in faces(OURS):
        assert face.written(has.replace(" ", "")) == has.replace(" ", "")
        assert set(face.written(lacks.replace(" ", ""))) == {UNKNOWN}
    block = {chr(one) for one in range(0x20A0, 0x20C1)}
    assert block <= set(has + lacks)


@pytest.mark.parametrize("tag", ["zh", "ar", "fa", "hi", "th", "ja", "bn", "he", "fr"])
def test_days_and_amounts_are_in_the_language_of_the_words(tag: str) -> None:
    """For languages we have no words for all of it is English, and each letter is there."""
    statement = account().statement()
    foreign = pdf_of(statement, customer=attrs.evolve(CUSTOMER, language=tag))
    assert UNKNOWN not in words_of(foreign)
    assert foreign == pdf_of(statement, language=language_for(tag)) == pdf_of(statement)
    assert "from 15 Jan 2025 to 1 Mar 2025" in words_of(foreign)


def test_the_region_of_a_language_we_have_stays() -> None:
    """A customer in Austria reads days and amounts as they are written there."""
    assert "15. Jän. 2025" in words_of(
        pdf_of(account().statement(), language=language_for("de-AT"))
    )


def test_our_fonts_are_small_and_have_their_licence() -> None:
    """Both together are a quarter of a megabyte; their licence asks to be with them."""
    assert sum(one.stat().st_size for one in HERE.iterdir()) < 300_000
    licence = (HERE / "LICENSE").read_text(encoding="utf-8")
    assert "Bitstream Vera" in licence
    assert "Tavmjong Bah" in licence


# --- what must not be in it -----------------------------------------------------------------


def test_markup_in_a_name_is_text() -> None:
    """Names are not read as markup, which could draw links, pictures and colours."""
    name = '<a href="https://evil.example/">x</a><img src="/etc/passwd"/>&amp;<b>'
    seller = attrs.evolve(SELLER, name=name, address="<font color=red>1</font>")
    content = pdf_of(account().statement(), seller=seller, customer=Customer(CUSTOMER_ID, name))
    words = words_of(content)
    assert words.replace(" ", "").count(name.replace(" ", "")) >= 2
    assert "<font color=red>1</font>" in words
    assert all("/Annots" not in page for page in reader_of(content).pages)


def test_nothing_in_it_leads_to_the_portal() -> None:
    """No link, no address of the portal, no token; its data name seller and title alone."""
    content = pdf_of(account().statement(), made_at=MARCH)
    found = reader_of(content)
    streams = [one.get_contents() for one in found.pages]
    whole = content + b"".join(one.get_data() for one in streams if one)
    whole = whole.replace(b"http://www.reportlab.com", b"")  # older ones sign with their own
    for word in (b"http", b"/URI", b"erp.example", CUSTOMER_ID.encode()):
        assert word not in whole
    assert {key: value for key, value in (found.metadata or {}).items() if value} == {
        "/Title": "Statement of account",
        "/Author": "Nordlicht Kaffee GmbH",
        "/CreationDate": "D:20250301120000Z",
        "/ModDate": "D:20250301120000Z",
        "/Trapped": "/False",
    }


def test_the_same_statement_makes_the_same_bytes() -> None:
    """Also in another process, whose hashes are others."""
    code = (
        "import sys, hashlib; sys.path.insert(0, '.');"
        "from tests.export.test_pdf import *;"
        "print(hashlib.sha256(pdf_of(account().statement(), made_at=MARCH)).hexdigest())"
    )
    root = Path(__file__).parents[2]
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert pdf_of(account().statement()) == pdf_of(account().statement())


# --- what is refused ------------------------------------------------------------------------


def test_anothers_statement_is_refused() -> None:
    """A name never stands on the statement of somebody else."""
    with pytest.raises(InvalidValue, match="customer must be the statement's, 'C-1001'"):
        pdf_of(account().statement(), customer=Customer("C-2", "Somebody else"))


def test_a_statement_without_its_lines_is_refused() -> None:
    """It would look as if nothing had happened."""
    with pytest.raises(InvalidValue, match="read without its lines"):
        pdf_of(account().statement(lines=False))


def test_a_wrong_way_to_count_days_is_refused() -> None:
    """As `PortalAccess.statement` refuses it."""
    with pytest.raises(InvalidValue, match="age_by"):
        pdf_of(account().statement(), age_by="number")


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("statement", one) for one in (None, "x", {})),
        *(("seller", one) for one in (None, "Nordlicht", CUSTOMER)),
        *(("customer", one) for one in (None, CUSTOMER_ID, SELLER)),
        *(("language", one) for one in ("de", "", 0)),
        *(("font", one) for one in (FONT, "DejaVu", "", False)),
        *(("made_at", one) for one in ("x", MARCH.replace(tzinfo=None), MARCH.date(), 0)),
    ],
)
def test_an_argument_of_another_kind_is_refused(field: str, wrong: Any) -> None:
    """By its name, and before anything is written."""
    given = {"statement": account().statement(), "seller": SELLER, "customer": CUSTOMER}
    with pytest.raises(InvalidValue, match=f"^{field} must be ") as refused:
        statement_pdf(**{**given, field: wrong})
    assert refused.value.field == field


def test_without_reportlab_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra may be missing: it can be asked, and whoever does not is told what to install."""
    statement = account().statement()
    assert has_pdf()
    monkeypatch.setitem(sys.modules, "reportlab", None)
    assert not has_pdf()
    with pytest.raises(ImportError, match=r"needs reportlab: pip install 'basis-portal\[pdf\]'"):
        pdf_of(statement)


def test_every_kind_has_its_word() -> None:
    """Entries of all kinds are named as on the page."""
    entries = [an_entry(kind.value, kind=kind, due_date=None) for kind in EntryKind]
    texts = texts_of(pdf_of(access_to(entries, clock=FrozenClock(MARCH)).statement()))
    for word in ("Invoice", "Refund", "Adjustment", "Credit note", "Payment", "Write-off"):
        assert word in texts
