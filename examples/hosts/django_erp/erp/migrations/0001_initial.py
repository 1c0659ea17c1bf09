"""The tables of the ERP."""

import django.db.models.deletion
from django.db import migrations, models

import erp.models


class Migration(migrations.Migration):
    """As the models have them."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Document",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("invoice", "Invoice"),
                            ("order", "Order"),
                            ("credit_note", "Credit Note"),
                        ],
                        max_length=11,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("issued", "Issued"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="draft",
                        editable=False,
                        max_length=9,
                    ),
                ),
                ("number", models.CharField(max_length=30, unique=True)),
                ("your_reference", models.CharField(blank=True, max_length=60)),
                ("date", models.DateField()),
                ("due_date", models.DateField(blank=True, null=True)),
                ("currency", models.CharField(default="EUR", max_length=3)),
            ],
            options={
                "ordering": ("-date", "-number"),
            },
        ),
        migrations.CreateModel(
            name="Party",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.CharField(max_length=20, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("language", models.CharField(default="en", max_length=35)),
                (
                    "on_hold",
                    models.BooleanField(
                        default=False, help_text="Gets no deliveries and no portal."
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "parties",
                "ordering": ("number",),
                "permissions": [
                    ("manage_portal", "Can manage the customer portal"),
                    ("view_portal", "Can look at the customer portal"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.CharField(max_length=500)),
                ("quantity", models.DecimalField(decimal_places=3, default=1, max_digits=12)),
                ("price", erp.models.Amount(decimal_places=2, max_digits=15)),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="erp.document",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="document",
            name="party",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="documents",
                to="erp.party",
            ),
        ),
        migrations.CreateModel(
            name="Posting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("invoice", "Invoice"),
                            ("refund", "Refund"),
                            ("credit_note", "Credit Note"),
                            ("payment", "Payment"),
                            ("credit_adjustment", "Cancellation"),
                        ],
                        max_length=17,
                    ),
                ),
                ("date", models.DateField()),
                ("due_date", models.DateField(blank=True, null=True)),
                ("currency", models.CharField(max_length=3)),
                ("amount", erp.models.Amount(decimal_places=2, max_digits=15)),
                ("text", models.CharField(help_text="As on the statement.", max_length=60)),
                (
                    "document",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="erp.document",
                    ),
                ),
                (
                    "party",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="postings",
                        to="erp.party",
                    ),
                ),
            ],
            options={
                "ordering": ("date", "pk"),
            },
        ),
        migrations.CreateModel(
            name="Matching",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount", erp.models.Amount(decimal_places=2, max_digits=15)),
                ("date", models.DateField()),
                (
                    "credit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settles",
                        to="erp.posting",
                    ),
                ),
                (
                    "debit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settled_by",
                        to="erp.posting",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="document",
            index=models.Index(
                fields=["party", "kind", "-date"], name="erp_documen_party_i_790770_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="posting",
            index=models.Index(fields=["party", "date"], name="erp_posting_party_i_e92287_idx"),
        ),
        migrations.AddConstraint(
            model_name="posting",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0)), name="posting_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="matching",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="matching_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="matching",
            constraint=models.CheckConstraint(
                condition=models.Q(("debit", models.F("credit")), _negated=True),
                name="matching_of_two",
            ),
        ),
    ]
