"""A statement as PDF: both views, every currency, in the customer's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from itertools import chain, islice

import attrs

from ..domain.aging import Aging
from ..domain.allocation import OpenItem, check_age_by
from ..domain.checks import check_instant, check_member
from ..domain.customers import Customer
from ..domain.ledger import LedgerEntry
from ..domain.money import ZERO
from ..domain.seller import Seller
from ..domain.statement import (
    ACTIVITY,
    OPEN_ITEMS,
    CurrencyStatement,
    StatementLine,
    StatementOfAccount,
)
from ..errors import InvalidValue
from ..i18n import Language, language_for
from ..i18n.words import ENTRY_WORDS, age_words, balance_sentence, balance_words
from .fonts import OURS, PdfFont, faces
from .layout import Column, Layout, Line, Paper
from .source import StatementSource

PDF_LINES = 5000
"""Most lines, or open items, of a statement as PDF: some 150 pages. CSV has no such limit."""


def has_pdf() -> bool:
    """True where the extra ``pdf`` (reportlab) is installed."""
    return find_spec("reportlab") is not None


def is_too_long_for_pdf(
    source: StatementSource,
    start: dt.date | None = None,
    end: dt.date | None = None,
    view: str = ACTIVITY,
) -> bool:
    """True where a statement has more than 5,000 lines, or open items.

    It reads no more lines than it needs to tell. Raises as `PortalAccess.statement`.
    """
    found = source.statement(start, end, view, aging=False, lines=False)
    if view == OPEN_ITEMS:
        return _length(found) > PDF_LINES
    lines = chain.from_iterable(
        source.statement_lines(currency, found.start, found.end) for currency in found.by_currency
    )
    return next(islice(lines, PDF_LINES, None), None) is not None


def statement_pdf(
    statement: StatementOfAccount,
    *,
    seller: Seller,
    customer: Customer,
    language: Language | None = None,
    made_at: dt.datetime | None = None,
    font: PdfFont | None = None,
    age_by: str = "due_date",
) -> bytes:
    """A statement as a PDF file; the same input makes the same bytes.

    It holds no link and no address of the portal.

    Args:
        statement: what `PortalAccess.statement` gave, with its lines.
        seller: whose name, address and contact stand on it.
        customer: whose statement it is.
        language: of words, amounts and days; the customer's, else the seller's, where None. All
            of it is in the language of the words: amounts and days that are written as in
            another would be misread, or be in letters that the font has not.
        made_at: the instant it is made, in the time zone it is to be shown in; where None the
            last day of the statement stands in its place.
        font: other fonts than ours, for customers who write what these have not, or None.
        age_by: as it was given to `PortalAccess.statement`.

    Raises:
        InvalidValue: it is another customer's statement, has more than 5,000 lines or was read
            without them, or an argument breaks its rule.
        ImportError: reportlab is not installed; `has_pdf` tells.
    """
    check_member("statement", statement, StatementOfAccount)
    check_member("seller", seller, Seller)
    check_member("customer", customer, Customer)
    if language is None:
        language = language_for(customer.language or seller.language)
    spoken = check_member("language", language, Language).in_its_words
    font = check_member("font", OURS if font is None else font, PdfFont)
    if made_at is not None:
        check_instant("made_at", made_at)
    if customer.id != statement.customer_id:
        rule = f"must be the statement's, {statement.customer_id!r}"
        raise InvalidValue.of("customer", customer.id, rule)
    if statement.view == ACTIVITY and any(
        one.charged is None for one in statement.by_currency.values()
    ):
        raise InvalidValue("statement was read without its lines", field="statement")
    if (length := _length(statement)) > PDF_LINES:
        raise InvalidValue(
            f"statement has {length:,} lines; a PDF has at most {PDF_LINES:,}: take the CSV",
            field="statement",
        )
    check_age_by(age_by)
    if not has_pdf():
        raise ImportError("statement_pdf needs reportlab: pip install 'basis-portal[pdf]'")
    return _Statement(statement, seller, customer, spoken, made_at, font, age_by).pdf()


def _length(statement: StatementOfAccount) -> int:
    if statement.view == OPEN_ITEMS:
        return sum(len(one.open_items) for one in statement.by_currency.values())
    return sum(len(one.lines) for one in statement.by_currency.values())


@attrs.define(frozen=True)
class _Statement:
    statement: StatementOfAccount
    seller: Seller
    customer: Customer
    language: Language
    made_at: dt.datetime | None
    font: PdfFont
    age_by: str

    def _(self, text: str, **values: object) -> str:
        return self.language.gettext(text, **values)

    def pdf(self) -> bytes:
        """The file."""
        page = Layout(*faces(self.font))
        self._write_top(page)
        for currency, one in self.statement.by_currency.items():
            self._write_currency(page, currency, one)
        if not self.statement.by_currency:
            page.text(self._nothing(), above=12)
        title = self._("Statement of account")
        return page.pdf(
            Paper(
                title=title,
                author=self.seller.name,
                language=self.language.words_in,
                made_at=self.made_at or dt.datetime.combine(self._last, dt.time(), dt.UTC),
                head=f"{self.seller.name} · {title} · {self.customer.name}",
                foot=self._("As of %(instant)s.", instant=self._instant()),
                number=self._page_number,
            )
        )

    @property
    def _last(self) -> dt.date:
        return self.statement.end

    @property
    def _is_activity(self) -> bool:
        return self.statement.view == ACTIVITY

    def _instant(self) -> str:
        if self.made_at is None or self.made_at.tzinfo is None:
            return self._day(self._last)
        return self.language.instant(self.made_at, self.made_at.tzinfo)

    def _page_number(self, page: int, pages: int) -> str:
        return self._("Page %(page)s of %(pages)s", page=page, pages=pages)

    def _day(self, day: dt.date) -> str:
        return self.language.day(day)

    # --- what stands on it

    def _write_top(self, page: Layout) -> None:
        seller = self.seller
        page.text(seller.name, size=11, strong=True)
        contact = " · ".join(filter(None, (seller.email, seller.phone)))
        page.text("\n".join(filter(None, (seller.address, contact))))
        page.text(self._("Statement of account"), size=16, strong=True, above=20)
        name, last = self.customer.name, self._day(self._last)
        if self._is_activity:
            first = self._day(self.statement.start)
            page.text(
                self._("For %(name)s, from %(start)s to %(end)s", name=name, start=first, end=last),
                size=11,
                above=5,
            )
        else:
            page.text(self._("For %(name)s, as of %(day)s", name=name, day=last), size=11, above=5)

    def _write_currency(self, page: Layout, currency: str, one: CurrencyStatement) -> None:
        page.keep(130)
        page.text(currency, size=13, strong=True, above=16)
        balance = balance_sentence(self.language, currency, one.closing_balance)
        day = self._day(self._last)
        page.text(
            self._("Balance on %(day)s: %(balance)s", day=day, balance=balance), size=11, above=4
        )
        if not (one.lines if self._is_activity else one.open_items):
            page.text(self._nothing(), above=4)
        if self._is_activity:
            page.table(self._activity_columns(), [*self._activity(currency, one)])
        elif one.open_items:
            page.table(self._item_columns(), [*self._open_items(currency, one)])
        if one.aging is not None:
            self._write_aging(page, currency, one.aging)

    def _nothing(self) -> str:
        if self._is_activity:
            return self._("Nothing happened in this period.")
        day = self._day(self._last)
        return self._("No open items on %(day)s. Everything is settled.", day=day)

    # --- activity

    def _activity_columns(self) -> list[Column]:
        return [
            Column(self._("Date")),
            Column(self._("What")),
            Column(self._("Number"), takes_rest=True),
            Column(self._("Charged"), figure=True),
            Column(self._("Paid or credited"), figure=True),
            Column(self._("Balance"), figure=True),
        ]

    def _activity(self, currency: str, one: CurrencyStatement) -> Iterator[Line]:
        opening = self._("Opening balance on %(day)s", day=self._day(self.statement.start))
        closing = self._("Closing balance on %(day)s", day=self._day(self._last))
        balance = self._balance(currency, one.opening_balance or ZERO)
        yield Line([opening, "", "", "", "", balance], strong=True)
        for line in one.lines:
            charged, credited = line.charged, line.credited
            yield Line(
                [
                    self._day(line.date),
                    self.language.say(ENTRY_WORDS[line.kind]),
                    self._number(currency, line),
                    "" if charged is None else self._amount(currency, charged),
                    "" if credited is None else self._amount(currency, credited),
                    self._balance(currency, line.balance),
                ]
            )
        sums = (self._amount(currency, amount or ZERO) for amount in (one.charged, one.credited))
        yield Line([self._("Total"), "", "", *sums, ""], strong=True)
        balance = self._balance(currency, one.closing_balance)
        yield Line([closing, "", "", "", "", balance], strong=True)

    def _number(self, currency: str, line: StatementLine) -> str:
        """The number, and below that of a credit what it was applied to."""
        applied = self._applied(currency, line)
        return "\n".join(filter(None, (line.number, applied)))

    def _applied(self, currency: str, line: StatementLine) -> str:
        if line.unapplied is None:
            return ""
        numbers = ", ".join(self._name(part.debit) for part in line.applied)
        amount = self._amount(currency, line.unapplied) if line.unapplied else ""
        if numbers and amount:
            return self._(
                "applied to %(numbers)s; %(amount)s not yet applied", numbers=numbers, amount=amount
            )
        if numbers:
            return self._("applied to %(numbers)s", numbers=numbers)
        return self._("%(amount)s not yet applied", amount=amount) if amount else ""

    def _name(self, entry: LedgerEntry) -> str:
        return entry.number or self.language.say(ENTRY_WORDS[entry.kind])

    # --- open items

    def _item_columns(self) -> list[Column]:
        return [
            Column(self._("Date")),
            Column(self._("Due")),
            Column(self._("What")),
            Column(self._("Number"), takes_rest=True),
            Column(self._("Your reference"), takes_rest=True),
            Column(self._("Original"), figure=True),
            Column(self._("Open"), figure=True),
            Column(self._("Days overdue"), figure=True),
        ]

    def _open_items(self, currency: str, one: CurrencyStatement) -> Iterator[Line]:
        for item in one.open_items:
            yield self._open_item(currency, item)
        balance = self._balance(currency, one.closing_balance)
        yield Line([self._("Total"), "", "", "", "", "", balance, ""], strong=True)

    def _open_item(self, currency: str, item: OpenItem) -> Line:
        entry, late = item.entry, item.days_overdue(self._last)
        return Line(
            [
                self._day(entry.date),
                self._day(entry.due_date) if entry.due_date and entry.is_debit else "",
                self.language.say(ENTRY_WORDS[entry.kind]),
                entry.number or "",
                entry.reference or "",
                self._balance(currency, entry.signed_amount),
                self._balance(currency, item.signed_amount),
                str(late) if late else "",
            ]
        )

    # --- aging

    def _write_aging(self, page: Layout, currency: str, aging: Aging) -> None:
        page.keep(70 + 17 * len(aging.buckets))
        page.text(self._("Open amounts by age (aging)"), size=11, strong=True, above=14)
        columns = [Column(self._("Age")), Column(self._("Open"), figure=True)]
        amounts = [(age_words(self.language, one), one.amount) for one in aging.buckets]
        amounts.append((self._("Credits not yet applied"), aging.unapplied_credits))
        lines = [Line([words, self._amount(currency, amount)]) for words, amount in amounts]
        whole = Line([self._("Total"), self._balance(currency, aging.total)], strong=True)
        page.table(columns, [*lines, whole])
        page.text(self._counted_from(self._day(aging.as_of)), size=8.5, above=4)

    def _counted_from(self, day: str) -> str:
        if self.age_by == "date":
            return self._(
                "Days are counted from the date of each invoice to %(day)s. "
                "The total is the closing balance.",
                day=day,
            )
        return self._(
            "Days are counted from the due date to %(day)s. The total is the closing balance.",
            day=day,
        )

    # --- figures

    def _amount(self, currency: str, amount: Decimal) -> str:
        return self.language.amount(amount, currency)

    def _balance(self, currency: str, amount: Decimal) -> str:
        """A balance; the words for one in the customer's favour stand on a line of their own."""
        words = balance_words(self.language, amount, currency)
        figure = self._amount(currency, amount.copy_abs())
        before, _, after = (part.strip() for part in words.partition(figure))
        return "\n".join(filter(None, (before, figure, after)))
