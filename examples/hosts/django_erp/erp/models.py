"""What the ERP keeps. It knows nothing of the portal but who may manage it."""

from decimal import ROUND_HALF_UP, Decimal

from django.db import models
from django.db.models import CheckConstraint, F, Q


class Amount(models.DecimalField):
    """Money. SQLite keeps it as a number with 15 exact digits."""

    def __init__(self, **options):
        super().__init__(**{"max_digits": 15, "decimal_places": 2, **options})


class Party(models.Model):
    """Who buys."""

    number = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    language = models.CharField(max_length=35, default="en")
    on_hold = models.BooleanField(default=False, help_text="Gets no deliveries and no portal.")

    class Meta:
        ordering = ("number",)
        verbose_name_plural = "parties"
        permissions = [
            ("manage_portal", "Can manage the customer portal"),
            ("view_portal", "Can look at the customer portal"),
        ]

    def __str__(self):
        return f"{self.number} {self.name}"


class Document(models.Model):
    """An invoice, an order or a credit note, from draft to issued to cancelled."""

    class Kind(models.TextChoices):
        INVOICE = "invoice"
        ORDER = "order"
        CREDIT_NOTE = "credit_note"

    class State(models.TextChoices):
        DRAFT = "draft"
        ISSUED = "issued"
        CANCELLED = "cancelled"

    party = models.ForeignKey(Party, models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=11, choices=Kind)
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT, editable=False)
    number = models.CharField(max_length=30, unique=True)
    your_reference = models.CharField(max_length=60, blank=True)
    date = models.DateField()
    due_date = models.DateField(null=True, blank=True)
    currency = models.CharField(max_length=3, default="EUR")

    class Meta:
        ordering = ("-date", "-number")
        indexes = [models.Index(fields=["party", "kind", "-date"])]

    def __str__(self):
        return self.number

    @property
    def total(self):
        """What its lines add up to."""
        return sum((line.amount for line in self.lines.all()), Decimal(0))


class Line(models.Model):
    """A line of a document."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="lines")
    text = models.CharField(max_length=500)
    quantity = models.DecimalField(max_digits=12, decimal_places=3, default=1)
    price = Amount()

    def __str__(self):
        return self.text

    @property
    def amount(self):
        """Quantity times price, to the cent."""
        return (self.quantity * self.price).quantize(Decimal("0.01"), ROUND_HALF_UP)


class Posting(models.Model):
    """A dated amount on a party's account; the kind gives the side."""

    class Kind(models.TextChoices):
        INVOICE = "invoice"
        REFUND = "refund"
        CREDIT_NOTE = "credit_note"
        PAYMENT = "payment"
        CANCELLATION = "credit_adjustment"

    party = models.ForeignKey(Party, models.PROTECT, related_name="postings")
    kind = models.CharField(max_length=17, choices=Kind)
    date = models.DateField()
    due_date = models.DateField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    amount = Amount()
    document = models.ForeignKey(Document, models.PROTECT, null=True, related_name="postings")
    text = models.CharField(max_length=60, help_text="As on the statement.")

    class Meta:
        ordering = ("date", "pk")
        indexes = [models.Index(fields=["party", "date"])]
        constraints = [CheckConstraint(condition=Q(amount__gte=0), name="posting_not_negative")]

    def __str__(self):
        return f"{self.text} {self.amount} {self.currency}"


class Matching(models.Model):
    """The part of a credit that settles part of a debit, from a day on."""

    debit = models.ForeignKey(Posting, models.PROTECT, related_name="settled_by")
    credit = models.ForeignKey(Posting, models.PROTECT, related_name="settles")
    amount = Amount()
    date = models.DateField()

    class Meta:
        constraints = [
            CheckConstraint(condition=Q(amount__gt=0), name="matching_positive"),
            CheckConstraint(condition=~Q(debit=F("credit")), name="matching_of_two"),
        ]

    def __str__(self):
        return f"{self.credit} on {self.debit}"
