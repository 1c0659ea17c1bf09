"""Nordlicht Kaffee GmbH, its customers and what they bought; all dates are relative to today."""

import datetime as dt

from sqlalchemy import select
from werkzeug.security import generate_password_hash

from basis_portal import PortalConfig

from .models import Customer, Document, Kind, Matching, Posting, State, User

ANA, BEN, PASSWORD = "ana", "ben", "nordlicht"
KOPI, MUELLER, BEAN_THERE, HARBOUR = "C-1001", "C-1002", "C-1003", "C-1005"
CUSTOMERS = (
    Customer(number=KOPI, name="Kopi Nusantara", email="finance@kopi.example"),
    Customer(
        number=MUELLER, name="Müller & Söhne", email="buchhaltung@mueller.example", language="de"
    ),
    Customer(number=BEAN_THERE, name="Bean There Ltd", email="hello@beanthere.example"),
    Customer(number=HARBOUR, name="Kedai Pelabuhan Tua", on_hold=True),
)
SHOWN = {
    "show_sales_orders": True,
    "show_credit_notes": True,
    "show_statement": True,
    "allow_messages": True,
}


def make(sessions, portal):
    """Everything, at the first run, or nothing."""
    with sessions.begin() as database:
        if database.scalar(select(Customer).limit(1)) is not None:
            return
        for name, may_change in ((ANA, True), (BEN, False)):
            hashed = generate_password_hash(PASSWORD)
            database.add(User(name=name, password_hash=hashed, may_change=may_change))
        database.add_all([_copy(one) for one in CUSTOMERS])
        database.flush()
        _Books(database, dt.date.today()).write()  # noqa: DTZ011 (the seller's day)
    portal.settings.save(PortalConfig(enabled=True, **SHOWN), by=ANA)


def _copy(one):
    columns = Customer.__table__.columns.keys()
    given = {name: getattr(one, name) for name in columns}
    return Customer(**{name: value for name, value in given.items() if value is not None})


class _Books:
    """What was bought, paid, credited and cancelled up to today."""

    def __init__(self, database, today):
        self.database, self.today = database, today

    def write(self):
        """All of it."""
        self.document(KOPI, Kind.ORDER, "SO-301", 100, 168000)
        old = self.invoice(KOPI, "INV-1031", 95, 168000, reference="PO-77")
        self.match(old, self.payment(KOPI, "BANK-201", 70, 168000), 168000)
        part = self.invoice(KOPI, "INV-1042", 50, 125000, reference="PO-81")
        self.match(part, self.payment(KOPI, "BANK-219", 12, 80000), 80000)
        self.match(part, self.credit_note(KOPI, "CN-17", 40, 12500), 12500)
        self.invoice(KOPI, "INV-1051", 8, 150000)
        dollars = self.invoice(KOPI, "INV-1047", 45, 70250, currency="USD")
        self.match(dollars, self.payment(KOPI, "BANK-213", 20, 70250, currency="USD"), 70250)
        self.document(KOPI, Kind.INVOICE, "INV-1060", 0, 75000, state=State.DRAFT)
        wrong = self.invoice(MUELLER, "INV-1044", 48, 354000)
        self.cancel(wrong, 46)
        self.invoice(MUELLER, "INV-1045", 46, 35400)
        self.payment(MUELLER, "BANK-206", 60, 23600)
        self.document(MUELLER, Kind.ORDER, "SO-309", 2, 47200)
        self.invoice(BEAN_THERE, "INV-1049", 30, 91700, currency="USD")
        self.invoice(HARBOUR, "INV-1020", 200, 199800)

    def document(
        self,
        customer,
        kind,
        number,
        ago,
        cents,
        *,
        currency="EUR",
        state=State.SENT,
        reference=None,
    ):
        """A document of so many days ago."""
        day = self.today - dt.timedelta(days=ago)
        due = day + dt.timedelta(days=30) if kind is Kind.INVOICE else None
        document = Document(
            number=number,
            customer_number=customer,
            kind=kind,
            state=state,
            date=day,
            due_date=due,
            your_reference=reference or None,
            currency=currency,
            cents=cents,
        )
        self.database.add(document)
        self.database.flush()
        return document

    def invoice(self, customer, number, ago, cents, **more):
        """An invoice and its posting."""
        return self.posted(self.document(customer, Kind.INVOICE, number, ago, cents, **more), ago)

    def credit_note(self, customer, number, ago, cents):
        """A credit note and its posting."""
        return self.posted(self.document(customer, Kind.CREDIT_NOTE, number, ago, cents), ago)

    def posted(self, document, ago):
        """What a document puts on the account."""
        return self.posting(
            document.customer_number,
            document.kind.value,
            document.number,
            ago,
            document.cents,
            currency=document.currency,
            due_date=document.due_date,
            document_number=document.number,
        )

    def payment(self, customer, text, ago, cents, **more):
        """What the bank says came in."""
        return self.posting(customer, "payment", text, ago, cents, **more)

    def posting(self, customer, kind, text, ago, cents, *, currency="EUR", **more):
        """One line of the account."""
        day = self.today - dt.timedelta(days=ago)
        posting = Posting(
            customer_number=customer,
            kind=kind,
            date=day,
            text=text,
            cents=cents,
            currency=currency,
            **more,
        )
        self.database.add(posting)
        self.database.flush()
        return posting

    def match(self, debit, credit, cents):
        """What of a credit settles a debit, from the later day on."""
        self.database.add(
            Matching(
                customer_number=debit.customer_number,
                debit_id=debit.id,
                credit_id=credit.id,
                cents=cents,
                date=max(debit.date, credit.date),
            )
        )

    def cancel(self, posting, ago):
        """A reversing entry on the day of the cancellation, matched with what it reverses."""
        self.database.get(Document, posting.document_number).state = State.CANCELLED
        text = f"Cancels {posting.text}"
        back = self.posting(posting.customer_number, "credit_adjustment", text, ago, posting.cents)
        self.match(posting, back, posting.cents)
