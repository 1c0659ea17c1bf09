"""An invented seller with customers in every state; all dates are relative to today."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from ..clock import Clock
from ..domain.config import PortalConfig
from ..domain.customers import Customer
from ..domain.documents import Document, DocumentKind, DocumentLine, DocumentStatus
from ..domain.ledger import Allocation, EntryKind, LedgerEntry
from ..domain.seller import Seller
from ..portal import Portal
from ..repositories import FullStorage

NAME = "Nordlicht Kaffee GmbH"
SELLER = Seller(NAME, "Speicherstr. 1, Berlin", "accounts@nordlicht.example", "+49 30 1234567")
STAFF = "ana"
WELCOME = """\
Thank you for buying our coffee.
Please pay to IBAN DE00 0000 0000 0000 0000 00,
and quote the number of the invoice."""

KOPI, MUELLER, ATHENS, BEAN_THERE = "C-1001", "C-1002", "C-1003", "C-1004"
HAFENKONTOR, LUMIERE, AURORA, HARBOUR = "C-1005", "C-1006", "C-1007", "C-1008"

CUSTOMERS = (
    Customer(KOPI, "Kopi Nusantara", "finance@kopi.example", "1001", "en"),
    Customer(MUELLER, "Müller & Söhne", "buchhaltung@mueller.example", "1002", "de"),
    Customer(ATHENS, "Καφές Αθηνών", "info@athens.example", "1003", "el"),
    Customer(BEAN_THERE, "Bean There Ltd", "hello@beanthere.example", "1004", "en"),
    Customer(HAFENKONTOR, "Großhandel Hafenkontor", "post@hafenkontor.example", "1005", "de"),
    Customer(LUMIERE, "Café Lumière", None, "1006", "fr"),
    Customer(AURORA, "Torrefazione Aurora", "conti@aurora.example", "1007", "it"),
    Customer(HARBOUR, "Kedai Pelabuhan Tua", "kantor@pelabuhan.example", "1008", "id"),
)

MailerOf = Callable[[Portal], Any]
"""Makes the mailer of a portal, such as a `basis_portal.mail.Mailer`."""

# The customer who buys almost daily: so many invoices, so many to a payment, so many days later.
LONG, DOZEN, PAID_AFTER = 2400, 12, 18

_LINES = [
    DocumentLine(
        "Sumatra Mandheling, bag of 15 kg", Decimal(14), Decimal(120), None, Decimal(1680)
    ),
    DocumentLine("Java Estate, bag of 15 kg", Decimal(2), Decimal(150), None, Decimal(300)),
    DocumentLine("Freight", amount=Decimal("76.07")),
]


def make_seller(
    storage: FullStorage,
    clock: Clock,
    *,
    base_url: str,
    invoices: int = LONG,
    mailer_of: MailerOf | None = None,
) -> Portal:
    """Fill an empty storage and return the seller's portal.

    Args:
        storage: where everything is kept.
        clock: the one clock of the demo.
        base_url: where the customers' pages are.
        invoices: how many the long account has, whole dozens: tests make do with fewer.
        mailer_of: makes the mailer of a portal; two links were e-mailed then, days ago.
    """

    def portal_at(days_ago: float) -> Portal:
        """The portal as it was so many days ago, to make tokens and messages of that time."""
        return Portal(
            storage,
            secret_keys=keys,
            base_url=base_url,
            clock=lambda: clock() - dt.timedelta(days_ago),
        )

    keys = [secrets.token_hex(32)]
    books = Books.of(portal_at(0).today(), invoices)

    def write_down(_: object) -> None:
        storage.customers.save(*CUSTOMERS)
        storage.documents.save(*books.documents)
        storage.ledger.save(*books.entries)
        storage.ledger.allocate(*books.allocations)

    storage.transact(write_down)
    portal_at(60).settings.save(
        PortalConfig(
            enabled=True,
            show_sales_orders=True,
            show_credit_notes=True,
            show_statement=True,
            allow_messages=True,
            welcome_message=WELCOME,
        ),
        by=STAFF,
    )
    _issue_tokens(portal_at)
    if mailer_of is not None:
        for days_ago, customer_id in ((39, AURORA), (5, KOPI)):
            mailer_of(portal_at(days_ago)).send_link(customer_id, by=STAFF)
    _exchange_messages(portal_at)
    return portal_at(0)


def _issue_tokens(portal_at: Callable[[float], Portal]) -> None:
    for days_ago, customer_id in ((40, AURORA), (26.5, LUMIERE), (20, HARBOUR)):
        portal_at(days_ago).tokens.generate(customer_id, by=STAFF)
    portal_at(8).tokens.revoke(HARBOUR, by=STAFF, reason="Their bookkeeper has left")
    for customer_id in (KOPI, MUELLER, ATHENS, HAFENKONTOR):
        portal_at(5).tokens.generate(customer_id, by=STAFF)


def _exchange_messages(portal_at: Callable[[float], Portal]) -> None:
    link = portal_at(4).tokens.link(KOPI, by=STAFF)
    portal_at(3).open(link.rsplit("/", 1)[1]).send_message(
        "We have paid 800.00 of INV-1042. May we pay the rest with INV-1051?",
        document_id="INV-1042",
    )
    portal_at(2).messages.reply(
        KOPI, "The 800.00 are here, thank you. Yes, that is fine.", by=STAFF, document_id="INV-1042"
    )
    link = portal_at(4).tokens.link(MUELLER, by=STAFF)
    portal_at(0.5).open(link.rsplit("/", 1)[1]).send_message("Please send us your new price list.")


@attrs.define
class Books:
    """The seller's documents and ledger, as they have come to be by a day."""

    today: dt.date
    documents: list[Document] = attrs.field(factory=list)
    entries: list[LedgerEntry] = attrs.field(factory=list)
    allocations: list[Allocation] = attrs.field(factory=list)

    @classmethod
    def of(cls, today: dt.date, invoices: int) -> Books:
        """Everything up to this day, with so many invoices on the long account."""
        books = cls(today)
        books._kopi_in_eur()
        books._kopi_in_usd()
        books._small_accounts()
        books._odd_numbers()
        books._long_account(invoices)
        return books

    def _kopi_in_eur(self) -> None:
        self.order(KOPI, "SO-301", "2200.00", ago=47, reference="PO-77", lines=_LINES)
        self.order(KOPI, "SO-312", "1780.00", ago=3, reference="PO-84")
        self.order(KOPI, "SO-299", "150.00", ago=49, status=DocumentStatus.CANCELLED)
        self.invoice(KOPI, "INV-1001", "2380.00", ago=150, reference="PO-61")
        self.invoice(KOPI, "INV-1019", "1490.00", ago=84, reference="PO-68")
        self.invoice(KOPI, "INV-1028", "595.00", ago=72)
        self.invoice(
            KOPI,
            "INV-1042",
            "2200.00",
            ago=42,
            reference="PO-77",
            order="SO-301",
            lines=_LINES,
            pay_url="https://pay.example/nordlicht/INV-1042",
        )
        self.invoice(KOPI, "INV-1051", "900.00", ago=25, reference="PO-79")
        self.invoice(KOPI, "INV-1057", "2210.00", ago=9, reference="PO-82")
        self.invoice(KOPI, "INV-1060", "1780.00", ago=0, status=DocumentStatus.DRAFT)
        self.payment(KOPI, "BANK-287", "2380.00", ago=119, to={"INV-1001": "2380.00"})
        paid = {"INV-1019": "1490.00", "INV-1028": "595.00"}
        self.payment(KOPI, "BANK-311", "2135.00", ago=40, to=paid)
        self.credit_note(KOPI, "CN-17", "200.00", ago=35, to={"INV-1042": "200.00"})
        self.payment(KOPI, "BANK-326", "800.00", ago=20, to={"INV-1042": "800.00"})
        self.credit_note(KOPI, "CN-21", "250.00", ago=6)

    def _kopi_in_usd(self) -> None:
        self.order(KOPI, "SO-308", "640.00", ago=19, currency="USD", reference="PO-81")
        self.invoice(KOPI, "INV-1034", "900.00", ago=58, currency="USD", reference="PO-71")
        self.credit_note(KOPI, "CN-15", "60.00", ago=50, currency="USD", to={"INV-1034": "60.00"})
        self.payment(KOPI, "BANK-329", "840.00", ago=12, currency="USD", to={"INV-1034": "840.00"})
        self.invoice(
            KOPI, "INV-1055", "640.00", ago=14, currency="USD", reference="PO-81", order="SO-308"
        )

    def _small_accounts(self) -> None:
        self.invoice(MUELLER, "INV-1030", "476.00", ago=65)
        self.payment(MUELLER, "BANK-318", "476.00", ago=36, to={"INV-1030": "476.00"})
        self.invoice(ATHENS, "INV-1036", "1190.00", ago=52)
        self.payment(ATHENS, "BANK-320", "1440.00", ago=33, to={"INV-1036": "1190.00"})
        self.invoice(LUMIERE, "INV-1053", "321.00", ago=29)
        self.invoice(AURORA, "INV-1012", "749.00", ago=102)
        self.invoice(HARBOUR, "INV-1045", "18725000.00", ago=38, currency="IDR")

    def _odd_numbers(self) -> None:
        """Numbers, which are ids too, as some sellers write them."""
        order, number = f"SO/{self._day(90).year}/7 #A", f"INV/{self._day(80).year}/0042 #2"
        self.order(MUELLER, order, "642.00", ago=90, reference="50 % Sumatra?")
        self.invoice(MUELLER, number, "642.00", ago=80, reference="50 % Sumatra?", order=order)
        self.payment(MUELLER, "BANK-315", "642.00", ago=55, to={number: "642.00"})

    def _long_account(self, invoices: int) -> None:
        """Six years of invoices, where there are 2,400; each payment settles a dozen of them."""
        for first in range(0, invoices, DOZEN):
            dozen = {}
            for number in range(first, first + DOZEN):
                name, amount = f"INV-{2001 + number}", f"{180 + number * 37 % 560}.00"
                ago = (invoices - 1 - number) * 9 // 10
                self.invoice(HAFENKONTOR, name, amount, ago=ago, reference=f"HK-{number + 1:04}")
                dozen[name] = amount
            if ago > PAID_AFTER:
                total = str(sum(map(Decimal, dozen.values())))
                bank = f"BANK-{1001 + first // DOZEN}"
                self.payment(HAFENKONTOR, bank, total, ago=ago - PAID_AFTER, to=dozen)

    # --- one document, or one payment

    def order(self, customer_id: str, number: str, total: str, *, ago: int, **more: Any) -> None:
        """A sales order; it is on no account."""
        self._document(DocumentKind.SALES_ORDER, customer_id, number, total, ago, **more)

    def invoice(self, customer_id: str, number: str, total: str, *, ago: int, **more: Any) -> None:
        """A sales invoice, due in 30 days; a draft is on no account."""
        due_date = self._day(ago - 30)
        invoice = self._document(
            DocumentKind.SALES_INVOICE, customer_id, number, total, ago, due_date=due_date, **more
        )
        if invoice.status is DocumentStatus.ISSUED:
            self.entries.append(LedgerEntry.of(invoice))

    def credit_note(
        self,
        customer_id: str,
        number: str,
        total: str,
        *,
        ago: int,
        to: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        """A credit note, and what it settles."""
        note = self._document(DocumentKind.CREDIT_NOTE, customer_id, number, total, ago, **more)
        self._post(LedgerEntry.of(note), to or {})

    def payment(
        self,
        customer_id: str,
        number: str,
        amount: str,
        *,
        ago: int,
        to: Mapping[str, str],
        currency: str = "EUR",
    ) -> None:
        """A payment, and what it settles."""
        entry = LedgerEntry(
            id=number,
            customer_id=customer_id,
            currency=currency,
            date=self._day(ago),
            kind=EntryKind.PAYMENT,
            amount=Decimal(amount),
            number=number,
        )
        self._post(entry, to)

    def _post(self, credit: LedgerEntry, to: Mapping[str, str]) -> None:
        self.entries.append(credit)
        for debit_id, amount in to.items():
            part = Allocation(
                id=f"{credit.id}/{debit_id}",
                customer_id=credit.customer_id,
                debit_id=debit_id,
                credit_id=credit.id,
                amount=Decimal(amount),
                date=credit.date,
            )
            self.allocations.append(part)

    def _document(
        self,
        kind: DocumentKind,
        customer_id: str,
        number: str,
        total: str,
        ago: int,
        *,
        currency: str = "EUR",
        order: str | None = None,
        status: DocumentStatus = DocumentStatus.ISSUED,
        **more: Any,
    ) -> Document:
        amount = Decimal(total)
        net = round(amount / Decimal("1.07"), 2)
        document = Document(
            id=number,
            customer_id=customer_id,
            kind=kind,
            status=status,
            number=number,
            date=self._day(ago),
            currency=currency,
            total=amount,
            net=net,
            tax=amount - net,
            order_number=order,
            **{"lines": [DocumentLine("Green coffee", amount=net)], **more},
        )
        self.documents.append(document)
        return document

    def _day(self, ago: int) -> dt.date:
        return self.today - dt.timedelta(ago)
