"""Nordlicht Kaffee GmbH, its customers and what they bought; all dates are relative to today."""

import datetime as dt
from decimal import Decimal

from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.utils import timezone

from basis_portal import PortalConfig

from . import bookkeeping
from .models import Document, Line, Party
from .portal_site import joined_portal

ANA, BEN = "ana", "ben"
PASSWORD = "nordlicht"  # noqa: S105 (of an example, shown when it starts)
INVOICE, ORDER, CREDIT_NOTE = Document.Kind

KOPI, MUELLER, BEAN_THERE, LUMIERE, HARBOUR = "C-1001", "C-1002", "C-1003", "C-1004", "C-1005"
PARTIES = (
    Party(number=KOPI, name="Kopi Nusantara", email="finance@kopi.example"),
    Party(
        number=MUELLER, name="Müller & Söhne", email="buchhaltung@mueller.example", language="de"
    ),
    Party(number=BEAN_THERE, name="Bean There Ltd", email="hello@beanthere.example"),
    Party(number=LUMIERE, name="Café Lumière", language="fr"),
    Party(
        number=HARBOUR, name="Kedai Pelabuhan Tua", email="kantor@pelabuhan.example", on_hold=True
    ),
)


@transaction.atomic
def make():
    """Everything, at the first run, or nothing."""
    _users()
    for party in PARTIES:
        party.save()
    _Books(timezone.localdate()).write()
    config = PortalConfig(
        enabled=True,
        show_sales_orders=True,
        show_credit_notes=True,
        show_statement=True,
        allow_messages=True,
    )
    joined_portal().settings.save(config, by=ANA)


def _users():
    """One who keeps the books and manages the portal, and one who may look at both."""
    of_erp = Permission.objects.filter(content_type__app_label="erp")
    for name, user, permissions in (
        ("Accounting", ANA, of_erp),
        ("Auditors", BEN, of_erp.filter(codename__startswith="view_")),
    ):
        group = Group.objects.create(name=name)
        group.permissions.set(permissions)
        User.objects.create_user(user, password=PASSWORD, is_staff=True).groups.add(group)


class _Books:
    """What was bought, paid, credited and cancelled up to today."""

    def __init__(self, today):
        self.today = today
        self.parties = {party.number: party for party in Party.objects.all()}

    def write(self):
        self._kopi()
        self._mueller()
        self._others()

    def _kopi(self):
        """Two currencies, a part payment, a credit note, an order, a draft."""
        order = self.draft(KOPI, ORDER, "SO-301", 100, 14, "120")
        bookkeeping.post(order)
        old = self.posted(KOPI, INVOICE, "INV-1031", 95, 14, "120", reference="PO-77")
        self.paid(old, 70, "1680.00", "BANK-201")
        part = self.posted(KOPI, INVOICE, "INV-1042", 50, 10, "125", reference="PO-81")
        self.paid(part, 12, "800.00", "BANK-219")
        credit = self.posted(KOPI, CREDIT_NOTE, "CN-17", 40, 1, "125", reference="PO-81")
        bookkeeping.match(part.postings.get(), credit.postings.get(), Decimal(125), self.day(40))
        self.posted(KOPI, INVOICE, "INV-1051", 8, 12, "125")
        dollars = self.posted(KOPI, INVOICE, "INV-1047", 45, 5, "140.50", currency="USD")
        self.paid(dollars, 20, "702.50", "BANK-213")
        self.draft(KOPI, INVOICE, "INV-1060", 0, 6, "125")
        self.draft(KOPI, INVOICE, "INV-1062", 0, 1, "140.50", currency="USD")

    def _mueller(self):
        """One cancelled, one overdue, one paid twice over."""
        wrong = self.posted(MUELLER, INVOICE, "INV-1044", 48, 30, "118")
        bookkeeping.cancel(wrong, self.day(46))
        self.posted(MUELLER, INVOICE, "INV-1045", 46, 3, "118")
        paid = self.posted(MUELLER, INVOICE, "INV-1033", 90, 2, "118")
        self.paid(paid, 61, "236.00", "BANK-205")
        bookkeeping.receive(
            self.parties[MUELLER], self.day(60), "EUR", Decimal("236.00"), "BANK-206"
        )
        self.draft(MUELLER, ORDER, "SO-309", 2, 4, "118")
        self.draft(MUELLER, INVOICE, "INV-1061", 0, 4, "118")

    def _others(self):
        self.posted(BEAN_THERE, INVOICE, "INV-1049", 30, 7, "131", currency="USD")
        self.posted(BEAN_THERE, ORDER, "SO-305", 9, 7, "131", currency="USD")
        self.posted(LUMIERE, INVOICE, "INV-1050", 29, 2, "129.95")
        self.posted(HARBOUR, INVOICE, "INV-1020", 200, 20, "99.90")

    # --- one thing each

    def day(self, ago):
        return self.today - dt.timedelta(days=ago)

    def draft(self, party, kind, number, ago, bags, price, *, currency="EUR", reference=""):
        """A document of so many days ago, over bags of coffee."""
        document = Document.objects.create(
            party=self.parties[party],
            kind=kind,
            number=number,
            date=self.day(ago),
            due_date=self.day(ago - 30) if kind == INVOICE else None,
            currency=currency,
            your_reference=reference,
        )
        text = "Sumatra Mandheling, bag of 15 kg"
        Line.objects.create(document=document, text=text, quantity=bags, price=Decimal(price))
        return document

    def posted(self, *args, **options):
        return bookkeeping.post(self.draft(*args, **options))

    def paid(self, document, ago, amount, text):
        day, amount, debit = self.day(ago), Decimal(amount), document.postings.get()
        credit = bookkeeping.receive(document.party, day, document.currency, amount, text)
        bookkeeping.match(debit, credit, amount, day)
