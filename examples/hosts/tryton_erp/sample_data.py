"""Nordlicht Kaffee GmbH and its customers, with all that can happen to an invoice.

Dates are relative to the day on which the books are made.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import bookkeeping as books
import database
from trytond.pool import Pool

NAME = "Nordlicht Kaffee GmbH"
STAFF, PASSWORD = "ana", "green-beans-42"
VIEWER = "ben"  # may look at the portal's staff pages, but change nothing

KOPI, MUELLER, BEAN_THERE, HARBOUR = (
    "Kopi Nusantara",
    "Müller & Söhne",
    "Bean There Ltd",
    "Kedai Pelabuhan Tua",
)
NAMES = (KOPI, MUELLER, BEAN_THERE, HARBOUR)


def make_company(today: dt.date) -> int:
    """The company with users, customers and books; its id."""
    years = range(today.year - 1, today.year + 1)
    company = database.create_company(NAME, "EUR", {"USD": "1.10"}, years)
    database.write(lambda: _users(company), company=company)
    database.write(lambda: Books(today).make(), company=company)
    return company


def _users(company: int) -> None:
    database.create_user(STAFF, PASSWORD, company, "group_account", "group_account_admin")
    database.create_user(VIEWER, PASSWORD, company, "group_account")


@dataclass
class Books:
    """The books as they have come to be by a day."""

    today: dt.date

    def make(self) -> None:
        """Enter everything."""
        books.set_rate("USD", self.ago(75), "1.20")
        self.term = books.instalments("Half now, half later", (Decimal("0.5"), 15), (None, 60))
        self.parties = {
            KOPI: books.add_party(KOPI, email="finance@kopi.example", language="en"),
            MUELLER: books.add_party(MUELLER, email="buchhaltung@mueller.example", language="de"),
            BEAN_THERE: books.add_party(BEAN_THERE, email="hello@beanthere.example"),
            HARBOUR: books.add_party(HARBOUR, email="kantor@pelabuhan.example", active=False),
        }
        self.orders()
        self.invoices()
        self.payments()

    def ago(self, days: int) -> dt.date:
        """The day so many days ago."""
        return self.today - dt.timedelta(days)

    def invoices(self) -> None:
        """All that is posted at once: Tryton's numbers go up with the days."""
        coffee = "Sumatra Mandheling, bag of 15 kg"
        new = {
            "paid": self.invoice(KOPI, 130, 30, (coffee, "350.00")),
            "in dollars": self.invoice(KOPI, 100, 30, (coffee, "600.00"), currency="USD"),
            "in part": self.invoice(KOPI, 60, 30, (coffee, "1150.00"), ("Freight", "50.00")),
            "instalments": self.invoice(KOPI, 20, self.term, (coffee, "900.01")),
            "credit": self.invoice(KOPI, 40, 0, ("Damaged bag", "-200.00"), reference="PO-77"),
            "cancelled": self.invoice(KOPI, 50, 30, (coffee, "75.00")),
            "overpaid": self.invoice(MUELLER, 70, 30, (coffee, "400.00")),
            "short by cents": self.invoice(MUELLER, 55, 30, (coffee, "100.03")),
            "refunded": self.invoice(MUELLER, 45, 30, (coffee, "260.00")),
            "open": self.invoice(MUELLER, 15, 30, (coffee, "312.50"), reference="4711"),
            "paid in euros": self.invoice(BEAN_THERE, 65, 30, (coffee, "120.00"), currency="USD"),
            "dollars open": self.invoice(BEAN_THERE, 35, 14, (coffee, "480.00"), currency="USD"),
            "of a party that left": self.invoice(HARBOUR, 90, 30, (coffee, "120.00")),
        }
        self.posted = dict(zip(new, books.draft_invoices([*new.values()]), strict=True))
        Pool().get("account.invoice").post([self.ordered, *self.posted.values()])
        books.draft_invoices([self.invoice(KOPI, 0, 30, ("Not sent yet", "90.00"))])

    def invoice(
        self,
        name: str,
        days_ago: int,
        due: int | Any,
        *prices: tuple[str, str],
        currency: str = "EUR",
        reference: str = "",
    ) -> books.NewInvoice:
        """An invoice; ``due`` is how many days later, or a payment term."""
        date = self.ago(days_ago)
        return books.NewInvoice(
            party=self.parties[name],
            date=date,
            due=date + dt.timedelta(due) if isinstance(due, int) else due,
            prices=[(text, Decimal(price)) for text, price in prices],
            currency=currency,
            reference=reference,
        )

    def orders(self) -> None:
        """An order whose invoice is out, one that is only confirmed, and a quotation."""
        Sale = Pool().get("sale.sale")  # noqa: N806
        invoiced, confirmed, quoted = Sale.create(
            [
                self.order(KOPI, 12, "14", "PO-81"),
                self.order(KOPI, 3, "20", "PO-82"),
                self.order(MUELLER, 1, "2", "4712"),
            ]
        )
        Sale.quote([invoiced, confirmed, quoted])
        Sale.confirm([invoiced, confirmed])
        Sale.process([invoiced])
        (self.ordered,) = invoiced.invoices
        self.ordered.invoice_date = self.ago(10)
        self.ordered.payment_term_date = self.today + dt.timedelta(20)
        self.ordered.save()

    def order(self, name: str, days_ago: int, bags: str, reference: str) -> dict[str, Any]:
        """A sale of some bags."""
        party = self.parties[name]
        line = {
            "type": "line",
            "description": "Java Estate, bag of 15 kg",
            "quantity": float(bags),
            "unit_price": Decimal("150.00"),
        }
        return {
            "party": party.id,
            "invoice_address": party.addresses[0].id,
            "shipment_address": party.addresses[0].id,
            "currency": books.currency("EUR").id,
            "sale_date": self.ago(days_ago),
            "reference": reference,
            "lines": [("create", [line])],
        }

    def payments(self) -> None:
        """What customers paid, what was credited, cancelled and written off."""
        method, small = books.payment_method(), books.write_off_method()
        self.pay("paid", "350.00", 110, method)
        self.pay("in dollars", "600.00", 72, method)  # at another rate: an exchange difference
        self.pay("overpaid", "450.00", 38, method, overpayment="50.00")
        self.pay("short by cents", "100.00", 25, method, writeoff=small, date=self.ago(25))
        self.posted["in part"].pay_invoice(Decimal(800), method, self.ago(28), "Bank statement 7")
        (euros,) = books.post_payments(
            [books.NewPayment(self.parties[BEAN_THERE], self.ago(30), Decimal(100), "EUR")]
        )
        books.reconcile([*self.posted["paid in euros"].lines_to_pay, euros])
        Invoice = Pool().get("account.invoice")  # noqa: N806
        Invoice.cancel([self.posted["cancelled"]])
        Invoice.credit([self.posted["refunded"]], refund=True, invoice_date=self.today)

    def pay(
        self,
        name: str,
        amount: str,
        days_ago: int,
        method: Any,
        overpayment: str = "0",
        **reconciled: Any,
    ) -> None:
        """Pay an invoice and reconcile it with what was paid for it."""
        invoice = self.posted[name]
        lines = invoice.pay_invoice(
            Decimal(amount), method, self.ago(days_ago), "Bank", Decimal(overpayment)
        )
        paying: Sequence[Any] = [one for one in lines if one in invoice.payment_lines]
        books.reconcile([*invoice.lines_to_pay, *paying], **reconciled)
