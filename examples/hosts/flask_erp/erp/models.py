"""What the ERP keeps. It knows nothing of the portal. Amounts are whole cents."""

import datetime as dt
import enum

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """The ERP's tables."""


class User(Base):
    """Who works here."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    may_change: Mapped[bool] = mapped_column(default=True)


class Customer(Base):
    """Who buys."""

    __tablename__ = "customers"

    number: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None]
    language: Mapped[str] = mapped_column(default="en")
    on_hold: Mapped[bool] = mapped_column(default=False)


class Kind(enum.StrEnum):
    """What a document is."""

    INVOICE = "invoice"
    ORDER = "order"
    CREDIT_NOTE = "credit_note"


class State(enum.StrEnum):
    """How far a document came."""

    DRAFT = "draft"
    SENT = "sent"
    CANCELLED = "cancelled"


class Document(Base):
    """An invoice, an order or a credit note."""

    __tablename__ = "documents"
    __table_args__ = (Index("documents_of_customer", "customer_number", "kind", "date", "number"),)

    number: Mapped[str] = mapped_column(primary_key=True)
    customer_number: Mapped[str] = mapped_column(ForeignKey(Customer.number))
    kind: Mapped[Kind]
    state: Mapped[State]
    your_reference: Mapped[str | None]
    date: Mapped[dt.date]
    due_date: Mapped[dt.date | None]
    currency: Mapped[str]
    cents: Mapped[int]

    customer: Mapped[Customer] = relationship()


class Posting(Base):
    """A dated amount on a customer's account; its kind says which side."""

    __tablename__ = "postings"
    __table_args__ = (
        Index("postings_of_customer", "customer_number", "date"),
        CheckConstraint("cents >= 0"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_number: Mapped[str] = mapped_column(ForeignKey(Customer.number))
    kind: Mapped[str]
    date: Mapped[dt.date]
    due_date: Mapped[dt.date | None]
    currency: Mapped[str]
    cents: Mapped[int]
    document_number: Mapped[str | None] = mapped_column(ForeignKey(Document.number))
    text: Mapped[str]


class Matching(Base):
    """The part of a credit that settles part of a debit, from a day on."""

    __tablename__ = "matchings"
    __table_args__ = (CheckConstraint("cents > 0"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_number: Mapped[str] = mapped_column(ForeignKey(Customer.number), index=True)
    debit_id: Mapped[int] = mapped_column(ForeignKey(Posting.id))
    credit_id: Mapped[int] = mapped_column(ForeignKey(Posting.id))
    cents: Mapped[int]
    date: Mapped[dt.date]
