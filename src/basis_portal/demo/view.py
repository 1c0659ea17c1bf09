"""What a customer sees, as plain text: the words and the order of the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal

from ..access import PortalAccess
from ..domain.aging import Aging
from ..domain.documents import Document, DocumentKind
from ..domain.messages import Author
from ..domain.money import ZERO, format_amount
from ..domain.periods import PeriodName, named_period
from ..domain.statement import ACTIVITY, CurrencyStatement, StatementLine, StatementOfAccount
from ..domain.summary import AccountSummary
from ..domain.views import AppliedItem, DocumentView, OpenPart
from ..domain.visibility import Section
from ..i18n import ENGLISH
from ..i18n.headline import headlines
from ..i18n.words import ENTRY_WORDS, age_words, balance_sentence, balance_words
from .text import WIDTH, money, paragraph, plain, show_day, show_instant, table, title

TO_PAY = 5
BAR = 30


def customer_view(
    access: PortalAccess, *, seller: str, invoice_id: str | None = None
) -> Iterator[str]:
    """All that whoever opened the link may see, and one invoice of it in full."""
    summary, sections = access.summary(), access.sections()
    yield "=" * WIDTH
    yield seller
    yield f"Customer portal for {access.customer.name}"
    yield "=" * WIDTH
    yield from paragraph(access.welcome_message(), indent=2)
    yield from _overview(summary)
    yield from _to_pay(access)
    yield from _invoices(access)
    if invoice_id is not None:
        yield from _invoice(access, invoice_id)
    if Section.STATEMENT in sections:
        period = named_period(PeriodName.DEFAULT, summary.as_of)
        yield from statement_text(access.statement(period.start, period.end), access.customer.name)
    if Section.SALES_ORDERS in sections:
        yield from _orders(access)
    if Section.CREDIT_NOTES in sections:
        yield from _credit_notes(access)
    if Section.MESSAGES in sections:
        yield from _messages(access, seller)
    yield from _footer(access, summary.as_of)


# --- overview -----------------------------------------------------------------------------


def _overview(summary: AccountSummary) -> Iterator[str]:
    for headline in headlines(summary):
        yield from title(headline.words)
        yield from paragraph(headline.below, indent=2)
        if one := headline.credits:
            credit, balance = one.unapplied_credits or ZERO, one.balance or ZERO
            rows = [("Credits not yet applied", format_amount(credit))]
            yield from table([*rows, ("Balance", format_amount(balance))], right=[1])
    if len(summary.by_currency) > 1:
        yield ""
        yield "Amounts in different currencies are not added together."


def _to_pay(access: PortalAccess) -> Iterator[str]:
    found = access.documents(DocumentKind.SALES_INVOICE, open_only=True, limit=200).items
    if not found:
        return
    yield from title("To pay, oldest first")
    oldest = sorted(found, key=lambda one: (one.open_due_date or one.date, one.id))[:TO_PAY]
    rows = [(one.number, one.reference or "", _open(one), one.state.words) for one in oldest]
    yield from table([("Number", "Your ref.", "Open", "Status"), *rows], right=[2])


# --- lists --------------------------------------------------------------------------------


def _invoices(access: PortalAccess) -> Iterator[str]:
    page = access.documents(DocumentKind.SALES_INVOICE)
    yield from title(f"Invoices, newest first{_span(page.items)}")
    rows = [("Number", "Your ref.", "Date", "Amount", "Open", "Status")]
    for one in page.items:
        rows.append((*_facts(one), _open(one), one.state.words))
        if one.state.part_paid:
            rows.append(("", "", "", "", "", "Part paid"))
    yield from table(rows, right=[3, 4]) if page.items else ["  No invoices yet."]


def _orders(access: PortalAccess) -> Iterator[str]:
    page = access.documents(DocumentKind.SALES_ORDER)
    yield from title(f"Sales orders, newest first{_span(page.items)}")
    rows = [("Number", "Your ref.", "Date", "Amount"), *map(_facts, page.items)]
    yield from table(rows, right=[3]) if page.items else ["  No sales orders."]


def _credit_notes(access: PortalAccess) -> Iterator[str]:
    page = access.documents(DocumentKind.CREDIT_NOTE)
    yield from title(f"Credit notes, newest first{_span(page.items)}")
    rows = [(*_facts(one), one.state.words) for one in page.items]
    rows = [("Number", "Your ref.", "Date", "Amount", "Status"), *rows]
    yield from table(rows, right=[3]) if page.items else ["  No credit notes."]


def _facts(one: Document) -> tuple[str, str, str, str]:
    return one.number, one.reference or "", show_day(one.date), money(one.currency, one.total)


def _open(one: DocumentView) -> str:
    return money(one.currency, one.open_amount) if one.open_amount else ""


def _span(newest_first: Sequence[Document]) -> str:
    if not newest_first:
        return ""
    first, last = newest_first[-1].date, newest_first[0].date
    return f", {show_day(first)} to {show_day(last)}"


# --- one document -------------------------------------------------------------------------


def _invoice(access: PortalAccess, invoice_id: str) -> Iterator[str]:
    detail = access.document(invoice_id)
    one = detail.document
    yield from title(f"Invoice {one.number}: {one.state}")
    if one.open_amount:
        yield f"  {_open(one)} open. Please quote {one.number} when you pay."
    if len(one.open_parts) > 1:
        yield ""
        yield "  What is open, by due date"
        yield from table([_part(one, part) for part in one.open_parts], right=[2], indent=4)
    yield ""
    yield from table(_invoice_facts(one))
    yield ""
    yield from _lines(one)
    yield ""
    yield "  Payments and credits on this invoice"
    applied = [_applied(item) for item in detail.applied]
    still_open = ("", "Still open", "", format_amount(one.open_amount or ZERO))
    yield from table([*applied, still_open], right=[3], indent=4)


def _part(one: DocumentView, part: OpenPart) -> tuple[str, str, str]:
    due = show_day(part.due_date) if part.due_date else "No due date"
    return due, one.state_of(part).words, format_amount(part.amount)


def _invoice_facts(one: DocumentView) -> Iterator[tuple[str, str]]:
    yield "Date", show_day(one.date)
    due = one.open_due_date if one.open_parts else one.due_date
    if due and len(one.open_parts) < 2:
        yield "Due", show_day(due)
    if one.reference:
        yield "Your reference", one.reference
    if one.order_number:
        yield "Order", one.order_number


def _lines(one: Document) -> Iterator[str]:
    rows = [("Description", "Quantity", "Unit price", one.currency)]
    for line in one.lines:
        quantity = "" if line.quantity is None else f"{line.quantity:f}"
        price = "" if line.unit_price is None else format_amount(line.unit_price)
        amount = "" if line.amount is None else format_amount(line.amount)
        rows.append((line.description, quantity, price, amount))
    sums = [("Net", one.net), ("Tax", one.tax), ("Total", one.total)]
    rows += [(name, "", "", format_amount(amount)) for name, amount in sums if amount is not None]
    yield from table(rows, right=[1, 2, 3])


def _applied(item: AppliedItem) -> tuple[str, str, str, str]:
    what, number = ENTRY_WORDS[item.kind].one, item.number or ""
    return show_day(item.date), what, number, format_amount(item.amount)


# --- statement of account -----------------------------------------------------------------


def statement_text(statement: StatementOfAccount, name: str) -> Iterator[str]:
    """The statement in either view, with the open amounts by age."""
    is_activity, last = statement.view == ACTIVITY, show_day(statement.end)
    since = f"from {show_day(statement.start)} to " if is_activity else "what is open on "
    yield from title("Statement of account")
    yield f"  For {name}, {since}{last}"
    if not statement.by_currency:
        yield "  Nothing happened in this period." if is_activity else "  Nothing is open."
    for one in statement.by_currency.values():
        yield ""
        balance = balance_sentence(ENGLISH, one.currency, one.closing_balance)
        yield plain(f"  {one.currency}: balance on {show_day(statement.end)}: {balance}")
        yield ""
        if is_activity:
            yield from _activity(one, statement.start, statement.end)
        else:
            yield from _open_items(one, statement.end)
        if one.aging:
            yield ""
            yield from _aging(one.aging)


def _open_items(one: CurrencyStatement, as_of: dt.date) -> Iterator[str]:
    rows = [("Date", "Due", "What", "Number", "Original", "Open", "Days overdue")]
    for item in one.open_items:
        entry, overdue = item.entry, item.days_overdue(as_of)
        facts = (
            show_day(entry.date),
            show_day(entry.due_date) if entry.due_date else "",
            ENGLISH.say(ENTRY_WORDS[entry.kind]),
            entry.number or "",
        )
        amounts = format_amount(entry.amount), balance_words(ENGLISH, item.signed_amount)
        rows.append((*facts, *amounts, str(overdue) if overdue else ""))
    yield from table(rows, right=[4, 5, 6])


def _activity(one: CurrencyStatement, start: dt.date, end: dt.date) -> Iterator[str]:
    head = ("Date", "What", "Number", "Charged", "Paid or credited", "Balance")
    opening = (
        show_day(start),
        "Opening balance",
        "",
        "",
        "",
        balance_words(ENGLISH, one.opening_balance or ZERO),
    )
    charged, credited = format_amount(one.charged or ZERO), format_amount(one.credited or ZERO)
    totals = ("", "Total", "", charged, credited, "")
    closing = (
        show_day(end),
        "Closing balance",
        "",
        "",
        "",
        balance_words(ENGLISH, one.closing_balance),
    )
    rows = [head, opening, *map(_activity_row, one.lines), totals, closing]
    printed = list(table(rows, right=[3, 4, 5]))
    yield from printed[:2]
    for row, line in zip(printed[2:], one.lines, strict=False):
        yield row
        if applied := _applied_to(line):
            yield from paragraph(applied, indent=15)
    yield from printed[-2:]


def _activity_row(line: StatementLine) -> tuple[str, ...]:
    charged = "" if line.charged is None else format_amount(line.charged)
    credited = "" if line.credited is None else format_amount(line.credited)
    what, number = ENTRY_WORDS[line.kind].one, line.number or ""
    return (
        show_day(line.date),
        what,
        number,
        charged,
        credited,
        balance_words(ENGLISH, line.balance),
    )


def _applied_to(line: StatementLine) -> str:
    """What a credit settled, and what is left of it."""
    if line.unapplied is None:
        return ""
    names = ", ".join(part.debit.number or part.debit.id for part in line.applied)
    left = f"{format_amount(line.unapplied)} not yet applied" if line.unapplied else ""
    return "; ".join(filter(None, [f"applied to {names}" if names else "", left]))


def _aging(aging: Aging) -> Iterator[str]:
    yield "  Open amounts by age (aging)"
    most = max((bucket.amount for bucket in aging.buckets), default=ZERO)
    rows = [
        (age_words(ENGLISH, bucket), format_amount(bucket.amount), _bar(bucket.amount, most))
        for bucket in aging.buckets
    ]
    rows.append(("Credits not yet applied", format_amount(aging.unapplied_credits), ""))
    rows.append(("Total", format_amount(aging.total), ""))
    yield from table(rows, right=[1], indent=4)


def _bar(amount: Decimal, most: Decimal) -> str:
    return "#" * max(1, int(amount * BAR / most)) if amount else ""


# --- messages and the end -----------------------------------------------------------------


def _messages(access: PortalAccess, seller: str) -> Iterator[str]:
    yield from title("Messages")
    found = access.messages().items
    for one in reversed(found):  # they come newest first
        who = "You" if one.author is Author.CUSTOMER else seller
        about = f", about {one.document_id}" if one.document_id else ""
        yield f"  {show_instant(one.at)}, {who}{about}:"
        yield from paragraph(one.text, indent=4)
    if not found:
        yield "  No messages yet."


def _footer(access: PortalAccess, as_of: dt.date) -> Iterator[str]:
    yield ""
    yield "=" * WIDTH
    yield f"As of {show_day(as_of)}."
    if access.expires_at:
        yield from paragraph(
            f"This link is for {access.customer.name}. Whoever has it can see this page until "
            f"{show_instant(access.expires_at)}. Please do not pass it on."
        )
