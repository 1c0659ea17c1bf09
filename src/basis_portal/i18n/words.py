"""Words that several places share: kinds of entries, balances, ages."""

from __future__ import annotations

from decimal import Decimal

from ..domain.aging import AgingBucket
from ..domain.documents import DocumentKind
from ..domain.ledger import EntryKind
from ..domain.money import negate
from ..domain.phrases import Phrase
from .language import Language

ENTRY_WORDS = {
    EntryKind.INVOICE: Phrase("Invoice"),
    EntryKind.REFUND: Phrase("Refund"),
    EntryKind.DEBIT_ADJUSTMENT: Phrase("Adjustment"),
    EntryKind.CREDIT_NOTE: Phrase("Credit note"),
    EntryKind.PAYMENT: Phrase("Payment"),
    EntryKind.WRITE_OFF: Phrase("Write-off"),
    EntryKind.CREDIT_ADJUSTMENT: Phrase("Adjustment"),
}
DOCUMENT_WORDS = {
    DocumentKind.SALES_INVOICE: Phrase("Invoice"),
    DocumentKind.SALES_ORDER: Phrase("Sales order"),
    DocumentKind.CREDIT_NOTE: Phrase("Credit note"),
}


def balance_words(language: Language, balance: Decimal, currency: str | None = None) -> str:
    """A running balance; below zero it is in the customer's favour, in words and not by a minus."""
    if balance < 0:
        amount = language.amount(negate(balance), currency)
        return language.gettext("%(amount)s in your favour", amount=amount)
    return language.amount(balance, currency)


def balance_sentence(language: Language, currency: str, balance: Decimal) -> str:
    """A balance with its currency: ``EUR 4,010.00 to pay``."""
    if balance < 0:
        money = language.money(currency, negate(balance))
        return language.gettext("%(money)s in your favour", money=money)
    if balance > 0:
        return language.gettext("%(money)s to pay", money=language.money(currency, balance))
    return language.money(currency, balance)


def age_words(language: Language, bucket: AgingBucket) -> str:
    """What an aging bucket holds: ``1-30 days overdue``. The labels come from its edges."""
    if bucket.first is None:
        return language.gettext("Not yet due")
    if bucket.last is None:
        return language.gettext("Over %(days)s days overdue", days=bucket.first - 1)
    if bucket.first == bucket.last:
        return language.ngettext("%(count)s day overdue", "%(count)s days overdue", bucket.first)
    return language.gettext("%(first)s-%(last)s days overdue", first=bucket.first, last=bucket.last)
